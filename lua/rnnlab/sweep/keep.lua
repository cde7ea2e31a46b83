-- rnnlab.sweep.keep owns the run folders of a sweep, results/SWEEP/trial-N/: which trials have one when it is over.
-- Those that were kept on the way and are no longer among the best are removed; those that are and have none (repeats,
-- two objectives, scripts with callbacks) are trained once more, to the same bits, as runs: one that is cut in that
-- goes on from its checkpoint.
local checkpoint = require "rnnlab.checkpoint"
local core = require "rnnlab.core"
local plans = require "rnnlab.sweep.plan"

local keep = {}

-- The trials that are to have a folder: { number = true }. Of a configuration with repeats it is the first.
local function wanted(ledger)
  local plan, list = ledger.plan, {}
  if plan.keep == "all" then
    for number, line in pairs(ledger.trials) do
      if line.status == "finished" then list[number] = true end
    end
    return list
  end
  local most = math.tointeger(tonumber(plan.keep:match "%d+" or "0"))
  for rank, config in ipairs(ledger:ranked()) do
    if rank > most then break end
    list[ledger:trial_number(config.number, 1)] = true
  end
  return list
end

local function has_folder(dir, number)
  local bytes = core.host.read_file(("%s/trial-%d/run.json"):format(dir, number))
  local ok, json = pcall(core.json.decode, bytes or "")
  return ok and json.status == "finished"
end

-- Train one again, in a state of its own. Its message, or nil where it went well.
local function train(sweep, ledger, study, number, states)
  local plan = ledger.plan
  local line = ledger.trials[number]
  local config = ledger.configs[line.config]
  local script, cwd = plans.place(plan)
  local folder = ("%s/trial-%d"):format(sweep.dir, number)
  local order = { script = script, cwd = cwd, copy = sweep.dir, trust = plan.trust,
    results = sweep.dir:match "^(.*)/[^/]*$" or ".", sweep = sweep.name, trial = number, every = plan.checkpoint_every,
    overrides = plans.overrides(plan, study, config.point, line.seed - plan.seed),
    goes_on = core.host.exists(folder .. "/" .. checkpoint.file) and folder or nil }
  if not order.goes_on then core.host.remove_folder(folder) end
  local ok, problem = pcall(states.call, states, "rnnlab.sweep.keep", "run", core.json.encode(order))
  if not ok and order.goes_on and not core.stop_requested() then -- what there was is of no use
    order.goes_on = nil
    core.host.remove_folder(folder)
    ok, problem = pcall(states.call, states, "rnnlab.sweep.keep", "run", core.json.encode(order))
  end
  return not ok and tostring(problem) or nil
end

-- In that state.
function keep.run(message)
  local order = core.json.decode(message)
  if order.goes_on then
    require("rnnlab.resume").resume { run = order.goes_on, results = order.results, plot = false, quiet = true,
      silent = true, checkpoint_every = order.every }
    return "done"
  end
  require("rnnlab.runner").run { script = order.script, cwd = order.cwd, copy = order.copy, trust = order.trust,
    results = order.results, folder = ("%s/trial-%d"):format(order.sweep, order.trial), sweep = order.sweep,
    trial = order.trial, overrides = order.overrides, plot = false, quiet = true, silent = true,
    checkpoint_every = order.every }
  return "done"
end

-- Bring the folders of a sweep up to date. Returns what could not be done, or nil.
function keep.settle(sweep, ledger, study)
  local list = wanted(ledger)
  local states, problem
  local numbers = {}
  for number in pairs(list) do numbers[#numbers + 1] = number end
  table.sort(numbers)
  for number, line in pairs(ledger.trials) do
    if not list[number] and line.run then
      pcall(core.host.remove_folder, ("%s/%s"):format(sweep.dir, line.run))
      line.run = nil
    end
  end
  for _, number in ipairs(numbers) do
    if core.stop_requested() then return problem end
    if not has_folder(sweep.dir, number) then
      states = states or core.fresh_states()
      problem = train(sweep, ledger, study, number, states) or problem
    end
    ledger.trials[number].run = has_folder(sweep.dir, number) and "trial-" .. number or nil
  end
  return problem
end

return keep
