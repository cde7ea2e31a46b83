-- rnnlab plot: figures from stored data alone.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { epochs = 30 },
  data = function(p, rng)
    local x = rng:uniform(4, 12, 2)
    return { train = { x = x, y = x * 2 } }
  end,
  model = function(p) return r.rnn("elman", 2, 3, 2) end,
  loss = "sse",
}
]]

local function file(name) return cli.read(cli.dir .. "/results/s-1/" .. name) end

describe("rnnlab plot", function()
  before_each(function()
    cli.fresh()
    cli.write(cli.dir .. "/s.lua", script)
    assert.equal(0, cli.run("run s.lua --no-plot").code)
    assert.is_nil(file "figures/loss.svg")
  end)
  after_each(cli.clean)

  it("draws all figures of a run without its script", function()
    os.remove(cli.dir .. "/s.lua")
    local got = cli.run "plot last"
    assert.equal(0, got.code, got.err)
    for _, name in ipairs { "prediction", "loss" } do
      assert.matches("^<%?xml", file("figures/" .. name .. ".svg"))
      assert.matches("^\137PNG", file("figures/" .. name .. ".png"))
      assert.matches("^%%PDF", file("figures/" .. name .. ".pdf"))
      assert.is_true(#file("figures/" .. name .. ".gp") > 100)
    end
    assert.matches("results/s%-1/figures/loss.svg", got.out)
    local summary = cli.json(cli.run("show s-1 --json").out)
    assert.is_true(#summary.figures >= 6)
  end)

  it("draws the kinds asked for, and another sequence", function()
    assert.equal(0, cli.run("plot s-1 prediction").code)
    assert.is_nil(file "figures/loss.svg")
    local first = file "figures/prediction.svg"
    local got = cli.run "plot s-1 prediction show=3 --json"
    assert.equal(0, got.code, got.err)
    assert.is_true(first ~= file "figures/prediction.svg")
    assert.is_true(#cli.json(cli.last_line(got.out)).figures >= 3)
  end)

  it("previews the curve as text", function()
    local got = cli.run "plot last loss --preview"
    assert.equal(0, got.code, got.err)
    assert.is_true(select(2, got.out:gsub("\n", "")) > 8)
    got = cli.run "run s.lua --preview --no-plot"
    assert.equal(0, got.code, got.err)
    assert.is_true(select(2, got.out:gsub("\n", "")) > 8)
  end)

  it("says what is wrong", function()
    local function fails(words, code, pattern)
      local got = cli.run("plot " .. words)
      assert.equal(code, got.code, got.err)
      assert.matches(pattern, got.err)
      assert.equal(1, select(2, got.err:gsub("\n", "")))
    end
    fails("s-1 predicton", 2, "no figure 'predicton'; did you mean 'prediction'%?")
    fails("s-1 show=5", 2, "show=5: there are 4 sequences to show")
    fails("s-1 show=x", 2, "show=x: show must be a whole number")
    fails("s-1 colour=red", 2, "colour")
    fails("nowhere", 1, "nowhere")
  end)

  it("tells what a forward pass has to draw", function()
    cli.write(cli.dir .. "/f.lua", "local r = require 'rnnlab' return r.experiment { data = {{1}, {2}}, "
      .. "model = r.rnn('elman', 1, 2, 1) }")
    assert.equal(0, cli.run("run f.lua").code)
    local got = cli.run "plot f-1"
    assert.equal(1, got.code)
    assert.matches("f%-1 has nothing to draw", got.err)
  end)
end)
