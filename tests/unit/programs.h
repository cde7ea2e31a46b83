/* programs.h: cell programs for tests, chosen so that every instruction and every way of reading a value occurs, and
 * a loss that sees every output and final state. */
#ifndef RNL_TEST_PROGRAMS_H
#define RNL_TEST_PROGRAMS_H

#include "golden.h"

#include "base/rng.h"
#include "grad/ops.h"
#include "grad/plan.h"
#include "rnn/init.h"
#include "rnn/loss.h"
#include "rnn/program_op.h"

typedef struct program_sizes {
  int64_t input, hidden, output;
} program_sizes;

/* The tutorial's network: y feeds nothing back. */
static inline rnl_program *program_elman(program_sizes n) {
  rnl_program *p = rnl_program_new("elman");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden);
  const int U = rnl_program_weight(p, "weight_ih", n.input, n.hidden),
            W = rnl_program_weight(p, "weight_hh", n.hidden, n.hidden);
  const int b = rnl_program_weight(p, "bias", 0, n.hidden), V = rnl_program_weight(p, "weight_ho", n.hidden, n.output);
  const int c = rnl_program_weight(p, "bias_o", 0, n.output);
  const int next = rnl_program_affine(p, RNL_ACT_TANH, b, 2, (int[]){x, U, h, W});
  rnl_program_next(p, h, next);
  rnl_program_emit(p, "h", next);
  rnl_program_emit(p, "y", rnl_program_affine(p, RNL_ACT_LINEAR, c, 1, (int[]){next, V}));
  return p;
}

/* The same equations spelled out, to be fused. */
static inline rnl_program *program_elman_spelled(program_sizes n) {
  rnl_program *p = rnl_program_new("elman");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden);
  const int U = rnl_program_weight(p, "weight_ih", n.input, n.hidden),
            W = rnl_program_weight(p, "weight_hh", n.hidden, n.hidden);
  const int b = rnl_program_weight(p, "bias", 0, n.hidden), V = rnl_program_weight(p, "weight_ho", n.hidden, n.output);
  const int c = rnl_program_weight(p, "bias_o", 0, n.output);
  const int sum = rnl_program_binary(p, RNL_BINARY_ADD, rnl_program_mm(p, x, U), rnl_program_mm(p, h, W));
  const int next = rnl_program_unary(p, RNL_UNARY_TANH, rnl_program_binary(p, RNL_BINARY_ADD, sum, b));
  rnl_program_next(p, h, next);
  rnl_program_emit(p, "h", next);
  rnl_program_emit(p, "y", rnl_program_binary(p, RNL_BINARY_ADD, rnl_program_mm(p, next, V), c));
  return p;
}

/* The fused lstm, its gates and cells emitted. */
static inline rnl_program *program_lstm(program_sizes n) {
  rnl_program *p = rnl_program_new("lstm");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden),
            c = rnl_program_state(p, "c", n.hidden);
  const int U = rnl_program_weight(p, "weight_ih", n.input, 4 * n.hidden);
  const int W = rnl_program_weight(p, "weight_hh", n.hidden, 4 * n.hidden),
            b = rnl_program_weight(p, "bias", 0, 4 * n.hidden);
  int c_next = -1, gates = -1;
  const int z = rnl_program_affine(p, RNL_ACT_LINEAR, b, 2, (int[]){x, U, h, W});
  const int next = rnl_program_lstm(p, z, c, &c_next, &gates);
  rnl_program_next(p, h, next);
  rnl_program_next(p, c, c_next);
  rnl_program_emit(p, "h", next);
  if (n.output) {
    rnl_program_emit(p, "c", c_next);
    rnl_program_emit(p, "gates", gates);
  }
  return p;
}

/* The same cell by slices, functions and products. */
static inline rnl_program *program_lstm_spelled(program_sizes n) {
  rnl_program *p = rnl_program_new("lstm");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden),
            c = rnl_program_state(p, "c", n.hidden);
  const int U = rnl_program_weight(p, "weight_ih", n.input, 4 * n.hidden);
  const int W = rnl_program_weight(p, "weight_hh", n.hidden, 4 * n.hidden),
            b = rnl_program_weight(p, "bias", 0, 4 * n.hidden);
  const int z = rnl_program_affine(p, RNL_ACT_LINEAR, b, 2, (int[]){x, U, h, W});
  int gate[4];
  for (int k = 0; k < 4; k++)
    gate[k] = rnl_program_unary(p, k == 2 ? RNL_UNARY_TANH : RNL_UNARY_SIGMOID,
                                rnl_program_slice(p, z, k * n.hidden, n.hidden));
  const int c_next = rnl_program_binary(p, RNL_BINARY_ADD, rnl_program_binary(p, RNL_BINARY_MUL, gate[1], c),
                                        rnl_program_binary(p, RNL_BINARY_MUL, gate[0], gate[2]));
  const int next = rnl_program_binary(p, RNL_BINARY_MUL, gate[3], rnl_program_unary(p, RNL_UNARY_TANH, c_next));
  rnl_program_next(p, h, next);
  rnl_program_next(p, c, c_next);
  rnl_program_emit(p, "h", next);
  return p;
}

/* PyTorch's gru, fused, and a read-out that is a state as well (fed back). */
static inline rnl_program *program_gru(program_sizes n) {
  rnl_program *p = rnl_program_new("gru");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden),
            y = rnl_program_state(p, "y", n.output);
  const int U = rnl_program_weight(p, "weight_ih", n.input, 3 * n.hidden),
            W = rnl_program_weight(p, "weight_hh", n.hidden, 3 * n.hidden);
  const int b = rnl_program_weight(p, "bias_ih", 0, 3 * n.hidden),
            bh = rnl_program_weight(p, "bias_hh", 0, 3 * n.hidden);
  const int F = rnl_program_weight(p, "weight_oh", n.output, 3 * n.hidden);
  const int V = rnl_program_weight(p, "weight_ho", n.hidden, n.output);
  const int zx = rnl_program_affine(p, RNL_ACT_LINEAR, b, 2, (int[]){x, U, y, F});
  const int zh = rnl_program_affine(p, RNL_ACT_LINEAR, bh, 1, (int[]){h, W});
  const int next = rnl_program_gru(p, zx, zh, h, NULL),
            out = rnl_program_affine(p, RNL_ACT_SIGMOID, -1, 1, (int[]){next, V});
  rnl_program_next(p, h, next);
  rnl_program_next(p, y, out);
  rnl_program_emit(p, "y", out);
  return p;
}

/* It divides x U by itself, which past a sequence's end is zero by zero:  h = tanh(a^2 / a + h(t-1) W + b), a = x U. */
static inline rnl_program *program_ratio(program_sizes n) {
  rnl_program *p = rnl_program_new("ratio");
  const int x = rnl_program_sequence(p, n.input), h = rnl_program_state(p, "h", n.hidden);
  const int U = rnl_program_weight(p, "U", n.input, n.hidden), W = rnl_program_weight(p, "W", n.hidden, n.hidden);
  const int b = rnl_program_weight(p, "b", 0, n.hidden), V = rnl_program_weight(p, "V", n.hidden, n.output);
  const int a = rnl_program_mm(p, x, U);
  const int ratio = rnl_program_binary(p, RNL_BINARY_DIV, rnl_program_unary(p, RNL_UNARY_SQUARE, a), a);
  const int sum = rnl_program_binary(p, RNL_BINARY_ADD, ratio, rnl_program_mm(p, h, W));
  const int next = rnl_program_unary(p, RNL_UNARY_TANH, rnl_program_binary(p, RNL_BINARY_ADD, sum, b));
  rnl_program_next(p, h, next);
  rnl_program_emit(p, "h", next);
  rnl_program_emit(p, "y", rnl_program_mm(p, rnl_program_binary(p, RNL_BINARY_MUL, ratio, next), V));
  return p;
}

/* A cell of no use but with everything: a peephole by a vector weight, a scalar weight, constants, a layer
 * normalisation from sums, division, minimum and maximum, perhaps a stopped gradient (then no true one), slices
 * that overlap, a row, a state that only shifts another, and two reads of one product. */
static inline rnl_program *program_odd(program_sizes n, bool stop) {
  rnl_program *p = rnl_program_new("odd");
  const int64_t w = n.hidden;
  const int x = rnl_program_sequence(p, n.input), x2 = rnl_program_sequence(p, w), row = rnl_program_row(p, w);
  const int h = rnl_program_state(p, "h", w), s = rnl_program_state(p, "s", w), m = rnl_program_state(p, "m", 1);
  const int U = rnl_program_weight(p, "U", n.input, w), W = rnl_program_weight(p, "W", w, w),
            V = rnl_program_weight(p, "V", w - 1, w);
  const int peep = rnl_program_weight(p, "peep", 0, w), scale = rnl_program_weight(p, "scale", 0, 1);
  const int one = rnl_program_constant(p, 1), eps = rnl_program_constant(p, .01),
            size = rnl_program_constant(p, (double)w);
#define B(kind, a, b) rnl_program_binary(p, RNL_BINARY_##kind, a, b)
#define F(kind, a) rnl_program_unary(p, RNL_UNARY_##kind, a)
  const int a = B(ADD, rnl_program_mm(p, x, U), rnl_program_mm(p, B(MUL, h, row), W));
  const int tail = rnl_program_slice(p, h, 1, w - 1), part = rnl_program_mm(p, tail, V);
  const int gate = F(SIGMOID, B(ADD, B(ADD, a, B(MUL, s, peep)), part));
  const int mean = B(DIV, rnl_program_sum(p, a), size), centred = B(SUB, a, mean);
  const int variance = B(DIV, rnl_program_sum(p, F(SQUARE, centred)), size);
  const int normal = B(DIV, centred, F(SQRT, B(ADD, variance, eps)));
  const int mixed = B(ADD, B(MUL, gate, normal), B(MUL, B(SUB, one, gate), x2));
  const int held = B(MAX, B(MIN, mixed, B(ADD, one, scale)), B(MUL, stop ? rnl_program_stop(p, s) : s, scale));
  const int next = B(ADD, F(TANH, held), B(MUL, m, F(COS, part)));
  rnl_program_next(p, h, next);
  rnl_program_next(p, s, h);
  rnl_program_next(p, m, B(MUL, F(SIN, m), F(EXP, F(NEG, rnl_program_slice(p, gate, 0, 1)))));
  rnl_program_emit(p, "h", next);
  rnl_program_emit(p, "gate", gate);
  rnl_program_emit(p, "first", rnl_program_slice(p, normal, 0, 2));
#undef B
#undef F
  return p;
}

/* ---- applying ------------------------------------------------------------------------------- */

enum { PROGRAM_INPUTS = 40 };

typedef struct applied {
  rnl_var *in[PROGRAM_INPUTS], *out[RNL_MAX_OUT], *loss;
  int n_in;
  rnl_plan *plan;
} applied;

static inline rnl_var *program_random(uint32_t index, rnl_dtype dtype, int ndim, const int64_t *size, double scale,
                                      bool wants) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 17, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = -scale, .b = scale};
  OK(rnl_tensor_new(&t, dtype, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, wants);
}

typedef struct program_case {
  rnl_dtype dtype;
  rnl_regime regime;
  int64_t batch, time, checkpoint;
  bool states, lengths, final; /* initial states given; lengths given; the loss sees final states */
  uint32_t seed;
  unsigned unseen, frozen; /* bits: outputs and final states that the loss does not see; weights without gradient */
  int sparse;              /* of each matrix one weight in so many stays; 0: all */
  bool twice;              /* what the loss sees is judged a second time, against other targets */
} program_case;

/* loss = sum over outputs (and final states) of the mean of (out - target)^2 */
static inline applied program_apply(rnl_program *p, program_case c) {
  applied a = {.n_in = rnl_program_lengths(p) + 1};
  OK(rnl_program_finish(p, err));
  uint32_t seed = 1000 * c.seed;
  for (int k = 0; k < p->n_sequences; k++)
    a.in[k] = program_random(seed++, c.dtype, 3, (int64_t[]){c.batch, c.time, p->value[p->sequence[k]].width}, 1, true);
  for (int k = 0; k < p->n_rows; k++)
    a.in[rnl_program_first_row(p) + k] =
        program_random(seed++, c.dtype, 2, (int64_t[]){c.batch, p->value[p->row[k]].width}, 1, false);
  for (int k = 0; k < p->n_states; k++) {
    const int64_t width = p->value[p->state[k]].width;
    if (c.states && k % 2 == 0)
      a.in[rnl_program_first_state(p) + k] = program_random(seed, c.dtype, 2, (int64_t[]){c.batch, width}, .8, true);
    else if (c.states)
      a.in[rnl_program_first_state(p) + k] = program_random(seed, c.dtype, 1, &width, .8, true);
    seed++;
  }
  for (int k = 0; k < p->n_weights; k++) {
    const rnl_program_value *w = &p->value[p->weight[k]];
    const double scale = w->rows ? 1.2 / sqrt((double)w->rows) : .7;
    a.in[rnl_program_first_weight(p) + k] =
        program_random(seed++, c.dtype, w->rows ? 2 : 1, w->rows ? (int64_t[]){w->rows, w->width} : &w->width, scale,
                       !(c.frozen >> k & 1));
    const rnl_tensor *value = rnl_value(a.in[rnl_program_first_weight(p) + k]);
    for (int64_t i = 0; c.sparse && w->rows && i < rnl_tensor_numel(value); i++)
      if (i % c.sparse != k % c.sparse) rnl_tensor_put(value, i, 0);
  }
  if (c.lengths) {
    a.in[rnl_program_lengths(p)] = program_random(seed, c.dtype, 1, &c.batch, 1, false);
    for (int64_t b = 0; b < c.batch; b++)
      rnl_tensor_put(rnl_value(a.in[rnl_program_lengths(p)]), b, (double)(c.time - (b * 3 + 1) % c.time));
  }
  rnl_program_attrs attrs = {.program = p, .regime = c.regime, .checkpoint = c.checkpoint, .name = "checked"};
  OK(rnl_apply(&rnl_op_program, &attrs, a.n_in, a.in, a.out, err));
  const int n = p->n_outputs + (c.final ? p->n_states : 0);
  for (int judged = 0; judged < (c.twice ? 2 * n : n); judged++) {
    const int k = judged % n;
    if ((k < p->n_outputs && p->look_only[k]) || c.unseen >> k & 1) continue;
    const rnl_tensor *value = rnl_value(a.out[k]);
    rnl_var *target = program_random(seed + 50 + (uint32_t)judged, c.dtype, value->ndim, value->size, 1, false);
    rnl_var *part, *sum;
    rnl_loss kind = judged < n ? RNL_LOSS_MSE : RNL_LOSS_SSE;
    OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){a.out[k], target}, &part, err));
    rnl_var_release(target);
    if (!a.loss) {
      a.loss = part;
      continue;
    }
    rnl_binary add = RNL_BINARY_ADD;
    OK(rnl_apply(&rnl_op_binary, &add, 2, (rnl_var *[]){a.loss, part}, &sum, err));
    rnl_var_release(part);
    rnl_var_release(a.loss);
    a.loss = sum;
  }
  OK(rnl_plan_new(&a.plan, &a.loss, 1, a.loss, err));
  return a;
}

static inline void applied_free(applied *a) {
  rnl_plan_free(a->plan);
  rnl_var_release(a->loss);
  for (int k = 0; k < RNL_MAX_OUT; k++) rnl_var_release(a->out[k]);
  for (int k = 0; k < a->n_in; k++) rnl_var_release(a->in[k]);
}

#endif
