/* bind/lua_record.h owns the recording of a training step by a Lua function: what it is given, and what its errors
 * become. */
#ifndef RNL_BIND_LUA_RECORD_H
#define RNL_BIND_LUA_RECORD_H

#include <lua.h>

#include "train/trainer.h"

#define RNL_LUA_TRAINER "rnnlab.Trainer"

/* The Lua type rnnlab.Trainer; it is at index 1 of every method. */
typedef struct rnl_lua_trainer {
  rnl_trainer *trainer;
  rnl_var **parameters; /* as the spec lists them; the trainer holds them */
  int n_parameters;
  lua_State *L;             /* the state of the call under way */
  rnl_batch *recording; /* while the step is recorded */
} rnl_lua_trainer;

/* User values of the box. */
enum { RNL_LUA_TRAINER_RECORD = 1, RNL_LUA_TRAINER_ERROR, RNL_LUA_TRAINER_PARAMETERS,
       RNL_LUA_TRAINER_VALUES = RNL_LUA_TRAINER_PARAMETERS };

/* A trainer's record function; its context is the box. Calls `record(x, y, extra) -> prediction, loss`, where extra
 * has every leaf by its name, and training, clock, steps, loss_from, beginning, and carry and carried where states are
 * carried. This happens inside a C call made from Lua, under a protected call; an error there is kept, as the very
 * value that was thrown, and raised again once the C call has unwound. */
rnl_status rnl_lua_record(void *context, rnl_batch *recording, rnl_var **prediction, rnl_var **loss,
                          rnl_error *err);

/* Raise what a failed call left: the script's own error as it was thrown, or ours. */
void rnl_lua_check_recorded(lua_State *L, rnl_status status, const rnl_error *err);

/* The set in the table at `table`: x, y, then the other tensors by name in sorted order. It borrows: the tensors live
 * as long as the table holds them, and the set is not to be released. */
void rnl_lua_read_set(lua_State *L, int table, const char *what, rnl_set *out);

#endif
