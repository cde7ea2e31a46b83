-- rnnlab.context owns what a layer may want to know beside its input while a step is recorded (or a forward pass is
-- made by hand): is it training, which steps are valid, and where states are carried from one chunk to the next.
--
-- The fields, all nil (training: false) outside:
--     training   true while a training step is recorded; evaluation has false
--     clock      a tensor of one float64 that holds the number of the step; random ops read it
--     lengths    (batch): the valid steps of each sequence; later ones are padding
--     mask       (batch, time): 1 where a step is valid, else 0
--     extra      every leaf of the batch by its name, x and y among them; where sequences are trained in chunks also
--                y_before, the target of the step before each step of the chunk, zero before the first
--     carry      where states are carried: carry(name, batch, size, own) -> the state (batch, size) to begin from. At
--                the beginning of a sequence that is `own`, the layer's own initial state, or zeros where it is
--                nil; later the state the chunk before ended with, a constant
--     carried    where states are carried: carried(name, last, sequence) hands on the state the layer ended with,
--                (batch, size). `sequence` (batch, time, size), all its states, is needed where chunks overlap by
--                parts of a chunk
--     inspect    true where every state and gate is wanted (run:states)
--     teacher    true where a layer that can be fed with targets is to be, though it is no training
-- Names are per model: a layer begins its own with its path or a number of its own.
local context = { training = false }

local fields = { "training", "clock", "lengths", "mask", "extra", "carry", "carried", "inspect", "teacher" }

-- Set the fields until the value returned goes out of scope: local _ <close> = context.enter{ ... }
function context.enter(values)
  local before = {}
  for _, name in ipairs(fields) do
    before[name] = context[name]
    context[name] = values[name]
  end
  context.training = values.training == true
  return setmetatable({}, { __close = function()
    for _, name in ipairs(fields) do
      context[name] = before[name]
    end
  end })
end

return context
