/* format/safetensors.h owns safetensors files (8 bytes of header length, a JSON header, the data):
 * dtypes F32 and F64, names, and the string-to-string "__metadata__".
 *
 * Read as the format's own library does: the header at most 100 MB and inside the file, every offset
 * against its shape with checked products, no overlap, no hole, no bytes left over, no duplicate names. */
#ifndef RNL_FORMAT_SAFETENSORS_H
#define RNL_FORMAT_SAFETENSORS_H

#include <jansson.h>

#include "base/buffer.h"
#include "tensor/list.h"

/* `metadata`: an object whose values are strings, or NULL. Same input, same bytes. */
rnl_status rnl_safetensors_encode(rnl_buffer *out, const rnl_tensors *list, const json_t *metadata,
                                  rnl_error *err);
/* Appends to `list` (all zeros at first; freed on error). *metadata (may be NULL) gets a new object, empty
 * where the file has none. `what` names the bytes in errors. */
rnl_status rnl_safetensors_decode(rnl_tensors *list, json_t **metadata, const void *bytes,
                                  size_t length, const char *what, rnl_error *err);

/* Durable and atomic, as base/file.h. */
rnl_status rnl_safetensors_write(const char *path, const rnl_tensors *list, const json_t *metadata,
                                 rnl_error *err);
rnl_status rnl_safetensors_read(rnl_tensors *list, json_t **metadata, const char *path,
                                rnl_error *err);

#endif
