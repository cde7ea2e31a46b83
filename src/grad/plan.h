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
 * everything between it and its parameters (leaves with requires_grad) are made here. After a backward pass those of
 * the parameters and `outputs` hold what they should; buffers of values on the way serve one after the other. */
rnl_status rnl_plan_new(rnl_plan **out, rnl_var *const *outputs, int n_outputs, rnl_var *loss,
                        rnl_error *err);
void rnl_plan_free(rnl_plan *plan);

rnl_status rnl_plan_forward(rnl_plan *plan, rnl_error *err);
/* The owner has changed the values of leaves that hold data. From the first call on the plan takes it that they are
 * changed only then, and its ops may keep what they made of them. */
void rnl_plan_changed(rnl_plan *plan);
/* d loss / d parameter into each parameter's gradient, which is overwritten, not added to. It uses up what the forward
 * pass left: a second one goes forward first. */
rnl_status rnl_plan_backward(rnl_plan *plan, rnl_error *err);
/* A share of a larger step: the gradients times `share`, added to those of the parameters where `add`. */
rnl_status rnl_plan_backward_share(rnl_plan *plan, double share, bool add, rnl_error *err);
/* Two plans side by side, of two models of one architecture. gain: they are the same ops in the same order, and some
 * op takes both at once in less time; two that are asked again answer at once. The passes, of two that gain, give what
 * one after the other gives; a plan whose status is not RNL_OK is left alone, from the op on that failed. */
bool rnl_plans_gain(rnl_plan *const plan[2]);
void rnl_plans_forward(rnl_plan *const plan[2], rnl_status status[2], rnl_error err[2]);
void rnl_plans_backward(rnl_plan *const plan[2], rnl_status status[2], rnl_error err[2]);
/* Forward mode along a direction: n leaves and their tangents; *loss_tangent = d loss / d direction.
 * Allocates; for checks and Jacobians. */
rnl_status rnl_plan_jvp(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *tangents,
                        double *loss_tangent, rnl_error *err);
/* The same for any outputs of the plan, as computed: output_tangents[0 .. n_outputs - 1], empty before, are new
 * tensors. On failure some may hold one already. */
rnl_status rnl_plan_tangents(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *tangents, int n_outputs,
                             rnl_var *const *outputs, rnl_tensor *output_tangents, rnl_error *err);

/* All its nodes in an order in which they can run; borrowed. For passes of other files (jacobian.h). */
rnl_node *const *rnl_plan_nodes(const rnl_plan *plan, int *n);

/* The layout that all users of a (batch, time, feature) leaf want; RNL_LAYOUT_STRIDED where they
 * differ or do not care. A leaf laid out so costs no repacking at a replay. */
rnl_layout rnl_plan_wanted_layout(const rnl_plan *plan, const rnl_var *leaf);
/* How many threads its ops may use (rnl_threads_wanted); 1 until set. */
void rnl_plan_set_threads(rnl_plan *plan, int threads);
/* Bytes of all values, gradients and work buffers the plan holds; of several plans, what they share counted once. */
size_t rnl_plan_bytes(const rnl_plan *plan);
size_t rnl_plans_bytes(const rnl_plan *const *plans, int n);

/* One backward pass from `loss` as computed (REPL, tests): makes a plan, runs it once, frees it. The
 * gradients stay in the parameters. ERR_SHAPE where loss is no scalar; ERR_ARG where nothing in it
 * requires a gradient. */
rnl_status rnl_backward(rnl_var *loss, rnl_error *err);

#endif
