-- rnnlab.figures owns the standard figures of a run, as plain tables: it reads no file and draws nothing.
-- core.plot.write draws what standard() returns, core.plot.preview what preview_...() return; the tables'
-- fields are described in meta/plot.lua.
local text = require "rnnlab.text"

local figures = {}

---@class rnnlab.figures.output
---@field label string "y1"
---@field predicted rnnlab.plot.values one a time step
---@field target? rnnlab.plot.values

--- What the figures of a run are made from. Everything but name may be missing.
---@class rnnlab.figures.run
---@field name string "tutorial8-q2-7"
---@field title? string instead of the name, at the head of each figure
---@field subtitle? string under the learning curve's title, such as "elman 3-5-2 · adam, lr 0.01"
---@field loss? string the loss's name, such as "sse"
---@field metrics? { epoch: rnnlab.plot.values, loss: rnnlab.plot.values?, val_loss: rnnlab.plot.values?, gradients:
--- table<string, rnnlab.plot.values>? } gradients: the norm of each weight's
---@field predictions? rnnlab.figures.output[]
---@field sequence? integer which sequence the predictions are of

local PANELS = 6        -- outputs drawn of one run
local RESIDUALS = 3     -- up to so many outputs have their residuals in a panel of their own
local MARKED_STEPS = 150 -- up to here each step is marked by a dot

local subscripts = { [0] = "₀", "₁", "₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉" }

-- "y1" -> "y₁"; other names stay as they are.
local function pretty(label)
  local letter, digits = label:match "^(%a)(%d+)$"
  if not letter then return label end
  return letter .. digits:gsub("%d", function(digit) return subscripts[tonumber(digit)] end)
end

-- Values as an array, also where they came packed.
local function unpacked(values)
  if type(values) ~= "string" then return values end
  local list = {}
  for i = 1, #values // 8 do
    list[i] = string.unpack("d", values, 8 * i - 7)
  end
  return list
end

local function finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end

-- Root mean squared error and R2 (1 - residual / total sum of squares; nil where the target is constant)
-- over the steps where both are finite; nil where there is none.
local function errors_of(target, predicted)
  target, predicted = unpacked(target), unpacked(predicted)
  local n, sum = 0, 0
  for t = 1, math.min(#target, #predicted) do
    if finite(target[t]) and finite(predicted[t]) then
      n, sum = n + 1, sum + target[t]
    end
  end
  if n == 0 then return nil end
  local mean, residual, total = sum / n, 0, 0
  for t = 1, math.min(#target, #predicted) do
    if finite(target[t]) and finite(predicted[t]) then
      residual = residual + (predicted[t] - target[t]) ^ 2
      total = total + (target[t] - mean) ^ 2
    end
  end
  return math.sqrt(residual / n), total > 0 and 1 - residual / total or nil
end

-- "R² 0.991"; a model worse than the mean has a negative one.
local function r2_text(r2)
  return "R² " .. (text.fixed(r2, 3):gsub("^%-", "−"))
end

-- "y₁: RMSE 0.151, R² 0.991     y₂: ..." for few outputs, RMSE alone for more.
local function prediction_subtitle(outputs, shown)
  local parts, last_kind = {}, nil
  for k = 1, shown do
    local output = outputs[k]
    local rmse, r2
    if output.target then
      rmse, r2 = errors_of(output.target, output.predicted)
    end
    if rmse and shown <= 3 then
      parts[#parts + 1] = ("%s: RMSE %s%s"):format(pretty(output.label), text.significant(rmse, 3),
        r2 and ", " .. r2_text(r2) or "")
    elseif rmse then
      parts[#parts + 1] = ("%s%s %s"):format(last_kind and "" or "RMSE  ", pretty(output.label),
        text.significant(rmse, 3))
      last_kind = "rmse"
    end
  end
  if shown < #outputs then
    table.insert(parts, 1, ("the first %d of %d outputs"):format(shown, #outputs))
  end
  return #parts > 0 and table.concat(parts, shown <= 3 and "     " or "   ") or nil
end

local function length_of(values)
  return type(values) == "string" and #values // 8 or #values
end

-- What is left between prediction and target, as steps about zero.
local function residual_panel(output)
  local target, predicted, rest = unpacked(output.target), unpacked(output.predicted), {}
  for t = 1, #predicted do
    rest[t] = predicted[t] - target[t]
  end
  return { ylabel = "residual", series = { { kind = "line", role = "muted", scale = 1.4, y = rest } },
    notes = { { kind = "across", y = 0, role = "muted" } } }
end

-- Target and predicted over time, a panel an output: nil without predictions.
---@param run rnnlab.figures.run
---@return rnnlab.plot.figure?
function figures.prediction(run)
  local outputs = run.predictions
  if not outputs or #outputs == 0 then return nil end
  local shown, panels, heights = math.min(#outputs, PANELS), {}, {}
  for k = 1, shown do
    local output = outputs[k]
    local few = length_of(output.predicted) <= MARKED_STEPS
    local series = {}
    if output.target then
      series[1] = { kind = "band", role = "predicted", y = output.target, y2 = output.predicted }
      -- The target's dots stay visible where a good prediction covers its line.
      series[2] = { label = "target", role = "target", marks = few, y = output.target }
    end
    series[#series + 1] = { label = "predicted", role = "predicted", marks = few and not output.target,
      y = output.predicted }
    panels[#panels + 1] = { ylabel = pretty(output.label) .. "(t)", series = series }
    heights[#panels] = 3
    if output.target and shown <= RESIDUALS then
      panels[#panels + 1] = residual_panel(output)
      heights[#panels] = 1
    end
  end
  local title = run.title or run.name
  return {
    name = "prediction",
    title = run.sequence and ("%s · sequence %d"):format(title, run.sequence) or title,
    subtitle = prediction_subtitle(outputs, shown),
    xlabel = "time step t",
    panels = panels, heights = heights,
    height = #panels > shown and 40 + 52 * shown or nil,
  }
end

-- The rows that have a finite value: a loss that was measured every tenth epoch is a line all the same.
local function measured(epochs, values)
  epochs, values = unpacked(epochs), unpacked(values)
  local x, y = {}, {}
  for i = 1, #values do
    if finite(values[i]) then
      x[#x + 1], y[#y + 1] = epochs[i], values[i]
    end
  end
  return x, y
end

local function loss_series(run)
  local metrics = run.metrics
  if not metrics or not metrics.epoch then return {} end
  local series = {}
  if metrics.loss and length_of(metrics.loss) > 0 then
    series[1] = { label = "training", role = 1, x = metrics.epoch, y = metrics.loss }
  end
  if metrics.val_loss then
    local x, y = measured(metrics.epoch, metrics.val_loss)
    if #y > 0 then
      series[#series + 1] = { label = "validation", role = 2, x = x, y = y }
    end
  end
  return series
end

-- "sse 1.12 in epoch 10,000": the curve's last point, which is the loss before that epoch's update (the run's
-- own `loss` is the one after it)
local function loss_text(run)
  local x, y = measured(run.metrics.epoch, run.metrics.loss or {})
  if #y == 0 then return nil end
  return ("%s %s in epoch %s"):format(run.loss or "loss", text.significant(y[#y], 3),
    text.thousands(math.floor(x[#x])))
end

-- The norms of the gradients as one curve, root of the sum of their squares, and one a weight for few; nil where none
-- were kept.
local function gradient_panel(run)
  local names, series = {}, {}
  for _, name in ipairs(text.sorted_keys(run.metrics.gradients or {})) do
    names[#names + 1] = name
  end
  if #names == 0 then return nil end
  local total = {}
  for _, name in ipairs(names) do
    for i, value in ipairs(unpacked(run.metrics.gradients[name])) do
      total[i] = (total[i] or 0) + value ^ 2
    end
  end
  for i = 1, #total do
    total[i] = math.sqrt(total[i])
  end
  local function add(label, role, values, scale)
    local x, y = measured(run.metrics.epoch, values)
    if #y > 0 then series[#series + 1] = { label = label, role = role, x = x, y = y, scale = scale } end
  end
  add("all gradients", "target", total)
  for k, name in ipairs(#names <= 6 and names or {}) do
    add(name, k + 2, run.metrics.gradients[name], .7)
  end
  return #series > 0 and { ylabel = "gradient norm", log_y = true, series = series } or nil
end

-- The learning curve: nil without metrics.
---@param run rnnlab.figures.run
---@return rnnlab.plot.figure?
function figures.loss(run)
  local series = loss_series(run)
  if #series == 0 then return nil end
  local parts = { loss_text(run) }
  parts[#parts + 1] = run.subtitle
  return {
    name = "loss",
    title = run.title or run.name,
    subtitle = #parts > 0 and table.concat(parts, " · ") or nil,
    xlabel = "epoch",
    panels = {
      { ylabel = run.loss and ("loss (%s)"):format(run.loss) or "loss", log_y = true, series = series },
      gradient_panel(run),
    },
  }
end

-- All that the run has data for: prediction, loss.
---@param run rnnlab.figures.run
---@return rnnlab.plot.figure[]
function figures.standard(run)
  local list = {}
  for _, make in ipairs { figures.prediction, figures.loss } do
    list[#list + 1] = make(run)
  end
  return list
end

local function with(options, description)
  for key, value in pairs(options or {}) do
    description[key] = value
  end
  return description
end

-- The learning curve for core.plot.preview; options are its width, height, color, ascii. Nil without metrics.
---@param run rnnlab.figures.run
---@param options? table
---@return rnnlab.plot.preview?
function figures.preview_loss(run, options)
  local series = loss_series(run)
  if #series == 0 then return nil end
  return with(options, { title = loss_text(run), xlabel = "epoch", log_y = true, series = series })
end

-- Target and predicted of one output (its number, default 1) for core.plot.preview. Nil where there is none.
---@param run rnnlab.figures.run
---@param number? integer
---@param options? table
---@return rnnlab.plot.preview?
function figures.preview_prediction(run, number, options)
  local output = run.predictions and run.predictions[number or 1]
  if not output then return nil end
  local series = { { label = "predicted", role = "predicted", y = output.predicted } }
  if output.target then
    table.insert(series, 1, { label = "target", role = "target", y = output.target })
  end
  local name = output.label .. "(t)"
  return with(options, {
    title = run.sequence and ("%s, sequence %d"):format(name, run.sequence) or name,
    xlabel = "time step", series = series,
  })
end

return figures
