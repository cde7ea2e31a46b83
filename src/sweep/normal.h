/* sweep/normal.h owns the normal distribution's functions that densities and tests share. */
#ifndef RNL_SWEEP_NORMAL_H
#define RNL_SWEEP_NORMAL_H

double rnl_normal_cdf(double x);
double rnl_normal_quantile(double p); /* relative error about 1e-15; -inf at 0, inf at 1 */

/* P(a < Z < b) without cancellation, a <= b. */
double rnl_normal_mass(double a, double b);

/* The x in [a, b] (a <= 0 <= b) with P(a < Z < x) = u P(a < Z < b): a draw from the normal cut off at a and b. */
double rnl_normal_between(double a, double b, double u);

#endif
