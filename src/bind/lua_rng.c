/* bind/lua_rng.c: the Lua type "rnnlab.Rng", a random stream (seed, purpose, index). Draws are made in
 * double precision and rounded to the tensor's dtype, so that float32 and float64 see the same numbers. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"

static const struct {
  const char *name;
  rnl_rng_purpose purpose;
} purposes[] = {{"data", RNL_RNG_DATA},       {"init", RNL_RNG_INIT},     {"shuffle", RNL_RNG_SHUFFLE},
                {"dropout", RNL_RNG_DROPOUT}, {"script", RNL_RNG_SCRIPT}, {"user", RNL_RNG_USER}};

rnl_rng *rnl_lua_check_rng(lua_State *L, int arg) {
  rnl_rng *rng = luaL_testudata(L, arg, RNL_LUA_RNG);
  if (!rng) rnl_lua_fail_arg(L, arg, "a random stream");
  return rng;
}

static int rng_tostring(lua_State *L) {
  const rnl_rng *rng = rnl_lua_check_rng(L, 1);
  const char *name = "?";
  for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
    if ((uint32_t)purposes[i].purpose == rng->purpose) name = purposes[i].name;
  lua_pushfstring(L, "[random stream: seed %I, %s, %d]", (LUAI_UACINT)rng->seed, name, (int)rng->index);
  return 1;
}

/* ---- draws ---------------------------------------------------------------------------------------- */

/* A double below 1 may round to the float 1. */
static double uniform_in(rnl_rng *rng, rnl_dtype dtype) {
  double u = rnl_rng_uniform(rng);
  return dtype == RNL_F32 && (float)u >= 1 ? (double)nextafterf(1, 0) : u;
}

static int draw(lua_State *L, const char *what, double (*one)(rnl_rng *rng, rnl_dtype dtype)) {
  rnl_rng *rng = rnl_lua_check_rng(L, 1);
  rnl_dtype dtype = rnl_lua_default_dtype(L);
  int64_t size[RNL_MAX_DIMS];
  int top = lua_gettop(L);
  if (top == 1) { /* without sizes: a number, in double precision */
    lua_pushnumber(L, one(rng, RNL_F64));
    return 1;
  }
  if (lua_type(L, top) == LUA_TSTRING) dtype = rnl_lua_check_dtype(L, top--, what);
  int ndim = rnl_lua_check_sizes(L, 2, top, what, size);
  rnl_tensor made;
  rnl_error err;
  rnl_status status = rnl_tensor_new(&made, dtype, ndim, size, &err);
  if (status != RNL_OK) rnl_error_prefix(&err, "%s", what);
  rnl_lua_check(L, status, &err);
  for (int64_t i = 0, n = rnl_tensor_numel(&made); i < n; i++) {
    double value = one(rng, dtype);
    if (dtype == RNL_F64)
      rnl_f64(&made)[i] = value;
    else
      rnl_f32(&made)[i] = (float)value;
  }
  rnl_lua_push_tensor(L, &made);
  return 1;
}

static double normal_in(rnl_rng *rng, rnl_dtype dtype) {
  (void)dtype;
  return rnl_rng_normal(rng);
}

static int rng_uniform(lua_State *L) { return draw(L, "uniform", uniform_in); }
static int rng_normal(lua_State *L) { return draw(L, "normal", normal_in); }

static int rng_integer(lua_State *L) {
  rnl_rng *rng = rnl_lua_check_rng(L, 1);
  int64_t low = rnl_lua_check_whole(L, 2, INT64_MIN, INT64_MAX, "integer: the lowest value");
  int64_t high = rnl_lua_check_whole(L, 3, INT64_MIN, INT64_MAX, "integer: the highest value");
  if (high < low) return rnl_lua_fail(L, "integer: there is none from %" PRId64 " to %" PRId64, low, high);
  uint64_t span = (uint64_t)high - (uint64_t)low, step;
  if (span == UINT64_MAX) { /* all 64 bits; two words one after the other */
    step = rnl_rng_u32(rng);
    step |= (uint64_t)rnl_rng_u32(rng) << 32;
  } else {
    step = rnl_rng_below(rng, span + 1);
  }
  lua_pushinteger(L, (lua_Integer)((uint64_t)low + step));
  return 1;
}

/* The numbers 1..n in random order as a table of integers (Fisher and Yates, from the end). */
static int rng_permutation(lua_State *L) {
  rnl_rng *rng = rnl_lua_check_rng(L, 1);
  int64_t n = rnl_lua_check_whole(L, 2, 0, 10000000, "permutation: the number of elements");
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 1; i <= n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, i);
  }
  for (int64_t i = n; i > 1; i--) {
    int64_t k = 1 + (int64_t)rnl_rng_below(rng, (uint64_t)i);
    lua_rawgeti(L, -1, i);
    lua_rawgeti(L, -2, k);
    lua_rawseti(L, -3, i);
    lua_rawseti(L, -2, k);
  }
  return 1;
}

/* ---- making and opening --------------------------------------------------------------------------- */

void rnl_lua_push_rng(lua_State *L, uint64_t seed, rnl_rng_purpose purpose, uint32_t index) {
  luaL_checkstack(L, 4, "random stream");
  rnl_rng *rng = lua_newuserdatauv(L, sizeof *rng, 0);
  rnl_rng_init(rng, seed, purpose, index);
  luaL_setmetatable(L, RNL_LUA_RNG);
}

/* rng(seed, purpose, index) */
static int make_rng(lua_State *L) {
  int64_t seed = rnl_lua_check_whole(L, 1, INT64_MIN, INT64_MAX, "rng: the seed");
  rnl_rng_purpose purpose = RNL_RNG_USER;
  if (!lua_isnoneornil(L, 2)) {
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
    if (!name) return rnl_lua_fail(L, "rng: the purpose is %s; a name is expected", rnl_lua_kind_of(L, 2));
    purpose = 0;
    for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
      if (strcmp(purposes[i].name, name) == 0) purpose = purposes[i].purpose;
    if (!purpose)
      return rnl_lua_fail(L, "rng: there is no purpose '%.40s'; it is data, init, shuffle, dropout, script or user",
                          name);
  }
  int64_t index = lua_isnoneornil(L, 3) ? 0 : rnl_lua_check_whole(L, 3, 0, UINT32_MAX, "rng: the index");
  rnl_lua_push_rng(L, (uint64_t)seed, purpose, (uint32_t)index);
  return 1;
}

/* position() -> words drawn so far, the second of a pair of normal numbers where it waits */
static int rng_position(lua_State *L) {
  const rnl_rng *rng = rnl_lua_check_rng(L, 1);
  lua_pushinteger(L, (lua_Integer)rnl_rng_drawn(rng));
  if (!rng->has_spare) return 1;
  lua_pushnumber(L, rng->spare_normal);
  return 2;
}

/* seek(words, normal?): put it where position() said */
static int rng_seek(lua_State *L) {
  rnl_rng *rng = rnl_lua_check_rng(L, 1);
  const lua_Integer words = luaL_checkinteger(L, 2);
  rnl_rng_seek(rng, (uint64_t)words, !lua_isnoneornil(L, 3), luaL_optnumber(L, 3, 0));
  lua_settop(L, 1);
  return 1;
}

/* stream() -> seed, purpose, index: what rng() makes it from */
static int rng_stream(lua_State *L) {
  const rnl_rng *rng = rnl_lua_check_rng(L, 1);
  const char *name = "?";
  for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
    if ((uint32_t)purposes[i].purpose == rng->purpose) name = purposes[i].name;
  lua_pushinteger(L, (lua_Integer)rng->seed);
  lua_pushstring(L, name);
  lua_pushinteger(L, rng->index);
  return 3;
}

/* is_rng(value) */
static int is_rng(lua_State *L) {
  lua_pushboolean(L, luaL_testudata(L, 1, RNL_LUA_RNG) != NULL);
  return 1;
}

static const luaL_Reg methods[] = {{"uniform", rng_uniform},         {"normal", rng_normal},
                                   {"integer", rng_integer},         {"permutation", rng_permutation},
                                   {"position", rng_position},       {"seek", rng_seek},
                                   {"stream", rng_stream},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"rng", make_rng}, {"is_rng", is_rng}, {NULL, NULL}};

int rnl_lua_open_rng(lua_State *L) {
  luaL_newmetatable(L, RNL_LUA_RNG);
  lua_newtable(L); /* methods in a table of their own: rng.__index gives a script nothing */
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, rng_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
