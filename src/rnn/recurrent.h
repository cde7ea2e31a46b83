/* rnn/recurrent.h owns the simple recurrent layers with their read-out, each as one op over the whole
 * sequence with its own backpropagation through time.
 *
 *   h(t) = phi(x(t) weight_ih + fb(t-1) weight_fb + bias)
 *   y(t) = sigma(h(t) weight_ho + bias_o)
 *
 * Elman (1990):  fb = h, weight_fb = weight_hh [hidden][hidden];  fb(0) = state0, zero if not given.
 * Jordan (1986): fb = y, weight_fb = weight_oh [output][hidden].
 * Row vectors; x is (batch, time, input), h (batch, time, hidden), y (batch, time, output).
 *
 * Backward, from the gradients dh(t), dy(t) that arrive:
 *   Jordan: dy(t) += da(t+1) weight_oh'
 *   dr(t) = dy(t) * sigma'(y(t));   dh(t) += dr(t) weight_ho'
 *   Elman:  dh(t) += da(t+1) weight_hh'
 *   da(t) = dh(t) * phi'(h(t))
 *   dweight_ih = sum_t x(t)' da(t),  dweight_fb = sum_t fb(t-1)' da(t),  dbias = sum_t da(t),
 *   dweight_ho = sum_t h(t)' dr(t),  dbias_o = sum_t dr(t),
 *   dx(t) = da(t) weight_ih',        dstate0 = da(1) weight_fb'
 */
#ifndef RNL_RNN_RECURRENT_H
#define RNL_RNN_RECURRENT_H

#include "grad/op.h"
#include "kernel/kernel.h"

typedef enum rnl_cell { RNL_CELL_ELMAN = 0, RNL_CELL_JORDAN } rnl_cell;

/* How the sums are arranged; the equations are the same. AUTO: a cell program chooses (rnl_program_regime), this op
 * is SMALL. */
typedef enum rnl_regime {
  RNL_REGIME_AUTO = 0,
  RNL_REGIME_SMALL,     /* batch in SIMD lanes, weights broadcast (kernel/recurrent.inc) */
  RNL_REGIME_REFERENCE, /* plain loops in double, what the other two are tested against */
  RNL_REGIME_LARGE      /* matrix products of packed weights; of cell programs (program_rows.c), not of this op */
} rnl_regime;

enum { RNL_LAYER_NAME = 48 };

typedef struct rnl_recurrent_attrs {
  rnl_cell cell;
  rnl_activation phi, sigma;
  rnl_regime regime; /* after prepare: the one in use, never AUTO */
  char name[RNL_LAYER_NAME]; /* for messages: "rnn" */
} rnl_recurrent_attrs;

/* Inputs of the op. The read-out (weight_ho and bias_o, both or neither) is optional for Elman, and
 * state0, (batch, n) or (n) for all sequences, with n = hidden (Elman) or output (Jordan), for both. With
 * lengths, (batch), h and y of sequence b are 0 from step lengths[b] on, and nothing of x is looked at there. */
enum {
  RNL_RECURRENT_X = 0,
  RNL_RECURRENT_WEIGHT_IH,
  RNL_RECURRENT_WEIGHT_FB,
  RNL_RECURRENT_BIAS,
  RNL_RECURRENT_WEIGHT_HO,
  RNL_RECURRENT_BIAS_O,
  RNL_RECURRENT_STATE0,
  RNL_RECURRENT_LENGTHS,
  RNL_RECURRENT_INPUTS
};
/* Outputs: h, and y (an empty tensor where there is no read-out). */
enum { RNL_RECURRENT_H = 0, RNL_RECURRENT_Y, RNL_RECURRENT_OUTPUTS };

extern const rnl_op rnl_op_recurrent;

/* "elman", "jordan" -> cell; "tanh" -> activation. ERR_ARG lists what there is. */
rnl_status rnl_cell_from_name(const char *name, rnl_cell *out, rnl_error *err);
rnl_status rnl_activation_from_name(const char *name, rnl_activation *out, rnl_error *err);
rnl_status rnl_regime_from_name(const char *name, rnl_regime *out, rnl_error *err);
const char *rnl_cell_name(rnl_cell cell);
const char *rnl_activation_name(rnl_activation act);

#endif
