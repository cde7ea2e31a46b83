-- rnnlab.plotting owns figures from stored data: what `rnnlab run` draws at its end and `rnnlab plot` later, from
-- run.json, metrics.csv and predictions.npz alone.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local figures = require "rnnlab.figures"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local plotting = {}

plotting.kinds = require("rnnlab.experiment").figures

local function check_kinds(kinds)
  for _, kind in ipairs(kinds) do
    local known = false
    for _, candidate in ipairs(plotting.kinds) do
      known = known or kind == candidate
    end
    if not known then
      errors.usage("no figure '%s'%s (there is %s)", text.one_line(tostring(kind)),
        text.did_you_mean(tostring(kind), plotting.kinds), text.list(plotting.kinds))
    end
  end
end

-- "elman 3-5-2 · adam, lr 0.01"
local function subtitle_of(record)
  local parts = { record.network }
  local training = record.training
  if training and training.optimizer then
    parts[#parts + 1] = ("%s, lr %s"):format(training.optimizer.kind, text.value(training.optimizer.lr))
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

-- Target and predicted of sequence `show`, an entry an output; nil where the run has none.
local function predictions_of(dir, show)
  local path = dir .. "/predictions.npz"
  if not core.host.exists(path) then return nil end
  local tensors = core.format.load_npz(path)
  if not tensors.predicted then return nil end
  local batch = tensors.predicted:size(1)
  if show > batch then
    errors.usage("show=%d: there %s %s to show", show, batch == 1 and "is" or "are", text.count(batch, "sequence"))
  end
  local predicted, target = tensors.predicted:select(1, show), tensors.target:select(1, show)
  local outputs = {}
  for k = 1, predicted:size(2) do
    outputs[k] = { label = "y" .. k, predicted = predicted:select(2, k):tolist(),
      target = target:select(2, k):tolist() }
  end
  return outputs, batch > 1 and show or nil
end

-- What figures.lua draws from, read from the run's folder.
local function load_run(found, show, kinds)
  local record, wanted = found.record, {}
  for _, kind in ipairs(kinds) do
    wanted[kind] = true
  end
  local run = { name = found.name, title = record.title, subtitle = subtitle_of(record),
    loss = record.training and record.training.loss }
  if wanted.loss then
    local metrics = core.store.metrics(found.dir)
    if metrics then
      run.metrics = { epoch = metrics.epochs, loss = metrics.values.loss, val_loss = metrics.values.val_loss }
    end
  end
  if wanted.prediction then
    run.predictions, run.sequence = predictions_of(found.dir, show)
  end
  return run
end

-- The figures of a stored run (from core.store.open) into its folder. Returns the files' names inside the run's
-- folder and, where not all could be drawn, why.
function plotting.draw(found, show, kinds)
  kinds = kinds and #kinds > 0 and kinds or plotting.kinds
  check_kinds(kinds)
  local list = figures.standard(load_run(found, show, kinds))
  if #list == 0 then return {} end
  local files, problem = core.plot.write(list, found.dir .. "/figures")
  for i, file in ipairs(files or {}) do
    files[i] = "figures/" .. file
  end
  return files or {}, problem
end

-- The same as text, for a terminal: the learning curve, or the kinds asked for.
function plotting.preview(found, show, kinds)
  kinds = kinds and #kinds > 0 and kinds or { "loss" }
  check_kinds(kinds)
  local run = load_run(found, show, kinds)
  local options = { width = math.max(24, math.min(core.host.columns(), 80)), color = core.host.color(1) }
  local charts = {}
  for _, kind in ipairs(kinds) do
    local description
    if kind == "loss" then
      description = figures.preview_loss(run, options)
    else
      description = figures.preview_prediction(run, 1, options)
    end
    if description then charts[#charts + 1] = core.plot.preview(description) end
  end
  return table.concat(charts, "\n")
end

-- show=3 of the command line.
local function show_of(overrides)
  local pairs_ = params.split(overrides)
  for _, pair in ipairs(pairs_) do
    if pair.key ~= "show" then
      errors.usage("plot knows show=N, the sequence to draw; not '%s'", pair.key)
    end
  end
  return #pairs_ > 0 and params.reserved(overrides).show or nil
end

-- Old figures that are still there, then the new ones.
local function merged(found, files)
  local list, seen = {}, {}
  for _, file in ipairs(found.record.figures or {}) do
    if not seen[file] and core.host.exists(found.dir .. "/" .. file) then
      list[#list + 1], seen[file] = file, true
    end
  end
  for _, file in ipairs(files) do
    if not seen[file] then list[#list + 1] = file end
  end
  return list
end

-- "results/a-1/figures/loss.svg .png .pdf", a line a figure.
function plotting.lines(dir, files)
  local lines, by_stem = {}, {}
  for _, file in ipairs(files) do
    local stem, ending = file:match "^(.*)(%.[^.]+)$"
    if by_stem[stem] then
      lines[by_stem[stem]] = lines[by_stem[stem]] .. " " .. ending
    else
      lines[#lines + 1] = dir .. "/" .. file
      by_stem[stem] = #lines
    end
  end
  return lines
end

-- rnnlab plot. options: run, kinds, overrides (show=N), results, json, quiet, preview. Returns the exit code.
function plotting.plot(options)
  local results = options.results or "results"
  local show = show_of(options.overrides)
  check_kinds(options.kinds or {})
  local found = core.store.open(results, options.run)
  show = show or found.record.params and found.record.params.show or 1
  if options.preview and not options.json and not options.quiet then
    io.stdout:write(plotting.preview(found, show, options.kinds))
    io.stdout:flush()
  end
  local files, problem = plotting.draw(found, show, options.kinds)
  if #files == 0 then
    errors.failure("%s", problem or found.name .. " has nothing to draw: no predictions and no losses")
  end
  if problem then io.stderr:write("rnnlab: ", text.one_line(problem), "\n") end
  local warning = core.store.update(results, found.dir, { figures = core.json.array(merged(found, files)) })
  if warning then io.stderr:write("rnnlab: ", text.one_line(warning), "\n") end
  if options.json then
    local paths = {}
    for i, file in ipairs(files) do
      paths[i] = found.dir .. "/" .. file
    end
    io.stdout:write(core.json.encode { run = found.name, dir = found.dir, figures = core.json.array(paths) }, "\n")
  elseif not options.quiet then
    io.stdout:write(table.concat(plotting.lines(found.dir, files), "\n"), "\n")
  end
  return 0
end

return plotting
