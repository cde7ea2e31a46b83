/* grad/elementwise.c: elementwise arithmetic on strided tensors by way of the contiguous kernels. */
#include "grad/elementwise.h"

#include <string.h>

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

const void *rnl_chunk_load(rnl_chunk *chunk, bool f64, const char *p, int64_t step, int64_t n) {
  if (step == 1) return p;
  if (f64) {
    const double *x = (const double *)p;
    for (int64_t i = 0; i < n; i++) chunk->f64[i] = x[i * step];
  } else {
    const float *x = (const float *)p;
    for (int64_t i = 0; i < n; i++) chunk->f32[i] = x[i * step];
  }
  return chunk;
}

void rnl_chunk_store(const rnl_chunk *chunk, bool f64, char *p, int64_t step, int64_t n) {
  if (f64) {
    double *y = (double *)p;
    for (int64_t i = 0; i < n; i++) y[i * step] = chunk->f64[i];
  } else {
    float *y = (float *)p;
    for (int64_t i = 0; i < n; i++) y[i * step] = chunk->f32[i];
  }
}

void rnl_walk_begin_unordered(rnl_walk *w, int count, const rnl_tensor *const *tensors) {
  const rnl_tensor *first = tensors[0];
  int order[RNL_MAX_DIMS];
  bool sorted = true;
  for (int d = 0; d < first->ndim; d++) { /* insertion sort by falling stride; it is stable */
    int at = d;
    while (at > 0 && first->stride[order[at - 1]] < first->stride[d]) order[at] = order[at - 1], at--;
    order[at] = d;
    if (at != d) sorted = false;
  }
  if (sorted) {
    rnl_walk_begin(w, count, tensors);
    return;
  }
  rnl_tensor turned[RNL_WALK_MAX]; /* borrowed views */
  const rnl_tensor *pointers[RNL_WALK_MAX];
  for (int k = 0; k < count; k++) {
    turned[k] = *tensors[k];
    for (int d = 0; d < first->ndim; d++) {
      turned[k].size[d] = tensors[k]->size[order[d]];
      turned[k].stride[d] = tensors[k]->stride[order[d]];
    }
    pointers[k] = &turned[k];
  }
  rnl_walk_begin(w, count, pointers);
}

/* A borrowed view of x stretched to y's shape. The caller has checked that it fits. */
static rnl_tensor stretched(const rnl_tensor *x, const rnl_tensor *y) {
  rnl_tensor view = *x;
  int shift = y->ndim - x->ndim;
  view.ndim = y->ndim;
  for (int d = 0; d < y->ndim; d++) {
    bool stretch = d < shift || (x->size[d - shift] == 1 && y->size[d] != 1);
    view.size[d] = y->size[d];
    view.stride[d] = stretch ? 0 : x->stride[d - shift];
  }
  return view;
}

void rnl_unary_into(rnl_unary kind, const rnl_tensor *x, const rnl_tensor *y) {
  bool f64 = y->dtype == RNL_F64;
  size_t bytes = rnl_dtype_size(y->dtype);
  const rnl_kernels *kernels = rnl_kernels_of(f64);
  rnl_walk w;
  rnl_walk_begin_unordered(&w, 2, (const rnl_tensor *const[]){y, x});
  do {
    if (w.step[0] == 1 && w.step[1] == 1) {
      kernels->unary(kind, w.length, w.data[1], w.data[0]);
      continue;
    }
    for (int64_t i = 0; i < w.length; i += RNL_CHUNK) {
      rnl_chunk in, out;
      int64_t n = at_most(w.length - i, RNL_CHUNK);
      const char *from = w.data[1] + i * w.step[1] * (int64_t)bytes;
      char *to = w.data[0] + i * w.step[0] * (int64_t)bytes;
      kernels->unary(kind, n, rnl_chunk_load(&in, f64, from, w.step[1], n), &out);
      rnl_chunk_store(&out, f64, to, w.step[0], n);
    }
  } while (rnl_walk_next(&w));
}

void rnl_unary_backward_into(rnl_unary kind, const rnl_tensor *x, const rnl_tensor *y,
                             const rnl_tensor *g, const rnl_tensor *dx, bool add) {
  bool f64 = dx->dtype == RNL_F64;
  int64_t bytes = (int64_t)rnl_dtype_size(dx->dtype);
  const rnl_kernels *kernels = rnl_kernels_of(f64);
  rnl_walk w;
  rnl_walk_begin_unordered(&w, 4, (const rnl_tensor *const[]){dx, x, y, g});
  do {
    if (w.step[0] == 1 && w.step[1] == 1 && w.step[2] == 1 && w.step[3] == 1) {
      kernels->unary_backward(kind, w.length, w.data[1], w.data[2], w.data[3], w.data[0], add);
      continue;
    }
    for (int64_t i = 0; i < w.length; i += RNL_CHUNK) {
      rnl_chunk held[3], out;
      const void *from[3];
      int64_t n = at_most(w.length - i, RNL_CHUNK);
      for (int k = 0; k < 3; k++)
        from[k] = rnl_chunk_load(&held[k], f64, w.data[k + 1] + i * w.step[k + 1] * bytes, w.step[k + 1], n);
      char *to = w.data[0] + i * w.step[0] * bytes;
      if (add) {
        const void *old = rnl_chunk_load(&out, f64, to, w.step[0], n);
        if (old != &out) memcpy(&out, old, (size_t)(n * bytes));
      }
      kernels->unary_backward(kind, n, from[0], from[1], from[2], &out, add);
      rnl_chunk_store(&out, f64, to, w.step[0], n);
    }
  } while (rnl_walk_next(&w));
}

void rnl_binary_into(rnl_binary kind, const rnl_tensor *a, const rnl_tensor *b, const rnl_tensor *y) {
  bool f64 = y->dtype == RNL_F64;
  int64_t bytes = (int64_t)rnl_dtype_size(y->dtype);
  const rnl_kernels *kernels = rnl_kernels_of(f64);
  rnl_tensor wide_a = stretched(a, y), wide_b = stretched(b, y);
  rnl_walk w;
  rnl_walk_begin_unordered(&w, 3, (const rnl_tensor *const[]){y, &wide_a, &wide_b});
  do {
    bool direct = w.step[0] == 1;
    for (int k = 1; k < 3; k++) direct = direct && (w.step[k] == 0 || w.step[k] == 1);
    if (direct) {
      kernels->binary(kind, w.length, w.data[1], (int)w.step[1], w.data[2], (int)w.step[2], w.data[0]);
      continue;
    }
    for (int64_t i = 0; i < w.length; i += RNL_CHUNK) {
      rnl_chunk held_a, held_b, out;
      int64_t n = at_most(w.length - i, RNL_CHUNK);
      char *to = w.data[0] + i * w.step[0] * bytes;
      const void *from_a = rnl_chunk_load(&held_a, f64, w.data[1] + i * w.step[1] * bytes, w.step[1], n);
      const void *from_b = rnl_chunk_load(&held_b, f64, w.data[2] + i * w.step[2] * bytes, w.step[2], n);
      kernels->binary(kind, n, from_a, 1, from_b, 1, &out);
      rnl_chunk_store(&out, f64, to, w.step[0], n);
    }
  } while (rnl_walk_next(&w));
}

void rnl_add_into(const rnl_tensor *y, const rnl_tensor *x, bool add) {
  if (add) {
    rnl_binary_into(RNL_BINARY_ADD, y, x, y);
  } else {
    rnl_tensor wide = stretched(x, y);
    rnl_unary_into(RNL_UNARY_COPY, &wide, y);
  }
}

void rnl_scale_into(const rnl_tensor *y, double scale, const rnl_tensor *x, bool add) {
  if (scale == 1) {
    rnl_add_into(y, x, add);
    return;
  }
  bool f64 = y->dtype == RNL_F64;
  int64_t bytes = (int64_t)rnl_dtype_size(y->dtype);
  rnl_tensor wide = stretched(x, y);
  rnl_walk w;
  rnl_walk_begin_unordered(&w, 2, (const rnl_tensor *const[]){y, &wide});
  do {
    for (int64_t i = 0; i < w.length; i++) {
      char *to = w.data[0] + i * w.step[0] * bytes, *from = w.data[1] + i * w.step[1] * bytes;
      if (f64) {
        double value = scale * *(double *)from;
        *(double *)to = add ? *(double *)to + value : value;
      } else {
        float value = (float)(scale * (double)*(float *)from);
        *(float *)to = add ? *(float *)to + value : value;
      }
    }
  } while (rnl_walk_next(&w));
}

/* ---- sums over stretched dimensions ---------------------------------------------------------- */

void rnl_stretched_begin(const rnl_tensor *sums) { rnl_tensor_fill(sums, 0); }

void rnl_stretched_add(const rnl_tensor *sums, const rnl_tensor *g) {
  rnl_tensor wide = stretched(sums, g);
  rnl_walk w;
  /* Row-major whatever the strides: each sum takes its terms in the order of the shape. */
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){&wide, g});
  do {
    double *to = (double *)w.data[0];
    if (g->dtype == RNL_F64) {
      const double *from = (const double *)w.data[1];
      for (int64_t i = 0; i < w.length; i++) to[i * w.step[0]] += from[i * w.step[1]];
    } else {
      const float *from = (const float *)w.data[1];
      for (int64_t i = 0; i < w.length; i++) to[i * w.step[0]] += (double)from[i * w.step[1]];
    }
  } while (rnl_walk_next(&w));
}

void rnl_stretched_end(const rnl_tensor *sums, const rnl_tensor *dst, bool add) {
  rnl_walk w;
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){dst, sums});
  do {
    const double *from = (const double *)w.data[1];
    for (int64_t i = 0; i < w.length; i++) {
      double sum = from[i * w.step[1]];
      if (dst->dtype == RNL_F64) {
        double *to = (double *)w.data[0] + i * w.step[0];
        *to = add ? *to + sum : sum;
      } else {
        float *to = (float *)w.data[0] + i * w.step[0];
        *to = add ? *to + (float)sum : (float)sum;
      }
    }
  } while (rnl_walk_next(&w));
}
