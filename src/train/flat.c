/* train/flat.c: parameters as one vector. */
#include "train/flat.h"

int64_t rnl_flat_count(int n, rnl_var *const *parameters) {
  int64_t count = 0;
  for (int i = 0; i < n; i++) count += rnl_tensor_numel(rnl_value(parameters[i]));
  return count;
}

/* Parameters are contiguous, and so are their gradients. */
static void read(const rnl_tensor *t, int64_t count, double *out) {
  if (!t->storage)
    for (int64_t k = 0; k < count; k++) out[k] = 0;
  else if (t->dtype == RNL_F64)
    for (int64_t k = 0; k < count; k++) out[k] = rnl_f64(t)[k];
  else
    for (int64_t k = 0; k < count; k++) out[k] = (double)rnl_f32(t)[k];
}
static void write(const rnl_tensor *t, int64_t count, const double *from) {
  if (!t->storage) return;
  if (t->dtype == RNL_F64)
    for (int64_t k = 0; k < count; k++) rnl_f64(t)[k] = from[k];
  else
    for (int64_t k = 0; k < count; k++) rnl_f32(t)[k] = (float)from[k];
}

void rnl_flat_values(int n, rnl_var *const *parameters, double *out) {
  for (int i = 0; i < n; out += rnl_tensor_numel(rnl_value(parameters[i])), i++)
    read(rnl_value(parameters[i]), rnl_tensor_numel(rnl_value(parameters[i])), out);
}
void rnl_flat_gradients(int n, rnl_var *const *parameters, double *out) {
  for (int i = 0; i < n; out += rnl_tensor_numel(rnl_value(parameters[i])), i++)
    read(rnl_grad(parameters[i]), rnl_tensor_numel(rnl_value(parameters[i])), out);
}
void rnl_flat_set_values(int n, rnl_var *const *parameters, const double *from) {
  for (int i = 0; i < n; from += rnl_tensor_numel(rnl_value(parameters[i])), i++)
    write(rnl_value(parameters[i]), rnl_tensor_numel(rnl_value(parameters[i])), from);
}
void rnl_flat_set_gradients(int n, rnl_var *const *parameters, const double *from) {
  for (int i = 0; i < n; from += rnl_tensor_numel(rnl_value(parameters[i])), i++)
    write(rnl_grad(parameters[i]), rnl_tensor_numel(rnl_value(parameters[i])), from);
}

double rnl_flat_dot(int64_t n, const double *a, const double *b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}
