/* grad/ops_view.c: ops that move elements without changing them: views, clone, cat.
 *
 * A view's value shares its input's storage, so its forward pass has nothing to do, except for a
 * reshape that the strides forbid, which owns a copy. Its gradient is a tensor of its own. */
#include "grad/elementwise.h"
#include "grad/ops.h"

/* ---- views ------------------------------------------------------------------------------------ */

static rnl_status view_of(rnl_tensor *out, const rnl_view_attrs *attrs, const rnl_tensor *t,
                          rnl_error *err) {
  switch (attrs->kind) {
    case RNL_VIEW_SELECT: return rnl_tensor_select(out, t, attrs->dim, attrs->start, err);
    case RNL_VIEW_SLICE:
      return rnl_tensor_stepped(out, t, attrs->dim, attrs->start, attrs->length, attrs->step, err);
    case RNL_VIEW_TRANSPOSE: return rnl_tensor_transpose(out, t, attrs->dim, attrs->dim2, err);
    case RNL_VIEW_RESHAPE: return rnl_tensor_view(out, t, attrs->ndim, attrs->size, err);
    case RNL_VIEW_EXPAND: return rnl_tensor_expand(out, t, attrs->ndim, attrs->size, err);
    case RNL_VIEW_SQUEEZE: return rnl_tensor_squeeze(out, t, attrs->dim, err);
    case RNL_VIEW_UNSQUEEZE: return rnl_tensor_unsqueeze(out, t, attrs->dim, err);
  }
  return rnl_fail(err, RNL_ERR_INTERNAL, "view: there is no kind %d", (int)attrs->kind);
}

/* A reshape by copy: sizes with the -1 filled in. */
static rnl_status reshaped_copy(rnl_tensor *out, const rnl_view_attrs *attrs, const rnl_tensor *t,
                                rnl_error *err) {
  int64_t size[RNL_MAX_DIMS], known = 1;
  for (int d = 0; d < attrs->ndim; d++)
    if (attrs->size[d] >= 0) known *= attrs->size[d];
  for (int d = 0; d < attrs->ndim; d++)
    size[d] = attrs->size[d] >= 0 ? attrs->size[d] : rnl_tensor_numel(t) / known;
  return rnl_tensor_new(out, t->dtype, attrs->ndim, size, err);
}

/* dst[...] (+)= src[...] in row-major order, whatever the two shapes: the same number of elements. */
static void add_reshaped(const rnl_tensor *dst, const rnl_tensor *src, bool add) {
  rnl_tensor same;
  if (rnl_tensor_view(&same, src, dst->ndim, dst->size, NULL) == RNL_OK) {
    rnl_add_into(dst, &same, add);
    rnl_tensor_release(&same);
  } else if (rnl_tensor_view(&same, dst, src->ndim, src->size, NULL) == RNL_OK) {
    rnl_add_into(&same, src, add);
    rnl_tensor_release(&same);
  } else {
    for (int64_t i = 0, n = rnl_tensor_numel(dst); i < n; i++)
      rnl_tensor_put(dst, i, (add ? rnl_tensor_at(dst, i) : 0) + rnl_tensor_at(src, i));
  }
}

static rnl_status view_prepare(rnl_node *node, rnl_error *err) {
  const rnl_view_attrs *attrs = node->attrs;
  const rnl_tensor *x = rnl_in(node, 0);
  rnl_tensor *y = rnl_out(node, 0);
  if (attrs->kind == RNL_VIEW_RESHAPE) {
    rnl_error refused = {0};
    if (rnl_tensor_view(y, x, attrs->ndim, attrs->size, &refused) == RNL_OK) return RNL_OK;
    /* The same view of a contiguous tensor tells wrong sizes from strides in the way. */
    rnl_tensor plain = *x, probe;
    int64_t stride = 1;
    for (int d = x->ndim - 1; d >= 0; d--) plain.stride[d] = stride, stride *= x->size[d];
    rnl_status status = rnl_tensor_view(&probe, &plain, attrs->ndim, attrs->size, NULL);
    if (status != RNL_OK) return rnl_fail(err, refused.status, "%s", refused.text);
    rnl_tensor_release(&probe);
    return reshaped_copy(y, attrs, x, err);
  }
  RNL_TRY(view_of(y, attrs, x, err));
  if (attrs->kind == RNL_VIEW_EXPAND && node->needs_grad[0] && !rnl_tensor_same_shape(x, y))
    RNL_TRY(rnl_tensor_new(&node->work[0], RNL_F64, x->ndim, x->size, err));
  return RNL_OK;
}

static rnl_status view_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *x = rnl_in(node, 0), *y = rnl_out(node, 0);
  if (x->storage != y->storage) add_reshaped(y, x, false);
  return RNL_OK;
}

static rnl_status view_backward(rnl_node *node, rnl_error *err) {
  const rnl_view_attrs *attrs = node->attrs;
  const rnl_tensor *g = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  bool add = node->accumulate[0];
  if (!dx) return RNL_OK;
  if (!g) {
    if (!add) rnl_tensor_fill(dx, 0);
    return RNL_OK;
  }
  if (attrs->kind == RNL_VIEW_RESHAPE) {
    add_reshaped(dx, g, add);
  } else if (node->work[0].storage) {
    rnl_stretched_begin(&node->work[0]);
    rnl_stretched_add(&node->work[0], g);
    rnl_stretched_end(&node->work[0], dx, add);
  } else {
    rnl_tensor part;
    RNL_TRY(view_of(&part, attrs, dx, err));
    bool whole = rnl_tensor_numel(&part) == rnl_tensor_numel(dx);
    if (!add && !whole) rnl_tensor_fill(dx, 0);
    rnl_add_into(&part, g, add);
    rnl_tensor_release(&part);
  }
  return RNL_OK;
}

static rnl_status view_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                           const rnl_tensor *out_tangent, rnl_error *err) {
  const rnl_view_attrs *attrs = node->attrs;
  if (!in_tangent[0]) {
    rnl_tensor_fill(&out_tangent[0], 0);
  } else if (attrs->kind == RNL_VIEW_RESHAPE) {
    add_reshaped(&out_tangent[0], in_tangent[0], false);
  } else {
    rnl_tensor part;
    RNL_TRY(view_of(&part, attrs, in_tangent[0], err));
    rnl_add_into(&out_tangent[0], &part, false);
    rnl_tensor_release(&part);
  }
  return RNL_OK;
}

/* The sequences stay where they are; reshaping and exchanging dimensions may move them. */
static bool view_by_rows(const rnl_node *node, int i) {
  (void)i;
  const rnl_view_attrs *attrs = node->attrs;
  return attrs->dim > 0 && (attrs->kind == RNL_VIEW_SELECT || attrs->kind == RNL_VIEW_SLICE ||
                            attrs->kind == RNL_VIEW_SQUEEZE || attrs->kind == RNL_VIEW_UNSQUEEZE);
}

const rnl_op rnl_op_view = {
    .name = "view",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attrs_size = sizeof(rnl_view_attrs),
    .prepare = view_prepare,
    .forward = view_forward,
    .backward = view_backward,
    .jvp = view_jvp,
    .by_rows = view_by_rows,
};

/* ---- clone ------------------------------------------------------------------------------------ */

static rnl_status clone_prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *x = rnl_in(node, 0);
  return rnl_tensor_new(rnl_out(node, 0), x->dtype, x->ndim, x->size, err);
}

static rnl_status clone_forward(rnl_node *node, rnl_error *err) {
  return rnl_tensor_copy(rnl_out(node, 0), rnl_in(node, 0), err);
}

static rnl_status clone_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *g = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (!dx) return RNL_OK;
  if (g)
    rnl_add_into(dx, g, node->accumulate[0]);
  else if (!node->accumulate[0])
    rnl_tensor_fill(dx, 0);
  return RNL_OK;
}

static rnl_status clone_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                            const rnl_tensor *out_tangent, rnl_error *err) {
  (void)node;
  if (in_tangent[0]) return rnl_tensor_copy(&out_tangent[0], in_tangent[0], err);
  rnl_tensor_fill(&out_tangent[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_clone = {
    .name = "clone",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .prepare = clone_prepare,
    .forward = clone_forward,
    .backward = clone_backward,
    .jvp = clone_jvp,
    .by_rows = rnl_always_by_rows,
};

/* ---- cat -------------------------------------------------------------------------------------- */

static int cat_dim(const rnl_node *node) { return *(const int *)node->attrs; }

static rnl_status cat_prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *first = rnl_in(node, 0);
  int dim = cat_dim(node);
  char shape[RNL_SHAPE_TEXT], shape_first[RNL_SHAPE_TEXT];
  if (dim < 0 || dim >= first->ndim)
    return rnl_fail(err, RNL_ERR_SHAPE, "cat: a %s tensor has no dimension %d",
                    rnl_tensor_shape_text(shape, first), dim + 1);
  int64_t size[RNL_MAX_DIMS];
  for (int d = 0; d < first->ndim; d++) size[d] = first->size[d];
  for (int i = 1; i < node->n_in; i++) {
    const rnl_tensor *x = rnl_in(node, i);
    if (x->dtype != first->dtype)
      return rnl_fail(err, RNL_ERR_DTYPE, "cat: a %s tensor after a %s one", rnl_dtype_name(x->dtype),
                      rnl_dtype_name(first->dtype));
    bool fits = x->ndim == first->ndim;
    for (int d = 0; fits && d < x->ndim; d++) fits = d == dim || x->size[d] == first->size[d];
    if (!fits)
      return rnl_fail(err, RNL_ERR_SHAPE, "cat: %s and %s do not join along dimension %d",
                      rnl_tensor_shape_text(shape_first, first), rnl_tensor_shape_text(shape, x), dim + 1);
    if (__builtin_add_overflow(size[dim], x->size[dim], &size[dim]))
      return rnl_fail(err, RNL_ERR_MEMORY, "cat: the result is too large");
  }
  return rnl_tensor_new(rnl_out(node, 0), first->dtype, first->ndim, size, err);
}

static rnl_status cat_forward(rnl_node *node, rnl_error *err) {
  int64_t start = 0;
  for (int i = 0; i < node->n_in; i++) {
    const rnl_tensor *x = rnl_in(node, i);
    rnl_tensor part;
    RNL_TRY(rnl_tensor_narrow(&part, rnl_out(node, 0), cat_dim(node), start, x->size[cat_dim(node)], err));
    rnl_status status = rnl_tensor_copy(&part, x, err);
    rnl_tensor_release(&part);
    if (status != RNL_OK) return status;
    start += x->size[cat_dim(node)];
  }
  return RNL_OK;
}

static rnl_status cat_backward(rnl_node *node, rnl_error *err) {
  const rnl_tensor *g = rnl_out_grad(node, 0);
  int64_t start = 0;
  for (int i = 0; i < node->n_in; i++) {
    const rnl_tensor *dx = rnl_in_grad(node, i);
    int64_t length = rnl_in(node, i)->size[cat_dim(node)];
    if (dx && g) {
      rnl_tensor part;
      RNL_TRY(rnl_tensor_narrow(&part, g, cat_dim(node), start, length, err));
      rnl_add_into(dx, &part, node->accumulate[i]);
      rnl_tensor_release(&part);
    } else if (dx && !node->accumulate[i]) {
      rnl_tensor_fill(dx, 0);
    }
    start += length;
  }
  return RNL_OK;
}

static rnl_status cat_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                          const rnl_tensor *out_tangent, rnl_error *err) {
  int64_t start = 0;
  for (int i = 0; i < node->n_in; i++) {
    int64_t length = rnl_in(node, i)->size[cat_dim(node)];
    rnl_tensor part;
    RNL_TRY(rnl_tensor_narrow(&part, &out_tangent[0], cat_dim(node), start, length, err));
    if (in_tangent[i])
      rnl_add_into(&part, in_tangent[i], false);
    else
      rnl_tensor_fill(&part, 0);
    rnl_tensor_release(&part);
    start += length;
  }
  return RNL_OK;
}

static bool cat_by_rows(const rnl_node *node, int i) {
  (void)i;
  return cat_dim(node) > 0;
}

const rnl_op rnl_op_cat = {
    .name = "cat",
    .min_in = 1,
    .max_in = RNL_MAX_IN,
    .n_out = 1,
    .attrs_size = sizeof(int),
    .prepare = cat_prepare,
    .forward = cat_forward,
    .backward = cat_backward,
    .jvp = cat_jvp,
    .by_rows = cat_by_rows,
};
