-- rnnlab.params owns an experiment's parameters: their declared types, the reserved ones every script
-- has, and what key=value on the command line makes of them.
local errors = require "rnnlab.errors"
local text = require "rnnlab.text"

local params = {}

-- ---- declared types -----------------------------------------------------------------------------

local Type = {}
Type.__index = Type
Type.__name = "rnnlab.parameter"
Type.__metatable = false

local function is_type(value)
  return type(value) == "table" and getmetatable(value) == false and rawget(value, "kind") ~= nil
end

local function whole(value)
  return math.type(value) ~= nil and math.tointeger(value) or nil
end

-- What a script's author wrote is checked where it was written.
local function declare(condition, format, ...)
  if not condition then
    error(format:format(...), 0)
  end
end

-- r.real(default, low, high, "log"): a real number; the scale is for sweeps.
function params.real(default, low, high, scale)
  declare(type(default) == "number", "r.real: the default must be a number, not %s", type(default))
  declare(low == nil or type(low) == "number", "r.real: the lower end must be a number")
  declare(high == nil or type(high) == "number", "r.real: the upper end must be a number")
  declare(scale == nil or scale == "log" or scale == "linear", 'r.real: the scale must be "log" or "linear"')
  local t = setmetatable({ kind = "real", default = default, low = low, high = high, scale = scale }, Type)
  declare(t:within(default), "r.real: the default %s is outside %s", text.value(default), t:range())
  declare(scale ~= "log" or (low and low > 0), "r.real: a log scale needs a lower end above 0")
  return t
end

-- r.int(default, low, high, "log")
function params.int(default, low, high, scale)
  declare(whole(default), "r.int: the default must be a whole number, not %s", tostring(default))
  declare(low == nil or whole(low), "r.int: the lower end must be a whole number")
  declare(high == nil or whole(high), "r.int: the upper end must be a whole number")
  declare(scale == nil or scale == "log" or scale == "linear", 'r.int: the scale must be "log" or "linear"')
  local t = setmetatable({ kind = "int", default = whole(default), low = low and whole(low),
    high = high and whole(high), scale = scale }, Type)
  declare(t:within(t.default), "r.int: the default %s is outside %s", text.value(default), t:range())
  return t
end

-- r.choice{"elman", "jordan"}: the first is the default. r.choice{mgu = cell, lstm = "lstm"}: names that
-- stand for values, the default is the first in sorted order. A second argument names another default.
function params.choice(choices, default)
  declare(type(choices) == "table", "r.choice: a table of choices is expected, not %s", type(choices))
  local t = setmetatable({ kind = "choice", names = {}, values = {} }, Type)
  if #choices > 0 then
    for i, value in ipairs(choices) do
      local kind = type(value)
      declare(kind == "string" or kind == "number" or kind == "boolean",
        "r.choice: choice %d is a %s; give it a name: r.choice{name = value}", i, kind)
      t.names[i] = text.value(value)
      t.values[t.names[i]] = value
    end
  else
    for name, value in pairs(choices) do
      declare(type(name) == "string", "r.choice: a choice is named by a word, not by a %s", type(name))
      t.names[#t.names + 1] = name
      t.values[name] = value
    end
    table.sort(t.names)
  end
  declare(#t.names > 0, "r.choice: there is nothing to choose from")
  t.default = default == nil and t.names[1] or text.value(default)
  declare(t.values[t.default] ~= nil, "r.choice: the default %s is not among %s", t.default, t:range())
  return t
end

function params.bool(default)
  declare(default == nil or type(default) == "boolean", "r.bool: the default must be true or false")
  return setmetatable({ kind = "bool", default = default or false }, Type)
end

function params.text(default)
  declare(default == nil or type(default) == "string", "r.text: the default must be a string")
  return setmetatable({ kind = "text", default = default or "" }, Type)
end

-- r.int(8, 1, 64):when{ layers = 2 }: a sweep looks at it only where another parameter has this value, or one of
-- these.
function Type:when(on)
  declare(type(on) == "table", "when: a table such as { layers = 2 } is expected, not a %s", type(on))
  local t = setmetatable({}, Type)
  for key, value in pairs(self) do t[key] = value end
  t.on = on
  return t
end

-- A plain default declares its type; a plain number takes any number.
local function declared(name, value)
  if is_type(value) then return value end
  if type(value) == "number" then
    return setmetatable({ kind = "number", default = value }, Type)
  end
  if type(value) == "boolean" then return params.bool(value) end
  if type(value) == "string" then return params.text(value) end
  error(("parameter '%s' is a %s; give a number, a boolean, a string or one of r.real, r.int, r.choice, "
    .. "r.bool, r.text"):format(name, type(value)), 0)
end

-- Does a number lie in the declared range?
function Type:within(value)
  return (not self.low or value >= self.low) and (not self.high or value <= self.high)
end

-- What it takes, for messages: "a whole number from 1 to 64", "elman or jordan".
function Type:range()
  if self.kind == "choice" then return text.list(self.names, "or") end
  if self.kind == "bool" then return "true or false" end
  if self.kind == "text" then return "any text" end
  local noun = self.kind == "int" and "a whole number" or "a number"
  if self.low and self.high then
    return ("%s from %s to %s"):format(noun, text.value(self.low), text.value(self.high))
  elseif self.low then
    return ("%s, at least %s"):format(noun, text.value(self.low))
  elseif self.high then
    return ("%s, at most %s"):format(noun, text.value(self.high))
  end
  return noun
end

-- "1e-3" -> 0.001, "12" -> 12 (an integer); nil for anything but one decimal number.
local function to_number(word)
  if not (word:find "^[+-]?%d+%.?%d*[eE]?[+-]?%d*$" or word:find "^[+-]?%.%d+[eE]?[+-]?%d*$") then
    return nil
  end
  return tonumber((word:gsub("^%+", "")))
end

local truths = { ["true"] = true, yes = true, on = true, ["1"] = true,
                 ["false"] = false, no = false, off = false, ["0"] = false }

-- The value of key=word, as the type reads it: value, shown name. Wrong type or range: usage error.
function Type:parse(key, word)
  if self.kind == "text" then
    return word
  elseif self.kind == "bool" then
    local truth = truths[word:lower()]
    if truth == nil then errors.usage("%s=%s: %s must be true or false", key, word, key) end
    return truth
  elseif self.kind == "choice" then
    if self.values[word] == nil then
      errors.usage("%s=%s: %s must be %s%s", key, word, key, self:range(), text.did_you_mean(word, self.names))
    end
    return self.values[word], word
  end
  local value = to_number(word)
  if not value then
    errors.usage("%s=%s: %s must be %s", key, word, key, self:range())
  end
  if self.kind == "int" then
    value = whole(value)
    if not value then errors.usage("%s=%s: %s must be a whole number", key, word, key) end
  end
  if value ~= value or value == math.huge or value == -math.huge or not self:within(value) then
    errors.usage("%s=%s: %s must be %s", key, word, key, self:range())
  end
  return value
end

-- ---- the reserved ones --------------------------------------------------------------------------

local limit = 2 ^ 53 | 0 -- what JSON, SQLite and doubles all hold exactly
local reserved = {
  seed = setmetatable({ kind = "int", default = 1, low = 0, high = limit }, Type),
  data_seed = setmetatable({ kind = "int", low = 0, high = limit }, Type), -- follows seed
  dtype = setmetatable({ kind = "choice", default = "float32", names = { "float32", "float64" },
    values = { float32 = "float32", float64 = "float64" } }, Type),
  threads = setmetatable({ kind = "int", default = 1, low = 1, high = 4096 }, Type),
  show = setmetatable({ kind = "int", default = 1, low = 1 }, Type), -- the sequence that is drawn
}
params.reserved_names = { "seed", "data_seed", "dtype", "threads", "show" }

-- {"lr=0.01", ...} -> list of { key =, word = }
function params.split(overrides)
  local pairs_ = {}
  for _, override in ipairs(overrides or {}) do
    local key, word = override:match "^([%a_][%w_]*)=(.*)$"
    if not key then
      errors.usage("'%s' is not key=value", text.one_line(override))
    end
    pairs_[#pairs_ + 1] = { key = key, word = word }
  end
  return pairs_
end

-- What the reserved parameters are, known before the script is read: { seed =, data_seed =, ... }.
function params.reserved(overrides)
  local values = {}
  for _, pair in ipairs(params.split(overrides)) do
    local kind = reserved[pair.key]
    if kind then
      values[pair.key] = kind:parse(pair.key, pair.word)
    end
  end
  for name, kind in pairs(reserved) do
    if values[name] == nil then values[name] = kind.default end
  end
  values.data_seed = values.data_seed or values.seed
  return values
end

-- ---- an experiment's own ------------------------------------------------------------------------

-- Put the names in the order the script shows them, where every one is found as "name =" behind "params"; else they
-- stay sorted. Only for printing.
function params.order(set, script)
  local names, at = set.names, {}
  local from = script:find "params%s*=%s*{"
  if not from then return end
  for _, name in ipairs(names) do
    at[name] = script:find("%f[%w_]" .. name .. "%s*=[^=]", from)
    if not at[name] then return end
  end
  table.sort(names, function(a, b) return at[a] < at[b] end)
end

-- { layers = 2 } or { layers = { 2, 3 } }, on which parameter `name` of a set depends -> { parent =, values = texts }.
-- where: what such a condition stands in, for messages.
function params.condition(set, name, on, where)
  declare(type(on) == "table", "%s: %s must be a table such as { layers = 2 }, not a %s", where, name, type(on))
  local parents = {}
  for key in pairs(on) do parents[#parents + 1] = key end
  local parent = parents[1]
  declare(#parents == 1 and type(parent) == "string", "%s: %s must depend on one parameter, as in { layers = 2 }%s",
    where, name, #parents > 1 and (", not on %d"):format(#parents) or "")
  local kind = set.types[parent] or parent == "dtype" and reserved.dtype
  declare(kind, "%s: %s depends on '%s', and there is no such parameter%s", where, name, parent,
    text.did_you_mean(parent, set.names))
  declare(parent ~= name, "%s: %s depends on itself", where, name)
  local values, texts = on[parent], {}
  if type(values) ~= "table" then values = { values } end
  for i, value in ipairs(values) do
    local takes, read, shown = pcall(kind.parse, kind, parent, text.value(value))
    declare(type(value) ~= "table" and takes, "%s: %s depends on %s=%s, but %s must be %s", where, name, parent,
      text.value(value), parent, kind:range())
    texts[i] = text.value(shown or read)
  end
  declare(#texts > 0, "%s: %s depends on %s: on which value of it?", where, name, parent)
  return { parent = parent, values = texts }
end

-- Check what a script declared: { name = default or type } -> { types =, names = (sorted), when = name -> condition }.
function params.declare(table_)
  local set = { types = {}, names = {}, when = {} }
  if table_ == nil then table_ = {} end
  declare(type(table_) == "table", "params must be a table, not a %s", type(table_))
  for name, value in pairs(table_) do
    declare(type(name) == "string" and name:find "^[%a_][%w_]*$",
      "params: '%s' is no name for a parameter (letters, digits and _)", tostring(name))
    declare(not reserved[name], "params: '%s' is reserved; every script has it", name)
    set.types[name] = declared(name, value)
    set.names[#set.names + 1] = name
  end
  table.sort(set.names)
  for _, name in ipairs(set.names) do
    local on = set.types[name].on
    if on then set.when[name] = params.condition(set, name, on, "params") end
  end
  return set
end

-- The values of one run. p: what data and model are given (reading an unknown name is an error);
-- shown: name -> scalar as recorded; order: names in the order to show.
function params.resolve(set, overrides)
  local p, shown, order = {}, {}, {}
  for _, name in ipairs(set.names) do
    local kind = set.types[name]
    order[#order + 1] = name
    if kind.kind == "choice" then
      p[name], shown[name] = kind.values[kind.default], kind.default
    else
      p[name], shown[name] = kind.default, kind.default
    end
  end
  local known = {}
  table.move(order, 1, #order, 1, known)
  table.move(params.reserved_names, 1, #params.reserved_names, #known + 1, known)
  for _, pair in ipairs(params.split(overrides)) do
    local kind = set.types[pair.key]
    if kind then
      local value, name = kind:parse(pair.key, pair.word)
      p[pair.key] = value
      if name then shown[pair.key] = name else shown[pair.key] = value end
    elseif not reserved[pair.key] then
      errors.usage("no parameter '%s'%s (known: %s)", pair.key, text.did_you_mean(pair.key, known),
        table.concat(known, ", "))
    end
  end
  for name, value in pairs(params.reserved(overrides)) do
    p[name], shown[name] = value, value
  end
  table.move(params.reserved_names, 1, #params.reserved_names, #order + 1, order)
  setmetatable(p, { __metatable = false, __index = function(_, name)
    error(("no parameter '%s'%s (known: %s)"):format(tostring(name),
      text.did_you_mean(tostring(name), known), table.concat(known, ", ")), 2)
  end })
  params.current = p
  return { p = p, shown = shown, order = order }
end

-- `value` as an integer where the engine needs one. `what` says of what ("hidden"); the message names the
-- parameter that has this value, where there is one: "hidden=2.5: hidden must be a whole number".
function params.integer(value, what, low)
  local n = type(value) == "number" and math.tointeger(value)
  if n and n >= low then return n end
  if type(value) == "number" and params.current then
    local found
    for _, name in ipairs(text.sorted_keys(params.current)) do
      if rawget(params.current, name) == value and (not found or what:find(name, 1, true)) then
        found = name
      end
    end
    if found then
      errors.usage("%s=%s: %s must be a whole number%s", found, text.value(value), found,
        n and (", at least %d"):format(low) or "")
    end
  end
  error(("%s must be a whole number, at least %d, not %s"):format(what, low,
    type(value) == "number" and text.value(value) or type(value)), 0)
end

return params
