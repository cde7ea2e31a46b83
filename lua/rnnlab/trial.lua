-- rnnlab.trial owns the running of a sweep's trials, in a Lua state made for them alone (core.fresh_states). Nothing is
-- written here: what comes of a trial is told to whoever asked for it, as one line of its journal.
--
-- Trials that only train (no callback of the script's between epochs) train side by side as one ensemble, each to the
-- bit what it is alone; where one of them fails they are run again one by one. The others are run one after another,
-- or, where a pruner looks at the repeats of one configuration as one, in turns.
--
-- One that lasts writes checkpoints, and goes on from what it is given (trial_checkpoint.lua): what it tells in the end
-- is to the bit what it would be had it never been stopped, and a pruner is asked at the same steps, with the same
-- values.
--
-- A trial is judged on its training and validation data. Test data is looked at by `rnnlab best --rerun` alone.
local alone = require "rnnlab.alone"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local keeps = require "rnnlab.trial_checkpoint"
local prepare = require "rnnlab.prepare"
local text = require "rnnlab.text"
local training = require "rnnlab.training"

local trial = {}

local curve_points = 64
local slice = .5 -- seconds an ensemble trains in one C call; the stop flag ends it earlier

-- ---- a member: one trial ------------------------------------------------------------------------

local Member = {}
Member.__index = Member

-- Trials of a message take turns, and only while one has its turn does its clock run.
function Member:take_turn()
  if not self.paused then return end
  local gap = core.host.monotonic() - self.paused
  self.began, self.paused = self.began + gap, nil
  if self.loop and self.loop.began then self.loop.began = self.loop.began + gap end
end

-- The turn is over.
function Member:give_way() self.paused = core.host.monotonic() end

-- From the script to data and model.
function Member:open()
  local order = self.order
  self.began = core.host.monotonic()
  local ctx = prepare.open { script = order.script, copy = order.copy, cwd = order.cwd, overrides = self.overrides,
    trust = order.trust, print = function() end }
  self.ctx = ctx
  if alone.is(ctx.experiment) then
    ctx:build()
    return self:give_way()
  end
  self.settings = ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p)
  if self.settings.models then
    errors.failure("%s: models = ... trains several models a trial; a sweep varies the seed by --repeats", order.script)
  end
  ctx:build()
  self.own = core.host.monotonic() - self.began
  self:give_way()
end

-- May it train beside others, with nothing of the script's between two epochs?
function Member:joins()
  local e, settings = self.ctx.experiment, self.settings
  if alone.is(e) then return false end
  local stopping, schedule = settings.early_stopping, settings.schedule
  return not (e.on_epoch or e.main or self.ctx.data.stream or type(schedule) == "function"
    or type(schedule) == "table" and schedule.kind == "plateau"
    or stopping and stopping.metric ~= "loss" and stopping.metric ~= "val_loss")
end

-- The name of the (first) objective.
function Member:objective()
  local asked = self.order.objective
  return asked and asked[1].name or self.ctx.data.val and "val_loss" or "loss"
end

-- The objective as it stands after `epoch` epochs, for pruners.
function Member:value_at(epoch)
  local name, trainer = self:objective(), self.trainer
  if name == "val_loss" and self.ctx.data.val then
    for at = epoch, 1, -1 do
      local value = trainer:val_losses(at)[1]
      if value then return value end
    end
  elseif name == "loss" then
    return trainer:losses(epoch)[1]
  elseif name == "best_loss" then
    return require("rnnlab.outcome").best_of(trainer:losses_packed():sub(1, 8 * epoch))
  elseif self.logged and self.logged[name] then
    return self.logged[name]
  end
  errors.failure("a pruner needs the objective after every epoch; %s is known at the end alone (loss, val_loss and "
    .. "what run:log gives are known before)", name)
end

-- { steps, values } of the objective where it is loss or val_loss, else of the loss: at most about `curve_points`.
function Member:curve()
  local trainer = self.trainer
  local steps, values = core.json.array {}, core.json.array {}
  local function add(epoch, value)
    if value and value == value then
      steps[#steps + 1] = epoch
      values[#values + 1] = tonumber(("%.7g"):format(value))
    end
  end
  local epochs = trainer:epoch()
  local stride = math.max(1, (epochs + curve_points - 1) // curve_points)
  local val = self:objective() == "val_loss" and self.ctx.data.val and trainer:val_losses()
  local packed = not val and trainer:losses_packed()
  local function at(epoch)
    if val then
      local value = val[epoch]
      return value
    end
    return (string.unpack("d", packed, (epoch - 1) * 8 + 1))
  end
  for epoch = stride, epochs, stride do
    add(epoch, at(epoch))
  end
  if epochs % stride ~= 0 then add(epochs, at(epochs)) end
  return { steps = steps, values = values }
end

-- What it ends with: { status =, metrics =, ... } without number and configuration. reason: why training ended.
function Member:judge(reason, metrics)
  local ctx, trainer = self.ctx, self.trainer
  local outcome = require "rnnlab.outcome"
  local status = reason
  if status == "finished" then
    outcome.evaluate(ctx, trainer, { "train", "val", self.order.test and "test" or nil }, metrics)
    if not training.finite(metrics.loss) then status, metrics.loss = "diverged", nil end
  elseif trainer:epoch() > 0 then
    local loss = trainer:losses(trainer:epoch())[1]
    if training.finite(loss) then metrics.loss = loss end
  end
  metrics.best_loss = outcome.best_of(trainer:losses_packed(), metrics.loss)
  local lost = status == "diverged" and ("the loss is no finite number in epoch %d"):format(trainer:epoch()) or nil
  local result = { status = status, error = lost, metrics = metrics, epochs = trainer:epoch(), curve = self:curve(),
    objective = self:objective(), weights = ctx.weights }
  return status == "finished" and self:with_values(result) or result
end

-- The objectives of a trial that finished, among its metrics.
function Member:with_values(result)
  local metrics, values = result.metrics, core.json.array {}
  for i, objective in ipairs(self.order.objective or { { name = self:objective() } }) do
    local value = metrics[objective.name]
    if value == nil then
      result.status, result.reports = "failed", core.json.array(text.sorted_keys(metrics))
      result.error = ("no trial reports '%s'%s; there is %s%s"):format(objective.name,
        text.did_you_mean(objective.name, result.reports), text.list(result.reports),
        self.order.objective and "" or "; say which with --objective")
      return result
    end
    if not training.finite(value) then
      result.status, result.error = "diverged", ("%s is no finite number (%s)"):format(objective.name,
        value ~= value and "NaN" or text.value(value))
    end
    values[i] = value
  end
  result.values = values
  return result
end

-- Tell how it ended.
function Member:tell(result)
  self.done = true
  result.event, result.trial, result.config, result.seed = "result", self.number, self.config, self.seed
  result.params = self.params
  result.wall_s = self.wall or core.host.monotonic() - self.began
  result.train_s = self.train_s
  if self.resumed then result.resumed = core.json.array(self.resumed) end
  self.ask("R" .. core.json.encode(result))
  if not self.order.pruning then keeps.forget(self) end -- else once all repeats have ended: they are run as one
end

-- Seconds that it has trained beside others.
function Member:trained() return (self.before and self.before.train_s or 0) + self.pool.seconds / self.pool.count end

-- Seconds that it has taken in all.
function Member:spent()
  return (self.before and self.before.wall_s or 0) + self.own
    + (core.host.monotonic() - self.pool.began) / self.pool.count
end

local function is_out_of_memory(message)
  return message:find("out of memory", 1, true) or message:find("not enough memory", 1, true)
end

-- What it failed of.
function Member:fail(problem)
  if core.stop_requested() then error(problem, 0) end -- nothing is told: it will be run again
  local message = errors.is(problem) and problem.message or tostring(problem)
  self:tell { status = is_out_of_memory(message) and "oom" or "failed", error = text.one_line(message) }
end

-- Call f; what it raises is the end of this trial alone.
function Member:guard(f, ...)
  local ctx = self.ctx
  local ok, problem
  if ctx then ok, problem = xpcall(f, errors.handler(ctx.box.sources, f), ...)
  else ok, problem = pcall(f, ...) end
  if ok then return problem == nil or problem end
  self:fail(problem)
  return false
end

-- The members of a message whose run folders are wanted: { member = true }. keep: { all = true } or { count = so many
-- at most, limit = the value they must beat, or nothing, sign = }.
local function kept(members, keep)
  local list, wanted = {}, {}
  for _, member in ipairs(keep and members or {}) do
    local result = member.result
    local value = result and result.status == "finished" and keep.sign * result.values[1]
    if value and (keep.all or not keep.limit or value < keep.sign * keep.limit) then
      list[#list + 1] = { member = member, value = value }
    end
  end
  table.sort(list, function(a, b)
    if a.value ~= b.value then return a.value < b.value end
    return a.member.number < b.member.number
  end)
  for i = 1, keep and keep.all and #list or math.min(#list, keep and keep.count or 0) do
    wanted[list[i].member] = true
  end
  return wanted
end

-- Make its run folder, results/SWEEP/trial-N/, from what was trained. A failure is no failure of the trial.
function Member:keep(result)
  local order = self.order
  local name = "trial-" .. self.number
  local ok = pcall(function()
    core.host.remove_folder(order.copy .. "/" .. name)
    require("rnnlab.runner").keep({ ctx = self.ctx, settings = self.settings, trainer = self.trainer,
      began = core.host.monotonic() - self.wall, best_epoch = result.metrics.best_epoch },
      { results = order.keep.results, folder = order.keep.sweep .. "/" .. name, overrides = self.overrides,
        sweep = order.keep.sweep, trial = self.number })
  end)
  if ok then result.run = name end
end

-- What modules keep of the trial that was opened last.
function Member:enter()
  core.set_default_dtype(self.ctx.p.dtype)
  require("rnnlab.params").current = self.ctx.p
end

-- ---- one by one ---------------------------------------------------------------------------------

-- A run's folder as the loop sees it, of which only the last row is kept.
local function no_folder(member)
  local columns = {}
  return {
    metrics = function(_, names) columns = names end,
    append = function(_, rows)
      local row, logged = rows[#rows], {}
      for i, name in ipairs(columns) do
        logged[name] = row[i + 1]
      end
      member.logged = logged
    end,
    append_packed = function() end, insert_column = function() end, note = function() end,
    dir = function() return "." end,
  }
end

local no_progress = { update = function() end, clear = function() end }

-- Make what it is trained by, and go on from where it was. False where that failed.
function Member:make_loop()
  return self:guard(function()
    self:take_turn()
    self:enter()
    self.loop = training.new(self.ctx, no_folder(self), self.settings, no_progress)
    self.trainer = self.loop.trainer
    keeps.alone(self, self.loop)
  end)
end

-- Train and tell. watch: see training.lua.
function Member:train_alone(watch)
  return self:guard(function()
    self:enter()
    local loop = self.loop
    loop.watch = watch
    local reason = loop:go()
    if reason == "interrupted" then error("interrupted", 0) end
    self:enter()
    local metrics = {}
    for name, value in pairs(loop.last_logged or {}) do
      metrics[name] = value
    end
    if loop.best then metrics.best_epoch = loop.best.epoch end
    self.train_s = self.trainer:seconds()
    self:tell(self:judge(reason, metrics))
  end)
end

-- A main without a loss: run it and tell.
function Member:main_alone()
  return self:guard(function()
    self:take_turn()
    self:enter()
    local metrics = {}
    local rows = alone.run(self.ctx, nil, metrics)
    local name = self:objective()
    self:tell(self:with_values { status = "finished", metrics = metrics, epochs = 0, objective = name,
      weights = self.ctx.weights, curve = alone.curve(rows, name, curve_points) })
  end)
end

-- Say which members go on.
local function announce(members)
  local said = keeps.said(members)
  if said then members[1].ask("G" .. said) end
end

-- ---- what a pruner is asked ---------------------------------------------------------------------

-- The repeats of one configuration after `step` epochs: is it to be stopped? Sets the step of the next question.
local function ask_pruner(group, step)
  local sum, n = 0, 0
  for _, member in ipairs(group.members) do
    local value = member.value
    if value then sum, n = sum + value, n + 1 end
  end
  local answer = group.ask("?" .. core.json.encode { config = group.config, step = step,
    value = n > 0 and sum / n or 0 / 0, repeats = n })
  if answer == "stop" then return true end
  group.next = math.tointeger(tonumber(answer))
  return false
end

-- A member's turn: a coroutine that trains it and gives way where the pruner wants to know.
local function turn_of(member, group)
  local turn = { member = member }
  local watch = { next = function() return group.next end, over = function() return group.over end }
  -- Where a pruner wants to know.
  function watch.tell(epoch)
    if coroutine.running() ~= turn.thread then return false end -- inside a coroutine of the script's
    member.value = member:value_at(epoch)
    member.said = member.said or {}
    member.said[epoch] = member.value
    return coroutine.yield(epoch)
  end
  turn.thread = coroutine.create(function() member:train_alone(watch) end)
  return turn
end

-- To the next question: each trains, but for those that went on from behind it.
local function round(turns, group)
  local step
  for _, turn in ipairs(turns) do
    local member = turn.member
    if coroutine.status(turn.thread) == "dead" then
      turn.over = true
    elseif not group.over and (member.at or 0) >= group.next then
      member.value, step = member.said and member.said[group.next] or member.value, group.next
    else
      member:take_turn()
      member:enter()
      turn.begun = true
      local ok, epoch = coroutine.resume(turn.thread, group.over)
      member:give_way()
      if not ok then error(epoch, 0) end
      step = epoch or step
    end
  end
  return step
end

-- The repeats of one configuration, those that do not join, in turns.
local function run_in_turns(group)
  local turns = {}
  for _, member in ipairs(group.members) do
    if member:make_loop() then turns[#turns + 1] = turn_of(member, group) end
    member:give_way()
  end
  announce(group.members)
  local ok, problem = pcall(function()
    repeat
      local step = round(turns, group)
      if step and not group.over then group.over = ask_pruner(group, step) end
    until not step
  end)
  if not ok then
    for _, turn in ipairs(core.stop_requested() and turns or {}) do -- the one that was training has kept itself
      if turn.begun and coroutine.status(turn.thread) == "suspended" then turn.member.loop:keep() end
    end
    error(problem, 0)
  end
end

-- ---- side by side -------------------------------------------------------------------------------

-- The members that still train, as an ensemble.
local function ensemble_of(members)
  local trainers, active = {}, {}
  for _, member in ipairs(members) do
    if not member.ended then
      active[#active + 1] = member
      trainers[#trainers + 1] = member.trainer
    end
  end
  if #active == 0 then return nil, active end
  return core.ensemble(trainers, 1), active
end

-- Let them train until `target`; those that ended before are marked. saver: writes their checkpoints, or nil.
local function advance(ensemble, active, target, pool, saver)
  local reason, goal
  repeat
    local began = core.host.monotonic()
    goal = saver and saver:until_epoch(target) or target
    reason = ensemble:run(goal, saver and saver:slice(slice) or slice)
    pool.seconds = pool.seconds + core.host.monotonic() - began
    for i, why in ipairs(ensemble:reasons()) do
      if why == "diverged" or why == "stopped" then active[i].ended = why end
    end
    if core.stop_requested() then error("interrupted", 0) end
    if saver then saver:write_due() end
  until reason ~= "time" and goal == target
end

-- Did a member still train when it came to an epoch, at which a pruner is asked?
local function trained_at(member, epoch)
  local ended, last = member.ended, member.trainer:epoch()
  return not ended or epoch < last or ended == "diverged" and epoch == last
end

-- After epoch `at`: ask for the groups whose time it is.
local function ask_for(groups, at)
  for _, group in ipairs(groups) do
    if not group.over and group.next <= at then
      local alive
      for _, member in ipairs(group.members) do
        if trained_at(member, at) then member.value, alive = member:value_at(at), true end
      end
      if alive and ask_pruner(group, at) then
        group.over = true
        for _, member in ipairs(group.members) do
          member.ended = member.ended or "pruned"
        end
      end
    end
  end
end

-- members: all of one number of epochs, prepared. groups: by configuration, where a pruner is to be asked, else nil:
-- those that go on were asked before what they are asked again, and get the same answers.
local function train_side_by_side(members, groups, saver)
  local epochs, pool, at = members[1].settings.epochs, members[1].pool, 0
  repeat
    local ensemble, active = ensemble_of(members)
    if not ensemble then break end
    local target = epochs
    for _, group in ipairs(groups or {}) do
      if not group.over then target = math.min(target, math.max(at + 1, group.next)) end
    end
    advance(ensemble, active, target, pool, saver)
    at = target
    if groups and at < epochs then ask_for(groups, at) end
  until at >= epochs
  for _, member in ipairs(members) do
    member.train_s, member.wall = member:trained(), member:spent()
  end
end

-- The trainers of members that join. Returns what writes their checkpoints, or nil.
local function prepare_side_by_side(members)
  for _, member in ipairs(members) do
    member:enter()
    member.trainer = member.ctx.box:call(core.trainer, (training.spec(member.ctx, member.settings)))
    member.ctx.box:call(member.trainer.prepare, member.trainer)
  end
  local saver = keeps.side_by_side(members)
  announce(members)
  return saver
end

-- Train members that join, and tell of each. False where one of them made the whole fail.
local function run_side_by_side(members, groups)
  local saver
  local pool = { began = core.host.monotonic(), seconds = 0, count = #members }
  for _, member in ipairs(members) do member.pool = pool end
  local ok, problem = pcall(function()
    saver = prepare_side_by_side(members)
    train_side_by_side(members, groups, saver)
  end)
  if not ok then
    if core.stop_requested() then
      if saver then saver:write() end
      error(problem, 0)
    end
    if #members == 1 then
      members[1]:fail(errors.is(problem) and problem or tostring(problem))
      return true
    end
    return false
  end
  for _, member in ipairs(members) do
    member:guard(function()
      member:enter()
      local metrics = {}
      if member.ended ~= "diverged" and member.ended ~= "pruned" then
        metrics.best_epoch = member.trainer:restore_best()
      end
      local reason = (member.ended == "diverged" or member.ended == "pruned") and member.ended or "finished"
      member.result = member:judge(reason, metrics)
    end)
  end
  local wanted = kept(members, members[1].order.keep)
  for _, member in ipairs(members) do
    if member.result then
      member:enter()
      if wanted[member] then member:keep(member.result) end
      member:tell(member.result)
    end
  end
  return true
end

-- ---- a message of trials ------------------------------------------------------------------------

-- The members by configuration, in order.
local function by_config(members, ask)
  local groups, at = {}, {}
  for _, member in ipairs(members) do
    local group = at[member.config]
    if not group then
      group = { config = member.config, members = {}, ask = ask, next = 1 }
      groups[#groups + 1] = group
      at[member.config] = group
    end
    group.members[#group.members + 1] = member
  end
  return groups
end

-- Members of one number of epochs, that join.
local function by_epochs(members)
  local lists, at = {}, {}
  for _, member in ipairs(members) do
    local epochs = member.settings.epochs
    if not at[epochs] then
      at[epochs] = {}
      lists[#lists + 1] = at[epochs]
    end
    local list = at[epochs]
    list[#list + 1] = member
  end
  return lists
end

local function new_member(order, given, ask)
  return setmetatable({ order = order, number = given.trial, config = given.config, seed = given.seed,
    overrides = given.overrides, params = given.params, from = given.from, fence = given.fence, ask = ask,
    began = core.host.monotonic() }, Member)
end

-- Returns those that could be opened, and all.
local function open_all(order, trials, ask)
  local members, all = {}, {}
  for i, given in ipairs(trials) do
    local member = new_member(order, given, ask)
    all[i] = member
    if member:guard(member.open, member) then members[#members + 1] = member end
  end
  return members, all
end

-- A member that failed beside others, as it is given to be run alone: from what it has written itself, too.
local function again_alone(member)
  local from = { table.unpack(member.from or {}) }
  if member.written then from[#from + 1] = member.written:match "[^/]*$" end
  return { trial = member.number, config = member.config, seed = member.seed, overrides = member.overrides,
    params = member.params, from = from, fence = member.fence }
end

-- message: JSON of { script =, cwd =, copy =, trust =, objective = { { name =, direction = } }?, pruning =, test =,
-- keep =, checkpoint = { folder =, writer =, every =, fence = }, trials = { { trial =, config =, seed =, params =,
-- overrides = {...}, from = names of checkpoints?, fence = }, ... } }.
-- ask("R" .. JSON) tells of a trial's end; ask("?" .. JSON of { config, step, value, repeats }) is answered "stop" or
-- the step of the next question (step 0: before the first); "W": a warning, "G": what goes on, "C": a checkpoint was
-- written.
function trial.run(message, ask)
  local order = core.json.decode(message)
  local joining, others = {}, {}
  local members, all = open_all(order, order.trials, ask)
  for _, member in ipairs(members) do
    local list = member:joins() and joining or others
    list[#list + 1] = member
  end
  for _, list in ipairs(by_epochs(joining)) do
    local groups = order.pruning and by_config(list, ask)
    for _, group in ipairs(groups or {}) do
      ask_pruner(group, 0)
    end
    if not run_side_by_side(list, groups) then
      for _, member in ipairs(list) do -- one of them is the reason: each by itself
        local again, made = open_all(order, { again_alone(member) }, ask)
        all[#all + 1] = made[1]
        if again[1] then
          local own_groups = order.pruning and by_config(again, ask)
          for _, group in ipairs(own_groups or {}) do
            ask_pruner(group, 0)
          end
          run_side_by_side(again, own_groups)
        end
      end
    end
  end
  for _, group in ipairs(order.pruning and by_config(others, ask) or {}) do
    ask_pruner(group, 0)
    run_in_turns(group)
  end
  for _, member in ipairs(order.pruning and {} or others) do
    if alone.is(member.ctx.experiment) then
      member:main_alone()
    elseif member:make_loop() then
      announce { member }
      member:train_alone()
    end
  end
  for _, member in ipairs(order.pruning and all or {}) do keeps.forget(member) end
  return "done"
end

return trial
