/* rnn/recurrent_reference.c: the recurrent layer as plain loops in double precision, on tensors of any
 * strides: what a reader reads and the fast regimes are tested against. Also the forward-mode product,
 * which is written the same way. The equations stand in recurrent.h. */
#include <math.h>
#include <string.h>

#include "rnn/recurrent_regimes.h"

enum { WORK_DA = 0, WORK_DR, WORK_DSTATE0 };

/* Element access by name. */
static double at1(const rnl_tensor *t, int64_t i) { return rnl_tensor_get(t, (int64_t[]){i}); }
static double at2(const rnl_tensor *t, int64_t i, int64_t j) { return rnl_tensor_get(t, (int64_t[]){i, j}); }
static double at3(const rnl_tensor *t, int64_t b, int64_t s, int64_t j) {
  return rnl_tensor_get(t, (int64_t[]){b, s, j});
}
static void put3(const rnl_tensor *t, int64_t b, int64_t s, int64_t j, double value) {
  rnl_tensor_set(t, (int64_t[]){b, s, j}, value);
}

static double activate(rnl_activation act, double v) {
  switch (act) {
    case RNL_ACT_TANH: return tanh(v);
    case RNL_ACT_SIGMOID: return 1 / (1 + exp(-v));
    case RNL_ACT_RELU: return v > 0 || isnan(v) ? v : 0;
    default: return v;
  }
}
/* f'(u) from y = f(u) */
static double slope(rnl_activation act, double y) {
  switch (act) {
    case RNL_ACT_TANH: return 1 - y * y;
    case RNL_ACT_SIGMOID: return y * (1 - y);
    case RNL_ACT_RELU: return y > 0;
    default: return 1;
  }
}

/* The inputs by name; missing ones are NULL. */
typedef struct layer {
  const rnl_tensor *x, *weight_ih, *weight_fb, *bias, *weight_ho, *bias_o, *h, *y;
  rnl_activation phi, sigma;
} layer;

static const rnl_tensor *optional(const rnl_node *node, int input) {
  return input < node->n_in ? rnl_in(node, input) : NULL;
}
static layer layer_of(const rnl_node *node) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  return (layer){.x = rnl_in(node, RNL_RECURRENT_X), .weight_ih = rnl_in(node, RNL_RECURRENT_WEIGHT_IH),
                 .weight_fb = rnl_in(node, RNL_RECURRENT_WEIGHT_FB), .bias = rnl_in(node, RNL_RECURRENT_BIAS),
                 .weight_ho = optional(node, RNL_RECURRENT_WEIGHT_HO),
                 .bias_o = optional(node, RNL_RECURRENT_BIAS_O), .h = rnl_out(node, RNL_RECURRENT_H),
                 .y = rnl_out(node, RNL_RECURRENT_Y), .phi = attrs->phi, .sigma = attrs->sigma};
}

static rnl_status prepare(rnl_node *node, const rnl_recurrent_sizes *n, bool gradients, rnl_error *err) {
  if (!gradients) return RNL_OK;
  RNL_TRY(rnl_tensor_new(&node->work[WORK_DA], RNL_F64, 3, (int64_t[]){n->batch, n->time, n->hidden}, err));
  RNL_TRY(rnl_tensor_new(&node->work[WORK_DR], RNL_F64, 3, (int64_t[]){n->batch, n->time, n->output}, err));
  return rnl_tensor_new(&node->work[WORK_DSTATE0], RNL_F64, 2, (int64_t[]){n->batch, n->feedback}, err);
}

/* fb(t-1): the state at t = 0 is state0 or zero */
static double feedback(const layer *l, const rnl_recurrent_sizes *n, const rnl_tensor *state0, int64_t b,
                       int64_t t, int64_t k) {
  if (t > 0) return at3(n->jordan ? l->y : l->h, b, t - 1, k);
  return state0->storage ? at2(state0, b, k) : 0;
}

static rnl_status forward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const layer l = layer_of(node);
  rnl_tensor state0;
  RNL_TRY(rnl_recurrent_state0(node, n, &state0, err));
  for (int64_t b = 0; b < n->batch; b++)
    for (int64_t t = 0; t < rnl_recurrent_steps(node, n, b); t++) {
      for (int64_t j = 0; j < n->hidden; j++) {
        double a = at1(l.bias, j);
        for (int64_t i = 0; i < n->input; i++) a += at3(l.x, b, t, i) * at2(l.weight_ih, i, j);
        for (int64_t k = 0; k < n->feedback; k++)
          a += feedback(&l, n, &state0, b, t, k) * at2(l.weight_fb, k, j);
        put3(l.h, b, t, j, activate(l.phi, a));
      }
      for (int64_t o = 0; o < n->output; o++) {
        double r = at1(l.bias_o, o);
        for (int64_t j = 0; j < n->hidden; j++) r += at3(l.h, b, t, j) * at2(l.weight_ho, j, o);
        put3(l.y, b, t, o, activate(l.sigma, r));
      }
    }
  rnl_tensor_release(&state0);
  return RNL_OK;
}

/* Add `value` to element (i, j), or (i) where j < 0, of an input's gradient, if one is wanted. */
static void add_grad(rnl_node *node, int input, int64_t i, int64_t j, double value) {
  const rnl_tensor *grad = rnl_in_grad(node, input);
  if (!grad) return;
  const int64_t index[2] = {i, j};
  rnl_tensor_set(grad, index, rnl_tensor_get(grad, index) + value);
}

static rnl_status backward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const layer l = layer_of(node);
  const rnl_tensor *da = &node->work[WORK_DA], *dr = &node->work[WORK_DR],
                   *dstate0 = &node->work[WORK_DSTATE0];
  const rnl_tensor *dh_in = rnl_out_grad(node, RNL_RECURRENT_H);
  const rnl_tensor *dy_in = n->output ? rnl_out_grad(node, RNL_RECURRENT_Y) : NULL;
  rnl_tensor state0;
  RNL_TRY(rnl_recurrent_state0(node, n, &state0, err));
  for (int i = 0; i < RNL_RECURRENT_STATE0; i++)
    if (rnl_in_grad(node, i) && !node->accumulate[i]) rnl_tensor_fill(rnl_in_grad(node, i), 0);

  for (int64_t b = 0; b < n->batch; b++)
    for (int64_t t = rnl_recurrent_steps(node, n, b) - 1; t >= 0; t--) {
      const bool last = t == rnl_recurrent_steps(node, n, b) - 1;
      for (int64_t o = 0; o < n->output; o++) {
        double dy = dy_in ? at3(dy_in, b, t, o) : 0;
        for (int64_t j = 0; n->jordan && !last && j < n->hidden; j++)
          dy += at3(da, b, t + 1, j) * at2(l.weight_fb, o, j);
        put3(dr, b, t, o, dy * slope(l.sigma, at3(l.y, b, t, o)));
      }
      for (int64_t j = 0; j < n->hidden; j++) {
        double dh = dh_in ? at3(dh_in, b, t, j) : 0;
        for (int64_t o = 0; o < n->output; o++) dh += at3(dr, b, t, o) * at2(l.weight_ho, j, o);
        for (int64_t k = 0; !n->jordan && !last && k < n->hidden; k++)
          dh += at3(da, b, t + 1, k) * at2(l.weight_fb, j, k);
        put3(da, b, t, j, dh * slope(l.phi, at3(l.h, b, t, j)));
      }
      for (int64_t j = 0; j < n->hidden; j++) {
        const double g = at3(da, b, t, j);
        add_grad(node, RNL_RECURRENT_BIAS, j, -1, g);
        for (int64_t i = 0; i < n->input; i++)
          add_grad(node, RNL_RECURRENT_WEIGHT_IH, i, j, at3(l.x, b, t, i) * g);
        for (int64_t k = 0; k < n->feedback; k++)
          add_grad(node, RNL_RECURRENT_WEIGHT_FB, k, j, feedback(&l, n, &state0, b, t, k) * g);
        for (int64_t o = 0; o < n->output; o++)
          add_grad(node, RNL_RECURRENT_WEIGHT_HO, j, o, at3(l.h, b, t, j) * at3(dr, b, t, o));
      }
      for (int64_t o = 0; o < n->output; o++) add_grad(node, RNL_RECURRENT_BIAS_O, o, -1, at3(dr, b, t, o));
      const rnl_tensor *dx = rnl_in_grad(node, RNL_RECURRENT_X);
      for (int64_t i = 0; dx && i < n->input; i++) {
        double sum = at3(dx, b, t, i);
        for (int64_t j = 0; j < n->hidden; j++) sum += at3(da, b, t, j) * at2(l.weight_ih, i, j);
        put3(dx, b, t, i, sum);
      }
    }
  rnl_tensor_release(&state0);
  for (int64_t b = 0; b < n->batch; b++)
    for (int64_t k = 0; k < n->feedback; k++) {
      double sum = 0;
      for (int64_t j = 0; j < n->hidden && rnl_recurrent_steps(node, n, b) > 0; j++)
        sum += at3(da, b, 0, j) * at2(l.weight_fb, k, j);
      rnl_tensor_set(dstate0, (int64_t[]){b, k}, sum);
    }
  rnl_recurrent_put_dstate0(node, n, dstate0);
  return RNL_OK;
}

const rnl_recurrent_arrangement rnl_recurrent_reference = {
    .layout = RNL_LAYOUT_STRIDED, .prepare = prepare, .forward = forward, .backward = backward};

/* ---- forward mode --------------------------------------------------------------------------- */

/* The equations differentiated along a direction: a dot over a name is a tangent.
 *   a. = x. weight_ih + x weight_ih. + fb. weight_fb + fb weight_fb. + bias.;   h. = phi'(h) a.
 *   r. = h. weight_ho + h weight_ho. + bias_o.;                                 y. = sigma'(y) r. */
rnl_status rnl_recurrent_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                             const rnl_tensor *out_tangent, rnl_error *err) {
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(node);
  const layer l = layer_of(node);
  const rnl_tensor *x_dot = in_tangent[RNL_RECURRENT_X], *ih_dot = in_tangent[RNL_RECURRENT_WEIGHT_IH],
                   *fb_dot = in_tangent[RNL_RECURRENT_WEIGHT_FB], *bias_dot = in_tangent[RNL_RECURRENT_BIAS],
                   *ho_dot = in_tangent[RNL_RECURRENT_WEIGHT_HO],
                   *bias_o_dot = in_tangent[RNL_RECURRENT_BIAS_O],
                   *state_dot = in_tangent[RNL_RECURRENT_STATE0];
  const rnl_tensor *h_dot = &out_tangent[RNL_RECURRENT_H], *y_dot = &out_tangent[RNL_RECURRENT_Y];
  rnl_tensor state0;
  RNL_TRY(rnl_recurrent_state0(node, &n, &state0, err));
  rnl_tensor_fill(h_dot, 0);
  if (n.output) rnl_tensor_fill(y_dot, 0);
  for (int64_t b = 0; b < n.batch; b++)
    for (int64_t t = 0; t < rnl_recurrent_steps(node, &n, b); t++) {
      for (int64_t j = 0; j < n.hidden; j++) {
        double a = bias_dot ? at1(bias_dot, j) : 0;
        for (int64_t i = 0; i < n.input; i++) {
          if (x_dot) a += at3(x_dot, b, t, i) * at2(l.weight_ih, i, j);
          if (ih_dot) a += at3(l.x, b, t, i) * at2(ih_dot, i, j);
        }
        for (int64_t k = 0; k < n.feedback; k++) {
          double moved = t > 0        ? at3(n.jordan ? y_dot : h_dot, b, t - 1, k)
                         : !state_dot ? 0
                         : state_dot->ndim == 1 ? at1(state_dot, k)
                                                : at2(state_dot, b, k);
          a += moved * at2(l.weight_fb, k, j);
          if (fb_dot) a += feedback(&l, &n, &state0, b, t, k) * at2(fb_dot, k, j);
        }
        put3(h_dot, b, t, j, slope(l.phi, at3(l.h, b, t, j)) * a);
      }
      for (int64_t o = 0; o < n.output; o++) {
        double r = bias_o_dot ? at1(bias_o_dot, o) : 0;
        for (int64_t j = 0; j < n.hidden; j++) {
          r += at3(h_dot, b, t, j) * at2(l.weight_ho, j, o);
          if (ho_dot) r += at3(l.h, b, t, j) * at2(ho_dot, j, o);
        }
        put3(y_dot, b, t, o, slope(l.sigma, at3(l.y, b, t, o)) * r);
      }
    }
  rnl_tensor_release(&state0);
  return RNL_OK;
}
