-- sweep_spec.lua: `rnnlab sweep --launcher slurm` on a real Slurm with two nodes: a sweep is cancelled and goes on, a
-- node is killed in the middle. What there must be in the end is what the same sweep gives on this machine, each
-- trial once.
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
    -- the task of the killed node came again, on the other one
    local seats = cli.shell("ls " .. cli.dir .. "/results/" .. name .. "/seats")
    assert.matches("%.1", seats)
  end)
end)
