-- rnnlab verify, and what rnnlab resume says and refuses.
local cli = require "helper"

local script = [[
  local r = require "rnnlab"
  local scale = require "scale"
  return r.experiment {
    params = { epochs = 30, lr = .02 },
    data = function(p, rng)
      local x = rng:uniform(4, 6, 2)
      return { x = x, y = x[{ {}, {}, { 1, 1 } }] * scale.factor }
    end,
    model = function() return r.rnn("elman", 2, 3, 1) end,
    loss = "sse",
    MORE
  }
]]

local function write(more)
  cli.write(cli.dir .. "/s.lua", (script:gsub("MORE", function() return more or "" end)))
  cli.write(cli.dir .. "/scale.lua", "return { factor = 2 }\n")
end

local function file(name) return cli.read(cli.dir .. "/results/" .. name) end

local function ok(words, env)
  local got = cli.run(words, env)
  assert.equal(0, got.code, got.err)
  return got
end

local function refused(pattern, words, env)
  local got = cli.run(words, env)
  assert.equal(1, got.code, got.out)
  assert.matches(pattern, got.err)
  assert.equal(1, select(2, got.err:gsub("\n", "\n")), "one line: " .. got.err)
end

-- A run that stops itself as long as there is a file "stop": with --trust a script may send signals to its process.
local function stopping(signal, epoch, more)
  cli.write(cli.dir .. "/stop", "")
  write(([[
    on_epoch = function(run)
      run:log { twice = 2 * run.epoch }
      if run.epoch == %d and io.open "stop" then os.execute "kill -%s $PPID" end
    end, checkpoint = { epochs = 4 }, %s]]):format(epoch, signal, more or ""))
end

local codes = { TERM = 143, KILL = 137, HUP = 129, USR1 = 138 }

-- Run it until it stops itself; from then on it runs on.
local function stop_it(signal, epoch, more, env)
  stopping(signal, epoch, more)
  local got = cli.run("run s.lua --trust --no-plot --quiet", env)
  assert.equal(codes[signal], got.code, got.err)
  os.remove(cli.dir .. "/stop")
  return got
end

describe("verify", function()
  before_each(function() cli.fresh() write() end)
  after_each(cli.clean)

  it("runs it again from its own copy, and says identical", function()
    ok "run s.lua lr=.03 --no-plot --quiet"
    cli.write(cli.dir .. "/s.lua", "not Lua any more")
    cli.write(cli.dir .. "/scale.lua", "return { factor = 3 }\n")
    local got = ok "verify last"
    assert.equal("s-1: identical, 30 rows and 22 weights to the bit\n", got.out)
    local json = cli.json(ok("verify s-1 --json").out)
    assert.is_true(json.identical)
    assert.equal(30, json.rows)
    assert.equal("", (cli.shell("ls " .. cli.dir .. "/results | grep -v '^s-1$' | grep -v '^rnnlab.db'")))
    ok("verify " .. cli.dir .. "/results/s-1", { cwd = "/" }) -- from anywhere
  end)

  it("says from which epoch it differs, and by how much", function()
    ok "run s.lua --no-plot --quiet"
    local rows = file "s-1/metrics.csv"
    cli.write(cli.dir .. "/results/s-1/metrics.csv", (rows:gsub("\n7,[^\n]*", "\n7,0.25", 1)))
    local got = cli.run "verify last"
    assert.equal(1, got.code)
    assert.matches("^s%-1: differs from epoch 7 on: loss was 0%.25 and is 0%.%d+\n  by at most [%d.]+ in loss, in epoch"
      .. " 7\n", got.out)
    assert.matches("machine and versions are the same\n$", got.out)
    local json = cli.json(cli.run("verify last --json").out)
    assert.is_false(json.identical)
    assert.equal(7, json.rows_differ.epoch)
    assert.equal("loss", json.rows_differ.column)
    cli.write(cli.dir .. "/results/s-1/metrics.csv", rows:sub(1, -30):match ".*\n")
    assert.matches("the number of rows was %d+ and is 30", cli.run("verify last").out)
    cli.write(cli.dir .. "/results/s-1/metrics.csv", rows)
    -- the weights alone
    local model = file "s-1/model.safetensors"
    cli.write(cli.dir .. "/results/s-1/model.safetensors", model:sub(1, -2) .. string.char(model:byte(-1) ~ 1))
    got = cli.run "verify last"
    assert.matches("rows of metrics.csv are identical, the weights are not\n  weights by at most [%d.e+-]+, in bias",
      got.out)
  end)

  it("names what of the machine differs", function()
    ok("run s.lua --no-plot --quiet", { RNNLAB_ISA = "generic" })
    local got = cli.run("verify last", { RNNLAB_ISA = "avx2" })
    if got.code == 1 then assert.matches("what differs of the machine: isa generic, now avx2", got.out)
    else
      local json = cli.json(cli.run("verify last --json", { RNNLAB_ISA = "avx2" }).out)
      assert.same({ "isa generic, now avx2" }, json.machine)
    end
  end)

  it("compares forward passes, runs that diverged, and runs that were resumed", function()
    cli.write(cli.dir .. "/f.lua", [[local r = require "rnnlab"
      return r.experiment { data = { { 1, 2 } }, model = r.rnn("elman", 2, 2, 1) }]])
    ok "run f.lua --quiet"
    assert.equal("f-1: identical, to the bit\n", ok("verify f-1").out)
    write [[optimizer = { kind = "sgd", lr = 1e18 },]]
    assert.equal(1, cli.run("run s.lua --no-plot --quiet").code)
    assert.matches("identical", ok("verify last").out)
    stop_it("HUP", 11)
    refused("is interrupted; only a run that ended can be run again and compared %(rnnlab resume s%-%d%)",
      "verify last")
    ok "resume last --no-plot --quiet"
    local got = ok "verify last"
    assert.matches("identical, 30 rows", got.out)
  end)

  it("refuses what it cannot run again", function()
    local got = cli.run "verify x"
    assert.equal(2, got.code)
    assert.matches("no run \"x\"", got.err)
    ok "run s.lua --no-plot --quiet"
    os.remove(cli.dir .. "/results/s-1/script.lua")
    refused("s%-1 cannot be run again: its copy of the script is gone", "verify s-1")
    assert.equal(2, cli.run("verify").code)
    assert.equal(2, cli.run("verify a b").code)
  end)
end)

describe("resume", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("says when the script was edited, and goes on with its copy", function()
    local got = stop_it("TERM", 9)
    assert.matches("interrupted by SIGTERM.*to go on: rnnlab resume s%-1", got.err)
    assert.is_truthy(file "s-1/checkpoint.safetensors")
    cli.write(cli.dir .. "/scale.lua", "return { factor = 5 }\n")
    got = ok "resume last --no-plot"
    assert.matches("scale%.lua was edited since; s%-1 goes on with its own copy", got.err)
    assert.is_nil(got.err:find("s.lua was edited", 1, true))
    assert.matches("s%-1 goes on after epoch 9\n", got.err)
    local record = cli.json(file "s-1/run.json")
    assert.equal("finished", record.status)
    assert.equal(30, record.epochs)
    assert.equal(9, record.resumed[1].epoch)
    refused("s%-1 is finished; there is nothing to go on with", "resume s-1")
  end)

  it("starts again where there is no checkpoint, and says so", function()
    stop_it("KILL", 3) -- before the first
    local got = ok "resume last --no-plot"
    assert.matches("s%-1 has no checkpoint; it starts again from the beginning", got.err)
    assert.matches("identical", ok("verify last").out)
  end)

  it("starts again at the last checkpoint after a kill, without the rows behind it", function()
    stop_it("KILL", 10)
    cli.shell("printf '11,0.5' >> " .. cli.dir .. "/results/s-1/metrics.csv; touch " .. cli.dir
      .. "/results/s-1/checkpoint.safetensors.tmp-77-0")
    local got = ok "resume last --no-plot"
    assert.matches("goes on after epoch 8\n", got.err)
    assert.is_nil(file "s-1/checkpoint.safetensors.tmp-77-0")
    assert.matches("identical", ok("verify last").out)
  end)

  it("refuses a run that is running, and a second resume at the same time", function()
    write [[on_epoch = function() os.execute "sleep .1" end, checkpoint = { epochs = 1 },]]
    cli.shell(("cd %s && (%s run s.lua --trust --no-plot --quiet >/dev/null 2>&1 & echo $! >pid; sleep .6)"):format(
      cli.quote(cli.dir), cli.quote(cli.program)))
    refused("s%-1 is running %(process %d+%)", "resume s-1 --quiet")
    cli.shell(("cd %s && kill -9 $(cat pid); sleep .2"):format(cli.quote(cli.dir)))
    -- two at once: one goes on, one is refused
    local out = cli.shell(([[cd %s
      for i in 1 2; do (%s resume s-1 --no-plot --quiet 2>err$i; echo $? >code$i) & done; wait
      cat code1 code2; cat err1 err2]]):format(cli.quote(cli.dir), cli.quote(cli.program)))
    local ends = { out:match "(%d+)\n(%d+)" }
    table.sort(ends)
    assert.same({ "0", "1" }, ends, out)
    assert.is_truthy(out:find "is running %(process" or out:find "is being resumed by another process"
      or out:find "is finished", out)
  end)

  it("says first where the bits cannot be the same", function()
    stop_it("USR1", 6, "", { RNNLAB_ISA = "generic" })
    local got = ok("resume last --no-plot", { RNNLAB_ISA = "avx2" })
    assert.matches("not bitwise: isa generic, here avx2\nrnnlab: s%-1 goes on after epoch 6", got.err)
    assert.same({ "isa generic, here avx2" }, cli.json(file "s-1/run.json").resumed[1].differences)
  end)

  it("refuses other data, a checkpoint that is none, rows that are gone", function()
    stopping("TERM", 6)
    cli.write(cli.dir .. "/numbers.csv", "1,2\n3,4\n")
    local text = cli.read(cli.dir .. "/s.lua"):gsub("local x = rng", 'r.load_csv "numbers.csv"; local x = rng')
    cli.write(cli.dir .. "/s.lua", text)
    assert.equal(143, cli.run("run s.lua --trust --no-plot --quiet").code)
    os.remove(cli.dir .. "/stop")
    local whole, rows = file "s-1/checkpoint.safetensors", file "s-1/metrics.csv"
    local path = cli.dir .. "/results/s-1/"
    cli.write(cli.dir .. "/numbers.csv", "1,2\n3,5\n")
    refused("numbers%.csv is not the file the run was started with", "resume s-1 --no-plot --quiet")
    cli.write(cli.dir .. "/numbers.csv", "1,2\n3,4\n")
    local other = whole:gsub("sformat;i1;", "sformat;i9;")
    for _, bad in ipairs { "", "hello", whole:sub(1, 100), whole:sub(1, -2), other } do
      cli.write(path .. "checkpoint.safetensors", bad)
      refused("checkpoint%.safetensors", "resume s-1 --no-plot --quiet")
    end
    cli.write(path .. "checkpoint.safetensors", whole)
    cli.write(path .. "metrics.csv", rows:match "^[^\n]*\n[^\n]*\n")
    refused("metrics%.csv: has fewer than the 6 rows the checkpoint counts on", "resume s-1 --no-plot --quiet")
    cli.write(path .. "metrics.csv", rows)
    ok "resume s-1 --no-plot --quiet"
    assert.matches("identical", ok("verify last").out)
  end)

  it("tells once what in run.state cannot be kept, and trains on", function()
    write [[on_epoch = function(run) run.state.f = print end, checkpoint = { epochs = 2 },]]
    local got = ok "run s.lua --no-plot"
    assert.equal(1, select(2, got.err:gsub("no checkpoint: run%.state%.f is a function; only numbers", "")))
  end)

  it("keeps the checkpoint before where a new one cannot be written, and trains on", function()
    -- no file may be larger than 20 blocks of 512 or 1024 bytes; run.state makes each checkpoint larger
    stopping("TERM", 150)
    local text = cli.read(cli.dir .. "/s.lua"):gsub("epochs = 30", "epochs = 160")
      :gsub("run:log", 'run.state.text = ("x"):rep(250 * run.epoch); run:log')
    cli.write(cli.dir .. "/s.lua", text)
    local got = cli.run("run s.lua --trust --no-plot", { before = "trap '' XFSZ; ulimit -f 20;" })
    assert.equal(143, got.code)
    assert.matches("no checkpoint %(the one before is kept%): .*checkpoint.safetensors: cannot write: File too large",
      got.err)
    assert.is_truthy(file "s-1/checkpoint.safetensors")
    os.remove(cli.dir .. "/stop")
    got = ok "resume s-1 --no-plot"
    local from = tonumber(got.err:match "goes on after epoch (%d+)")
    assert.is_true(from > 0 and from < 150)
    assert.matches("identical, 160 rows", ok("verify s-1").out)
  end)

  it("leaves a column empty in the epochs that do not log it, also where it comes late", function()
    for _, pause in ipairs { "", "if run.epoch == 3 then os.execute 'sleep .6' end" } do -- rows are written by then
      write(("on_epoch = function(run) run:log { z = run.epoch } if run.epoch > 5 then run:log { a = 7 } end %s end,")
        :format(pause))
      ok "run s.lua --trust --no-plot --quiet"
      local rows = file(("s-%d/metrics.csv"):format(pause == "" and 1 or 2))
      assert.matches("^epoch,loss,a,z\n1,[%d.e-]+,,1\n", rows)
      assert.matches("\n5,[%d.e-]+,,5\n6,[%d.e-]+,7,6\n", rows)
    end
  end)

  it("checks when checkpoints are wanted", function()
    write()
    for _, bad in ipairs { "x", "0s", "-1", "0 epochs" } do
      local got = cli.run { "run", "s.lua", "--checkpoint-every", bad }
      assert.equal(2, got.code, bad)
      assert.matches("checkpoint", got.err)
    end
    write "checkpoint = { second = 3 },"
    refused("checkpoint has no 'second'; did you mean 'seconds'", "run s.lua --no-plot")
    write "checkpoint = { epochs = 1.5 },"
    refused("checkpoint: epochs", "run s.lua --no-plot")
    write [[checkpoint = "often",]]
    refused("checkpoint must be a time or a number of epochs", "run s.lua --no-plot")
  end)
end)
