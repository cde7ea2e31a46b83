/* train/trainer.h owns the training loop: plans by shape, mini-batches, the (epoch, batch) cursor, the
 * stop flag and the losses of every epoch.
 *
 * State: a trainer always stands at a cursor (epoch, batch) between two steps. A step is: load the
 * batch into the plan's leaves, forward, check the loss, backward, clip, update. rnl_trainer_run moves
 * the cursor on and may be called again and again; how the calls are cut changes no bit. Nothing is
 * allocated inside a step: the plan of a shape is recorded when the shape is first met.
 */
#ifndef RNL_TRAIN_TRAINER_H
#define RNL_TRAIN_TRAINER_H

#include "grad/plan.h"
#include "optim/optimizer.h"

/* Builds the model's prediction and loss from the leaves x and y by applying ops; called once a shape and
 * mode, while recording. The outputs are new references. */
typedef rnl_status (*rnl_record_function)(void *context, rnl_var *x, rnl_var *y, rnl_var **prediction,
                                          rnl_var **loss, rnl_error *err);

typedef struct rnl_trainer_options {
  rnl_record_function record;
  void *context; /* for record */
  int n_parameters;
  rnl_var *const *parameters;
  rnl_optimizer_options optimizer;
  double clip_norm, clip_value; /* 0: none; the value is clipped first */
  int64_t batch_size;           /* 0: all sequences in one batch */
  bool shuffle;                 /* a new order each epoch, from (seed, shuffle, epoch) alone */
  uint64_t seed;
  const volatile int *stop;     /* not 0: stop before the next step; may be NULL */
} rnl_trainer_options;

typedef enum rnl_train_reason {
  RNL_TRAIN_EPOCHS = 0,  /* the epochs asked for are done */
  RNL_TRAIN_TIME,        /* the time asked for is over; call again */
  RNL_TRAIN_INTERRUPTED, /* the stop flag was seen */
  RNL_TRAIN_DIVERGED     /* a loss was NaN or Inf; that step changed no weight */
} rnl_train_reason;

typedef struct rnl_trainer rnl_trainer;

/* x and y: the training set, sequences along the first dimension, as many in both. val_x, val_y (or NULL):
 * evaluated after every epoch. References are kept, nothing is copied. ERR_SHAPE names both shapes. */
rnl_status rnl_trainer_new(rnl_trainer **out, const rnl_trainer_options *options, const rnl_tensor *x,
                           const rnl_tensor *y, const rnl_tensor *val_x, const rnl_tensor *val_y,
                           rnl_error *err);
void rnl_trainer_free(rnl_trainer *trainer);

/* Train until `epochs` epochs are done in all, or `max_seconds` (<= 0: no limit) are over, at an end of
 * an epoch. */
rnl_status rnl_trainer_run(rnl_trainer *trainer, int64_t epochs, double max_seconds,
                           rnl_train_reason *reason, rnl_error *err);

int64_t rnl_trainer_epoch(const rnl_trainer *trainer);        /* epochs done */
/* One a done epoch: the mean over its sequences of the loss, each before its batch's update. */
const double *rnl_trainer_losses(const rnl_trainer *trainer);
const double *rnl_trainer_val_losses(const rnl_trainer *trainer); /* NULL without a validation set */
double rnl_trainer_seconds(const rnl_trainer *trainer);       /* spent in rnl_trainer_run so far */
size_t rnl_trainer_bytes(const rnl_trainer *trainer);         /* of all its plans */

/* Loss and prediction of a set with the weights as they are, in one batch; *prediction (may be NULL) is a
 * new row-major tensor. */
rnl_status rnl_trainer_evaluate(rnl_trainer *trainer, const rnl_tensor *x, const rnl_tensor *y,
                                double *loss, rnl_tensor *prediction, rnl_error *err);

/* The plan of one batch with gradients, for a gradient check: recorded if need be, loaded with x and y.
 * The trainer keeps it. */
rnl_status rnl_trainer_plan(rnl_trainer *trainer, const rnl_tensor *x, const rnl_tensor *y, rnl_plan **plan,
                            rnl_var **loss, rnl_error *err);

#endif
