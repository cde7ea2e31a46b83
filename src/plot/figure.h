/* plot/figure.h owns the description of a figure: panels one above the other that share an x axis,
 * each with its series, and a legend above them. It knows nothing of how one is drawn (write.h draws).
 *
 *     rnl_figure *figure;
 *     RNL_TRY(rnl_figure_new(&figure, "loss", err));
 *     rnl_figure_set_text(figure, RNL_TEXT_TITLE, "tutorial8-q2-7", err);
 *     rnl_panel *panel;
 *     rnl_figure_add_panel(figure, "loss", &panel, err);
 *     panel->log_y = true;
 *     rnl_panel_add_series(panel, &(rnl_series){.label = "training", .n = n, .x = x, .y = y}, err);
 *     ... rnl_figures_write(&figure, 1, "figures", NULL, NULL, err) ...
 *     rnl_figure_free(figure);
 *
 * Texts are any bytes: control bytes are dropped, invalid UTF-8 becomes U+FFFD, an apostrophe becomes ’,
 * when they are set. Values that are NaN or infinite leave gaps, as do values <= 0 on a log axis. */
#ifndef RNL_PLOT_FIGURE_H
#define RNL_PLOT_FIGURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum rnl_series_kind {
  RNL_SERIES_LINE,   /* straight lines between points */
  RNL_SERIES_POINTS, /* dots */
  RNL_SERIES_STEPS,  /* held until the next x */
  RNL_SERIES_BAND,   /* the area between y and y2, shaded */
  RNL_SERIES_KINDS
} rnl_series_kind;

/* What a series means, and so how it looks: target dark and thin, predicted blue, series k the k-th
 * colour of the palette (RNL_ROLE_SERIES + k - 1; they repeat, dashed, after five). */
enum { RNL_ROLE_TARGET, RNL_ROLE_PREDICTED, RNL_ROLE_SERIES };

typedef struct rnl_series {
  const char *label; /* in the legend, once for all series of the figure with this label; NULL: not there */
  rnl_series_kind kind;
  int role;
  bool marks; /* a dot at each point of a line */
  size_t n;
  const double *x;  /* n values; NULL when adding: 1, 2, ... n */
  const double *y;  /* n values */
  const double *y2; /* n values; bands only */
} rnl_series;

typedef struct rnl_panel {
  char *ylabel; /* NULL: none */
  bool log_y;
  double y_low, y_high; /* NaN: from the data */
  size_t series_count;
  rnl_series *series;
} rnl_panel;

typedef struct rnl_figure {
  char *name;                     /* stem of its files: letters, digits, "._-" */
  char *title, *subtitle, *xlabel; /* NULL: none */
  double width_mm, height_mm;     /* 0: 180 wide, as high as its panels need */
  bool log_x;
  double x_low, x_high; /* NaN: from the data */
  size_t panel_count;
  rnl_panel **panels;
} rnl_figure;

enum { RNL_FIGURE_PANELS_MAX = 16, RNL_PANEL_SERIES_MAX = 64, RNL_FIGURE_NAME_MAX = 80 };

/* A figure without panels. ERR_ARG for a name that could not be a plain file name. */
rnl_status rnl_figure_new(rnl_figure **out, const char *name, rnl_error *err);
void rnl_figure_free(rnl_figure *figure); /* NULL is fine */

typedef enum rnl_figure_text { RNL_TEXT_TITLE, RNL_TEXT_SUBTITLE, RNL_TEXT_XLABEL } rnl_figure_text;

/* A cleaned copy of the text; NULL or "" takes it away. */
rnl_status rnl_figure_set_text(rnl_figure *figure, rnl_figure_text which, const char *text, rnl_error *err);

/* Append a panel below the others; *out (valid until the figure is freed) may be filled on. */
rnl_status rnl_figure_add_panel(rnl_figure *figure, const char *ylabel, rnl_panel **out, rnl_error *err);

/* Append copies of the series' label and values. ERR_ARG where a band has no y2 or the kind or role is
 * unknown. */
rnl_status rnl_panel_add_series(rnl_panel *panel, const rnl_series *series, rnl_error *err);

#endif
