-- sweep_show_spec.lua: what is said of a sweep once it is over: show, best, ls, resume, and what did not go well.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { a = r.real(1, 0, 2), b = r.real(1, 0, 2), what = r.choice{"good", "error", "nan"} },
  main = function(p, run)
    if p.what == "error" then error("not " .. p.a) end
    if p.what == "nan" then run:log { score = 0 / 0, cost = 1 } return end
    run:log { score = (p.a - .5) ^ 2 + 1e-9 * p.b + p.seed / 100, cost = 2 - p.a }
  end,
}
]]

local trained = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 8), epochs = 5 },
  data = function(p, rng)
    local function part() return { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } end
    return { train = part(), val = part(), test = part() }
  end,
  model = function(p) return r.rnn("elman", 1, p.hidden, 1) end,
  loss = "mse", figures = false,
}
]]

local function fresh()
  cli.fresh()
  cli.write(cli.dir .. "/s.lua", script)
  cli.write(cli.dir .. "/t.lua", trained)
end

local function ok(words)
  local got = cli.run(words)
  assert.equal(0, got.code, got.err)
  return got.out, got.err
end

local function object(words) return cli.json(cli.last_line((ok(words)))) end

local function count(text, pattern) return select(2, text:gsub(pattern, "")) end

describe("show SWEEP", function()
  before_each(fresh)
  after_each(cli.clean)

  it("has the tags, the notes and when it began", function()
    ok "sweep s.lua a=0,1 --objective score"
    ok "tag last paper two"
    ok { "note", "last", "the first line\nthe second" }
    local out = ok "show last"
    assert.matches("\n  started +%d%d%d%d%-%d%d%-%d%d %d%d:%d%d\n", out)
    assert.matches("\n  tags +paper two\n", out)
    assert.matches("\nnotes\n  %d+%-%d+%-%d+ %d+:%d+  the first line\n +the second\n", out)
  end)

  it("lists the whole Pareto front, and says what importance is about", function()
    ok "sweep s.lua a b --objective score,cost --trials 64 --keep none"
    local front = object "best last --json".front
    assert.is_true(#front > 10)
    local out = ok "show last"
    assert.equal(#front, count(out, "\n  front"))
    assert.matches("\nimportance for score %(PED%-ANOVA", out)
  end)

  it("of a rerun has its metrics over the seeds, test data too, and whose it is", function()
    ok "sweep t.lua hidden=2,3"
    local config = object("best last --json").config
    local best = ok "best t-sweep-1 --rerun 3"
    assert.matches("3 of 3 fresh seeds %(2 to 4%) finished, test data included; t%-sweep%-2\n", best)
    local out = ok "show t-sweep-2"
    assert.matches(("\n  rerun of +configuration %d of t%%-sweep%%-1\n"):format(config), out)
    assert.matches("\nmetrics over 3 seeds, test data included\n", out)
    assert.matches("\n +mean +± +deviation +95 %% interval\n", out)
    assert.equal(best:match "\n  test_loss[^\n]+", out:match "\n  test_loss[^\n]+")
    assert.is_nil(out:find "\nspace")
    ok "report t-sweep-2 -o r.md"
    local page = cli.read(cli.dir .. "/r.md")
    assert.matches(("\n%%- rerun of: configuration %d of t%%-sweep%%-1\n"):format(config), page)
    local low = out:match "\n  test_loss .- ([%d.e-]+) to"
    assert.matches("\n| `test_loss` +| [^|]+ ± [^|]+ | +" .. low:gsub("%p", "%%%0") .. " to [^|]+|\n", page)
    assert.matches(("\nrnnlab best t%%-sweep%%-1 %%-%%-config %d %%-%%-rerun 3\n"):format(config), page)
    local single = ok "best t-sweep-1 --rerun 1"
    assert.matches("1 of 1 fresh seed %(2%) finished", single)
    assert.matches("\n  test_loss +[%d.e-]+\n", single)
    ok "sweep s.lua a=0,1 --objective score"
    assert.matches("2 of 2 fresh seeds %(2 to 3%) finished, there are no test data;", (ok "best last --rerun 2"))
  end)

  it("counts failures that differ in their numbers alone as one", function()
    ok "sweep s.lua a=0,1 what=good,error,nan --objective score"
    local out = ok "show last"
    assert.matches("\n  2 failed: s.lua:5: not [01] %(trial %d%)\n", out)
    assert.matches("\n  2 diverged: score is no finite number %(NaN%) %(trial %d%)", out)
  end)
end)

describe("best SWEEP", function()
  before_each(fresh)
  after_each(cli.clean)

  it("names the run folder of the best, with repeats and with two objectives", function()
    for _, words in ipairs { "--repeats 2", "--objective score,cost", "" } do
      local sweep = object("sweep s.lua a=0,1,2 --objective score --json " .. words)
      local best = object "best last --json"
      assert.equal(sweep.best.run, best.run)
      assert.equal("trial-" .. best.trial, best.run)
      assert.is_true(cli.exists(("%s/%s/%s/run.json"):format(cli.dir, sweep.dir, best.run)))
      assert.matches("its run: " .. sweep.dir:gsub("%-", "%%-") .. "/trial%-" .. best.trial, (ok "best last"))
    end
    assert.is_nil(object("sweep s.lua a=0,1,2 --objective score --keep none --json").best.run)
    assert.is_nil(object("best last --json").run)
  end)

  it("says so where trials finished, but of no configuration all repeats", function()
    cli.write(cli.dir .. "/u.lua", (script:gsub("%s+if p.what == \"nan\"", " if p.seed == 2 then error('no') end%0")))
    local out = ok "sweep u.lua a=0,1 --repeats 2 --objective score"
    assert.matches("none ranks: of each configuration a repeat has not finished", out)
    local got = cli.run "best last"
    assert.equal(1, got.code)
    assert.matches("u%-sweep%-1 has no configuration all of whose repeats finished %(2 finished, 2 failed%)", got.err)
  end)
end)

describe("a sweep in ls", function()
  before_each(fresh)
  after_each(cli.clean)

  it("has its best value under the name of what it was judged by, said or not", function()
    ok "sweep t.lua hidden=2,3"
    local best = object("best last --json").value
    local row = cli.json((ok "ls --json"))[1]
    assert.same({ "val_loss" }, row.objective)
    assert.equal(best, row.best.value)
    assert.matches("TRIALS +val_loss +TIME", (ok "ls"))
    assert.matches("t%-sweep%-1", (ok { "ls", "val_loss<1000" }))
  end)

  it("is failed where no trial finished", function()
    local got = cli.run "sweep s.lua a=0,1 what=error --objective score"
    assert.equal(1, got.code)
    assert.matches("rnnlab: s%-sweep%-1: no trial finished %(2 failed%)\n", got.err)
    local row = cli.json((ok "ls --json"))[1]
    assert.equal("failed", row.status)
    assert.matches("status +failed: no trial finished %(2 failed%)\n", (ok "show last"))
  end)
end)

describe("resume SWEEP", function()
  before_each(fresh)
  after_each(cli.clean)

  it("says how much there is to do, or that nothing is", function()
    ok "sweep s.lua a b --objective score --sampler sobol --trials 40 --timeout 0.001s --jobs 1"
    local done = #object("resume last --timeout 0.001s --json").trials
    assert.matches("\n  goes on by +rnnlab resume s%-sweep%-1\n", (ok "show last"))
    local _, err = ok "resume last"
    assert.matches(("^rnnlab: s%%-sweep%%-1 goes on: %d of 40 trials have ended\n"):format(done), err)
    _, err = ok "resume last"
    assert.equal("rnnlab: s-sweep-1: all of 40 trials have ended; nothing is missing\n", err)
    assert.is_nil((ok "show last"):find "goes on by")
  end)
end)

describe("a script that was edited", function()
  before_each(fresh)
  after_each(cli.clean)

  it("is not what a sweep goes on with, and a line says so", function()
    cli.write(cli.dir .. "/part.lua", "return { add = 1 }")
    cli.write(cli.dir .. "/m.lua", (script:gsub("^local r", "local part = require 'part'\nlocal r")
      :gsub("cost = 2", "cost = part.add")))
    ok "sweep m.lua a b --objective cost --sampler sobol --trials 20 --timeout 0.001s --jobs 1 --quiet"
    cli.write(cli.dir .. "/part.lua", "return { add = 5 }")
    local out, err = ok "resume last --json"
    assert.matches("^rnnlab: part.lua was edited since; m%-sweep%-1 goes on with its own copy\n", err)
    for _, trial in ipairs(cli.json(out).trials) do assert.equal(1 - trial.params.a, trial.value) end
    cli.write(cli.dir .. "/m.lua", "")
    out, err = ok "best m-sweep-1 --rerun 2 --json"
    assert.matches("rnnlab: m.lua was edited since;.*\nrnnlab: part.lua was edited since;", err)
    assert.equal(1 - cli.json(out).params.a, cli.json(out).rerun.metrics.cost.mean)
    assert.equal("", (select(2, ok "best m-sweep-1 --rerun 1 --quiet")))
  end)
end)

describe("mistakes about sweeps", function()
  before_each(fresh)
  after_each(cli.clean)

  local function usage(words, wanted)
    local got = cli.run(words)
    assert.equal(2, got.code, words .. ": " .. got.err)
    assert.equal(1, count(got.err, "\n"), got.err)
    assert.matches(wanted, got.err)
  end

  it("are answered in one line", function()
    usage("sweep s.lua a=0,1 --objective score,max:score", "%-%-objective names score twice")
    usage("sweep s.lua a=0,1", "no trial reports 'loss'; there is cost and score; say which with %-%-objective\n")
    usage("sweep s.lua a=0,1 --objective scor", "no trial reports 'scor'; did you mean 'score'%?")
    ok "sweep s.lua a=0,1 --objective score --keep all"
    usage("compare last last", "last is a sweep; compare A B %-%-paired compares two")
    assert.matches("\n  sweep +s%-sweep%-%d\n", (ok "show results/s-sweep-3/trial-1"))
  end)

  it("in a name end with 2, whichever command it is given to", function()
    ok "sweep t.lua hidden=2,3"
    for _, command in ipairs { "show %s", "resume %s", "verify %s", "plot %s", "predict %s new.csv", "best %s",
      "rm %s --yes", "export %s", "tag %s x", "note %s x", "compare %s %s", "report %s -o x.md", "collect %s" } do
      usage(command:gsub("%%s", "nope"), "nope")
    end
    usage("verify t-sweep-1", "t%-sweep%-1 is a sweep; a run is wanted here")
    usage("predict t-sweep-1 new.csv", "t%-sweep%-1 is a sweep; a run is wanted here")
    local got = cli.run "resume results/t-sweep-1/trial-1 epochs=9"
    assert.matches("has kept no checkpoint to go on from %(a trial of a sweep keeps none once it has ended%)", got.err
      .. cli.run("resume results/t-sweep-1/trial-2 epochs=9").err)
  end)
end)
