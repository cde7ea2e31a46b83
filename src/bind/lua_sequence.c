/* bind/lua_sequence.c owns the ops on whole sequences as Lua functions. */
#include <lauxlib.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "rnn/sequence.h"

/* The op on x and, where they are given, lengths. */
static int with_lengths(lua_State *L, const rnl_op *op) {
  rnl_error err;
  lua_settop(L, 2);
  rnl_var *in[2] = {rnl_lua_check_var(L, 1), lua_isnil(L, 2) ? NULL : rnl_lua_check_var(L, 2)};
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(op, NULL, 2, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

/* reverse(x, lengths?) -> tensor */
static int reverse(lua_State *L) { return with_lengths(L, &rnl_op_reverse); }
/* last(x, lengths?) -> tensor */
static int last(lua_State *L) { return with_lengths(L, &rnl_op_last); }

/* embedding(ids, weight) -> tensor; symbols count from 1 */
static int embedding(lua_State *L) {
  rnl_error err;
  const int base = 1;
  rnl_var *in[2] = {rnl_lua_check_var(L, 1), rnl_lua_check_var(L, 2)};
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(&rnl_op_embedding, &base, 2, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

int rnl_lua_open_sequence(lua_State *L) {
  static const luaL_Reg functions[] = {{"reverse", reverse}, {"last", last}, {"embedding", embedding}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
