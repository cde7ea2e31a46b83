/* bind/lua_figure.h owns the reading of figure descriptions, as meta/plot.lua describes them, from Lua tables. */
#ifndef RNL_BIND_LUA_FIGURE_H
#define RNL_BIND_LUA_FIGURE_H

#include <lua.h>

#include "plot/figure.h"

/* Read the figure at the top of the stack into *slot, whose owner frees it, also where reading raises. `number` names
 * it in messages until its name is known. */
void rnl_lua_read_figure(lua_State *L, rnl_figure **slot, int number);

/* Read the series at the top of the stack, number k of its list, named `what` in messages. Its values and texts stay
 * on the stack above it and must stay there as long as the series is used. */
rnl_series rnl_lua_read_series(lua_State *L, int number, const char *what);

/* ---- fields of a description; `what` names the table in messages ---- */

/* Push table[key] where it is of the type; true then. Nothing is pushed where it is nil; another type raises. */
bool rnl_lua_push_field(lua_State *L, int table, const char *key, int type, const char *expected, const char *what);
/* The string stays on the stack, which keeps it alive; NULL (and nothing pushed) where there is none. */
const char *rnl_lua_push_text(lua_State *L, int table, const char *key, const char *what);
double rnl_lua_get_number(lua_State *L, int table, const char *key, double otherwise, const char *what);
bool rnl_lua_get_flag(lua_State *L, int table, const char *key, const char *what);
/* Push what[i] of the array at `table`, which must be a table. */
void rnl_lua_push_item(lua_State *L, int table, lua_Integer i, const char *what);

#endif
