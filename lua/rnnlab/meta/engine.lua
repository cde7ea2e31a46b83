---@meta rnnlab.core
-- engine.lua: what rnnlab.core offers for layers; lua/rnnlab/nn.lua is what scripts use instead. The functions are in
-- src/bind/lua_rnn.c, lua_noise.c and lua_linalg.c. Training is in train.lua.

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
---@field regime? string "auto" (default: "small"), "small", "reference": how it is computed, for tests
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

---@class rnnlab.LossOptions
---@field delta? number huber: where the square ends; default 1
---@field reduction? string over features, "mean" (default) or "sum"; sse and cross_entropy are sums
---@field mask? rnnlab.Tensor (batch, time) or (batch): how much each row counts
---@field lengths? rnnlab.Tensor (batch): the valid steps of each sequence
---@field weights? rnnlab.Tensor cross_entropy: (classes); bce: (feature), the weight of target = 1

--- A loss over sequences, a scalar: a mean over the rows (sequences and steps) that count. "sse": the squared error
--- summed over outputs (the tutorial's cost); "mse", "mae", "huber": means over outputs too; "bce": binary
--- cross-entropy of logits; "cross_entropy": of logits with a class (from 1) or probabilities a row; "gaussian_nll": of
--- means and log variances side by side. The formulas stand in src/rnn/row_loss.h.
---@param kind string
---@param y rnnlab.Tensor
---@param target rnnlab.Tensor
---@param opts? rnnlab.LossOptions
---@return rnnlab.Tensor
function core.loss(kind, y, target, opts) end

--- Fill a tensor with initial weights. "uniform" {a, b}, "normal" {mean, std}, "glorot" and "he" {gain} (uniform),
--- "glorot_normal" and "he_normal" {gain}, "orthogonal" {gain}, "identity" {gain}, "spectral" {radius, density},
--- "sparse" {mean, std, density}, "zeros", "constant" {value}. The formulas stand in src/rnn/init.h.
---@param kind string
---@param tensor rnnlab.Tensor
---@param rng rnnlab.Rng
---@param opts? table
---@return rnnlab.Tensor tensor the same
function core.init(kind, tensor, rng, opts) end

--- How long OpenBLAS's own sgemm takes: what `rnnlab bench` compares with.
---@param threads integer
---@param product { [1]: integer, [2]: integer, [3]: integer, [4]: boolean, [5]: boolean, [6]: integer } m, n, k,
--- whether a and b are read transposed, and how many times
---@return number? seconds nil where OpenBLAS is missing
function core.blas_seconds(threads, product) end

---@class rnnlab.NoiseOptions
---@field seed? integer default 1
---@field index? integer tells the layers of a model apart; default 0
---@field p? number probability of zero, 0 <= p < 1: "keep" and dropout; default 0
---@field std? number standard deviation of "normal"; default 1

--- Random numbers inside a training step, drawn anew each step as a pure function of (seed, index, clock). "normal":
--- N(0, std^2); "keep": 1/(1-p) with probability 1-p, else 0. No gradient passes.
---@param kind string
---@param clock rnnlab.Tensor one number, the step, which the trainer sets
---@param like rnnlab.Tensor|integer[] its shape, dtype and layout; or sizes
---@param opts rnnlab.NoiseOptions
---@return rnnlab.Tensor
function core.noise(kind, clock, like, opts) end

--- Inverted dropout: x times noise("keep") (Srivastava et al. 2014).
---@param x rnnlab.Tensor
---@param clock rnnlab.Tensor
---@param opts rnnlab.NoiseOptions
---@return rnnlab.Tensor
function core.dropout(x, clock, opts) end

--- Forward mode: what the outputs change by for a small change of the leaves along the tangents. The outputs were
--- computed from the leaves, which require a gradient.
---@param outputs rnnlab.Tensor[]
---@param leaves rnnlab.Tensor[]
---@param tangents rnnlab.Tensor[] shaped as the leaves
---@return rnnlab.Tensor[] tangents of the outputs
function core.jvp(outputs, leaves, tangents) end

--- Linear algebra in float64 by LAPACK. Nothing of it has a gradient.
---@class rnnlab.core.linalg
core.linalg = {}

--- The eigenvalues of a square matrix, in LAPACK's order.
---@param matrix rnnlab.Tensor
---@return rnnlab.Tensor re
---@return rnnlab.Tensor im
function core.linalg.eig(matrix) end

--- Eigenvalues, ascending, and eigenvectors, a row each, of a symmetric matrix, whose lower triangle is read.
---@param matrix rnnlab.Tensor
---@return rnnlab.Tensor values
---@return rnnlab.Tensor vectors
function core.linalg.eigh(matrix) end

--- Singular values: matrix (m, n) = u (m, k) diag(s) vt (k, n), k = min(m, n), s descending.
---@param matrix rnnlab.Tensor
---@return rnnlab.Tensor u
---@return rnnlab.Tensor s
---@return rnnlab.Tensor vt
function core.linalg.svd(matrix) end

--- X with A X = B; an error where A is singular.
---@param a rnnlab.Tensor (n, n)
---@param b rnnlab.Tensor (n, k)
---@return rnnlab.Tensor x
function core.linalg.solve(a, b) end

--- The X of least norm that minimises |A X - B|, and the rank of A.
---@param a rnnlab.Tensor (m, n)
---@param b rnnlab.Tensor (m, k)
---@return rnnlab.Tensor x
---@return integer rank
function core.linalg.lstsq(a, b) end

--- The largest |eigenvalue|, without LAPACK: by repeated squaring, above 256 rows by Arnoldi's method before it.
---@param matrix rnnlab.Tensor
---@return number
function core.linalg.spectral_radius(matrix) end

--- The kernels in use: isa ("generic", "avx2", "avx512"), isa_refused (what RNNLAB_ISA asked for in vain), and
--- blas = { opened, core, asked, config, problem }.
---@param open_blas? boolean open OpenBLAS first
---@return table
function core.kernel_info(open_blas) end

return core
