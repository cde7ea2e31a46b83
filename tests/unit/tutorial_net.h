/* tutorial_net.h: the tutorial's network (or another small one) as a record function for a trainer. */
#ifndef RNL_TEST_TUTORIAL_NET_H
#define RNL_TEST_TUTORIAL_NET_H

#include "golden.h"

#include "grad/ops.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"
#include "train/trainer.h"

enum { NET_PARAMETERS = 5 };
typedef struct net {
  rnl_recurrent_attrs attrs;
  rnl_var *state0;                     /* where states are carried: the layer's own, or NULL */
  rnl_var *parameters[NET_PARAMETERS]; /* in the op's order from weight_ih on */
  int recordings;
} net;

/* A new set of x and y alone. */
static inline rnl_set set_of(const rnl_tensor *x, const rnl_tensor *y) {
  rnl_set set;
  OK(rnl_set_new(&set, "the set", x, y, err));
  return set;
}

/* in, cut to steps from .. from + length - 1 of dimension 1, or (length 0) its step `from` alone */
static inline rnl_status net_cut(rnl_var *in, int64_t from, int64_t length, rnl_var **out, rnl_error *err) {
  const rnl_view_attrs attrs = {.kind = length ? RNL_VIEW_SLICE : RNL_VIEW_SELECT, .dim = 1, .start = from,
                                .length = length, .step = 1};
  return rnl_apply(&rnl_op_view, &attrs, 1, &in, out, err);
}

static inline rnl_status net_forward(net *n, rnl_batch *batch, rnl_var **y, rnl_error *err) {
  rnl_var *in[RNL_RECURRENT_INPUTS] = {rnl_batch_leaf(batch, "x")}, *out[RNL_RECURRENT_OUTPUTS];
  for (int i = 0; i < NET_PARAMETERS; i++) in[RNL_RECURRENT_WEIGHT_IH + i] = n->parameters[i];
  const int64_t sequences = rnl_value(in[0])->size[0], hidden = rnl_value(n->parameters[1])->size[1];
  if (batch->carries)
    RNL_TRY(rnl_batch_carry(batch, "h", sequences, hidden, rnl_value(in[0])->dtype, n->state0,
                            &in[RNL_RECURRENT_STATE0], err));
  rnl_status status = rnl_apply(&rnl_op_recurrent, &n->attrs, RNL_RECURRENT_INPUTS, in, out, err);
  rnl_var_release(in[RNL_RECURRENT_STATE0]);
  RNL_TRY(status);
  rnl_var *last = NULL;
  if (batch->carries) {
    status = net_cut(out[RNL_RECURRENT_H], batch->hand_on - 1, 0, &last, err);
    if (status == RNL_OK) status = rnl_batch_carried(batch, "h", last, err);
    rnl_var_release(last);
  }
  rnl_var_release(out[RNL_RECURRENT_H]);
  if (status == RNL_OK) *y = out[RNL_RECURRENT_Y];
  else rnl_var_release(out[RNL_RECURRENT_Y]);
  return status;
}

static inline rnl_status net_record(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss,
                                    rnl_error *err) {
  net *n = context;
  rnl_var *y, *counted = NULL;
  n->recordings++;
  RNL_TRY(net_forward(n, batch, &y, err));
  rnl_status status = RNL_OK;
  if (batch->loss_from) status = net_cut(y, batch->loss_from, batch->steps - batch->loss_from, &counted, err);
  rnl_loss kind = RNL_LOSS_SSE;
  rnl_var *pair[2] = {counted ? counted : y, rnl_batch_leaf(batch, "y")};
  if (status == RNL_OK) status = rnl_apply(&rnl_op_squared_error, &kind, 2, pair, loss, err);
  rnl_var_release(counted);
  if (status == RNL_OK) *prediction = y;
  else rnl_var_release(y);
  return status;
}

static inline void net_release(net *n) {
  for (int i = 0; i < NET_PARAMETERS; i++) rnl_var_release(n->parameters[i]);
  rnl_var_release(n->state0);
}

#endif
