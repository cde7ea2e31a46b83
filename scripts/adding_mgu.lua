-- The adding problem (Hochreiter & Schmidhuber 1997, as in Le et al. 2015): two of T numbers are marked, and after the
-- last step their sum is wanted. With a minimal gated unit (Zhou et al. 2016) written here, or any built-in cell:
--     rnnlab run scripts/adding_mgu.lua            rnnlab run scripts/adding_mgu.lua cell=lstm T=100
-- Always answering 1 costs 1/6. Which cell, how wide, which rate: rnnlab sweep scripts/adding_mgu.lua --pruner asha
local r = require "rnnlab"

local mgu = r.cell {
  name = "mgu",
  weights = function(n, h) return { U = {n, h}, W = {h, h}, b = {h}, Uf = {n, h}, Wf = {h, h}, bf = {h} } end,
  step = function(w, x, h)
    local f = r.sigmoid(x:mm(w.Uf) + h:mm(w.Wf) + w.bf)
    return (1 - f) * h + f * r.tanh(x:mm(w.U) + (f * h):mm(w.W) + w.b)
  end,
}

-- n sequences: x (n, T, 2) of a number in [0, 1) and a mark, y (n, 1) the sum of the two marked numbers.
local function adding(rng, n, T)
  local numbers, marks, y = rng:uniform(n, T, 1), r.zeros(n, T, 1), r.zeros(n, 1)
  for i = 1, n do
    local first = rng:integer(1, T // 2)
    local second = rng:integer(T // 2 + 1, T)
    marks[{i, first, 1}], marks[{i, second, 1}] = 1, 1
    y[{i, 1}] = numbers[{i, first, 1}] + numbers[{i, second, 1}]
  end
  return { x = r.cat({ numbers, marks }, 3), y = y }
end

return r.experiment {
  params = { cell = r.choice({ mgu = mgu, lstm = "lstm", gru = "gru", elman = "elman" }, "mgu"),
             hidden = r.int(16, 4, 64), T = r.int(50, 10, 1000), lr = r.real(.01, 1e-4, 1e-1, "log"),
             epochs = 60, batch_size = 32 },
  data = function(p, rng) return { train = adding(rng, 1000, p.T), val = adding(rng, 200, p.T) } end,
  model = function(p) return r.rnn(p.cell, 2, p.hidden, 1, { last = true }) end,
  loss = "mse", clip_norm = 1,
  sweep = { "cell", "hidden", "lr", trials = 200, repeats = 5, objective = "val_loss" },
}
