-- rnnlab.text owns how numbers, durations and tables are written for a person, and "did you mean".
local text = {}

-- Columns a terminal shows for a string (UTF-8: characters, not bytes).
function text.width(s)
  return utf8.len(s) or #s
end

-- Words with blanks between them on a line of so many columns. Where they do not fit, words[less[1]] is left out, then
-- words[less[2]] and so on, and what is still too long is cut.
function text.fitting(words, less, columns)
  local left_out = {}
  for step = 0, #less do
    if step > 0 then left_out[less[step]] = true end
    local kept = {}
    for i, word in ipairs(words) do
      if not left_out[i] then kept[#kept + 1] = word end
    end
    local said = table.concat(kept, "   ")
    if text.width(said) <= columns then return said end
    if step == #less then return said:sub(1, utf8.offset(said, columns + 1) - 1) end
  end
end

-- Blanks in front, up to so many columns.
function text.pad_left(s, width)
  return (" "):rep(width - text.width(s)) .. s
end

-- Blanks behind, up to so many columns.
function text.pad_right(s, width)
  return s .. (" "):rep(width - text.width(s))
end

-- A number with a fixed count of decimals; never "-0.00".
function text.fixed(value, decimals)
  local s = ("%." .. decimals .. "f"):format(value)
  if s:find "^%-[0.]*$" then
    s = s:sub(2)
  end
  return s
end

-- About `digits` significant digits, without an exponent where a person would not write one:
-- 0.0312, 12.3, 1234, 2.1e-07.
function text.significant(value, digits)
  digits = digits or 4
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" end
  if value == -math.huge then return "-inf" end
  if value == 0 then return "0" end
  local size = math.abs(tonumber(("%%.%de"):format(digits - 1):format(value)))
  if size < 1e-4 or size >= 1e9 then
    return (("%." .. (digits - 1) .. "e"):format(value):gsub("e([+-])0*(%d+)$", function(sign, exponent)
      return "e" .. (sign == "-" and "-" or "") .. exponent
    end))
  end
  local decimals = math.max(0, digits - 1 - math.floor(math.log(size, 10) + 1e-12))
  return ("%." .. decimals .. "f"):format(value)
end

-- A value as it was typed: 0.01, 5, true, elman. Numbers in the fewest digits that read back the same.
function text.value(value)
  if math.type(value) == "float" then
    if value == math.floor(value) and math.abs(value) < 1e15 then
      return ("%d"):format(value)
    end
    for digits = 1, 17 do
      local s = ("%." .. digits .. "g"):format(value)
      if tonumber(s) == value then
        return (s:gsub("e([+-])0*(%d)", "e%1%2"):gsub("e%+", "e"))
      end
    end
  end
  return tostring(value)
end

-- 12345 -> "12,345"
function text.thousands(n)
  local s = ("%d"):format(n)
  local sign, digits = s:match "^(%-?)(%d+)$"
  digits = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return sign .. digits
end

-- Seconds for a person: "85 ms", "1.42 s", "3 min 05 s", "2 h 10 min".
function text.duration(seconds)
  if seconds < 0.0995 then return ("%.3g ms"):format(seconds * 1e3) end
  if seconds < 99.5 then return text.significant(seconds, 3) .. " s" end
  local whole = math.floor(seconds + 0.5)
  if whole < 3600 then return ("%d min %02d s"):format(whole // 60, whole % 60) end
  return ("%d h %02d min"):format(whole // 3600, whole % 3600 // 60)
end

-- What is left of something, in whole seconds: "12 s left", "3 min 05 s left".
function text.left(seconds)
  return (seconds < 99 and ("%d s"):format(math.ceil(seconds)) or text.duration(seconds)) .. " left"
end

-- Seconds since 1970 of "2026-11-23T08:51:19.123456Z", as run.json has times; NaN where it is none.
function text.moment(iso)
  local y, m, d, hours, minutes, seconds = tostring(iso):match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):([%d.]+)Z$"
  if not y then return 0 / 0 end
  local shift = (14 - tonumber(m)) // 12 -- years begin in March
  local year, month = tonumber(y) - shift, tonumber(m) + 12 * shift - 3
  local day = tonumber(d) + (153 * month + 2) // 5 + 365 * year + year // 4 - year // 100 + year // 400 - 719469
  return ((day * 24 + tonumber(hours)) * 60 + tonumber(minutes)) * 60 + tonumber(seconds)
end

-- Such a time for a person, "2026-11-23 09:51", where the clock on the wall shows it; nil where it is none.
function text.local_time(iso)
  local seconds = text.moment(iso)
  return seconds == seconds and os.date("%Y-%m-%d %H:%M", math.floor(seconds)) or nil
end

-- "1 epoch", "2 epochs"
function text.count(n, noun, plural)
  return ("%s %s"):format(text.thousands(n), n == 1 and noun or plural or noun .. "s")
end

-- "(8, 100, 3)" from a list of sizes.
function text.shape(sizes)
  local parts = {}
  for i, size in ipairs(sizes) do
    parts[i] = ("%d"):format(size)
  end
  return "(" .. table.concat(parts, ", ") .. ")"
end

-- "a, b and c"
function text.list(words, last)
  if #words <= 1 then return words[1] or "" end
  return table.concat(words, ", ", 1, #words - 1) .. " " .. (last or "and") .. " " .. words[#words]
end

-- The keys of a table, sorted as text.
function text.sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- One line without control bytes, for messages and titles.
function text.one_line(s)
  return (s:gsub("%s*[\r\n]+%s*", " "):gsub("%c", "?"))
end

-- Edits (insert, delete, replace, swap of neighbours) from one word to the other.
function text.distance(a, b)
  local before, previous = {}, {}
  for j = 0, #b do
    previous[j] = j
  end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local best = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      current[j] = best
    end
    before, previous = previous, current
  end
  return previous[#b]
end

-- The known word nearest to `word`, or nil where none is near.
function text.nearest(word, known)
  local best, nearest
  for _, candidate in ipairs(known) do
    local distance = text.distance(word:lower(), candidate:lower())
    local near = distance <= math.max(1, math.min(#word, #candidate) // 3)
      or (#word >= 3 and candidate:sub(1, #word) == word)
    if near and (not best or distance < best) then
      best, nearest = distance, candidate
    end
  end
  return nearest
end

-- "; did you mean 'hidden'?" or "" where nothing is near.
function text.did_you_mean(word, known)
  local nearest = text.nearest(word, known)
  return nearest and ("; did you mean '%s'?"):format(nearest) or ""
end

-- Rows of strings as aligned lines. align[i] is "left" or "right" (default). Returns a list of lines.
function text.table(rows, align, gap)
  align, gap = align or {}, gap or "  "
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, text.width(cell))
    end
  end
  for number, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = (align[i] == "left" and text.pad_right or text.pad_left)(cell, widths[i])
    end
    lines[number] = (table.concat(cells, gap):gsub("%s+$", ""))
  end
  return lines
end

return text
