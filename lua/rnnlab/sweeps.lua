-- rnnlab.sweeps owns the reading of stored sweeps, for figures, reports and exports: what sweep.json and the journals
-- say, as plain tables.
local core = require "rnnlab.core"

local sweeps = {}

-- The sweep in a folder: { name, dir, experiment, script, status, objective = { { name, direction } }, params (the
-- space: { name, kind = "real"|"int"|"choice", low, high, step, log, choices, text }), swept (their names), repeats,
-- options (the plan), planned, counts (by status), trials = { { number, config, seed, params, status, value, values,
-- metrics, curve = { steps, values }, epochs, wall_s, error, run } }, best (its configuration's number) }. Trials are
-- those that ended, by number; value is nil where one did not finish. whole: with study and ledger (lua/rnnlab/sweep/).
function sweeps.load(dir, whole)
  local bytes, problem = core.host.read_file(dir .. "/sweep.json")
  if not bytes then error(problem, 0) end
  local json = core.json.decode(bytes)
  local plan = json.plan
  if type(plan) ~= "table" then error(dir .. "/sweep.json: has no plan; it is no sweep of this rnnlab", 0) end
  local study = require("rnnlab.sweep.plan").study(plan)
  local ledger = require("rnnlab.sweep.ledger").new(plan, study)
  ledger:read(dir)
  local trials = {}
  for number = 1, plan.planned do
    local line = ledger.trials[number]
    if line then
      local values, metrics, params = {}, {}, {}
      for i, value in ipairs(line.values or {}) do values[i] = core.json.number(value) end
      for name, value in pairs(line.metrics or {}) do metrics[name] = core.json.number(value) end
      for name, value in pairs(line.params or {}) do params[name] = value end
      local finished = line.status == "finished"
      trials[#trials + 1] = { number = number, config = line.config, seed = line.seed, params = params,
        status = line.status, value = finished and values[1] or nil, values = finished and values or {},
        metrics = metrics, curve = line.curve or { steps = {}, values = {} }, epochs = line.epochs,
        wall_s = line.wall_s, error = line.error, run = line.run }
    end
  end
  return { name = json.sweep, dir = dir, experiment = json.experiment, script = json.script, status = json.status,
    objective = ledger:objectives() or { { name = "loss", direction = "min" } }, params = study:dimensions(),
    swept = plan.swept, repeats = plan.repeats, options = plan, planned = plan.planned, counts = ledger.counts,
    trials = trials, best = ledger.best_at, study = whole and study or nil, ledger = whole and ledger or nil }
end

return sweeps
