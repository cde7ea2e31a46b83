---@meta rnnlab
-- figure.lua: r.figure and r.plot, figures described step by step (lua/rnnlab/figure.lua). For editors and for the
-- reference; nothing here is run.

--- Values of a series: a tensor of one dimension, a list of numbers, or packed float64. nan leaves a gap.
---@alias rnnlab.figure.values rnnlab.Tensor|number[]|string
--- A tensor of two dimensions, or a list of rows.
---@alias rnnlab.figure.matrix rnnlab.Tensor|number[][]

--- What a figure says of itself and, from `xlabel` on, of all its panels.
---@class rnnlab.figure.options: rnnlab.figure.panel.options
---@field title? string
---@field subtitle? string in grey, under the title
---@field caption? string for reports
---@field size? "page"|"column"|"slide"|"screen" 180 mm wide with text of 9 points (default), 85 mm, 254 mm, 240 mm
---@field width? number millimetres, instead of the size's
---@field height? number millimetres; default: as high as its panels need
---@field columns? integer panels side by side; default 1
---@field share_x? boolean panels of a column have one x axis; default true where columns is 1
---@field share_y? boolean panels of a row have one y axis
---@field widths? number[] how wide the columns are, in proportion
---@field heights? number[] how high the rows are, in proportion
---@field panels? rnnlab.figure.panel.options[] panels to begin with
---@field name? string stem of its files; a run names its figures itself

---@class rnnlab.figure.panel.options
---@field title? string
---@field xlabel? string
---@field ylabel? string
---@field y2label? string beside the second axis, which series with axis = 2 belong to
---@field zlabel? string of line3 and points3
---@field log_x? boolean
---@field log_y? boolean ignored where no value is positive
---@field log_y2? boolean
---@field x_range? { [1]: number?, [2]: number? } low, high; default from the data
---@field y_range? { [1]: number?, [2]: number? }
---@field y2_range? { [1]: number?, [2]: number? }
---@field x_tics? { at: number[], labels: string[] } instead of numbers
---@field y_tics? { at: number[], labels: string[] }
---@field reverse_x? boolean
---@field reverse_y? boolean
---@field plain_x? boolean no tics
---@field plain_y? boolean
---@field equal? boolean one unit is as long along x as along y
---@field bare? boolean neither axes nor grid
---@field x_grid? boolean grid lines at the x tics too
---@field map? "sequential"|"diverging"|"blues" colours of values
---@field color_label? string beside the colour bar
---@field color_range? { [1]: number?, [2]: number? }
---@field log_color? boolean
---@field no_color_bar? boolean
---@field view? { [1]: number, [2]: number } of line3: azimuth and elevation in degrees, 0 to 90; default { 35, 22 }

--- What every kind of series takes.
---@class rnnlab.figure.look
---@field label? string its name in the legend
---@field color? integer|string|rnnlab.figure.values the palette's k-th, "target", "predicted", "muted", "blue", "red",
--- "teal", "amber", "wine", or a value a point, coloured by the panel's map. Default: the next of the palette; series
--- of one label share it
---@field dash? "dashed"|"dotted"|"none"
---@field marks? boolean a dot at each point of a line
---@field axis? 1|2 the left or the right y axis
---@field scale? number of line widths and dots; default 1
---@field opacity? number of areas, 0 to 1
---@field outside? boolean does not count for the axes' ranges

---@class rnnlab.figure.note
---@field color? integer|string
---@field align? "left"|"center"|"right"
---@field rise? "below"|"middle"|"above"
---@field dash? "dashed"|"dotted"|"none"
---@field frame? boolean x and y are fractions of the panel
---@field small? boolean
---@field strong? boolean
---@field label? string of hline and vline

--- A panel. Its methods return it, so that they chain; a figure has the same methods, which act on its last panel.
---@class rnnlab.figure.panel
local panel = {}

--- A line: line(y), line(x, y), with options behind.
---@param x rnnlab.figure.values
---@param y? rnnlab.figure.values
---@param options? rnnlab.figure.look
---@return rnnlab.figure.panel
function panel:line(x, y, options) end

--- A line held until the next x.
---@param x rnnlab.figure.values
---@param y? rnnlab.figure.values
---@param options? rnnlab.figure.look
---@return rnnlab.figure.panel
function panel:steps(x, y, options) end

---@class rnnlab.figure.spread
---@field error? rnnlab.figure.values
---@field low? rnnlab.figure.values
---@field high? rnnlab.figure.values

--- Points. error = a value a point, or low and high, draws error bars.
---@param x rnnlab.figure.values
---@param y? rnnlab.figure.values
---@param options? rnnlab.figure.look|rnnlab.figure.spread
---@return rnnlab.figure.panel
function panel:points(x, y, options) end

--- The area between low and high: band(x, low, high) or band(low, high).
---@param x rnnlab.figure.values
---@param low rnnlab.figure.values
---@param high? rnnlab.figure.values
---@param options? rnnlab.figure.look
---@return rnnlab.figure.panel
function panel:band(x, low, high, options) end

--- Mean and spread of several curves of one length, as a line in a band: mean(x, {y1, y2, ...}), x may be nil.
---@param x rnnlab.figure.values?
---@param curves rnnlab.figure.matrix a row for each curve
---@param options? rnnlab.figure.look|{ spread: "deviation"|"quantiles"|"range"?, quantiles: number[]? }
---@return rnnlab.figure.panel
function panel:mean(x, curves, options) end

--- Bars: bars(y), bars(x, y), bars({ "a", "b" }, y); several lists of y stand side by side, called by `names`.
---@param x rnnlab.figure.values|string[]
---@param y? rnnlab.figure.values|rnnlab.figure.values[]
---@param options? rnnlab.figure.look|{ wide: number?, sideways: boolean?, error: any, names: string[]? }
---@return rnnlab.figure.panel
function panel:bars(x, y, options) end

--- How often values fall into equal bins.
---@param values rnnlab.figure.values
---@param options? rnnlab.figure.look|{ bins: integer?, range: number[]?, density: boolean? }
---@return rnnlab.figure.panel
function panel:histogram(values, options) end

--- Box plots of groups of values: quartiles, whiskers within 1.5 interquartile ranges, points beyond (points = true:
--- all).
---@param groups rnnlab.figure.values[]
---@param options? rnnlab.figure.look|{ labels: string[]?, wide: number?, points: boolean? }
---@return rnnlab.figure.panel
function panel:boxes(groups, options) end

---@class rnnlab.figure.heat
---@field x? number[] { low, high }: the edges of the map; default: cells of size 1
---@field y? number[]
---@field map? "sequential"|"diverging"|"blues" default: diverging where values have both signs
---@field color_label? string
---@field color_range? number[]
---@field rows? string[] what the rows are called
---@field columns? string[]
---@field values? boolean|fun(value: number, row: integer, column: integer): any what stands in the cells
---@field first? "top"|"bottom" where the first row lies

--- A matrix as a heat map, its first row at the top. values = true writes the numbers.
---@param matrix rnnlab.figure.matrix
---@param options? rnnlab.figure.heat
---@return rnnlab.figure.panel
function panel:heat(matrix, options) end

--- A confusion matrix: counts[i][j], how often class i was taken for class j; coloured by the share of the row.
---@param counts rnnlab.figure.matrix
---@param options? { classes: string[]? }
---@return rnnlab.figure.panel
function panel:confusion(counts, options) end

--- Lines of equal height of z (a row for each y, a column for each x), over a map of it. levels: how many, or which.
---@param x rnnlab.figure.values
---@param y rnnlab.figure.values
---@param z rnnlab.figure.matrix
---@param options? rnnlab.figure.look|{ levels: integer|number[]?, map: string?, color_label: string?, fill: boolean? }
---@return rnnlab.figure.panel
function panel:contour(x, y, z, options) end

--- Parallel coordinates: a line a row through axes { "name" or { name =, log =, low =, high =, categories = }, ... }.
--- values colours the rows, best is the number of the one that is emphasised.
---@param axes (string|table)[]
---@param rows any[][]
---@param options? rnnlab.figure.look|{ values: rnnlab.figure.values?, color_label: string?, best: integer? }
---@return rnnlab.figure.panel
function panel:parallel(axes, rows, options) end

--- A curve in three dimensions, in a box.
---@param x rnnlab.figure.values
---@param y rnnlab.figure.values
---@param z rnnlab.figure.values
---@param options? rnnlab.figure.look
---@return rnnlab.figure.panel
function panel:line3(x, y, z, options) end

--- Points in three dimensions.
---@param x rnnlab.figure.values
---@param y rnnlab.figure.values
---@param z rnnlab.figure.values
---@param options? rnnlab.figure.look
---@return rnnlab.figure.panel
function panel:points3(x, y, z, options) end

--- A text at (x, y).
---@param x number
---@param y number
---@param text string
---@param options? rnnlab.figure.note
---@return rnnlab.figure.panel
function panel:text(x, y, text, options) end

--- An arrow from (x, y) to (x2, y2), with a text at its beginning.
---@param x number
---@param y number
---@param x2 number
---@param y2 number
---@param text? string
---@param options? rnnlab.figure.note
---@return rnnlab.figure.panel
function panel:arrow(x, y, x2, y2, text, options) end

--- A straight line between two points.
---@param x number
---@param y number
---@param x2 number
---@param y2 number
---@param options? rnnlab.figure.note
---@return rnnlab.figure.panel
function panel:segment(x, y, x2, y2, options) end

--- A line through the whole panel at y.
---@param y number
---@param label? string|rnnlab.figure.note
---@return rnnlab.figure.panel
function panel:hline(y, label) end

--- A line through the whole panel at x.
---@param x number
---@param label? string|rnnlab.figure.note
---@return rnnlab.figure.panel
function panel:vline(x, label) end

--- The circle |z| = 1; units become equal.
---@return rnnlab.figure.panel
function panel:unit_circle() end

---@class rnnlab.figure: rnnlab.figure.panel
local figure = {}

--- f:panel{ ylabel = "y" } adds a panel, f:panel(2) is the second.
---@param options rnnlab.figure.panel.options|integer
---@return rnnlab.figure.panel
function figure:panel(options) end

--- The figure as text for a terminal.
---@param options? { width: integer?, height: integer?, color: boolean?, ascii: boolean? }
---@return string
function figure:preview(options) end

--- Draw it: f:save("folder/name.svg"), or f:save("folder/name", { "svg", "pdf" }). Not in a run, which keeps its
--- figures itself: figures = { name = function(run) return f end }.
---@param path string
---@param formats? ("svg"|"png"|"pdf"|"tex")[]
---@return string[] files
function figure:save(path, formats) end

---@class rnnlab
local r = {}

--- A figure to be filled: r.figure{ xlabel = "t" }:line(x, y, { label = "a" }):points(x, z). An experiment's
--- figures = { mine = function(run) return r.figure{...}:line(...) end } keeps it with the run.
---@param options? rnnlab.figure.options
---@return rnnlab.figure
function r.figure(options) end

--- Torch's curve tuples: r.plot(y), r.plot(x, y), r.plot("label", x, y, "-"), r.plot({ "a", x, y, "-" },
--- { "b", x2, y2, "+" }, { title = "..." }). Formats: "-" lines, "+" and "." points, "+-" both, "|" bars.
---@return rnnlab.figure
function r.plot(...) end

return r
