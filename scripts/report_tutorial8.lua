-- Tutorial 8, question 2, once more: the same experiment, with something to say in its report.
--
--     rnnlab run scripts/report_tutorial8.lua seed=1        (and seed=2, 3, ...)
--     rnnlab report tutorial8-1 tutorial8-2 tutorial8-3 -o tutorial8.html       (.md, .tex, .pdf)
--
-- ./bootstrap report makes the whole of it, and a sweep's.

local r = require "rnnlab"
local q2 = require "tutorial8_q2"

-- Mean and deviation of a metric over the runs that have it.
local function over(runs, name)
  local sum, squares, n = 0, 0, 0
  for _, run in ipairs(runs) do
    local value = run.metrics[name]
    if value and run.status == "finished" then sum, squares, n = sum + value, squares + value ^ 2, n + 1 end
  end
  if n == 0 then return "none" end
  local mean = sum / n
  return { number = mean, deviation = n > 1 and math.sqrt(math.max(0, squares - n * mean ^ 2) / (n - 1)) or nil }
end

return r.experiment {
  name = "tutorial8",
  params = q2.params, data = q2.data, model = q2.model, loss = q2.loss, optimizer = q2.optimizer,

  report = function(q)
    local p = q.params
    q:section "The task"
    q:text("Two outputs follow three random inputs: y1 needs the input of one step before, y2 the product of inputs ",
      "one and three steps before. The formula's factor is ", { code = "coef" }, " = ", p.coef, "; on both lies ",
      "normal noise of deviation ", p.noise, ", so that no model can be expected below a loss of ",
      2 * p.noise ^ 2, ".")

    if q.sweep then return end -- what follows is about runs

    q:section "What is left"
    local rows = {}
    for k, output in ipairs { "y1", "y2" } do
      rows[k] = { output, over(q.runs, "loss_" .. output), over(q.runs, "rmse_" .. output),
        over(q.runs, "r2_" .. output) }
    end
    q:table { columns = { "output", "loss", "RMSE", "R²" }, rows = rows,
      caption = ("Each output by itself, over %d runs."):format(#q.runs) }

    local predictions = q.run.predictions()
    if predictions then
      local target, predicted = predictions.target:select(3, 2), predictions.predicted:select(3, 2)
      local f = r.figure { name = "residuals", title = "What y2's prediction misses", xlabel = "target y₂",
        ylabel = "predicted − target", height = 70 }
      f:points(target:reshape(target:numel()), (predicted - target):reshape(target:numel()), { scale = .6 })
      q:figure(f, ("Residuals of y2 against its target, every step of every sequence of %s."):format(q.run.name))
    end
  end,
}
