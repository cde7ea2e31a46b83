-- sweep_limits_spec.lua: trials that take too long, need too much memory, are killed or diverge, and what a sweep does
-- about them; copies of the script; slots that share a folder; the best and its rerun.
local cli = require "helper"

local head = [[
local r = require "rnnlab"
return r.experiment {
  params = { a = r.choice{"good", "bad"}, b = r.int(1, 1, 4), lr = r.real(.01, 1e-4, 1e3, "log"), epochs = 5 },
]]
local tail = [[
  model = function(p) return r.rnn("elman", 1, 2, 1) end,
  loss = "mse", figures = false,
}
]]

local function script(data)
  cli.write(cli.dir .. "/s.lua", head .. "  data = function(p, rng) " .. data
    .. " return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) },"
    .. " test = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } } end,\n" .. tail)
end

local function object(got)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

local function statuses(o)
  local counts = {}
  for _, trial in ipairs(o.trials) do counts[trial.status] = (counts[trial.status] or 0) + 1 end
  return counts
end

describe("a trial that goes wrong", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("is ended where it takes too long, and takes no other with it", function()
    script "if p.a == 'bad' then local s = ('a'):rep(60) s:find(('a*'):rep(60) .. 'b') end"
    local o = object(cli.run "sweep s.lua a=good,bad b=1,2,3 --trial-timeout 0.3s --json")
    assert.same({ finished = 3, timeout = 3 }, statuses(o))
    for _, trial in ipairs(o.trials) do
      assert.equal(trial.params and trial.params.a == "good" or false, trial.status == "finished")
    end
  end)

  it("is ended where it needs too much memory", function()
    script "if p.a == 'bad' then local t = r.zeros(200, 1000, 1000) t:fill(1) end"
    local o = object(cli.run "sweep s.lua a=good,bad b=1,2,3 --trial-memory 100M --json")
    assert.same({ finished = 3, oom = 3 }, statuses(o))
  end)

  it("is run again where its process was killed, and recorded where that goes on", function()
    script "if p.a == 'bad' then r.kill() end"
    cli.write(cli.dir .. "/s.lua", (cli.read(cli.dir .. "/s.lua"):gsub("r%.kill%(%)",
      "os.execute('kill -9 $PPID') os.execute('sleep 1')")))
    local o = object(cli.run "sweep s.lua a=good,bad b=1,2 --trust --json --retries 1")
    assert.same({ finished = 2, killed = 2 }, statuses(o))
    for _, trial in ipairs(o.trials) do
      if trial.status == "killed" then assert.matches("signal 9", trial.error) end
    end
  end)

  it("never ranks where it diverged, whatever it trained beside", function()
    script ""
    local o = object(cli.run "sweep s.lua lr=0.01,900 b=1,2,3,4 epochs=200 --json")
    assert.is_truthy(statuses(o).finished)
    assert.equal(8, #o.trials)
    assert.equal("finished", o.trials[o.best.trial].status)
  end)

  it("is run from the copy that was made at the start", function()
    script ""
    cli.write(cli.dir .. "/part.lua", "return { epochs = 3 }")
    local text = cli.read(cli.dir .. "/s.lua"):gsub("^local r", "local part = require 'part'\nlocal r")
    cli.write(cli.dir .. "/m.lua", (text:gsub("epochs = 5", "epochs = part.epochs")))
    local o = object(cli.run "sweep m.lua b=1,2 --json")
    assert.equal(3, o.trials[1].epochs)
    assert.is_true(cli.exists(cli.dir .. "/" .. o.dir .. "/script.lua"))
    assert.is_true(cli.exists(cli.dir .. "/" .. o.dir .. "/part.lua"))
  end)

  it("stops the sweep at its end of time, and resume runs the rest", function()
    script "local n = 0 for i = 1, 3e7 do n = n + i end"
    local got = cli.run "sweep s.lua b=1,2,3,4 a=good,bad --timeout 0.6s"
    assert.matches("the time is over after %d+ trials? of 8; rnnlab resume s%-sweep%-1 goes on", got.err)
    assert.equal(8, #object(cli.run "resume s-sweep-1 --json").trials)
  end)
end)

describe("slots that share a sweep's folder", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("run every configuration once between them", function()
    script ""
    local words = "sweep s.lua lr b --sampler random --pruner median --trials 40 epochs=20 --keep none --quiet"
    cli.run(words .. " --timeout 0.001s")
    local dir = cli.dir .. "/results/s-sweep-1"
    local slots = {}
    for slot = 1, 3 do
      slots[slot] = ("%s worker results/s-sweep-1 %d --self --quiet --jobs 2 &"):format(cli.quote(cli.program), slot)
    end
    cli.shell("cd " .. cli.quote(cli.dir) .. " && { " .. table.concat(slots, " ") .. " wait; }")
    local times, n = {}, 0
    for path in cli.shell("ls " .. cli.quote(dir) .. "/journal-*.jsonl"):gmatch "[^\n]+" do
      for number in cli.read(path):gmatch '"event": "result".-"trial": (%d+)' do
        times[number], n = (times[number] or 0) + 1, n + 1
      end
    end
    for number, count in pairs(times) do assert.equal(1, count, "trial " .. number) end
    assert.is_true(n > 30) -- some were proposed before the slots came, and are left to resume
    assert.equal(40, #object(cli.run "resume s-sweep-1 --json").trials)
  end)

  it("go on with their own where they are started again", function()
    script ""
    cli.run "sweep s.lua lr b --sampler sobol --trials 30 epochs=3000 --keep none --quiet --timeout 0.001s"
    local words = "worker results/s-sweep-1 1 --self --quiet"
    local got = cli.run(words, { signal = { "USR1", .15 } })
    assert.is_true(got.code == 138 or got.code == 0, got.code .. got.err) -- 128 + SIGUSR1
    assert.equal(0, cli.run(words).code)
    assert.equal(30, #object(cli.run "resume s-sweep-1 --json").trials)
  end)
end)

describe("run folders of a sweep", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  local function kept(o)
    local list = cli.shell(("cd %s/%s && ls -d trial-* 2>/dev/null"):format(cli.quote(cli.dir), o.dir))
    local names = {}
    for name in list:gmatch "[^\n]+" do names[#names + 1] = name end
    return names
  end

  it("are kept of the best, as many as asked for, with the model that was trained", function()
    script ""
    local words = "sweep s.lua lr=log:1e-3..1e-1 b --sampler random --trials 12 epochs=50 --json "
    local o = object(cli.run(words))
    assert.same({ "trial-" .. o.best.trial }, kept(o))
    assert.equal("trial-" .. o.best.trial, o.best.run)
    local dir = ("%s/%s/%s/"):format(cli.dir, o.dir, o.best.run)
    local best = object(cli.run "best last --json")
    local run = object(cli.run(best.command:gsub("^rnnlab ", "") .. " --json --no-plot"))
    assert.equal(cli.read(cli.dir .. "/" .. run.dir .. "/model.safetensors"), cli.read(dir .. "model.safetensors"))
    assert.equal(cli.read(cli.dir .. "/" .. run.dir .. "/metrics.csv"), cli.read(dir .. "metrics.csv"))
    assert.equal(best.value, object(cli.run(("show %s/%s --json"):format(o.sweep, o.best.run))).metrics.loss)
    assert.equal(3, #kept(object(cli.run(words .. "--keep best:3"))))
    assert.equal(0, #kept(object(cli.run(words .. "--keep none"))))
    assert.equal(12, #kept(object(cli.run(words .. "--keep all"))))
    assert.equal(2, #kept(object(cli.run(words .. "--keep best:2 --repeats 2")))) -- trained once more
  end)
end)

describe("rnnlab best", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("prints the winner and the command line that runs it again", function()
    script ""
    local o = object(cli.run "sweep s.lua lr=log:1e-3..1e-1 b --sampler random --trials 8 --json --keep none")
    local best = object(cli.run "best last --json")
    assert.equal(o.best.value, best.value)
    local run = object(cli.run(best.command:gsub("^rnnlab ", "") .. " --json --no-plot"))
    assert.equal(best.value, run.metrics.loss)
    local got = cli.run "best last"
    assert.matches("rnnlab run s%.lua", got.out)
  end)

  it("runs it on fresh seeds, and there alone on test data", function()
    script ""
    local o = object(cli.run "sweep s.lua lr=0.1,0.01 --repeats 3 --json --keep none")
    assert.is_nil(o.trials[1].metrics.test_loss)
    local best = object(cli.run "best s-sweep-1 --rerun 4 --json")
    assert.same({ 4, 7 }, best.rerun.seeds)
    assert.equal(4, best.rerun.finished)
    assert.equal(4, best.rerun.metrics.test_loss.n)
    assert.matches("4 of 4 fresh seeds %(4 to 7%) finished", cli.run("best s-sweep-1 --rerun 4").out)
  end)

  it("says so where nothing finished, and where there is no such sweep", function()
    script "error 'no'"
    cli.run "sweep s.lua b=1,2"
    local got = cli.run "best last"
    assert.equal(1, got.code)
    assert.matches("no trial that finished", got.err)
    assert.equal(2, cli.run("best nothing").code)
  end)
end)

describe("rnnlab compare --paired", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("compares two configurations over the seeds they share", function()
    script ""
    local o = object(cli.run "sweep s.lua lr=0.1,0.001 epochs=100 --repeats 6 --json --keep none")
    local sum = 0
    for r = 1, 6 do sum = sum + o.trials[r].value - o.trials[6 + r].value end
    local p = object(cli.run "compare s-sweep-1:1 s-sweep-1:2 --paired --json")
    assert.equal(6, p.difference.n)
    assert.near(sum / 6, p.difference.mean, 1e-12)
    assert.is_true(p.wilcoxon.p > 0 and p.wilcoxon.p <= 1)
    local got = cli.run "compare s-sweep-1:1 s-sweep-1:2 --paired"
    assert.matches("over 6 shared seeds", got.out)
    assert.matches("Wilcoxon", got.out)
    assert.equal(2, cli.run("compare s-sweep-1:1 s-sweep-1:7 --paired").code)
    cli.run "sweep s.lua lr=0.1,0.001 --keep none"
    got = cli.run "compare s-sweep-2:1 s-sweep-2:2 --paired"
    assert.equal(1, got.code)
    assert.matches("share 1 seed", got.err)
  end)
end)

describe("rnnlab show of a sweep", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("ranks, counts and tells what failed", function()
    script "if p.b == 4 then error 'four is too many' end"
    assert.equal(0, cli.run("sweep s.lua b=1,2,3,4 lr=log:1e-3..1e-1 --trials 30 --sampler random --keep none").code)
    local got = cli.run "show s-sweep-1"
    assert.equal(0, got.code, got.err)
    for _, wanted in ipairs { "s%-sweep%-1", "sampler +random", "ranking", "importance", "failures", "four is too many",
      "lr: numbers from 0.001 to 0.1, uniform in the logarithm" } do
      assert.matches(wanted, got.out)
    end
  end)
end)
