/* sweep/pruner.c: the decisions. */
#include "sweep/pruner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { ASHA_ETA = 4, ASHA_RUNGS = 16, HYPERBAND_ETA = 3, HYPERBAND_RUNGS = 100, STARTUP = 5, MAX_BRACKETS = 64 };

static const char *const names[] = {[RNL_PRUNER_NONE] = "none", [RNL_PRUNER_MEDIAN] = "median",
                                    [RNL_PRUNER_ASHA] = "asha", [RNL_PRUNER_HYPERBAND] = "hyperband"};

rnl_status rnl_pruner_named(const char *name, rnl_pruner_kind *kind, rnl_error *err) {
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if (strcmp(names[i], name) == 0) {
      *kind = (rnl_pruner_kind)i;
      return RNL_OK;
    }
  return rnl_fail(err, RNL_ERR_ARG, "no pruner '%.40s'; there are none, median, asha and hyperband", name);
}

const char *rnl_pruner_name(rnl_pruner_kind kind) { return names[kind]; }

rnl_status rnl_pruner_settle(rnl_pruner *p, rnl_error *err) {
  if (p->startup < 0) return rnl_fail(err, RNL_ERR_ARG, "median: a number of trials to wait for is expected");
  if (p->startup == 0) p->startup = STARTUP;
  if (p->kind != RNL_PRUNER_ASHA && p->kind != RNL_PRUNER_HYPERBAND) return RNL_OK;
  if (p->eta == 0) p->eta = p->kind == RNL_PRUNER_ASHA ? ASHA_ETA : HYPERBAND_ETA;
  if (p->eta < 2)
    return rnl_fail(err, RNL_ERR_ARG, "%s: factor is %lld; at least 2 is expected", names[p->kind], (long long)p->eta);
  if (p->last_step < 1)
    return rnl_fail(err, RNL_ERR_ARG, "%s needs to know how many steps a full trial has", names[p->kind]);
  const int64_t usual = p->last_step / (p->kind == RNL_PRUNER_ASHA ? ASHA_RUNGS : HYPERBAND_RUNGS);
  if (p->first == 0) p->first = usual > 1 ? usual : 1;
  if (p->first < 1 || p->first > p->last_step)
    return rnl_fail(err, RNL_ERR_ARG, "%s: first is %lld; 1 to %lld, the epochs of a trial, is expected",
                    names[p->kind], (long long)p->first, (long long)p->last_step);
  return RNL_OK;
}

/* ---- values at a step ------------------------------------------------------------------------- */

/* What the trial reported at this step or first after it; false: it did not come that far. */
static bool value_at(const rnl_trial_view *trial, int64_t step, double *value) {
  int64_t low = 0, high = trial->n_steps;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (trial->steps[middle].step < step) low = middle + 1;
    else high = middle;
  }
  if (low == trial->n_steps) return false;
  *value = trial->steps[low].value;
  return true;
}

static double or_infinity(double x) { return isnan(x) ? INFINITY : x; }

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static bool median_stops(const rnl_pruner *p, const rnl_history *history, const rnl_trial_view *self) {
  const rnl_trial_step now = self->steps[self->n_steps - 1];
  int64_t finished = 0, n = 0;
  for (int64_t i = 0; i < history->n; i++)
    finished += history->trials[i].state == RNL_TRIAL_FINISHED && history->trials[i].number != self->number;
  if (finished < p->startup) return false;
  double *values = rnl_alloc((size_t)finished, sizeof *values);
  if (!values) return false; /* a trial that goes on is only slow */
  for (int64_t i = 0; i < history->n; i++) {
    const rnl_trial_view *trial = &history->trials[i];
    double value;
    if (trial->state == RNL_TRIAL_FINISHED && trial->number != self->number && value_at(trial, now.step, &value))
      values[n++] = or_infinity(value);
  }
  qsort(values, (size_t)n, sizeof *values, compare);
  bool stops = false;
  if (n > 0) {
    const double lower = values[(n - 1) / 2], upper = values[n / 2];
    stops = or_infinity(now.value) > (lower == upper ? lower : 0.5 * (lower + upper));
  }
  rnl_free(values);
  return stops;
}

/* ---- rungs and brackets ----------------------------------------------------------------------- */

int rnl_pruner_brackets(const rnl_pruner *p) {
  int brackets = 1;
  for (int64_t step = p->first; step <= p->last_step / p->eta && brackets < MAX_BRACKETS; step *= p->eta) brackets++;
  return brackets;
}

/* Bracket s of B begins with ceil(B / (B - s) eta^(B - 1 - s)) configurations (Li 2018, algorithm 1; its s counts the
 * other way). Trial i goes by where the fraction of (i + 1) times the golden ratio falls among these shares: any run
 * of trials holds about as many of each bracket as it should. */
int rnl_pruner_bracket(const rnl_pruner *p, int64_t number) {
  if (p->kind != RNL_PRUNER_HYPERBAND) return 0;
  const int n = rnl_pruner_brackets(p);
  double total = 0, share[MAX_BRACKETS];
  for (int s = 0; s < n; s++) total += share[s] = ceil((double)n / (n - s) * pow((double)p->eta, n - 1 - s) - 1e-9);
  double at = (double)(((uint64_t)number + 1) * 0x9e3779b97f4a7c15ULL >> 11) * 0x1p-53 * total;
  int s = 0;
  while (s < n - 1 && at >= share[s]) at -= share[s++];
  return s;
}

static int64_t first_rung(const rnl_pruner *p, int64_t number) {
  int64_t step = p->first;
  for (int s = rnl_pruner_bracket(p, number); s > 0; s--) step *= p->eta;
  return step;
}

/* The next rung, or last_step where there is none below it. */
static int64_t next_rung(const rnl_pruner *p, int64_t rung) {
  return rung > p->last_step / p->eta ? p->last_step : rung * p->eta;
}

/* Is self, with this value at this rung, not among the best max(1, n / eta)? */
static bool loses(const rnl_pruner *p, const rnl_history *history, const rnl_trial_view *self, int64_t rung,
                  double value) {
  const int bracket = rnl_pruner_bracket(p, self->number);
  int64_t n = 1, better = 0;
  for (int64_t i = 0; i < history->n; i++) {
    const rnl_trial_view *trial = &history->trials[i];
    double other;
    if (trial->number == self->number || !value_at(trial, rung, &other)) continue;
    if (rnl_pruner_bracket(p, trial->number) != bracket) continue;
    n++;
    better += or_infinity(other) < or_infinity(value);
  }
  const int64_t keep = n / p->eta > 1 ? n / p->eta : 1;
  return better >= keep;
}

static bool rung_stops(const rnl_pruner *p, const rnl_history *history, const rnl_trial_view *self) {
  const rnl_trial_step now = self->steps[self->n_steps - 1];
  const int64_t before = self->n_steps > 1 ? self->steps[self->n_steps - 2].step : 0;
  for (int64_t rung = first_rung(p, self->number); rung <= now.step && rung < p->last_step; rung = next_rung(p, rung))
    if (rung > before && loses(p, history, self, rung, now.value)) return true;
  return false;
}

bool rnl_pruner_stops(const rnl_pruner *p, const rnl_history *history, const rnl_trial_view *self) {
  if (self->n_steps < 1 || p->kind == RNL_PRUNER_NONE) return false;
  return p->kind == RNL_PRUNER_MEDIAN ? median_stops(p, history, self) : rung_stops(p, history, self);
}

int64_t rnl_pruner_next(const rnl_pruner *p, int64_t number, int64_t after) {
  if (p->kind == RNL_PRUNER_NONE) return p->last_step;
  if (p->kind == RNL_PRUNER_MEDIAN) return after + 1;
  int64_t rung = first_rung(p, number);
  while (rung <= after && rung < p->last_step) rung = next_rung(p, rung);
  return rung < p->last_step ? rung : p->last_step;
}
