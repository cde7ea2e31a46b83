-- rnnlab.outcome owns what a trained model is worth: loss, accuracy, per-output figures and the script's own metrics
-- with the weights as they are. A run and a trial of a sweep are judged by the same lines.
local data = require "rnnlab.data"
local losses = require "rnnlab.losses"
local text = require "rnnlab.text"
local training = require "rnnlab.training"

local outcome = {}

-- Sequences of outputs against sequences of targets; classes are another matter.
local function same_shape(y, target)
  local a, b = y:size(), target:size()
  return #a == 3 and #b == 3 and a[2] == b[2] and a[3] == b[3]
end

-- The script's metrics on the training data.
local function own_metrics(ctx, metrics, prediction, part)
  local own = ctx.experiment.metrics or {}
  for _, name in ipairs(text.sorted_keys(own)) do
    metrics[name] = training.judge(ctx, name, prediction, part)
  end
end

-- Into `metrics`: loss, val_loss, ... of the parts named. each(name, part, prediction) sees every part judged. Returns
-- the figures of the training set's outputs, where there are any.
function outcome.evaluate(ctx, trainer, names, metrics, each)
  local outputs
  for _, name in ipairs(names) do
    local part = ctx.data[name]
    if part and part.y then
      local loss, prediction = trainer:evaluate(part)
      local prefix = name == "train" and "" or name .. "_"
      metrics[prefix .. "loss"] = loss
      if each then each(prefix, part, prediction) end
      local _, kind = ctx.experiment:criterion()
      if losses.has_classes(kind) then
        metrics[prefix .. "accuracy"] = training.judge(ctx, "accuracy", prediction, part)
      end
      if name == "train" then
        if same_shape(prediction, part.y) then
          outputs = require("rnnlab.summary").add_outputs(metrics, prediction, part.y, data.valid(part))
        end
        own_metrics(ctx, metrics, prediction, part)
      end
    end
  end
  return outputs
end

-- The least of the losses (packed as the trainer gives them) and of `last`; nil where none is finite.
function outcome.best_of(losses_packed, last)
  local best = last or math.huge
  for i = 1, #losses_packed, 8 do
    local loss = string.unpack("d", losses_packed, i)
    if loss < best then best = loss end
  end
  return best < math.huge and best or nil
end

return outcome
