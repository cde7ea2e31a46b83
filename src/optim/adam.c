/* optim/adam.c: Adam in both published forms, which differ in where eps stands. Formulas: optimizer.h. */
#include <math.h>

#include "kernel/kernel.h"
#include "optim/family.h"

static void adam_step(const rnl_optimizer_options *o, int64_t t, bool f64, int64_t count, const void *grad,
                      void *param, void *const state[RNL_OPTIM_STATES]) {
  const rnl_adam_step step = {.beta1 = o->beta1, .beta2 = o->beta2,
                              .step_size = o->lr / (1 - pow(o->beta1, (double)t)),
                              .root_scale = 1 / sqrt(1 - pow(o->beta2, (double)t)), .eps = o->eps};
  rnl_kernels_of(f64)->adam(count, &step, grad, param, state[0], state[1]);
}

static void adam_tf_step(const rnl_optimizer_options *o, int64_t t, bool f64, int64_t count,
                         const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  const rnl_adam_step step = {
      .beta1 = o->beta1, .beta2 = o->beta2,
      .step_size = o->lr * sqrt(1 - pow(o->beta2, (double)t)) / (1 - pow(o->beta1, (double)t)),
      .root_scale = 1, .eps = o->eps};
  rnl_kernels_of(f64)->adam(count, &step, grad, param, state[0], state[1]);
}

const rnl_optimizer_family rnl_optim_adam = {
    .name = "adam", .states = 2, .default_lr = 0.001, .step = adam_step};
const rnl_optimizer_family rnl_optim_adam_tf = {
    .name = "adam_tf", .states = 2, .default_lr = 0.001, .step = adam_tf_step};
