/* train/checkpoint.h owns a trainer's state as data: named tensors, from which a trainer made in the same way goes on
 * to the bit.
 *
 * Saved: the parameters, the optimiser's buffers and its count of steps (or what a method keeps), the learning rate,
 * the cursor (epoch, batch, chunk) and the sums of the epoch under way, the losses, validation losses and norms so
 * far, early stopping with the weights it keeps, carried states, and the seconds spent. Not saved, since they are
 * functions of the options: data, recorded plans, the order of an epoch (of the seed and the epoch), a schedule's
 * learning rate and the random numbers of a step (both of the number of the step).
 *
 *   "trainer"         float64 (n): the numbers, in the order of checkpoint.c
 *   "param.P"         parameter P, counted from 0
 *   "optim.t", "optim.P.S"    see optim/optimizer.h; "method.NAME", float64: see train/method.h
 *   "losses", "val_losses", "norms"    float64
 *   "best.P"          early stopping: parameter P of the best epoch
 *   "state.K.NAME"    slot K of the carried state NAME */
#ifndef RNL_TRAIN_CHECKPOINT_H
#define RNL_TRAIN_CHECKPOINT_H

#include "tensor/list.h"
#include "train/trainer.h"

/* Between two steps only. The tensors are references to the trainer's own: write them before it trains on. */
rnl_status rnl_trainer_save(const rnl_trainer *trainer, rnl_tensors *into, rnl_error *err);

/* Into a trainer of the same model, data and options. Everything is checked first; ERR_FORMAT names what does not
 * fit, and then nothing has changed. After ERR_MEMORY the trainer can only be freed. */
rnl_status rnl_trainer_load(rnl_trainer *trainer, const rnl_tensors *from, rnl_error *err);

#endif
