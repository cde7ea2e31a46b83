-- rnnlab.starter owns `rnnlab new NAME`: a commented script to start from, which runs as it is.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"

local starter = {}

local script = [==[
-- @NAME@: an experiment for rnnlab.
--
--     rnnlab run @FILE@                      runs it; figures and numbers go to results/
--     rnnlab run @FILE@ hidden=16 lr=0.003   with other parameters
--     rnnlab check @FILE@                    checks the gradients
--     rnnlab plot last show=2                draws another sequence

local r = require "rnnlab"

return r.experiment {
  -- What can be set from the command line: a default, and a type with its range where that matters.
  params = {
    cell = r.choice{"elman", "jordan"},        -- what is fed back: the hidden state, or the output
    hidden = r.int(8, 1, 256),
    lr = r.real(.01, 1e-5, 1, "log"),
    epochs = 2000,
    noise = .05,
  },

  -- Sequences as tensors of (batch, time, feature). rng is the run's own stream of random numbers: the same
  -- seed gives the same data. The task here is a running mean, y(t) = (x(t) + x(t-1) + x(t-2)) / 3.
  data = function(p, rng)
    local x = rng:uniform(16, 50, 1)
    local y = p.noise * rng:normal(16, 50, 1)
    y[{{}, {3, -1}}]:add((x[{{}, {3, -1}}] + x[{{}, {2, -2}}] + x[{{}, {1, -3}}]) / 3)
    return {
      train = { x = x[{{1, 12}}], y = y[{{1, 12}}] },
      val   = { x = x[{{13, 16}}], y = y[{{13, 16}}] }, -- not trained on; its loss is val_loss
    }
  end,

  -- r.rnn(cell, inputs, hidden units, outputs, options)
  model = function(p)
    return r.rnn(p.cell, 1, p.hidden, 1, { activation = "tanh", output = "linear" })
  end,

  loss = "mse",        -- or "sse", which sums over outputs
  optimizer = "adam",  -- or "sgd", "momentum"; lr comes from the parameters
  clip_norm = 5,       -- rescale the gradient where its norm is larger

  -- Called after every epoch. What is logged becomes a column of metrics.csv. Costs a little time, so it is
  -- switched off here; take the dashes away to use it.
  -- on_epoch = function(run)
  --   run:log{ half_loss = run.loss / 2 }
  --   if run.loss < 1e-3 then run:stop() end
  -- end,
}
]==]

-- options: name ("first", "first.lua" or a path), json, quiet.
function starter.new(options)
  local path = options.name
  if path == "" or path:find "[%c]" or path:find "/$" then
    errors.usage("'%s' is no name for a script", (path:gsub("%c", "?")))
  end
  if not path:find "%.lua$" then path = path .. ".lua" end
  if core.host.exists(path) then
    errors.failure("%s exists already; it was left as it is", path)
  end
  local name = path:match "([^/]+)%.lua$"
  if not name then errors.usage("'%s' is no name for a script", path) end
  local filled = script:gsub("@(%u+)@", { NAME = name, FILE = path })
  core.host.write_file(path, filled)
  if options.json then
    io.stdout:write(core.json.encode { script = path }, "\n")
  elseif not options.quiet then
    io.stdout:write(("wrote %s; run it with: rnnlab run %s\n"):format(path, path))
  end
  return 0
end

return starter
