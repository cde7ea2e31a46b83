-- rnnlab.report.html owns a document as one HTML file: figures inside as SVG, style and script inside under a policy
-- that names them by their hash and allows nothing else, every text escaped.
local core = require "rnnlab.core"
local numbers = require "rnnlab.report.numbers"
local page = require "rnnlab.report.page"
local plain = require "rnnlab.report.plain"
local svg = require "rnnlab.report.svg"

local html = {}

html.figures = { "svg", "png" } -- what it can show, the better first

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(s)
  return (s:gsub("[&<>\"']", entities))
end
html.escape = escape

local MOST_INLINE = 1500000 -- bytes of an SVG; a larger one is shown as its PNG

local function number_html(number, deviation)
  local p = numbers.parts(number, deviation)
  local s = p.deviation and p.mean .. " ± " .. p.deviation or p.mean
  s = s:gsub("^%-", "−")
  if not p.exponent then return s end
  return ("%s × 10<sup>%s</sup>"):format(p.deviation and "(" .. s .. ")" or s,
    (("%d"):format(p.exponent):gsub("%-", "−")))
end

local function count_html(cell)
  if cell.n and cell.of and cell.n < cell.of then
    return (' <span class="n">n = %d of %d</span>'):format(cell.n, cell.of)
  end
  return ""
end

-- A cell or span as HTML, without its table cell.
local function inline(value)
  if type(value) == "string" then return escape(value) end
  local s
  if value.number then s = number_html(value.number, value.deviation) .. count_html(value)
  else s = escape(value.text or value.code ~= true and value.code or value.strong ~= true and value.strong or "") end
  if value.label then s = escape(value.label) .. " " .. s end
  if value.code then s = "<code>" .. s .. "</code>" end
  if value.strong then s = "<strong>" .. s .. "</strong>" end
  if value.href then s = ('<a href="%s">%s</a>'):format(escape(value.href), s) end
  return s
end

local function spans_html(spans)
  local parts = {}
  for i, span in ipairs(spans) do
    parts[i] = inline(span)
  end
  return table.concat(parts)
end

local function joined(...)
  local parts = {}
  for _, word in ipairs { ... } do
    if word ~= "" then parts[#parts + 1] = word end
  end
  return #parts > 0 and (' class="%s"'):format(table.concat(parts, " ")) or ""
end

local LONG = 160 -- bytes of a cell that gets a box of its own
local HEAD = 80  -- characters of a column's head
local FACT = 300 -- of what stands at the head

local function cell_html(value, column)
  local s, sort = inline(value), ""
  local tone, muted = "", ""
  if type(value) == "table" then
    local key = value.sort
    if key == nil then key = value.number end
    if numbers.finite(tonumber(key)) then sort = (' data-sort="%.17g"'):format(key)
    elseif value.number or key ~= nil then sort = ' data-sort=""' end
    tone, muted = value.tone or "", value.muted and "muted" or ""
  end
  local word = type(value) == "string" and value or value.text or ""
  local long = false
  for each in word:gmatch "%S+" do
    long = long or #each > 28
  end
  if #word > LONG then s = '<span class="clip" tabindex="0">' .. s .. "</span>" end
  local classes = joined(column.align == "right" and "r" or "", type(value) == "table" and value.number and "num" or "",
    tone == "calm" and "" or tone, muted, long and "long" or "")
  return ("<td%s%s>%s</td>"):format(classes, sort, s)
end

local function table_html(out, block, extra)
  out[#out + 1] = ("<table%s%s>"):format(block.sortable and ' class="sort"' or "", extra or "")
  if block.caption then out[#out + 1] = ("<caption>%s</caption>"):format(escape(block.caption)) end
  out[#out + 1] = "<thead><tr>"
  for _, column in ipairs(block.columns) do
    local name = escape(plain.clip(column.name, HEAD))
    if block.sortable and name ~= "" then name = ('<button type="button">%s</button>'):format(name) end
    out[#out + 1] = ('<th scope="col"%s>%s</th>'):format(column.align == "right" and ' class="r"' or "", name)
  end
  out[#out + 1] = "</tr></thead>\n<tbody>\n"
  for _, row in ipairs(block.rows) do
    local attributes = ""
    if row.trial then
      attributes = (' data-trial="%s" data-status="%s"'):format(escape(tostring(row.trial)), escape(row.tone or ""))
    end
    out[#out + 1] = ("<tr%s>"):format(attributes)
    for k, column in ipairs(block.columns) do
      if k == 1 and row.trial then
        out[#out + 1] = ('<td class="r" data-sort="%s"><button type="button" class="pick" aria-pressed="false">%s'
          .. "</button></td>"):format(escape(tostring(row.trial)), inline(row[k]))
      else
        out[#out + 1] = cell_html(row[k], column)
      end
    end
    out[#out + 1] = "</tr>\n"
  end
  out[#out + 1] = "</tbody></table>\n"
end

-- ---- parallel coordinates ---------------------------------------------------------------------------

local WIDTH, TOP, BOTTOM, SIDE = 960, 34, 300, 60

local function axis_x(k, n)
  return n == 1 and WIDTH / 2 or SIDE + (k - 1) * (WIDTH - 2 * SIDE) / (n - 1)
end

local function parallel_html(out, block)
  local n = #block.axes
  out[#out + 1] = ('<figure class="par"><div class="scroll"><svg viewBox="0 0 %d %d" role="img" aria-label="%s">\n')
    :format(WIDTH, BOTTOM + 16, "Parallel coordinates: one line a trial, one axis a parameter; the table below has "
      .. "the same numbers")
  for _, row in ipairs(block.rows) do
    local points, pen = {}, false
    for k = 1, n do
      local at = row.at and row.at[k]
      if at then
        points[#points + 1] = ("%s%.4g,%.4g"):format(pen and "L" or "M", axis_x(k, n), BOTTOM - at * (BOTTOM - TOP))
      end
      pen = at and true or false
    end
    if #points > 1 then
      out[#out + 1] = ('<path class="ln %s" data-trial="%s" d="%s"/>\n'):format(row.class or "qx",
        escape(tostring(row.trial)), table.concat(points))
    end
  end
  for k, axis in ipairs(block.axes) do
    local x = axis_x(k, n)
    out[#out + 1] = ('<path class="ax" d="M%.1f,%dV%d"/><text x="%.1f" y="14" text-anchor="middle">%s</text>\n')
      :format(x, TOP, BOTTOM, x, escape(plain.clip(axis.name, 18)))
    for _, tic in ipairs(axis.tics) do
      local last = k == n
      out[#out + 1] = ('<text class="tic" x="%.1f" y="%.1f" text-anchor="%s">%s</text>\n'):format(
        x + (last and 5 or -5), BOTTOM - tic.at * (BOTTOM - TOP) + 3, last and "start" or "end",
        escape(plain.clip(tic.label, 10)))
    end
  end
  out[#out + 1] = "</svg></div>"
  out[#out + 1] = '<div class="key">'
  for i, word in ipairs { "best fifth", "second", "third", "fourth", "worst", "no value" } do
    out[#out + 1] = ('<span><svg viewBox="0 0 20 8" aria-hidden="true"><line class="q%s" x1="0" y1="4" x2="20" y2="4"/>'
      .. "</svg>%s</span>"):format(i == 6 and "x" or tostring(i - 1), word)
  end
  out[#out + 1] = "</div></figure>\n"
end

local function trials_html(out, block)
  local statuses, seen = {}, {}
  for _, row in ipairs(block.rows) do
    if row.tone and not seen[row.tone] then
      seen[row.tone] = true
      statuses[#statuses + 1] = row.tone
    end
  end
  table.sort(statuses)
  out[#out + 1] = "<div data-trials>\n"
  if block.axes then parallel_html(out, block) end
  out[#out + 1] = '<div class="tools"><label>filter, such as lr&lt;0.01 cell=lstm'
    .. '<input type="search" autocomplete="off" spellcheck="false"></label>'
  if #statuses > 1 then
    out[#out + 1] = '<label>status<select><option value="">all</option>'
    for _, status in ipairs(statuses) do
      out[#out + 1] = ('<option value="%s">%s</option>'):format(escape(status), escape(plain.clip(status, 40)))
    end
    out[#out + 1] = "</select></label>"
  end
  out[#out + 1] = '<output aria-live="polite"></output></div>\n<div class="scroll tall" tabindex="0" role="region" '
    .. 'aria-label="all trials">'
  table_html(out, block)
  out[#out + 1] = "</div></div>\n"
end

-- ---- figures ----------------------------------------------------------------------------------------

--- Small lines without axes: { { points = { { x, y } ... }, class =, dots = } ... }, y on a log axis where all are > 0.
function html.spark(lines, label)
  local low, high, left, right, positive = math.huge, -math.huge, math.huge, -math.huge, true
  for _, line in ipairs(lines) do
    for _, p in ipairs(line.points) do
      positive = positive and p[2] > 0
    end
  end
  local function scaled(y) return positive and math.log(y) or y end
  for _, line in ipairs(lines) do
    for _, p in ipairs(line.points) do
      low, high = math.min(low, scaled(p[2])), math.max(high, scaled(p[2]))
      left, right = math.min(left, p[1]), math.max(right, p[1])
    end
  end
  local out = { ('<svg class="spark" viewBox="0 0 240 64" role="img" aria-label="%s">'):format(escape(label)),
    '<path class="base" d="M0,62.5H240"/>' }
  local function x_of(x) return right > left and 2 + 236 * (x - left) / (right - left) or 120 end
  local function y_of(y) return high > low and 60 - 56 * (scaled(y) - low) / (high - low) or 32 end
  for _, line in ipairs(lines) do
    local parts = {}
    for i, p in ipairs(line.points) do
      if line.dots then
        out[#out + 1] = ('<circle class="dot" cx="%.1f" cy="%.1f" r="1.4"/>'):format(x_of(p[1]), y_of(p[2]))
      else
        parts[i] = ("%s%.1f,%.1f"):format(i == 1 and "M" or "L", x_of(p[1]), y_of(p[2]))
      end
    end
    if not line.dots then
      out[#out + 1] = ('<path class="%s" d="%s"/>'):format(line.class or "one", table.concat(parts))
    end
  end
  out[#out + 1] = "</svg>"
  return table.concat(out)
end

local function picture(block, prefix)
  local label = escape(block.alt)
  if block.spark then return html.spark(block.spark, block.alt) end
  local bytes = block.svg and core.host.read_file(block.svg)
  if bytes and #bytes <= MOST_INLINE then
    local inner = svg.inline(bytes, prefix, label)
    if inner then return inner end
  end
  local kind = "png"
  local image = block.png and core.host.read_file(block.png)
  if not image and bytes then image, kind = bytes, "svg+xml" end
  if not image then return nil end
  return ('<img alt="%s" src="data:image/%s;base64,%s">'):format(label, kind, svg.base64(image))
end

-- ---- the page ---------------------------------------------------------------------------------------

local write = {}

function write.section(out, block)
  out[#out + 1] = ("<h%d>%s</h%d>\n"):format(block.level + 1, escape(block.title), block.level + 1)
end

function write.text(out, block)
  out[#out + 1] = ("<p>%s</p>\n"):format(spans_html(block.spans))
end

function write.note(out, block)
  out[#out + 1] = ('<p class="note" role="note">%s</p>\n'):format(spans_html(block.spans))
end

function write.code(out, block)
  local code = ('<pre tabindex="0"><code>%s</code></pre>\n'):format(escape(block.text))
  if block.fold then code = ("<details><summary>%s</summary>%s</details>\n"):format(escape(block.fold), code) end
  out[#out + 1] = code
end

function write.list(out, block)
  out[#out + 1] = "<ul>"
  for _, item in ipairs(block.items) do
    out[#out + 1] = ("<li>%s</li>"):format(spans_html(item))
  end
  out[#out + 1] = "</ul>\n"
end

-- what stands at the head
function write.facts(out, block)
  out[#out + 1] = '<dl class="facts">'
  for _, item in ipairs(block.items) do
    local value = item[2]
    local tone = type(value) == "table" and value.tone or ""
    if type(value) == "string" then value = plain.clip(value, FACT)
    elseif value.text then value.text = plain.clip(value.text, FACT) end
    out[#out + 1] = ("<div><dt>%s</dt><dd%s>%s</dd></div>"):format(escape(item[1]),
      joined(tone == "calm" and "" or tone), inline(value))
  end
  out[#out + 1] = "</dl>\n"
end

function write.table(out, block)
  if block.trials then return trials_html(out, block) end
  out[#out + 1] = #block.rows > 40 and '<div class="scroll tall" tabindex="0" role="region" aria-label="table">'
    or '<div class="scroll">'
  table_html(out, block)
  out[#out + 1] = "</div>\n"
end

-- runs and sweeps of an index, each with its small curve
function write.cards(out, block)
  out[#out + 1] = ('<div data-cards><div class="tools"><label>find<input type="search" autocomplete="off" '
    .. 'spellcheck="false"></label><output aria-live="polite"></output></div>\n<ul class="cards">\n')
  for _, card in ipairs(block.items) do
    out[#out + 1] = ('<li><a href="%s">%s</a>'):format(escape(card.href), escape(card.name))
    if card.spark then out[#out + 1] = html.spark(card.spark, card.alt) end
    for _, line in ipairs(card.lines) do
      local tone = type(line) == "table" and line.tone or ""
      out[#out + 1] = ("<p%s>%s</p>"):format(joined(tone == "calm" and "" or tone), inline(line))
    end
    out[#out + 1] = "</li>\n"
  end
  out[#out + 1] = "</ul></div>\n"
end

function write.figure(out, block, state)
  state.figures = state.figures + 1
  local inner = picture(block, ("f%d-"):format(state.figures))
  if not inner then
    return write.note(out, { spans = { ("The figure %s cannot be read."):format(block.name) } })
  end
  out[#out + 1] = ('<figure><div class="fig">%s</div>\n<figcaption class="cap">%s</figcaption></figure>\n'):format(
    inner, escape(block.caption))
end

local function hash(s)
  return "'sha256-" .. svg.base64_of_hex(core.host.sha256(s)) .. "'"
end

local policy

-- The policy that allows the page's own style and script, inlined pictures, and nothing else.
function html.policy()
  policy = policy or ("default-src 'none'; script-src %s; style-src %s; img-src data:; base-uri 'none'; "
    .. "form-action 'none'"):format(hash(page.script), hash(page.style))
  return policy
end

--- The document as text. head: more lines for <head>, made by us.
function html.render(doc, head)
  local out = { '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    ('<meta http-equiv="Content-Security-Policy" content="%s">\n'):format(html.policy()),
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n',
    '<meta name="color-scheme" content="light dark">\n',
    '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="rnnlab ', core.version, '">\n',
    head or "", "<title>", escape(plain.clip(doc.title, 200)), "</title>\n<style>", page.style,
    "</style>\n</head>\n<body>\n<main>\n<h1>", escape(doc.title), "</h1>\n" }
  if doc.subtitle then out[#out + 1] = ('<p class="sub">%s</p>\n'):format(escape(doc.subtitle)) end
  local state = { figures = 0 }
  for _, block in ipairs(doc.blocks) do
    write[block.kind](out, block, state)
  end
  out[#out + 1] = "</main>\n<script>"
  out[#out + 1] = page.script
  out[#out + 1] = "</script>\n</body>\n</html>\n"
  return table.concat(out)
end

return html
