-- rnnlab.losses owns the losses by name and their options: loss = "huber", or { "huber", delta = 2 }.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local losses = {}

losses.names = { "sse", "mse", "mae", "huber", "cross_entropy", "bce", "gaussian_nll" }

-- The target of these is shaped as the prediction, and both are quantities: they have a residual and an R².
local residual = { sse = true, mse = true, mae = true, huber = true }
-- Options beside the name, and the losses that know them.
local options = {
  delta = { huber = true },
  reduction = { mse = true, mae = true, huber = true, bce = true, gaussian_nll = true },
  weights = { cross_entropy = true, bce = true },
}

-- The name and the options of a loss as an experiment gives it; errors say what is wrong.
function losses.parse(given)
  local name, own = given, {}
  if type(given) == "table" then
    name = given[1] or given.kind
    for key, value in pairs(given) do
      if key ~= 1 and key ~= "kind" then own[key] = value end
    end
  end
  local found
  for _, known in ipairs(losses.names) do
    found = found or known == name
  end
  if not found then
    error(("loss '%s' is not known%s (there is %s)"):format(text.one_line(tostring(name)),
      text.did_you_mean(tostring(name), losses.names), text.list(losses.names)), 0)
  end
  for _, key in ipairs(text.sorted_keys(own)) do
    if not options[key] or not options[key][name] then
      error(("loss %s has no option '%s'%s"):format(name, tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(options))), 0)
    end
  end
  if type(own.weights) == "table" then own.weights = core.tensor(own.weights, core.default_dtype()) end
  return name, own
end

-- Whether prediction and target are quantities of one shape.
function losses.has_residual(name)
  return residual[name] == true
end

-- Whether the prediction says a class, so that its accuracy means something.
function losses.has_classes(name)
  return name == "cross_entropy" or name == "bce"
end

-- function(prediction, target, seen) -> scalar, seen being what of the batch is valid: mask (batch, time) or (batch),
-- lengths (batch), weights (batch).
function losses.criterion(given)
  local name, own = losses.parse(given)
  local plain = next(own) == nil
  return function(y, target, seen)
    local mask = seen and (seen.mask or seen.weights)
    local lengths = seen and seen.lengths
    if #y:size() < 3 then lengths = nil end -- the last step only: each sequence's own
    if plain and not mask and not lengths then return core.loss(name, y, target) end
    return core.loss(name, y, target, { mask = mask, lengths = lengths, weights = own.weights, delta = own.delta,
      reduction = own.reduction })
  end, name
end

return losses
