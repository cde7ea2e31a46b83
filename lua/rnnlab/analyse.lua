-- rnnlab.analyse owns the experiment's own analysis, `analysis = function(run) ... end`, called once when the training
-- is over, and what is kept of what it returns: tensors in analysis.npz under dotted names, all else in run.json.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local analyse = {}

local deepest = 8

-- Tensors of a table into `tensors` (a list of { name, tensor }); a copy of the rest, nil where nothing is left.
local function sort_out(value, name, tensors, depth)
  if core.is_tensor(value) then
    tensors[#tensors + 1] = { name, value:detach():contiguous() }
    return nil
  elseif type(value) == "number" then
    return value == value and math.abs(value) ~= math.huge and value or tostring(value)
  elseif type(value) == "string" or type(value) == "boolean" then
    return value
  elseif type(value) ~= "table" then
    error(("analysis: %s is a %s; numbers, texts, tensors and tables of them can be kept"):format(name, type(value)), 0)
  elseif depth > deepest then
    error(("analysis: %s is a table too deep"):format(name), 0)
  end
  local rest
  for _, key in ipairs(text.sorted_keys(value)) do
    local path = name and ("%s.%s"):format(name, tostring(key)) or tostring(key)
    local own = sort_out(value[key], path, tensors, depth + 1)
    if own ~= nil then
      rest = rest or {}
      rest[tostring(key)] = own
    end
  end
  return rest
end

-- Call the script's function with its run and keep what it gives. store: the open run; metrics: where numbers at the
-- top level go, too.
function analyse.run(ctx, handle, store, metrics)
  local found = ctx.box:call(ctx.experiment.analysis, handle)
  if found == nil then return end
  if type(found) ~= "table" or core.is_tensor(found) then
    error(("analysis must return a table of numbers, tensors and tables, not a %s"):format(
      core.is_tensor(found) and "tensor" or type(found)), 0)
  end
  local tensors = {}
  local rest = sort_out(found, nil, tensors, 0)
  for key, value in pairs(rest or {}) do
    if type(value) == "number" then
      if metrics[key] ~= nil then error(("analysis: '%s' is a metric of the run already"):format(key), 0) end
      metrics[key] = value
    end
  end
  if rest then store:note { analysis = rest } end
  if #tensors > 0 then core.format.save_npz(store:dir() .. "/analysis.npz", tensors) end
end

return analyse
