/* store/private.h: what the files of this room share and nobody else sees. */
#ifndef RNL_STORE_PRIVATE_H
#define RNL_STORE_PRIVATE_H

#include "base/file.h"
#include "store/index.h"
#include "store/notes.h"
#include "store/run.h"
#include "store/sweep.h"

#define RNL_RUN_FILE "run.json"
#define RNL_METRICS_FILE "metrics.csv"
#define RNL_NOTES_FILE "notes.jsonl"

/* ---- metrics.c ------------------------------------------------------------------------------ */

/* A loss curve thinned to at most RNL_INDEX_CURVE_POINTS rows and the last one: every stride-th row,
 * the stride doubling whenever the room is full. A function of the rows alone, so that an index built
 * from metrics.csv holds the same points as one written while training. */
typedef struct rnl_curve {
  int64_t rows, stride;
  int count;
  double points[RNL_INDEX_CURVE_POINTS + 1][2]; /* epoch, value */
  double last[2];
} rnl_curve;

void rnl_curve_add(rnl_curve *curve, double epoch, double value);
int rnl_curve_finish(rnl_curve *curve); /* puts the last row at the end; returns the number of points */

/* The curve of column "loss" in dir's metrics.csv; empty where there is none. */
rnl_status rnl_curve_read(rnl_curve *curve, const char *dir, rnl_error *err);

/* Rows as text, appended to out. */
void rnl_metrics_format(rnl_buffer *out, int columns, int64_t rows, const int64_t *epochs,
                        const double *values);

/* ---- run.c, run_read.c, names.c ------------------------------------------------------------- */

/* The names of all folders in results_dir (not those beginning with '.'), in natural order: a-2 before
 * a-10. A missing results_dir has none. */
typedef struct rnl_names {
  size_t count, capacity;
  char **items;
} rnl_names;
rnl_status rnl_names_of_folders(rnl_names *out, const char *results_dir, rnl_error *err);
bool rnl_names_add(rnl_names *names, const char *name);
void rnl_names_free(rnl_names *names);

/* n in "<experiment>-n"; -1 where name is no such. */
int64_t rnl_run_number(const char *name, const char *experiment);

rnl_status rnl_run_write_json(const char *dir, const json_t *json, bool durable, rnl_error *err);
rnl_status rnl_record_write(const char *dir, const char *file, const json_t *json, bool durable, rnl_error *err);

/* batch.c: a sweep that says it runs on Slurm, where nothing of it runs or waits any more? False where that is not
 * known. */
bool rnl_batch_is_over(const char *dir, const json_t *json);

/* Make the next free folder <results_dir>/<experiment>-<n>; *name and *dir are the caller's to rnl_free. */
rnl_status rnl_claim_folder(char **name, char **dir, const char *results_dir, const char *experiment,
                            rnl_error *err);

/* ERR_ARG where the experiment's name cannot name a folder, or the results folder has no name. */
rnl_status rnl_check_names(const char *results_dir, const char *experiment, rnl_error *err);

/* The record in folder dir, of a run or of a sweep. */
rnl_status rnl_record_read(rnl_run_record *out, const char *dir, bool is_sweep, rnl_error *err);

/* What the files a listing reads look like (time, size, inode of run.json or sweep.json and the notes; a sweep's
 * journals by name and size): changes with them. 0: there is no run.json or sweep.json. */
int64_t rnl_record_stamp(const char *dir, bool is_sweep);

/* "tags" and "notes" of dir's notes file into json. */
rnl_status rnl_notes_merge(json_t *json, const char *dir, rnl_error *err);

/* A run being written (run.c, reopen.c). */
struct rnl_run {
  char *results, *name, *dir;
  json_t *json;      /* run.json as it is on disk */
  double began;      /* monotonic seconds */
  rnl_append metrics;
  int columns, loss_column;
  rnl_curve curve;   /* of the rows that reached the file */
  rnl_names copies;  /* names put into the folder, synced at the close */
  int lock;          /* reopened: the descriptor that holds the lock; 0: none */
  bool closed;
};

/* ---- index.c -------------------------------------------------------------------------------- */

/* Put one run into the index of results_dir. */
rnl_status rnl_index_put(const char *results_dir, const rnl_run_record *record, rnl_curve *curve,
                         rnl_error *err);

#endif
