/* kernel/row_loss.h owns the flat form in which a loss over rows reaches the kernels. The losses themselves are defined
 * in rnn/row_loss.h; the kinds are numbered alike (rnn/row_loss.c asserts it). */
#ifndef RNL_KERNEL_ROW_LOSS_H
#define RNL_KERNEL_ROW_LOSS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rnl_loss_kind {
  RNL_LOSS_KIND_SSE = 0,
  RNL_LOSS_KIND_MSE,
  RNL_LOSS_KIND_MAE,
  RNL_LOSS_KIND_HUBER,
  RNL_LOSS_KIND_BCE,
  RNL_LOSS_KIND_CROSS_ENTROPY,
  RNL_LOSS_KIND_GAUSSIAN_NLL
} rnl_loss_kind;

/* In lanes: y is [rows][features][lanes], a row a step, of `batch` sequences; target likewise; weight and classes
 * [rows][lanes]. Else y is [rows][features], a row a sequence and step; weight and classes [rows]. */
typedef struct rnl_loss_rows {
  rnl_loss_kind kind;
  bool in_lanes;
  double delta, scale;      /* huber's; what losses and slopes are multiplied by: 1, or 1 / features */
  double slope_scale;       /* what slopes are multiplied by besides */
  int64_t rows, batch, lanes, features; /* features: of y; gaussian_nll: of the target */
  const void *y, *target;   /* target NULL: classes */
  const void *weight;       /* 0: neither y nor target is looked at */
  const void *classes;      /* numbers from 0; NULL: target */
  const void *feature_weight; /* [features] bce: of target 1; cross_entropy with a target: of each class; or NULL */
  void *slope;              /* as y: slope_scale * weight * d loss / d y */
} rnl_loss_rows;

#endif
