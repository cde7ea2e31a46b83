/* train/step_plan.h owns the recorded step of one shape and mode: its leaves, laid out as the model takes
 * them without repacking, and the plan that replays it. Private to the room. */
#ifndef RNL_TRAIN_STEP_PLAN_H
#define RNL_TRAIN_STEP_PLAN_H

#include "train/trainer.h"

typedef struct rnl_step_plan {
  bool gradients;
  rnl_var *x, *y, *prediction, *loss;
  rnl_plan *plan;
  const rnl_tensor *holds; /* the trainer's own set whose every sequence the leaves hold; NULL: none */
} rnl_step_plan;

/* Record the step for batches shaped as the first `batch` sequences of x and y, which it then holds. */
rnl_status rnl_step_plan_record(rnl_step_plan *step, const rnl_trainer_options *options, bool gradients,
                                const rnl_tensor *x, const rnl_tensor *y, int64_t batch, rnl_error *err);
void rnl_step_plan_release(rnl_step_plan *step);

/* Whether it serves `batch` sequences of x and y. */
bool rnl_step_plan_fits(const rnl_step_plan *step, bool gradients, const rnl_tensor *x, const rnl_tensor *y,
                        int64_t batch);

/* Copy sequences order[0..batch-1] (NULL: start .. start+batch-1) of x and y into the leaves. */
rnl_status rnl_step_plan_load(rnl_step_plan *step, const rnl_tensor *x, const rnl_tensor *y, int64_t start,
                              int64_t batch, const int64_t *order, rnl_error *err);

#endif
