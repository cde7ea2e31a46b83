/* bind/lua_tensor_index.c: t[i], t[{{}, {2, -1}, 1}] and assignment to them, in Torch's way: 1-based,
 * inclusive, negative from the end. A number selects and drops its dimension, a table keeps it:
 * {} whole, {k} one, {a, b} a range, {a, b, step}. */
#include <inttypes.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/ops.h"

typedef struct item {
  bool select;
  int64_t start, length, step; /* 0-based */
} item;

static int64_t whole_at_top(lua_State *L) {
  int whole = 0;
  if (lua_type(L, -1) != LUA_TNUMBER)
    rnl_lua_fail(L, "tensor index: %s cannot index a tensor", rnl_lua_kind_of(L, -1));
  lua_Integer value = lua_tointegerx(L, -1, &whole);
  if (!whole) rnl_lua_fail(L, "tensor index: %.14g is not a whole number", lua_tonumber(L, -1));
  return value;
}

static int outside(lua_State *L, const rnl_tensor *t, int dim, int64_t value) {
  char shape[RNL_SHAPE_TEXT];
  return rnl_lua_fail(L, "tensor index: %" PRId64 " is outside dimension %d of size %" PRId64 " of a %s tensor",
                      value, dim + 1, t->size[dim], rnl_tensor_shape_text(shape, t));
}

/* The number on top as a 0-based index of dimension dim; `past` allows the place after the last. */
static int64_t place_at_top(lua_State *L, const rnl_tensor *t, int dim, int64_t past) {
  int64_t value = whole_at_top(L), size = t->size[dim];
  if (value == 0 || value > size + past || value < -size) outside(L, t, dim, value);
  return value > 0 ? value - 1 : size + value;
}

/* A range is inclusive; one that ends just before it starts is empty (a series too short for its lag). */
static item item_at_top(lua_State *L, const rnl_tensor *t, int dim) {
  char shape[RNL_SHAPE_TEXT];
  item it = {.step = 1, .length = t->size[dim]};
  if (lua_type(L, -1) != LUA_TTABLE) {
    it.select = true;
    it.start = place_at_top(L, t, dim, 0);
    return it;
  }
  lua_Unsigned n = lua_rawlen(L, -1);
  if (n == 0) return it;
  if (n > 3)
    rnl_lua_fail(L, "tensor index: a range of %" PRIu64 " numbers for dimension %d; it is {first, last, step}",
                 (uint64_t)n, dim + 1);
  lua_rawgeti(L, -1, 1);
  it.start = place_at_top(L, t, dim, n > 1);
  int64_t first = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (n == 1) {
    it.length = 1;
    return it;
  }
  lua_rawgeti(L, -1, 2);
  int64_t last = whole_at_top(L), size = t->size[dim];
  int64_t end = last < 0 ? size + last : last - 1; /* 0-based, inclusive */
  lua_pop(L, 1);
  if (last > size || last < -size - 1) outside(L, t, dim, last);
  if (end < it.start - 1)
    rnl_lua_fail(L, "tensor index: the range {%" PRId64 ", %" PRId64 "} runs backwards in dimension %d of a %s "
                 "tensor", first, last, dim + 1, rnl_tensor_shape_text(shape, t));
  if (n == 3) {
    lua_rawgeti(L, -1, 3);
    it.step = whole_at_top(L);
    lua_pop(L, 1);
    if (it.step < 1) rnl_lua_fail(L, "tensor index: a step of %" PRId64 "; it must be at least 1", it.step);
  }
  it.length = end < it.start ? 0 : (end - it.start) / it.step + 1;
  return it;
}

/* The key at stack index 2 as one item for each of the first dimensions. */
static int items_of_key(lua_State *L, const rnl_tensor *t, item items[RNL_MAX_DIMS]) {
  char shape[RNL_SHAPE_TEXT];
  bool table = lua_istable(L, 2);
  lua_Unsigned n = table ? lua_rawlen(L, 2) : 1;
  if (!table && lua_type(L, 2) != LUA_TNUMBER)
    rnl_lua_fail(L, "tensor index: %s cannot index a tensor", rnl_lua_kind_of(L, 2));
  if (n > (lua_Unsigned)t->ndim && t->ndim == 0)
    rnl_lua_fail(L, "tensor index: a scalar has no dimensions; item() reads it");
  if (n > (lua_Unsigned)t->ndim)
    rnl_lua_fail(L, "tensor index: %" PRIu64 " indices for a %s tensor", (uint64_t)n,
                 rnl_tensor_shape_text(shape, t));
  luaL_checkstack(L, 8, "tensor index");
  for (int d = 0; d < (int)n; d++) {
    if (table)
      lua_rawgeti(L, 2, d + 1);
    else
      lua_pushvalue(L, 2);
    items[d] = item_at_top(L, t, d);
    lua_pop(L, 1);
  }
  return (int)n;
}

static bool whole_dim(const item *it, const rnl_tensor *t, int dim) {
  return !it->select && it->step == 1 && it->length == t->size[dim];
}

/* A borrowed view; the items were checked. */
static rnl_tensor viewed(const rnl_tensor *t, const item *items, int n) {
  rnl_tensor view = *t;
  int kept = 0;
  for (int d = 0; d < t->ndim; d++) {
    const item *it = &items[d];
    if (d < n && !whole_dim(it, t, d)) {
      view.layout = RNL_LAYOUT_STRIDED;
      if (it->length > 0 || it->select) view.offset += it->start * t->stride[d];
    }
    if (d < n && it->select) continue;
    view.size[kept] = d < n ? it->length : t->size[d];
    view.stride[kept] = t->stride[d] * (d < n && it->length > 1 ? it->step : 1);
    kept++;
  }
  view.ndim = kept;
  return view;
}

/* The same through ops, for the sake of gradients: a node for each dimension that is cut. */
static int push_view_nodes(lua_State *L, rnl_var *var, const item *items, int n) {
  lua_pushvalue(L, 1);
  int dropped = 0;
  for (int d = 0; d < n; d++) {
    rnl_view_attrs attrs = {.kind = items[d].select ? RNL_VIEW_SELECT : RNL_VIEW_SLICE,
                            .dim = d - dropped,
                            .start = items[d].start,
                            .length = items[d].length,
                            .step = items[d].step};
    if (whole_dim(&items[d], rnl_value(var), d)) continue;
    rnl_var *in = rnl_lua_check_var(L, -1);
    rnl_lua_apply(L, &rnl_op_view, &attrs, 1, &in);
    lua_remove(L, -2);
    if (items[d].select) dropped++;
  }
  return 1;
}

static int tensor_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING) { /* a method */
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
  }
  rnl_var *var = rnl_lua_check_var(L, 1);
  const rnl_tensor *t = rnl_value(var);
  item items[RNL_MAX_DIMS];
  int n = items_of_key(L, t, items), selected = 0;
  for (int d = 0; d < n; d++) selected += items[d].select;
  if (selected == t->ndim && n > 0) {
    rnl_lua_check_readable(L, var, "tensor index");
    rnl_tensor element = viewed(t, items, n);
    lua_pushnumber(L, rnl_tensor_get(&element, NULL));
    return 1;
  }
  if (rnl_lua_wants_node(var)) return push_view_nodes(L, var, items, n);
  rnl_tensor view = viewed(t, items, n);
  rnl_tensor held = rnl_tensor_ref(&view);
  rnl_lua_push_tensor(L, &held);
  return 1;
}

void rnl_lua_assign(lua_State *L, int arg, const rnl_tensor *dst, const char *what) {
  rnl_error err;
  char from[RNL_SHAPE_TEXT], to[RNL_SHAPE_TEXT];
  if (lua_type(L, arg) == LUA_TNUMBER) {
    rnl_tensor_fill(dst, lua_tonumber(L, arg));
    return;
  }
  rnl_var *source = rnl_lua_check_tensor_arg(L, arg, dst->dtype, what);
  rnl_lua_check_source(L, source, what);
  rnl_tensor wide;
  if (rnl_tensor_expand(&wide, rnl_value(source), dst->ndim, dst->size, NULL) != RNL_OK)
    rnl_lua_fail(L, "%s: a %s tensor does not fit %s", what, rnl_tensor_shape_text(from, rnl_value(source)),
                 rnl_tensor_shape_text(to, dst));
  rnl_status status = rnl_tensor_copy(dst, &wide, &err);
  rnl_tensor_release(&wide);
  rnl_lua_check(L, status, &err);
}

static int tensor_newindex(lua_State *L) {
  if (lua_type(L, 2) == LUA_TSTRING)
    return rnl_lua_fail(L, "a tensor has no field '%.40s' to set", lua_tostring(L, 2));
  rnl_var *var = rnl_lua_check_writable(L, "tensor assignment");
  item items[RNL_MAX_DIMS];
  int n = items_of_key(L, rnl_value(var), items);
  rnl_tensor view = viewed(rnl_value(var), items, n);
  rnl_lua_assign(L, 3, &view, "tensor assignment");
  return 0;
}

const luaL_Reg rnl_lua_tensor_index_methods[] = {
    {"__index", tensor_index}, {"__newindex", tensor_newindex}, {NULL, NULL}};
