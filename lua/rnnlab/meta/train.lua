---@meta rnnlab.core
-- train.lua: what rnnlab.core offers for training; lua/rnnlab/training.lua is what scripts use instead. The
-- functions are in src/bind/lua_train.c.

---@class rnnlab.core
local core = {}

--- Tensors with the batch dimension first: x, y, mask (batch, time), lengths (batch), weights (batch) and whatever else
--- the step wants.
---@class rnnlab.part
---@field x rnnlab.Tensor (batch, time, ...)
---@field y rnnlab.Tensor
---@field mask? rnnlab.Tensor (batch, time): 1 where a step is valid, else 0
---@field lengths? rnnlab.Tensor (batch): the valid steps of each sequence, 1 .. time
---@field weights? rnnlab.Tensor (batch): how much each sequence counts, at least 0

--- What a step that is recorded is given beside x and y: every leaf of the batch by its name, and this.
---@class rnnlab.Step
---@field training boolean false: evaluation
---@field clock rnnlab.Tensor one float64: the steps trained before this one
---@field steps integer of x
---@field loss_from integer steps that count in no loss: y has those after them alone (truncated backpropagation)
---@field hand_on integer where states are carried: the state to hand on is that after so many steps
---@field loss_lengths? rnnlab.Tensor where loss_from > 0 and there are lengths: those of the steps that count
---@field y_before? rnnlab.Tensor truncated backpropagation: the target of the step before each of x's
---@field beginning boolean the sequences begin here
---@field carry? fun(name: string, batch: integer, size: integer, own?: rnnlab.Tensor): rnnlab.Tensor where states are
--- carried: the state to begin from
---@field carried? fun(name: string, last: rnnlab.Tensor, sequence?: rnnlab.Tensor) hands the state on that a layer
--- ended with; of `sequence`, all its states, another is taken where k2 is no multiple of k1

---@class rnnlab.EarlyStopping
---@field metric? string "val_loss" (default), "loss", or "given": told by Trainer:observe
---@field patience? integer epochs without an improvement; default: never
---@field min_delta? number an improvement is more than this; default 0
---@field larger_is_better? boolean
---@field restore? boolean keep the best weights for Trainer:restore_best; default true

---@class rnnlab.TrainerSpec
---@field record fun(x: rnnlab.Tensor, y: rnnlab.Tensor, step: rnnlab.Step): rnnlab.Tensor, rnnlab.Tensor prediction and
--- loss; called once a shape, its ops recorded and replayed
---@field params rnnlab.Tensor[] leaves that require a gradient
---@field train? rnnlab.part the training set
---@field x? rnnlab.Tensor in place of train: its x
---@field y? rnnlab.Tensor in place of train: its y
---@field val? rnnlab.part
---@field optimizer table { kind = "sgd"|"momentum"|"adam"|"adam_tf", lr, momentum, beta1, beta2, eps }, or a method
--- that owns whole epochs, the training set as one batch: { kind = "lm", damping, up, down, limit } or { kind =
--- "lbfgs", history, evaluations, tolerance }
---@field clip_norm? number
---@field clip_value? number
---@field batch_size? integer default: all
---@field shuffle? boolean
---@field seed? integer of the order of batches; default 1
---@field k1? integer truncated backpropagation: an update every k1 steps; default: whole sequences
---@field k2? integer steps its gradient goes back; default k1
---@field stateful? boolean a batch goes on where the batch before ended, row by row; all begin anew with an epoch
---@field keep_states? boolean stateful: an epoch goes on where the one before ended, too
---@field validate_every? integer epochs; default 1
---@field norms_every? integer epochs; default: never
---@field threads? integer default 1
---@field early_stopping? rnnlab.EarlyStopping

--- A training loop in C: no Lua and no allocation in a step.
---@param spec rnnlab.TrainerSpec
---@return rnnlab.Trainer
function core.trainer(spec) end

---@class rnnlab.Trainer
local Trainer = {}

--- Train until so many epochs are done in all, or for so long. "stopped": early stopping had enough, or a method has
--- converged.
---@param until_epoch integer
---@param max_seconds? number
---@return "epochs"|"time"|"interrupted"|"diverged"|"stopped" reason
---@return integer epoch epochs done so far
function Trainer:run(until_epoch, max_seconds) end

--- One step on a batch of one's own. Its loss before the update; one that is not finite changed no weight.
---@param batch rnnlab.part
---@return number loss
function Trainer:step(batch) end

--- The steps taken by hand since the last epoch's end become an epoch; its loss is their mean.
---@return "epochs"|"stopped" reason
function Trainer:end_epoch() end

--- A stateful network's next batch begins anew.
function Trainer:reset_states() end

--- Record every step an epoch takes, so that a run records none.
function Trainer:prepare() end

---@return integer epochs done so far
function Trainer:epoch() end
--- The learning rate of the last step (before the first: of the first).
---@return number
function Trainer:lr() end
--- The learning rate of the steps from now on; refused where a schedule sets it.
---@param lr number
function Trainer:set_lr(lr) end

---@return integer steps done so far, in all epochs
function Trainer:steps() end

--- Has the method (lm, lbfgs) found nothing left to change?
---@return boolean
function Trainer:converged() end

---@return number seconds spent in run() and step() so far
function Trainer:seconds() end

--- The training loss of every epoch from `from` on, as computed in that epoch before its updates.
---@param from? integer default 1
---@return number[]
function Trainer:losses(from) end

--- The validation loss of every epoch from `from` on, false where an epoch was not validated; nil without a validation
--- set.
---@param from? integer default 1
---@return (number|false)[]?
function Trainer:val_losses(from) end

--- The training losses as the bytes of native float64, one an epoch.
---@return string
function Trainer:losses_packed() end

--- With norms_every = n, a row for every n-th epoch: the norms of all gradients in its last step, before clipping, then
--- those of all parameters.
---@param from? integer row, default 1
---@return number[][]
function Trainer:norms(from) end

--- The metric of the epoch just done, where early stopping watches one that is "given".
---@param value number
---@return boolean enough training should end
function Trainer:observe(value) end

--- Put back the weights of the best epoch; nothing where none were kept.
---@return integer? epoch
---@return number? value its metric
function Trainer:restore_best() end

--- The loss and the prediction with the weights as they are, in batches of the trainer's size.
---@param x rnnlab.Tensor|rnnlab.part
---@param y? rnnlab.Tensor where x is a tensor
---@return number loss
---@return rnnlab.Tensor prediction
function Trainer:evaluate(x, y) end

---@return integer bytes of the plans recorded so far, of carried states and of kept weights
function Trainer:memory() end

--- Write its whole state to a file of its own: parameters, optimiser, cursor, losses, carried states, kept weights.
---@param path string
---@param text? string UTF-8, given back by restore
---@return integer bytes
function Trainer:checkpoint(path, text) end

--- Become the trainer that wrote the file; from there it goes on to the bit.
---@param path string
---@return string text
function Trainer:restore(path) end

--- Trainers run side by side on `threads` threads, each bitwise as if it ran alone. Each must be another one and
--- prepared.
---@param trainers rnnlab.Trainer[]
---@param threads? integer default 1
---@return rnnlab.Ensemble
function core.ensemble(trainers, threads) end

---@class rnnlab.Ensemble
local Ensemble = {}

--- Train every member until so many epochs are done in all, or for about so long.
---@param until_epoch integer
---@param max_seconds? number
---@return "epochs"|"time"|"interrupted" reason "epochs": each has done them, stopped early or diverged
function Ensemble:run(until_epoch, max_seconds) end

---@return string[] reasons why each member stands where it stands, as Trainer:run gives them
function Ensemble:reasons() end

---@return number seconds of wall time in run() so far
function Ensemble:seconds() end

--- Go on from a checkpoint: what reasons() and seconds() gave when it was written. The members' trainers have been
--- restored before.
---@param reasons string[]
---@param seconds number
function Ensemble:resume(reasons, seconds) end

--- Checkpoint files: safetensors, replaced atomically and durably. lua/rnnlab/checkpoint.lua writes a whole run's.
---@class rnnlab.core.checkpoint
local checkpoint = {}

--- The states of trainers, tensors beside them and a text. All between two steps only.
---@param path string
---@param trainers rnnlab.Trainer[]
---@param tensors rnnlab.Tensor[]
---@param text string UTF-8
---@param quick? boolean do not wait until it is safe from a power cut
---@return integer bytes
function checkpoint.write(path, trainers, tensors, text, quick) end

--- Read one; a file that is none is refused.
---@param path string
---@return rnnlab.Checkpoint
function checkpoint.read(path) end

---@class rnnlab.Checkpoint
local Checkpoint = {}

--- The text it was written with.
---@return string
function Checkpoint:text() end

--- The tensors it was written with.
---@return rnnlab.Tensor[]
function Checkpoint:tensors() end

--- The trainer, made with the same model, data and options, becomes the k-th that was written, to the bit. What does
--- not fit is refused before anything is changed.
---@param trainer rnnlab.Trainer
---@param k? integer default 1
function Checkpoint:restore(trainer, k) end

--- Compare gradients with central differences, in float64. The spec is a trainer's, with `samples` (elements checked
--- a tensor at most, default 64) and `tolerance`; it needs no optimizer.
---@param spec table
---@return table report { ok, max_error, tolerance, jvp_error, memory, parameters = { { name, numel, checked, skipped,
--- max_error, worst_index, analytic, numeric }, ... } }
function core.gradcheck(spec) end

return core
