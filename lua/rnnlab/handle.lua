-- rnnlab.handle owns the `run` that on_epoch and main are given: training by the epoch or by the step, evaluating, and
-- looking inside. It holds no way to the run's files but log.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local data = require "rnnlab.data"
local params = require "rnnlab.params"
local plain = require "rnnlab.plain"
local text = require "rnnlab.text"

local handle = {}

local hold = 5 -- seconds a main with run:checkpoint() has to reach the next one once a signal came
local parts = { "train", "val", "test" }

-- A part of the data: one of the run's by its name, or a table of tensors.
local function part_of(loop, given, what)
  if type(given) == "string" then
    local part = loop.ctx.data[given]
    if not part or given == "stream" then
      error(("%s: there is no part '%s'%s (data has train, val and test)"):format(what, given,
        text.did_you_mean(given, parts)), 0)
    end
    return part
  end
  return data.part(given, what, loop.ctx.p.dtype, true)
end

-- ---- a main that was stopped --------------------------------------------------------------------
--
-- A function cannot be entered in its midst: a main is run from its beginning again. There are two ways in which it
-- gets back to where it was (loop.main, which a checkpoint keeps):
--
--   kind = "start"   it has only called run:train (set_lr, log and reading run's fields are fine, too). Run again, the
--                    calls of run:train that were over return at once. What main would see of the model at those
--                    places is lost, so once it looks (run:evaluate, run.model, ...) or steps by hand, no checkpoint
--                    is written any more; the last one before that stands.
--   kind = "safe"    it calls run:checkpoint() where run.state says all that it needs to find its place. Run again,
--                    run.resumed is true and run.state is what it was there. A run:train under way when the run
--                    stopped is finished by the first run:train after that.

local function main_of(loop)
  loop.main = loop.main or { kind = "start", trains = 0 }
  return loop.main
end

-- Main did what cannot be skipped when it is run again.
local function looked(loop, what)
  if not loop.ctx.experiment.main or loop.training then return end
  if loop.replay then
    error(("this run cannot go on: main comes to %s before epoch %d, which it did not when the run was started")
      :format(what, loop.trainer:epoch()), 0)
  end
  main_of(loop).looked = true
end

-- Where main stands as a text: run.state and how far math.random was drawn; nil where run.state cannot be kept.
local function place_text(run, loop)
  local passed, encoded = pcall(plain.encode, { run.state, loop.ctx.box.stream }, {}, "run.state")
  return passed and encoded or nil
end

-- May a checkpoint be written here, inside run:train?
function handle.can_resume(loop)
  local main = main_of(loop)
  if main.looked or not loop.training then return false end
  if main.kind == "start" then return main.trains <= 1 or not loop.ctx.experiment.on_epoch end
  return main.unmoved
end

-- Train up to an epoch, as a part of main.
local function train_until(run, loop, target)
  local main = main_of(loop)
  main.trains, main.target = main.trains + 1, target
  main.unmoved = main.kind == "safe" and loop.keeper ~= nil and main.text ~= nil and main.text == place_text(run, loop)
  loop.training = true
  local passed, reason = pcall(loop.train_watched, loop, target)
  loop.training = false
  if not passed then error(reason, 0) end
  main.target = nil
  main.looked = main.looked or main.kind == "safe" -- until the next run:checkpoint()
  return reason
end

-- run:train of a main that is run again: true where it is one that was over when the run stopped.
local function skip(run, loop, epochs)
  local replay = loop.replay
  replay.call = replay.call + 1
  replay.epoch = math.min(replay.epoch + epochs, loop.trainer:epoch())
  if replay.call < replay.trains then
    run.epoch, run.loss, run.val_loss = replay.epoch, loop:loss_at(replay.epoch), loop:val_loss_at(replay.epoch)
    return true
  end
  loop.replay = nil
  loop.main = { kind = "start", trains = replay.trains - 1 }
  local state = loop.resumed.state -- as on_epoch left it
  if type(state) ~= "table" or type(run.state) ~= "table" then
    run.state = state
    return false
  end
  for key in pairs(run.state) do
    run.state[key] = nil
  end
  for key, value in pairs(state) do
    run.state[key] = value
  end
  return false
end

-- Begin main: for the first time, or again.
function handle.begin_main(run, loop)
  local before = loop.resumed and loop.resumed.main
  if not before then return end
  if before.kind == "start" then
    loop.replay = { call = 0, epoch = 0, trains = before.trains, target = before.target }
    return
  end
  run.resumed, run.state = true, loop.resumed.state
  loop.main = { kind = "safe", trains = 0, finish = before.target, text = place_text(run, loop) }
  run.epoch, run.loss, run.val_loss = loop.trainer:epoch(), loop:last_loss(), loop:last_val_loss()
  core.stop_hold(hold)
end

-- Training by hand and by the epoch, as parts of main.
local function add_training(run, loop)
  local trainer = loop.trainer
  local function ended(reason)
    loop.reason = reason
    run.epoch, run.loss, run.val_loss = trainer:epoch(), loop:last_loss(), loop:last_val_loss()
    if reason == "diverged" or reason == "interrupted" or reason == "pruned" then
      error(loop, 0) -- ends main; the runner knows why
    end
  end
  -- No more epochs after this one.
  function run.stop()
    loop.stopped = true
  end
  -- Train so many epochs more; the loss of the last one.
  function run.train(_, epochs)
    local more = params.integer(epochs or 1, "run:train: the number of epochs", 0)
    if loop.open_steps then run:end_epoch() end
    local target = trainer:epoch() + more
    if loop.replay then
      local under_way = loop.replay.target
      if skip(run, loop, more) then return run.loss end
      target = under_way
    end
    local main = main_of(loop)
    if main.finish then target, main.finish = main.finish, nil end
    ended(train_until(run, loop, target))
    return run.loss
  end
  -- A place main finds again by run.state: a checkpoint is written where one is due, and a stop that was asked for
  -- happens here.
  function run.checkpoint()
    if not loop.ctx.experiment.main then error("run:checkpoint is for main; on_epoch needs none", 0) end
    if loop.training then error("run:checkpoint is for main, not for on_epoch within it", 0) end
    if loop.replay then looked(loop, "run:checkpoint") end
    loop.main = { kind = "safe", trains = 0, text = place_text(run, loop) }
    core.stop_hold(hold)
    local stop = core.stop_requested()
    if loop.keeper and (stop or loop.keeper:due(trainer:epoch())) then loop.kept = loop.keeper:write(loop) end
    if stop then ended "interrupted" end
  end
  -- One step on a batch of one's own; its loss before the update.
  function run.step(_, batch)
    looked(loop, "run:step")
    local loss = trainer:step(part_of(loop, batch, "run:step"))
    loop.open_steps = true
    if loss ~= loss or loss == math.huge or loss == -math.huge then ended "diverged" end
    return loss
  end
  -- The steps since the last epoch's end become an epoch: a row of metrics.csv. Its loss is their mean.
  function run.end_epoch()
    looked(loop, "run:end_epoch")
    local reason = trainer:end_epoch()
    loop.open_steps = false
    if reason == "stopped" then loop.stopped = true end
    ended "epochs"
    loop:write_rows()
    loop.progress:update(run.epoch, run.loss, trainer:seconds())
    return run.loss
  end
  -- A stateful network's next batch begins anew.
  function run.reset_states()
    looked(loop, "run:reset_states")
    trainer:reset_states()
  end
  -- The batches of a part, one epoch of them, in the order the run's own loop would take: for batch in
  -- run:batches("train", 32) do ... end. shuffle: default as the run's.
  function run.batches(_, part, size, shuffle)
    looked(loop, "run:batches")
    part = part_of(loop, part or "train", "run:batches")
    local n = part.x:size(1)
    size = math.min(n, params.integer(size or loop.settings.batch_size or n, "run:batches: the size", 1))
    if shuffle == nil then shuffle = loop.settings.shuffle end
    local order
    if shuffle and size < n then order = core.rng(loop.ctx.seed, "shuffle", trainer:epoch()):permutation(n) end
    local at = 0
    return function()
      if at >= n then return nil end
      local count, batch = math.min(size, n - at), {}
      for name, tensor in pairs(part) do
        batch[name] = order and tensor:index(1, table.move(order, at + 1, at + count, 1, {}))
          or tensor:narrow(1, at + 1, count)
      end
      at = at + count
      return batch
    end
  end
end

-- States of one layer by name, as the layer saw them in its last forward pass.
local function seen_by(layer)
  local states = {}
  for name, tensor in pairs(layer.seen or { h = layer.h }) do
    states[name] = tensor:detach()
  end
  return states
end

-- Run the model on x, where context.inspect is set: for each recurrent layer { name, kind, hidden, states }.
function handle.inspect(model, x)
  core.no_grad(function() model:forward(x) end)
  local layers, list = type(model.recurrent_layers) == "function" and model:recurrent_layers() or { model }, {}
  for i, layer in ipairs(layers) do
    list[i] = { name = layer.name, kind = layer.kind, hidden = layer.n_hidden, states = seen_by(layer) }
  end
  return list
end

local function add_inspection(run, loop)
  local ctx, trainer = loop.ctx, loop.trainer
  -- Loss and prediction with the weights as they are: evaluate(x, y), evaluate("val"), or a part.
  function run.evaluate(_, x, y)
    looked(loop, "run:evaluate")
    if y ~= nil then return trainer:evaluate(x, y) end
    return trainer:evaluate(part_of(loop, x, "run:evaluate"))
  end
  -- Name -> the gradient of the last step, as clipped; a copy.
  function run.gradients()
    looked(loop, "run:gradients")
    local list = {}
    for _, parameter in ipairs(ctx.parameters) do
      local gradient = parameter.tensor:grad()
      list[parameter.name] = gradient and gradient:clone()
    end
    return list
  end
  -- Name -> the parameter, a copy.
  function run.parameters()
    looked(loop, "run:parameters")
    local list = {}
    for _, parameter in ipairs(ctx.parameters) do
      list[parameter.name] = parameter.tensor:detach():clone()
    end
    return list
  end
  -- What every recurrent layer computes for x, or for a part with lengths: layer -> name -> (batch, time, size).
  -- A layer is called by its name, else by its number in the model.
  function run.states(_, x)
    looked(loop, "run:states")
    local part = core.is_tensor(x) and { x = x } or type(x) == "string" and part_of(loop, x, "run:states") or x
    if type(part) ~= "table" or not core.is_tensor(part.x) then
      error("run:states takes a tensor (batch, time, feature), the name of a part, or a part", 0)
    end
    local list = {}
    local _ <close> = context.enter { lengths = part.lengths, mask = part.mask, extra = part, inspect = true }
    for i, layer in ipairs(handle.inspect(ctx.model, part.x)) do
      list[layer.name or i] = layer.states
    end
    return list
  end
end

-- loop: from training.lua.
function handle.new(loop)
  local ctx = loop.ctx
  local run = setmetatable({ epoch = 0, state = {}, data = ctx.data, params = ctx.p, resumed = false }, {
    __metatable = false,
    __index = function(_, key)
      if key ~= "model" then return nil end
      looked(loop, "run.model")
      return ctx.model
    end,
  })
  function run.log(_, values)
    loop:log(math.max(1, loop.trainer:epoch()), values)
  end
  -- The learning rate of the last step; set_lr: of those from now on, where no schedule sets it.
  function run.lr()
    looked(loop, "run:lr")
    return loop.trainer:lr()
  end
  function run.set_lr(_, lr)
    if loop.replay then return end -- the checkpoint has the rate
    loop.trainer:set_lr(lr)
  end
  add_training(run, loop)
  add_inspection(run, loop)
  return run
end

return handle
