/* bind/lua_core.c: the module rnnlab.core, Lua states for the commands, and calling into them. */
#include "bind/lua_core.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "bind/lua_box.h"
#include "bind/lua_sources.h"

static const lua_CFunction parts[] = {
  rnl_lua_open_tensor, rnl_lua_open_rng,  rnl_lua_open_rnn,   rnl_lua_open_noise,  rnl_lua_open_cell,
  rnl_lua_open_linalg,
  rnl_lua_open_sequence, rnl_lua_open_loss, rnl_lua_open_trace, rnl_lua_open_bench,
  rnl_lua_open_train, rnl_lua_open_ensemble,  rnl_lua_open_checkpoint, rnl_lua_open_plot,
  rnl_lua_open_json,   rnl_lua_open_host, rnl_lua_open_store, rnl_lua_open_format, rnl_lua_open_stop,
  rnl_lua_open_fresh, rnl_lua_open_sweep,
};

int luaopen_rnnlab_core(lua_State *L) {
  lua_createtable(L, 0, 128);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    lua_pushcfunction(L, parts[i]);
    lua_call(L, 0, 1);
    for (lua_pushnil(L); lua_next(L, -2);) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_settable(L, -5); /* core[key] = value; the key stays for lua_next */
    }
    lua_pop(L, 1);
  }
  lua_pushliteral(L, RNNLAB_VERSION);
  lua_setfield(L, -2, "version");
  return 1;
}

/* ---- the embedded modules --------------------------------------------------------------------- */

/* Compile text as the module `name` and call it as require does. The chunk name "=rnnlab.runner" is what
 * tells our own modules from scripts (lua_error.h, lua_stop.c). */
static int run_module(lua_State *L, const char *name, const char *text, size_t size) {
  const char *chunk = lua_pushfstring(L, "=%s", name);
  if (luaL_loadbufferx(L, text, size, chunk, "t") != LUA_OK) return lua_error(L);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  return 1;
}

/* Modules as compiled once, by their place in rnl_lua_sources: a state made after another of the same cache only
 * reads them. */
struct rnl_lua_cache {
  size_t count;
  rnl_buffer *compiled;
};

rnl_lua_cache *rnl_lua_cache_new(void) {
  rnl_lua_cache *cache = rnl_alloc(1, sizeof *cache);
  if (!cache) return NULL;
  while (rnl_lua_sources[cache->count].name) cache->count++;
  cache->compiled = rnl_alloc(cache->count, sizeof *cache->compiled);
  if (cache->compiled) return cache;
  rnl_free(cache);
  return NULL;
}

void rnl_lua_cache_free(rnl_lua_cache *cache) {
  if (!cache) return;
  for (size_t i = 0; i < cache->count; i++) rnl_buffer_free(&cache->compiled[i]);
  rnl_free(cache->compiled);
  rnl_free(cache);
}

static int keep_bytes(lua_State *L, const void *bytes, size_t size, void *buffer) {
  (void)L;
  rnl_buffer_append(buffer, bytes, size);
  return ((rnl_buffer *)buffer)->failed;
}

/* Upvalues: the source, the cache (may be NULL). */
static int load_embedded(lua_State *L) {
  const struct rnl_lua_source *source = lua_touserdata(L, lua_upvalueindex(1));
  rnl_lua_cache *cache = lua_touserdata(L, lua_upvalueindex(2));
  if (!cache) return run_module(L, source->name, source->text, source->size);
  rnl_buffer *compiled = &cache->compiled[source - rnl_lua_sources];
  const char *chunk = lua_pushfstring(L, "=%s", source->name);
  if (compiled->length > 0) {
    if (luaL_loadbufferx(L, compiled->data, compiled->length, chunk, "b") != LUA_OK) return lua_error(L);
  } else {
    if (luaL_loadbufferx(L, source->text, source->size, chunk, "t") != LUA_OK) return lua_error(L);
    if (lua_dump(L, keep_bytes, compiled, 0) != 0) rnl_buffer_free(compiled); /* the next one compiles it again */
  }
  lua_pushstring(L, source->name);
  lua_call(L, 1, 1);
  return 1;
}

static int load_from_folder(lua_State *L) {
  const char *name = lua_tostring(L, 1), *path = lua_tostring(L, 2);
  rnl_buffer *text = rnl_lua_box_buffer(L);
  rnl_error err;
  if (rnl_file_read(path, 1 << 24, text, &err) != RNL_OK) return luaL_error(L, "%s", err.text);
  return run_module(L, name, rnl_buffer_string(text), text->length);
}

/* A searcher for package.searchers: RNNLAB_LUA/rnnlab/runner.lua for "rnnlab.runner". */
static int search_folder(lua_State *L) {
  const char *folder = lua_tostring(L, lua_upvalueindex(1)), *name = luaL_checkstring(L, 1);
  if (strcmp(name, "rnnlab") != 0 && strncmp(name, "rnnlab.", 7) != 0) return 0;
  const char *stem = luaL_gsub(L, name, ".", "/");
  const char *path = lua_pushfstring(L, "%s/%s.lua", folder, stem);
  if (!rnl_path_exists(path)) path = lua_pushfstring(L, "%s/%s/init.lua", folder, stem);
  if (!rnl_path_exists(path)) return 0;
  lua_pushcfunction(L, load_from_folder);
  lua_pushstring(L, path);
  return 2;
}

static int set_up(lua_State *L) {
  const volatile int *stop = lua_touserdata(L, 1);
  rnl_lua_cache *cache = lua_touserdata(L, 2);
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_rnnlab_core);
  lua_setfield(L, -2, "rnnlab.core");
  for (const struct rnl_lua_source *source = rnl_lua_sources; source->name; source++) {
    lua_pushlightuserdata(L, (void *)source);
    lua_pushlightuserdata(L, cache);
    lua_pushcclosure(L, load_embedded, 2);
    lua_setfield(L, -2, source->name);
  }
  const char *folder = getenv("RNNLAB_LUA");
  if (folder && *folder) {
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "insert");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_replace(L, -2);
    lua_pushinteger(L, 1);
    lua_pushstring(L, folder);
    lua_pushcclosure(L, search_folder, 1);
    lua_call(L, 3, 0);
  }
  rnl_lua_set_stop_flag(L, stop);
  return 0;
}

rnl_status rnl_lua_new_state(lua_State **out, const volatile int *stop, rnl_error *err) {
  return rnl_lua_new_cached_state(out, stop, NULL, err);
}

rnl_status rnl_lua_new_cached_state(lua_State **out, const volatile int *stop, rnl_lua_cache *cache,
                                    rnl_error *err) {
  *out = NULL;
  lua_State *L = luaL_newstate();
  if (!L) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while making a Lua state");
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, (void *)stop);
  lua_pushlightuserdata(L, cache);
  int exit_code;
  rnl_status status = rnl_lua_call(L, 2, 0, &exit_code, err);
  if (status == RNL_OK) *out = L;
  else lua_close(L);
  return status;
}

/* ---- calling ---------------------------------------------------------------------------------- */

/* With RNNLAB_TRACEBACK=1 the way to the error is printed; the message itself goes on unchanged. */
static int on_error(lua_State *L) {
  const char *wanted = getenv("RNNLAB_TRACEBACK");
  if (wanted && *wanted && strcmp(wanted, "0") != 0) {
    luaL_traceback(L, L, NULL, 1);
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return 1;
}

/* One line of any text: what `require` tried is dropped, other line ends become "; ". */
static rnl_status fail_line(rnl_error *err, const char *text) {
  char line[RNL_ERROR_TEXT];
  size_t n = 0;
  for (const char *at = text; *at && n + 3 < sizeof line; at++) {
    if (*at == '\n' && strncmp(at, "\n\tno field", 10) == 0) break;
    if (*at == '\n') {
      while (at[1] == '\n' || at[1] == '\t' || at[1] == ' ') at++;
      if (at[1] == '\0') break;
      line[n++] = ';';
      line[n++] = ' ';
    } else {
      line[n++] = (unsigned char)*at < 0x20 || *at == 0x7F ? ' ' : *at;
    }
  }
  while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == ':')) n--;
  line[n] = '\0';
  return rnl_fail(err, RNL_ERR_SCRIPT, "%s", n ? line : "an error without a message");
}

/* Describe the error value at stack index 1: its exit code as result, its text pushed. Protected, since
 * __index, __tostring and pushing a string may raise. */
static int describe(lua_State *L) {
  int code = 1;
  if (lua_istable(L, 1)) {
    if (lua_getfield(L, 1, "exit") == LUA_TNUMBER) code = (int)lua_tointeger(L, -1);
    if (lua_getfield(L, 1, "message") == LUA_TSTRING) lua_replace(L, 1);
  }
  lua_settop(L, 1);
  luaL_tolstring(L, 1, NULL);
  lua_pushinteger(L, code);
  return 2;
}

rnl_status rnl_lua_call(lua_State *L, int arguments, int results, int *exit_code, rnl_error *err) {
  int base = lua_gettop(L) - arguments;
  *exit_code = 1;
  if (!lua_checkstack(L, 8)) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory in Lua");
  lua_pushcfunction(L, on_error);
  lua_insert(L, base);
  int status = lua_pcall(L, arguments, results, base);
  lua_remove(L, base);
  if (status == LUA_OK) {
    *exit_code = 0;
    return RNL_OK;
  }
  const volatile int *stop = rnl_lua_stop_flag(L);
  int signal = stop ? *stop : 0;
  if (signal) lua_sethook(L, NULL, 0, 0); /* describing the error must not be stopped in its turn */
  lua_pushcfunction(L, describe);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
    fail_line(err, "an error whose text could not be made");
    lua_pop(L, 1);
  } else {
    *exit_code = (int)lua_tointeger(L, -1);
    fail_line(err, lua_tostring(L, -2));
    lua_pop(L, 2);
  }
  if (signal) *exit_code = 128 + signal;
  return RNL_ERR_SCRIPT;
}
