-- rnnlab.report.svg owns pictures inside a page: gnuplot's SVG read tag by tag, and only what draws let through. Ids
-- get a prefix of their own, style attributes become plain ones (the page's CSP allows no inline style), and nothing is
-- kept that could run, load or link.
local svg = {}

local elements = {}
for name in ([[svg g path text tspan rect circle ellipse line polyline polygon defs use clipPath linearGradient
  radialGradient stop pattern image filter feFlood feComposite mask symbol title desc]]):gmatch "%S+" do
  elements[name] = true
end
local dropped_whole = { script = true, style = true, foreignObject = true, title = true, desc = true, iframe = true }

local attributes = {}
for name in ([[x y x1 y1 x2 y2 cx cy r rx ry d points width height transform viewBox preserveAspectRatio dx dy rotate
  fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-dasharray
  stroke-dashoffset stroke-miterlimit color opacity font-family font-size font-style font-weight text-anchor
  dominant-baseline baseline-shift letter-spacing text-rendering textLength clip-path clip-rule clipPathUnits
  gradientUnits gradientTransform offset stop-color stop-opacity patternUnits patternTransform filter filterUnits mask
  flood-color flood-opacity in in2 result operator shape-rendering image-rendering display visibility
  white-space]]):gmatch "%S+" do
  attributes[name] = true
end

local function hex(r, g, b)
  return ("#%02x%02x%02x"):format(math.min(255, tonumber(r)), math.min(255, tonumber(g)), math.min(255, tonumber(b)))
end
local names = { black = "#000000", white = "#ffffff" }
local colours = { fill = true, stroke = true, color = true, ["stop-color"] = true, ["flood-color"] = true }

local function colour(value)
  local r, g, b = value:match "^%s*rgb%(%s*(%d+)%s*,%s*(%d+)%s*,%s*(%d+)%s*%)%s*$"
  if r then return hex(r, g, b) end
  local digits = value:match "^%s*(#%x%x%x%x%x%x)%s*$"
  return digits and digits:lower() or names[value] or value
end

-- Safe as the value of a quoted attribute; url(...) only to an id of this picture.
local function safe_value(value, prefix)
  if value:find("url", 1, true) then
    local id = value:match "^%s*url%(%s*['\"]?#([%w_.-]+)['\"]?%s*%)%s*$"
    return id and ("url(#%s%s)"):format(prefix, id) or nil
  end
  value = value:gsub("&(#?%w*);?", function(entity)
    local known = entity == "amp" or entity == "lt" or entity == "gt" or entity == "quot" or entity:find "^#%d+$"
      or entity:find "^#x%x+$"
    return known and "&" .. entity .. ";" or entity == "apos" and "&#39;" or "&amp;" .. entity
  end)
  return (value:gsub('"', "&quot;"):gsub("<", "&lt;"):gsub("%c", " "))
end

local function put(out, name, value, prefix)
  if colours[name] then value = colour(value) end
  local safe = safe_value(value, prefix)
  if safe then out[#out + 1] = (' %s="%s"'):format(name, safe) end
end

local function attribute(out, name, value, prefix)
  if name == "id" then
    local id = value:match "^[%w_.-]+$"
    if id then out[#out + 1] = (' id="%s%s"'):format(prefix, id) end
  elseif name == "xlink:href" or name == "href" then
    local id = value:match "^#([%w_.-]+)$"
    if id then
      out[#out + 1] = (' href="#%s%s"'):format(prefix, id)
    elseif value:find "^data:image/png;base64,[%w+/=%s]+$" then
      out[#out + 1] = (' href="%s"'):format((value:gsub("%s+", "")))
    end
  elseif name == "style" then
    for key, own in value:gmatch "([%w-]+)%s*:%s*([^;]+)" do
      if attributes[key] then put(out, key, own:gsub("%s+$", ""), prefix) end
    end
  elseif name == "xml:space" then
    if value == "preserve" then out[#out + 1] = ' xml:space="preserve"' end
  elseif attributes[name] then
    put(out, name, value, prefix)
  end
end

-- The attributes from `at`, as a list of { name, value }; where the tag ends, and whether it closes itself. Nil where
-- this is no well-formed tag.
local function read_attributes(s, at)
  local list = {}
  while true do
    local close, stop = s:match("^%s*(/?)>()", at)
    if stop then return list, stop, close == "/" end
    local name, quote, after = s:match("^%s+([%w:_.-]+)%s*=%s*([\"'])()", at)
    if not name then return nil end
    local finish = s:find(quote, after, true)
    if not finish then return nil end
    list[#list + 1] = { name, s:sub(after, finish - 1) }
    at = finish + 1
  end
end

-- Text between tags: its entities stay, a stray & becomes one.
local function text_of(s)
  return (s:gsub("&(#?%w*)(;?)", function(entity, semicolon)
    if semicolon == ";" and (entity:find "^#%d+$" or entity:find "^#x%x+$" or entity == "amp" or entity == "lt"
      or entity == "gt" or entity == "quot") then
      return "&" .. entity .. ";"
    end
    if entity == "apos" and semicolon == ";" then return "&#39;" end
    return "&amp;" .. entity .. semicolon
  end):gsub("[\0-\8\11\12\14-\31]", ""):gsub(">", "&gt;"))
end

local function skip_element(s, at, name)
  local depth = 1
  while depth > 0 do
    local from, slash, found, after = s:match("()<(/?)([%w:_-]+)()", at)
    if not from then return nil end
    local _, stop, closed = read_attributes(s, after)
    if not stop then return nil end
    if found == name and not closed then depth = depth + (slash == "/" and -1 or 1) end
    at = stop
  end
  return at
end

-- The first rectangle over the whole picture is its paper: the page has its own.
local function is_paper(list, box)
  local by = {}
  for _, pair in ipairs(list) do
    by[pair[1]] = pair[2]
  end
  return by.fill and colour(by.fill) == "#ffffff" and by.x == "0" and by.y == "0"
    and box == ("0 0 %s %s"):format(by.width, by.height)
end

--- An SVG file's text as an element for a page, its ids beginning with `prefix`; nil where it is not well-formed.
--- Also its width and height.
function svg.inline(s, prefix, label)
  local out, open = {}, {}
  local at = s:find "<svg%f[%s>]"
  if not at then return nil end
  local box, seen_paper
  while at <= #s do
    local from = s:find("<", at, true)
    if not from then break end
    if from > at and #open > 0 and s:find("%S", at) and s:find("%S", at) < from then
      out[#out + 1] = text_of(s:sub(at, from - 1))
    end
    if s:sub(from, from + 3) == "<!--" then
      local _, stop = s:find("-->", from, true)
      if not stop then return nil end
      at = stop + 1
    elseif s:find("^<[!?]", from) then
      return nil -- a doctype or CDATA inside: not gnuplot's
    else
      local slash, name, after = s:match("^<(/?)([%w:_-]+)()", from)
      if not name then return nil end
      local list, stop, closed = read_attributes(s, after)
      if not list then return nil end
      at = stop
      if slash == "/" then
        local top = table.remove(open)
        if not top or top.name ~= name then return nil end
        if top.kept then out[#out + 1] = ("</%s>"):format(name) end
        if #open == 0 then break end
      elseif dropped_whole[name] then
        if not closed then at = skip_element(s, at, name) end
        if not at then return nil end
      else
        local kept = elements[name] == true
        if #open == 0 then
          for _, pair in ipairs(list) do
            if pair[1] == "viewBox" and pair[2]:find "^[%d.%s-]+$" then box = pair[2] end
          end
          if not box then return nil end
          out[#out + 1] = ('<svg viewBox="%s" role="img" aria-label="%s">'):format(box, label)
        elseif kept and name == "rect" and not seen_paper and is_paper(list, box) then
          seen_paper, kept = true, false
        elseif kept then
          out[#out + 1] = "<" .. name
          for _, pair in ipairs(list) do
            attribute(out, pair[1], pair[2], prefix)
          end
          out[#out + 1] = closed and "/>" or ">"
        end
        if not closed then open[#open + 1] = { name = name, kept = kept } end
        if closed and #open == 0 then return nil end
      end
    end
  end
  if #open > 0 then return nil end
  local width, height = box:match "^%S+%s+%S+%s+(%S+)%s+(%S+)"
  return table.concat(out), tonumber(width), tonumber(height)
end

-- ---- base64 -----------------------------------------------------------------------------------------

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local pairs_of = {} -- twelve bits as two characters
for i = 0, 4095 do
  local a, b = i >> 6, i & 63
  pairs_of[i] = digits:sub(a + 1, a + 1) .. digits:sub(b + 1, b + 1)
end

--- Bytes as base64.
function svg.base64(bytes)
  local out, n, whole = {}, 0, #bytes - #bytes % 3
  for i = 1, whole, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    n = n + 1
    out[n] = pairs_of[a << 4 | b >> 4] .. pairs_of[(b & 15) << 8 | c]
  end
  local a, b = bytes:byte(whole + 1, -1)
  if b then out[n + 1] = pairs_of[a << 4 | b >> 4] .. pairs_of[(b & 15) << 8]:sub(1, 1) .. "="
  elseif a then out[n + 1] = pairs_of[a << 4] .. "==" end
  return table.concat(out)
end

-- The 32 bytes that 64 hexadecimal digits name, as base64: a CSP's sha256-...
function svg.base64_of_hex(hexadecimal)
  return svg.base64((hexadecimal:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)))
end

return svg
