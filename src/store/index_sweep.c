/* store/index_sweep.c: sweeps and their trials in the index. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "store/index_db.h"
#include "store/json.h"

/* ---- trials in ------------------------------------------------------------------------------- */

struct rnl_trial_sink {
  sqlite3_stmt *statement;
  const char *sweep;
  bool failed;
  double (*thin)[2]; /* scratch: RNL_TRIAL_CURVE_POINTS + 1 */
};

/* At most RNL_TRIAL_CURVE_POINTS points, every stride-th (a power of two), and the last. */
static size_t thin_curve(double (*out)[2], const double *curve, size_t points) {
  size_t stride = 1, count = 0;
  while ((points + stride - 1) / stride > RNL_TRIAL_CURVE_POINTS) stride *= 2;
  for (size_t i = 0; i < points; i += stride) memcpy(out[count++], curve + 2 * i, sizeof *out);
  if (points > 0 && (points - 1) % stride != 0) memcpy(out[count++], curve + 2 * (points - 1), sizeof *out);
  return count;
}

/* "kind1", value1: SQLite would keep a NaN as NULL. */
static bool bind_objective(sqlite3_stmt *statement, int at, double value) {
  if (rnl_is_missing(value)) return true; /* both stay NULL */
  const char *kind = isnan(value) ? "nan" : isinf(value) ? (value > 0 ? "inf" : "-inf") : "real";
  return sqlite3_bind_text(statement, at, kind, -1, SQLITE_STATIC) == SQLITE_OK &&
         (!isfinite(value) || sqlite3_bind_double(statement, at + 1, value) == SQLITE_OK);
}

static bool bind_text(sqlite3_stmt *statement, int at, const char *text) {
  return !text || sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static bool put_trial(rnl_trial_sink *sink, const rnl_trial_row *row) {
  sqlite3_stmt *s = sink->statement;
  size_t points = row->curve ? thin_curve(sink->thin, row->curve, row->points) : 0;
  return sqlite3_reset(s) == SQLITE_OK && sqlite3_clear_bindings(s) == SQLITE_OK &&
         bind_text(s, 1, sink->sweep) && sqlite3_bind_int64(s, 2, row->number) == SQLITE_OK &&
         sqlite3_bind_int64(s, 3, row->config) == SQLITE_OK && sqlite3_bind_int64(s, 4, row->seed) == SQLITE_OK &&
         bind_text(s, 5, rnl_run_status_name(row->status)) && bind_objective(s, 6, row->values[0]) &&
         bind_objective(s, 8, row->values[1]) && rnl_db_bind_json(s, 10, row->params) &&
         rnl_db_bind_json(s, 11, row->metrics) &&
         (row->epochs < 0 || sqlite3_bind_int64(s, 12, row->epochs) == SQLITE_OK) &&
         (!isfinite(row->wall_s) || sqlite3_bind_double(s, 13, row->wall_s) == SQLITE_OK) &&
         bind_text(s, 14, row->started) && bind_text(s, 15, row->error) && bind_text(s, 16, row->run) &&
         sqlite3_bind_int64(s, 17, (sqlite3_int64)points) == SQLITE_OK &&
         (points == 0 || rnl_db_bind_curve(s, 18, points, (const double (*)[2])sink->thin)) &&
         sqlite3_step(s) == SQLITE_DONE;
}

bool rnl_trial_sink_put(rnl_trial_sink *sink, const rnl_trial_row *row) {
  if (!sink->failed && !put_trial(sink, row)) sink->failed = true;
  return !sink->failed;
}

/* Run folders that trials of a sweep under way had and gave up for better ones. */
static bool forget_folders(sqlite3 *db, const rnl_run_record *record) {
  sqlite3_stmt *kept = rnl_db_prepare(db, "SELECT number, run FROM trials WHERE sweep = ? AND run IS NOT NULL");
  sqlite3_stmt *gone = rnl_db_prepare(db, "UPDATE trials SET run = NULL WHERE sweep = ? AND number = ?");
  bool good = kept && gone && bind_text(kept, 1, record->name) && bind_text(gone, 1, record->name);
  int code = SQLITE_ERROR;
  while (good && (code = sqlite3_step(kept)) == SQLITE_ROW) {
    char *dir = rnl_path_join(record->dir, (const char *)sqlite3_column_text(kept, 1));
    if (!dir || !rnl_path_is_folder(dir))
      good = sqlite3_bind_int64(gone, 2, sqlite3_column_int64(kept, 0)) == SQLITE_OK &&
             sqlite3_step(gone) == SQLITE_DONE && sqlite3_reset(gone) == SQLITE_OK;
    rnl_free(dir);
  }
  sqlite3_finalize(kept);
  sqlite3_finalize(gone);
  return good && code == SQLITE_DONE;
}

/* Of the journals of a sweep that still runs, what the trials that the index has were read from, where that can be gone
 * on with; NULL: all is to be read. */
static json_t *read_before(sqlite3 *db, const rnl_run_record *record, const rnl_sweep_rows *rows) {
  const char *status = json_string_value(json_object_get(record->json, "status"));
  const rnl_sweep_source *source = rows->source;
  if (rows->rows || !status || strcmp(status, "running") != 0) return NULL;
  sqlite3_stmt *s = rnl_db_prepare(db, "SELECT read FROM sweeps WHERE name = ?");
  json_t *read = s && bind_text(s, 1, record->name) && sqlite3_step(s) == SQLITE_ROW ? rnl_db_text_json(s, 0) : NULL;
  sqlite3_finalize(s);
  if (json_is_object(read) &&
      (!source || (source->goes_on && source->goes_on(source->context, record->dir, read))))
    return read;
  json_decref(read);
  return NULL;
}

/* *read: as read_before gave it, and what there is to keep for the next time. Of a trial that is told of twice the
 * first counts. */
static bool put_trials(sqlite3 *db, const rnl_run_record *record, const rnl_sweep_rows *rows, json_t **read,
                       bool *loaded, rnl_error *loading) {
  static const char *const sql[] = { "DELETE FROM trials WHERE sweep = ?", NULL };
  *loaded = rows->rows != NULL || rows->source != NULL;
  if (!*loaded) return true; /* what is there stays until somebody comes who can read journals */
  if (*read ? !forget_folders(db, record) : !rnl_db_each(db, sql, record->name)) return false;
  if (!*read) *read = json_object();
  rnl_trial_sink sink = { .sweep = record->name };
  sink.thin = rnl_alloc(RNL_TRIAL_CURVE_POINTS + 1, sizeof *sink.thin);
  sink.statement = sink.thin && *read ? rnl_db_prepare(db, "INSERT OR IGNORE INTO trials VALUES"
                                                           " (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)") : NULL;
  sink.failed = !sink.statement;
  for (size_t i = 0; rows->rows && i < rows->count && rnl_trial_sink_put(&sink, &rows->rows[i]); i++) continue;
  if (!rows->rows && !sink.failed)
    *loaded = rows->source->load(rows->source->context, record->dir, record->json, *read, &sink, loading) == RNL_OK;
  sqlite3_finalize(sink.statement);
  rnl_free(sink.thin);
  return !sink.failed;
}

/* ---- the sweep's own line ----------------------------------------------------------------------- */

/* {"total": 12, "finished": 10, ...}; NULL on failure. */
static json_t *count_trials(sqlite3 *db, const char *sweep) {
  sqlite3_stmt *s = rnl_db_prepare(db, "SELECT status, count(*) FROM trials WHERE sweep = ?"
                                       " GROUP BY status ORDER BY status");
  json_t *counts = json_object();
  int code = SQLITE_ERROR;
  sqlite3_int64 total = 0;
  json_object_set_new(counts, "total", json_integer(0));
  if (s && counts && sqlite3_bind_text(s, 1, sweep, -1, SQLITE_STATIC) == SQLITE_OK)
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
      json_object_set_new(counts, (const char *)sqlite3_column_text(s, 0),
                          json_integer(sqlite3_column_int64(s, 1)));
      total += sqlite3_column_int64(s, 1);
    }
  sqlite3_finalize(s);
  if (code == SQLITE_DONE && !json_object_set_new(counts, "total", json_integer(total))) return counts;
  json_decref(counts);
  return NULL;
}

static bool wants_most(const json_t *objective) {
  const char *text = json_string_value(json_is_array(objective) ? json_array_get(objective, 0) : objective);
  return text && strncmp(text, "max:", 4) == 0;
}

/* The best configuration by the mean of its trials, all of which must have finished with a number; json null: none.
 * What sweep.json says of one that runs, or that nobody has closed, is from before it was gone on with. */
static json_t *best_of(sqlite3 *db, const rnl_run_record *record) {
  json_t *best = json_object_get(record->json, "best");
  const char *status = json_string_value(json_object_get(record->json, "status"));
  bool closed = !record->died && status && strcmp(status, "running") != 0;
  if (closed && json_is_object(best)) return json_incref(best);
  json_int_t repeats = json_integer_value(json_object_get(json_object_get(record->json, "plan"), "repeats"));
  char sql[512];
  snprintf(sql, sizeof sql,
           "SELECT config, min(number), avg(value1), count(*) FROM trials WHERE sweep = ? GROUP BY config"
           " HAVING sum(status <> 'finished' OR kind1 IS NULL OR kind1 <> 'real') = 0 AND count(*) >= %lld"
           " ORDER BY avg(value1) %s, config LIMIT 1",
           (long long)repeats, wants_most(json_object_get(record->json, "objective")) ? "DESC" : "ASC");
  sqlite3_stmt *s = rnl_db_prepare(db, sql);
  json_t *out = NULL;
  int code = SQLITE_ERROR;
  if (s && sqlite3_bind_text(s, 1, record->name, -1, SQLITE_STATIC) == SQLITE_OK) code = sqlite3_step(s);
  if (code == SQLITE_ROW)
    out = json_pack("{s:I, s:I, s:o, s:I}", "config", (json_int_t)sqlite3_column_int64(s, 0), "trial",
                    (json_int_t)sqlite3_column_int64(s, 1), "value", rnl_json_real(sqlite3_column_double(s, 2)),
                    "repeats", (json_int_t)sqlite3_column_int64(s, 3));
  if (code == SQLITE_DONE) out = json_null();
  sqlite3_finalize(s);
  return out;
}

static bool put_line(sqlite3 *db, const rnl_run_record *record, int64_t stamp, bool loaded, const json_t *read,
                     const json_t *counts, const json_t *best) {
  static const char *const keys[] = { "experiment", "script", "status", "started", "ended", "wall_s", "planned",
                                      "seed", "error" };
  enum { KEYS = sizeof keys / sizeof *keys };
  const json_t *json = record->json;
  sqlite3_stmt *s = rnl_db_prepare(db, "INSERT INTO sweeps (name, experiment, script, status, started, ended, wall_s,"
                                       " planned, seed, error, objective, trials, best, tags, notes, stamp, loaded,"
                                       " read) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  bool good = s && bind_text(s, 1, record->name);
  for (int i = 0; good && i < KEYS; i++) rnl_db_bind_plain(s, i + 2, json_object_get(json, keys[i]));
  good = good && rnl_db_bind_json(s, KEYS + 2, json_object_get(json, "objective")) &&
         rnl_db_bind_json(s, KEYS + 3, counts) && rnl_db_bind_json(s, KEYS + 4, best) &&
         rnl_db_bind_json(s, KEYS + 5, json_object_get(json, "tags")) &&
         rnl_db_bind_json(s, KEYS + 6, json_object_get(json, "notes")) &&
         sqlite3_bind_int64(s, KEYS + 7, stamp) == SQLITE_OK && sqlite3_bind_int(s, KEYS + 8, loaded) == SQLITE_OK &&
         rnl_db_bind_json(s, KEYS + 9, read) && sqlite3_step(s) == SQLITE_DONE;
  sqlite3_finalize(s);
  return good;
}

bool rnl_db_remove_sweep(sqlite3 *db, const char *sweep) {
  static const char *const sql[] = { "DELETE FROM sweeps WHERE name = ?", "DELETE FROM trials WHERE sweep = ?", NULL };
  return rnl_db_each(db, sql, sweep);
}

bool rnl_db_put_sweep(sqlite3 *db, const rnl_run_record *record, int64_t stamp, const rnl_sweep_rows *rows,
                      rnl_error *loading) {
  static const char *const sql[] = { "DELETE FROM sweeps WHERE name = ?", NULL };
  bool loaded;
  json_t *read = read_before(db, record, rows);
  if (!rnl_db_each(db, sql, record->name) || !put_trials(db, record, rows, &read, &loaded, loading)) {
    json_decref(read);
    return false;
  }
  json_t *counts = count_trials(db, record->name), *best = counts ? best_of(db, record) : NULL;
  bool good = best && put_line(db, record, stamp, loaded, rows->rows ? NULL : read, counts, best);
  json_decref(read);
  json_decref(counts);
  json_decref(best);
  return good;
}

typedef struct one_sweep {
  const rnl_run_record *record;
  const rnl_sweep_rows *rows;
  int64_t stamp;
} one_sweep;

static bool put_one(sqlite3 *db, void *context) {
  const one_sweep *sweep = context;
  rnl_error unused;
  return rnl_db_put_sweep(db, sweep->record, sweep->stamp, sweep->rows, &unused);
}

rnl_status rnl_index_add_sweep(const char *results_dir, const char *sweep, size_t count, const rnl_trial_row *rows,
                               rnl_error *err) {
  static const rnl_trial_row nothing;
  rnl_run_record record = { 0 };
  rnl_sweep_rows given = { .rows = rows ? rows : &nothing, .count = rows ? count : 0 };
  char *dir = rnl_path_join(results_dir, sweep);
  if (!dir) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", sweep);
  int64_t stamp = rnl_record_stamp(dir, true);
  rnl_status status = rnl_record_read(&record, dir, true, err);
  if (status == RNL_OK) status = rnl_db_change(results_dir, put_one, &(one_sweep){ &record, &given, stamp }, err);
  rnl_run_record_free(&record);
  rnl_free(dir);
  return status;
}

/* ---- out ---------------------------------------------------------------------------------------- */

/* The sweep the statement stands at, shaped by rnl_sweep_summary; NULL on failure. */
static json_t *line_summary(sqlite3_stmt *s, const char *results_dir) {
  static const char *const plain[] = { "status", "experiment", "script", "seed", "started", "ended", "wall_s",
                                       "planned", "error" };
  static const char *const texts[] = { "objective", "trials", "best", "tags", "notes" };
  enum { PLAIN = sizeof plain / sizeof *plain, TEXTS = sizeof texts / sizeof *texts };
  rnl_run_record record = { .is_sweep = true, .json = json_object() };
  const char *name = (const char *)sqlite3_column_text(s, 0);
  record.name = name ? rnl_strdup(name) : NULL;
  record.dir = record.name ? rnl_path_join(results_dir, record.name) : NULL;
  bool good = record.dir && record.json;
  for (int i = 0; good && i < PLAIN; i++)
    if (sqlite3_column_type(s, i + 1) != SQLITE_NULL)
      good = !json_object_set_new(record.json, plain[i], rnl_db_column_json(s, i + 1));
  for (int i = 0; good && i < TEXTS; i++) {
    json_t *value = rnl_db_text_json(s, PLAIN + 1 + i);
    if (value) good = !json_object_set_new(record.json, texts[i], value);
  }
  json_t *summary = good ? rnl_sweep_summary(&record) : NULL;
  rnl_run_record_free(&record);
  return summary;
}

rnl_db_result rnl_db_select_sweeps(sqlite3 *db, const char *path, const char *results_dir,
                                   const rnl_index_query *query, json_t *out, rnl_error *err) {
  sqlite3_stmt *s = rnl_db_prepare(db, "SELECT name, status, experiment, script, seed, started, ended, wall_s, planned,"
                                       " error, objective, trials, best, tags, notes FROM sweeps"
                                       " WHERE (?1 IS NULL OR experiment = ?1) AND (?2 IS NULL OR status = ?2)"
                                       " ORDER BY started DESC, name DESC LIMIT ?3");
  if (!s) return rnl_db_failure(db, path, err);
  bind_text(s, 1, query->experiment);
  bind_text(s, 2, query->status);
  sqlite3_bind_int64(s, 3, query->limit > 0 ? query->limit : -1);
  int code;
  while ((code = sqlite3_step(s)) == SQLITE_ROW) {
    json_t *summary = line_summary(s, results_dir);
    if (!summary || json_array_append_new(out, summary)) break;
  }
  rnl_db_result result = code == SQLITE_DONE ? RNL_DB_OK : rnl_db_failure(db, path, err);
  sqlite3_finalize(s);
  return result;
}

static json_t *objective_json(sqlite3_stmt *s, int kind_column) {
  return sqlite3_column_type(s, kind_column) == SQLITE_NULL ? NULL : rnl_db_value_json(s, kind_column);
}

/* The trial the statement stands at; NULL where memory is out. */
static json_t *trial_json(sqlite3_stmt *s) {
  static const struct { const char *key; int column; } plain[] = {
    { "config", 1 }, { "seed", 2 }, { "status", 3 }, { "epochs", 10 }, { "wall_s", 11 }, { "started", 12 },
    { "error", 13 }, { "run", 14 },
  };
  json_t *trial = json_object(), *values = json_array();
  bool good = trial && values && !json_object_set_new(trial, "trial", rnl_db_column_json(s, 0));
  for (size_t i = 0; good && i < sizeof plain / sizeof *plain; i++)
    if (sqlite3_column_type(s, plain[i].column) != SQLITE_NULL)
      good = !json_object_set_new(trial, plain[i].key, rnl_db_column_json(s, plain[i].column));
  json_t *first = objective_json(s, 4), *second = objective_json(s, 6);
  if (first || second) good = good && !json_array_append_new(values, first ? first : json_null());
  if (second) good = good && !json_array_append_new(values, second);
  json_t *params = rnl_db_text_json(s, 8), *metrics = rnl_db_text_json(s, 9);
  good = good && !json_object_set(trial, "values", values) &&
         !json_object_set_new(trial, "params", params ? params : json_object()) &&
         !json_object_set_new(trial, "metrics", metrics ? metrics : json_object());
  json_decref(values);
  if (good) return trial;
  json_decref(trial);
  return NULL;
}

rnl_db_result rnl_db_select_trials(sqlite3 *db, const char *path, const char *sweep, json_t *out, rnl_error *err) {
  sqlite3_stmt *s = rnl_db_prepare(db, "SELECT number, config, seed, status, kind1, value1, kind2, value2, params,"
                                       " metrics, epochs, wall_s, started, error, run FROM trials WHERE sweep = ?"
                                       " ORDER BY number");
  if (!s) return rnl_db_failure(db, path, err);
  bind_text(s, 1, sweep);
  int code;
  while ((code = sqlite3_step(s)) == SQLITE_ROW) {
    json_t *trial = trial_json(s);
    if (!trial || json_array_append_new(out, trial)) break;
  }
  rnl_db_result result = code == SQLITE_DONE ? RNL_DB_OK : rnl_db_failure(db, path, err);
  sqlite3_finalize(s);
  return result;
}
