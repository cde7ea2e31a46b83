-- rnnlab.data owns what a script may give as data, and the shapes of it.
--
-- A part of the data is a table of tensors with the batch dimension first: x (batch, time, feature), the target y, and
-- whatever else belongs to each sequence. Some names have a meaning: mask (batch, time) and lengths (batch) say which
-- steps are valid, weights (batch) how much a sequence counts.
local core = require "rnnlab.core"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local data = {}

local is_tensor = core.is_tensor

local function tensor_of(value, what, dtype)
  if not is_tensor(value) and type(value) ~= "table" then
    error(("%s must be a tensor or nested tables, not a %s"):format(what, type(value)), 0)
  end
  local tensor = is_tensor(value) and value or core.tensor(value, dtype)
  if tensor:dim() == 0 or tensor:numel() == 0 then
    error(("%s is empty: %s"):format(what, text.shape(tensor:size())), 0)
  end
  return tensor:to(dtype)
end

-- x: (batch, time, feature), or (batch, time) of symbols' numbers. Written down as { {1, 2, -1}, ... }: one sequence.
local function input(value, what, dtype)
  local tensor = tensor_of(value, what, dtype)
  if tensor:dim() == 2 and not is_tensor(value) then tensor = tensor:unsqueeze(1) end
  if tensor:dim() < 2 or tensor:dim() > 3 then
    error(("%s must be (batch, time, feature), or (batch, time) of symbols; it is %s"):format(what,
      text.shape(tensor:size())), 0)
  end
  return tensor
end

-- y: (batch, time, output), (batch, time) or (batch) of classes, or (batch, output).
local function target(value, what, dtype, x, x_what)
  local tensor = tensor_of(value, what, dtype)
  if tensor:dim() == 2 and not is_tensor(value) and x:size(1) == 1 and tensor:size(1) == x:size(2) then
    tensor = tensor:unsqueeze(1)
  end
  local a, b = x:size(), tensor:size()
  if #b > 3 or a[1] ~= b[1] or (#b == 3 and a[2] ~= b[2]) then
    error(("data: %s is %s and %s is %s; batch and time must agree"):format(x_what, text.shape(a), what,
      text.shape(b)), 0)
  end
  return tensor
end

-- One part, checked and in the run's dtype. name: for messages.
function data.part(value, name, dtype, needs_target)
  if type(value) ~= "table" or value.x == nil then
    error(("data: %s must be { x = ..., y = ... }"):format(name), 0)
  end
  local part = { x = input(value.x, name .. ".x", dtype) }
  if value.y ~= nil then
    part.y = target(value.y, name .. ".y", dtype, part.x, name .. ".x")
  elseif needs_target then
    error(("data: %s has no y to train towards"):format(name), 0)
  end
  for _, key in ipairs(text.sorted_keys(value)) do
    if type(key) ~= "string" or not key:find "^[%a_][%w_]*$" then
      error(("data: %s has a field '%s'; fields are named by words"):format(name, tostring(key)), 0)
    end
    if part[key] == nil then
      local tensor = tensor_of(value[key], name .. "." .. key, dtype)
      if tensor:size(1) ~= part.x:size(1) then
        error(("data: %s.%s is %s; its first size must be the %d sequences of %s.x"):format(name, key,
          text.shape(tensor:size()), part.x:size(1), name), 0)
      end
      part[key] = tensor
    end
  end
  return part
end

-- train = { stream = function(rng, step) return { x =, y = } end, steps_per_epoch = n }: fresh data at every step. The
-- batch of step 1 stands for the training set wherever one is looked at (predictions, figures).
local function stream(value, p, needs_target, call, rng_of)
  if type(value.stream) ~= "function" then
    error(("data: train.stream must be a function(rng, step), not a %s"):format(type(value.stream)), 0)
  end
  for _, key in ipairs(text.sorted_keys(value)) do
    if key ~= "stream" and key ~= "steps_per_epoch" then
      error(("data: a stream has stream and steps_per_epoch, not '%s'"):format(tostring(key)), 0)
    end
  end
  local made = { steps = params.integer(value.steps_per_epoch or 100, "steps_per_epoch", 1) }
  -- The batch of a step, from a stream of random numbers of its own: it does not depend on those before it.
  function made.batch(step)
    local batch = call(value.stream, rng_of(step), step)
    if batch == nil then error("data: train.stream returned nothing; it must return { x = ..., y = ... }", 0) end
    return data.part(batch, "the batch", p.dtype, needs_target)
  end
  return made
end

-- e: the experiment. See Experiment:build_data.
function data.build(e, p, rng, call, rng_of)
  local value = e.data
  if type(value) == "function" then
    value = call(value, p, rng)
    if value == nil then error("data returned nothing; it must return { train = { x = ..., y = ... } }", 0) end
  end
  local needs_target = e.loss ~= nil
  if is_tensor(value) or (type(value) == "table" and value[1] ~= nil) then
    value = { train = { x = value } }
  elseif type(value) == "table" and value.x ~= nil then
    value = { train = value }
  end
  if type(value) ~= "table" or value.train == nil then
    error("data must be a tensor, nested tables, { x =, y = } or { train = { x =, y = } }", 0)
  end
  local built = {}
  for _, name in ipairs(text.sorted_keys(value)) do
    if name ~= "train" and name ~= "val" and name ~= "test" then
      error(("data has train, val and test, not '%s'"):format(tostring(name)), 0)
    end
    if name == "train" and type(value.train) == "table" and value.train.stream ~= nil then
      built.stream = stream(value.train, p, needs_target, call, rng_of)
      built.train = built.stream.batch(1)
    else
      built[name] = data.part(value[name], name, p.dtype, needs_target)
    end
  end
  local features = built.train.x:dim() == 3 and built.train.x:size(3) or 1
  for _, name in ipairs { "val", "test" } do
    local x = built[name] and built[name].x
    local own = x and (x:dim() == 3 and x:size(3) or 1)
    if own and own ~= features then
      error(("data: train.x has %d features and %s.x has %d"):format(features, name, own), 0)
    end
  end
  return built
end

-- Of every sequence, its first n steps no longer count: in the loss, in the metrics, in a read-out's fit.
function data.wash(part, n, name)
  local batch, time = part.x:size(1), part.x:size(2)
  if not part.y or part.y:dim() < 2 or part.y:size(2) ~= time then
    error(("washout leaves out steps of the target; %s.y has none"):format(name), 0)
  end
  if n >= time then error(("washout=%d leaves nothing of the %d steps of %s"):format(n, time, name), 0) end
  local mask = part.mask and part.mask:clone() or core.ones(batch, time, part.x:dtype())
  mask:narrow(2, 1, n):fill(0)
  part.mask = mask
  return part
end

-- Which steps of a part count, 1 or 0 each, (batch, time) in float64; nil: all.
function data.valid(part)
  if not part.lengths and not part.mask then return nil end
  local batch, time = part.x:size(1), part.x:size(2)
  local valid = part.mask and part.mask:to("float64"):clone() or core.ones(batch, time, "float64")
  for i, n in ipairs(part.lengths and part.lengths:tolist() or {}) do
    n = math.tointeger(n)
    if n and n < time then valid:select(1, i):narrow(1, n + 1, time - n):fill(0) end
  end
  return valid
end

-- The target of a part with NaN where a step does not count, as the metrics by name want it.
function data.judged(part)
  local valid, y = data.valid(part), part.y
  if not valid or y:dim() < 2 or y:size(2) ~= part.x:size(2) then return y end
  y = y:clone()
  for i, row in ipairs(valid:tolist()) do
    for t, counts in ipairs(row) do
      if counts == 0 then y:select(1, i):narrow(1, t, 1):fill(0 / 0) end
    end
  end
  return y
end

-- The sequences `indices` of a part, as a part.
function data.rows(part, indices)
  local rows = {}
  for name, tensor in pairs(part) do
    rows[name] = tensor:index(1, indices)
  end
  return rows
end

return data
