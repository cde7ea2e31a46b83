-- rnnlab.sweep.cluster owns sweeps that others run: `rnnlab sweep --launcher slurm`, which submits and returns, and
-- what is done with such a sweep meanwhile: `sweep-status`, `collect`, `cancel`, `resume`. How a sweep stands is read
-- from its own files; Slurm is asked only for the state of its tasks.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local folders = require "rnnlab.sweep.folder"
local ledgers = require "rnnlab.sweep.ledger"
local plans = require "rnnlab.sweep.plan"
local reports = require "rnnlab.sweep.report"
local slurm = require "rnnlab.sweep.launcher_slurm"
local text = require "rnnlab.text"

local cluster = {}

local function out(...)
  io.stdout:write(...)
  io.stdout:flush()
end

local function command() return require "rnnlab.sweep.command" end

-- ---- Slurm's side of a sweep --------------------------------------------------------------------

-- The tasks of a sweep's jobs: { { job =, kind =, task =, state =, node =, reason = } }; nil and why where squeue
-- fails. Jobs that Slurm has forgotten have none.
local function tasks_of(sweep)
  local list = {}
  for _, job in ipairs(slurm.jobs(sweep.dir)) do
    local tasks, problem = slurm.tasks(job.job)
    if not tasks then return nil, problem end
    for _, task in ipairs(tasks) do
      list[#list + 1] = { job = job.job, kind = job.kind, task = task.task, state = task.state, node = task.node,
        reason = task.reason }
    end
  end
  return list
end

-- Those that run or will.
local function active(tasks)
  local list = {}
  for _, task in ipairs(tasks) do
    if not slurm.is_over(task.state) then list[#list + 1] = task end
  end
  return list
end

-- "2 RUNNING on n1 n2, 1 PENDING (Resources)"
local function told(tasks)
  local states, words = {}, {}
  for _, task in ipairs(tasks) do
    local state = states[task.state] or { count = 0, nodes = {}, reasons = {} }
    states[task.state] = state
    state.count = state.count + 1
    if task.node then state.nodes[task.node] = true end
    if task.reason then state.reasons[task.reason] = true end
  end
  for _, state in ipairs(text.sorted_keys(states)) do
    local s = states[state]
    local nodes, reasons = text.sorted_keys(s.nodes), text.sorted_keys(s.reasons)
    words[#words + 1] = ("%d %s%s%s"):format(s.count, state, #nodes > 0 and " on " .. table.concat(nodes, " ") or "",
      #reasons > 0 and " (" .. table.concat(reasons, ", ") .. ")" or "")
  end
  return table.concat(words, ", ")
end

-- Raises where jobs of the sweep run or wait.
function cluster.check_idle(sweep)
  if #slurm.jobs(sweep.dir) == 0 then return end
  local tasks, problem = tasks_of(sweep)
  if not tasks then
    errors.failure("%s was submitted to Slurm, which cannot be asked whether it runs: %s", sweep.name, problem)
  end
  local now = active(tasks)
  if #now > 0 then
    errors.failure("%s is on the cluster still: %s (rnnlab sweep-status %s, rnnlab cancel %s)", sweep.name, told(now),
      sweep.name, sweep.name)
  end
end

-- ---- submitting ---------------------------------------------------------------------------------

-- done: trials that have ended before.
local function submit(sweep, plan, most, options, done)
  local before = #slurm.jobs(sweep.dir)
  sweep:write { status = "running", process = { host = "Slurm", jobs = before }, submitted = os.time(), plan = plan }
  local ok, job, behind, tasks = pcall(slurm.submit, sweep.dir, plan, most)
  if not ok then
    local problem = errors.is(job) and job or errors.new(1, tostring(job))
    local submitted = slurm.jobs(sweep.dir)
    sweep:write { status = #submitted > before and "running" or "failed", error = problem.message }
    errors.throw(problem.exit, "%s: %s%s", sweep.name, problem.message,
      #submitted > before and (" (job %d is submitted)"):format(submitted[#submitted].job) or "")
  end
  if options.json then
    out(core.json.encode { sweep = sweep.name, dir = sweep.dir, status = "running", planned = plan.planned, job = job,
      collect = behind, tasks = tasks }, "\n")
  elseif not options.quiet then
    out(("%s   %s%s in %s of Slurm's job %d; job %d collects\n"):format(sweep.name,
      done > 0 and text.thousands(plan.planned - done) .. " of " or "", text.count(plan.planned, "trial"),
      text.count(tasks, "task"), job, behind))
    out(("  how it stands: rnnlab sweep-status %s; to end it: rnnlab cancel %s\n"):format(sweep.name, sweep.name))
    out("  everything in ", sweep.dir, "/\n")
  end
  return 0
end

-- rnnlab sweep --launcher slurm. asked: slurm.options of the command line.
function cluster.sweep(plan, ctx, study, asked, options)
  local most = slurm.array_size(options.dry_run)
  plan.launcher, plan.slurm = "slurm", asked
  plan.block = slurm.block(plan, most)
  if options.dry_run then
    local array, collect, tasks = slurm.scripts(("%s/%s-sweep-N"):format(options.results, ctx.title), plan, most)
    if options.json then
      out(core.json.encode { plan = plan, tasks = tasks, script = array, collect = collect,
        dimensions = core.json.array(study:dimensions()) }, "\n")
    else
      out(array)
    end
    return 0
  end
  local sweep = folders.create(options.results, ctx, command().head(ctx, plan))
  return submit(sweep, plan, most, options, 0)
end

-- rnnlab resume SWEEP of one that was submitted, and of which nothing runs or waits any more.
function cluster.resume(sweep, options)
  local plan = sweep.json.plan
  if not plan.slurm then
    errors.usage("%s was not submitted to Slurm; rnnlab resume %s runs it here", sweep.name, sweep.name)
  end
  if options.jobs then errors.usage("%s goes on with Slurm; --jobs is for --launcher local", sweep.name) end
  plan.timeout = options.timeout -- that of this submission, as here
  local ledger = ledgers.new(plan, plans.study(plan))
  ledger:read(sweep.dir)
  if ledger.done == plan.planned then
    command().collect(sweep, "finished")
    out(("%s   all of %s have ended\n"):format(sweep.name, text.count(plan.planned, "trial")))
    return 0
  end
  return submit(sweep, plan, slurm.array_size(), options, ledger.done)
end

-- ---- meanwhile ----------------------------------------------------------------------------------

-- The last line that a task has written to its output; nil: nothing.
local function last_word(sweep, task)
  local file = task.task and ("slurm-%d_%d.out"):format(task.job, task.task) or ("slurm-%d.out"):format(task.job)
  local bytes = core.host.read_file(sweep.dir .. "/slurm/" .. file)
  return bytes and bytes:match "([^\n]+)%s*$"
end

-- What is said of a sweep: JSON, or lines.
local function tell(sweep, ledger, tasks, problem, options)
  local running = 0
  for number = 1, ledger.most_config do
    local config = ledger.configs[number]
    running = running + (config and config.left or 0)
  end
  local best = command().best_of(ledger, sweep.dir)
  if options.json then
    local list = core.json.array {}
    for i, task in ipairs(tasks or {}) do
      list[i] = { job = task.job, kind = task.kind, task = task.task, state = task.state, node = task.node,
        reason = task.reason }
    end
    out(core.json.encode { sweep = sweep.name, dir = sweep.dir, status = sweep.json.status,
      planned = ledger.plan.planned, done = ledger.done, begun = running,
      counts = next(ledger.counts) and ledger.counts or core.json.object {},
      slurm = #slurm.jobs(sweep.dir) > 0 and list or nil, slurm_error = problem, best = best }, "\n")
    return
  end
  out(("%s   %s, %s of %s done: %s%s\n"):format(sweep.name, sweep.json.status, text.thousands(ledger.done),
    text.count(ledger.plan.planned, "trial"), reports.counts(ledger),
    running > 0 and (", %s begun"):format(text.thousands(running)) or ""))
  if best then
    out(("  best: %s %s with %s\n"):format(best.objective, text.significant(core.json.number(best.value), 6),
      reports.params(ledger.plan, best.params)))
  end
  local left = ledger:time_left(sweep.json.submitted)
  if left and sweep.json.status ~= "finished" then
    out(left > 0 and ("  it ends in %s at the latest\n"):format(text.duration(left))
      or ("  its time, %s, is over\n"):format(text.duration(ledger.plan.timeout)))
  end
  for _, job in ipairs(slurm.jobs(sweep.dir)) do
    local mine = {}
    for _, task in ipairs(tasks or {}) do
      if task.job == job.job then mine[#mine + 1] = task end
    end
    out(("  job %d (%s): %s\n"):format(job.job, job.kind,
      problem or #mine > 0 and told(mine) or "no longer known to Slurm"))
    for _, task in ipairs(mine) do
      local word = (task.state == "FAILED" or task.state == "TIMEOUT") and last_word(sweep, task)
      if word then out(("    task %s: %s\n"):format(task.task or "", text.one_line(word))) end
    end
  end
end

local function find(options) return folders.find(options.results or "results", options.words[1]) end

-- rnnlab sweep-status SWEEP
function cluster.status(options)
  local sweep = find(options)
  local plan = sweep.json.plan
  if type(plan) ~= "table" then errors.failure("%s/sweep.json has no plan; no rnnlab sweep wrote it", sweep.dir) end
  local ledger = ledgers.new(plan, plans.study(plan))
  ledger:read(sweep.dir)
  local tasks, problem = tasks_of(sweep)
  local status = sweep.json.status
  if (status == "running" or status == "interrupted") and #slurm.jobs(sweep.dir) > 0 and tasks
    and #active(tasks) == 0 then
    sweep.json.status = ledger.done == plan.planned and "finished" or "interrupted" -- nobody has collected it yet
  end
  tell(sweep, ledger, tasks, problem, options)
  return 0
end

-- Have tasks been cancelled, by rnnlab cancel or by hand?
local function was_cancelled(tasks)
  for _, task in ipairs(tasks) do
    if task.kind == "tasks" and task.state == "CANCELLED" then return true end
  end
  return false
end

-- rnnlab collect SWEEP [--finish SLOT --jobs N]
function cluster.collect(options)
  local sweep = find(options)
  local tasks, problem = tasks_of(sweep)
  -- The index is for the machine that has it: databases and network file systems do not go together.
  local index = not options.finish or core.host.info().name == (sweep.json.host or {}).name
  if options.finish and not was_cancelled(tasks or {}) then
    local ok, code = pcall(require("rnnlab.sweep.worker").slot, { dir = sweep.dir, slot = options.finish,
      jobs = options.jobs, quiet = options.quiet })
    if not ok then
      command().collect(sweep, "interrupted", index)
      error(code, 0)
    end
    if code ~= 0 then return code end
  elseif #slurm.jobs(sweep.dir) == 0 and sweep.json.status == "running" and
      core.sweep.life(sweep.json.process or {}) == "alive" then
    errors.failure("%s is running (process %d) and writes its results itself", sweep.name, sweep.json.process.pid)
  end
  -- Seen from the job itself it is the one thing that still runs.
  local goes_on = not options.finish and (not tasks or #active(tasks) > 0)
  local ledger = command().collect(sweep, goes_on and "running" or "interrupted", index)
  if options.json or not options.quiet then tell(sweep, ledger, tasks, problem, options) end
  return 0
end

local patience, patience_unsaid = 30, 3 -- seconds that cancelled tasks get to end in; Slurm kills them after 30

-- Wait for tasks that were cancelled: they write checkpoints of what they were at. Returns the tasks.
local function wait_for_end(sweep, options)
  local began, said = core.host.monotonic(), options.quiet
  while true do
    local tasks = tasks_of(sweep)
    local waited = core.host.monotonic() - began
    if not tasks or #active(tasks) == 0 or waited > patience or core.stop_requested() then return tasks end
    if waited > patience_unsaid and not said then
      said = true
      command().warn("waiting up to %d seconds for %s to end", patience, told(active(tasks)))
    end
    core.host.run({ "sleep", "0.3" }, { stopping = true })
  end
end

-- rnnlab cancel SWEEP
function cluster.cancel(options)
  local sweep = find(options)
  if #slurm.jobs(sweep.dir) == 0 then
    errors.failure("%s was never submitted to Slurm; what runs here ends by Ctrl-C", sweep.name)
  end
  local tasks, problem = tasks_of(sweep)
  if not tasks then errors.failure("%s: %s", sweep.name, problem) end
  local ids, words = {}, { "scancel" }
  for _, task in ipairs(active(tasks)) do
    if not ids[task.job] then words[#words + 1] = tostring(task.job) end
    ids[task.job] = true
  end
  if #words > 1 then
    local code, said = core.host.run(words)
    if code ~= 0 then errors.failure("%s: scancel failed: %s", sweep.name, text.one_line(said)) end
    tasks = wait_for_end(sweep, options) or tasks
  end
  local ledger = command().collect(sweep, "interrupted")
  if options.json then
    tell(sweep, ledger, tasks, nil, options)
  elseif not options.quiet then
    out(("%s   %s; %s of %s done. rnnlab resume %s goes on\n"):format(sweep.name,
      #words > 1 and (#words > 2 and "jobs " or "job ") .. text.list({ table.unpack(words, 2) }) .. " cancelled"
        or "nothing of it ran any more",
      text.thousands(ledger.done), text.count(ledger.plan.planned, "trial"), sweep.name))
  end
  return 0
end

return cluster
