/* tensor/copy.c: walking over strided tensors, and what is built on it: copy, clone, cast, fill. */
#include <string.h>

#include "tensor/tensor.h"

/* ---- walking ---------------------------------------------------------------------------------- */

void rnl_walk_begin(rnl_walk *w, int count, const rnl_tensor *const *tensors) {
  const rnl_tensor *first = tensors[0];
  bool empty = rnl_tensor_numel(first) == 0;
  int64_t size[RNL_MAX_DIMS];
  int64_t stride[RNL_WALK_MAX][RNL_MAX_DIMS];
  int n = 0; /* dimensions kept so far, the innermost first */
  for (int d = first->ndim - 1; d >= 0 && !empty; d--) {
    if (first->size[d] == 1) continue;
    bool joins = n > 0;
    for (int k = 0; k < count && joins; k++)
      joins = tensors[k]->stride[d] == stride[k][n - 1] * size[n - 1];
    if (joins) {
      size[n - 1] *= first->size[d];
      continue;
    }
    size[n] = first->size[d];
    for (int k = 0; k < count; k++) stride[k][n] = tensors[k]->stride[d];
    n++;
  }
  w->count = count;
  w->length = empty ? 0 : n > 0 ? size[0] : 1;
  w->ndim = n > 0 ? n - 1 : 0;
  for (int d = 0; d < w->ndim; d++) w->size[d] = size[n - 1 - d], w->index[d] = 0;
  for (int k = 0; k < count; k++) {
    int64_t bytes = (int64_t)rnl_dtype_size(tensors[k]->dtype);
    w->data[k] = rnl_tensor_data(tensors[k]);
    w->step[k] = n > 0 ? stride[k][0] : 1;
    for (int d = 0; d < w->ndim; d++) w->stride_bytes[k][d] = stride[k][n - 1 - d] * bytes;
  }
}

bool rnl_walk_next(rnl_walk *w) {
  for (int d = w->ndim - 1; d >= 0; d--) {
    if (++w->index[d] < w->size[d]) {
      for (int k = 0; k < w->count; k++) w->data[k] += w->stride_bytes[k][d];
      return true;
    }
    w->index[d] = 0;
    for (int k = 0; k < w->count; k++) w->data[k] -= w->stride_bytes[k][d] * (w->size[d] - 1);
  }
  return false;
}

/* ---- copying ---------------------------------------------------------------------------------- */

static void copy_run(const rnl_walk *w, rnl_dtype to, rnl_dtype from) {
  int64_t n = w->length, step_to = w->step[0], step_from = w->step[1];
  if (to == from && step_to == 1 && step_from == 1) {
    memcpy(w->data[0], w->data[1], (size_t)n * rnl_dtype_size(to));
  } else if (to == RNL_F32 && from == RNL_F32) {
    float *y = (float *)w->data[0];
    const float *x = (const float *)w->data[1];
    for (int64_t i = 0; i < n; i++) y[i * step_to] = x[i * step_from];
  } else if (to == RNL_F64 && from == RNL_F64) {
    double *y = (double *)w->data[0];
    const double *x = (const double *)w->data[1];
    for (int64_t i = 0; i < n; i++) y[i * step_to] = x[i * step_from];
  } else if (to == RNL_F64) {
    double *y = (double *)w->data[0];
    const float *x = (const float *)w->data[1];
    for (int64_t i = 0; i < n; i++) y[i * step_to] = (double)x[i * step_from];
  } else {
    float *y = (float *)w->data[0];
    const double *x = (const double *)w->data[1];
    for (int64_t i = 0; i < n; i++) y[i * step_to] = (float)x[i * step_from];
  }
}

/* Two whole sequences that lie alike, padding included. */
static bool lie_alike(const rnl_tensor *a, const rnl_tensor *b) {
  return a->layout != RNL_LAYOUT_STRIDED && a->layout == b->layout && a->dtype == b->dtype;
}

static void copy_apart(const rnl_tensor *dst, const rnl_tensor *src) {
  if (lie_alike(dst, src)) { /* a step is as long as the distance of two */
    memcpy(rnl_tensor_data(dst), rnl_tensor_data(src),
           (size_t)(dst->size[1] * dst->stride[1]) * rnl_dtype_size(dst->dtype));
    return;
  }
  rnl_walk w;
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){dst, src});
  do copy_run(&w, dst->dtype, src->dtype);
  while (rnl_walk_next(&w));
}

/* First and last element of the storage a view reaches. */
static void extent(const rnl_tensor *t, int64_t *low, int64_t *high) {
  *low = *high = t->offset;
  for (int d = 0; d < t->ndim; d++) {
    int64_t reach = (t->size[d] - 1) * t->stride[d];
    if (reach < 0)
      *low += reach;
    else
      *high += reach;
  }
}

static bool same_view(const rnl_tensor *a, const rnl_tensor *b) {
  if (a->offset != b->offset || a->dtype != b->dtype) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != 1 && a->stride[d] != b->stride[d]) return false;
  return true;
}

rnl_status rnl_tensor_copy(const rnl_tensor *dst, const rnl_tensor *src, rnl_error *err) {
  char to[RNL_SHAPE_TEXT], from[RNL_SHAPE_TEXT];
  if (!rnl_tensor_same_shape(dst, src))
    return rnl_fail(err, RNL_ERR_SHAPE, "copy: a %s tensor does not fit a %s one",
                    rnl_tensor_shape_text(from, src), rnl_tensor_shape_text(to, dst));
  if (rnl_tensor_numel(dst) == 0) return RNL_OK;
  if (dst->storage == src->storage) {
    int64_t low_to, high_to, low_from, high_from;
    if (same_view(dst, src)) return RNL_OK;
    extent(dst, &low_to, &high_to);
    extent(src, &low_from, &high_from);
    if (low_to <= high_from && low_from <= high_to) {
      rnl_tensor held;
      RNL_TRY(rnl_tensor_clone(&held, src, err));
      copy_apart(dst, &held);
      rnl_tensor_release(&held);
      return RNL_OK;
    }
  }
  copy_apart(dst, src);
  return RNL_OK;
}

rnl_status rnl_tensor_clone(rnl_tensor *out, const rnl_tensor *t, rnl_error *err) {
  return rnl_tensor_cast(out, t, t->dtype, err);
}

rnl_status rnl_tensor_cast(rnl_tensor *out, const rnl_tensor *t, rnl_dtype dtype, rnl_error *err) {
  rnl_tensor made;
  RNL_TRY(rnl_tensor_new(&made, dtype, t->ndim, t->size, err));
  if (rnl_tensor_numel(t) > 0) copy_apart(&made, t);
  *out = made;
  return RNL_OK;
}

void rnl_tensor_fill(const rnl_tensor *t, double value) {
  rnl_walk w;
  rnl_walk_begin(&w, 1, &t);
  do {
    if (t->dtype == RNL_F64) {
      double *y = (double *)w.data[0];
      for (int64_t i = 0; i < w.length; i++) y[i * w.step[0]] = value;
    } else {
      float *y = (float *)w.data[0];
      for (int64_t i = 0; i < w.length; i++) y[i * w.step[0]] = (float)value;
    }
  } while (rnl_walk_next(&w));
}
