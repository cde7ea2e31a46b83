-- figure_spec.lua: r.figure and r.plot, what they describe and what they refuse.
local core = require "rnnlab.core"
local figure = require "rnnlab.figure"
local r = require "rnnlab"

local function fails(pattern, ...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(message), 1, true)
end

local function first(f) return figure.describe(f).panels[1] end

describe("r.figure", function()
  it("takes lists and tensors alike, with or without x", function()
    local f = r.figure { xlabel = "t" }:line({ 1, 2, 3 }):line(r.tensor { 1, 2, 3 }, r.tensor { 4, 5, 6 })
      :points(r.tensor { { 1, 2, 3 } }, { label = "dots", color = "red" }) -- (1, 3) is one row
    local panel = first(f)
    assert.equal(3, #panel.series)
    assert.is_nil(panel.series[1].x)
    assert.equal("t", panel.xlabel)
    assert.same({ "points", "dots", 2 }, { panel.series[3].kind, panel.series[3].label, panel.series[3].role })
    assert.same({ 1, 2 }, { panel.series[1].role, panel.series[2].role })
  end)

  it("keeps the colour of a label, and adds panels", function()
    local f = r.figure { columns = 2 }
    f:panel { title = "a" }:line({ 1, 2 }, nil, { label = "x" }):line({ 1, 3 }):line({ 1, 4 }, nil, { label = "x" })
    f:panel { title = "b" }
    f:line { 1, 2 }
    local d = figure.describe(f, "mine")
    assert.equal("mine", d.name)
    assert.equal(2, #d.panels)
    assert.same({ 1, 2, 1 }, { d.panels[1].series[1].role, d.panels[1].series[2].role, d.panels[1].series[3].role })
    assert.equal("b", d.panels[2].title)
    assert.equal(1, #d.panels[2].series)
    assert.is_true(d.own_x)
    assert.equal(f:panel(2), f[2])
  end)

  it("names both shapes where lengths differ", function()
    fails("line: x has shape (3) and y has shape (2)", function() r.figure():line({ 1, 2, 3 }, { 1, 2 }) end)
    fails("band: low has shape (2) and high has shape (1)", function() r.figure():band({ 1, 2 }, { 1, 2 }, { 1 }) end)
    fails("points: error has shape (1) and y has shape (2)", function()
      r.figure():points({ 1, 2 }, nil, { error = { 1 } })
    end)
    fails("line: y: a tensor of shape (2, 3)", function() r.figure():line(r.zeros(2, 3)) end)
    fails("mean: row 2 has 1 values, but row 1 has 2", function() r.figure():mean(nil, { { 1, 2 }, { 1 } }) end)
    fails("contour: z has shape (2, 2), but y has 3 values and x 2: (3, 2) is expected", function()
      r.figure():contour({ 1, 2 }, { 1, 2, 3 }, { { 1, 2 }, { 3, 4 } })
    end)
    fails("confusion: the matrix has shape (1, 2)", function() r.figure():confusion { { 1, 2 } } end)
    fails("line: color has shape (1) and y has shape (2)", function()
      r.figure():line({ 1, 2 }, nil, { color = { 1 } })
    end)
  end)

  it("says what it does not know, and what was meant", function()
    fails("a figure has no 'lin'; did you mean 'line'?", function() return r.figure():lin { 1 } end)
    fails("a panel has no 'histogramm'; did you mean 'histogram'?", function() r.figure():panel {}:histogramm { 1 } end)
    fails("line has no option 'lable'; did you mean 'label'?", function()
      r.figure():line({ 1 }, nil, { lable = "a" })
    end)
    fails("figure has no option 'xlable'; did you mean 'xlabel'?", r.figure, { xlable = "t" })
    fails("size is the text 'colum'; did you mean 'column'?", r.figure, { size = "colum" })
    fails("color is the text 'pink'", function() r.figure():line({ 1 }, nil, { color = "pink" }) end)
    fails("dash is the text 'wavy'", function() r.figure():line({ 1 }, nil, { dash = "wavy" }) end)
    fails("axis is a number", function() r.figure():line({ 1 }, nil, { axis = 3 }) end)
    fails("entry 2 is the text 'b'", function() r.figure():line { 1, "b" } end)
    fails("not nil", function() r.figure():line() end)
    fails("text: y: a number is expected", function() r.figure():text(1, "a", "b") end)
    fails("hline: y is not finite", function() r.figure():hline(math.huge) end)
    fails("panel(3): the figure has 0", function() r.figure():panel(3) end)
    fails("view is { azimuth, elevation }", function()
      figure.describe(r.figure { view = { 100, 0 } }:line3({ 1 }, { 1 }, { 1 }))
    end)
  end)

  it("puts values in bins", function()
    local panel = first(r.figure():histogram({ 0, 0.5, 1, 1.5, 2, 0 / 0 }, { bins = 2 }))
    assert.same({ 2, 3 }, panel.series[1].y) -- the upper end belongs to the last
    assert.same({ 0.5, 1.5 }, panel.series[1].x)
    assert.equal("count", panel.ylabel)
    panel = first(r.figure():histogram({ 1, 1, 1 }, { density = true }))
    local sum = 0
    for _, density in ipairs(panel.series[1].y) do sum = sum + density end
    assert.near(1, sum * (panel.series[1].x[2] - panel.series[1].x[1]), 1e-9)
    fails("bins is", function() r.figure():histogram({ 1 }, { bins = 0 }) end)
  end)

  it("makes box plots as Tukey drew them", function()
    local panel = first(r.figure():boxes { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 30 } })
    local box = panel.series[1]
    assert.same({ 3.25, 5.5, 7.75, 1, 9 }, { box.y[1], box.mid[1], box.y2[1], box.low[1], box.high[1] })
    assert.same({ 30 }, panel.series[2].y)
  end)

  it("averages curves", function()
    local panel = first(r.figure():mean({ 1, 2 }, { { 1, 2 }, { 3, 6 } }))
    assert.same({ 2, 4 }, panel.series[1].y)
    assert.near(2 - math.sqrt(2), panel.series[2].y[1], 1e-12)
    panel = first(r.figure():mean({ { 1, 2 }, { 3, 6 }, { 9, 0 } }, nil, { spread = "range" }))
    assert.same({ 1, 0 }, panel.series[2].y)
    assert.same({ 9, 6 }, panel.series[2].y2)
    panel = first(r.figure():mean(nil, { { 1 }, { 2 }, { 3 } }, { spread = "quantiles" }))
    assert.same({ 2 }, panel.series[1].y)
    assert.same({ 1.5 }, panel.series[2].y)
  end)

  it("places grouped bars and names", function()
    local panel = first(r.figure():bars({ "a", "b" }, { { 1, 2 }, { 3, 4 } }, { names = { "x", "y" } }))
    assert.same({ "a", "b" }, panel.x_tics.labels)
    assert.same({ 0.8, 1.8 }, panel.series[1].x)
    assert.same({ 1.2, 2.2 }, panel.series[2].x)
    assert.equal("y", panel.series[2].label)
    fails("bars: labels has shape (1) and y has shape (2)", function() r.figure():bars({ "a" }, { 1, 2 }) end)
  end)

  it("finds the line of a level", function()
    -- z = x over [0, 2]: the level 0.5 is the vertical line there
    local panel = first(r.figure():contour({ 0, 1, 2 }, { 0, 1, 2 }, { { 0, 1, 2 }, { 0, 1, 2 }, { 0, 1, 2 } },
      { levels = { 0.5 } }))
    local line = panel.series[2]
    local points = 0
    for i, x in ipairs(line.x) do
      if x == x then
        assert.near(0.5, x, 1e-12)
        points = points + 1
        assert.is_true(line.y[i] >= 0 and line.y[i] <= 2)
      end
    end
    assert.equal(4, points)
    assert.same({ -.5, 2.5, -.5, 2.5 }, panel.series[1].extent)
  end)

  it("puts rows between parallel axes", function()
    local panel = first(r.figure():parallel({ { name = "lr", log = true, low = 0.01, high = 1 }, "cell", "bias" },
      { { 0.1, "gru", true }, { 1, "elman", false }, { -1, "gru", true } }, { values = { 1, 2, 3 }, best = 2 }))
    local lines = panel.series[1]
    assert.near(0.5, lines.y[1], 1e-12)
    assert.equal(1, lines.y[2]) -- elman, gru: sorted
    assert.equal(1, lines.y[3])
    assert.near(1, lines.y[5], 1e-12)
    assert.equal(0, lines.y[6])
    assert.is_true(lines.y[9] ~= lines.y[9]) -- -1 has no place on a log axis
    assert.same({ 1, 0, 0 }, { panel.series[2].y[1], panel.series[2].y[2], panel.series[2].y[3] })
    fails("two axes at least", function() r.figure():parallel({ "a" }, {}) end)
    fails("values has shape (1) and rows has shape (2)", function()
      r.figure():parallel({ "a", "b" }, { { 1, 2 }, { 3, 4 } }, { values = { 1 } })
    end)
  end)

  it("sees three dimensions from afar", function()
    local f = r.figure():line3({ 0, 1 }, { 0, 0 }, { 0, 0 }):points3({ 1 }, { 1 }, { 1 })
    local panel = figure.describe(f).panels[1]
    figure.describe(f) -- twice is the same
    assert.is_true(panel.bare and panel.equal)
    local points = panel.series[#panel.series]
    assert.equal("points", points.kind)
    local line = panel.series[#panel.series - 1]
    assert.is_true(line.y[2] < line.y[1]) -- x comes towards the eye, and so down
    assert.is_true(points.y[1] > line.y[1])
    fails("line3: x has shape (2) and z has shape (1)", function() r.figure():line3({ 1, 2 }, { 1, 2 }, { 1 }) end)
  end)

  it("shows every kind in the terminal", function()
    local source = assert(os.getenv "RNNLAB_SOURCE", "run by CTest")
    for _, item in ipairs(dofile(source .. "/tests/figures/gallery.lua")) do
      for _, ascii in ipairs { true, false } do
        local said = item.make():preview { width = 60, height = 12, ascii = ascii }
        assert.is_true(#said > 20, item.name)
        for line in said:gmatch "[^\n]*" do
          assert.is_true(utf8.len(line) <= 60, item.name .. ": " .. line)
          if ascii then assert.is_nil(line:find "[\128-\255]", item.name .. ": " .. line) end
        end
      end
    end
    local bars = r.figure():bars({ 1, 2 }):preview { width = 40, height = 8, ascii = true }
    assert.matches("2 |%s+%*+\n", bars)
    assert.matches("0 |%s*%*+%s+%*+\n", bars)
    local map = r.figure():heat({ { 0, 1 }, { 1, 0 } }):preview { ascii = true }
    assert.matches("|  @@\n  |@@  \n  0 ' ' to 1.00 '@'", map)
  end)

  it("does not write files from within a run", function()
    local box = require("rnnlab.face").new(function(load_) return load_ end)
    fails("a run keeps its figures itself", function() box.figure():line({ 1 }):save "/tmp/x.svg" end)
    fails("a run keeps its figures itself", function() box.plot({ 1, 2 }):save "/tmp/x.svg" end)
    assert.is_false(getmetatable(box.figure()))
  end)

  it("saves elsewhere", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert.same({ "curve.svg" }, r.figure():line({ 1, 2 }):save(folder .. "/curve.svg"))
    local file = assert(io.open(folder .. "/curve.svg"))
    assert.matches("^<%?xml", file:read "a")
    file:close()
    assert.same({ "b.pdf", "b.tex" }, r.figure():line({ 1, 2 }):save(folder .. "/b", { "pdf", "tex" }))
    fails("there is no figure format gif", function() r.figure():line({ 1 }):save(folder .. "/b.gif") end)
    os.execute("rm -rf '" .. folder .. "'")
  end)
end)

describe("r.plot", function()
  it("takes Torch's curve tuples", function()
    local f = r.plot({ "a", { 1, 2 }, { 3, 4 }, "-" }, { { 1, 2 }, "+" },
      { "c", r.tensor { 1, 2 }, r.tensor { 3, 4 }, "+-" }, { { 1, 2 }, { 3, 4 } }, { "e", { 1, 2, 3 }, "|" },
      { title = "t" })
    local d = figure.describe(f)
    assert.equal("t", d.title)
    local kinds, labels = {}, {}
    for i, series in ipairs(d.panels[1].series) do
      kinds[i], labels[i] = series.kind, series.label or ""
    end
    assert.same({ "line", "points", "line", "line", "bars" }, kinds)
    assert.same({ "a", "", "c", "", "e" }, labels)
    assert.is_true(d.panels[1].series[3].marks)
    assert.same({ 3, 4 }, d.panels[1].series[4].y)
  end)

  it("takes bare values", function()
    assert.same({ 3, 4 }, first(r.plot({ 1, 2 }, { 3, 4 })).series[1].y)
    assert.is_nil(first(r.plot({ 1, 2 })).series[1].x)
    local panel = first(r.plot("name", { 1, 2 }, { 3, 4 }, "+"))
    assert.same({ "points", "name" }, { panel.series[1].kind, panel.series[1].label })
    assert.equal(1, #first(r.plot(r.tensor { 1, 2 })).series)
  end)

  it("says what is wrong with a tuple", function()
    fails("plot: something to plot", r.plot)
    fails("plot, curve 1: its format is 'with lines'", r.plot, { "a", { 1 }, { 1 }, "with lines" })
    fails("plot, curve 2: x has shape (1) and y has shape (2)", r.plot, { "a", { 1 }, { 1 } }, { "b", { 1 }, { 1, 2 } })
    fails("plot, curve 2: a table", r.plot, { "a", { 1 } }, 3)
  end)
end)

describe("core.plot with figures", function()
  it("draws the others where one fails, and names it", function()
    local folder = os.tmpname()
    os.remove(folder)
    local real = core.plot.info().path
    local fake = os.tmpname()
    local file = assert(io.open(fake, "w"))
    file:write("#!/bin/sh\nsed -i 's/^  plot/  plt/' bad.gp\nexec '", real, "' \"$@\"\n")
    file:close()
    os.execute("chmod +x " .. fake)
    local script = os.tmpname()
    file = assert(io.open(script, "w"))
    file:write([[
      local core, figure = require "rnnlab.core", require "rnnlab.figure"
      local list = {}
      for _, name in ipairs { "a", "bad", "c" } do
        list[#list + 1] = figure.describe(figure.new():line { 1, 2 }, name)
      end
      local files, message = core.plot.write(list, arg[1], { "svg" })
      print(table.concat(files, " "))
      print(message)
    ]])
    file:close()
    local pipe = assert(io.popen(("RNNLAB_GNUPLOT='%s' %s '%s' '%s'"):format(fake,
      os.getenv "RNNLAB_TEST_LUA" or "lua5.4", script, folder)))
    local said = pipe:read "a"
    pipe:close()
    assert.matches("^a%.svg c%.svg\nfigure \"bad\": gnuplot failed", said)
    os.execute(("rm -rf '%s' '%s' '%s'"):format(folder, fake, script))
  end)
end)
