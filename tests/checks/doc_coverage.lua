-- doc_coverage.lua ROOT: every function that the engine registers with Lua (the luaL_Reg tables of
-- src/bind/) is documented in lua/rnnlab/meta/, as is every function of the public face (init.lua), where
-- a --- comment above it does too; functions of the other modules of lua/rnnlab/ have a comment above them.
-- A name registered in two tables (a function r.tanh and a method x:tanh) needs two places. Metamethods
-- (__index and the like) need none. What the face holds at run time: tests/lua/documented_spec.lua.

package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
local tree = require "tree"

local root = assert(arg[1], "usage: doc_coverage.lua ROOT")

local gaps = 0
local function gap(file, line, ...)
  gaps = gaps + 1
  io.stderr:write(("%s:%d: "):format(file, line), string.format(...), "\n")
end

local function line_of(text, position)
  return select(2, text:sub(1, position):gsub("\n", "")) + 1
end

-- The functions a Lua text defines as table.name or table:name: { name, line, documented (by ---),
-- commented (by any comment) }, and the names its ---@field lines declare.
local function definitions(text)
  local found, fields, previous = {}, {}, ""
  for number, line in tree.lines(text) do
    local name = line:match("^%s*function%s+[%w_.]+[.:]([%w_]+)%s*%(")
      or line:match("^%s*[%w_]+[%w_.]*%.([%w_]+)%s*=%s*function%f[^%w_]")
      or line:match("^%s*[%w_]+[%w_.]*%.([%w_]+)%s*=%s*[%w_.]+%s*$") and previous:match("^%s*%-%-%-")
        and line:match("%.([%w_]+)%s*=")
    if name then
      found[#found + 1] = {
        name = name, line = number,
        documented = previous:match("^%s*%-%-%-") ~= nil, commented = previous:match("^%s*%-%-") ~= nil,
      }
    end
    local field = line:match("^%s*%-%-%-@field%s+([%w_]+)")
    if field then
      fields[#fields + 1] = field
    end
    previous = line
  end
  return found, fields
end

-- How often each name is documented in the definition files.
local documented = {}
local function count(name)
  documented[name] = (documented[name] or 0) + 1
end

for _, path in ipairs(tree.files(root, "lua/rnnlab/meta", { "lua" })) do
  local file = "lua/rnnlab/meta/" .. path
  local text = tree.read(root .. "/" .. file)
  if not text:find("^%-%-%-@meta") then
    gap(file, 1, "does not begin with ---@meta")
  end
  local found, fields = definitions(text)
  for _, entry in ipairs(found) do
    if entry.documented then
      count(entry.name)
    else
      gap(file, entry.line, "%s is declared without a --- comment above it", entry.name)
    end
  end
  for _, name in ipairs(fields) do
    count(name)
  end
end

-- What C registers: name -> list of places.
local registered, total = {}, 0
local function register(name, file, line)
  if not name:find("^__") and not name:find(".", 1, true) then -- "rnnlab.core" is a module's name
    registered[name] = registered[name] or {}
    table.insert(registered[name], { file = file, line = line })
    total = total + 1
  end
end

for _, path in ipairs(tree.files(root, "src/bind", { "c", "h", "inc" })) do
  local file = "src/bind/" .. path
  local text = tree.without_comments(tree.read(root .. "/" .. file))
  for start, body in text:gmatch("()luaL_Reg%s+[%w_]+%s*%[[^%]]*%]%s*=%s*(%b{})") do
    local rest = body:sub(2, -2)
    for entry in rest:gmatch("%b{}") do
      local name, value = entry:match('^{%s*"([^"]+)"%s*,%s*([%w_]+)%s*}$')
      if name and value ~= "NULL" then
        register(name, file, line_of(text, start))
      elseif not name and not entry:match("^{%s*NULL") and not entry:match("^{%s*0?%s*}$")
        and not entry:match("^{%s*0%s*,") then
        gap(file, line_of(text, start), 'cannot read the entry %s: write {"name", function}', entry)
      end
    end
    local other = rest:gsub("%b{}", ""):gsub("#[^\n]*", ""):gsub("[%s,]", "")
    if other ~= "" then
      gap(file, line_of(text, start), "cannot read %s: write each entry as {\"name\", function}", other)
    end
  end
  local single = '()lua_pushcfunction%s*%b()%s*;%s*lua_setfield%s*%([^,]*,[^,]*,%s*"([^"]+)"'
  for start, name in text:gmatch(single) do
    register(name, file, line_of(text, start))
  end
end

for name, places in pairs(registered) do
  local have = documented[name] or 0
  if have == 0 then
    gap(places[1].file, places[1].line, "%s is registered but not documented in lua/rnnlab/meta/", name)
  elseif have < #places then
    gap(places[#places].file, places[#places].line, "%s is registered %d times but documented %d times",
      name, #places, have)
  end
end

for _, path in ipairs(tree.files(root, "lua/rnnlab", { "lua" })) do
  if not path:find("^meta/") then
    local file = "lua/rnnlab/" .. path
    for _, entry in ipairs((definitions(tree.read(root .. "/" .. file)))) do
      if not entry.name:find("^_") then
        total = total + 1
        local said = entry.documented or documented[entry.name]
        if path ~= "init.lua" then
          said = said or entry.commented
        end
        if not said then
          gap(file, entry.line, "%s has no comment above it and no entry in lua/rnnlab/meta/", entry.name)
        end
      end
    end
  end
end

if total == 0 then
  gap(root, 0, "no registered or public function was found: nothing was checked")
end
if gaps > 0 then
  io.stderr:write(("doc_coverage: %d found among %d functions\n"):format(gaps, total))
  os.exit(1)
end
print(("doc_coverage: %d functions documented"):format(total))
