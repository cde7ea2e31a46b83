/* Cell programs through the gradient check in float64, in every regime, with and without initial states, lengths and
 * checkpoints, and their forward-mode product. */
#include "programs.h"

#include "grad/gradcheck.h"

static void check(const char *name, rnl_program *p, program_case c) {
  c.dtype = RNL_F64;
  applied a = program_apply(p, c);
  rnl_var *leaves[PROGRAM_INPUTS];
  int n = 0;
  for (int k = 0; k < a.n_in; k++)
    if (a.in[k] && a.in[k]->requires_grad) leaves[n++] = a.in[k];
  rnl_gradcheck_options options = {0};
  rnl_gradcheck_entry entries[PROGRAM_INPUTS];
  rnl_gradcheck_report report;
  OK(rnl_gradcheck(a.plan, a.loss, n, leaves, &options, entries, &report, err));
  for (int i = 0; i < n; i++)
    if (entries[i].max_error > report.tolerance || entries[i].checked + entries[i].skipped != entries[i].numel ||
        entries[i].skipped * 4 > entries[i].numel)
      fail_msg("%s, regime %d, lengths %d, checkpoint %d: leaf %d[%d] is %.12g, numeric %.12g (%d of %d skipped)",
               name, c.regime, c.lengths, (int)c.checkpoint, i, (int)entries[i].worst, entries[i].analytic,
               entries[i].numeric, (int)entries[i].skipped, (int)entries[i].numel);
  assert_true(report.ok);
  assert_true(report.jvp_error <= 1e-9); /* a NaN, no product, fails as well */
  applied_free(&a);
  rnl_program_release(p);
}

static void check_all(rnl_regime regime) {
  const program_sizes n = {.input = 3, .hidden = 5, .output = 2};
  for (int option = 0; option < 8; option++) {
    const program_case c = {.regime = regime, .batch = 3, .time = 7, .states = option & 1, .lengths = option & 2,
                            .checkpoint = option & 4 ? 3 : 0, .final = option != 2, .seed = 1};
    check("elman", program_elman(n), c);
    check("elman spelled", program_elman_spelled(n), c);
    check("lstm", program_lstm(n), c);
    check("lstm spelled", program_lstm_spelled(n), c);
    check("gru", program_gru(n), c);
    check("odd", program_odd(n, false), c);
  }
}

static void test_reference(void **state) {
  (void)state;
  check_all(RNL_REGIME_REFERENCE);
}
static void test_small(void **state) {
  (void)state;
  check_all(RNL_REGIME_SMALL);
}
static void test_large(void **state) {
  (void)state;
  check_all(RNL_REGIME_LARGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference), cmocka_unit_test(test_small),
                                     cmocka_unit_test(test_large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
