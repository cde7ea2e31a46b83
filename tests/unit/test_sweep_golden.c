/* The Parzen estimator and PED-ANOVA against tests/golden/make_tpe.py: which trials are good, kernels, weights, bounds,
 * densities, and the shares of importance. */
#include "sweep_setup.h"

#include <jansson.h>

#include "sweep/importance.h"
#include "sweep/tpe.h"

enum { MAX_TRIALS = 400, MAX_DIMS = 8, POINTS = 12 };

typedef struct loaded {
  rnl_space space;
  int inner;
  rnl_trial_view trials[MAX_TRIALS];
  double values[MAX_TRIALS][MAX_DIMS];
  rnl_trial_step steps[MAX_TRIALS][2];
  rnl_history history;
} loaded;

static json_t *load(const char *name) {
  char path[1024];
  json_error_t error;
  snprintf(path, sizeof path, "%s/%s.json", RNL_GOLDEN_DIR, name);
  json_t *root = json_load_file(path, 0, &error);
  if (!root) fail_msg("%s: %s", path, error.text);
  return root;
}

static double number(json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }
static double number_at(json_t *array, size_t i) {
  json_t *value = json_array_get(array, i);
  return json_is_null(value) ? NAN : json_number_value(value);
}

static void load_space(json_t *dims, int inner, rnl_space *space) {
  static char *const letters[] = {(char *)"a", (char *)"b", (char *)"c", (char *)"d"};
  for (size_t i = 0; i < json_array_size(dims); i++) {
    json_t *entry = json_array_get(dims, i);
    const char *kind = json_string_value(json_object_get(entry, "kind"));
    char name[] = {'x', (char)('0' + i), 0};
    const rnl_dimension d = {.name = name,
                             .kind = strcmp(kind, "real") == 0  ? RNL_DIM_REAL
                                     : strcmp(kind, "int") == 0 ? RNL_DIM_INT
                                                                : RNL_DIM_CATEGORICAL,
                             .low = number(entry, "low"),
                             .high = number(entry, "high"),
                             .step = number(entry, "step"),
                             .log = json_is_true(json_object_get(entry, "log")),
                             .n_choices = (int64_t)number(entry, "choices"),
                             .choices = (char **)letters};
    OK(rnl_space_add(space, &d, err));
  }
  static const char *const open[] = {"b", "d"};
  if (inner >= 0) OK(rnl_space_condition(space, "x6", "x5", 2, open, err));
}

static rnl_trial_state state_of(const char *text) {
  return strcmp(text, "finished") == 0  ? RNL_TRIAL_FINISHED
         : strcmp(text, "pruned") == 0  ? RNL_TRIAL_PRUNED
         : strcmp(text, "running") == 0 ? RNL_TRIAL_RUNNING
                                        : RNL_TRIAL_FAILED;
}

static loaded *load_case(json_t *entry) {
  loaded *c = rnl_alloc(1, sizeof *c);
  json_t *trials = json_object_get(entry, "trials");
  c->inner = (int)number(entry, "inner");
  load_space(json_object_get(entry, "space"), c->inner, &c->space);
  c->history = (rnl_history){.n = (int64_t)json_array_size(trials), .trials = c->trials};
  for (int64_t i = 0; i < c->history.n; i++) {
    json_t *trial = json_array_get(trials, (size_t)i), *steps = json_object_get(trial, "steps");
    for (int d = 0; d < c->space.n; d++)
      c->values[i][d] = number_at(json_object_get(trial, "values"), (size_t)d);
    for (size_t s = 0; s < json_array_size(steps); s++)
      c->steps[i][s] = (rnl_trial_step){(int64_t)number_at(json_array_get(steps, s), 0),
                                        number_at(json_array_get(steps, s), 1)};
    c->trials[i] = (rnl_trial_view){.number = (int64_t)number(trial, "number"), .values = c->values[i],
                                    .state = state_of(json_string_value(json_object_get(trial, "state"))),
                                    .value = number(trial, "value"), .steps = c->steps[i],
                                    .n_steps = (int64_t)json_array_size(steps)};
  }
  return c;
}

static void unload(loaded *c) {
  rnl_space_free(&c->space);
  rnl_free(c);
}

static void compare(const char *what, double got, double wanted) {
  if (!(fabs(got - wanted) <= 1e-11 * (1 + fabs(wanted)))) fail_msg("%s: %.17g, expected %.17g", what, got, wanted);
}

static void compare_array(const char *what, json_t *wanted, const double *got, int64_t n) {
  assert_int_equal(json_array_size(wanted), n);
  for (int64_t i = 0; i < n; i++) compare(what, got[i], number_at(wanted, (size_t)i));
}

static void compare_numbers(const char *what, json_t *wanted, const rnl_trial_view *const *got, int64_t n) {
  assert_int_equal(json_array_size(wanted), n);
  for (int64_t i = 0; i < n; i++)
    if (got[i]->number != (int64_t)number_at(wanted, (size_t)i))
      fail_msg("%s: %lld is trial %lld", what, (long long)i, (long long)got[i]->number);
}

static void compare_density(const char *what, const loaded *c, json_t *at, int n_dims, const int *dims, int64_t n,
                            const rnl_trial_view *const *trials, json_t *wanted, json_t *side) {
  const double *points[MAX_TRIALS];
  double values[POINTS][MAX_DIMS], density[POINTS];
  int64_t m = 0;
  for (int64_t i = 0; i < n; i++)
    if (n_dims > 1 || !isnan(trials[i]->values[dims[0]])) points[m++] = trials[i]->values;
  rnl_parzen parzen = {0};
  OK(rnl_parzen_build(&parzen, &c->space, n_dims, dims, m, points, err));
  for (size_t i = 0; i < POINTS; i++) {
    for (int d = 0; d < c->space.n; d++) values[i][d] = number_at(json_array_get(at, i), (size_t)d);
    points[i] = values[i];
  }
  OK(rnl_parzen_log_density(&parzen, POINTS, points, density, err));
  compare_array(what, json_object_get(wanted, "log_density"), density, POINTS);
  if (side) compare_array("weights", json_object_get(side, "weights"), parzen.weight, parzen.n_kernels);
  if (json_object_get(wanted, "mu")) {
    const rnl_parzen_part *part = &parzen.parts[0];
    compare_array("mu", json_object_get(wanted, "mu"), part->mu, parzen.n_kernels);
    compare_array("sigma", json_object_get(wanted, "sigma"), part->sigma, parzen.n_kernels);
    compare("low", part->low, number(wanted, "low"));
    compare("high", part->high, number(wanted, "high"));
  }
  rnl_parzen_free(&parzen);
}

static void test_tpe(void **state) {
  (void)state;
  json_t *root = load("tpe"), *cases = json_object_get(root, "cases"), *entry;
  size_t i;
  json_array_foreach(cases, i, entry) {
    loaded *c = load_case(entry);
    const rnl_trial_view *below[MAX_TRIALS], *above[MAX_TRIALS];
    int64_t n_below, n_above;
    assert_true(rnl_tpe_split(&c->history, -1, below, &n_below, above, &n_above) > 0);
    compare_numbers("below", json_object_get(entry, "below"), below, n_below);
    compare_numbers("above", json_object_get(entry, "above"), above, n_above);
    for (int s = 0; s < 2; s++) {
      json_t *side = json_object_get(json_object_get(entry, "sides"), s ? "above" : "below");
      json_t *at = json_object_get(entry, "at");
      const rnl_trial_view *const *trials = s ? above : below;
      const int64_t n = s ? n_above : n_below;
      int dims[MAX_DIMS], n_dims = 0;
      for (int d = 0; d < c->space.n; d++) {
        char what[64];
        snprintf(what, sizeof what, "%s, dimension %d", json_string_value(json_object_get(entry, "name")), d);
        compare_density(what, c, at, 1, &d, n, trials, json_array_get(json_object_get(side, "dims"), (size_t)d), NULL);
        if (d != c->inner) dims[n_dims++] = d;
      }
      compare_density("together", c, at, n_dims, dims, n, trials, side, side);
    }
    unload(c);
  }
  json_decref(root);
}

/* Draws follow the density: of many, the share in each of ten parts of a dimension is the density's integral there. */
static void test_draws_follow_the_density(void **state) {
  (void)state;
  json_t *root = load("tpe");
  loaded *c = load_case(json_array_get(json_object_get(root, "cases"), 1));
  const double *points[MAX_TRIALS];
  for (int64_t i = 0; i < c->history.n; i++) points[i] = c->values[i];
  for (int d = 0; d < c->space.n; d++) {
    const rnl_dimension *dim = &c->space.dims[d];
    rnl_parzen parzen = {0};
    OK(rnl_parzen_build(&parzen, &c->space, 1, &d, c->history.n, points, err));
    enum { DRAWS = 40000, PARTS = 10, FINE = 4000 };
    double seen[PARTS] = {0}, wanted[PARTS] = {0}, x[MAX_DIMS];
    const double *at = x;
    const int64_t count = rnl_dimension_count(dim);
    rnl_rng rng;
    rnl_rng_init(&rng, 5, RNL_RNG_SWEEP, (uint32_t)d);
    for (int i = 0; i < DRAWS; i++) {
      rnl_parzen_draw(&parzen, &rng, x);
      const double place = count ? (double)rnl_dimension_nearest(dim, x[d]) / (double)count
                           : dim->log ? log(x[d] / dim->low) / log(dim->high / dim->low)
                                      : (x[d] - dim->low) / (dim->high - dim->low);
      seen[place < 1 ? (int)(place * PARTS) : PARTS - 1] += 1. / DRAWS;
    }
    const int64_t n = count ? count : FINE;
    for (int64_t i = 0; i < n; i++) {
      const double part = ((double)i + .5) / FINE, range = dim->log ? log(dim->high / dim->low) : dim->high - dim->low;
      x[d] = count ? rnl_dimension_at(dim, i) : dim->log ? dim->low * exp(part * range) : dim->low + part * range;
      double density;
      OK(rnl_parzen_log_density(&parzen, 1, &at, &density, err));
      wanted[(int)((double)i / (double)n * PARTS)] += exp(density) * (count ? 1 : range / FINE);
    }
    double all = 0;
    for (int i = 0; i < PARTS; i++) {
      all += wanted[i];
      if (fabs(seen[i] - wanted[i]) > .012) fail_msg("dimension %d, part %d: %g of %g", d, i, seen[i], wanted[i]);
    }
    assert_true(fabs(all - 1) < 1e-4);
    rnl_parzen_free(&parzen);
  }
  unload(c);
  json_decref(root);
}

/* What is proposed is the candidate with the largest ratio: done again by hand from the same random numbers. */
static void test_argmax(void **state) {
  (void)state;
  json_t *root = load("tpe");
  loaded *c = load_case(json_array_get(json_object_get(root, "cases"), 1));
  const rnl_trial_view *below[MAX_TRIALS], *above[MAX_TRIALS];
  const double *points[MAX_TRIALS], *candidates[24];
  int64_t n_below, n_above;
  int dims[] = {0, 1, 2, 3, 4, 5};
  rnl_tpe_split(&c->history, 1000, below, &n_below, above, &n_above);
  rnl_parzen good = {0}, bad = {0};
  for (int64_t i = 0; i < n_below; i++) points[i] = below[i]->values;
  OK(rnl_parzen_build(&good, &c->space, 6, dims, n_below, points, err));
  for (int64_t i = 0; i < n_above; i++) points[i] = above[i]->values;
  OK(rnl_parzen_build(&bad, &c->space, 6, dims, n_above, points, err));
  rnl_rng rng;
  rnl_rng_init(&rng, 77, RNL_RNG_SWEEP, 1000);
  double x[24][6], log_good[24], log_bad[24], proposed[6];
  for (int i = 0; i < 24; i++) {
    rnl_parzen_draw(&good, &rng, x[i]);
    candidates[i] = x[i];
  }
  OK(rnl_parzen_log_density(&good, 24, candidates, log_good, err));
  OK(rnl_parzen_log_density(&bad, 24, candidates, log_bad, err));
  int best = 0;
  for (int i = 1; i < 24; i++)
    if (log_good[i] - log_bad[i] > log_good[best] - log_bad[best]) best = i;
  rnl_sampler *tpe = sampler_of(&c->space, RNL_SAMPLER_TPE, 77);
  OK(rnl_sampler_propose(tpe, 1000, &c->history, proposed, err));
  assert_true(rnl_space_same(&c->space, proposed, x[best]));
  rnl_sampler_free(tpe);
  rnl_parzen_free(&good);
  rnl_parzen_free(&bad);
  unload(c);
  json_decref(root);
}

static void test_importance(void **state) {
  (void)state;
  json_t *root = load("ped_anova"), *cases = json_object_get(root, "cases"), *entry;
  size_t i;
  json_array_foreach(cases, i, entry) {
    loaded *c = load_case(entry);
    double share[MAX_DIMS];
    OK(rnl_importance(&c->space, &c->history, share, err));
    compare_array(json_string_value(json_object_get(entry, "name")), json_object_get(entry, "share"), share,
                  c->space.n);
    for (int64_t k = 0; k < c->history.n; k++) c->trials[k].value = 3; /* nothing matters where all are alike */
    OK(rnl_importance(&c->space, &c->history, share, err));
    for (int d = 0; d < c->space.n; d++) assert_true(share[d] == 0);
    for (int64_t k = 1; k < c->history.n; k++) c->trials[k].state = RNL_TRIAL_FAILED;
    FAILS(rnl_importance(&c->space, &c->history, share, err), RNL_ERR_ARG, "at least 2 finished trials");
    unload(c);
  }
  json_decref(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tpe),
      cmocka_unit_test(test_draws_follow_the_density),
      cmocka_unit_test(test_argmax),
      cmocka_unit_test(test_importance),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
