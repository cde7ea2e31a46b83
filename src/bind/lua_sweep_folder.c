/* bind/lua_sweep_folder.c: core.sweep.create and core.sweep.open, a sweep's folder and its rows in the index. */
#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/host.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_json.h"
#include "store/index.h"
#include "store/sweep.h"
#include "sweep/rows.h"

#define SWEEP "rnnlab.Sweep"

typedef struct sweep_box {
  rnl_run_record record;
} sweep_box;

static int sweep_gc(lua_State *L) {
  sweep_box *box = luaL_checkudata(L, 1, SWEEP);
  rnl_run_record_free(&box->record);
  return 0;
}

static sweep_box *new_box(lua_State *L) {
  sweep_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  memset(box, 0, sizeof *box);
  luaL_setmetatable(L, SWEEP);
  return box;
}

static rnl_run_record *check_sweep(lua_State *L) {
  sweep_box *box = luaL_checkudata(L, 1, SWEEP);
  if (!box->record.dir) rnl_lua_fail(L, "the sweep is closed");
  return &box->record;
}

/* create(results, experiment, head) -> Sweep */
static int create_sweep(lua_State *L) {
  const char *results = luaL_checkstring(L, 1), *experiment = luaL_checkstring(L, 2);
  rnl_error err;
  sweep_box *box = new_box(L);
  json_t *head = rnl_lua_json_check(L, 3, "sweep.json");
  rnl_lua_check(L, rnl_sweep_create(&box->record, results, experiment, head, &err), &err);
  lua_settop(L, 4);
  return 1;
}

/* open(results, query, none?) -> Sweep; where nothing is meant by `query`: raises, or nil where `none` is true */
static int open_sweep(lua_State *L) {
  const char *results = luaL_checkstring(L, 1), *query = luaL_checkstring(L, 2);
  bool none = lua_toboolean(L, 3);
  rnl_error err;
  sweep_box *box = new_box(L);
  rnl_status status = rnl_store_find(&box->record, results, query, RNL_FIND_SWEEP, &err);
  if (status == RNL_ERR_NOT_FOUND && none) {
    lua_pushnil(L);
    return 1;
  }
  rnl_lua_check(L, status, &err);
  return 1;
}

static int sweep_name(lua_State *L) {
  lua_pushstring(L, check_sweep(L)->name);
  return 1;
}

static int sweep_dir(lua_State *L) {
  lua_pushstring(L, check_sweep(L)->dir);
  return 1;
}

/* json() -> sweep.json as a table */
static int sweep_json(lua_State *L) {
  rnl_lua_json_push(L, check_sweep(L)->json);
  return 1;
}

/* write(changes): merged into sweep.json, durably */
static int sweep_write(lua_State *L) {
  rnl_error err;
  rnl_run_record *record = check_sweep(L);
  rnl_lua_check(L, rnl_sweep_write(record, rnl_lua_json_check(L, 2, "sweep.json"), &err), &err);
  return 0;
}

/* take_over(): this process owns the sweep from here on; false where another one that lives does */
static int sweep_take_over(lua_State *L) {
  rnl_run_record *record = check_sweep(L);
  const json_t *process = json_object_get(record->json, "process");
  const char *status = json_string_value(json_object_get(record->json, "status"));
  rnl_process owner = {.pid = json_integer_value(json_object_get(process, "pid")),
                       .start = json_integer_value(json_object_get(process, "start"))};
  const char *boot = json_string_value(json_object_get(process, "boot_id"));
  const char *host = json_string_value(json_object_get(process, "host"));
  if (boot) strncpy(owner.boot_id, boot, sizeof owner.boot_id - 1);
  if (host) strncpy(owner.host, host, sizeof owner.host - 1);
  if (status && strcmp(status, "running") == 0 && rnl_process_life(&owner) == RNL_ALIVE) {
    lua_pushboolean(L, false);
    return 1;
  }
  rnl_error err;
  json_t **changes = rnl_lua_box_json(L);
  *changes = json_pack("{s:s, s:o, s:n, s:n}", "status", "running", "process", rnl_process_json(), "ended", "error");
  if (!*changes) return rnl_lua_fail(L, "out of memory");
  rnl_lua_check(L, rnl_sweep_write(record, *changes, &err), &err);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- the index ---------------------------------------------------------------------------------- */

static void release_block(void *value) { rnl_free(*(void **)value); }

/* index(results, lines): put the sweep and its trials, as the journals have them, into the index. nil, or why that
 * could not be. */
static int sweep_index(lua_State *L) {
  const rnl_run_record *record = check_sweep(L);
  const char *results = luaL_checkstring(L, 2);
  const json_t *lines = rnl_lua_json_check(L, 3, "the trials");
  size_t count = json_array_size(lines), points = 0;
  for (size_t i = 0; i < count; i++) points += rnl_trial_row_points(json_array_get(lines, i));
  rnl_trial_row **rows = rnl_lua_box(L, sizeof *rows, release_block);
  double **curves = rnl_lua_box(L, sizeof *curves, release_block);
  *rows = rnl_alloc(count + 1, sizeof **rows);
  *curves = rnl_alloc(points + 1, sizeof **curves);
  if (!*rows || !*curves) return rnl_lua_fail(L, "out of memory for the index");
  double *at = *curves;
  for (size_t i = 0; i < count; i++) {
    const json_t *trial = json_array_get(lines, i);
    (*rows)[i] = rnl_trial_row_of(trial, at);
    at += rnl_trial_row_points(trial);
  }
  rnl_error err;
  if (rnl_index_add_sweep(results, record->name, count, *rows, &err) == RNL_OK) lua_pushnil(L);
  else lua_pushstring(L, err.text);
  return 1;
}

int rnl_lua_open_sweep_folder(lua_State *L) {
  static const luaL_Reg methods[] = {
    {"name", sweep_name}, {"dir", sweep_dir}, {"json", sweep_json}, {"write", sweep_write},
    {"take_over", sweep_take_over}, {"index", sweep_index}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"create", create_sweep}, {"open", open_sweep}, {NULL, NULL}};
  if (luaL_newmetatable(L, SWEEP)) {
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, sweep_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
