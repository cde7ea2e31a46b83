-- rnnlab.nn.generate owns free running: a network's own outputs, step by step, as its next inputs.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local text = require "rnnlab.text"

-- Where states are kept from step to step: what context.carry and context.carried ask for.
local function carrier()
  local states = {}
  return function(name, batch, size, own)
    if states[name] then return states[name] end
    return own or core.zeros(batch, size)
  end, function(name, last)
    states[name] = last:detach()
  end
end

-- A class (from 1) for each row of logits (batch, classes): the largest where there is no rng, else drawn from
-- softmax(logits / temperature).
local function choose(logits, temperature, rng)
  local classes = {}
  for b, row in ipairs(logits:tolist()) do
    local best = 1
    for j = 2, #row do
      if row[j] > row[best] then best = j end
    end
    if rng then
      local sum, weights = 0, {}
      for j = 1, #row do
        weights[j] = math.exp((row[j] - row[best]) / temperature)
        sum = sum + weights[j]
      end
      local left = rng:uniform() * sum
      best = #row
      for j = 1, #row do
        left = left - weights[j]
        if left < 0 then
          best = j
          break
        end
      end
    end
    classes[b] = best
  end
  return classes
end

local known = { steps = true, symbols = true, temperature = true, rng = true, inputs = true, targets = true }

-- Given inputs of the steps to come, checked.
local function inputs_of(options, prefix)
  local given = options.inputs
  if given == nil then return end
  local sizes, like = core.is_tensor(given) and given:size() or {}, prefix:size()
  if #sizes ~= 3 or sizes[1] ~= like[1] or sizes[2] ~= options.steps or sizes[3] ~= like[3] then
    error(("generate: inputs are %s; expected %s"):format(#sizes > 0 and text.shape(sizes) or "a " .. type(given),
      text.shape { like[1], options.steps, like[3] }), 0)
  end
  if options.symbols then error("generate: symbols are the next inputs; inputs do not go with them", 0) end
  return given
end

-- r.nn.generate(model, prefix, options): runs the model over the prefix, (batch, time, features) or, with symbols =
-- true, (batch, time) of symbols, then `steps` steps on its own: each output is the next input, or with symbols the
-- most probable class, or one drawn by `rng` from softmax(output / temperature). Returns what it generated,
-- (batch, steps, features) or (batch, steps), and the outputs each was chosen from.
-- A network that feeds its outputs back itself (jordan, a reservoir with feedback) is driven by `inputs` (batch, steps,
-- features) instead, and over the prefix its outputs may be replaced by `targets` (batch, time, outputs): what is
-- generated are then its outputs at those inputs.
return function(model, prefix, options)
  for _, key in ipairs(text.sorted_keys(options)) do
    if not known[key] then
      error(("generate: there is no option '%s'%s (known: %s)"):format(tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(known)), table.concat(text.sorted_keys(known), ", ")), 0)
    end
  end
  local steps, temperature = options.steps, options.temperature or 1
  if math.type(steps) ~= "integer" or steps < 1 then
    error(("generate: steps must be a whole number, at least 1, not %s"):format(tostring(steps)), 0)
  end
  if type(temperature) ~= "number" or not (temperature > 0) then
    error(("generate: temperature must be a number above 0, not %s"):format(tostring(temperature)), 0)
  end
  local carry, carried = carrier()
  local generated, outputs, inputs = {}, {}, inputs_of(options, prefix)
  core.no_grad(function()
    local y
    do
      local forced = options.targets ~= nil
      local _ <close> = context.enter { training = false, carry = carry, carried = carried, teacher = forced,
        extra = forced and { y = options.targets } or nil }
      y = model:forward(prefix)
    end
    local _ <close> = context.enter { training = false, carry = carry, carried = carried }
    if #y:size() ~= 3 then error("generate: the model must give an output at every step", 0) end
    for step = 1, steps do
      if inputs then y = model:forward(inputs:narrow(2, step, 1):contiguous()) end
      local last = y:narrow(2, y:size(2), 1):contiguous()
      outputs[step] = last
      local x = last
      if options.symbols then
        local column = {}
        for b, class in ipairs(choose(last:squeeze(2), temperature, options.rng)) do
          column[b] = { class }
        end
        x = core.tensor(column, core.default_dtype())
      end
      generated[step] = x
      if step < steps and not inputs then y = model:forward(x) end
    end
  end)
  return core.cat(generated, 2), core.cat(outputs, 2)
end
