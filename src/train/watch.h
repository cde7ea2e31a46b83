/* train/watch.h owns early stopping: a metric is watched once an epoch, the weights of its best epoch are kept. */
#ifndef RNL_TRAIN_WATCH_H
#define RNL_TRAIN_WATCH_H

#include "grad/op.h"

typedef enum rnl_watch_metric {
  RNL_WATCH_NONE = 0,
  RNL_WATCH_LOSS,
  RNL_WATCH_VAL_LOSS,
  RNL_WATCH_GIVEN /* told by rnl_trainer_observe */
} rnl_watch_metric;

typedef struct rnl_watch_options {
  rnl_watch_metric metric;
  bool larger_is_better;
  double min_delta;  /* >= 0: an improvement is more than this */
  int64_t patience;  /* epochs without an improvement after which training ends; < 0: never */
  bool keep;         /* copy the weights of the best epoch */
} rnl_watch_options;

typedef struct rnl_watch {
  rnl_watch_options options;
  int n;
  rnl_var *const *parameters;
  rnl_tensor *kept;   /* the weights of the best epoch; NULL: not kept */
  double best;
  int64_t best_epoch; /* counted from 1; 0: none yet */
} rnl_watch;

/* The buffers are made here. ERR_ARG names the option. */
rnl_status rnl_watch_begin(rnl_watch *watch, const rnl_watch_options *options, int n, rnl_var *const *parameters,
                           rnl_error *err);
void rnl_watch_end(rnl_watch *watch);

/* The metric after `epoch` (counted from 1); true: enough. A NaN is no improvement. Allocates nothing. */
bool rnl_watch_observe(rnl_watch *watch, int64_t epoch, double value);
/* Put the kept weights back; false where there are none. */
bool rnl_watch_restore(const rnl_watch *watch);

#endif
