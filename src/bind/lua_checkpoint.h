/* bind/lua_checkpoint.h: the methods of rnnlab.Trainer that stand in lua_checkpoint.c. */
#ifndef RNL_BIND_LUA_CHECKPOINT_H
#define RNL_BIND_LUA_CHECKPOINT_H

#include "bind/lua_record.h"

int rnl_lua_trainer_checkpoint(lua_State *L); /* checkpoint(path, text?) -> bytes */
int rnl_lua_trainer_restore(lua_State *L);    /* restore(path) -> text */

/* The trainer at the index; raises where it is none or closed. */
rnl_lua_trainer *rnl_lua_check_trainer(lua_State *L, int index);

#endif
