/* tutorial_net.h: the tutorial's network (or another small one) as a record function for a trainer. */
#ifndef RNL_TEST_TUTORIAL_NET_H
#define RNL_TEST_TUTORIAL_NET_H

#include "golden.h"

#include "rnn/loss.h"
#include "rnn/recurrent.h"
#include "train/trainer.h"

enum { NET_PARAMETERS = 5 };
typedef struct net {
  rnl_recurrent_attrs attrs;
  rnl_var *parameters[NET_PARAMETERS]; /* in the op's order from weight_ih on */
  int recordings;
} net;

static inline rnl_status net_record(void *context, rnl_var *x, rnl_var *y, rnl_var **prediction, rnl_var **loss,
                                    rnl_error *err) {
  net *n = context;
  rnl_var *in[RNL_RECURRENT_INPUTS] = {x}, *out[RNL_RECURRENT_OUTPUTS];
  for (int i = 0; i < NET_PARAMETERS; i++) in[RNL_RECURRENT_WEIGHT_IH + i] = n->parameters[i];
  n->recordings++;
  RNL_TRY(rnl_apply(&rnl_op_recurrent, &n->attrs, RNL_RECURRENT_INPUTS, in, out, err));
  rnl_loss kind = RNL_LOSS_SSE;
  rnl_var *pair[2] = {out[RNL_RECURRENT_Y], y};
  rnl_status status = rnl_apply(&rnl_op_squared_error, &kind, 2, pair, loss, err);
  rnl_var_release(out[RNL_RECURRENT_H]);
  if (status == RNL_OK) *prediction = out[RNL_RECURRENT_Y];
  else rnl_var_release(out[RNL_RECURRENT_Y]);
  return status;
}

static inline void net_release(net *n) {
  for (int i = 0; i < NET_PARAMETERS; i++) rnl_var_release(n->parameters[i]);
}

#endif
