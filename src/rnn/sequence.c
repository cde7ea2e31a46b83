/* rnn/sequence.c: reverse, last and embedding. Rows of features are copied or added one by one, in the order of (batch,
 * time), whatever the layout. */
#include "rnn/sequence.h"

#include <math.h>

/* ---- rows ----------------------------------------------------------------------------------- */

/* Features of x(b, t) from `from` to `to` of another tensor, both given by element offsets and feature strides. */
static void move_row(rnl_dtype dtype, int64_t width, const void *from, int64_t step_from, void *to, int64_t step_to,
                     bool add) {
  if (dtype == RNL_F64) {
    const double *x = from;
    double *y = to;
    for (int64_t j = 0; j < width; j++) y[j * step_to] = x[j * step_from] + (add ? y[j * step_to] : 0);
  } else {
    const float *x = from;
    float *y = to;
    for (int64_t j = 0; j < width; j++) y[j * step_to] = x[j * step_from] + (add ? y[j * step_to] : 0);
  }
}

/* Address of x(b, t, 0), of x(b, 0) where x has no time, or of row b of a matrix. */
static void *row_of(const rnl_tensor *x, int64_t b, int64_t t) {
  const int64_t at = b * x->stride[0] + (x->ndim == 3 ? t * x->stride[1] : 0);
  return (char *)rnl_tensor_data(x) + at * (int64_t)rnl_dtype_size(x->dtype);
}
static int64_t feature_step(const rnl_tensor *x) { return x->stride[x->ndim - 1]; }

static rnl_status check_sequence(const char *what, const rnl_node *node, rnl_error *err) {
  const rnl_tensor *x = rnl_in(node, 0), *lengths = node->n_in > 1 ? rnl_in(node, 1) : NULL;
  char got[RNL_SHAPE_TEXT];
  if (x->ndim != 3 || x->size[1] < 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: x is %s; expected (batch, time, feature)", what,
                    rnl_tensor_shape_text(got, x));
  if (lengths && (lengths->ndim != 1 || lengths->size[0] != x->size[0]))
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: lengths is %s; expected (%lld), one a sequence", what,
                    rnl_tensor_shape_text(got, lengths), (long long)x->size[0]);
  return RNL_OK;
}

/* The length of sequence b, checked when forward runs. */
static int64_t length_of(const rnl_node *node, int64_t b) {
  const rnl_tensor *lengths = node->n_in > 1 ? rnl_in(node, 1) : NULL;
  return lengths ? (int64_t)rnl_tensor_at(lengths, b) : rnl_in(node, 0)->size[1];
}
static rnl_status check_lengths(const char *what, const rnl_node *node, rnl_error *err) {
  const rnl_tensor *lengths = node->n_in > 1 ? rnl_in(node, 1) : NULL;
  const int64_t time = rnl_in(node, 0)->size[1];
  for (int64_t b = 0; lengths && b < lengths->size[0]; b++) {
    const double value = rnl_tensor_at(lengths, b);
    if (!(value >= 1 && value <= (double)time) || value != floor(value))
      return rnl_fail(err, RNL_ERR_ARG,
                      "%s: the length of sequence %lld is %g; expected a whole number from 1 to %lld", what,
                      (long long)b + 1, value, (long long)time);
  }
  return RNL_OK;
}

/* ---- reverse -------------------------------------------------------------------------------- */

static rnl_status like(rnl_tensor *out, const rnl_tensor *t, rnl_error *err) {
  return rnl_tensor_new_sequence(out, t->dtype, t->layout, t->size[0], t->size[1], t->size[2], err);
}
static rnl_status reverse_prepare(rnl_node *node, rnl_error *err) {
  RNL_TRY(check_sequence("reverse", node, err));
  return like(rnl_out(node, 0), rnl_in(node, 0), err);
}
/* Turning round is its own inverse, and its own gradient. */
static void turn(const rnl_node *node, const rnl_tensor *from, const rnl_tensor *to, bool add) {
  for (int64_t b = 0; b < from->size[0]; b++) {
    const int64_t length = length_of(node, b);
    for (int64_t t = 0; t < from->size[1]; t++)
      move_row(from->dtype, from->size[2], row_of(from, b, t < length ? length - 1 - t : t), feature_step(from),
               row_of(to, b, t), feature_step(to), add);
  }
}
static rnl_status reverse_forward(rnl_node *node, rnl_error *err) {
  RNL_TRY(check_lengths("reverse", node, err));
  turn(node, rnl_in(node, 0), rnl_out(node, 0), false);
  return RNL_OK;
}
static rnl_status reverse_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *dy = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (dx && dy) turn(node, dy, dx, node->accumulate[0]);
  else if (dx && !node->accumulate[0]) rnl_tensor_fill(dx, 0);
  return RNL_OK;
}
static rnl_status reverse_jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)err;
  if (in[0]) turn(node, in[0], &out[0], false);
  else rnl_tensor_fill(&out[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_reverse = {.name = "reverse", .min_in = 1, .max_in = 2, .n_out = 1, .prepare = reverse_prepare,
                               .forward = reverse_forward, .backward = reverse_backward, .jvp = reverse_jvp,
                               .by_rows = rnl_always_by_rows};

/* ---- last ----------------------------------------------------------------------------------- */

static rnl_status last_prepare(rnl_node *node, rnl_error *err) {
  RNL_TRY(check_sequence("last", node, err));
  const rnl_tensor *x = rnl_in(node, 0);
  return rnl_tensor_new(rnl_out(node, 0), x->dtype, 2, (int64_t[]){x->size[0], x->size[2]}, err);
}
static void take_last(const rnl_node *node, const rnl_tensor *from, const rnl_tensor *to) {
  for (int64_t b = 0; b < from->size[0]; b++)
    move_row(from->dtype, from->size[2], row_of(from, b, length_of(node, b) - 1), feature_step(from), row_of(to, b, 0),
             feature_step(to), false);
}
static rnl_status last_forward(rnl_node *node, rnl_error *err) {
  RNL_TRY(check_lengths("last", node, err));
  take_last(node, rnl_in(node, 0), rnl_out(node, 0));
  return RNL_OK;
}
static rnl_status last_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *dy = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (!dx) return RNL_OK;
  if (!node->accumulate[0]) rnl_tensor_fill(dx, 0);
  for (int64_t b = 0; dy && b < dx->size[0]; b++)
    move_row(dx->dtype, dx->size[2], row_of(dy, b, 0), feature_step(dy), row_of(dx, b, length_of(node, b) - 1),
             feature_step(dx), true);
  return RNL_OK;
}
static rnl_status last_jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)err;
  if (in[0]) take_last(node, in[0], &out[0]);
  else rnl_tensor_fill(&out[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_last = {.name = "last", .min_in = 1, .max_in = 2, .n_out = 1, .prepare = last_prepare,
                            .forward = last_forward, .backward = last_backward, .jvp = last_jvp,
                            .by_rows = rnl_always_by_rows};

/* ---- embedding ------------------------------------------------------------------------------ */

static rnl_status embedding_prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *ids = rnl_in(node, 0), *weight = rnl_in(node, 1);
  char got[RNL_SHAPE_TEXT];
  if (!weight || weight->ndim != 2)
    return rnl_fail(err, RNL_ERR_SHAPE, "embedding: the weight must be (symbols, features)");
  if (ids->ndim != 2)
    return rnl_fail(err, RNL_ERR_SHAPE, "embedding: the ids are %s; expected (batch, time)",
                    rnl_tensor_shape_text(got, ids));
  return rnl_tensor_new(rnl_out(node, 0), weight->dtype, 3,
                        (int64_t[]){ids->size[0], ids->size[1], weight->size[1]}, err);
}
static int64_t symbol(const rnl_node *node, int64_t b, int64_t t) {
  return (int64_t)rnl_tensor_get(rnl_in(node, 0), (int64_t[]){b, t}) - *(const int *)node->attrs;
}
static rnl_status embedding_forward(rnl_node *node, rnl_error *err) {
  const rnl_tensor *ids = rnl_in(node, 0), *weight = rnl_in(node, 1), *out = rnl_out(node, 0);
  const int base = *(const int *)node->attrs;
  for (int64_t b = 0; b < ids->size[0]; b++)
    for (int64_t t = 0; t < ids->size[1]; t++) {
      const double id = rnl_tensor_get(ids, (int64_t[]){b, t});
      if (!(id >= base && id < (double)(weight->size[0] + base)) || id != floor(id))
        return rnl_fail(err, RNL_ERR_ARG,
                        "embedding: symbol %g at sequence %lld, step %lld; expected a whole number from %d to %lld",
                        id, (long long)b + 1, (long long)t + 1, base, (long long)weight->size[0] - 1 + base);
      move_row(out->dtype, out->size[2], row_of(weight, symbol(node, b, t), 0), feature_step(weight), row_of(out, b, t),
               feature_step(out), false);
    }
  return RNL_OK;
}
static rnl_status embedding_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *ids = rnl_in(node, 0), *dy = rnl_out_grad(node, 0), *dweight = rnl_in_grad(node, 1);
  if (!dweight) return RNL_OK;
  if (!node->accumulate[1]) rnl_tensor_fill(dweight, 0);
  for (int64_t b = 0; dy && b < ids->size[0]; b++)
    for (int64_t t = 0; t < ids->size[1]; t++)
      move_row(dy->dtype, dy->size[2], row_of(dy, b, t), feature_step(dy), row_of(dweight, symbol(node, b, t), 0),
               feature_step(dweight), true);
  return RNL_OK;
}
static rnl_status embedding_jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)err;
  if (!in[1]) rnl_tensor_fill(&out[0], 0);
  for (int64_t b = 0; in[1] && b < out[0].size[0]; b++)
    for (int64_t t = 0; t < out[0].size[1]; t++)
      move_row(out[0].dtype, out[0].size[2], row_of(in[1], symbol(node, b, t), 0), feature_step(in[1]),
               row_of(&out[0], b, t), feature_step(&out[0]), false);
  return RNL_OK;
}

static bool embedding_by_rows(const rnl_node *node, int i) {
  (void)node;
  return i == 0; /* the symbols */
}

const rnl_op rnl_op_embedding = {.name = "embedding", .min_in = 2, .max_in = 2, .n_out = 1, .attrs_size = sizeof(int),
                                 .prepare = embedding_prepare, .forward = embedding_forward,
                                 .backward = embedding_backward, .jvp = embedding_jvp,
                                 .by_rows = embedding_by_rows};
