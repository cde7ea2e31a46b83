/* plot/figure.h owns the description of a figure: panels in a grid, each with axes, series and notes, and a legend
 * above them all. It knows nothing of how one is drawn (write.h draws).
 *
 *     rnl_figure *figure;
 *     RNL_TRY(rnl_figure_new(&figure, "loss", err));
 *     rnl_figure_set_text(&figure->title, "tutorial8-q2-7", err);
 *     rnl_panel *panel;
 *     rnl_figure_add_panel(figure, "loss", &panel, err);
 *     panel->axis[RNL_AXIS_Y].log = true;
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
  RNL_SERIES_POINTS, /* dots; with low and high: error bars */
  RNL_SERIES_STEPS,  /* held until the next x */
  RNL_SERIES_BAND,   /* the area between y and y2, shaded */
  RNL_SERIES_BARS,   /* boxes from y2 (NULL: 0) to y, `wide` along x; `sideways`: from x = y2 to y, at y = x */
  RNL_SERIES_BOXES,  /* box plots at x: from y to y2 with a bar at mid, whiskers to low and high, `wide` */
  RNL_SERIES_HEAT,   /* y: rows x columns values, row-major, over `extent`, coloured by the panel's map */
  RNL_SERIES_KINDS
} rnl_series_kind;

/* What a series means, and so how it looks: target dark and thin, predicted blue, muted grey, series k the k-th
 * colour of the palette (RNL_ROLE_SERIES + k - 1; they repeat, dashed, after five). */
enum { RNL_ROLE_TARGET, RNL_ROLE_PREDICTED, RNL_ROLE_MUTED, RNL_ROLE_SERIES };

enum { RNL_DASH_NONE, RNL_DASH_DASHED, RNL_DASH_DOTTED };

typedef struct rnl_series {
  const char *label; /* in the legend, once for all series of the figure with this label; NULL: not there */
  rnl_series_kind kind;
  int role;
  int dash;          /* RNL_DASH_... */
  bool marks;        /* a dot at each point of a line */
  bool second;       /* belongs to the panel's second y axis, at the right */
  bool sideways;     /* bars that lie */
  bool bare;         /* error bars without their points */
  bool outside;      /* its values do not count for the axes' ranges */
  double scale;      /* of line widths and marks; 0: 1 */
  double wide;       /* bars, boxes: along x; 0: .8 */
  double opacity;    /* of areas, 0 to 1; 0: the house's */
  size_t n;
  const double *x;   /* n values; NULL when adding: 1, 2, ... n */
  const double *y;   /* n values */
  const double *y2;  /* n values; NULL: none */
  const double *low, *high, *mid; /* error bars, whiskers and medians */
  const double *color; /* n values: points, lines and bars coloured by the panel's map */
  size_t rows, columns; /* heat: n = rows * columns */
  double extent[4];     /* heat: x of its left and right edge, y of its bottom and top edge; the first row is at
                           the bottom. All 0: cells of size 1 whose centres are 1, 2, ... */
} rnl_series;

typedef struct rnl_axis_spec {
  char *label;        /* NULL: none */
  bool log;
  bool reversed;      /* low values at the top, or at the right */
  bool plain;         /* no tics */
  bool snug;          /* ends where the data end (x axes do so by themselves) */
  double low, high;   /* NaN: from the data */
  size_t tic_count;   /* own tics: at[i] says tic_labels[i]; 0: chosen */
  double *tic_at;
  char **tic_labels;  /* an entry may be NULL: a tic without a label */
} rnl_axis_spec;

enum { RNL_AXIS_X, RNL_AXIS_Y, RNL_AXIS_Y2, RNL_AXES };

typedef enum rnl_note_kind {
  RNL_NOTE_TEXT,  /* at (x, y) */
  RNL_NOTE_ARROW, /* from (x, y) to (x2, y2), and the text at its beginning */
  RNL_NOTE_LINE,  /* from (x, y) to (x2, y2) */
  RNL_NOTE_ACROSS, /* a line at this y through the whole panel; its text at the right end */
  RNL_NOTE_UP      /* a line at this x through the whole panel; its text at the top */
} rnl_note_kind;

typedef struct rnl_note {
  rnl_note_kind kind;
  char *text; /* NULL: none */
  double x, y, x2, y2;
  int align;  /* of the text: -1 begins there, 0 centred, 1 ends there */
  int rise;   /* of the text: 1 above the point, 0 centred on it, -1 below */
  int role, dash; /* RNL_ROLE_..., RNL_DASH_... */
  bool frame; /* x and y are fractions of the panel, not values */
  bool small, strong;
  bool light; /* white text, on dark cells */
  bool boxed; /* on white, so that lines behind do not cross it */
} rnl_note;

typedef enum rnl_color_map { RNL_MAP_SEQUENTIAL, RNL_MAP_DIVERGING, RNL_MAP_BLUES, RNL_MAPS } rnl_color_map;

typedef struct rnl_panel {
  char *title;              /* NULL: none */
  rnl_axis_spec axis[RNL_AXES];
  bool equal;               /* one unit is as long along x as along y */
  bool bare;                /* neither axes nor grid */
  bool xgrid;               /* grid lines at the x tics too */
  rnl_color_map map;
  bool map_log;
  bool no_colorbar;
  char *color_label;        /* beside the colour bar */
  double color_low, color_high; /* NaN: from the data (diverging: symmetric about 0) */
  size_t series_count, series_room;
  rnl_series *series;
  size_t note_count, note_room;
  rnl_note *notes;
} rnl_panel;

typedef enum rnl_size { RNL_SIZE_PAGE, RNL_SIZE_COLUMN, RNL_SIZE_SLIDE, RNL_SIZE_SCREEN, RNL_SIZES } rnl_size;

typedef struct rnl_figure {
  char *name;                     /* stem of its files: letters, digits, "._-" */
  char *title, *subtitle;         /* NULL: none */
  rnl_size size;                  /* width, and size of text and lines */
  double width_mm, height_mm;     /* 0: as `size` says, as high as its panels need */
  size_t columns;                 /* of the grid; 0: 1 */
  bool own_x;                     /* the panels of a column do not share their x axis */
  bool share_y;                   /* the panels of a row share their y axis */
  double widths[16], heights[16]; /* relative sizes of columns and rows; 0: 1 */
  size_t panel_count;
  rnl_panel **panels;
} rnl_figure;

enum {
  RNL_FIGURE_PANELS_MAX = 64,
  RNL_PANEL_SERIES_MAX = 4096,
  RNL_PANEL_NOTES_MAX = 4096,
  RNL_LEGEND_MAX = 64,
  RNL_GRID_MAX = 16,
  RNL_FIGURE_NAME_MAX = 80
};

/* A figure without panels. ERR_ARG for a name that could not be a plain file name. */
rnl_status rnl_figure_new(rnl_figure **out, const char *name, rnl_error *err);
void rnl_figure_free(rnl_figure *figure); /* NULL is fine */

/* Put a cleaned copy of the text in one of the description's text fields; NULL or "" takes it away. */
rnl_status rnl_figure_set_text(char **field, const char *text, rnl_error *err);

/* Append a panel (row by row, left to right); *out (valid until the figure is freed) may be filled on. */
rnl_status rnl_figure_add_panel(rnl_figure *figure, const char *ylabel, rnl_panel **out, rnl_error *err);

/* Append copies of the series' label and values. ERR_ARG where a kind lacks values it needs (a band y2, a heat map
 * rows and columns) or the kind or role is unknown. */
rnl_status rnl_panel_add_series(rnl_panel *panel, const rnl_series *series, rnl_error *err);

/* Append a copy of the note. */
rnl_status rnl_panel_add_note(rnl_panel *panel, const rnl_note *note, rnl_error *err);

/* An axis' own tics: n places (copied) and what they say (NULL: nothing anywhere). */
rnl_status rnl_axis_set_tics(rnl_axis_spec *axis, size_t n, const double *at, const char *const *labels,
                             rnl_error *err);

/* Can the point be drawn: are all its values finite? */
bool rnl_series_drawable(const rnl_series *series, size_t i);

#endif
