-- rnnlab.penalty owns what is added to the loss while a network is trained: penalties on weights and on activity; and
-- the noise put on its inputs.
--
--     penalty = { l1 = 1e-4, l2 = 1e-3, activity = 1e-2, weights = { "weight_hh" } }
--     objective = loss + l1 sum |w| + l2 sum w^2 + activity mean over sequences and valid steps of sum_j h_j^2
--
-- The sums go over the weights named, by default every matrix; the activity of several recurrent layers adds up.
-- Validation and the final evaluation are of the loss alone.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local settings = require "rnnlab.settings"
local text = require "rnnlab.text"

local penalty = {}

local known = { "activity", "l1", "l2", "weights" }

local function amount(value, what)
  if type(value) ~= "number" or not (value >= 0) or value == math.huge then
    error(("%s must be a number of at least 0, not %s"):format(what, tostring(value)), 0)
  end
  return value > 0 and value or nil
end

local function only(given, names, what)
  for _, key in ipairs(text.sorted_keys(given)) do
    local found
    for _, name in ipairs(names) do
      found = found or name == key
    end
    if not found then
      error(("%s has no '%s'%s (known: %s)"):format(what, tostring(key), text.did_you_mean(tostring(key), names),
        table.concat(names, ", ")), 0)
    end
  end
end

-- The penalty of an experiment, checked; nil where there is none. A function of the parameters gives the table.
function penalty.parse(e, p)
  local given = e.penalty
  if type(given) == "function" then given = given(p) end
  if given == nil then return end
  if type(given) ~= "table" then error(("penalty must be a table, not a %s"):format(type(given)), 0) end
  only(given, known, "penalty")
  local made = { l1 = amount(given.l1 or 0, "penalty: l1"), l2 = amount(given.l2 or 0, "penalty: l2"),
    weights = given.weights }
  local activity = given.activity
  if type(activity) == "table" then
    only(activity, { "l1", "l2" }, "penalty: activity")
    made.activity_l1 = amount(activity.l1 or 0, "penalty: activity.l1")
    made.activity_l2 = amount(activity.l2 or 0, "penalty: activity.l2")
  else
    made.activity_l2 = amount(activity or 0, "penalty: activity")
  end
  if type(made.weights) == "string" and made.weights ~= "all" then made.weights = { made.weights } end
  if made.weights ~= nil and made.weights ~= "all" and type(made.weights) ~= "table" then
    error(('penalty: weights must be names or "all", not %s'):format(tostring(made.weights)), 0)
  end
  if not (made.l1 or made.l2 or made.activity_l1 or made.activity_l2) then return end
  return made
end

-- The tensors that are penalised: every matrix, all parameters, or those named. "weight_hh" names that of every layer,
-- "2.weight_hh" that of the second.
local function chosen(made, model)
  local all, list = model:parameters(), {}
  local by_name = type(made.weights) == "table"
  for _, parameter in ipairs(all) do
    if made.weights == "all" or not by_name and parameter.tensor:dim() >= 2 then list[#list + 1] = parameter.tensor end
  end
  for _, name in ipairs(by_name and made.weights or {}) do
    local before, names = #list, {}
    for i, parameter in ipairs(all) do
      names[i] = parameter.name
      if parameter.name == name or parameter.name:sub(-#tostring(name) - 1) == "." .. tostring(name) then
        list[#list + 1] = parameter.tensor
      end
    end
    if #list == before then
      error(("penalty: there is no weight '%s'%s (there is %s)"):format(tostring(name),
        text.did_you_mean(tostring(name), names), text.list(names)), 0)
    end
  end
  return list
end

local function recurrent_layers(model)
  local list = type(model.recurrent_layers) == "function" and model:recurrent_layers() or { model }
  if #list == 0 then error("penalty: activity is of recurrent layers; the network has none", 0) end
  return list
end

-- 1 where a step counts, (batch, time, 1), and how many do; a plain number where all do.
local function counted(batch, time, from)
  local mask = context.mask
  if context.lengths then
    local steps = core.arange(1, time):to(core.default_dtype()):unsqueeze(1)
    local within = core.minimum(core.relu(context.lengths:unsqueeze(2) - steps + 1), 1) -- 1 while t <= length
    mask = mask and mask * within or within
  end
  if from > 0 then
    mask = mask or core.ones(batch, time)
    mask = core.cat({ core.zeros(batch, from), mask:narrow(2, from + 1, time - from) }, 2)
  end
  if not mask then return nil, batch * time end
  return mask:unsqueeze(3), core.maximum(mask:sum(), 1)
end

-- The activity of the last forward pass.
local function activity_of(made, model)
  local total
  for i, layer in ipairs(recurrent_layers(model)) do
    local h = layer.h
    if h == nil then
      error(("penalty: layer %s keeps no hidden states%s"):format(layer.name or i,
        layer.checkpoint and "; checkpoint spares them" or ""), 0)
    end
    local mask, n = counted(h:size(1), h:size(2), context.extra and context.extra.loss_from or 0)
    for _, kind in ipairs { "l1", "l2" } do
      local weight = made["activity_" .. kind]
      if weight then
        local each = kind == "l1" and core.abs(h) or core.square(h)
        if mask then each = each * mask end
        local term = each:sum() * weight / n
        total = total and total + term or term
      end
    end
  end
  return total
end

-- What is added to the loss of the forward pass just made: a scalar tensor. made: from parse.
function penalty.of(made, model)
  local total
  local function add(term)
    total = total and total + term or term
  end
  local tensors = (made.l1 or made.l2) and chosen(made, model) or {}
  for _, tensor in ipairs(tensors) do
    if made.l1 then add(core.abs(tensor):sum() * made.l1) end
    if made.l2 then add(core.square(tensor):sum() * made.l2) end
  end
  if made.activity_l1 or made.activity_l2 then add(activity_of(made, model)) end
  return total
end

-- The standard deviation of the noise put on the inputs while training, from the experiment or its parameters.
function penalty.input_noise(e, p)
  local value = settings.setting(e, p, "input_noise")
  return value ~= nil and value ~= false and amount(value, "input_noise") or nil
end

-- The inputs of a step with noise on them.
function penalty.noisy(x, std, seed)
  if x:dim() ~= 3 then error("input_noise is for numbers; these inputs are symbols", 0) end
  return x + core.noise("normal", context.clock, x, { std = std, seed = seed, index = 0 })
end

return penalty
