/* optim/schedule.c: the schedules of schedule.h. */
#include "optim/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"constant", "step", "exponential", "cosine", "onecycle"};
_Static_assert(sizeof names / sizeof *names == RNL_SCHEDULE_COUNT, "a name each");
static const double pi = 3.141592653589793238462643383279503;

rnl_status rnl_schedule_from_name(const char *name, rnl_schedule *out, rnl_error *err) {
  char list[96] = "";
  size_t used = 0;
  for (int i = 0; i < RNL_SCHEDULE_COUNT; i++) {
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    if (strcmp(names[i], name) != 0) continue;
    *out = (rnl_schedule){.kind = (rnl_schedule_kind)i, .unit = 1, .gamma = i == RNL_SCHEDULE_EXPONENTIAL ? 0.99 : 0.1,
                          .step_size = 1, .total = 1, .pct = 0.3, .div = 25, .final_div = 1e4, .start_factor = 0.1};
    return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_ARG, "no schedule \"%s\"; there are %s", name, list);
}

rnl_status rnl_schedule_check(const rnl_schedule *s, rnl_error *err) {
  const char *name = names[s->kind];
  if (s->unit < 1 || s->step_size < 1 || s->total < 1 || s->warmup < 0)
    return rnl_fail(err, RNL_ERR_ARG, "schedule %s: its lengths must be at least 1, its warm-up at least 0", name);
  if (!(s->gamma > 0))
    return rnl_fail(err, RNL_ERR_ARG, "schedule %s: gamma is %g; expected a number > 0", name, s->gamma);
  if (!(s->min >= 0)) return rnl_fail(err, RNL_ERR_ARG, "schedule %s: min is %g; expected a number >= 0", name, s->min);
  if (!(s->start_factor >= 0 && s->start_factor <= 1))
    return rnl_fail(err, RNL_ERR_ARG, "schedule %s: start_factor is %g; expected 0 to 1", name, s->start_factor);
  if (!(s->pct > 0 && s->pct < 1) || !(s->div > 0) || !(s->final_div > 0))
    return rnl_fail(err, RNL_ERR_ARG, "schedule %s: expected 0 < pct < 1, div > 0 and final_div > 0", name);
  if (s->kind == RNL_SCHEDULE_ONECYCLE && !(s->pct * (double)s->total > 1))
    return rnl_fail(err, RNL_ERR_ARG, "schedule onecycle: %lld steps are too few to rise in", (long long)s->total);
  return RNL_OK;
}

static double cosine(double a, double b, double s) { return b + (a - b) / 2 * (1 + cos(pi * s)); }

static double plain(const rnl_schedule *s, double lr, int64_t k) {
  const int64_t u = k / s->unit;
  switch (s->kind) {
    case RNL_SCHEDULE_STEP: return lr * pow(s->gamma, (double)(u / s->step_size));
    case RNL_SCHEDULE_EXPONENTIAL: return lr * pow(s->gamma, (double)u);
    case RNL_SCHEDULE_COSINE: return cosine(lr, s->min, (double)(k < s->total ? k : s->total) / (double)s->total);
    case RNL_SCHEDULE_ONECYCLE: {
      const double start = lr / s->div, end = start / s->final_div, p = s->pct * (double)s->total - 1,
                   q = (double)s->total - 1;
      const double at = (double)k < q ? (double)k : q;
      return at <= p ? cosine(start, lr, at / p) : cosine(lr, end, (at - p) / (q - p));
    }
    default: return lr;
  }
}

double rnl_schedule_lr(const rnl_schedule *s, double lr, int64_t k) {
  if (k < s->warmup) return lr * (s->start_factor + (1 - s->start_factor) * (double)k / (double)s->warmup);
  return plain(s, lr, k - s->warmup);
}
