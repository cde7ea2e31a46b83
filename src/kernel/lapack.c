/* kernel/lapack.c: LAPACK's Fortran interface. What it calls A is, column by column, our row-major A', so that
 * symmetric matrices need no transposing ("our lower triangle" is its 'U'), and the rest is said where it happens. */
#include "kernel/lapack.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernel/gemm.h"

/* Arguments by address; a length for each text argument at the end, as gfortran passes them. */
typedef void potrf_function(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
typedef void potrs_function(const char *uplo, const int *n, const int *k, const double *a, const int *lda, double *b,
                            const int *ldb, int *info, size_t);
typedef void posv_function(const char *uplo, const int *n, const int *k, double *a, const int *lda, double *b,
                           const int *ldb, int *info, size_t);
typedef void gesv_function(const int *n, const int *k, double *a, const int *lda, int *pivots, double *b,
                           const int *ldb, int *info);
typedef void gelsd_function(const int *m, const int *n, const int *k, double *a, const int *lda, double *b,
                            const int *ldb, double *s, const double *rcond, int *rank, double *work, const int *lwork,
                            int *iwork, int *info);
typedef void syevd_function(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
                            double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
typedef void geev_function(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda, double *wr,
                           double *wi, double *vl, const int *ldvl, double *vr, const int *ldvr, double *work,
                           const int *lwork, int *info, size_t, size_t);
typedef void gesvd_function(const char *jobu, const char *jobvt, const int *m, const int *n, double *a, const int *lda,
                            double *s, double *u, const int *ldu, double *vt, const int *ldvt, double *work,
                            const int *lwork, int *info, size_t, size_t);

/* ---- common --------------------------------------------------------------------------------- */

static rnl_status routine(const char *name, rnl_blas_function *out, rnl_error *err) {
  *out = rnl_blas_symbol(name);
  if (*out) return RNL_OK;
  const rnl_blas_info blas = rnl_gemm_blas(false);
  if (!blas.opened)
    return rnl_fail(err, RNL_ERR_NOT_FOUND,
                    "this needs LAPACK from OpenBLAS, which cannot be opened (%s); install it (Debian: libopenblas0)",
                    blas.problem[0] ? blas.problem : "not found");
  return rnl_fail(err, RNL_ERR_NOT_FOUND, "the OpenBLAS installed here was built without LAPACK (no %s)", name);
}
#define ROUTINE(type, variable, name)                 \
  rnl_blas_function variable##_found;                 \
  RNL_TRY(routine(name, &variable##_found, err));     \
  type *variable = (type *)variable##_found

rnl_status rnl_lapack_open(rnl_error *err) {
  rnl_blas_function found;
  return routine("dpotrf_", &found, err);
}

/* Sizes of at least 1 that LAPACK's int holds, and so do their products with a work factor. */
static rnl_status check_size(const char *what, int64_t m, int64_t n, rnl_error *err) {
  int64_t product;
  if (m < 1 || n < 1)
    return rnl_fail(err, RNL_ERR_ARG, "%s: a %lld x %lld matrix; it must be at least 1 x 1", what, (long long)m,
                    (long long)n);
  if (m > INT32_MAX / 8 || n > INT32_MAX / 8 || !rnl_mul_i64(m, n, &product) || product > INT32_MAX)
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: a %lld x %lld matrix is larger than LAPACK takes", what, (long long)m,
                    (long long)n);
  return RNL_OK;
}

/* LAPACK may loop without end on a NaN. */
static rnl_status check_finite(const char *what, int64_t m, int64_t n, const double *a, bool lower, rnl_error *err) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < (lower ? i + 1 : n); j++)
      if (!isfinite(a[i * n + j]))
        return rnl_fail(err, RNL_ERR_ARG, "%s: element (%lld, %lld) is %g; expected finite numbers", what,
                        (long long)i + 1, (long long)j + 1, a[i * n + j]);
  return RNL_OK;
}

static rnl_status no_memory(const char *what, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* out [n][m] = a' , a [m][n] */
static void transpose(int64_t m, int64_t n, const double *a, double *out) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) out[j * m + i] = a[i * n + j];
}

/* The transposed copy of a [m][n], or NULL. */
static double *transposed(int64_t m, int64_t n, const double *a) {
  double *out = rnl_alloc((size_t)m * (size_t)n, sizeof *out);
  if (out) transpose(m, n, a, out);
  return out;
}

/* ---- positive definite ---------------------------------------------------------------------- */

rnl_status rnl_cholesky(int64_t n, double *a, int64_t *minor, rnl_error *err) {
  ROUTINE(potrf_function, potrf, "dpotrf_");
  RNL_TRY(check_size("cholesky", n, n, err));
  const int size = (int)n;
  int info = 0;
  potrf("U", &size, a, &size, &info, 1);
  *minor = info > 0 ? info : 0;
  for (int64_t i = 0; i < n && *minor == 0; i++) /* a NaN need not have been noticed */
    if (!(a[i * n + i] > 0) || isinf(a[i * n + i])) *minor = i + 1;
  return RNL_OK;
}

rnl_status rnl_cholesky_solve(int64_t n, int64_t k, const double *l, double *b, rnl_error *err) {
  ROUTINE(potrs_function, potrs, "dpotrs_");
  RNL_TRY(check_size("cholesky_solve", n, n, err));
  RNL_TRY(check_size("cholesky_solve", n, k, err));
  const int size = (int)n, columns = (int)k;
  int info = 0;
  double *right = k == 1 ? b : transposed(n, k, b);
  if (!right) return no_memory("cholesky_solve", err);
  potrs("U", &size, &columns, l, &size, right, &size, &info, 1);
  if (right != b) {
    transpose(k, n, right, b);
    rnl_free(right);
  }
  return RNL_OK;
}

rnl_status rnl_solve_positive(int64_t n, int64_t k, double *a, double *b, rnl_error *err) {
  ROUTINE(posv_function, posv, "dposv_");
  RNL_TRY(check_size("solve", n, n, err));
  RNL_TRY(check_size("solve", n, k, err));
  RNL_TRY(check_finite("solve", n, n, a, true, err));
  RNL_TRY(check_finite("solve: the right side", n, k, b, false, err));
  const int size = (int)n, columns = (int)k;
  int info = 0;
  double *right = k == 1 ? b : transposed(n, k, b);
  if (!right) return no_memory("solve", err);
  posv("U", &size, &columns, a, &size, right, &size, &info, 1);
  if (right != b) {
    transpose(k, n, right, b);
    rnl_free(right);
  }
  if (info > 0)
    return rnl_fail(err, RNL_ERR_ARG, "solve: the %d x %d matrix is not positive definite (leading minor %d)", size,
                    size, info);
  return RNL_OK;
}

/* ---- general systems ------------------------------------------------------------------------ */

rnl_status rnl_solve(int64_t n, int64_t k, double *a, double *b, rnl_error *err) {
  ROUTINE(gesv_function, gesv, "dgesv_");
  RNL_TRY(check_size("solve", n, n, err));
  RNL_TRY(check_size("solve", n, k, err));
  RNL_TRY(check_finite("solve", n, n, a, false, err));
  RNL_TRY(check_finite("solve: the right side", n, k, b, false, err));
  const int size = (int)n, columns = (int)k;
  int info = 0;
  int *pivots = rnl_alloc((size_t)n, sizeof *pivots);
  double *left = transposed(n, n, a), *right = k == 1 ? b : transposed(n, k, b);
  rnl_status status = pivots && left && right ? RNL_OK : no_memory("solve", err);
  if (status == RNL_OK) {
    gesv(&size, &columns, left, &size, pivots, right, &size, &info);
    if (info > 0)
      status = rnl_fail(err, RNL_ERR_ARG, "solve: the %d x %d matrix is singular (pivot %d is 0)", size, size, info);
    if (right != b) transpose(k, n, right, b);
  }
  if (right != b) rnl_free(right);
  rnl_free(left);
  rnl_free(pivots);
  return status;
}

rnl_status rnl_least_squares(int64_t m, int64_t n, int64_t k, double *a, const double *b, double *x, double rcond,
                             int64_t *rank, rnl_error *err) {
  ROUTINE(gelsd_function, gelsd, "dgelsd_");
  const int64_t most = m > n ? m : n, least = m < n ? m : n;
  RNL_TRY(check_size("least squares", m, n, err));
  RNL_TRY(check_size("least squares", most, k, err));
  RNL_TRY(check_finite("least squares", m, n, a, false, err));
  RNL_TRY(check_finite("least squares: the right side", m, k, b, false, err));
  const int rows = (int)m, columns = (int)n, rights = (int)k, ldb = (int)most, query = -1;
  int info = 0, found = 0, iwanted = 1;
  double wanted = 0, *left = transposed(m, n, a);
  double *right = rnl_alloc((size_t)most * (size_t)k, sizeof *right), *s = rnl_alloc((size_t)least, sizeof *s);
  double *work = NULL;
  int *iwork = NULL;
  rnl_status status = left && right && s ? RNL_OK : no_memory("least squares", err);
  if (status == RNL_OK) {
    for (int64_t c = 0; c < k; c++)
      for (int64_t i = 0; i < m; i++) right[c * most + i] = b[i * k + c];
    gelsd(&rows, &columns, &rights, left, &rows, right, &ldb, s, &rcond, &found, &wanted, &query, &iwanted, &info);
    work = rnl_alloc((size_t)wanted, sizeof *work);
    iwork = rnl_alloc((size_t)(iwanted > 0 ? iwanted : 1), sizeof *iwork);
    if (!work || !iwork) status = no_memory("least squares", err);
  }
  if (status == RNL_OK) {
    const int lwork = (int)wanted;
    gelsd(&rows, &columns, &rights, left, &rows, right, &ldb, s, &rcond, &found, work, &lwork, iwork, &info);
    if (info > 0) status = rnl_fail(err, RNL_ERR_ARG, "least squares: the singular values did not converge");
    for (int64_t c = 0; c < k; c++)
      for (int64_t j = 0; j < n; j++) x[j * k + c] = right[c * most + j];
    if (rank) *rank = found;
  }
  rnl_free(iwork);
  rnl_free(work);
  rnl_free(s);
  rnl_free(right);
  rnl_free(left);
  return status;
}

/* ---- spectra -------------------------------------------------------------------------------- */

rnl_status rnl_eigen_symmetric(int64_t n, double *a, double *w, bool vectors, rnl_error *err) {
  ROUTINE(syevd_function, syevd, "dsyevd_");
  RNL_TRY(check_size("eigenvalues", n, n, err));
  RNL_TRY(check_finite("eigenvalues", n, n, a, true, err));
  const char *job = vectors ? "V" : "N";
  const int size = (int)n, query = -1;
  int info = 0, iwanted = 1;
  double wanted = 0;
  syevd(job, "U", &size, a, &size, w, &wanted, &query, &iwanted, &query, &info, 1, 1);
  double *work = rnl_alloc((size_t)wanted, sizeof *work);
  int *iwork = rnl_alloc((size_t)(iwanted > 0 ? iwanted : 1), sizeof *iwork);
  rnl_status status = work && iwork ? RNL_OK : no_memory("eigenvalues", err);
  if (status == RNL_OK) {
    const int lwork = (int)wanted;
    syevd(job, "U", &size, a, &size, w, work, &lwork, iwork, &iwanted, &info, 1, 1); /* columns there, rows here */
    if (info > 0) status = rnl_fail(err, RNL_ERR_ARG, "eigenvalues: the iteration did not converge");
  }
  rnl_free(iwork);
  rnl_free(work);
  return status;
}

rnl_status rnl_eigen(int64_t n, double *a, double *re, double *im, double *v, rnl_error *err) {
  ROUTINE(geev_function, geev, "dgeev_");
  RNL_TRY(check_size("eigenvalues", n, n, err));
  RNL_TRY(check_finite("eigenvalues", n, n, a, false, err));
  const char *job = v ? "V" : "N";
  const int size = (int)n, query = -1, one = 1;
  int info = 0;
  double wanted = 0, none = 0, *left = transposed(n, n, a), *work = NULL;
  if (!left) return no_memory("eigenvalues", err);
  const int ldv = v ? size : one;
  double *vectors = v ? v : &none;
  geev("N", job, &size, left, &size, re, im, &none, &one, vectors, &ldv, &wanted, &query, &info, 1, 1);
  work = rnl_alloc((size_t)wanted, sizeof *work);
  rnl_status status = work ? RNL_OK : no_memory("eigenvalues", err);
  if (status == RNL_OK) {
    const int lwork = (int)wanted;
    geev("N", job, &size, left, &size, re, im, &none, &one, vectors, &ldv, work, &lwork, &info, 1, 1);
    if (info > 0) status = rnl_fail(err, RNL_ERR_ARG, "eigenvalues: the iteration did not converge");
  }
  rnl_free(work);
  rnl_free(left);
  return status;
}

rnl_status rnl_svd(int64_t m, int64_t n, double *a, double *s, double *u, double *vt, rnl_error *err) {
  ROUTINE(gesvd_function, gesvd, "dgesvd_");
  RNL_TRY(check_size("svd", m, n, err));
  RNL_TRY(check_finite("svd", m, n, a, false, err));
  /* It sees A' = V·diag(s)·U': its U, column by column, is our vt row by row, and its VT our u. */
  const int rows = (int)n, columns = (int)m, k = (int)(m < n ? m : n), query = -1;
  const bool vectors = u && vt;
  const char *job = vectors ? "S" : "N";
  int info = 0;
  double wanted = 0, none = 0;
  double *left = vectors ? vt : &none, *right = vectors ? u : &none;
  gesvd(job, job, &rows, &columns, a, &rows, s, left, &rows, right, &k, &wanted, &query, &info, 1, 1);
  double *work = rnl_alloc((size_t)wanted, sizeof *work);
  if (!work) return no_memory("svd", err);
  const int lwork = (int)wanted;
  gesvd(job, job, &rows, &columns, a, &rows, s, left, &rows, right, &k, work, &lwork, &info, 1, 1);
  rnl_free(work);
  return info > 0 ? rnl_fail(err, RNL_ERR_ARG, "svd: the iteration did not converge") : RNL_OK;
}
