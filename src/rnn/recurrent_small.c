/* rnn/recurrent_small.c: the small regime: batch in SIMD lanes, one kernel call a pass. Data that does
 * not lie in lanes (RNL_LAYOUT_LANES) is packed into work buffers on the way in and out. */
#include <string.h>

#include "grad/elementwise.h"
#include "rnn/lengths.h"
#include "rnn/recurrent_regimes.h"

enum { /* node->work */
  WORK_X = RNL_RECURRENT_PACKED, /* x in lanes, where it is not, or is to be cleared past the lengths */
  WORK_STATE0,  /* [feedback][lanes] */
  WORK_DA,      /* [kept][hidden][lanes] (kernel.h); borrowed, as all from here on */
  WORK_DR,      /* [kept][output][lanes], where it is not dy */
  WORK_DX,      /* the gradient of x in lanes, where x is not */
  WORK_DSTATE0 /* [feedback][lanes] */
};

/* Data of an input, and of its gradient buffer; NULL where there is none. Parameters are contiguous. */
static inline const void *in_data(const rnl_node *node, int input) {
  const rnl_tensor *t = rnl_in(node, input);
  return t ? rnl_tensor_data(t) : NULL;
}
static inline void *grad_data(const rnl_node *node, int input) {
  const rnl_tensor *grad = rnl_in_grad(node, input);
  return grad ? rnl_tensor_data(grad) : NULL;
}

static bool in_lanes(const rnl_tensor *t) { return t->layout == RNL_LAYOUT_LANES; }

static rnl_status lanes_like(rnl_tensor *out, const rnl_recurrent_sizes *n, int64_t time, int64_t feature,
                             rnl_error *err) {
  return rnl_tensor_new_sequence(out, n->f64 ? RNL_F64 : RNL_F32, RNL_LAYOUT_LANES, n->batch, time,
                                 feature, err);
}

static rnl_status borrow(rnl_node *node, int work, const rnl_recurrent_sizes *n, int64_t time, int64_t feature,
                         rnl_error *err) {
  return rnl_node_borrow(node, work, n->f64 ? RNL_F64 : RNL_F32, RNL_LAYOUT_LANES, n->batch, time, feature, err);
}

/* The layer's sizes, as the kernel takes them. */
static rnl_lane_layer sizes_of(const rnl_node *node, const rnl_recurrent_sizes *n) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  return (rnl_lane_layer){.batch = n->batch, .lanes = rnl_lanes_of(n->batch), .time = n->time, .input_size = n->input,
                          .hidden_size = n->hidden, .output_size = n->output, .jordan = n->jordan, .phi = attrs->phi,
                          .sigma = attrs->sigma};
}

static rnl_status prepare(rnl_node *node, const rnl_recurrent_sizes *n, bool gradients, rnl_error *err) {
  rnl_tensor *work = node->work;
  const bool x_in_lanes = in_lanes(rnl_in(node, RNL_RECURRENT_X));
  const rnl_lane_layer layer = sizes_of(node, n);
  const int64_t kept = rnl_lane_layer_kept(&layer, n->f64 ? sizeof(double) : sizeof(float));
  if (!x_in_lanes || rnl_recurrent_lengths_of(node)) RNL_TRY(lanes_like(&work[WORK_X], n, n->time, n->input, err));
  RNL_TRY(lanes_like(&work[WORK_STATE0], n, 1, n->feedback, err));
  if (!gradients) return RNL_OK;
  RNL_TRY(borrow(node, WORK_DA, n, kept, n->hidden, err));
  if (n->output && !rnl_lane_layer_passes(&layer)) RNL_TRY(borrow(node, WORK_DR, n, kept, n->output, err));
  if (!x_in_lanes && node->needs_grad[RNL_RECURRENT_X]) RNL_TRY(borrow(node, WORK_DX, n, n->time, n->input, err));
  if (node->n_in > RNL_RECURRENT_STATE0 && node->needs_grad[RNL_RECURRENT_STATE0])
    RNL_TRY(borrow(node, WORK_DSTATE0, n, 1, n->feedback, err));
  return RNL_OK;
}

/* The arguments the kernel's forward and backward share. */
static rnl_lane_layer layer_of(const rnl_node *node, const rnl_recurrent_sizes *n) {
  const rnl_tensor *work = node->work, *x = rnl_in(node, RNL_RECURRENT_X);
  const bool has_output = n->output > 0;
  rnl_lane_layer layer = sizes_of(node, n);
  layer.weight_ih = in_data(node, RNL_RECURRENT_WEIGHT_IH);
  layer.weight_fb = in_data(node, RNL_RECURRENT_WEIGHT_FB);
  layer.bias = in_data(node, RNL_RECURRENT_BIAS);
  layer.weight_ho = has_output ? in_data(node, RNL_RECURRENT_WEIGHT_HO) : NULL;
  layer.bias_o = has_output ? in_data(node, RNL_RECURRENT_BIAS_O) : NULL;
  layer.x = rnl_tensor_data(work[WORK_X].storage ? &work[WORK_X] : x);
  layer.state0 = rnl_tensor_data(&work[WORK_STATE0]);
  layer.h = rnl_tensor_data(rnl_out(node, RNL_RECURRENT_H));
  layer.y = has_output ? rnl_tensor_data(rnl_out(node, RNL_RECURRENT_Y)) : NULL;
  return layer;
}

/* `packed` holds x where that is not in lanes or has lengths, for what lies past a sequence's end, a NaN perhaps, is
 * not to be met in a product. */
static rnl_status take_x(const rnl_node *node, const rnl_tensor *packed, rnl_error *err) {
  if (!packed->storage) return RNL_OK;
  if (rnl_in_unchanged(node, RNL_RECURRENT_X) && rnl_in_unchanged(node, RNL_RECURRENT_LENGTHS)) return RNL_OK;
  const rnl_recurrent_lengths *lengths = rnl_recurrent_lengths_of(node);
  RNL_TRY(rnl_tensor_copy(packed, rnl_in(node, RNL_RECURRENT_X), err));
  if (lengths) rnl_lengths_clear(packed, lengths->of, lengths->least);
  return RNL_OK;
}

/* x and the initial state into lanes, where they are not. */
static rnl_status bring_in(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  RNL_TRY(take_x(node, &node->work[WORK_X], err));
  rnl_tensor state0, row;
  RNL_TRY(rnl_recurrent_state0(node, n, &state0, err));
  if (state0.storage) {
    rnl_status status = rnl_tensor_select(&row, &node->work[WORK_STATE0], 1, 0, err);
    if (status == RNL_OK) status = rnl_tensor_copy(&row, &state0, err);
    rnl_tensor_release(&row);
    rnl_tensor_release(&state0);
    RNL_TRY(status);
  }
  return RNL_OK;
}

static rnl_status forward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  RNL_TRY(bring_in(node, n, err));
  const rnl_lane_layer layer = layer_of(node, n);
  rnl_lane_kernels_of(n->f64, n->batch)->lane_layer_forward(&layer);
  return RNL_OK;
}

/* An arriving gradient in lanes: as it is, or NULL. Gradient buffers have the layout of their values. */
static const void *arriving(const rnl_node *node, int output) {
  const rnl_tensor *grad = rnl_out_grad(node, output);
  return grad ? rnl_tensor_data(grad) : NULL;
}

/* The gradient of x can be written where it is wanted. */
static bool dx_direct(const rnl_node *node) {
  const rnl_tensor *dx = rnl_in_grad(node, RNL_RECURRENT_X);
  return dx && in_lanes(dx);
}

static rnl_lane_layer_grad grad_of(const rnl_node *node, const rnl_recurrent_sizes *n) {
  const rnl_tensor *work = node->work, *dx = rnl_in_grad(node, RNL_RECURRENT_X);
  return (rnl_lane_layer_grad){
      .dh = arriving(node, RNL_RECURRENT_H),
      .dy = n->output ? arriving(node, RNL_RECURRENT_Y) : NULL,
      .da = rnl_tensor_data(&work[WORK_DA]),
      .dr = work[WORK_DR].storage ? rnl_tensor_data(&work[WORK_DR]) : NULL,
      .dx = !dx ? NULL : rnl_tensor_data(dx_direct(node) ? dx : &work[WORK_DX]),
      .dstate0 = work[WORK_DSTATE0].storage ? rnl_tensor_data(&work[WORK_DSTATE0]) : NULL,
      .dweight_ih = grad_data(node, RNL_RECURRENT_WEIGHT_IH),
      .dweight_fb = grad_data(node, RNL_RECURRENT_WEIGHT_FB),
      .dbias = grad_data(node, RNL_RECURRENT_BIAS),
      .dweight_ho = grad_data(node, RNL_RECURRENT_WEIGHT_HO),
      .dbias_o = grad_data(node, RNL_RECURRENT_BIAS_O),
      .add_x = dx_direct(node) && node->accumulate[RNL_RECURRENT_X],
      .add_weight_ih = node->accumulate[RNL_RECURRENT_WEIGHT_IH],
      .add_weight_fb = node->accumulate[RNL_RECURRENT_WEIGHT_FB],
      .add_bias = node->accumulate[RNL_RECURRENT_BIAS],
      .add_weight_ho = node->accumulate[RNL_RECURRENT_WEIGHT_HO],
      .add_bias_o = node->accumulate[RNL_RECURRENT_BIAS_O]};
}

/* The gradients of x and the initial state to where they are wanted. */
static rnl_status bring_out(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const rnl_tensor *work = node->work, *dx = rnl_in_grad(node, RNL_RECURRENT_X);
  if (dx && !dx_direct(node)) rnl_add_into(dx, &work[WORK_DX], node->accumulate[RNL_RECURRENT_X]);
  if (work[WORK_DSTATE0].storage) {
    rnl_tensor row;
    RNL_TRY(rnl_tensor_select(&row, &work[WORK_DSTATE0], 1, 0, err));
    rnl_recurrent_put_dstate0(node, n, &row);
    rnl_tensor_release(&row);
  }
  return RNL_OK;
}

static rnl_status backward(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  const rnl_lane_layer layer = layer_of(node, n);
  const rnl_lane_layer_grad grad = grad_of(node, n);
  rnl_lane_kernels_of(n->f64, n->batch)->lane_layer_backward(&layer, &grad);
  return bring_out(node, n, err);
}

/* ---- two at once ---------------------------------------------------------------------------- */

/* The same gradients are wanted and arrive, and are added or not, at both. */
static bool same_wishes(const rnl_node *a, const rnl_node *b) {
  if (a->n_in != b->n_in) return false;
  for (int i = 0; i < a->n_in; i++)
    if (!a->in[i] != !b->in[i] || a->needs_grad[i] != b->needs_grad[i] || a->accumulate[i] != b->accumulate[i])
      return false;
  return true;
}

bool rnl_recurrent_pairs(const rnl_node *a, const rnl_node *b, const rnl_recurrent_sizes *n) {
  const rnl_lane_layer layer = sizes_of(a, n);
  return rnl_kernels_of(n->f64)->lane_pair_forward && n->batch <= RNL_PAIR_LANES &&
         rnl_lane_layer_weights(&layer) <= RNL_PAIR_WEIGHTS && same_wishes(a, b);
}

rnl_status rnl_recurrent_forward_pair(rnl_node *const node[2], const rnl_recurrent_sizes *n, rnl_error *err) {
  for (int k = 0; k < 2; k++) RNL_TRY(bring_in(node[k], n, err));
  const rnl_lane_layer a = layer_of(node[0], n), b = layer_of(node[1], n);
  rnl_kernels_of(n->f64)->lane_pair_forward(&a, &b);
  return RNL_OK;
}

rnl_status rnl_recurrent_backward_pair(rnl_node *const node[2], const rnl_recurrent_sizes *n, rnl_error *err) {
  const rnl_lane_layer a = layer_of(node[0], n), b = layer_of(node[1], n);
  const rnl_lane_layer_grad to_a = grad_of(node[0], n), to_b = grad_of(node[1], n);
  if (!to_a.dh != !to_b.dh || !to_a.dy != !to_b.dy) { /* a gradient arrives at one alone */
    rnl_lane_kernels_of(n->f64, n->batch)->lane_layer_backward(&a, &to_a);
    rnl_lane_kernels_of(n->f64, n->batch)->lane_layer_backward(&b, &to_b);
  } else {
    rnl_kernels_of(n->f64)->lane_pair_backward((const rnl_lane_layer *[]){&a, &b},
                                               (const rnl_lane_layer_grad *[]){&to_a, &to_b});
  }
  for (int k = 0; k < 2; k++) RNL_TRY(bring_out(node[k], n, err));
  return RNL_OK;
}

const rnl_recurrent_arrangement rnl_recurrent_small = {
    .layout = RNL_LAYOUT_LANES, .prepare = prepare, .forward = forward, .backward = backward};
