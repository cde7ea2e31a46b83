-- Tutorial 8, question 1(a): an Elman network's forward pass, by hand in the tutorial, here by machine.
--
--     h(t) = tanh(Uᵀ x(t) + Wᵀ h(t−1) + b),  y(t) = sigmoid(Vᵀ h(t) + c),  h(0) = 0
--
--     rnnlab run scripts/tutorial8_q1a.lua            the table of t, x, h and y
--     rnnlab run scripts/tutorial8_q1a.lua --steps    with every product, as one checks it by hand
--
-- The tutorial's answer: y = .27 .73 .94 .11, h(3) = (1.0, −.21), h(4) = (−.54, .98).
--
-- Two slips in its text, neither in its answers. It announces 2-dimensional inputs and three hidden
-- neurons; its matrices have 3 inputs and 2 hidden neurons, as here. And in its working the matrix printed
-- for Wᵀ is W itself, (2 1.3 / 1.5 0); its h(3) and h(4) come from the true Wᵀ, (2 1.5 / 1.3 0).

local r = require "rnnlab"

return r.experiment {
  data = { {1, 2, -1}, {-1, 1, -2}, {0, 3, 1}, {2, -1, 0} }, -- x(1) ... x(4)
  model = r.rnn("elman", 3, 2, 1, { output = "sigmoid",
    U = { {-1.0, 0.5}, {0.5, 0.1}, {0.2, -2.0} }, -- inputs to hidden
    W = { {2.0, 1.3}, {1.5, 0.0} },               -- hidden to hidden, one step later
    b = { 0.2, 0.2 },
    V = { {2.0}, {-1.5} },                        -- hidden to output
    c = { 0.5 } }),
}
