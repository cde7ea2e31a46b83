/* sweep/importance.c: densities on a grid and how they differ (the formulas stand in importance.h). */
#include "sweep/importance.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sweep/normal.h"

enum { GRID = 50 };

/* ---- the grid --------------------------------------------------------------------------------- */

static int64_t grid_size(const rnl_dimension *d) {
  const int64_t count = rnl_dimension_count(d);
  if (d->kind == RNL_DIM_CATEGORICAL) return count;
  if (count > 0 && d->log) { /* the lower whole numbers are far apart in the logarithm */
    const int64_t octaves = (int64_t)ceil(log2(d->high - d->low + 1)) + 1;
    return octaves < GRID ? octaves : GRID;
  }
  return count > 0 && count < GRID ? count : GRID;
}

static int64_t grid_point(const rnl_dimension *d, int64_t size, double x) {
  if (d->kind == RNL_DIM_CATEGORICAL) return (int64_t)x;
  const double low = d->log ? log(d->low) : d->low, high = d->log ? log(d->high) : d->high;
  const double at = ((d->log ? log(x) : x) - low) / (high - low) * (double)(size - 1);
  const double point = ceil(at - 0.5); /* halves go down */
  return point <= 0 ? 0 : point >= (double)(size - 1) ? size - 1 : (int64_t)point;
}

/* Trials on each point: those whose value is at most `cutoff`. Returns how many. */
static double count_on_grid(const rnl_history *h, const rnl_dimension *d, int dim, double cutoff, int64_t size,
                            double *count) {
  double n = 0;
  for (int64_t g = 0; g < size; g++) count[g] = 0;
  for (int64_t i = 0; i < h->n; i++) {
    const rnl_trial_view *trial = &h->trials[i];
    if (trial->state != RNL_TRIAL_FINISHED || !(trial->value <= cutoff) || isnan(trial->values[dim])) continue;
    count[grid_point(d, size, trial->values[dim])]++;
    n++;
  }
  return n;
}

/* ---- densities -------------------------------------------------------------------------------- */

static double bandwidth(int64_t size, const double *count, double n) {
  double mean = 0, square = 0, sum = 0;
  for (int64_t g = 0; g < size; g++) mean += count[g] * (double)g / n;
  for (int64_t g = 0; g < size; g++) square += count[g] * ((double)g - mean) * ((double)g - mean);
  const double sd = sqrt(square / fmax(1, n - 1));
  int64_t first = -1, third = -1, last = 0; /* quartiles: where the counts from the left reach and pass them */
  for (int64_t g = 0; g < size; g++) {
    if (count[g] == 0) continue;
    sum += count[g];
    last = g;
    if (first < 0 && sum >= floor(n / 4)) first = g;
    if (third < 0 && sum > floor(3 * n / 4)) third = g;
  }
  if (third < 0) third = last;
  return fmax(1.059 * fmin((double)(third - first) / 1.34, sd) * pow(n, -0.2), 0.5 / 1.64);
}

/* p[g] += weight times the Gaussian over the grid's points. */
static void add_gaussian(int64_t size, double mu, double sigma, double weight, double *p) {
  const double all = rnl_normal_mass((-0.5 - mu) / sigma, ((double)size - 0.5 - mu) / sigma);
  for (int64_t g = 0; g < size; g++)
    p[g] += weight * rnl_normal_mass(((double)g - 0.5 - mu) / sigma, ((double)g + 0.5 - mu) / sigma) / all;
}

static void density(const rnl_dimension *d, int64_t size, const double *count, double n, double *p) {
  const double total = n + 1; /* the prior's weight is 1 */
  for (int64_t g = 0; g < size; g++) p[g] = 1e-12;
  if (d->kind == RNL_DIM_CATEGORICAL) {
    double points = 0; /* a kernel for each choice that was taken, weighted by how often */
    for (int64_t g = 0; g < size; g++) points += count[g] > 0;
    const double base = 1 / (points + 1), sum = 1 + (double)size * base;
    for (int64_t g = 0; g < size; g++)
      p[g] += (count[g] * (1 + base) + (n - count[g]) * base) / sum / total + 1 / (double)size / total;
    return;
  }
  const double sigma = bandwidth(size, count, n);
  for (int64_t g = 0; g < size; g++)
    if (count[g] > 0) add_gaussian(size, (double)g, sigma, count[g] / total, p);
  add_gaussian(size, 0.5 * (double)(size - 1), (double)size, 1 / total, p);
}

/* ---- importance ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The finished trials, how many are at most the cutoff of the best tenth, and that cutoff. */
static rnl_status find_best(const rnl_history *h, int64_t *n, int64_t *n_best, double *cutoff, rnl_error *err) {
  double *values = rnl_alloc((size_t)h->n, sizeof *values);
  if (!values) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the importance of parameters");
  for (int64_t i = 0; i < h->n; i++)
    if (h->trials[i].state == RNL_TRIAL_FINISHED && !isnan(h->trials[i].value)) values[(*n)++] = h->trials[i].value;
  qsort(values, (size_t)*n, sizeof *values, compare);
  if (*n > 0) *cutoff = values[(*n + 9) / 10 - 1];
  while (*n_best < *n && values[*n_best] <= *cutoff) (*n_best)++;
  rnl_free(values);
  if (*n < 2) return rnl_fail(err, RNL_ERR_ARG, "importance needs at least 2 finished trials; there are %lld",
                              (long long)*n);
  return RNL_OK;
}

rnl_status rnl_importance(const rnl_space *space, const rnl_history *history, double *share, rnl_error *err) {
  int64_t n = 0, n_best = 0, widest = GRID;
  double cutoff = 0, sum = 0;
  RNL_TRY(find_best(history, &n, &n_best, &cutoff, err));
  for (int i = 0; i < space->n; i++)
    if (space->dims[i].n_choices > widest) widest = space->dims[i].n_choices;
  double *best = rnl_alloc((size_t)widest, 4 * sizeof *best);
  if (!best) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the importance of parameters");
  double *all = best + widest, *p = all + widest, *q = p + widest;
  for (int i = 0; i < space->n; i++) {
    const rnl_dimension *d = &space->dims[i];
    share[i] = 0;
    if (d->low == d->high) continue;
    const int64_t size = grid_size(d);
    const double best_here = count_on_grid(history, d, i, cutoff, size, best);
    const double all_here = count_on_grid(history, d, i, INFINITY, size, all);
    if (best_here < 1) continue;
    density(d, size, best, best_here, p);
    density(d, size, all, all_here, q);
    for (int64_t g = 0; g < size; g++) share[i] += q[g] * (p[g] / q[g] - 1) * (p[g] / q[g] - 1);
    const double a = best_here / (double)n_best, b = all_here / (double)n;
    share[i] *= a * a / b;
    sum += share[i];
  }
  for (int i = 0; i < space->n; i++) share[i] = sum > 0 ? share[i] / sum : 0;
  rnl_free(best);
  return RNL_OK;
}
