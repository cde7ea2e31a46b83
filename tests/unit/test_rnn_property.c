/* Properties of the recurrent layers that hold whatever the numbers: rows of a batch do not meet, the
 * regimes agree, padding stays out of it, wrong shapes are refused. */
#include "golden.h"

#include "base/rng.h"
#include "grad/plan.h"
#include "rnn/init.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"

static rnl_var *random_var(uint32_t index, rnl_dtype dtype, int ndim, const int64_t *size) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 5, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_NORMAL, .b = 0.5};
  OK(rnl_tensor_new(&t, dtype, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, true);
}

typedef struct layer {
  rnl_recurrent_attrs attrs;
  rnl_var *in[RNL_RECURRENT_INPUTS];
} layer;

static layer layer_new(rnl_cell cell, rnl_regime regime, rnl_dtype dtype, int64_t input, int64_t hidden,
                       int64_t output) {
  const int64_t feedback = cell == RNL_CELL_JORDAN ? output : hidden;
  return (layer){.attrs = {.cell = cell, .phi = RNL_ACT_TANH, .sigma = RNL_ACT_SIGMOID, .regime = regime, .name = "p"},
                 .in = {NULL, random_var(2, dtype, 2, (int64_t[]){input, hidden}),
                        random_var(3, dtype, 2, (int64_t[]){feedback, hidden}),
                        random_var(4, dtype, 1, (int64_t[]){hidden}),
                        random_var(5, dtype, 2, (int64_t[]){hidden, output}),
                        random_var(6, dtype, 1, (int64_t[]){output}), NULL}};
}
static void layer_release(layer *l) {
  for (int i = 1; i < RNL_RECURRENT_INPUTS; i++) rnl_var_release(l->in[i]);
}

/* y of the layer on x, row-major */
static rnl_tensor run(layer *l, rnl_var *x) {
  rnl_var *out[RNL_RECURRENT_OUTPUTS];
  rnl_tensor y = {0};
  l->in[RNL_RECURRENT_X] = x;
  OK(rnl_apply(&rnl_op_recurrent, &l->attrs, RNL_RECURRENT_INPUTS, l->in, out, err));
  OK(rnl_tensor_clone(&y, rnl_value(out[RNL_RECURRENT_Y]), err));
  rnl_var_release(out[0]);
  rnl_var_release(out[1]);
  return y;
}

/* A sequence alone gives the bits it gives as a row of a batch. */
static void a_row_is_a_batch_of_one(void **state) {
  (void)state;
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
    for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
      for (int64_t hidden = 1; hidden <= 19; hidden += 3) {
        layer l = layer_new((rnl_cell)cell, RNL_REGIME_AUTO, (rnl_dtype)dtype, 3, hidden, 2);
        rnl_var *x = random_var(1, (rnl_dtype)dtype, 3, (int64_t[]){21, 6, 3});
        rnl_tensor whole = run(&l, x);
        for (int64_t b = 0; b < 21; b++) {
          rnl_tensor row = {0}, want = {0}, copy = {0};
          OK(rnl_tensor_narrow(&row, rnl_value(x), 0, b, 1, err));
          rnl_var *alone = rnl_var_new(&row, false);
          rnl_tensor y = run(&l, alone);
          OK(rnl_tensor_narrow(&want, &whole, 0, b, 1, err));
          OK(rnl_tensor_clone(&copy, &want, err));
          assert_memory_equal(rnl_tensor_data(&y), rnl_tensor_data(&copy),
                              (size_t)rnl_tensor_numel(&y) * rnl_dtype_size(y.dtype));
          rnl_tensor_release(&y);
          rnl_tensor_release(&want);
          rnl_tensor_release(&copy);
          rnl_var_release(alone);
        }
        rnl_tensor_release(&whole);
        rnl_var_release(x);
        layer_release(&l);
      }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* The lengths of a batch of sequences of 5 steps, and NaN in x past them. */
static void end_early(layer *l, rnl_dtype dtype) {
  const rnl_tensor *x = rnl_value(l->in[RNL_RECURRENT_X]);
  rnl_var *lengths = l->in[RNL_RECURRENT_LENGTHS] = random_var(8, dtype, 1, &x->size[0]);
  lengths->requires_grad = false;
  for (int64_t b = 0; b < x->size[0]; b++) {
    const int64_t length = 4 * b % 6; /* 0, 4, 2 */
    rnl_tensor_put(rnl_value(lengths), b, (double)length);
    for (int64_t t = length; t < x->size[1]; t++)
      for (int64_t j = 0; j < x->size[2]; j++) rnl_tensor_set(x, (int64_t[]){b, t, j}, NAN);
  }
}

/* A sequence that ends early gives up to there the bits it gives alone, and zeros after it, whatever lies there. */
static void what_lies_past_the_end_is_not_seen(void **state) {
  (void)state;
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
    for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
      for (int regime = RNL_REGIME_SMALL; regime <= RNL_REGIME_REFERENCE; regime++) {
        layer l = layer_new((rnl_cell)cell, (rnl_regime)regime, (rnl_dtype)dtype, 3, 7, 2);
        l.attrs.phi = RNL_ACT_RELU; /* runs away in steps that do not count */
        rnl_var *x = l.in[RNL_RECURRENT_X] = random_var(1, (rnl_dtype)dtype, 3, (int64_t[]){21, 5, 3});
        end_early(&l, (rnl_dtype)dtype);
        rnl_tensor whole = run(&l, x);
        rnl_var *lengths = l.in[RNL_RECURRENT_LENGTHS];
        l.in[RNL_RECURRENT_LENGTHS] = NULL;
        for (int64_t b = 0; b < 21; b++) {
          const int64_t length = 4 * b % 6;
          for (int64_t t = length; t < 5; t++)
            for (int64_t j = 0; j < 2; j++) assert_true(rnl_tensor_get(&whole, (int64_t[]){b, t, j}) == 0);
          if (length == 0) continue;
          rnl_tensor row = {0}, part = {0};
          OK(rnl_tensor_narrow(&row, rnl_value(x), 0, b, 1, err));
          OK(rnl_tensor_narrow(&part, &row, 1, 0, length, err));
          rnl_var *alone = rnl_var_new(&part, false);
          rnl_tensor y = run(&l, alone);
          for (int64_t t = 0; t < length; t++)
            for (int64_t j = 0; j < 2; j++) {
              const double got = rnl_tensor_get(&whole, (int64_t[]){b, t, j});
              const double want = rnl_tensor_get(&y, (int64_t[]){0, t, j});
              assert_true(got == want);
            }
          rnl_tensor_release(&y);
          rnl_tensor_release(&row);
          rnl_var_release(alone);
        }
        rnl_tensor_release(&whole);
        rnl_var_release(x);
        rnl_var_release(lengths);
        layer_release(&l);
      }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Small and reference agree, outputs and gradients, over sizes about the kernels' tiles. */
static void the_regimes_agree(void **state) {
  (void)state;
  static const int64_t sizes[][4] = {/* batch, input, hidden, output */
                                     {1, 1, 1, 1},  {8, 3, 5, 2},   {9, 4, 7, 3},   {16, 8, 8, 8},
                                     {17, 2, 9, 1}, {31, 5, 16, 6}, {33, 7, 23, 9}, {5, 66, 70, 3}};
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
    for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
      for (int cell = RNL_CELL_ELMAN, lengths = 0; cell <= RNL_CELL_JORDAN; cell += lengths, lengths ^= 1) {
        rnl_tensor want[RNL_RECURRENT_INPUTS + 1] = {{0}};
        const rnl_regime order[] = {RNL_REGIME_REFERENCE, RNL_REGIME_SMALL};
        for (int r = 0; r < 2; r++) {
          layer l = layer_new((rnl_cell)cell, order[r], (rnl_dtype)dtype, sizes[s][1], sizes[s][2], sizes[s][3]);
          l.in[RNL_RECURRENT_X] = random_var(1, (rnl_dtype)dtype, 3, (int64_t[]){sizes[s][0], 5, sizes[s][1]});
          if (lengths) end_early(&l, (rnl_dtype)dtype);
          rnl_var *target = random_var(7, (rnl_dtype)dtype, 3, (int64_t[]){sizes[s][0], 5, sizes[s][3]});
          rnl_var *out[RNL_RECURRENT_OUTPUTS], *loss;
          rnl_loss kind = RNL_LOSS_SSE;
          OK(rnl_apply(&rnl_op_recurrent, &l.attrs, RNL_RECURRENT_INPUTS, l.in, out, err));
          OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){out[1], target}, &loss, err));
          OK(rnl_backward(loss, err));
          for (int i = 0; i <= RNL_RECURRENT_INPUTS; i++) {
            if (i < RNL_RECURRENT_INPUTS && (!l.in[i] || i == RNL_RECURRENT_LENGTHS)) continue;
            const rnl_tensor *got = i < RNL_RECURRENT_INPUTS ? rnl_grad(l.in[i]) : rnl_value(out[1]);
            if (r == 0) {
              OK(rnl_tensor_clone(&want[i], got, err));
              continue;
            }
            for (int64_t k = 0; k < rnl_tensor_numel(got); k++)
              if (!(error_of(rnl_tensor_at(got, k), rnl_tensor_at(&want[i], k)) <= (dtype ? 1e-12 : 2e-5)))
                fail_msg("size %d, %s, cell %d, regime %d: input %d element %d is %.9g, reference %.9g", (int)s,
                         rnl_dtype_name((rnl_dtype)dtype), cell, order[r], i, (int)k, rnl_tensor_at(got, k),
                         rnl_tensor_at(&want[i], k));
          }
          rnl_var_release(loss);
          rnl_var_release(out[0]);
          rnl_var_release(out[1]);
          rnl_var_release(target);
          rnl_var_release(l.in[RNL_RECURRENT_X]);
          layer_release(&l);
        }
        for (int i = 0; i <= RNL_RECURRENT_INPUTS; i++) rnl_tensor_release(&want[i]);
      }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void expect_error(layer *l, rnl_var *x, rnl_status status, const char *const *words) {
  rnl_error error = {0};
  rnl_var *out[RNL_RECURRENT_OUTPUTS];
  l->in[RNL_RECURRENT_X] = x;
  assert_int_equal(rnl_apply(&rnl_op_recurrent, &l->attrs, RNL_RECURRENT_INPUTS, l->in, out, &error), status);
  for (; *words; words++)
    if (!strstr(error.text, *words)) fail_msg("\"%s\" does not say \"%s\"", error.text, *words);
}

static void wrong_shapes_are_refused(void **state) {
  (void)state;
  layer l = layer_new(RNL_CELL_ELMAN, RNL_REGIME_AUTO, RNL_F32, 3, 5, 2);
  rnl_var *x = random_var(1, RNL_F32, 3, (int64_t[]){8, 10, 3}),
          *flat = random_var(1, RNL_F32, 2, (int64_t[]){8, 3}),
          *wide = random_var(1, RNL_F32, 3, (int64_t[]){8, 10, 4}),
          *other = random_var(1, RNL_F64, 3, (int64_t[]){8, 10, 3}),
          *bad = random_var(1, RNL_F32, 2, (int64_t[]){4, 5}), *keep;
  l.attrs.regime = RNL_REGIME_LARGE;
  expect_error(&l, x, RNL_ERR_ARG, (const char *[]){"elman layer p", "is of its cell's program", NULL});
  l.attrs.regime = RNL_REGIME_AUTO;
  expect_error(&l, flat, RNL_ERR_SHAPE, (const char *[]){"elman layer p", "(8, 3)", "(batch, time, feature)", NULL});
  expect_error(&l, wide, RNL_ERR_SHAPE, (const char *[]){"elman layer p", "(8, 10, 4)", "(3, 5)", NULL});
  expect_error(&l, other, RNL_ERR_DTYPE, (const char *[]){"elman layer p", "float64", "float32", NULL});
  keep = l.in[RNL_RECURRENT_WEIGHT_FB];
  l.in[RNL_RECURRENT_WEIGHT_FB] = bad;
  expect_error(&l, x, RNL_ERR_SHAPE, (const char *[]){"weight_hh", "(4, 5)", "(5, 5)", NULL});
  l.in[RNL_RECURRENT_WEIGHT_FB] = keep;
  keep = l.in[RNL_RECURRENT_BIAS_O];
  l.in[RNL_RECURRENT_BIAS_O] = NULL;
  expect_error(&l, x, RNL_ERR_ARG, (const char *[]){"weight_ho and bias_o", NULL});
  l.in[RNL_RECURRENT_BIAS_O] = keep;
  l.in[RNL_RECURRENT_STATE0] = bad;
  expect_error(&l, x, RNL_ERR_SHAPE, (const char *[]){"state0", "(4, 5)", "(8, 5)", NULL});
  l.in[RNL_RECURRENT_STATE0] = NULL;
  rnl_var *few = random_var(1, RNL_F32, 1, (int64_t[]){7}), *eight = random_var(1, RNL_F32, 1, (int64_t[]){8});
  l.in[RNL_RECURRENT_LENGTHS] = few;
  expect_error(&l, x, RNL_ERR_SHAPE, (const char *[]){"elman layer p", "lengths is (7)", "expected (8)", NULL});
  rnl_tensor_fill(rnl_value(eight), 10);
  rnl_tensor_put(rnl_value(eight), 2, 10.5);
  l.in[RNL_RECURRENT_LENGTHS] = eight;
  expect_error(&l, x, RNL_ERR_ARG, (const char *[]){"layer p", "sequence 3 is 10.5", "from 0 to 10", NULL});
  l.in[RNL_RECURRENT_LENGTHS] = NULL;
  rnl_var *all[] = {x, flat, wide, other, bad, few, eight};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
  layer_release(&l);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void initialisers(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_init how;
  rnl_error error;
  rnl_tensor t = {0};
  rnl_rng_init(&rng, 1, RNL_RNG_INIT, 0);
  OK(rnl_tensor_new(&t, RNL_F64, 2, (int64_t[]){30, 50}, err));
  OK(rnl_init_from_name("glorot", &how, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  double largest = 0;
  for (int64_t i = 0; i < 1500; i++) largest = fmax(largest, fabs(rnl_tensor_at(&t, i)));
  const double limit = sqrt(6.0 / 80);
  assert_true(largest <= limit && largest > 0.98 * limit);
  OK(rnl_init_from_name("orthogonal", &how, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  for (int64_t i = 0; i < 30; i++)
    for (int64_t k = 0; k <= i; k++) {
      double dot = 0;
      for (int64_t j = 0; j < 50; j++) dot += rnl_tensor_at(&t, i * 50 + j) * rnl_tensor_at(&t, k * 50 + j);
      assert_true(fabs(dot - (i == k)) < 1e-12);
    }
  rnl_tensor_release(&t);
  assert_int_equal(rnl_init_from_name("glorott", &how, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "orthogonal"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_row_is_a_batch_of_one), cmocka_unit_test(the_regimes_agree),
                                     cmocka_unit_test(what_lies_past_the_end_is_not_seen),
                                     cmocka_unit_test(wrong_shapes_are_refused), cmocka_unit_test(initialisers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
