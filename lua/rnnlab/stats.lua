-- rnnlab.stats owns the figures a run is judged by, per output: loss, root mean squared error and R2.
local stats = {}

-- y, target: (batch, time, outputs); valid: (batch, time), 1 where a step counts, else 0; nil: all do. Returns a list,
-- one an output, of { loss, rmse, r2 }: loss is the mean over sequences and steps of the squared error (they add
-- up to "sse", their mean is "mse"); r2 is 1 - residual / total sum of squares (Kvalseth 1985), nan where the target
-- is constant.
function stats.outputs(y, target, valid)
  local count = valid and valid:sum():item() or nil
  local function mean(values)
    if valid then return (values * valid):sum():item() / count end
    return values:mean():item()
  end
  local list = {}
  for k = 1, y:size(3) do
    local predicted = y:select(3, k):to "float64"
    local wanted = target:select(3, k):to "float64"
    local residual = mean((predicted - wanted):square())
    local total = mean((wanted - mean(wanted)):square())
    list[k] = { loss = residual, rmse = math.sqrt(residual),
      r2 = total > 0 and 1 - residual / total or 0 / 0 }
  end
  return list
end

return stats
