/* app/face.c: see face.h. */
#include "app/face.h"

#include <lauxlib.h>

#include "app/output.h"
#include "app/signals.h"
#include "bind/lua_core.h"

typedef struct request {
  const char *module, *function;
  const rnl_args *args;
  void (*fill)(lua_State *L, const rnl_args *args);
} request;

static void set_flag(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

/* Runs protected: everything here may raise. Returns what the face's function returns. */
static int call_face(lua_State *L) {
  const request *r = lua_touserdata(L, 1);
  const rnl_args *args = r->args;
  lua_getglobal(L, "require");
  lua_pushstring(L, r->module);
  lua_call(L, 1, 1);
  lua_getfield(L, -1, r->function);
  lua_createtable(L, 0, 12);
  lua_createtable(L, args->setting_count, 0);
  for (int i = 0; i < args->setting_count; i++) {
    lua_pushstring(L, args->settings[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "overrides");
  lua_pushstring(L, args->results);
  lua_setfield(L, -2, "results");
  set_flag(L, "json", args->given & RNL_OPT_JSON);
  set_flag(L, "quiet", args->given & RNL_OPT_QUIET);
  set_flag(L, "plot", !(args->given & RNL_OPT_NO_PLOT));
  set_flag(L, "preview", args->given & RNL_OPT_PREVIEW);
  set_flag(L, "trust", args->given & RNL_OPT_TRUST);
  set_flag(L, "steps", args->given & RNL_OPT_STEPS);
  if (r->fill) r->fill(L, args);
  lua_call(L, 1, 1);
  return 1;
}

int rnl_face_call(const char *module, const char *function, const rnl_args *args,
                  void (*fill)(lua_State *L, const rnl_args *args)) {
  rnl_error err;
  lua_State *L;
  if (rnl_lua_new_state(&L, &rnl_stop_flag, &err) != RNL_OK) {
    rnl_complain("%s", err.text);
    return RNL_EXIT_FAILED;
  }
  request r = {module, function, args, fill};
  int code;
  lua_pushcfunction(L, call_face);
  lua_pushlightuserdata(L, &r);
  if (rnl_lua_call(L, 1, 1, &code, &err) != RNL_OK) {
    rnl_complain("%s", err.text);
  } else if (lua_isinteger(L, -1)) {
    code = (int)lua_tointeger(L, -1);
  } else {
    rnl_complain("%s.%s returned a %s instead of an exit code", module, function, luaL_typename(L, -1));
    code = RNL_EXIT_FAILED;
  }
  lua_close(L);
  return code;
}
