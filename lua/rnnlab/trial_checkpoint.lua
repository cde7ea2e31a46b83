-- rnnlab.trial_checkpoint owns the checkpoints of a sweep's trials: when one is written, what a trial goes on from, and
-- when it is taken away.
--
-- Each trial has a file of its own, also where it trains beside others, since its state does not depend on them:
-- results/SWEEP/checkpoints/trial-N-W.safetensors, with W the number of the worker's journal, which no other process of
-- the sweep has on any host (sweep/checkpoints.lua). So nobody ever writes what another one has written: a trial that
-- is run again reads what the one before left and writes its own, and should that one live after all, the two have the
-- same bits at the same epoch. Who has been replaced writes no more (`fence`: files whose being there says so).
--
-- What is in it is a run's checkpoint (checkpoint.lua) and of_trial: { number, words (the overrides), script and
-- modules (SHA-256), side (trained beside others?), resumed (epochs it went on from), said (step -> what a pruner was
-- told), train_s }.
local checkpoint = require "rnnlab.checkpoint"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"

local keeps = {}

-- ---- what it is of ------------------------------------------------------------------------------

-- Whose checkpoint it is.
local function identity(member, side)
  local box, modules = member.ctx.box, {}
  for _, module in ipairs(box.modules) do
    modules[module.name] = core.host.sha256(module.bytes)
  end
  return { number = member.number, words = table.concat(member.overrides, " "), side = side or false,
    script = core.host.sha256(box.bytes), modules = modules }
end

-- Why a checkpoint cannot be this member's; nil: it is.
local function foreign(own, theirs)
  if type(theirs) ~= "table" or theirs.number ~= own.number then return "is not of this trial" end
  if theirs.words ~= own.words then return ("is of other parameters (%s)"):format(tostring(theirs.words)) end
  if theirs.script ~= own.script then return "is of another script" end
  for name, hash in pairs(type(theirs.modules) == "table" and theirs.modules or {}) do
    if own.modules[name] and own.modules[name] ~= hash then return "is of another script: " .. name .. " differs" end
  end
  if theirs.side ~= own.side then return "is of a trial that was trained in another way" end
end

-- What is written beside the state of a member's loop.
local function of_trial(member, side)
  local own = identity(member, side)
  own.resumed, own.said = member.resumed, member.said
  own.train_s = side and member:trained() or nil
  return own
end

-- ---- writing ------------------------------------------------------------------------------------

local function policy_of(member)
  local place = member.order.checkpoint
  if not place then return false end
  if place.every then return checkpoint.policy(place.every, "--checkpoint-every") end
  return member.settings.checkpoint
end

-- What writes a member's checkpoints; nil where none are wanted.
local function keeper_of(member)
  local policy, place = policy_of(member), member.order.checkpoint
  if not policy then return nil end
  local path = ("%s/trial-%d-%d.safetensors"):format(place.folder, member.number, place.writer)
  local keeper = checkpoint.keeper(path, policy, function(problem)
    member.ask(("Wtrial %d: %s"):format(member.number, problem))
  end)
  -- May it be written?
  function keeper.before()
    for _, list in ipairs { place.fence or {}, member.fence or {} } do
      for _, file in ipairs(list) do
        if core.host.exists(file) then error("the trial was taken over by another task", 0) end
      end
    end
    core.host.make_folder(place.folder)
  end
  -- It was: the trial is further than where it came from.
  function keeper.after()
    member.written = path
    local steps = member.trainer:steps()
    if steps > (member.steps or 0) then member.ask("C" .. member.trainer:epoch()) end
    member.steps = steps
  end
  return keeper
end

-- ---- going on -----------------------------------------------------------------------------------

local function why(problem)
  return errors.is(problem) and problem.message or tostring(problem)
end

-- The files a member was given, the one that came furthest first.
local function candidates(member)
  local list = {}
  for i, name in ipairs(member.from or {}) do
    local path = member.order.checkpoint.folder .. "/" .. name
    local ok, head = true, nil
    if #member.from > 1 then ok, head = pcall(checkpoint.read, path) end -- two that ran it: who came further?
    list[i] = { path = path, epoch = ok and head and head.loop.epoch or 0 }
  end
  table.sort(list, function(a, b)
    if a.epoch ~= b.epoch then return a.epoch > b.epoch end
    return a.path < b.path
  end)
  return list
end

-- Take over what the last checkpoint has, where there is one that can be used; else a line says why not.
local function go_on(member, loop, side)
  if not member.from then return end
  local own, problem = identity(member, side), nil
  for _, candidate in ipairs(candidates(member)) do
    local ok, head = pcall(checkpoint.load, loop, candidate.path, function(head)
      local reason = foreign(own, head.trial)
      if reason then error(("%s: %s"):format(candidate.path, reason), 0) end
    end)
    if ok then
      local differences = checkpoint.differences(head.machine, checkpoint.machine())
      if #differences > 0 then
        member.ask(("Wtrial %d: not bitwise: %s"):format(member.number, table.concat(differences, "; ")))
      end
      member.resumed = head.trial.resumed or {}
      member.resumed[#member.resumed + 1] = head.loop.epoch
      member.said, member.before = head.trial.said, { wall_s = head.wall_s or 0, train_s = head.trial.train_s or 0 }
      member.steps, member.at = member.trainer:steps(), head.loop.epoch
      return
    end
    problem = problem or why(head)
  end
  if problem then
    member.ask(("Wtrial %d starts from its beginning; its checkpoint cannot be used: %s"):format(member.number,
      problem))
  end
end

-- A member that trains by itself, with its loop (training.lua): checkpoints from now on, and what it goes on from.
function keeps.alone(member, loop)
  -- What a checkpoint has of the trial.
  function loop.of_trial() return of_trial(member) end
  go_on(member, loop)
  if member.before then member.began = member.began - member.before.wall_s end
  loop.began, loop.keeper = member.began, keeper_of(member)
  if loop.keeper then loop.keeper.epoch = loop.trainer:epoch() end
end

-- ---- side by side -------------------------------------------------------------------------------

-- A member of an ensemble as checkpoint.lua sees a loop.
local Side = {}
Side.__index = Side

local function side_of(member)
  return setmetatable({ member = member, ctx = member.ctx, run = {}, trainer = member.trainer }, Side)
end

-- Its one trainer.
function Side:trainers() return { self.member.trainer } end

-- What a checkpoint has of it beside the trainer.
function Side:snapshot()
  return { epoch = self.member.trainer:epoch(), ended = self.member.ended or false }
end

-- Take over what snapshot gave.
function Side:resume(snapshot)
  self.ended = snapshot.ended or nil
  self.member.ended = self.ended
end

-- What a checkpoint has of the trial.
function Side:of_trial() return of_trial(self.member, true) end

-- There are none: a trial's rows are its curve.
function Side.write_rows() end

local Saver = {}
Saver.__index = Saver

-- Members whose trainers are prepared: take over what there is, and give what writes their checkpoints (nil: none are
-- wanted).
function keeps.side_by_side(members)
  for _, member in ipairs(members) do
    if member.from then
      member.side = side_of(member)
      go_on(member, member.side, true)
    end
  end
  local policy = policy_of(members[1])
  if not policy then return nil end
  local saver = setmetatable({ members = members, clock = checkpoint.keeper(nil, policy) }, Saver)
  saver.clock.epoch = saver:epoch()
  return saver
end

-- Epochs that all have done which still train.
function Saver:epoch()
  local least
  for _, member in ipairs(self.members) do
    if not member.ended then least = math.min(least or math.huge, member.trainer:epoch()) end
  end
  return least or 0
end

-- Seconds to train at a time: `most`, or as often as checkpoints are wanted.
function Saver:slice(most) return math.min(most, self.clock.seconds or most) end

-- The epoch to stop at for the next ones, or the target where that comes first.
function Saver:until_epoch(target) return self.clock:until_epoch(target) end

-- Write them where it is time to.
function Saver:write_due()
  if self.clock:due(self:epoch()) then self:write() end
end

-- Write one of every member.
function Saver:write()
  local began = core.host.monotonic()
  for _, member in ipairs(self.members) do
    member.side = member.side or side_of(member)
    member.side.keeper = member.side.keeper or keeper_of(member)
    local loop, keeper = member.side, member.side.keeper
    if keeper and (member.trainer:steps() > (member.steps or 0) or member.ended ~= loop.ended) then
      loop.began = core.host.monotonic() - member:spent()
      if keeper:write(loop) then loop.ended = member.ended end
    end
  end
  self.clock:rest(core.host.monotonic() - began, self:epoch())
end

-- ---- the end ------------------------------------------------------------------------------------

-- The trial has ended and was told: there is nothing to go on with any more.
function keeps.forget(member)
  if member.written then os.remove(member.written) end
  for _, name in ipairs(member.from or {}) do
    os.remove(member.order.checkpoint.folder .. "/" .. name)
  end
end

-- What is to be said of those that go on, in one line; nil: none does.
function keeps.said(members)
  local numbers, least = {}, nil
  for _, member in ipairs(members) do
    if member.at then
      numbers[#numbers + 1] = tostring(member.number)
      least = math.min(least or member.at, member.at)
    end
  end
  if #numbers == 0 then return nil end
  if #numbers == 1 then return ("trial %s goes on after epoch %d"):format(numbers[1], least) end
  return ("trials %s go on after epoch %d and later ones"):format(table.concat(numbers, ", "), least)
end

return keeps
