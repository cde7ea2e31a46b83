-- The experiment table: its checks, its defaults, and what data may look like.
local core = require "rnnlab.core"
local data = require "rnnlab.data"
local experiment = require "rnnlab.experiment"
local nn = require "rnnlab.nn"
local params = require "rnnlab.params"
local stats = require "rnnlab.stats"

local function message(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok)
  return type(problem) == "table" and problem.message or problem
end

local function made(more, overrides)
  local t = { data = { { 1 } }, model = nn.rnn("elman", 1, 2, 1), loss = "sse" }
  for key, value in pairs(more or {}) do
    t[key] = value
  end
  if t.loss == false then t.loss = nil end -- a forward pass
  local e = experiment.new(t)
  return e, params.resolve(e.declared, overrides or {}).p
end

local function call(f, ...) return f(...) end

local function shapes(given)
  local e, p = made { data = given, loss = false }
  local built = e:build_data(p, core.rng(1, "data"), call)
  local list = {}
  for name, part in pairs(built) do
    for key, tensor in pairs(part) do
      list[name .. "." .. key] = table.concat(tensor:size(), "x")
    end
  end
  return list
end

describe("rnnlab.experiment", function()
  it("marks what it made", function()
    assert.is_true(experiment.is((made())))
    assert.is_false(experiment.is { data = {} })
    assert.is_false(experiment.is(5))
  end)

  it("has defaults, and takes settings from the experiment or its parameters", function()
    local e, p = made()
    local settings = e:training(p)
    assert.equal(1000, settings.epochs)
    assert.same({ kind = "adam", lr = .01 }, settings.optimizer)
    assert.is_nil(settings.batch_size)
    assert.is_false(settings.shuffle)
    e, p = made({ params = { epochs = 7, lr = .5, batch_size = 4, momentum = .8 }, optimizer = "momentum",
      clip_norm = 2 }, { "lr=0.25" })
    settings = e:training(p)
    assert.equal(7, settings.epochs)
    assert.same({ kind = "momentum", lr = .25, momentum = .8 }, settings.optimizer)
    assert.equal(4, settings.batch_size)
    assert.is_true(settings.shuffle)
    assert.equal(2, settings.clip_norm)
    e, p = made { optimizer = { kind = "adam_tf", beta2 = .99 } }
    assert.same({ kind = "adam_tf", lr = .01, beta2 = .99 }, e:training(p).optimizer)
  end)

  it("refuses what it does not know", function()
    assert.matches("^an experiment has no 'modle'; did you mean 'model'%? %(known: .*batch_size, .*validate_every.*%)$",
      message(made, { modle = 1 }))
    assert.matches("optimizer must be a string, table or function, not a number", message(made, { optimizer = 3 }))
    assert.matches("optimizer 'adm' is not known; did you mean 'adam'", message(made, { optimizer = "adm" }))
    assert.matches("figure 'los' is not known; did you mean 'loss'", message(made, { figures = { "los" } }))
    assert.matches("epochs stands in the experiment and in its params", message(made,
      { epochs = 3, params = { epochs = 4 } }))
    assert.matches("metrics is a table of names and functions", message(made, { metrics = { x = 1 } }))
    local e, p = made { optimizer = { kind = "adam", rate = 1 } }
    assert.matches("an optimizer has no 'rate'", message(e.training, e, p))
    e, p = made({ params = { lr = .1 } }, { "lr=-1" })
    assert.matches("lr must be a number above 0", message(e.training, e, p))
    e, p = made({ params = { batch_size = 4 } }, { "batch_size=2.5" })
    assert.equal("batch_size=2.5: batch_size must be a whole number", message(e.training, e, p))
  end)

  it("takes data as tables, tensors, parts, or a function", function()
    assert.same({ ["train.x"] = "1x2x3" }, shapes { { 1, 2, 3 }, { 4, 5, 6 } })
    assert.same({ ["train.x"] = "2x1x1" }, shapes { { { 1 } }, { { 2 } } })
    assert.same({ ["train.x"] = "4x5x2" }, shapes(core.zeros(4, 5, 2)))
    assert.same({ ["train.x"] = "4x5x2", ["train.y"] = "4x5x1" },
      shapes { x = core.zeros(4, 5, 2), y = core.zeros(4, 5, 1) })
    assert.same({ ["train.x"] = "4x5x2", ["val.x"] = "3x6x2", ["test.x"] = "1x1x2" }, shapes(function()
      return { train = { x = core.zeros(4, 5, 2) }, val = { x = core.zeros(3, 6, 2) },
        test = { x = core.zeros(1, 1, 2) } }
    end))
  end)

  it("refuses data that do not fit, with both shapes", function()
    local x = core.zeros(4, 5, 2)
    assert.equal("data: train.x is (4, 5, 2) and train.y is (3, 5, 1); batch and time must agree",
      message(shapes, { x = x, y = core.zeros(3, 5, 1) }))
    assert.equal("data: train.x has 2 features and val.x has 3",
      message(shapes, { train = { x = x }, val = { x = core.zeros(4, 5, 3) } }))
    assert.equal("train.x must be (batch, time, feature), or (batch, time) of symbols; it is (4)",
      message(shapes, core.zeros(4)))
    assert.equal("train.x is empty: (4, 0, 2)", message(shapes, core.zeros(4, 0, 2)))
    assert.matches("data has train, val and test, not 'validation'",
      message(shapes, { train = { x = x }, validation = { x = x } }))
    assert.matches("data returned nothing", message(shapes, function() end))
    local e, p = made { data = { x = x } }
    assert.equal("data: train has no y to train towards", message(e.build_data, e, p, nil, call))
  end)

  it("judges outputs one by one", function()
    local target = core.tensor { { { 1, 0 }, { 3, 0 } } }
    local got = stats.outputs(core.tensor { { { 1, 1 }, { 2, 1 } } }, target)
    assert.near(.5, got[1].loss, 1e-12)
    assert.near(math.sqrt(.5), got[1].rmse, 1e-12)
    assert.near(.5, got[1].r2, 1e-12)
    assert.near(1, got[2].loss, 1e-12)
    assert.is_true(got[2].r2 ~= got[2].r2) -- a constant target has no R2
    -- Steps that do not count: whatever stands there, the numbers are those of the others.
    local y = core.tensor { { { 1 }, { 2 }, { 9 } }, { { 4 }, { 9 }, { 9 } } }
    local wanted = core.tensor { { { 1 }, { 3 }, { 0 } }, { { 6 }, { 7 }, { 0 } } }
    local part = { x = core.zeros(2, 3, 1), y = wanted, lengths = core.tensor { 2, 1 } }
    local valid = data.valid(part)
    assert.same({ { 1, 1, 0 }, { 1, 0, 0 } }, valid:tolist())
    got = stats.outputs(y, wanted, valid)
    local few = stats.outputs(core.tensor { { { 1 }, { 2 }, { 4 } } }, core.tensor { { { 1 }, { 3 }, { 6 } } })
    for name, value in pairs(few[1]) do
      assert.near(value, got[1][name], 1e-12)
    end
    part.mask = core.tensor { { 0, 1, 1 }, { 1, 1, 1 } }
    assert.same({ { 0, 1, 0 }, { 1, 0, 0 } }, data.valid(part):tolist())
    local judged = data.judged(part):tolist()
    assert.equal(3, judged[1][2][1])
    assert.is_true(judged[1][1][1] ~= judged[1][1][1])
    assert.is_nil(data.valid { x = part.x, y = wanted })
    assert.equal(wanted, data.judged { x = part.x, y = wanted })
  end)
end)
