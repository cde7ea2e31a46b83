/* bind/lua_cell.c owns cell programs in Lua: made of a built-in cell by its name, asked what weights, states and
 * outputs they have, and run over sequences. The layers that hold the weights are lua/rnnlab/nn/recurrent.lua. */
#include "bind/lua_cell.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_tensor.h"
#include "rnn/cells.h"
#include "rnn/program_op.h"

rnl_program **rnl_lua_new_program(lua_State *L) {
  rnl_program **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, RNL_LUA_PROGRAM);
  return box;
}

rnl_program *rnl_lua_check_program(lua_State *L, int arg) {
  rnl_program **box = luaL_checkudata(L, arg, RNL_LUA_PROGRAM);
  if (!*box) rnl_lua_fail(L, "this cell program is closed");
  return *box;
}

static int program_gc(lua_State *L) {
  rnl_program **box = luaL_checkudata(L, 1, RNL_LUA_PROGRAM);
  rnl_program_release(*box);
  *box = NULL;
  return 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static int64_t size_field(lua_State *L, int table, const char *key) {
  const double value = rnl_lua_number_field(L, table, key, 0);
  if (!(value >= 0 && value <= 0x1p53) || value != floor(value))
    rnl_lua_fail(L, "cell: %s must be a whole number of at least 0, not %f", key, value);
  return (int64_t)value;
}
static bool flag_field(lua_State *L, int table, const char *key) {
  lua_getfield(L, table, key);
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* cell(kind, options) -> program */
static int cell(lua_State *L) {
  rnl_error err;
  rnl_cell_options o = {0};
  rnl_lua_check(L, rnl_cell_kind_from_name(luaL_checkstring(L, 1), &o.kind, &err), &err);
  luaL_checktype(L, 2, LUA_TTABLE);
  o.input_size = size_field(L, 2, "input_size");
  o.hidden_size = size_field(L, 2, "hidden_size");
  o.output_size = size_field(L, 2, "output_size");
  o.block_size = size_field(L, 2, "block_size");
  rnl_lua_check(L, rnl_activation_from_name(rnl_lua_text_field(L, 2, "activation", "tanh"), &o.activation, &err), &err);
  rnl_lua_check(
      L,
      rnl_activation_from_name(rnl_lua_text_field(L, 2, "output_activation", "linear"), &o.output_activation, &err),
      &err);
  o.alpha = rnl_lua_number_field(L, 2, "alpha", 1);
  const struct {
    const char *key;
    bool *flag;
  } flags[] = {{"gates_feed_gates", &o.gates_feed_gates}, {"truncated", &o.truncated}, {"noise", &o.noise},
               {"feedback", &o.feedback}, {"direct", &o.direct},
               {"forced", &o.forced}, {"blended", &o.blended}, {"dropout", &o.dropout},
               {"recurrent_dropout", &o.recurrent_dropout}, {"lean", &o.lean}, {"states", &o.states},
               {"inspected", &o.inspected}};
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) *flags[i].flag = flag_field(L, 2, flags[i].key);
  rnl_program **box = rnl_lua_new_program(L);
  rnl_lua_check(L, rnl_cell_program(box, &o, &err), &err);
  return 1;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void push_sizes(lua_State *L, const rnl_program_value *v) {
  lua_createtable(L, 2, 0);
  int n = 0;
  if (v->rows) {
    lua_pushinteger(L, v->rows);
    lua_rawseti(L, -2, ++n);
  }
  lua_pushinteger(L, v->width);
  lua_rawseti(L, -2, ++n);
}

/* program:weights() -> { {name = , sizes = {rows, columns} or {n}}, ... } in the order of the cell */
static int program_weights(lua_State *L) {
  const rnl_program *p = rnl_lua_check_program(L, 1);
  lua_createtable(L, p->n_weights, 0);
  for (int k = 0; k < p->n_weights; k++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, p->weight_name[k]);
    lua_setfield(L, -2, "name");
    push_sizes(L, &p->value[p->weight[k]]);
    lua_setfield(L, -2, "sizes");
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

/* { {name = , size = n}, ... } */
static int push_named(lua_State *L, const rnl_program *p, int n, const char (*names)[RNL_PROGRAM_NAME],
                      const int *values) {
  lua_createtable(L, n, 0);
  for (int k = 0; k < n; k++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, names[k]);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, p->value[values[k]].width);
    lua_setfield(L, -2, "size");
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}
/* program:states(), program:outputs() -> { {name = , size = }, ... } */
static int program_states(lua_State *L) {
  const rnl_program *p = rnl_lua_check_program(L, 1);
  return push_named(L, p, p->n_states, p->state_name, p->state);
}
static int program_outputs(lua_State *L) {
  const rnl_program *p = rnl_lua_check_program(L, 1);
  return push_named(L, p, p->n_outputs, p->output_name, p->output);
}

/* program:regime() -> "small" or "large": what "auto" means for it */
static int program_regime(lua_State *L) {
  lua_pushstring(L, rnl_program_regime(rnl_lua_check_program(L, 1)) == RNL_REGIME_SMALL ? "small" : "large");
  return 1;
}

/* program:describe() -> "lstm: 10 instructions forward, 12 backward, 3 products" */
static int program_describe(lua_State *L) {
  const rnl_program *p = rnl_lua_check_program(L, 1);
  lua_pushfstring(L, "%s: %d instructions forward, %d backward, %d products", p->name, p->n_forward, p->n_backward,
                  p->n_products);
  return 1;
}

/* ---- running -------------------------------------------------------------------------------- */

/* Tensors of the list at `arg`, which must be n long; they stay on the stack. */
static void take_list(lua_State *L, int arg, const char *what, int n, rnl_var **in) {
  const lua_Integer given = lua_isnil(L, arg) ? 0 : luaL_len(L, arg);
  if (given != n) rnl_lua_fail(L, "unroll: %d %s; the cell takes %d", (int)given, what, n);
  for (int k = 0; k < n; k++) {
    lua_geti(L, arg, k + 1);
    if (!(in[k] = rnl_lua_test_var(L, -1))) rnl_lua_fail(L, "unroll: %s %d is no tensor", what, k + 1);
  }
}

/* unroll(program, sequences, weights, options?) -> outputs by name, final states by name */
static int unroll(lua_State *L) {
  rnl_error err;
  rnl_program *p = rnl_lua_check_program(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 4);
  if (lua_isnil(L, 4)) {
    lua_newtable(L);
    lua_replace(L, 4);
  }
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checkstack(L, 2 * RNL_MAX_IN + RNL_MAX_OUT, "too many tensors");
  rnl_var *in[RNL_MAX_IN] = {NULL};
  take_list(L, 2, "sequences", p->n_sequences, in);
  lua_getfield(L, 4, "rows");
  take_list(L, lua_gettop(L), "rows", p->n_rows, in + rnl_program_first_row(p));
  if (lua_getfield(L, 4, "state0") == LUA_TTABLE) {
    const int states = lua_gettop(L);
    for (int k = 0; k < p->n_states; k++)
      in[rnl_program_first_state(p) + k] = rnl_lua_tensor_field(L, states, p->state_name[k]);
  }
  for (int k = 0; k < p->n_weights; k++)
    if (!(in[rnl_program_first_weight(p) + k] = rnl_lua_tensor_field(L, 3, p->weight_name[k])))
      return rnl_lua_fail(L, "unroll: weight %s is missing", p->weight_name[k]);
  in[rnl_program_lengths(p)] = rnl_lua_tensor_field(L, 4, "lengths");
  rnl_program_attrs attrs = {.program = p};
  rnl_lua_check(L, rnl_regime_from_name(rnl_lua_text_field(L, 4, "regime", "auto"), &attrs.regime, &err), &err);
  attrs.checkpoint = (int64_t)rnl_lua_number_field(L, 4, "checkpoint", 0);
  strncpy(attrs.name, rnl_lua_text_field(L, 4, "name", p->name), sizeof attrs.name - 1);

  lua_createtable(L, 0, p->n_outputs);
  const int outputs = lua_gettop(L);
  lua_createtable(L, 0, p->n_states);
  const int finals = outputs + 1;
  rnl_var **box[RNL_MAX_OUT] = {NULL}, *out[RNL_MAX_OUT] = {NULL};
  const int n = p->n_outputs + p->n_states;
  for (int k = 0; k < n; k++) { /* boxes first, each kept by its table */
    box[k] = rnl_lua_new_var(L);
    lua_setfield(L, k < p->n_outputs ? outputs : finals,
                 k < p->n_outputs ? p->output_name[k] : p->state_name[k - p->n_outputs]);
  }
  rnl_lua_check(L, rnl_apply(&rnl_op_program, &attrs, rnl_program_lengths(p) + 1, in, out, &err), &err);
  for (int k = 0; k < RNL_MAX_OUT; k++) {
    if (k < n) *box[k] = out[k];
    else rnl_var_release(out[k]);
  }
  for (int k = 0; k < n; k++) { /* tell the collector how large they became */
    lua_getfield(L, k < p->n_outputs ? outputs : finals,
                 k < p->n_outputs ? p->output_name[k] : p->state_name[k - p->n_outputs]);
    rnl_lua_return_var(L);
    lua_pop(L, 1);
  }
  lua_settop(L, finals);
  return 2;
}

int rnl_lua_open_cell(lua_State *L) {
  static const luaL_Reg methods[] = {{"weights", program_weights}, {"states", program_states},
                                     {"outputs", program_outputs}, {"describe", program_describe},
                                     {"regime", program_regime},
                                     {"__gc", program_gc},         {"__close", program_gc},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"cell", cell}, {"unroll", unroll}, {NULL, NULL}};
  if (luaL_newmetatable(L, RNL_LUA_PROGRAM)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
