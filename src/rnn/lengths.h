/* rnn/lengths.h owns sequences of different lengths in one batch: reading the lengths, and clearing what lies past a
 * sequence's end. Nothing that a layer computes there reaches an earlier step, so that layers run over it as over any
 * other step, and clear their outputs once, and the gradients that arrive at them. */
#ifndef RNL_RNN_LENGTHS_H
#define RNL_RNN_LENGTHS_H

#include "tensor/tensor.h"

/* lengths[batch] from the tensor `given`, (batch), or `time` each where it is NULL, and the least of them. ERR_ARG
 * names the layer and the sequence whose length is not a whole number from 0 to time (0: a later chunk of a sequence
 * that has ended). */
rnl_status rnl_lengths_read(const rnl_tensor *given, const char *layer, int64_t batch, int64_t time, int64_t *lengths,
                            int64_t *least, rnl_error *err);

/* x(b, t) = 0 for t >= lengths[b]; x (batch, time, feature) in any layout, `least` as rnl_lengths_read gave it. */
void rnl_lengths_clear(const rnl_tensor *x, const int64_t *lengths, int64_t least);

#endif
