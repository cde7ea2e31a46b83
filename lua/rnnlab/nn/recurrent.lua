-- rnnlab.nn.recurrent owns the recurrent layers: a cell, run over the whole sequence by one op, with its read-out.
--
-- A layer's weights are row-vector weights, as the tutorial's: h(t) = phi(x(t) U + h(t-1) W + b),
-- y(t) = sigma(h(t) V + c). Jordan has y(t-1) W in place of h(t-1) W. Elman, Jordan and the leaky network accept the
-- tutorial's letters beside the full names wherever weights are given:
--     U weight_ih (inputs, hidden)     W weight_hh (hidden, hidden), Jordan: weight_oh (outputs, hidden)
--     b bias (hidden)                  V weight_ho (hidden, outputs)             c bias_o (outputs)
-- Gates lie side by side in the columns: lstm i|f|g|o, gru r|z|n, lstm97 in|cell|out.
--
-- How weights begin: elman and jordan by Glorot's uniform, which of six ways tried on the tutorial's question 2 over 60
-- seeds ended lowest (median .87, upper quartile 1.1; an orthogonal W had .95 and 2.1, PyTorch's uniform .99 and 2.2);
-- gated cells as in Keras: Glorot for what comes from below, orthogonal for what is fed back, gate by gate; biases at
-- zero, but a forget gate's at 1; a reservoir's (esn) stand in reservoir.lua, since they stay as they are drawn.
local constraints = require "rnnlab.nn.constraints"
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local module = require "rnnlab.nn.module"
local params = require "rnnlab.params"
local reservoir = require "rnnlab.nn.reservoir"
local text = require "rnnlab.text"

local complain, one_of = module.complain, module.one_of

local recurrent = {}

local Recurrent = module.class()

local letters = { weight_ih = "U", weight_hh = "W", weight_oh = "W", bias = "b", weight_ho = "V", bias_o = "c" }

-- What is particular to a kind: gates in its matrices, which of them is the forget gate, the cell it is built of, its
-- own options (passed on to the cell under the same names).
local kinds = {
  elman = { gates = 1, letters = true, recurrent_init = "glorot", activation = true, simple = true, dale = true },
  jordan = { gates = 1, letters = true, recurrent_init = "glorot", activation = true, simple = true, feedback = true },
  lstm = { gates = 4, forget = 2 },
  lstm_peephole = { gates = 4, forget = 2 },
  lstm_layernorm = { gates = 4, forget = 2 },
  lstm97 = { gates = 1, options = { block_size = true, gates_feed_gates = true, truncated = true } },
  gru = { gates = 3 },
  gru_original = { gates = 3 },
  ctrnn = { gates = 1, letters = true, activation = true, dale = true,
    options = { alpha = true, noise = true }, extra = { tau = true, dt = true } },
  esn = { gates = 1, letters = true, activation = true, options = { feedback = true, direct = true, noise = true },
    extra = reservoir.options, weight = reservoir.weight },
}
recurrent.kinds = kinds

-- ---- making -------------------------------------------------------------------------------------

-- The initial states: "zero", "learned", the values of the first state, or a table of values by the states' names.
-- Learned ones become weights: state0, and state0_c and so on for the states after the first.
local function initial_states(layer, value, states)
  layer.states0 = {}
  if value == nil or value == "zero" then return end
  for i, state in ipairs(states) do
    local field = i == 1 and "state0" or "state0_" .. state.name
    local own = value
    if type(value) == "table" and value[state.name] ~= nil then own = value[state.name]
    elseif value ~= "learned" and i > 1 then own = nil end
    if own == "learned" then
      layer.weights[#layer.weights + 1] = { field = field, sizes = { state.size }, init = "zeros", learned_state = true,
        because = text.count(state.size, "unit") }
      layer.learned[state.name] = field
    elseif own ~= nil then
      if type(own) ~= "table" and type(own) ~= "userdata" then
        complain(layer, 'state0 must be "zero", "learned", or the values, not %s', tostring(own))
      end
      local tensor = core.tensor(own, core.default_dtype())
      local sizes = tensor:size()
      if sizes[#sizes] ~= state.size or #sizes > 2 or #sizes < 1 then
        complain(layer, "state0 is %s; it must be (%d) or (batch, %d)", text.shape(sizes), state.size, state.size)
      end
      layer.states0[state.name] = tensor
    end
  end
end

-- How a weight of this name begins.
local function init_of(spec, name, sizes)
  if #sizes == 2 then
    if name ~= "weight_hh" then return "glorot" end
    return spec.recurrent_init or (sizes[1] == sizes[2] // spec.gates and "orthogonal" or "glorot")
  end
  if name:match "^gain" then return { kind = "constant", value = 1 } end
  return "zeros"
end

local function describe_sizes(layer, name)
  local inputs, hidden = text.count(layer.n_in, "input"), text.count(layer.n_hidden, "hidden unit")
  local outputs = layer.n_out and text.count(layer.n_out, "output")
  local because = {
    weight_ih = inputs .. " and " .. hidden, weight_hh = hidden .. " fed back to " .. hidden,
    weight_oh = outputs and outputs .. " fed back to " .. hidden, weight_ho = outputs and hidden .. " and " .. outputs,
    weight_io = outputs and inputs .. " and " .. outputs,
    bias_o = outputs, bias = hidden,
  }
  return because[name] or hidden
end

-- The weights of the layer's cell, in its order.
local function weights_of(layer, spec, list, forget_bias)
  layer.weights = {}
  for _, weight in ipairs(list) do
    if weight.name == "expand" then -- 1 where the cell (column) is in the block (row): no weight, but given as one
      local blocks, cells = weight.sizes[1], weight.sizes[2]
      layer.expand = core.zeros(blocks, cells)
      for cell = 1, cells do
        layer.expand[{ (cell - 1) // (cells // blocks) + 1, cell }] = 1
      end
      goto continue
    end
    local start
    if weight.name == "bias" and spec.forget and forget_bias ~= 0 then
      local width = weight.sizes[1] // spec.gates
      start = function(bias) bias:narrow(1, (spec.forget - 1) * width + 1, width):fill(forget_bias) end
    end
    layer.weights[#layer.weights + 1] = {
      field = weight.name, letter = spec.letters and letters[weight.name] or nil, sizes = weight.sizes,
      init = init_of(spec, weight.name, weight.sizes), start = start, because = describe_sizes(layer, weight.name),
      blocks = (weight.name == "weight_ih" or weight.name == "weight_hh") and spec.gates or 1,
    }
    if spec.weight then spec.weight(layer, layer.weights[#layer.weights]) end
    ::continue::
  end
end

local common = { "output", "state0", "stateful", "last", "regime", "checkpoint", "dropout", "recurrent_dropout",
  "forget_bias", "activation", "feed", "mask", "dale" }

local function known_options(spec)
  local known = {}
  for _, key in ipairs(common) do
    known[key] = true
  end
  if not spec.forget then known.forget_bias = nil end
  if not spec.activation then known.activation = nil end
  if not spec.feedback and not (spec.options and spec.options.feedback) then known.feed = nil end
  if not spec.dale then known.dale = nil end
  if spec.feedback then known.recurrent_dropout = nil end -- no hidden state is fed back
  for _, more in ipairs { spec.options or {}, spec.extra or {} } do
    for key in pairs(more) do
      known[key] = true
    end
  end
  return known
end

-- own: "own" (the outputs of the step before), "teacher" (the targets), or the probability of the layer's own output
-- at a step (scheduled sampling, Bengio et al. 2015).
local function feed_of(layer, value)
  if value == nil or value == "own" or value == 1 then return nil end
  if value == "teacher" or value == 0 then return 0 end
  if type(value) == "number" and value > 0 and value < 1 then return value end
  complain(layer, 'feed must be "own", "teacher", or the probability of its own output, not %s', tostring(value))
end

-- ctrnn: alpha, or the time constant and the step it is taken in, alpha = dt / tau.
local function leak_of(layer, options)
  local tau, dt = options.tau, options.dt
  if tau == nil and dt == nil then return end
  if tau == nil then complain(layer, "dt is given without tau, the time constant it is a step of") end
  if options.alpha ~= nil then complain(layer, "alpha is dt / tau; give one or the other") end
  dt = dt or 1
  for name, value in pairs { tau = tau, dt = dt } do
    if type(value) ~= "number" or not (value > 0) or value == math.huge then
      complain(layer, "%s must be a number above 0, not %s", name, tostring(value))
    end
  end
  if dt > tau then complain(layer, "dt = %g is larger than tau = %g; a step is at most the time constant", dt, tau) end
  layer.cell_options.alpha = dt / tau
end

local function new_layer(kind, spec, n_in, n_hidden, n_out, options)
  if type(n_out) == "table" and options == nil then
    n_out, options = nil, n_out
  end
  options = options or {}
  local layer = setmetatable({ kind = kind, name = type(options) == "table" and options.name or nil, spec = spec,
    programs = {}, learned = {} }, Recurrent)
  if type(options) ~= "table" then
    complain(layer, "options must be a table, not a %s", type(options))
  end
  layer.n_in = params.integer(n_in, "the number of inputs", 1)
  layer.n_hidden = params.integer(n_hidden, "the number of hidden units", 1)
  if n_out ~= nil then
    layer.n_out = params.integer(n_out, "the number of outputs", 1)
  elseif spec.feedback then
    complain(layer, "the number of outputs is missing: Jordan feeds the output back")
  end
  layer.activation = one_of(layer, options.activation or "tanh", module.activations, "activation")
  layer.output = one_of(layer, options.output or "linear", module.activations, "output")
  layer.regime, layer.checkpoint = options.regime, options.checkpoint == true and -1 or options.checkpoint
  layer.stateful, layer.last = options.stateful == true, options.last == true
  layer.dropout = module.fraction(layer, options, "dropout")
  layer.recurrent_dropout = module.fraction(layer, options, "recurrent_dropout")
  layer.feed = feed_of(layer, options.feed)
  layer.cell_options = {}
  for key in pairs(spec.options or {}) do
    layer.cell_options[key] = options[key]
  end
  if layer.cell_options.noise == 0 then layer.cell_options.noise = nil end
  if kind == "ctrnn" then leak_of(layer, options) end
  if kind == "esn" then reservoir.read(layer, options) end
  layer.seed, layer.index = module.seed, module.random_index()
  return layer, options
end

local function finish(layer, spec, options)
  local program = layer:program "plain"
  layer.feedback = spec.feedback and "weight_oh" or "weight_hh"
  weights_of(layer, spec, program:weights(), options.forget_bias or 1)
  initial_states(layer, options.state0, program:states())
  local known = known_options(spec)
  if known.dale then constraints.read(layer, options) else constraints.read(layer, { mask = options.mask }) end
  module.make_weights(layer, options, known)
  constraints.check(layer)
  return layer
end

local function make(kind, n_in, n_hidden, n_out, options)
  local spec = kinds[kind]
  local layer
  layer, options = new_layer(kind, spec, n_in, n_hidden, n_out, options)
  return finish(layer, spec, options)
end

-- ---- programs -----------------------------------------------------------------------------------

-- The layer's cell as a program. Each word of the variant's name adds an input or an output: "dropout" and
-- "recurrent_dropout" the masks, "forced" and "blended" what is fed back, "noise" the state noise, "inspected" every
-- state and gate as an output. The weights are the same in all.
function Recurrent:program(variant)
  local program = self.programs[variant]
  if program then return program end
  if self.traced then
    program = self.traced:program(self.n_in, self.n_hidden)
  else
    local options = { input_size = self.n_in, hidden_size = self.n_hidden, output_size = self.n_out,
      activation = self.spec.activation and self.activation or nil,
      output_activation = self.n_out and self.output or nil }
    for key, value in pairs(self.cell_options) do
      options[key] = value
    end
    for word in variant:gmatch "%S+" do
      if word ~= "plain" then options[word] = true end
    end
    program = core.cell(self.kind, options)
  end
  self.programs[variant] = program
  return program
end

-- ---- the forward pass ---------------------------------------------------------------------------

-- The state to begin from, by its name; nil: zero.
function Recurrent:initial(state, batch)
  local own = self.learned[state.name] and self[self.learned[state.name]] or self.states0[state.name]
  if context.carry and not self.reversed then
    return context.carry(self:state_name(state), batch, state.size, own)
  end
  return own
end

-- What a carried state is called, unlike that of any other layer.
function Recurrent:state_name(state)
  return ("%s#%d.%s"):format(self.name or self.kind, self.index, state.name)
end

-- What is fed back after each step, (batch, time, outputs): the step's own target. In a chunk that goes back further
-- than the loss does, the targets of its earlier steps are those "before" its later ones.
local function targets_fed(layer, x)
  local y, before = context.extra and context.extra.y, context.extra and context.extra.y_before
  if y == nil then
    complain(layer, 'feed = "teacher" needs the targets; a forward pass without them has to feed its own outputs back')
  end
  local steps = x:size(2)
  if before and y:dim() == 3 and before:size(2) == steps then
    local last = y:narrow(2, y:size(2), 1)
    y = steps > 1 and core.cat({ before:narrow(2, 2, steps - 1), last }, 2) or last
  end
  local sizes = y:size()
  if #sizes ~= 3 or sizes[2] ~= steps or sizes[3] ~= layer.n_out then
    complain(layer, "feed: the targets are %s; the outputs fed back are (batch, %d, %d)", text.shape(sizes), steps,
      layer.n_out)
  end
  return y
end

-- The words of the variant, the extra input sequences and the rows that this pass needs.
local function plan_pass(layer, x)
  local words, sequences, rows = {}, { x }, {}
  local batch = x:size(1)
  local function keep(p, size, offset)
    return core.noise("keep", context.clock, { batch, size },
      { p = p, seed = layer.seed, index = layer.index * 8 + offset })
  end
  if context.training and layer.dropout and layer.traced then -- the cell has no room for a mask; its input has
    sequences[1] = x * keep(layer.dropout, layer.n_in, 0):unsqueeze(2)
  elseif context.training and layer.dropout then
    words[#words + 1], rows[#rows + 1] = "dropout", keep(layer.dropout, layer.n_in, 0)
  end
  if context.training and layer.recurrent_dropout then
    words[#words + 1], rows[#rows + 1] = "recurrent_dropout", keep(layer.recurrent_dropout, layer.n_hidden, 1)
  end
  if layer.feed and (context.training or context.teacher) then
    sequences[#sequences + 1] = targets_fed(layer, x)
    if layer.feed == 0 then
      words[#words + 1] = "forced"
    else -- 1 where the target is fed back
      words[#words + 1] = "blended"
      local own = core.noise("keep", context.clock, { batch, x:size(2), 1 }, { p = layer.feed, seed = layer.seed,
        index = layer.index * 8 + 2 })
      sequences[#sequences + 1] = own * (1 - layer.feed)
    end
  end
  if layer.cell_options.noise then
    words[#words + 1] = "noise"
    sequences[#sequences + 1] = context.training
        and core.noise("normal", context.clock, { batch, x:size(2), layer.n_hidden },
          { std = layer.cell_options.noise, seed = layer.seed, index = layer.index * 8 + 3 })
      or core.zeros(batch, x:size(2), layer.n_hidden)
  end
  if layer.checkpoint and layer.n_out then words[#words + 1] = "lean" end -- not to hold every state after all
  if context.inspect then words[#words + 1] = "inspected"
  elseif context.carry and context.extra and context.extra.hand_on ~= context.extra.steps then
    words[#words + 1] = "states" -- one inside the sequence is to be handed on
  end
  return #words > 0 and table.concat(words, " ") or "plain", sequences, rows
end

-- A weight as the cell computes with it: see constraints.lua.
function Recurrent:effective(field)
  return constraints.effective(self, field)
end

-- Elman and Jordan without anything special have an op of their own, the quickest for small nets; is this one of them?
local function is_simple(layer)
  if not layer.spec.simple or layer.checkpoint or layer.regime == "large" then return false end
  return layer.regime == "small" or layer.regime == "reference" or layer:program "plain":regime() == "small"
end

local function simple_pass(layer, x)
  local own = layer.learned.h or layer.learned.y
  local state0 = own and layer[own] or layer.states0.h or layer.states0.y
  return core.recurrent(layer.kind, x, {
    weight_ih = layer:effective "weight_ih", weight_hh = layer:effective "weight_hh",
    weight_oh = layer:effective "weight_oh", bias = layer.bias, weight_ho = layer:effective "weight_ho",
    bias_o = layer.bias_o, state0 = state0, lengths = context.lengths,
  }, { phi = layer.activation, sigma = layer.output, regime = layer.regime or "auto", name = layer.name or "rnn" })
end

-- The whole sequence x (batch, time, inputs) -> y (batch, time, outputs), or h where the layer has no read-out; with
-- `last` only the last step, (batch, outputs). What the last call computed is in layer.h and, by name, layer.seen.
function Recurrent:forward(x)
  local sizes = x:size()
  if #sizes ~= 3 then complain(self, "x is %s; expected (batch, time, %d)", text.shape(sizes), self.n_in) end
  local y, h
  local variant, sequences, rows = plan_pass(self, x)
  local carries = context.carry and not self.reversed
  if variant == "plain" and not carries and is_simple(self) then
    y, h = simple_pass(self, x)
    self.seen = { h = h, y = y }
  else
    y, h = self:unroll(variant, sequences, rows, sizes[1], carries)
  end
  self.h = h -- nil where checkpoints spare it
  local result = self.n_out and y or h
  if self.last then return core.last(result, context.lengths) end
  return result
end

-- Run the program of a variant; hands the states on where they are carried.
function Recurrent:unroll(variant, sequences, rows, batch, carries)
  local program = self:program(variant)
  local weights, state0 = {}, {}
  for _, weight in ipairs(program:weights()) do
    weights[weight.name] = self:effective(weight.name)
  end
  for _, state in ipairs(program:states()) do
    state0[state.name] = self:initial(state, batch)
  end
  local out, last = core.unroll(program, sequences, weights, { state0 = state0, rows = rows, lengths = context.lengths,
    regime = self.regime or "auto", checkpoint = self.checkpoint or 0, name = self.name or "rnn" })
  if carries then
    for _, state in ipairs(program:states()) do
      context.carried(self:state_name(state), last[state.name], out[state.name])
    end
  end
  self.seen, self.last_states = out, last
  return out.y, self.traced and out[program:states()[1].name] or out.h
end

-- The recurrent layers from here on down, in order.
function Recurrent:recurrent_layers(list)
  list = list or {}
  list[#list + 1] = self
  return list
end

-- "elman 3-5-2"
function Recurrent:describe()
  return ("%s %d-%d"):format(self.kind, self.n_in, self.n_hidden) .. (self.n_out and "-" .. self.n_out or "")
end

-- ---- constructors -------------------------------------------------------------------------------

-- r.nn.Elman(inputs, hidden, outputs?, options?) and so on: without outputs a layer gives its hidden states.
for kind, name in pairs { elman = "Elman", jordan = "Jordan", lstm = "LSTM", lstm_peephole = "PeepholeLSTM",
  lstm_layernorm = "LayerNormLSTM", lstm97 = "LSTM97", gru = "GRU", gru_original = "OriginalGRU", ctrnn = "CTRNN",
  esn = "Reservoir" } do
  recurrent[name] = function(n_in, n_hidden, n_out, options)
    return make(kind, n_in, n_hidden, n_out, options)
  end
  kinds[kind].make = recurrent[name]
end

-- A layer of a cell written in Lua: r.nn.Cell(r.cell{...}, inputs, hidden, outputs?, options?). A read-out is a Linear
-- layer after it.
function recurrent.Cell(cell, n_in, n_hidden, n_out, options)
  if type(n_out) == "table" and options == nil then n_out, options = nil, n_out end
  local spec = { gates = 1, recurrent_init = "glorot" }
  local layer
  layer, options = new_layer(cell.name or "cell", spec, n_in, n_hidden, nil, options)
  layer.traced = cell
  if layer.recurrent_dropout then
    complain(layer, "recurrent_dropout does not know which uses of its states a cell written in Lua means to be "
      .. "without; dropout is of its input")
  end
  local program = layer:program "plain"
  weights_of(layer, spec, program:weights(), 0)
  for _, weight in ipairs(layer.weights) do
    weight.init = cell:init_of(weight.field) or (#weight.sizes == 2 and "glorot" or "zeros")
  end
  initial_states(layer, options.state0, program:states())
  layer.feedback = nil
  constraints.read(layer, { mask = options.mask })
  module.make_weights(layer, options, known_options(spec))
  if n_out == nil then return layer end
  local layers = require "rnnlab.nn.layers"
  local outputs = layers.Linear(n_hidden, n_out, { activation = options.output })
  return layers.Sequential(layer, outputs)
end

return recurrent
