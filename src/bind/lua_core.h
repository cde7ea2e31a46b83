/* bind/lua_core.h owns the C module "rnnlab.core" and the making of Lua states for the commands.
 *
 * Every glue file exports `int rnl_lua_open_<part>(lua_State *L)`, which pushes one table of functions and
 * values and returns 1; luaopen_rnnlab_core merges them into the module's one table. */
#ifndef RNL_BIND_LUA_CORE_H
#define RNL_BIND_LUA_CORE_H

#include <lua.h>

#include "base/error.h"

/* The module. Also what `require "rnnlab.core"` calls in a plain Lua that found core.so. */
__attribute__((visibility("default"))) int luaopen_rnnlab_core(lua_State *L);

/* The parts, each in the file of its name. */
int rnl_lua_open_tensor(lua_State *L);
int rnl_lua_open_rng(lua_State *L);
int rnl_lua_open_rnn(lua_State *L);
int rnl_lua_open_noise(lua_State *L);
int rnl_lua_open_cell(lua_State *L);
int rnl_lua_open_sequence(lua_State *L);
int rnl_lua_open_linalg(lua_State *L); /* jvp, { linalg = {...} } */
int rnl_lua_open_loss(lua_State *L);
int rnl_lua_open_trace(lua_State *L);
int rnl_lua_open_bench(lua_State *L);
int rnl_lua_open_train(lua_State *L);
int rnl_lua_open_ensemble(lua_State *L);
int rnl_lua_open_checkpoint(lua_State *L); /* { checkpoint = {...} } */
int rnl_lua_open_plot(lua_State *L);
int rnl_lua_open_json(lua_State *L);   /* { json = {...} } */
int rnl_lua_open_store(lua_State *L);  /* { store = {...} } */
int rnl_lua_open_format(lua_State *L); /* { format = {...} } */
int rnl_lua_open_host(lua_State *L);   /* { host = {...} } */
int rnl_lua_open_stop(lua_State *L);   /* stop_requested, stop_acknowledge, stop_hold */
int rnl_lua_open_fresh(lua_State *L);  /* fresh_states */
int rnl_lua_open_sweep(lua_State *L);  /* { sweep = {...} } */
int rnl_lua_open_study(lua_State *L);  /* more of core.sweep */
int rnl_lua_open_sweep_folder(lua_State *L); /* and more */

/* A Lua state for the trusted face: the standard libraries, "rnnlab.core" and the embedded lua/rnnlab
 * modules preloaded (compiled at their first require). Where the environment's RNNLAB_LUA names a folder,
 * modules are read from there instead (RNNLAB_LUA/rnnlab/runner.lua), for work on them without a build.
 * `stop` (may be NULL) is the flag a signal handler sets to the signal's number; it must outlive the state.
 * Close with lua_close. ERR_MEMORY where there is none. */
rnl_status rnl_lua_new_state(lua_State **out, const volatile int *stop, rnl_error *err);

/* The same for somebody who makes many: the modules are compiled by the first state that requires them, and kept in
 * the cache. */
typedef struct rnl_lua_cache rnl_lua_cache;
rnl_lua_cache *rnl_lua_cache_new(void); /* NULL: out of memory */
void rnl_lua_cache_free(rnl_lua_cache *cache);
rnl_status rnl_lua_new_cached_state(lua_State **out, const volatile int *stop, rnl_lua_cache *cache, rnl_error *err);

/* ---- the stop flag (lua_stop.c) -------------------------------------------------------------- */

/* Store the flag in the registry and watch it: while *flag is not 0, code of scripts ends with an error
 * at its next instruction, also inside pcall and coroutines; rnnlab's own modules run on, so that the
 * run can be closed. NULL takes the watch away. */
void rnl_lua_set_stop_flag(lua_State *L, const volatile int *flag);

/* The flag, or NULL where none was set (a plain Lua). For trainers, which poll it each step. */
const volatile int *rnl_lua_stop_flag(lua_State *L);

/* ---- calling (lua_core.c) --------------------------------------------------------------------- */

/* Call the function below its `arguments` values, for `results` values. On failure nothing is left on
 * the stack and `err` holds one line (ERR_SCRIPT); *exit_code is the "exit" of a table error such as
 * lua/rnnlab/errors.lua makes, 128+n where the stop flag n ended the script, else 1. With
 * RNNLAB_TRACEBACK=1 in the environment a traceback goes to stderr first. */
rnl_status rnl_lua_call(lua_State *L, int arguments, int results, int *exit_code, rnl_error *err);

#endif
