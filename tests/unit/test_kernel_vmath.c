/* tanh, sigmoid and exp of our own: their error in ULP against libm in double, over a sample of all
 * normal floats spread evenly through the bit patterns. With an argument, that stride: 1 takes every
 * one (minutes): test_kernel_vmath 1 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernel.h"

enum { CHUNK = 4096 };
static uint32_t stride = 1021; /* a prime: no pattern in the low bits */

static float float_of(uint32_t bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* Distance from `got` to the true value in units of the last place of the float nearest to it. */
static double ulps(float got, double truth) {
  if (isinf(got) && truth > 0x1.fffffep127) return 0;
  int exponent;
  frexp(truth, &exponent);
  const double ulp = ldexp(1, (exponent - 24 < -149 ? -149 : exponent - 24));
  return fabs((double)got - truth) / ulp;
}

static double exp_double(double x) { return exp(x); }
static double sigmoid_double(double x) { return 1 / (1 + exp(-x)); }
static double tanh_double(double x) { return tanh(x); }

static void check(rnl_unary kind, double (*truth)(double), const char *name, double bound) {
  const rnl_kernels *k = rnl_kernels_of(false);
  static float x[CHUNK], y[CHUNK];
  double worst = 0;
  float worst_at = 0;
  int n = 0;
  for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += stride) {
    const float value = float_of((uint32_t)bits);
    if (isnormal(value)) x[n++] = value;
    if (n < CHUNK && bits + stride <= 0xFFFFFFFFu) continue;
    k->unary(kind, n, x, y);
    for (int i = 0; i < n; i++) {
      const double t = truth((double)x[i]);
      if (kind == RNL_UNARY_TANH && !(fabsf(y[i]) <= 1)) fail_msg("tanh(%a) is %a", (double)x[i], (double)y[i]);
      if (fabs(t) < 0x1p-126) { /* a result below the normal floats may be flushed to zero */
        assert_true(fabs((double)y[i]) <= 0x1p-126);
        continue;
      }
      const double error = ulps(y[i], t);
      if (!(error <= worst)) worst = error, worst_at = x[i];
    }
    n = 0;
  }
  print_message("%s (%s): at most %.2f ULP, at x = %a\n", name, k->isa, worst, (double)worst_at);
  assert_true(worst <= bound);
}

static void within_five_ulp(void **state) {
  (void)state;
  const uint64_t fpu = rnl_fpu_enter();
  check(RNL_UNARY_TANH, tanh_double, "tanh", 5);
  check(RNL_UNARY_SIGMOID, sigmoid_double, "sigmoid", 5);
  check(RNL_UNARY_EXP, exp_double, "exp", 5);
  rnl_fpu_leave(fpu);
}

/* NaN stays NaN, infinities end where the function does, and tanh never leaves [-1, 1]. */
static void special_values(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    const rnl_kernels *k = rnl_kernels_of(f64);
    const double in[] = {NAN, INFINITY, -INFINITY, 0, 9.02, 20};
    const double want[][6] = {{NAN, 1, -1, 0, 1, 1}, {NAN, 1, 0, .5, -1, 1}, {NAN, INFINITY, 0, 1, -1, -1}};
    const rnl_unary kinds[] = {RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_EXP};
    for (int kind = 0; kind < 3; kind++)
      for (int i = 0; i < 6; i++) {
        double got;
        if (f64) {
          k->unary(kinds[kind], 1, &in[i], &got);
        } else {
          float x = (float)in[i], y;
          k->unary(kinds[kind], 1, &x, &y);
          got = (double)y;
        }
        if (isnan(want[kind][i])) assert_true(isnan(got));
        else if (want[kind][i] >= 0 || kind == 0)
          assert_true(fabs(got - want[kind][i]) <= 1e-6 || got == want[kind][i]);
        if (kind == 0 && !isnan(got)) assert_true(fabs(got) <= 1);
      }
  }
}

/* The same function at every position of a vector and in a tail: no lane is special. */
static void every_lane_alike(void **state) {
  (void)state;
  const rnl_kernels *k = rnl_kernels_of(false);
  for (int kind = 0; kind < RNL_UNARY_COUNT; kind++) {
    float one = 0.7f, alone;
    k->unary((rnl_unary)kind, 1, &one, &alone);
    for (int n = 1; n <= 40; n++) {
      float x[41], y[41];
      for (int i = 0; i < n; i++) x[i] = one;
      y[n] = 123;
      k->unary((rnl_unary)kind, n, x, y);
      for (int i = 0; i < n; i++) assert_memory_equal(&y[i], &alone, sizeof alone);
      assert_true(y[n] == 123); /* nothing is written past the end */
    }
  }
}

int main(int argc, char **argv) {
  if (argc > 1) stride = (uint32_t)strtoul(argv[1], NULL, 10);
  if (stride == 0) stride = 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(within_five_ulp), cmocka_unit_test(special_values),
                                     cmocka_unit_test(every_lane_alike)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
