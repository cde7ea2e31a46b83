-- rnnlab.sweep.folder owns results/SWEEP/: its making, sweep.json, and the copies of the script and its modules that
-- every trial is run from.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"

local folder = {}

local written_out = "requir[e]%s*%(?%s*[\"']([%w_][%w_.-]*)[\"']"

-- The modules a script's text requires by a written-out name, with what they require: { { name =, bytes = }, ... },
-- as far as they stand beside the script. They are copied before any trial asks for them.
local function modules_of(box)
  local found, there = {}, {}
  local function look(text)
    for name in text:gmatch(written_out) do
      local relative = name:gsub("%.", "/") .. ".lua"
      if name ~= "rnnlab" and not name:find "^rnnlab%." and not there[relative] then
        there[relative] = true
        local bytes = core.host.read_file(box.copy and box.copy .. "/" .. relative or box.folder .. relative)
        if bytes then
          found[#found + 1] = { name = relative, bytes = bytes }
          look(bytes)
        end
      end
    end
  end
  look(box.bytes)
  for _, module in ipairs(box.modules) do
    if not there[module.name] then
      there[module.name] = true
      found[#found + 1] = module
      look(module.bytes)
    end
  end
  return found
end

local Folder = {}
Folder.__index = Folder

local function wrap(handle, results)
  return setmetatable({ handle = handle, name = handle:name(), dir = handle:dir(), results = results,
    json = handle:json() }, Folder)
end

-- Merge into sweep.json, durably.
function Folder:write(changes)
  self.handle:write(changes)
  self.json = self.handle:json()
end

-- Put the sweep and its trials (their lines of the journals) into the index. nil, or why that could not be.
function Folder:index(lines)
  return self.handle:index(self.results, core.json.array(lines))
end

-- Put the proposal of a configuration into its journal before anybody runs it.
function Folder:propose(number, point)
  local journal <close> = core.sweep.journal(self.dir .. "/journal-0.jsonl")
  journal:write(core.json.encode { event = "proposal", config = number, values = core.json.array(point) } .. "\n")
end

-- results/<experiment>-sweep-<n>/ with sweep.json and the copies. head: what sweep.json begins with (command.head).
function folder.create(results, ctx, head)
  local modules = modules_of(ctx.box)
  for _, module in ipairs(modules) do
    head.sha256.modules = head.sha256.modules or {}
    head.sha256.modules[module.name] = core.host.sha256(module.bytes)
  end
  local self = wrap(core.sweep.create(results, ctx.title, head), results)
  for _, module in ipairs(modules) do
    if module.name == "script.lua" then
      errors.failure("a module cannot be called 'script'; the sweep keeps its script under this name")
    end
    local sub = module.name:match "^(.*)/[^/]*$"
    if sub then core.host.make_folder(self.dir .. "/" .. sub) end
    core.host.write_file(self.dir .. "/" .. module.name, module.bytes)
  end
  core.host.write_file(self.dir .. "/script.lua", ctx.box.bytes)
  return self
end

-- The sweep meant by `query`: its name, the beginning of one, "last", or its folder.
function folder.find(results, query)
  local ok, handle = pcall(core.sweep.open, results, query)
  if not ok then errors.usage("%s", tostring(handle)) end
  return wrap(handle, results)
end

-- Go on with it; fails where another process that lives has it.
function Folder:take_over()
  if not self.handle:take_over() then
    errors.failure("%s is running (process %d)", self.name, self.json.process.pid)
  end
  self.json = self.handle:json()
end

return folder
