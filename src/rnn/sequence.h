/* rnn/sequence.h owns what is done to whole sequences between layers: turning them round, taking their last step,
 * looking symbols up. Lengths, (batch), are whole numbers 1 .. time; NULL: every sequence is whole. */
#ifndef RNL_RNN_SEQUENCE_H
#define RNL_RNN_SEQUENCE_H

#include "grad/op.h"

/* (batch, time, feature): y(b, t) = x(b, length - 1 - t) for t < length; padding stays where it is. Inputs: x,
 * lengths. */
extern const rnl_op rnl_op_reverse;

/* (batch, time, feature) -> (batch, feature): y(b) = x(b, length - 1). Inputs: x, lengths. */
extern const rnl_op rnl_op_last;

/* ids (batch, time), whole numbers 0 .. symbols-1 plus `base`, and weight (symbols, feature) -> (batch, time, feature):
 * the rows of the weight. Attrs: the number that the first symbol has (int; 1 at the Lua face). Inputs: ids, weight. */
extern const rnl_op rnl_op_embedding;

#endif
