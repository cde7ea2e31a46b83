/* tests/bench/bench_samplers.c prints how near the samplers come to the least value of three test functions (median
 * simple regret over seeds, after 100 and 200 trials), how often tpe ends below random, and what a proposal costs.
 * It is built with the tests and never run by them; test_sweep_regret_slow holds its figures.
 *
 *   bench_samplers [seeds]    100 by default; seeds 1, 2, ... */
#include <stdint.h>
#include <time.h>

#include "regret.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void regrets(int seeds) {
  static const rnl_sampler_kind kinds[] = {RNL_SAMPLER_RANDOM, RNL_SAMPLER_SOBOL, RNL_SAMPLER_TPE};
  enum { TRIALS = 200 };
  double *at[3][2], regret[TRIALS];
  for (int s = 0; s < 3; s++)
    for (int k = 0; k < 2; k++)
      if (!(at[s][k] = calloc((size_t)seeds, sizeof(double)))) exit(1);
  printf("median simple regret, %d seeds: after 100 trials, after 200; tpe below random after 200\n", seeds);
  for (int f = 0; f < REGRET_FUNCTIONS; f++) {
    int wins = 0;
    for (int s = 0; s < 3; s++)
      for (int i = 0; i < seeds; i++) {
        regret_run(&regret_functions[f], kinds[s], (uint64_t)i + 1, TRIALS, regret);
        at[s][0][i] = regret[99];
        at[s][1][i] = regret[199];
      }
    for (int i = 0; i < seeds; i++) wins += at[2][1][i] < at[0][1][i];
    printf("  %-10s", regret_functions[f].name);
    for (int s = 0; s < 3; s++)
      printf("  %s %.4f %.4f", rnl_sampler_name(kinds[s]), regret_median(seeds, at[s][0]),
             regret_median(seeds, at[s][1]));
    printf("  %d of %d\n", wins, seeds);
  }
  for (int s = 0; s < 3; s++)
    for (int k = 0; k < 2; k++) free(at[s][k]);
}

/* Proposals after 1,000 trials in a space of each kind of dimension. */
static void costs(void) {
  enum { TRIALS = 1000, REPEATS = 21 };
  static const struct { const char *name; rnl_dimension d; } kinds[] = {
      {"5 reals", {.kind = RNL_DIM_REAL, .low = -5, .high = 5}},
      {"5 reals, log", {.kind = RNL_DIM_REAL, .low = 1e-5, .high = 1, .log = true}},
      {"5 whole numbers, 4..64", {.kind = RNL_DIM_INT, .low = 4, .high = 64, .step = 1}},
      {"5 whole numbers, 1..10^6", {.kind = RNL_DIM_INT, .low = 1, .high = 1e6, .step = 1}},
      {"5 choices of 8", {.kind = RNL_DIM_CATEGORICAL, .n_choices = 8}},
  };
  static char letters[8][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  char *choices[8];
  for (int i = 0; i < 8; i++) choices[i] = letters[i];
  printf("a tpe proposal after %d trials\n", TRIALS);
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    rnl_error err = {0};
    rnl_space space = {0};
    for (int i = 0; i < 5; i++) {
      char name[] = {'x', (char)('0' + i), 0};
      rnl_dimension d = kinds[k].d;
      d.name = name;
      d.choices = d.n_choices ? choices : NULL;
      regret_check(rnl_space_add(&space, &d, &err), &err);
    }
    rnl_sampler *random = NULL, *tpe = NULL;
    regret_check(rnl_sampler_new(&random, &space, &(rnl_sampler_options){.kind = RNL_SAMPLER_RANDOM}, 1, &err), &err);
    regret_check(rnl_sampler_new(&tpe, &space, &(rnl_sampler_options){.kind = RNL_SAMPLER_TPE}, 1, &err), &err);
    static double points[TRIALS][5];
    static rnl_trial_view trials[TRIALS];
    for (int i = 0; i < TRIALS; i++) {
      regret_check(rnl_sampler_propose(random, i, NULL, points[i], &err), &err);
      trials[i] = (rnl_trial_view){.number = i, .values = points[i], .state = RNL_TRIAL_FINISHED,
                                   .value = sphere5(points[i])};
    }
    const rnl_history history = {.n = TRIALS, .trials = trials};
    double time[REPEATS], x[5];
    for (int r = 0; r < REPEATS; r++) {
      const double start = now();
      regret_check(rnl_sampler_propose(tpe, TRIALS + r, &history, x, &err), &err);
      time[r] = now() - start;
    }
    printf("  %-26s %.3f ms\n", kinds[k].name, 1e3 * regret_median(REPEATS, time));
    rnl_sampler_free(random);
    rnl_sampler_free(tpe);
    rnl_space_free(&space);
  }
}

int main(int argc, char **argv) {
  const int seeds = argc > 1 ? atoi(argv[1]) : 100;
  regrets(seeds > 0 ? seeds : 100);
  costs();
  return 0;
}
