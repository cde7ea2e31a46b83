-- rnnlab.nn.module owns what all layers share: their parameter tensors, how these begin, and complaints that
-- name the layer.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local module = {}

module.activations = { "tanh", "sigmoid", "relu", "linear" }
module.inits = { "glorot", "glorot_normal", "he", "he_normal", "orthogonal", "identity", "spectral", "sparse",
  "uniform", "normal", "zeros", "constant" }

-- The stream initial weights are drawn from, in the order layers are made. The runner sets it to
-- (seed, "init"); by hand it is that of seed 1.
local stream

-- Draw the weights of layers made from now on from this stream. Numbers that tell the random layers of a model
-- apart begin anew.
function module.set_stream(rng, seed)
  stream = rng
  module.seed, module.random_layers = seed or 1, 0
end
module.set_stream(nil, 1)

local function init_stream()
  stream = stream or core.rng(1, "init")
  return stream
end
module.stream = init_stream

-- A number of its own for each layer that draws during training.
function module.random_index()
  module.random_layers = module.random_layers + 1
  return module.random_layers
end

-- An error that names the layer.
function module.complain(layer, format, ...)
  local name = layer.name and (" '%s'"):format(layer.name) or ""
  error(layer.kind .. " layer" .. name .. ": " .. format:format(...), 0)
end
local complain = module.complain

-- The value, which must be one of the known.
function module.one_of(layer, value, known, what)
  for _, candidate in ipairs(known) do
    if value == candidate then return value end
  end
  complain(layer, "%s '%s' is not known%s (there is %s)", what, tostring(value),
    text.did_you_mean(tostring(value), known), text.list(known))
end

-- A number in [low, high), or nil where the option is not given.
function module.fraction(layer, options, key)
  local value = options[key]
  if value == nil or value == false then return end
  if type(value) ~= "number" or not (value >= 0 and value < 1) then
    complain(layer, "%s must be a number from 0 up to, but not, 1; it is %s", key, tostring(value))
  end
  return value > 0 and value or nil
end

local function same_sizes(a, b)
  if #a ~= #b then return false end
  for d = 1, #a do
    if a[d] ~= b[d] then return false end
  end
  return true
end

local Module = {}
Module.__index = Module
module.Module = Module

-- A kind of layer: a class whose instances find their methods in it and then in Module.
function module.class()
  local class = setmetatable({}, { __index = Module })
  class.__index = class
  return class
end

local function tensors_of(layer, fixed)
  local list = {}
  for _, weight in ipairs(layer.weights or {}) do
    if layer[weight.field] ~= nil and (weight.fixed == true) == fixed then
      list[#list + 1] = { name = weight.field, tensor = layer[weight.field] }
    end
  end
  return list
end

-- The parameters in order: a list of { name =, tensor = }.
function Module:parameters()
  return tensors_of(self, false)
end

-- What belongs to the layer and is not trained, a reservoir's weights: in the same form.
function Module:buffers()
  return tensors_of(self, true)
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

-- The initialiser a script asked for, by the weight's name or letter or one name for all matrices, or the layer's own.
local function init_of(layer, weight)
  local init = layer.init
  if type(init) == "table" and init.kind == nil then
    init = init[weight.field]
    if init == nil and weight.letter then init = layer.init[weight.letter] end
  elseif #weight.sizes < 2 then
    init = nil -- one name for all is meant for the matrices
  end
  return init or weight.init
end

-- Draw one weight. A matrix that is several gates side by side (`blocks`) is drawn gate by gate, each as a matrix of
-- its own.
local function draw(layer, weight, tensor, rng)
  local init = init_of(layer, weight)
  local options = type(init) == "table" and init or {}
  local kind = type(init) == "table" and init.kind or init
  module.one_of(layer, kind, module.inits, "init")
  local blocks = #weight.sizes == 2 and weight.blocks or 1
  if blocks == 1 then
    core.init(kind, tensor, rng, options)
  else
    local width = weight.sizes[2] // blocks
    for k = 0, blocks - 1 do
      local block = core.zeros(weight.sizes[1], width)
      core.init(kind, block, rng, options)
      tensor:detach():narrow(2, k * width + 1, width):copy(block)
    end
  end
  if weight.start then weight.start(tensor:detach()) end
end

-- Draw the weights the script did not give. rng: by default the run's own "init" stream.
function Module:initialise(rng)
  rng = rng or init_stream()
  for _, weight in ipairs(self.weights or {}) do
    local tensor = self[weight.field]
    if tensor ~= nil and not self.given[weight.field] then draw(self, weight, tensor, rng) end
  end
  return self
end

-- Options must be a table of known keys.
function module.check_options(layer, options, known)
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

-- Make the parameter tensors of layer.weights from options, drawn where they are not given. `known`: the set of the
-- layer's other options.
function module.make_weights(layer, options, known)
  for _, weight in ipairs(layer.weights) do
    known[weight.field] = true
    if weight.letter then known[weight.letter] = true end
  end
  known.name, known.init = true, true
  module.check_options(layer, options, known)
  layer.init, layer.given = options.init, {}
  if layer.init ~= nil and type(layer.init) ~= "string" and type(layer.init) ~= "table" then
    complain(layer, "init must be a name or a table, not a %s", type(layer.init))
  end
  for _, weight in ipairs(layer.weights) do
    local value = options[weight.field]
    if value == nil and weight.letter then value = options[weight.letter] end
    if weight.learned_state then value = nil end -- "learned": begins at zero
    local tensor
    if value ~= nil then
      tensor, layer.given[weight.field] = given_weight(layer, weight, value), true
    else
      tensor = core.zeros(weight.sizes)
    end
    layer[weight.field] = tensor:requires_grad_(not weight.fixed)
  end
  return layer:initialise()
end

return module
