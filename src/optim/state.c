/* optim/state.c: an optimiser's state as named tensors, and back. */
#include <stdio.h>

#include "optim/private.h"

enum { T = 0, LR, KIND, NUMBERS };

typedef struct label {
  char text[40];
} label;

static label buffer_name(int parameter, int state) {
  label name;
  snprintf(name.text, sizeof name.text, "optim.%d.%d", parameter, state);
  return name;
}

rnl_status rnl_optimizer_save(const rnl_optimizer *o, rnl_tensors *into, rnl_error *err) {
  rnl_tensor numbers;
  RNL_TRY(rnl_tensor_new(&numbers, RNL_F64, 1, (int64_t[]){NUMBERS}, err));
  rnl_f64(&numbers)[T] = (double)o->t;
  rnl_f64(&numbers)[LR] = o->options.lr;
  rnl_f64(&numbers)[KIND] = o->options.kind;
  rnl_status status = rnl_tensors_append(into, "optim.t", &numbers, err);
  rnl_tensor_release(&numbers);
  for (int i = 0; i < o->n; i++)
    for (int s = 0; status == RNL_OK && s < rnl_optimizer_family_of(o)->states; s++)
      status = rnl_tensors_append(into, buffer_name(i, s).text, &o->state[i * RNL_OPTIM_STATES + s], err);
  return status;
}

static rnl_status check(const rnl_optimizer *o, const rnl_tensors *from, rnl_error *err) {
  const rnl_tensor *numbers = rnl_tensors_find(from, "optim.t");
  if (!numbers || numbers->dtype != RNL_F64 || rnl_tensor_numel(numbers) != NUMBERS ||
      rnl_tensor_at(numbers, KIND) != o->options.kind)
    return rnl_fail(err, RNL_ERR_FORMAT, "it holds no state of the optimizer %s", rnl_optimizer_family_of(o)->name);
  const double t = rnl_tensor_at(numbers, T), lr = rnl_tensor_at(numbers, LR);
  if (!(t >= 0 && t <= 0x1p53) || !(lr >= 0)) return rnl_fail(err, RNL_ERR_FORMAT, "its optimizer did %g steps", t);
  for (int i = 0; i < o->n; i++)
    for (int s = 0; s < rnl_optimizer_family_of(o)->states; s++) {
      const label name = buffer_name(i, s);
      const rnl_tensor *own = &o->state[i * RNL_OPTIM_STATES + s], *saved = rnl_tensors_find(from, name.text);
      if (!saved || saved->dtype != own->dtype || !rnl_tensor_same_shape(saved, own))
        return rnl_fail(err, RNL_ERR_FORMAT, "\"%s\" is missing or has another shape", name.text);
    }
  return RNL_OK;
}

rnl_status rnl_optimizer_load(rnl_optimizer *o, const rnl_tensors *from, rnl_error *err) {
  RNL_TRY(check(o, from, err));
  const rnl_tensor *numbers = rnl_tensors_find(from, "optim.t");
  o->t = (int64_t)rnl_tensor_at(numbers, T);
  o->options.lr = rnl_tensor_at(numbers, LR);
  for (int i = 0; i < o->n; i++)
    for (int s = 0; s < rnl_optimizer_family_of(o)->states; s++)
      RNL_TRY(rnl_tensor_copy(&o->state[i * RNL_OPTIM_STATES + s], rnl_tensors_find(from, buffer_name(i, s).text),
                              err));
  return RNL_OK;
}
