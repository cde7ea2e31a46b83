/* rnn/linear.c: the linear layer, in lanes where x is in lanes, else one matrix product. */
#include "rnn/linear.h"

#include <string.h>

#include "base/alloc.h"
#include "grad/elementwise.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"

enum { WORK_X = 0 }; /* x as rows of features, where it does not lie so */

static bool in_lanes(const rnl_tensor *t) { return t->layout == RNL_LAYOUT_LANES; }

/* Whether the tensor is a matrix of rows in memory, whatever the order of the rows. */
static bool is_rows(const rnl_tensor *t) { return t->layout == RNL_LAYOUT_TIME || rnl_tensor_is_contiguous(t); }

static int64_t row_count(const rnl_tensor *t) { return rnl_tensor_numel(t) / t->size[t->ndim - 1]; }

/* Threads for a product of so many multiplications: fewer than this are done before others have been called. */
static int threads_for(int64_t multiplications) {
  enum { WORTH_THREADS = 1 << 20 };
  return multiplications < WORTH_THREADS ? 1 : rnl_threads_wanted();
}

static rnl_status prepare(rnl_node *node, rnl_error *err) {
  const char *name = ((const rnl_linear_attrs *)node->attrs)->name;
  const rnl_tensor *x = rnl_in(node, RNL_LINEAR_X), *weight = rnl_in(node, RNL_LINEAR_WEIGHT);
  const rnl_tensor *bias = node->n_in > RNL_LINEAR_BIAS ? rnl_in(node, RNL_LINEAR_BIAS) : NULL;
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  if ((x->ndim != 2 && x->ndim != 3) || rnl_tensor_numel(x) == 0)
    return rnl_fail(err, RNL_ERR_SHAPE, "linear layer %s: x is %s; expected (batch, time, feature) or "
                    "(batch, feature)", name, rnl_tensor_shape_text(a, x));
  if (weight->ndim != 2 || weight->size[0] != x->size[x->ndim - 1] || weight->size[1] < 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "linear layer %s: x is %s and weight is %s; weight must be "
                    "(input, output) with as many rows as x has features",
                    name, rnl_tensor_shape_text(a, x), rnl_tensor_shape_text(b, weight));
  if (bias && (bias->ndim != 1 || bias->size[0] != weight->size[1]))
    return rnl_fail(err, RNL_ERR_SHAPE, "linear layer %s: bias is %s and weight is %s; bias must be (output)",
                    name, rnl_tensor_shape_text(a, bias), rnl_tensor_shape_text(b, weight));
  if (weight->dtype != x->dtype || (bias && bias->dtype != x->dtype))
    return rnl_fail(err, RNL_ERR_DTYPE, "linear layer %s: x is %s but its weights are %s", name,
                    rnl_dtype_name(x->dtype),
                    rnl_dtype_name(weight->dtype != x->dtype ? weight->dtype : bias->dtype));
  if (!rnl_tensor_is_contiguous(weight) || (bias && !rnl_tensor_is_contiguous(bias)))
    return rnl_fail(err, RNL_ERR_ARG, "linear layer %s: weight or bias is a view with gaps; give a "
                    "contiguous tensor", name);
  rnl_tensor *y = rnl_out(node, 0);
  int64_t size[3];
  memcpy(size, x->size, sizeof size);
  size[x->ndim - 1] = weight->size[1];
  if (in_lanes(x) || x->layout == RNL_LAYOUT_TIME)
    return rnl_tensor_new_sequence(y, x->dtype, x->layout, size[0], size[1], size[2], err);
  RNL_TRY(rnl_tensor_new(y, x->dtype, x->ndim, size, err));
  if (!is_rows(x)) RNL_TRY(rnl_tensor_new(&node->work[WORK_X], x->dtype, x->ndim, x->size, err));
  return RNL_OK;
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  const rnl_tensor *x = rnl_in(node, RNL_LINEAR_X), *weight = rnl_in(node, RNL_LINEAR_WEIGHT);
  const rnl_tensor *bias = node->n_in > RNL_LINEAR_BIAS ? rnl_in(node, RNL_LINEAR_BIAS) : NULL;
  const rnl_tensor *y = rnl_out(node, 0);
  const int64_t m = weight->size[0], n = weight->size[1];
  const bool f64 = x->dtype == RNL_F64;
  if (in_lanes(x)) {
    rnl_lane_kernels_of(f64, x->size[0])
        ->lane_affine(x->size[0], rnl_tensor_lane_stride(x), x->size[1], m, n, rnl_tensor_data(x),
                      rnl_tensor_data(weight), bias ? rnl_tensor_data(bias) : NULL, rnl_tensor_data(y));
    return RNL_OK;
  }
  if (node->work[WORK_X].storage) {
    RNL_TRY(rnl_tensor_copy(&node->work[WORK_X], x, err));
    x = &node->work[WORK_X];
  }
  rnl_gemm_threads(threads_for(row_count(x) * m * n), f64, false, false, row_count(x), n, m, rnl_tensor_data(x), m,
                   rnl_tensor_data(weight), n, 0, bias ? rnl_tensor_data(bias) : NULL, rnl_tensor_data(y), n);
  return RNL_OK;
}

/* dweight = x' dy,  dbias = sum of dy's rows,  dx = dy weight'. The gradients of x and y lie as x and y
 * do; where x is no matrix of rows its gradient, made contiguous, is. */
static rnl_status backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *x = rnl_in(node, RNL_LINEAR_X), *weight = rnl_in(node, RNL_LINEAR_WEIGHT);
  const rnl_tensor *dy = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, RNL_LINEAR_X),
                   *dweight = rnl_in_grad(node, RNL_LINEAR_WEIGHT), *dbias = rnl_in_grad(node, RNL_LINEAR_BIAS);
  const int64_t m = weight->size[0], n = weight->size[1];
  const bool *add = node->accumulate, f64 = x->dtype == RNL_F64;
  if (in_lanes(x)) {
    const rnl_lane_kernels *k = rnl_lane_kernels_of(f64, x->size[0]);
    const int64_t batch = x->size[0], lanes = rnl_tensor_lane_stride(x), time = x->size[1];
    if (dweight)
      k->lane_outer(batch, lanes, time, m, n, rnl_tensor_data(x), rnl_tensor_data(dy), rnl_tensor_data(dweight),
                    add[RNL_LINEAR_WEIGHT]);
    if (dbias) k->lane_reduce(batch, lanes, time, n, rnl_tensor_data(dy), rnl_tensor_data(dbias), add[RNL_LINEAR_BIAS]);
    if (dx)
      k->lane_affine_backward(batch, lanes, time, m, n, rnl_tensor_data(dy), rnl_tensor_data(weight),
                              rnl_tensor_data(dx), add[RNL_LINEAR_X]);
    return RNL_OK;
  }
  if (node->work[WORK_X].storage) x = &node->work[WORK_X]; /* as the forward pass packed it */
  const int64_t rows = row_count(x);
  const int threads = threads_for(rows * m * n);
  if (dweight)
    rnl_gemm_threads(threads, f64, true, false, m, n, rows, rnl_tensor_data(x), m, rnl_tensor_data(dy), n,
                     add[RNL_LINEAR_WEIGHT], NULL, rnl_tensor_data(dweight), n);
  if (dbias) rnl_sum_rows(threads, f64, rows, n, rnl_tensor_data(dy), n, rnl_tensor_data(dbias), add[RNL_LINEAR_BIAS]);
  if (dx)
    rnl_gemm_threads(threads, f64, false, true, rows, m, n, rnl_tensor_data(dy), n, rnl_tensor_data(weight), n,
                     add[RNL_LINEAR_X], NULL, rnl_tensor_data(dx), m);
  return RNL_OK;
}

/* y. = x. weight + x weight. + bias. */
static rnl_status jvp(rnl_node *node, const rnl_tensor *const *in_tangent, const rnl_tensor *out_tangent,
                      rnl_error *err) {
  (void)err;
  const rnl_tensor *x = rnl_in(node, RNL_LINEAR_X), *weight = rnl_in(node, RNL_LINEAR_WEIGHT);
  const rnl_tensor *x_dot = in_tangent[RNL_LINEAR_X], *weight_dot = in_tangent[RNL_LINEAR_WEIGHT],
                   *bias_dot = node->n_in > RNL_LINEAR_BIAS ? in_tangent[RNL_LINEAR_BIAS] : NULL;
  const int64_t m = weight->size[0], n = weight->size[1];
  for (int64_t r = 0; r < row_count(x); r++)
    for (int64_t j = 0; j < n; j++) {
      double sum = bias_dot ? rnl_tensor_at(bias_dot, j) : 0;
      for (int64_t i = 0; i < m; i++) {
        if (x_dot) sum += rnl_tensor_at(x_dot, r * m + i) * rnl_tensor_at(weight, i * n + j);
        if (weight_dot) sum += rnl_tensor_at(x, r * m + i) * rnl_tensor_at(weight_dot, i * n + j);
      }
      rnl_tensor_put(&out_tangent[0], r * n + j, sum);
    }
  return RNL_OK;
}

static rnl_status jvp_many(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out, rnl_error *err) {
  const rnl_tensor *weight = rnl_in(node, RNL_LINEAR_WEIGHT);
  const int64_t m = weight->size[0], n = weight->size[1], rows = row_count(rnl_in(node, RNL_LINEAR_X));
  const rnl_kernels *k = rnl_kernels_of(true);
  const double one = 1;
  rnl_tensor x, w;
  if (!out[0]) return RNL_OK;
  double *gathered = rnl_alloc((size_t)(m * lanes), sizeof *gathered);
  if (!gathered) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  rnl_status status = rnl_tensor_cast(&x, rnl_in(node, RNL_LINEAR_X), RNL_F64, err);
  if (status == RNL_OK && (status = rnl_tensor_cast(&w, weight, RNL_F64, err)) != RNL_OK) rnl_tensor_release(&x);
  for (int64_t r = 0; status == RNL_OK && r < rows; r++) {
    double *y = out[0] + r * n * lanes;
    const double *moved = NULL;
    memset(y, 0, (size_t)(n * lanes) * sizeof *y);
    rnl_tangents_add_weight(&in[RNL_LINEAR_WEIGHT], lanes, m, n, rnl_f64(&x) + r * m, y);
    if (node->n_in > RNL_LINEAR_BIAS) rnl_tangents_add_weight(&in[RNL_LINEAR_BIAS], lanes, 1, n, &one, y);
    if (in[RNL_LINEAR_X].kind == RNL_TANGENT_ROWS) moved = in[RNL_LINEAR_X].rows + r * m * lanes;
    else if (in[RNL_LINEAR_X].kind == RNL_TANGENT_UNIT) {
      for (int64_t i = 0; i < m; i++) rnl_tangents_row(&in[RNL_LINEAR_X], lanes, r * m + i, gathered + i * lanes);
      moved = gathered;
    }
    if (moved) k->tangent_affine(lanes, m, n, moved, rnl_f64(&w), y, NULL, y);
  }
  rnl_free(gathered);
  RNL_TRY(status);
  rnl_tensor_release(&x);
  rnl_tensor_release(&w);
  return RNL_OK;
}

static bool by_rows(const rnl_node *node, int i) {
  (void)node;
  return i == RNL_LINEAR_X;
}

const rnl_op rnl_op_linear = {.name = "linear layer", .min_in = 2, .max_in = RNL_LINEAR_INPUTS, .n_out = 1,
                              .attrs_size = sizeof(rnl_linear_attrs), .prepare = prepare,
                              .forward = forward, .backward = backward, .jvp = jvp,
                              .jvp_many = jvp_many, .by_rows = by_rows};
