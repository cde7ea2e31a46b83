-- figure_golden_spec.lua: every kind of figure, drawn and compared with what it said before: its texts, marks, images
-- and colours (tests/figures/golden.txt), not its pixels. A figure that is meant to look otherwise:
-- cmake --build --preset ci --target make_golden contact_sheet
local core = require "rnnlab.core"
local figure = require "rnnlab.figure"
local source = assert(os.getenv "RNNLAB_SOURCE", "run by CTest")
local structure = dofile(source .. "/tests/figures/structure.lua")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

describe("figures of every kind", function()
  local folder = os.tmpname()
  os.remove(folder)
  local golden = {}
  for name, body in (read(source .. "/tests/figures/golden.txt") .. "== "):gmatch "== ([%w_]+)\n(.-)%f[=\0]%f[=]" do
    golden[name] = body
  end
  local list = {}
  for i, item in ipairs(dofile(source .. "/tests/figures/gallery.lua")) do
    list[i] = figure.describe(item.make(), item.name)
  end
  local files, problem = core.plot.write(list, folder, { "svg", "png", "pdf", "tex" })

  it("are drawn in every format", function()
    assert.is_nil(problem)
    assert.equal(4 * #list, #files)
    assert.is_true(#list >= 20)
  end)

  for _, one in ipairs(list) do
    it("say what they said: " .. one.name, function()
      assert.equal(golden[one.name], structure(read(("%s/%s.svg"):format(folder, one.name))))
      assert.matches("^\137PNG", read(("%s/%s.png"):format(folder, one.name)))
      local pdf = read(("%s/%s.pdf"):format(folder, one.name))
      assert.matches("^%%PDF", pdf)
      assert.matches("/CreationDate %(D:20000101000000", pdf)
      local tex = read(("%s/%s.tex"):format(folder, one.name))
      assert.matches("\\includegraphics%[[^%]]*%]{" .. one.name .. "%-tex}", tex)
      for _, name in ipairs { "latex", "part" } do
        assert.is_nil(tex:find("{" .. one.name .. "-tex." .. name, 1, true))
      end
    end)
  end

  it("tell structure from structure", function()
    local one = structure "<svg viewBox='0 0 1 1'><text><tspan>a &lt; b</tspan></text><use x/>rgb( 37,  99, 235)</svg>"
    assert.equal("size 0 0 1 1\nmarks 1, images 0, dashed no\ncolours #2563EB\ntext a < b\n", one)
  end)

  teardown(function() os.execute("rm -rf '" .. folder .. "'") end)
end)
