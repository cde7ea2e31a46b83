/* bind/lua_format.c: core.format, tensors to and from npz, npy, safetensors and csv files. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_json.h"
#include "bind/lua_tensor.h"
#include "format/csv.h"
#include "format/npy.h"
#include "format/safetensors.h"

static void release_tensors(void *value) { rnl_tensors_free(value); }
static void release_tensor(void *value) { rnl_tensor_release(value); }
static void release_csv(void *value) { rnl_csv_free(value); }

static void add_tensor(lua_State *L, rnl_tensors *list, const char *name, int index) {
  rnl_var *var = rnl_lua_test_var(L, index);
  if (!var) rnl_lua_fail(L, "entry \"%s\" is a %s; a tensor is expected", name, luaL_typename(L, index));
  rnl_lua_check_readable(L, var, name);
  rnl_error err;
  rnl_lua_check(L, rnl_tensors_add(list, name, rnl_value(var), &err), &err);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The tensors at argument `arg`, { name = T } or { {name, T}, ... }, as a list in a box on the stack. */
static rnl_tensors *check_tensors(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  luaL_checkstack(L, 10, NULL);
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  lua_Integer n = (lua_Integer)lua_rawlen(L, arg);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, arg, i) != LUA_TTABLE || lua_rawgeti(L, -1, 1) != LUA_TSTRING)
      rnl_lua_fail(L, "entry %d is not { name, tensor }", (int)i);
    lua_rawgeti(L, -2, 2);
    add_tensor(L, list, lua_tostring(L, -2), -1);
    lua_pop(L, 3);
  }
  if (n > 0) return list;
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) rnl_lua_fail(L, "a tensor's name is a %s", luaL_typename(L, -2));
    count++;
  }
  const char **names = lua_newuserdatauv(L, (count ? count : 1) * sizeof *names, 0);
  count = 0;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) names[count++] = lua_tostring(L, -2);
  qsort(names, count, sizeof *names, compare_names);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, names[i]);
    lua_rawget(L, arg);
    add_tensor(L, list, names[i], -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return list;
}

/* Push { name = T } and, for the caller to return last, { names }. The tensors move out of the list. */
static void push_tensors(lua_State *L, rnl_tensors *list) {
  lua_createtable(L, 0, (int)list->count);
  lua_createtable(L, (int)list->count, 0);
  for (int64_t i = 0; i < list->count; i++) {
    lua_pushstring(L, list->items[i].name);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, i + 1);
    rnl_lua_push_tensor(L, &list->items[i].tensor);
    lua_rawset(L, -4);
  }
}

static int format_save_npz(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_error err;
  rnl_lua_check(L, rnl_npz_write(path, check_tensors(L, 2), &err), &err);
  return 0;
}

static int format_load_npz(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  rnl_error err;
  rnl_lua_check(L, rnl_npz_read(list, path, &err), &err);
  push_tensors(L, list);
  return 2;
}

static int format_save_npy(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_var *var = rnl_lua_check_var(L, 2);
  rnl_lua_check_readable(L, var, "save_npy");
  rnl_error err;
  rnl_lua_check(L, rnl_npy_write(path, rnl_value(var), &err), &err);
  return 0;
}

static int format_load_npy(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_tensor *tensor = rnl_lua_box(L, sizeof *tensor, release_tensor);
  rnl_error err;
  rnl_lua_check(L, rnl_npy_read(tensor, path, &err), &err);
  rnl_lua_push_tensor(L, tensor);
  return 1;
}

static int format_save_safetensors(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_settop(L, 3);
  rnl_tensors *list = check_tensors(L, 2);
  json_t *metadata = NULL;
  if (!lua_isnil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    metadata = rnl_lua_json_check(L, 3, "the metadata");
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) if (!json_is_string(value))
      return rnl_lua_fail(L, "metadata \"%s\" is not a string", key);
  }
  rnl_error err;
  rnl_lua_check(L, rnl_safetensors_write(path, list, metadata, &err), &err);
  return 0;
}

static int format_load_safetensors(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  json_t **metadata = rnl_lua_box_json(L);
  rnl_error err;
  rnl_lua_check(L, rnl_safetensors_read(list, metadata, path, &err), &err);
  push_tensors(L, list);
  rnl_lua_json_push(L, *metadata);
  lua_insert(L, -2);
  return 3;
}

static int format_load_csv(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  char delimiter = 0;
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_getfield(L, 2, "delimiter") != LUA_TNIL) {
      size_t length = 0;
      const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : "";
      if (length != 1) return rnl_lua_fail(L, "load_csv: delimiter must be one character");
      delimiter = text[0];
    }
  }
  rnl_csv *csv = rnl_lua_box(L, sizeof *csv, release_csv);
  rnl_error err;
  rnl_lua_check(L, rnl_csv_read(csv, path, delimiter, &err), &err);
  rnl_lua_push_tensor(L, &csv->data);
  if (!csv->names) return 1;
  lua_createtable(L, csv->columns, 0);
  for (int i = 0; i < csv->columns; i++) {
    lua_pushstring(L, csv->names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

static const luaL_Reg functions[] = {
  {"save_npz", format_save_npz},
  {"load_npz", format_load_npz},
  {"save_npy", format_save_npy},
  {"load_npy", format_load_npy},
  {"save_safetensors", format_save_safetensors},
  {"load_safetensors", format_load_safetensors},
  {"load_csv", format_load_csv},
  {NULL, NULL},
};

int rnl_lua_open_format(lua_State *L) {
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "format");
  return 1;
}
