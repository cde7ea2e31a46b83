-- sweep_fixture.lua: sweeps as rnnlab.sweeps.load gives them, made by hand.
local fixture = {}

-- A sequence without state beyond itself (Lehmer's).
local function sequence(seed)
  local x = seed
  return function()
    x = x * 48271 % 2147483647
    return x / 2147483647
  end
end

--- n trials of `repeats` seeds each over cell, hidden and lr; some pruned, diverged and failed.
function fixture.sweep(n, repeats, dir)
  local u, trials, cells = sequence(20240), {}, { "elman", "lstm", "gru" }
  local params
  for number = 1, n do
    local config = (number - 1) // repeats + 1
    if (number - 1) % repeats == 0 then
      params = { cell = cells[1 + math.floor(3 * u())], hidden = 4 + math.floor(60 * u()), lr = 10 ^ (-4 + 3 * u()) }
    end
    local value = .5 + (math.log(params.lr, 10) + 2.5) ^ 2 + 8 / params.hidden + (params.cell == "elman" and .4 or 0)
      + .1 * u()
    local trial = { number = number, config = config, seed = 1 + (number - 1) % repeats, params = params,
      status = "finished", value = value, values = { value }, metrics = { loss = value }, epochs = 200,
      curve = { steps = { 1, 100, 200 }, values = { 4 * value, 2 * value, value } }, wall_s = .1 + u() }
    local fate = config % 23
    if fate == 7 then
      trial.status, trial.value, trial.values, trial.error = "diverged", nil, {}, "the loss is no longer finite"
    elseif fate == 11 then
      trial.status, trial.value, trial.values, trial.error = "failed", nil, {}, "script.lua:12: out of ideas"
    elseif fate == 13 then
      trial.status, trial.value, trial.values, trial.epochs = "pruned", nil, {}, 50
    end
    trials[number] = trial
  end
  return { name = "tutorial8-q2-sweep-1", dir = dir or "nowhere", experiment = "tutorial8-q2", script = "s.lua",
    status = "finished", objective = { { name = "val_loss", direction = "min" } }, repeats = repeats, planned = n,
    swept = { "cell", "hidden", "lr" },
    params = { { name = "cell", kind = "choice", choices = cells, text = "elman,lstm,gru" },
      { name = "hidden", kind = "int", low = 4, high = 64, text = "4..64" },
      { name = "lr", kind = "real", low = 1e-4, high = .1, log = true, text = "log:1e-4..1e-1" } },
    options = { space = { { name = "cell", space = "elman,lstm,gru" }, { name = "hidden", space = "4..64" },
      { name = "lr" } },
      sampler = "random", trials = n // repeats, pruner = "median", seed = 1, fixed = { "epochs=200" } },
    trials = trials, record = {} }
end

return fixture
