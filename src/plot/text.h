/* plot/text.h owns what may stand in a drawn text: the cleaning that lets any bytes go to gnuplot
 * between single quotes, and how wide a text will be. */
#ifndef RNL_PLOT_TEXT_H
#define RNL_PLOT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* Append `text` as valid UTF-8 on one line: line breaks and tabs become a space, other control
 * characters (C0, DEL, C1, bidi marks, line separators) are dropped, an apostrophe becomes ’; bytes that
 * are no UTF-8 and characters XML cannot hold become U+FFFD. */
void rnl_plot_clean(rnl_buffer *out, const char *text);

/* A cleaned copy, or NULL where memory is out; rnl_free it. */
char *rnl_plot_clean_copy(const char *text);

/* Read one character of valid or invalid UTF-8 and step over it; U+FFFD for what is invalid (one byte is
 * then stepped over). The text must not be at its end. */
unsigned rnl_plot_next_char(const char **text);

/* Characters, not bytes. */
size_t rnl_plot_length(const char *text);

/* About how wide a text is set in a sans-serif of that size, in the size's unit. */
double rnl_plot_width(const char *text, double size);

/* Append `text`, cut with an ellipsis where it would be wider than `room`. */
void rnl_plot_fit(rnl_buffer *out, const char *text, double size, double room);

#endif
