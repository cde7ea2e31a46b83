/* The spectral radius, small and large, against matrices whose eigenvalues are known and against LAPACK. */
#include "golden.h"

#include "base/rng.h"
#include "kernel/lapack.h"
#include "rnn/spectral.h"

static double radius_of(int64_t n, const double *a) {
  double radius = -1;
  OK(rnl_spectral_radius(n, a, &radius, err));
  return radius;
}

static double *zeros(int64_t n) {
  double *a = calloc((size_t)(n * n), sizeof *a);
  assert_non_null(a);
  return a;
}

/* A rotation scaled by 0.7 beside a shear with 0.5 twice. */
static void small_known(void **state) {
  (void)state;
  const double a[16] = {0.7 * cos(1.1), -0.7 * sin(1.1), 0, 0, 0.7 * sin(1.1), 0.7 * cos(1.1), 0, 0,
                        0, 0, 0.5, 30, 0, 0, 0, 0.5};
  assert_true(fabs(radius_of(4, a) - 0.7) < 1e-9);
  assert_true(radius_of(2, (const double[]){0, 1, 0, 0}) == 0);
  assert_true(fabs(radius_of(1, (const double[]){-3}) - 3) < 1e-12);
}

/* Two cycles of c vertices and weights w, eigenvalues w e^(2 pi i k / c), and a chain of others that leads to one. */
static void cycles(void **state) {
  (void)state;
  const int64_t n = 330;
  double *a = zeros(n);
  for (int64_t i = 0; i < 200; i++) a[i * n + (i + 1) % 200] = i % 2 ? 2 : .5; /* geometric mean: 1 */
  for (int64_t i = 200; i < 300; i++) a[i * n + (i + 1 < 300 ? i + 1 : 200)] = .9;
  for (int64_t i = 300; i < n; i++) a[i * n + (i + 1 < n ? i + 1 : 0)] = 30;
  assert_true(fabs(radius_of(n, a) - 1) < 1e-9);
  for (int64_t i = 200; i < 300; i++) a[i * n + (i + 1 < 300 ? i + 1 : 200)] = 1.1; /* the smaller cycle */
  assert_true(fabs(radius_of(n, a) - 1.1) < 1e-9);
  free(a);
}

/* No cycle, in a hidden order: exactly nothing but zeros, though powers of it are large. */
static void without_cycles(void **state) {
  (void)state;
  const int64_t n = 300;
  double *a = zeros(n);
  rnl_rng rng;
  rnl_rng_init(&rng, 5, RNL_RNG_DATA, 0);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++)
      a[(i * 77 % n) * n + j * 77 % n] = rnl_rng_uniform(&rng) < .3 ? 10 : 0;
  assert_true(radius_of(n, a) == 0);
  a[(200 * 77 % n) * n + 200 * 77 % n] = -.25; /* one that leads to itself */
  assert_true(fabs(radius_of(n, a) - .25) < 1e-12);
  memset(a, 0, (size_t)(n * n) * sizeof *a);
  assert_true(radius_of(n, a) == 0);
  a[3 * n + 4] = NAN;
  assert_true(isnan(radius_of(n, a)));
  free(a);
}

/* Random ones of every density, and one whose eigenvalues are few. */
static void against_lapack(void **state) {
  (void)state;
  rnl_error error;
  if (rnl_lapack_open(&error) != RNL_OK) skip();
  static const struct {
    int64_t n;
    double density;
    int rank;
  } of[] = {{257, 1, 0}, {300, .03, 0}, {400, .5, 0}, {600, .004, 0}, {400, .0025, 0}, {300, 1, 3}};
  for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
    const int64_t n = of[k].n;
    double *a = zeros(n), *re = zeros(n), *im = re + n, most = 0;
    rnl_rng rng;
    rnl_rng_init(&rng, k, RNL_RNG_DATA, 0);
    for (int64_t i = 0; i < n * n; i++) {
      const double value = rnl_rng_normal(&rng);
      a[i] = rnl_rng_uniform(&rng) < of[k].density ? value : 0;
    }
    if (of[k].rank) { /* sum of a few products u v' */
      double *b = zeros(n);
      for (int r = 0; r < of[k].rank; r++)
        for (int64_t i = 0; i < n; i++)
          for (int64_t j = 0; j < n; j++) b[i * n + j] += a[r * n + i] * a[(r + 9) * n + j];
      memcpy(a, b, (size_t)(n * n) * sizeof *a);
      free(b);
    }
    const double radius = radius_of(n, a);
    OK(rnl_eigen(n, a, re, im, NULL, err));
    for (int64_t i = 0; i < n; i++) most = fmax(most, hypot(re[i], im[i]));
    if (!(fabs(radius - most) <= 1e-9 * most))
      fail_msg("%d rows of density %g: %.15g; LAPACK has %.15g", (int)n, of[k].density, radius, most);
    free(a);
    free(re);
  }
}

/* Out of memory at any place is told, and nothing is left behind. */
static void without_memory(void **state) {
  (void)state;
  const int64_t n = 257;
  double *a = zeros(n), radius;
  for (int64_t i = 0; i < n * n; i++) a[i] = (double)(i * 7919 % 1009 % 211) - 100;
  const int64_t live = rnl_alloc_live();
  rnl_error error;
  rnl_status status = RNL_ERR_MEMORY;
  int64_t at = 1;
  for (; status != RNL_OK && at < 1000; at++) {
    rnl_alloc_fail_after(at);
    status = rnl_spectral_radius(n, a, &radius, &error);
    rnl_alloc_fail_after(0);
    assert_true(status == RNL_OK || status == RNL_ERR_MEMORY);
    assert_int_equal(rnl_alloc_live(), live);
  }
  assert_int_equal(status, RNL_OK);
  assert_true(at > 5);
  free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(small_known), cmocka_unit_test(cycles),
                                     cmocka_unit_test(without_cycles), cmocka_unit_test(against_lapack),
                                     cmocka_unit_test(without_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
