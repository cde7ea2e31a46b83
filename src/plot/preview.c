/* plot/preview.c: see preview.h. The chart is a grid of cells; each has eight dots (two columns of four) as
 * braille has, a mark for plain ASCII, and the series that drew there last. */
#include "plot/preview.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "plot/axis.h"
#include "plot/text.h"

enum { DOTS_X = 2, DOTS_Y = 4, SERIES_MAX = 8 };

typedef struct cell {
  unsigned char dots;   /* braille's bits */
  signed char series;   /* the last that drew here; -1: empty */
} cell;

typedef struct canvas {
  int columns, rows; /* cells */
  cell *cells;
  double x_low, x_high, y_low, y_high; /* y in log where log_y */
  bool log_y;
} canvas;

static const char ascii_marks[] = "*o+x#@%&";
/* How series are told apart without colour, once one is drawn in braille. */
static const char *const marks[] = {"", "×", "+", "o", "#", "@", "%", "&"};
static const char *const colors[] = {"\033[39m", "\033[34m", "\033[31m", "\033[32m",
                                     "\033[33m", "\033[35m", "\033[36m", "\033[90m"};

static void dot(canvas *c, int x, int y, int series) { /* y from the top */
  if (x < 0 || y < 0 || x >= c->columns * DOTS_X || y >= c->rows * DOTS_Y) return;
  static const unsigned char bits[DOTS_Y][DOTS_X] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
  cell *at = &c->cells[y / DOTS_Y * c->columns + x / DOTS_X];
  at->dots |= bits[y % DOTS_Y][x % DOTS_X];
  at->series = (signed char)series;
}

static void line(canvas *c, int x0, int y0, int x1, int y1, int series) { /* Bresenham */
  int dx = x1 > x0 ? x1 - x0 : x0 - x1, dy = y1 > y0 ? y0 - y1 : y1 - y0;
  int step_x = x0 < x1 ? 1 : -1, step_y = y0 < y1 ? 1 : -1, error = dx + dy;
  for (;;) {
    dot(c, x0, y0, series);
    if (x0 == x1 && y0 == y1) return;
    int twice = 2 * error;
    if (twice >= dy) error += dy, x0 += step_x;
    if (twice <= dx) error += dx, y0 += step_y;
  }
}

static double x_of(const rnl_series *s, size_t i) { return s->x ? s->x[i] : (double)(i + 1); }

/* The value on the y axis's scale; NaN where it cannot be drawn. */
static double y_of(const canvas *c, double y) {
  if (!isfinite(y)) return NAN;
  return c->log_y ? (y > 0 ? log10(y) : NAN) : y;
}

static int column_of(const canvas *c, double x) {
  return (int)lround((x - c->x_low) / (c->x_high - c->x_low) * (c->columns * DOTS_X - 1));
}

static int row_of(const canvas *c, double y) { /* y on the axis's scale */
  return (int)lround((c->y_high - y) / (c->y_high - c->y_low) * (c->rows * DOTS_Y - 1));
}

/* Bars stand on y2 or 0, a band fills every other column between its edges, error bars are lines. */
static void draw_areas(canvas *c, const rnl_series *s, int number) {
  for (size_t i = 0; i < s->n; i++) {
    bool bars = s->kind == RNL_SERIES_BARS;
    double x = x_of(s, i), from = s->y[i];
    double to = s->low ? s->low[i] : s->y2 ? s->y2[i] : 0;
    if (s->low) from = s->high[i];
    from = y_of(c, from), to = c->log_y && bars && to <= 0 ? c->y_low : y_of(c, to);
    if (!isfinite(x) || isnan(from) || isnan(to)) continue;
    int a = row_of(c, from), b = row_of(c, to), top = a < b ? a : b, bottom = a < b ? b : a;
    int column = column_of(c, x);
    if (s->kind == RNL_SERIES_BAND && column % 2) continue;
    int half = bars ? (int)((s->wide > 0 ? s->wide : 0.8) / (c->x_high - c->x_low) * c->columns * DOTS_X / 2) : 0;
    for (int k = column - half; k <= column + half; k++)
      for (int y = top; y <= bottom; y++) dot(c, k, y, number);
  }
}

static void draw_series(canvas *c, const rnl_series *s, int number, bool joined) {
  bool before = false;
  int last_x = 0, last_y = 0;
  if (s->kind == RNL_SERIES_BARS || s->kind == RNL_SERIES_BAND || s->low) draw_areas(c, s, number);
  if (s->kind == RNL_SERIES_BARS || s->kind == RNL_SERIES_BAND) return;
  if (s->kind == RNL_SERIES_POINTS) joined = false;
  for (size_t i = 0; i < s->n; i++) {
    double x = x_of(s, i), y = y_of(c, s->y[i]);
    if (!isfinite(x) || isnan(y)) {
      before = false;
      continue;
    }
    int px = column_of(c, x), py = row_of(c, y);
    if (before && joined && s->kind == RNL_SERIES_STEPS) {
      line(c, last_x, last_y, px, last_y, number);
      line(c, px, last_y, px, py, number);
    } else if (before && joined) line(c, last_x, last_y, px, py, number);
    else dot(c, px, py, number);
    last_x = px, last_y = py, before = true;
  }
}

/* The ranges of what can be drawn; false where there is nothing. */
static bool find_ranges(const rnl_preview *preview, canvas *c) {
  rnl_extent x = rnl_extent_empty(), y = rnl_extent_empty();
  bool positive = false;
  for (size_t k = 0; k < preview->series_count; k++)
    for (size_t i = 0; i < preview->series[k].n; i++)
      positive = positive || (preview->series[k].y[i] > 0 && isfinite(preview->series[k].y[i]));
  c->log_y = preview->log_y && positive;
  for (size_t k = 0; k < preview->series_count; k++) {
    const rnl_series *s = &preview->series[k];
    for (size_t i = 0; i < s->n; i++) {
      double value = y_of(c, s->y[i]);
      if (!isfinite(x_of(s, i)) || isnan(value)) continue;
      double half = s->kind == RNL_SERIES_BARS ? (s->wide > 0 ? s->wide : 0.8) / 2 : 0;
      rnl_extent_add(&x, x_of(s, i) - half);
      rnl_extent_add(&x, x_of(s, i) + half);
      rnl_extent_add(&y, value);
      const double *const others[] = {s->y2, s->low, s->high};
      for (size_t k2 = 0; k2 < 3; k2++)
        if (others[k2]) rnl_extent_add(&y, y_of(c, others[k2][i]));
      if (s->kind == RNL_SERIES_BARS && !s->y2 && !c->log_y) rnl_extent_add(&y, 0);
    }
  }
  if (x.low > x.high) return false;
  if (x.low == x.high) x.low -= 0.5, x.high += 0.5;
  if (y.low == y.high) {
    double pad = c->log_y ? 0.05 : fmax(fabs(y.low) * 0.05, 1e-12);
    y.low -= pad, y.high += pad;
  }
  c->x_low = x.low, c->x_high = x.high, c->y_low = y.low, c->y_high = y.high;
  return isfinite(x.high - x.low) && isfinite(y.high - y.low);
}

static void spaces(rnl_buffer *out, int n) {
  for (int i = 0; i < n; i++) rnl_buffer_char(out, ' ');
}

/* Cleaned text, '?' for what is not ASCII where it must be; cut to `room` characters. Returns its width. */
static int put_text(rnl_buffer *out, const char *text, bool ascii, int room) {
  rnl_buffer clean = {0};
  rnl_plot_clean(&clean, text);
  int n = 0;
  for (const char *at = rnl_buffer_string(&clean); *at && n < room; n++) {
    const char *start = at;
    unsigned c = rnl_plot_next_char(&at);
    if (!ascii || c < 0x80) rnl_buffer_append(out, start, (size_t)(at - start));
    else rnl_buffer_char(out, c == 0x2019 ? '\'' : c == 0xB7 ? '-' : '?');
  }
  rnl_buffer_free(&clean);
  return n;
}

static const char *mark_of(const rnl_preview *preview, size_t k) {
  static const char *const ascii[] = {"*", "o", "+", "x", "#", "@", "%", "&"};
  if (preview->ascii) return ascii[k];
  return k == 0 || preview->color ? "─" : marks[k];
}

static int color_of(const rnl_series *s) {
  if (s->role == RNL_ROLE_MUTED) return 7;
  return s->role <= RNL_ROLE_TARGET ? 0 : s->role < RNL_ROLE_SERIES ? 1 : 1 + (s->role - RNL_ROLE_SERIES) % 7;
}

/* One entry of the legend; returns its width. */
static int put_name(const rnl_preview *preview, size_t k, rnl_buffer *out) {
  const rnl_series *s = &preview->series[k];
  if (preview->color) rnl_buffer_text(out, colors[color_of(s)]);
  rnl_buffer_printf(out, "%s%s ", mark_of(preview, k), preview->color ? "\033[0m" : "");
  return 2 + put_text(out, s->label ? s->label : "", preview->ascii, 20);
}

/* Title at the left, the series' names at the right, or in lines of their own where they are many. */
static void put_head(const rnl_preview *preview, int width, rnl_buffer *out) {
  rnl_buffer names = {0};
  int used = 0;
  bool labelled = false;
  for (size_t k = 0; k < preview->series_count; k++) labelled = labelled || preview->series[k].label;
  labelled = labelled && preview->series_count > 1;
  for (size_t k = 0; k < preview->series_count && labelled; k++) {
    if (used) rnl_buffer_text(&names, "  ");
    used += (used ? 2 : 0) + put_name(preview, k, &names);
  }
  bool apart = used + 12 > width;
  if (preview->title || (used > 0 && !apart)) {
    int room = apart ? width : width > used + 12 ? width - used - 2 : 10;
    int title = preview->title ? put_text(out, preview->title, preview->ascii, room) : 0;
    if (used > 0 && !apart) {
      spaces(out, width - used > title ? width - used - title : 2);
      rnl_buffer_append(out, rnl_buffer_string(&names), names.length);
    }
    rnl_buffer_char(out, '\n');
  }
  for (size_t k = 0, column = 0; k < preview->series_count && apart && labelled; k++) {
    rnl_buffer_clear(&names);
    int wide = put_name(preview, k, &names);
    if (column > 0 && (int)column + 2 + wide > width) {
      rnl_buffer_char(out, '\n');
      column = 0;
    }
    if (column > 0) spaces(out, 2);
    rnl_buffer_append(out, rnl_buffer_string(&names), names.length);
    column += (column > 0 ? 2 : 0) + (size_t)wide;
    if (k + 1 == preview->series_count) rnl_buffer_char(out, '\n');
  }
  if (names.failed) out->failed = true;
  rnl_buffer_free(&names);
}

static void put_cell(const rnl_preview *preview, const cell *at, rnl_buffer *out, int *color) {
  if (at->series >= 0 && preview->color && *color != color_of(&preview->series[at->series])) {
    *color = color_of(&preview->series[at->series]);
    rnl_buffer_text(out, colors[*color]);
  }
  if (at->series < 0) {
    rnl_buffer_char(out, ' ');
  } else if (preview->ascii) {
    rnl_buffer_char(out, ascii_marks[at->series]);
  } else if (at->series > 0 && !preview->color) {
    rnl_buffer_text(out, marks[at->series]);
  } else {
    unsigned code = 0x2800u + at->dots;
    rnl_buffer_char(out, (char)(0xE0 | code >> 12));
    rnl_buffer_char(out, (char)(0x80 | (code >> 6 & 0x3F)));
    rnl_buffer_char(out, (char)(0x80 | (code & 0x3F)));
  }
}

static void number(char out[16], double value) {
  if (fabs(value) < 1e6 && value == floor(value)) snprintf(out, 16, "%.0f", value);
  else snprintf(out, 16, "%.3g", value);
}

static void put_chart(const rnl_preview *preview, const canvas *c, int left, rnl_buffer *out) {
  for (int row = 0; row < c->rows; row++) {
    bool labelled = row == 0 || row == c->rows - 1 || (c->rows >= 7 && row == (c->rows - 1) / 2);
    char label[16] = "";
    if (labelled) {
      double value = c->y_high - (c->y_high - c->y_low) * row / (c->rows > 1 ? c->rows - 1 : 1);
      value = c->log_y ? pow(10, value) : value;
      if (fabs(value) < 1e-9 * (c->y_high - c->y_low)) value = 0;
      snprintf(label, sizeof label, "%.3g", value);
    }
    rnl_buffer_printf(out, "%*s %s", left - 2, label, preview->ascii ? "|" : labelled ? "┤" : "│");
    int color = -1, end = c->columns; /* no trailing blanks */
    while (end > 0 && c->cells[row * c->columns + end - 1].series < 0) end--;
    for (int x = 0; x < end; x++) put_cell(preview, &c->cells[row * c->columns + x], out, &color);
    if (color >= 0) rnl_buffer_text(out, "\033[0m");
    rnl_buffer_char(out, '\n');
  }
  spaces(out, left - 1);
  rnl_buffer_text(out, preview->ascii ? "+" : "└");
  for (int x = 0; x < c->columns; x++) rnl_buffer_text(out, preview->ascii ? "-" : "─");
  char low[16], high[16];
  number(low, c->x_low);
  number(high, c->x_high);
  rnl_buffer_char(out, '\n');
  spaces(out, left);
  rnl_buffer_text(out, low);
  int used = (int)strlen(low), ends = c->columns - (int)strlen(high);
  if (preview->xlabel) {
    int length = (int)rnl_plot_length(preview->xlabel), at = (c->columns - length) / 2;
    if (at > used && at + length < ends) {
      spaces(out, at - used);
      used = at + put_text(out, preview->xlabel, preview->ascii, length);
    }
  }
  spaces(out, ends > used ? ends - used : 1);
  rnl_buffer_printf(out, "%s\n", high);
}

void rnl_preview_text(const char *text, bool ascii, int room, rnl_buffer *out) { put_text(out, text, ascii, room); }

rnl_status rnl_preview_draw(const rnl_preview *preview, rnl_buffer *out, rnl_error *err) {
  int width = preview->width ? preview->width : 72, height = preview->height ? preview->height : 14;
  if (width < 24 || width > 400 || height < 5 || height > 100)
    return rnl_fail(err, RNL_ERR_ARG, "a preview is 24 to 400 characters wide and 5 to 100 lines high, "
                    "not %d by %d", width, height);
  if (preview->series_count > SERIES_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "a preview shows at most %d series, not %zu", SERIES_MAX,
                    preview->series_count);
  const int left = 10; /* "-1.23e-05 |" at its widest */
  canvas c = {.columns = width - left, .rows = height - 3};
  put_head(preview, width, out);
  if (!find_ranges(preview, &c)) {
    rnl_buffer_text(out, "  (no data to draw)\n");
    return rnl_buffer_check(out, "the preview", err);
  }
  size_t cells = (size_t)c.columns * (size_t)c.rows;
  c.cells = rnl_alloc(cells, sizeof *c.cells);
  if (!c.cells) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while drawing the preview");
  for (size_t i = 0; i < cells; i++) c.cells[i].series = -1;
  for (size_t k = 0; k < preview->series_count; k++) /* a line of marks would be a smear: not joined */
    draw_series(&c, &preview->series[k], (int)k, k == 0 || preview->color);
  put_chart(preview, &c, left, out);
  rnl_free(c.cells);
  return rnl_buffer_check(out, "the preview", err);
}
