/* plot/preview.h owns the small chart in a terminal: braille dots (2 x 4 a character), or plain ASCII.
 *
 *      60 ┤⣇                             ── loss
 *         │⠈⠢⣀
 *    1.25 ┤   ⠉⠉⠒⠒⠤⠤⠤⣀⣀⣀⣀
 *         └──────────────────────
 *          1       epoch     10000
 */
#ifndef RNL_PLOT_PREVIEW_H
#define RNL_PLOT_PREVIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "plot/figure.h"

typedef struct rnl_preview {
  const char *title, *xlabel; /* NULL: none */
  int width, height;          /* characters of the whole; 0: 72 x 14; at least 24 x 5, at most 400 x 100 */
  bool log_y;                 /* ignored where no value is positive */
  bool color;                 /* ANSI colours */
  bool ascii;                 /* no character beyond ASCII */
  size_t series_count;        /* at most 8 */
  const rnl_series *series;   /* label, role, kind, n, x (NULL: 1..n), y, y2, low, high */
} rnl_preview;

/* Append the chart, lines ended by "\n", to `out`. Values that cannot be drawn leave gaps; with nothing
 * to draw the chart says so. ERR_ARG for sizes out of range. */
rnl_status rnl_preview_draw(const rnl_preview *preview, rnl_buffer *out, rnl_error *err);

/* Append cleaned text, '?' for what is not ASCII where it must be, cut to `room` characters. */
void rnl_preview_text(const char *text, bool ascii, int room, rnl_buffer *out);

#endif
