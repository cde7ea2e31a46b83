/* store/metrics.c: metrics.csv as text, back from text, and the thinned loss curve. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "store/private.h"

#define MAX_METRICS_FILE ((size_t)1 << 31)

/* ---- writing -------------------------------------------------------------------------------- */

static char *put_integer(char *p, int64_t value) {
  char digits[24];
  int n = 0;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do digits[n++] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (value < 0) *p++ = '-';
  while (n > 0) *p++ = digits[--n];
  return p;
}

void rnl_metrics_format(rnl_buffer *out, int columns, int64_t rows, const int64_t *epochs,
                        const double *values) {
  for (int64_t row = 0; row < rows; row++) {
    if (!rnl_buffer_reserve(out, ((size_t)columns + 1) * (RNL_NUMBER_TEXT + 1))) return;
    char *p = put_integer(out->data + out->length, epochs[row]);
    for (int column = 0; column < columns; column++) {
      double value = values[row * columns + column];
      *p++ = ',';
      if (!rnl_is_missing(value)) p += rnl_number_format(p, value);
    }
    *p++ = '\n';
    *p = '\0';
    out->length = (size_t)(p - out->data);
  }
}

/* ---- reading -------------------------------------------------------------------------------- */

void rnl_metrics_free(rnl_metrics *metrics) {
  for (int i = 0; metrics->names && i < metrics->columns; i++) rnl_free(metrics->names[i]);
  rnl_free(metrics->names);
  rnl_free(metrics->epochs);
  rnl_free(metrics->values);
  *metrics = (rnl_metrics){ 0 };
}

int rnl_metrics_column(const rnl_metrics *metrics, const char *name) {
  for (int i = 0; i < metrics->columns; i++)
    if (strcmp(metrics->names[i], name) == 0) return i;
  return -1;
}

static rnl_status read_header(rnl_metrics *out, const char *line, const char *end, const char *path,
                              rnl_error *err) {
  if (end - line < 5 || strncmp(line, "epoch", 5) != 0 || (line + 5 < end && line[5] != ','))
    return rnl_fail(err, RNL_ERR_FORMAT, "%s:1: the header must begin with \"epoch\"", path);
  int columns = 0;
  for (const char *p = line; p < end; p++) columns += *p == ',';
  out->names = rnl_alloc((size_t)columns, sizeof *out->names);
  if (!out->names) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", path);
  const char *p = line + 5;
  for (out->columns = 0; out->columns < columns; out->columns++) {
    const char *start = ++p;
    while (p < end && *p != ',') p++;
    char *name = rnl_alloc((size_t)(p - start) + 1, 1);
    if (!name) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", path);
    memcpy(name, start, (size_t)(p - start));
    out->names[out->columns] = name;
  }
  return RNL_OK;
}

static rnl_status read_row(rnl_metrics *out, const char *line, const char *end, const char *path,
                           rnl_error *err) {
  double value;
  const char *p = line;
  int64_t number = out->rows + 2;
  if (!rnl_number_parse(p, end, &value, &p) || value != floor(value) || fabs(value) > 0x1p53)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s:%lld: the epoch is not a whole number", path,
                    (long long)number);
  out->epochs[out->rows] = (int64_t)value;
  for (int column = 0; column < out->columns; column++) {
    if (p >= end || *p != ',') {
      return rnl_fail(err, RNL_ERR_FORMAT, "%s:%lld: has %d values; the header names %d", path,
                      (long long)number, column, out->columns);
    }
    p++;
    value = rnl_missing();
    if (p < end && *p != ',' && !rnl_number_parse(p, end, &value, &p))
      return rnl_fail(err, RNL_ERR_FORMAT, "%s:%lld: column %s is not a number", path,
                      (long long)number, out->names[column]);
    out->values[out->rows * out->columns + column] = value;
  }
  if (p != end)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s:%lld: text behind the last value", path,
                    (long long)number);
  out->rows++;
  return RNL_OK;
}

/* The part of the file made of whole lines: a write cut short leaves a line without its end, a power
 * cut may leave zero bytes. */
static size_t whole_lines(const rnl_buffer *text) {
  if (text->length == 0) return 0;
  const char *zero = memchr(text->data, '\0', text->length);
  size_t length = zero ? (size_t)(zero - text->data) : text->length;
  while (length > 0 && text->data[length - 1] != '\n') length--;
  return length;
}

static rnl_status parse_metrics(rnl_metrics *out, const rnl_buffer *text, const char *path,
                                rnl_error *err) {
  size_t length = whole_lines(text);
  if (length == 0) return RNL_OK; /* stopped before the header was written */
  const char *line = text->data, *end = text->data + length;
  size_t lines = 0, cells;
  for (const char *p = line; p < end; p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1) lines++;
  const char *stop = memchr(line, '\n', length);
  RNL_TRY(read_header(out, line, stop, path, err));
  if (rnl_mul_size(lines, (size_t)out->columns, &cells)) {
    out->epochs = rnl_alloc(lines, sizeof *out->epochs);
    out->values = rnl_alloc(cells, sizeof *out->values);
  }
  if (!out->epochs || !out->values)
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", path);
  while ((line = stop + 1) < end) {
    stop = memchr(line, '\n', (size_t)(end - line));
    RNL_TRY(read_row(out, line, stop, path, err));
  }
  return RNL_OK;
}

rnl_status rnl_metrics_read(rnl_metrics *out, const char *dir, rnl_error *err) {
  *out = (rnl_metrics){ 0 };
  char *path = rnl_path_join(dir, RNL_METRICS_FILE);
  if (!path) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", dir);
  rnl_buffer text = { 0 };
  rnl_status status = rnl_file_read(path, MAX_METRICS_FILE, &text, err);
  if (status == RNL_OK) status = parse_metrics(out, &text, path, err);
  if (status != RNL_OK) rnl_metrics_free(out);
  rnl_buffer_free(&text);
  rnl_free(path);
  return status;
}

/* ---- the curve ------------------------------------------------------------------------------ */

void rnl_curve_add(rnl_curve *curve, double epoch, double value) {
  if (curve->stride == 0) curve->stride = 1;
  curve->last[0] = epoch;
  curve->last[1] = value;
  if (curve->rows++ % curve->stride != 0) return;
  if (curve->count == RNL_INDEX_CURVE_POINTS) {
    for (int i = 0; 2 * i < curve->count; i++) memcpy(curve->points[i], curve->points[2 * i], 16);
    curve->count /= 2;
    curve->stride *= 2;
    /* RNL_INDEX_CURVE_POINTS is even, so this row is one of the new stride's. */
  }
  memcpy(curve->points[curve->count++], curve->last, sizeof curve->last);
}

int rnl_curve_finish(rnl_curve *curve) {
  if (curve->rows > 0 && (curve->rows - 1) % curve->stride != 0) {
    memcpy(curve->points[curve->count], curve->last, sizeof curve->last);
    return curve->count + 1;
  }
  return curve->count;
}

rnl_status rnl_curve_read(rnl_curve *curve, const char *dir, rnl_error *err) {
  rnl_metrics metrics;
  *curve = (rnl_curve){ 0 };
  rnl_status status = rnl_metrics_read(&metrics, dir, err);
  if (status == RNL_ERR_NOT_FOUND) return RNL_OK;
  if (status != RNL_OK) return status;
  int column = rnl_metrics_column(&metrics, "loss");
  for (int64_t row = 0; column >= 0 && row < metrics.rows; row++) {
    double value = metrics.values[row * metrics.columns + column];
    if (!rnl_is_missing(value)) rnl_curve_add(curve, (double)metrics.epochs[row], value);
  }
  rnl_metrics_free(&metrics);
  return RNL_OK;
}
