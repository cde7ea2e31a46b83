/* optim/family.h: what an optimiser family gives. Private to the room. */
#ifndef RNL_OPTIM_FAMILY_H
#define RNL_OPTIM_FAMILY_H

#include "optim/optimizer.h"

enum { RNL_OPTIM_STATES = 3 };

/* Which step this is. */
typedef struct rnl_optim_time {
  int64_t t; /* from 1 */
  double correction1, correction2; /* 1 - beta1^t and 1 - beta2^t, where the family corrects for its start */
} rnl_optim_time;

typedef struct rnl_optimizer_family {
  const char *name;
  int states; /* buffers of a parameter's size it keeps */
  double default_lr, default_momentum, default_eps;
  bool decoupled; /* weight decay acts on the parameter, not on the gradient */
  bool corrects;
  /* One step of one parameter of `count` elements. */
  void (*step)(const rnl_optimizer_options *options, const rnl_optim_time *at, bool f64, int64_t count,
               const void *grad, void *param, void *const state[RNL_OPTIM_STATES]);
} rnl_optimizer_family;

extern const rnl_optimizer_family rnl_optim_sgd, rnl_optim_momentum, rnl_optim_nesterov, rnl_optim_adam,
    rnl_optim_adam_tf, rnl_optim_amsgrad, rnl_optim_adamw, rnl_optim_rmsprop, rnl_optim_adagrad, rnl_optim_adadelta,
    rnl_optim_rprop;

#endif
