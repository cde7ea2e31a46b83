-- rnnlab.verify owns `rnnlab verify RUN`: a run is run again, from its own copy of the script, in a temporary folder,
-- and what came out is compared to the bit: the rows of metrics.csv, the weights, and for a forward pass its result.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local verify = {}

-- ---- comparing ----------------------------------------------------------------------------------

local function cells(line)
  local list = {}
  for cell in (line .. ","):gmatch "([^,]*)," do
    list[#list + 1] = cell
  end
  return list
end

local function lines_of(bytes)
  local list = {}
  for line in (bytes or ""):gmatch "([^\n]*)\n" do
    list[#list + 1] = line
  end
  return list
end

-- By how much two cells differ: a number, or nil where one is none.
local function apart(a, b)
  local x, y = tonumber(a), tonumber(b)
  return x and y and math.abs(x - y) or nil
end

-- Where two rows differ first, as { epoch =, column =, before =, now = }.
local function row_difference(names, before, now)
  local a, b = cells(before), cells(now)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then
      return { epoch = tonumber(a[1]) or tonumber(b[1]), column = names[i] or "?", before = a[i], now = b[i] }
    end
  end
end

-- Compare two metrics.csv: the number of rows, and nil or the first difference, with the largest one in its column.
local function compare_rows(before, now)
  if before == now then return #lines_of(before) - 1 end
  local a, b = lines_of(before), lines_of(now)
  local names = cells(a[1] or "")
  if a[1] ~= b[1] then
    return #a - 1, { epoch = 0, column = "the columns", before = a[1] or "none", now = b[1] or "none" }
  end
  local first
  for i = 2, math.max(#a, #b) do
    if a[i] ~= b[i] then
      first = a[i] and b[i] and row_difference(names, a[i], b[i])
        or { epoch = i - 1, column = "the number of rows", before = tostring(#a - 1), now = tostring(#b - 1) }
      break
    end
  end
  local column
  for i, name in ipairs(names) do
    if name == first.column then column = i end
  end
  for i = 2, column and math.min(#a, #b) or 0 do
    local difference = a[i] ~= b[i] and apart(cells(a[i])[column], cells(b[i])[column])
    if difference and difference > (first.largest or 0) then
      first.largest, first.largest_epoch = difference, i - 1
    end
  end
  return #a - 1, first
end

-- The tensor that differs most between two safetensors files: { name =, largest = }; nil where the files are the same
-- bytes.
local function compare_weights(before, now)
  if core.host.read_file(before) == core.host.read_file(now) then return nil end
  local passed, a, b = pcall(function()
    return core.format.load_safetensors(before), core.format.load_safetensors(now)
  end)
  local worst = { name = "the file", largest = nil }
  for _, name in ipairs(passed and text.sorted_keys(a) or {}) do
    local other = b[name]
    if not other or text.shape(other:size()) ~= text.shape(a[name]:size()) then return { name = name } end
    local fits, largest = pcall(function()
      return (a[name]:to "float64" - other:to "float64"):abs():max():item()
    end)
    if not fits then return { name = name } end
    if largest > (worst.largest or 0) then worst = { name = name, largest = largest } end
  end
  return worst
end

-- In what the machine and the versions differ: a list of "isa avx2, now avx512".
local function compare_machines(before, now)
  local list = core.json.array {}
  local function compare(what, a, b)
    if a ~= b and (a or b) then
      list[#list + 1] = ("%s %s, now %s"):format(what, tostring(a or "unknown"), tostring(b or "unknown"))
    end
  end
  local function of(record, key, field)
    return type(record[key]) == "table" and record[key][field] or nil
  end
  compare("rnnlab", of(before, "versions", "rnnlab"), of(now, "versions", "rnnlab"))
  compare("Lua", of(before, "versions", "lua"), of(now, "versions", "lua"))
  compare("CPU", of(before, "host", "cpu"), of(now, "host", "cpu"))
  compare("isa", before.isa, now.isa)
  local core_before, core_now = of(before, "blas", "core"), of(now, "blas", "core")
  if core_before ~= "" and core_now ~= "" then compare("BLAS core", core_before, core_now) end
  for i, file in ipairs(before.data_files or {}) do
    local other = (now.data_files or {})[i]
    if other and other.sha256 ~= file.sha256 then list[#list + 1] = file.path .. " has other contents now" end
  end
  return list
end

-- All of it: { identical =, rows =, rows_differ =, weights_differ =, result_differs =, status =, machine = }.
local function compare(found, again)
  local function path(run, name) return run.dir .. "/" .. name end
  local verdict = { machine = compare_machines(found.record, again.record) }
  verdict.rows, verdict.rows_differ = compare_rows(core.host.read_file(path(found, "metrics.csv")),
    core.host.read_file(path(again, "metrics.csv")))
  for _, name in ipairs { "model.safetensors", "models.safetensors" } do
    if core.host.exists(path(found, name)) then
      verdict.weights_differ = verdict.weights_differ or compare_weights(path(found, name), path(again, name))
    end
  end
  if not found.record.training then
    verdict.result_differs = core.host.read_file(path(found, "predictions.npz"))
      ~= core.host.read_file(path(again, "predictions.npz"))
  end
  if found.record.status ~= again.record.status then verdict.status = again.record.status end
  verdict.identical = not (verdict.rows_differ or verdict.weights_differ or verdict.result_differs or verdict.status)
  return verdict
end

-- ---- telling ------------------------------------------------------------------------------------

local function sentences(found, verdict)
  local list = {}
  local function add(format, ...) list[#list + 1] = format:format(...) end
  if verdict.identical then
    if found.record.training then
      add("%s: identical, %s and %s to the bit", found.name, text.count(verdict.rows, "row"),
        text.count(found.record.weights or 0, "weight"))
    else
      add("%s: identical, to the bit", found.name)
    end
    return list
  end
  if verdict.status then add("%s: %s before, %s now", found.name, found.record.status, verdict.status) end
  local rows, weights = verdict.rows_differ, verdict.weights_differ
  if rows then
    add("%s: differs from epoch %d on: %s was %s and is %s", found.name, rows.epoch, rows.column, rows.before, rows.now)
    if rows.largest then
      add("  by at most %.3g in %s, in epoch %d", rows.largest, rows.column, rows.largest_epoch)
    end
  elseif weights then
    add("%s: the rows of metrics.csv are identical, the weights are not", found.name)
  elseif verdict.result_differs then
    add("%s: its result differs", found.name)
  end
  if weights then
    if weights.largest then add("  weights by at most %.3g, in %s", weights.largest, weights.name)
    else add("  weights: %s does not fit", weights.name) end
  end
  if #verdict.machine == 0 then add "  machine and versions are the same"
  else add("  what differs of the machine: %s", table.concat(verdict.machine, "; ")) end
  return list
end

-- ---- the command --------------------------------------------------------------------------------

-- Run it again in `folder`; the run made there.
local function run_again(origin, folder, record)
  local passed, problem = pcall(require("rnnlab.runner").run, { script = origin.script, overrides = origin.overrides,
    copy = origin.copy, cwd = origin.cwd, trust = origin.trust, results = folder, plot = false, quiet = true,
    silent = true, checkpoint_every = record.training and "off" or nil })
  if core.stop_requested() then error(problem, 0) end
  local found, again = pcall(core.store.open, folder, "last")
  if not found then error(passed and again or problem, 0) end
  if not passed and again.record.status ~= "diverged" then error(problem, 0) end
  return again
end

-- `rnnlab verify RUN`. options: run, results, json. Returns the exit code: 0 identical, 1 not.
function verify.verify(options)
  local found = core.store.open(options.results, options.run)
  local status = found.record.status
  if status ~= "finished" and status ~= "diverged" then
    errors.failure("%s is %s; only a run that ended can be run again and compared%s", found.name, status,
      status == "interrupted" and (" (rnnlab resume %s)"):format(found.name) or "")
  end
  local origin = require("rnnlab.resume").origin(found)
  local folder = core.host.temporary_folder()
  local passed, verdict = pcall(function() return compare(found, run_again(origin, folder, found.record)) end)
  core.host.remove_folder(folder)
  if not passed then error(verdict, 0) end
  if options.json then
    verdict.run = found.name
    io.stdout:write(core.json.encode(verdict), "\n")
  else
    io.stdout:write(table.concat(sentences(found, verdict), "\n"), "\n")
  end
  return verdict.identical and 0 or 1
end

return verify
