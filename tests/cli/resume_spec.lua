-- A run that is stopped and goes on ends as one that was never stopped, to the bit: its weights and every row of
-- metrics.csv. One script, a table of ways to train.
local cli = require "helper"

local script = [[
  local r = require "rnnlab"
  return r.experiment {
    params = { cell = "elman", hidden = 4, lr = .02, epochs = 100, momentum = .9, kind = "adam", rate = "constant",
      k1 = 0, k2 = 0, dropout = 0, stateful = false, patience = 0, models = 1, feed = "", source = "fixed",
      hook = "", way = "", norms = 0, val = true, LIMIT input_noise = 0 },
    data = function(p, rng)
      local function part(n)
        local x = rng:uniform(n, 12, 2)
        return { x = x, y = x[{ {}, {}, { 1, 1 } }] * 2 - .5 + .1 * rng:normal(n, 12, 1) }
      end
      local train = part(10)
      if p.source == "stream" then
        train = { steps_per_epoch = 7, stream = function(own, step)
          local x = own:uniform(4, 12, 2)
          return { x = x, y = x[{ {}, {}, { 1, 1 } }] * (2 + math.sin(step)) + math.random() }
        end }
      end
      return { train = train, val = p.val and part(4) or nil }
    end,
    model = function(p)
      local options = { dropout = p.dropout > 0 and p.dropout or nil, stateful = p.stateful or nil }
      if p.feed ~= "" then options.feed = tonumber(p.feed) or p.feed end
      if p.cell == "ctrnn" then options.noise, options.alpha = .1, .3 end
      return r.rnn(p.cell, 2, p.hidden, 1, options)
    end,
    loss = "sse",
    optimizer = OPTIMIZER,
    schedule = SCHEDULE, early_stopping = STOPPING, on_epoch = HOOK, main = MAIN, batch_size = BATCH,
  }
]]

local hooks = {
  -- what it sees and draws goes on, in run.state and out of it
  state = [[function(run)
    local s = run.state
    s.n = (s.n or 0) + 1
    s.rng = s.rng or r.rng(run.params.seed)
    s.sum = (s.sum or r.zeros(3)) + s.rng:normal(3)
    s.seen = s.seen or {}
    if s.n % 50 == 0 then s.seen[#s.seen + 1] = run.loss end
    run:log { n = s.n, draw = math.random(), sum = s.sum:sum():item(), seen = #s.seen }
    if s.n == 60 then run:set_lr(.005) end
    if s.n >= 40 then run:log { late = run.val_loss or 0 } end
  end]],
}

local mains = {
  train = [[function(p, run)
    for i = 1, 8 do
      run:log { part = i }
      run:train(p.epochs // 8)
      run:set_lr(p.lr / (i + 1))
      if run.loss < 1e-9 then break end
    end
  end]],
  -- it looks at the model between the parts: it starts again from the last checkpoint before it did, or the beginning
  looks = [[function(p, run)
    for i = 1, 4 do
      run:train(p.epochs // 4)
      run:set_lr(p.lr * (1 + run:evaluate "val"))
    end
  end]],
  safe = [[function(p, run)
    local s = run.state
    s.i = s.i or 0
    while s.i < p.epochs do
      for batch in run:batches("train", 3) do run:step(batch) end
      run:end_epoch()
      s.i = s.i + 1
      s.low = math.min(s.low or math.huge, (run:evaluate "val"))
      if s.i % 10 == 0 then run:set_lr(p.lr / (1 + s.low)) end
      run:checkpoint()
    end
  end]],
  safe_train = [[function(p, run)
    local s = run.state
    while (s.i or 0) < 6 do
      run:train(p.epochs // 6)
      s.i = (s.i or 0) + 1
      run:set_lr(p.lr * (.5 + run:evaluate "val" % 1))
      run:checkpoint()
    end
  end]],
}

-- The script with its keys as Lua text, and the words that set its parameters.
local function prepare(case)
  local text = script
  local function put(name, value) text = text:gsub(name, function() return value or "nil" end) end
  put("OPTIMIZER", case.optimizer or "function(p) return { kind = p.kind, lr = p.lr } end")
  put("LIMIT", case.optimizer and "" or "clip_norm = 1e9,")
  put("SCHEDULE", case.schedule)
  put("STOPPING", case.stopping)
  put("HOOK", case.hook and hooks[case.hook])
  put("MAIN", case.main and mains[case.main])
  put("BATCH", case.batch)
  text = text:gsub("dropout = 0,", case.dropout and "dropout = .3," or "dropout = 0,")
  cli.write(cli.dir .. "/s.lua", text)
end

local function file(run, name)
  return cli.read(("%s/%s/%s"):format(cli.dir, run, name))
end

local function wall()
  return tonumber((cli.shell "date +%s.%N"))
end

-- What a finished run left, as one text to compare.
local function outcome(run)
  local record = cli.json(file(run, "run.json"))
  assert.equal("finished", record.status, run)
  return { rows = file(run, "metrics.csv"), model = file(run, "model.safetensors"),
    predictions = file(run, "predictions.npz"), models = file(run, "models.safetensors") or "",
    loss = record.metrics.loss, best = record.metrics.best_loss, epochs = record.epochs, metrics = record.metrics }
end

-- Run to the end; the outcome and the seconds it took.
local function unbroken(words)
  local began = wall()
  local got = cli.run(("run s.lua %s --no-plot --quiet --results whole"):format(words))
  assert.equal(0, got.code, got.err)
  return outcome "whole/s-1", wall() - began
end

-- Stop a run by a signal after so long. What became of it: its exit code and what it said.
local function stopped(command, signal, seconds)
  return cli.run(command, { signal = { signal, seconds } })
end

local draw = tonumber(os.getenv "RNNLAB_TEST_DRAW" or "12345")
local function random() -- fractions in [0, 1): the same in every run of this test
  draw = (draw * 1103515245 + 12345) % 2 ^ 31
  return draw / 2 ^ 31
end

local codes = { INT = 130, TERM = 143, HUP = 129, USR1 = 138, KILL = 137 }

-- Start the run, stop it, go on, stop it again, ... ; then go on to the end. Returns the outcome and how many signals
-- found it training.
local function broken(words, took, signals, from_the_beginning)
  local hits, command = 0, ("run s.lua %s --no-plot --quiet --results cut --checkpoint-every .02s"):format(words)
  local function afresh() cli.shell(("rm -rf %s/cut"):format(cli.quote(cli.dir))) end
  afresh()
  for _, signal in ipairs(signals) do
    local got = stopped(command, signal, took * random())
    if got.code ~= 0 then
      assert.equal(codes[signal], got.code, got.err)
      local run = file("cut/s-1", "run.json")
      if signal == "KILL" and not file("cut/s-1", "script.lua") then run = nil end
      if run and cli.json(run).status == "finished" then break end -- it came after the training
      if run then
        if from_the_beginning or file("cut/s-1", "checkpoint.safetensors") then hits = hits + 1 end
        command = "resume s-1 --no-plot --quiet --results cut --checkpoint-every .02s"
        if signal ~= "KILL" then
          assert.matches("to go on: rnnlab resume s%-1", got.err)
          assert.equal("interrupted", cli.json(run).status)
        end
      else -- it came before there was a run with all that it takes to go on
        afresh()
      end
    else
      break
    end
  end
  local run = file("cut/s-1", "run.json")
  if not run or cli.json(run).status ~= "finished" then -- else the last signal came at its very end
    local got = cli.run(run and "resume s-1 --no-plot --quiet --results cut" or command)
    assert.equal(0, got.code, got.err)
  end
  return outcome "cut/s-1", hits
end

local cases = {
  { "adam", "epochs=40000" },
  { "adam, batches in a new order, clipped, norms", "epochs=5000 norms=100 clip_norm=.5", batch = "3" },
  { "sgd", "kind=sgd epochs=40000" }, { "momentum", "kind=momentum epochs=40000" },
  { "nesterov", "kind=nesterov epochs=40000" }, { "adam_tf", "kind=adam_tf epochs=40000" },
  { "adamw", "kind=adamw epochs=40000" }, { "amsgrad", "kind=amsgrad epochs=40000" },
  { "rmsprop", "kind=rmsprop epochs=40000" }, { "adagrad", "kind=adagrad epochs=40000" },
  { "adadelta", "kind=adadelta epochs=40000 lr=1" }, { "rprop", "kind=rprop epochs=40000" },
  { "Levenberg-Marquardt", "epochs=400 hidden=20", optimizer = '"lm"' },
  { "L-BFGS", "epochs=3000 hidden=20", optimizer = '"lbfgs"' },
  { "noise on inputs", "epochs=3000 input_noise=.1", batch = "4" },
  { "cosine", "epochs=5000", schedule = '"cosine"', batch = "4" },
  { "one cycle", "epochs=5000", schedule = '"onecycle"', batch = "4" },
  { "plateau", "epochs=16000", schedule = '{ "plateau", patience = 3, factor = .7 }' },
  { "a schedule of one's own", "epochs=16000",
    schedule = "function(epoch, p) return p.lr / (1 + epoch / 100 + math.random()) end" },
  { "dropout in an lstm", "cell=lstm epochs=3000", dropout = true, batch = "4" },
  { "a noisy cell", "cell=ctrnn epochs=3000", batch = "4" },
  { "scheduled sampling", "cell=jordan feed=.5 epochs=3000", batch = "4" },
  { "states carried in a gru", "cell=gru stateful=true epochs=4000", batch = "3" },
  { "chunks that overlap", "k1=3 k2=7 epochs=1800", batch = "4" },
  { "early stopping that never ends it", "epochs=40000", stopping = "{ patience = 100000 }" },
  { "early stopping by a metric of one's own", "epochs=12000", batch = "4",
    stopping = '{ metric = function(run) return math.abs(run.epoch - 2400) end, patience = 1000 }' },
  { "three models", "models=3 epochs=14000" },
  { "three models that stop early", "models=3 epochs=14000", stopping = "{ patience = 5000 }" },
  { "a stream", "source=stream epochs=600" },
  { "on_epoch with run.state", "epochs=8000", hook = "state" },
  { "on_epoch, batches, a stream", "epochs=400 source=stream", hook = "state" },
  { "a main that calls run:train", "epochs=40000", main = "train" },
  { "a main that looks at the model", "epochs=40000", main = "looks" },
  { "a main with run:checkpoint", "epochs=3000", main = "safe" },
  { "a main with run:checkpoint and run:train", "epochs=48000", main = "safe_train" },
}

describe("a run that was stopped", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  for i, case in ipairs(cases) do
    it("goes on to the bit: " .. case[1], function()
      prepare(case)
      local whole, took = unbroken(case[2])
      local hits = 0
      for try = 1, 100 do -- until a signal found it training, which is a matter of luck
        local all, signals = { "INT", "KILL", "TERM", "HUP", "USR1" }, {}
        for k = 1, 2 do signals[k] = all[1 + (i + try + k) % #all] end
        local cut, hit = broken(case[2], took, signals, case.main == "looks")
        hits = hits + hit
        for key, value in pairs(whole) do
          assert.same(value, cut[key], case[1] .. ": " .. key)
        end
        if hits > 0 then break end
      end
      assert.is_true(hits > 0, "no signal found it training")
    end)
  end
end)

-- A run of n epochs, then `resume epochs=2n`, against one of 2n.
describe("a finished run that trains on", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  local function go_on(words, options)
    return cli.run(("resume s-1 %s --no-plot --quiet --results cut %s"):format(words, options or ""))
  end

  local function run(words)
    local got = cli.run(("run s.lua %s --no-plot --quiet --results cut"):format(words))
    assert.equal(0, got.code, got.err)
  end

  for _, case in ipairs(cases) do
    local whole, over_all = tonumber(case[2]:match "epochs=(%d+)"), case.schedule == '"cosine"'
      or case.schedule == '"onecycle"'
    it("ends as a longer one: " .. case[1], function()
      prepare(case)
      local short, long = whole // 40, whole // 20
      run(case[2]:gsub("epochs=%d+", "epochs=" .. short))
      local first = file("cut/s-1", "model.safetensors")
      local got = go_on("epochs=" .. long)
      if case.main then
        assert.equal(1, got.code)
        assert.matches("^rnnlab: s%-1 has kept no checkpoint to go on from .*; rnnlab run s.lua .*epochs=" .. long,
          got.err)
        return
      elseif over_all then
        assert.equal(1, got.code)
        assert.matches(("going on is not what a run of epochs=%d gives: the schedule '%%l+' was spread over %d epochs "
          .. "and is spread over %d now. That run: rnnlab run s.lua .*epochs=%d; to go on all the same: %%-%%-force")
          :format(long, short, long, long), got.err)
        assert.equal("finished", cli.json(file("cut/s-1", "run.json")).status)
        assert.equal(0, go_on("epochs=" .. long, "--force").code)
        local record = cli.json(file("cut/s-1", "run.json"))
        assert.matches("was spread over", record.resumed[1].differences[1])
        assert.equal(long, record.epochs)
        return
      end
      assert.equal(0, got.code, got.err)
      local wanted = unbroken((case[2]:gsub("epochs=%d+", "epochs=" .. long)))
      for key, value in pairs(outcome "cut/s-1") do
        assert.same(wanted[key], value, case[1] .. ": " .. key)
      end
      assert.equal(first, file("cut/s-1", ("model-%d.safetensors"):format(short)))
      local record = cli.json(file("cut/s-1", "run.json"))
      assert.equal(long, record.params.epochs)
      assert.equal(long, record.training.epochs)
      assert.same({ short, short, long }, { record.resumed[1].epoch, record.resumed[1].epochs_before,
        record.resumed[1].epochs })
      assert.equal(0, cli.run("verify s-1 --results cut").code)
    end)
  end

  it("goes on after a kill on the way to the new end, and from an interrupted run", function()
    prepare(cases[1])
    run "epochs=1000"
    local got = cli.run("resume s-1 epochs=60000 --no-plot --quiet --results cut --checkpoint-every .02s",
      { signal = { "TERM", .1 } })
    assert.equal(143, got.code, got.err)
    assert.equal(0, go_on("epochs=61000").code)
    local wanted = unbroken "epochs=61000"
    for key, value in pairs(outcome "cut/s-1") do assert.same(wanted[key], value, key) end
  end)

  it("says why it does not", function()
    prepare { stopping = "{ metric = 'loss', patience = 3, min_delta = 1 }" }
    run "epochs=400"
    local record = cli.json(file("cut/s-1", "run.json"))
    assert.is_true(record.epochs < 400)
    for words, wanted in pairs {
      ["epochs=500"] = { 1, ("s%%-1 stopped by itself after epoch %d of 400; more epochs change nothing"):format(
        record.epochs) },
      ["epochs=3"] = { 2, ("epochs=3: s%%-1 has trained %d already"):format(record.epochs) },
      ["epochs=1e9.5"] = { 2, "epochs=1e9.5: epochs must be a whole number" },
      ["lr=3"] = { 2, "lr=3: resume takes epochs=N alone; with other parameters it is another run" },
      [""] = { 1, "s%-1 is finished; there is nothing to go on with\n" },
    } do
      local got = go_on(words)
      assert.equal(wanted[1], got.code, got.err)
      assert.matches("^rnnlab: " .. wanted[2], got.err)
    end
    cli.write(cli.dir .. "/s.lua", (cli.read(cli.dir .. "/s.lua"):gsub("epochs = 100,", "n = 100,")
      :gsub("early_stopping = %b{}", "epochs = 20")))
    run ""
    local got = cli.run "resume s-2 epochs=40 --results cut"
    assert.matches("^rnnlab: s%-2 has no parameter 'epochs': its script says epochs = 20\n", got.err)
    assert.equal(2, cli.run("resume s-1 s-2 --results cut").code)
    assert.equal(0, cli.run("run s.lua --no-plot --quiet --results off --checkpoint-every off").code)
    assert.is_nil(file("off/s-1", "checkpoint.safetensors"))
  end)

  it("says that the script uses its number of epochs", function()
    prepare { hook = "state" }
    cli.write(cli.dir .. "/s.lua", (cli.read(cli.dir .. "/s.lua"):gsub("s.n == 60", "s.n == run.params.epochs // 2")))
    run "epochs=20"
    local got = cli.run "resume s-1 epochs=40 --no-plot --results cut"
    assert.equal(0, got.code, got.err)
    assert.matches("the script uses epochs itself; where the training so far depends on it, this is not what a run of "
      .. "epochs=40 gives %(rnnlab verify s%-1 tells%)", got.err)
    assert.equal(1, cli.run("verify s-1 --results cut").code) -- it does, here
  end)
end)
