/* app/face.c: see face.h. */
#include "app/face.h"

#include <lauxlib.h>
#include <stdio.h>

#include "app/output.h"
#include "app/signals.h"
#include "bind/lua_core.h"
#include "store/run.h"

typedef struct request {
  const char *module, *function;
  const rnl_args *args;
  void (*fill)(lua_State *L, const rnl_args *args);
} request;

static void set_flag(lua_State *L, const char *name, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, name);
}

/* t.words: the words behind the command. */
static void push_words(lua_State *L, const rnl_args *args) {
  lua_createtable(L, args->word_count, 0);
  for (int i = 0; i < args->word_count; i++) {
    lua_pushstring(L, args->words[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "words");
}

/* t.trial_timeout = 300 for "--trial-timeout 5m". */
static void push_given(lua_State *L, const rnl_given *given) {
  char key[48];
  snprintf(key, sizeof key, "%s", given->option->name);
  for (char *c = key; *c; c++)
    if (*c == '-') *c = '_';
  switch (given->option->kind) {
  case RNL_FLAG: lua_pushboolean(L, true); break;
  case RNL_TEXT: lua_pushstring(L, given->text); break;
  case RNL_WHOLE: case RNL_BYTES: lua_pushinteger(L, (lua_Integer)given->number); break;
  case RNL_REAL: case RNL_SECONDS: lua_pushnumber(L, given->number); break;
  }
  lua_setfield(L, -2, key);
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
  set_flag(L, "plot", !rnl_args_has(args, &rnl_option_no_plot));
  push_words(L, args);
  for (int i = 0; i < args->given_count; i++) push_given(L, &args->given[i]);
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

bool rnl_means_sweep(const rnl_args *args) {
  rnl_run_record record = {0};
  bool sweep = args->word_count > 0 &&
               rnl_store_find(&record, args->results, args->words[0], RNL_FIND_ANY, NULL) == RNL_OK && record.is_sweep;
  rnl_run_record_free(&record);
  return sweep;
}

int rnl_face_find(const rnl_args *args, int words, int kinds) {
  for (int i = 0; i < words; i++) {
    rnl_run_record record = {0};
    rnl_error err;
    rnl_status status = rnl_store_find(&record, args->results, args->words[i], kinds, &err);
    rnl_run_record_free(&record);
    if (status != RNL_OK) return rnl_exit_for(&err);
  }
  return RNL_EXIT_OK;
}
