---@meta rnnlab.core
-- cell.lua: cell programs; lua/rnnlab/nn/recurrent.lua is what scripts use instead. The functions are in
-- src/bind/lua_cell.c.

---@class rnnlab.core
local core = {}

---@class rnnlab.Program
local Program = {}

---@class rnnlab.CellOptions
---@field input_size integer
---@field hidden_size integer
---@field output_size? integer a read-out y = sigma(h weight_ho + bias_o); default 0: none (jordan needs one)
---@field activation? string phi of elman, jordan, ctrnn and esn; default "tanh"
---@field output_activation? string sigma; default "linear"
---@field block_size? integer lstm97: cells a block; default 1
---@field gates_feed_gates? boolean lstm97: the gates of t-1 feed all gates and cells
---@field truncated? boolean lstm97: the paper's truncated gradient
---@field alpha? number ctrnn: step over time constant, esn: the leak, 0 < alpha <= 1; default 1
---@field noise? boolean ctrnn, esn: one more input sequence (hidden) is added to the state
---@field feedback? boolean esn: y(t-1) weight_oh comes to the units as well
---@field direct? boolean esn: the input goes to the output as well, by weight_io
---@field forced? boolean jordan, esn with feedback: one more input sequence (output) is fed back in place of y
---@field blended? boolean the same, and one more (1) says how much of it
---@field dropout? boolean x is multiplied by a row (input)
---@field recurrent_dropout? boolean h(t-1) is multiplied by a row (hidden)
---@field lean? boolean "h" is no output where there is a read-out
---@field states? boolean every state is an output
---@field inspected? boolean every state, and "gates" where there are some, is an output

--- A built-in cell as a program: "elman", "jordan", "lstm", "lstm_peephole", "lstm_layernorm", "lstm97", "gru",
--- "gru_original", "ctrnn", "esn". The equations stand in src/rnn/cells.h.
---@param kind string
---@param options rnnlab.CellOptions
---@return rnnlab.Program
function core.cell(kind, options) end

--- The weights in the cell's order.
---@return { name: string, sizes: integer[] }[]
function Program:weights() end
--- The states by name.
---@return { name: string, size: integer }[]
function Program:states() end
--- The outputs by name.
---@return { name: string, size: integer }[]
function Program:outputs() end
--- How it is computed where nothing else is asked for: "small" up to 64 features on every side, else "large".
---@return string
function Program:regime() end
--- One line about its length.
---@return string
function Program:describe() end

---@class rnnlab.UnrollOptions
---@field state0? table<string, rnnlab.Tensor> initial states by name, (batch, n) or (n); zero if left out
---@field rows? rnnlab.Tensor[] (batch, n) each, as many as the program has
---@field lengths? rnnlab.Tensor (batch): the steps of each sequence; outputs after them are zero
---@field regime? string "auto" (default), "small", "large", "reference"
---@field checkpoint? integer keep the states every n steps only and compute the rest again; -1: every sqrt(time)
---@field name? string for messages

--- Run a program over whole sequences: one op with its own back-propagation through time.
---@param program rnnlab.Program
---@param sequences rnnlab.Tensor[] (batch, time, width) each
---@param weights table<string, rnnlab.Tensor>
---@param opts? rnnlab.UnrollOptions
---@return table<string, rnnlab.Tensor> outputs (batch, time, width) by name
---@return table<string, rnnlab.Tensor> final states (batch, width) by name
function core.unroll(program, sequences, weights, opts) end

--- Turn sequences round, each within its own length; padding stays at the end.
---@param x rnnlab.Tensor (batch, time, feature)
---@param lengths? rnnlab.Tensor (batch)
---@return rnnlab.Tensor
function core.reverse(x, lengths) end

--- The last step of each sequence.
---@param x rnnlab.Tensor (batch, time, feature)
---@param lengths? rnnlab.Tensor (batch)
---@return rnnlab.Tensor (batch, feature)
function core.last(x, lengths) end

--- Rows of a weight by symbols, which count from 1.
---@param ids rnnlab.Tensor (batch, time)
---@param weight rnnlab.Tensor (symbols, feature)
---@return rnnlab.Tensor (batch, time, feature)
function core.embedding(ids, weight) end

---@class rnnlab.TraceSpec
---@field name? string for messages
---@field input integer
---@field states { [1]: string, [2]: integer[] }[] name and {size} each; the first is the output
---@field weights { [1]: string, [2]: integer[] }[] name and {rows, columns} or {n} each

--- A cell written in Lua as a program: step(w, x, states...) is run once on stand-ins, its ops translated one by one;
--- what cannot be is refused at its line.
---@param step function
---@param spec rnnlab.TraceSpec
---@return rnnlab.Program
function core.trace(step, spec) end
