/* kernel/narrow.c: the loops over lanes once more for AVX-512, in registers of 256 bits. So few sequences that they
 * fill one of these leave half of a wide register to padding, which costs as much as sequences: a division of 512 bits
 * takes twice the time. Compiled once a dtype; its bits are the wide table's. What is not about lanes is NULL. */
#include "kernel/kernel.h"
#include "kernel/lane_program.h"
#include "kernel/row_loss.h"

#include "kernel/simd.h"
#include "kernel/vmath.h"

#include "kernel/lanes.inc"
#include "kernel/recurrent.inc"
#include "kernel/row_loss.inc"
#include "kernel/program_elementwise.inc"
#include "kernel/program.inc"

extern const rnl_lane_kernels RNL_VARIANT;
const rnl_lane_kernels RNL_VARIANT = {
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
};
