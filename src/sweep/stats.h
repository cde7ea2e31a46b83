/* sweep/stats.h owns the statistics of a sweep: mean and deviation with Student's interval, the paired difference,
 * Wilcoxon's signed-rank test, ranks, the Pareto front. Sums go in the order given; nothing is random. */
#ifndef RNL_SWEEP_STATS_H
#define RNL_SWEEP_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sweep/normal.h"

double rnl_mean(int64_t n, const double *x);                 /* NaN for n = 0 */
double rnl_sd(int64_t n, const double *x);                   /* over n - 1; NaN for n < 2 */
double rnl_quantile(int64_t n, const double *sorted, double p); /* linear between order statistics (R's type 7) */

/* Student's t: P(T <= t) and its inverse, df > 0 real. Relative error of the quantile below 1e-10. */
double rnl_t_cdf(double t, double df);
double rnl_t_quantile(double p, double df);

typedef struct rnl_interval {
  int64_t n;
  double mean, sd;
  double half;      /* mean +- half; NaN for n < 2 */
  double low, high;
  double level;     /* .95 */
} rnl_interval;

/* mean +- t(n-1, (1 + level)/2) sd / sqrt(n) */
rnl_interval rnl_t_interval(int64_t n, const double *x, double level);

typedef struct rnl_wilcoxon {
  int64_t n;       /* differences that are not zero (Wilcoxon's way with zeros) */
  double w_plus, w_minus; /* sums of the ranks of |d|, ties at their mean rank */
  double p;        /* two-sided; 1 where n = 0 */
  bool exact;      /* the exact distribution, ties included, for n <= 25; else normal with the correction for ties */
} rnl_wilcoxon;

rnl_status rnl_wilcoxon_test(int64_t n, const double *difference, rnl_wilcoxon *out, rnl_error *err);

typedef struct rnl_paired {
  rnl_interval difference; /* of a - b */
  double t, p;             /* paired t-test, two-sided */
  rnl_wilcoxon wilcoxon;
} rnl_paired;

/* a[i] and b[i] share a seed. ERR_ARG for n < 2 or a value that is not finite. */
rnl_status rnl_paired_test(int64_t n, const double *a, const double *b, double level, rnl_paired *out,
                           rnl_error *err);

/* rank[i] from 1, ties at their mean rank, NaN last (and NaN as its rank). */
rnl_status rnl_ranks(int64_t n, const double *x, double *rank, rnl_error *err);

/* front[i]: point i (m values, all to be minimised) is dominated by none. Equal points are all on it; a point with
 * a NaN never is. */
rnl_status rnl_pareto(int64_t n, int m, const double *values, bool *front, rnl_error *err);

#endif
