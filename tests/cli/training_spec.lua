-- How a run trains: chunks, carried states, early stopping, norms, fresh data, loops of one's own, several models.
local cli = require "helper"

-- A small experiment; `more` are further lines of its table, `params` further parameters, `data` what data returns.
local function experiment(more, params, data)
  return ([[
    local r = require "rnnlab"
    return r.experiment {
      params = { hidden = 3, lr = .01, epochs = 12, %s },
      data = function(p, rng)
        local x, v = rng:uniform(6, 10, 2), rng:uniform(3, 10, 2)
        local function target(u) return u[{{}, {}, {1, 1}}] * 2 - .5 end
        return %s
      end,
      model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
      loss = "sse",
      %s
    }
  ]]):format(params or "", data or "{ train = { x = x, y = target(x) }, val = { x = v, y = target(v) } }", more or "")
end

local number = 0

-- Run an experiment; the object of --json, and the bytes of its model and of its curve.
local function run(text, words, env)
  number = number + 1
  cli.write(cli.dir .. "/s.lua", text)
  local results = "r" .. number
  local got = cli.run(("run s.lua %s --json --no-plot --results %s"):format(words or "", results), env)
  assert.equal(0, got.code, got.err)
  local result = cli.json(cli.last_line(got.out))
  local function file(name) return cli.read(("%s/%s/%s"):format(cli.dir, result.dir, name)) end
  result.model, result.curve, result.file = file "model.safetensors", file "metrics.csv", file
  return result
end

local function refused(pattern, text, words)
  cli.write(cli.dir .. "/s.lua", text)
  local got = cli.run("run s.lua --no-plot " .. (words or ""))
  assert.is_true(got.code == 1 or got.code == 2)
  assert.matches(pattern, got.err)
  assert.equal(1, select(2, got.err:gsub("\n", "\n")), "one line: " .. got.err)
end

-- The rows of metrics.csv: a list of tables by column.
local function rows_of(curve)
  local names, rows = {}, {}
  for line in curve:gmatch "[^\n]+" do
    local row, i = {}, 0
    for cell in (line .. ","):gmatch "([^,]*)," do
      i = i + 1
      if #rows == 0 and names.done == nil then names[i] = cell else row[names[i]] = tonumber(cell) end
    end
    if names.done then rows[#rows + 1] = row end
    names.done = true
  end
  return rows, names
end

describe("training", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("in chunks updates more often, and one chunk of all steps is no chunk", function()
    local text = experiment("", "k1 = 0, k2 = 0")
    local whole, chunk = run(text), run(text, "k1=10")
    assert.near(whole.metrics.loss, chunk.metrics.loss, 1e-4)
    local few, back = run(text, "k1=4"), run(text, "k1=4 k2=8")
    assert.is_true(few.metrics.loss < whole.metrics.loss)
    assert.not_equal(few.model, back.model)
    assert.not_equal(back.model, run(text, "k1=4 k2=6").model)
    refused("k2=3 is less than k1=4", text, "k1=4 k2=3")
    refused("k2 is given without k1", text, "k2=3")
    refused("k1=2%.5", text, "k1=2.5")
  end)

  it("carries states from batch to batch where it is told to", function()
    local text = experiment("shuffle = false, batch_size = 2,", "stateful = false")
    local plain, stateful = run(text), run(text, "stateful=true")
    assert.not_equal(plain.model, stateful.model)
    assert.not_equal(stateful.model, run(experiment [[batch_size = 2, stateful = "forever",]]).model)
    assert.equal(stateful.model, run(experiment [[batch_size = 2, stateful = true,]]).model) -- no shuffling by default
    refused("a stateful network needs its batches in order", experiment "stateful = true, shuffle = true,")
    refused('stateful must be true, false or "forever", not \'often\'', experiment [[stateful = "often",]])
  end)

  it("stops early and ends with the best weights", function()
    local rise = [[
      metrics = { size = function(y) return y:square():sum():item() end },
      early_stopping = { metric = function(run) return math.abs(run.epoch - 4) end, patience = 3 },]]
    local stopped = run(experiment(rise))
    assert.equal("finished", stopped.status)
    assert.equal(7, stopped.epochs)
    assert.equal(4, stopped.metrics.best_epoch)
    assert.equal(run(experiment(), "epochs=4").model, stopped.model)
    local kept = run(experiment((rise:gsub("patience = 3", "patience = 3, restore = false"))))
    assert.equal(run(experiment(), "epochs=7").model, kept.model)
    assert.is_nil(kept.metrics.best_epoch)
    -- by name: of the validation data, of the training data, and more of it may be better
    local val = run(experiment [[early_stopping = 3,]])
    assert.equal(val.epochs, val.metrics.best_epoch) -- it falls all the time
    assert.equal(4, run(experiment [[early_stopping = { metric = "val_rmse", mode = "max", patience = 3 },]]).epochs)
    assert.equal(4, run(experiment [[early_stopping = { metric = "loss", mode = "max", patience = 3 },]]).epochs)
    assert.equal(12, run(experiment [[early_stopping = { metric = "r2" , patience = 3 },]]).epochs)
    refused("there is no metric 'val_los'; did you mean 'val_loss'", experiment [[early_stopping={metric="val_los"},]])
    refused("early_stopping has no 'patence'; did you mean 'patience'", experiment [[early_stopping={patence=3},]])
    refused("watches val_loss, but there is no validation set",
      experiment("early_stopping = 3,", "", "{ x = x, y = target(x) }"))
    refused("early_stopping: patience must be a whole number", experiment "early_stopping = 2.5,")
  end)

  it("validates and takes norms as often as it is told", function()
    local rows = rows_of(run(experiment "validate_every = 5, norms = 6,").curve)
    assert.equal(12, #rows)
    for epoch, row in ipairs(rows) do
      assert.equal(epoch % 5 == 0, row.val_loss ~= nil)
      assert.equal(epoch % 6 == 0, row["norm.weight_hh"] ~= nil)
      assert.equal(epoch % 6 == 0, row["grad_norm.bias_o"] ~= nil)
    end
    assert.is_true(rows[6]["grad_norm.weight_ih"] > 0 and rows[6]["norm.weight_ih"] > 0)
    refused("'norm.mine' is no name for a column of one's own",
      experiment [[on_epoch = function(run) run:log{ ["norm.mine"] = 1 } end,]])
  end)

  it("masks what is padded: other padding, other lengths of it, the same weights", function()
    local function padded(filler, fields)
      return experiment("", "", ([[(function()
        local y = target(x)
        local mask = r.zeros(6, 10)
        local lengths = { 10, 7, 3, 10, 1, 5 }
        for i, n in ipairs(lengths) do
          mask[{ i, { 1, n } }]:fill(1)
          if n < 10 then
            x[{ i, { n + 1, 10 } }]:fill(%s)
            y[{ i, { n + 1, 10 } }]:fill(%s)
          end
        end
        return { train = { x = x, y = y, %s } }
      end)()]]):format(filler, filler, fields))
    end
    for _, fields in ipairs { "mask = mask", "lengths = lengths", "mask = mask, lengths = lengths" } do
      for _, words in ipairs { "", "k1=3", "k1=3 k2=6" } do
        local text = padded("0", fields):gsub("epochs = 12,", "epochs = 12, k1 = 0, k2 = 0,")
        local other = padded("7", fields):gsub("epochs = 12,", "epochs = 12, k1 = 0, k2 = 0,")
        local a, b = run(text, words), run(other, words)
        assert.equal(a.model, b.model, fields .. " " .. words)
        assert.equal(a.metrics.loss, b.metrics.loss)
      end
    end
    local twice = run(experiment("", "", "{ x = x, y = target(x), weights = { 1, 1, 1, 1, 1, 0 } }"))
    assert.not_equal(run(experiment("", "", "{ x = x, y = target(x) }")).model, twice.model)
  end)

  it("takes fresh data at every step", function()
    local text = experiment("", "n = 5", [[{ train = { steps_per_epoch = p.n, stream = function(s, step)
      local u = s:uniform(4, 6, 2)
      return { x = u, y = target(u) + 0 * step }
    end }, val = { x = v, y = target(v) } }]])
    local a = run(text)
    assert.equal(12, a.epochs)
    assert.equal(a.model, run(text).model)
    assert.equal(a.model, run(text, "n=10 epochs=6").model) -- a step's data depend on its number alone
    assert.not_equal(a.model, run(text, "data_seed=2").model)
    assert.is_true(a.metrics.val_loss > 0)
    refused("train.stream returned nothing", experiment("", "", "{ train = { stream = function() end } }"))
    refused("a stream has stream and steps_per_epoch, not 'steps'",
      experiment("", "", "{ train = { stream = function() end, steps = 3 } }"))
  end)

  it("is the same by hand", function()
    local loop = run(experiment "batch_size = 4, norms = true,")
    local text = [[batch_size = 4, norms = true, main = function(p, run)
      for epoch = 1, p.epochs do
        if epoch == 5 then run:train(3) end
        if epoch < 5 or epoch > 7 then
          for batch in run:batches "train" do assert(run:step(batch) > 0) end
          run:end_epoch()
        end
      end
    end,]]
    local hand = run(experiment(text))
    assert.equal(loop.model, hand.model)
    assert.equal(12, hand.epochs)
    local a, b = rows_of(loop.curve), rows_of(hand.curve)
    for epoch = 1, 12 do
      assert.equal(a[epoch].loss, b[epoch].loss)
      assert.equal(a[epoch].val_loss, b[epoch].val_loss)
      assert.equal(a[epoch]["norm.weight_ih"], b[epoch]["norm.weight_ih"])
    end
    assert.equal(1, run(experiment "main = function(p, run) run:step(run.data.train) end,").epochs) -- closed at the end
    refused("the batch: x has a NaN at sequence 1, step 1, feature 1", experiment [[main = function(p, run)
      run:step{ x = r.full({ 1, 2, 2 }, 0 / 0), y = r.zeros(1, 2, 1) } end,]])
    refused("there is no part 'trian'; did you mean 'train'", experiment [[main = function(p, run)
      run:evaluate "trian" end,]])
  end)

  it("lets one look inside", function()
    run(experiment [[
      on_epoch = function(run)
        local gradients, parameters, states = run:gradients(), run:parameters(), run:states "val"
        assert(gradients.weight_hh:dim() == 2 and gradients.weight_hh:norm():item() > 0)
        gradients.weight_hh:fill(1e9)
        parameters.weight_hh:fill(1e9) -- copies: it changes nothing
        local _, layer = next(states)
        assert(layer.h:size(1) == 3 and layer.h:size(2) == 10 and layer.h:size(3) == 3)
        assert(math.abs(run:evaluate("val") - run.val_loss) < 1e-6)
        local loss, y = run:evaluate(run.data.val.x, run.data.val.y)
        assert(loss > 0 and y:size(1) == 3 and math.abs(run:lr() - .01) < 1e-9)
        run:set_lr(.01)
      end,]])
    assert.equal(run(experiment()).model, run(experiment "on_epoch = function(run) run:states 'train' end,").model)
  end)

  it("trains several models side by side, each as if alone", function()
    local text = experiment("batch_size = 4,", "models = 1")
    local three = run(text, "models=3 seed=5")
    local expected = {}
    for k = 1, 3 do
      local alone = run(text, ("seed=%d data_seed=5"):format(4 + k))
      expected[k] = alone.metrics.val_loss
      local tensors = three.file "models.safetensors"
      -- what the file of the one holds is in the file of the three
      local bytes = alone.model:sub(9 + string.unpack("<I8", alone.model))
      assert.is_truthy(tensors:find(bytes:sub(1, 24), 1, true), "model " .. k)
    end
    assert.equal(math.min(table.unpack(expected)), three.metrics.val_loss)
    assert.equal(three.model, run(text, "models=3 seed=5 threads=2").model)
    local rows, names = rows_of(three.curve)
    assert.same({ "epoch", "loss", "loss_min", "loss_max", "val_loss", done = true }, names)
    assert.is_true(rows[12].loss_min < rows[12].loss and rows[12].loss < rows[12].loss_max)
    local record = cli.json(three.file "run.json")
    assert.equal(3, #record.models)
    assert.equal(6, record.models[2].seed)
    local own = run(experiment "models = { { lr = .01 }, { lr = .02, hidden = 5 } },")
    assert.equal(2, #cli.json(own.file "run.json").models)
    refused("models: there is no parameter 'rate'", experiment "models = { { rate = 1 } },")
    refused("models: on_epoch does not go with several models",
      experiment("models = 2, on_epoch = function() end,"))
    refused("needs? model = function", (experiment("models = 2,"):gsub("model = function%(p%) return (.-) end,",
      "model = r.rnn('elman', 2, 3, 1),")))
  end)

  it("names what is wrong with the data", function()
    refused("the training set: x has a NaN at sequence 3, step 7, feature 2", experiment("", "",
      "(function() local y = target(x); x[{3, 7, 2}] = 0 / 0; return { x = x, y = y } end)()"))
    refused("the validation set: y has an infinite number at sequence 1, step 2, feature 1",
      experiment("", "", [[(function() local y = target(v); y[{1, 2, 1}] = 1 / 0
        return { train = { x = x, y = target(x) }, val = { x = v, y = y } } end)()]]))
    refused("the training set: lengths has 11 at sequence 2; expected a whole number from 1 to 10",
      experiment("", "", "{ x = x, y = target(x), lengths = { 1, 11, 1, 1, 1, 1 } }"))
    refused("data: train.mask is %(5, 10%); its first size must be the 6 sequences of train.x",
      experiment("", "", "{ x = x, y = target(x), mask = r.zeros(5, 10) }"))
  end)

  it("trains a cell written in Lua to one answer a sequence, and draws what there is to draw", function()
    local got = cli.run("run " .. cli.quote(cli.root .. "/scripts/adding_mgu.lua") .. " T=12 epochs=3 --json")
    assert.equal(0, got.code, got.err)
    local done = cli.json(cli.last_line(got.out))
    assert.equal("finished", done.status)
    assert.equal(3, #done.figures) -- the learning curve in three formats
    assert.equal("", got.err:match "rnnlab:[^\n]*" or "")
  end)

  it("adds a penalty while it trains, and none where it evaluates", function()
    local plain, with = run(experiment()), run(experiment("penalty = function(p) return { l2 = p.decay } end,",
      "decay = 1,"), "decay=0.5")
    local a, b = rows_of(plain.curve), rows_of(with.curve)
    assert.is_true(b[1].loss > a[1].loss)
    assert.equal(a[1].val_loss == b[1].val_loss, false) -- after the first update
    assert.is_true(with.metrics.loss < b[#b].loss)
    cli.write(cli.dir .. "/s.lua", experiment "penalty = { l1 = .1, l2 = .1, activity = .1 }, input_noise = .3,")
    local got = cli.run "check s.lua"
    assert.equal(0, got.code, got.err)
    assert.matches("all gradients agree", got.out)
    refused("no weight 'weight_hx'; did you mean 'weight_hh'",
      experiment 'penalty = { l1 = 1, weights = "weight_hx" },')
    refused("penalty has no 'L1'", experiment "penalty = { L1 = 1 },")
    refused("input_noise must be a number of at least 0", experiment "input_noise = -1,")
  end)

  it("keeps what the script's analysis finds", function()
    local done = run(experiment [[analysis = function(run)
        local found = r.analysis.fixed_points(run.model, { from = run.data.train.x, starts = 8 })
        return { radius = r.analysis.spectrum(run.model)[1].radius, fixed = found.points,
          pca = r.analysis.pca(run:states("train")[1].h, { components = 2 }), note = "looked at" }
      end,]])
    assert.is_true(done.metrics.radius > 0)
    local record = cli.json(done.file "run.json")
    assert.equal("looked at", record.analysis.note)
    assert.equal("stable", record.analysis.fixed["1"].kind)
    local npz = done.file "analysis.npz"
    for _, name in ipairs { "pca.projections", "pca.ratio", "fixed.1.state", "fixed.1.eigenvalues.re" } do
      assert.truthy(npz:find(name .. ".npy", 1, true), name)
    end
    -- The run's network in the repl, and what is said where there is none.
    local typed = cli.run("repl", { stdin = ([[run = r.load_run("last", "%s")
      print(run.model:describe(), r.analysis.spectrum(run.model)[1].radius == %.17g, r.default_dtype())
      r.load_run("nothing")
    ]]):format(done.dir:match "^(.*)/[^/]*$", done.metrics.radius) })
    assert.matches("elman 2%-3%-1\ttrue\tfloat32", typed.out)
    assert.matches("nothing", typed.err)
    refused("load_run is for the repl", experiment 'analysis = function() return r.load_run("last") end,')
    refused("analysis must return a table", experiment "analysis = function() return 3 end,")
    refused("analysis: f is a function; numbers", experiment "analysis = function() return { f = print } end,")
    refused("'loss' is a metric of the run already", experiment "analysis = function() return { loss = 1 } end,")
    refused("fixed_points has no option 'form'", experiment
      "analysis = function(run) return r.analysis.fixed_points(run.model, { form = 3 }) end,")
  end)

  it("solves a read-out by ridge regression, and keeps a reservoir with the run", function()
    local function with(more)
      return (experiment(more):gsub('"elman", 2, p.hidden, 1', '"esn", 2, 20, 1, { bias_scale = 1 }'))
    end
    local done = run(with 'optimizer = { "ridge", lambda = 1e-9, washout = 2 }, metrics = { "nrmse" },', "epochs=50")
    assert.equal(1, done.epochs)
    assert.is_true(done.metrics.nrmse < .1, done.metrics.nrmse)
    for _, name in ipairs { "weight_ho", "weight_hh", "bias" } do
      assert.truthy(done.model:find('"' .. name .. '"', 1, true), name)
    end
    local adam = run(with "washout = 2,", "epochs=200 lr=.03") -- by gradients as well
    assert.is_true(adam.metrics.loss < rows_of(adam.curve)[1].loss / 10)
    refused("washout=10 leaves nothing of the 10 steps", with "washout = 10,")
    refused("ridge has no 'lamda'; did you mean 'lambda'", with 'optimizer = { "ridge", lamda = 1 },')
    refused("ridge needs a loss that is a sum of squares", (with('optimizer = "ridge",'):gsub('"sse"', '"mae"')))
  end)
end)
