/* plot/axis.h owns the choice of an axis: its range, and where its tics stand and what they say. */
#ifndef RNL_PLOT_AXIS_H
#define RNL_PLOT_AXIS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rnl_extent { /* what the data cover */
  double low, high;         /* low > high: no value */
  double least_positive;    /* INFINITY: none */
  bool whole;               /* every value is an integer */
} rnl_extent;

rnl_extent rnl_extent_empty(void);
void rnl_extent_add(rnl_extent *extent, double value); /* NaN and infinities are passed over */

enum { RNL_TICS_MAX = 128, RNL_TIC_TEXT = 48 };

typedef struct rnl_tic {
  double at;
  char label[RNL_TIC_TEXT]; /* "" for a minor tic. A gnuplot text: 10^{−2} */
  const char *own;          /* a label of the description's, in its stead: plain text, borrowed; NULL: none */
} rnl_tic;

typedef struct rnl_axis {
  bool log;
  double low, high;
  double step;  /* linear axes: tics at multiples of it; 0 on log axes */
  size_t count; /* of tics in the range, rising */
  rnl_tic tics[RNL_TICS_MAX];
} rnl_axis;

/* Choose an axis. `low`, `high`: NaN where the data decide. `log` is dropped where no value is positive.
 * `intervals`: about how many spaces between labelled tics there is room for. `snug` ends the axis at
 * the data rather than at the tic beyond (for time and epochs). */
void rnl_axis_choose(rnl_axis *axis, rnl_extent data, double low, double high, bool log, int intervals,
                     bool snug);

/* Characters of the widest label. */
size_t rnl_axis_label_length(const rnl_axis *axis);

#endif
