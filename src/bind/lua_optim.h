/* bind/lua_optim.h owns the reading of optimisers and schedules from option tables. */
#ifndef RNL_BIND_LUA_OPTIM_H
#define RNL_BIND_LUA_OPTIM_H

#include <lua.h>

#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/method.h"

/* The table field `optimizer`: { kind = "adam", lr = .01, ... }. Raises where it is not there. */
rnl_optimizer_options rnl_lua_optimizer(lua_State *L, int table);
/* The table field `schedule`: { kind = "cosine", total = 1000, ... }; constant where it is nil. */
rnl_schedule rnl_lua_schedule(lua_State *L, int table);

/* The method that the optimizer table names, new; out->epoch stays NULL where its kind is an optimiser of the usual
 * kind. The caller releases it. */
void rnl_lua_method(lua_State *L, int table, int n_parameters, rnl_var *const *parameters, rnl_method *out);

#endif
