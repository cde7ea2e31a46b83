/* format/npy.h owns NumPy's formats: .npy (one array) and .npz (a zip of them).
 *
 * Written: little-endian float32 or float64, C order, version 1.0; npz entries stored, not packed, with one
 * fixed time stamp, so that the same tensors give the same bytes. numpy.load needs no pickle for them.
 * Read: float32 and float64 of either byte order; bool and integers of 8 to 64 bits become float64 (a value
 * a double cannot hold exactly is refused); C or Fortran order; versions 1 to 3. Objects, structures,
 * strings, complex and half floats are refused by name. Sizes are checked before memory is asked for. */
#ifndef RNL_FORMAT_NPY_H
#define RNL_FORMAT_NPY_H

#include "base/buffer.h"
#include "tensor/list.h"

enum { RNL_NPY_MAX_HEADER = 65536 };

/* Append the array's bytes; any strides and layout. */
rnl_status rnl_npy_encode(rnl_buffer *out, const rnl_tensor *t, rnl_error *err);

/* An array from bytes; `what` names them in errors ("data.npy"). Bytes behind the array are an error. */
rnl_status rnl_npy_decode(rnl_tensor *out, const void *bytes, size_t length, const char *what,
                          rnl_error *err);

rnl_status rnl_npy_write(const char *path, const rnl_tensor *t, rnl_error *err);
rnl_status rnl_npy_read(rnl_tensor *out, const char *path, rnl_error *err);

/* Durable and atomic, as base/file.h. Names may not hold '/', '\\' or control bytes. */
rnl_status rnl_npz_write(const char *path, const rnl_tensors *list, rnl_error *err);

/* A column of text in an npz file: an array of NumPy's fixed-width unicode ('<U12'); numpy.load needs no pickle. */
typedef struct rnl_npz_text {
  const char *name;
  int64_t count;
  const char *const *items; /* UTF-8 */
} rnl_npz_text;

/* The same with texts behind the arrays. */
rnl_status rnl_npz_write_with(const char *path, const rnl_tensors *list, int64_t text_count, const rnl_npz_text *texts,
                              rnl_error *err);

/* Appends to `list` (all zeros at first) every .npy entry, named without ".npy". On error it is freed. */
rnl_status rnl_npz_read(rnl_tensors *list, const char *path, rnl_error *err);

#endif
