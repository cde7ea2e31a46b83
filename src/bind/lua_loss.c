/* bind/lua_loss.c owns the losses as a Lua function. */
#include <lauxlib.h>
#include <string.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_tensor.h"
#include "rnn/loss.h"
#include "rnn/row_loss.h"

/* loss(kind, y, target, options?) -> scalar. Plain sse and mse have a quicker op of their own. */
static int loss(lua_State *L) {
  rnl_error err;
  lua_settop(L, 4);
  const char *kind = luaL_checkstring(L, 1);
  rnl_var *in[RNL_ROW_LOSS_INPUTS] = {rnl_lua_check_var(L, 2), rnl_lua_check_var(L, 3)};
  rnl_row_loss_attrs attrs;
  rnl_lua_check(L, rnl_row_loss_from_name(kind, &attrs, &err), &err);
  if (lua_isnil(L, 4)) {
    lua_newtable(L);
    lua_replace(L, 4);
  }
  luaL_checktype(L, 4, LUA_TTABLE);
  attrs.delta = rnl_lua_number_field(L, 4, "delta", attrs.delta);
  attrs.base = 1; /* classes count from 1 in Lua */
  const char *reduction = rnl_lua_text_field(L, 4, "reduction", "mean");
  attrs.sum = strcmp(reduction, "sum") == 0;
  if (!attrs.sum && strcmp(reduction, "mean") != 0)
    return rnl_lua_fail(L, "loss: no reduction \"%s\"; there are mean, sum", reduction);
  in[RNL_ROW_LOSS_MASK] = rnl_lua_tensor_field(L, 4, "mask");
  in[RNL_ROW_LOSS_LENGTHS] = rnl_lua_tensor_field(L, 4, "lengths");
  in[RNL_ROW_LOSS_WEIGHTS] = rnl_lua_tensor_field(L, 4, "weights");
  const bool plain = !in[RNL_ROW_LOSS_MASK] && !in[RNL_ROW_LOSS_LENGTHS] && !in[RNL_ROW_LOSS_WEIGHTS] && !attrs.sum;
  rnl_loss simple;
  rnl_var **box = rnl_lua_new_var(L);
  if (plain && rnl_loss_from_name(kind, &simple, &err) == RNL_OK)
    rnl_lua_check(L, rnl_apply(&rnl_op_squared_error, &simple, 2, in, box, &err), &err);
  else
    rnl_lua_check(L, rnl_apply(&rnl_op_row_loss, &attrs, RNL_ROW_LOSS_INPUTS, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

int rnl_lua_open_loss(lua_State *L) {
  static const luaL_Reg functions[] = {{"loss", loss}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
