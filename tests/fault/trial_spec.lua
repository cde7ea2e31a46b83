-- trial_spec.lua: workers of a sweep that are killed in the middle of writing a checkpoint, again and again: what is
-- there before it counts, and the end is to the bit that of a sweep never stopped.
local cli = require "helper"
package.path = cli.root .. "/tests/fault/?.lua;" .. package.path
local kills = require "kills"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 8), epochs = 40000 },
  data = function(p, rng) return { x = rng:uniform(4, 40, 2), y = rng:uniform(4, 40, 1) } end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", figures = false,
}
]]

local function object(got)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

describe("a worker that is killed while it writes a checkpoint", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("leaves the one before, and what comes of it is the same", function()
    local library, wanted = kills.library "tear", math.max(3, kills.wanted // 10)
    if not library then return end
    cli.write(cli.dir .. "/s.lua", script)
    local words = "sweep s.lua hidden=2,3,4 --jobs 2 --json --quiet --checkpoint-every 0.02s --retries 1000"
    local whole = object(cli.run(words))
    local tears, rounds, resumed = cli.dir .. "/tears", 0, 0
    while #(cli.read(tears) or "") < wanted do
      rounds = rounds + 1
      assert.is_true(rounds < 20 + wanted, "no write was torn")
      local got = object(cli.run(words, { LD_PRELOAD = library, RNNLAB_TEAR = ("checkpoints/:%d"):format(
        2 + rounds % 4), RNNLAB_TEAR_LOG = tears }))
      for number, trial in ipairs(got.trials) do
        resumed = resumed + #(trial.resumed or {})
        assert.same(whole.trials[number].metrics, trial.metrics)
      end
      assert.is_false(cli.exists(("%s/%s/checkpoints"):format(cli.dir, got.dir)))
      for _, file in ipairs { "model.safetensors", "metrics.csv" } do
        assert.equal(cli.read(("%s/%s/%s/%s"):format(cli.dir, whole.dir, whole.best.run, file)),
          cli.read(("%s/%s/%s/%s"):format(cli.dir, got.dir, got.best.run, file)))
      end
    end
    assert.is_true(resumed > 0)
    kills.log("%d checkpoints of trials torn in their writing, %d resumptions", #cli.read(tears), resumed)
  end)
end)
