/* rnn/program.c: building a cell program and checking it. Its gradient is program_grad.c's. */
#include "rnn/program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "rnn/program_parts.h"

/* ---- life ----------------------------------------------------------------------------------- */

rnl_program *rnl_program_new(const char *name) {
  rnl_program *p = rnl_alloc(1, sizeof *p);
  if (!p) return NULL;
  p->references = 1;
  snprintf(p->name, sizeof p->name, "%s", name);
  for (int k = 0; k < RNL_PROGRAM_STATES; k++) p->next[k] = -1;
  return p;
}

rnl_program *rnl_program_ref(rnl_program *program) {
  program->references++;
  return program;
}

void rnl_program_release(rnl_program *program) {
  if (program && --program->references == 0) rnl_free(program);
}

/* ---- values --------------------------------------------------------------------------------- */

int rnl_program_fail(rnl_program *p, rnl_status status, const char *format, ...) {
  if (p->status != RNL_OK) return -1;
  char text[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  p->status = rnl_fail(&p->error, status, "cell %s: %s", p->name, text);
  return -1;
}

int rnl_program_value_new(rnl_program *p, rnl_value_kind kind, int index, int64_t rows, int64_t width) {
  if (p->status != RNL_OK) return -1;
  if (p->n_values == RNL_PROGRAM_VALUES)
    return rnl_program_fail(p, RNL_ERR_ARG, "it computes more than %d values in a step", RNL_PROGRAM_VALUES);
  if (width < 1 || rows < 0) return rnl_program_fail(p, RNL_ERR_SHAPE, "a size of %lld", (long long)width);
  const int v = p->n_values++;
  p->value[v] = (rnl_program_value){.kind = kind, .index = index, .of = -1, .rows = rows, .width = width,
                                    .state = -1, .output = -1, .shares = -1};
  return v;
}

/* Room for one more of a kind; the value, whose number within the kind is *count before it grew. */
static int numbered(rnl_program *p, rnl_value_kind kind, int *count, int most, const char *what, int *list,
                    int64_t rows, int64_t width) {
  if (p->status == RNL_OK && *count == most)
    return rnl_program_fail(p, RNL_ERR_ARG, "it has more than %d %s", most, what);
  const int v = rnl_program_value_new(p, kind, *count, rows, width);
  if (v >= 0) list[(*count)++] = v;
  return v;
}

int rnl_program_sequence(rnl_program *p, int64_t width) {
  return numbered(p, RNL_VALUE_SEQUENCE, &p->n_sequences, RNL_PROGRAM_SEQUENCES, "input sequences", p->sequence, 0,
                  width);
}
int rnl_program_row(rnl_program *p, int64_t width) {
  return numbered(p, RNL_VALUE_ROW, &p->n_rows, RNL_PROGRAM_ROWS, "rows", p->row, 0, width);
}
int rnl_program_state(rnl_program *p, const char *name, int64_t width) {
  const int v = numbered(p, RNL_VALUE_STATE, &p->n_states, RNL_PROGRAM_STATES, "states", p->state, 0, width);
  if (v >= 0) snprintf(p->state_name[p->n_states - 1], RNL_PROGRAM_NAME, "%s", name);
  return v;
}
int rnl_program_weight(rnl_program *p, const char *name, int64_t rows, int64_t width) {
  const int v = numbered(p, RNL_VALUE_WEIGHT, &p->n_weights, RNL_PROGRAM_WEIGHTS, "weights", p->weight, rows, width);
  if (v >= 0) snprintf(p->weight_name[p->n_weights - 1], RNL_PROGRAM_NAME, "%s", name);
  return v;
}
int rnl_program_constant(rnl_program *p, double number) {
  for (int v = 0; v < p->n_values; v++)
    if (p->value[v].kind == RNL_VALUE_CONSTANT && memcmp(&p->value[v].number, &number, sizeof number) == 0) return v;
  const int v = rnl_program_value_new(p, RNL_VALUE_CONSTANT, 0, 0, 1);
  if (v >= 0) p->value[v].number = number;
  return v;
}

int rnl_program_slice(rnl_program *p, int of, int64_t start, int64_t width) {
  if (p->status != RNL_OK || of < 0) return -1;
  const rnl_program_value from = p->value[of];
  if (start < 0 || width < 1 || start + width > from.width)
    return rnl_program_fail(p, RNL_ERR_SHAPE, "features %lld to %lld of a value of %lld", (long long)start + 1,
                            (long long)(start + width), (long long)from.width);
  if (from.kind == RNL_VALUE_WEIGHT || from.kind == RNL_VALUE_CONSTANT)
    return rnl_program_fail(p, RNL_ERR_ARG, "a slice of a weight; make two weights of it");
  const int base = rnl_program_base(p, of);
  const int v = rnl_program_value_new(p, RNL_VALUE_SLICE, 0, 0, width);
  if (v < 0) return -1;
  p->value[v].of = base;
  p->value[v].start = start + from.start;
  p->value[v].stop = from.stop;
  return v;
}

int rnl_program_stop(rnl_program *p, int of) {
  if (p->status != RNL_OK || of < 0) return -1;
  if (p->value[of].kind == RNL_VALUE_CONSTANT) return of;
  if (p->value[of].kind == RNL_VALUE_WEIGHT)
    return rnl_program_fail(p, RNL_ERR_ARG, "the gradient of a weight is stopped where it is used, not itself");
  const int v = rnl_program_slice(p, of, 0, p->value[of].width);
  if (v >= 0) p->value[v].stop = true;
  return v;
}

/* ---- instructions --------------------------------------------------------------------------- */

rnl_instruction *rnl_program_append(rnl_program *p, rnl_instruction *list, int *count, rnl_opcode op, int kind) {
  if (p->status != RNL_OK) return NULL;
  if (*count == RNL_PROGRAM_INSTRUCTIONS) {
    rnl_program_fail(p, RNL_ERR_ARG, "it takes more than %d instructions a step", RNL_PROGRAM_INSTRUCTIONS);
    return NULL;
  }
  rnl_instruction *i = &list[(*count)++];
  *i = (rnl_instruction){.op = op, .kind = kind, .in = {-1, -1, -1, -1, -1}, .out = {-1, -1, -1}};
  return i;
}

static bool is_matrix(const rnl_program *p, int v) {
  return p->value[v].kind == RNL_VALUE_WEIGHT && p->value[v].rows > 0;
}

/* An elementwise instruction of the forward list. */
static int elementwise(rnl_program *p, rnl_opcode op, int kind, int n, const int *in, const char *what) {
  int64_t width = 1;
  for (int k = 0; k < n; k++) {
    if (p->status != RNL_OK || in[k] < 0) return -1;
    const int64_t w = p->value[in[k]].width;
    if (is_matrix(p, in[k]))
      return rnl_program_fail(p, RNL_ERR_ARG, "%s of a matrix weight; a step multiplies rows by it (mm)", what);
    if (w != 1 && width != 1 && w != width)
      return rnl_program_fail(p, RNL_ERR_SHAPE, "%s of %lld and %lld features", what, (long long)width, (long long)w);
    if (w > width) width = w;
  }
  const int out = rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, width);
  rnl_instruction *i = out < 0 ? NULL : rnl_program_append(p, p->forward, &p->n_forward, op, kind);
  if (!i) return -1;
  for (int k = 0; k < n; k++) i->in[k] = in[k];
  i->out[0] = out;
  return out;
}

int rnl_program_unary(rnl_program *p, rnl_unary kind, int a) {
  return elementwise(p, RNL_OP_UNARY, (int)kind, 1, &a, "a function");
}
int rnl_program_binary(rnl_program *p, rnl_binary kind, int a, int b) {
  return elementwise(p, RNL_OP_BINARY, (int)kind, 2, (int[]){a, b}, "arithmetic");
}

int rnl_program_sum(rnl_program *p, int a) {
  if (p->status != RNL_OK || a < 0) return -1;
  if (p->value[a].kind == RNL_VALUE_WEIGHT) return rnl_program_fail(p, RNL_ERR_ARG, "the sum of a weight");
  const int out = rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, 1);
  rnl_instruction *i = out < 0 ? NULL : rnl_program_append(p, p->forward, &p->n_forward, RNL_OP_SUM, 0);
  if (!i) return -1;
  i->in[0] = a;
  i->out[0] = out;
  return out;
}

int rnl_program_affine(rnl_program *p, rnl_activation act, int bias, int n, const int *terms) {
  if (p->status != RNL_OK) return -1;
  if (n < 1 || n > RNL_PROGRAM_TERMS) return rnl_program_fail(p, RNL_ERR_ARG, "a sum of %d products", n);
  int64_t width = 0;
  for (int k = 0; k < n; k++) {
    const int source = terms[2 * k], weight = terms[2 * k + 1];
    if (source < 0 || weight < 0) return -1;
    if (!is_matrix(p, weight))
      return rnl_program_fail(p, RNL_ERR_ARG, "mm needs one of the cell's matrix weights on its right");
    if (p->value[source].kind == RNL_VALUE_WEIGHT || p->value[source].kind == RNL_VALUE_CONSTANT)
      return rnl_program_fail(p, RNL_ERR_ARG, "mm needs a row of features on its left, not a weight or a number");
    if (p->value[source].width != p->value[weight].rows)
      return rnl_program_fail(p, RNL_ERR_SHAPE, "mm: %lld features and a weight of %lld rows",
                              (long long)p->value[source].width, (long long)p->value[weight].rows);
    if (k > 0 && p->value[weight].width != width)
      return rnl_program_fail(p, RNL_ERR_SHAPE, "a sum of %lld and %lld features", (long long)width,
                              (long long)p->value[weight].width);
    width = p->value[weight].width;
  }
  if (bias >= 0 && (is_matrix(p, bias) || p->value[bias].width != width || p->value[bias].kind == RNL_VALUE_CONSTANT))
    return rnl_program_fail(p, RNL_ERR_SHAPE, "a bias of %lld for %lld features", (long long)p->value[bias].width,
                            (long long)width);
  const int out = rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, width);
  rnl_instruction *i = out < 0 ? NULL : rnl_program_append(p, p->forward, &p->n_forward, RNL_OP_AFFINE, (int)act);
  if (!i) return -1;
  i->in[0] = bias;
  i->out[0] = out;
  i->n_terms = n;
  for (int k = 0; k < n; k++) i->term[k] = (rnl_program_term){.source = terms[2 * k], .weight = terms[2 * k + 1]};
  return out;
}

int rnl_program_mm(rnl_program *p, int source, int weight) {
  return rnl_program_affine(p, RNL_ACT_LINEAR, -1, 1, (int[]){source, weight});
}

int rnl_program_lstm(rnl_program *p, int z, int c_before, int *c, int *gates) {
  if (p->status != RNL_OK || z < 0 || c_before < 0) return -1;
  const int64_t n = p->value[c_before].width;
  if (p->value[z].width != 4 * n)
    return rnl_program_fail(p, RNL_ERR_SHAPE, "lstm: %lld features for %lld cells", (long long)p->value[z].width,
                            (long long)n);
  const int out[3] = {rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, 4 * n),
                      rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, n),
                      rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, n)};
  rnl_instruction *i = rnl_program_append(p, p->forward, &p->n_forward, RNL_OP_LSTM, 0);
  if (!i) return -1;
  i->in[0] = z;
  i->in[1] = c_before;
  memcpy(i->out, out, sizeof out);
  *c = out[1];
  if (gates) *gates = out[0];
  return out[2];
}

int rnl_program_gru(rnl_program *p, int zx, int zh, int h_before, int *gates) {
  if (p->status != RNL_OK || zx < 0 || zh < 0 || h_before < 0) return -1;
  const int64_t n = p->value[h_before].width;
  if (p->value[zx].width != 3 * n || p->value[zh].width != 3 * n)
    return rnl_program_fail(p, RNL_ERR_SHAPE, "gru: %lld and %lld features for %lld units",
                            (long long)p->value[zx].width, (long long)p->value[zh].width, (long long)n);
  const int out[2] = {rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, 3 * n),
                      rnl_program_value_new(p, RNL_VALUE_STEP, 0, 0, n)};
  rnl_instruction *i = rnl_program_append(p, p->forward, &p->n_forward, RNL_OP_GRU, 0);
  if (!i) return -1;
  i->in[0] = zx;
  i->in[1] = zh;
  i->in[2] = h_before;
  memcpy(i->out, out, sizeof out);
  if (gates) *gates = out[0];
  return out[1];
}

void rnl_program_next(rnl_program *p, int state, int value) {
  if (p->status != RNL_OK || state < 0 || value < 0) return;
  if (p->value[value].kind == RNL_VALUE_WEIGHT || p->value[value].width != p->value[state].width)
    rnl_program_fail(p, RNL_ERR_SHAPE, "state %s has %lld features and its new value %lld",
                     p->state_name[p->value[state].index], (long long)p->value[state].width,
                     (long long)p->value[value].width);
  else
    p->next[p->value[state].index] = value;
}

void rnl_program_emit(rnl_program *p, const char *name, int value) {
  if (p->status != RNL_OK || value < 0) return;
  for (int k = 0; k < p->n_outputs; k++)
    if (strcmp(p->output_name[k], name) == 0) {
      rnl_program_fail(p, RNL_ERR_ARG, "two of its states or outputs are called %s", name);
      return;
    }
  if (p->n_outputs == RNL_PROGRAM_OUTPUTS) {
    rnl_program_fail(p, RNL_ERR_ARG, "it has more than %d outputs", RNL_PROGRAM_OUTPUTS);
  } else if (p->value[value].kind == RNL_VALUE_WEIGHT || p->value[value].kind == RNL_VALUE_CONSTANT) {
    rnl_program_fail(p, RNL_ERR_ARG, "output %s is a weight or a number", name);
  } else {
    snprintf(p->output_name[p->n_outputs], RNL_PROGRAM_NAME, "%s", name);
    p->output[p->n_outputs++] = value;
  }
}

/* ---- finishing ------------------------------------------------------------------------------ */

/* Every next state and output is a STEP value of its own: a copy where it is not. */
static void give_places(rnl_program *p) {
  for (int k = 0; k < p->n_states && p->status == RNL_OK; k++) {
    int v = p->next[k];
    if (v < 0) {
      rnl_program_fail(p, RNL_ERR_ARG, "nothing sets the next value of state %s", p->state_name[k]);
      return;
    }
    if (p->value[v].kind != RNL_VALUE_STEP || p->value[v].state >= 0) v = rnl_program_unary(p, RNL_UNARY_COPY, v);
    if (v < 0) return;
    p->next[k] = v;
    p->value[v].state = k;
  }
  for (int k = 0; k < p->n_outputs && p->status == RNL_OK; k++) {
    int v = p->output[k];
    if (p->value[v].kind != RNL_VALUE_STEP || p->value[v].output >= 0) v = rnl_program_unary(p, RNL_UNARY_COPY, v);
    if (v < 0) return;
    p->output[k] = v;
    p->value[v].output = k;
  }
}

/* How often each value is read by the forward list; a next state or output counts as one. */
static void count_uses(const rnl_program *p, int *uses) {
  memset(uses, 0, RNL_PROGRAM_VALUES * sizeof *uses);
  for (int i = 0; i < p->n_forward; i++) {
    const rnl_instruction *f = &p->forward[i];
    for (int k = 0; k < 5; k++)
      if (f->in[k] >= 0) uses[rnl_program_base(p, f->in[k])]++;
    for (int k = 0; k < f->n_terms; k++) uses[rnl_program_base(p, f->term[k].source)]++;
  }
  for (int v = 0; v < p->n_values; v++) uses[v] += (p->value[v].state >= 0) + (p->value[v].output >= 0);
}

static void drop(rnl_program *p, int i) {
  memmove(&p->forward[i], &p->forward[i + 1], (size_t)(p->n_forward - i - 1) * sizeof *p->forward);
  p->n_forward--;
}

/* Instructions whose results nobody reads. */
static void drop_unused(rnl_program *p) {
  int uses[RNL_PROGRAM_VALUES];
  for (int i = p->n_forward - 1; i >= 0; i--) {
    count_uses(p, uses);
    bool used = false;
    for (int k = 0; k < 3; k++) used = used || (p->forward[i].out[k] >= 0 && uses[p->forward[i].out[k]] > 0);
    if (!used) drop(p, i);
  }
}

/* The linear AFFINE that computes v for one reader only, or -1. */
static int lone_affine(const rnl_program *p, const int *uses, int v, int before) {
  if (v < 0 || p->value[v].kind != RNL_VALUE_STEP || uses[v] != 1 || p->value[v].state >= 0 || p->value[v].output >= 0)
    return -1;
  for (int i = 0; i < before; i++)
    if (p->forward[i].op == RNL_OP_AFFINE && p->forward[i].out[0] == v && p->forward[i].kind == RNL_ACT_LINEAR)
      return i;
  return -1;
}

/* One step of fusion: x·U + h·W + b and its activation become one AFFINE. False: nothing left to fuse. */
static bool fuse_once(rnl_program *p) {
  int uses[RNL_PROGRAM_VALUES];
  count_uses(p, uses);
  for (int i = 0; i < p->n_forward; i++) {
    rnl_instruction *f = &p->forward[i];
    if (f->op == RNL_OP_BINARY && f->kind == RNL_BINARY_ADD) {
      for (int side = 0; side < 2; side++) {
        const int at = lone_affine(p, uses, f->in[side], i), other = f->in[1 - side];
        if (at < 0 || p->value[other].width != p->value[f->out[0]].width || p->value[other].kind == RNL_VALUE_CONSTANT)
          continue;
        rnl_instruction merged = p->forward[at];
        const int second = lone_affine(p, uses, other, i);
        const bool both = second >= 0 && merged.n_terms + p->forward[second].n_terms <= RNL_PROGRAM_TERMS &&
                          (merged.in[0] < 0 || p->forward[second].in[0] < 0);
        if (both) {
          const rnl_instruction *s = &p->forward[second];
          for (int k = 0; k < s->n_terms; k++) merged.term[merged.n_terms++] = s->term[k];
          if (s->in[0] >= 0) merged.in[0] = s->in[0];
        } else if (merged.in[0] < 0) {
          merged.in[0] = other;
        } else {
          continue;
        }
        merged.out[0] = f->out[0];
        *f = merged;
        if (both && second > at) drop(p, second);
        drop(p, at);
        if (both && second < at) drop(p, second);
        return true;
      }
    } else if (f->op == RNL_OP_UNARY &&
               (f->kind == RNL_UNARY_TANH || f->kind == RNL_UNARY_SIGMOID || f->kind == RNL_UNARY_RELU)) {
      const int at = lone_affine(p, uses, f->in[0], i);
      if (at < 0) continue;
      rnl_instruction merged = p->forward[at];
      merged.kind = f->kind == RNL_UNARY_TANH      ? RNL_ACT_TANH
                    : f->kind == RNL_UNARY_SIGMOID ? RNL_ACT_SIGMOID
                                                   : RNL_ACT_RELU;
      merged.out[0] = f->out[0];
      *f = merged;
      drop(p, at);
      return true;
    }
  }
  return false;
}

rnl_status rnl_program_finish(rnl_program *p, rnl_error *err) {
  if (p->finished) return RNL_OK;
  if (p->status == RNL_OK && p->n_sequences < 1) rnl_program_fail(p, RNL_ERR_ARG, "it has no input");
  if (p->status == RNL_OK && p->n_outputs < 1) rnl_program_fail(p, RNL_ERR_ARG, "it has no output");
  give_places(p);
  if (p->status == RNL_OK) {
    drop_unused(p);
    while (fuse_once(p)) {
    }
    rnl_program_differentiate(p);
  }
  if (p->status != RNL_OK) {
    if (err) *err = p->error;
    return p->status;
  }
  p->finished = true;
  return RNL_OK;
}

/* ---- what depends on what ------------------------------------------------------------------- */

/* Whether `value` depends, through the list, on a value of the kind given. */
static bool depends(const rnl_program *p, const rnl_instruction *list, int count, int value, rnl_value_kind on) {
  bool does[RNL_PROGRAM_VALUES] = {false};
  for (int v = 0; v < p->n_values; v++) does[v] = p->value[v].kind == on;
  for (int i = 0; i < count; i++) {
    bool some = false;
    for (int k = 0; k < 5; k++) some = some || (list[i].in[k] >= 0 && does[rnl_program_base(p, list[i].in[k])]);
    for (int k = 0; k < list[i].n_terms; k++) some = some || does[rnl_program_base(p, list[i].term[k].source)];
    for (int k = 0; k < 3; k++)
      if (some && list[i].out[k] >= 0) does[rnl_program_base(p, list[i].out[k])] = true;
  }
  return does[rnl_program_base(p, value)];
}

bool rnl_program_recurrent(const rnl_program *p, int value) {
  return depends(p, p->forward, p->n_forward, value, RNL_VALUE_STATE);
}
bool rnl_program_carried(const rnl_program *p, int value) {
  return depends(p, p->backward, p->n_backward, value, RNL_VALUE_STATE_GRAD);
}
