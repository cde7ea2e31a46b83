-- ledger_spec.lua: what a sweep's journals come to, in whatever order they were written.
local ledgers = require "rnnlab.sweep.ledger"

-- A ledger of so many configurations, none of which has ended.
local function ledger_of(n, direction)
  local objective = { { name = "v", direction = direction or "min" } }
  local ledger = ledgers.new { repeats = 1, planned = n, objective = objective }
  for number = 1, n do ledger:take { event = "proposal", config = number, values = { number } } end
  return ledger
end

local function ends(ledger, number, value)
  ledger:take { event = "result", config = number, trial = number, seed = 1, status = value and "finished" or "failed",
    values = value and { value } or nil }
end

describe("since_best", function()
  local values = { 5, 7, 3, 3, false, 8, 4, 9 } -- false: it failed

  it("counts the configurations behind the best, by their numbers, whichever ended first", function()
    for _, order in ipairs { { 1, 2, 3, 4, 5, 6, 7, 8 }, { 8, 7, 6, 5, 4, 3, 2, 1 }, { 3, 8, 1, 6, 2, 7, 4, 5 } } do
      local ledger = ledger_of(8)
      for _, number in ipairs(order) do ends(ledger, number, values[number]) end
      assert.equal(5, ledger:since_best())
      assert.equal(3, ledger.best.number)
    end
  end)

  it("counts those that have ended, and looks again at those that had not", function()
    local ledger = ledger_of(8)
    ends(ledger, 1, 5)
    ends(ledger, 2, 7)
    ends(ledger, 4, 3)
    ends(ledger, 6, 8)
    assert.equal(1, ledger:since_best())
    ends(ledger, 3, 3)
    assert.equal(2, ledger:since_best()) -- 4 is no better than 3, and 5 has not ended
    ends(ledger, 5, nil)
    assert.equal(3, ledger:since_best())
    ends(ledger, 8, 1)
    assert.equal(0, ledger:since_best())
  end)

  it("looks at a wave alone where it is asked to", function()
    local ledger = ledger_of(8)
    for number, value in ipairs(values) do ends(ledger, number, value) end
    local counts = {}
    for last = 1, 8 do counts[last] = ledger:since_best(last) end
    assert.same({ 0, 1, 0, 1, 2, 3, 4, 5 }, counts)
  end)

  it("is 0 where none has finished, and takes the greatest where that is the best", function()
    local ledger = ledger_of(3)
    ends(ledger, 1, nil)
    ends(ledger, 2, nil)
    assert.equal(0, ledger:since_best())
    ledger = ledger_of(4, "max")
    for number, value in ipairs { 1, 9, 3, 9 } do ends(ledger, number, value) end
    assert.equal(2, ledger:since_best())
  end)
end)
