/* bind/lua_store.c: core.store, the results folder: runs being written (the type "rnnlab.Run") and runs
 * read back. */
#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_json.h"
#include "store/index.h"
#include "store/run.h"

#define RUN_KIND "rnnlab.Run"

typedef struct run_box {
  rnl_run *run; /* NULL before it was created and after it was collected */
  bool closed;
  int columns;  /* of metrics.csv without epoch; -1 before metrics() */
} run_box;

static run_box *check_run(lua_State *L, bool open) {
  run_box *box = luaL_checkudata(L, 1, RUN_KIND);
  if (!box->run) rnl_lua_fail(L, "this run was released");
  if (open && box->closed) rnl_lua_fail(L, "run %s is closed", rnl_run_name(box->run));
  return box;
}

static int push_warnings(lua_State *L, const rnl_buffer *warnings) {
  size_t length = warnings->length;
  while (length > 0 && warnings->data[length - 1] == '\n') length--;
  if (length) lua_pushlstring(L, warnings->data, length);
  else lua_pushnil(L);
  return 1;
}

/* ---- a run being written ---------------------------------------------------------------------- */

static int run_collect(lua_State *L) {
  run_box *box = luaL_checkudata(L, 1, RUN_KIND);
  rnl_run *run = box->run;
  box->run = NULL;
  if (run && !box->closed) {
    box->closed = true;
    rnl_run_close(run, RNL_RUN_FAILED, NULL, NULL, NULL);
  }
  rnl_run_free(run);
  return 0;
}

static int store_create(lua_State *L) {
  const char *results = luaL_checkstring(L, 1);
  char experiment[96];
  rnl_run_experiment_name(experiment, luaL_checkstring(L, 2));
  const char *folder = luaL_optstring(L, 4, NULL);
  lua_settop(L, 4);
  json_t *head = NULL;
  run_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (run_box){.columns = -1};
  luaL_setmetatable(L, RUN_KIND);
  if (!lua_isnil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    head = rnl_lua_json_check(L, 3, "the run's head");
  }
  rnl_error err;
  rnl_lua_check(L, rnl_run_create_at(&box->run, results, folder, experiment, head, &err), &err);
  lua_settop(L, 5);
  return 1;
}

typedef struct column_names {
  char **names;
  int count;
} column_names;

static void release_columns(void *value) {
  column_names *columns = value;
  for (int i = 0; columns->names && i < columns->count; i++) rnl_free(columns->names[i]);
  rnl_free(columns->names);
}

/* reopen(dir, rows, changes?, force?, finished?) -> run, columns */
static int store_reopen(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  const int64_t rows = luaL_checkinteger(L, 2);
  const unsigned allowed =
      (lua_toboolean(L, 4) ? RNL_REOPEN_FORCE : 0u) | (lua_toboolean(L, 5) ? RNL_REOPEN_FINISHED : 0u);
  lua_settop(L, 3);
  run_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (run_box){.columns = -1};
  luaL_setmetatable(L, RUN_KIND);
  json_t *changes = lua_istable(L, 3) ? rnl_lua_json_check(L, 3, "the run's changes") : NULL;
  column_names *columns = rnl_lua_box(L, sizeof *columns, release_columns);
  rnl_error err;
  rnl_lua_check(L, rnl_run_reopen(&box->run, dir, rows, allowed, changes, &columns->names, &columns->count, &err),
                &err);
  if (columns->names) box->columns = columns->count;
  lua_pushvalue(L, 4);
  lua_createtable(L, columns->count, 0);
  for (int i = 0; i < columns->count; i++) {
    lua_pushstring(L, columns->names[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 2;
}

static int run_sync(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_run_sync(check_run(L, true)->run, &err), &err);
  return 0;
}

/* insert_column(at, name) */
static int run_insert_column(lua_State *L) {
  run_box *box = check_run(L, true);
  rnl_error err;
  const lua_Integer at = luaL_checkinteger(L, 2);
  if (at < 1 || at > box->columns + 1) return rnl_lua_fail(L, "insert_column: there is no place %d", (int)at);
  rnl_lua_check(L, rnl_run_metrics_insert(box->run, (int)at - 1, luaL_checkstring(L, 3), &err), &err);
  box->columns++;
  return 0;
}

static int run_name(lua_State *L) {
  lua_pushstring(L, rnl_run_name(check_run(L, false)->run));
  return 1;
}

static int run_dir(lua_State *L) {
  lua_pushstring(L, rnl_run_dir(check_run(L, false)->run));
  return 1;
}

static int run_copy_file(lua_State *L) {
  run_box *box = check_run(L, true);
  rnl_error err;
  rnl_lua_check(L, rnl_run_copy_file(box->run, luaL_checkstring(L, 2), luaL_checkstring(L, 3), &err), &err);
  return 0;
}

static int run_copy_text(lua_State *L) {
  run_box *box = check_run(L, true);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  rnl_error err;
  rnl_lua_check(L, rnl_run_put_bytes(box->run, luaL_checkstring(L, 3), text, length, &err), &err);
  return 0;
}

static int run_metrics(lua_State *L) {
  run_box *box = check_run(L, true);
  luaL_checktype(L, 2, LUA_TTABLE);
  if (lua_rawlen(L, 2) > 1000) return rnl_lua_fail(L, "metrics: more than 1000 columns");
  int n = (int)lua_rawlen(L, 2);
  const char **names = lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *names, 0);
  luaL_checkstack(L, n + 4, NULL);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 2, i + 1);
    if (lua_type(L, -1) != LUA_TSTRING) return rnl_lua_fail(L, "metrics: column %d is not a name", i + 1);
    names[i] = lua_tostring(L, -1); /* stays on the stack */
  }
  rnl_error err;
  rnl_lua_check(L, rnl_run_metrics_begin(box->run, n, names, &err), &err);
  box->columns = n;
  return 0;
}

static run_box *check_metrics(lua_State *L, const char *what) {
  run_box *box = check_run(L, true);
  if (box->columns < 0) rnl_lua_fail(L, "%s: call metrics() first, with the columns' names", what);
  return box;
}

/* One row { epoch, value, ... } at stack index `row`. */
static void read_row(lua_State *L, int row, int columns, int64_t *epoch, double *values) {
  int whole;
  lua_rawgeti(L, row, 1);
  *epoch = lua_tointegerx(L, -1, &whole);
  if (!whole) rnl_lua_fail(L, "append: a row begins with the epoch, a whole number");
  lua_pop(L, 1);
  for (int i = 0; i < columns; i++) {
    int kind = lua_rawgeti(L, row, i + 2);
    if (kind == LUA_TNUMBER) values[i] = lua_tonumber(L, -1);
    else if (kind == LUA_TNIL || (kind == LUA_TBOOLEAN && !lua_toboolean(L, -1))) values[i] = rnl_missing();
    else rnl_lua_fail(L, "append: value %d of epoch %d is a %s", i + 1, (int)*epoch, lua_typename(L, kind));
    lua_pop(L, 1);
  }
}

static int run_append(lua_State *L) {
  run_box *box = check_metrics(L, "append");
  int last = lua_gettop(L);
  int64_t rows = 0;
  for (int i = 2; i <= last; i++) {
    luaL_checktype(L, i, LUA_TTABLE);
    bool list = lua_rawgeti(L, i, 1) == LUA_TTABLE;
    lua_pop(L, 1);
    rows += list ? (int64_t)lua_rawlen(L, i) : lua_rawlen(L, i) > 0;
  }
  size_t columns = (size_t)box->columns, n = (size_t)(rows ? rows : 1);
  int64_t *epochs = lua_newuserdatauv(L, n * sizeof *epochs, 0);
  double *values = lua_newuserdatauv(L, n * (columns ? columns : 1) * sizeof *values, 0);
  int64_t row = 0;
  for (int i = 2; i <= last; i++) {
    if (lua_rawgeti(L, i, 1) != LUA_TTABLE) {
      if (lua_rawlen(L, i) > 0) {
        read_row(L, i, box->columns, &epochs[row], &values[(size_t)row * columns]);
        row++;
      }
    } else {
      for (lua_Integer k = 1, m = (lua_Integer)lua_rawlen(L, i); k <= m; k++, row++) {
        if (lua_rawgeti(L, i, k) != LUA_TTABLE)
          return rnl_lua_fail(L, "append: row %d is not a table", (int)k);
        read_row(L, lua_gettop(L), box->columns, &epochs[row], &values[(size_t)row * columns]);
        lua_pop(L, 1);
      }
    }
    lua_pop(L, 1);
  }
  rnl_error err;
  if (rows) rnl_lua_check(L, rnl_run_metrics_append(box->run, rows, epochs, values, &err), &err);
  return 0;
}

static int run_append_packed(lua_State *L) {
  run_box *box = check_metrics(L, "append_packed");
  int64_t first = luaL_checkinteger(L, 2);
  int given = lua_gettop(L) - 2;
  if (given > box->columns)
    return rnl_lua_fail(L, "append_packed: %d columns given; metrics.csv has %d", given, box->columns);
  int64_t rows = -1;
  for (int i = 0; i < given; i++) {
    size_t length;
    if (!lua_toboolean(L, i + 3)) continue;
    luaL_checklstring(L, i + 3, &length);
    if (rows >= 0 && length != (size_t)rows * sizeof(double))
      return rnl_lua_fail(L, "append_packed: column %d has %d values; the one before has %d", i + 1,
                          (int)(length / sizeof(double)), (int)rows);
    rows = (int64_t)(length / sizeof(double));
  }
  if (rows <= 0) return 0;
  size_t columns = (size_t)box->columns;
  int64_t *epochs = lua_newuserdatauv(L, (size_t)rows * sizeof *epochs, 0);
  double *values = lua_newuserdatauv(L, (size_t)rows * columns * sizeof *values, 0);
  for (int64_t r = 0; r < rows; r++) epochs[r] = first + r;
  for (size_t c = 0; c < columns; c++) {
    const char *packed = (int)c < given && lua_toboolean(L, (int)c + 3) ? lua_tostring(L, (int)c + 3) : NULL;
    for (int64_t r = 0; r < rows; r++) {
      double value = rnl_missing();
      if (packed) memcpy(&value, packed + (size_t)r * sizeof value, sizeof value);
      values[(size_t)r * columns + c] = value;
    }
  }
  rnl_error err;
  rnl_lua_check(L, rnl_run_metrics_append(box->run, rows, epochs, values, &err), &err);
  return 0;
}

static int run_note(lua_State *L) {
  run_box *box = check_run(L, true);
  luaL_checktype(L, 2, LUA_TTABLE);
  json_t *changes = rnl_lua_json_check(L, 2, "the run's note");
  rnl_error err;
  rnl_lua_check(L, rnl_run_note(box->run, changes, &err), &err);
  return 0;
}

static int run_close(lua_State *L) {
  run_box *box = check_run(L, true);
  const char *name = luaL_checkstring(L, 2);
  rnl_run_status status;
  if (!rnl_run_status_parse(name, &status) || status == RNL_RUN_RUNNING)
    return rnl_lua_fail(L, "close: \"%s\" is not a status a run can end with", name);
  lua_settop(L, 3);
  json_t *tail = NULL;
  if (!lua_isnil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    tail = rnl_lua_json_check(L, 3, "the run's end");
  }
  rnl_buffer *warnings = rnl_lua_box_buffer(L);
  rnl_error err;
  rnl_status closed = rnl_run_close(box->run, status, tail, warnings, &err);
  box->closed = closed == RNL_OK;
  rnl_lua_check(L, closed, &err);
  return push_warnings(L, warnings);
}

static int run_text(lua_State *L) {
  run_box *box = luaL_checkudata(L, 1, RUN_KIND);
  if (box->run) lua_pushfstring(L, "run %s (%s)", rnl_run_name(box->run), box->closed ? "closed" : "open");
  else lua_pushliteral(L, "run (released)");
  return 1;
}

/* ---- runs read back --------------------------------------------------------------------------- */

static void release_record(void *value) { rnl_run_record_free(value); }

static rnl_run_record *find_run(lua_State *L) {
  const char *results = luaL_checkstring(L, 1), *ref = luaL_checkstring(L, 2);
  rnl_run_record *record = rnl_lua_box(L, sizeof *record, release_record);
  rnl_error err;
  rnl_lua_check(L, rnl_run_find(record, results, ref, &err), &err);
  return record;
}

static int store_experiment_name(lua_State *L) {
  char name[96];
  rnl_run_experiment_name(name, luaL_checkstring(L, 1));
  lua_pushstring(L, name);
  return 1;
}

static int store_open(lua_State *L) {
  rnl_run_record *record = find_run(L);
  json_t **summary = rnl_lua_box_json(L);
  *summary = rnl_run_summary(record);
  if (!*summary) return luaL_error(L, "out of memory");
  lua_createtable(L, 0, 4);
  lua_pushstring(L, record->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, record->dir);
  lua_setfield(L, -2, "dir");
  rnl_lua_json_push(L, record->json);
  lua_setfield(L, -2, "record");
  rnl_lua_json_push(L, *summary);
  lua_setfield(L, -2, "summary");
  return 1;
}

static int store_update(lua_State *L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  rnl_run_record *record = find_run(L);
  json_t *changes = rnl_lua_json_check(L, 3, "the run's update");
  rnl_buffer *warnings = rnl_lua_box_buffer(L);
  rnl_error err;
  rnl_lua_check(L, rnl_run_update(record->dir, changes, warnings, &err), &err);
  return push_warnings(L, warnings);
}

static int store_list(lua_State *L) {
  const char *results = luaL_checkstring(L, 1);
  rnl_index_query query = {0};
  lua_settop(L, 2);
  if (lua_istable(L, 2)) { /* the fields' strings stay on the stack */
    lua_getfield(L, 2, "experiment");
    query.experiment = luaL_optstring(L, -1, NULL);
    lua_getfield(L, 2, "status");
    query.status = luaL_optstring(L, -1, NULL);
    lua_getfield(L, 2, "limit");
    query.limit = luaL_optinteger(L, -1, 0);
    lua_getfield(L, 2, "sweeps");
    query.sweeps = lua_toboolean(L, -1);
  }
  json_t **runs = rnl_lua_box_json(L);
  rnl_buffer *warnings = rnl_lua_box_buffer(L);
  rnl_error err;
  rnl_lua_check(L, rnl_index_list(runs, results, &query, warnings, &err), &err);
  rnl_lua_json_push(L, *runs);
  lua_pushlstring(L, rnl_buffer_string(warnings), warnings->length);
  return 2;
}

static void release_metrics(void *value) { rnl_metrics_free(value); }

static int store_metrics(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  rnl_metrics *metrics = rnl_lua_box(L, sizeof *metrics, release_metrics);
  rnl_error err;
  rnl_status status = rnl_metrics_read(metrics, dir, &err);
  if (status == RNL_ERR_NOT_FOUND) {
    lua_pushnil(L);
    return 1;
  }
  rnl_lua_check(L, status, &err);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, metrics->rows);
  lua_setfield(L, -2, "rows");
  lua_createtable(L, (int)metrics->rows, 0);
  for (int64_t r = 0; r < metrics->rows; r++) {
    lua_pushinteger(L, metrics->epochs[r]);
    lua_rawseti(L, -2, r + 1);
  }
  lua_setfield(L, -2, "epochs");
  lua_createtable(L, metrics->columns, 0);
  lua_createtable(L, 0, metrics->columns);
  for (int c = 0; c < metrics->columns; c++) {
    lua_pushstring(L, metrics->names[c]);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, c + 1); /* columns[c + 1] */
    lua_createtable(L, (int)metrics->rows, 0);
    for (int64_t r = 0; r < metrics->rows; r++) {
      lua_pushnumber(L, metrics->values[r * metrics->columns + c]);
      lua_rawseti(L, -2, r + 1);
    }
    lua_rawset(L, -3); /* values[name] */
  }
  lua_setfield(L, -3, "values");
  lua_setfield(L, -2, "columns");
  rnl_lua_box_release(L, -2);
  return 1;
}

static const luaL_Reg run_methods[] = {
  {"name", run_name},
  {"dir", run_dir},
  {"copy_file", run_copy_file},
  {"copy_text", run_copy_text},
  {"metrics", run_metrics},
  {"append", run_append},
  {"append_packed", run_append_packed},
  {"insert_column", run_insert_column},
  {"sync", run_sync},
  {"note", run_note},
  {"close", run_close},
  {NULL, NULL},
};

static const luaL_Reg run_meta[] = {
  {"__gc", run_collect},
  {"__close", run_collect},
  {"__tostring", run_text},
  {NULL, NULL},
};

static const luaL_Reg functions[] = {
  {"create", store_create},
  {"reopen", store_reopen},
  {"experiment_name", store_experiment_name},
  {"open", store_open},
  {"update", store_update},
  {"list", store_list},
  {"metrics", store_metrics},
  {NULL, NULL},
};

int rnl_lua_open_store(lua_State *L) {
  luaL_newmetatable(L, RUN_KIND);
  luaL_setfuncs(L, run_meta, 0);
  luaL_newlib(L, run_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "store");
  return 1;
}
