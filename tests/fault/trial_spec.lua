-- trial_spec.lua: workers of a sweep that are killed in the middle of writing a checkpoint, again and again: what is
-- there before it counts, and the end is to the bit that of a sweep never stopped.
--
-- RNNLAB_KILLS: how many of these kills at least (default 3). RNNLAB_FAULT_LOG: a file that gets a line.
local cli = require "helper"

local kills = tonumber(os.getenv "RNNLAB_KILLS" or "3")

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
    if (os.getenv "RNNLAB_TEST_PRELOAD" or "") ~= "" then return end -- a sanitizer must be the first library
    local library = os.getenv "RNNLAB_BUILD" .. "/tests/cli/librnl_tear.so"
    assert(cli.exists(library), library)
    cli.write(cli.dir .. "/s.lua", script)
    local words = "sweep s.lua hidden=2,3,4 --jobs 2 --json --quiet --checkpoint-every 0.02s --retries 1000"
    local whole = object(cli.run(words))
    local tears, rounds, resumed = cli.dir .. "/tears", 0, 0
    while #(cli.read(tears) or "") < kills do
      rounds = rounds + 1
      assert.is_true(rounds < 20 + kills, "no write was torn")
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
    local log = os.getenv "RNNLAB_FAULT_LOG"
    if log then
      local file = assert(io.open(log, "a"))
      file:write(("%d checkpoints of trials torn in their writing, %d resumptions\n"):format(#cli.read(tears), resumed))
      file:close()
    end
  end)
end)
