-- rnnlab.nn.layers owns the layers without recurrence and those made of others: Linear, Dropout, Embedding, Last,
-- Sequential, Residual, Bidirectional.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local module = require "rnnlab.nn.module"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local layers = {}

local function new(class, kind, options)
  return setmetatable({ kind = kind, name = type(options) == "table" and options.name or nil }, class)
end

-- What a layer gives for each step: its outputs, or its hidden units where it has no read-out.
local function gives(layer)
  return layer.n_out or layer.n_hidden
end

-- ---- Linear -------------------------------------------------------------------------------------

local Linear = module.class()

-- r.nn.Linear(inputs, outputs, options?): y = activation(x V + c), at each step. tied = an Embedding: its weight,
-- transposed, serves as V (Press & Wolf 2017), and only c is the layer's own.
function layers.Linear(n_in, n_out, options)
  options = options or {}
  local layer = new(Linear, "linear", options)
  layer.n_in = params.integer(n_in, "the number of inputs", 1)
  layer.n_out = params.integer(n_out, "the number of outputs", 1)
  local inputs, outputs = text.count(layer.n_in, "input"), text.count(layer.n_out, "output")
  local bias = { field = "bias", letter = "c", sizes = { layer.n_out }, init = "zeros", because = outputs }
  layer.weights = { bias }
  layer.tied = type(options) == "table" and options.tied or nil
  if layer.tied == nil then
    table.insert(layer.weights, 1, { field = "weight", letter = "V", sizes = { layer.n_in, layer.n_out },
      init = "glorot", because = inputs .. " and " .. outputs })
  elseif type(layer.tied) ~= "table" or layer.tied.kind ~= "embedding" then
    module.complain(layer, "tied must be an r.nn.Embedding, whose weight it shares")
  elseif layer.tied.n_symbols ~= layer.n_out or layer.tied.n_out ~= layer.n_in then
    module.complain(layer, "tied: %d-%d needs an embedding of %d symbols in %d features, not %d in %d", layer.n_in,
      layer.n_out, layer.n_out, layer.n_in, layer.tied.n_symbols, layer.tied.n_out)
  end
  layer.activation = module.one_of(layer, options.activation or "linear", module.activations, "activation")
  return module.make_weights(layer, options, { activation = true, tied = true })
end

function Linear:forward(x)
  local weight = self.weight
  if self.tied then weight = self.tied.weight:t():contiguous() end
  local y = core.linear(x, weight, self.bias, { name = self.name or "linear" })
  return self.activation == "linear" and y or core[self.activation](y)
end

function Linear:describe()
  return ("linear %d-%d"):format(self.n_in, self.n_out)
end

-- ---- Dropout ------------------------------------------------------------------------------------

local Dropout = module.class()

-- r.nn.Dropout(p): while training, each number is zero with probability p, the others are scaled by 1/(1-p).
function layers.Dropout(p, options)
  local layer = new(Dropout, "dropout", options)
  layer.p = module.fraction(layer, { p = p }, "p") or 0
  layer.weights, layer.given = {}, {}
  layer.seed, layer.index = module.seed, module.random_index()
  return layer
end

function Dropout:forward(x)
  if not context.training or self.p == 0 then return x end
  return core.dropout(x, context.clock, { p = self.p, seed = self.seed, index = self.index * 8 + 4 })
end

function Dropout:describe()
  return ("dropout %g"):format(self.p)
end

-- ---- Embedding ----------------------------------------------------------------------------------

local Embedding = module.class()

-- r.nn.Embedding(symbols, features, options?): ids (batch, time), 1 .. symbols, to rows of a weight.
function layers.Embedding(n_symbols, n_features, options)
  options = options or {}
  local layer = new(Embedding, "embedding", options)
  layer.n_symbols = params.integer(n_symbols, "the number of symbols", 1)
  layer.n_out = params.integer(n_features, "the number of features", 1)
  layer.weights = { { field = "weight", sizes = { layer.n_symbols, layer.n_out }, init = { kind = "normal", std = .1 },
    because = text.count(layer.n_symbols, "symbol") .. " in " .. text.count(layer.n_out, "feature") } }
  return module.make_weights(layer, options, {})
end

function Embedding:forward(ids)
  local sizes = ids:size()
  if #sizes == 3 and sizes[3] == 1 then ids = ids:squeeze(3) end
  return core.embedding(ids, self.weight, { name = self.name or "embedding" })
end

function Embedding:describe()
  return ("embedding %d-%d"):format(self.n_symbols, self.n_out)
end

-- ---- Last ---------------------------------------------------------------------------------------

local Last = module.class()

-- r.nn.Last(): of a sequence (batch, time, feature) its last step (batch, feature), each sequence's own where lengths
-- are given.
function layers.Last()
  local layer = new(Last, "last")
  layer.weights, layer.given = {}, {}
  return layer
end

function Last.forward(_, x)
  return core.last(x, context.lengths)
end

function Last.describe()
  return "last step"
end

-- ---- layers made of layers ----------------------------------------------------------------------

local Container = module.class()

local function check_layer(owner, layer)
  if type(layer) ~= "table" or type(layer.forward) ~= "function" then
    error(("%s: a layer is expected, not a %s"):format(owner, type(layer)), 0)
  end
  return layer
end

local function collect(container, what)
  local list, seen = {}, {}
  for i, layer in ipairs(container.layers) do
    for _, parameter in ipairs(layer[what] and layer[what](layer) or {}) do
      if not seen[parameter.tensor] then -- a layer that stands twice has its weights once
        seen[parameter.tensor] = true
        local name = container.names and container.names[i] or i
        list[#list + 1] = { name = name .. "." .. parameter.name, tensor = parameter.tensor }
      end
    end
  end
  return list
end

-- The parameters of all layers, "2.bias" and so on.
function Container:parameters()
  return collect(self, "parameters")
end

-- What is not trained, likewise.
function Container:buffers()
  return collect(self, "buffers")
end

function Container:initialise(rng)
  for _, layer in ipairs(self.layers) do
    layer:initialise(rng)
  end
  return self
end

-- All recurrent layers below, in order: for inspection and carried states.
function Container:recurrent_layers(list)
  list = list or {}
  for _, layer in ipairs(self.layers) do
    if layer.recurrent_layers then layer:recurrent_layers(list) end
  end
  return list
end

local Sequential = setmetatable({}, { __index = Container })
Sequential.__index = Sequential

-- r.nn.Sequential(a, b, ...), or r.nn.Sequential():add(a):add(b)
function layers.Sequential(...)
  local stack = setmetatable({ kind = "sequential", layers = {} }, Sequential)
  for _, layer in ipairs { ... } do
    stack:add(layer)
  end
  return stack
end

function Sequential:add(layer)
  check_layer("Sequential", layer)
  local below = self.layers[#self.layers]
  local width = self.n_out
  if width and layer.n_in and width ~= layer.n_in then
    error(("Sequential: layer %d (%s) gives %d features, layer %d (%s) takes %d"):format(#self.layers,
      below:describe(), width, #self.layers + 1, layer:describe(), layer.n_in), 0)
  end
  self.layers[#self.layers + 1] = layer
  if layer.name == nil then layer.name = tostring(#self.layers) end
  self.n_in = self.n_in or layer.n_in
  self.n_out = gives(layer) or width
  return self
end

function Sequential:forward(x)
  for _, layer in ipairs(self.layers) do
    x = layer:forward(x)
    self.h = layer.h or self.h
  end
  return x
end

function Sequential:describe()
  local words = {}
  for i, layer in ipairs(self.layers) do
    words[i] = layer.describe and layer:describe() or "layer"
  end
  return table.concat(words, " + ")
end

local Residual = setmetatable({}, { __index = Container })
Residual.__index = Residual

-- r.nn.Residual(layer): x + layer(x), for a layer that gives as many features as it takes (He et al. 2016).
function layers.Residual(layer)
  check_layer("Residual", layer)
  if layer.n_in and gives(layer) and layer.n_in ~= gives(layer) then
    error(("Residual: the layer (%s) takes %d features and gives %d; they must be as many"):format(layer:describe(),
      layer.n_in, gives(layer)), 0)
  end
  return setmetatable({ kind = "residual", layers = { layer }, n_in = layer.n_in, n_out = gives(layer) }, Residual)
end

function Residual:forward(x)
  local y = self.layers[1]:forward(x)
  self.h = self.layers[1].h
  return x + y
end

function Residual:describe()
  return "residual(" .. self.layers[1]:describe() .. ")"
end

local Bidirectional = setmetatable({}, { __index = Container })
Bidirectional.__index = Bidirectional

-- r.nn.Bidirectional(forward, backward): two layers of the same input, the second over the sequence reversed (each
-- sequence within its own length); their outputs side by side (Schuster & Paliwal 1997).
function layers.Bidirectional(forward, backward)
  check_layer("Bidirectional", forward)
  check_layer("Bidirectional", backward)
  if forward.n_in ~= backward.n_in then
    error(("Bidirectional: one layer (%s) takes %d features, the other (%s) %d"):format(forward:describe(),
      forward.n_in, backward:describe(), backward.n_in), 0)
  end
  if forward.name == nil then forward.name = "forward" end
  if backward.name == nil then backward.name = "backward" end
  backward.reversed = true -- a carried state has no meaning in it
  return setmetatable({ kind = "bidirectional", layers = { forward, backward }, names = { "forward", "backward" },
    n_in = forward.n_in, n_out = gives(forward) + gives(backward) }, Bidirectional)
end

function Bidirectional:forward(x)
  local forward, backward = self.layers[1], self.layers[2]
  local a = forward:forward(x)
  local b = core.reverse(backward:forward(core.reverse(x, context.lengths)), context.lengths)
  self.h = forward.h
  return core.cat({ a, b }, 3)
end

function Bidirectional:describe()
  return "bidirectional(" .. self.layers[1]:describe() .. ")"
end

return layers
