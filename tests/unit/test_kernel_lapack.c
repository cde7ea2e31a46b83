/* LAPACK's answers put back into the equations they solve, and what it must refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kernel/lapack.h"

enum { MOST = 12 };
static rnl_error err;
static uint32_t seed = 7;
static double draw(void) {
  seed = seed * 1664525u + 1013904223u;
  return (double)(seed >> 8) / (double)(1u << 24) * 2 - 1;
}
static void fill(double *a, int64_t count) {
  for (int64_t i = 0; i < count; i++) a[i] = draw();
}
/* c [m][n] = a [m][k] · b [k][n] */
static void product(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      c[i * n + j] = 0;
      for (int64_t l = 0; l < k; l++) c[i * n + j] += a[i * k + l] * b[l * n + j];
    }
}
static void assert_near(const double *a, const double *b, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (!(fabs(a[i] - b[i]) <= 1e-11 * (1 + fabs(b[i])))) fail_msg("element %d: %.17g, not %.17g", (int)i, a[i], b[i]);
}
/* G·G' + I/8 */
static void positive(int64_t n, double *a) {
  double g[MOST * MOST];
  fill(g, n * n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      a[i * n + j] = i == j ? 0.125 : 0;
      for (int64_t l = 0; l < n; l++) a[i * n + j] += g[i * n + l] * g[j * n + l];
    }
}

static void cholesky(void **state) {
  (void)state;
  for (int64_t n = 1; n <= 7; n++) {
    double a[MOST * MOST], l[MOST * MOST], x[MOST * 3], b[MOST * 3], back[MOST * MOST] = {0};
    positive(n, a);
    memcpy(l, a, sizeof l);
    for (int64_t i = 0; i < n; i++) /* the strict upper triangle is neither read nor written */
      for (int64_t j = i + 1; j < n; j++) l[i * n + j] = 77;
    int64_t minor = -1;
    assert_int_equal(rnl_cholesky(n, l, &minor, &err), RNL_OK);
    assert_int_equal(minor, 0);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) {
        if (j > i) assert_true(l[i * n + j] == 77);
        for (int64_t k = 0; k <= (i < j ? i : j); k++) back[i * n + j] += l[i * n + k] * l[j * n + k];
      }
    assert_near(back, a, n * n);
    for (int64_t k = 1; k <= 3; k++) {
      fill(b, n * k);
      memcpy(x, b, sizeof x);
      assert_int_equal(rnl_cholesky_solve(n, k, l, x, &err), RNL_OK);
      product(n, k, n, a, x, back);
      assert_near(back, b, n * k);
      double copy[MOST * MOST];
      memcpy(copy, a, sizeof copy);
      memcpy(x, b, sizeof x);
      assert_int_equal(rnl_solve_positive(n, k, copy, x, &err), RNL_OK);
      product(n, k, n, a, x, back);
      assert_near(back, b, n * k);
    }
  }
}

static void not_positive(void **state) {
  (void)state;
  double a[9] = {4, 0, 0, 2, 1, 0, 0, 0, 1}; /* the second minor is 0 */
  double copy[9], b[3] = {1, 2, 3};
  int64_t minor = 0;
  memcpy(copy, a, sizeof copy);
  assert_int_equal(rnl_cholesky(3, copy, &minor, &err), RNL_OK);
  assert_int_equal(minor, 2);
  assert_int_equal(rnl_solve_positive(3, 1, a, b, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "not positive definite (leading minor 2)"));
  double broken[4] = {1, 0, NAN, 1};
  assert_int_equal(rnl_cholesky(2, broken, &minor, &err), RNL_OK);
  assert_int_equal(minor, 2);
}

static void general(void **state) {
  (void)state;
  for (int64_t n = 1; n <= 6; n++)
    for (int64_t k = 1; k <= 3; k++) {
      double a[MOST * MOST], copy[MOST * MOST], b[MOST * 3], x[MOST * 3], back[MOST * 3];
      fill(a, n * n);
      fill(b, n * k);
      memcpy(copy, a, sizeof copy);
      memcpy(x, b, sizeof x);
      assert_int_equal(rnl_solve(n, k, copy, x, &err), RNL_OK);
      product(n, k, n, a, x, back);
      assert_near(back, b, n * k);
    }
  double singular[4] = {1, 2, 2, 4}, b[2] = {1, 1};
  assert_int_equal(rnl_solve(2, 1, singular, b, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "2 x 2 matrix is singular"));
}

/* The residual is orthogonal to the columns; where there are many answers, the least one lies in the rows' span. */
static void least_squares(void **state) {
  (void)state;
  const int64_t shapes[][3] = {{9, 4, 2}, {4, 9, 1}, {5, 5, 3}, {1, 1, 1}};
  for (size_t s = 0; s < 4; s++) {
    const int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
    double a[MOST * MOST], copy[MOST * MOST], b[MOST * 3], x[MOST * 3], r[MOST * 3], zero[MOST * 3] = {0};
    double normal[MOST * 3] = {0};
    fill(a, m * n);
    fill(b, m * k);
    memcpy(copy, a, sizeof copy);
    int64_t rank = 0;
    assert_int_equal(rnl_least_squares(m, n, k, copy, b, x, -1, &rank, &err), RNL_OK);
    assert_int_equal(rank, m < n ? m : n);
    product(m, k, n, a, x, r);
    for (int64_t i = 0; i < m * k; i++) r[i] -= b[i];
    for (int64_t j = 0; j < n; j++)
      for (int64_t c = 0; c < k; c++)
        for (int64_t i = 0; i < m; i++) normal[j * k + c] += a[i * n + j] * r[i * k + c];
    assert_near(normal, zero, n * k);
  }
  double twice[6] = {1, 1, 1, 1, 1, 1}, b[3] = {2, 4, 6}, x[2]; /* rank 1: the least of x1 + x2 = 4 */
  int64_t rank = 0;
  assert_int_equal(rnl_least_squares(3, 2, 1, twice, b, x, 1e-10, &rank, &err), RNL_OK);
  assert_int_equal(rank, 1);
  assert_near(x, (double[]){2, 2}, 2);
}

static void symmetric(void **state) {
  (void)state;
  const int64_t n = 6;
  double a[36], v[36], w[6], values[6];
  positive(n, a);
  memcpy(v, a, sizeof v);
  assert_int_equal(rnl_eigen_symmetric(n, v, w, true, &err), RNL_OK);
  for (int64_t i = 0; i < n; i++) {
    double image[6], scaled[6], norm = 0;
    product(n, 1, n, a, v + i * n, image);
    for (int64_t j = 0; j < n; j++) {
      scaled[j] = w[i] * v[i * n + j];
      norm += v[i * n + j] * v[i * n + j];
    }
    assert_near(image, scaled, n);
    assert_near(&norm, (double[]){1}, 1);
    if (i) assert_true(w[i] >= w[i - 1]);
  }
  assert_int_equal(rnl_eigen_symmetric(n, a, values, false, &err), RNL_OK);
  assert_near(values, w, n);
}

static void spectrum(void **state) {
  (void)state;
  /* a turn by 60 degrees, twice as long, and a 3: 1 ± i·sqrt(3), 3 */
  const double c = 1, s = sqrt(3);
  const double a[9] = {c, -s, 0.5, s, c, -0.25, 0, 0, 3};
  double copy[9], re[3], im[3], v[9];
  memcpy(copy, a, sizeof copy);
  assert_int_equal(rnl_eigen(3, copy, re, im, v, &err), RNL_OK);
  int pairs = 0;
  for (int j = 0; j < 3; j++) {
    if (im[j] < 0) continue;
    double real[3], imaginary[3], no[3] = {0}, want_re[3], want_im[3];
    const double *vr = v + j * 3, *vi = im[j] > 0 ? v + (j + 1) * 3 : no;
    product(3, 1, 3, a, vr, real);
    product(3, 1, 3, a, vi, imaginary);
    for (int i = 0; i < 3; i++) {
      want_re[i] = re[j] * vr[i] - im[j] * vi[i];
      want_im[i] = re[j] * vi[i] + im[j] * vr[i];
    }
    assert_near(real, want_re, 3);
    assert_near(imaginary, want_im, 3);
    if (im[j] > 0) {
      pairs++;
      assert_near(&re[j], &c, 1);
      assert_near(&im[j], &s, 1);
    } else {
      assert_near(&re[j], (double[]){3}, 1);
    }
  }
  assert_int_equal(pairs, 1);
  double values[3], other[3];
  memcpy(copy, a, sizeof copy);
  assert_int_equal(rnl_eigen(3, copy, values, other, NULL, &err), RNL_OK);
  assert_near(values, re, 3);
  double broken[4] = {1, 2, INFINITY, 4};
  assert_int_equal(rnl_eigen(2, broken, values, other, NULL, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "element (2, 1) is inf"));
}

static void singular_values(void **state) {
  (void)state;
  const int64_t shapes[][2] = {{5, 3}, {3, 5}, {4, 4}, {1, 1}};
  for (size_t q = 0; q < 4; q++) {
    const int64_t m = shapes[q][0], n = shapes[q][1], k = m < n ? m : n;
    double a[MOST * MOST] = {0}, copy[MOST * MOST], s[MOST], again[MOST];
    double u[MOST * MOST], vt[MOST * MOST], us[MOST * MOST];
    fill(a, m * n);
    memcpy(copy, a, sizeof copy);
    assert_int_equal(rnl_svd(m, n, copy, s, u, vt, &err), RNL_OK);
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < k; j++) us[i * k + j] = u[i * k + j] * s[j];
    product(m, n, k, us, vt, copy);
    assert_near(copy, a, m * n);
    for (int64_t j = 1; j < k; j++) assert_true(s[j] <= s[j - 1] && s[j] >= 0);
    assert_int_equal(rnl_svd(m, n, a, again, NULL, NULL, &err), RNL_OK);
    assert_near(again, s, k);
  }
}

static void sizes(void **state) {
  (void)state;
  double one = 1, w = 0;
  int64_t minor;
  assert_int_equal(rnl_cholesky(0, &one, &minor, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_eigen_symmetric(INT64_C(1) << 20, &one, &w, false, &err), RNL_ERR_MEMORY);
  assert_non_null(strstr(err.text, "larger than LAPACK takes"));
}

static void out_of_memory(void **state) {
  (void)state;
  double a[9], b[6], x[6], w[3];
  positive(3, a);
  fill(b, 6);
  const int64_t live = rnl_alloc_live();
  for (int n = 1; n <= 3; n++) {
    rnl_alloc_fail_after(n);
    const rnl_status status = rnl_least_squares(3, 3, 2, a, b, x, -1, NULL, &err);
    const rnl_status other = n == 1 ? rnl_eigen(3, a, w, x, NULL, &err) : RNL_ERR_MEMORY;
    rnl_alloc_fail_after(0);
    assert_int_equal(status, RNL_ERR_MEMORY);
    assert_int_equal(other, RNL_ERR_MEMORY);
    assert_int_equal(rnl_alloc_live(), live);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cholesky),        cmocka_unit_test(not_positive), cmocka_unit_test(general),
      cmocka_unit_test(least_squares),   cmocka_unit_test(symmetric),    cmocka_unit_test(spectrum),
      cmocka_unit_test(singular_values), cmocka_unit_test(sizes),        cmocka_unit_test(out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
