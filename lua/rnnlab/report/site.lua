-- rnnlab.report.site owns `rnnlab report --all -o SITE/`: a page for each run and sweep, and an index of them with
-- small learning curves. What each page was made from is kept in SITE/rnnlab-site.json, so that only what has changed
-- is written again. Nothing outside SITE is written but figures that a run lacks.
local core = require "rnnlab.core"
local document = require "rnnlab.report.document"
local entries = require "rnnlab.report.entries"
local errors = require "rnnlab.errors"
local gather = require "rnnlab.report.gather"
local html = require "rnnlab.report.html"
local runs_ = require "rnnlab.report.runs"
local text = require "rnnlab.text"

local site = {}

local MANIFEST = "rnnlab-site.json"
local POINTS = 90 -- of a small curve

local function warn(format, ...)
  io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n")
end

-- The beginning of a file, "" where there is none.
local function head_of(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local bytes = file:read(4096) or ""
  file:close()
  return bytes
end

local function is_ours(path)
  return head_of(path):find('<meta name="generator" content="rnnlab ', 1, true) ~= nil
end

local function read_manifest(folder)
  local bytes = core.host.read_file(folder .. "/" .. MANIFEST)
  local ok, manifest = pcall(core.json.decode, bytes or "{}")
  local pages = ok and type(manifest) == "table" and type(manifest.pages) == "table" and manifest.pages or {}
  return pages
end

-- A name that is a file inside the folder and nothing else.
local function is_plain(name)
  return type(name) == "string" and name:find "^%w[%w._-]*$" ~= nil and name ~= "index"
end

-- ---- what stands in the index -------------------------------------------------------------------------

local function points_of(list)
  local points = {}
  for i, p in ipairs(type(list) == "table" and list or {}) do
    local x, y = core.json.number(p[1]), core.json.number(p[2])
    if not (x and y) then return nil end
    points[i] = { x, y }
  end
  return #points > 1 and points or nil
end

local function arrays(points)
  if not points then return nil end
  local list = {}
  for i, p in ipairs(points) do
    list[i] = core.json.array { p[1], p[2] }
  end
  return core.json.array(list)
end

local function run_card(run, page)
  local lines = { runs_.status_cell(run.status) }
  if run.network then lines[#lines + 1] = tostring(run.network) end
  for _, name in ipairs { "loss", "val_loss", "accuracy" } do
    if run.metrics[name] then
      lines[#lines + 1] = { number = run.metrics[name], label = name }
    end
  end
  if type(run.record.started) == "string" then
    lines[#lines + 1] = run.record.started:sub(1, 16):gsub("T", " ")
  end
  local spark, main, val = {}, points_of(page.loss), points_of(page.val_loss)
  if val then spark[#spark + 1] = { points = val, class = "two" } end
  if main then spark[#spark + 1] = { points = main } end
  return { name = run.name, href = run.name .. ".html", lines = lines, spark = #spark > 0 and spark or nil,
    alt = "learning curve of " .. run.name }
end

local function sweep_card(name, page)
  local lines = { runs_.status_cell(tostring(page.status or "")), tostring(page.counts or "") }
  local value = core.json.number(page.best)
  if value then
    lines[#lines + 1] = { number = value, deviation = core.json.number(page.deviation),
      label = tostring(page.objective) }
  end
  if type(page.started) == "string" then lines[#lines + 1] = page.started:sub(1, 16):gsub("T", " ") end
  local spark, all, line = {}, points_of(page.trials), points_of(page.line)
  if all then spark[1] = { points = all, dots = true } end
  if line then spark[#spark + 1] = { points = line } end
  return { name = name, href = name .. ".html", lines = lines, spark = #spark > 0 and spark or nil,
    alt = "values of the trials of " .. name .. ", and the best so far" }
end

-- ---- the pages ------------------------------------------------------------------------------------------

-- What a page is made from, as one word: it is written again where this differs.
local function fingerprint(dir, list)
  local parts = { core.version, html.policy() }
  for _, name in ipairs(list) do
    parts[#parts + 1] = core.host.read_file(dir .. "/" .. name) or ""
  end
  return core.host.sha256(table.concat(parts, "\0"))
end

local function one_run(report, folder, results, found, before)
  local path = ("%s/%s.html"):format(folder, found.name)
  local print_ = fingerprint(found.dir, { "run.json", "script.lua" })
  local same = before and before.fingerprint == print_ and found.record.status ~= "running" and is_ours(path)
  if same then return before, false end
  local run = entries.with_figures(results, found)
  local problems = report.file(path, "html", function(state) return entries.of_runs({ run }, nil, state) end)
  return { fingerprint = fingerprint(found.dir, { "run.json", "script.lua" }),
    loss = arrays(gather.curve(found.dir, "loss", POINTS)),
    val_loss = arrays(gather.curve(found.dir, "val_loss", POINTS)),
    problems = core.json.array(problems) }, true
end

-- At most POINTS of a list, the last among them.
local function thinned(points)
  if #points <= POINTS then return points end
  local list = {}
  for i = 1, POINTS do
    list[i] = points[math.ceil(i * #points / POINTS)]
  end
  return list
end

local function one_sweep(report, folder, summary, before)
  local name, dir, journals = tostring(summary.sweep), tostring(summary.dir), { "sweep.json", "script.lua" }
  local path = ("%s/%s.html"):format(folder, name)
  local slots = core.sweep.journal_slots(dir)
  table.sort(slots)
  for _, slot in ipairs(slots) do
    journals[#journals + 1] = ("journal-%d.jsonl"):format(slot)
  end
  local print_ = fingerprint(dir, journals)
  if before and before.fingerprint == print_ and summary.status ~= "running" and is_ours(path) then
    return before, false
  end
  local trials_ = require "rnnlab.report.trials"
  local sweep = entries.sweep_at(dir).sweep
  local problems = report.file(path, "html", function(state) return entries.of_sweep(sweep, nil, state) end)
  local best, all, line = trials_.ranked(sweep)[1], trials_.history(sweep)
  best = best and best.values[1] or {}
  return { fingerprint = print_, status = sweep.status, counts = gather.counts_text(sweep.trials), best = best.number,
    deviation = best.deviation, objective = sweep.objective[1].name, started = sweep.record.started,
    trials = arrays(thinned(all)), line = arrays(thinned(line)), problems = core.json.array(problems) }, true
end

local function index_document(runs, cards, sweep_cards, results)
  local doc = document.new("Runs", ("everything in %s"):format(results))
  local items = {}
  if #sweep_cards > 0 then items[1] = { "sweeps", text.thousands(#sweep_cards) } end
  items[#items + 1] = { "runs", text.thousands(#runs) }
  if #runs > 0 then items[#items + 1] = { "ended", gather.counts_text(runs) } end
  doc:facts(items)
  if #sweep_cards > 0 then
    doc:section "Sweeps"
    doc:cards(sweep_cards)
  end
  doc:section "Runs, the latest first"
  if #cards == 0 then doc:text "There is no run yet." else doc:cards(cards) end
  return doc
end

--- options as of the command: output, results, title, json, quiet. Returns the exit code.
function site.write(options)
  local report = require "rnnlab.report"
  local folder, results = options.output:gsub("/+$", ""), options.results or "results"
  if folder == "" then errors.usage("-o %s: a folder of its own is expected", options.output) end
  if core.host.exists(folder) and not core.host.is_folder(folder) then
    errors.usage("-o %s is a file; --all writes a folder", text.one_line(folder))
  end
  local index = folder .. "/index.html"
  if core.host.exists(index) and not is_ours(index) then
    errors.usage("%s is not one of rnnlab's; give a folder of its own", text.one_line(index))
  end
  local summaries, warnings = core.store.list(results, { sweeps = true })
  if warnings and warnings ~= "" then
    for line in warnings:gmatch "[^\n]+" do
      warn("%s", line)
    end
  end
  core.host.make_folder(folder)
  local before, pages, runs, cards, sweeps, written = read_manifest(folder), {}, {}, {}, {}, 0
  local problems = {}
  local function keep(name, page, new)
    pages[name] = page
    if new then written = written + 1 end
    for _, problem in ipairs(type(page.problems) == "table" and page.problems or {}) do
      problems[#problems + 1] = tostring(problem)
    end
  end
  local function one(summary)
    if summary.sweep then
      if not is_plain(summary.sweep) then return end
      local page, new = one_sweep(report, folder, summary, before[summary.sweep])
      keep(summary.sweep, page, new)
      sweeps[#sweeps + 1] = sweep_card(summary.sweep, page)
      return
    end
    local found = core.store.open(results, summary.dir)
    if not is_plain(found.name) then return end
    local page, new = one_run(report, folder, results, found, before[found.name])
    keep(found.name, page, new)
    runs[#runs + 1] = gather.run(found)
    cards[#cards + 1] = run_card(runs[#runs], page)
  end
  for i = #summaries, 1, -1 do
    local ok, problem = pcall(one, summaries[i])
    if not ok then
      if core.stop_requested() then error(problem, 0) end
      problems[#problems + 1] = ("%s: %s"):format(tostring(summaries[i].run or summaries[i].sweep),
        tostring(errors.is(problem) and problem.message or problem))
    end
  end
  for name in pairs(before) do -- pages of runs that are no more
    if not pages[name] and is_plain(name) and is_ours(("%s/%s.html"):format(folder, name)) then
      os.remove(("%s/%s.html"):format(folder, name))
    end
  end
  core.host.write_file(index, html.render(index_document(runs, cards, sweeps, results)))
  core.host.write_file(folder .. "/" .. MANIFEST, core.json.encode({ rnnlab = core.version, pages = pages }, {
    indent = 1 }))
  if options.json then
    io.stdout:write(core.json.encode { report = index, format = "site", runs = #runs, sweeps = #sweeps,
      written = written,
      problems = core.json.array(problems) }, "\n")
  elseif not options.quiet then
    io.stdout:write(("%s: %s%s, %d written\n"):format(index, text.count(#runs, "run"),
      #sweeps > 0 and " and " .. text.count(#sweeps, "sweep") or "", written))
  end
  for _, problem in ipairs(problems) do
    warn("%s", problem)
  end
  return #problems > 0 and 1 or 0
end

return site
