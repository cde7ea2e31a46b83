/* rnn/recurrent_tangents.c: the simple recurrent layer's forward-mode product in many directions at once (real-time
 * recurrent learning, Williams & Zipser 1989), a direction a lane. With S(t) = d h(t) / d direction, [hidden][lanes],
 *
 *   S(t) = phi'(h(t)) (fb.(t-1) weight_fb + x.(t) weight_ih + what moves with the weights themselves)
 *   y.(t) = sigma'(y(t)) (S(t) weight_ho + h(t) weight_ho. + bias_o.)                     fb. = S, or y. (Jordan)
 */
#include <string.h>

#include "base/alloc.h"
#include "rnn/recurrent_regimes.h"

/* What the layer holds, as row-major doubles. */
typedef struct layer {
  rnl_recurrent_sizes n;
  rnl_activation phi, sigma;
  int64_t lanes;
  rnl_tensor held[RNL_RECURRENT_INPUTS + RNL_RECURRENT_OUTPUTS + 1]; /* keep the copies alive */
  const double *in[RNL_RECURRENT_INPUTS], *h, *y, *state0;           /* NULL: not given */
  double *work, *start, *h_rows[2], *y_rows[2], *x_rows, *slope;     /* start and the like: [features][lanes] */
} layer;

static rnl_status take(layer *l, int place, const rnl_tensor *t, const double **out, rnl_error *err) {
  if (!t || !t->storage) return RNL_OK;
  RNL_TRY(rnl_tensor_cast(&l->held[place], t, RNL_F64, err));
  *out = rnl_f64(&l->held[place]);
  return RNL_OK;
}

static rnl_status begin(layer *l, const rnl_node *node, int64_t lanes, rnl_error *err) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  l->n = rnl_recurrent_sizes_of(node);
  l->phi = attrs->phi;
  l->sigma = attrs->sigma;
  l->lanes = lanes;
  for (int i = 0; i < RNL_RECURRENT_STATE0 && i < node->n_in; i++) RNL_TRY(take(l, i, rnl_in(node, i), &l->in[i], err));
  RNL_TRY(take(l, RNL_RECURRENT_INPUTS, rnl_out(node, RNL_RECURRENT_H), &l->h, err));
  RNL_TRY(take(l, RNL_RECURRENT_INPUTS + 1, rnl_out(node, RNL_RECURRENT_Y), &l->y, err));
  rnl_tensor state0;
  RNL_TRY(rnl_recurrent_state0(node, &l->n, &state0, err));
  rnl_status status = take(l, RNL_RECURRENT_INPUTS + 2, &state0, &l->state0, err);
  rnl_tensor_release(&state0);
  RNL_TRY(status);
  const int64_t most = l->n.hidden > l->n.output ? l->n.hidden : l->n.output;
  const int64_t rows = most + 2 * l->n.hidden + 2 * l->n.output + l->n.input;
  if (!(l->work = rnl_alloc((size_t)(rows * lanes + most), sizeof *l->work)))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  double *at = l->start = l->work;
  at += most * lanes;
  for (int i = 0; i < 2; i++, at += l->n.hidden * lanes) l->h_rows[i] = at;
  for (int i = 0; i < 2; i++, at += l->n.output * lanes) l->y_rows[i] = at;
  l->x_rows = at;
  l->slope = at + l->n.input * lanes;
  return RNL_OK;
}

static void end(layer *l) {
  for (size_t i = 0; i < sizeof l->held / sizeof *l->held; i++) rnl_tensor_release(&l->held[i]);
  rnl_free(l->work);
}

static void slopes(rnl_activation act, int64_t n, const double *y, double *slope) {
  for (int64_t j = 0; j < n; j++)
    slope[j] = act == RNL_ACT_TANH      ? 1 - y[j] * y[j]
               : act == RNL_ACT_SIGMOID ? y[j] * (1 - y[j])
               : act == RNL_ACT_RELU    ? (double)(y[j] > 0)
                                        : 1;
}

/* The tangents of count features from element `first` on, as rows: where they lie, or gathered into `rows`; NULL
 * where they do not move. */
static const double *rows_of(const rnl_tangents *t, int64_t lanes, int64_t first, int64_t count, double *rows) {
  if (t->kind == RNL_TANGENT_NONE) return NULL;
  if (t->kind == RNL_TANGENT_ROWS) return t->rows + first * lanes;
  for (int64_t i = 0; i < count; i++) rnl_tangents_row(t, lanes, first + i, rows + i * lanes);
  return rows;
}

/* One step of a sequence: h. into h_rows, y. into y_rows, from what is fed back (NULL: it does not move). */
static void one_step(const layer *l, const rnl_tangents *in, int64_t b, int64_t t, const double *fed, const double *fb,
                     double *h_rows, double *y_rows) {
  const rnl_kernels *k = rnl_kernels_of(true);
  const rnl_recurrent_sizes *n = &l->n;
  const int64_t lanes = l->lanes, at = b * n->time + t;
  const double *h = l->h + at * n->hidden, one = 1;
  memset(l->start, 0, (size_t)(n->hidden * lanes) * sizeof *l->start);
  rnl_tangents_add_weight(&in[RNL_RECURRENT_WEIGHT_IH], lanes, n->input, n->hidden,
                          l->in[RNL_RECURRENT_X] + at * n->input, l->start);
  if (fb) rnl_tangents_add_weight(&in[RNL_RECURRENT_WEIGHT_FB], lanes, n->feedback, n->hidden, fb, l->start);
  rnl_tangents_add_weight(&in[RNL_RECURRENT_BIAS], lanes, 1, n->hidden, &one, l->start);
  const double *x = rows_of(&in[RNL_RECURRENT_X], lanes, at * n->input, n->input, l->x_rows);
  if (x) k->tangent_affine(lanes, n->input, n->hidden, x, l->in[RNL_RECURRENT_WEIGHT_IH], l->start, NULL, l->start);
  slopes(l->phi, n->hidden, h, l->slope);
  k->tangent_affine(lanes, fed ? n->feedback : 0, n->hidden, fed, l->in[RNL_RECURRENT_WEIGHT_FB], l->start, l->slope,
                    h_rows);
  if (n->output == 0) return;
  memset(l->start, 0, (size_t)(n->output * lanes) * sizeof *l->start);
  rnl_tangents_add_weight(&in[RNL_RECURRENT_WEIGHT_HO], lanes, n->hidden, n->output, h, l->start);
  rnl_tangents_add_weight(&in[RNL_RECURRENT_BIAS_O], lanes, 1, n->output, &one, l->start);
  slopes(l->sigma, n->output, l->y + at * n->output, l->slope);
  k->tangent_affine(lanes, n->hidden, n->output, h_rows, l->in[RNL_RECURRENT_WEIGHT_HO], l->start, l->slope, y_rows);
}

rnl_status rnl_recurrent_jvp_many(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out,
                                  rnl_error *err) {
  layer l = {0};
  rnl_status status = begin(&l, node, lanes, err);
  const rnl_recurrent_sizes *n = &l.n;
  double *state = NULL;
  if (status == RNL_OK && !(state = rnl_alloc((size_t)(n->feedback * lanes), sizeof *state)))
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  for (int64_t b = 0; status == RNL_OK && b < n->batch; b++) {
    const rnl_tangents *moving = &in[RNL_RECURRENT_STATE0];
    const bool own = node->n_in > RNL_RECURRENT_STATE0 && node->in[RNL_RECURRENT_STATE0] &&
                     rnl_in(node, RNL_RECURRENT_STATE0)->ndim == 2; /* one a sequence */
    const double *fed = rows_of(moving, lanes, own ? b * n->feedback : 0, n->feedback, state);
    const double *fb = l.state0 ? l.state0 + b * n->feedback : NULL;
    const int64_t steps = rnl_recurrent_steps(node, n, b), ended = b * n->time + steps, rest = n->time - steps;
    if (rest > 0 && out[RNL_RECURRENT_H])
      memset(out[RNL_RECURRENT_H] + ended * n->hidden * lanes, 0, (size_t)(rest * n->hidden * lanes) * sizeof(double));
    if (rest > 0 && out[RNL_RECURRENT_Y])
      memset(out[RNL_RECURRENT_Y] + ended * n->output * lanes, 0, (size_t)(rest * n->output * lanes) * sizeof(double));
    for (int64_t t = 0; t < steps; t++) {
      const int64_t at = b * n->time + t;
      double *h_rows = out[RNL_RECURRENT_H] ? out[RNL_RECURRENT_H] + at * n->hidden * lanes : l.h_rows[t & 1];
      double *y_rows = out[RNL_RECURRENT_Y] ? out[RNL_RECURRENT_Y] + at * n->output * lanes : l.y_rows[t & 1];
      one_step(&l, in, b, t, fed, fb, h_rows, y_rows);
      fed = n->jordan ? y_rows : h_rows;
      fb = (n->jordan ? l.y : l.h) + at * n->feedback;
    }
  }
  rnl_free(state);
  end(&l);
  return status;
}
