/* bind/lua_tensor.c: the tensor userdata itself, its checks, and nested tables made into tensors. */
#include "bind/lua_tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor_parts.h"

/* ---- the state's own record ------------------------------------------------------------------ */

/* Lua's collector sees a few bytes for each tensor, whatever it holds; so the bytes are counted here
 * and a collection is asked for when many were made since the last. */
typedef struct tensor_state {
  rnl_dtype dtype;   /* of tensors made without one */
  size_t held, made; /* bytes in live boxes, and those made since the last collection */
} tensor_state;

enum { COLLECT_FROM = 64 << 20 };

static const char state_key;

static tensor_state *state_of(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key) != LUA_TUSERDATA) {
    tensor_state *made = lua_newuserdatauv(L, sizeof *made, 0);
    *made = (tensor_state){.dtype = RNL_F32};
    lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
    lua_remove(L, -2);
  }
  tensor_state *state = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return state;
}

rnl_dtype rnl_lua_default_dtype(lua_State *L) { return state_of(L)->dtype; }
void rnl_lua_set_default_dtype(lua_State *L, rnl_dtype dtype) { state_of(L)->dtype = dtype; }

/* ---- the box ---------------------------------------------------------------------------------- */

typedef struct tensor_box {
  rnl_var *var;   /* first: rnl_lua_new_var hands out its address. NULL: empty or closed */
  size_t counted; /* bytes counted for it in tensor_state.held */
} tensor_box;

rnl_var **rnl_lua_new_var(lua_State *L) {
  luaL_checkstack(L, 4, "too many tensors on the stack");
  tensor_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (tensor_box){0};
  luaL_setmetatable(L, RNL_LUA_TENSOR);
  return &box->var;
}

int rnl_lua_return_var(lua_State *L) {
  tensor_box *box = lua_touserdata(L, -1);
  const rnl_storage *storage = rnl_value(box->var)->storage;
  if (storage->references > 1) return 1; /* a view: its bytes are counted elsewhere */
  tensor_state *state = state_of(L);
  box->counted = storage->bytes;
  state->held += box->counted;
  state->made += box->counted;
  if (state->made > COLLECT_FROM && state->made > state->held / 2) {
    state->made = 0;
    lua_gc(L, LUA_GCCOLLECT);
  }
  return 1;
}

static int push_empty(lua_State *L) {
  rnl_lua_new_var(L);
  return 1;
}

void rnl_lua_push_var(lua_State *L, rnl_var *var) {
  if (!var) rnl_lua_fail(L, "out of memory for a tensor");
  int status = LUA_ERRMEM;
  if (lua_checkstack(L, 4)) {
    lua_pushcfunction(L, push_empty);
    status = lua_pcall(L, 0, 1, 0);
  }
  if (status != LUA_OK) {
    rnl_var_release(var);
    rnl_lua_fail(L, "out of memory for a tensor");
  }
  ((tensor_box *)lua_touserdata(L, -1))->var = var;
  rnl_lua_return_var(L);
}

void rnl_lua_push_tensor(lua_State *L, rnl_tensor *value) {
  rnl_lua_push_var(L, rnl_var_new(value, false));
}

rnl_var *rnl_lua_test_var(lua_State *L, int arg) {
  tensor_box *box = luaL_testudata(L, arg, RNL_LUA_TENSOR);
  return box ? box->var : NULL;
}

rnl_var *rnl_lua_check_var(lua_State *L, int arg) {
  tensor_box *box = luaL_testudata(L, arg, RNL_LUA_TENSOR);
  if (!box) rnl_lua_fail_arg(L, arg, "a tensor");
  if (!box->var) rnl_lua_fail(L, "the tensor has been closed");
  return box->var;
}

/* __gc and __close: idempotent. */
static int tensor_release(lua_State *L) {
  tensor_box *box = luaL_testudata(L, 1, RNL_LUA_TENSOR);
  if (!box || !box->var) return 0;
  rnl_var *var = box->var;
  box->var = NULL;
  state_of(L)->held -= box->counted;
  box->counted = 0;
  rnl_var_release(var);
  return 0;
}

/* ---- what may be read and written -------------------------------------------------------------- */

bool rnl_lua_tracked(const rnl_var *var) {
  if (var->requires_grad) return true;
  for (int i = 0; var->creator && i < var->creator->n_in; i++)
    if (var->creator->needs_grad[i]) return true;
  return false;
}

bool rnl_lua_wants_node(const rnl_var *var) { return rnl_recording() || rnl_lua_tracked(var); }

void rnl_lua_check_readable(lua_State *L, const rnl_var *var, const char *what) {
  if (rnl_recording() && var->creator)
    rnl_lua_fail(L, "%s: a value was read while the step is being recorded; a branch on values cannot be "
                 "traced", what);
}

rnl_var *rnl_lua_check_writable(lua_State *L, const char *what) {
  rnl_var *var = rnl_lua_check_var(L, 1);
  if (var->creator)
    rnl_lua_fail(L, "%s: in place on a computed tensor; make a new one instead (y = y + x), or change a "
                 "clone of y:detach()", what);
  return var;
}

void rnl_lua_check_source(lua_State *L, const rnl_var *var, const char *what) {
  rnl_lua_check_readable(L, var, what);
  if (var->creator && rnl_lua_tracked(var))
    rnl_lua_fail(L, "%s: the gradient of a computed tensor would be lost in place; make a new tensor instead, "
                 "or use detach()", what);
}

/* ---- numbers ----------------------------------------------------------------------------------- */

int64_t rnl_lua_check_whole(lua_State *L, int arg, int64_t low, int64_t high, const char *what) {
  int whole = 0;
  lua_Integer value = lua_type(L, arg) == LUA_TNUMBER ? lua_tointegerx(L, arg, &whole) : 0;
  if (lua_type(L, arg) != LUA_TNUMBER)
    rnl_lua_fail(L, "%s is %s; it must be a whole number", what, rnl_lua_kind_of(L, arg));
  if (!whole) rnl_lua_fail(L, "%s is %.14g; it must be a whole number", what, lua_tonumber(L, arg));
  if (value < low && high == INT64_MAX)
    rnl_lua_fail(L, "%s is %" PRId64 "; it must be at least %" PRId64, what, (int64_t)value, low);
  if (value < low || value > high)
    rnl_lua_fail(L, "%s is %" PRId64 "; it must be between %" PRId64 " and %" PRId64, what, (int64_t)value,
                 low, high);
  return value;
}

int rnl_lua_check_sizes(lua_State *L, int first, int last, const char *what, int64_t size[RNL_MAX_DIMS]) {
  char name[96];
  bool table = last >= first && lua_istable(L, first);
  if (table && last > first) rnl_lua_fail(L, "%s: sizes either as numbers or as one table", what);
  lua_Unsigned count = table ? lua_rawlen(L, first) : last >= first ? (lua_Unsigned)(last - first + 1) : 0;
  if (count > RNL_MAX_DIMS)
    rnl_lua_fail(L, "%s: %" PRIu64 " sizes; at most %d dimensions are possible", what, (uint64_t)count,
                 RNL_MAX_DIMS);
  for (int d = 0; d < (int)count; d++) {
    snprintf(name, sizeof name, "%s: size %d", what, d + 1);
    if (table) lua_rawgeti(L, first, d + 1);
    size[d] = rnl_lua_check_whole(L, table ? -1 : first + d, 0, INT64_MAX, name);
    if (table) lua_pop(L, 1);
  }
  return (int)count;
}

int rnl_lua_check_dim(lua_State *L, int arg, const rnl_tensor *t, int extra, const char *what) {
  char name[96], shape[RNL_SHAPE_TEXT];
  snprintf(name, sizeof name, "%s: the dimension", what);
  int64_t dim = rnl_lua_check_whole(L, arg, INT64_MIN, INT64_MAX, name);
  int64_t count = t->ndim + extra;
  if (dim == 0 || dim > count || dim < -count)
    rnl_lua_fail(L, "%s: there is no dimension %" PRId64 " in a %s tensor", what, dim,
                 rnl_tensor_shape_text(shape, t));
  return (int)(dim > 0 ? dim - 1 : count + dim);
}

rnl_dtype rnl_lua_check_dtype(lua_State *L, int arg, const char *what) {
  const char *name = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : NULL;
  if (name && (strcmp(name, "float32") == 0 || strcmp(name, "float") == 0)) return RNL_F32;
  if (name && (strcmp(name, "float64") == 0 || strcmp(name, "double") == 0)) return RNL_F64;
  if (name) rnl_lua_fail(L, "%s: there is no dtype '%.40s'; it is 'float32' or 'float64'", what, name);
  rnl_lua_fail(L, "%s: the dtype is %s; it must be 'float32' or 'float64'", what, rnl_lua_kind_of(L, arg));
  return RNL_F32;
}

rnl_var *rnl_lua_scalar(double value, rnl_dtype dtype) {
  rnl_tensor t;
  if (rnl_tensor_new(&t, dtype, 0, NULL, NULL) != RNL_OK) return NULL;
  rnl_tensor_put(&t, 0, value);
  return rnl_var_new(&t, false);
}

int rnl_lua_apply(lua_State *L, const rnl_op *op, const void *attrs, int n, rnl_var *const *in) {
  rnl_error err;
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(op, attrs, n, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

/* ---- nested tables ------------------------------------------------------------------------------ */

typedef struct nested {
  const char *what;
  rnl_tensor tensor; /* borrowed from the box */
  int64_t index[RNL_MAX_DIMS], written;
} nested;

static const char *place_text(char buffer[RNL_SHAPE_TEXT], const nested *n, int depth) {
  int64_t place[RNL_MAX_DIMS];
  for (int d = 0; d < depth; d++) place[d] = n->index[d] + 1;
  return rnl_shape_text(buffer, depth, place);
}

/* The table on top fills dimension `depth` on. */
static void nested_fill(lua_State *L, nested *n, int depth) {
  char place[RNL_SHAPE_TEXT];
  int64_t size = n->tensor.size[depth], length = (int64_t)lua_rawlen(L, -1);
  bool last = depth == n->tensor.ndim - 1;
  if (length != size && depth == 0) rnl_lua_fail(L, "%s: the table changed while it was read", n->what);
  if (length != size)
    rnl_lua_fail(L, "%s: row %s has %" PRId64 " entries, where the first has %" PRId64, n->what,
                 place_text(place, n, depth), length, size);
  for (int64_t i = 0; i < size; i++) {
    n->index[depth] = i;
    int type = lua_rawgeti(L, -1, i + 1);
    if (type != (last ? LUA_TNUMBER : LUA_TTABLE))
      rnl_lua_fail(L, "%s: entry %s is %s; %s is expected", n->what, place_text(place, n, depth + 1),
                   rnl_lua_kind_of(L, -1), last ? "a number" : "a table");
    if (last)
      rnl_tensor_put(&n->tensor, n->written++, lua_tonumber(L, -1));
    else
      nested_fill(L, n, depth + 1);
    lua_pop(L, 1);
  }
}

/* Push the tensor made of the nested tables at arg (an absolute index). */
static void push_nested(lua_State *L, int arg, rnl_dtype dtype, const char *what) {
  int64_t size[RNL_MAX_DIMS];
  int ndim = 0, top = lua_gettop(L);
  luaL_checkstack(L, 2 * RNL_MAX_DIMS + 8, "nested tables");
  lua_pushvalue(L, arg);
  while (lua_istable(L, -1)) { /* the first entries give the shape */
    if (ndim == RNL_MAX_DIMS)
      rnl_lua_fail(L, "%s: tables nested deeper than %d (or a table that holds itself)", what, RNL_MAX_DIMS);
    size[ndim] = (int64_t)lua_rawlen(L, -1);
    if (size[ndim++] == 0) break;
    lua_rawgeti(L, -1, 1);
  }
  lua_settop(L, top);

  rnl_error err;
  rnl_tensor made;
  rnl_var **box = rnl_lua_new_var(L);
  if (rnl_tensor_new(&made, dtype, ndim, size, &err) != RNL_OK) {
    rnl_error_prefix(&err, "%s", what);
    rnl_lua_check(L, err.status, &err);
  }
  *box = rnl_var_new(&made, false);
  if (!*box) rnl_lua_fail(L, "%s: out of memory", what);
  nested n = {.what = what, .tensor = *rnl_value(*box)};
  lua_pushvalue(L, arg);
  nested_fill(L, &n, 0);
  lua_pop(L, 1);
  rnl_lua_return_var(L);
}

rnl_var *rnl_lua_check_tensor_arg(lua_State *L, int arg, rnl_dtype dtype, const char *what) {
  arg = lua_absindex(L, arg);
  if (luaL_testudata(L, arg, RNL_LUA_TENSOR)) return rnl_lua_check_var(L, arg);
  if (lua_type(L, arg) == LUA_TNUMBER)
    rnl_lua_push_var(L, rnl_lua_scalar(lua_tonumber(L, arg), dtype));
  else if (lua_istable(L, arg))
    push_nested(L, arg, dtype, what);
  else
    rnl_lua_fail(L, "%s is %s; a tensor or nested tables of numbers are expected", what,
                 rnl_lua_kind_of(L, arg));
  lua_replace(L, arg);
  return rnl_lua_check_var(L, arg);
}

/* ---- opening ------------------------------------------------------------------------------------ */

static const luaL_Reg lifetime_methods[] = {
    {"__gc", tensor_release}, {"__close", tensor_release}, {NULL, NULL}};

int rnl_lua_open_tensor(lua_State *L) {
  state_of(L);
  luaL_newmetatable(L, RNL_LUA_TENSOR);
  luaL_setfuncs(L, lifetime_methods, 0);
  luaL_setfuncs(L, rnl_lua_tensor_shape_methods, 0);
  luaL_setfuncs(L, rnl_lua_tensor_value_methods, 0);
  luaL_setfuncs(L, rnl_lua_tensor_inplace_methods, 0);
  luaL_setfuncs(L, rnl_lua_tensor_math_methods, 0);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, rnl_lua_tensor_index_methods, 1); /* they look the methods up in their upvalue */
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, rnl_lua_tensor_make_functions, 0);
  luaL_setfuncs(L, rnl_lua_tensor_math_functions, 0);
  return 1;
}
