/* train/pair.c: two trainers of one architecture step by step together, so that ops that take two models at once
 * (grad/op.h) can. Each does what loop.c does with it alone. */
#include "kernel/kernel.h"
#include "train/trainer_private.h"

typedef struct pair {
  rnl_trainer *const *t;
  rnl_train_reason *reason;
  rnl_status *status;
  rnl_error *err;
} pair;

static bool both_well(const pair *p) { return p->status[0] == RNL_OK && p->status[1] == RNL_OK; }

/* Both stand at the same step of the same epoch, and a plan of each is to be run there. */
static bool in_step(rnl_trainer *const t[2]) {
  const rnl_trainer *a = t[0], *b = t[1];
  return a->epoch == b->epoch && a->batch == b->batch && a->chunk == b->chunk && a->chunks == b->chunks &&
         a->batch_size == b->batch_size && a->train.sequences == b->train.sequences &&
         a->train.steps == b->train.steps && a->options.threads <= 1 && b->options.threads <= 1 &&
         !a->options.method.epoch && !b->options.method.epoch;
}

/* The step at the cursor of both. False: nothing was gained or one has ended; each stands between two steps. */
static bool next_steps(const pair *p) {
  rnl_step_on on[2];
  rnl_step_plan *step[2];
  rnl_step_want want[2];
  bool finite[2] = {true, true};
  for (int k = 0; k < 2; k++) {
    rnl_trainer_at_cursor(p->t[k], &on[k]);
    p->status[k] = rnl_step_begin(p->t[k], &on[k], &step[k], &want[k], &p->err[k]);
  }
  if (!both_well(p)) return false;
  rnl_plan *const plan[2] = {step[0]->plan, step[1]->plan};
  if (want[0] != RNL_STEP_WHOLE || want[1] != RNL_STEP_WHOLE || step[0]->parts || step[1]->parts ||
      !rnl_plans_gain(plan))
    return false; /* loading is done again: it changes nothing */
  rnl_plans_forward(plan, p->status, p->err);
  for (int k = 0; k < 2; k++) {
    if (p->status[k] == RNL_OK)
      p->status[k] = rnl_step_judge(p->t[k], &on[k], step[k], want[k], &finite[k], &p->err[k]);
    if (!finite[k]) p->reason[k] = RNL_TRAIN_DIVERGED;
  }
  rnl_status going[2]; /* a loss that is not finite ends that model here */
  for (int k = 0; k < 2; k++) going[k] = finite[k] ? p->status[k] : RNL_ERR_ARG;
  rnl_plans_backward(plan, going, p->err);
  for (int k = 0; k < 2; k++) {
    if (!finite[k]) continue;
    p->status[k] = going[k] == RNL_OK ? rnl_step_finish(p->t[k], &on[k], step[k], &p->err[k]) : going[k];
    if (p->status[k] == RNL_OK) rnl_trainer_advance(p->t[k]);
  }
  return both_well(p) && finite[0] && finite[1];
}

static bool run(const pair *p, int64_t epochs, double deadline) {
  rnl_trainer *a = p->t[0], *b = p->t[1];
  while (a->epoch < epochs && !a->enough && !b->enough) {
    if (!in_step(p->t)) return false;
    for (int k = 0; k < 2; k++) rnl_trainer_draw_order(p->t[k]);
    while (a->batch * a->batch_size < a->train.sequences) {
      if (a->options.stop && *a->options.stop) {
        p->reason[0] = p->reason[1] = RNL_TRAIN_INTERRUPTED;
        return true;
      }
      if (!next_steps(p)) return false;
      if (deadline > 0 && a->batch * a->batch_size < a->train.sequences && rnl_seconds_now() >= deadline) {
        p->reason[0] = p->reason[1] = RNL_TRAIN_TIME;
        return true;
      }
    }
    for (int k = 0; k < 2; k++) p->status[k] = rnl_trainer_close_epoch(p->t[k], &p->err[k]);
    if (!both_well(p)) return false;
    if (deadline > 0 && a->epoch < epochs && rnl_seconds_now() >= deadline) {
      p->reason[0] = p->reason[1] = RNL_TRAIN_TIME;
      return true;
    }
  }
  if (a->epoch < epochs) return false; /* one has had enough; the other may go on */
  for (int k = 0; k < 2; k++) p->reason[k] = p->t[k]->enough ? RNL_TRAIN_STOPPED : RNL_TRAIN_EPOCHS;
  return true;
}

bool rnl_trainer_run_pair(rnl_trainer *const t[2], int64_t epochs, double max_seconds, rnl_train_reason reason[2],
                          rnl_status status[2], rnl_error err[2]) {
  const double begin = rnl_seconds_now();
  const uint64_t fpu = rnl_fpu_enter();
  const pair p = {t, reason, status, err};
  const bool done = run(&p, epochs, max_seconds > 0 ? begin + max_seconds : 0);
  rnl_fpu_leave(fpu);
  for (int k = 0; k < 2; k++) t[k]->seconds += (rnl_seconds_now() - begin) / 2;
  return done;
}
