/* rnn/loss.c: the squared errors. */
#include "rnn/loss.h"

#include <string.h>

#include "grad/elementwise.h"
#include "kernel/kernel.h"
#include "kernel/threads.h"

enum { Y = 0, TARGET = 1 };
enum { /* node->work */
  WORK_SLOPE = 0,      /* in lanes, or where y and target are flat: dloss/dy (rnl_node.grad_ready) */
  WORK_DIFFERENCE = 0, /* else y - target */
  WORK_SUMS            /* not in lanes: the sum of its squares in each block */
};
enum { BLOCK = 4096 };                   /* elements of memory in a row that are done together, on some thread */

rnl_status rnl_loss_from_name(const char *name, rnl_loss *out, rnl_error *err) {
  if (strcmp(name, "sse") == 0) *out = RNL_LOSS_SSE;
  else if (strcmp(name, "mse") == 0) *out = RNL_LOSS_MSE;
  else return rnl_fail(err, RNL_ERR_ARG, "no loss \"%s\"; there are sse, mse", name);
  return RNL_OK;
}

/* The loss is the sum of squares times this. */
static double scale_of(const rnl_node *node) {
  const rnl_tensor *y = rnl_in(node, Y);
  double count = (double)rnl_tensor_numel(y);
  if (*(const rnl_loss *)node->attrs == RNL_LOSS_SSE) count /= (double)y->size[y->ndim - 1];
  return 1 / count;
}

/* Both in lanes: one kernel call over whole vectors; the layouts agree since the shapes do. */
static bool in_lanes(const rnl_node *node) {
  return rnl_in(node, Y)->layout == RNL_LAYOUT_LANES && rnl_in(node, TARGET)->layout == RNL_LAYOUT_LANES;
}

/* Laid out as y where that leaves no gaps, so that the passes over them go straight through memory. */
static rnl_status new_like(rnl_tensor *out, const rnl_tensor *y, rnl_error *err) {
  if (y->layout != RNL_LAYOUT_TIME) return rnl_tensor_new(out, y->dtype, y->ndim, y->size, err);
  return rnl_tensor_new_sequence(out, y->dtype, y->layout, y->size[0], y->size[1], y->size[2], err);
}

/* Whether it lies in memory as y - target does, element after element. */
static bool flat(const rnl_node *node, const rnl_tensor *t) {
  const rnl_tensor *like = &node->work[WORK_DIFFERENCE];
  return t->layout == like->layout && (t->layout == RNL_LAYOUT_TIME || rnl_tensor_is_contiguous(t));
}

static rnl_status prepare(rnl_node *node, rnl_error *err) {
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  const char *name = *(const rnl_loss *)node->attrs == RNL_LOSS_SSE ? "sse" : "mse";
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  if (!rnl_tensor_same_shape(y, target) || y->ndim < 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "loss %s: the prediction is %s but the target is %s", name,
                    rnl_tensor_shape_text(a, y), rnl_tensor_shape_text(b, target));
  if (y->dtype != target->dtype)
    return rnl_fail(err, RNL_ERR_DTYPE, "loss %s: the prediction is %s but the target is %s", name,
                    rnl_dtype_name(y->dtype), rnl_dtype_name(target->dtype));
  if (rnl_tensor_numel(y) == 0)
    return rnl_fail(err, RNL_ERR_SHAPE, "loss %s: the prediction %s has no elements", name,
                    rnl_tensor_shape_text(a, y));
  const bool slope_wanted = node->needs_grad[Y] && !node->needs_grad[TARGET];
  if (in_lanes(node)) {
    if (slope_wanted)
      RNL_TRY(rnl_tensor_new_sequence(&node->work[WORK_SLOPE], y->dtype, y->layout, y->size[0], y->size[1],
                                      y->size[2], err));
    node->grad_ready = slope_wanted;
  } else {
    const int64_t blocks = (rnl_tensor_numel(y) + BLOCK - 1) / BLOCK;
    RNL_TRY(new_like(&node->work[WORK_DIFFERENCE], y, err));
    RNL_TRY(rnl_tensor_new(&node->work[WORK_SUMS], RNL_F64, 1, &blocks, err));
    node->grad_ready = slope_wanted && flat(node, y) && flat(node, target);
  }
  return rnl_tensor_new(rnl_out(node, 0), y->dtype, 0, NULL, err);
}

/* A pass over the blocks of WORK_DIFFERENCE, divided over threads; each block's share is its own. */
typedef struct pass {
  const rnl_node *node;
  bool together;          /* y and target are flat: y - target is computed here */
  const rnl_tensor *into; /* not NULL: into (+)= scale * (y - target) instead */
  double scale;           /* without `into`: of the slope that is to stay where y - target is; 0: that itself */
  bool add;
} pass;

static const void *at(const rnl_tensor *t, int64_t i) {
  return (const char *)rnl_tensor_data(t) + i * (int64_t)rnl_dtype_size(t->dtype);
}

static void run_blocks(void *context, int index, int count) {
  const pass *p = context;
  const rnl_tensor *difference = &p->node->work[WORK_DIFFERENCE], *y = rnl_in(p->node, Y),
                   *target = rnl_in(p->node, TARGET);
  const rnl_kernels *k = rnl_kernels_of(y->dtype == RNL_F64);
  double *sums = rnl_f64(&p->node->work[WORK_SUMS]);
  const float single = (float)p->scale;
  const void *scale = y->dtype == RNL_F64 ? (const void *)&p->scale : &single;
  _Alignas(64) char own[BLOCK * sizeof(double)];
  const int64_t all = rnl_tensor_numel(difference);
  int64_t from, to;
  rnl_share(all, BLOCK, index, count, &from, &to);
  for (int64_t i = from; i < to; i += BLOCK) {
    const int64_t n = to - i < BLOCK ? to - i : BLOCK;
    void *d = p->into && p->together ? own : (void *)(uintptr_t)at(difference, i);
    void *out = p->into ? (void *)(uintptr_t)at(p->into, i) : d;
    if (p->together) k->binary(RNL_BINARY_SUB, n, at(y, i), 1, at(target, i), 1, d);
    if (!p->into) sums[i / BLOCK] = k->sum_squares(n, d);
    if (p->add) k->axpy(n, p->scale, d, out);
    else if (p->into || p->scale != 0) k->binary(RNL_BINARY_MUL, n, d, 1, scale, 0, out);
  }
}

static void run_pass(pass *p) {
  const int64_t blocks = p->node->work[WORK_SUMS].size[0];
  rnl_threads_run(blocks < 8 ? 1 : rnl_threads_wanted(), run_blocks, p);
}

/* Where dloss/dy goes in the forward pass; NULL: nowhere. */
static void *slope_data(const rnl_node *node) {
  return node->grad_ready ? rnl_tensor_data(&node->work[WORK_SLOPE]) : NULL;
}

/* The forward pass has left what the backward pass is to put into the gradient of y. */
static bool is_there(const rnl_node *node) {
  return node->grad_ready && rnl_tensor_data(rnl_in_grad(node, Y)) == slope_data(node) && !node->accumulate[Y] &&
         rnl_tensor_at(rnl_out_grad(node, 0), 0) == 1;
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  double sum = 0;
  if (in_lanes(node)) {
    sum = rnl_lane_kernels_of(y->dtype == RNL_F64, y->size[0])
              ->lane_squared_error(y->size[1] * y->size[2], rnl_tensor_lane_stride(y), y->size[0], rnl_tensor_data(y),
                                   rnl_tensor_data(target), 2 * scale_of(node), slope_data(node));
  } else {
    pass p = {.node = node, .together = flat(node, y) && flat(node, target),
              .scale = node->grad_ready ? 2 * scale_of(node) : 0};
    if (!p.together) rnl_binary_into(RNL_BINARY_SUB, y, target, &node->work[WORK_DIFFERENCE]);
    run_pass(&p);
    for (int64_t i = 0; i < node->work[WORK_SUMS].size[0]; i++) sum += rnl_f64(&node->work[WORK_SUMS])[i];
  }
  rnl_tensor_put(rnl_out(node, 0), 0, sum * scale_of(node));
  return RNL_OK;
}

static double slope_of(const rnl_node *node) {
  return 2 * scale_of(node) * rnl_tensor_at(rnl_out_grad(node, 0), 0);
}

/* dloss/dy = 2 scale (y - target) */
static rnl_status backward(rnl_node *node, rnl_error *err) {
  (void)err;
  if (is_there(node)) return RNL_OK;
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  const double slope = slope_of(node);
  for (int input = Y; input <= TARGET; input++) {
    const rnl_tensor *into = rnl_in_grad(node, input);
    if (!into) continue;
    const double scale = input == Y ? slope : -slope;
    if (in_lanes(node))
      rnl_lane_kernels_of(y->dtype == RNL_F64, y->size[0])
          ->lane_squared_error_backward(y->size[1] * y->size[2], rnl_tensor_lane_stride(y), y->size[0], scale,
                                        rnl_tensor_data(y), rnl_tensor_data(target), rnl_tensor_data(into),
                                        node->accumulate[input]);
    else if (flat(node, into)) /* the difference itself has made room for a slope that is not the one wanted now */
      run_pass(&(pass){.node = node, .together = node->grad_ready, .into = into, .scale = scale,
                       .add = node->accumulate[input]});
    else
      rnl_scale_into(into, scale, &node->work[WORK_DIFFERENCE], node->accumulate[input]);
  }
  return RNL_OK;
}

/* ---- two of one shape side by side ---------------------------------------------------------- */

/* Where what made the predictions goes side by side. */
static bool pairs(const rnl_node *a, const rnl_node *b) {
  const rnl_tensor *y = rnl_in(a, Y);
  const rnl_node *of_a = a->in[Y]->creator, *of_b = b->in[Y]->creator;
  return of_a && of_b && of_a->op == of_b->op && of_a->op->pairs && of_a->op->pairs(of_a, of_b) &&
         rnl_kernels_of(y->dtype == RNL_F64)->lane_pair_error && in_lanes(a) && in_lanes(b) &&
         a->grad_ready && b->grad_ready && a->accumulate[Y] == b->accumulate[Y] &&
         y->size[0] <= RNL_PAIR_LANES && rnl_tensor_same_shape(y, rnl_in(b, Y));
}

static rnl_status forward_pair(rnl_node *a, rnl_node *b, rnl_error *err) {
  (void)err;
  const rnl_tensor *y = rnl_in(a, Y);
  double error[2];
  rnl_kernels_of(false)->lane_pair_error(y->size[1] * y->size[2], y->size[0],
                                         (const void *[]){rnl_tensor_data(y), rnl_tensor_data(rnl_in(b, Y))},
                                         (const void *[]){rnl_tensor_data(rnl_in(a, TARGET)),
                                                          rnl_tensor_data(rnl_in(b, TARGET))},
                                         (const double[]){2 * scale_of(a), 2 * scale_of(b)},
                                         (void *[]){slope_data(a), slope_data(b)}, error);
  rnl_tensor_put(rnl_out(a, 0), 0, error[0] * scale_of(a));
  rnl_tensor_put(rnl_out(b, 0), 0, error[1] * scale_of(b));
  return RNL_OK;
}

static rnl_status backward_pair(rnl_node *a, rnl_node *b, rnl_error *err) {
  (void)err;
  if (is_there(a) && is_there(b)) return RNL_OK;
  const rnl_tensor *y = rnl_in(a, Y), *dy = rnl_in_grad(a, Y), *dy_b = rnl_in_grad(b, Y);
  rnl_kernels_of(false)->lane_pair_error_backward(y->size[1] * y->size[2], y->size[0],
                                                  (const double[]){slope_of(a), slope_of(b)},
                                                  (const void *[]){rnl_tensor_data(y), rnl_tensor_data(rnl_in(b, Y))},
                                                  (const void *[]){rnl_tensor_data(rnl_in(a, TARGET)),
                                                                   rnl_tensor_data(rnl_in(b, TARGET))},
                                                  (void *[]){rnl_tensor_data(dy), rnl_tensor_data(dy_b)},
                                                  a->accumulate[Y]);
  return RNL_OK;
}

/* loss. = sum of 2 scale (y - target) (y. - target.) */
static rnl_status jvp(rnl_node *node, const rnl_tensor *const *in_tangent, const rnl_tensor *out_tangent,
                      rnl_error *err) {
  (void)err;
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  double sum = 0;
  for (int64_t i = 0; i < rnl_tensor_numel(y); i++) {
    double moved = (in_tangent[Y] ? rnl_tensor_at(in_tangent[Y], i) : 0) -
                   (in_tangent[TARGET] ? rnl_tensor_at(in_tangent[TARGET], i) : 0);
    sum += (rnl_tensor_at(y, i) - rnl_tensor_at(target, i)) * moved;
  }
  rnl_tensor_put(&out_tangent[0], 0, 2 * scale_of(node) * sum);
  return RNL_OK;
}

/* A target laid out as the prediction needs no repacking. */
static rnl_layout wants(const rnl_node *node, int input) {
  return input == TARGET ? rnl_in(node, Y)->layout : RNL_LAYOUT_STRIDED;
}

const rnl_op rnl_op_squared_error = {.name = "squared error", .min_in = 2, .max_in = 2, .n_out = 1,
                                     .attrs_size = sizeof(rnl_loss), .prepare = prepare,
                                     .forward = forward, .backward = backward, .jvp = jvp,
                                     .pairs = pairs, .forward_pair = forward_pair, .backward_pair = backward_pair,
                                     .wants = wants};
