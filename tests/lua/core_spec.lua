-- rnnlab.core's JSON, store, formats and host, from a plain Lua.
local core = require "rnnlab.core"
local json, store, format, host = core.json, core.store, core.format, core.host

local function refused(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("string", type(message))
  assert.is_nil(message:find "\n")
  assert.matches(pattern, message)
end

local folder
local function fresh()
  local pipe = io.popen 'mktemp -d "${TMPDIR:-/tmp}/rnnlab-core.XXXXXX"'
  folder = pipe:read "l"
  pipe:close()
end
local function clean() os.execute("rm -rf '" .. folder .. "'") end

describe("core.json", function()
  it("writes scalars, arrays and objects, keys sorted", function()
    assert.equal('{"a": 1, "b": [true, null, "x"], "c": {}, "d": 1.5}',
      json.encode { d = 1.5, c = {}, b = { true, json.null, "x" }, a = 1 })
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("null", json.encode(nil))
    assert.equal('"a\\"\\n\\u0000"', json.encode 'a"\n\0')
  end)

  it("keeps the order of json.object and leaves out nil", function()
    assert.equal('{"z": 1, "a": {"y": [], "b": 2}}', json.encode(json.object {
      { "z", 1 }, { "none", nil }, { "a", json.object { { "y", json.array {} }, { "b", 2 } } } }))
    refused("entry 1 of json.object", json.encode, json.object { { 1, 2 } })
    refused("entry 1 of json.object", json.encode, json.object { "a" })
  end)

  it("keeps numbers to the bit, integers whole, and has a word for what JSON lacks", function()
    for _, x in ipairs { .1, 1 / 3, 1e300, 5e-324, -0.0, 123456789.123 } do
      assert.equal(string.pack("d", x), string.pack("d", json.decode(json.encode(x))))
    end
    assert.equal("9223372036854775807", json.encode(math.maxinteger))
    assert.equal("integer", math.type(json.decode "7"))
    assert.equal("float", math.type(json.decode(json.encode(7.0))))
    assert.equal('["nan", "inf", "-inf"]', json.encode { 0 / 0, 1 / 0, -1 / 0 })
    assert.equal(1 / 0, json.number "inf")
    assert.equal(-1 / 0, json.number "-inf")
    assert.is_true(json.number "nan" ~= json.number "nan")
    assert.equal(3, json.number(3))
    assert.is_nil(json.number "3")
    assert.is_nil(json.number {})
  end)

  it("reads back what it wrote", function()
    local text = '{"a": [], "b": {}, "c": [1, [2.5, null], {"d": "\u{e9}"}], "e": false}'
    assert.equal(text, json.encode(json.decode(text)))
    assert.equal(text, json.encode(json.decode(json.encode(json.decode(text), { indent = 2 }))))
  end)

  it("makes U+FFFD of bytes that are no UTF-8, also in keys", function()
    assert.equal('{"k\u{fffd}": "\u{fffd}\u{fffd}x\u{20ac}"}', json.encode { ["k\xff"] = "\xc0\x80x\u{20ac}" })
    assert.equal('"\u{fffd}\u{fffd}\u{fffd}"', json.encode "\xed\xa0\x80") -- half of a surrogate pair
    assert.equal('"\u{fffd}\u{fffd}"', json.encode "\xe2\x82")
  end)

  it("refuses what JSON cannot hold, in one line", function()
    refused("function", json.encode, print)
    refused("at key b", json.encode, { a = { b = print } })
    refused("keys are neither", json.encode, { 1, a = 2 })
    refused("keys are neither", json.encode, { [1] = 1, [3] = 3, [10] = 1 })
    refused("keys are neither", json.encode, { [1.5] = 1 })
    refused("keys are neither", json.encode, json.array { a = 1 })
    refused("userdata", json.encode, { core.tensor { 1 } })
    local cycle = {}
    cycle.cycle = { cycle }
    refused("cycle", json.encode, cycle)
    refused("line 2, column", json.decode, '{"a":\n]')
    refused("not JSON", json.decode, "")
    refused("not JSON", json.decode, ("["):rep(100000))
    refused("not JSON", json.decode, "[1] 2")
  end)
end)

describe("core.store", function()
  before_each(fresh)
  after_each(clean)

  local function run(head) return store.create(folder .. "/results", "scripts/My_exp.lua", head) end

  it("makes a run and reads it back", function()
    local r = run { script = "a.lua", params = { lr = .01, cell = "elman" }, seed = 3 }
    assert.equal(store.experiment_name "scripts/My_exp.lua" .. "-1", r:name())
    assert.equal(folder .. "/results/" .. r:name(), r:dir())
    assert.equal("running", store.open(folder .. "/results", "last").record.status)
    r:copy_text("return 1\0", "script.lua")
    r:copy_text("-- m", "modules/m.lua")
    host.write_file(folder .. "/data.csv", "1,2\n")
    r:copy_file(folder .. "/data.csv", "data/data.csv")
    r:metrics { "loss", "val_loss" }
    r:append({ 1, .5, false }, { 2, .25, .125 })
    r:append { { 3, 1e-3 }, { 4, 0 / 0, 1 / 0 } }
    r:append()
    r:append_packed(5, string.pack("dd", 7, 8), false)
    r:append_packed(7, string.pack("d", 9), string.pack("d", 10))
    r:append_packed(8)
    r:note { isa = "avx2" }
    assert.is_nil(r:close("finished", { metrics = { loss = 9, val_loss = 0 / 0 }, epochs = 7, train_s = .5,
      figures = json.array { "figures/loss.svg" } }))
    local o = store.open(folder .. "/results", r:name())
    assert.equal("finished", o.record.status)
    assert.equal("avx2", o.record.isa)
    assert.equal("nan", o.record.metrics.val_loss)
    assert.same({ r:dir() .. "/figures/loss.svg" }, o.summary.figures)
    assert.equal("return 1\0", host.read_file(o.dir .. "/script.lua"))
    assert.equal("-- m", host.read_file(o.dir .. "/modules/m.lua"))
    assert.equal("1,2\n", host.read_file(o.dir .. "/data/data.csv"))
    local m = store.metrics(o.dir)
    assert.same({ "loss", "val_loss" }, m.columns)
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, m.epochs)
    assert.equal(7, m.rows)
    assert.same({ .5, .25, 1e-3 }, table.move(m.values.loss, 1, 3, 1, {}))
    assert.same({ 7, 8, 9 }, table.move(m.values.loss, 5, 7, 1, {}))
    assert.equal(.125, m.values.val_loss[2])
    assert.equal(1 / 0, m.values.val_loss[4])
    assert.equal(10, m.values.val_loss[7])
    assert.is_true(m.values.val_loss[1] ~= m.values.val_loss[1])
  end)

  it("refuses wrong rows, names and ends, and stays usable", function()
    local r = run()
    refused("metrics%(%) first", r.append, r, { 1, 2 })
    refused("not a name", r.metrics, r, { 1 })
    r:metrics { "loss" }
    refused("begins with the epoch", r.append, r, { 1.5, 2 })
    refused("value 1 of epoch 1 is a string", r.append, r, { 1, "2" })
    refused("row 2 is not a table", r.append, r, { { 1, 2 }, 3 })
    refused("2 columns given; metrics.csv has 1", r.append_packed, r, 1, "", "")
    refused("inside the run's folder", r.copy_text, r, "x", "../evil")
    refused("not a status", r.close, r, "bogus")
    refused("not a status", r.close, r, "running")
    refused("function", r.close, r, "finished", { metrics = { loss = print } })
    assert.is_nil(r:close "diverged")
    refused("is closed", r.close, r, "failed")
    refused("is closed", r.append, r, { 1, 2 })
    assert.equal("diverged", store.open(folder .. "/results", "last").record.status)
    assert.matches("closed", tostring(r))
  end)

  it("closes as failed what was never closed", function()
    do
      local r <close> = run()
      assert.matches("open", tostring(r))
    end
    run()
    collectgarbage()
    collectgarbage()
    local list = store.list(folder .. "/results", { status = "failed" })
    assert.equal(2, #list)
  end)

  it("updates and lists", function()
    for i = 1, 3 do run():close("finished", { metrics = { loss = i } }) end
    local results = folder .. "/results"
    assert.is_nil(store.update(results, "last", { note = "hey" }))
    assert.equal("hey", store.open(results, "last").record.note)
    local all, warnings = store.list(results)
    assert.equal(3, #all)
    assert.equal("", warnings)
    assert.equal(3, all[3].metrics.loss)
    assert.equal(1, #store.list(results, { limit = 1 }))
    assert.equal(0, #store.list(folder .. "/none"))
    refused("no run", store.open, results, "zzz")
    assert.is_nil(store.metrics(all[1].dir))
  end)

  it("says which folder cannot be written", function()
    host.write_file(folder .. "/file", "")
    refused(folder:gsub("%p", "%%%0") .. "/file", store.create, folder .. "/file/results", "a")
  end)
end)

describe("core.format", function()
  before_each(fresh)
  after_each(clean)

  it("keeps tensors to the bit in npz, npy and safetensors", function()
    local x = core.tensor({ { 1, .1 }, { -3, 1e-30 } }, "float64")
    local y = core.tensor({ 1, 2, 3 }, "float32")
    for _, kind in ipairs { "npz", "safetensors" } do
      local path = folder .. "/a." .. kind
      format["save_" .. kind](path, { { "y", y }, { "x", x } })
      local tensors, names = format["load_" .. kind](path)
      if kind == "safetensors" then names = select(3, format.load_safetensors(path)) end
      assert.same(kind == "npz" and { "y", "x" } or names, names)
      assert.equal(2, #names)
      assert.same(x:tolist(), tensors.x:tolist())
      assert.same(y:tolist(), tensors.y:tolist())
      assert.equal("float64", tensors.x:dtype())
      assert.equal("float32", tensors.y:dtype())
      format["save_" .. kind](folder .. "/b", { x = x, y = y }) -- by name: sorted
      format["save_" .. kind](folder .. "/c", { y = y, x = x })
      assert.equal(host.read_file(folder .. "/b"), host.read_file(folder .. "/c"))
    end
    format.save_npy(folder .. "/a.npy", x)
    assert.same(x:tolist(), format.load_npy(folder .. "/a.npy"):tolist())
  end)

  it("keeps the metadata of safetensors", function()
    format.save_safetensors(folder .. "/m", { x = core.tensor { 1 } }, { network = "elman 3-5-2" })
    local _, metadata = format.load_safetensors(folder .. "/m")
    assert.same({ network = "elman 3-5-2" }, metadata)
    refused("is not a string", format.save_safetensors, folder .. "/m", { x = core.tensor { 1 } }, { a = 1 })
  end)

  it("reads csv with and without a header", function()
    host.write_file(folder .. "/a.csv", "t,x\n1,2.5\n2,\n")
    local t, names = format.load_csv(folder .. "/a.csv")
    assert.same({ "t", "x" }, names)
    assert.equal(2.5, t:tolist()[1][2])
    host.write_file(folder .. "/b.csv", "1;2\n3;4\n")
    local b, none = format.load_csv(folder .. "/b.csv", { delimiter = ";" })
    assert.is_nil(none)
    assert.same({ { 1, 2 }, { 3, 4 } }, b:tolist())
    refused("delimiter", format.load_csv, folder .. "/b.csv", { delimiter = ";;" })
    host.write_file(folder .. "/c.csv", "1,2\n3,abc\n")
    refused("c%.csv:2: column 2", format.load_csv, folder .. "/c.csv")
  end)

  it("refuses what is no tensor and files that are none", function()
    refused('entry "x" is a number', format.save_npz, folder .. "/x", { x = 1 })
    refused("entry 1 is not", format.save_npz, folder .. "/x", { 1 })
    refused("/none", format.load_npz, folder .. "/none")
    host.write_file(folder .. "/junk", ("junk"):rep(100))
    refused("junk", format.load_npz, folder .. "/junk")
    refused("junk", format.load_npy, folder .. "/junk")
    refused("junk", format.load_safetensors, folder .. "/junk")
  end)
end)

describe("core.host", function()
  before_each(fresh)
  after_each(clean)

  it("knows the time, the machine and the terminal", function()
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$", host.now_iso())
    local t = host.monotonic()
    assert.is_true(host.monotonic() >= t)
    local info = host.info()
    assert.is_true(info.cores >= 1 and info.pid > 1)
    assert.is_true(#info.name > 0 and #info.cpu > 0 and #info.system > 0)
    assert.is_true(host.columns() > 0)
    assert.equal("boolean", type(host.isatty(0)))
    assert.is_false(host.isatty(99))
    assert.is_false(host.color(99))
    assert.equal(os.getenv "HOME", host.getenv "HOME")
    assert.is_nil(host.getenv "RNNLAB_NO_SUCH_VARIABLE")
    assert.matches("^[/.]", host.cwd())
  end)

  it("reads, writes and hashes files", function()
    host.make_folder(folder .. "/a/b")
    host.write_file(folder .. "/a/b/c", "abc\0")
    assert.equal("abc\0", host.read_file(folder .. "/a/b/c"))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", host.sha256 "abc")
    assert.equal(host.sha256 "abc\0", host.sha256_file(folder .. "/a/b/c"))
    assert.is_true(host.exists(folder .. "/a/b/c"))
    assert.is_false(host.exists(folder .. "/a/b/d"))
    assert.is_true(host.is_folder(folder .. "/a"))
    assert.is_false(host.is_folder(folder .. "/a/b/c"))
    assert.is_true(host.is_writable(folder .. "/new/folder"))
    assert.is_false(host.is_writable(folder .. "/a/b/c/d"))
    local nothing, problem = host.read_file(folder .. "/none")
    assert.is_nil(nothing)
    assert.matches("/none: ", problem)
    refused("/none", host.sha256_file, folder .. "/none")
    refused("/c", host.write_file, folder .. "/a/b/c/d", "")
    refused("/c", host.make_folder, folder .. "/a/b/c/d")
  end)

  it("knows the git state of a folder", function()
    assert.is_nil(host.git_finish(host.git_start "/"))
    local here = "cd '" .. folder .. "' && git -c user.name=a -c user.email=a@b -c commit.gpgsign=false "
    if not os.execute("git --version >/dev/null 2>&1") then return end
    os.execute("cd '" .. folder .. "' && git init -q . && echo 1 > f && git add f")
    os.execute(here .. "commit -q -m x")
    local state = host.git_finish(host.git_start(folder), 10)
    assert.matches("^%x+$", state.commit)
    assert.is_false(state.dirty)
    host.write_file(folder .. "/f", "22")
    local git = host.git_start(folder)
    assert.is_true(host.git_finish(git, 10).dirty)
    refused("already", host.git_finish, git)
    host.git_start(folder) -- never asked: collected without waiting
    collectgarbage()
  end)
end)

describe("core", function()
  it("has a version and is never asked to stop in a plain Lua", function()
    assert.matches("^%d+%.%d+%.%d+$", core.version)
    assert.is_nil(core.stop_requested())
    core.stop_acknowledge()
    assert.is_nil(core.stop_requested())
  end)
end)
