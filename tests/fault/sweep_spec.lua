-- sweep_spec.lua: kill -9 of a sweep's coordinator and of its workers at random instants, then resume. Nothing that had
-- ended is lost, nothing counts twice, nobody is left behind, and the end is to the bit that of a sweep never stopped.
--
-- RNNLAB_KILLS: how many kills (default 3). RNNLAB_FAULT_LOG: a file that gets a line for each.
local cli = require "helper"

local kills = tonumber(os.getenv "RNNLAB_KILLS" or "3")

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(2, 1, 8), lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 300 },
  data = function(p, rng) return { x = rng:uniform(4, 40, 2), y = rng:uniform(4, 40, 1) } end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", figures = false,
}
]]

-- Results of a sweep's journals: { trial = line }, and how many lines there are for each.
local function results(dir)
  local found, times = {}, {}
  local list = cli.shell("ls " .. cli.quote(dir) .. "/journal-*.jsonl 2>/dev/null")
  for path in list:gmatch "[^\n]+" do
    for line in (cli.read(path) or ""):gmatch "([^\n]*)\n" do
      local object = cli.json(line) -- a whole line is whole JSON
      if object.event == "result" then
        found[object.trial] = object
        times[object.trial] = (times[object.trial] or 0) + 1
      end
    end
  end
  return found, times
end

-- Does a journal end in the middle of a line: did the kill come inside a write?
local function torn(dir)
  local list, n = cli.shell("ls " .. cli.quote(dir) .. "/journal-*.jsonl 2>/dev/null"), 0
  for path in list:gmatch "[^\n]+" do
    local text = cli.read(path) or ""
    if text ~= "" and text:sub(-1) ~= "\n" then n = n + 1 end
  end
  return n
end

local function log(...)
  local path = os.getenv "RNNLAB_FAULT_LOG"
  if not path then return end
  local file = assert(io.open(path, "a"))
  file:write(string.format(...), "\n")
  file:close()
end

-- Start a command in the background; its process.
local function start(words)
  local pid = cli.shell(("cd %s && { %s %s >/dev/null 2>&1 & echo $!; }"):format(cli.quote(cli.dir),
    cli.quote(cli.program), words))
  return assert(tonumber(pid))
end

local function wait_for(pid)
  cli.shell(("while kill -0 %d 2>/dev/null; do sleep .01; done"):format(pid))
end

-- Processes that have the fresh folder's sweep on their command line.
local function workers()
  local list = cli.shell((("exec 2>/dev/null; for p in /proc/[0-9]*; do "
    .. "tr '\\0' ' ' <$p/cmdline | grep -q ' worker results/' && [ \"$(readlink $p/cwd)\" = %s ] && echo ${p#/proc/}; "
    .. "done; true"):format(cli.quote(cli.dir))))
  local pids = {}
  for pid in list:gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
  return pids
end

local function all_gone()
  for _ = 1, 300 do
    if #workers() == 0 then return true end
    cli.shell "sleep .01"
  end
  return false
end

local function value_of(line) return ("%d %s %.17g"):format(line.trial, line.status, line.values[1]) end

describe("a sweep that is killed", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("loses nothing that had ended and ends the same", function()
    math.randomseed(tonumber(os.getenv "RNNLAB_FAULT_SEED" or "1"))
    cli.write(cli.dir .. "/s.lua", script)
    local words = "hidden lr --sampler random --trials 80 --keep none --quiet --jobs 2 --retries 100"
    assert.equal(0, cli.run("sweep s.lua " .. words).code)
    local whole = results(cli.dir .. "/results/s-sweep-1")
    local n, done, inside = 1, 0, 0
    while done < kills do
      n = n + 1
      local name = ("s-sweep-%d"):format(n)
      local dir = cli.dir .. "/results/" .. name
      local pid = start("sweep s.lua " .. words)
      local before
      repeat
        cli.shell(("sleep %.3f"):format(.01 + math.random() * .25))
        local running = select(2, cli.shell(("kill -0 %d 2>/dev/null"):format(pid)))
        if not running then break end
        local at_worker = math.random() < .4
        local targets = at_worker and workers() or { pid }
        local target = targets[math.random(math.max(1, #targets))] or pid
        cli.shell(("kill -9 %d 2>/dev/null"):format(target))
        done = done + 1
        if target == pid then
          wait_for(pid)
          assert.is_true(all_gone(), "workers were left behind")
        end
        local in_write = torn(dir)
        inside = inside + (in_write > 0 and 1 or 0)
        log("%s: kill -9 of %s%s", name, target == pid and "the coordinator" or "a worker",
          in_write > 0 and ", inside a write" or "")
        before = results(dir)
        if target == pid then
          if not cli.exists(dir .. "/sweep.json") then break end -- it had not begun
          pid = start(("resume %s --quiet --jobs 2"):format(name))
        end
      until done >= kills
      wait_for(pid)
      if cli.exists(dir .. "/sweep.json") then
        local got = cli.run(("resume %s --json"):format(name))
        assert.equal(0, got.code, got.err)
        local after, times = results(dir)
        for trial, line in pairs(before or {}) do
          assert.is_truthy(after[trial], "a trial that had ended is lost")
          assert.equal(value_of(line), value_of(after[trial]))
        end
        local object = cli.json(cli.last_line(got.out))
        assert.equal(80, #object.trials) -- each once, however often it was run
        for trial, line in pairs(whole) do
          assert.equal(value_of(line), value_of(after[trial]))
        end
        for trial, count in pairs(times) do
          assert.equal(1, count, "trial " .. trial .. " was run again after it had ended")
        end
      end
    end
    log("%d kills, %d inside a write", done, inside)
    assert.is_true(all_gone())
  end)

  it("loses no more than the line that was torn", function()
    if (os.getenv "RNNLAB_TEST_PRELOAD" or "") ~= "" then return end -- a sanitizer must be the first library
    local library = os.getenv "RNNLAB_BUILD" .. "/tests/cli/librnl_tear.so"
    assert(cli.exists(library), library)
    math.randomseed(tonumber(os.getenv "RNNLAB_FAULT_SEED" or "1"))
    cli.write(cli.dir .. "/s.lua", script)
    local words = "hidden lr --sampler random --trials 60 --keep none --quiet --jobs 2 --retries 100"
    assert.equal(0, cli.run("sweep s.lua " .. words).code)
    local whole = results(cli.dir .. "/results/s-sweep-1")
    local tears, n, before = cli.dir .. "/tears", 2, nil
    local going = false
    while #(cli.read(tears) or "") < kills do
      local name = "s-sweep-" .. n
      local got = cli.run(going and ("resume %s --quiet --jobs 2"):format(name) or "sweep s.lua " .. words,
        { LD_PRELOAD = library, RNNLAB_TEAR = ("journal-:%d"):format(math.random(1, 5)), RNNLAB_TEAR_LOG = tears })
      assert.is_true(all_gone(), "workers were left behind")
      local dir = cli.dir .. "/results/" .. name
      local after = results(dir)
      for trial, line in pairs(before or {}) do assert.equal(value_of(line), value_of(after[trial])) end
      log("%s: exit code %d, %s", name, got.code, torn(dir) > 0 and "a line is torn" or "torn lines were cut off")
      going, before = got.code ~= 0, after
      if not going then
        for trial, line in pairs(whole) do assert.equal(value_of(line), value_of(after[trial])) end
        n, before = n + 1, nil
      end
    end
    if not going then n = n - 1 end
    local got = cli.run(("resume s-sweep-%d --json"):format(n))
    assert.equal(0, got.code, got.err)
    local after = results(cli.dir .. "/results/s-sweep-" .. n)
    for trial, line in pairs(whole) do assert.equal(value_of(line), value_of(after[trial])) end
    assert.equal(60, #cli.json(cli.last_line(got.out)).trials)
    log("%d writes torn", #cli.read(tears))
  end)

  it("stops for Ctrl-C, tells how to go on, and goes on", function()
    cli.write(cli.dir .. "/s.lua", script)
    local got = cli.run("sweep s.lua hidden lr --sampler sobol --trials 400 epochs=2000 --keep none",
      { signal = { "INT", .4 } })
    assert.equal(130, got.code)
    assert.matches("interrupted by SIGINT after %d+ trials? of 400; rnnlab resume s%-sweep%-1 goes on", got.err)
    assert.is_true(all_gone())
    local before = results(cli.dir .. "/results/s-sweep-1")
    got = cli.run "resume s-sweep-1 --json --timeout 30s"
    assert.equal(0, got.code, got.err)
    local after, times = results(cli.dir .. "/results/s-sweep-1")
    for trial, line in pairs(before) do
      assert.equal(value_of(line), value_of(after[trial]))
      assert.equal(1, times[trial])
    end
  end)
end)
