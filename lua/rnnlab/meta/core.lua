---@meta rnnlab.core
-- core.lua: what rnnlab.core offers besides tensors, layers and plots: JSON, the results folder, file
-- formats, the machine, the stop flag. For editors and for the reference; nothing here is run.
-- The functions are in src/bind/lua_{json,store,format,host,stop}.c.

---@class rnnlab.core
---@field version string rnnlab's version, such as "0.1.0"
---@field json rnnlab.core.json
---@field store rnnlab.core.store
---@field format rnnlab.core.format
---@field checkpoint rnnlab.core.checkpoint
---@field host rnnlab.core.host
local core = {}

--- The number of the signal that asked this process to stop, or nil. From then on every instruction
--- of a script ends with the error "stopped by signal N", also inside pcall and coroutines; rnnlab's own
--- modules run on. Always nil in a plain Lua.
---@return integer? signal
function core.stop_requested() end

--- Let scripts run again after a stop was seen, so that the end of an interrupted run can call the script's
--- functions (its metrics, its figures). stop_requested() still answers. Another signal ends the process.
function core.stop_acknowledge() end

--- A script's callback that is running when a signal comes may run on for so many seconds, so that its run stops
--- between two steps with whole data; without seconds, as at first, it is ended at once.
---@param seconds? number
function core.stop_hold(seconds) end

-- json ----------------------------------------------------------------------------------------------

---@class rnnlab.core.json
---@field null lightuserdata JSON's null
local json = {}

--- A Lua value as JSON text. A table with the keys 1..n is an array, one with string keys an object, its keys
--- sorted; an empty table is an object unless marked by array(). Integers stay integers; nan and the
--- infinities become the strings "nan", "inf", "-inf". Bytes that are no UTF-8 become U+FFFD.
---@param value any
---@param options? { indent: integer } indent 2 for a readable file; default one line
---@return string
function json.encode(value, options) end

--- JSON text as a Lua value. Raises one line that names the place for what is no JSON. Null is json.null.
---@param text string
---@return any
function json.decode(text) end

--- Mark a table as an array (so that an empty one is written []); returns it.
---@generic T: table
---@param t T
---@return T
function json.array(t) end

--- An object whose keys are written in the order given: json.object{ {"b", 1}, {"a", 2} }. Pairs whose value is
--- nil are left out.
---@param pairs_ any[][]
---@return table
function json.object(pairs_) end

--- The number a JSON value means: a number, or "nan", "inf", "-inf"; nil for anything else.
---@param value any
---@return number?
function json.number(value) end

-- store ---------------------------------------------------------------------------------------------

---@class rnnlab.core.store
local store = {}

--- Make a run's folder RESULTS/EXPERIMENT-N and its run.json, with status "running".
---@param results string the results folder, made if missing
---@param experiment string any text: made a name as experiment_name does
---@param head? table what is known: script, params, seed, versions, git, host ... (or a json.object)
---@return rnnlab.Run
function store.create(results, experiment, head) end

--- Open the run in a folder once more, to go on with it: metrics.csv is cut back to so many rows (0: it is to be begun
--- anew), run.json says "running". Refused where the run is finished, running, or being resumed by another process;
--- force: also where it may be running on another machine; finished: also where it is finished.
---@param dir string
---@param rows integer
---@param changes? table for run.json
---@param force? boolean
---@param finished? boolean
---@return rnnlab.Run
---@return string[] columns of metrics.csv
function store.reopen(dir, rows, changes, force, finished) end

--- The name an experiment gets from a script's path or a title: "scripts/tutorial8_q2.lua" is "tutorial8-q2".
---@param text string
---@return string
function store.experiment_name(text) end

--- A stored run, by name, by a prefix only one run has, by "last" or by its folder. record is run.json
--- decoded, summary the object `run --json` prints (figures with paths that open from here).
---@param results string
---@param ref string
---@return { name: string, dir: string, record: table, summary: table }
function store.open(results, ref) end

--- Merge a table into a closed run's run.json and the index: store.update(results, "a-1", { figures = {...} }).
---@param results string
---@param ref string as open takes
---@param patch table
---@return string? warning the index could not be updated
function store.update(results, ref, patch) end

--- Summaries of the runs there, oldest first, and warnings (a line each) about folders that cannot be read.
---@param results string
---@param query? { experiment: string?, status: string?, limit: integer?, sweeps: boolean? } sweeps: these too
---@return table[] summaries of a run with `run`, its name; of a sweep with `sweep`
---@return string warnings "" if none
function store.list(results, query) end

--- metrics.csv of a run's folder. An absent value is nan.
---@param dir string
---@return { columns: string[], rows: integer, epochs: integer[], values: table<string, number[]> }? metrics
--- nil where the run has no metrics.csv
function store.metrics(dir) end

---@class rnnlab.Run a run that is being written; collected without close() it is closed as "failed"
local Run = {}

---@return string name such as "tutorial8-q2-7"
function Run:name() end

---@return string dir such as "results/tutorial8-q2-7"
function Run:dir() end

--- Put a copy of a file into the run's folder.
---@param path string
---@param name string name inside the folder; may have subfolders
function Run:copy_file(path, name) end

--- Write text (any bytes) to a file of the run's folder.
---@param text string
---@param name string
function Run:copy_text(text, name) end

--- Open metrics.csv with these columns behind "epoch".
---@param columns string[]
function Run:metrics(columns) end

--- Append rows, each { epoch, value, ... } with false or nil for an absent value; or one list of rows.
---@param ... number[]|number[][]
function Run:append(...) end

--- Append one row an epoch from packed float64 columns (as Trainer:losses_packed gives): rows for the epochs
--- first, first+1, ... A column that is false is absent in every row. All columns have the same length.
---@param first integer
---@param ... string|false one a column
function Run:append_packed(first, ...) end

--- A column that comes late: metrics.csv is rewritten with it in place `at` (1: the first behind epoch), empty in the
--- rows so far.
---@param at integer
---@param name string
function Run:insert_column(at, name) end

--- Make sure that the rows so far outlive a power cut.
function Run:sync() end

--- Merge a table into run.json while the run goes on.
---@param patch table
function Run:note(patch) end

--- Close: "finished", "interrupted", "diverged", "failed" ... and what is known at the end: metrics, epochs,
--- train_s, wall_s, figures (paths inside the folder), error. A second close raises.
---@param status string
---@param tail? table
---@return string? warning the index could not be updated
function Run:close(status, tail) end

-- format --------------------------------------------------------------------------------------------

---@class rnnlab.core.format
local format = {}

--- Tensors are given by name, { x = T, y = T } (written in sorted order), or in order, { {"x", T}, {"y", T} }.
---@alias rnnlab.core.tensors table<string, rnnlab.Tensor>|any[][]

--- NumPy's zip of arrays.
---@param path string
---@param tensors rnnlab.core.tensors
function format.save_npz(path, tensors) end

---@param path string
---@return table<string, rnnlab.Tensor> tensors
---@return string[] names in the file's order
function format.load_npz(path) end

---@param path string
---@param tensor rnnlab.Tensor
function format.save_npy(path, tensor) end

---@param path string
---@return rnnlab.Tensor
function format.load_npy(path) end

---@param path string
---@param tensors rnnlab.core.tensors
---@param metadata? table<string, string>
function format.save_safetensors(path, tensors, metadata) end

---@param path string
---@return table<string, rnnlab.Tensor> tensors
---@return table<string, string> metadata
---@return string[] names in the file's order
function format.load_safetensors(path) end

--- A table of numbers: a float64 tensor (rows, columns), and the header's names if there is one.
---@param path string
---@param options? { delimiter: string } one character; default: found from the first line
---@return rnnlab.Tensor
---@return string[]? names
function format.load_csv(path, options) end

-- host ----------------------------------------------------------------------------------------------

---@class rnnlab.core.host
local host = {}

--- The time in UTC, "2026-11-23T08:51:19.123456Z".
---@return string
function host.now_iso() end

--- Seconds from some fixed point, never backwards.
---@return number
function host.monotonic() end

--- Is descriptor fd (0 stdin, 1 stdout, 2 stderr) a terminal?
---@param fd integer
---@return boolean
function host.isatty(fd) end

--- May colours and cursor movements be sent there? A terminal, TERM not "dumb", NO_COLOR not set.
---@param fd integer
---@return boolean
function host.color(fd) end

--- Width of the terminal in characters: that of stderr or stdout, else COLUMNS, else 80.
---@return integer
function host.columns() end

---@param name string
---@return string?
function host.getenv(name) end

--- The current folder ("." where it cannot be told).
---@return string
function host.cwd() end

--- Begin to look at the git state of a folder; ask with git_finish.
---@param dir? string default "."
---@return userdata
function host.git_start(dir) end

--- The git state, or nil where the folder is in no repository. dirty is nil where it is not known.
---@param git userdata from git_start
---@param wait_s? number how long to wait for git at most; default 2
---@return { commit: string, branch: string?, dirty: boolean? }?
function host.git_finish(git, wait_s) end

--- The machine and this process.
---@return { name: string, cpu: string, system: string, cores: integer, pid: integer }
function host.info() end

--- A whole file's bytes, or nil and one line saying why not.
---@param path string
---@return string?
---@return string? problem
function host.read_file(path) end

--- Replace a file atomically. Raises one line where that fails.
---@param path string
---@param bytes string
function host.write_file(path, bytes) end

---@param path string
---@return boolean
function host.exists(path) end

---@param path string
---@return boolean
function host.is_folder(path) end

--- May this process write there (a missing path: could it be made)?
---@param path string
---@return boolean
function host.is_writable(path) end

--- Make a folder and its parents; fine where it exists.
---@param path string
function host.make_folder(path) end

--- A new empty folder for what is not to stay.
---@return string path
function host.temporary_folder() end

--- The names in a folder, in no order; none where there is no such folder.
---@param path string
---@return string[]
function host.list_folder(path) end

--- Remove a folder with all in it; links are removed, never followed.
---@param path string
function host.remove_folder(path) end

--- SHA-256 of a file, as 64 hexadecimal digits.
---@param path string
---@return string
function host.sha256_file(path) end

--- SHA-256 of bytes.
---@param bytes string
---@return string
function host.sha256(bytes) end

--- Run another program to its end: no shell, standard input empty. Nil and one line where it cannot be started or
--- took longer than timeout (seconds, default 60). For rnnlab's own modules; scripts do not reach it.
---@param words string[] the program, looked for in PATH, and its arguments
---@param options? { folder: string?, timeout: number?, variables: string[]?, stopping: boolean? } stopping: the
--- stop flag does not end it
---@return integer? code 128 + n where signal n ended it
---@return string said what it wrote, both outputs
function host.run(words, options) end

return core
