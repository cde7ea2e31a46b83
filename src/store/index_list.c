/* store/index_list.c: bringing the index up to date with the folders, and listing from it.
 *
 * A folder's name is enough to know that a run is not in the index, so a listing costs one readdir and
 * one query where nothing changed. Only runs still marked running are read again. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/index_db.h"
#include "store/json.h"

enum { RUNS_A_TRANSACTION = 256 }; /* so that a long rebuild lets runs that close in between */

/* ---- bringing it up to date ----------------------------------------------------------------- */

typedef struct update {
  sqlite3 *db;
  const char *path, *results_dir;
  rnl_buffer *warnings;
  rnl_curve *curve; /* scratch: 16 KiB */
  int open_rows;    /* rows in the open transaction; -1: none is open */
} update;

static void warn(const update *u, const char *text) {
  if (u->warnings) rnl_buffer_printf(u->warnings, "%s; left out\n", text);
}

static bool begin_row(update *u) {
  if (u->open_rows >= RUNS_A_TRANSACTION) {
    if (!rnl_db_run(u->db, "COMMIT")) return false;
    u->open_rows = -1;
  }
  if (u->open_rows < 0) {
    if (!rnl_db_run(u->db, "BEGIN IMMEDIATE")) return false;
    u->open_rows = 0;
  }
  u->open_rows++;
  return true;
}

/* Put the run of one folder in. A folder that cannot be read is told of and passed over; false means
 * that the database failed. */
static bool put_folder(update *u, const char *name) {
  rnl_error problem = { 0 };
  rnl_run_record record;
  char *dir = rnl_path_join(u->results_dir, name), *file = dir ? rnl_path_join(dir, RNL_RUN_FILE) : NULL;
  bool good = true;
  if (file && rnl_path_exists(file)) { /* else somebody's own folder, or a sweep's */
    if (rnl_run_read(&record, dir, &problem) != RNL_OK) {
      warn(u, problem.text);
    } else {
      if (rnl_curve_read(u->curve, dir, &problem) != RNL_OK) {
        warn(u, problem.text);
        *u->curve = (rnl_curve){ 0 };
      }
      good = begin_row(u) && rnl_db_put(u->db, &record, u->curve);
      rnl_run_record_free(&record);
    }
  }
  rnl_free(file);
  rnl_free(dir);
  return good;
}

/* The indexed runs as {name: is it running?}. */
static json_t *indexed_runs(sqlite3 *db) {
  sqlite3_stmt *statement = rnl_db_prepare(db, "SELECT name, status = 'running' FROM runs");
  json_t *runs = json_object();
  int code = SQLITE_ERROR;
  while (statement && runs && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (name) json_object_set_new(runs, name, json_boolean(sqlite3_column_int(statement, 1)));
  }
  sqlite3_finalize(statement);
  if (code == SQLITE_DONE) return runs;
  json_decref(runs);
  return NULL;
}

static bool update_rows(update *u, const rnl_names *folders) {
  json_t *indexed = indexed_runs(u->db);
  if (!indexed) return false;
  bool good = true;
  for (size_t i = 0; good && i < folders->count; i++) {
    const json_t *running = json_object_get(indexed, folders->items[i]);
    if (!running || json_is_true(running)) good = put_folder(u, folders->items[i]);
    json_object_del(indexed, folders->items[i]);
  }
  const char *name;
  json_t *unused;
  json_object_foreach(indexed, name, unused) /* what is left has no folder any more */
    good = good && begin_row(u) && rnl_db_remove(u->db, name);
  json_decref(indexed);
  return good;
}

static rnl_db_result bring_up_to_date(sqlite3 *db, const char *path, const char *results_dir,
                                      const rnl_names *folders, bool anew, rnl_buffer *warnings,
                                      rnl_error *err) {
  update u = { .db = db, .path = path, .results_dir = results_dir, .warnings = warnings, .open_rows = -1 };
  u.curve = rnl_alloc(1, sizeof *u.curve);
  if (!u.curve) {
    rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
    return RNL_DB_UNUSABLE;
  }
  bool good = true;
  if (anew) {
    good = begin_row(&u) && rnl_db_run(db, "DELETE FROM runs; DELETE FROM params; DELETE FROM metrics;"
                                           "DELETE FROM curves;");
  }
  good = good && update_rows(&u, folders);
  if (good && u.open_rows >= 0) good = rnl_db_run(db, "COMMIT");
  rnl_free(u.curve);
  return good ? RNL_DB_OK : rnl_db_failure(db, path, err);
}

/* ---- rows out ------------------------------------------------------------------------------- */

static json_t *column_json(sqlite3_stmt *statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return json_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return rnl_json_real(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: return json_string((const char *)sqlite3_column_text(statement, column));
    default: return json_null();
  }
}

/* What index.c's bind_value bound. */
static json_t *value_json(sqlite3_stmt *statement, int kind_column) {
  const char *kind = (const char *)sqlite3_column_text(statement, kind_column);
  int column = kind_column + 1;
  if (!kind) return json_null();
  if (strcmp(kind, "bool") == 0) return json_boolean(sqlite3_column_int(statement, column));
  if (strcmp(kind, "json") == 0) {
    const char *text = (const char *)sqlite3_column_text(statement, column);
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
  }
  if (strcmp(kind, "nan") == 0 || strcmp(kind, "inf") == 0 || strcmp(kind, "-inf") == 0)
    return json_string(kind);
  return column_json(statement, column);
}

/* NULL on failure. */
static json_t *values_of(sqlite3_stmt *statement, const char *run) {
  json_t *object = json_object();
  int code = SQLITE_NOMEM;
  sqlite3_reset(statement);
  sqlite3_bind_text(statement, 1, run, -1, SQLITE_TRANSIENT);
  while (object && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (name) json_object_set_new(object, name, value_json(statement, 1));
  }
  if (code == SQLITE_DONE) return object;
  json_decref(object);
  return NULL;
}

/* The run's record as far as the index has it, so that rnl_run_summary shapes it as it does a file's.
 * NULL on failure. */
static json_t *record_json(sqlite3_stmt *runs, sqlite3_stmt *params, sqlite3_stmt *metrics) {
  static const char *const keys[] = { "status", "epochs", "wall_s", "train_s", "experiment",
                                      "script", "seed",   "started", "ended",  "error" };
  enum { KEYS = sizeof keys / sizeof *keys };
  const char *name = (const char *)sqlite3_column_text(runs, 0);
  const char *figures = (const char *)sqlite3_column_text(runs, KEYS + 1);
  json_t *json = json_object();
  if (!json) return NULL;
  for (int i = 0; i < KEYS; i++) {
    if (sqlite3_column_type(runs, i + 1) != SQLITE_NULL)
      json_object_set_new(json, keys[i], column_json(runs, i + 1));
  }
  json_t *list = figures ? json_loads(figures, 0, NULL) : NULL;
  if (list) json_object_set_new(json, "figures", list);
  if (!json_object_set_new(json, "params", values_of(params, name)) &&
      !json_object_set_new(json, "metrics", values_of(metrics, name)))
    return json;
  json_decref(json);
  return NULL;
}

/* The summary of the run the statement stands at; NULL on failure. */
static json_t *row_summary(sqlite3_stmt *runs, sqlite3_stmt *params, sqlite3_stmt *metrics,
                           const char *results_dir) {
  rnl_run_record record = { 0 };
  const char *name = (const char *)sqlite3_column_text(runs, 0);
  record.name = name ? rnl_strdup(name) : NULL;
  record.dir = record.name ? rnl_path_join(results_dir, record.name) : NULL;
  record.json = record.dir ? record_json(runs, params, metrics) : NULL;
  json_t *summary = record.json ? rnl_run_summary(&record) : NULL;
  rnl_run_record_free(&record);
  return summary;
}

/* Append the runs, latest first. What failed is asked of SQLite at once, before another call makes it
 * forget. */
static rnl_db_result select_runs(sqlite3 *db, const char *path, const char *results_dir,
                                 const rnl_index_query *query, json_t *out, rnl_error *err) {
  static const char *const sql[] = {
    "SELECT name, status, epochs, wall_s, train_s, experiment, script, seed, started, ended, error,"
    " figures FROM runs WHERE (?1 IS NULL OR experiment = ?1) AND (?2 IS NULL OR status = ?2)"
    " ORDER BY started DESC, name DESC LIMIT ?3",
    "SELECT name, kind, value FROM params WHERE run = ? ORDER BY position",
    "SELECT name, kind, value FROM metrics WHERE run = ? ORDER BY position"
  };
  sqlite3_stmt *statements[3] = { NULL };
  rnl_db_result result = RNL_DB_OK;
  for (int i = 0; i < 3 && result == RNL_DB_OK; i++) {
    statements[i] = rnl_db_prepare(db, sql[i]);
    if (!statements[i]) result = rnl_db_failure(db, path, err);
  }
  if (result == RNL_DB_OK) {
    sqlite3_stmt *runs = statements[0];
    if (query->experiment) sqlite3_bind_text(runs, 1, query->experiment, -1, SQLITE_STATIC);
    if (query->status) sqlite3_bind_text(runs, 2, query->status, -1, SQLITE_STATIC);
    sqlite3_bind_int64(runs, 3, query->limit > 0 ? query->limit : -1);
    int code;
    while ((code = sqlite3_step(runs)) == SQLITE_ROW) {
      json_t *summary = row_summary(runs, statements[1], statements[2], results_dir);
      if (!summary || json_array_append_new(out, summary)) break;
    }
    if (code != SQLITE_DONE) result = rnl_db_failure(db, path, err);
  }
  for (int i = 0; i < 3; i++) sqlite3_finalize(statements[i]);
  return result;
}

static json_t *reversed(json_t *list) {
  json_t *out = json_array();
  for (size_t i = json_array_size(list); out && i > 0; i--)
    json_array_append(out, json_array_get(list, i - 1));
  json_decref(list);
  return out;
}

/* ---- interface ------------------------------------------------------------------------------ */

/* Cut the warnings of a failed try: the next one finds them again. */
static void forget_warnings(rnl_buffer *warnings, size_t mark) {
  if (!warnings || !warnings->data) return;
  warnings->length = mark;
  warnings->data[mark] = '\0';
}

static rnl_db_result list_once(json_t **out, const char *path, const char *results_dir,
                               const rnl_names *folders, const rnl_index_query *query,
                               rnl_buffer *warnings, rnl_error *err) {
  sqlite3 *db;
  rnl_db_result result = rnl_db_open(&db, path, err);
  if (result != RNL_DB_OK) return result;
  size_t mark = warnings ? warnings->length : 0;
  result = bring_up_to_date(db, path, results_dir, folders, false, warnings, err);
  if (result == RNL_DB_OK) {
    json_t *list = json_array();
    if (list) result = select_runs(db, path, results_dir, query, list, err);
    if (result == RNL_DB_OK && list) *out = reversed(list);
    else json_decref(list);
  }
  rnl_db_close(db);
  if (result != RNL_DB_OK) forget_warnings(warnings, mark);
  return result;
}

rnl_status rnl_index_list(json_t **out, const char *results_dir, const rnl_index_query *query,
                          rnl_buffer *warnings, rnl_error *err) {
  static const rnl_index_query everything = { 0 };
  rnl_names folders;
  rnl_error problem = { 0 };
  *out = NULL;
  RNL_TRY(rnl_names_of_folders(&folders, results_dir, err));
  if (!query) query = &everything;
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  rnl_db_result result = RNL_DB_OK;
  if (!path) {
    result = RNL_DB_UNUSABLE;
    rnl_fail(&problem, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  } else if (folders.count == 0 && !rnl_path_exists(path)) {
    *out = json_array(); /* a listing leaves no file where there is nothing to list */
  } else {
    result = list_once(out, path, results_dir, &folders, query, warnings, &problem);
    if (result == RNL_DB_BROKEN) {
      rnl_db_put_aside(path);
      result = list_once(out, path, results_dir, &folders, query, warnings, &problem);
    }
    if (result == RNL_DB_BROKEN || result == RNL_DB_UNUSABLE) {
      if (warnings)
        rnl_buffer_printf(warnings, "the folders were read, the index cannot be used: %s\n", problem.text);
      result = list_once(out, NULL, results_dir, &folders, query, warnings, &problem);
    }
  }
  rnl_free(path);
  rnl_names_free(&folders);
  if (result != RNL_DB_OK) return rnl_fail(err, problem.status, "%s", problem.text);
  if (!*out) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  return RNL_OK;
}

rnl_status rnl_index_rebuild(const char *results_dir, int64_t *runs, rnl_buffer *warnings,
                             rnl_error *err) {
  rnl_names folders;
  rnl_error problem = { 0 };
  sqlite3 *db = NULL;
  size_t mark = warnings ? warnings->length : 0;
  if (!rnl_path_is_folder(results_dir))
    return rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no such results folder", results_dir);
  RNL_TRY(rnl_names_of_folders(&folders, results_dir, err));
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  rnl_db_result result = path ? rnl_db_open(&db, path, &problem) : RNL_DB_UNUSABLE;
  if (result == RNL_DB_OK)
    result = bring_up_to_date(db, path, results_dir, &folders, true, warnings, &problem);
  if (result == RNL_DB_BROKEN || result == RNL_DB_NEWER) {
    rnl_db_close(db);
    rnl_db_put_aside(path);
    forget_warnings(warnings, mark);
    result = rnl_db_open(&db, path, &problem);
    if (result == RNL_DB_OK)
      result = bring_up_to_date(db, path, results_dir, &folders, true, warnings, &problem);
  }
  sqlite3_stmt *count = result == RNL_DB_OK ? rnl_db_prepare(db, "SELECT count(*) FROM runs") : NULL;
  if (runs) *runs = count && sqlite3_step(count) == SQLITE_ROW ? sqlite3_column_int64(count, 0) : 0;
  sqlite3_finalize(count);
  rnl_db_close(db);
  rnl_free(path);
  rnl_names_free(&folders);
  if (result == RNL_DB_OK) return RNL_OK;
  return rnl_fail(err, problem.status ? problem.status : RNL_ERR_MEMORY, "%s",
                  problem.status ? problem.text : "out of memory");
}

static double load_little_endian(const unsigned char *bytes) {
  uint64_t bits = 0;
  double value;
  for (int i = 0; i < 8; i++) bits |= (uint64_t)bytes[i] << 8 * i;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static rnl_status unpack_curve(sqlite3_stmt *statement, int64_t *points, double **epochs,
                               double **values, rnl_error *err) {
  const unsigned char *bytes = sqlite3_column_blob(statement, 0);
  size_t count = (size_t)sqlite3_column_bytes(statement, 0) / 16;
  *epochs = rnl_alloc(count, sizeof **epochs);
  *values = rnl_alloc(count, sizeof **values);
  if (!*epochs || !*values) {
    rnl_free(*epochs);
    rnl_free(*values);
    *epochs = *values = NULL;
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while reading a curve");
  }
  for (size_t i = 0; i < count; i++) {
    (*epochs)[i] = load_little_endian(bytes + 16 * i);
    (*values)[i] = load_little_endian(bytes + 16 * i + 8);
  }
  *points = (int64_t)count;
  return RNL_OK;
}

rnl_status rnl_index_curve(const char *results_dir, const char *run, int64_t *points,
                           double **epochs, double **values, rnl_error *err) {
  *points = 0;
  *epochs = *values = NULL;
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  if (!path) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  sqlite3 *db;
  rnl_error problem = { 0 };
  rnl_status status = RNL_OK;
  rnl_db_result result = rnl_path_exists(path) ? rnl_db_open(&db, path, &problem) : RNL_DB_BROKEN;
  if (result != RNL_DB_OK) {
    status = problem.status ? rnl_fail(err, problem.status, "%s", problem.text)
                            : rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no index", path);
    rnl_free(path);
    return status;
  }
  sqlite3_stmt *statement = rnl_db_prepare(
      db, "SELECT data FROM runs LEFT JOIN curves ON curves.run = runs.name WHERE runs.name = ?");
  int code = SQLITE_ERROR;
  if (statement && sqlite3_bind_text(statement, 1, run, -1, SQLITE_STATIC) == SQLITE_OK)
    code = sqlite3_step(statement);
  if (code == SQLITE_ROW) status = unpack_curve(statement, points, epochs, values, err);
  else if (code == SQLITE_DONE)
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no run %s in the index", path, run);
  else {
    rnl_db_failure(db, path, &problem);
    status = rnl_fail(err, problem.status, "%s", problem.text);
  }
  sqlite3_finalize(statement);
  rnl_db_close(db);
  rnl_free(path);
  return status;
}
