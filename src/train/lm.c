/* train/lm.c: Levenberg-Marquardt.
 *
 * J lies in panels of so many columns, [residuals][panel] each; the column after the last weight holds r, so that the
 * products of the panels give J'J, J'r and r'r at once, each block of the lower triangle by one matrix product. */
#include "train/lm.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "grad/jacobian.h"
#include "kernel/gemm.h"
#include "kernel/lapack.h"
#include "train/flat.h"
#include "train/residuals.h"

enum { BLOCK = 32, WIDEST = 8 * BLOCK }; /* of the triangle: smaller blocks waste less above it; of a panel */

typedef struct lm {
  rnl_lm_options options;
  double damping; /* the method's whole state */

  /* made by prepare */
  const rnl_plan *plan;
  rnl_residuals residuals;
  rnl_jacobian *jacobian;
  int64_t weights, panel, panels, side; /* columns of a panel; how many panels; all their columns */
  double *rows;                  /* [panels][residuals][panel] */
  double *products;              /* [side][side], lower triangle: (J r)'(J r) */
  double *factor;                /* [weights][weights] */
  double *before, *step, *tried; /* [weights] */
  size_t bytes;
} lm;

rnl_lm_options rnl_lm_defaults(void) {
  return (rnl_lm_options){.damping = 1000, .up = 3, .down = 5, .limit = 1e10};
}

/* ---- making --------------------------------------------------------------------------------- */

static void forget(lm *m) {
  rnl_residuals_release(&m->residuals);
  rnl_jacobian_free(m->jacobian);
  double **arrays[] = {&m->rows, &m->products, &m->factor, &m->before, &m->step, &m->tried};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    rnl_free(*arrays[i]);
    *arrays[i] = NULL;
  }
  m->jacobian = NULL;
  m->plan = NULL;
  m->bytes = 0;
}

static rnl_status make(lm *m, const rnl_full_batch *batch, rnl_error *err) {
  RNL_TRY(rnl_residuals_of(&m->residuals, "lm", batch->loss, err));
  RNL_TRY(rnl_lapack_open(err));
  m->weights = rnl_flat_count(batch->n_parameters, batch->parameters);
  if (m->weights < 1) return rnl_fail(err, RNL_ERR_ARG, "lm: the network has no weights");
  const int64_t whole = (m->weights / BLOCK + 1) * BLOCK;
  m->panel = whole < WIDEST ? whole : WIDEST;
  m->panels = m->weights / m->panel + 1;
  m->side = m->panels * m->panel;
  const double side = (double)m->side, need = 8 * (side * (double)m->residuals.count + 2 * side * side);
  if (need > (double)RNL_LM_BYTES)
    return rnl_fail(err, RNL_ERR_MEMORY,
                    "lm is for small networks: %lld weights and %lld residuals would take %.1f GB, at most %.1f GB are "
                    "allowed; use lbfgs or adam",
                    (long long)m->weights, (long long)m->residuals.count, need / 1e9, (double)RNL_LM_BYTES / 1e9);
  const size_t weights = (size_t)m->weights, all = (size_t)m->side;
  const size_t counts[] = {all * (size_t)m->residuals.count, all * all, weights * weights, weights, weights, weights};
  double **arrays[] = {&m->rows, &m->products, &m->factor, &m->before, &m->step, &m->tried};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (!(*arrays[i] = rnl_alloc(counts[i], sizeof(double)))) return rnl_fail(err, RNL_ERR_MEMORY, "lm: out of memory");
    m->bytes += counts[i] * sizeof(double);
  }
  RNL_TRY(rnl_jacobian_new(&m->jacobian, batch->plan, batch->n_parameters, batch->parameters, m->residuals.prediction,
                           m->panel, err));
  m->bytes += rnl_jacobian_bytes(m->jacobian);
  m->plan = batch->plan;
  return RNL_OK;
}

static rnl_status prepare(void *context, const rnl_full_batch *batch, rnl_error *err) {
  lm *m = context;
  if (m->plan == batch->plan) return RNL_OK;
  forget(m);
  rnl_status status = make(m, batch, err);
  if (status != RNL_OK) forget(m);
  return status;
}

/* ---- an epoch ------------------------------------------------------------------------------- */

/* Columns of (J r) from `first` on, up to the block's end. */
static int64_t width_of(const lm *m, int64_t first) {
  const int64_t left = m->weights + 1 - first;
  return left < BLOCK ? left : BLOCK;
}

/* J and r, and the products of their columns. False where one is not finite. */
static rnl_status linearise(lm *m, int threads, bool *finite, rnl_error *err) {
  const int64_t count = m->residuals.count, last = m->weights / m->panel * m->panel;
  double sum;
  for (int64_t p = 0; p < m->panels; p++) {
    double *panel = m->rows + p * count * m->panel;
    RNL_TRY(rnl_jacobian_block(m->jacobian, p * m->panel, panel, err));
    for (int64_t i = 0; m->residuals.root && i < count; i++)
      for (int64_t k = 0; k < m->panel; k++)
        panel[i * m->panel + k] = m->residuals.root[i] == 0 ? 0 : panel[i * m->panel + k] * m->residuals.root[i];
  }
  RNL_TRY(rnl_residuals_get(&m->residuals, m->rows + last * count + (m->weights - last), m->panel, &sum, err));
  for (int64_t i = 0; i <= m->weights; i += BLOCK)
    for (int64_t j = 0; j <= i; j += BLOCK) {
      const double *a = m->rows + i / m->panel * count * m->panel + i % m->panel;
      const double *b = m->rows + j / m->panel * count * m->panel + j % m->panel;
      rnl_gemm_threads(threads, true, true, false, width_of(m, i), width_of(m, j), count, a, m->panel, b, m->panel, 0,
                       NULL, m->products + i * m->side + j, m->side);
    }
  *finite = true;
  for (int64_t i = 0; i <= m->weights; i++) /* a NaN anywhere in a column is one in its product with itself */
    *finite = *finite && isfinite(m->products[i * m->side + i]);
  return RNL_OK;
}

/* step = (J'J + mu I)^-1 J'r; *found: the matrix was positive definite */
static rnl_status solve(lm *m, bool *found, rnl_error *err) {
  const int64_t n = m->weights;
  int64_t minor = 0;
  for (int64_t i = 0; i < n; i++) {
    memcpy(m->factor + i * n, m->products + i * m->side, (size_t)(i + 1) * sizeof *m->factor);
    m->factor[i * n + i] += m->damping;
  }
  memcpy(m->step, m->products + n * m->side, (size_t)n * sizeof *m->step);
  RNL_TRY(rnl_cholesky(n, m->factor, &minor, err));
  *found = minor == 0;
  return *found ? rnl_cholesky_solve(n, 1, m->factor, m->step, err) : RNL_OK;
}

/* d loss / d p = 2 c J'r with loss = c E, for whoever looks at the gradients (norms). */
static void leave_gradients(lm *m, const rnl_full_batch *batch, double loss, double error) {
  const double *jr = m->products + m->weights * m->side, scale = error > 0 ? 2 * loss / error : 0;
  for (int64_t i = 0; i < m->weights; i++) m->tried[i] = scale * jr[i];
  rnl_flat_set_gradients(batch->n_parameters, batch->parameters, m->tried);
}

/* Steps with growing damping until E falls. */
static rnl_status descend(lm *m, const rnl_full_batch *batch, double error, bool *converged, rnl_error *err) {
  const int n = batch->n_parameters;
  while (m->damping <= m->options.limit) {
    bool found;
    double tried = NAN;
    if (batch->stop && *batch->stop) return rnl_fail(err, RNL_ERR_INTERRUPTED, "interrupted");
    RNL_TRY(solve(m, &found, err));
    if (found) {
      for (int64_t i = 0; i < m->weights; i++) m->tried[i] = m->before[i] - m->step[i];
      rnl_flat_set_values(n, batch->parameters, m->tried);
      RNL_TRY(rnl_plan_forward(batch->plan, err));
      RNL_TRY(rnl_residuals_get(&m->residuals, NULL, 0, &tried, err));
    }
    if (tried < error) { /* false for a NaN */
      m->damping /= m->options.down;
      if (m->damping < 1e-20) m->damping = 1e-20;
      return RNL_OK;
    }
    m->damping *= m->options.up;
  }
  rnl_flat_set_values(n, batch->parameters, m->before);
  *converged = true;
  return RNL_OK;
}

static rnl_status epoch(void *context, const rnl_full_batch *batch, double *loss, bool *converged, rnl_error *err) {
  lm *m = context;
  double error;
  bool finite;
  RNL_TRY(rnl_plan_forward(batch->plan, err));
  *loss = rnl_tensor_at(rnl_value(batch->loss), 0);
  *converged = false;
  if (!isfinite(*loss)) return RNL_OK;
  rnl_flat_values(batch->n_parameters, batch->parameters, m->before);
  RNL_TRY(linearise(m, batch->threads, &finite, err));
  if (!finite) {
    *loss = NAN; /* a derivative has overflowed: no damping helps */
    return RNL_OK;
  }
  RNL_TRY(rnl_residuals_get(&m->residuals, NULL, 0, &error, err)); /* as those that it is compared with */
  leave_gradients(m, batch, *loss, error);
  const double damping = m->damping;
  rnl_status status = descend(m, batch, error, converged, err);
  if (status != RNL_OK) { /* as if the epoch had not begun */
    m->damping = damping;
    rnl_flat_set_values(batch->n_parameters, batch->parameters, m->before);
  }
  return status;
}

static int state(void *context, rnl_method_value *out) {
  out[0] = (rnl_method_value){.name = "damping", .values = &((lm *)context)->damping, .n = 1};
  return 1;
}

static size_t bytes(const void *context) { return ((const lm *)context)->bytes; }

static void release(void *context) {
  forget(context);
  rnl_free(context);
}

rnl_status rnl_lm_new(rnl_method *out, const rnl_lm_options *options, rnl_error *err) {
  if (!(options->damping > 0) || isinf(options->damping))
    return rnl_fail(err, RNL_ERR_ARG, "lm: damping is %g; expected a number > 0", options->damping);
  if (!(options->up > 1) || isinf(options->up) || !(options->down > 1) || isinf(options->down))
    return rnl_fail(err, RNL_ERR_ARG, "lm: up is %g and down %g; expected numbers > 1", options->up, options->down);
  if (!(options->limit >= options->damping) || isinf(options->limit))
    return rnl_fail(err, RNL_ERR_ARG, "lm: limit is %g; expected a number of at least the damping, %g", options->limit,
                    options->damping);
  lm *m = rnl_alloc(1, sizeof *m);
  if (!m) return rnl_fail(err, RNL_ERR_MEMORY, "lm: out of memory");
  m->options = *options;
  m->damping = options->damping;
  *out = (rnl_method){.name = "lm", .context = m, .prepare = prepare, .epoch = epoch, .state = state, .bytes = bytes,
                      .release = release};
  return RNL_OK;
}
