-- Levenberg-Marquardt and L-BFGS from the command line: what they reach, what they tell, what they refuse.
local cli = require "helper"

local tutorial = cli.quote(cli.root .. "/scripts/tutorial8_q2.lua")

-- A network that can be trained to no loss at all: `more` are further lines of its table, `params` of its parameters.
local function experiment(optimizer, more, params)
  return ([[
    local r = require "rnnlab"
    return r.experiment {
      params = { epochs = 30, %s },
      data = function(p, rng)
        local x, v = rng:uniform(6, 10, 2), rng:uniform(3, 10, 2)
        local function target(u) return u[{{}, {}, {1, 1}}] * 2 - .5 end
        return { train = { x = x, y = target(x), lengths = r.tensor{10, 9, 8, 10, 3, 10} },
                 val = { x = v, y = target(v) } }
      end,
      model = function(p) return r.rnn("elman", 2, 3, 1) end,
      loss = "mse", optimizer = %s, %s
    }
  ]]):format(params or "", optimizer, more or "")
end

local function run(text, words)
  cli.write(cli.dir .. "/s.lua", text)
  local got = cli.run(("run s.lua --json --no-plot %s"):format(words or ""))
  assert.equal(0, got.code, got.err)
  local result = cli.json(cli.last_line(got.out))
  result.model = cli.read(("%s/%s/model.safetensors"):format(cli.dir, result.dir))
  return result
end

local function refused(pattern, text, words)
  cli.write(cli.dir .. "/s.lua", text)
  local got = cli.run("run s.lua --no-plot " .. (words or ""))
  assert.is_true(got.code == 1 or got.code == 2)
  assert.matches(pattern, got.err)
  assert.equal(1, select(2, got.err:gsub("\n", "\n")), "one line: " .. got.err)
end

describe("lm and lbfgs", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("lm learns the tutorial's network where adam does not, from every start", function()
    for seed = 1, 6 do
      local got = cli.run(("run %s optimizer=lm coef=1 epochs=200 seed=%d --json --no-plot"):format(tutorial, seed))
      assert.equal(0, got.code, got.err)
      local result = cli.json(cli.last_line(got.out))
      assert.equal("finished", result.status)
      assert.is_true(result.metrics.loss < .85, seed .. ": " .. result.metrics.loss) -- adam, 10,000 epochs: .7 to 2.4
      assert.is_true(result.epochs <= 200)
    end
  end)

  it("give the same bits for any number of threads", function()
    for _, name in ipairs { '"lm"', '"lbfgs"' } do
      local text = experiment(name)
      assert.equal(run(text).model, run(text, "threads=3").model)
    end
  end)

  it("train masks, lengths and cells of every kind, on validation data with early stopping", function()
    for _, name in ipairs { '"lm"', '"lbfgs"' } do
      local text = experiment(name, "early_stopping = 5,"):gsub('"elman", 2, 3, 1', "p.cell, 2, 3, 1")
        :gsub("epochs = 30,", 'epochs = 30, cell = r.choice{"lstm", "gru", "jordan"},')
      for _, cell in ipairs { "lstm", "gru", "jordan" } do
        local result = run(text, "cell=" .. cell)
        assert.is_true(result.metrics.val_loss < .2, name .. cell)
      end
    end
  end)

  it("end where nothing is left to gain, and say so", function()
    local text = experiment('{ kind = "lm", damping = 1, limit = 1e4 }')
    local result = run(text, "epochs=5000")
    assert.is_true(result.converged)
    assert.equal("finished", result.status)
    assert.is_true(result.epochs < 5000)
    local got = cli.run "run s.lua --no-plot epochs=5000"
    assert.matches("epochs?, converged, in ", got.out)
    assert.is_nil(run(text, "epochs=2").converged)
  end)

  it("several models are trained side by side as each alone", function()
    for _, name in ipairs { '"lm"', '"lbfgs"' } do
      local many = run(experiment(name, "models = 2,"), "epochs=8")
      local first, second = run(experiment(name), "epochs=8"), run(experiment(name), "epochs=8 seed=2 data_seed=1")
      assert.is_true(many.model == first.model or many.model == second.model)
      assert.near(math.min(first.metrics.val_loss, second.metrics.val_loss), many.metrics.val_loss, 0)
    end
  end)

  it("refuse what does not go with them, in one line", function()
    refused("lm needs a loss that is a sum of squares, sse or mse; this one is huber",
      (experiment('"lm"'):gsub('"mse"', '"huber"')))
    refused("lm needs a loss that is a sum of squares, sse or mse; this one is the script's own",
      (experiment('"lm"'):gsub('"mse"', "function(y, t) return ((y - t) * (y - t)):mean() end")))
    refused("lm takes the whole training set as one batch: it does not go with batch_size",
      experiment('"lm"', "batch_size = 2,"))
    refused("lbfgs takes the whole training set as one batch: it does not go with truncated backpropagation",
      experiment('"lbfgs"', "k1 = 2,"))
    refused("lbfgs has no learning rate and clips no gradient: it does not go with a schedule",
      experiment('"lbfgs"', 'schedule = "cosine",'))
    refused("lbfgs has no weight_decay, and it is 0.1; leave it at 0", experiment('"lbfgs"', "", "weight_decay = .1"))
    refused("lm has no 'dampig'; did you mean 'damping'", experiment '{ kind = "lm", dampig = 1 }')
    refused("lm has no 'lr'", experiment '{ kind = "lm", lr = 1 }')
    refused("lm: damping is %-1; expected a number > 0", experiment '{ kind = "lm", damping = -1 }')
    refused("the optimizer's up must be a number, not a string", experiment '{ kind = "lm", up = "x" }')
    refused("lbfgs: history must be a whole number, not 2.5", experiment '{ kind = "lbfgs", history = 2.5 }')
    refused("lm is for small networks: 40801 weights",
      (experiment('"lm"'):gsub('"elman", 2, 3, 1', '"elman", 2, 200, 1')))
    refused("optimizer 'lbgfs' is not known; did you mean 'lbfgs'", experiment '"lbgfs"')
  end)
end)
