---@meta rnnlab
-- rnnlab.lua: what `require "rnnlab"` gives, for editors (completion, types) and for the reference.
-- Nothing here is run. Tensors are in tensor.lua; the parts in lua/rnnlab/face.lua.

---@class rnnlab
---@field version string such as "0.1.0"
---@field nn rnnlab.nn
---@field analysis rnnlab.analysis
local r = {}

--- A stored run's network with its weights, for the repl and a Lua of one's own: r.load_run("last").model.
---@param ref string a run's name, the beginning of one, "last", or its folder
---@param results? string the folder of results; default "results"
---@return { name: string, dir: string, model: rnnlab.Module, params: table, record: table }
function r.load_run(ref, results) end

-- experiments ---------------------------------------------------------------------------------------

--- Tensors, or nested tables of numbers, with the batch dimension first. Other fields than these reach a loss function
--- by their names, in its third argument.
---@class rnnlab.data.part
---@field x rnnlab.Tensor|table (batch, time, feature), or (batch, time) of symbols; nested tables of (time, feature)
--- are one sequence
---@field y? rnnlab.Tensor|table (batch, time, output); for some losses (batch, output), classes (batch, time), (batch)
---@field mask? rnnlab.Tensor|table (batch, time): 1 where a step is valid, else 0
---@field lengths? rnnlab.Tensor|table (batch): the valid steps of each sequence; those after them are padding
---@field weights? rnnlab.Tensor|table (batch): how much each sequence counts in the loss

--- Fresh data at every step: step counts from 1 over the whole training, rng is a stream of its own, so that no batch
--- depends on another.
---@class rnnlab.data.stream
---@field stream fun(rng: rnnlab.Rng, step: integer): rnnlab.data.part
---@field steps_per_epoch? integer default 100

---@class rnnlab.data
---@field train rnnlab.data.part|rnnlab.data.stream
---@field val? rnnlab.data.part its loss is val_loss, a column of metrics.csv
---@field test? rnnlab.data.part evaluated once, at the end

---@class rnnlab.early_stopping
---@field metric? string|fun(run: rnnlab.run): number "val_loss" (default), "loss", a metric by its name ("accuracy" on
--- the training data, "val_accuracy" on the validation data), or a function
---@field patience? integer epochs without an improvement after which training ends; default 10
---@field min_delta? number an improvement is more than this; default 0
---@field restore? boolean end with the weights of the best epoch; default true
---@field mode? "min"|"max" default "max" for names that end in accuracy or r2, else "min"

---@class rnnlab.optimizer
---@field kind? "adam"|"adam_tf"|"sgd"|"momentum" default "adam"
---@field lr? number default: the parameter lr, else 0.01
---@field momentum? number default 0.9, for "momentum"
---@field beta1? number default 0.9
---@field beta2? number default 0.999
---@field eps? number default 1e-8

---@class rnnlab.penalty
---@field l1? number times the sum of |w|
---@field l2? number times the sum of w^2
---@field activity? number|{ l1: number, l2: number } times the mean over steps of the sum over units of h^2 (l1: |h|)
---@field weights? string|string[] the parameters by name, or "all"; default every matrix

---@class rnnlab.experiment
---@field model rnnlab.Module|fun(p: table): rnnlab.Module the network, or a function of the parameters
---@field data rnnlab.data|rnnlab.data.part|rnnlab.Tensor|table|fun(p: table, rng: rnnlab.Rng): any
---@field loss? "sse"|"mse"|fun(prediction: rnnlab.Tensor, target: rnnlab.Tensor): rnnlab.Tensor
--- "sse": mean over sequences and steps of the squared error summed over outputs. "mse": the mean over
--- outputs too. Without a loss the run is a forward pass, and its values are printed.
---@field params? table<string, number|boolean|string|rnnlab.parameter> what key=value may set
---@field name? string names the runs; default: the script's name
---@field optimizer? string|rnnlab.optimizer|fun(p: table): string|rnnlab.optimizer
---@field analysis? fun(run: rnnlab.run): table called once after the training; what it returns is kept with the run
---@field penalty? rnnlab.penalty|fun(p: table): rnnlab.penalty added to the loss while training
---@field washout? integer the first so many steps of every sequence do not count
---@field input_noise? number standard deviation of normal noise on the inputs while training
---@field epochs? integer default: the parameter epochs, else 1000
---@field batch_size? integer sequences a step; default all of them
---@field shuffle? boolean default true where there is a batch_size
---@field k1? integer truncated backpropagation: an update every k1 steps (Williams & Peng 1990); default: none, whole
--- sequences
---@field k2? integer steps its gradient goes back, k2 >= k1; default k1
---@field models? integer|table[] several models side by side, on `threads` threads: with the seeds seed, seed + 1, ...,
--- or with the parameters each table of a list gives. The best is the run's; all are in models.safetensors
---@field stateful? boolean|"forever" sequence i of a batch goes on where sequence i of the batch before ended (as in
--- Keras); with an epoch they begin anew, with "forever" they do not
---@field early_stopping? boolean|integer|rnnlab.early_stopping true, or a patience, or all of it
---@field validate_every? integer epochs from one validation to the next; default 1
---@field norms? boolean|integer log the norms of every parameter and its gradient every epoch, or every n-th: columns
--- grad_norm.NAME (of the epoch's last step, before clipping) and norm.NAME
---@field clip_norm? number rescale the gradient to this norm where it is larger
---@field clip_value? number clip each element of the gradient to [-v, v]
---@field on_epoch? fun(run: rnnlab.run) called after every epoch
---@field report? fun(r: rnnlab.report) sections of its own for `rnnlab report`
---@field metrics? table<string, fun(prediction: rnnlab.Tensor, target: rnnlab.Tensor): number|rnnlab.Tensor>
--- evaluated on the training data at the end
---@field figures? string[]|false the kinds to draw; default all
---@field main? fun(p: table, run: rnnlab.run) a loop of one's own; without a loss it is all there is, and may only log:
--- data and model can be missing then
---@field checkpoint? boolean|number|string|{ seconds: number?, epochs: integer? } when the run's state is written so
--- that it can go on after it was stopped, a sweep's trial, too; default every 30 seconds, less often where that would
--- take 1 % of the time

--- What a script returns.
---@param experiment rnnlab.experiment
---@return rnnlab.experiment
function r.experiment(experiment) end

--- What on_epoch and main are given.
---@class rnnlab.run
---@field epoch integer epochs done
---@field loss number the loss of the last epoch, before its update
---@field val_loss? number
---@field state any the callback's own, kept from call to call and in checkpoints: numbers, strings, booleans, tables
--- of these, tensors and random streams. A run that was stopped and goes on knows nothing of other variables
---@field resumed boolean the run was stopped and goes on
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

--- In main: a place it finds again by run.state alone. A checkpoint is written here where one is due, and a stop that
--- was asked for happens here. Run again, main begins with run.resumed and run.state as it was here; a run:train under
--- way when it was stopped is finished by its first run:train. A main that only calls run:train needs none.
function run:checkpoint() end

--- In main: one step of training on a batch of one's own; its loss before the update.
---@param batch rnnlab.data.part
---@return number
function run:step(batch) end

--- In main: the steps since the last epoch's end become an epoch, with its row in metrics.csv. Returns their mean loss.
---@return number
function run:end_epoch() end

--- One epoch of batches, as the run's own loop would take them:
--- `for batch in run:batches("train", 32) do run:step(batch) end; run:end_epoch()` is `run:train(1)`.
---@param part? string|rnnlab.data.part default "train"
---@param size? integer default: the run's batch_size
---@param shuffle? boolean default: as the run's
---@return fun(): rnnlab.data.part?
function run:batches(part, size, shuffle) end

--- The next batch of a stateful network begins anew.
function run:reset_states() end

--- The learning rate of the last step (before the first: of the first).
---@return number
function run:lr() end

--- The learning rate of the steps from now on; refused where a schedule sets it.
---@param lr number
function run:set_lr(lr) end

--- The loss on other data with the weights as they are, and the prediction.
---@param x rnnlab.Tensor|string|rnnlab.data.part "val" and so on, or a part, or x
---@param y? rnnlab.Tensor where x is a tensor
---@return number loss
---@return rnnlab.Tensor prediction
function run:evaluate(x, y) end

--- The gradients of the last step by the parameters' names, as clipped; copies.
---@return table<string, rnnlab.Tensor>
function run:gradients() end

--- The parameters by name; copies.
---@return table<string, rnnlab.Tensor>
function run:parameters() end

--- What every recurrent layer computes for x: by the layer's name (or its number in the model), then by the state's.
---@param x rnnlab.Tensor|string|rnnlab.data.part
---@return table<string|integer, table<string, rnnlab.Tensor>>
function run:states(x) end

-- parameters ----------------------------------------------------------------------------------------

---@class rnnlab.parameter a declared parameter's type
local parameter = {}

--- The same, but a sweep looks at it only where another parameter has this value, or one of a list:
--- `hidden2 = r.int(8, 1, 64):when{ layers = 2 }`. As `when` in the script's `sweep` table.
---@param on table<string, any> one parameter, and the values of it
---@return rnnlab.parameter
function parameter:when(on) end

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
---@field mask? number|rnnlab.weights|table<string, number|rnnlab.weights> which connections there are: a density, or
--- 0 and 1, of what is fed back; or of several matrices by name
---@field dale? number|number[] ctrnn, elman: the fraction of excitatory units, or the sign of each (Dale's principle)
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

--- Gated cells: i|f|g|o in the columns; the forget gate's bias begins at forget_bias (1).
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.LSTM(inputs, hidden, outputs, options) end

--- An LSTM whose gates see the cell state (Gers, Schraudolph & Schmidhuber 2002).
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.PeepholeLSTM(inputs, hidden, outputs, options) end

--- A layer-normalised LSTM (Ba, Kiros & Hinton 2016).
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.LayerNormLSTM(inputs, hidden, outputs, options) end

--- The LSTM of 1997, without a forget gate. Options beside the common ones: block_size (cells a block),
--- gates_feed_gates, truncated (the paper's truncated gradient).
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.LSTM97(inputs, hidden, outputs, options) end

--- r|z|n in the columns; the reset gate acts after the product, as in PyTorch and cuDNN.
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.GRU(inputs, hidden, outputs, options) end

--- The reset gate acts before the product (Cho et al. 2014).
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.OriginalGRU(inputs, hidden, outputs, options) end

--- A leaky network, in continuous time. Options beside the common ones: alpha (step over time constant, 0 < alpha <= 1;
--- default 1) or tau and dt (1), noise (standard deviation of the state noise while training), mask, dale.
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.CTRNN(inputs, hidden, outputs, options) end

--- An echo-state reservoir: its weights stay as they are drawn, the read-out alone is trained. Options beside the
--- common ones: radius (.9), density (10 connections a unit), leak (1), input_scale (1), input_density (1),
--- bias_scale (0), feedback and feedback_scale (1), direct (inputs go to the outputs, too), noise.
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.Reservoir(inputs, hidden, outputs, options) end

--- A layer of a cell written in Lua.
---@param cell rnnlab.Cell
---@param inputs integer
---@param hidden integer
---@param outputs? integer|rnnlab.rnn.options a read-out is a Linear layer after it
---@param options? rnnlab.rnn.options
---@return rnnlab.Module
function nn.Cell(cell, inputs, hidden, outputs, options) end

--- While training, each number is zero with probability p, the others are scaled by 1/(1-p).
---@param p number
---@return rnnlab.Module
function nn.Dropout(p) end

--- Symbols 1 .. n, (batch, time), to rows of a weight (n, features).
---@param symbols integer
---@param features integer
---@param options? { init: rnnlab.init, name: string, weight: rnnlab.weights }
---@return rnnlab.Module
function nn.Embedding(symbols, features, options) end

--- The last step of each sequence, (batch, feature).
---@return rnnlab.Module
function nn.Last() end

---@class rnnlab.generate.options
---@field steps integer
---@field symbols? boolean outputs are logits; the next input is a symbol, 1 .. classes
---@field temperature? number of the softmax that rng draws from; default 1
---@field rng? rnnlab.Rng without one the most probable symbol is taken
---@field inputs? rnnlab.Tensor (batch, steps, features): given inputs, for networks that feed their outputs back
--- themselves (jordan, esn with feedback)
---@field targets? rnnlab.Tensor (batch, time, outputs): fed back in place of such a network's outputs over the prefix

--- Free running: the model over the prefix, then `steps` steps with its own outputs as inputs.
---@param model rnnlab.Module
---@param prefix rnnlab.Tensor (batch, time, features), or (batch, time) of symbols
---@param options rnnlab.generate.options
---@return rnnlab.Tensor generated (batch, steps, features) or (batch, steps)
---@return rnnlab.Tensor outputs (batch, steps, features): what each was chosen from
function nn.generate(model, prefix, options) end

--- x + layer(x).
---@param layer rnnlab.Module
---@return rnnlab.Module
function nn.Residual(layer) end

--- Two layers of the same input, the second over the sequence reversed; their outputs side by side.
---@param forward rnnlab.Module
---@param backward rnnlab.Module
---@return rnnlab.Module
function nn.Bidirectional(forward, backward) end

---@class rnnlab.Cell

---@class rnnlab.cell.spec
---@field weights fun(n: integer, h: integer): table<string, integer[]> the weights' sizes for n inputs, h hidden units
---@field step function (w, x, states...) -> the states' new values; the first is the output
---@field states? string[]|fun(n: integer, h: integer): table<string, integer> default {"h"}
---@field init? table<string, rnnlab.init> how weights begin; matrices by default "glorot", vectors "zeros"
---@field name? string for messages

--- A cell written in Lua: traced once, run by C over all steps, forward and back.
---@param spec rnnlab.cell.spec
---@return rnnlab.Cell
function r.cell(spec) end

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
