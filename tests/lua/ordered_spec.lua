-- pairs and next in a fixed order.
local ordered = require "rnnlab.ordered"

local function keys(t)
  local list = {}
  for key in ordered.pairs(t) do
    list[#list + 1] = key
  end
  return list
end

describe("rnnlab.ordered", function()
  it("goes through numbers, then strings, then booleans", function()
    local t = { b = 1, a = 2, [true] = 3, [10] = 4, [-1.5] = 5, [2] = 6, [false] = 7, [1] = 8 }
    assert.same({ -1.5, 1, 2, 10, "a", "b", false, true }, keys(t))
  end)

  it("goes through lists as ipairs does, and through nothing", function()
    assert.same({ 1, 2, 3 }, keys { "x", "y", "z" })
    assert.same({}, keys {})
  end)

  it("honours __pairs and refuses what is no table", function()
    local t = setmetatable({}, { __pairs = function() return function(_, k) if not k then return 1, 2 end end end })
    assert.same({ 1 }, keys(t))
    assert.has_error(function() keys(nil) end)
  end)

  it("allows changing and removing on the way", function()
    local t = { a = 1, b = 2, c = 3 }
    local seen = {}
    for key in ordered.pairs(t) do
      seen[#seen + 1] = key
      t.b = nil
      t[key] = 5
    end
    assert.same({ "a", "c" }, seen)
  end)

  it("takes one key that is an object, last, and refuses two", function()
    local object = {}
    assert.same({ 1, "a", object }, keys { 1, a = 2, [object] = 3 })
    assert.has_error(function() keys { [{}] = 1, [{}] = 2 } end)
  end)

  it("next walks the same way, from any key", function()
    local t = { b = 1, a = 2, 3 }
    local key, value = ordered.next(t)
    assert.same({ 1, 3 }, { key, value })
    assert.same("b", (ordered.next(t, "a")))
    assert.is_nil(ordered.next(t, "b"))
    assert.is_nil(ordered.next({}))
    local seen = {}
    for k in ordered.next, t do
      seen[#seen + 1] = k
    end
    assert.same({ 1, "a", "b" }, seen)
    assert.has_error(function() ordered.next(t, "nowhere") end)
  end)
end)
