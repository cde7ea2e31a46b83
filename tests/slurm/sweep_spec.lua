-- sweep_spec.lua: `rnnlab sweep --launcher slurm` on a real Slurm with two nodes: a sweep is cancelled and goes on, a
-- node is killed in the middle, long trials are cut by a time limit, a requeue and a dead node and go on from their
-- checkpoints. What there must be in the end is what the same sweep gives on this machine, each trial once.
local cli = require "helper"

local slurm = cli.root .. "/tests/slurm/cluster.sh"
local root, env

local function installed()
  for _, program in ipairs { "munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel" } do
    local _, there = cli.shell("PATH=$PATH:/usr/sbin:/sbin command -v " .. program)
    if not there then return false end
  end
  return true
end

-- One trial takes a quarter of a second.
local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 3 },
  data = function(p, rng)
    local n = 0
    for i = 1, 3e7 do n = n + i end
    return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } }
  end,
  model = function(p) return r.rnn("elman", 1, 2, 1) end,
  loss = "mse", figures = false,
}
]]

-- One that trains for many seconds, without a stop.
local long = [[
local r = require "rnnlab"
return r.experiment {
  params = { lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 2500000 },
  data = function(p, rng) return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } } end,
  model = function(p) return r.rnn("elman", 1, 2, 1) end,
  loss = "mse", figures = false,
}
]]

local function cluster(what, ...)
  local said, good = cli.shell(table.concat({ "sh", cli.quote(slurm), what, cli.quote(root), ... }, " ") .. " 2>&1")
  assert.is_true(good, what .. ": " .. said)
end

local function object(words)
  local got = cli.run(words .. " --json", env)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

-- Look at a sweep until something is true of it.
local function wait(name, seconds, what, is)
  local status
  local ends = os.time() + seconds
  repeat
    status = object("sweep-status " .. name)
    if is(status) then return status end
    cli.shell "sleep 0.2"
  until os.time() > ends
  local log = cli.shell(("cat %s/results/%s/slurm/*.out; tail -n 5 %s/*.log"):format(cli.dir, name, root))
  error(("%s: not %s within %d s: %s\n%s"):format(name, what, seconds,
    cli.shell("cd " .. cli.dir .. " && SLURM_CONF=" .. root .. "/slurm.conf squeue -r -t all"), log))
end

-- Results in the journals: trial -> { how often it is counted by a reader, its lines' values }.
local function results(name)
  local values = {}
  for path in cli.shell("ls " .. cli.dir .. "/results/" .. name .. "/journal-*.jsonl"):gmatch "[^\n]+" do
    for line in cli.read(path):gmatch "[^\n]+" do
      local ok, object_ = pcall(cli.json, line)
      if ok and object_.event == "result" then
        assert.equal("finished", object_.status)
        values[object_.trial] = values[object_.trial] or object_.values[1]
        assert.equal(values[object_.trial], object_.values[1]) -- if it ran twice then to the same bits
      end
    end
  end
  return values
end

local function same_as_here(name, here, trials)
  local there = results(name)
  local n = 0
  for trial, value in pairs(here) do
    n = n + 1
    assert.equal(value, there[trial], "trial " .. trial)
  end
  assert.equal(trials, n)
  local collected = object("collect " .. name)
  assert.equal("finished", collected.status)
  assert.equal(trials, collected.done)
  assert.same({ finished = trials }, collected.counts)
  local got = cli.run("export " .. name .. " --format csv", env)
  assert.equal(0, got.code, got.err)
  local rows = {}
  for row in got.out:gmatch "[^\n]+" do rows[#rows + 1] = row end
  assert.equal(trials + 1, #rows) -- the index and the exporter count each once, too
end

local function idle(status)
  for _, task in ipairs(status.slurm) do
    if task.state == "PENDING" or task.state == "RUNNING" or task.state == "COMPLETING" then return false end
  end
  return true
end

describe("a sweep on Slurm", function()
  if not installed() then
    pending "needs slurmctld, slurmd, slurm-client and munge"
    return
  end

  setup(function()
    cli.fresh()
    root = cli.dir .. "/slurm"
    env = { SLURM_CONF = root .. "/slurm.conf" }
    cli.shell("chmod 755 " .. cli.dir)
    cli.write(cli.dir .. "/s.lua", script)
    cli.write(cli.dir .. "/long.lua", long)
    cluster("start", cli.read("/proc/self/stat"):match "^%d+")
  end)
  teardown(function()
    if root then cluster "stop" end
    cli.clean()
  end)

  local words = "sweep s.lua lr --sampler random --keep none --trials 40"

  it("is cancelled, is not run here while it waits, and goes on where it was", function()
    local sent = object(words .. " --launcher slurm --nodes-max 2 --cpus 2 --time 10m")
    assert.equal(2, sent.tasks)
    local name = sent.sweep
    wait(name, 30, "begun", function(s) return s.done >= 3 end)
    local got = cli.run("resume " .. name, env)
    assert.equal(1, got.code)
    assert.matches("is on the cluster still", got.err)
    local cancelled = object("cancel " .. name)
    assert.equal("interrupted", cancelled.status)
    assert.is_true(cancelled.done < 40)
    local left = wait(name, 30, "idle", idle)
    assert.is_true(left.done < 40)
    assert.equal(name, object("resume " .. name).sweep)
    wait(name, 60, "finished", function(s) return s.status == "finished" end)
    local here = object(words .. " --jobs 2")
    same_as_here(name, results(here.sweep), 40)
  end)

  it("loses nothing and counts nothing twice when a node is killed", function()
    local name = object(words .. " --launcher slurm --nodes-max 2 --cpus 2 --seed 5").sweep
    wait(name, 30, "running on both nodes", function(s)
      local nodes = {}
      for _, task in ipairs(s.slurm) do
        if task.state == "RUNNING" then nodes[task.node] = true end
      end
      return nodes.n1 and nodes.n2 and s.done >= 4
    end)
    cluster("kill", "n2")
    local killed_at = object("sweep-status " .. name).done
    assert.is_true(killed_at < 40, "it was over before the node was killed")
    local over = wait(name, 70, "finished", function(s) return s.status == "finished" and idle(s) end)
    assert.equal(40, over.done)
    local here = object(words .. " --jobs 2 --seed 5")
    same_as_here(name, results(here.sweep), 40)
    cluster("node", "n2")
    -- the task of the killed node came again, on the other one
    local seats = cli.shell("ls " .. cli.dir .. "/results/" .. name .. "/seats")
    assert.matches("%.1", seats)
  end)

  -- The trials that have a checkpoint: { number = true }, and how many.
  local function saved(name)
    local list, n = {}, 0
    for file in cli.shell(("ls %s/results/%s/checkpoints 2>/dev/null"):format(cli.dir, name)):gmatch "[^\n]+" do
      local number = tonumber(file:match "^trial%-(%d+)%-%d+%.safetensors$")
      if number and not list[number] then list[number], n = true, n + 1 end
    end
    return list, n
  end

  local function ask_slurm(command)
    local said, good = cli.shell("SLURM_CONF=" .. root .. "/slurm.conf " .. command .. " 2>&1")
    assert.is_true(good, command .. ": " .. said)
  end

  it("has long trials go on from their checkpoints: time limit, requeue and a dead node", function()
    local sent = object("sweep long.lua lr=0.003,0.01,0.03,0.1 --keep none --checkpoint-every 0.5s --launcher slurm "
      .. "--nodes-max 2 --cpus 2 --time 10m")
    local name = sent.sweep
    local begun = wait(name, 60, "training on both nodes", function(s)
      return select(2, saved(name)) == 4 and #s.slurm >= 2
    end)
    assert.equal(0, begun.done)
    local node = {}
    for _, task in ipairs(begun.slurm) do node[task.task or -1] = task.node end
    assert.is_true(node[0] ~= node[1])
    -- what Slurm sends a minute before the time is over: the task writes checkpoints and is back in the queue
    ask_slurm(("scancel --signal=USR1 --batch %d_0"):format(sent.job))
    cluster("kill", node[1])
    cluster("node", node[1])
    wait(name, 60, "running again", function(s)
      return s.done > 0 or cli.exists(("%s/results/%s/seats/1.1"):format(cli.dir, name))
    end)
    cli.shell "sleep 2"
    local again = object("sweep-status " .. name)
    for _, task in ipairs(again.slurm) do -- once more, by hand
      if task.kind == "tasks" and task.state == "RUNNING" then
        ask_slurm(("scontrol requeue %d_%d"):format(task.job, task.task))
        break
      end
    end
    local over = wait(name, 120, "finished", function(s) return s.status == "finished" and idle(s) end)
    assert.equal(4, over.done)
    local resumed = 0
    for path in cli.shell("ls " .. cli.dir .. "/results/" .. name .. "/journal-*.jsonl"):gmatch "[^\n]+" do
      for line in cli.read(path):gmatch "[^\n]+" do
        local o = cli.json(line)
        if o.event == "result" then
          assert.is_truthy(o.resumed, "trial " .. o.trial .. " began anew")
          resumed = resumed + #o.resumed
          for i, epoch in ipairs(o.resumed) do assert.is_true(epoch > (o.resumed[i - 1] or 0)) end
        end
      end
    end
    assert.is_true(resumed >= 4)
    local here = object "sweep long.lua lr=0.003,0.01,0.03,0.1 --keep none --jobs 2"
    same_as_here(name, results(here.sweep), 4)
    assert.is_false(cli.exists(cli.dir .. "/results/" .. name .. "/checkpoints"))
  end)
end)
