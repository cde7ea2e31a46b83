/* tensor/format.c: a tensor as text for a person. One number style serves the whole tensor, chosen
 * from all its finite values, so that its rows can be compared by eye. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/tensor.h"

enum {
  MAX_ROWS = 12,   /* rows shown of a longer matrix: the first and the last ones */
  LAST_ROWS = 4,
  MAX_SLICES = 6,  /* the same for the matrices of a tensor of more dimensions */
  LAST_SLICES = 1,
  DEFAULT_WIDTH = 80,
  MAX_DIGITS = 17,
  SCALAR_DIGITS = 7, /* a scalar stands alone: a number as print() would show it, on one line */
  ENTRY_TEXT = 48
};

/* ---- a text that grows ------------------------------------------------------------------------ */

typedef struct text {
  char *bytes;
  size_t used, room;
  bool failed;
} text;

static void text_add(text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void text_add(text *out, const char *format, ...) {
  if (out->failed) return;
  for (int attempt = 0; attempt < 2; attempt++) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out->bytes + out->used, out->room - out->used, format, args);
    va_end(args);
    if (n < 0) break;
    if ((size_t)n < out->room - out->used) {
      out->used += (size_t)n;
      return;
    }
    size_t room = 2 * out->room + (size_t)n + 1;
    char *grown = rnl_realloc(out->bytes, out->room, room, 1);
    if (!grown) break;
    out->bytes = grown;
    out->room = room;
  }
  out->failed = true;
}

/* ---- the number style ------------------------------------------------------------------------- */

typedef struct style {
  int decimals;
  int power;      /* the common power of ten taken out; 0: none */
  double divisor; /* 10^power */
  int width;      /* of a column, without the space before it */
} style;

typedef struct range {
  bool whole;               /* every finite value is a whole number */
  double largest, smallest; /* of the absolute values that are not 0 */
} range;

static range range_of(const rnl_tensor *t) {
  range r = {.whole = true, .smallest = INFINITY};
  rnl_walk w;
  rnl_walk_begin(&w, 1, &t);
  do {
    for (int64_t i = 0; i < w.length; i++) {
      double value = t->dtype == RNL_F64 ? ((const double *)w.data[0])[i * w.step[0]]
                                         : (double)((const float *)w.data[0])[i * w.step[0]];
      if (!isfinite(value)) continue;
      double size = fabs(value);
      if (size != floor(size)) r.whole = false;
      if (size > r.largest) r.largest = size;
      if (size > 0 && size < r.smallest) r.smallest = size;
    }
  } while (rnl_walk_next(&w));
  return r;
}

static int entry_text(char buffer[ENTRY_TEXT], const style *s, double value) {
  if (isnan(value)) return snprintf(buffer, ENTRY_TEXT, "nan");
  if (isinf(value)) return snprintf(buffer, ENTRY_TEXT, value > 0 ? "inf" : "-inf");
  if (value == 0) value = 0; /* no "-0" */
  return snprintf(buffer, ENTRY_TEXT, "%.*f", s->decimals, value / s->divisor);
}

static int clamp(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

/* `digits` significant digits for the largest value, and at least two for the smallest as long as the
 * two lie within four powers of ten; outside 1e-3 .. 1e6 a common power of ten is taken out. */
static style style_of(const rnl_tensor *t, int digits) {
  style s = {.divisor = 1};
  range r = range_of(t);
  digits = digits <= 0 ? 4 : clamp(digits, 1, MAX_DIGITS);
  if (r.largest > 0 && !(r.whole && r.largest < 1e10)) {
    int high = (int)floor(log10(r.largest)), low = (int)floor(log10(r.smallest));
    if (high >= 6 || high < -3) {
      s.power = high;
      s.divisor = pow(10, high);
      if (s.divisor == 0) s.divisor = r.largest; /* a denormal's power of ten is not a number */
      s.decimals = digits - 1;
    } else {
      int for_smallest = clamp(1 - low, 0, digits);
      s.decimals = clamp(digits - 1 - high, 0, MAX_DIGITS + 3);
      if (high - low <= 4 && for_smallest > s.decimals) s.decimals = for_smallest;
      if (s.decimals == 0) s.decimals = 1; /* there are fractions, so let a point show */
    }
  }
  return s;
}

/* The widest entry decides the width of every column. */
static void measure(style *s, const rnl_tensor *t) {
  char buffer[ENTRY_TEXT];
  rnl_walk w;
  rnl_walk_begin(&w, 1, &t);
  double low = INFINITY, high = -INFINITY;
  do {
    for (int64_t i = 0; i < w.length; i++) {
      double value = t->dtype == RNL_F64 ? ((const double *)w.data[0])[i * w.step[0]]
                                         : (double)((const float *)w.data[0])[i * w.step[0]];
      if (!isfinite(value)) {
        int n = entry_text(buffer, s, value);
        if (n > s->width) s->width = n;
        continue;
      }
      if (value < low) low = value;
      if (value > high) high = value;
    }
  } while (rnl_walk_next(&w));
  if (low > high) return;
  int n = entry_text(buffer, s, low);
  if (n > s->width) s->width = n;
  n = entry_text(buffer, s, high);
  if (n > s->width) s->width = n;
}

/* ---- matrices --------------------------------------------------------------------------------- */

/* Rows (or slices) first .. shown-1 and count-last .. count-1 are printed, "..." between them. */
static int64_t skip_from(int64_t count, int64_t limit, int64_t last) {
  return count > limit ? limit - last - 1 : count;
}

static void add_matrix(text *out, const rnl_tensor *t, const style *s, int width) {
  bool column = t->ndim == 1; /* a vector stands as a column, as Torch prints it */
  int64_t rows = t->size[0], columns = column ? 1 : t->size[1];
  int64_t room = (width - 1) / (s->width + 1);
  if (room < 1) room = 1;
  int64_t shown = columns, tail = 0;
  if (columns > room) { /* keep the last column in sight, and room for " ..." */
    shown = (width - 1 - 4) / (s->width + 1);
    if (shown > 1) shown--, tail = 1;
    if (shown < 1) shown = 1;
  }
  int64_t cut = skip_from(rows, MAX_ROWS, LAST_ROWS);
  for (int64_t i = 0; i < rows; i++) {
    if (i == cut) {
      text_add(out, " %*s\n", s->width, "...");
      i = rows - LAST_ROWS;
    }
    for (int64_t j = 0; j < columns; j++) {
      if (j == shown && columns > shown + tail) {
        text_add(out, " ...");
        j = columns - tail;
        if (j >= columns) break;
      }
      char buffer[ENTRY_TEXT];
      entry_text(buffer, s, rnl_tensor_get(t, (int64_t[]){i, j}));
      text_add(out, " %*s", s->width, buffer);
    }
    text_add(out, "\n");
  }
}

/* The matrices of a tensor of three or more dimensions, each under its index. */
static void add_slices(text *out, const rnl_tensor *t, const style *s, int width) {
  int64_t count = 1, index[RNL_MAX_DIMS] = {0};
  int outer = t->ndim - 2;
  for (int d = 0; d < outer; d++) count *= t->size[d];
  int64_t cut = skip_from(count, MAX_SLICES, LAST_SLICES);
  for (int64_t i = 0; i < count; i++) {
    if (i == cut) {
      text_add(out, "...\n\n");
      i = count - LAST_SLICES;
    }
    rnl_tensor matrix = *t; /* borrows the storage */
    int64_t rest = i;
    for (int d = outer - 1; d >= 0; d--) index[d] = rest % t->size[d], rest /= t->size[d];
    text_add(out, "(");
    for (int d = 0; d < outer; d++) {
      matrix.offset += index[d] * t->stride[d];
      text_add(out, "%" PRId64 ",", index[d] + 1);
    }
    text_add(out, ".,.) =\n");
    matrix.ndim = 2;
    for (int d = 0; d < 2; d++) matrix.size[d] = t->size[outer + d], matrix.stride[d] = t->stride[outer + d];
    add_matrix(out, &matrix, s, width);
    text_add(out, "\n");
  }
}

rnl_status rnl_tensor_format(char **out, const rnl_tensor *t, int digits, int width, rnl_error *err) {
  text made = {.bytes = rnl_alloc(256, 1), .room = 256};
  *out = NULL;
  if (!made.bytes) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the text of a tensor");
  if (width <= 0) width = DEFAULT_WIDTH;
  if (t->ndim == 0) {
    text_add(&made, "%.*g", digits <= 0 ? SCALAR_DIGITS : clamp(digits, 1, MAX_DIGITS), rnl_tensor_get(t, NULL));
  } else {
    if (rnl_tensor_numel(t) > 0) {
      style s = style_of(t, digits);
      measure(&s, t);
      if (s.power != 0) text_add(&made, "1e%+03d *\n", s.power);
      if (t->ndim <= 2)
        add_matrix(&made, t, &s, width);
      else
        add_slices(&made, t, &s, width);
    }
    text_add(&made, "[%s tensor of ", rnl_dtype_name(t->dtype));
    for (int d = 0; d < t->ndim; d++) text_add(&made, "%s%" PRId64, d ? "x" : "", t->size[d]);
    text_add(&made, "]");
  }
  if (made.failed) {
    rnl_free(made.bytes);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the text of a tensor");
  }
  *out = made.bytes;
  return RNL_OK;
}
