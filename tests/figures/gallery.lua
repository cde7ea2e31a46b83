-- gallery.lua: one figure of every kind, from fixed data. The golden test draws them, and contact_sheet.lua lays them
-- out to be looked at.
local core = require "rnnlab.core"
local new = require("rnnlab.figure").new
local plot = require("rnnlab.figure").plot

local function curve(n, f)
  local x, y = {}, {}
  for i = 1, n do
    x[i] = i
    y[i] = f(i)
  end
  return x, y
end

-- A fixed noise in [-1, 1], the same everywhere.
local function noise(i, k)
  local value = math.sin(i * 12.9898 + (k or 0) * 78.233) * 43758.5453
  return 2 * (value - math.floor(value)) - 1
end

local function matrix(rows, columns, f)
  local m = {}
  for r = 1, rows do
    m[r] = {}
    for c = 1, columns do
      m[r][c] = f(r, c)
    end
  end
  return m
end

local gallery = {}
local function add(name, make) gallery[#gallery + 1] = { name = name, make = make } end

add("lines", function()
  local f = new { title = "Lines, dashes and marks", xlabel = "time step t", ylabel = "activation" }
  for k = 1, 7 do
    local x, y = curve(60, function(i) return math.sin(i / 8 + k / 2) * (1 + k / 6) + k / 2 end)
    f:line(x, y, { label = ("unit %d"):format(k), dash = k == 3 and "dotted" or nil })
  end
  local x, y = curve(12, function(i) return -2 + noise(i) / 3 end)
  for i = 1, 12 do x[i] = 5 * i - 2 end
  return f:line(x, y, { label = "marked", marks = true, color = "target" })
end)

add("tuples", function()
  local x, y = curve(30, function(i) return math.exp(-i / 9) end)
  local _, z = curve(30, function(i) return math.exp(-i / 9) + noise(i) / 12 end)
  return plot(false, { "model", x, y, "-" }, { "measured", x, z, "+" }, { title = "Torch's curve tuples", xlabel = "t",
    ylabel = "y" })
end)

add("steps_band", function()
  local x, y = curve(40, function(i) return 3 + 2 * math.sin(i / 6) end)
  local low, high = {}, {}
  for i = 1, 40 do low[i], high[i] = y[i] - .6 - i / 60, y[i] + .6 + i / 60 end
  local f = new { title = "A band, steps and a second axis", xlabel = "epoch", ylabel = "loss",
    y2label = "learning rate" }
  f:band(x, low, high, { color = "blue", label = "± deviation" }):line(x, y, { color = "blue", label = "mean" })
  local _, lr = curve(40, function(i) return 0.01 / 2 ^ ((i - 1) // 10) end)
  return f:steps(x, lr, { label = "learning rate", color = "amber", axis = 2 })
end)

add("mean", function()
  local f = new { title = "Mean and spread over seeds", xlabel = "epoch", ylabel = "validation loss", log_y = true }
  for k, name in ipairs { "elman", "lstm" } do
    local rows = {}
    for s = 1, 5 do
      local _, y = curve(200, function(i) return math.exp(-i / (20 + 25 * k)) + .02 * k * (1.3 + noise(s, k)) end)
      rows[s] = y
    end
    f:mean(nil, rows, { label = name })
  end
  return f
end)

add("points", function()
  local x, y, e, c = {}, {}, {}, {}
  for i = 1, 25 do
    x[i], y[i], e[i] = i / 3, math.sqrt(i) + noise(i) / 2, .2 + math.abs(noise(i, 2)) / 2
    c[i] = i
  end
  local f = new { title = "Points, error bars, colour by value", columns = 2, xlabel = "x" }
  f:panel { title = "with error bars", ylabel = "y" }:points(x, y, { error = e })
  f:panel { title = "coloured by a third", color_label = "trial" }:points(x, y, { color = c, scale = 1.5 })
  return f
end)

add("bars", function()
  local f = new { title = "Bars", columns = 2, widths = { 3, 2 } }
  f:panel { ylabel = "RMSE" }:bars({ "elman", "jordan", "gru", "lstm" },
    { { .31, .36, .2, .17 }, { .35, .41, .27, .22 } }, { names = { "training", "validation" },
    error = { { .02, .03, .01, .02 }, { .04, .03, .03, .02 } } })
  f:panel { xlabel = "importance" }:bars({ "lr", "hidden", "cell", "a_rather_long_name" }, { .61, .22, .12, .05 },
    { sideways = true })
  return f
end)

add("histogram", function()
  local data = {}
  for i = 1, 800 do data[i] = (noise(i) + noise(i, 3) + noise(i, 5)) / 1.7 end
  return new { title = "A histogram", xlabel = "weight" }:histogram(data):vline(0, "zero")
end)

add("boxes", function()
  local groups = {}
  for k = 1, 4 do
    groups[k] = {}
    for i = 1, 40 do groups[k][i] = .3 * k + noise(i, k) * noise(i, k + 9) * (.3 + k / 8) end
    groups[k][41] = .3 * k + 1.2
  end
  return new { title = "Box plots", ylabel = "validation loss" }:boxes(groups, { labels = { "4", "8", "16", "32" } })
end)

add("heat", function()
  local f = new { title = "Heat maps", columns = 2, share_x = false }
  f:panel { title = "weights (diverging)", xlabel = "to unit", ylabel = "from unit" }
    :heat(matrix(5, 6, function(r, c) return noise(r, c) end), { values = true })
  f:panel { title = "states over time (sequential)", xlabel = "time step t", ylabel = "unit" }
    :heat(matrix(20, 100, function(r, c) return math.abs(math.sin(math.sin(c / (5 + r)) + r / 20)) end))
  return f
end)

add("confusion", function()
  return new { title = "A confusion matrix", size = "column" }:confusion(
    { { 48, 2, 0, 0 }, { 5, 39, 6, 0 }, { 0, 4, 41, 5 }, { 1, 0, 2, 47 } },
    { classes = { "stay", "left", "right", "go" } })
end)

add("contour", function()
  local x, y = {}, {}
  for i = 1, 40 do x[i], y[i] = (i - 20) / 10, (i - 20) / 12 end
  return new { title = "A contour map", xlabel = "x", ylabel = "y", color_label = "z" }:contour(x, y,
    matrix(40, 40, function(r, c)
      return math.exp(-(x[c] - .5) ^ 2 - y[r] ^ 2) - .7 * math.exp(-(x[c] + .7) ^ 2 - (y[r] - .4) ^ 2)
    end))
    :text(.5, 0, "the best", { strong = true })
end)

add("parallel", function()
  local rows, value = {}, {}
  for i = 1, 40 do
    rows[i] = { 10 ^ (-4 + 3 * math.abs(noise(i))), math.floor(4 + 60 * math.abs(noise(i, 2))),
      ({ "elman", "gru", "lstm" })[i % 3 + 1], noise(i, 7) > 0 }
    value[i] = math.abs(math.log(rows[i][1], 10) + 2.3) / 2 + rows[i][2] / 200
  end
  return new { title = "Parallel coordinates" }:parallel({ { name = "lr", log = true, low = 1e-4, high = .1 },
    { name = "hidden", low = 4, high = 64 }, "cell", { name = "peephole" } }, rows,
    { values = value, color_label = "val_loss", best = 7 })
end)

add("trajectory", function()
  local x, y, z, c = {}, {}, {}, {}
  for i = 1, 300 do
    x[i], y[i], z[i], c[i] = math.cos(i / 20) * (1 - i / 400), math.sin(i / 20) * (1 - i / 400), i / 150, i
  end
  local f = new { title = "A trajectory, in two and three dimensions", columns = 2, share_x = false }
  f:panel { xlabel = "PC 1", ylabel = "PC 2", zlabel = "PC 3" }:line3(x, y, z)
    :points3({ 0 }, { 0 }, { 2 }, { color = "red", scale = 2, label = "fixed point" })
  f:panel { xlabel = "PC 1", ylabel = "PC 2", equal = true, color_label = "time step t" }:line(x, y, { color = c })
    :points({ 0 }, { 0 }, { color = "red", scale = 2, label = "fixed point" })
  return f
end)

add("spectrum", function()
  local x, y = {}, {}
  for i = 1, 20 do
    x[2 * i - 1], y[2 * i - 1] = math.cos(i) * (.3 + i / 30), math.sin(i) * (.3 + i / 30)
    x[2 * i], y[2 * i] = x[2 * i - 1], -y[2 * i - 1]
  end
  return new { title = "Eigenvalues", size = "column", xlabel = "real part", ylabel = "imaginary part", height = 75 }
    :unit_circle():points(x, y)
end)

add("notes", function()
  local x, y = curve(100, function(i) return 1e4 * math.exp(-i / 7) + 10 + noise(i) end)
  return new { title = "Log axes, notes and lines", subtitle = "a second line, in grey", xlabel = "epoch",
    ylabel = "loss",
    log_y = true, log_x = true }:line(x, y):hline(20, "noise floor"):vline(40, "lr halved")
    :arrow(10, 300, 20, 600, "here it bends"):text(2, 100, "50 % of the way, y₁ ≤ 3 µ", { align = "left" })
end)

add("grid", function()
  local f = new { title = "A grid with shared axes", columns = 3, share_x = true, share_y = true, xlabel = "t",
    height = 90 }
  for k = 1, 6 do
    local x, y = curve(50, function(i) return math.sin(i / 6 + k) * k / 3 end)
    local _, target = curve(50, function(i) return math.sin(i / 6 + k) * k / 3 + noise(i, k) / 5 end)
    f:panel { title = ("sequence %d"):format(k), ylabel = k % 3 == 1 and "y" or nil }
      :line(x, target, { label = "target", color = "target" }):line(x, y, { label = "predicted", color = "predicted" })
  end
  return f
end)

for _, size in ipairs { "column", "slide", "screen" } do
  add("size_" .. size, function()
    local x, y = curve(100, function(i) return 60 * math.exp(-i / 20) + 1 end)
    local _, v = curve(100, function(i) return 64 * math.exp(-i / 20) + 2 + noise(i) / 4 end)
    return new { title = "For a " .. size, subtitle = "elman 3-5-2 · adam, lr 0.01", size = size, xlabel = "epoch",
      ylabel = "loss", log_y = true }:line(x, y, { label = "training" }):line(x, v, { label = "validation" })
  end)
end

add("million", function()
  local x, y = core.arange(1, 1000000), core.sin(core.arange(1, 1000000) * 1e-5)
  return new { title = "A million points, thinned", xlabel = "step", ylabel = "y" }:line(x, y)
end)

add("empty", function()
  return new { title = "Nothing to draw", xlabel = "x", ylabel = "y" }:line({}, {}):line({ 0 / 0 }, { 1 })
end)

return gallery
