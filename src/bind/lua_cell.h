/* bind/lua_cell.h owns the Lua type "rnnlab.Program": a userdata that holds one reference to a finished cell
 * program. */
#ifndef RNL_BIND_LUA_CELL_H
#define RNL_BIND_LUA_CELL_H

#include <lua.h>

#include "rnn/program.h"

#define RNL_LUA_PROGRAM "rnnlab.Program"

/* Push an empty box, to be filled by *box = program (the box then owns that reference). */
rnl_program **rnl_lua_new_program(lua_State *L);
rnl_program *rnl_lua_check_program(lua_State *L, int arg);

#endif
