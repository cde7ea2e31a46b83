-- rnnlab.report.numbers owns how a number, or a mean with its deviation, is written: the deviation with two significant
-- digits and the mean to the same place.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local numbers = {}

local function finite(x)
  return x ~= nil and x == x and x ~= math.huge and x ~= -math.huge
end
numbers.finite = finite

-- The exponent of x once it is rounded to so many significant digits: 0.0996 to two is 0.10, so -1.
local function exponent_of(x, digits)
  return math.tointeger(tonumber(("%%.%de"):format(digits - 1):format(math.abs(x)):match "e(.*)$")) or 0
end

local function rounded(x, decimals)
  if decimals >= 0 then return text.fixed(x, decimals) end
  local unit = 10 ^ -decimals
  return text.fixed(math.floor(x / unit + .5) * unit, 0)
end

local SMALL, LARGE = 1e-3, 1e5 -- outside, a power of ten is split off
local MOST_DIGITS = 12

--- { mean = "0.794", deviation = "0.012" or nil, exponent = integer or nil }. deviation: nil or 0 for none.
function numbers.parts(mean, deviation)
  if not finite(mean) then
    return { mean = mean ~= mean and "nan" or mean > 0 and "inf" or "-inf" }
  end
  if not finite(deviation) then deviation = nil end
  local size = math.max(math.abs(mean), deviation or 0)
  local whole = math.type(mean) == "integer" and not deviation
  local exponent
  if not whole and size > 0 and (size < SMALL or size >= LARGE) then
    exponent = exponent_of(size, 2)
    mean = mean / 10 ^ exponent
    deviation = deviation and deviation / 10 ^ exponent
  end
  if whole then return { mean = ("%d"):format(mean) } end
  if not deviation or deviation == 0 then
    local shown = text.value(exponent and tonumber(("%.4g"):format(mean)) or mean)
    if not exponent and (#shown > 6 or shown:find "e") then
      -- what is rounding alone (0.020000000000000004) is not written as if it were measured
      local short = tonumber(("%.4g"):format(mean))
      shown = math.abs(short - mean) <= 1e-12 * math.abs(mean) and text.value(short) or text.significant(mean, 4)
    end
    return { mean = shown, deviation = deviation and "0", exponent = exponent }
  end
  local decimals = math.min(1 - exponent_of(deviation, 2), MOST_DIGITS - 1 - exponent_of(mean == 0 and 1 or mean, 2))
  return { mean = rounded(mean, decimals), deviation = rounded(deviation, decimals), exponent = exponent }
end

--- The same as text: "0.794 ± 0.012", "(7.9 ± 1.2)e-7".
function numbers.plain(mean, deviation)
  local p = numbers.parts(mean, deviation)
  local s = p.deviation and p.mean .. " ± " .. p.deviation or p.mean
  if not p.exponent then return s end
  return (p.deviation and "(" .. s .. ")" or s) .. "e" .. p.exponent
end

--- Mean and deviation (n − 1) of those values that are finite, and how many these are: nil, nil, 0 of none; no
--- deviation of one.
function numbers.statistics(values)
  local n, sum = 0, 0
  for _, value in ipairs(values) do
    local x = core.json.number(value)
    if finite(x) then n, sum = n + 1, sum + x end
  end
  if n == 0 then return nil, nil, 0 end
  local mean, squares = sum / n, 0
  if n == 1 then return mean, nil, 1 end
  for _, value in ipairs(values) do
    local x = core.json.number(value)
    if finite(x) then squares = squares + (x - mean) ^ 2 end
  end
  return mean, math.sqrt(squares / (n - 1)), n
end

return numbers
