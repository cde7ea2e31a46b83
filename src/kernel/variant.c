/* kernel/variant.c is compiled once an ISA and dtype (see CMakeLists.txt): RNL_VARIANT names the table,
 * RNL_REAL_IS_DOUBLE chooses the dtype, compiler flags the ISA. Everything but the table is static. */
#include "kernel/kernel.h"
#include "kernel/lane_program.h"
#include "kernel/row_loss.h"
#include "kernel/row_op.h"

#include "kernel/simd.h"
#include "kernel/vmath.h"

#include "kernel/elementwise.inc"
#include "kernel/lanes.inc"
#include "kernel/recurrent.inc"
#include "kernel/tangent.inc"
#include "kernel/pair.inc"
#include "kernel/row_loss.inc"
#include "kernel/program_elementwise.inc"
#include "kernel/program.inc"
#include "kernel/rows.inc"
#include "kernel/packed.inc"
#include "kernel/sparse.inc"

/* C = start + op(A) op(B), B as it is, packed or sparse. */
static void product(const rnl_product *t) {
  if (t->m <= 0 || t->n <= 0) return;
  if (t->sparse) product_sparse(t);
  else product_dense(t);
}

extern const rnl_kernels RNL_VARIANT;
const rnl_kernels RNL_VARIANT = {
    .isa = RNL_VARIANT_ISA,
    .f64 = sizeof(real) == sizeof(double),
    .unary = unary,
    .unary_backward = unary_backward,
    .binary = binary,
    .axpy = axpy,
    .sum = sum,
    .sum_squares = sum_squares,
    .sum_rows = sum_rows,
    .row_loss = row_loss,
    .lanes = {
        .row_loss = row_loss,
        .lane_squared_error = lane_squared_error,
        .lane_squared_error_backward = lane_squared_error_backward,
        .lane_layer_forward = lane_layer_forward,
        .lane_layer_backward = lane_layer_backward,
        .lane_affine = lane_affine,
        .lane_affine_backward = lane_affine_backward,
        .lane_outer = lane_outer,
        .lane_outer_steps = lane_outer_steps,
        .lane_reduce = lane_reduce,
        .lane_clear = lane_clear,
        .lane_bind = lane_bind,
        .lane_program = lane_program,
        .lane_pack = lane_pack,
    },
#if defined(__AVX512F__) && !defined(RNL_REAL_IS_DOUBLE)
    .lane_pair_forward = lane_pair_forward,
    .lane_pair_backward = lane_pair_backward,
    .lane_pair_error = lane_pair_error,
    .lane_pair_error_backward = lane_pair_error_backward,
#endif
    .row_op = row_op,
    .tangent_affine = tangent_affine,
    .tangent_sum = tangent_sum,
    .packed_width = PANEL,
    .pack = pack,
    .product = product,
    .sparse_pays = sparse_pays,
    .sparse_pack = sparse_pack,
    .adam = adam,
};
