/* format/private.h: what the files of this room share. */
#ifndef RNL_FORMAT_PRIVATE_H
#define RNL_FORMAT_PRIVATE_H

#include "base/buffer.h"
#include "tensor/list.h"

enum { RNL_MAX_TENSORS = 200000 };           /* in one file */
#define RNL_MAX_FILE_BYTES ((size_t)1 << 34) /* 16 GiB */

/* Append the elements in row-major order of the view, little-endian. */
rnl_status rnl_tensor_to_bytes(rnl_buffer *out, const rnl_tensor *t, rnl_error *err);

/* A contiguous tensor from row-major little-endian bytes; `bytes` holds exactly its elements. */
rnl_status rnl_tensor_from_bytes(rnl_tensor *out, rnl_dtype dtype, int ndim, const int64_t *size,
                                 const void *bytes, rnl_error *err);

/* Product of sizes, each >= 0; false where it overflows. */
bool rnl_sizes_product(int ndim, const int64_t *size, int64_t *out);

/* Reverse the bytes of `count` elements of `width` bytes, in place. */
void rnl_swap_bytes(void *elements, size_t count, size_t width);

#endif
