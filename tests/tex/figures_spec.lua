-- figures_spec.lua: figures through LuaLaTeX, and their pdf through pdftoppm: every kind compiles by itself and
-- within a paper, hostile texts come out as text and nothing runs.
local core = require "rnnlab.core"
local figure = require "rnnlab.figure"
local source = assert(os.getenv "RNNLAB_SOURCE", "run by CTest")

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

if shell "command -v lualatex" == "" or shell "command -v pdftotext" == "" then
  describe("figures in LaTeX", function() pending "there is no lualatex or no pdftotext" end)
  return
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("figures in LaTeX", function()
  local folder = shell('mktemp -d "${TMPDIR:-/tmp}/rnnlab-tex.XXXXXX"'):gsub("%s+$", "")
  local function run(words) return shell(("cd '%s' && %s"):format(folder, words)) end
  local function lualatex(name)
    return run("lualatex --interaction=nonstopmode --halt-on-error --no-shell-escape " .. name .. "; echo $?")
  end

  local gallery = {}
  for i, item in ipairs(dofile(source .. "/tests/figures/gallery.lua")) do
    gallery[i] = figure.describe(item.make(), item.name)
  end

  it("compile each by itself, a page as large as the figure", function()
    assert(core.plot.write(gallery, folder, { "pdf", "tex" }))
    for _, name in ipairs { "lines", "notes", "parallel", "confusion", "trajectory" } do
      local said = lualatex(name .. ".tex")
      assert.matches("\n0%s*$", said)
      os.rename(folder .. "/" .. name .. ".pdf", folder .. "/" .. name .. "-alone.pdf")
      local info = run("pdfinfo " .. name .. "-alone.pdf")
      assert.matches("Pages:%s+1\n", info)
      if name == "confusion" then assert.matches("Page size:%s+240.9", info) end -- 85 mm
    end
    local words = run "pdftotext -layout notes-alone.pdf -"
    assert.matches("Log axes, notes and lines", words)
    assert.matches("50 %% of the way", words)
    assert.matches("noise floor", words)
  end)

  it("stand in a paper, all of them", function()
    local parts = { "\\documentclass{article}\\usepackage{graphicx,xcolor}\\begin{document}" }
    for _, one in ipairs(gallery) do
      parts[#parts + 1] = ("\\noindent\\resizebox{\\textwidth}{!}{\\input{%s}}\\par"):format(one.name)
    end
    parts[#parts + 1] = "The end.\\end{document}"
    write(folder .. "/paper.tex", table.concat(parts, "\n"))
    assert.matches("\n0%s*$", lualatex "paper.tex")
    local words = run "pdftotext -layout paper.pdf -"
    assert.matches("The end", words)
    assert.matches("Parallel coordinates", words)
  end)

  it("are pdf that pdftoppm draws, and not blank", function()
    assert(core.plot.write(gallery, folder, { "pdf" }))
    for _, one in ipairs(gallery) do
      assert.equal("", run(("pdftoppm -r 20 -gray %s.pdf %s 2>&1"):format(one.name, one.name)))
      local name = run(("ls | grep '^%s-.*pgm$'"):format(one.name)):gsub("%s+$", "")
      local file = assert(io.open(folder .. "/" .. name, "rb"))
      local picture = file:read "a"
      file:close()
      local dark = select(2, picture:gsub("[\0-\200]", ""))
      assert.is_true(dark > 30, one.name .. ": " .. dark)
    end
  end)

  it("show hostile texts as text, and run none", function()
    local trap = folder .. "/trap"
    local list = dofile(source .. "/tests/figures/hostile_figures.lua")(
      dofile(source .. "/tests/figures/hostile.lua")(trap))
    assert(core.plot.write(list, folder, { "tex" }))
    local parts = { "\\documentclass{article}\\usepackage{graphicx,color}\\begin{document}" }
    for _, one in ipairs(list) do
      parts[#parts + 1] = ("\\noindent\\resizebox{\\textwidth}{!}{\\input{%s}}\\par"):format(one.name)
    end
    parts[#parts + 1] = "The end.\\end{document}"
    write(folder .. "/hostile.tex", table.concat(parts, "\n"))
    local said = run "lualatex --interaction=nonstopmode --halt-on-error --shell-escape hostile.tex; echo $?"
    assert.matches("\n0%s*$", said)
    assert.is_nil(io.open(trap, "rb"))
    local words = run "pdftotext hostile.pdf -"
    assert.matches("The end", words)
    assert.matches("U%+65E5", words)            -- a character the font lacks
    assert.matches("\\input{/etc/passwd}", words)
    assert.is_nil(words:find("root:x:", 1, true))
  end)

  it("need no luatex: pdflatex compiles them too", function()
    if shell "command -v pdflatex" == "" then return end
    assert.matches("\n0%s*$", run "pdflatex -interaction=nonstopmode -halt-on-error notes.tex; echo $?")
  end)

  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)
end)
