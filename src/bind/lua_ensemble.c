/* bind/lua_ensemble.c owns the Lua type "rnnlab.Ensemble": several trainers run side by side. */
#include <lauxlib.h>

#include "base/alloc.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_record.h"
#include "bind/lua_tensor.h"
#include "train/ensemble.h"

#define ENSEMBLE "rnnlab.Ensemble"

typedef struct ensemble_box {
  rnl_ensemble *ensemble;
  int n;
} ensemble_box;

static int ensemble_gc(lua_State *L) {
  ensemble_box *box = luaL_checkudata(L, 1, ENSEMBLE);
  rnl_ensemble_free(box->ensemble);
  box->ensemble = NULL;
  return 0;
}

static ensemble_box *check_ensemble(lua_State *L) {
  ensemble_box *box = luaL_checkudata(L, 1, ENSEMBLE);
  if (!box->ensemble) rnl_lua_fail(L, "the ensemble is closed");
  return box;
}

/* Every member's trainer has to be open still: scripts may close one. */
static void check_members(lua_State *L, const ensemble_box *box) {
  lua_getiuservalue(L, 1, 1);
  for (int i = 1; i <= box->n; i++) {
    lua_rawgeti(L, -1, i);
    const rnl_lua_trainer *member = luaL_checkudata(L, -1, RNL_LUA_TRAINER);
    if (!member->trainer) rnl_lua_fail(L, "the trainer of model %d is closed", i);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* ensemble(trainers, threads?) -> Ensemble */
static int new_ensemble(lua_State *L) {
  rnl_error err;
  luaL_checktype(L, 1, LUA_TTABLE);
  const int64_t threads = lua_isnoneornil(L, 2) ? 1 : rnl_lua_check_whole(L, 2, 1, 4096, "threads");
  const lua_Integer n = luaL_len(L, 1);
  if (n < 1 || n > 100000) return rnl_lua_fail(L, "ensemble: a list of trainers is expected");
  lua_settop(L, 1);
  rnl_trainer **trainers = lua_newuserdatauv(L, (size_t)n * sizeof *trainers, 0);
  lua_createtable(L, (int)n, 0); /* a list of our own, which the script cannot change */
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, 1, i);
    const rnl_lua_trainer *member = luaL_checkudata(L, -1, RNL_LUA_TRAINER);
    if (!member->trainer) return rnl_lua_fail(L, "ensemble: trainer %d is closed", (int)i);
    trainers[i - 1] = member->trainer;
    lua_rawseti(L, 3, i);
  }
  ensemble_box *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (ensemble_box){.n = (int)n};
  luaL_setmetatable(L, ENSEMBLE);
  rnl_lua_check(L, rnl_ensemble_new(&box->ensemble, (int)n, trainers, (int)threads, &err), &err);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static const char *const reasons[] = {"epochs", "time", "interrupted", "diverged", "stopped", NULL};

/* run(until_epoch, max_seconds?) -> reason */
static int ensemble_run(lua_State *L) {
  ensemble_box *box = check_ensemble(L);
  const int64_t until = rnl_lua_check_whole(L, 2, 0, INT64_MAX, "epochs");
  const double seconds = luaL_optnumber(L, 3, 0);
  rnl_train_reason reason;
  rnl_error err;
  lua_settop(L, 1);
  check_members(L, box);
  rnl_lua_check(L, rnl_ensemble_run(box->ensemble, until, seconds, &reason, &err), &err);
  lua_pushstring(L, reasons[reason]);
  return 1;
}

/* reasons() -> why each member stands where it stands */
static int ensemble_reasons(lua_State *L) {
  ensemble_box *box = check_ensemble(L);
  lua_createtable(L, box->n, 0);
  for (int i = 0; i < box->n; i++) {
    lua_pushstring(L, reasons[rnl_ensemble_reason(box->ensemble, i)]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* seconds() -> wall time spent in run so far */
static int ensemble_seconds(lua_State *L) {
  lua_pushnumber(L, rnl_ensemble_seconds(check_ensemble(L)->ensemble));
  return 1;
}

/* resume(reasons, seconds): what reasons() and seconds() gave when a checkpoint was written; the members' trainers have
 * been restored */
static int ensemble_resume(lua_State *L) {
  ensemble_box *box = check_ensemble(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  for (int i = 0; i < box->n; i++) {
    lua_rawgeti(L, 2, i + 1);
    rnl_ensemble_set_reason(box->ensemble, i, (rnl_train_reason)luaL_checkoption(L, -1, NULL, reasons));
    lua_pop(L, 1);
  }
  rnl_ensemble_set_seconds(box->ensemble, luaL_checknumber(L, 3));
  return 0;
}

int rnl_lua_open_ensemble(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run", ensemble_run}, {"reasons", ensemble_reasons}, {"seconds", ensemble_seconds},
      {"resume", ensemble_resume}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"ensemble", new_ensemble}, {NULL, NULL}};
  if (luaL_newmetatable(L, ENSEMBLE)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, ensemble_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, ensemble_gc);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, false); /* scripts cannot reach __gc */
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
