/* bind/lua_tensor_shape.c: methods that ask for a tensor's shape or look at it differently. */
#include <inttypes.h>
#include <stdio.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/ops.h"

/* ---- asking --------------------------------------------------------------------------------------- */

static int push_list(lua_State *L, int n, const int64_t *values) {
  lua_createtable(L, n, 0);
  for (int d = 0; d < n; d++) {
    lua_pushinteger(L, values[d]);
    lua_rawseti(L, -2, d + 1);
  }
  return 1;
}

static int tensor_size(lua_State *L) {
  const rnl_tensor *t = rnl_value(rnl_lua_check_var(L, 1));
  if (lua_isnoneornil(L, 2)) return push_list(L, t->ndim, t->size);
  lua_pushinteger(L, t->size[rnl_lua_check_dim(L, 2, t, 0, "size")]);
  return 1;
}

static int tensor_stride(lua_State *L) {
  const rnl_tensor *t = rnl_value(rnl_lua_check_var(L, 1));
  if (lua_isnoneornil(L, 2)) return push_list(L, t->ndim, t->stride);
  lua_pushinteger(L, t->stride[rnl_lua_check_dim(L, 2, t, 0, "stride")]);
  return 1;
}

static int tensor_dim(lua_State *L) {
  lua_pushinteger(L, rnl_value(rnl_lua_check_var(L, 1))->ndim);
  return 1;
}

static int tensor_nelement(lua_State *L) {
  lua_pushinteger(L, rnl_tensor_numel(rnl_value(rnl_lua_check_var(L, 1))));
  return 1;
}

static int tensor_dtype(lua_State *L) {
  lua_pushstring(L, rnl_dtype_name(rnl_value(rnl_lua_check_var(L, 1))->dtype));
  return 1;
}

static int tensor_is_contiguous(lua_State *L) {
  lua_pushboolean(L, rnl_tensor_is_contiguous(rnl_value(rnl_lua_check_var(L, 1))));
  return 1;
}

static int tensor_length(lua_State *L) {
  const rnl_tensor *t = rnl_value(rnl_lua_check_var(L, 1));
  if (t->ndim == 0) return rnl_lua_fail(L, "#: a scalar has no first dimension");
  lua_pushinteger(L, t->size[0]);
  return 1;
}

/* ---- looking -------------------------------------------------------------------------------------- */

/* A view is an op, so that gradients pass through it. */
static int push_view(lua_State *L, rnl_var *var, const rnl_view_attrs *attrs) {
  return rnl_lua_apply(L, &rnl_op_view, attrs, 1, &var);
}

static int tensor_select(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  int dim = rnl_lua_check_dim(L, 2, t, 0, "select");
  int64_t index = rnl_lua_check_whole(L, 3, INT64_MIN, INT64_MAX, "select: the index");
  char shape[RNL_SHAPE_TEXT];
  if (index == 0 || index > t->size[dim] || index < -t->size[dim])
    return rnl_lua_fail(L, "select: %" PRId64 " is outside dimension %d of size %" PRId64 " of a %s tensor", index,
                        dim + 1, t->size[dim], rnl_tensor_shape_text(shape, t));
  rnl_view_attrs attrs = {.kind = RNL_VIEW_SELECT, .dim = dim,
                          .start = index > 0 ? index - 1 : t->size[dim] + index};
  return push_view(L, var, &attrs);
}

static int tensor_narrow(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  int dim = rnl_lua_check_dim(L, 2, t, 0, "narrow");
  int64_t start = rnl_lua_check_whole(L, 3, INT64_MIN, INT64_MAX, "narrow: the start");
  int64_t length = rnl_lua_check_whole(L, 4, 0, INT64_MAX, "narrow: the length");
  int64_t size = t->size[dim], first = start > 0 ? start - 1 : size + start;
  char shape[RNL_SHAPE_TEXT];
  if (start == 0 || first < 0 || first > size || length > size - first)
    return rnl_lua_fail(L, "narrow: %" PRId64 " from %" PRId64 " do not fit dimension %d of size %" PRId64
                        " of a %s tensor", length, start, dim + 1, size, rnl_tensor_shape_text(shape, t));
  rnl_view_attrs attrs = {.kind = RNL_VIEW_SLICE, .dim = dim, .start = first, .length = length, .step = 1};
  return push_view(L, var, &attrs);
}

static int tensor_transpose(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_TRANSPOSE,
                          .dim = rnl_lua_check_dim(L, 2, rnl_value(var), 0, "transpose"),
                          .dim2 = rnl_lua_check_dim(L, 3, rnl_value(var), 0, "transpose")};
  return push_view(L, var, &attrs);
}

static int tensor_t(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  char shape[RNL_SHAPE_TEXT];
  if (rnl_value(var)->ndim != 2)
    return rnl_lua_fail(L, "t: a matrix is expected, not a %s tensor; transpose(d1, d2) swaps any two dimensions",
                        rnl_tensor_shape_text(shape, rnl_value(var)));
  rnl_view_attrs attrs = {.kind = RNL_VIEW_TRANSPOSE, .dim = 0, .dim2 = 1};
  return push_view(L, var, &attrs);
}

/* Sizes in which one may be -1. */
static void check_view_sizes(lua_State *L, const char *what, rnl_view_attrs *attrs) {
  char name[96];
  bool table = lua_istable(L, 2);
  lua_Unsigned n = table ? lua_rawlen(L, 2) : (lua_Unsigned)(lua_gettop(L) - 1);
  if (table && lua_gettop(L) > 2) rnl_lua_fail(L, "%s: sizes either as numbers or as one table", what);
  if (n > RNL_MAX_DIMS)
    rnl_lua_fail(L, "%s: %" PRIu64 " sizes; at most %d dimensions are possible", what, (uint64_t)n, RNL_MAX_DIMS);
  attrs->ndim = (int)n;
  for (int d = 0; d < (int)n; d++) {
    snprintf(name, sizeof name, "%s: size %d", what, d + 1);
    if (table) lua_rawgeti(L, 2, d + 1);
    attrs->size[d] = rnl_lua_check_whole(L, table ? -1 : d + 2, -1, INT64_MAX, name);
    if (table) lua_pop(L, 1);
  }
}

static int tensor_view(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_RESHAPE};
  check_view_sizes(L, "view", &attrs);
  rnl_tensor probe; /* the op would copy where the strides forbid a view */
  rnl_error err;
  rnl_lua_check(L, rnl_tensor_view(&probe, rnl_value(var), attrs.ndim, attrs.size, &err), &err);
  rnl_tensor_release(&probe);
  return push_view(L, var, &attrs);
}

static int tensor_reshape(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_RESHAPE};
  check_view_sizes(L, "reshape", &attrs);
  return push_view(L, var, &attrs);
}

static int tensor_expand(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_EXPAND};
  check_view_sizes(L, "expand", &attrs);
  for (int d = 0; d < attrs.ndim; d++) { /* -1 keeps a size */
    int from = d - (attrs.ndim - t->ndim);
    if (attrs.size[d] == -1 && from >= 0) attrs.size[d] = t->size[from];
  }
  return push_view(L, var, &attrs);
}

static int tensor_squeeze(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_SQUEEZE, .dim = -1};
  if (!lua_isnoneornil(L, 2)) attrs.dim = rnl_lua_check_dim(L, 2, rnl_value(var), 0, "squeeze");
  return push_view(L, var, &attrs);
}

static int tensor_unsqueeze(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  char shape[RNL_SHAPE_TEXT];
  if (rnl_value(var)->ndim == RNL_MAX_DIMS)
    return rnl_lua_fail(L, "unsqueeze: a %s tensor has %d dimensions already; more are not possible",
                        rnl_tensor_shape_text(shape, rnl_value(var)), RNL_MAX_DIMS);
  rnl_view_attrs attrs = {.kind = RNL_VIEW_UNSQUEEZE,
                          .dim = rnl_lua_check_dim(L, 2, rnl_value(var), 1, "unsqueeze")};
  return push_view(L, var, &attrs);
}

static int tensor_unbind(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  if (t->ndim == 0) return rnl_lua_fail(L, "unbind: a scalar has no dimensions");
  int dim = lua_isnoneornil(L, 2) ? 0 : rnl_lua_check_dim(L, 2, t, 0, "unbind");
  int64_t n = t->size[dim];
  char shape[RNL_SHAPE_TEXT];
  if (n > 10000 || !lua_checkstack(L, (int)n + 8)) /* they all stand on Lua's stack */
    return rnl_lua_fail(L, "unbind: %" PRId64 " values from dimension %d of a %s tensor are too many; select() "
                        "them one by one", n, dim + 1, rnl_tensor_shape_text(shape, t));
  for (int64_t i = 0; i < n; i++) {
    rnl_view_attrs attrs = {.kind = RNL_VIEW_SELECT, .dim = dim, .start = i};
    push_view(L, var, &attrs);
  }
  return (int)n;
}

static int tensor_contiguous(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  if (!rnl_tensor_is_contiguous(rnl_value(var))) return rnl_lua_apply(L, &rnl_op_clone, NULL, 1, &var);
  lua_settop(L, 1);
  return 1;
}

static int tensor_clone(lua_State *L) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  return rnl_lua_apply(L, &rnl_op_clone, NULL, 1, &var);
}

const luaL_Reg rnl_lua_tensor_shape_methods[] = {{"size", tensor_size},
                                                 {"stride", tensor_stride},
                                                 {"dim", tensor_dim},
                                                 {"nelement", tensor_nelement},
                                                 {"numel", tensor_nelement},
                                                 {"dtype", tensor_dtype},
                                                 {"is_contiguous", tensor_is_contiguous},
                                                 {"select", tensor_select},
                                                 {"narrow", tensor_narrow},
                                                 {"transpose", tensor_transpose},
                                                 {"t", tensor_t},
                                                 {"view", tensor_view},
                                                 {"reshape", tensor_reshape},
                                                 {"expand", tensor_expand},
                                                 {"squeeze", tensor_squeeze},
                                                 {"unsqueeze", tensor_unsqueeze},
                                                 {"unbind", tensor_unbind},
                                                 {"contiguous", tensor_contiguous},
                                                 {"clone", tensor_clone},
                                                 {"__len", tensor_length},
                                                 {NULL, NULL}};
