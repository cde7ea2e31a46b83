/* grad/plan.c: collecting a tape, placing its gradient buffers, and replaying it. */
#include "grad/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "grad/node.h"
#include "kernel/kernel.h"

struct rnl_plan {
  rnl_var **roots; /* the variables asked for; they keep the nodes alive */
  int n_roots;
  rnl_var *loss;
  rnl_node **nodes; /* by serial number: an order in which they can run */
  int n_nodes, nodes_capacity;
  bool *backward; /* nodes[i] lies between the loss and a parameter */
  int threads;
  bool told, changed; /* the owner says when data change; they have since the last forward pass */
  bool fresh;         /* a forward pass left what a backward pass needs */
  const rnl_plan *partner; /* with which it was asked last whether they gain; each is the other's, or it counts not */
  bool gains, *paired;     /* the answer; nodes[i] goes with the partner's */
};

/* ---- collecting ----------------------------------------------------------------------------- */

/* Append a node to an array that doubles, unless it is there: `next`, not NULL, marks it as seen. */
static bool see(rnl_plan *plan, rnl_node *node) {
  if (!node || node->next) return true;
  if (plan->n_nodes == plan->nodes_capacity) {
    const int grown = plan->nodes_capacity ? 2 * plan->nodes_capacity : 16;
    rnl_node **bigger = rnl_realloc(plan->nodes, (size_t)plan->n_nodes, (size_t)grown, sizeof *bigger);
    if (!bigger) return false;
    plan->nodes = bigger;
    plan->nodes_capacity = grown;
  }
  node->next = node;
  plan->nodes[plan->n_nodes++] = node;
  return true;
}

static int by_serial(const void *a, const void *b) {
  const rnl_node *x = *(rnl_node *const *)a, *y = *(rnl_node *const *)b;
  return (x->serial > y->serial) - (x->serial < y->serial);
}

static int node_position(const rnl_plan *plan, const rnl_node *node) {
  int low = 0, high = plan->n_nodes - 1;
  while (low <= high) {
    int middle = (low + high) / 2;
    if (plan->nodes[middle] == node) return middle;
    if (plan->nodes[middle]->serial < node->serial) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/* All nodes behind the roots, each once; the marks are taken off before leaving. */
static rnl_status collect(rnl_plan *plan, rnl_error *err) {
  bool ok = true;
  for (int i = 0; i < plan->n_roots && ok; i++) ok = see(plan, plan->roots[i]->creator);
  for (int i = 0; i < plan->n_nodes && ok; i++)
    for (int k = 0; k < plan->nodes[i]->n_in && ok; k++)
      if (plan->nodes[i]->in[k]) ok = see(plan, plan->nodes[i]->in[k]->creator);
  for (int i = 0; i < plan->n_nodes; i++) plan->nodes[i]->next = NULL;
  if (!ok) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory collecting a plan");
  if (plan->n_nodes) qsort(plan->nodes, (size_t)plan->n_nodes, sizeof *plan->nodes, by_serial);
  return RNL_OK;
}

/* ---- gradients ------------------------------------------------------------------------------ */

static rnl_status make_grad(rnl_slot *slot, rnl_error *err) {
  if (slot->grad.storage && rnl_tensor_same_shape(&slot->grad, &slot->value)) return RNL_OK;
  rnl_tensor_release(&slot->grad);
  const rnl_tensor *v = &slot->value;
  if (v->layout != RNL_LAYOUT_STRIDED)
    return rnl_tensor_new_sequence(&slot->grad, v->dtype, v->layout, v->size[0], v->size[1], v->size[2],
                                   err);
  return rnl_tensor_new(&slot->grad, v->dtype, v->ndim, v->size, err);
}

/* Gradient buffers that no node needs any more, for those of one shape and layout that come after. */
typedef struct buffer_pool {
  rnl_tensor *free;
  int n;
} buffer_pool;

static bool alike(const rnl_tensor *a, const rnl_tensor *b) {
  return a->dtype == b->dtype && a->layout == b->layout && rnl_tensor_same_shape(a, b);
}

/* A gradient buffer for a node's input: what its forward pass leaves there, one of the pool, or a new one. */
static rnl_status take_grad(buffer_pool *pool, bool keep, const rnl_node *node, int input, rnl_error *err) {
  rnl_slot *slot = node->in[input]->slot;
  if (!keep && input == 0 && node->grad_ready && alike(&node->work[0], &slot->value)) {
    slot->grad = rnl_tensor_ref(&node->work[0]);
    return RNL_OK;
  }
  for (int i = 0; i < pool->n; i++)
    if (alike(&pool->free[i], &slot->value)) {
      slot->grad = pool->free[i];
      pool->free[i] = pool->free[--pool->n];
      return RNL_OK;
    }
  return make_grad(slot, err);
}

static bool is_root(const rnl_plan *plan, const rnl_slot *slot) {
  for (int i = 0; i < plan->n_roots; i++)
    if (plan->roots[i]->slot == slot) return true;
  return false;
}

/* The gradients at a node's outputs have been used: into the pool. */
static void give_back(const rnl_plan *plan, buffer_pool *pool, const rnl_node *node) {
  for (int k = 0; k < node->n_out; k++)
    if (node->out[k]->grad.storage && !is_root(plan, node->out[k]))
      pool->free[pool->n++] = rnl_tensor_ref(&node->out[k]->grad);
}

/* One storage for what the nodes borrow: a node's pieces one behind the other, each node's at the beginning. */
static rnl_status lend(rnl_plan *plan, rnl_error *err) {
  size_t most = 0;
  for (int pass = 0; pass < 2; pass++) {
    rnl_tensor storage = {0};
    const int64_t doubles = (int64_t)(most / sizeof(double));
    if (pass && most) RNL_TRY(rnl_tensor_new(&storage, RNL_F64, 1, &doubles, err));
    for (int i = 0; i < plan->n_nodes; i++) {
      rnl_node *node = plan->nodes[i];
      size_t at = 0;
      for (int k = 0; k < RNL_MAX_WORK; k++) {
        if (!plan->backward[i] || !node->lent[k]) continue;
        if (pass) {
          rnl_tensor *work = &node->work[k], laid = *work;
          rnl_tensor_release(work);
          *work = laid;
          work->storage = rnl_tensor_ref(&storage).storage;
          work->offset = (int64_t)(at / rnl_dtype_size(work->dtype));
        }
        at += (node->lent[k] + 63) / 64 * 64;
      }
      if (at > most) most = at;
    }
    rnl_tensor_release(&storage);
  }
  return RNL_OK;
}

/* Find the nodes a backward pass visits, make their inputs' gradient buffers, and settle for each
 * whether it overwrites (the first to write a buffer) or adds. Where not `keep`, a buffer serves one intermediate value
 * after the other. */
static rnl_status prepare_backward(rnl_plan *plan, bool keep, buffer_pool *pool, rnl_error *err) {
  plan->backward = rnl_alloc((size_t)plan->n_nodes + 1, sizeof *plan->backward);
  if (!plan->backward) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory making a plan");
  for (int i = 0; i < plan->n_nodes; i++) /* gradients of an earlier plan would count as arriving */
    for (int k = 0; k < plan->nodes[i]->n_out; k++) rnl_tensor_release(&plan->nodes[i]->out[k]->grad);
  for (int i = 0; i < plan->n_nodes; i++)
    for (int k = 0; k < plan->nodes[i]->n_in; k++)
      if (plan->nodes[i]->in[k]) rnl_tensor_release(rnl_grad(plan->nodes[i]->in[k]));

  RNL_TRY(make_grad(plan->loss->slot, err));
  if (plan->loss->creator) plan->backward[node_position(plan, plan->loss->creator)] = true;
  for (int i = plan->n_nodes - 1; i >= 0; i--) {
    rnl_node *node = plan->nodes[i];
    if (!plan->backward[i]) continue;
    bool wanted = false;
    for (int k = 0; k < node->n_in; k++) {
      if (!node->in[k] || !node->needs_grad[k]) continue;
      wanted = true;
      node->accumulate[k] = rnl_grad(node->in[k])->storage != NULL;
      rnl_node *behind = node->in[k]->creator;
      /* A parameter's is its own: other passes may add to it (rnl_plan_backward_share). */
      if (!node->accumulate[k])
        RNL_TRY(behind ? take_grad(pool, keep, node, k, err) : make_grad(node->in[k]->slot, err));
      if (behind) plan->backward[node_position(plan, behind)] = true;
    }
    if (wanted && !node->op->backward)
      return rnl_fail(err, RNL_ERR_ARG, "%s has no gradient", node->op->name);
    plan->backward[i] = wanted;
    if (!keep && wanted) give_back(plan, pool, node);
  }
  return lend(plan, err);
}

static rnl_status prepare_with_pool(rnl_plan *plan, bool keep, rnl_error *err) {
  buffer_pool pool = {.free = rnl_alloc((size_t)plan->n_nodes * RNL_MAX_OUT + 1, sizeof *pool.free)};
  if (!pool.free) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory making a plan");
  const rnl_status status = prepare_backward(plan, keep, &pool, err);
  for (int i = 0; i < pool.n; i++) rnl_tensor_release(&pool.free[i]);
  rnl_free(pool.free);
  return status;
}

/* ---- the plan ------------------------------------------------------------------------------- */

/* keep: every value on the way has a gradient buffer of its own. */
static rnl_status make_plan(rnl_plan **out, rnl_var *const *outputs, int n_outputs, rnl_var *loss, bool keep,
                            rnl_error *err) {
  *out = NULL;
  if (loss && rnl_tensor_numel(rnl_value(loss)) != 1) {
    char shape[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_SHAPE, "a gradient needs a loss of one element, not %s",
                    rnl_tensor_shape_text(shape, rnl_value(loss)));
  }
  rnl_plan *plan = rnl_alloc(1, sizeof *plan);
  rnl_var **roots = plan ? rnl_alloc((size_t)n_outputs + 1, sizeof *roots) : NULL;
  if (!roots) {
    rnl_free(plan);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory making a plan");
  }
  plan->roots = roots;
  for (int i = 0; i < n_outputs; i++) roots[plan->n_roots++] = rnl_var_ref(outputs[i]);
  if (loss) roots[plan->n_roots++] = rnl_var_ref(loss);
  plan->loss = loss;
  plan->fresh = keep; /* where buffers are shared, an earlier plan of these nodes may have used them */
  rnl_status status = collect(plan, err);
  if (status == RNL_OK && loss) status = prepare_with_pool(plan, keep, err);
  if (status != RNL_OK) {
    rnl_plan_free(plan);
    return status;
  }
  *out = plan;
  return RNL_OK;
}

rnl_status rnl_plan_new(rnl_plan **out, rnl_var *const *outputs, int n_outputs, rnl_var *loss, rnl_error *err) {
  return make_plan(out, outputs, n_outputs, loss, false, err);
}

void rnl_plan_free(rnl_plan *plan) {
  if (!plan) return;
  for (int i = 0; i < plan->n_roots; i++) rnl_var_release(plan->roots[i]);
  rnl_free(plan->roots);
  rnl_free(plan->nodes);
  rnl_free(plan->backward);
  rnl_free(plan->paired);
  rnl_free(plan);
}

void rnl_plan_set_threads(rnl_plan *plan, int threads) { plan->threads = threads; }

void rnl_plan_changed(rnl_plan *plan) { plan->told = plan->changed = true; }

static void passed_forward(rnl_plan *plan, bool ok) {
  plan->fresh = ok;
  if (ok) plan->changed = false;
}

rnl_status rnl_plan_forward(rnl_plan *plan, rnl_error *err) {
  const int before = rnl_threads_set_wanted(plan->threads);
  const bool unchanged_before = rnl_set_data_unchanged(plan->told && !plan->changed);
  rnl_status status = RNL_OK;
  for (int i = 0; i < plan->n_nodes && status == RNL_OK; i++)
    status = plan->nodes[i]->op->forward(plan->nodes[i], err);
  rnl_set_data_unchanged(unchanged_before);
  rnl_threads_set_wanted(before);
  passed_forward(plan, status == RNL_OK);
  return status;
}

/* The backward pass of a node, adding to the gradients of parameters that it is the first to write, too. */
static rnl_status backward_adding(rnl_node *node, rnl_error *err) {
  bool accumulate[RNL_MAX_IN];
  memcpy(accumulate, node->accumulate, sizeof accumulate);
  for (int k = 0; k < node->n_in; k++)
    if (node->needs_grad[k] && !node->in[k]->creator) node->accumulate[k] = true;
  const rnl_status status = node->op->backward(node, err);
  memcpy(node->accumulate, accumulate, sizeof accumulate);
  return status;
}

rnl_status rnl_plan_backward_share(rnl_plan *plan, double share, bool add, rnl_error *err) {
  if (!plan->backward) return rnl_fail(err, RNL_ERR_ARG, "this plan has no loss");
  if (!plan->fresh) RNL_TRY(rnl_plan_forward(plan, err));
  plan->fresh = false;
  const int before = rnl_threads_set_wanted(plan->threads);
  rnl_status status = RNL_OK;
  rnl_tensor_fill(rnl_grad(plan->loss), share);
  for (int i = plan->n_nodes - 1; i >= 0 && status == RNL_OK; i--) {
    rnl_node *node = plan->nodes[i];
    if (plan->backward[i]) status = add ? backward_adding(node, err) : node->op->backward(node, err);
  }
  rnl_threads_set_wanted(before);
  return status;
}

rnl_status rnl_plan_backward(rnl_plan *plan, rnl_error *err) { return rnl_plan_backward_share(plan, 1, false, err); }

rnl_node *const *rnl_plan_nodes(const rnl_plan *plan, int *n) {
  *n = plan->n_nodes;
  return plan->nodes;
}

/* ---- two side by side ----------------------------------------------------------------------- */

static bool pairs(const rnl_node *a, const rnl_node *b) { return a->op->pairs && a->op->pairs(a, b); }

/* plan[0]->paired of each node; false: they do not gain, or memory is out. */
static bool judge(rnl_plan *const plan[2]) {
  rnl_plan *a = plan[0], *b = plan[1];
  if (a->n_nodes != b->n_nodes || !a->backward || !b->backward) return false;
  for (int i = 0; i < a->n_nodes; i++)
    if (a->nodes[i]->op != b->nodes[i]->op || a->backward[i] != b->backward[i]) return false;
  if (!a->paired) a->paired = rnl_alloc((size_t)a->n_nodes + 1, sizeof *a->paired);
  bool gain = false;
  for (int i = 0; a->paired && i < a->n_nodes; i++) {
    a->paired[i] = pairs(a->nodes[i], b->nodes[i]);
    gain = gain || a->paired[i];
  }
  return gain;
}

bool rnl_plans_gain(rnl_plan *const plan[2]) {
  rnl_plan *a = plan[0], *b = plan[1];
  if (a->partner != b || b->partner != a) {
    a->gains = judge(plan);
    a->partner = b;
    b->partner = a;
  }
  return a->gains;
}

/* Node i of both, forward or back. */
static void run_both(rnl_plan *const plan[2], int i, bool back, rnl_status status[2], rnl_error err[2]) {
  rnl_node *a = plan[0]->nodes[i], *b = plan[1]->nodes[i];
  if (status[0] == RNL_OK && status[1] == RNL_OK && plan[0]->paired[i]) {
    status[0] = status[1] = back ? a->op->backward_pair(a, b, &err[0]) : a->op->forward_pair(a, b, &err[0]);
    if (status[0] != RNL_OK) err[1] = err[0];
    return;
  }
  for (int k = 0; k < 2; k++) {
    rnl_node *node = plan[k]->nodes[i];
    if (status[k] == RNL_OK) status[k] = back ? node->op->backward(node, &err[k]) : node->op->forward(node, &err[k]);
  }
}

void rnl_plans_forward(rnl_plan *const plan[2], rnl_status status[2], rnl_error err[2]) {
  const int before = rnl_threads_set_wanted(1);
  const bool unchanged = plan[0]->told && plan[1]->told && !plan[0]->changed && !plan[1]->changed;
  const bool unchanged_before = rnl_set_data_unchanged(unchanged);
  for (int i = 0; i < plan[0]->n_nodes; i++) run_both(plan, i, false, status, err);
  rnl_set_data_unchanged(unchanged_before);
  rnl_threads_set_wanted(before);
  for (int k = 0; k < 2; k++) passed_forward(plan[k], status[k] == RNL_OK);
}

void rnl_plans_backward(rnl_plan *const plan[2], rnl_status status[2], rnl_error err[2]) {
  const int before = rnl_threads_set_wanted(1);
  for (int k = 0; k < 2; k++) {
    if (status[k] == RNL_OK && !plan[k]->fresh) status[k] = rnl_plan_forward(plan[k], &err[k]);
    if (status[k] == RNL_OK) plan[k]->fresh = false;
    rnl_tensor_fill(rnl_grad(plan[k]->loss), 1.0);
  }
  for (int i = plan[0]->n_nodes - 1; i >= 0; i--)
    if (plan[0]->backward[i]) run_both(plan, i, true, status, err);
  rnl_threads_set_wanted(before);
}

rnl_layout rnl_plan_wanted_layout(const rnl_plan *plan, const rnl_var *leaf) {
  rnl_layout wanted = RNL_LAYOUT_STRIDED;
  for (int i = 0; i < plan->n_nodes; i++) {
    const rnl_node *node = plan->nodes[i];
    for (int k = 0; k < node->n_in; k++) {
      if (!node->in[k] || node->in[k]->slot != leaf->slot) continue;
      rnl_layout layout = node->op->wants ? node->op->wants(node, k) : RNL_LAYOUT_STRIDED;
      if (layout == RNL_LAYOUT_STRIDED || (wanted != RNL_LAYOUT_STRIDED && wanted != layout))
        return RNL_LAYOUT_STRIDED;
      wanted = layout;
    }
  }
  return wanted;
}

/* A storage shared by several views is counted once: by the first of the plan's tensors that has it. */
static size_t storage_bytes(const rnl_tensor *t, const void **seen, size_t *n_seen) {
  if (!t->storage) return 0;
  for (size_t i = 0; i < *n_seen; i++)
    if (seen[i] == t->storage) return 0;
  seen[(*n_seen)++] = t->storage;
  return t->storage->bytes;
}

static size_t node_bytes(const rnl_node *node, const void **seen, size_t *n_seen) {
  size_t bytes = node->op->bytes ? node->op->bytes(node) : 0;
  for (int k = 0; k < node->n_in; k++) {
    if (!node->in[k]) continue;
    bytes += storage_bytes(rnl_value(node->in[k]), seen, n_seen);
    bytes += storage_bytes(rnl_grad(node->in[k]), seen, n_seen);
  }
  for (int k = 0; k < node->n_out; k++) {
    bytes += storage_bytes(&node->out[k]->value, seen, n_seen);
    bytes += storage_bytes(&node->out[k]->grad, seen, n_seen);
  }
  for (int k = 0; k < RNL_MAX_WORK; k++) bytes += storage_bytes(&node->work[k], seen, n_seen);
  return bytes;
}

size_t rnl_plans_bytes(const rnl_plan *const *plans, int n) {
  size_t most = 1, n_seen = 0, bytes = 0;
  for (int i = 0; i < n; i++) most += (size_t)plans[i]->n_nodes * (2 * (RNL_MAX_IN + RNL_MAX_OUT) + RNL_MAX_WORK);
  const void **seen = rnl_alloc(most, sizeof *seen);
  if (!seen) return 0;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < plans[i]->n_nodes; k++) bytes += node_bytes(plans[i]->nodes[k], seen, &n_seen);
  rnl_free(seen);
  return bytes;
}

size_t rnl_plan_bytes(const rnl_plan *plan) { return rnl_plans_bytes(&plan, 1); }

rnl_status rnl_backward(rnl_var *loss, rnl_error *err) {
  if (!rnl_var_tracked(loss))
    return rnl_fail(err, RNL_ERR_ARG, "backward: nothing in this tensor requires a gradient");
  rnl_plan *plan;
  RNL_TRY(make_plan(&plan, &loss, 1, loss, true, err));
  uint64_t fpu = rnl_fpu_enter();
  rnl_status status = rnl_plan_backward(plan, err);
  rnl_fpu_leave(fpu);
  rnl_plan_free(plan);
  return status;
}

/* ---- forward mode --------------------------------------------------------------------------- */

/* The tangent of slot `slot`, if one was made. */
static const rnl_tensor *tangent_of(const rnl_slot *slot, int n, rnl_slot *const *slots,
                                    const rnl_tensor *tangents) {
  for (int i = n - 1; i >= 0; i--)
    if (slots[i] == slot) return &tangents[i];
  return NULL;
}

rnl_status rnl_plan_tangents(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *tangents, int n_outputs,
                             rnl_var *const *outputs, rnl_tensor *output_tangents, rnl_error *err) {
  if (!plan->fresh) RNL_TRY(rnl_plan_forward(plan, err)); /* a backward pass has used what some ops look at */
  size_t most = (size_t)n + (size_t)plan->n_nodes * RNL_MAX_OUT;
  rnl_slot **slots = rnl_alloc(most + 1, sizeof *slots);
  rnl_tensor *tangent = rnl_alloc(most + 1, sizeof *tangent);
  rnl_status status = slots && tangent ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory in jvp");
  int count = 0;
  for (; status == RNL_OK && count < n; count++) {
    slots[count] = leaves[count]->slot;
    tangent[count] = rnl_tensor_ref(&tangents[count]);
  }
  for (int i = 0; status == RNL_OK && i < plan->n_nodes; i++) {
    rnl_node *node = plan->nodes[i];
    const rnl_tensor *in[RNL_MAX_IN] = {NULL};
    bool moves = false;
    for (int k = 0; k < node->n_in; k++) {
      in[k] = node->in[k] ? tangent_of(node->in[k]->slot, count, slots, tangent) : NULL;
      moves = moves || in[k];
    }
    if (!moves) continue;
    if (!node->op->jvp) {
      status = rnl_fail(err, RNL_ERR_ARG, "%s has no forward-mode product", node->op->name);
      break;
    }
    for (int k = 0; status == RNL_OK && k < node->n_out; k++) {
      /* Ops may leave an output out (no read-out): then there is no tangent either. */
      if (!node->out[k]->value.storage) continue;
      rnl_slot like = {.value = node->out[k]->value};
      status = make_grad(&like, err);
      slots[count + k] = node->out[k];
      tangent[count + k] = like.grad;
    }
    if (status == RNL_OK) status = node->op->jvp(node, in, tangent + count, err);
    count += node->n_out;
  }
  for (int i = 0; status == RNL_OK && i < n_outputs; i++) {
    const rnl_tensor *t = tangent_of(outputs[i]->slot, count, slots, tangent);
    if (t) output_tangents[i] = rnl_tensor_ref(t);
    else status = rnl_tensor_new(&output_tangents[i], rnl_value(outputs[i])->dtype, rnl_value(outputs[i])->ndim,
                                 rnl_value(outputs[i])->size, err);
  }
  for (size_t i = 0; tangent && i < most; i++) rnl_tensor_release(&tangent[i]);
  rnl_free(tangent);
  rnl_free(slots);
  return status;
}

rnl_status rnl_plan_jvp(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *tangents,
                        double *loss_tangent, rnl_error *err) {
  rnl_tensor tangent = {0};
  RNL_TRY(rnl_plan_tangents(plan, n, leaves, tangents, 1, &plan->loss, &tangent, err));
  *loss_tangent = rnl_tensor_at(&tangent, 0);
  rnl_tensor_release(&tangent);
  return RNL_OK;
}
