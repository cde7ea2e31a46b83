/* bind/lua_checkpoint.c owns checkpoint files: the states of trainers, tensors of the script's and a text, as one
 * safetensors file that is replaced atomically and durably. Trainer K's tensors are called "K/..."
 * (train/checkpoint.h), the others "tensor/N"; the text stands in the metadata. */
#include "bind/lua_checkpoint.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "format/safetensors.h"
#include "train/checkpoint.h"

#define CHECKPOINT "rnnlab.Checkpoint"
#define TEXT_KEY "rnnlab.checkpoint"

static void release_tensors(void *value) { rnl_tensors_free(value); }

/* ---- writing -------------------------------------------------------------------------------- */

/* Rename the entries from `first` on: "K/" before each. */
static void put_prefix(lua_State *L, rnl_tensors *list, int64_t first, int k) {
  char name[160];
  for (int64_t i = first; i < list->count; i++) {
    snprintf(name, sizeof name, "%d/%s", k, list->items[i].name);
    char *copy = rnl_strdup(name);
    if (!copy) luaL_error(L, "out of memory");
    rnl_free(list->items[i].name);
    list->items[i].name = copy;
  }
}

static void add_trainer(lua_State *L, rnl_tensors *list, int index, int k) {
  rnl_error err;
  const int64_t first = list->count;
  rnl_lua_check(L, rnl_trainer_save(rnl_lua_check_trainer(L, index)->trainer, list, &err), &err);
  put_prefix(L, list, first, k);
}

/* Returns the bytes written, as an integer on the stack. */
static int write_file(lua_State *L, const char *path, const rnl_tensors *list, const char *text, size_t length,
                      rnl_durability how) {
  rnl_error err;
  json_t **metadata = rnl_lua_box_json(L);
  rnl_buffer *bytes = rnl_lua_box_buffer(L);
  *metadata = json_pack("{s:s%}", TEXT_KEY, text, length);
  if (!*metadata) return rnl_lua_fail(L, "%s: the checkpoint's text is not UTF-8", path);
  rnl_status status = rnl_safetensors_encode(bytes, list, *metadata, &err);
  if (status != RNL_OK) rnl_error_prefix(&err, "%s", path);
  else status = rnl_file_write(path, bytes->data, bytes->length, how, &err);
  rnl_lua_check(L, status, &err);
  lua_pushinteger(L, (lua_Integer)bytes->length);
  return 1;
}

/* checkpoint.write(path, trainers, tensors, text, quick?) -> bytes */
static int checkpoint_write(lua_State *L) {
  size_t length;
  char name[48];
  rnl_error err;
  const char *path = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 4, &length);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  const rnl_durability how = lua_toboolean(L, 5) ? RNL_QUICK : RNL_DURABLE;
  lua_settop(L, 4);
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  const int trainers = (int)lua_rawlen(L, 2), tensors = (int)lua_rawlen(L, 3);
  for (int k = 1; k <= trainers; k++) {
    lua_rawgeti(L, 2, k);
    add_trainer(L, list, lua_gettop(L), k);
    lua_pop(L, 1);
  }
  for (int i = 1; i <= tensors; i++) {
    lua_rawgeti(L, 3, i);
    rnl_var *var = rnl_lua_check_var(L, -1);
    rnl_lua_check_readable(L, var, "a checkpoint");
    snprintf(name, sizeof name, "tensor/%d", i);
    rnl_lua_check(L, rnl_tensors_append(list, name, rnl_value(var), &err), &err);
    lua_pop(L, 1);
  }
  return write_file(L, path, list, text, length, how);
}

int rnl_lua_trainer_checkpoint(lua_State *L) {
  size_t length;
  const char *path = luaL_checkstring(L, 2), *text = luaL_optlstring(L, 3, "", &length);
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  add_trainer(L, list, 1, 1);
  return write_file(L, path, list, text, length, RNL_DURABLE);
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct checkpoint_box {
  rnl_tensors tensors;
  json_t *metadata;
  char *path;
} checkpoint_box;

static int checkpoint_gc(lua_State *L) {
  checkpoint_box *box = luaL_checkudata(L, 1, CHECKPOINT);
  rnl_tensors_free(&box->tensors);
  json_decref(box->metadata);
  rnl_free(box->path);
  *box = (checkpoint_box){0};
  return 0;
}

static checkpoint_box *check_checkpoint(lua_State *L) {
  checkpoint_box *box = luaL_checkudata(L, 1, CHECKPOINT);
  if (!box->path) rnl_lua_fail(L, "the checkpoint is closed");
  return box;
}

static checkpoint_box *read_file(lua_State *L, const char *path) {
  rnl_error err;
  checkpoint_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (checkpoint_box){0};
  luaL_setmetatable(L, CHECKPOINT);
  box->path = rnl_strdup(path);
  if (!box->path) luaL_error(L, "out of memory");
  rnl_lua_check(L, rnl_safetensors_read(&box->tensors, &box->metadata, path, &err), &err);
  if (!json_is_string(json_object_get(box->metadata, TEXT_KEY)))
    rnl_lua_fail(L, "%s: is no checkpoint of rnnlab", path);
  return box;
}

/* The entries "K/..." as a list of their own, without the prefix. */
static void tensors_of(lua_State *L, const checkpoint_box *box, int k, rnl_tensors *out) {
  char prefix[16];
  rnl_error err;
  const size_t n = (size_t)snprintf(prefix, sizeof prefix, "%d/", k);
  for (int64_t i = 0; i < box->tensors.count; i++) {
    const rnl_named_tensor *item = &box->tensors.items[i];
    if (strncmp(item->name, prefix, n) != 0) continue;
    rnl_lua_check(L, rnl_tensors_append(out, item->name + n, &item->tensor, &err), &err);
  }
}

static void restore(lua_State *L, const checkpoint_box *box, rnl_lua_trainer *trainer, int k) {
  rnl_error err;
  rnl_tensors *list = rnl_lua_box(L, sizeof *list, release_tensors);
  tensors_of(L, box, k, list);
  rnl_status status = rnl_trainer_load(trainer->trainer, list, &err);
  if (status != RNL_OK) rnl_error_prefix(&err, "%s", box->path);
  rnl_lua_check(L, status, &err);
  rnl_lua_box_release(L, -1);
  lua_pop(L, 1);
}

static int push_text(lua_State *L, const checkpoint_box *box) {
  const json_t *text = json_object_get(box->metadata, TEXT_KEY);
  lua_pushlstring(L, json_string_value(text), json_string_length(text));
  return 1;
}

int rnl_lua_trainer_restore(lua_State *L) {
  rnl_lua_trainer *trainer = rnl_lua_check_trainer(L, 1);
  const checkpoint_box *box = read_file(L, luaL_checkstring(L, 2));
  restore(L, box, trainer, 1);
  return push_text(L, box);
}

/* checkpoint.read(path) -> Checkpoint */
static int checkpoint_read(lua_State *L) {
  read_file(L, luaL_checkstring(L, 1));
  return 1;
}

static int checkpoint_text(lua_State *L) { return push_text(L, check_checkpoint(L)); }

/* restore(trainer, k?): trainer's state becomes that of the k-th that was written */
static int checkpoint_restore(lua_State *L) {
  const checkpoint_box *box = check_checkpoint(L);
  rnl_lua_trainer *trainer = rnl_lua_check_trainer(L, 2);
  restore(L, box, trainer, lua_isnoneornil(L, 3) ? 1 : (int)rnl_lua_check_whole(L, 3, 1, INT32_MAX, "restore: k"));
  return 0;
}

/* tensors() -> the list that was written; they are the caller's own */
static int checkpoint_tensors(lua_State *L) {
  rnl_error err;
  const checkpoint_box *box = check_checkpoint(L);
  lua_newtable(L);
  for (int64_t i = 0; i < box->tensors.count; i++) {
    const rnl_named_tensor *item = &box->tensors.items[i];
    if (strncmp(item->name, "tensor/", 7) != 0) continue;
    rnl_tensor copy;
    rnl_lua_check(L, rnl_tensor_clone(&copy, &item->tensor, &err), &err);
    rnl_lua_push_tensor(L, &copy);
    lua_rawseti(L, -2, strtoll(item->name + 7, NULL, 10));
  }
  return 1;
}

int rnl_lua_open_checkpoint(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"text", checkpoint_text}, {"restore", checkpoint_restore}, {"tensors", checkpoint_tensors}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"write", checkpoint_write}, {"read", checkpoint_read}, {NULL, NULL}};
  if (luaL_newmetatable(L, CHECKPOINT)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, checkpoint_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, checkpoint_gc);
    lua_setfield(L, -2, "__close");
    lua_pushboolean(L, false); /* scripts cannot reach __gc */
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "checkpoint");
  return 1;
}
