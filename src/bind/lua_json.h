/* bind/lua_json.h owns the way between Lua values and JSON (Jansson) values. */
#ifndef RNL_BIND_LUA_JSON_H
#define RNL_BIND_LUA_JSON_H

#include <jansson.h>
#include <lua.h>

/* Push the value: objects and arrays as tables (arrays marked, so that an empty one stays one), null as
 * core.json.null. Raises a Lua error where memory is out. */
void rnl_lua_json_push(lua_State *L, const json_t *value);

/* The value at `index` as JSON. It belongs to a userdata pushed on top of the stack: borrow it, or
 * json_incref it, before that is popped. Raises a one-line Lua error that names `what` for what JSON cannot
 * hold: functions, userdata, cycles, mixed keys. */
json_t *rnl_lua_json_check(lua_State *L, int index, const char *what);

#endif
