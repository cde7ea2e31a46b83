/* rnn/lengths.c: see lengths.h. */
#include "rnn/lengths.h"

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"

rnl_status rnl_lengths_read(const rnl_tensor *given, const char *layer, int64_t batch, int64_t time, int64_t *lengths,
                            int64_t *least, rnl_error *err) {
  *least = time;
  for (int64_t b = 0; b < batch; b++) {
    const double value = given ? rnl_tensor_at(given, b) : (double)time;
    if (!(value >= 0 && value <= (double)time) || value != floor(value))
      return rnl_fail(err, RNL_ERR_ARG,
                      "layer %s: the length of sequence %lld is %g; expected a whole number from 0 to %lld", layer,
                      (long long)b + 1, value, (long long)time);
    lengths[b] = (int64_t)value;
    if (lengths[b] < *least) *least = lengths[b];
  }
  return RNL_OK;
}

void rnl_lengths_clear(const rnl_tensor *x, const int64_t *lengths, int64_t least) {
  const int64_t batch = x->size[0], time = x->size[1], features = x->size[2];
  const bool f64 = x->dtype == RNL_F64;
  if (x->layout == RNL_LAYOUT_LANES) {
    rnl_lane_kernels_of(f64, batch)->lane_clear(batch, rnl_tensor_lane_stride(x), least, time, features, lengths,
                                                rnl_tensor_data(x));
    return;
  }
  const int64_t size = (int64_t)rnl_dtype_size(x->dtype);
  const bool rows = x->stride[2] == 1 || features == 1; /* a step of a sequence lies together */
  for (int64_t t = least; t < time; t++)
    for (int64_t b = 0; b < batch; b++) {
      if (t < lengths[b]) continue;
      if (rows) {
        char *row = (char *)rnl_tensor_data(x) + (b * x->stride[0] + t * x->stride[1]) * size;
        memset(row, 0, (size_t)(features * size));
      } else {
        for (int64_t j = 0; j < features; j++) rnl_tensor_set(x, (int64_t[]){b, t, j}, 0);
      }
    }
}
