-- sweep_stop_spec.lua: sweeps that end early by themselves, and how long a trial took.
local cli = require "helper"

local function object(got)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

local function script(main)
  cli.write(cli.dir .. "/score.lua", [[
    local r = require "rnnlab"
    return r.experiment {
      params = { a = r.real(1, 0, 2), b = r.int(1, 1, 100) },
      main = function(p, run) ]] .. main .. [[ run:log { score = (p.a - .7) ^ 2 } end,
    }]])
end

describe("--stop-after", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("ends a sweep for good: resume runs no more", function()
    script ""
    local words = "sweep score.lua a --objective score --sampler random --trials 300 --stop-after 12 --json"
    local first = object(cli.run(words .. " --jobs 3"))
    assert.is_true(#first.trials < 300)
    assert.is_true(#first.trials - first.best.config >= 12)
    local again = object(cli.run "resume score-sweep-1 --json --jobs 1")
    assert.equal(#first.trials, #again.trials)
    assert.equal("finished", again.status)
  end)

  it("is the same for any number of workers with --deterministic", function()
    script ""
    local counts = {}
    for _, sampler in ipairs { "tpe", "random" } do
      for i, jobs in ipairs { 1, 2, 5 } do
        local o = object(cli.run(("sweep score.lua a --objective score --sampler %s --trials 300 --stop-after 12 "
          .. "--deterministic --json --jobs %d"):format(sampler, jobs)))
        counts[i] = #o.trials
      end
      assert.is_true(counts[1] < 300)
      assert.equal(0, counts[1] % 8)
      assert.same({ counts[1], counts[1], counts[1] }, counts)
    end
  end)
end)

describe("a trial's time", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("is its own, not that of those before it in the message", function()
    script "local s = 0 for i = 1, 2e6 do s = s + i % 3 end"
    local o = object(cli.run "sweep score.lua b=1..12 --objective score --jobs 1 --json")
    local sum = 0
    for _, trial in ipairs(o.trials) do sum = sum + trial.wall_s end
    assert.is_true(sum <= o.wall_s, ("%g s of %g"):format(sum, o.wall_s))
  end)

  it("is what --trial-timeout looks at, where tpe sends repeats together too", function()
    script "if p.seed % 2 == 1 then local s = ('a'):rep(60) s:find(('a*'):rep(60) .. 'b') end"
    local words = "sweep score.lua a --objective score --trials 2 --repeats 4 --trial-timeout 1s --keep none --json"
    local o = object(cli.run(words))
    assert.equal(8, #o.trials)
    for _, trial in ipairs(o.trials) do
      assert.equal(trial.seed % 2 == 1 and "timeout" or "finished", trial.status)
    end
  end)
end)

describe("a worker whose coordinator is killed", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("records nothing of trials that a pruner was to be asked about", function()
    cli.write(cli.dir .. "/s.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        params = { lr = r.real(.01, 1e-4, 1, "log"), epochs = 40 },
        data = function(p, rng) return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } } end,
        model = function(p) return r.rnn("elman", 1, 2, 1) end,
        loss = "mse", figures = false,
        on_epoch = HOOK,
      }]])
    local text = cli.read(cli.dir .. "/s.lua")
    for _, hook in ipairs { "nil", "function() end" } do
      cli.write(cli.dir .. "/s.lua", (text:gsub("HOOK", hook)))
      object(cli.run "sweep s.lua lr=.1,.2 --keep none --json")
      local dir = cli.dir .. "/results/s-sweep-" .. (hook == "nil" and 1 or 2)
      -- As a worker's coordinator says it, which then is gone before it answers the second question.
      local trials = {}
      for n = 1, 2 do
        trials[n] = ('{"trial": %d, "config": %d, "seed": 1, "params": {}, "overrides": ["lr=.%d", "seed=1"]}')
          :format(n, n, n)
      end
      cli.write(cli.dir .. "/said", ('{"script": "s.lua", "copy": "%s", "pruning": true, "trials": [%s]}\n=5\n=5\n')
        :format(dir, table.concat(trials, ", ")))
      cli.shell(("cd %s; %s worker %s 9 --parent $$ 3<said 4>told"):format(cli.quote(cli.dir), cli.quote(cli.program),
        dir))
      assert.equal(3, select(2, cli.read(cli.dir .. "/told"):gsub('"step"', "")), hook) -- it did ask
      assert.equal("", cli.read(dir .. "/journal-9.jsonl") or "", hook)
    end
  end)
end)
