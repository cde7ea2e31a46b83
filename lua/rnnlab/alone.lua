-- rnnlab.alone owns experiments with a main and no loss: rnnlab trains nothing, main computes what it likes and logs
-- it. Every run:log is a row, and the last value of each name is a metric. `data` and `model` may be there, and are
-- built.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local alone = {}

-- e: an experiment, or the table one is made of.
function alone.is(e) return e.loss == nil and e.main ~= nil end

-- What a run that trains has and this one has not.
local of_training = {}
for name in ("train stop checkpoint step end_epoch reset_states batches evaluate gradients parameters states lr set_lr")
  :gmatch "%S+" do
  of_training[name] = true
end

local function number_of(name, value)
  if type(name) ~= "string" or not name:find "^[%a_][%w_.%-]*$" or name == "epoch" then
    error(("run:log: '%s' is no name for a column of one's own"):format(text.one_line(tostring(name))), 0)
  end
  if type(value) == "userdata" then value = value:item() end
  if type(value) ~= "number" then
    error(("run:log: %s must be a number, not a %s"):format(name, type(value)), 0)
  end
  return value
end

-- The `run` that main is given. log(values): called with each row.
local function handle_of(ctx, log)
  local run = { epoch = 0, state = {}, data = ctx.data, params = ctx.p, model = ctx.model, resumed = false }
  function run.log(_, values)
    if type(values) ~= "table" then
      error(("run:log takes a table of numbers, not a %s"):format(type(values)), 0)
    end
    local row = {}
    for name, value in pairs(values) do row[name] = number_of(name, value) end
    run.epoch = run.epoch + 1
    log(run.epoch, row)
  end
  return setmetatable(run, { __metatable = false, __index = function(_, key)
    if of_training[key] then
      error(("run:%s is for an experiment with a loss; this one has none, and its main may only log"):format(key), 0)
    end
  end })
end

-- metrics.csv of an open run: a row a call, a column a name.
local function writer(store)
  local columns
  return function(epoch, row)
    local names = text.sorted_keys(row)
    if not columns then
      columns = names
      store:metrics(columns)
    end
    for _, name in ipairs(names) do
      local at = 1
      while columns[at] and columns[at] < name do at = at + 1 end
      if columns[at] ~= name then
        store:insert_column(at, name)
        table.insert(columns, at, name)
      end
    end
    local line = { epoch }
    for i, name in ipairs(columns) do line[i + 1] = row[name] == nil and false or row[name] end
    store:append { line }
  end
end

-- Run main. store: the open run, or nil (a trial's). Into `metrics` goes what was logged last; returns the rows.
function alone.run(ctx, store, metrics)
  local rows, write = {}, store and writer(store)
  local run = handle_of(ctx, function(epoch, row)
    rows[epoch] = row
    for name, value in pairs(row) do metrics[name] = value end
    if write then write(epoch, row) end
  end)
  ctx.box:call(ctx.experiment.main, ctx.p, run)
  if next(rows) == nil then
    errors.failure("%s: main logged nothing; run:log{ name = number } is what a run without a loss leaves", ctx.script)
  end
  return rows
end

-- { steps, values } of a name in the rows, thinned to about `most` points.
function alone.curve(rows, name, most)
  local stride = math.max(1, (#rows + most - 1) // most)
  local curve = { steps = core.json.array {}, values = core.json.array {} }
  for epoch, row in ipairs(rows) do
    local value = row[name]
    if value and value == value and (epoch % stride == 0 or epoch == #rows) then
      table.insert(curve.steps, epoch)
      table.insert(curve.values, tonumber(("%.7g"):format(value)))
    end
  end
  return curve
end

-- What a person is told at the end.
function alone.lines(name, dir, metrics, seconds)
  local words = {}
  for _, key in ipairs(text.sorted_keys(metrics)) do
    words[#words + 1] = key .. " " .. text.significant(metrics[key], 4)
  end
  return { ("%s   main, in %s"):format(name, text.duration(seconds)), "  " .. table.concat(words, "   "),
    ("  everything in %s/"):format(dir) }
end

return alone
