/* tensor/tensor.h owns dtypes, storage, strided views, broadcasting and the shape rules.
 *
 * An rnl_tensor is a small value: a counted reference to a storage plus sizes, strides and an
 * offset, both counted in elements. Copying the struct by hand does not count a reference; use
 * rnl_tensor_ref, and rnl_tensor_release when done. Views share the storage. Dimensions and
 * indices count from 0 here; the Lua face counts from 1. A tensor of ndim 0 is a scalar.
 */
#ifndef RNL_TENSOR_TENSOR_H
#define RNL_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum rnl_dtype { RNL_F32 = 0, RNL_F64 = 1 } rnl_dtype;

enum { RNL_MAX_DIMS = 8 };

/* How a (batch, time, feature) sequence lies in memory. Any other tensor is RNL_LAYOUT_STRIDED. */
typedef enum rnl_layout {
  RNL_LAYOUT_STRIDED = 0, /* whatever the strides say */
  RNL_LAYOUT_LANES = 1,   /* [time][feature][lane]: the batch innermost, padded with zeros to
                             rnl_lanes_of(batch) lanes, so far are rows apart */
  RNL_LAYOUT_TIME = 2     /* [time][batch][feature]: a contiguous matrix a step, for GEMM */
} rnl_layout;

/* The fixed virtual vector width of the small regime, both dtypes, and the room that half of one takes: up to eight
 * sequences do with it, which leaves twice as much of everything in the first-level cache. */
enum { RNL_LANES = 16, RNL_SHORT_LANES = 8 };
static inline int64_t rnl_lanes_of(int64_t batch) {
  return batch <= RNL_SHORT_LANES ? RNL_SHORT_LANES : (batch + RNL_LANES - 1) / RNL_LANES * RNL_LANES;
}

typedef struct rnl_storage {
  int64_t references;
  size_t bytes;
  void *data; /* 64-byte aligned, zeroed when made */
} rnl_storage;

typedef struct rnl_tensor {
  rnl_storage *storage; /* NULL: no tensor */
  rnl_dtype dtype;
  rnl_layout layout;
  int ndim;
  int64_t size[RNL_MAX_DIMS];
  int64_t stride[RNL_MAX_DIMS];
  int64_t offset;
} rnl_tensor;

/* ---- making and releasing ------------------------------------------------------------------ */

/* A zeroed, row-major tensor. ERR_ARG for a negative size or too many dimensions, ERR_MEMORY where
 * the product overflows (the text shows the shape) or memory is out. Sizes of 0 are allowed. */
rnl_status rnl_tensor_new(rnl_tensor *out, rnl_dtype dtype, int ndim, const int64_t *size,
                          rnl_error *err);

/* A zeroed (batch, time, feature) tensor in the given layout. */
rnl_status rnl_tensor_new_sequence(rnl_tensor *out, rnl_dtype dtype, rnl_layout layout,
                                   int64_t batch, int64_t time, int64_t feature, rnl_error *err);

/* Its sizes and strides alone, without storage; *bytes is what a storage for it takes. */
rnl_status rnl_tensor_lay_sequence(rnl_tensor *out, rnl_dtype dtype, rnl_layout layout, int64_t batch, int64_t time,
                                   int64_t feature, size_t *bytes, rnl_error *err);

rnl_tensor rnl_tensor_ref(const rnl_tensor *t); /* another reference to the same storage */
void rnl_tensor_release(rnl_tensor *t);         /* idempotent; leaves *t empty (storage NULL) */

/* ---- what it is ---------------------------------------------------------------------------- */

static inline size_t rnl_dtype_size(rnl_dtype dtype) { /* bytes of an element */
  return dtype == RNL_F64 ? sizeof(double) : sizeof(float);
}
const char *rnl_dtype_name(rnl_dtype dtype); /* "float32", "float64" */
int64_t rnl_tensor_numel(const rnl_tensor *t);
bool rnl_tensor_is_contiguous(const rnl_tensor *t); /* row-major without gaps */
bool rnl_tensor_same_shape(const rnl_tensor *a, const rnl_tensor *b);
static inline void *rnl_tensor_data(const rnl_tensor *t) { /* address of its first element */
  return (char *)t->storage->data + (size_t)t->offset * rnl_dtype_size(t->dtype);
}
static inline float *rnl_f32(const rnl_tensor *t) { return (float *)rnl_tensor_data(t); }
static inline double *rnl_f64(const rnl_tensor *t) { return (double *)rnl_tensor_data(t); }

/* Elements from one feature row to the next in RNL_LAYOUT_LANES. */
int64_t rnl_tensor_lane_stride(const rnl_tensor *t);

/* "(8, 100, 3)" into buffer; returns buffer. For messages. */
enum { RNL_SHAPE_TEXT = 192 };
const char *rnl_shape_text(char buffer[RNL_SHAPE_TEXT], int ndim, const int64_t *size);
const char *rnl_tensor_shape_text(char buffer[RNL_SHAPE_TEXT], const rnl_tensor *t);

/* ---- element access (any dtype, through double) --------------------------------------------- */

double rnl_tensor_get(const rnl_tensor *t, const int64_t *index); /* no bounds check: caller's */
void rnl_tensor_set(const rnl_tensor *t, const int64_t *index, double value);
/* The i-th element in row-major order of the *view*, 0 <= i < numel. Slow; for tests and printing. */
double rnl_tensor_at(const rnl_tensor *t, int64_t i);
void rnl_tensor_put(const rnl_tensor *t, int64_t i, double value);

/* ---- views: *out shares storage with *t and holds a reference ------------------------------- */

rnl_status rnl_tensor_select(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t index,
                             rnl_error *err); /* drops the dimension */
rnl_status rnl_tensor_narrow(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t start,
                             int64_t length, rnl_error *err);
rnl_status rnl_tensor_stepped(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t start,
                              int64_t length, int64_t step, rnl_error *err); /* step >= 1 */
rnl_status rnl_tensor_transpose(rnl_tensor *out, const rnl_tensor *t, int dim0, int dim1,
                                rnl_error *err);
rnl_status rnl_tensor_permute(rnl_tensor *out, const rnl_tensor *t, const int *dims, rnl_error *err);
/* A view with other sizes of the same number of elements; ERR_SHAPE where the strides forbid it
 * (the text says to call contiguous() first). One size may be -1. */
rnl_status rnl_tensor_view(rnl_tensor *out, const rnl_tensor *t, int ndim, const int64_t *size,
                           rnl_error *err);
rnl_status rnl_tensor_squeeze(rnl_tensor *out, const rnl_tensor *t, int dim, rnl_error *err);
rnl_status rnl_tensor_unsqueeze(rnl_tensor *out, const rnl_tensor *t, int dim, rnl_error *err);
/* Broadcast to `size` with strides of 0 (NumPy's rule: align at the right, 1 stretches). */
rnl_status rnl_tensor_expand(rnl_tensor *out, const rnl_tensor *t, int ndim, const int64_t *size,
                             rnl_error *err);
/* The shape a and b broadcast to. `what` names the operation: "add: (3, 4) and (5) do not broadcast". */
rnl_status rnl_broadcast_shape(const char *what, const rnl_tensor *a, const rnl_tensor *b,
                               int *ndim, int64_t size[RNL_MAX_DIMS], rnl_error *err);

/* ---- moving and filling --------------------------------------------------------------------- */

/* dst[...] = src[...], same shape, any strides and dtypes. ERR_SHAPE names both shapes. Overlapping
 * views of one storage are copied as if through a temporary. */
rnl_status rnl_tensor_copy(const rnl_tensor *dst, const rnl_tensor *src, rnl_error *err);
rnl_status rnl_tensor_clone(rnl_tensor *out, const rnl_tensor *t, rnl_error *err); /* contiguous */
rnl_status rnl_tensor_cast(rnl_tensor *out, const rnl_tensor *t, rnl_dtype dtype, rnl_error *err);
void rnl_tensor_fill(const rnl_tensor *t, double value);

/* ---- walking -------------------------------------------------------------------------------- */

/* Visits n tensors of one shape (after expand) in row-major order as runs along the longest
 * inner dimension they can share:
 *     rnl_walk w; rnl_walk_begin(&w, n, tensors);
 *     do { ... w.length elements, the k-th tensor's from w.data[k], w.step[k] elements apart ... }
 *     while (rnl_walk_next(&w));
 * A shape with no elements gives one run of length 0. */
enum { RNL_WALK_MAX = 4 };
typedef struct rnl_walk {
  int count, ndim;
  int64_t length;
  char *data[RNL_WALK_MAX];
  int64_t step[RNL_WALK_MAX];
  int64_t size[RNL_MAX_DIMS], index[RNL_MAX_DIMS];
  int64_t stride_bytes[RNL_WALK_MAX][RNL_MAX_DIMS];
} rnl_walk;
void rnl_walk_begin(rnl_walk *w, int count, const rnl_tensor *const *tensors);
bool rnl_walk_next(rnl_walk *w);

/* ---- text ----------------------------------------------------------------------------------- */

/* A matrix as a person reads it: columns aligned, `digits` significant digits (default 4 if 0),
 * whole numbers without a point, a common power of ten where the range is wide, "..." past 12 rows
 * or the terminal width, slices of a 3-D tensor headed "(1,.,.) =" as Torch does, and a last line
 * "[float32 tensor of 3x2]". The text is allocated; release with rnl_free. */
rnl_status rnl_tensor_format(char **out, const rnl_tensor *t, int digits, int width, rnl_error *err);

#endif
