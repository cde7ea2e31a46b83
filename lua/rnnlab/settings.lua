-- rnnlab.settings owns how a run trains: what stands in the experiment or in its parameters about the loop, checked
-- and filled up.
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local settings = {}

-- A setting of the loop: from the parameters where they have it, else from the experiment, else nil.
function settings.setting(e, p, key)
  local value = rawget(p, key)
  if value == nil then value = e[key] end
  return value
end
local setting = settings.setting

-- A number above 0.
function settings.positive(value, what)
  if type(value) ~= "number" or not (value > 0) then
    error(("%s must be a number above 0, not %s"):format(what, tostring(value)), 0)
  end
  return value
end
local positive = settings.positive

-- A whole number >= low; 0, false and nil: the setting is off.
local function count(e, p, key, low)
  local value = setting(e, p, key)
  if value == nil or value == false or value == 0 then return nil end
  if value == true then return low end
  return params.integer(value, key, low)
end

-- Truncated backpropagation: an update every k1 steps that goes back k2, by default k1.
local function truncation(e, p, into)
  into.k1 = count(e, p, "k1", 1)
  into.k2 = count(e, p, "k2", 1)
  if into.k2 and not into.k1 then error("k2 is given without k1, the steps between two updates", 0) end
  if into.k2 and into.k2 < into.k1 then
    error(("k2=%d is less than k1=%d; an update goes back over all its steps at least"):format(into.k2, into.k1), 0)
  end
end

-- stateful = true, or "forever": an epoch goes on where the one before ended, too.
local function stateful(e, p, into)
  local value = setting(e, p, "stateful")
  if value == nil or value == false then return end
  if value ~= true and value ~= "forever" then
    error(('stateful must be true, false or "forever", not \'%s\''):format(tostring(value)), 0)
  end
  into.stateful, into.keep_states = true, value == "forever" or nil
  if into.shuffle and setting(e, p, "shuffle") then
    error("a stateful network needs its batches in order; shuffle = true does not go with it", 0)
  end
  into.shuffle = false
end

local stopping_keys = { metric = true, patience = true, min_delta = true, restore = true, mode = true }

-- Is more of it better? By its name, where the script does not say.
local function grows(metric)
  return type(metric) == "string" and (metric:find "accuracy$" or metric:find "r2$") ~= nil
end

-- early_stopping = true, a patience, or { metric =, patience = 10, min_delta = 0, restore = true, mode = "min"|"max" }.
-- metric: "val_loss" (the default), "loss", a name among the script's metrics with or without "val_", or
-- function(run) -> number.
local function early_stopping(e, into)
  local given = e.early_stopping
  if given == nil or given == false then return end
  if type(given) == "number" then given = { patience = given } end
  if given == true then given = {} end
  for _, key in ipairs(text.sorted_keys(given)) do
    if not stopping_keys[key] then
      error(("early_stopping has no '%s'%s (known: %s)"):format(tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(stopping_keys)),
        table.concat(text.sorted_keys(stopping_keys), ", ")), 0)
    end
  end
  local metric = given.metric == nil and "val_loss" or given.metric
  if type(metric) ~= "string" and type(metric) ~= "function" then
    error(("early_stopping: metric must be a name or a function, not a %s"):format(type(metric)), 0)
  end
  if type(metric) == "string" and metric ~= "val_loss" and metric ~= "loss" then
    local by_name = require "rnnlab.metrics"
    local name, known = metric:gsub("^val_", ""), { "loss", "val_loss", table.unpack(by_name.names()) }
    for _, own in ipairs(text.sorted_keys(e.metrics)) do
      if not by_name[own] then known[#known + 1] = own end
    end
    if name == "names" or not (by_name[name] or e.metrics[name]) then
      error(("early_stopping: there is no metric '%s'%s (there is %s)"):format(metric, text.did_you_mean(metric, known),
        text.list(known)), 0)
    end
  end
  local min_delta = given.min_delta or 0
  if type(min_delta) ~= "number" or not (min_delta >= 0) then
    error(("early_stopping: min_delta must be a number of at least 0, not %s"):format(tostring(min_delta)), 0)
  end
  if given.mode ~= nil and given.mode ~= "min" and given.mode ~= "max" then
    error(('early_stopping: mode must be "min" or "max", not %s'):format(tostring(given.mode)), 0)
  end
  local max = grows(metric)
  if given.mode then max = given.mode == "max" end
  local patience = params.integer(given.patience or 10, "early_stopping: patience", 0)
  into.early_stopping = { metric = metric, patience = patience,
    min_delta = min_delta, restore = given.restore ~= false, larger_is_better = max }
end

-- models = K, or a list of tables of parameters; one model is nothing special.
local function models(e, p)
  local value = setting(e, p, "models")
  if type(value) ~= "table" then
    local k = count(e, p, "models", 1)
    return k and k > 1 and k or nil
  end
  if #value == 0 then error("models must be a number, or a list of tables of parameters", 0) end
  return value
end

-- e: the experiment, p: the parameters, optimizer: its checked table.
function settings.of(e, p, optimizer)
  local batch_size = setting(e, p, "batch_size")
  local clip_norm, clip_value = setting(e, p, "clip_norm"), setting(e, p, "clip_value")
  local shuffle = setting(e, p, "shuffle")
  local into = {
    epochs = params.integer(setting(e, p, "epochs") or 1000, "epochs", 0),
    optimizer = optimizer,
    batch_size = batch_size and params.integer(batch_size, "batch_size", 1),
    clip_norm = clip_norm and positive(clip_norm, "clip_norm"),
    clip_value = clip_value and positive(clip_value, "clip_value"),
    shuffle = shuffle == nil and batch_size ~= nil or shuffle == true,
    validate_every = count(e, p, "validate_every", 1),
    norms = count(e, p, "norms", 1),
    threads = rawget(p, "threads"),
    models = models(e, p),
    washout = count(e, p, "washout", 1) or optimizer.washout and params.integer(optimizer.washout, "washout", 0),
  }
  into.schedule = require("rnnlab.schedules").parse(setting(e, p, "schedule"))
  into.checkpoint = require("rnnlab.checkpoint").policy(e.checkpoint, "checkpoint")
  truncation(e, p, into)
  stateful(e, p, into)
  early_stopping(e, into)
  return into
end

return settings
