-- rnnlab.runner owns `rnnlab run`: from a script to a closed run folder, and what is printed about it.
--
-- The order is that of docs/ARCHITECTURE.md: script, experiment, run folder, data and model, training, model and
-- predictions, figures from the stored data, run.json closed. Once the folder is open every way out closes it.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local prepare = require "rnnlab.prepare"
local text = require "rnnlab.text"

local runner = {}

local function warn(format, ...)
  io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n")
end

local function out(...)
  io.stdout:write(...) -- the program checks at its end that all of it was taken
  io.stdout:flush()
end

-- What run.json knows from the first moment.
local function head_of(ctx, settings)
  local host = core.host.info()
  local modules = {}
  for _, module in ipairs(ctx.box.modules) do
    modules[module.name] = core.host.sha256(module.bytes)
  end
  return {
    script = ctx.script, title = ctx.experiment.name, params = ctx.shown, seed = ctx.seed, data_seed = ctx.data_seed,
    dtype = ctx.p.dtype, trust = ctx.box.trust or nil,
    versions = { rnnlab = core.version, lua = _VERSION },
    host = { name = host.name, cpu = host.cpu, system = host.system, cores = host.cores },
    isa = core.kernel_info().isa,
    training = settings and { loss = select(2, ctx.experiment:criterion()), epochs = settings.epochs,
      optimizer = settings.optimizer, batch_size = settings.batch_size or nil, clip_norm = settings.clip_norm or nil,
      clip_value = settings.clip_value or nil, shuffle = settings.shuffle } or nil,
    sha256 = { script = core.host.sha256(ctx.box.bytes), modules = next(modules) and modules or nil },
  }
end

local Run = {}
Run.__index = Run

-- Copies of the script and of the modules it has required by now, as they were read.
function Run:keep_sources()
  local box = self.ctx.box
  if self.kept == nil then
    self.store:copy_text(box.bytes, "script.lua")
    self.kept = 0
  end
  for i = self.kept + 1, #box.modules do
    local module = box.modules[i]
    if module.name == "script.lua" then
      errors.failure("%s: a module cannot be called 'script'; the run keeps its script under this name", module.path)
    end
    self.store:copy_text(module.bytes, module.name)
    self.kept = i
  end
end

-- ---- the parts ----------------------------------------------------------------------------------

-- model.safetensors: the weights by name.
function Run:save_model()
  local tensors = {}
  for i, parameter in ipairs(self.ctx.parameters) do
    tensors[i] = { parameter.name, parameter.tensor:detach() }
  end
  core.format.save_safetensors(self.dir .. "/model.safetensors", tensors, { network = self.ctx:network() })
end

-- Loss, predictions and per-output figures with the weights as they are now.
function Run:evaluate(trainer)
  local ctx, metrics, tensors = self.ctx, self.metrics, {}
  for _, name in ipairs { "train", "val", "test" } do
    local part = ctx.data[name]
    if part and part.y then
      local loss, prediction = trainer:evaluate(part.x, part.y)
      local prefix = name == "train" and "" or name .. "_"
      metrics[prefix .. "loss"] = loss
      tensors[#tensors + 1] = { prefix .. "x", part.x }
      tensors[#tensors + 1] = { prefix .. "target", part.y }
      tensors[#tensors + 1] = { prefix .. "predicted", prediction }
      if name == "train" then
        self.outputs = require("rnnlab.summary").add_outputs(metrics, prediction, part.y)
        self:own_metrics(prediction, part.y)
      end
    end
  end
  core.format.save_npz(self.dir .. "/predictions.npz", tensors)
end

-- The script's metrics on the training data.
function Run:own_metrics(prediction, target)
  local own = self.ctx.experiment.metrics or {}
  for _, name in ipairs(text.sorted_keys(own)) do
    local value = self.ctx.box:call(own[name], prediction, target)
    if type(value) == "userdata" then value = value:item() end
    if type(value) ~= "number" then
      errors.failure("metric '%s' returned a %s, not a number", name, type(value))
    end
    self.metrics[name] = value
  end
end

-- Figures and the preview, from what the folder holds by now.
function Run:draw(kinds)
  local plotting = require "rnnlab.plotting"
  local found = core.store.open(self.options.results, self.dir)
  local show = self.ctx.p.show
  if self.options.plot ~= false and self.ctx.experiment.figures ~= false then
    local files, problem = plotting.draw(found, show, kinds)
    self.figures = files
    if problem then
      warn("%s: %s; once that is put right: rnnlab plot %s", #files == 0 and "no figures" or "not all figures",
        problem, found.name)
    end
  end
  if self.options.preview and not self.options.json and not self.options.quiet then
    self.preview = plotting.preview(found, show)
  end
end

local function best_of(losses_packed, last)
  local best = last or math.huge
  for i = 1, #losses_packed, 8 do
    local loss = string.unpack("d", losses_packed, i)
    if loss < best then best = loss end
  end
  return best < math.huge and best or nil
end

-- Training, then everything that follows from it. Returns the status.
function Run:train()
  local ctx = self.ctx
  local training = require "rnnlab.training"
  local loop = training.new(ctx, self.store, self.settings, self.progress)
  self.loop = loop
  local status = loop:go()
  for name, value in pairs(loop.last_logged or {}) do
    self.metrics[name] = value
  end
  self:save_model()
  if status ~= "diverged" then
    self:evaluate(loop.trainer)
    if not training.finite(self.metrics.loss) then
      status, self.metrics.loss = "diverged", nil -- the last update was the fatal one
    end
  end
  self.metrics.best_loss = best_of(loop.trainer:losses_packed(), self.metrics.loss)
  local asked = ctx.experiment.figures
  self:draw(status == "diverged" and { "loss" } or type(asked) == "table" and asked or nil)
  return status
end

-- A forward pass: printed as a table, kept as predictions.npz.
function Run:forward()
  local forward = require "rnnlab.forward"
  local ctx = self.ctx
  local y, h = forward.pass(ctx)
  forward.save(ctx, self.dir, y, h)
  self.forward_outputs = { y = y:tolist(), h = h and h:tolist() or nil }
  self.said = forward.lines(ctx, y, h, self.options.steps)
  return "finished"
end

-- ---- the whole ----------------------------------------------------------------------------------

-- Everything between the opening of the folder and its closing. Returns the status.
function Run:work()
  self:keep_sources()
  self.ctx:build()
  self:keep_sources()
  self.store:note { network = self.ctx:network(), weights = self.ctx.weights }
  if self.ctx.experiment.loss == nil then return self:forward() end
  if self.options.steps then
    errors.usage("--steps prints a forward pass; %s trains (its experiment has a loss)", self.ctx.script)
  end
  return self:train()
end

-- Close the folder with all that is known; self.result is what the summary is printed from.
function Run:close(status, problem)
  local trainer = self.loop and self.loop.trainer
  local files = {}
  for i, file in ipairs(self.ctx.box.files) do
    files[i] = { path = file.path, sha256 = file.sha256 }
  end
  local epochs = trainer and trainer:epoch() or 0
  self.result = {
    name = self.store:name(), dir = self.dir, status = status, metrics = self.metrics, epochs = epochs,
    planned = self.settings and self.settings.epochs, train_s = trainer and trainer:seconds() or 0,
    weights = self.ctx.weights, figures = self.figures or {}, outputs = self.outputs,
    network = self.ctx.model and self.ctx:network(),
  }
  local warning = self.store:close(status, {
    metrics = self.metrics, epochs = epochs, train_s = self.result.train_s,
    wall_s = core.host.monotonic() - self.began, figures = core.json.array(self.result.figures),
    error = problem,
    git = core.host.git_finish(self.git), data_files = #files > 0 and files or nil,
    blas = core.kernel_info().blas,
  })
  self.closed = true
  if warning then warn("%s", warning) end
end

local signals = { [1] = "SIGHUP", [2] = "SIGINT", [15] = "SIGTERM" }

local function print_json(options, run)
  local object = core.store.open(options.results, run.dir).summary
  if run.forward_outputs then
    object.y, object.h = run.forward_outputs.y, run.forward_outputs.h
  end
  out(core.json.encode(object), "\n")
end

-- What a person is told at the end: the table of a forward pass, or the lines about a training.
local function tell(run)
  if run.said then
    out(table.concat(run.said, "\n"), "\n")
  elseif run.result and run.result.metrics.loss then
    if run.preview then out(run.preview, "\n") end
    out(table.concat(require("rnnlab.summary").lines(run.result), "\n"), "\n")
  end
end

-- options as in the seam: script, overrides, results, json, quiet, plot, preview, trust, steps.
-- Returns the exit code. Mistakes are thrown (errors.lua) and printed by the caller.
function runner.run(options)
  options.results = options.results or "results"
  local began = core.host.monotonic()
  local run
  local ctx = prepare.open { script = options.script, overrides = options.overrides, trust = options.trust,
    print = function(s)
      if run then run.progress:clear() end
      out(s)
    end }
  local settings = ctx.experiment.loss ~= nil
    and ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p) or nil
  local store = core.store.create(options.results, ctx.title, head_of(ctx, settings))
  run = setmetatable({ ctx = ctx, options = options, store = store, dir = store:dir(), settings = settings,
    began = began, metrics = {},
    git = core.host.git_start((ctx.script:match "^(.*)/[^/]*$" or ".")),
    progress = require("rnnlab.progress").new(settings and settings.epochs or 0, options.quiet) }, Run)
  local ok, status = xpcall(run.work, errors.handler(ctx.box.sources, run.work), run)
  run.progress:clear()
  local stop = core.stop_requested()
  local problem
  if not ok then
    problem = status
    status = stop and "interrupted" or "failed"
  end
  if not run.closed then
    local closed, why = pcall(run.close, run, status, problem and not stop and problem.message or nil)
    if not closed and not problem then
      problem = errors.is(why) and why or errors.new(1, tostring(why))
    end
  end
  if options.json and run.closed then print_json(options, run) end
  if not options.json and not options.quiet then tell(run) end
  if stop then
    errors.throw(128 + stop, "%s: interrupted by %s; what it had is in %s", store:name(),
      signals[stop] or "signal " .. stop, run.dir)
  end
  if problem then error(problem, 0) end
  if status == "diverged" then
    errors.failure("%s diverged: the loss is no longer a finite number in epoch %d; the epochs before it are in %s",
      store:name(), run.loop.trainer:epoch() + 1, run.dir)
  end
  return 0
end

-- rnnlab check: see check.lua.
function runner.check(options)
  return require("rnnlab.check").check(options)
end

return runner
