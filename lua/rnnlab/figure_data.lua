-- rnnlab.figure_data owns what the figures of a stored run are made from, read from its folder when it is first asked
-- for: metrics, predictions, weights, and (by its script's network with the stored weights) states.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local data = {}

local MOST_UNITS = 48 -- of networks whose fixed points are sought

local Data = {}
Data.__index = Data

-- "elman 3-5-2 · adam, lr 0.01"
local function subtitle_of(record)
  local parts = { record.network }
  local training = record.training
  if training and training.optimizer then
    parts[#parts + 1] = ("%s, lr %s"):format(training.optimizer.kind, text.value(training.optimizer.lr))
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

--- found: from core.store.open. show: the number of the sequence. ctx: the run's own context while it is alive, else
--- the script is read again where that is needed.
function data.new(found, show, ctx)
  return setmetatable({ found = found, show = show, live = ctx, record = found.record, name = found.name,
    title = type(found.record.title) == "string" and found.record.title or found.name,
    loss = found.record.training and found.record.training.loss, subtitle = subtitle_of(found.record) }, Data)
end

-- metrics.csv: { epoch =, loss =, val_loss =, gradients = }, or nil.
function Data:metrics()
  if self.read_metrics == nil then
    local metrics = core.store.metrics(self.found.dir)
    self.read_metrics = metrics or false
  end
  local metrics = self.read_metrics
  if not metrics then return nil end
  local gradients = {}
  for name, values in pairs(metrics.values) do
    local weight = name:match "^grad_norm%.(.*)$"
    if weight then gradients[weight] = values end
  end
  return { epoch = metrics.epochs, loss = metrics.values.loss, val_loss = metrics.values.val_loss,
    gradients = next(gradients) and gradients or nil }
end

-- predictions.npz: tensors by name; nil where there are none.
function Data:tensors()
  if self.read_tensors == nil then
    local path = self.found.dir .. "/predictions.npz"
    self.read_tensors = core.host.exists(path) and core.format.load_npz(path) or false
  end
  return self.read_tensors or nil
end

-- Raise where there is no such sequence.
function Data:check_show(batch)
  if self.show > batch then
    errors.usage("show=%d: there %s %s to show", self.show, batch == 1 and "is" or "are",
      text.count(batch, "sequence"))
  end
end

-- Target and predicted of the sequence shown, an entry an output, and its number where there are several; nil where the
-- run has none.
function Data:predictions()
  local tensors = self:tensors()
  if not tensors or not tensors.predicted or tensors.predicted:dim() ~= 3 then return nil end -- one answer is no curve
  local target_sizes, sizes = tensors.target:size(), tensors.predicted:size()
  if #target_sizes ~= 3 or target_sizes[2] ~= sizes[2] or target_sizes[3] ~= sizes[3] then return nil end -- classes
  self:check_show(sizes[1])
  local predicted, target = tensors.predicted:select(1, self.show), tensors.target:select(1, self.show)
  local outputs = {}
  for k = 1, predicted:size(2) do
    outputs[k] = { label = "y" .. k, predicted = predicted:select(2, k):tolist(),
      target = target:select(2, k):tolist() }
  end
  return outputs, sizes[1] > 1 and self.show or nil
end

-- model.safetensors: weights by name; nil where there are none.
function Data:weights()
  local path = self.found.dir .. "/model.safetensors"
  return core.host.exists(path) and core.format.load_safetensors(path) or nil
end

-- The context with the network: the living one, or the script's read again.
function Data:context()
  self.live = self.live or require("rnnlab.restore").model(self.found)
  return self.live
end

-- The script's experiment, without its network.
function Data:experiment()
  if self.live then return self.live end
  self.script = self.script or require("rnnlab.restore").script(self.found)
  return self.script
end

-- What the network's layers compute: for the sequence shown a list of { name, kind, hidden, states = name -> (time,
-- size) }; each layer's h over all sequences, (batch, time, size); and the sequence's number where there are several.
-- Nil where the inputs are not there.
function Data:states()
  local tensors = self:tensors()
  local x = tensors and tensors.x
  if not x then return nil end
  self:check_show(x:size(1))
  if not self.inspected then
    self.inspected = require("rnnlab.restore").states(self:context(), x)
  end
  local layers, paths = {}, {}
  for i, layer in ipairs(self.inspected) do
    local states = {}
    for name, values in pairs(layer.states) do
      if values:dim() == 3 and values:size(1) >= self.show then states[name] = values:select(1, self.show) end
    end
    layers[i] = { name = layer.name, kind = layer.kind, hidden = layer.hidden, states = states }
    paths[i] = layer.states.h
  end
  return layers, paths, x:size(1) > 1 and self.show or nil
end

-- The eigenvalues of what the network feeds back, as r.analysis.spectrum gives them.
function Data:spectra()
  local ctx = self:context()
  local ok, spectra = pcall(ctx.box.call, ctx.box, require("rnnlab.analysis").spectrum, ctx.model)
  return ok and spectra or {} -- a network without recurrence
end

-- Fixed points at zero input, from states that the stored sequences visit: { kind, h = (size) } of the first layer. A
-- large network's are not sought, since that would take long.
function Data:fixed_points()
  local ctx, tensors = self:context(), self:tensors()
  if not tensors or not tensors.x or tensors.x:dim() ~= 3 then return nil end
  local ok, found = pcall(ctx.box.call, ctx.box, function()
    local layers = type(ctx.model.recurrent_layers) == "function" and ctx.model:recurrent_layers() or {}
    local size = 0
    for _, layer in ipairs(layers) do
      size = size + layer.n_hidden
    end
    if size == 0 or size > MOST_UNITS then return nil end
    return require("rnnlab.analysis").fixed_points(ctx.model, { from = tensors.x, starts = 32, iterations = 100 })
  end)
  local list = {}
  for i, point in ipairs(ok and found and found.points or {}) do
    if i > 12 then break end
    local h = point.states.h or point.states["1.h"]
    if h then list[#list + 1] = { kind = point.kind, h = h:view(-1) } end
  end
  return list
end

-- What a script's own figure is given: plain data of the stored run, each read when it is asked for.
function Data:for_script()
  local record = self.record
  local run = { name = self.name, status = record.status, network = record.network, show = self.show, params = {},
    metrics = {} }
  for _, key in ipairs { "params", "metrics" } do
    for name, value in pairs(type(record[key]) == "table" and record[key] or {}) do
      run[key][name] = value
    end
  end
  local own = self
  function run.history()
    local metrics = core.store.metrics(own.found.dir)
    local columns = { epoch = metrics and metrics.epochs or {} }
    for name, values in pairs(metrics and metrics.values or {}) do
      columns[name] = values
    end
    return columns
  end
  function run.predictions() return own:tensors() or {} end
  function run.weights() return own:weights() or {} end
  function run.states()
    local list = {}
    for i, layer in ipairs(own:states() or {}) do
      list[layer.name or i] = layer.states
    end
    return list
  end
  return run
end

return data
