/* rnn/loss.h owns the losses over sequences. y and target have one shape, (batch, time, feature) or
 * (batch, feature); the loss is a scalar.
 *
 *   sse = mean over all but the last dimension of sum over features of (y - target)^2
 *         (the tutorial's cost: tf.reduce_mean(tf.reduce_sum(tf.square(y - ys), axis=2)))
 *   mse = mean over all elements of (y - target)^2
 */
#ifndef RNL_RNN_LOSS_H
#define RNL_RNN_LOSS_H

#include "grad/op.h"

typedef enum rnl_loss { RNL_LOSS_SSE = 0, RNL_LOSS_MSE } rnl_loss;

extern const rnl_op rnl_op_squared_error; /* inputs y, target; attrs: rnl_loss */

/* "sse" or "mse". ERR_ARG lists what there is. */
rnl_status rnl_loss_from_name(const char *name, rnl_loss *out, rnl_error *err);

#endif
