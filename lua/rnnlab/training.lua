-- rnnlab.training owns the loop of a run: slices of C training with the script's callbacks, the rows of
-- metrics.csv and the progress bar between them. What scripts reach of it, the `run` of on_epoch and main, stands in
-- handle.lua.
local core = require "rnnlab.core"
local schedules = require "rnnlab.schedules"
local data = require "rnnlab.data"

local training = {}

local slice = .08      -- seconds a C call trains before the bar and the file are looked after
local flush_after = .5 -- seconds rows of a script with on_epoch wait at most
local hold = 5         -- seconds a callback may go on after a signal, so that training ends between two steps

local Loop = {}
Loop.__index = Loop

-- A layer may carry its state from batch to batch by an option of its own.
local function any_stateful(model)
  for _, layer in ipairs(type(model.recurrent_layers) == "function" and model:recurrent_layers() or {}) do
    if layer.stateful then return true end
  end
  return false
end

-- Steps of the optimiser in an epoch.
local function steps_per_epoch(ctx, settings)
  if ctx.data.stream then return ctx.data.stream.steps end
  local x = ctx.data.train.x
  local sequences, batch = x:size(1), settings.batch_size
  local batches = batch and math.max(1, (sequences + batch - 1) // batch) or 1
  local chunks = settings.k1 and (x:size(2) + settings.k1 - 1) // settings.k1 or 1
  return batches * chunks
end

-- What the trainer is made of. ctx: from prepare, built; settings: from settings.lua; member: of an ensemble, in place
-- of ctx's own model.
function training.spec(ctx, settings, member)
  member = member or ctx
  local stopping = settings.early_stopping
  local told = stopping and stopping.metric ~= "loss" and stopping.metric ~= "val_loss"
  local stateful = settings.stateful or any_stateful(member.model)
  return {
    record = ctx:step(member.model, member.p), params = ctx:tensors(member.parameters),
    train = ctx.data.train, val = ctx.data.val,
    optimizer = settings.optimizer,
    schedule = schedules.for_engine(settings.schedule, steps_per_epoch(ctx, settings), settings.epochs),
    clip_norm = settings.clip_norm, clip_value = settings.clip_value,
    batch_size = settings.batch_size, shuffle = settings.shuffle and not stateful, seed = member.seed,
    k1 = settings.k1, k2 = settings.k2, stateful = stateful, keep_states = settings.keep_states,
    validate_every = settings.validate_every, norms_every = settings.norms, threads = settings.threads,
    early_stopping = stopping and { metric = told and "given" or stopping.metric, patience = stopping.patience,
      min_delta = stopping.min_delta, restore = stopping.restore, larger_is_better = stopping.larger_is_better },
  }, told
end

-- run: the open run. progress: made with ctx's number of epochs.
function training.new(ctx, run, settings, progress)
  local loop = setmetatable({ ctx = ctx, run = run, settings = settings, progress = progress,
    written = 0, rows = {}, columns = nil, logged = {}, stream_at = 0, status = "finished" }, Loop)
  local spec, told = training.spec(ctx, settings)
  loop.trainer = ctx.box:call(core.trainer, spec)
  if type(settings.schedule) == "function" then
    loop.rate = settings.schedule
  elseif settings.schedule and settings.schedule.kind == "plateau" then
    loop.plateau = schedules.plateau(settings.schedule)
  end
  loop.told = told -- early stopping watches a metric that is computed here
  loop.norm_names = {}
  for _, kind in ipairs(settings.norms and { "grad_norm.", "norm." } or {}) do
    for _, parameter in ipairs(ctx.parameters) do
      loop.norm_names[#loop.norm_names + 1] = kind .. parameter.name
    end
  end
  return loop
end

local function finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end
training.finite = finite

-- The loss of the last epoch.
function Loop:last_loss()
  return self:loss_at(self.trainer:epoch())
end

-- The loss of an epoch.
function Loop:loss_at(epoch)
  return epoch > 0 and self.trainer:losses(epoch)[1] or nil
end

-- The validation loss of the last epoch up to `last` that was validated.
function Loop:val_loss_at(last)
  if not self.ctx.data.val then return nil end
  for epoch = last, math.max(1, last - (self.settings.validate_every or 1)), -1 do
    local value = self.trainer:val_losses(epoch)[1]
    if value then return value end
  end
end

-- That of the last epoch that was validated.
function Loop:last_val_loss()
  return self:val_loss_at(self.trainer:epoch())
end

-- ---- metrics.csv --------------------------------------------------------------------------------

-- The columns of metrics.csv behind epoch, those of the script's own last.
function Loop:columns_of(logged)
  local columns = { "loss" }
  if self.ctx.data.val then columns[2] = "val_loss" end
  for _, names in ipairs { self.norm_names, logged } do
    for _, name in ipairs(names) do
      columns[#columns + 1] = name
    end
  end
  return columns
end

-- Begin metrics.csv, with the columns known by now.
function Loop:open_metrics()
  if self.columns then return end
  self.columns, self.own = self:columns_of(self.logged), {}
  for _, name in ipairs(self.logged) do
    self.own[name] = true
  end
  self.run:metrics(self.columns)
end

-- The norms after an epoch into its row, where they were taken.
function Loop:add_norms(row, epoch)
  if #self.norm_names == 0 then return end
  local every = self.settings.norms
  local norms = epoch % every == 0 and self.trainer:norms(epoch // every)[1] or {}
  for i = 1, #self.norm_names do
    row[#row + 1] = norms[i] or false
  end
end

-- Write the epochs trained since the last time. Without columns of the script's own they go as packed bytes. The file
-- is begun even where there are none, unless only_rows.
function Loop:write_rows(only_rows)
  if only_rows and self.trainer:epoch() == self.written then return end
  self:open_metrics()
  local from = self.written
  if #self.columns == 1 then
    local packed = self.trainer:losses_packed():sub(from * 8 + 1)
    if #packed > 0 then self.run:append_packed(from + 1, packed) end
    self.written = from + #packed // 8
    return
  end
  local losses, val = self.trainer:losses(from + 1), self.ctx.data.val and self.trainer:val_losses(from + 1)
  local rows = {}
  for i, loss in ipairs(losses) do
    local epoch = from + i
    local row, own = { epoch, loss }, self.rows[epoch] or {}
    if val then row[3] = val[i] end
    self:add_norms(row, epoch)
    for _, name in ipairs(self.logged) do
      local value = own[name]
      if value == nil then value = false end
      row[#row + 1] = value
    end
    rows[#rows + 1] = row
    self.rows[epoch] = nil
    self.written = epoch
  end
  if #rows > 0 then self.run:append(rows) end
end

-- A column of the script's own; they are sorted, whenever they come.
function Loop:add_column(name)
  self.logged[#self.logged + 1] = name
  table.sort(self.logged)
  if not self.columns then return end
  local at = 1
  while self.columns[at] and (not self.own[self.columns[at]] or self.columns[at] < name) do
    at = at + 1
  end
  self.run:insert_column(at, name)
  table.insert(self.columns, at, name)
  self.own[name] = true
end

-- Take over the columns of a metrics.csv that was begun before.
function Loop:take_columns(columns)
  self.columns, self.logged, self.own = columns, {}, {}
  for i = #self:columns_of {} + 1, #columns do
    self.logged[#self.logged + 1], self.own[columns[i]] = columns[i], true
  end
end

-- What on_epoch logs: numbers by name, a column each. What main logs under a new name once metrics.csv was begun is
-- kept in run.json alone, its last value.
function Loop:log(epoch, values)
  if type(values) ~= "table" then
    error(("run:log takes a table of numbers, not a %s"):format(type(values)), 0)
  end
  local row = self.rows[epoch] or {}
  self.rows[epoch] = row
  for name, value in pairs(values) do
    if type(name) ~= "string" or not name:find "^[%a_][%w_.%-]*$" or name == "epoch" or name == "loss"
      or name == "val_loss" or name:find "^grad_norm%." or name:find "^norm%." then
      error(("run:log: '%s' is no name for a column of one's own"):format(tostring(name)), 0)
    end
    if type(value) == "userdata" then value = value:item() end
    if type(value) ~= "number" then
      error(("run:log: %s must be a number, not a %s"):format(name, type(value)), 0)
    end
    local known = false
    for _, column in ipairs(self.logged) do
      known = known or column == name
    end
    if not known and not (self.columns and self.ctx.experiment.main) then self:add_column(name) end
    row[name] = value
  end
  self.last_logged = row
end

-- ---- metrics watched ----------------------------------------------------------------------------

-- A metric of a prediction, the script's or one that has a name: a number.
function training.judge(ctx, name, prediction, part)
  local known = require "rnnlab.metrics"
  local f = ctx.experiment.metrics[name] or known[name]
  local value = ctx.box:call(f, prediction, f == known[name] and data.judged(part) or part.y, part)
  if type(value) == "userdata" then value = value:item() end
  if type(value) ~= "number" then
    error(("metric '%s' returned a %s, not a number"):format(name, type(value)), 0)
  end
  return value
end

-- A metric by its name, "accuracy" of the training data or "val_accuracy", or the script's function of the run.
function Loop:metric(metric)
  if type(metric) == "function" then
    local value = self.ctx.box:call(metric, self.handle)
    if type(value) == "userdata" then value = value:item() end
    if type(value) ~= "number" then
      error(("early stopping: the metric must be a number, not a %s"):format(type(value)), 0)
    end
    return value
  end
  local name = metric:gsub("^val_", "")
  local part = self.ctx.data[name == metric and "train" or "val"]
  if not part then
    error(("early stopping watches %s, but there is no validation set"):format(metric), 0)
  end
  local _, prediction = self.trainer:evaluate(part)
  return training.judge(self.ctx, name, prediction, part)
end

-- What is done after an epoch where anything is: on_epoch, and the metric of early stopping.
function Loop:after_epoch(epoch)
  local handle, on_epoch = self.handle, self.ctx.experiment.on_epoch
  handle.epoch, handle.loss, handle.val_loss = epoch, self:last_loss(), self:last_val_loss()
  if on_epoch then self.ctx.box:call(on_epoch, handle) end
  self:adjust_rate(epoch)
  if not self.told or epoch % (self.settings.validate_every or 1) ~= 0 then return end
  if self.trainer:observe(self:metric(self.settings.early_stopping.metric)) then self.stopped = true end
end

-- ---- the loop -----------------------------------------------------------------------------------

-- The learning rate of the epoch after `epoch`, where a function of the script's or the loss decides it.
function Loop:adjust_rate(epoch)
  local trainer = self.trainer
  if self.rate then
    local lr = self.ctx.box:call(self.rate, epoch + 1, self.ctx.p)
    if type(lr) ~= "number" or not (lr >= 0) then
      error(("schedule(%d) gave %s; it must give the learning rate of that epoch"):format(epoch + 1, tostring(lr)), 0)
    end
    trainer:set_lr(lr)
  elseif self.plateau and epoch > 0 then
    local on_val = self.ctx.data.val and self.plateau.metric ~= "loss"
    trainer:set_lr(self.plateau:next(trainer:lr(), on_val and self:last_val_loss() or self:last_loss()))
  end
end

-- An epoch of fresh data, or what can be done of it in a slice of time. Returns the reason, as a trainer's.
function Loop:stream_epoch()
  local trainer, stream = self.trainer, self.ctx.data.stream
  local first, began = trainer:epoch() * stream.steps, core.host.monotonic()
  while self.stream_at < stream.steps do
    if core.stop_requested() then return "interrupted" end
    local step = first + self.stream_at + 1
    if not finite(trainer:step(step == 1 and self.ctx.data.train or stream.batch(step))) then return "diverged" end
    self.stream_at = self.stream_at + 1
    if self.stream_at < stream.steps and core.host.monotonic() - began >= slice then return "time" end
  end
  self.stream_at = 0
  return trainer:end_epoch()
end

-- What a checkpoint has of the loop itself; the trainer's state is beside it. See checkpoint.lua.
function Loop:snapshot()
  local plateau = self.plateau
  return {
    epoch = self.trainer:epoch(), written = self.written, rows = self.rows, logged = self.logged,
    last_logged = self.last_logged, stopped = self.stopped or false, stream_at = self.stream_at,
    plateau = plateau and { best = plateau.best, waited = plateau.waited } or nil,
    open_steps = self.open_steps or false,
    main = self.ctx.experiment.main and { kind = self.main.kind, trains = self.main.trains, target = self.main.target }
      or nil,
  }
end

-- Take over what snapshot gave, and the script's state. The trainer has been restored.
function Loop:resume(snapshot, state)
  self.written, self.rows = snapshot.written, snapshot.rows
  if not self.columns then self.logged = snapshot.logged end -- else the file knows, and may know later ones
  self.last_logged, self.stopped, self.stream_at = snapshot.last_logged, snapshot.stopped, snapshot.stream_at
  self.open_steps = snapshot.open_steps
  if self.plateau then self.plateau.best, self.plateau.waited = snapshot.plateau.best, snapshot.plateau.waited end
  self.resumed = { main = snapshot.main, state = state }
  self.mid_way = true
end

-- The trainers whose states belong to it.
function Loop:trainers()
  return { self.trainer }
end

-- Write a checkpoint, where a run can go on from here. A script's main must be able to find its way back (handle.lua).
function Loop:keep()
  if not self.keeper or self.ctx.experiment.main and not require("rnnlab.handle").can_resume(self) then return end
  self.kept = self.keeper:write(self)
end

-- One slice of training. Returns the reason and the epochs done.
function Loop:advance(target, singly)
  local trainer = self.trainer
  if self.ctx.data.stream then
    local reason = self.ctx.box:call(self.stream_epoch, self)
    return reason, trainer:epoch()
  end
  if self.keeper then target = self.keeper:until_epoch(target) end
  return self.ctx.box:call(trainer.run, trainer, singly and trainer:epoch() + 1 or target, slice)
end

-- Train until `target` epochs are done. Returns "epochs", "stopped", "interrupted" or "diverged".
function Loop:train(target)
  local trainer = self.trainer
  local singly = self.ctx.experiment.on_epoch or self.told or self.rate or self.plateau -- something is done after each
  if self.rate and not self.mid_way then self:adjust_rate(trainer:epoch()) end -- else it is set already
  self.mid_way = nil
  local reason, epoch = "epochs", trainer:epoch()
  local last_write = core.host.monotonic()
  core.stop_hold(hold)
  while epoch < target and not self.stopped do
    local before = epoch
    reason, epoch = self:advance(target, singly)
    if reason == "diverged" then break end
    if singly and epoch > before then self:after_epoch(epoch) end
    local now = core.host.monotonic()
    if not singly or now - last_write >= flush_after then
      self:write_rows()
      last_write = now
    end
    if epoch > 0 then self.progress:update(epoch, self:last_loss(), trainer:seconds()) end
    if reason == "stopped" then self.stopped = true end
    if reason == "interrupted" then break end
    if self.keeper and self.keeper:due(epoch) then self:keep() end
  end
  core.stop_hold(self.main and self.main.kind == "safe" and hold or nil)
  if reason == "interrupted" then self:keep() end
  self:write_rows()
  return reason == "time" and "epochs" or reason
end

-- Train until `target` epochs are done, and on the way tell how it goes to whoever set `watch`: after every epoch that
-- watch.next(epoch) names, watch.tell(epoch) is called; where it returns true, or watch.over() does, the reason is
-- "pruned".
function Loop:train_watched(target)
  if not self.watch then return self:train(target) end
  while true do
    if self.watch.over() then return "pruned" end
    local epoch = self.trainer:epoch()
    local reason = self:train(math.min(target, math.max(epoch + 1, self.watch.next(epoch))))
    local ended = reason ~= "epochs" or self.stopped
    if ended or self.trainer:epoch() >= target then return reason end
    if self.watch.tell(self.trainer:epoch()) then return "pruned" end
  end
end

-- Put the best weights back, where early stopping kept them.
function Loop:restore_best()
  local epoch, value = self.trainer:restore_best()
  if not epoch then return end
  self.best = { epoch = epoch, value = value }
end

-- The whole of it. Returns the run's status: finished, interrupted or diverged. Errors of the script's
-- callbacks come out as errors, with what was trained so far in metrics.csv.
function Loop:go()
  local ctx = self.ctx
  self.handle = require("rnnlab.handle").new(self)
  if self.resumed and not ctx.experiment.main then self.handle.state, self.handle.resumed = self.resumed.state, true end
  local ok, problem = pcall(function()
    if ctx.experiment.main then
      require("rnnlab.handle").begin_main(self.handle, self)
      local passed, why = pcall(ctx.box.call, ctx.box, ctx.experiment.main, ctx.p, self.handle)
      if not passed and self.reason ~= "diverged" and self.reason ~= "interrupted" and self.reason ~= "pruned" then
        error(why, 0)
      end
      if self.open_steps then self.trainer:end_epoch() end
      return self.reason or "epochs"
    end
    self.reason = self:train_watched(self.settings.epochs)
  end)
  self.progress:clear()
  core.stop_hold()
  if not ok then
    if core.stop_requested() then
      self.reason = "interrupted"
    else
      pcall(self.write_rows, self)
      error(problem, 0)
    end
  end
  if core.stop_requested() then
    if ok and self.reason ~= "interrupted" and not ctx.experiment.main then self:keep() end -- all epochs are done
    self.reason = "interrupted"
    core.stop_acknowledge()
  end
  self:write_rows()
  if self.keeper and self.reason == "epochs" and not self.stopped and not ctx.experiment.main then
    self.keeper:write_last(self)
  end
  self:restore_best()
  if self.reason == "interrupted" or self.reason == "diverged" or self.reason == "pruned" then return self.reason end
  return "finished"
end

return training
