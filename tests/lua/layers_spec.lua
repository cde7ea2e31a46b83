-- Layers made of layers, symbols, free running and cells written in Lua, against PyTorch's vectors and against what
-- they are said to equal.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local cell = require "rnnlab.cell"
local nn = require "rnnlab.nn"

local folder = debug.getinfo(1, "S").source:match "^@(.*)lua/[^/]*$" .. "golden/"

local function golden(name)
  local file = assert(io.open(folder .. name .. ".json"))
  local all = core.json.decode(file:read "a")
  file:close()
  local function tensor(group, key)
    local entry = assert(all[group][key], key)
    local flat = core.tensor(entry.data, "float64")
    return #entry.shape > 0 and flat:view(table.unpack(entry.shape)) or flat
  end
  return setmetatable({ options = all.options, has = function(group, key) return all[group][key] ~= nil end },
    { __call = function(_, group, key) return tensor(group, key) end })
end

local function close(want, got, what)
  local function flat(t) return t:contiguous():view(t:numel()):tolist() end
  local a, b = flat(want), flat(got:detach())
  assert.equal(#a, #b, what)
  for i = 1, #a do
    if not (math.abs(a[i] - b[i]) / (1 + math.abs(a[i])) <= 1e-10) then
      error(("%s[%d] is %.17g, expected %.17g"):format(what, i, b[i], a[i]))
    end
  end
end

-- Weights of a layer from the file, by the name the file has.
local function weights(g, names, suffix)
  local given = {}
  for _, name in ipairs(names) do
    given[name] = g("params", name .. suffix)
  end
  return given
end

local function states(g, layer, names)
  local given = {}
  for _, name in ipairs(names) do
    given[name] = g("inputs", name .. "0"):select(1, layer):contiguous()
  end
  return given
end

-- loss = sse of h + sum of the final states by their cotangents
local function loss_of(g, h, layers, names, lengths)
  local loss = core.loss("sse", h, g("inputs", "target"), { lengths = lengths })
  for _, name in ipairs(names) do
    for i, layer in ipairs(layers) do
      loss = loss + (layer.last_states[name] * g("inputs", "cot_" .. name .. "_n"):select(1, i)):sum()
    end
  end
  return loss
end

describe("layers", function()
  before_each(function()
    core.set_default_dtype "float64"
    nn.set_stream(core.rng(1, "init"))
  end)
  after_each(function() core.set_default_dtype "float32" end)

  it("stacks: a two-layer LSTM as PyTorch's", function()
    local g = golden "stacked_lstm"
    local names = { "weight_ih", "weight_hh", "bias" }
    local layers = {}
    for i, n_in in ipairs { 3, 6 } do
      local options = weights(g, names, "_l" .. i - 1)
      options.state0 = states(g, i, { "h", "c" })
      layers[i] = nn.LSTM(n_in, 6, options)
    end
    local net = nn.Sequential(layers[1], layers[2])
    local h = net:forward(g("inputs", "x"))
    close(g("expected", "h"), h, "h")
    local loss = loss_of(g, h, layers, { "h", "c" })
    close(g("expected", "loss"), loss, "loss")
    loss:backward()
    for i, layer in ipairs(layers) do
      for _, name in ipairs(names) do
        local key = name .. "_l" .. i - 1
        close(g("grads", key), layer[name]:grad(), key)
      end
    end
  end)

  local function bidirectional(case, make, names, state_names)
    local g = golden(case)
    local lengths = g.has("inputs", "lengths") and g("inputs", "lengths") or nil
    local pair = {}
    for i, suffix in ipairs { "_l0", "_l0_reverse" } do
      local options = weights(g, names, suffix)
      options.state0 = states(g, i, state_names)
      pair[i] = make(g.options.input_size, g.options.hidden_size, options)
    end
    local net = nn.Bidirectional(pair[1], pair[2])
    local _ <close> = context.enter { lengths = lengths }
    local h = net:forward(g("inputs", "x"))
    close(g("expected", "h"), h, "h")
    local loss = loss_of(g, h, pair, state_names, lengths)
    close(g("expected", "loss"), loss, "loss")
    loss:backward()
    for i, suffix in ipairs { "_l0", "_l0_reverse" } do
      for _, name in ipairs(names) do
        close(g("grads", name .. suffix), pair[i][name]:grad(), name .. suffix)
      end
    end
  end

  it("run both ways, as PyTorch's", function()
    bidirectional("bidirectional_lstm", nn.LSTM, { "weight_ih", "weight_hh", "bias" }, { "h", "c" })
    bidirectional("bidirectional_gru", nn.GRU, { "weight_ih", "weight_hh", "bias_ih", "bias_hh" }, { "h" })
    bidirectional("masked_bidirectional_lstm", nn.LSTM, { "weight_ih", "weight_hh", "bias" }, { "h", "c" })
  end)

  it("tie an output to an embedding", function()
    local g = golden "char_gru_tied"
    local embedding = nn.Embedding(8, 7, { weight = g("params", "embedding") })
    local options = weights(g, { "weight_ih", "weight_hh", "bias_ih", "bias_hh" }, "")
    options.state0 = g("inputs", "h0")
    local gru = nn.GRU(7, 7, options)
    local net = nn.Sequential(embedding, gru, nn.Linear(7, 8, { tied = embedding, bias = g("params", "bias_o") }))
    local logits = net:forward(g("inputs", "tokens") + 1) -- symbols count from 1 here
    close(g("expected", "logits"), logits, "logits")
    local loss = core.loss("cross_entropy", logits, g("inputs", "target") + 1)
    close(g("expected", "loss"), loss, "loss")
    loss:backward()
    close(g("grads", "embedding"), embedding.weight:grad(), "embedding")
    close(g("grads", "weight_hh"), gru.weight_hh:grad(), "weight_hh")
    assert.has_error(function() net:forward(g("inputs", "tokens") + 8) end)
  end)

  it("generate: outputs as the next inputs", function()
    local g = golden "generate_elman"
    local options = weights(g, { "weight_ih", "weight_hh", "bias", "weight_ho", "bias_o" }, "")
    options.state0 = g("inputs", "h0")
    local net = nn.Elman(4, 7, 4, options)
    -- The file calls generated what follows the first step fed with an output; that output itself comes first here.
    local generated = nn.generate(net, g("inputs", "prefix"), { steps = 13 })
    close(g("expected", "generated"), generated:narrow(2, 2, 12), "generated")
  end)

  it("generate: the most probable symbol, or one drawn", function()
    local g = golden "generate_char_greedy"
    local embedding = nn.Embedding(8, 6, { weight = g("params", "embedding") })
    local options = weights(g, { "weight_ih", "weight_hh", "bias_ih", "bias_hh" }, "")
    options.state0 = g("inputs", "h0")
    local net = nn.Sequential(embedding, nn.GRU(6, 6, options),
      nn.Linear(6, 8, { weight = g("params", "weight_ho"), bias = g("params", "bias_o") }))
    local prefix = g("inputs", "prefix") + 1
    local tokens, logits = nn.generate(net, prefix, { steps = 12, symbols = true })
    close(g("expected", "tokens") + 1, tokens, "tokens")
    close(g("expected", "logits"), logits, "logits")
    local function drawn(seed, temperature)
      return (nn.generate(net, prefix, { steps = 12, symbols = true, rng = core.rng(seed), temperature = temperature }))
    end
    assert.same(drawn(1, 1):tolist(), drawn(1, 1):tolist())
    assert.are_not.same(drawn(1, 1):tolist(), drawn(2, 1):tolist())
    assert.same(tokens:tolist(), drawn(3, 1e-4):tolist()) -- cold: the most probable
    assert.has_error(function() nn.generate(net, prefix, { steps = 0 }) end,
      "generate: steps must be a whole number, at least 1, not 0")
  end)

  it("feed targets back where a teacher is asked for, and their own outputs without one", function()
    local g = golden "jordan_teacher_forced"
    local options = weights(g, { "weight_ih", "weight_oh", "bias", "weight_ho", "bias_o" }, "")
    options.state0, options.output, options.feed = g("inputs", "y0"), "sigmoid", "teacher"
    local net = nn.Jordan(4, 5, 3, options)
    local x, target = g("inputs", "x"), g("inputs", "target")
    do
      local _ <close> = context.enter { training = true, clock = core.tensor({ 0 }, "float64"), extra = { y = target } }
      local y = net:forward(x)
      close(g("expected", "y"), y, "y")
      local loss = core.loss("sse", y, target)
      close(g("expected", "loss"), loss, "loss")
      loss:backward()
      close(g("grads", "weight_oh"), net.weight_oh:grad(), "weight_oh")
    end
    options.feed = nil
    close(nn.Jordan(4, 5, 3, options):forward(x), net:forward(x), "y of its own")
    options.feed = .5 -- scheduled sampling: some outputs of its own, some targets
    local sampled = nn.Jordan(4, 5, 3, options)
    local _ <close> = context.enter { training = true, clock = core.tensor({ 7 }, "float64"), extra = { y = target } }
    local y = sampled:forward(x)
    assert.same(y:tolist(), sampled:forward(x):tolist())
    assert.are_not.same(y:tolist(), net:forward(x):tolist())
    options.feed = 2
    assert.has_error(function() nn.Jordan(4, 5, 3, options) end,
      'jordan layer: feed must be "own", "teacher", or the probability of its own output, not 2')
  end)

  it("drop nothing but while training, and the same at the same step", function()
    local drop, x = nn.Dropout(.5), core.ones(4, 50, 3)
    assert.same(x:tolist(), drop:forward(x):tolist())
    local function dropped(step)
      local _ <close> = context.enter { training = true, clock = core.tensor({ step }, "float64") }
      return drop:forward(x):tolist()
    end
    assert.same(dropped(3), dropped(3))
    assert.are_not.same(dropped(3), dropped(4))
    local kept, n = 0, 0
    for _, sequence in ipairs(dropped(1)) do
      for _, row in ipairs(sequence) do
        for _, value in ipairs(row) do
          assert.is_true(value == 0 or value == 2)
          n, kept = n + 1, kept + (value > 0 and 1 or 0)
        end
      end
    end
    assert.is_true(math.abs(kept / n - .5) < .1)
  end)

  it("begin a forget gate at 1 and gates as matrices of their own", function()
    local lstm = nn.LSTM(3, 4)
    assert.same({ 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0 }, lstm.bias:tolist())
    local w = lstm.weight_hh:detach():narrow(2, 5, 4):contiguous() -- the forget gate's, orthogonal
    close(core.eye(4), w:t():contiguous():mm(w), "W'W")
    assert.same({ 2, 2, 2, 2, 0, 0 }, nn.LSTM(3, 4, { forget_bias = 2 }).bias:narrow(1, 5, 6):tolist())
  end)

  it("make a stack, in both directions, with a read-out on top", function()
    local net = nn.rnn("gru", 3, 4, 2, { layers = 3, bidirectional = true, last = true })
    assert.same({ 5, 2 }, net:forward(core.ones(5, 6, 3)):size())
    local residual = nn.rnn("lstm", 4, 4, 2, { layers = 3, residual = true })
    assert.same({ 5, 6, 2 }, residual:forward(core.ones(5, 6, 4)):size())
  end)
end)

describe("a cell written in Lua", function()
  before_each(function()
    core.set_default_dtype "float64"
    nn.set_stream(core.rng(1, "init"))
  end)
  after_each(function() core.set_default_dtype "float32" end)

  local lstm = cell.new { name = "my lstm", states = { "h", "c" },
    weights = function(n, h) return { U = { n, 4 * h }, W = { h, 4 * h }, b = { 4 * h } } end,
    step = function(w, x, h, c)
      local z, n = x:mm(w.U) + h:mm(w.W) + w.b, h:size(2)
      local i, f = core.sigmoid(z:narrow(2, 1, n)), core.sigmoid(z:narrow(2, n + 1, n))
      local g, o = core.tanh(z:narrow(2, 2 * n + 1, n)), core.sigmoid(z:narrow(2, 3 * n + 1, n))
      local new = f * c + i * g
      return o * core.tanh(new), new
    end }

  it("equals the built-in one, forward and back", function()
    local built_in = nn.LSTM(3, 5)
    local own = nn.Cell(lstm, 3, 5, { U = built_in.weight_ih:detach(), W = built_in.weight_hh:detach(),
      b = built_in.bias:detach() })
    local x, y = core.rng(2):uniform(4, 9, 3), core.rng(3):uniform(4, 9, 5)
    local a, b = core.loss("sse", built_in:forward(x), y), core.loss("sse", own:forward(x), y)
    close(a, b, "loss")
    a:backward()
    b:backward()
    close(built_in.weight_hh:grad(), own.W:grad(), "W")
    close(built_in.weight_ih:grad(), own.U:grad(), "U")
    close(built_in.bias:grad(), own.b:grad(), "b")
  end)

  it("is refused at the line that cannot be traced", function()
    local line = debug.getinfo(1, "l").currentline
    local wrong = {
      { "a value was read", function(_, _, h) if h:tolist()[1][1] > 0 then return h end return -h end },
      { "cannot sum over sequences", function(_, _, h) return h * h:sum() end },
      { "cannot join values", function(w, x, h) return core.cat({ x, h }, 2):mm(w.U) end },
      { "from elsewhere", function(_, _, h) return h + core.ones(2, 4) end },
      { "comparison", function(_, _, h) if h < h then return h end return h end },
    }
    for i, case in ipairs(wrong) do
      local bad = cell.new { weights = function(n, h) return { U = { n, h } } end, step = case[2] }
      local ok, problem = pcall(nn.Cell, bad, 3, 4)
      assert.is_false(ok)
      assert.matches(case[1], problem, 1, true)
      assert.matches(":" .. line + 1 + i .. ": ", problem, 1, true)
    end
  end)

  it("says what is wrong with the cell itself", function()
    local function message(spec)
      local ok, problem = pcall(function() return nn.Cell(cell.new(spec), 3, 4) end)
      assert.is_false(ok)
      return problem
    end
    local function sizes(n, h) return { U = { n, h } } end
    assert.matches("a cell needs the function step", message { weights = sizes }, 1, true)
    assert.matches("did you mean 'weights'", message { weigths = sizes }, 1, true)
    assert.matches("gives 0 values", message { weights = sizes, step = function() end }, 1, true)
    assert.matches("4 features and its new value 3",
      message { weights = sizes, step = function(_, x) return x end }, 1, true)
    assert.matches("expected a tensor", message { weights = sizes, step = function() return 1 end }, 1, true)
  end)
end)
