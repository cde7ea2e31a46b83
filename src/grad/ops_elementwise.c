/* grad/ops_elementwise.c: the ops y = f(x) and y = f(a, b), each with shape rule, forward, backward and
 * forward-mode product. */
#include <math.h>

#include "grad/elementwise.h"
#include "grad/ops.h"

/* A new tensor of x's shape, in x's layout. */
static rnl_status new_like(rnl_tensor *out, const rnl_tensor *x, rnl_error *err) {
  if (x->layout != RNL_LAYOUT_STRIDED)
    return rnl_tensor_new_sequence(out, x->dtype, x->layout, x->size[0], x->size[1], x->size[2], err);
  return rnl_tensor_new(out, x->dtype, x->ndim, x->size, err);
}

/* ---- unary: y = f(x) ------------------------------------------------------------------------- */

static rnl_unary unary_kind(const rnl_node *node) { return *(const rnl_unary *)node->attrs; }

static rnl_status unary_prepare(rnl_node *node, rnl_error *err) {
  if ((int)unary_kind(node) < 0 || unary_kind(node) >= RNL_UNARY_COUNT)
    return rnl_fail(err, RNL_ERR_INTERNAL, "unary: there is no function %d", (int)unary_kind(node));
  return new_like(rnl_out(node, 0), rnl_in(node, 0), err);
}

static rnl_status unary_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  rnl_unary_into(unary_kind(node), rnl_in(node, 0), rnl_out(node, 0));
  return RNL_OK;
}

static rnl_status unary_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *g = rnl_out_grad(node, 0), *dx = rnl_in_grad(node, 0);
  if (!dx) return RNL_OK;
  if (g)
    rnl_unary_backward_into(unary_kind(node), rnl_in(node, 0), rnl_out(node, 0), g, dx,
                            node->accumulate[0]);
  else if (!node->accumulate[0])
    rnl_tensor_fill(dx, 0);
  return RNL_OK;
}

static rnl_status unary_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                            const rnl_tensor *out_tangent, rnl_error *err) {
  (void)err;
  if (in_tangent[0])
    rnl_unary_backward_into(unary_kind(node), rnl_in(node, 0), rnl_out(node, 0), in_tangent[0],
                            &out_tangent[0], false);
  else
    rnl_tensor_fill(&out_tangent[0], 0);
  return RNL_OK;
}

const rnl_op rnl_op_unary = {
    .name = "unary",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attrs_size = sizeof(rnl_unary),
    .prepare = unary_prepare,
    .forward = unary_forward,
    .backward = unary_backward,
    .jvp = unary_jvp,
    .by_rows = rnl_always_by_rows,
};

/* ---- binary: y = f(a, b) with broadcasting --------------------------------------------------- */

/* work[CAST + i]: input i in the output's dtype, where it is a scalar of the other one.
 * work[SUMS + i]: the float64 sums of input i's gradient over the dimensions it was stretched in. */
enum { CAST = 0, SUMS = 2 };

static const char *const binary_names[] = {"add", "sub", "mul", "div", "min", "max", "pow"};
_Static_assert(sizeof binary_names / sizeof *binary_names == RNL_BINARY_COUNT, "every operation has a name");

static rnl_binary binary_kind(const rnl_node *node) { return *(const rnl_binary *)node->attrs; }

static rnl_status binary_dtype(const rnl_node *node, rnl_dtype *dtype, rnl_error *err) {
  const rnl_tensor *a = rnl_in(node, 0), *b = rnl_in(node, 1);
  if (a->dtype == b->dtype) {
    *dtype = a->dtype;
  } else if (a->ndim == 0 && b->ndim == 0) {
    *dtype = RNL_F64;
  } else if (a->ndim == 0 || b->ndim == 0) {
    *dtype = a->ndim == 0 ? b->dtype : a->dtype;
  } else {
    char shape_a[RNL_SHAPE_TEXT], shape_b[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_DTYPE, "%s: a %s %s tensor with a %s %s one; convert one of them with to()",
                    binary_names[binary_kind(node)], rnl_tensor_shape_text(shape_a, a),
                    rnl_dtype_name(a->dtype), rnl_tensor_shape_text(shape_b, b), rnl_dtype_name(b->dtype));
  }
  return RNL_OK;
}

/* A sequence layout survives where the other input has it too, or is a scalar. */
static const rnl_tensor *binary_layout(const rnl_tensor *a, const rnl_tensor *b) {
  if (a->layout != RNL_LAYOUT_STRIDED && b->ndim == 0) return a;
  if (b->layout != RNL_LAYOUT_STRIDED && a->ndim == 0) return b;
  if (a->layout != RNL_LAYOUT_STRIDED && a->layout == b->layout && rnl_tensor_same_shape(a, b)) return a;
  return NULL;
}

static rnl_status binary_prepare(rnl_node *node, rnl_error *err) {
  if ((int)binary_kind(node) < 0 || binary_kind(node) >= RNL_BINARY_COUNT)
    return rnl_fail(err, RNL_ERR_INTERNAL, "binary: there is no operation %d", (int)binary_kind(node));
  rnl_tensor *y = rnl_out(node, 0);
  int ndim;
  int64_t size[RNL_MAX_DIMS];
  rnl_dtype dtype = RNL_F32;
  RNL_TRY(binary_dtype(node, &dtype, err));
  const rnl_tensor *layout = binary_layout(rnl_in(node, 0), rnl_in(node, 1));
  if (layout) {
    RNL_TRY(new_like(y, layout, err));
  } else {
    RNL_TRY(rnl_broadcast_shape(binary_names[binary_kind(node)], rnl_in(node, 0), rnl_in(node, 1), &ndim,
                                size, err));
    RNL_TRY(rnl_tensor_new(y, dtype, ndim, size, err));
  }
  for (int i = 0; i < 2; i++) {
    const rnl_tensor *x = rnl_in(node, i);
    if (x->dtype != dtype) RNL_TRY(rnl_tensor_new(&node->work[CAST + i], dtype, 0, NULL, err));
    if (node->needs_grad[i] && (x->dtype != dtype || !rnl_tensor_same_shape(x, y)))
      RNL_TRY(rnl_tensor_new(&node->work[SUMS + i], RNL_F64, x->ndim, x->size, err));
  }
  return RNL_OK;
}

static const rnl_tensor *operand(const rnl_node *node, int i) {
  return node->work[CAST + i].storage ? &node->work[CAST + i] : rnl_in(node, i);
}

static rnl_status binary_forward(rnl_node *node, rnl_error *err) {
  (void)err;
  for (int i = 0; i < 2; i++)
    if (node->work[CAST + i].storage)
      rnl_tensor_put(&node->work[CAST + i], 0, rnl_tensor_get(rnl_in(node, i), NULL));
  rnl_binary_into(binary_kind(node), operand(node, 0), operand(node, 1), rnl_out(node, 0));
  return RNL_OK;
}

/* What the derivative in input i is made of, beside g: up to two of own (the input itself), other and y.
 *   add  g, g              sub  g, -g             mul  g·b, g·a          div  g/b, -g·y/b
 *   min, max  g where the input is the chosen one, half of it where both are equal
 *   pow  g·b·a^(b-1), g·y·ln a   (the first is 0 where b = 0, the second where a = 0) */
static void contribution_f32(rnl_binary kind, int i, int64_t n, const float *g, const float *p,
                             const float *q, float *c) {
  for (int64_t k = 0; k < n; k++) {
    switch (kind) {
      case RNL_BINARY_MUL: c[k] = g[k] * p[k]; break;
      case RNL_BINARY_DIV: c[k] = i == 0 ? g[k] / p[k] : -g[k] * p[k] / q[k]; break;
      case RNL_BINARY_MIN: c[k] = p[k] < q[k] ? g[k] : p[k] == q[k] ? 0.5F * g[k] : 0; break;
      case RNL_BINARY_MAX: c[k] = p[k] > q[k] ? g[k] : p[k] == q[k] ? 0.5F * g[k] : 0; break;
      case RNL_BINARY_POW:
        if (i == 0)
          c[k] = q[k] == 0 ? 0 : g[k] * q[k] * powf(p[k], q[k] - 1);
        else
          c[k] = q[k] == 0 ? 0 : g[k] * p[k] * logf(q[k]);
        break;
      default: c[k] = g[k]; break;
    }
  }
}

static void contribution_f64(rnl_binary kind, int i, int64_t n, const double *g, const double *p,
                             const double *q, double *c) {
  for (int64_t k = 0; k < n; k++) {
    switch (kind) {
      case RNL_BINARY_MUL: c[k] = g[k] * p[k]; break;
      case RNL_BINARY_DIV: c[k] = i == 0 ? g[k] / p[k] : -g[k] * p[k] / q[k]; break;
      case RNL_BINARY_MIN: c[k] = p[k] < q[k] ? g[k] : p[k] == q[k] ? 0.5 * g[k] : 0; break;
      case RNL_BINARY_MAX: c[k] = p[k] > q[k] ? g[k] : p[k] == q[k] ? 0.5 * g[k] : 0; break;
      case RNL_BINARY_POW:
        if (i == 0)
          c[k] = q[k] == 0 ? 0 : g[k] * q[k] * pow(p[k], q[k] - 1);
        else
          c[k] = q[k] == 0 ? 0 : g[k] * p[k] * log(q[k]);
        break;
      default: c[k] = g[k]; break;
    }
  }
}

/* dst (+)= contribution of g, element by element; or, where `sums` is given, added to those in the
 * row-major order of g. g, p and q are borrowed views of the output's shape. */
static void contribute(rnl_binary kind, int i, const rnl_tensor *g, const rnl_tensor *p,
                       const rnl_tensor *q, const rnl_tensor *dst, const rnl_tensor *sums, bool add) {
  bool f64 = g->dtype == RNL_F64;
  int64_t bytes = (int64_t)rnl_dtype_size(g->dtype);
  rnl_walk w;
  if (sums)
    rnl_walk_begin(&w, 4, (const rnl_tensor *const[]){sums, g, p, q});
  else
    rnl_walk_begin_unordered(&w, 4, (const rnl_tensor *const[]){dst, g, p, q});
  do {
    for (int64_t at = 0; at < w.length; at += RNL_CHUNK) {
      rnl_chunk held[3], made;
      const void *from[3];
      int64_t n = w.length - at < RNL_CHUNK ? w.length - at : RNL_CHUNK;
      for (int k = 0; k < 3; k++)
        from[k] = rnl_chunk_load(&held[k], f64, w.data[k + 1] + at * w.step[k + 1] * bytes, w.step[k + 1], n);
      if (f64)
        contribution_f64(kind, i, n, from[0], from[1], from[2], made.f64);
      else
        contribution_f32(kind, i, n, from[0], from[1], from[2], made.f32);
      if (sums) {
        double *to = (double *)w.data[0] + at * w.step[0];
        for (int64_t k = 0; k < n; k++) to[k * w.step[0]] += f64 ? made.f64[k] : (double)made.f32[k];
      } else if (f64) {
        double *to = (double *)w.data[0] + at * w.step[0];
        for (int64_t k = 0; k < n; k++) to[k * w.step[0]] = add ? to[k * w.step[0]] + made.f64[k] : made.f64[k];
      } else {
        float *to = (float *)w.data[0] + at * w.step[0];
        for (int64_t k = 0; k < n; k++) to[k * w.step[0]] = add ? to[k * w.step[0]] + made.f32[k] : made.f32[k];
      }
    }
  } while (rnl_walk_next(&w));
}

/* Views of the output's shape borrow the storage: expand takes a reference, given back at once while
 * the node keeps the tensor alive. The shapes were checked in prepare. */
static rnl_tensor borrowed_stretch(const rnl_tensor *x, const rnl_tensor *y) {
  rnl_tensor wide, held;
  if (rnl_tensor_expand(&wide, x, y->ndim, y->size, NULL) != RNL_OK) return *x;
  held = wide;
  rnl_tensor_release(&wide);
  return held;
}

/* The gradient (or, with g a tangent of input i stretched to y, the tangent) that input i accounts for. */
static void binary_derivative(rnl_node *node, int i, const rnl_tensor *g, const rnl_tensor *dst,
                              const rnl_tensor *sums, bool add) {
  rnl_binary kind = binary_kind(node);
  const rnl_tensor *y = rnl_out(node, 0);
  rnl_tensor own = borrowed_stretch(operand(node, i), y), other = borrowed_stretch(operand(node, 1 - i), y);
  rnl_tensor wide_sums = sums ? borrowed_stretch(sums, y) : *y;
  const rnl_tensor *p = g, *q = g;
  switch (kind) {
    case RNL_BINARY_SUB:
    case RNL_BINARY_ADD:
      if (!sums) {
        rnl_scale_into(dst, kind == RNL_BINARY_SUB && i == 1 ? -1 : 1, g, add);
        return;
      }
      break;
    case RNL_BINARY_MUL: p = &other; break;
    case RNL_BINARY_DIV: p = i == 0 ? &other : y, q = &own; break;
    case RNL_BINARY_POW: p = i == 0 ? &own : y, q = &other; break;
    default: p = &own, q = &other; break;
  }
  contribute(kind, i, g, p, q, dst, sums ? &wide_sums : NULL, add);
}

static rnl_status binary_backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *g = rnl_out_grad(node, 0);
  for (int i = 0; i < 2; i++) {
    const rnl_tensor *dx = rnl_in_grad(node, i);
    const rnl_tensor *sums = node->work[SUMS + i].storage ? &node->work[SUMS + i] : NULL;
    if (!dx) continue;
    if (!g) {
      if (!node->accumulate[i]) rnl_tensor_fill(dx, 0);
    } else if (sums) {
      rnl_stretched_begin(sums);
      binary_derivative(node, i, g, NULL, sums, true);
      if (binary_kind(node) == RNL_BINARY_SUB && i == 1) rnl_unary_into(RNL_UNARY_NEG, sums, sums);
      rnl_stretched_end(sums, dx, node->accumulate[i]);
    } else {
      binary_derivative(node, i, g, dx, NULL, node->accumulate[i]);
    }
  }
  return RNL_OK;
}

static rnl_status binary_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                             const rnl_tensor *out_tangent, rnl_error *err) {
  const rnl_tensor *y = rnl_out(node, 0);
  bool add = false;
  for (int i = 0; i < 2; i++) {
    if (!in_tangent[i]) continue;
    rnl_tensor tangent;
    RNL_TRY(rnl_tensor_cast(&tangent, in_tangent[i], y->dtype, err));
    rnl_tensor wide = borrowed_stretch(&tangent, y);
    binary_derivative(node, i, &wide, &out_tangent[0], NULL, add);
    rnl_tensor_release(&tangent);
    add = true;
  }
  if (!add) rnl_tensor_fill(&out_tangent[0], 0);
  return RNL_OK;
}

/* Not where it is stretched so that its rows come to lie along another dimension, or the other's do. */
static bool binary_by_rows(const rnl_node *node, int i) {
  const rnl_tensor *x = rnl_in(node, i), *y = rnl_out(node, 0);
  return x->ndim == y->ndim && x->ndim > 0 && x->size[0] == y->size[0];
}

const rnl_op rnl_op_binary = {
    .name = "binary",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .attrs_size = sizeof(rnl_binary),
    .prepare = binary_prepare,
    .forward = binary_forward,
    .backward = binary_backward,
    .jvp = binary_jvp,
    .by_rows = binary_by_rows,
};
