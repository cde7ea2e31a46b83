/* format/npy.c: one NumPy array as bytes and back.
 *
 * A file is "\x93NUMPY", two version bytes, the header's length (2 bytes, from version 2 on 4), the
 * header (a Python dict as text, padded to a multiple of 64 with blanks and a newline), the elements. */
#include "format/npy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "format/private.h"

static const char magic[6] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };

/* ---- writing -------------------------------------------------------------------------------- */

rnl_status rnl_npy_encode(rnl_buffer *out, const rnl_tensor *t, rnl_error *err) {
  rnl_buffer header = { 0 };
  rnl_buffer_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                    t->dtype == RNL_F32 ? "<f4" : "<f8");
  for (int i = 0; i < t->ndim; i++)
    rnl_buffer_printf(&header, "%s%lld%s", i ? ", " : "", (long long)t->size[i], t->ndim == 1 ? "," : "");
  rnl_buffer_text(&header, "), }");
  while ((10 + header.length + 1) % 64 != 0 && !header.failed) rnl_buffer_char(&header, ' ');
  rnl_buffer_char(&header, '\n');
  rnl_buffer_append(out, magic, sizeof magic);
  rnl_buffer_append(out, "\1\0", 2);
  rnl_buffer_char(out, (char)(header.length & 0xff));
  rnl_buffer_char(out, (char)(header.length >> 8));
  if (!header.failed) rnl_buffer_append(out, header.data, header.length);
  rnl_status status = rnl_buffer_check(&header, "an npy header", err);
  rnl_buffer_free(&header);
  if (status == RNL_OK) status = rnl_buffer_check(out, "an npy header", err);
  return status == RNL_OK ? rnl_tensor_to_bytes(out, t, err) : status;
}

/* ---- the header ----------------------------------------------------------------------------- */

typedef struct npy_header {
  char order;    /* '<', '>', '=' or '|' */
  char kind;     /* 'f', 'i', 'u', 'b' */
  size_t width;  /* bytes an element */
  bool fortran;
  int ndim;
  int64_t size[RNL_MAX_DIMS];
} npy_header;

typedef struct reader { /* the header's text still to be read */
  const char *p, *end;
  const char *what;
  rnl_error *err;
} reader;

static rnl_status bad_header(reader *r, const char *expected) {
  return rnl_fail(r->err, RNL_ERR_FORMAT, "%s: bad npy header: %s", r->what, expected);
}

static void skip_blanks(reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t')) r->p++;
}

static bool take(reader *r, char c) {
  skip_blanks(r);
  if (r->p >= r->end || *r->p != c) return false;
  r->p++;
  return true;
}

/* A quoted word without escapes into text[16]. */
static bool take_word(reader *r, char text[16]) {
  skip_blanks(r);
  if (r->p >= r->end || (*r->p != '\'' && *r->p != '"')) return false;
  char quote = *r->p++;
  size_t n = 0;
  while (r->p < r->end && *r->p != quote && n < 15) text[n++] = *r->p++;
  text[n] = '\0';
  return take(r, quote);
}

static rnl_status read_descr(reader *r, npy_header *header) {
  char text[16];
  skip_blanks(r);
  if (r->p < r->end && *r->p == '[')
    return rnl_fail(r->err, RNL_ERR_FORMAT, "%s: holds a structured array; plain numbers are expected",
                    r->what);
  if (!take_word(r, text)) return bad_header(r, "'descr' is no short string");
  const char *p = text;
  header->order = strchr("<>=|", *p) && *p ? *p++ : '=';
  header->kind = *p ? *p++ : '\0';
  header->width = *p >= '1' && *p <= '9' && p[1] == '\0' ? (size_t)(*p - '0') : 0;
  size_t w = header->width;
  bool good = header->kind == 'f' ? w == 4 || w == 8
              : header->kind == 'i' || header->kind == 'u' ? w == 1 || w == 2 || w == 4 || w == 8
                                                           : header->kind == 'b' && w == 1;
  if (good && (w == 1 || header->order != '|')) return RNL_OK;
  return rnl_fail(r->err, RNL_ERR_FORMAT,
                  "%s: has elements of type '%s'%s; float32, float64, integers and bool can be read",
                  r->what, text, header->kind == 'O' ? " (Python objects)" : "");
}

static rnl_status read_shape(reader *r, npy_header *header) {
  if (!take(r, '(')) return bad_header(r, "'shape' is no tuple");
  while (!take(r, ')')) {
    int64_t size = 0;
    skip_blanks(r);
    const char *start = r->p;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
      if (!rnl_mul_i64(size, 10, &size) || __builtin_add_overflow(size, *r->p - '0', &size))
        return bad_header(r, "a size in 'shape' is too large");
    if (r->p == start) return bad_header(r, "'shape' holds something other than sizes");
    if (r->p < r->end && *r->p == 'L') r->p++; /* as Python 2 wrote */
    if (header->ndim == RNL_MAX_DIMS)
      return rnl_fail(r->err, RNL_ERR_FORMAT, "%s: has more than %d dimensions", r->what, RNL_MAX_DIMS);
    header->size[header->ndim++] = size;
    skip_blanks(r);
    if (!take(r, ',') && (r->p >= r->end || *r->p != ')')) return bad_header(r, "'shape' does not end");
  }
  return RNL_OK;
}

static rnl_status read_order(reader *r, npy_header *header) {
  skip_blanks(r);
  size_t left = (size_t)(r->end - r->p);
  if (left >= 4 && memcmp(r->p, "True", 4) == 0) {
    header->fortran = true;
    r->p += 4;
  } else if (left >= 5 && memcmp(r->p, "False", 5) == 0) {
    r->p += 5;
  } else {
    return bad_header(r, "'fortran_order' is neither True nor False");
  }
  return RNL_OK;
}

static rnl_status read_header(reader *r, npy_header *header) {
  unsigned seen = 0;
  if (!take(r, '{')) return bad_header(r, "it is no dict");
  while (!take(r, '}')) {
    char key[16];
    if (!take_word(r, key) || !take(r, ':')) return bad_header(r, "a key is expected");
    unsigned bit = strcmp(key, "descr") == 0           ? 1
                   : strcmp(key, "fortran_order") == 0 ? 2
                   : strcmp(key, "shape") == 0         ? 4
                                                       : 0;
    if (bit == 0 || (seen & bit)) return bad_header(r, "a key is unknown or there twice");
    seen |= bit;
    RNL_TRY(bit == 1 ? read_descr(r, header) : bit == 2 ? read_order(r, header) : read_shape(r, header));
    skip_blanks(r);
    if (!take(r, ',') && (r->p >= r->end || *r->p != '}')) return bad_header(r, "it does not end");
  }
  skip_blanks(r);
  if (seen != 7) return bad_header(r, "'descr', 'fortran_order' or 'shape' is missing");
  return r->p == r->end ? RNL_OK : bad_header(r, "text behind the dict");
}

/* ---- the elements --------------------------------------------------------------------------- */

/* One element, native byte order, as a double; false for an integer a double cannot hold. */
static bool element_value(const npy_header *header, const void *element, double *out) {
  int64_t whole = 0;
  uint64_t natural = 0;
  if (header->kind == 'f') {
    float single;
    if (header->width == 8) {
      memcpy(out, element, 8);
    } else {
      memcpy(&single, element, 4);
      *out = single;
    }
    return true;
  }
  if (header->kind == 'i') {
    switch (header->width) {
      case 1: whole = *(const int8_t *)element; break;
      case 2: { int16_t v; memcpy(&v, element, 2); whole = v; break; }
      case 4: { int32_t v; memcpy(&v, element, 4); whole = v; break; }
      default: memcpy(&whole, element, 8);
    }
    *out = (double)whole;
    return whole >= -(1LL << 53) && whole <= 1LL << 53;
  }
  switch (header->width) {
    case 1: natural = *(const uint8_t *)element; break;
    case 2: { uint16_t v; memcpy(&v, element, 2); natural = v; break; }
    case 4: { uint32_t v; memcpy(&v, element, 4); natural = v; break; }
    default: memcpy(&natural, element, 8);
  }
  if (header->kind == 'b') natural = natural != 0;
  *out = (double)natural;
  return natural <= 1ULL << 53;
}

static rnl_status read_elements(const rnl_tensor *out, const npy_header *header, const char *bytes,
                                const char *what, rnl_error *err) {
  bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  bool swap = header->order == (little ? '>' : '<');
  int64_t count = rnl_tensor_numel(out), index[RNL_MAX_DIMS] = { 0 };
  for (int64_t i = 0; i < count; i++, bytes += header->width) {
    char element[8];
    double value;
    memcpy(element, bytes, header->width);
    if (swap) rnl_swap_bytes(element, 1, header->width);
    if (!element_value(header, element, &value))
      return rnl_fail(err, RNL_ERR_FORMAT, "%s: element %lld is an integer beyond 2^53", what,
                      (long long)i + 1);
    int64_t at = 0;
    for (int d = 0; d < out->ndim; d++) at += index[d] * out->stride[d];
    if (out->dtype == RNL_F32) rnl_f32(out)[at] = (float)value;
    else rnl_f64(out)[at] = value;
    /* The file's order: the last index runs fastest, or in Fortran order the first. */
    for (int k = 0; k < out->ndim; k++) {
      int d = header->fortran ? k : out->ndim - 1 - k;
      if (++index[d] < out->size[d]) break;
      index[d] = 0;
    }
  }
  return RNL_OK;
}

rnl_status rnl_npy_decode(rnl_tensor *out, const void *bytes, size_t length, const char *what,
                          rnl_error *err) {
  const unsigned char *p = bytes;
  *out = (rnl_tensor){ 0 };
  if (length < 10 || memcmp(p, magic, sizeof magic) != 0)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: is no npy file", what);
  int version = p[6];
  if (version < 1 || version > 3)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: npy version %d; 1 to 3 can be read", what, version);
  size_t start = version == 1 ? 10 : 12, header_length = (size_t)p[8] | (size_t)p[9] << 8;
  if (version > 1 && length >= 12) header_length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  if (length < start || header_length > RNL_NPY_MAX_HEADER || header_length > length - start)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: npy header of %zu bytes; the file has %zu and at most %d "
                    "are accepted", what, header_length, length, RNL_NPY_MAX_HEADER);
  npy_header header = { 0 };
  reader r = { (const char *)p + start, (const char *)p + start + header_length, what, err };
  RNL_TRY(read_header(&r, &header));
  int64_t count, need;
  char shape[RNL_SHAPE_TEXT];
  if (!rnl_sizes_product(header.ndim, header.size, &count) ||
      !rnl_mul_i64(count, (int64_t)header.width, &need) ||
      (uint64_t)need != length - start - header_length)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: shape %s of %zu-byte elements does not fit the %zu bytes there",
                    what, rnl_shape_text(shape, header.ndim, header.size), header.width,
                    length - start - header_length);
  rnl_dtype dtype = header.kind == 'f' && header.width == 4 ? RNL_F32 : RNL_F64;
  RNL_TRY(rnl_tensor_new(out, dtype, header.ndim, header.size, err));
  rnl_status status =
      read_elements(out, &header, (const char *)p + start + header_length, what, err);
  if (status != RNL_OK) rnl_tensor_release(out);
  return status;
}

/* ---- files ---------------------------------------------------------------------------------- */

rnl_status rnl_npy_write(const char *path, const rnl_tensor *t, rnl_error *err) {
  rnl_buffer bytes = { 0 };
  rnl_status status = rnl_npy_encode(&bytes, t, err);
  if (status == RNL_OK) status = rnl_file_write(path, bytes.data, bytes.length, RNL_DURABLE, err);
  rnl_buffer_free(&bytes);
  return status;
}

rnl_status rnl_npy_read(rnl_tensor *out, const char *path, rnl_error *err) {
  rnl_buffer bytes = { 0 };
  *out = (rnl_tensor){ 0 };
  rnl_status status = rnl_file_read(path, RNL_MAX_FILE_BYTES, &bytes, err);
  if (status == RNL_OK) status = rnl_npy_decode(out, bytes.data, bytes.length, path, err);
  rnl_buffer_free(&bytes);
  return status;
}
