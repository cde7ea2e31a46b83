/* format/safetensors.c: safetensors as bytes and back. */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "format/private.h"

enum { MAX_HEADER = 100000000 /* as the format's own library */, ALIGNMENT = 8 };

/* ---- writing -------------------------------------------------------------------------------- */

static json_t *describe(const rnl_tensor *t, size_t begin, size_t end) {
  json_t *shape = json_array();
  for (int i = 0; shape && i < t->ndim; i++)
    if (json_array_append_new(shape, json_integer(t->size[i]))) break;
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->dtype == RNL_F32 ? "F32" : "F64", "shape", shape,
                   "data_offsets", (json_int_t)begin, (json_int_t)end);
}

/* The header as an object, its tensors in the order of their data: the float64 ones first, so that
 * every element lies aligned. */
static rnl_status make_header(json_t *header, const rnl_tensors *list, const json_t *metadata,
                              rnl_error *err) {
  if (json_object_size(metadata) > 0 &&
      json_object_set(header, "__metadata__", (json_t *)metadata))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while writing a safetensors header");
  size_t at = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t i = 0; i < list->count; i++) {
      const rnl_named_tensor *item = &list->items[i];
      if ((item->tensor.dtype == RNL_F32) != (pass == 1)) continue;
      size_t end = at + (size_t)rnl_tensor_numel(&item->tensor) * rnl_dtype_size(item->tensor.dtype);
      if (strcmp(item->name, "__metadata__") == 0 || json_object_get(header, item->name))
        return rnl_fail(err, RNL_ERR_ARG, "\"%.80s\" cannot name a tensor, or is there twice", item->name);
      if (json_object_set_new(header, item->name, describe(&item->tensor, at, end)))
        return rnl_fail(err, RNL_ERR_ARG, "tensor name \"%.80s\" is no UTF-8 text", item->name);
      at = end;
    }
  }
  return RNL_OK;
}

static rnl_status check_metadata(const json_t *metadata, rnl_error *err) {
  const char *key;
  json_t *value;
  if (metadata && !json_is_object(metadata))
    return rnl_fail(err, RNL_ERR_ARG, "safetensors metadata must be an object");
  json_object_foreach((json_t *)metadata, key, value)
    if (!json_is_string(value))
      return rnl_fail(err, RNL_ERR_ARG, "safetensors metadata \"%.80s\" must be text", key);
  return RNL_OK;
}

rnl_status rnl_safetensors_encode(rnl_buffer *out, const rnl_tensors *list, const json_t *metadata,
                                  rnl_error *err) {
  RNL_TRY(check_metadata(metadata, err));
  json_t *header = json_object();
  rnl_status status = header ? make_header(header, list, metadata, err)
                             : rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  char *text = status == RNL_OK ? json_dumps(header, JSON_COMPACT) : NULL;
  json_decref(header);
  if (status != RNL_OK) return status;
  if (!text) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while writing a safetensors header");
  size_t length = strlen(text), padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  for (int i = 0; i < 8; i++) rnl_buffer_char(out, (char)((uint64_t)padded >> 8 * i & 0xff));
  rnl_buffer_append(out, text, length);
  free(text);
  while (length++ < padded) rnl_buffer_char(out, ' ');
  status = rnl_buffer_check(out, "a safetensors header", err);
  for (int pass = 0; pass < 2; pass++)
    for (int64_t i = 0; status == RNL_OK && i < list->count; i++)
      if ((list->items[i].tensor.dtype == RNL_F32) == (pass == 1))
        status = rnl_tensor_to_bytes(out, &list->items[i].tensor, err);
  return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct entry {
  const char *name;
  rnl_dtype dtype;
  int ndim;
  int64_t size[RNL_MAX_DIMS];
  int64_t begin, end; /* in the data */
} entry;

static bool natural(const json_t *value, int64_t *out) {
  *out = json_integer_value(value);
  return json_is_integer(value) && *out >= 0;
}

static rnl_status read_entry(entry *out, const char *name, const json_t *value, size_t data_length,
                             const char *what, rnl_error *err) {
  const json_t *shape = json_object_get(value, "shape"), *offsets = json_object_get(value, "data_offsets");
  const char *dtype = json_string_value(json_object_get(value, "dtype"));
  *out = (entry){ .name = name };
  if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2 ||
      !natural(json_array_get(offsets, 0), &out->begin) || !natural(json_array_get(offsets, 1), &out->end))
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: tensor \"%.80s\" lacks a proper dtype, shape or data_offsets",
                    what, name);
  if (strcmp(dtype, "F32") != 0 && strcmp(dtype, "F64") != 0)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: tensor \"%.80s\" has dtype %.20s; F32 and F64 can be read",
                    what, name, dtype);
  out->dtype = dtype[1] == '3' ? RNL_F32 : RNL_F64;
  if (json_array_size(shape) > RNL_MAX_DIMS)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: tensor \"%.80s\" has %zu dimensions; at most %d can be read",
                    what, name, json_array_size(shape), RNL_MAX_DIMS);
  out->ndim = (int)json_array_size(shape);
  int64_t count, bytes;
  for (int i = 0; i < out->ndim; i++)
    if (!natural(json_array_get(shape, (size_t)i), &out->size[i]))
      return rnl_fail(err, RNL_ERR_FORMAT, "%s: tensor \"%.80s\" has a size that is no natural number", what,
                      name);
  if (!rnl_sizes_product(out->ndim, out->size, &count) ||
      !rnl_mul_i64(count, (int64_t)rnl_dtype_size(out->dtype), &bytes) || out->begin > out->end ||
      out->end - out->begin != bytes || (uint64_t)out->end > data_length) {
    char text[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_FORMAT,
                    "%s: tensor \"%.80s\": shape %s does not fit bytes %lld to %lld of the %zu there", what,
                    name, rnl_shape_text(text, out->ndim, out->size), (long long)out->begin,
                    (long long)out->end, data_length);
  }
  return RNL_OK;
}

static int by_offset(const void *left, const void *right) {
  const entry *a = left, *b = right;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return (a->end > b->end) - (a->end < b->end);
}

static rnl_status read_metadata(json_t **out, const json_t *value, const char *what, rnl_error *err) {
  if (value && check_metadata(value, NULL) != RNL_OK)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: __metadata__ must map text to text", what);
  if (!out) return RNL_OK;
  *out = value ? json_deep_copy(value) : json_object();
  return *out ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* The tensors of the header, in the order of their data, which they must fill without gap or overlap. */
static rnl_status read_tensors(rnl_tensors *list, json_t *header, entry *entries, const char *data,
                               size_t data_length, const char *what, rnl_error *err) {
  const char *name;
  json_t *value;
  size_t count = 0;
  json_object_foreach(header, name, value) {
    if (strcmp(name, "__metadata__") == 0) continue;
    RNL_TRY(read_entry(&entries[count++], name, value, data_length, what, err));
  }
  qsort(entries, count, sizeof *entries, by_offset);
  int64_t at = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].begin != at)
      return rnl_fail(err, RNL_ERR_FORMAT, "%s: tensor \"%.80s\" begins at byte %lld, not where the one "
                      "before it ends (%lld)", what, entries[i].name, (long long)entries[i].begin,
                      (long long)at);
    at = entries[i].end;
  }
  if ((uint64_t)at != data_length)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: has %zu bytes of data; its tensors take %lld", what,
                    data_length, (long long)at);
  for (size_t i = 0; i < count; i++) {
    rnl_tensor tensor;
    RNL_TRY(rnl_tensor_from_bytes(&tensor, entries[i].dtype, entries[i].ndim, entries[i].size,
                                  data + entries[i].begin, err));
    rnl_status status = rnl_tensors_append(list, entries[i].name, &tensor, err);
    rnl_tensor_release(&tensor);
    if (status != RNL_OK) return status;
  }
  return RNL_OK;
}

rnl_status rnl_safetensors_decode(rnl_tensors *list, json_t **metadata, const void *bytes,
                                  size_t length, const char *what, rnl_error *err) {
  const unsigned char *p = bytes;
  uint64_t header_length = 0;
  if (metadata) *metadata = NULL;
  for (int i = 0; i < 8 && length >= 8; i++) header_length |= (uint64_t)p[i] << 8 * i;
  if (length < 8 || header_length > MAX_HEADER || header_length > length - 8)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: is no safetensors file (header of %llu bytes in %zu)", what,
                    (unsigned long long)header_length, length);
  json_error_t problem;
  const char *text = (const char *)p + 8;
  json_t *header = header_length > 0 && text[0] == '{'
                       ? json_loadb(text, header_length, JSON_REJECT_DUPLICATES, &problem)
                       : NULL;
  if (!header) {
    if (header_length == 0 || text[0] != '{') strcpy(problem.text, "it does not begin with '{'");
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: bad safetensors header: %s", what, problem.text);
  }
  size_t count = json_object_size(header);
  rnl_status status = RNL_OK;
  entry *entries = NULL;
  if (count > RNL_MAX_TENSORS) {
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: has %zu tensors; at most %d are accepted", what, count,
                      RNL_MAX_TENSORS);
  } else if (!(entries = rnl_alloc(count, sizeof *entries))) {
    status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
  }
  if (status == RNL_OK)
    status = read_metadata(metadata, json_object_get(header, "__metadata__"), what, err);
  if (status == RNL_OK)
    status = read_tensors(list, header, entries, text + header_length, length - 8 - (size_t)header_length,
                          what, err);
  rnl_free(entries);
  json_decref(header);
  if (status != RNL_OK) {
    rnl_tensors_free(list);
    if (metadata) {
      json_decref(*metadata);
      *metadata = NULL;
    }
  }
  return status;
}

/* ---- files ---------------------------------------------------------------------------------- */

rnl_status rnl_safetensors_write(const char *path, const rnl_tensors *list, const json_t *metadata,
                                 rnl_error *err) {
  rnl_buffer bytes = { 0 };
  rnl_status status = rnl_safetensors_encode(&bytes, list, metadata, err);
  if (status != RNL_OK) rnl_error_prefix(err, "%s", path);
  else status = rnl_file_write(path, bytes.data, bytes.length, RNL_DURABLE, err);
  rnl_buffer_free(&bytes);
  return status;
}

rnl_status rnl_safetensors_read(rnl_tensors *list, json_t **metadata, const char *path,
                                rnl_error *err) {
  rnl_buffer bytes = { 0 };
  if (metadata) *metadata = NULL;
  rnl_status status = rnl_file_read(path, RNL_MAX_FILE_BYTES, &bytes, err);
  if (status == RNL_OK)
    status = rnl_safetensors_decode(list, metadata, rnl_buffer_string(&bytes), bytes.length, path, err);
  rnl_buffer_free(&bytes);
  return status;
}
