-- rnnlab.optimizers owns the optimisers by name and their numbers: optimizer = "adam", or { kind = "lm", damping = 1 }.
-- Most take a step from the gradient of each batch; the methods (lm, lbfgs, ridge) own the whole training set an epoch.
local text = require "rnnlab.text"

local optimizers = {}

optimizers.names = { "adam", "adam_tf", "adamw", "amsgrad", "sgd", "momentum", "nesterov", "rmsprop", "adagrad",
  "adadelta", "rprop", "lm", "lbfgs", "ridge" }

local numbers = { "lr", "momentum", "beta1", "beta2", "eps", "weight_decay", "dampening", "alpha", "rho", "eta_minus",
  "eta_plus", "step_min", "step_max" }
local flags = { centered = true }

-- The numbers of a method. Only `damping` and `lambda` are taken from a parameter of that name, too: the other names
-- are common.
local methods = {
  lm = { "damping", "up", "down", "limit" },
  lbfgs = { "history", "evaluations", "tolerance" },
  ridge = { "lambda", "washout" },
}

-- Does the optimiser own whole epochs?
function optimizers.is_method(kind)
  return methods[kind] ~= nil
end

local function unknown(kind, key, known)
  error(("%s has no '%s'%s"):format(kind, tostring(key), text.did_you_mean(tostring(key), known)), 0)
end

local function number(key, value)
  if value ~= nil and type(value) ~= "number" then
    error(("the optimizer's %s must be a number, not a %s"):format(key, type(value)), 0)
  end
  return value
end

-- A method's table. What it has no use for and would change the result is refused; lr and the like are not looked at.
local function method(kind, given, p)
  local own = methods[kind]
  local known, chosen = { kind = true }, { kind = kind }
  for _, key in ipairs(own) do
    known[key] = true
    chosen[key] = number(key, given[key])
  end
  for _, key in ipairs(text.sorted_keys(given)) do
    if not known[key] then unknown(kind, key, own) end
  end
  for _, key in ipairs { "damping", "lambda" } do
    if chosen[key] == nil and known[key] then chosen[key] = number(key, rawget(p, key)) end
  end
  local decay = rawget(p, "weight_decay")
  if decay ~= nil and decay ~= 0 then
    error(("%s has no weight_decay, and it is %s; leave it at 0"):format(kind, tostring(decay)), 0)
  end
  return chosen
end

-- Fails where the optimiser cannot train on such a loss.
function optimizers.check_loss(kind, loss)
  local name = type(loss) == "table" and (loss[1] or loss.kind) or type(loss) == "string" and loss or "the script's own"
  if (kind == "lm" or kind == "ridge") and name ~= "sse" and name ~= "mse" then
    error(("%s needs a loss that is a sum of squares, sse or mse; this one is %s"):format(kind, name), 0)
  end
end

-- The checked table { kind =, lr =, ... } of what an experiment gives: a name, a table, or function(p) that returns
-- one. Numbers come from parameters of their name where the table has none; lr is .01 where nobody says.
function optimizers.parse(given, p)
  if type(given) == "function" then given = given(p) end
  if given == nil then given = "adam" end
  if type(given) == "string" then given = { kind = given } end
  if type(given) ~= "table" then
    error(("optimizer must be a name or a table, not a %s"):format(type(given)), 0)
  end
  if given[1] ~= nil and given.kind == nil then -- { "ridge", lambda = 1e-6 }
    local named = { kind = given[1] }
    for key, value in pairs(given) do
      if key ~= 1 then named[key] = value end
    end
    given = named
  end
  local kind = given.kind or "adam"
  optimizers.check(kind)
  if methods[kind] then return method(kind, given, p) end
  local chosen, known = { kind = kind }, { "kind", "centered", table.unpack(numbers) }
  for _, key in ipairs(text.sorted_keys(given)) do
    local fits = key == "kind" or flags[key]
    for _, name in ipairs(numbers) do
      fits = fits or key == name
    end
    if not fits then unknown("an optimizer", key, known) end
    chosen[key] = given[key]
  end
  for _, key in ipairs(numbers) do
    if chosen[key] == nil then chosen[key] = rawget(p, key) end
    number(key, chosen[key])
  end
  chosen.lr = chosen.lr or .01
  if not (chosen.lr > 0) then error(("lr must be a number above 0, not %s"):format(tostring(chosen.lr)), 0) end
  return chosen
end

-- Is there one of that name?
function optimizers.check(kind)
  for _, name in ipairs(optimizers.names) do
    if name == kind then return end
  end
  error(("optimizer '%s' is not known%s (there is %s)"):format(text.one_line(tostring(kind)),
    text.did_you_mean(tostring(kind), optimizers.names), text.list(optimizers.names)), 0)
end

return optimizers
