/* plot/thin.h owns the choice of the points that are drawn of a long series. */
#ifndef RNL_PLOT_THIN_H
#define RNL_PLOT_THIN_H

#include <stddef.h>

#include "base/error.h"
#include "plot/figure.h"

enum { RNL_THIN_BINS = 600, RNL_THIN_LIMIT = 2400 };

/* The indices of the points to draw, rising, and their number. All of them up to RNL_THIN_LIMIT; else
 * the x range (log where log_x) is cut into RNL_THIN_BINS, and each run of points in one bin gives its
 * first, last, least and greatest (y and y2 both): the picture is the same at a page's resolution, spikes
 * and gaps included. Of a cloud of very many points those that would cover another go; bars and box plots all stay.
 * *out is for rnl_free. */
rnl_status rnl_thin(const rnl_series *series, bool log_x, size_t **out, size_t *count, rnl_error *err);

#endif
