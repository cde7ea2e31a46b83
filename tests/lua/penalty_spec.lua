-- Penalties and input noise: their values by hand, what they refuse.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local nn = require "rnnlab.nn"
local penalty = require "rnnlab.penalty"

local function refused(pattern, f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(why):find(pattern), tostring(why))
end

local function parse(given) return penalty.parse({ penalty = given }, {}) end

local function sum_over(tensors, f)
  local total = 0
  for _, tensor in ipairs(tensors) do
    for _, v in ipairs(tensor:detach():contiguous():view(tensor:numel()):tolist()) do
      total = total + f(v)
    end
  end
  return total
end

describe("a penalty", function()
  before_each(function()
    core.set_default_dtype "float64"
    nn.set_stream(core.rng(1, "init"), 1)
  end)
  after_each(function() core.set_default_dtype "float32" end)
  local function square(v) return v * v end

  it("sums over matrices, over all parameters, or over those named", function()
    local net = nn.rnn("lstm", 2, 3, 1, { layers = 2 })
    local by_name = {}
    for _, parameter in ipairs(net:parameters()) do
      by_name[parameter.name] = parameter.tensor
    end
    local function check(weights, names)
      local tensors = {}
      for i, name in ipairs(names) do
        tensors[i] = by_name[name]
      end
      local want = .1 * sum_over(tensors, math.abs) + .01 * sum_over(tensors, square)
      assert.near(want, penalty.of(parse { l1 = .1, l2 = .01, weights = weights }, net):item(), 1e-12)
    end
    check(nil, { "1.weight_ih", "1.weight_hh", "2.weight_ih", "2.weight_hh", "2.weight_ho" })
    check("all", { "1.weight_ih", "1.weight_hh", "1.bias", "2.weight_ih", "2.weight_hh", "2.bias", "2.weight_ho",
      "2.bias_o" })
    check({ "weight_hh", "2.bias_o" }, { "1.weight_hh", "2.weight_hh", "2.bias_o" })
    check("2.weight_ih", { "2.weight_ih" })
  end)

  it("of activity is the mean over the steps that count", function()
    local layer = nn.Elman(2, 3, 1)
    local x = core.rng(1, "data"):normal(2, 4, 2)
    local made = parse { activity = { l1 = .3, l2 = .2 } }
    layer:forward(x)
    local want = (.3 * sum_over({ layer.h }, math.abs) + .2 * sum_over({ layer.h }, square)) / 8
    assert.near(want, penalty.of(made, layer):item(), 1e-12)

    local mask = core.tensor { { 1, 0, 1, 1 }, { 1, 1, 1, 1 } }
    local _ <close> = context.enter { lengths = core.tensor { 4, 2 }, mask = mask }
    layer:forward(x)
    local rows = {}
    for _, at in ipairs { { 1, 1 }, { 1, 3 }, { 1, 4 }, { 2, 1 }, { 2, 2 } } do
      rows[#rows + 1] = layer.h:select(1, at[1]):select(1, at[2])
    end
    want = (.3 * sum_over(rows, math.abs) + .2 * sum_over(rows, square)) / 5
    assert.near(want, penalty.of(made, layer):item(), 1e-12)
  end)

  it("of nothing is none, and a function of the parameters gives one", function()
    assert.is_nil(penalty.parse({}, {}))
    assert.is_nil(parse { l1 = 0, activity = 0 })
    local made = penalty.parse({ penalty = function(p) return { l2 = p.decay } end }, { decay = .5 })
    assert.equal(.5, made.l2)
  end)

  it("says what is wrong", function()
    refused("penalty has no 'l3'; did you mean 'l1'", parse, { l3 = 1 })
    refused("penalty: l1 must be a number of at least 0, not %-1", parse, { l1 = -1 })
    refused("penalty: activity must be a number", parse, { activity = "h" })
    refused("activity has no 'l4'", parse, { activity = { l4 = 1 } })
    refused("penalty must be a table, not a string", penalty.parse, { penalty = function() return "l2" end }, {})
    refused("weights must be names", parse, { l1 = 1, weights = 3 })
    local layer = nn.Elman(2, 3, 1)
    refused("no weight 'weight_hx'; did you mean 'weight_hh'", penalty.of, parse { l1 = 1, weights = "weight_hx" },
      layer)
    local spare = nn.LSTM(2, 3, 1, { checkpoint = true })
    spare:forward(core.zeros(1, 4, 2))
    refused("keeps no hidden states; checkpoint", penalty.of, parse { activity = 1 }, spare)
    refused("the network has none", penalty.of, parse { activity = 1 }, nn.Sequential(nn.Linear(2, 1)))
  end)
end)

describe("input noise", function()
  it("is drawn anew each step and of the deviation asked for", function()
    local clock, x = core.zeros(1, "float64"), core.zeros(20, 50, 3)
    local _ <close> = context.enter { training = true, clock = clock }
    local first = penalty.noisy(x, .5, 1)
    assert.near(.5, first:std():item(), .02)
    assert.is_true(first:equal(penalty.noisy(x, .5, 1)))
    clock:fill(1)
    assert.is_false(first:equal(penalty.noisy(x, .5, 1)))
    assert.is_false(first:equal(penalty.noisy(x, .5, 2)))
    refused("symbols", penalty.noisy, core.zeros(2, 3), .5, 1)
  end)
  it("is a number", function()
    refused("input_noise must be a number", penalty.input_noise, { input_noise = -1 }, {})
    assert.is_nil(penalty.input_noise({ input_noise = 0 }, {}))
    assert.equal(.2, penalty.input_noise({}, { input_noise = .2 }))
  end)
end)
