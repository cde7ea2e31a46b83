-- rnnlab.report.gather owns what a report knows of its runs: stored runs read, their numbers as numbers, and runs that
-- differ only in their seed put together.
local core = require "rnnlab.core"
local numbers = require "rnnlab.report.numbers"
local text = require "rnnlab.text"

local gather = {}

-- Parameters that make no other experiment of a run.
local seeds = { seed = true, data_seed = true }
local incidental = { threads = true, show = true }

-- How to sort metrics: the losses first, then measures of the whole, then those of single outputs.
local first = { "loss", "val_loss", "test_loss", "best_loss", "accuracy", "val_accuracy", "test_accuracy",
  "best_epoch" }
local place = {}
for i, name in ipairs(first) do
  place[name] = i
end

local function before(a, b)
  local p, q = place[a], place[b]
  if p or q then return (p or math.huge) < (q or math.huge) end
  local own_a, own_b = a:match "_y%d+$", b:match "_y%d+$"
  if (own_a ~= nil) ~= (own_b ~= nil) then return own_b ~= nil end
  return a < b
end

-- Names of a set, in the order a reader wants metrics.
function gather.metric_order(set)
  local list = text.sorted_keys(set)
  table.sort(list, before)
  return list
end

-- "svg", "pdf" and "png" of each figure of a run, in the record's order.
local function figures_of(dir, record)
  local list, by_stem = {}, {}
  for _, file in ipairs(type(record.figures) == "table" and record.figures or {}) do
    local stem, ending = tostring(file):match "^figures/([%w._-]+)%.(%w+)$"
    if stem and core.host.exists(dir .. "/" .. file) then
      if not by_stem[stem] then
        by_stem[stem] = { stem = stem }
        list[#list + 1] = by_stem[stem]
      end
      by_stem[stem][ending] = dir .. "/" .. file
    end
  end
  return list
end

local function object(value)
  return type(value) == "table" and value or {}
end

local function numbers_of(metrics)
  local own = {}
  for name, value in pairs(object(metrics)) do
    own[name] = core.json.number(value)
  end
  return own
end

--- A run as a report needs it, from what core.store.open gives.
function gather.run(found)
  local record = found.record
  return {
    name = found.name, dir = found.dir, record = record, status = tostring(record.status or "unknown"),
    title = tostring(record.title or record.experiment or found.name), error = record.error,
    params = object(record.params), metrics = numbers_of(record.metrics), seed = record.seed,
    network = record.network, weights = record.weights, epochs = record.epochs, figures = figures_of(found.dir, record),
    training = object(record.training),
  }
end

local function value_text(value)
  if type(value) == "table" then return core.json.encode(value) end
  return text.value(value)
end
gather.value_text = value_text

-- What makes two runs the same experiment but for their seeds.
local function identity(run)
  local parts = { run.title, tostring(object(run.record.sha256).script) }
  for _, name in ipairs(text.sorted_keys(run.params)) do
    if not seeds[name] and not incidental[name] then
      parts[#parts + 1] = name .. "=" .. value_text(run.params[name])
    end
  end
  -- A data_seed of its own is kept: the same data for every seed is another experiment than fresh data for each.
  local p = run.params
  if p.data_seed ~= nil and p.data_seed ~= p.seed then parts[#parts + 1] = "data_seed=" .. value_text(p.data_seed) end
  return table.concat(parts, "\0")
end

--- Groups of runs that differ only in their seeds, in the order given: { runs, finished, metrics = { name = { mean,
--- deviation, n } } }. Only finished runs enter the means; where none is, those of what there is of a single run.
function gather.groups(runs)
  local groups, by_identity = {}, {}
  for _, run in ipairs(runs) do
    local key = identity(run)
    local group = by_identity[key]
    if not group then
      group = { runs = {}, title = run.title, params = run.params }
      by_identity[key] = group
      groups[#groups + 1] = group
    end
    group.runs[#group.runs + 1] = run
  end
  for _, group in ipairs(groups) do
    group.finished = {}
    for _, run in ipairs(group.runs) do
      if run.status == "finished" then group.finished[#group.finished + 1] = run end
    end
    local counted = #group.finished > 0 and group.finished or #group.runs == 1 and group.runs or {}
    local names, metrics = {}, {}
    for _, run in ipairs(counted) do
      for name in pairs(run.metrics) do
        names[name] = true
      end
    end
    for name in pairs(names) do
      local values = {}
      for i, run in ipairs(counted) do
        values[i] = run.metrics[name] or 0 / 0
      end
      local mean, deviation, n = numbers.statistics(values)
      if n > 0 then
        local integral = n == 1 and math.type(values[1]) == "integer"
        metrics[name] = { number = integral and values[1] or mean, deviation = deviation, n = n, of = #counted }
      end
    end
    group.metrics = metrics
  end
  return groups
end

--- Names of the parameters in which groups differ, and of those that all share with one value. Seeds are neither.
function gather.differences(groups)
  local names, differ, same = {}, {}, {}
  for _, group in ipairs(groups) do
    for name in pairs(group.params) do
      names[name] = true
    end
  end
  for _, name in ipairs(text.sorted_keys(names)) do
    local one, several = nil, false
    for i, group in ipairs(groups) do
      local value = group.params[name]
      local word = value == nil and "\0" or value_text(value)
      if i > 1 and word ~= one then several = true end
      one = word
    end
    if name == "data_seed" then
      if groups[1].params.data_seed ~= groups[1].params.seed then same[#same + 1] = name end
    elseif name ~= "seed" and not (incidental[name] and several) then
      local list = several and differ or same
      list[#list + 1] = name
    end
  end
  return differ, same
end

local statuses = { "finished", "running", "interrupted", "diverged", "pruned", "failed", "timeout", "oom", "killed" }
local shown_status = { oom = "out of memory", timeout = "out of time" }

--- How many there are of each status: a list of { status, count } in a fixed order.
function gather.counts(list)
  local counts, out, known = {}, {}, {}
  for _, item in ipairs(list) do
    counts[item.status] = (counts[item.status] or 0) + 1
  end
  for _, status in ipairs(statuses) do
    known[status] = true
    if counts[status] then out[#out + 1] = { status, counts[status] } end
  end
  for _, status in ipairs(text.sorted_keys(counts)) do
    if not known[status] then out[#out + 1] = { status, counts[status] } end
  end
  return out
end

--- "58 finished, 1 diverged and 1 failed"
function gather.counts_text(list)
  local words = {}
  for i, pair in ipairs(gather.counts(list)) do
    words[i] = ("%s %s"):format(text.thousands(pair[2]), shown_status[pair[1]] or pair[1])
  end
  return text.list(words)
end

local function quoted(word)
  if word:find "^[%w@%%+=:,./_-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end
gather.quoted = quoted

--- The command that runs it again: every parameter said, so that a changed default changes nothing.
function gather.command(run)
  local p, words = run.params, { "rnnlab", "run", quoted(tostring(run.record.script or "SCRIPT.lua")) }
  local usual = { dtype = "float32", threads = 1, show = 1, data_seed = p.seed }
  for _, name in ipairs(text.sorted_keys(p)) do
    local value = p[name]
    if name ~= "seed" and (usual[name] == nil or value ~= usual[name]) then
      words[#words + 1] = quoted(name .. "=" .. value_text(value))
    end
  end
  if p.seed ~= nil then words[#words + 1] = quoted("seed=" .. value_text(p.seed)) end
  if run.record.trust then words[#words + 1] = "--trust" end
  return table.concat(words, " ")
end

--- "bc2a19e49a2c, with changes that were not committed"
function gather.commit(record)
  local git = object(record.git)
  if type(git.commit) ~= "string" then return nil end
  local commit = git.commit:sub(1, 12)
  if git.dirty == true then return commit .. " with changes not committed" end
  if git.dirty == nil then return commit .. " (whether all was committed is not known)" end
  return commit
end

--- "1 to 8", "1, 3 and 7"
function gather.seeds_text(runs)
  local list, seen = {}, {}
  for _, run in ipairs(runs) do
    local seed = math.tointeger(run.seed)
    if seed and not seen[seed] then
      seen[seed] = true
      list[#list + 1] = seed
    end
  end
  table.sort(list)
  if #list == 0 then return "unknown" end
  if #list > 2 and list[#list] - list[1] == #list - 1 then return ("%d to %d"):format(list[1], list[#list]) end
  for i, seed in ipairs(list) do
    list[i] = ("%d"):format(seed)
  end
  return text.list(list)
end

--- The learning curve, thinned: up to `most` points { epoch, loss } by the smallest and largest of equal parts; nil
--- where there is none.
function gather.curve(dir, column, most)
  local ok, metrics = pcall(core.store.metrics, dir)
  if not ok or not metrics or not metrics.values[column] then return nil end
  local epochs, values, points = metrics.epochs, metrics.values[column], {}
  local n = #values
  local step = math.max(1, n / math.max(1, most // 2))
  local from = 1
  while from <= n do
    local to = math.min(n, math.max(from, math.floor(from + step - 1)))
    local low, high
    for i = from, to do
      if numbers.finite(values[i]) then
        if not low or values[i] < values[low] then low = i end
        if not high or values[i] > values[high] then high = i end
      end
    end
    if low then
      points[#points + 1] = { epochs[math.min(low, high)], values[math.min(low, high)] }
      if low ~= high then points[#points + 1] = { epochs[math.max(low, high)], values[math.max(low, high)] } end
    end
    from = to + 1
  end
  return #points > 1 and points or nil
end

return gather
