-- rng_spec.lua: the random streams of rnnlab.core.
local r = require "rnnlab.core"

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return (text:gsub("^.-:%d+: ", "", 1))
end

after_each(function()
  r.set_default_dtype "float32"
end)

describe("a random stream", function()
  it("is a function of seed, purpose and index", function()
    local a = r.rng(7, "data"):uniform(20):tolist()
    assert.are.same(a, r.rng(7, "data"):uniform(20):tolist())
    assert.are.same(a, r.rng(7, "data", 0):uniform(20):tolist())
    for _, other in ipairs { r.rng(8, "data"), r.rng(7, "init"), r.rng(7, "data", 1), r.rng(7) } do
      assert.are_not.same(a, other:uniform(20):tolist())
    end
    assert.are.same(r.rng(7):uniform(3):tolist(), r.rng(7, "user"):uniform(3):tolist())
    assert.is_truthy(tostring(r.rng(7, "data")):find "seed 7, data, 0")
  end)

  it("draws the same numbers in both precisions", function()
    local double = r.rng(1):uniform(1000, "float64"):tolist()
    local single = r.rng(1):uniform(1000):tolist()
    for i = 1, 1000 do
      assert(math.abs(double[i] - single[i]) <= 2 ^ -24)
    end
    r.set_default_dtype "float64"
    assert.are.equal("float64", r.rng(1):normal(2):dtype())
    assert.are.same(double, r.rng(1):uniform(1000):tolist())
    assert.are.equal(double[1], r.rng(1):uniform())
  end)

  it("is uniform in [0, 1)", function()
    local x = r.rng(3):uniform(100, 1000)
    assert.is_true(x:min() >= 0)
    assert.is_true(x:max() < 1)
    assert.is_true(math.abs(x:mean():item() - .5) < .005)
    assert.is_true(math.abs(x:var():item() - 1 / 12) < .001)
    assert.are.same({ 8, 100, 3 }, r.rng(1):uniform(8, 100, 3):size())
    assert.are.same({ 8, 3 }, r.rng(1):uniform({ 8, 3 }):size())
    assert.are.same({ 0 }, r.rng(1):uniform(0):size())
  end)

  it("is normal", function()
    local x = r.rng(3):normal(100000, "float64")
    assert.is_true(math.abs(x:mean():item()) < .015)
    assert.is_true(math.abs(x:std():item() - 1) < .01)
    assert.is_true(math.abs((x ^ 3):mean():item()) < .05)
    assert.is_true(math.abs((x ^ 4):mean():item() - 3) < .15)
    assert.are.equal("number", type(r.rng(3):normal()))
  end)

  it("draws integers, both ends included", function()
    local g, seen = r.rng(5), {}
    for _ = 1, 6000 do
      local k = g:integer(-2, 3)
      assert(math.type(k) == "integer")
      seen[k] = (seen[k] or 0) + 1
    end
    for k = -2, 3 do
      assert.is_true(seen[k] > 850 and seen[k] < 1150)
    end
    assert.are.equal(4, g:integer(4, 4))
    assert.are.equal("integer", math.type(g:integer(math.mininteger, math.maxinteger)))
    assert.is_true(g:integer(math.maxinteger - 1, math.maxinteger) >= math.maxinteger - 1)
  end)

  it("permutes", function()
    local p = r.rng(2):permutation(100)
    assert.are_not.equal(table.concat(p, " "), table.concat(r.rng(3):permutation(100), " "))
    assert.are.equal(table.concat(p, " "), table.concat(r.rng(2):permutation(100), " "))
    table.sort(p)
    for i = 1, 100 do
      assert(p[i] == i)
    end
    assert.are.same({}, r.rng(2):permutation(0))
    local x = r.arange(5)
    assert.are.same({ 5, 1 }, x:index(1, { 5, 1 }):tolist())
  end)

  it("says what is wrong", function()
    local g = r.rng(1)
    assert.are.equal("rng: the seed is nothing; it must be a whole number", message(r.rng))
    assert.are.equal("rng: the seed is 1.5; it must be a whole number", message(r.rng, 1.5))
    assert.are.equal("rng: there is no purpose 'x'; it is data, init, shuffle, dropout, script or user",
      message(r.rng, 1, "x"))
    assert.are.equal("rng: the index is -1; it must be between 0 and 4294967295", message(r.rng, 1, "data", -1))
    assert.are.equal("uniform: size 1 is 2.5; it must be a whole number", message(g.uniform, g, 2.5))
    assert.is_truthy(message(g.normal, g, 1e6, 1e6, 1e6):find "^normal: a ")
    assert.are.equal("integer: there is none from 3 to 2", message(g.integer, g, 3, 2))
    assert.is_truthy(message(g.permutation, g, -1):find "^permutation: ")
    assert.is_truthy(message(g.uniform, 3):find "a random stream is expected$")
  end)

  it("keeps its metatable to itself", function()
    local rng = r.rng(1, "user")
    assert.is_nil(rng.__index)
    assert.is_false(getmetatable(rng))
  end)
end)
