-- rnnlab.sweep.scheduler owns a sweep while it runs: which trials go to which worker, what pruners
-- say, what is done about workers that die, and when it is over.
--
-- A worker is sent a message of several trials at a time, so that they may train side by side and no time is lost on
-- the way. How many makes no difference to what they compute: samplers that do not learn (grid, random, Sobol) propose
-- by the number of the configuration alone. With --deterministic those that learn do so in waves: the configurations
-- of a wave are proposed, and pruned, by what the waves before it gave.
--
-- Proposals go to a journal of the scheduler's, journal-0.jsonl; every worker writes how its trials ended to a journal
-- of its own before it tells. What the scheduler alone knows (a worker was killed, a trial took too long) is in its.
--
-- On a cluster each slot is a scheduler with workers of its own (rnnlab worker DIR SLOT --self): it takes what it
-- claims, learns what the others found from their journals, and ends when nothing is left to claim (slots.lua).
--
-- However it ends, workers are told by a signal and given time to write checkpoints of the trials under way; these, and
-- those of workers that were killed, go on from there whoever runs them (checkpoints.lua).
local checkpoints = require "rnnlab.sweep.checkpoints"
local core = require "rnnlab.core"
local plans = require "rnnlab.sweep.plan"
local report = require "rnnlab.sweep.report"
local slots = require "rnnlab.sweep.slots"
local text = require "rnnlab.text"

local scheduler = {}

local Scheduler = setmetatable({}, { __index = slots.Slot })
Scheduler.__index = Scheduler

local message_seconds = .2 -- a message is about so long
local most_in_message = 64
local look_again = 1        -- seconds until a slot that waits for others reads their journals again
local patience = 25         -- seconds that workers have to end between two steps; Slurm kills after 30
local patience_unsaid = 2   -- of these, before anything is said

-- plan, dir, ledger, study; launcher: starts workers; jobs: how many at most; watch: is told what happens, see
-- report.lua. slot: of a cluster, else nil, with gone(slot, its line in the ledger): will that one not come again? and
-- job and submitted: what this one's line says of the batch system. timeout: seconds until it stops, or nil.
-- named(objective): is told, once, what the first trial that finished was judged by, where the plan does not say.
function scheduler.new(options)
  local self = setmetatable({ plan = options.plan, dir = options.dir, ledger = options.ledger, study = options.study,
    launcher = options.launcher, jobs = options.jobs, watch = options.watch, slot = options.slot,
    results = options.dir:match "^(.*)/[^/]*$" or ".", name = options.dir:match "[^/]*$",
    timeout = options.timeout, named = options.named, workers = {}, slots = {}, head = 1, again = {},
    next_config = 1, running = 0,
    attempts = {}, told = 0, saved = 0, generations = {}, began = core.host.monotonic() }, Scheduler)
  if self.slot then self:find_own() end
  self.from = checkpoints.tidy(self.dir, self.ledger, not self.slot)
  self.queue = self.ledger:missing(self.slot and function(number) return self.own[self:block(number)] end)
  self.learns = self.plan.sampler == "tpe"
  self.pruning = self.plan.pruner ~= "none"
  if self.pruning then self:begin_again() end
  self.tail = #self.queue
  self.base = self.slot and self:sit_down() or 0
  self.journal = core.sweep.journal(("%s/journal-%d.jsonl"):format(self.dir, self.base))
  if self.slot then
    self.gone = options.gone
    self.journal:write(core.json.encode { event = "slot", slot = self.slot, seat = self.seat,
      process = core.sweep.process(), job = options.job, at = os.time(), submitted = options.submitted } .. "\n")
    self.journal:sync()
  end
  self.processes = core.sweep.processes()
  return self
end

-- Repeats are pruned as one, by their mean: where one is missing all of them are run again, from their checkpoints if
-- there are any. What was reported is not reported again (see question); those that had ended keep the result they had.
function Scheduler:begin_again()
  local configs, queue = {}, {}
  for _, item in ipairs(self.queue) do
    if not configs[item.config] then
      configs[item.config] = true
      self:queue_all(queue, item.config)
    end
  end
  self.queue = queue
end

-- All repeats of a configuration to the end of a list.
function Scheduler:queue_all(list, number)
  for r = 1, self.plan.repeats do
    list[#list + 1] = { config = number, repeat_ = r }
  end
end

-- ---- what is next -------------------------------------------------------------------------------

-- The number below which configurations are seen as they stand; nil: all are.
function Scheduler:limit(config)
  if not self.plan.deterministic then return nil end
  return (config - 1) // plans.wave * plans.wave
end

-- Numbers as "1-9,11", for the journal.
local function ranges(numbers)
  local words, from, last = {}, nil, nil
  local function close()
    if from then words[#words + 1] = from == last and tostring(from) or from .. "-" .. last end
  end
  for _, n in ipairs(numbers) do
    if last and n == last + 1 then
      last = n
    else
      close()
      from, last = n, n
    end
  end
  close()
  return table.concat(words, ",")
end

-- What a proposal sees: nothing, the waves before, or the configurations that have ended by now.
function Scheduler:extent(config)
  if not self.learns then return nil end
  local limit, ended = self:limit(config), {}
  for number = 1, limit or config - 1 do
    local other = self.ledger.configs[number]
    if other and other.state ~= "running" then ended[#ended + 1] = number end
  end
  return ranges(ended)
end

-- ---- proposing ----------------------------------------------------------------------------------

-- The number of the configuration to propose next; nil where there is none.
function Scheduler:next_number()
  if self.slot then
    if #self.unproposed == 0 and not self:claim() then self:adopt() end
    return self.unproposed[1]
  end
  while self.ledger.configs[self.next_config] do
    self.next_config = self.next_config + 1
  end
  return self.next_config <= self.plan.trials and self.next_config or nil
end

-- Nothing better for so long that --stop-after ends it, before the next configuration? Or has a trial failed in another
-- slot, with --fail-fast?
function Scheduler:has_enough(number)
  local ledger, plan = self.ledger, self.plan
  if self.slot and plan.fail_fast and report.failed_of(ledger.counts) > 0 then return true end
  return plan.stop_after and ledger:since_best(number and self:limit(number)) >= plan.stop_after
end

-- The configuration that may be proposed now, or nil. self.waits: there is one, but others must end first.
function Scheduler:may_propose()
  self.waits = false
  if self.exhausted then return nil end
  local plan = self.plan
  if self.slot and (self.learns or self.pruning or plan.stop_after or plan.fail_fast) then
    self.ledger:read(self.dir)
  end
  if not plan.deterministic and self:has_enough() then return nil end
  local number = self:next_number()
  local limit = number and (self.learns or self.pruning or plan.stop_after) and self:limit(number)
  for before = 1, limit or 0 do
    local config = self.ledger.configs[before]
    if not config or config.state == "running" then
      self.waits = true
      if self.slot then self:adopt() end -- what it waits for may be nobody's any more
      return nil
    end
  end
  if plan.deterministic and number and self:has_enough(number) then return nil end
  return number
end

-- A proposal also keeps away from those before it in its wave. What another slot has claimed of these and not proposed
-- yet, or not where it could be read, is found here as it is found there: by the waves before.
function Scheduler:fill_in_wave(number)
  local limit = self:limit(number)
  if not (self.slot and self.learns and limit) then return end
  for before = limit + 1, number - 1 do
    local point = not self.ledger.configs[before] and self.study:propose(before - 1, limit)
    if point then self.study:put(before - 1, point, "running") end
  end
end

-- Propose a configuration and queue its trials; the journal's line is added to `lines`.
function Scheduler:propose(number, lines)
  self:fill_in_wave(number)
  local point = self.study:propose(number - 1, self:limit(number))
  if not point then
    self.exhausted = true
    return false
  end
  if self.slot then table.remove(self.unproposed, 1) end
  local line = { event = "proposal", config = number, values = core.json.array(point), saw = self:extent(number) }
  lines[#lines + 1] = core.json.encode(line) .. "\n"
  self.ledger:propose(line)
  for r = 1, self.plan.repeats do
    self.tail = self.tail + 1
    self.queue[self.tail] = { config = number, repeat_ = r }
  end
  return true
end

-- How many trials the next message takes.
function Scheduler:size()
  local plan = self.plan
  if self.pruning then return plan.repeats end
  if plan.trial_timeout then return 1 end -- it is the time of a message
  if self.learns then return plan.repeats end
  local left = plan.planned - self.ledger.done - self.running
  local fair = math.max(1, left // (2 * self.jobs))
  local size = self.mean_wall and math.max(1, math.floor(message_seconds / math.max(self.mean_wall, 1e-5))) or 2
  return math.min(size, fair, most_in_message)
end

-- The trials of the next message, or nil where there are none now.
function Scheduler:take()
  if self.ending then return nil end
  local lines, trials = {}, {}
  local again = table.remove(self.again, 1)
  if again then return again end
  local size = self:size()
  while #trials < size do
    if self.head > self.tail then
      local number = self:may_propose()
      if number and not self:propose(number, lines) then break end
      if self.head > self.tail then break end -- else something was proposed or adopted
    end
    local item = self.queue[self.head]
    if (self.pruning or self.learns) and trials[1] and trials[1].config ~= item.config then break end
    self.queue[self.head] = nil
    self.head = self.head + 1
    trials[#trials + 1] = item
  end
  if #lines > 0 then self.journal:write(table.concat(lines)) end
  return trials[1] and trials or nil
end

-- ---- workers ------------------------------------------------------------------------------------

-- Which trials of the next message are to have a run folder at once: those that are better than the N-th best so far.
-- With repeats a configuration's rank shows only at the end; what is missing then is trained again (keep.lua).
function Scheduler:keep()
  local plan = self.plan
  if plan.keep == "none" or plan.test then return nil end
  local keep = { results = self.results, sweep = self.name, sign = self.ledger.sign }
  if plan.keep == "all" then
    keep.all = true
    return keep
  end
  if plan.repeats > 1 or plan.objective and #plan.objective > 1 then return nil end
  keep.count = math.tointeger(tonumber(plan.keep:match "%d+"))
  keep.limit = self.ledger:nth_best(keep.count)
  return keep
end

-- Trials as a worker is sent them.
function Scheduler:message(trials, slot)
  local plan, list = self.plan, core.json.array {}
  for i, item in ipairs(trials) do
    local config = self.ledger.configs[item.config]
    local number = self.ledger:trial_number(item.config, item.repeat_)
    local block = self.slot and self:block(item.config)
    list[i] = { trial = number, config = item.config, from = self.from[number],
      fence = block and checkpoints.fence(self.dir, block, self.generations[block] or 0) or nil,
      seed = plan.seed + item.repeat_ - 1, params = plans.params(plan, self.study, config.point),
      overrides = plans.overrides(plan, self.study, config.point, item.repeat_ - 1) }
  end
  local script, cwd = plans.place(plan)
  return core.json.encode { script = script, cwd = cwd, copy = self.dir, trust = plan.trust,
    objective = plan.objective, pruning = self.pruning or nil, slot = slot, test = plan.test, keep = self:keep(),
    checkpoint = checkpoints.place(self.dir, slot, plan.checkpoint_every, self.slot, self.seat), trials = list }
end

-- A new worker, in the first slot that is free.
function Scheduler:start_worker()
  local slot = 1
  while self.slots[slot] do slot = slot + 1 end
  local id = self.launcher:start(self.processes, self.base + slot)
  local worker = { id = id, slot = slot, trials = {}, count = 0 }
  self.slots[slot], self.workers[id] = worker, worker
  return worker
end

-- Give work to whoever has none, starting workers up to the number of jobs.
function Scheduler:dispatch()
  for slot = 1, self.jobs do
    local worker = self.slots[slot]
    if not worker or (worker.count == 0 and not worker.leaving) then
      local trials = self:take()
      if not trials then return end
      worker = worker or self:start_worker()
      for _, item in ipairs(trials) do
        worker.trials[self.ledger:trial_number(item.config, item.repeat_)] = item
      end
      worker.count, worker.sent, worker.alone = #trials, core.host.monotonic(), #trials == 1
      worker.answered = 0
      self.running = self.running + #trials
      self.processes:send(worker.id, self:message(trials, self.base + worker.slot))
    end
  end
end

-- A trial ended: what a worker tells, or what is made up for one that cannot tell any more.
function Scheduler:finished(worker, line)
  local item = worker.trials[line.trial]
  if not item then return end
  worker.trials[line.trial] = nil
  self.running = self.running - 1
  local _, new = self.ledger:result(line)
  if not new then return end
  self.told = self.told + 1
  if line.status == "finished" and self.named and not self.plan.objective and line.objective then
    self.named(line.objective)
    self.named = nil
  end
  if line.status == "finished" and line.wall_s then
    self.mean_wall = self.mean_wall and .8 * self.mean_wall + .2 * line.wall_s or line.wall_s
  end
  if line.status ~= "finished" and line.status ~= "pruned" then
    if line.reports and not self.ledger.counts.finished then
      self.problem = { exit = 2, message = line.error }
      return
    end
    self.watch:failed(line, self)
    if self.plan.fail_fast then
      self.problem = self.problem or { exit = 1, message = ("trial %d %s%s; stopped, as --fail-fast says"):format(
        line.trial, line.status, line.error and ": " .. line.error or "") }
    end
  end
end

-- A trial whose worker is gone: run again where the machine may be at fault, else recorded as what it was.
function Scheduler:lost(worker, status, why)
  local lost = {}
  for number in pairs(worker.trials) do
    lost[#lost + 1] = number
  end
  table.sort(lost)
  self.from = checkpoints.tidy(self.dir, self.ledger)
  local begun, retried = {}, {}
  for _, number in ipairs(lost) do
    local item = worker.trials[number]
    local tries = self.attempts[number] or 0
    local alone = (worker.alone or self.pruning) and status ~= "stopped"
    if alone then tries = tries + 1 end
    self.attempts[number] = tries
    if status == "timeout" or alone and tries > self.plan.retries then
      local line = { event = "result", trial = number, config = item.config, seed = self.plan.seed + item.repeat_ - 1,
        status = status, error = why, wall_s = core.host.monotonic() - worker.sent, slot = self.base, attempts = tries,
        params = plans.params(self.plan, self.study, self.ledger.configs[item.config].point) }
      self.journal:write(core.json.encode(line) .. "\n")
      self:finished(worker, line)
      checkpoints.remove(self.dir, self.from[number])
    else
      worker.trials[number] = nil
      self.running = self.running - 1
      retried[#retried + 1] = tostring(number)
      if not self.pruning then
        self.again[#self.again + 1] = { item }
      elseif not begun[item.config] then
        begun[item.config] = {}
        self:queue_all(begun[item.config], item.config)
        self.again[#self.again + 1] = begun[item.config]
      end
    end
  end
  if status == "killed" and #retried > 0 then
    self.watch:say(("a worker died (%s); %s %s run again"):format(why, (#retried == 1 and "trial " or "trials ")
      .. text.list(retried), #retried == 1 and "is" or "are"))
  end
end

-- A worker that died may have written how a trial ended and not have come to tell.
function Scheduler:read_what_it_wrote(worker)
  self.ledger:read(self.dir)
  for number in pairs(worker.trials) do
    if self.ledger.trials[number] then
      worker.trials[number] = nil
      self.running = self.running - 1
    end
  end
end

-- A worker's process ended.
function Scheduler:ended(id, code, signal)
  local worker = self.workers[id]
  if not worker then return end
  self.workers[id], self.slots[worker.slot] = nil, nil
  if next(worker.trials) then self:read_what_it_wrote(worker) end
  if next(worker.trials) and not self.ending then
    if code > 128 and signal == 0 then
      self:lost(worker, "stopped") -- the signal that asked it to stop is on its way to this process, too
    elseif worker.timed_out then
      self:lost(worker, "timeout", ("took longer than %s"):format(text.duration(worker.timed_out)))
    else
      self:lost(worker, "killed", signal ~= 0 and ("its process was ended by signal %d"):format(signal)
        or ("its process ended with exit code %d"):format(code))
    end
  end
  if not self.ending and code ~= 0 and signal == 0 and worker.answered == 0 then
    self.broken = (self.broken or 0) + 1 -- it did nothing at all: starting more of them would not end
    if self.broken > 3 + self.jobs then
      self.problem = self.problem or { exit = 1, message = "workers end before they have done anything" }
    end
  end
end

-- The step of the next question about a configuration. The median could stop it at any; it is asked at a hundred.
function Scheduler:next_question(config, step)
  local asked = self.study:next(config - 1, step)
  if self.plan.pruner ~= "median" then return asked end
  return math.min(math.max(asked, step + math.max(1, self.plan.last_step // 100)), self.plan.last_step)
end

-- A worker asks whether a configuration is to be stopped.
function Scheduler:question(worker, text_)
  local line = core.json.decode(text_)
  local config = line.config
  if line.step == 0 then
    self.processes:send(worker.id, "=" .. self:next_question(config, 0))
    return
  end
  local stop = self.ledger:was_stopped(config, line.step) -- nil: it was not asked before
  if stop == nil then
    line.event = "report"
    self.ledger:report(line)
    stop = self.study:stops(config - 1, self:limit(config))
    line.stop = stop or nil
    self.ledger:answered(line)
    self.journal:write(core.json.encode(line) .. "\n")
  end
  self.processes:send(worker.id, "=" .. (stop and "stop" or self:next_question(config, line.step)))
end

-- A line of a worker: R a result, ? a question, C it wrote a checkpoint, G what goes on from one, W a warning, D its
-- message is done, L it will leave, E an error that is no trial's.
function Scheduler:line(id, text_)
  local worker = self.workers[id]
  if not worker then return end
  local kind = text_:sub(1, 1)
  worker.answered = worker.answered + 1
  if kind == "R" then
    self:finished(worker, core.json.decode(text_:sub(2)))
  elseif kind == "?" then
    if not self.ending then self:question(worker, text_:sub(2)) end
  elseif kind == "C" then
    self.saved = self.saved + 1
  elseif kind == "G" or kind == "W" then
    self.watch:say(text_:sub(2), kind == "W")
  elseif kind == "D" then
    if next(worker.trials) then self:lost(worker, "failed", "the worker did not say what became of it") end
    worker.count = 0
  elseif kind == "L" then
    worker.leaving = true
  elseif kind == "E" then
    self.problem = self.problem or { exit = 1, message = text_:sub(2) }
  end
end

-- ---- the loop -----------------------------------------------------------------------------------

-- Trials that take too long, and the sweep itself.
function Scheduler:look_at_the_clock()
  local plan, now = self.plan, core.host.monotonic()
  if self.timeout and now - self.began >= self.timeout then self.ending = self.ending or "timeout" end
  if not plan.trial_timeout then return end
  for _, worker in pairs(self.workers) do
    local allowed = plan.trial_timeout * (self.pruning and plan.repeats or 1)
    if worker.count > 0 and not worker.timed_out and now - worker.sent > allowed then
      worker.timed_out = plan.trial_timeout
      self.processes:kill(worker.id, 9)
    end
  end
end

-- Does any worker have a message, or is one on its way out that may have to be replaced?
function Scheduler:any_busy()
  for _, worker in pairs(self.workers) do
    if worker.count > 0 or worker.leaving then return true end
  end
  return false
end

-- Have workers end: those that train after the step under way, with a checkpoint. What they tell meanwhile counts.
function Scheduler:stop_workers()
  for _, worker in pairs(self.workers) do
    if worker.count > 0 then self.processes:kill(worker.id, core.stop_requested() or 15) end
  end
  for _, seconds in ipairs { patience_unsaid, patience - patience_unsaid } do
    self.processes:finish(seconds)
    local kind, id, a
    repeat
      kind, id, a = self.processes:wait(0)
      if kind == "line" then self:line(id, a) elseif kind == "end" then self.workers[id] = nil end
    until kind ~= "line" and kind ~= "end"
    local left = 0
    for _ in pairs(self.workers) do left = left + 1 end
    if left == 0 then return end
    if seconds == patience_unsaid then
      self.watch:say(("waiting up to %d seconds for %s in the middle of a step%s"):format(patience, text.count(left,
        "worker"), self.slot and "" or "; another signal ends it at once"))
    end
  end
end

-- Run until all is done or something ends it. Returns "finished", "interrupted", "timeout" or "failed".
function Scheduler:run()
  while true do
    if self.problem then self.ending = "failed" end
    if core.stop_requested() then self.ending = "interrupted" end
    if self.ending then break end
    self:look_at_the_clock()
    if not self.ending then self:dispatch() end
    local busy = self:any_busy()
    if not busy and not (self.slot and self.waits) then break end
    local kind, id, a, b = self.processes:wait(busy and .1 or look_again)
    if kind == "stop" then
      self.ending = "interrupted"
    elseif kind == "line" then
      self:line(id, a)
    elseif kind == "end" then
      self:ended(id, a, b)
    end
    self.watch:progress(self)
    self.journal:rest()
  end
  if self.ending then self:stop_workers() else self.processes:finish(5) end -- they make their journals durable first
  self.processes:close() -- whoever still runs is killed; its trial was not told and will be run again
  if self.slot then
    local code = self.ending == "interrupted" and 128 + core.stop_requested() or self.problem and 1 or 0
    self.journal:write(core.json.encode { event = "left", slot = self.slot, seat = self.seat, code = code } .. "\n")
  end
  self.journal:close()
  return self.ending or "finished"
end

return scheduler
