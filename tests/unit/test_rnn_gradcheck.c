/* Every cell, activation, initial state and regime through the gradient check in float64, and the forward-
 * mode product with it. */
#include "golden.h"

#include "base/rng.h"
#include "grad/gradcheck.h"
#include "grad/ops.h"
#include "rnn/init.h"
#include "rnn/linear.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"

static rnl_var *random_var(uint32_t index, const char *name, int ndim, const int64_t *size) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 11, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = -0.8, .b = 0.8};
  OK(rnl_tensor_new(&t, RNL_F64, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  rnl_var *var = rnl_var_new(&t, true);
  OK(rnl_var_set_name(var, name, err));
  return var;
}

typedef struct shape {
  int64_t batch, time, input, hidden, output; /* output 0: no read-out, the loss sees h */
  int state0;                                 /* 0: none, 1: (n), 2: (batch, n) */
  bool lengths;
} shape;

static void check_layer(rnl_cell cell, rnl_activation phi, rnl_activation sigma, rnl_regime regime, shape s) {
  const bool jordan = cell == RNL_CELL_JORDAN;
  const int64_t feedback = jordan ? s.output : s.hidden;
  rnl_recurrent_attrs attrs = {.cell = cell, .phi = phi, .sigma = sigma, .regime = regime, .name = "checked"};
  rnl_var *in[RNL_RECURRENT_INPUTS] = {
      random_var(1, "x", 3, (int64_t[]){s.batch, s.time, s.input}),
      random_var(2, "weight_ih", 2, (int64_t[]){s.input, s.hidden}),
      random_var(3, "weight_fb", 2, (int64_t[]){feedback, s.hidden}),
      random_var(4, "bias", 1, (int64_t[]){s.hidden}),
      s.output ? random_var(5, "weight_ho", 2, (int64_t[]){s.hidden, s.output}) : NULL,
      s.output ? random_var(6, "bias_o", 1, (int64_t[]){s.output}) : NULL,
      s.state0 == 1   ? random_var(7, "state0", 1, (int64_t[]){feedback})
      : s.state0 == 2 ? random_var(7, "state0", 2, (int64_t[]){s.batch, feedback})
                      : NULL};
  if (s.lengths) {
    in[RNL_RECURRENT_LENGTHS] = random_var(10, "lengths", 1, &s.batch);
    in[RNL_RECURRENT_LENGTHS]->requires_grad = false;
    for (int64_t b = 0; b < s.batch; b++)
      rnl_tensor_put(rnl_value(in[RNL_RECURRENT_LENGTHS]), b, (double)((2 * b + 1) % (s.time + 1)));
  }
  rnl_var *out[RNL_RECURRENT_OUTPUTS], *loss_y = NULL, *loss_h = NULL, *loss = NULL, *leaves[RNL_RECURRENT_INPUTS];
  OK(rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, in, out, err));
  /* The loss sees both outputs, so that both gradients arrive; a target that requires none. */
  rnl_loss kind = RNL_LOSS_MSE;
  rnl_var *target_h = random_var(8, "target", 3, (int64_t[]){s.batch, s.time, s.hidden});
  OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){out[RNL_RECURRENT_H], target_h}, &loss_h, err));
  if (s.output) {
    rnl_var *target_y = random_var(9, "target", 3, (int64_t[]){s.batch, s.time, s.output});
    rnl_binary add = RNL_BINARY_ADD;
    kind = RNL_LOSS_SSE;
    OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){out[RNL_RECURRENT_Y], target_y}, &loss_y, err));
    OK(rnl_apply(&rnl_op_binary, &add, 2, (rnl_var *[]){loss_h, loss_y}, &loss, err));
    rnl_var_release(target_y);
  } else {
    loss = rnl_var_ref(loss_h);
  }
  int n = 0;
  for (int i = 0; i < RNL_RECURRENT_LENGTHS; i++)
    if (in[i]) leaves[n++] = in[i];
  rnl_plan *plan = NULL;
  rnl_gradcheck_options options = {0};
  rnl_gradcheck_entry entries[RNL_RECURRENT_INPUTS];
  rnl_gradcheck_report report;
  OK(rnl_plan_new(&plan, &loss, 1, loss, err));
  OK(rnl_gradcheck(plan, loss, n, leaves, &options, entries, &report, err));
  for (int i = 0; i < n; i++)
    if (entries[i].max_error > report.tolerance || entries[i].checked + entries[i].skipped != entries[i].numel ||
        entries[i].skipped * 4 > entries[i].numel)
      fail_msg("%s, %s, %s, regime %d, hidden %d: %s[%d] is %.12g, numeric %.12g (%d of %d skipped)",
               rnl_cell_name(cell), rnl_activation_name(phi), rnl_activation_name(sigma), regime, (int)s.hidden,
               leaves[i]->name, (int)entries[i].worst, entries[i].analytic, entries[i].numeric,
               (int)entries[i].skipped, (int)entries[i].numel);
  assert_true(report.ok);
  assert_true(report.jvp_error <= 1e-9); /* a NaN, no product, fails as well */
  rnl_plan_free(plan);
  rnl_var *all[] = {out[0], out[1], target_h, loss_y, loss_h, loss};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
  for (int i = 0; i < RNL_RECURRENT_INPUTS; i++) rnl_var_release(in[i]);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void every_cell(void **state) {
  (void)state;
  for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
    for (int phi = 0; phi < RNL_ACT_COUNT; phi++)
      for (int sigma = 0; sigma < RNL_ACT_COUNT; sigma++)
        for (int regime = RNL_REGIME_SMALL; regime <= RNL_REGIME_REFERENCE; regime++)
          for (int state0 = 0; state0 < 3; state0++)
            for (int lengths = 0; lengths < 2; lengths++)
              check_layer((rnl_cell)cell, (rnl_activation)phi, (rnl_activation)sigma, (rnl_regime)regime,
                          (shape){2, 3, 2, 3, 2, state0, lengths});
}

/* Sizes about the tiles and vectors of the kernels, one step, one sequence, no read-out. */
static void odd_sizes(void **state) {
  (void)state;
  static const shape shapes[] = {{1, 1, 1, 1, 1, 1, 0},  {1, 4, 3, 2, 1, 2, 0},  {3, 2, 4, 7, 0, 2, 0},
                                 {2, 2, 9, 8, 3, 0, 0},  {17, 2, 2, 3, 9, 2, 0}, {16, 2, 1, 9, 2, 1, 1},
                                 {2, 2, 17, 10, 8, 0, 1}, {33, 1, 2, 2, 2, 1, 0}, {17, 3, 2, 3, 2, 2, 1}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
    for (int regime = RNL_REGIME_SMALL; regime <= RNL_REGIME_REFERENCE; regime++)
      for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
        if (shapes[i].output || cell == RNL_CELL_ELMAN)
          check_layer((rnl_cell)cell, RNL_ACT_TANH, RNL_ACT_SIGMOID, (rnl_regime)regime, shapes[i]);
}

/* Two recurrent layers and a linear one: gradients through sequences that stay in their layout, and
 * through one that is repacked. */
static void stacked(void **state) {
  (void)state;
  for (int first = RNL_REGIME_SMALL; first <= RNL_REGIME_REFERENCE; first++)
    for (int second = RNL_REGIME_SMALL; second <= RNL_REGIME_REFERENCE; second++) {
      rnl_recurrent_attrs attrs[2] = {{.phi = RNL_ACT_TANH, .regime = (rnl_regime)first, .name = "1"},
                                      {.phi = RNL_ACT_SIGMOID, .regime = (rnl_regime)second, .name = "2"}};
      rnl_linear_attrs linear = {"3"};
      rnl_var *p[] = {random_var(1, "x", 3, (int64_t[]){3, 4, 2}),       random_var(2, "ih1", 2, (int64_t[]){2, 3}),
                      random_var(3, "hh1", 2, (int64_t[]){3, 3}),        random_var(4, "b1", 1, (int64_t[]){3}),
                      random_var(5, "ih2", 2, (int64_t[]){3, 4}),        random_var(6, "hh2", 2, (int64_t[]){4, 4}),
                      random_var(7, "b2", 1, (int64_t[]){4}),            random_var(8, "w3", 2, (int64_t[]){4, 2}),
                      random_var(9, "b3", 1, (int64_t[]){2}),
                      random_var(10, "target", 3, (int64_t[]){3, 4, 2})};
      enum { COUNT = sizeof p / sizeof p[0] };
      rnl_var *h1[2], *h2[2], *y, *loss;
      rnl_loss kind = RNL_LOSS_MSE;
      OK(rnl_apply(&rnl_op_recurrent, &attrs[0], 4, (rnl_var *[]){p[0], p[1], p[2], p[3]}, h1, err));
      OK(rnl_apply(&rnl_op_recurrent, &attrs[1], 4, (rnl_var *[]){h1[0], p[4], p[5], p[6]}, h2, err));
      OK(rnl_apply(&rnl_op_linear, &linear, 3, (rnl_var *[]){h2[0], p[7], p[8]}, &y, err));
      OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){y, p[9]}, &loss, err));
      rnl_plan *plan = NULL;
      rnl_gradcheck_options options = {0};
      rnl_gradcheck_entry entries[COUNT];
      rnl_gradcheck_report report;
      OK(rnl_plan_new(&plan, &loss, 1, loss, err));
      OK(rnl_gradcheck(plan, loss, COUNT, p, &options, entries, &report, err));
      if (!report.ok) fail_msg("stacked %d on %d: error %g, jvp %g", first, second, report.max_error, report.jvp_error);
      assert_true(report.jvp_error <= 1e-9);
      rnl_plan_free(plan);
      rnl_var *all[] = {h1[0], h1[1], h2[0], h2[1], y, loss};
      for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
      for (int i = 0; i < COUNT; i++) rnl_var_release(p[i]);
      assert_int_equal(rnl_alloc_live(), 0);
    }
}

/* The check itself must fail on a wrong gradient: a loss whose backward is scaled by 1.001. */
static rnl_status wrong_backward(rnl_node *node, rnl_error *err) {
  RNL_TRY(rnl_op_squared_error.backward(node, err));
  const rnl_tensor *dy = rnl_in_grad(node, 0);
  for (int64_t i = 0; i < rnl_tensor_numel(dy); i++) rnl_tensor_put(dy, i, 1.001 * rnl_tensor_at(dy, i));
  return RNL_OK;
}

static void a_wrong_gradient_is_found(void **state) {
  (void)state;
  rnl_op wrong = rnl_op_squared_error;
  wrong.backward = wrong_backward;
  rnl_loss kind = RNL_LOSS_SSE;
  rnl_var *y = random_var(1, "y", 2, (int64_t[]){3, 2}), *target = random_var(2, "target", 2, (int64_t[]){3, 2}), *loss;
  OK(rnl_apply(&wrong, &kind, 2, (rnl_var *[]){y, target}, &loss, err));
  rnl_plan *plan = NULL;
  rnl_gradcheck_options options = {0};
  rnl_gradcheck_entry entry;
  rnl_gradcheck_report report;
  OK(rnl_plan_new(&plan, &loss, 1, loss, err));
  OK(rnl_gradcheck(plan, loss, 1, &y, &options, &entry, &report, err));
  assert_false(report.ok);
  assert_true(entry.max_error > 1e-5);
  options.samples = 1; /* fewer elements do, here of either way */
  OK(rnl_gradcheck(plan, loss, 1, &y, &options, &entry, &report, err));
  assert_int_equal(entry.checked, 1);
  assert_true(entry.max_error > 1e-5 && report.jvp_error > 1e-5);
  volatile int stop = 0;
  rnl_error interrupted;
  options.stop = &stop;
  OK(rnl_gradcheck(plan, loss, 1, &y, &options, &entry, &report, err));
  stop = 15;
  assert_int_equal(rnl_gradcheck(plan, loss, 1, &y, &options, &entry, &report, &interrupted), RNL_ERR_INTERRUPTED);
  rnl_plan_free(plan);
  rnl_var_release(loss);
  rnl_var_release(y);
  rnl_var_release(target);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_cell), cmocka_unit_test(odd_sizes),
                                     cmocka_unit_test(stacked), cmocka_unit_test(a_wrong_gradient_is_found)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
