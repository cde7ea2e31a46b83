/* sweep/rows.h owns the way from a journal's lines to the rows of the index: who rebuilds the index reads a sweep's
 * trials by it. */
#ifndef RNL_SWEEP_ROWS_H
#define RNL_SWEEP_ROWS_H

#include "store/index.h"

/* How many numbers a trial's curve takes in rnl_trial_row_of. */
size_t rnl_trial_row_points(const json_t *result);

/* The row of a journal's "result" line, which holds its texts; its curve goes into `points`, to live as long. */
rnl_trial_row rnl_trial_row_of(const json_t *result, double *points);

/* Reads the journals of a sweep's folder, every trial once: the first result in the order of slots and lines; of a
 * sweep under way what was appended since the last time, after what was read then. */
extern const rnl_sweep_source rnl_journals;

#endif
