-- report_spec.lua: reports through LuaLaTeX: they compile, hostile words come out as text and nothing runs, a character
-- the font lacks is shown by its number.
package.path = os.getenv "RNNLAB_SOURCE" .. "/tests/lua/?.lua;" .. package.path
local core = require "rnnlab.core"
local document = require "rnnlab.report.document"
local entries = require "rnnlab.report.entries"
local fixture = require "sweep_fixture"
local report = require "rnnlab.report"

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return text
end

if shell "command -v lualatex" == "" or shell "command -v pdftotext" == "" then
  describe("reports in LaTeX", function() pending "there is no lualatex or no pdftotext" end)
  return
end

describe("reports in LaTeX", function()
  local folder
  before_each(function() folder = shell('mktemp -d "${TMPDIR:-/tmp}/rnnlab-tex.XXXXXX"'):gsub("%s+$", "") end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function path(name) return folder .. "/" .. name end
  local function words_of(name) return (shell(("pdftotext -layout '%s' -"):format(path(name)))) end
  local function pdf_of(name, doc)
    report.file(path(name), "pdf", function() return doc, {} end)
    return words_of(name)
  end

  it("compile as a standalone .tex with its figures, without a table that sticks out", function()
    report.file(path "r.tex", "tex", function(state) return entries.of_sweep(fixture.sweep(60, 3), nil, state) end)
    local said = shell(("cd '%s' && lualatex --interaction=nonstopmode --halt-on-error --no-shell-escape r.tex; "
      .. "echo $?"):format(folder))
    assert.matches("\n0%s*$", said)
    for points in said:gmatch "Overfull \\hbox %(([%d.]+)pt" do
      assert.is_true(tonumber(points) < 12, points)
    end
    local text = words_of "r.pdf"
    for _, word in ipairs { "Best configuration", "Ranking", "0.966 ± 0.017", "What did not finish", "60 trials",
      "rnnlab sweep s.lua" } do
      assert.is_truthy(text:find(word, 1, true), word)
    end
  end)

  it("are the same bytes each time", function()
    local sweep = fixture.sweep(12, 1)
    for _, name in ipairs { "a.pdf", "b.pdf" } do
      report.file(path(name), "pdf", function(state) return entries.of_sweep(sweep, nil, state) end)
    end
    assert.equal(core.host.sha256_file(path "a.pdf"), core.host.sha256_file(path "b.pdf"))
    assert.equal("a.pdf\nb.pdf\n", shell(("ls -A '%s'"):format(folder)))
  end)

  it("show a character the font lacks by its number", function()
    local doc = document.new "Characters"
    doc:text("naïve Straße łódź œuvre, ± × − · µ ² …")
    doc:text("日 א 😀 λ")
    local text = pdf_of("c.pdf", doc)
    for _, word in ipairs { "naïve", "Straße", "łódź", "±", "×", "U+65E5", "U+05D0", "U+1F600" } do
      assert.is_truthy(text:find(word, 1, true), word)
    end
  end)

  it("say what LaTeX stumbled over, and leave nothing", function()
    local doc = document.new "x"
    doc:add { kind = "figure", name = "broken", caption = "", alt = "", pdf = path "broken.pdf" }
    core.host.write_file(path "broken.pdf", "no PDF")
    local ok, problem = pcall(report.file, path "x.pdf", "pdf", function() return doc, {} end)
    assert.is_false(ok)
    assert.matches("lualatex failed %(status %d+%)", problem.message)
    assert.equal("broken.pdf\n", shell(("ls -A '%s'"):format(folder)))
  end)

  it("take 2,000 hostile words as text; nothing runs", function()
    local seeds = { "\\input{%s/secret}", "\\immediate\\write18{touch %s/evil}", "\\directlua{io.open('%s/evil','w')}",
      "\\end{document}", "$x^2$ & %% # _ ~ ^ { } \\", "^^5cinput secret", "`touch %s/evil`", "$(touch %s/evil)", "\"'`",
      "--- -- ``x'' ?` !`", "\\\\[1em]", "\\cr \\par \\noalign{x}", "a\nb\r\n\r\nc", "שלום", "مرحبا", "日本語",
      "\u{202E}x", "\0\1\27[31m", "\xFF\xC0", "}{", "\\begin{verbatim}", "<script>", "%%s %%d", "[x]", "]", "*", "\\" }
    local doc = document.new "Hostile"
    core.host.write_file(path "secret.tex", "SECRETWORD")
    local rows, n = {}, 0
    for i = 1, 2000 do
      local word = seeds[(i - 1) % #seeds + 1]:gsub("%%s", function() return folder end) .. " " .. i
      n = n + 1
      if i % 100 == 0 then doc:section(word) elseif i % 5 == 0 then doc:text(word, { code = word }, { strong = word })
      elseif i % 7 == 0 then doc:list { word } elseif i % 97 == 0 then doc:code(word)
      else rows[#rows + 1] = { word, { text = word, code = true } } end
    end
    doc:table { columns = { seeds[1], seeds[5] }, rows = rows, caption = table.concat(seeds, " ") }
    doc:text(("x"):rep(10000))
    doc:table { columns = { "a", ("\\"):rep(300) }, caption = "long",
      rows = { { ("y"):rep(10000), ("é&"):rep(5000) } } }
    local text = pdf_of("h.pdf", doc)
    assert.is_nil(text:find("SECRETWORD", 1, true))
    assert.is_false(core.host.exists(path "evil"))
    assert.equal(2000, n)
    for _, word in ipairs { "\\directlua", "\\end{document}", "\\begin{verbatim}", "<script>", "U+202Ex" } do
      assert.is_truthy(text:find(word, 1, true), word)
    end
    -- the last of them is there: nothing ended the document before
    assert.is_truthy(text:find("1999", 1, true))
    assert.is_truthy(text:find("(10000 characters)", 1, true))
  end)
end)
