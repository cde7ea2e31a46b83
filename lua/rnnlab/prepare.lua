-- rnnlab.prepare owns what run and check have in common: from a script's path and its key=value words to
-- a checked experiment, its parameters, and (when asked) its data and model.
local alone = require "rnnlab.alone"
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local experiment = require "rnnlab.experiment"
local face = require "rnnlab.face"
local losses = require "rnnlab.losses"
local nn = require "rnnlab.nn"
local params = require "rnnlab.params"
local penalty = require "rnnlab.penalty"
local sandbox = require "rnnlab.sandbox"
local text = require "rnnlab.text"

local prepare = {}

local Context = {}
Context.__index = Context

local function described(value)
  if value == nil then return "nothing" end
  return "a " .. type(value)
end

-- options: script, copy and cwd (see sandbox.new), overrides, trust; dtype (overrides the parameter), print.
-- Returns { script, box, experiment, p, shown, order, seed, title }.
function prepare.open(options)
  local reserved = params.reserved(options.overrides)
  local dtype = options.dtype or reserved.dtype
  core.set_default_dtype(dtype)
  nn.set_stream(core.rng(reserved.seed, "init"), reserved.seed)
  local box = sandbox.new { script = options.script, copy = options.copy, cwd = options.cwd, trust = options.trust,
    seed = reserved.seed, print = options.print }
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
  local function rng_of(step) -- fresh data of a step: the stream (data_seed, "data", step)
    return core.rng(self.data_seed, "data", step % 2 ^ 32 | 0)
  end
  if alone.is(e) then return self:build_what_there_is(call, rng_of) end
  self.data = self.box:call(e.build_data, e, p, core.rng(self.data_seed, "data"), call, rng_of)
  local settings = e.loss ~= nil and self.box:call(e.training, e, p) or {}
  if settings.washout and settings.washout > 0 then self:wash(settings.washout) end
  local models = settings.models
  if models then
    self.members = require("rnnlab.ensemble").members(self, models)
    self.model = self.members[1].model
  else
    self.model = self.box:call(e.build_model, e, p, call)
  end
  local batch = self.data.train.x:size(1)
  if p.show > batch then
    errors.usage("show=%d: there %s %d sequence%s to show", p.show, batch == 1 and "is" or "are", batch,
      batch == 1 and "" or "s")
  end
  self:count_weights()
end

-- The model's parameter tensors, and how many numbers they hold.
function Context:count_weights()
  self.parameters = self.box:call(function() return self.model:parameters() end)
  self.weights = 0
  for _, parameter in ipairs(self.parameters) do
    self.weights = self.weights + parameter.tensor:numel()
  end
end

-- Of an experiment that is a main alone: data and model may be missing.
function Context:build_what_there_is(call, rng_of)
  local e, p = self.experiment, self.p
  self.data, self.parameters, self.weights = {}, {}, 0
  if e.data ~= nil then
    self.data = self.box:call(e.build_data, e, p, core.rng(self.data_seed, "data"), call, rng_of)
  end
  if e.model == nil then return end
  self.model = self.box:call(e.build_model, e, p, call)
  self:count_weights()
end

-- The first steps of every sequence do not count; see data.wash.
function Context:wash(n)
  local data = require "rnnlab.data"
  local stream = self.data.stream
  if stream then
    local batch = stream.batch
    -- The batch of a step, washed.
    function stream.batch(step) return data.wash(batch(step), n, "the batch") end
  end
  for _, name in ipairs { "train", "val", "test" } do
    if self.data[name] then data.wash(self.data[name], n, name) end
  end
end

-- "elman 3-5-2"
function Context:network()
  local model = self.model
  if model == nil then return "main" end
  if type(model.describe) == "function" then
    return tostring(self.box:call(model.describe, model))
  end
  return "network"
end

-- What the loss sees of a recorded step: where a chunk goes back further than its update, the steps that count. A mask
-- and weights become one weight a step; of a prediction without time only the weights are left.
local function counted(prediction, extra)
  local from, mask = extra.loss_from or 0, extra.mask
  local seen = {} -- every field of the batch, too, for a loss of the script's
  for name, value in pairs(extra) do
    if name ~= "carry" and name ~= "carried" then seen[name] = value end
  end
  seen.mask = nil
  if from > 0 then
    if prediction:dim() < 2 or prediction:size(2) ~= extra.steps then
      error(("truncated backpropagation needs an output at every step; the model gives %s for %d steps"):format(
        text.shape(prediction:size()), extra.steps), 0)
    end
    mask = mask and mask:narrow(2, from + 1, extra.steps - from)
    seen.lengths = extra.loss_lengths
    prediction = prediction:narrow(2, from + 1, extra.steps - from)
  end
  if prediction:dim() < 3 then return prediction, seen end
  if mask and extra.weights then mask, seen.weights = mask * extra.weights:unsqueeze(2), nil end
  seen.mask = mask
  return prediction, seen
end

-- The step as the trainer records it: function(x, y, extra) -> prediction, loss. While it runs, layers find in
-- rnnlab.context what they may want to know.
function Context:step(model, p)
  model, p = model or self.model, p or self.p
  local criterion, name = self.experiment:criterion()
  local made = self.box:call(penalty.parse, self.experiment, p)
  local noise, seed = penalty.input_noise(self.experiment, p), p.seed
  return function(x, y, extra)
    local _ <close> = context.enter { training = extra.training, clock = extra.clock, lengths = extra.lengths,
      mask = extra.mask, extra = extra, carry = extra.carry, carried = extra.carried }
    if noise and extra.training then x = penalty.noisy(x, noise, seed) end
    local prediction = model:forward(x)
    if type(prediction) ~= "userdata" then
      error("the model's forward must return a tensor, not " .. described(prediction), 0)
    end
    local judged, seen = counted(prediction, extra)
    local a, b = judged:size(), y:size()
    local fits = not losses.has_residual(name) or #a == #b
    for d = 1, losses.has_residual(name) and #a or 0 do
      fits = fits and a[d] == b[d]
    end
    if not fits then
      error(("the model (%s) gives %s and the target y is %s"):format(self:network(), text.shape(a), text.shape(b)), 0)
    end
    local loss = criterion(judged, y, seen)
    if made and extra.training then loss = loss + penalty.of(made, model) end
    return prediction, loss
  end
end

-- The parameter tensors alone.
function Context:tensors(parameters)
  local list = {}
  for i, parameter in ipairs(parameters or self.parameters) do
    list[i] = parameter.tensor
  end
  return list
end

return prepare
