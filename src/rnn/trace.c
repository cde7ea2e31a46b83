/* rnn/trace.c: op by op. */
#include "rnn/trace.h"

#include <string.h>

#include "grad/ops.h"

/* ---- what is known -------------------------------------------------------------------------- */

rnl_status rnl_trace_declare(rnl_trace *trace, rnl_var *var, int value, rnl_error *err) {
  if (trace->n == RNL_TRACE_VALUES)
    return rnl_fail(err, RNL_ERR_ARG, "a cell of more than %d values", RNL_TRACE_VALUES);
  trace->known[trace->n].slot = var->slot;
  trace->known[trace->n].var = rnl_var_ref(var);
  trace->known[trace->n++].value = value;
  return RNL_OK;
}

static bool same_place(const rnl_tensor *a, const rnl_tensor *b) {
  return a->storage && a->storage == b->storage && a->offset == b->offset && rnl_tensor_same_shape(a, b);
}

rnl_status rnl_trace_value(rnl_trace *trace, rnl_var *var, int *value, rnl_error *err) {
  for (int i = trace->n - 1; i >= 0; i--)
    if (trace->known[i].slot == var->slot) {
      *value = trace->known[i].value;
      return RNL_OK;
    }
  if (!var->creator)
    for (int i = trace->n - 1; i >= 0; i--)
      if (same_place(&trace->known[i].slot->value, rnl_value(var))) { /* detached */
        *value = rnl_program_stop(trace->program, trace->known[i].value);
        return trace->program->status == RNL_OK
                   ? RNL_OK
                   : rnl_fail(err, trace->program->status, "%s", trace->program->error.text);
      }
  if (!var->creator && rnl_tensor_numel(rnl_value(var)) == 1 && rnl_value(var)->ndim == 0) {
    *value = rnl_program_constant(trace->program, rnl_tensor_at(rnl_value(var), 0));
    return RNL_OK;
  }
  char shape[RNL_SHAPE_TEXT];
  return rnl_fail(err, RNL_ERR_ARG,
                  "a cell computes with its input, states, weights and numbers; a tensor %s from elsewhere is "
                  "none of these (make it a weight)",
                  rnl_tensor_shape_text(shape, rnl_value(var)));
}

/* ---- op by op ------------------------------------------------------------------------------- */

/* Whether a value has a row for each sequence, as (batch, width). */
static bool has_rows(const rnl_node *node, int i) { return rnl_in(node, i)->ndim == 2; }

static rnl_status refuse(rnl_error *err, const char *why) {
  return rnl_fail(err, RNL_ERR_ARG, "a cell cannot %s", why);
}

static rnl_status translate_reduce(rnl_trace *trace, const rnl_node *node, int in, int *out, rnl_error *err) {
  const rnl_reduce_attrs *a = node->attrs;
  if (a->dim != 1 || !a->keepdim || !has_rows(node, 0))
    return refuse(err, "sum over sequences; over the features it is sum(2, true) or mean(2, true)");
  *out = rnl_program_sum(trace->program, in);
  if (a->mean && *out >= 0)
    *out = rnl_program_binary(trace->program, RNL_BINARY_MUL, *out,
                              rnl_program_constant(trace->program, 1 / (double)rnl_in(node, 0)->size[1]));
  return RNL_OK;
}

static rnl_status translate_view(rnl_trace *trace, const rnl_node *node, int in, int *out, rnl_error *err) {
  const rnl_view_attrs *a = node->attrs;
  if (a->kind != RNL_VIEW_SLICE || a->dim != 1 || a->step != 1 || !has_rows(node, 0))
    return refuse(err, "take a value apart but by runs of its features: narrow(2, from, length) or [{{}, {from, to}}]");
  *out = rnl_program_slice(trace->program, in, a->start, a->length);
  return RNL_OK;
}

static rnl_status translate(void *context, const rnl_node *node, rnl_error *err) {
  rnl_trace *trace = context;
  rnl_program *p = trace->program;
  int in[2] = {-1, -1}, out = -1;
  const bool one = node->op == &rnl_op_unary || node->op == &rnl_op_reduce || node->op == &rnl_op_view ||
                   node->op == &rnl_op_clone;
  const bool two = node->op == &rnl_op_binary || node->op == &rnl_op_mm;
  if (node->op == &rnl_op_cat) return refuse(err, "join values; for a product write x:mm(U) + h:mm(W)");
  if (!one && !two) return rnl_fail(err, RNL_ERR_ARG, "a cell cannot use %s", node->op->name);
  for (int k = 0; k < (two ? 2 : 1); k++) RNL_TRY(rnl_trace_value(trace, node->in[k], &in[k], err));
  if (node->op == &rnl_op_unary) out = rnl_program_unary(p, *(const rnl_unary *)node->attrs, in[0]);
  else if (node->op == &rnl_op_binary) out = rnl_program_binary(p, *(const rnl_binary *)node->attrs, in[0], in[1]);
  else if (node->op == &rnl_op_mm) out = rnl_program_mm(p, in[0], in[1]);
  else if (node->op == &rnl_op_clone) out = in[0];
  else if (node->op == &rnl_op_reduce) RNL_TRY(translate_reduce(trace, node, in[0], &out, err));
  else RNL_TRY(translate_view(trace, node, in[0], &out, err));
  if (p->status != RNL_OK) return rnl_fail(err, p->status, "%s", p->error.text);
  if (trace->n == RNL_TRACE_VALUES)
    return rnl_fail(err, RNL_ERR_ARG, "a cell of more than %d values", RNL_TRACE_VALUES);
  trace->known[trace->n].slot = node->out[0];
  trace->known[trace->n++].value = out;
  node->out[0]->references++; /* a slot that was given up must not come back at its address as another's */
  return RNL_OK;
}

void rnl_trace_begin(rnl_trace *trace, rnl_program *program) {
  memset(trace, 0, sizeof *trace);
  trace->program = program;
  rnl_record_begin();
}

void rnl_trace_watch(rnl_trace *trace) {
  rnl_record_watch(translate, trace);
}

void rnl_trace_end(rnl_trace *trace) {
  if (!trace->program) return;
  rnl_record_watch(NULL, NULL);
  rnl_record_end();
  for (int i = 0; i < trace->n; i++) {
    if (trace->known[i].var) rnl_var_release(trace->known[i].var);
    else rnl_slot_release(trace->known[i].slot);
  }
  memset(trace, 0, sizeof *trace);
}
