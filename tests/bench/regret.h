/* regret.h: test functions of the optimisation literature and how far a sampler stays above their least value. Used
 * by the benchmark of the samplers and by the slow test that holds its figures. */
#ifndef RNL_BENCH_REGRET_H
#define RNL_BENCH_REGRET_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sweep/sampler.h"

typedef struct regret_function {
  const char *name;
  int dims;
  double low[6], high[6], least;
  double (*at)(const double *x);
} regret_function;

static inline double branin(const double *x) {
  const double pi = 3.14159265358979323846, a = x[1] - 5.1 / (4 * pi * pi) * x[0] * x[0] + 5 / pi * x[0] - 6;
  return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10;
}

static inline double hartmann6(const double *x) {
  static const double alpha[4] = {1, 1.2, 3, 3.2};
  static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                 {.05, 10, 17, .1, 8, 14},
                                 {3, 3.5, 1.7, 10, 17, 8},
                                 {17, 8, .05, 10, .1, 14}};
  static const double p[4][6] = {{.1312, .1696, .5569, .0124, .8283, .5886},
                                 {.2329, .4135, .8307, .3736, .1004, .9991},
                                 {.2348, .1451, .3522, .2883, .3047, .6650},
                                 {.4047, .8828, .8732, .5743, .1091, .0381}};
  double sum = 0;
  for (int i = 0; i < 4; i++) {
    double inner = 0;
    for (int j = 0; j < 6; j++) inner += a[i][j] * (x[j] - p[i][j]) * (x[j] - p[i][j]);
    sum -= alpha[i] * exp(-inner);
  }
  return sum;
}

static inline double sphere5(const double *x) {
  double sum = 0;
  for (int i = 0; i < 5; i++) sum += x[i] * x[i];
  return sum;
}

static const regret_function regret_functions[] = {
    {"branin", 2, {-5, 0}, {10, 15}, 0.39788735772973816, branin},
    {"hartmann6", 6, {0, 0, 0, 0, 0, 0}, {1, 1, 1, 1, 1, 1}, -3.322368011415515, hartmann6},
    {"sphere5", 5, {-5, -5, -5, -5, -5}, {5, 5, 5, 5, 5}, 0, sphere5},
};
enum { REGRET_FUNCTIONS = 3 };

static inline void regret_check(rnl_status status, const rnl_error *err) {
  if (status == RNL_OK) return;
  fprintf(stderr, "%s\n", err->text);
  exit(1);
}

static inline rnl_space regret_space(const regret_function *f) {
  rnl_error err = {0};
  rnl_space space = {0};
  for (int i = 0; i < f->dims; i++) {
    char name[] = {'x', (char)('0' + i), 0};
    const rnl_dimension d = {.name = name, .kind = RNL_DIM_REAL, .low = f->low[i], .high = f->high[i]};
    regret_check(rnl_space_add(&space, &d, &err), &err);
  }
  return space;
}

/* The lowest value less the least possible after each of n trials, one after another. */
static inline void regret_run(const regret_function *f, rnl_sampler_kind kind, uint64_t seed, int n, double *regret) {
  rnl_error err = {0};
  rnl_space space = regret_space(f);
  rnl_sampler *sampler = NULL;
  const rnl_sampler_options options = {.kind = kind};
  regret_check(rnl_sampler_new(&sampler, &space, &options, seed, &err), &err);
  double *points = calloc((size_t)(n * f->dims), sizeof *points);
  rnl_trial_view *trials = calloc((size_t)n, sizeof *trials);
  if (!points || !trials) exit(1);
  double best = INFINITY;
  for (int i = 0; i < n; i++) {
    const rnl_history history = {.n = i, .trials = trials};
    double *x = points + i * f->dims;
    regret_check(rnl_sampler_propose(sampler, i, &history, x, &err), &err);
    trials[i] = (rnl_trial_view){.number = i, .values = x, .state = RNL_TRIAL_FINISHED, .value = f->at(x)};
    best = fmin(best, trials[i].value);
    regret[i] = best - f->least;
  }
  free(points);
  free(trials);
  rnl_sampler_free(sampler);
  rnl_space_free(&space);
}

static inline int regret_compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static inline double regret_median(int n, double *x) {
  qsort(x, (size_t)n, sizeof *x, regret_compare);
  return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

#endif
