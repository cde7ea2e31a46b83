/* The executor in rows against the reference, at sizes that are no multiple of anything, over several chunks of
 * time; its bits on one thread and on several; and a row alone against the same row in a batch. */
#include "program_compare.h"

#include "grad/plan.h"

static void check(const char *name, rnl_program *p, program_case c) { check_regime(RNL_REGIME_LARGE, name, p, c); }

static void test_cells(void **state) {
  (void)state;
  static const program_sizes sizes[] = {{3, 5, 2}, {17, 33, 3}, {1, 2, 1}, {65, 67, 31}};
  static const int64_t batches[] = {1, 9, 17};
  for (int dtype = 0; dtype < 2; dtype++)
    for (int option = 0; option < 16; option++) {
      const program_sizes n = sizes[option % 4];
      const program_case c = {.dtype = dtype ? RNL_F64 : RNL_F32, .batch = batches[option % 3], .time = 9,
                              .states = option & 1, .lengths = option & 2, .checkpoint = option & 4 ? 4 : 0,
                              .final = option & 8, .twice = option % 5 == 4, .seed = 3};
      check("elman", program_elman(n), c);
      check("elman spelled", program_elman_spelled(n), c);
      check("lstm", program_lstm(n), c);
      check("lstm spelled", program_lstm_spelled(n), c);
      check("gru", program_gru(n), c);
      check("ratio", program_ratio(n), c);
      if (dtype) check("odd", program_odd(n, option & 1), c); /* it divides by a small variance */
    }
}

/* Wide enough that a chunk is a few steps. */
static void test_chunks(void **state) {
  (void)state;
  const program_sizes n = {.input = 19, .hidden = 129, .output = 7};
  for (int option = 0; option < 4; option++) {
    const program_case c = {
        .dtype = RNL_F64, .batch = 40, .time = 17, .lengths = option & 1, .final = option & 2, .seed = 4};
    check("lstm", program_lstm(n), c);
    check("gru", program_gru(n), c);
  }
}

/* Weights that are mostly zeros have products of their own; weights that stop being so, the others again. */
static void test_sparse(void **state) {
  (void)state;
  const program_sizes n = {.input = 65, .hidden = 67, .output = 31};
  static const int64_t batches[] = {1, 5, 17, 40};
  for (int option = 0; option < 16; option++) {
    const program_case c = {.dtype = option & 1 ? RNL_F64 : RNL_F32, .batch = batches[option % 4], .time = 9,
                            .states = option & 2, .lengths = option & 4, .checkpoint = option & 8 ? 4 : 0,
                            .frozen = option & 8 ? 2 : 0, .seed = 7, .sparse = 29};
    check("elman", program_elman(n), c);
    check("lstm", program_lstm(n), c);
    check("gru", program_gru(n), c);
  }
  rnl_program *p = program_elman(n);
  program_case c = {.dtype = RNL_F64, .regime = RNL_REGIME_LARGE, .batch = 3, .time = 4, .seed = 8};
  applied dense = program_apply(p, c);
  c.sparse = 40;
  applied sparse = program_apply(p, c);
  for (int pass = 0; pass < 2; pass++) {
    OK(rnl_plan_forward(dense.plan, err));
    OK(rnl_plan_forward(sparse.plan, err));
    for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(sparse.out[0])); i++)
      assert_int_equal(rnl_tensor_at(rnl_value(dense.out[0]), i) == rnl_tensor_at(rnl_value(sparse.out[0]), i), pass);
    for (int k = 0; k < sparse.n_in; k++)
      if (sparse.in[k]) OK(rnl_tensor_copy(rnl_value(sparse.in[k]), rnl_value(dense.in[k]), err));
  }
  applied_free(&dense);
  applied_free(&sparse);
  rnl_program_release(p);
}

static void same_bits(const rnl_tensor *a, const rnl_tensor *b, const char *what, int k) {
  for (int64_t i = 0; i < rnl_tensor_numel(a); i++)
    if (rnl_tensor_at(a, i) != rnl_tensor_at(b, i))
      fail_msg("%s %d[%d] is %.9g on one thread, %.9g on several", what, k, (int)i, rnl_tensor_at(a, i),
               rnl_tensor_at(b, i));
}

static void test_threads(void **state) {
  (void)state;
  const program_sizes n = {.input = 21, .hidden = 67, .output = 5};
  rnl_program *(*const make[])(program_sizes) = {program_lstm, program_gru, program_elman, program_lstm_spelled};
  for (int m = 0; m < 4; m++)
    for (int option = 0; option < 4; option++) {
      rnl_program *p = make[m](n);
      const program_case c = {.dtype = RNL_F32, .regime = RNL_REGIME_LARGE, .batch = 37, .time = 13,
                              .lengths = option & 1, .final = true, .seed = 5, .sparse = option & 2 ? 33 : 0};
      applied one = program_apply(p, c), more = program_apply(p, c);
      for (int threads = 2; threads <= 5; threads += 3) {
        OK(rnl_plan_forward(one.plan, err));
        OK(rnl_plan_backward(one.plan, err));
        rnl_plan_set_threads(more.plan, threads);
        OK(rnl_plan_forward(more.plan, err));
        OK(rnl_plan_backward(more.plan, err));
        for (int k = 0; k < p->n_outputs + p->n_states; k++)
          same_bits(rnl_value(one.out[k]), rnl_value(more.out[k]), "output", k);
        for (int k = 0; k < one.n_in; k++)
          if (one.in[k] && one.in[k]->requires_grad)
            same_bits(rnl_grad(one.in[k]), rnl_grad(more.in[k]), "gradient of input", k);
      }
      applied_free(&one);
      applied_free(&more);
      rnl_program_release(p);
    }
}

/* Outputs of sequence 2 of a batch are, to the bit, those of a batch of that sequence alone. */
static void test_row_alone(void **state) {
  (void)state;
  const program_sizes n = {.input = 21, .hidden = 67, .output = 5};
  rnl_program *p = program_gru(n);
  const program_case c = {.dtype = RNL_F32, .regime = RNL_REGIME_LARGE, .batch = 11, .time = 6, .seed = 6};
  applied all = program_apply(p, c);
  rnl_var *in[PROGRAM_INPUTS], *out[RNL_MAX_OUT];
  memcpy(in, all.in, sizeof in);
  rnl_tensor narrow = {0}, alone = {0};
  OK(rnl_tensor_narrow(&narrow, rnl_value(all.in[0]), 0, 2, 1, err));
  OK(rnl_tensor_clone(&alone, &narrow, err));
  rnl_tensor_release(&narrow);
  in[0] = rnl_var_new(&alone, false);
  const rnl_program_attrs attrs = {.program = p, .regime = RNL_REGIME_LARGE, .name = "alone"};
  OK(rnl_apply(&rnl_op_program, &attrs, all.n_in, in, out, err));
  for (int64_t t = 0; t < c.time; t++)
    for (int64_t j = 0; j < n.output; j++)
      assert_true(rnl_tensor_get(rnl_value(out[0]), (int64_t[]){0, t, j}) ==
                  rnl_tensor_get(rnl_value(all.out[0]), (int64_t[]){2, t, j}));
  rnl_var_release(in[0]);
  for (int k = 0; k < RNL_MAX_OUT; k++) rnl_var_release(out[k]);
  applied_free(&all);
  rnl_program_release(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_chunks),
                                     cmocka_unit_test(test_sparse),
                                     cmocka_unit_test(test_threads), cmocka_unit_test(test_row_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
