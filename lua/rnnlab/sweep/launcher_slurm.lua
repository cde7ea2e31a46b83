-- rnnlab.sweep.launcher_slurm owns how a sweep gets on a Slurm cluster: the batch scripts, sbatch, and what squeue says
-- of them. Programs are run with lists of words; what stands in a batch script is checked or quoted.
--
-- A job array's task is a slot (worker.lua): it runs trials until none is left, with a worker a CPU. A second job,
-- which waits for the array's end however it ends, runs what is missing and writes down the results (cluster.lua). The
-- jobs' numbers are in results/SWEEP/slurm/jobs.jsonl:
--
--     { "job": 4711, "kind": "tasks", "tasks": 4 }    { "job": 4712, "kind": "collect" }
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local slurm = {}

local array_size = 1001      -- Slurm's own MaxArraySize where scontrol does not tell
local default_tasks = 8
local notice = 60            -- seconds before its end that a task is told
local block_most = 64
local remembered = 30        -- seconds that a task takes what squeue said for true: there may be hundreds that ask

-- ---- the options --------------------------------------------------------------------------------

-- "90", "1:30:00", "1-12" as Slurm takes them, or "90s", "30m", "2h", "1d": seconds; nil: neither.
local function seconds_of(word)
  local n, unit = word:match "^(%d+)([smhd])$"
  if n then return math.tointeger(tonumber(n)) * ({ s = 1, m = 60, h = 3600, d = 86400 })[unit] end
  local days, rest = word:match "^(%d+)%-(%d[%d:]*)$"
  rest = rest or word
  local a, b, c = rest:match "^(%d+):(%d%d):(%d%d)$"
  if not a then
    a, b = rest:match "^(%d+):(%d%d)$"
    a = a or rest:match "^%d+$"
    if not a then return nil end
    if days then c = 0 else a, b, c = 0, a, b end -- minutes[:seconds]; behind days: hours[:minutes]
  end
  return tonumber(days or 0) * 86400 + tonumber(a) * 3600 + tonumber(b or 0) * 60 + tonumber(c or 0)
end
slurm.seconds_of = seconds_of

local function clock(seconds)
  seconds = math.tointeger(seconds)
  return ("%d-%02d:%02d:%02d"):format(seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
end

local function name(options, key)
  local word = options[key]
  if word and not word:find "^[%w_][%w_.,@+-]*$" then
    errors.usage("--%s takes a name, not '%s'", key, text.one_line(word))
  end
  return word
end

local function whole(options, key, low, high)
  local n = options[key]
  if n and (n < low or n > high) then
    errors.usage("--%s takes a number from %d to %d, not %d", key:gsub("_", "-"), low, high, n)
  end
  return n and math.tointeger(n)
end

local ours = { array = true, output = true, chdir = true, wrap = true, dependency = true, signal = true, hold = true,
  parsable = true, requeue = true, ["no-requeue"] = true, ["cpus-per-task"] = true, nodes = true, ntasks = true,
  partition = true, account = true, time = true, ["job-name"] = true, ["open-mode"] = true, export = true,
  ["test-only"] = true }

-- "--qos=long --mem=4G": more of sbatch's options.
local function more(options)
  local words = core.json.array {}
  for word in (options.sbatch or ""):gmatch "%S+" do
    local option, rest = word:match "^%-%-([%a][%a-]*)(.*)$"
    if not option or not rest:find "^=?[%w_.,:=/@%%+*-]*$" or (rest ~= "" and rest:sub(1, 1) ~= "=") then
      errors.usage("--sbatch takes options as --name=value, not '%s'", text.one_line(word))
    end
    if ours[option] then errors.usage("--sbatch: --%s is set by rnnlab", option) end
    words[#words + 1] = word
  end
  return words
end

-- The options of the command line that only this launcher takes, checked; what sweep.json keeps of them.
function slurm.options(options)
  local time = options.time and seconds_of(options.time)
  if options.time and not time then
    errors.usage("--time takes 30m, 12h, 2d or Slurm's 90, 1:30:00, 1-12, not '%s'", text.one_line(options.time))
  end
  if time and time < 2 * notice then
    errors.usage("--time must be at least 2 minutes: a task is told to stop %d s before its end", notice)
  end
  return { partition = name(options, "partition"), account = name(options, "account"), time = time,
    cpus = whole(options, "cpus", 1, 999) or 1, nodes_max = whole(options, "nodes_max", 1, 100000),
    sbatch = more(options) }
end

slurm.only = { "partition", "account", "time", "cpus", "nodes_max", "sbatch" }

-- ---- Slurm's programs ---------------------------------------------------------------------------

-- Run one; what it said. Raises a line where it fails.
local function ask(words, options)
  local code, said = core.host.run(words, options)
  if not code then errors.failure("Slurm is not to be reached from here: %s", said) end
  if code ~= 0 then
    local line = text.one_line((said:match "([^\n]+)%s*$" or "it said nothing"):gsub("^" .. words[1] .. ": ", ""))
    errors.failure("%s failed: %s", words[1], line)
  end
  return said
end

-- How many tasks an array may have. none: nil where it cannot be asked.
function slurm.array_size(dry)
  local ok, said = pcall(ask, { "scontrol", "show", "config" })
  if not ok then
    if dry then return array_size end
    error(said, 0)
  end
  return math.tointeger(tonumber(said:match "MaxArraySize%s*=%s*(%d+)")) or array_size
end

-- ---- batch scripts ------------------------------------------------------------------------------

local function quoted(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function absolute(path) return path:sub(1, 1) == "/" and path or core.host.cwd() .. "/" .. path end

-- How many tasks a plan gets.
local function tasks_of(plan, most)
  local o = plan.slurm
  return math.max(1, math.min(most, o.nodes_max or default_tasks, (plan.planned + o.cpus - 1) // o.cpus))
end

-- How many configurations a claim takes: one where later ones learn from it.
function slurm.block(plan, most)
  if plan.sampler == "tpe" or plan.pruner ~= "none" or plan.deterministic or plan.stop_after then return 1 end
  return math.max(1, math.min(block_most, plan.trials // (32 * tasks_of(plan, most))))
end

local function script(sweep_name, plan, lines, command)
  local o = plan.slurm
  if sweep_name:find "[^%w_.-]" then errors.failure("'%s' is no name for a job", text.one_line(sweep_name)) end
  local out = { "#!/bin/sh", "#SBATCH --job-name=" .. sweep_name, "#SBATCH --nodes=1", "#SBATCH --ntasks=1",
    "#SBATCH --cpus-per-task=" .. o.cpus }
  if o.partition then out[#out + 1] = "#SBATCH --partition=" .. o.partition end
  if o.account then out[#out + 1] = "#SBATCH --account=" .. o.account end
  if o.time then out[#out + 1] = "#SBATCH --time=" .. clock(o.time) end
  for _, line in ipairs(lines) do out[#out + 1] = "#SBATCH " .. line end
  out[#out + 1] = ("#SBATCH --signal=B:USR1@%d"):format(notice)
  out[#out + 1] = "#SBATCH --requeue"
  out[#out + 1] = "#SBATCH --open-mode=append"
  for _, word in ipairs(o.sbatch) do out[#out + 1] = "#SBATCH " .. word end
  out[#out + 1] = "# exec: the signals are for rnnlab, not for the shell"
  out[#out + 1] = "exec " .. command
  return table.concat(out, "\n") .. "\n"
end

-- The script of the array and that of the job behind it, and how many tasks there are. most: MaxArraySize.
function slurm.scripts(dir, plan, most)
  local o, tasks = plan.slurm, tasks_of(plan, most)
  local sweep_name, where = dir:match "[^/]*$", absolute(dir)
  local program = quoted(core.sweep.program())
  local array = script(sweep_name, plan, { ("--array=0-%d%%%d"):format(tasks - 1, tasks), "--output=slurm-%A_%a.out" },
    ("%s worker %s \"$((SLURM_ARRAY_TASK_ID + 1))\" --self --jobs %d --quiet"):format(program, quoted(where), o.cpus))
  local collect = script(sweep_name, plan, { "--output=slurm-%j.out" },
    ("%s collect %s --finish %d --jobs %d --quiet --results %s"):format(program, quoted(where), tasks + 1, o.cpus,
      quoted(where:match "^(.*)/[^/]*$" or "/")))
  return array, collect, tasks
end

-- ---- jobs ---------------------------------------------------------------------------------------

local function note(dir, line)
  local journal <close> = core.sweep.journal(dir .. "/slurm/jobs.jsonl")
  journal:write(core.json.encode(line) .. "\n")
  journal:sync()
end

-- The jobs that were submitted for a sweep, in order: { { job =, kind =, tasks = } }. None: it never was on a cluster.
function slurm.jobs(dir)
  local list = {}
  for line in core.sweep.journal_read(dir .. "/slurm/jobs.jsonl"):gmatch "[^\n]+" do
    local ok, job = pcall(core.json.decode, line)
    if ok and type(job) == "table" and math.type(job.job) == "integer" then list[#list + 1] = job end
  end
  return list
end

local function submit(dir, file, option)
  local folder = absolute(dir) .. "/slurm"
  local words = { "sbatch", "--parsable", "--chdir=" .. folder, option }
  words[#words + 1] = folder .. "/" .. file
  local said = ask(words)
  local id = math.tointeger(tonumber(("\n" .. said):match "\n(%d+)[^\n]*\n?$"))
  if not id then errors.failure("sbatch gave no job number but '%s'", text.one_line(said)) end
  return id
end

-- Submit a sweep whose folder is there. Returns the numbers of its two jobs and how many tasks the first has.
function slurm.submit(dir, plan, most)
  local array, collect, tasks = slurm.scripts(dir, plan, most)
  core.host.make_folder(dir .. "/slurm")
  core.host.write_file(dir .. "/slurm/tasks.sh", array)
  core.host.write_file(dir .. "/slurm/collect.sh", collect)
  local job = submit(dir, "tasks.sh")
  note(dir, { job = job, kind = "tasks", tasks = tasks })
  local behind = submit(dir, "collect.sh", "--dependency=afterany:" .. job)
  note(dir, { job = behind, kind = "collect" })
  return job, behind, tasks
end

local over = { BOOT_FAIL = true, CANCELLED = true, COMPLETED = true, DEADLINE = true, FAILED = true, NODE_FAIL = true,
  OUT_OF_MEMORY = true, PREEMPTED = true, REVOKED = true, TIMEOUT = true }

-- Is a task in this state gone for good, as far as Slurm is concerned?
function slurm.is_over(state) return over[state] == true end

-- What Slurm knows of a job: { { task = number or nil, state =, node =, reason = } }, empty where it has forgotten it
-- (or never knew it). Nil and why where it cannot be asked now.
function slurm.tasks(job)
  local code, said = core.host.run { "squeue", "--noheader", "--array", "--states=all", "--jobs=" .. job,
    "--format=%K|%T|%N|%r" }
  if not code then return nil, said end
  local list = {}
  if code ~= 0 then
    if said:find "Invalid job id" then return list end
    return nil, text.one_line(said)
  end
  for task, state, node, reason in said:gmatch "([^|\n]*)|([^|\n]*)|([^|\n]*)|([^\n]*)" do
    list[#list + 1] = { task = math.tointeger(tonumber(task)), state = state, node = node ~= "" and node or nil,
      reason = reason ~= "None" and reason ~= "" and reason or nil }
  end
  return list
end

-- ---- inside a task ------------------------------------------------------------------------------

-- This process as a task: { job =, task =, id = } (of the array, its index in it, its own number); nil elsewhere.
function slurm.here()
  local id = math.tointeger(tonumber(core.host.getenv "SLURM_JOB_ID"))
  if not id then return nil end
  return { id = id, job = math.tointeger(tonumber(core.host.getenv "SLURM_ARRAY_JOB_ID")) or id,
    task = math.tointeger(tonumber(core.host.getenv "SLURM_ARRAY_TASK_ID")) }
end

-- Put this task back into the queue: its time is over and it has more to do. Nil, or why that could not be.
function slurm.requeue(here)
  local code, said = core.host.run({ "scontrol", "requeue", tostring(here.id) }, { stopping = true, timeout = 20 })
  if code ~= 0 then return text.one_line(said) end
  return nil
end

local said_of, said_at = {}, {}

-- slurm.tasks, asked now and then.
local function tasks_lately(job)
  local now = core.host.monotonic()
  if not said_at[job] or now - said_at[job] > remembered then
    said_of[job], said_at[job] = slurm.tasks(job), now
  end
  return said_of[job]
end

-- Will a slot not come again? line: what the ledger has of it ({ process, job, left }), nil where nobody has read that.
function slurm.gone(line)
  if not line or type(line.process) ~= "table" then return false end
  local life = core.sweep.life(line.process)
  if life == "dead" then return true end
  if life == "alive" then return false end
  if type(line.job) ~= "table" then return line.left ~= nil end
  local tasks = tasks_lately(line.job.job)
  if not tasks then return false end
  for _, task in ipairs(tasks) do
    if task.task == line.job.task then return slurm.is_over(task.state) end
  end
  return true
end

return slurm
