/* grad/jacobian.c: tangents in many directions through a plan. */
#include "grad/jacobian.h"

#include <string.h>

#include "base/alloc.h"
#include "kernel/kernel.h"

/* A slot that moves. */
typedef struct moving {
  const rnl_slot *slot;
  int64_t offset;  /* a parameter: its first direction; else -1 */
  double *rows;    /* [elements][lanes]; NULL: a parameter, or nobody asks */
  bool asked;      /* another node or the caller reads it */
  rnl_tangents now;
} moving;

/* A node between the parameters and what is wanted. */
typedef struct step {
  rnl_node *node;
  int in[RNL_MAX_IN];   /* index of the moving slot, or -1 */
  int out[RNL_MAX_OUT]; /* index, or -1: an output that the op left out */
  /* Where jvp serves, one direction at a time: tangents as tensors, and a row-major column of each. */
  rnl_tensor in_tangent[RNL_MAX_IN], out_tangent[RNL_MAX_OUT];
  rnl_tensor in_column[RNL_MAX_IN], out_column[RNL_MAX_OUT];
} step;

struct rnl_jacobian {
  int64_t lanes, directions;
  const rnl_slot *wanted;
  int n_moving;
  moving *moving;
  int n_steps;
  step *steps;
  size_t bytes;
};

/* ---- rows ----------------------------------------------------------------------------------- */

void rnl_tangents_row(const rnl_tangents *t, int64_t lanes, int64_t i, double *row) {
  if (t->kind == RNL_TANGENT_ROWS) {
    memcpy(row, t->rows + i * lanes, (size_t)lanes * sizeof *row);
    return;
  }
  memset(row, 0, (size_t)lanes * sizeof *row);
  if (t->kind == RNL_TANGENT_UNIT && t->first + i >= 0 && t->first + i < lanes) row[t->first + i] = 1;
}

void rnl_tangents_add_weight(const rnl_tangents *weight, int64_t lanes, int64_t m, int64_t n, const double *source,
                             double *rows) {
  if (weight->kind == RNL_TANGENT_ROWS) {
    const rnl_kernels *k = rnl_kernels_of(true);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < n; j++)
        k->axpy(lanes, source[i], weight->rows + (i * n + j) * lanes, rows + j * lanes);
  } else if (weight->kind == RNL_TANGENT_UNIT) {
    for (int64_t i = 0; i < m; i++) {
      const int64_t lane = weight->first + i * n; /* of weight[i][0] */
      const int64_t begin = lane < 0 ? -lane : 0, end = lane + n > lanes ? lanes - lane : n;
      for (int64_t j = begin; j < end; j++) rows[j * lanes + lane + j] += source[i];
    }
  }
}

/* ---- making --------------------------------------------------------------------------------- */

static int find(const rnl_jacobian *a, const rnl_slot *slot) {
  for (int i = a->n_moving - 1; i >= 0; i--)
    if (a->moving[i].slot == slot) return i;
  return -1;
}

/* Marks, for each of the plan's nodes, whether `wanted` depends on it. */
static rnl_status mark_behind(rnl_node *const *nodes, int n, const rnl_var *wanted, bool *behind, rnl_error *err) {
  (void)err;
  for (int i = n - 1; i >= 0; i--) {
    bool needed = nodes[i] == wanted->creator;
    for (int k = i + 1; k < n && !needed; k++)
      for (int q = 0; behind[k] && q < nodes[k]->n_in && !needed; q++)
        needed = nodes[k]->in[q] && nodes[k]->in[q]->creator == nodes[i];
    behind[i] = needed;
  }
  return RNL_OK;
}

static rnl_status tensor_like(rnl_tensor *out, const rnl_tensor *v, rnl_error *err) {
  if (v->layout != RNL_LAYOUT_STRIDED)
    return rnl_tensor_new_sequence(out, v->dtype, v->layout, v->size[0], v->size[1], v->size[2], err);
  return rnl_tensor_new(out, v->dtype, v->ndim, v->size, err);
}

/* Tensors for the product in one direction. */
static rnl_status make_columns(rnl_jacobian *a, step *s, rnl_error *err) {
  for (int k = 0; k < s->node->n_in; k++) {
    if (s->in[k] < 0) continue;
    const rnl_tensor *value = rnl_value(s->node->in[k]);
    RNL_TRY(tensor_like(&s->in_tangent[k], value, err));
    RNL_TRY(rnl_tensor_new(&s->in_column[k], RNL_F64, value->ndim, value->size, err));
    a->bytes += s->in_tangent[k].storage->bytes + s->in_column[k].storage->bytes;
  }
  for (int k = 0; k < s->node->n_out; k++) {
    if (s->out[k] < 0) continue;
    const rnl_tensor *value = &s->node->out[k]->value;
    RNL_TRY(tensor_like(&s->out_tangent[k], value, err));
    RNL_TRY(rnl_tensor_new(&s->out_column[k], RNL_F64, value->ndim, value->size, err));
    a->bytes += s->out_tangent[k].storage->bytes + s->out_column[k].storage->bytes;
  }
  return RNL_OK;
}

/* Keep the node where an input moves. */
static rnl_status take_node(rnl_jacobian *a, rnl_node *node, rnl_error *err) {
  step *s = &a->steps[a->n_steps];
  bool moves = false;
  for (int k = 0; k < node->n_in; k++) {
    s->in[k] = node->in[k] ? find(a, node->in[k]->slot) : -1;
    if (s->in[k] < 0) continue;
    moves = true;
    a->moving[s->in[k]].asked = true;
  }
  if (!moves) return RNL_OK;
  if (!node->op->jvp && !node->op->jvp_many)
    return rnl_fail(err, RNL_ERR_ARG, "%s has no forward-mode product", node->op->name);
  s->node = node;
  for (int k = 0; k < node->n_out; k++) {
    s->out[k] = -1;
    if (!node->out[k]->value.storage) continue;
    s->out[k] = a->n_moving;
    a->moving[a->n_moving++] = (moving){.slot = node->out[k], .offset = -1};
  }
  a->n_steps++;
  return node->op->jvp_many ? RNL_OK : make_columns(a, s, err);
}

static rnl_status make(rnl_jacobian *a, const rnl_plan *plan, int n, rnl_var *const *parameters, rnl_var *wanted,
                       rnl_error *err) {
  int n_nodes;
  rnl_node *const *nodes = rnl_plan_nodes(plan, &n_nodes);
  a->moving = rnl_alloc((size_t)n + (size_t)n_nodes * RNL_MAX_OUT + 1, sizeof *a->moving);
  a->steps = rnl_alloc((size_t)n_nodes + 1, sizeof *a->steps);
  bool *behind = rnl_alloc((size_t)n_nodes + 1, sizeof *behind);
  rnl_status status = a->moving && a->steps && behind ? mark_behind(nodes, n_nodes, wanted, behind, err)
                                                      : rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  for (int i = 0; status == RNL_OK && i < n; i++) {
    a->moving[a->n_moving++] = (moving){.slot = parameters[i]->slot, .offset = a->directions};
    a->directions += rnl_tensor_numel(rnl_value(parameters[i]));
  }
  for (int i = 0; status == RNL_OK && i < n_nodes; i++)
    if (behind[i]) status = take_node(a, nodes[i], err);
  rnl_free(behind);
  RNL_TRY(status);
  for (int i = n; i < a->n_moving; i++) {
    moving *m = &a->moving[i];
    if (!m->asked || m->slot == a->wanted) continue; /* the caller's own rows serve for what is wanted */
    const size_t count = (size_t)rnl_tensor_numel(&m->slot->value);
    if (!(m->rows = rnl_alloc(count * (size_t)a->lanes, sizeof *m->rows)))
      return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
    a->bytes += count * (size_t)a->lanes * sizeof *m->rows;
  }
  return RNL_OK;
}

rnl_status rnl_jacobian_new(rnl_jacobian **out, const rnl_plan *plan, int n, rnl_var *const *parameters,
                            rnl_var *wanted, int64_t lanes, rnl_error *err) {
  *out = NULL;
  rnl_jacobian *a = rnl_alloc(1, sizeof *a);
  if (!a) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  a->lanes = lanes;
  a->wanted = wanted->slot;
  rnl_status status = make(a, plan, n, parameters, wanted, err);
  if (status == RNL_OK) *out = a;
  else rnl_jacobian_free(a);
  return status;
}

void rnl_jacobian_free(rnl_jacobian *a) {
  if (!a) return;
  for (int i = 0; a->moving && i < a->n_moving; i++) rnl_free(a->moving[i].rows);
  for (int i = 0; a->steps && i < a->n_steps; i++) {
    step *s = &a->steps[i];
    for (int k = 0; k < RNL_MAX_IN; k++) {
      rnl_tensor_release(&s->in_tangent[k]);
      rnl_tensor_release(&s->in_column[k]);
    }
    for (int k = 0; k < RNL_MAX_OUT; k++) {
      rnl_tensor_release(&s->out_tangent[k]);
      rnl_tensor_release(&s->out_column[k]);
    }
  }
  rnl_free(a->moving);
  rnl_free(a->steps);
  rnl_free(a);
}

int64_t rnl_jacobian_directions(const rnl_jacobian *a) { return a->directions; }
size_t rnl_jacobian_bytes(const rnl_jacobian *a) { return a->bytes; }

/* ---- running -------------------------------------------------------------------------------- */

/* Direction `lane` of the tangents as a tensor of the value's own dtype and layout; false where it does not move. */
static bool take_direction(const rnl_jacobian *a, const moving *m, int64_t lane, const rnl_tensor *column) {
  const int64_t count = rnl_tensor_numel(column);
  double *to = rnl_f64(column);
  if (m->now.kind == RNL_TANGENT_NONE) return false;
  if (m->now.kind == RNL_TANGENT_UNIT) {
    const int64_t i = lane - m->now.first;
    if (i < 0 || i >= count) return false;
    memset(to, 0, (size_t)count * sizeof *to);
    to[i] = 1;
    return true;
  }
  for (int64_t i = 0; i < count; i++) to[i] = m->now.rows[i * a->lanes + lane];
  return true;
}

/* jvp, one direction after the other. */
static rnl_status run_singly(rnl_jacobian *a, step *s, double *const *out, rnl_error *err) {
  for (int64_t lane = 0; lane < a->lanes; lane++) {
    const rnl_tensor *in[RNL_MAX_IN] = {NULL};
    bool moves = false;
    for (int k = 0; k < s->node->n_in; k++) {
      if (s->in[k] < 0 || !take_direction(a, &a->moving[s->in[k]], lane, &s->in_column[k])) continue;
      RNL_TRY(rnl_tensor_copy(&s->in_tangent[k], &s->in_column[k], err));
      in[k] = &s->in_tangent[k];
      moves = true;
    }
    if (moves) RNL_TRY(s->node->op->jvp(s->node, in, s->out_tangent, err));
    for (int k = 0; k < s->node->n_out; k++) {
      if (!out[k]) continue;
      if (moves) RNL_TRY(rnl_tensor_copy(&s->out_column[k], &s->out_tangent[k], err));
      const double *from = rnl_f64(&s->out_column[k]);
      const int64_t count = rnl_tensor_numel(&s->out_column[k]);
      for (int64_t i = 0; i < count; i++) out[k][i * a->lanes + lane] = moves ? from[i] : 0;
    }
  }
  return RNL_OK;
}

static rnl_status run_step(rnl_jacobian *a, step *s, double *rows, rnl_error *err) {
  rnl_tangents in[RNL_MAX_IN] = {{0}};
  double *out[RNL_MAX_OUT] = {NULL};
  bool moves = false;
  for (int k = 0; k < s->node->n_in; k++) {
    if (s->in[k] >= 0) in[k] = a->moving[s->in[k]].now;
    moves = moves || in[k].kind != RNL_TANGENT_NONE;
  }
  for (int k = 0; k < s->node->n_out; k++) {
    if (s->out[k] < 0) continue;
    moving *m = &a->moving[s->out[k]];
    out[k] = m->slot == a->wanted ? rows : m->rows;
    m->now = (rnl_tangents){.kind = moves && out[k] ? RNL_TANGENT_ROWS : RNL_TANGENT_NONE, .rows = out[k]};
  }
  if (!moves) return RNL_OK;
  return s->node->op->jvp_many ? s->node->op->jvp_many(s->node, a->lanes, in, out, err) : run_singly(a, s, out, err);
}

rnl_status rnl_jacobian_block(rnl_jacobian *a, int64_t first, double *rows, rnl_error *err) {
  for (int i = 0; i < a->n_moving && a->moving[i].offset >= 0; i++) {
    moving *m = &a->moving[i];
    const int64_t begin = m->offset - first, end = begin + rnl_tensor_numel(&m->slot->value);
    m->now = (rnl_tangents){.kind = begin < a->lanes && end > 0 ? RNL_TANGENT_UNIT : RNL_TANGENT_NONE, .first = begin};
  }
  for (int i = 0; i < a->n_steps; i++) RNL_TRY(run_step(a, &a->steps[i], rows, err));
  /* It may be a parameter itself, or not move at all. */
  const int at = find(a, a->wanted);
  if (at >= 0 && a->moving[at].now.kind == RNL_TANGENT_ROWS) return RNL_OK;
  const rnl_tangents now = at >= 0 ? a->moving[at].now : (rnl_tangents){.kind = RNL_TANGENT_NONE};
  for (int64_t i = 0; i < rnl_tensor_numel(&a->wanted->value); i++)
    rnl_tangents_row(&now, a->lanes, i, rows + i * a->lanes);
  return RNL_OK;
}
