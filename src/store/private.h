/* store/private.h: what the files of this room share and nobody else sees. */
#ifndef RNL_STORE_PRIVATE_H
#define RNL_STORE_PRIVATE_H

#include "store/index.h"
#include "store/run.h"

#define RNL_RUN_FILE "run.json"
#define RNL_METRICS_FILE "metrics.csv"

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

/* ---- run.c, run_read.c ---------------------------------------------------------------------- */

/* The names of all folders in results_dir (not those beginning with '.'), in natural order: a-2 before
 * a-10. A missing results_dir has none. */
typedef struct rnl_names {
  size_t count, capacity;
  char **items;
} rnl_names;
rnl_status rnl_names_of_folders(rnl_names *out, const char *results_dir, rnl_error *err);
void rnl_names_free(rnl_names *names);

/* n in "<experiment>-n"; -1 where name is no such. */
int64_t rnl_run_number(const char *name, const char *experiment);

rnl_status rnl_run_write_json(const char *dir, const json_t *json, bool durable, rnl_error *err);

/* ---- index.c -------------------------------------------------------------------------------- */

/* Put one run into the index of results_dir. */
rnl_status rnl_index_put(const char *results_dir, const rnl_run_record *record, rnl_curve *curve,
                         rnl_error *err);

#endif
