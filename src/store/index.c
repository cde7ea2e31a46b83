/* store/index.c: the SQLite connection, the schema, and a run's rows in.
 *
 * Journal and speed. The files are the record and the index can be made from them at any time, so it is
 * written with synchronous = OFF: a killed process leaves a journal that the next one rolls back, and
 * only a power cut can damage it, which is then noticed or mended by a rebuild. The journal is a
 * truncated rollback journal, not a WAL: a WAL needs shared memory, which network file systems have not.
 *
 * Many processes. A writer takes the lock once (BEGIN IMMEDIATE), writes one run in about a millisecond,
 * and lets go; a reader never turns into a writer inside a transaction, so nobody waits for each other
 * in a ring. A locked database is asked again for RNL_LOCK_SECONDS. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "store/index_db.h"
#include "store/json.h"

enum { RNL_LOCK_SECONDS = 30, APPLICATION_ID = 0x726e6e6c /* "rnnl" */ };


/* Schema 1, and what leads from each schema to the next: a new index goes the whole way too, so that both have the same
 * tables. params and metrics have one row a name; kind says how to read value, since SQLite stores a NaN as
 * NULL: integer, real, text, bool (0, 1), nan, inf, -inf, null, json (text). A curve is little-endian
 * float64: epoch, loss, epoch, loss, ... */
static const char schema[] =
    "DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS params; DROP TABLE IF EXISTS metrics;"
    "DROP TABLE IF EXISTS curves; DROP TABLE IF EXISTS meta; DROP TABLE IF EXISTS sweeps;"
    "DROP TABLE IF EXISTS trials;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE runs (name TEXT PRIMARY KEY, experiment TEXT, script TEXT, status TEXT NOT NULL,"
    " started TEXT, ended TEXT, wall_s REAL, train_s REAL, epochs INTEGER, seed, error TEXT,"
    " figures TEXT) WITHOUT ROWID;"
    "CREATE INDEX runs_started ON runs (started, name);"
    "CREATE TABLE params (run TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind TEXT NOT NULL, value, PRIMARY KEY (run, position)) WITHOUT ROWID;"
    "CREATE TABLE metrics (run TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,"
    " kind TEXT NOT NULL, value, PRIMARY KEY (run, position)) WITHOUT ROWID;"
    "CREATE TABLE curves (run TEXT PRIMARY KEY, points INTEGER NOT NULL, data BLOB NOT NULL);";

/* stamp: what the folder's files looked like when they were read; 0 (a migrated row) has them read again. Trials keep
 * their parameters and metrics as JSON text, a row each: a sweep writes a thousand at once. read: of a sweep that runs,
 * what its source has read of the journals. */
static const char *const steps[] = {
  [1] = "ALTER TABLE runs ADD COLUMN network TEXT; ALTER TABLE runs ADD COLUMN weights INTEGER;"
        "ALTER TABLE runs ADD COLUMN tags TEXT; ALTER TABLE runs ADD COLUMN notes TEXT;"
        "ALTER TABLE runs ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;"
        "CREATE TABLE sweeps (name TEXT PRIMARY KEY, experiment TEXT, script TEXT, status TEXT NOT NULL,"
        " started TEXT, ended TEXT, wall_s REAL, planned INTEGER, seed, error TEXT, objective TEXT, trials TEXT,"
        " best TEXT, tags TEXT, notes TEXT, stamp INTEGER NOT NULL, loaded INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE trials (sweep TEXT NOT NULL, number INTEGER NOT NULL, config INTEGER, seed INTEGER,"
        " status TEXT NOT NULL, kind1 TEXT, value1 REAL, kind2 TEXT, value2 REAL, params TEXT, metrics TEXT,"
        " epochs INTEGER, wall_s REAL, started TEXT, error TEXT, run TEXT, points INTEGER NOT NULL, curve BLOB,"
        " PRIMARY KEY (sweep, number));",
  [2] = "ALTER TABLE sweeps ADD COLUMN read TEXT;",
};
_Static_assert(sizeof steps / sizeof *steps == RNL_INDEX_SCHEMA, "a new schema needs the step that leads to it");

/* ---- the connection ------------------------------------------------------------------------- */

/* SQLite asks this while another process holds the lock; waits differ from process to process, so that
 * a crowd starting at once does not come back at once. */
static int wait_for_lock(void *unused, int tries) {
  (void)unused;
  long wait_us = 300 + 100 * (tries < 40 ? tries : 40) + 37 * (getpid() % 31);
  if ((double)tries * 3e-3 > RNL_LOCK_SECONDS) return 0;
  nanosleep(&(struct timespec){ .tv_nsec = wait_us * 1000 }, NULL);
  return 1;
}

bool rnl_db_run(sqlite3 *db, const char *sql) {
  double deadline = rnl_time_monotonic() + RNL_LOCK_SECONDS;
  for (;;) {
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) return true;
    /* SQLite gives some locks up without asking the handler (to break a ring, or a journal being
     * rolled back). */
    if ((code & 0xff) != SQLITE_BUSY || rnl_time_monotonic() > deadline) return false;
    wait_for_lock(NULL, 10);
  }
}

sqlite3_stmt *rnl_db_prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  double deadline = rnl_time_monotonic() + RNL_LOCK_SECONDS;
  while (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
    if ((sqlite3_errcode(db) & 0xff) != SQLITE_BUSY || rnl_time_monotonic() > deadline) return NULL;
    wait_for_lock(NULL, 10);
  }
  return statement;
}

rnl_db_result rnl_db_failure(sqlite3 *db, const char *path, rnl_error *err) {
  int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
  rnl_fail(err, code == SQLITE_NOMEM ? RNL_ERR_MEMORY : RNL_ERR_IO, "%s: %s", path ? path : "index",
           db ? sqlite3_errmsg(db) : "out of memory");
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table or column is not there */
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_OK: /* it holds something that makes no sense */
    case SQLITE_ROW:
    case SQLITE_DONE: return RNL_DB_BROKEN;
    default: return RNL_DB_UNUSABLE;
  }
}

static bool read_integer(sqlite3 *db, const char *sql, int64_t *out) {
  sqlite3_stmt *statement = rnl_db_prepare(db, sql);
  int code = statement ? sqlite3_step(statement) : SQLITE_ERROR;
  if (code == SQLITE_ROW) *out = sqlite3_column_int64(statement, 0);
  return sqlite3_finalize(statement) == SQLITE_OK && code == SQLITE_ROW;
}

typedef enum schema_state {
  SCHEMA_FAILED,  /* could not be read: the connection says why */
  SCHEMA_READY,
  SCHEMA_OLD,     /* or not there yet */
  SCHEMA_NEWER,
  SCHEMA_FOREIGN  /* somebody else's database */
} schema_state;

/* All three in one transaction: between two of them another process may make the whole schema, and its tables beside
 * the application_id of before would look like somebody else's database. */
static schema_state look_at_schema(sqlite3 *db, int64_t *version) {
  int64_t application, tables;
  bool ours = sqlite3_get_autocommit(db) != 0;
  if (ours && !rnl_db_run(db, "BEGIN")) return SCHEMA_FAILED;
  if (!read_integer(db, "PRAGMA user_version", version) ||
      !read_integer(db, "PRAGMA application_id", &application) ||
      !read_integer(db, "SELECT count(*) FROM sqlite_master", &tables) || (ours && !rnl_db_run(db, "COMMIT")))
    return SCHEMA_FAILED;
  if (tables == 0 && *version == 0) return SCHEMA_OLD;
  if (application != APPLICATION_ID) return SCHEMA_FOREIGN;
  if (*version > RNL_INDEX_SCHEMA) return SCHEMA_NEWER;
  return *version == RNL_INDEX_SCHEMA ? SCHEMA_READY : SCHEMA_OLD;
}

/* From `version` to this schema; 0: from nothing. */
static bool migrate(sqlite3 *db, int64_t version) {
  char pragmas[128];
  snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
           APPLICATION_ID, RNL_INDEX_SCHEMA);
  bool good = true, anew = version < 1;
  if (anew) good = rnl_db_run(db, schema);
  for (int64_t step = anew ? 1 : version; good && step < RNL_INDEX_SCHEMA; step++) good = rnl_db_run(db, steps[step]);
  good = good && rnl_db_run(db, pragmas);
  if (!good || !anew) return good;
  rnl_host host;
  rnl_host_describe(&host);
  sqlite3_stmt *statement = good ? rnl_db_prepare(db, "INSERT INTO meta VALUES ('host', ?)") : NULL;
  if (statement) sqlite3_bind_text(statement, 1, host.name, -1, SQLITE_TRANSIENT);
  good = statement && sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_finalize(statement);
  return good;
}

rnl_db_result rnl_db_open(sqlite3 **db, const char *path, rnl_error *err) {
  *db = NULL;
  sqlite3 *opened = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  rnl_db_result result = RNL_DB_OK;
  int64_t version = 0;
  bool in_transaction = false;
  schema_state state = SCHEMA_FAILED;
  if (sqlite3_open_v2(path ? path : ":memory:", &opened, flags, NULL) != SQLITE_OK) goto failed;
  sqlite3_busy_handler(opened, wait_for_lock, NULL);
  sqlite3_exec(opened, "PRAGMA synchronous = OFF; PRAGMA journal_mode = TRUNCATE", NULL, NULL, NULL);
  state = look_at_schema(opened, &version);
  if (state == SCHEMA_OLD) {
    /* Somebody else may be making it: look again when the lock is ours. */
    in_transaction = rnl_db_run(opened, "BEGIN IMMEDIATE");
    if (!in_transaction) goto failed;
    state = look_at_schema(opened, &version);
    if (state == SCHEMA_OLD) state = migrate(opened, version) ? SCHEMA_READY : SCHEMA_FAILED;
    if (state == SCHEMA_READY && !rnl_db_run(opened, "COMMIT")) state = SCHEMA_FAILED;
  }
  if (state == SCHEMA_READY) {
    *db = opened;
    return RNL_DB_OK;
  }
  if (state == SCHEMA_NEWER) {
    rnl_fail(err, RNL_ERR_FORMAT,
             "%s: this index was written by a newer rnnlab (schema %lld, this one knows %d); use that "
             "one, or have this one make its own: rnnlab reindex",
             path, (long long)version, RNL_INDEX_SCHEMA);
    result = RNL_DB_NEWER;
  } else if (state == SCHEMA_FOREIGN) {
    rnl_fail(err, RNL_ERR_FORMAT, "%s: is a database, but not an rnnlab index", path);
    result = RNL_DB_BROKEN;
  }
failed:
  if (result == RNL_DB_OK) result = rnl_db_failure(opened, path, err);
  rnl_db_close(opened); /* rolls back what is open */
  return result;
}

void rnl_db_close(sqlite3 *db) { sqlite3_close(db); }

rnl_db_file rnl_db_file_at(const char *path) {
  struct stat about;
  if (!path || stat(path, &about) < 0) return (rnl_db_file){ 0 };
  return (rnl_db_file){ .is_there = true, .device = (uint64_t)about.st_dev, .inode = (uint64_t)about.st_ino };
}

static void put_aside(const char *path) {
  static const char *const parts[] = { "", "-journal" };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    rnl_buffer from = { 0 }, to = { 0 };
    rnl_buffer_printf(&from, "%s%s", path, parts[i]);
    rnl_buffer_printf(&to, "%s.aside%s", path, parts[i]);
    if (!from.failed && !to.failed) rename(from.data, to.data);
    rnl_buffer_free(&from);
    rnl_buffer_free(&to);
  }
}

bool rnl_db_begin_anew(const char *path, rnl_db_file before, rnl_db_result result) {
  if (result == RNL_DB_OK || result == RNL_DB_NEWER || !path) return false;
  rnl_db_file now = rnl_db_file_at(path);
  bool moved = before.is_there && (!now.is_there || now.device != before.device || now.inode != before.inode);
  if (moved) return true;
  if (result != RNL_DB_BROKEN) return false;
  put_aside(path);
  return true;
}

/* ---- rows in -------------------------------------------------------------------------------- */

/* Bind "kind" at `at` and the value behind it. */
bool rnl_db_bind_value(sqlite3_stmt *statement, int at, const json_t *value) {
  const char *kind = "null";
  double number;
  int code = SQLITE_OK;
  switch (json_typeof(value)) {
    case JSON_NULL: code = sqlite3_bind_null(statement, at + 1); break;
    case JSON_TRUE:
    case JSON_FALSE:
      kind = "bool";
      code = sqlite3_bind_int(statement, at + 1, json_is_true(value));
      break;
    case JSON_INTEGER:
      kind = "integer";
      code = sqlite3_bind_int64(statement, at + 1, json_integer_value(value));
      break;
    case JSON_REAL:
      kind = "real";
      code = sqlite3_bind_double(statement, at + 1, json_real_value(value));
      break;
    case JSON_STRING:
      if (rnl_json_number(value, &number)) {
        kind = isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
        code = sqlite3_bind_null(statement, at + 1);
      } else {
        kind = "text";
        code = sqlite3_bind_text(statement, at + 1, json_string_value(value),
                                 (int)json_string_length(value), SQLITE_TRANSIENT);
      }
      break;
    default: {
      rnl_buffer text = { 0 };
      kind = "json";
      rnl_json_write(&text, value, 0);
      code = text.failed ? SQLITE_NOMEM
                         : sqlite3_bind_text(statement, at + 1, text.data, (int)text.length,
                                             SQLITE_TRANSIENT);
      rnl_buffer_free(&text);
    }
  }
  return code == SQLITE_OK && sqlite3_bind_text(statement, at, kind, -1, SQLITE_STATIC) == SQLITE_OK;
}

static bool put_values(sqlite3 *db, const char *sql, const char *run, const json_t *object) {
  if (json_object_size(object) == 0) return true;
  sqlite3_stmt *statement = rnl_db_prepare(db, sql);
  const char *key;
  json_t *value;
  int position = 0;
  bool good = statement != NULL;
  if (good) {
    json_object_foreach((json_t *)object, key, value) {
      sqlite3_bind_text(statement, 1, run, -1, SQLITE_STATIC);
      sqlite3_bind_int(statement, 2, ++position);
      sqlite3_bind_text(statement, 3, key, -1, SQLITE_STATIC);
      good = rnl_db_bind_value(statement, 4, value) && sqlite3_step(statement) == SQLITE_DONE;
      if (!good) break; /* another call would make SQLite forget the error */
      sqlite3_reset(statement);
    }
  }
  sqlite3_finalize(statement);
  return good;
}

void rnl_db_bind_plain(sqlite3_stmt *statement, int at, const json_t *value) {
  if (json_is_string(value)) sqlite3_bind_text(statement, at, json_string_value(value), -1, SQLITE_TRANSIENT);
  else if (json_is_integer(value)) sqlite3_bind_int64(statement, at, json_integer_value(value));
  else if (json_is_real(value)) sqlite3_bind_double(statement, at, json_real_value(value));
}

bool rnl_db_bind_json(sqlite3_stmt *statement, int at, const json_t *value) {
  if (!value || json_is_null(value)) return sqlite3_bind_null(statement, at) == SQLITE_OK;
  rnl_buffer text = { 0 };
  rnl_json_write(&text, value, 0);
  bool good = !text.failed && sqlite3_bind_text(statement, at, rnl_buffer_string(&text), (int)text.length,
                                                SQLITE_TRANSIENT) == SQLITE_OK;
  rnl_buffer_free(&text);
  return good;
}

static bool put_run(sqlite3 *db, const rnl_run_record *record, int64_t stamp) {
  static const char *const keys[] = { "experiment", "script", "status", "started", "ended", "wall_s",
                                      "train_s", "epochs", "seed", "error", "network", "weights" };
  static const char *const lists[] = { "figures", "tags", "notes" };
  enum { KEYS = sizeof keys / sizeof *keys, LISTS = sizeof lists / sizeof *lists };
  sqlite3_stmt *statement =
      rnl_db_prepare(db, "INSERT INTO runs (name, experiment, script, status, started, ended, wall_s, train_s, epochs,"
                         " seed, error, network, weights, figures, tags, notes, stamp)"
                         " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!statement) return false;
  bool good = sqlite3_bind_text(statement, 1, record->name, -1, SQLITE_STATIC) == SQLITE_OK;
  for (int i = 0; i < KEYS; i++) rnl_db_bind_plain(statement, i + 2, json_object_get(record->json, keys[i]));
  for (int i = 0; good && i < LISTS; i++) {
    const json_t *list = json_object_get(record->json, lists[i]);
    if (json_is_array(list)) good = rnl_db_bind_json(statement, KEYS + 2 + i, list);
  }
  good = good && sqlite3_bind_int64(statement, KEYS + LISTS + 2, stamp) == SQLITE_OK &&
         sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_finalize(statement);
  return good;
}

bool rnl_db_bind_curve(sqlite3_stmt *statement, int at, size_t points, const double (*curve)[2]) {
  unsigned char *bytes = rnl_alloc(points, 16);
  if (!bytes) return false;
  for (size_t i = 0; i < 2 * points; i++) {
    uint64_t bits;
    memcpy(&bits, &curve[i / 2][i % 2], sizeof bits);
    for (int k = 0; k < 8; k++) bytes[8 * i + (size_t)k] = (unsigned char)(bits >> 8 * k);
  }
  bool good = sqlite3_bind_blob(statement, at, bytes, (int)points * 16, SQLITE_TRANSIENT) == SQLITE_OK;
  rnl_free(bytes);
  return good;
}

static bool put_curve(sqlite3 *db, const char *run, rnl_curve *curve) {
  int points = curve ? rnl_curve_finish(curve) : 0;
  if (points == 0) return true;
  sqlite3_stmt *statement = rnl_db_prepare(db, "INSERT INTO curves (run, points, data) VALUES (?,?,?)");
  bool good = statement && sqlite3_bind_text(statement, 1, run, -1, SQLITE_STATIC) == SQLITE_OK &&
              sqlite3_bind_int(statement, 2, points) == SQLITE_OK &&
              rnl_db_bind_curve(statement, 3, (size_t)points, (const double (*)[2])curve->points) &&
              sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_finalize(statement);
  return good;
}

bool rnl_db_each(sqlite3 *db, const char *const *sql, const char *name) {
  bool good = true;
  for (; good && *sql; sql++) {
    sqlite3_stmt *statement = rnl_db_prepare(db, *sql);
    good = statement && sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
  }
  return good;
}

bool rnl_db_remove(sqlite3 *db, const char *run) {
  static const char *const sql[] = { "DELETE FROM runs WHERE name = ?", "DELETE FROM params WHERE run = ?",
                                     "DELETE FROM metrics WHERE run = ?", "DELETE FROM curves WHERE run = ?", NULL };
  return rnl_db_each(db, sql, run);
}

bool rnl_db_put(sqlite3 *db, const rnl_run_record *record, int64_t stamp, rnl_curve *curve) {
  return rnl_db_remove(db, record->name) && put_run(db, record, stamp) &&
         put_values(db, "INSERT INTO params VALUES (?,?,?,?,?)", record->name,
                    json_object_get(record->json, "params")) &&
         put_values(db, "INSERT INTO metrics VALUES (?,?,?,?,?)", record->name,
                    json_object_get(record->json, "metrics")) &&
         put_curve(db, record->name, curve);
}

/* ---- one run or sweep ------------------------------------------------------------------------- */

static rnl_db_result change_once(const char *path, bool (*change)(sqlite3 *db, void *context), void *context,
                                 rnl_error *err) {
  sqlite3 *db;
  rnl_db_result result = rnl_db_open(&db, path, err);
  if (result != RNL_DB_OK) return result;
  if (!rnl_db_run(db, "BEGIN IMMEDIATE") || !change(db, context) || !rnl_db_run(db, "COMMIT"))
    result = rnl_db_failure(db, path, err);
  rnl_db_close(db);
  return result;
}

rnl_status rnl_db_change(const char *results_dir, bool (*change)(sqlite3 *db, void *context), void *context,
                         rnl_error *err) {
  rnl_error problem = { 0 };
  char *path = rnl_path_join(results_dir, RNL_INDEX_FILE);
  if (!path) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  rnl_db_result result;
  rnl_db_file before;
  int attempts = 0;
  do { /* one begun anew holds this change; the next listing adds the rest */
    before = rnl_db_file_at(path);
    result = change_once(path, change, context, &problem);
  } while (++attempts < RNL_DB_ATTEMPTS && rnl_db_begin_anew(path, before, result));
  rnl_free(path);
  return result == RNL_DB_OK ? RNL_OK : rnl_fail(err, problem.status, "%s", problem.text);
}

typedef struct one_run {
  const rnl_run_record *record;
  rnl_curve *curve;
  int64_t stamp;
} one_run;

static bool put_one(sqlite3 *db, void *context) {
  const one_run *run = context;
  return rnl_db_put(db, run->record, run->stamp, run->curve);
}

bool rnl_index_is_for(const char *results_dir) {
  char *path = rnl_path_join(results_dir, RNL_SWEEP_FILE);
  bool of_a_sweep = path && rnl_path_exists(path);
  rnl_free(path);
  return !of_a_sweep;
}

rnl_status rnl_index_put(const char *results_dir, const rnl_run_record *record, rnl_curve *curve,
                         rnl_error *err) {
  if (!rnl_index_is_for(results_dir)) return RNL_OK;
  one_run run = { record, curve, rnl_record_stamp(record->dir, false) };
  return rnl_db_change(results_dir, put_one, &run, err);
}

rnl_status rnl_index_add(const char *results_dir, const char *run, rnl_error *err) {
  if (!rnl_index_is_for(results_dir)) return RNL_OK;
  rnl_run_record record = { 0 };
  char *dir = rnl_path_join(results_dir, run);
  rnl_curve *curve = rnl_alloc(1, sizeof *curve);
  rnl_status status = dir && curve ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", run);
  int64_t stamp = dir ? rnl_record_stamp(dir, false) : 0;
  if (status == RNL_OK) status = rnl_run_read(&record, dir, err);
  if (status == RNL_OK) status = rnl_curve_read(curve, dir, err);
  if (status == RNL_OK) status = rnl_db_change(results_dir, put_one, &(one_run){ &record, curve, stamp }, err);
  rnl_run_record_free(&record);
  rnl_free(curve);
  rnl_free(dir);
  return status;
}

static bool remove_one(sqlite3 *db, void *context) {
  return rnl_db_remove(db, context) && rnl_db_remove_sweep(db, context);
}

rnl_status rnl_index_remove(const char *results_dir, const char *name, rnl_error *err) {
  return rnl_db_change(results_dir, remove_one, (void *)name, err);
}
