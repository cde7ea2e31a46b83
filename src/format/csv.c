/* format/csv.c: numeric tables from text. */
#include "format/csv.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/number.h"

#define MAX_CSV_BYTES ((size_t)1 << 31)
enum { MAX_COLUMNS = 65536 };

/* ---- fields --------------------------------------------------------------------------------- */

typedef struct field {
  const char *start, *end; /* without blanks around it and without quotes */
} field;

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static const char *skip_blanks(const char *p, const char *end) {
  while (p < end && is_blank(*p)) p++;
  return p;
}

/* The next field of [*p, end). *more says whether another one follows. */
static field next_field(const char **p, const char *end, char delimiter, bool *more) {
  const char *at = *p;
  field out;
  if (delimiter == '\t') while (at < end && *at == ' ') at++;
  else at = skip_blanks(at, end);
  if (at < end && *at == '"') {
    out.start = ++at;
    while (at < end && *at != '"') at++;
    out.end = at;
    while (at < end && *at != delimiter && !(delimiter == ' ' && is_blank(*at))) at++;
  } else {
    out.start = at;
    while (at < end && *at != delimiter && !(delimiter == ' ' && is_blank(*at))) at++;
    out.end = at;
    while (out.end > out.start && is_blank(out.end[-1])) out.end--;
  }
  if (delimiter == ' ') {
    at = skip_blanks(at, end);
    *more = at < end;
  } else {
    *more = at < end;
    if (*more) at++;
  }
  *p = at;
  return out;
}

/* An empty field and "NA" are NaN. */
static bool field_value(field f, double *out) {
  const char *after;
  *out = NAN;
  if (f.start == f.end) return true;
  if (f.end - f.start == 2 && strncasecmp(f.start, "NA", 2) == 0) return true;
  return rnl_number_parse(f.start, f.end, out, &after) && after == f.end;
}

static char find_delimiter(const char *line, const char *end) {
  static const char candidates[] = { '\t', ';', ',' };
  for (size_t i = 0; i < sizeof candidates; i++)
    if (memchr(line, candidates[i], (size_t)(end - line))) return candidates[i];
  return ' ';
}

/* ---- the table ------------------------------------------------------------------------------ */

typedef struct table {
  const char *what;
  rnl_error *err;
  char delimiter;
  int columns;
  int64_t first_line; /* the number of the line that set columns */
  double *values;
  size_t count, capacity;
} table;

static rnl_status out_of_memory(const table *t) {
  return rnl_fail(t->err, RNL_ERR_MEMORY, "%s: out of memory while reading", t->what);
}

static rnl_status read_names(rnl_csv *out, const table *t, const char *line, const char *end) {
  out->names = rnl_alloc((size_t)t->columns, sizeof *out->names);
  if (!out->names) return out_of_memory(t);
  bool more;
  for (out->columns = 0; out->columns < t->columns; out->columns++) {
    field f = next_field(&line, end, t->delimiter, &more);
    char *name = rnl_alloc((size_t)(f.end - f.start) + 1, 1);
    if (!name) return out_of_memory(t);
    memcpy(name, f.start, (size_t)(f.end - f.start));
    out->names[out->columns] = name;
  }
  return RNL_OK;
}

/* The first line sets the number of columns, and is a header where one of its fields is no number. */
static rnl_status read_first_line(rnl_csv *out, table *t, const char *line, const char *end,
                                  int64_t number, bool *is_header) {
  bool more = true;
  double value;
  *is_header = false;
  if (!t->delimiter) t->delimiter = find_delimiter(line, end);
  for (const char *p = line; more;) {
    if (!field_value(next_field(&p, end, t->delimiter, &more), &value)) *is_header = true;
    if (++t->columns > MAX_COLUMNS)
      return rnl_fail(t->err, RNL_ERR_FORMAT, "%s: has more than %d columns", t->what, MAX_COLUMNS);
  }
  t->first_line = number;
  return *is_header ? read_names(out, t, line, end) : RNL_OK;
}

static rnl_status read_row(table *t, const char *line, const char *end, int64_t number) {
  if (t->capacity - t->count < (size_t)t->columns) {
    size_t capacity = 2 * t->capacity + (size_t)t->columns + 1024;
    double *grown = rnl_realloc(t->values, t->count, capacity, sizeof *grown);
    if (!grown) return out_of_memory(t);
    t->values = grown;
    t->capacity = capacity;
  }
  bool more = true;
  int column = 0;
  for (const char *p = line; more; column++) {
    field f = next_field(&p, end, t->delimiter, &more);
    if (column >= t->columns) continue; /* counted for the message */
    if (!field_value(f, &t->values[t->count + (size_t)column])) {
      int shown = f.end - f.start > 40 ? 40 : (int)(f.end - f.start);
      return rnl_fail(t->err, RNL_ERR_FORMAT, "%s:%lld: column %d is \"%.*s\"; a number was expected",
                      t->what, (long long)number, column + 1, shown, f.start);
    }
  }
  if (column != t->columns)
    return rnl_fail(t->err, RNL_ERR_FORMAT, "%s:%lld: has %d fields; line %lld has %d", t->what,
                    (long long)number, column, (long long)t->first_line, t->columns);
  t->count += (size_t)t->columns;
  return RNL_OK;
}

static rnl_status read_lines(rnl_csv *out, table *t, const char *p, const char *end) {
  for (int64_t number = 1; p < end; number++) {
    const char *stop = memchr(p, '\n', (size_t)(end - p)), *next = stop ? stop + 1 : end;
    if (!stop) stop = end;
    if (stop > p && stop[-1] == '\r') stop--;
    const char *line = p;
    p = next;
    const char *start = skip_blanks(line, stop);
    if (start == stop || *start == '#') continue;
    if (memchr(line, '\0', (size_t)(stop - line)))
      return rnl_fail(t->err, RNL_ERR_FORMAT, "%s:%lld: holds a zero byte; this is no text", t->what,
                      (long long)number);
    if (t->columns == 0) {
      bool is_header;
      RNL_TRY(read_first_line(out, t, line, stop, number, &is_header));
      if (is_header) continue;
    }
    RNL_TRY(read_row(t, line, stop, number));
  }
  return RNL_OK;
}

rnl_status rnl_csv_decode(rnl_csv *out, const char *text, size_t length, char delimiter,
                          const char *what, rnl_error *err) {
  *out = (rnl_csv){ 0 };
  table t = { .what = what, .err = err, .delimiter = delimiter };
  if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
    text += 3;
    length -= 3;
  }
  rnl_status status = read_lines(out, &t, text, text + length);
  if (status == RNL_OK && t.count == 0)
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: holds no row of numbers", what);
  if (status == RNL_OK) {
    int64_t size[2] = { (int64_t)(t.count / (size_t)t.columns), t.columns };
    status = rnl_tensor_new(&out->data, RNL_F64, 2, size, err);
  }
  if (status == RNL_OK) {
    memcpy(rnl_tensor_data(&out->data), t.values, t.count * sizeof *t.values);
    out->columns = t.columns;
  } else {
    rnl_csv_free(out);
  }
  rnl_free(t.values);
  return status;
}

rnl_status rnl_csv_read(rnl_csv *out, const char *path, char delimiter, rnl_error *err) {
  rnl_buffer text = { 0 };
  *out = (rnl_csv){ 0 };
  rnl_status status = rnl_file_read(path, MAX_CSV_BYTES, &text, err);
  if (status == RNL_OK)
    status = rnl_csv_decode(out, rnl_buffer_string(&text), text.length, delimiter, path, err);
  rnl_buffer_free(&text);
  return status;
}

void rnl_csv_free(rnl_csv *csv) {
  for (int i = 0; csv->names && i < csv->columns; i++) rnl_free(csv->names[i]);
  rnl_free(csv->names);
  rnl_tensor_release(&csv->data);
  *csv = (rnl_csv){ 0 };
}
