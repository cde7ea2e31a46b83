/* train/trainer.h owns the training loop: plans by shape, mini-batches, chunks of truncated backpropagation, the
 * cursor, the stop flag and the losses of every epoch.
 *
 * State: a trainer always stands at a cursor (epoch, batch, chunk) between two steps. A step is: load the batch into
 * the plan's leaves, forward, check the loss, backward, clip, update. rnl_trainer_run moves the cursor on and may
 * be called again and again; how the calls are cut changes no bit. Nothing is allocated inside a step: the plan of a
 * shape is recorded when the shape is first met (rnl_trainer_prepare: at once).
 *
 * Truncated backpropagation through time (Williams & Peng 1990, their BPTT(h; h')): the weights are updated every k1
 * steps by a gradient that goes back k2 >= k1 steps. Update j = 0, 1, ... is that of the chunk
 * [(j+1) k1 - k2, (j+1) k1), cut off at the sequence's ends; its loss is the mean over its last k1 steps (those
 * no earlier update counted). A chunk begins from the state that the weights of the time had there, a constant: the
 * one computed when update j - floor(k2/k1) passed over that step. At the beginning of a sequence it begins from
 * the layer's initial state. Sequences that have ended (lengths) are masked; a chunk without valid steps is no step.
 *
 * Stateful: sequence i of a batch goes on where sequence i of the batch before ended (as in Keras); at the beginning
 * of an epoch all begin anew. */
#ifndef RNL_TRAIN_TRAINER_H
#define RNL_TRAIN_TRAINER_H

#include "grad/plan.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/method.h"
#include "train/batch.h"
#include "train/set.h"
#include "train/watch.h"

/* Builds the model's prediction and loss from the leaves by applying ops; called once a shape and mode, while
 * recording. The outputs are new references. */
typedef rnl_status (*rnl_record_function)(void *context, rnl_batch *batch, rnl_var **prediction,
                                          rnl_var **loss, rnl_error *err);

typedef struct rnl_trainer_options {
  rnl_record_function record;
  void *context; /* for record */
  int n_parameters;
  rnl_var *const *parameters;
  rnl_optimizer_options optimizer;
  rnl_schedule schedule; /* of the learning rate, beginning from the optimizer's; all zero: constant */
  rnl_method method;            /* in place of the optimizer where method.epoch is given; the trainer's from now on */
  double clip_norm, clip_value; /* 0: none; the value is clipped first */
  int64_t batch_size;           /* 0: all sequences in one batch */
  bool shuffle;                 /* a new order each epoch, from (seed, shuffle, epoch) alone */
  uint64_t seed;
  int64_t k1, k2;               /* truncated backpropagation; k1 0: whole sequences; k2 0: k1 */
  bool stateful;                /* see above; not with shuffle */
  bool keep_states;             /* stateful: an epoch goes on where the one before ended, too */
  int64_t validate_every;       /* 0: after every epoch */
  rnl_watch_options watch;
  int64_t norms_every;          /* 0: never; the norms of every n-th epoch are kept */
  int threads;                  /* 0: 1; see rnl_plan_set_threads */
  const volatile int *stop;     /* not 0: stop before the next step; may be NULL */
} rnl_trainer_options;

typedef enum rnl_train_reason {
  RNL_TRAIN_EPOCHS = 0,  /* the epochs asked for are done */
  RNL_TRAIN_TIME,        /* the time asked for is over; call again */
  RNL_TRAIN_INTERRUPTED, /* the stop flag was seen */
  RNL_TRAIN_DIVERGED,    /* a loss was NaN or Inf; that step changed no weight */
  RNL_TRAIN_STOPPED      /* early stopping, or the method has converged */
} rnl_train_reason;

typedef struct rnl_trainer rnl_trainer;

/* train: the training set; val (or NULL): evaluated after every epoch, or every n-th. References are kept, nothing is
 * copied; both are checked (rnl_set_check). ERR_ARG names the option that is out of range. */
rnl_status rnl_trainer_new(rnl_trainer **out, const rnl_trainer_options *options, const rnl_set *train,
                           const rnl_set *val, rnl_error *err);
void rnl_trainer_free(rnl_trainer *trainer);

/* Record every plan an epoch needs, so that a run records none. */
rnl_status rnl_trainer_prepare(rnl_trainer *trainer, rnl_error *err);

/* Train until `epochs` epochs are done in all, or `max_seconds` (<= 0: no limit) are over, which may be in the midst of
 * an epoch; one step is always done. */
rnl_status rnl_trainer_run(rnl_trainer *trainer, int64_t epochs, double max_seconds,
                           rnl_train_reason *reason, rnl_error *err);

/* The same for at most `steps` steps (RNL_TRAIN_TIME: they are over), which may be cut anywhere in an epoch. */
rnl_status rnl_trainer_run_steps(rnl_trainer *trainer, int64_t epochs, int64_t steps, rnl_train_reason *reason,
                                 rnl_error *err);

/* One step on a batch of one's own, in place of those of the training set; *loss before its update. A loss that is not
 * finite changes no weight. Where the trainer is stateful the batch goes on where the last one ended, after
 * rnl_trainer_reset_states from the beginning. Such steps become an epoch by rnl_trainer_end_epoch: its loss is their
 * mean; ERR_ARG where there were none. */
rnl_status rnl_trainer_step(rnl_trainer *trainer, const rnl_set *batch, double *loss, rnl_error *err);
rnl_status rnl_trainer_end_epoch(rnl_trainer *trainer, rnl_train_reason *reason, rnl_error *err);
void rnl_trainer_reset_states(rnl_trainer *trainer);

/* The learning rate of the steps from now on, where no schedule sets it; and that of the last step. ERR_ARG: not a
 * number >= 0, or there is a schedule. */
rnl_status rnl_trainer_set_lr(rnl_trainer *trainer, double lr, rnl_error *err);
double rnl_trainer_lr(const rnl_trainer *trainer);

int64_t rnl_trainer_epoch(const rnl_trainer *trainer);        /* epochs done */
int64_t rnl_trainer_steps(const rnl_trainer *trainer);        /* steps done, in all epochs */
/* One a done epoch: the mean over its sequences (or valid steps, see rnl_set_weight) of the loss, each before its
 * batch's update. */
const double *rnl_trainer_losses(const rnl_trainer *trainer);
/* NULL without a validation set; NaN where an epoch was not validated. */
const double *rnl_trainer_val_losses(const rnl_trainer *trainer);
double rnl_trainer_last_loss(const rnl_trainer *trainer);     /* of the step before the cursor */
double rnl_trainer_seconds(const rnl_trainer *trainer);       /* spent in rnl_trainer_run and _step so far */

/* Whether training ended because the method found nothing left to change. */
bool rnl_trainer_converged(const rnl_trainer *trainer);

/* Norms after the n-th epochs, one row each: ||gradient|| of every parameter in the epoch's last step, before
 * clipping, then ||parameter|| of every one. */
const double *rnl_trainer_norms(const rnl_trainer *trainer, int64_t *rows);

/* The metric of the epoch just done, for RNL_WATCH_GIVEN; true: training should end. */
bool rnl_trainer_observe(rnl_trainer *trainer, double value);
/* Put back the weights of the best epoch; false where none were kept. *epoch (may be NULL): which, from 1; *value: its
 * metric. */
bool rnl_trainer_restore_best(rnl_trainer *trainer, int64_t *epoch, double *value);

/* Bytes of all its plans, each storage counted once, and of what it keeps beside them. Data sets are not counted. */
size_t rnl_trainer_bytes(const rnl_trainer *trainer);

/* Loss and prediction of a set with the weights as they are, in batches of the trainer's size; *prediction (may be
 * NULL) is a new row-major tensor. Every sequence begins from its beginning; it is run to its end in one piece or,
 * where the trainer trains in chunks, in long ones. */
rnl_status rnl_trainer_evaluate(rnl_trainer *trainer, const rnl_set *set, double *loss, rnl_tensor *prediction,
                                rnl_error *err);

/* The recorded step of all of a set in one batch with gradients, for a gradient check: recorded if need be, loaded. The
 * trainer keeps it, and full->set is `set`. */
rnl_status rnl_trainer_full_batch(rnl_trainer *trainer, const rnl_set *set, rnl_full_batch *full, rnl_error *err);

#endif
