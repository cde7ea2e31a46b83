---@meta rnnlab.core
-- engine.lua: what rnnlab.core offers for layers and training; lua/rnnlab/nn.lua and training.lua are what
-- scripts use instead. The functions are in src/bind/lua_rnn.c and lua_train.c.

---@class rnnlab.core
local core = {}

---@class rnnlab.RecurrentParams
---@field weight_ih rnnlab.Tensor U, (input, hidden)
---@field weight_hh? rnnlab.Tensor W of an Elman cell, (hidden, hidden)
---@field weight_oh? rnnlab.Tensor W of a Jordan cell, (output, hidden)
---@field bias rnnlab.Tensor b, (hidden)
---@field weight_ho? rnnlab.Tensor V, (hidden, output); without it there is no read-out (Elman only)
---@field bias_o? rnnlab.Tensor c, (output)
---@field state0? rnnlab.Tensor h(0), or y(0) of a Jordan cell: (n) or (batch, n); zero if left out

---@class rnnlab.RecurrentOptions
---@field phi? string activation of the hidden units: "tanh" (default), "sigmoid", "relu", "linear"
---@field sigma? string activation of the outputs: "linear" (default), "tanh", "sigmoid", "relu"
---@field regime? string "auto" (default), "small", "large", "reference": how it is computed, for tests
---@field name? string for messages; default "rnn"

--- A recurrent layer over a whole sequence, one op with its own back-propagation through time.
--- Elman: h(t) = phi(x(t)U + h(t-1)W + b), y(t) = sigma(h(t)V + c); Jordan: y(t-1) in place of h(t-1).
---@param cell string "elman" or "jordan"
---@param x rnnlab.Tensor (batch, time, input)
---@param params rnnlab.RecurrentParams
---@param opts? rnnlab.RecurrentOptions
---@return rnnlab.Tensor? y (batch, time, output); nil without a read-out
---@return rnnlab.Tensor h (batch, time, hidden)
function core.recurrent(cell, x, params, opts) end

--- y = xW + b.
---@param x rnnlab.Tensor (batch, time, in) or (batch, in)
---@param weight rnnlab.Tensor (in, out)
---@param bias? rnnlab.Tensor (out)
---@param opts? { name: string }
---@return rnnlab.Tensor y
function core.linear(x, weight, bias, opts) end

--- A loss over sequences, a scalar. "sse": the mean over sequences and steps of the squared error summed over
--- outputs (the tutorial's cost); "mse": the mean over outputs too.
---@param kind string
---@param y rnnlab.Tensor
---@param target rnnlab.Tensor
---@return rnnlab.Tensor
function core.loss(kind, y, target) end

--- Fill a tensor with initial weights. "uniform" {a, b}, "normal" {mean, std}, "glorot" {gain}, "orthogonal" {gain},
--- "zeros", "constant" {value}.
---@param kind string
---@param tensor rnnlab.Tensor
---@param rng rnnlab.Rng
---@param opts? table
---@return rnnlab.Tensor tensor the same
function core.init(kind, tensor, rng, opts) end

---@class rnnlab.TrainerSpec
---@field record fun(x: rnnlab.Tensor, y: rnnlab.Tensor): rnnlab.Tensor, rnnlab.Tensor prediction and loss;
--- called once a shape, its ops recorded and replayed
---@field params rnnlab.Tensor[] leaves that require a gradient
---@field x rnnlab.Tensor training set, batch first
---@field y rnnlab.Tensor
---@field val? { x: rnnlab.Tensor, y: rnnlab.Tensor }
---@field optimizer table { kind = "sgd"|"momentum"|"adam"|"adam_tf", lr, momentum, beta1, beta2, eps }
---@field clip_norm? number
---@field clip_value? number
---@field batch_size? integer default: all
---@field shuffle? boolean
---@field seed? integer of the order of batches; default 1

--- A training loop in C: no Lua and no allocation in a step.
---@param spec rnnlab.TrainerSpec
---@return rnnlab.Trainer
function core.trainer(spec) end

---@class rnnlab.Trainer
local Trainer = {}

--- Train until so many epochs are done in all, or for so long.
---@param until_epoch integer
---@param max_seconds? number
---@return "epochs"|"time"|"interrupted"|"diverged" reason
---@return integer epoch epochs done so far
function Trainer:run(until_epoch, max_seconds) end

---@return integer epochs done so far
function Trainer:epoch() end

---@return number seconds spent in run() so far
function Trainer:seconds() end

--- The training loss of every epoch from `from` on, as computed in that epoch before its update.
---@param from? integer default 1
---@return number[]
function Trainer:losses(from) end

--- The validation loss of every epoch from `from` on; nil without a validation set.
---@param from? integer default 1
---@return number[]?
function Trainer:val_losses(from) end

--- The training losses as the bytes of native float64, one an epoch.
---@return string
function Trainer:losses_packed() end

--- The loss and the prediction with the weights as they are.
---@param x rnnlab.Tensor
---@param y rnnlab.Tensor
---@return number loss
---@return rnnlab.Tensor prediction
function Trainer:evaluate(x, y) end

---@return integer bytes of the plans recorded so far
function Trainer:memory() end

--- Compare gradients with central differences, in float64. The spec is a trainer's, with `samples` (elements checked
--- a tensor at most, default 64) and `tolerance`; it needs no optimizer.
---@param spec table
---@return table report { ok, max_error, tolerance, jvp_error, memory, parameters = { { name, numel, checked, skipped,
--- max_error, worst_index, analytic, numeric }, ... } }
function core.gradcheck(spec) end

--- The kernels in use: isa ("generic", "avx2", "avx512"), isa_refused (what RNNLAB_ISA asked for in vain), and
--- blas = { opened, core, asked, config, problem }.
---@param open_blas? boolean open OpenBLAS first
---@return table
function core.kernel_info(open_blas) end

return core
