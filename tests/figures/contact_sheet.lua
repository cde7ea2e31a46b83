-- contact_sheet.lua: every figure of the gallery in every format, on one page (index.html in the folder) and, where
-- there is a Chromium, as a picture of it. To be looked at.
--     cmake --build --preset ci --target contact_sheet      build/ci/contact_sheet/index.html
local core = require "rnnlab.core"
local figure = require "rnnlab.figure"
local here = arg[0]:gsub("[^/]*$", "")
local folder = assert(arg[1], "usage: contact_sheet.lua FOLDER")

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end
local function run(words)
  local pipe = assert(io.popen(("cd %s && { %s; } 2>&1"):format(quote(folder), words)))
  local said = pipe:read "a"
  return pipe:close() and true or false, said
end

local list, previews = {}, {}
for i, item in ipairs(dofile(here .. "gallery.lua")) do
  local made = item.make()
  list[i] = figure.describe(made, item.name)
  previews[i] = made:preview { width = 76, height = 13 }
end
local began = core.host.monotonic()
local files, problem = core.plot.write(list, folder, { "svg", "png", "pdf", "tex" })
print(("%d files of %d figures in %.2f s%s"):format(#(files or {}), #list, core.host.monotonic() - began,
  problem and "; " .. problem or ""))
local has_latex, has_pdf = run "command -v lualatex", run "command -v pdftoppm"

local page = { [[<!doctype html><meta charset="utf-8"><title>rnnlab: contact sheet</title><style>
body{font:14px Inter,sans-serif;margin:1em;background:#eee}h2{margin:1.5em 0 .3em}td{vertical-align:top;padding:4px}
img{width:440px;background:#fff}pre{font:9px/1.05 "DejaVu Sans Mono",monospace;background:#fff;margin:0;width:440px;
overflow:hidden}th{font-weight:500;text-align:left}</style>]] }
for i, one in ipairs(list) do
  local name = one.name
  if has_pdf then run(("pdftoppm -r 150 -png -singlefile %s.pdf %s-pdf"):format(name, name)) end
  if has_latex then
    local ok, said = run(("mkdir -p latex && lualatex --interaction=nonstopmode --halt-on-error "
      .. "--output-directory latex %s.tex && "
      .. "pdftoppm -r 150 -png -singlefile latex/%s.pdf %s-latex"):format(name, name, name))
    if not ok then print(name .. ".tex does not compile: " .. (said:match "\n(!.-)\n" or said:sub(-300))) end
  end
  page[#page + 1] = ("<h2>%s</h2><table><tr><th>svg<th>png<th>pdf<th>tex<th>terminal</tr><tr>"):format(name)
  for _, picture in ipairs { ".svg", ".png", "-pdf.png", "-latex.png" } do
    page[#page + 1] = ("<td><img src=\"%s%s\" alt=\"\">"):format(name, picture)
  end
  page[#page + 1] = "<td><pre>" .. previews[i]:gsub("&", "&amp;"):gsub("<", "&lt;") .. "</pre></tr></table>"
end
local out = assert(io.open(folder .. "/index.html", "w"))
out:write(table.concat(page, "\n"))
out:close()
local ok = run("chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=2300,"
  .. 60 + 400 * #list .. " --screenshot=sheet.png file://\"$PWD\"/index.html")
print(folder .. "/index.html" .. (ok and " and sheet.png" or ""))
