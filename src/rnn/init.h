/* rnn/init.h owns the initialisers of weights. A matrix is (fan_in, fan_out), as weight_ih is (input,
 * hidden); a vector has fan_in = fan_out = its size.
 *
 *   uniform     U[a, b)
 *   normal      N(mean, std^2)
 *   glorot      U[-L, L), L = gain sqrt(6 / (fan_in + fan_out))            (Glorot & Bengio 2010)
 *   orthogonal  gain times a matrix with orthonormal rows or columns, from a normal matrix by
 *               Gram-Schmidt, whose diagonal stays positive: uniform over them (Saxe et al. 2014)
 *   constant    value (0 for "zeros")
 *
 * Numbers are drawn in double in row-major order, so that both dtypes start at the same place. */
#ifndef RNL_RNN_INIT_H
#define RNL_RNN_INIT_H

#include "base/rng.h"
#include "tensor/tensor.h"

typedef enum rnl_init_kind {
  RNL_INIT_UNIFORM = 0,
  RNL_INIT_NORMAL,
  RNL_INIT_GLOROT,
  RNL_INIT_ORTHOGONAL,
  RNL_INIT_CONSTANT,
  RNL_INIT_ZEROS
} rnl_init_kind;

typedef struct rnl_init {
  rnl_init_kind kind;
  double a, b;      /* uniform: bounds; normal: mean, deviation; constant: a */
  double gain;      /* glorot, orthogonal */
} rnl_init;

/* The kind's defaults: uniform [-0.1, 0.1), normal (0, 0.1), gain 1. ERR_ARG lists the kinds. */
rnl_status rnl_init_from_name(const char *name, rnl_init *out, rnl_error *err);

/* Fill the tensor. ERR_SHAPE: orthogonal needs a matrix. ERR_ARG: a > b, a negative deviation. */
rnl_status rnl_init_fill(const rnl_init *init, const rnl_tensor *t, rnl_rng *rng, rnl_error *err);

#endif
