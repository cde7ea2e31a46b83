/* The executor in lanes against the reference: outputs, final states and every gradient, for the cells of programs.h
 * and for cells made at random, with lengths, checkpoints, and gradients that do not arrive or are not wanted. */
#include "program_compare.h"

static void check(const char *name, rnl_program *p, program_case c) { check_regime(RNL_REGIME_SMALL, name, p, c); }

static program_case case_of(int option, rnl_dtype dtype) {
  static const int64_t batches[] = {3, 8, 17};
  return (program_case){.dtype = dtype, .batch = batches[option % 3], .time = 11, .states = option & 1,
                        .lengths = option & 2, .checkpoint = !(option & 4) ? 0 : option & 8 ? -1 : 4,
                        .final = option & 16, .twice = option % 5 == 4, .seed = 2};
}

/* ---- the cells of programs.h ---------------------------------------------------------------- */

static void test_cells(void **state) {
  (void)state;
  static const program_sizes sizes[] = {{3, 5, 2}, {4, 7, 3}, {2, 17, 1}};
  for (int dtype = 0; dtype < 2; dtype++)
    for (int option = 0; option < 32; option++) {
      const program_sizes n = sizes[option % 3];
      const program_case c = case_of(option, dtype ? RNL_F64 : RNL_F32);
      check("elman", program_elman(n), c);
      check("elman spelled", program_elman_spelled(n), c);
      check("lstm", program_lstm(n), c);
      check("lstm spelled", program_lstm_spelled(n), c);
      check("gru", program_gru(n), c);
      check("ratio", program_ratio(n), c);
      if (dtype) check("odd", program_odd(n, option & 1), c); /* it divides by a small variance */
    }
}

/* Outputs that the loss does not see, so that no gradient arrives, and weights that want none. */
static void test_absent(void **state) {
  (void)state;
  const program_sizes n = {3, 5, 2};
  for (unsigned unseen = 0; unseen < 7; unseen++)
    for (unsigned frozen = 0; frozen < 6; frozen++) {
      program_case c = case_of((int)(unseen + frozen), RNL_F64);
      c.final = false;
      c.frozen = frozen * 5;
      c.unseen = unseen;
      check("lstm", program_lstm(n), c);
      check("odd", program_odd(n, false), c);
      c.unseen = unseen & 1 ? 1 : 2;
      check("elman", program_elman(n), c);
      c.final = true; /* the loss sees but final states */
      c.unseen = 7;
      check("lstm", program_lstm(n), c);
    }
}

/* ---- cells made at random ------------------------------------------------------------------- */

enum { POOL = 40 };
typedef struct pool {
  rnl_program *p;
  rnl_rng rng;
  int64_t width;
  int full[POOL], single[POOL], n_full, n_single, bias; /* values of `width` features, of one; a vector weight */
} pool;

static int below(pool *q, int n) { return (int)(rnl_rng_uniform(&q->rng) * n); }
static int some(pool *q) { return q->full[below(q, q->n_full)]; }
static int recent(pool *q) { return q->full[q->n_full - 1 - below(q, q->n_full < 4 ? q->n_full : 4)]; }
static void put(pool *q, int v) {
  if (v >= 0 && q->n_full < POOL) q->full[q->n_full++] = v;
}

static void grow(pool *q, const int *weights, int n_weights) {
  rnl_program *p = q->p;
  const int a = recent(q), b = some(q);
  switch (below(q, 14)) {
    case 0: put(q, rnl_program_binary(p, RNL_BINARY_ADD, a, b)); break;
    case 1: put(q, rnl_program_binary(p, RNL_BINARY_SUB, b, a)); break;
    case 2: put(q, rnl_program_binary(p, RNL_BINARY_MUL, a, q->bias)); break;
    case 3: put(q, rnl_program_binary(p, RNL_BINARY_MUL, a, b)); break;
    case 4: {
      const int positive = rnl_program_binary(p, RNL_BINARY_ADD, rnl_program_unary(p, RNL_UNARY_SQUARE, b),
                                              rnl_program_constant(p, 1));
      put(q, rnl_program_binary(p, RNL_BINARY_DIV, a, positive));
      break;
    }
    case 5: put(q, rnl_program_binary(p, RNL_BINARY_MIN, a, b)); break;
    case 6: put(q, rnl_program_unary(p, RNL_UNARY_TANH, a)); break;
    case 7: put(q, rnl_program_unary(p, RNL_UNARY_SIGMOID, a)); break;
    case 8: put(q, rnl_program_unary(p, below(q, 2) ? RNL_UNARY_NEG : RNL_UNARY_COS, a)); break;
    case 9: put(q, rnl_program_binary(p, RNL_BINARY_MUL, a, q->single[below(q, q->n_single)])); break;
    case 10: q->single[below(q, q->n_single)] = rnl_program_unary(p, RNL_UNARY_TANH, rnl_program_sum(p, a)); break;
    case 11: {
      const int term[4] = {a, weights[below(q, n_weights)], b, weights[below(q, n_weights)]};
      const int start = below(q, 2) ? q->bias : below(q, 2) ? some(q) : -1;
      put(q, rnl_program_affine(p, (rnl_activation)below(q, 3), start, 1 + below(q, 2), term));
      break;
    }
    case 12: q->single[below(q, q->n_single)] = rnl_program_slice(p, a, below(q, (int)q->width), 1); break;
    default: put(q, rnl_program_unary(p, RNL_UNARY_COPY, below(q, 4) ? a : rnl_program_stop(p, a))); break;
  }
}

static rnl_program *random_program(uint32_t number) {
  pool q = {.p = rnl_program_new("random"), .width = 2 + number % 5};
  rnl_program *p = q.p;
  rnl_rng_init(&q.rng, 23, RNL_RNG_DATA, number);
  const int64_t w = q.width;
  const int x = rnl_program_sequence(p, 3), x2 = rnl_program_sequence(p, w);
  const int states[2] = {rnl_program_state(p, "h", w), rnl_program_state(p, "c", w)};
  int weights[4];
  for (int k = 0; k < 4; k++) weights[k] = rnl_program_weight(p, (const char *[]){"W", "V", "P", "Q"}[k], w, w);
  const int U = rnl_program_weight(p, "U", 3, w), bias = rnl_program_weight(p, "b", 0, w);
  const int scale = rnl_program_weight(p, "s", 0, 1);
  put(&q, rnl_program_affine(p, RNL_ACT_TANH, bias, 1, (int[]){x, U}));
  put(&q, x2);
  put(&q, states[0]);
  put(&q, states[1]);
  q.bias = bias;
  q.n_single = 3;
  q.single[0] = scale;
  q.single[1] = rnl_program_constant(p, .5);
  q.single[2] = rnl_program_slice(p, x, 1, 1);
  for (int k = 0; k < 14; k++) grow(&q, weights, 4);
  for (int k = 0; k < 2; k++) { /* bounded, and sometimes a value twice used */
    int v = below(&q, 4) ? rnl_program_unary(p, RNL_UNARY_TANH, recent(&q)) : states[1 - k];
    if (k == 1 && number % 3 == 0) /* a linear recurrence: the gradient at a state is made of itself */
      v = rnl_program_affine(p, RNL_ACT_LINEAR, -1, 2, (int[]){states[1], weights[0], v, weights[1]});
    if (k == 1 && number % 3 == 1)
      v = rnl_program_binary(p, RNL_BINARY_ADD, rnl_program_binary(p, RNL_BINARY_MUL, states[1], bias), v);
    rnl_program_next(p, states[k], v);
    if (below(&q, 2)) put(&q, v);
  }
  for (int k = 0; k < 3; k++)
    rnl_program_emit(p, (const char *[]){"y", "u", "v"}[k], rnl_program_unary(p, RNL_UNARY_TANH, recent(&q)));
  return p;
}

static void test_random(void **state) {
  (void)state;
  for (uint32_t number = 0; number < 300; number++) {
    program_case c = case_of((int)number, RNL_F64);
    c.unseen = number % 7 ? number % 4 : 0;
    c.frozen = number % 5 ? 0 : number;
    char name[24];
    snprintf(name, sizeof name, "random %u", number);
    check(name, random_program(number), c);
  }
}

/* ---- rows of a batch ------------------------------------------------------------------------ */

static void copy_row(const rnl_tensor *to, const rnl_tensor *from, int64_t row) {
  const int64_t part = rnl_tensor_numel(from) / from->size[0];
  for (int64_t i = 0; i < part; i++) rnl_tensor_put(to, i, rnl_tensor_at(from, row * part + i));
}

/* A sequence alone gives the bits it gives in a batch, whatever that batch's padding. */
static void test_rows(void **state) {
  (void)state;
  const uint64_t saved = rnl_fpu_enter(); /* as everywhere in the engine: no denormals */
  const program_sizes n = {3, 6, 2};
  rnl_program *programs[] = {program_elman(n), program_lstm(n), program_gru(n), program_odd(n, false),
                             random_program(3)};
  for (size_t k = 0; k < sizeof programs / sizeof *programs; k++) {
    rnl_program *p = programs[k];
    const program_case c = {.dtype = RNL_F32, .regime = RNL_REGIME_SMALL, .batch = 21, .time = 9, .seed = 4};
    program_case alone = c;
    alone.batch = 1;
    applied many = program_apply(p, c), one = program_apply(p, alone);
    for (int64_t row = 0; row < c.batch; row += 4) {
      for (int i = 0; i < rnl_program_first_weight(p); i++)
        if (one.in[i]) copy_row(rnl_value(one.in[i]), rnl_value(many.in[i]), row);
      for (int i = rnl_program_first_weight(p); i < rnl_program_lengths(p); i++)
        OK(rnl_tensor_copy(rnl_value(one.in[i]), rnl_value(many.in[i]), err));
      OK(rnl_plan_forward(one.plan, err));
      for (int o = 0; o < p->n_outputs + p->n_states; o++) {
        const rnl_tensor *mine = rnl_value(one.out[o]), *theirs = rnl_value(many.out[o]);
        const int64_t part = rnl_tensor_numel(mine);
        for (int64_t i = 0; i < part; i++)
          if (rnl_tensor_at(mine, i) != rnl_tensor_at(theirs, row * part + i))
            fail_msg("program %d, row %d: output %d[%d] is %.9g alone and %.9g in a batch", (int)k, (int)row, o, (int)i,
                     rnl_tensor_at(mine, i), rnl_tensor_at(theirs, row * part + i));
      }
    }
    applied_free(&many);
    applied_free(&one);
    rnl_program_release(p);
  }
  rnl_fpu_leave(saved);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_absent),
                                     cmocka_unit_test(test_random), cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
