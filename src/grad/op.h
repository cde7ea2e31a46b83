/* grad/op.h owns the one mechanism for gradients: variables, ops and the nodes that record them.
 *
 * A variable (rnl_var) is what Lua holds: a tensor, perhaps with a gradient. Applying an op to
 * variables makes a node, computes its outputs at once, and keeps the node where a gradient may be
 * wanted (an input requires one) or a plan is being recorded. The nodes reachable from a variable,
 * in order of their serial numbers, are the tape; plan.h replays it.
 *
 * Each op has its shape rule, forward, backward and forward-mode product in one place (struct
 * rnl_op). Ownership: variables and nodes are counted. A variable owns its creator node; a node
 * owns its input variables and the slots (value + gradient) of its outputs.
 */
#ifndef RNL_GRAD_OP_H
#define RNL_GRAD_OP_H

#include "tensor/tensor.h"

typedef struct rnl_node rnl_node;
typedef struct rnl_op rnl_op;

enum { RNL_MAX_IN = 40, RNL_MAX_OUT = 12, RNL_MAX_WORK = 8 };

/* A value and its gradient, shared by a variable and the node that made it. */
typedef struct rnl_slot {
  int64_t references;
  rnl_tensor value;
  rnl_tensor grad; /* same shape and layout as value; storage NULL until a backward pass made it */
} rnl_slot;

typedef struct rnl_var {
  int64_t references;
  rnl_slot *slot;
  rnl_node *creator;  /* NULL: a leaf */
  bool requires_grad; /* a leaf whose gradient is wanted (a parameter) */
  char *name;         /* "rnn.weight_hh" for messages and files; may be NULL */
} rnl_var;

struct rnl_node {
  const rnl_op *op;
  int64_t references;
  uint64_t serial; /* nodes are made in order; a smaller one never depends on a larger one */
  int n_in, n_out;
  rnl_var *in[RNL_MAX_IN];   /* an optional input that was not given is NULL */
  rnl_slot *out[RNL_MAX_OUT];
  bool needs_grad[RNL_MAX_IN]; /* some parameter stands behind this input */
  bool accumulate[RNL_MAX_IN]; /* backward: add to in[i]'s gradient; false: overwrite it */
  void *attrs;               /* a copy of the op's attributes, op->attrs_size bytes */
  rnl_tensor work[RNL_MAX_WORK]; /* the op's own buffers, made in prepare, released with the node */
  size_t lent[RNL_MAX_WORK];     /* bytes of work[i] that a plan lends (rnl_node_borrow); 0: its own, or none */
  bool grad_ready;           /* the forward pass leaves the gradient of in[0], for a gradient of 1 at the output, in
                                work[0], and a plan makes that the buffer of this gradient */
  void *own;                 /* whatever else the op keeps, made in prepare, ended by op->release */
  rnl_node *next;            /* links nodes while a tape is taken down */
};

/* How a value moves in `lanes` directions at once, in double whatever the value's dtype. Elements are counted in
 * row-major order of the value. */
typedef enum rnl_tangent_kind {
  RNL_TANGENT_NONE = 0, /* in none of them */
  RNL_TANGENT_UNIT,     /* element i in direction first + i alone, where that is 0 .. lanes - 1; others in none */
  RNL_TANGENT_ROWS      /* element i in direction d by rows[i * lanes + d] */
} rnl_tangent_kind;
typedef struct rnl_tangents {
  rnl_tangent_kind kind;
  int64_t first;
  const double *rows;
} rnl_tangents;

/* Memory where a node keeps what it made of data alone (rnl_in_unchanged). */
typedef struct rnl_kept {
  void *place; /* address of the pointer to it, of whatever type */
  size_t bytes;
} rnl_kept;
enum { RNL_MAX_KEPT = 32 };

struct rnl_op {
  const char *name;      /* as in messages: "mm" */
  int min_in, max_in, n_out;
  size_t attrs_size;

  /* Check shapes and dtypes, make node->out[i]->value and work. Called once. Errors name the op and
   * the shapes: "mm: (8, 3) and (4, 5): 3 columns against 4 rows". */
  rnl_status (*prepare)(rnl_node *node, rnl_error *err);
  /* Outputs from inputs. Called at once and again at every replay; allocates nothing. */
  rnl_status (*forward)(rnl_node *node, rnl_error *err);
  /* Gradients of the inputs that need one from those of the outputs. An output whose gradient has no
   * storage gets none (zero). Honours node->accumulate. May be NULL for an op without gradients. */
  rnl_status (*backward)(rnl_node *node, rnl_error *err);
  /* Forward mode: out_tangent[i] = sum_k d out[i] / d in[k] · in_tangent[k]; a NULL in_tangent is
   * zero. NULL where the op has none. */
  rnl_status (*jvp)(rnl_node *node, const rnl_tensor *const *in_tangent,
                    const rnl_tensor *out_tangent, rnl_error *err);
  /* The same in many directions at once, for Jacobians: in[k] of each input (NONE where it is not given), out[i]
   * [elements of output i][lanes], which it fills, or NULL where nobody asks. lanes is a multiple of
   * RNL_KERNEL_LANES. May allocate. NULL: jvp is called once a direction. */
  rnl_status (*jvp_many)(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out, rnl_error *err);
  /* Two nodes of one op, of two models, at once, where that takes less time than one after the other: whether it serves
   * these two, and the passes, with the same numbers. All three or NULL. */
  bool (*pairs)(const rnl_node *a, const rnl_node *b);
  rnl_status (*forward_pair)(rnl_node *a, rnl_node *b, rnl_error *err);
  rnl_status (*backward_pair)(rnl_node *a, rnl_node *b, rnl_error *err);
  /* Input i holding a sequence a row of its first dimension: whether so does every output, row b being made of that row
   * b alone, so that a batch can be computed part by part. NULL: no. */
  bool (*by_rows)(const rnl_node *node, int i);
  /* All such memory of the node, at most RNL_MAX_KEPT pieces; how many. Between two passes they may be exchanged for
   * others of as many bytes, zeroed when new and on lines of 64 bytes, that belong to other data. NULL: none. */
  int (*kept)(const rnl_node *node, rnl_kept *out);
  /* The layout in which input i is taken without repacking, so that data can be laid out once. NULL:
   * any will do. */
  rnl_layout (*wants)(const rnl_node *node, int i);
  /* Where the op keeps something in node->own: end it (own may be NULL), and the bytes it holds. */
  void (*release)(rnl_node *node);
  size_t (*bytes)(const rnl_node *node);
};

/* ---- variables ------------------------------------------------------------------------------ */

/* A leaf that takes over *value (left empty). NULL where memory is out (then *value is released). */
rnl_var *rnl_var_new(rnl_tensor *value, bool requires_grad);
rnl_var *rnl_var_ref(rnl_var *var);
void rnl_var_release(rnl_var *var); /* NULL is allowed */
static inline rnl_tensor *rnl_value(const rnl_var *var) { return &var->slot->value; }
static inline rnl_tensor *rnl_grad(const rnl_var *var) { return &var->slot->grad; }
rnl_status rnl_var_set_name(rnl_var *var, const char *name, rnl_error *err);
/* A leaf that shares the value but is cut from the tape. */
rnl_var *rnl_var_detach(rnl_var *var);

void rnl_slot_release(rnl_slot *slot); /* one reference; NULL is allowed */

/* ---- applying ops --------------------------------------------------------------------------- */

/* Apply `op` to in[0..n_in-1] (NULL for an optional input left out): out[0..op->n_out-1] are new
 * references. attrs may be NULL where attrs_size is 0. */
rnl_status rnl_apply(const rnl_op *op, const void *attrs, int n_in, rnl_var *const *in,
                     rnl_var **out, rnl_error *err);

/* While recording (nested calls count, per thread) every op is kept, parameters behind it or not. */
void rnl_record_begin(void);
void rnl_record_end(void);
bool rnl_recording(void);

/* How many threads an op may use inside the pass under way (kernel/threads.h), at least 1; set per calling thread by
 * the plan that runs. An op's numbers must not depend on it. */
int rnl_threads_wanted(void);
/* Set it; returns what it was. */
int rnl_threads_set_wanted(int threads);

/* Whether what an op made of input i alone in the forward pass before still holds: a leaf that is no parameter, and the
 * owner of the plan under way says that its data have not changed (rnl_plan_changed). What is kept so stands in
 * rnl_op.kept. */
bool rnl_in_unchanged(const rnl_node *node, int i);
/* For the plan: whether data are as they were, in the pass under way; returns what it was. Per thread. */
bool rnl_set_data_unchanged(bool unchanged);

/* While recording, call `watch` with each new node once its outputs are computed; a failure is that of the op. NULL
 * ends it. Per thread; one at a time. */
typedef rnl_status (*rnl_watch_function)(void *context, const rnl_node *node, rnl_error *err);
void rnl_record_watch(rnl_watch_function watch, void *context);

/* While paused (per thread) nothing is kept, as for predictions made by hand. */
void rnl_no_grad_begin(void);
void rnl_no_grad_end(void);

/* ---- for writers of ops --------------------------------------------------------------------- */

/* work[i] as a (batch, time, feature) tensor that lives within a backward pass alone: prepare gives it its shape, and
 * the plan that goes back a storage, which serves all its nodes in turn. It holds anything at first, in its padding
 * too. */
rnl_status rnl_node_borrow(rnl_node *node, int i, rnl_dtype dtype, rnl_layout layout, int64_t batch, int64_t time,
                           int64_t feature, rnl_error *err);

static inline const rnl_tensor *rnl_in(const rnl_node *node, int i) {
  return node->in[i] ? &node->in[i]->slot->value : NULL;
}
static inline rnl_tensor *rnl_out(const rnl_node *node, int i) { return &node->out[i]->value; }
/* The gradient arriving at output i, or NULL where there is none. */
static inline const rnl_tensor *rnl_out_grad(const rnl_node *node, int i) {
  return node->out[i]->grad.storage ? &node->out[i]->grad : NULL;
}
/* Where to write the gradient of input i, or NULL where none is wanted. */
static inline const rnl_tensor *rnl_in_grad(const rnl_node *node, int i) {
  return i < node->n_in && node->in[i] && node->needs_grad[i] ? &node->in[i]->slot->grad : NULL;
}

/* by_rows of an op that goes row by row in every input. */
bool rnl_always_by_rows(const rnl_node *node, int i);

/* Row i of a value's tangents, [lanes], into `row`. */
void rnl_tangents_row(const rnl_tangents *t, int64_t lanes, int64_t i, double *row);
/* For y[j] = sum_i source[i] * weight[i][j], j < n: add what the weight's own moving does to [n][lanes]. */
void rnl_tangents_add_weight(const rnl_tangents *weight, int64_t lanes, int64_t m, int64_t n, const double *source,
                             double *rows);

#endif
