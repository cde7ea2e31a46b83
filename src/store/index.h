/* store/index.h owns results/rnnlab.db, an SQLite index over run and sweep folders. It can always be made
 * again from the files, so it is written for speed and never stands in a run's way. */
#ifndef RNL_STORE_INDEX_H
#define RNL_STORE_INDEX_H

#include <jansson.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "store/run.h"

enum { RNL_INDEX_SCHEMA = 3, RNL_INDEX_CURVE_POINTS = 1024, RNL_TRIAL_CURVE_POINTS = 128 };

/* ---- sweeps -------------------------------------------------------------------------------------
 *
 * The index does not know how a journal is written: whoever does hands over rows. All text and JSON is borrowed. */
typedef struct rnl_trial_row {
  int64_t number;         /* of the trial, unique in its sweep */
  int64_t config;         /* which configuration: its repeats share it */
  int64_t seed;
  rnl_run_status status;
  double values[2];       /* of the objectives; rnl_missing() where there is none; NaN is kept as one */
  const json_t *params;   /* object, as in run.json; NULL: none */
  const json_t *metrics;  /* object of rnl_json_real; NULL: none */
  int64_t epochs;         /* -1: not known */
  double wall_s;          /* rnl_missing(): not known */
  const char *started;    /* rnl_time_utc; NULL: not known */
  const char *error;      /* one line; NULL: none */
  const char *run;        /* its run folder inside the sweep's, where it was kept; NULL */
  size_t points;          /* of its curve, thinned here to RNL_TRIAL_CURVE_POINTS and the last one */
  const double *curve;    /* [points][2]: epoch, objective or loss */
} rnl_trial_row;

/* Where the rows come from when a sweep's folder is newer than the index, or the index is made anew. */
typedef struct rnl_trial_sink rnl_trial_sink;
bool rnl_trial_sink_put(rnl_trial_sink *sink, const rnl_trial_row *row); /* false: the index failed; stop */

typedef struct rnl_sweep_source {
  /* Read the journals of the sweep folder `dir` (`head`: its sweep.json) and put their trials; of a trial put twice the
   * first counts. `read` is the source's own: an empty object where all is to be read, and for a sweep that still runs
   * as it was left the time before, so that what was read then need not be read again. A torn or strange line is not an
   * error, it is left out; an error leaves the sweep's line in the index without its trials. */
  rnl_status (*load)(void *context, const char *dir, const json_t *head, json_t *read, rnl_trial_sink *sink,
                     rnl_error *err);
  /* Are the journals those that `read` is about, only longer? NULL: all is read each time. */
  bool (*goes_on)(void *context, const char *dir, const json_t *read);
  void *context;
} rnl_sweep_source;

/* Add or replace a sweep: its line from results_dir/sweep/sweep.json, its trials from `rows`, in one transaction
 * (1,000 trials: some 20 ms). For the coordinator's end, and now and then while it goes on.
 * Keys of sweep.json that are looked at: experiment, script, status, started, ended, wall_s, process, error,
 * objective ("val_loss", "max:accuracy", or an array of two such), planned (how many trials it would have), best (an
 * object that has at least "value"; made from the rows where there is none). */
rnl_status rnl_index_add_sweep(const char *results_dir, const char *sweep, size_t count, const rnl_trial_row *rows,
                               rnl_error *err);

/* The sweep's trials from the index, by number: an array of {trial, config, seed, status, values (array), params,
 * metrics, epochs, wall_s, started, error, run}. The index is brought up to date first, by `source` (NULL: it cannot
 * be). ERR_NOT_FOUND: no such sweep. */
rnl_status rnl_index_trials(json_t **out, const char *results_dir, const char *sweep, const rnl_sweep_source *source,
                            rnl_error *err);

/* A trial's thinned curve, as rnl_index_curve gives a run's. */
rnl_status rnl_index_trial_curve(const char *results_dir, const char *sweep, int64_t trial, int64_t *points,
                                 double **epochs, double **values, rnl_error *err);

/* ---- listing ------------------------------------------------------------------------------------ */

typedef struct rnl_index_query { /* all zeros: every run */
  const char *experiment;        /* only this experiment's */
  const char *status;            /* only this status */
  int64_t limit;                 /* only the latest n; 0: all */
  bool sweeps;                   /* sweeps too, as rnl_sweep_summary's objects among the runs */
  bool no_runs;                  /* no runs */
  const rnl_sweep_source *source; /* for sweeps that are not in the index yet; NULL: a line without its trials */
} rnl_index_query;

/* The runs in results_dir, oldest start first, as a new array of objects shaped as rnl_run_summary's.
 * The index is first brought up to date: rebuilt where missing, of an older schema or corrupt; runs whose
 * folder appeared or vanished are added or dropped; those still "running" are looked at again. Where it
 * cannot be written the folders are read instead. Folders that cannot be read are told in `warnings` (a
 * line each; may be NULL) and hide nothing else. An index of a newer rnnlab is ERR_FORMAT. A results_dir
 * that does not exist gives an empty array. `query` may be NULL. */
rnl_status rnl_index_list(json_t **out, const char *results_dir, const rnl_index_query *query,
                          rnl_buffer *warnings, rnl_error *err);

/* Make the index anew from the files; *runs and *sweeps (may be NULL) say how many it holds. An index of a newer
 * schema is replaced too: this is what the user is told to do. */
rnl_status rnl_index_rebuild(const char *results_dir, const rnl_sweep_source *source, int64_t *runs,
                             int64_t *sweeps, rnl_buffer *warnings, rnl_error *err);

/* Add or replace one run from its folder. rnl_run_close and rnl_run_update do this. */
rnl_status rnl_index_add(const char *results_dir, const char *run, rnl_error *err);

/* Drop a run or a sweep with all its rows; fine where it is not in the index. */
rnl_status rnl_index_remove(const char *results_dir, const char *name, rnl_error *err);

/* The run's thinned curve of metrics.csv's column "loss": *points rows, epochs and values to be
 * released with rnl_free (0 points: it has none). ERR_NOT_FOUND: no such run in the index. */
rnl_status rnl_index_curve(const char *results_dir, const char *run, int64_t *points,
                           double **epochs, double **values, rnl_error *err);

#endif
