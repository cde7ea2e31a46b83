/* Pruners: decision tables for the median, rungs and brackets, and what asha saves on synthetic learning curves. */
#include "sweep_setup.h"

#include "base/rng.h"
#include "sweep/pruner.h"

enum { MOST = 600, CURVE = 64 };

/* Trials with their curves, to be filled in one by one. */
typedef struct trials {
  rnl_trial_view views[MOST];
  rnl_trial_step steps[MOST][CURVE];
  rnl_history history;
} trials;

static trials *trials_new(void) {
  trials *t = rnl_alloc(1, sizeof *t);
  t->history.trials = t->views;
  return t;
}

/* The next trial, with this value at every one of its steps. */
static rnl_trial_view *add(trials *t, rnl_trial_state state, int n_steps, const int64_t *steps, double value) {
  const int64_t i = t->history.n++;
  for (int k = 0; k < n_steps; k++) t->steps[i][k] = (rnl_trial_step){steps[k], value};
  t->views[i] = (rnl_trial_view){.number = i, .state = state, .value = value, .n_steps = n_steps, .steps = t->steps[i]};
  return &t->views[i];
}

static rnl_pruner settled(rnl_pruner pruner) {
  OK(rnl_pruner_settle(&pruner, err));
  return pruner;
}

static void test_settings(void **state) {
  (void)state;
  rnl_pruner p = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 10000});
  assert_true(p.eta == 4 && p.first == 625);
  p = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 30});
  assert_int_equal(p.first, 1);
  p = settled((rnl_pruner){.kind = RNL_PRUNER_HYPERBAND, .last_step = 1000});
  assert_true(p.eta == 3 && p.first == 10);
  p = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 10000, .first = 1000, .eta = 2});
  assert_true(p.eta == 2 && p.first == 1000);
  p = settled((rnl_pruner){.kind = RNL_PRUNER_MEDIAN});
  assert_int_equal(p.startup, 5);
  p = (rnl_pruner){.kind = RNL_PRUNER_ASHA};
  FAILS(rnl_pruner_settle(&p, err), RNL_ERR_ARG, "asha needs to know how many steps");
  p = (rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 10, .eta = 1};
  FAILS(rnl_pruner_settle(&p, err), RNL_ERR_ARG, "asha: factor is 1; at least 2");
  p = (rnl_pruner){.kind = RNL_PRUNER_HYPERBAND, .last_step = 10, .first = 11};
  FAILS(rnl_pruner_settle(&p, err), RNL_ERR_ARG, "hyperband: first is 11; 1 to 10, the epochs of a trial, is expected");
  rnl_pruner_kind kind;
  FAILS(rnl_pruner_named("ashe", &kind, err), RNL_ERR_ARG, "no pruner 'ashe'; there are none, median, asha");
  for (int k = RNL_PRUNER_NONE; k <= RNL_PRUNER_HYPERBAND; k++) {
    OK(rnl_pruner_named(rnl_pruner_name((rnl_pruner_kind)k), &kind, err));
    assert_int_equal(kind, k);
  }
}

static void test_median(void **state) {
  (void)state;
  static const int64_t steps[] = {1, 3, 5};
  trials *t = trials_new();
  const rnl_pruner median = settled((rnl_pruner){.kind = RNL_PRUNER_MEDIAN});
  rnl_trial_step now[2] = {{1, 0}, {3, 100}};
  const rnl_trial_view self = {.number = 500, .state = RNL_TRIAL_RUNNING, .n_steps = 2, .steps = now};
  for (int i = 0; i < 4; i++) add(t, RNL_TRIAL_FINISHED, 3, steps, i);
  add(t, RNL_TRIAL_RUNNING, 3, steps, 0);
  add(t, RNL_TRIAL_PRUNED, 3, steps, 0);
  add(t, RNL_TRIAL_FAILED, 3, steps, 0);
  assert_false(rnl_pruner_stops(&median, &t->history, &self)); /* four are finished */
  add(t, RNL_TRIAL_FINISHED, 3, steps, 4);
  static const struct { int64_t step; double value; bool stops; } table[] = {
      {3, 2, false}, {3, 2.01, true}, {3, 1, false}, {3, NAN, true}, {2, 2.01, true}, {5, 2.01, true},
      {6, 100, false}, /* nobody came so far */
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    now[1] = (rnl_trial_step){table[i].step, table[i].value};
    if (rnl_pruner_stops(&median, &t->history, &self) != table[i].stops)
      fail_msg("step %lld, value %g", (long long)table[i].step, table[i].value);
  }
  add(t, RNL_TRIAL_FINISHED, 3, steps, NAN); /* a NaN stands above all: 0 1 2 3 4 inf */
  now[1] = (rnl_trial_step){3, 2.5};
  assert_false(rnl_pruner_stops(&median, &t->history, &self));
  now[1].value = 2.6;
  assert_true(rnl_pruner_stops(&median, &t->history, &self));
  const rnl_pruner none = settled((rnl_pruner){.kind = RNL_PRUNER_NONE});
  assert_false(rnl_pruner_stops(&none, &t->history, &self));
  assert_int_equal(rnl_pruner_next(&median, 0, 7), 8);
  rnl_free(t);
}

static void test_asha_rungs(void **state) {
  (void)state;
  const rnl_pruner asha = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 1600});
  int64_t at = 0;
  static const int64_t rungs[] = {100, 400, 1600, 1600};
  for (int i = 0; i < 4; i++) assert_int_equal(at = rnl_pruner_next(&asha, i, at), rungs[i]);
  /* step 1600 of 1600 is no rung, though it is 100 * 4^2 */
  const rnl_pruner early = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 1600, .first = 16});
  static const int64_t more[] = {16, 64, 256, 1024, 1600, 1600};
  at = 0;
  for (int i = 0; i < 6; i++) assert_int_equal(at = rnl_pruner_next(&early, i, at), more[i]);
}

static void test_asha(void **state) {
  (void)state;
  static const int64_t steps[] = {16, 64};
  trials *t = trials_new();
  const rnl_pruner asha = settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 1600, .first = 16});
  rnl_trial_step now[2] = {{15, 0}, {16, 0}};
  const rnl_trial_view self = {.number = 500, .state = RNL_TRIAL_RUNNING, .n_steps = 2, .steps = now};
  assert_false(rnl_pruner_stops(&asha, &t->history, &self)); /* the first at a rung always goes on */
  /* others with 10, 20, 30, ...: of n at the rung with itself, the best max(1, n / 4) go on */
  for (int others = 1; others <= 20; others++) {
    add(t, others % 3 ? RNL_TRIAL_PRUNED : RNL_TRIAL_RUNNING, 1, steps, 10 * others);
    const int keep = (others + 1) / 4 > 1 ? (others + 1) / 4 : 1;
    now[1].value = 10 * keep - 5; /* keep - 1 are better */
    assert_false(rnl_pruner_stops(&asha, &t->history, &self));
    now[1].value = 10 * keep; /* a tie is no defeat */
    assert_false(rnl_pruner_stops(&asha, &t->history, &self));
    now[1].value = 10 * keep + 5;
    assert_true(rnl_pruner_stops(&asha, &t->history, &self));
    now[1].value = NAN;
    assert_true(rnl_pruner_stops(&asha, &t->history, &self));
  }
  now[1] = (rnl_trial_step){17, 1e9}; /* between rungs nobody is stopped */
  now[0].step = 16;
  assert_false(rnl_pruner_stops(&asha, &t->history, &self));
  now[0].step = 14; /* a thinned curve comes to the rung with its first report behind it */
  assert_true(rnl_pruner_stops(&asha, &t->history, &self));
  now[0].step = 63;
  now[1].step = 64; /* at the second rung it is the only one */
  assert_false(rnl_pruner_stops(&asha, &t->history, &self));
  now[0].step = 14; /* but coming from before the first, it has to pass that, too */
  assert_true(rnl_pruner_stops(&asha, &t->history, &self));
  now[0].step = 1599;
  now[1].step = 1600;
  assert_false(rnl_pruner_stops(&asha, &t->history, &self));
  rnl_free(t);
}

static void test_hyperband(void **state) {
  (void)state;
  static const struct { int64_t last, first; int brackets; } sizes[] = {
      {243, 1, 6}, {242, 1, 5}, {81, 1, 5}, {1, 1, 1}, {2, 1, 1}, {3, 1, 2}, {100, 0, 5}, {1000, 10, 5}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const rnl_pruner p =
        settled((rnl_pruner){.kind = RNL_PRUNER_HYPERBAND, .last_step = sizes[i].last, .first = sizes[i].first});
    assert_int_equal(rnl_pruner_brackets(&p), sizes[i].brackets);
  }
  /* 81 steps: 81, 34, 15, 8 and 5 configurations of 143, in any long run of trials */
  const rnl_pruner p = settled((rnl_pruner){.kind = RNL_PRUNER_HYPERBAND, .last_step = 81, .first = 1});
  static const double share[] = {81, 34, 15, 8, 5};
  static const int64_t first[] = {1, 3, 9, 27, 81};
  int seen[5] = {0}, early[5] = {0};
  for (int64_t i = 0; i < 14300; i++) {
    const int s = rnl_pruner_bracket(&p, i);
    assert_in_range(s, 0, 4);
    seen[s]++;
    if (i < 60) early[s]++;
    assert_int_equal(rnl_pruner_next(&p, i, 0), first[s]);
  }
  for (int s = 0; s < 5; s++) {
    assert_true(fabs(seen[s] - 100 * share[s]) < 10);
    assert_true(early[s] > 0);
  }
  /* a trial meets its own bracket only */
  static const int64_t steps[] = {1, 3, 9};
  trials *t = trials_new();
  for (int i = 0; i < 60; i++) add(t, RNL_TRIAL_PRUNED, 3, steps, rnl_pruner_bracket(&p, i) == 1 ? 5 : 0);
  int64_t mine = 100;
  while (rnl_pruner_bracket(&p, mine) != 1) mine++;
  rnl_trial_step now = {1, 100};
  const rnl_trial_view self = {.number = mine, .state = RNL_TRIAL_RUNNING, .n_steps = 1, .steps = &now};
  assert_false(rnl_pruner_stops(&p, &t->history, &self)); /* its first rung is 3 */
  now.step = 3;
  assert_true(rnl_pruner_stops(&p, &t->history, &self));
  now.value = 4;
  assert_false(rnl_pruner_stops(&p, &t->history, &self)); /* the zeros are another bracket's */
  rnl_free(t);
}

/* A synthetic learning curve over 1,000 epochs: it falls from a common start to its own end, at its own rate, with
 * noise on each report; some have learning rates that are good early and poor late. */
static double curve(rnl_rng *noise, const double *config, int64_t epoch) {
  const double end = .1 + config[0] * config[0], rate = exp(-2 - 4 * config[1]);
  return (end + (2 - end) * exp(-rate * (double)epoch)) * (1 + .02 * rnl_rng_normal(noise));
}

typedef struct outcome {
  double best, full_best; /* end values, without noise */
  int64_t epochs, full_epochs;
} outcome;

static outcome search(rnl_pruner pruner, uint64_t seed, int n) {
  enum { EPOCHS = 1000, EVERY = 20 };
  trials *t = trials_new();
  outcome out = {.best = INFINITY, .full_best = INFINITY};
  for (int i = 0; i < n; i++) {
    rnl_rng rng;
    rnl_rng_init(&rng, seed, RNL_RNG_SWEEP, (uint32_t)i);
    const double config[] = {rnl_rng_uniform(&rng), rnl_rng_uniform(&rng)};
    const double end = .1 + config[0] * config[0],
                 last = end + (2 - end) * exp(-exp(-2 - 4 * config[1]) * EPOCHS);
    rnl_trial_view *self = add(t, RNL_TRIAL_RUNNING, 0, NULL, 0);
    t->history.n--; /* it is not in its own history */
    self->state = RNL_TRIAL_FINISHED;
    for (int64_t epoch = EVERY; epoch <= EPOCHS && self->state == RNL_TRIAL_FINISHED; epoch += EVERY) {
      t->steps[i][self->n_steps++] = (rnl_trial_step){epoch, curve(&rng, config, epoch)};
      out.epochs += EVERY;
      if (rnl_pruner_stops(&pruner, &t->history, self)) self->state = RNL_TRIAL_PRUNED;
    }
    t->history.n++;
    if (self->state == RNL_TRIAL_FINISHED) out.best = fmin(out.best, last);
    out.full_best = fmin(out.full_best, last);
    out.full_epochs += EPOCHS;
  }
  rnl_free(t);
  return out;
}

static void test_asha_saves(void **state) {
  (void)state;
  int within = 0;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const outcome asha = search(settled((rnl_pruner){.kind = RNL_PRUNER_ASHA, .last_step = 1000}), seed, 300);
    assert_true(4 * asha.epochs <= asha.full_epochs);
    within += asha.best <= 1.05 * asha.full_best;
    const outcome median = search(settled((rnl_pruner){.kind = RNL_PRUNER_MEDIAN}), seed, 100);
    const outcome hyperband = search(settled((rnl_pruner){.kind = RNL_PRUNER_HYPERBAND, .last_step = 1000}), seed, 300);
    assert_true(median.epochs < median.full_epochs && hyperband.epochs < hyperband.full_epochs / 2);
  }
  assert_int_equal(within, 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settings),   cmocka_unit_test(test_median),    cmocka_unit_test(test_asha_rungs),
      cmocka_unit_test(test_asha),       cmocka_unit_test(test_hyperband), cmocka_unit_test(test_asha_saves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
