/* grad/ops_mm.c: the op "mm", a matrix product; a (batch, time, k) sequence counts as batch·time rows.
 *
 *   C = A·B        dA = dC·Bᵀ        dB = Aᵀ·dC
 *
 * Operands whose rows do not lie in row-major order (transposed views, the sequence layouts) are packed
 * first, so that the product is always the same call and its bits do not depend on the strides. */
#include <inttypes.h>

#include "grad/elementwise.h"
#include "grad/ops.h"
#include "kernel/gemm.h"

enum { PACKED = 0 /* and 1: the operands */, MADE = 2 /* and 3: their gradients, in row-major order */ };

/* rows x columns at data, `lead` elements from row to row */
typedef struct matrix {
  int64_t rows, columns, lead;
  void *data;
} matrix;

/* Whether t can be seen as a matrix of its last dimension where it lies. */
static bool as_matrix(const rnl_tensor *t, matrix *m) {
  int last = t->ndim - 1;
  m->columns = t->size[last];
  m->rows = 1;
  for (int d = 0; d < last; d++) m->rows *= t->size[d];
  m->data = rnl_tensor_data(t);
  m->lead = m->columns;
  if (m->rows == 0 || m->columns == 0) return true;
  if (m->columns > 1 && t->stride[last] != 1) return false;
  int64_t lead = 0, span = 1; /* the row stride of the dimensions seen so far, and their rows */
  for (int d = last - 1; d >= 0; d--) {
    if (t->size[d] == 1) continue;
    if (lead == 0)
      lead = t->stride[d];
    else if (t->stride[d] != lead * span)
      return false;
    span *= t->size[d];
  }
  if (lead != 0 || span > 1) m->lead = lead;
  return m->lead >= m->columns;
}

static rnl_status mm_prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *a = rnl_in(node, 0), *b = rnl_in(node, 1);
  char shape_a[RNL_SHAPE_TEXT], shape_b[RNL_SHAPE_TEXT];
  rnl_tensor_shape_text(shape_a, a);
  rnl_tensor_shape_text(shape_b, b);
  if ((a->ndim != 2 && a->ndim != 3) || b->ndim != 2)
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "mm: %s and %s; expected (m, k) and (k, n), or (batch, time, k) and (k, n)", shape_a,
                    shape_b);
  int64_t k = a->size[a->ndim - 1];
  if (k != b->size[0])
    return rnl_fail(err, RNL_ERR_SHAPE, "mm: %s and %s: %" PRId64 " columns against %" PRId64 " rows", shape_a,
                    shape_b, k, b->size[0]);
  if (a->dtype != b->dtype)
    return rnl_fail(err, RNL_ERR_DTYPE, "mm: a %s %s tensor with a %s %s one; convert one of them with to()",
                    shape_a, rnl_dtype_name(a->dtype), shape_b, rnl_dtype_name(b->dtype));
  int64_t size[3] = {a->size[0], a->size[1], b->size[1]};
  if (a->ndim == 2) size[1] = b->size[1];
  RNL_TRY(rnl_tensor_new(rnl_out(node, 0), a->dtype, a->ndim, size, err));
  for (int i = 0; i < 2; i++) {
    const rnl_tensor *x = rnl_in(node, i);
    matrix m;
    if (!as_matrix(x, &m)) RNL_TRY(rnl_tensor_new(&node->work[PACKED + i], x->dtype, x->ndim, x->size, err));
    /* A gradient has its value's layout: made in row-major order, then moved. */
    if (x->layout != RNL_LAYOUT_STRIDED)
      RNL_TRY(rnl_tensor_new(&node->work[MADE + i], x->dtype, x->ndim, x->size, err));
  }
  return RNL_OK;
}

/* The operand as the product reads it; packed anew where `refresh`. */
static rnl_status operand(rnl_node *node, int i, bool refresh, matrix *m, rnl_error *err) {
  rnl_tensor *packed = &node->work[PACKED + i];
  if (!packed->storage) {
    as_matrix(rnl_in(node, i), m);
    return RNL_OK;
  }
  if (refresh) RNL_TRY(rnl_tensor_copy(packed, rnl_in(node, i), err));
  as_matrix(packed, m);
  return RNL_OK;
}

/* c = op(a)·op(b) + beta·c */
static void multiply(bool f64, bool trans_a, bool trans_b, const matrix *a, const matrix *b, double beta,
                     const rnl_tensor *c) {
  matrix m;
  as_matrix(c, &m);
  int64_t inner = trans_a ? a->rows : a->columns;
  if (m.rows == 0 || m.columns == 0) return;
  if (inner == 0) { /* an empty sum */
    if (beta == 0) rnl_tensor_fill(c, 0);
    return;
  }
  rnl_gemm(f64, trans_a, trans_b, m.rows, m.columns, inner, a->data, a->lead, b->data, b->lead, beta, m.data,
           m.lead);
}

static rnl_status mm_forward(rnl_node *node, rnl_error *err) {
  matrix a, b;
  RNL_TRY(operand(node, 0, true, &a, err));
  RNL_TRY(operand(node, 1, true, &b, err));
  multiply(rnl_out(node, 0)->dtype == RNL_F64, false, false, &a, &b, 0, rnl_out(node, 0));
  return RNL_OK;
}

/* dst (+)= op(a)·op(b), by way of `made` where dst is no matrix in memory. */
static rnl_status product_into(rnl_tensor *made, bool trans_a, bool trans_b, const matrix *a,
                               const matrix *b, const rnl_tensor *dst, bool add, rnl_error *err) {
  bool f64 = dst->dtype == RNL_F64;
  matrix m;
  if (as_matrix(dst, &m)) {
    multiply(f64, trans_a, trans_b, a, b, add ? 1 : 0, dst);
    return RNL_OK;
  }
  if (!made->storage) RNL_TRY(rnl_tensor_new(made, dst->dtype, dst->ndim, dst->size, err));
  multiply(f64, trans_a, trans_b, a, b, 0, made);
  rnl_add_into(dst, made, add);
  return RNL_OK;
}

static rnl_status mm_backward(rnl_node *node, rnl_error *err) {
  const rnl_tensor *g = rnl_out_grad(node, 0), *da = rnl_in_grad(node, 0), *db = rnl_in_grad(node, 1);
  if (!g) {
    if (da && !node->accumulate[0]) rnl_tensor_fill(da, 0);
    if (db && !node->accumulate[1]) rnl_tensor_fill(db, 0);
    return RNL_OK;
  }
  matrix a, b, dc;
  RNL_TRY(operand(node, 0, false, &a, err));
  RNL_TRY(operand(node, 1, false, &b, err));
  if (!as_matrix(g, &dc)) return rnl_fail(err, RNL_ERR_INTERNAL, "mm: the gradient that arrives is no matrix");
  if (da) RNL_TRY(product_into(&node->work[MADE], false, true, &dc, &b, da, node->accumulate[0], err));
  if (db) RNL_TRY(product_into(&node->work[MADE + 1], true, false, &a, &dc, db, node->accumulate[1], err));
  return RNL_OK;
}

static rnl_status mm_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                         const rnl_tensor *out_tangent, rnl_error *err) {
  rnl_status status = RNL_OK;
  bool add = false;
  for (int i = 0; i < 2 && status == RNL_OK; i++) {
    if (!in_tangent[i]) continue;
    rnl_tensor packed, made = {0};
    matrix tangent, other;
    RNL_TRY(rnl_tensor_clone(&packed, in_tangent[i], err));
    as_matrix(&packed, &tangent);
    status = operand(node, 1 - i, false, &other, err);
    if (status == RNL_OK)
      status = product_into(&made, false, false, i == 0 ? &tangent : &other,
                            i == 0 ? &other : &tangent, &out_tangent[0], add, err);
    rnl_tensor_release(&made);
    rnl_tensor_release(&packed);
    add = true;
  }
  if (!add) rnl_tensor_fill(&out_tangent[0], 0);
  return status;
}

const rnl_op rnl_op_mm = {
    .name = "mm",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .prepare = mm_prepare,
    .forward = mm_forward,
    .backward = mm_backward,
    .jvp = mm_jvp,
};
