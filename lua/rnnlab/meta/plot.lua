---@meta rnnlab.core
-- plot.lua: core.plot, figures into files and previews into the terminal (src/bind/lua_plot.c). For editors
-- and for the reference; nothing here is run.

--- Values: an array of numbers, a tensor (its values in row-major order), or a packed string of native float64
--- (string.pack "d"). nan and the infinities leave gaps, as do values <= 0 on a log axis.
---@alias rnnlab.plot.values number[]|rnnlab.Tensor|string

---@class rnnlab.plot.series
---@field y rnnlab.plot.values
---@field x? rnnlab.plot.values as many as y; default 1, 2, 3 ...
---@field y2? rnnlab.plot.values the other edge of a band; where bars begin (default 0); a box's upper edge
---@field low? rnnlab.plot.values where error bars and whiskers end
---@field high? rnnlab.plot.values
---@field mid? rnnlab.plot.values a box's median
---@field color? rnnlab.plot.values a value a point, coloured by the panel's map
---@field rows? integer of a heat map, whose y are rows x columns values, row by row from the bottom
---@field columns? integer
---@field extent? number[] of a heat map: x of its left and right edge, y of its bottom and top edge
---@field label? string its name in the legend; series of one name share an entry
---@field kind? "line"|"points"|"steps"|"band"|"bars"|"boxes"|"heat" default "line"
---@field role? "target"|"predicted"|"muted"|integer dark, blue, grey, the palette's k-th colour; default: its place
---@field marks? boolean a dot at each point of a line
---@field dash? "none"|"dashed"|"dotted"
---@field second? boolean belongs to the second y axis
---@field sideways? boolean bars that lie
---@field bare? boolean error bars without their points
---@field outside? boolean does not count for the axes' ranges
---@field scale? number of line widths and dots; default 1
---@field wide? number of bars and boxes, along x; default .8
---@field opacity? number of areas, 0 to 1

---@class rnnlab.plot.note
---@field kind? "text"|"arrow"|"line"|"across"|"up" across and up: a line through the panel at y, at x
---@field text? string
---@field x? number
---@field y? number
---@field x2? number the other end
---@field y2? number
---@field align? "left"|"center"|"right"
---@field rise? "below"|"middle"|"above"
---@field role? "target"|"predicted"|"muted"|integer
---@field dash? "none"|"dashed"|"dotted"
---@field frame? boolean x and y are fractions of the panel
---@field small? boolean
---@field strong? boolean
---@field light? boolean white text
---@field boxed? boolean on white

---@class rnnlab.plot.tics
---@field at number[]
---@field labels? string[]

---@class rnnlab.plot.panel
---@field title? string
---@field xlabel? string and the like for the other axes: ylabel, y2label
---@field ylabel? string
---@field y2label? string
---@field log_x? boolean log_y, log_y2
---@field log_y? boolean ignored where no value is positive
---@field x_range? { [1]: number?, [2]: number? } low, high; default from the data; y_range, y2_range
---@field y_range? { [1]: number?, [2]: number? }
---@field x_tics? rnnlab.plot.tics instead of numbers; y_tics, y2_tics
---@field y_tics? rnnlab.plot.tics
---@field reverse_x? boolean
---@field reverse_y? boolean
---@field plain_x? boolean no tics
---@field plain_y? boolean
---@field snug_y? boolean ends where the data end
---@field equal? boolean one unit is as long along x as along y
---@field bare? boolean neither axes nor grid
---@field x_grid? boolean
---@field map? "sequential"|"diverging"|"blues"
---@field color_label? string
---@field color_range? { [1]: number?, [2]: number? }
---@field log_color? boolean
---@field no_color_bar? boolean
---@field series? rnnlab.plot.series[]
---@field notes? rnnlab.plot.note[]

--- Panels stand in a grid, row by row. The legend stands above them, left out where it would hold one name.
---@class rnnlab.plot.figure
---@field name string stem of its files: letters, digits, ".", "_", "-"
---@field title? string
---@field subtitle? string
---@field xlabel? string
---@field log_x? boolean
---@field x_range? { [1]: number?, [2]: number? } low, high; default from the data
---@field size? "page"|"column"|"slide"|"screen" width, and size of text and lines; default "page"
---@field width? number millimetres, default the size's
---@field height? number millimetres, default as the panels need
---@field columns? integer of the grid, default 1
---@field own_x? boolean the panels of a column do not share their x axis
---@field share_y? boolean the panels of a row share their y axis
---@field widths? number[] of the columns, in proportion
---@field heights? number[] of the rows, in proportion
---@field panels rnnlab.plot.panel[] 1 to 64

---@class rnnlab.plot.preview
---@field series rnnlab.plot.series[] at most 8
---@field title? string
---@field xlabel? string
---@field width? integer characters, default 72
---@field height? integer lines, default 14
---@field log_y? boolean
---@field color? boolean ANSI colours
---@field ascii? boolean nothing beyond ASCII

---@class rnnlab.plot.info
---@field path string
---@field version string "5.4 patchlevel 4"
---@field svg boolean
---@field pngcairo boolean
---@field pdfcairo boolean
---@field cairolatex boolean

---@class rnnlab.core.plot
local plot = {}

--- Draw figures into a folder (made where missing): for each NAME.gp and NAME.dat, with which
--- `gnuplot NAME.gp` redraws it, and NAME.svg, .png, .pdf, .tex (with NAME-tex.pdf). One gnuplot process draws them
--- all, a second one what the first stumbled over. Returns the
--- pictures' file names; where some could not be drawn, what was and a message; where none could, nil, a
--- message and "not_found" (no gnuplot; the .gp and .dat are written) or "io". Raises for a wrong
--- description.
---@param figures rnnlab.plot.figure[]
---@param folder string
---@param formats? ("svg"|"png"|"pdf"|"tex")[] default the first three
---@return string[]? files
---@return string? message
---@return string? kind
function plot.write(figures, folder, formats) end

--- A small chart of the series, in lines of text.
---@param description rnnlab.plot.preview
---@return string
function plot.preview(description) end

--- A text on one line without control bytes, cut to `room` characters; ascii: "?" for what is not ASCII.
---@param text string
---@param room integer
---@param ascii? boolean
---@return string
function plot.preview_text(text, room, ascii) end

--- The gnuplot that would draw: path, version, and which of the terminals it has. Nil and a message where
--- there is none.
---@return rnnlab.plot.info?
---@return string? message
function plot.info() end

return plot
