/* bind/lua_train.c owns the Lua type "rnnlab.Trainer", the gradient check and the report on the kernels.
 *
 * A trainer calls back into Lua to record its step: `record(x, y) -> prediction, loss`. That happens
 * inside a C call made from Lua (run, evaluate, memory, gradcheck), under a protected call; an error there
 * is kept, as the very value that was thrown, and raised again once the C call has unwound. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_tensor.h"
#include "grad/gradcheck.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "train/trainer.h"

#define TRAINER "rnnlab.Trainer"

typedef struct trainer_box {
  rnl_trainer *trainer;
  rnl_var **parameters; /* as the spec lists them; the trainer holds them */
  int n_parameters;
  lua_State *L;         /* the state of the call under way, for record_in_lua */
} trainer_box;

/* User values of the box. */
enum { UV_RECORD = 1, UV_ERROR, UV_PARAMETERS, UV_COUNT = UV_PARAMETERS };

/* ---- recording ------------------------------------------------------------------------------ */

/* The protected part: (record, x light, y light, prediction**, loss**) -> nothing */
static int call_record(lua_State *L) {
  rnl_var **out_prediction = lua_touserdata(L, 4), **out_loss = lua_touserdata(L, 5);
  rnl_var *x = lua_touserdata(L, 2), *y = lua_touserdata(L, 3);
  lua_pushvalue(L, 1);
  rnl_lua_push_var(L, rnl_var_ref(x));
  rnl_lua_push_var(L, rnl_var_ref(y));
  lua_call(L, 2, 2);
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

static rnl_status record_in_lua(void *context, rnl_var *x, rnl_var *y, rnl_var **prediction, rnl_var **loss,
                                rnl_error *err) {
  trainer_box *box = context;
  lua_State *L = box->L;
  /* The box is at index 1 of every method. */
  if (!lua_checkstack(L, 8)) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  lua_pushcfunction(L, call_record);
  lua_getiuservalue(L, 1, UV_RECORD);
  lua_pushlightuserdata(L, x);
  lua_pushlightuserdata(L, y);
  lua_pushlightuserdata(L, prediction);
  lua_pushlightuserdata(L, loss);
  if (lua_pcall(L, 5, 0, 0) == LUA_OK) return RNL_OK;
  lua_setiuservalue(L, 1, UV_ERROR);
  return rnl_fail(err, RNL_ERR_SCRIPT, "error while recording the training step");
}

/* Raise what a failed call left: the script's own error as it was thrown, or ours. */
static void check(lua_State *L, rnl_status status, const rnl_error *err) {
  if (status == RNL_ERR_SCRIPT && lua_getiuservalue(L, 1, UV_ERROR) != LUA_TNIL) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, UV_ERROR);
    lua_error(L);
  }
  rnl_lua_check(L, status, err);
}

/* ---- the spec ------------------------------------------------------------------------------- */

/* The tensor field `key`, which must be there; left on the stack. */
static const rnl_tensor *needed_tensor(lua_State *L, int table, const char *key) {
  rnl_var *var = rnl_lua_tensor_field(L, table, key);
  if (!var) rnl_lua_fail(L, "trainer: %s must be a tensor, not nil", key);
  return rnl_value(var);
}

static rnl_optimizer_options optimizer_options(lua_State *L, int table) {
  rnl_optimizer_options options;
  rnl_error err;
  int type = lua_getfield(L, table, "optimizer");
  if (type != LUA_TTABLE) rnl_lua_fail(L, "trainer: optimizer must be a table such as {kind = \"adam\", lr = .01}");
  int at = lua_gettop(L);
  const char *kind = rnl_lua_text_field(L, at, "kind", "?");
  rnl_lua_check(L, rnl_optimizer_from_name(kind, &options, &err), &err);
  options.lr = rnl_lua_number_field(L, at, "lr", options.lr);
  options.momentum = rnl_lua_number_field(L, at, "momentum", options.momentum);
  options.beta1 = rnl_lua_number_field(L, at, "beta1", options.beta1);
  options.beta2 = rnl_lua_number_field(L, at, "beta2", options.beta2);
  options.eps = rnl_lua_number_field(L, at, "eps", options.eps);
  lua_pop(L, 1);
  return options;
}

static int trainer_gc(lua_State *L) {
  trainer_box *box = luaL_checkudata(L, 1, TRAINER);
  rnl_trainer_free(box->trainer);
  rnl_free(box->parameters);
  box->trainer = NULL;
  box->parameters = NULL;
  box->n_parameters = 0;
  return 0;
}

static trainer_box *check_trainer(lua_State *L) {
  trainer_box *box = luaL_checkudata(L, 1, TRAINER);
  if (!box->trainer) rnl_lua_fail(L, "the trainer is closed");
  box->L = L;
  return box;
}

/* trainer(spec) -> Trainer */
static int new_trainer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  trainer_box *box = lua_newuserdatauv(L, sizeof *box, UV_COUNT);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, TRAINER);
  lua_insert(L, 1); /* the box at 1, the spec at 2 */
  const int spec = 2;
  rnl_error err;

  rnl_trainer_options options = {.record = record_in_lua, .context = box, .stop = rnl_lua_stop_flag(L)};
  if (lua_getfield(L, spec, "record") != LUA_TFUNCTION) return rnl_lua_fail(L, "trainer: record must be a function");
  lua_setiuservalue(L, 1, UV_RECORD);
  options.optimizer = optimizer_options(L, spec);
  options.clip_norm = rnl_lua_number_field(L, spec, "clip_norm", 0);
  options.clip_value = rnl_lua_number_field(L, spec, "clip_value", 0);
  lua_getfield(L, spec, "batch_size");
  options.batch_size = lua_isnil(L, -1) ? 0 : rnl_lua_check_whole(L, -1, 1, INT64_MAX, "batch_size");
  lua_getfield(L, spec, "shuffle");
  options.shuffle = lua_toboolean(L, -1);
  lua_getfield(L, spec, "seed");
  options.seed = lua_isnil(L, -1) ? 1 : (uint64_t)rnl_lua_check_whole(L, -1, 0, INT64_MAX, "seed");
  lua_settop(L, spec);

  if (lua_getfield(L, spec, "params") != LUA_TTABLE)
    return rnl_lua_fail(L, "trainer: params must be a list of tensors");
  const int list = lua_gettop(L);
  const lua_Integer count = luaL_len(L, list);
  if (count < 0 || count > 100000) return rnl_lua_fail(L, "trainer: params has %d entries", (int)count);
  box->parameters = rnl_alloc((size_t)count + 1, sizeof *box->parameters);
  if (!box->parameters) return luaL_error(L, "out of memory");
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, list, i);
    rnl_var *var = rnl_lua_test_var(L, -1);
    if (!var || !var->requires_grad)
      return rnl_lua_fail(L, "trainer: params[%d] is %s; a tensor that requires a gradient is expected", (int)i,
                          rnl_lua_kind_of(L, -1));
    box->parameters[box->n_parameters++] = var;
    lua_pop(L, 1);
  }
  lua_pushvalue(L, list);
  lua_setiuservalue(L, 1, UV_PARAMETERS); /* keeps the tensors alive */
  options.parameters = box->parameters;
  options.n_parameters = box->n_parameters;

  const rnl_tensor *x = needed_tensor(L, spec, "x"), *y = needed_tensor(L, spec, "y");
  const rnl_tensor *val_x = NULL, *val_y = NULL;
  if (lua_getfield(L, spec, "val") == LUA_TTABLE) {
    const int val = lua_gettop(L);
    val_x = needed_tensor(L, val, "x");
    val_y = needed_tensor(L, val, "y");
  }
  rnl_lua_check(L, rnl_trainer_new(&box->trainer, &options, x, y, val_x, val_y, &err), &err);
  lua_settop(L, 1);
  return 1;
}

/* ---- methods -------------------------------------------------------------------------------- */

/* run(until_epoch, max_seconds?) -> reason, epoch */
static int trainer_run(lua_State *L) {
  static const char *const reasons[] = {"epochs", "time", "interrupted", "diverged"};
  trainer_box *box = check_trainer(L);
  const int64_t until = rnl_lua_check_whole(L, 2, 0, INT64_MAX, "epochs");
  const double seconds = luaL_optnumber(L, 3, 0);
  lua_settop(L, 1);
  rnl_train_reason reason = RNL_TRAIN_EPOCHS;
  rnl_error err;
  check(L, rnl_trainer_run(box->trainer, until, seconds, &reason, &err), &err);
  lua_pushstring(L, reasons[reason]);
  lua_pushinteger(L, rnl_trainer_epoch(box->trainer));
  return 2;
}

static int trainer_epoch(lua_State *L) {
  lua_pushinteger(L, rnl_trainer_epoch(check_trainer(L)->trainer));
  return 1;
}

static int trainer_seconds(lua_State *L) {
  lua_pushnumber(L, rnl_trainer_seconds(check_trainer(L)->trainer));
  return 1;
}

/* A list of the values from epoch `from` (default 1) on; nil where there is none. */
static int push_losses(lua_State *L, const double *values, int64_t count) {
  const int64_t from = lua_isnoneornil(L, 2) ? 1 : rnl_lua_check_whole(L, 2, 1, INT64_MAX, "from");
  if (!values && count) return lua_pushnil(L), 1;
  lua_createtable(L, count >= from ? (int)(count - from + 1) : 0, 0);
  for (int64_t i = from; i <= count; i++) {
    lua_pushnumber(L, values[i - 1]);
    lua_rawseti(L, -2, i - from + 1);
  }
  return 1;
}

/* losses(from?) -> { loss of epoch from, ... } */
static int trainer_losses(lua_State *L) {
  trainer_box *box = check_trainer(L);
  return push_losses(L, rnl_trainer_losses(box->trainer), rnl_trainer_epoch(box->trainer));
}

/* val_losses(from?) -> the same, or nil without a validation set */
static int trainer_val_losses(lua_State *L) {
  trainer_box *box = check_trainer(L);
  return push_losses(L, rnl_trainer_val_losses(box->trainer), rnl_trainer_epoch(box->trainer));
}

/* losses_packed() -> native float64, one an epoch */
static int trainer_losses_packed(lua_State *L) {
  trainer_box *box = check_trainer(L);
  const double *values = rnl_trainer_losses(box->trainer);
  lua_pushlstring(L, values ? (const char *)values : "", (size_t)rnl_trainer_epoch(box->trainer) * sizeof *values);
  return 1;
}

/* evaluate(x, y) -> loss, prediction */
static int trainer_evaluate(lua_State *L) {
  trainer_box *box = check_trainer(L);
  const rnl_tensor *x = rnl_value(rnl_lua_check_var(L, 2)), *y = rnl_value(rnl_lua_check_var(L, 3));
  rnl_error err;
  double loss = NAN;
  rnl_tensor prediction = {0};
  check(L, rnl_trainer_evaluate(box->trainer, x, y, &loss, &prediction, &err), &err);
  lua_pushnumber(L, loss);
  rnl_lua_push_tensor(L, &prediction);
  return 2;
}

/* memory() -> bytes of the plans recorded so far */
static int trainer_memory(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)rnl_trainer_bytes(check_trainer(L)->trainer));
  return 1;
}

/* ---- the gradient check --------------------------------------------------------------------- */

static void set_number(lua_State *L, const char *key, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}
static void set_integer(lua_State *L, const char *key, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

static void push_report(lua_State *L, const trainer_box *box, const rnl_gradcheck_report *report,
                        const rnl_gradcheck_entry *entries, size_t plan_bytes) {
  lua_createtable(L, 0, 6);
  lua_pushboolean(L, report->ok);
  lua_setfield(L, -2, "ok");
  set_number(L, "tolerance", report->tolerance);
  set_number(L, "max_error", report->max_error);
  if (!isnan(report->jvp_error)) set_number(L, "jvp_error", report->jvp_error);
  set_integer(L, "memory", (int64_t)plan_bytes);
  lua_createtable(L, box->n_parameters, 0);
  for (int i = 0; i < box->n_parameters; i++) {
    lua_createtable(L, 0, 8);
    lua_pushstring(L, box->parameters[i]->name ? box->parameters[i]->name : "?");
    lua_setfield(L, -2, "name");
    set_integer(L, "numel", entries[i].numel);
    set_integer(L, "checked", entries[i].checked);
    set_integer(L, "skipped", entries[i].skipped);
    set_number(L, "max_error", entries[i].max_error);
    set_integer(L, "worst_index", entries[i].worst + 1);
    set_number(L, "analytic", entries[i].analytic);
    set_number(L, "numeric", entries[i].numeric);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "parameters");
}

/* gradcheck(spec) -> report; the spec is a trainer's, with `samples` and `tolerance` */
static int gradcheck(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  rnl_gradcheck_options options = {.samples = 64, .tolerance = rnl_lua_number_field(L, 1, "tolerance", 0)};
  if (lua_getfield(L, 1, "samples") != LUA_TNIL)
    options.samples = rnl_lua_check_whole(L, -1, 0, INT64_MAX, "samples");
  lua_settop(L, 1);
  if (lua_getfield(L, 1, "optimizer") == LUA_TNIL) { /* a trainer wants one; it takes no step here */
    lua_newtable(L);
    lua_pushliteral(L, "sgd");
    lua_setfield(L, -2, "kind");
    lua_setfield(L, 1, "optimizer");
  }
  lua_settop(L, 1);
  lua_pushcfunction(L, new_trainer);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_insert(L, 1); /* the trainer at 1, the spec at 2 */
  trainer_box *box = check_trainer(L);
  const rnl_tensor *x = needed_tensor(L, 2, "x"), *y = needed_tensor(L, 2, "y");
  rnl_plan *plan;
  rnl_var *loss;
  rnl_error err;
  check(L, rnl_trainer_plan(box->trainer, x, y, &plan, &loss, &err), &err);
  rnl_gradcheck_entry *entries =
      lua_newuserdatauv(L, ((size_t)box->n_parameters + 1) * sizeof *entries, 0); /* freed by the collector */
  rnl_gradcheck_report report;
  check(L, rnl_gradcheck(plan, loss, box->n_parameters, box->parameters, &options, entries, &report, &err), &err);
  push_report(L, box, &report, entries, rnl_plan_bytes(plan));
  return 1;
}

/* ---- the kernels ---------------------------------------------------------------------------- */

/* kernel_info(open_blas?) -> { isa=, isa_refused=, blas={...} } */
static int kernel_info(lua_State *L) {
  const char *refused = NULL;
  const rnl_blas_info blas = rnl_gemm_blas(lua_toboolean(L, 1));
  lua_createtable(L, 0, 3);
  lua_pushstring(L, rnl_kernel_isa(&refused));
  lua_setfield(L, -2, "isa");
  if (refused) {
    lua_pushstring(L, refused);
    lua_setfield(L, -2, "isa_refused");
  }
  lua_createtable(L, 0, 5);
  lua_pushboolean(L, blas.opened);
  lua_setfield(L, -2, "opened");
  const char *const texts[][2] = {
      {"core", blas.core}, {"asked", blas.asked}, {"config", blas.config}, {"problem", blas.problem}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    lua_pushstring(L, texts[i][1]);
    lua_setfield(L, -2, texts[i][0]);
  }
  lua_setfield(L, -2, "blas");
  return 1;
}

int rnl_lua_open_train(lua_State *L) {
  static const luaL_Reg methods[] = {{"run", trainer_run},
                                     {"epoch", trainer_epoch},
                                     {"seconds", trainer_seconds},
                                     {"losses", trainer_losses},
                                     {"val_losses", trainer_val_losses},
                                     {"losses_packed", trainer_losses_packed},
                                     {"evaluate", trainer_evaluate},
                                     {"memory", trainer_memory},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"trainer", new_trainer}, {"gradcheck", gradcheck}, {"kernel_info", kernel_info}, {NULL, NULL}};
  if (luaL_newmetatable(L, TRAINER)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, trainer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, trainer_gc);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, false); /* scripts cannot reach __gc */
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
