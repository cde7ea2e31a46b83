/* bind/lua_record.c: calling the script's record function, and reading data sets. */
#include "bind/lua_record.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"

/* ---- states --------------------------------------------------------------------------------- */

static rnl_lua_trainer *recording_box(lua_State *L) {
  rnl_lua_trainer *box = lua_touserdata(L, lua_upvalueindex(1));
  if (!box->recording) rnl_lua_fail(L, "states are carried only while the step is recorded");
  return box;
}

/* carry(name, batch, size, own?) -> the state to begin from */
static int carry(lua_State *L) {
  rnl_lua_trainer *box = recording_box(L);
  rnl_error err;
  const char *name = luaL_checkstring(L, 1);
  const int64_t batch = rnl_lua_check_whole(L, 2, 1, INT64_MAX, "carry: the number of sequences");
  const int64_t width = rnl_lua_check_whole(L, 3, 1, INT64_MAX, "carry: the size");
  rnl_var *own = lua_isnoneornil(L, 4) ? NULL : rnl_lua_check_var(L, 4);
  const rnl_dtype dtype = own ? rnl_value(own)->dtype : rnl_lua_default_dtype(L);
  rnl_var **state = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_batch_carry(box->recording, name, batch, width, dtype, own, state, &err), &err);
  return rnl_lua_return_var(L);
}

/* carried(name, last, sequence?) */
static int carried(lua_State *L) {
  rnl_lua_trainer *box = recording_box(L);
  rnl_error err;
  const char *name = luaL_checkstring(L, 1);
  lua_settop(L, 3);
  const rnl_batch *recording = box->recording;
  if (recording->hand_on != recording->steps) { /* a state inside the chunk: sequence:select(2, hand_on) */
    if (lua_isnil(L, 3))
      return rnl_lua_fail(L, "state '%s' is wanted within a chunk and its layer gives the last one alone; make k2 a "
                          "multiple of k1", name);
    rnl_lua_check_var(L, 3);
    lua_getfield(L, 3, "select");
    lua_pushvalue(L, 3);
    lua_pushinteger(L, 2);
    lua_pushinteger(L, recording->hand_on);
    lua_call(L, 3, 1);
    lua_replace(L, 2);
  }
  rnl_lua_check(L, rnl_batch_carried(box->recording, name, rnl_lua_check_var(L, 2), &err), &err);
  return 0;
}

/* ---- recording ------------------------------------------------------------------------------ */

static void set_truth(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}
static void set_count(lua_State *L, const char *key, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

/* Push `extra`; the box is at index 1. */
static void push_extra(lua_State *L, const rnl_batch *recording) {
  lua_createtable(L, 0, recording->n + 8);
  for (int i = 0; i < recording->n; i++) {
    rnl_lua_push_var(L, rnl_var_ref(recording->leaves[i]));
    lua_setfield(L, -2, recording->names[i]);
  }
  rnl_lua_push_var(L, rnl_var_ref(recording->clock));
  lua_setfield(L, -2, "clock");
  set_truth(L, "training", recording->training);
  set_truth(L, "beginning", recording->beginning);
  set_count(L, "steps", recording->steps);
  set_count(L, "loss_from", recording->loss_from);
  set_count(L, "hand_on", recording->hand_on);
  if (!recording->carries) return;
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, carry, 1);
  lua_setfield(L, -2, "carry");
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, carried, 1);
  lua_setfield(L, -2, "carried");
}

/* The protected part: (box, record, prediction**, loss**) -> nothing */
static int call_record(lua_State *L) {
  rnl_lua_trainer *box = lua_touserdata(L, 1);
  rnl_var **out_prediction = lua_touserdata(L, 3), **out_loss = lua_touserdata(L, 4);
  lua_pushvalue(L, 2);
  rnl_lua_push_var(L, rnl_var_ref(box->recording->leaves[RNL_SET_X]));
  rnl_lua_push_var(L, rnl_var_ref(box->recording->leaves[RNL_SET_Y]));
  push_extra(L, box->recording);
  lua_call(L, 3, 2);
  rnl_var *prediction = rnl_lua_test_var(L, -2), *loss = rnl_lua_test_var(L, -1);
  if (!prediction || !loss)
    return rnl_lua_fail(L, "the step must give a prediction and a loss, both tensors; it gave %s and %s",
                        rnl_lua_kind_of(L, -2), rnl_lua_kind_of(L, -1));
  if (rnl_tensor_numel(rnl_value(loss)) != 1) {
    char shape[RNL_SHAPE_TEXT];
    return rnl_lua_fail(L, "the loss must be one number; it is a tensor %s",
                        rnl_tensor_shape_text(shape, rnl_value(loss)));
  }
  *out_prediction = rnl_var_ref(prediction);
  *out_loss = rnl_var_ref(loss);
  return 0;
}

rnl_status rnl_lua_record(void *context, rnl_batch *recording, rnl_var **prediction, rnl_var **loss,
                          rnl_error *err) {
  rnl_lua_trainer *box = context;
  lua_State *L = box->L;
  /* The box is at index 1 of every method. */
  if (!lua_checkstack(L, 8)) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  lua_pushcfunction(L, call_record);
  lua_pushvalue(L, 1);
  lua_getiuservalue(L, 1, RNL_LUA_TRAINER_RECORD);
  lua_pushlightuserdata(L, prediction);
  lua_pushlightuserdata(L, loss);
  box->recording = recording;
  const int status = lua_pcall(L, 4, 0, 0);
  box->recording = NULL;
  if (status == LUA_OK) return RNL_OK;
  lua_setiuservalue(L, 1, RNL_LUA_TRAINER_ERROR);
  return rnl_fail(err, RNL_ERR_SCRIPT, "error while recording the training step");
}

void rnl_lua_check_recorded(lua_State *L, rnl_status status, const rnl_error *err) {
  if (status == RNL_ERR_SCRIPT && lua_getiuservalue(L, 1, RNL_LUA_TRAINER_ERROR) != LUA_TNIL) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, RNL_LUA_TRAINER_ERROR);
    lua_error(L);
  }
  rnl_lua_check(L, status, err);
}

/* ---- sets ----------------------------------------------------------------------------------- */

/* The tensor field of a set, borrowed from the table. */
static const rnl_tensor *field(lua_State *L, int table, const char *what, const char *key) {
  lua_getfield(L, table, key);
  rnl_var *var = rnl_lua_test_var(L, -1);
  if (!var) rnl_lua_fail(L, "%s: %s must be a tensor, not %s", what, key, rnl_lua_kind_of(L, -1));
  lua_pop(L, 1);
  return rnl_value(var);
}

/* The set made has references of its own; the table holds others, so giving them back here leaves the tensors alive
 * and nothing to release where Lua jumps. */
static void check_set(lua_State *L, rnl_status status, rnl_set *set, const rnl_error *err) {
  for (int i = 0; i < set->n; i++) {
    rnl_tensor borrowed = set->field[i].value;
    rnl_tensor_release(&borrowed);
  }
  if (status != RNL_OK) set->n = 0;
  rnl_lua_check(L, status, err);
}

void rnl_lua_read_set(lua_State *L, int table, const char *what, rnl_set *out) {
  const char *names[RNL_SET_FIELDS];
  const rnl_tensor *values[RNL_SET_FIELDS];
  int n = 0;
  rnl_error err;
  table = lua_absindex(L, table);
  const rnl_tensor *x = field(L, table, what, "x"), *y = field(L, table, what, "y");
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) rnl_lua_fail(L, "%s: fields are named by words", what);
    const char *name = lua_tostring(L, -2); /* the table's own key: it stays */
    if (strcmp(name, "x") == 0 || strcmp(name, "y") == 0) continue;
    if (n == RNL_SET_FIELDS - 2) rnl_lua_fail(L, "%s: there are more than %d fields", what, RNL_SET_FIELDS);
    int at = n++;
    for (; at > 0 && strcmp(names[at - 1], name) > 0; at--) names[at] = names[at - 1];
    names[at] = name;
  }
  for (int i = 0; i < n; i++) values[i] = field(L, table, what, names[i]);
  rnl_status status = rnl_set_new(out, what, x, y, &err);
  for (int i = 0; status == RNL_OK && i < n; i++) status = rnl_set_add(out, what, names[i], values[i], &err);
  check_set(L, status, out, &err);
}
