/* store/index_update.c: bringing the index up to date with the folders.
 *
 * A listing costs one readdir, a stat or two a folder and one query where nothing changed. Read again are only folders
 * whose files look otherwise than when they were indexed, and runs that are marked running. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/index_db.h"
#include "store/json.h"

enum { RUNS_A_TRANSACTION = 256 }; /* so that a long rebuild lets runs that close in between */

/* ---- what a folder looks like --------------------------------------------------------------- */

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t length) {
  for (const unsigned char *p = bytes; length > 0; p++, length--) hash = (hash ^ *p) * 0x100000001b3u;
  return hash;
}

static bool mix_file(uint64_t *hash, const char *dir, const char *file) {
  char *path = rnl_path_join(dir, file);
  struct stat info;
  bool there = path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
  if (there) {
    int64_t looks[] = { info.st_size, (int64_t)info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec };
    *hash = mix(*hash, looks, sizeof looks);
  }
  rnl_free(path);
  return there;
}

/* Sums of what stands for each journal: a folder's order does not matter. */
static uint64_t journals_of(const char *dir) {
  uint64_t sum = 0;
  DIR *folder = opendir(dir);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    struct stat info;
    size_t n = strlen(entry->d_name);
    if (strncmp(entry->d_name, "journal-", 8) != 0 || n < 6 || strcmp(entry->d_name + n - 6, ".jsonl") != 0 ||
        fstatat(dirfd(folder), entry->d_name, &info, 0) != 0)
      continue;
    int64_t size = info.st_size;
    sum += mix(mix(1, entry->d_name, n), &size, sizeof size);
  }
  if (folder) closedir(folder);
  return sum;
}

int64_t rnl_record_stamp(const char *dir, bool is_sweep) {
  uint64_t hash = 0xcbf29ce484222325u;
  if (!mix_file(&hash, dir, is_sweep ? RNL_SWEEP_FILE : RNL_RUN_FILE)) return 0;
  mix_file(&hash, dir, RNL_NOTES_FILE);
  if (is_sweep) {
    uint64_t journals = journals_of(dir);
    hash = mix(hash, &journals, sizeof journals);
  }
  return hash == 0 ? 1 : (int64_t)hash;
}

/* ---- rows in -------------------------------------------------------------------------------- */

typedef struct update {
  sqlite3 *db;
  const char *results_dir;
  const rnl_sweep_source *source;
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

/* What the index has of a folder. */
typedef struct indexed {
  json_t *runs, *sweeps; /* {name: stamp}; null instead where it must be read again */
} indexed;

/* Put the run of one folder in. A folder that cannot be read is told of and passed over; false means
 * that the database failed. */
static bool put_run(update *u, const char *dir, const char *name, int64_t stamp, bool was_there) {
  rnl_error problem = { 0 };
  rnl_run_record record;
  if (rnl_run_read(&record, dir, &problem) != RNL_OK) {
    warn(u, problem.text);
    return !was_there || (begin_row(u) && rnl_db_remove(u->db, name));
  }
  if (rnl_curve_read(u->curve, dir, &problem) != RNL_OK) {
    warn(u, problem.text);
    *u->curve = (rnl_curve){ 0 };
  }
  bool good = begin_row(u) && rnl_db_put(u->db, &record, stamp, u->curve);
  rnl_run_record_free(&record);
  return good;
}

static bool put_sweep(update *u, const char *dir, const char *name, int64_t stamp, bool was_there) {
  rnl_error problem = { 0 };
  rnl_run_record record;
  if (rnl_record_read(&record, dir, true, &problem) != RNL_OK) {
    warn(u, problem.text);
    return !was_there || (begin_row(u) && rnl_db_remove_sweep(u->db, name));
  }
  rnl_sweep_rows rows = { .source = u->source };
  bool good = begin_row(u) && rnl_db_put_sweep(u->db, &record, stamp, &rows, &problem);
  if (good && problem.status != RNL_OK && u->warnings)
    rnl_buffer_printf(u->warnings, "%s; its trials are left out\n", problem.text);
  rnl_run_record_free(&record);
  return good;
}

/* One folder: a run's, a sweep's, or somebody's own. What is found is taken out of `was`. */
static bool put_folder(update *u, const char *name, indexed *was) {
  char *dir = rnl_path_join(u->results_dir, name);
  if (!dir) return false;
  bool good = true;
  for (int is_sweep = 0; is_sweep <= 1; is_sweep++) {
    json_t *known = is_sweep ? was->sweeps : was->runs;
    int64_t stamp = rnl_record_stamp(dir, is_sweep);
    if (stamp == 0) continue;
    const json_t *old = json_object_get(known, name);
    if (!json_is_integer(old) || json_integer_value(old) != stamp)
      good = (is_sweep ? put_sweep : put_run)(u, dir, name, stamp, old != NULL);
    json_object_del(known, name);
    break;
  }
  rnl_free(dir);
  return good;
}

/* {name: stamp}; null where the second column says that it must be read again. NULL on failure. */
static json_t *stamps_of(sqlite3 *db, const char *sql, int again) {
  sqlite3_stmt *statement = rnl_db_prepare(db, sql);
  json_t *stamps = json_object();
  int code = SQLITE_ERROR;
  if (statement) sqlite3_bind_int(statement, 1, again);
  while (statement && stamps && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    bool stale = sqlite3_column_int(statement, 1);
    if (name)
      json_object_set_new(stamps, name, stale ? json_null() : json_integer(sqlite3_column_int64(statement, 2)));
  }
  sqlite3_finalize(statement);
  if (code == SQLITE_DONE) return stamps;
  json_decref(stamps);
  return NULL;
}

static bool update_rows(update *u, const rnl_names *folders) {
  indexed was = { 0 };
  was.runs = stamps_of(u->db, "SELECT name, status = 'running' AND ?1, stamp FROM runs", 1);
  if (was.runs)
    was.sweeps = stamps_of(u->db, "SELECT name, status = 'running' OR (?1 AND NOT loaded), stamp FROM sweeps",
                           u->source != NULL);
  bool good = was.sweeps != NULL;
  for (size_t i = 0; good && i < folders->count; i++) good = put_folder(u, folders->items[i], &was);
  const char *name;
  json_t *unused;
  json_object_foreach(was.runs, name, unused) /* what is left has no folder any more */
    good = good && begin_row(u) && rnl_db_remove(u->db, name);
  json_object_foreach(was.sweeps, name, unused)
    good = good && begin_row(u) && rnl_db_remove_sweep(u->db, name);
  json_decref(was.runs);
  json_decref(was.sweeps);
  return good;
}

rnl_db_result rnl_db_update(sqlite3 *db, const char *path, const char *results_dir, const rnl_names *folders,
                            const rnl_sweep_source *source, bool anew, rnl_buffer *warnings, rnl_error *err) {
  update u = { .db = db, .results_dir = results_dir, .source = source, .warnings = warnings, .open_rows = -1 };
  u.curve = rnl_alloc(1, sizeof *u.curve);
  if (!u.curve) {
    rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
    return RNL_DB_UNUSABLE;
  }
  bool good = true;
  if (anew) {
    good = begin_row(&u) && rnl_db_run(db, "DELETE FROM runs; DELETE FROM params; DELETE FROM metrics;"
                                           "DELETE FROM curves; DELETE FROM sweeps; DELETE FROM trials;");
  }
  good = good && update_rows(&u, folders);
  if (good && u.open_rows >= 0) good = rnl_db_run(db, "COMMIT");
  rnl_free(u.curve);
  return good ? RNL_DB_OK : rnl_db_failure(db, path, err);
}
