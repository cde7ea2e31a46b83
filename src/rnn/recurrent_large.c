/* rnn/recurrent_large.c: the large regime: matrix products over [time][batch][feature].
 *
 * Forward: x weight_ih for all steps in one product, then a product a step for the recurrence; an Elman
 * read-out is one product over all steps. Backward the same way round; each weight's gradient is one
 * product over all steps. */
#include <string.h>

#include "grad/elementwise.h"
#include "kernel/gemm.h"
#include "rnn/recurrent_regimes.h"

enum { /* node->work */
  WORK_X = RNL_RECURRENT_PACKED, /* x by steps, where it is not, or is to be cleared past the lengths */
  WORK_STATE0, /* [batch][feedback] */
  WORK_DA,     /* [time][batch][hidden]; borrowed, as all from here on */
  WORK_DR,     /* [time][batch][output] */
  WORK_DX,
  WORK_DSTATE0
};

static bool by_steps(const rnl_tensor *t) { return t->layout == RNL_LAYOUT_TIME; }

static rnl_status steps_like(rnl_tensor *out, const rnl_recurrent_sizes *n, int64_t time, int64_t feature,
                             rnl_error *err) {
  return rnl_tensor_new_sequence(out, n->f64 ? RNL_F64 : RNL_F32, RNL_LAYOUT_TIME, n->batch, time, feature,
                                 err);
}

static rnl_status borrow(rnl_node *node, int work, const rnl_recurrent_sizes *n, int64_t time, int64_t feature,
                         rnl_error *err) {
  return rnl_node_borrow(node, work, n->f64 ? RNL_F64 : RNL_F32, RNL_LAYOUT_TIME, n->batch, time, feature, err);
}

static rnl_status prepare(rnl_node *node, const rnl_recurrent_sizes *n, bool gradients, rnl_error *err) {
  rnl_tensor *work = node->work;
  const bool direct = by_steps(rnl_in(node, RNL_RECURRENT_X));
  if (!direct || rnl_recurrent_lengths_of(node)) RNL_TRY(steps_like(&work[WORK_X], n, n->time, n->input, err));
  RNL_TRY(steps_like(&work[WORK_STATE0], n, 1, n->feedback, err));
  if (!gradients) return RNL_OK;
  RNL_TRY(borrow(node, WORK_DA, n, n->time, n->hidden, err));
  if (n->output) RNL_TRY(borrow(node, WORK_DR, n, n->time, n->output, err));
  if (!direct && node->needs_grad[RNL_RECURRENT_X]) RNL_TRY(borrow(node, WORK_DX, n, n->time, n->input, err));
  if (node->n_in > RNL_RECURRENT_STATE0 && node->needs_grad[RNL_RECURRENT_STATE0])
    RNL_TRY(borrow(node, WORK_DSTATE0, n, 1, n->feedback, err));
  return RNL_OK;
}

/* Address of step t of a [time][batch][feature] tensor. */
static void *step(const rnl_tensor *t, const rnl_recurrent_sizes *n, int64_t time, int64_t feature) {
  return (char *)rnl_tensor_data(t) + (size_t)(time * n->batch * feature) * rnl_dtype_size(t->dtype);
}

/* rows[r] += bias for each row, then the activation over all of them */
static void bias_and_activate(const rnl_recurrent_sizes *n, rnl_activation act, int64_t rows,
                              int64_t width, const void *bias, void *values) {
  static const rnl_unary unary_of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
  _Static_assert(sizeof unary_of / sizeof *unary_of == RNL_ACT_COUNT, "a function each");
  const rnl_kernels *k = rnl_kernels_of(n->f64);
  const size_t row_bytes = (size_t)width * (n->f64 ? sizeof(double) : sizeof(float));
  for (int64_t r = 0; r < rows; r++) {
    char *row = (char *)values + (size_t)r * row_bytes;
    k->binary(RNL_BINARY_ADD, width, row, 1, bias, 1, row);
  }
  k->unary(unary_of[act], rows * width, values, values);
}

static void activate_backward(const rnl_recurrent_sizes *n, rnl_activation act, int64_t count,
                              const void *values, void *grad) {
  static const rnl_unary unary_of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
  rnl_kernels_of(n->f64)->unary_backward(unary_of[act], count, values, values, grad, grad, false);
}

static rnl_status forward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X), *h = rnl_out(node, RNL_RECURRENT_H),
                   *y = rnl_out(node, RNL_RECURRENT_Y);
  RNL_TRY(rnl_recurrent_take_x(node, &node->work[WORK_X], err));
  if (node->work[WORK_X].storage) x = &node->work[WORK_X];
  rnl_tensor state0, first;
  RNL_TRY(rnl_recurrent_state0(node, n, &state0, err));
  if (state0.storage) {
    rnl_status status = rnl_tensor_select(&first, &node->work[WORK_STATE0], 1, 0, err);
    if (status == RNL_OK) status = rnl_tensor_copy(&first, &state0, err);
    rnl_tensor_release(&first);
    rnl_tensor_release(&state0);
    RNL_TRY(status);
  }
  /* h holds x weight_ih until each step completes it in place. */
  rnl_gemm(n->f64, false, false, n->time * n->batch, n->hidden, n->input, rnl_tensor_data(x), n->input,
           rnl_in_data(node, RNL_RECURRENT_WEIGHT_IH), n->hidden, 0, rnl_tensor_data(h), n->hidden);
  const rnl_tensor *feedback = n->jordan ? y : h;
  for (int64_t t = 0; t < n->time; t++) {
    const void *fb = t ? step(feedback, n, t - 1, n->feedback) : rnl_tensor_data(&node->work[WORK_STATE0]);
    void *h_t = step(h, n, t, n->hidden);
    rnl_gemm(n->f64, false, false, n->batch, n->hidden, n->feedback, fb, n->feedback,
             rnl_in_data(node, RNL_RECURRENT_WEIGHT_FB), n->hidden, 1, h_t, n->hidden);
    bias_and_activate(n, attrs->phi, n->batch, n->hidden, rnl_in_data(node, RNL_RECURRENT_BIAS), h_t);
    if (!n->jordan) continue;
    void *y_t = step(y, n, t, n->output);
    rnl_gemm(n->f64, false, false, n->batch, n->output, n->hidden, h_t, n->hidden,
             rnl_in_data(node, RNL_RECURRENT_WEIGHT_HO), n->output, 0, y_t, n->output);
    bias_and_activate(n, attrs->sigma, n->batch, n->output, rnl_in_data(node, RNL_RECURRENT_BIAS_O), y_t);
  }
  if (n->output && !n->jordan) {
    const int64_t rows = n->time * n->batch;
    rnl_gemm(n->f64, false, false, rows, n->output, n->hidden, rnl_tensor_data(h), n->hidden,
             rnl_in_data(node, RNL_RECURRENT_WEIGHT_HO), n->output, 0, rnl_tensor_data(y), n->output);
    bias_and_activate(n, attrs->sigma, rows, n->output, rnl_in_data(node, RNL_RECURRENT_BIAS_O),
                      rnl_tensor_data(y));
  }
  return RNL_OK;
}

/* dweight (+)= a' b over `rows` rows; nothing where no gradient is wanted */
static void weight_gradient(const rnl_node *node, const rnl_recurrent_sizes *n, int input, bool add,
                            int64_t rows, int64_t m, const void *a, int64_t width, const void *b) {
  void *into = rnl_grad_data(node, input);
  if (into) rnl_gemm(n->f64, true, false, m, width, rows, a, m, b, width, add, into, width);
}

/* dbias (+)= the sum of `rows` rows, in their order */
static void bias_gradient(const rnl_node *node, const rnl_recurrent_sizes *n, int input, int64_t rows,
                          int64_t width, const void *b) {
  void *into = rnl_grad_data(node, input);
  if (!into) return;
  const size_t row_bytes = (size_t)width * (n->f64 ? sizeof(double) : sizeof(float));
  if (!node->accumulate[input]) memset(into, 0, row_bytes);
  for (int64_t r = 0; r < rows; r++)
    rnl_kernels_of(n->f64)->axpy(width, 1.0, (const char *)b + (size_t)r * row_bytes, into);
}

static rnl_status backward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  rnl_tensor *work = node->work;
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X), *h = rnl_out(node, RNL_RECURRENT_H),
                   *y = rnl_out(node, RNL_RECURRENT_Y), *da = &work[WORK_DA], *dr = &work[WORK_DR];
  if (work[WORK_X].storage) x = &work[WORK_X]; /* as the forward pass packed it */
  const rnl_tensor *dh_in = rnl_out_grad(node, RNL_RECURRENT_H);
  const rnl_tensor *dy_in = n->output ? rnl_out_grad(node, RNL_RECURRENT_Y) : NULL;
  const void *weight_fb = rnl_in_data(node, RNL_RECURRENT_WEIGHT_FB);
  const void *weight_ho = n->output ? rnl_in_data(node, RNL_RECURRENT_WEIGHT_HO) : NULL;
  const int64_t rows = n->time * n->batch;
  const bool has_dr = n->output > 0 && (dy_in || n->jordan);

  /* da holds the gradient at h, dr the gradient at y, until each step completes them in place. */
  if (dh_in) RNL_TRY(rnl_tensor_copy(da, dh_in, err));
  else rnl_tensor_fill(da, 0);
  if (has_dr && dy_in) RNL_TRY(rnl_tensor_copy(dr, dy_in, err));
  else if (has_dr) rnl_tensor_fill(dr, 0);
  if (has_dr && !n->jordan) {
    activate_backward(n, attrs->sigma, rows * n->output, rnl_tensor_data(y), rnl_tensor_data(dr));
    rnl_gemm(n->f64, false, true, rows, n->hidden, n->output, rnl_tensor_data(dr), n->output, weight_ho,
             n->output, 1, rnl_tensor_data(da), n->hidden);
  }
  for (int64_t t = n->time - 1; t >= 0; t--) {
    void *da_t = step(da, n, t, n->hidden);
    const void *da_next = t + 1 < n->time ? step(da, n, t + 1, n->hidden) : NULL;
    if (n->jordan) {
      void *dr_t = step(dr, n, t, n->output);
      if (da_next)
        rnl_gemm(n->f64, false, true, n->batch, n->output, n->hidden, da_next, n->hidden, weight_fb,
                 n->hidden, 1, dr_t, n->output);
      activate_backward(n, attrs->sigma, n->batch * n->output, step(y, n, t, n->output), dr_t);
      rnl_gemm(n->f64, false, true, n->batch, n->hidden, n->output, dr_t, n->output, weight_ho, n->output,
               1, da_t, n->hidden);
    } else if (da_next) {
      rnl_gemm(n->f64, false, true, n->batch, n->hidden, n->hidden, da_next, n->hidden, weight_fb,
               n->hidden, 1, da_t, n->hidden);
    }
    activate_backward(n, attrs->phi, n->batch * n->hidden, step(h, n, t, n->hidden), da_t);
  }

  weight_gradient(node, n, RNL_RECURRENT_WEIGHT_IH, node->accumulate[RNL_RECURRENT_WEIGHT_IH], rows,
                  n->input, rnl_tensor_data(x), n->hidden, rnl_tensor_data(da));
  bias_gradient(node, n, RNL_RECURRENT_BIAS, rows, n->hidden, rnl_tensor_data(da));
  weight_gradient(node, n, RNL_RECURRENT_WEIGHT_FB, node->accumulate[RNL_RECURRENT_WEIGHT_FB], n->batch,
                  n->feedback, rnl_tensor_data(&work[WORK_STATE0]), n->hidden, rnl_tensor_data(da));
  if (n->time > 1)
    weight_gradient(node, n, RNL_RECURRENT_WEIGHT_FB, true, rows - n->batch, n->feedback,
                    rnl_tensor_data(n->jordan ? y : h), n->hidden, step(da, n, 1, n->hidden));
  if (n->output) {
    weight_gradient(node, n, RNL_RECURRENT_WEIGHT_HO, node->accumulate[RNL_RECURRENT_WEIGHT_HO],
                    has_dr ? rows : 0, n->hidden, rnl_tensor_data(h), n->output, rnl_tensor_data(dr));
    bias_gradient(node, n, RNL_RECURRENT_BIAS_O, has_dr ? rows : 0, n->output, rnl_tensor_data(dr));
  }
  const rnl_tensor *dx = rnl_in_grad(node, RNL_RECURRENT_X);
  if (dx) {
    const bool direct = by_steps(dx), add = node->accumulate[RNL_RECURRENT_X];
    void *into = rnl_tensor_data(direct ? dx : &work[WORK_DX]);
    rnl_gemm(n->f64, false, true, rows, n->input, n->hidden, rnl_tensor_data(da), n->hidden,
             rnl_in_data(node, RNL_RECURRENT_WEIGHT_IH), n->hidden, direct && add, into, n->input);
    if (!direct) rnl_add_into(dx, &work[WORK_DX], add);
  }
  if (work[WORK_DSTATE0].storage) {
    rnl_gemm(n->f64, false, true, n->batch, n->feedback, n->hidden, rnl_tensor_data(da), n->hidden,
             weight_fb, n->hidden, 0, rnl_tensor_data(&work[WORK_DSTATE0]), n->feedback);
    rnl_tensor first;
    RNL_TRY(rnl_tensor_select(&first, &work[WORK_DSTATE0], 1, 0, err));
    rnl_recurrent_put_dstate0(node, n, &first);
    rnl_tensor_release(&first);
  }
  return RNL_OK;
}

const rnl_recurrent_arrangement rnl_recurrent_large = {
    .layout = RNL_LAYOUT_TIME, .prepare = prepare, .forward = forward, .backward = backward};
