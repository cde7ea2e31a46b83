-- rnnlab.ensemble owns a run of several models of one architecture side by side: `models = K`, or a list of tables of
-- parameters, one a model. Model k is bitwise the one that `rnnlab run` with seed = seed + k - 1 (and its parameters)
-- trains alone on the same data.
--
-- metrics.csv has the mean, the least and the largest loss over the models; models.npz every model's curve;
-- models.safetensors all weights, "1.weight_ih" and so on. The best model (by val_loss, else loss) is the run's,
-- with its weights in model.safetensors and its predictions in predictions.npz.
local core = require "rnnlab.core"
local nn = require "rnnlab.nn"
local training = require "rnnlab.training"

local ensemble = {}

local slice = .08 -- seconds a C call trains before the bar and the file are looked after

-- ---- making -------------------------------------------------------------------------------------

-- The parameters of a member: those of the run, with its own values and its own seed.
local function with(p, own, seed)
  local copy = {}
  for name, value in pairs(p) do
    copy[name] = value
  end
  for name, value in pairs(own) do
    if rawget(p, name) == nil then error(("models: there is no parameter '%s'"):format(tostring(name)), 0) end
    if name == "data_seed" or name == "dtype" or name == "epochs" or name == "threads" or name == "show" then
      error(("models: %s is the same for all of them"):format(name), 0)
    end
    if type(value) ~= type(rawget(p, name)) then
      error(("models: %s is a %s and must be a %s"):format(name, type(value), type(rawget(p, name))), 0)
    end
    copy[name] = value
  end
  copy.seed = own.seed or seed
  return setmetatable(copy, { __metatable = false, __index = function(_, name)
    error(("no parameter '%s'"):format(tostring(name)), 2)
  end })
end

-- The members of a context: { model =, parameters =, p =, settings =, own =, seed = }. models: a number, or a list of
-- tables.
function ensemble.members(ctx, models)
  local e, list = ctx.experiment, {}
  if type(e.model) ~= "function" then
    error("models: several models need model = function(p) ... end, which makes them", 0)
  end
  for k = 1, type(models) == "table" and #models or models do
    local own = type(models) == "table" and models[k] or {}
    if type(own) ~= "table" then error(("models: entry %d must be a table, not a %s"):format(k, type(own)), 0) end
    local p = with(ctx.p, own, ctx.seed + k - 1)
    nn.set_stream(core.rng(p.seed, "init"), p.seed)
    local model = ctx.box:call(e.build_model, e, p, function(f, ...) return ctx.box:call(f, ...) end)
    local settings = ctx.box:call(e.training, e, p)
    list[k] = { model = model, p = p, own = own, seed = p.seed, settings = settings,
      parameters = ctx.box:call(function() return model:parameters() end) }
  end
  return list
end

-- ---- the loop -----------------------------------------------------------------------------------

local Loop = {}
Loop.__index = Loop

local function check(ctx, settings)
  local e = ctx.experiment
  local stopping, schedule = settings.early_stopping, settings.schedule
  for what, there in pairs { on_epoch = e.on_epoch, main = e.main, analysis = e.analysis, norms = settings.norms,
    ["a stream"] = ctx.data.stream, ["a schedule that follows the epochs in Lua"] = type(schedule) == "function"
      or type(schedule) == "table" and schedule.kind == "plateau",
    ["a metric of the script's for early stopping"] = stopping and stopping.metric ~= "loss"
      and stopping.metric ~= "val_loss" } do
    if there then error(("models: %s does not go with several models"):format(what), 0) end
  end
end

-- As training.new.
function ensemble.new(ctx, run, settings, progress)
  check(ctx, settings)
  local loop = setmetatable({ ctx = ctx, run = run, settings = settings, progress = progress, members = ctx.members,
    written = 0 }, Loop)
  local trainers = {}
  for k, member in ipairs(loop.members) do
    member.trainer = ctx.box:call(core.trainer, (training.spec(ctx, member.settings, member)))
    ctx.box:call(member.trainer.prepare, member.trainer)
    trainers[k] = member.trainer
  end
  loop.ensemble = core.ensemble(trainers, settings.threads or 1)
  loop.trainer = loop:facade()
  return loop
end

-- What the runner asks of a trainer, of all of them.
function Loop:facade()
  local loop, facade = self, {}
  function facade.epoch() return loop:epochs() end
  function facade.converged() end -- each may have; their results tell
  function facade.seconds() return loop.ensemble:seconds() end
  function facade.evaluate(_, part) return loop.best_member.trainer:evaluate(part) end
  function facade.losses_packed() return loop.best_member and loop.best_member.trainer:losses_packed() or "" end
  return facade
end

-- Epochs that every model still training has done.
function Loop:epochs()
  local least, most
  local reasons = self.ensemble:reasons()
  for k, member in ipairs(self.members) do
    local epoch = member.trainer:epoch()
    most = math.max(most or 0, epoch)
    if reasons[k] ~= "diverged" and reasons[k] ~= "stopped" then least = math.min(least or epoch, epoch) end
  end
  return least or most
end

-- The losses of all models from an epoch on: a list of lists. A model that stopped early keeps its last loss, one that
-- diverged is left out from there on.
function Loop:curves(kind, from, to)
  local reasons, curves = self.ensemble:reasons(), {}
  for k, member in ipairs(self.members) do
    local values = member.trainer[kind](member.trainer, from)
    local done = member.trainer:epoch()
    if reasons[k] == "stopped" and done < to then
      local last = values[#values] or member.trainer[kind](member.trainer, done)[1]
      for epoch = math.max(done + 1, from), to do
        values[epoch - from + 1] = last
      end
    end
    curves[k] = values
  end
  return curves
end

local function mean_and_range(curves, i)
  local sum, n, least, most = 0, 0, math.huge, -math.huge
  for _, values in ipairs(curves) do
    local value = values[i]
    if value then
      sum, n = sum + value, n + 1
      least, most = math.min(least, value), math.max(most, value)
    end
  end
  if n == 0 then return end
  return sum / n, least, most
end

-- Write the epochs done since the last time. The file is begun even where there are none, unless only_rows.
function Loop:write_rows(only_rows)
  local val = self.ctx.data.val ~= nil
  if only_rows and self:epochs() <= self.written then return end
  if not self.columns then
    self.columns = { "loss", "loss_min", "loss_max", val and "val_loss" or nil }
    self.run:metrics(self.columns)
  end
  local from, to = self.written + 1, self:epochs()
  if to < from then return end
  local losses = self:curves("losses", from, to)
  local val_losses = val and self:curves("val_losses", from, to)
  local rows = {}
  for i = 1, to - from + 1 do
    local mean, least, most = mean_and_range(losses, i)
    rows[i] = { from + i - 1, mean or false, least or false, most or false }
    if val then rows[i][5] = mean_and_range(val_losses, i) or false end
    self.mean = mean
  end
  self.run:append(rows)
  self.written = to
end

-- The losses after training, the best model, and their mean and deviation.
function Loop:judge()
  local reasons, results, metrics = self.ensemble:reasons(), {}, {}
  local best, n, sum, squares = nil, 0, 0, 0
  local data = self.ctx.data
  for k, member in ipairs(self.members) do
    local result = { seed = member.seed, epochs = member.trainer:epoch(),
      params = next(member.own) and member.own or nil,
      converged = member.trainer:converged() or nil,
      status = reasons[k] == "diverged" and "diverged" or "finished" }
    if reasons[k] ~= "diverged" then
      result.best_epoch = member.trainer:restore_best()
      local loss = member.trainer:evaluate(data.train)
      local judged = loss
      if data.val then
        judged = member.trainer:evaluate(data.val)
        result.val_loss = training.finite(judged) and judged or nil
      end
      if training.finite(loss) then
        result.loss = loss
        n, sum, squares = n + 1, sum + loss, squares + loss * loss
      end
      if training.finite(judged) and (not best or judged < best.judged) then
        best = { judged = judged, member = member, number = k }
      end
    end
    results[k] = result
  end
  if best then
    metrics.best_model = best.number
    metrics.loss_mean = sum / n
    if n > 1 then metrics.loss_sd = math.sqrt(math.max(0, (squares - sum * sum / n) / (n - 1))) end
  end
  return best and best.member, metrics, results
end

-- All curves and all weights.
function Loop:save()
  local dir, epochs, tensors, curves = self.run:dir(), self:epochs(), {}, {}
  for k, member in ipairs(self.members) do
    for _, parameter in ipairs(member.parameters) do
      tensors[#tensors + 1] = { k .. "." .. parameter.name, parameter.tensor:detach() }
    end
    local values = member.trainer:losses()
    for epoch = 1, epochs do
      values[epoch] = values[epoch] or 0 / 0
    end
    curves[k] = table.move(values, 1, epochs, 1, {})
  end
  core.format.save_safetensors(dir .. "/models.safetensors", tensors, { network = self.ctx:network() })
  if epochs > 0 then core.format.save_npz(dir .. "/models.npz", { { "loss", core.tensor(curves, "float64") } }) end
end

-- Is any model still on its way to `target`?
function Loop:training(target)
  local reasons = self.ensemble:reasons()
  for k, member in ipairs(self.members) do
    if reasons[k] ~= "diverged" and reasons[k] ~= "stopped" and member.trainer:epoch() < target then return true end
  end
  return false
end

-- What a checkpoint has of the loop beside its trainers; see checkpoint.lua.
function Loop:snapshot()
  return { epoch = self:epochs(), written = self.written, reasons = self.ensemble:reasons(),
    seconds = self.ensemble:seconds(), mean = self.mean }
end

-- Take over the columns of a metrics.csv that was begun before.
function Loop:take_columns(columns)
  self.columns = columns
end

-- Take over what snapshot gave. The trainers have been restored.
function Loop:resume(snapshot)
  self.written, self.mean = snapshot.written, snapshot.mean
  self.ensemble:resume(snapshot.reasons, snapshot.seconds)
end

-- The trainers whose states belong to it.
function Loop:trainers()
  local list = {}
  for k, member in ipairs(self.members) do
    list[k] = member.trainer
  end
  return list
end

-- The whole of it; as training's.
function Loop:go()
  local target, reason = self.settings.epochs
  local last_write = core.host.monotonic()
  repeat
    reason = self.ensemble:run(self.keeper and self.keeper:until_epoch(target) or target, slice)
    if reason == "epochs" and self:epochs() < target and self:training(target) then reason = "time" end
    local now = core.host.monotonic()
    if reason ~= "time" or now - last_write >= 1 then
      self:write_rows()
      last_write = now
    end
    local epoch = self:epochs()
    if epoch > 0 then self.progress:update(epoch, self.mean or 0 / 0, self.ensemble:seconds()) end
    if self.keeper and (core.stop_requested() or reason == "time" and self.keeper:due(epoch)) then
      self.kept = self.keeper:write(self)
    end
  until reason ~= "time"
  self.progress:clear()
  self:write_rows()
  if core.stop_requested() then
    reason = "interrupted"
    core.stop_acknowledge()
  elseif self.keeper and reason == "epochs" then
    self.keeper:write_last(self)
  end
  local results
  self.best_member, self.last_logged, results = self:judge()
  self:save()
  self.run:note { models = core.json.array(results) }
  if not self.best_member then
    self.best_member = self.members[1]
    return "diverged"
  end
  self.ctx.model, self.ctx.parameters = self.best_member.model, self.best_member.parameters
  return reason == "interrupted" and reason or "finished"
end

return ensemble
