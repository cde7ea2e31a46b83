-- rnnlab.report.tex owns a document as LaTeX that compiles by itself under LuaLaTeX (and, with fewer characters,
-- pdfLaTeX): tables in booktabs form, figures included as PDF. A character the font lacks is shown as U+XXXX.
local numbers = require "rnnlab.report.numbers"
local plain = require "rnnlab.report.plain"

local tex = {}

tex.figures = { "pdf", "png" }

local CELL = 160     -- characters of a table's cell
local LINE = 4000    -- of a paragraph or caption
local WIDE = 84      -- characters of a table in \small that fit beside each other
local WIDEST = 118   -- in \scriptsize
local ROWS = 36      -- a longer table goes over pages

local special = {
  ["\\"] = "\\textbackslash{}", ["{"] = "\\{", ["}"] = "\\}", ["%"] = "\\%", ["$"] = "\\$", ["&"] = "\\&",
  ["#"] = "\\#", ["_"] = "\\_", ["~"] = "\\textasciitilde{}", ["^"] = "\\textasciicircum{}",
  ['"'] = "\\textquotedbl{}", ["'"] = "\\textquotesingle{}", ["`"] = "\\textasciigrave{}",
  ["<"] = "\\textless{}", [">"] = "\\textgreater{}", ["|"] = "\\textbar{}", ["["] = "{[}",
  ["]"] = "{]}",
}
-- A few characters every font has, or that are better made.
local known = { [0x2212] = "\\ensuremath{-}", [0x2032] = "\\ensuremath{'}", [0xB1] = "\\ensuremath{\\pm}",
  [0xD7] = "\\ensuremath{\\times}", [0x2026] = "\\dots{}", [0x2192] = "\\ensuremath{\\to}",
  [0xB7] = "\\ensuremath{\\cdot}",
  [0x2013] = "--", [0x2014] = "---", [0x2018] = "`", [0x2019] = "\\textquoteright{}", [0x201C] = "``",
  [0x201D] = "\\textquotedblright{}", [0x2009] = "\\,", [0xA0] = "~", [0x2265] = "\\ensuremath{\\ge}",
  [0x2264] = "\\ensuremath{\\le}", [0xB5] = "\\textmu{}", [0xB2] = "\\ensuremath{^2}", [0xB3] = "\\ensuremath{^3}" }
for i = 0, 9 do
  known[0x2080 + i] = ("\\ensuremath{_%d}"):format(i)
end

-- Words longer than a line may break anywhere: after each so many characters there is a place for it.
local BREAK_WORD, BREAK_EVERY = 24, 8

local function breakable(word)
  local n = utf8.len(word) or #word
  if n <= BREAK_WORD then return word end
  local parts, at = {}, 1
  while at <= #word do
    local stop = utf8.offset(word, BREAK_EVERY + 1, at) or #word + 1
    parts[#parts + 1] = word:sub(at, stop - 1)
    at = stop
  end
  return table.concat(parts, "\1")
end

local function escape(s)
  s = s:gsub("%S+", breakable)
  s = plain.map(s, function(ascii)
    ascii = ascii:gsub("[\\{}%%$&#_~^\"'`<>|%[%]]", special):gsub("\1", "\\rnlbreak{}")
    for _ = 1, 2 do -- no ligatures: each of these is a character
      ascii = ascii:gsub("%-%-", "-{}-"):gsub(",,", ",{},")
    end
    return ascii
  end, function(code, c)
    if known[code] then return known[code] end
    if code >= 0xC0 and code <= 0x17E and code ~= 0x149 then return c end -- letters every Latin font has
    return ("\\rnlchar{%04X}"):format(code)
  end)
  return s
end
tex.escape = escape

local function number(value)
  local p = numbers.parts(value.number, value.deviation)
  if p.mean:find "^%-?[ni]" then return p.mean end -- nan, inf
  local s = p.deviation and p.mean .. " \\pm " .. p.deviation or p.mean
  if p.exponent then s = ("%s \\times 10^{%d}"):format(p.deviation and "(" .. s .. ")" or s, p.exponent) end
  if value.strong then s = "\\boldsymbol{" .. s .. "}" end
  s = "$" .. s .. "$"
  if value.n and value.of and value.n < value.of then s = ("%s ($n = %d$ of %d)"):format(s, value.n, value.of) end
  return s
end

local function inline(value, most)
  if type(value) == "string" then return escape(plain.clip(value, most)) end
  if value.number then return number(value) end
  local s = value.text or value.code ~= true and value.code or value.strong ~= true and value.strong or ""
  s = escape(plain.clip(s, most))
  if value.code then s = "\\texttt{" .. s .. "}" end
  if value.strong and s ~= "" then s = "\\textbf{" .. s .. "}" end
  return s
end

local function spans_text(spans)
  local parts = {}
  for i, span in ipairs(spans) do
    parts[i] = inline(span, LINE)
  end
  return table.concat(parts)
end

-- How many characters a cell takes.
local function width_of(value)
  if type(value) == "string" then return math.min(utf8.len(value), CELL) end
  if value.number then return #numbers.plain(value.number, value.deviation) + (value.deviation and 2 or 1) end
  local s = value.text or value.code ~= true and value.code or value.strong ~= true and value.strong or ""
  return math.min(utf8.len(s), CELL) * (value.code and 1.15 or 1)
end

local function widths_of(block)
  local widths, words = {}, {}
  for k, column in ipairs(block.columns) do
    widths[k] = utf8.len(column.name)
    words[k] = false
    for _, row in ipairs(block.rows) do
      widths[k] = math.max(widths[k], width_of(row[k]))
      if type(row[k]) ~= "table" or not row[k].number then words[k] = true end
    end
  end
  return widths, words
end

-- One tabular of the columns listed. A column of long text gets a width of its own.
local function tabular(out, block, columns, widths, first)
  local sum = 0
  for _, k in ipairs(columns) do
    sum = sum + widths[k] + 2
  end
  local size = sum <= WIDE and "\\small" or "\\scriptsize"
  local room = sum <= WIDE and WIDE or WIDEST
  local spec, fixed, long = {}, 0, {}
  for _, k in ipairs(columns) do
    if widths[k] > 22 and sum > room then long[#long + 1] = k else fixed = fixed + widths[k] + 2 end
  end
  local is_long = {}
  for _, k in ipairs(long) do
    is_long[k] = true
  end
  for i, k in ipairs(columns) do
    if is_long[k] then
      spec[i] = (">{\\raggedright\\arraybackslash}p{%.3f\\linewidth}"):format(
        math.max(.12, .94 * (1 - fixed / room) / #long))
    else
      spec[i] = block.columns[k].align == "right" and "r" or "l"
    end
  end
  local heads = {}
  for i, k in ipairs(columns) do
    heads[i] = escape(plain.clip(block.columns[k].name, 60))
  end
  local head = table.concat(heads, " & ") .. " \\\\"
  local over_pages = #block.rows > ROWS
  local caption = block.caption and escape(plain.clip(block.caption, LINE)) or ""
  if not first then caption = caption .. " (continued)" end
  if over_pages then
    out[#out + 1] = ("{%s\n\\begin{longtable}{@{}%s@{}}\n"):format(size, table.concat(spec))
    if caption ~= "" then out[#out + 1] = ("\\caption{%s}\\\\\n"):format(caption) end
    out[#out + 1] = ("\\toprule\n%s\n\\midrule\n\\endfirsthead\n\\toprule\n%s\n\\midrule\n\\endhead\n")
      :format(head, head)
    out[#out + 1] = "\\bottomrule\n\\endfoot\n"
  else
    out[#out + 1] = "\\begin{table}[H]\n\\centering" .. size .. "\n"
    if caption ~= "" then out[#out + 1] = ("\\caption{%s}\n"):format(caption) end
    out[#out + 1] = ("\\begin{tabular}{@{}%s@{}}\n\\toprule\n"):format(table.concat(spec))
    local empty = head:gsub("[& \\]", "") == ""
    if not empty then out[#out + 1] = head .. "\n\\midrule\n" end
  end
  for _, row in ipairs(block.rows) do
    local cells = {}
    for i, k in ipairs(columns) do
      cells[i] = inline(row[k], CELL)
    end
    out[#out + 1] = table.concat(cells, " & ") .. " \\\\\n"
  end
  out[#out + 1] = over_pages and "\\end{longtable}}\n\n" or "\\bottomrule\n\\end{tabular}\n\\end{table}\n\n"
end

local write = {}

function write.section(out, block)
  out[#out + 1] = ("\\%s{%s}\n\n"):format(block.level == 1 and "section*" or "subsection*",
    escape(plain.clip(block.title, 300)))
end

function write.text(out, block)
  out[#out + 1] = spans_text(block.spans) .. "\n\n"
end

function write.note(out, block)
  out[#out + 1] = ("\\begin{quote}\n%s\n\\end{quote}\n\n"):format(spans_text(block.spans))
end

function write.code(out, block)
  if block.fold then out[#out + 1] = ("\\section*{%s}\n\n"):format(escape(block.fold)) end
  out[#out + 1] = "\\begin{rnlcode}\n"
  for line in (block.text .. "\n"):gmatch "([^\n]*)\n" do
    line = plain.clip(line:gsub("\t", "  "), LINE)
    local blanks, rest = line:match "^( *)(.*)$"
    local body = escape(rest):gsub("  +", function(run) return ("~"):rep(#run) end)
    out[#out + 1] = ("\\rnlline{%s%s}\n"):format(("~"):rep(math.min(#blanks, 40)), body)
  end
  out[#out + 1] = "\\end{rnlcode}\n\n"
end

function write.list(out, block)
  if #block.items == 0 then return end
  out[#out + 1] = "\\begin{itemize}\n"
  for _, item in ipairs(block.items) do
    out[#out + 1] = "\\item{} " .. spans_text(item) .. "\n"
  end
  out[#out + 1] = "\\end{itemize}\n\n"
end

-- what stands at the head
function write.facts(out, block)
  if #block.items == 0 then return end
  out[#out + 1] = "\\begin{center}\\small\n\\begin{tabular}{@{}lp{.72\\linewidth}@{}}\n\\toprule\n"
  for _, item in ipairs(block.items) do
    out[#out + 1] = ("%s & %s \\\\\n"):format(escape(item[1]), inline(item[2], CELL))
  end
  out[#out + 1] = "\\bottomrule\n\\end{tabular}\n\\end{center}\n\n"
end

function write.table(out, block)
  if #block.rows == 0 then return end
  local widths, words = widths_of(block)
  -- What does not fit beside each other goes into tables below each other, each with the first column.
  local groups, group, sum = {}, { 1 }, widths[1] + 2
  for k = 2, #block.columns do
    local width = math.min(widths[k], words[k] and 40 or widths[k]) + 2
    if sum + width > WIDEST and #group > 1 then
      groups[#groups + 1] = group
      group, sum = { 1 }, widths[1] + 2
    end
    group[#group + 1] = k
    sum = sum + width
  end
  groups[#groups + 1] = group
  for i, columns in ipairs(groups) do
    tabular(out, block, columns, widths, i == 1)
  end
end

function write.figure(out, block, place)
  local path = place(block)
  if not path then
    return write.note(out, { spans = { ("The figure %s cannot be read."):format(block.name) } })
  end
  out[#out + 1] = ("\\begin{figure}[H]\n\\centering\n\\includegraphics[width=.92\\linewidth,height=.4\\textheight,"
    .. "keepaspectratio]{%s}\n\\caption{%s}\n\\end{figure}\n\n"):format(path, escape(plain.clip(block.caption, LINE)))
end

local preamble = [[
\documentclass[11pt,a4paper]{article}
\usepackage{iftex}
\ifluatex
  \usepackage{fontspec}
  \setmainfont{lmroman10-regular.otf}[BoldFont=lmroman10-bold.otf,ItalicFont=lmroman10-italic.otf]
  \setmonofont{lmmono10-regular.otf}[Scale=.95]
  \pdfvariable suppressoptionalinfo 1023 % no date in it: the same report is the same bytes
\else
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{lmodern}
\fi
\usepackage{textcomp}
\usepackage[margin=25mm]{geometry}
\usepackage{amsmath,array,booktabs,longtable,graphicx,float}
\usepackage[font=small,labelfont=bf,skip=6pt]{caption}
\setcounter{LTchunksize}{10000} % a long table in one piece: its widths are known after one run
\setlength{\parindent}{0pt}
\setlength{\parskip}{.5\baselineskip}
\emergencystretch=3em
\newcommand{\rnlbreak}{\hskip 0pt\relax}
% A character by its number, or the number itself where the font has no such character.
\ifluatex
  \newcommand{\rnlchar}[1]{\iffontchar\font"#1 \char"#1 \else{\footnotesize\ttfamily U+#1}\fi}
\else
  \newcommand{\rnlchar}[1]{{\footnotesize\ttfamily U+#1}}
\fi
\newenvironment{rnlcode}{\par\small\ttfamily\raggedright\setlength{\parskip}{0pt}}{\par}
\newcommand{\rnlline}[1]{\par\hangindent=2em\hangafter=1\noindent\strut #1}
]]

--- The document as text; place(block) gives the path of a figure as \includegraphics takes it.
function tex.render(doc, place)
  local out = { preamble, "\\begin{document}\n{\\raggedright\\LARGE\\bfseries ", escape(plain.clip(doc.title, 300)),
    "\\par}\n" }
  if doc.subtitle then out[#out + 1] = ("{\\large %s\\par}\n\n"):format(escape(plain.clip(doc.subtitle, 300))) end
  for _, block in ipairs(doc.blocks) do
    write[block.kind](out, block, place)
  end
  out[#out + 1] = "\\end{document}\n"
  return table.concat(out)
end

return tex
