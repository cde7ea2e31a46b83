-- rnnlab.report.plain owns text from outside (names, notes, errors, a script's captions) before a writer escapes it:
-- valid UTF-8, no control characters, nothing that turns the direction of what stands beside it.
local plain = {}

local REPLACEMENT = "\u{FFFD}"

-- Characters that change how others are laid out: shown by their number.
local function is_direction(code)
  return code >= 0x202A and code <= 0x202E or code >= 0x2066 and code <= 0x2069 or code == 0x200E or code == 0x200F
    or code == 0x061C
end

-- Bytes that are no UTF-8 become U+FFFD, one each.
local function valid(s)
  if utf8.len(s) then return s end
  local parts, at = {}, 1
  while at <= #s do
    local n, bad = utf8.len(s, at)
    if n then
      parts[#parts + 1] = s:sub(at)
      break
    end
    parts[#parts + 1] = s:sub(at, bad - 1)
    parts[#parts + 1] = REPLACEMENT
    at = bad + 1
  end
  return table.concat(parts)
end

-- Several lines: newlines and tabs stay.
function plain.block(value)
  local s = valid(tostring(value)):gsub("\r\n?", "\n")
  if s:find "[\0-\8\11-\31\127]" then
    s = s:gsub("[\0-\8\11-\31\127]", function(c) return utf8.char(c == "\127" and 0x2421 or 0x2400 + c:byte()) end)
  end
  if s:find "[\x80-\xFF]" then
    s = s:gsub("[\xC2\xD8\xE2\xEF][\x80-\xBF]+", function(c)
      local code = utf8.codepoint(c)
      if is_direction(code) then return ("U+%04X"):format(code) end
      if code >= 0x80 and code < 0xA0 or code == 0xFEFF or code == 0xFFFE or code == 0xFFFF then return REPLACEMENT end
    end)
  end
  return s
end

-- One line.
function plain.line(value)
  return (plain.block(value):gsub("%s*[\n\t]+%s*", " "):gsub("\u{2028}", " "):gsub("\u{2029}", " "))
end

-- At most so many characters, and how many there were.
function plain.clip(s, most)
  local n = utf8.len(s)
  if n <= most then return s end
  return ("%s … (%d characters)"):format(s:sub(1, utf8.offset(s, most + 1) - 1), n)
end

-- f(code) for each character that is not ASCII; the rest through `ascii`.
function plain.map(s, ascii, f)
  s = ascii(s)
  if not s:find "[\x80-\xFF]" then return s end
  return (s:gsub("[\xC2-\xF4][\x80-\xBF]+", function(c) return f(utf8.codepoint(c), c) end))
end

-- A word for file names and ids.
function plain.slug(value)
  local s = tostring(value):lower():gsub("[^%w]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  s = s:sub(1, 60)
  return s == "" and "x" or s
end

return plain
