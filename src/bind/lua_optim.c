/* bind/lua_optim.c: options of optimisers and schedules. */
#include "bind/lua_optim.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "train/lbfgs.h"
#include "train/lm.h"
#include "train/ridge.h"

typedef struct number_field {
  const char *key;
  double *value;
} number_field;

static void read_numbers(lua_State *L, int table, const number_field *fields, size_t n) {
  for (size_t i = 0; i < n; i++) *fields[i].value = rnl_lua_number_field(L, table, fields[i].key, *fields[i].value);
}

static int64_t whole(lua_State *L, int table, const char *who, const char *key, int64_t fallback) {
  const double value = rnl_lua_number_field(L, table, key, (double)fallback);
  if (!(value >= 0 && value <= 0x1p53) || value != (double)(int64_t)value)
    rnl_lua_fail(L, "%s: %s must be a whole number, not %f", who, key, value);
  return (int64_t)value;
}

/* A method's table has its own numbers; the optimiser beside it is never asked for a step. */
static bool is_method(const char *kind) {
  return strcmp(kind, "lm") == 0 || strcmp(kind, "lbfgs") == 0 ||
         strcmp(kind, "ridge") == 0;
}

rnl_optimizer_options rnl_lua_optimizer(lua_State *L, int table) {
  rnl_optimizer_options o;
  rnl_error err;
  if (lua_getfield(L, table, "optimizer") != LUA_TTABLE)
    rnl_lua_fail(L, "trainer: optimizer must be a table such as {kind = \"adam\", lr = .01}");
  const int at = lua_gettop(L);
  const char *kind = rnl_lua_text_field(L, at, "kind", "?");
  rnl_lua_check(L, rnl_optimizer_from_name(is_method(kind) ? "sgd" : kind, &o, &err), &err);
  const number_field fields[] = {{"lr", &o.lr}, {"momentum", &o.momentum}, {"beta1", &o.beta1}, {"beta2", &o.beta2},
                                 {"eps", &o.eps}, {"weight_decay", &o.weight_decay}, {"dampening", &o.dampening},
                                 {"alpha", &o.alpha}, {"rho", &o.rho}, {"eta_minus", &o.eta_minus},
                                 {"eta_plus", &o.eta_plus}, {"step_min", &o.step_min}, {"step_max", &o.step_max}};
  read_numbers(L, at, fields, sizeof fields / sizeof fields[0]);
  lua_getfield(L, at, "centered");
  o.centered = lua_toboolean(L, -1);
  lua_pop(L, 2);
  return o;
}

void rnl_lua_method(lua_State *L, int table, int n_parameters, rnl_var *const *parameters, rnl_method *out) {
  rnl_error err;
  *out = (rnl_method){0};
  if (lua_getfield(L, table, "optimizer") == LUA_TTABLE) {
    const int at = lua_gettop(L);
    const char *kind = rnl_lua_text_field(L, at, "kind", "?");
    if (strcmp(kind, "lm") == 0) {
      rnl_lm_options o = rnl_lm_defaults();
      const number_field fields[] = {{"damping", &o.damping}, {"up", &o.up}, {"down", &o.down}, {"limit", &o.limit}};
      read_numbers(L, at, fields, sizeof fields / sizeof fields[0]);
      rnl_lua_check(L, rnl_lm_new(out, &o, &err), &err);
    } else if (strcmp(kind, "lbfgs") == 0) {
      rnl_lbfgs_options o = rnl_lbfgs_defaults();
      o.history = whole(L, at, "lbfgs", "history", o.history);
      o.evaluations = whole(L, at, "lbfgs", "evaluations", o.evaluations);
      o.tolerance = rnl_lua_number_field(L, at, "tolerance", o.tolerance);
      rnl_lua_check(L, rnl_lbfgs_new(out, &o, n_parameters, parameters, &err), &err);
    } else if (strcmp(kind, "ridge") == 0) {
      rnl_lua_check(L, rnl_ridge_new(out, rnl_lua_number_field(L, at, "lambda", 1e-6), &err), &err);
    }
  }
  lua_pop(L, 1);
}

rnl_schedule rnl_lua_schedule(lua_State *L, int table) {
  rnl_schedule s = {0};
  rnl_error err;
  if (lua_getfield(L, table, "schedule") == LUA_TNIL) {
    lua_pop(L, 1);
    return s;
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  const int at = lua_gettop(L);
  rnl_lua_check(L, rnl_schedule_from_name(rnl_lua_text_field(L, at, "kind", "constant"), &s, &err), &err);
  const number_field fields[] = {{"gamma", &s.gamma}, {"min", &s.min}, {"pct", &s.pct}, {"div", &s.div},
                                 {"final_div", &s.final_div}, {"start_factor", &s.start_factor}};
  read_numbers(L, at, fields, sizeof fields / sizeof fields[0]);
  s.unit = whole(L, at, "schedule", "unit", s.unit);
  s.step_size = whole(L, at, "schedule", "step_size", s.step_size);
  s.total = whole(L, at, "schedule", "total", s.total);
  s.warmup = whole(L, at, "schedule", "warmup", s.warmup);
  rnl_lua_check(L, rnl_schedule_check(&s, &err), &err);
  lua_pop(L, 1);
  return s;
}
