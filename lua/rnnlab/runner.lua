-- rnnlab.runner owns `rnnlab run`: from a script to a closed run folder, and what is printed about it.
--
-- The order is that of docs/ARCHITECTURE.md: script, experiment, run folder, data and model, training, model and
-- predictions, figures from the stored data, run.json closed. Once the folder is open every way out closes it.
local alone = require "rnnlab.alone"
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

-- What run.json knows from the first moment. overrides, cwd and trust are what starting it again needs.
local function head_of(ctx, settings, options)
  local host = core.host.info()
  local modules = {}
  for _, module in ipairs(ctx.box.modules) do
    modules[module.name] = core.host.sha256(module.bytes)
  end
  return {
    script = ctx.script, cwd = core.host.cwd(), overrides = core.json.array { table.unpack(options.overrides or {}) },
    checkpoint_every = options.checkpoint_every, title = ctx.experiment.name, params = ctx.shown, seed = ctx.seed,
    data_seed = ctx.data_seed, dtype = ctx.p.dtype, trust = ctx.box.trust or nil,
    versions = { rnnlab = core.version, lua = _VERSION },
    host = { name = host.name, cpu = host.cpu, system = host.system, cores = host.cores },
    isa = core.kernel_info().isa,
    sweep = options.sweep, trial = options.trial,
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
  if self.options.resume then return end -- they are what it runs
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
  local model = self.ctx.model -- and what is not trained, a reservoir's weights
  for _, buffer in ipairs(type(model.buffers) == "function" and self.ctx.box:call(model.buffers, model) or {}) do
    tensors[#tensors + 1] = { buffer.name, buffer.tensor:detach() }
  end
  core.format.save_safetensors(self.dir .. "/model.safetensors", tensors, { network = self.ctx:network() })
end

-- Loss, predictions and per-output figures with the weights as they are now.
function Run:evaluate(trainer)
  local tensors = {}
  self.outputs = require("rnnlab.outcome").evaluate(self.ctx, trainer, { "train", "val", "test" }, self.metrics,
    function(prefix, part, prediction)
      tensors[#tensors + 1] = { prefix .. "x", part.x }
      tensors[#tensors + 1] = { prefix .. "target", part.y }
      tensors[#tensors + 1] = { prefix .. "predicted", prediction }
    end)
  core.format.save_npz(self.dir .. "/predictions.npz", tensors)
end

-- Figures and the preview, from what the folder holds by now.
function Run:draw(kinds)
  local plotting = require "rnnlab.plotting"
  local found = core.store.open(self.options.results, self.dir)
  local show = self.ctx.p.show
  if self.options.plot ~= false and self.ctx.experiment.figures ~= false then
    local files, problem = plotting.draw(found, show, kinds, { ctx = self.ctx })
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

-- Checkpoints while the loop trains; a run that goes on begins from the last one.
function Run:keep_checkpoints(loop)
  local checkpoint = require "rnnlab.checkpoint"
  local path, resume = self.dir .. "/" .. checkpoint.file, self.options.resume
  if self.policy then
    loop.keeper = checkpoint.keeper(path, self.policy, function(problem)
      self.progress:clear()
      warn("%s", problem)
    end)
    loop.keeper.keeps_last = true
  end
  if not resume then return end
  if #resume.columns > 0 then loop:take_columns(resume.columns) end
  if not resume.head then return end
  checkpoint.load(loop, path)
  if loop.keeper then loop.keeper.epoch = loop.trainer:epoch() end
end

-- Training, then everything that follows from it. Returns the status.
function Run:train()
  local ctx = self.ctx
  local training = require "rnnlab.training"
  local kind = ctx.members and require "rnnlab.ensemble" or training
  local loop = kind.new(ctx, self.store, self.settings, self.progress)
  self.loop = loop
  loop.began = self.began
  self:keep_checkpoints(loop)
  local status = loop:go()
  for name, value in pairs(loop.last_logged or {}) do
    self.metrics[name] = value
  end
  if loop.best then self.metrics.best_epoch = loop.best.epoch end -- whose weights these are
  self:save_model()
  if status ~= "diverged" then
    self:evaluate(loop.trainer)
    if not training.finite(self.metrics.loss) then
      status, self.metrics.loss = "diverged", nil -- the last update was the fatal one
    elseif ctx.experiment.analysis then
      require("rnnlab.analyse").run(ctx, loop.handle, self.store, self.metrics)
    end
  end
  self.metrics.best_loss = require("rnnlab.outcome").best_of(loop.trainer:losses_packed(), self.metrics.loss)
  self:draw(status == "diverged" and { "loss" } or nil)
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

-- A main without a loss: what it logs is all there is.
function Run:main_alone()
  if self.options.steps then
    errors.usage("--steps prints a forward pass; %s has a main of its own", self.ctx.script)
  end
  alone.run(self.ctx, self.store, self.metrics)
  self.said = alone.lines(self.store:name(), self.dir, self.metrics, core.host.monotonic() - self.began)
  return "finished"
end

-- ---- the whole ----------------------------------------------------------------------------------

-- Everything between the opening of the folder and its closing. Returns the status.
function Run:work()
  self:keep_sources()
  self.ctx:build()
  self:keep_sources()
  if self.ctx.model then self.store:note { network = self.ctx:network(), weights = self.ctx.weights } end
  if alone.is(self.ctx.experiment) then return self:main_alone() end
  if self.ctx.experiment.loss == nil then return self:forward() end
  if self.options.steps then
    errors.usage("--steps prints a forward pass; %s trains (its experiment has a loss)", self.ctx.script)
  end
  return self:train()
end

-- Close the folder with all that is known; self.result is what the summary is printed from.
function Run:close(status, problem)
  pcall(self.keep_sources, self) -- modules may have been required late
  local trainer = self.loop and self.loop.trainer
  local files = {}
  for i, file in ipairs(self.ctx.box.files) do
    files[i] = { path = file.path, sha256 = file.sha256 }
  end
  local epochs = trainer and trainer:epoch() or 0
  local converged = trainer and trainer:converged() or nil -- nothing is said where it has not
  self.result = {
    name = self.store:name(), dir = self.dir, status = status, metrics = self.metrics, epochs = epochs,
    converged = converged, planned = self.settings and self.settings.epochs,
    train_s = trainer and trainer:seconds() or 0,
    weights = self.ctx.weights, figures = self.figures or {}, outputs = self.outputs,
    network = self.ctx.model and self.ctx:network(),
  }
  local warning = self.store:close(status, {
    metrics = self.metrics, epochs = epochs, converged = converged, train_s = self.result.train_s,
    wall_s = core.host.monotonic() - self.began, figures = core.json.array(self.result.figures),
    error = problem,
    git = self.git and core.host.git_finish(self.git), data_files = #files > 0 and files or nil,
    blas = core.kernel_info().blas,
  })
  self.closed = true
  if warning then warn("%s", warning) end
  local keeper = self.loop and self.loop.keeper
  local put = keeper and keeper:put_last(status == "finished")
  if status == "diverged" or status == "finished" and not put then -- nothing is left to go on with
    os.remove(self.dir .. "/" .. require("rnnlab.checkpoint").file)
  end
end

local signals = { [1] = "SIGHUP", [2] = "SIGINT", [10] = "SIGUSR1", [15] = "SIGTERM" }

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

-- When checkpoints are written: as the command line says, else as the experiment does.
local function policy_of(options, settings)
  if not settings then return nil end
  if not options.checkpoint_every then return settings.checkpoint end
  local passed, policy = pcall(require("rnnlab.checkpoint").policy, options.checkpoint_every, "--checkpoint-every")
  if not passed then errors.usage("%s", policy) end
  return policy
end

-- The folder of a new run, or of one that goes on.
local function open_store(ctx, settings, options)
  local resume = options.resume
  if not resume then
    return core.store.create(options.results, ctx.title, head_of(ctx, settings, options), options.folder)
  end
  local store
  store, resume.columns = resume.open(ctx, settings)
  return store
end

-- How a run that was stopped ended, and what may be done next.
local function stopped(run, signal, status)
  local name, what = run.store:name(), signals[signal] or "signal " .. signal
  if status == "finished" then
    errors.throw(128 + signal, "%s was done when %s came; it is in %s", name, what, run.dir)
  end
  errors.throw(128 + signal, "%s: interrupted by %s; what it had is in %s; to go on: rnnlab resume %s", name, what,
    run.dir, name)
end

-- options as in the seam: script, overrides, results, json, quiet, plot, preview, trust, steps, checkpoint_every; from
-- resume.lua and verify.lua also copy and cwd (see sandbox.new), silent (the script prints nothing), and resume: { open
-- = function(ctx, settings) -> the run's folder, its columns end, head = of its checkpoint, wall_s = }.
-- Returns the exit code. Mistakes are thrown (errors.lua) and printed by the caller.
function runner.run(options)
  options.results = options.results or "results"
  local began = core.host.monotonic()
  local run
  local ctx = prepare.open { script = options.script, overrides = options.overrides, trust = options.trust,
    copy = options.copy, cwd = options.cwd,
    print = function(s)
      if options.silent then return end
      if run then run.progress:clear() end
      out(s)
    end }
  local settings = ctx.experiment.loss ~= nil
    and ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p) or nil
  local policy = policy_of(options, settings)
  local store = open_store(ctx, settings, options)
  run = setmetatable({ ctx = ctx, options = options, store = store, dir = store:dir(), settings = settings,
    policy = policy, began = began - (options.resume and options.resume.wall_s or 0), metrics = {},
    git = not options.copy and core.host.git_start((ctx.script:match "^(.*)/[^/]*$" or ".")) or nil,
    progress = require("rnnlab.progress").new(settings and settings.epochs or 0, options.quiet,
      options.live) }, Run)
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
  if stop then stopped(run, stop, status) end
  if problem then error(problem, 0) end
  if status == "diverged" then
    errors.failure("%s diverged: the loss is no longer a finite number in epoch %d; the epochs before it are in %s",
      store:name(), run.loop.trainer:epoch() + 1, run.dir)
  end
  return 0
end

-- A run folder of what a trial of a sweep trained, as `rnnlab run` would have made it, without figures. trained: { ctx,
-- settings, trainer, began, best_epoch }; options: results, folder, overrides, sweep, trial.
function runner.keep(trained, options)
  local ctx, trainer = trained.ctx, trained.trainer
  local store = core.store.create(options.results, ctx.title, head_of(ctx, trained.settings, options), options.folder)
  local run = setmetatable({ ctx = ctx, options = options, store = store, dir = store:dir(), began = trained.began,
    settings = trained.settings, metrics = {}, loop = { trainer = trainer } }, Run)
  run:keep_sources()
  store:note { network = ctx:network(), weights = ctx.weights }
  local val = ctx.data.val and trainer:val_losses()
  store:metrics(val and { "loss", "val_loss" } or { "loss" })
  local packed = trainer:losses_packed()
  if not val then
    if #packed > 0 then store:append_packed(1, packed) end
  else
    local rows = {}
    for epoch, loss in ipairs(trainer:losses()) do rows[epoch] = { epoch, loss, val[epoch] } end
    if #rows > 0 then store:append(rows) end
  end
  run.metrics.best_epoch = trained.best_epoch
  run:save_model()
  run:evaluate(trainer)
  run.metrics.best_loss = require("rnnlab.outcome").best_of(packed, run.metrics.loss)
  run:close "finished"
end

-- rnnlab check: see check.lua.
function runner.check(options)
  return require("rnnlab.check").check(options)
end

return runner
