/* rnn/spectral.c: Gelfand's formula, and Arnoldi's method before it where the matrix is large. */
#include "rnn/spectral.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "kernel/packed.h"

static rnl_status no_memory(int64_t n, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the spectral radius of a matrix of %lld rows", (long long)n);
}

/* ||A^(2^k)||^(1 / 2^k). a [n][n] is overwritten, work as large. */
static double by_squaring(int64_t n, double *a, double *work) {
  enum { SQUARINGS = 40 };
  double log_radius = 0, share = 1; /* log ||A^(2^k)|| / 2^k, part by part */
  for (int k = 0; k < SQUARINGS; k++, share /= 2) {
    double square = 0;
    for (int64_t i = 0; i < n * n; i++) square += a[i] * a[i];
    if (square == 0) return 0;
    const double norm = sqrt(square);
    for (int64_t i = 0; i < n * n; i++) a[i] /= norm;
    log_radius += share * log(norm);
    rnl_gemm(true, false, false, n, n, n, a, n, a, n, 0, work, n);
    memcpy(a, work, (size_t)(n * n) * sizeof *a);
  }
  return exp(log_radius);
}

static rnl_status squared(int64_t n, const double *matrix, int64_t ld, double *radius, rnl_error *err) {
  double *a = rnl_alloc_doubles(2 * n, n);
  if (!a) return no_memory(n, err);
  for (int64_t i = 0; i < n; i++) memcpy(a + i * n, matrix + i * ld, (size_t)n * sizeof *a);
  *radius = by_squaring(n, a, a + n * n);
  rnl_free(a);
  return RNL_OK;
}

/* ---- what lies on a cycle ------------------------------------------------------------------- */

/* Mark in `dropped` the vertices with no edge from, or none to, one that is left. edges: [2][n], their numbers, zero
 * before, as `dropped`; queue: [n]. Returns how many are left. */
static int64_t drop_ends(int64_t n, const double *a, bool *dropped, int64_t *edges, int64_t *queue) {
  int64_t *in = edges, *out = edges + n, queued = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++)
      if (a[i * n + j] != 0) out[i]++, in[j]++;
  for (int64_t i = 0; i < n; i++)
    if (in[i] == 0 || out[i] == 0) dropped[i] = true, queue[queued++] = i;
  for (int64_t k = 0; k < queued; k++) {
    const int64_t gone = queue[k];
    for (int64_t i = 0; i < n; i++) {
      if (dropped[i]) continue;
      if (a[gone * n + i] != 0) in[i]--;
      if (a[i * n + gone] != 0) out[i]--;
      if (in[i] == 0 || out[i] == 0) dropped[i] = true, queue[queued++] = i;
    }
  }
  return n - queued;
}

/* *left [*m][*m]: the rows and columns of what is left. NULL where that is nothing. */
static rnl_status take_cycles(int64_t n, const double *a, double **left, int64_t *m, rnl_error *err) {
  bool *dropped = rnl_alloc((size_t)n, sizeof *dropped);
  int64_t *space = rnl_alloc((size_t)(3 * n), sizeof *space);
  *left = NULL;
  *m = dropped && space ? drop_ends(n, a, dropped, space, space + 2 * n) : 0;
  if (*m) *left = rnl_alloc_doubles(*m, *m);
  const bool failed = !dropped || !space || (*m && !*left);
  double *into = *left;
  for (int64_t i = 0; !failed && i < n && *m; i++)
    for (int64_t j = 0; j < n && !dropped[i]; j++)
      if (!dropped[j]) *into++ = a[i * n + j];
  rnl_free(dropped);
  rnl_free(space);
  return failed ? no_memory(n, err) : RNL_OK;
}

/* ---- Arnoldi's method ----------------------------------------------------------------------- */

typedef struct arnoldi {
  int64_t n, room;   /* rows of A; vectors there is room for */
  const double *a;   /* [n][n] */
  double *packed;    /* A where it is sparse, else NULL */
  double *basis;     /* [room + 1][n], orthonormal */
  double *h;         /* [room][room + 1]: v_j A = sum_i h[j][i] v_i, i <= j + 1 */
  double *share;     /* [room + 1] */
} arnoldi;

static void arnoldi_free(arnoldi *s) {
  rnl_free(s->packed);
  rnl_free(s->basis);
  rnl_free(s->h);
  rnl_free(s->share);
}

static rnl_status make_room(arnoldi *s, int64_t room, rnl_error *err) {
  double *h = rnl_alloc_doubles(room, room + 1), *share = rnl_alloc_doubles(room + 1, 1);
  const size_t row = (size_t)s->n * sizeof(double);
  double *basis = rnl_realloc(s->basis, (size_t)s->room + 1, (size_t)room + 1, row); /* of NULL at first */
  if (basis) s->basis = basis;
  if (!h || !share || !basis) {
    rnl_free(h);
    rnl_free(share);
    return no_memory(s->n, err);
  }
  for (int64_t j = 0; j < s->room; j++)
    memcpy(h + j * (room + 1), s->h + j * (s->room + 1), (size_t)(s->room + 1) * sizeof *h);
  rnl_free(s->h);
  rnl_free(s->share);
  s->h = h, s->share = share, s->room = room;
  return RNL_OK;
}

static double norm_of(const arnoldi *s, const double *v) {
  return sqrt(rnl_kernels_of(true)->sum_squares(s->n, v));
}

/* The j-th row of h and the vector after the j-th. False where that is none: the basis spans all that v does. */
static bool extend(arnoldi *s, int64_t j) {
  const int64_t n = s->n;
  double *h = s->h + j * (s->room + 1), *next = s->basis + (j + 1) * n;
  const double *from = s->basis + j * n;
  if (s->packed) rnl_sparse_gemm(true, 1, n, n, from, n, s->packed, false, NULL, next, n);
  else rnl_gemm(true, false, false, 1, n, n, from, n, s->a, n, 0, next, n);
  const double before = norm_of(s, next);
  for (int pass = 0; pass < 2; pass++) { /* twice is enough (Kahan, Parlett) */
    rnl_gemm(true, false, false, j + 1, 1, n, s->basis, n, next, 1, 0, s->share, 1);
    for (int64_t i = 0; i <= j; i++) {
      h[i] += s->share[i];
      s->share[i] = -s->share[i];
    }
    rnl_gemm(true, false, false, 1, n, j + 1, s->share, j + 1, s->basis, n, 1, next, n);
  }
  const double norm = norm_of(s, next);
  if (!(norm > 1e-13 * before)) return false;
  h[j + 1] = norm;
  for (int64_t i = 0; i < n; i++) next[i] /= norm;
  return true;
}

static rnl_status begin(arnoldi *s, rnl_error *err) {
  const int64_t n = s->n;
  RNL_TRY(make_room(s, 64 < n ? 64 : n, err));
  if (rnl_sparse_pays(true, false, n, n, s->a, n)) {
    s->packed = rnl_alloc_doubles(rnl_packed_size(true, n, n), 1);
    if (!s->packed) return no_memory(n, err);
    rnl_sparse_pack(true, false, n, n, s->a, n, s->packed);
  }
  rnl_rng rng;
  rnl_rng_init(&rng, 0, RNL_RNG_INIT, UINT32_MAX); /* any numbers do, the same each time, but those of the matrix */
  for (int64_t i = 0; i < n; i++) s->basis[i] = rnl_rng_normal(&rng);
  const double norm = norm_of(s, s->basis);
  for (int64_t i = 0; i < n; i++) s->basis[i] /= norm;
  return RNL_OK;
}

static rnl_status by_arnoldi(arnoldi *s, double *radius, rnl_error *err) {
  double before = -1;
  RNL_TRY(begin(s, err));
  for (int64_t m = 0;;) {
    bool more = true;
    while (more && m < s->room) more = extend(s, m++) && m < s->n;
    RNL_TRY(squared(m, s->h, s->room + 1, radius, err)); /* of H', whose eigenvalues are H's */
    if (!more || !(fabs(*radius - before) > 1e-9 * *radius)) return RNL_OK;
    before = *radius;
    const int64_t room = s->room + s->room / 4;
    RNL_TRY(make_room(s, room < s->n ? room : s->n, err));
  }
}

rnl_status rnl_spectral_radius(int64_t n, const double *matrix, double *radius, rnl_error *err) {
  if (n <= RNL_SPECTRAL_SMALL) return squared(n, matrix, n, radius, err);
  arnoldi s = {0};
  double *left;
  *radius = isfinite(rnl_kernels_of(true)->sum(n * n, matrix)) ? 0 : (double)NAN;
  if (isnan(*radius)) return RNL_OK;
  RNL_TRY(take_cycles(n, matrix, &left, &s.n, err));
  s.a = left;
  rnl_status status = RNL_OK;
  if (s.n > RNL_SPECTRAL_SMALL) status = by_arnoldi(&s, radius, err);
  else if (s.n > 0) status = squared(s.n, left, s.n, radius, err);
  arnoldi_free(&s);
  rnl_free(left);
  return status;
}
