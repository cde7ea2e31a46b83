/* bind/lua_fields.h owns the reading of option tables: a field by its key, with a fallback, and one clear line
 * where it is of the wrong kind. A table that is nil or none has no fields. */
#ifndef RNL_BIND_LUA_FIELDS_H
#define RNL_BIND_LUA_FIELDS_H

#include <lua.h>

#include "grad/op.h"

/* The field as a number; "std must be a number, not a table". */
double rnl_lua_number_field(lua_State *L, int table, const char *key, double fallback);

/* The field as a string, which lives as long as the table holds it. */
const char *rnl_lua_text_field(lua_State *L, int table, const char *key, const char *fallback);

/* The field as a tensor, left on the stack; NULL (and nil on the stack) where there is none. */
rnl_var *rnl_lua_tensor_field(lua_State *L, int table, const char *key);

#endif
