/* plot/layout.h owns where everything of a figure stands: the grid of panels, the axes of each, the legend and the
 * titles. Lengths are in points (1/72 inch), from the page's top left. */
#ifndef RNL_PLOT_LAYOUT_H
#define RNL_PLOT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "plot/axis.h"
#include "plot/figure.h"

enum { RNL_TITLE_SIZE = 13, RNL_LABEL_SIZE = 10, RNL_TEXT_SIZE = 9, RNL_SMALL_SIZE = 8 }; /* points at scale 1 */

typedef struct rnl_place { /* a panel's axes' box, and what is written around it */
  double left, top, width, height;
  bool x_labels, y_labels;  /* tics are labelled, and the axis' label is there */
  bool second;              /* it has a y2 axis */
  bool colors;              /* something is coloured by its map */
  bool colorbar;
  double color_low, color_high;
  double y_label_x;         /* centre line of the rotated y label */
  double color_bar_x;       /* left edge of the colour bar */
  double color_text_x;      /* centre line of the colour bar's rotated label */
  double y2_label_x;
} rnl_place;

typedef struct rnl_sheet {
  const rnl_figure *figure;
  double width, height; /* the page */
  double scale;         /* of text, lines and the space around them */
  double edge;          /* between the texts and the page's edge */
  double title_y, subtitle_y, legend_y; /* centre lines */
  double legend_width;  /* of the room the legend has, at the right */
  int legend_columns;
  size_t legend_count;  /* 0: no legend */
  const rnl_series *legend[RNL_LEGEND_MAX];
  size_t rows, columns;
  rnl_place *places;    /* one a panel */
  rnl_axis *axes;       /* RNL_AXES a panel, in their order */
  rnl_axis *color_axes; /* one a panel: the colour bar's tics */
} rnl_sheet;

/* Lay the figure out; release with rnl_sheet_free, on failure too. ERR_ARG for a figure without panels or of a size
 * that cannot be. */
rnl_status rnl_sheet_make(rnl_sheet *sheet, const rnl_figure *figure, rnl_error *err);
void rnl_sheet_free(rnl_sheet *sheet);

static inline const rnl_axis *rnl_sheet_axis(const rnl_sheet *sheet, size_t panel, int axis) {
  return &sheet->axes[panel * RNL_AXES + (size_t)axis];
}

#endif
