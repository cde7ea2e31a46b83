/* train/trainer_private.h: the trainer's insides, shared by trainer.c, loop.c and evaluate.c. Private to the room. */
#ifndef RNL_TRAIN_TRAINER_PRIVATE_H
#define RNL_TRAIN_TRAINER_PRIVATE_H

#include "train/states.h"
#include "train/step_plan.h"
#include "train/trainer.h"

typedef struct rnl_numbers {
  double *values;
  int64_t count, capacity;
} rnl_numbers;

struct rnl_trainer {
  rnl_trainer_options options;
  rnl_var **parameters;
  rnl_optimizer *optimizer;
  rnl_set train, val;   /* val.n 0: there is none */
  int64_t batch_size, chunks, overlap; /* chunks a sequence; overlap: floor(k2/k1), chunks a state is kept */

  rnl_step_plan *cache; /* shapes met; the oldest makes room where there are more */
  int cache_size, last_used, next_to_replace;
  rnl_states states;    /* slots 0 .. overlap-1: handed on by chunk j in slot j % overlap; slot `overlap`: at the
                           batch's end */

  /* the cursor */
  int64_t epoch, batch, chunk; /* epochs done; batches done of the epoch under way; chunks done of that batch */
  double partial, partial_weight; /* sums over the steps of the epoch under way: loss * weight, weight */
  int64_t epoch_steps, steps;  /* of the epoch under way, and in all */
  bool at_beginning;           /* stateful: the next batch begins anew */
  bool prepared, sealed;       /* all plans of an epoch are recorded; none may be recorded now (ensemble.c) */
  bool enough, converged;      /* early stopping or convergence was met; the latter */
  double last_loss;            /* of the step before */
  int64_t *order;              /* of the sequences in this epoch; NULL: as they are */
  int64_t order_epoch;         /* the epoch `order` was drawn for; -1: none */

  rnl_numbers losses, val_losses, norms;
  rnl_watch watch;
  double seconds;
};

/* The cached plan for such batches, recorded where it is new. */
rnl_status rnl_trainer_plan_for(rnl_trainer *t, const rnl_step_key *key, const rnl_set *set, const rnl_step_part *part,
                                rnl_step_plan **out, rnl_error *err);
/* The full batch of a set, without checking it again. */
rnl_status rnl_trainer_load_full(rnl_trainer *t, const rnl_set *set, rnl_full_batch *full, rnl_error *err);
/* What rnl_trainer_evaluate does, for a set known to be in order. */
rnl_status rnl_trainer_evaluate_set(rnl_trainer *t, const rnl_set *set, double *loss, rnl_tensor *prediction,
                                    rnl_error *err);
/* The key and part of chunk `chunk` of the batch at `batch`, and the slots of the states it reads and writes (-1:
 * none). */
void rnl_trainer_chunk(const rnl_trainer *t, int64_t batch, int64_t chunk, bool at_beginning, rnl_step_key *key,
                       rnl_step_part *part, int64_t *reads, int64_t *writes);
/* What a step is on: part of a set, and the slots of the states it reads and writes (-1: none). */
typedef struct rnl_step_on {
  const rnl_set *set;
  rnl_step_key key;
  rnl_step_part part;
  int64_t reads, writes;
  bool with_norms;
} rnl_step_on;

typedef enum rnl_step_want { RNL_STEP_NOTHING, RNL_STEP_FORWARD, RNL_STEP_WHOLE } rnl_step_want;

/* The parts of a step (loop.c): its plan, loaded, and what is to be done; after a forward pass, whether the loss is
 * finite; after a backward pass, the update. */
rnl_status rnl_step_begin(rnl_trainer *t, const rnl_step_on *on, rnl_step_plan **step, rnl_step_want *want,
                          rnl_error *err);
rnl_status rnl_step_judge(rnl_trainer *t, const rnl_step_on *on, const rnl_step_plan *step, rnl_step_want want,
                          bool *finite, rnl_error *err);
rnl_status rnl_step_finish(rnl_trainer *t, const rnl_step_on *on, const rnl_step_plan *step, rnl_error *err);

/* The step at the cursor; move the cursor past it; the order of the epoch's sequences; what follows its steps. */
void rnl_trainer_at_cursor(const rnl_trainer *t, rnl_step_on *on);
void rnl_trainer_advance(rnl_trainer *t);
void rnl_trainer_draw_order(rnl_trainer *t);
rnl_status rnl_trainer_close_epoch(rnl_trainer *t, rnl_error *err);

/* Two trainers of one architecture step by step together (pair.c): until `epochs` epochs are done or max_seconds (<= 0:
 * no limit) are over, as rnl_trainer_run on each. False where that would gain nothing, or no longer does since one has
 * ended, and what is left is rnl_trainer_run's; reasons, statuses and errors are set as far as things have come. */
bool rnl_trainer_run_pair(rnl_trainer *const t[2], int64_t epochs, double max_seconds, rnl_train_reason reason[2],
                          rnl_status status[2], rnl_error err[2]);

double rnl_seconds_now(void);

/* Whether the learning rate is a function of the step. */
static inline bool rnl_trainer_scheduled(const rnl_trainer *t) {
  return t->options.schedule.kind != RNL_SCHEDULE_CONSTANT || t->options.schedule.warmup > 0;
}

#endif
