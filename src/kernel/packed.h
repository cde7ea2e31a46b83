/* kernel/packed.h owns matrix products whose right factor is packed once and used many times: a recurrent
 * layer's weights, in the products of all time steps.
 *
 *   forward    gates[b][4H] (+)= h[b][H] · W_hh[H][4H]           rnl_pack(trans false), k = H, n = 4H
 *   backward   dh[b][H] (+)= dgates[b][4H] · W_hh'               rnl_pack(trans true, ldb 4H), k = 4H, n = H
 *   inputs     gates[t*b][4H] = x[t*b][I] · W_ih + bias          rnl_packed_gemm with a bias, k = I
 *   gradients  dW[H][4H] (+)= h[t*b][H]' · dgates[t*b][4H]       rnl_gemm(trans_a true), no packed factor
 *
 * The contract of bits, of these and of rnl_gemm: each element of C is one chain
 *   c = start;  for p = 0 .. k-1 in this order: c = fma(a[i][p], b[p][j], c)
 * whose start is 0, the bias or the C that was there (generic ISA: a product and a sum, each rounded). It
 * depends on nothing else: not on m, n, the leading dimensions, packed or not, slices or threads, and AVX2 and
 * AVX-512 agree. So a row of a batch alone, a batch split over threads and a product split along k into
 * consecutive calls (the later ones adding) all give the same bits.
 *
 * Nothing here fails or checks. Sizes are in elements; 0 is allowed for m, n and k. C must not overlap A, B
 * or the bias. Any thread may call; each has scratch memory of its own for blocks (gemm.h). */
#ifndef RNL_KERNEL_PACKED_H
#define RNL_KERNEL_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of a panel: packed matrices begin new panels at its multiples. */
int64_t rnl_packed_width(bool f64);

/* Elements (of float or double) a packed [k][n] takes: n rounded up to the panel width, times k. */
int64_t rnl_packed_size(bool f64, int64_t k, int64_t n);

/* Pack op(B) [k][n] for rnl_packed_gemm: B is [k][n], or [n][k] where `trans`, with ldb >= its row length.
 * `packed` has rnl_packed_size elements and begins at a multiple of 64 bytes. */
void rnl_pack(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed);

/* The packed columns from `column` (a multiple of the panel width) on: itself a packed [k][n - column]. */
const void *rnl_packed_columns(bool f64, const void *packed, int64_t k, int64_t column);

/* C[m][n] = start + A[m][k] · B, where B was packed with this k and n (or more columns: the first n count).
 * The start is C itself where `add`; else bias[n], broadcast over the rows; else, bias being NULL, 0, and
 * then C is not read. */
void rnl_packed_gemm(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                     const void *packed, bool add, const void *bias, void *c, int64_t ldc);

/* The same, and while it computes it asks for memory that is wanted afterwards, as much as it has time for: where the
 * rows are enough that its own fetches leave some, or the packed factor is small. */
struct rnl_fetch; /* kernel.h */
void rnl_packed_gemm_fetch(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                           const void *packed, bool add, const void *bias, void *c, int64_t ldc,
                           const struct rnl_fetch *fetch);

/* Part `index` of `count` of the same product: every index takes rows or columns of C of its own, no
 * waiting between them. The rule depends on sizes alone. To be called from all indices of an rnl_threads_run;
 * an executor that has itself split the batch rows calls rnl_packed_gemm on its rows instead. */
void rnl_packed_gemm_part(bool f64, int index, int count, int64_t m, int64_t n, int64_t k, const void *a,
                          int64_t lda, const void *packed, bool add, const void *bias, void *c,
                          int64_t ldc);

/* A factor that is mostly zeros, the recurrent weights of a reservoir say, in a form of its own: is a product with it
 * faster? By its values alone, of which one in 24 at most must not be 0; found out in a pass over them, in part of
 * one where they are not. */
bool rnl_sparse_pays(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb);

/* Where it pays: as rnl_pack, into memory of the same size, and as rnl_packed_gemm with what was packed so. Same bits,
 * but for infinite and NaN elements of A, which a zero of B does not make NaN here, and for -0, which may stay -0. */
void rnl_sparse_pack(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed);
void rnl_sparse_gemm(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *packed,
                     bool add, const void *bias, void *c, int64_t ldc);
/* Part `index` of `count`: rows of its own. */
void rnl_sparse_gemm_part(bool f64, int index, int count, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                          const void *packed, bool add, const void *bias, void *c, int64_t ldc);

/* Part `index` of `count` of rnl_pack: whole panels each. */
void rnl_pack_part(bool f64, int index, int count, bool trans, int64_t k, int64_t n, const void *b,
                   int64_t ldb, void *packed);

#endif
