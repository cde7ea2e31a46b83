-- rnnlab.figure.space owns curves and points in three dimensions: seen from afar (no perspective), in a box with a grid
-- on the walls behind. It turns them into plain lines, so that every format and the terminal show the same.
local values = require "rnnlab.figure.values"

local space = {}

-- The box's corners run from 0 to 1; seen from an azimuth and an elevation, in degrees.
local function projection(view)
  local azimuth, elevation = math.rad(view[1]), math.rad(view[2])
  local sa, ca, se, ce = math.sin(azimuth), math.cos(azimuth), math.sin(elevation), math.cos(elevation)
  return function(x, y, z)
    x, y, z = x - .5, y - .5, (z - .5) * .8
    return -sa * x + ca * y, z * ce - (ca * x + sa * y) * se
  end
end

-- Low and high of each direction, at round numbers.
local function box_of(curves)
  local box = {}
  for d = 1, 3 do
    local low, high
    for _, curve in ipairs(curves) do
      local a, b = values.range(curve[d])
      low, high = math.min(low or a or 0, a or low or 0), math.max(high or b or 0, b or high or 0)
    end
    low, high = low or 0, high or 1
    if low == high then low, high = low - .5, high + .5 end
    local pad = .03 * (high - low)
    box[d] = { low - pad, high + pad }
  end
  return box
end

-- Lines of the walls behind and of the floor, as one series with gaps; labels of the tics as notes.
local function walls(panel, box, project)
  local grid_x, grid_y, notes = {}, {}, panel.notes
  local function line(a, b)
    local n = #grid_x
    for i, point in ipairs { a, b } do
      grid_x[n + i], grid_y[n + i] = project(point[1], point[2], point[3])
    end
    grid_x[n + 3], grid_y[n + 3] = 0 / 0, 0 / 0
  end
  local function label(said, point, align, strong)
    local x, y = project(point[1], point[2], point[3])
    notes[#notes + 1] = { kind = "text", x = x, y = y, text = said, align = align, rise = "middle", small = not strong,
      role = not strong and "muted" or nil }
  end
  for d = 1, 3 do
    local low, high = box[d][1], box[d][2]
    for _, value in ipairs(values.ticks(low, high, 3)) do
      local t = (value - low) / (high - low)
      local said = values.tic_text(value)
      if d == 1 then -- x: along the front edge of the floor; seen from azimuths of 0 to 90 degrees
        line({ t, 0, 0 }, { t, 1, 0 })
        line({ t, 0, 0 }, { t, 0, 1 })
        label(said, { t, 1.09, -.02 }, "center")
      elseif d == 2 then
        line({ 0, t, 0 }, { 1, t, 0 })
        line({ 0, t, 0 }, { 0, t, 1 })
        label(said, { 1.09, t, -.02 }, "center")
      else
        line({ 0, 0, t }, { 1, 0, t })
        line({ 0, 0, t }, { 0, 1, t })
        label(said, { 1.05, -.04, t }, "right")
      end
    end
  end
  panel.series[#panel.series + 1] = { kind = "line", role = "muted", x = grid_x, y = grid_y, scale = .6, grid = true }
  local edges_x, edges_y = {}, {}
  for _, edge in ipairs { { { 1, 0, 0 }, { 1, 1, 0 } }, { { 0, 1, 0 }, { 1, 1, 0 } }, { { 1, 0, 0 }, { 1, 0, 1 } },
    { { 0, 0, 0 }, { 0, 0, 1 } }, { { 0, 0, 0 }, { 1, 0, 0 } }, { { 0, 0, 0 }, { 0, 1, 0 } } } do
    local n = #edges_x
    for i, point in ipairs(edge) do
      edges_x[n + i], edges_y[n + i] = project(point[1], point[2], point[3])
    end
    edges_x[n + 3], edges_y[n + 3] = 0 / 0, 0 / 0
  end
  panel.series[#panel.series + 1] = { kind = "line", role = "muted", x = edges_x, y = edges_y, scale = 1.2 }
  local own = panel.options
  label(own.xlabel or "x", { .5, 1.32, -.1 }, "center", true)
  label(own.ylabel or "y", { 1.32, .5, -.1 }, "center", true)
  label(own.zlabel or "z", { 1.02, -.02, 1.12 }, "center", true)
end

-- Project all curves of a panel, when the figure is described.
function space.finish(panel)
  if panel.space_done then return end
  panel.space_done = true
  local view = panel.options.view or { 35, 22 }
  if type(view) ~= "table" or type(view[1]) ~= "number" or type(view[2]) ~= "number" or view[1] < 0 or view[1] > 90
    or view[2] < 0 or view[2] > 90 then
    values.fail("view is { azimuth, elevation } in degrees, both from 0 to 90")
  end
  local project, box = projection(view), box_of(panel.space)
  local drawn = panel.series
  panel.series = {}
  walls(panel, box, project)
  for _, curve in ipairs(panel.space) do
    local x, y = {}, {}
    for i = 1, #curve[1] do
      local point, ok = {}, true
      for d = 1, 3 do
        local value = curve[d][i]
        ok = ok and values.finite(value)
        point[d] = (value - box[d][1]) / (box[d][2] - box[d][1])
      end
      if ok then x[i], y[i] = project(point[1], point[2], point[3]) else x[i], y[i] = 0 / 0, 0 / 0 end
    end
    curve.series.x, curve.series.y = x, y
  end
  for _, series in ipairs(drawn) do
    panel.series[#panel.series + 1] = series
  end
  local own = panel.options
  own.bare, own.equal = true, true
  own.view = nil
  local low_x, high_x, low_y, high_y = math.huge, -math.huge, math.huge, -math.huge
  for _, corner in ipairs { { 0, 0, 0 }, { 1, 0, 0 }, { 0, 1, 0 }, { 1, 1, 0 }, { 0, 0, 1 }, { 1, 0, 1 }, { 0, 1, 1 },
    { 1, 1, 1 } } do
    local x, y = project(corner[1], corner[2], corner[3])
    low_x, high_x = math.min(low_x, x), math.max(high_x, x)
    low_y, high_y = math.min(low_y, y), math.max(high_y, y)
  end
  own.x_range, own.y_range = { low_x - .12, high_x + .06 }, { low_y - .16, high_y + .1 }
end

-- The methods of a panel: line3, points3.
function space.add(figure)
  local known = figure.known_options()
  local function curve(name, kind)
    return function(self, x, y, z, options)
      options = figure.check_options(options, known, name)
      local lists, lengths = {}, {}
      for d, list in ipairs { x or {}, y or {}, z or {} } do
        lists[d], lengths[d] = values.list(list, ("%s: %s"):format(name, ("xyz"):sub(d, d)))
      end
      values.same_length(name, "x", lengths[1], "y", lengths[2])
      values.same_length(name, "x", lengths[1], "z", lengths[3])
      self.space = self.space or {}
      lists.series = figure.add(self, kind, { x = lists[1], y = lists[1] }, options, name)
      table.insert(self.space, lists)
      return self
    end
  end
  figure.Panel.line3 = curve("line3", "line")
  figure.Panel.points3 = curve("points3", "points")
end

return space
