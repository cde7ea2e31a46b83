-- rnnlab.experiment owns the experiment table: its keys, their checks and defaults, and the shapes of data.
local core = require "rnnlab.core"
local params = require "rnnlab.params"
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
  loss = { "string", "function" },
  optimizer = { "string", "table", "function" },
  epochs = { "number" },
  batch_size = { "number" },
  clip_norm = { "number" },
  clip_value = { "number" },
  shuffle = { "boolean" },
  on_epoch = { "function" },
  metrics = { "table" },
  figures = { "table", "boolean" },
  main = { "function" },
}
local loop_keys = { "epochs", "batch_size", "clip_norm", "clip_value", "shuffle" }

experiment.losses = { "sse", "mse" }
experiment.figures = { "prediction", "loss" }
experiment.optimizers = { "adam", "adam_tf", "sgd", "momentum" }

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
  if table_.model == nil then error("the experiment has no model", 0) end
  if table_.data == nil then error("the experiment has no data", 0) end
  if type(table_.loss) == "string" then one_of(table_.loss, experiment.losses, "loss") end
  if type(table_.optimizer) == "string" then one_of(table_.optimizer, experiment.optimizers, "optimizer") end
  local e = setmetatable({}, Experiment)
  for key, value in pairs(table_) do
    e[key] = value
  end
  for _, kind in ipairs(type(e.figures) == "table" and e.figures or {}) do
    one_of(kind, experiment.figures, "figure")
  end
  for name in pairs(e.metrics or {}) do
    if type(name) ~= "string" or type(e.metrics[name]) ~= "function" then
      error("metrics is a table of functions: metrics = { name = function(prediction, target) ... end }", 0)
    end
  end
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

-- A setting of the loop: from the parameters where they have it, else from the experiment, else nil.
local function setting(e, p, key)
  local value = rawget(p, key)
  if value == nil then value = e[key] end
  return value
end

local function positive(value, what)
  if type(value) ~= "number" or not (value > 0) then
    error(("%s must be a number above 0, not %s"):format(what, tostring(value)), 0)
  end
  return value
end

-- The optimiser's table: { kind =, lr =, ... }; lr from params.lr where it is there, else .01.
local optimizer_keys = { kind = true, lr = true, momentum = true, beta1 = true, beta2 = true, eps = true }
local function optimizer(e, p)
  local given = setting(e, p, "optimizer")
  if type(given) == "function" then given = given(p) end
  if given == nil then given = "adam" end
  if type(given) == "string" then given = { kind = given } end
  if type(given) ~= "table" then
    error(("optimizer must be a name or a table, not a %s"):format(type(given)), 0)
  end
  local settings = {}
  for key, value in pairs(given) do
    if not optimizer_keys[key] then
      error(("an optimizer has no '%s'%s"):format(tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(optimizer_keys))), 0)
    end
    settings[key] = value
  end
  settings.kind = one_of(settings.kind or "adam", experiment.optimizers, "optimizer")
  for _, key in ipairs { "lr", "momentum", "beta1", "beta2", "eps" } do
    if settings[key] == nil then settings[key] = rawget(p, key) end
    if settings[key] ~= nil and type(settings[key]) ~= "number" then
      error(("the optimizer's %s must be a number, not a %s"):format(key, type(settings[key])), 0)
    end
  end
  settings.lr = positive(settings.lr or .01, "lr")
  if settings.kind == "momentum" and not settings.momentum then settings.momentum = .9 end
  return settings
end

-- How to train: { epochs =, optimizer = {...}, batch_size =, clip_norm =, clip_value =, shuffle = }.
function Experiment:training(p)
  local batch_size = setting(self, p, "batch_size")
  local clip_norm, clip_value = setting(self, p, "clip_norm"), setting(self, p, "clip_value")
  local shuffle = setting(self, p, "shuffle")
  return {
    epochs = params.integer(setting(self, p, "epochs") or 1000, "epochs", 0),
    optimizer = optimizer(self, p),
    batch_size = batch_size and params.integer(batch_size, "batch_size", 1),
    clip_norm = clip_norm and positive(clip_norm, "clip_norm"),
    clip_value = clip_value and positive(clip_value, "clip_value"),
    shuffle = shuffle == nil and batch_size ~= nil or shuffle == true,
  }
end

-- The loss as a function of (prediction, target), and its name.
function Experiment:criterion()
  local loss = self.loss
  if type(loss) == "function" then return loss, "loss" end
  return function(y, target) return core.loss(loss, y, target) end, loss
end

-- ---- data ---------------------------------------------------------------------------------------

local is_tensor = core.is_tensor

-- One of x, y as a (batch, time, feature) tensor of the run's dtype.
local function sequence(value, what, dtype)
  if not is_tensor(value) and type(value) ~= "table" then
    error(("%s must be a tensor or nested tables, not a %s"):format(what, type(value)), 0)
  end
  local tensor = is_tensor(value) and value or core.tensor(value, dtype)
  if tensor:dim() == 2 and not is_tensor(value) then
    tensor = tensor:unsqueeze(1) -- { {1, 2, -1}, ... } written down: one sequence
  end
  if tensor:dim() ~= 3 then
    error(("%s must be (batch, time, feature), not %s"):format(what, text.shape(tensor:size())), 0)
  end
  if tensor:numel() == 0 then
    error(("%s is empty: %s"):format(what, text.shape(tensor:size())), 0)
  end
  return tensor:to(dtype)
end

local function part(value, name, dtype, needs_target)
  if type(value) ~= "table" or value.x == nil then
    error(("data: %s must be { x = ..., y = ... }"):format(name), 0)
  end
  for _, key in ipairs(text.sorted_keys(value)) do
    if key ~= "x" and key ~= "y" then
      error(("data: %s has x and y, not '%s'"):format(name, tostring(key)), 0)
    end
  end
  local x = sequence(value.x, name .. ".x", dtype)
  if value.y == nil then
    if needs_target then error(("data: %s has no y to train towards"):format(name), 0) end
    return { x = x }
  end
  local y = sequence(value.y, name .. ".y", dtype)
  local a, b = x:size(), y:size()
  if a[1] ~= b[1] or a[2] ~= b[2] then
    error(("data: %s.x is %s and %s.y is %s; batch and time must agree"):format(name, text.shape(a),
      name, text.shape(b)), 0)
  end
  return { x = x, y = y }
end

-- Whatever a script gives as data -> { train = { x =, y = }, val = {...}? , test = {...}? }.
-- call(f, ...) calls a function of the script's.
function Experiment:build_data(p, rng, call)
  local value = self.data
  if type(value) == "function" then
    value = call(value, p, rng)
    if value == nil then error("data returned nothing; it must return { train = { x = ..., y = ... } }", 0) end
  end
  local needs_target = self.loss ~= nil
  if is_tensor(value) or (type(value) == "table" and value[1] ~= nil) then
    value = { train = { x = value } }
  elseif type(value) == "table" and value.x ~= nil then
    value = { train = value }
  end
  if type(value) ~= "table" or value.train == nil then
    error("data must be a tensor, nested tables, { x =, y = } or { train = { x =, y = } }", 0)
  end
  local data = {}
  for _, name in ipairs(text.sorted_keys(value)) do
    if not includes({ "train", "val", "test" }, name) then
      error(("data has train, val and test, not '%s'"):format(tostring(name)), 0)
    end
    data[name] = part(value[name], name, p.dtype, needs_target)
  end
  local features = data.train.x:size(3)
  for _, name in ipairs { "val", "test" } do
    if data[name] and data[name].x:size(3) ~= features then
      error(("data: train.x has %d features and %s.x has %d"):format(features, name, data[name].x:size(3)), 0)
    end
  end
  return data
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
