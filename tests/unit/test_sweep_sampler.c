/* Samplers: the grid's order, Sobol's points, proposals within the space, once each, and pure in their inputs. */
#include "sweep_setup.h"

#include "sweep/points.h"
#include "sweep/sobol.h"

enum { DIMS = 7 };

/* One dimension of each kind, the last open for two of the choices. */
static rnl_space mixed(void) {
  rnl_space space = {0};
  parse(&space, "real", RNL_DECLARED_REAL, "-3..5");
  parse(&space, "log", RNL_DECLARED_REAL, "log:1e-5..1e-1");
  parse(&space, "whole", RNL_DECLARED_INT, "4..64");
  parse(&space, "wholelog", RNL_DECLARED_INT, "log:1..1000");
  parse(&space, "stepped", RNL_DECLARED_REAL, "0..1/0.05");
  parse(&space, "choice", RNL_DECLARED_TEXT, "a,b,c,d");
  parse(&space, "inner", RNL_DECLARED_REAL, "log:1..10");
  static const char *const open[] = {"b", "d"};
  OK(rnl_space_condition(&space, "inner", "choice", 2, open, err));
  return space;
}

/* A history of n trials at random points: every state, curves of two steps, values that follow the point. */
typedef struct past {
  double points[400][DIMS];
  rnl_trial_step steps[400][2];
  rnl_trial_view trials[400];
  rnl_history history;
} past;

static past *past_of(const rnl_space *space, int n) {
  past *p = rnl_alloc(1, sizeof *p);
  rnl_sampler *random = sampler_of(space, RNL_SAMPLER_RANDOM, 99);
  for (int i = 0; i < n; i++) {
    OK(rnl_sampler_propose(random, i, NULL, p->points[i], err));
    const double value = p->points[i][0] * p->points[i][0] + (i % 7 == 0);
    p->steps[i][0] = (rnl_trial_step){1, value + 2};
    p->steps[i][1] = (rnl_trial_step){1 + i % 5, value + 1};
    p->trials[i] = (rnl_trial_view){
        .number = i, .values = p->points[i], .value = value, .steps = p->steps[i], .n_steps = 2,
        .state = i % 11 == 5 ? RNL_TRIAL_FAILED : i % 5 == 4 ? RNL_TRIAL_PRUNED : RNL_TRIAL_FINISHED};
    if (i >= n - 3) p->trials[i].state = RNL_TRIAL_RUNNING;
  }
  p->history = (rnl_history){.n = n, .trials = p->trials};
  rnl_sampler_free(random);
  return p;
}

static void test_grid_order(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "a", RNL_DECLARED_NUMBER, "4,8,16");
  parse(&space, "b", RNL_DECLARED_INT, "1..2");
  parse(&space, "c", RNL_DECLARED_REAL, "0..1/0.5");
  rnl_sampler *grid = sampler_of(&space, RNL_SAMPLER_GRID, 1);
  assert_int_equal(rnl_sampler_count(grid), 18);
  for (int i = 0; i < 18; i++) {
    double x[3];
    OK(rnl_sampler_propose(grid, i, NULL, x, err));
    assert_true(x[0] == i / 6 && x[1] == 1 + i / 3 % 2 && x[2] == .5 * (i % 3));
  }
  double x[3];
  FAILS(rnl_sampler_propose(grid, 18, NULL, x, err), RNL_ERR_NOT_FOUND, "18 points");
  FAILS(rnl_sampler_propose(grid, -1, NULL, x, err), RNL_ERR_ARG, "trial -1");
  rnl_sampler_free(grid);
  rnl_space_free(&space);
}

static void test_refused(void **state) {
  (void)state;
  rnl_space space = {0};
  rnl_sampler *sampler = NULL;
  rnl_sampler_options grid = {.kind = RNL_SAMPLER_GRID};
  FAILS(rnl_sampler_new(&sampler, &space, &grid, 1, err), RNL_ERR_ARG, "nothing is swept");
  parse(&space, "lr", RNL_DECLARED_REAL, "0..1");
  FAILS(rnl_sampler_new(&sampler, &space, &grid, 1, err), RNL_ERR_ARG, "a grid needs separate values of lr");
  rnl_space_free(&space);
  parse(&space, "a", RNL_DECLARED_INT, "1..5000");
  parse(&space, "b", RNL_DECLARED_INT, "1..5000");
  FAILS(rnl_sampler_new(&sampler, &space, &grid, 1, err), RNL_ERR_ARG, "10^7");
  rnl_space_free(&space);
  rnl_sampler_kind kind;
  FAILS(rnl_sampler_named("tep", &kind, err), RNL_ERR_ARG, "no sampler 'tep'; there are grid, random, sobol and tpe");
  OK(rnl_sampler_named("tpe", &kind, err));
  assert_int_equal(kind, RNL_SAMPLER_TPE);
  assert_string_equal(rnl_sampler_name(RNL_SAMPLER_SOBOL), "sobol");
  FAILS(rnl_sampler_suits(RNL_SAMPLER_TPE, 2, err), RNL_ERR_ARG, "one objective, not 2");
  OK(rnl_sampler_suits(RNL_SAMPLER_TPE, 1, err));
  OK(rnl_sampler_suits(RNL_SAMPLER_SOBOL, 2, err));
}

/* Points 1 to 4 in six dimensions, as Joe & Kuo's own program prints them. */
static void test_sobol_points(void **state) {
  (void)state;
  static const double known[4][6] = {{.5, .5, .5, .5, .5, .5},
                                     {.75, .25, .25, .25, .75, .75},
                                     {.25, .75, .75, .75, .25, .25},
                                     {.375, .375, .625, .875, .375, .125}};
  rnl_space space = {0};
  for (int d = 0; d < 6; d++) {
    const char name[] = {'x', (char)('0' + d), 0};
    parse(&space, name, RNL_DECLARED_REAL, "0..1");
  }
  rnl_sampler *sobol = sampler_of(&space, RNL_SAMPLER_SOBOL, 5);
  double x[6];
  for (int i = 0; i < 4; i++) {
    OK(rnl_sampler_propose(sobol, i, NULL, x, err));
    for (int d = 0; d < 6; d++) assert_true(x[d] == known[i][d]);
  }
  rnl_sampler_free(sobol);
  rnl_space_free(&space);
}

/* What makes it Sobol's: in each dimension 2^k points from the first on, one in each of 2^k equal parts; in each pair
 * of dimensions every part of the unit square of some area 2^(t-k) has its share, t small for the early pairs. */
static void test_sobol_stratifies(void **state) {
  (void)state;
  for (int d = 0; d < RNL_SOBOL_MAX_DIMS; d++) {
    int seen[1024] = {0};
    for (uint32_t i = 0; i < 1024; i++) seen[(int)(rnl_sobol(d, i) * 1024)]++;
    for (int i = 0; i < 1024; i++) assert_int_equal(seen[i], 1);
  }
  for (int a = 0; a < 4; a++) /* t = 0 for the first two, at most 2 among the first four */
    for (int b = a + 1; b < 4; b++) {
      const int k = 8, t = b == 1 ? 0 : 2;
      for (int p = 0; p <= k - t; p++) {
        int seen[256] = {0};
        for (uint32_t i = 0; i < 256; i++)
          seen[(int)(rnl_sobol(a, i) * (1 << p)) << (k - t - p) | (int)(rnl_sobol(b, i) * (1 << (k - t - p)))]++;
        for (int i = 0; i < 1 << (k - t); i++) assert_int_equal(seen[i], 1 << t);
      }
    }
}

/* Every sampler's every proposal is a point of the space. */
static void test_within_bounds(void **state) {
  (void)state;
  rnl_space space = mixed();
  past *p = past_of(&space, 120);
  static const rnl_sampler_kind kinds[] = {RNL_SAMPLER_RANDOM, RNL_SAMPLER_SOBOL, RNL_SAMPLER_TPE};
  for (int k = 0; k < 3; k++)
    for (int univariate = 0; univariate < 2; univariate++) {
      rnl_sampler *sampler = NULL;
      OK(rnl_sampler_new(&sampler, &space, &(rnl_sampler_options){.kind = kinds[k], .univariate = univariate}, 3, err));
      double low[DIMS], high[DIMS];
      for (int d = 0; d < DIMS; d++) {
        low[d] = INFINITY;
        high[d] = -INFINITY;
      }
      for (int64_t i = 0; i < 500; i++) {
        double x[DIMS];
        OK(rnl_sampler_propose(sampler, 1000 + i, &p->history, x, err));
        OK(rnl_space_check(&space, x, err));
        for (int d = 0; d < DIMS; d++) {
          low[d] = fmin(low[d], x[d]);
          high[d] = fmax(high[d], x[d]);
        }
      }
      for (int d = 0; d < DIMS; d++)
        if (!(low[d] < high[d]) && !(kinds[k] == RNL_SAMPLER_TPE && d == 5)) /* tpe may settle on a choice */
          fail_msg("%s: dimension %d is always %g", rnl_sampler_name(kinds[k]), d, low[d]);
      rnl_sampler_free(sampler);
    }
  rnl_free(p);
  rnl_space_free(&space);
}

/* Random: all values of a dimension come about as often, whole numbers in the logarithm as their share of it. */
static void test_random_is_uniform(void **state) {
  (void)state;
  rnl_space space = mixed();
  rnl_sampler *random = sampler_of(&space, RNL_SAMPLER_RANDOM, 11);
  enum { N = 40000 };
  double choice[4] = {0}, whole[61] = {0}, stepped[21] = {0}, ones = 0, mean = 0, log_mean = 0;
  for (int64_t i = 0; i < N; i++) {
    double x[DIMS];
    OK(rnl_sampler_propose(random, i, NULL, x, err));
    mean += x[0] / N;
    log_mean += log10(x[1]) / N;
    whole[(int)x[2] - 4]++;
    ones += x[3] == 1;
    stepped[(int)(x[4] * 20 + .5)]++;
    choice[(int)x[5]]++;
  }
  assert_true(fabs(mean - 1) < .04 && fabs(log_mean + 3) < .02);
  for (int i = 0; i < 4; i++) assert_true(fabs(choice[i] - N / 4.) < 400);
  for (int i = 0; i < 61; i++) assert_true(fabs(whole[i] - N / 61.) < 130);
  for (int i = 0; i < 21; i++) assert_true(fabs(stepped[i] - N / 21.) < 220);
  const double share = log(1.5 / .5) / log(1000.5 / .5);
  assert_true(fabs(ones / N - share) < .01);
  rnl_sampler_free(random);
  rnl_space_free(&space);
}

/* The same trial in any order, from any object, with the history in any order, with itself and failed ones in it. */
static void test_pure(void **state) {
  (void)state;
  rnl_space space = mixed(), finite = {0};
  parse(&finite, "a", RNL_DECLARED_INT, "log:1..40");
  parse(&finite, "b", RNL_DECLARED_TEXT, "x,y,z");
  past *p = past_of(&space, 150), *q = past_of(&finite, 60);
  for (int kind = RNL_SAMPLER_RANDOM; kind <= RNL_SAMPLER_TPE; kind++)
    for (int which = 0; which < 2; which++) {
      const rnl_space *s = which ? &finite : &space;
      if (kind == RNL_SAMPLER_GRID && !which) continue;
      past *seen = which ? q : p;
      rnl_trial_view turned[400];
      for (int64_t i = 0; i < seen->history.n; i++) turned[i] = seen->trials[seen->history.n - 1 - i];
      const rnl_history backwards = {.n = seen->history.n, .trials = turned};
      rnl_sampler *forth = sampler_of(s, kind, 8), *back = sampler_of(s, kind, 8), *other = sampler_of(s, kind, 9);
      double a[50][DIMS], b[50][DIMS], c[DIMS];
      int same = 0;
      for (int i = 0; i < 50; i++) OK(rnl_sampler_propose(forth, i, &seen->history, a[i], err));
      for (int i = 49; i >= 0; i--) OK(rnl_sampler_propose(back, i, &backwards, b[i], err));
      for (int i = 0; i < 50; i++) {
        assert_true(rnl_space_same(s, a[i], b[i]));
        OK(rnl_sampler_propose(other, i, &seen->history, c, err));
        same += rnl_space_same(s, a[i], c);
      }
      if (kind == RNL_SAMPLER_GRID || kind == RNL_SAMPLER_SOBOL) assert_int_equal(same, 50); /* they know no seed */
      else assert_true(same < (which ? 50 : 5)); /* among a few points left tpe often takes the best one */
      rnl_sampler_free(forth);
      rnl_sampler_free(back);
      rnl_sampler_free(other);
    }
  rnl_free(p);
  rnl_free(q);
  rnl_space_free(&space);
  rnl_space_free(&finite);
}

/* A finite space is gone through without a repetition, conditional or not, and then it is said that it is over. */
static void test_no_duplicates(void **state) {
  (void)state;
  for (int conditional = 0; conditional < 2; conditional++) {
    rnl_space space = {0};
    parse(&space, "a", RNL_DECLARED_INT, "log:1..12");
    parse(&space, "b", RNL_DECLARED_REAL, "0..1/0.25");
    parse(&space, "c", RNL_DECLARED_TEXT, "x,y,z");
    static const char *const one[] = {"1", "2"};
    if (conditional) OK(rnl_space_condition(&space, "c", "a", 2, one, err));
    const int64_t count = rnl_space_count(&space);
    assert_int_equal(count, conditional ? 2 * 5 * 3 + 10 * 5 : 180);
    for (int kind = RNL_SAMPLER_RANDOM; kind <= RNL_SAMPLER_TPE; kind++) {
      rnl_sampler *sampler = sampler_of(&space, kind, 4);
      static double points[180][3];
      static rnl_trial_view trials[180];
      rnl_points seen = {0};
      assert_int_equal(rnl_sampler_count(sampler), count);
      for (int64_t i = 0; i < count; i++) {
        const rnl_history history = {.n = i, .trials = trials};
        OK(rnl_sampler_propose(sampler, i, &history, points[i], err));
        OK(rnl_space_check(&space, points[i], err));
        if (kind == RNL_SAMPLER_SOBOL && i == 0) assert_true(points[0][1] == .5); /* from point 1 on, the middle */
        assert_false(rnl_points_has(&seen, &space, points[i]));
        OK(rnl_points_add(&seen, &space, points[i], err));
        trials[i] = (rnl_trial_view){.number = i, .values = points[i], .state = RNL_TRIAL_FINISHED,
                                     .value = fabs(points[i][0] - 3) + points[i][1]};
      }
      const rnl_history history = {.n = count, .trials = trials};
      double x[3];
      FAILS(rnl_sampler_propose(sampler, count, &history, x, err), RNL_ERR_NOT_FOUND, "all have been proposed");
      rnl_points_free(&seen);
      rnl_sampler_free(sampler);
    }
    rnl_space_free(&space);
  }
}

/* Until ten are finished or pruned, tpe draws as random does; running and failed ones do not count. */
static void test_startup(void **state) {
  (void)state;
  rnl_space space = mixed();
  past *p = past_of(&space, 60);
  for (int i = 0; i < 60; i++) p->trials[i].state = i < 9 ? RNL_TRIAL_FINISHED : RNL_TRIAL_FAILED;
  for (int i = 20; i < 30; i++) p->trials[i].state = RNL_TRIAL_RUNNING;
  rnl_sampler *random = sampler_of(&space, RNL_SAMPLER_RANDOM, 2), *tpe = sampler_of(&space, RNL_SAMPLER_TPE, 2);
  double x[DIMS], y[DIMS];
  OK(rnl_sampler_propose(random, 70, &p->history, x, err));
  OK(rnl_sampler_propose(tpe, 70, &p->history, y, err));
  assert_true(rnl_space_same(&space, x, y));
  p->trials[40].state = RNL_TRIAL_PRUNED;
  OK(rnl_sampler_propose(tpe, 70, &p->history, y, err));
  assert_false(rnl_space_same(&space, x, y));
  rnl_sampler_free(random);
  rnl_sampler_free(tpe);
  rnl_free(p);
  rnl_space_free(&space);
}

/* One value only, a space of one point. */
static void test_single_values(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "a", RNL_DECLARED_TEXT, "only");
  parse(&space, "b", RNL_DECLARED_REAL, "0..1");
  past *p = past_of(&space, 30);
  rnl_sampler *tpe = sampler_of(&space, RNL_SAMPLER_TPE, 2);
  double x[DIMS];
  OK(rnl_sampler_propose(tpe, 30, &p->history, x, err));
  OK(rnl_space_check(&space, x, err));
  rnl_sampler_free(tpe);
  rnl_free(p);
  rnl_space_free(&space);
  parse(&space, "a", RNL_DECLARED_TEXT, "only");
  for (int kind = RNL_SAMPLER_RANDOM; kind <= RNL_SAMPLER_TPE; kind++) {
    rnl_sampler *sampler = sampler_of(&space, kind, 2);
    OK(rnl_sampler_propose(sampler, 0, NULL, x, err));
    assert_true(x[0] == 0);
    rnl_sampler_free(sampler);
  }
  rnl_space_free(&space);
}

static void test_memory_runs_out(void **state) {
  (void)state;
  rnl_space space = mixed();
  past *p = past_of(&space, 60);
  const int64_t before = rnl_alloc_live();
  for (int64_t n = 1;; n++) {
    rnl_error err = {0};
    rnl_sampler *sampler = NULL;
    double x[DIMS];
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_sampler_new(&sampler, &space, &(rnl_sampler_options){.kind = RNL_SAMPLER_TPE}, 1, &err);
    if (status == RNL_OK) status = rnl_sampler_propose(sampler, 60, &p->history, x, &err);
    rnl_alloc_fail_after(0);
    rnl_sampler_free(sampler);
    assert_int_equal(rnl_alloc_live(), before);
    if (status == RNL_OK) break;
    assert_int_equal(status, RNL_ERR_MEMORY);
    assert_true(n < 200);
  }
  rnl_free(p);
  rnl_space_free(&space);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grid_order),       cmocka_unit_test(test_refused),
      cmocka_unit_test(test_sobol_points),     cmocka_unit_test(test_sobol_stratifies),
      cmocka_unit_test(test_within_bounds),    cmocka_unit_test(test_random_is_uniform),
      cmocka_unit_test(test_pure),             cmocka_unit_test(test_no_duplicates),
      cmocka_unit_test(test_startup),          cmocka_unit_test(test_single_values),
      cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
