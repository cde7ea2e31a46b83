/* train/residuals.c: r = sqrt(w) (y - target). */
#include "train/residuals.h"

#include <math.h>

#include "base/alloc.h"
#include "rnn/loss.h"
#include "rnn/row_loss.h"

static rnl_status refuse(const char *who, const char *what, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_ARG, "%s needs a loss that is a sum of squares, sse or mse; this one is %s", who, what);
}

/* sqrt(mask) at every element, 0 past a sequence's length. */
static rnl_status take_roots(rnl_residuals *r, const rnl_node *loss, rnl_error *err) {
  const rnl_tensor *y = rnl_value(r->prediction);
  const rnl_tensor *mask = loss->n_in > RNL_ROW_LOSS_MASK ? rnl_in(loss, RNL_ROW_LOSS_MASK) : NULL,
                   *lengths = loss->n_in > RNL_ROW_LOSS_LENGTHS ? rnl_in(loss, RNL_ROW_LOSS_LENGTHS) : NULL;
  if (!mask && !lengths) return RNL_OK;
  const int64_t features = y->size[y->ndim - 1], time = y->ndim == 3 ? y->size[1] : 1;
  if (!(r->root = rnl_alloc((size_t)r->count, sizeof *r->root))) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  for (int64_t i = 0; i < r->count; i++) {
    const int64_t b = i / features / time, t = i / features % time;
    double w = !mask ? 1 : mask->ndim == 1 ? rnl_tensor_at(mask, b) : rnl_tensor_get(mask, (int64_t[]){b, t});
    if (lengths && (double)t >= rnl_tensor_at(lengths, b)) w = 0;
    r->root[i] = sqrt(w);
  }
  return RNL_OK;
}

rnl_status rnl_residuals_of(rnl_residuals *out, const char *who, const rnl_var *loss, rnl_error *err) {
  *out = (rnl_residuals){0};
  const rnl_node *node = loss->creator;
  const bool plain = node && node->op == &rnl_op_squared_error, rows = node && node->op == &rnl_op_row_loss;
  if (rows) {
    const rnl_row_loss_attrs *attrs = node->attrs;
    static const char *const names[] = {"sse", "mse", "mae", "huber", "bce", "cross_entropy", "gaussian_nll"};
    _Static_assert(sizeof names / sizeof *names == RNL_ROW_LOSS_COUNT, "a name each");
    if (attrs->kind != RNL_ROW_LOSS_SSE && attrs->kind != RNL_ROW_LOSS_MSE) return refuse(who, names[attrs->kind], err);
  } else if (!plain) {
    return refuse(who, "the script's own, or has a penalty added", err);
  }
  if (node->needs_grad[1]) return rnl_fail(err, RNL_ERR_ARG, "%s: the target depends on parameters", who);
  out->prediction = node->in[0];
  out->target = node->in[1];
  const rnl_tensor *y = rnl_value(out->prediction);
  out->count = rnl_tensor_numel(y);
  rnl_status status = rows ? take_roots(out, node, err) : RNL_OK;
  if (status == RNL_OK) status = rnl_tensor_new(&out->y, RNL_F64, y->ndim, y->size, err);
  if (status == RNL_OK) status = rnl_tensor_new(&out->t, RNL_F64, y->ndim, y->size, err);
  if (status == RNL_OK) status = rnl_tensor_copy(&out->t, rnl_value(out->target), err);
  if (status != RNL_OK) rnl_residuals_release(out);
  return status;
}

void rnl_residuals_release(rnl_residuals *r) {
  rnl_free(r->root);
  r->root = NULL;
  rnl_tensor_release(&r->y);
  rnl_tensor_release(&r->t);
}

rnl_status rnl_residuals_get(rnl_residuals *r, double *out, int64_t stride, double *sum, rnl_error *err) {
  RNL_TRY(rnl_tensor_copy(&r->y, rnl_value(r->prediction), err));
  const double *y = rnl_f64(&r->y), *t = rnl_f64(&r->t);
  double part[4] = {0}; /* one sum is a chain that waits for itself */
  for (int64_t i = 0; i < r->count; i++) {
    double e = 0;
    if (!r->root) e = y[i] - t[i];
    else if (r->root[i] != 0) e = r->root[i] * (y[i] - t[i]); /* padding may hold anything */
    if (out) out[i * stride] = e;
    part[i & 3] += e * e;
  }
  *sum = (part[0] + part[1]) + (part[2] + part[3]);
  return RNL_OK;
}
