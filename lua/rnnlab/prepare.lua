-- rnnlab.prepare owns what run and check have in common: from a script's path and its key=value words to
-- a checked experiment, its parameters, and (when asked) its data and model.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local experiment = require "rnnlab.experiment"
local face = require "rnnlab.face"
local nn = require "rnnlab.nn"
local params = require "rnnlab.params"
local sandbox = require "rnnlab.sandbox"

local prepare = {}

local Context = {}
Context.__index = Context

local function described(value)
  if value == nil then return "nothing" end
  return "a " .. type(value)
end

-- options: script, overrides, trust; dtype (overrides the parameter), print.
-- Returns { script, box, experiment, p, shown, order, seed, title }.
function prepare.open(options)
  local reserved = params.reserved(options.overrides)
  local dtype = options.dtype or reserved.dtype
  core.set_default_dtype(dtype)
  nn.set_stream(core.rng(reserved.seed, "init"))
  local box = sandbox.new { script = options.script, trust = options.trust, seed = reserved.seed,
    print = options.print }
  box.public = face.new(function(load_) return box:loader(load_) end)
  local value = box:run()
  if not experiment.is(value) then
    errors.failure("%s returned %s; it must end with: return r.experiment{ ... }", options.script,
      described(value))
  end
  params.order(value.declared, box.bytes)
  local resolved = params.resolve(value.declared, options.overrides)
  resolved.p.dtype = dtype
  return setmetatable({
    script = options.script, box = box, experiment = value, p = resolved.p, shown = resolved.shown,
    order = resolved.order, seed = reserved.seed, data_seed = reserved.data_seed,
    title = value:title(options.script),
  }, Context)
end

-- Build data (from the stream (data_seed, "data")) and model (weights from (seed, "init")).
function Context:build()
  local e, p = self.experiment, self.p
  local function call(f, ...)
    return self.box:call(f, ...)
  end
  self.data = self.box:call(e.build_data, e, p, core.rng(self.data_seed, "data"), call)
  self.model = self.box:call(e.build_model, e, p, call)
  local batch = self.data.train.x:size(1)
  if p.show > batch then
    errors.usage("show=%d: there %s %d sequence%s to show", p.show, batch == 1 and "is" or "are", batch,
      batch == 1 and "" or "s")
  end
  self.parameters = self.box:call(function() return self.model:parameters() end)
  self.weights = 0
  for _, parameter in ipairs(self.parameters) do
    self.weights = self.weights + parameter.tensor:numel()
  end
end

-- "elman 3-5-2"
function Context:network()
  local model = self.model
  if type(model.describe) == "function" then
    return tostring(self.box:call(model.describe, model))
  end
  return "network"
end

-- The step as the trainer records it: function(x, y) -> prediction, loss.
function Context:step()
  local model, criterion = self.model, (self.experiment:criterion())
  return function(x, y)
    local prediction = model:forward(x)
    if type(prediction) ~= "userdata" then
      error("the model's forward must return a tensor, not " .. described(prediction), 0)
    end
    local a, b = prediction:size(), y:size()
    local fits = #a == #b
    for d = 1, #a do
      fits = fits and a[d] == b[d]
    end
    if not fits then
      local shape = require("rnnlab.text").shape
      error(("the model (%s) gives %s and the target y is %s"):format(self:network(), shape(a), shape(b)), 0)
    end
    return prediction, criterion(prediction, y)
  end
end

-- The parameter tensors alone.
function Context:tensors()
  local list = {}
  for i, parameter in ipairs(self.parameters) do
    list[i] = parameter.tensor
  end
  return list
end

return prepare
