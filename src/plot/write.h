/* plot/write.h owns the drawing of figures into files, by one gnuplot process for all of a call.
 *
 * For each figure NAME: NAME.gp and NAME.dat, with which a person redraws it (`gnuplot NAME.gp` in that
 * folder), then NAME.svg, NAME.png, NAME.pdf and, where asked for, NAME.tex. A picture is renamed into place once
 * it is whole. Series of
 * more than a few thousand points are thinned for drawing, keeping each bin's extremes: NAME.dat holds
 * what was drawn, the full data are where the caller has them. */
#ifndef RNL_PLOT_WRITE_H
#define RNL_PLOT_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "plot/figure.h"

enum {
  RNL_FORMAT_SVG = 1,
  RNL_FORMAT_PNG = 2, /* 1600 pixels wide */
  RNL_FORMAT_PDF = 4,
  RNL_FORMAT_TEX = 8, /* NAME.tex with its graphics, NAME-tex.pdf */
  RNL_FORMAT_ALL = 7, /* what is drawn where nothing is asked for */
  RNL_FORMAT_KNOWN = 15,
  RNL_FORMAT_SOURCES = 16 /* in `drawn` only: NAME.gp and NAME.dat */
};

typedef struct rnl_plot_options { /* all zeros: the defaults */
  unsigned formats;               /* RNL_FORMAT_...; 0: RNL_FORMAT_ALL */
  double timeout_s;               /* gnuplot is killed after so long; 0: 60 */
} rnl_plot_options;

/* Draw the figures into the folder (made where missing). `drawn` (count entries, or NULL) gets what was
 * written of each, also on failure. Names must differ. Errors:
 *   ERR_NOT_FOUND  gnuplot is missing (the .gp and .dat are still written), or a terminal of it is (the
 *                  other formats are drawn); the text says which and how to get it
 *   ERR_IO         a file cannot be written; gnuplot failed, was killed or took too long */
rnl_status rnl_figures_write(rnl_figure *const *figures, size_t count, const char *folder,
                             const rnl_plot_options *options, unsigned *drawn, rnl_error *err);

/* The file ending of one format bit: "svg", "png", "pdf", "tex"; NULL for no single format. */
const char *rnl_format_name(unsigned format);

/* The bit of "svg", "png", "pdf" or "tex"; 0 for other words. */
unsigned rnl_format_by_name(const char *name);

#endif
