-- The three scripts of the tutorial give the tutorial's numbers, and the same bits every time.
local cli = require "helper"

local function script(name) return cli.quote(cli.root .. "/scripts/" .. name) end

local function rounded(sequence)
  local list = {}
  for i, row in ipairs(sequence) do
    list[i] = {}
    for k, value in ipairs(row) do
      list[i][k] = ("%.2f"):format(value):gsub("^%-0.00$", "0.00")
    end
  end
  return list
end

local function forward(name, more)
  local got = cli.run("run " .. script(name) .. " --json " .. (more or ""))
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

local function train(words)
  local got = cli.run("run " .. script "tutorial8_q2.lua" .. " --json --no-plot " .. words)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

describe("the tutorial", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("question 1(a): the Elman network's outputs and hidden states", function()
    local run = forward "tutorial8_q1a.lua"
    assert.same({ { "0.27" }, { "0.73" }, { "0.94" }, { "0.11" } }, rounded(run.y[1]))
    assert.same({ { "0.00", "0.99" }, { "0.99", "1.00" }, { "1.00", "-0.21" }, { "-0.54", "0.98" } },
      rounded(run.h[1]))
    assert.equal("finished", run.status)
  end)

  it("question 1(b): the Jordan network's", function()
    local run = forward "tutorial8_q1b.lua"
    assert.same({ { "0.27" }, { "0.71" }, { "0.96" }, { "0.16" } }, rounded(run.y[1]))
    assert.same({ { "0.00", "0.99" }, { "0.95", "1.00" }, { "1.00", "-0.52" }, { "-0.36", "0.98" } },
      rounded(run.h[1]))
  end)

  it("question 1 in float64, to the digits of the reference", function()
    local y = forward("tutorial8_q1b.lua", "dtype=float64").y[1]
    assert.near(0.27072551202619277, y[1][1], 1e-12)
    assert.near(0.15626258669563545, y[4][1], 1e-12)
  end)

  it("question 1 prints the table of t, x, h and y", function()
    local got = cli.run("run " .. script "tutorial8_q1a.lua")
    assert.equal(0, got.code, got.err)
    assert.equal("", got.err)
    assert.matches("elman 3%-2%-1, 15 weights\n", got.out)
    assert.matches("\nt +x1 +x2 +x3 +h1 +h2 +y\n", got.out)
    assert.matches("\n1 +1.00 +2.00 +%-1.00 +0.00 +0.99 +0.27\n", got.out)
    assert.matches("\n4 +2.00 +%-1.00 +0.00 +%-0.54 +0.98 +0.11\n", got.out)
    assert.is_nil(got.out:find("-0.00", 1, true))
  end)

  it("--steps prints what one writes down by hand", function()
    local out = cli.run("run " .. script "tutorial8_q1a.lua" .. " --steps").out
    assert.matches("t = 2\n", out)
    assert.matches("Uᵀ x%(2%) += %(1.10, 3.60%)\n", out)
    assert.matches("Wᵀ h%(1%) += %(1.49, 0.00%)\n", out)
    assert.matches("net input  Uᵀ x%(2%) %+ Wᵀ h%(1%) %+ b += %(2.79, 3.80%)\n", out)
    assert.matches("h%(3%) = tanh%(net input%) += %(1.00, %-0.21%)\n", out)
    assert.matches("y%(4%) = sigmoid%(Vᵀ h%(4%) %+ c%) += %(0.11%)\n", out)
    out = cli.run("run " .. script "tutorial8_q1b.lua" .. " --steps").out
    assert.matches("Wᵀ y%(1%) += %(0.54, 0.35%)\n", out)
  end)

  it("question 2 trains, with both cells", function()
    local first = train "epochs=1"
    local run = train "epochs=1000"
    assert.equal("finished", run.status)
    assert.equal(1000, run.epochs)
    assert.equal("elman", run.params.cell)
    assert.equal(.2, run.params.coef)
    assert.is_true(run.metrics.loss < first.metrics.loss / 2)
    assert.is_true(run.metrics.loss < 10, "a loss of " .. run.metrics.loss)
    assert.is_true(run.metrics.best_loss <= run.metrics.loss)
    assert.near(run.metrics.loss, run.metrics.loss_y1 + run.metrics.loss_y2, 1e-3 * run.metrics.loss)
    assert.is_true(run.metrics.r2_y1 > .5 and run.metrics.r2_y1 <= 1)
    assert.is_true(run.train_s > 0 and run.wall_s >= run.train_s)
    local jordan = train "cell=jordan epochs=300"
    assert.equal("finished", jordan.status)
    assert.is_true(jordan.metrics.loss < 60)
  end)

  it("the same seed gives the same bits in two processes, another seed others", function()
    local a, b, c = train "epochs=300", train "epochs=300", train "epochs=300 --seed 2"
    for _, file in ipairs { "model.safetensors", "metrics.csv", "predictions.npz" } do
      local bytes = cli.read(cli.dir .. "/" .. a.dir .. "/" .. file)
      assert.is_true(#bytes > 100)
      assert.is_true(bytes == cli.read(cli.dir .. "/" .. b.dir .. "/" .. file), file .. " differs")
      assert.is_false(bytes == cli.read(cli.dir .. "/" .. c.dir .. "/" .. file), file .. " is the same")
    end
    assert.equal(2, c.params.seed)
  end)

  it("data_seed alone changes the data, not the first weights", function()
    local a, b = train "epochs=0 seed=1", train "epochs=0 seed=1 data_seed=5"
    local function file(run, name) return cli.read(cli.dir .. "/" .. run.dir .. "/" .. name) end
    assert.is_true(file(a, "model.safetensors") == file(b, "model.safetensors"))
    assert.is_false(file(a, "predictions.npz") == file(b, "predictions.npz"))
  end)

  it("every script's gradients agree with differences", function()
    for _, words in ipairs { "", "cell=jordan", "cell=jordan hidden=2 seed=3" } do
      local got = cli.run("check " .. script "tutorial8_q2.lua" .. " --json " .. words)
      assert.equal(0, got.code, got.err)
      local result = cli.json(cli.last_line(got.out))
      assert.is_true(result.ok)
      assert.is_true(result.max_error < 1e-5)
      assert.equal(5, #result.parameters)
    end
    local got = cli.run("check " .. script "tutorial8_q1a.lua")
    assert.equal(1, got.code)
    assert.matches("has no loss, so there is no gradient to check", got.err)
  end)
end)
