-- rnnlab.check owns `rnnlab check SCRIPT`: the gradient of the script's own model and loss, in float64, against
-- central differences.
local core = require "rnnlab.core"
local errors = require "rnnlab.errors"
local prepare = require "rnnlab.prepare"
local text = require "rnnlab.text"

local check = {}

-- A part of the data is enough, and differences over all of it would take long.
local most_sequences, most_steps = 4, 20

local function small(part)
  local steps = part.x:size(2)
  local cut = {}
  for name, tensor in pairs(part) do
    local sizes = tensor:size()
    local own = tensor:narrow(1, 1, math.min(sizes[1], most_sequences))
    if #sizes > 1 and sizes[2] == steps then own = own:narrow(2, 1, math.min(steps, most_steps)) end
    cut[name] = own:contiguous()
    if name == "lengths" and steps > most_steps then
      cut[name] = core.minimum(cut[name], core.full({ cut[name]:size(1) }, most_steps))
    end
  end
  return cut
end

local function rows_of(ctx, result)
  local rows = { { "parameter", "shape", "checked", "largest error", "" } }
  for i, parameter in ipairs(result.parameters) do
    local own = ctx.parameters[i]
    rows[#rows + 1] = {
      own.name, text.shape(own.tensor:size()),
      ("%d of %d"):format(parameter.checked, parameter.numel), ("%.1e"):format(parameter.max_error),
      parameter.max_error <= result.tolerance and "ok" or ("wrong: %s, differences say %s"):format(
        text.significant(parameter.analytic, 6), text.significant(parameter.numeric, 6)),
    }
  end
  return rows
end

-- Bytes that a run of this script holds for training, in the dtype it would have: every step an epoch takes is
-- recorded, and what that holds is counted.
local function memory_of(options)
  local ctx = prepare.open { script = options.script, overrides = options.overrides, trust = options.trust }
  local settings = ctx.box:call(ctx.experiment.training, ctx.experiment, ctx.p)
  ctx:build()
  local bytes = 0
  for _, member in ipairs(ctx.members or { ctx }) do
    local spec = require("rnnlab.training").spec(ctx, member.settings or settings, member)
    local trainer = ctx.box:call(core.trainer, spec)
    ctx.box:call(trainer.prepare, trainer)
    bytes = bytes + trainer:memory()
  end
  return bytes
end

-- options: script, overrides, trust, json, quiet. Exit code 0 where every gradient agrees, else 1.
function check.check(options)
  local ctx = prepare.open { script = options.script, overrides = options.overrides, trust = options.trust,
    dtype = "float64" }
  if ctx.experiment.loss == nil then
    errors.failure("%s has no loss, so there is no gradient to check", options.script)
  end
  ctx:build()
  local result = ctx.box:call(core.gradcheck, { record = ctx:step(), params = ctx:tensors(),
    train = small(ctx.data.train) })
  local memory = memory_of(options)
  if options.json then
    local parameters = {}
    for i, parameter in ipairs(result.parameters) do
      parameters[i] = { name = ctx.parameters[i].name, elements = parameter.numel, checked = parameter.checked,
        max_error = parameter.max_error, ok = parameter.max_error <= result.tolerance }
    end
    io.stdout:write(core.json.encode { script = options.script, ok = result.ok, max_error = result.max_error,
      tolerance = result.tolerance, network = ctx:network(), weights = ctx.weights, memory = memory,
      parameters = core.json.array(parameters) }, "\n")
  elseif not options.quiet then
    local lines = text.table(rows_of(ctx, result), { "left", "left", "right", "right", "left" })
    io.stdout:write(("%s, %s, loss %s; gradients in float64 against central differences\n\n"):format(
      ctx:network(), text.count(ctx.weights, "weight"),
      type(ctx.experiment.loss) ~= "function" and select(2, ctx.experiment:criterion()) or "of the script's own"))
    io.stdout:write("  ", table.concat(lines, "\n  "), "\n\n")
    io.stdout:write(("%s (tolerance %.0e). Training holds %s of memory.\n"):format(
      result.ok and "all gradients agree" or "some gradients are wrong", result.tolerance,
      memory < 1e6 and ("%.0f kB"):format(memory / 1e3) or ("%.1f MB"):format(memory / 1e6)))
  end
  return result.ok and 0 or 1
end

return check
