/* grad/gradcheck.c: numeric against analytic gradients. */
#include "grad/gradcheck.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "grad/jacobian.h"
#include "kernel/kernel.h"

static rnl_status go_on(const rnl_gradcheck_options *options, rnl_error *err) {
  return options->stop && *options->stop ? rnl_fail(err, RNL_ERR_INTERRUPTED, "interrupted") : RNL_OK;
}

static rnl_status loss_at(rnl_plan *plan, rnl_var *loss, const rnl_tensor *leaf, int64_t i, double value,
                          double *out, rnl_error *err) {
  rnl_tensor_put(leaf, i, value);
  RNL_TRY(rnl_plan_forward(plan, err));
  *out = rnl_tensor_at(rnl_value(loss), 0);
  return RNL_OK;
}

/* (loss(p + d) - loss(p - d)) / 2d; the element is put back. */
static rnl_status difference(rnl_plan *plan, rnl_var *loss, const rnl_tensor *leaf, int64_t i, double d,
                             double *out, rnl_error *err) {
  const double p = rnl_tensor_at(leaf, i);
  double above = 0, below = 0;
  rnl_status status = loss_at(plan, loss, leaf, i, p + d, &above, err);
  if (status == RNL_OK) status = loss_at(plan, loss, leaf, i, p - d, &below, err);
  rnl_tensor_put(leaf, i, p);
  *out = (above - below) / ((p + d) - (p - d)); /* the step as rounded */
  return status;
}

static rnl_status check_leaf(rnl_plan *plan, rnl_var *loss, rnl_var *leaf, const rnl_tensor *analytic,
                             const rnl_gradcheck_options *options, rnl_gradcheck_entry *entry, rnl_error *err) {
  const int64_t samples = options->samples;
  const rnl_tensor *value = rnl_value(leaf);
  memset(entry, 0, sizeof *entry);
  entry->numel = rnl_tensor_numel(value);
  const int64_t count = samples > 0 && samples < entry->numel ? samples : entry->numel;
  for (int64_t s = 0; s < count; s++) {
    const int64_t i = (int64_t)((double)s * (double)entry->numel / (double)count);
    const double d = 1e-4 * fmax(1, fabs(rnl_tensor_at(value, i)));
    double coarse, fine;
    RNL_TRY(go_on(options, err));
    RNL_TRY(difference(plan, loss, value, i, d, &coarse, err));
    RNL_TRY(difference(plan, loss, value, i, d / 2, &fine, err));
    const double numeric = fine + (fine - coarse) / 3, a = rnl_tensor_at(analytic, i);
    const double error = fabs(a - numeric) / (1 + fabs(numeric));
    /* A smooth function's two differences agree to O(d^2); past that there is a kink between them. */
    if (fabs(fine - coarse) > 1e-4 * (1 + fabs(fine)) && error > 1e-7) {
      entry->skipped++;
      continue;
    }
    entry->checked++;
    if (entry->checked == 1 || !(error <= entry->max_error)) { /* a NaN counts as the worst */
      entry->max_error = error;
      entry->worst = i;
      entry->analytic = a;
      entry->numeric = numeric;
    }
  }
  return RNL_OK;
}

/* The forward-mode product along a fixed direction (elements cos 1, cos 2, ...) against the gradient. */
static rnl_status check_jvp(rnl_plan *plan, int n, rnl_var *const *leaves, const rnl_tensor *analytic,
                            double *jvp_error, rnl_error *err) {
  *jvp_error = NAN;
  rnl_tensor *direction = rnl_alloc((size_t)n + 1, sizeof *direction);
  if (!direction) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory in a gradient check");
  rnl_status status = RNL_OK;
  double expected = 0;
  for (int i = 0; status == RNL_OK && i < n; i++) {
    const rnl_tensor *value = rnl_value(leaves[i]);
    status = rnl_tensor_new(&direction[i], RNL_F64, value->ndim, value->size, err);
    for (int64_t k = 0; status == RNL_OK && k < rnl_tensor_numel(value); k++) {
      const double d = cos((double)(k + 1 + i));
      rnl_tensor_put(&direction[i], k, d);
      expected += d * rnl_tensor_at(&analytic[i], k);
    }
  }
  double got;
  if (status == RNL_OK) {
    rnl_error ignored; /* an op without a forward-mode product leaves NaN, as the header says */
    if (rnl_plan_jvp(plan, n, leaves, direction, &got, &ignored) == RNL_OK)
      *jvp_error = fabs(got - expected) / (1 + fabs(expected));
  }
  for (int i = 0; i < n; i++) rnl_tensor_release(&direction[i]);
  rnl_free(direction);
  return status;
}

/* The same in the directions of the elements, LANES at a time as Jacobians take them; with samples no more than
 * MOST_BLOCKS times, spread evenly. *jvp_error grows where it is more. */
static rnl_status check_directions(rnl_plan *plan, rnl_var *loss, int n, rnl_var *const *leaves,
                                   const rnl_gradcheck_options *options, const rnl_tensor *analytic,
                                   double *jvp_error, rnl_error *err) {
  enum { LANES = 2 * RNL_KERNEL_LANES, MOST_BLOCKS = 16 };
  rnl_jacobian *jacobian;
  double row[LANES];
  rnl_error ignored; /* as above */
  if (rnl_jacobian_new(&jacobian, plan, n, leaves, loss, LANES, &ignored) != RNL_OK) return RNL_OK;
  rnl_status status = RNL_OK;
  int64_t direction = 0, elements = 0;
  for (int i = 0; i < n; i++) elements += rnl_tensor_numel(&analytic[i]);
  const int64_t blocks = (elements + LANES - 1) / LANES;
  const int64_t every = options->samples > 0 ? (blocks + MOST_BLOCKS - 1) / MOST_BLOCKS : 1;
  for (int i = 0; status == RNL_OK && i < n; i++)
    for (int64_t k = 0; status == RNL_OK && k < rnl_tensor_numel(&analytic[i]); k++, direction++) {
      if (direction / LANES % every != 0) continue;
      if (direction % LANES == 0) status = go_on(options, err);
      if (status == RNL_OK && direction % LANES == 0) status = rnl_jacobian_block(jacobian, direction, row, err);
      const double expected = rnl_tensor_at(&analytic[i], k), error = fabs(row[direction % LANES] - expected);
      if (!(error / (1 + fabs(expected)) <= *jvp_error)) *jvp_error = error / (1 + fabs(expected));
    }
  rnl_jacobian_free(jacobian);
  return status;
}

rnl_status rnl_gradcheck(rnl_plan *plan, rnl_var *loss, int n, rnl_var *const *leaves,
                         const rnl_gradcheck_options *options, rnl_gradcheck_entry *entries,
                         rnl_gradcheck_report *report, rnl_error *err) {
  *report = (rnl_gradcheck_report){.ok = true, .tolerance = options->tolerance > 0 ? options->tolerance : 1e-7};
  for (int i = 0; i < n; i++) {
    const char *name = leaves[i]->name ? leaves[i]->name : "?";
    if (rnl_value(leaves[i])->dtype != RNL_F64)
      return rnl_fail(err, RNL_ERR_DTYPE, "a gradient check needs float64; %s is %s", name,
                      rnl_dtype_name(rnl_value(leaves[i])->dtype));
  }
  RNL_TRY(rnl_plan_forward(plan, err));
  RNL_TRY(rnl_plan_backward(plan, err));

  /* The analytic gradients, kept aside. */
  rnl_tensor *analytic = rnl_alloc((size_t)n + 1, sizeof *analytic);
  if (!analytic) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory in a gradient check");
  rnl_status status = RNL_OK;
  for (int i = 0; status == RNL_OK && i < n; i++) {
    const rnl_tensor *grad = rnl_grad(leaves[i]);
    status = grad->storage ? rnl_tensor_clone(&analytic[i], grad, err)
                           : rnl_tensor_new(&analytic[i], RNL_F64, rnl_value(leaves[i])->ndim,
                                            rnl_value(leaves[i])->size, err);
  }
  int64_t checked = 0;
  for (int i = 0; status == RNL_OK && i < n; i++) {
    status = check_leaf(plan, loss, leaves[i], &analytic[i], options, &entries[i], err);
    if (!(entries[i].max_error <= report->max_error)) report->max_error = entries[i].max_error;
    checked += entries[i].checked;
  }
  if (status == RNL_OK) status = rnl_plan_forward(plan, err); /* values as they were */
  if (status == RNL_OK) status = check_jvp(plan, n, leaves, analytic, &report->jvp_error, err);
  if (status == RNL_OK && !isnan(report->jvp_error))
    status = check_directions(plan, loss, n, leaves, options, analytic, &report->jvp_error, err);
  report->ok = checked > 0 && report->max_error <= report->tolerance &&
               (isnan(report->jvp_error) || report->jvp_error <= report->tolerance);
  for (int i = 0; i < n; i++) rnl_tensor_release(&analytic[i]);
  rnl_free(analytic);
  return status;
}
