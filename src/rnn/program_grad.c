/* rnn/program_grad.c: the backward list of a cell program, by going through the forward list in reverse.
 *
 * Each forward value v gets a gradient value G(v), the sum of what its readers contribute. Contributions of matrix
 * products, dz · weight', wait until G(v) is needed and then go into one instruction with several terms. A slice
 * contributes to a part of its base's gradient: which features were written is kept as intervals, so that the
 * first to write overwrites and later ones add; what nobody wrote is filled with zero before it is read.
 */
#include <string.h>

#include "rnn/program_parts.h"

enum { INTERVALS = 48, PENDING = 64 };

typedef struct gradient {
  int value; /* of the backward list; -1: none yet */
  int n;     /* intervals written so far */
  int64_t start[INTERVALS], end[INTERVALS];
} gradient;

typedef struct pending_term {
  int target, dz, weight; /* target: a forward value or slice; dz · weight' belongs to its gradient */
} pending_term;

typedef struct derivation {
  rnl_program *p;
  gradient of[RNL_PROGRAM_VALUES]; /* by forward base value */
  int state_grad[RNL_PROGRAM_STATES];
  pending_term pending[PENDING];
  int n_pending;
} derivation;

static rnl_instruction *emit(derivation *d, rnl_opcode op, int kind, int out, bool add) {
  rnl_instruction *i = rnl_program_append(d->p, d->p->backward, &d->p->n_backward, op, kind);
  if (i) i->out[0] = out, i->add = add;
  return i;
}

/* out (+)= in, stretched */
static void emit_copy(derivation *d, int out, bool add, int in) {
  rnl_instruction *i = emit(d, RNL_OP_UNARY, RNL_UNARY_COPY, out, add);
  if (i) i->in[0] = in;
}

static int new_step(derivation *d, int64_t width) {
  return rnl_program_value_new(d->p, RNL_VALUE_STEP, 0, 0, width);
}

/* Features start .. start+width-1 of backward value v. */
static int part_of(derivation *d, int v, int64_t start, int64_t width) {
  if (v < 0 || (start == 0 && width == d->p->value[v].width)) return v;
  return rnl_program_slice(d->p, v, start, width);
}

static bool wants_gradient(const rnl_program *p, int v) {
  const rnl_program_value *value = &p->value[v];
  if (value->kind == RNL_VALUE_SLICE) return !value->stop && wants_gradient(p, value->of);
  return value->kind == RNL_VALUE_STEP || value->kind == RNL_VALUE_STATE || value->kind == RNL_VALUE_SEQUENCE ||
         value->kind == RNL_VALUE_WEIGHT;
}

/* ---- where contributions go ----------------------------------------------------------------- */

static void note_written(derivation *d, gradient *g, int64_t start, int64_t end) {
  if (g->n == INTERVALS) {
    rnl_program_fail(d->p, RNL_ERR_ARG, "a value is cut into more than %d slices", INTERVALS);
    return;
  }
  g->start[g->n] = start;
  g->end[g->n++] = end;
}

/* The end of a written interval that holds `at`, or `at` if none does. */
static int64_t written_until(const gradient *g, int64_t at) {
  for (int k = 0; k < g->n; k++)
    if (g->start[k] <= at && at < g->end[k]) return g->end[k];
  return at;
}
static int64_t next_written(const gradient *g, int64_t at, int64_t end) {
  for (int k = 0; k < g->n; k++)
    if (g->start[k] > at && g->start[k] < end) end = g->start[k];
  return end;
}

/* Write zero into the features of [start, end) that nobody wrote. */
static void fill_gaps(derivation *d, gradient *g, int64_t start, int64_t end) {
  int64_t at = start;
  while (at < end && d->p->status == RNL_OK) {
    const int64_t until = written_until(g, at);
    if (until > at) {
      at = until;
      continue;
    }
    const int64_t next = next_written(g, at, end);
    emit_copy(d, part_of(d, g->value, at, next - at), false, rnl_program_constant(d->p, 0));
    note_written(d, g, at, next);
    at = next;
  }
}

static void make_gradient(derivation *d, int base) {
  rnl_program *p = d->p;
  gradient *g = &d->of[base];
  if (g->value >= 0) return;
  const rnl_program_value value = p->value[base];
  if (value.kind == RNL_VALUE_STATE) {
    g->value = d->state_grad[value.index];
  } else if (value.kind == RNL_VALUE_SEQUENCE || value.kind == RNL_VALUE_WEIGHT) {
    g->value =
        rnl_program_value_new(p, value.kind == RNL_VALUE_SEQUENCE ? RNL_VALUE_SEQUENCE_GRAD : RNL_VALUE_WEIGHT_GRAD,
                              value.index, 0, value.width);
    note_written(d, g, 0, value.width); /* zeroed before the first step: always added to */
  } else {
    g->value = new_step(d, value.width);
  }
}

/* Where the contribution to forward value v is to be written, and whether it is to be added. */
static int slot(derivation *d, int v, bool *add) {
  rnl_program *p = d->p;
  const int base = rnl_program_base(p, v);
  gradient *g = &d->of[base];
  make_gradient(d, base);
  if (p->status != RNL_OK) return -1;
  const int64_t start = p->value[v].start, end = start + p->value[v].width; /* start is 0 but for slices */
  bool apart = true;
  for (int k = 0; k < g->n; k++) apart = apart && (g->end[k] <= start || end <= g->start[k]);
  *add = !apart;
  if (apart) note_written(d, g, start, end);
  else fill_gaps(d, g, start, end);
  return part_of(d, g->value, start, end - start);
}

/* G(v) += g */
static void pass_whole(derivation *d, int v, int g) {
  bool add = false;
  const int out = slot(d, v, &add); /* sets add */
  emit_copy(d, out, add, g);
}

/* G(v) += op(in...), an elementwise result of `width` features; where v has one feature, its sum. */
static void contribute(derivation *d, int v, int64_t width, rnl_opcode op, int kind, int side, int n, const int *in) {
  if (v < 0 || d->p->status != RNL_OK || !wants_gradient(d->p, v)) return;
  const bool summed = d->p->value[v].width == 1 && width > 1;
  bool add = false;
  const int out = summed ? new_step(d, width) : slot(d, v, &add);
  rnl_instruction *i = emit(d, op, kind, out, add);
  if (!i) return;
  i->side = side;
  for (int k = 0; k < n; k++) i->in[k] = in[k];
  if (!summed) return;
  const int into = slot(d, v, &add);
  if ((i = emit(d, RNL_OP_SUM, 0, into, add))) i->in[0] = out;
}

/* ---- matrix products ------------------------------------------------------------------------ */

static void product_of(derivation *d, const rnl_program_term *term, int dz) {
  rnl_program *p = d->p;
  if (p->n_products == RNL_PROGRAM_INSTRUCTIONS) {
    rnl_program_fail(p, RNL_ERR_ARG, "it takes more than %d products a step", RNL_PROGRAM_INSTRUCTIONS);
    return;
  }
  p->product[p->n_products++] =
      (rnl_program_product){.weight = p->value[term->weight].index, .source = term->source, .gradient = dz};
  if (!wants_gradient(p, term->source)) return;
  if (d->n_pending == PENDING) rnl_program_fail(p, RNL_ERR_ARG, "it takes too many products a step");
  else d->pending[d->n_pending++] = (pending_term){.target = term->source, .dz = dz, .weight = term->weight};
}

/* Emit what waits for G(base): one AFFINE for each part of it that is read. */
static void flush(derivation *d, int base) {
  for (int k = 0; k < d->n_pending; k++) {
    const int target = d->pending[k].target;
    if (target < 0 || rnl_program_base(d->p, target) != base) continue;
    bool add = false;
    rnl_instruction *i = NULL;
    for (int m = k; m < d->n_pending; m++) {
      if (d->pending[m].target != target) continue;
      if (!i || i->n_terms == RNL_PROGRAM_TERMS) {
        const int out = slot(d, target, &add);
        if (!(i = emit(d, RNL_OP_AFFINE, RNL_ACT_LINEAR, out, add))) return;
      }
      i->term[i->n_terms++] =
          (rnl_program_term){.source = d->pending[m].dz, .weight = d->pending[m].weight, .transposed = true};
      d->pending[m].target = -1;
    }
  }
}

/* G(base), whole, for reading; -1 where nothing contributes. */
static int consume(derivation *d, int base) {
  if (base < 0) return -1;
  flush(d, base);
  gradient *g = &d->of[base];
  if (g->value < 0 || g->n == 0 || d->p->status != RNL_OK) return -1;
  fill_gaps(d, g, 0, d->p->value[base].width);
  return g->value;
}

/* ---- the gradients of the instructions ------------------------------------------------------ */

static const int none = -1;

/* Whether f' of a unary function needs x or y = f(x): as kernel unary_backward computes it. */
static bool slope_of_x(rnl_unary kind) {
  return kind == RNL_UNARY_ABS || kind == RNL_UNARY_SQUARE || kind == RNL_UNARY_LOG || kind == RNL_UNARY_SIN ||
         kind == RNL_UNARY_COS;
}
static bool slope_of_y(rnl_unary kind) {
  return kind == RNL_UNARY_SQRT || kind == RNL_UNARY_EXP || kind == RNL_UNARY_TANH || kind == RNL_UNARY_SIGMOID ||
         kind == RNL_UNARY_RELU;
}

static void of_affine(derivation *d, const rnl_instruction *f, int g) {
  static const rnl_unary unary_of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
  _Static_assert(sizeof unary_of / sizeof *unary_of == RNL_ACT_COUNT, "a function each");
  const int64_t width = d->p->value[f->out[0]].width;
  int dz = g;
  if (f->kind != RNL_ACT_LINEAR) {
    dz = new_step(d, width);
    rnl_instruction *i = emit(d, RNL_OP_UNARY_GRAD, (int)unary_of[f->kind], dz, false);
    if (!i) return;
    i->in[0] = g;
    i->in[2] = f->out[0];
  }
  contribute(d, f->in[0], width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &dz);
  for (int k = 0; k < f->n_terms; k++) product_of(d, &f->term[k], dz);
}

static void of_binary(derivation *d, const rnl_instruction *f, int g) {
  const int a = f->in[0], b = f->in[1], y = f->out[0];
  const int64_t width = d->p->value[y].width;
  switch ((rnl_binary)f->kind) {
    case RNL_BINARY_ADD:
      contribute(d, a, width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &g);
      contribute(d, b, width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &g);
      break;
    case RNL_BINARY_SUB:
      contribute(d, a, width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &g);
      contribute(d, b, width, RNL_OP_UNARY, RNL_UNARY_NEG, 0, 1, &g);
      break;
    case RNL_BINARY_MUL:
      contribute(d, a, width, RNL_OP_BINARY, RNL_BINARY_MUL, 0, 2, (int[]){g, b});
      contribute(d, b, width, RNL_OP_BINARY, RNL_BINARY_MUL, 0, 2, (int[]){g, a});
      break;
    case RNL_BINARY_DIV:
      contribute(d, a, width, RNL_OP_BINARY, RNL_BINARY_DIV, 0, 2, (int[]){g, b});
      contribute(d, b, width, RNL_OP_BINARY_GRAD, f->kind, 1, 4, (int[]){g, a, b, y});
      break;
    default:
      contribute(d, a, width, RNL_OP_BINARY_GRAD, f->kind, 0, 4, (int[]){g, a, b, y});
      contribute(d, b, width, RNL_OP_BINARY_GRAD, f->kind, 1, 4, (int[]){g, a, b, y});
      break;
  }
}

/* A result that a gradient of LSTM or GRU writes for forward value v: straight into G(v) where nothing is there yet. */
static int whole_result(derivation *d, int v) {
  bool add = false;
  const int base = rnl_program_base(d->p, v);
  if (wants_gradient(d->p, v) && base == v && d->of[v].n == 0 &&
      (d->p->value[v].kind == RNL_VALUE_STEP || d->p->value[v].kind == RNL_VALUE_STATE)) {
    flush(d, v);
    if (d->of[v].n == 0) return slot(d, v, &add);
  }
  return new_step(d, d->p->value[v].width);
}
static void add_result(derivation *d, int v, int result) {
  if (d->p->status == RNL_OK && wants_gradient(d->p, v) && d->of[rnl_program_base(d->p, v)].value != result)
    contribute(d, v, d->p->value[v].width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &result);
}

/* Gradients that arrive at the gates themselves (they were emitted): dz += g act'(gate), a gate after another. */
static void of_gates(derivation *d, int gates, int g, int dz, int n_gates, int tanh_gate) {
  if (g < 0) return;
  const int64_t n = d->p->value[gates].width / n_gates;
  for (int k = 0; k < n_gates; k++) {
    const int out = part_of(d, dz, k * n, n), from = part_of(d, g, k * n, n), gate = part_of(d, gates, k * n, n);
    rnl_instruction *i = emit(d, RNL_OP_UNARY_GRAD, k == tanh_gate ? RNL_UNARY_TANH : RNL_UNARY_SIGMOID, out, true);
    if (i) i->in[0] = from, i->in[2] = gate;
  }
}

static void of_lstm(derivation *d, const rnl_instruction *f) {
  const int z = f->in[0], c_before = f->in[1], gates = f->out[0], c = f->out[1];
  const int dh = consume(d, f->out[2]), dc = consume(d, c), g_gates = consume(d, gates);
  if (dh < 0 && dc < 0 && g_gates < 0) return;
  const int dz = whole_result(d, z), dc_before = whole_result(d, c_before);
  rnl_instruction *i = emit(d, RNL_OP_LSTM_GRAD, 0, dz, false);
  if (!i) return;
  i->out[1] = dc_before;
  const int in[5] = {gates, c_before, c, dh, dc};
  memcpy(i->in, in, sizeof in);
  of_gates(d, gates, g_gates, dz, 4, 2);
  add_result(d, z, dz);
  add_result(d, c_before, dc_before);
}

static void of_gru(derivation *d, const rnl_instruction *f) {
  const int zx = f->in[0], zh = f->in[1], h_before = f->in[2], gates = f->out[0];
  const int dh = consume(d, f->out[1]);
  if (dh < 0) return;
  if (d->p->value[gates].output >= 0) {
    d->p->look_only[d->p->value[gates].output] = true;
  } else if (consume(d, gates) >= 0) {
    rnl_program_fail(d->p, RNL_ERR_ARG, "the gates of the fused gru are for looking at, not for computing with");
    return;
  }
  const int dzx = whole_result(d, zx), dzh = whole_result(d, zh), dh_before = whole_result(d, h_before);
  rnl_instruction *i = emit(d, RNL_OP_GRU_GRAD, 0, dzx, false);
  if (!i) return;
  i->out[1] = dzh;
  i->out[2] = dh_before;
  const int in[4] = {gates, zh, h_before, dh};
  memcpy(i->in, in, sizeof in);
  add_result(d, zx, dzx);
  add_result(d, zh, dzh);
  add_result(d, h_before, dh_before);
}

static void of_instruction(derivation *d, const rnl_instruction *f) {
  if (f->op == RNL_OP_LSTM) {
    of_lstm(d, f);
    return;
  }
  if (f->op == RNL_OP_GRU) {
    of_gru(d, f);
    return;
  }
  const int y = f->out[0], g = consume(d, y);
  if (g < 0) return;
  const int64_t width = d->p->value[y].width;
  if (f->op == RNL_OP_AFFINE) {
    of_affine(d, f, g);
  } else if (f->op == RNL_OP_BINARY) {
    of_binary(d, f, g);
  } else if (f->op == RNL_OP_SUM) {
    contribute(d, f->in[0], d->p->value[f->in[0]].width, RNL_OP_UNARY, RNL_UNARY_COPY, 0, 1, &g);
  } else if (f->kind == RNL_UNARY_COPY || f->kind == RNL_UNARY_NEG) {
    contribute(d, f->in[0], width, RNL_OP_UNARY, f->kind, 0, 1, &g);
  } else if (f->kind != RNL_UNARY_SIGN) {
    const rnl_unary kind = (rnl_unary)f->kind;
    const int in[3] = {g, slope_of_x(kind) ? f->in[0] : none, slope_of_y(kind) ? y : none};
    contribute(d, f->in[0], width, RNL_OP_UNARY_GRAD, f->kind, 0, 3, in);
  }
}

/* ---- storage -------------------------------------------------------------------------------- */

static bool reads(const rnl_program *p, const rnl_instruction *i, int base) {
  for (int k = 0; k < 5; k++)
    if (i->in[k] >= 0 && rnl_program_base(p, i->in[k]) == base) return true;
  for (int k = 0; k < i->n_terms; k++)
    if (rnl_program_base(p, i->term[k].source) == base) return true;
  return false;
}
static bool writes(const rnl_program *p, const rnl_instruction *i, int base) {
  for (int k = 0; k < 3; k++)
    if (i->out[k] >= 0 && rnl_program_base(p, i->out[k]) == base) return true;
  return false;
}

/* G(next state) begins as a copy of STATE_GRAD. Where it is read for the last time before STATE_GRAD is written
 * anew, it can be STATE_GRAD itself. */
static void take_state_grad(derivation *d, int k) {
  rnl_program *p = d->p;
  const int own = d->of[p->next[k]].value, state_grad = d->state_grad[k];
  for (int m = 0; m < p->n_products; m++)
    if (rnl_program_base(p, p->product[m].gradient) == own) return;
  int copy = -1, last_read = -1, first_write = p->n_backward;
  for (int m = 0; m < p->n_backward; m++) {
    const rnl_instruction *i = &p->backward[m];
    if (copy < 0 && i->out[0] == own && i->in[0] == state_grad) copy = m;
    if (reads(p, i, own)) last_read = m;
    if (writes(p, i, state_grad) && first_write == p->n_backward) first_write = m;
  }
  if (copy < 0 || last_read > first_write) return;
  if (last_read == first_write) { /* only where the instruction may work in place */
    const rnl_instruction *i = &p->backward[last_read];
    const bool in_place =
        (i->op == RNL_OP_LSTM_GRAD && i->in[4] == own && i->out[1] == state_grad && i->in[3] != own) ||
        (i->op == RNL_OP_GRU_GRAD && i->in[3] == own && i->out[2] == state_grad);
    if (!in_place) return;
  }
  for (int m = 0; m < p->n_backward; m++) {
    rnl_instruction *i = &p->backward[m];
    for (int n = 0; n < 5; n++)
      if (i->in[n] == own) i->in[n] = state_grad;
    for (int n = 0; n < 3; n++)
      if (i->out[n] == own) i->out[n] = state_grad;
    for (int n = 0; n < i->n_terms; n++)
      if (i->term[n].source == own) i->term[n].source = state_grad;
  }
  for (int v = 0; v < p->n_values; v++)
    if (p->value[v].kind == RNL_VALUE_SLICE && p->value[v].of == own) p->value[v].of = state_grad;
  memmove(&p->backward[copy], &p->backward[copy + 1], (size_t)(p->n_backward - copy - 1) * sizeof *p->backward);
  p->n_backward--;
}

static void keep(rnl_program *p, int v) {
  if (v >= 0 && p->value[rnl_program_base(p, v)].kind == RNL_VALUE_STEP) p->value[rnl_program_base(p, v)].kept = true;
}

/* dz may lie where the gates did, which nobody reads after it. */
static void share(rnl_program *p, int at, int out, int in) {
  rnl_program_value *mine = out < 0 ? NULL : &p->value[out], *theirs = in < 0 ? NULL : &p->value[in];
  if (!mine || !theirs || mine->kind != RNL_VALUE_STEP || theirs->kind != RNL_VALUE_STEP || !mine->kept ||
      in >= p->n_forward_values || mine->width != theirs->width || theirs->state >= 0 || theirs->output >= 0)
    return;
  for (int m = at + 1; m < p->n_backward; m++)
    if (reads(p, &p->backward[m], in)) return;
  for (int m = 0; m < p->n_products; m++)
    if (rnl_program_base(p, p->product[m].source) == in) return;
  mine->shares = in;
}

static void settle_storage(rnl_program *p) {
  for (int v = 0; v < p->n_forward_values; v++)
    if (p->value[v].state >= 0 || p->value[v].output >= 0) p->value[v].kept = true;
  for (int m = 0; m < p->n_backward; m++) {
    const rnl_instruction *i = &p->backward[m];
    for (int k = 0; k < 5; k++)
      if (i->in[k] >= 0 && rnl_program_base(p, i->in[k]) < p->n_forward_values) keep(p, i->in[k]);
    for (int k = 0; k < i->n_terms; k++)
      if (rnl_program_base(p, i->term[k].source) < p->n_forward_values) keep(p, i->term[k].source);
  }
  for (int m = 0; m < p->n_products; m++) {
    keep(p, p->product[m].source);
    keep(p, p->product[m].gradient);
  }
  for (int m = 0; m < p->n_backward; m++) {
    const rnl_instruction *i = &p->backward[m];
    if (i->op != RNL_OP_LSTM_GRAD && i->op != RNL_OP_GRU_GRAD) continue;
    share(p, m, i->out[0], i->in[0]);
    if (i->op == RNL_OP_GRU_GRAD) share(p, m, i->out[1], i->in[1]);
  }
}

void rnl_program_differentiate(rnl_program *p) {
  p->n_forward_values = p->n_values;
  derivation d;
  memset(&d, 0, sizeof d);
  d.p = p;
  for (int v = 0; v < RNL_PROGRAM_VALUES; v++) d.of[v].value = -1;
  for (int k = 0; k < p->n_states; k++) {
    d.state_grad[k] = rnl_program_value_new(p, RNL_VALUE_STATE_GRAD, k, 0, p->value[p->state[k]].width);
    if (p->status == RNL_OK) pass_whole(&d, p->next[k], d.state_grad[k]);
  }
  for (int k = 0; k < p->n_outputs && p->status == RNL_OK; k++) {
    const int v = p->output[k], arriving = rnl_program_value_new(p, RNL_VALUE_ARRIVING, k, 0, p->value[v].width);
    pass_whole(&d, v, arriving);
  }
  for (int i = p->n_forward - 1; i >= 0 && p->status == RNL_OK; i--) of_instruction(&d, &p->forward[i]);
  for (int k = 0; k < p->n_sequences && p->status == RNL_OK; k++) flush(&d, p->sequence[k]);
  for (int k = 0; k < p->n_states && p->status == RNL_OK; k++)
    if (consume(&d, p->state[k]) < 0) emit_copy(&d, d.state_grad[k], false, rnl_program_constant(p, 0));
  for (int k = 0; k < p->n_states && p->status == RNL_OK; k++) take_state_grad(&d, k);
  if (p->status == RNL_OK) settle_storage(p);
}
