/* bind/lua_tensor_value.c: methods that read values, change the dtype, or deal with gradients. */
#include <inttypes.h>
#include <math.h>

#include "base/alloc.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/plan.h"

/* ---- reading -------------------------------------------------------------------------------------- */

static double one_value(lua_State *L, int arg, const char *what) {
  rnl_var *var = rnl_lua_check_var(L, arg);
  char shape[RNL_SHAPE_TEXT];
  rnl_lua_check_readable(L, var, what);
  if (rnl_tensor_numel(rnl_value(var)) != 1)
    rnl_lua_fail(L, "%s: a tensor of one element is expected, not a %s one", what,
                 rnl_tensor_shape_text(shape, rnl_value(var)));
  return rnl_tensor_at(rnl_value(var), 0);
}

static int tensor_item(lua_State *L) {
  lua_pushnumber(L, one_value(L, 1, "item"));
  return 1;
}

static void push_list(lua_State *L, const rnl_tensor *t, int dim, int64_t *index) {
  if (dim == t->ndim) {
    lua_pushnumber(L, rnl_tensor_get(t, index));
    return;
  }
  lua_createtable(L, t->size[dim] < INT32_MAX ? (int)t->size[dim] : 0, 0);
  for (index[dim] = 0; index[dim] < t->size[dim]; index[dim]++) {
    push_list(L, t, dim + 1, index);
    lua_rawseti(L, -2, index[dim] + 1);
  }
}

static int tensor_tolist(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  int64_t index[RNL_MAX_DIMS] = {0};
  rnl_lua_check_readable(L, var, "tolist");
  luaL_checkstack(L, 2 * RNL_MAX_DIMS, "tolist");
  push_list(L, rnl_value(var), 0, index);
  return 1;
}

/* Allowed while a step is recorded: a print in a cell is how one looks into it, and nothing branches on it.
 * The text is copied into Lua by a protected call, so that the C copy is freed even where Lua is out
 * of memory. */
static int push_text(lua_State *L) {
  lua_pushstring(L, lua_touserdata(L, 1));
  return 1;
}

static int tensor_tostring(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  char *text;
  rnl_error err;
  lua_pushcfunction(L, push_text);
  rnl_lua_check(L, rnl_tensor_format(&text, rnl_value(var), 0, 0, &err), &err);
  lua_pushlightuserdata(L, text);
  int status = lua_pcall(L, 1, 1, 0);
  rnl_free(text);
  return status == LUA_OK ? 1 : lua_error(L);
}

/* One shape, and every pair equal or within atol + rtol * abs(b). */
static bool all_pairs(const rnl_tensor *a, const rnl_tensor *b, double rtol, double atol) {
  if (!rnl_tensor_same_shape(a, b)) return false;
  rnl_walk w;
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){a, b});
  do {
    for (int64_t i = 0; i < w.length; i++) {
      double x = a->dtype == RNL_F64 ? ((double *)w.data[0])[i * w.step[0]]
                                     : (double)((float *)w.data[0])[i * w.step[0]];
      double y = b->dtype == RNL_F64 ? ((double *)w.data[1])[i * w.step[1]]
                                     : (double)((float *)w.data[1])[i * w.step[1]];
      if (x != y && !(isfinite(x) && isfinite(y) && fabs(x - y) <= atol + rtol * fabs(y))) return false;
    }
  } while (rnl_walk_next(&w));
  return true;
}

static int compare(lua_State *L, const char *what, double rtol, double atol) {
  rnl_var *a = rnl_lua_check_var(L, 1);
  rnl_var *b = rnl_lua_check_tensor_arg(L, 2, rnl_value(a)->dtype, what);
  rnl_lua_check_readable(L, a, what);
  rnl_lua_check_readable(L, b, what);
  lua_pushboolean(L, all_pairs(rnl_value(a), rnl_value(b), rtol, atol));
  return 1;
}

static int tensor_equal(lua_State *L) { return compare(L, "equal", -1, 0); }

static double optional_number(lua_State *L, int arg, double standard, const char *what) {
  if (lua_isnoneornil(L, arg)) return standard;
  if (lua_type(L, arg) != LUA_TNUMBER)
    rnl_lua_fail(L, "%s is %s; it must be a number", what, rnl_lua_kind_of(L, arg));
  return lua_tonumber(L, arg);
}

static int tensor_allclose(lua_State *L) {
  double rtol = optional_number(L, 3, 1e-5, "allclose: the relative tolerance");
  double atol = optional_number(L, 4, 1e-8, "allclose: the absolute tolerance");
  return compare(L, "allclose", rtol, atol);
}

/* a < b where both are numbers or tensors of one element */
static double comparable(lua_State *L, int arg) {
  return lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : one_value(L, arg, "comparison");
}

static int tensor_lt(lua_State *L) {
  lua_pushboolean(L, comparable(L, 1) < comparable(L, 2));
  return 1;
}

static int tensor_le(lua_State *L) {
  lua_pushboolean(L, comparable(L, 1) <= comparable(L, 2));
  return 1;
}

/* Identity: two handles of one variable are equal. */
static int tensor_eq(lua_State *L) {
  rnl_var *a = rnl_lua_test_var(L, 1), *b = rnl_lua_test_var(L, 2);
  lua_pushboolean(L, a && a == b);
  return 1;
}

/* index(dim, {3, 1, 2}): the slices asked for, in that order, as a new tensor without gradient */
static int tensor_index(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  int dim = rnl_lua_check_dim(L, 2, t, 0, "index");
  if (!lua_istable(L, 3))
    return rnl_lua_fail(L, "index: the indices are %s; a table of numbers is expected", rnl_lua_kind_of(L, 3));
  rnl_lua_check_source(L, var, "index");
  int64_t size[RNL_MAX_DIMS], n = (int64_t)lua_rawlen(L, 3);
  for (int d = 0; d < t->ndim; d++) size[d] = d == dim ? n : t->size[d];
  rnl_tensor made;
  rnl_error err;
  rnl_lua_check(L, rnl_tensor_new(&made, t->dtype, t->ndim, size, &err), &err);
  rnl_lua_push_tensor(L, &made);
  const rnl_tensor *out = rnl_value(rnl_lua_check_var(L, -1));
  for (int64_t i = 0; i < n; i++) {
    lua_rawgeti(L, 3, i + 1);
    int64_t k = rnl_lua_check_whole(L, -1, INT64_MIN, INT64_MAX, "index: an index");
    lua_pop(L, 1);
    if (k == 0 || k > t->size[dim] || k < -t->size[dim])
      return rnl_lua_fail(L, "index: %" PRId64 " is outside dimension %d of size %" PRId64, k, dim + 1, t->size[dim]);
    rnl_tensor from, to;
    rnl_lua_check(L, rnl_tensor_select(&from, t, dim, k > 0 ? k - 1 : t->size[dim] + k, &err), &err);
    rnl_status status = rnl_tensor_select(&to, out, dim, i, &err);
    if (status == RNL_OK) {
      status = rnl_tensor_copy(&to, &from, &err);
      rnl_tensor_release(&to);
    }
    rnl_tensor_release(&from);
    rnl_lua_check(L, status, &err);
  }
  return 1;
}

/* ---- dtype ---------------------------------------------------------------------------------------- */

static int convert(lua_State *L, rnl_dtype dtype, const char *what) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  if (rnl_value(var)->dtype == dtype) {
    lua_settop(L, 1);
    return 1;
  }
  rnl_lua_check_source(L, var, what);
  rnl_tensor made;
  rnl_error err;
  rnl_lua_check(L, rnl_tensor_cast(&made, rnl_value(var), dtype, &err), &err);
  rnl_lua_push_tensor(L, &made);
  return 1;
}

static int tensor_to(lua_State *L) { return convert(L, rnl_lua_check_dtype(L, 2, "to"), "to"); }
static int tensor_float(lua_State *L) { return convert(L, RNL_F32, "float"); }
static int tensor_double(lua_State *L) { return convert(L, RNL_F64, "double"); }

/* ---- gradients ------------------------------------------------------------------------------------ */

static int tensor_requires_grad(lua_State *L) {
  lua_pushboolean(L, rnl_lua_tracked(rnl_lua_check_var(L, 1)));
  return 1;
}

static int tensor_set_requires_grad(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  if (!lua_isnoneornil(L, 2) && !lua_isboolean(L, 2)) return rnl_lua_fail_arg(L, 2, "true or false");
  if (var->creator)
    return rnl_lua_fail(L, "requires_grad_: a computed tensor follows its inputs; detach() it first");
  var->requires_grad = lua_isnoneornil(L, 2) || lua_toboolean(L, 2);
  lua_settop(L, 1);
  return 1;
}

static int tensor_grad(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  if (!rnl_grad(var)->storage) {
    lua_pushnil(L);
    return 1;
  }
  rnl_tensor grad = rnl_tensor_ref(rnl_grad(var));
  rnl_lua_push_tensor(L, &grad);
  return 1;
}

static int tensor_backward(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_error err;
  if (rnl_recording())
    return rnl_lua_fail(L, "backward: the step is being recorded; its gradients are the trainer's work");
  rnl_status status = rnl_backward(var, &err);
  if (status != RNL_OK) rnl_error_prefix(&err, "backward");
  rnl_lua_check(L, status, &err);
  return 0;
}

static int tensor_detach(lua_State *L) {
  rnl_lua_push_var(L, rnl_var_detach(rnl_lua_check_var(L, 1)));
  return 1;
}

const luaL_Reg rnl_lua_tensor_value_methods[] = {{"item", tensor_item},
                                                 {"tolist", tensor_tolist},
                                                 {"equal", tensor_equal},
                                                 {"allclose", tensor_allclose},
                                                 {"index", tensor_index},
                                                 {"to", tensor_to},
                                                 {"float", tensor_float},
                                                 {"double", tensor_double},
                                                 {"requires_grad", tensor_requires_grad},
                                                 {"requires_grad_", tensor_set_requires_grad},
                                                 {"grad", tensor_grad},
                                                 {"backward", tensor_backward},
                                                 {"detach", tensor_detach},
                                                 {"__tostring", tensor_tostring},
                                                 {"__lt", tensor_lt},
                                                 {"__le", tensor_le},
                                                 {"__eq", tensor_eq},
                                                 {NULL, NULL}};
