/* store/index_list.c: listing from the index, and making it anew. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/index_db.h"
#include "store/json.h"

/* ---- rows out ------------------------------------------------------------------------------- */

json_t *rnl_db_column_json(sqlite3_stmt *statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return json_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return rnl_json_real(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: return json_string((const char *)sqlite3_column_text(statement, column));
    default: return json_null();
  }
}

json_t *rnl_db_value_json(sqlite3_stmt *statement, int kind_column) {
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
  return rnl_db_column_json(statement, column);
}

json_t *rnl_db_text_json(sqlite3_stmt *statement, int column) {
  const char *text = (const char *)sqlite3_column_text(statement, column);
  return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

/* NULL on failure. */
static json_t *values_of(sqlite3_stmt *statement, const char *run) {
  json_t *object = json_object();
  int code = SQLITE_NOMEM;
  sqlite3_reset(statement);
  sqlite3_bind_text(statement, 1, run, -1, SQLITE_TRANSIENT);
  while (object && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (name) json_object_set_new(object, name, rnl_db_value_json(statement, 1));
  }
  if (code == SQLITE_DONE) return object;
  json_decref(object);
  return NULL;
}

/* The run's record as far as the index has it, so that rnl_run_summary shapes it as it does a file's.
 * NULL on failure. */
static json_t *record_json(sqlite3_stmt *runs, sqlite3_stmt *params, sqlite3_stmt *metrics) {
  static const char *const keys[] = { "status", "epochs", "wall_s", "train_s", "experiment",
                                      "script", "seed",   "started", "ended",  "error",
                                      "network", "weights" };
  static const char *const lists[] = { "figures", "tags", "notes" };
  enum { KEYS = sizeof keys / sizeof *keys };
  const char *name = (const char *)sqlite3_column_text(runs, 0);
  json_t *json = json_object();
  if (!json) return NULL;
  for (int i = 0; i < KEYS; i++) {
    if (sqlite3_column_type(runs, i + 1) != SQLITE_NULL)
      json_object_set_new(json, keys[i], rnl_db_column_json(runs, i + 1));
  }
  for (int i = 0; i < 3; i++) {
    json_t *list = rnl_db_text_json(runs, KEYS + 1 + i);
    if (list) json_object_set_new(json, lists[i], list);
  }
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
    " network, weights, figures, tags, notes FROM runs"
    " WHERE (?1 IS NULL OR experiment = ?1) AND (?2 IS NULL OR status = ?2)"
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

/* Both are latest first; the `limit` latest of them, oldest first. NULL where memory is out. */
static json_t *merged(const json_t *runs, const json_t *sweeps, int64_t limit) {
  size_t r = 0, w = 0;
  json_t *latest = json_array(), *out = json_array();
  bool good = latest && out;
  while (good && (r < json_array_size(runs) || w < json_array_size(sweeps)) &&
         (limit <= 0 || (int64_t)json_array_size(latest) < limit)) {
    json_t *run = json_array_get(runs, r), *sweep = json_array_get(sweeps, w);
    const char *a = json_string_value(json_object_get(run, "started"));
    const char *b = json_string_value(json_object_get(sweep, "started"));
    bool take_run = run && (!sweep || strcmp(a ? a : "", b ? b : "") >= 0);
    good = !json_array_append(latest, take_run ? run : sweep);
    if (take_run) r++;
    else w++;
  }
  for (size_t i = json_array_size(latest); good && i > 0; i--)
    good = !json_array_append(out, json_array_get(latest, i - 1));
  json_decref(latest);
  if (good) return out;
  json_decref(out);
  return NULL;
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
  result = rnl_db_update(db, path, results_dir, folders, query->source, false, warnings, err);
  json_t *runs = json_array(), *sweeps = json_array();
  if (result == RNL_DB_OK && !query->no_runs && runs) result = select_runs(db, path, results_dir, query, runs, err);
  if (result == RNL_DB_OK && query->sweeps && sweeps)
    result = rnl_db_select_sweeps(db, path, results_dir, query, sweeps, err);
  if (result == RNL_DB_OK) *out = merged(runs, sweeps, query->limit);
  json_decref(runs);
  json_decref(sweeps);
  rnl_db_close(db);
  if (result != RNL_DB_OK) forget_warnings(warnings, mark);
  return result;
}

/* Put a question to the index of results_dir, begun anew where it is broken, or to one in memory made from the folders
 * where it cannot be used. */
typedef rnl_db_result (*question)(void *context, const char *path, const char *results_dir, const rnl_names *folders,
                                  rnl_buffer *warnings, rnl_error *err);

static rnl_status ask(question put, void *context, const char *results_dir, const rnl_names *folders,
                      rnl_buffer *warnings, rnl_error *err) {
  rnl_error problem = { 0 };
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  if (!path) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  const char *used = rnl_index_is_for(results_dir) ? path : NULL;
  rnl_db_result result;
  rnl_db_file before;
  int attempts = 0;
  do {
    before = rnl_db_file_at(used);
    result = put(context, used, results_dir, folders, warnings, &problem);
  } while (++attempts < RNL_DB_ATTEMPTS && rnl_db_begin_anew(used, before, result));
  if ((result == RNL_DB_BROKEN || result == RNL_DB_UNUSABLE) && used) {
    if (warnings)
      rnl_buffer_printf(warnings, "the folders were read, the index cannot be used: %s\n", problem.text);
    result = put(context, NULL, results_dir, folders, warnings, &problem);
  }
  rnl_free(path);
  return result == RNL_DB_OK ? RNL_OK : rnl_fail(err, problem.status, "%s", problem.text);
}

typedef struct listing {
  const rnl_index_query *query;
  json_t *out;
} listing;

static rnl_db_result put_listing(void *context, const char *path, const char *results_dir, const rnl_names *folders,
                                 rnl_buffer *warnings, rnl_error *err) {
  listing *l = context;
  return list_once(&l->out, path, results_dir, folders, l->query, warnings, err);
}

static bool has_index(const char *results_dir) {
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  bool there = path && rnl_path_exists(path);
  rnl_free(path);
  return there;
}

rnl_status rnl_index_list(json_t **out, const char *results_dir, const rnl_index_query *query,
                          rnl_buffer *warnings, rnl_error *err) {
  static const rnl_index_query everything = { 0 };
  rnl_names folders;
  listing l = { .query = query ? query : &everything };
  rnl_status status = RNL_OK;
  *out = NULL;
  RNL_TRY(rnl_names_of_folders(&folders, results_dir, err));
  if (folders.count == 0 && !has_index(results_dir))
    l.out = json_array(); /* a listing leaves no file where there is nothing to list */
  else
    status = ask(put_listing, &l, results_dir, &folders, warnings, err);
  rnl_names_free(&folders);
  if (status != RNL_OK) return status;
  *out = l.out;
  return l.out ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
}

typedef struct trial_question {
  const char *sweep;
  const rnl_sweep_source *source;
  json_t *out;
} trial_question;

static rnl_db_result put_trials(void *context, const char *path, const char *results_dir, const rnl_names *folders,
                                rnl_buffer *warnings, rnl_error *err) {
  trial_question *q = context;
  sqlite3 *db;
  rnl_db_result result = rnl_db_open(&db, path, err);
  if (result != RNL_DB_OK) return result;
  result = rnl_db_update(db, path, results_dir, folders, q->source, false, warnings, err);
  json_decref(q->out);
  q->out = json_array();
  if (result == RNL_DB_OK && q->out) result = rnl_db_select_trials(db, path, q->sweep, q->out, err);
  rnl_db_close(db);
  return result;
}

rnl_status rnl_index_trials(json_t **out, const char *results_dir, const char *sweep, const rnl_sweep_source *source,
                            rnl_error *err) {
  rnl_names folders;
  trial_question q = { .sweep = sweep, .source = source };
  *out = NULL;
  char *dir = rnl_path_join(results_dir, sweep);
  if (!dir) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", sweep);
  bool there = rnl_record_stamp(dir, true) != 0;
  rnl_free(dir);
  if (!there) return rnl_fail(err, RNL_ERR_NOT_FOUND, "there is no sweep %s in %s", sweep, results_dir);
  RNL_TRY(rnl_names_of_folders(&folders, results_dir, err));
  rnl_status status = ask(put_trials, &q, results_dir, &folders, NULL, err);
  rnl_names_free(&folders);
  if (status == RNL_OK && !q.out) status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  if (status == RNL_OK) *out = q.out;
  else json_decref(q.out);
  return status;
}

static int64_t count_rows(sqlite3 *db, const char *sql) {
  sqlite3_stmt *count = db ? rnl_db_prepare(db, sql) : NULL;
  int64_t rows = count && sqlite3_step(count) == SQLITE_ROW ? sqlite3_column_int64(count, 0) : 0;
  sqlite3_finalize(count);
  return rows;
}

rnl_status rnl_index_rebuild(const char *results_dir, const rnl_sweep_source *source, int64_t *runs,
                             int64_t *sweeps, rnl_buffer *warnings, rnl_error *err) {
  rnl_names folders;
  rnl_error problem = { 0 };
  sqlite3 *db = NULL;
  size_t mark = warnings ? warnings->length : 0;
  if (!rnl_path_is_folder(results_dir))
    return rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no such results folder", results_dir);
  RNL_TRY(rnl_names_of_folders(&folders, results_dir, err));
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  rnl_db_result result = RNL_DB_UNUSABLE;
  rnl_db_file before;
  int attempts = 0;
  do {
    rnl_db_close(db);
    forget_warnings(warnings, mark);
    before = rnl_db_file_at(path);
    if (path) result = rnl_db_open(&db, path, &problem);
    if (result == RNL_DB_OK)
      result = rnl_db_update(db, path, results_dir, &folders, source, true, warnings, &problem);
    if (result == RNL_DB_NEWER) result = RNL_DB_BROKEN; /* this is how one asks for an index of this version */
  } while (++attempts < RNL_DB_ATTEMPTS && rnl_db_begin_anew(path, before, result));
  if (runs) *runs = count_rows(db, "SELECT count(*) FROM runs");
  if (sweeps) *sweeps = count_rows(db, "SELECT count(*) FROM sweeps");
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

/* The curve in the first column of what `sql` finds for (name, number). */
static rnl_status find_curve(const char *results_dir, const char *sql, const char *name, int64_t number,
                             const char *what, int64_t *points, double **epochs, double **values, rnl_error *err) {
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
  sqlite3_stmt *statement = rnl_db_prepare(db, sql);
  int code = SQLITE_ERROR;
  if (statement && sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
      (sqlite3_bind_parameter_count(statement) < 2 || sqlite3_bind_int64(statement, 2, number) == SQLITE_OK))
    code = sqlite3_step(statement);
  if (code == SQLITE_ROW) status = unpack_curve(statement, points, epochs, values, err);
  else if (code == SQLITE_DONE)
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no %s in the index", path, what);
  else {
    rnl_db_failure(db, path, &problem);
    status = rnl_fail(err, problem.status, "%s", problem.text);
  }
  sqlite3_finalize(statement);
  rnl_db_close(db);
  rnl_free(path);
  return status;
}

rnl_status rnl_index_curve(const char *results_dir, const char *run, int64_t *points,
                           double **epochs, double **values, rnl_error *err) {
  char what[160];
  snprintf(what, sizeof what, "run %.140s", run);
  return find_curve(results_dir, "SELECT data FROM runs LEFT JOIN curves ON curves.run = runs.name"
                                 " WHERE runs.name = ?", run, 0, what, points, epochs, values, err);
}

rnl_status rnl_index_trial_curve(const char *results_dir, const char *sweep, int64_t trial, int64_t *points,
                                 double **epochs, double **values, rnl_error *err) {
  char what[200];
  snprintf(what, sizeof what, "trial %lld of %.140s", (long long)trial, sweep);
  return find_curve(results_dir, "SELECT curve FROM trials WHERE sweep = ? AND number = ?", sweep, trial, what, points,
                    epochs, values, err);
}
