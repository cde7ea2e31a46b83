/* optim/schedule.h owns the learning rate as a function of the step: no state, so that any step can be reached.
 *
 * k counts optimiser steps from 0; u = floor(k / unit) counts epochs where unit is the steps of an epoch; lr is the
 * optimiser's own rate.
 *   constant     lr
 *   step         lr gamma^floor(u / step_size)
 *   exponential  lr gamma^u
 *   cosine       min + (lr - min)/2 (1 + cos(pi min(k, total) / total))                 (Loshchilov & Hutter 2017)
 *   onecycle     with start = lr/div, end = start/final_div, p = pct total - 1, q = total - 1 and
 *                C(a, b, s) = b + (a - b)/2 (1 + cos(pi s)):
 *                C(start, lr, k/p) for k <= p, else C(lr, end, (min(k, q) - p)/(q - p))  (Smith & Topin 2019;
 * PyTorch's) warmup > 0: for k < warmup  lr (start_factor + (1 - start_factor) k/warmup), from then on the schedule
 * of k - warmup.
 */
#ifndef RNL_OPTIM_SCHEDULE_H
#define RNL_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "base/error.h"

typedef enum rnl_schedule_kind {
  RNL_SCHEDULE_CONSTANT = 0,
  RNL_SCHEDULE_STEP,
  RNL_SCHEDULE_EXPONENTIAL,
  RNL_SCHEDULE_COSINE,
  RNL_SCHEDULE_ONECYCLE,
  RNL_SCHEDULE_COUNT
} rnl_schedule_kind;

typedef struct rnl_schedule {
  rnl_schedule_kind kind;
  int64_t unit;                    /* >= 1 */
  double gamma;                    /* > 0 */
  int64_t step_size, total;        /* >= 1; total > 2 for onecycle */
  double min;                      /* >= 0 */
  double pct, div, final_div;      /* 0 < pct < 1; > 0 */
  int64_t warmup;                  /* >= 0 */
  double start_factor;             /* [0, 1] */
} rnl_schedule;

/* The kind's defaults: unit 1, gamma 0.1 (exponential 0.99), step_size 1, total 1, min 0, pct 0.3, div 25,
 * final_div 1e4, no warmup, start_factor 0.1. ERR_ARG lists the kinds. */
rnl_status rnl_schedule_from_name(const char *name, rnl_schedule *out, rnl_error *err);
/* ERR_ARG names the option that is out of range. */
rnl_status rnl_schedule_check(const rnl_schedule *schedule, rnl_error *err);
double rnl_schedule_lr(const rnl_schedule *schedule, double lr, int64_t k);

#endif
