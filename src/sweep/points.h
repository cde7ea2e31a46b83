/* sweep/points.h owns a set of points: which were proposed already. */
#ifndef RNL_SWEEP_POINTS_H
#define RNL_SWEEP_POINTS_H

#include "sweep/space.h"

typedef struct rnl_points { /* all zeros is an empty set */
  int64_t n, capacity;
  double *values; /* n * space.n */
  int64_t *slots; /* open addressing: 1 + the point's place, 0 where empty; a power of two of them */
  int64_t n_slots;
} rnl_points;

/* Is the point in the set? NaN equals NaN. */
bool rnl_points_has(const rnl_points *set, const rnl_space *space, const double *values);

/* Put it in; nothing happens where it is there. */
rnl_status rnl_points_add(rnl_points *set, const rnl_space *space, const double *values, rnl_error *err);

void rnl_points_clear(rnl_points *set); /* memory is kept */
void rnl_points_free(rnl_points *set);

#endif
