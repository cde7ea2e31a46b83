/* store/index.h owns results/rnnlab.db, an SQLite index over run folders. It can always be made
 * again from the files, so it is written for speed and never stands in a run's way. */
#ifndef RNL_STORE_INDEX_H
#define RNL_STORE_INDEX_H

#include <jansson.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum { RNL_INDEX_SCHEMA = 1, RNL_INDEX_CURVE_POINTS = 1024 };

typedef struct rnl_index_query { /* all zeros: every run */
  const char *experiment;        /* only this experiment's */
  const char *status;            /* only this status */
  int64_t limit;                 /* only the latest n; 0: all */
} rnl_index_query;

/* The runs in results_dir, oldest start first, as a new array of objects shaped as rnl_run_summary's.
 * The index is first brought up to date: rebuilt where missing, of an older schema or corrupt; runs whose
 * folder appeared or vanished are added or dropped; those still "running" are looked at again. Where it
 * cannot be written the folders are read instead. Folders that cannot be read are told in `warnings` (a
 * line each; may be NULL) and hide nothing else. An index of a newer rnnlab is ERR_FORMAT. A results_dir
 * that does not exist gives an empty array. `query` may be NULL. */
rnl_status rnl_index_list(json_t **out, const char *results_dir, const rnl_index_query *query,
                          rnl_buffer *warnings, rnl_error *err);

/* Make the index anew from the files; *runs (may be NULL) says how many it holds. An index of a newer
 * schema is replaced too: this is what the user is told to do. */
rnl_status rnl_index_rebuild(const char *results_dir, int64_t *runs, rnl_buffer *warnings,
                             rnl_error *err);

/* Add or replace one run from its folder. rnl_run_close and rnl_run_update do this. */
rnl_status rnl_index_add(const char *results_dir, const char *run, rnl_error *err);

/* The run's thinned curve of metrics.csv's column "loss": *points rows, epochs and values to be
 * released with rnl_free (0 points: it has none). ERR_NOT_FOUND: no such run in the index. */
rnl_status rnl_index_curve(const char *results_dir, const char *run, int64_t *points,
                           double **epochs, double **values, rnl_error *err);

#endif
