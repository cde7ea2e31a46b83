/* grad/ops_reduce.c: the op "reduce", sum or mean over everything or along one dimension. */

#include "grad/elementwise.h"
#include "grad/ops.h"

/* Sums go by blocks of this many elements in the row-major order of the view, each block added up by
 * the kernel's fixed tree and the blocks in double: the bits depend on the shape alone. */
enum { BLOCK = 4096 };

typedef union block {
  _Alignas(64) double f64[BLOCK];
  float f32[BLOCK];
} block;

typedef struct adder {
  const rnl_kernels *kernels;
  bool f64;
  block held;
  int64_t used;
  double total;
} adder;

static void adder_flush(adder *a) {
  if (a->used > 0) a->total += a->kernels->sum(a->used, &a->held);
  a->used = 0;
}

static void adder_take(adder *a, const char *p, int64_t step, int64_t n) {
  while (n > 0) {
    int64_t m = BLOCK - a->used < n ? BLOCK - a->used : n;
    if (m == BLOCK && step == 1) { /* a whole block where it lies */
      a->total += a->kernels->sum(BLOCK, p);
    } else if (a->f64) {
      const double *x = (const double *)p;
      for (int64_t i = 0; i < m; i++) a->held.f64[a->used + i] = x[i * step];
    } else {
      const float *x = (const float *)p;
      for (int64_t i = 0; i < m; i++) a->held.f32[a->used + i] = x[i * step];
    }
    if (m != BLOCK || step != 1) {
      a->used += m;
      if (a->used == BLOCK) adder_flush(a);
    }
    p += m * step * (int64_t)(a->f64 ? sizeof(double) : sizeof(float));
    n -= m;
  }
}

static double sum_all(adder *a, const rnl_tensor *x) {
  a->used = 0, a->total = 0;
  rnl_walk w;
  rnl_walk_begin(&w, 1, &x);
  do adder_take(a, w.data[0], w.step[0], w.length);
  while (rnl_walk_next(&w));
  adder_flush(a);
  return a->total;
}

/* A borrowed view of t without dimension `dim`, at its index 0. */
static rnl_tensor without_dim(const rnl_tensor *t, int dim) {
  rnl_tensor view = *t;
  view.layout = RNL_LAYOUT_STRIDED;
  view.ndim--;
  for (int d = dim; d < view.ndim; d++) view.size[d] = t->size[d + 1], view.stride[d] = t->stride[d + 1];
  return view;
}

static int64_t terms_of(const rnl_reduce_attrs *attrs, const rnl_tensor *x) {
  return attrs->dim < 0 ? rnl_tensor_numel(x) : x->size[attrs->dim];
}

static void reduce_into(const rnl_reduce_attrs *attrs, const rnl_tensor *x, const rnl_tensor *y) {
  adder a;
  a.f64 = x->dtype == RNL_F64;
  a.kernels = rnl_kernels_of(a.f64);
  int64_t terms = terms_of(attrs, x), bytes = (int64_t)rnl_dtype_size(x->dtype);
  double divisor = attrs->mean ? (double)terms : 1;
  if (attrs->dim < 0) {
    rnl_tensor_put(y, 0, sum_all(&a, x) / divisor);
    return;
  }
  if (rnl_tensor_numel(y) == 0) return;
  rnl_tensor first = without_dim(x, attrs->dim), out = attrs->keepdim ? without_dim(y, attrs->dim) : *y;
  rnl_walk w;
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){&out, &first});
  do {
    for (int64_t i = 0; i < w.length; i++) {
      a.used = 0, a.total = 0;
      adder_take(&a, w.data[1] + i * w.step[1] * bytes, x->stride[attrs->dim], terms);
      adder_flush(&a);
      if (a.f64)
        ((double *)w.data[0])[i * w.step[0]] = a.total / divisor;
      else
        ((float *)w.data[0])[i * w.step[0]] = (float)(a.total / divisor);
    }
  } while (rnl_walk_next(&w));
}

static rnl_status reduce_prepare(rnl_node *node, rnl_error *err) {
  const rnl_reduce_attrs *attrs = node->attrs;
  const rnl_tensor *x = rnl_in(node, 0);
  if (attrs->dim >= x->ndim) {
    char shape[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: a %s tensor has no dimension %d", attrs->mean ? "mean" : "sum",
                    rnl_tensor_shape_text(shape, x), attrs->dim + 1);
  }
  int ndim = 0;
  int64_t size[RNL_MAX_DIMS];
  for (int d = 0; d < x->ndim; d++) {
    bool gone = attrs->dim < 0 || d == attrs->dim;
    if (gone && !attrs->keepdim) continue;
    size[ndim++] = gone ? 1 : x->size[d];
  }
  return rnl_tensor_new(rnl_out(node, 0), x->dtype, ndim, size, err);
}

static rnl_status reduce_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  reduce_into(node->attrs, rnl_in(node, 0), rnl_out(node, 0));
  return RNL_OK;
}

static rnl_status reduce_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_reduce_attrs *attrs = node->attrs;
  const rnl_tensor *g = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (!dx) return RNL_OK;
  if (!g) {
    if (!node->accumulate[0]) rnl_tensor_fill(dx, 0);
    return RNL_OK;
  }
  rnl_tensor wide = *g; /* borrowed: g with a size of 1 where the dimension was dropped */
  if (attrs->dim >= 0 && !attrs->keepdim) {
    for (int d = g->ndim; d > attrs->dim; d--) wide.size[d] = g->size[d - 1], wide.stride[d] = g->stride[d - 1];
    wide.size[attrs->dim] = 1;
    wide.ndim++;
  }
  double scale = attrs->mean ? 1 / (double)terms_of(attrs, dx) : 1;
  rnl_scale_into(dx, scale, &wide, node->accumulate[0]);
  return RNL_OK;
}

static rnl_status reduce_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                             const rnl_tensor *out_tangent, rnl_error *err) {
  (void)err;
  if (in_tangent[0])
    reduce_into(node->attrs, in_tangent[0], &out_tangent[0]);
  else
    rnl_tensor_fill(&out_tangent[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_reduce = {
    .name = "reduce",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attrs_size = sizeof(rnl_reduce_attrs),
    .prepare = reduce_prepare,
    .forward = reduce_forward,
    .backward = reduce_backward,
    .jvp = reduce_jvp,
};
