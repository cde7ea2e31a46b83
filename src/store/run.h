/* store/run.h owns run folders: results/RUN/ with run.json, script copies and metrics.csv.
 * The files are the record; store/index.h only indexes them.
 *
 *     rnl_run *run;
 *     rnl_run_create(&run, "results", "tutorial8-q2", head, err);   results/tutorial8-q2-7/run.json
 *     rnl_run_copy_file(run, "scripts/tutorial8_q2.lua", "script.lua", err);
 *     rnl_run_metrics_begin(run, 2, (const char *[]){ "loss", "val_loss" }, err);
 *     rnl_run_metrics_append(run, rows, epochs, values, err);       any number of times
 *     rnl_run_close(run, RNL_RUN_FINISHED, tail, &warnings, err);
 *     rnl_run_free(run);
 *
 * What is made durable, and when. Creating a run writes run.json without fsync: a power cut in the
 * first moments loses a run that has no result yet, and an fsync costs milliseconds that every start
 * would pay. Closing fsyncs metrics.csv, run.json, the run's folder and the results folder, in this
 * order: once rnl_run_close returns, a finished run is not lost. Copies of scripts are synced there too.
 */
#ifndef RNL_STORE_RUN_H
#define RNL_STORE_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum rnl_run_status {
  RNL_RUN_RUNNING,
  RNL_RUN_FINISHED,
  RNL_RUN_INTERRUPTED,
  RNL_RUN_DIVERGED,
  RNL_RUN_FAILED,
  RNL_RUN_PRUNED,
  RNL_RUN_TIMEOUT,
  RNL_RUN_OOM,
  RNL_RUN_KILLED,
  RNL_RUN_STATUSES /* how many there are */
} rnl_run_status;

const char *rnl_run_status_name(rnl_run_status status); /* "running" ... */
bool rnl_run_status_parse(const char *name, rnl_run_status *out);

/* ---- writing a run -------------------------------------------------------------------------- */

typedef struct rnl_run rnl_run;

/* An experiment's name from any text ("scripts/tutorial8_q2.lua" or a title): the base name without
 * ".lua", everything but letters, digits and '.' made one '-', at most 80 bytes; "run" if none is left. */
void rnl_run_experiment_name(char out[96], const char *text);

/* Make results_dir if missing, claim the folder <experiment>-<n> (n: one more than the highest there;
 * safe against any number of processes doing so at once), and write run.json with status "running".
 * `head` (borrowed; may be NULL) is an object of whatever the caller knows: "script", "params" (object of
 * scalars), "seed" (integer), "versions", "git", "host", ... Added here: "run", "experiment", "status",
 * "started" (UTC), "process" {pid, start, boot_id, host}. `experiment` must be as
 * rnl_run_experiment_name leaves it (ERR_ARG). ERR_IO where the folder cannot be written. */
rnl_status rnl_run_create(rnl_run **out, const char *results_dir, const char *experiment,
                          const json_t *head, rnl_error *err);

/* The same with a folder of the caller's choice below results_dir, "a-sweep-1/trial-7" (ERR_IO where it exists): a run
 * that belongs to a sweep. It is found by this name and is not in the index. */
rnl_status rnl_run_create_at(rnl_run **out, const char *results_dir, const char *folder, const char *experiment,
                             const json_t *head, rnl_error *err);

const char *rnl_run_name(const rnl_run *run); /* "tutorial8-q2-7" */
const char *rnl_run_dir(const rnl_run *run);  /* "<results_dir>/tutorial8-q2-7" */

/* Put a copy of a file, or bytes, at `name` inside the folder. `name` may have subfolders
 * ("modules/tasks.lua"), made as needed; absolute names and ".." are refused (ERR_ARG). */
rnl_status rnl_run_copy_file(rnl_run *run, const char *source, const char *name, rnl_error *err);
rnl_status rnl_run_put_bytes(rnl_run *run, const char *name, const void *bytes, size_t length,
                             rnl_error *err);

/* metrics.csv: the header "epoch,<names>" at once. Call once; names must be non-empty, distinct and
 * without comma, quote or newline. */
rnl_status rnl_run_metrics_begin(rnl_run *run, int columns, const char *const *names,
                                 rnl_error *err);

/* `rows` rows in one write(2): epochs[rows], values[rows][columns] row-major. Numbers in the fewest digits
 * that read back to the same bits; NaN is `nan`, rnl_missing() an empty field. An error (disk full) leaves
 * the file at its last whole row. */
rnl_status rnl_run_metrics_append(rnl_run *run, int64_t rows, const int64_t *epochs,
                                  const double *values, rnl_error *err);

/* fdatasync of metrics.csv: the rows appended so far outlive a power cut. A checkpoint that counts on them is written
 * after that. */
rnl_status rnl_run_sync(rnl_run *run, rnl_error *err);

/* A column that comes late: metrics.csv is rewritten with it as column `at` (0: the first behind epoch), empty in the
 * rows so far. */
rnl_status rnl_run_metrics_insert(rnl_run *run, int at, const char *name, rnl_error *err);

/* Merge into run.json what is known by now ("figures", "git", ...), while the run goes on. No fsync. */
rnl_status rnl_run_note(rnl_run *run, const json_t *changes, rnl_error *err);

/* Close: run.json is rewritten with `tail` merged in (borrowed; may be NULL): "metrics" (object of
 * rnl_json_real), "epochs", "train_s", "wall_s" (default: since create), "figures" (array of paths relative
 * to the run's folder), "error" (text). Added: status, "ended". Then the index is updated; where that
 * fails the run is closed all the same and a line is added to `warnings` (may be NULL).
 * The handle stays valid for rnl_run_dir until rnl_run_free; a second close is ERR_ARG. */
rnl_status rnl_run_close(rnl_run *run, rnl_run_status status, const json_t *tail,
                         rnl_buffer *warnings, rnl_error *err);

/* Free the handle; NULL is fine. A run freed without close stays "running" on disk, and readers show
 * it as interrupted once its process is gone. */
void rnl_run_free(rnl_run *run);

/* Open the run in `dir` once more, to go on with it: metrics.csv is cut back to its first `rows` rows (a torn one and
 * temporary files are removed; 0 rows: it is begun anew by rnl_run_metrics_begin), and run.json says "running" by this
 * process, with `changes` (borrowed) merged in. *columns (freed by the caller; may be NULL) is the names in the
 * header. ERR_ARG where the run is finished (unless allowed), or running, or is being resumed by another process at
 * this moment; where its process was on another machine it may be running still, unless forced. ERR_FORMAT where
 * metrics.csv has fewer rows. The lock is held until rnl_run_free, or the process ends. */
enum { RNL_REOPEN_FORCE = 1, RNL_REOPEN_FINISHED = 2 };
rnl_status rnl_run_reopen(rnl_run **out, const char *dir, int64_t rows, unsigned allowed, const json_t *changes,
                          char ***columns, int *column_count, rnl_error *err);

/* ---- reading runs --------------------------------------------------------------------------- */

typedef struct rnl_run_record {
  char *name, *dir;
  /* run.json; "status" is corrected to "interrupted" where it says running but its process is dead, and "epochs"
   * and "metrics"."loss" then say how far it got; "tags" and "note" come from notes.json. */
  json_t *json;
  bool is_sweep; /* then json is sweep.json */
  bool died;     /* its process is gone and has not closed it */
} rnl_run_record;

/* What is meant by `query`: a name, a prefix that only one run or sweep has, "last" (the latest started), a path to a
 * folder ("results/a-3/"), or one inside the results folder ("a-sweep-1/trial-7"). kinds: RNL_FIND_RUN |
 * RNL_FIND_SWEEP. ERR_NOT_FOUND says what exists, lists the candidates of an ambiguous prefix, or says that it is of
 * the other kind; ERR_FORMAT where its file is unreadable. Release with rnl_run_record_free. */
enum { RNL_FIND_RUN = 1, RNL_FIND_SWEEP = 2, RNL_FIND_ANY = 3 };
rnl_status rnl_store_find(rnl_run_record *out, const char *results_dir, const char *query, int kinds, rnl_error *err);

/* rnl_store_find for runs only. */
rnl_status rnl_run_find(rnl_run_record *out, const char *results_dir, const char *query,
                        rnl_error *err);

/* The record of the run in folder `dir`. */
rnl_status rnl_run_read(rnl_run_record *out, const char *dir, rnl_error *err);
void rnl_run_record_free(rnl_run_record *record); /* idempotent */

/* The object `run --json` and `ls --json` print: run, dir, status, params, metrics, epochs, wall_s,
 * train_s, figures (paths that open from here: dir/figures/...), then experiment, script, seed, started, ended,
 * network, weights, error, tags and notes where there are. New reference; NULL where memory is out. */
json_t *rnl_run_summary(const rnl_run_record *record);

/* The same of a sweep, as `ls --json` prints it: sweep, dir, status, objective, planned, trials (how many there are, in
 * all and by status), best, wall_s; then experiment, script, seed, started, ended, error, tags, notes where there
 * are. */
json_t *rnl_sweep_summary(const rnl_run_record *record);

/* Merge `changes` into a closed run's run.json (durably) and the index: `rnnlab plot` adds "figures". */
rnl_status rnl_run_update(const char *dir, const json_t *changes, rnl_buffer *warnings,
                          rnl_error *err);

typedef struct rnl_metrics {
  int columns; /* without epoch */
  int64_t rows;
  char **names;
  int64_t *epochs;
  double *values; /* [rows][columns]; rnl_missing() for an empty field */
} rnl_metrics;

/* metrics.csv of a run's folder. A torn last line is dropped; ERR_NOT_FOUND where there is no such file,
 * ERR_FORMAT (with the line) where a whole line is wrong. */
rnl_status rnl_metrics_read(rnl_metrics *out, const char *dir, rnl_error *err);
void rnl_metrics_free(rnl_metrics *metrics); /* idempotent */
int rnl_metrics_column(const rnl_metrics *metrics, const char *name); /* -1: no such column */

#endif
