/* rnn/loss.c: the squared errors. */
#include "rnn/loss.h"

#include <string.h>

#include "grad/elementwise.h"
#include "kernel/kernel.h"

enum { Y = 0, TARGET = 1, WORK_DIFFERENCE = 0 };

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
  if (!in_lanes(node))
    RNL_TRY(rnl_tensor_new(&node->work[WORK_DIFFERENCE], y->dtype, y->ndim, y->size, err));
  return rnl_tensor_new(rnl_out(node, 0), y->dtype, 0, NULL, err);
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  const rnl_kernels *k = rnl_kernels_of(y->dtype == RNL_F64);
  double sum;
  if (in_lanes(node)) {
    sum = k->lane_squared_error(y->size[1] * y->size[2], rnl_tensor_lane_stride(y), y->size[0],
                                rnl_tensor_data(y), rnl_tensor_data(target));
  } else {
    const rnl_tensor *difference = &node->work[WORK_DIFFERENCE];
    rnl_binary_into(RNL_BINARY_SUB, y, target, difference);
    sum = k->sum_squares(rnl_tensor_numel(difference), rnl_tensor_data(difference));
  }
  rnl_tensor_put(rnl_out(node, 0), 0, sum * scale_of(node));
  return RNL_OK;
}

/* dloss/dy = 2 scale (y - target) */
static rnl_status backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *y = rnl_in(node, Y), *target = rnl_in(node, TARGET);
  const rnl_kernels *k = rnl_kernels_of(y->dtype == RNL_F64);
  const double slope = 2 * scale_of(node) * rnl_tensor_at(rnl_out_grad(node, 0), 0);
  for (int input = Y; input <= TARGET; input++) {
    const rnl_tensor *into = rnl_in_grad(node, input);
    if (!into) continue;
    const double scale = input == Y ? slope : -slope;
    if (in_lanes(node))
      k->lane_squared_error_backward(y->size[1] * y->size[2], rnl_tensor_lane_stride(y), y->size[0], scale,
                                     rnl_tensor_data(y), rnl_tensor_data(target), rnl_tensor_data(into),
                                     node->accumulate[input]);
    else
      rnl_scale_into(into, scale, &node->work[WORK_DIFFERENCE], node->accumulate[input]);
  }
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
                                     .wants = wants};
