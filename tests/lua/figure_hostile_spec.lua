-- figure_hostile_spec.lua: 2,000 hostile texts through svg, png, pdf, tex and the terminal. Nothing runs, nothing
-- breaks, and the text can be read. What LaTeX makes of the tex files is tested in tests/tex/.
local core = require "rnnlab.core"
local source = assert(os.getenv "RNNLAB_SOURCE", "run by CTest")
local hostile = dofile(source .. "/tests/figures/hostile.lua")
local figures_of = dofile(source .. "/tests/figures/hostile_figures.lua")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- Is the text XML that a strict reader takes? Elements nest, entities are known, no control byte is there.
local function check_xml(name, text)
  assert.is_truthy(utf8.len(text), name .. ": no UTF-8")
  assert.is_nil(text:find "[%z\1-\8\11\12\14-\31]", name .. ": a control byte")
  local body = text:gsub("<!%-%-.-%-%->", ""):gsub("<%?.-%?>", ""):gsub("<!%[CDATA%[.-%]%]>", "")
  for entity in body:gmatch "&([^;]?[^;]?[^;]?[^;]?[^;]?[^;]?);?" do
    assert.is_truthy(entity:find "^amp" or entity:find "^lt" or entity:find "^gt" or entity:find "^quot"
      or entity:find "^apos" or entity:find "^#", name .. ": &" .. entity)
  end
  local open = {}
  for closing, tag, rest in body:gmatch "<(/?)([%a:]+)([^<>]*)>?" do
    assert.is_nil(tag:lower():find "script", name)
    assert.is_nil(rest:lower():find "%son%a+%s*=", name)
    if closing == "/" then
      assert.equal(table.remove(open), tag, name)
    elseif not rest:find "/%s*$" then
      open[#open + 1] = tag
    end
  end
  assert.equal(0, #open, name)
end

-- Braces of a LaTeX text balance, and no special character stands unescaped where a text stands.
local function check_latex(name, text)
  assert.is_truthy(utf8.len(text), name .. ": no UTF-8")
  text = text:gsub("^%%[^\n]*\n%%[^\n]*\n%%[^\n]*\n", "") -- its own first lines speak of \input
  local depth = 0
  local bare = text:gsub("\\[\\{}%%]", "")
  for brace in bare:gmatch "[{}]" do
    depth = depth + (brace == "{" and 1 or -1)
    assert.is_true(depth >= 0, name)
  end
  assert.equal(0, depth, name)
  for _, word in ipairs { "\\input", "\\immediate", "\\write", "\\directlua", "\\def\\x", "\\verb", "\\catcode" } do
    assert.is_nil(text:find(word, 1, true), name .. ": " .. word)
  end
end

describe("hostile texts", function()
  local folder = os.tmpname()
  os.remove(folder)
  local trap = folder .. "-trap"
  local texts = hostile(trap)
  local list = figures_of(texts)

  it("are two thousand", function()
    assert.is_true(#texts >= 2000)
    assert.is_true(#list >= 80)
  end)

  it("come out of every format as text, and run nowhere", function()
    local files, problem = core.plot.write(list, folder, { "svg", "png", "pdf", "tex" })
    assert.is_nil(problem)
    assert.equal(4 * #list, #files)
    assert.is_nil(io.open(trap, "rb"))
    assert.is_nil(io.open(folder .. "/TRAP", "rb"))
    for _, one in ipairs(list) do
      local svg = read(("%s/%s.svg"):format(folder, one.name))
      check_xml(one.name, svg)
      check_latex(one.name, read(("%s/%s.tex"):format(folder, one.name)))
      -- the title is drawn as it was written, once it is cleaned and cut to its room
      local title = core.plot.preview_text(one.title, 12, false):gsub("%s+$", "")
      local plain = svg:gsub("&lt;", "<"):gsub("&gt;", ">"):gsub("&quot;", '"'):gsub("&apos;", "'"):gsub("&amp;", "&")
      assert.is_truthy(plain:find(title, 1, true), one.name .. ": " .. title)
    end
  end)

  it("are the same bytes when they are drawn again", function()
    local some = { list[1], list[7], list[#list] }
    assert(core.plot.write(some, folder .. "/again", { "svg", "png", "pdf", "tex" }))
    for _, one in ipairs(some) do
      for _, ending in ipairs { ".svg", ".png", ".pdf", ".tex", "-tex.pdf", ".gp", ".dat" } do
        if ending ~= ".gp" then
          assert.is_true(read(folder .. "/" .. one.name .. ending) == read(folder .. "/again/" .. one.name .. ending),
            one.name .. ending)
        end
      end
    end
  end)

  it("come out of the terminal's previews as text", function()
    local preview = require "rnnlab.figure.preview"
    for _, one in ipairs(list) do
      for _, ascii in ipairs { false, true } do
        local said = preview.text(one, { ascii = ascii, width = 60, height = 8 })
        assert.is_truthy(utf8.len(said), one.name)
        assert.is_nil(said:find "[%z\1-\9\11-\31\127]", one.name)
        if ascii then assert.is_nil(said:find "[\128-\255]", one.name) end
      end
    end
    os.execute("rm -rf '" .. folder .. "'")
    assert.is_nil(io.open(trap, "rb"))
  end)
end)
