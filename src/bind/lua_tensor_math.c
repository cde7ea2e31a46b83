/* bind/lua_tensor_math.c: arithmetic, functions, reductions and products, as methods, operators and
 * functions of the module. All make new tensors and record where gradients are wanted. */
#include <math.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/ops.h"

/* ---- elementwise functions ------------------------------------------------------------------------ */

/* A number gives a number: exp(1). */
static int unary(lua_State *L, rnl_unary kind) {
  if (lua_type(L, 1) == LUA_TNUMBER) {
    rnl_var *x = rnl_lua_scalar(lua_tonumber(L, 1), RNL_F64), *y = NULL;
    rnl_error err = {.text = "out of memory"};
    rnl_status status = x ? rnl_apply(&rnl_op_unary, &kind, 1, &x, &y, &err) : RNL_ERR_MEMORY;
    rnl_var_release(x);
    rnl_lua_check(L, status, &err);
    lua_pushnumber(L, rnl_tensor_at(rnl_value(y), 0));
    rnl_var_release(y);
    return 1;
  }
  rnl_var *x = rnl_lua_check_var(L, 1);
  return rnl_lua_apply(L, &rnl_op_unary, &kind, 1, &x);
}

static int math_exp(lua_State *L) { return unary(L, RNL_UNARY_EXP); }
static int math_log(lua_State *L) { return unary(L, RNL_UNARY_LOG); }
static int math_sqrt(lua_State *L) { return unary(L, RNL_UNARY_SQRT); }
static int math_abs(lua_State *L) { return unary(L, RNL_UNARY_ABS); }
static int math_square(lua_State *L) { return unary(L, RNL_UNARY_SQUARE); }
static int math_sin(lua_State *L) { return unary(L, RNL_UNARY_SIN); }
static int math_cos(lua_State *L) { return unary(L, RNL_UNARY_COS); }
static int math_sign(lua_State *L) { return unary(L, RNL_UNARY_SIGN); }
static int math_tanh(lua_State *L) { return unary(L, RNL_UNARY_TANH); }
static int math_sigmoid(lua_State *L) { return unary(L, RNL_UNARY_SIGMOID); }
static int math_relu(lua_State *L) { return unary(L, RNL_UNARY_RELU); }
static int math_neg(lua_State *L) { return unary(L, RNL_UNARY_NEG); }

/* ---- operators ------------------------------------------------------------------------------------ */

/* f(a, b), where one of the two may be a number: it takes the other's dtype. */
static int binary(lua_State *L, rnl_binary kind, const char *sign) {
  rnl_error err = {.text = "out of memory"};
  rnl_var *in[2], *made = NULL;
  int number = 0;
  for (int i = 1; i <= 2; i++) {
    if (lua_type(L, i) == LUA_TNUMBER) number = i;
    else if (!luaL_testudata(L, i, RNL_LUA_TENSOR))
      return rnl_lua_fail(L, "%s %s %s: tensors and numbers are expected", rnl_lua_kind_of(L, 1), sign,
                          rnl_lua_kind_of(L, 2));
  }
  if (number) {
    double value = lua_tonumber(L, number);
    rnl_var *x = rnl_lua_check_var(L, 3 - number);
    if (kind == RNL_BINARY_POW && number == 2 && (value == 2 || value == 0.5)) {
      rnl_unary power = value == 2 ? RNL_UNARY_SQUARE : RNL_UNARY_SQRT;
      return rnl_lua_apply(L, &rnl_op_unary, &power, 1, &x);
    }
    rnl_var **box = rnl_lua_new_var(L);
    made = rnl_lua_scalar(value, rnl_value(x)->dtype);
    in[number - 1] = made;
    in[2 - number] = x;
    rnl_status status = made ? rnl_apply(&rnl_op_binary, &kind, 2, in, box, &err) : RNL_ERR_MEMORY;
    rnl_var_release(made);
    rnl_lua_check(L, status, &err);
    return rnl_lua_return_var(L);
  }
  in[0] = rnl_lua_check_var(L, 1);
  in[1] = rnl_lua_check_var(L, 2);
  return rnl_lua_apply(L, &rnl_op_binary, &kind, 2, in);
}

static int math_add(lua_State *L) { return binary(L, RNL_BINARY_ADD, "+"); }
static int math_sub(lua_State *L) { return binary(L, RNL_BINARY_SUB, "-"); }
static int math_mul(lua_State *L) { return binary(L, RNL_BINARY_MUL, "*"); }
static int math_div(lua_State *L) { return binary(L, RNL_BINARY_DIV, "/"); }
static int math_pow(lua_State *L) { return binary(L, RNL_BINARY_POW, "^"); }
static int math_minimum(lua_State *L) { return binary(L, RNL_BINARY_MIN, "minimum"); }
static int math_maximum(lua_State *L) { return binary(L, RNL_BINARY_MAX, "maximum"); }

/* ---- products ------------------------------------------------------------------------------------- */

static int math_mm(lua_State *L) {
  rnl_var *in[2] = {rnl_lua_check_var(L, 1), rnl_lua_check_var(L, 2)};
  return rnl_lua_apply(L, &rnl_op_mm, NULL, 2, in);
}

static int reduce(lua_State *L, rnl_var *x, int dim, bool keepdim, bool mean) {
  rnl_reduce_attrs attrs = {.dim = dim, .keepdim = keepdim, .mean = mean};
  return rnl_lua_apply(L, &rnl_op_reduce, &attrs, 1, &x);
}

static int math_dot(lua_State *L) {
  rnl_var *in[2] = {rnl_lua_check_var(L, 1), rnl_lua_check_var(L, 2)};
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  if (rnl_value(in[0])->ndim != 1 || rnl_value(in[1])->ndim != 1 ||
      rnl_value(in[0])->size[0] != rnl_value(in[1])->size[0])
    return rnl_lua_fail(L, "dot: %s and %s; two vectors of one length are expected",
                        rnl_tensor_shape_text(a, rnl_value(in[0])), rnl_tensor_shape_text(b, rnl_value(in[1])));
  rnl_binary kind = RNL_BINARY_MUL;
  rnl_lua_apply(L, &rnl_op_binary, &kind, 2, in);
  return reduce(L, rnl_lua_check_var(L, -1), -1, false, false);
}

/* ---- reductions ----------------------------------------------------------------------------------- */

/* (dim, keepdim) at arguments 2 and 3; -1 over everything */
static int check_reduction(lua_State *L, const rnl_tensor *t, bool *keepdim, const char *what) {
  *keepdim = false;
  if (lua_isnoneornil(L, 2)) return -1;
  if (!lua_isnoneornil(L, 3) && !lua_isboolean(L, 3)) rnl_lua_fail_arg(L, 3, "true or false (keepdim)");
  *keepdim = lua_toboolean(L, 3);
  return rnl_lua_check_dim(L, 2, t, 0, what);
}

static int math_sum(lua_State *L) {
  bool keepdim;
  rnl_var *x = rnl_lua_check_var(L, 1);
  int dim = check_reduction(L, rnl_value(x), &keepdim, "sum");
  return reduce(L, x, dim, keepdim, false);
}

static int math_mean(lua_State *L) {
  bool keepdim;
  rnl_var *x = rnl_lua_check_var(L, 1);
  int dim = check_reduction(L, rnl_value(x), &keepdim, "mean");
  return reduce(L, x, dim, keepdim, true);
}

static void apply_unary_to_top(lua_State *L, rnl_unary kind) {
  rnl_var *x = rnl_lua_check_var(L, -1);
  rnl_lua_apply(L, &rnl_op_unary, &kind, 1, &x);
}

/* Push sum (x - mean)^2 / (n - 1), along a dimension or over everything. */
static void push_variance(lua_State *L, const char *what) {
  bool keepdim;
  rnl_var *x = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(x);
  int dim = check_reduction(L, t, &keepdim, what);
  int64_t n = dim < 0 ? rnl_tensor_numel(t) : t->size[dim];
  reduce(L, x, dim, dim >= 0, true);
  rnl_binary minus = RNL_BINARY_SUB, times = RNL_BINARY_MUL;
  rnl_lua_apply(L, &rnl_op_binary, &minus, 2, (rnl_var *[]){x, rnl_lua_check_var(L, -1)});
  apply_unary_to_top(L, RNL_UNARY_SQUARE);
  reduce(L, rnl_lua_check_var(L, -1), dim, keepdim, false);
  rnl_lua_push_var(L, rnl_lua_scalar(1 / (double)(n - 1), t->dtype)); /* of one value: 0 · inf = nan */
  rnl_lua_apply(L, &rnl_op_binary, &times, 2, (rnl_var *[]){rnl_lua_check_var(L, -2), rnl_lua_check_var(L, -1)});
}

static int math_var(lua_State *L) {
  push_variance(L, "var");
  return 1;
}

static int math_std(lua_State *L) {
  push_variance(L, "std");
  apply_unary_to_top(L, RNL_UNARY_SQRT);
  return 1;
}

/* the square root of the sum of squares */
static int math_norm(lua_State *L) {
  bool keepdim;
  rnl_var *x = rnl_lua_check_var(L, 1);
  int dim = check_reduction(L, rnl_value(x), &keepdim, "norm");
  rnl_unary square = RNL_UNARY_SQUARE;
  rnl_lua_apply(L, &rnl_op_unary, &square, 1, &x);
  reduce(L, rnl_lua_check_var(L, -1), dim, keepdim, false);
  apply_unary_to_top(L, RNL_UNARY_SQRT);
  return 1;
}

/* The extreme along dimension dim at the other indices given, and its place; NaN wins. */
static double extreme_of(const rnl_tensor *t, int dim, int64_t *index, bool largest, int64_t *place) {
  double best = NAN;
  for (int64_t i = 0; i < t->size[dim]; i++) {
    index[dim] = i;
    double value = rnl_tensor_get(t, index);
    if (i == 0 || isnan(value) || (largest ? value > best : value < best)) best = value, *place = i;
    if (isnan(value)) break;
  }
  return best;
}

static int extreme(lua_State *L, bool largest, const char *what) {
  bool keepdim;
  char shape[RNL_SHAPE_TEXT];
  rnl_var *x = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(x);
  int dim = check_reduction(L, t, &keepdim, what);
  rnl_lua_check_source(L, x, what);
  if ((dim < 0 ? rnl_tensor_numel(t) : t->size[dim]) == 0)
    return rnl_lua_fail(L, "%s: a %s tensor has no elements", what, rnl_tensor_shape_text(shape, t));
  if (dim < 0) {
    double best = NAN;
    for (int64_t i = 0, n = rnl_tensor_numel(t); i < n; i++) {
      double value = rnl_tensor_at(t, i);
      if (i == 0 || isnan(value) || (largest ? value > best : value < best)) best = value;
      if (isnan(value)) break;
    }
    rnl_lua_push_var(L, rnl_lua_scalar(best, t->dtype));
    return 1;
  }
  /* along a dimension: the values, and their 1-based places */
  int64_t size[RNL_MAX_DIMS], index[RNL_MAX_DIMS] = {0};
  int ndim = 0;
  for (int d = 0; d < t->ndim; d++)
    if (d != dim || keepdim) size[ndim++] = d == dim ? 1 : t->size[d];
  rnl_tensor made;
  rnl_error err;
  for (int k = 0; k < 2; k++) {
    rnl_lua_check(L, rnl_tensor_new(&made, t->dtype, ndim, size, &err), &err);
    rnl_lua_push_tensor(L, &made);
  }
  const rnl_tensor *values = rnl_value(rnl_lua_check_var(L, -2)), *places = rnl_value(rnl_lua_check_var(L, -1));
  for (int64_t i = 0, n = rnl_tensor_numel(values); i < n; i++) {
    int64_t rest = i, place = 0;
    for (int d = t->ndim - 1; d >= 0; d--)
      if (d != dim) index[d] = rest % t->size[d], rest /= t->size[d];
    rnl_tensor_put(values, i, extreme_of(t, dim, index, largest, &place));
    rnl_tensor_put(places, i, (double)(place + 1));
  }
  return 2;
}

static int math_min(lua_State *L) { return extreme(L, false, "min"); }
static int math_max(lua_State *L) { return extreme(L, true, "max"); }

/* ---- the lists ------------------------------------------------------------------------------------ */

const luaL_Reg rnl_lua_tensor_math_methods[] = {
    {"exp", math_exp},       {"log", math_log},   {"sqrt", math_sqrt},       {"abs", math_abs},
    {"square", math_square}, {"sin", math_sin},   {"cos", math_cos},         {"sign", math_sign},
    {"tanh", math_tanh},     {"relu", math_relu}, {"sigmoid", math_sigmoid}, {"mm", math_mm},
    {"dot", math_dot},       {"sum", math_sum},   {"mean", math_mean},       {"var", math_var},
    {"std", math_std},       {"norm", math_norm}, {"min", math_min},         {"max", math_max},
    {"__add", math_add},     {"__sub", math_sub}, {"__mul", math_mul},       {"__div", math_div},
    {"__pow", math_pow},     {"__unm", math_neg}, {NULL, NULL}};

const luaL_Reg rnl_lua_tensor_math_functions[] = {
    {"exp", math_exp},       {"log", math_log},         {"sqrt", math_sqrt},       {"abs", math_abs},
    {"square", math_square}, {"sin", math_sin},         {"cos", math_cos},         {"sign", math_sign},
    {"tanh", math_tanh},     {"relu", math_relu},       {"sigmoid", math_sigmoid}, {"mm", math_mm},
    {"minimum", math_minimum}, {"maximum", math_maximum}, {NULL, NULL}};
