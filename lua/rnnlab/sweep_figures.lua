-- rnnlab.sweep_figures owns the figures of a sweep, from plain data: what sweeps.load gives, however it is stored.
local figure = require "rnnlab.figure"
local text = require "rnnlab.text"
local values = require "rnnlab.figure.values"

local sweep_figures = {}

sweep_figures.kinds = { "history", "slice", "contour", "parallel", "importance", "curves", "repeats", "pareto" }

--- What they are made from.
---@class rnnlab.sweep_figures.sweep
---@field name string
---@field title? string
---@field objective { name: string, direction: "min"|"max" }[]
---@field params { name: string, kind: string, low: number?, high: number?, log: boolean?, choices: any[]? }[]
---@field importance? number[] shares, in the parameters' order
---@field trials { number: integer, config: integer?, params: table, value: number?, values: number[]?, status: string?,
--- curve: { steps: number[], values: number[] }? }[]

-- ---- what the trials say -------------------------------------------------------------------------

local function finite(value) return type(value) == "number" and values.finite(value) end

-- Trials with the objective's value, and the number of those without.
local function judged(sweep)
  local list, lost = {}, 0
  for _, trial in ipairs(sweep.trials) do
    if finite(trial.value) then list[#list + 1] = trial else lost = lost + 1 end
  end
  return list, lost
end

local function objective_of(sweep)
  local objective = sweep.objective and sweep.objective[1] or {}
  return objective.name or "value", objective.direction == "max"
end

local function better(a, b, max)
  if max then return a > b end
  return a < b
end

-- Configurations with the mean of their trials, by number: { config, params, value, n, trials }.
local function configs_of(sweep)
  local list, by = {}, {}
  for _, trial in ipairs((judged(sweep))) do
    local key = trial.config or trial.number
    local one = by[key]
    if not one then
      one = { config = key, params = trial.params, sum = 0, n = 0, trials = {} }
      by[key] = one
      list[#list + 1] = one
    end
    one.sum, one.n = one.sum + trial.value, one.n + 1
    one.trials[one.n] = trial
    one.value = one.sum / one.n
  end
  return list
end

local function best_of(list, max)
  local best
  for i, one in ipairs(list) do
    if not best or better(one.value, list[best].value, max) then best = i end
  end
  return best
end

-- Is a log axis the better one? Where all are positive and far apart.
local function wants_log(list)
  local low, high
  for _, one in ipairs(list) do
    low, high = math.min(low or one.value, one.value), math.max(high or one.value, one.value)
  end
  return low ~= nil and low > 0 and high / low > 15
end

local function title_of(sweep) return sweep.title or sweep.name end

-- "jordan, 21, 0.039"
local function said(sweep, params)
  local parts = {}
  for _, space in ipairs(sweep.params) do
    local value = params[space.name]
    parts[#parts + 1] = math.type(value) == "float" and text.significant(value, 2) or text.value(value)
  end
  return table.concat(parts, ", ")
end

local function lost_text(lost)
  return lost > 0 and ("%s without a value"):format(text.count(lost, "trial")) or nil
end

-- ---- the figures ---------------------------------------------------------------------------------

--- Every trial's value in order, and the best so far.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.history(sweep)
  local list, lost = judged(sweep)
  if #list == 0 then return nil, "no trial has a value" end
  local name, max = objective_of(sweep)
  local x, y, best_x, best_y, best = {}, {}, {}, {}, nil
  local worst = list[1].value
  for i, trial in ipairs(list) do
    x[i], y[i] = trial.number, trial.value
    if not best or better(trial.value, best, max) then best = trial.value end
    if better(worst, trial.value, max) then worst = trial.value end
    best_x[i], best_y[i] = trial.number, best
  end
  local best_at = best_of(list, max)
  local f = figure.new { title = title_of(sweep), xlabel = "trial", ylabel = name, log_y = wants_log(list),
    subtitle = ("best %s in trial %d of %d%s"):format(text.significant(best, 4), list[best_at].number, #sweep.trials,
      lost > 0 and " · " .. lost_text(lost) or "") }
  f:points(x, y, { label = "trial", color = "muted" }):steps(best_x, best_y, { label = "best so far", color = "blue" })
  f:points({ list[best_at].number }, { best }, { color = "blue", scale = 1.6 })
  if lost > 0 then
    local lost_x, lost_y = {}, {}
    for _, trial in ipairs(sweep.trials) do
      if not finite(trial.value) then lost_x[#lost_x + 1], lost_y[#lost_y + 1] = trial.number, worst end
    end
    f:points(lost_x, lost_y, { label = "no value (pruned, diverged, failed)", color = "red", scale = .8 })
  end
  return f
end

-- x of a parameter's value: a choice's number; nil where it has none.
local function place_of(space, value)
  if space.choices or space.kind == "choice" then
    for i, choice in ipairs(space.choices or {}) do
      if choice == value or tostring(choice) == tostring(value) then return i end
    end
    return nil
  end
  if type(value) == "boolean" then return value and 2 or 1 end
  return finite(value) and value or nil
end

local function names_of(space)
  if space.choices then
    local names = {}
    for i, choice in ipairs(space.choices) do
      names[i] = tostring(choice)
    end
    return names
  end
  return space.kind == "bool" and { "false", "true" } or nil
end

-- A parameter's range with some air, so that no point lies on the axis; nil where it is not declared.
local function around(space)
  local low, high = space.low, space.high
  if not (finite(low) and finite(high) and high > low) then return nil end
  if space.log and low > 0 then
    local air = (high / low) ^ .04
    return { low / air, high * air }
  end
  local air = .04 * (high - low)
  return { low - air, high + air }
end

--- The objective against each parameter.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.slice(sweep)
  local list, lost = configs_of(sweep), select(2, judged(sweep))
  if #list == 0 then return nil, "no trial has a value" end
  if #sweep.params == 0 then return nil, "the sweep has no parameters" end
  local name, max = objective_of(sweep)
  local shown = math.min(#sweep.params, 12)
  local columns = math.min(shown, shown == 4 and 2 or 3)
  local f = figure.new { title = title_of(sweep), columns = columns, share_x = false, share_y = true,
    log_y = wants_log(list), no_color_bar = true, subtitle = lost_text(lost),
    height = shown == 1 and 80 or 24 + 56 * math.ceil(shown / columns) }
  local best = best_of(list, max)
  for k = 1, shown do
    local space, x, y, order = sweep.params[k], {}, {}, {}
    for i, one in ipairs(list) do
      local place = place_of(space, one.params[space.name])
      if place then x[#x + 1], y[#y + 1], order[#order + 1] = place, one.value, i end
    end
    local names = names_of(space)
    local panel = f:panel { xlabel = space.name, ylabel = (k - 1) % columns == 0 and name or nil,
      log_x = not names and space.log or nil, x_tics = names and figure.tics_from(names, "slice", #names) or nil,
      x_range = names and { .5, #names + .5 } or around(space) }
    panel:points(x, y, { color = order, scale = 1.1 })
    local at = place_of(space, list[best].params[space.name])
    if at then panel:points({ at }, { list[best].value }, { color = "red", scale = 1.7, label = "best" }) end
  end
  return f
end

-- The two numeric parameters that matter most, or the first two.
local function two_of(sweep)
  local list = {}
  for k, space in ipairs(sweep.params) do
    if (space.kind == "real" or space.kind == "int") and space.low and space.high and space.high > space.low then
      list[#list + 1] = { space = space, share = sweep.importance and sweep.importance[k] or 0, k = k }
    end
  end
  table.sort(list, function(a, b)
    if a.share ~= b.share then return a.share > b.share end
    return a.k < b.k
  end)
  if #list < 2 then return nil end
  return list[1].space, list[2].space
end

-- A parameter's scale as the map has it: its logarithm where it is log, with tics of its own.
local function scale_of(space)
  local log = space.log and space.low > 0
  local function to(value) return log and math.log(value, 10) or value end
  local scale = { to = to, low = to(space.low), high = to(space.high) }
  if log then
    local at, labels = {}, {}
    for e = math.ceil(scale.low - 1e-9), math.floor(scale.high + 1e-9) do
      at[#at + 1], labels[#labels + 1] = e, values.tic_text(10.0 ^ e)
    end
    if #at >= 2 then
      scale.tics = { at = at, labels = labels }
    else
      scale.tics = { at = { scale.low, scale.high },
        labels = { values.tic_text(space.low), values.tic_text(space.high) } }
    end
  end
  return scale
end

local GRID, NEAR = 48, .09 -- the map's cells a side; how far a trial is felt, in widths of the map

--- The objective over the two parameters that matter most: a smooth map of the trials there are.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.contour(sweep)
  local first, second = two_of(sweep)
  if not first then return nil, "it takes two numeric parameters" end
  local list = configs_of(sweep)
  if #list < 4 then return nil, "so few trials make no map" end
  local name, max = objective_of(sweep)
  local a, b = scale_of(first), scale_of(second)
  local log = wants_log(list)
  local px, py, v = {}, {}, {}
  for _, one in ipairs(list) do
    local x, y = one.params[first.name], one.params[second.name]
    if finite(x) and finite(y) then
      local n = #v + 1
      px[n], py[n] = (a.to(x) - a.low) / (a.high - a.low), (b.to(y) - b.low) / (b.high - b.low)
      v[n] = log and math.log(one.value, 10) or one.value
    end
  end
  local x, y, z = {}, {}, {}
  for i = 1, GRID do
    x[i] = a.low + (a.high - a.low) * (i - .5) / GRID
    y[i] = b.low + (b.high - b.low) * (i - .5) / GRID
  end
  for r = 1, GRID do
    local row = {}
    for c = 1, GRID do
      local sum, weights = 0, 1e-300
      for i = 1, #v do
        local d = (((c - .5) / GRID - px[i]) ^ 2 + ((r - .5) / GRID - py[i]) ^ 2) / NEAR ^ 2
        local w = math.exp(-d / 2) + 1e-12 / (1 + d)
        sum, weights = sum + w * v[i], weights + w
      end
      row[c] = sum / weights
    end
    z[r] = row
  end
  local f = figure.new { title = title_of(sweep), xlabel = first.name, ylabel = second.name, x_tics = a.tics,
    y_tics = b.tics, x_range = { a.low, a.high }, y_range = { b.low, b.high }, width = 140, height = 100,
    subtitle = "a smooth map of the trials, where they are dense; elsewhere a guess",
    color_label = log and ("log₁₀ %s"):format(name) or name }
  f:contour(x, y, z, { levels = 7 })
  local dots_x, dots_y = {}, {}
  for i = 1, #v do
    dots_x[i], dots_y[i] = a.low + px[i] * (a.high - a.low), b.low + py[i] * (b.high - b.low)
  end
  f:points(dots_x, dots_y, { color = "target", scale = .7, label = "trial" })
  local best = list[best_of(list, max)]
  if finite(best.params[first.name]) and finite(best.params[second.name]) then
    f:points({ a.to(best.params[first.name]) }, { b.to(best.params[second.name]) }, { color = "red", scale = 2,
      label = "best" })
  end
  return f
end

--- Every configuration as a line through its parameters and the objective.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.parallel(sweep)
  local list = configs_of(sweep)
  if #list == 0 then return nil, "no trial has a value" end
  if #sweep.params == 0 then return nil, "the sweep has no parameters" end
  local name, max = objective_of(sweep)
  local log = wants_log(list)
  local axes, rows, colors = {}, {}, {}
  local shown = math.min(#sweep.params, 11)
  for k = 1, shown do
    local space = sweep.params[k]
    axes[k] = { name = space.name, log = space.log, low = space.low, high = space.high, categories = names_of(space) }
  end
  axes[shown + 1] = { name = name, log = log }
  for i, one in ipairs(list) do
    local row = {}
    for k = 1, shown do
      local value = one.params[axes[k].name]
      if axes[k].categories then value = tostring(value) end
      row[k] = value == nil and 0 / 0 or value
    end
    row[shown + 1] = one.value
    rows[i], colors[i] = row, one.value
  end
  return figure.new { title = title_of(sweep), log_color = log, height = 85,
    subtitle = ("%s; the best in red"):format(text.count(#list, "configuration")) }:parallel(axes, rows,
      { values = colors, color_label = name, best = best_of(list, max) })
end

--- How much of the differences among the best each parameter explains.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.importance(sweep)
  if not sweep.importance then return nil, "too few trials finished" end
  local list = {}
  for k, space in ipairs(sweep.params) do
    if finite(sweep.importance[k]) then list[#list + 1] = { space.name, sweep.importance[k] } end
  end
  if #list == 0 then return nil, "the sweep has no parameters" end
  table.sort(list, function(a, b)
    if a[2] ~= b[2] then return a[2] > b[2] end
    return a[1] < b[1]
  end)
  local names, shares = {}, {}
  for i = 1, math.min(#list, 20) do
    names[i], shares[i] = list[i][1], 100 * list[i][2]
  end
  return figure.new { title = title_of(sweep), xlabel = "share of the differences in " .. objective_of(sweep) .. ", %",
    subtitle = "importance of the parameters (PED-ANOVA)", height = 32 + 8 * #names, x_grid = true,
    x_range = { 0, false } }:bars(names, shares, { sideways = true })
end

local function add_thinned(x, y, curve, most)
  local n = #curve.steps
  local stride = math.max(1, math.ceil(n / most))
  for i = 1, n do
    if i == n or (i - 1) % stride == 0 then x[#x + 1], y[#y + 1] = curve.steps[i], curve.values[i] end
  end
  x[#x + 1], y[#y + 1] = 0 / 0, 0 / 0
end

local function has_curve(trial) return trial.curve and trial.curve.steps and #trial.curve.steps > 0 end

local function curves_log(trials)
  for _, trial in ipairs(trials) do
    for _, value in ipairs(trial.curve.values) do
      if not finite(value) or value <= 0 then return false end
    end
  end
  return true
end

--- The learning curves of all trials, the best emphasised.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.curves(sweep)
  local trials, best = {}, nil
  local name, max = objective_of(sweep)
  for _, trial in ipairs(sweep.trials) do
    if has_curve(trial) then
      trials[#trials + 1] = trial
      if finite(trial.value) and (not best or better(trial.value, best.value, max)) then best = trial end
    end
  end
  if #trials == 0 then return nil, "no trial has a curve" end
  local most = math.max(20, 30000 // #trials)
  local x, y, early_x, early_y = {}, {}, {}, {}
  for _, trial in ipairs(trials) do
    if trial ~= best then
      local pruned = trial.status == "pruned"
      add_thinned(pruned and early_x or x, pruned and early_y or y, trial.curve, most)
    end
  end
  local f = figure.new { title = title_of(sweep), xlabel = "epoch", ylabel = name, log_y = curves_log(trials),
    subtitle = best and ("the best, trial %d: %s"):format(best.number, said(sweep, best.params)) or nil }
  if #x > 0 then f:line(x, y, { color = "muted", label = "trials" }) end
  if #early_x > 0 then f:line(early_x, early_y, { color = "amber", scale = .5, label = "pruned" }) end
  if best then f:line(best.curve.steps, best.curve.values, { color = "blue", label = "best", scale = 1.3 }) end
  return f
end

--- Mean and deviation over the repeats of the best configurations.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.repeats(sweep)
  local name, max = objective_of(sweep)
  local list = {}
  for _, one in ipairs(configs_of(sweep)) do
    local curves, least = {}, math.huge
    for _, trial in ipairs(one.trials) do
      if has_curve(trial) then
        curves[#curves + 1] = trial.curve
        least = math.min(least, #trial.curve.steps)
      end
    end
    if #curves > 1 then
      one.curves, one.least = curves, least
      list[#list + 1] = one
    end
  end
  if #list == 0 then return nil, "no configuration was repeated" end
  table.sort(list, function(a, b)
    if a.value ~= b.value then return better(a.value, b.value, max) end
    return a.config < b.config
  end)
  local shown, log = math.min(#list, 5), true
  for i = 1, shown do
    log = log and curves_log((function()
      local wrapped = {}
      for k, curve in ipairs(list[i].curves) do
        wrapped[k] = { curve = curve }
      end
      return wrapped
    end)())
  end
  local f = figure.new { title = title_of(sweep), xlabel = "epoch", ylabel = name, log_y = log,
    subtitle = ("mean ± deviation over the repeats, the best %d of %d configurations"):format(shown, #list) }
  for i = 1, shown do
    local one, rows, steps = list[i], {}, {}
    for k, curve in ipairs(one.curves) do
      rows[k] = { table.unpack(curve.values, 1, one.least) }
    end
    for k = 1, one.least do
      steps[k] = one.curves[1].steps[k]
    end
    f:mean(steps, rows, { label = ("%d: %s"):format(one.config, said(sweep, one.params)) })
  end
  return f
end

--- Two objectives against each other, and those trials that none beats in both.
---@param sweep rnnlab.sweep_figures.sweep
function sweep_figures.pareto(sweep)
  local objectives = sweep.objective or {}
  if #objectives < 2 then return nil, "it takes two objectives" end
  local a, b = objectives[1], objectives[2]
  local list = {}
  for _, trial in ipairs(sweep.trials) do
    local v = trial.values or {}
    if finite(v[1]) and finite(v[2]) then list[#list + 1] = { v[1], v[2] } end
  end
  if #list == 0 then return nil, "no trial has both values" end
  local sign_a, sign_b = a.direction == "max" and -1 or 1, b.direction == "max" and -1 or 1
  table.sort(list, function(p, q)
    if p[1] ~= q[1] then return sign_a * p[1] < sign_a * q[1] end
    return sign_b * p[2] < sign_b * q[2]
  end)
  local x, y, front_x, front_y, best = {}, {}, {}, {}, math.huge
  for _, point in ipairs(list) do
    if sign_b * point[2] < best then
      best = sign_b * point[2]
      front_x[#front_x + 1], front_y[#front_y + 1] = point[1], point[2]
    else
      x[#x + 1], y[#y + 1] = point[1], point[2]
    end
  end
  local function far(k)
    local wrapped = {}
    for i, point in ipairs(list) do
      wrapped[i] = { value = point[k] }
    end
    return wants_log(wrapped)
  end
  return figure.new { title = title_of(sweep), xlabel = a.name, ylabel = b.name, log_x = far(1), log_y = far(2),
    subtitle = ("%s on the Pareto front"):format(text.count(#front_x, "trial")) }
    :points(x, y, { color = "muted", label = "trials" })
    :steps(front_x, front_y, { color = "blue" })
    :points(front_x, front_y, { color = "blue", label = "Pareto front", scale = 1.4 })
end

--- Descriptions of the kinds asked for (nil: all there are data for), and what hindered the others: { kind, message }.
---@param sweep rnnlab.sweep_figures.sweep
---@param kinds? string[]
---@return rnnlab.plot.figure[], { kind: string, message: string }[]
function sweep_figures.describe(sweep, kinds)
  local list, problems = {}, {}
  for _, kind in ipairs(kinds or sweep_figures.kinds) do
    local made, why = sweep_figures[kind](sweep)
    if made then list[#list + 1] = figure.describe(made, kind)
    else problems[#problems + 1] = { kind = kind, message = why } end
  end
  return list, problems
end

return sweep_figures
