-- rnnlab.report.sweep owns the document about a sweep: its best configuration, the ranking over repeats, what mattered,
-- what did not finish, every trial, and how to run it again.
local core = require "rnnlab.core"
local gather = require "rnnlab.report.gather"
local numbers = require "rnnlab.report.numbers"
local plans = require "rnnlab.sweep.plan"
local runs_ = require "rnnlab.report.runs"
local text = require "rnnlab.text"
local trials_ = require "rnnlab.report.trials"

local sweep_ = {}

local RANKING = 20  -- configurations in the ranking
local ERRORS = 10   -- different messages of failed trials

local function objective_text(objective)
  return ("%s, %s"):format(objective.name, objective.direction == "max" and "the larger the better"
    or "the smaller the better")
end

local function mean_cell(value)
  return { number = value.number, deviation = value.deviation, n = value.n, sort = value.number }
end

local function param_cell(value, strong)
  if value == nil then return { text = "–", muted = true } end
  if type(value) == "number" then return { number = value, strong = strong, sort = value } end
  return { text = gather.value_text(value), strong = strong }
end

local function numeric(sweep, name)
  for _, trial in ipairs(sweep.trials) do
    local value = trial.params[name]
    if value ~= nil and type(value) ~= "number" then return false end
  end
  return true
end

local function param_columns(sweep, swept, columns)
  for _, name in ipairs(swept) do
    columns[#columns + 1] = { name = name, align = numeric(sweep, name) and "right" or "left" }
  end
end

local function over_repeats(sweep)
  return (sweep.repeats or 1) > 1
end

-- What `rnnlab best SWEEP --rerun N` made is of a configuration of another sweep: { sweep, config }; else nil.
local function rerun_of(sweep)
  local record = sweep.record
  if type(record) ~= "table" or type(record.rerun_of) ~= "string" then return nil end
  return { sweep = record.rerun_of, config = math.tointeger(record.config) }
end

-- ---- parts ----------------------------------------------------------------------------------------

local function head(doc, sweep, ranked)
  local items = { { "status", runs_.status_cell(sweep.status or "finished") },
    { "trials", gather.counts_text(sweep.trials) ~= "" and gather.counts_text(sweep.trials) or "none has ended" } }
  local best = ranked[1]
  for k, objective in ipairs(sweep.objective) do
    if best and #sweep.objective == 1 then
      items[#items + 1] = { "best " .. objective.name, mean_cell(best.values[k]) }
    end
  end
  local o, origin = sweep.options or {}, rerun_of(sweep)
  if o.sampler and not origin then items[#items + 1] = { "sampler", tostring(o.sampler) } end
  if o.pruner and o.pruner ~= "none" then items[#items + 1] = { "pruner", plans.pruner_word(o) } end
  if over_repeats(sweep) then items[#items + 1] = { "repeats", text.thousands(sweep.repeats) } end
  if origin then items[#items + 1] = { "rerun of", ("configuration %d of %s"):format(origin.config, origin.sweep) } end
  doc:facts(items)
end

-- The command that trains the best configuration alone.
local function best_command(sweep, config)
  local run = { params = {}, record = { script = sweep.script, trust = (sweep.options or {}).trust } }
  for _, override in ipairs(type((sweep.options or {}).fixed) == "table" and sweep.options.fixed or {}) do
    local key, word = tostring(override):match "^([^=]+)=(.*)$"
    if key then run.params[key] = word end
  end
  for name, value in pairs(config.params) do
    run.params[name] = value
  end
  run.params.seed = config.trials[1].seed
  return gather.command(run)
end

local function best(doc, sweep, ranked, swept)
  doc:section(#sweep.objective > 1 and "Pareto front" or "Best configuration")
  if #ranked == 0 then
    doc:text(#sweep.trials == 0 and "No trial has ended yet." or "No configuration has finished.")
    return
  end
  if #sweep.objective > 1 then
    doc:text(("Objectives: %s. No configuration is better than these in all of them."):format(text.list((function()
      local words = {}
      for i, objective in ipairs(sweep.objective) do
        words[i] = objective_text(objective)
      end
      return words
    end)())))
    return
  end
  local config, rows = ranked[1], {}
  rows[1] = { sweep.objective[1].name, mean_cell(config.values[1]) }
  for _, name in ipairs(swept) do
    rows[#rows + 1] = { { text = name, code = true }, param_cell(config.params[name], true) }
  end
  doc:table { columns = { "", { name = "configuration " .. tostring(config.number), align = "right" } }, rows = rows,
    caption = ("%s%s."):format(objective_text(sweep.objective[1]), over_repeats(sweep)
      and (": mean ± standard deviation over %d seeds"):format(sweep.repeats) or "") }
  doc:text(rerun_of(sweep) and "One seed of it, alone:"
    or ("The best of %s, one seed of it, alone:"):format(text.count(#ranked, "configuration")))
  doc:code(best_command(sweep, config), "sh")
end

-- Of a rerun: every metric over its seeds, those on test data among them, with Student's interval.
local function metrics(doc, sweep, ranked)
  if not rerun_of(sweep) or not ranked[1] then return end
  local values, rows = {}, {}
  for _, trial in ipairs(ranked[1].trials) do
    for name, value in pairs(trial.metrics or {}) do
      values[name] = values[name] or {}
      if numbers.finite(value) then table.insert(values[name], value) end
    end
  end
  local names = text.sorted_keys(values)
  for i, name in ipairs(names) do
    local mean, deviation, n = numbers.statistics(values[name])
    local interval = core.sweep.interval(values[name])
    rows[i] = { { text = name, code = true }, mean_cell { number = mean, deviation = deviation, n = n }, interval.low
      and ("%s to %s"):format(text.significant(interval.low, 4), text.significant(interval.high, 4)) or "–" }
  end
  doc:section "Metrics"
  doc:table { columns = { "metric", { name = "mean", align = "right" }, { name = "95 % interval", align = "right" } },
    rows = rows, caption = ("Mean ± standard deviation over %s that the search had not seen, and Student's interval."
      ):format(text.count(#ranked[1].trials, "seed")) }
end

local function ranking(doc, sweep, ranked, rest, swept)
  if #ranked < 2 then return end
  local several = #sweep.objective > 1
  local columns = { { name = several and "front" or "rank", align = "right" }, { name = "config", align = "right" } }
  for _, objective in ipairs(sweep.objective) do
    columns[#columns + 1] = { name = objective.name, align = "right" }
  end
  param_columns(sweep, swept, columns)
  local rows = {}
  for i, config in ipairs(ranked) do
    if i > RANKING and not config.front then break end
    local row = { several and (config.front and "yes" or "") or { number = i },
      { number = math.tointeger(config.number) } }
    for k in ipairs(sweep.objective) do
      row[#row + 1] = mean_cell(config.values[k])
    end
    for _, name in ipairs(swept) do
      row[#row + 1] = param_cell(config.params[name])
    end
    rows[i] = row
  end
  if not several then doc:section "Ranking" end
  doc:table { columns = columns, rows = rows, sortable = true, caption = ("The %s%s%s%s."):format(
    #rows < #ranked and ("best %d of %s"):format(#rows, text.count(#ranked, "configuration"))
      or text.count(#ranked, "configuration"),
    over_repeats(sweep) and (", mean ± standard deviation over %d seeds"):format(sweep.repeats) or "",
    #ranked > 0 and several and ", those on the front first" or "",
    rest > 0 and ("; %s of which not every trial finished %s left out"):format(text.count(rest, "configuration"),
      rest == 1 and "is" or "are") or "") }
end

local function importance(doc, sweep, shares)
  if not shares or #shares == 0 then return end
  table.sort(shares, function(a, b)
    if a.share ~= b.share then return a.share > b.share end
    return a.name < b.name
  end)
  local rows = {}
  for i, item in ipairs(shares) do
    rows[i] = { { text = item.name, code = true },
      { text = ("%.0f %%"):format(100 * item.share), sort = item.share, strong = i == 1 } }
  end
  doc:section "What mattered"
  doc:table { columns = { "parameter", { name = "share", align = "right" } }, rows = rows,
    caption = ("How much of the difference between the best tenth of the configurations and all of them each parameter "
      .. "makes (PED-ANOVA, Watanabe et al. 2023), for %s."):format(sweep.objective[1].name) }
end

-- What did not finish, by its message.
local function unfinished(doc, sweep)
  local groups, by_key = {}, {}
  for _, trial in ipairs(sweep.trials) do
    if trial.status ~= "finished" and trial.status ~= "pruned" then
      local message = trial.error and tostring(trial.error) or ""
      local key = trial.status .. "\0" .. message
      local group = by_key[key]
      if not group then
        group = { status = trial.status, message = message, count = 0, first = trial.number }
        by_key[key] = group
        groups[#groups + 1] = group
      end
      group.count = group.count + 1
    end
  end
  if #groups == 0 then return end
  table.sort(groups, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.first < b.first
  end)
  local rows = {}
  for i = 1, math.min(#groups, ERRORS) do
    local group = groups[i]
    rows[i] = { runs_.status_cell(group.status), { number = group.count }, { number = math.tointeger(group.first) },
      group.message }
  end
  doc:section "What did not finish"
  doc:table { rows = rows, columns = { "status", { name = "trials", align = "right" },
    { name = "first", align = "right" }, "why" },
    caption = ("Trials that ended otherwise; they rank nowhere%s."):format(#groups > ERRORS
      and (". The first %d of %d messages"):format(ERRORS, #groups) or "") }
end

local function all_trials(doc, sweep, swept)
  doc:section "All trials"
  if #sweep.trials == 0 then
    doc:text "None has ended yet."
    return
  end
  local columns = { { name = "trial", align = "right" } }
  local repeats, errors_, epochs = over_repeats(sweep), false, false
  for _, trial in ipairs(sweep.trials) do
    errors_ = errors_ or trial.error ~= nil
    epochs = epochs or math.tointeger(trial.epochs) ~= nil
  end
  if repeats then columns[#columns + 1] = { name = "config", align = "right" } end
  columns[#columns + 1] = "status"
  for _, objective in ipairs(sweep.objective) do
    columns[#columns + 1] = { name = objective.name, align = "right" }
  end
  param_columns(sweep, swept, columns)
  if repeats then columns[#columns + 1] = { name = "seed", align = "right" } end
  if epochs then columns[#columns + 1] = { name = "epochs", align = "right" } end
  columns[#columns + 1] = { name = "s", align = "right" }
  if errors_ then columns[#columns + 1] = "why" end
  local axes, at = trials_.axes(sweep, swept)
  local classes, rows = trials_.classes(sweep), {}
  for i, trial in ipairs(sweep.trials) do
    local row = { ("%d"):format(trial.number), trial = trial.number, tone = trial.status, at = at(trial),
      class = classes[trial.number] }
    if repeats then row[#row + 1] = { number = math.tointeger(trial.config) } end
    row[#row + 1] = runs_.status_cell(trial.status)
    for k in ipairs(sweep.objective) do
      local value = trial.values and trial.values[k] or k == 1 and trial.value or nil
      row[#row + 1] = value and { number = value, sort = value } or { text = "–", muted = true, sort = false }
    end
    for _, name in ipairs(swept) do
      row[#row + 1] = param_cell(trial.params[name])
    end
    if repeats then row[#row + 1] = { number = math.tointeger(trial.seed) } end
    if epochs then row[#row + 1] = { number = math.tointeger(trial.epochs) } end
    row[#row + 1] = trial.wall_s and { text = text.significant(trial.wall_s, 2), sort = trial.wall_s } or ""
    if errors_ then row[#row + 1] = trial.error and tostring(trial.error) or "" end
    rows[i] = row
  end
  doc:table { trials = true, columns = columns, rows = rows, axes = #axes > 1 and axes or nil,
    caption = ("%s%s."):format(text.count(#rows, "trial"), sweep.planned and sweep.planned > #rows
      and (" of %s planned"):format(text.thousands(sweep.planned)) or "") }
end

-- "rnnlab sweep s.lua cell=lstm lr=log:0.0001..0.1 --sampler tpe ..."
local function sweep_command(sweep)
  local o, origin = sweep.options or {}, rerun_of(sweep)
  if origin then
    return ("rnnlab best %s --config %d --rerun %d"):format(gather.quoted(origin.sweep), origin.config, sweep.repeats)
  end
  local words = { "rnnlab", "sweep", gather.quoted(tostring(sweep.script or "SCRIPT.lua")) }
  for _, override in ipairs(type(o.fixed) == "table" and o.fixed or {}) do
    words[#words + 1] = gather.quoted(tostring(override))
  end
  -- The spaces as they were asked for; a bare name sweeps what the script declares.
  for _, space in ipairs(type(o.space) == "table" and o.space or sweep.params or {}) do
    words[#words + 1] = gather.quoted(space.space and space.name .. "=" .. space.space or space.name)
  end
  local function option(name, value, usual)
    if value ~= nil and value ~= usual then
      words[#words + 1] = ("--%s %s"):format(name, gather.quoted(tostring(value)))
    end
  end
  if o.seed and o.seed ~= 1 then words[#words + 1] = ("seed=%s"):format(gather.value_text(o.seed)) end
  option("sampler", o.sampler)
  option("trials", o.trials)
  option("repeats", sweep.repeats, 1)
  option("pruner", plans.pruner_word(o), "none")
  for _, objective in ipairs(sweep.objective) do
    option("objective", ("%s:%s"):format(objective.direction or "min", objective.name))
  end
  if o.deterministic then words[#words + 1] = "--deterministic" end
  return table.concat(words, " ")
end
sweep_.command = sweep_command

local function again(doc, sweep)
  doc:section "How to run it again"
  doc:code(sweep_command(sweep), "sh")
  local rows = {}
  for i, space in ipairs(sweep.params or {}) do
    rows[i] = { { text = space.name, code = true }, trials_.space_text(space) }
  end
  if #rows > 0 and not rerun_of(sweep) then
    doc:table { columns = { "parameter", "space" }, rows = rows, caption = "What was swept." }
  end
  local record = sweep.record
  if type(record) == "table" then
    local first, list = math.tointeger((sweep.options or {}).seed), {}
    for i = 1, sweep.repeats or 1 do
      list[i] = { dir = sweep.dir, record = record, params = {}, seed = first and first + i - 1 }
    end
    runs_.provenance(doc, list)
  end
end

--- Fill a document. sweep: as sweeps.load gives it, with record (sweep.json). options: importance = { { name, share }
--- }, figures = a list of figure blocks, own = function(doc), source = the script's text.
function sweep_.write(doc, sweep, options)
  local ranked, rest = trials_.ranked(sweep)
  local swept = trials_.swept(sweep)
  head(doc, sweep, ranked)
  best(doc, sweep, ranked, swept)
  metrics(doc, sweep, ranked)
  ranking(doc, sweep, ranked, rest, swept)
  importance(doc, sweep, options.importance)
  if options.figures and #options.figures > 0 then
    doc:section "Figures"
    for _, figure in ipairs(options.figures) do
      doc:figure(figure)
    end
  end
  if options.own then options.own(doc) end
  unfinished(doc, sweep)
  all_trials(doc, sweep, swept)
  again(doc, sweep)
  if options.source then doc:code(options.source, "lua", "The script") end
end

return sweep_
