/* sweep/space.c: dimensions, conditions and points. The texts that make them are space_parse.c's. */
#include "sweep/space.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

static const int64_t countless = INT64_MAX, most_counted = (int64_t)1 << 62;

/* ---- one dimension --------------------------------------------------------------------------- */

static void dimension_free(rnl_dimension *d) {
  rnl_free(d->name);
  for (int64_t i = 0; i < d->n_choices && d->choices; i++) rnl_free(d->choices[i]);
  rnl_free(d->choices);
  rnl_free(d->when_values);
  *d = (rnl_dimension){.when = -1};
}

static rnl_status dimension_copy(const rnl_dimension *from, rnl_dimension *out, rnl_error *err) {
  *out = *from;
  out->choices = NULL;
  out->when_values = NULL;
  out->name = rnl_strdup(from->name);
  bool fine = out->name != NULL;
  if (fine && from->n_choices > 0) {
    out->choices = rnl_alloc((size_t)from->n_choices, sizeof *out->choices);
    fine = out->choices != NULL;
    for (int64_t i = 0; fine && i < from->n_choices; i++)
      fine = (out->choices[i] = rnl_strdup(from->choices[i])) != NULL;
  }
  if (fine && from->n_when > 0) {
    out->when_values = rnl_alloc((size_t)from->n_when, sizeof *out->when_values);
    fine = out->when_values != NULL;
    if (fine) memcpy(out->when_values, from->when_values, (size_t)from->n_when * sizeof *out->when_values);
  }
  if (fine) return RNL_OK;
  dimension_free(out);
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a sweep's dimension");
}

/* 10^d where low and step are both whole multiples of 10^-d, d <= 15 (0: there is none): steps of .1 then give .3
 * and not .30000000000000004. */
static double decimal_scale(double low, double step) {
  double scale = 1;
  for (int d = 0; d <= 15; d++, scale *= 10) {
    const double a = low * scale, b = step * scale;
    if (fabs(a) > 0x1p50 || b > 0x1p50) return 0;
    if (fabs(a - round(a)) <= 1e-9 * fmax(1, fabs(a)) * 1e-3 && fabs(b - round(b)) <= 1e-12 * b) return scale;
  }
  return 0;
}

int64_t rnl_dimension_count(const rnl_dimension *d) {
  if (d->kind == RNL_DIM_CATEGORICAL) return d->n_choices;
  if (d->step <= 0) return 0;
  const double n = floor((d->high - d->low) / d->step * (1 + 0x1p-40) + 0x1p-40);
  return n < 0x1p53 ? (int64_t)n + 1 : countless;
}

double rnl_dimension_at(const rnl_dimension *d, int64_t i) {
  if (d->kind != RNL_DIM_REAL) return d->low + (double)i * d->step;
  const double scale = decimal_scale(d->low, d->step);
  if (scale == 0) return d->low + (double)i * d->step;
  return (round(d->low * scale) + (double)i * round(d->step * scale)) / scale;
}

int64_t rnl_dimension_nearest(const rnl_dimension *d, double value) {
  const int64_t count = rnl_dimension_count(d);
  const double i = floor((value - d->low) / d->step + 0.5);
  if (!(i > 0)) return 0;
  return i >= (double)count ? count - 1 : (int64_t)i;
}

void rnl_dimension_format(const rnl_dimension *d, double value, rnl_buffer *out) {
  char text[RNL_NUMBER_TEXT];
  if (isnan(value)) return;
  if (d->kind == RNL_DIM_CATEGORICAL) {
    if (value >= 0 && value < (double)d->n_choices) rnl_buffer_text(out, d->choices[(int64_t)value]);
  } else if (d->kind == RNL_DIM_INT) {
    rnl_buffer_printf(out, "%lld", (long long)value);
  } else {
    rnl_buffer_append(out, text, rnl_number_format(text, value));
  }
}

/* Within bounds and on a step? */
static bool takes(const rnl_dimension *d, double value) {
  if (!(value >= d->low && value <= d->high)) return false;
  return d->step <= 0 || rnl_dimension_at(d, rnl_dimension_nearest(d, value)) == value;
}

rnl_status rnl_dimension_read(const rnl_dimension *d, const char *text, double *value, rnl_error *err) {
  if (d->kind == RNL_DIM_CATEGORICAL) {
    for (int64_t i = 0; i < d->n_choices; i++)
      if (strcmp(d->choices[i], text) == 0) {
        *value = (double)i;
        return RNL_OK;
      }
  } else {
    const char *end = text + strlen(text), *after = NULL;
    double x;
    if (rnl_number_parse(text, end, &x, &after) && after == end && takes(d, x)) {
      *value = x;
      return RNL_OK;
    }
  }
  return rnl_fail(err, RNL_ERR_ARG, "%s=%.80s is not in the sweep's space", d->name, text);
}

/* ---- the space ------------------------------------------------------------------------------- */

int rnl_space_find(const rnl_space *space, const char *name) {
  for (int i = 0; i < space->n; i++)
    if (strcmp(space->dims[i].name, name) == 0) return i;
  return -1;
}

static rnl_status check_dimension(const rnl_space *space, const rnl_dimension *d, rnl_error *err) {
  if (!d->name || !d->name[0]) return rnl_fail(err, RNL_ERR_ARG, "a sweep's dimension needs a name");
  if (rnl_space_find(space, d->name) >= 0)
    return rnl_fail(err, RNL_ERR_ARG, "%s is swept twice; name it once", d->name);
  if (d->kind == RNL_DIM_CATEGORICAL) {
    if (d->n_choices < 1 || d->n_choices > RNL_SPACE_MAX_CHOICES)
      return rnl_fail(err, RNL_ERR_ARG, "%s: %lld choices; 1 to %d are possible", d->name, (long long)d->n_choices,
                      RNL_SPACE_MAX_CHOICES);
  } else {
    if (!isfinite(d->low) || !isfinite(d->high) || !isfinite(d->step) || !isfinite(d->high - d->low) ||
        d->low > d->high || d->step < 0)
      return rnl_fail(err, RNL_ERR_ARG, "%s: a range needs finite ends, the lower one first", d->name);
    if (d->log && d->low <= 0)
      return rnl_fail(err, RNL_ERR_ARG, "%s: a log scale needs a lower end above 0, not %g", d->name, d->low);
    if (d->kind == RNL_DIM_INT &&
        (d->low != floor(d->low) || d->high != floor(d->high) || d->step != floor(d->step) || d->step < 1 ||
         fabs(d->low) > 0x1p53 || fabs(d->high) > 0x1p53))
      return rnl_fail(err, RNL_ERR_ARG, "%s: whole numbers up to 2^53 are expected", d->name);
    if (d->log && d->step > (d->kind == RNL_DIM_INT))
      return rnl_fail(err, RNL_ERR_ARG, "%s: a log scale has no steps", d->name);
  }
  if (d->n_when > 0 && (d->when < 0 || d->when >= space->n))
    return rnl_fail(err, RNL_ERR_ARG, "%s: its condition must name an earlier dimension", d->name);
  return RNL_OK;
}

rnl_status rnl_space_add(rnl_space *space, const rnl_dimension *dimension, rnl_error *err) {
  RNL_TRY(check_dimension(space, dimension, err));
  if (space->n >= RNL_SPACE_MAX_DIMS)
    return rnl_fail(err, RNL_ERR_ARG, "%s: a sweep has at most %d dimensions", dimension->name, RNL_SPACE_MAX_DIMS);
  rnl_dimension copy;
  RNL_TRY(dimension_copy(dimension, &copy, err));
  if (copy.n_when == 0) copy.when = -1;
  if (copy.kind == RNL_DIM_CATEGORICAL) {
    copy.low = 0;
    copy.high = (double)(copy.n_choices - 1);
    copy.step = 1;
    copy.log = false;
  } else if (copy.step > 0) { /* the last value that is reached */
    copy.high = rnl_dimension_at(&copy, rnl_dimension_count(&copy) - 1);
  }
  rnl_dimension *dims = rnl_realloc(space->dims, (size_t)space->n, (size_t)space->n + 1, sizeof *dims);
  if (!dims) {
    dimension_free(&copy);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a sweep's dimension");
  }
  space->dims = dims;
  dims[space->n++] = copy;
  return RNL_OK;
}

rnl_status rnl_space_condition(rnl_space *space, const char *name, const char *parent, int64_t n,
                               const char *const *values, rnl_error *err) {
  const int child = rnl_space_find(space, name), opener = rnl_space_find(space, parent);
  if (child < 0 || opener < 0)
    return rnl_fail(err, RNL_ERR_ARG, "%s depends on %s, and %s is not swept", name, parent,
                    child < 0 ? name : parent);
  if (opener >= child)
    return rnl_fail(err, RNL_ERR_ARG, "%s depends on %s, which must stand before it", name, parent);
  if (n < 1) return rnl_fail(err, RNL_ERR_ARG, "%s depends on %s: on which value of it?", name, parent);
  if (rnl_dimension_count(&space->dims[opener]) == 0)
    return rnl_fail(err, RNL_ERR_ARG, "%s depends on %s, which is a continuous range; it needs separate values", name,
                    parent);
  double *opening = rnl_alloc((size_t)n, sizeof *opening);
  if (!opening) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a sweep's condition");
  for (int64_t i = 0; i < n; i++) {
    rnl_status status = rnl_dimension_read(&space->dims[opener], values[i], &opening[i], err);
    if (status == RNL_ERR_ARG)
      rnl_fail(err, status, "%s depends on %s=%.80s, which is not in the sweep's space", name, parent, values[i]);
    for (int64_t k = 0; status == RNL_OK && k < i; k++)
      if (opening[k] == opening[i])
        status = rnl_fail(err, RNL_ERR_ARG, "%s depends on %s: %.80s stands there twice", name, parent, values[i]);
    if (status != RNL_OK) {
      rnl_free(opening);
      return status;
    }
  }
  rnl_free(space->dims[child].when_values);
  space->dims[child].when = opener;
  space->dims[child].n_when = n;
  space->dims[child].when_values = opening;
  return RNL_OK;
}

void rnl_space_free(rnl_space *space) {
  for (int i = 0; i < space->n; i++) dimension_free(&space->dims[i]);
  rnl_free(space->dims);
  *space = (rnl_space){0};
}

rnl_status rnl_space_copy(const rnl_space *space, rnl_space *out, rnl_error *err) {
  *out = (rnl_space){0};
  for (int i = 0; i < space->n; i++) {
    const rnl_status status = rnl_space_add(out, &space->dims[i], err);
    if (status != RNL_OK) {
      rnl_space_free(out);
      return status;
    }
  }
  return RNL_OK;
}

/* ---- points ---------------------------------------------------------------------------------- */

static bool opens(const rnl_dimension *d, double value) {
  for (int64_t k = 0; k < d->n_when; k++)
    if (d->when_values[k] == value) return true;
  return false;
}

bool rnl_space_active(const rnl_space *space, const double *values, int i) {
  for (; space->dims[i].when >= 0; i = space->dims[i].when)
    if (!opens(&space->dims[i], values[space->dims[i].when])) return false;
  return true;
}

void rnl_space_close(const rnl_space *space, double *values) {
  for (int i = 0; i < space->n; i++)
    if (!rnl_space_active(space, values, i)) values[i] = NAN;
}

bool rnl_space_same(const rnl_space *space, const double *a, const double *b) {
  for (int i = 0; i < space->n; i++)
    if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))) return false;
  return true;
}

rnl_status rnl_space_check(const rnl_space *space, const double *values, rnl_error *err) {
  for (int i = 0; i < space->n; i++) {
    const bool active = rnl_space_active(space, values, i);
    if (active ? !takes(&space->dims[i], values[i]) : !isnan(values[i]))
      return rnl_fail(err, RNL_ERR_ARG, "%s=%.17g is not in the sweep's space", space->dims[i].name, values[i]);
  }
  return RNL_OK;
}

/* ---- counting -------------------------------------------------------------------------------- */

static int64_t times(int64_t a, int64_t b) {
  int64_t product;
  return a == countless || b == countless || !rnl_mul_i64(a, b, &product) || product > most_counted ? countless
                                                                                                    : product;
}

static int64_t plus(int64_t a, int64_t b) { return a == countless || b > most_counted - a ? countless : a + b; }

/* Points of the tree below dimension `from` where it has this value: the product over the ones it opens. */
static int64_t tree_at(const rnl_space *space, int from, double value);

static bool opens_any(const rnl_space *space, int from) {
  for (int i = from + 1; i < space->n; i++)
    if (space->dims[i].when == from) return true;
  return false;
}

/* Is the k-th opening value of dimension i the first such value of their parent, going by (i, k)? */
static bool first_mention(const rnl_space *space, int i, int64_t k) {
  for (int j = space->dims[i].when + 1; j < i; j++)
    if (space->dims[j].when == space->dims[i].when && opens(&space->dims[j], space->dims[i].when_values[k]))
      return false;
  return true;
}

/* Points of dimension `from` and all that hang on it: one for each value, more for those that open others. */
static int64_t tree(const rnl_space *space, int from) {
  int64_t sum = rnl_dimension_count(&space->dims[from]);
  for (int i = from + 1; i < space->n; i++)
    for (int64_t k = 0; k < space->dims[i].n_when && space->dims[i].when == from; k++)
      if (first_mention(space, i, k)) sum = plus(sum, plus(tree_at(space, from, space->dims[i].when_values[k]), -1));
  return sum;
}

static int64_t tree_at(const rnl_space *space, int from, double value) {
  int64_t product = 1;
  for (int i = from + 1; i < space->n; i++)
    if (space->dims[i].when == from && opens(&space->dims[i], value)) product = times(product, tree(space, i));
  return product;
}

int64_t rnl_space_count(const rnl_space *space) {
  int64_t product = 1;
  for (int i = 0; i < space->n; i++)
    if (rnl_dimension_count(&space->dims[i]) == 0) return 0;
  for (int i = 0; i < space->n; i++)
    if (space->dims[i].when < 0) product = times(product, tree(space, i));
  return product;
}

/* In how many ways the dimensions from `from` on can be filled in, given those before it. */
static int64_t completions(const rnl_space *space, const double *values, int from) {
  int64_t product = 1;
  for (int i = from; i < space->n; i++)
    if (space->dims[i].when < from && rnl_space_active(space, values, i)) product = times(product, tree(space, i));
  return product;
}

void rnl_space_point(const rnl_space *space, int64_t index, double *values) {
  for (int i = 0; i < space->n; i++) {
    const rnl_dimension *d = &space->dims[i];
    values[i] = NAN;
    if (!rnl_space_active(space, values, i)) continue;
    if (!opens_any(space, i)) {
      const int64_t each = completions(space, values, i + 1);
      values[i] = rnl_dimension_at(d, index / each);
      index %= each;
      continue;
    }
    for (int64_t k = 0;; k++) {
      values[i] = rnl_dimension_at(d, k);
      const int64_t here = completions(space, values, i + 1);
      if (index < here) break;
      index -= here;
    }
  }
}

/* ---- in words -------------------------------------------------------------------------------- */

void rnl_dimension_describe(const rnl_space *space, int i, rnl_buffer *out) {
  const rnl_dimension *d = &space->dims[i];
  rnl_buffer_printf(out, "%s: ", d->name);
  if (d->kind == RNL_DIM_CATEGORICAL) {
    for (int64_t k = 0; k < d->n_choices; k++) {
      if (k >= 12 && d->n_choices > 13) {
        rnl_buffer_printf(out, ", ... (%lld choices)", (long long)d->n_choices);
        break;
      }
      rnl_buffer_printf(out, k ? ", %s" : "%s", d->choices[k]);
    }
  } else {
    rnl_buffer_text(out, d->kind == RNL_DIM_INT ? "whole numbers from " : "numbers from ");
    rnl_dimension_format(d, d->low, out);
    rnl_buffer_text(out, " to ");
    rnl_dimension_format(d, d->high, out);
    if (d->step > (d->kind == RNL_DIM_INT)) {
      rnl_buffer_text(out, " in steps of ");
      rnl_dimension_format(d, d->step, out);
    }
    if (d->log) rnl_buffer_text(out, ", uniform in the logarithm");
  }
  if (d->when < 0) return;
  rnl_buffer_printf(out, " (where %s is ", space->dims[d->when].name);
  for (int64_t k = 0; k < d->n_when; k++) {
    if (k) rnl_buffer_text(out, k == d->n_when - 1 ? " or " : ", ");
    rnl_dimension_format(&space->dims[d->when], d->when_values[k], out);
  }
  rnl_buffer_char(out, ')');
}
