/* grad/elementwise.h owns elementwise arithmetic on tensors of any strides: what the ops, and the
 * in-place methods of the Lua face, are built on.
 *
 * The kernels run on contiguous runs only. Strided runs are gathered into a small buffer on the stack
 * and scattered back, so that the bits never depend on the strides, and nothing is allocated.
 */
#ifndef RNL_GRAD_ELEMENTWISE_H
#define RNL_GRAD_ELEMENTWISE_H

#include "kernel/kernel.h"
#include "tensor/tensor.h"

enum { RNL_CHUNK = 256 };

typedef union rnl_chunk {
  _Alignas(64) double f64[RNL_CHUNK];
  float f32[RNL_CHUNK];
} rnl_chunk;

/* n <= RNL_CHUNK elements from p, `step` elements apart, as a contiguous run: p itself or the chunk. */
const void *rnl_chunk_load(rnl_chunk *chunk, bool f64, const char *p, int64_t step, int64_t n);
void rnl_chunk_store(const rnl_chunk *chunk, bool f64, char *p, int64_t step, int64_t n);

/* A walk whose order of elements is free: in the order the first tensor lies in memory. */
void rnl_walk_begin_unordered(rnl_walk *w, int count, const rnl_tensor *const *tensors);

/* y = f(x). Same shape and dtype; y may be x. */
void rnl_unary_into(rnl_unary kind, const rnl_tensor *x, const rnl_tensor *y);
/* dx = g * f'(x), or += where add; y = f(x). All of one shape and dtype. */
void rnl_unary_backward_into(rnl_unary kind, const rnl_tensor *x, const rnl_tensor *y,
                             const rnl_tensor *g, const rnl_tensor *dx, bool add);
/* y = f(a, b), where a and b stretch to y's shape (checked by the caller) and have its dtype; y may be
 * a or b, but may overlap neither in another way. */
void rnl_binary_into(rnl_binary kind, const rnl_tensor *a, const rnl_tensor *b, const rnl_tensor *y);
/* y = x or y += x, where x stretches to y's shape and has its dtype. */
void rnl_add_into(const rnl_tensor *y, const rnl_tensor *x, bool add);
/* y = scale * x or y += scale * x, likewise. */
void rnl_scale_into(const rnl_tensor *y, double scale, const rnl_tensor *x, bool add);

/* Sums over stretched dimensions: `sums` is float64 of the shape before stretching. begin zeroes it, add
 * adds g of the stretched shape in row-major order in double precision, end writes (or adds) the
 * result to dst of the shape of sums. */
void rnl_stretched_begin(const rnl_tensor *sums);
void rnl_stretched_add(const rnl_tensor *sums, const rnl_tensor *g);
void rnl_stretched_end(const rnl_tensor *sums, const rnl_tensor *dst, bool add);

#endif
