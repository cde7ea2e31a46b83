-- The leaky network with its constraints, the reservoir and the LSTM of 1997 whose gates feed gates, against NumPy's
-- vectors (tests/golden/make_cells.py), in every regime and dtype; and what their options refuse.
local core = require "rnnlab.core"
local golden = require "golden"
local nn = require "rnnlab.nn"

local close = golden.close

-- The cell's program on the file's numbers: outputs, final states and every gradient.
local function check_program(case, kind, options, extra)
  for _, dtype in ipairs { "float64", "float32" } do
    core.set_default_dtype(dtype)
    for _, regime in ipairs { "reference", "small", "large" } do
      local g, weights, state0 = golden.open(case, dtype), {}, {}
      local x = g("inputs", "x"):requires_grad_(true)
      options.input_size, options.hidden_size, options.output_size = x:size(3), g.options.hidden_size, 2
      local program = core.cell(kind, options)
      for _, weight in ipairs(program:weights()) do
        if weight.name == "expand" then
          weights.expand = core.tensor { { 1, 1, 0, 0 }, { 0, 0, 1, 1 } }
        else
          weights[weight.name] = g("params", weight.name):requires_grad_(true)
        end
      end
      for _, state in ipairs(program:states()) do
        state0[state.name] = g("inputs", state.name .. "0"):requires_grad_(true)
      end
      local sequences = { x }
      if extra then sequences[2] = g("inputs", extra) end
      local out, last = core.unroll(program, sequences, weights, { state0 = state0, regime = regime })
      local d = out.y - g("inputs", "target")
      local loss = (d * d):sum()
      for name in pairs(state0) do
        loss = loss + (last[name] * g("inputs", "cot_" .. name .. "_n")):sum()
      end
      local where = (" of %s in %s, %s"):format(case, dtype, regime)
      close(g("expected", "y"), out.y, "y" .. where)
      close(g("expected", "h"), out.h, "h" .. where)
      close(g("expected", "loss"), loss, "loss" .. where)
      loss:backward()
      close(g("grads", "x"), x:grad(), "x's gradient" .. where)
      for name, weight in pairs(weights) do
        if name ~= "expand" then close(g("grads", name), weight:grad(), name .. "'s gradient" .. where) end
      end
      for name, state in pairs(state0) do
        close(g("expected", name .. "_n"), last[name], "final " .. name .. where)
        close(g("grads", name .. "0"), state:grad(), name .. "0's gradient" .. where)
      end
    end
  end
end

local function refused(pattern, f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  assert.truthy(tostring(why):find(pattern), tostring(why))
end

describe("cells against NumPy", function()
  after_each(function() core.set_default_dtype "float32" end)

  it("leaky, with state noise", function()
    check_program("ctrnn", "ctrnn", { alpha = .25, noise = true }, "noise")
  end)
  it("a reservoir with feedback and direct connections", function()
    check_program("esn", "esn", { alpha = .375, feedback = true, direct = true })
  end)
  it("the LSTM of 1997 whose gates feed gates, whole and truncated", function()
    local options = { block_size = 2, gates_feed_gates = true }
    check_program("lstm97_gates_feed_gates", "lstm97", options)
    options.truncated = true
    check_program("lstm97_gates_feed_gates_truncated", "lstm97", options)
  end)

  it("Dale's principle and masks", function()
    for _, dtype in ipairs { "float64", "float32" } do
      core.set_default_dtype(dtype)
      local g = golden.open("ctrnn_dale", dtype)
      local layer = nn.CTRNN(3, 5, 2, { alpha = g.options.alpha, activation = "sigmoid", dale = { 1, 1, 1, -1, -1 },
        mask = { W = g("inputs", "mask"), weight_ih = g("inputs", "mask_in") }, U = g("params", "weight_ih"),
        W = g("params", "weight_hh"), b = g("params", "bias"), V = g("params", "weight_ho"), c = g("params", "bias_o"),
        state0 = g("inputs", "v0") })
      local y = layer:forward(g("inputs", "x"))
      local d = y - g("inputs", "target")
      local loss = (d * d):sum() + (layer.last_states.v * g("inputs", "cot_v_n")):sum()
      close(g("expected", "y"), y, "y")
      close(g("expected", "h"), layer.h, "h")
      close(g("expected", "loss"), loss, "loss")
      loss:backward()
      for _, name in ipairs { "weight_ih", "weight_hh", "bias", "weight_ho", "bias_o" } do
        close(g("grads", name), layer[name]:grad(), name)
      end
    end
  end)
end)

describe("constraints", function()
  before_each(function() nn.set_stream(core.rng(3, "init"), 3) end)

  it("hold an Elman layer as they do its copy with the weights multiplied out", function()
    core.set_default_dtype "float64"
    local layer = nn.Elman(2, 6, 1, { dale = .5, mask = .6 })
    local plain = nn.Elman(2, 6, 1, { U = layer.weight_ih:detach(), W = layer:effective("weight_hh"):detach(),
      b = layer.bias:detach(), V = layer.weight_ho:detach(), c = layer.bias_o:detach() })
    local x = core.rng(1, "data"):normal(3, 7, 2)
    close(plain:forward(x), layer:forward(x), "y")
    core.set_default_dtype "float32"
  end)

  it("give each sender one sign, leave masked connections out and keep the spectral radius", function()
    local layer = nn.CTRNN(2, 40, 1, { dale = .75, mask = .4, init = { W = { kind = "spectral", radius = 1.3 } } })
    local zeros = 0
    for i, row in ipairs(layer:effective("weight_hh"):tolist()) do
      for _, w in ipairs(row) do
        if w == 0 then zeros = zeros + 1 end
        assert.is_true(w == 0 or (w > 0) == (i <= 30))
      end
    end
    assert.is_true(zeros > 800 and zeros < 1100, zeros)
    assert.near(1.3, core.linalg.spectral_radius(layer:effective("weight_hh"):detach()), 1e-4)
  end)

  it("mask gated cells and cells written in Lua", function()
    local lstm = nn.LSTM(2, 3, 1, { mask = { weight_ih = .5 } })
    local x = core.rng(1, "data"):normal(2, 5, 2)
    lstm:forward(x):sum():backward()
    local mask, gradient = lstm.constraints.weight_ih.mask:tolist(), lstm.weight_ih:grad():tolist()
    for i = 1, 2 do
      for j = 1, 12 do
        assert.equal(mask[i][j] == 0, gradient[i][j] == 0)
      end
    end
    local own = require("rnnlab.cell").new {
      weights = function(n, h) return { U = { n, h }, W = { h, h } } end,
      step = function(w, input, h) return core.tanh(input:mm(w.U) + h:mm(w.W)) end }
    local layer = nn.Cell(own, 2, 4, { mask = { W = core.eye(4) } })
    layer:forward(x):sum():backward()
    local g = layer.W:grad():tolist()
    assert.equal(0, g[1][2])
    assert.not_equal(0, g[1][1])
  end)

  it("say what is wrong with them", function()
    refused("the sign of unit 2 is 2", nn.CTRNN, 1, 2, 1, { dale = { 1, 2 } })
    refused("or 3 signs.*it has 2", nn.CTRNN, 1, 3, 1, { dale = { 1, -1 } })
    refused("fraction of 1.5", nn.CTRNN, 1, 3, 1, { dale = 1.5 })
    refused("unit 1 is excitatory, but weight_hh%(1, 2%) is %-1", nn.Elman, 1, 2, 1,
      { dale = .5, W = { { 1, -1 }, { -1, -1 } } })
    refused("no option 'dale'", nn.LSTM, 1, 2, 1, { dale = .5 })
    refused("no matrix 'Q'", nn.Elman, 1, 2, 1, { mask = { Q = .5 } })
    refused("weight_hh is %(2, 2%); its mask is %(1, 2%)", nn.Elman, 1, 2, 1, { mask = { { 1, 0 } } })
    refused("weight_hh%(2, 1%) is 0.5; a mask holds 0 and 1", nn.Elman, 1, 2, 1, { mask = { { 1, 0 }, { .5, 1 } } })
    refused("a density of 0", nn.Elman, 1, 2, 1, { mask = 0 })
    refused("takes a density or a tensor", nn.Elman, 1, 2, 1, { mask = "W" })
  end)
end)

describe("time constants", function()
  it("are tau and dt, or alpha", function()
    assert.equal(.2, nn.CTRNN(1, 2, 1, { tau = 100, dt = 20 }).cell_options.alpha)
    assert.equal(.5, nn.CTRNN(1, 2, 1, { tau = 2 }).cell_options.alpha)
    refused("larger than tau", nn.CTRNN, 1, 2, 1, { tau = .5 })
    refused("one or the other", nn.CTRNN, 1, 2, 1, { tau = 2, alpha = .5 })
    refused("without tau", nn.CTRNN, 1, 2, 1, { dt = 2 })
    refused("tau must be a number above 0, not 0", nn.CTRNN, 1, 2, 1, { tau = 0 })
    refused("alpha is 2", nn.CTRNN, 1, 2, 1, { alpha = 2 })
  end)
end)

describe("a reservoir", function()
  it("has a spectral radius, a density and scales; only its read-out is trained", function()
    local layer = nn.Reservoir(2, 100, 1, { radius = 1.2, density = .05, input_scale = .3, bias_scale = .1,
      input_density = .5, direct = true })
    assert.near(1.2, core.linalg.spectral_radius(layer.weight_hh), 1e-4)
    local function share(t) return (core.abs(core.sign(t))):mean():item() end
    assert.near(.05, share(layer.weight_hh), .01)
    assert.near(.5, share(layer.weight_ih), .15)
    assert.is_true(layer.weight_ih:max():item() <= .3 and layer.bias:max():item() <= .1)
    local names = {}
    for _, parameter in ipairs(layer:parameters()) do
      names[#names + 1] = parameter.name
    end
    assert.same({ "weight_ho", "weight_io", "bias_o" }, names)
    assert.equal(3, #layer:buffers())
    assert.equal("esn 2-100-1", layer:describe())
  end)

  it("of many units runs as the plain loops do, alone and in a batch", function()
    core.set_default_dtype "float64"
    local layers = {}
    for i, regime in ipairs { "auto", "reference" } do
      nn.set_stream(core.rng(4, "init"), 4)
      layers[i] = nn.Reservoir(20, 300, 2, { density = .02, leak = .3, input_density = .03, bias_scale = .1,
        feedback = true, feed = "own", regime = regime })
      layers[i].weight_ho:detach():copy(core.rng(5, "data"):normal(300, 2) * .02)
    end
    local x = core.rng(1, "data"):normal(7, 30, 20)
    local y = layers[1]:forward(x)
    assert.is_true(y:detach():abs():max():item() > .01)
    assert.is_true((y - layers[2]:forward(x)):detach():abs():max():item() < 1e-12)
    local alone = layers[1]:forward(x:narrow(1, 3, 1))
    assert.equal(0, (alone - y:narrow(1, 3, 1)):detach():abs():max():item())
  end)

  it("says what is wrong with its options", function()
    refused("leak must be a number above 0 and at most 1, not 2", nn.Reservoir, 1, 20, 1, { leak = 2 })
    refused("radius must be a number of at least 0, not %-1", nn.Reservoir, 1, 20, 1, { radius = -1 })
    refused("density must be", nn.Reservoir, 1, 20, 1, { density = 0 })
    refused("feedback needs a read%-out", nn.Reservoir, 1, 20, { feedback = true })
    refused("feed is of an output", nn.Reservoir, 1, 20, 1, { feed = "own" })
    refused("feedback must be true or false", nn.Reservoir, 1, 20, 1, { feedback = .5 })
    refused("did you mean 'radius'", nn.Reservoir, 1, 20, 1, { radiuss = 2 })
    refused("no eigenvalue but zero", nn.Reservoir, 1, 4, 1, { density = 1e-9 })
  end)
end)

describe("forward mode", function()
  it("is the Jacobian times a direction", function()
    core.set_default_dtype "float64"
    for _, kind in ipairs { "elman", "jordan", "lstm", "lstm_peephole", "lstm_layernorm", "lstm97", "gru",
      "gru_original", "ctrnn", "esn" } do
      nn.set_stream(core.rng(3, "init"), 3)
      local options = kind == "ctrnn" and { alpha = .5 } or kind == "esn" and { leak = .5, feedback = true } or nil
      local layer = nn.rnn(kind, 2, 4, kind == "jordan" and 3 or kind == "esn" and 3 or nil, options)
      local rng, program = core.rng(1, "data"), layer:program "plain"
      local state0, direction, leaves, along, weights = {}, {}, {}, {}, {}
      for i, state in ipairs(program:states()) do
        state0[state.name] = rng:normal(2, state.size):requires_grad_(true)
        direction[state.name] = rng:normal(2, state.size)
        leaves[i], along[i] = state0[state.name], direction[state.name]
      end
      for _, weight in ipairs(program:weights()) do
        weights[weight.name] = layer[weight.name]
      end
      local x = rng:normal(2, 3, 2)
      local function final(scale)
        local from = {}
        for name, state in pairs(state0) do
          from[name] = scale and state:detach() + scale * direction[name] or state
        end
        local _, last = core.unroll(program, { x }, weights, { state0 = from })
        local list = {}
        for i, state in ipairs(program:states()) do
          list[i] = last[state.name]
        end
        return list
      end
      local tangents = core.jvp(final(), leaves, along)
      local up, down = final(1e-6), final(-1e-6)
      for i = 1, #leaves do
        close((up[i] - down[i]) / 2e-6, tangents[i], kind .. " tangent", 1e-8)
      end
    end
    core.set_default_dtype "float32"
  end)

  it("wants leaves and tangents of one shape", function()
    local leaf = core.ones(2):requires_grad_(true)
    local out = leaf * leaf
    assert.same({ 6, 2 }, core.jvp({ out }, { leaf }, { core.tensor { 3, 1 } })[1]:tolist())
    refused("tangent 1 is not shaped", core.jvp, { out }, { leaf }, { core.ones(3) })
    refused("no tensor that requires", core.jvp, { out }, { out }, { core.ones(2) })
    refused("as many tangents", core.jvp, { out }, { leaf }, { core.ones(2), core.ones(2) })
    refused("0 outputs", core.jvp, {}, { leaf }, { core.ones(2) })
  end)
end)

describe("linear algebra", function()
  local linalg = core.linalg
  it("has eigenvalues, singular values and solutions, in float64", function()
    local re, im = linalg.eig(core.tensor { { 0, -2 }, { 2, 0 } })
    close(core.zeros(2, "float64"), re, "re")
    close(core.tensor({ 2, -2 }, "float64"), im, "im")
    assert.equal("float64", re:dtype())
    local values, vectors = linalg.eigh(core.tensor { { 2, 1 }, { 1, 2 } })
    close(core.tensor({ 1, 3 }, "float64"), values, "values")
    close(core.tensor({ .5, .5 }, "float64"), core.square(vectors:select(1, 2)), "vector")
    local a = core.rng(1, "data"):normal(4, 3):double()
    local u, s, vt = linalg.svd(a)
    close(a, (u * s:unsqueeze(1)):mm(vt), "u s vt")
    local square = a:narrow(1, 1, 3)
    close(core.eye(3, 3, "float64"), square:mm(linalg.solve(square, core.eye(3))), "A A^-1")
    local x, rank = linalg.lstsq(a, a:mm(core.ones(3, 2, "float64")))
    close(core.ones(3, 2, "float64"), x, "x")
    assert.equal(3, rank)
    assert.near(2, linalg.spectral_radius(core.tensor { { 0, -2 }, { 2, 0 } }), 1e-9)
  end)

  it("says what is wrong with a matrix", function()
    refused("eig: a square matrix is expected, not %(1, 2%)", linalg.eig, core.tensor { { 1, 2 } })
    refused("svd: a matrix is expected, not %(3%)", linalg.svd, core.ones(3))
    refused("singular", linalg.solve, core.zeros(2, 2), core.ones(2, 1))
    refused("2 rows and the right%-hand side 3", linalg.solve, core.eye(2), core.ones(3, 1))
    refused("eigenvalues: element %(1, 1%)", linalg.eig, core.tensor { { 0 / 0, 1 }, { 1, 1 } })
    refused("a tensor is expected", linalg.eig, 3)
  end)
end)
