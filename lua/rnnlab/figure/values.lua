-- rnnlab.figure.values owns what a figure is drawn from: tensors and lists read as vectors and matrices, with errors
-- that name both shapes, and the small statistics figures need.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local values = {}

-- Raise; the runner puts the script's line before it.
function values.fail(format, ...)
  error(format:format(...), 0)
end
local fail = values.fail

local function is_tensor(value)
  return core.is_tensor(value)
end

-- "a list of 3 numbers", "a tensor (3, 4)", "nil": for messages.
function values.describe(value)
  if is_tensor(value) then return "a tensor " .. text.shape(value:size()) end
  if type(value) == "table" then return ("a list of %d"):format(#value) end
  if value == nil then return "nil" end
  if type(value) == "string" then return ("the text '%s'"):format(text.one_line(value:sub(1, 40))) end
  return "a " .. type(value)
end

-- A vector as the engine draws it (a tensor of one dimension, a list of numbers, or packed float64), and its length.
-- Dimensions of size 1 are passed over.
function values.vector(value, what)
  if is_tensor(value) then
    local long = 0
    for _, size in ipairs(value:size()) do
      if size ~= 1 then long = long + 1 end
    end
    if long > 1 then
      fail("%s: a tensor of shape %s; one dimension is expected (x[{{},1}] takes a column)", what,
        text.shape(value:size()))
    end
    return value, value:numel()
  elseif type(value) == "table" then
    for i = 1, #value do
      if type(value[i]) ~= "number" then
        fail("%s: entry %d is %s; numbers are expected", what, i, values.describe(value[i]))
      end
    end
    return value, #value
  elseif type(value) == "string" and #value % 8 == 0 and #value > 0 and value:find "[%z\1-\8\128-\255]" then
    return value, #value // 8
  end
  fail("%s: a tensor or a list of numbers is expected, not %s", what, values.describe(value))
end

-- Whatever vector() takes, as a list of floats.
function values.list(value, what)
  local vector, n = values.vector(value, what)
  if is_tensor(vector) then
    local flat = vector:contiguous():view(n):tolist()
    return flat, n
  elseif type(vector) == "string" then
    local list = {}
    for i = 1, n do
      list[i] = string.unpack("d", vector, 8 * i - 7)
    end
    return list, n
  end
  return vector, n
end

-- A matrix as a flat row-major list, its rows and its columns.
function values.matrix(value, what)
  if is_tensor(value) then
    local sizes = {}
    for _, size in ipairs(value:size()) do
      if size ~= 1 or #value:size() <= 2 then sizes[#sizes + 1] = size end
    end
    if #sizes ~= 2 then
      fail("%s: a tensor of shape %s; two dimensions are expected", what, text.shape(value:size()))
    end
    return value:contiguous():view(value:numel()):tolist(), sizes[1], sizes[2]
  elseif type(value) ~= "table" or #value == 0 then
    fail("%s: a tensor of two dimensions or a list of rows is expected, not %s", what, values.describe(value))
  end
  local flat, columns = {}, nil
  for r, row in ipairs(value) do
    local list, n = values.list(row, ("%s, row %d"):format(what, r))
    columns = columns or n
    if n ~= columns then
      fail("%s: row %d has %d values, but row 1 has %d", what, r, n, columns)
    end
    for c = 1, n do
      flat[#flat + 1] = list[c]
    end
  end
  return flat, #value, columns
end

-- Raise unless two vectors are as long.
function values.same_length(what, name_a, a, name_b, b)
  if a ~= b then
    fail("%s: %s has shape (%d) and %s has shape (%d); they must be as long", what, name_a, a, name_b, b)
  end
end

-- A number a person may have given, or raise.
function values.number(value, what)
  if type(value) ~= "number" or value ~= value then
    fail("%s: a number is expected, not %s", what, values.describe(value))
  end
  return value
end

-- Is it neither nan nor infinite?
function values.finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end

-- The finite values, sorted.
function values.sorted(list)
  local kept = {}
  for _, value in ipairs(list) do
    if values.finite(value) then kept[#kept + 1] = value end
  end
  table.sort(kept)
  return kept
end

-- The q-quantile of sorted values, between its neighbours in proportion (Hyndman and Fan's type 7).
function values.quantile(sorted, q)
  local at = (#sorted - 1) * q + 1
  local low = math.floor(at)
  if low >= #sorted then return sorted[#sorted] end
  return sorted[low] + (at - low) * (sorted[low + 1] - sorted[low])
end

-- Mean and (sample) standard deviation of a list; nil without a finite value.
function values.mean(list)
  local n, sum = 0, 0
  for _, value in ipairs(list) do
    if values.finite(value) then n, sum = n + 1, sum + value end
  end
  if n == 0 then return nil end
  local mean, squares = sum / n, 0
  for _, value in ipairs(list) do
    if values.finite(value) then squares = squares + (value - mean) ^ 2 end
  end
  return mean, n > 1 and math.sqrt(squares / (n - 1)) or 0, n
end

-- Least and greatest finite value; nil where there is none.
function values.range(list)
  local low, high
  for _, value in ipairs(list) do
    if values.finite(value) then
      low = math.min(low or value, value)
      high = math.max(high or value, value)
    end
  end
  return low, high
end

-- Round steps in [low, high]: 1, 2 or 5 times a power of ten, about `count` of them.
function values.ticks(low, high, count)
  local span = high - low
  if not (span > 0) then return { low } end
  local raw = span / math.max(1, count)
  local power = 10.0 ^ math.floor(math.log(raw, 10))
  local step = 10 * power
  for _, m in ipairs { 1, 2, 5 } do
    if m * power >= raw * (1 - 1e-9) then
      step = m * power
      break
    end
  end
  local list = {}
  for i = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) do
    list[#list + 1] = math.abs(i * step) < step / 2 and 0 or i * step
  end
  return list
end

-- A number as a tic says it: 0.1, −2, 1e−4.
function values.tic_text(value)
  return (("%.6g"):format(value):gsub("e([+-])0*(%d)", function(sign, digit)
    return "e" .. (sign == "-" and "−" or "") .. digit
  end):gsub("^%-", "−"))
end

return values
