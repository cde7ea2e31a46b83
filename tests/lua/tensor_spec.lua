-- tensor_spec.lua: the tensors of rnnlab.core as a script sees them.
local r = require "rnnlab.core"

-- The message of an error raised by f(...), without its position.
local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal("string", type(text))
  assert.is_nil(text:find "\n")
  return (text:gsub("^.-:%d+: ", "", 1))
end

local function list(t)
  return t:tolist()
end

after_each(function()
  r.set_default_dtype "float32"
end)

describe("making tensors", function()
  it("takes nested tables", function()
    local t = r.tensor { { 1, 2, -1 }, { -1, 1, -2 } }
    assert.are.same({ 2, 3 }, t:size())
    assert.are.equal(2, t:size(1))
    assert.are.equal(3, t:size(-1))
    assert.are.equal(2, #t)
    assert.are.equal(2, t:dim())
    assert.are.equal(6, t:nelement())
    assert.are.equal("float32", t:dtype())
    assert.are.same({ { 1, 2, -1 }, { -1, 1, -2 } }, list(t))
    assert.are.same({ 0 }, r.tensor({}):size())
    assert.are.equal(0, r.tensor(3):dim())
    assert.are.equal(3, r.tensor(3):item())
  end)

  it("copies a tensor", function()
    local a = r.tensor { 1, 2 }
    local b = r.tensor(a, "float64")
    b[1] = 5
    assert.are.same({ 1, 2 }, list(a))
    assert.are.equal("float64", b:dtype())
  end)

  it("knows the usual makers", function()
    assert.are.same({ { 0, 0 } }, list(r.zeros(1, 2)))
    assert.are.same({ { 0, 0 } }, list(r.zeros { 1, 2 }))
    assert.are.same({ 1, 1 }, list(r.ones(2)))
    assert.are.same({ .5, .5 }, list(r.full({ 2 }, .5)))
    assert.are.same({ { 1, 0, 0 }, { 0, 1, 0 } }, list(r.eye(2, 3)))
    assert.are.same({ 0, .5, 1 }, list(r.linspace(0, 1, 3)))
    assert.are.same({ 1, 2, 3 }, list(r.arange(3)))
    assert.are.same({ 2, 4, 6 }, list(r.arange(2, 6, 2)))
    assert.are.same({ 3, 2, 1 }, list(r.arange(3, 1, -1)))
    assert.are.same({}, list(r.arange(3, 1)))
    local tenths = r.arange(0, 1, .1, "float64")
    assert.are.equal(11, #tenths)
    assert.are.equal("float64", tenths:dtype())
    assert.are.equal("float64", r.zeros(2, "double"):dtype())
  end)

  it("has a default dtype for each state", function()
    assert.are.equal("float32", r.default_dtype())
    r.set_default_dtype "float64"
    assert.are.equal("float64", r.get_default_dtype())
    assert.are.equal("float64", r.zeros(1):dtype())
    assert.are.equal("float64", r.tensor({ 1 }):dtype())
    assert.are.equal("set_default_dtype: there is no dtype 'int8'; it is 'float32' or 'float64'",
      message(r.set_default_dtype, "int8"))
  end)

  it("names the bad entry of a table", function()
    assert.are.equal("tensor: row (2) has 1 entries, where the first has 2", message(r.tensor, { { 1, 2 }, { 3 } }))
    assert.are.equal("tensor: entry (2, 1) is a string; a number is expected",
      message(r.tensor, { { 1 }, { "3" } }))
    assert.are.equal("tensor: entry (2) is a number; a table is expected", message(r.tensor, { { 1 }, 2 }))
    assert.are.equal("tensor: entry (1) is nil; a number is expected", message(r.tensor, { nil, 2, 3 }))
    assert.are.equal("tensor: entry (1) is a tensor; a number is expected", message(r.tensor, { r.zeros(1) }))
    assert.are.equal("tensor is a boolean; a tensor or nested tables of numbers are expected",
      message(r.tensor, true))
    local own = {}
    own[1] = own
    assert.are.equal("tensor: tables nested deeper than 8 (or a table that holds itself)", message(r.tensor, own))
  end)

  it("refuses absurd sizes", function()
    assert.is_truthy(message(r.zeros, 1e6, 1e6):find "^zeros: a %(1000000, 1000000%) float32 tensor needs 4.0 TB")
    assert.are.equal("zeros: a (1000000000000, 1000000000000) tensor is too large", message(r.zeros, 1e12, 1e12))
    assert.are.equal("zeros: size 1 is 1e+300; it must be a whole number", message(r.zeros, 1e300))
    assert.are.equal("ones: size 2 is 2.5; it must be a whole number", message(r.ones, 1, 2.5))
    assert.is_truthy(message(r.zeros, 0 / 0):find "^zeros: size 1 is %-?nan; it must be a whole number$")
    assert.are.equal("zeros: size 1 is -1; it must be at least 0", message(r.zeros, -1))
    assert.are.equal("zeros: size 1 is a table; it must be a whole number", message(r.zeros, { { 1 } }))
    assert.are.equal("zeros: 9 sizes; at most 8 dimensions are possible", message(r.zeros, 1, 1, 1, 1, 1, 1, 1, 1, 1))
    assert.is_truthy(message(r.arange, 1e15):find "^arange: a %(1000000000000000%)")
    assert.is_truthy(message(r.arange, 0, 1, 0):find "is no range$")
    assert.is_truthy(message(r.arange, 1e300):find "is too long$")
    assert.is_truthy(message(r.linspace, 0, 1, 1e14):find "^linspace: a ")
    assert.is_truthy(message(r.eye, 1e7):find "^eye: a ")
  end)

  it("allows tensors without elements", function()
    local t = r.zeros(0, 3)
    assert.are.same({}, list(t))
    assert.are.equal("[float32 tensor of 0x3]", tostring(t))
    assert.are.same({ 0, 3 }, (t + 1):size())
    assert.are.same({ 0, 2 }, t:mm(r.zeros(3, 2)):size())
    assert.are.same({ { 0, 0 }, { 0, 0 } }, list(r.zeros(2, 0):mm(r.zeros(0, 2))))
    assert.are.equal(0, t:sum():item())
    assert.are.same({ 0, 0, 0 }, list(t:sum(1)))
    assert.are.equal("max: a (0, 3) tensor has no elements", message(t.max, t))
    assert.are.same({ 0, 3 }, r.cat({ t, t }):size())
    assert.are.equal(0, select("#", t:unbind()))
  end)
end)

describe("indexing", function()
  local t
  before_each(function()
    t = r.arange(24):view(2, 3, 4)
  end)

  it("selects and slices as Torch does", function()
    assert.are.same({ { 13, 14, 15, 16 }, { 17, 18, 19, 20 }, { 21, 22, 23, 24 } }, list(t[2]))
    assert.are.same(list(t[2]), list(t[-1]))
    assert.are.equal(7, t[{ 1, 2, 3 }])
    assert.are.equal(7, t[1][2][3])
    assert.are.same({ { 5, 9 }, { 17, 21 } }, list(t[{ {}, { 2, -1 }, 1 }]))
    assert.are.same({ { { 4, 8, 12 } } }, list(t[{ { 1 }, {}, 4 }]:unsqueeze(1):view(1, 1, 3)))
    assert.are.same({ 1, 1, 4 }, t[{ { 1 }, { 2 } }]:size())
    assert.are.same({ 13, 15 }, list(t[{ 2, 1, { 1, 4, 2 } }]))
    assert.are.same({ 13 }, list(t[{ 2, 1, { 1, 4, math.maxinteger } }]))
    assert.are.same({ 15, 16 }, list(t[{ 2, 1, { -2, -1 } }]))
    assert.are.same({ 2, 0, 4 }, t[{ {}, { 4, -1 } }]:size()) -- starts just past the end: empty
    assert.are.same({ 0, 3, 4 }, t[{ { 1, 0 } }]:size())
    assert.are.same(list(t), list(t[{}]))
  end)

  it("gives views", function()
    t[{ {}, 2 }]:fill(0)
    assert.are.same({ 0, 0, 0, 0 }, list(t[{ 2, 2 }]))
    assert.are.equal(9, t[{ 1, 3, 1 }])
  end)

  it("assigns", function()
    t[1] = 0
    assert.are.equal(0, t[1]:abs():sum():item())
    t[{ 2, {}, 1 }] = { 7, 8, 9 }
    assert.are.same({ 7, 8, 9 }, list(t[{ 2, {}, 1 }]))
    t[{ 1, 1, 1 }] = 3.5
    assert.are.equal(3.5, t[{ 1, 1, 1 }])
    t[{ {}, {}, { 3, 4 } }] = r.tensor { -1, -2 } -- broadcast
    assert.are.same({ { { -1, -2 }, { -1, -2 }, { -1, -2 } }, { { -1, -2 }, { -1, -2 }, { -1, -2 } } },
      list(t[{ {}, {}, { 3, 4 } }]))
    local v = r.arange(5)
    v[{ { 2, 5 } }] = v[{ { 1, 4 } }] -- overlapping
    assert.are.same({ 1, 1, 2, 3, 4 }, list(v))
    v[2] = r.tensor(9)
    assert.are.equal(9, v[2])
  end)

  it("says what is wrong in the user's terms", function()
    local x = r.zeros(8, 100, 3)
    local function index(key)
      return message(function()
        return x[key]
      end)
    end
    assert.are.equal("tensor index: 9 is outside dimension 1 of size 8 of a (8, 100, 3) tensor", index(9))
    assert.are.equal("tensor index: 0 is outside dimension 1 of size 8 of a (8, 100, 3) tensor", index(0))
    assert.are.equal("tensor index: -101 is outside dimension 2 of size 100 of a (8, 100, 3) tensor",
      index { 1, -101 })
    assert.are.equal("tensor index: 102 is outside dimension 2 of size 100 of a (8, 100, 3) tensor",
      index { 1, { 102, 102 } })
    assert.are.equal("tensor index: 101 is outside dimension 2 of size 100 of a (8, 100, 3) tensor",
      index { 1, { 101 } })
    assert.are.equal("tensor index: the range {5, 3} runs backwards in dimension 1 of a (8, 100, 3) tensor",
      index { { 5, 3 } })
    assert.are.equal("tensor index: 4 indices for a (8, 100, 3) tensor", index { 1, 1, 1, 1 })
    assert.are.equal("tensor index: 1.5 is not a whole number", index(1.5))
    assert.are.equal("tensor index: a boolean cannot index a tensor", index(true))
    assert.are.equal("tensor index: a string cannot index a tensor", index { "a" })
    assert.are.equal("tensor index: a range of 4 numbers for dimension 1; it is {first, last, step}",
      index { { 1, 2, 3, 4 } })
    assert.are.equal("tensor index: a step of 0; it must be at least 1", index { { 1, 2, 0 } })
    assert.are.equal("tensor index: a scalar has no dimensions; item() reads it", message(function()
      return r.tensor(1)[1]
    end))
    assert.are.equal("tensor assignment: a (2) tensor does not fit (100, 3)", message(function()
      x[1] = r.zeros(2)
    end))
    assert.are.equal("tensor assignment is nil; a tensor or nested tables of numbers are expected", message(function()
      x[1] = nil
    end))
    assert.are.equal("a tensor has no field 'foo' to set", message(function()
      x.foo = 1
    end))
    assert.is_nil(x.foo)
  end)

  it("gives the script's line", function()
    local ok, text = pcall(load("local t = ...\n\nreturn t[99]", "@script.lua"), t)
    assert.is_false(ok)
    assert.are.equal("script.lua:3: tensor index: 99 is outside dimension 1 of size 2 of a (2, 3, 4) tensor", text)
    local library = load("return function(t) return t:narrow(1, 1, 99) end", "=rnnlab.inner")()
    ok, text = pcall(load("local f, t = ...\nf(t)", "@script.lua"), library, t)
    assert.is_false(ok)
    assert.are.equal("script.lua:2: narrow: 99 from 1 do not fit dimension 1 of size 2 of a (2, 3, 4) tensor", text)
  end)
end)

describe("shapes", function()
  local t
  before_each(function()
    t = r.arange(6):view(2, 3)
  end)

  it("are changed by views", function()
    assert.are.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, list(t:t()))
    assert.are.same(list(t:t()), list(t:transpose(1, -1)))
    assert.are.same({ { 2, 3 }, { 5, 6 } }, list(t:narrow(2, 2, 2)))
    assert.are.same({ 4, 5, 6 }, list(t:select(1, -1)))
    assert.are.same({ 1, 2, 3, 4, 5, 6 }, list(t:view(-1)))
    assert.are.same({ 1, 4, 2, 5, 3, 6 }, list(t:t():reshape(6)))
    assert.are.same({ 1, 2, 3 }, t:unsqueeze(1):size())
    assert.are.same({ 2, 3, 1 }, t:unsqueeze(-1):size())
    assert.are.same({ 2, 3 }, t:unsqueeze(1):unsqueeze(4):squeeze():size())
    assert.are.same({ 2, 3, 1 }, t:unsqueeze(1):unsqueeze(4):squeeze(1):size())
    assert.are.same({ { 1, 1 }, { 2, 2 } }, list(r.tensor({ { 1 }, { 2 } }):expand(-1, 2)))
    assert.is_false(t:t():is_contiguous())
    assert.is_true(t:t():contiguous():is_contiguous())
    assert.are.same({ 3, 1 }, t:stride())
    assert.are.equal(3, t:t():stride(2))
    local a, b, c = t:unbind(2)
    assert.are.same({ 1, 4 }, list(a))
    assert.are.same({ 3, 6 }, list(c))
    b:fill(0)
    assert.are.equal(0, t[{ 2, 2 }])
  end)

  it("are joined", function()
    assert.are.same({ { 1, 2, 3, 1 }, { 4, 5, 6, 2 } }, list(r.cat({ t, r.tensor { { 1 }, { 2 } } }, 2)))
    assert.are.same({ 4, 3 }, r.cat({ t, t }):size())
    assert.are.same({ { 1, 4 }, { 2, 5 } }, list(r.stack({ r.tensor { 1, 2 }, r.tensor { 4, 5 } }, 2)))
    assert.are.same({ 2 }, r.stack({ r.tensor(1), r.tensor(2) }):size())
    local many = {}
    for i = 1, 100 do
      many[i] = r.tensor { i }
    end
    assert.are.same(list(r.arange(100)), list(r.cat(many)))
  end)

  it("say what is wrong", function()
    assert.are.equal("view: a (2, 3) tensor of 6 elements cannot become (4, 2)", message(t.view, t, 4, 2))
    assert.is_truthy(message(t.view, t:t(), 6):find "call contiguous%(%) first$")
    assert.are.equal("reshape: size 1 is -2; it must be at least -1", message(t.reshape, t, -2))
    assert.are.equal("size: there is no dimension 3 in a (2, 3) tensor", message(t.size, t, 3))
    assert.are.equal("size: there is no dimension 0 in a (2, 3) tensor", message(t.size, t, 0))
    assert.are.equal("narrow: 3 from 2 do not fit dimension 2 of size 3 of a (2, 3) tensor",
      message(t.narrow, t, 2, 2, 3))
    assert.are.equal("select: 4 is outside dimension 2 of size 3 of a (2, 3) tensor", message(t.select, t, 2, 4))
    assert.is_truthy(message(t.t, r.zeros(2)):find "a matrix is expected, not a %(2%) tensor")
    assert.are.equal("expand: a (2, 3) tensor cannot be stretched to (2, 4)", message(t.expand, t, 2, 4))
    assert.are.equal("cat: (2, 3) and (2) do not join along dimension 1", message(r.cat, { t, r.zeros(2) }))
    assert.are.equal("cat: entry 2 is a number; a tensor is expected", message(r.cat, { t, 1 }))
    assert.are.equal("cat: the table holds no tensors", message(r.cat, {}))
    assert.are.equal("stack: (2, 3) and (2); all shapes must be equal", message(r.stack, { t, r.zeros(2) }))
    assert.is_truthy(message(t.unbind, r.zeros(20000)):find "are too many")
    assert.is_truthy(message(t.unsqueeze, r.zeros(1, 1, 1, 1, 1, 1, 1, 1), 1):find "8 dimensions already")
  end)
end)

describe("arithmetic", function()
  it("works elementwise with broadcasting", function()
    local a, b = r.tensor { { 1, 2 }, { 3, 4 } }, r.tensor { 10, 20 }
    assert.are.same({ { 11, 22 }, { 13, 24 } }, list(a + b))
    assert.are.same({ { 9, 18 }, { 7, 16 } }, list(b - a))
    assert.are.same({ { 10, 40 }, { 30, 80 } }, list(a * b))
    assert.are.same({ { 10, 10 } }, list((b / a)[{ { 1 } }]))
    assert.are.same({ { -1, -2 }, { -3, -4 } }, list(-a))
    assert.are.same({ { 1, 4 }, { 9, 16 } }, list(a ^ 2))
    assert.are.same({ { 1, 8 }, { 27, 64 } }, list(a ^ 3))
    assert.are.same({ { 2, 4 }, { 8, 16 } }, list(2 ^ a))
    assert.are.same({ { 0, -1 }, { -2, -3 } }, list(1 - a))
    assert.are.same({ { 1, 2 }, { 3, 3 } }, list(r.minimum(a, 3)))
    assert.are.same({ { 3, 3 }, { 3, 4 } }, list(r.maximum(3, a)))
    assert.are.same({ { 11, 21 }, { 12, 22 } }, list(r.tensor { { 1 }, { 2 } } + b))
  end)

  it("keeps dtypes apart, except for scalars", function()
    local single, double = r.zeros(2), r.zeros(2, "float64")
    assert.are.equal("float64", (double + r.tensor(1)):dtype())
    assert.are.equal("float32", (single + 1.5):dtype())
    assert.are.equal("float32", single:to("float64"):float():dtype())
    assert.are.equal("float64", single:double():dtype())
    assert.are.equal("add: a (2) float32 tensor with a (2) float64 one; convert one of them with to()",
      message(function()
        return single + double
      end))
    assert.is_truthy(message(single.add, single, double):find "^add: a float32 tensor with a float64 one")
    assert.are.equal("to: there is no dtype 'int'; it is 'float32' or 'float64'", message(single.to, single, "int"))
  end)

  it("has the functions", function()
    local x = r.tensor({ -1, 0, 2 }, "float64")
    for name, f in pairs {
      exp = math.exp, sin = math.sin, cos = math.cos, abs = math.abs,
      tanh = function(v) return (math.exp(v) - math.exp(-v)) / (math.exp(v) + math.exp(-v)) end,
      sigmoid = function(v) return 1 / (1 + math.exp(-v)) end,
      relu = function(v) return math.max(v, 0) end,
      square = function(v) return v * v end,
      sign = function(v) return v > 0 and 1 or v < 0 and -1 or 0 end,
    } do
      local expected = r.tensor({ f(-1), f(0), f(2) }, "float64")
      assert.is_true(r[name](x):allclose(expected, 1e-14, 1e-15), name)
      assert.is_true(x[name](x):allclose(expected, 1e-14, 1e-15), name)
      assert.is_true(math.abs(r[name](.5) - f(.5)) < 1e-14, name)
    end
    assert.is_true(r.log(x + 2):allclose(r.tensor({ 0, math.log(2), math.log(4) }, "float64"), 1e-14))
    assert.is_true(r.sqrt(x + 2):allclose(r.tensor({ 1, math.sqrt(2), 2 }, "float64"), 1e-14))
  end)

  it("multiplies matrices", function()
    local a, b = r.tensor { { 1, 2 }, { 3, 4 } }, r.tensor { { 1, 0, 2 }, { 0, 1, 3 } }
    assert.are.same({ { 1, 2, 8 }, { 3, 4, 18 } }, list(a:mm(b)))
    assert.are.same({ { 1, 2, 8 }, { 3, 4, 18 } }, list(r.mm(a, b)))
    assert.are.same({ 5, 4, 3 }, r.zeros(5, 4, 2):mm(b):size())
    assert.are.equal(11, r.tensor({ 1, 2 }):dot(r.tensor { 3, 4 }):item())
    assert.are.equal("mm: (2, 3) and (2, 2): 3 columns against 2 rows", message(a.mm, b, a))
    assert.are.equal("mm: (2) and (2, 2); expected (m, k) and (k, n), or (batch, time, k) and (k, n)",
      message(a.mm, a[1], a))
    assert.are.equal("dot: (2) and (3); two vectors of one length are expected", message(a.dot, a[1], b[1]))
  end)

  it("reduces", function()
    local x = r.tensor { { 1, 2, 3 }, { 4, 5, 9 } }
    assert.are.equal(24, x:sum():item())
    assert.are.equal(4, x:mean():item())
    assert.are.same({ 5, 7, 12 }, list(x:sum(1)))
    assert.are.same({ { 2 }, { 6 } }, list(x:mean(2, true)))
    assert.are.equal(1, x:min():item())
    local values, places = x:max(2)
    assert.are.same({ 3, 9 }, list(values))
    assert.are.same({ 3, 3 }, list(places))
    assert.are.same({ { 1, 2, 3 } }, list((x:min(1, true))))
    assert.is_true(math.abs(x:std():item() - math.sqrt(8)) < 1e-6)
    assert.are.equal(8, x:var():item())
    assert.are.same({ 4.5, 4.5, 18 }, list(x:var(1)))
    assert.are.equal(5, r.tensor({ 3, 4 }):norm():item())
    local nan = r.tensor({ 1, 0 / 0, 3 }):max():item()
    assert.is_true(nan ~= nan)
    assert.are.equal("sum: there is no dimension 3 in a (2, 3) tensor", message(x.sum, x, 3))
  end)

  it("compares", function()
    local a = r.tensor { 1, 2 }
    assert.is_true(a:equal { 1, 2 })
    assert.is_false(a:equal { 1, 2.5 })
    assert.is_false(a:equal { 1, 2, 3 })
    assert.is_true(a:allclose { 1.000001, 2 })
    assert.is_false(r.tensor({ 0 / 0 }):allclose { 0 / 0 })
    assert.is_true(r.tensor({ 1 / 0 }):allclose { 1 / 0 })
    assert.is_true(a == a)
    assert.is_false(a == r.tensor { 1, 2 })
    assert.is_true(a:max() > 1 and a:max() <= 2 and 3 > a:sum() == false)
    assert.are.equal("comparison: a tensor of one element is expected, not a (2) one", message(function()
      return a < 3
    end))
  end)

  it("refuses what is no number", function()
    local a = r.zeros(2)
    for _, bad in ipairs { "1", true, {}, print } do
      assert.is_truthy(message(function()
        return a + bad
      end):find "tensors and numbers are expected$")
    end
    assert.are.equal("nil * a tensor: tensors and numbers are expected", message(function()
      return nil * a
    end))
    assert.are.equal("add: (2) and (3) do not broadcast", message(function()
      return a + r.zeros(3)
    end))
    assert.are.equal("mm: argument 1 is nil; a tensor is expected", message(function()
      return (a:mm())
    end):gsub("nothing", "nil"))
  end)
end)

describe("changing in place", function()
  it("returns the tensor itself", function()
    local y = r.ones(2, 2)
    assert.is_true(y:add(1) == y)
    assert.are.same({ { 2, 2 }, { 2, 2 } }, list(y))
    y:add(2, r.tensor { 1, 2 }):sub(1):mul(2):div(r.tensor { { 1 }, { 2 } })
    assert.are.same({ { 6, 10 }, { 3, 5 } }, list(y))
    assert.are.same({ { 0, 0 }, { 0, 0 } }, list(y:clone():zero()))
    y:copy { { 1, 2 }, { 3, 4 } }
    y:add(y:t())
    assert.are.same({ { 2, 5 }, { 5, 8 } }, list(y))
    y:copy(1)
    assert.are.same({ { 1, 1 }, { 1, 1 } }, list(y))
    local v = r.arange(4)
    v[{ { 2, 4 } }]:add(v[{ { 1, 3 } }])
    assert.are.same({ 1, 3, 5, 7 }, list(v))
  end)

  it("follows the tutorial's lags", function()
    local x, y = r.arange(10):view(1, 5, 2), r.zeros(1, 5, 1)
    local x1, x2 = x:unbind(3)
    y[{ {}, { 2, -1 }, 1 }]:add(5 * x1[{ {}, { 2, -1 } }] - 2 * x2[{ {}, { 1, -2 } }])
    assert.are.same({ { 0, 11, 17, 23, 29 } }, list(y:squeeze(3)))
  end)

  it("says what is wrong", function()
    local y = r.zeros(2)
    assert.are.equal("add: a (3) tensor does not fit (2) in place", message(y.add, y, r.zeros(3)))
    assert.are.equal("add: a (2, 2) tensor does not fit (2) in place", message(y.add, y, r.zeros(2, 2)))
    assert.is_truthy(message(y.add, y, r.zeros(2), 3):find "as in y:add%(2, x%)$")
    assert.is_truthy(message(y.fill, y, "a"):find "a number is expected$")
    assert.are.equal("copy: a (3) tensor does not fit (2)", message(y.copy, y, r.zeros(3)))
  end)
end)

describe("gradients", function()
  it("flow back to parameters", function()
    local w = r.tensor({ { 1, 2 }, { 3, 4 } }, "float64"):requires_grad_()
    local x = r.tensor({ { 1, -1 } }, "float64")
    assert.is_true(w:requires_grad())
    assert.is_false(x:requires_grad())
    assert.is_nil(w:grad())
    local loss = (x:mm(w)[{ {}, 2 }] ^ 2):sum()
    assert.is_true(loss:requires_grad())
    loss:backward()
    assert.are.same({ { 0, -4 }, { 0, 4 } }, list(w:grad()))
    loss:backward() -- overwritten, not added
    assert.are.same({ { 0, -4 }, { 0, 4 } }, list(w:grad()))
    w:sub(.5, w:grad()) -- a parameter may be changed in place
    assert.are.same({ { 1, 4 }, { 3, 2 } }, list(w))
  end)

  it("pass through every way of looking", function()
    local w = r.arange(6, nil, nil, "float64"):view(2, 3):requires_grad_()
    local joined = r.cat({ w:t():unsqueeze(1), r.stack({ w[1], w[2] }, 2):unsqueeze(1) }, 3)
    local part = joined:narrow(3, 2, 2):squeeze(1)[{ { 1, 3, 2 } }]:reshape(-1)
    part:mean():backward()
    assert.are.same({ { .25, 0, .25 }, { .25, 0, .25 } }, list(w:grad()))
  end)

  it("are not lost in silence", function()
    local w = r.ones(2):requires_grad_()
    local y = w * 2
    assert.is_truthy(message(y.add, y, 1):find "^add: in place on a computed tensor")
    assert.is_truthy(message(function()
      y[1] = 3
    end):find "^tensor assignment: in place on a computed tensor")
    local z = r.zeros(2)
    assert.is_truthy(message(z.add, z, y):find "gradient of a computed tensor would be lost")
    z:add(y:detach())
    assert.are.same({ 2, 2 }, list(z))
    assert.is_truthy(message(y.requires_grad_, y):find "detach")
    assert.is_truthy(message(y.backward, y):find "^backward: ")
    assert.is_truthy(message(z.backward, z:sum()):find "^backward: ")
    assert.is_truthy(message(y.to, y, "float64"):find "^to: ")
    local cut = r.no_grad(function(v)
      return v * 2
    end, w)
    assert.is_false(cut:requires_grad())
    assert.are.equal("in the middle", message(function()
      r.no_grad(function()
        error("in the middle", 0)
      end)
    end))
    assert.is_true((w * 2):requires_grad()) -- the pause has ended
  end)
end)

describe("printing", function()
  it("shows a matrix", function()
    assert.are.equal(" -1.000  0.500\n  0.500  0.100\n[float32 tensor of 2x2]",
      tostring(r.tensor { { -1, .5 }, { .5, .1 } }))
    assert.are.equal("2.5", tostring(r.tensor(2.5)))
  end)
end)
