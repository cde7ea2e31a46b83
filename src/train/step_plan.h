/* train/step_plan.h owns the recorded step of one shape and mode: its leaves, laid out as the model takes them
 * without repacking, and the plan that replays it. Private to the room. */
#ifndef RNL_TRAIN_STEP_PLAN_H
#define RNL_TRAIN_STEP_PLAN_H

#include "grad/plan.h"
#include "train/batch.h"
#include "train/states.h"
#include "train/trainer.h"

/* What a step is recorded for. */
typedef struct rnl_step_key {
  bool gradients, carries, beginning;
  bool chunked;      /* truncated backpropagation: y_before is wanted */
  bool undivided;    /* not in parts: its plan and prediction are looked at */
  int64_t batch;     /* sequences */
  int64_t length;    /* steps; of a chunk or the whole */
  int64_t loss_from; /* steps that do not count in the loss */
  int64_t hand_on;   /* see batch.h; 0 where nothing is carried */
} rnl_step_key;

/* Which part of a set a step sees: sequences order[0 .. batch-1], or first .. where order is NULL, from step `from`
 * on. */
typedef struct rnl_step_part {
  int64_t first, from;
  const int64_t *order;
} rnl_step_part;

typedef struct rnl_step_plan {
  rnl_step_key key;
  struct rnl_parts *parts;                  /* see parts.h: in place of leaves and a plan; NULL: the step is one */
  int n;                                    /* leaves: one a field of the set, then loss_lengths and y_before */
  rnl_var *leaf[RNL_SET_FIELDS + 2];
  rnl_var *loss_lengths, *y_before;         /* borrowed from `leaf`; NULL: there is none */
  rnl_field like[RNL_SET_FIELDS];           /* shaped as the set it was recorded for; no values */
  int n_like;
  rnl_var *clock, *prediction, *loss;
  bool own_used;                            /* key.beginning matters */
  int n_carries;
  rnl_carry *carry;
  rnl_plan *plan;
  const rnl_set *known; /* one of the trainer's own sets, known to be shaped as `like` */
  const rnl_set *holds; /* the trainer's own set whose every sequence the leaves hold; NULL: none */
  double weight;        /* of what the leaves hold */
} rnl_step_plan;

/* Record the step for a batch of `set`, part of which it then holds. */
rnl_status rnl_step_plan_record(rnl_step_plan *step, const rnl_trainer_options *options, const rnl_step_key *key,
                                const rnl_set *set, const rnl_step_part *part, rnl_states *states, rnl_error *err);
void rnl_step_plan_release(rnl_step_plan *step);

/* The step for batches of such a set, in parts, which it takes over. */
void rnl_step_plan_divide(rnl_step_plan *step, const rnl_step_key *key, const rnl_set *set, struct rnl_parts *parts);

/* Whether it serves such batches of the set. */
bool rnl_step_plan_fits(const rnl_step_plan *step, const rnl_step_key *key, const rnl_set *set);

/* Copy that part of the set into the leaves; load: and weigh it. */
rnl_status rnl_step_plan_fill(const rnl_step_plan *step, const rnl_set *set, const rnl_step_part *part, rnl_error *err);
rnl_status rnl_step_plan_load(rnl_step_plan *step, const rnl_set *set, const rnl_step_part *part, rnl_error *err);

#endif
