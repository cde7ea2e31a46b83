/* bind/lua_error.h owns the one place where a failure becomes a Lua error.
 *
 * A Lua error of ours is one string, "script.lua:12: mm: (8, 3) and (4, 5) ...". Its position is the
 * innermost line of the *user's* Lua: functions whose chunk name begins with "=rnnlab" (the library's
 * own Lua side) and C functions are passed over. Raising jumps out of the calling C function, so
 * whatever it holds must already belong to the Lua stack or be released.
 */
#ifndef RNL_BIND_LUA_ERROR_H
#define RNL_BIND_LUA_ERROR_H

#include <lua.h>

#include "base/error.h"

/* Does nothing where status is RNL_OK; else raises err's text with the position before it. An
 * RNL_ERR_SCRIPT (its text has a position already) and an RNL_ERR_INTERRUPTED go unprefixed. */
void rnl_lua_check(lua_State *L, rnl_status status, const rnl_error *err);

/* Raise a message of one's own with the position before it. Never returns; `return rnl_lua_fail(...)`. */
int rnl_lua_fail(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Push "script.lua:12: ", or "" where no Lua function of the user's is running. */
void rnl_lua_push_where(lua_State *L);

/* Raise "mm: argument 1 is nil; a tensor is expected". The running C function gives the name, and
 * the argument is counted as the user wrote the call (after the colon of a method call). */
int rnl_lua_fail_arg(lua_State *L, int arg, const char *expected);

/* "a number", "a table", "nil", "nothing" or "a tensor": the kind of value at arg, for messages. */
const char *rnl_lua_kind_of(lua_State *L, int arg);

#endif
