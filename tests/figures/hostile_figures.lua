-- hostile_figures.lua: figures whose every text is one of hostile.lua's: titles, labels, names of series, tics and
-- notes.
local figure = require "rnnlab.figure"

-- texts -> descriptions, and text -> the figure that bears it
return function(texts)
  local list, at = {}, 0
  local function take()
    at = at + 1
    return texts[(at - 1) % #texts + 1]
  end
  while at < #texts do
    local f = figure.new { title = take(), subtitle = take(), columns = 2, share_x = false }
    local p = f:panel { title = take(), xlabel = take(), ylabel = take(), y2label = take() }
    p:line({ 1, 2, 3 }, nil, { label = take() }):points({ 2, 3, 1 }, nil, { label = take() })
    p:band({ 1, 1, 1 }, { 2, 2, 2 }, nil, { label = take() }):steps({ 5, 6, 7 }, nil, { label = take(), axis = 2 })
    p:text(2, 2, take()):arrow(1, 1, 2, 2, take()):hline(1.5, take()):vline(2, take())
    local q = f:panel { xlabel = take(), color_label = take() }
    q:heat({ { 1, 2 }, { 3, 4 } }, { rows = { take(), take() }, columns = { take(), take() },
      values = function() return take() end })
    list[#list + 1] = figure.describe(f, ("h%d"):format(#list + 1))
  end
  return list
end
