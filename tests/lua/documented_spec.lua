-- documented_spec.lua: what `require "rnnlab"` and `require "rnnlab.core"` really hold, at run time, is
-- documented. The check doc_coverage reads the sources; this walks the tables, so that a function that
-- reaches the user by another way (a macro, a loop that fills a table) is seen too.
local source = assert(os.getenv "RNNLAB_SOURCE", "run by CTest (tests/run_busted.sh)")

-- Every name that a definition file, or a --- comment in lua/rnnlab/, documents.
local function documented_names()
  local names = {}
  local pipe = assert(io.popen("find '" .. source:gsub("'", "'\\''") .. "/lua/rnnlab' -name '*.lua'"))
  for path in pipe:lines() do
    local previous = ""
    for line in io.lines(path) do
      local name = line:match "^%s*function%s+[%w_.]+[.:]([%w_]+)" or line:match "^%s*[%w_.]+%.([%w_]+)%s*="
      if name and previous:match "^%s*%-%-%-" then
        names[name] = true
      end
      local field = line:match "^%s*%-%-%-@field%s+([%w_]+)"
      if field then
        names[field] = true
      end
      previous = line
    end
  end
  pipe:close()
  return names
end

-- Collects the path of each function below `value` that nobody documented.
local function undocumented(value, path, names, seen, found)
  if seen[value] then
    return found
  end
  seen[value] = true
  for key, member in pairs(value) do
    if type(key) == "string" and not key:find "^_" then
      local here = path .. "." .. key
      if type(member) == "function" then
        if not names[key] then
          found[#found + 1] = here
        end
        found.count = found.count + 1
      elseif type(member) == "table" then
        undocumented(member, here, names, seen, found)
      end
    end
  end
  return found
end

describe("documentation", function()
  local names = documented_names()

  it("covers every function of rnnlab", function()
    local found = undocumented(require "rnnlab", "rnnlab", names, {}, { count = 0 })
    table.sort(found)
    assert.are.equal("", table.concat(found, "\n"))
    assert.is_true(found.count > 0)
  end)

  it("covers every function of rnnlab.core", function()
    local found = undocumented(require "rnnlab.core", "rnnlab.core", names, {}, { count = 0 })
    table.sort(found)
    assert.are.equal("", table.concat(found, "\n"))
    assert.is_true(found.count > 0)
  end)

  it("covers every method of the engine's objects", function()
    require "rnnlab.core"
    local found = { count = 0 }
    for key, metatable in pairs(debug.getregistry()) do
      if type(key) == "string" and key:find "^rn[nl]" and type(metatable) == "table" then
        local methods = metatable.__index
        undocumented(type(methods) == "table" and methods or metatable, key, names, {}, found)
      end
    end
    table.sort(found)
    assert.are.equal("", table.concat(found, "\n"))
    assert.is_true(found.count > 0)
  end)
end)
