-- rnnlab.restore owns a stored run's network: its copy of the script is read again, the model built with the run's
-- parameters and given the stored weights. No data are made and nothing is trained.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local handle = require "rnnlab.handle"
local prepare = require "rnnlab.prepare"
local text = require "rnnlab.text"

local restore = {}

-- key=value words that give a run's parameters again.
local function words_of(record)
  local words = {}
  for _, name in ipairs(text.sorted_keys(record.params or {})) do
    words[#words + 1] = ("%s=%s"):format(name, text.value(record.params[name]))
  end
  return words
end

-- The script of a run (from core.store.open) as prepare.open gives it; what it prints is not shown.
function restore.script(found)
  local path = found.dir .. "/script.lua"
  if not core.host.exists(path) then
    errors.failure("%s has no copy of its script, so it cannot be read again", found.name)
  end
  return prepare.open { script = path, overrides = words_of(found.record), trust = found.record.trust or false,
    print = function() end }
end

-- The same with its model: ctx.model has the stored weights, ctx.parameters lists them. A forward pass stores none: its
-- weights are the script's.
function restore.model(found)
  local ctx = restore.script(found)
  local path = found.dir .. "/model.safetensors"
  local untrained = ctx.experiment.loss == nil
  if ctx.experiment.model == nil then errors.failure("%s has no network; its script is a main alone", found.name) end
  if not untrained and not core.host.exists(path) then errors.failure("%s has no model.safetensors", found.name) end
  local stored = not untrained and core.format.load_safetensors(path)
  ctx.model = ctx.box:call(ctx.experiment.build_model, ctx.experiment, ctx.p, function(f, ...)
    return ctx.box:call(f, ...)
  end)
  ctx.parameters = ctx.box:call(function() return ctx.model:parameters() end)
  if untrained then return ctx end
  for _, parameter in ipairs(ctx.parameters) do
    local tensor, own = stored[parameter.name], parameter.tensor
    if not tensor then errors.failure("%s: model.safetensors has no '%s'", found.name, parameter.name) end
    if text.shape(tensor:size()) ~= text.shape(own:size()) then
      errors.failure("%s: '%s' has shape %s in model.safetensors, but the script's network has %s", found.name,
        parameter.name, text.shape(tensor:size()), text.shape(own:size()))
    end
    own:detach():copy(tensor)
  end
  local buffers = type(ctx.model.buffers) == "function" and ctx.box:call(ctx.model.buffers, ctx.model) or {}
  for _, buffer in ipairs(buffers) do -- a reservoir's weights: drawn again, or as they were given
    if stored[buffer.name] then buffer.tensor:copy(stored[buffer.name]) end
  end
  return ctx
end

-- r.load_run(ref, results): what a stored run has left, for the repl: { name, dir, model, params, record }.
function restore.load(ref, results)
  if type(ref) ~= "string" then error(("load_run takes a run's name, not a %s"):format(type(ref)), 0) end
  local dtype = core.default_dtype()
  local found = core.store.open(results or "results", ref)
  local ok, ctx = pcall(restore.model, found)
  core.set_default_dtype(dtype)
  if not ok then error(ctx, 0) end
  return { name = found.name, dir = found.dir, model = ctx.model, params = ctx.p, record = found.record }
end

-- What every recurrent layer of ctx's model computes for x (batch, time, feature): a list of { name =, kind =,
-- hidden =, states = { h =, c =, gates = ... } }.
function restore.states(ctx, x)
  return ctx.box:call(function()
    local _ <close> = context.enter { inspect = true, extra = { x = x } }
    return handle.inspect(ctx.model, x)
  end)
end

return restore
