/* Statistics: Student's t against closed forms and published tables, intervals, Wilcoxon's exact small cases and its
 * approximation, ranks, the Pareto front. */
#include "sweep_setup.h"

#include "base/rng.h"
#include "sweep/stats.h"

static void close_to(const char *what, double got, double wanted, double tolerance) {
  if (!(fabs(got - wanted) <= tolerance * fmax(1e-300, fabs(wanted))))
    fail_msg("%s: %.17g, expected %.17g", what, got, wanted);
}

/* Quantiles to 1e-12 where they have a closed form: df = 1, 2 and 4. */
static void test_t_closed_forms(void **state) {
  (void)state;
  static const double ps[] = {1e-12, 1e-6, .001, .025, .05, .2, .4, .49, .5, .51, .6, .75, .9, .95, .975, .995, .9999};
  for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
    const double p = ps[i], alpha = 4 * p * (1 - p);
    const double one = p < .1 ? -1 / tan(M_PI * p) : tan(M_PI * (p - .5));
    const double two = 2 * (p - .5) * sqrt(2 / alpha);
    const double q = cos(acos(sqrt(alpha)) / 3) / sqrt(alpha);
    const double four = (p > .5 ? 2 : -2) * sqrt(q - 1);
    if (p == .5) {
      assert_true(rnl_t_quantile(p, 1) == 0 && rnl_t_quantile(p, 7.5) == 0);
      continue;
    }
    close_to("df 1", rnl_t_quantile(p, 1), one, 1e-12);
    close_to("df 2", rnl_t_quantile(p, 2), two, 1e-12);
    if (fabs(p - .5) > .05) close_to("df 4", rnl_t_quantile(p, 4), four, 1e-11);
  }
}

/* Two-sided 95 % and 99 % as printed in any table (four digits behind the point), and the normal distribution's. */
static void test_t_tables(void **state) {
  (void)state;
  static const struct { double df, p975, p995; } table[] = {
      {1, 12.7062, 63.6567}, {2, 4.3027, 9.9248}, {3, 3.1824, 5.8409},  {4, 2.7764, 4.6041},  {5, 2.5706, 4.0321},
      {6, 2.4469, 3.7074},   {7, 2.3646, 3.4995}, {8, 2.3060, 3.3554},  {9, 2.2622, 3.2498},  {10, 2.2281, 3.1693},
      {15, 2.1314, 2.9467},  {19, 2.0930, 2.8609}, {20, 2.0860, 2.8453}, {30, 2.0423, 2.7500}, {60, 2.0003, 2.6603},
      {120, 1.9799, 2.6174}, {1e12, 1.9600, 2.5758}, {INFINITY, 1.9600, 2.5758}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    assert_true(fabs(rnl_t_quantile(.975, table[i].df) - table[i].p975) <= .5e-4 + 1e-9);
    assert_true(fabs(rnl_t_quantile(.995, table[i].df) - table[i].p995) <= .5e-4 + 1e-9);
    close_to("the other side", rnl_t_quantile(.025, table[i].df), -rnl_t_quantile(.975, table[i].df), 1e-14);
  }
  /* across the border to the nearly normal ones, quantiles go on without a step: z + (z^3 + z) / (4 df) */
  const double z = 1.959963984540054, grows = (z * z * z + z) / 4;
  close_to("df 9e5", rnl_t_quantile(.975, 9e5), z + grows / 9e5, 1e-11);
  close_to("df 2e6", rnl_t_quantile(.975, 2e6), z + grows / 2e6, 1e-11);
  assert_true(isnan(rnl_t_quantile(1.5, 3)) && isnan(rnl_t_quantile(.5, 0)) && isnan(rnl_t_quantile(NAN, 3)));
  assert_true(isinf(rnl_t_quantile(1, 3)) && rnl_t_quantile(0, 3) < 0);
  close_to("normal", rnl_normal_quantile(.975), 1.959963984540054, 1e-14);
  close_to("normal", rnl_normal_quantile(1e-10), -6.361340902404056, 1e-13);
  close_to("normal", rnl_normal_quantile(1e-300), -37.0471, 1e-5);
}

/* The distribution function by adding up the density, for whole and odd degrees; and back from the quantile. */
static void test_t_distribution(void **state) {
  (void)state;
  static const double dfs[] = {.5, 1.5, 3, 4.7, 9, 39, 41, 200, 5000};
  for (size_t i = 0; i < sizeof dfs / sizeof *dfs; i++) {
    const double df = dfs[i], t = 1.7, h = t / 2000;
    const double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * M_PI);
    double area = 0; /* Simpson's rule from 0 to t */
    for (int k = 0; k <= 2000; k++)
      area += (k == 0 || k == 2000 ? 1 : k % 2 ? 4 : 2) * pow(1 + k * h * k * h / df, -(df + 1) / 2);
    close_to("cdf", rnl_t_cdf(t, df), .5 + scale * area * h / 3, 1e-11);
    for (int k = 1; k < 40; k++) {
      const double p = k / 40.;
      close_to("there and back", rnl_t_cdf(rnl_t_quantile(p, df), df), p, 1e-13);
    }
    close_to("far out", rnl_t_cdf(rnl_t_quantile(1e-9, df), df), 1e-9, 1e-10);
  }
  assert_true(rnl_t_cdf(0, 3) == .5 && rnl_t_cdf(INFINITY, 3) == 1 && rnl_t_cdf(-INFINITY, 3) == 0);
  assert_true(rnl_t_cdf(-1e200, 2) < 1e-300 && rnl_t_cdf(-1e200, .5) > 0);
}

static void test_interval(void **state) {
  (void)state;
  /* mean 3, sd sqrt(2.5), t(4, .975) = 2.776445105197793 */
  static const double x[] = {1, 2, 3, 4, 5};
  rnl_interval i = rnl_t_interval(5, x, .95);
  close_to("mean", i.mean, 3, 1e-15);
  close_to("sd", i.sd, 1.5811388300841898, 1e-15);
  close_to("half", i.half, 2.776445105197793 * sqrt(.5), 1e-12);
  close_to("low", i.low, 3 - i.half, 1e-15);
  i = rnl_t_interval(1, x, .95);
  assert_true(i.mean == 1 && isnan(i.sd) && isnan(i.half));
  i = rnl_t_interval(0, x, .95);
  assert_true(isnan(i.mean));
  static const double same[] = {7, 7, 7};
  i = rnl_t_interval(3, same, .95);
  assert_true(i.half == 0 && i.low == 7 && i.high == 7);
  static const double shifted[] = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4, 1e9 + 5};
  close_to("sd far from 0", rnl_sd(5, shifted), 1.5811388300841898, 1e-15);
  static const double sorted[] = {1, 2, 4, 8};
  assert_true(rnl_quantile(4, sorted, .5) == 3 && rnl_quantile(4, sorted, 1) == 8 && rnl_quantile(4, sorted, 0) == 1);
  assert_true(isnan(rnl_quantile(0, sorted, .5)));
}

/* Of five means of normal draws' intervals about 95 % hold the truth. */
static void test_interval_covers(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_rng_init(&rng, 1, RNL_RNG_SWEEP, 0);
  int covered = 0;
  for (int i = 0; i < 10000; i++) {
    double x[5];
    for (int k = 0; k < 5; k++) x[k] = 10 + 3 * rnl_rng_normal(&rng);
    const rnl_interval ci = rnl_t_interval(5, x, .95);
    covered += ci.low <= 10 && 10 <= ci.high;
  }
  assert_in_range(covered, 9430, 9570);
}

static void test_wilcoxon_exact(void **state) {
  (void)state;
  static const struct { int n; double d[12], w_plus, w_minus, p; int used; } cases[] = {
      {5, {1, 2, 3, 4, 5}, 15, 0, 2. / 32, 5},           /* the least that five pairs can give */
      {6, {1, 2, 3, 4, 5, 6}, 21, 0, 2. / 64, 6},
      {5, {-1, 2, 3, 4, 5}, 14, 1, 4. / 32, 5},
      {4, {1, -2, 3, -4}, 4, 6, 2 * 7. / 16, 4},         /* W <= 4: {} 1 2 3 4 12 13 */
      {5, {0, 0, 1, 2, 3}, 6, 0, 2. / 8, 3},             /* zeros are left out */
      {3, {2, 2, 2}, 6, 0, 2. / 8, 3},                   /* ties: ranks 2, 2, 2 */
      {4, {1, 1, -1, 2}, 8, 2, 2 * 4. / 16, 4},          /* ranks 2 2 2 4: sums <= 2: {}, 2, 2, 2 */
      {3, {0, 0, 0}, 0, 0, 1, 0},
      {1, {3}, 1, 0, 1, 1},
      {10, {1, 2, 3, 4, 5, 6, 7, 8, 9, -10}, 45, 10, 2 * 43. / 1024, 10}, /* 43 subsets of 1..10 add up to <= 10 */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_wilcoxon w;
    OK(rnl_wilcoxon_test(cases[i].n, cases[i].d, &w, err));
    assert_true(w.exact);
    assert_int_equal(w.n, cases[i].used);
    close_to("w+", w.w_plus, cases[i].w_plus, 1e-15);
    close_to("w-", w.w_minus, cases[i].w_minus, 1e-15);
    close_to("p", w.p, fmin(1, cases[i].p), 1e-14);
    double turned[12];
    for (int k = 0; k < cases[i].n; k++) turned[k] = -cases[i].d[k];
    rnl_wilcoxon v;
    OK(rnl_wilcoxon_test(cases[i].n, turned, &v, err));
    assert_true(v.p == w.p && v.w_plus == w.w_minus);
  }
  static const double bad[] = {1, NAN};
  rnl_wilcoxon w;
  FAILS(rnl_wilcoxon_test(2, bad, &w, err), RNL_ERR_ARG, "difference 2 is not a finite number");
}

/* All 2^n signs of n ranks, counted one by one. */
static void test_wilcoxon_counted(void **state) {
  (void)state;
  static const double d[] = {3, -1, 4, 1, -5, 9, 2, -6, 5, 3.5, 8, -7}; /* ties: 1 and 5 */
  double rank[12], size[12];
  rnl_wilcoxon w;
  OK(rnl_wilcoxon_test(12, d, &w, err));
  for (int i = 0; i < 12; i++) size[i] = fabs(d[i]);
  OK(rnl_ranks(12, size, rank, err));
  int below = 0;
  for (int signs = 0; signs < 1 << 12; signs++) {
    double sum = 0;
    for (int i = 0; i < 12; i++) sum += signs >> i & 1 ? rank[i] : 0;
    below += sum <= fmin(w.w_plus, w.w_minus);
  }
  close_to("p", w.p, 2. * below / 4096, 1e-14);
}

/* Above 25 the normal distribution: by the formula, and near what random signs give, with and without ties. */
static void test_wilcoxon_normal(void **state) {
  (void)state;
  for (int ties = 0; ties < 2; ties++) {
    double d[26];
    rnl_wilcoxon exact, normal;
    for (int i = 0; i < 26; i++) d[i] = (i % 3 == 0 ? -1 : 1) * (ties ? 1 + i / 3 : 1 + i);
    OK(rnl_wilcoxon_test(25, d, &exact, err));
    OK(rnl_wilcoxon_test(26, d, &normal, err));
    assert_true(exact.exact && !normal.exact);
    /* by hand: z = (n(n+1)/4 - W - 1/2) / sqrt(n(n+1)(2n+1)/24 - sum(t^3 - t)/48) */
    const double w = fmin(normal.w_plus, normal.w_minus), tied = ties ? 8 * (27 - 3) + (8 - 2) : 0;
    const double z = (26 * 27 / 4. - w - .5) / sqrt(26 * 27 * 53 / 24. - tied / 48);
    close_to("p", normal.p, erfc(z / sqrt(2)), 1e-12);
    double rank[26], size[26];
    for (int i = 0; i < 26; i++) size[i] = fabs(d[i]);
    OK(rnl_ranks(26, size, rank, err));
    rnl_rng rng;
    rnl_rng_init(&rng, 6, RNL_RNG_SWEEP, (uint32_t)ties);
    int below = 0;
    for (int k = 0; k < 40000; k++) { /* random signs */
      double sum = 0;
      for (int i = 0; i < 26; i++) sum += rnl_rng_u32(&rng) & 1 ? rank[i] : 0;
      below += sum <= w;
    }
    assert_true(fabs(normal.p - 2. * below / 40000) < .01);
  }
}

static void test_paired(void **state) {
  (void)state;
  static const double a[] = {5.1, 4.9, 5.6, 5.8, 6.0}, b[] = {4.1, 4.4, 4.6, 5.3, 4.0};
  rnl_paired p;
  OK(rnl_paired_test(5, a, b, .95, &p, err));
  /* differences 1, .5, 1, .5, 2: mean 1, sd sqrt(.375) */
  close_to("mean", p.difference.mean, 1, 1e-14);
  close_to("sd", p.difference.sd, sqrt(.375), 1e-13);
  close_to("half", p.difference.half, 2.776445105197793 * sqrt(.375 / 5), 1e-12);
  close_to("t", p.t, 1 / sqrt(.375 / 5), 1e-13);
  close_to("p", p.p, 2 * (1 - rnl_t_cdf(p.t, 4)), 1e-11);
  close_to("wilcoxon", p.wilcoxon.p, 2. / 32, 1e-14);
  OK(rnl_paired_test(5, a, a, .95, &p, err));
  assert_true(p.difference.mean == 0 && p.t == 0 && p.p == 1 && p.wilcoxon.p == 1);
  static const double one_more[] = {6, 5, 4}, less[] = {5, 4, 3};
  OK(rnl_paired_test(3, one_more, less, .95, &p, err)); /* always the same difference: no deviation */
  assert_true(p.difference.half == 0 && isinf(p.t) && p.p == 0);
  FAILS(rnl_paired_test(1, a, b, .95, &p, err), RNL_ERR_ARG, "1 shared seeds; at least 2");
  static const double holes[] = {1, INFINITY};
  FAILS(rnl_paired_test(2, holes, b, .95, &p, err), RNL_ERR_ARG, "difference 2");
}

static void test_ranks(void **state) {
  (void)state;
  static const double x[] = {3, 1, NAN, 3, -INFINITY, 7}, wanted[] = {3.5, 2, NAN, 3.5, 1, 5};
  double rank[6];
  OK(rnl_ranks(6, x, rank, err));
  for (int i = 0; i < 6; i++) assert_true(rank[i] == wanted[i] || (isnan(rank[i]) && isnan(wanted[i])));
  OK(rnl_ranks(0, x, rank, err));
}

static void test_pareto(void **state) {
  (void)state;
  static const double v[][2] = {{1, 5}, {2, 3}, {3, 3}, {4, 1}, {2, 3}, {5, 5}, {NAN, 0}, {0.5, NAN}, {1, 6}, {9, 0.5}};
  static const bool wanted[] = {true, true, false, true, true, false, false, false, false, true};
  bool front[10];
  OK(rnl_pareto(10, 2, &v[0][0], front, err));
  for (int i = 0; i < 10; i++) assert_int_equal(front[i], wanted[i]);
  static const double single[] = {3, 1, 2, 1};
  OK(rnl_pareto(4, 1, single, front, err));
  assert_true(!front[0] && front[1] && !front[2] && front[3]);
  FAILS(rnl_pareto(4, 0, single, front, err), RNL_ERR_ARG, "at least one objective");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_t_closed_forms),  cmocka_unit_test(test_t_tables),
      cmocka_unit_test(test_t_distribution),  cmocka_unit_test(test_interval),
      cmocka_unit_test(test_interval_covers), cmocka_unit_test(test_wilcoxon_exact),
      cmocka_unit_test(test_wilcoxon_counted), cmocka_unit_test(test_wilcoxon_normal),
      cmocka_unit_test(test_paired),          cmocka_unit_test(test_ranks),
      cmocka_unit_test(test_pareto),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
