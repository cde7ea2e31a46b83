-- Layers: shapes, names, given and drawn weights, composition, and what wrong options are answered with.
local core = require "rnnlab.core"
local nn = require "rnnlab.nn"

local function message(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok)
  return type(problem) == "table" and problem.message or problem
end

local function sizes(tensor)
  local list = {}
  for d = 1, tensor:dim() do
    list[d] = tensor:size(d)
  end
  return list
end

describe("rnnlab.nn", function()
  before_each(function()
    core.set_default_dtype "float64"
    nn.set_stream(core.rng(1, "init"))
  end)
  after_each(function() core.set_default_dtype "float32" end)

  it("makes Elman and Jordan with the tutorial's shapes", function()
    local net = nn.rnn("elman", 3, 5, 2)
    local names = {}
    for i, parameter in ipairs(net:parameters()) do
      names[i] = parameter.name
      assert.is_true(parameter.tensor:requires_grad())
    end
    assert.same({ "weight_ih", "weight_hh", "bias", "weight_ho", "bias_o" }, names)
    assert.equal(57, net:count())
    assert.equal("elman 3-5-2", net:describe())
    assert.same({ 2, 5 }, sizes(nn.rnn("jordan", 3, 5, 2).weight_oh))
    assert.same({ 8, 4, 2 }, sizes(net:forward(core.zeros(8, 4, 3))))
    assert.same({ 8, 4, 5 }, sizes(net.h))
    assert.same({ 8, 4, 5 }, sizes(nn.Elman(3, 5):forward(core.zeros(8, 4, 3))))
  end)

  it("computes the tutorial's forward pass from given weights", function()
    local net = nn.rnn("elman", 3, 2, 1, { output = "sigmoid", U = { { -1, .5 }, { .5, .1 }, { .2, -2 } },
      W = { { 2, 1.3 }, { 1.5, 0 } }, b = { .2, .2 }, V = { { 2 }, { -1.5 } }, c = .5 })
    local y = net:forward(core.tensor { { { 1, 2, -1 }, { -1, 1, -2 }, { 0, 3, 1 }, { 2, -1, 0 } } }):tolist()[1]
    local expected = { .27, .73, .94, .11 }
    for t = 1, 4 do
      assert.near(expected[t], y[t][1], .005)
    end
  end)

  it("draws the same weights from the same stream, others from another", function()
    local a = nn.rnn("elman", 3, 5, 2)
    nn.set_stream(core.rng(1, "init"))
    local b = nn.rnn("elman", 3, 5, 2)
    nn.set_stream(core.rng(2, "init"))
    local c = nn.rnn("elman", 3, 5, 2)
    assert.same(a.weight_hh:tolist(), b.weight_hh:tolist())
    assert.not_same(a.weight_hh:tolist(), c.weight_hh:tolist())
    assert.same({ 0, 0, 0, 0, 0 }, nn.rnn("elman", 3, 5, 2, { init = "zeros" }).bias:tolist())
  end)

  it("draws by the inits asked for, for all matrices or one by one", function()
    local net = nn.rnn("elman", 3, 4, 2, { init = { W = "zeros", weight_ih = { kind = "constant", value = .5 },
      b = { kind = "constant", value = 2 } } })
    assert.same({ { .5, .5, .5, .5 }, { .5, .5, .5, .5 }, { .5, .5, .5, .5 } }, net.weight_ih:tolist())
    assert.same({ 0, 0, 0, 0 }, net.weight_hh:tolist()[1])
    assert.same({ 2, 2, 2, 2 }, net.bias:tolist())
    local w = nn.rnn("elman", 3, 4, 2, { init = { W = "orthogonal" } }).weight_hh
    local product = w:mm(w:t()):tolist()
    for i = 1, 4 do
      for j = 1, 4 do
        assert.near(i == j and 1 or 0, product[i][j], 1e-12)
      end
    end
  end)

  it("keeps given weights through initialise", function()
    local net = nn.rnn("elman", 1, 1, 1, { U = { { 7 } } })
    net:initialise(core.rng(3, "init"))
    assert.same({ { 7 } }, net.weight_ih:tolist())
  end)

  it("has an initial state given, learned or zero", function()
    local net = nn.Elman(1, 2, { W = { { 1, 0 }, { 0, 1 } }, U = { { 0, 0 } }, b = { 0, 0 }, activation = "linear",
      state0 = { 3, 4 } })
    assert.same({ { { 3, 4 } } }, net:forward(core.zeros(1, 1, 1)):tolist())
    local learned = nn.rnn("jordan", 1, 2, 3, { state0 = "learned" })
    assert.same({ 3 }, sizes(learned.state0))
    assert.equal("state0", learned:parameters()[6].name)
    assert.matches("state0 is %(3%); it must be %(2%) or %(batch, 2%)",
      message(nn.Elman, 1, 2, { state0 = { 1, 2, 3 } }))
  end)

  it("composes layers and names their parameters by place", function()
    local net = nn.Sequential():add(nn.Elman(2, 6)):add(nn.Linear(6, 2, { activation = "sigmoid" }))
    assert.equal("elman 2-6 + linear 6-2", net:describe())
    assert.equal("2.weight", net:parameters()[4].name)
    assert.equal(12 + 36 + 6 + 12 + 2, net:count())
    assert.same({ 3, 4, 2 }, sizes(net:forward(core.zeros(3, 4, 2))))
    assert.equal("Sequential: layer 1 (elman 2-6) gives 6 features, layer 2 (linear 5-2) takes 5",
      message(nn.Sequential, nn.Elman(2, 6), nn.Linear(5, 2)))
  end)

  it("answers wrong options by layer, key and shapes", function()
    assert.equal("elman layer: there is no option 'ouput'; did you mean 'output'? (known: U, V, W, "
      .. "activation, b, bias, bias_o, c, checkpoint, dale, dropout, init, last, mask, name, output, "
      .. "recurrent_dropout, regime, state0, stateful, weight_hh, weight_ho, weight_ih)",
      message(nn.rnn, "elman", 3, 2, 1, { ouput = "sigmoid" }))
    assert.equal("elman layer 'first': W (weight_hh) is (1, 2); 2 hidden units fed back to 2 hidden units need (2, 2)",
      message(nn.rnn, "elman", 3, 2, 1, { name = "first", W = { { 1, 2 } } }))
    assert.matches("activation 'tahn' is not known; did you mean 'tanh'", message(nn.rnn, "elman", 3, 2, 1,
      { activation = "tahn" }))
    assert.matches("init 'xavier' is not known", message(nn.rnn, "elman", 3, 2, 1, { init = "xavier" }))
    assert.matches("cell 'lstn' is not known; did you mean 'lstm'%? %(there is ctrnn, elman, esn, gru, ",
      message(nn.rnn, "lstn", 3, 2, 1))
    assert.matches("the number of hidden units must be a whole number, at least 1, not 2.5",
      message(nn.rnn, "elman", 3, 2.5, 1))
    assert.matches("Jordan feeds the output back", message(nn.Jordan, 3, 2))
  end)
end)
