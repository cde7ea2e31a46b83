/* How near tpe comes to the least value of three test functions, held to figures: the median simple regret over 100
 * seeds after 100 and 200 trials is at or below Optuna 4.9's, as measured elsewhere over 30 seeds, and below random
 * search's in 90 of 100 seeds after 200. The numbers themselves do not vary: proposals are pure functions. */
#include "sweep_setup.h"

#include "../bench/regret.h"

enum { SEEDS = 100, TRIALS = 200 };

static void test_regret(void **state) {
  (void)state;
  static const double optuna[REGRET_FUNCTIONS][2] = {{.058, .0039}, {.31, .11}, {.93, .22}};
  for (int f = 0; f < REGRET_FUNCTIONS; f++) {
    double at[2][SEEDS], tpe[TRIALS], random[TRIALS];
    int wins = 0;
    for (int i = 0; i < SEEDS; i++) {
      regret_run(&regret_functions[f], RNL_SAMPLER_TPE, (uint64_t)i + 1, TRIALS, tpe);
      regret_run(&regret_functions[f], RNL_SAMPLER_RANDOM, (uint64_t)i + 1, TRIALS, random);
      at[0][i] = tpe[99];
      at[1][i] = tpe[199];
      wins += tpe[199] < random[199];
    }
    for (int k = 0; k < 2; k++) {
      const double median = regret_median(SEEDS, at[k]);
      if (median > optuna[f][k])
        fail_msg("%s after %d trials: %g, Optuna 4.9's is %g", regret_functions[f].name, 100 * (k + 1), median,
                 optuna[f][k]);
    }
    if (wins < 90) fail_msg("%s: below random in %d of %d seeds", regret_functions[f].name, wins, SEEDS);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_regret)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
