-- sweep_spec.lua: rnnlab sweep as a user meets it: spaces, samplers, results, and what goes wrong.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 8), lr = r.real(.01, 1e-4, 1e-1, "log"), cell = r.choice{"elman", "jordan"},
             epochs = 5, wrong = false, layers = r.int(1, 1, 2), hidden2 = r.int(3, 1, 8) },
  data = function(p, rng)
    if p.wrong then error("the data are not there") end
    return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) },
             val = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) },
             test = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } }
  end,
  model = function(p) return r.rnn(p.cell, 1, p.hidden, 1) end,
  loss = "mse", figures = false,
}
]]

local function sweep(words, env)
  cli.write(cli.dir .. "/s.lua", script)
  return cli.run("sweep s.lua " .. words, env)
end

local function object(got)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

describe("rnnlab sweep", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("tries a grid of choices and ranks it", function()
    local got = sweep "hidden=2,4 lr=0.01,0.1,0.05"
    assert.equal(0, got.code, got.err)
    assert.matches("s%-sweep%-1   6 trials in .*: 6 finished", got.out)
    assert.matches("trial +val_loss +hidden +lr", got.out)
  end)

  it("prints one object with --json", function()
    local o = object(sweep "hidden=2,4 lr=0.01,0.1 --json")
    assert.equal("s-sweep-1", o.sweep)
    assert.equal(4, #o.trials)
    assert.equal("finished", o.status)
    for i, trial in ipairs(o.trials) do
      assert.equal(i, trial.trial)
      assert.equal("finished", trial.status)
      assert.equal(trial.metrics.val_loss, trial.value)
      assert.is_nil(trial.metrics.test_loss) -- nobody looks at test data while parameters are chosen
    end
    local best = math.huge
    for _, trial in ipairs(o.trials) do best = math.min(best, trial.value) end
    assert.equal(best, o.best.value)
  end)

  it("gives each trial the numbers that rnnlab run gives", function()
    local o = object(sweep "hidden=2,4 lr=log:1e-3..1e-1 epochs=150 --trials 16 --sampler random --json")
    for _, trial in ipairs(o.trials) do
      local words = "run s.lua epochs=150 hidden=%d lr=%.17g --json --no-plot"
      local run = object(cli.run(words:format(trial.params.hidden, trial.params.lr)))
      assert.equal(run.metrics.val_loss, trial.metrics.val_loss)
      assert.equal(run.metrics.loss, trial.metrics.loss)
      assert.equal(run.metrics.r2_y1, trial.metrics.r2_y1)
    end
  end)

  it("gives the same trials with one worker, two and eight", function()
    for _, options in ipairs { "--sampler random", "--sampler sobol", "--sampler tpe --deterministic",
      "--sampler random --pruner asha --deterministic", "--sampler tpe --repeats 2 --pruner median --deterministic" } do
      local first
      for _, jobs in ipairs { 1, 2, 8 } do
        local o = object(sweep(("hidden lr epochs=200 --trials 20 --json %s --jobs %d"):format(options, jobs)))
        local lines = {}
        for i, trial in ipairs(o.trials) do
          lines[i] = ("%d %s %s %.17g %d %s"):format(trial.trial, trial.status, tostring(trial.params.hidden),
            trial.params.lr, trial.epochs, trial.value and ("%.17g"):format(trial.value) or "")
        end
        local all = table.concat(lines, "\n")
        first = first or all
        assert.equal(first, all, options .. " --jobs " .. jobs)
      end
    end
  end)

  it("trains each configuration with the same seeds under --repeats", function()
    local o = object(sweep "hidden=2,4 --repeats 3 --seed 7 --json")
    assert.equal(6, #o.trials)
    local seeds = {}
    for i, trial in ipairs(o.trials) do seeds[i] = trial.seed end
    assert.same({ 7, 8, 9, 7, 8, 9 }, seeds)
    local at = o.best.trial
    local mean = (o.trials[at].value + o.trials[at + 1].value + o.trials[at + 2].value) / 3
    assert.near(mean, o.best.value, 1e-12)
    local got = sweep "hidden=2,4 --repeats 3"
    assert.matches("± ", got.out)
    assert.matches("95 %% interval", got.out)
  end)

  it("prints the trials and runs none with --dry-run", function()
    local got = sweep "hidden=2,4 lr=0.01,0.1 --dry-run"
    assert.equal(0, got.code)
    assert.matches("hidden=2 lr=0.01 seed=1", got.out)
    assert.is_false(cli.exists(cli.dir .. "/results"))
  end)

  it("takes its space from the script, and opens a parameter where another has a value", function()
    local own = script:gsub("loss = \"mse\"", [[
      sweep = { "layers", "hidden2", "lr", trials = 12, sampler = "random", when = { hidden2 = { layers = 2 } } },
      loss = "mse"]])
    cli.write(cli.dir .. "/own.lua", own)
    local o = object(cli.run "sweep own.lua --json")
    assert.equal(12, #o.trials)
    local both = {}
    for _, trial in ipairs(o.trials) do
      assert.equal(trial.params.layers == 2, trial.params.hidden2 ~= nil)
      both[trial.params.layers] = true
    end
    assert.is_true(both[1] and both[2])
    local declared = own:gsub(", when = {.-} }", ""):gsub("r.int%(3, 1, 8%)", "%0:when{ layers = 2 }")
    cli.write(cli.dir .. "/declared.lua", declared)
    local same = object(cli.run "sweep declared.lua --json")
    for i, trial in ipairs(o.trials) do
      assert.same(trial.params, same.trials[i].params)
      assert.equal(trial.value, same.trials[i].value)
    end
    -- fixed where it opens: no condition; fixed elsewhere, or never opened: said by name
    local fixed = object(cli.run "sweep declared.lua layers=2 --trials 3 --json")
    for _, trial in ipairs(fixed.trials) do assert.is_truthy(trial.params.hidden2) end
    for words, wanted in pairs {
      ["declared.lua layers=1"] = "hidden2 is swept only where layers is 2, and layers=1 is fixed",
      ["own.lua layers=1"] = "hidden2 is swept only where layers is 2, and layers=1 is fixed",
    } do
      local got = cli.run("sweep " .. words)
      assert.equal(2, got.code, got.err)
      assert.matches("^rnnlab: " .. wanted .. ": sweep layers too, or fix hidden2\n$", got.err)
    end
    cli.write(cli.dir .. "/twice.lua", (own:gsub("r.int%(3, 1, 8%)", "%0:when{ layers = 1 }")))
    local got = cli.run "sweep twice.lua"
    assert.equal(1, got.code)
    assert.matches("sweep.when: hidden2 has its condition in params already", got.err)
    cli.write(cli.dir .. "/wrong.lua", (script:gsub("r.int%(3, 1, 8%)", "%0:when{ layers = 3 }")))
    assert.matches("params: hidden2 depends on layers=3, but layers must be a whole number from 1 to 2",
      cli.run("check wrong.lua").err)
  end)

  it("prunes repeats as one, also where the script is called after every epoch", function()
    local own = script:gsub('loss = "mse"', [[
      on_epoch = function(run) run:log { twice = 2 * run.loss } end, loss = "mse"]])
    cli.write(cli.dir .. "/own.lua", own)
    local o = object(cli.run("sweep own.lua lr hidden epochs=100 --sampler random --trials 12 --repeats 2 "
      .. "--pruner asha --objective twice --deterministic --json --keep none"))
    assert.equal(24, #o.trials)
    for i = 1, 24, 2 do
      assert.equal(o.trials[i].status, o.trials[i + 1].status)
      assert.equal(o.trials[i].epochs, o.trials[i + 1].epochs)
    end
    assert.is_true(o.counts.pruned > 0 and o.counts.finished > 0)
  end)

  it("looks at trials where the pruner's settings say", function()
    local function epochs(words, name)
      local seen = {}
      for _, trial in ipairs(object(cli.run(("sweep %s.lua lr epochs=64 --sampler random --trials 16 --jobs 1 --json "
        .. "--keep none %s"):format(name, words))).trials) do
        seen[trial.epochs] = true
      end
      local list = {}
      for n in pairs(seen) do list[#list + 1] = n end
      table.sort(list)
      return table.concat(list, " ")
    end
    cli.write(cli.dir .. "/s.lua", script)
    assert.equal("4 16 64", epochs("--pruner asha", "s"))
    assert.equal("20 40 64", epochs("--pruner asha:first=20,factor=2", "s"))
    assert.equal("64", epochs("--pruner median:startup=16", "s"))
    assert.not_equal("64", epochs("--pruner median:startup=1", "s"))
    cli.write(cli.dir .. "/own.lua", (script:gsub('loss = "mse"', [[
      sweep = { "hidden", pruner = { "asha", first = 20, factor = 2 } }, loss = "mse"]])))
    assert.equal("20 40 64", epochs("", "own"))
    assert.equal("4 16 64", epochs("--pruner asha", "own"))
    assert.matches("sampler +random, pruner asha:first=20,factor=2\n", cli.run("show own-sweep-1").out)
    assert.matches("random, pruner asha:first=20,factor=2, 16", cli.run(
      "sweep own.lua lr epochs=64 --sampler random --trials 16 --dry-run").out)
  end)

  it("orders two objectives by their Pareto front", function()
    local o = object(sweep "lr hidden --trials 8 --objective loss,max:r2_y1 --json --keep none")
    assert.equal(2, #o.trials[1].values)
    assert.equal(o.trials[1].metrics.r2_y1, o.trials[1].values[2])
    assert.matches("front", sweep("lr hidden --trials 8 --objective val_loss,max:r2_y1").out)
    assert.equal(2, sweep("lr hidden --objective loss,val_loss --sampler tpe").code)
  end)

  it("sweeps a main without a loss by what it logs", function()
    cli.write(cli.dir .. "/score.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        params = { a = r.real(1, 0, 2), b = r.int(1, 0, 3) },
        main = function(p, run)
          for i = 1, 3 do run:log { part = p.a * i } end
          if p.b == 3 then error("not this one") end
          if p.b == 2 then run:log { score = 0 / 0 } return end
          run:log { score = (p.a - .5) ^ 2 + p.b, draw = math.random() }
        end }]])
    local o = object(cli.run "sweep score.lua a b --objective score --sampler random --trials 30 --json")
    assert.equal(30, #o.trials)
    local best = math.huge
    for _, trial in ipairs(o.trials) do
      assert.equal(({ [0] = "finished", "finished", "diverged", "failed" })[trial.params.b], trial.status)
      if trial.status == "finished" then
        assert.equal((trial.params.a - .5) ^ 2 + trial.params.b, trial.value)
        assert.equal(3 * trial.params.a, trial.metrics.part)
        best = math.min(best, trial.value)
      end
    end
    assert.equal(best, o.best.value)
    assert.matches("score +[%d.]+\n", cli.run(("show %s --results results/score-sweep-1"):format(o.best.run)).out)
    local alone = object(cli.run(("run score.lua a=%.17g b=%d --json"):format(o.best.params.a, o.best.params.b)))
    assert.same(o.trials[o.best.trial].metrics, alone.metrics)
    for words, wanted in pairs {
      ["a"] = "no trial reports 'loss'; there is draw, part and score",
      ["a --objective score --pruner asha"] = "%-%-pruner asha looks at a training, and score.lua has no loss",
    } do
      local got = cli.run("sweep score.lua b=0,1 " .. words)
      assert.equal(2, got.code)
      assert.matches(wanted, got.err)
    end
    cli.write(cli.dir .. "/forward.lua", [[
      local r = require "rnnlab"
      return r.experiment { params = { a = r.real(1, 0, 2) }, data = { {1, 2} }, model = r.rnn("elman", 2, 2, 1) }]])
    local got = cli.run "sweep forward.lua a"
    assert.equal(1, got.code)
    assert.matches("forward.lua has neither a loss nor a main that logs what is to be judged", got.err)
  end)

  it("records a trial that fails as what it was, and ranks the others", function()
    local got = sweep "wrong=false,true hidden=2,4"
    assert.equal(0, got.code, got.err)
    assert.matches("trial %d failed: s.lua:6: the data are not there", got.err)
    assert.matches("2 finished, 2 failed", got.out)
    local all = sweep "wrong=true hidden=2,4"
    assert.equal(1, all.code)
    assert.matches("no trial finished", all.err)
    local fast = sweep "wrong=true hidden=1,2,3,4,5,6,7,8 --fail-fast --jobs 1"
    assert.equal(1, fast.code)
    assert.matches("stopped, as %-%-fail%-fast says", fast.err)
  end)

  it("says in a line what is wrong with the command line", function()
    for words, wanted in pairs {
      ["lr=1e-2..1e-4"] = "lr=1e%-2%.%.1e%-4",
      ["lr=log:0..1"] = "lr=log:0%.%.1",
      ["hidden=4,4"] = "hidden=4,4",
      ["hiden=4,8"] = "did you mean 'hidden'",
      ["hidden=4,80"] = "80",
      ["hidden --sampler tep"] = "did you mean 'tpe'",
      ["hidden --pruner ashe"] = "did you mean 'asha'",
      ["hidden --pruner ashe:first=1"] = "did you mean 'asha'",
      ["hidden --pruner asha:frist=1"] = "%-%-pruner asha: 'frist' is not known; did you mean 'first'",
      ["hidden --pruner asha:first"] = "%-%-pruner asha: 'first' is not key=value",
      ["hidden --pruner asha:first=.5"] = "%-%-pruner asha: first must be a whole number",
      ["hidden --pruner asha:first=6"] = "asha: first is 6; 1 to 5, the epochs of a trial, is expected",
      ["hidden --pruner hyperband:factor=1"] = "hyperband: factor is 1; at least 2 is expected",
      ["hidden --pruner median:first=1"] = "%-%-pruner median: 'first' is not known %(there is startup%)",
      ["hidden --pruner none:first=1"] = "%-%-pruner none has no settings",
      ["hidden --objective val_los"] = "no trial reports 'val_los'; did you mean 'val_loss'",
      ["hidden lr --sampler grid"] = "lr",
      ["seed=1,2,3"] = "%-%-repeats",
      ["hidden=4"] = "nothing to sweep",
      ["hidden=2,4 --keep some"] = "best:N, all or none",
      ["hidden epochs=5,10 --pruner asha"] = "epochs is swept",
      ["hidden=2,4 --trials 0"] = "%-%-trials",
      ["hidden=2,4 --jobs 0"] = "%-%-jobs takes a number from 1",
      ["hidden=2,4 --launcher locl"] = "did you mean 'local'",
    } do
      local got = sweep(words)
      assert.equal(2, got.code, words .. ": " .. got.err)
      assert.matches("^rnnlab: [^\n]*" .. wanted, got.err, words)
    end
  end)
end)
