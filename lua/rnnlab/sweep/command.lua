-- rnnlab.sweep.command owns `rnnlab sweep` and `rnnlab resume SWEEP`: from the command line to a closed sweep.json and
-- the ranking that is printed.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local folders = require "rnnlab.sweep.folder"
local ledgers = require "rnnlab.sweep.ledger"
local plans = require "rnnlab.sweep.plan"
local reports = require "rnnlab.sweep.report"
local text = require "rnnlab.text"

local command = {}

local function out(...)
  io.stdout:write(...)
  io.stdout:flush()
end

local function warn(format, ...)
  io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n")
end

-- ---- what is printed ----------------------------------------------------------------------------

-- --dry-run: the space and the trials, as far as they do not depend on results.
local function dry_run(plan, study, options)
  if options.json then
    local trials = core.json.array {}
    for n = 1, plan.trials do
      local point = plan.sampler ~= "tpe" and study:propose(n - 1)
      if not point then break end
      trials[n] = core.json.array(plans.overrides(plan, study, point, 0))
    end
    out(core.json.encode { plan = plan, trials = trials }, "\n")
    return 0
  end
  local pruner = plan.pruner ~= "none" and ", pruner " .. plans.pruner_word(plan) or ""
  out(("%s: %s%s, %s%s\n"):format(plan.script, plan.sampler, pruner, text.count(plan.trials, "configuration"),
    plan.repeats > 1 and (" × %d seeds = %s trials"):format(plan.repeats, text.thousands(plan.planned)) or ""))
  for _, d in ipairs(study:dimensions()) do
    out("  ", d.text, "\n")
  end
  out "\n"
  if plan.sampler == "tpe" then
    out(("tpe proposes by what was found; its first %d trials:\n"):format(math.min(10, plan.trials)))
  end
  for n = 1, plan.sampler == "tpe" and math.min(10, plan.trials) or plan.trials do
    local point = study:propose(n - 1)
    if not point then break end
    out(("%6d  %s\n"):format(n, table.concat(plans.overrides(plan, study, point, 0), " ")))
  end
  return 0
end

-- dir: the sweep's folder.
local function best_of(ledger, dir)
  local best = ledger:ranked()[1]
  if not best then return nil end
  local objectives = ledger:objectives()
  local values = {}
  for r, line in ipairs(best.trials) do
    values[r] = core.json.number(line.values[1])
  end
  local interval = core.sweep.interval(values)
  return { config = best.number, trial = ledger:trial_number(best.number, 1), objective = objectives[1].name,
    value = best.value, values = core.json.array(best.values), params = best.trials[1].params,
    sd = interval.sd, low = interval.low, high = interval.high,
    run = ledgers.run_of(dir, ledger:trial_number(best.number, 1)) }
end
command.best_of = best_of

local function trial_object(line)
  return { trial = line.trial, config = line.config, seed = line.seed, status = line.status, params = line.params,
    value = line.value, values = line.values, metrics = line.metrics, epochs = line.epochs, wall_s = line.wall_s,
    error = line.error, run = line.run, resumed = line.resumed }
end

-- The object of sweep --json.
function command.print_json(sweep, ledger)
  local trials = core.json.array {}
  for number = 1, ledger.plan.planned do
    local line = ledger.trials[number]
    if line then trials[#trials + 1] = trial_object(line) end
  end
  out(core.json.encode { sweep = sweep.name, dir = sweep.dir, status = sweep.json.status, planned = ledger.plan.planned,
    counts = next(ledger.counts) and ledger.counts or core.json.object {}, wall_s = sweep.json.wall_s, trials = trials,
    best = best_of(ledger, sweep.dir) }, "\n")
end

local function tell(sweep, ledger, seconds)
  local ranking = reports.ranking(ledger, 5)
  out(("%s   %s in %s: %s\n"):format(sweep.name, text.count(ledger.done, "trial"), text.duration(seconds),
    reports.counts(ledger)))
  for _, line in ipairs(ranking) do
    out("  ", line, "\n")
  end
  if #ranking == 0 and ledger.counts.finished then
    out "  none ranks: of each configuration a repeat has not finished\n"
  end
  out("  everything in ", sweep.dir, "/\n")
end

-- ---- running ------------------------------------------------------------------------------------

local signals = { [1] = "SIGHUP", [2] = "SIGINT", [10] = "SIGUSR1", [15] = "SIGTERM" }

-- Judge it finished or not, and write down what became of it: sweep.json, the index (`index`: not where it is false).
local function close(sweep, ledger, ending, seconds, problem, index)
  local lines = {}
  for number = 1, ledger.plan.planned do
    lines[#lines + 1] = ledger.trials[number]
  end
  local status = (ending == "finished" or ending == "failed" or ending == "running") and ending or "interrupted"
  sweep:write { status = status, ended = status ~= "running" and core.host.now_iso() or nil,
    objective = not sweep.json.objective and ledger.objective and core.json.array { ledger.objective } or nil,
    wall_s = (seconds > 0 or sweep.json.wall_s) and (tonumber(sweep.json.wall_s) or 0) + seconds or nil,
    best = best_of(ledger, sweep.dir),
    counts = next(ledger.counts) and ledger.counts or nil,
    error = problem and problem.message or sweep.json.error and core.json.null or nil }
  if status == "finished" or ledger.done == ledger.plan.planned then
    require("rnnlab.sweep.checkpoints").clear(sweep.dir)
  end
  local unindexed = index ~= false and sweep:index(lines)
  if unindexed then warn("the index does not have it: %s", unindexed) end
end

-- What starts workers, by the name that --launcher takes.
local launchers = {
  ["local"] = function() return require "rnnlab.sweep.launcher_local" end,
  slurm = function() return require "rnnlab.sweep.launcher_slurm" end,
}

local function launcher_of(name)
  local known = text.sorted_keys(launchers)
  local find = launchers[name or "local"]
  if not find then
    errors.usage("--launcher '%s' is not known%s (there is %s)", text.one_line(name), text.did_you_mean(name, known),
      text.list(known))
  end
  return find()
end

-- Options that only one launcher takes, at another.
local function check_launcher(options)
  local launcher = launcher_of(options.launcher)
  if launcher.options then
    if options.jobs then errors.usage "--launcher slurm takes no --jobs but --cpus: the workers of a task" end
    return launcher
  end
  for _, key in ipairs(launchers.slurm().only) do
    if options[key] ~= nil then errors.usage("--%s is for --launcher slurm", (key:gsub("_", "-"))) end
  end
  return launcher
end

local function jobs_of(options)
  local jobs = options.jobs or core.host.info().cores
  if jobs < 1 or jobs > 999 then errors.usage("--jobs takes a number from 1 to 999, not %d", jobs) end
  return jobs
end

-- Run what is missing of a sweep whose folder is there. Returns its ledger, how it ended and what was wrong.
function command.run(sweep, plan, options)
  local began = core.host.monotonic()
  local study = plans.study(plan)
  local ledger = ledgers.new(plan, study)
  ledger:read(sweep.dir)
  local watch = reports.watch(ledger, options.quiet)
  if options.goes_on then
    watch:say(ledger.done == plan.planned and ("%s: all of %s have ended; nothing is missing"):format(sweep.name,
      text.count(plan.planned, "trial")) or ("%s goes on: %s of %s have ended"):format(sweep.name,
      text.thousands(ledger.done), text.count(plan.planned, "trial")))
  end
  local s = require("rnnlab.sweep.scheduler").new { plan = plan, dir = sweep.dir, ledger = ledger, study = study,
    jobs = jobs_of(options), watch = watch, timeout = options.timeout,
    named = function(objective) sweep:write { objective = core.json.array { objective } } end,
    launcher = launcher_of(options.launcher).new(sweep.dir, plan) }
  local ok, ending = xpcall(s.run, function(problem)
    if os.getenv "RNNLAB_TRACEBACK" == "1" then io.stderr:write(debug.traceback(tostring(problem)), "\n") end
    return problem
  end, s)
  watch:clear()
  if ok and (ending == "finished" or ending == "timeout") and not plan.test then
    local unkept = require("rnnlab.sweep.keep").settle(sweep, ledger, study)
    if unkept then warn("a run folder could not be kept: %s", unkept) end
  end
  if not ok then
    local problem = errors.is(ending) and ending or errors.new(1, tostring(ending))
    pcall(close, sweep, ledger, "failed", core.host.monotonic() - began, problem)
    error(problem, 0)
  end
  local problem = s.problem
  if ending == "finished" and not ledger.counts.finished then
    ending, problem = "failed", errors.new(1, ("no trial finished (%s)"):format(reports.counts(ledger)))
  end
  close(sweep, ledger, ending, core.host.monotonic() - began, problem)
  return ledger, ending, problem
end

-- What a sweep that has ended is told with, and its exit code.
local function conclude(sweep, ledger, ending, problem, options, seconds)
  local plan = ledger.plan
  if options.json then
    command.print_json(sweep, ledger)
  elseif not options.quiet and ledger.done > 0 and not (problem and problem.exit == 2) then
    tell(sweep, ledger, seconds)
  end
  if problem then errors.throw(problem.exit, "%s: %s", sweep.name, problem.message) end
  if ending == "interrupted" then
    local stop = core.stop_requested()
    errors.throw(128 + stop, "%s: interrupted by %s after %s of %d; rnnlab resume %s goes on", sweep.name,
      signals[stop] or "signal " .. stop, text.count(ledger.done, "trial"), plan.planned, sweep.name)
  end
  if ending == "timeout" then
    warn("%s: the time is over after %s of %d; rnnlab resume %s goes on", sweep.name, text.count(ledger.done, "trial"),
      plan.planned, sweep.name)
  end
  if not ledger.counts.finished then
    errors.failure("%s: no trial finished (%s)", sweep.name, reports.counts(ledger))
  end
  return 0
end

local function go(sweep, plan, options)
  local began = core.host.monotonic()
  local ledger, ending, problem = command.run(sweep, plan, options)
  local seconds = options.goes_on and tonumber(sweep.json.wall_s) or core.host.monotonic() - began
  return conclude(sweep, ledger, ending, problem, options, seconds)
end

-- What sweep.json knows from the first moment. more: what else, or nil.
function command.head(ctx, plan, more)
  local host = core.host.info()
  local head = { plan = plan, script = ctx.script, planned = plan.planned,
    versions = { rnnlab = core.version, lua = _VERSION }, isa = core.kernel_info().isa,
    host = { name = host.name, cpu = host.cpu, system = host.system, cores = host.cores },
    sha256 = { script = core.host.sha256(ctx.box.bytes) } }
  for i, objective in ipairs(plan.objective or {}) do
    head.objective = head.objective or core.json.array {}
    head.objective[i] = (objective.direction == "max" and "max:" or "") .. objective.name
  end
  for key, value in pairs(more or {}) do head[key] = value end
  return head
end

-- rnnlab sweep
function command.sweep(options)
  options.results = options.results or "results"
  local launcher = check_launcher(options)
  jobs_of(options)
  local asked = launcher.options and launcher.options(options)
  local plan, ctx, study = plans.make(options)
  if asked then return require("rnnlab.sweep.cluster").sweep(plan, ctx, study, asked, options) end
  if options.dry_run then return dry_run(plan, study, options) end
  local sweep = folders.create(options.results, ctx, command.head(ctx, plan))
  options.timeout = plan.timeout
  return go(sweep, plan, options)
end

-- Say where the script or its modules differ from the copies that a sweep runs.
function command.tell_edits(sweep, options)
  local script = plans.place(sweep.json.plan)
  for _, edit in ipairs(options.quiet and {} or require("rnnlab.resume").edits(sweep.json, script)) do
    warn("%s; %s goes on with its own copy", edit, sweep.name)
  end
end

-- rnnlab resume SWEEP
function command.resume(options)
  if options.overrides and options.overrides[1] then
    errors.usage("'%s': a sweep goes on as it was begun", options.overrides[1])
  end
  local sweep = folders.find(options.results or "results", options.words[1])
  local launcher = options.launcher or sweep.json.plan and sweep.json.plan.launcher
  local module = launcher_of(launcher)
  local cluster = require "rnnlab.sweep.cluster"
  if type(sweep.json.plan) == "table" and options.checkpoint_every then
    sweep.json.plan.checkpoint_every = plans.checkpoint_every(options.checkpoint_every)
  end
  cluster.check_idle(sweep)
  if not core.host.exists(sweep.dir .. "/script.lua") then
    errors.failure("%s has no copy of its script, so it cannot go on: it was stopped before it had begun, or the copy "
      .. "was removed", sweep.name)
  end
  if sweep.json.status ~= "finished" then command.tell_edits(sweep, options) end
  if module.options then return cluster.resume(sweep, options) end
  local plan = sweep.json.plan
  sweep:take_over()
  options.goes_on = true
  return go(sweep, plan, options)
end

-- What slots of a cluster have done by now, taken into sweep.json and, with `index`, the index. Where all planned
-- trials have ended, or --stop-after has it that it is enough, the sweep is finished; else it is what `status` says.
-- Returns the ledger.
function command.collect(sweep, status, index)
  local plan = sweep.json.plan
  local study = plans.study(plan)
  local ledger = ledgers.new(plan, study)
  ledger:read(sweep.dir)
  local enough = plan.stop_after and ledger:since_best() >= plan.stop_after
  if ledger.done == plan.planned or enough and status ~= "running" then status = "finished" end
  local seconds = 0
  if status == "finished" and sweep.json.status ~= "finished" then
    local unkept = require("rnnlab.sweep.keep").settle(sweep, ledger, study)
    if unkept then warn("a run folder could not be kept: %s", unkept) end
  end
  if status ~= "running" and (sweep.json.status == "running" or not sweep.json.wall_s) then
    local began = sweep.json.submitted or text.moment(sweep.json.started)
    seconds = math.max(0, text.moment(core.host.now_iso()) - began) -- until now
  end
  close(sweep, ledger, status, seconds, nil, index)
  return ledger
end

command.warn = warn

return command
