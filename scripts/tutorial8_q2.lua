-- Tutorial 8, question 2: train a 3-5-2 network on 8 sequences of 100 steps.
--
--     y1(t) = 5 x1(t) − coef x3(t−1) + .1ε        y2(t) = 25 x2(t−1) x3(t−3) + .1ε
--
--     rnnlab run scripts/tutorial8_q2.lua
--     rnnlab run scripts/tutorial8_q2.lua coef=1 seed=2 show=3
--     rnnlab run scripts/tutorial8_q2.lua cell=jordan epochs=2000
--     rnnlab run scripts/tutorial8_q2.lua coef=1 optimizer=lm epochs=200
--
-- The tutorial's formula has coef = .2; its code leaves the factor out, which is coef=1.
-- Its code feeds back h(t−1), an Elman network, the default here; its matrix formula feeds back Y(t−1),
-- cell=jordan. Jordan learns this task badly: y2 needs x3 of three steps ago, and all that a Jordan
-- network carries from step to step are its two outputs. Expect a best loss of 13 to 21
-- where Elman ends near 0.8, and leaps on the way: the last epoch may be far above the best.
-- optimizer=lm (Levenberg-Marquardt) gets in 200 epochs where adam does not get in 10,000.
-- The output is linear for both (targets reach 25).

local r = require "rnnlab"

return r.experiment {
  params = { cell = r.choice{"elman", "jordan", "lstm"}, hidden = r.int(5, 1, 64),
             lr = r.real(.01, 1e-4, 1e-1, "log"), epochs = 10000, coef = .2, noise = .1,
             optimizer = r.choice{"adam", "lm", "lbfgs", "sgd", "rprop"} },

  data = function(p, rng)
    local x, y = rng:uniform(8, 100, 3), p.noise * rng:normal(8, 100, 2)
    local x1, x2, x3 = x:unbind(3)
    -- Steps whose past does not exist keep their noise alone, as in the tutorial's code.
    y[{{}, {2, -1}, 1}]:add(5 * x1[{{}, {2, -1}}] - p.coef * x3[{{}, {1, -2}}])
    y[{{}, {4, -1}, 2}]:add(25 * x2[{{}, {3, -2}}] * x3[{{}, {1, -4}}])
    return { train = { x = x, y = y } }
  end,

  model = function(p) return r.rnn(p.cell, 3, p.hidden, 2) end,

  loss = "sse",       -- mean over sequences and steps of the squared error summed over outputs
}
