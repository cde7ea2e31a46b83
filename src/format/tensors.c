/* format/tensors.c: tensors as bytes. */
#include <string.h>

#include "base/alloc.h"
#include "format/private.h"

bool rnl_sizes_product(int ndim, const int64_t *size, int64_t *out) {
  bool empty = false;
  *out = 1;
  for (int i = 0; i < ndim; i++) empty = empty || size[i] == 0;
  for (int i = 0; i < ndim && !empty; i++)
    if (!rnl_mul_i64(*out, size[i], out)) return false;
  if (empty) *out = 0;
  return true;
}

void rnl_swap_bytes(void *elements, size_t count, size_t width) {
  unsigned char *p = elements;
  for (size_t i = 0; i < count; i++, p += width) {
    for (size_t a = 0, b = width - 1; a < b; a++, b--) {
      unsigned char byte = p[a];
      p[a] = p[b];
      p[b] = byte;
    }
  }
}

static void to_little_endian(void *elements, size_t count, size_t width) {
  if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) rnl_swap_bytes(elements, count, width);
}

rnl_status rnl_tensor_to_bytes(rnl_buffer *out, const rnl_tensor *t, rnl_error *err) {
  size_t count = (size_t)rnl_tensor_numel(t), width = rnl_dtype_size(t->dtype), bytes;
  if (count == 0) return RNL_OK;
  if (!rnl_mul_size(count, width, &bytes) || !rnl_buffer_reserve(out, bytes))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the bytes of a tensor");
  char *p = out->data + out->length;
  rnl_walk walk;
  rnl_walk_begin(&walk, 1, (const rnl_tensor *const[]){ t });
  do {
    if (walk.step[0] == 1) {
      memcpy(p, walk.data[0], (size_t)walk.length * width);
      p += (size_t)walk.length * width;
    } else {
      for (int64_t i = 0; i < walk.length; i++, p += width)
        memcpy(p, walk.data[0] + i * walk.step[0] * (int64_t)width, width);
    }
  } while (rnl_walk_next(&walk));
  to_little_endian(out->data + out->length, count, width);
  out->length += bytes;
  out->data[out->length] = '\0';
  return RNL_OK;
}

rnl_status rnl_tensor_from_bytes(rnl_tensor *out, rnl_dtype dtype, int ndim, const int64_t *size,
                                 const void *bytes, rnl_error *err) {
  RNL_TRY(rnl_tensor_new(out, dtype, ndim, size, err));
  size_t count = (size_t)rnl_tensor_numel(out), width = rnl_dtype_size(dtype);
  if (count == 0) return RNL_OK;
  memcpy(rnl_tensor_data(out), bytes, count * width);
  to_little_endian(rnl_tensor_data(out), count, width);
  return RNL_OK;
}
