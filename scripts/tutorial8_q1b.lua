-- Tutorial 8, question 1(b): the same network as a Jordan network, which feeds back its output.
--
--     h(t) = tanh(Uᵀ x(t) + Wᵀ y(t−1) + b),  y(t) = sigmoid(Vᵀ h(t) + c),  y(0) = 0
--
--     rnnlab run scripts/tutorial8_q1b.lua --steps
--
-- The tutorial's answer: y = .27 .71 .96 .16.
--
-- Slips in its text, none in its answers: the sizes, as in 1(a), and a Vᵀ printed with three entries,
-- (2.0 −1.5 0.2), where V has two.

local r = require "rnnlab"

return r.experiment {
  data = { {1, 2, -1}, {-1, 1, -2}, {0, 3, 1}, {2, -1, 0} }, -- x(1) ... x(4)
  model = r.rnn("jordan", 3, 2, 1, { output = "sigmoid",
    U = { {-1.0, 0.5}, {0.5, 0.1}, {0.2, -2.0} }, -- inputs to hidden
    W = { {2.0, 1.3} },                           -- output to hidden, one step later
    b = { 0.2, 0.2 },
    V = { {2.0}, {-1.5} },                        -- hidden to output
    c = { 0.5 } }),
}
