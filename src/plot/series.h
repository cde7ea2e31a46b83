/* plot/series.h owns how each kind of series stands in a figure's data file and in its plot command. */
#ifndef RNL_PLOT_SERIES_H
#define RNL_PLOT_SERIES_H

#include "base/buffer.h"
#include "base/error.h"
#include "plot/layout.h"

/* Append NAME.dat: one block a series that has a point to draw; index[] (one a series, panel by panel) gets its
 * number or -1. */
rnl_status rnl_series_data(const rnl_sheet *sheet, rnl_buffer *dat, int *index, rnl_error *err);

/* Append the elements of panel p's plot command, separated by commas, the first preceded by " ". `first` is the
 * panel's first entry of index[]. Returns how many there are. */
int rnl_series_plot(const rnl_sheet *sheet, size_t p, const int *first, rnl_buffer *gp);

/* Append "NaN with ..." that draws the legend's sample of a series, marks `scale` times as large. */
void rnl_series_sample(const rnl_series *series, double scale, rnl_buffer *gp);

#define RNL_SERIES_COMMA ", \\\n       "

#endif
