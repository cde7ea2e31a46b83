/* rnn/init.c: the initialisers. */
#include "rnn/init.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static const char *const names[] = {"uniform", "normal", "glorot", "orthogonal", "constant", "zeros"};

rnl_status rnl_init_from_name(const char *name, rnl_init *out, rnl_error *err) {
  for (int i = 0; i <= RNL_INIT_ZEROS; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *out = (rnl_init){.kind = (rnl_init_kind)i, .gain = 1};
    if (out->kind == RNL_INIT_UNIFORM) out->a = -0.1, out->b = 0.1;
    if (out->kind == RNL_INIT_NORMAL) out->b = 0.1;
    return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_ARG,
                  "no initialiser \"%s\"; there are uniform, normal, glorot, orthogonal, constant, zeros", name);
}

/* Orthonormalise the `count` vectors of `length` (count <= length) in place by modified Gram-Schmidt,
 * twice, which leaves them orthogonal to rounding (Giraud et al. 2005). */
static void orthonormalise(double *vectors, int64_t count, int64_t length) {
  for (int64_t i = 0; i < count; i++) {
    double *v = vectors + i * length;
    for (int pass = 0; pass < 2; pass++)
      for (int64_t k = 0; k < i; k++) {
        const double *u = vectors + k * length;
        double dot = 0;
        for (int64_t j = 0; j < length; j++) dot += u[j] * v[j];
        for (int64_t j = 0; j < length; j++) v[j] -= dot * u[j];
      }
    double norm = 0;
    for (int64_t j = 0; j < length; j++) norm += v[j] * v[j];
    norm = sqrt(norm);
    for (int64_t j = 0; j < length; j++) v[j] /= norm;
  }
}

static rnl_status fill_orthogonal(double gain, const rnl_tensor *t, rnl_rng *rng, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  if (t->ndim != 2)
    return rnl_fail(err, RNL_ERR_SHAPE, "an orthogonal initialiser needs a matrix, not %s",
                    rnl_tensor_shape_text(shape, t));
  const int64_t rows = t->size[0], columns = t->size[1];
  const bool by_rows = rows <= columns; /* the shorter side's vectors can be orthonormal */
  const int64_t count = by_rows ? rows : columns, length = by_rows ? columns : rows;
  double *vectors = rnl_alloc((size_t)(rows * columns), sizeof *vectors);
  if (!vectors) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for an orthogonal matrix");
  for (int64_t i = 0; i < rows * columns; i++) vectors[i] = rnl_rng_normal(rng);
  orthonormalise(vectors, count, length);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      rnl_tensor_set(t, (int64_t[]){i, j}, gain * vectors[by_rows ? i * length + j : j * length + i]);
  rnl_free(vectors);
  return RNL_OK;
}

rnl_status rnl_init_fill(const rnl_init *init, const rnl_tensor *t, rnl_rng *rng, rnl_error *err) {
  const int64_t n = rnl_tensor_numel(t);
  double a = init->a, b = init->b;
  switch (init->kind) {
    case RNL_INIT_GLOROT: {
      double fan_in = t->ndim ? (double)t->size[0] : 1, fan_out = t->ndim ? (double)t->size[t->ndim - 1] : 1;
      b = init->gain * sqrt(6 / (fan_in + fan_out));
      a = -b;
    } /* fall through */
    case RNL_INIT_UNIFORM:
      if (!(a <= b)) return rnl_fail(err, RNL_ERR_ARG, "a uniform initialiser from %g to %g: reversed", a, b);
      for (int64_t i = 0; i < n; i++) rnl_tensor_put(t, i, a + (b - a) * rnl_rng_uniform(rng));
      return RNL_OK;
    case RNL_INIT_NORMAL:
      if (!(b >= 0)) return rnl_fail(err, RNL_ERR_ARG, "a normal initialiser with deviation %g", b);
      for (int64_t i = 0; i < n; i++) rnl_tensor_put(t, i, a + b * rnl_rng_normal(rng));
      return RNL_OK;
    case RNL_INIT_ORTHOGONAL: return fill_orthogonal(init->gain, t, rng, err);
    case RNL_INIT_CONSTANT: rnl_tensor_fill(t, a); return RNL_OK;
    case RNL_INIT_ZEROS: rnl_tensor_fill(t, 0); return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_INTERNAL, "unknown initialiser");
}
