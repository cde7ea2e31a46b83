/* sweep/parzen.c: the densities of the estimator (the formulas stand in tpe.h). */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "sweep/normal.h"
#include "sweep/tpe.h"

static const double root_two_pi = 2.50662827463100050242;

typedef struct keyed {
  double key;
  int32_t index;
} keyed;

/* Rising keys, equal ones in the order they were in; `other` is as large. */
static void merge_sort(keyed *x, keyed *other, int64_t n) {
  keyed *from = x, *to = other;
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t low = 0; low < n; low += 2 * width) {
      const int64_t middle = low + width < n ? low + width : n, high = low + 2 * width < n ? low + 2 * width : n;
      int64_t i = low, j = middle, k = low;
      while (i < middle && j < high) to[k++] = from[j].key < from[i].key ? from[j++] : from[i++];
      memcpy(to + k, from + i, (size_t)(middle - i) * sizeof *to);
      memcpy(to + k + (middle - i), from + j, (size_t)(high - j) * sizeof *to);
    }
    keyed *swap = from;
    from = to;
    to = swap;
  }
  if (from != x) memcpy(x, from, (size_t)n * sizeof *x);
}

/* ---- building --------------------------------------------------------------------------------- */

static void weigh(rnl_parzen *p) {
  const int64_t n = p->n_kernels - 1;
  double sum = 0;
  for (int64_t k = 0; k <= n; k++) {
    double w = 1;
    if (n >= 25 && k < n - 25) {
      const double first = 1.0 / (double)n;
      w = n - 25 == 1 ? first : first + (1 - first) * (double)k / (double)(n - 26);
    }
    p->weight[k] = w;
    sum += w;
  }
  for (int64_t k = 0; k <= n; k++) {
    p->weight[k] /= sum;
    p->log_weight[k] = log(p->weight[k]);
  }
}

/* The observations' sigmas, by their neighbours; and the classes of equal kernels. */
static void find_sigmas(rnl_parzen_part *part, int64_t n, keyed *sorted, keyed *other) {
  const double range = part->high - part->low;
  const double least = range / fmin(100, (double)(n + 2));
  for (int64_t i = 0; i < n; i++) sorted[i] = (keyed){part->mu[i], (int32_t)i};
  merge_sort(sorted, other, n);
  for (int64_t i = 0; i < n; i++) {
    const double left = sorted[i].key - (i > 0 ? sorted[i - 1].key : part->low);
    const double right = (i < n - 1 ? sorted[i + 1].key : part->high) - sorted[i].key;
    double sigma = fmax(left, right);
    if (n >= 2 && i == 0) sigma = right;
    if (n >= 2 && i == n - 1) sigma = left;
    sigma = fmin(fmax(sigma, least), range);
    const int32_t k = sorted[i].index, last = i > 0 ? sorted[i - 1].index : -1;
    part->sigma[k] = sigma;
    if (last >= 0 && part->mu[last] == part->mu[k] && part->sigma[last] == sigma) {
      part->class_of[k] = part->class_of[last];
    } else {
      part->first[part->n_classes] = k;
      part->class_of[k] = part->n_classes++;
    }
  }
  part->mu[n] = 0.5 * (part->low + part->high); /* the prior */
  part->sigma[n] = range;
  part->first[part->n_classes] = (int32_t)n;
  part->class_of[n] = part->n_classes++;
}

static void build_number(rnl_parzen_part *part, int dim, int64_t n, const double *const *points, keyed *sorted,
                         keyed *other) {
  const rnl_dimension *d = part->dimension;
  part->low = d->low - 0.5 * d->step;
  part->high = d->high + 0.5 * d->step;
  if (d->log) {
    part->low = log(part->low);
    part->high = log(part->high);
  }
  for (int64_t k = 0; k < n; k++) {
    const double x = d->log ? log(points[k][dim]) : points[k][dim];
    part->mu[k] = fmin(fmax(x, part->low), part->high);
  }
  find_sigmas(part, n, sorted, other);
  double sigma = 0, log_sigma = 0;
  for (int32_t c = 0; c < part->n_classes; c++) {
    const int32_t k = part->first[c];
    if (part->sigma[k] != sigma) { /* many have the least */
      sigma = part->sigma[k];
      log_sigma = log(sigma * root_two_pi);
    }
    const double left = (part->low - part->mu[k]) / sigma, right = (part->high - part->mu[k]) / sigma;
    /* beyond 9 sigmas nothing is missing in double precision */
    part->log_scale[k] = left < -9 && right > 9 ? 0 : -log(rnl_normal_mass(left, right));
    if (d->step <= 0) part->log_scale[k] -= log_sigma;
    part->log_sigma[k] = log_sigma;
  }
  for (int64_t k = 0; k <= n; k++) {
    part->log_scale[k] = part->log_scale[part->first[part->class_of[k]]];
    part->inverse[k] = 1 / part->sigma[k];
  }
}

static void build_choice(rnl_parzen_part *part, int dim, int64_t n, const double *const *points) {
  for (int64_t k = 0; k < n; k++) part->mu[k] = points[k][dim];
  part->mu[n] = -1;
}

/* At least so many bytes in memory[which], 64-byte aligned. What was there is lost. */
static rnl_status reserve(rnl_parzen *p, int which, size_t bytes, rnl_error *err) {
  if (p->capacity[which] >= bytes) return RNL_OK;
  rnl_free(p->memory[which]);
  p->memory[which] = rnl_alloc(bytes + bytes / 2, 1);
  p->capacity[which] = p->memory[which] ? bytes + bytes / 2 : 0;
  return p->memory[which] ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a density");
}

rnl_status rnl_parzen_build(rnl_parzen *p, const rnl_space *space, int n_dims, const int *dims, int64_t n,
                            const double *const *points, rnl_error *err) {
  const size_t kernels = (size_t)n + 1, wide = (size_t)n_dims;
  RNL_TRY(reserve(p, 0, kernels * ((2 + 5 * wide) * sizeof(double) + 2 * sizeof(keyed) + 2 * wide * sizeof(int32_t)),
                  err));
  p->n_dims = n_dims;
  p->n_kernels = n + 1;
  double *numbers = p->memory[0];
  p->weight = numbers;
  p->log_weight = numbers + kernels;
  numbers += 2 * kernels;
  keyed *sorted = (keyed *)(numbers + 5 * wide * kernels);
  int32_t *classes = (int32_t *)(sorted + 2 * kernels);
  weigh(p);
  for (int i = 0; i < n_dims; i++, numbers += 5 * kernels, classes += 2 * kernels) {
    p->dims[i] = dims[i];
    p->parts[i] = (rnl_parzen_part){.dimension = &space->dims[dims[i]], .mu = numbers, .sigma = numbers + kernels,
                                    .log_scale = numbers + 2 * kernels, .log_sigma = numbers + 3 * kernels,
                                    .inverse = numbers + 4 * kernels, .class_of = classes, .first = classes + kernels};
    if (space->dims[dims[i]].kind == RNL_DIM_CATEGORICAL) build_choice(&p->parts[i], dims[i], n, points);
    else build_number(&p->parts[i], dims[i], n, points, sorted, sorted + kernels);
  }
  return RNL_OK;
}

void rnl_parzen_free(rnl_parzen *parzen) {
  for (int i = 0; i < 2; i++) rnl_free(parzen->memory[i]);
  *parzen = (rnl_parzen){0};
}

/* ---- drawing ---------------------------------------------------------------------------------- */

static double draw_choice(const rnl_parzen_part *part, int64_t k, int64_t n_kernels, double u) {
  const double n = (double)part->dimension->n_choices, own = part->mu[k];
  if (own < 0) return fmin(floor(u * n), n - 1);
  const double x = u * (1 + n / (double)n_kernels); /* 1 for its own choice, then 1/n_kernels for each */
  return x < 1 ? own : fmin(floor((x - 1) * (double)n_kernels), n - 1);
}

static double draw_number(const rnl_parzen_part *part, int64_t k, double u) {
  const rnl_dimension *d = part->dimension;
  const double mu = part->mu[k], sigma = part->sigma[k];
  double x = mu + sigma * rnl_normal_between((part->low - mu) / sigma, (part->high - mu) / sigma, u);
  if (d->log) x = exp(x);
  if (d->step > 0) return rnl_dimension_at(d, rnl_dimension_nearest(d, x));
  return fmin(fmax(x, d->low), d->high);
}

void rnl_parzen_draw(const rnl_parzen *p, rnl_rng *rng, double *values) {
  double u = rnl_rng_uniform(rng);
  int64_t k = 0;
  while (k < p->n_kernels - 1 && u >= p->weight[k]) u -= p->weight[k++];
  for (int i = 0; i < p->n_dims; i++) {
    const rnl_parzen_part *part = &p->parts[i];
    const double v = rnl_rng_uniform(rng);
    values[p->dims[i]] = part->dimension->kind == RNL_DIM_CATEGORICAL ? draw_choice(part, k, p->n_kernels, v)
                                                                      : draw_number(part, k, v);
  }
}

/* ---- the density ------------------------------------------------------------------------------ */

static void add_choice(const rnl_parzen_part *part, int64_t n_kernels, double x, double *sum) {
  const double n = (double)part->dimension->n_choices, base = 1 / (double)n_kernels, total = 1 + n * base;
  const double terms[] = {log(base / total), log((1 + base) / total)};
  for (int64_t k = 0; k < n_kernels - 1; k++) sum[k] += terms[part->mu[k] == x];
  sum[n_kernels - 1] -= log(n);
}

static void add_continuous(const rnl_parzen_part *part, int64_t n_kernels, double x, double *sum) {
  const double *mu = part->mu, *inverse = part->inverse, *scale = part->log_scale;
  if (part->dimension->log) x = log(x);
  for (int64_t k = 0; k < n_kernels; k++) {
    const double z = (x - mu[k]) * inverse[k];
    sum[k] += scale[k] - 0.5 * z * z;
  }
}

/* log P(z - w/2 < Z < z + w/2) for z >= 0. It is dear, and in a dimension with few values the same (z, w) come again
 * and again: an entry is whatever was last worked out for its place (w = 0: nothing yet). */
typedef struct mass_entry {
  double z, w, log_mass;
} mass_entry;
enum { CACHE_BITS = 12 };

static double log_mass_at(mass_entry *cache, double z, double w) {
  uint64_t a, b;
  memcpy(&a, &z, sizeof a);
  memcpy(&b, &w, sizeof b);
  mass_entry *entry = &cache[(a * 0x9e3779b97f4a7c15ULL ^ b * 0xff51afd7ed558ccdULL) >> (64 - CACHE_BITS)];
  if (entry->z != z || entry->w != w) {
    const double mass = z > 38 + 0.5 * w ? 0 : rnl_normal_mass(z - 0.5 * w, z + 0.5 * w); /* beyond, nothing is left */
    *entry = (mass_entry){z, w, mass > 0 ? log(mass) : -INFINITY};
  }
  return entry->log_mass;
}

/* sum[k] += the logarithm of each kernel's mass on the value x. Where a step is narrow it is the density at its middle
 * times its width, and the next two terms of the integral, which leaves out (w z)^6 / 322560. */
static void add_stepped(const rnl_parzen_part *part, int64_t n_kernels, double x, mass_entry *cache, double *table,
                        double *sum) {
  const rnl_dimension *d = part->dimension;
  double middle = x, width = d->step;
  if (d->log) {
    middle = 0.5 * (log(x - 0.5 * d->step) + log(x + 0.5 * d->step));
    width = 2 * atanh(0.5 * d->step / x);
  }
  const double log_width = log(width);
  for (int32_t c = 0; c < part->n_classes; c++) {
    const int32_t k = part->first[c];
    const double z = fabs(middle - part->mu[k]) * part->inverse[k], w = width * part->inverse[k];
    const double zz = z * z, ww = w * w;
    if (ww * (zz + 1) < 4e-4) {
      const double e = ww * (zz - 1) / 24 + ww * ww * ((zz - 6) * zz + 3) / 1920;
      table[c] = part->log_scale[k] + log_width - part->log_sigma[k] - 0.5 * zz + e * (1 - e * (0.5 - e / 3));
    } else {
      table[c] = part->log_scale[k] + log_mass_at(cache, z, w);
    }
  }
  for (int64_t k = 0; k < n_kernels; k++) sum[k] += table[part->class_of[k]];
}

/* log sum exp(x[k]). What is left out is below 2e-22 of the largest; the rest moves to the front of x. */
static double log_sum_exp(int64_t n, double *x) {
  double most = -INFINITY, sum = 0;
  int64_t left = 0;
  for (int64_t k = 0; k < n; k++) most = x[k] > most ? x[k] : most;
  for (int64_t k = 0; k < n; k++) { /* without a branch that nobody could foresee */
    x[left] = x[k];
    left += x[k] > most - 50;
  }
  for (int64_t k = 0; k < left; k++) sum += exp(x[k] - most);
  return most + log(sum);
}

rnl_status rnl_parzen_log_density(rnl_parzen *p, int64_t n, const double *const *points, double *out,
                                  rnl_error *err) {
  const size_t kernels = (size_t)p->n_kernels, cached = (size_t)1 << CACHE_BITS;
  RNL_TRY(reserve(p, 1, cached * sizeof(mass_entry) + 2 * kernels * sizeof(double), err));
  mass_entry *cache = p->memory[1];
  double *sum = (double *)(cache + cached), *table = sum + kernels;
  memset(cache, 0, cached * sizeof *cache);
  for (int64_t i = 0; i < n; i++) {
    memcpy(sum, p->log_weight, kernels * sizeof *sum);
    for (int d = 0; d < p->n_dims; d++) {
      const rnl_parzen_part *part = &p->parts[d];
      const double x = points[i][p->dims[d]];
      if (part->dimension->kind == RNL_DIM_CATEGORICAL) add_choice(part, p->n_kernels, x, sum);
      else if (part->dimension->step <= 0) add_continuous(part, p->n_kernels, x, sum);
      else add_stepped(part, p->n_kernels, x, cache, table, sum);
    }
    out[i] = log_sum_exp(p->n_kernels, sum);
  }
  return RNL_OK;
}
