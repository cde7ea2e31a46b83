/* Truncated backpropagation through time, chunk by chunk: k1 = k2 against PyTorch, k1 != k2 against NumPy. */
#include "tutorial_net.h"

static const char *const names[] = {"weight_ih", "weight_hh", "bias", "weight_ho", "bias_o"};

/* Element `chunk` of the stacked tensor group.name against got. */
static void compare_stacked(const golden *g, const char *group, const char *name, int64_t chunk,
                            const rnl_tensor *got) {
  rnl_tensor want = golden_tensor(g, group, name, RNL_F64);
  const int64_t n = rnl_tensor_numel(got);
  assert_int_equal(rnl_tensor_numel(&want), n * want.size[0]);
  for (int64_t i = 0; i < n; i++) {
    const double a = rnl_tensor_at(got, i), b = rnl_tensor_at(&want, chunk * n + i);
    if (!(error_of(a, b) <= golden_tolerance(got->dtype)))
      fail_msg("%s chunk %d: %s.%s[%d] is %.17g, expected %.17g", g->name, (int)chunk, group, name, (int)i, a, b);
  }
  rnl_tensor_release(&want);
}

static void compare_loss(const golden *g, int64_t chunk, double loss, rnl_dtype dtype) {
  rnl_tensor want = golden_tensor(g, "expected", "loss", RNL_F64);
  if (!(error_of(loss, rnl_tensor_at(&want, chunk)) <= golden_tolerance(dtype)))
    fail_msg("%s: the loss of chunk %d is %.17g, expected %.17g", g->name, (int)chunk, loss,
             rnl_tensor_at(&want, chunk));
  rnl_tensor_release(&want);
}

static void run_case(const char *name, rnl_dtype dtype, rnl_regime regime) {
  golden g = golden_open(name);
  net n = {.attrs = {.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .regime = regime, .name = "tbptt"}};
  for (int i = 0; i < NET_PARAMETERS; i++) n.parameters[i] = golden_var(&g, "params", names[i], dtype);
  rnl_tensor h0 = golden_tensor(&g, "inputs", "h0", dtype);
  n.state0 = rnl_var_new(&h0, false);
  rnl_tensor x = golden_tensor(&g, "inputs", "x", dtype), y = golden_tensor(&g, "inputs", "target", dtype);
  const bool updates = strcmp(golden_text(&g, "update", "none"), "sgd") == 0;
  rnl_trainer_options options = {.record = net_record, .context = &n, .n_parameters = NET_PARAMETERS,
                                 .parameters = n.parameters, .k1 = (int64_t)golden_option(&g, "k1"),
                                 .k2 = (int64_t)golden_option(&g, "k2")};
  OK(rnl_optimizer_from_name("sgd", &options.optimizer, err));
  options.optimizer.lr = updates ? golden_option(&g, "lr") : 0;
  rnl_trainer *t = NULL;
  rnl_set set = set_of(&x, &y);
  OK(rnl_trainer_new(&t, &options, &set, NULL, err));
  const int64_t chunks = (int64_t)golden_option(&g, "chunks");
  for (int64_t c = 0; c < chunks; c++) {
    rnl_train_reason reason;
    OK(rnl_trainer_run_steps(t, 1, 1, &reason, err));
    compare_loss(&g, c, rnl_trainer_last_loss(t), dtype);
    for (int i = 0; i < NET_PARAMETERS; i++) {
      char key[64];
      snprintf(key, sizeof key, "after_%s", names[i]);
      compare_stacked(&g, "grads", names[i], c, rnl_grad(n.parameters[i]));
      if (updates) compare_stacked(&g, "expected", key, c, rnl_value(n.parameters[i]));
    }
  }
  assert_int_equal(rnl_trainer_epoch(t), 1);
  assert_int_equal(rnl_trainer_steps(t), chunks);
  rnl_trainer_free(t);
  rnl_set_release(&set);
  rnl_tensor_release(&x);
  rnl_tensor_release(&y);
  net_release(&n);
  golden_close(&g);
}

static void vectors(void **state) {
  (void)state;
  static const char *const cases[] = {"tbptt_elman", "tbptt_elman_sgd", "tbptt_k1_k2", "tbptt_k1_k2_odd"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
      for (int regime = RNL_REGIME_AUTO; regime <= RNL_REGIME_REFERENCE; regime++)
        run_case(cases[i], (rnl_dtype)dtype, (rnl_regime)regime);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(vectors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
