/* rnn/init.h owns the initialisers of weights. A matrix is (fan_in, fan_out), as weight_ih is (input,
 * hidden); a vector has fan_in = fan_out = its size.
 *
 *   uniform     U[a, b)
 *   normal      N(mean, std^2)
 *   glorot      U[-L, L), L = gain sqrt(6 / (fan_in + fan_out))            (Glorot & Bengio 2010)
 *   glorot_normal  N(0, gain^2 2 / (fan_in + fan_out))
 *   he          U[-L, L), L = gain sqrt(6 / fan_in);  he_normal  N(0, gain^2 2 / fan_in)   (He et al. 2015)
 *   identity    gain on the diagonal, else 0                                   (IRNN, Le et al. 2015)
 *   spectral    normal numbers, each kept with probability density, scaled to the spectral radius `radius`
 *                                                                              (echo state networks, Jaeger 2001)
 *   sparse      N(mean, std^2), each kept with probability density, else 0
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
  RNL_INIT_ZEROS,
  RNL_INIT_GLOROT_NORMAL,
  RNL_INIT_HE,
  RNL_INIT_HE_NORMAL,
  RNL_INIT_IDENTITY,
  RNL_INIT_SPECTRAL,
  RNL_INIT_SPARSE,
  RNL_INIT_COUNT
} rnl_init_kind;

typedef struct rnl_init {
  rnl_init_kind kind;
  double a, b;      /* uniform: bounds; normal: mean, deviation; constant: a */
  double gain;      /* glorot, he, orthogonal, identity */
  double radius;    /* spectral */
  double density;   /* spectral, sparse: 0 < density <= 1 */
} rnl_init;

/* The kind's defaults: uniform [-0.1, 0.1), normal and sparse (0, 0.1), gain 1, radius 0.9, density 1 (sparse 0.1).
 * ERR_ARG lists the kinds. */
rnl_status rnl_init_from_name(const char *name, rnl_init *out, rnl_error *err);

/* Fill the tensor. ERR_SHAPE: orthogonal and identity need a matrix, spectral a square one. ERR_ARG: a > b, a negative
 * deviation, a density or radius out of range. */
rnl_status rnl_init_fill(const rnl_init *init, const rnl_tensor *t, rnl_rng *rng, rnl_error *err);

#endif
