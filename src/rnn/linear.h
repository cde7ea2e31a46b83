/* rnn/linear.h owns the linear layer: y = x weight + bias over every step.
 * x (batch, time, input) or (batch, input); weight (input, output); bias (output), optional;
 * y (batch, time, output) or (batch, output), in x's layout. */
#ifndef RNL_RNN_LINEAR_H
#define RNL_RNN_LINEAR_H

#include "grad/op.h"

enum { RNL_LINEAR_X = 0, RNL_LINEAR_WEIGHT, RNL_LINEAR_BIAS, RNL_LINEAR_INPUTS };
typedef struct rnl_linear_attrs {
  char name[48]; /* for messages */
} rnl_linear_attrs;

extern const rnl_op rnl_op_linear;

#endif
