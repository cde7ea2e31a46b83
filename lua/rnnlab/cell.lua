-- rnnlab.cell owns cells written in Lua:
--
--     local mgu = r.cell {
--       weights = function(n, h) return { U = {n, h}, W = {h, h}, b = {h}, Uf = {n, h}, Wf = {h, h}, bf = {h} } end,
--       step = function(w, x, h)
--         local f = r.sigmoid(x:mm(w.Uf) + h:mm(w.Wf) + w.bf)
--         return (1 - f) * h + f * r.tanh(x:mm(w.U) + (f * h):mm(w.W) + w.b)
--       end }
--
-- `step` is run once, on stand-ins for one step of two sequences, and becomes a program that C runs over all steps,
-- forward and back. It gets the weights, the input (batch, n) and the states (batch, size) and gives the states' new
-- values, the first being the cell's output. `states = {"h", "c"}` names several, of h features each, or `states =
-- function(n, h) return { h = h, c = 2*h } end` sizes them (then in the order of their names). It cannot branch on a
-- value.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local cell = {}

local Cell = {}
Cell.__index = Cell

local known = { name = true, weights = true, step = true, states = true, init = true }

-- r.cell{ weights =, step =, states =?, init =?, name =? }
function cell.new(spec)
  if type(spec) ~= "table" then error(("r.cell takes a table, not a %s"):format(type(spec)), 0) end
  for _, key in ipairs(text.sorted_keys(spec)) do
    if not known[key] then
      error(("a cell has no '%s'%s (known: %s)"):format(tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(known)), table.concat(text.sorted_keys(known), ", ")), 0)
    end
  end
  for _, key in ipairs { "weights", "step" } do
    if type(spec[key]) ~= "function" then
      error(("a cell needs the function %s, not a %s"):format(key, type(spec[key])), 0)
    end
  end
  local states = type(spec.states)
  if states ~= "nil" and states ~= "table" and states ~= "function" then
    error("a cell's states are a list of names or a function(n, h) that gives their sizes", 0)
  end
  return setmetatable({ name = spec.name or "cell", spec = spec, programs = {} }, Cell)
end

local function state_list(spec, n, h)
  if spec.states == nil then return { { "h", { h } } } end
  local list = {}
  if type(spec.states) == "table" then
    for i, name in ipairs(spec.states) do
      list[i] = { name, { h } }
    end
    return list
  end
  local sizes = spec.states(n, h)
  for i, name in ipairs(text.sorted_keys(sizes)) do
    local size = sizes[name]
    list[i] = { name, type(size) == "table" and size or { size } }
  end
  return list
end

local function weight_list(spec, n, h)
  local sizes = spec.weights(n, h)
  if type(sizes) ~= "table" then error(("a cell's weights(n, h) gave a %s, not a table"):format(type(sizes)), 0) end
  local list = {}
  for i, name in ipairs(text.sorted_keys(sizes)) do
    if type(name) ~= "string" or type(sizes[name]) ~= "table" then
      error("a cell's weights(n, h) must give { name = {rows, columns} or {size}, ... }", 0)
    end
    list[i] = { name, sizes[name] }
  end
  return list
end

-- The program for n inputs and h hidden units; traced once for each pair.
function Cell:program(n, h)
  local key = n .. "x" .. h
  if not self.programs[key] then
    self.programs[key] = core.trace(self.spec.step, { name = self.name, input = n, states = state_list(self.spec, n, h),
      weights = weight_list(self.spec, n, h) })
  end
  return self.programs[key]
end

-- How a weight begins, where the cell says: init = { W = "orthogonal" }.
function Cell:init_of(name)
  return self.spec.init and self.spec.init[name]
end

return cell
