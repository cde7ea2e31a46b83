/* bind/lua_fresh.c: core.fresh_states, Lua states of their own for work that must not see what other work left behind:
 * the trials of a sweep.
 *
 * Only text goes in and comes out, so that nothing of one state is held by another. While the work runs it may ask its
 * maker: the function that it is given takes a text, calls `ask` in the state of the maker and gives its answer. */
#include <lauxlib.h>

#include <stdbool.h>

#include "bind/lua_core.h"
#include "bind/lua_error.h"

#define FRESH "rnnlab.FreshStates"

typedef struct fresh_box {
  rnl_lua_cache *cache;
} fresh_box;

static int fresh_gc(lua_State *L) {
  fresh_box *box = luaL_checkudata(L, 1, FRESH);
  rnl_lua_cache_free(box->cache);
  box->cache = NULL;
  return 0;
}

/* In the fresh state: ask(text) -> text. Upvalue: the state of the maker, where the function stands at index 4. */
static int ask_maker(lua_State *L) {
  lua_State *maker = lua_touserdata(L, lua_upvalueindex(1));
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  if (lua_type(maker, 4) != LUA_TFUNCTION || !lua_checkstack(maker, 6)) return luaL_error(L, "nobody is there to ask");
  int exit_code;
  rnl_error err;
  lua_pushvalue(maker, 4);
  lua_pushlstring(maker, text, length);
  if (rnl_lua_call(maker, 1, 1, &exit_code, &err) != RNL_OK) return luaL_error(L, "%s", err.text);
  const char *answer = lua_tolstring(maker, -1, &length);
  if (answer) lua_pushlstring(L, answer, length);
  else lua_pushnil(L);
  lua_pop(maker, 1);
  return 1;
}

typedef struct work {
  const char *module, *function, *text;
  size_t length;
  lua_State *maker;
} work;

static int do_work(lua_State *L) {
  const work *w = lua_touserdata(L, 1);
  lua_getglobal(L, "require");
  lua_pushstring(L, w->module);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, w->function);
  lua_pushlstring(L, w->text, w->length);
  lua_pushlightuserdata(L, w->maker);
  lua_pushcclosure(L, ask_maker, 1);
  lua_call(L, 2, 1);
  luaL_checkstring(L, -1);
  return 1;
}

/* call(module, function, text, ask?) -> text; raises what the work raises. */
static int fresh_call(lua_State *L) {
  fresh_box *box = luaL_checkudata(L, 1, FRESH);
  work w = {.module = luaL_checkstring(L, 2), .function = luaL_checkstring(L, 3), .maker = L};
  w.text = luaL_checklstring(L, 4, &w.length);
  lua_settop(L, 5);
  lua_rotate(L, 4, 1); /* the function to index 4, where ask_maker looks for it */
  rnl_error err;
  lua_State *fresh;
  rnl_lua_check(L, rnl_lua_new_cached_state(&fresh, rnl_lua_stop_flag(L), box->cache, &err), &err);
  int exit_code;
  lua_pushcfunction(fresh, do_work);
  lua_pushlightuserdata(fresh, &w);
  rnl_status status = rnl_lua_call(fresh, 1, 1, &exit_code, &err);
  if (status == RNL_OK) {
    size_t length;
    const char *answer = lua_tolstring(fresh, -1, &length);
    lua_pushlstring(L, answer, length); /* out of memory here loses the state, and the process is at its end anyway */
  }
  lua_close(fresh);
  rnl_lua_check(L, status, &err);
  return 1;
}

/* fresh_states() -> an object with call; what it compiles is kept for its next states. */
static int new_fresh_states(lua_State *L) {
  fresh_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (fresh_box){0};
  luaL_setmetatable(L, FRESH);
  box->cache = rnl_lua_cache_new();
  if (!box->cache) return rnl_lua_fail(L, "out of memory");
  return 1;
}

int rnl_lua_open_fresh(lua_State *L) {
  static const luaL_Reg methods[] = {{"call", fresh_call}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"fresh_states", new_fresh_states}, {NULL, NULL}};
  if (luaL_newmetatable(L, FRESH)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, fresh_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
