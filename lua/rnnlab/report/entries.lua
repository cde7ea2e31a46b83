-- rnnlab.report.entries owns what a report is asked for: runs and sweeps found by their names, and the document that
-- comes of them.
local core = require "rnnlab.core"
local document = require "rnnlab.report.document"
local errors = require "rnnlab.errors"
local gather = require "rnnlab.report.gather"
local plain = require "rnnlab.report.plain"
local text = require "rnnlab.text"

local entries = {}


local function loss_name(groups)
  local loss = groups[1].runs[1].training.loss
  for _, group in ipairs(groups) do
    if group.runs[1].training.loss ~= loss then return "loss" end
  end
  return type(loss) == "string" and loss or "loss"
end

-- The mean over the seeds of one group's learning curves where all have the same epochs, with the smallest and largest.
local function band_of(group)
  local epochs, curves = nil, {}
  for _, run in ipairs(group.finished) do
    local ok, metrics = pcall(core.store.metrics, run.dir)
    local values = ok and metrics and metrics.values.loss
    if values and (not epochs or #values == #epochs) then
      epochs = epochs or metrics.epochs
      curves[#curves + 1] = values
    end
  end
  if #curves == 0 then return nil end
  local mean, low, high = {}, {}, {}
  for i = 1, #epochs do
    local sum, least, most = 0, math.huge, -math.huge
    for _, values in ipairs(curves) do
      sum, least, most = sum + values[i], math.min(least, values[i]), math.max(most, values[i])
    end
    mean[i], low[i], high[i] = sum / #curves, least, most
  end
  return { epochs = epochs, mean = mean, low = low, high = high, n = #curves }
end

local MOST_CURVES = 5

-- The learning curves of all groups in one figure.
local function compare(state)
  return function(doc, groups)
    local series, several, left_out = {}, false, 0
    for i, group in ipairs(groups) do
      local band = i <= MOST_CURVES and band_of(group) or nil
      if i > MOST_CURVES then left_out = left_out + 1 end
      if band then
        several = several or band.n > 1
        if band.n > 1 then
          series[#series + 1] = { kind = "band", role = i, x = band.epochs, y = band.low, y2 = band.high }
        end
        series[#series + 1] = { label = group.label, role = i, x = band.epochs, y = band.mean }
      end
    end
    if #series == 0 then return end
    local caption = ("Learning curves%s: the loss of every epoch, on a log axis%s%s."):format(
      #groups > 1 and " of each row above" or "",
      several and "; mean over the finished runs, the band from their smallest to their largest" or "",
      left_out > 0 and (", the first %d of %d"):format(MOST_CURVES, #groups) or "")
    local ok, files = pcall(core.plot.write, { { name = "comparison", title = "Learning curves", xlabel = "epoch",
      panels = { { ylabel = ("loss (%s)"):format(loss_name(groups)), log_y = true, series = series } } } },
      state.folder(), state.formats)
    if not ok or not files then return end
    local figure = { name = "comparison", caption = caption }
    for _, file in ipairs(files) do
      figure[file:match "%.(%w+)$"] = state.folder() .. "/" .. file
    end
    doc:figure(figure)
  end
end

-- A run's own figures, drawn now where it has none yet (as `rnnlab plot` would).
function entries.with_figures(results, found)
  local run = gather.run(found)
  if #run.figures > 0 or run.status == "running" then return run end
  local plotting = require "rnnlab.plotting"
  local ok, files = pcall(plotting.draw, found, run.params.show or 1)
  if ok and #files > 0 then
    core.store.update(results, found.dir, { figures = core.json.array(files) })
    return gather.run(core.store.open(results, found.dir))
  end
  return run
end

-- A document about runs; and what the scripts' own parts failed with.
function entries.of_runs(runs, title, state)
  local runs_ = require "rnnlab.report.runs"
  local doc = document.new(title or runs_.title(runs),
    #runs > 1 and text.count(#runs, "run") or runs[1].title ~= runs[1].name and runs[1].title or nil)
  local own = document.new ""
  local problems = require("rnnlab.report.own").write(own, runs, state)
  runs_.write(doc, runs, {
    own = function()
      for _, block in ipairs(own.blocks) do
        doc:add(block)
      end
    end,
    compare = compare(state),
    sources = function(run) return core.host.read_file(run.dir .. "/script.lua") end,
  })
  return doc, problems
end

-- ---- sweeps -----------------------------------------------------------------------------------------

-- Shares of importance by name, where the sweep can tell.
local function importance_of(sweep)
  local study = sweep.study
  local ok, shares = pcall(function() return study and study:importance() end)
  if not ok or type(shares) ~= "table" then return nil end
  local list = {}
  for i, space in ipairs(sweep.params) do
    local share = shares[i] or shares[space.name]
    if share then list[#list + 1] = { name = space.name, share = share } end
  end
  return list
end

-- The figures of the best trial's own run, where it was kept.
local function best_figures(sweep)
  local best = require("rnnlab.report.trials").ranked(sweep)[1]
  local blocks = {}
  for _, trial in ipairs(best and best.trials or {}) do
    local name = type(trial.run) == "string" and trial.run:match "^[%w._-]+$"
    local ok, found = pcall(core.store.open, sweep.dir, name or "")
    if name and ok and #blocks == 0 then
      for _, figure in ipairs(gather.run(found).figures) do
        blocks[#blocks + 1] = { name = ("%s-%s-%s"):format(sweep.name, name, figure.stem), svg = figure.svg,
          pdf = figure.pdf, png = figure.png, caption = ("The best configuration, trial %d: %s."):format(trial.number,
            (figure.stem:gsub("[-_]+", " "))) }
      end
    end
  end
  return blocks
end

local sweep_captions = {
  history = "The %s of every trial, and the best so far.",
  slice = "The %s against each parameter, a dot a trial.",
  contour = "The %s over the two parameters that matter most.",
  parallel = "Each trial a line over its parameters, to its %s.",
  importance = "How much each parameter matters for %s.",
  curves = "The learning curves of all trials (%s), the best emphasised.",
  repeats = "The %s of the best configurations: mean and spread over their seeds.",
  pareto = "The objectives against each other, with the Pareto front.",
}

local LARGE = 400000 -- bytes of an SVG in a page; a larger one becomes a PNG

-- Descriptions drawn into the report's folder, as figure blocks.
local function drawn(list, state)
  local blocks, descriptions = {}, {}
  for i, item in ipairs(list) do
    descriptions[i] = item.description
  end
  if #list == 0 then return blocks end
  local ok, files = pcall(core.plot.write, descriptions, state.folder(), state.formats)
  local by_name = {}
  for _, file in ipairs(ok and files or {}) do
    by_name[file:match "^(.*)%.%w+$"] = state.folder() .. "/" .. file
  end
  for _, item in ipairs(list) do
    local path = by_name[item.description.name]
    if path then
      local block = { name = item.description.name, caption = item.caption, [path:match "%.(%w+)$"] = path }
      local bytes = state.inline and block.svg and core.host.read_file(block.svg)
      if bytes and #bytes > LARGE then
        local fine, more = pcall(core.plot.write, { item.description }, state.folder(), { "png" })
        if fine and more and more[1] then
          block.png, block.svg = state.folder() .. "/" .. more[1], nil
          state.also(path)
        end
      end
      blocks[#blocks + 1] = block
    end
  end
  return blocks
end

-- The figures of a sweep, drawn into the report's folder.
local function sweep_figures(sweep, state, importance)
  local shares = {}
  for i, item in ipairs(importance or {}) do
    shares[i] = item.share
  end
  sweep.importance = importance and shares or nil
  local list, stem, objective = {}, plain.slug(sweep.name), sweep.objective[1].name
  state.stems = state.stems or {}
  while state.stems[stem] do -- long names that begin alike
    stem = stem .. "x"
  end
  state.stems[stem] = true
  for _, description in ipairs((require("rnnlab.sweep_figures").describe(sweep))) do
    local kind = description.name
    if not (kind == "parallel" and state.inline) then -- a page has its own, linked with the table
      description.name = stem .. "-" .. kind
      list[#list + 1] = { description = description,
        caption = (sweep_captions[kind] or kind .. " of %s."):format(objective) }
    end
  end
  local blocks = drawn(list, state)
  local best = best_figures(sweep)
  return table.move(best, 1, #best, #blocks + 1, blocks)
end

--- A document about one sweep; and what its script's own part failed with.
function entries.of_sweep(sweep, title, state)
  local doc = document.new(title or sweep.name, sweep.experiment)
  local own = document.new ""
  local problems = require("rnnlab.report.own").write(own, { entries.as_run(sweep) }, state, sweep)
  local importance = importance_of(sweep)
  local figures = sweep_figures(sweep, state, importance)
  require("rnnlab.report.sweep").write(doc, sweep, { importance = importance, figures = figures,
    own = function()
      for _, block in ipairs(own.blocks) do
        doc:add(block)
      end
    end,
    source = core.host.read_file(sweep.dir .. "/script.lua"),
  })
  return doc, problems
end

--- What a script's own part sees as the run of a sweep: its best trial.
function entries.as_run(sweep)
  local best = require("rnnlab.report.trials").ranked(sweep)[1]
  local trial = best and best.trials[1]
  local record = type(sweep.record) == "table" and sweep.record or {}
  return { name = sweep.name, dir = sweep.dir, status = sweep.status or "finished", record = record, training = {},
    figures = {}, params = trial and trial.params or {}, metrics = trial and trial.metrics or {},
    seed = trial and trial.seed or (sweep.options or {}).seed, epochs = trial and trial.epochs }
end

-- ---- what was asked for -------------------------------------------------------------------------------

local function sweep_at(dir)
  local sweeps = require "rnnlab.sweeps"
  local sweep = sweeps.load(dir, true)
  local ok, record = pcall(core.json.decode, core.host.read_file(dir .. "/sweep.json") or "")
  sweep.record = ok and record or {}
  return { kind = "sweep", name = sweep.name, dir = dir, sweep = sweep }
end
entries.sweep_at = sweep_at

-- The sweep that `word` means, or nil.
local function find_sweep(results, word)
  if not core.sweep or not core.sweep.open then return nil end
  local ok, handle = pcall(core.sweep.open, results, word, true)
  return ok and handle or nil
end

--- Which run (as core.store.open gives it) or which sweep's folder `word` means: found, or nil and the folder. Raises
--- where there is none.
function entries.which(results, word)
  local ok, found = pcall(core.store.open, results, word)
  local sweep = find_sweep(results, word)
  if ok and sweep and word == "last" then -- the later of the two
    local record = sweep:json()
    if tostring(record.started or "") < tostring(found.record.started or "") then sweep = nil end
  elseif ok and sweep and found.name ~= word and sweep:name() ~= word and found.dir ~= word then
    errors.failure("'%s' is the beginning of the run %s and of the sweep %s", text.one_line(word), found.name,
      sweep:name())
  elseif ok and (found.name == word or not sweep or sweep:name() ~= word) then
    sweep = nil
  end
  if sweep then return nil, sweep:dir() end
  if not ok then error(found, 0) end
  return found
end

--- The same as an entry of a report: { kind = "run" | "sweep", name, dir, found | sweep }.
function entries.find(results, word)
  local found, dir = entries.which(results, word)
  if dir then return sweep_at(dir) end
  return { kind = "run", name = found.name, dir = found.dir, found = found }
end

-- One document inside another, its sections a level down.
local function append(doc, part)
  doc:section(part.title)
  for _, block in ipairs(part.blocks) do
    if block.kind == "section" then block.level = 2 end
    doc:add(block)
  end
end

local function overview(doc, sweeps)
  local trials_ = require "rnnlab.report.trials"
  local gather_ = gather
  local rows = {}
  for i, entry in ipairs(sweeps) do
    local sweep = entry.sweep
    local ranked = trials_.ranked(sweep)
    local best = ranked[1]
    rows[i] = { { text = entry.name, code = true }, sweep.objective[1].name,
      best and { number = best.values[1].number, deviation = best.values[1].deviation } or "–",
      gather_.counts_text(sweep.trials) }
  end
  doc:table { columns = { "sweep", "objective", { name = "best", align = "right" }, "trials" }, rows = rows,
    caption = "The sweeps, with the best configuration of each." }
end

--- The document about a list of entries; and the problems of the scripts' own parts.
function entries.document(results, list, title, state)
  local runs, sweeps = {}, {}
  for _, entry in ipairs(list) do
    if entry.kind == "run" then
      runs[#runs + 1] = entries.with_figures(results, entry.found)
    else
      sweeps[#sweeps + 1] = entry
    end
  end
  if #sweeps == 0 then return entries.of_runs(runs, title, state) end
  if #sweeps == 1 and #runs == 0 then return entries.of_sweep(sweeps[1].sweep, title, state) end
  local names = {}
  for i, entry in ipairs(list) do
    names[i] = entry.name
  end
  local doc, problems = document.new(title or text.list(names)), {}
  if #sweeps > 1 then overview(doc, sweeps) end
  local function add(part, more)
    append(doc, part)
    table.move(more, 1, #more, #problems + 1, problems)
  end
  for _, entry in ipairs(sweeps) do
    add(entries.of_sweep(entry.sweep, nil, state))
  end
  if #runs > 0 then add(entries.of_runs(runs, nil, state)) end
  return doc, problems
end

return entries
