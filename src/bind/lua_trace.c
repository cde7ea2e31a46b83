/* bind/lua_trace.c owns core.trace: a cell written as a Lua function becomes a cell program. */
#include <lauxlib.h>
#include <string.h>

#include "bind/lua_cell.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "grad/ops.h"
#include "rnn/trace.h"

/* The trace of the call under way, ended by its box however the call ends. */
#define TRACE "rnnlab.Trace"
static int trace_gc(lua_State *L) {
  rnl_trace_end(luaL_checkudata(L, 1, TRACE));
  return 0;
}

/* { name, {sizes} } at the top of the stack: the name, and its sizes into `size`; returns how many. */
static int read_entry(lua_State *L, const char *what, char name[RNL_PROGRAM_NAME], int64_t size[RNL_MAX_DIMS]) {
  if (!lua_istable(L, -1)) rnl_lua_fail(L, "trace: each of %s must be {name, {sizes}}", what);
  lua_geti(L, -1, 1);
  const char *text = lua_tostring(L, -1);
  if (!text || strlen(text) >= RNL_PROGRAM_NAME)
    rnl_lua_fail(L, "trace: a name among %s must be text of less than %d letters", what, RNL_PROGRAM_NAME);
  strcpy(name, text);
  lua_geti(L, -2, 2);
  const int at = lua_gettop(L);
  const int n = rnl_lua_check_sizes(L, at, at, name, size);
  lua_pop(L, 2);
  return n;
}

/* Push a stand-in of that shape, declared as `value`. Small numbers other than zero, so that a logarithm or a
 * quotient of them is one. It is made by an op, so that its value cannot be read. */
static void push_stand_in(lua_State *L, rnl_trace *trace, int ndim, const int64_t *size, int value) {
  rnl_error err;
  rnl_tensor t = {0};
  rnl_lua_check(L, rnl_tensor_new(&t, rnl_lua_default_dtype(L), ndim, size, &err), &err);
  rnl_tensor_fill(&t, 0.5);
  rnl_lua_push_tensor(L, &t);
  rnl_var *leaf = rnl_lua_check_var(L, -1);
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(&rnl_op_clone, NULL, 1, &leaf, box, &err), &err);
  rnl_lua_check(L, rnl_trace_declare(trace, *box, value, &err), &err);
  lua_remove(L, -2);
}

static void check_program(lua_State *L, const rnl_program *p) {
  if (p->status != RNL_OK) rnl_lua_check(L, p->status, &p->error);
}

/* trace(step, {name = , input = n, states = {{name, {n}}, ...}, weights = {{name, {r, c}}, ...}}) -> program */
static int trace(lua_State *L) {
  rnl_error err;
  char name[RNL_PROGRAM_NAME];
  int64_t size[RNL_MAX_DIMS];
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "name");
  rnl_program **box = rnl_lua_new_program(L);
  rnl_program *p = *box = rnl_program_new(lua_isstring(L, 3) ? lua_tostring(L, 3) : "cell");
  if (!p) return rnl_lua_fail(L, "out of memory for a cell");
  rnl_trace *t = lua_newuserdatauv(L, sizeof *t, 0); /* at 5 */
  memset(t, 0, sizeof *t);
  luaL_setmetatable(L, TRACE);
  lua_toclose(L, 5);
  rnl_trace_begin(t, p);

  lua_pushvalue(L, 1); /* the step, then its arguments: w, x, states */
  lua_newtable(L);
  const int weights = lua_gettop(L);
  lua_getfield(L, 2, "input");
  const int64_t input = luaL_checkinteger(L, -1);
  lua_pop(L, 1);
  const int x = rnl_program_sequence(p, input);
  check_program(L, p);
  push_stand_in(L, t, 2, (int64_t[]){RNL_TRACE_BATCH, input}, x);

  lua_getfield(L, 2, "states");
  const int states = lua_gettop(L), n_states = (int)luaL_len(L, states);
  int state[RNL_PROGRAM_STATES];
  if (n_states < 1 || n_states > RNL_PROGRAM_STATES)
    return rnl_lua_fail(L, "trace: a cell has 1 to %d states, not %d", RNL_PROGRAM_STATES, n_states);
  luaL_checkstack(L, 2 * RNL_PROGRAM_STATES + 8, "trace");
  for (int k = 0; k < n_states; k++) {
    lua_geti(L, states, k + 1);
    if (read_entry(L, "states", name, size) != 1) return rnl_lua_fail(L, "trace: state %s must have one size", name);
    lua_pop(L, 1);
    state[k] = rnl_program_state(p, name, size[0]);
    check_program(L, p);
    push_stand_in(L, t, 2, (int64_t[]){RNL_TRACE_BATCH, size[0]}, state[k]);
  }
  lua_remove(L, states);
  lua_getfield(L, 2, "weights");
  const int list = lua_gettop(L), n_weights = (int)luaL_len(L, list);
  for (int k = 0; k < n_weights; k++) {
    lua_geti(L, list, k + 1);
    const int ndim = read_entry(L, "weights", name, size);
    lua_pop(L, 1);
    if (ndim != 1 && ndim != 2) return rnl_lua_fail(L, "trace: weight %s must have one or two sizes", name);
    const int value = rnl_program_weight(p, name, ndim == 2 ? size[0] : 0, size[ndim - 1]);
    check_program(L, p);
    push_stand_in(L, t, ndim, size, value);
    lua_setfield(L, weights, name);
  }
  lua_pop(L, 1);

  rnl_trace_watch(t);
  lua_call(L, 2 + n_states, LUA_MULTRET); /* an error ends the trace by its box */
  const int first = 6, given = lua_gettop(L) - first + 1;
  if (given < n_states)
    return rnl_lua_fail(L, "the cell's step gives %d values; expected the new value of each of its %d states",
                        given, n_states);
  for (int k = 0; k < n_states; k++) {
    int value = -1;
    rnl_var *var = rnl_lua_test_var(L, first + k);
    if (!var)
      return rnl_lua_fail(L, "the cell's step gives %s as state %d; expected a tensor",
                          rnl_lua_kind_of(L, first + k), k + 1);
    rnl_lua_check(L, rnl_trace_value(t, var, &value, &err), &err);
    rnl_program_next(p, state[k], value);
    rnl_program_emit(p, p->state_name[k], value);
  }
  check_program(L, p);
  rnl_trace_end(t);
  rnl_lua_check(L, rnl_program_finish(p, &err), &err);
  lua_pushvalue(L, 4);
  return 1;
}

int rnl_lua_open_trace(lua_State *L) {
  static const luaL_Reg functions[] = {{"trace", trace}, {NULL, NULL}};
  if (luaL_newmetatable(L, TRACE)) {
    lua_pushcfunction(L, trace_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, trace_gc);
    lua_setfield(L, -2, "__close");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
