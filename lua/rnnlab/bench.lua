-- rnnlab.bench owns `rnnlab bench`: training steps of fixed workloads, timed in one run, medians, beside the figures to
-- be reached. M, L and G are held against the time OpenBLAS's own sgemm takes for the same products, interleaved.
local cell = require "rnnlab.cell"
local core = require "rnnlab.core"
local nn = require "rnnlab.nn"
local text = require "rnnlab.text"

local bench = {}

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Random data (or shape's own) and a trainer of `model` on it.
local function trainer_of(model, shape, threads, loss, optimizer)
  local rng = core.rng(1)
  local params = {}
  for i, parameter in ipairs(model:parameters()) do
    params[i] = parameter.tensor
  end
  return core.trainer { params = params, threads = threads, seed = 1,
    optimizer = optimizer or { kind = "adam", lr = 1e-4 },
    train = { x = shape.x or rng:uniform(shape.batch, shape.time, shape.input),
      y = shape.y or rng:uniform(shape.batch, shape.time, shape.output) },
    record = function(x, y)
      local prediction = model:forward(x)
      return prediction, core.loss(loss or "mse", prediction, y)
    end }
end

-- Seconds an epoch (one batch: a step), the median of `times` measurements of at least `least` seconds each; `between`
-- is called before each.
local function seconds(trainer, times, least, between)
  local done = 2
  trainer:run(done)
  local before = trainer:seconds()
  trainer:run(done + 1)
  local once = math.max(trainer:seconds() - before, 1e-7)
  local n = math.max(1, math.ceil(least / once))
  done = done + 1
  local list = {}
  for i = 1, times do
    if between then between() end
    before = trainer:seconds()
    done = done + n
    trainer:run(done)
    list[i] = (trainer:seconds() - before) / n
  end
  return median(list)
end

local mgu = cell.new { name = "mgu",
  weights = function(n, h)
    return { U = { n, h }, W = { h, h }, b = { h }, Uf = { n, h }, Wf = { h, h }, bf = { h } }
  end,
  step = function(w, x, h)
    local f = core.sigmoid(x:mm(w.Uf) + h:mm(w.Wf) + w.bf)
    return (1 - f) * h + f * core.tanh(x:mm(w.U) + (f * h):mm(w.W) + w.b)
  end }
local elman = cell.new { name = "elman",
  weights = function(n, h) return { U = { n, h }, W = { h, h }, b = { h } } end,
  step = function(w, x, h) return core.tanh(x:mm(w.U) + h:mm(w.W) + w.b) end }

local function small(name, what, make, input, hidden, output, batch, target)
  return { name = name, what = what, target = target, unit = "us",
    make = function() return make(input, hidden, output) end,
    shape = { batch = batch, time = 100, input = input, output = output } }
end

local smalls = {
  small("S", "elman 3-5-2, 8 x 100", nn.Elman, 3, 5, 2, 8, 8),
  small("S-lua", "the same as a Lua cell", function(...) return nn.Cell(elman, ...) end, 3, 5, 2, 8, 30),
  small("S9", "elman 4-7-3, 9 x 100", nn.Elman, 4, 7, 3, 9),
  small("mgu", "MGU in Lua 3-5-2, 8 x 100", function(...) return nn.Cell(mgu, ...) end, 3, 5, 2, 8),
  small("lstm", "lstm 3-5-2, 8 x 100", nn.LSTM, 3, 5, 2, 8),
  small("gru", "gru 3-5-2, 8 x 100", nn.GRU, 3, 5, 2, 8),
}

-- The products of a layer of `gates` gates over all steps, forward and back, without the input's gradient, which a
-- first layer does not need: {m, n, k, trans_a, trans_b, times}.
local function products(shape, hidden, gates)
  local rows, wide = shape.batch * shape.time, gates * hidden
  return {
    { rows, wide, shape.input, false, false, 1 }, { shape.batch, wide, hidden, false, false, shape.time },
    { shape.batch, hidden, wide, false, true, shape.time }, { shape.input, wide, rows, true, false, 1 },
    { hidden, wide, rows, true, false, 1 },
  }
end

local function large(name, what, make, shape, hidden, gates, targets, more)
  local list = products(shape, hidden, gates)
  for _, product in ipairs(more or {}) do
    list[#list + 1] = product
  end
  -- in turns with the products: so many that the medians are steady
  return { name = name, what = what, make = make, shape = shape, products = list, targets = targets,
    turns = hidden < 512 and 41 or 7 }
end

-- The tutorial's network and data (coef = 1), 200 iterations of Levenberg-Marquardt from several starts.
local function measure_lm(workload, quick)
  local rng, list = core.rng(1), {}
  local x, y = rng:uniform(8, 100, 3), .1 * rng:normal(8, 100, 2)
  local x1, x2, x3 = x:unbind(3)
  y[{{}, {2, -1}, 1}]:add(5 * x1[{{}, {2, -1}}] - x3[{{}, {1, -2}}])
  y[{{}, {4, -1}, 2}]:add(25 * x2[{{}, {3, -2}}] * x3[{{}, {1, -4}}])
  for i = 1, quick and 1 or 7 do
    nn.set_stream(core.rng(i, "init"), i)
    local trainer = trainer_of(nn.Elman(3, 5, 2), { x = x, y = y }, 1, "sse", { kind = "lm" })
    trainer:run(200)
    list[i] = trainer:seconds() * 200 / trainer:epoch() -- it may converge before
  end
  local s = median(list)
  return { name = workload.name, what = workload.what, threads = 1, seconds = s, target_seconds = workload.target,
    met = s <= workload.target }
end

-- A reservoir with ten connections a unit: its states, the normal equations and their solution.
local function measure_esn(workload, quick)
  local units, list = quick and 100 or 1000, {}
  local model = nn.Reservoir(1, units, 1, { leak = .5 })
  for i = 1, quick and 1 or 7 do
    local trainer = trainer_of(model, { batch = 1, time = 2000, input = 1, output = 1 }, 1, "mse",
      { kind = "ridge", lambda = 1e-6 })
    trainer:run(1)
    list[i] = trainer:seconds()
  end
  return { name = workload.name, what = workload.what:format(units), threads = 1, seconds = median(list) }
end

local methods = {
  { name = "LM", what = "200 x lm, elman 3-5-2, 8 x 100", target = .1, measure = measure_lm },
  { name = "esn", what = "ridge, esn 1-%d-1, 1 x 2000", measure = measure_esn },
}

local m_shape = { batch = 32, time = 100, input = 64, output = 64 }
local l_shape = { batch = 64, time = 50, input = 512, output = 512 }
local larges = {
  large("M", "lstm 64-128, linear 64, 32 x 100", function()
    return nn.Sequential(nn.LSTM(64, 128), nn.Linear(128, 64))
  end, m_shape, 128, 4, { .88, .83 },
    { { 3200, 64, 128, false, false, 1 }, { 3200, 128, 64, false, true, 1 }, { 128, 64, 3200, true, false, 1 } }),
  large("L", "lstm 512-512, 64 x 50", function() return nn.LSTM(512, 512) end, l_shape, 512, 4, { 1.06, 1.05 }),
  large("G", "gru 512-512, 64 x 50", function() return nn.GRU(512, 512) end, l_shape, 512, 3, { 1.07, 1.11 }),
}

-- Seconds OpenBLAS takes for a list of products; nil where it is missing.
local function blas(list, threads)
  local total = 0
  for _, product in ipairs(list) do
    local one = core.blas_seconds(threads, product)
    if not one then return nil end
    total = total + one
  end
  return total
end

-- ---- measuring ----------------------------------------------------------------------------------

local function measure_small(workload, quick)
  local s = seconds(trainer_of(workload.make(), workload.shape, 1, "sse"), quick and 3 or 15, quick and .005 or .03)
  return { name = workload.name, what = workload.what, threads = 1, seconds = s,
    target_seconds = workload.target and workload.target * 1e-6 or nil,
    met = workload.target and s <= workload.target * 1e-6 }
end

-- Is a figure at most its target? nil where there is no figure to hold against it.
local function reached(ratio, target)
  if ratio then return ratio <= target end
end

local function measure_large(workload, threads, quick)
  local of_blas = {}
  local s = seconds(trainer_of(workload.make(), workload.shape, threads), quick and 1 or workload.turns, 0, function()
    of_blas[#of_blas + 1] = blas(workload.products, threads)
  end)
  local reference = #of_blas > 0 and median(of_blas) or nil
  local ratio = reference and s / reference or nil
  return { name = workload.name, what = workload.what, threads = threads, seconds = s, blas_seconds = reference,
    ratio = ratio, target_ratio = workload.targets[threads], met = reached(ratio, workload.targets[threads]) }
end

-- Seconds a step of lstm h-h in both regimes, 16 sequences of 50 steps.
local function measure_regimes(quick)
  local list = {}
  -- beside the round sizes their neighbours: none may fall off a cliff
  local sizes = quick and { 4, 64 }
    or { 1, 2, 4, 8, 16, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 256, 511, 512 }
  for _, hidden in ipairs(sizes) do
    local row = { hidden = hidden }
    for _, regime in ipairs { "small", "large" } do
      local model = nn.LSTM(hidden, hidden, { regime = regime })
      row[regime] = seconds(trainer_of(model, { batch = 16, time = 50, input = hidden, output = hidden }, 1),
        quick and 1 or 5, quick and 0 or .01)
    end
    list[#list + 1] = row
  end
  return list
end

-- Microseconds an epoch for each sequence, step or layer, as their number grows.
local function measure_growth(quick)
  local list = {}
  local function add(what, n, model, shape)
    local s = seconds(trainer_of(model, shape, 1), quick and 1 or 5, quick and 0 or .02)
    list[#list + 1] = { what = what, n = n, seconds_each = s / n }
  end
  local counts = quick and { 8, 80 } or { 8, 24, 80, 240, 800, 8000 }
  for _, n in ipairs(counts) do
    add("sequence", n, nn.Elman(3, 5, 2), { batch = n, time = 100, input = 3, output = 2 })
  end
  for _, n in ipairs(quick and { 100, 1000 } or { 10, 30, 100, 300, 1000 }) do
    add("step", n, nn.Elman(3, 5, 2), { batch = 8, time = n, input = 3, output = 2 })
  end
  for _, n in ipairs(quick and { 1, 4 } or { 1, 3, 10, 30, 100 }) do
    local stack = nn.Sequential()
    for _ = 1, n do
      stack:add(nn.Elman(5, 5))
    end
    add("layer", n, stack, { batch = 8, time = 100, input = 5, output = 5 })
  end
  return list
end

-- Two models of one shape side by side against one alone, in turns: seconds an epoch of each, and their ratio.
local function measure_side_by_side(quick)
  local shape = { batch = 8, time = 100, input = 3, output = 2 }
  local function trainer() return trainer_of(nn.Elman(3, 5, 2), shape, 1, "sse") end
  local alone, members = trainer(), { trainer(), trainer() }
  for _, member in ipairs(members) do
    member:prepare()
  end
  local both = core.ensemble(members, 1)
  local each, epochs, ones, twos, ratios = quick and 200 or 2000, 0, {}, {}, {}
  for turn = 0, quick and 3 or 15 do
    local before_one, before_two = alone:seconds(), both:seconds()
    epochs = epochs + each
    alone:run(epochs)
    both:run(epochs)
    if turn > 0 then -- the first warms up
      ones[turn], twos[turn] = (alone:seconds() - before_one) / each, (both:seconds() - before_two) / each
      ratios[turn] = twos[turn] / ones[turn]
    end
  end
  local ratio = median(ratios)
  return { models = 2, threads = 1, seconds = median(twos), seconds_alone = median(ones), ratio = ratio,
    target_ratio = 1.2, met = ratio <= 1.2 }
end

-- 64 models, 1,000 epochs each, on two threads: wall seconds, making them and recording their steps included.
local function measure_many(quick)
  local shape = { batch = 8, time = 100, input = 3, output = 2 }
  local list = {}
  for turn = 1, quick and 1 or 5 do
    local began, members = core.host.monotonic(), {}
    for k = 1, 64 do
      members[k] = trainer_of(nn.Elman(3, 5, 2), shape, 1, "sse")
      members[k]:prepare()
    end
    core.ensemble(members, 2):run(quick and 100 or 1000)
    list[turn] = core.host.monotonic() - began
  end
  local s = median(list)
  return { models = 64, threads = 2, epochs = quick and 100 or 1000, seconds = s, target_seconds = .3,
    met = reached(not quick and s or nil, .3) }
end

-- ---- telling ------------------------------------------------------------------------------------

local function duration(s)
  if s < 1e-3 then return text.significant(s * 1e6, 3) .. " us" end
  return text.significant(s * 1e3, 3) .. " ms"
end

local function verdict(result)
  if result.met == nil then return "" end
  return result.met and "reached" or "missed"
end

local function tell(report)
  local rows = { { "", "", "threads", "a step", "of OpenBLAS's products", "target", "" } }
  for _, r in ipairs(report.workloads) do
    local target = r.target_ratio and text.fixed(r.target_ratio, 2) or r.target_seconds and duration(r.target_seconds)
    rows[#rows + 1] = { r.name, r.what, tostring(r.threads), duration(r.seconds),
      r.ratio and text.fixed(r.ratio, 2) or "", target or "", verdict(r) }
  end
  local function put(lines) io.stdout:write("  ", table.concat(lines, "\n  "), "\n\n") end
  io.stdout:write(("kernels %s, OpenBLAS %s; forward, backward and update, medians\n\n"):format(report.isa,
    report.blas))
  put(text.table(rows, { "left", "left", "right", "right", "right", "right", "left" }))
  if report.side_by_side then
    local two, many = report.side_by_side, report.many
    put(text.table({ { "models of S side by side", "threads", "", "of one alone", "target", "" },
      { "2, an epoch of both", "1", duration(two.seconds), text.fixed(two.ratio, 2), text.fixed(two.target_ratio, 2),
        verdict(two) },
      { ("64, %d epochs in all"):format(many.epochs), "2", duration(many.seconds), "",
        duration(many.target_seconds), verdict(many) } }, { "left", "right", "right", "right", "right", "left" }))
  end
  if #report.regimes == 0 then return end
  rows = { { "lstm h-h, 16 x 50", "lanes", "rows" } }
  for _, r in ipairs(report.regimes) do
    rows[#rows + 1] = { "h = " .. r.hidden, duration(r.small), duration(r.large) }
  end
  put(text.table(rows, { "left", "right", "right" }))
  rows = { { "cost of each", "of how many", "" } }
  for _, r in ipairs(report.growth) do
    rows[#rows + 1] = { r.what, tostring(r.n), duration(r.seconds_each) }
  end
  put(text.table(rows, { "left", "right", "right" }))
end

-- options: words (workloads wanted; all), quick, json. Exit code 0 whatever the figures.
function bench.run(options)
  core.set_default_dtype "float32"
  nn.set_stream(core.rng(1, "init"), 1)
  local wanted, known = {}, {}
  for _, list in ipairs { smalls, methods, larges } do
    for _, workload in ipairs(list) do
      known[#known + 1] = workload.name
    end
  end
  for _, name in ipairs(options.words or {}) do
    wanted[name] = true
    local found = false
    for _, candidate in ipairs(known) do
      found = found or candidate == name
    end
    if not found then
      require("rnnlab.errors").usage("no workload '%s'%s (there is %s)", name, text.did_you_mean(name, known),
        text.list(known))
    end
  end
  local all, quick = next(wanted) == nil, options.quick
  local results = {}
  for _, workload in ipairs(smalls) do
    if all or wanted[workload.name] then results[#results + 1] = measure_small(workload, quick) end
  end
  for _, workload in ipairs(methods) do
    if all or wanted[workload.name] then results[#results + 1] = workload.measure(workload, quick) end
  end
  for _, workload in ipairs(larges) do
    for threads = 1, (all and not quick or wanted[workload.name]) and 2 or 0 do
      results[#results + 1] = measure_large(workload, threads, quick)
    end
  end
  local info = core.kernel_info(not quick)
  local report = { isa = info.isa, blas = info.blas and info.blas.core ~= "" and info.blas.core
      or quick and "not asked" or "not there",
    workloads = core.json.array(results),
    side_by_side = all and measure_side_by_side(quick) or nil, many = all and measure_many(quick) or nil,
    regimes = core.json.array(all and measure_regimes(quick) or {}),
    growth = core.json.array(all and measure_growth(quick) or {}) }
  if options.json then io.stdout:write(core.json.encode(report), "\n") else tell(report) end
  return 0
end

return bench
