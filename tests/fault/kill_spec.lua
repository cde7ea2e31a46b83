-- kill_spec.lua: kill -9 at random instants, half of them of runs and half of sweeps, many inside a write: nothing is
-- corrupt, nothing that had ended is lost or counted twice, nobody is left behind, and every run and every trial ends
-- as one that was never touched, to the bit. How many kills came where is printed; see kills.lua.
local cli = require "helper"
package.path = cli.root .. "/tests/fault/?.lua;" .. package.path
local kills = require "kills"
local sweeps = require "sweeps"

-- ---- runs ---------------------------------------------------------------------------------------

-- Steps take no time beside checkpoints of some hundred kilobytes after every epoch, so that most of the time is
-- spent writing.
local script = [[
  local r = require "rnnlab"
  return r.experiment {
    params = { epochs = 120, hidden = 90, lr = .01 },
    data = function(p, rng)
      local function part(n)
        local x = rng:uniform(n, 3, 2)
        return { x = x, y = x[{ {}, {}, { 1, 1 } }] * 2 }
      end
      return { train = part(4), val = part(2) }
    end,
    model = function(p) return r.rnn("lstm", 2, p.hidden, 1, { dropout = .1 }) end,
    loss = "sse", checkpoint = { epochs = 1 }, MORE
  }
]]

local ways = {
  { name = "callback", more = [[batch_size = 2, early_stopping = 500, on_epoch = function(run)
      run.state.n = (run.state.n or 0) + 1
      run.state.rng = run.state.rng or r.rng(3)
      run:log { n = run.state.n, own = run.state.rng:normal(), common = math.random() }
    end]] },
  { name = "ensemble", more = "models = 2, batch_size = 2" },
  { name = "loop", more = [[main = function(p, run)
      local s = run.state
      while (s.epoch or 0) < p.epochs do
        for batch in run:batches("train", 2) do run:step(batch) end
        run:end_epoch()
        s.epoch = (s.epoch or 0) + 1
        s.val = run:evaluate "val"
        run:set_lr(p.lr / (1 + s.val))
        run:checkpoint()
      end
    end]] },
}

local function file(way, name) return cli.read(("%s/results/%s/%s"):format(cli.dir, way, name)) end

local function status_of(run)
  local text = file(run, "run.json")
  return text and cli.json(text).status
end

-- What a finished run left.
local function outcome(run)
  assert.equal("finished", status_of(run))
  return { rows = file(run, "metrics.csv"), model = file(run, "model.safetensors"),
    models = file(run, "models.safetensors") or "" }
end

local function ok(words)
  local got = cli.run(words)
  assert.equal(0, got.code, got.err)
  return got
end

-- The store is whole, and nothing dead is shown as running: all but `run` are finished.
local function check_listing(run)
  for _, entry in ipairs(cli.json(ok("ls --json").out)) do
    assert.not_equal("running", entry.status)
    if entry.run ~= run then assert.equal("finished", entry.status) end
  end
end

-- Kill a run of this way until it is finished or there were enough kills, then let it end. False where it was killed
-- before its folder was there.
local function kill_a_run(way, enough)
  way.number = way.number + 1
  local run = ("%s-%d"):format(way.name, way.number)
  local command = ("run %s.lua --no-plot --quiet"):format(way.name)
  while status_of(run) ~= "finished" and kills.all < enough do
    local env = kills.environment()
    env.signal = { "KILL", .02 + way.took * kills.random() * .5 }
    local got = cli.run(command, env)
    if got.code ~= 0 then
      assert.equal(137, got.code, got.err)
      kills.add("runs", ("%s after %.3f s"):format(run, env.signal[2]), ("%s/results/%s"):format(cli.dir, run))
      check_listing(run)
    end
    if status_of(run) then command = ("resume %s --no-plot --quiet"):format(run) end
  end
  if not status_of(run) then
    way.number = way.number - 1
    return false
  end
  if status_of(run) ~= "finished" then ok(("resume %s --no-plot --quiet"):format(run)) end
  assert.same(way.whole, outcome(run), run)
  return true
end

-- ---- sweeps -------------------------------------------------------------------------------------

-- Trials of some 20 ms with a checkpoint every few of them, so that some of the time is spent writing one.
local sweep_script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 24), lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 2000 },
  data = function(p, rng) return { x = rng:uniform(4, 40, 2), y = rng:uniform(4, 40, 1) } end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", figures = false, checkpoint = { epochs = 500 },
}
]]

local trials = 40
local sweep_words = ("sweep s.lua hidden lr --sampler random --trials %d --keep none --quiet --jobs 2 --retries 100")
  :format(trials)

-- One kill of the sweep's coordinator or of one of its workers. Which process, or nil where the sweep had ended before.
local function kill_one(pid, name, dir)
  cli.shell(("sleep %.3f"):format(.01 + kills.random() * .25))
  local targets = kills.random() < .4 and sweeps.workers() or { pid }
  local target = targets[1 + math.floor(kills.random() * #targets)] or pid
  if not sweeps.runs(target) then return nil end
  cli.shell(("kill -9 %d 2>/dev/null"):format(target))
  if target == pid then
    if sweeps.wait_for(pid) ~= 137 then return nil end -- it ended at the same moment
    assert.is_true(sweeps.all_gone(), "workers were left behind")
  else
    while sweeps.runs(target) do cli.shell "sleep .001" end
  end
  kills.add("sweeps", ("%s of %s"):format(target == pid and "the coordinator" or "a worker", name), dir)
  return target
end

-- Begin a sweep, kill it and its workers, going on each time, until there were enough kills or it has ended; then let
-- it end, and compare with `whole`.
local function kill_a_sweep(number, whole, enough)
  local name = ("s-sweep-%d"):format(number)
  local dir = cli.dir .. "/results/" .. name
  local pid = sweeps.start(sweep_words, kills.environment())
  local before
  while kills.all < enough do
    local target = kill_one(pid, name, dir)
    if not target then break end
    before = sweeps.results(dir)
    if target == pid then
      if not cli.exists(dir .. "/sweep.json") then return false end -- it had not begun
      pid = sweeps.start(("resume %s --quiet --jobs 2"):format(name), kills.environment())
    end
  end
  sweeps.wait_for(pid)
  local got = cli.run(("resume %s --json"):format(name))
  assert.equal(0, got.code, got.err)
  local after, times = sweeps.results(dir)
  for trial, line in pairs(before or {}) do
    assert.is_truthy(after[trial], "a trial that had ended is lost")
    assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial]))
  end
  assert.equal(trials, #cli.json(cli.last_line(got.out)).trials) -- each once, however often it was run
  for trial, line in pairs(whole) do assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial])) end
  for trial, count in pairs(times) do
    assert.equal(1, count, "trial " .. trial .. " was run again after it had ended")
  end
  return true
end

describe("kill -9", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("of a run loses nothing", function()
    local enough, finished, rounds = kills.all + kills.wanted // 2, 0, 0
    for _, way in ipairs(ways) do
      cli.write(("%s/%s.lua"):format(cli.dir, way.name), (script:gsub("MORE", function() return way.more end)))
      local began = cli.shell "date +%s.%N"
      ok(("run %s.lua --no-plot --quiet"):format(way.name))
      way.took = tonumber((cli.shell "date +%s.%N")) - tonumber(began)
      way.whole, way.number = outcome(way.name .. "-1"), 1
    end
    local function some(to)
      while kills.all < to do
        if kill_a_run(ways[rounds % #ways + 1], to) then finished = finished + 1 end
        rounds = rounds + 1
      end
    end
    some(enough)
    -- Where writing takes less of the time, as in a sanitizer's build, more of them, until enough came inside a write.
    while kills.kinds.runs.inside < kills.wanted // 4 and kills.all < 4 * kills.wanted do some(kills.all + 5) end
    assert.equal(finished + #ways, #cli.json(ok("ls --json").out))
    assert.is_true(kills.kinds.runs.inside > 0, "no kill came inside a write")
  end)

  it("of a sweep or its workers loses nothing", function()
    local enough, number = kills.all + kills.wanted - kills.wanted // 2, 1
    cli.write(cli.dir .. "/s.lua", sweep_script)
    ok(sweep_words)
    local whole = sweeps.results(cli.dir .. "/results/s-sweep-1")
    while kills.all < enough do
      number = number + 1
      kill_a_sweep(number, whole, enough)
    end
    assert.is_true(sweeps.all_gone())
  end)

  it("came inside a write often enough to mean something", function()
    print(kills.summary() .. "; all ended to the bit")
    kills.log("%s", kills.summary())
    assert.is_true(kills.all >= kills.wanted)
    assert.is_true(kills.inside >= kills.wanted // 4, kills.summary())
  end)
end)
