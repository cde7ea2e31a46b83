-- rnnlab.report.own owns the part a script adds: `report = function(r) ... end` of its experiment, read again from the
-- run's own copy in the sandbox. What goes wrong there is told in the report, with the script's line; the rest stays.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local experiment = require "rnnlab.experiment"
local face = require "rnnlab.face"
local figures = require "rnnlab.figure"
local gather = require "rnnlab.report.gather"
local params = require "rnnlab.params"
local plain = require "rnnlab.report.plain"
local sandbox = require "rnnlab.sandbox"
local text = require "rnnlab.text"

local own = {}

local Report = {}
Report.__index = Report
Report.__name = "rnnlab.report"
Report.__metatable = false

local function wanted(value, kinds, what)
  for kind in kinds:gmatch "%a+" do
    if type(value) == kind then return value end
  end
  error(("%s must be a %s, not %s"):format(what, (kinds:gsub(" ", " or a ")),
    value == nil and "nil" or "a " .. type(value)), 3)
end

local function to_text(value, what)
  return tostring(wanted(value, "string number boolean", what))
end

-- r:section(title [, level])
function Report:section(title, level)
  if level ~= nil and level ~= 1 and level ~= 2 then error("section: the level is 1 or 2", 2) end
  self.doc:section(to_text(title, "a section's title"), level or 1)
  return self
end

-- r:text(...): strings, numbers, and { code = "..." }, { strong = "..." }, { number =, deviation =, n = }
function Report:text(...)
  local list = table.pack(...)
  local spans = {}
  for i = 1, list.n do
    local value = list[i]
    if type(value) == "table" then
      local given = value.code or value.strong
      if type(value.number) == "number" then
        spans[i] = { number = value.number, deviation = tonumber(value.deviation) }
      elseif given ~= nil then
        spans[i] = { [value.code ~= nil and "code" or "strong"] = to_text(given, "text") }
      else
        error("text: a table is { code = ... }, { strong = ... } or { number = ..., deviation = ... }", 2)
      end
    elseif math.type(value) == "float" then
      spans[i] = { number = value }
    else
      spans[i] = to_text(value, "text")
    end
  end
  self.doc:text(table.unpack(spans))
  return self
end

-- r:code(text [, language])
function Report:code(s, language)
  self.doc:code(to_text(s, "code"), language and plain.slug(language) or nil)
  return self
end

-- r:list{ "...", ... }
function Report:list(items)
  wanted(items, "table", "a list")
  local list = {}
  for i, item in ipairs(items) do
    list[i] = to_text(item, ("item %d of the list"):format(i))
  end
  self.doc:list(list)
  return self
end

local function table_cell(value, i, k)
  if type(value) == "number" then return { number = value } end
  if type(value) == "table" and type(value.number) == "number" then
    return { number = value.number, deviation = tonumber(value.deviation), strong = value.strong and true or nil }
  end
  if type(value) == "table" and value.text ~= nil then
    return { text = tostring(value.text), strong = value.strong and true or nil, code = value.code and true or nil }
  end
  if value == nil then return "" end
  if type(value) == "string" or type(value) == "boolean" then return tostring(value) end
  error(("table: row %d, column %d is a %s; a string, a number or { number =, deviation = } is expected"):format(i, k,
    type(value)), 3)
end

-- r:table{ columns = { "cell", "loss" }, rows = { { "elman", .79 } }, caption = "..." }
function Report:table(t)
  wanted(t, "table", "a table's description")
  wanted(t.columns, "table", "table: columns")
  wanted(t.rows, "table", "table: rows")
  if #t.columns == 0 then error("table: there is no column", 2) end
  local columns, rows, numeric = {}, {}, {}
  for i, row in ipairs(t.rows) do
    wanted(row, "table", ("table: row %d"):format(i))
    rows[i] = {}
    for k = 1, #t.columns do
      local value = row[k]
      rows[i][k] = table_cell(value, i, k)
      if numeric[k] == nil then numeric[k] = true end
      if value ~= nil and type(rows[i][k]) ~= "table" or type(rows[i][k]) == "table" and not rows[i][k].number then
        numeric[k] = false
      end
    end
  end
  for k, name in ipairs(t.columns) do
    columns[k] = { name = to_text(name, ("table: column %d"):format(k)), align = numeric[k] and "right" or "left" }
  end
  self.doc:table { columns = columns, rows = rows, sortable = #rows > 8,
    caption = t.caption ~= nil and to_text(t.caption, "table: the caption") or nil }
  return self
end

-- r:figure(figure, caption): what r.figure and r.plot make, or a description as core.plot.write takes
function Report:figure(description, caption)
  wanted(description, "table", "a figure's description")
  local copy = {}
  if figures.is(description) then
    copy = figures.describe(description)
    caption = caption or copy.caption
  else
    for key, value in pairs(description) do
      copy[key] = value
    end
  end
  copy.name = ("own-%d-%s"):format(self.state.drawn + 1, plain.slug(copy.name or "figure"))
  caption = to_text(caption or copy.title or "", "figure: the caption")
  self.state.drawn = self.state.drawn + 1
  local files, problem = core.plot.write({ copy }, self.state.folder(), self.state.formats)
  local figure = { name = copy.name, caption = caption, alt = caption }
  for _, file in ipairs(files or {}) do
    figure[file:match "%.(%w+)$"] = self.state.folder() .. "/" .. file
  end
  if next(files or {}) then
    self.doc:figure(figure)
  else
    self.doc:note(("The figure %s was not drawn: %s"):format(copy.name, tostring(problem)))
  end
  return self
end

-- r:caption("loss", "..."): the caption of a standard figure of these runs
function Report:caption(kind, caption)
  kind, caption = to_text(kind, "caption: the figure"), to_text(caption, "caption")
  for _, run in ipairs(self.state.runs) do
    run.captions = run.captions or {}
    run.captions[kind] = plain.line(caption)
  end
  return self
end

-- What the script sees of a run.
local function seen(run)
  local copy = { name = run.name, status = run.status, seed = run.seed, epochs = run.epochs, network = run.network,
    weights = run.weights, params = {}, metrics = {} }
  for _, key in ipairs { "params", "metrics" } do
    for name, value in pairs(run[key]) do
      copy[key][name] = value
    end
  end
  function copy.history() -- metrics.csv: { epoch = {...}, loss = {...} }
    local metrics = core.store.metrics(run.dir)
    local columns = { epoch = metrics and metrics.epochs or {} }
    for name, values in pairs(metrics and metrics.values or {}) do
      columns[name] = values
    end
    return columns
  end
  function copy.predictions() -- predictions.npz: tensors by name; nil where there are none
    local path = run.dir .. "/predictions.npz"
    if not core.host.exists(path) then return nil end
    return (core.format.load_npz(path))
  end
  return copy
end

-- What the script sees of a sweep: a copy of its plain data.
local function seen_sweep(sweep)
  local function copy(value)
    if type(value) ~= "table" then return value end
    local own_copy = {}
    for key, inner in pairs(value) do
      own_copy[key] = copy(inner)
    end
    return own_copy
  end
  return { name = sweep.name, objective = copy(sweep.objective), trials = copy(sweep.trials), repeats = sweep.repeats,
    best = sweep.best }
end

-- A trial knows what was swept; the script sees every parameter it had.
local function complete(run, declared, sweep)
  local words, fixed = {}, (sweep.options or {}).fixed
  for i, override in ipairs(type(fixed) == "table" and fixed or {}) do
    words[i] = tostring(override)
  end
  for _, name in ipairs(text.sorted_keys(run.params)) do
    words[#words + 1] = name .. "=" .. gather.value_text(run.params[name])
  end
  local ok, resolved = pcall(params.resolve, declared, words)
  if ok then run.params = resolved.shown end
end

-- Ask the script of `runs` (all of one script) for its sections. Returns a function that adds them to a document, or
-- nil where the script has none; and the error it ended with, in one line.
local function ask(runs, doc, state, sweep)
  local run = runs[1]
  local path = run.dir .. "/script.lua"
  if not core.host.exists(path) then return nil end
  local source = core.host.read_file(path)
  if not source or not source:find("report", 1, true) then return nil end -- most have none: they are not read again
  local seed = math.tointeger(run.seed) or 1
  local box = sandbox.new { script = path, seed = seed, print = function() end }
  box.public = face.new(function(load_) return box:loader(load_) end)
  local ok, problem = pcall(function()
    core.set_default_dtype(run.params.dtype == "float64" and "float64" or "float32")
    require("rnnlab.nn").set_stream(core.rng(seed, "init"), seed)
    local value = box:run()
    if not experiment.is(value) then errors.failure("%s returns no experiment", path) end
    if not value.report then return end
    params.order(value.declared, box.bytes)
    if sweep then complete(runs[1], value.declared, sweep) end
    local r = setmetatable({ doc = doc, state = state, params = seen(run).params, runs = {} }, Report)
    for i, each in ipairs(runs) do
      r.runs[i] = seen(each)
    end
    r.run, r.sweep = r.runs[1], sweep and seen_sweep(sweep) or nil
    state.runs = runs
    box:call(value.report, r)
  end)
  core.set_default_dtype "float32"
  if ok then return nil end
  if core.stop_requested() then error(problem, 0) end
  return text.one_line(errors.is(problem) and problem.message or tostring(problem))
end

--- Add what the scripts of these runs have to say. state: { formats =, folder = function() }. Returns the errors, each
--- a line. sweep: the runs stand for it.
function own.write(doc, runs, state, sweep)
  state.drawn = state.drawn or 0
  local order, by_script, problems = {}, {}, {}
  for _, run in ipairs(runs) do
    local key = type(run.record.sha256) == "table" and tostring(run.record.sha256.script) or run.dir
    if not by_script[key] then
      by_script[key] = {}
      order[#order + 1] = by_script[key]
    end
    table.insert(by_script[key], run)
  end
  for _, list in ipairs(order) do
    local problem = ask(list, doc, state, sweep)
    if problem then
      problems[#problems + 1] = problem
      doc:note({ strong = "The script's own part of this report stopped here: " }, problem)
    end
  end
  return problems
end

own.seen = seen
own.gather = gather
return own
