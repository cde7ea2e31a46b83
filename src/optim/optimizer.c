/* optim/optimizer.c: options, state and the step over all parameters. */
#include "optim/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "kernel/kernel.h"
#include "optim/private.h"

static const rnl_optimizer_family *const families[] = {
    [RNL_OPTIM_SGD] = &rnl_optim_sgd,
    [RNL_OPTIM_MOMENTUM] = &rnl_optim_momentum,
    [RNL_OPTIM_NESTEROV] = &rnl_optim_nesterov,
    [RNL_OPTIM_ADAM] = &rnl_optim_adam,
    [RNL_OPTIM_ADAM_TF] = &rnl_optim_adam_tf,
    [RNL_OPTIM_ADAMW] = &rnl_optim_adamw,
    [RNL_OPTIM_AMSGRAD] = &rnl_optim_amsgrad,
    [RNL_OPTIM_RMSPROP] = &rnl_optim_rmsprop,
    [RNL_OPTIM_ADAGRAD] = &rnl_optim_adagrad,
    [RNL_OPTIM_ADADELTA] = &rnl_optim_adadelta,
    [RNL_OPTIM_RPROP] = &rnl_optim_rprop,
};
_Static_assert(sizeof families / sizeof *families == RNL_OPTIM_COUNT, "a family each");

const rnl_optimizer_family *rnl_optimizer_family_of(const rnl_optimizer *o) { return families[o->options.kind]; }

rnl_status rnl_optimizer_from_name(const char *name, rnl_optimizer_options *out, rnl_error *err) {
  char list[160] = "";
  size_t used = 0;
  for (int i = 0; i < RNL_OPTIM_COUNT; i++) {
    const rnl_optimizer_family *family = families[i];
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", family->name);
    if (strcmp(family->name, name) != 0) continue;
    *out = (rnl_optimizer_options){.kind = (rnl_optimizer_kind)i, .lr = family->default_lr,
                                   .momentum = family->default_momentum, .beta1 = 0.9, .beta2 = 0.999,
                                   .eps = family->default_eps, .weight_decay = family->decoupled ? 0.01 : 0,
                                   .alpha = 0.99, .rho = 0.9, .eta_minus = 0.5, .eta_plus = 1.2, .step_min = 1e-6,
                                   .step_max = 50};
    return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_ARG, "no optimizer \"%s\"; there are %s", name, list);
}

static rnl_status check(const char *name, double value, double high, rnl_error *err) {
  if (value >= 0 && (value < high || (isinf(high) && !isinf(value)))) return RNL_OK;
  if (isinf(high)) return rnl_fail(err, RNL_ERR_ARG, "optimizer: %s is %g; it must be a number from 0 up", name, value);
  return rnl_fail(err, RNL_ERR_ARG, "optimizer: %s is %g; it must lie in [0, %g)", name, value, high);
}

rnl_status rnl_optimizer_new(rnl_optimizer **out, const rnl_optimizer_options *options, int n,
                             rnl_var *const *parameters, rnl_error *err) {
  *out = NULL;
  RNL_TRY(check("lr", options->lr, INFINITY, err));
  RNL_TRY(check("momentum", options->momentum, 1, err));
  RNL_TRY(check("beta1", options->beta1, 1, err));
  RNL_TRY(check("beta2", options->beta2, 1, err));
  RNL_TRY(check("eps", options->eps, INFINITY, err));
  RNL_TRY(check("weight_decay", options->weight_decay, INFINITY, err));
  RNL_TRY(check("alpha", options->alpha, 1, err));
  RNL_TRY(check("rho", options->rho, 1, err));
  RNL_TRY(check("eta_minus", options->eta_minus, 1, err));
  if (!(options->dampening >= 0 && options->dampening <= 1))
    return rnl_fail(err, RNL_ERR_ARG, "optimizer: dampening is %g; it must lie in [0, 1]", options->dampening);
  if (!(options->eta_plus > 1) || !(options->step_min > 0 && options->step_min <= options->step_max))
    return rnl_fail(err, RNL_ERR_ARG, "optimizer: rprop needs eta_plus > 1 and 0 < step_min <= step_max");
  for (int i = 0; i < n; i++)
    if (!rnl_tensor_is_contiguous(rnl_value(parameters[i])))
      return rnl_fail(err, RNL_ERR_ARG, "optimizer: parameter %s is a view with gaps; give a contiguous tensor",
                      parameters[i]->name ? parameters[i]->name : "?");
  rnl_optimizer *o = rnl_alloc(1, sizeof *o);
  if (!o) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for an optimizer");
  o->options = *options;
  o->parameters = rnl_alloc((size_t)n + 1, sizeof *o->parameters);
  o->state = rnl_alloc((size_t)n * RNL_OPTIM_STATES + 1, sizeof *o->state);
  rnl_status status = o->parameters && o->state ? RNL_OK
                                                : rnl_fail(err, RNL_ERR_MEMORY, "out of memory for an optimizer");
  for (int i = 0; status == RNL_OK && i < n; i++) {
    o->parameters[o->n++] = rnl_var_ref(parameters[i]);
    const rnl_tensor *p = rnl_value(parameters[i]);
    for (int s = 0; status == RNL_OK && s < families[options->kind]->states; s++)
      status = rnl_tensor_new(&o->state[i * RNL_OPTIM_STATES + s], p->dtype, p->ndim, p->size, err);
  }
  if (status == RNL_OK) *out = o;
  else rnl_optimizer_free(o);
  return status;
}

void rnl_optimizer_free(rnl_optimizer *o) {
  if (!o) return;
  for (int i = 0; i < o->n; i++) {
    for (int s = 0; s < RNL_OPTIM_STATES; s++) rnl_tensor_release(&o->state[i * RNL_OPTIM_STATES + s]);
    rnl_var_release(o->parameters[i]);
  }
  rnl_free(o->state);
  rnl_free(o->parameters);
  rnl_free(o);
}

void rnl_optimizer_set_lr(rnl_optimizer *o, double lr) {
  o->options.lr = lr;
}
double rnl_optimizer_lr(const rnl_optimizer *o) {
  return o->options.lr;
}
int64_t rnl_optimizer_steps(const rnl_optimizer *o) {
  return o->t;
}

/* g += weight_decay p; decoupled: p -= lr weight_decay p */
static void decay(const rnl_optimizer_options *options, bool decoupled, const rnl_tensor *value,
                  const rnl_tensor *grad) {
  if (options->weight_decay == 0) return;
  const double scale = decoupled ? -options->lr * options->weight_decay : options->weight_decay;
  rnl_kernels_of(value->dtype == RNL_F64)->axpy(rnl_tensor_numel(value), scale, rnl_tensor_data(value),
                                                rnl_tensor_data(decoupled ? value : grad));
}

void rnl_optimizer_step(rnl_optimizer *o) {
  const rnl_optimizer_family *family = families[o->options.kind];
  const double t = (double)++o->t;
  rnl_optim_time at = {.t = o->t};
  if (family->corrects) {
    at.correction1 = 1 - pow(o->options.beta1, t);
    at.correction2 = 1 - pow(o->options.beta2, t);
  }
  for (int i = 0; i < o->n; i++) {
    const rnl_tensor *value = rnl_value(o->parameters[i]), *grad = rnl_grad(o->parameters[i]);
    if (!grad->storage) continue;
    void *state[RNL_OPTIM_STATES] = {NULL};
    decay(&o->options, family->decoupled, value, grad);
    for (int s = 0; s < family->states; s++) state[s] = rnl_tensor_data(&o->state[i * RNL_OPTIM_STATES + s]);
    family->step(&o->options, &at, value->dtype == RNL_F64, rnl_tensor_numel(value), rnl_tensor_data(grad),
                 rnl_tensor_data(value), state);
  }
}
