/* train/residuals.h owns the residuals of a recorded step whose loss is a sum of squares. Private to the room. */
#ifndef RNL_TRAIN_RESIDUALS_H
#define RNL_TRAIN_RESIDUALS_H

#include "grad/op.h"

typedef struct rnl_residuals {
  rnl_var *prediction, *target; /* of the loss; borrowed */
  int64_t count;                /* elements of the prediction, row-major */
  double *root;                 /* [count] sqrt(w); NULL: 1 everywhere */
  rnl_tensor y, t;              /* copies in double */
} rnl_residuals;

/* The loss must be sse or mse, of the prediction as it stands: else ERR_ARG, beginning with `who`. */
rnl_status rnl_residuals_of(rnl_residuals *out, const char *who, const rnl_var *loss, rnl_error *err);
void rnl_residuals_release(rnl_residuals *r);

/* After a forward pass: r[0 .. count-1], `stride` apart, and their sum of squares. */
rnl_status rnl_residuals_get(rnl_residuals *r, double *out, int64_t stride, double *sum, rnl_error *err);

#endif
