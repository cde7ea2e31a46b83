-- Ridge regression of read-outs against NumPy (tests/golden/make_training.py), and what it cannot solve.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local data = require "rnnlab.data"
local golden = require "golden"
local nn = require "rnnlab.nn"

local close = golden.close

local function refused(pattern, f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(why):find(pattern), tostring(why))
end

-- Fit a network's read-out on a part; the trainer.
local function fit(net, part, lambda, loss)
  local params = {}
  for i, parameter in ipairs(net:parameters()) do
    params[i] = parameter.tensor
  end
  local trainer = core.trainer { params = params, train = part, optimizer = { kind = "ridge", lambda = lambda },
    record = function(x, _, extra)
      local _ <close> = context.enter { training = extra.training, clock = extra.clock, lengths = extra.lengths,
        extra = extra }
      local y = net:forward(x)
      return y, loss and loss(y, extra) or core.loss("mse", y, extra.y, { mask = extra.mask, lengths = extra.lengths })
    end }
  assert.equal("stopped", trainer:run(1000))
  assert.equal(1, trainer:epoch())
  assert.is_true(trainer:converged())
  return trainer
end

describe("ridge regression", function()
  before_each(function() nn.set_stream(core.rng(4, "init"), 4) end)
  after_each(function() core.set_default_dtype "float32" end)

  it("solves a reservoir's read-out as NumPy does, with washout and lengths", function()
    for _, dtype in ipairs { "float64", "float32" } do
      core.set_default_dtype(dtype)
      local g = golden.open("ridge", dtype)
      local part = data.wash({ x = g("inputs", "x"), y = g("inputs", "target"), lengths = g("inputs", "lengths") },
        g.options.washout, "train")
      local given = { leak = g.options.leak, direct = true, U = g("params", "weight_ih"), W = g("params", "weight_hh"),
        b = g("params", "bias") }
      local layer = nn.Reservoir(2, 7, 2, given)
      fit(layer, part, g.options.lambda)
      local tolerance = dtype == "float32" and 2e-4 or nil -- float32 states, much alike
      for _, name in ipairs { "weight_ho", "weight_io", "bias_o" } do
        close(g("expected", name), layer[name], name, tolerance)
      end
      fit(layer, part, 0)
      for _, name in ipairs { "weight_ho", "weight_io", "bias_o" } do
        close(g("expected", name .. "_plain"), layer[name], name .. ", lambda 0", dtype == "float32" and 5e-3 or nil)
      end
      for _, buffer in ipairs(layer:buffers()) do
        assert.is_false(buffer.tensor:requires_grad())
      end
    end
  end)

  it("of many features, over many blocks of steps, solves the normal equations", function()
    for _, dtype in ipairs { "float64", "float32" } do
      core.set_default_dtype(dtype)
      local rng = core.rng(1, "data")
      local x, t = rng:normal(3, 431, 390), rng:normal(3, 431, 2)
      local net = nn.Linear(390, 2)
      fit(net, { x = x, y = t }, 5)
      core.set_default_dtype "float64"
      local f = core.cat({ x:to "float64":reshape(3 * 431, 390), core.ones(3 * 431, 1) }, 2)
      local penalty = core.eye(391) * 5
      penalty[{ 391, 391 }] = 0
      local solved = core.linalg.solve(f:t():mm(f) + penalty, f:t():mm(t:to "float64"
        :reshape(3 * 431, 2)))
      local tolerance = dtype == "float32" and 1e-6 or 1e-11
      close(solved:narrow(1, 1, 390), net.weight, "weight", tolerance)
      close(solved:narrow(1, 391, 1):reshape(2), net.bias, "bias", tolerance)
    end
  end)

  it("finds the read-out of any network whose targets it made", function()
    core.set_default_dtype "float64"
    local x = core.rng(1, "data"):normal(4, 60, 2)
    local function check(make)
      nn.set_stream(core.rng(4, "init"), 4)
      local teacher = make()
      local tensors = {}
      for i, parameter in ipairs(teacher:parameters()) do
        tensors[i] = parameter.tensor:detach():clone()
      end
      local y
      core.no_grad(function() y = teacher:forward(x):detach():contiguous() end)
      local list = teacher:parameters()
      for _, parameter in ipairs { list[#list - 1], list[#list] } do -- weight and bias of the read-out
        parameter.tensor:detach():fill(.25)
      end
      fit(teacher, { x = x, y = y }, 1e-12)
      for i, parameter in ipairs(teacher:parameters()) do
        close(tensors[i], parameter.tensor, parameter.name, 1e-6)
      end
    end
    check(function() return nn.Elman(2, 5, 3) end)
    check(function() return nn.LSTM(2, 4, 3) end)
    check(function() return nn.Sequential(nn.GRU(2, 4), nn.Linear(4, 2)) end)
    check(function() return nn.rnn("elman", 2, 4, 2, { bidirectional = true }) end)
    check(function() return nn.Sequential(nn.Reservoir(2, 2, { density = 1 }), nn.Last(), nn.Linear(2, 1)) end)
    check(function() return nn.Sequential(nn.Linear(2, 1)) end)
  end)

  it("teaches a reservoir with feedback by its targets, and lets it run on alone", function()
    core.set_default_dtype "float64"
    local steps, wave = 600, {}
    for t = 1, steps + 1 do
      wave[t] = { .5 * math.sin(.3 * t) }
    end
    local y = core.tensor(wave):unsqueeze(1)
    local layer = nn.Reservoir(1, 60, 1, { feedback = true, radius = .8, leak = .6, input_scale = .1, bias_scale = .2 })
    fit(layer, data.wash({ x = core.ones(1, steps, 1), y = y:narrow(2, 2, steps) }, 50, "train"), 1e-9)
    -- The target of step t is the wave at t + 1. Driven by the targets, then by itself.
    local free = nn.generate(layer, core.ones(1, 300, 1), { steps = 100, targets = y:narrow(2, 2, 300),
      inputs = core.ones(1, 100, 1) })
    local error_ = (free - y:narrow(2, 302, 100)):abs():max():item()
    assert.is_true(error_ < .05, error_)
    refused("inputs are %(1, 3, 1%); expected %(1, 5, 1%)", nn.generate, layer, core.ones(1, 9, 1),
      { steps = 5, inputs = core.ones(1, 3, 1) })
    refused("the targets are %(1, 3, 1%)", nn.generate, layer, core.ones(1, 9, 1), { steps = 5,
      targets = core.ones(1, 3, 1) })
  end)

  it("says what it cannot solve", function()
    local x, y = core.rng(1, "data"):normal(2, 9, 2), core.rng(2, "data"):normal(2, 9, 1)
    local part = { x = x, y = y }
    refused("ridge solves for a linear read.out.*activation", fit, nn.Elman(2, 3, 1, { output = "tanh" }), part, 1)
    refused("activation", fit, nn.LSTM(2, 3, 1, { output = "sigmoid" }), part, 1)
    refused("feeds its own output back", fit, nn.Jordan(2, 3, 1), part, 1)
    refused("feeds its own output back", fit, nn.Reservoir(2, 3, 1, { feedback = true, feed = "own" }), part, 1)
    refused("checkpoint spares it", fit, nn.LSTM(2, 3, 1, { checkpoint = true }), part, 1)
    refused("the last step is taken after it", fit, nn.Elman(2, 3, 1, { last = true }),
      { x = x, y = core.zeros(2, 1) }, 1)
    refused("tied, masked or fixed", fit, nn.Elman(2, 3, 1, { mask = { V = .9 } }), part, 1)
    refused("the prediction is made by", fit, nn.rnn("elman", 2, 1, { layers = 2, residual = true }), part, 1)
    refused("the cell's own output", fit, nn.LSTM(2, 1), part, 1)
    refused("ridge needs a loss that is a sum of squares", fit, nn.Elman(2, 3, 1), part, 1,
      function(out, extra) return core.loss("mae", out, extra.y) end)
    refused("lambda is %-1", fit, nn.Elman(2, 3, 1), part, -1)
    local same = nn.Reservoir(2, 3, 1, { U = { { 1, 1, 1 }, { 1, 1, 1 } }, W = core.zeros(3, 3) })
    refused("too small for these states", fit, same, part, 1e-300)
    fit(same, part, 0) -- of any rank
  end)
end)

describe("washout", function()
  it("masks the first steps, beside what is masked already", function()
    local part = data.wash({ x = core.zeros(2, 4, 1), y = core.zeros(2, 4, 1),
      mask = core.tensor { { 1, 1, 1, 0 }, { 1, 1, 1, 1 } } }, 2, "train")
    assert.same({ { 0, 0, 1, 0 }, { 0, 0, 1, 1 } }, part.mask:tolist())
  end)
  it("needs steps to leave out", function()
    refused("washout=4 leaves nothing of the 4 steps of train", data.wash,
      { x = core.zeros(2, 4, 1), y = core.zeros(2, 4, 1) }, 4, "train")
    refused("val.y has none", data.wash, { x = core.zeros(2, 4, 1), y = core.zeros(2, 1) }, 1, "val")
  end)
end)
