-- NARMA10 (Atiya & Parlos 2000), the usual test of a reservoir's memory: from random inputs u in [0, .5)
--     y(t+1) = .3 y(t) + .05 y(t) (y(t) + ... + y(t-9)) + 1.5 u(t-9) u(t) + .1
-- is to be told. An echo-state network with its inputs connected to the read-out, or any other cell:
--     rnnlab run scripts/narma10_esn.lua          rnnlab run scripts/narma10_esn.lua hidden=400 lambda=1e-8
--     rnnlab run scripts/narma10_esn.lua cell=lstm hidden=32 train_by=adam epochs=500
-- A shift register of ten inputs comes to an NRMSE of about .4.
local r = require "rnnlab"

local function narma10(rng, n)
  local u, y = rng:uniform(n):tolist(), { 0 }
  for t = 1, n do
    u[t] = u[t] / 2
  end
  for t = 1, n do
    local sum = 0
    for i = math.max(1, t - 9), t do
      sum = sum + y[i]
    end
    y[t + 1] = .3 * y[t] + .05 * y[t] * sum + 1.5 * (u[t - 9] or 0) * u[t] + .1
  end
  return { x = r.tensor(u):view(1, n, 1), y = r.tensor(y):narrow(1, 2, n):view(1, n, 1) }
end

return r.experiment {
  params = { cell = r.choice { "esn", "elman", "gru", "lstm" }, hidden = r.int(200, 5, 2000),
             radius = r.real(.9, 0, 2), leak = r.real(1, .01, 1), input_scale = r.real(.3, 1e-3, 10, "log"),
             lambda = r.real(1e-8, 0, 1), steps = r.int(4000, 300, 100000), epochs = 1000, lr = .003,
             train_by = r.choice { "ridge", "adam" } },
  data = function(p, rng) return { train = narma10(rng, p.steps), test = narma10(rng, 2000) } end,
  model = function(p)
    local own = p.cell == "esn" and { radius = p.radius, leak = p.leak, input_scale = p.input_scale, bias_scale = .2,
      density = math.min(1, 20 / p.hidden), direct = true } or nil
    return r.rnn(p.cell, 1, p.hidden, 1, own)
  end,
  loss = "mse",
  optimizer = function(p) return p.train_by == "ridge" and { "ridge", lambda = p.lambda } or p.train_by end,
  washout = 100, metrics = { "nrmse" },
  analysis = function(run)
    local loss = run:evaluate "test"
    return { test_nrmse = (loss / run.data.test.y:var():item()) ^ .5 }
  end,
}
