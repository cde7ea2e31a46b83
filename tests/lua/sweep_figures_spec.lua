-- sweep_figures_spec.lua: the figures of a sweep from plain data.
local figures = require "rnnlab.sweep_figures"
local figure = require "rnnlab.figure"

local function curve(n, f)
  local c = { steps = {}, values = {} }
  for i = 1, n do
    c.steps[i], c.values[i] = i, f(i)
  end
  return c
end

-- Six configurations with two repeats, the last of which has no value.
local function sweep()
  local trials = {}
  for config = 1, 6 do
    for repeat_ = 1, 2 do
      local n = #trials + 1
      local value = ({ 8, 4, 6, .1, 3, 5 })[config] + (repeat_ - 1) / 50
      local lost = config == 6 and repeat_ == 2
      trials[n] = { number = n, config = config, seed = repeat_, status = lost and "diverged" or "finished",
        params = { lr = 10 ^ (-4 + config / 2), hidden = 4 * config, cell = config % 2 == 0 and "gru" or "lstm" },
        value = not lost and value or nil, values = not lost and { value, 10 - config } or {},
        curve = curve(20, function(i) return value + 10 / i end) }
    end
  end
  return { name = "s-sweep-1", objective = { { name = "val_loss", direction = "min" } },
    params = { { name = "lr", kind = "real", low = 1e-4, high = .1, log = true },
      { name = "hidden", kind = "int", low = 1, high = 32 },
      { name = "cell", kind = "choice", choices = { "gru", "lstm" } } },
    importance = { .7, .2, .1 }, trials = trials }
end

local function described(kind, s) return figure.describe(assert(figures[kind](s or sweep()))) end

describe("rnnlab.sweep_figures", function()
  it("shows the history, and trials without a value", function()
    local d = described "history"
    local panel = d.panels[1]
    assert.is_true(panel.log_y)
    assert.equal(11, #panel.series[1].y)
    assert.same({ 8, 8, 4, 4, 4, 4, .1, .1, .1, .1, .1 }, panel.series[2].y)
    assert.same({ 12 }, panel.series[4].x)
    assert.matches("best 0.1000 in trial 7 of 12 · 1 trial without a value", d.subtitle)
    local s = sweep()
    s.objective[1].direction = "max"
    assert.same({ 8, 8.02, 8.02 }, { table.unpack(described("history", s).panels[1].series[2].y, 1, 3) })
  end)

  it("cuts along each parameter, by configurations", function()
    local d = described "slice"
    assert.equal(3, #d.panels)
    assert.is_true(d.panels[1].log_x)
    assert.equal(6, #d.panels[2].series[1].y)
    assert.near(8.01, d.panels[2].series[1].y[1], 1e-12)
    assert.same({ "gru", "lstm" }, d.panels[3].x_tics.labels)
    assert.same({ 16 }, d.panels[2].series[2].x)
  end)

  it("maps the two that matter most", function()
    local d = described "contour"
    assert.equal("lr", d.panels[1].xlabel)
    assert.equal("hidden", d.panels[1].ylabel)
    assert.same({ -4, -3, -2, -1 }, d.panels[1].x_tics.at)
    local map = d.panels[1].series[1]
    assert.equal(48 * 48, #map.y)
    for _, value in ipairs(map.y) do assert.is_true(value >= -1 and value <= 1) end -- log10 of .11 and 8.01
    local s = sweep()
    s.params[2] = nil
    assert.same({ nil, "it takes two numeric parameters" }, { figures.contour(s) })
  end)

  it("lays configurations through parallel axes", function()
    local panel = described("parallel").panels[1]
    assert.equal(6 * 5, #panel.series[1].y)
    assert.equal(2, panel.series[2].role) -- the best, in red
    assert.near(0, panel.series[2].y[4], 1e-12)
  end)

  it("ranks importance", function()
    local panel = described("importance").panels[1]
    assert.same({ "lr", "hidden", "cell" }, panel.y_tics.labels)
    assert.same({ 70, 20, 10 }, panel.series[1].y)
    local s = sweep()
    s.importance = nil
    assert.is_nil(figures.importance(s))
  end)

  it("draws curves, the best of them strong, pruned ones apart", function()
    local s = sweep()
    s.trials[1].status = "pruned"
    local panel = described("curves", s).panels[1]
    assert.same({ "trials", "pruned", "best" }, { panel.series[1].label, panel.series[2].label, panel.series[3].label })
    assert.near(.6, panel.series[3].y[20], 1e-12)
    assert.equal(21, #panel.series[2].y)
    for _, trial in ipairs(s.trials) do trial.curve = nil end
    assert.is_nil(figures.curves(s))
  end)

  it("averages repeats of the best configurations", function()
    local panel = described("repeats").panels[1]
    assert.equal(10, #panel.series)
    assert.matches("^4: ", panel.series[1].label)
    assert.near(.61, panel.series[1].y[20], 1e-12)
    local s = sweep()
    for _, trial in ipairs(s.trials) do trial.config = nil end
    assert.same({ nil, "no configuration was repeated" }, { figures.repeats(s) })
  end)

  it("finds the Pareto front", function()
    assert.is_nil(figures.pareto(sweep()))
    local s = sweep()
    s.objective[2] = { name = "weights", direction = "max" } -- 10 - config: more is better
    local panel = described("pareto", s).panels[1]
    local front = panel.series[3]
    assert.same({ .1, 4, 8 }, { front.x[1], front.x[2], front.x[#front.x] })
    assert.same({ 6, 8, 9 }, { front.y[1], front.y[2], front.y[#front.y] })
  end)

  it("says what there is no data for", function()
    local list, problems = figures.describe(sweep())
    assert.equal(7, #list)
    assert.same({ { kind = "pareto", message = "it takes two objectives" } }, problems)
    list, problems = figures.describe { name = "s", objective = {}, params = {}, trials = {} }
    assert.same({}, list)
    assert.equal(8, #problems)
    list = figures.describe { name = "s", params = {}, trials = { { number = 1, params = {}, value = 1 } } }
    assert.equal("history", list[1].name)
  end)
end)
