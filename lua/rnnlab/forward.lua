-- rnnlab.forward owns the run without a loss: one forward pass, printed as the tutorial prints it, and with
-- --steps the arithmetic of every step as one checks it by hand.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local forward = {}

local function cells(values)
  local list = {}
  for i, value in ipairs(values) do
    list[i] = text.fixed(value, 2)
  end
  return list
end

local function headings(letter, n)
  local list = {}
  for i = 1, n do
    list[i] = n == 1 and letter or letter .. i
  end
  return list
end

-- One sequence's x, h (may be nil) and y as aligned columns under t | x | h | y.
local function sequence_table(x, h, y)
  local groups = { { "x", x }, h and { "h", h } or nil }
  groups[#groups + 1] = { "y", y }
  local rows = { { "t" } }
  for t = 1, #y do
    rows[t + 1] = { ("%d"):format(t) }
  end
  for _, group in ipairs(groups) do
    local letter, values = group[1], group[2]
    local heads = headings(letter, #values[1])
    for t = 0, #y do
      local row = rows[t + 1]
      row[#row + 1] = " " -- a wider gap between the groups
      for _, cell in ipairs(t == 0 and heads or cells(values[t])) do
        row[#row + 1] = cell
      end
    end
  end
  return text.table(rows)
end

-- ---- step by step -------------------------------------------------------------------------------

local function times(vector, matrix) -- row vector by matrix
  local out = {}
  for j = 1, #matrix[1] do
    local sum = 0
    for i = 1, #vector do
      sum = sum + vector[i] * matrix[i][j]
    end
    out[j] = sum
  end
  return out
end

local function plus(...)
  local out = {}
  for i = 1, #(...) do
    out[i] = 0
    for _, vector in ipairs { ... } do
      out[i] = out[i] + vector[i]
    end
  end
  return out
end

local activations = {
  tanh = function(u)
    local e = math.exp(-2 * math.abs(u)) -- of the size alone: exp(2u) would overflow
    return (1 - e) / (1 + e) * (u < 0 and -1 or 1)
  end,
  sigmoid = function(u) return 1 / (1 + math.exp(-u)) end,
  relu = function(u) return math.max(0, u) end,
  linear = function(u) return u end,
}

local function through(name, vector)
  local out = {}
  for i, u in ipairs(vector) do
    out[i] = activations[name](u)
  end
  return out
end

-- The lines of one step: labels on the left, vectors aligned on the right.
local function step_lines(t, rows)
  local printed = { ("t = %d"):format(t) }
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = { "  " .. row[1], "=", "(" .. table.concat(cells(row[2]), ", ") .. ")" }
  end
  table.move(text.table(lines, { "left", "left", "left" }, " "), 1, #lines, 2, printed)
  return printed
end

local function state_before(layer, n, sequence)
  local state = layer.state0 or layer.state
  if not state then
    local zeros = {}
    for i = 1, n do
      zeros[i] = 0
    end
    return zeros
  end
  if state:dim() == 2 then state = state:select(1, sequence) end
  return state:tolist()
end

-- Every intermediate of one sequence, in double precision from the layer's weights.
local function steps(layer, x, sequence)
  local U, W = layer:effective("weight_ih"):tolist(), layer:effective(layer.feedback):tolist()
  local b, V, c = layer.bias:tolist(), nil, nil
  if layer.n_out then
    V, c = layer:effective("weight_ho"):tolist(), layer.bias_o:tolist()
  end
  local jordan = layer.kind == "jordan"
  local fed, letter = state_before(layer, jordan and layer.n_out or layer.n_hidden, sequence), jordan and "y" or "h"
  local lines = {}
  for t, input in ipairs(x) do
    local from_input, from_before = times(input, U), times(fed, W)
    local net = plus(from_input, from_before, b)
    local h = through(layer.activation, net)
    local before = ("%s(%d)"):format(letter, t - 1)
    local rows = {
      { ("x(%d)"):format(t), input },
      { ("Uᵀ x(%d)"):format(t), from_input },
      { ("Wᵀ %s"):format(before), from_before },
      { ("net input  Uᵀ x(%d) + Wᵀ %s + b"):format(t, before), net },
      { ("h(%d) = %s(net input)"):format(t, layer.activation), h },
    }
    fed = h
    if V then
      local out = plus(times(h, V), c)
      local y = through(layer.output, out)
      rows[#rows + 1] = { ("Vᵀ h(%d) + c"):format(t), out }
      rows[#rows + 1] = { ("y(%d) = %s(Vᵀ h(%d) + c)"):format(t, layer.output, t), y }
      if jordan then fed = y end
    end
    for _, line in ipairs(step_lines(t, rows)) do
      lines[#lines + 1] = line
    end
    lines[#lines + 1] = ""
  end
  return lines
end

-- ---- the whole ----------------------------------------------------------------------------------

-- Run the model over the data. Returns y and h (tensors; h nil where the model keeps none).
function forward.pass(ctx)
  local y = ctx.box:call(ctx.model.forward, ctx.model, ctx.data.train.x)
  if type(y) ~= "userdata" or y:dim() ~= 3 then
    error("the model's forward must return a (batch, time, feature) tensor", 0)
  end
  return y, ctx.model.h
end

-- What the formulas are, for the heading: "h = tanh(x U + h W + b), y = sigmoid(h V + c)".
local function equations(layer)
  if layer.kind ~= "elman" and layer.kind ~= "jordan" then return nil end
  local fed = layer.kind == "jordan" and "y(t−1)" or "h(t−1)"
  local function applied(name, inner)
    return name == "linear" and inner or name .. "(" .. inner .. ")"
  end
  local line = "h(t) = " .. applied(layer.activation, ("Uᵀ x(t) + Wᵀ %s + b"):format(fed))
  if layer.n_out then
    line = line .. ",   y(t) = " .. applied(layer.output, "Vᵀ h(t) + c")
  end
  return line
end

-- Lines for a person. show: the sequence; with_steps: every intermediate as well.
function forward.lines(ctx, y, h, with_steps)
  local show, batch = ctx.p.show, y:size(1)
  local lines = { ("%s, %s"):format(ctx:network(), text.count(ctx.weights, "weight")) }
  if batch > 1 then
    lines[1] = lines[1] .. (", sequence %d of %d"):format(show, batch)
  end
  lines[#lines + 1] = equations(ctx.model)
  lines[#lines + 1] = ""
  local x = ctx.data.train.x:select(1, show):tolist()
  if with_steps then
    if ctx.model.kind ~= "elman" and ctx.model.kind ~= "jordan" then
      require("rnnlab.errors").usage("--steps is for a single Elman or Jordan layer, this is %s", ctx:network())
    end
    for _, line in ipairs(steps(ctx.model, x, show)) do
      lines[#lines + 1] = line
    end
  end
  for _, line in ipairs(sequence_table(x, h and h:select(1, show):tolist(), y:select(1, show):tolist())) do
    lines[#lines + 1] = line
  end
  return lines
end

-- predictions.npz of a forward pass: x, h, y of every sequence.
function forward.save(ctx, dir, y, h)
  local tensors = { { "x", ctx.data.train.x } }
  if h then tensors[#tensors + 1] = { "h", h } end
  tensors[#tensors + 1] = { "y", y }
  core.format.save_npz(dir .. "/predictions.npz", tensors)
end

return forward
