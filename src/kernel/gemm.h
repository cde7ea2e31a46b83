/* kernel/gemm.h owns matrix products. Small ones run here; large ones in OpenBLAS, which is opened
 * by dlopen at the first product that wants it, with OPENBLAS_CORETYPE set from cpuid beforehand
 * (Debian's build takes its slowest core on some CPUs) and one thread. Which of the two is a fixed
 * function of m, n and k, so that the bits do not depend on timing. Without OpenBLAS the own loop
 * serves all sizes. */
#ifndef RNL_KERNEL_GEMM_H
#define RNL_KERNEL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* C[m][n] = A·B + beta·C, row-major, leading dimensions in elements; A is [m][k], or [k][m] read
 * transposed where trans_a; B likewise. beta is 0 or 1; with 0, C is not read. */
void rnl_gemm(bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void *a,
              int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

typedef struct rnl_blas_info {
  bool opened;              /* libopenblas was found and opened */
  const char *core;         /* what OpenBLAS says it runs on, e.g. "SkylakeX"; "" if not opened */
  const char *asked;        /* the core asked for from cpuid or set by the user; "" if none */
  const char *config;       /* openblas_get_config(), "" if not opened */
  const char *problem;      /* why it could not be opened, or "" */
} rnl_blas_info;

/* Whether OpenBLAS is in use so far; with `open` true it is opened first (rnnlab doctor). */
rnl_blas_info rnl_gemm_blas(bool open);

#endif
