-- rnnlab.report.document owns the neutral document: blocks that each writer (html, markdown, tex) knows. All text in
-- it is plain (plain.lua); a writer escapes it.
--
--   section  { title, level = 1 | 2 }
--   text     { spans = { "plain", { code = "..." }, { strong = "..." }, { number = mean, deviation =, n = } } }
--   note     as text: something a reader must not miss
--   code     { text, language, fold = "a title under which it is folded away" }
--   list     { items = { spans, ... } }
--   facts    { items = { { label, cell } ... } }: what stands at the head
--   table    { columns = { { name, align = "left" | "right" } ... }, rows = { { cell ... } ... }, caption, sortable,
--              trials }: with trials, each row a trial (rows[i].trial, .class) beside `axes`, the parallel coordinates
--              { { name, kind, low, high, log, values } ... } and rows[i].at = { position on each axis or false ... }
--   cards    { items = { { name, href, lines = { cell ... }, spark = { lines }, alt } ... } }: of an index, HTML alone
--   figure   { name, caption, alt, svg =, pdf =, png = (paths) } or { name, caption, alt, spark = { lines } }
--
-- A cell is a string, a number, or { text =, code =, number =, deviation =, n =, strong =, muted =, href =, sort = }.
local plain = require "rnnlab.report.plain"

local document = {}

local Document = {}
Document.__index = Document

--- An empty document.
function document.new(title, subtitle)
  return setmetatable({ title = plain.line(title), subtitle = subtitle and plain.line(subtitle), blocks = {} },
    Document)
end

local function span(value)
  if type(value) ~= "table" then return plain.line(value) end
  local s = {}
  for key, inner in pairs(value) do
    s[key] = type(inner) == "string" and plain.line(inner) or inner
  end
  return s
end

local function spans(list)
  if type(list) ~= "table" or list.code or list.strong or list.number then list = { list } end
  local out = {}
  for i, value in ipairs(list) do
    out[i] = span(value)
  end
  return out
end

local function cell(value)
  if type(value) == "number" then return { number = value } end
  if type(value) == "table" then return span(value) end
  return plain.line(value == nil and "" or value)
end

function Document:add(block)
  self.blocks[#self.blocks + 1] = block
  return block
end

function Document:section(title, level)
  return self:add { kind = "section", title = plain.line(title), level = level or 1 }
end

function Document:text(...)
  return self:add { kind = "text", spans = spans { ... } }
end

function Document:note(...)
  return self:add { kind = "note", spans = spans { ... } }
end

function Document:code(s, language, fold)
  return self:add { kind = "code", text = plain.block(s):gsub("%s+$", ""), language = language,
    fold = fold and plain.line(fold) }
end

function Document:list(items)
  local list = {}
  for i, item in ipairs(items) do
    list[i] = spans(item)
  end
  return self:add { kind = "list", items = list }
end

-- items: a list of { label, cell }
function Document:facts(items)
  local list = {}
  for i, item in ipairs(items) do
    list[i] = { plain.line(item[1]), cell(item[2]) }
  end
  return self:add { kind = "facts", items = list }
end

-- t: as above, with strings for columns where only the name matters
function Document:table(t)
  local columns, rows = {}, {}
  for i, column in ipairs(t.columns) do
    if type(column) ~= "table" then column = { name = column } end
    columns[i] = { name = plain.line(column.name), align = column.align or "left", goal = column.goal }
  end
  for i, given in ipairs(t.rows) do
    local row = { trial = given.trial and plain.line(given.trial), class = given.class, at = given.at,
      tone = given.tone and plain.line(given.tone) }
    for k = 1, #columns do
      row[k] = cell(given[k])
    end
    rows[i] = row
  end
  local axes
  for i, axis in ipairs(t.axes or {}) do
    axes = axes or {}
    local tics = {}
    for k, tic in ipairs(axis.tics or {}) do
      tics[k] = { at = tic.at, label = plain.line(tic.label) }
    end
    axes[i] = { name = plain.line(axis.name), tics = tics }
  end
  return self:add { kind = "table", columns = columns, rows = rows, caption = t.caption and plain.line(t.caption),
    sortable = t.sortable or t.trials, trials = t.trials, axes = axes }
end

-- items: { name, href, lines = { cell ... }, spark, alt }
function Document:cards(items)
  local list = {}
  for i, item in ipairs(items) do
    local lines = {}
    for k, line in ipairs(item.lines) do
      lines[k] = cell(line)
    end
    list[i] = { name = plain.line(item.name), href = plain.line(item.href), lines = lines, spark = item.spark,
      alt = plain.line(item.alt or item.name) }
  end
  return self:add { kind = "cards", items = list }
end

function Document:figure(f)
  return self:add { kind = "figure", name = plain.slug(f.name), caption = plain.line(f.caption or ""),
    alt = plain.line(f.alt or f.caption or f.name), svg = f.svg, pdf = f.pdf, png = f.png, spark = f.spark }
end

return document
