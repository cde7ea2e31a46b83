/* grad/jacobian.h owns Jacobians in forward mode: how every element of a variable moves with every element of some
 * parameters, many directions at a time, with the ops' products jvp_many (or jvp, one direction after the other). */
#ifndef RNL_GRAD_JACOBIAN_H
#define RNL_GRAD_JACOBIAN_H

#include "grad/plan.h"

typedef struct rnl_jacobian rnl_jacobian;

/* Directions are the elements of the parameters, one parameter behind the other, row-major; `lanes`, a multiple of
 * RNL_KERNEL_LANES, are computed at once. Everything is allocated here but what ops allocate for themselves. ERR_ARG
 * where an op on the way has no forward-mode product. The plan must outlive it. */
rnl_status rnl_jacobian_new(rnl_jacobian **out, const rnl_plan *plan, int n, rnl_var *const *parameters,
                            rnl_var *wanted, int64_t lanes, rnl_error *err);
void rnl_jacobian_free(rnl_jacobian *jacobian);

/* After a forward pass of the plan: rows [elements of wanted, row-major][lanes] = d wanted / d direction
 * first .. first + lanes - 1; zero past the last direction. */
rnl_status rnl_jacobian_block(rnl_jacobian *jacobian, int64_t first, double *rows, rnl_error *err);

int64_t rnl_jacobian_directions(const rnl_jacobian *jacobian); /* elements of all parameters */
size_t rnl_jacobian_bytes(const rnl_jacobian *jacobian);

#endif
