/* kernel/variant.c is compiled once an ISA and dtype (see CMakeLists.txt): RNL_VARIANT names the table,
 * RNL_REAL_IS_DOUBLE chooses the dtype, compiler flags the ISA. Everything but the table is static. */
#include "kernel/kernel.h"

#include "kernel/simd.h"
#include "kernel/vmath.h"

#include "kernel/elementwise.inc"
#include "kernel/lanes.inc"
#include "kernel/recurrent.inc"
#include "kernel/products.inc"

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
    .lane_squared_error = lane_squared_error,
    .lane_squared_error_backward = lane_squared_error_backward,
    .lane_layer_forward = lane_layer_forward,
    .lane_layer_backward = lane_layer_backward,
    .lane_affine = lane_affine,
    .lane_affine_backward = lane_affine_backward,
    .lane_outer = lane_outer,
    .lane_reduce = lane_reduce,
    .gemm = gemm,
    .adam = adam,
};
