-- The command line itself: help, options, exit codes, signals, ls, show, doctor, repl, and odd machines.
-- What run, check, plot and new do is in specs of their own.
local cli = require "helper"

local function usage_error(got, pattern)
  assert.equal("", got.out)
  assert.equal(2, got.code)
  assert.matches("^rnnlab: [^\n]*\n$", got.err) -- one line
  assert.matches(pattern, got.err)
end

local tiny = [[
local r = require "rnnlab"
return r.experiment {
  params = { epochs = 20, hidden = r.int(3, 1, 9), lr = .01 },
  data = function(p, rng)
    local x = rng:uniform(4, 6, 2)
    return { train = { x = x, y = x[{ {}, {}, { 1, 1 } }] * 2 } }
  end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", optimizer = "adam",
}
]]

local commands = { "run", "check", "new", "ls", "show", "compare", "tag", "untag", "note", "export",
  "rm", "reindex", "plot", "repl", "doctor", "bench", "help", "version" }

describe("help", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("is printed for no command, with exit 2 on stderr", function()
    local got = cli.run ""
    assert.equal(2, got.code)
    assert.equal("", got.out)
    for _, name in ipairs(commands) do
      assert.matches("\n  " .. name .. " +%S", got.err)
    end
  end)

  it("is printed for --help and help, on stdout", function()
    local a, b, c = cli.run "--help", cli.run "help", cli.run "-h"
    assert.equal(0, a.code)
    assert.equal(a.out, b.out)
    assert.equal(a.out, c.out)
    assert.equal("", a.err)
  end)

  it("tells every command's usage, options, an example and exit codes, in lines that fit", function()
    for _, name in ipairs(commands) do
      local got = cli.run { name, "--help" }
      assert.equal(0, got.code)
      assert.equal("", got.err)
      for _, part in ipairs { "\nUsage: rnnlab " .. name, "\nOptions:\n", "%-%-json", "%-%-results DIR", "%-%-help",
        "\nExamples:\n", "\nExit codes:\n" } do
        assert.matches(part, got.out)
      end
      for line in got.out:gmatch "[^\n]+" do
        assert.is_true(#line <= 100, name .. ": " .. line)
      end
      assert.equal(got.out, cli.run({ "help", name }).out)
      assert.equal(got.out, cli.run({ "--help", name }).out)
    end
  end)

  it("gives the version in three ways", function()
    local a, b = cli.run "version", cli.run "--version"
    assert.matches("^rnnlab %d+%.%d+%.%d+\n$", a.out)
    assert.equal(a.out, b.out)
    assert.equal(a.out:match "%S+%s+(%S+)", cli.json(cli.run("version --json").out).rnnlab)
  end)
end)

describe("the command line", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("answers an unknown command with the nearest one", function()
    usage_error(cli.run "rnu s.lua", "no command 'rnu'; did you mean 'run'%?")
    usage_error(cli.run "doctr", "did you mean 'doctor'%?")
    usage_error(cli.run "zzz", "rnnlab help lists them")
    usage_error(cli.run "help zzz", "no command 'zzz'")
    usage_error(cli.run "s.lua", "did you mean 'rnnlab run s.lua'%?")
  end)

  it("answers --lr 0.01 with what to write", function()
    usage_error(cli.run "run s.lua --lr 0.01", "write lr=0%.01")
    usage_error(cli.run "run s.lua --lr=0.01", "write lr=0%.01")
    usage_error(cli.run "run s.lua --batch-size 4", "write batch_size=4")
    usage_error(cli.run "run s.lua --lr", "lr=VALUE")
    usage_error(cli.run "run s.lua --lr -- x", "lr=VALUE")
  end)

  it("answers a misspelt option with the right one", function()
    usage_error(cli.run "run s.lua --jsno", "did you mean %-%-json%?")
    usage_error(cli.run "run s.lua --noplot", "did you mean %-%-no%-plot%?")
    usage_error(cli.run "ls --resluts x", "did you mean %-%-results%?")
    usage_error(cli.run "ls -x", "no option %-x")
    usage_error(cli.run "ls --steps", "ls takes no %-%-steps")
  end)

  it("refuses words and settings that a command does not take", function()
    usage_error(cli.run "run", "usage: rnnlab run SCRIPT%.lua")
    usage_error(cli.run "run a.lua b.lua", "'b%.lua' is one word too many")
    usage_error(cli.run "version extra", "'extra' is one word too many")
    usage_error(cli.run "show", "usage: rnnlab show RUN")
    usage_error(cli.run "show last a=b", "show takes no key=value; 'a=b' was given")
    usage_error(cli.run "--results", "%-%-results needs a value")
    usage_error(cli.run "ls --results=", "%-%-results needs a value")
    usage_error(cli.run "ls --json=yes", "%-%-json takes no value")
    usage_error(cli.run "a=b", "no command before 'a=b'")
  end)

  it("takes options anywhere", function()
    for _, words in ipairs { "--json --results there ls", "ls --results=there --json", "--results there ls --json" } do
      assert.same({ code = 0, out = "[]\n", err = "" }, cli.run(words))
    end
  end)

  it("keeps control bytes of what was typed out of its messages", function()
    local got = cli.run { "l\27[31ms\nx" }
    assert.equal(2, got.code)
    assert.matches("^rnnlab: [^%c]*\n$", got.err)
  end)
end)

describe("ls and show", function()
  setup(function()
    cli.fresh()
    cli.write(cli.dir .. "/tiny.lua", tiny)
    for _ = 1, 2 do
      local got = cli.run "run tiny.lua --no-plot --quiet --seed 7"
      assert.equal(0, got.code, got.err)
    end
    assert.equal(0, cli.run("run tiny.lua hidden=4 --no-plot").code)
  end)
  teardown(cli.clean)

  it("say kindly that there is nothing", function()
    local got = cli.run "ls --results nowhere"
    assert.equal(0, got.code)
    assert.matches("No runs in nowhere yet%. To make one: rnnlab run SCRIPT%.lua", got.out)
    assert.is_false(cli.exists(cli.dir .. "/nowhere"))
    usage_error(cli.run "show last --results nowhere", "no run or sweep in nowhere")
  end)

  it("list runs, the newest last", function()
    local got = cli.run "ls"
    assert.equal(0, got.code)
    assert.equal("", got.err)
    assert.matches("^RUN +STATUS +hidden +SEED +STARTED +EPOCHS +loss +TIME\ntiny%-1 +finished +3 +7 "
      .. "+%d+%-%d+%-%d+ %d+:%d+ +20 +[%d.e-]+ +%d+[%d.]* m?s\ntiny%-2 .*\ntiny%-3 +finished +4 [^\n]*\n$", got.out)
    assert.is_nil(got.out:find "\27") -- no colours into a pipe
  end)

  it("list runs as JSON", function()
    local list = cli.json(cli.run("ls --json").out)
    assert.equal(3, #list)
    assert.equal("tiny-3", list[3].run)
    assert.equal(4, list[3].params.hidden)
    assert.equal(7, list[1].params.seed)
    assert.equal(list[1].metrics.loss, list[2].metrics.loss)
    assert.equal(20, list[1].epochs)
    assert.equal("finished", list[1].status)
    assert.equal("results/tiny-1", list[1].dir)
  end)

  it("show a run by name, by last and by a unique prefix", function()
    local a, b = cli.run "show tiny-3", cli.run "show last"
    assert.equal(0, a.code)
    assert.equal(a.out, b.out)
    assert.matches("^tiny%-3  finished\n", a.out)
    assert.matches("\nparameters\n.*\n  hidden +4\n", a.out)
    assert.matches("\n  seed +1\n", a.out)
    assert.matches("\nmetrics\n.*\n  loss +%d", a.out)
    assert.matches("\n  cores +%d", a.out)
    assert.equal(a.out, cli.run("show results/tiny-3").out)
    usage_error(cli.run "show tiny-", "tiny%-1.*tiny%-2.*tiny%-3")
    usage_error(cli.run "show nope", "no run")
  end)

  it("show run.json as it is", function()
    local record = cli.json(cli.run("show last --json").out)
    assert.same(cli.json(cli.read(cli.dir .. "/results/tiny-3/run.json")), record)
    assert.equal("tiny-3", record.run)
  end)

  it("are not stopped by one torn run", function()
    local torn = cli.dir .. "/results/tiny-9"
    cli.shell("mkdir " .. torn .. " && printf '{\"run\": \"tin' > " .. torn .. "/run.json")
    local got = cli.run "ls"
    cli.shell("rm -r " .. torn)
    assert.equal(0, got.code)
    assert.matches("\ntiny%-3 ", got.out)
    assert.matches("rnnlab: warning: .*tiny%-9", got.err)
  end)

  it("fail where the output cannot be written, and not where nobody reads it", function()
    if not cli.exists "/dev/full" then return end
    for _, words in ipairs { "ls", "ls --json", "show last", "help", "version" } do
      local got = cli.run(words, { stdout = "/dev/full" })
      assert.equal(1, got.code)
      assert.matches("^rnnlab: cannot write the output", got.err)
    end
    local closed = cli.run("ls", { closed = "stdout" })
    assert.equal(1, closed.code)
    local text = cli.shell(("cd %s && { %s ls --json; echo $? >&2; } 2>&1 >/dev/null | head -c 1"):format(
      cli.quote(cli.dir), cli.quote(cli.program)))
    assert.equal("0", text)
    local code = cli.shell(("cd %s && { %s help; echo $? >code; } | true; sleep 0.2; cat code"):format(
      cli.quote(cli.dir), cli.quote(cli.program)))
    assert.equal("0", code)
  end)

  it("refuse a results folder that is a file", function()
    usage_error(cli.run "ls --results tiny.lua", "tiny%.lua is not a folder")
  end)
end)

describe("doctor", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("finds what it needs, and says what it is", function()
    local got = cli.run "doctor"
    assert.equal("", got.err)
    assert.equal(0, got.code, got.out)
    for _, name in ipairs { "Lua +5%.4", "SQLite +3%.", "Jansson +2%.", "libzip +1%.", "CPU +%S", "kernels +%a",
      "OpenBLAS", "gnuplot +5", "svg", "pngcairo", "pdfcairo", "fonts", "results" } do
      assert.matches("\n  %a+ +" .. name, got.out)
    end
  end)

  it("says the same as JSON", function()
    local object = cli.json(cli.run("doctor --json").out)
    assert.is_true(object.ok)
    local states = {}
    for _, check in ipairs(object.checks) do states[check.name] = check.state end
    assert.equal("ok", states.gnuplot)
    assert.equal("ok", states.SQLite)
  end)

  it("fails where gnuplot is missing, and says how to get it", function()
    local got = cli.run("doctor", { RNNLAB_GNUPLOT = "/nonexistent/gnuplot" })
    assert.equal(1, got.code)
    assert.matches("missing +gnuplot", got.out)
    assert.matches("install gnuplot", got.out)
    assert.is_false(cli.json(cli.run("doctor --json", { RNNLAB_GNUPLOT = "/nonexistent/gnuplot" }).out).ok)
  end)

  it("fails where results cannot be written", function()
    cli.write(cli.dir .. "/file", "")
    local got = cli.run "doctor --results file/results"
    assert.equal(1, got.code)
    assert.matches("missing +results", got.out)
  end)

  it("tells a kernel that was asked for and is not there", function()
    local got = cli.run("doctor", { RNNLAB_ISA = "mmx" })
    assert.matches("refused +kernels", got.out)
    assert.matches("RNNLAB_ISA=mmx", got.out)
  end)
end)

describe("bench", function()
  it("times the workloads it is asked for, and names those it has", function()
    local got = cli.run "bench S S-lua LM esn --quick --json"
    assert.equal(0, got.code, got.err)
    local report = cli.json(got.out)
    assert.equal(4, #report.workloads)
    assert.is_true(report.workloads[4].name == "esn" and report.workloads[4].seconds > 0)
    for i, name in ipairs { "S", "S-lua", "LM" } do
      assert.equal(name, report.workloads[i].name)
      assert.is_true(report.workloads[i].seconds > 0)
      assert.is_number(report.workloads[i].target_seconds)
      assert.is_boolean(report.workloads[i].met)
    end
    got = cli.run "bench Sx"
    assert.equal(2, got.code)
    assert.matches("no workload 'Sx'; did you mean 'S'", got.err)
  end)

  it("holds a large net against OpenBLAS's products", function()
    local got = cli.run "bench M --quick"
    assert.equal(0, got.code, got.err)
    assert.matches("lstm 64%-128, linear 64, 32 x 100 +1 ", got.out)
    assert.matches("lstm 64%-128, linear 64, 32 x 100 +2 ", got.out)
  end)
end)

describe("repl", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  local function typed(text, env)
    env = env or {}
    env.stdin = text
    return cli.run("repl", env)
  end

  it("prints values of expressions, with and without =", function()
    assert.same({ code = 0, out = "3\n4\n5\ttext\tnil\n", err = "" }, typed '1 + 2\n= 4\n5, "text", nil\n')
  end)

  it("has rnnlab as r and prints matrices", function()
    local got = typed "t = r.tensor{{1,2},{3,4}}\nt:mm(t)\n"
    assert.equal(0, got.code, got.err)
    assert.matches("7 +10\n +15 +22\n", got.out)
  end)

  it("goes on over open blocks, and a last line without a newline counts", function()
    assert.equal("1\n2\n", typed("for i = 1, 2 do\n\nprint(i)\nend").out)
    assert.equal("6\n", typed("(1 +\n2) *\n2").out)
  end)

  it("survives errors and says each in one line", function()
    local got = typed 'error("boo")\nlocal = 3\nx.y.z = 1\nerror({})\nr.tensor(print)\n"still here"\n'
    assert.equal(0, got.code)
    assert.equal("still here\n", got.out)
    local lines = select(2, got.err:gsub("rnnlab: [^\n]+\n", ""))
    assert.equal(5, lines)
    assert.matches("boo", got.err)
  end)

  it("tells of a block that never ends", function()
    local got = typed "if true then\n"
    assert.equal(0, got.code)
    assert.matches("'end' expected", got.err)
  end)

  it("ends by a signal while it waits and while it runs", function()
    local waiting = cli.shell(("cd %s && (sleep 3 | timeout --foreground --preserve-status -s INT 1 %s repl"
      .. "; echo $?)"):format(cli.quote(cli.dir), cli.quote(cli.program)))
    assert.equal("130", waiting)
    assert.equal(143, typed("while true do end\n", { signal = { "TERM", 0.3 } }).code)
  end)
end)

describe("Ctrl-C ends a script that never returns", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  local loops = {
    ["in a plain loop"] = "while true do end",
    ["behind pcall"] = "while true do pcall(function() while true do end end) end",
    ["in coroutines behind pcall"] = [[
      local function spin() while true do end end
      while true do
        pcall(coroutine.wrap(function() while true do pcall(spin) end end))
      end]],
    ["in to-be-closed variables"] = [[
      while true do
        local thread = coroutine.create(function()
          local x <close> = setmetatable({}, { __close = function() while true do end end })
          error "x"
        end)
        coroutine.resume(thread)
      end]],
    ["calling short C functions"] = 'while true do pcall(string.rep, "x", 10) end',
  }
  for name, code in pairs(loops) do
    it(name, function()
      cli.write(cli.dir .. "/s.lua", code)
      local got = cli.run("run s.lua", { signal = { "INT", 0.3 } })
      assert.equal(130, got.code, got.err)
      assert.matches("^rnnlab: [^\n]+\n$", got.err)
      assert.is_nil(got.err:find "src/")
    end)
  end

  -- Lua turns its hooks off in a message handler, so that the first signal changes nothing here.
  it("at the second signal where the first cannot", function()
    cli.write(cli.dir .. "/s.lua", "xpcall(error, function() while true do end end)")
    local answer = cli.shell(("cd %s && { %s run s.lua 2>/dev/null & p=$!; sleep 1; kill -TERM $p; sleep 0.8; "
      .. "kill -TERM $p && echo alive; wait $p; echo $?; } 2>/dev/null"):format(
      cli.quote(cli.dir), cli.quote(cli.program)))
    assert.equal("alive\n143", answer)
  end)

  it("also where one request arrives twice", function()
    cli.write(cli.dir .. "/s.lua", "while true do end")
    local answer = cli.shell(("cd %s && timeout --preserve-status -s INT 1 %s run s.lua 2>&1; echo $?"):format(
      cli.quote(cli.dir), cli.quote(cli.program)))
    assert.matches("^rnnlab: .*130$", answer)
  end)
end)

describe("an odd machine", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("without HOME, TERM, PATH or a locale is no problem", function()
    local env = { HOME = false, TERM = false, PATH = "/nonexistent", LANG = false, LC_ALL = "xx_YY", TZ = "nowhere" }
    -- env(1) itself is found before PATH is set for the program
    assert.equal(0, cli.run("ls", env).code)
    cli.write(cli.dir .. "/tiny.lua", tiny)
    local got = cli.run("run tiny.lua --quiet", env)
    assert.equal(0, got.code, got.err)
    assert.equal(0, cli.run("show last", env).code)
  end)

  it("with a current folder that cannot be written fails in one line", function()
    cli.write(cli.dir .. "/tiny.lua", tiny)
    local got = cli.run({ "run", cli.dir .. "/tiny.lua" }, { cwd = "/proc" })
    assert.equal(1, got.code)
    assert.matches("^rnnlab: [^\n]+\n$", got.err)
    assert.equal(0, cli.run("ls", { cwd = "/proc" }).code)
    assert.equal(0, cli.run("help", { cwd = "/proc" }).code)
  end)

  it("with closed standard streams keeps them out of its files", function()
    cli.write(cli.dir .. "/tiny.lua", tiny)
    cli.run("run tiny.lua --no-plot", { closed = true })
    local record = cli.json(cli.read(cli.dir .. "/results/tiny-1/run.json"))
    assert.equal("tiny-1", record.run)
    assert.matches("^epoch,loss\n1,", cli.read(cli.dir .. "/results/tiny-1/metrics.csv"))
  end)

  it("with a folder that was deleted below it does not crash", function()
    local folder = cli.folder()
    local text = cli.shell(("cd %s && rmdir %s && %s ls; echo $?"):format(cli.quote(folder), cli.quote(folder),
      cli.quote(cli.program)))
    assert.matches("No runs in results yet.*0$", text)
  end)
end)
