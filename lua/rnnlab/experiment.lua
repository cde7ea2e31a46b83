-- rnnlab.experiment owns the experiment table: its keys, their checks and defaults. What data may be stands in
-- data.lua, how to train in settings.lua.
local alone = require "rnnlab.alone"
local core = require "rnnlab.core"
local losses = require "rnnlab.losses"
local optimizers = require "rnnlab.optimizers"
local params = require "rnnlab.params"
local settings = require "rnnlab.settings"
local text = require "rnnlab.text"

local experiment = {}

local Experiment = {}
Experiment.__index = Experiment
Experiment.__name = "rnnlab.experiment"
Experiment.__metatable = false

local marked = setmetatable({}, { __mode = "k" })

-- key -> what it may be (type names of Lua), for messages and checks
local keys = {
  name = { "string" },
  params = { "table" },
  data = { "table", "function", "userdata" },
  model = { "table", "function" },
  loss = { "string", "table", "function" },
  optimizer = { "string", "table", "function" },
  epochs = { "number" },
  batch_size = { "number" },
  clip_norm = { "number" },
  clip_value = { "number" },
  schedule = { "string", "table", "function" },
  shuffle = { "boolean" },
  k1 = { "number" },
  k2 = { "number" },
  stateful = { "boolean", "string" },
  early_stopping = { "boolean", "number", "table" },
  validate_every = { "number" },
  norms = { "boolean", "number" },
  analysis = { "function" },
  penalty = { "table", "function" },
  input_noise = { "number" },
  washout = { "number" },
  models = { "number", "table" },
  on_epoch = { "function" },
  metrics = { "table" },
  figures = { "table", "boolean" },
  report = { "function" },
  main = { "function" },
  sweep = { "table" },
  checkpoint = { "boolean", "number", "string", "table" },
}
local loop_keys = { "epochs", "batch_size", "clip_norm", "clip_value", "schedule", "shuffle", "k1", "k2", "stateful",
  "validate_every", "norms", "models", "input_noise", "washout" }

experiment.figures = { "prediction", "loss" } -- those that come by themselves
experiment.all_figures = { "prediction", "loss", "states", "weights", "gates", "spectrum", "pca" }

local function includes(list, word)
  for _, candidate in ipairs(list) do
    if candidate == word then return true end
  end
  return false
end

local function one_of(word, known, what)
  if not includes(known, word) then
    error(("%s '%s' is not known%s (there is %s)"):format(what, text.one_line(tostring(word)),
      text.did_you_mean(tostring(word), known), text.list(known)), 0)
  end
  return word
end

-- metrics = { "rmse", mine = function(prediction, target) ... end } -> functions by name
local function named_metrics(given)
  local all, known = {}, require "rnnlab.metrics"
  for name, f in pairs(given or {}) do
    if type(name) == "number" and type(f) == "string" then
      one_of(f, known.names(), "metric")
      all[f] = known[f]
    elseif type(name) == "string" and type(f) == "function" then
      all[name] = f
    else
      error("metrics is a table of names and functions: "
        .. 'metrics = { "rmse", name = function(prediction, target) ... end }', 0)
    end
  end
  return all
end

-- figures = { "states", name = function(run) ... end }
local function check_figures(given)
  for name, value in pairs(type(given) == "table" and given or {}) do
    if math.type(name) == "integer" then
      one_of(value, experiment.all_figures, "figure")
    elseif type(name) ~= "string" or type(value) ~= "function" then
      error('figures is a list of names, and functions by name: figures = { "states", mine = function(run) '
        .. "return r.figure{...} end }", 0)
    elseif not name:find "^%a[%w_-]*$" or #name > 40 or includes(experiment.all_figures, name) then
      error(("a figure cannot be called '%s': letters, digits, '_' and '-', and none of %s"):format(
        text.one_line(name:sub(1, 60)), text.list(experiment.all_figures)), 0)
    end
  end
end

-- r.experiment{ ... }: checks the table and marks it, so that the runner knows it.
function experiment.new(table_)
  if type(table_) ~= "table" then
    error(("r.experiment takes a table, not a %s"):format(type(table_)), 0)
  end
  local known = text.sorted_keys(keys)
  for _, key in ipairs(text.sorted_keys(table_)) do
    local kinds = keys[key]
    if not kinds then
      error(("an experiment has no '%s'%s (known: %s)"):format(tostring(key),
        text.did_you_mean(tostring(key), known), table.concat(known, ", ")), 0)
    end
    local kind = type(table_[key])
    if not includes(kinds, kind) then
      error(("the experiment's %s must be a %s, not a %s"):format(key, text.list(kinds, "or"), kind), 0)
    end
  end
  local needed = not alone.is(table_)
  if needed and table_.model == nil then error("the experiment has no model", 0) end
  if needed and table_.data == nil then error("the experiment has no data", 0) end
  if table_.loss ~= nil and type(table_.loss) ~= "function" then losses.parse(table_.loss) end
  if type(table_.optimizer) == "string" then optimizers.check(table_.optimizer) end
  local e = setmetatable({}, Experiment)
  for key, value in pairs(table_) do
    e[key] = value
  end
  check_figures(e.figures)
  e.metrics = named_metrics(e.metrics)
  e.declared = params.declare(table_.params)
  for _, key in ipairs(loop_keys) do
    if e[key] ~= nil and e.declared.types[key] then
      error(("%s stands in the experiment and in its params; keep one"):format(key), 0)
    end
  end
  if e.loss == nil and e.epochs then error("the experiment has epochs but no loss to train on", 0) end
  marked[e] = true
  return e
end

-- Was it made by r.experiment?
function experiment.is(value)
  return type(value) == "table" and marked[value] == true
end

-- The experiment's name: given, or from the script's.
function Experiment:title(script)
  return core.store.experiment_name(self.name or script)
end

-- How to train: { epochs =, optimizer = {...}, batch_size =, ... }; see settings.lua.
function Experiment:training(p)
  local optimizer = optimizers.parse(settings.setting(self, p, "optimizer"), p)
  optimizers.check_loss(optimizer.kind, self.loss)
  return settings.of(self, p, optimizer)
end

-- The loss as a function of (prediction, target, extra), and its name. extra: mask, lengths and weights, where the data
-- have them.
function Experiment:criterion()
  if type(self.loss) == "function" then return self.loss, "loss" end
  return losses.criterion(self.loss)
end

-- ---- data and model -----------------------------------------------------------------------------

-- Whatever a script gives as data -> { train = part, val = part?, test = part?, stream = {...}? }; see data.lua.
-- call(f, ...) calls a function of the script's. rng: the stream for it; rng_of(step): that of a step, for fresh data.
function Experiment:build_data(p, rng, call, rng_of)
  return require("rnnlab.data").build(self, p, rng, call, rng_of)
end

-- The model as the runner needs it: something with forward and parameters.
function Experiment:build_model(p, call)
  local model = self.model
  if type(model) == "function" then
    model = call(model, p)
    if model == nil then error("model returned nothing; it must return a network such as r.rnn(...)", 0) end
  end
  if type(model) ~= "table" or type(model.forward) ~= "function" or type(model.parameters) ~= "function" then
    error(("model must be a network such as r.rnn(...), not a %s"):format(type(model)), 0)
  end
  return model
end

return experiment
