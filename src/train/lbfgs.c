/* train/lbfgs.c: L-BFGS. */
#include "train/lbfgs.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/flat.h"

static const double c1 = 1e-4, c2 = 0.9;

typedef struct lbfgs {
  rnl_lbfgs_options options;
  int64_t weights;
  /* the state */
  double stored[2]; /* pairs there are, and the place of the newest */
  double *s, *y;    /* [history][weights], a ring */

  double *p, *g;             /* where the epoch began */
  double *direction;
  double *tried, *gradient;  /* the last point tried */
  double *weight;            /* [history] alpha of the two loops */
  const rnl_full_batch *batch; /* of the epoch under way */
  double *memory;
  size_t bytes;
} lbfgs;

rnl_lbfgs_options rnl_lbfgs_defaults(void) {
  return (rnl_lbfgs_options){.history = 10, .evaluations = 25, .tolerance = 1e-8};
}

/* ---- loss and gradient ---------------------------------------------------------------------- */

/* f and, where it is finite, g at the parameters as they are. */
static rnl_status evaluate(const lbfgs *m, double *f, double *g, rnl_error *err) {
  const rnl_full_batch *batch = m->batch;
  RNL_TRY(rnl_plan_forward(batch->plan, err));
  *f = rnl_tensor_at(rnl_value(batch->loss), 0);
  if (!isfinite(*f)) return RNL_OK;
  RNL_TRY(rnl_plan_backward(batch->plan, err));
  rnl_flat_gradients(batch->n_parameters, batch->parameters, g);
  return RNL_OK;
}

/* A point on the line: f and its slope along the direction. */
typedef struct point {
  double a, f, slope;
  bool finite;
} point;

typedef struct search {
  lbfgs *m;
  point start; /* a = 0 */
  int64_t left;
} search;

static rnl_status try_step(search *s, double a, point *out, rnl_error *err) {
  lbfgs *m = s->m;
  s->left--;
  if (m->batch->stop && *m->batch->stop) return rnl_fail(err, RNL_ERR_INTERRUPTED, "interrupted");
  for (int64_t i = 0; i < m->weights; i++) m->tried[i] = m->p[i] + a * m->direction[i];
  rnl_flat_set_values(m->batch->n_parameters, m->batch->parameters, m->tried);
  RNL_TRY(evaluate(m, &out->f, m->gradient, err));
  out->a = a;
  out->finite = isfinite(out->f);
  out->slope = out->finite ? rnl_flat_dot(m->weights, m->gradient, m->direction) : NAN;
  out->finite = out->finite && isfinite(out->slope);
  return RNL_OK;
}

static bool falls_enough(const search *s, const point *p) {
  return p->finite && p->f <= s->start.f + c1 * p->a * s->start.slope;
}
static bool is_flat_enough(const search *s, const point *p) { return fabs(p->slope) <= -c2 * s->start.slope; }

/* The minimum of the cubic through both ends, or the middle. */
static double between(const point *low, const point *high) {
  const double width = high->a - low->a;
  double at = low->a + width / 2;
  if (high->finite) {
    const double d1 = low->slope + high->slope - 3 * (low->f - high->f) / (low->a - high->a);
    const double root = sqrt(d1 * d1 - low->slope * high->slope), d2 = width < 0 ? -root : root;
    const double cubic = high->a - width * (high->slope + d2 - d1) / (high->slope - low->slope + 2 * d2);
    const double part = (cubic - low->a) / width;
    if (part >= 0.1 && part <= 0.9) at = cubic; /* false for a NaN */
  }
  return at;
}

/* Algorithm 3.6. *now is the point tried last. */
static rnl_status zoom(search *s, point low, point high, point *now, bool *found, rnl_error *err) {
  while (s->left > 0) {
    RNL_TRY(try_step(s, between(&low, &high), now, err));
    if (!falls_enough(s, now) || now->f >= low.f) {
      high = *now;
      continue;
    }
    if (is_flat_enough(s, now)) return *found = true, RNL_OK;
    if (now->slope * (high.a - low.a) >= 0) high = low;
    low = *now;
  }
  if (!(low.a > 0 && low.f < s->start.f)) return RNL_OK;
  *found = true;
  return now->a == low.a ? RNL_OK : try_step(s, low.a, now, err);
}

/* Algorithm 3.5 from step a. *found: the parameters, m->tried and m->gradient are at *now, which is lower. */
static rnl_status line_search(search *s, double a, point *now, bool *found, rnl_error *err) {
  point before = s->start;
  *found = false;
  for (bool first = true; s->left > 0; first = false, a *= 2) {
    RNL_TRY(try_step(s, a, now, err));
    if (!falls_enough(s, now) || (!first && now->f >= before.f)) return zoom(s, before, *now, now, found, err);
    if (is_flat_enough(s, now)) return *found = true, RNL_OK;
    if (now->slope >= 0) return zoom(s, *now, before, now, found, err);
    before = *now;
  }
  *found = now->f < s->start.f;
  return RNL_OK;
}

/* ---- directions ----------------------------------------------------------------------------- */

/* The k-th newest pair, k = 0, 1, ... */
static int64_t place(const lbfgs *m, int64_t k) {
  const int64_t history = m->options.history;
  return ((int64_t)m->stored[1] - k + history) % history * m->weights;
}

/* Algorithm 7.4 */
static void find_direction(lbfgs *m) {
  const int64_t n = m->weights, pairs = (int64_t)m->stored[0];
  double *d = m->direction;
  for (int64_t i = 0; i < n; i++) d[i] = -m->g[i];
  for (int64_t k = 0; k < pairs; k++) {
    const double *s = m->s + place(m, k), *y = m->y + place(m, k);
    m->weight[k] = rnl_flat_dot(n, s, d) / rnl_flat_dot(n, s, y);
    for (int64_t i = 0; i < n; i++) d[i] -= m->weight[k] * y[i];
  }
  if (pairs > 0) {
    const double *s = m->s + place(m, 0), *y = m->y + place(m, 0);
    const double scale = rnl_flat_dot(n, s, y) / rnl_flat_dot(n, y, y);
    for (int64_t i = 0; i < n; i++) d[i] *= scale;
  }
  for (int64_t k = pairs - 1; k >= 0; k--) {
    const double *s = m->s + place(m, k), *y = m->y + place(m, k);
    const double along = m->weight[k] - rnl_flat_dot(n, y, d) / rnl_flat_dot(n, s, y);
    for (int64_t i = 0; i < n; i++) d[i] += along * s[i];
  }
}

/* The pair of the step just taken, where the loss curves upwards along it. */
static void keep_pair(lbfgs *m) {
  const int64_t n = m->weights, history = m->options.history;
  const int64_t next = m->stored[0] > 0 ? ((int64_t)m->stored[1] + 1) % history : 0;
  double *s = m->s + next * n, *y = m->y + next * n;
  double sy = 0, yy = 0;
  rnl_flat_values(m->batch->n_parameters, m->batch->parameters, m->tried); /* as rounded */
  for (int64_t i = 0; i < n; i++) {
    const double si = m->tried[i] - m->p[i], yi = m->gradient[i] - m->g[i];
    sy += si * yi;
    yy += yi * yi;
  }
  if (!(sy > 1e-12 * yy)) return;
  for (int64_t i = 0; i < n; i++) {
    s[i] = m->tried[i] - m->p[i];
    y[i] = m->gradient[i] - m->g[i];
  }
  m->stored[1] = (double)next;
  if (m->stored[0] < (double)history) m->stored[0]++;
}

/* ---- an epoch ------------------------------------------------------------------------------- */

static rnl_status step(lbfgs *m, double f, bool *converged, rnl_error *err) {
  double largest = 0, sum = 0;
  for (int64_t i = 0; i < m->weights; i++) {
    const double size = fabs(m->g[i]);
    largest = size > largest ? size : largest;
    sum += size;
  }
  *converged = largest <= m->options.tolerance;
  while (!*converged) {
    find_direction(m);
    double slope = rnl_flat_dot(m->weights, m->g, m->direction);
    if (!(slope < 0) && m->stored[0] > 0) {
      m->stored[0] = 0;
      continue;
    }
    search s = {.m = m, .start = {.f = f, .slope = slope, .finite = true}, .left = m->options.evaluations};
    point now = s.start;
    bool found = false;
    if (slope < 0) RNL_TRY(line_search(&s, m->stored[0] > 0 || sum < 1 ? 1 : 1 / sum, &now, &found, err));
    if (found) {
      keep_pair(m);
      return RNL_OK;
    }
    if (m->stored[0] > 0) m->stored[0] = 0;
    else *converged = true;
  }
  return RNL_OK;
}

static rnl_status prepare(void *context, const rnl_full_batch *batch, rnl_error *err) {
  const lbfgs *m = context;
  if (rnl_flat_count(batch->n_parameters, batch->parameters) != m->weights)
    return rnl_fail(err, RNL_ERR_INTERNAL, "lbfgs: made for other parameters");
  return RNL_OK;
}

static rnl_status epoch(void *context, const rnl_full_batch *batch, double *loss, bool *converged, rnl_error *err) {
  lbfgs *m = context;
  m->batch = batch;
  *converged = false;
  rnl_flat_values(batch->n_parameters, batch->parameters, m->p);
  RNL_TRY(evaluate(m, loss, m->g, err));
  if (!isfinite(*loss)) return RNL_OK;
  if (!isfinite(rnl_flat_dot(m->weights, m->g, m->g))) {
    *loss = NAN; /* the gradient has overflowed */
    return RNL_OK;
  }
  const double stored[2] = {m->stored[0], m->stored[1]};
  rnl_status status = step(m, *loss, converged, err);
  if (status != RNL_OK || *converged) rnl_flat_set_values(batch->n_parameters, batch->parameters, m->p);
  if (status != RNL_OK) memcpy(m->stored, stored, sizeof stored); /* pairs are written last: as if it had not begun */
  else rnl_flat_set_gradients(batch->n_parameters, batch->parameters, m->g); /* those of the loss that is told */
  return status;
}

static int state(void *context, rnl_method_value *out) {
  lbfgs *m = context;
  const int64_t n = m->options.history * m->weights;
  out[0] = (rnl_method_value){.name = "stored", .values = m->stored, .n = 2};
  out[1] = (rnl_method_value){.name = "s", .values = m->s, .n = n};
  out[2] = (rnl_method_value){.name = "y", .values = m->y, .n = n};
  return 3;
}

static size_t bytes(const void *context) { return ((const lbfgs *)context)->bytes; }

static void release(void *context) {
  lbfgs *m = context;
  rnl_free(m->memory);
  rnl_free(m);
}

rnl_status rnl_lbfgs_new(rnl_method *out, const rnl_lbfgs_options *options, int n_parameters,
                         rnl_var *const *parameters, rnl_error *err) {
  if (options->history < 1 || options->history > 1000)
    return rnl_fail(err, RNL_ERR_ARG, "lbfgs: history is %lld; expected a whole number from 1 to 1000",
                    (long long)options->history);
  if (options->evaluations < 1)
    return rnl_fail(err, RNL_ERR_ARG, "lbfgs: evaluations is %lld; expected a whole number of at least 1",
                    (long long)options->evaluations);
  if (!(options->tolerance >= 0) || isinf(options->tolerance))
    return rnl_fail(err, RNL_ERR_ARG, "lbfgs: tolerance is %g; expected a number >= 0", options->tolerance);
  const int64_t n = rnl_flat_count(n_parameters, parameters), history = options->history;
  int64_t count;
  lbfgs *m = rnl_alloc(1, sizeof *m);
  const bool fits = rnl_mul_i64(2 * history + 5, n, &count) && !__builtin_add_overflow(count, history, &count);
  if (!m || !fits || !(m->memory = rnl_alloc((size_t)count, sizeof *m->memory))) {
    rnl_free(m);
    return rnl_fail(err, RNL_ERR_MEMORY, "lbfgs: out of memory for %lld weights and a history of %lld", (long long)n,
                    (long long)history);
  }
  m->options = *options;
  m->weights = n;
  m->bytes = (size_t)count * sizeof *m->memory;
  double *at = m->memory;
  m->s = at, at += history * n;
  m->y = at, at += history * n;
  double **vectors[] = {&m->p, &m->g, &m->direction, &m->tried, &m->gradient};
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++, at += n) *vectors[i] = at;
  m->weight = at;
  *out = (rnl_method){.name = "lbfgs", .context = m, .prepare = prepare, .epoch = epoch, .state = state,
                      .bytes = bytes, .release = release};
  return RNL_OK;
}
