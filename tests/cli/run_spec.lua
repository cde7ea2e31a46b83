-- rnnlab run: the results folder, --json, callbacks, Ctrl-C, and how little it takes to start.
local cli = require "helper"

-- A small experiment; `more` are further lines of its table, `params` further parameters.
local function experiment(more, params)
  return ([[
    local r = require "rnnlab"
    return r.experiment {
      params = { hidden = r.int(3, 1, 64), lr = .01, epochs = 20, %s },
      data = function(p, rng)
        local x = rng:uniform(4, 10, 2)
        return { train = { x = x, y = x[{{}, {}, {1, 1}}] * 2 } }
      end,
      model = function(p) return r.rnn("elman", 2, p.hidden, 1) end,
      loss = "sse",
      %s
    }
  ]]):format(params or "", more or "")
end

local function path(name) return cli.dir .. "/" .. name end
local function write(name, text) return cli.write(path(name), text) end
local function stored(run, name) return cli.read(path(run.dir .. "/" .. name)) end

local function json(words, env)
  local got = cli.run("run " .. words .. " --json", env)
  return cli.json(cli.last_line(got.out)), got
end

local function rows(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    list[#list + 1] = line
  end
  return list
end

describe("rnnlab run", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("leaves a folder that tells everything", function()
    write("first try.lua", experiment())
    local run, got = json("'first try.lua' lr=0.02 --no-plot")
    assert.equal(0, got.code, got.err)
    assert.equal("first-try-1", run.run)
    assert.equal("results/first-try-1", run.dir)
    assert.equal("finished", run.status)
    assert.equal(.02, run.params.lr)
    assert.equal(20, run.epochs)
    assert.same({}, run.figures)
    assert.equal(experiment(), stored(run, "script.lua"))
    local record = cli.json(stored(run, "run.json"))
    assert.equal("first try.lua", record.script)
    assert.equal(1, record.seed)
    assert.equal("float32", record.dtype)
    assert.equal(64, #record.sha256.script)
    assert.is_string(record.isa)
    assert.is_string(record.versions.rnnlab)
    assert.is_string(record.host.cpu)
    assert.equal("elman 2-3-1", record.network)
    assert.equal(2 * 3 + 3 * 3 + 3 + 3 + 1, record.weights)
    local lines = rows(stored(run, "metrics.csv"))
    assert.equal("epoch,loss", lines[1])
    assert.equal(21, #lines)
    assert.matches("^20,", lines[21])
    assert.is_truthy(stored(run, "model.safetensors"):find("weight_hh", 1, true))
    assert.is_truthy(stored(run, "predictions.npz"):find("predicted.npy", 1, true))
    run = json("'first try.lua' --no-plot")
    assert.equal("first-try-2", run.run)
  end)

  it("loss is that after the last update: no epochs, the loss of the first weights", function()
    write("a.lua", experiment())
    local none, one = json "a.lua epochs=0 --no-plot", json "a.lua epochs=1 --no-plot"
    local first = tonumber(rows(stored(one, "metrics.csv"))[2]:match ",(.*)")
    assert.near(none.metrics.loss, first, 1e-6 * first)
    assert.is_true(one.metrics.loss < first)
    assert.equal(one.metrics.best_loss, one.metrics.loss)
  end)

  it("ends with what a person wants to know", function()
    write("a.lua", experiment())
    local got = cli.run "run a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    assert.equal("", got.err)
    assert.matches("^a%-1   elman 2%-3%-1, 22 weights   20 epochs in [^\n]*\n"
      .. "  loss [%d.]+   R² [%d.-]+\n", got.out)
    assert.matches("results/a%-1/\n$", got.out)
    assert.equal("", cli.run("run a.lua --no-plot --quiet").out)
  end)

  it("draws its figures, in three formats", function()
    write("a.lua", experiment())
    local run, got = json "a.lua"
    assert.equal(0, got.code, got.err)
    for _, kind in ipairs { "prediction", "loss" } do
      for _, format in ipairs { "svg", "png", "pdf", "gp" } do
        assert.is_true(#stored(run, ("figures/%s.%s"):format(kind, format)) > 200)
      end
    end
    assert.is_true(#run.figures >= 6)
    for _, figure in ipairs(run.figures) do
      assert.is_true(cli.exists(path(figure)), figure)
    end
  end)

  it("asks on_epoch after every epoch, and keeps what it logs", function()
    write("a.lua", experiment [[
      on_epoch = function(run)
        run.state.sum = (run.state.sum or 0) + run.loss
        run:log{ half = run.loss / 2, sum = run.state.sum }
        if run.epoch == 15 then run:stop() end
      end,
    ]])
    local run, got = json "a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    assert.equal(15, run.epochs)
    local lines = rows(stored(run, "metrics.csv"))
    assert.equal("epoch,loss,half,sum", lines[1])
    assert.equal(16, #lines)
    local epoch, loss, half = lines[8]:match "^(%d+),([^,]+),([^,]+)"
    assert.equal("7", epoch)
    assert.near(tonumber(loss), 2 * tonumber(half), 1e-12)
    assert.is_number(run.metrics.half)
  end)

  it("evaluates validation data, and the script's own metrics", function()
    write("a.lua", (experiment([[
      metrics = { worst = function(prediction, target) return (prediction - target):abs():max() end },
    ]]):gsub("return { train", "return { val = { x = x[{{1, 2}}], y = x[{{1, 2}, {}, {1, 1}}] * 2 }, train")))
    local run, got = json "a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    assert.equal("epoch,loss,val_loss", rows(stored(run, "metrics.csv"))[1])
    assert.is_number(run.metrics.val_loss)
    assert.is_true(run.metrics.worst > 0)
  end)

  it("runs main, a loop of the script's own", function()
    write("a.lua", experiment [[
      main = function(p, run)
        local before = run:train(5)
        local after = run:train(5)
        run:log{ gained = before - after }
        print("loss", after < before)
      end,
    ]])
    local run, got = json "a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    assert.matches("^loss\ttrue\n", got.out)
    assert.equal(10, run.epochs)
    assert.is_number(run.metrics.gained)
  end)

  it("trains in batches, shuffled, clipped, with each optimiser", function()
    for _, words in ipairs { [[optimizer = "sgd"]], [[optimizer = "momentum"]], [[optimizer = "adam_tf"]],
      [[optimizer = { kind = "adam", beta2 = .99 }, clip_norm = 1]], [[batch_size = 2, clip_value = .5]],
      [[batch_size = 3, shuffle = false]], [[loss = "mse"]] } do
      local text = experiment(words .. ",")
      if words:find "loss" then text = text:gsub('loss = "sse",', "") end
      write("a.lua", text)
      local run, got = json "a.lua --no-plot epochs=50 lr=0.003"
      assert.equal(0, got.code, words .. ": " .. got.err)
      local first = tonumber(rows(stored(run, "metrics.csv"))[2]:match ",(.*)")
      assert.is_true(run.metrics.loss < first, words)
    end
  end)

  it("composes layers, and takes a loss written in Lua", function()
    write("a.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        params = { epochs = 30 },
        data = function(p, rng) local x = rng:uniform(4, 10, 2) return { x = x, y = x * 2 } end,
        model = function(p)
          return r.nn.Sequential():add(r.nn.Elman(2, 6, { state0 = "learned" })):add(r.nn.Linear(6, 2))
        end,
        loss = function(y, target) return (y - target):abs():mean() end,
      }
    ]])
    local run, got = json "a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    local record = cli.json(stored(run, "run.json"))
    assert.equal("elman 2-6 + linear 6-2", record.network)
    assert.equal(12 + 36 + 6 + 6 + 12 + 2, record.weights)
    assert.is_truthy(stored(run, "model.safetensors"):find("1.state0", 1, true))
  end)

  it("keeps the modules a script needs, and the hash of the files it read", function()
    write("task.lua", "return { factor = 2 }")
    write("data.csv", "1,2\n3,4\n")
    write("a.lua", (experiment():gsub("local x = ",
      "local f = require('task').factor local d = r.load_csv('data.csv') local x = f * ")))
    local run, got = json "a.lua --no-plot"
    assert.equal(0, got.code, got.err)
    assert.equal("return { factor = 2 }", stored(run, "task.lua"))
    local record = cli.json(stored(run, "run.json"))
    assert.equal("data.csv", record.data_files[1].path)
    assert.equal(64, #record.data_files[1].sha256)
  end)

  it("Ctrl-C leaves a finished, listed, plottable run marked interrupted", function()
    write("a.lua", experiment(nil, "long = 1"))
    local run, got = json("a.lua epochs=1e9", { signal = { "INT", 1 } })
    assert.equal(130, got.code, got.err)
    assert.equal("interrupted", run.status)
    assert.matches("rnnlab: a%-1: interrupted by SIGINT; what it had is in results/a%-1", got.err)
    assert.is_nil(got.out:find "\n.")
    assert.is_true(run.epochs > 10)
    assert.is_number(run.metrics.loss)
    assert.equal(run.epochs + 1, #rows(stored(run, "metrics.csv")))
    assert.is_truthy(stored(run, "model.safetensors"))
    assert.is_truthy(stored(run, "predictions.npz"))
    assert.is_true(#run.figures > 0)
    local list = cli.json(cli.run("ls --json").out)
    assert.equal("interrupted", list[1].status)
    assert.equal(0, cli.run("plot last").code)
    local second, terminated = json("a.lua epochs=1e9 --no-plot", { signal = { "TERM", 1 } })
    assert.equal(143, terminated.code)
    assert.equal("interrupted", second.status)
    -- a background job of a script: Ctrl-C is not for it, but who sends it a signal means it
    local background, sent = json("a.lua epochs=1e9 --no-plot", { signal = { "INT", 1 }, before = "trap '' INT;" })
    assert.equal(130, sent.code, sent.err)
    assert.equal("interrupted", background.status)
  end)

  it("speaks on stderr only, and says little", function()
    write("a.lua", experiment())
    local got = cli.run("run a.lua --no-plot --json")
    assert.equal("", got.err)
    assert.equal(1, #rows(got.out))
  end)

  it("follows dtype: float64 runs end near, but not at, float32's", function()
    write("a.lua", experiment())
    local single, double = json "a.lua --no-plot", json "a.lua --no-plot dtype=float64"
    assert.near(single.metrics.loss, double.metrics.loss, 1e-3 * single.metrics.loss)
    assert.not_equal(single.metrics.loss, double.metrics.loss)
  end)

  it("runs a main without a loss, and keeps what it logs", function()
    write("m.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        params = { n = 3, call = "", forever = false },
        data = { {1, 2}, {3, 4} },
        model = function() return r.rnn("elman", 2, 2, 1) end,
        main = function(p, run)
          for i = 1, p.n do run:log { i = i, y = run.model:forward(run.data.train.x):sum() } end
          run:log { late = 7 }
          while p.forever do end
          if p.call ~= "" then run[p.call](run) end
        end }]])
    local run, ran = json "m.lua"
    assert.equal(0, ran.code, ran.err)
    local lines = rows(stored(run, "metrics.csv"))
    assert.equal("epoch,i,late,y", lines[1])
    assert.matches("^3,3,,%-?%d", lines[4])
    assert.equal("4,,7,", lines[5])
    assert.same({ 3, 7 }, { run.metrics.i, run.metrics.late })
    local got = cli.run "run m.lua n=2"
    assert.matches("^m%-2   main, in [^\n]+\n  i 2.000   late 7.000   y [^\n]+\n  everything in results/m%-2/\n$",
      got.out)
    assert.matches("identical", cli.run("verify m-2").out)
    for words, wanted in pairs {
      ["call=train"] = "m.lua:%d+: run:train is for an experiment with a loss; this one has none",
      ["--steps"] = "%-%-steps prints a forward pass; m.lua has a main of its own",
    } do
      assert.matches("^rnnlab: " .. wanted, cli.run("run m.lua " .. words).err)
    end
    local stopped = cli.run("run m.lua forever=true", { signal = { "INT", .3 } })
    assert.equal(130, stopped.code)
    assert.matches("interrupted by SIGINT.*to go on: rnnlab resume m%-%d", stopped.err)
    assert.matches("starts again", cli.run("resume last", { signal = { "INT", .3 } }).err)
    write("none.lua", [[local r = require "rnnlab"
      return r.experiment { main = function() end }]])
    assert.matches("^rnnlab: none.lua: main logged nothing; run:log", cli.run("run none.lua").err)
  end)

  it("new writes a script that runs, and never overwrites", function()
    local got = cli.run "new start"
    assert.equal(0, got.code, got.err)
    local run, ran = json "start.lua epochs=200"
    assert.equal(0, ran.code, ran.err)
    assert.is_true(run.metrics.loss < .1)
    assert.equal(0, cli.run("check start.lua").code)
    local text = cli.read(path "start.lua")
    got = cli.run "new start"
    assert.equal(1, got.code)
    assert.matches("start.lua exists already", got.err)
    assert.equal(text, cli.read(path "start.lua"))
  end)
end)
