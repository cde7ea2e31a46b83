/* store/index_db.h: the open index, shared by index.c (connection, schema, rows in) and index_list.c
 * (bringing it up to date, rows out). */
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

/* Rename path to path.aside (an index is made again from the files, but what was there is not ours to
 * delete). */
void rnl_db_put_aside(const char *path);

/* What the last failure on db means; fills err with "<path>: <what SQLite says>". */
rnl_db_result rnl_db_failure(sqlite3 *db, const char *path, rnl_error *err);

/* Run SQL without results, trying again while the database is locked. True where it worked. */
bool rnl_db_run(sqlite3 *db, const char *sql);

/* A prepared statement, NULL on failure. sqlite3_finalize it. */
sqlite3_stmt *rnl_db_prepare(sqlite3 *db, const char *sql);

/* Add or replace (inside a transaction) one run's rows. */
bool rnl_db_put(sqlite3 *db, const rnl_run_record *record, rnl_curve *curve);
bool rnl_db_remove(sqlite3 *db, const char *run);

#endif
