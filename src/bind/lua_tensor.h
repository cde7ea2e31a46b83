/* bind/lua_tensor.h owns the Lua type "rnnlab.Tensor": a userdata that holds one reference to an
 * rnl_var. The box is made first and filled after, so that an error in between leaks nothing; __gc
 * and __close are the same idempotent function. lua_tensor_*.c hold its methods.
 *
 * Making a tensor from C glue:
 *
 *     rnl_var **box = rnl_lua_new_var(L);          pushes an empty tensor; may raise, nothing is held
 *     rnl_status status = rnl_apply(&rnl_op_mm, NULL, 2, in, box, &err);
 *     rnl_lua_check(L, status, &err);
 *     return rnl_lua_return_var(L);                tells the collector how large it became
 *
 * All rnl_var pointers handed out by the check and test functions are borrowed: they live as long as
 * the value stays on the Lua stack (or elsewhere in reach).
 */
#ifndef RNL_BIND_LUA_TENSOR_H
#define RNL_BIND_LUA_TENSOR_H

#include <lua.h>

#include "base/rng.h"
#include "grad/op.h"

#define RNL_LUA_TENSOR "rnnlab.Tensor"
#define RNL_LUA_RNG "rnnlab.Rng"

/* ---- tensors on the Lua stack ---------------------------------------------------------------- */

/* Push an empty box, to be filled by *box = var (the box then owns that reference). */
rnl_var **rnl_lua_new_var(lua_State *L);
/* Account for the box on top (a collection may run) and return 1, the number of results. */
int rnl_lua_return_var(lua_State *L);
/* Push a variable, taking over the caller's reference; released even where Lua is out of memory.
 * NULL raises "out of memory": rnl_lua_push_var(L, rnl_var_new(&value, false)). */
void rnl_lua_push_var(lua_State *L, rnl_var *var);
/* Push a new leaf that takes over *value (left empty). */
void rnl_lua_push_tensor(lua_State *L, rnl_tensor *value);

rnl_var *rnl_lua_check_var(lua_State *L, int arg); /* raises where arg is no tensor */
rnl_var *rnl_lua_test_var(lua_State *L, int arg);  /* NULL where arg is no tensor */

/* A tensor as it is (whatever its dtype), or a number or nested tables of numbers made into a tensor
 * of `dtype`, which then replaces the value at arg on the stack. `what` begins the message: "x",
 * "weight U"; ragged tables, strings and holes raise with the entry named. */
rnl_var *rnl_lua_check_tensor_arg(lua_State *L, int arg, rnl_dtype dtype, const char *what);

/* Raise where reading var's values would bake them into a recording. */
void rnl_lua_check_readable(lua_State *L, const rnl_var *var, const char *what);

/* ---- sizes, dtypes --------------------------------------------------------------------------- */

/* Sizes from arguments first..last, or from one table at first; whole numbers >= 0. Returns ndim. */
int rnl_lua_check_sizes(lua_State *L, int first, int last, const char *what,
                        int64_t size[RNL_MAX_DIMS]);
/* A whole number in [low, high] ("narrow: length is 2.5; it must be a whole number"). */
int64_t rnl_lua_check_whole(lua_State *L, int arg, int64_t low, int64_t high, const char *what);

/* The dtype tensors are made with in this Lua state: float32 until set. */
rnl_dtype rnl_lua_default_dtype(lua_State *L);
void rnl_lua_set_default_dtype(lua_State *L, rnl_dtype dtype);
/* "float32", "float64" (or "float", "double") at arg. */
rnl_dtype rnl_lua_check_dtype(lua_State *L, int arg, const char *what);

/* ---- random streams -------------------------------------------------------------------------- */

/* Push the stream (seed, purpose, index) as an "rnnlab.Rng" with uniform, normal, integer, permutation. */
void rnl_lua_push_rng(lua_State *L, uint64_t seed, rnl_rng_purpose purpose, uint32_t index);
rnl_rng *rnl_lua_check_rng(lua_State *L, int arg);

/* ---- opening --------------------------------------------------------------------------------- */

/* Each makes its metatables in this state and pushes a table of module functions, to be merged into
 * rnnlab.core; returns 1. */
int rnl_lua_open_tensor(lua_State *L); /* tensor zeros ones full eye linspace arange cat stack exp ... */
int rnl_lua_open_rng(lua_State *L);    /* rng */

#endif
