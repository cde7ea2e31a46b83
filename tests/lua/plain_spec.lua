-- plain.lua: what a script keeps in run.state, as text and back.
local core = require "rnnlab.core"
local plain = require "rnnlab.plain"

local function there_and_back(value)
  local tensors = {}
  local text = plain.encode(value, tensors, "it")
  assert.is_nil(text:find "[^ -~]", "printable ASCII")
  assert.equal(text, plain.encode(value, {}, "it"))
  return plain.decode(text, tensors), text
end

describe("plain data", function()
  it("keeps numbers to the bit, and their kind", function()
    for _, value in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, .1, -0., 1 / 3, 5e-324, math.huge, -math.huge,
      2 ^ 53, 1e308 } do
      local back = there_and_back(value)
      assert.equal(math.type(value), math.type(back))
      assert.equal(string.pack("n", value), string.pack("n", back))
    end
    local nan = there_and_back(0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("keeps strings of any bytes, booleans and nil", function()
    local bytes = {}
    for b = 0, 255 do bytes[#bytes + 1] = string.char(b) end
    for _, value in ipairs { "", "plain", "a;b%c%3B", table.concat(bytes), "{}nitfds@T", true, false } do
      assert.equal(value, (there_and_back(value)))
    end
    assert.is_nil((there_and_back(nil)))
  end)

  it("keeps tables, shared ones and ones that hold themselves", function()
    local shared = { 1, 2, { x = "y" } }
    local value = { list = { 5, 4, 3 }, [1.5] = "f", [true] = false, [-3] = shared, again = shared, empty = {} }
    value.me = value
    local back = there_and_back(value)
    assert.same({ 5, 4, 3 }, back.list)
    assert.equal("f", back[1.5])
    assert.equal(false, back[true])
    assert.equal("y", back[-3][3].x)
    assert.equal(back[-3], back.again)
    assert.equal(back, back.me)
    assert.is_nil(next(back.empty))
    local holes = there_and_back { [1] = 1, [1000] = 2 }
    assert.equal(2, holes[1000])
  end)

  it("keeps tensors and random streams where they are", function()
    local a, b = core.tensor({ { 1, 2 }, { 3, 4 } }, "float64"), core.tensor { 1, 2, 3 }
    local value = there_and_back { a = a, view = a[{ {}, 1 }], b = b, same = b }
    assert.same(a:tolist(), value.a:tolist())
    assert.equal("float64", value.a:dtype())
    assert.same({ 1, 3 }, value.view:tolist())
    assert.equal(value.b, value.same)
    for words = 0, 5 do
      local rng = core.rng(7, "user", 3)
      for _ = 1, words do rng:normal() end
      local found = there_and_back(rng)
      for _ = 1, 5 do assert.equal(rng:normal(), found:normal()) end
      assert.equal(rng:uniform(), found:uniform())
    end
    assert.same({ 7, "user", 3 }, { core.rng(7, "user", 3):stream() })
    assert.is_true(core.is_rng(core.rng(1)))
    assert.is_false(core.is_rng {})
  end)

  it("refuses what it cannot keep by its place", function()
    local function refused(pattern, value)
      local passed, why = pcall(plain.encode, value, {}, "run.state")
      assert.is_false(passed)
      assert.matches(pattern, why)
    end
    refused("^run%.state%.a%[2%] is a function; only numbers", { a = { 1, print } })
    refused('^run%.state%["a b"%] is a thread', { ["a b"] = coroutine.create(print) })
    refused("^run%.state%.t is a table with a metatable", { t = setmetatable({}, {}) })
    refused("^run%.state's key is a table", { [{}] = 1 })
    local deep = {}
    for _ = 1, 500 do deep = { deep } end
    refused("tables deep", deep)
    assert.is_false((pcall(plain.encode, { core.tensor { 1 } }, nil, "x")))
  end)

  it("refuses any other text with one line and never runs it", function()
    for _, text in ipairs { "", "x", "i1", "i;", "ix;", "d00;", "dxyz;", "{", "{i1;}", "{n}", "{nn}", "@1;", "T1;",
      "R1;", "R1,nobody,0,0,;", "i1;i2;", "}", "return 1", ("{i1;"):rep(1000), "s", "T-1;", "i1e300;",
      "{d7ff8000000000000;t}" } do
      local passed, why = pcall(plain.decode, text, {})
      assert.is_false(passed, text)
      assert.is_nil(tostring(why):find("\n", 1, true))
    end
    -- every shortened text, and every one with a byte changed: refused or read, never a crash
    local text = plain.encode({ a = { 1, 2.5, "x" }, rng = core.rng(3), t = core.tensor { 1 } }, {}, "x")
    for i = 0, #text - 1 do
      assert.is_false((pcall(plain.decode, text:sub(1, i), { core.tensor { 1 } })))
    end
    for i = 1, #text do
      for _, c in ipairs { "{", "}", ";", "9", "@", "z" } do
        pcall(plain.decode, text:sub(1, i - 1) .. c .. text:sub(i + 1), { core.tensor { 1 } })
      end
    end
  end)
end)
