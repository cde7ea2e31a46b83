-- What must hold for every cell, built in or written in Lua, with every option: gradients in float64, float32 beside
-- float64, a row and a batch of one, padding, stacks and what they are made of, chunks and the whole.
local cell = require "rnnlab.cell"
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local golden = require "golden"
local nn = require "rnnlab.nn"

-- Three states, each of another use.
local own = cell.new { name = "own", states = { "h", "c", "m" },
  weights = function(n, h) return { U = { n, h }, W = { h, h }, b = { h }, P = { n, h }, Q = { h, h } } end,
  step = function(w, x, h, c, m)
    local g = core.sigmoid(x:mm(w.P) + h:mm(w.Q))
    local next_c = g * c + (1 - g) * core.tanh(x:mm(w.U) + h:mm(w.W) + w.b)
    return core.tanh(next_c) + .1 * m, next_c, .5 * m + .5 * next_c * next_c
  end }

-- With the collector running all the time (the sanitizer build) a few cells stand for all.
local few = os.getenv "RNNLAB_TEST_GC" == "aggressive"

local kinds = few and { "elman", "lstm", own }
  or { "elman", "jordan", "lstm", "lstm_peephole", "lstm_layernorm", "lstm97", "gru", "gru_original", "ctrnn",
  "esn", own }
local base = { ctrnn = { alpha = .4 }, esn = { leak = .5, direct = true },
  lstm97 = { block_size = 2, gates_feed_gates = true } }

local function name_of(kind) return type(kind) == "table" and "own" or kind end

local function make(kind, options, outputs)
  nn.set_stream(core.rng(3, "init"), 3)
  local all = {}
  for _, from in ipairs { base[kind] or {}, options or {} } do
    for key, value in pairs(from) do
      all[key] = value
    end
  end
  if outputs == false then all.direct = nil end
  return nn.rnn(kind, 3, 4, outputs ~= false and 2 or nil, all)
end

local function recorder(net)
  return function(x, _, extra)
    local _ <close> = context.enter { training = extra.training, clock = extra.clock, lengths = extra.lengths,
      mask = extra.mask, extra = extra, carry = extra.carry, carried = extra.carried }
    local y = net:forward(x)
    local judged, lengths = y, extra.lengths
    if (extra.loss_from or 0) > 0 then
      judged, lengths = y:narrow(2, extra.loss_from + 1, extra.steps - extra.loss_from), extra.loss_lengths
    end
    return y, core.loss("sse", judged, extra.y, { mask = extra.mask, lengths = judged:dim() == 3 and lengths or nil })
  end
end

local function tensors_of(net)
  local list = {}
  for i, parameter in ipairs(net:parameters()) do
    list[i] = parameter.tensor
  end
  return list
end

local options = {
  plain = {}, last = { last = true }, stack = { layers = 2 }, both_ways = { bidirectional = true, layers = 2 },
  residual = { layers = 3, residual = true }, dropout = { dropout = .3 },
  recurrent_dropout = { recurrent_dropout = .3 }, learned = { state0 = "learned" }, every_third = { checkpoint = 3 },
  every_root = { checkpoint = true }, masked = { mask = .7 }, sigmoid = { activation = "sigmoid" },
  out = { output = "sigmoid" }, small = { regime = "small" }, large = { regime = "large" },
  reference = { regime = "reference" }, noise = { noise = .2 },
  teacher = { feed = "teacher" }, scheduled = { feed = .5 }, orthogonal = { init = "orthogonal" },
  feedback = { feedback = true }, dale = { dale = .5 },
  many = { dropout = .2, recurrent_dropout = .2, state0 = "learned", layers = 2 },
}
-- What a cell has no use for is refused when it is made: the option, and the cells that take it.
local only = { sigmoid = "elman jordan ctrnn esn", noise = "ctrnn esn", teacher = "jordan", scheduled = "jordan",
  feedback = "esn", dale = "elman ctrnn" }
local without = { recurrent_dropout = "jordan own", many = "jordan own", stack = "jordan", both_ways = "jordan",
  residual = "jordan", masked = "own" }

local function takes(kind, option)
  local word = "%f[%w_]" .. name_of(kind) .. "%f[^%w_]"
  if only[option] then return only[option]:find(word) ~= nil end
  return not (without[option] and without[option]:find(word))
end

describe("every cell with every option", function()
  before_each(function() core.set_default_dtype "float64" end)
  after_each(function() core.set_default_dtype "float32" end)

  it("has the gradients that differences say, with lengths and masks, and the forward-mode product", function()
    local checked = 0
    for _, kind in ipairs(kinds) do
      for option, given in pairs(options) do
        local made, net = pcall(make, kind, given)
        local what = name_of(kind) .. ", " .. option
        assert.equal(takes(kind, option), made, what .. ": " .. (made and "was made" or tostring(net)))
        for _, padding in ipairs(made and (few and { "lengths" } or { "none", "lengths", "mask" }) or {}) do
          local rng = core.rng(1, "data")
          local part = { x = rng:normal(3, 7, 3), y = given.last and rng:normal(3, 2) or rng:normal(3, 7, 2) }
          if padding == "lengths" then part.lengths = core.tensor { 7, 2, 5 } end
          if padding == "mask" and not given.last then
            part.mask = core.tensor { { 1, 0, 1, 1, 1, 1, 1 }, { 1, 1, 1, 0, 0, 0, 1 }, { 0, 0, 1, 1, 1, 1, 0 } }
          end
          local report = core.gradcheck { record = recorder(net), params = tensors_of(net), train = part, samples = 3 }
          assert.is_true(report.ok, ("%s, %s: %g"):format(what, padding, report.max_error))
          assert.is_true((report.jvp_error or 0) < 1e-6, what .. ": forward mode")
          checked = checked + 1
        end
      end
    end
    assert.is_true(checked > (few and 30 or 500), checked)
  end)
end)

describe("every cell", function()
  after_each(function() core.set_default_dtype "float32" end)

  local function each(f)
    for _, kind in ipairs(kinds) do
      for _, dtype in ipairs { "float32", "float64" } do
        for _, regime in ipairs { "small", "large" } do
          core.set_default_dtype(dtype)
          f(kind, regime, ("%s, %s, %s"):format(name_of(kind), dtype, regime))
        end
      end
    end
  end

  local function equal(a, b, what)
    assert.is_true(a:detach():contiguous():equal(b:detach():contiguous()), what)
  end

  it("computes in float32 what it computes in float64", function()
    for _, kind in ipairs(kinds) do
      core.set_default_dtype "float64"
      local net = make(kind)
      local x = core.rng(1, "data"):normal(3, 9, 3)
      local want = net:forward(x)
      local weights = {}
      for i, tensor in ipairs(tensors_of(net)) do
        weights[i] = tensor
      end
      for _, buffer in ipairs(net:buffers()) do
        weights[#weights + 1] = buffer.tensor
      end
      core.set_default_dtype "float32"
      local single = make(kind)
      local all = tensors_of(single)
      for _, buffer in ipairs(single:buffers()) do
        all[#all + 1] = buffer.tensor
      end
      for i, tensor in ipairs(all) do
        tensor:detach():copy(weights[i]:detach())
      end
      golden.close(want:detach(), single:forward(x:float()):detach():double(), name_of(kind), 2e-5)
    end
  end)

  it("gives a sequence alone the bits it has in a batch", function()
    each(function(kind, regime, what)
      local net = make(kind, { regime = regime })
      local x = core.rng(1, "data"):normal(5, 6, 3)
      local y = net:forward(x)
      for b = 1, 5 do
        equal(y:narrow(1, b, 1), net:forward(x:narrow(1, b, 1):contiguous()), what)
      end
    end)
  end)

  it("does not look at padding", function()
    each(function(kind, regime, what)
      local net = make(kind, { regime = regime }, kind == "jordan")
      local x, lengths = core.rng(1, "data"):normal(3, 6, 3), { 6, 1, 4 }
      local spoilt = x:clone()
      for b, n in ipairs(lengths) do
        if n < 6 then spoilt:select(1, b):narrow(1, n + 1, 6 - n):fill(1e9) end
      end
      local y, last
      do
        local _ <close> = context.enter { lengths = core.tensor(lengths) }
        net:unroll("plain", { spoilt }, {}, 3, false)
        y, last = net.seen.y or net.seen.h, net.last_states
      end
      assert.truthy(y, what)
      for b, n in ipairs(lengths) do
        net:unroll("plain", { x:narrow(1, b, 1):narrow(2, 1, n):contiguous() }, {}, 1, false)
        equal(y:narrow(1, b, 1):narrow(2, 1, n), net.seen.y or net.seen.h, what)
        for name, state in pairs(net.last_states) do
          equal(last[name]:narrow(1, b, 1), state, what .. ", final " .. name)
        end
      end
    end)
  end)

  it("stacks as two layers by hand", function()
    each(function(kind, regime, what)
      if kind == "jordan" then return end
      local net = make(kind, { regime = regime, layers = 2 })
      local function layer(i, n_in, outputs)
        local given = { regime = regime }
        for key, value in pairs(base[kind] or {}) do
          if outputs or key ~= "direct" then given[key] = value end
        end
        for _, list in ipairs { net:parameters(), net:buffers() } do
          for _, entry in ipairs(list) do
            local at, name = entry.name:match "^(%d+)%.(.*)$"
            if tonumber(at) == i then given[name] = entry.tensor:detach() end
          end
        end
        if type(kind) == "table" then return nn.Cell(kind, n_in, 4, given) end
        return nn.cells[kind](n_in, 4, outputs, given)
      end
      local x = core.rng(1, "data"):normal(3, 6, 3)
      if type(kind) == "table" then return end -- its read-out is a layer of its own: below
      equal(net:forward(x), layer(2, 4, 2):forward(layer(1, 3):forward(x)), what)
    end)
    local net = nn.Sequential(nn.Cell(own, 3, 4), nn.Cell(own, 4, 2))
    local x = core.rng(1, "data"):normal(3, 6, 3)
    equal(net:forward(x), net.layers[2]:forward(net.layers[1]:forward(x)), "own")
  end)

  it("of many units trains on two threads to the bits it gets on one", function()
    for _, kind in ipairs(kinds) do
      local function trained(threads, regime)
        nn.set_stream(core.rng(3, "init"), 3)
        local net = nn.rnn(kind, 5, 66, 2, { regime = regime, block_size = kind == "lstm97" and 2 or nil,
          alpha = kind == "ctrnn" and .4 or nil })
        local rng = core.rng(1, "data")
        local trainer = core.trainer { record = recorder(net), params = tensors_of(net), threads = threads,
          train = { x = rng:normal(21, 6, 5), y = rng:normal(21, 6, 2) }, optimizer = { kind = "sgd", lr = 1e-3 } }
        trainer:run(3)
        return tensors_of(net), trainer:losses()
      end
      local one, losses = trained(1)
      for _, more in ipairs { { 2 }, { 3 }, { 2, "large" } } do
        local two, more_losses = trained(more[1], more[2])
        assert.same(losses, more_losses, name_of(kind))
        for i, tensor in ipairs(one) do
          equal(tensor, two[i], ("%s, %d threads"):format(name_of(kind), more[1]))
        end
      end
    end
  end)

  it("carries its states from chunk to chunk, whatever k1 and k2", function()
    each(function(kind, regime, what)
      local net = make(kind, { regime = regime, state0 = "learned" })
      local rng = core.rng(1, "data")
      local part = { x = rng:normal(3, 11, 3), y = rng:normal(3, 11, 2), lengths = core.tensor { 11, 4, 9 } }
      local function loss(k1, k2)
        local trainer = core.trainer { record = recorder(net), params = tensors_of(net), train = part, k1 = k1, k2 = k2,
          optimizer = { kind = "sgd", lr = 0 } }
        trainer:run(1)
        return trainer:losses()[1]
      end
      local whole = loss()
      for _, k in ipairs { { 3 }, { 3, 6 }, { 4, 7 }, { 1, 5 }, { 20 } } do
        assert.near(whole, loss(k[1], k[2]), 1e-4 * whole, ("%s, k1 = %d, k2 = %s"):format(what, k[1], tostring(k[2])))
      end
    end)
  end)
end)

describe("a cell written in Lua", function()
  it("has states of any names, the first being its output", function()
    local swapped = cell.new { states = { "c", "h" }, weights = function(n, h) return { U = { n, h } } end,
      step = function(w, x, c, h) return .5 * c + x:mm(w.U), core.tanh(c) * h + 1 end }
    local layer = nn.Cell(swapped, 3, 4)
    local y = layer:forward(core.ones(1, 3, 3))
    assert.is_true(y:equal(layer.seen.c))
    assert.is_false(y:equal(layer.seen.h))
    assert.is_true(layer.last_states.h:equal(layer.seen.h:select(2, 3)))
    local twice = cell.new { states = { "h", "h" }, weights = function(n, h) return { U = { n, h } } end,
      step = function(w, x, a, b) return x:mm(w.U) + b, a end }
    local ok, why = pcall(nn.Cell, twice, 3, 4)
    assert.is_false(ok)
    assert.matches("two of its states or outputs are called h", why)
  end)

  it("has dropout of its input, and says what it has not", function()
    local layer = nn.Cell(own, 3, 4, { dropout = .5 })
    local x = core.ones(2, 3, 3)
    local _ <close> = context.enter { training = true, clock = core.zeros(1, "float64") }
    local dropped = layer:forward(x):detach()
    layer.dropout = nil
    assert.is_false(dropped:equal(layer:forward(x):detach()))
    local ok, why = pcall(nn.Cell, own, 3, 4, { recurrent_dropout = .5 })
    assert.is_false(ok)
    assert.matches("own layer: recurrent_dropout does not know", why)
  end)
end)
