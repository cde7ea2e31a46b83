/* bind/lua_tensor_make.c: module functions that make tensors, and the state's dtype. */
#include <inttypes.h>
#include <math.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/ops.h"

/* A dtype as last argument is taken off; else the state's. */
static rnl_dtype trailing_dtype(lua_State *L, const char *what) {
  if (lua_gettop(L) == 0 || lua_type(L, -1) != LUA_TSTRING) return rnl_lua_default_dtype(L);
  rnl_dtype dtype = rnl_lua_check_dtype(L, -1, what);
  lua_pop(L, 1);
  return dtype;
}

static rnl_tensor *push_new(lua_State *L, rnl_dtype dtype, int ndim, const int64_t *size, const char *what) {
  rnl_tensor made;
  rnl_error err;
  rnl_status status = rnl_tensor_new(&made, dtype, ndim, size, &err);
  if (status != RNL_OK) rnl_error_prefix(&err, "%s", what);
  rnl_lua_check(L, status, &err);
  rnl_lua_push_tensor(L, &made);
  return rnl_value(rnl_lua_check_var(L, -1));
}

static double check_number(lua_State *L, int arg, const char *what) {
  if (lua_type(L, arg) != LUA_TNUMBER)
    rnl_lua_fail(L, "%s is %s; it must be a number", what, rnl_lua_kind_of(L, arg));
  return lua_tonumber(L, arg);
}

static int make_tensor(lua_State *L) {
  if (lua_gettop(L) > 2) return rnl_lua_fail(L, "tensor: %d arguments; it takes the values and a dtype", lua_gettop(L));
  luaL_checkstack(L, 4, "tensor");
  bool given = !lua_isnoneornil(L, 2);
  rnl_dtype dtype = given ? rnl_lua_check_dtype(L, 2, "tensor") : rnl_lua_default_dtype(L);
  lua_settop(L, 1);
  if (!rnl_lua_test_var(L, 1)) {
    rnl_lua_check_tensor_arg(L, 1, dtype, "tensor");
    return 1;
  }
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_lua_check_source(L, var, "tensor");
  rnl_error err;
  rnl_tensor made;
  rnl_lua_check(L, rnl_tensor_cast(&made, rnl_value(var), given ? dtype : rnl_value(var)->dtype, &err), &err);
  rnl_lua_push_tensor(L, &made);
  return 1;
}

static int make_zeros(lua_State *L) {
  int64_t size[RNL_MAX_DIMS];
  rnl_dtype dtype = trailing_dtype(L, "zeros");
  int ndim = rnl_lua_check_sizes(L, 1, lua_gettop(L), "zeros", size);
  push_new(L, dtype, ndim, size, "zeros");
  return 1;
}

static int make_ones(lua_State *L) {
  int64_t size[RNL_MAX_DIMS];
  rnl_dtype dtype = trailing_dtype(L, "ones");
  int ndim = rnl_lua_check_sizes(L, 1, lua_gettop(L), "ones", size);
  rnl_tensor_fill(push_new(L, dtype, ndim, size, "ones"), 1);
  return 1;
}

/* full(sizes, value): the sizes in a table, since they are followed by the value */
static int make_full(lua_State *L) {
  int64_t size[RNL_MAX_DIMS];
  rnl_dtype dtype = trailing_dtype(L, "full");
  if (!lua_istable(L, 1)) return rnl_lua_fail(L, "full: the sizes are %s; a table is expected, as in full({2, 3}, 0.5)",
                                              rnl_lua_kind_of(L, 1));
  int ndim = rnl_lua_check_sizes(L, 1, 1, "full", size);
  double value = check_number(L, 2, "full: the value");
  rnl_tensor_fill(push_new(L, dtype, ndim, size, "full"), value);
  return 1;
}

static int make_eye(lua_State *L) {
  rnl_dtype dtype = trailing_dtype(L, "eye");
  int64_t size[2];
  size[0] = size[1] = rnl_lua_check_whole(L, 1, 0, INT64_MAX, "eye: the number of rows");
  if (!lua_isnoneornil(L, 2)) size[1] = rnl_lua_check_whole(L, 2, 0, INT64_MAX, "eye: the number of columns");
  rnl_tensor *t = push_new(L, dtype, 2, size, "eye");
  for (int64_t i = 0; i < size[0] && i < size[1]; i++) rnl_tensor_set(t, (int64_t[]){i, i}, 1);
  return 1;
}

/* n points from a to b; the ends are exact */
static int make_linspace(lua_State *L) {
  rnl_dtype dtype = trailing_dtype(L, "linspace");
  double a = check_number(L, 1, "linspace: the first value"), b = check_number(L, 2, "linspace: the last value");
  int64_t n = lua_isnoneornil(L, 3) ? 100 : rnl_lua_check_whole(L, 3, 0, INT64_MAX, "linspace: the number of points");
  rnl_tensor *t = push_new(L, dtype, 1, &n, "linspace");
  for (int64_t i = 0; i < n; i++)
    rnl_tensor_put(t, i, i == 0 ? a : i == n - 1 ? b : a + (b - a) * ((double)i / (double)(n - 1)));
  return 1;
}

/* arange(n): 1..n; arange(a, b, step): a, a + step, ... up to and with b, as Lua's for */
static int make_arange(lua_State *L) {
  rnl_dtype dtype = trailing_dtype(L, "arange");
  double a = 1, b = check_number(L, 1, "arange: the first argument"), step = 1;
  if (!lua_isnoneornil(L, 2)) a = b, b = check_number(L, 2, "arange: the last value");
  if (!lua_isnoneornil(L, 3)) step = check_number(L, 3, "arange: the step");
  if (!isfinite(a) || !isfinite(b) || !isfinite(step) || step == 0)
    return rnl_lua_fail(L, "arange: from %.14g to %.14g in steps of %.14g is no range", a, b, step);
  double count = floor((b - a) / step + 1e-9) + 1; /* 0, .1, ... 1 ends with 1 */
  if (!(count < 9e18)) return rnl_lua_fail(L, "arange: from %.14g to %.14g in steps of %.14g is too long", a, b, step);
  int64_t n = count > 0 ? (int64_t)count : 0;
  rnl_tensor *t = push_new(L, dtype, 1, &n, "arange");
  for (int64_t i = 0; i < n; i++) rnl_tensor_put(t, i, a + (double)i * step);
  return 1;
}

/* ---- joining -------------------------------------------------------------------------------------- */

/* The tensors of the table at 1 are pushed from stack index `base` on; returns how many. */
static int push_list(lua_State *L, const char *what) {
  if (!lua_istable(L, 1))
    return rnl_lua_fail(L, "%s: argument 1 is %s; a table of tensors is expected", what, rnl_lua_kind_of(L, 1));
  lua_Unsigned n = lua_rawlen(L, 1);
  if (n == 0) return rnl_lua_fail(L, "%s: the table holds no tensors", what);
  if (n > 100000) return rnl_lua_fail(L, "%s: %" PRIu64 " tensors; at most 100000 are possible", what, (uint64_t)n);
  luaL_checkstack(L, (int)n + 8, "too many tensors");
  for (int i = 1; i <= (int)n; i++)
    if (lua_rawgeti(L, 1, i), !rnl_lua_test_var(L, -1))
      return rnl_lua_fail(L, "%s: entry %d is %s; a tensor is expected", what, i, rnl_lua_kind_of(L, -1));
  return (int)n;
}

/* Join the n tensors from stack index base on, RNL_MAX_IN at a time until one is left; pushes it. */
static int join(lua_State *L, int base, int n, int dim) {
  while (true) {
    int made = 0;
    for (int i = 0; i < n; i += RNL_MAX_IN) {
      rnl_var *in[RNL_MAX_IN];
      int count = n - i < RNL_MAX_IN ? n - i : RNL_MAX_IN;
      for (int k = 0; k < count; k++) in[k] = rnl_lua_check_var(L, base + i + k);
      rnl_lua_apply(L, &rnl_op_cat, &dim, count, in);
      lua_replace(L, base + made++);
    }
    n = made;
    if (n == 1) break;
  }
  lua_pushvalue(L, base);
  return 1;
}

static int make_cat(lua_State *L) {
  lua_settop(L, 2);
  int n = push_list(L, "cat");
  const rnl_tensor *first = rnl_value(rnl_lua_check_var(L, 3));
  if (first->ndim == 0) return rnl_lua_fail(L, "cat: a scalar has no dimension to join along; stack joins scalars");
  int dim = lua_isnil(L, 2) ? 0 : rnl_lua_check_dim(L, 2, first, 0, "cat");
  return join(L, 3, n, dim);
}

static int make_stack(lua_State *L) {
  lua_settop(L, 2);
  int n = push_list(L, "stack");
  const rnl_tensor *first = rnl_value(rnl_lua_check_var(L, 3));
  int dim = lua_isnil(L, 2) ? 0 : rnl_lua_check_dim(L, 2, first, 1, "stack");
  for (int i = 0; i < n; i++) {
    rnl_var *var = rnl_lua_check_var(L, 3 + i);
    char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
    if (!rnl_tensor_same_shape(rnl_value(var), rnl_value(rnl_lua_check_var(L, 3))))
      return rnl_lua_fail(L, "stack: %s and %s; all shapes must be equal",
                          rnl_tensor_shape_text(a, rnl_value(rnl_lua_check_var(L, 3))),
                          rnl_tensor_shape_text(b, rnl_value(var)));
  }
  for (int i = 0; i < n; i++) {
    rnl_var *var = rnl_lua_check_var(L, 3 + i);
    rnl_view_attrs attrs = {.kind = RNL_VIEW_UNSQUEEZE, .dim = dim};
    rnl_lua_apply(L, &rnl_op_view, &attrs, 1, &var);
    lua_replace(L, 3 + i);
  }
  return join(L, 3, n, dim);
}

/* ---- the state ------------------------------------------------------------------------------------ */

static int set_default_dtype(lua_State *L) {
  rnl_lua_set_default_dtype(L, rnl_lua_check_dtype(L, 1, "set_default_dtype"));
  return 0;
}

static int get_default_dtype(lua_State *L) {
  lua_pushstring(L, rnl_dtype_name(rnl_lua_default_dtype(L)));
  return 1;
}

static int is_tensor(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, RNL_LUA_TENSOR) != NULL);
  return 1;
}

/* no_grad(f, ...): what f computes keeps no tape. The pause ends whatever happens in f. */
static int no_grad(lua_State *L) {
  if (!lua_isfunction(L, 1)) return rnl_lua_fail_arg(L, 1, "a function");
  rnl_no_grad_begin();
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  rnl_no_grad_end();
  if (status != LUA_OK) return lua_error(L);
  return lua_gettop(L);
}

const luaL_Reg rnl_lua_tensor_make_functions[] = {{"tensor", make_tensor},
                                                  {"zeros", make_zeros},
                                                  {"ones", make_ones},
                                                  {"full", make_full},
                                                  {"eye", make_eye},
                                                  {"linspace", make_linspace},
                                                  {"arange", make_arange},
                                                  {"cat", make_cat},
                                                  {"stack", make_stack},
                                                  {"set_default_dtype", set_default_dtype},
                                                  {"get_default_dtype", get_default_dtype},
                                                  {"default_dtype", get_default_dtype},
                                                  {"is_tensor", is_tensor},
                                                  {"no_grad", no_grad},
                                                  {NULL, NULL}};
