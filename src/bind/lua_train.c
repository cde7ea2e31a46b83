/* bind/lua_train.c owns the Lua type "rnnlab.Trainer", the gradient check and the report on the kernels. How a step
 * is recorded stands in lua_record.c. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/lua_checkpoint.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_optim.h"
#include "bind/lua_record.h"
#include "bind/lua_tensor.h"
#include "grad/gradcheck.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"

/* ---- the spec ------------------------------------------------------------------------------- */

/* The field as a whole number >= low, or the fallback where it is nil. */
static int64_t whole_field(lua_State *L, int table, const char *key, int64_t low, int64_t fallback) {
  lua_getfield(L, table, key);
  const int64_t value = lua_isnil(L, -1) ? fallback : rnl_lua_check_whole(L, -1, low, INT64_MAX, key);
  lua_pop(L, 1);
  return value;
}

static bool truth_field(lua_State *L, int table, const char *key, bool fallback) {
  const int type = lua_getfield(L, table, key);
  const bool value = type == LUA_TNIL ? fallback : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* early_stopping = { metric = "val_loss"|"loss"|"given", patience =, min_delta =, larger_is_better =, restore = } */
static rnl_watch_options watch_options(lua_State *L, int spec) {
  rnl_watch_options options = {.metric = RNL_WATCH_NONE};
  if (lua_getfield(L, spec, "early_stopping") == LUA_TTABLE) {
    const int at = lua_gettop(L);
    const char *metric = rnl_lua_text_field(L, at, "metric", "val_loss");
    options.metric = strcmp(metric, "val_loss") == 0 ? RNL_WATCH_VAL_LOSS
                     : strcmp(metric, "loss") == 0   ? RNL_WATCH_LOSS
                                                     : RNL_WATCH_GIVEN;
    options.patience = whole_field(L, at, "patience", 0, -1);
    options.min_delta = rnl_lua_number_field(L, at, "min_delta", 0);
    options.larger_is_better = truth_field(L, at, "larger_is_better", false);
    options.keep = truth_field(L, at, "restore", true);
  }
  lua_pop(L, 1);
  return options;
}

static rnl_trainer_options trainer_options(lua_State *L, int spec) {
  rnl_trainer_options options = {.stop = rnl_lua_stop_flag(L)};
  options.optimizer = rnl_lua_optimizer(L, spec);
  options.schedule = rnl_lua_schedule(L, spec);
  options.clip_norm = rnl_lua_number_field(L, spec, "clip_norm", 0);
  options.clip_value = rnl_lua_number_field(L, spec, "clip_value", 0);
  options.batch_size = whole_field(L, spec, "batch_size", 1, 0);
  options.shuffle = truth_field(L, spec, "shuffle", false);
  options.seed = (uint64_t)whole_field(L, spec, "seed", 0, 1);
  options.k1 = whole_field(L, spec, "k1", 1, 0);
  options.k2 = whole_field(L, spec, "k2", 1, 0);
  options.stateful = truth_field(L, spec, "stateful", false);
  options.keep_states = truth_field(L, spec, "keep_states", false);
  options.validate_every = whole_field(L, spec, "validate_every", 1, 0);
  options.norms_every = whole_field(L, spec, "norms_every", 1, 0);
  const int64_t threads = whole_field(L, spec, "threads", 1, 1);
  options.threads = threads > 4096 ? 4096 : (int)threads;
  options.watch = watch_options(L, spec);
  return options;
}

/* The parameters of the spec, into the box; the list itself becomes a user value, which keeps them alive. */
static void read_parameters(lua_State *L, rnl_lua_trainer *box, int spec) {
  if (lua_getfield(L, spec, "params") != LUA_TTABLE) rnl_lua_fail(L, "trainer: params must be a list of tensors");
  const int list = lua_gettop(L);
  const lua_Integer count = luaL_len(L, list);
  if (count < 0 || count > 100000) rnl_lua_fail(L, "trainer: params has %d entries", (int)count);
  box->parameters = rnl_alloc((size_t)count + 1, sizeof *box->parameters);
  if (!box->parameters) luaL_error(L, "out of memory");
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, list, i);
    rnl_var *var = rnl_lua_test_var(L, -1);
    if (!var || !var->requires_grad)
      rnl_lua_fail(L, "trainer: params[%d] is %s; a tensor that requires a gradient is expected", (int)i,
                   rnl_lua_kind_of(L, -1));
    box->parameters[box->n_parameters++] = var;
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, 1, RNL_LUA_TRAINER_PARAMETERS);
}

/* The spec's set: its field `key`, or where that is nil and `key` is "train" its own x and y. */
static bool spec_set(lua_State *L, int spec, const char *key, const char *what, rnl_set *set) {
  const int type = lua_getfield(L, spec, key);
  if (type == LUA_TNIL && strcmp(key, "train") == 0) {
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    lua_getfield(L, spec, "x");
    lua_setfield(L, -2, "x");
    lua_getfield(L, spec, "y");
    lua_setfield(L, -2, "y");
  } else if (type != LUA_TTABLE) {
    lua_pop(L, 1);
    return false;
  }
  rnl_lua_read_set(L, lua_gettop(L), what, set);
  lua_pop(L, 1);
  return true;
}

static int trainer_gc(lua_State *L) {
  rnl_lua_trainer *box = luaL_checkudata(L, 1, RNL_LUA_TRAINER);
  rnl_trainer_free(box->trainer);
  rnl_free(box->parameters);
  box->trainer = NULL;
  box->parameters = NULL;
  box->n_parameters = 0;
  return 0;
}

rnl_lua_trainer *rnl_lua_check_trainer(lua_State *L, int index) {
  rnl_lua_trainer *box = luaL_checkudata(L, index, RNL_LUA_TRAINER);
  if (!box->trainer) rnl_lua_fail(L, "the trainer is closed");
  box->L = L;
  return box;
}
static rnl_lua_trainer *check_trainer(lua_State *L) { return rnl_lua_check_trainer(L, 1); }

/* trainer(spec) -> Trainer */
static int new_trainer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  rnl_lua_trainer *box = lua_newuserdatauv(L, sizeof *box, RNL_LUA_TRAINER_VALUES);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, RNL_LUA_TRAINER);
  lua_insert(L, 1); /* the box at 1, the spec at 2 */
  const int spec = 2;
  rnl_error err;
  box->L = L;
  if (lua_getfield(L, spec, "record") != LUA_TFUNCTION) return rnl_lua_fail(L, "trainer: record must be a function");
  lua_setiuservalue(L, 1, RNL_LUA_TRAINER_RECORD);
  rnl_trainer_options options = trainer_options(L, spec);
  options.record = rnl_lua_record;
  options.context = box;
  read_parameters(L, box, spec);
  options.parameters = box->parameters;
  options.n_parameters = box->n_parameters;
  /* What the sets hold is on the Lua stack as well, in the spec: borrowed until the trainer has its references. */
  rnl_set train, val;
  if (!spec_set(L, spec, "train", "the training set", &train)) return rnl_lua_fail(L, "trainer: train must be a table");
  const bool validates = spec_set(L, spec, "val", "the validation set", &val);
  rnl_lua_method(L, spec, box->n_parameters, box->parameters, &options.method); /* the trainer's from here on */
  rnl_lua_check(L, rnl_trainer_new(&box->trainer, &options, &train, validates ? &val : NULL, &err), &err);
  lua_settop(L, 1);
  return 1;
}

/* ---- methods -------------------------------------------------------------------------------- */

static const char *const reasons[] = {"epochs", "time", "interrupted", "diverged", "stopped"};

/* run(until_epoch, max_seconds?) -> reason, epoch */
static int trainer_run(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  const int64_t until = rnl_lua_check_whole(L, 2, 0, INT64_MAX, "epochs");
  const double seconds = luaL_optnumber(L, 3, 0);
  lua_settop(L, 1);
  rnl_train_reason reason = RNL_TRAIN_EPOCHS;
  rnl_error err;
  rnl_lua_check_recorded(L, rnl_trainer_run(box->trainer, until, seconds, &reason, &err), &err);
  lua_pushstring(L, reasons[reason]);
  lua_pushinteger(L, rnl_trainer_epoch(box->trainer));
  return 2;
}

static int trainer_epoch(lua_State *L) {
  lua_pushinteger(L, rnl_trainer_epoch(check_trainer(L)->trainer));
  return 1;
}

/* trainer:lr() -> number; trainer:set_lr(number) */
static int trainer_lr(lua_State *L) {
  lua_pushnumber(L, rnl_trainer_lr(check_trainer(L)->trainer));
  return 1;
}
static int trainer_set_lr(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_trainer_set_lr(check_trainer(L)->trainer, luaL_checknumber(L, 2), &err), &err);
  return 0;
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
    if (isnan(values[i - 1])) lua_pushboolean(L, false);
    else lua_pushnumber(L, values[i - 1]);
    lua_rawseti(L, -2, i - from + 1);
  }
  return 1;
}

/* losses(from?) -> { loss of epoch from, ... } */
static int trainer_losses(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  return push_losses(L, rnl_trainer_losses(box->trainer), rnl_trainer_epoch(box->trainer));
}

/* val_losses(from?) -> the same, or nil without a validation set; false where an epoch was not validated */
static int trainer_val_losses(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  return push_losses(L, rnl_trainer_val_losses(box->trainer), rnl_trainer_epoch(box->trainer));
}

/* losses_packed() -> native float64, one an epoch */
static int trainer_losses_packed(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  const double *values = rnl_trainer_losses(box->trainer);
  lua_pushlstring(L, values ? (const char *)values : "", (size_t)rnl_trainer_epoch(box->trainer) * sizeof *values);
  return 1;
}

/* The set given to a method: a table of tensors at 2, or x at 2 and y at 3. Borrowed, as what is on the stack. */
static void set_argument(lua_State *L, const char *what, rnl_set *set) {
  if (!lua_istable(L, 2)) {
    rnl_lua_check_var(L, 2);
    rnl_lua_check_var(L, 3);
    lua_settop(L, 3);
    lua_createtable(L, 0, 2);
    lua_insert(L, 2);
    lua_setfield(L, 2, "y");
    lua_setfield(L, 2, "x");
  }
  lua_settop(L, 2);
  rnl_lua_read_set(L, 2, what, set);
}

/* evaluate(x, y) or evaluate(part) -> loss, prediction */
static int trainer_evaluate(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  rnl_error err;
  double loss = NAN;
  rnl_tensor prediction = {0};
  rnl_set set;
  set_argument(L, "the set to evaluate", &set);
  rnl_lua_check_recorded(L, rnl_trainer_evaluate(box->trainer, &set, &loss, &prediction, &err), &err);
  lua_pushnumber(L, loss);
  rnl_lua_push_tensor(L, &prediction);
  return 2;
}

/* step(part) -> loss before the update */
static int trainer_step(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  rnl_error err;
  double loss = NAN;
  rnl_set set;
  set_argument(L, "the batch", &set);
  rnl_lua_check_recorded(L, rnl_trainer_step(box->trainer, &set, &loss, &err), &err);
  lua_pushnumber(L, loss);
  return 1;
}

/* converged() -> has the method found nothing left to change? */
static int trainer_converged(lua_State *L) {
  lua_pushboolean(L, rnl_trainer_converged(check_trainer(L)->trainer));
  return 1;
}

/* end_epoch() -> reason */
static int trainer_end_epoch(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  rnl_error err;
  rnl_train_reason reason = RNL_TRAIN_EPOCHS;
  rnl_lua_check_recorded(L, rnl_trainer_end_epoch(box->trainer, &reason, &err), &err);
  lua_pushstring(L, reasons[reason]);
  return 1;
}

/* reset_states(): a stateful network's next batch begins anew */
static int trainer_reset_states(lua_State *L) {
  rnl_trainer_reset_states(check_trainer(L)->trainer);
  return 0;
}

/* prepare(): record every plan an epoch needs */
static int trainer_prepare(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  rnl_error err;
  lua_settop(L, 1);
  rnl_lua_check_recorded(L, rnl_trainer_prepare(box->trainer, &err), &err);
  return 0;
}

/* steps() -> steps done in all */
static int trainer_steps(lua_State *L) {
  lua_pushinteger(L, rnl_trainer_steps(check_trainer(L)->trainer));
  return 1;
}

/* norms(from?) -> a list of rows from row `from` on: the norms of all gradients, then of all parameters */
static int trainer_norms(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  const int64_t from = lua_isnoneornil(L, 2) ? 1 : rnl_lua_check_whole(L, 2, 1, INT64_MAX, "from");
  const int width = 2 * box->n_parameters;
  int64_t rows;
  const double *values = rnl_trainer_norms(box->trainer, &rows);
  lua_newtable(L);
  for (int64_t r = from; r <= rows; r++) {
    lua_createtable(L, width, 0);
    for (int i = 0; i < width; i++) {
      lua_pushnumber(L, values[(r - 1) * width + i]);
      lua_rawseti(L, -2, i + 1);
    }
    lua_rawseti(L, -2, r - from + 1);
  }
  return 1;
}

/* observe(value) -> should training end? The metric of the epoch just done, where early stopping is told it. */
static int trainer_observe(lua_State *L) {
  rnl_lua_trainer *box = check_trainer(L);
  lua_pushboolean(L, rnl_trainer_observe(box->trainer, luaL_checknumber(L, 2)));
  return 1;
}

/* restore_best() -> epoch, value, whose weights were put back; nothing where none were kept */
static int trainer_restore_best(lua_State *L) {
  int64_t epoch;
  double value;
  if (!rnl_trainer_restore_best(check_trainer(L)->trainer, &epoch, &value)) return 0;
  lua_pushinteger(L, epoch);
  lua_pushnumber(L, value);
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

static void push_report(lua_State *L, const rnl_lua_trainer *box, const rnl_gradcheck_report *report,
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
  rnl_gradcheck_options options = {.samples = 64, .stop = rnl_lua_stop_flag(L),
                                   .tolerance = rnl_lua_number_field(L, 1, "tolerance", 0)};
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
  rnl_lua_trainer *box = check_trainer(L);
  rnl_set set;
  rnl_full_batch full;
  rnl_error err;
  spec_set(L, 2, "train", "the training set", &set);
  rnl_lua_check_recorded(L, rnl_trainer_full_batch(box->trainer, &set, &full, &err), &err);
  rnl_gradcheck_entry *entries =
      lua_newuserdatauv(L, ((size_t)box->n_parameters + 1) * sizeof *entries, 0); /* freed by the collector */
  rnl_gradcheck_report report;
  rnl_lua_check(L, rnl_gradcheck(full.plan, full.loss, box->n_parameters, box->parameters, &options, entries, &report,
                                 &err), &err);
  push_report(L, box, &report, entries, rnl_plan_bytes(full.plan));
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
                                     {"lr", trainer_lr},
                                     {"set_lr", trainer_set_lr},
                                     {"seconds", trainer_seconds},
                                     {"losses", trainer_losses},
                                     {"val_losses", trainer_val_losses},
                                     {"losses_packed", trainer_losses_packed},
                                     {"evaluate", trainer_evaluate},
                                     {"step", trainer_step},
                                     {"end_epoch", trainer_end_epoch},
                                     {"reset_states", trainer_reset_states},
                                     {"prepare", trainer_prepare},
                                     {"steps", trainer_steps},
                                     {"converged", trainer_converged},
                                     {"norms", trainer_norms},
                                     {"observe", trainer_observe},
                                     {"restore_best", trainer_restore_best},
                                     {"memory", trainer_memory},
                                     {"checkpoint", rnl_lua_trainer_checkpoint},
                                     {"restore", rnl_lua_trainer_restore},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"trainer", new_trainer}, {"gradcheck", gradcheck}, {"kernel_info", kernel_info}, {NULL, NULL}};
  if (luaL_newmetatable(L, RNL_LUA_TRAINER)) {
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
