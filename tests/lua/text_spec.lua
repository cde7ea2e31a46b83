-- What a person reads: numbers, durations, tables, "did you mean".
local text = require "rnnlab.text"

describe("rnnlab.text", function()
  it("writes significant digits without exponents a person would not use", function()
    assert.equal("0.05790", text.significant(0.0579))
    assert.equal("12.30", text.significant(12.3))
    assert.equal("1234", text.significant(1234.4))
    assert.equal("2.100e-7", text.significant(2.1e-7))
    assert.equal("1.000", text.significant(0.99999))
    assert.equal("0", text.significant(0))
    assert.equal("nan", text.significant(0 / 0))
    assert.equal("-inf", text.significant(-math.huge))
  end)

  it("never writes minus zero", function()
    assert.equal("0.00", text.fixed(-0.001, 2))
    assert.equal("-0.01", text.fixed(-0.006, 2))
    assert.equal("0.00", text.fixed(-1e-17, 2))
  end)

  it("writes values as they are typed, and reads them back the same", function()
    for _, value in ipairs { .01, 5, 5.0, 1e-5, .1, 1 / 3, 1e20, 123456.789, -2.5 } do
      assert.equal(value, tonumber(text.value(value)))
    end
    assert.equal("1e-5", text.value(1e-5))
    assert.equal("5", text.value(5.0))
    assert.equal("true", text.value(true))
  end)

  it("writes durations and counts", function()
    assert.equal("45.1 ms", text.duration(.0451))
    assert.equal("12.3 s", text.duration(12.345))
    assert.equal("1 min 40 s", text.duration(100))
    assert.equal("1 h 01 min", text.duration(3700))
    assert.equal("1,234,567", text.thousands(1234567))
    assert.equal("1 weight", text.count(1, "weight"))
    assert.equal("0 epochs", text.count(0, "epoch"))
  end)

  it("finds the word that was meant, and none where none is near", function()
    local known = { "hidden", "lr", "epochs", "noise" }
    assert.equal("hidden", text.nearest("hiden", known))
    assert.equal("hidden", text.nearest("hdiden", known))
    assert.equal("epochs", text.nearest("Epoch", known))
    assert.is_nil(text.nearest("momentum", known))
    assert.equal("", text.did_you_mean("zzz", known))
    assert.equal(1, text.distance("ab", "ba"))
    assert.equal(3, text.distance("", "abc"))
  end)

  it("aligns columns by characters, not bytes", function()
    assert.same({ "Uᵀ   1", "b   10" }, text.table({ { "Uᵀ", "1" }, { "b", "10" } }, { "left" }))
  end)

  it("leaves words out where a line has no room for them, and cuts what is too long still", function()
    local words = { "5 of 9", "2 running", "3 pruned", "best é 0.1", "4 s left" }
    local whole = "5 of 9   2 running   3 pruned   best é 0.1   4 s left"
    assert.equal(whole, text.fitting(words, { 2, 3 }, utf8.len(whole)))
    assert.equal("5 of 9   3 pruned   best é 0.1   4 s left", text.fitting(words, { 2, 3 }, utf8.len(whole) - 1))
    assert.equal("5 of 9   best é 0.1   4 s left", text.fitting(words, { 2, 3 }, 30))
    assert.equal("5 of 9   best é", text.fitting(words, { 2, 3 }, 15))
    assert.equal("5 of", text.fitting(words, {}, 4))
  end)

  it("says what is left in whole seconds", function()
    assert.same({ "0 s left", "1 s left", "13 s left", "99 s left", "1 min 40 s left", "2 h 10 min left" },
      { text.left(0), text.left(.03), text.left(12.2), text.left(98.5), text.left(99.6), text.left(7800) })
  end)

  it("makes one line of any text", function()
    assert.equal("a b?c", text.one_line("a \n  b\27c"))
  end)
end)
