-- rnnlab.ordered owns pairs and next with a fixed order: numbers ascending, then strings sorted, then
-- false and true. Plain Lua's order differs from process to process, and with it a run's bits.
local ordered = {}

local rank = { number = 1, string = 2, boolean = 3 }

local function less(a, b)
  local kind = type(a)
  if kind ~= type(b) then return rank[kind] < rank[type(b)] end
  if kind == "boolean" then return not a and b end
  return a < b
end

-- The keys of t in order. Keys without an order of their own (tables, functions, tensors) come last; two
-- or more of them raise, since only their addresses could order them.
local function keys_of(t)
  local keys, n, length = {}, 0, rawlen(t)
  local sequence = true
  local object
  for key in next, t do
    if rank[type(key)] then
      n = n + 1
      keys[n] = key
      sequence = sequence and math.type(key) == "integer" and key >= 1 and key <= length
    else
      if object ~= nil then
        error("pairs: keys that are a table, a function or a tensor have no fixed order; use a list", 3)
      end
      object = key
    end
  end
  if sequence and n == length then
    for i = 1, n do
      keys[i] = i
    end
  else
    table.sort(keys, less)
  end
  if object ~= nil then
    keys[n + 1] = object
  end
  return keys
end

-- pairs(t) as in Lua, __pairs included; entries may be changed or removed on the way.
function ordered.pairs(t)
  local meta = debug.getmetatable(t) -- also of tables that hide theirs
  if type(meta) == "table" and rawget(meta, "__pairs") ~= nil or type(t) ~= "table" then
    return pairs(t)
  end
  local keys, i = keys_of(t), 0
  return function()
    while true do
      i = i + 1
      local key = keys[i]
      if key == nil then return nil end
      local value = rawget(t, key)
      if value ~= nil then return key, value end
    end
  end, t, nil
end

-- Where next(t, key) stands in each table that is being walked by hand.
local walks = setmetatable({}, { __mode = "k" })

-- next(t, key) in the same order. Walking from key to key costs no more than pairs.
function ordered.next(t, key)
  if key == nil then
    if next(t) == nil then return nil end
    walks[t] = { keys = keys_of(t), at = 0 }
  end
  local walk = walks[t]
  if not walk then
    walk = { keys = keys_of(t), at = 0 }
    walks[t] = walk
  end
  if key ~= nil and walk.keys[walk.at] ~= key then
    walk.at = 0
    for i, candidate in ipairs(walk.keys) do
      if candidate == key then walk.at = i break end
    end
    if walk.at == 0 then error("next: no such key", 2) end
  end
  while true do
    walk.at = walk.at + 1
    local found = walk.keys[walk.at]
    if found == nil then
      walks[t] = nil
      return nil
    end
    local value = rawget(t, found)
    if value ~= nil then return found, value end
  end
end

return ordered
