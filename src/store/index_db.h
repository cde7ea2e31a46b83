/* store/index_db.h: the open index, shared by index.c (connection, schema, a run's rows in),
 * index_sweep.c (a sweep's), index_update.c (bringing it up to date with the folders), index_list.c (rows out). */
#ifndef RNL_STORE_INDEX_DB_H
#define RNL_STORE_INDEX_DB_H

#include <sqlite3.h>

#include "store/private.h"

#define RNL_INDEX_FILE "rnnlab.db"

typedef enum rnl_db_result {
  RNL_DB_OK,
  RNL_DB_BROKEN,   /* not a database of ours, or a damaged one: put it aside and begin anew */
  RNL_DB_NEWER,    /* of a schema this rnnlab does not know */
  RNL_DB_UNUSABLE  /* cannot be opened, read or written here: go by the files */
} rnl_db_result;

/* Open (made if missing; path NULL: in memory) with its schema in place. On failure the text is in err
 * and *db is NULL. */
rnl_db_result rnl_db_open(sqlite3 **db, const char *path, rnl_error *err);

/* Close; NULL is fine. */
void rnl_db_close(sqlite3 *db);

/* Which file stood at a path before it was opened. */
typedef struct rnl_db_file {
  bool is_there;
  uint64_t device, inode;
} rnl_db_file;

rnl_db_file rnl_db_file_at(const char *path);

/* Whether what ended with `result` on the file `before` at path is worth another attempt. It is where another process
 * put that file aside while it was open here (SQLite then says "readonly" or "disk I/O error"), and where it is broken:
 * then it is put aside here, as path.aside (an index is made again from the files, but what was there is not ours to
 * delete). */
bool rnl_db_begin_anew(const char *path, rnl_db_file before, rnl_db_result result);

enum { RNL_DB_ATTEMPTS = 3 };

/* What the last failure on db means; fills err with "<path>: <what SQLite says>". */
rnl_db_result rnl_db_failure(sqlite3 *db, const char *path, rnl_error *err);

/* Run SQL without results, trying again while the database is locked. True where it worked. */
bool rnl_db_run(sqlite3 *db, const char *sql);

/* A prepared statement, NULL on failure. sqlite3_finalize it. */
sqlite3_stmt *rnl_db_prepare(sqlite3 *db, const char *sql);

/* Bind "kind" at `at` and the value behind it; a scalar where it is one; JSON as text; a packed curve. */
bool rnl_db_bind_value(sqlite3_stmt *statement, int at, const json_t *value);
void rnl_db_bind_plain(sqlite3_stmt *statement, int at, const json_t *value);
bool rnl_db_bind_json(sqlite3_stmt *statement, int at, const json_t *value);
bool rnl_db_bind_curve(sqlite3_stmt *statement, int at, size_t points, const double (*curve)[2]);

/* Run each statement (a list ended by NULL) with its one parameter bound to name. */
bool rnl_db_each(sqlite3 *db, const char *const *sql, const char *name);

/* Open the index of results_dir and let `change` work in one transaction; begun anew where it is broken. */
rnl_status rnl_db_change(const char *results_dir, bool (*change)(sqlite3 *db, void *context), void *context,
                         rnl_error *err);

/* Is there an index for this folder? A sweep's folder, with the runs it kept, has none of its own. */
bool rnl_index_is_for(const char *results_dir);

/* Add or replace (inside a transaction) one run's rows. */
bool rnl_db_put(sqlite3 *db, const rnl_run_record *record, int64_t stamp, rnl_curve *curve);
bool rnl_db_remove(sqlite3 *db, const char *run);

/* ---- index_sweep.c -------------------------------------------------------------------------- */

/* Where a sweep's rows come from: source->load, or the array, or (both NULL) nowhere. */
typedef struct rnl_sweep_rows {
  const rnl_sweep_source *source;
  const rnl_trial_row *rows;
  size_t count;
} rnl_sweep_rows;

/* Add or replace (inside a transaction) a sweep and its trials. False: the database failed. *loading has the source's
 * error where it had one; the sweep is there without trials then. */
bool rnl_db_put_sweep(sqlite3 *db, const rnl_run_record *record, int64_t stamp, const rnl_sweep_rows *rows,
                      rnl_error *loading);
bool rnl_db_remove_sweep(sqlite3 *db, const char *sweep);

/* Append the latest `limit` (-1: all) sweeps, latest first. */
rnl_db_result rnl_db_select_sweeps(sqlite3 *db, const char *path, const char *results_dir,
                                   const rnl_index_query *query, json_t *out, rnl_error *err);

/* Append the sweep's trials, by number. */
rnl_db_result rnl_db_select_trials(sqlite3 *db, const char *path, const char *sweep, json_t *out, rnl_error *err);

/* ---- index_update.c ------------------------------------------------------------------------- */

/* Bring the index up to date with the folders; `anew`: from nothing. */
rnl_db_result rnl_db_update(sqlite3 *db, const char *path, const char *results_dir, const rnl_names *folders,
                            const rnl_sweep_source *source, bool anew, rnl_buffer *warnings, rnl_error *err);

/* ---- index_list.c --------------------------------------------------------------------------- */

json_t *rnl_db_column_json(sqlite3_stmt *statement, int column);
/* What rnl_db_bind_value bound at kind_column. */
json_t *rnl_db_value_json(sqlite3_stmt *statement, int kind_column);
/* What rnl_db_bind_json bound; NULL: nothing was, or it is no JSON. */
json_t *rnl_db_text_json(sqlite3_stmt *statement, int column);
#endif
