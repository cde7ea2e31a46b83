/* The initialisers by what they promise: moments, bounds, spectra, and what they refuse. */
#include "golden.h"

#include "base/rng.h"
#include "rnn/init.h"
#include "rnn/spectral.h"

enum { ROWS = 60, COLUMNS = 40 };

static rnl_tensor filled(const char *name, int64_t rows, int64_t columns, double gain, double radius, double density) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_init how;
  rnl_rng_init(&rng, 3, RNL_RNG_INIT, 0);
  OK(rnl_init_from_name(name, &how, err));
  how.gain = gain;
  how.radius = radius;
  how.density = density;
  OK(rnl_tensor_new(&t, RNL_F64, 2, (int64_t[]){rows, columns}, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return t;
}

static void moments(const rnl_tensor *t, double *mean, double *deviation, double *largest, double *nonzero) {
  const double n = (double)rnl_tensor_numel(t);
  double sum = 0, square = 0;
  *largest = *nonzero = 0;
  for (int64_t i = 0; i < rnl_tensor_numel(t); i++) {
    const double v = rnl_tensor_at(t, i);
    sum += v, square += v * v;
    *largest = fmax(*largest, fabs(v));
    *nonzero += (v != 0) / n;
  }
  *mean = sum / n;
  *deviation = sqrt(square / n - *mean * *mean);
}

static void deviations(void **state) {
  (void)state;
  const struct {
    const char *name;
    double deviation, bound; /* bound 0: none */
  } all[] = {{"glorot", sqrt(2.0 / (ROWS + COLUMNS)), sqrt(6.0 / (ROWS + COLUMNS))},
             {"glorot_normal", sqrt(2.0 / (ROWS + COLUMNS)), 0},
             {"he", sqrt(2.0 / ROWS), sqrt(6.0 / ROWS)},
             {"he_normal", sqrt(2.0 / ROWS), 0}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    double mean, deviation, largest, nonzero;
    rnl_tensor t = filled(all[i].name, ROWS, COLUMNS, 2, 1, 1);
    moments(&t, &mean, &deviation, &largest, &nonzero);
    assert_true(fabs(mean) < 0.1 * deviation);
    assert_true(fabs(deviation / (2 * all[i].deviation) - 1) < 0.06);
    if (all[i].bound > 0) assert_true(largest <= 2 * all[i].bound && largest > 1.9 * all[i].bound);
    rnl_tensor_release(&t);
  }
}

static void sparse_and_identity(void **state) {
  (void)state;
  double mean, deviation, largest, nonzero;
  rnl_tensor t = filled("sparse", ROWS, COLUMNS, 1, 1, 0.25);
  moments(&t, &mean, &deviation, &largest, &nonzero);
  assert_true(fabs(nonzero - 0.25) < 0.04);
  rnl_tensor_release(&t);
  t = filled("identity", 3, 4, 0.5, 1, 1);
  for (int64_t i = 0; i < 3; i++)
    for (int64_t j = 0; j < 4; j++) assert_true(rnl_tensor_get(&t, (int64_t[]){i, j}) == (i == j ? 0.5 : 0));
  rnl_tensor_release(&t);
}

static void spectral(void **state) {
  (void)state;
  for (int k = 0; k < 3; k++) {
    const int64_t n = k < 2 ? 50 : 300;
    rnl_tensor t = filled("spectral", n, n, 1, 1.25, k ? 0.1 : 1);
    double radius = 0;
    OK(rnl_spectral_radius(n, rnl_f64(&t), &radius, err));
    assert_true(fabs(radius - 1.25) < 1e-6);
    rnl_tensor_release(&t);
  }
}

static void refused(void **state) {
  (void)state;
  rnl_error error;
  rnl_init how;
  rnl_rng rng;
  rnl_rng_init(&rng, 3, RNL_RNG_INIT, 0);
  assert_int_equal(rnl_init_from_name("xavier", &how, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "glorot_normal"));
  rnl_tensor t = {0};
  OK(rnl_tensor_new(&t, RNL_F32, 2, (int64_t[]){3, 4}, err));
  OK(rnl_init_from_name("spectral", &how, err));
  assert_int_equal(rnl_init_fill(&how, &t, &rng, &error), RNL_ERR_SHAPE);
  assert_non_null(strstr(error.text, "(3, 4)"));
  OK(rnl_init_from_name("sparse", &how, err));
  how.density = 0;
  assert_int_equal(rnl_init_fill(&how, &t, &rng, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "density"));
  rnl_tensor_release(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(deviations), cmocka_unit_test(sparse_and_identity),
                                     cmocka_unit_test(spectral),
                                     cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
