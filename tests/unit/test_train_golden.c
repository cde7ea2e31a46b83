/* Question 2 of the tutorial: 30 steps of full-batch Adam against PyTorch's, step for step. */
#include "tutorial_net.h"

static void tutorial(void **state) {
  (void)state;
  static const char *const names[] = {"weight_ih", "weight_hh", "bias", "weight_ho", "bias_o"};
  golden g = golden_open("tutorial_train");
  for (int d = RNL_F32; d <= RNL_F64; d++)
    for (int regime = RNL_REGIME_AUTO; regime <= RNL_REGIME_REFERENCE; regime++) {
      const rnl_dtype dtype = (rnl_dtype)d;
      net n = {.attrs = {.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .regime = (rnl_regime)regime, .name = "q2"}};
      for (int i = 0; i < NET_PARAMETERS; i++) n.parameters[i] = golden_var(&g, "params", names[i], dtype);
      rnl_tensor x = golden_tensor(&g, "inputs", "x", dtype), y = golden_tensor(&g, "inputs", "target", dtype);
      rnl_trainer_options options = {.record = net_record, .context = &n, .n_parameters = NET_PARAMETERS,
                                     .parameters = n.parameters};
      OK(rnl_optimizer_from_name("adam_tf", &options.optimizer, err));
      options.optimizer.lr = golden_option(&g, "lr");
      rnl_trainer *t = NULL;
      rnl_train_reason reason;
      rnl_set set = set_of(&x, &y);
      OK(rnl_trainer_new(&t, &options, &set, NULL, err));
      const int64_t steps = (int64_t)golden_option(&g, "steps");
      OK(rnl_trainer_run(t, 1, 0, &reason, err));
      for (int i = 0; i < NET_PARAMETERS; i++) {
        char key[64];
        snprintf(key, sizeof key, "step1_%s", names[i]);
        golden_compare(&g, "expected", key, rnl_value(n.parameters[i]), "after step 1");
      }
      OK(rnl_trainer_run(t, steps, 0, &reason, err));
      assert_int_equal(reason, RNL_TRAIN_EPOCHS);
      assert_int_equal(rnl_trainer_epoch(t), steps);
      rnl_tensor losses = golden_tensor(&g, "expected", "loss", RNL_F64);
      for (int64_t i = 0; i < steps; i++)
        if (!(error_of(rnl_trainer_losses(t)[i], rnl_tensor_at(&losses, i)) <= golden_tolerance(dtype)))
          fail_msg("loss of epoch %d is %.17g, expected %.17g", (int)i + 1, rnl_trainer_losses(t)[i],
                   rnl_tensor_at(&losses, i));
      rnl_tensor_release(&losses);
      double loss;
      rnl_tensor final = golden_tensor(&g, "expected", "final_loss", RNL_F64), prediction = {0};
      OK(rnl_trainer_evaluate(t, &set, &loss, &prediction, err));
      assert_true(error_of(loss, rnl_tensor_at(&final, 0)) <= golden_tolerance(dtype));
      assert_true(rnl_tensor_same_shape(&prediction, &y));
      for (int i = 0; i < NET_PARAMETERS; i++) {
        char key[64];
        snprintf(key, sizeof key, "final_%s", names[i]);
        golden_compare(&g, "expected", key, rnl_value(n.parameters[i]), "at the end");
      }
      rnl_tensor_release(&final);
      rnl_tensor_release(&prediction);
      rnl_trainer_free(t);
      rnl_set_release(&set);
      rnl_tensor_release(&x);
      rnl_tensor_release(&y);
      net_release(&n);
    }
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tutorial)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
