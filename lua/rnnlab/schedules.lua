-- rnnlab.schedules owns the learning rate over training, as a script asks for it:
--     schedule = "cosine"                                     by its name
--     schedule = { "step", every = 100, gamma = .5 }          with options; lengths are epochs
--     schedule = function(epoch, p) return p.lr / epoch end   the rate of each epoch, from 1
--     schedule = { "plateau", factor = .1, patience = 10 }    less where a loss no longer falls
-- `warmup = n` (epochs) goes with all but the last two.
local text = require "rnnlab.text"

local schedules = {}

schedules.names = { "constant", "step", "exponential", "cosine", "onecycle", "plateau" }

-- Options of each kind: true, or the name the engine has for a length, which is given in epochs here.
local options = {
  constant = { warmup = true, start_factor = true },
  step = { every = "step_size", gamma = true, warmup = true, start_factor = true },
  exponential = { gamma = true, warmup = true, start_factor = true },
  cosine = { min = true, epochs = true, warmup = true, start_factor = true },
  onecycle = { epochs = true, pct = true, div = true, final_div = true },
  plateau = { factor = true, patience = true, min_delta = true, min = true, metric = true },
}

-- What the experiment or its parameters say, checked: nil, a function, or { kind =, option = number, ... }.
function schedules.parse(given)
  if given == nil or given == false or type(given) == "function" then return given or nil end
  local kind, own = given, {}
  if type(given) == "table" then
    kind = given[1] or given.kind
    for key, value in pairs(given) do
      if key ~= 1 and key ~= "kind" then own[key] = value end
    end
  end
  local known = options[kind]
  if not known then
    error(("schedule '%s' is not known%s (there is %s)"):format(text.one_line(tostring(kind)),
      text.did_you_mean(tostring(kind), schedules.names), text.list(schedules.names)), 0)
  end
  for _, key in ipairs(text.sorted_keys(own)) do
    if not known[key] then
      error(("schedule %s has no option '%s'%s (known: %s)"):format(kind, tostring(key),
        text.did_you_mean(tostring(key), text.sorted_keys(known)), table.concat(text.sorted_keys(known), ", ")), 0)
    end
    if key ~= "metric" and (type(own[key]) ~= "number" or own[key] ~= own[key]) then
      error(("schedule %s: %s must be a number, not %s"):format(kind, key, tostring(own[key])), 0)
    end
  end
  own.kind = kind
  return own
end

-- The engine's table, its lengths in steps: per_epoch steps make an epoch, `epochs` is how long the run trains.
function schedules.for_engine(parsed, per_epoch, epochs)
  if type(parsed) ~= "table" or parsed.kind == "plateau" then return nil end
  local function steps(value) return math.tointeger(math.max(1, math.floor(value * per_epoch + .5))) end
  local warmup = parsed.warmup and steps(parsed.warmup) or 0
  return {
    kind = parsed.kind, unit = per_epoch, gamma = parsed.gamma, min = parsed.min, pct = parsed.pct, div = parsed.div,
    final_div = parsed.final_div, start_factor = parsed.start_factor, warmup = warmup,
    step_size = parsed.every and math.tointeger(math.max(1, math.floor(parsed.every))) or nil,
    total = math.max(1, steps(parsed.epochs or math.max(1, epochs)) - (parsed.epochs and 0 or warmup)),
  }
end

local Plateau = {}
Plateau.__index = Plateau

-- What follows the loss and says by how much the rate is to be multiplied: 1, or `factor` after `patience` epochs
-- without a loss lower than the lowest by min_delta (as a part of it).
function schedules.plateau(parsed)
  return setmetatable({ factor = parsed.factor or .1, patience = parsed.patience or 10, min = parsed.min or 0,
    min_delta = parsed.min_delta or 1e-4, metric = parsed.metric, best = math.huge, waited = 0 }, Plateau)
end

-- The rate for the next epoch, after one at `rate` that ended with this loss.
function Plateau:next(rate, loss)
  if loss < self.best * (1 - self.min_delta) then
    self.best, self.waited = loss, 0
    return rate
  end
  self.waited = self.waited + 1
  if self.waited <= self.patience then return rate end
  self.waited = 0
  return math.max(rate * self.factor, self.min)
end

return schedules
