/* optim/family.h: what an optimiser family gives. Private to the room. */
#ifndef RNL_OPTIM_FAMILY_H
#define RNL_OPTIM_FAMILY_H

#include "optim/optimizer.h"

enum { RNL_OPTIM_STATES = 2 };

typedef struct rnl_optimizer_family {
  const char *name;
  int states; /* buffers of a parameter's size it keeps */
  double default_lr;
  /* One step of one parameter of `count` elements; t counts from 1. */
  void (*step)(const rnl_optimizer_options *options, int64_t t, bool f64, int64_t count, const void *grad,
               void *param, void *const state[RNL_OPTIM_STATES]);
} rnl_optimizer_family;

extern const rnl_optimizer_family rnl_optim_sgd, rnl_optim_momentum, rnl_optim_adam, rnl_optim_adam_tf;

#endif
