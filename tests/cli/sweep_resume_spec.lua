-- sweep_resume_spec.lua: trials that are cut in their middle (a worker or the coordinator killed or told to stop) go on
-- from their checkpoints: what they tell is to the bit what an uncut sweep gives, and no epoch but the last few is
-- trained twice.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { hidden = r.int(3, 1, 8), lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 20000, batch = 0, patience = 0,
             wait = 0 },
  data = function(p, rng)
    return { train = { x = rng:uniform(6, 20, 2), y = rng:uniform(6, 20, 1) },
             val = { x = rng:uniform(4, 20, 2), y = rng:uniform(4, 20, 1) } }
  end,
  model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
  loss = "mse", figures = false, BATCH STOPPING HOOK MAIN
}
]]

-- on_epoch that keeps a state, draws random numbers, and notes every epoch in a file (--trust).
local hook = [[on_epoch = function(run)
    local s = run.state
    s.n = (s.n or 0) + 1
    s.sum = (s.sum or 0) + math.random()
    run:log { n = s.n, sum = s.sum }
    if s.n >= 50 then run:log { late = run.loss } end
    if io.open("NOTES", "r") then
      local file = io.open("NOTES", "a")
      file:write(".")
      file:close()
    end
  end,]]

local main = [[main = function(p, run)
    for i = 1, 4 do
      run:train(p.epochs // 4)
      run:set_lr(p.lr / (i + 1))
    end
  end,]]

local safe = [[main = function(p, run)
    local s = run.state
    while (s.i or 0) < 300 do
      run:train(p.epochs // 300)
      s.i = (s.i or 0) + 1
      run:set_lr(p.lr * (.5 + run:evaluate "val" % 1))
      run:checkpoint()
    end
  end,]]

-- options: hook, main, safe (true), batch, stopping: Lua text.
local function write(options)
  local text = script:gsub("BATCH", options.batch and "batch_size = " .. options.batch .. "," or "")
    :gsub("STOPPING", function() return options.stopping and "early_stopping = " .. options.stopping .. "," or "" end)
    :gsub("HOOK", function() return options.hook and hook:gsub("NOTES", cli.dir .. "/notes") or "" end)
    :gsub("MAIN", function() return options.main and main or options.safe and safe or "" end)
  cli.write(cli.dir .. "/s.lua", text)
end

local function dir(name) return cli.dir .. "/results/" .. name end

-- The lines of a sweep's journals, decoded: { event = { lines } }; whole ones only.
local function journals(name)
  local events = { result = {}, report = {}, proposal = {} }
  local list = cli.shell("ls " .. cli.quote(dir(name)) .. "/journal-*.jsonl 2>/dev/null")
  for path in list:gmatch "[^\n]+" do
    for line in (cli.read(path) or ""):gmatch "([^\n]*)\n" do
      local object = cli.json(line)
      local of = events[object.event]
      if of then of[#of + 1] = object end
    end
  end
  return events
end

-- What the trials of a sweep came to: trial -> its line without times, as { text =, resumed = }.
local function outcome(name)
  local trials = {}
  for _, line in ipairs(journals(name).result) do
    local resumed = line.resumed
    for _, key in ipairs { "wall_s", "train_s", "resumed", "run" } do line[key] = nil end
    trials[line.trial] = trials[line.trial] or { line = line, resumed = resumed }
    assert.same(trials[line.trial].line, line) -- one that ran twice
  end
  return trials
end

-- What pruners were told and said: sorted texts; none twice.
local function reports(name)
  local list, seen = {}, {}
  for _, line in ipairs(journals(name).report) do
    local key = ("%d at %d"):format(line.config, line.step)
    assert.is_nil(seen[key], "told twice: " .. key)
    seen[key] = true
    list[#list + 1] = ("%s: %.17g of %d%s"):format(key, line.value, line.repeats, line.stop and ", stopped" or "")
  end
  table.sort(list)
  return list
end

-- Start a command in the background, with SIGINT as at a terminal: a shell has what is behind `&` ignore it. Its
-- process.
local function start(words)
  local pid = cli.shell(("cd %s && { setsid env --default-signal=INT sh -c 'echo $$ >pid; exec %s %s' >out 2>err & } "
    .. "&& sleep .05; cat pid"):format(cli.quote(cli.dir), cli.program, words))
  return assert(tonumber(pid))
end

local function alive(pid)
  return select(2, cli.shell(("[ -r /proc/%d/stat ] && ! grep -q ') Z' /proc/%d/stat"):format(pid, pid)))
end

local function wait_for(pid)
  for _ = 1, 3000 do
    if not alive(pid) then return end
    cli.shell "sleep .01"
  end
  error "it does not end"
end

-- The workers of a process.
local function workers_of(pid)
  local pids = {}
  for child in cli.shell(("cat /proc/%d/task/%d/children 2>/dev/null"):format(pid, pid)):gmatch "%d+" do
    pids[#pids + 1] = tonumber(child)
  end
  return pids
end

-- The files in a sweep's folder of checkpoints: those that are whole, and those that are being written.
local function checkpoints(name)
  local whole, unfinished = {}, {}
  for file in cli.shell("ls " .. cli.quote(dir(name)) .. "/checkpoints 2>/dev/null"):gmatch "[^\n]+" do
    local list = file:find "%.safetensors$" and whole or unfinished
    list[#list + 1] = file
  end
  return whole, unfinished
end

-- Wait until a sweep has a checkpoint that one can go on from; false where it ended before.
local function has_checkpoint(name, pid)
  for _ = 1, 6000 do
    if #checkpoints(name) > 0 then return true end
    if not alive(pid) then return false end
    cli.shell "sleep .01"
  end
  return false
end

local codes = { INT = 130, TERM = 143, USR1 = 138 }

-- Cut a new sweep, which will be called `name`, in its middle, in the way `how` says, and have it run to its end.
-- Returns whether it was cut.
local function cut(words, how, name)
  local pid = start("sweep s.lua " .. words .. " --checkpoint-every .05s --json")
  if not has_checkpoint(name, pid) then return false end
  local target, signal = how:match "(%a+) (%w+)"
  if target == "worker" then
    local workers = workers_of(pid)
    if workers[1] then cli.shell(("kill -%s %d 2>/dev/null"):format(signal, workers[1])) end
    wait_for(pid)
    return workers[1] ~= nil -- they end before the sweep does
  end
  cli.shell(("kill -%s %d 2>/dev/null"):format(signal, pid))
  wait_for(pid)
  local workers = cli.shell("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
  assert.is_nil(workers:find(dir(name) .. " ", 1, true), "a worker was left behind")
  local err = cli.read(cli.dir .. "/err")
  if codes[signal] and not err:find("rnnlab resume " .. name .. " goes on", 1, true) then return false end
  local got = cli.run("resume " .. name .. " --json " .. (words:match "%-%-jobs %d+" or ""))
  assert.equal(0, got.code, got.err)
  cli.write(cli.dir .. "/err", err .. got.err)
  return true
end

local function resumed(trials)
  local n = 0
  for _, trial in pairs(trials) do
    for _, epoch in ipairs(trial.resumed or {}) do
      if epoch > 0 then n = n + 1 end
    end
  end
  return n
end

local cases = {
  { "that train beside others", "hidden=2,3,4,5 --jobs 2 epochs=30000" },
  { "in batches", "hidden=2,3,4 --jobs 2 epochs=5000", batch = 2 },
  { "that stop early", "hidden=2,3,4 --repeats 2 --jobs 2 epochs=200000 --keep best:2",
    stopping = "{ patience = 30000 }" },
  { "with on_epoch", "hidden=2,3,4 --jobs 2 epochs=8000", hook = true },
  { "with main", "hidden=2,3 --jobs 2 epochs=30000", main = true },
  { "with main and run:checkpoint", "hidden=2,3 --jobs 2 epochs=30000", safe = true },
  { "that a pruner looks at", "lr=log:1e-4..1e-1 --sampler random --trials 6 --repeats 3 --jobs 2 epochs=15000 "
    .. "--pruner asha --deterministic" },
  { "with on_epoch that a pruner looks at", "lr=log:1e-4..1e-1 --sampler sobol --trials 6 --repeats 2 --jobs 2 "
    .. "epochs=6000 --pruner median --deterministic --objective sum", hook = true },
  { "that a pruner looks at and stop early", "lr=log:1e-3..1e-1 --sampler random --trials 6 --repeats 3 --jobs 2 "
    .. "epochs=60000 --pruner hyperband --deterministic", stopping = "{ patience = 25000 }" },
  { "of tpe", "lr=log:1e-3..1e-1 hidden --sampler tpe --trials 12 --jobs 2 epochs=12000 --deterministic" },
}

local tries = (os.getenv "RNNLAB_TEST_PRELOAD" or "") == "" and 3 or 1 -- of each: a sanitizer is slow
local ways = { "coordinator INT", "coordinator KILL", "worker KILL", "worker TERM", "coordinator TERM", "worker USR1" }

describe("trials that were cut", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  for i, case in ipairs(cases) do
    it("go on to the bit: " .. case[1], function()
      write(case)
      local whole, told, best, words, times
      -- So many times as long; what an unbroken sweep of that length gives.
      local function lengthen(factor)
        times, words = factor, case[2]:gsub("epochs=(%d+)", function(n) return ("epochs=%d"):format(n * factor) end)
        cli.shell("rm -rf " .. cli.quote(cli.dir .. "/results"))
        local got = cli.run("sweep s.lua " .. words .. " --json")
        assert.equal(0, got.code, got.err)
        whole, told, best = outcome "s-sweep-1", reports "s-sweep-1", cli.json(cli.last_line(got.out)).best.run
      end
      lengthen(1)
      local went_on, k = 0, 0
      while k < tries or went_on == 0 and k < 12 do -- one may come when all is done
        if went_on == 0 and k > 0 and k % 3 == 0 then lengthen(3 * times) end -- on a fast machine nearly each does
        local how = ways[(2 * i + k) % #ways + 1]
        cli.shell("rm -rf " .. cli.quote(dir "s-sweep-2"))
        if cut(words, how, "s-sweep-2") then
          local after = outcome "s-sweep-2"
          for number, trial in pairs(whole) do
            assert.is_truthy(after[number], how .. ": a trial is lost")
            assert.same(trial.line, after[number].line, how)
          end
          assert.same(told, reports "s-sweep-2")
          assert.is_false(cli.exists(dir "s-sweep-2" .. "/checkpoints"), "checkpoints are left behind")
          for _, file in ipairs { "model.safetensors", "metrics.csv", "predictions.npz" } do
            assert.equal(cli.read(("%s/%s/%s"):format(dir "s-sweep-1", best, file)),
              cli.read(("%s/%s/%s"):format(dir "s-sweep-2", best, file)), how .. ": " .. file)
          end
          went_on = went_on + resumed(after)
        end
        k = k + 1
      end
      assert.is_true(went_on > 0, "none went on from a checkpoint")
    end)
  end

  -- Try until what is cut was in the middle of a trial, which is a matter of luck.
  local function until_lucky(try)
    for _ = 1, 20 do
      if try() then return end
      cli.clean()
      cli.fresh()
    end
    error "no signal came in the middle of a trial"
  end

  local notes = function() return #(cli.read(cli.dir .. "/notes") or "") end -- epochs trained

  it("do not train again what they have trained", function()
    local words = "hidden=3,4 --jobs 1 epochs=15000 --trust --keep none"
    until_lucky(function()
      write { hook = true }
      cli.write(cli.dir .. "/notes", "")
      if not cut(words, "coordinator TERM", "s-sweep-1") then return false end
      assert.equal(30000, notes()) -- not one, since it was told
      return resumed(outcome "s-sweep-1") == 1
    end)
    until_lucky(function()
      write { hook = true }
      cli.write(cli.dir .. "/notes", "")
      if not cut(words, "worker KILL", "s-sweep-1") or resumed(outcome "s-sweep-1") == 0 then return false end
      assert.is_true(notes() < 30000 + 10000) -- those since the last checkpoint
      assert.matches("trial %d goes on after epoch %d+", cli.read(cli.dir .. "/err"))
      return true
    end)
  end)

  it("do not either where the best is trained once more for its run folder", function()
    until_lucky(function()
      write { hook = true }
      cli.write(cli.dir .. "/notes", "")
      local pid = start "sweep s.lua hidden=3,4 --jobs 2 epochs=15000 --trust --checkpoint-every .05s"
      while alive(pid) do
        if cli.shell("ls " .. dir "s-sweep-1" .. "/trial-*/checkpoint.safetensors 2>/dev/null") ~= "" then break end
        cli.shell "sleep .01"
      end
      cli.shell(("kill -9 %d 2>/dev/null"):format(pid))
      wait_for(pid)
      if notes() == 45000 then return false end -- it was over
      local got = cli.run "resume s-sweep-1 --json"
      assert.equal(0, got.code, got.err)
      assert.is_true(notes() < 45000 + 5000) -- those since its last checkpoint
      local best = cli.json(cli.last_line(got.out)).best
      local run = cli.run(("run s.lua hidden=%d epochs=15000 --trust --quiet --no-plot --results whole"):format(
        best.params.hidden))
      assert.equal(0, run.code, run.err)
      for _, file in ipairs { "model.safetensors", "metrics.csv" } do
        assert.equal(cli.read(cli.dir .. "/whole/s-1/" .. file), cli.read(("%s/%s/%s"):format(dir "s-sweep-1",
          best.run, file)))
      end
      return true
    end)
  end)

  -- A sweep of two trials that was stopped in its first one: what its checkpoint is called.
  local function stopped()
    local file
    until_lucky(function()
      write {}
      local pid = start "sweep s.lua hidden=3,4 epochs=150000 --jobs 1 --keep none --checkpoint-every .05s"
      if not has_checkpoint("s-sweep-1", pid) then return false end
      cli.shell(("kill -INT -%d 2>/dev/null"):format(pid)) -- as a terminal does it: to all of them
      wait_for(pid)
      local files, unfinished = checkpoints "s-sweep-1"
      assert.same({}, unfinished)
      if #journals "s-sweep-1".result > 0 then return false end
      assert.same({ "trial-1-1.safetensors" }, files)
      file = dir "s-sweep-1" .. "/checkpoints/" .. files[1]
      return true
    end)
    assert.matches("checkpoints +of 1 trial under way\n +goes on by +rnnlab resume s%-sweep%-1\n",
      cli.run("show s-sweep-1").out)
    return file
  end

  -- Resume it; the lines about its checkpoints.
  local function lines_of_resume()
    local got = cli.run "resume s-sweep-1 --json --quiet"
    assert.equal(0, got.code, got.err)
    assert.is_false(cli.exists(dir "s-sweep-1" .. "/checkpoints"))
    cli.run "sweep s.lua hidden=3,4 epochs=150000 --keep none --quiet"
    local whole = outcome "s-sweep-2"
    for number, trial in pairs(outcome "s-sweep-1") do
      if trial.line.params.epochs == nil then assert.same(whole[number].line.curve, trial.line.curve) end
    end
    return got.err
  end

  it("begin anew, and say so in a line, where the checkpoint is damaged", function()
    local file = stopped()
    cli.write(file, cli.read(file):sub(1, 5000))
    local said = lines_of_resume()
    assert.matches("^rnnlab: trial 1 starts from its beginning; its checkpoint cannot be used: [^\n]*trial%-1%-1[^\n]*"
      .. "\n$", said)
    assert.is_nil(outcome "s-sweep-1"[1].resumed)
  end)

  it("begin anew where it is another trial's, another script's or of other parameters", function()
    local file = stopped()
    cli.shell(("mv %s %s"):format(file, (file:gsub("trial%-1", "trial-2"))))
    assert.matches("^rnnlab: trial 2 starts from its beginning; [^\n]* is not of this trial\n$", lines_of_resume())
    cli.clean()
    cli.fresh()
    stopped()
    local copy = dir "s-sweep-1" .. "/script.lua"
    cli.write(copy, cli.read(copy) .. "-- edited\n")
    assert.matches("^rnnlab: trial 1 starts from its beginning; [^\n]* is of another script\n$", lines_of_resume())
    cli.clean()
    cli.fresh()
    stopped()
    local plan = dir "s-sweep-1" .. "/sweep.json"
    cli.write(plan, (cli.read(plan):gsub('"epochs=150000"', '"epochs=150000", "patience=1"')))
    assert.matches("^rnnlab: trial 1 starts from its beginning; [^\n]* is of other parameters %(epochs=150000 hidden=3 "
      .. "seed=1%)\n$", lines_of_resume())
  end)

  it("go on from what came further where two have run them", function()
    local file, older
    until_lucky(function()
      file = stopped()
      older = file:gsub("%-1%.safe", "-77.safe")
      cli.shell(("cp %s %s"):format(file, older))
      local pid, before = start "resume s-sweep-1 --jobs 1 --checkpoint-every .05s", cli.read(older)
      while alive(pid) and cli.read(file) == before do cli.shell "sleep .01" end
      cli.shell(("kill -TERM %d 2>/dev/null"):format(pid))
      wait_for(pid)
      return cli.exists(file)
    end)
    cli.write(older .. ".tmp-1-0", "half") -- of a writer that was killed
    cli.write(dir "s-sweep-1" .. "/checkpoints/trial-2-9.safetensors", "nothing of use")
    assert.matches("trial 2 starts from its beginning", lines_of_resume())
    local went_on = outcome "s-sweep-1"[1].resumed
    assert.equal(2, #went_on)
    assert.is_true(went_on[2] > went_on[1])
  end)

  it("are not made to fail by a sweep that was killed before it had copied its script", function()
    write {}
    cli.run "sweep s.lua hidden=3,4 --keep none --timeout 0.001s"
    os.remove(dir "s-sweep-1" .. "/script.lua") -- the last that is written before the first trial
    local got = cli.run "resume s-sweep-1"
    assert.equal(1, got.code)
    assert.matches("^rnnlab: s%-sweep%-1 has no copy of its script, so it cannot go on: it was stopped before it had "
      .. "begun, or the copy was removed\n$", got.err)
  end)

  it("keep none where none are wanted", function()
    write {}
    assert.equal(0, cli.run("sweep s.lua hidden=3,4 epochs=30000 --keep none --checkpoint-every off").code)
    local got = cli.run "sweep s.lua hidden=3,4 --checkpoint-every often"
    assert.equal(2, got.code)
    assert.matches("^rnnlab: %-%-checkpoint%-every must be a time or a number of epochs", got.err)
    got = cli.run("sweep s.lua hidden=3,4 epochs=900000 --jobs 2 --keep none --checkpoint-every off",
      { signal = { "TERM", .4 } })
    assert.equal(143, got.code)
    assert.same({ {}, {} }, { checkpoints "s-sweep-2" })
  end)
end)
