/* grad/ops.h owns the list of general ops; the recurrent layers and losses have theirs in rnn/. */
#ifndef RNL_GRAD_OPS_H
#define RNL_GRAD_OPS_H

#include "grad/op.h"
#include "kernel/kernel.h"

/* y = f(x) elementwise; attrs: rnl_unary. The output has x's layout. */
extern const rnl_op rnl_op_unary;
/* y = f(a, b) with broadcasting; attrs: rnl_binary. float32 with float64 is ERR_DTYPE, except that a
 * scalar (ndim 0) takes the other's dtype. */
extern const rnl_op rnl_op_binary;
/* (m, k) x (k, n), or (batch, time, k) x (k, n) */
extern const rnl_op rnl_op_mm;

typedef struct rnl_reduce_attrs {
  int dim;      /* -1: over everything, to a scalar */
  bool keepdim;
  bool mean;    /* divide by the number of elements */
} rnl_reduce_attrs;
extern const rnl_op rnl_op_reduce; /* sum or mean */

typedef enum rnl_view_kind {
  RNL_VIEW_SELECT, /* dim, start */
  RNL_VIEW_SLICE,  /* dim, start, length, step */
  RNL_VIEW_TRANSPOSE, /* dim, dim2 */
  RNL_VIEW_RESHAPE, /* ndim, size; copies where the strides forbid a view */
  RNL_VIEW_EXPAND, /* ndim, size */
  RNL_VIEW_SQUEEZE, RNL_VIEW_UNSQUEEZE /* dim */
} rnl_view_kind;
typedef struct rnl_view_attrs {
  rnl_view_kind kind;
  int dim, dim2, ndim;
  int64_t start, length, step;
  int64_t size[RNL_MAX_DIMS];
} rnl_view_attrs;
extern const rnl_op rnl_op_view; /* shares storage with its input wherever it can */
extern const rnl_op rnl_op_clone; /* a contiguous copy */
/* Join tensors along a dimension; attrs: int dim. 1 to RNL_MAX_IN inputs. */
extern const rnl_op rnl_op_cat;

#endif
