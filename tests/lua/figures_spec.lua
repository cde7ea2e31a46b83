-- figures_spec.lua: the standard figures from plain data, and core.plot, which draws them.
local core = require "rnnlab.core"
local figures = require "rnnlab.figures"

local function ramp(n, f)
  local list = {}
  for i = 1, n do
    list[i] = f and f(i) or i
  end
  return list
end

local function a_run()
  return {
    name = "tutorial8-q2-7", sequence = 3, loss = "sse", subtitle = "elman 3-5-2",
    metrics = {
      epoch = ramp(10000), loss = ramp(10000, function(i) return 60 * math.exp(-i / 500) + 1.25 end),
    },
    predictions = {
      { label = "y1", target = { 1, 2, 3, 4 }, predicted = { 1, 2, 3, 5 } },
      { label = "angle", target = { 2, 2, 2, 2 }, predicted = { 2, 2, 2, 0 } },
    },
  }
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function fails(pattern, ...)
  local ok, message = pcall(...)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

describe("rnnlab.figures", function()
  it("makes the prediction and the learning curve", function()
    local list = figures.standard(a_run())
    assert.equal(2, #list)
    local prediction, loss = list[1], list[2]
    assert.equal("prediction", prediction.name)
    assert.equal("tutorial8-q2-7 · sequence 3", prediction.title)
    assert.equal("y₁: RMSE 0.500, R² 0.800     angle: RMSE 1.00", prediction.subtitle) -- a constant has no R²
    assert.equal("y₁(t)", prediction.panels[1].ylabel)
    assert.equal("residual", prediction.panels[2].ylabel)
    assert.same({ 0, 0, 0, 1 }, prediction.panels[2].series[1].y)
    assert.equal("angle(t)", prediction.panels[3].ylabel)
    assert.same({ 3, 1, 3, 1 }, prediction.heights)
    assert.same({ "band", "target", "predicted" }, { prediction.panels[1].series[1].kind,
      prediction.panels[1].series[2].role, prediction.panels[1].series[3].role })
    assert.equal("loss", loss.name)
    assert.equal("sse 1.25 in epoch 10,000 · elman 3-5-2", loss.subtitle)
    assert.equal("loss (sse)", loss.panels[1].ylabel)
    assert.is_true(loss.panels[1].log_y)
    assert.equal(1, #loss.panels[1].series)
    assert.equal(1, #loss.panels)
  end)

  it("shows the gradients' norms where they were kept", function()
    local run = a_run()
    run.metrics = { epoch = { 1, 2, 3 }, loss = { 3, 2, 1 }, gradients = { a = { 3, 0 / 0, 6 }, b = { 4, 0 / 0, 8 } } }
    local panel = figures.loss(run).panels[2]
    assert.equal("gradient norm", panel.ylabel)
    assert.same({ "all gradients", "a", "b" }, { panel.series[1].label, panel.series[2].label, panel.series[3].label })
    assert.same({ 1, 3 }, panel.series[1].x)
    assert.same({ 5, 10 }, panel.series[1].y)
  end)

  it("leaves out what there is no data for", function()
    assert.same({}, figures.standard { name = "a-1" })
    assert.same({}, figures.standard { name = "a-1", metrics = { epoch = {}, loss = {} }, predictions = {} })
    local list = figures.standard { name = "a-1", predictions = { { label = "y1", predicted = { 1, 2 } } } }
    assert.equal(1, #list)
    assert.is_nil(list[1].subtitle)
    assert.equal("a-1", list[1].title)
    assert.equal(1, #list[1].panels[1].series)
  end)

  it("joins validation losses measured now and then, packed or not", function()
    local run = a_run()
    run.metrics = { epoch = ramp(100), loss = ramp(100), val_loss = ramp(100, function(i)
      return i % 10 == 0 and i or 0 / 0
    end) }
    local series = figures.loss(run).panels[1].series
    assert.equal("validation", series[2].label)
    assert.same({ 10, 20, 30, 40, 50, 60, 70, 80, 90, 100 }, series[2].x)
    for key, values in pairs(run.metrics) do
      run.metrics[key] = string.pack(("d"):rep(#values), table.unpack(values))
    end
    series = figures.loss(run).panels[1].series
    assert.equal(800, #series[1].y)
    assert.equal(10, #series[2].y)
  end)

  it("draws six outputs at most and says so", function()
    local run = a_run()
    for k = 1, 8 do
      run.predictions[k] = { label = "y" .. k, target = { 1, 2 }, predicted = { 1, 3 } }
    end
    local prediction = figures.prediction(run)
    assert.equal(6, #prediction.panels)
    assert.matches("^the first 6 of 8 outputs   RMSE  y₁ 0.707   y₂ 0.707", prediction.subtitle)
  end)
end)

describe("core.plot", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("writes the standard figures", function()
    local files, message = core.plot.write(figures.standard(a_run()), folder)
    assert.is_nil(message)
    assert.same({ "prediction.svg", "prediction.png", "prediction.pdf",
      "loss.svg", "loss.png", "loss.pdf" }, files)
    assert.matches("^<%?xml", read(folder .. "/loss.svg"))
    assert.matches("tutorial8%-q2%-7", read(folder .. "/loss.svg"))
    assert.matches("y₁%(t%)", read(folder .. "/prediction.svg"))
    assert.matches("gnuplot loss.gp", read(folder .. "/loss.gp"))
    local _, rows = read(folder .. "/loss.dat"):gsub("\n%d", "")
    assert.is_true(rows > 500 and rows < 3000) -- thinned
    assert.same({ "loss.svg" }, core.plot.write({ figures.loss(a_run()) }, folder, { "svg" }))
  end)

  it("takes packed values and wants as many x as y", function()
    local y = string.pack("ddd", 1, 2, 0 / 0)
    local steps = { y = y, x = { 1, 2, 3 }, role = 7, kind = "steps" }
    local figure = { name = "a", panels = { { series = { steps } } } }
    assert.same({ "a.svg" }, core.plot.write({ figure }, folder, { "svg" }))
    assert.matches("1 1\n2 2\n$", read(folder .. "/a.dat"))
    steps.x = { 1, 2 }
    fails("figure a, panel 1, series 1: 2 x values, but 3 of y", core.plot.write, { figure }, folder)
  end)

  it("says what is wrong with a description", function()
    local function series(s)
      return { { name = "a", panels = { { series = { s } } } } }
    end
    fails("figure 1 is", core.plot.write, { 3 }, folder)
    fails("name must be", core.plot.write, { { name = "../a" } }, folder)
    fails("has no panel", core.plot.write, { { name = "a" } }, folder)
    fails("title is", core.plot.write, { { name = "a", title = {} } }, folder)
    fails("series 1: y is missing", core.plot.write, series {}, folder)
    fails("y%[2%] is", core.plot.write, series { y = { 1, "2" } }, folder)
    fails("string of 9 bytes", core.plot.write, series { y = "123456789" }, folder)
    fails('kind is "pie"; line, points, steps, band, bars, boxes or heat is expected', core.plot.write,
      series { y = {}, kind = "pie" }, folder)
    fails("role is", core.plot.write, series { y = {}, role = 0 }, folder)
    fails("series 1: a band needs y2", core.plot.write, series { y = {}, kind = "band" }, folder)
    fails("no figure format gif", core.plot.write, {}, folder, { "gif" })
    local files, message, kind = core.plot.write(series { y = { 1 } }, "/proc/nowhere")
    assert.is_nil(files)
    assert.matches("/proc/nowhere", message)
    assert.equal("io", kind)
  end)

  it("previews in the terminal", function()
    local text = core.plot.preview(figures.preview_loss(a_run(), { ascii = true, width = 60, height = 12 }))
    local _, lines = text:gsub("\n", "")
    assert.equal(12, lines + 0)
    assert.matches("^sse 1.25 in epoch 10,000\n", text)
    assert.matches("10000\n$", text)
    text = core.plot.preview(figures.preview_prediction(a_run(), 1))
    assert.matches("^y1%(t%), sequence 3", text)
    assert.matches("target", text)
    assert.is_nil(figures.preview_prediction(a_run(), 5))
    assert.is_nil(figures.preview_loss { name = "a" })
    fails("24 to 400", core.plot.preview, { series = {}, width = 5 })
  end)

  it("knows the gnuplot it draws with", function()
    local info = core.plot.info()
    assert.matches("^/", info.path)
    assert.matches("^%d", info.version)
    assert.is_true(info.svg)
  end)
end)
