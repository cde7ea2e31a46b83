-- rnnlab.report.trials owns what a report makes of a sweep's trials: configurations with their mean over repeats, their
-- ranking or Pareto front, and where each trial stands on the axes of the parallel coordinates.
local gather = require "rnnlab.report.gather"
local numbers = require "rnnlab.report.numbers"
local text = require "rnnlab.text"

local trials = {}

-- The sign that makes less better.
local function sign_of(objective) return objective.direction == "max" and -1 or 1 end

-- Is p at least as good as q in everything, and better in something?
local function dominates(p, q)
  local better = false
  for k = 1, #p do
    if p[k] > q[k] then return false end
    better = better or p[k] < q[k]
  end
  return better
end

--- Configurations of a sweep (as sweeps.load gives it), best first: { number, params, trials, values = { { number,
--- deviation, n } ... one an objective }, rank, front }. Those of which every repeat finished, and how many others.
function trials.ranked(sweep)
  local configs, by_number, rest = {}, {}, 0
  for _, trial in ipairs(sweep.trials) do
    local config = by_number[trial.config]
    if not config then
      config = { number = trial.config, params = trial.params, trials = {} }
      by_number[trial.config] = config
      configs[#configs + 1] = config
    end
    config.trials[#config.trials + 1] = trial
  end
  local list = {}
  for _, config in ipairs(configs) do
    local whole = #config.trials >= (sweep.repeats or 1)
    config.values, config.keys = {}, {}
    for k, objective in ipairs(sweep.objective) do
      local values = {}
      for _, trial in ipairs(config.trials) do
        local value = trial.status == "finished" and (trial.values and trial.values[k] or k == 1 and trial.value or nil)
        if numbers.finite(value or nil) then values[#values + 1] = value else whole = false end
      end
      local mean, deviation, n = numbers.statistics(values)
      config.values[k] = { number = mean, deviation = deviation, n = n }
      config.keys[k] = mean and sign_of(objective) * mean or math.huge
    end
    if whole and #config.trials > 0 then list[#list + 1] = config else rest = rest + 1 end
  end
  if #sweep.objective > 1 then
    for _, config in ipairs(list) do
      config.front = true
      for _, other in ipairs(list) do
        if dominates(other.keys, config.keys) then
          config.front = false
          break
        end
      end
    end
  end
  table.sort(list, function(a, b)
    if a.front ~= b.front then return a.front == true end
    if a.keys[1] ~= b.keys[1] then return a.keys[1] < b.keys[1] end
    return a.number < b.number
  end)
  for i, config in ipairs(list) do
    config.rank = i
  end
  return list, rest
end

-- ---- parallel coordinates -----------------------------------------------------------------------------

local MOST_AXES = 10
local SPREAD = 30 -- an objective that spans more is shown on a log axis

local function choice_axis(name, choices)
  local axis, place = { name = name, tics = {} }, {}
  for i, choice in ipairs(choices) do
    local at = #choices == 1 and .5 or (i - 1) / (#choices - 1)
    place[text.value(choice)] = at
    if #choices <= 12 then axis.tics[i] = { at = at, label = text.value(choice) } end
  end
  function axis.at(value) return value ~= nil and place[text.value(value)] or false end
  return axis
end

local function number_axis(name, low, high, log)
  log = log and low > 0
  local a, b = low, high
  if log then a, b = math.log(low), math.log(high) end
  local axis = { name = name, tics = {} }
  function axis.at(value)
    if type(value) ~= "number" or not numbers.finite(value) or log and value <= 0 then return false end
    if b <= a then return .5 end
    local at = ((log and math.log(value) or value) - a) / (b - a)
    return math.max(0, math.min(1, at))
  end
  for i = 0, 4 do
    local value = a + (b - a) * i / 4
    value = log and math.exp(value) or value
    axis.tics[i + 1] = { at = i / 4, label = text.value(tonumber(("%.3g"):format(value))) }
    if b <= a then break end
  end
  return axis
end

local function values_of(list, get)
  local low, high, distinct, seen, numeric = math.huge, -math.huge, {}, {}, true
  for _, trial in ipairs(list) do
    local value = get(trial)
    if value ~= nil and not (type(value) == "number" and not numbers.finite(value)) then
      if type(value) == "number" then
        low, high = math.min(low, value), math.max(high, value)
      else
        numeric = false
      end
      local word = text.value(value)
      if not seen[word] then
        seen[word] = true
        distinct[#distinct + 1] = value
      end
    end
  end
  table.sort(distinct, function(a, b)
    if type(a) == "number" and type(b) == "number" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return low, high, distinct, numeric and low <= high
end

local function parameter_axis(space, name, list)
  local low, high, distinct, numeric = values_of(list, function(trial) return trial.params[name] end)
  if space and space.kind == "choice" and type(space.choices) == "table" and #space.choices > 0 then
    return choice_axis(name, space.choices)
  end
  if not numeric then return choice_axis(name, distinct) end
  if space and numbers.finite(tonumber(space.low)) and numbers.finite(tonumber(space.high)) then
    return number_axis(name, math.min(low, space.low), math.max(high, space.high), space.log)
  end
  return number_axis(name, low, high, low > 0 and high / low > SPREAD)
end

--- The axes of the parallel coordinates, parameters first and the objective last; at(trial): a trial's place on each.
function trials.axes(sweep, swept)
  local axes, gets = {}, {}
  local spaces = {}
  for _, space in ipairs(sweep.params or {}) do
    spaces[space.name] = space
  end
  for i = 1, math.min(#swept, MOST_AXES) do
    local name = swept[i]
    axes[#axes + 1] = parameter_axis(spaces[name], name, sweep.trials)
    gets[#gets + 1] = function(trial) return trial.params[name] end
  end
  for k, objective in ipairs(sweep.objective) do
    local function get(trial) return trial.values and trial.values[k] or k == 1 and trial.value or nil end
    local low, high, _, numeric = values_of(sweep.trials, get)
    if numeric then
      axes[#axes + 1] = number_axis(objective.name, low, high, low > 0 and high / low > SPREAD)
      gets[#gets + 1] = get
    end
  end
  return axes, function(trial)
    local at = {}
    for i, axis in ipairs(axes) do
      at[i] = axis.at(gets[i](trial))
    end
    return at
  end
end

--- "q0" for the best fifth of the trials by the first objective ... "q4"; "qx" where a trial has no value.
function trials.classes(sweep)
  local sign, list, classes = sign_of(sweep.objective[1]), {}, {}
  for _, trial in ipairs(sweep.trials) do
    if numbers.finite(trial.value) then list[#list + 1] = trial else classes[trial.number] = "qx" end
  end
  table.sort(list, function(a, b)
    if a.value ~= b.value then return sign * a.value < sign * b.value end
    return a.number < b.number
  end)
  for i, trial in ipairs(list) do
    classes[trial.number] = "q" .. math.min(4, (i - 1) * 5 // #list)
  end
  return classes
end

--- Names of the parameters that were swept: given, or those that are in the trials.
function trials.swept(sweep)
  if type(sweep.swept) == "table" and #sweep.swept > 0 then return sweep.swept end
  local names, set = {}, {}
  for _, space in ipairs(sweep.params or {}) do
    names[#names + 1] = space.name
    set[space.name] = true
  end
  local more = {}
  for _, trial in ipairs(sweep.trials) do
    for name in pairs(trial.params) do
      if not set[name] then
        set[name] = true
        more[#more + 1] = name
      end
    end
  end
  table.sort(more)
  return table.move(more, 1, #more, #names + 1, names)
end

--- The best value so far after each trial that has one: { number, value } points, and all points.
function trials.history(sweep)
  local sign, best, all, line = sign_of(sweep.objective[1]), nil, {}, {}
  for _, trial in ipairs(sweep.trials) do
    if numbers.finite(trial.value) then
      all[#all + 1] = { trial.number, trial.value }
      if not best or sign * trial.value < sign * best then best = trial.value end
      line[#line + 1] = { trial.number, best }
    end
  end
  return all, line
end

--- A space as text: "0.0001 to 0.1, log", "elman, lstm".
function trials.space_text(space)
  if space.choices then
    local words = {}
    for i, choice in ipairs(space.choices) do
      words[i] = text.value(choice)
    end
    return table.concat(words, ", ")
  end
  if space.low == nil or space.high == nil then return tostring(space.text or "") end
  local s = ("%s to %s"):format(gather.value_text(space.low), gather.value_text(space.high))
  local step = not (space.kind == "int" and space.step == 1) and space.step
  if step then s = s .. " in steps of " .. gather.value_text(step) end
  return space.log and s .. ", log" or s
end

return trials
