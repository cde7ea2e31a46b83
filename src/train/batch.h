/* train/batch.h owns what the one who records a step is given: a batch's leaves by name, whether the step
 * trains, a clock, and states carried from one chunk of a sequence to the next.
 *
 * A step is recorded once a shape and mode and then replayed; what may change from step to step must be a leaf. */
#ifndef RNL_TRAIN_BATCH_H
#define RNL_TRAIN_BATCH_H

#include "grad/op.h"
#include "train/set.h"

/* A state that goes from chunk to chunk. */
typedef struct rnl_carry {
  char *name;
  int64_t width;
  rnl_var *begin; /* (batch, width): the leaf it begins from; NULL: from the layer's own initial state */
  rnl_var *end;   /* (batch, width): what the layer handed on */
  int place;      /* in the trainer's store */
} rnl_carry;

typedef struct rnl_batch {
  bool training;  /* false: the step is for evaluation and keeps no gradients */
  int n;
  const char *const *names; /* of the leaves: those of the set, loss_lengths and y_before (below) */
  rnl_var *const *leaves;   /* shaped as the set's fields, with the batch's sequences and the chunk's steps */
  rnl_var *clock;           /* one float64: steps trained so far, as long as a step is trained */

  /* In a chunk that goes back further than its update, only the steps after the first `loss_from` count in the loss;
   * y has these alone, and so must have what the loss sees of the prediction, of mask and of the others. Where there
   * are lengths, loss_lengths has the valid steps among them. Whatever loss_from, y_before has the target of the step
   * before each of the chunk's, for layers that are fed with it. */
  int64_t loss_from;

  bool carries;      /* states are carried: every layer with a state must ask for it and hand it on */
  int64_t hand_on;   /* the state to hand on is that after so many steps of the chunk */
  int64_t steps;     /* of the chunk */
  bool beginning;    /* at the beginning of a sequence */

  /* what carrying adds; private */
  bool own_used;     /* a layer began from its own initial state */
  int n_carries, carries_capacity;
  rnl_carry *carry;
} rnl_batch;

/* The leaf of that name, borrowed; NULL where the set has none. */
rnl_var *rnl_batch_leaf(const rnl_batch *batch, const char *name);

/* *state: a new reference to the state a layer begins from, (batch, width). At the beginning of a sequence it is
 * `own` where that is given (whatever its shape), else zeros; later the state that was handed on, a constant: no
 * gradient passes. ERR_ARG where the name is taken or nothing is carried. */
rnl_status rnl_batch_carry(rnl_batch *batch, const char *name, int64_t sequences, int64_t width, rnl_dtype dtype,
                           rnl_var *own, rnl_var **state, rnl_error *err);
/* Hand on the state after `hand_on` steps, (batch, width). */
rnl_status rnl_batch_carried(rnl_batch *batch, const char *name, rnl_var *state, rnl_error *err);

#endif
