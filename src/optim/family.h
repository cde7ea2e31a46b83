/* optim/family.h: what an optimiser family gives. Private to the room. */
#ifndef RNL_OPTIM_FAMILY_H
#define RNL_OPTIM_FAMILY_H

#include "optim/optimizer.h"

enum { RNL_OPTIM_STATES = 3 };

typedef struct rnl_optimizer_family {
  const char *name;
  int states; /* buffers of a parameter's size it keeps */
  double default_lr, default_momentum, default_eps;
  bool decoupled; /* weight decay acts on the parameter, not on the gradient */
  /* One step of one parameter of `count` elements; t counts from 1. */
  void (*step)(const rnl_optimizer_options *options, int64_t t, bool f64, int64_t count, const void *grad,
               void *param, void *const state[RNL_OPTIM_STATES]);
} rnl_optimizer_family;

extern const rnl_optimizer_family rnl_optim_sgd, rnl_optim_momentum, rnl_optim_nesterov, rnl_optim_adam,
    rnl_optim_adam_tf, rnl_optim_amsgrad, rnl_optim_adamw, rnl_optim_rmsprop, rnl_optim_adagrad, rnl_optim_adadelta,
    rnl_optim_rprop;

#endif
