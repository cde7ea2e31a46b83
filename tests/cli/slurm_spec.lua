-- slurm_spec.lua: `rnnlab sweep --launcher slurm`, sweep-status, collect and cancel against made-up sbatch, squeue,
-- scontrol and scancel, which write down how they were called; slots that take over what others left. (tests/slurm/ has
-- a real one.)
local cli = require "helper"

local script = [[
local r = require "rnnlab"
return r.experiment {
  params = { lr = r.real(.01, 1e-4, 1e-1, "log"), work = 1, epochs = 3 },
  data = function(p, rng)
    local n = 0
    for i = 1, p.work do n = n + i end
    return { train = { x = rng:uniform(2, 6, 1), y = rng:uniform(2, 6, 1) } }
  end,
  model = function(p) return r.rnn("elman", 1, 2, 1) end,
  loss = "mse", figures = false,
}
]]

local path

-- A program of Slurm's: it logs its words, then runs `body`.
local function fake(name, body)
  cli.write(path .. "/" .. name, ("#!/bin/sh\necho %s \"$@\" >>%s/calls\n%s\n"):format(name, path, body or ""))
  cli.shell("chmod +x " .. path .. "/" .. name)
end

local function fresh()
  cli.fresh()
  path = cli.folder()
  cli.write(cli.dir .. "/s.lua", script)
  fake("scontrol", "echo 'MaxArraySize            = 3'")
  fake("sbatch", ("n=$(wc -l <%s/calls); echo \"$((100 + n))\""):format(path))
  fake "squeue"
  fake "scancel"
end

local function run(words, more)
  local env = { PATH = path .. ":/usr/bin:/bin" }
  for key, value in pairs(more or {}) do env[key] = value end
  return cli.run(words, env)
end

local function object(got)
  assert.equal(0, got.code, got.err)
  return cli.json(cli.last_line(got.out))
end

local function calls() return cli.read(path .. "/calls") or "" end

local function refused(words, code, pattern)
  local got = run(words)
  assert.equal(code, got.code, got.err)
  assert.matches(pattern, got.err)
  assert.is_nil(got.err:match "\n.")
end

local sweep = "sweep s.lua lr --sampler random --trials 20 --keep none --launcher slurm "

describe("rnnlab sweep --launcher slurm", function()
  before_each(fresh)
  after_each(cli.clean)

  it("prints the batch script and makes nothing with --dry-run", function()
    local odd = "a b'c"
    local got = run { "sweep", "s.lua", "lr", "--trials", "20", "--launcher", "slurm", "--dry-run", "--results", odd,
      "--partition", "cpu", "--time", "90m", "--cpus", "4", "--nodes-max", "2", "--sbatch", "--qos=long --mem=4G" }
    assert.equal(0, got.code, got.err)
    for _, line in ipairs { "#!/bin/sh", "#SBATCH --array=0-1%2", "#SBATCH --cpus-per-task=4",
      "#SBATCH --partition=cpu", "#SBATCH --time=0-01:30:00",
      "#SBATCH --signal=B:USR1@60", "#SBATCH --requeue", "#SBATCH --qos=long",
      "#SBATCH --mem=4G" } do
      assert.truthy(("\n" .. got.out):find("\n" .. line .. "\n", 1, true), line)
    end
    -- what the shell makes of its last line
    cli.write(cli.dir .. "/job.sh", (got.out:gsub("\nexec '[^\n]-' worker", "\nprintf '%%s|' worker")))
    assert.equal("worker|" .. cli.dir .. "/" .. odd .. "/s-sweep-N|3|--self|--jobs|4|--quiet|",
      cli.shell("cd " .. cli.dir .. " && SLURM_ARRAY_TASK_ID=2 sh job.sh"))
    assert.is_false(cli.exists(cli.dir .. "/" .. odd))
    assert.is_nil(calls():find "sbatch")
  end)

  it("tells what is wrong with its options", function()
    refused(sweep .. "--time 1m", 2, "at least 2 minutes")
    refused(sweep .. "--time soon", 2, "%-%-time takes .* not 'soon'")
    refused(sweep .. "--partition 'a b'", 2, "%-%-partition takes a name, not 'a b'")
    refused(sweep .. "--cpus 0", 2, "%-%-cpus takes a number from 1 to 999, not 0")
    refused(sweep .. "--nodes-max 0", 2, "%-%-nodes%-max takes a number")
    refused(sweep .. "--jobs 4", 2, "%-%-cpus")
    refused(sweep .. "--sbatch '--wrap=x'", 2, "set by rnnlab")
    refused(sweep .. "--sbatch '--qos=$(id)'", 2, "%-%-sbatch takes options as %-%-name=value")
    refused("sweep s.lua lr --cpus 4", 2, "%-%-cpus is for %-%-launcher slurm")
    refused("sweep s.lua lr --launcher slum", 2, "did you mean 'slurm'")
    assert.is_false(cli.exists(cli.dir .. "/results"))
  end)

  it("submits an array no larger than the cluster takes, and the job behind it", function()
    local sent = object(run(sweep .. "--nodes-max 9 --json"))
    assert.same({ "s-sweep-1", 3, 102, 103, "running" },
      { sent.sweep, sent.tasks, sent.job, sent.collect, sent.status })
    local folder = cli.dir .. "/results/s-sweep-1/slurm"
    assert.equal(("scontrol show config\nsbatch --parsable --chdir=%s %s/tasks.sh\n"):format(folder, folder) ..
      ("sbatch --parsable --chdir=%s --dependency=afterany:102 %s/collect.sh\n"):format(folder, folder), calls())
    assert.matches("#SBATCH %-%-array=0%-2%%3\n", cli.read(folder .. "/tasks.sh"))
    assert.matches("s%-sweep%-1' %-%-finish 4 ", cli.read(folder .. "/collect.sh"))
    assert.equal("running", cli.json(cli.read(cli.dir .. "/results/s-sweep-1/sweep.json")).status)
    assert.matches("s%-sweep%-1 .*running", run("ls", { PATH = "/usr/bin:/bin" }).out) -- there is no squeue to ask
  end)

  it("says in a line what Slurm says, and leaves a failed sweep behind, not a running one", function()
    fake("sbatch", "echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2; exit 1")
    refused(sweep, 1, "s%-sweep%-1: sbatch failed: .*Invalid partition name")
    local json = cli.json(cli.read(cli.dir .. "/results/s-sweep-1/sweep.json"))
    assert.equal("failed", json.status)
    fake("scontrol", "echo 'slurm_load_ctl_conf error: Unable to contact slurm controller' >&2; exit 1")
    refused(sweep, 1, "scontrol failed: .*Unable to contact")
    cli.shell("rm " .. path .. "/scontrol " .. path .. "/sbatch")
    if select(2, cli.shell "PATH=/usr/bin:/bin command -v scontrol") then return end -- there is a real one
    refused(sweep, 1, "scontrol")
  end)

  it("says what is true where its jobs were cancelled by hand", function()
    object(run(sweep .. "--json"))
    -- squeue says that a task is in a state, in whatever form it is asked.
    local function states(state)
      return ("case $* in *%%K*) echo '0|%s||None';; *) echo %s;; esac"):format(state, state)
    end
    local function said(squeue)
      fake("squeue", squeue)
      local ls = run("ls").out:match "s%-sweep%-1 +(%a+)"
      assert.matches("status +" .. ls, run("show s-sweep-1").out)
      assert.equal(ls, object(run "sweep-status s-sweep-1 --json").status)
      assert.matches(ls == "running" and "s%-sweep%-1" or "no runs", run("ls status=running").out .. "no runs")
      return ls
    end
    assert.equal("running", said(states "PENDING"))
    assert.matches("squeue .*%-%-jobs=102,103\n", calls())
    assert.equal("running", said "echo 'squeue: error: no controller' >&2; exit 1")
    assert.equal("interrupted", said(states "CANCELLED"))
    assert.equal("interrupted", said "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    -- submitted again: the jobs of before do not count
    assert.equal(0, run("resume s-sweep-1").code)
    assert.equal("running", said(("case $* in *--jobs=102*) %s;; *) %s;; esac"):format(states "CANCELLED",
      states "PENDING")))
    -- nobody has written down that all of it is done
    for slot = 1, 3 do run(("worker results/s-sweep-1 %d --self --quiet"):format(slot)) end
    fake("squeue", states "CANCELLED")
    assert.equal("finished", object(run "sweep-status s-sweep-1 --json").status)
    assert.matches("s%-sweep%-1 +interrupted .* 20 ", run("ls").out)
    run "collect s-sweep-1 --quiet"
    assert.matches("s%-sweep%-1 +finished", run("ls").out)
  end)

  it("ends when the time of the sweep is over, counted from its first task", function()
    object(run(sweep .. "work=1e6 --trials 2000 --timeout 2s --json"))
    local began = os.time()
    assert.equal(0, run("worker results/s-sweep-1 1 --self --quiet").code)
    local took, done = os.time() - began, object(run "sweep-status s-sweep-1 --json").done
    assert.is_true(took >= 1 and took < 20 and done > 0 and done < 2000)
    local got = run "worker results/s-sweep-1 2 --self --quiet" -- a task that comes late
    assert.equal(0, got.code)
    assert.equal("rnnlab: the time of the sweep is over\n", got.err)
    assert.equal(done, object(run "sweep-status s-sweep-1 --json").done)
    assert.matches("its time, 2.00 s, is over", run("sweep-status s-sweep-1").out)
    assert.equal(0, run("collect s-sweep-1 --finish 4 --jobs 1 --quiet").code) -- runs nothing more either
    local json = cli.json(cli.read(cli.dir .. "/results/s-sweep-1/sweep.json"))
    assert.same({ "interrupted", done }, { json.status, object(run "sweep-status s-sweep-1 --json").done })
    -- one that goes on has its own
    object(run "resume s-sweep-1 --timeout 1s --json")
    fake("squeue", "echo RUNNING")
    assert.matches("ends in 1.00 s at the latest", run("sweep-status s-sweep-1").out)
    assert.equal(0, run("worker results/s-sweep-1 1 --self --quiet").code)
    assert.is_true(object(run "sweep-status s-sweep-1 --json").done > done)
    cli.write(cli.dir .. "/t.lua", (script:gsub("loss =", "sweep = { 'lr', timeout = 90 }, loss =")))
    assert.equal(90, object(run "sweep t.lua --launcher slurm --dry-run --json").plan.timeout)
  end)

  it("tells how it stands, keeps others off while it does, and is cancelled", function()
    object(run(sweep .. "--json"))
    fake("squeue", "case $* in *--jobs=102*) printf '0|RUNNING|n1|None\\n1|PENDING||Priority\\n';;" ..
      " *) echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1;; esac")
    local got = run "sweep-status s-sweep-1"
    assert.matches("running, 0 of 20 trials done", got.out)
    assert.matches("job 102 %(tasks%): 1 PENDING %(Priority%), 1 RUNNING on n1\n", got.out)
    assert.matches("job 103 %(collect%): no longer known to Slurm\n", got.out)
    refused("resume s-sweep-1", 1, "is on the cluster still: 1 PENDING")
    refused("resume s-sweep-1 --launcher local", 1, "is on the cluster still")
    assert.equal("running", object(run "collect s-sweep-1 --json").status)
    -- Tasks end a while after they are told: what they have done until then is collected.
    fake("scancel", ("touch %s/ending"):format(path))
    fake("squeue", ("[ -e %s/ended ] && s=CANCELLED || s=COMPLETING; [ -e %s/ending ] && touch %s/ended\n"
      .. "case $* in *--jobs=102*) echo \"0|$s|n1|None\";; *) echo '1|CANCELLED||None';; esac")
      :format(path, path, path))
    local cancelled = object(run "cancel s-sweep-1 --json")
    assert.equal("interrupted", cancelled.status)
    assert.equal("CANCELLED", cancelled.slurm[1].state)
    assert.matches("scancel 102\n", calls())
    fake("squeue", "printf '0|CANCELLED|n1|None\\n1|CANCELLED||None\\n'")
    assert.matches("nothing of it ran any more", run("cancel s-sweep-1").out)
    assert.equal(20, #object(run "resume s-sweep-1 --launcher local --json").trials)
    assert.matches("all of 20 trials have ended", run("resume s-sweep-1").out)
    fake("squeue", "echo 'squeue: error: no controller' >&2; exit 1")
    assert.matches("no controller", run("sweep-status s-sweep-1").out)
    refused("resume s-sweep-1", 1, "cannot be asked")
    cli.run "sweep s.lua lr --sampler random --trials 2 --keep none --quiet"
    refused("cancel s-sweep-2", 1, "never submitted")
  end)
end)

describe("a task", function()
  before_each(fresh)
  after_each(cli.clean)

  -- Run slot 1 of a sweep as Slurm's task 76_0 and send it a signal once a journal of it has a certain event. Returns
  -- its exit code and what it said.
  local function signalled(name, signal, journal, event)
    local told = cli.shell(([[cd %s; PATH=%s:$PATH; export SLURM_JOB_ID=77 SLURM_ARRAY_JOB_ID=76 SLURM_ARRAY_TASK_ID=0
      %s worker results/%s 1 --self --quiet 2>said & pid=$!
      until grep -q '"event": "%s"' results/%s/journal-%d.jsonl 2>/dev/null; do sleep 0.02; done
      kill -%s $pid; wait $pid 2>/dev/null; echo $?]]):format(cli.dir, path, cli.quote(cli.program), name, event, name,
      journal, signal))
    return tonumber(told:match "%d+$"), cli.read(cli.dir .. "/said")
  end

  it("goes back into the queue when its time is over, unless it came nowhere", function()
    run(sweep .. "work=3e7 --json")
    local code, said = signalled("s-sweep-1", "USR1", 1001, "result")
    assert.equal(138, code, said)
    assert.matches("scontrol requeue 77\n", calls())
    assert.is_true(object(run "collect s-sweep-1 --json").done > 0)
    run(sweep .. "work=1e12 --json")
    code, said = signalled("s-sweep-2", "USR1", 1000, "proposal")
    assert.equal(138, code, said)
    assert.matches("a longer %-%-time is needed", said)
    assert.equal(1, select(2, calls():gsub("scontrol requeue", "")))
  end)

  it("takes over what a killed one had, once", function()
    run(sweep .. "work=1e7 --json")
    local dir = cli.dir .. "/results/s-sweep-1"
    assert.equal(137, (signalled("s-sweep-1", "KILL", 1001, "result")))
    fake("squeue", "printf '0|RUNNING|n1|None\\n'") -- Slurm does not know yet; the process is gone from this machine
    assert.equal(0, run("worker results/s-sweep-1 2 --self --quiet").code)
    local o = object(run "collect s-sweep-1 --json")
    assert.same({ "finished", 20 }, { o.status, o.done })
    local seconds = cli.json(cli.read(dir .. "/sweep.json")).wall_s
    assert.is_true(seconds > 0 and seconds < 60)
    for _, slot in ipairs { 1, 3 } do -- nothing is left, also for the one that comes again
      assert.equal(0, run(("worker results/s-sweep-1 %d --self --quiet"):format(slot)).code)
    end
    assert.equal("20", cli.shell("cat " .. dir .. "/journal-*.jsonl | grep -c '\"event\": \"result\"'"))
  end)

  -- Scripts whose trials take some seconds.
  local long = "sweep s.lua lr=0.01,0.02 epochs=250000 --keep none --checkpoint-every .05s --launcher slurm --json"

  local function start(slot)
    return tonumber((cli.shell(("cd %s; PATH=%s:$PATH; { exec %s worker results/s-sweep-1 %d --self >/dev/null "
      .. "2>said%d & } && echo $!"):format(cli.dir, path, cli.quote(cli.program), slot, slot))))
  end

  -- Both configurations are slot 1's.
  local function submit()
    object(run(long))
    local claims = cli.dir .. "/results/s-sweep-1/claims"
    cli.shell("mkdir " .. claims)
    for block = 1, 2 do cli.write(claims .. "/" .. block, "1\n") end
  end

  local function until_there(pattern)
    for _ = 1, 1500 do
      local list = cli.shell(("ls %s/results/s-sweep-1/%s 2>/dev/null"):format(cli.dir, pattern))
      if list ~= "" then return list end
      cli.shell "sleep .01"
    end
    error(pattern .. " does not come")
  end

  local function wait_for(pid) cli.shell(("while kill -0 %d 2>/dev/null; do sleep .02; done"):format(pid)) end

  local function results_of(name)
    local list = {}
    for line in cli.shell(("cat %s/results/%s/journal-*.jsonl"):format(cli.dir, name)):gmatch "[^\n]+" do
      local o = cli.json(line)
      if o.event == "result" then list[#list + 1] = o end
    end
    return list
  end

  local function same_as_uncut()
    cli.run "sweep s.lua lr=0.01,0.02 epochs=250000 --keep none --quiet"
    local whole = {}
    for _, line in ipairs(results_of "s-sweep-2") do whole[line.trial] = line end
    for _, line in ipairs(results_of "s-sweep-1") do
      assert.same(whole[line.trial].metrics, line.metrics)
      assert.same(whole[line.trial].curve, line.curve)
    end
    assert.is_false(cli.exists(cli.dir .. "/results/s-sweep-1/checkpoints"))
  end

  it("goes back into the queue when its time is over, though no trial has ended, and goes on from there", function()
    submit()
    local pid = start(1)
    until_there "checkpoints/*.safetensors"
    cli.shell(("kill -USR1 %d"):format(pid))
    wait_for(pid)
    fake("squeue", "exit 0")
    assert.equal(0, #results_of "s-sweep-1")
    local got = run("worker results/s-sweep-1 1 --self --quiet")
    assert.equal(0, got.code, got.err)
    local lines = results_of "s-sweep-1"
    assert.equal(2, #lines)
    assert.is_true(#(lines[1].resumed or {}) + #(lines[2].resumed or {}) > 0)
    object(run "collect s-sweep-1 --json")
    same_as_uncut()
  end)

  it("goes on from the checkpoints of one that was killed", function()
    submit()
    local pid = start(1)
    until_there "checkpoints/*.safetensors"
    cli.shell(("kill -9 %d"):format(pid))
    local got = run "worker results/s-sweep-1 2 --self"
    assert.equal(0, got.code, got.err)
    assert.matches("trial %d goes on after epoch %d+", got.err)
    object(run "collect s-sweep-1 --json")
    same_as_uncut()
  end)

  it("is fenced off where it was taken for dead and lives", function()
    submit()
    local pid = start(1)
    local file = until_there "checkpoints/*.safetensors"
    assert.matches("trial%-%d%-1001%.safetensors", file)
    -- what everybody sees of it: another machine, whose task is over
    local journal = cli.dir .. "/results/s-sweep-1/journal-1000.jsonl"
    cli.write(journal, (cli.read(journal):gsub('"process": {.-}', '"job": {"job": 55, "task": 8, "id": 63}, "process": '
      .. '{"pid": 1, "start": 1, "boot_id": "another", "host": "another"}')))
    fake("squeue", "printf '8|NODE_FAIL|n1|None\\n'")
    local got = run "worker results/s-sweep-1 2 --self"
    assert.equal(0, got.code, got.err)
    assert.matches("trial %d goes on after epoch %d+", got.err)
    wait_for(pid)
    assert.matches("no checkpoint %(the one before is kept%): the trial was taken over by another task",
      cli.read(cli.dir .. "/said1"))
    assert.is_true(#results_of "s-sweep-1" > 2) -- they ran twice
    assert.equal(2, object(run "collect s-sweep-1 --json").done) -- and count once
    same_as_uncut()
  end)

  it("takes over what one on another machine had if Slurm says that it is over", function()
    run(sweep .. "--json")
    local dir = cli.dir .. "/results/s-sweep-1"
    cli.shell("mkdir " .. dir .. "/claims")
    for block = 1, 20 do cli.write(dir .. "/claims/" .. block, "9\n") end
    cli.write(dir .. "/journal-9000.jsonl", '{"event": "slot", "slot": 9, "seat": 0, '
      .. '"job": {"job": 55, "task": 8, "id": 63}, "process": '
      .. '{"pid": 1, "start": 1, "boot_id": "another", "host": "another"}}\n')
    local function done_with(squeue)
      fake("squeue", squeue)
      assert.equal(0, run("worker results/s-sweep-1 1 --self --quiet").code)
      return object(run "sweep-status s-sweep-1 --json").done
    end
    assert.equal(0, done_with "printf '7|FAILED|n1|None\\n8|RUNNING|n1|None\\n'")
    assert.equal(0, done_with "echo 'no controller' >&2; exit 1")
    assert.equal(20, done_with "printf '7|RUNNING|n1|None\\n8|NODE_FAIL|n1|None\\n'")
    assert.matches("%.1\n", cli.shell("ls " .. dir .. "/claims") .. "\n")
  end)

  it("and others find with --deterministic what one machine finds, though it is killed", function()
    local words = "sweep s.lua lr work=1e6 --sampler tpe --pruner asha --deterministic --trials 24 epochs=200"
      .. " --keep none"
    local function outcome(name)
      local lines = {}
      for _, trial in ipairs(cli.json(run("export " .. name .. " --format json").out)) do
        lines[trial.trial] = table.concat({ trial.status, tostring(trial.lr), tostring(trial.value) }, " ")
      end
      return lines
    end
    run(words .. " --launcher slurm --json")
    assert.equal(137, (signalled("s-sweep-1", "KILL", 1001, "result")))
    cli.shell(("cd %s; PATH=%s:$PATH; for n in 2 3; do %s worker results/s-sweep-1 $n --self --quiet & done; wait")
      :format(cli.dir, path, cli.quote(cli.program)))
    local o = object(run "collect s-sweep-1 --json")
    assert.same({ "finished", 24 }, { o.status, o.done })
    assert.equal(0, run(words .. " --quiet --jobs 2").code)
    local here = outcome "s-sweep-2"
    assert.equal(24, #here)
    assert.same(here, outcome "s-sweep-1")
  end)

  it("proposes with --deterministic as if it knew what others claimed before it", function()
    local words = "sweep s.lua lr --sampler tpe --deterministic --trials 24 --keep none"
    local function points(name)
      local list = {}
      for _, trial in ipairs(cli.json(run("export " .. name .. " --format json").out)) do
        list[trial.trial] = trial.lr
      end
      return list
    end
    run(words .. " --launcher slurm --json")
    cli.shell(("mkdir %s/results/s-sweep-1/claims"):format(cli.dir))
    cli.write(cli.dir .. "/results/s-sweep-1/claims/20", "2\n") -- slot 2 claims it and is slow
    for slot = 1, 2 do assert.equal(0, run(("worker results/s-sweep-1 %d --self --quiet"):format(slot)).code) end
    assert.matches('"config": 20,', cli.read(cli.dir .. "/results/s-sweep-1/journal-2000.jsonl"))
    run(words .. " --quiet")
    assert.equal(24, #points "s-sweep-2")
    assert.same(points "s-sweep-2", points "s-sweep-1")
  end)

  it("stops for what failed in another one, with --fail-fast", function()
    cli.write(cli.dir .. "/s.lua", (script:gsub("local n = 0", "if p.work == 2 then error 'no' end %0")))
    run "sweep s.lua work=2,1,3,4,5 --sampler grid --keep none --fail-fast --launcher slurm --json"
    local got = run "worker results/s-sweep-1 1 --self --quiet"
    assert.equal(1, got.code)
    assert.matches("trial 1 failed: .*; stopped, as %-%-fail%-fast says", got.err)
    local before = object(run "sweep-status s-sweep-1 --json")
    assert.equal(1, before.counts.failed)
    assert.equal(0, run("worker results/s-sweep-1 2 --self --quiet").code)
    assert.equal(before.done, object(run "sweep-status s-sweep-1 --json").done)
    assert.equal("interrupted", before.status) -- of what squeue knows nothing nothing runs
  end)

  it("has a number from 1 on", function()
    run(sweep .. "--json")
    refused("worker results/s-sweep-1 0 --self", 2, "slots count from 1 to 999999")
  end)
end)
