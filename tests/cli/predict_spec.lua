-- predict_spec.lua: rnnlab predict, a stored run's network on data of the user's.
local cli = require "helper"

local script = [[
local r = require "rnnlab"
local net = require "net"
return r.experiment {
  params = { last = false, cell = r.choice{"elman", "lstm", "gru"}, trusted = false },
  data = function(p, rng)
    local x = r.load_csv "train.csv"
    x = x:view(2, 4, 2)
    return { train = { x = x, y = p.last and rng:uniform(2, 1) or rng:uniform(2, 4, 1) },
             test = { x = 2 * x, y = p.last and rng:uniform(2, 1) or rng:uniform(2, 4, 1) } }
  end,
  model = function(p) return net(r, p) end,
  loss = "mse", epochs = 30, figures = false,
}
]]

local net = [[
return function(r, p)
  return r.nn.Sequential(r.rnn(p.cell, 2, 5, nil, { dropout = .3, last = p.last }), r.nn.Linear(5, 1))
end
]]

local train = "u,v\n.1,.2\n.3,-.4\n.5,.6\n-.7,.8\n.9,1\n.2,.3\n.4,.5\n-.6,.7\n"

local function write(name, text) cli.write(cli.dir .. "/" .. name, text) end

local function ok(words, env)
  local got = cli.run(words, env)
  assert.equal(0, got.code, got.err)
  return got
end

-- A run, its folder moved to where neither script nor data nor other results are; its name there.
local function run_elsewhere(words)
  write("s.lua", script)
  write("net.lua", net)
  write("train.csv", train)
  ok("run s.lua --no-plot --quiet " .. (words or ""))
  cli.shell(("cd %s && rm -rf far && mkdir far && mv results/s-1 far/it && rm -r results s.lua net.lua "
    .. "train.csv"):format(cli.quote(cli.dir)))
  return "far/it"
end

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

describe("rnnlab predict", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("needs the run's folder alone, and gives what the run gave, to the bit", function()
    local run = run_elsewhere "cell=lstm"
    for name, array in pairs { x = "predicted", test_x = "test_predicted" } do
      ok(("predict %s %s/predictions.npz --array %s -o %s.npz"):format(run, run, name, name))
      local got = cli.shell(("cd %s && unzip -p %s.npz y.npy | sha256sum && unzip -p far/it/predictions.npz %s.npy "
        .. "| sha256sum"):format(cli.quote(cli.dir), name, array))
      local a, b = got:match "^(%S+) [^\n]*\n(%S+)"
      assert.equal(b, a)
    end
    assert.is_false(cli.exists(cli.dir .. "/results"))
  end)

  it("reads and writes every format, with the same numbers", function()
    local run = run_elsewhere()
    write("new.csv", train)
    local first = ok(("predict %s new.csv"):format(run)).out
    local rows = lines(first)
    assert.equal("t,y", rows[1])
    assert.equal(9, #rows)
    assert.matches("^8,%-?%d", rows[9])
    local got = ok(("predict %s new.csv -o a.npz"):format(run))
    assert.equal("rnnlab: it (elman 2-5 + linear 5-1): 1 sequence, 8 steps, in new.csv; a.npz is (1, 8, 1)\n", got.err)
    ok(("predict %s --input a.npz --output b.csv --quiet"):format(run))
    ok(("predict %s a.npz -o c.json --quiet"):format(run))
    ok(("predict %s a.npz -o d.npy --quiet"):format(run))
    assert.equal(first, cli.read(cli.dir .. "/b.csv"))
    local object = cli.json(cli.read(cli.dir .. "/c.json"))
    assert.same({ 1, 8, 1 }, object.shape)
    assert.equal(rows[2], ("1,%.9g"):format(object.y[1][1][1]))
    assert.same(object.y, cli.json(ok(("predict %s a.npz --json"):format(run)).out).y)
    assert.equal("d.npy", cli.json(ok(("predict %s a.npz -o d.npy --json"):format(run)).out).output)
  end)

  it("takes sequences of different lengths from a column, each as if alone", function()
    local run = run_elsewhere "cell=gru"
    write("two.csv", "sequence,t,v,u\n7,0.5,.2,.1\n7,1,-.4,.3\n3,0.5,.6,.5\n3,1,.8,-.7\n3,1.5,1,.9\n")
    write("one.csv", "u,v\n.5,.6\n-.7,.8\n.9,1\n")
    local rows = lines(ok(("predict %s two.csv --columns u,v"):format(run)).out)
    assert.equal("sequence,t,y", rows[1])
    assert.equal(6, #rows)
    assert.matches("^7,0.5,", rows[2])
    assert.matches("^3,1.5,", rows[6])
    local alone = lines(ok(("predict %s one.csv"):format(run)).out)
    for t = 1, 3 do
      assert.near(tonumber(alone[t + 1]:match ",(.*)$"), tonumber(rows[t + 3]:match "([^,]*)$"), 1e-6)
    end
    local last = run_elsewhere "cell=gru last=true" -- one answer a sequence, at its own end
    rows = lines(ok(("predict %s two.csv --columns 4,3"):format(last)).out)
    alone = lines(ok(("predict %s one.csv"):format(last)).out)
    assert.equal("sequence,y", rows[1])
    assert.equal(3, #rows)
    assert.near(tonumber(alone[2]:match ",(.*)$"), tonumber(rows[3]:match ",(.*)$"), 1e-6)
  end)

  it("takes symbols, and the weights a forward pass was written with", function()
    write("e.lua", [[
      local r = require "rnnlab"
      return r.experiment {
        data = { train = { x = r.tensor{ {1, 2, 3}, {3, 2, 1} }, y = r.tensor{ {1, 2, 3}, {1, 2, 3} } } },
        model = function() return r.nn.Sequential(r.nn.Embedding(3, 2), r.rnn("elman", 2, 3, 3)) end,
        loss = "cross_entropy", epochs = 3, figures = false }]])
    ok "run e.lua --quiet"
    write("ids.csv", "1\n2\n3\n")
    local rows = lines(ok("predict last ids.csv").out)
    assert.equal("t,y1,y2,y3", rows[1])
    assert.equal(4, #rows)
    write("ids.csv", "1\n4\n")
    assert.matches("^rnnlab: ids.csv: e%-1 .*4", cli.run("predict last ids.csv").err)
    ok(("run %s/scripts/tutorial8_q1a.lua --quiet"):format(cli.quote(cli.root)))
    write("x.csv", "1 2 -1\n-1 1 -2\n0 3 1\n2 -1 0\n")
    assert.same({ "t,y", "1,0.27", "2,0.72" }, { table.unpack(lines((ok("predict last x.csv").out:gsub("(%.%d%d)%d+",
      "%1"))), 1, 3) })
  end)

  it("says in a line what does not fit", function()
    local run = run_elsewhere()
    write("three.csv", "a,b,c\n1,2,3\n")
    write("gap.csv", "u,v\n1,2\n,3\n")
    write("apart.csv", "sequence,u,v\n1,1,2\n2,1,2\n1,1,2\n")
    write("text.csv", "u,v\n1,2\n1,x\n")
    write("empty.csv", "u,v\n")
    write("ok.csv", train)
    ok(("predict %s ok.csv -o ok.npy --quiet"):format(run)) -- (1, 8, 1): no x of this network
    ok(("predict %s ok.csv -o ok.npz --quiet"):format(run))
    for words, wanted in pairs {
      ["three.csv"] = { 1, "three.csv has 3 columns %(a, b, c%); it %(.-%) takes 2 features a step" },
      ["three.csv --columns a"] = { 1, "%-%-columns has 1 column %(a%); it .- takes 2 features a step" },
      ["three.csv --columns a,total"] = { 2, "%-%-columns: three.csv has no column 'total' %(there is a, b, c%)" },
      ["three.csv --columns 1,4"] = { 2, "%-%-columns: three.csv has no column '4'" },
      ["ok.npy --columns 1,2"] = { 2, "%-%-columns is for .csv files, not for ok.npy" },
      ["ok.csv --array x"] = { 2, "%-%-array is for .npz files, not for ok.csv" },
      ["gap.csv"] = { 1, "gap.csv: a number is missing %(or NaN%) at sequence 1, step 2, feature 1" },
      ["apart.csv"] = { 1, "apart.csv: row 3: sequence 1 stands in two places" },
      ["text.csv"] = { 1, "text.csv:3: column 2 is \"x\"" },
      ["empty.csv"] = { 1, "empty.csv" },
      ["ok.npy"] = { 1, "ok.npy is %(1, 8, 1%); it %(.-%) takes %(batch, time, 2%), or %(time, 2%) for one sequence" },
      ["ok.npz --array z"] = { 2, "ok.npz: no array 'z'; did you mean 'x'%? %(there is x and y%)" },
      ["none.csv"] = { 1, "none.csv: no such file" },
      ["ok.xlsx"] = { 2, "ok.xlsx: a file ending in .csv, .npy or .npz is expected" },
      ["ok.csv -o y.xlsx"] = { 2, "%-%-output y.xlsx: a name ending in .csv, .npy, .npz or .json" },
      ["ok.csv -o none/y.csv"] = { 1, "none/y.csv" },
      [""] = { 2, "which data" },
      ["ok.csv ok.npz"] = { 2, "one file at a time: 'ok.npz' is too many" },
      ["ok.csv lr=3"] = { 2, "" },
    } do
      local got = cli.run(("predict %s %s"):format(run, words))
      assert.equal(wanted[1], got.code, words .. ": " .. got.err)
      assert.matches("^rnnlab: [^\n]*" .. wanted[2] .. "[^\n]*\n$", got.err, words)
    end
    assert.matches("no run \"nobody\"", cli.run("predict nobody ok.csv").err)
  end)

  it("runs a trusted script only where it is trusted again", function()
    write("s.lua", script)
    write("net.lua", net)
    write("train.csv", train)
    ok "run s.lua --trust --no-plot --quiet"
    write("new.csv", train)
    local got = cli.run "predict last new.csv"
    assert.equal(1, got.code)
    assert.matches("s%-1 was run with %-%-trust", got.err)
    ok "predict last new.csv --trust"
  end)
end)
