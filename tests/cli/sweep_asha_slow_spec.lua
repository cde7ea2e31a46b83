-- sweep_asha_slow_spec.lua: what a pruner is for. On the tutorial's task asha finds, over five seeds, a configuration
-- within 5 % (median) of the best of a full search of 100 configurations, with less than a quarter of its epochs, which
-- are enough for 170.
local cli = require "helper"

local function sweep(words)
  local got = cli.run(("sweep %s/scripts/tutorial8_q2.lua lr hidden=3..12 coef=1 --sampler random "
    .. "epochs=2000 --keep none --quiet --json %s"):format(cli.quote(cli.root), words))
  assert.equal(0, got.code, got.err)
  local o, epochs = cli.json(cli.last_line(got.out)), 0
  for _, trial in ipairs(o.trials) do epochs = epochs + trial.epochs end
  return o.best.value, epochs
end

describe("asha", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("finds nearly the best of a full search for a quarter of its epochs", function()
    local ratios = {}
    for seed = 1, 5 do
      local full, all = sweep("--trials 100 --seed " .. seed)
      local found, some = sweep(("--trials 170 --seed %d --pruner asha --deterministic"):format(seed))
      assert.is_true(some <= all / 4, ("seed %d: %d of %d epochs"):format(seed, some, all))
      ratios[seed] = found / full
    end
    table.sort(ratios)
    assert.is_true(ratios[3] <= 1.05, table.concat(ratios, " "))
  end)
end)
