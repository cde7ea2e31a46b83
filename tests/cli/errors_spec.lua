-- Bad input: one clear line on stderr, the right exit code, and nothing finished lost.
local cli = require "helper"

local head = [[local r = require "rnnlab"
]]
local good = head .. [[return r.experiment {
  params = { hidden = r.int(3, 1, 64), lr = r.real(.01, 1e-4, 1e-1), epochs = 20, cell = r.choice{"elman", "jordan"},
             n = 3 },
  data = function(p, rng)
    local x = rng:uniform(4, 10, 2)
    return { train = { x = x, y = x[{{}, {}, {1, 1}}] * 2 } }
  end,
  model = function(p) return r.rnn(p.cell, 2, p.hidden, 1) end,
  loss = "sse",
}
]]

local function write(name, text) return cli.write(cli.dir .. "/" .. name, text) end

-- Runs `script` and checks the exit code and the whole of stderr (a plain text, or a pattern after "~").
local function fails(script, words, code, message, env)
  if script then write("s.lua", script) end
  local got = cli.run("run s.lua --no-plot " .. (words or ""), env)
  assert.equal(code, got.code, got.err .. got.out)
  local line = got.err:match "^rnnlab: ([^\n]*)\n$"
  assert.is_string(line, "one line, not: " .. got.err)
  if message:sub(1, 1) == "~" then
    assert.matches(message:sub(2), line)
  else
    assert.equal(message, line)
  end
  for _, ours in ipairs { "%[C%]", "traceback", "lua/rnnlab", "rnnlab%.%a+:%d", "%.c:", "0x%x%x%x" } do
    assert.is_nil(line:find(ours), "internals in: " .. line)
  end
  return got
end

local function record(name)
  return cli.json(cli.read(cli.dir .. "/results/" .. name .. "/run.json"))
end

describe("bad input", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("no such script", function()
    fails(nil, "", 2, "no script s.lua")
    local got = cli.run "run ."
    assert.equal(2, got.code)
    assert.matches("is a folder, not a script", got.err)
  end)

  it("a syntax error, with file and line", function()
    fails("local a = 1\nreturn {{", "", 1, "~^s.lua:2: .*near <eof>$")
    fails("local s = 'open\n", "", 1, "s.lua:1: unfinished string near ''open'")
  end)

  it("a run-time error, with file and line, wherever it happens", function()
    fails("local t\nreturn t.x", "", 1, "s.lua:2: attempt to index a nil value (local 't')")
    fails((good:gsub("local x = rng:uniform%(4, 10, 2%)", "local x = nothing.x")), "", 1,
      "s.lua:6: undeclared global 'nothing'")
    fails((good:gsub("return r.rnn", "local x = p.x\n return r.rnn")), "", 1, "~^s.lua:9: no parameter 'x'")
    fails((good:gsub('loss = "sse"', 'loss = function(y, t) return y.wrong() end')), "", 1, "~^s.lua:10: ")
    fails((good:gsub('loss = "sse"', 'loss = "sse", on_epoch = function(run)\n'
      .. 'if run.epoch == 3 then error("three") end end')), "", 1, "s.lua:11: three")
    assert.equal("failed", record("s-4").status)
    assert.equal("s.lua:11: three", record("s-4").error)
    assert.equal(3, record("s-4").epochs)
    assert.is_truthy(cli.read(cli.dir .. "/results/s-4/metrics.csv"):find("\n3,", 1, true))
  end)

  it("an error in a module names the module", function()
    write("m.lua", "local a\nreturn a.b")
    fails(head .. "return require 'm'", "", 1, "m.lua:2: attempt to index a nil value (local 'a')")
    fails(head .. "return require 'none'", "", 1,
      "s.lua:2: no module 'none': there is no none.lua (a script has rnnlab and the modules beside it)")
  end)

  it("unknown keys, wrong types, values out of range", function()
    fails(good, "hiden=4", 2, "no parameter 'hiden'; did you mean 'hidden'? (known: hidden, lr, epochs, cell, n, "
      .. "seed, data_seed, dtype, threads, show)")
    fails(good, "hidden=2.5", 2, "hidden=2.5: hidden must be a whole number")
    fails(good, "hidden=65", 2, "hidden=65: hidden must be a whole number from 1 to 64")
    fails(good, "lr=fast", 2, "lr=fast: lr must be a number from 0.0001 to 0.1")
    fails(good, "cell=jordn", 2, "cell=jordn: cell must be elman or jordan; did you mean 'jordan'?")
    fails(good, "epochs=2.5", 2, "epochs=2.5: epochs must be a whole number")
    fails(good, "epochs=-1", 2, "epochs=-1: epochs must be a whole number, at least 0")
    fails(good, "seed=x", 2, "~^seed=x: seed must be a whole number")
    fails(good, "show=5", 2, "show=5: there are 4 sequences to show")
    fails((good:gsub("p.hidden", "p.n")), "n=2.5", 2, "n=2.5: n must be a whole number")
    fails(good, "--lr 0.01", 2, "~write lr=0.01")
    fails(good, "hidden", 2, "~hidden")
  end)

  it("a script that returns no experiment", function()
    fails("return 5", "", 1, "s.lua returned a number; it must end with: return r.experiment{ ... }")
    fails("", "", 1, "s.lua returned nothing; it must end with: return r.experiment{ ... }")
    fails("return { model = 1 }", "", 1, "~returned a table; it must end with")
    fails(head .. "return r.experiment { data = {{1}} }", "", 1, "s.lua:2: the experiment has no model")
    fails(head .. "return r.experiment { modle = 1 }", "", 1,
      "~^s.lua:2: an experiment has no 'modle'; did you mean 'model'%?")
    fails(head .. "return r.experiment { model = 5, data = {} }", "", 1,
      "s.lua:2: the experiment's model must be a table or function, not a number")
    fails((good:gsub('"sse"', '"ssee"')), "", 1,
      "~loss 'ssee' is not known; did you mean 'sse'%? %(there is sse, mse, mae, huber, ")
  end)

  it("shapes that do not fit: the layer and both shapes", function()
    fails(head .. [[return r.experiment { data = {{1, 2, 3}},
      model = r.rnn("elman", 3, 2, 1, { U = {{1, 2, 3}, {4, 5, 6}} }) }]], "", 1,
      "s.lua:3: elman layer: U (weight_ih) is (2, 3); 3 inputs and 2 hidden units need (3, 2)")
    fails(head .. [[return r.experiment { data = {{1, 2, 3}},
      model = r.rnn("jordan", 3, 2, 1, { W = {{1, 2}, {3, 4}} }) }]], "", 1,
      "s.lua:3: jordan layer: W (weight_oh) is (2, 2); 1 output fed back to 2 hidden units need (1, 2)")
    fails((good:gsub("p.cell, 2,", "p.cell, 3,")), "", 1, "~elman.*%(4, 10, 2%).*%(3, 3%)")
    fails((good:gsub("p.hidden, 1%)", "p.hidden, 2)")), "", 1,
      "s.lua: the model (elman 2-3-2) gives (4, 10, 2) and the target y is (4, 10, 1)")
    fails((good:gsub("y = x%[.-%] %* 2", "y = x[{{}, {1, 5}}]")), "", 1,
      "~data: train.x is %(4, 10, 2%) and train.y is %(4, 5, 2%); batch and time must agree")
    fails(head .. [[return r.experiment { data = {{1, 2}},
      model = r.nn.Sequential(r.nn.Elman(2, 4), r.nn.Linear(3, 1)) }]], "", 1,
      "s.lua:3: Sequential: layer 1 (elman 2-4) gives 4 features, layer 2 (linear 3-1) takes 3")
    fails(head .. [[return r.experiment { data = {{1, 2}, {3}}, model = r.rnn("elman", 2, 2, 1) }]], "", 1, "~.")
  end)

  it("a loss that becomes NaN: diverged, with the epoch, and what was before it", function()
    write("s.lua", (good:gsub("lr = r.real%(.01, 1e%-4, 1e%-1%)", "lr = 1"):gsub('loss = "sse"',
      'loss = "sse", optimizer = "sgd"'):gsub("%* 2", "* 1e18")))
    local got = cli.run "run s.lua lr=1e15 epochs=50 --json"
    assert.equal(1, got.code, got.err)
    assert.matches("rnnlab: s%-1 diverged: the loss is no longer a finite number in epoch %d+", got.err)
    local run = cli.json(cli.last_line(got.out))
    assert.equal("diverged", run.status)
    assert.is_true(run.metrics.loss == nil or run.metrics.loss == cli.null)
    assert.is_true(run.epochs < 50)
    assert.is_nil(cli.read(cli.dir .. "/results/s-1/metrics.csv"):find "nan")
    assert.equal("diverged", cli.json(cli.run("ls --json").out)[1].status)
  end)

  it("a results folder that cannot be written", function()
    write("file", "in the way")
    fails(good, "--results file/results", 1, "~file/results")
    fails(good, "--results /proc/nowhere", 1, "~/proc/nowhere")
  end)

  it("gnuplot missing: the run still succeeds, says so, and plot works later", function()
    write("s.lua", good)
    local got = cli.run("run s.lua --json", { RNNLAB_GNUPLOT = "/nonexistent/gnuplot" })
    assert.equal(0, got.code, got.err)
    assert.matches("^rnnlab: no figures: .*gnuplot.*rnnlab plot s%-1\n$", got.err)
    local run = cli.json(cli.last_line(got.out))
    assert.equal("finished", run.status)
    assert.same({}, run.figures)
    got = cli.run "plot s-1"
    assert.equal(0, got.code, got.err)
    assert.is_true(cli.exists(cli.dir .. "/results/s-1/figures/loss.svg"))
    got = cli.run("plot s-1", { RNNLAB_GNUPLOT = "/nonexistent/gnuplot" })
    assert.equal(1, got.code)
    assert.matches("gnuplot", got.err)
  end)

  it("a file that cannot grow (as on a full disk): a clear line, and what was finished stays", function()
    write("s.lua", good)
    assert.equal(0, cli.run("run s.lua --no-plot").code)
    local before = cli.read(cli.dir .. "/results/s-1/run.json")
    -- 8 blocks of 512 bytes: run.json and the script fit, metrics.csv of 20,000 epochs does not
    local got = cli.run("run s.lua epochs=20000 --no-plot", { before = "trap '' XFSZ; ulimit -f 8;" })
    assert.equal(1, got.code, got.err)
    assert.matches("rnnlab: [^\n]*metrics.csv: [^\n]*File too large\n$", got.err)
    assert.equal(before, cli.read(cli.dir .. "/results/s-1/run.json"))
    local whole = cli.read(cli.dir .. "/results/s-2/metrics.csv")
    assert.equal("\n", whole:sub(-1)) -- no torn row
    assert.equal(0, cli.run("show s-1").code)
  end)

  it("a disk that is full", function()
    local folder = cli.dir .. "/disk"
    local _, mounted = cli.shell(("mkdir %s && mount -t tmpfs -o size=160k tmpfs %s 2>/dev/null"):format(
      cli.quote(folder), cli.quote(folder)))
    if not mounted then return end -- only root may mount; the test above covers the rest
    write("s.lua", good)
    local first = cli.run "run s.lua --no-plot --results disk"
    local got = cli.run "run s.lua epochs=20000 --no-plot --results disk"
    local kept = cli.read(folder .. "/s-1/run.json")
    cli.shell("umount " .. cli.quote(folder))
    assert.equal(0, first.code, first.err)
    assert.equal(1, got.code)
    assert.matches("rnnlab: disk/s%-2/[^\n]*No space left on device\n$", got.err) -- a line on the index may precede
    assert.equal("finished", cli.json(kept).status)
  end)

  it("a title with quotes, backticks and newlines", function()
    write("s.lua", (good:gsub('loss = "sse"', [[loss = "sse", name = "it's `touch owned`\n\"$(touch owned)\" ]]
      .. [[| 'x' ; \\ é"]])))
    local got = cli.run "run s.lua --json"
    assert.equal(0, got.code, got.err)
    local run = cli.json(cli.last_line(got.out))
    assert.equal(run.run, run.dir:match "[^/]+$")
    assert.is_nil(run.run:find "[^%w.-]")
    assert.is_true(#run.figures > 0)
    local svg = cli.read(cli.dir .. "/" .. run.dir .. "/figures/loss.svg")
    assert.is_truthy(svg:find("it’s", 1, true))
    assert.is_truthy(svg:find("$(touch owned)", 1, true))
    assert.is_false(cli.exists(cli.dir .. "/owned"))
    assert.is_false(cli.exists(cli.dir .. "/" .. run.dir .. "/figures/owned"))
  end)

  it("a script that reaches for what is closed", function()
    fails("os.execute('touch owned')", "", 1,
      "s.lua:1: os.execute is not open to scripts; `rnnlab run --trust` opens it")
    fails("local f = io.popen('touch owned')", "", 1, "~^s.lua:1: io.popen is not open to scripts")
    fails("io.open('owned', 'w')", "", 1, "~^s.lua:1: .*a script only reads")
    fails("x = 1", "", 1, "s.lua:1: undeclared global 'x'; write: local x = ...")
    fails("return y", "", 1, "s.lua:1: undeclared global 'y'")
    fails(string.char(27) .. "LuaS\0\25\147", "", 1, "s.lua: compiled Lua (bytecode) is not run; give the source text")
    fails(head .. "return r.experiment.x", "", 1, "~^s.lua:2: attempt to index a function value")
    fails(head .. "return r.nowhere", "", 1, "~^s.lua:2: rnnlab has no 'nowhere'")
    assert.is_false(cli.exists(cli.dir .. "/owned"))
    write("s.lua", "os.execute('touch owned')\n" .. good)
    assert.equal(0, cli.run("run s.lua --no-plot --trust").code)
    assert.is_true(cli.exists(cli.dir .. "/owned"))
  end)

  it("a script that never returns ends by Ctrl-C, also from inside pcall and coroutines", function()
    for _, loop in ipairs { "while true do end", "while true do pcall(function() while true do end end) end",
      "coroutine.wrap(function() while true do end end)()",
      "local function f() return xpcall(f, f) end while true do f() end",
      "while true do pcall(load('while true do end', '=rnnlab.x')) end" } do
      write("s.lua", loop)
      local got = cli.run("run s.lua", { signal = { "INT", .6 } })
      assert.equal(130, got.code, loop .. got.err)
      assert.is_truthy(got.err:match "^rnnlab: [^\n]+\n$", got.err)
    end
    assert.is_false(cli.exists(cli.dir .. "/results/s-1/run.json"))
    write("s.lua", (good:gsub("local x = ", "while true do end local x = ")))
    local got = cli.run("run s.lua", { signal = { "INT", .6 } })
    assert.equal(130, got.code)
    assert.equal("interrupted", record("s-1").status)
    write("s.lua", (good:gsub('loss = "sse"', 'loss = "sse", on_epoch = function() while true do end end')))
    got = cli.run("run s.lua --no-plot", { signal = { "INT", 1 } })
    assert.equal(130, got.code)
    assert.equal("interrupted", record("s-2").status)
    assert.equal(1, record("s-2").epochs)
    assert.is_truthy(cli.read(cli.dir .. "/results/s-2/model.safetensors"))
  end)
end)
