/* bind/lua_noise.c owns the random ops of a training step as Lua functions. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_fields.h"
#include "bind/lua_tensor.h"
#include "rnn/noise.h"

/* What both read from their option table: seed, index, p, std. */
static rnl_noise_attrs options(lua_State *L, int table, const char *what) {
  luaL_checktype(L, table, LUA_TTABLE);
  const double index = rnl_lua_number_field(L, table, "index", 0), seed = rnl_lua_number_field(L, table, "seed", 1);
  if (!(index >= 0 && index < 4294967296.0) || index != floor(index))
    rnl_lua_fail(L, "%s: index must be a whole number from 0 to 4294967295", what);
  if (!(seed >= 0 && seed < 18446744073709551616.0))
    rnl_lua_fail(L, "%s: seed must be a whole number of at least 0", what);
  return (rnl_noise_attrs){.p = rnl_lua_number_field(L, table, "p", 0),
                           .scale = rnl_lua_number_field(L, table, "std", 1),
                           .seed = (uint64_t)seed,
                           .index = (uint32_t)index};
}

/* noise(kind, clock, like, options) -> tensor shaped as `like`: a tensor, or a table of sizes */
static int noise(lua_State *L) {
  rnl_error err;
  lua_settop(L, 4);
  rnl_noise_attrs attrs = options(L, 4, "noise");
  const char *kind = luaL_checkstring(L, 1);
  if (strcmp(kind, "keep") == 0) attrs.kind = RNL_NOISE_KEEP;
  else if (strcmp(kind, "normal") != 0) return rnl_lua_fail(L, "noise: no kind \"%s\"; there are normal, keep", kind);
  rnl_var *in[2] = {rnl_lua_check_var(L, 2), NULL};
  if (lua_istable(L, 3)) {
    attrs.dtype = rnl_lua_default_dtype(L);
    attrs.ndim = rnl_lua_check_sizes(L, 3, 3, "noise", attrs.size);
  } else {
    in[1] = rnl_lua_check_var(L, 3);
  }
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(&rnl_op_noise, &attrs, 2, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

/* dropout(x, clock, options) -> tensor */
static int dropout(lua_State *L) {
  rnl_error err;
  lua_settop(L, 3);
  rnl_noise_attrs attrs = options(L, 3, "dropout");
  rnl_var *in[2] = {rnl_lua_check_var(L, 1), rnl_lua_check_var(L, 2)};
  rnl_var **box = rnl_lua_new_var(L);
  rnl_lua_check(L, rnl_apply(&rnl_op_dropout, &attrs, 2, in, box, &err), &err);
  return rnl_lua_return_var(L);
}

int rnl_lua_open_noise(lua_State *L) {
  static const luaL_Reg functions[] = {{"noise", noise}, {"dropout", dropout}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
