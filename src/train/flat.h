/* train/flat.h owns the parameters of a method as one vector of doubles. Private to the room. */
#ifndef RNL_TRAIN_FLAT_H
#define RNL_TRAIN_FLAT_H

#include "grad/op.h"

int64_t rnl_flat_count(int n, rnl_var *const *parameters);
/* Values, or gradients (zero where a parameter has none), one parameter behind the other. */
void rnl_flat_values(int n, rnl_var *const *parameters, double *out);
void rnl_flat_gradients(int n, rnl_var *const *parameters, double *out);
/* Put them back, rounded to the parameters' dtype. */
void rnl_flat_set_values(int n, rnl_var *const *parameters, const double *from);
void rnl_flat_set_gradients(int n, rnl_var *const *parameters, const double *from);

/* sum_i a[i] b[i], in order */
double rnl_flat_dot(int64_t n, const double *a, const double *b);

#endif
