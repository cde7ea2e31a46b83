/* optim/sgd.c: gradient descent, plain, with momentum and with Nesterov's. Formulas: optimizer.h. */
#include "kernel/kernel.h"
#include "optim/family.h"

static void sgd_step(const rnl_optimizer_options *options, const rnl_optim_time *at, bool f64, int64_t count,
                     const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)at, (void)state;
  rnl_kernels_of(f64)->axpy(count, -options->lr, grad, param);
}

/* v = momentum v + (1 - dampening) g, at first v = g */
static void update_velocity(const rnl_optimizer_options *options, const rnl_optim_time *at, bool f64, int64_t count,
                            const void *grad, void *velocity) {
  const rnl_kernels *k = rnl_kernels_of(f64);
  const double momentum = options->momentum;
  const float momentum_f32 = (float)momentum;
  k->binary(RNL_BINARY_MUL, count, velocity, 1, f64 ? (const void *)&momentum : &momentum_f32, 0, velocity);
  if (options->dampening == 0 || at->t == 1) k->binary(RNL_BINARY_ADD, count, velocity, 1, grad, 1, velocity);
  else k->axpy(count, 1 - options->dampening, grad, velocity);
}

/* p -= lr v */
static void momentum_step(const rnl_optimizer_options *options, const rnl_optim_time *at, bool f64, int64_t count,
                          const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  update_velocity(options, at, f64, count, grad, state[0]);
  rnl_kernels_of(f64)->axpy(count, -options->lr, state[0], param);
}

/* p -= lr (g + momentum v) */
static void nesterov_step(const rnl_optimizer_options *options, const rnl_optim_time *at, bool f64, int64_t count,
                          const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  update_velocity(options, at, f64, count, grad, state[0]);
  rnl_kernels_of(f64)->axpy(count, -options->lr, grad, param);
  rnl_kernels_of(f64)->axpy(count, -options->lr * options->momentum, state[0], param);
}

const rnl_optimizer_family rnl_optim_sgd = {.name = "sgd", .states = 0, .default_lr = 0.01, .step = sgd_step};
const rnl_optimizer_family rnl_optim_momentum = {
    .name = "momentum", .states = 1, .default_lr = 0.01, .default_momentum = 0.9, .step = momentum_step};
const rnl_optimizer_family rnl_optim_nesterov = {
    .name = "nesterov", .states = 1, .default_lr = 0.01, .default_momentum = 0.9, .step = nesterov_step};
