-- rnnlab.figure.composed owns the kinds of a figure that are made of others: bars, histograms, box plots, mean and
-- spread, confusion matrices, contours, parallel coordinates, the unit circle.
local text = require "rnnlab.text"
local values = require "rnnlab.figure.values"

local fail, vector, same_length = values.fail, values.vector, values.same_length

-- ---- contours -------------------------------------------------------------------------------------

-- Where the level is crossed between two corners, or nil.
local function crossing(level, x1, y1, z1, x2, y2, z2)
  if (z1 < level) == (z2 < level) then return nil end
  local part = (level - z1) / (z2 - z1)
  return x1 + part * (x2 - x1), y1 + part * (y2 - y1)
end

-- The line of one level through a grid: marching squares, each cell's piece by itself, nan between.
local function level_line(level, x, y, z, columns, out_x, out_y)
  local function piece(x1, y1, x2, y2)
    local n = #out_x
    out_x[n + 1], out_y[n + 1], out_x[n + 2], out_y[n + 2] = x1, y1, x2, y2
    out_x[n + 3], out_y[n + 3] = 0 / 0, 0 / 0
  end
  for r = 1, #y - 1 do
    for c = 1, #x - 1 do
      local z1, z2 = z[(r - 1) * columns + c], z[(r - 1) * columns + c + 1]
      local z4, z3 = z[r * columns + c], z[r * columns + c + 1]
      if z1 == z1 and z2 == z2 and z3 == z3 and z4 == z4 then
        local found = {}
        for _, side in ipairs { { c, r, z1, c + 1, r, z2 }, { c + 1, r, z2, c + 1, r + 1, z3 },
          { c + 1, r + 1, z3, c, r + 1, z4 }, { c, r + 1, z4, c, r, z1 } } do
          local px, py = crossing(level, x[side[1]], y[side[2]], side[3], x[side[4]], y[side[5]], side[6])
          if px then found[#found + 1] = { px, py } end
        end
        if #found == 2 then
          piece(found[1][1], found[1][2], found[2][1], found[2][2])
        elseif #found == 4 then -- a saddle: the middle decides which corners belong together
          local low = (z1 + z2 + z3 + z4) / 4 < level
          local pairs_ = (z1 < level) == low and { 1, 2, 3, 4 } or { 1, 4, 2, 3 }
          for i = 1, 3, 2 do
            local a, b = found[pairs_[i]], found[pairs_[i + 1]]
            piece(a[1], a[2], b[1], b[2])
          end
        end
      end
    end
  end
end

local function even(list)
  local step = (list[#list] - list[1]) / (#list - 1)
  for i = 2, #list do
    if math.abs(list[i] - list[i - 1] - step) > 1e-6 * math.abs(step) then return false end
  end
  return step > 0
end

-- ---- parallel coordinates ---------------------------------------------------------------------------

-- Where a value stands on its axis, 0 to 1; nil where it has no place.
local function place_on(axis, value)
  if axis.categories then
    for i, category in ipairs(axis.categories) do
      if category == value then return #axis.categories > 1 and (i - 1) / (#axis.categories - 1) or .5 end
    end
    return nil
  end
  if type(value) ~= "number" or not values.finite(value) or axis.log and value <= 0 then return nil end
  local low, high = axis.low, axis.high
  if axis.log then value, low, high = math.log(value), math.log(low), math.log(high) end
  return high > low and (value - low) / (high - low) or .5
end

-- Ends of an axis from its values, where they are not given; texts make categories.
local function fill_axis(axis, rows, k)
  if axis.categories then return end
  local seen, list, flags = {}, {}, false
  for _, row in ipairs(rows) do
    local value = row[k]
    flags = flags or type(value) == "boolean"
    if type(value) == "string" and not seen[value] then
      seen[value] = true
      axis.categories = axis.categories or {}
      table.insert(axis.categories, value)
    elseif type(value) == "number" and values.finite(value) and not (axis.log and value <= 0) then
      list[#list + 1] = value
    end
  end
  if flags and #list == 0 and not axis.categories then
    axis.categories = { false, true }
    return
  end
  if axis.categories then
    table.sort(axis.categories)
    return
  end
  local low, high = values.range(list)
  axis.low, axis.high = axis.low or low or (axis.log and 1 or 0), axis.high or high or 1
end

-- { { place, text }, ... }
local function axis_tics(axis)
  local list = {}
  if axis.categories then
    for _, category in ipairs(axis.categories) do
      local said = category == true and "yes" or category == false and "no" or tostring(category)
      list[#list + 1] = { place_on(axis, category), said }
    end
    return list
  end
  local ticks
  if axis.log then
    ticks = {}
    local first, last = math.log(axis.low, 10), math.log(axis.high, 10)
    local stride = math.max(1, math.ceil((last - first) / 6))
    for e = math.ceil(first - 1e-9), math.floor(last + 1e-9), stride do
      ticks[#ticks + 1] = 10.0 ^ e
    end
    if #ticks < 2 then ticks = { axis.low, axis.high } end
  else
    ticks = values.ticks(axis.low, axis.high, 5)
    if #ticks == 0 then ticks = { axis.low } end
  end
  for _, value in ipairs(ticks) do
    list[#list + 1] = { place_on(axis, value), values.tic_text(value) }
  end
  return list
end

local function draw_axis(panel, axis, at)
  panel.notes[#panel.notes + 1] = { kind = "line", x = at, y = 0, x2 = at, y2 = 1 }
  for _, tic in ipairs(axis_tics(axis)) do
    panel.notes[#panel.notes + 1] = { kind = "line", x = at - .012, y = tic[1], x2 = at, y2 = tic[1] }
    panel.notes[#panel.notes + 1] = { kind = "text", x = at - .025, y = tic[1], text = tic[2], align = "right",
      rise = "middle", small = true, boxed = true }
  end
  panel.notes[#panel.notes + 1] = { kind = "text", x = at, y = 1.07, text = axis.name, align = "center",
    rise = "middle", strong = true }
end

-- ---- the methods ------------------------------------------------------------------------------------

-- Quartiles, whiskers (the last points within 1.5 interquartile ranges) and the points beyond.
local function box_of(sorted)
  local q1, q3 = values.quantile(sorted, .25), values.quantile(sorted, .75)
  local box = { low = sorted[1], q1 = q1, median = values.quantile(sorted, .5), q3 = q3, high = sorted[#sorted] }
  local reach = 1.5 * (q3 - q1)
  local low, high, beyond = nil, nil, {}
  for _, value in ipairs(sorted) do
    if value < q1 - reach or value > q3 + reach then
      beyond[#beyond + 1] = value
    else
      low, high = low or value, value
    end
  end
  box.low, box.high = low or q1, high or q3
  return box, beyond
end

return function(figure)
  local Panel, check, known = figure.Panel, figure.check_options, figure.known_options

  local bar_options = known "wide sideways labels error names"
  -- One series of bars at x; places[i] where they stand.
  local function add_bars(panel, places, y, n, wide, options)
    local series = { x = places, y = y, wide = wide, sideways = options.sideways or nil }
    figure.add(panel, "bars", series, options, "bars")
    if options.error == nil then return end
    local deviation, m = values.list(options.error, "bars: error")
    same_length("bars", "error", m, "y", n)
    local list, low, high = values.list(y, "bars: y"), {}, {}
    for i = 1, n do
      low[i], high[i] = list[i] - deviation[i], list[i] + deviation[i]
    end
    if options.sideways then fail("bars: error bars of lying bars are not drawn") end
    panel.series[#panel.series + 1] = { kind = "points", role = "target", x = places, y = y, low = low, high = high,
      bare = true }
  end

  -- Bars: bars(y), bars(x, y), bars({"a", "b"}, y), and side by side bars(x, {y1, y2}, { names = {"train", "val"} }).
  function Panel:bars(a, b, options)
    if options == nil and type(b) == "table" and #b == 0 and next(b) ~= nil then b, options = nil, b end
    if b == nil then a, b = nil, a end
    options = check(options, bar_options, "bars")
    local many = type(b) == "table" and (type(b[1]) == "table" or type(b[1]) == "userdata")
    local groups = many and b or { b }
    local _, n = vector(groups[1], "bars: y")
    local labels = type(a) == "table" and type(a[1]) == "string" and a or nil
    local x
    if labels or a == nil then
      x = {}
      for i = 1, n do
        x[i] = i
      end
    else
      x = values.list(a, "bars: x")
    end
    same_length("bars", labels and "labels" or "x", labels and #labels or #x, "y", n)
    if labels then self.options[options.sideways and "y_tics" or "x_tics"] = figure.tics_from(labels, "bars", n) end
    if labels and options.sideways and self.options.reverse_y == nil then self.options.reverse_y = true end
    local step = math.huge
    for i = 2, n do
      step = math.min(step, math.abs(x[i] - x[i - 1]))
    end
    if step == math.huge or step == 0 then step = 1 end
    local wide = (options.wide or .8) * step / #groups
    for g, y in ipairs(groups) do
      local _, m = vector(y, "bars: y")
      same_length("bars", "x", n, "y", m)
      local places = {}
      for i = 1, n do
        places[i] = x[i] + (g - (#groups + 1) / 2) * wide
      end
      local own = {}
      for key, value in pairs(options) do
        own[key] = value
      end
      if many then own.label = options.names and options.names[g] end
      if many and type(options.error) == "table" then own.error = options.error[g] end
      add_bars(self, places, y, n, wide * (many and .92 or 1), own)
    end
    return self
  end

  local histogram_options = known "bins range density"
  -- How often values fall into equal bins; bins by Freedman and Diaconis's rule where not given.
  function Panel:histogram(data, options)
    options = check(options, histogram_options, "histogram")
    local list = values.sorted((values.list(data, "histogram")))
    local n = #list
    local low, high = list[1] or 0, list[n] or 1
    if options.range then low, high = options.range[1], options.range[2] end
    if not (type(low) == "number" and type(high) == "number" and low <= high) then
      fail("histogram: range is { low, high }")
    end
    if high == low then low, high = low - .5, high + .5 end
    local bins = options.bins
    if bins == nil then
      local spread = n > 1 and values.quantile(list, .75) - values.quantile(list, .25) or 0
      local width = 2 * spread / n ^ (1 / 3)
      bins = width > 0 and math.ceil((high - low) / width) or math.ceil(math.sqrt(math.max(n, 1)))
      bins = math.min(math.max(bins, 5), 200)
    end
    if math.type(bins) ~= "integer" and not (type(bins) == "number" and bins % 1 == 0) or bins < 1 or bins > 10000 then
      fail("histogram: bins is %s; a whole number from 1 to 10000 is expected", values.describe(bins))
    end
    local wide, counts, x = (high - low) / bins, {}, {}
    for i = 1, bins do
      counts[i], x[i] = 0, low + (i - .5) * wide
    end
    for _, value in ipairs(list) do
      if value >= low and value <= high then
        local bin = math.min(bins, math.floor((value - low) / wide) + 1)
        counts[bin] = counts[bin] + 1
      end
    end
    if options.density then
      for i = 1, bins do
        counts[i] = n > 0 and counts[i] / n / wide or 0
      end
    end
    if self.options.ylabel == nil then self.options.ylabel = options.density and "density" or "count" end
    figure.add(self, "bars", { x = x, y = counts, wide = wide * .94 }, options, "histogram")
    return self
  end

  local box_options = known "labels wide points"
  -- Box plots of several groups of values.
  function Panel:boxes(groups, options)
    options = check(options, box_options, "boxes")
    if type(groups) ~= "table" or #groups == 0 then
      fail("boxes: a list of groups of values is expected, not %s", values.describe(groups))
    end
    if type(groups[1]) == "number" then groups = { groups } end
    local series = { x = {}, y = {}, y2 = {}, low = {}, high = {}, mid = {}, wide = options.wide or .5 }
    local beyond_x, beyond_y = {}, {}
    for i, group in ipairs(groups) do
      local sorted = values.sorted((values.list(group, ("boxes, group %d"):format(i))))
      if #sorted > 0 then
        local box, beyond = box_of(sorted)
        local n = #series.x + 1
        series.x[n], series.y[n], series.y2[n], series.mid[n] = i, box.q1, box.q3, box.median
        series.low[n], series.high[n] = box.low, box.high
        for _, value in ipairs(options.points and sorted or beyond) do
          beyond_x[#beyond_x + 1], beyond_y[#beyond_y + 1] = i, value
        end
      end
    end
    local names = options.labels
    if names == nil then
      names = {}
      for i = 1, #groups do
        names[i] = ("%d"):format(i)
      end
    end
    self.options.x_tics = figure.tics_from(names, "boxes: labels", #groups)
    self.options.x_range = self.options.x_range or { .4, #groups + .6 }
    options.labels = nil
    local made = figure.add(self, "boxes", series, options, "boxes")
    if #beyond_x > 0 then
      self.series[#self.series + 1] = { kind = "points", role = made.role, x = beyond_x, y = beyond_y, scale = .8 }
    end
    return self
  end

  local mean_options = known "spread quantiles"
  -- Mean (or median) and spread of several curves of one length: mean(x, {y1, y2, ...}) or mean({y1, ...}).
  -- spread = "deviation" (default), "quantiles" (with quantiles = {.25, .75}) or "range".
  function Panel:mean(a, b, options)
    if options == nil and type(b) == "table" and #b == 0 then b, options = nil, b end
    if b == nil then a, b = nil, a end
    options = check(options, mean_options, "mean")
    local spread = options.spread or "deviation"
    if spread ~= "deviation" and spread ~= "quantiles" and spread ~= "range" then
      fail("mean: spread is %s; deviation, quantiles or range is expected", values.describe(spread))
    end
    local flat, rows, n = values.matrix(b, "mean")
    local x
    if a ~= nil then
      local m
      x, m = vector(a, "mean: x")
      same_length("mean", "x", m, "each curve", n)
    end
    local quantiles = options.quantiles or { .25, .75 }
    local middle, low, high = {}, {}, {}
    for i = 1, n do
      local column = {}
      for r = 1, rows do
        column[r] = flat[(r - 1) * n + i]
      end
      local mean, deviation = values.mean(column)
      if not mean then
        middle[i], low[i], high[i] = 0 / 0, 0 / 0, 0 / 0
      elseif spread == "deviation" then
        middle[i], low[i], high[i] = mean, mean - deviation, mean + deviation
      elseif spread == "range" then
        low[i], high[i] = values.range(column)
        middle[i] = mean
      else
        local sorted = values.sorted(column)
        middle[i] = values.quantile(sorted, .5)
        low[i], high[i] = values.quantile(sorted, quantiles[1]), values.quantile(sorted, quantiles[2])
      end
    end
    local line = figure.add(self, "line", { x = x, y = middle }, options, "mean")
    self.series[#self.series + 1] = { kind = "band", role = line.role, x = x, y = low, y2 = high, second = line.second,
      opacity = options.opacity }
    return self
  end

  local confusion_options = known "classes"
  -- How often each class (a row) was taken for which: a square matrix of counts.
  function Panel:confusion(counts, options)
    options = check(options, confusion_options, "confusion")
    local flat, rows, columns = values.matrix(counts, "confusion")
    if rows ~= columns then
      fail("confusion: the matrix has shape (%d, %d); it must be square", rows, columns)
    end
    local shares, list = {}, {}
    for r = 1, rows do
      local sum, row = 0, {}
      for c = 1, columns do
        sum = sum + flat[(r - 1) * columns + c]
      end
      for c = 1, columns do
        row[c] = sum > 0 and flat[(r - 1) * columns + c] / sum or 0
      end
      shares[r] = row
    end
    for i = 1, rows do
      list[i] = options.classes and tostring(options.classes[i]) or ("%d"):format(i)
    end
    if options.classes and #options.classes ~= rows then
      fail("confusion: %d classes for a matrix of shape (%d, %d)", #options.classes, rows, columns)
    end
    local own = self.options
    own.xlabel, own.ylabel = own.xlabel or "predicted", own.ylabel or "target"
    own.equal = own.equal == nil and true or own.equal
    return self:heat(shares, { rows = list, columns = list, map = "blues", color_range = { 0, 1 },
      color_label = own.color_label or "share of the row", values = rows <= 20 and function(_, r, c)
        local count = flat[(r - 1) * columns + c]
        return count % 1 == 0 and ("%d"):format(count) or text.significant(count, 3)
      end or nil })
  end

  local contour_options = known "levels map color_label fill"
  -- Lines of equal height of z (a row for each y, a column for each x), over a map of it.
  function Panel:contour(x, y, z, options)
    options = check(options, contour_options, "contour")
    local xs, n = values.list(x, "contour: x")
    local ys, m = values.list(y, "contour: y")
    local flat, rows, columns = values.matrix(z, "contour: z")
    if rows ~= m or columns ~= n then
      fail("contour: z has shape (%d, %d), but y has %d values and x %d: (%d, %d) is expected", rows, columns, m, n, m,
        n)
    end
    if n < 2 or m < 2 then fail("contour: z has shape (%d, %d); at least (2, 2) is expected", rows, columns) end
    local low, high = values.range(flat)
    local levels = options.levels
    if type(levels) ~= "table" then levels = low and values.ticks(low, high, levels or 8) or {} end
    if options.fill ~= false and even(xs) and even(ys) then
      local dx, dy = (xs[n] - xs[1]) / (n - 1) / 2, (ys[m] - ys[1]) / (m - 1) / 2
      self.options.map = options.map or self.options.map
      self.options.color_label = options.color_label or self.options.color_label
      self.series[#self.series + 1] = { kind = "heat", y = flat, rows = rows, columns = columns,
        extent = { xs[1] - dx, xs[n] + dx, ys[1] - dy, ys[m] + dy } }
    end
    local line_x, line_y = {}, {}
    for _, level in ipairs(levels) do
      level_line(level, xs, ys, flat, columns, line_x, line_y)
    end
    if #line_x > 0 then
      local look = { label = options.label, color = options.color or "target", scale = options.scale or .5 }
      figure.add(self, "line", { x = line_x, y = line_y }, look, "contour")
    end
    return self
  end

  local parallel_options = known "values color_label best"
  -- Parallel coordinates: axes { { name =, log =, low =, high =, categories = } ... }, a row of values for each line;
  -- values[i] colours row i; best: the row that is emphasised.
  function Panel:parallel(axes, rows, options)
    options = check(options, parallel_options, "parallel")
    if type(axes) ~= "table" or #axes < 2 then fail("parallel: two axes at least are expected") end
    if type(rows) ~= "table" then fail("parallel: a list of rows is expected, not %s", values.describe(rows)) end
    for i, row in ipairs(rows) do
      if type(row) ~= "table" then
        fail("parallel: row %d is %s; a list of values is expected", i, values.describe(row))
      end
    end
    local own = {}
    for k, axis in ipairs(axes) do
      if type(axis) == "string" then axis = { name = axis } end
      own[k] = { name = tostring(axis.name or k), log = axis.log, low = axis.low, high = axis.high,
        categories = axis.categories }
      fill_axis(own[k], rows, k)
    end
    local colors = options.values and values.list(options.values, "parallel: values")
    if colors then same_length("parallel", "values", #colors, "rows", #rows) end
    local x, y, color, marked_x, marked_y = {}, {}, colors and {}, {}, {}
    for i, row in ipairs(rows) do
      for k, axis in ipairs(own) do
        local n, place = #x + 1, place_on(axis, row[k])
        x[n], y[n] = k, place or 0 / 0
        if color then color[n] = colors[i] end
        if i == options.best then marked_x[k], marked_y[k] = k, place or 0 / 0 end
      end
      x[#x + 1], y[#y + 1] = 0 / 0, 0 / 0
      if color then color[#color + 1] = 0 end
    end
    local o = self.options
    o.bare = true
    o.x_range, o.y_range = { .72, #own + .15 }, { -.03, 1.12 }
    o.color_label = options.color_label or o.color_label
    if #x > 0 then
      self.series[#self.series + 1] = { kind = "line", role = "muted", x = x, y = y, color = color,
        scale = color and 1.3 or 1, label = options.label }
    end
    if #marked_x > 0 then
      self.series[#self.series + 1] = { kind = "line", role = 2, x = marked_x, y = marked_y, scale = 1.3, marks = true,
        label = options.label and "best" or nil }
    end
    for k, axis in ipairs(own) do
      draw_axis(self, axis, k)
    end
    return self
  end

  -- The circle |z| = 1, for eigenvalues; the panel's units become equal.
  function Panel:unit_circle()
    local x, y = {}, {}
    for i = 0, 180 do
      x[i + 1], y[i + 1] = math.cos(i * math.pi / 90), math.sin(i * math.pi / 90)
    end
    self.options.equal = true
    self.series[#self.series + 1] = { kind = "line", role = "muted", x = x, y = y, scale = 1.4 }
    return self
  end
end
