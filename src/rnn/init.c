/* rnn/init.c: the initialisers. */
#include "rnn/init.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "rnn/spectral.h"

static const char *const names[] = {"uniform", "normal",        "glorot", "orthogonal", "constant", "zeros",
                                    "glorot_normal", "he", "he_normal", "identity", "spectral", "sparse"};
_Static_assert(sizeof names / sizeof *names == RNL_INIT_COUNT, "a name each");

rnl_status rnl_init_from_name(const char *name, rnl_init *out, rnl_error *err) {
  char list[160] = "";
  size_t used = 0;
  for (int i = 0; i < RNL_INIT_COUNT; i++) {
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    if (strcmp(names[i], name) != 0) continue;
    *out = (rnl_init){.kind = (rnl_init_kind)i, .gain = 1, .radius = 0.9, .density = 1};
    if (out->kind == RNL_INIT_UNIFORM) out->a = -0.1, out->b = 0.1;
    if (out->kind == RNL_INIT_NORMAL || out->kind == RNL_INIT_SPARSE) out->b = 0.1;
    if (out->kind == RNL_INIT_SPARSE) out->density = 0.1;
    return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_ARG, "no initialiser \"%s\"; there are %s", name, list);
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

/* Normal numbers of deviation 1, some dropped, scaled to the radius. */
static rnl_status fill_spectral(const rnl_init *init, const rnl_tensor *t, rnl_rng *rng, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  if (t->ndim != 2 || t->size[0] != t->size[1])
    return rnl_fail(err, RNL_ERR_SHAPE, "a spectral initialiser needs a square matrix, not %s",
                    rnl_tensor_shape_text(shape, t));
  if (!(init->radius >= 0) || isinf(init->radius))
    return rnl_fail(err, RNL_ERR_ARG, "a spectral radius of %g; expected a number >= 0", init->radius);
  const int64_t n = t->size[0];
  double *matrix = rnl_alloc((size_t)(n * n), sizeof *matrix), radius = 0;
  if (!matrix) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a matrix");
  for (int64_t i = 0; i < n * n; i++) {
    const double value = rnl_rng_normal(rng);
    matrix[i] = rnl_rng_uniform(rng) < init->density ? value : 0;
  }
  rnl_status status = rnl_spectral_radius(n, matrix, &radius, err);
  if (status == RNL_OK && radius == 0 && init->radius > 0)
    status = rnl_fail(err, RNL_ERR_ARG, "a matrix of density %g has come out with no eigenvalue but zero",
                      init->density);
  for (int64_t i = 0; status == RNL_OK && i < n * n; i++)
    rnl_tensor_put(t, i, radius == 0 ? 0 : matrix[i] * (init->radius / radius));
  rnl_free(matrix);
  return status;
}

static rnl_status fill_identity(double gain, const rnl_tensor *t, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  if (t->ndim != 2)
    return rnl_fail(err, RNL_ERR_SHAPE, "an identity needs a matrix, not %s", rnl_tensor_shape_text(shape, t));
  rnl_tensor_fill(t, 0);
  for (int64_t i = 0; i < t->size[0] && i < t->size[1]; i++) rnl_tensor_set(t, (int64_t[]){i, i}, gain);
  return RNL_OK;
}

rnl_status rnl_init_fill(const rnl_init *init, const rnl_tensor *t, rnl_rng *rng, rnl_error *err) {
  const int64_t n = rnl_tensor_numel(t);
  const double fan_in = t->ndim ? (double)t->size[0] : 1, fan_out = t->ndim ? (double)t->size[t->ndim - 1] : 1;
  double a = init->a, b = init->b;
  const bool thinned = init->kind == RNL_INIT_SPECTRAL || init->kind == RNL_INIT_SPARSE;
  if (thinned && !(init->density > 0 && init->density <= 1))
    return rnl_fail(err, RNL_ERR_ARG, "a density of %g; expected 0 < density <= 1", init->density);
  switch (init->kind) {
    case RNL_INIT_ORTHOGONAL: return fill_orthogonal(init->gain, t, rng, err);
    case RNL_INIT_IDENTITY: return fill_identity(init->gain, t, err);
    case RNL_INIT_SPECTRAL: return fill_spectral(init, t, rng, err);
    case RNL_INIT_CONSTANT: rnl_tensor_fill(t, a); return RNL_OK;
    case RNL_INIT_ZEROS: rnl_tensor_fill(t, 0); return RNL_OK;
    case RNL_INIT_GLOROT: a = -(b = init->gain * sqrt(6 / (fan_in + fan_out))); break;
    case RNL_INIT_HE: a = -(b = init->gain * sqrt(6 / fan_in)); break;
    case RNL_INIT_GLOROT_NORMAL: a = 0, b = init->gain * sqrt(2 / (fan_in + fan_out)); break;
    case RNL_INIT_HE_NORMAL: a = 0, b = init->gain * sqrt(2 / fan_in); break;
    default: break;
  }
  if (init->kind == RNL_INIT_UNIFORM || init->kind == RNL_INIT_GLOROT || init->kind == RNL_INIT_HE) {
    if (!(a <= b)) return rnl_fail(err, RNL_ERR_ARG, "a uniform initialiser from %g to %g: reversed", a, b);
    for (int64_t i = 0; i < n; i++) rnl_tensor_put(t, i, a + (b - a) * rnl_rng_uniform(rng));
    return RNL_OK;
  }
  if (!(b >= 0)) return rnl_fail(err, RNL_ERR_ARG, "a normal initialiser with deviation %g", b);
  for (int64_t i = 0; i < n; i++) {
    const double value = a + b * rnl_rng_normal(rng);
    rnl_tensor_put(t, i, init->kind != RNL_INIT_SPARSE || rnl_rng_uniform(rng) < init->density ? value : 0);
  }
  return RNL_OK;
}
