/* plot/thin.c: see thin.h. */
#include "plot/thin.h"

#include <math.h>

#include "base/alloc.h"

typedef struct run { /* points of one bin, in the series' order */
  int bin;
  size_t first, last;
  size_t extremes[4]; /* least and greatest y, least and greatest y2 */
} run;

static void run_start(run *r, int bin, size_t i) {
  *r = (run){.bin = bin, .first = i, .last = i, .extremes = {i, i, i, i}};
}

static void run_extend(run *r, const rnl_series *s, size_t i) {
  r->last = i;
  if (s->y[i] < s->y[r->extremes[0]]) r->extremes[0] = i;
  if (s->y[i] > s->y[r->extremes[1]]) r->extremes[1] = i;
  if (!s->y2) return;
  if (s->y2[i] < s->y2[r->extremes[2]]) r->extremes[2] = i;
  if (s->y2[i] > s->y2[r->extremes[3]]) r->extremes[3] = i;
}

/* Write the run's points, each once and in order. Returns how many. */
static size_t run_write(const run *r, size_t *out) {
  size_t picked[6] = {r->first, r->extremes[0], r->extremes[1], r->extremes[2], r->extremes[3], r->last};
  for (int i = 1; i < 6; i++) /* insertion sort of six */
    for (int j = i; j > 0 && picked[j] < picked[j - 1]; j--) {
      size_t swap = picked[j];
      picked[j] = picked[j - 1];
      picked[j - 1] = swap;
    }
  size_t n = 0;
  for (int i = 0; i < 6; i++)
    if (n == 0 || out[n - 1] != picked[i]) out[n++] = picked[i];
  return n;
}

static double position(double x, bool log_x) { return log_x ? (x > 0 ? log(x) : NAN) : x; }

enum { CLOUD = 20000, CLOUD_COLUMNS = 400, CLOUD_ROWS = 250 }; /* smaller than a dot */

/* The bin of a value in [low, high], 0 .. bins - 1. */
static size_t bin_of(double value, double low, double high, size_t bins) {
  double at = (value - low) / (high - low) * (double)bins;
  return at < 0 ? 0 : at > (double)(bins - 1) ? bins - 1 : (size_t)at;
}

/* A cloud of points: one of those that would cover each other, the first. */
static rnl_status thin_cloud(const rnl_series *s, size_t *out, size_t *count, rnl_error *err) {
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (size_t i = 0; i < s->n; i++) {
    if (!rnl_series_drawable(s, i)) continue;
    const double at[2] = {s->x[i], s->y[i]};
    for (int k = 0; k < 2; k++) {
      if (at[k] < low[k]) low[k] = at[k];
      if (at[k] > high[k]) high[k] = at[k];
    }
  }
  for (int k = 0; k < 2; k++)
    if (!(high[k] > low[k]) || !isfinite(high[k] - low[k])) low[k] = 0, high[k] = 1;
  unsigned char *seen = rnl_alloc((size_t)CLOUD_COLUMNS * CLOUD_ROWS, 1);
  if (!seen) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while thinning a series of %zu points", s->n);
  for (size_t i = 0; i < s->n; i++) {
    if (!rnl_series_drawable(s, i)) continue;
    size_t cell = bin_of(s->x[i], low[0], high[0], CLOUD_COLUMNS) * CLOUD_ROWS +
                  bin_of(s->y[i], low[1], high[1], CLOUD_ROWS);
    if (!seen[cell]) out[(*count)++] = i;
    seen[cell] = 1;
  }
  rnl_free(seen);
  return RNL_OK;
}

rnl_status rnl_thin(const rnl_series *series, bool log_x, size_t **out, size_t *count, rnl_error *err) {
  size_t n = series->n;
  *count = 0;
  *out = rnl_alloc(n, sizeof **out);
  if (!*out) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while thinning a series of %zu points", n);
  bool areas = series->kind == RNL_SERIES_BARS || series->kind == RNL_SERIES_BOXES;
  if (n <= RNL_THIN_LIMIT || areas) {
    for (size_t i = 0; i < n; i++) (*out)[i] = i;
    *count = n;
    return RNL_OK;
  }
  if (series->kind == RNL_SERIES_POINTS) {
    if (n > CLOUD) {
      rnl_status status = thin_cloud(series, *out, count, err);
      if (status != RNL_OK) {
        rnl_free(*out);
        *out = NULL;
      }
      return status;
    }
    for (size_t i = 0; i < n; i++) (*out)[i] = i;
    *count = n;
    return RNL_OK;
  }
  double low = INFINITY, high = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    double x = position(series->x[i], log_x);
    if (!isfinite(x)) continue;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  double scale = high > low ? RNL_THIN_BINS / (high - low) : 0;
  run current = {.bin = -1};
  bool gap = true; /* the last thing written was a gap, or nothing */
  for (size_t i = 0; i < n; i++) {
    double x = position(series->x[i], log_x);
    if (!rnl_series_drawable(series, i) || !isfinite(x)) {
      if (current.bin >= 0) *count += run_write(&current, *out + *count);
      current.bin = -1;
      if (!gap) (*out)[(*count)++] = i;
      gap = true;
      continue;
    }
    gap = false;
    int bin = (int)fmin((x - low) * scale, RNL_THIN_BINS - 1);
    if (bin == current.bin) {
      run_extend(&current, series, i);
    } else {
      if (current.bin >= 0) *count += run_write(&current, *out + *count);
      run_start(&current, bin, i);
    }
  }
  if (current.bin >= 0) *count += run_write(&current, *out + *count);
  return RNL_OK;
}
