-- rnnlab.sandbox owns the world a script runs in: what it may reach, in which order it sees a table's
-- keys, where its random numbers come from, and which files it read.
--
-- A script gets copies of the standard libraries without what reaches outside (no os.execute, io.popen,
-- debug, package, dofile, bytecode, clock, writing). It never sees the real globals: its functions were
-- compiled with the box's own table as _ENV, metatables of strings and of the engine's values stay hidden,
-- and no function it is given takes an environment. --trust opens os, io, debug and the rest.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local ordered = require "rnnlab.ordered"
local text = require "rnnlab.text"

local sandbox = {}
local host_require = require

local Box = {}
Box.__index = Box

local hint = "is not open to scripts; `rnnlab run --trust` opens it"

local function copy(library, without)
  local t = {}
  for name, value in pairs(library) do
    t[name] = value
  end
  for _, name in ipairs(without or {}) do
    t[name] = nil
  end
  return t
end

-- A library whose missing members say why: os, debug, package; io beyond reading.
local function closed(name, members)
  return setmetatable(members or {}, {
    __metatable = false,
    __index = function(_, key)
      error(("%s.%s %s"):format(name, tostring(key), hint), 2)
    end,
  })
end

-- ---- files --------------------------------------------------------------------------------------

-- The file a script means: an absolute path, else beside the script, else from the current folder (that of the run's
-- first start).
function Box:find(path)
  if path:sub(1, 1) ~= "/" then
    local beside = self.folder .. path
    if core.host.exists(beside) then return beside end
    if self.cwd then return self.cwd .. "/" .. path end
  end
  return path
end

-- Remember a file the run depends on, with its hash.
function Box:record(path)
  for _, file in ipairs(self.files) do
    if file.path == path then return end
  end
  self.files[#self.files + 1] = { path = path, sha256 = core.host.sha256_file(path) }
end

local function readable(box, path)
  if type(path) ~= "string" then
    error("a file's name is expected, not a " .. type(path), 0)
  end
  path = box:find(path)
  if path:find "^/dev/" or path:find "^/proc/" or path:find "^/sys/" then
    return nil, path .. ": not a data file"
  end
  if core.host.is_folder(path) then
    return nil, path .. ": a folder, not a file"
  end
  return path
end

local function open_for_reading(box)
  return function(path, mode)
    mode = mode or "r"
    if mode ~= "r" and mode ~= "rb" then
      error(("io.open(%q, %q): a script only reads; `rnnlab run --trust` opens writing"):format(
        tostring(path), tostring(mode)), 2)
    end
    local found, problem = readable(box, path)
    if not found then return nil, problem, 2 end
    local file, why, code = io.open(found, mode)
    if file then box:record(found) end
    return file, why, code
  end
end

local function lines_of(open)
  return function(path, ...)
    local file, problem = open(path)
    if not file then error(problem, 2) end
    local next_line = file:lines(...)
    return function()
      local line = next_line()
      if line == nil then file:close() end
      return line
    end
  end
end

-- r.load_csv and the like for a script: found beside it, recorded with their hash.
function Box:loader(load_)
  return function(path, ...)
    local found, problem = readable(self, path)
    if not found then error(problem, 0) end
    local results = table.pack(load_(found, ...))
    self:record(found)
    return table.unpack(results, 1, results.n)
  end
end

-- ---- modules ------------------------------------------------------------------------------------

-- A script's or module's text as a function of the box.
function Box:compile(path, bytes)
  local source = "@" .. path
  self.sources[source] = { name = path, text = bytes }
  if bytes:sub(1, 1) == "\27" then
    errors.failure("%s: compiled Lua (bytecode) is not run; give the source text", path)
  end
  if bytes:sub(1, 3) == "\239\187\191" then bytes = bytes:sub(4) end -- a byte order mark
  bytes = bytes:gsub("^#[^\n]*", "--", 1) -- #!/usr/bin/env rnnlab
  local chunk, problem = load(bytes, source, "t", self.env)
  if not chunk then
    error(problem, 0)
  end
  return chunk
end

local function requirer(box)
  local loaded, loading = {}, {}
  return function(name)
    if name == "rnnlab" then return box.public end
    if type(name) ~= "string" then
      error("a module's name is expected, not a " .. type(name), 2)
    end
    if loaded[name] ~= nil then return loaded[name] end
    local relative = name:gsub("%.", "/") .. ".lua"
    local path = box.folder .. relative
    local bytes
    if name:find "^[%w_][%w_.-]*$" and not name:find("..", 1, true) and not name:find "^rnnlab%." then
      bytes = box.copy and core.host.read_file(box.copy .. "/" .. relative) or core.host.read_file(path)
    end
    if not bytes then
      if box.trust and not name:find "^rnnlab%." then return host_require(name) end
      error(("no module '%s': there is no %s (a script has rnnlab and the modules beside it)")
        :format(name, path), 2)
    end
    if loading[name] then
      error(("module '%s' needs itself"):format(name), 2)
    end
    loading[name] = true
    box.modules[#box.modules + 1] = { path = path, name = relative, bytes = bytes }
    local value = box:compile(path, bytes)(name, path)
    loading[name] = nil
    loaded[name] = value == nil and true or value
    return loaded[name]
  end
end

-- ---- the environment ----------------------------------------------------------------------------

local function random_library(box)
  local math_ = copy(math)
  local function rng()
    box.stream = box.stream or core.rng(box.seed, "script")
    return box.stream
  end
  -- As math.random: a real in [0, 1), or a whole number in [1, low] or [low, high].
  function math_.random(low, high)
    if low == nil then return rng():uniform() end
    if high == nil then low, high = 1, low end
    local m, n = math.tointeger(low), math.tointeger(high)
    if not (m and n) then error("math.random: whole numbers are expected", 2) end
    if m > n then error("math.random: the interval is empty", 2) end
    return rng():integer(m, n)
  end
  -- Another stream of the same run, so that seed=2 gives other numbers whatever the script asks for.
  function math_.randomseed(index)
    local n = math.tointeger(tonumber(index) or 0) or 0
    box.stream = core.rng(box.seed, "script", n & 0x7fffffff)
  end
  return math_
end

local function protected_metatables()
  local function get(value)
    if type(value) ~= "table" then return nil end
    return getmetatable(value)
  end
  local function set(t, meta)
    if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
      error("setmetatable: __gc is not open to scripts (when it runs differs from run to run)", 2)
    end
    return setmetatable(t, meta)
  end
  return get, set
end

local function text_load(box)
  return function(chunk, name, _, ...)
    local env = box.env
    if type(name) == "string" and name:find "^=rnnlab" then name = nil end -- ours: Ctrl-C passes them over
    if select("#", ...) > 0 then env = (...) end
    return load(chunk, name, "t", env)
  end
end

local function limited_collectgarbage(option, ...)
  if option == nil or option == "collect" or option == "step" or option == "count" then
    return collectgarbage(option, ...)
  end
  error(("collectgarbage(%q) %s"):format(tostring(option), hint), 2)
end

local function closed_function(name)
  return function() error(name .. " " .. hint, 2) end
end

local plain = { "assert", "error", "ipairs", "rawequal", "rawget", "rawlen", "rawset", "select",
  "tonumber", "tostring", "type", "pcall", "xpcall", "_VERSION" }

local function environment(box)
  local env = {}
  for _, name in ipairs(plain) do
    env[name] = _G[name]
  end
  env.string = copy(string, { "dump" })
  env.table, env.utf8, env.coroutine = copy(table), copy(utf8), copy(coroutine)
  env.math = random_library(box)
  env.pairs, env.next = ordered.pairs, ordered.next
  env.require = requirer(box)
  -- As print, but past the progress bar.
  env.print = function(...)
    local words = table.pack(...)
    for i = 1, words.n do
      words[i] = tostring(words[i])
    end
    box.print(table.concat(words, "\t") .. "\n")
  end
  if box.trust then
    for name, value in pairs(_G) do
      if env[name] == nil then env[name] = value end
    end
    env.string = string
  else
    env.getmetatable, env.setmetatable = protected_metatables()
    env.load = text_load(box)
    env.collectgarbage = limited_collectgarbage
    local open = open_for_reading(box)
    env.io = closed("io", { open = open, lines = lines_of(open), type = io.type,
      write = function(...) box.print(table.concat { ... }) end })
    env.os, env.debug, env.package = closed "os", closed "debug", closed "package"
    env.dofile, env.loadfile = closed_function "dofile", closed_function "loadfile"
    string.dump = nil -- also out of ("").dump
  end
  env._G = env
  return setmetatable(env, {
    __metatable = false,
    __index = function(_, name)
      local known = text.sorted_keys(env)
      error(("undeclared global '%s'%s"):format(tostring(name), text.did_you_mean(tostring(name), known)), 2)
    end,
    __newindex = function(_, name)
      error(("undeclared global '%s'; write: local %s = ..."):format(tostring(name), tostring(name)), 2)
    end,
  })
end

-- ---- the box ------------------------------------------------------------------------------------

-- options: script (path), trust, seed, public (what require "rnnlab" gives), print (takes a string). copy: a folder
-- with a copy of the script (script.lua) and its modules, which is run in their place; it is still called by the
-- script's own path, and data files are looked for beside that. cwd: where the run was started, if that is not the
-- current folder.
function sandbox.new(options)
  local box = setmetatable({
    script = options.script, trust = options.trust or false, seed = options.seed or 1,
    folder = options.script:match "^(.*/)[^/]*$" or "", copy = options.copy, cwd = options.cwd,
    public = options.public, print = options.print or function(s) io.stdout:write(s) end,
    sources = {}, -- chunk name -> { name =, text = }, for errors
    modules = {}, -- { path =, name = (relative), bytes = } as they were read
    files = {},   -- { path =, sha256 = } of data files
    stream = nil, -- what math.random draws from, once it was asked
  }, Box)
  box.env = environment(box)
  return box
end

-- Read and run the script; what it returns. No such file: exit 2.
function Box:run()
  local path = self.copy and self.copy .. "/script.lua" or self.script
  if core.host.is_folder(path) then
    errors.usage("%s is a folder, not a script", path)
  end
  local bytes, problem = core.host.read_file(path)
  if not bytes then
    if core.host.exists(path) then errors.failure("%s", problem) end
    errors.usage("no script %s", path)
  end
  self.bytes = bytes
  return self:call((self:call(self.compile, self, self.script, bytes)))
end

-- Call a function of the script's; errors come out with its file and line.
function Box:call(f, ...)
  return errors.call(self.sources, self.script, f, ...)
end

return sandbox
