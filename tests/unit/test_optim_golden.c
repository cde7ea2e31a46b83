/* The optimisers against PyTorch's trajectories on f(theta) = u'Au/2 + sum q u^4/4, u = theta - center. */
#include "golden.h"

#include "optim/optimizer.h"

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
    if (golden_entry(&g, "options", "momentum")) options.momentum = golden_option(&g, "momentum");
    if (golden_entry(&g, "options", "beta1")) {
      options.beta1 = golden_option(&g, "beta1");
      options.beta2 = golden_option(&g, "beta2");
      options.eps = golden_option(&g, "eps");
    }
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
        double got = rnl_clip_norm(2, theta, golden_option(&g, "max_norm"));
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
static void clipped(void **state) { (void)state; check_case("optim_clip_adam", "adam", true); }

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
                                     cmocka_unit_test(clipped), cmocka_unit_test(clip_value),
                                     cmocka_unit_test(bad_options)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
