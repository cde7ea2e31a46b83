-- rnnlab.metrics owns the metrics that have a name. Each is function(prediction, target) -> number, over all sequences,
-- steps and outputs; rows whose target is NaN do not count.
local metrics = {}

-- Call f(prediction row, target row) for each row: the features of a sequence at a step. A target that is a single
-- class comes as a list of one.
local function each_row(prediction, target, f)
  local function walk(y, d, depth)
    if depth == 0 then
      f(y, type(d) == "table" and d or { d })
      return
    end
    for i = 1, #y do
      walk(y[i], d[i], depth - 1)
    end
  end
  walk(prediction:tolist(), target:tolist(), #prediction:size() - 1)
end

-- Sums over all pairs of numbers.
local function sums(prediction, target)
  local s = { n = 0, square = 0, absolute = 0, target = 0, target_square = 0 }
  each_row(prediction, target, function(y, d)
    for j = 1, #d do
      if d[j] == d[j] then
        local e = y[j] - d[j]
        s.n, s.square, s.absolute = s.n + 1, s.square + e * e, s.absolute + math.abs(e)
        s.target, s.target_square = s.target + d[j], s.target_square + d[j] * d[j]
      end
    end
  end)
  s.variance = s.target_square / s.n - (s.target / s.n) ^ 2
  return s
end

-- The root of the mean squared error.
function metrics.rmse(prediction, target)
  local s = sums(prediction, target)
  return math.sqrt(s.square / s.n)
end

-- rmse over the target's standard deviation.
function metrics.nrmse(prediction, target)
  local s = sums(prediction, target)
  return math.sqrt(s.square / s.n / s.variance)
end

-- 1 - mean squared error / variance of the target.
function metrics.r2(prediction, target)
  local s = sums(prediction, target)
  return 1 - s.square / s.n / s.variance
end

-- The mean absolute error.
function metrics.mae(prediction, target)
  local s = sums(prediction, target)
  return s.absolute / s.n
end

local function largest(row)
  local best = 1
  for j = 2, #row do
    if row[j] > row[best] then best = j end
  end
  return best
end

-- The class a target row means: the class itself, or the most probable.
local function class_of(y, d)
  if #d == 1 and #y > 1 then return d[1] end
  return largest(d)
end

-- The part of rows whose most active output is the target's class; with one output, whose sign (a logit) is right.
function metrics.accuracy(prediction, target)
  local n, right = 0, 0
  each_row(prediction, target, function(y, d)
    if d[1] ~= d[1] then return end
    if #y == #d and #y == 1 then
      n, right = n + 1, right + (((y[1] > 0) == (d[1] > .5)) and 1 or 0)
    else
      n, right = n + 1, right + (largest(y) == class_of(y, d) and 1 or 0)
    end
  end)
  return right / n
end

-- e to the mean cross-entropy of logits.
function metrics.perplexity(prediction, target)
  local n, total = 0, 0
  each_row(prediction, target, function(y, d)
    if d[1] ~= d[1] then return end
    local top, sum = y[largest(y)], 0
    for j = 1, #y do
      sum = sum + math.exp(y[j] - top)
    end
    n, total = n + 1, total + top + math.log(sum) - y[class_of(y, d)]
  end)
  return math.exp(total / n)
end

-- The names, sorted.
function metrics.names()
  local list = {}
  for name in pairs(metrics) do
    if name ~= "names" then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

return metrics
