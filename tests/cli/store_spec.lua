-- The results folder from the command line: ls with filters and order, show, compare, tags and notes, rm, export,
-- reindex; folders that are read-only, damaged or newer.
local cli = require "helper"

local function usage_error(got, pattern)
  assert.equal("", got.out)
  assert.equal(2, got.code)
  assert.matches("^rnnlab: [^\n]*\n$", got.err) -- one line
  assert.matches(pattern, got.err)
end

local tiny = [[
local r = require "rnnlab"
return r.experiment {
  params = { epochs = 4, hidden = r.int(3, 1, 9), lr = .01, cell = r.choice{"elman", "gru"} },
  data = function(p, rng)
    local x = rng:uniform(4, 6, 2)
    local y = x[{ {}, {}, { 1, 1 } }] * 2
    return { train = { x = x, y = y }, val = { x = x, y = y } }
  end,
  model = function(p) return r.rnn(p.cell, 2, p.hidden, 1) end,
  loss = "mse", optimizer = "sgd",
}
]]

-- t-1 plain, t-2 and t-3 changed, t-4 diverged.
local function make_runs()
  cli.fresh()
  cli.write(cli.dir .. "/t.lua", tiny)
  for _, words in ipairs { "", "hidden=5 lr=0.001 seed=2", "cell=gru lr=0.1 epochs=8" } do
    local got = cli.run("run t.lua --no-plot --quiet " .. words)
    assert.equal(0, got.code, got.err)
  end
  assert.equal(1, cli.run("run t.lua --no-plot --quiet lr=1e30 epochs=20").code)
end

local function names(words)
  local got = cli.run("ls --json " .. words)
  assert.equal(0, got.code, got.err)
  local list = {}
  for i, run in ipairs(cli.json(got.out)) do list[i] = run.run or run.sweep end
  return table.concat(list, " ")
end

-- A sweep's folder as far as a listing needs one.
local function make_sweep(name, status)
  cli.shell("mkdir " .. cli.quote(cli.dir .. "/results/" .. name))
  cli.write(cli.dir .. "/results/" .. name .. "/sweep.json", ([[{"sweep": "%s", "experiment": "t", "status": "%s",
    "started": "2036-01-01T00:00:00.000000Z", "objective": "val_loss", "planned": 12,
    "best": {"trial": 3, "value": 0.125}}]]):format(name, status))
end

describe("ls", function()
  setup(make_runs)
  teardown(cli.clean)

  it("picks by parameters, metrics, status and the beginning of a name", function()
    assert.equal("t-1 t-2 t-3 t-4", names "")
    assert.equal("t-2", names "'lr<0.01'")
    assert.equal("t-1 t-2", names "'lr<=0.01' status=finished")
    assert.equal("t-2 t-3", names "lr=0.1,0.001")
    assert.equal("t-4", names "status=diverged,failed")
    assert.equal("t-1 t-2 t-3", names "'status!=diverged'")
    assert.equal("t-3", names "cell~GR")
    assert.equal("t-3", names "'epochs>5' status=finished")
    assert.equal("t-3", names "'params.epochs>5' status=finished")
    assert.equal("t-1 t-2 t-3 t-4", names "t")
    assert.equal("t-2", names "t-2")
    assert.equal("", names "u")
    assert.equal("t-1 t-2 t-3 t-4", names "--since 1h")
    assert.equal("t-3 t-4", names "--limit 2")
    assert.equal("t-1 t-3 t-4", names "seed=1 kind=run 'started>2026-01-01'")
  end)

  it("sorts, and never has a NaN or a missing value first", function()
    local losses = {}
    for i, run in ipairs(cli.json(cli.run("ls --json status=finished --sort val_loss").out)) do
      losses[i] = run.metrics.val_loss
    end
    assert.equal(3, #losses)
    assert.is_true(losses[1] <= losses[2] and losses[2] <= losses[3])
    assert.equal("t-2 t-1 t-3 t-4", names "--sort lr")
    assert.equal("t-4 t-3", names "--sort lr --desc --limit 2")
    assert.equal("t-4", (names("--sort val_loss"):match "%S+$"))
    assert.equal("t-4", (names("--sort val_loss --desc"):match "%S+$"))
  end)

  it("shows what differs, or the columns asked for", function()
    local got = cli.run "ls status=finished"
    assert.matches("^RUN +STATUS +.*hidden.* +lr .*val_loss +TIME\n", got.out)
    assert.matches("\nt%-2 +finished .* 5 .* 0.001 ", got.out)
    got = cli.run "ls t-1 t-1 --columns lr,cell,network"
    assert.equal("RUN  STATUS      lr  cell   NETWORK\nt-1  finished  0.01  elman  elman 2-3-1\n", got.out)
    assert.equal(0, got.code)
  end)

  it("answers mistakes in one line", function()
    usage_error(cli.run "ls hiden=3", "no run has a parameter or metric 'hiden'; did you mean 'hidden'%?")
    usage_error(cli.run "ls --sort val_los", "did you mean 'val_loss'%?")
    usage_error(cli.run "ls --columns lr,hiden", "did you mean 'hidden'%?")
    usage_error(cli.run "ls --columns lr,", "a name is empty")
    usage_error(cli.run "ls status=finishd", "no status 'finishd'; did you mean 'finished'%?")
    usage_error(cli.run { "ls", "lr<abc" }, "lr is compared with a number, and 'abc' is none")
    usage_error(cli.run { "ls", "lr<" }, "is no filter")
    usage_error(cli.run { "ls", "=3" }, "is no filter")
    usage_error(cli.run "ls --desc", "%-%-desc goes with %-%-sort")
    usage_error(cli.run "ls --limit few", "%-%-limit takes a whole number")
    usage_error(cli.run "ls --since yesterday", "%-%-since takes a time")
    assert.matches("^None of the 4 in results is like that", cli.run("ls seed=77").out)
  end)

  it("has a line for a sweep", function()
    make_sweep("t-sweep-1", "finished")
    assert.equal("t-1 t-2 t-3 t-4 t-sweep-1", names "")
    assert.equal("t-sweep-1", names "kind=sweep")
    assert.equal("t-sweep-1", names "'val_loss<0.2' 'val_loss>0.1'")
    local got = cli.run "ls"
    assert.matches("\nt%-sweep%-1 +finished .* 0/12 .* 0.125 ", got.out)
    local sweep = cli.json(cli.run("ls --json kind=sweep").out)[1]
    assert.equal(0.125, sweep.best.value)
    assert.equal("results/t-sweep-1", sweep.dir)
    cli.shell("rm -r " .. cli.quote(cli.dir .. "/results/t-sweep-1"))
    assert.equal("t-1 t-2 t-3 t-4", names "")
  end)
end)

describe("tag, untag and note", function()
  setup(make_runs)
  teardown(cli.clean)

  it("are kept in the folder, listed and filtered by", function()
    assert.same({ code = 0, out = "t-1: paper good\n", err = "" }, cli.run "tag t-1 paper good")
    assert.equal("t-4: good\n", cli.run("tag last good").out)
    assert.equal("t-1: paper good\n", cli.run("tag t-1").out)
    assert.equal("t-1 t-4", names "--tag good")
    assert.equal("t-1", names "--tag good --tag paper")
    assert.equal("t-1: paper\n", cli.run("untag t-1 good never").out)
    assert.equal("t-2: no tags\n", cli.run("tag t-2").out)
    assert.equal("t-4", names "tag=good")
    assert.matches("\nt%-1 .* paper\n", cli.run("ls").out)

    assert.same({ code = 0, out = "", err = "" }, cli.run { "note", "t-1", "lr=0.1 is too much,\nsays Anna" })
    assert.equal(0, cli.run("note t-1 and once more").code)
    assert.equal("t-1", names "note~anna")
    local got = cli.run "show t-1"
    assert.matches("\n  tags +paper\n", got.out)
    assert.matches("\nnotes\n  %d[%d-]+ [%d:]+  lr=0.1 is too much,\n +says Anna\n  %d[%d-]+ [%d:]+  and once more\n",
      got.out)
    local record = cli.json(cli.run("show t-1 --json").out)
    assert.same({ "paper" }, record.tags)
    assert.equal("and once more", record.notes[2].text)
    assert.equal("finished", record.status)
    local object = cli.json(cli.run("note t-1 --clear --json").out)
    assert.same({}, object.notes)
    assert.equal("t-1", object.run)
  end)

  it("refuse what cannot be one", function()
    usage_error(cli.run { "tag", "t-1", "two words" }, "cannot be a tag")
    usage_error(cli.run { "tag", "t-1", "a,b" }, "cannot be a tag")
    usage_error(cli.run { "tag", "t-1", "\255" }, "cannot be a tag")
    usage_error(cli.run "tag t-1 a=b", "tag takes no key=value")
    usage_error(cli.run "tag nope x", "no run or sweep \"nope\"")
    usage_error(cli.run "untag t-1", "usage: rnnlab untag")
    usage_error(cli.run "note t-1", "usage: rnnlab note")
    usage_error(cli.run "note t-1 why lr=3", "wants quotes")
    assert.equal(2, cli.run("tag").code)
  end)
end)

describe("compare", function()
  setup(make_runs)
  teardown(cli.clean)

  it("shows what differs and marks the better metric", function()
    local got = cli.run "compare t-1 t-2"
    assert.equal(0, got.code, got.err)
    assert.matches("^ +t%-1 +t%-2\n", got.out)
    assert.matches("\n  hidden +3 +5\n", got.out)
    assert.matches("\n  lr +0.01 +0.001\n", got.out)
    assert.is_nil(got.out:find "\n  cell ")
    assert.matches("\n  %d more are the same", got.out)
    assert.matches("\n  network +elman 2%-3%-1 +elman 2%-5%-1\n", got.out)
    local a, b = cli.json(cli.run("show t-1 --json").out), cli.json(cli.run("show t-2 --json").out)
    assert.matches(a.metrics.loss < b.metrics.loss and "\n  loss +[%d.e-]+ %* +[%d.e-]+\n"
      or "\n  loss +[%d.e-]+ +[%d.e-]+ %*\n", got.out)
    assert.matches("\n  cell +elman +elman\n", cli.run("compare t-1 t-2 --same").out)
  end)

  it("says the same as JSON, and ranks no diverged run", function()
    local object = cli.json(cli.run("compare t-1 t-2 last --json").out)
    assert.same({ "t-1", "t-2", "t-4" }, object.runs)
    assert.same({ .01, .001, 1e30 }, object.params.differ.lr)
    assert.equal("elman", object.params.same.cell)
    local loss = object.metrics.loss
    assert.equal(loss.values[1] < loss.values[2] and "t-1" or "t-2", loss.best)
    assert.equal(cli.null, cli.json(cli.run("compare t-1 t-4 --json").out).metrics.best_loss.best)
  end)

  it("answers mistakes in one line", function()
    usage_error(cli.run "compare t-1", "usage: rnnlab compare")
    usage_error(cli.run "compare t-1 nope", "no run \"nope\"")
    make_sweep("t-sweep-1", "finished")
    usage_error(cli.run "compare t-1 t-sweep-1", "t%-sweep%-1 is a sweep; a run is wanted here")
  end)
end)

describe("rm", function()
  before_each(make_runs)
  after_each(cli.clean)

  it("removes runs and sweeps with --yes, all or none", function()
    make_sweep("t-sweep-1", "finished")
    usage_error(cli.run "rm t-1 nope --yes", "no run or sweep \"nope\"")
    assert.equal("t-1 t-2 t-3 t-4 t-sweep-1", names "")
    assert.same({ code = 0, out = "removed t-1 t-sweep-1\n", err = "" }, cli.run "rm t-1 t-sweep-1 t-1 -y")
    assert.equal("t-2 t-3 t-4", names "")
    assert.is_false(cli.exists(cli.dir .. "/results/t-1/run.json"))
    assert.same({ removed = { "t-4" } }, cli.json(cli.run("rm last --yes --json").out))
    assert.equal("t-2 t-3", names "")
  end)

  it("asks on a terminal, and elsewhere wants --yes", function()
    usage_error(cli.run "rm t-1", "give %-%-yes")
    assert.equal("t-1 t-2 t-3 t-4", names "")
    local function typed(answer)
      return cli.shell(("cd %s && (sleep 0.3; echo %s) | script -qec '%s rm t-1 t-2' /dev/null"):format(
        cli.quote(cli.dir), answer, cli.program))
    end
    assert.matches("remove t%-1, t%-2%? %[y/N%]", (typed "n"))
    assert.equal("t-1 t-2 t-3 t-4", names "")
    assert.matches("removed t%-1 t%-2", (typed "y"))
    assert.equal("t-3 t-4", names "")
  end)

  it("touches nothing outside the results folder, nothing that runs, and follows no link", function()
    local dir = cli.dir
    cli.shell(("cd %s && mkdir keep && echo x >keep/file && ln -s ../../keep results/t-1/link && "
      .. "mv results/t-2 keep/t-2 && ln -s ../keep/t-2 results/t-2"):format(cli.quote(dir)))
    usage_error(cli.run "rm t-2 --yes", "is a link to a folder elsewhere")
    usage_error(cli.run "rm keep/t-2 --yes", "is not directly inside the results folder")
    usage_error(cli.run "rm ../keep/t-2 --yes", "no run")
    usage_error(cli.run "rm .. --yes", "no run")
    usage_error(cli.run "rm . --yes", "no run")
    assert.equal(0, cli.run("rm t-1 --yes").code)
    assert.equal("x\n", cli.read(dir .. "/keep/file"))
    assert.is_true(cli.exists(dir .. "/keep/t-2/run.json"))
    local running = cli.shell(([[cd %s && exec 2>/dev/null
      %s run t.lua epochs=100000000 --no-plot --quiet >/dev/null & pid=$!; sleep 0.7
      %s rm t-5 --yes 2>&1; kill $pid; wait $pid]]):format(cli.quote(dir), cli.quote(cli.program),
      cli.quote(cli.program)))
    assert.equal("rnnlab: t-5 is running; stop it first", running)
    assert.equal(0, cli.run("rm t-5 --yes").code)
  end)
end)

describe("export", function()
  setup(make_runs)
  teardown(cli.clean)

  local function lines(text)
    local list = {}
    for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
    return list
  end

  it("writes a row a run", function()
    local got = cli.run "export --all status=finished"
    assert.equal(0, got.code, got.err)
    local rows = lines(got.out)
    assert.equal(4, #rows)
    assert.matches("^run,status,experiment,script,started,ended,epochs,wall_s,train_s,network,weights,dir,", rows[1])
    assert.matches(",params.epochs,hidden,lr,.*,val_loss", rows[1])
    assert.matches("^t%-2,finished,t,t.lua,", rows[3])
    local list = cli.json(cli.run("export --all --format json").out)
    assert.equal(4, #list)
    assert.equal(5, list[2].hidden)
    assert.equal(cli.null, list[4].val_loss)
    assert.equal(8, list[3]["params.epochs"])
    assert.same(list[1], cli.json(cli.run("export t-1 t-2 t-3 t-4 --json").out)[1])
    assert.equal(list[2].val_loss, cli.json(cli.run("ls --json t-2").out)[1].metrics.val_loss)
  end)

  it("writes a row an epoch", function()
    local rows = lines(cli.run("export t-1 t-3 --epochs").out)
    assert.equal(1 + 4 + 8, #rows)
    assert.equal("run,epoch,loss,val_loss", rows[1])
    assert.matches("^t%-1,4,[%d.e-]+,[%d.e-]+$", rows[5])
    local want = lines(cli.read(cli.dir .. "/results/t-1/metrics.csv"))
    assert.equal("t-1," .. want[2], rows[2]) -- the same digits
  end)

  it("writes files, by their ending", function()
    assert.same({ code = 0, out = "x.csv: 4 rows, " .. "28 columns\n", err = "" },
      { code = 0, out = cli.run("export --all -o x.csv").out:gsub("%d+ columns", "28 columns"), err = "" })
    assert.equal(cli.run("export --all").out, cli.read(cli.dir .. "/x.csv"))
    local told = cli.json(cli.run("export --all -o x.npz --json").out)
    assert.equal(4, told.rows)
    local bytes = cli.read(cli.dir .. "/x.npz")
    for _, part in ipairs { "run.npy", "hidden.npy", "'descr': '<U3', 'fortran_order': False, 'shape': (4,), }",
      "t\0\0\0-\0\0\0" .. "1\0\0\0t\0\0\0-\0\0\0" .. "2\0\0\0" } do
      assert.is_truthy(bytes:find(part, 1, true), part)
    end
  end)

  it("answers mistakes in one line", function()
    usage_error(cli.run "export", "which runs%? name them, or give %-%-all")
    usage_error(cli.run "export nope", "no run or sweep")
    usage_error(cli.run "export t-1 --format cvs", "no format 'cvs'; did you mean 'csv'%?")
    usage_error(cli.run "export t-1 --format npz", "npz wants a file")
    usage_error(cli.run "export t-1 -o x.foo", "give %-%-format csv, json or npz")
    usage_error(cli.run "export t-1 lr=3", "filters go with %-%-all")
    usage_error(cli.run "export --all hiden=3", "did you mean 'hidden'%?")
    local got = cli.run "export t-1 -o no/such/x.csv"
    assert.not_equal(0, got.code)
    assert.matches("^rnnlab: no/such/x.csv: [^\n]*\n$", got.err)
  end)
end)

describe("the results folder", function()
  before_each(make_runs)
  after_each(cli.clean)

  local function dump() -- what the index says, as SQLite's own text
    return cli.run("ls --json").out .. cli.run("export --all").out
  end

  it("is indexed anew to the same rows", function()
    local before = dump()
    assert.equal("results/rnnlab.db holds 4 runs and 0 sweeps\n", cli.run("reindex").out)
    assert.equal(before, dump())
    assert.same({ runs = 4, sweeps = 0 }, cli.json(cli.run("reindex --json").out))
    os.remove(cli.dir .. "/results/rnnlab.db")
    assert.equal(before, dump())
    cli.write(cli.dir .. "/results/rnnlab.db", ("junk"):rep(3000))
    assert.equal(before, dump())
    usage_error(cli.run "reindex --results nowhere", "there is no such results folder")
    usage_error(cli.run "reindex --results t.lua", "is not a folder")
  end)

  it("of a newer rnnlab is told of in one line", function()
    local file = assert(io.open(cli.dir .. "/results/rnnlab.db", "r+b"))
    file:seek("set", 60) -- PRAGMA user_version
    file:write "\0\0\0\99"
    file:close()
    local got = cli.run "ls"
    assert.equal(1, got.code)
    assert.matches("^rnnlab: [^\n]*newer rnnlab %(schema 99[^\n]*rnnlab reindex\n$", got.err)
    got = cli.run "run t.lua --no-plot --quiet"
    assert.equal(0, got.code)
    assert.matches("the index was not updated", got.err)
    assert.equal(0, cli.run("reindex").code)
    assert.equal("t-1 t-2 t-3 t-4 t-5", names "")
  end)

  it("that cannot be written can be read", function()
    cli.shell(("chmod -R a-w %s/results"):format(cli.quote(cli.dir)))
    local root = cli.shell "id -u" == "0" -- who may write anywhere
    assert.equal("t-1 t-2 t-3 t-4", names "")
    assert.equal(0, cli.run("show last").code)
    if not root then
      assert.matches("^rnnlab: [^\n]*\n$", cli.run("tag t-1 x").err)
      assert.matches("^rnnlab: [^\n]*\n$", cli.run("rm t-1 --yes").err)
      assert.equal("t-1 t-2 t-3 t-4", names "")
    end
  end)

  it("shows a run that was killed as what it is, with how far it got", function()
    cli.shell(("cd %s && exec 2>/dev/null; %s run t.lua epochs=100000000 --no-plot --quiet >/dev/null & pid=$!; "
      .. "sleep 0.7; kill -9 $pid; wait $pid"):format(cli.quote(cli.dir), cli.quote(cli.program)))
    local run = cli.json(cli.run("ls --json t-5").out)[1]
    assert.equal("interrupted", run.status)
    assert.is_true(run.epochs > 0)
    local got = cli.run "show t-5"
    assert.matches("\n  process +%d+ on [^\n]*is gone and has not closed it", got.out)
  end)
end)

describe("a sweep in the results folder", function()
  before_each(make_runs)
  after_each(cli.clean)

  it("is listed, exported, tagged, indexed anew and removed", function()
    local got = cli.run "sweep t.lua lr=log:1e-4..1e-1 --trials 6 --sampler random --objective val_loss --quiet"
    assert.equal(0, got.code, got.err)
    local sweep = cli.json(cli.run("ls --json kind=sweep").out)[1]
    assert.equal("t-sweep-1", sweep.sweep)
    assert.equal(6, sweep.trials.total)
    assert.is_true(sweep.best.value > 0)
    got = cli.run "export t-sweep-1"
    assert.equal(0, got.code, got.err)
    assert.matches("^sweep,trial,config,seed,status,.*,value,.*lr", got.out)
    assert.equal(7, select(2, got.out:gsub("\n", "\n")))
    os.remove(cli.dir .. "/results/rnnlab.db")
    assert.same({ runs = 4, sweeps = 1 }, cli.json(cli.run("reindex --json").out))
    assert.equal(got.out, cli.run("export t-sweep-1").out)
    assert.same(sweep, cli.json(cli.run("ls --json kind=sweep").out)[1])
    assert.equal("t-sweep-1: big\n", cli.run("tag t-s big").out)
    assert.equal("t-sweep-1", names "--tag big")
    usage_error(cli.run "export t-sweep-1 t-1", "export it alone")
    usage_error(cli.run "export t-sweep-1 --epochs", "is a sweep")
    assert.equal("removed t-sweep-1\n", cli.run("rm t-s --yes").out)
    assert.equal("t-1 t-2 t-3 t-4", names "")
  end)
end)

describe("thirty-two starts at the same instant", function()
  after_each(cli.clean)

  it("make thirty-two runs and no error", function()
    cli.fresh()
    cli.write(cli.dir .. "/t.lua", tiny)
    local failed = cli.shell(([[cd %s && mkfifo gate && for i in $(seq 32); do
      (read x <gate; %s run t.lua --no-plot --quiet >/dev/null 2>err.$i || echo failed $i) & done
      sleep 0.5; for i in $(seq 32); do echo go; done >gate; wait; cat err.*]]):format(cli.quote(cli.dir),
      cli.quote(cli.program)))
    assert.equal("", failed)
    local list = cli.json(cli.run("ls --json status=finished").out)
    assert.equal(32, #list)
    local seen = {}
    for _, run in ipairs(list) do
      assert.is_nil(seen[run.run])
      seen[run.run] = true
      assert.equal(list[1].metrics.loss, run.metrics.loss)
    end
  end)
end)
