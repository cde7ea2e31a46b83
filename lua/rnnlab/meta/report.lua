---@meta rnnlab.report
-- report.lua: what `report = function(r) ... end` of an experiment is given. It is called by `rnnlab report`, from the
-- run's own copy of the script. For editors and for the reference; nothing here is run.

--- A run that the report is about.
---@class rnnlab.report.run
---@field name string "tutorial8-q2-7"
---@field status string "finished"
---@field seed integer
---@field epochs integer
---@field network string "elman 3-5-2"
---@field weights integer
---@field params table<string, any>
---@field metrics table<string, number>
---@field history fun(): table<string, number[]> metrics.csv: epoch, loss and what was logged
---@field predictions fun(): table<string, rnnlab.Tensor>? predictions.npz: x, target, predicted

--- A number with its deviation, rounded to two digits of it.
---@alias rnnlab.report.number { number: number, deviation: number? }

---@class rnnlab.report
---@field run rnnlab.report.run the first run of this script
---@field runs rnnlab.report.run[] all of them
---@field params table<string, any> the first run's parameters
local r = {}

--- Begin a section; level 2 one inside it.
---@param title string
---@param level? 1|2
---@return rnnlab.report
function r:section(title, level) end

--- A paragraph of strings, numbers, and { code = "x" }, { strong = "x" }, { number = 1, deviation = .1 }.
---@param ... string|number|table
---@return rnnlab.report
function r:text(...) end

--- Lines of code.
---@param text string
---@param language? string
---@return rnnlab.report
function r:code(text, language) end

---@param items (string|number)[]
---@return rnnlab.report
function r:list(items) end

--- A cell is a string, a number, { number =, deviation =, strong = } or { text =, strong =, code = }.
---@param t { columns: string[], rows: any[][], caption: string? }
---@return rnnlab.report
function r:table(t) end

--- A figure drawn for the report: what r.figure or r.plot of the script's `r` makes, or a description.
---@param description rnnlab.figure|rnnlab.plot.figure
---@param caption? string default: the figure's own caption, or its title
---@return rnnlab.report
function r:figure(description, caption) end

--- The caption of a standard figure ("loss", "prediction") of these runs.
---@param kind string
---@param caption string
---@return rnnlab.report
function r:caption(kind, caption) end

return r
