-- rnnlab.summary owns the few lines a run ends with.
local stats = require "rnnlab.stats"
local text = require "rnnlab.text"

local summary = {}

local most_outputs = 6 -- named in the line; the rest are in run.json

-- Metrics of the outputs, as run.json keeps them: loss_y1, rmse_y1, r2_y1, ... into `metrics`.
function summary.add_outputs(metrics, y, target, valid)
  local outputs = stats.outputs(y, target, valid)
  for k, output in ipairs(outputs) do
    for name, value in pairs(output) do
      if value == value then
        metrics[("%s_y%d"):format(name, k)] = value
      end
    end
  end
  return outputs
end

-- "loss 0.0579   y1 0.0123 (R² 0.994)   y2 0.0456 (R² 0.998)"; R² alone where there is one output.
local function loss_line(metrics, outputs)
  local words = { "loss " .. text.significant(metrics.loss, 4) }
  if metrics.val_loss then
    words[#words + 1] = "val_loss " .. text.significant(metrics.val_loss, 4)
  end
  for _, name in ipairs { "accuracy", "val_accuracy" } do
    if metrics[name] then words[#words + 1] = name .. " " .. text.fixed(metrics[name], 3) end
  end
  if metrics.accuracy then outputs = {} end -- R² of classes says nothing
  for k, output in ipairs(outputs) do
    if k > most_outputs then
      words[#words + 1] = "…"
      break
    end
    local r2 = output.r2 == output.r2 and "R² " .. text.fixed(output.r2, 3) or nil
    if #outputs > 1 then
      words[#words + 1] = ("y%d %s"):format(k, text.significant(output.loss, 4)) .. (r2 and " (" .. r2 .. ")" or "")
    else
      words[#words + 1] = r2
    end
  end
  return table.concat(words, "   ")
end

local function epochs_line(result)
  local done = text.count(result.epochs, "epoch")
  if result.status ~= "finished" and result.planned and result.planned > result.epochs then
    done = ("%s after %s of %s epochs"):format(result.status, text.thousands(result.epochs),
      text.thousands(result.planned))
  end
  if result.converged then done = done .. ", converged," end
  local each = ""
  if result.epochs > 0 and result.train_s > 0 then
    local us = result.train_s / result.epochs * 1e6
    each = us < 1000 and (" (%s µs each)"):format(text.significant(us, 2))
      or (" (%s each)"):format(text.duration(us / 1e6))
  end
  return ("%s in %s%s"):format(done, text.duration(result.train_s), each)
end

-- result: { name, dir, network, weights, status, epochs, planned, converged, train_s, metrics, outputs, figures }
function summary.lines(result)
  local lines = { ("%s   %s, %s   %s"):format(result.name, result.network,
    text.count(result.weights, "weight"), epochs_line(result)) }
  if result.metrics.loss then
    lines[#lines + 1] = "  " .. loss_line(result.metrics, result.outputs or {})
  end
  if #result.figures > 0 then
    lines[#lines + 1] = "  figures in " .. result.dir .. "/figures/"
  else
    lines[#lines + 1] = "  everything in " .. result.dir .. "/"
  end
  return lines
end

return summary
