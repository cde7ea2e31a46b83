-- rnnlab.figure.preview owns figures as text: every panel of a description as a small chart for a terminal, heat maps
-- in shades.
local core = require "rnnlab.core"
local text = require "rnnlab.text"

local preview = {}

local SERIES = 8 -- core.plot.preview's most
local shades = { " ", "░", "▒", "▓", "█" }
local ascii_shades = { " ", ".", ":", "-", "=", "+", "*", "#", "%", "@" }

-- The mean of the cells that fall into each character; nan where there are none.
local function shrunk(series, columns, rows, top_first)
  local grid = {}
  for r = 1, rows do
    grid[r] = {}
  end
  for r = 1, rows do
    for c = 1, columns do
      local sum, n = 0, 0
      local r1 = (r - 1) * series.rows // rows + 1
      local r2 = math.max(r1, r * series.rows // rows)
      local c1 = (c - 1) * series.columns // columns + 1
      local c2 = math.max(c1, c * series.columns // columns)
      for i = r1, r2 do
        for k = c1, c2 do
          local value = series.y[(i - 1) * series.columns + k]
          if value == value and math.abs(value) < math.huge then sum, n = sum + value, n + 1 end
        end
      end
      grid[top_first and r or rows + 1 - r][c] = n > 0 and sum / n or 0 / 0
    end
  end
  return grid
end

local function heat(panel, series, options)
  local width = math.max(24, options.width or 72)
  local columns = math.min(series.columns, width - 4)
  if columns * 2 <= width - 4 then columns = columns * 2 end -- a character is half as wide as high
  local rows = math.min(series.rows, math.max(4, (options.height or 14) - 3))
  local grid = shrunk(series, columns, rows, panel.reverse_y)
  local low, high = math.huge, -math.huge
  for _, row in ipairs(grid) do
    for _, value in ipairs(row) do
      if value == value then low, high = math.min(low, value), math.max(high, value) end
    end
  end
  local marks, lines = options.ascii and ascii_shades or shades, {}
  for r, row in ipairs(grid) do
    local line = { options.ascii and "  |" or "  │" }
    for c, value in ipairs(row) do
      local level = high > low and (value - low) / (high - low) or .5
      line[c + 1] = value == value and marks[math.min(#marks, math.floor(level * #marks) + 1)] or "?"
    end
    lines[r] = table.concat(line)
  end
  if low <= high then
    lines[#lines + 1] = ("  %s '%s' to %s '%s'"):format(text.significant(low, 3), marks[1], text.significant(high, 3),
      marks[#marks])
  end
  return table.concat(lines, "\n") .. "\n"
end

local function head_of(description, panel)
  local parts = {}
  for _, part in ipairs { description.title or false, panel.title or false, panel.ylabel or false } do
    if part then parts[#parts + 1] = part end
  end
  return #parts > 0 and table.concat(parts, " · ") or nil
end

-- "1 lr   2 hidden", for axes with names of their own.
local function names_of(panel, room, ascii)
  local tics, parts = panel.x_tics or panel.y_tics, {}
  for i, label in ipairs(tics and tics.labels or {}) do
    parts[#parts + 1] = ("%g %s"):format(tics.at[i], label)
  end
  return #parts > 0 and core.plot.preview_text("          " .. table.concat(parts, "   "), room, ascii) .. "\n" or ""
end

-- description: as for core.plot.write; options: width, height, color, ascii.
function preview.text(description, options)
  options = options or {}
  local charts = {}
  for _, panel in ipairs(description.panels) do
    local head, series, done = head_of(description, panel), {}, false
    for _, one in ipairs(panel.series or {}) do
      if one.kind == "heat" then
        local map = heat(panel, one, options)
        if head then map = core.plot.preview_text(head, options.width or 72, options.ascii) .. "\n" .. map end
        charts[#charts + 1], done = map, true
      elseif one.kind ~= "boxes" and #series < SERIES and not one.grid then
        series[#series + 1] = one
      elseif one.kind == "boxes" then -- its medians
        series[#series + 1] = { kind = "points", role = one.role, label = one.label, x = one.x, y = one.mid }
      end
    end
    if not done then
      charts[#charts + 1] = core.plot.preview { title = head, xlabel = panel.xlabel or description.xlabel,
        log_y = panel.log_y, series = series, width = options.width, height = options.height, color = options.color,
        ascii = options.ascii } .. names_of(panel, options.width or 72, options.ascii)
    end
  end
  return table.concat(charts, "\n")
end

return preview
