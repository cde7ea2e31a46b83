/* plot/gnuplot.h owns the gnuplot process: finding the program, starting it without a shell, waiting with
 * a time limit, and what it can do.
 *
 * The program is what the environment's RNNLAB_GNUPLOT names, else `gnuplot` on PATH. It is started
 * with -d (no ~/.gnuplot) in a process group of its own, reads nothing from stdin, writes no stdout; its
 * stderr is returned. No signal handler is touched. */
#ifndef RNL_PLOT_GNUPLOT_H
#define RNL_PLOT_GNUPLOT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct rnl_gnuplot_info { /* release with rnl_gnuplot_info_free */
  char *path;                     /* the program, absolute */
  char version[32];               /* "5.4 patchlevel 4" */
  bool svg, pngcairo, pdfcairo, cairolatex;
} rnl_gnuplot_info;

/* Asks the program itself (some 20 ms). ERR_NOT_FOUND where there is none. */
rnl_status rnl_gnuplot_info_get(rnl_gnuplot_info *out, rnl_error *err);
void rnl_gnuplot_info_free(rnl_gnuplot_info *info);

/* The absolute path of the program, to rnl_free. ERR_NOT_FOUND with how to get it. */
rnl_status rnl_gnuplot_find(char **out, rnl_error *err);

/* Run it in `folder` (NULL: here) with arguments after -d, NULL-terminated; what it says on stderr is
 * appended to `said`. ERR_IO where it cannot be started, fails, or runs longer than timeout_s. */
rnl_status rnl_gnuplot_run(const char *program, const char *folder, const char *const *arguments,
                           double timeout_s, rnl_buffer *said, rnl_error *err);

#endif
