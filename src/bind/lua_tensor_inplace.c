/* bind/lua_tensor_inplace.c: methods that change a tensor where it lies and return it, as Torch's do.
 * They are for data; a computed tensor refuses them, since its tape would no longer be true. */
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "bind/lua_tensor_parts.h"
#include "grad/elementwise.h"

static int return_self(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

static int tensor_fill(lua_State *L) {
  rnl_var *var = rnl_lua_check_writable(L, "fill");
  if (lua_type(L, 2) != LUA_TNUMBER) return rnl_lua_fail_arg(L, 2, "a number");
  rnl_tensor_fill(rnl_value(var), lua_tonumber(L, 2));
  return return_self(L);
}

static int tensor_zero(lua_State *L) {
  rnl_tensor_fill(rnl_value(rnl_lua_check_writable(L, "zero")), 0);
  return return_self(L);
}

static int tensor_copy(lua_State *L) {
  rnl_var *var = rnl_lua_check_writable(L, "copy");
  rnl_lua_assign(L, 2, rnl_value(var), "copy");
  return return_self(L);
}

/* y = f(y, alpha * x), where x is the number, tensor or nested tables at arg. */
static void change(lua_State *L, const char *what, rnl_binary kind, const rnl_tensor *y, double alpha, int arg) {
  char shape_x[RNL_SHAPE_TEXT], shape_y[RNL_SHAPE_TEXT];
  rnl_error err;
  rnl_var *var = rnl_lua_check_tensor_arg(L, arg, y->dtype, what);
  const rnl_tensor *x = rnl_value(var);
  rnl_lua_check_source(L, var, what);
  bool shared = x->storage == y->storage;
  if (x->dtype != y->dtype && x->ndim > 0)
    rnl_lua_fail(L, "%s: a %s tensor with a %s one; convert one of them with to()", what, rnl_dtype_name(y->dtype),
                 rnl_dtype_name(x->dtype));
  if (shared || alpha != 1 || x->dtype != y->dtype) { /* a copy that may be scaled */
    rnl_tensor made;
    rnl_lua_check(L, rnl_tensor_cast(&made, x, y->dtype, &err), &err);
    if (alpha != 1) rnl_scale_into(&made, alpha, &made, false);
    rnl_lua_push_tensor(L, &made);
    lua_replace(L, arg);
    x = rnl_value(rnl_lua_check_var(L, arg));
  }
  rnl_tensor wide;
  if (rnl_tensor_expand(&wide, x, y->ndim, y->size, NULL) != RNL_OK)
    rnl_lua_fail(L, "%s: a %s tensor does not fit %s in place", what, rnl_tensor_shape_text(shape_x, x),
                 rnl_tensor_shape_text(shape_y, y));
  uint64_t fpu = rnl_fpu_enter();
  rnl_binary_into(kind, y, &wide, y);
  rnl_fpu_leave(fpu);
  rnl_tensor_release(&wide);
}

/* y:add(x) and y:add(alpha, x) */
static int change_scaled(lua_State *L, const char *what, rnl_binary kind) {
  rnl_var *y = rnl_lua_check_writable(L, what);
  bool scaled = !lua_isnoneornil(L, 3);
  if (scaled && lua_type(L, 2) != LUA_TNUMBER) {
    /* PyTorch's order is the other way round; say so instead of guessing */
    return rnl_lua_fail(L, "%s: the factor before the tensor is %s; a number is expected, as in y:%s(2, x)", what,
                        rnl_lua_kind_of(L, 2), what);
  }
  lua_settop(L, 3);
  change(L, what, kind, rnl_value(y), scaled ? lua_tonumber(L, 2) : 1, scaled ? 3 : 2);
  return return_self(L);
}

static int change_plain(lua_State *L, const char *what, rnl_binary kind) {
  rnl_var *y = rnl_lua_check_writable(L, what);
  lua_settop(L, 2);
  change(L, what, kind, rnl_value(y), 1, 2);
  return return_self(L);
}

static int tensor_add(lua_State *L) { return change_scaled(L, "add", RNL_BINARY_ADD); }
static int tensor_sub(lua_State *L) { return change_scaled(L, "sub", RNL_BINARY_SUB); }
static int tensor_mul(lua_State *L) { return change_plain(L, "mul", RNL_BINARY_MUL); }
static int tensor_div(lua_State *L) { return change_plain(L, "div", RNL_BINARY_DIV); }

const luaL_Reg rnl_lua_tensor_inplace_methods[] = {{"fill", tensor_fill}, {"zero", tensor_zero},
                                                   {"copy", tensor_copy}, {"add", tensor_add},
                                                   {"sub", tensor_sub},   {"mul", tensor_mul},
                                                   {"div", tensor_div},   {NULL, NULL}};
