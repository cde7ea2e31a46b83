/* Reverse, last, embedding and dropout by their gradients in float64, with and without lengths, and what they
 * refuse. */
#include "golden.h"

#include "base/rng.h"
#include "grad/gradcheck.h"
#include "rnn/init.h"
#include "rnn/loss.h"
#include "rnn/noise.h"
#include "rnn/sequence.h"

static rnl_var *random_var(uint32_t index, int ndim, const int64_t *size, bool wants) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 9, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = -1, .b = 1};
  OK(rnl_tensor_new(&t, RNL_F64, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, wants);
}
static rnl_var *numbers(int ndim, const int64_t *size, const double *values) {
  rnl_tensor t = {0};
  OK(rnl_tensor_new(&t, RNL_F64, ndim, size, err));
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++) rnl_tensor_put(&t, i, values[i]);
  return rnl_var_new(&t, false);
}

/* The gradient of mse(op(in...), target) by `leaf`. Releases nothing. */
static void check(const rnl_op *op, const void *attrs, int n, rnl_var *const *in, rnl_var *leaf) {
  rnl_var *out = NULL, *loss = NULL;
  OK(rnl_apply(op, attrs, n, in, &out, err));
  rnl_var *target = random_var(99, rnl_value(out)->ndim, rnl_value(out)->size, false);
  const rnl_loss kind = RNL_LOSS_MSE;
  OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){out, target}, &loss, err));
  rnl_plan *plan = NULL;
  rnl_gradcheck_entry entry;
  rnl_gradcheck_report report;
  OK(rnl_plan_new(&plan, &loss, 1, loss, err));
  OK(rnl_gradcheck(plan, loss, 1, &leaf, &(rnl_gradcheck_options){0}, &entry, &report, err));
  if (!report.ok || entry.checked != entry.numel)
    fail_msg("%s: [%d] is %.12g, numeric %.12g", op->name, (int)entry.worst, entry.analytic, entry.numeric);
  assert_true(report.jvp_error <= 1e-9);
  rnl_plan_free(plan);
  rnl_var_release(out);
  rnl_var_release(target);
  rnl_var_release(loss);
}

static void sequences(void **state) {
  (void)state;
  const int64_t batch = 3;
  rnl_var *x = random_var(1, 3, (int64_t[]){3, 5, 2}, true), *lengths = numbers(1, &batch, (double[]){5, 1, 3});
  for (int given = 0; given < 2; given++) {
    check(&rnl_op_reverse, NULL, 2, (rnl_var *[]){x, given ? lengths : NULL}, x);
    check(&rnl_op_last, NULL, 2, (rnl_var *[]){x, given ? lengths : NULL}, x);
  }
  rnl_var *turned = NULL, *wrong = numbers(1, &batch, (double[]){5, 6, 3});
  OK(rnl_apply(&rnl_op_reverse, NULL, 2, (rnl_var *[]){x, lengths}, &turned, err));
  assert_true(rnl_tensor_get(rnl_value(turned), (int64_t[]){2, 0, 1}) ==
              rnl_tensor_get(rnl_value(x), (int64_t[]){2, 2, 1}));
  assert_true(rnl_tensor_get(rnl_value(turned), (int64_t[]){2, 4, 1}) ==
              rnl_tensor_get(rnl_value(x), (int64_t[]){2, 4, 1}));
  rnl_error error;
  rnl_var *none = NULL;
  assert_int_not_equal(rnl_apply(&rnl_op_last, NULL, 2, (rnl_var *[]){x, wrong}, &none, &error), RNL_OK);
  assert_non_null(strstr(error.text, "sequence 2 is 6"));
  rnl_var *all[] = {x, lengths, turned, wrong};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
}

static void symbols(void **state) {
  (void)state;
  const int64_t size[2] = {2, 3};
  rnl_var *ids = numbers(2, size, (double[]){1, 4, 1, 2, 2, 4}), *weight = random_var(2, 2, (int64_t[]){4, 3}, true);
  const int base = 1;
  check(&rnl_op_embedding, &base, 2, (rnl_var *[]){ids, weight}, weight);
  rnl_tensor_put(rnl_value(ids), 4, 5);
  rnl_error error;
  rnl_var *none = NULL;
  assert_int_not_equal(rnl_apply(&rnl_op_embedding, &base, 2, (rnl_var *[]){ids, weight}, &none, &error), RNL_OK);
  assert_non_null(strstr(error.text, "symbol 5 at sequence 2, step 2"));
  rnl_var_release(ids);
  rnl_var_release(weight);
}

static void random_ops(void **state) {
  (void)state;
  rnl_var *x = random_var(3, 3, (int64_t[]){4, 6, 5}, true), *clock = numbers(0, NULL, (double[]){3});
  rnl_noise_attrs attrs = {.p = 0.4, .seed = 7, .index = 2};
  check(&rnl_op_dropout, &attrs, 2, (rnl_var *[]){x, clock}, x);
  attrs.kind = RNL_NOISE_NORMAL;
  attrs.scale = 0.5;
  rnl_var *a = NULL, *b = NULL;
  OK(rnl_apply(&rnl_op_noise, &attrs, 2, (rnl_var *[]){clock, x}, &a, err));
  OK(rnl_apply(&rnl_op_noise, &attrs, 2, (rnl_var *[]){clock, x}, &b, err));
  double square = 0;
  for (int64_t i = 0; i < 120; i++) {
    assert_true(rnl_tensor_at(rnl_value(a), i) == rnl_tensor_at(rnl_value(b), i)); /* the same step, the same numbers */
    square += pow(rnl_tensor_at(rnl_value(a), i), 2) / 120;
  }
  assert_true(fabs(sqrt(square) - 0.5) < 0.12);
  attrs.p = 1;
  rnl_error error;
  rnl_var *none = NULL;
  assert_int_equal(rnl_apply(&rnl_op_dropout, &attrs, 2, (rnl_var *[]){x, clock}, &none, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "probability"));
  rnl_var *all[] = {x, clock, a, b};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sequences), cmocka_unit_test(symbols),
                                     cmocka_unit_test(random_ops)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
