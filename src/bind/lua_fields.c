/* bind/lua_fields.c: reading option tables. */
#include "bind/lua_fields.h"

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"

double rnl_lua_number_field(lua_State *L, int table, const char *key, double fallback) {
  if (lua_isnoneornil(L, table)) return fallback;
  const int type = lua_getfield(L, table, key);
  if (type != LUA_TNIL && type != LUA_TNUMBER)
    rnl_lua_fail(L, "%s must be a number, not %s", key, rnl_lua_kind_of(L, -1));
  const double value = type == LUA_TNIL ? fallback : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *rnl_lua_text_field(lua_State *L, int table, const char *key, const char *fallback) {
  if (lua_isnoneornil(L, table)) return fallback;
  const int type = lua_getfield(L, table, key);
  if (type != LUA_TNIL && type != LUA_TSTRING)
    rnl_lua_fail(L, "%s must be a string, not %s", key, rnl_lua_kind_of(L, -1));
  const char *text = type == LUA_TNIL ? fallback : lua_tostring(L, -1);
  lua_pop(L, 1);
  return text;
}

rnl_var *rnl_lua_tensor_field(lua_State *L, int table, const char *key) {
  if (lua_getfield(L, table, key) == LUA_TNIL) return NULL;
  rnl_var *var = rnl_lua_test_var(L, -1);
  if (!var) rnl_lua_fail(L, "%s must be a tensor, not %s", key, rnl_lua_kind_of(L, -1));
  return var;
}
