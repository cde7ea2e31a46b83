/* bind/lua_tensor_parts.h owns what only the lua_tensor_*.c files share: the lists of methods and
 * functions that rnl_lua_open_tensor assembles, and their common argument checks. */
#ifndef RNL_BIND_LUA_TENSOR_PARTS_H
#define RNL_BIND_LUA_TENSOR_PARTS_H

#include <lauxlib.h>
#include <lua.h>

#include "grad/op.h"

/* Methods (they and the metamethods all go into the metatable) and module functions, each ended by
 * { NULL, NULL }. */
extern const luaL_Reg rnl_lua_tensor_index_methods[];
extern const luaL_Reg rnl_lua_tensor_shape_methods[];
extern const luaL_Reg rnl_lua_tensor_value_methods[];
extern const luaL_Reg rnl_lua_tensor_inplace_methods[];
extern const luaL_Reg rnl_lua_tensor_math_methods[];
extern const luaL_Reg rnl_lua_tensor_make_functions[];
extern const luaL_Reg rnl_lua_tensor_math_functions[];

/* Apply an op of one output and push it; raises on failure. Returns 1. */
int rnl_lua_apply(lua_State *L, const rnl_op *op, const void *attrs, int n, rnl_var *const *in);

/* Whether a parameter stands behind var, so that a gradient would flow through what is made of it. */
bool rnl_lua_tracked(const rnl_var *var);

/* Whether views of var must be ops (tracked, or a recording is under way) or may be made directly. */
bool rnl_lua_wants_node(const rnl_var *var);

/* The dimension at arg, 1-based or from the end, as 0-based; `extra` more than there are is allowed. */
int rnl_lua_check_dim(lua_State *L, int arg, const rnl_tensor *t, int extra, const char *what);

/* The tensor at arg 1 as one that may be changed in place; raises for a computed one. */
rnl_var *rnl_lua_check_writable(lua_State *L, const char *what);

/* Raise where a source of in-place values is computed from parameters (its gradient would be lost) or
 * while a step is recorded. */
void rnl_lua_check_source(lua_State *L, const rnl_var *var, const char *what);

/* Write the value at arg (number, tensor, nested tables) over dst with broadcasting. */
void rnl_lua_assign(lua_State *L, int arg, const rnl_tensor *dst, const char *what);

/* A scalar leaf of the given dtype; NULL where memory is out. */
rnl_var *rnl_lua_scalar(double value, rnl_dtype dtype);

#endif
