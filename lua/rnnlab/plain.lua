-- rnnlab.plain owns plain data as text and back: what a script keeps in run.state. Numbers (to the bit, NaN and -0
-- included), strings of any bytes, booleans, tables of these (also shared ones and ones that hold themselves), tensors
-- and random streams. The text is printable ASCII, is parsed and never run, and is the same for the same data.
--
--   n t f              nil, true, false
--   i12; d<16 hex>;    an integer; a float, its IEEE 754 bits
--   s<text>;           a string; bytes that are no printable ASCII, '%' and ';' as %XX
--   {k v k v ...}      a table, its keys in the order of rnnlab.ordered; @N; the N-th table met before
--   T<n>;              tensor n of the list beside the text
--   R<seed>,<purpose>,<index>,<words>,<normal>;   a random stream; <normal> as d, or empty
local core = require "rnnlab.core"
local ordered = require "rnnlab.ordered"

local plain = {}

local deepest = 180 -- tables in tables; a parser for more would run out of C stack

local function float_text(value)
  return ("%016x"):format((string.unpack(">i8", string.pack(">d", value))))
end

local function text_of(s)
  return "s" .. s:gsub("[^ -$&-:<-~]", function(c) return ("%%%02X"):format(c:byte()) end) .. ";"
end

local Writer = {}
Writer.__index = Writer

local function refuse(path, value, why)
  error(("%s is %s; %s"):format(path, why or "a " .. type(value),
    "only numbers, strings, booleans, tables of these, tensors and random streams can be kept"), 0)
end

local function key_path(path, key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return path .. "." .. key end
  return ("%s[%s]"):format(path, type(key) == "string" and ("%q"):format(key) or tostring(key))
end

-- Tensors go to the list beside the text.
function Writer:tensor(value, path)
  if not self.tensors then refuse(path, value, "a tensor") end
  local n = self.known[value]
  if not n then
    n = #self.tensors + 1
    self.tensors[n] = value:detach()
    self.known[value] = n
  end
  self:put(("T%d;"):format(n))
end

-- A stream: what it is made from, and how far it was drawn.
function Writer:stream(value)
  local seed, purpose, index = value:stream()
  local words, normal = value:position()
  self:put(("R%d,%s,%d,%d,%s;"):format(seed, purpose, index, words, normal and float_text(normal) or ""))
end

-- Each table is written once; its number stands where it comes again.
function Writer:table(t, path, depth)
  if self.known[t] then return self:put(("@%d;"):format(self.known[t])) end
  if debug.getmetatable(t) ~= nil then refuse(path, t, "a table with a metatable") end
  if depth > deepest then refuse(path, t, ("more than %d tables deep"):format(deepest)) end
  self.tables = self.tables + 1
  self.known[t] = self.tables
  self:put "{"
  for key, value in ordered.pairs(t) do
    local kind = type(key)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      refuse(path .. "'s key", key)
    end
    self:value(key, path, depth)
    self:value(value, key_path(path, key), depth + 1)
  end
  self:put "}"
end

-- Append a piece of text.
function Writer:put(s)
  self[#self + 1] = s
end

-- Append a value; path: its name in messages.
function Writer:value(value, path, depth)
  local kind = math.type(value) or type(value)
  if kind == "nil" then self:put "n"
  elseif kind == "boolean" then self:put(value and "t" or "f")
  elseif kind == "integer" then self:put(("i%d;"):format(value))
  elseif kind == "float" then self:put(("d%s;"):format(float_text(value)))
  elseif kind == "string" then self:put(text_of(value))
  elseif kind == "table" then self:table(value, path, depth)
  elseif core.is_tensor(value) then self:tensor(value, path)
  elseif core.is_rng(value) then self:stream(value)
  else refuse(path, value) end
end

-- The text of a value. tensors: a list that the tensors met are added to (nil: none are allowed). what: the value's
-- name in messages. Raises one line for what cannot be kept.
function plain.encode(value, tensors, what)
  local writer = setmetatable({ tensors = tensors, known = {}, tables = 0 }, Writer)
  writer:value(value, what or "value", 1)
  return table.concat(writer)
end

-- ---- reading ------------------------------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

-- Raise.
function Reader:fail(what)
  error(("not the text of plain data: %s at byte %d"):format(what, self.at), 0)
end

-- Up to the next ';'.
function Reader:word()
  local stop = self.text:find(";", self.at, true) or self:fail "no end"
  local word = self.text:sub(self.at, stop - 1)
  self.at = stop + 1
  return word
end

local function float_of(reader, hex)
  if not hex:find "^%x+$" or #hex ~= 16 then reader:fail "a bad number" end
  return (string.unpack(">d", (hex:gsub("%x%x", function(b) return string.char(tonumber(b, 16)) end))))
end

local function whole_of(reader, word)
  return math.tointeger(tonumber(word)) or reader:fail "a bad whole number"
end

-- The rest of a random stream.
function Reader:stream()
  local seed, purpose, index, words, normal = self:word():match "^(-?%d+),(%a+),(%d+),(-?%d+),(%x*)$"
  if not seed then self:fail "a bad random stream" end
  local rng = core.rng(whole_of(self, seed), purpose, whole_of(self, index))
  return rng:seek(whole_of(self, words), normal ~= "" and float_of(self, normal) or nil)
end

-- The rest of a table.
function Reader:table(depth)
  if depth > deepest + 2 then self:fail "too many tables in tables" end
  local t = {}
  self.tables[#self.tables + 1] = t
  while self.text:byte(self.at) ~= 125 do -- }
    local key = self:value(depth + 1)
    if key == nil or key ~= key then self:fail "a bad key" end
    t[key] = self:value(depth + 1)
  end
  self.at = self.at + 1
  return t
end

-- The next value.
function Reader:value(depth)
  local kind = self.text:sub(self.at, self.at)
  self.at = self.at + 1
  if kind == "n" then return nil end
  if kind == "t" then return true end
  if kind == "f" then return false end
  if kind == "i" then return whole_of(self, self:word()) end
  if kind == "d" then return float_of(self, self:word()) end
  if kind == "s" then
    return (self:word():gsub("%%(%x%x)", function(b) return string.char(tonumber(b, 16)) end))
  end
  if kind == "{" then return self:table(depth) end
  if kind == "R" then return self:stream() end
  if kind == "@" then return self.tables[whole_of(self, self:word())] or self:fail "an unknown table" end
  if kind == "T" then return self.tensors[whole_of(self, self:word())] or self:fail "an unknown tensor" end
  self:fail "an unknown kind"
end

-- The value of a text. tensors: the list that belongs to it. Raises for what encode did not write.
function plain.decode(text, tensors)
  local reader = setmetatable({ text = text, at = 1, tables = {}, tensors = tensors or {} }, Reader)
  local value = reader:value(1)
  if reader.at ~= #text + 1 then reader:fail "more text" end
  return value
end

return plain
