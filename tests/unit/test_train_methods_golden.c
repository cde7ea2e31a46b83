/* Levenberg-Marquardt and L-BFGS against a NumPy program (tests/golden/make_lm.py), epoch for epoch. */
#include "tutorial_net.h"

#include "rnn/row_loss.h"
#include "train/lbfgs.h"
#include "train/lm.h"

static const char *const names[NET_PARAMETERS] = {"weight_ih", "weight_hh", "bias", "weight_ho", "bias_o"};

/* The mean squared error where the set has a mask. */
static rnl_status record_masked(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  rnl_row_loss_attrs attrs;
  RNL_TRY(rnl_row_loss_from_name("mse", &attrs, err));
  RNL_TRY(net_forward(context, batch, prediction, err));
  rnl_var *in[RNL_ROW_LOSS_INPUTS] = {*prediction, rnl_batch_leaf(batch, "y"), rnl_batch_leaf(batch, "weight")};
  return rnl_apply(&rnl_op_row_loss, &attrs, RNL_ROW_LOSS_INPUTS, in, loss, err);
}

static void near(const char *what, int64_t i, double got, double want, double tolerance) {
  if (!(error_of(got, want) <= tolerance))
    fail_msg("%s %d is %.17g, expected %.17g", what, (int)i, got, want);
}

static void follow(const char *name, rnl_dtype dtype, int regime, double tolerance) {
  golden g = golden_open(name);
  const bool is_lm = strncmp(name, "lm", 2) == 0, masked = strstr(name, "masked") != NULL;
  net n = {.attrs = {.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .regime = (rnl_regime)regime, .name = "rnn"}};
  for (int i = 0; i < NET_PARAMETERS; i++) n.parameters[i] = golden_var(&g, "params", names[i], dtype);
  rnl_tensor x = golden_tensor(&g, "inputs", "x", dtype), y = golden_tensor(&g, "inputs", "target", dtype);
  rnl_tensor mask = golden_tensor(&g, "inputs", "mask", dtype);
  rnl_trainer_options options = {.record = masked ? record_masked : net_record, .context = &n,
                                 .n_parameters = NET_PARAMETERS, .parameters = n.parameters};
  OK(rnl_optimizer_from_name("sgd", &options.optimizer, err));
  if (is_lm) {
    rnl_lm_options o = rnl_lm_defaults();
    o.damping = golden_option(&g, "damping");
    o.up = golden_option(&g, "up");
    o.down = golden_option(&g, "down");
    OK(rnl_lm_new(&options.method, &o, err));
  } else {
    rnl_lbfgs_options o = rnl_lbfgs_defaults();
    o.history = (int64_t)golden_option(&g, "history");
    OK(rnl_lbfgs_new(&options.method, &o, NET_PARAMETERS, n.parameters, err));
  }
  rnl_set set = set_of(&x, &y);
  if (masked) OK(rnl_set_add(&set, "the set", "weight", &mask, err)); /* any number, as no mask of a set may be */
  rnl_trainer *t = NULL;
  OK(rnl_trainer_new(&t, &options, &set, NULL, err));
  rnl_tensor losses = golden_tensor(&g, "expected", "loss", RNL_F64), dampings = {0};
  if (is_lm) dampings = golden_tensor(&g, "expected", "damping", RNL_F64);
  const int64_t epochs = rnl_tensor_numel(&losses);
  for (int64_t e = 0; e < epochs; e++) {
    rnl_train_reason reason;
    rnl_method_value state[RNL_METHOD_VALUES];
    OK(rnl_trainer_run(t, e + 1, 0, &reason, err));
    assert_int_equal(reason, RNL_TRAIN_EPOCHS);
    near("the loss of epoch", e + 1, rnl_trainer_losses(t)[e], rnl_tensor_at(&losses, e), tolerance);
    assert_int_equal(options.method.state(options.method.context, state), is_lm ? 1 : 3);
    if (is_lm) near("the damping after epoch", e + 1, state[0].values[0], rnl_tensor_at(&dampings, e), 1e-12);
  }
  for (int i = 0; i < NET_PARAMETERS; i++) {
    char key[64];
    snprintf(key, sizeof key, "final_%s", names[i]);
    rnl_tensor want = golden_tensor(&g, "expected", key, RNL_F64);
    for (int64_t k = 0; k < rnl_tensor_numel(&want); k++)
      near(key, k, rnl_tensor_at(rnl_value(n.parameters[i]), k), rnl_tensor_at(&want, k), tolerance);
    rnl_tensor_release(&want);
  }
  rnl_trainer_free(t);
  rnl_set_release(&set);
  rnl_tensor *all[] = {&x, &y, &mask, &losses, &dampings};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) rnl_tensor_release(all[i]);
  net_release(&n);
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void lm(void **state) {
  (void)state;
  for (int regime = RNL_REGIME_AUTO; regime <= RNL_REGIME_REFERENCE; regime++) {
    follow("lm_elman", RNL_F64, regime, 1e-9);
    follow("lm_elman_masked", RNL_F64, regime, 1e-9);
  }
}

static void lm_in_single_precision(void **state) {
  (void)state;
  follow("lm_elman", RNL_F32, RNL_REGIME_AUTO, 2e-3); /* twelve epochs amplify the roundings of the first */
}

static void lbfgs(void **state) {
  (void)state;
  for (int regime = RNL_REGIME_AUTO; regime <= RNL_REGIME_REFERENCE; regime++)
    follow("lbfgs_elman", RNL_F64, regime, 1e-9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(lm), cmocka_unit_test(lm_in_single_precision),
                                     cmocka_unit_test(lbfgs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
