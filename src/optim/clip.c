/* optim/clip.c: clipping of gradients before a step. */
#include <math.h>

#include "grad/elementwise.h"
#include "kernel/kernel.h"
#include "optim/optimizer.h"

double rnl_clip_norm(int n, rnl_var *const *parameters, double max_norm) {
  double squares = 0;
  for (int i = 0; i < n; i++) {
    const rnl_tensor *grad = rnl_grad(parameters[i]);
    if (grad->storage)
      squares += rnl_kernels_of(grad->dtype == RNL_F64)
                     ->sum_squares(rnl_tensor_numel(grad), rnl_tensor_data(grad));
  }
  const double norm = sqrt(squares);
  if (norm > max_norm)
    for (int i = 0; i < n; i++) {
      const rnl_tensor *grad = rnl_grad(parameters[i]);
      if (grad->storage) rnl_scale_into(grad, max_norm / norm, grad, false);
    }
  return norm;
}

void rnl_clip_value(int n, rnl_var *const *parameters, double limit) {
  for (int i = 0; i < n; i++) {
    const rnl_tensor *grad = rnl_grad(parameters[i]);
    if (!grad->storage) continue;
    const rnl_kernels *k = rnl_kernels_of(grad->dtype == RNL_F64);
    const float high_f32 = (float)limit, low_f32 = -high_f32;
    const double low = -limit;
    const bool f64 = grad->dtype == RNL_F64;
    const int64_t count = rnl_tensor_numel(grad);
    void *g = rnl_tensor_data(grad);
    k->binary(RNL_BINARY_MIN, count, g, 1, f64 ? (const void *)&limit : &high_f32, 0, g);
    k->binary(RNL_BINARY_MAX, count, g, 1, f64 ? (const void *)&low : &low_f32, 0, g);
  }
}
