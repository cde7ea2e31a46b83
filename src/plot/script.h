/* plot/script.h owns how a figure is laid out and written as a gnuplot script in the house style with
 * its data file. It writes text only; gnuplot.h runs it. */
#ifndef RNL_PLOT_SCRIPT_H
#define RNL_PLOT_SCRIPT_H

#include "base/buffer.h"
#include "base/error.h"
#include "plot/figure.h"

typedef struct rnl_script_size { /* of the page, in points */
  double width, height;
} rnl_script_size;

/* Append NAME.gp and NAME.dat. The script draws NAME.<format> for each format bit (write.h); where the
 * variable SUFFIX is set before, that is appended to the files' names. Where a terminal is missing it
 * prints a line beginning with RNL_SCRIPT_MISSING and goes on. For LaTeX it draws NAME-tex.tex and
 * NAME-tex.pdf (SUFFIX before the ending), which write.c frames. *size (or NULL) gets the page's. */
rnl_status rnl_script_write(const rnl_figure *figure, unsigned formats, rnl_buffer *gp, rnl_buffer *dat,
                            rnl_script_size *size, rnl_error *err);

#define RNL_SCRIPT_MISSING "missing terminal: "
#define RNL_SCRIPT_DRAWN "drawn: " /* and NAME, at its end, where SUFFIX is set */

#endif
