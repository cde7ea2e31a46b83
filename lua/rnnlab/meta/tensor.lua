---@meta rnnlab.core
-- tensor.lua: tensors and random streams, as r.zeros(...), x:mm(w), rng:uniform(...). For editors and for the
-- reference; nothing here is run. The functions are in src/bind/lua_tensor*.c and lua_rng.c.
--
-- Dimensions and indices count from 1; negative ones from the end (-1 is the last). Everything that makes a
-- new tensor records for gradients where a parameter stands behind it; methods that change a tensor in place
-- (fill zero copy add sub mul div, and assignment to t[...]) are for data and refuse a computed tensor.

---@alias rnnlab.dtype "float32"|"float64"
---@alias rnnlab.Nested number|rnnlab.Nested[] numbers in tables in tables, all rows of one length

--- A block of numbers of one dtype in 0 to 8 dimensions. t[i] selects along dimension 1 (a number where t is a
--- vector); t[{...}] takes one entry a dimension: a number selects and drops it, {} keeps it whole, {k} keeps
--- one, {a, b} a range with both ends, {a, b, step}. All of these are views: they share t's numbers.
--- t[...] = number, tensor or nested tables assigns with broadcasting. + - * / ^ and unary - work elementwise
--- with broadcasting (align the sizes at the right; 1 stretches), also with numbers; float32 and float64 do
--- not mix, except for scalars. #t is the first size; == asks for the same tensor; < and <= compare tensors
--- of one element. Errors name the function and the shapes.
---@class rnnlab.Tensor
---@operator add(rnnlab.Tensor|number): rnnlab.Tensor
---@operator sub(rnnlab.Tensor|number): rnnlab.Tensor
---@operator mul(rnnlab.Tensor|number): rnnlab.Tensor
---@operator div(rnnlab.Tensor|number): rnnlab.Tensor
---@operator pow(rnnlab.Tensor|number): rnnlab.Tensor
---@operator unm: rnnlab.Tensor
---@operator len: integer
---@field [integer] rnnlab.Tensor|number
---@field [table] rnnlab.Tensor|number
local Tensor = {}

---@class rnnlab.core
local core = {}

-- making --------------------------------------------------------------------------------------------

--- A tensor of a number, of nested tables of numbers, or a copy of a tensor. Ragged tables, holes and strings
--- are errors that name the entry.
---@param values rnnlab.Nested|rnnlab.Tensor
---@param dtype? rnnlab.dtype default: the run's; of a tensor, its own
---@return rnnlab.Tensor
function core.tensor(values, dtype) end

--- Zeros: r.zeros(2, 3), r.zeros({2, 3}), r.zeros(2, 3, "float64"); without sizes a scalar. A size that is no
--- whole number of at least 0, or more memory than the machine has, is an error.
---@param ... integer|integer[]|rnnlab.dtype sizes, then perhaps a dtype
---@return rnnlab.Tensor
function core.zeros(...) end

--- Ones, with arguments like zeros.
---@param ... integer|integer[]|rnnlab.dtype
---@return rnnlab.Tensor
function core.ones(...) end

--- A tensor filled with one value: r.full({2, 3}, .5).
---@param sizes integer[]
---@param value number
---@param dtype? rnnlab.dtype
---@return rnnlab.Tensor
function core.full(sizes, value, dtype) end

--- The matrix with ones on its diagonal.
---@param rows integer
---@param columns? integer default: rows
---@param dtype? rnnlab.dtype
---@return rnnlab.Tensor
function core.eye(rows, columns, dtype) end

--- n evenly spaced values from first to last, both included.
---@param first number
---@param last number
---@param n? integer default 100
---@param dtype? rnnlab.dtype
---@return rnnlab.Tensor
function core.linspace(first, last, n, dtype) end

--- arange(n): 1, 2, ... n. arange(first, last, step): first, first + step, ... up to and with last, as Lua's for.
---@param first number
---@param last? number
---@param step? number default 1; not 0
---@param dtype? rnnlab.dtype
---@return rnnlab.Tensor
function core.arange(first, last, step, dtype) end

--- Join tensors along a dimension they have; the other sizes must be equal.
---@param tensors rnnlab.Tensor[]
---@param dim? integer default 1
---@return rnnlab.Tensor
function core.cat(tensors, dim) end

--- Join tensors of one shape along a new dimension.
---@param tensors rnnlab.Tensor[]
---@param dim? integer place of the new dimension, default 1
---@return rnnlab.Tensor
function core.stack(tensors, dim) end

--- Set the dtype that tensors are made with when none is given. A run sets it from its parameter dtype.
---@param dtype rnnlab.dtype
function core.set_default_dtype(dtype) end

--- The dtype that tensors are made with when none is given: "float32" until it is set.
---@return rnnlab.dtype
function core.get_default_dtype() end

--- The same as get_default_dtype.
---@return rnnlab.dtype
function core.default_dtype() end

--- Whether a value is a tensor.
---@param value any
---@return boolean
function core.is_tensor(value) end

--- Call f(...) and return its results; what it computes is not recorded for gradients.
---@param f function
---@param ... any
---@return any ...
function core.no_grad(f, ...) end

-- functions of tensors ------------------------------------------------------------------------------

--- e^x of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.exp(x) end

--- Natural logarithm of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.log(x) end

--- Square root of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.sqrt(x) end

--- Absolute value of each element; of a number, a number. Its derivative at 0 is 0.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.abs(x) end

--- Square of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.square(x) end

--- Sine of each element, in radians; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.sin(x) end

--- Cosine of each element, in radians; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.cos(x) end

--- -1, 0 or 1 for each element; of a number, a number. Its derivative is 0.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.sign(x) end

--- Hyperbolic tangent of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.tanh(x) end

--- max(x, 0) of each element; of a number, a number. Its derivative at 0 is 0.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.relu(x) end

--- 1 / (1 + e^-x) of each element; of a number, a number.
---@param x rnnlab.Tensor|number
---@return rnnlab.Tensor|number
function core.sigmoid(x) end

--- Matrix product, see Tensor:mm.
---@param a rnnlab.Tensor
---@param b rnnlab.Tensor
---@return rnnlab.Tensor
function core.mm(a, b) end

--- The smaller of two elements each, with broadcasting; where they are equal both get half the gradient.
---@param a rnnlab.Tensor|number
---@param b rnnlab.Tensor|number
---@return rnnlab.Tensor
function core.minimum(a, b) end

--- The larger of two elements each, with broadcasting; where they are equal both get half the gradient.
---@param a rnnlab.Tensor|number
---@param b rnnlab.Tensor|number
---@return rnnlab.Tensor
function core.maximum(a, b) end

-- shape ---------------------------------------------------------------------------------------------

--- The size of a dimension, or all sizes in a table.
---@param dim? integer
---@return integer|integer[]
function Tensor:size(dim) end

--- How many numbers lie from one element to the next along a dimension, or all strides in a table.
---@param dim? integer
---@return integer|integer[]
function Tensor:stride(dim) end

--- The number of dimensions; 0 for a scalar.
---@return integer
function Tensor:dim() end

--- The number of elements.
---@return integer
function Tensor:nelement() end

--- The same as nelement.
---@return integer
function Tensor:numel() end

--- The type of the elements.
---@return rnnlab.dtype
function Tensor:dtype() end

--- Whether the elements lie in row-major order without gaps.
---@return boolean
function Tensor:is_contiguous() end

--- A view at one index of a dimension, which is dropped.
---@param dim integer
---@param index integer
---@return rnnlab.Tensor
function Tensor:select(dim, index) end

--- A view of `length` indices of a dimension from `start` on.
---@param dim integer
---@param start integer
---@param length integer
---@return rnnlab.Tensor
function Tensor:narrow(dim, start, length) end

--- A view with two dimensions exchanged.
---@param dim1 integer
---@param dim2 integer
---@return rnnlab.Tensor
function Tensor:transpose(dim1, dim2) end

--- A matrix transposed (a view).
---@return rnnlab.Tensor
function Tensor:t() end

--- A view with other sizes of the same number of elements; one of them may be -1. An error where the elements
--- do not lie so: call contiguous() first, or use reshape.
---@param ... integer|integer[]
---@return rnnlab.Tensor
function Tensor:view(...) end

--- Other sizes of the same number of elements, as a view where possible, else as a copy.
---@param ... integer|integer[]
---@return rnnlab.Tensor
function Tensor:reshape(...) end

--- A view stretched to the given sizes where its own are 1; -1 keeps a size.
---@param ... integer|integer[]
---@return rnnlab.Tensor
function Tensor:expand(...) end

--- A view without one dimension of size 1, or without all of them.
---@param dim? integer
---@return rnnlab.Tensor
function Tensor:squeeze(dim) end

--- A view with a further dimension of size 1 at the given place.
---@param dim integer 1 .. dim() + 1, or -1 for the last
---@return rnnlab.Tensor
function Tensor:unsqueeze(dim) end

--- The views at each index of a dimension, as several results: local x1, x2 = x:unbind(3).
---@param dim? integer default 1; at most 10000 results
---@return rnnlab.Tensor ...
function Tensor:unbind(dim) end

--- The tensor itself if its elements lie in row-major order without gaps, else a copy of which they do.
---@return rnnlab.Tensor
function Tensor:contiguous() end

--- A copy; gradients pass through it.
---@return rnnlab.Tensor
function Tensor:clone() end

-- values --------------------------------------------------------------------------------------------

--- The number in a tensor of one element. An error while a step is being recorded.
---@return number
function Tensor:item() end

--- The elements as nested tables; of a scalar, a number. An error while a step is being recorded.
---@return any
function Tensor:tolist() end

--- Whether shape and all elements are equal. NaN equals nothing.
---@param other rnnlab.Tensor|rnnlab.Nested
---@return boolean
function Tensor:equal(other) end

--- Whether the shape is equal and each element within atol + rtol * |other|. NaN equals nothing.
---@param other rnnlab.Tensor|rnnlab.Nested
---@param rtol? number default 1e-5
---@param atol? number default 1e-8
---@return boolean
function Tensor:allclose(other, rtol, atol) end

--- The slices of a dimension at the indices listed, in that order; a copy without gradient. With
--- rng:permutation(n) it shuffles.
---@param dim integer
---@param indices integer[]
---@return rnnlab.Tensor
function Tensor:index(dim, indices) end

--- The values in another dtype: the tensor itself where it has that one, else a copy without gradient.
---@param dtype rnnlab.dtype
---@return rnnlab.Tensor
function Tensor:to(dtype) end

--- to("float32").
---@return rnnlab.Tensor
function Tensor:float() end

--- to("float64").
---@return rnnlab.Tensor
function Tensor:double() end

-- gradients -----------------------------------------------------------------------------------------

--- Whether a gradient flows through this tensor: it is a parameter, or computed from one.
---@return boolean
function Tensor:requires_grad() end

--- Make this tensor a parameter (or, with false, no longer one) and return it. An error for a computed tensor.
---@param wanted? boolean default true
---@return rnnlab.Tensor
function Tensor:requires_grad_(wanted) end

--- The gradient left by the last backward pass, or nil. It shares the parameter's memory for it, which the next
--- pass overwrites.
---@return rnnlab.Tensor?
function Tensor:grad() end

--- Compute the gradient of this tensor of one element with respect to every parameter behind it; see grad.
--- Gradients are overwritten, not added to.
function Tensor:backward() end

--- The same values (shared, not copied) without what they were computed from.
---@return rnnlab.Tensor
function Tensor:detach() end

-- in place ------------------------------------------------------------------------------------------

--- Set every element. In place; returns the tensor.
---@param value number
---@return rnnlab.Tensor
function Tensor:fill(value) end

--- Set every element to 0. In place; returns the tensor.
---@return rnnlab.Tensor
function Tensor:zero() end

--- Set the elements from a number, tensor or nested tables, with broadcasting. In place; returns the tensor.
---@param source rnnlab.Tensor|rnnlab.Nested
---@return rnnlab.Tensor
function Tensor:copy(source) end

--- y:add(x) adds x, y:add(alpha, x) adds alpha * x. In place; returns the tensor. x may be a number, a tensor that
--- stretches to y's shape, or nested tables.
---@param alpha number|rnnlab.Tensor|rnnlab.Nested the factor, or x itself
---@param x? rnnlab.Tensor|rnnlab.Nested
---@return rnnlab.Tensor
function Tensor:add(alpha, x) end

--- y:sub(x) subtracts x, y:sub(alpha, x) subtracts alpha * x. In place; returns the tensor.
---@param alpha number|rnnlab.Tensor|rnnlab.Nested the factor, or x itself
---@param x? rnnlab.Tensor|rnnlab.Nested
---@return rnnlab.Tensor
function Tensor:sub(alpha, x) end

--- Multiply elementwise. In place; returns the tensor.
---@param x rnnlab.Tensor|rnnlab.Nested
---@return rnnlab.Tensor
function Tensor:mul(x) end

--- Divide elementwise. In place; returns the tensor.
---@param x rnnlab.Tensor|rnnlab.Nested
---@return rnnlab.Tensor
function Tensor:div(x) end

-- mathematics: new tensors --------------------------------------------------------------------------

--- e^x of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:exp() end

--- Natural logarithm of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:log() end

--- Square root of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:sqrt() end

--- Absolute value of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:abs() end

--- Square of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:square() end

--- Sine of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:sin() end

--- Cosine of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:cos() end

--- -1, 0 or 1 for each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:sign() end

--- Hyperbolic tangent of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:tanh() end

--- max(x, 0) of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:relu() end

--- 1 / (1 + e^-x) of each element, as a new tensor.
---@return rnnlab.Tensor
function Tensor:sigmoid() end

--- The matrix product of (m, k) and (k, n), or of a (batch, time, k) sequence and (k, n).
---@param other rnnlab.Tensor
---@return rnnlab.Tensor
function Tensor:mm(other) end

--- The sum of the products of two vectors' elements, a scalar tensor.
---@param other rnnlab.Tensor
---@return rnnlab.Tensor
function Tensor:dot(other) end

--- The sum of all elements (a scalar tensor; item() gives the number) or along a dimension.
---@param dim? integer
---@param keepdim? boolean keep the dimension with size 1; default false
---@return rnnlab.Tensor
function Tensor:sum(dim, keepdim) end

--- The mean of all elements, or along a dimension.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor
function Tensor:mean(dim, keepdim) end

--- The variance of all elements, or along a dimension; the divisor is n - 1.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor
function Tensor:var(dim, keepdim) end

--- The standard deviation of all elements, or along a dimension; the divisor is n - 1.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor
function Tensor:std(dim, keepdim) end

--- The square root of the sum of squares of all elements, or along a dimension.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor
function Tensor:norm(dim, keepdim) end

--- The smallest element, a scalar tensor; along a dimension the smallest ones and their indices. NaN wins. Without
--- gradient: an error for a computed tensor that has one.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor values
---@return rnnlab.Tensor? indices
function Tensor:min(dim, keepdim) end

--- The largest element, a scalar tensor; along a dimension the largest ones and their indices. NaN wins. Without
--- gradient: an error for a computed tensor that has one.
---@param dim? integer
---@param keepdim? boolean default false
---@return rnnlab.Tensor values
---@return rnnlab.Tensor? indices
function Tensor:max(dim, keepdim) end

-- random streams ------------------------------------------------------------------------------------

--- A stream of random numbers: a pure function of seed, purpose and index. Draws are made in double precision and
--- rounded, so that float32 and float64 runs see the same numbers.
---@class rnnlab.Rng
local Rng = {}

--- The random stream (seed, purpose, index); the same three give the same numbers.
---@param seed integer
---@param purpose? "data"|"init"|"shuffle"|"dropout"|"script"|"user" default "user"
---@param index? integer default 0
---@return rnnlab.Rng
function core.rng(seed, purpose, index) end

--- Uniform numbers in [0, 1): a tensor of the given sizes in the run's dtype; without sizes a number.
---@param ... integer|integer[]|rnnlab.dtype
---@return rnnlab.Tensor|number
function Rng:uniform(...) end

--- Numbers of the normal distribution with mean 0 and deviation 1: a tensor of the given sizes in the run's
--- dtype; without sizes a number.
---@param ... integer|integer[]|rnnlab.dtype
---@return rnnlab.Tensor|number
function Rng:normal(...) end

--- A whole number from low to high, both included.
---@param low integer
---@param high integer
---@return integer
function Rng:integer(low, high) end

--- The numbers 1..n in random order.
---@param n integer at most 10 million
---@return integer[]
function Rng:permutation(n) end

--- How far it was drawn: words so far, and the second of a pair of normal numbers where that waits.
---@return integer words
---@return number? normal
function Rng:position() end

--- Put it where position() said. In run.state a stream is saved and found again by itself.
---@param words integer
---@param normal? number
---@return rnnlab.Rng self
function Rng:seek(words, normal) end

--- What core.rng makes it from.
---@return integer seed
---@return string purpose
---@return integer index
function Rng:stream() end

--- Is it a random stream?
---@param value any
---@return boolean
function core.is_rng(value) end
