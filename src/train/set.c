/* train/set.c: making, checking and weighing sets of sequences. */
#include "train/set.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

rnl_status rnl_set_new(rnl_set *out, const char *what, const rnl_tensor *x, const rnl_tensor *y, rnl_error *err) {
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  memset(out, 0, sizeof *out);
  out->mask = out->lengths = -1;
  if (x->ndim < 2 || y->ndim < 1 || x->size[0] < 1 || x->size[1] < 1 || x->size[0] != y->size[0])
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "%s: x is %s and y is %s; both need a batch dimension first, with as many sequences", what,
                    rnl_tensor_shape_text(a, x), rnl_tensor_shape_text(b, y));
  out->sequences = x->size[0];
  out->steps = x->size[1];
  rnl_status status = rnl_set_add(out, what, "x", x, err);
  if (status == RNL_OK) status = rnl_set_add(out, what, "y", y, err);
  if (status != RNL_OK) rnl_set_release(out);
  return status;
}

rnl_status rnl_set_add(rnl_set *set, const char *what, const char *name, const rnl_tensor *value, rnl_error *err) {
  char a[RNL_SHAPE_TEXT];
  if (set->n == RNL_SET_FIELDS)
    return rnl_fail(err, RNL_ERR_ARG, "%s: there are more than %d fields", what, RNL_SET_FIELDS);
  if (strlen(name) >= RNL_FIELD_NAME)
    return rnl_fail(err, RNL_ERR_ARG, "%s: the field name '%s' is longer than %d bytes", what, name,
                    RNL_FIELD_NAME - 1);
  for (int i = 0; i < set->n; i++)
    if (strcmp(set->field[i].name, name) == 0)
      return rnl_fail(err, RNL_ERR_ARG, "%s: there are two fields '%s'", what, name);
  if (value->ndim < 1 || value->size[0] != set->sequences)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: %s is %s; its first size must be the %lld sequences of x", what, name,
                    rnl_tensor_shape_text(a, value), (long long)set->sequences);
  const bool mask = strcmp(name, "mask") == 0, lengths = strcmp(name, "lengths") == 0;
  const bool weights = strcmp(name, "weights") == 0;
  if (mask && (value->ndim != 2 || value->size[1] != set->steps))
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: mask is %s; expected (batch, time), here (%lld, %lld)", what,
                    rnl_tensor_shape_text(a, value), (long long)set->sequences, (long long)set->steps);
  if ((lengths || weights) && value->ndim != 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: %s is %s; expected one number a sequence, here (%lld)", what, name,
                    rnl_tensor_shape_text(a, value), (long long)set->sequences);
  if (mask) set->mask = set->n;
  if (lengths) set->lengths = set->n;
  rnl_field *field = &set->field[set->n++];
  strcpy(field->name, name); /* it fits, see above */
  field->value = rnl_tensor_ref(value);
  field->timed = value->ndim >= 2 && value->size[1] == set->steps;
  return RNL_OK;
}

rnl_set rnl_set_ref(const rnl_set *set) {
  rnl_set copy = *set;
  for (int i = 0; i < set->n; i++) copy.field[i].value = rnl_tensor_ref(&set->field[i].value);
  return copy;
}

void rnl_set_release(rnl_set *set) {
  for (int i = 0; i < set->n; i++) rnl_tensor_release(&set->field[i].value);
  set->n = 0;
}

size_t rnl_set_bytes(const rnl_set *set) {
  size_t bytes = 0;
  for (int i = 0; i < set->n; i++) {
    const rnl_storage *storage = set->field[i].value.storage;
    bool seen = false;
    for (int k = 0; k < i; k++) seen = seen || set->field[k].value.storage == storage;
    if (!seen) bytes += storage->bytes;
  }
  return bytes;
}

/* ---- checking ------------------------------------------------------------------------------- */

/* " at sequence 3, step 17, feature 2" for the i-th element in row-major order. */
static void place(char *text, size_t room, const rnl_field *field, int64_t i) {
  static const char *const timed[] = {"sequence", "step", "feature"}, *const whole[] = {"sequence", "feature"};
  int64_t index[RNL_MAX_DIMS];
  const rnl_tensor *t = &field->value;
  for (int d = t->ndim - 1; d >= 0; d--) {
    index[d] = i % t->size[d] + 1;
    i /= t->size[d];
  }
  size_t used = 0;
  text[0] = '\0';
  for (int d = 0; d < t->ndim && used < room; d++) {
    const char *word = field->timed ? (d < 3 ? timed[d] : NULL) : d < 2 ? whole[d] : NULL;
    used += (size_t)(word ? snprintf(text + used, room - used, "%s %s %lld", d ? "," : " at", word, (long long)index[d])
                          : snprintf(text + used, room - used, ".%lld", (long long)index[d]));
  }
}

static rnl_status wrong(const rnl_field *field, const char *what, int64_t i, double value, const char *expected,
                        rnl_error *err) {
  char at[256];
  place(at, sizeof at, field, i);
  if (isnan(value)) return rnl_fail(err, RNL_ERR_ARG, "%s: %s has a NaN%s", what, field->name, at);
  if (isinf(value)) return rnl_fail(err, RNL_ERR_ARG, "%s: %s has an infinite number%s", what, field->name, at);
  return rnl_fail(err, RNL_ERR_ARG, "%s: %s has %g%s; %s", what, field->name, value, at, expected);
}

static rnl_status check_field(const rnl_set *set, const rnl_field *field, const char *what, rnl_error *err) {
  const bool mask = set->mask >= 0 && field == &set->field[set->mask];
  const bool lengths = set->lengths >= 0 && field == &set->field[set->lengths];
  const bool weights = strcmp(field->name, "weights") == 0;
  char expected[80] = "expected a weight of at least 0";
  if (mask) strcpy(expected, "a mask holds 0 and 1");
  if (lengths) snprintf(expected, sizeof expected, "expected a whole number from 1 to %lld", (long long)set->steps);
  int64_t i = 0;
  rnl_walk w;
  rnl_walk_begin(&w, 1, (const rnl_tensor *[]){&field->value});
  do {
    for (int64_t k = 0; k < w.length; k++, i++) {
      const char *at = w.data[0] + k * w.step[0] * (int64_t)rnl_dtype_size(field->value.dtype);
      const double v = field->value.dtype == RNL_F64 ? *(const double *)(const void *)at
                                                     : (double)*(const float *)(const void *)at;
      if (!isfinite(v) || (mask && v != 0 && v != 1) || (weights && v < 0) ||
          (lengths && (v < 1 || v > (double)set->steps || v != floor(v))))
        return wrong(field, what, i, v, expected, err);
    }
  } while (rnl_walk_next(&w));
  return RNL_OK;
}

rnl_status rnl_set_check(const rnl_set *set, const char *what, rnl_error *err) {
  for (int i = 0; i < set->n; i++)
    if (rnl_tensor_numel(&set->field[i].value) > 0) RNL_TRY(check_field(set, &set->field[i], what, err));
  if (set->mask >= 0 && rnl_set_weight(set, 0, set->sequences, NULL, 0, set->steps) == 0)
    return rnl_fail(err, RNL_ERR_ARG, "%s: the mask leaves no valid step", what);
  return RNL_OK;
}

/* ---- weighing ------------------------------------------------------------------------------- */

double rnl_set_weight(const rnl_set *set, int64_t first, int64_t count, const int64_t *order, int64_t from,
                      int64_t length) {
  const bool whole = from == 0 && length == set->steps;
  if (!set->field[RNL_SET_Y].timed || (set->mask < 0 && set->lengths < 0 && whole)) return (double)count;
  if (set->mask < 0 && set->lengths < 0) return (double)count * (double)length;
  double weight = 0;
  for (int64_t k = 0; k < count; k++) {
    const int64_t row = order ? order[k] : first + k;
    int64_t end = from + length;
    if (set->lengths >= 0) {
      const int64_t own = (int64_t)rnl_tensor_get(&set->field[set->lengths].value, &row);
      if (own < end) end = own;
    }
    if (set->mask < 0) weight += end > from ? (double)(end - from) : 0;
    for (int64_t t = from; set->mask >= 0 && t < end; t++)
      weight += rnl_tensor_get(&set->field[set->mask].value, (int64_t[]){row, t});
  }
  return weight;
}
