-- rnnlab.sweep.ledger owns what a sweep's journals say: its configurations and trials, each once, however often it was
-- run. It is filled line by line, by the coordinator as things happen and by readers from the files.
--
-- Lines: { event = "proposal", config, values, saw } what a configuration is and what its choice had seen
--        { event = "result", trial, config, seed, status, values, metrics, curve, ... } how a trial ended
--        { event = "report", config, step, value, stop } what a pruner was told, and whether it said stop
--        { event = "slot", slot, seat, process, job, at, submitted } a slot of a cluster begins, for the seat-th time
--            after the first, at a time; of the submission at a time (seconds since 1970)
--        { event = "left", slot, seat, code } and ends by itself
-- Configurations and trials count from 1; trial (config - 1) * repeats + r is repeat r of its configuration.
local core = require "rnnlab.core"

local ledger = {}

local Ledger = {}
Ledger.__index = Ledger

-- plan: from plan.lua; study: its study, or nil where nothing is proposed or pruned any more.
function ledger.new(plan, study)
  return setmetatable({ plan = plan, study = study, configs = {}, trials = {}, done = 0,
    counts = {}, slots = {}, begun = {}, seen = { number = 0, since = 0 },
    sign = plan.objective and plan.objective[1].direction == "max" and -1 or 1, most_config = 0 }, Ledger)
end

-- The number of a trial from its configuration's and which of its repeats it is.
function Ledger:trial_number(config, repeat_)
  return (config - 1) * self.plan.repeats + repeat_
end

-- A configuration: { number, point, trials = {by repeat}, state = "running"|"finished"|"pruned"|"failed", value }.
function Ledger:propose(line)
  local number = line.config
  if self.configs[number] then return self.configs[number] end
  local config = { number = number, point = line.values, left = self.plan.repeats, state = "running", saw = line.saw,
    trials = {} }
  self.configs[number] = config
  self.most_config = math.max(self.most_config, number)
  if self.study then self.study:put(number - 1, line.values, "running") end
  return config
end

local function number_of(value)
  return core.json.number(value)
end

-- The objectives: those of the plan, or the one that a trial took by itself.
function Ledger:objectives()
  return self.plan.objective or self.objective and { { name = self.objective, direction = "min" } }
end

-- A trial's end. Returns its configuration where all its repeats have ended by it, and whether the line was new.
function Ledger:result(line)
  local config, number = self.configs[line.config], line.trial
  if not config or self.trials[number] then return nil, false end
  line.value = line.values and number_of(line.values[1])
  self.trials[number] = line
  config.trials[number - (line.config - 1) * self.plan.repeats] = line
  config.left = config.left - 1
  self.done = self.done + 1
  self.counts[line.status] = (self.counts[line.status] or 0) + 1
  if not self.objective and line.status == "finished" then self.objective = line.objective end
  if config.left > 0 then return nil, true end
  self:settle(config)
  return config, true
end

-- What a configuration comes to, now that its trials have ended.
function Ledger:settle(config)
  local sums, finished, pruned = {}, 0, false
  for r = 1, self.plan.repeats do
    local line = config.trials[r]
    if line.status == "finished" then
      finished = finished + 1
      for i, value in ipairs(line.values) do
        sums[i] = (sums[i] or 0) + number_of(value)
      end
    elseif line.status == "pruned" then
      pruned = true
    end
  end
  config.finished = finished
  if finished == self.plan.repeats then
    config.state, config.values = "finished", {}
    for i, sum in ipairs(sums) do
      config.values[i] = sum / finished
    end
    config.value = config.values[1]
  else
    config.state = pruned and "pruned" or "failed"
  end
  if self.study then
    self.study:put(config.number - 1, nil, config.state, config.value and self.sign * config.value)
  end
  if config.state == "finished" then self:rank(config.value) end
  if config.state == "finished" and self:better(config, self.best) then
    self.best, self.best_at = config, config.number
  end
end

-- Is a configuration better than another one, or none? Of two with the same value the earlier number is.
function Ledger:better(config, other)
  if not other then return true end
  local x, y = self.sign * config.value, self.sign * other.value
  return x < y or x == y and config.number < other.number
end

-- How many configurations in a row, by their numbers, have ended and brought nothing better than one before them, of
-- those up to `last`, or of all. It does not depend on which ended first, nor on whose journal was read first.
function Ledger:since_best(last)
  last = math.min(last or self.most_config, self.most_config)
  local function look(at)
    local config = self.configs[at.number]
    if not config or config.state == "running" then return end
    at.since = at.since + 1
    if config.state == "finished" and self:better(config, at.best) then at.best, at.since = config, 0 end
  end
  local seen = self.seen -- up to where all have ended: these are looked at once
  while seen.number < last and self.configs[seen.number + 1] and self.configs[seen.number + 1].state ~= "running" do
    seen.number = seen.number + 1
    look(seen)
  end
  local at = { number = seen.number, best = seen.best, since = seen.since }
  while at.number < last do
    at.number = at.number + 1
    look(at)
  end
  return at.best and at.since or 0
end

-- The value of the n-th best configuration so far; nil where fewer have finished.
function Ledger:nth_best(n)
  self.top = self.top or {} -- the values of the n best, best first; brought up to date by settle
  return self.top[n]
end

-- Keep `top` sorted, and no longer than it can be asked for.
function Ledger:rank(value)
  local top, at = self.top or {}, 1
  self.top = top
  while top[at] and self.sign * top[at] <= self.sign * value do at = at + 1 end
  if at > 1000 then return end
  table.insert(top, at, value)
  top[1001] = nil
end

-- A value that a pruner was told.
function Ledger:report(line)
  local value = number_of(line.value)
  if self.study and self.configs[line.config] then
    self.study:report(line.config - 1, line.step, value == value and self.sign * value or 0 / 0)
  end
end

-- What was answered to a report.
function Ledger:answered(line)
  local config = self.configs[line.config]
  if not config then return end
  config.answers = config.answers or {}
  if config.answers[line.step] == nil then config.answers[line.step] = line.stop == true end
end

-- Was a configuration stopped at a step? nil: nobody asked.
function Ledger:was_stopped(number, step)
  local config = self.configs[number]
  return config and config.answers and config.answers[step]
end

-- Seconds that are left of the time (--timeout) of what was submitted to a cluster, which counts from where its first
-- task began; all of it where none has; nil: it has no end.
function Ledger:time_left(submitted)
  local plan = self.plan
  if plan.launcher ~= "slurm" or not plan.timeout then return nil end
  local began = self.begun[submitted]
  return began and plan.timeout - (os.time() - began) or plan.timeout
end

-- A slot of a cluster that begins or ends: its last seat is what counts.
function Ledger:slot(line)
  if line.at and line.submitted then
    self.begun[line.submitted] = math.min(self.begun[line.submitted] or line.at, line.at)
  end
  local known = self.slots[line.slot]
  if known and known.seat > line.seat then return end
  if line.event == "slot" then self.slots[line.slot] = line elseif known then known.left = line.code end
end

-- A line of a journal, as decoded; strange ones are passed over.
function Ledger:take(line)
  if type(line) ~= "table" then return end
  if line.event == "proposal" and line.config and line.values then return self:propose(line) end
  if line.event == "result" and line.config and line.trial and line.status then return self:result(line) end
  if line.event == "report" and line.config and line.step then
    self:report(line)
    return self:answered(line)
  end
  if (line.event == "slot" or line.event == "left") and line.slot and line.seat then return self:slot(line) end
end

-- The name of the run folder that a trial of the sweep in `dir` has; nil where none was kept.
function ledger.run_of(dir, number)
  local name = "trial-" .. number
  return core.host.exists(("%s/%s/run.json"):format(dir, name)) and name or nil
end

-- Read what is new in the journals of a folder. Schedulers' journals (multiples of 1000) come after the workers', so
-- that whoever sees a result has seen what was proposed and reported before it. Of what was read proposals count first.
function Ledger:read(dir)
  self.offsets = self.offsets or {}
  local lines = self.early or {} -- what another journal told of a configuration that was not known yet
  self.early = {}
  local texts, slots = {}, {}
  for pass = 1, 2 do
    for _, slot in ipairs(core.sweep.journal_slots(dir)) do
      if (slot % 1000 == 0) == (pass == 2) then
        local path = ("%s/journal-%d.jsonl"):format(dir, slot)
        texts[slot], self.offsets[slot] = core.sweep.journal_read(path, self.offsets[slot] or 0)
        slots[#slots + 1] = slot
      end
    end
  end
  table.sort(slots)
  for _, slot in ipairs(slots) do
    for text in texts[slot]:gmatch "[^\n]+" do
      local ok, line = pcall(core.json.decode, text)
      if ok and type(line) == "table" then
        if line.event == "proposal" then self:take(line) else lines[#lines + 1] = line end
      end
    end
  end
  for _, line in ipairs(lines) do
    if line.config and not self.configs[line.config] then self.early[#self.early + 1] = line else self:take(line) end
  end
end

-- Trials that have not ended, of the configurations there are, in order: { config =, repeat_ = }. mine(number): is it
-- asked for? All are where it is left out.
function Ledger:missing(mine)
  local list = {}
  for number = 1, self.most_config do
    local config = self.configs[number]
    local wanted = config and config.left > 0 and (not mine or mine(number))
    for r = 1, wanted and self.plan.repeats or 0 do
      if not config.trials[r] then list[#list + 1] = { config = number, repeat_ = r } end
    end
  end
  return list
end

-- Configurations best first: those that finished, by value; with two objectives the Pareto front first.
function Ledger:ranked()
  local list = {}
  for number = 1, self.most_config do
    local config = self.configs[number]
    if config and config.state == "finished" then list[#list + 1] = config end
  end
  local objectives = self:objectives() or {}
  if #objectives > 1 then
    local points = {}
    for i, config in ipairs(list) do
      points[i] = {}
      for k, objective in ipairs(objectives) do
        points[i][k] = objective.direction == "max" and -config.values[k] or config.values[k]
      end
    end
    for i, on in ipairs(core.sweep.pareto(points)) do
      list[i].front = on
    end
  end
  table.sort(list, function(a, b)
    if a.front ~= b.front then return a.front == true end
    local x, y = self.sign * a.value, self.sign * b.value
    if x ~= y then return x < y end
    return a.number < b.number
  end)
  return list
end

return ledger
