/* train/ensemble.h owns the training of several models side by side: trainers of one architecture or of several, each
 * with its own parameters and cursor, run over the worker threads. What a member computes does not depend on the
 * others, on the threads or on how the calls are cut: each is bitwise equal to the one trained alone. */
#ifndef RNL_TRAIN_ENSEMBLE_H
#define RNL_TRAIN_ENSEMBLE_H

#include "train/trainer.h"

typedef struct rnl_ensemble rnl_ensemble;

/* The trainers are borrowed and must outlive the ensemble; each must be another one and prepared (rnl_trainer_prepare),
 * since a step is recorded on the thread of whoever made it. ERR_ARG says which is not. threads: at most so many. */
rnl_status rnl_ensemble_new(rnl_ensemble **out, int n, rnl_trainer *const *trainers, int threads, rnl_error *err);
void rnl_ensemble_free(rnl_ensemble *ensemble);

/* Train every member until `epochs` are done, or about `max_seconds` (<= 0: no limit) are over. *reason:
 * RNL_TRAIN_EPOCHS where all have ended (reached `epochs`, stopped early or diverged), else why one has not. ERR: the
 * first member's, in order, that failed. */
rnl_status rnl_ensemble_run(rnl_ensemble *ensemble, int64_t epochs, double max_seconds, rnl_train_reason *reason,
                            rnl_error *err);

/* Why member i stands where it stands. */
rnl_train_reason rnl_ensemble_reason(const rnl_ensemble *ensemble, int i);
double rnl_ensemble_seconds(const rnl_ensemble *ensemble); /* wall time in rnl_ensemble_run so far */

/* Go on from a checkpoint: why member i stood where its trainer, loaded already, stands; the wall time so far. */
void rnl_ensemble_set_reason(rnl_ensemble *ensemble, int i, rnl_train_reason reason);
void rnl_ensemble_set_seconds(rnl_ensemble *ensemble, double seconds);

#endif
