/* sweep/stats.c: intervals, tests and ranks. */
#include "sweep/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

double rnl_mean(int64_t n, const double *x) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  if (n < 1) return NAN;
  const double mean = sum / (double)n;
  double rest = 0; /* a second pass takes back what rounding lost */
  for (int64_t i = 0; i < n; i++) rest += x[i] - mean;
  return isfinite(rest) ? mean + rest / (double)n : mean;
}

double rnl_sd(int64_t n, const double *x) {
  if (n < 2) return NAN;
  const double mean = rnl_mean(n, x);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
  return sqrt(sum / (double)(n - 1));
}

double rnl_quantile(int64_t n, const double *sorted, double p) {
  if (n < 1) return NAN;
  const double at = p * (double)(n - 1);
  const int64_t low = (int64_t)floor(at);
  if (low >= n - 1) return sorted[n - 1];
  return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

/* ---- Student's t ------------------------------------------------------------------------------ */

/* log B(a, 1/2) = log(Gamma(a) sqrt(pi) / Gamma(a + 1/2)). For large a the difference of two lgamma would lose digits:
 * log(Gamma(a + 1/2) / Gamma(a)) = log(a)/2 - 1/(8a) + 1/(192 a^3) - 1/(640 a^5) + 17/(14336 a^7) - ... */
static double log_beta_half(double a) {
  const double half_log_pi = 0.57236494292470008707;
  if (a < 20) return lgamma(a) + half_log_pi - lgamma(a + 0.5);
  const double b = 1 / (a * a);
  return half_log_pi - 0.5 * log(a) + (1.0 / 8 - b * (1.0 / 192 - b * (1.0 / 640 - b * 17.0 / 14336))) / a;
}

/* 1 / (1 + d_1 / (1 + d_2 / (1 + ...))), the continued fraction of the incomplete beta function (DLMF 8.17.22), by
 * Lentz's method: I_x(a, b) = x^a (1-x)^b / (a B(a, b)) times this, for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b) {
  const double tiny = 1e-300;
  double f = 1, c = 1, d = 0;
  for (int i = 1; i < 20000; i++) {
    const double m = i / 2;
    const double term = i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                   : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + term * d;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    c = 1 + term / c;
    if (fabs(c) < tiny) c = tiny;
    f *= c * d;
    if (fabs(c * d - 1) < 2e-16) break;
  }
  return 1 / f;
}

/* P(T > t), t >= 0: half of I_x(df/2, 1/2) with x = df / (df + t^2). */
static double t_tail(double t, double df) {
  const double a = 0.5 * df, square = t * t;
  if (isinf(square)) return isinf(t) ? 0 : 0.5 * exp(-df * log(t) + a * log(df) - log_beta_half(a)) / a;
  const double x = df / (df + square), y = square / (df + square); /* y = 1 - x, without cancellation */
  const double log_x = -log1p(square / df), log_y = log(y);
  if (t == 0) return 0.5;
  if (df > 1e6) /* all but normal (Abramowitz & Stegun 26.7.8); the fraction would take long */
    return rnl_normal_cdf(-t * (1 - 0.25 / df) / sqrt(1 + 0.5 * square / df));
  const double front = exp(a * log_x + 0.5 * log_y - log_beta_half(a));
  if (x < (a + 1) / (a + 2.5)) return 0.5 * front / a * beta_fraction(x, a, 0.5);
  return 0.5 * (1 - front / 0.5 * beta_fraction(y, 0.5, a));
}

double rnl_t_cdf(double t, double df) {
  if (isnan(t) || !(df > 0)) return NAN;
  return t <= 0 ? t_tail(-t, df) : 1 - t_tail(t, df);
}

/* The t > 0 whose upper tail is q <= 1/2: Newton's steps, kept between ends that close in. */
static double t_upper(double q, double df) {
  double low = 0, high = 1;
  while (t_tail(high, df) > q && high < 1e300) {
    low = high;
    high *= 2;
  }
  double t = 0.5 * (low + high);
  const double a = 0.5 * df, log_front = -log_beta_half(a) - 0.5 * log(df);
  for (int i = 0; i < 200; i++) {
    const double difference = t_tail(t, df) - q;
    if (difference > 0) low = t;
    else high = t;
    const double density = exp(log_front - (a + 0.5) * log1p(t * t / df));
    double next = t + difference / density;
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const bool settled = fabs(next - t) <= 4e-16 * t;
    t = next;
    if (settled) break;
  }
  return t;
}

double rnl_t_quantile(double p, double df) {
  if (!(p >= 0 && p <= 1) || !(df > 0)) return NAN;
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  if (isinf(df)) return rnl_normal_quantile(p);
  if (p == 0.5) return 0;
  return p > 0.5 ? t_upper(1 - p, df) : -t_upper(p, df);
}

rnl_interval rnl_t_interval(int64_t n, const double *x, double level) {
  rnl_interval out = {.n = n, .mean = rnl_mean(n, x), .sd = rnl_sd(n, x), .half = NAN, .level = level};
  if (n >= 2)
    out.half = out.sd == 0 ? 0 : rnl_t_quantile(0.5 + 0.5 * level, (double)(n - 1)) * out.sd / sqrt((double)n);
  out.low = out.mean - out.half;
  out.high = out.mean + out.half;
  return out;
}

/* ---- ranks ------------------------------------------------------------------------------------ */

typedef struct ranked {
  double value;
  int64_t index;
} ranked;

static int compare_ranked(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (isnan(x->value) != isnan(y->value)) return isnan(x->value) - isnan(y->value);
  if (x->value != y->value && !isnan(x->value)) return x->value < y->value ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

rnl_status rnl_ranks(int64_t n, const double *x, double *rank, rnl_error *err) {
  ranked *sorted = rnl_alloc((size_t)n, sizeof *sorted);
  if (!sorted) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for %lld ranks", (long long)n);
  for (int64_t i = 0; i < n; i++) sorted[i] = (ranked){x[i], i};
  qsort(sorted, (size_t)n, sizeof *sorted, compare_ranked);
  for (int64_t i = 0, j; i < n; i = j) {
    for (j = i + 1; j < n && sorted[j].value == sorted[i].value; j++) continue;
    const double mean = 0.5 * (double)(i + 1 + j);
    for (int64_t k = i; k < j; k++) rank[sorted[k].index] = isnan(sorted[k].value) ? NAN : mean;
  }
  rnl_free(sorted);
  return RNL_OK;
}

/* ---- Wilcoxon's signed-rank test -------------------------------------------------------------- */

enum { EXACT = 25 };

/* P(W <= w) where each rank (doubled, so that mean ranks are whole) is in the sum or not, all 2^n ways alike. */
static double exact_below(int64_t n, const double *rank, double w) {
  double ways[EXACT * (EXACT + 1) + 1] = {1};
  int64_t most = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t r = (int64_t)(2 * rank[i]);
    for (int64_t s = most; s >= 0; s--) ways[s + r] += ways[s];
    most += r;
  }
  double below = 0;
  for (int64_t s = 0; s <= (int64_t)(2 * w); s++) below += ways[s];
  return ldexp(below, -(int)n);
}

/* The sum of t^3 - t over groups of t equal ranks. */
static double tie_term(int64_t n, const double *rank) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double same = 0;
    for (int64_t k = 0; k < n; k++) same += rank[k] == rank[i];
    sum += same * same - 1; /* each of t members adds t^2 - 1 */
  }
  return sum;
}

rnl_status rnl_wilcoxon_test(int64_t n, const double *difference, rnl_wilcoxon *out, rnl_error *err) {
  *out = (rnl_wilcoxon){.p = 1, .exact = true};
  double *size = rnl_alloc((size_t)n, 2 * sizeof *size), *rank = size + n;
  if (!size) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for %lld differences", (long long)n);
  int64_t m = 0;
  rnl_status status = RNL_OK;
  for (int64_t i = 0; i < n && status == RNL_OK; i++) {
    if (!isfinite(difference[i]))
      status = rnl_fail(err, RNL_ERR_ARG, "difference %lld is not a finite number", (long long)i + 1);
    else if (difference[i] != 0) size[m++] = fabs(difference[i]);
  }
  if (status == RNL_OK) status = rnl_ranks(m, size, rank, err);
  if (status == RNL_OK && m > 0) {
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
      if (difference[i] > 0) out->w_plus += rank[k++];
      else if (difference[i] < 0) out->w_minus += rank[k++];
    }
    const double w = fmin(out->w_plus, out->w_minus), d = (double)m;
    out->n = m;
    out->exact = m <= EXACT;
    if (out->exact) {
      out->p = fmin(1, 2 * exact_below(m, rank, w));
    } else {
      const double mean = d * (d + 1) / 4, variance = d * (d + 1) * (2 * d + 1) / 24 - tie_term(m, rank) / 48;
      const double z = fmax(0, mean - w - 0.5) / sqrt(variance); /* with the correction for continuity */
      out->p = fmin(1, 2 * rnl_normal_cdf(-z));
    }
  }
  rnl_free(size);
  return status;
}

rnl_status rnl_paired_test(int64_t n, const double *a, const double *b, double level, rnl_paired *out,
                           rnl_error *err) {
  if (n < 2) return rnl_fail(err, RNL_ERR_ARG, "%lld shared seeds; at least 2 are needed", (long long)n);
  double *difference = rnl_alloc((size_t)n, sizeof *difference);
  if (!difference) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for %lld differences", (long long)n);
  for (int64_t i = 0; i < n; i++) difference[i] = a[i] - b[i];
  const rnl_status status = rnl_wilcoxon_test(n, difference, &out->wilcoxon, err);
  out->difference = rnl_t_interval(n, difference, level);
  const double mean = out->difference.mean, error = out->difference.sd / sqrt((double)n);
  out->t = mean == 0 ? 0 : mean / error;
  out->p = mean == 0 ? 1 : 2 * t_tail(fabs(out->t), (double)(n - 1));
  rnl_free(difference);
  return status;
}

/* ---- the Pareto front ------------------------------------------------------------------------- */

rnl_status rnl_pareto(int64_t n, int m, const double *values, bool *front, rnl_error *err) {
  if (m < 1) return rnl_fail(err, RNL_ERR_ARG, "a front needs at least one objective");
  for (int64_t i = 0; i < n; i++) {
    front[i] = true;
    for (int k = 0; k < m; k++) front[i] = front[i] && !isnan(values[i * m + k]);
    for (int64_t j = 0; j < n && front[i]; j++) {
      bool no_worse = true, better = false;
      for (int k = 0; k < m; k++) {
        const double x = values[j * m + k], y = values[i * m + k];
        no_worse = no_worse && x <= y; /* false where x is NaN */
        better = better || x < y;
      }
      if (no_worse && better) front[i] = false;
    }
  }
  return RNL_OK;
}
