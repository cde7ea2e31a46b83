/* bind/lua_stop.c owns the stop flag as Lua sees it: a count hook that ends scripts once a signal has
 * set the flag.
 *
 * The hook's error may be caught by a pcall of the script's, so once the flag is set the count goes to 1
 * and the error comes again at the next instruction, until nothing of the script is left to catch it.
 * Coroutines inherit the hook of the thread that makes them. It never fires in rnnlab's own modules
 * (chunk names "=rnnlab..."), which have a run to close. Not reached: C functions that run long
 * (string.find with a bad pattern), and __gc metamethods and message handlers of xpcall that never
 * return (Lua turns hooks off in them); a second signal ends those. A count hook about doubles the time
 * of pure Lua loops; the numeric work is in C and pays nothing. */
#include <lauxlib.h>
#include <string.h>

#include "base/host.h"
#include "bind/lua_core.h"

enum { INSTRUCTIONS = 10000 }; /* between two looks at the flag: some 100 microseconds */

static const char flag_key, acknowledged_key, hold_key, seen_key; /* their addresses are the registry's keys */

const volatile int *rnl_lua_stop_flag(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &flag_key);
  const volatile int *flag = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return flag;
}

static int stop_signal(lua_State *L) {
  const volatile int *flag = rnl_lua_stop_flag(L);
  return flag ? *flag : 0;
}

static int acknowledged(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &acknowledged_key);
  int signal = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return signal;
}

static double number_at(lua_State *L, const void *key) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  const double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}
static void put_number(lua_State *L, const void *key, double value) {
  lua_pushnumber(L, value);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

/* A signal is there; may the script go on for now? So many seconds from when this was first asked. */
static bool on_hold(lua_State *L) {
  const double seconds = number_at(L, &hold_key);
  if (!(seconds > 0)) return false;
  const double now = rnl_time_monotonic(), seen = number_at(L, &seen_key);
  if (!(seen > 0)) put_number(L, &seen_key, now);
  return !(seen > 0) || now - seen < seconds;
}

static void stop_hook(lua_State *L, lua_Debug *ar) {
  if (!lua_checkstack(L, 4)) return;
  int signal = stop_signal(L);
  if (signal == 0 || acknowledged(L) == signal || on_hold(L)) {
    if (lua_gethookcount(L) != INSTRUCTIONS) lua_sethook(L, stop_hook, LUA_MASKCOUNT, INSTRUCTIONS);
    return;
  }
  if (lua_gethookcount(L) != 1) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
  lua_getinfo(L, "S", ar);
  if (strncmp(ar->source, "=rnnlab", 7) == 0) return;
  lua_pushfstring(L, "stopped by signal %d", signal);
  lua_error(L);
}

void rnl_lua_set_stop_flag(lua_State *L, const volatile int *flag) {
  lua_pushlightuserdata(L, (void *)flag);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &flag_key);
  if (flag) lua_sethook(L, stop_hook, LUA_MASKCOUNT, INSTRUCTIONS);
  else lua_sethook(L, NULL, 0, 0);
}

static int stop_requested(lua_State *L) {
  int signal = stop_signal(L);
  if (signal) lua_pushinteger(L, signal);
  else lua_pushnil(L);
  return 1;
}

static int stop_acknowledge(lua_State *L) {
  lua_pushinteger(L, stop_signal(L));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &acknowledged_key);
  return 0;
}

/* stop_hold(seconds?) */
static int stop_hold(lua_State *L) {
  put_number(L, &hold_key, luaL_optnumber(L, 1, 0));
  put_number(L, &seen_key, 0);
  return 0;
}

static const luaL_Reg functions[] = {
  {"stop_requested", stop_requested},
  {"stop_acknowledge", stop_acknowledge},
  {"stop_hold", stop_hold},
  {NULL, NULL},
};

int rnl_lua_open_stop(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
