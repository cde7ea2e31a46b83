---@meta rnnlab
-- rnnlab.lua: what `require "rnnlab"` gives, for editors (completion, types) and for the reference.
-- Nothing here is run. Tensors are in tensor.lua; the parts in lua/rnnlab/face.lua.

---@class rnnlab
---@field version string such as "0.1.0"
---@field nn rnnlab.nn
local r = {}

-- experiments ---------------------------------------------------------------------------------------

---@class rnnlab.data.part
---@field x rnnlab.Tensor|table (batch, time, feature); nested tables of (time, feature) are one sequence
---@field y? rnnlab.Tensor|table (batch, time, output)

---@class rnnlab.data
---@field train rnnlab.data.part
---@field val? rnnlab.data.part its loss is val_loss, a column of metrics.csv
---@field test? rnnlab.data.part evaluated once, at the end

---@class rnnlab.optimizer
---@field kind? "adam"|"adam_tf"|"sgd"|"momentum" default "adam"
---@field lr? number default: the parameter lr, else 0.01
---@field momentum? number default 0.9, for "momentum"
---@field beta1? number default 0.9
---@field beta2? number default 0.999
---@field eps? number default 1e-8

---@class rnnlab.experiment
---@field model rnnlab.Module|fun(p: table): rnnlab.Module the network, or a function of the parameters
---@field data rnnlab.data|rnnlab.data.part|rnnlab.Tensor|table|fun(p: table, rng: rnnlab.Rng): any
---@field loss? "sse"|"mse"|fun(prediction: rnnlab.Tensor, target: rnnlab.Tensor): rnnlab.Tensor
--- "sse": mean over sequences and steps of the squared error summed over outputs. "mse": the mean over
--- outputs too. Without a loss the run is a forward pass, and its values are printed.
---@field params? table<string, number|boolean|string|rnnlab.parameter> what key=value may set
---@field name? string names the runs; default: the script's name
---@field optimizer? string|rnnlab.optimizer|fun(p: table): string|rnnlab.optimizer
---@field epochs? integer default: the parameter epochs, else 1000
---@field batch_size? integer sequences a step; default all of them
---@field shuffle? boolean default true where there is a batch_size
---@field clip_norm? number rescale the gradient to this norm where it is larger
---@field clip_value? number clip each element of the gradient to [-v, v]
---@field on_epoch? fun(run: rnnlab.run) called after every epoch
---@field metrics? table<string, fun(prediction: rnnlab.Tensor, target: rnnlab.Tensor): number|rnnlab.Tensor>
--- evaluated on the training data at the end
---@field figures? string[]|false the kinds to draw; default all
---@field main? fun(p: table, run: rnnlab.run) a loop of one's own

--- What a script returns.
---@param experiment rnnlab.experiment
---@return rnnlab.experiment
function r.experiment(experiment) end

--- What on_epoch and main are given.
---@class rnnlab.run
---@field epoch integer epochs done
---@field loss number the loss of the last epoch, before its update
---@field val_loss? number
---@field state table the callback's own, kept from call to call
---@field model rnnlab.Module
---@field data rnnlab.data
---@field params table
local run = {}

--- Columns of metrics.csv besides loss: numbers by name. Log the same names in every epoch.
---@param values table<string, number|rnnlab.Tensor>
function run:log(values) end

--- No more epochs after this one.
function run:stop() end

--- In main: train so many epochs more. Returns the loss of the last one.
---@param epochs? integer default 1
---@return number
function run:train(epochs) end

--- The loss on other data with the weights as they are, and the prediction.
---@param x rnnlab.Tensor
---@param y rnnlab.Tensor
---@return number loss
---@return rnnlab.Tensor prediction
function run:evaluate(x, y) end

-- parameters ----------------------------------------------------------------------------------------

---@class rnnlab.parameter a declared parameter's type

--- A real number in [low, high].
---@param default number
---@param low? number
---@param high? number
---@param scale? "linear"|"log" how a sweep walks the range
---@return rnnlab.parameter
function r.real(default, low, high, scale) end

--- A whole number in [low, high].
---@param default integer
---@param low? integer
---@param high? integer
---@param scale? "linear"|"log"
---@return rnnlab.parameter
function r.int(default, low, high, scale) end

--- One of a list (the first is the default), or of names that stand for values.
---@param choices any[]|table<string, any>
---@param default? any
---@return rnnlab.parameter
function r.choice(choices, default) end

---@param default? boolean default false
---@return rnnlab.parameter
function r.bool(default) end

---@param default? string
---@return rnnlab.parameter
function r.text(default) end

-- networks ------------------------------------------------------------------------------------------

---@alias rnnlab.activation "tanh"|"sigmoid"|"relu"|"linear"
---@alias rnnlab.weights rnnlab.Tensor|number[]|number[][]
---@alias rnnlab.init "glorot"|"orthogonal"|"uniform"|"normal"|"zeros"|"constant"|{ kind: string }

---@class rnnlab.rnn.options
---@field activation? rnnlab.activation of the hidden units, default "tanh"
---@field output? rnnlab.activation of the outputs, default "linear"
---@field state0? "zero"|"learned"|rnnlab.weights the state before the first step: (n) or (batch, n)
---@field init? rnnlab.init|table<string, rnnlab.init> for all matrices, or by the weight's name or letter
---@field name? string for messages
---@field regime? "auto"|"small"|"large"|"reference" how it is computed; "auto" goes by the shapes
---@field U? rnnlab.weights weight_ih, (inputs, hidden)
---@field W? rnnlab.weights weight_hh, (hidden, hidden); Jordan: weight_oh, (outputs, hidden)
---@field b? rnnlab.weights bias, (hidden)
---@field V? rnnlab.weights weight_ho, (hidden, outputs)
---@field c? rnnlab.weights bias_o, (outputs)

--- A recurrent network with its read-out:
--- h(t) = activation(x(t) U + h(t-1) W + b), y(t) = output(h(t) V + c); Jordan feeds back y(t-1).
---@param cell "elman"|"jordan"
---@param inputs integer
---@param hidden integer
---@param outputs integer
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function r.rnn(cell, inputs, hidden, outputs, options) end

---@class rnnlab.nn
local nn = {}

--- Without outputs it gives its hidden states.
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.Elman(inputs, hidden, outputs, options) end

---@param inputs integer
---@param hidden integer
---@param outputs integer
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.Jordan(inputs, hidden, outputs, options) end

---@class rnnlab.linear.options
---@field activation? rnnlab.activation default "linear"
---@field init? rnnlab.init|table<string, rnnlab.init>
---@field name? string for messages
---@field V? rnnlab.weights weight, (inputs, outputs)
---@field c? rnnlab.weights bias, (outputs)

--- y = activation(x V + c) at each step.
---@param inputs integer
---@param outputs integer
---@param options? rnnlab.linear.options
---@return rnnlab.Module
function nn.Linear(inputs, outputs, options) end

--- Layers one behind the other.
---@param ... rnnlab.Module
---@return rnnlab.Sequential
function nn.Sequential(...) end

--- A layer or a network: its weights are tensors in fields such as weight_ih.
---@class rnnlab.Module
---@field h? rnnlab.Tensor hidden states (batch, time, hidden) of the last forward
local Module = {}

---@param x rnnlab.Tensor (batch, time, inputs)
---@return rnnlab.Tensor y (batch, time, outputs)
function Module:forward(x) end

--- In order.
---@return { name: string, tensor: rnnlab.Tensor }[]
function Module:parameters() end

--- Draw the weights that were not given again.
---@param rng? rnnlab.Rng
---@return rnnlab.Module self
function Module:initialise(rng) end

--- The number of weights.
---@return integer
function Module:count() end

--- Such as "elman 3-5-2".
---@return string
function Module:describe() end

---@class rnnlab.Sequential: rnnlab.Module
local Sequential = {}

---@param layer rnnlab.Module
---@return rnnlab.Sequential self
function Sequential:add(layer) end

-- files ---------------------------------------------------------------------------------------------
-- Found beside the script, else from the current folder; recorded in run.json with their hash.

--- A table of numbers as a float64 tensor (rows, columns), and the header's names if there is one.
---@param path string
---@param options? { delimiter: string }
---@return rnnlab.Tensor
---@return string[]? names
function r.load_csv(path, options) end

---@param path string
---@return rnnlab.Tensor
function r.load_npy(path) end

---@param path string
---@return table<string, rnnlab.Tensor>
---@return string[] names
function r.load_npz(path) end

---@param path string
---@return table<string, rnnlab.Tensor>
---@return table<string, string> metadata
---@return string[] names
function r.load_safetensors(path) end

return r
