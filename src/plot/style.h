/* plot/style.h owns the house style: colours, palettes and line styles. The five colours of series stay apart (CIE76
 * differences of at least 30) with normal sight and without red, green or blue cones. */
#ifndef RNL_PLOT_STYLE_H
#define RNL_PLOT_STYLE_H

#include "base/buffer.h"
#include "plot/figure.h"

#define RNL_COLOR_TITLE "#111827"
#define RNL_COLOR_LABEL "#374151"
#define RNL_COLOR_TICS "#4B5563"
#define RNL_COLOR_QUIET "#6B7280"
#define RNL_COLOR_BORDER "#8A8F98"
#define RNL_COLOR_GRID "#E5E7EB"

/* "#2563EB" of a role. */
const char *rnl_style_color(int role);

/* The gnuplot line style of a role: 1 target, 2 to 6 the palette, 7 muted. */
int rnl_style_line(int role);

/* Is a role drawn dashed because the palette is used up? */
bool rnl_style_dashed(int role);

/* Append the settings every figure begins with; text and marks are `scale` times as large. The variable DOT evens out
 * the terminals' ideas of a mark's size. */
void rnl_style_write(rnl_buffer *gp, double scale);

/* "defined (0 '#...', 1 '#...')" of a colour map. */
const char *rnl_style_palette(rnl_color_map map);

#endif
