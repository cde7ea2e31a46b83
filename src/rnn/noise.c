/* rnn/noise.c: noise and dropout. */
#include "rnn/noise.h"

#include <math.h>

#include "base/rng.h"
#include "grad/elementwise.h"

/* Each step has 2^36 blocks of random numbers to itself. */
enum { STEP_BITS = 36 };

static rnl_status check(const char *what, const rnl_noise_attrs *a, const rnl_tensor *clock, rnl_error *err) {
  char got[RNL_SHAPE_TEXT];
  if (rnl_tensor_numel(clock) != 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: the clock is %s; expected one number", what,
                    rnl_tensor_shape_text(got, clock));
  if (!(a->p >= 0 && a->p < 1))
    return rnl_fail(err, RNL_ERR_ARG, "%s: a probability of %g; expected 0 <= p < 1", what, a->p);
  if (!(a->scale >= 0) || isinf(a->scale))
    return rnl_fail(err, RNL_ERR_ARG, "%s: a standard deviation of %g; expected a number >= 0", what, a->scale);
  return RNL_OK;
}

static rnl_status like(rnl_tensor *out, const rnl_tensor *t, rnl_error *err) {
  if (t->layout != RNL_LAYOUT_STRIDED)
    return rnl_tensor_new_sequence(out, t->dtype, t->layout, t->size[0], t->size[1], t->size[2], err);
  return rnl_tensor_new(out, t->dtype, t->ndim, t->size, err);
}

/* Fill in row-major order of the view, so that the layout changes no number. */
static void fill(const rnl_noise_attrs *a, const rnl_tensor *clock, const rnl_tensor *out) {
  rnl_rng rng;
  rnl_rng_init(&rng, a->seed, RNL_RNG_DROPOUT, a->index);
  rng.position = (uint64_t)rnl_tensor_at(clock, 0) << STEP_BITS;
  const double keep = 1 / (1 - a->p);
  const uint32_t limit = (uint32_t)fmin(a->p * 0x1p32, 4294967295.0); /* below: dropped */
  rnl_walk w;
  rnl_walk_begin(&w, 1, (const rnl_tensor *[]){out});
  do {
    for (int64_t i = 0; i < w.length; i++) {
      const double value = a->kind == RNL_NOISE_KEEP ? (rnl_rng_u32(&rng) >= limit ? keep : 0)
                                                     : a->scale * rnl_rng_normal(&rng);
      if (out->dtype == RNL_F64) *(double *)(void *)(w.data[0] + i * w.step[0] * (int64_t)sizeof(double)) = value;
      else *(float *)(void *)(w.data[0] + i * w.step[0] * (int64_t)sizeof(float)) = (float)value;
    }
  } while (rnl_walk_next(&w));
}

/* ---- noise ---------------------------------------------------------------------------------- */

static rnl_status noise_prepare(rnl_node *node, rnl_error *err) {
  const rnl_noise_attrs *a = node->attrs;
  RNL_TRY(check("noise", a, rnl_in(node, 0), err));
  const rnl_tensor *shape = node->n_in > 1 ? rnl_in(node, 1) : NULL;
  return shape ? like(rnl_out(node, 0), shape, err) : rnl_tensor_new(rnl_out(node, 0), a->dtype, a->ndim, a->size, err);
}
static rnl_status noise_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  fill(node->attrs, rnl_in(node, 0), rnl_out(node, 0));
  return RNL_OK;
}
/* It depends on nothing that has a gradient. */
static rnl_status noise_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *into = rnl_in_grad(node, 1);
  if (into && !node->accumulate[1]) rnl_tensor_fill(into, 0);
  return RNL_OK;
}
static rnl_status noise_jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)node, (void)in, (void)err;
  rnl_tensor_fill(&out[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_noise = {.name = "noise", .min_in = 1, .max_in = 2, .n_out = 1,
                             .attrs_size = sizeof(rnl_noise_attrs), .prepare = noise_prepare,
                             .forward = noise_forward, .backward = noise_backward, .jvp = noise_jvp};

/* ---- dropout -------------------------------------------------------------------------------- */

static rnl_status dropout_prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *x = rnl_in(node, 0);
  if (!rnl_in(node, 1)) return rnl_fail(err, RNL_ERR_ARG, "dropout: the clock is missing");
  RNL_TRY(check("dropout", node->attrs, rnl_in(node, 1), err));
  RNL_TRY(like(&node->work[0], x, err)); /* the keeps */
  return like(rnl_out(node, 0), x, err);
}
static rnl_status dropout_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  rnl_noise_attrs a = *(const rnl_noise_attrs *)node->attrs;
  a.kind = RNL_NOISE_KEEP;
  fill(&a, rnl_in(node, 1), &node->work[0]);
  rnl_binary_into(RNL_BINARY_MUL, rnl_in(node, 0), &node->work[0], rnl_out(node, 0));
  return RNL_OK;
}
/* dx += dy * keeps */
static void add_product(const rnl_tensor *dy, const rnl_tensor *keeps, const rnl_tensor *dx) {
  rnl_walk w;
  rnl_walk_begin(&w, 3, (const rnl_tensor *[]){dy, keeps, dx});
  do {
    for (int64_t i = 0; i < w.length; i++) {
      if (dx->dtype == RNL_F64)
        ((double *)(void *)w.data[2])[i * w.step[2]] +=
            ((double *)(void *)w.data[0])[i * w.step[0]] * ((double *)(void *)w.data[1])[i * w.step[1]];
      else
        ((float *)(void *)w.data[2])[i * w.step[2]] +=
            ((float *)(void *)w.data[0])[i * w.step[0]] * ((float *)(void *)w.data[1])[i * w.step[1]];
    }
  } while (rnl_walk_next(&w));
}

static rnl_status dropout_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *dy = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (!dx) return RNL_OK;
  if (!dy) {
    if (!node->accumulate[0]) rnl_tensor_fill(dx, 0);
  } else if (!node->accumulate[0]) {
    rnl_binary_into(RNL_BINARY_MUL, dy, &node->work[0], dx);
  } else {
    add_product(dy, &node->work[0], dx);
  }
  return RNL_OK;
}
static rnl_status dropout_jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)err;
  if (in[0]) rnl_binary_into(RNL_BINARY_MUL, in[0], &node->work[0], &out[0]);
  else rnl_tensor_fill(&out[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_dropout = {.name = "dropout", .min_in = 2, .max_in = 2, .n_out = 1,
                               .attrs_size = sizeof(rnl_noise_attrs), .prepare = dropout_prepare,
                               .forward = dropout_forward, .backward = dropout_backward, .jvp = dropout_jvp};
