-- rnnlab.plotting owns figures from stored data: what `rnnlab run` draws at its end and `rnnlab plot` later, from the
-- run's folder alone.
local core = require "rnnlab.core"
local data = require "rnnlab.figure_data"
local errors = require "rnnlab.errors"
local figure = require "rnnlab.figure"
local figures = require "rnnlab.figures"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local plotting = {}

plotting.standard = require("rnnlab.experiment").figures
plotting.kinds = require("rnnlab.experiment").all_figures

local function includes(list, word)
  for _, candidate in ipairs(list) do
    if candidate == word then return true end
  end
  return false
end

-- ---- which figures -------------------------------------------------------------------------------

-- What an experiment's `figures` asks for: the standard ones come by themselves (those it names, where it names any),
-- then what else it lists, then its own functions by their names.
function plotting.asked(figures_)
  if figures_ == false then return {}, {} end
  local kinds, own, others, named = {}, {}, {}, false
  for _, kind in ipairs(type(figures_) == "table" and figures_ or {}) do
    if includes(plotting.standard, kind) then kinds[#kinds + 1], named = kind, true else others[#others + 1] = kind end
  end
  if not named then
    for i, kind in ipairs(plotting.standard) do
      kinds[i] = kind
    end
  end
  table.move(others, 1, #others, #kinds + 1, kinds)
  for _, name in ipairs(type(figures_) == "table" and text.sorted_keys(figures_) or {}) do
    if type(name) == "string" then
      own[name] = figures_[name]
      kinds[#kinds + 1] = name
    end
  end
  return kinds, own
end

-- Does the run's copy of the script say anything about figures? Most do not, and are not read again.
local function speaks_of_figures(found)
  local path = found.dir .. "/script.lua"
  local source = core.host.exists(path) and core.host.read_file(path)
  return source and source:find("figures", 1, true) ~= nil
end

-- The kinds to draw and the script's own functions by name. kinds nil: what the script asks for.
local function choose(run, kinds)
  local unknown = false
  for _, kind in ipairs(kinds or {}) do
    unknown = unknown or not includes(plotting.kinds, kind)
  end
  local asked, own = plotting.standard, {}
  if (not kinds or unknown) and (run.live or speaks_of_figures(run.found)) then
    local ok, ctx = pcall(run.experiment, run)
    if ok then asked, own = plotting.asked(ctx.experiment.figures)
    elseif unknown then error(ctx, 0) end
  end
  if not kinds then return asked, own end
  local known = { table.unpack(plotting.kinds) }
  for _, name in ipairs(text.sorted_keys(own)) do
    known[#known + 1] = name
  end
  for _, kind in ipairs(kinds) do
    if not includes(known, kind) then
      errors.usage("no figure '%s'%s (there is %s)", text.one_line(tostring(kind)),
        text.did_you_mean(tostring(kind), known), text.list(known))
    end
  end
  return kinds, own
end

-- ---- describing them -----------------------------------------------------------------------------

-- One of the script's own: a figure, a description, or a list of such.
local function describe_own(run, name, make)
  local ctx = run:experiment()
  local made = ctx.box:call(make, run:for_script())
  local list = {}
  local many = type(made) == "table" and not figure.is(made) and made[1] ~= nil
  for i, one in ipairs(many and made or { made }) do
    local stem = many and ("%s-%d"):format(name, i) or name
    if figure.is(one) then
      list[#list + 1] = figure.describe(one, stem)
    elseif type(one) == "table" and type(one.panels) == "table" then
      local copy = {}
      for key, value in pairs(one) do
        copy[key] = value
      end
      copy.name = copy.name or stem
      list[#list + 1] = copy
    else
      errors.failure("the experiment's figures.%s returned %s; it must return r.figure{...}", name,
        made == nil and "nothing" or "a " .. type(one))
    end
  end
  return list
end

local makers = {}

-- The learning curves.
function makers.loss(run)
  return figures.loss { name = run.name, title = run.title, subtitle = run.subtitle, loss = run.loss,
    metrics = run:metrics() }, "it has no losses"
end

-- Target and predicted of one sequence.
function makers.prediction(run)
  local predictions, sequence = run:predictions()
  return figures.prediction { name = run.name, title = run.title, predictions = predictions, sequence = sequence },
    "it has no predictions over time"
end

-- Whatever else there is: figures of the network.
local function of_model(kind)
  return function(run)
    local model = require "rnnlab.figures_model"
    local given = { title = run.title }
    if kind == "weights" then
      given.weights = run:weights()
      if not given.weights then return nil, "it has no model.safetensors" end
    elseif kind == "spectrum" then
      given.spectra = run:spectra()
    else
      given.layers, given.paths, given.sequence = run:states()
      if not given.layers then return nil, "its inputs are not stored" end
      if kind == "pca" then given.fixed_points = run:fixed_points() end
    end
    local made, why = model[kind](given)
    return made and figure.describe(made, kind), why
  end
end
for _, kind in ipairs(require("rnnlab.figures_model").kinds) do
  makers[kind] = of_model(kind)
end

-- Descriptions of the kinds, and what hindered the others: { kind, message }.
local function describe(run, kinds, own)
  local list, problems = {}, {}
  for _, kind in ipairs(kinds) do
    local ok, made, why
    if own[kind] then
      ok, made = pcall(describe_own, run, kind, own[kind])
      if ok then table.move(made, 1, #made, #list + 1, list) end
    else
      ok, made, why = pcall(makers[kind], run)
      if ok and made then list[#list + 1] = made
      elseif ok then problems[#problems + 1] = { kind = kind, message = why, nothing = true } end
    end
    if not ok then
      if core.stop_requested() or errors.is(made) and made.exit == 2 then error(made, 0) end
      problems[#problems + 1] = { kind = kind,
        message = text.one_line(errors.is(made) and made.message or tostring(made)) }
    end
  end
  return list, problems
end

-- Draw descriptions into a folder: files' names and, where not all could be drawn, why. A wrong description is told and
-- does not hinder the others.
local function write(list, folder, formats)
  local ok, files, problem = pcall(core.plot.write, list, folder, formats)
  if ok then return files or {}, problem end
  if #list == 1 then return {}, ("figure \"%s\": %s"):format(tostring(list[1].name), text.one_line(tostring(files))) end
  local all, first = {}, nil
  for _, one in ipairs(list) do
    local drawn, why = write({ one }, folder, formats)
    table.move(drawn, 1, #drawn, #all + 1, all)
    first = first or why
  end
  return all, first
end

-- The figures of a stored run (from core.store.open) into its folder, or into options.folder. options: ctx (the living
-- run's), formats, folder. Returns the files' names (inside the run's folder, or as they open from here) and, where not
-- all could be drawn, why.
function plotting.draw(found, show, kinds, options)
  options = options or {}
  local run = data.new(found, show, options.ctx)
  local chosen, own = choose(run, kinds and #kinds > 0 and kinds or nil)
  local list, problems = describe(run, chosen, own)
  local problem
  for _, entry in ipairs(problems) do
    local asked = kinds and #kinds > 0 or not includes(plotting.standard, entry.kind) -- standard ones may be missing
    if not (entry.nothing and not asked) then
      problem = problem or ("no figure %s: %s"):format(entry.kind, entry.message)
    end
  end
  if #list == 0 then return {}, problem end
  local files, why = write(list, options.folder or found.dir .. "/figures", options.formats)
  for i, file in ipairs(files) do
    files[i] = (options.folder and options.folder .. "/" or "figures/") .. file
  end
  return files, why or problem
end

-- The same as text, for a terminal: the learning curve, or the kinds asked for.
function plotting.preview(found, show, kinds, ctx)
  local run = data.new(found, show, ctx)
  local chosen, own = choose(run, kinds and #kinds > 0 and kinds or { "loss" })
  local options = { width = math.max(24, math.min(core.host.columns(), 80)), color = core.host.color(1) }
  local charts = {}
  for _, kind in ipairs(chosen) do
    local description
    if kind == "loss" then
      description = figures.preview_loss({ loss = run.loss, metrics = run:metrics() }, options)
    elseif kind == "prediction" then
      local predictions, sequence = run:predictions()
      description = figures.preview_prediction({ predictions = predictions, sequence = sequence }, 1, options)
    else
      for _, one in ipairs(describe(run, { kind }, own)) do
        charts[#charts + 1] = require("rnnlab.figure.preview").text(one, options)
      end
    end
    if description then charts[#charts + 1] = core.plot.preview(description) end
  end
  return table.concat(charts, "\n")
end

-- ---- the command ---------------------------------------------------------------------------------

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

-- "svg,pdf" -> { "svg", "pdf" }
local function formats_of(words)
  if not words then return nil end
  local known, list = { "svg", "png", "pdf", "tex" }, {}
  for word in words:gmatch "[^,%s]+" do
    if not includes(known, word) then
      errors.usage("--format %s: no format '%s'%s (there is %s)", text.one_line(words), text.one_line(word),
        text.did_you_mean(word, known), text.list(known))
    end
    list[#list + 1] = word
  end
  if #list == 0 then errors.usage("--format names no format (there is %s)", text.list(known)) end
  return list
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
      lines[#lines + 1] = dir and dir .. "/" .. file or file
      by_stem[stem] = #lines
    end
  end
  return lines
end

-- What was drawn, for a person or a program; files open from here.
local function tell(options, found, files)
  if options.json then
    io.stdout:write(core.json.encode { run = found.name, dir = found.dir, figures = core.json.array(files) }, "\n")
  elseif not options.quiet then
    io.stdout:write(table.concat(plotting.lines(nil, files), "\n"), "\n")
  end
end

-- A sweep's figures, into its folder or options.output.
local function plot_sweep(options, sweep, formats)
  local makers_ = require "rnnlab.sweep_figures"
  for _, kind in ipairs(options.kinds or {}) do
    if not includes(makers_.kinds, kind) then
      errors.usage("no figure '%s' of a sweep%s (there is %s)", text.one_line(tostring(kind)),
        text.did_you_mean(tostring(kind), makers_.kinds), text.list(makers_.kinds))
    end
  end
  local ok, shares = pcall(function() return sweep.study and sweep.study:importance() end)
  sweep.importance = ok and shares or nil
  local kinds = options.kinds and #options.kinds > 0 and options.kinds or nil
  local list, problems = makers_.describe(sweep, kinds)
  if #list == 0 then
    errors.failure("%s has nothing to draw: %s", sweep.name, problems[1] and problems[1].message or "no trials")
  end
  if options.preview and not options.json and not options.quiet then
    local look = { width = math.max(24, math.min(core.host.columns(), 80)), color = core.host.color(1) }
    for _, one in ipairs(list) do
      io.stdout:write(require("rnnlab.figure.preview").text(one, look), "\n")
    end
  end
  local folder = options.output or sweep.dir .. "/figures"
  local files, problem = write(list, folder, formats)
  if kinds and problems[1] then
    problem = problem or ("no figure %s: %s"):format(problems[1].kind, problems[1].message)
  end
  if #files == 0 then errors.failure("%s", problem) end
  if problem then io.stderr:write("rnnlab: ", text.one_line(problem), "\n") end
  for i, file in ipairs(files) do
    files[i] = folder .. "/" .. file
  end
  if options.json then
    io.stdout:write(core.json.encode { sweep = sweep.name, dir = sweep.dir, figures = core.json.array(files) }, "\n")
  else
    tell(options, sweep, files)
  end
  return problem and 1 or 0
end

-- rnnlab plot. options: run, kinds, overrides (show=N), results, format, output, json, quiet, preview. Returns the exit
-- code: 1 where a figure that was asked for could not be drawn.
function plotting.plot(options)
  local results = options.results or "results"
  local show = show_of(options.overrides)
  local formats = formats_of(options.format)
  local kinds = options.kinds and #options.kinds > 0 and options.kinds or nil
  local found, dir = require("rnnlab.report.entries").which(results, options.run)
  if dir then
    if show then errors.usage("show=N picks a run's sequence; %s is a sweep", text.one_line(options.run)) end
    return plot_sweep(options, require("rnnlab.sweeps").load(dir, true), formats)
  end
  show = show or found.record.params and found.record.params.show or 1
  if options.preview and not options.json and not options.quiet then
    io.stdout:write(plotting.preview(found, show, options.kinds))
    io.stdout:flush()
  end
  local files, problem = plotting.draw(found, show, kinds, { formats = formats, folder = options.output })
  if #files == 0 then
    errors.failure("%s", problem or found.name .. " has nothing to draw: no predictions and no losses")
  end
  if problem then io.stderr:write("rnnlab: ", text.one_line(problem), "\n") end
  if not options.output then
    local warning = core.store.update(results, found.dir, { figures = core.json.array(merged(found, files)) })
    if warning then io.stderr:write("rnnlab: ", text.one_line(warning), "\n") end
    for i, file in ipairs(files) do
      files[i] = found.dir .. "/" .. file
    end
  end
  tell(options, found, files)
  return problem and 1 or 0
end

return plotting
