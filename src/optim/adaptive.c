/* optim/adaptive.c: steps scaled element by element from the gradients' history: Adagrad, RMSprop, Adadelta, Rprop.
 * Formulas: optimizer.h. */
#include <math.h>

#include "optim/elementwise.h"
#include "optim/family.h"

/* s += g^2;  p -= lr g / (sqrt(s) + eps) */
static void adagrad_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                         const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)at;
  RNL_EACH_ELEMENT(s0[i] += g[i] * g[i]; p[i] -= (real)o->lr * g[i] / (RNL_ROOT(s0[i]) + (real)o->eps););
}

/* s = alpha s + (1-alpha) g^2;  centered: m = alpha m + (1-alpha) g, d = sqrt(s - m^2) + eps, else d = sqrt(s) + eps;
 * v = momentum v + g / d;  p -= lr v */
static void rmsprop_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                         const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)at;
  RNL_EACH_ELEMENT(const real a = (real)o->alpha; s0[i] = a * s0[i] + (1 - a) * g[i] * g[i]; real square = s0[i];
                   if (o->centered) {
                     s1[i] = a * s1[i] + (1 - a) * g[i];
                     square -= s1[i] * s1[i];
                   }
                   if (square < 0) square = 0; /* rounding */
                   s2[i] = (real)o->momentum * s2[i] + g[i] / (RNL_ROOT(square) + (real)o->eps);
                   p[i] -= (real)o->lr * s2[i];);
}

/* s = rho s + (1-rho) g^2;  d = sqrt(u + eps) / sqrt(s + eps) g;  u = rho u + (1-rho) d^2;  p -= lr d */
static void adadelta_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                          const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  (void)at;
  RNL_EACH_ELEMENT(const real rho = (real)o->rho; const real eps = (real)o->eps;
                   s0[i] = rho * s0[i] + (1 - rho) * g[i] * g[i];
                   const real top = s1[i] + eps; const real bottom = s0[i] + eps;
                   const real d = RNL_ROOT(top) / RNL_ROOT(bottom) * g[i];
                   s1[i] = rho * s1[i] + (1 - rho) * d * d; p[i] -= (real)o->lr * d;);
}

/* Each element has its step, lr at first: grown by eta_plus while its gradient keeps its sign, shrunk by eta_minus
 * where it changes (that gradient then counts as 0), within [step_min, step_max];  p -= step sign(g) */
static void rprop_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                       const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  RNL_EACH_ELEMENT(if (at->t == 1) s0[i] = (real)o->lr; real now = g[i]; const real product = now * s1[i];
                   if (product > 0) s0[i] *= (real)o->eta_plus;
                   if (product < 0) {
                     s0[i] *= (real)o->eta_minus;
                     now = 0;
                   }
                   if (s0[i] > (real)o->step_max) s0[i] = (real)o->step_max;
                   if (s0[i] < (real)o->step_min) s0[i] = (real)o->step_min;
                   p[i] -= s0[i] * (real)((now > 0) - (now < 0)); s1[i] = now;);
}

const rnl_optimizer_family rnl_optim_adagrad = {
    .name = "adagrad", .states = 1, .default_lr = 0.01, .default_eps = 1e-10, .step = adagrad_step};
const rnl_optimizer_family rnl_optim_rmsprop = {
    .name = "rmsprop", .states = 3, .default_lr = 0.01, .default_eps = 1e-8, .step = rmsprop_step};
const rnl_optimizer_family rnl_optim_adadelta = {
    .name = "adadelta", .states = 2, .default_lr = 1, .default_eps = 1e-6, .step = adadelta_step};
const rnl_optimizer_family rnl_optim_rprop = {
    .name = "rprop", .states = 2, .default_lr = 0.01, .default_eps = 0, .step = rprop_step};
