-- rnnlab.report.markdown owns a document as Markdown (CommonMark with GitHub's tables), its figures beside it.
local numbers = require "rnnlab.report.numbers"
local plain = require "rnnlab.report.plain"
local text = require "rnnlab.text"

local markdown = {}

markdown.figures = { "svg", "png" }

local CELL = 300 -- characters of a table's cell; a line of text has no bound

-- Where a line begins, these would begin a list, a heading or a rule.
local function at_start(s)
  s = s:gsub("^(%s*)([#+=-])", "%1\\%2"):gsub("^(%s*%d+)([.)])", "%1\\%2")
  return s
end

local function escape(s)
  s = s:gsub("[\\`*%[%]|~$]", "\\%0"):gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;")
  -- An underscore inside a word is no emphasis.
  s = s:gsub("()_()", function(from, to)
    local before, after = s:sub(from - 1, from - 1), s:sub(to, to)
    return before:find "%w" and after:find "%w" and "_" or "\\_"
  end)
  return s
end
markdown.escape = escape

local function code(s)
  if s == "" then return "" end
  local longest = 0
  for run in s:gmatch "`+" do
    longest = math.max(longest, #run)
  end
  local fence = ("`"):rep(longest + 1)
  local room = (s:find "^`" or s:find "`$" or s:find "^ .* $") and " " or ""
  return fence .. room .. s .. room .. fence
end

local function number(value)
  local s = numbers.plain(value.number, value.deviation):gsub("^%-", "−")
  if value.n and value.of and value.n < value.of then s = ("%s (n = %d of %d)"):format(s, value.n, value.of) end
  return s
end

local function inline(value, most)
  if type(value) == "string" then return escape(most and plain.clip(value, most) or value) end
  if value.number then return value.strong and "**" .. number(value) .. "**" or number(value) end
  local s = value.text or value.code ~= true and value.code or value.strong ~= true and value.strong or ""
  if most then s = plain.clip(s, most) end
  if value.code then return code(s) end
  local own = escape(s)
  if value.strong and own:find "%S" then own = "**" .. own:gsub("^%s+", ""):gsub("%s+$", "") .. "**"
    .. (s:match "%s+$" or "") end
  if value.href then own = ("[%s](%s)"):format(own, (value.href:gsub("[ ()<>\\]", function(c)
    return ("%%%02X"):format(c:byte())
  end))) end
  return own
end

local function spans_text(spans)
  local parts = {}
  for i, span in ipairs(spans) do
    parts[i] = inline(span)
  end
  return at_start(table.concat(parts))
end

local function table_lines(out, block)
  local rows, align, widths = { {} }, {}, {}
  for k, column in ipairs(block.columns) do
    rows[1][k], align[k] = escape(column.name), column.align
  end
  for _, row in ipairs(block.rows) do
    local cells = {}
    for k = 1, #block.columns do
      local s = inline(row[k], CELL)
      -- A bar ends a cell in code, too.
      if type(row[k]) == "table" and row[k].code then s = s:gsub("|", "\\|") end
      cells[k] = s
    end
    rows[#rows + 1] = cells
  end
  for _, row in ipairs(rows) do
    for k, cell in ipairs(row) do
      widths[k] = math.max(widths[k] or 3, math.min(text.width(cell), 60))
    end
  end
  for i, row in ipairs(rows) do
    local cells = {}
    for k, cell in ipairs(row) do
      local pad = (" "):rep(widths[k] - text.width(cell))
      cells[k] = align[k] == "right" and pad .. cell or cell .. pad
    end
    out[#out + 1] = "| " .. table.concat(cells, " | ") .. " |\n"
    if i == 1 then
      for k = 1, #block.columns do
        cells[k] = align[k] == "right" and ("-"):rep(widths[k] - 1) .. ":" or ("-"):rep(widths[k])
      end
      out[#out + 1] = "| " .. table.concat(cells, " | ") .. " |\n"
    end
  end
  out[#out + 1] = "\n"
end

local write = {}

function write.section(out, block)
  out[#out + 1] = ("%s %s\n\n"):format(("#"):rep(block.level + 1), escape(block.title))
end

function write.text(out, block)
  out[#out + 1] = spans_text(block.spans) .. "\n\n"
end

function write.note(out, block)
  out[#out + 1] = "> " .. spans_text(block.spans) .. "\n\n"
end

function write.code(out, block)
  local longest = 2
  for run in block.text:gmatch "`+" do
    longest = math.max(longest, #run)
  end
  local fence = ("`"):rep(longest + 1)
  if block.fold then out[#out + 1] = "## " .. escape(block.fold) .. "\n\n" end
  out[#out + 1] = ("%s%s\n%s\n%s\n\n"):format(fence, block.language or "", block.text, fence)
end

function write.list(out, block)
  for _, item in ipairs(block.items) do
    out[#out + 1] = "- " .. spans_text(item) .. "\n"
  end
  out[#out + 1] = "\n"
end

-- what stands at the head
function write.facts(out, block)
  for _, item in ipairs(block.items) do
    out[#out + 1] = ("- %s: %s\n"):format(escape(item[1]), inline(item[2]))
  end
  out[#out + 1] = "\n"
end

function write.table(out, block)
  if block.caption then out[#out + 1] = at_start(escape(block.caption)) .. "\n\n" end
  table_lines(out, block)
end

-- place(block): the figure's file, relative to the document.
function write.figure(out, block, place)
  local path = place(block)
  if not path then
    out[#out + 1] = ("> The figure %s cannot be read.\n\n"):format(escape(block.name))
    return
  end
  out[#out + 1] = ("![%s](%s)\n\n%s\n\n"):format(escape(block.alt), (path:gsub("[ ()<>]", function(c)
    return ("%%%02X"):format(c:byte())
  end)), at_start(escape(block.caption)))
end

--- The document as text; place(block) puts a figure beside it and names the file.
function markdown.render(doc, place)
  local out = { "# ", escape(doc.title), "\n\n" }
  if doc.subtitle then out[#out + 1] = at_start(escape(doc.subtitle)) .. "\n\n" end
  for _, block in ipairs(doc.blocks) do
    write[block.kind](out, block, place)
  end
  return (table.concat(out):gsub("\n+$", "\n"))
end

return markdown
