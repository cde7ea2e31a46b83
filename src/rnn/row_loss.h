/* rnn/row_loss.h owns the losses that go row by row: one number for each sequence and step, of the network's
 * outputs y there and their target, then a mean over the rows that count. (sse and mse over everything have a
 * quicker op in loss.h.)
 *
 *   sse, mse          (y - target)^2                          mean over rows of the sum, or mean, over features
 *   mae               |y - target|
 *   huber             d^2 / 2 for d = |y - target| <= delta, else delta (d - delta / 2)          (Huber 1964)
 *   bce               max(z, 0) - z target + log(1 + e^-|z|), z = y a logit; with weights, (feature): the weight of
 *                     target = 1 (PyTorch's pos_weight)
 *   cross_entropy     -log softmax(y)[target]; target a class, or probabilities p: -sum p log softmax(y); with
 * weights, (classes): each row counts by its class's weight, in the mean too (PyTorch's convention) gaussian_nll y
 * = means (n) | log variances (n):  (log var + (target - mean)^2 / var + log 2 pi) / 2 (Nix & Weigend 1994) mse,
 * mae, huber, bce and gaussian_nll are means over features, or with `sum` sums; sse and cross_entropy are sums. y
 * is (batch, time, feature) or (batch, feature). The mean over rows is sum w l / sum w, w being the mask (batch,
 * time) or (batch), 1 where there is none and 0 past a sequence's length. Where w = 0 neither y nor target is
 * looked at.
 */
#ifndef RNL_RNN_ROW_LOSS_H
#define RNL_RNN_ROW_LOSS_H

#include "grad/op.h"

typedef enum rnl_row_loss_kind {
  RNL_ROW_LOSS_SSE = 0,
  RNL_ROW_LOSS_MSE,
  RNL_ROW_LOSS_MAE,
  RNL_ROW_LOSS_HUBER,
  RNL_ROW_LOSS_BCE,
  RNL_ROW_LOSS_CROSS_ENTROPY,
  RNL_ROW_LOSS_GAUSSIAN_NLL,
  RNL_ROW_LOSS_COUNT
} rnl_row_loss_kind;

typedef struct rnl_row_loss_attrs {
  rnl_row_loss_kind kind;
  bool sum;     /* over features, in place of their mean */
  double delta; /* huber; > 0 */
  int base;     /* cross_entropy: the number of the first class (0, or 1 at the Lua face) */
  bool plain;   /* by the loops in double that the kernels are tested against */
} rnl_row_loss_attrs;

/* Inputs: y; target, of y's shape, or for classes of y's without features (or with one), or for gaussian_nll half
 * the features; then mask, lengths (batch) and weights, each NULL where it is not given. No gradient passes to any
 * but y. */
enum { RNL_ROW_LOSS_Y = 0, RNL_ROW_LOSS_TARGET, RNL_ROW_LOSS_MASK, RNL_ROW_LOSS_LENGTHS, RNL_ROW_LOSS_WEIGHTS,
       RNL_ROW_LOSS_INPUTS };
extern const rnl_op rnl_op_row_loss;

/* "huber" -> kind, with delta 1 and base 0. ERR_ARG lists what there is. */
rnl_status rnl_row_loss_from_name(const char *name, rnl_row_loss_attrs *out, rnl_error *err);

#endif
