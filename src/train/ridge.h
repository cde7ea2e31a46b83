/* train/ridge.h owns ridge regression of a linear read-out, the training of reservoirs (Jaeger 2001; Lukosevicius &
 * Jaeger 2009): all else in the network stays as it is, and the last layer is solved for at once.
 *
 * Where the prediction is y = f B + c, f being what the last layer is given at a step,
 *
 *   B, c = argmin sum_rows w |target - f B - c|^2 + lambda |B|^2     (c is not penalised; w: mask, lengths, weights)
 *        = (F' F + lambda I)^-1 F' T,     rows of F: sqrt(w) [f, 1], of T: sqrt(w) target
 *
 * summed in double whatever the dtype, and solved by a Cholesky factor. With lambda = 0 F B = T is solved by its
 * singular values instead: the B of least norm among the best, for F of any rank, at the price of holding all of F.
 *
 * The read-out may be a linear layer, or that of a recurrent layer without an activation; a layer that feeds its output
 * back must be fed with the targets while it is trained. One epoch, and the method has converged. */
#ifndef RNL_TRAIN_RIDGE_H
#define RNL_TRAIN_RIDGE_H

#include "train/method.h"

/* A new method. ERR_ARG: lambda is no number >= 0. Its epoch fails where the loss is no sum of squares or the
 * prediction is made by no such read-out (ERR_ARG), F does not fit (ERR_MEMORY) or LAPACK is missing. */
rnl_status rnl_ridge_new(rnl_method *out, double lambda, rnl_error *err);

#endif
