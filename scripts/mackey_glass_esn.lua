-- The Mackey-Glass series (tau = 17) by an echo-state network, as in Jaeger & Haas 2004 ("Harnessing nonlinearity"):
-- the reservoir learns to predict the next value, its read-out solved for by ridge regression, and then runs on with
-- its own predictions. NRMSE84 is the error 84 steps on, over the series' deviation:
--     rnnlab run scripts/mackey_glass_esn.lua dtype=float64
local r = require "rnnlab"

local delay, h = 17, .1 -- of the equation, and the step it is integrated with (Runge & Kutta's fourth order)

-- x' = .2 x(t - 17) / (1 + x(t - 17)^10) - .1 x, every unit of time; n values after a transient.
local function mackey_glass(rng, n)
  local lag, past = math.floor(delay / h + .5), {}
  local function slope(x, x_lag) return .2 * x_lag / (1 + x_lag ^ 10) - .1 * x end
  for i = 0, lag do
    past[i] = 1.2 + .2 * (rng:uniform() - .5)
  end
  local at, x, values = lag, past[lag], {}
  local every, transient = math.floor(1 / h + .5), 1000
  for step = 1, (n + transient) * every do
    local a, b = past[at - lag], past[at - lag + 1]
    local k1 = slope(x, a)
    local k2 = slope(x + h / 2 * k1, (a + b) / 2)
    local k3 = slope(x + h / 2 * k2, (a + b) / 2)
    local k4 = slope(x + h * k3, b)
    x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    at = at + 1
    past[at], past[at - lag - 1] = x, nil
    if step % every == 0 and step > transient * every then values[#values + 1] = { x } end
  end
  return r.tanh(r.tensor(values) - 1):unsqueeze(1) -- (1, n, 1)
end

local horizon, runs, warm_up = 84, 100, 500

return r.experiment {
  params = { hidden = r.int(400, 10, 5000), radius = r.real(1.1, 0, 2), leak = r.real(.5, .01, 1),
             density = r.real(.05, .001, 1), input_scale = r.real(1, 1e-3, 10, "log"), bias_scale = .3,
             lambda = r.real(1e-9, 0, 1), steps = 3000 },
  data = function(p, rng)
    local series = mackey_glass(rng, p.steps + 1)
    return { x = series:narrow(2, 1, p.steps), y = series:narrow(2, 2, p.steps) }
  end,
  model = function(p)
    return r.rnn("esn", 1, p.hidden, 1, { radius = p.radius, leak = p.leak, density = p.density,
      input_scale = p.input_scale, bias_scale = p.bias_scale })
  end,
  loss = "mse", optimizer = { "ridge", washout = 100 },
  -- 84 steps on, from 100 places of a series of its own
  analysis = function(run)
    local series = mackey_glass(r.rng(run.params.seed, "data", 1), warm_up + runs * horizon + horizon)
    local prefixes, truths = {}, {}
    for i = 1, runs do
      local from = (i - 1) * horizon
      prefixes[i] = series:narrow(2, from + 1, warm_up)
      truths[i] = series:narrow(2, from + warm_up + horizon, 1)
    end
    local generated = r.nn.generate(run.model, r.cat(prefixes, 1), { steps = horizon })
    local error_ = generated:narrow(2, horizon, 1) - r.cat(truths, 1)
    return { nrmse84 = (error_:square():mean():item() / series:var():item()) ^ .5, generated = generated }
  end,
}
