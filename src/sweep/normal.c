/* sweep/normal.c: the normal distribution by erfc; its inverse by a rational guess and Newton's steps. */
#include "sweep/normal.h"

#include <math.h>

double rnl_normal_cdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

double rnl_normal_mass(double a, double b) {
  if (a > 0) return 0.5 * (erfc(a * M_SQRT1_2) - erfc(b * M_SQRT1_2));
  if (b < 0) return 0.5 * (erfc(-b * M_SQRT1_2) - erfc(-a * M_SQRT1_2));
  return 0.5 * (erf(b * M_SQRT1_2) - erf(a * M_SQRT1_2));
}

/* The x <= 0 with cdf(x) = p, 0 < p <= 1/2. */
static double lower_half(double p) {
  /* Abramowitz & Stegun 26.2.23: right to 4.5e-4 */
  const double t = sqrt(-2 * log(p));
  double x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                       (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
  /* Halley's method on log cdf would be safe everywhere; on cdf itself it needs |error| << 1 / |x|, which holds */
  for (int i = 0; i < 3; i++) {
    const double density = exp(-0.5 * x * x) * 0.39894228040143267794;
    if (density == 0) break;
    const double e = (rnl_normal_cdf(x) - p) / density;
    x -= e / (1 + 0.5 * x * e);
    if (fabs(e) < 1e-9 * (1 + fabs(x))) break; /* the step squares (cubes) what is left */
  }
  return x < 0 ? x : 0;
}

double rnl_normal_quantile(double p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  if (p == 0) return -INFINITY;
  if (p == 1) return INFINITY;
  return p <= 0.5 ? lower_half(p) : -lower_half(1 - p);
}

double rnl_normal_between(double a, double b, double u) {
  const double mass = rnl_normal_mass(a, b);
  const double below = rnl_normal_cdf(a) + u * mass, above = rnl_normal_cdf(-b) + (1 - u) * mass;
  /* the smaller of the two tails has the digits */
  double x = below <= above ? rnl_normal_quantile(below) : -rnl_normal_quantile(above);
  return x < a ? a : x > b ? b : x;
}
