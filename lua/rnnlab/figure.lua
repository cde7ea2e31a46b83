-- rnnlab.figure owns r.figure and r.plot: figures described step by step, as scripts and the library's own pages do.
-- A figure is a table for core.plot.write (meta/plot.lua) in the making; nothing is drawn here.
local core = require "rnnlab.core"
local text = require "rnnlab.text"
local values = require "rnnlab.figure.values"

local figure = {}

local fail, vector, same_length = values.fail, values.vector, values.same_length

local Panel = {}
Panel.__index = Panel
Panel.__name = "rnnlab.figure.panel"
local Figure = {}
Figure.__name = "rnnlab.figure"
Figure.__metatable = false

-- figures made by figure.new; those that may write files where they are told to
local marked, may_save = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })

-- ---- options --------------------------------------------------------------------------------------

local function set_of(words)
  local set = {}
  for word in words:gmatch "%S+" do
    set[word] = true
  end
  return set
end

-- what r.figure says of the whole, and what it or f:panel says of a panel
local figure_options = set_of [[name title subtitle caption size width height columns share_x share_y widths heights
  panels]]
local panel_options = set_of [[title xlabel ylabel y2label zlabel log_x log_y log_y2 x_range y_range y2_range x_tics
  y_tics reverse_x reverse_y plain_x plain_y snug_y equal bare x_grid map color_label color_range log_color
  no_color_bar view]]
local sizes = { page = true, column = true, slide = true, screen = true }
-- what every kind of series takes
local look = "label color dash marks axis scale opacity outside"
local colors = { target = "target", predicted = "predicted", muted = "muted", grey = "muted", gray = "muted",
  black = "target", blue = 1, red = 2, teal = 3, amber = 4, wine = 5 }

-- Raise for an option that is not known.
function figure.check_options(options, known, what)
  if options == nil then return {} end
  if type(options) ~= "table" or core.is_tensor(options) then
    fail("%s: its options are a table, not %s", what, values.describe(options))
  end
  for key in pairs(options) do
    if type(key) ~= "string" or not known[key] then
      fail("%s has no option '%s'%s (it takes %s)", what, text.one_line(tostring(key)),
        text.did_you_mean(tostring(key), text.sorted_keys(known)), text.list(text.sorted_keys(known)))
    end
  end
  return options
end

local function known_options(more)
  local set = set_of(look)
  for word in (more or ""):gmatch "%S+" do
    set[word] = true
  end
  return set
end
figure.known_options = known_options

-- color = "red", 3, "muted", or values: role and values
local function role_of(color, what)
  if color == nil then return nil end
  if type(color) == "number" then
    if color >= 1 and color % 1 == 0 then return math.tointeger(color) end
  elseif type(color) == "string" and colors[color] then
    return colors[color]
  elseif core.is_tensor(color) or type(color) == "table" then
    return nil, color
  end
  fail("%s: color is %s; a number of the palette, %s, or a value a point is expected", what, values.describe(color),
    text.list(text.sorted_keys(colors), "or"))
end

local dashes = { dashed = true, dotted = true, none = true }

-- What the options say of a series' look.
function figure.look(panel, options, what)
  local role, by_value = role_of(options.color, what)
  if options.dash ~= nil and not dashes[options.dash] then
    fail("%s: dash is %s; none, dashed or dotted is expected", what, values.describe(options.dash))
  end
  if options.axis ~= nil and options.axis ~= 1 and options.axis ~= 2 then
    fail("%s: axis is %s; 1 (left) or 2 (right) is expected", what, values.describe(options.axis))
  end
  if options.label ~= nil then options.label = tostring(options.label) end
  if not role and not by_value then
    for _, series in ipairs(panel.series) do -- a name keeps its colour
      if series.label and series.label == options.label then role = series.role end
    end
  end
  if not role then
    if not by_value then panel.colors = panel.colors + 1 end
    role = math.max(panel.colors, 1)
  end
  return { label = options.label, role = role, dash = options.dash, marks = options.marks or nil,
    second = options.axis == 2 or nil, scale = options.scale, opacity = options.opacity,
    outside = options.outside or nil, color = by_value and vector(by_value, what .. ": color") or nil }
end

-- ---- panels ---------------------------------------------------------------------------------------

local function new_panel(owner, options, what)
  figure.check_options(options, panel_options, what)
  local panel = setmetatable({ owner = owner, series = {}, notes = {}, colors = 0, options = {}, space = false,
    space_done = false }, Panel)
  for key, value in pairs(owner.defaults) do
    panel.options[key] = value
  end
  for key, value in pairs(options or {}) do
    panel.options[key] = value
  end
  return panel
end

-- Add a series to the panel; returns what the method was called on, so that calls chain.
function figure.add(panel, kind, series, options, what)
  for key, value in pairs(figure.look(panel, options, what)) do
    if series[key] == nil then series[key] = value end
  end
  if series.color then
    local _, n = vector(series.color, what .. ": color")
    local _, m = vector(series.y, what)
    same_length(what, "color", n, "y", m)
  end
  series.kind = kind
  panel.series[#panel.series + 1] = series
  return series
end

-- (y), (x, y), with or without options behind -> x (or nil), y, options, length
local function x_and_y(what, a, b, options)
  if options == nil and type(b) == "table" and not core.is_tensor(b) and #b == 0 and next(b) ~= nil then
    b, options = nil, b
  end
  if b == nil then
    local y, n = vector(a, what .. ": y")
    return nil, y, options, n
  end
  local x, n = vector(a, what .. ": x")
  local y, m = vector(b, what .. ": y")
  same_length(what, "x", n, "y", m)
  return x, y, options, n
end
figure.x_and_y = x_and_y

local function simple(name, kind)
  local known = known_options()
  Panel[name] = function(self, a, b, options)
    local x, y, given = x_and_y(name, a, b, options)
    options = figure.check_options(given, known, name)
    figure.add(self, kind, { x = x, y = y }, options, name)
    return self
  end
end
simple("line", "line")
simple("steps", "steps")

local point_options = known_options "error low high"

-- Points; error = a value a point (or low and high) draws error bars.
function Panel:points(a, b, options)
  local x, y, given, n = x_and_y("points", a, b, options)
  options = figure.check_options(given, point_options, "points")
  local low, high = options.low, options.high
  if options.error ~= nil then
    local error_, m = values.list(options.error, "points: error")
    same_length("points", "error", m, "y", n)
    local list = values.list(y, "points: y")
    low, high = {}, {}
    for i = 1, n do
      low[i], high[i] = list[i] - error_[i], list[i] + error_[i]
    end
  end
  local series = { x = x, y = y }
  if low or high then
    local m, k
    series.low, m = vector(low, "points: low")
    series.high, k = vector(high, "points: high")
    same_length("points", "low", m, "y", n)
    same_length("points", "high", k, "y", n)
  end
  figure.add(self, "points", series, options, "points")
  return self
end
Panel.scatter = Panel.points

-- The area between low and high, over x: band(x, low, high) or band(low, high).
function Panel:band(a, b, c, options)
  local low, high, x = b, c, a
  if high == nil or (type(high) == "table" and not core.is_tensor(high) and #high == 0) then
    low, high, x, options = a, b, nil, c or options
  end
  local n, m, k
  low, n = vector(low, "band: low")
  high, m = vector(high, "band: high")
  same_length("band", "low", n, "high", m)
  if x ~= nil then
    x, k = vector(x, "band: x")
    same_length("band", "x", k, "low", n)
  end
  options = figure.check_options(options, known_options(), "band")
  figure.add(self, "band", { x = x, y = low, y2 = high }, options, "band")
  return self
end

local heat_options = known_options [[x y map color_label color_range rows columns values first]]
local maps = { sequential = true, diverging = true, blues = true }

local function tics_from(labels, what, n)
  if #labels ~= n then fail("%s: %d names for %d of them", what, #labels, n) end
  local at, names = {}, {}
  local stride = math.max(1, math.ceil(n / 40)) -- names that would stand on each other
  for i = 1, n, stride do
    at[#at + 1], names[#names + 1] = i, tostring(labels[i])
  end
  return { at = at, labels = names }
end
figure.tics_from = tics_from

-- A matrix as a heat map: rows from the top (first = "bottom": from the bottom).
function Panel:heat(matrix, options)
  options = figure.check_options(options, heat_options, "heat")
  local flat, rows, columns = values.matrix(matrix, "heat")
  local extent
  if options.x or options.y then
    local x, y = options.x or { .5, columns + .5 }, options.y or { .5, rows + .5 }
    for _, range in ipairs { x, y } do
      if type(range) ~= "table" or type(range[1]) ~= "number" or type(range[2]) ~= "number" or range[1] >= range[2] then
        fail("heat: x and y are { low, high }, the edges of the map")
      end
    end
    extent = { x[1], x[2], y[1], y[2] }
  end
  local low, high = values.range(flat)
  local own = self.options
  own.map = options.map or own.map or (low and low < 0 and high > 0 and "diverging") or "sequential"
  if not maps[own.map] then
    fail("heat: map is %s; %s is expected", values.describe(own.map), text.list(text.sorted_keys(maps), "or"))
  end
  own.color_label = options.color_label or own.color_label
  own.color_range = options.color_range or own.color_range
  local top = options.first == "top" or not options.y and options.first ~= "bottom"
  if own.reverse_y == nil and top then own.reverse_y = true end
  if options.rows then own.y_tics = tics_from(options.rows, "heat: rows", rows) end
  if options.columns then own.x_tics = tics_from(options.columns, "heat: columns", columns) end
  self.series[#self.series + 1] = { kind = "heat", y = flat, rows = rows, columns = columns, extent = extent }
  if options.values then
    local range = own.color_range or {}
    low, high = range[1] or low or 0, range[2] or high or 1
    local limit = math.max(math.abs(low), math.abs(high))
    for i, value in ipairs(flat) do
      local r, c = (i - 1) // columns + 1, (i - 1) % columns + 1
      local deep
      if own.map == "blues" then deep = value > .55 * high
      elseif own.map == "diverging" then deep = math.abs(value) > .45 * limit
      else deep = value < low + .55 * (high - low) end
      local said = type(options.values) == "function" and options.values(value, r, c)
        or value % 1 == 0 and ("%d"):format(value) or text.significant(value, 2)
      self.notes[#self.notes + 1] = { kind = "text", text = tostring(said), x = c, y = r, align = "center",
        rise = "middle", small = true, strong = true, light = deep or nil }
    end
  end
  return self
end

-- ---- notes ----------------------------------------------------------------------------------------

local note_options = set_of "color align rise dash frame small strong label"

local function note(panel, kind, fields, options, what)
  options = figure.check_options(options, note_options, what)
  for key, value in pairs(options) do
    if key == "color" then fields.role = role_of(value, what)
    elseif key ~= "label" then fields[key] = value end
  end
  fields.kind = kind
  for _, key in ipairs { "x", "y", "x2", "y2" } do
    if fields[key] ~= nil and not values.finite(values.number(fields[key], what)) then
      fail("%s: %s is not finite", what, key)
    end
  end
  panel.notes[#panel.notes + 1] = fields
  return panel
end

-- A text at (x, y); frame = true: fractions of the panel.
function Panel:text(x, y, said, options)
  return note(self, "text", { x = values.number(x, "text: x"), y = values.number(y, "text: y"), text = tostring(said) },
    options, "text")
end

-- An arrow from (x, y) to (x2, y2), with a text at its beginning where one is given.
function Panel:arrow(x, y, x2, y2, said, options)
  if type(said) == "table" then said, options = nil, said end
  return note(self, "arrow", { x = values.number(x, "arrow: x"), y = values.number(y, "arrow: y"),
    x2 = values.number(x2, "arrow: x2"), y2 = values.number(y2, "arrow: y2"),
    text = said ~= nil and tostring(said) or nil, align = "center", rise = y2 >= y and "below" or "above" }, options,
    "arrow")
end

-- A straight line from one point to another.
function Panel:segment(x, y, x2, y2, options)
  return note(self, "line", { x = values.number(x, "segment: x"), y = values.number(y, "segment: y"),
    x2 = values.number(x2, "segment: x2"), y2 = values.number(y2, "segment: y2") }, options, "segment")
end

local function reference(kind, axis, what)
  return function(self, at, options)
    if type(options) == "string" then options = { label = options } end
    local label = options and options.label
    local fields = { text = label ~= nil and tostring(label) or nil, dash = "dashed", small = true }
    fields[axis] = values.number(at, what)
    return note(self, kind, fields, options, what)
  end
end
-- A line through the whole panel at y, or at x, with a label.
Panel.hline = reference("across", "y", "hline")
Panel.vline = reference("up", "x", "vline")

-- ---- the figure -----------------------------------------------------------------------------------

-- Methods of a panel act on the figure's last one.
local function last_panel(self)
  local panels = rawget(self, "panels")
  if #panels == 0 then panels[1] = new_panel(self, nil, "figure") end
  return panels[#panels]
end

Figure.__index = function(self, key)
  if type(key) == "number" then return rawget(self, "panels")[key] end
  if Figure[key] ~= nil then return Figure[key] end
  local method = Panel[key]
  if type(method) ~= "function" then
    if type(key) == "string" then
      local known = {}
      for _, set in ipairs { Figure, Panel } do
        for name in pairs(set) do
          if not name:find "^__" then known[#known + 1] = name end
        end
      end
      fail("a figure has no '%s'%s", text.one_line(key), text.did_you_mean(key, known))
    end
    return nil
  end
  return function(owner, ...)
    method(last_panel(owner), ...)
    return owner
  end
end

Panel.__index = function(self, key)
  if Panel[key] ~= nil then return Panel[key] end
  if type(key) ~= "string" or rawget(self, "owner") == nil then return nil end
  local known = {}
  for name in pairs(Panel) do
    if not name:find "^__" then known[#known + 1] = name end
  end
  fail("a panel has no '%s'%s", text.one_line(key), text.did_you_mean(key, known))
end

-- A panel: f:panel{ ylabel = "y" } adds one, f:panel(2) is the second.
function Figure:panel(options)
  if type(options) == "number" then
    local panel = rawget(self, "panels")[options]
    if not panel then fail("panel(%s): the figure has %d", tostring(options), #rawget(self, "panels")) end
    return panel
  end
  local panels = rawget(self, "panels")
  panels[#panels + 1] = new_panel(self, options, ("panel %d"):format(#panels + 1))
  return panels[#panels]
end

-- r.figure{ title =, xlabel =, ... }: options of the figure, and of all its panels. kept: made in a run, which keeps
-- its figures itself.
function figure.new(options, kept)
  local known = {}
  for _, set in ipairs { figure_options, panel_options } do
    for key in pairs(set) do
      known[key] = true
    end
  end
  options = figure.check_options(options, known, "figure")
  local self = setmetatable({ panels = {}, own = {}, defaults = {} }, Figure)
  marked[self], may_save[self] = true, not kept or nil
  for key, value in pairs(options) do
    if figure_options[key] then self.own[key] = value else self.defaults[key] = value end
  end
  if self.own.size ~= nil and not sizes[self.own.size] then
    fail("figure: size is %s%s; page (180 mm), column (85 mm), slide or screen is expected",
      values.describe(self.own.size), text.did_you_mean(tostring(self.own.size), text.sorted_keys(sizes)))
  end
  local panels = self.own.panels
  if panels ~= nil and type(panels) ~= "table" then fail("figure: panels is a list of tables") end
  for _, panel in ipairs(panels or {}) do
    Figure.panel(self, panel)
  end
  return self
end

-- Is it a figure of r.figure's?
function figure.is(value)
  return type(value) == "table" and marked[value] == true
end

-- The table for core.plot.write. name: the stem of its files, where the figure has none of its own.
function figure.describe(self, name)
  local own = rawget(self, "own")
  last_panel(self)
  local all = { name = own.name or name or "figure", title = own.title, subtitle = own.subtitle, size = own.size,
    width = own.width, height = own.height, columns = own.columns, share_y = own.share_y, widths = own.widths,
    heights = own.heights, caption = own.caption, panels = {} }
  for key, value in pairs(all) do
    if (key == "title" or key == "subtitle") and value == false then all[key] = nil end
  end
  local share_x = own.share_x
  if share_x == nil then share_x = (own.columns or 1) == 1 end
  all.own_x = not share_x
  for i, panel in ipairs(rawget(self, "panels")) do
    if panel.space then require("rnnlab.figure.space").finish(panel) end
    local described = { series = panel.series, notes = panel.notes }
    for key, value in pairs(panel.options) do
      if key ~= "zlabel" and key ~= "view" then described[key] = value end
    end
    if panel.space then described.xlabel, described.ylabel = nil, nil end
    all.panels[i] = described
  end
  return all
end

-- The figure as text for a terminal.
function Figure:preview(options)
  return require("rnnlab.figure.preview").text(figure.describe(self), options)
end

-- Draw it: f:save("folder/name.svg"), or a folder and a list of formats. For the REPL and plain Lua programs; a run
-- keeps its figures itself.
function Figure:save(path, formats)
  if not may_save[self] then
    fail("save: a run keeps its figures itself; name them in the experiment: "
      .. "figures = { mine = function(run) ... end }")
  end
  if type(path) ~= "string" then fail("save: a file's name is expected, not %s", values.describe(path)) end
  local folder, name, ending = path:match "^(.-)/?([%w][%w._-]*)%.(%a+)$"
  if ending then formats = { ending } else folder, name = path:match "^(.-)/?([%w][%w._-]*)$" end
  if not name then fail("save: '%s' is no file's name", text.one_line(path)) end
  if folder == "" then folder = path:sub(1, 1) == "/" and "/" or "." end
  local files, problem = core.plot.write({ figure.describe(self, name) }, folder, formats)
  if problem then fail("save: %s", problem) end
  return files
end

-- ---- Torch's curve tuples ---------------------------------------------------------------------------

-- '-' lines, '+' and '.' points, '+-' both, '~' lines, '|' bars from zero
local tuple_kinds = { ["-"] = "line", ["~"] = "line", ["+"] = "points", ["."] = "points", ["+-"] = "marks",
  ["-+"] = "marks", [".-"] = "marks", ["|"] = "bars" }

local function add_tuple(self, tuple, number)
  local what = ("plot, curve %d"):format(number)
  local i, label = 1, nil
  if type(tuple[1]) == "string" then label, i = tuple[1], 2 end
  local x, y = tuple[i], tuple[i + 1]
  local format = tuple[#tuple]
  if type(y) == "string" or y == nil then x, y = nil, x end
  if type(format) ~= "string" or #tuple == 1 or #tuple < i + (x and 2 or 1) then format = "-" end
  local kind = tuple_kinds[format]
  if not kind then
    fail("%s: its format is '%s'; '-', '+', '.', '+-', '~' or '|' is expected", what, text.one_line(format))
  end
  if y == nil then fail("%s: { 'label', x, y, '-' } or { x, y } is expected", what) end
  local _, n = vector(y, what .. ": y")
  if x ~= nil then
    local _, m = vector(x, what .. ": x")
    same_length(what, "x", m, "y", n)
  end
  local options = { label = label, marks = kind == "marks" or nil }
  local panel = last_panel(self)
  if kind == "bars" then panel:bars(x or nil, y, options)
  elseif x == nil then panel[kind == "points" and "points" or "line"](panel, y, nil, options)
  else panel[kind == "points" and "points" or "line"](panel, x, y, options) end
end

-- r.plot(y), r.plot(x, y), r.plot('label', x, y, '-'), r.plot({'a', x, y, '-'}, {'b', x2, y2, '+'}, {title = ...}).
function figure.plot(kept, ...)
  local arguments = table.pack(...)
  local options
  local last = arguments[arguments.n]
  if type(last) == "table" and not core.is_tensor(last) and #last == 0 and next(last) ~= nil then
    options, arguments.n = last, arguments.n - 1
    arguments[arguments.n + 1] = nil
  end
  local self = figure.new(options, kept)
  if arguments.n == 0 then fail("plot: something to plot is expected, such as { 'label', x, y, '-' }") end
  local first = arguments[1]
  local tuples = type(first) == "table" and not core.is_tensor(first) and type(first[1]) ~= "number"
  if not tuples then
    add_tuple(self, arguments, 1)
    return self
  end
  for i = 1, arguments.n do
    if type(arguments[i]) ~= "table" then
      fail("plot, curve %d: a table { 'label', x, y, '-' } is expected, not %s", i, values.describe(arguments[i]))
    end
    add_tuple(self, arguments[i], i)
  end
  return self
end

figure.Panel, figure.Figure = Panel, Figure
require("rnnlab.figure.composed")(figure)
require("rnnlab.figure.space").add(figure)

return figure
