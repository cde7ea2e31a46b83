-- rnnlab.core's layers, losses, initialisers and trainer, from a plain Lua: what they compute by hand, and
-- what they say to bad input.
local core = require "rnnlab.core"

local function refused(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(message))
  assert.is_nil(message:find "\n")
  assert.matches(pattern, message)
end

local function parameter(values)
  return core.tensor(values):requires_grad_()
end

local function weights()
  return { weight_ih = parameter { { -1, .5 }, { .5, .1 }, { .2, -2 } },
    weight_hh = parameter { { 2, 1.3 }, { 1.5, 0 } },
    bias = parameter { .2, .2 }, weight_ho = parameter { { 2 }, { -1.5 } }, bias_o = parameter { .5 } }
end

local x = core.tensor { { { 1, 2, -1 }, { -1, 1, -2 }, { 0, 3, 1 }, { 2, -1, 0 } } }

describe("core.recurrent", function()
  it("gives the tutorial's outputs, and its states", function()
    local y, h = core.recurrent("elman", x, weights(), { sigma = "sigmoid" })
    for t, expected in ipairs { .27, .73, .94, .11 } do
      assert.near(expected, y[{ 1, t, 1 }], .005)
    end
    assert.near(-.21, h[{ 1, 3, 2 }], .005)
  end)

  it("gives no y without a read-out", function()
    local w = weights()
    local y, h = core.recurrent("elman", x, { weight_ih = w.weight_ih, weight_hh = w.weight_hh, bias = w.bias })
    assert.is_nil(y)
    assert.same({ 1, 4, 2 }, h:size())
  end)

  it("refuses what does not fit, with the layer and both shapes", function()
    local w = weights()
    refused("no cell \"elmann\"; there are elman, jordan", core.recurrent, "elmann", x, w)
    refused("no activation \"tan\"", core.recurrent, "elman", x, w, { phi = "tan" })
    refused("elman layer first: x is %(4, 3%)", core.recurrent, "elman", x[1], w, { name = "first" })
    w.weight_hh = parameter { { 1, 2, 3 }, { 4, 5, 6 } }
    refused("weight_hh is %(2, 3%); expected %(2, 2%)", core.recurrent, "elman", x, w)
    w.weight_hh = "no"
    refused("weight_hh must be a tensor", core.recurrent, "elman", x, w)
    refused("jordan layer rnn: x, weight_ih, weight_oh and bias are needed", core.recurrent, "jordan", x, weights())
    refused("tensor", core.recurrent, "elman", nil, weights())
    refused("table", core.recurrent, "elman", x, nil)
  end)
end)

describe("core.linear and core.loss", function()
  it("compute what they say", function()
    local y = core.linear(core.tensor { { 1, 2 } }, core.tensor { { 1, 10 }, { 100, 1000 } }, core.tensor { .5, -.5 })
    assert.same({ { 201.5, 2009.5 } }, y:tolist())
    local target = core.tensor { { 200.5, 2010.5 } }
    assert.equal(2, core.loss("sse", y, target):item())
    assert.equal(1, core.loss("mse", y, target):item())
  end)

  it("refuse what does not fit", function()
    refused("%(1, 2%) and weight is %(3, 1%)", core.linear, core.tensor { { 1, 2 } }, core.zeros(3, 1))
    refused("the prediction is %(2%) but the target is %(3%)", core.loss, "sse", core.zeros(2), core.zeros(3))
    refused("no loss \"sum\"; there are sse, mse", core.loss, "sum", x, x)
  end)
end)

describe("core.init", function()
  it("fills in place from a stream", function()
    local a, b = core.zeros(4, 6), core.zeros(4, 6)
    core.init("glorot", a, core.rng(3, "init"))
    core.init("glorot", b, core.rng(3, "init"))
    assert.is_true(a:equal(b))
    core.init("constant", a, core.rng(3, "init"), { value = 2 })
    assert.equal(48, a:sum():item())
  end)

  it("refuses what it cannot do", function()
    refused("no initialiser \"xavier\"", core.init, "xavier", core.zeros(2, 2), core.rng(1, "init"))
    refused("orthogonal initialiser needs a matrix", core.init, "orthogonal", core.zeros(3), core.rng(1, "init"))
    refused("reversed", core.init, "uniform", core.zeros(3), core.rng(1, "init"), { a = 1, b = 0 })
    refused("std must be a number", core.init, "normal", core.zeros(3), core.rng(1, "init"), { std = {} })
  end)
end)

local function spec(overrides)
  local w = weights()
  local s = {
    record = function(xs, target)
      local y = core.recurrent("elman", xs, w)
      return y, core.loss("sse", y, target)
    end,
    params = { w.weight_ih, w.weight_hh, w.bias, w.weight_ho, w.bias_o },
    x = x, y = core.zeros(1, 4, 1), optimizer = { kind = "adam", lr = .05 }, seed = 1,
  }
  for name, value in pairs(overrides or {}) do
    s[name] = value
  end
  return s
end

describe("core.trainer", function()
  it("trains, and gives its losses from any epoch on", function()
    local trainer = core.trainer(spec())
    assert.same({ "epochs", 5 }, { trainer:run(5) })
    assert.same({ "epochs", 200 }, { trainer:run(200) })
    local losses = trainer:losses()
    assert.equal(200, #losses)
    assert.is_true(losses[200] < losses[1] / 10)
    assert.same({ losses[199], losses[200] }, trainer:losses(199))
    assert.same({}, trainer:losses(201))
    assert.equal(200 * 8, #trainer:losses_packed())
    assert.equal(losses[200], (string.unpack("d", trainer:losses_packed(), 199 * 8 + 1)))
    assert.is_nil(trainer:val_losses())
    local loss, prediction = trainer:evaluate(x, core.zeros(1, 4, 1))
    assert.is_true(loss < losses[1])
    assert.same({ 1, 4, 1 }, prediction:size())
    assert.is_true(trainer:memory() > 0 and trainer:seconds() > 0)
  end)

  it("raises the script's own error, as it was thrown", function()
    local thrown = { exit = 2 }
    local trainer = core.trainer(spec { record = function() error(thrown) end })
    local ok, caught = pcall(trainer.run, trainer, 1)
    assert.is_false(ok)
    assert.equal(thrown, caught)
    ok, caught = pcall(trainer.run, trainer, 1)
    assert.is_false(ok)
    assert.equal(thrown, caught)
  end)

  it("refuses a spec or a step that is none", function()
    refused("record must be a function", core.trainer, spec { record = 1 })
    refused("no optimizer \"adamm\"", core.trainer, spec { optimizer = { kind = "adamm" } })
    refused("lr is %-1", core.trainer, spec { optimizer = { kind = "sgd", lr = -1 } })
    refused("optimizer must be a table", core.trainer, spec { optimizer = "adam" })
    refused("params%[1%]", core.trainer, spec { params = { core.zeros(2) } })
    refused("batch_size", core.trainer, spec { batch_size = 2.5 })
    refused("clip_norm must be a number", core.trainer, spec { clip_norm = "1" })
    refused("%(1, 4, 3%) and y is %(2, 4, 1%)", core.trainer, spec { y = core.zeros(2, 4, 1) })
    local trainer = core.trainer(spec { record = function() return 1, 2 end })
    refused("a prediction and a loss, both tensors", trainer.run, trainer, 1)
    trainer = core.trainer(spec { record = function(xs) return xs, xs end })
    refused("the loss must be one number", trainer.run, trainer, 1)
    refused("epochs", trainer.run, trainer, -1)
    refused("Trainer", trainer.run, {}, 1)
  end)

  it("refuses a branch on a value while the step is recorded", function()
    local trainer
    trainer = core.trainer(spec { record = function(xs, target)
      local y = core.linear(xs, core.tensor { { 1 }, { 1 }, { 1 } })
      if y:sum():item() > 0 then y = y * 2 end
      return y, core.loss("sse", y, target)
    end })
    refused("recorded", trainer.run, trainer, 1)
  end)

  it("closes twice without harm, and says so afterwards", function()
    local trainer <const> = core.trainer(spec())
    do
      local _ <close> = trainer
    end
    refused("closed", trainer.run, trainer, 1)
  end)
end)

describe("core.gradcheck", function()
  before_each(function() core.set_default_dtype "float64" end)
  after_each(function() core.set_default_dtype "float32" end)

  it("passes on a right gradient and reports each parameter", function()
    local w = { a = parameter { { .3, -.2 }, { .1, .4 }, { .7, -.6 } }, b = parameter { .1, .2 } }
    local report = core.gradcheck {
      record = function(xs, target)
        local y = core.linear(xs, w.a, w.b):tanh()
        return y, core.loss("mse", y, target)
      end,
      params = { w.a, w.b }, x = x:double(), y = core.zeros(1, 4, 2),
    }
    assert.is_true(report.ok)
    assert.equal(2, #report.parameters)
    assert.equal(6, report.parameters[1].checked)
    assert.is_true(report.max_error < 1e-8)
    assert.is_true(report.jvp_error < 1e-8)
  end)

  it("refuses float32", function()
    core.set_default_dtype "float32"
    refused("needs float64", core.gradcheck, spec())
  end)
end)
