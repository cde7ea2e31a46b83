/* optim/sgd.c: gradient descent, plain and with momentum. Formulas: optimizer.h. */
#include "kernel/kernel.h"
#include "optim/family.h"

static void sgd_step(const rnl_optimizer_options *options, int64_t t, bool f64, int64_t count,
                     const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)t, (void)state;
  rnl_kernels_of(f64)->axpy(count, -options->lr, grad, param);
}

/* v = momentum v + g;  p -= lr v */
static void momentum_step(const rnl_optimizer_options *options, int64_t t, bool f64, int64_t count,
                          const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)t;
  const rnl_kernels *k = rnl_kernels_of(f64);
  const double momentum = options->momentum;
  const float momentum_f32 = (float)momentum;
  void *velocity = state[0];
  k->binary(RNL_BINARY_MUL, count, velocity, 1, f64 ? (const void *)&momentum : &momentum_f32, 0, velocity);
  k->binary(RNL_BINARY_ADD, count, velocity, 1, grad, 1, velocity);
  k->axpy(count, -options->lr, velocity, param);
}

const rnl_optimizer_family rnl_optim_sgd = {.name = "sgd", .states = 0, .default_lr = 0.01, .step = sgd_step};
const rnl_optimizer_family rnl_optim_momentum = {
    .name = "momentum", .states = 1, .default_lr = 0.01, .step = momentum_step};
