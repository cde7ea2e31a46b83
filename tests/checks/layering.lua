-- layering.lua ROOT: holds the #includes of src/ and the requires of lua/ and scripts/ to the table of
-- rooms (docs/ARCHITECTURE.md). Prints every breach as file:line and exits 1 if there is one.

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local tree = require "tree"

local root = assert(arg[1], "usage: layering.lua ROOT")

-- Each room and the rooms directly below it; it may include what these may include, too.
local below = {
  base = {}, kernel = { "base" }, tensor = { "kernel" }, grad = { "tensor" }, rnn = { "grad" },
  optim = { "grad" }, train = { "optim", "rnn" }, format = { "tensor" }, store = { "base" },
  sweep = { "store" }, plot = { "base" },
  bind = { "train", "format", "store", "sweep", "plot" }, app = { "bind" },
}

-- System headers that only some rooms, or only one file, may see.
local reserved = {
  ["lua.h"] = { "bind/", "app/" }, ["lauxlib.h"] = { "bind/", "app/" },
  ["lualib.h"] = { "bind/", "app/" }, ["luaconf.h"] = { "bind/", "app/" },
  ["sqlite3.h"] = { "store/" }, ["uv.h"] = { "sweep/" }, ["zip.h"] = { "format/" },
  ["dlfcn.h"] = { "kernel/gemm.c", "app/doctor.c" }, -- doctor asks loaded libraries for their versions
  ["cblas.h"] = {}, ["openblas_config.h"] = {},
}

-- Calls that only some files may make, as Lua patterns on code without comments and strings.
local calls = {
  { "%f[%w_]dlopen%s*%(", { "kernel/gemm.c" }, "dlopen" },
  { "%f[%w_]popen%s*%(", {}, "popen (a shell; start programs by posix_spawn)" },
  { "%f[%w_]system%s*%(", {}, "system (a shell; start programs by posix_spawn)" },
}
local starts = { "%f[%w_]posix_spawnp?%s*%(", "%f[%w_]execv?[lpe]*%s*%(", "%f[%w_]v?fork%s*%(" }

local function closure(room, seen)
  seen = seen or { [room] = true }
  for _, lower in ipairs(below[room]) do
    if not seen[lower] then
      seen[lower] = true
      closure(lower, seen)
    end
  end
  return seen
end

local breaches, looked_at = 0, 0
local function breach(file, line, ...)
  breaches = breaches + 1
  io.stderr:write(("%s:%d: "):format(file, line), string.format(...), "\n")
end

local function is_among(path, allowed)
  for _, prefix in ipairs(allowed) do
    if path == prefix or (prefix:sub(-1) == "/" and path:sub(1, #prefix) == prefix) then
      return true
    end
  end
  return false
end

local function names(list)
  return #list > 0 and table.concat(list, ", ") or "nobody"
end

local function check_include(file, path, room, may, number, quoted, header)
  if reserved[header] and not is_among(path, reserved[header]) then
    breach(file, number, "includes <%s>, which is for %s only", header, names(reserved[header]))
  end
  if not quoted then
    return
  end
  local target, rest = header:match("^([^/]+)/(.+)$")
  if header:find("..", 1, true) then
    breach(file, number, 'includes "%s": write "room/file.h", seen from src/', header)
  elseif target then
    if not below[target] then
      breach(file, number, 'includes "%s": there is no room %s', header, target)
    elseif not may[target] then
      breach(file, number, 'room %s may not see room %s ("%s")', room, target, header)
    elseif not tree.exists(root .. "/src/" .. target .. "/" .. rest) then
      breach(file, number, 'includes "%s", which does not exist', header)
    end
  elseif not tree.exists(root .. "/src/" .. room .. "/" .. header) and not header:find("^rnl_") then
    breach(file, number, 'includes "%s": write "room/file.h", seen from src/', header)
  end
end

for _, path in ipairs(tree.files(root, "src", { "c", "h", "inc" })) do
  local file = "src/" .. path
  local room = path:match("^([^/]+)/")
  looked_at = looked_at + 1
  if not below[room or ""] then
    breach(file, 1, "is in no room of the table in tests/checks/layering.lua")
  else
    local may, text = closure(room), tree.read(root .. "/" .. file)
    local spawns, gnuplot = nil, nil
    for number, line in tree.lines(tree.without_comments(text)) do
      local open, header = line:match('^%s*#%s*include%s*([<"])([^>"]+)[>"]')
      if open then
        check_include(file, path, room, may, number, open == '"', header)
      end
      gnuplot = gnuplot or (line:find('"gnuplot"', 1, true) and number)
      local code = line:gsub('"[^"]*"', '""')
      for _, rule in ipairs(calls) do
        if code:find(rule[1]) and not is_among(path, rule[2]) then
          breach(file, number, "calls %s, which is for %s only", rule[3], names(rule[2]))
        end
      end
      for _, pattern in ipairs(starts) do
        spawns = spawns or (code:find(pattern) and number)
      end
    end
    if spawns and gnuplot and room ~= "plot" then
      breach(file, spawns, "starts gnuplot, which only src/plot/ does")
    end
  end
end

-- lua/rnnlab sees the engine and itself, scripts see rnnlab and the modules beside them.
local function check_requires(folder, allowed)
  for _, path in ipairs(tree.files(root, folder, { "lua" })) do
    local file = folder .. "/" .. path
    looked_at = looked_at + 1
    for number, line in tree.lines(tree.without_lua_comments(tree.read(root .. "/" .. file))) do
      for place in line:gmatch("%f[%w_.:]require%f[^%w_]()") do
        -- require "x", require("x"), pcall(require, "x"); not `local require = require`
        local rest = line:sub(place):match("^%s*(.*)$")
        local module = rest:match("^[(,]?%s*[\"']([^\"']*)[\"']")
        if module then
          if not allowed(module, path) then
            breach(file, number, 'requires "%s"', module)
          end
        elseif rest ~= "" and not rest:match("^[=)};]") then
          breach(file, number, "requires a module whose name is not written out: %s", line)
        end
      end
    end
  end
end

check_requires("lua/rnnlab", function(module)
  return module == "rnnlab" or module:find("^rnnlab%.[%w_.]+$") ~= nil
end)
check_requires("scripts", function(module, path)
  return module == "rnnlab"
    or tree.exists(root .. "/scripts/" .. (path:match("^.*/") or "") .. module:gsub("%.", "/") .. ".lua")
end)

if looked_at == 0 then
  breach(root, 0, "holds no source files: nothing was checked")
end
if breaches > 0 then
  io.stderr:write(("layering: %d found in %d files\n"):format(breaches, looked_at))
  os.exit(1)
end
print(("layering: %d files keep to their rooms"):format(looked_at))
