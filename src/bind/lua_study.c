/* bind/lua_study.c: core.sweep.study, a sweep's space, sampler, pruner and trials as one object, and the statistics
 * over trials. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "sweep/importance.h"
#include "sweep/stats.h"
#include "sweep/study.h"

#define STUDY "rnnlab.Study"

typedef struct study_box {
  rnl_study *study;
} study_box;

static int study_gc(lua_State *L) {
  study_box *box = luaL_checkudata(L, 1, STUDY);
  rnl_study_free(box->study);
  box->study = NULL;
  return 0;
}

static rnl_study *check_study(lua_State *L) {
  study_box *box = luaL_checkudata(L, 1, STUDY);
  if (!box->study) rnl_lua_fail(L, "the study is closed");
  return box->study;
}

static void release_space(void *value) { rnl_space_free(value); }

/* The strings of the list at `index`, as an array that lives on the stack (one value is pushed). */
static const char **push_texts(lua_State *L, int index, int64_t *count) {
  index = lua_absindex(L, index);
  *count = luaL_len(L, index);
  const char **texts = lua_newuserdatauv(L, ((size_t)*count + 1) * sizeof *texts, 0);
  for (int64_t i = 0; i < *count; i++) {
    lua_geti(L, index, i + 1);
    texts[i] = luaL_checkstring(L, -1);
    lua_pop(L, 1); /* the list holds it */
  }
  return texts;
}

static bool number_field(lua_State *L, int table, const char *key, double *out) {
  lua_getfield(L, table, key);
  bool there = lua_isnumber(L, -1);
  if (there) *out = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return there;
}

/* The dimension that the table on top of the stack describes. */
static void add_dimension(lua_State *L, rnl_space *space) {
  static const char *const kinds[] = {"number", "real", "int", "choice", "text", "bool", NULL};
  int table = lua_gettop(L);
  rnl_error err;
  rnl_declared declared = {.name = rnl_lua_text_field(L, table, "name", "")};
  lua_getfield(L, table, "kind");
  int kind = luaL_checkoption(L, -1, NULL, kinds);
  declared.kind = kind == 5 ? RNL_DECLARED_CHOICE : (rnl_declared_kind)kind;
  declared.has_low = number_field(L, table, "low", &declared.low);
  declared.has_high = number_field(L, table, "high", &declared.high);
  lua_getfield(L, table, "log");
  declared.log = lua_toboolean(L, -1);
  if (lua_getfield(L, table, "choices") == LUA_TTABLE) declared.choices = push_texts(L, -1, &declared.n_choices);
  rnl_lua_check(L, rnl_space_parse(space, &declared, rnl_lua_text_field(L, table, "space", NULL), &err), &err);
  if (lua_getfield(L, table, "when") == LUA_TTABLE) {
    int when = lua_gettop(L);
    int64_t n;
    lua_getfield(L, when, "values");
    const char **values = push_texts(L, -1, &n);
    rnl_lua_check(L, rnl_space_condition(space, declared.name, rnl_lua_text_field(L, when, "parent", ""), n, values,
                                         &err), &err);
  }
  lua_settop(L, table);
}

static int64_t whole_field(lua_State *L, int table, const char *key) {
  lua_getfield(L, table, key);
  int64_t value = luaL_optinteger(L, -1, 0);
  lua_pop(L, 1);
  return value;
}

/* study{ space = { {name=, kind=, low=, high=, log=, choices=, space=, when={parent=, values=}}, ... }, sampler=,
 * seed=, startup=, candidates=, univariate=, pruner=, last_step=, pruner_first=, pruner_factor=, pruner_startup= }
 * -> Study */
static int new_study(lua_State *L) {
  rnl_error err;
  luaL_checktype(L, 1, LUA_TTABLE);
  rnl_space *space = rnl_lua_box(L, sizeof *space, release_space);
  lua_getfield(L, 1, "space");
  luaL_checktype(L, -1, LUA_TTABLE);
  for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
    lua_geti(L, 3, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    add_dimension(L, space);
    lua_pop(L, 1);
  }
  rnl_sampler_options sampler = {.startup = whole_field(L, 1, "startup"),
                                 .candidates = whole_field(L, 1, "candidates")};
  rnl_pruner pruner = {.last_step = whole_field(L, 1, "last_step"), .first = whole_field(L, 1, "pruner_first"),
                       .eta = whole_field(L, 1, "pruner_factor"), .startup = whole_field(L, 1, "pruner_startup")};
  lua_getfield(L, 1, "univariate");
  sampler.univariate = lua_toboolean(L, -1);
  rnl_lua_check(L, rnl_sampler_named(rnl_lua_text_field(L, 1, "sampler", "random"), &sampler.kind, &err), &err);
  rnl_lua_check(L, rnl_pruner_named(rnl_lua_text_field(L, 1, "pruner", "none"), &pruner.kind, &err), &err);
  if (pruner.kind != RNL_PRUNER_NONE) rnl_lua_check(L, rnl_pruner_settle(&pruner, &err), &err);
  study_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (study_box){0};
  luaL_setmetatable(L, STUDY);
  uint64_t seed = (uint64_t)whole_field(L, 1, "seed");
  rnl_lua_check(L, rnl_study_new(&box->study, space, &sampler, seed, &pruner, &err), &err);
  rnl_lua_box_release(L, 2);
  return 1;
}

/* ---- points ------------------------------------------------------------------------------------- */

/* A point as a list: numbers, false where a dimension is inactive. */
static void push_point(lua_State *L, const rnl_space *space, const double *values) {
  lua_createtable(L, space->n, 0);
  for (int i = 0; i < space->n; i++) {
    if (isnan(values[i])) lua_pushboolean(L, false);
    else lua_pushnumber(L, values[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* The list at `index` as a point, which lives on the stack (one value is pushed). */
static double *push_values(lua_State *L, const rnl_space *space, int index) {
  double *values = lua_newuserdatauv(L, ((size_t)space->n + 1) * sizeof *values, 0);
  luaL_checktype(L, index, LUA_TTABLE);
  for (int i = 0; i < space->n; i++) {
    lua_geti(L, index, i + 1);
    values[i] = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : NAN;
    lua_pop(L, 1);
  }
  return values;
}

static int study_count(lua_State *L) {
  int64_t count = rnl_study_count(check_study(L));
  if (count == INT64_MAX) lua_pushnil(L);
  else lua_pushinteger(L, count);
  return 1;
}

/* propose(number, limit?) -> point; nil where no point is left */
static int study_propose(lua_State *L) {
  rnl_study *study = check_study(L);
  const rnl_space *space = rnl_study_space(study);
  const int64_t number = luaL_checkinteger(L, 2), limit = luaL_optinteger(L, 3, INT64_MAX);
  double *values = lua_newuserdatauv(L, ((size_t)space->n + 1) * sizeof *values, 0);
  rnl_error err;
  rnl_status status = rnl_study_propose(study, number, limit, values, &err);
  if (status == RNL_ERR_NOT_FOUND) {
    lua_pushnil(L);
    return 1;
  }
  rnl_lua_check(L, status, &err);
  push_point(L, space, values);
  return 1;
}

/* put(number, point or nil, state, value?) */
static int study_put(lua_State *L) {
  static const char *const states[] = {"running", "finished", "pruned", "failed", NULL};
  rnl_study *study = check_study(L);
  rnl_error err;
  lua_settop(L, 5);
  const double *values = lua_isnil(L, 3) ? NULL : push_values(L, rnl_study_space(study), 3);
  rnl_trial_state state = (rnl_trial_state)luaL_checkoption(L, 4, NULL, states);
  rnl_lua_check(L, rnl_study_put(study, luaL_checkinteger(L, 2), values, state, luaL_optnumber(L, 5, NAN), &err), &err);
  return 0;
}

/* report(number, step, value) */
static int study_report(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_study_report(check_study(L), luaL_checkinteger(L, 2), luaL_checkinteger(L, 3),
                                    luaL_checknumber(L, 4), &err), &err);
  return 0;
}

/* stops(number, limit?) -> is it to be stopped at its last report? */
static int study_stops(lua_State *L) {
  bool stops;
  rnl_error err;
  rnl_lua_check(L, rnl_study_stops(check_study(L), luaL_checkinteger(L, 2), luaL_optinteger(L, 3, INT64_MAX), &stops,
                                   &err), &err);
  lua_pushboolean(L, stops);
  return 1;
}

/* next(number, after) -> the next step worth a report */
static int study_next(lua_State *L) {
  lua_pushinteger(L, rnl_study_next(check_study(L), luaL_checkinteger(L, 2), luaL_checkinteger(L, 3)));
  return 1;
}

/* pruner() -> { first =, factor = } of asha and hyperband, { startup = } of median, {} of none */
static int study_pruner(lua_State *L) {
  const rnl_pruner *p = rnl_study_pruner(check_study(L));
  lua_createtable(L, 0, 2);
  if (p->kind == RNL_PRUNER_MEDIAN) {
    lua_pushinteger(L, p->startup);
    lua_setfield(L, -2, "startup");
  } else if (p->kind != RNL_PRUNER_NONE) {
    lua_pushinteger(L, p->first);
    lua_setfield(L, -2, "first");
    lua_pushinteger(L, p->eta);
    lua_setfield(L, -2, "factor");
  }
  return 1;
}

/* texts(point) -> { name = text } of what is active */
static int study_texts(lua_State *L) {
  const rnl_space *space = rnl_study_space(check_study(L));
  const double *values = push_values(L, space, 2);
  rnl_buffer *text = rnl_lua_box_buffer(L);
  lua_createtable(L, 0, space->n);
  for (int i = 0; i < space->n; i++) {
    if (isnan(values[i])) continue;
    rnl_buffer_clear(text);
    rnl_dimension_format(&space->dims[i], values[i], text);
    lua_pushlstring(L, rnl_buffer_string(text), text->length);
    lua_setfield(L, -2, space->dims[i].name);
  }
  return 1;
}

/* dimensions() -> { { name =, kind = "real"|"int"|"choice", low =, high =, step =, log =, choices =, text = }, ... } */
static int study_dimensions(lua_State *L) {
  static const char *const kinds[] = {"real", "int", "choice"};
  const rnl_space *space = rnl_study_space(check_study(L));
  rnl_buffer *text = rnl_lua_box_buffer(L);
  lua_createtable(L, space->n, 0);
  for (int i = 0; i < space->n; i++) {
    const rnl_dimension *d = &space->dims[i];
    lua_createtable(L, 0, 8);
    lua_pushstring(L, d->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, kinds[d->kind]);
    lua_setfield(L, -2, "kind");
    if (d->kind == RNL_DIM_CATEGORICAL) {
      lua_createtable(L, (int)d->n_choices, 0);
      for (int64_t k = 0; k < d->n_choices; k++) {
        lua_pushstring(L, d->choices[k]);
        lua_rawseti(L, -2, k + 1);
      }
      lua_setfield(L, -2, "choices");
    } else {
      lua_pushnumber(L, d->low);
      lua_setfield(L, -2, "low");
      lua_pushnumber(L, d->high);
      lua_setfield(L, -2, "high");
      lua_pushboolean(L, d->log);
      lua_setfield(L, -2, "log");
      if (d->step > 0) {
        lua_pushnumber(L, d->step);
        lua_setfield(L, -2, "step");
      }
    }
    rnl_buffer_clear(text);
    rnl_dimension_describe(space, i, text);
    lua_pushlstring(L, rnl_buffer_string(text), text->length);
    lua_setfield(L, -2, "text");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* importance() -> a list, a dimension each; nil with too few finished trials */
static int study_importance(lua_State *L) {
  rnl_study *study = check_study(L);
  const rnl_space *space = rnl_study_space(study);
  double *share = lua_newuserdatauv(L, ((size_t)space->n + 1) * sizeof *share, 0);
  rnl_history history = rnl_study_history(study);
  rnl_error err;
  rnl_status status = rnl_importance(space, &history, share, &err);
  if (status == RNL_ERR_ARG) {
    lua_pushnil(L);
    return 1;
  }
  rnl_lua_check(L, status, &err);
  lua_createtable(L, space->n, 0);
  for (int i = 0; i < space->n; i++) {
    lua_pushnumber(L, share[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* ---- statistics --------------------------------------------------------------------------------- */

static double *push_numbers(lua_State *L, int index, int64_t *n) {
  luaL_checktype(L, index, LUA_TTABLE);
  *n = luaL_len(L, index);
  double *numbers = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *numbers, 0);
  for (int64_t i = 0; i < *n; i++) {
    lua_geti(L, index, i + 1);
    numbers[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  return numbers;
}

static void set_number(lua_State *L, const char *key, double value) {
  if (isnan(value)) return; /* nil: there is none */
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

static void push_interval(lua_State *L, const rnl_interval *interval) {
  lua_createtable(L, 0, 7);
  lua_pushinteger(L, interval->n);
  lua_setfield(L, -2, "n");
  set_number(L, "mean", interval->mean);
  set_number(L, "sd", interval->sd);
  set_number(L, "half", interval->half);
  set_number(L, "low", interval->low);
  set_number(L, "high", interval->high);
  set_number(L, "level", interval->level);
}

/* interval(numbers, level?) -> { n, mean, sd, half, low, high, level } */
static int sweep_interval(lua_State *L) {
  int64_t n;
  double level = luaL_optnumber(L, 2, .95);
  const double *x = push_numbers(L, 1, &n);
  rnl_interval interval = rnl_t_interval(n, x, level);
  push_interval(L, &interval);
  return 1;
}

/* paired(a, b, level?) -> { difference = interval, t, p, wilcoxon = { n, w_plus, w_minus, p, exact } } */
static int sweep_paired(lua_State *L) {
  int64_t n, m;
  double level = luaL_optnumber(L, 3, .95);
  const double *a = push_numbers(L, 1, &n), *b = push_numbers(L, 2, &m);
  rnl_error err;
  if (n != m) return rnl_lua_fail(L, "paired: %d and %d values", (int)n, (int)m);
  rnl_paired paired;
  rnl_lua_check(L, rnl_paired_test(n, a, b, level, &paired, &err), &err);
  lua_createtable(L, 0, 4);
  push_interval(L, &paired.difference);
  lua_setfield(L, -2, "difference");
  set_number(L, "t", paired.t);
  set_number(L, "p", paired.p);
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, paired.wilcoxon.n);
  lua_setfield(L, -2, "n");
  set_number(L, "w_plus", paired.wilcoxon.w_plus);
  set_number(L, "w_minus", paired.wilcoxon.w_minus);
  set_number(L, "p", paired.wilcoxon.p);
  lua_pushboolean(L, paired.wilcoxon.exact);
  lua_setfield(L, -2, "exact");
  lua_setfield(L, -2, "wilcoxon");
  return 1;
}

/* pareto({ {a, b}, ... }) -> a list of booleans: is it on the front? All values are to be minimised. */
static int sweep_pareto(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const int64_t n = luaL_len(L, 1);
  lua_geti(L, 1, 1);
  const int64_t m = n > 0 ? luaL_len(L, -1) : 0;
  lua_settop(L, 1);
  double *values = lua_newuserdatauv(L, (size_t)(n * m + 1) * sizeof *values, 0);
  bool *front = lua_newuserdatauv(L, (size_t)n + 1, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_geti(L, 1, i + 1);
    for (int64_t k = 0; k < m; k++) {
      lua_geti(L, -1, k + 1);
      values[i * m + k] = luaL_optnumber(L, -1, NAN);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  rnl_error err;
  if (n > 0) rnl_lua_check(L, rnl_pareto(n, (int)m, values, front, &err), &err);
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_pushboolean(L, front[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

int rnl_lua_open_study(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"count", study_count}, {"propose", study_propose}, {"put", study_put}, {"report", study_report},
    {"stops", study_stops}, {"next", study_next}, {"pruner", study_pruner}, {"texts", study_texts},
    {"dimensions", study_dimensions},
    {"importance", study_importance}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
    {"study", new_study}, {"interval", sweep_interval}, {"paired", sweep_paired}, {"pareto", sweep_pareto},
    {NULL, NULL}};
  if (luaL_newmetatable(L, STUDY)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, study_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, study_gc);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
