-- rnnlab.face owns what `require "rnnlab"` gives: the table scripts call r. It is made anew for each script,
-- so that nothing a script does to it reaches another's, and filled when a name is first used.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local face = {}

-- What comes from the engine under its own name.
local tensor_functions = {}
for name in ([[
  tensor zeros ones full eye arange linspace cat stack
  exp log sqrt abs square sin cos sign tanh sigmoid relu mm minimum maximum
  rng no_grad is_tensor default_dtype set_default_dtype
]]):gmatch "%S+" do
  tensor_functions[name] = true
end

local from_params = { real = true, int = true, choice = true, bool = true, text = true }
local readers = { load_csv = true, load_npy = true, load_npz = true, load_safetensors = true }
local own = { experiment = true, rnn = true, cell = true, nn = true, version = true, figure = true, analysis = true,
  load_run = true,
  plot = true }

local function names()
  local all = {}
  for _, set in ipairs { tensor_functions, from_params, readers, own } do
    for name in pairs(set) do
      all[#all + 1] = name
    end
  end
  table.sort(all)
  return all
end
face.names = names

-- loader wraps the functions that read files (a script's are found beside it and recorded).
function face.new(loader)
  local r = {}
  local function find(name)
    if name == "set_default_dtype" and loader then
      return function() error("a run's dtype is a parameter of it: dtype=float64", 2) end
    elseif tensor_functions[name] then
      return core[name]
    elseif from_params[name] then
      return require("rnnlab.params")[name]
    elseif readers[name] then
      return loader and loader(core.format[name]) or core.format[name]
    elseif name == "experiment" then
      return require("rnnlab.experiment").new
    elseif name == "rnn" then
      return require("rnnlab.nn").rnn
    elseif name == "cell" then
      return require("rnnlab.cell").new
    elseif name == "nn" then
      local nn = require "rnnlab.nn"
      local layers = {} -- what a script does to it stays with the script
      for layer, make in pairs(nn.public) do
        layers[layer] = make
      end
      return layers
    elseif name == "load_run" then
      return function(ref, results)
        if loader then error("load_run is for the repl and for a Lua of one's own; a script has its own run", 2) end
        return require("rnnlab.restore").load(ref, results)
      end
    elseif name == "analysis" then
      local public = {}
      for key, f in pairs(require "rnnlab.analysis") do
        public[key] = f
      end
      return public
    elseif name == "figure" then
      return function(options) return require("rnnlab.figure").new(options, loader ~= nil) end
    elseif name == "plot" then
      return function(...) return require("rnnlab.figure").plot(loader ~= nil, ...) end
    elseif name == "version" then
      return core.version
    end
  end
  return setmetatable(r, {
    __metatable = false,
    __pairs = function() -- everything there is, sorted, not only what was used
      local all, i = names(), 0
      return function()
        i = i + 1
        if all[i] then return all[i], r[all[i]] end
      end
    end,
    __index = function(_, name)
      local value = find(name)
      if value == nil then
        error(("rnnlab has no '%s'%s"):format(tostring(name), text.did_you_mean(tostring(name), names())), 2)
      end
      rawset(r, name, value)
      return value
    end,
  })
end

return face
