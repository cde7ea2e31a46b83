/* tensor/storage.c: making and releasing tensors, dtypes, shapes as text, single elements. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tensor/tensor.h"

const char *rnl_dtype_name(rnl_dtype dtype) { return dtype == RNL_F64 ? "float64" : "float32"; }

const char *rnl_shape_text(char buffer[RNL_SHAPE_TEXT], int ndim, const int64_t *size) {
  size_t used = 0;
  used += (size_t)snprintf(buffer, RNL_SHAPE_TEXT, "(");
  for (int d = 0; d < ndim && used < RNL_SHAPE_TEXT; d++)
    used += (size_t)snprintf(buffer + used, RNL_SHAPE_TEXT - used, "%s%" PRId64, d ? ", " : "", size[d]);
  if (used < RNL_SHAPE_TEXT) snprintf(buffer + used, RNL_SHAPE_TEXT - used, ")");
  return buffer;
}

const char *rnl_tensor_shape_text(char buffer[RNL_SHAPE_TEXT], const rnl_tensor *t) {
  return rnl_shape_text(buffer, t->ndim, t->size);
}

/* Bytes as a person says them: "4.0 TB". */
static const char *bytes_text(char buffer[32], double bytes) {
  static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 6) bytes /= 1000, unit++;
  snprintf(buffer, 32, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return buffer;
}

/* The header and the data are one block; the header takes one alignment unit. */
static rnl_status storage_new(rnl_storage **out, size_t bytes, rnl_dtype dtype, int ndim,
                              const int64_t *size, rnl_error *err) {
  _Static_assert(sizeof(rnl_storage) <= RNL_ALIGN, "the storage header fits before the data");
  char shape[RNL_SHAPE_TEXT], need[32], have[32];
  size_t total;
  /* Asking for more than the machine has would either fail or, with overcommit, get the process
   * killed while the block is zeroed. */
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  double memory = pages > 0 && page > 0 ? (double)pages * (double)page : 0;
  if (memory > 0 && (double)bytes > memory)
    return rnl_fail(err, RNL_ERR_MEMORY, "a %s %s tensor needs %s; this machine has %s",
                    rnl_shape_text(shape, ndim, size), rnl_dtype_name(dtype),
                    bytes_text(need, (double)bytes), bytes_text(have, memory));
  rnl_storage *storage = rnl_add_size(bytes, RNL_ALIGN, &total) ? rnl_alloc(total, 1) : NULL;
  if (!storage)
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a %s %s tensor (%s)",
                    rnl_shape_text(shape, ndim, size), rnl_dtype_name(dtype),
                    bytes_text(need, (double)bytes));
  storage->references = 1;
  storage->bytes = bytes;
  storage->data = (char *)storage + RNL_ALIGN;
  *out = storage;
  return RNL_OK;
}

static rnl_status too_large(int ndim, const int64_t *size, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  return rnl_fail(err, RNL_ERR_MEMORY, "a %s tensor is too large", rnl_shape_text(shape, ndim, size));
}

/* Row-major strides for the sizes in *t; false where the number of elements does not fit. Sizes of 0
 * count as 1 here, so that no stride overflows either. */
static bool row_major_strides(rnl_tensor *t) {
  int64_t stride = 1;
  for (int d = t->ndim - 1; d >= 0; d--) {
    t->stride[d] = stride;
    if (!rnl_mul_i64(stride, t->size[d] > 0 ? t->size[d] : 1, &stride)) return false;
  }
  return true;
}

static rnl_status check_sizes(int ndim, const int64_t *size, rnl_error *err) {
  if (ndim < 0 || ndim > RNL_MAX_DIMS)
    return rnl_fail(err, RNL_ERR_ARG, "a tensor of %d dimensions; at most %d are possible", ndim,
                    RNL_MAX_DIMS);
  char shape[RNL_SHAPE_TEXT];
  for (int d = 0; d < ndim; d++)
    if (size[d] < 0)
      return rnl_fail(err, RNL_ERR_ARG, "a %s tensor: a size must be at least 0",
                      rnl_shape_text(shape, ndim, size));
  return RNL_OK;
}

/* Sizes and row-major strides; *bytes is what its elements take. */
static rnl_status lay_rows(rnl_tensor *out, rnl_dtype dtype, int ndim, const int64_t *size, size_t *bytes,
                           rnl_error *err) {
  memset(out, 0, sizeof *out);
  RNL_TRY(check_sizes(ndim, size, err));
  rnl_tensor t = {.dtype = dtype, .ndim = ndim};
  for (int d = 0; d < ndim; d++) t.size[d] = size[d];
  if (!row_major_strides(&t) || !rnl_mul_size((size_t)rnl_tensor_numel(&t), rnl_dtype_size(dtype), bytes))
    return too_large(ndim, size, err);
  *out = t;
  return RNL_OK;
}

rnl_status rnl_tensor_new(rnl_tensor *out, rnl_dtype dtype, int ndim, const int64_t *size,
                          rnl_error *err) {
  size_t bytes;
  RNL_TRY(lay_rows(out, dtype, ndim, size, &bytes, err));
  return storage_new(&out->storage, bytes, dtype, ndim, size, err);
}

rnl_status rnl_tensor_lay_sequence(rnl_tensor *out, rnl_dtype dtype, rnl_layout layout, int64_t batch, int64_t time,
                                   int64_t feature, size_t *bytes, rnl_error *err) {
  const int64_t size[3] = {batch, time, feature};
  if (layout == RNL_LAYOUT_STRIDED) return lay_rows(out, dtype, 3, size, bytes, err);
  memset(out, 0, sizeof *out);
  RNL_TRY(check_sizes(3, size, err));
  if (batch > INT64_MAX - RNL_LANES) return too_large(3, size, err);
  rnl_tensor t = {.dtype = dtype, .layout = layout, .ndim = 3, .size = {batch, time, feature}};
  /* the row that lies innermost, and how many elements a step takes */
  int64_t row = layout == RNL_LAYOUT_LANES ? rnl_tensor_lane_stride(&t) : feature;
  int64_t rows = layout == RNL_LAYOUT_LANES ? feature : batch;
  int64_t step, elements;
  if (!rnl_mul_i64(row, rows, &step) || !rnl_mul_i64(step, time, &elements) ||
      !rnl_mul_size((size_t)elements, rnl_dtype_size(dtype), bytes))
    return too_large(3, size, err);
  t.stride[0] = layout == RNL_LAYOUT_LANES ? 1 : feature;
  t.stride[1] = step;
  t.stride[2] = layout == RNL_LAYOUT_LANES ? row : 1;
  *out = t;
  return RNL_OK;
}

rnl_status rnl_tensor_new_sequence(rnl_tensor *out, rnl_dtype dtype, rnl_layout layout,
                                   int64_t batch, int64_t time, int64_t feature, rnl_error *err) {
  size_t bytes;
  RNL_TRY(rnl_tensor_lay_sequence(out, dtype, layout, batch, time, feature, &bytes, err));
  return storage_new(&out->storage, bytes, dtype, 3, out->size, err);
}

rnl_tensor rnl_tensor_ref(const rnl_tensor *t) {
  if (t->storage) t->storage->references++;
  return *t;
}

void rnl_tensor_release(rnl_tensor *t) {
  rnl_storage *storage = t->storage;
  memset(t, 0, sizeof *t);
  if (storage && --storage->references == 0) rnl_free(storage);
}

int64_t rnl_tensor_numel(const rnl_tensor *t) {
  int64_t n = 1;
  for (int d = 0; d < t->ndim; d++) {
    if (t->size[d] == 0) return 0;
    n *= t->size[d];
  }
  return n;
}

bool rnl_tensor_is_contiguous(const rnl_tensor *t) {
  if (rnl_tensor_numel(t) == 0) return true;
  int64_t stride = 1;
  for (int d = t->ndim - 1; d >= 0; d--) {
    if (t->size[d] == 1) continue;
    if (t->stride[d] != stride) return false;
    stride *= t->size[d];
  }
  return true;
}

bool rnl_tensor_same_shape(const rnl_tensor *a, const rnl_tensor *b) {
  if (a->ndim != b->ndim) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != b->size[d]) return false;
  return true;
}

int64_t rnl_tensor_lane_stride(const rnl_tensor *t) {
  return rnl_lanes_of(t->size[0]);
}

/* ---- single elements ------------------------------------------------------------------------- */

static double load(const rnl_tensor *t, int64_t element) {
  return t->dtype == RNL_F64 ? ((const double *)t->storage->data)[element]
                             : (double)((const float *)t->storage->data)[element];
}

static void store(const rnl_tensor *t, int64_t element, double value) {
  if (t->dtype == RNL_F64)
    ((double *)t->storage->data)[element] = value;
  else
    ((float *)t->storage->data)[element] = (float)value;
}

static int64_t element_of_index(const rnl_tensor *t, const int64_t *index) {
  int64_t element = t->offset;
  for (int d = 0; d < t->ndim; d++) element += index[d] * t->stride[d];
  return element;
}

static int64_t element_of_position(const rnl_tensor *t, int64_t i) {
  int64_t element = t->offset;
  for (int d = t->ndim - 1; d >= 0; d--) {
    element += i % t->size[d] * t->stride[d];
    i /= t->size[d];
  }
  return element;
}

double rnl_tensor_get(const rnl_tensor *t, const int64_t *index) {
  return load(t, element_of_index(t, index));
}

void rnl_tensor_set(const rnl_tensor *t, const int64_t *index, double value) {
  store(t, element_of_index(t, index), value);
}

double rnl_tensor_at(const rnl_tensor *t, int64_t i) { return load(t, element_of_position(t, i)); }

void rnl_tensor_put(const rnl_tensor *t, int64_t i, double value) {
  store(t, element_of_position(t, i), value);
}
