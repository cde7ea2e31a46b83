/* kernel/gemm.h owns plain matrix products. They all run in our own kernels (packed.inc), so that their bits
 * depend neither on an OpenBLAS nor on threads: each element of C is one chain of fused multiply-adds in the
 * order of k, as packed.h says. OpenBLAS is what the benchmark compares them with, and it brings LAPACK
 * (lapack.h): opened by dlopen at the first call that wants it, with OPENBLAS_CORETYPE set from cpuid beforehand
 * (Debian's build takes its slowest core on some CPUs). */
#ifndef RNL_KERNEL_GEMM_H
#define RNL_KERNEL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* C[m][n] = A·B + beta·C, row-major, leading dimensions in elements; A is [m][k], or [k][m] read
 * transposed where trans_a; B likewise. beta is 0 or 1; with 0, C is not read. */
void rnl_gemm(bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void *a,
              int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* Part `index` of `count` of the same product, as rnl_packed_gemm_part (packed.h). */
void rnl_gemm_part(int index, int count, bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                   const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* The same product on `threads` threads (threads.h): all parts at once. With beta 0 every row begins from bias[n]
 * (NULL: from 0). */
void rnl_gemm_threads(int threads, bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                      const void *a, int64_t lda, const void *b, int64_t ldb, double beta, const void *bias, void *c,
                      int64_t ldc);

/* sums[n] (+)= the sum of the rows of x[rows][n], leading dimension ldx, on `threads` threads; in a fixed order. */
void rnl_sum_rows(int threads, bool f64, int64_t rows, int64_t n, const void *x, int64_t ldx, void *sums, bool add);

/* OpenBLAS's own product, with the arguments of rnl_gemm: what ours is compared with, nothing else uses it. False,
 * C untouched, where OpenBLAS is missing or a size does not fit its int. */
bool rnl_blas_gemm(bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void *a,
                   int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc);

/* How many threads OpenBLAS takes (1 at first). False where it is missing. Its threads spin for some 30 ms after each
 * call: on a machine without idle cores wait that long before timing anything else. */
bool rnl_blas_threads(int threads);

typedef struct rnl_blas_info {
  bool opened;              /* libopenblas was found and opened */
  const char *core;         /* what OpenBLAS says it runs on, e.g. "SkylakeX"; "" if not opened */
  const char *asked;        /* the core asked for from cpuid or set by the user; "" if none */
  const char *config;       /* openblas_get_config(), "" if not opened */
  const char *problem;      /* why it could not be opened, or "" */
} rnl_blas_info;

/* A function of OpenBLAS's library by its name ("dpotrf_"), opening it first; NULL where OpenBLAS or the name is
 * missing, which rnl_gemm_blas tells apart. For lapack.c. */
typedef void (*rnl_blas_function)(void);
rnl_blas_function rnl_blas_symbol(const char *name);

/* Whether OpenBLAS is open; with `open` true it is opened first (rnnlab doctor). */
rnl_blas_info rnl_gemm_blas(bool open);

#endif
