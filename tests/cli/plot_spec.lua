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

  it("draws the curve live on a terminal, and nothing elsewhere", function()
    local got = cli.run "run s.lua epochs=200000 --live --no-plot --json"
    assert.equal(0, got.code, got.err)
    assert.is_nil(got.err:find("\27", 1, true))
    local words = cli.quote(cli.program) .. " run s.lua epochs=200000 --live --no-plot"
    cli.shell(("cd %s && env -u NO_COLOR TERM=xterm script -qec %s typed </dev/null >/dev/null"):format(
      cli.quote(cli.dir), cli.quote(words)))
    local seen = assert(cli.read(cli.dir .. "/typed"))
    assert.matches("loss\27%[K\r\n", seen)
    assert.matches("\27%[%d+A", seen) -- drawn over itself
    assert.matches("\27%[J", seen)    -- and taken away
  end)

  it("says what is wrong", function()
    local function fails(words, code, pattern)
      local got = cli.run("plot " .. words)
      assert.equal(code, got.code, got.err)
      assert.matches(pattern, got.err)
      assert.equal(1, select(2, got.err:gsub("\n", "")))
    end
    fails("s-1 --format gif", 2, "no format 'gif'")
    fails("s-1 --format svg,pgn", 2, "did you mean 'png'%?")
    fails("s-1 predicton", 2, "no figure 'predicton'; did you mean 'prediction'%?")
    fails("s-1 show=5", 2, "show=5: there are 4 sequences to show")
    fails("s-1 show=x", 2, "show=x: show must be a whole number")
    fails("s-1 colour=red", 2, "colour")
    fails("nowhere", 2, "nowhere")
  end)

  it("draws what is inside the network, from the stored weights", function()
    cli.write(cli.dir .. "/n.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        params = { cell = r.choice { "lstm", "jordan" }, hidden = 8, epochs = 5 },
        data = function(p, rng)
          if p.epochs == 5 then error "plot makes no data" end
          local x = rng:uniform(4, 12, 2)
          return { train = { x = x, y = x:narrow(3, 1, 1) } }
        end,
        model = function(p) return r.rnn(p.cell, 2, p.hidden, 1) end,
        loss = "mse",
      }]])
    for i, cell in ipairs { "lstm", "jordan" } do
      assert.equal(0, cli.run(("run n.lua cell=%s epochs=6 --no-plot"):format(cell)).code)
      local got = cli.run(("plot n-%d states weights spectrum pca --format svg"):format(i))
      assert.equal(0, got.code, got.err)
      for _, kind in ipairs { "states", "weights", "spectrum", "pca" } do
        assert.matches("^<%?xml", cli.read(("%s/results/n-%d/figures/%s.svg"):format(cli.dir, i, kind)))
      end
      assert.is_nil(cli.read(cli.dir .. "/results/n-1/figures/states.png"))
    end
    assert.equal(0, cli.run("plot n-1 gates --format svg").code)
    assert.matches("forget gate", cli.read(cli.dir .. "/results/n-1/figures/gates.svg"))
    local got = cli.run "plot n-2 loss gates"
    assert.equal(1, got.code)
    assert.matches("no figure gates: no layer of this network has gates", got.err)
    assert.matches("loss.svg", got.out)
    -- The states are those the trained network goes through: a figure of them is the same after a redraw.
    local first = cli.read(cli.dir .. "/results/n-1/figures/states.dat")
    assert.equal(0, cli.run("plot n-1 states --format svg").code)
    assert.equal(first, cli.read(cli.dir .. "/results/n-1/figures/states.dat"))
  end)

  it("draws a script's own figures, and one that fails takes nothing with it", function()
    cli.write(cli.dir .. "/o.lua", (script:gsub('loss = "sse",', [[loss = "sse",
      figures = { "weights",
        mine = function(run)
          local h = run.history()
          return r.figure { title = run.name .. " of " .. run.params.epochs, log_y = true }:line(h.epoch, h.loss)
        end,
        two = function(run)
          return { r.plot(run.predictions().x:select(1, 1):select(2, 1)), r.figure():heat(run.weights().weight_hh) }
        end,
        states_mean = function(run)
          return r.figure():line(run.states()[1].h:mean(2))
        end,
        broken = function(run)
          return r.figure():line({ 1, 2 }, { 1, 2, 3 })
        end,
        odd = function() return 5 end },]])))
    local got = cli.run "run o.lua"
    assert.equal(0, got.code, got.err)
    assert.matches("not all figures: no figure broken: o.lua:%d+: line: x has shape %(2%) and y has shape %(3%)",
      got.err)
    for _, name in ipairs { "prediction", "loss", "weights", "mine", "two-1", "two-2", "states_mean" } do
      assert.matches("^<%?xml", cli.read(cli.dir .. "/results/o-1/figures/" .. name .. ".svg"), name)
    end
    os.remove(cli.dir .. "/o.lua")
    got = cli.run "plot o-1 mine --format svg,tex -o figs"
    assert.equal(0, got.code, got.err)
    assert.equal("figs/mine.svg .tex\n", got.out)
    assert.matches("o%-1 of 30", cli.read(cli.dir .. "/figs/mine.svg"))
    assert.matches("\\includegraphics.-mine%-tex}", cli.read(cli.dir .. "/figs/mine.tex"))
    got = cli.run "plot o-1 odd"
    assert.equal(1, got.code)
    assert.matches("figures.odd returned a number", got.err)
    got = cli.run "plot o-1 min"
    assert.equal(2, got.code)
    assert.matches("did you mean 'mine'%?", got.err)
    got = cli.run "plot o-1 mine --preview --format svg"
    assert.is_true(select(2, got.out:gsub("\n", "")) > 8)
  end)

  it("draws a sweep from its journals", function()
    cli.write(cli.dir .. "/w.lua", (script:gsub("epochs = 30", 'epochs = 8, lr = r.real(.01, 1e-4, .1, "log"), '
      .. 'hidden = r.int(3, 1, 8), cell = r.choice { "elman", "jordan" }')
      :gsub('"elman", 2, 3, 2', "p.cell, 2, p.hidden, 2")
      :gsub('loss = "sse",', 'loss = "sse", sweep = { "lr", "hidden", "cell", trials = 8, repeats = 2, '
        .. 'objective = "loss" },')))
    local got = cli.run "sweep w.lua --quiet"
    assert.equal(0, got.code, got.err)
    got = cli.run "plot w-sweep-1 --format svg --json"
    assert.equal(0, got.code, got.err)
    local answer = cli.json(cli.last_line(got.out))
    assert.equal("w-sweep-1", answer.sweep)
    assert.equal(7, #answer.figures)
    for _, path in ipairs(answer.figures) do
      assert.matches("^<%?xml", cli.read(cli.dir .. "/" .. path))
    end
    got = cli.run "plot w-sweep-1 history curves --format pdf,tex -o paper"
    assert.equal("paper/history.pdf .tex\npaper/curves.pdf .tex\n", got.out)
    got = cli.run "plot w-sweep-1 history pareto --format svg"
    assert.equal(1, got.code)
    assert.matches("no figure pareto: it takes two objectives", got.err)
    got = cli.run "plot w-sweep-1 histroy"
    assert.equal(2, got.code)
    assert.matches("did you mean 'history'%?", got.err)
    assert.equal(2, cli.run("plot w-sweep-1 show=2").code)
  end)

  it("refuses figures that are none", function()
    local function fails(figures, pattern)
      cli.write(cli.dir .. "/b.lua", (script:gsub('loss = "sse",', 'loss = "sse", figures = ' .. figures .. ",")))
      local got = cli.run "check b.lua"
      assert.equal(1, got.code)
      assert.matches(pattern, got.err)
    end
    fails('{ "stats" }', "figure 'stats' is not known; did you mean 'states'%?")
    fails("{ mine = 3 }", "figures is a list of names, and functions by name")
    fails('{ ["../x"] = function() end }', "a figure cannot be called '../x'")
    fails("{ loss = function() end }", "a figure cannot be called 'loss'")
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
