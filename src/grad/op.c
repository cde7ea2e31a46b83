/* grad/op.c: variables, nodes and their counts, and the applying of ops. */
#include "grad/op.h"

#include <string.h>

#include "base/alloc.h"
#include "grad/node.h"
#include "kernel/kernel.h"

/* Per thread, so that two Lua states on two threads do not record each other's steps. */
static _Thread_local int recording_depth, no_grad_depth;
static _Thread_local uint64_t next_serial = 1;

static _Thread_local int threads_wanted = 1;
static _Thread_local rnl_watch_function watch_function;
static _Thread_local void *watch_context;

void rnl_record_watch(rnl_watch_function watch, void *context) {
  watch_function = watch;
  watch_context = context;
}

static _Thread_local bool data_unchanged;

bool rnl_in_unchanged(const rnl_node *node, int i) {
  return data_unchanged && (i >= node->n_in || !node->in[i] || (!node->in[i]->creator && !node->in[i]->requires_grad));
}
bool rnl_set_data_unchanged(bool unchanged) {
  const bool before = data_unchanged;
  data_unchanged = unchanged;
  return before;
}

int rnl_threads_wanted(void) { return threads_wanted; }
int rnl_threads_set_wanted(int threads) {
  const int before = threads_wanted;
  threads_wanted = threads > 1 ? threads : 1;
  return before;
}

void rnl_record_begin(void) { recording_depth++; }
void rnl_record_end(void) { recording_depth--; }
bool rnl_recording(void) { return recording_depth > 0; }
void rnl_no_grad_begin(void) { no_grad_depth++; }
void rnl_no_grad_end(void) { no_grad_depth--; }

/* ---- slots and variables -------------------------------------------------------------------- */

static rnl_slot *slot_new(void) {
  rnl_slot *slot = rnl_alloc(1, sizeof *slot);
  if (slot) slot->references = 1;
  return slot;
}

void rnl_slot_release(rnl_slot *slot) {
  if (!slot || --slot->references > 0) return;
  rnl_tensor_release(&slot->value);
  rnl_tensor_release(&slot->grad);
  rnl_free(slot);
}

static rnl_var *var_on(rnl_slot *slot, rnl_node *creator) {
  rnl_var *var = rnl_alloc(1, sizeof *var);
  if (!var) return NULL;
  var->references = 1;
  var->slot = slot;
  slot->references++;
  var->creator = creator;
  if (creator) creator->references++;
  return var;
}

rnl_var *rnl_var_new(rnl_tensor *value, bool requires_grad) {
  rnl_slot *slot = slot_new();
  rnl_var *var = slot ? var_on(slot, NULL) : NULL;
  if (var) {
    slot->value = *value;
    memset(value, 0, sizeof *value);
    var->requires_grad = requires_grad;
  } else {
    rnl_tensor_release(value);
  }
  rnl_slot_release(slot);
  return var;
}

rnl_var *rnl_var_ref(rnl_var *var) {
  var->references++;
  return var;
}

/* Nodes whose count fell to 0 wait in a chain, linked by `next`: released one by one, since a long
 * tape released by nested calls would overflow the stack. */
static void node_destroy_chain(rnl_node *node);

void rnl_var_release(rnl_var *var) {
  if (!var || --var->references > 0) return;
  rnl_node *creator = var->creator;
  rnl_slot_release(var->slot);
  rnl_free(var->name);
  rnl_free(var);
  if (creator && --creator->references == 0) node_destroy_chain(creator);
}

/* Release an input of a dying node; a creator that dies with it is pushed on the chain. */
static rnl_node *release_input(rnl_var *var, rnl_node *chain) {
  if (!var || --var->references > 0) return chain;
  rnl_node *creator = var->creator;
  rnl_slot_release(var->slot);
  rnl_free(var->name);
  rnl_free(var);
  if (creator && --creator->references == 0) {
    creator->next = chain;
    return creator;
  }
  return chain;
}

static void node_destroy_chain(rnl_node *chain) {
  chain->next = NULL;
  while (chain) {
    rnl_node *node = chain;
    chain = node->next;
    for (int i = 0; i < node->n_in; i++) chain = release_input(node->in[i], chain);
    for (int i = 0; i < node->n_out; i++) rnl_slot_release(node->out[i]);
    if (node->op->release) node->op->release(node);
    for (int i = 0; i < RNL_MAX_WORK; i++) rnl_tensor_release(&node->work[i]);
    rnl_free(node->attrs);
    rnl_free(node);
  }
}

rnl_status rnl_node_borrow(rnl_node *node, int i, rnl_dtype dtype, rnl_layout layout, int64_t batch, int64_t time,
                           int64_t feature, rnl_error *err) {
  return rnl_tensor_lay_sequence(&node->work[i], dtype, layout, batch, time, feature, &node->lent[i], err);
}

void rnl_node_release(rnl_node *node) {
  if (node && --node->references == 0) node_destroy_chain(node);
}

rnl_status rnl_var_set_name(rnl_var *var, const char *name, rnl_error *err) {
  char *copy = name ? rnl_strdup(name) : NULL;
  if (name && !copy) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory naming a tensor");
  rnl_free(var->name);
  var->name = copy;
  return RNL_OK;
}

rnl_var *rnl_var_detach(rnl_var *var) {
  rnl_tensor value = rnl_tensor_ref(rnl_value(var));
  return rnl_var_new(&value, false);
}

bool rnl_var_tracked(const rnl_var *var) {
  if (var->requires_grad) return true;
  if (!var->creator) return false;
  for (int i = 0; i < var->creator->n_in; i++)
    if (var->creator->needs_grad[i]) return true;
  return false;
}

bool rnl_always_by_rows(const rnl_node *node, int i) {
  (void)node, (void)i;
  return true;
}

/* ---- applying ops --------------------------------------------------------------------------- */

static rnl_status node_new(const rnl_op *op, const void *attrs, int n_in, rnl_var *const *in,
                           rnl_node **out, rnl_error *err) {
  if (n_in < op->min_in || n_in > op->max_in || n_in > RNL_MAX_IN)
    return rnl_fail(err, RNL_ERR_ARG, "%s: %d inputs; it takes %d to %d", op->name, n_in, op->min_in,
                    op->max_in);
  rnl_node *node = rnl_alloc(1, sizeof *node);
  if (!node) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", op->name);
  node->op = op;
  node->references = 1;
  node->serial = next_serial++;
  node->n_in = n_in;
  for (int i = 0; i < n_in; i++) {
    if (!in[i]) continue;
    node->in[i] = rnl_var_ref(in[i]);
    node->needs_grad[i] = no_grad_depth == 0 && rnl_var_tracked(in[i]);
  }
  node->n_out = op->n_out;
  for (int i = 0; i < op->n_out; i++)
    if (!(node->out[i] = slot_new())) goto out_of_memory;
  if (op->attrs_size) {
    if (!(node->attrs = rnl_alloc(1, op->attrs_size))) goto out_of_memory;
    memcpy(node->attrs, attrs, op->attrs_size);
  }
  *out = node;
  return RNL_OK;
out_of_memory:
  rnl_node_release(node);
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", op->name);
}

rnl_status rnl_apply(const rnl_op *op, const void *attrs, int n_in, rnl_var *const *in, rnl_var **out,
                     rnl_error *err) {
  rnl_node *node = NULL;
  RNL_TRY(node_new(op, attrs, n_in, in, &node, err));
  uint64_t fpu = rnl_fpu_enter();
  rnl_status status = op->prepare(node, err);
  if (status == RNL_OK) status = op->forward(node, err);
  rnl_fpu_leave(fpu);
  if (status == RNL_OK && watch_function) status = watch_function(watch_context, node, err);

  bool keep = rnl_recording();
  for (int i = 0; i < node->n_in; i++) keep = keep || node->needs_grad[i];
  int made = 0;
  for (; status == RNL_OK && made < op->n_out; made++) {
    out[made] = var_on(node->out[made], keep ? node : NULL);
    if (!out[made]) {
      status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", op->name);
      break;
    }
  }
  if (status != RNL_OK)
    while (made > 0) rnl_var_release(out[--made]);
  rnl_node_release(node);
  return status;
}
