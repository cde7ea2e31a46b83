---@meta rnnlab.core
-- sweep.lua: what rnnlab.core offers for sweeps: Lua states of their own, processes, journals, the study of proposals
-- and prunings, statistics. For lua/rnnlab/sweep/; scripts do not see it. The functions are in src/bind/lua_fresh.c,
-- lua_sweep.c, lua_sweep_folder.c and lua_study.c.

---@class rnnlab.core
---@field sweep rnnlab.core.sweep
local core = {}

---@class rnnlab.FreshStates
local states = {}

--- A maker of Lua states that share nothing but rnnlab's own modules, compiled once.
---@return rnnlab.FreshStates
function core.fresh_states() end

--- require(module)[name](text, ask) in a new state, closed afterwards. `ask` there calls `ask` here, text in and text
--- out. Raises what the function raises.
---@param module string
---@param name string
---@param text string
---@param ask? fun(text: string): string
---@return string
function states:call(module, name, text, ask) end

---@class rnnlab.core.sweep
local sweep = {}

-- processes -----------------------------------------------------------------------------------------

---@class rnnlab.Processes
local processes = {}

--- Children that are talked to in lines (libuv).
---@return rnnlab.Processes
function sweep.processes() end

--- Start a program. "worker": it reads lines at descriptor 3 and writes lines at 4; "output": its standard output is
--- read.
---@param words string[]
---@param channel? "worker"|"output"
---@return integer id
function processes:start(words, channel) end

--- Send a worker a line; nothing where it has ended.
---@param id integer
---@param line string
function processes:send(id, line) end

---@param id integer
---@param signal integer
function processes:kill(id, signal) end

--- The next event: "timeout"; "stop" (the stop flag is set); "line", id, text; "end", id, exit code, signal (0: none).
---@param seconds? number for ever if left out
---@return string kind, integer? id, string|integer? what, integer? signal
function processes:wait(seconds) end

--- Tell all workers that nothing more comes, and wait until they have ended, at most so long.
---@param seconds number
function processes:finish(seconds) end

--- Kill whoever still runs.
function processes:close() end

--- The path of this program.
---@return string
function sweep.program() end

--- In a worker: end when the process `parent` does; memory: bytes it may have beside what it has now. False where the
--- parent is gone.
---@param parent integer
---@param memory? number
---@return boolean
function sweep.worker_begin(parent, memory) end

--- In a worker: the next line; nil and why: "timeout", "end" (nobody is there any more), "stop".
---@param seconds? number
---@return string? line, string? why
function sweep.worker_read(seconds) end

--- In a worker: send a line; false where nobody reads any more.
---@param line string
---@return boolean
function sweep.worker_write(line) end

-- journals ------------------------------------------------------------------------------------------

---@class rnnlab.Journal
local journal = {}

--- Open a journal for appending; a torn last line is cut off.
---@param path string
---@return rnnlab.Journal journal, integer dropped bytes that were cut off
function sweep.journal(path) end

--- Append whole lines in one write; durable within a second, or at once after a long time without.
---@param lines string
function journal:write(lines) end

--- Seconds until rest() has something to do; below 0: never.
---@return number
function journal:due() end

--- Make durable what is due.
function journal:rest() end

--- Make all durable now.
function journal:sync() end

--- Durable, then closed.
function journal:close() end

--- The whole lines of a journal from an offset on, and the offset behind them.
---@param path string
---@param offset? integer
---@return string lines, integer offset
function sweep.journal_read(path, offset) end

--- The slots that have a journal in a folder, in no order.
---@param dir string
---@return integer[]
function sweep.journal_slots(dir) end

--- Claim a piece of work for a slot, among all hosts; false where another has it, or this one had it before.
---@param folder string
---@param number integer
---@param slot integer
---@param generation? integer above 0: what was a slot's that will not come again
---@return boolean
function sweep.claim(folder, number, slot, generation) end

--- Who has claimed what: of each number the slot and the generation that holds.
---@param folder string
---@return table<integer, integer> slots, table<integer, integer> generations
function sweep.claims(folder) end

--- This process, as no other is named.
---@return { pid: integer, start: integer, boot_id: string, host: string }
function sweep.process() end

--- Does it still run? "elsewhere": it is another machine's.
---@param process table as process() gives it
---@return "alive"|"dead"|"elsewhere"
function sweep.life(process) end

-- the folder ----------------------------------------------------------------------------------------

---@class rnnlab.Sweep
local folder = {}

--- Claim results/<experiment>-sweep-<n>/ and write its sweep.json.
---@param results string
---@param experiment string
---@param head table
---@return rnnlab.Sweep
function sweep.create(results, experiment, head) end

--- The sweep meant by a name, the beginning of one, "last" or a folder. Raises where there is none; with `none` gives
--- nil.
---@param results string
---@param query string
---@param none? boolean
---@return rnnlab.Sweep?
function sweep.open(results, query, none) end

---@return string
function folder:name() end

---@return string
function folder:dir() end

--- sweep.json as a table.
---@return table
function folder:json() end

--- Merge into sweep.json, durably.
---@param changes table
function folder:write(changes) end

--- This process owns the sweep from now on. False where another one that lives does.
---@return boolean
function folder:take_over() end

--- Put the sweep and its trials, as their lines in the journals are, into the index. nil, or why that could not be.
---@param results string
---@param lines table[]
---@return string?
function folder:index(results, lines) end

-- the study -----------------------------------------------------------------------------------------

---@class rnnlab.Study
local study = {}

--- A sweep's space, sampler, pruner and configurations. Configurations count from 0 here; values are to be minimised.
---@param options table space, sampler, seed, startup, candidates, univariate, pruner, last_step, pruner_first,
--- pruner_factor, pruner_startup (0 or nil: the usual ones)
---@return rnnlab.Study
function sweep.study(options) end

--- How many different points there are; nil: no end.
---@return integer?
function study:count() end

--- The point of a configuration: numbers (the number of a choice, from 0), false where a parameter is not looked at.
--- nil where no point is left. limit: configurations below it are seen as they stand, those up to this one as running.
---@param number integer
---@param limit? integer
---@return (number|false)[]?
function study:propose(number, limit) end

--- Add a configuration, or change its state ("running", "finished", "pruned", "failed") and value.
---@param number integer
---@param point (number|false)[]?
---@param state string
---@param value? number
function study:put(number, point, state, value) end

---@param number integer
---@param step integer
---@param value number
function study:report(number, step, value) end

--- Is it to be stopped at its last report?
---@param number integer
---@param limit? integer
---@return boolean
function study:stops(number, limit) end

--- The next step at which it could be stopped.
---@param number integer
---@param after integer
---@return integer
function study:next(number, after) end

--- The pruner's settings, with every default filled in: first and factor of asha and hyperband, startup of median.
---@return { first: integer?, factor: integer?, startup: integer? }
function study:pruner() end

--- The point's values as key=TEXT takes them, by name; what is not looked at is left out.
---@param point (number|false)[]
---@return table<string, string>
function study:texts(point) end

--- { name, kind = "real"|"int"|"choice", low, high, step, log, choices, text } of each parameter.
---@return table[]
function study:dimensions() end

--- How much of the differences among the best each parameter explains (PED-ANOVA), in their order; nil with fewer than
--- two finished configurations.
---@return number[]?
function study:importance() end

--- Mean, deviation and Student's interval: { n, mean, sd, half, low, high, level }.
---@param values number[]
---@param level? number .95
---@return table
function sweep.interval(values, level) end

--- The paired difference a - b: { difference = interval, t, p, wilcoxon = { n, w_plus, w_minus, p, exact } }.
---@param a number[]
---@param b number[]
---@param level? number
---@return table
function sweep.paired(a, b, level) end

--- Which points are dominated by none; all values are to be minimised.
---@param points number[][]
---@return boolean[]
function sweep.pareto(points) end

return core
