-- rnnlab.report.runs owns the document about runs: what was run, parameters, metrics over seeds, figures, what did not
-- end well, and how to run it again.
local gather = require "rnnlab.report.gather"
local text = require "rnnlab.text"

local runs_ = {}

local MOST_COLUMNS = 6 -- of metrics beside each other
local MOST_FIGURES = 8 -- of all runs together; where there are more, one run of each group shows its own

local tones = { finished = "good", running = "calm", interrupted = "calm", pruned = "calm" }

local function status_cell(status)
  return { text = status, tone = tones[status] or "bad" }
end
runs_.status_cell = status_cell

local captions = {
  prediction = function(run)
    local show = run.params.show or 1
    return ("Target and predicted outputs of %s over time, training sequence %s."):format(run.name, text.value(show))
  end,
  loss = function(run)
    local loss = run.training.loss
    local word = type(loss) == "string" and loss ~= "loss" and (" (%s)"):format(loss) or ""
    return ("Learning curve of %s: the loss%s of every epoch before its update, on a log axis."):format(run.name, word)
  end,
}

local words = {
  states = "The states of the recurrent layers over one sequence, %s.",
  gates = "The gates over one sequence, %s.",
  weights = "The weights of %s, matrix by matrix.",
  spectrum = "The eigenvalues of the recurrent matrices of %s in the unit circle.",
  pca = "The states of %s over all sequences, on their first principal components.",
}

local function caption_of(run, figure)
  local own = run.captions and run.captions[figure.stem]
  if own then return own end
  if captions[figure.stem] then return captions[figure.stem](run) end
  if words[figure.stem] then return words[figure.stem]:format(run.name) end
  local caption = (figure.stem:gsub("[-_]+", " "))
  return ("%s of %s."):format(caption:sub(1, 1):upper() .. caption:sub(2), run.name)
end

-- ---- parameters -----------------------------------------------------------------------------------

-- "elman 3-5-2, 57 weights"
local function network_text(run)
  if not run.network then return nil end
  local n = math.tointeger(run.weights)
  return n and ("%s, %s"):format(run.network, text.count(n, "weight")) or run.network
end

local function training_text(run)
  local optimizer = run.training.optimizer
  if type(optimizer) ~= "table" then return nil end
  local parts = { tostring(optimizer.kind) }
  for _, key in ipairs(text.sorted_keys(optimizer)) do
    if key ~= "kind" then parts[#parts + 1] = ("%s %s"):format(key, gather.value_text(optimizer[key])) end
  end
  return table.concat(parts, ", ")
end

local usual = { dtype = "float32", threads = 1, show = 1 }

-- "a-1, a-2 and a-3", "8 runs from a-1 on"
local function names_text(runs)
  if #runs > 4 then return ("%d runs from %s on"):format(#runs, runs[1].name) end
  local names = {}
  for i, run in ipairs(runs) do
    names[i] = run.name
  end
  return text.list(names)
end

-- In what the groups differ.
local function differences(doc, groups)
  local differ = gather.differences(groups)
  local columns, rows = { "" }, {}
  for _, name in ipairs(differ) do
    columns[#columns + 1] = { name = name, align = "right" }
  end
  columns[#columns + 1] = "runs"
  for i, group in ipairs(groups) do
    local row = { group.label }
    for k, name in ipairs(differ) do
      local value = group.params[name]
      row[k + 1] = value == nil and { text = "not there", muted = true }
        or { text = gather.value_text(value), strong = true, sort = type(value) == "number" and value or nil }
    end
    row[#differ + 2] = names_text(group.runs)
    rows[i] = row
  end
  doc:table { columns = columns, rows = rows, caption = #differ > 0 and "In these parameters the runs differ."
    or "The scripts differ; their parameters are the same." }
end

local function parameters(doc, groups)
  local _, same = gather.differences(groups)
  local rows, params = {}, groups[1].params
  for _, name in ipairs(same) do
    if #groups == 1 or not usual[name] or params[name] ~= usual[name] then
      rows[#rows + 1] = { { text = name, code = true }, { text = gather.value_text(params[name]) } }
    end
  end
  if #rows > 0 then
    doc:section "Parameters"
    doc:table { caption = #groups > 1 and "These all runs have in common." or "Parameters of the run"
      .. (#groups[1].runs > 1 and "s." or "."),
      columns = { "parameter", { name = "value", align = "right" } }, rows = rows }
  end
end

-- ---- metrics --------------------------------------------------------------------------------------

local function all_metrics(groups)
  local set = {}
  for _, group in ipairs(groups) do
    for name in pairs(group.metrics) do
      set[name] = true
    end
  end
  return gather.metric_order(set)
end

local function count_text(group)
  local n, all = #group.finished, #group.runs
  return n == all and ("%d"):format(n) or ("%d of %d"):format(n, all)
end

local function means_text(groups)
  local several = false
  for _, group in ipairs(groups) do
    several = several or #group.finished > 1
  end
  return several and "Mean ± standard deviation (n − 1) over the n finished runs, which differ only in their seed."
    or "Values at the end of the training."
end

-- Metrics as rows, a column a group.
local function metrics_down(doc, groups, names)
  local columns, rows = { "metric" }, {}
  for i, group in ipairs(groups) do
    columns[i + 1] = { name = #groups == 1 and "value" or group.label, align = "right" }
  end
  if #groups > 1 or #groups[1].runs > 1 then
    rows[1] = { { text = "n", muted = true } }
    for i, group in ipairs(groups) do
      rows[1][i + 1] = { text = count_text(group), muted = true }
    end
  end
  for _, name in ipairs(names) do
    local row = { { text = name, code = true } }
    for i, group in ipairs(groups) do
      row[i + 1] = group.metrics[name] or { text = "–", muted = true }
    end
    rows[#rows + 1] = row
  end
  doc:table { caption = means_text(groups), columns = columns, rows = rows }
end

-- Groups as rows; metrics in tables of few columns.
local function metrics_across(doc, groups, names)
  for from = 1, #names, MOST_COLUMNS do
    local columns, rows = { "", { name = "n", align = "right" } }, {}
    for k = from, math.min(#names, from + MOST_COLUMNS - 1) do
      columns[#columns + 1] = { name = names[k], align = "right" }
    end
    for i, group in ipairs(groups) do
      local row = { group.label, count_text(group) }
      for k = from, math.min(#names, from + MOST_COLUMNS - 1) do
        row[#row + 1] = group.metrics[names[k]] or { text = "–", muted = true }
      end
      rows[i] = row
    end
    doc:table { caption = means_text(groups), columns = columns, rows = rows, sortable = true }
  end
end

-- What is known about why a run did not finish.
local function why(run)
  if run.error then return tostring(run.error) end
  if run.status == "diverged" and math.tointeger(run.epochs) then
    return ("the loss was no longer finite in epoch %s"):format(text.thousands(run.epochs + 1))
  end
  return ""
end

local function results(doc, groups, runs)
  local names = all_metrics(groups)
  doc:section "Results"
  if #runs > 1 then
    local finished = 0
    for _, run in ipairs(runs) do
      if run.status == "finished" then finished = finished + 1 end
    end
    doc:text(finished == #runs and ("All %d runs finished."):format(#runs)
      or ("Of %s %s."):format(text.count(#runs, "run"), gather.counts_text(runs)))
  end
  if #groups > 1 then differences(doc, groups) end
  if #names == 0 then
    if #runs == 1 and runs[1].status == "finished" then
      doc:text "A forward pass: it has no loss and no metrics."
    else
      doc:text "No run has ended with metrics."
    end
  elseif #groups <= 3 then
    metrics_down(doc, groups, names)
  else
    metrics_across(doc, groups, names)
  end
  local rows = {}
  for _, run in ipairs(runs) do
    if run.status ~= "finished" then
      rows[#rows + 1] = { { text = run.name, code = true }, status_cell(run.status),
        { number = math.tointeger(run.epochs) }, why(run) }
    end
  end
  if #rows > 0 then
    doc:table { caption = "Runs that did not finish. They are in no mean.",
      columns = { "run", "status", { name = "epochs", align = "right" }, "why" }, rows = rows }
  end
  if #runs > 1 and #runs > #groups then
    local few, list = {}, {}
    for i = 1, math.min(#names, 4) do
      few[i] = { name = names[i], align = "right" }
    end
    for i, run in ipairs(runs) do
      local row = { { text = run.name, code = true }, status_cell(run.status), { number = math.tointeger(run.seed) } }
      for k, column in ipairs(few) do
        local value = run.metrics[column.name]
        row[k + 3] = value and { number = value } or { text = "–", muted = true }
      end
      list[i] = row
    end
    doc:table { caption = "Each run.", sortable = true, rows = list,
      columns = { "run", "status", { name = "seed", align = "right" }, table.unpack(few) } }
  end
end

-- ---- figures --------------------------------------------------------------------------------------

local function figures(doc, groups, runs)
  local shown, total, few = {}, 0, false
  for _, run in ipairs(runs) do
    total = total + #run.figures
  end
  if total > MOST_FIGURES then -- of each group the first finished run that has any
    few = true
    for _, group in ipairs(groups) do
      for _, list in ipairs { group.finished, group.runs } do
        local found = false
        for _, run in ipairs(list) do
          if not found and #run.figures > 0 then
            shown[#shown + 1], found = run, true
          end
        end
        if found then break end
      end
    end
  else
    shown = runs
  end
  if total == 0 then return end
  doc:section "Figures"
  if few then
    doc:text(("The runs have %s. Shown are those of %s; the others are in the runs' folders."):format(
      text.count(total, "figure"), #shown == 1 and shown[1].name or "one run of each row above"))
  end
  for _, run in ipairs(shown) do
    for _, figure in ipairs(run.figures) do
      doc:figure { name = run.name .. "-" .. figure.stem, caption = caption_of(run, figure), svg = figure.svg,
        pdf = figure.pdf, png = figure.png }
    end
  end
end

-- ---- how to run it again ---------------------------------------------------------------------------

-- The distinct values over runs, in order, as one cell.
local function distinct(runs, f)
  local list, seen = {}, {}
  for _, run in ipairs(runs) do
    local value = f(run)
    if value ~= nil and value ~= "" and not seen[value] then
      seen[value] = true
      list[#list + 1] = value
    end
  end
  return #list > 0 and table.concat(list, "; ") or nil
end

local function field(path)
  return function(run)
    local value = run.record
    for key in path:gmatch "[^.]+" do
      value = type(value) == "table" and value[key] or nil
    end
    return value ~= nil and type(value) ~= "table" and tostring(value) or nil
  end
end

local function versions(run)
  local list, own = run.record.versions, {}
  for _, name in ipairs(type(list) == "table" and text.sorted_keys(list) or {}) do
    own[#own + 1] = name == "lua" and tostring(list[name]) or ("%s %s"):format(name, list[name])
  end
  return table.concat(own, ", ")
end

local function data_files(run)
  local own = {}
  for _, file in ipairs(type(run.record.data_files) == "table" and run.record.data_files or {}) do
    own[#own + 1] = ("%s (sha256 %s)"):format(tostring(file.path), tostring(file.sha256):sub(1, 16))
  end
  return table.concat(own, ", ")
end

-- Wall time and when.
local function took(run)
  local seconds = tonumber(run.record.wall_s)
  return seconds and text.duration(seconds) or nil
end

-- Which versions, machine, commit and files the runs had.
function runs_.provenance(doc, runs)
  local rows = {}
  local function row(name, f, code)
    local value = distinct(runs, f)
    if value then rows[#rows + 1] = { name, { text = value, code = code } } end
  end
  local folders = distinct(runs, function(run) return run.dir end)
  if #folders < 300 then rows[1] = { "folder", { text = folders, code = true } } end
  row("script", field "script", true)
  row("script's SHA-256", field "sha256.script", true)
  row("commit", function(run) return gather.commit(run.record) end)
  rows[#rows + 1] = { "seeds", gather.seeds_text(runs) }
  row("data seed", function(run)
    local p = run.params
    return p.data_seed ~= nil and p.data_seed ~= p.seed and gather.value_text(p.data_seed) or nil
  end)
  row("numbers", field "dtype")
  row("versions", versions)
  row("machine", field "host.cpu")
  row("instruction set", field "isa")
  row("BLAS core", field "blas.core")
  row("system", field "host.system")
  row("data files", data_files)
  local first, last
  for _, run in ipairs(runs) do
    local at = field "started" (run)
    if at and (not first or at < first) then first = at end
    if at and (not last or at > last) then last = at end
  end
  if first then
    local function written(at) return (at:gsub("T", " "):gsub("%.%d+Z$", " UTC")) end
    rows[#rows + 1] = { "started", first == last and written(first)
      or ("%s, the last %s"):format(written(first), written(last)) }
  end
  if #folders < 300 then row("took", took) end
  doc:table { caption = "What it was run with.", columns = { "", "" }, rows = rows }
end

local function again(doc, groups, runs)
  doc:section "How to run it again"
  local commands, left = {}, 0
  for _, group in ipairs(groups) do
    if #commands >= 12 then
      left = left + 1
    else
      commands[#commands + 1] = gather.command(group.runs[1])
    end
  end
  local seeds_differ = #runs > #groups
  doc:text(seeds_differ and "One command for each experiment, with the first of its seeds:"
    or #commands > 1 and "One command for each run:" or "The command, with every parameter said:")
  doc:code(table.concat(commands, "\n") .. (left > 0 and ("\n# and %d more"):format(left) or ""), "sh")
  runs_.provenance(doc, runs)
end

-- ---- the whole ------------------------------------------------------------------------------------

local LABEL = 36 -- characters a group's name may have in every table

-- What a group is called in tables: what makes it differ, or where that is long a letter, which the table of
-- differences explains.
local function label_groups(groups)
  local differ = gather.differences(groups)
  local titles, short = {}, true
  for _, group in ipairs(groups) do
    titles[group.title] = true
  end
  local several = next(titles, next(titles)) ~= nil
  for _, group in ipairs(groups) do
    local parts = { several and group.title or nil }
    for _, name in ipairs(differ) do
      if group.params[name] ~= nil then
        parts[#parts + 1] = ("%s=%s"):format(name, gather.value_text(group.params[name]))
      end
    end
    group.label = table.concat(parts, " ")
    short = short and group.label ~= "" and #group.label <= LABEL
  end
  for i, group in ipairs(groups) do
    if #groups == 1 then group.label = group.title
    elseif not short then
      group.label = i <= 26 and string.char(64 + i) or ("%d"):format(i)
    end
  end
  return short
end

--- The title a report has by itself.
function runs_.title(runs)
  if #runs == 1 then return runs[1].name end
  local titles, seen = {}, {}
  for _, run in ipairs(runs) do
    if not seen[run.title] then
      seen[run.title] = true
      titles[#titles + 1] = run.title
    end
  end
  return #titles <= 3 and text.list(titles) or text.count(#titles, "experiment")
end

local function head(doc, groups, runs)
  local run, items = runs[1], {}
  local function item(name, value)
    if value ~= nil then items[#items + 1] = { name, value } end
  end
  if #runs == 1 then
    item("status", status_cell(run.status))
    item("network", network_text(run))
    item("training", training_text(run))
    local loss = run.metrics.loss
    item(type(run.training.loss) == "string" and ("loss (%s)"):format(run.training.loss) or "loss",
      loss and { number = loss })
    item("epochs", math.tointeger(run.epochs) and run.epochs > 0 and text.thousands(run.epochs) or nil)
    item("took", took(run))
  else
    item("runs", text.thousands(#runs))
    item("ended", gather.counts_text(runs))
    item("network", distinct(runs, network_text))
    item("training", #groups == 1 and training_text(run) or nil)
    if #groups == 1 and groups[1].metrics.loss then
      item(type(run.training.loss) == "string" and ("loss (%s)"):format(run.training.loss) or "loss",
        groups[1].metrics.loss)
    end
    item("seeds", gather.seeds_text(runs))
  end
  doc:facts(items)
end

--- Fill a document. options: own (function(doc): the scripts' own sections), compare (function(groups): a figure
--- block for all runs together, or nil), sources (function(run): the script's text, or nil).
function runs_.write(doc, runs, options)
  local groups = gather.groups(runs)
  label_groups(groups)
  head(doc, groups, runs)
  for _, run in ipairs(runs) do
    if #runs == 1 and run.error then doc:note({ strong = run.status .. ": " }, tostring(run.error)) end
  end
  results(doc, groups, runs)
  if options.compare and #runs > 1 then options.compare(doc, groups) end
  figures(doc, groups, runs)
  if options.own then options.own(doc) end
  parameters(doc, groups)
  again(doc, groups, runs)
  if options.sources then
    local seen = {}
    for _, run in ipairs(runs) do
      local source = options.sources(run)
      if source and not seen[source] then
        seen[source] = true
        doc:code(source, "lua", ("The script of %s"):format(run.name))
      end
    end
  end
  return groups
end

return runs_
