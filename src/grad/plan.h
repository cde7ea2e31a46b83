/* grad/plan.h owns the replay of a tape: all nodes reachable from some variables, in order, with
 * every gradient buffer made before the first pass, so that a pass allocates nothing.
 *
 *     rnl_record_begin(); ... build `loss` from leaves and parameters ...; rnl_record_end();
 *     rnl_plan_new(&plan, &loss, 1, loss, err);
 *     loop: change the leaves' values in place; rnl_plan_forward(plan, err);
 *           rnl_plan_backward(plan, err); read the parameters' gradients
 */
#ifndef RNL_GRAD_PLAN_H
#define RNL_GRAD_PLAN_H

#include "grad/op.h"

typedef struct rnl_plan rnl_plan;

/* A plan of what `outputs` need. `loss` (NULL: forward only) must be a scalar; the gradient buffers of
 * everything between it and its parameters (leaves with requires_grad) are made here. */
rnl_status rnl_plan_new(rnl_plan **out, rnl_var *const *outputs, int n_outputs, rnl_var *loss,
                        rnl_error *err);
void rnl_plan_free(rnl_plan *plan);

rnl_status rnl_plan_forward(rnl_plan *plan, rnl_error *err);
/* d loss / d parameter into each parameter's gradient, which is overwritten, not added to. */
rnl_status rnl_plan_backward(rnl_plan *plan, rnl_error *err);
/* Forward mode along a direction: n leaves and their tangents; *loss_tangent = d loss / d direction.
 * Allocates; for checks and Jacobians. */
rnl_status rnl_plan_jvp(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *tangents,
                        double *loss_tangent, rnl_error *err);

/* The layout that all users of a (batch, time, feature) leaf want; RNL_LAYOUT_STRIDED where they
 * differ or do not care. A leaf laid out so costs no repacking at a replay. */
rnl_layout rnl_plan_wanted_layout(const rnl_plan *plan, const rnl_var *leaf);
/* Bytes of all values, gradients and work buffers the plan holds. */
size_t rnl_plan_bytes(const rnl_plan *plan);

/* One backward pass from `loss` as computed (REPL, tests): makes a plan, runs it once, frees it. The
 * gradients stay in the parameters. ERR_SHAPE where loss is no scalar; ERR_ARG where nothing in it
 * requires a gradient. */
rnl_status rnl_backward(rnl_var *loss, rnl_error *err);

#endif
