-- The world a script runs in: what it may reach, what it may not, and that it is the same every time.
local sandbox = require "rnnlab.sandbox"

local folder

local function write(name, bytes)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  file:write(bytes)
  file:close()
  return folder .. "/" .. name
end

local said
local function box_of(script, options)
  options = options or {}
  local path = write("script.lua", script)
  said = {}
  return sandbox.new { script = path, seed = options.seed, trust = options.trust, public = { version = "x" },
    print = function(s) said[#said + 1] = s end }
end

local function run(script, options)
  return box_of(script, options):run()
end

-- The message of a script that fails, its folder taken out.
local function failure(script, options)
  local ok, problem = pcall(run, script, options)
  assert.is_false(ok, "the script should have failed")
  return (problem.message:gsub(folder:gsub("%p", "%%%0") .. "/", "")), problem.exit
end

describe("rnnlab.sandbox", function()
  before_each(function()
    local pipe = io.popen "mktemp -d"
    folder = pipe:read "l"
    pipe:close()
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  it("runs a script and gives what it returns", function()
    assert.equal(42, run "return 6 * 7")
    assert.equal("x", run "local r = require 'rnnlab' return r.version")
    assert.equal(5, run "#!/usr/bin/env rnnlab\nreturn 5")
  end)

  it("has no way out to programs, files or the clock", function()
    for _, name in ipairs { "os.execute", "os.time", "os.clock", "os.getenv", "os.remove", "io.popen", "io.output",
      "io.tmpfile", "debug.getregistry", "debug.sethook", "package.loadlib" } do
      assert.equal(("script.lua:1: %s is not open to scripts; `rnnlab run --trust` opens it"):format(name),
        (failure("return " .. name .. "('x')")))
    end
    assert.matches("script.lua:1: dofile is not open", (failure "dofile('x.lua')"))
    assert.matches("script.lua:1: loadfile is not open", (failure "loadfile('x.lua')"))
    assert.matches("script.lua:1: collectgarbage%(\"stop\"%) is not open", (failure "collectgarbage 'stop'"))
  end)

  it("makes an undeclared global an error with its line", function()
    assert.equal("script.lua:2: undeclared global 'foo'", (failure "local a = 1\nreturn foo"))
    assert.equal("script.lua:1: undeclared global 'foo'; write: local foo = ...", (failure "foo = 1"))
    assert.equal("script.lua:1: undeclared global 'pirnt'; did you mean 'print'?", (failure "pirnt(1)"))
    assert.matches("undeclared global 'bar'", (failure "_G.bar = 1"))
    assert.matches("undeclared global 'bar'", (failure "local function f() bar = 1 end f()"))
  end)

  it("gives syntax and run-time errors the script's file and line, and nothing of ours", function()
    assert.matches("^script.lua:2: .*near 'end'", (failure "local a =\nend"))
    assert.matches("^script.lua:1: attempt to index a nil value", (failure "local t = nil; return t.x"))
    local message, exit = failure "error('plain')"
    assert.equal("script.lua:1: plain", message)
    assert.equal(1, exit)
    assert.matches("the script raised a table value", (failure "error({})"))
    assert.matches("^script.lua:3: ", (failure("local function f(n)\n if n == 0 then\n error('x') end\n"
      .. "return f(n-1)\nend f(5)")))
  end)

  it("reads source text only", function()
    local message = failure(string.char(27) .. "Lua\0\1\2")
    assert.matches("script.lua: compiled Lua %(bytecode%) is not run", message)
    assert.is_nil(run "return string.dump")
    assert.is_nil(run "return ('').dump")
    assert.is_nil(run(([[return (load(%q))]]):format(string.char(27) .. "Lua")))
    assert.is_nil(run(([[return (load(%q, 'x', 'b'))]]):format(string.char(27) .. "Lua")))
    assert.equal(3, run "return load('return 1 + 2')()")
  end)

  it("keeps what load makes in the box", function()
    assert.matches("undeclared global 'foo'", (failure "return load('return foo')()"))
    assert.matches("os.execute is not open", (failure "return load('return os.execute()', '=rnnlab.evil')()"))
    assert.equal(7, run "return load('return a', 'c', 't', { a = 7 })()")
  end)

  it("hides metatables that lead out", function()
    assert.is_nil(run "return getmetatable('')")
    assert.is_nil(run "return getmetatable(print)")
    assert.is_false(run "return getmetatable(_G)")
    assert.is_false(run "return getmetatable(os)")
    assert.matches("__gc is not open to scripts", (failure "setmetatable({}, { __gc = print })"))
    assert.has_error(function() run "setmetatable(_G, {})" end)
    assert.has_error(function() run "setmetatable(os, {})" end)
    assert.equal(3, run "local t = setmetatable({}, { __index = { a = 3 } }) return t.a, getmetatable(t)")
  end)

  it("reaches no real global through any value it is given", function()
    -- Walk everything that can be walked from inside; the real _G, os, io, debug and package must not be there.
    local found = run [[
      local seen, out = {}, {}
      local function walk(value, path)
        if type(value) ~= "table" or seen[value] then return end
        seen[value] = true
        out[#out + 1] = value
        for k, v in next, value do walk(k, path) walk(v, path) end
        local meta = getmetatable(value)
        if type(meta) == "table" then walk(meta, path) end
      end
      walk(_G, "_G")
      return out
    ]]
    local forbidden = { [_G] = "_G", [os] = "os", [io] = "io", [debug] = "debug", [package] = "package",
      [package.loaded] = "loaded", [string] = "string", [math] = "math", [table] = "table" }
    assert.is_true(#found > 5)
    for _, value in ipairs(found) do
      assert.is_nil(forbidden[value])
      for name, member in next, value do
        assert.is_false(member == os.execute or member == io.popen or member == io.open or member == load
          or member == require or member == dofile or member == loadfile or member == debug.getregistry
          or member == getmetatable or member == setmetatable, "reachable: " .. tostring(name))
      end
    end
  end)

  it("does not let a script change the library's own tables", function()
    run "string.format = nil; table.concat = nil; math.floor = nil"
    assert.is_function(string.format)
    assert.is_function(table.concat)
    assert.is_function(math.floor)
  end)

  it("has random numbers of the run's own", function()
    local script = "return math.random() + math.random(10) + math.random(5, 6)"
    assert.equal(run(script), run(script))
    assert.not_equal(run(script), run(script, { seed = 2 }))
    assert.equal(run "math.randomseed(3) return math.random()",
      run "math.random() math.randomseed(3) return math.random()")
    local n = run "return math.random(1, 6)"
    assert.is_true(math.type(n) == "integer" and n >= 1 and n <= 6)
    assert.matches("script.lua:1: math.random: the interval is empty", (failure "math.random(2, 1)"))
  end)

  it("has pairs in a fixed order", function()
    assert.same({ 1, 2, "a", "b" },
      run "local l = {} for k in pairs{ b = 1, 'x', a = 2, 'y' } do l[#l + 1] = k end return l")
  end)

  it("reads files beside the script, records them, and writes none", function()
    write("data.txt", "1 2\n3 4\n")
    local box = box_of [[
      local file = assert(io.open("data.txt"))
      local first = file:read("l")
      file:close()
      local n = 0
      for line in io.lines("data.txt") do n = n + 1 end
      return first .. n
    ]]
    assert.equal("1 22", box:run())
    assert.equal(1, #box.files)
    assert.equal(folder .. "/data.txt", box.files[1].path)
    assert.matches('script.lua:1: io.open%("data.txt", "w"%): a script only reads',
      (failure "io.open('data.txt', 'w')"))
    assert.matches("a script only reads", (failure "io.open('data.txt', 'r+')"))
    assert.is_nil(run "return (io.open('missing.txt'))")
    assert.is_nil(run "return (io.open('/dev/zero'))")
  end)

  it("finds modules beside the script, in the same box, and keeps their bytes", function()
    write("tasks.lua", "local m = {} function m.f() return 1 end return m")
    write("evil.lua", "os.execute('true')")
    write("loop.lua", "return require 'loop'")
    os.execute("mkdir " .. folder .. "/sub")
    write("sub/deep.lua", "return 'deep'")
    local box = box_of "return require('tasks').f() + (require('tasks') == require('tasks') and 1 or 0)"
    assert.equal(2, box:run())
    assert.equal(1, #box.modules)
    assert.equal("tasks.lua", box.modules[1].name)
    assert.equal("deep", run "return require 'sub.deep'")
    assert.matches("^evil.lua:1: os.execute is not open", (failure "require 'evil'"))
    assert.matches("module 'loop' needs itself", (failure "require 'loop'"))
    assert.matches("script.lua:1: no module 'nothing': there is no nothing.lua", (failure "require 'nothing'"))
    for _, name in ipairs { "rnnlab.core", "rnnlab.sandbox", "../x", "/etc/passwd", "os", "socket" } do
      assert.matches("no module", (failure(("require %q"):format(name))))
    end
  end)

  it("prints through the runner", function()
    run "print('a', 1, nil) io.write('b', 2)"
    assert.same({ "a\t1\tnil\n", "b2" }, said)
  end)

  it("opens everything with trust, but no undeclared globals", function()
    assert.is_function(run("return os.execute", { trust = true }))
    assert.is_function(run("return debug.getinfo", { trust = true }))
    assert.is_function(run("return io.popen", { trust = true }))
    assert.matches("undeclared global 'foo'", (failure("return foo", { trust = true })))
  end)

  it("answers a script that is not there with exit 2", function()
    local ok, problem = pcall(function() return sandbox.new { script = folder .. "/none.lua" }:run() end)
    assert.is_false(ok)
    assert.equal(2, problem.exit)
    assert.equal("no script " .. folder .. "/none.lua", problem.message)
  end)
end)
