-- rnnlab.sweep.results owns what is asked of a sweep afterwards: `rnnlab show SWEEP`, `rnnlab best SWEEP` and its rerun
-- on fresh seeds, and the paired comparison of two configurations.
local checkpoints = require "rnnlab.sweep.checkpoints"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local folders = require "rnnlab.sweep.folder"
local ledgers = require "rnnlab.sweep.ledger"
local plans = require "rnnlab.sweep.plan"
local reports = require "rnnlab.sweep.report"
local text = require "rnnlab.text"

local results = {}

local function out(...)
  io.stdout:write(...)
  io.stdout:flush()
end

-- A stored sweep: { sweep, plan, study, ledger }.
function results.open(folder, query)
  local sweep = folders.find(folder or "results", query)
  local plan = sweep.json.plan
  if type(plan) ~= "table" then errors.failure("%s/sweep.json has no plan; no rnnlab sweep wrote it", sweep.dir) end
  local study = plans.study(plan)
  local ledger = ledgers.new(plan, study)
  ledger:read(sweep.dir)
  return { sweep = sweep, plan = plan, study = study, ledger = ledger }
end

-- A word as a shell takes it.
local function quoted(word)
  if word:find "^[%w_./=:,+-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The command line of a configuration's run with its first seed.
function results.command_line(stored, config)
  local words = { "rnnlab", "run", quoted(stored.plan.script) }
  for _, override in ipairs(plans.overrides(stored.plan, stored.study, config.point, 0)) do
    words[#words + 1] = quoted(override)
  end
  if stored.plan.trust then words[#words + 1] = "--trust" end
  return table.concat(words, " ")
end

-- The values of objective k over a configuration's repeats.
local function values_of(config, k)
  local values = {}
  for r, line in ipairs(config.trials) do
    values[r] = core.json.number(line.values[k])
  end
  return values
end

-- ---- show ---------------------------------------------------------------------------------------

-- Errors by what they say but for numbers in it, the most frequent first: { { count, status, text, trial } }; the text
-- is that of the first.
local function errors_of(ledger)
  local list, at = {}, {}
  for number = 1, ledger.plan.planned do
    local line = ledger.trials[number]
    if line and line.status ~= "finished" and line.status ~= "pruned" then
      local key = line.status .. (line.error or ""):gsub("%d+", "#")
      if not at[key] then
        at[key] = { count = 0, status = line.status, text = line.error, trial = number }
        list[#list + 1] = at[key]
      end
      at[key].count = at[key].count + 1
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    return a.trial < b.trial
  end)
  return list
end

local function importance_of(stored)
  local shares = stored.study:importance()
  if not shares then return nil end
  local list = {}
  for i, d in ipairs(stored.study:dimensions()) do
    list[i] = { name = d.name, share = shares[i] }
  end
  table.sort(list, function(a, b)
    if a.share ~= b.share then return a.share > b.share end
    return a.name < b.name
  end)
  return list
end

local function head_lines(stored)
  local sweep, plan, ledger = stored.sweep, stored.plan, stored.ledger
  local json = sweep.json
  local problem = type(json.error) == "string" and ": " .. json.error or ""
  local rows = { { "status", json.status .. problem }, { "script", plan.script }, { "folder", sweep.dir } }
  local function row(name, value)
    if value then rows[#rows + 1] = { name, value } end
  end
  row("started", text.local_time(json.started))
  row("took", type(json.wall_s) == "number" and text.duration(json.wall_s))
  row("sampler", not plan.test and plan.sampler
    .. (plan.pruner ~= "none" and ", pruner " .. plans.pruner_word(plan) or ""))
  local objectives = {}
  for i, objective in ipairs(ledger:objectives() or {}) do
    objectives[i] = objective.name .. (objective.direction == "max" and " (more is better)" or "")
  end
  row("objective", #objectives > 0 and table.concat(objectives, " and "))
  row("trials", ("%s of %s: %s"):format(text.thousands(ledger.done), text.thousands(plan.planned),
    reports.counts(ledger)))
  local cut = 0
  for _ in pairs((checkpoints.list(sweep.dir))) do cut = cut + 1 end
  row("checkpoints", cut > 0 and ("of %s under way"):format(text.count(cut, "trial")))
  row("goes on by", json.status == "interrupted" and "rnnlab resume " .. sweep.name)
  row("repeats", plan.repeats > 1 and ("%d, seeds %d to %d"):format(plan.repeats, plan.seed,
    plan.seed + plan.repeats - 1))
  row("fixed", #plan.fixed > 0 and table.concat(plan.fixed, " "))
  row("rerun of", type(json.rerun_of) == "string" and ("configuration %d of %s"):format(json.config, json.rerun_of))
  row("tags", type(json.tags) == "table" and #json.tags > 0 and table.concat(json.tags, " "))
  return text.table(rows, { "left", "left" })
end

-- Notes, each with its time; a line each where it has several.
local function note_lines(notes)
  local rows = {}
  for _, note in ipairs(type(notes) == "table" and notes or {}) do
    local at = text.local_time(note.time) or "-"
    for line in (note.text .. "\n"):gmatch "(.-)\n" do
      rows[#rows + 1] = { at, (line:gsub("%c", "?")) }
      at = ""
    end
  end
  return text.table(rows, { "left", "left" })
end

-- The metrics of trials that differ in their seeds: lines of mean, deviation and interval, and the same by name.
local function metric_lines(lines)
  local names, seen = {}, {}
  for _, line in ipairs(lines) do
    for name in pairs(line.metrics or {}) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  local several = #lines > 1
  local rows, object = { several and { "", "mean", "±", "deviation", "95 % interval", "" } or nil }, {}
  for _, name in ipairs(names) do
    local values = {}
    for _, line in ipairs(lines) do
      local value = line.metrics and core.json.number(line.metrics[name])
      if value and value == value then values[#values + 1] = value end
    end
    local interval = core.sweep.interval(values)
    interval.values = core.json.array(values)
    object[name] = interval
    rows[#rows + 1] = not several and { name, text.significant(interval.mean or 0 / 0, 4) } or { name,
      text.significant(interval.mean or 0 / 0, 4), "±", interval.sd and text.significant(interval.sd, 2) or "-",
      interval.low and ("%s to %s"):format(
        text.significant(interval.low, 4), text.significant(interval.high, 4)) or "",
      #values < #lines and ("%d of %d"):format(#values, #lines) or "" }
  end
  return text.table(rows, { "left", "right", "left", "left", "left", "left" }), object
end

-- The trials of a rerun that finished, and whether there were test data to judge them by.
local function rerun_lines(ledger)
  local lines, tested = {}, false
  for number = 1, ledger.plan.planned do
    local line = ledger.trials[number]
    if line and line.status == "finished" then
      lines[#lines + 1] = line
      for name in pairs(line.metrics) do tested = tested or name:find "^test_" ~= nil end
    end
  end
  return lines, tested
end

-- What a rerun is for: one configuration over its seeds.
local function show_rerun(stored, section)
  local config = stored.ledger.configs[1]
  local lines, tested = rerun_lines(stored.ledger)
  local texts, rows = config and stored.study:texts(config.point) or {}, {}
  for _, name in ipairs(stored.plan.swept) do
    if texts[name] then rows[#rows + 1] = { name, texts[name] } end
  end
  section("parameters", text.table(rows, { "left", "left" }))
  section(("metrics over %s%s"):format(text.count(#lines, "seed"), tested and ", test data included" or ""),
    #lines > 0 and metric_lines(lines) or {})
end

-- The space, the ranking (with two objectives the whole of the front) and what mattered.
local function show_search(stored, section)
  local space, front = {}, 0
  for i, d in ipairs(stored.study:dimensions()) do space[i] = d.text end
  section("space", space)
  for _, config in ipairs(stored.ledger:ranked()) do front = front + (config.front and 1 or 0) end
  section("ranking", reports.ranking(stored.ledger, math.max(10, front)))
  local importance, rows = importance_of(stored), {}
  for i, entry in ipairs(importance or {}) do
    rows[i] = { entry.name, ("%.0f %%"):format(100 * entry.share) }
  end
  local objective = (stored.ledger:objectives() or { { name = "" } })[1].name
  section(("importance for %s (PED-ANOVA, among the best tenth)"):format(objective),
    #rows > 1 and text.table(rows, { "left", "right" }) or {})
end

-- rnnlab show SWEEP
function results.show(options)
  local stored = results.open(options.results, options.words[1])
  if options.json then
    out(core.json.encode(stored.sweep.json), "\n")
    return 0
  end
  local function section(head, lines)
    if #lines == 0 then return end
    out("\n", head, "\n")
    for _, line in ipairs(lines) do out("  ", line, "\n") end
  end
  out(stored.sweep.name, "\n")
  for _, line in ipairs(head_lines(stored)) do out("  ", line, "\n") end
  section("notes", note_lines(stored.sweep.json.notes))
  if stored.plan.test then show_rerun(stored, section) else show_search(stored, section) end
  local failures = {}
  for i, failure in ipairs(errors_of(stored.ledger)) do
    if i > 5 then break end
    failures[i] = ("%d %s%s (trial %d)"):format(failure.count, failure.status,
      failure.text and ": " .. failure.text or "", failure.trial)
  end
  section("failures", failures)
  return 0
end

-- ---- best ---------------------------------------------------------------------------------------

local function best_object(stored, config)
  local objectives = stored.ledger:objectives()
  local list = core.json.array {}
  for k, objective in ipairs(objectives) do
    local values = values_of(config, k)
    local interval = core.sweep.interval(values)
    list[k] = { name = objective.name, direction = objective.direction, value = config.values[k], sd = interval.sd,
      low = interval.low, high = interval.high, n = #values, values = core.json.array(values) }
  end
  local first = stored.ledger:trial_number(config.number, 1)
  return { sweep = stored.sweep.name, config = config.number, trial = first, params = config.trials[1].params,
    objective = objectives[1].name, value = config.value, objectives = list,
    run = ledgers.run_of(stored.sweep.dir, first),
    overrides = core.json.array(plans.overrides(stored.plan, stored.study, config.point, 0)),
    command = results.command_line(stored, config) }
end

local function winner(stored, number)
  if number then
    local config = stored.ledger.configs[number]
    if not config or config.state ~= "finished" then
      errors.usage("%s has no configuration %d that finished", stored.sweep.name, number)
    end
    return config
  end
  local config = stored.ledger:ranked()[1]
  if not config then
    errors.failure("%s has no %s finished (%s)", stored.sweep.name, stored.plan.repeats > 1
      and "configuration all of whose repeats" or "trial that", reports.counts(stored.ledger))
  end
  return config
end
results.winner = winner

-- The winner on fresh seeds, with the test set: a sweep of its own, of one configuration.
local function rerun(stored, config, options)
  local command = require "rnnlab.sweep.command"
  local plan = stored.plan
  local n = options.rerun
  if n < 1 then errors.usage("--rerun takes a number of seeds, at least 1") end
  local fresh = {}
  for key, value in pairs(plan) do fresh[key] = value end
  fresh.trials, fresh.repeats, fresh.planned = 1, n, n
  fresh.sampler, fresh.pruner, fresh.last_step, fresh.deterministic, fresh.block = "random", "none", nil, nil, nil
  fresh.seed = plan.seed + plan.repeats
  fresh.test, fresh.keep, fresh.stop_after = true, "none", nil
  local script, cwd = plans.place(plan)
  command.tell_edits(stored.sweep, options)
  local ctx = require("rnnlab.prepare").open { script = script, cwd = cwd, copy = stored.sweep.dir, trust = plan.trust,
    overrides = plans.overrides(plan, stored.study, config.point, 0), print = function() end }
  local sweep = folders.create(options.results or "results", ctx, command.head(ctx, fresh, {
    rerun_of = stored.sweep.name, config = config.number }))
  sweep:propose(1, config.point)
  local ledger = command.run(sweep, fresh, { quiet = options.quiet, jobs = options.jobs })
  return sweep, ledger, rerun_lines(ledger)
end

-- rnnlab best SWEEP
function results.best(options)
  local stored = results.open(options.results, options.words[1])
  local config = winner(stored, options.config)
  local object = best_object(stored, config)
  local front = {}
  for _, other in ipairs(#object.objectives > 1 and stored.ledger:ranked() or {}) do
    if other.front then front[#front + 1] = other.number end
  end
  object.front = #front > 0 and core.json.array(front) or nil
  local sweep, ledger, lines, tested, table_, summary
  if options.rerun then
    sweep, ledger, lines, tested = rerun(stored, config, options)
    table_, summary = metric_lines(lines)
    object.rerun = { sweep = sweep.name, planned = ledger.plan.planned, seeds = core.json.array { ledger.plan.seed,
      ledger.plan.seed + ledger.plan.planned - 1 }, finished = #lines, metrics = summary }
  end
  if options.json then
    out(core.json.encode(object), "\n")
    return lines and #lines == 0 and 1 or 0
  end
  for _, objective in ipairs(object.objectives) do
    out(("%s %s%s   %s %d of %s\n"):format(objective.name, text.significant(objective.value, 6), objective.n > 1
      and (" ± %s (n %d, 95 %% %s to %s)"):format(text.significant(objective.sd, 2), objective.n,
        text.significant(objective.low, 4), text.significant(objective.high, 4)) or "",
      stored.plan.repeats > 1 and "configuration" or "trial", config.number, stored.sweep.name))
  end
  if #front > 1 then out(("one of %d on the Pareto front; rnnlab show lists them\n"):format(#front)) end
  for _, name in ipairs(stored.plan.swept) do
    local value = object.params and object.params[name]
    if value ~= nil then out("  ", name, " = ", text.value(value), "\n") end
  end
  out("\n  ", object.command, "\n")
  if object.run then out("  its run: ", stored.sweep.dir, "/", object.run, "\n") end
  if lines then
    local n, first = ledger.plan.planned, ledger.plan.seed
    out(("\n%s of %s (%s) finished, %s; %s\n"):format(text.thousands(#lines), text.count(n, "fresh seed"),
      n == 1 and first or ("%d to %d"):format(first, first + n - 1),
      tested and "test data included" or "there are no test data", sweep.name))
    for _, line in ipairs(#lines > 0 and table_ or {}) do out("  ", line, "\n") end
  end
  return lines and #lines == 0 and 1 or 0
end

-- ---- compare --paired ---------------------------------------------------------------------------

-- "SWEEP" (its best) or "SWEEP:7" (a configuration): { name, objective, values by seed }.
local function by_seed(options, word)
  local query, number = word:match "^(.+):(%d+)$"
  local stored = results.open(options.results, query or word)
  local config = winner(stored, number and math.tointeger(tonumber(number)))
  local values = {}
  for _, line in ipairs(config.trials) do
    values[line.seed] = core.json.number(line.values[1])
  end
  return { name = ("%s:%d"):format(stored.sweep.name, config.number), objective = stored.ledger:objectives()[1],
    values = values, params = config.trials[1].params, plan = stored.plan }
end

-- rnnlab compare A B --paired
function results.paired(options)
  if #options.words ~= 2 then errors.usage("--paired compares two: rnnlab compare SWEEP SWEEP --paired") end
  local a, b = by_seed(options, options.words[1]), by_seed(options, options.words[2])
  if a.objective.name ~= b.objective.name then
    errors.usage("%s was judged by %s, %s by %s; nothing to compare", a.name, a.objective.name, b.name,
      b.objective.name)
  end
  local seeds, x, y = core.json.array {}, {}, {}
  for seed in pairs(a.values) do
    if b.values[seed] then seeds[#seeds + 1] = seed end
  end
  table.sort(seeds)
  for i, seed in ipairs(seeds) do
    x[i], y[i] = a.values[seed], b.values[seed]
  end
  if #seeds < 2 then
    errors.failure("%s and %s share %s; a paired comparison takes two at least (sweep with --repeats)", a.name, b.name,
      text.count(#seeds, "seed"))
  end
  local paired = core.sweep.paired(x, y)
  if options.json then
    paired.a, paired.b, paired.objective, paired.seeds = a.name, b.name, a.objective.name, seeds
    out(core.json.encode(paired), "\n")
    return 0
  end
  local d, w = paired.difference, paired.wilcoxon
  local rows = { { "", a.objective.name, "", "" } }
  for _, side in ipairs { { a, x }, { b, y } } do
    local interval = core.sweep.interval(side[2])
    rows[#rows + 1] = { side[1].name, text.significant(interval.mean, 4), "± " .. text.significant(interval.sd, 2),
      reports.params(side[1].plan, side[1].params or {}) }
  end
  for _, line in ipairs(text.table(rows, { "left", "right", "left", "left" })) do out(line, "\n") end
  out(("\ndifference %s, 95 %% from %s to %s, over %d shared seeds\n"):format(text.significant(d.mean, 4),
    text.significant(d.low, 4), text.significant(d.high, 4), d.n))
  out(("paired t-test p = %s; Wilcoxon's signed-rank test p = %s%s\n"):format(
    paired.p and text.significant(paired.p, 2) or "-", text.significant(w.p, 2), w.exact and " (exact)" or ""))
  return 0
end

return results
