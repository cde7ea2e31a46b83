-- r.analysis against NumPy (tests/golden/make_analysis.py), against what is known of maps, and for every cell.
local analysis = require "rnnlab.analysis"
local cell = require "rnnlab.cell"
local core = require "rnnlab.core"
local golden = require "golden"
local nn = require "rnnlab.nn"

local close = golden.close

local function refused(pattern, f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(why):find(pattern), tostring(why))
end

-- With the collector running all the time (the sanitizer build) a few cells stand for all.
local few = os.getenv "RNNLAB_TEST_GC" == "aggressive"

local kinds = few and { "elman", "lstm" }
  or { "elman", "jordan", "lstm", "lstm_peephole", "lstm_layernorm", "lstm97", "gru", "gru_original", "ctrnn",
  "esn" }

local function net_of(kind)
  local options = kind == "ctrnn" and { alpha = .4, noise = .1 } or kind == "esn" and { leak = .5, feedback = true }
    or kind == "lstm97" and { gates_feed_gates = true, block_size = 2 } or nil
  return nn.rnn(kind, 2, 4, 2, options)
end

-- Hénon's map x' = 1 - a x^2 + y, y' = b x, as a cell that does not look at its input. In float64, so that its numbers
-- are.
local function henon()
  core.set_default_dtype "float64"
  local map = cell.new { name = "henon", states = { "x", "y" },
    weights = function(n, h) return { U = { n, h } } end,
    step = function(w, input, x, y) return 1 - 1.4 * x * x + y + 0 * input:mm(w.U), .3 * x end }
  local layer = nn.Cell(map, 1, 1)
  core.set_default_dtype "float32"
  return layer
end

describe("analysis", function()
  before_each(function() nn.set_stream(core.rng(4, "init"), 4) end)

  it("has the spectrum and the principal components NumPy has", function()
    local g = golden.open "analysis_spectrum_pca"
    local spectrum = analysis.spectrum(g("inputs", "W"))
    close(g("expected", "re"), spectrum.re, "re")
    close(g("expected", "im"), spectrum.im, "im")
    assert.near((spectrum.re:tolist()[1] ^ 2 + spectrum.im:tolist()[1] ^ 2) ^ .5, spectrum.radius, 1e-12)
    local pca = analysis.pca(g("inputs", "states"))
    for _, name in ipairs { "mean", "components", "variance", "ratio", "projections" } do
      close(g("expected", name), pca[name], name)
    end
    local two = analysis.pca(g("inputs", "states"), { components = 2 })
    assert.same({ 3, 11, 2 }, two.projections:size())
    assert.same({ 2, 4 }, two.components:size())
  end)

  it("leaves padding out of principal components", function()
    local states = core.rng(1, "data"):normal(2, 5, 3):double()
    local rows = core.cat({ states:select(1, 1), states:select(1, 2):narrow(1, 1, 2) }, 1)
    close(analysis.pca(rows).components, analysis.pca(states, { lengths = { 5, 2 } }).components, "components")
  end)

  it("finds the fixed points that Newton's method finds from a grid", function()
    local g = golden.open "analysis_dynamics"
    local layer = nn.Elman(2, 3, { U = g("params", "weight_ih"), W = g("params", "weight_hh"),
      b = g("params", "bias") })
    local found = analysis.fixed_points(layer, { input = g("inputs", "u"), starts = 30 })
    local points, unstable, radius = g("expected", "points"), g("expected", "unstable"):tolist(),
      g("expected", "radius"):tolist()
    assert.equal(points:size(1), #found.points)
    assert.equal(30, found.starts)
    local seen = 0
    for i = 1, #found.points do
      local want = points:select(1, i)
      for _, point in ipairs(found.points) do
        if (point.state - want):norm():item() < 1e-7 then
          seen = seen + 1
          assert.equal(unstable[i], point.unstable)
          assert.equal(unstable[i] == 0 and "stable" or unstable[i] == 3 and "unstable" or "saddle", point.kind)
          assert.near(radius[i], point.eigenvalues.radius, 1e-7)
          assert.is_true(point.q <= 1e-20)
          close(point.state, point.states.h, "h")
        end
      end
    end
    assert.equal(points:size(1), seen)
    assert.equal("float32", core.default_dtype())
    assert.is_true(layer.weight_hh:requires_grad())
  end)

  it("finds one unit's fixed points, and none where there is none", function()
    local points = analysis.fixed_points(nn.Elman(1, 1, { W = 2, U = 1, b = { 0 } })).points
    local by_kind = { stable = 0, unstable = 0 }
    for _, point in ipairs(points) do
      by_kind[point.kind] = by_kind[point.kind] + 1
      local h = point.state:item()
      assert.near(h, math.abs(h) < .5 and 0 or (h > 0 and 1 or -1) * .95750402407727, 1e-9)
    end
    assert.same({ stable = 2, unstable = 1 }, by_kind)
    -- h' = h + .001: every state is slow, none is fixed
    local drift = nn.Elman(1, 1, { W = 1, U = 1, b = { .001 }, activation = "linear" })
    local none = analysis.fixed_points(drift, { starts = 3 })
    assert.same({ 0, 3 }, { #none.points, #none.slow })
    assert.near(5e-7, none.slow[1].q, 1e-12)
  end)

  it("has the Lyapunov exponents a QR of Jacobians has, and Hénon's", function()
    local g = golden.open "analysis_dynamics"
    local layer = nn.Elman(2, 3, { U = g("params", "weight_ih"), W = g("params", "weight_hh") * g.options.gain,
      b = g("params", "bias") })
    local found = analysis.lyapunov(layer, { x = g("inputs", "x"), start = g("inputs", "h0"), exponents = 3,
      washout = g.options.washout })
    close(g("expected", "exponents"), found.exponents, "exponents", 2e-2) -- other tangents at the beginning
    close(g("expected", "h_n"), found.state, "state", 1e-9)
    assert.same({ 350 }, found.history:size())
    local sum, want = 0, 0
    for i, v in ipairs(g("expected", "exponents"):tolist()) do
      sum, want = sum + found.exponents:tolist()[i], want + v
    end
    assert.near(want, sum, 1e-9) -- the volume's growth depends on no vectors

    local map = analysis.lyapunov(henon(), { steps = 1000, exponents = 2, start = { x = { .1 }, y = { .1 } } })
    assert.near(.4192, map.largest, .03)
    assert.near(math.log(.3), map.exponents:sum():item(), 1e-9)
    assert.near(map.largest, map.history:tolist()[1000], 1e-12)
    local per_time = analysis.lyapunov(henon(), { steps = 50, start = { .1, .1 }, dt = .5 })
    assert.near(2 * analysis.lyapunov(henon(), { steps = 50, start = { .1, .1 } }).largest, per_time.largest, 1e-12)
  end)

  it("finds Hénon's two saddles, its Jacobian and its states by name", function()
    local found = analysis.fixed_points(henon(), { starts = 20 })
    assert.equal(2, #found.points)
    for _, point in ipairs(found.points) do
      local x = point.states.x:item()
      assert.near(0, 1.4 * x * x + .7 * x - 1, 1e-9)
      assert.same({ "saddle", 1 }, { point.kind, point.unstable })
      close(core.tensor({ { -2.8 * x, 1 }, { .3, 0 } }, "float64"), point.jacobian, "Jacobian")
    end
    local jacobian, after = analysis.jacobian(henon(), { x = { .5 }, y = { .25 } })
    close(core.tensor({ { -1.4, 1 }, { .3, 0 } }, "float64"), jacobian, "Jacobian")
    close(core.tensor({ .9, .15 }, "float64"), after, "F")
  end)

  it("differentiates every cell, alone and in stacks, as differences do", function()
    local function check(net, what, options)
      local found = analysis.fixed_points(net, { starts = 1, iterations = 1, slow = 1e9,
        closed_loop = options and options.closed_loop })
      local state = (found.slow[1] or found.points[1]).state
      local size = state:numel()
      local jacobian, at = analysis.jacobian(net, state, options)
      for j = 1, size, 3 do
        local up, down = state:clone(), state:clone()
        up[j], down[j] = up[j] + 1e-6, down[j] - 1e-6
        local _, f = analysis.jacobian(net, up, options)
        local _, b = analysis.jacobian(net, down, options)
        close((f - b) / 2e-6, jacobian:t():select(1, j), what, 1e-7)
      end
      assert.equal(size, at:numel())
    end
    for _, kind in ipairs(kinds) do
      check(net_of(kind), kind, { input = { .3, -.2 } })
      check(net_of(kind), kind .. " in a loop", { closed_loop = true })
    end
    check(nn.rnn("lstm", 2, 3, 2, { layers = 2, residual = true }), "a stack", { input = { 1, 2 } })
    check(nn.Sequential(nn.GRU(2, 3), nn.Dropout(.5), nn.CTRNN(3, 2, { alpha = .3, dale = .5, mask = .9 })), "layers")
  end)

  it("starts from states that were visited, in every cell", function()
    local x = core.rng(1, "data"):normal(3, 6, 2)
    for _, kind in ipairs(kinds) do
      local net = net_of(kind)
      local found = analysis.fixed_points(net, { from = x, starts = 5, noise = .01 })
      assert.equal(5, found.starts, kind)
      local exponents = analysis.lyapunov(net, { steps = 8, washout = 2, exponents = 2 }).exponents:tolist()
      assert.is_true(exponents[1] >= exponents[2] - 1 and exponents[1] == exponents[1], kind)
    end
  end)

  it("lists the matrices that feed back, gate by gate", function()
    local function names(net)
      local list = {}
      for i, spectrum in ipairs(analysis.spectrum(net)) do
        list[i] = spectrum.layer .. ":" .. spectrum.matrix
      end
      return table.concat(list, " ")
    end
    assert.equal("1:weight_hh", names(nn.Elman(2, 3)))
    assert.equal("1:V W", names(nn.Jordan(2, 3, 2)))
    assert.equal("1:weight_hh.i 1:weight_hh.f 1:weight_hh.g 1:weight_hh.o", names(nn.LSTM(2, 3)))
    assert.equal("1:weight_hh.r 1:weight_hh.z 1:weight_hn", names(nn.OriginalGRU(2, 3)))
    assert.equal("1:weight_hh 2:weight_hh", names(nn.Sequential(nn.Elman(2, 3), nn.Elman(3, 4))))
    assert.near(1.2, analysis.spectrum(nn.Reservoir(1, 30, { radius = 1.2 }))[1].radius, 1e-4)
  end)

  it("says what is wrong", function()
    local net = nn.Elman(2, 3, 1)
    refused("has no option 'startz'; did you mean 'starts'", analysis.fixed_points, net, { startz = 1 })
    refused("input is %(3%); the network takes 2 features", analysis.fixed_points, net, { input = { 1, 2, 3 } })
    refused("starts are %(2, 2%); expected %(starts, 3%)", analysis.fixed_points, net, { starts = core.zeros(2, 2) })
    refused("starts must be a whole number", analysis.fixed_points, net, { starts = 2.5 })
    refused("from is %(3, 2%); expected %(batch, time, 2%)", analysis.fixed_points, net, { from = core.zeros(3, 2) })
    refused("as many outputs as inputs; the network has 1 and 2", analysis.lyapunov, net, { closed_loop = true })
    refused("a network is expected, not a number", analysis.lyapunov, 3)
    refused("the network has no recurrent layer", analysis.spectrum, nn.Sequential(nn.Linear(2, 2)))
    refused("runs from the sequence's end", analysis.lyapunov, nn.rnn("elman", 2, 3, 1, { bidirectional = true }))
    refused("a state is %(2%); expected %(6%), h and c side by side", analysis.jacobian, nn.LSTM(2, 3), { 1, 2 })
    refused("state 'c' is missing", analysis.jacobian, nn.LSTM(2, 3), { h = { 1, 2, 3 } })
    refused("exponents is 5; it can be at most 3", analysis.lyapunov, net, { exponents = 5 })
    refused("x has 50 steps; washout takes 100", analysis.lyapunov, net, { x = core.zeros(50, 2) })
    refused("x is %(1, 50, 3%); expected %(time, 2%)", analysis.lyapunov, net, { x = core.zeros(50, 3) })
    refused("one row has no variance", analysis.pca, core.zeros(1, 3))
    refused("components is 4; it can be at most 3", analysis.pca, core.zeros(5, 3), { components = 4 })
    refused("pca: states must be a tensor", analysis.pca, "h")
    refused("2 lengths for 5 sequences", analysis.pca, core.zeros(5, 4, 3), { lengths = { 1, 2 } })
    refused("a square matrix", analysis.spectrum, core.zeros(2, 3))
    refused("no longer finite at step", analysis.lyapunov, henon(), { start = { 100, 100 } })
    assert.equal("float32", core.default_dtype())
  end)
end)
