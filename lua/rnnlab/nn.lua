-- rnnlab.nn owns the layers: their parameter tensors, how these begin, and forward(x).
--
-- A layer's weights are row-vector weights, as the tutorial's: h(t) = phi(x(t) U + h(t-1) W + b),
-- y(t) = sigma(h(t) V + c). Jordan has y(t-1) W in place of h(t-1) W. The tutorial's letters are
-- accepted beside the full names wherever weights are given:
--     U weight_ih (inputs, hidden)     W weight_hh (hidden, hidden), Jordan: weight_oh (outputs, hidden)
--     b bias (hidden)                  V weight_ho (hidden, outputs)             c bias_o (outputs)
-- Matrices begin as Glorot's uniform, biases at zero. Of six ways tried on the tutorial's question 2 over 60
-- seeds this ended lowest (median .87, upper quartile 1.1); an orthogonal W had .95 and 2.1, PyTorch's
-- uniform .99 and 2.2. For memory over long sequences an orthogonal W is the better start.
local core = require "rnnlab.core"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local nn = {}

nn.activations = { "tanh", "sigmoid", "relu", "linear" }
nn.inits = { "glorot", "orthogonal", "uniform", "normal", "zeros", "constant" }

-- The stream initial weights are drawn from, in the order layers are made. The runner sets it to
-- (seed, "init"); by hand it is that of seed 1.
local stream

-- Draw the weights of layers made from now on from this stream.
function nn.set_stream(rng)
  stream = rng
end
local function init_stream()
  stream = stream or core.rng(1, "init")
  return stream
end

local function complain(layer, format, ...)
  local name = layer.name and (" '%s'"):format(layer.name) or ""
  error(layer.kind .. " layer" .. name .. ": " .. format:format(...), 0)
end

local function same_sizes(a, b)
  if #a ~= #b then return false end
  for d = 1, #a do
    if a[d] ~= b[d] then return false end
  end
  return true
end

local function one_of(layer, value, known, what)
  for _, candidate in ipairs(known) do
    if value == candidate then return value end
  end
  complain(layer, "%s '%s' is not known%s (there is %s)", what, tostring(value),
    text.did_you_mean(tostring(value), known), text.list(known))
end

-- ---- what all layers share ----------------------------------------------------------------------

local Module = {}
Module.__index = Module

-- The parameters in order: a list of { name =, tensor = }.
function Module:parameters()
  local list = {}
  for _, weight in ipairs(self.weights) do
    if self[weight.field] ~= nil then
      list[#list + 1] = { name = weight.field, tensor = self[weight.field] }
    end
  end
  return list
end

-- The number of weights.
function Module:count()
  local n = 0
  for _, parameter in ipairs(self:parameters()) do
    n = n + parameter.tensor:numel()
  end
  return n
end

-- A weight as given by the script, checked and copied.
local function given_weight(layer, weight, value)
  local label = weight.letter and ("%s (%s)"):format(weight.letter, weight.field) or weight.field
  if type(value) == "number" then
    value = { value }
    if #weight.sizes == 2 then value = { value } end
  end
  if type(value) ~= "table" and type(value) ~= "userdata" then
    complain(layer, "%s must be a tensor or nested tables, not a %s", label, type(value))
  end
  local tensor = core.tensor(value, core.default_dtype())
  local sizes = tensor:size()
  if not same_sizes(sizes, weight.sizes) then
    complain(layer, "%s is %s; %s need %s", label, text.shape(sizes), weight.because, text.shape(weight.sizes))
  end
  return tensor
end

local function default_init(layer, weight)
  local init = layer.init
  if type(init) == "table" and init.kind == nil then
    init = init[weight.field]
    if init == nil and weight.letter then init = layer.init[weight.letter] end
  elseif #weight.sizes < 2 then
    init = nil -- one name for all is meant for the matrices
  end
  return init or weight.init
end

-- Draw the weights the script did not give. rng: by default the run's own "init" stream.
function Module:initialise(rng)
  rng = rng or init_stream()
  for _, weight in ipairs(self.weights) do
    local tensor = self[weight.field]
    if tensor ~= nil and not self.given[weight.field] then
      local init = default_init(self, weight)
      local options = type(init) == "table" and init or {}
      local kind = type(init) == "table" and init.kind or init
      one_of(self, kind, nn.inits, "init")
      core.init(kind, tensor, rng, options)
    end
  end
  return self
end

local function check_options(layer, options, known)
  if type(options) ~= "table" then
    complain(layer, "options must be a table, not a %s", type(options))
  end
  local names = text.sorted_keys(known)
  for _, key in ipairs(text.sorted_keys(options)) do
    if not known[key] then
      complain(layer, "there is no option '%s'%s (known: %s)", tostring(key),
        text.did_you_mean(tostring(key), names), table.concat(names, ", "))
    end
  end
end

-- Make the parameter tensors of layer.weights from options, drawn where they are not given.
local function make_weights(layer, options, known)
  for _, weight in ipairs(layer.weights) do
    known[weight.field] = true
    if weight.letter then known[weight.letter] = true end
  end
  check_options(layer, options, known)
  layer.init, layer.given = options.init, {}
  if layer.init ~= nil and type(layer.init) ~= "string" and type(layer.init) ~= "table" then
    complain(layer, "init must be a name or a table, not a %s", type(layer.init))
  end
  for _, weight in ipairs(layer.weights) do
    local value = options[weight.field]
    if value == nil and weight.letter then value = options[weight.letter] end
    if weight.field == "state0" then value = nil end -- "learned": begins at zero
    local tensor
    if value ~= nil then
      tensor, layer.given[weight.field] = given_weight(layer, weight, value), true
    else
      tensor = core.zeros(weight.sizes)
    end
    layer[weight.field] = tensor:requires_grad_(true)
  end
  return layer:initialise()
end

-- ---- Elman and Jordan ---------------------------------------------------------------------------

local Recurrent = setmetatable({}, { __index = Module })
Recurrent.__index = Recurrent

local function counted(n, noun)
  return text.count(n, noun)
end

-- The initial state: "zero", "learned", or a tensor or table of (n) or (batch, n).
local function initial_state(layer, value, n)
  if value == nil or value == "zero" then return end
  if value == "learned" then
    layer.weights[#layer.weights + 1] = { field = "state0", sizes = { n }, init = "zeros",
      because = counted(n, "unit") }
    return
  end
  if type(value) ~= "table" and type(value) ~= "userdata" then
    complain(layer, 'state0 must be "zero", "learned", or the values, not %s', tostring(value))
  end
  local tensor = core.tensor(value, core.default_dtype())
  local sizes = tensor:size()
  if sizes[#sizes] ~= n or #sizes > 2 or #sizes < 1 then
    complain(layer, "state0 is %s; it must be (%d) or (batch, %d)", text.shape(sizes), n, n)
  end
  layer.state = tensor
end

local function recurrent(kind, n_in, n_hidden, n_out, options)
  if type(n_out) == "table" and options == nil then
    n_out, options = nil, n_out
  end
  options = options or {}
  local layer = setmetatable({ kind = kind, name = type(options) == "table" and options.name or nil }, Recurrent)
  n_in = params.integer(n_in, "the number of inputs", 1)
  n_hidden = params.integer(n_hidden, "the number of hidden units", 1)
  if n_out ~= nil then
    n_out = params.integer(n_out, "the number of outputs", 1)
  elseif kind == "jordan" then
    complain(layer, "the number of outputs is missing: Jordan feeds the output back")
  end
  layer.n_in, layer.n_hidden, layer.n_out = n_in, n_hidden, n_out
  local inputs, hidden = counted(n_in, "input"), counted(n_hidden, "hidden unit")
  local outputs = n_out and counted(n_out, "output")
  local fed_back = kind == "jordan" and n_out or n_hidden
  layer.weights = {
    { field = "weight_ih", letter = "U", sizes = { n_in, n_hidden }, init = "glorot",
      because = inputs .. " and " .. hidden },
    { field = kind == "jordan" and "weight_oh" or "weight_hh", letter = "W", sizes = { fed_back, n_hidden },
      init = "glorot",
      because = (kind == "jordan" and outputs or hidden) .. " fed back to " .. hidden },
    { field = "bias", letter = "b", sizes = { n_hidden }, init = "zeros", because = hidden },
  }
  layer.feedback = layer.weights[2].field
  if n_out then
    table.insert(layer.weights, { field = "weight_ho", letter = "V", sizes = { n_hidden, n_out },
      init = "glorot", because = hidden .. " and " .. outputs })
    table.insert(layer.weights, { field = "bias_o", letter = "c", sizes = { n_out }, init = "zeros",
      because = outputs })
  end
  layer.activation = one_of(layer, options.activation or "tanh", nn.activations, "activation")
  layer.output = one_of(layer, options.output or "linear", nn.activations, "output")
  layer.regime = options.regime
  initial_state(layer, options.state0, fed_back)
  return make_weights(layer, options,
    { name = true, activation = true, output = true, init = true, state0 = true, regime = true })
end

-- The whole sequence x (batch, time, inputs) -> y (batch, time, outputs), or h where the layer has no
-- read-out. The hidden states of the last call are in layer.h (batch, time, hidden).
function Recurrent:forward(x)
  local y, h = core.recurrent(self.kind, x, {
    weight_ih = self.weight_ih, weight_hh = self.weight_hh, weight_oh = self.weight_oh, bias = self.bias,
    weight_ho = self.weight_ho, bias_o = self.bias_o, state0 = self.state0 or self.state,
  }, { phi = self.activation, sigma = self.output, regime = self.regime or "auto", name = self.name or "rnn" })
  self.h = h
  if self.n_out then return y end
  return h
end

-- "elman 3-5-2"
function Recurrent:describe()
  return ("%s %d-%d"):format(self.kind, self.n_in, self.n_hidden) .. (self.n_out and "-" .. self.n_out or "")
end

-- r.nn.Elman(inputs, hidden, outputs?, options?): without outputs it gives its hidden states.
function nn.Elman(n_in, n_hidden, n_out, options)
  return recurrent("elman", n_in, n_hidden, n_out, options)
end

-- r.nn.Jordan(inputs, hidden, outputs, options?)
function nn.Jordan(n_in, n_hidden, n_out, options)
  return recurrent("jordan", n_in, n_hidden, n_out, options)
end

nn.cells = { elman = nn.Elman, jordan = nn.Jordan }

-- r.rnn(cell, inputs, hidden, outputs, options): a recurrent layer by the name of its cell.
function nn.rnn(cell, n_in, n_hidden, n_out, options)
  local known = text.sorted_keys(nn.cells)
  if type(cell) ~= "string" then
    error(("r.rnn: the cell is given by its name (%s), not by a %s"):format(text.list(known, "or"), type(cell)), 0)
  end
  if not nn.cells[cell] then
    error(("r.rnn: cell '%s' is not known%s (there is %s)"):format(cell, text.did_you_mean(cell, known),
      text.list(known)), 0)
  end
  return nn.cells[cell](n_in, n_hidden, n_out, options)
end

-- ---- Linear -------------------------------------------------------------------------------------

local Linear = setmetatable({}, { __index = Module })
Linear.__index = Linear

-- r.nn.Linear(inputs, outputs, options?): y = activation(x V + c), at each step.
function nn.Linear(n_in, n_out, options)
  options = options or {}
  local layer = setmetatable({ kind = "linear", name = type(options) == "table" and options.name or nil }, Linear)
  layer.n_in = params.integer(n_in, "the number of inputs", 1)
  layer.n_out = params.integer(n_out, "the number of outputs", 1)
  local inputs, outputs = counted(layer.n_in, "input"), counted(layer.n_out, "output")
  layer.weights = {
    { field = "weight", letter = "V", sizes = { layer.n_in, layer.n_out }, init = "glorot",
      because = inputs .. " and " .. outputs },
    { field = "bias", letter = "c", sizes = { layer.n_out }, init = "zeros", because = outputs },
  }
  layer.activation = one_of(layer, options.activation or "linear", nn.activations, "activation")
  return make_weights(layer, options, { name = true, activation = true, init = true })
end

function Linear:forward(x)
  local y = core.linear(x, self.weight, self.bias, { name = self.name or "linear" })
  return self.activation == "linear" and y or core[self.activation](y)
end

function Linear:describe()
  return ("linear %d-%d"):format(self.n_in, self.n_out)
end

-- ---- Sequential ---------------------------------------------------------------------------------

local Sequential = setmetatable({}, { __index = Module })
Sequential.__index = Sequential

-- r.nn.Sequential(a, b, ...), or r.nn.Sequential():add(a):add(b)
function nn.Sequential(...)
  local stack = setmetatable({ kind = "sequential", layers = {} }, Sequential)
  for _, layer in ipairs { ... } do
    stack:add(layer)
  end
  return stack
end

function Sequential:add(layer)
  if type(layer) ~= "table" or type(layer.forward) ~= "function" then
    error(("Sequential: a layer is expected, not a %s"):format(type(layer)), 0)
  end
  local below = self.layers[#self.layers]
  local gives = below and (below.n_out or below.n_hidden)
  if gives and layer.n_in and gives ~= layer.n_in then
    error(("Sequential: layer %d (%s) gives %d features, layer %d (%s) takes %d"):format(#self.layers,
      below:describe(), gives, #self.layers + 1, layer:describe(), layer.n_in), 0)
  end
  self.layers[#self.layers + 1] = layer
  if layer.name == nil then layer.name = tostring(#self.layers) end
  self.n_in = self.n_in or layer.n_in
  self.n_out = layer.n_out or layer.n_hidden
  return self
end

function Sequential:forward(x)
  for _, layer in ipairs(self.layers) do
    x = layer:forward(x)
    self.h = layer.h or self.h
  end
  return x
end

function Sequential:parameters()
  local list = {}
  for i, layer in ipairs(self.layers) do
    for _, parameter in ipairs(layer:parameters()) do
      list[#list + 1] = { name = i .. "." .. parameter.name, tensor = parameter.tensor }
    end
  end
  return list
end

function Sequential:initialise(rng)
  for _, layer in ipairs(self.layers) do
    layer:initialise(rng)
  end
  return self
end

function Sequential:describe()
  local words = {}
  for i, layer in ipairs(self.layers) do
    words[i] = layer.describe and layer:describe() or "layer"
  end
  return table.concat(words, " + ")
end

return nn
