-- rnnlab.training owns the loop of a run: slices of C training with the script's callbacks, the rows of
-- metrics.csv and the progress bar between them.
local core = require "rnnlab.core"
local params = require "rnnlab.params"

local training = {}

local slice = .08      -- seconds a C call trains before the bar and the file are looked after
local flush_after = .5 -- seconds rows of a script with on_epoch wait at most

local Loop = {}
Loop.__index = Loop

-- ctx: from prepare, built. run: the open run. progress: made with ctx's number of epochs.
function training.new(ctx, run, settings, progress)
  local loop = setmetatable({ ctx = ctx, run = run, settings = settings, progress = progress,
    written = 0, rows = {}, columns = nil, logged = {}, status = "finished" }, Loop)
  local data = ctx.data
  loop.trainer = ctx.box:call(core.trainer, {
    record = ctx:step(), params = ctx:tensors(),
    x = data.train.x, y = data.train.y, val = data.val,
    optimizer = settings.optimizer, clip_norm = settings.clip_norm, clip_value = settings.clip_value,
    batch_size = settings.batch_size, shuffle = settings.shuffle, seed = ctx.seed,
  })
  return loop
end

local function finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end
training.finite = finite

local function last_loss(trainer)
  local epoch = trainer:epoch()
  return epoch > 0 and trainer:losses(epoch)[1] or nil
end

local function last_val_loss(trainer)
  local epoch = trainer:epoch()
  return epoch > 0 and trainer:val_losses(epoch)[1] or nil
end

-- ---- metrics.csv --------------------------------------------------------------------------------

-- Begin metrics.csv, with the columns known by now.
function Loop:open_metrics()
  if self.columns then return end
  self.columns = { "loss" }
  if self.ctx.data.val then self.columns[2] = "val_loss" end
  for _, name in ipairs(self.logged) do
    self.columns[#self.columns + 1] = name
  end
  self.run:metrics(self.columns)
end

-- Write the epochs trained since the last time. Without columns of the script's own they go as packed bytes.
function Loop:write_rows()
  self:open_metrics()
  local from = self.written
  if #self.logged == 0 and not self.ctx.data.val then
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
    for _, name in ipairs(self.logged) do
      local value = own[name]
      row[#row + 1] = value == nil and false or value
    end
    rows[#rows + 1] = row
    self.rows[epoch] = nil
    self.written = epoch
  end
  if #rows > 0 then self.run:append(rows) end
end

-- What on_epoch logs: numbers by name, a column each. The columns are decided when the first rows are
-- written; what main logs after that is kept in run.json alone, its last value.
function Loop:log(epoch, values)
  if type(values) ~= "table" then
    error(("run:log takes a table of numbers, not a %s"):format(type(values)), 0)
  end
  local row = self.rows[epoch] or {}
  self.rows[epoch] = row
  for name, value in pairs(values) do
    if type(name) ~= "string" or not name:find "^[%a_][%w_.%-]*$" or name == "epoch" or name == "loss"
      or name == "val_loss" then
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
    if not known and not (self.columns and self.ctx.experiment.main) then
      if self.columns then
        error(("run:log: '%s' comes after metrics.csv was begun; log every name from the first epoch on")
          :format(name), 0)
      end
      self.logged[#self.logged + 1] = name
      table.sort(self.logged)
    end
    row[name] = value
  end
  self.last_logged = row
end

-- ---- the loop -----------------------------------------------------------------------------------

-- Train until `target` epochs are done. Returns "epochs", "interrupted" or "diverged".
function Loop:train(target)
  local trainer, on_epoch = self.trainer, self.ctx.experiment.on_epoch
  local reason, epoch = "epochs", trainer:epoch()
  local last_write = core.host.monotonic()
  while epoch < target and not self.stopped do
    reason, epoch = self.ctx.box:call(trainer.run, trainer, on_epoch and epoch + 1 or target, slice)
    if reason == "diverged" then break end
    if on_epoch and reason == "epochs" then
      self.handle.epoch, self.handle.loss = epoch, last_loss(trainer)
      self.handle.val_loss = self.ctx.data.val and last_val_loss(trainer) or nil
      self.ctx.box:call(on_epoch, self.handle)
    end
    local now = core.host.monotonic()
    if not on_epoch or now - last_write >= flush_after then
      self:write_rows()
      last_write = now
    end
    if epoch > 0 then self.progress:update(epoch, last_loss(trainer), trainer:seconds()) end
    if reason == "interrupted" then break end
  end
  self:write_rows()
  return reason
end

-- The `run` that on_epoch and main are given. It holds no way to the run's files but log.
function Loop:make_handle()
  local loop, trainer = self, self.trainer
  local handle = { epoch = 0, state = {}, model = self.ctx.model, data = self.ctx.data,
    params = self.ctx.p }
  function handle.log(_, values)
    loop:log(math.max(1, trainer:epoch()), values)
  end
  -- No more epochs after this one.
  function handle.stop()
    loop.stopped = true
  end
  -- Train so many epochs more (main's own loop); the loss of the last one.
  function handle.train(_, epochs)
    local more = params.integer(epochs or 1, "run:train: the number of epochs", 0)
    loop.reason = loop:train(trainer:epoch() + more)
    handle.epoch, handle.loss = trainer:epoch(), last_loss(trainer)
    if loop.reason ~= "epochs" then
      error(loop, 0) -- ends main; the runner knows why
    end
    return handle.loss
  end
  -- The loss on x and y with the weights as they are, and the prediction.
  function handle.evaluate(_, x, y)
    return trainer:evaluate(x, y)
  end
  return handle
end

-- The whole of it. Returns the run's status: finished, interrupted or diverged. Errors of the script's
-- callbacks come out as errors, with what was trained so far in metrics.csv.
function Loop:go()
  local ctx = self.ctx
  self.handle = self:make_handle()
  local ok, problem = pcall(function()
    if ctx.experiment.main then
      local passed, why = pcall(ctx.box.call, ctx.box, ctx.experiment.main, ctx.p, self.handle)
      if not passed and self.reason ~= "diverged" and self.reason ~= "interrupted" then error(why, 0) end
      return self.reason or "epochs"
    end
    self.reason = self:train(self.settings.epochs)
  end)
  self.progress:clear()
  if not ok then
    if core.stop_requested() then
      self.reason = "interrupted"
    else
      pcall(self.write_rows, self)
      error(problem, 0)
    end
  end
  if core.stop_requested() then
    self.reason = "interrupted"
    core.stop_acknowledge()
  end
  self:write_rows()
  if self.reason == "interrupted" or self.reason == "diverged" then return self.reason end
  return "finished"
end

return training
