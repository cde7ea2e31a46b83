---@meta rnnlab
-- analysis.lua: r.analysis, looking inside a network. In lua/rnnlab/analysis.lua.

---@class rnnlab.analysis
local analysis = {}

---@class rnnlab.spectrum
---@field re rnnlab.Tensor (n), the largest modulus first
---@field im rnnlab.Tensor (n)
---@field radius number the largest modulus
---@field layer? string|integer of a network: which layer
---@field matrix? string of a network: which matrix, "weight_hh" or "weight_hh.f" (a gate)

--- Eigenvalues: of a square matrix; or of a network a list, one for each matrix of each recurrent layer that feeds
--- back.
---@param what rnnlab.Tensor|rnnlab.Module
---@return rnnlab.spectrum|rnnlab.spectrum[]
function analysis.spectrum(what) end

---@class rnnlab.pca
---@field mean rnnlab.Tensor (features)
---@field components rnnlab.Tensor (k, features), of unit length
---@field variance rnnlab.Tensor (k), descending
---@field ratio rnnlab.Tensor (k), of all variance
---@field projections rnnlab.Tensor (batch, time, k), or (rows, k)

--- Principal components of states.
---@param states rnnlab.Tensor (batch, time, features) or (rows, features)
---@param options? { components: integer, lengths: rnnlab.Tensor|integer[] }
---@return rnnlab.pca
function analysis.pca(states, options) end

---@class rnnlab.fixed_points.options
---@field input? number[]|rnnlab.Tensor the constant input; default zero
---@field closed_loop? boolean the outputs are fed back as inputs
---@field from? rnnlab.Tensor (batch, time, features): starts are states visited on it
---@field starts? integer|rnnlab.Tensor how many (64), or the starts themselves (K, n)
---@field noise? number standard deviation of normal noise on the starts; default 0
---@field tol? number for q = 1/2 |F(s, x) - s|^2; default 1e-20
---@field slow? number up to which q a minimum that is no fixed point is reported; default 1e-4
---@field distance? number within which two points are one; default 1e-4
---@field iterations? integer default 200
---@field seed? integer default 1

---@class rnnlab.fixed_point
---@field state rnnlab.Tensor (n), all states side by side
---@field states table<string, rnnlab.Tensor> by name
---@field q number
---@field kind "stable"|"saddle"|"unstable"
---@field unstable integer eigenvalues outside the unit circle
---@field eigenvalues rnnlab.spectrum of the Jacobian
---@field jacobian rnnlab.Tensor (n, n)
---@field count integer starts that ended here

--- Fixed points with their stability (Sussillo & Barak 2013), the most frequent first.
---@param network rnnlab.Module
---@param options? rnnlab.fixed_points.options
---@return { points: rnnlab.fixed_point[], slow: rnnlab.fixed_point[], starts: integer }
function analysis.fixed_points(network, options) end

--- d F(state, x) / d state, (n, n), a row for each number of F; and F(state, x).
---@param network rnnlab.Module
---@param state rnnlab.Tensor|number[]|table<string, any> (n), or the states by name
---@param options? { input: number[]|rnnlab.Tensor, closed_loop: boolean }
---@return rnnlab.Tensor jacobian
---@return rnnlab.Tensor next
function analysis.jacobian(network, state, options) end

---@class rnnlab.lyapunov.options
---@field x? rnnlab.Tensor (time, features): the input sequence
---@field input? number[]|rnnlab.Tensor a constant input; default zero
---@field closed_loop? boolean the outputs are fed back as inputs
---@field steps? integer default 1000, or the sequence's
---@field washout? integer steps before; default 100
---@field exponents? integer how many; default 1
---@field start? rnnlab.Tensor|number[]|table<string, any> the state to begin from; drawn from (-1, 1) where not given
---@field dt? number the time of a step; exponents are per time; default 1
---@field seed? integer default 1

--- Lyapunov exponents, the largest first (Benettin et al. 1980); history is the largest one's estimate after each step.
---@param network rnnlab.Module
---@param options? rnnlab.lyapunov.options
---@return { largest: number, exponents: rnnlab.Tensor, history: rnnlab.Tensor, state: rnnlab.Tensor }
function analysis.lyapunov(network, options) end

return analysis
