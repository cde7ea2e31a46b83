-- kill -9 at random instants, many of them inside the writing of a checkpoint: nothing is corrupt, no row that counts
-- is lost, and every run ends as one that was never touched, to the bit. How many kills landed where is printed.
--   RNNLAB_FAULT_KILLS   how many (20)      RNNLAB_FAULT_SEED   other instants (1)
local cli = require "helper"

local kills = tonumber(os.getenv "RNNLAB_FAULT_KILLS" or "20")
local draw = tonumber(os.getenv "RNNLAB_FAULT_SEED" or "1")

local function random()
  draw = (draw * 1103515245 + 12345) % 2 ^ 31
  return draw / 2 ^ 31
end

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

local function temporaries(run)
  return tonumber((cli.shell(("ls %s/results/%s 2>/dev/null | grep -c 'tmp-'"):format(cli.quote(cli.dir), run)))) or 0
end

local function ok(words)
  local got = cli.run(words)
  assert.equal(0, got.code, got.err)
  return got
end

describe("kill -9", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("loses nothing", function()
    local count = { kills = 0, writing = 0, training = 0, before = 0, finished = 0, runs = 0 }
    for _, way in ipairs(ways) do
      cli.write(("%s/%s.lua"):format(cli.dir, way.name), (script:gsub("MORE", function() return way.more end)))
      local began = cli.shell "date +%s.%N"
      ok(("run %s.lua --no-plot --quiet"):format(way.name))
      way.took = tonumber((cli.shell "date +%s.%N")) - tonumber(began)
      way.whole, way.number = outcome(way.name .. "-1"), 1
    end
    while count.kills < kills do
      local way = ways[count.runs % #ways + 1]
      count.runs, way.number = count.runs + 1, way.number + 1
      local run = ("%s-%d"):format(way.name, way.number)
      local command = ("run %s.lua --no-plot --quiet"):format(way.name)
      while status_of(run) ~= "finished" and count.kills < kills do
        local got = cli.run(command, { signal = { "KILL", .02 + way.took * random() * .5 } })
        if got.code ~= 0 then
          assert.equal(137, got.code, got.err)
          count.kills = count.kills + 1
          if temporaries(run) > 0 then count.writing = count.writing + 1
          elseif file(run, "checkpoint.safetensors") then count.training = count.training + 1
          else count.before = count.before + 1 end
          local listed = cli.json(ok("ls --json").out) -- the store is whole, and nothing dead is shown as running
          for _, entry in ipairs(listed) do
            assert.not_equal("running", entry.status)
            if entry.run ~= run then assert.equal("finished", entry.status) end
          end
        end
        if status_of(run) then command = ("resume %s --no-plot --quiet"):format(run) end
      end
      if status_of(run) ~= "finished" then
        if status_of(run) then ok(("resume %s --no-plot --quiet"):format(run))
        else way.number = way.number - 1 end -- killed before its folder was there
      end
      if status_of(run) then
        assert.same(way.whole, outcome(run), run)
        count.finished = count.finished + 1
      end
    end
    local listed = cli.json(ok("ls --json").out)
    assert.equal(count.finished + #ways, #listed)
    print(("%d kills over %d runs: %d inside a write, %d between writes, %d before the first checkpoint; %d finished, "
      .. "all to the bit"):format(count.kills, count.runs, count.writing, count.training, count.before, count.finished))
    assert.is_true(count.writing > 0, "no kill landed inside a write")
  end)
end)
