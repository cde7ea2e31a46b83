-- rnnlab.nn.reservoir owns what makes a recurrent layer of the cell "esn" an echo-state reservoir (Jaeger 2001): its
-- own options, and weights that are drawn once and stay. Only the read-out is trained, by optimizer = "ridge" at once,
-- or by gradients as any other.
--
--     h(t) = (1 - leak) h(t-1) + leak tanh(x(t) U + h(t-1) W + y(t-1) F + b) + noise
--     y(t) = h(t) V + x(t) D + c            F with feedback, D with direct
--
-- W is sparse normal numbers scaled to a spectral radius, U, F and b are uniform between plus and minus their scales.
local module = require "rnnlab.nn.module"

local reservoir = {}

local complain = module.complain

-- The options beside those the cell has: name -> default.
local numbers = { radius = .9, leak = 1, input_scale = 1, input_density = 1, bias_scale = 0, feedback_scale = 1 }

reservoir.options = { radius = true, density = true, leak = true, input_scale = true, input_density = true,
  bias_scale = true, feedback_scale = true }

local function number(layer, key, value, low, high)
  if type(value) ~= "number" or not (value >= low and value <= high) then
    local range = high == math.huge and ("a number of at least %g"):format(low)
      or low > 0 and ("a number above 0 and at most %g"):format(high) or ("a number from %g to %g"):format(low, high)
    complain(layer, "%s must be %s, not %s", key, range, tostring(value))
  end
  return value
end

-- Read the options into layer.reservoir and the cell's options.
function reservoir.read(layer, options)
  local own, least = {}, 1e-300
  for key, default in pairs(numbers) do
    own[key] = options[key] == nil and default or options[key]
  end
  number(layer, "radius", own.radius, 0, math.huge)
  number(layer, "leak", own.leak, least, 1)
  for _, key in ipairs { "input_scale", "bias_scale", "feedback_scale" } do
    number(layer, key, own[key], 0, math.huge)
  end
  number(layer, "input_density", own.input_density, least, 1)
  -- About ten connections a unit, by default: the larger, the sparser.
  own.density = number(layer, "density", options.density or math.min(1, 10 / layer.n_hidden), least, 1)
  for _, key in ipairs { "feedback", "direct" } do
    if options[key] ~= nil and type(options[key]) ~= "boolean" then
      complain(layer, "%s must be true or false, not %s", key, tostring(options[key]))
    end
    if options[key] and not layer.n_out then
      complain(layer, "%s needs a read-out of the layer's own; the number of outputs is missing", key)
    end
  end
  layer.reservoir = own
  layer.cell_options.alpha = own.leak
  if options.feedback and options.feed == nil then layer.feed = 0 end -- the targets, while it is trained
  if options.feed ~= nil and not options.feedback then complain(layer, "feed is of an output that is fed back") end
end

-- How a weight of the reservoir begins, and whether it stays so.
function reservoir.weight(layer, weight)
  local own = layer.reservoir
  local scales = { weight_ih = own.input_scale, weight_oh = own.feedback_scale, bias = own.bias_scale }
  if weight.field == "weight_hh" then
    weight.init = { kind = "spectral", radius = own.radius, density = own.density }
  elseif scales[weight.field] then
    local scale = scales[weight.field]
    weight.init = scale == 0 and "zeros" or { kind = "uniform", a = -scale, b = scale }
  else -- the read-out
    weight.init = "zeros"
    return
  end
  weight.fixed = true
  if weight.field == "weight_ih" and own.input_density < 1 then
    -- Leaves input_density of the connections.
    weight.start = function(tensor)
      local keep = module.stream():uniform(weight.sizes[1], weight.sizes[2]):tolist()
      for i, row in ipairs(keep) do
        for j = 1, #row do
          if row[j] >= own.input_density then tensor[{ i, j }] = 0 end
        end
      end
    end
  end
end

return reservoir
