-- rnnlab.system owns one step of a network as a function of its whole state, s(t) = F(s(t-1), x(t)), and its
-- derivatives by the engine's own differentiation. It works for everything made of recurrent layers, built in or in
-- Lua, since it only uses how layers carry their states (context.lua).
--
-- States of all layers stand side by side, (batch, n), in float64: the network's weights are replaced by float64 copies
-- while a system is in use, and put back after. With closed_loop the network's output is the next step's input, and the
-- last features of the state.
local context = require "rnnlab.context"
local core = require "rnnlab.core"
local params = require "rnnlab.params"
local text = require "rnnlab.text"

local system = {}

local System = {}
System.__index = System

-- The recurrent layers of a network.
function system.layers(model, what)
  if type(model) ~= "table" or type(model.forward) ~= "function" then
    error(("%s: a network is expected, not a %s"):format(what, type(model)), 0)
  end
  local list = type(model.recurrent_layers) == "function" and model:recurrent_layers() or {}
  if #list == 0 then error(("%s: the network has no recurrent layer"):format(what), 0) end
  return list
end

-- ---- in double ----------------------------------------------------------------------------------

-- Call f(layer) for every layer, those made of others first.
local function each_layer(model, f)
  f(model)
  for _, layer in ipairs(type(model.layers) == "table" and model.layers or {}) do
    each_layer(layer, f)
  end
end

-- Replace every tensor of the network by a float64 copy without a gradient until the result goes out of scope.
local function in_double(model)
  local kept, dtype = {}, core.default_dtype()
  local function swap(owner, field)
    if core.is_tensor(owner[field]) then
      kept[#kept + 1] = { owner, field, owner[field] }
      owner[field] = owner[field]:detach():double()
    end
  end
  each_layer(model, function(layer)
    for _, weight in ipairs(layer.weights or {}) do
      swap(layer, weight.field)
    end
    swap(layer, "expand")
    for name in pairs(layer.states0 or {}) do
      swap(layer.states0, name)
    end
  end)
  core.set_default_dtype "float64"
  return setmetatable({}, { __close = function()
    core.set_default_dtype(dtype)
    for i = #kept, 1, -1 do
      kept[i][1][kept[i][2]] = kept[i][3]
    end
  end })
end

-- ---- making -------------------------------------------------------------------------------------

local function states_of(layers, what)
  local list, n = {}, 0
  for i, layer in ipairs(layers) do
    if layer.reversed then
      error(("%s: layer %s runs from the sequence's end; there is no step of it"):format(what, layer.name or i), 0)
    end
    for _, state in ipairs(layer:program "plain":states()) do
      local label = #layers == 1 and state.name or ("%s.%s"):format(layer.name or i, state.name)
      list[#list + 1] = { key = layer:state_name(state), label = label, name = state.name, layer = layer, from = n + 1,
        size = state.size }
      n = n + state.size
    end
  end
  return list, n
end

-- Call f(system) and give what it gives.
function system.with(model, what, closed_loop, f)
  local layers = system.layers(model, what)
  local sys = setmetatable({ model = model, what = what, closed = closed_loop == true }, System)
  sys.states, sys.size = states_of(layers, what)
  sys.n_in = model.n_in or layers[1].n_in
  local _ <close> = in_double(model)
  if sys.closed then
    local _, y = sys:run(core.zeros(1, sys.size, "float64"), core.zeros(1, 1, sys.n_in, "float64"))
    local width = y and y:size(y:dim())
    if width ~= sys.n_in then
      error(("%s: closed_loop needs as many outputs as inputs; the network has %s and %d"):format(what,
        tostring(width), sys.n_in), 0)
    end
    sys.states[#sys.states + 1] = { label = "output", from = sys.size + 1, size = width }
    sys.size = sys.size + width
  end
  return f(sys)
end

-- ---- stepping -----------------------------------------------------------------------------------

-- The network's own step: states (batch, n), x (batch, 1, inputs) -> states, output.
function System:run(s, x)
  local at, ended = {}, {}
  for _, state in ipairs(self.states) do
    if state.key then at[state.key] = s:narrow(2, state.from, state.size) end
  end
  local _ <close> = context.enter { training = false,
    carry = function(name) return at[name] end,
    carried = function(name, last) ended[name] = last end }
  local y = self.model:forward(x)
  local list = {}
  for i, state in ipairs(self.states) do
    if state.key then
      if not ended[state.key] then
        error(("%s: layer %s did not take part in the step"):format(self.what, state.label), 0)
      end
      list[i] = ended[state.key]
    end
  end
  return #list > 1 and core.cat(list, 2) or list[1], y
end

-- F(s, x) with gradients: s (batch, n), x (1 or batch, 1, inputs).
function System:apply(s, x)
  local batch = s:size(1)
  if self.closed then x = s:narrow(2, self.size - self.n_in + 1, self.n_in):unsqueeze(2)
  elseif x:size(1) ~= batch then x = x:expand(batch, 1, self.n_in):contiguous() end
  local states, y = self:run(s, x)
  if not self.closed then return states end
  return core.cat({ states, y:dim() == 3 and y:squeeze(2) or y }, 2)
end

-- F(s, x), a constant.
function System:step(s, x)
  local out
  core.no_grad(function() out = self:apply(s, x) end)
  return out:detach():contiguous()
end

local rows_at_once = 4096

-- d F / d s, (batch, n, n): rows are what F gives. One backward pass for all rows of all states: each state stands n
-- times in a batch, and the k-th copy asks for the gradient of F's k-th feature.
function System:jacobian(s, x)
  local n, batch, parts = self.size, s:size(1), {}
  local chunk = math.max(1, rows_at_once // n)
  for first = 1, batch, chunk do
    local count = math.min(chunk, batch - first + 1)
    local some = s:narrow(1, first, count):unsqueeze(2):expand(count, n, n):contiguous():view(count * n, n)
    local leaf = some:clone():requires_grad_(true)
    local ask = core.eye(n, n, "float64"):unsqueeze(1):expand(count, n, n):contiguous():view(count * n, n)
    local out = self:apply(leaf, x);
    (out * ask):sum():backward()
    parts[#parts + 1] = leaf:grad():clone():view(count, n, n)
  end
  return #parts > 1 and core.cat(parts, 1) or parts[1]
end

-- F(s, x) of one state (1, n), and J v of each row of vectors (k, n), in forward mode.
function System:tangents(s, x, vectors)
  local k = vectors:size(1)
  local leaf = s:expand(k, self.size):contiguous():clone():requires_grad_(true)
  local out = self:apply(leaf, x)
  local moved = core.jvp({ out }, { leaf }, { vectors })[1]
  return out:detach():narrow(1, 1, 1):contiguous(), moved
end

-- ---- what users give ----------------------------------------------------------------------------

-- A constant input, (1, 1, inputs); zero where none is given.
function System:input(given)
  if self.closed then
    if given ~= nil then error(("%s: closed_loop takes no input; its outputs are fed back"):format(self.what), 0) end
    return nil
  end
  if given == nil then return core.zeros(1, 1, self.n_in, "float64") end
  if type(given) == "number" then given = { given } end
  local tensor = core.tensor(given, "float64"):double()
  if tensor:numel() ~= self.n_in then
    error(("%s: input is %s; the network takes %s"):format(self.what, text.shape(tensor:size()),
      text.count(self.n_in, "feature")), 0)
  end
  return tensor:contiguous():view(1, 1, self.n_in)
end

-- A sequence of inputs, (1, time, inputs).
function System:sequence(given)
  local tensor = core.tensor(given, "float64"):double()
  if tensor:dim() == 2 then tensor = tensor:unsqueeze(1) end
  local sizes = tensor:size()
  if self.closed then error(("%s: closed_loop takes no x; its outputs are fed back"):format(self.what), 0) end
  if #sizes ~= 3 or sizes[1] ~= 1 or sizes[3] ~= self.n_in then
    error(("%s: x is %s; expected (time, %d)"):format(self.what, text.shape(sizes), self.n_in), 0)
  end
  return tensor
end

-- A state: (n), or a table of the states by name.
function System:state(given)
  if type(given) == "table" and given[1] == nil then
    local parts = {}
    for i, state in ipairs(self.states) do
      if given[state.label] == nil then error(("%s: state '%s' is missing"):format(self.what, state.label), 0) end
      parts[i] = core.tensor(given[state.label], "float64"):double():view(-1)
    end
    given = core.cat(parts, 1)
  end
  local tensor = core.tensor(given, "float64"):double()
  if tensor:dim() ~= 1 or tensor:numel() ~= self.size then
    error(("%s: a state is %s; expected (%d)%s"):format(self.what, text.shape(tensor:size()), self.size,
      #self.states > 1 and (", %s side by side"):format(self:names()) or ""), 0)
  end
  return tensor
end

-- "h and c"
function System:names()
  local labels = {}
  for i, state in ipairs(self.states) do
    labels[i] = state.label
  end
  return text.list(labels)
end

-- A state taken apart: name -> (size).
function System:split(s)
  local parts = {}
  for _, state in ipairs(self.states) do
    parts[state.label] = s:narrow(1, state.from, state.size):clone()
  end
  return parts
end

-- All states visited on data (batch, time, inputs), (batch * time, n).
function System:visited(given)
  local x = core.tensor(given, "float64"):double()
  if x:dim() ~= 3 or x:size(3) ~= self.n_in then
    error(("%s: from is %s; expected (batch, time, %d)"):format(self.what, text.shape(x:size()), self.n_in), 0)
  end
  local y
  do
    local _ <close> = context.enter { training = false, inspect = true }
    core.no_grad(function() y = self.model:forward(x) end)
  end
  local parts = {}
  for i, state in ipairs(self.states) do
    local seen = state.layer and state.layer.seen[state.name] or not state.layer and y
    parts[i] = seen:detach():contiguous():view(-1, state.size)
  end
  return #parts > 1 and core.cat(parts, 2) or parts[1]
end

-- States to start from, (K, n): given as they are; or K of those visited on data; or K drawn from (-1, 1).
function System:starts(given, from, noise, seed)
  local rng = core.rng(params.integer(seed, self.what .. ": seed", 0), "data")
  local s
  if type(given) == "number" then
    local count = params.integer(given, self.what .. ": starts", 1)
    if from ~= nil then
      local all = self:visited(from)
      local order = rng:permutation(all:size(1))
      s = all:index(1, table.move(order, 1, math.min(count, #order), 1, {}))
    else
      s = rng:uniform(count, self.size):double() * 2 - 1
    end
  else
    s = core.tensor(given, "float64"):double():clone()
    if s:dim() ~= 2 or s:size(2) ~= self.size then
      error(("%s: starts are %s; expected (starts, %d)%s"):format(self.what, text.shape(s:size()), self.size,
        #self.states > 1 and (", %s side by side"):format(self:names()) or ""), 0)
    end
  end
  if type(noise) ~= "number" or not (noise >= 0) then
    error(("%s: noise must be a number of at least 0, not %s"):format(self.what, tostring(noise)), 0)
  end
  if noise > 0 then s = s + noise * rng:normal(s:size(1), self.size):double() end
  return s:contiguous()
end

return system
