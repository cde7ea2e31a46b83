/* The optimisers against PyTorch's trajectories on f(theta) = u'Au/2 + sum q u^4/4, u = theta - center. */
#include "golden.h"

#include "optim/optimizer.h"
#include "optim/schedule.h"

enum { SIZE = 7, FIRST = 3 }; /* theta is held as two parameters, theta[0:3] and theta[3:7] */

static void check_case(const char *name, const char *optimizer, bool clip) {
  golden g = golden_open(name);
  for (int d = RNL_F32; d <= RNL_F64; d++) {
    const rnl_dtype dtype = (rnl_dtype)d;
    rnl_tensor a = golden_tensor(&g, "inputs", "A", RNL_F64), center = golden_tensor(&g, "inputs", "center", RNL_F64),
               q = golden_tensor(&g, "inputs", "q", RNL_F64), theta0 = golden_tensor(&g, "inputs", "theta0", RNL_F64),
               want = golden_tensor(&g, "expected", "theta", RNL_F64);
    rnl_optimizer_options options;
    OK(rnl_optimizer_from_name(optimizer, &options, err));
    options.lr = golden_option(&g, "lr");
    const struct {
      const char *name;
      double *value;
    } read[] = {{"momentum", &options.momentum}, {"beta1", &options.beta1}, {"beta2", &options.beta2},
                {"eps", &options.eps}, {"alpha", &options.alpha}, {"rho", &options.rho},
                {"dampening", &options.dampening}, {"weight_decay", &options.weight_decay}};
    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++)
      if (golden_entry(&g, "options", read[i].name)) *read[i].value = golden_option(&g, read[i].name);
    options.centered = strstr(name, "centered") != NULL;
    rnl_var *theta[2];
    for (int p = 0; p < 2; p++) {
      const int64_t size = p ? SIZE - FIRST : FIRST;
      rnl_tensor value = {0};
      OK(rnl_tensor_new(&value, dtype, 1, &size, err));
      for (int64_t i = 0; i < size; i++) rnl_tensor_put(&value, i, rnl_tensor_at(&theta0, (p ? FIRST : 0) + i));
      theta[p] = rnl_var_new(&value, true);
      OK(rnl_tensor_new(rnl_grad(theta[p]), dtype, 1, &size, err));
    }
    rnl_optimizer *o = NULL;
    OK(rnl_optimizer_new(&o, &options, 2, theta, err));
    for (int64_t step = 0; step < (int64_t)golden_option(&g, "steps"); step++) {
      double u[SIZE];
      for (int i = 0; i < SIZE; i++)
        u[i] = rnl_tensor_at(rnl_value(theta[i >= FIRST]), i >= FIRST ? i - FIRST : i) - rnl_tensor_at(&center, i);
      for (int i = 0; i < SIZE; i++) {
        double gradient = rnl_tensor_at(&q, i) * u[i] * u[i] * u[i];
        for (int j = 0; j < SIZE; j++) gradient += rnl_tensor_at(&a, i * SIZE + j) * u[j];
        rnl_tensor_put(rnl_grad(theta[i >= FIRST]), i >= FIRST ? i - FIRST : i, gradient);
      }
      if (clip) {
        rnl_tensor norm = golden_tensor(&g, "expected", "grad_norm", RNL_F64);
        /* PyTorch scales by max_norm / (norm + 1e-6), ours by max_norm / norm: the same of a smaller max_norm. */
        const double before = rnl_clip_norm(2, theta, INFINITY), most = golden_option(&g, "max_norm");
        double got = rnl_clip_norm(2, theta, strstr(name, "torch") ? most * before / (before + 1e-6) : most);
        assert_true(error_of(got, rnl_tensor_at(&norm, step)) <= golden_tolerance(dtype));
        rnl_tensor_release(&norm);
      }
      rnl_optimizer_step(o);
      for (int i = 0; i < SIZE; i++) {
        double got = rnl_tensor_at(rnl_value(theta[i >= FIRST]), i >= FIRST ? i - FIRST : i);
        double expected = rnl_tensor_at(&want, step * SIZE + i);
        if (!(error_of(got, expected) <= golden_tolerance(dtype)))
          fail_msg("%s (%s): step %d theta[%d] is %.17g, expected %.17g", name, rnl_dtype_name(dtype), (int)step, i,
                   got, expected);
      }
    }
    rnl_optimizer_free(o);
    for (int p = 0; p < 2; p++) rnl_var_release(theta[p]);
    rnl_tensor *all[] = {&a, &center, &q, &theta0, &want};
    for (size_t i = 0; i < 5; i++) rnl_tensor_release(all[i]);
  }
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void sgd(void **state) { (void)state; check_case("optim_sgd", "sgd", false); }
static void momentum(void **state) { (void)state; check_case("optim_sgd_momentum", "momentum", false); }
static void adam(void **state) {
  (void)state;
  check_case("optim_adam", "adam", false);
  check_case("optim_adam_big_eps", "adam", false);
}
static void adam_tf(void **state) {
  (void)state;
  check_case("optim_adam_tf", "adam_tf", false);
  check_case("optim_adam_tf_big_eps", "adam_tf", false);
}
/* Rprop on given gradients (make_training.py). */
static void rprop(void **state) {
  (void)state;
  golden g = golden_open("optim_rprop");
  for (int d = RNL_F32; d <= RNL_F64; d++) {
    const rnl_dtype dtype = (rnl_dtype)d;
    rnl_optimizer_options options;
    OK(rnl_optimizer_from_name("rprop", &options, err));
    options.lr = golden_option(&g, "lr");
    options.eta_minus = golden_option(&g, "eta_minus");
    options.eta_plus = golden_option(&g, "eta_plus");
    options.step_min = golden_option(&g, "step_min");
    options.step_max = golden_option(&g, "step_max");
    rnl_var *p[] = {golden_var(&g, "params", "a", dtype), golden_var(&g, "params", "b", dtype)};
    rnl_tensor gradients[] = {golden_tensor(&g, "inputs", "grad_a", dtype),
                              golden_tensor(&g, "inputs", "grad_b", dtype)};
    rnl_tensor want[] = {golden_tensor(&g, "expected", "a", RNL_F64), golden_tensor(&g, "expected", "b", RNL_F64)};
    for (int k = 0; k < 2; k++)
      OK(rnl_tensor_new(rnl_grad(p[k]), dtype, rnl_value(p[k])->ndim, rnl_value(p[k])->size, err));
    rnl_optimizer *o = NULL;
    OK(rnl_optimizer_new(&o, &options, 2, p, err));
    for (int64_t step = 0; step < want[0].size[0]; step++) {
      for (int k = 0; k < 2; k++)
        for (int64_t i = 0, n = rnl_tensor_numel(rnl_grad(p[k])); i < n; i++)
          rnl_tensor_put(rnl_grad(p[k]), i, rnl_tensor_at(&gradients[k], step * n + i));
      rnl_optimizer_step(o);
      for (int k = 0; k < 2; k++)
        for (int64_t i = 0, n = rnl_tensor_numel(rnl_value(p[k])); i < n; i++)
          if (!(error_of(rnl_tensor_at(rnl_value(p[k]), i), rnl_tensor_at(&want[k], step * n + i)) <=
                golden_tolerance(dtype)))
            fail_msg("rprop (%s): step %d, parameter %d[%d] is %.17g, expected %.17g", rnl_dtype_name(dtype),
                     (int)step, k, (int)i, rnl_tensor_at(rnl_value(p[k]), i), rnl_tensor_at(&want[k], step * n + i));
    }
    rnl_optimizer_free(o);
    for (int k = 0; k < 2; k++) {
      rnl_var_release(p[k]);
      rnl_tensor_release(&gradients[k]);
      rnl_tensor_release(&want[k]);
    }
  }
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void clipped(void **state) { (void)state; check_case("optim_clip_adam", "adam", true); }
static void clipped_torch(void **state) { (void)state; check_case("optim_clip_adam_torch", "adam", true); }

static void others(void **state) {
  (void)state;
  check_case("optim_nesterov", "nesterov", false);
  check_case("optim_sgd_weight_decay_dampening", "momentum", false);
  check_case("optim_rmsprop", "rmsprop", false);
  check_case("optim_rmsprop_centered_momentum", "rmsprop", false);
  check_case("optim_adagrad", "adagrad", false);
  check_case("optim_adadelta", "adadelta", false);
  check_case("optim_adam_l2", "adam", false);
  check_case("optim_adam_amsgrad", "amsgrad", false);
  check_case("optim_adamw", "adamw", false);
}

static void schedules(void **state) {
  (void)state;
  const struct {
    const char *file, *name;
  } all[] = {{"schedule_cosine", "cosine"}, {"schedule_step", "step"}, {"schedule_exponential", "exponential"},
             {"schedule_onecycle", "onecycle"}, {"schedule_linear_warmup", "constant"}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    golden g = golden_open(all[i].file);
    rnl_schedule s;
    OK(rnl_schedule_from_name(all[i].name, &s, err));
    const double lr = golden_option(&g, golden_entry(&g, "options", "base_lr") ? "base_lr" : "max_lr");
    if (golden_entry(&g, "options", "gamma")) s.gamma = golden_option(&g, "gamma");
    if (golden_entry(&g, "options", "step_size")) s.step_size = (int64_t)golden_option(&g, "step_size");
    if (golden_entry(&g, "options", "t_max")) s.total = (int64_t)golden_option(&g, "t_max");
    if (golden_entry(&g, "options", "total_steps")) s.total = (int64_t)golden_option(&g, "total_steps");
    if (golden_entry(&g, "options", "eta_min")) s.min = golden_option(&g, "eta_min");
    if (golden_entry(&g, "options", "warmup")) s.warmup = (int64_t)golden_option(&g, "warmup");
    if (golden_entry(&g, "options", "start_factor")) s.start_factor = golden_option(&g, "start_factor");
    OK(rnl_schedule_check(&s, err));
    rnl_tensor want = golden_tensor(&g, "expected", "lr", RNL_F64);
    for (int64_t k = 0; k < rnl_tensor_numel(&want); k++)
      if (!(error_of(rnl_schedule_lr(&s, lr, k), rnl_tensor_at(&want, k)) <= 1e-12))
        fail_msg("%s: lr[%d] is %.17g, expected %.17g", all[i].file, (int)k, rnl_schedule_lr(&s, lr, k),
                 rnl_tensor_at(&want, k));
    rnl_tensor_release(&want);
    golden_close(&g);
  }
  rnl_schedule s;
  rnl_error error;
  assert_int_equal(rnl_schedule_from_name("cosin", &s, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "cosine"));
  OK(rnl_schedule_from_name("step", &s, err));
  s.gamma = 0;
  assert_int_equal(rnl_schedule_check(&s, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "gamma"));
}

static void clip_value(void **state) {
  (void)state;
  for (int d = RNL_F32; d <= RNL_F64; d++) {
    const int64_t size = 4;
    rnl_tensor value = {0};
    OK(rnl_tensor_new(&value, (rnl_dtype)d, 1, &size, err));
    rnl_var *p = rnl_var_new(&value, true);
    OK(rnl_tensor_new(rnl_grad(p), (rnl_dtype)d, 1, &size, err));
    const double before[] = {-3, -0.5, 0.25, 7}, after[] = {-0.5, -0.5, 0.25, 0.5};
    for (int i = 0; i < 4; i++) rnl_tensor_put(rnl_grad(p), i, before[i]);
    rnl_clip_value(1, &p, 0.5);
    for (int i = 0; i < 4; i++) assert_true(rnl_tensor_at(rnl_grad(p), i) == after[i]);
    rnl_var_release(p);
  }
}

static void bad_options(void **state) {
  (void)state;
  rnl_optimizer_options options;
  rnl_optimizer *o = NULL;
  rnl_error error;
  assert_int_equal(rnl_optimizer_from_name("adamm", &options, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "adam_tf"));
  OK(rnl_optimizer_from_name("adam", &options, err));
  options.lr = NAN;
  assert_int_equal(rnl_optimizer_new(&o, &options, 0, NULL, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "lr"));
  options.lr = 0.1;
  options.beta2 = 1;
  assert_int_equal(rnl_optimizer_new(&o, &options, 0, NULL, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "beta2"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(sgd),     cmocka_unit_test(momentum),
                                     cmocka_unit_test(adam),    cmocka_unit_test(adam_tf),
                                     cmocka_unit_test(clipped), cmocka_unit_test(clipped_torch),
                                     cmocka_unit_test(rprop), cmocka_unit_test(clip_value),
                                     cmocka_unit_test(others),  cmocka_unit_test(schedules),
                                     cmocka_unit_test(bad_options)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
