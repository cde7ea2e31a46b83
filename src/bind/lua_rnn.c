/* bind/lua_rnn.c owns the simple layers and initialisers as Lua functions: one op each, applied eagerly
 * or recorded. The modules that hold parameters are lua/rnnlab/nn.lua. */
#include <lauxlib.h>
#include <string.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_tensor.h"
#include "rnn/init.h"
#include "rnn/linear.h"
#include "rnn/recurrent.h"

/* recurrent(cell, x, params, opts?) -> y or nil, h */
static int recurrent(lua_State *L) {
  rnl_recurrent_attrs attrs = {0};
  rnl_error err;
  lua_settop(L, 4);
  rnl_lua_check(L, rnl_cell_from_name(luaL_checkstring(L, 1), &attrs.cell, &err), &err);
  rnl_var *in[RNL_RECURRENT_INPUTS] = {rnl_lua_check_var(L, 2)};
  luaL_checktype(L, 3, LUA_TTABLE);
  if (!lua_isnoneornil(L, 4)) luaL_checktype(L, 4, LUA_TTABLE);
  rnl_lua_check(L, rnl_activation_from_name(rnl_lua_text_field(L, 4, "phi", "tanh"), &attrs.phi, &err), &err);
  rnl_lua_check(L, rnl_activation_from_name(rnl_lua_text_field(L, 4, "sigma", "linear"), &attrs.sigma, &err), &err);
  rnl_lua_check(L, rnl_regime_from_name(rnl_lua_text_field(L, 4, "regime", "auto"), &attrs.regime, &err), &err);
  const char *name = rnl_lua_text_field(L, 4, "name", "rnn");
  strncpy(attrs.name, name, sizeof attrs.name - 1);

  static const struct {
    int input;
    const char *key;
  } fields[] = {{RNL_RECURRENT_WEIGHT_IH, "weight_ih"}, {RNL_RECURRENT_BIAS, "bias"},
                {RNL_RECURRENT_WEIGHT_HO, "weight_ho"}, {RNL_RECURRENT_BIAS_O, "bias_o"},
                {RNL_RECURRENT_STATE0, "state0"}, {RNL_RECURRENT_LENGTHS, "lengths"}};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    in[fields[i].input] = rnl_lua_tensor_field(L, 3, fields[i].key);
  in[RNL_RECURRENT_WEIGHT_FB] =
      rnl_lua_tensor_field(L, 3, attrs.cell == RNL_CELL_JORDAN ? "weight_oh" : "weight_hh");

  rnl_var **h_box = rnl_lua_new_var(L), **y_box = rnl_lua_new_var(L);
  rnl_var *out[RNL_RECURRENT_OUTPUTS];
  rnl_status status = rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, in, out, &err);
  rnl_lua_check(L, status, &err);
  *h_box = out[RNL_RECURRENT_H];
  *y_box = out[RNL_RECURRENT_Y];
  if (!rnl_value(*y_box)->storage) { /* no read-out: the box is left to the collector */
    rnl_var_release(*y_box);
    *y_box = NULL;
    lua_pushnil(L);
    lua_replace(L, -2);
  }
  lua_insert(L, -2); /* y, h */
  return 2;
}

/* linear(x, weight, bias?, opts?) -> y */
static int linear(lua_State *L) {
  rnl_error err;
  lua_settop(L, 4);
  rnl_linear_attrs attrs = {{0}};
  if (!lua_isnil(L, 4)) luaL_checktype(L, 4, LUA_TTABLE);
  strncpy(attrs.name, rnl_lua_text_field(L, 4, "name", "linear"), sizeof attrs.name - 1);
  rnl_var *in[RNL_LINEAR_INPUTS] = {rnl_lua_check_var(L, 1), rnl_lua_check_var(L, 2),
                                    lua_isnil(L, 3) ? NULL : rnl_lua_check_var(L, 3)};
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(&rnl_op_linear, &attrs, RNL_LINEAR_INPUTS, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

/* init(kind, tensor, rng, opts?) -> tensor, filled in place */
static int init(lua_State *L) {
  rnl_error err;
  rnl_init how;
  lua_settop(L, 4);
  rnl_lua_check(L, rnl_init_from_name(luaL_checkstring(L, 1), &how, &err), &err);
  rnl_var *var = rnl_lua_check_var(L, 2);
  rnl_rng *rng = rnl_lua_check_rng(L, 3);
  if (!lua_isnil(L, 4)) luaL_checktype(L, 4, LUA_TTABLE);
  if (how.kind == RNL_INIT_NORMAL || how.kind == RNL_INIT_SPARSE) {
    how.a = rnl_lua_number_field(L, 4, "mean", how.a);
    how.b = rnl_lua_number_field(L, 4, "std", how.b);
  } else if (how.kind == RNL_INIT_CONSTANT) {
    how.a = rnl_lua_number_field(L, 4, "value", how.a);
  } else {
    how.a = rnl_lua_number_field(L, 4, "a", how.a);
    how.b = rnl_lua_number_field(L, 4, "b", how.b);
    how.gain = rnl_lua_number_field(L, 4, "gain", how.gain);
  }
  how.radius = rnl_lua_number_field(L, 4, "radius", how.radius);
  how.density = rnl_lua_number_field(L, 4, "density", how.density);
  if (var->creator) return rnl_lua_fail(L, "init: the tensor is computed; only a leaf can be initialised");
  rnl_lua_check(L, rnl_init_fill(&how, rnl_value(var), rng, &err), &err);
  lua_settop(L, 2);
  return 1;
}

int rnl_lua_open_rnn(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"recurrent", recurrent}, {"linear", linear}, {"init", init}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
