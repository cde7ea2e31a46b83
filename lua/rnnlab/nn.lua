-- rnnlab.nn owns the list of layers and the short form r.rnn; the layers are in rnnlab.nn.recurrent and
-- rnnlab.nn.layers, what they share in rnnlab.nn.module.
local layers = require "rnnlab.nn.layers"
local module = require "rnnlab.nn.module"
local params = require "rnnlab.params"
local recurrent = require "rnnlab.nn.recurrent"
local text = require "rnnlab.text"

local nn = { set_stream = module.set_stream, activations = module.activations, inits = module.inits, public = {} }

for _, from in ipairs { layers, recurrent } do
  for name, make in pairs(from) do
    if type(make) == "function" and name:match "^%u" then
      nn[name], nn.public[name] = make, make
    end
  end
end

-- r.nn.generate(model, prefix, options): see rnnlab.nn.generate.
nn.generate = require "rnnlab.nn.generate"
nn.public.generate = nn.generate

nn.cells = {}
for kind, spec in pairs(recurrent.kinds) do
  nn.cells[kind] = spec.make
end

-- The layer's own options, without those of r.rnn; shallow, since `layers` makes several.
local function own_options(options, without)
  local own = {}
  for key, value in pairs(options or {}) do
    if not without[key] then own[key] = value end
  end
  return own
end

local function maker(cell)
  if type(cell) == "string" then
    local known = text.sorted_keys(nn.cells)
    if not nn.cells[cell] then
      error(("r.rnn: cell '%s' is not known%s (there is %s)"):format(cell, text.did_you_mean(cell, known),
        text.list(known)), 0)
    end
    return nn.cells[cell]
  elseif type(cell) == "table" and type(cell.program) == "function" then
    return function(...) return recurrent.Cell(cell, ...) end
  end
  error(("r.rnn: the cell is given by its name (%s) or as an r.cell, not by a %s"):format(
    text.list(text.sorted_keys(nn.cells), "or"), type(cell)), 0)
end

local stack_options = { layers = true, bidirectional = true, residual = true }

-- r.rnn(cell, inputs, hidden, outputs, options): a recurrent layer by the name of its cell, or several: layers = n of
-- them one on the other (the read-out on the last), bidirectional = true each in both directions, residual = true with
-- x + layer(x) from the second on.
function nn.rnn(cell, n_in, n_hidden, n_out, options)
  local make = maker(cell)
  if type(n_out) == "table" and options == nil then n_out, options = nil, n_out end
  if type(options) ~= "table" or not (options.layers or options.bidirectional or options.residual) then
    return make(n_in, n_hidden, n_out, options)
  end
  local count = options.layers and params.integer(options.layers, "layers", 1) or 1
  if cell == "jordan" then
    error("r.rnn: jordan feeds its outputs back, and in a stack or in two directions only the last layer has some; put "
      .. "layers of your own together: r.nn.Sequential(r.nn.Elman(...), r.nn.Jordan(...))", 0)
  end
  local below = own_options(options, { layers = true, bidirectional = true, residual = true, last = true,
    output = true, feedback = true, direct = true }) -- what needs a read-out stays with the top
  local top = own_options(options, stack_options)
  local stack, width = layers.Sequential(), n_in
  for i = 1, count do
    local is_top = i == count
    local layer
    if options.bidirectional then
      layer = layers.Bidirectional(make(width, n_hidden, nil, own_options(below, {})),
        make(width, n_hidden, nil, own_options(below, {})))
    elseif is_top and not (options.residual and i > 1) then
      layer = make(width, n_hidden, n_out, top)
    else
      layer = make(width, n_hidden, nil, own_options(below, {}))
    end
    if options.residual and i > 1 then layer = layers.Residual(layer) end
    stack:add(layer)
    width = stack.n_out
  end
  if stack.layers[count].kind == "bidirectional" or stack.layers[count].kind == "residual" then
    if options.last then stack:add(layers.Last()) end
    if n_out then stack:add(layers.Linear(width, n_out, { activation = options.output })) end
  end
  return stack
end

return nn
