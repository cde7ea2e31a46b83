-- rnnlab.sweep.worker owns a worker: a process that runs trials one message after another, each message in a Lua state
-- of its own, and writes how they ended to results/SWEEP/journal-SLOT.jsonl before it tells.
--
-- A worker is fed by a scheduler: it reads messages from it, is answered when a pruner is to be asked, and ends with
-- it. A signal ends it between two steps, with checkpoints of what it was at. `rnnlab worker DIR SLOT --self` is the
-- slot of a cluster: a scheduler of its own, with workers of its own, that shares the sweep's folder with the others.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"

local worker = {}

local Worker = {}
Worker.__index = Worker

-- options: dir, slot.
function worker.new(options)
  return setmetatable({ journal = core.sweep.journal(("%s/journal-%d.jsonl"):format(options.dir, options.slot)),
    states = core.fresh_states() }, Worker)
end

-- Run a message of trials (JSON, see trial.lua). tell(line): of every trial that ended; ask(question) -> answer;
-- pass_on(line): what is only said.
function Worker:run(message, tell, ask, pass_on)
  self.states:call("rnnlab.trial", "run", message, function(said)
    local kind = said:sub(1, 1)
    if kind == "?" then return ask(said) end
    if kind ~= "R" then
      pass_on(said)
      return ""
    end
    local line = said:sub(2)
    self.journal:write(line .. "\n")
    if line:find('"status": "oom"', 1, true) then self.leaving = true end
    tell(line)
    return ""
  end)
end

-- What a coordinator says next: a line; nil where it is gone or this process is to end.
function Worker:hear()
  while true do
    local due = self.journal:due()
    local line, why = core.sweep.worker_read(due)
    if line then return line end
    if why ~= "timeout" then return nil, why end
    self.journal:rest()
  end
end

-- The worker of a coordinator. options: dir, slot, parent (its process), memory (bytes of a trial, or nil).
function worker.fed(options)
  if not core.sweep.worker_begin(options.parent, options.memory) then return 1 end
  local ok, self = pcall(worker.new, options)
  if not ok then
    core.sweep.worker_write("E" .. tostring(self))
    return 1
  end
  while true do
    local message, why = self:hear()
    if not message then
      self.journal:close()
      return why == "stop" and 128 + core.stop_requested() or 0
    end
    local done, problem = pcall(self.run, self, message, function(line) core.sweep.worker_write("R" .. line) end,
      function(question)
        core.sweep.worker_write(question)
        local answer, reason = self:hear()
        if not answer and reason ~= "stop" then -- the coordinator is gone, which is no failure of the trial
          self.journal:close()
          os.exit(0)
        end
        if not answer then error("stopped", 0) end
        return answer:sub(2)
      end, core.sweep.worker_write)
    if core.stop_requested() then
      self.journal:close()
      return 128 + core.stop_requested()
    end
    if not done then core.sweep.worker_write("E" .. tostring(problem)) end
    if self.leaving then -- out of memory once: what is left of it may be in pieces
      core.sweep.worker_write "L"
      core.sweep.worker_write "D"
      self.journal:close()
      return 0
    end
    core.sweep.worker_write "D"
  end
end

-- The slot of a cluster. options: dir, slot, jobs. Returns 0 where nothing is left to claim, 128+n after signal n (its
-- trials go on in the next one of this slot, or in another), 1 where the sweep cannot go on.
--
-- In a Slurm task SIGUSR1 says that its time will soon be over. Then it goes back into the queue, unless no trial ended
-- and none came further in all the time it had: that would not end.
function worker.slot(options)
  local core_json = core.host.read_file(options.dir .. "/sweep.json")
  if not core_json then errors.usage("%s has no sweep.json", options.dir) end
  local plans = require "rnnlab.sweep.plan"
  local slurm = require "rnnlab.sweep.launcher_slurm"
  local json, here = core.json.decode(core_json), slurm.here()
  local plan = json.plan
  local study = plans.study(plan)
  local ledger = require("rnnlab.sweep.ledger").new(plan, study)
  ledger:read(options.dir)
  local watch = require("rnnlab.sweep.report").watch(ledger, options.quiet)
  local s = require("rnnlab.sweep.scheduler").new { plan = plan, dir = options.dir, ledger = ledger, study = study,
    jobs = options.jobs or 1, slot = options.slot, watch = watch, job = here, submitted = json.submitted,
    timeout = ledger:time_left(json.submitted),
    gone = function(_, line) return slurm.gone(line) end,
    launcher = require("rnnlab.sweep.launcher_local").new(options.dir, plan) }
  local ending = s:run()
  if s.problem then errors.throw(s.problem.exit, "%s", s.problem.message) end
  if ending == "timeout" then io.stderr:write "rnnlab: the time of the sweep is over\n" end
  if ending ~= "interrupted" then return 0 end
  local stop = core.stop_requested()
  if here and stop == 10 then
    if s.told == 0 and s.saved == 0 then
      io.stderr:write "rnnlab: no trial came further in the time there was; a longer --time is needed\n"
    else
      local problem = slurm.requeue(here)
      if problem then io.stderr:write("rnnlab: the task could not be put back into the queue: ", problem, "\n") end
    end
  end
  return 128 + stop
end

-- rnnlab worker DIR SLOT, with --parent PID [--memory BYTES] or with --self [--jobs N]
function worker.main(options)
  local dir, slot = options.words[1], math.tointeger(tonumber(options.words[2]))
  if not slot or slot < 0 then errors.usage("a slot is a whole number, not '%s'", options.words[2]) end
  local most = require("rnnlab.sweep.slots").most
  if options.self and (slot < 1 or slot > most) then errors.usage("slots count from 1 to %d", most) end
  if options.self then return worker.slot { dir = dir, slot = slot, jobs = options.jobs, quiet = options.quiet } end
  if not options.parent then
    errors.usage("a worker is started by rnnlab sweep (--parent), or takes work from a sweep's folder (--self)")
  end
  return worker.fed { dir = dir, slot = slot, parent = options.parent, memory = options.memory }
end

return worker
