/* rnn/noise.h owns random ops inside a training step. Their numbers are a pure function of (seed, index, step): the
 * step is read from `clock`, a scalar leaf the trainer sets before every step, so that a replayed plan draws anew
 * and a resumed run draws the same. `index` tells the layers of a model apart.
 *
 *   noise    out = random numbers of a shape: N(0, scale^2), or keeps: 1/(1-p) with probability 1-p, else 0
 *   dropout  y = x * keeps                            (inverted dropout, Srivastava et al. 2014)
 */
#ifndef RNL_RNN_NOISE_H
#define RNL_RNN_NOISE_H

#include "grad/op.h"

typedef enum rnl_noise_kind { RNL_NOISE_NORMAL = 0, RNL_NOISE_KEEP } rnl_noise_kind;

typedef struct rnl_noise_attrs {
  rnl_noise_kind kind;
  double scale;    /* NORMAL: the standard deviation, >= 0 */
  double p;        /* KEEP, dropout: the probability of zero, 0 <= p < 1 */
  uint64_t seed;
  uint32_t index;
  /* noise: the shape, in dtype; or taken from the optional second input */
  rnl_dtype dtype;
  int ndim;
  int64_t size[RNL_MAX_DIMS];
} rnl_noise_attrs;

extern const rnl_op rnl_op_noise;   /* inputs: clock, like or NULL (its shape, dtype and layout are taken) */
extern const rnl_op rnl_op_dropout; /* inputs: x, clock */

#endif
