-- sweep_spec.lua: a sweep whose processes die in the middle of a write of a journal, or are stopped by Ctrl-C: nothing
-- that had ended is lost, nothing counts twice, nobody is left behind. Kills at random instants are in kill_spec.lua.
local cli = require "helper"
package.path = cli.root .. "/tests/fault/?.lua;" .. package.path
local kills = require "kills"
local sweeps = require "sweeps"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 8), lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 300 },
  data = function(p, rng) return { x = rng:uniform(4, 40, 2), y = rng:uniform(4, 40, 1) } end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", figures = false,
}
]]

describe("a sweep that is killed", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("loses no more than the line that was torn", function()
    local library, wanted = kills.library "tear", math.max(3, kills.wanted // 10)
    if not library then return end
    cli.write(cli.dir .. "/s.lua", script)
    local words = "hidden lr --sampler random --trials 60 --keep none --quiet --jobs 2 --retries 100"
    assert.equal(0, cli.run("sweep s.lua " .. words).code)
    local whole = sweeps.results(cli.dir .. "/results/s-sweep-1")
    local tears, n, before = cli.dir .. "/tears", 2, nil
    local going = false
    while #(cli.read(tears) or "") < wanted do
      local name = "s-sweep-" .. n
      local got = cli.run(going and ("resume %s --quiet --jobs 2"):format(name) or "sweep s.lua " .. words,
        { LD_PRELOAD = library, RNNLAB_TEAR_LOG = tears,
          RNNLAB_TEAR = ("journal-:%d"):format(1 + math.floor(5 * kills.random())) })
      assert.is_true(sweeps.all_gone(), "workers were left behind")
      local dir = cli.dir .. "/results/" .. name
      local after = sweeps.results(dir)
      for trial, line in pairs(before or {}) do assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial])) end
      kills.log("%s: exit code %d, %s", name, got.code,
        #kills.torn(dir) > 0 and "a line is torn" or "torn lines were cut off")
      going, before = got.code ~= 0, after
      if not going then
        for trial, line in pairs(whole) do assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial])) end
        n, before = n + 1, nil
      end
    end
    if not going then n = n - 1 end
    local got = cli.run(("resume s-sweep-%d --json"):format(n))
    assert.equal(0, got.code, got.err)
    local after = sweeps.results(cli.dir .. "/results/s-sweep-" .. n)
    for trial, line in pairs(whole) do assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial])) end
    assert.equal(60, #cli.json(cli.last_line(got.out)).trials)
    kills.log("%d writes torn", #cli.read(tears))
  end)

  it("stops for Ctrl-C, tells how to go on, and goes on", function()
    cli.write(cli.dir .. "/s.lua", script)
    local got = cli.run("sweep s.lua hidden lr --sampler sobol --trials 400 epochs=2000 --keep none",
      { signal = { "INT", .4 } })
    assert.equal(130, got.code)
    assert.matches("interrupted by SIGINT after %d+ trials? of 400; rnnlab resume s%-sweep%-1 goes on", got.err)
    assert.is_true(sweeps.all_gone())
    local before = sweeps.results(cli.dir .. "/results/s-sweep-1")
    got = cli.run "resume s-sweep-1 --json --timeout 30s"
    assert.equal(0, got.code, got.err)
    local after, times = sweeps.results(cli.dir .. "/results/s-sweep-1")
    for trial, line in pairs(before) do
      assert.equal(sweeps.value_of(line), sweeps.value_of(after[trial]))
      assert.equal(1, times[trial])
    end
  end)
end)
