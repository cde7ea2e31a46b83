/* optim/optimizer.c: options, state and the step over all parameters. */
#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "optim/family.h"

static const rnl_optimizer_family *const families[] = {
    [RNL_OPTIM_SGD] = &rnl_optim_sgd,
    [RNL_OPTIM_MOMENTUM] = &rnl_optim_momentum,
    [RNL_OPTIM_ADAM] = &rnl_optim_adam,
    [RNL_OPTIM_ADAM_TF] = &rnl_optim_adam_tf,
};
_Static_assert(sizeof families / sizeof *families == RNL_OPTIM_COUNT, "a family each");

struct rnl_optimizer {
  rnl_optimizer_options options;
  int64_t t; /* steps done */
  int n;
  rnl_var **parameters;
  rnl_tensor *state; /* [parameter][RNL_OPTIM_STATES], shaped as the parameter */
};

rnl_status rnl_optimizer_from_name(const char *name, rnl_optimizer_options *out, rnl_error *err) {
  for (int i = 0; i < RNL_OPTIM_COUNT; i++) {
    if (strcmp(families[i]->name, name) != 0) continue;
    *out = (rnl_optimizer_options){.kind = (rnl_optimizer_kind)i, .lr = families[i]->default_lr,
                                   .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_ARG, "no optimizer \"%s\"; there are sgd, momentum, adam, adam_tf", name);
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

void rnl_optimizer_step(rnl_optimizer *o) {
  const rnl_optimizer_family *family = families[o->options.kind];
  o->t++;
  for (int i = 0; i < o->n; i++) {
    const rnl_tensor *value = rnl_value(o->parameters[i]), *grad = rnl_grad(o->parameters[i]);
    if (!grad->storage) continue;
    void *state[RNL_OPTIM_STATES] = {NULL};
    for (int s = 0; s < family->states; s++) state[s] = rnl_tensor_data(&o->state[i * RNL_OPTIM_STATES + s]);
    family->step(&o->options, o->t, value->dtype == RNL_F64, rnl_tensor_numel(value), rnl_tensor_data(grad),
                 rnl_tensor_data(value), state);
  }
}
