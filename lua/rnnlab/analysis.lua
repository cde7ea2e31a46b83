-- rnnlab.analysis owns looking inside a network: the spectrum of what it feeds back, the principal components of its
-- states, fixed points with their stability, Lyapunov exponents. Everything is given as tensors and tables.
--
-- One step of a network, s(t) = F(s(t-1), x(t)), is a function of its whole state: every state of every recurrent layer
-- side by side, in float64 whatever the network's dtype. system.lua makes F and its derivatives.
local core = require "rnnlab.core"
local params = require "rnnlab.params"
local system = require "rnnlab.system"
local text = require "rnnlab.text"

local analysis = {}

local function check_options(given, known, what)
  if given ~= nil and type(given) ~= "table" then
    error(("%s: options must be a table, not a %s"):format(what, type(given)), 0)
  end
  for _, key in ipairs(text.sorted_keys(given or {})) do
    local found
    for _, name in ipairs(known) do
      found = found or name == key
    end
    if not found then
      error(("%s has no option '%s'%s (known: %s)"):format(what, tostring(key), text.did_you_mean(tostring(key), known),
        table.concat(known, ", ")), 0)
    end
  end
  return given or {}
end

local function integer(value, what, low, high)
  local n = params.integer(value, what, low)
  if high and n > high then error(("%s is %d; it can be at most %d"):format(what, n, high), 0) end
  return n
end

local function number(value, what, low)
  if type(value) ~= "number" or not (value >= low) or value == math.huge then
    error(("%s must be a number of at least %g, not %s"):format(what, low, tostring(value)), 0)
  end
  return value
end

-- ---- spectra ------------------------------------------------------------------------------------

-- The eigenvalues of a square matrix, the largest modulus first: { re =, im =, radius = }.
local function spectrum_of(matrix)
  local re, im = core.linalg.eig(matrix:detach())
  local a, b, order = re:tolist(), im:tolist(), {}
  for i = 1, #a do
    order[i] = i
  end
  table.sort(order, function(i, j)
    local mi, mj = a[i] * a[i] + b[i] * b[i], a[j] * a[j] + b[j] * b[j]
    if mi ~= mj then return mi > mj end
    if a[i] ~= a[j] then return a[i] > a[j] end
    if b[i] ~= b[j] then return b[i] > b[j] end
    return i < j
  end)
  local first = order[1]
  return { re = re:index(1, order), im = im:index(1, order), radius = (a[first] ^ 2 + b[first] ^ 2) ^ .5 }
end

local gates = { lstm = { "i", "f", "g", "o" }, lstm_peephole = { "i", "f", "g", "o" },
  lstm_layernorm = { "i", "f", "g", "o" }, lstm97 = { "in", "cell", "out" },
  gru = { "r", "z", "n" }, gru_original = { "r", "z" } }

-- What a layer feeds back, as square matrices by name.
local function recurrent_matrices(layer)
  local function weight(name) return layer:effective(name):detach():double() end
  local h = layer.n_hidden
  if layer.kind == "jordan" then return { { "V W", weight "weight_ho":mm(weight "weight_oh") } } end
  local list = {}
  for _, own in ipairs(layer.weights) do
    local name, sizes = own.field, own.sizes
    if #sizes == 2 and sizes[1] == h and name ~= "weight_ih" and name ~= "weight_ho" then
      local blocks = layer.traced and 1 or sizes[2] // h
      if sizes[2] == h then
        list[#list + 1] = { name, weight(name) }
      elseif blocks > 1 and sizes[2] % h == 0 then
        for k = 1, blocks do
          local gate = gates[layer.kind] and gates[layer.kind][k] or k
          list[#list + 1] = { ("%s.%s"):format(name, gate), weight(name):narrow(2, (k - 1) * h + 1, h) }
        end
      end
    end
  end
  return list
end

-- r.analysis.spectrum(W) -> { re =, im =, radius = } of a square matrix; r.analysis.spectrum(network) -> a list of
-- such, one for each matrix of each recurrent layer that feeds back (gate by gate), with their names, `layer` and
-- `matrix`.
function analysis.spectrum(what)
  if core.is_tensor(what) then return spectrum_of(what) end
  local list = {}
  for i, layer in ipairs(system.layers(what, "spectrum")) do
    for _, entry in ipairs(recurrent_matrices(layer)) do
      local spectrum = spectrum_of(entry[2])
      spectrum.layer, spectrum.matrix = layer.name or i, entry[1]
      list[#list + 1] = spectrum
    end
  end
  return list
end

-- ---- principal components -----------------------------------------------------------------------

-- (rows, features) of states (..., features), without what lies past a sequence's length.
local function rows_of(states, lengths)
  local sizes = states:size()
  if #sizes < 2 then error(("pca: states (rows, features) or (batch, time, features) are wanted, not %s"):format(
    text.shape(sizes)), 0) end
  local width = sizes[#sizes]
  if not lengths then return states:contiguous():view(-1, width) end
  if #sizes ~= 3 then error("pca: lengths are of states (batch, time, features)", 0) end
  local list, parts = core.is_tensor(lengths) and lengths:tolist() or lengths, {}
  if #list ~= sizes[1] then error(("pca: %d lengths for %d sequences"):format(#list, sizes[1]), 0) end
  for i, n in ipairs(list) do
    parts[i] = states:select(1, i):narrow(1, 1, integer(math.tointeger(n) or n, "pca: a length", 1, sizes[2]))
  end
  return core.cat(parts, 1)
end

-- r.analysis.pca(states, options): states (batch, time, features) or (rows, features). Returns { mean (features),
-- components (k, features), variance (k), ratio (k), projections (..., k) }, the largest variance first; variance is
-- that of the sample (over rows - 1), a component's largest entry is positive. options: components = k, lengths.
function analysis.pca(states, options)
  options = check_options(options, { "components", "lengths" }, "pca")
  if not core.is_tensor(states) then error(("pca: states must be a tensor, not a %s"):format(type(states)), 0) end
  states = states:detach():double()
  local rows = rows_of(states, options.lengths)
  local n, width = rows:size(1), rows:size(2)
  if n < 2 then error("pca: one row has no variance; at least two are wanted", 0) end
  local k = integer(options.components or width, "pca: components", 1, width)
  local mean = rows:mean(1)
  local centred = rows - mean:unsqueeze(1)
  local values, vectors = core.linalg.eigh(centred:t():contiguous():mm(centred) / (n - 1))
  local total, order = values:sum():item(), {}
  for i = 1, k do
    order[i] = width + 1 - i
  end
  local variance, components = core.relu(values:index(1, order)), vectors:index(1, order)
  for i = 1, k do -- a sign that does not depend on LAPACK's
    local row, best = components:select(1, i), 0
    for _, v in ipairs(row:tolist()) do
      if math.abs(v) > math.abs(best) + 1e-9 then best = v end
    end
    if best < 0 then row:mul(-1) end
  end
  local sizes = states:size()
  sizes[#sizes] = k
  local flat = (states:contiguous():view(-1, width) - mean:unsqueeze(1)):mm(components:t():contiguous())
  return { mean = mean, components = components, variance = variance,
    ratio = total > 0 and variance / total or core.zeros(k, "float64"), projections = flat:view(table.unpack(sizes)) }
end

-- ---- fixed points -------------------------------------------------------------------------------

-- Levenberg-Marquardt on r(s) = F(s) - s for all starts at once. Returns s (starts, n) and q, 1/2 |r|^2, of each.
local function minimise(sys, s, x, tol, iterations)
  local count, n = s:size(1), sys.size
  local function residual(at) return sys:step(at, x) - at end
  local function energy(r) return (core.square(r):sum(2) / 2):tolist() end
  local r = residual(s)
  local q, mu, active = energy(r), {}, {}
  for i = 1, count do
    mu[i], active[i] = 1e-3, true
  end
  local eye = core.eye(n, n, "float64")
  for _ = 1, iterations do
    local todo = {}
    for i = 1, count do
      if active[i] and q[i] > tol then todo[#todo + 1] = i end
    end
    if #todo == 0 then break end
    local at, was = s:index(1, todo), r:index(1, todo)
    local jacobians, tried = sys:jacobian(at, x), {}
    for k, i in ipairs(todo) do
      local a = jacobians:select(1, k) - eye
      local at_ = a:t():contiguous()
      local g = at_:mm(was:select(1, k):unsqueeze(2))
      tried[k] = (at:select(1, k):unsqueeze(2) - core.linalg.solve(at_:mm(a) + mu[i] * eye, g)):t()
    end
    local next_s = core.cat(tried, 1):contiguous()
    local next_r = residual(next_s)
    local next_q = energy(next_r)
    for k, i in ipairs(todo) do
      if next_q[k] < q[i] then
        if q[i] - next_q[k] <= 1e-12 * q[i] then active[i] = false end -- a minimum of q that is no fixed point
        s:select(1, i):copy(next_s:select(1, k))
        r:select(1, i):copy(next_r:select(1, k))
        q[i], mu[i] = next_q[k], math.max(mu[i] / 10, 1e-15)
      else
        mu[i] = mu[i] * 10
        if mu[i] > 1e12 then active[i] = false end
      end
    end
  end
  return s, q
end

local function kind_of(spectrum)
  local re, im, outside = spectrum.re:tolist(), spectrum.im:tolist(), 0
  for i = 1, #re do
    if re[i] ^ 2 + im[i] ^ 2 >= 1 then outside = outside + 1 end
  end
  return outside == 0 and "stable" or outside == #re and "unstable" or "saddle", outside
end

-- r.analysis.fixed_points(network, options): states s with s = F(s, x) at a constant input, found by minimising
-- q(s) = 1/2 |F(s, x) - s|^2 from many starts (Sussillo & Barak 2013). Returns { points = {...}, slow = {...},
-- starts = K }. Each point is { state (n), states = { name = tensor }, q, kind, unstable, eigenvalues = { re, im,
-- radius }, jacobian (n, n), count = starts that ended here }; kind is "stable" where every eigenvalue of the Jacobian
-- lies within the unit circle, "unstable" where none does, else "saddle", `unstable` is how many lie outside. Slow
-- points are minima of q that are no fixed points, with q <= slow. The most frequent come first.
--
-- options: input (features), zero by default; closed_loop = true feeds the outputs back as inputs; from, data (batch,
-- time, features) whose visited states are the starts; starts, how many (64), or the starts themselves (K, n); noise,
-- added to each; tol for q (1e-20); slow (1e-4); distance within which two are one (1e-4); iterations (200); seed (1).
function analysis.fixed_points(model, options)
  options = check_options(options, { "closed_loop", "distance", "from", "input", "iterations", "noise", "seed", "slow",
    "starts", "tol" }, "fixed_points")
  local tol, slow = number(options.tol or 1e-20, "fixed_points: tol", 0), options.slow or 1e-4
  local distance = number(options.distance or 1e-4, "fixed_points: distance", 0)
  local iterations = integer(options.iterations or 200, "fixed_points: iterations", 1)
  return system.with(model, "fixed_points", options.closed_loop, function(sys)
    local x = sys:input(options.input)
    local s = sys:starts(options.starts or 64, options.from, options.noise or 0, options.seed or 1)
    local found, q = minimise(sys, s, x, tol, iterations)
    local points, slows = {}, {}
    for i = 1, #q do
      local list = q[i] <= tol and points or q[i] <= slow and slows or nil
      local state, same = found:select(1, i):clone(), nil
      for _, point in ipairs(list or {}) do
        if (point.state - state):norm():item() <= distance * (1 + state:norm():item()) then same = point end
      end
      if same then
        same.count = same.count + 1
        if q[i] < same.q then same.state, same.q = state, q[i] end
      elseif list then
        list[#list + 1] = { state = state, q = q[i], count = 1, number = i }
      end
    end
    for _, list in ipairs { points, slows } do
      for _, point in ipairs(list) do
        point.jacobian = sys:jacobian(point.state:unsqueeze(1), x):select(1, 1):clone()
        point.eigenvalues = spectrum_of(point.jacobian)
        point.kind, point.unstable = kind_of(point.eigenvalues)
        point.states = sys:split(point.state)
      end
      table.sort(list, function(a, b)
        if a.count ~= b.count then return a.count > b.count end
        return a.number < b.number
      end)
    end
    return { points = points, slow = slows, starts = #q }
  end)
end

-- r.analysis.jacobian(network, state, options) -> (n, n), d F(state, x) / d state, rows being what F gives; and
-- F(state, x). options: input, closed_loop.
function analysis.jacobian(model, state, options)
  options = check_options(options, { "closed_loop", "input" }, "jacobian")
  return system.with(model, "jacobian", options.closed_loop, function(sys)
    local s, x = sys:state(state):unsqueeze(1), sys:input(options.input)
    return sys:jacobian(s, x):select(1, 1):clone(), sys:step(s, x):select(1, 1):clone()
  end)
end

-- ---- Lyapunov exponents -------------------------------------------------------------------------

-- The vectors (k, n) made orthonormal (modified Gram & Schmidt); the log of each one's length before.
local function orthonormalise(vectors)
  local logs = {}
  for i = 1, vectors:size(1) do
    local v = vectors:select(1, i)
    for j = 1, i - 1 do
      local u = vectors:select(1, j)
      v:sub((v * u):sum():item(), u)
    end
    local length = v:norm():item()
    logs[i] = length > 0 and math.log(length) or -math.huge
    if length > 0 then v:div(length) else v:fill(0) end
  end
  return logs
end

-- r.analysis.lyapunov(network, options): the Lyapunov exponents, the largest first, of the network driven by an input:
-- the mean growth a step of small differences of state, from tangent vectors that are made orthonormal at every step
-- (Benettin et al. 1980). Returns { largest, exponents (k), history (steps), state (n) }, history being the largest
-- exponent's estimate after each step.
--
-- options: x, a sequence (time, features) or (1, time, features), or input, a constant (zero by default), or
-- closed_loop = true, the outputs fed back; steps (1000, or the sequence's), washout before them (100), exponents (1),
-- start (n), the state to begin from (drawn from (-1, 1)), dt, the time of a step that exponents are per (1), seed (1).
function analysis.lyapunov(model, options)
  options = check_options(options, { "closed_loop", "dt", "exponents", "input", "seed", "start", "steps", "washout",
    "x" }, "lyapunov")
  local washout = integer(options.washout or 100, "lyapunov: washout", 0)
  local dt = options.dt or 1
  if type(dt) ~= "number" or not (dt > 0) then
    error(("lyapunov: dt must be a number above 0, not %s"):format(tostring(dt)), 0)
  end
  return system.with(model, "lyapunov", options.closed_loop, function(sys)
    local k = integer(options.exponents or 1, "lyapunov: exponents", 1, sys.size)
    local x = options.x ~= nil and sys:sequence(options.x) or nil
    local constant = x == nil and sys:input(options.input)
    if x and x:size(2) <= washout then
      error(("lyapunov: x has %d steps; washout takes %d of them"):format(x:size(2), washout), 0)
    end
    local steps = integer(options.steps or x and x:size(2) - washout or 1000, "lyapunov: steps", 1,
      x and x:size(2) - washout or nil)
    local seed = integer(options.seed or 1, "lyapunov: seed", 0)
    local s = options.start ~= nil and sys:state(options.start):unsqueeze(1) or sys:starts(1, nil, 0, seed)
    local vectors = core.rng(seed, "data", 1):normal(k, sys.size):double()
    orthonormalise(vectors)
    local sums, history = {}, {}
    for i = 1, k do
      sums[i] = 0
    end
    for t = 1, washout + steps do
      local now = x and x:narrow(2, t, 1) or constant
      s, vectors = sys:tangents(s, now, vectors)
      local logs = orthonormalise(vectors)
      local size = s:norm():item()
      if not (size < math.huge) then error(("lyapunov: the state is no longer finite at step %d"):format(t), 0) end
      for i = 1, t > washout and k or 0 do
        sums[i] = sums[i] + logs[i]
      end
      if t > washout then history[t - washout] = sums[1] / (t - washout) / dt end
    end
    for i = 1, k do
      sums[i] = sums[i] / steps / dt
    end
    return { largest = sums[1], exponents = core.tensor(sums, "float64"), history = core.tensor(history, "float64"),
      state = s:select(1, 1):clone() }
  end)
end

return analysis
