-- sweep_asha_slow_spec.lua: what a pruner is for. On the tutorial's task, over twenty seeds, asha with its usual
-- settings tries the same 100 configurations as a full search, spends at most a quarter of its epochs for every seed,
-- and its best is, in the median, within 5 % of the full search's best. One worker, so that the figures do not depend
-- on who was faster; docs/sweeps.md has those with more.
local cli = require "helper"

local seeds, trials, length = 20, 100, 2000

local function sweep(words)
  local got = cli.run(("sweep %s/scripts/tutorial8_q2.lua lr hidden=3..12 coef=1 --sampler random --trials %d "
    .. "epochs=%d --keep none --quiet --json %s"):format(cli.quote(cli.root), trials, length, words))
  assert.equal(0, got.code, got.err)
  local o, epochs, tried = cli.json(cli.last_line(got.out)), 0, {}
  assert.equal(trials, #o.trials)
  for i, trial in ipairs(o.trials) do
    epochs = epochs + trial.epochs
    tried[i] = ("%d %d %.17g"):format(trial.trial, trial.params.hidden, trial.params.lr)
  end
  return o.best.value, epochs, tried
end

describe("asha", function()
  before_each(cli.fresh)
  after_each(cli.clean)

  it("finds nearly the best of a full search for a quarter of its epochs", function()
    local ratios, spent, within = {}, 0, 0
    for seed = 1, seeds do
      local full, all, whole = sweep("--seed " .. seed)
      local found, some, tried = sweep(("--seed %d --pruner asha --jobs 1"):format(seed))
      assert.same(whole, tried)
      assert.equal(trials * length, all)
      assert.is_true(some <= all / 4, ("seed %d: %d of %d epochs"):format(seed, some, all))
      ratios[seed], spent = found / full, spent + some / all
      if ratios[seed] <= 1.05 then within = within + 1 end
    end
    table.sort(ratios)
    local median = (ratios[seeds // 2] + ratios[seeds // 2 + 1]) / 2
    print(("asha's best over the full search's: median %.3f, worst %.2f, within 5 %% for %d of %d seeds; %.1f %% of "
      .. "the epochs"):format(median, ratios[seeds], within, seeds, 100 * spent / seeds))
    assert.is_true(median <= 1.05, table.concat(ratios, " "))
  end)
end)
