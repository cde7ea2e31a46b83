---@meta rnnlab.core
-- plot.lua: core.plot, figures into files and previews into the terminal (src/bind/lua_plot.c). For editors
-- and for the reference; nothing here is run.

--- Values: an array of numbers, or a packed string of native float64 (string.pack "d"). nan and the
--- infinities leave gaps, as do values <= 0 on a log axis.
---@alias rnnlab.plot.values number[]|string

---@class rnnlab.plot.series
---@field y rnnlab.plot.values
---@field x? rnnlab.plot.values as many as y; default 1, 2, 3 ...
---@field y2? rnnlab.plot.values the other edge of a band
---@field label? string its name in the legend; series of one name share an entry
---@field kind? "line"|"points"|"steps"|"band" default "line"
---@field role? "target"|"predicted"|integer dark, blue, the palette's k-th colour; default: its place
---@field marks? boolean a dot at each point of a line

---@class rnnlab.plot.panel
---@field ylabel? string
---@field log_y? boolean ignored where no value is positive
---@field y_range? { [1]: number?, [2]: number? } low, high; default from the data
---@field series? rnnlab.plot.series[]

--- Panels stand one above the other and share the x axis. The legend stands above them, left out where it
--- would hold one name.
---@class rnnlab.plot.figure
---@field name string stem of its files: letters, digits, ".", "_", "-"
---@field title? string
---@field subtitle? string
---@field xlabel? string
---@field log_x? boolean
---@field x_range? { [1]: number?, [2]: number? } low, high; default from the data
---@field width? number millimetres, default 180
---@field height? number millimetres, default as the panels need
---@field panels rnnlab.plot.panel[] 1 to 16

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
--- `gnuplot NAME.gp` redraws it, and NAME.svg, .png, .pdf. One gnuplot process draws them all. Returns the
--- pictures' file names; where some could not be drawn, what was and a message; where none could, nil, a
--- message and "not_found" (no gnuplot; the .gp and .dat are written) or "io". Raises for a wrong
--- description.
---@param figures rnnlab.plot.figure[]
---@param folder string
---@param formats? ("svg"|"png"|"pdf")[] default all three
---@return string[]? files
---@return string? message
---@return string? kind
function plot.write(figures, folder, formats) end

--- A small chart of the series, in lines of text.
---@param description rnnlab.plot.preview
---@return string
function plot.preview(description) end

--- The gnuplot that would draw: path, version, and which of the terminals it has. Nil and a message where
--- there is none.
---@return rnnlab.plot.info?
---@return string? message
function plot.info() end

return plot
