/* kernel/lapack.h owns the linear algebra that is solved and not multiplied: factors, linear systems, least squares,
 * eigenvalues and singular values of small dense matrices, by the LAPACK inside OpenBLAS, which the first call opens
 * (gemm.h). One thread, float64.
 *
 * Every matrix is row-major and contiguous: a[i][j] is a[i * columns + j]. All functions return
 *   ERR_NOT_FOUND  OpenBLAS, or the routine in it, is missing; the text says what to install
 *   ERR_ARG        a number in the input is not finite, or the computation found no answer (text)
 *   ERR_MEMORY     work memory, or a size that LAPACK's int does not hold
 * and leave their inputs in an unspecified state then. */
#ifndef RNL_KERNEL_LAPACK_H
#define RNL_KERNEL_LAPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Is LAPACK there? For a clear message before long work begins. */
rnl_status rnl_lapack_open(rnl_error *err);

/* Cholesky (dpotrf): a [n][n], of which the lower triangle is read, becomes L with A = L·L' in that triangle; the
 * strict upper one is left as it is. *minor: 0, or the order of the first leading minor that is not positive (also
 * where a number is not finite); a then holds no factor, and the status is RNL_OK all the same. */
rnl_status rnl_cholesky(int64_t n, double *a, int64_t *minor, rnl_error *err);
/* Solve A·X = B by that factor (dpotrs): b [n][k] becomes x. */
rnl_status rnl_cholesky_solve(int64_t n, int64_t k, const double *l, double *b, rnl_error *err);

/* A·X = B for a symmetric positive definite A (dposv), whose lower triangle is read and overwritten: b [n][k] becomes
 * x. ERR_ARG where A is not positive definite. */
rnl_status rnl_solve_positive(int64_t n, int64_t k, double *a, double *b, rnl_error *err);
/* A·X = B for any square A (dgesv): b [n][k] becomes x, a is overwritten. ERR_ARG where A is singular. */
rnl_status rnl_solve(int64_t n, int64_t k, double *a, double *b, rnl_error *err);

/* The x [n][k] of least norm among those that minimise |A·x - b| (dgelsd): a [m][n], overwritten, of any rank;
 * b [m][k]. Singular values below rcond times the largest count as zero (rcond < 0: machine precision). *rank may be
 * NULL. */
rnl_status rnl_least_squares(int64_t m, int64_t n, int64_t k, double *a, const double *b, double *x, double rcond,
                             int64_t *rank, rnl_error *err);

/* Eigenvalues of a symmetric a [n][n] (dsyevd), its lower triangle read: w [n] ascending. With `vectors`, row i of a
 * becomes the unit eigenvector of w[i]; else a is overwritten. */
rnl_status rnl_eigen_symmetric(int64_t n, double *a, double *w, bool vectors, rnl_error *err);
/* Eigenvalues of any square a [n][n], overwritten (dgeev): re [n] and im [n], in LAPACK's order, a complex pair side by
 * side with the positive imaginary part first. v [n][n] or NULL: row j is the unit right eigenvector of a real
 * eigenvalue j; of a pair j, j + 1 row j is the real part and row j + 1 the imaginary part of the vector of the first,
 * the conjugate of which is the vector of the second. */
rnl_status rnl_eigen(int64_t n, double *a, double *re, double *im, double *v, rnl_error *err);

/* Thin singular value decomposition A = U·diag(s)·V' (dgesvd), k = min(m, n): a [m][n], overwritten; s [k] descending;
 * u [m][k] and vt [k][n], both NULL where only s is wanted. */
rnl_status rnl_svd(int64_t m, int64_t n, double *a, double *s, double *u, double *vt, rnl_error *err);

#endif
