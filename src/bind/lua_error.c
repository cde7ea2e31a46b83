/* bind/lua_error.c: the one place that raises Lua errors for failures of the core. */
#include "bind/lua_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bind/lua_tensor.h"

/* The library's own Lua modules are loaded under chunk names of this beginning. */
static const char own_chunks[] = "=rnnlab";

void rnl_lua_push_where(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && strncmp(ar.source, own_chunks, sizeof own_chunks - 1) != 0) {
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      return;
    }
  }
  lua_pushliteral(L, "");
}

static int raise_text(lua_State *L, const char *text) {
  rnl_lua_push_where(L);
  lua_pushstring(L, text);
  lua_concat(L, 2);
  return lua_error(L);
}

void rnl_lua_check(lua_State *L, rnl_status status, const rnl_error *err) {
  if (status == RNL_OK) return;
  if (status == RNL_ERR_SCRIPT || status == RNL_ERR_INTERRUPTED) {
    lua_pushstring(L, err->text);
    lua_error(L);
  }
  raise_text(L, err->text);
}

int rnl_lua_fail(lua_State *L, const char *format, ...) {
  char text[RNL_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return raise_text(L, text);
}

const char *rnl_lua_kind_of(lua_State *L, int arg) {
  switch (lua_type(L, arg)) {
    case LUA_TNONE: return "nothing";
    case LUA_TNIL: return "nil";
    case LUA_TBOOLEAN: return "a boolean";
    case LUA_TNUMBER: return "a number";
    case LUA_TSTRING: return "a string";
    case LUA_TTABLE: return "a table";
    case LUA_TFUNCTION: return "a function";
    case LUA_TTHREAD: return "a coroutine";
    default: break;
  }
  if (luaL_testudata(L, arg, RNL_LUA_TENSOR)) return "a tensor";
  if (luaL_testudata(L, arg, RNL_LUA_RNG)) return "a random stream";
  return "a userdata";
}

int rnl_lua_fail_arg(lua_State *L, int arg, const char *expected) {
  lua_Debug ar;
  const char *kind = rnl_lua_kind_of(L, arg);
  bool named = lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name;
  if (named && strcmp(ar.namewhat, "metamethod") == 0)
    return rnl_lua_fail(L, "tensor arithmetic with %s; %s is expected", kind, expected);
  if (named && strcmp(ar.namewhat, "method") == 0 && --arg == 0)
    return rnl_lua_fail(L, "%s: called on %s; %s is expected", ar.name, kind, expected);
  if (named) return rnl_lua_fail(L, "%s: argument %d is %s; %s is expected", ar.name, arg, kind, expected);
  return rnl_lua_fail(L, "argument %d is %s; %s is expected", arg, kind, expected);
}
