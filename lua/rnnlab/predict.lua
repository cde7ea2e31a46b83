-- rnnlab.predict owns `rnnlab predict RUN FILE`: what a stored run's network computes for data of the user's. Nothing
-- beside the run's folder is needed: the script is its copy, the weights are its model.safetensors, and no data of the
-- script's are made.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local restore = require "rnnlab.restore"
local text = require "rnnlab.text"

local predict = {}

local formats = { csv = "csv", tsv = "csv", txt = "csv", npy = "npy", npz = "npz" }
local written = { "csv", "npy", "npz", "json" }

local function extension(path) return (path:match "%.(%w+)$" or ""):lower() end

-- What a network takes at each step: { features = n } or { symbols = n }; nil where it does not say.
local function takes(model)
  if model.kind == "embedding" then return { symbols = model.n_symbols } end
  for _, layer in ipairs(type(model.layers) == "table" and model.layers or {}) do
    local found = type(layer) == "table" and takes(layer)
    if found then return found end
  end
  return math.type(model.n_in) == "integer" and { features = model.n_in } or nil
end

-- ---- reading ------------------------------------------------------------------------------------

-- Columns of a table by name or number; "x1,3" -> their numbers.
local function chosen_columns(wanted, names, count, file)
  local list = {}
  for word in (wanted .. ","):gmatch "([^,]*)," do
    local found = math.tointeger(tonumber(word))
    for i, name in ipairs(names or {}) do
      if name == word then found = i end
    end
    if not found or found < 1 or found > count then
      errors.usage("--columns: %s has no column '%s'%s", file, text.one_line(word), names
        and text.did_you_mean(word, names) .. (" (there is %s)"):format(table.concat(names, ", "))
        or ("; it has %d, and no names"):format(count))
    end
    list[#list + 1] = found
  end
  return list
end

-- Where one sequence ends and the next begins: the first row and the number of rows of each, by the labels' changes.
local function spans_of(labels, file)
  local spans, seen = {}, {}
  for row, label in ipairs(labels) do
    local last = spans[#spans]
    if last and last.label == label then
      last.count = last.count + 1
    else
      if seen[label] then
        errors.failure("%s: row %d: sequence %s stands in two places; its rows must follow one another", file, row,
          text.value(label))
      end
      seen[label] = true
      spans[#spans + 1] = { label = label, first = row, count = 1 }
    end
  end
  return spans
end

-- A table as sequences: a row a step. Its columns `sequence` and `t` are no features, unless there are as many columns
-- as features.
local function read_csv(file, need, options)
  local table_, names = core.format.load_csv(file)
  local rows, count = table_:size(1), table_:size(2)
  if rows == 0 then errors.failure("%s has no rows", file) end
  local own, columns, special = {}, {}, {}
  for i, name in ipairs(names or {}) do own[name] = i end
  if options.columns then
    columns = chosen_columns(options.columns, names, count, file)
  end
  if options.columns or count ~= need then special = { [own.sequence or 0] = true, [own.t or 0] = true } end
  for i = 1, options.columns and 0 or count do
    if not special[i] then columns[#columns + 1] = i end
  end
  if need and #columns ~= need then
    local has = {}
    for i, column in ipairs(columns) do has[i] = names and names[column] end
    return nil, ("%s has %s%s"):format(options.columns and "--columns" or file, text.count(#columns, "column"),
      #has > 0 and (" (%s)"):format(table.concat(has, ", ")) or "")
  end
  local labels = special[own.sequence] and table_:select(2, own.sequence):tolist() or {}
  local spans = #labels > 0 and spans_of(labels, file) or { { first = 1, count = rows } }
  local longest = 0
  for _, span in ipairs(spans) do longest = math.max(longest, span.count) end
  local features = table_:index(2, columns)
  local read = { x = core.zeros(#spans, longest, #columns, "float64"), lengths = {}, labels = {},
    t = special[own.t] and {} or nil }
  for i, span in ipairs(spans) do
    read.x:select(1, i):narrow(1, 1, span.count):copy(features:narrow(1, span.first, span.count))
    read.lengths[i], read.labels[i] = span.count, span.label or i
    if read.t then read.t[i] = table_:select(2, own.t):narrow(1, span.first, span.count):tolist() end
  end
  return read
end

-- The array of an npz file that is meant, and the lengths it may have beside it.
local function read_npz(file, options)
  local arrays, names = core.format.load_npz(file)
  local name = options.array or (arrays.x and "x") or (#names == 1 and names[1])
  if not name or not arrays[name] then
    errors.usage("%s: %s (there is %s)", file, name and ("no array '%s'%s"):format(text.one_line(name),
      text.did_you_mean(name, names)) or "which array? --array NAME", text.list(names))
  end
  return arrays[name], arrays[name:gsub("x$", "lengths")]
end

-- An array as sequences: (batch, time, feature), (time, feature) for one; of symbols (batch, time) or (time).
local function shaped(x, need, symbols)
  local dims = x:dim()
  if symbols then
    if dims == 1 then return x:unsqueeze(1) end
    if dims == 2 or dims == 3 and x:size(3) == 1 then return x end
    return nil
  end
  if dims == 1 and need == 1 then return x:unsqueeze(1):unsqueeze(3) end
  if dims == 2 and (not need or x:size(2) == need) then return x:unsqueeze(1) end
  if dims == 3 and (not need or x:size(3) == need) then return x end
  return nil
end

local function whole_lengths(lengths, x, file)
  if not lengths then return nil end
  local list = lengths:dim() == 1 and lengths:tolist() or {}
  if #list ~= x:size(1) then
    errors.failure("%s: lengths is %s; one for each of the %d sequences is expected", file,
      text.shape(lengths:size()), x:size(1))
  end
  for i, n in ipairs(list) do
    list[i] = math.tointeger(n)
    if not list[i] or n < 1 or n > x:size(2) then
      errors.failure("%s: lengths: sequence %d has %s of %d steps", file, i, text.value(n), x:size(2))
    end
  end
  return list
end

-- The place of the first number that is none.
local function check_finite(x, lengths, file)
  if (x:sum():item() * 0) == 0 then return end
  for i, sequence in ipairs(x:tolist()) do
    for t = 1, lengths and lengths[i] or #sequence do
      for k, value in ipairs(type(sequence[t]) == "table" and sequence[t] or { sequence[t] }) do
        if value * 0 ~= 0 then
          errors.failure("%s: %s at sequence %d, step %d, feature %d", file,
            value ~= value and "a number is missing (or NaN)" or "an infinite number", i, t, k)
        end
      end
    end
  end
end

-- The file as { x = (batch, time, feature) or (batch, time), lengths = nil or a list, labels, t } in float64 or as
-- stored. who: for messages, "tutorial8-q2-7 (elman 3-5-2)".
local function read(file, takes_, who, options)
  local kind = formats[extension(file)]
  if not kind then errors.usage("%s: a file ending in .csv, .npy or .npz is expected", file) end
  if not core.host.exists(file) then errors.failure("%s: no such file", file) end
  for option, of in pairs { columns = "csv", array = "npz" } do
    if options[option] and kind ~= of then errors.usage("--%s is for .%s files, not for %s", option, of, file) end
  end
  local symbols = takes_ and takes_.symbols
  local need = symbols and 1 or takes_ and takes_.features
  local got, found
  if kind == "csv" then
    got, found = read_csv(file, need, options)
    if not got then errors.failure("%s; %s takes %s a step", found, who, text.count(need, "feature")) end
    if symbols then got.x = got.x:squeeze(3) end
  else
    local x, lengths
    if kind == "npy" then x = core.format.load_npy(file) else x, lengths = read_npz(file, options) end
    local fits = x:numel() > 0 and shaped(x, need, symbols)
    if not fits then
      local wanted = symbols and "(batch, time) of symbols" or ("(batch, time, %s), or (time, %s) for one sequence")
        :format(need or "feature", need or "feature")
      errors.failure("%s is %s; %s takes %s", file, text.shape(x:size()), who, wanted)
    end
    got = { x = fits, lengths = whole_lengths(lengths, fits, file), labels = {} }
  end
  check_finite(got.x, got.lengths, file)
  local time, ragged = got.x:size(2), false
  for _, n in ipairs(got.lengths or {}) do ragged = ragged or n ~= time end
  if not ragged then got.lengths = nil end
  return got
end

-- ---- writing ------------------------------------------------------------------------------------

local function headings(n)
  local list = {}
  for k = 1, n do list[k] = n == 1 and "y" or "y" .. k end
  return list
end

-- Rows of text: sequence (where there are several), t, y1, y2, ...; one answer a sequence has no t.
local function csv_of(y, got)
  local dims, batch = y:dim(), y:size(1)
  local digits = y:dtype() == "float32" and "%.9g" or "%.17g"
  local several, lines = batch > 1 or dims == 2, {}
  local head = headings(y:size(dims))
  if dims == 3 then table.insert(head, 1, "t") end
  if several then table.insert(head, 1, "sequence") end
  lines[1] = table.concat(head, ",")
  local function add(i, t, values)
    local words = {}
    if several then words[1] = text.value(got.labels[i] or i) end
    if t then words[#words + 1] = text.value(t) end
    for _, value in ipairs(values) do words[#words + 1] = digits:format(value) end
    lines[#lines + 1] = table.concat(words, ",")
  end
  for i, answer in ipairs(y:tolist()) do
    if dims == 2 then
      add(i, nil, answer)
    else
      local times = y:size(2) == got.x:size(2)
      for t = 1, times and got.lengths and got.lengths[i] or #answer do
        add(i, times and got.t and got.t[i][t] or t, answer[t])
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function object_of(y, got, found, file)
  return { run = found.name, dir = found.dir, input = file, shape = core.json.array(y:size()),
    lengths = got.lengths and core.json.array(got.lengths) or nil, y = y:tolist() }
end

local function write(path, kind, y, got, object)
  if kind == "npy" then return core.format.save_npy(path, y) end
  if kind == "npz" then
    local tensors = { { "x", got.x }, { "y", y } }
    if got.lengths then tensors[3] = { "lengths", core.tensor(got.lengths, "float64") } end
    return core.format.save_npz(path, tensors)
  end
  core.host.write_file(path, kind == "csv" and csv_of(y, got) or core.json.encode(object) .. "\n")
end

-- ---- the whole ----------------------------------------------------------------------------------

-- y of the network, in evaluation: no dropout, no noise, outputs fed back where a network feeds them back.
local function run(ctx, got)
  local lengths = got.lengths and core.tensor(got.lengths, ctx.p.dtype)
  local y = ctx.box:call(function()
    local _ <close> = context.enter { lengths = lengths, extra = { x = got.x, lengths = lengths } }
    return core.no_grad(ctx.model.forward, ctx.model, got.x)
  end)
  if type(y) ~= "userdata" then error("the model's forward must return a tensor, not a " .. type(y), 0) end
  return y:detach()
end

local function say(options, format, ...)
  if not options.quiet then io.stderr:write("rnnlab: ", text.one_line(format:format(...)), "\n") end
end

-- Which file is read and which is written: the word or --input, and --output.
local function files_of(options)
  local words = options.words
  if #words > 2 or words[2] and options.input then
    errors.usage("one file at a time: '%s' is too many", text.one_line(words[3] or words[2]))
  end
  local input, output = words[2] or options.input, options.output
  if not input then errors.usage "which data? rnnlab predict RUN FILE.csv (or .npy, .npz)" end
  local kind = output and extension(output)
  local known = not output
  for _, name in ipairs(written) do known = known or name == kind end
  if not known then errors.usage("--output %s: a name ending in .csv, .npy, .npz or .json is expected", output) end
  return input, output, kind
end

-- rnnlab predict RUN FILE. options: words, input, output, columns, array, trust, results, json, quiet.
function predict.predict(options)
  local input, output, kind = files_of(options)
  local found = core.store.open(options.results, options.words[1])
  if found.record.trust and not options.trust then
    errors.failure("%s was run with --trust: its script may use os and io; once you have read %s/script.lua, "
      .. "give --trust here, too", found.name, found.dir)
  end
  local ctx = restore.model(found)
  if found.record.status ~= "finished" then
    say(options, "%s is %s; its weights are those it had by then", found.name, found.summary.status)
  end
  local who = ("%s (%s)"):format(found.name, ctx:network())
  local got = read(input, ctx.box:call(takes, ctx.model), who, options)
  got.x = got.x:to(ctx.p.dtype)
  local ok, y = xpcall(run, errors.handler(ctx.box.sources, run), ctx, got)
  if not ok then
    errors.failure("%s: %s: %s", input, who, errors.is(y) and y.message or tostring(y))
  end
  local dims = y:dim()
  if (kind == "csv" or not output and not options.json) and (dims < 2 or dims > 3) then
    errors.failure("%s gives %s, which is no table; --output FILE.npy or .json takes it", who, text.shape(y:size()))
  end
  local object = object_of(y, got, found, input)
  if output then
    write(output, kind, y, got, object)
    if options.json then
      object.y, object.output = nil, output
      io.stdout:write(core.json.encode(object), "\n")
    else
      say(options, "%s: %s, %s%s, in %s; %s is %s", who, text.count(got.x:size(1), "sequence"),
        got.lengths and "up to " or "", text.count(got.x:size(2), "step"), input, output, text.shape(y:size()))
    end
  else
    io.stdout:write(options.json and core.json.encode(object) .. "\n" or csv_of(y, got))
  end
  io.stdout:flush()
  return 0
end

return predict
