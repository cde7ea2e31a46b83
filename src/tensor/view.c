/* tensor/view.c: other looks at the same storage, and the broadcasting rule. Every view made here is
 * RNL_LAYOUT_STRIDED: only the whole of a sequence has the promises of the other layouts. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "tensor/tensor.h"

static rnl_tensor view_of(const rnl_tensor *t) {
  rnl_tensor view = rnl_tensor_ref(t);
  view.layout = RNL_LAYOUT_STRIDED;
  return view;
}

static rnl_status check_dim(const char *what, const rnl_tensor *t, int dim, rnl_error *err) {
  if (dim >= 0 && dim < t->ndim) return RNL_OK;
  char shape[RNL_SHAPE_TEXT];
  return rnl_fail(err, RNL_ERR_ARG, "%s: there is no dimension %d in a %s tensor", what, dim,
                  rnl_tensor_shape_text(shape, t));
}

static void drop_dim(rnl_tensor *t, int dim) {
  t->ndim--;
  for (int d = dim; d < t->ndim; d++) t->size[d] = t->size[d + 1], t->stride[d] = t->stride[d + 1];
}

rnl_status rnl_tensor_select(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t index,
                             rnl_error *err) {
  RNL_TRY(check_dim("select", t, dim, err));
  char shape[RNL_SHAPE_TEXT];
  if (index < 0 || index >= t->size[dim])
    return rnl_fail(err, RNL_ERR_ARG, "select: %" PRId64 " is outside dimension %d of a %s tensor", index,
                    dim, rnl_tensor_shape_text(shape, t));
  rnl_tensor view = view_of(t);
  view.offset += index * view.stride[dim];
  drop_dim(&view, dim);
  *out = view;
  return RNL_OK;
}

rnl_status rnl_tensor_narrow(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t start,
                             int64_t length, rnl_error *err) {
  return rnl_tensor_stepped(out, t, dim, start, length, 1, err);
}

rnl_status rnl_tensor_stepped(rnl_tensor *out, const rnl_tensor *t, int dim, int64_t start,
                              int64_t length, int64_t step, rnl_error *err) {
  RNL_TRY(check_dim("narrow", t, dim, err));
  char shape[RNL_SHAPE_TEXT];
  int64_t span = 0, last = 0;
  bool fits = start >= 0 && length >= 0 && step >= 1 && start <= t->size[dim] &&
              (length == 0 || (rnl_mul_i64(length - 1, step, &span) &&
                               !__builtin_add_overflow(start, span, &last) && last < t->size[dim]));
  if (!fits)
    return rnl_fail(err, RNL_ERR_ARG,
                    "narrow: %" PRId64 " elements from %" PRId64 " in steps of %" PRId64
                    " do not fit dimension %d of a %s tensor",
                    length, start, step, dim, rnl_tensor_shape_text(shape, t));
  rnl_tensor view = view_of(t);
  if (length > 0) view.offset += start * view.stride[dim];
  if (length > 1) view.stride[dim] *= step;
  view.size[dim] = length;
  *out = view;
  return RNL_OK;
}

rnl_status rnl_tensor_transpose(rnl_tensor *out, const rnl_tensor *t, int dim0, int dim1,
                                rnl_error *err) {
  RNL_TRY(check_dim("transpose", t, dim0, err));
  RNL_TRY(check_dim("transpose", t, dim1, err));
  rnl_tensor view = view_of(t);
  view.size[dim0] = t->size[dim1], view.stride[dim0] = t->stride[dim1];
  view.size[dim1] = t->size[dim0], view.stride[dim1] = t->stride[dim0];
  *out = view;
  return RNL_OK;
}

rnl_status rnl_tensor_permute(rnl_tensor *out, const rnl_tensor *t, const int *dims, rnl_error *err) {
  bool seen[RNL_MAX_DIMS] = {false};
  for (int d = 0; d < t->ndim; d++) {
    RNL_TRY(check_dim("permute", t, dims[d], err));
    if (seen[dims[d]]) return rnl_fail(err, RNL_ERR_ARG, "permute: dimension %d is given twice", dims[d]);
    seen[dims[d]] = true;
  }
  rnl_tensor view = view_of(t);
  for (int d = 0; d < t->ndim; d++) view.size[d] = t->size[dims[d]], view.stride[d] = t->stride[dims[d]];
  *out = view;
  return RNL_OK;
}

/* ---- view ------------------------------------------------------------------------------------ */

static rnl_status view_mismatch(const rnl_tensor *t, int ndim, const int64_t *size, rnl_error *err) {
  char from[RNL_SHAPE_TEXT], to[RNL_SHAPE_TEXT];
  return rnl_fail(err, RNL_ERR_SHAPE, "view: a %s tensor of %" PRId64 " elements cannot become %s",
                  rnl_tensor_shape_text(from, t), rnl_tensor_numel(t), rnl_shape_text(to, ndim, size));
}

/* Fill in a size of -1 and check that the numbers of elements agree. */
static rnl_status resolve_sizes(rnl_tensor *view, const rnl_tensor *t, int ndim, const int64_t *size,
                                rnl_error *err) {
  if (ndim < 0 || ndim > RNL_MAX_DIMS)
    return rnl_fail(err, RNL_ERR_ARG, "view: %d dimensions; at most %d are possible", ndim, RNL_MAX_DIMS);
  int64_t known = 1, numel = rnl_tensor_numel(t);
  int free_dim = -1;
  for (int d = 0; d < ndim; d++) {
    view->size[d] = size[d];
    if (size[d] == -1 && free_dim < 0)
      free_dim = d;
    else if (size[d] < 0 || !rnl_mul_i64(known, size[d], &known))
      return view_mismatch(t, ndim, size, err);
  }
  if (free_dim >= 0) {
    if (known == 0 || numel % known != 0) return view_mismatch(t, ndim, size, err);
    view->size[free_dim] = numel / known;
  } else if (known != numel) {
    return view_mismatch(t, ndim, size, err);
  }
  view->ndim = ndim;
  return RNL_OK;
}

/* Strides of the new sizes over the old layout, from the inside out: the old dimensions fall into
 * groups that lie without gaps, and each group must be used up by whole new dimensions. */
static bool view_strides(rnl_tensor *view, const rnl_tensor *t) {
  int d = view->ndim - 1;
  int64_t group = 1, made = 1; /* elements of the current group, and of the new dimensions in it */
  int64_t base = t->ndim ? t->stride[t->ndim - 1] : 1;
  for (int s = t->ndim - 1; s >= 0; s--) {
    group *= t->size[s];
    bool group_ends = s == 0 || (t->size[s - 1] != 1 && t->stride[s - 1] != group * base);
    if (!group_ends) continue;
    while (d >= 0 && (made < group || view->size[d] == 1)) {
      view->stride[d] = made * base;
      made *= view->size[d];
      d--;
    }
    if (made != group) return false;
    if (s > 0) base = t->stride[s - 1], group = 1, made = 1;
  }
  for (; d >= 0; d--) view->stride[d] = 1; /* only sizes of 1 are left (a view of a scalar) */
  return true;
}

rnl_status rnl_tensor_view(rnl_tensor *out, const rnl_tensor *t, int ndim, const int64_t *size,
                           rnl_error *err) {
  rnl_tensor view = *t;
  view.layout = RNL_LAYOUT_STRIDED;
  RNL_TRY(resolve_sizes(&view, t, ndim, size, err));
  if (rnl_tensor_numel(t) == 0) {
    int64_t stride = 1;
    for (int d = ndim - 1; d >= 0; d--) {
      view.stride[d] = stride;
      if (view.size[d] > 0 && !rnl_mul_i64(stride, view.size[d], &stride)) stride = 1;
    }
  } else if (!view_strides(&view, t)) {
    char from[RNL_SHAPE_TEXT], to[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "view: the elements of this %s tensor do not lie so that they can be seen as %s; "
                    "call contiguous() first",
                    rnl_tensor_shape_text(from, t), rnl_shape_text(to, ndim, view.size));
  }
  *out = rnl_tensor_ref(&view);
  return RNL_OK;
}

/* ---- dimensions of size 1, broadcasting ------------------------------------------------------ */

rnl_status rnl_tensor_squeeze(rnl_tensor *out, const rnl_tensor *t, int dim, rnl_error *err) {
  if (dim != -1) RNL_TRY(check_dim("squeeze", t, dim, err));
  rnl_tensor view = view_of(t);
  for (int d = t->ndim - 1; d >= 0; d--)
    if (t->size[d] == 1 && (dim == -1 || dim == d)) drop_dim(&view, d);
  *out = view;
  return RNL_OK;
}

rnl_status rnl_tensor_unsqueeze(rnl_tensor *out, const rnl_tensor *t, int dim, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  if (dim < 0 || dim > t->ndim || t->ndim == RNL_MAX_DIMS)
    return rnl_fail(err, RNL_ERR_ARG, "unsqueeze: a %s tensor takes no further dimension at %d",
                    rnl_tensor_shape_text(shape, t), dim);
  rnl_tensor view = view_of(t);
  for (int d = t->ndim; d > dim; d--) view.size[d] = view.size[d - 1], view.stride[d] = view.stride[d - 1];
  view.ndim++;
  view.size[dim] = 1;
  view.stride[dim] = dim < t->ndim ? t->size[dim] * t->stride[dim] : 1;
  *out = view;
  return RNL_OK;
}

rnl_status rnl_tensor_expand(rnl_tensor *out, const rnl_tensor *t, int ndim, const int64_t *size,
                             rnl_error *err) {
  int shift = ndim - t->ndim;
  bool fits = shift >= 0 && ndim <= RNL_MAX_DIMS;
  rnl_tensor view = *t;
  view.ndim = ndim;
  for (int d = 0; fits && d < ndim; d++) {
    int64_t have = d < shift ? 1 : t->size[d - shift];
    fits = size[d] >= 0 && (have == 1 || have == size[d]);
    view.size[d] = size[d];
    view.stride[d] = d < shift || (have == 1 && size[d] != 1) ? 0 : t->stride[d - shift];
  }
  char from[RNL_SHAPE_TEXT], to[RNL_SHAPE_TEXT];
  if (!fits)
    return rnl_fail(err, RNL_ERR_SHAPE, "expand: a %s tensor cannot be stretched to %s",
                    rnl_tensor_shape_text(from, t),
                    rnl_shape_text(to, ndim < RNL_MAX_DIMS ? ndim : RNL_MAX_DIMS, size));
  int64_t numel = 1; /* the element count must stay countable though nothing is allocated */
  for (int d = 0; d < ndim; d++)
    if (size[d] > 0 && !rnl_mul_i64(numel, size[d], &numel))
      return rnl_fail(err, RNL_ERR_MEMORY, "a %s tensor is too large", rnl_shape_text(to, ndim, size));
  if (!rnl_tensor_same_shape(t, &view)) view.layout = RNL_LAYOUT_STRIDED;
  *out = rnl_tensor_ref(&view);
  return RNL_OK;
}

rnl_status rnl_broadcast_shape(const char *what, const rnl_tensor *a, const rnl_tensor *b, int *ndim,
                               int64_t size[RNL_MAX_DIMS], rnl_error *err) {
  int n = a->ndim > b->ndim ? a->ndim : b->ndim;
  for (int d = 0; d < n; d++) {
    int in_a = d - (n - a->ndim), in_b = d - (n - b->ndim);
    int64_t size_a = in_a < 0 ? 1 : a->size[in_a], size_b = in_b < 0 ? 1 : b->size[in_b];
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      char shape_a[RNL_SHAPE_TEXT], shape_b[RNL_SHAPE_TEXT];
      return rnl_fail(err, RNL_ERR_SHAPE, "%s: %s and %s do not broadcast", what,
                      rnl_tensor_shape_text(shape_a, a), rnl_tensor_shape_text(shape_b, b));
    }
    size[d] = size_a == 1 ? size_b : size_a;
  }
  *ndim = n;
  return RNL_OK;
}
