-- rnnlab.nn.constraints owns weights that are held to a form while they are trained: a mask of which connections there
-- are, and Dale's principle, by which all that a unit sends out has one sign (Song, Yang & Wang 2016).
--
-- Rows of W are the units that send (h W), so that
--     W_eff = mask * W                 or, with signs s,        W_eff = mask * diag(s) |W|,     s_i = 1 or -1
-- is what the network computes with, and what gradients are taken through; W itself is the parameter.
local core = require "rnnlab.core"
local module = require "rnnlab.nn.module"
local text = require "rnnlab.text"

local constraints = {}

local complain = module.complain

local function weight_named(layer, name)
  for _, weight in ipairs(layer.weights) do
    if (weight.field == name or weight.letter == name) and #weight.sizes == 2 then return weight end
  end
  local known = {}
  for _, weight in ipairs(layer.weights) do
    if #weight.sizes == 2 then known[#known + 1] = weight.field end
  end
  complain(layer, "mask: there is no matrix '%s'%s (there is %s)", tostring(name),
    text.did_you_mean(tostring(name), known), text.list(known))
end

-- A mask as given for one weight: a density (each connection is there with this probability, drawn from the stream
-- weights are drawn from), or its numbers, 0 and 1.
local function mask_of(layer, weight, value)
  if type(value) == "number" then
    if not (value > 0 and value <= 1) then
      complain(layer, "mask: a density of %g; it must be above 0 and at most 1", value)
    end
    local drawn = module.stream():uniform(weight.sizes[1], weight.sizes[2]):tolist()
    for _, row in ipairs(drawn) do
      for j = 1, #row do
        row[j] = row[j] < value and 1 or 0
      end
    end
    return core.tensor(drawn, core.default_dtype())
  end
  if type(value) ~= "table" and not core.is_tensor(value) then
    complain(layer, "mask: %s takes a density or a tensor of 0 and 1, not a %s", weight.field, type(value))
  end
  local mask = core.tensor(value, core.default_dtype())
  local sizes = mask:size()
  if #sizes ~= 2 or sizes[1] ~= weight.sizes[1] or sizes[2] ~= weight.sizes[2] then
    complain(layer, "mask: %s is %s; its mask is %s", weight.field, text.shape(weight.sizes), text.shape(sizes))
  end
  for i, row in ipairs(mask:tolist()) do
    for j = 1, #row do
      if row[j] ~= 0 and row[j] ~= 1 then
        complain(layer, "mask: %s(%d, %d) is %g; a mask holds 0 and 1", weight.field, i, j, row[j])
      end
    end
  end
  return mask
end

-- Signs of n units: given one by one, or the fraction that is excitatory; those come first.
local function signs_of(layer, value)
  local n, signs = layer.n_hidden, {}
  if type(value) == "number" then
    if not (value >= 0 and value <= 1) then
      complain(layer, "dale: a fraction of %g excitatory units; it must be from 0 to 1", value)
    end
    local excitatory = math.floor(value * n + .5)
    for i = 1, n do
      signs[i] = i <= excitatory and 1 or -1
    end
    return signs
  end
  if core.is_tensor(value) then value = value:tolist() end
  if type(value) ~= "table" or #value ~= n then
    complain(layer, "dale takes the fraction of excitatory units, or %d signs, 1 or -1, one a unit%s", n,
      type(value) == "table" and ("; it has %d"):format(#value) or "")
  end
  for i, sign in ipairs(value) do
    if sign ~= 1 and sign ~= -1 then
      complain(layer, "dale: the sign of unit %d is %s; it must be 1 (excitatory) or -1 (inhibitory)", i,
        tostring(sign))
    end
    signs[i] = sign
  end
  return signs
end

local function radius_of(matrix)
  return core.linalg.spectral_radius(matrix)
end

-- What a weight drawn at random goes through: under Dale's principle inhibition balances excitation (each inhibitory
-- weight times their ratio in numbers), and a square matrix keeps the spectral radius it was drawn with.
local function settle(layer, weight, constraint)
  return function(tensor)
    local square = weight.sizes[1] == weight.sizes[2]
    local radius = square and radius_of(tensor)
    local signs, own = constraint.signs, 0
    if signs then
      local excitatory = 0
      for i = 1, #signs do
        if signs[i] > 0 then excitatory = excitatory + 1 end
      end
      local ratio = excitatory / (#signs - excitatory)
      for i = 1, #signs do
        if signs[i] < 0 and excitatory > 0 then tensor:select(1, i):mul(ratio) end
      end
    end
    if square then own = radius_of(constraints.effective(layer, weight.field, tensor)) end
    if own > 0 then tensor:mul(radius / own) end
  end
end

local function check_given(layer, weight, constraint)
  for i, row in ipairs(constraint.signs and layer[weight.field]:detach():tolist() or {}) do
    for j = 1, #row do
      if row[j] * constraint.signs[i] < 0 then
        complain(layer, "dale: unit %d is %s, but %s(%d, %d) is %g", i,
          constraint.signs[i] > 0 and "excitatory" or "inhibitory", weight.field, i, j, row[j])
      end
    end
  end
end

-- Read mask and dale from a layer's options, before its weights are drawn.
function constraints.read(layer, options)
  local mask, dale = options.mask, options.dale
  if mask == nil and dale == nil then return end
  layer.constraints = {}
  local function constraint_of(weight)
    local own = layer.constraints[weight.field] or {}
    layer.constraints[weight.field] = own
    return own
  end
  if mask ~= nil then
    local by_name = type(mask) == "table" and mask[1] == nil and mask or { [layer.feedback or "weight_hh"] = mask }
    for _, name in ipairs(text.sorted_keys(by_name)) do
      local weight = weight_named(layer, name)
      constraint_of(weight).mask = mask_of(layer, weight, by_name[name])
    end
  end
  if dale ~= nil then constraint_of(weight_named(layer, "weight_hh")).signs = signs_of(layer, dale) end
  for _, weight in ipairs(layer.weights) do
    local constraint = layer.constraints[weight.field]
    if constraint then
      local factor = constraint.mask
      if constraint.signs then
        local column = core.tensor(constraint.signs, core.default_dtype()):unsqueeze(2)
        factor = factor and factor * column or column
      end
      constraint.factor = factor
      local start, settled = weight.start, settle(layer, weight, constraint)
      -- Called with the weight as it was drawn.
      weight.start = function(tensor)
        if start then start(tensor) end
        settled(tensor)
      end
    end
  end
end

-- After the weights were made: those the script gave must have the signs it asked for.
function constraints.check(layer)
  for _, weight in ipairs(layer.weights) do
    local constraint = layer.constraints and layer.constraints[weight.field]
    if constraint and layer.given[weight.field] then check_given(layer, weight, constraint) end
  end
end

-- The weight as the network computes with it.
function constraints.effective(layer, field, tensor)
  tensor = tensor or layer[field]
  local constraint = layer.constraints and layer.constraints[field]
  if not constraint or tensor == nil then return tensor end
  local factor = constraint.factor
  if factor:dtype() ~= tensor:dtype() then factor = factor:to(tensor:dtype()) end
  return (constraint.signs and core.abs(tensor) or tensor) * factor
end

return constraints
