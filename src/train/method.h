/* train/method.h owns the seam for methods that are no step from one gradient: L-BFGS, Levenberg-Marquardt. Such a
 * method owns a whole epoch. It is given the recorded step of all sequences in one batch, and may run it forward and
 * backward as often as it likes while it changes the parameters' values in place. */
#ifndef RNL_TRAIN_METHOD_H
#define RNL_TRAIN_METHOD_H

#include "grad/plan.h"
#include "train/set.h"

typedef struct rnl_full_batch {
  rnl_plan *plan;            /* rnl_plan_forward, rnl_plan_backward, rnl_plan_jvp; the leaves hold all sequences */
  rnl_var *prediction;       /* after a forward pass */
  rnl_var *target;           /* the leaf y */
  rnl_var *loss;             /* one number */
  const rnl_set *set;        /* what the leaves hold: mask, lengths, weights */
  int n_parameters;
  rnl_var *const *parameters; /* contiguous values; gradients after a backward pass */
  const volatile int *stop;   /* not 0: return as soon as the parameters are in order; may be NULL */
  int threads;                /* that it may use, at least 1; no number may depend on it */
} rnl_full_batch;

/* An array that belongs to a method's state. */
typedef struct rnl_method_value {
  const char *name; /* "damping"; unlike the others'; lives as long as the method */
  double *values;
  int64_t n;
} rnl_method_value;
enum { RNL_METHOD_VALUES = 8 };

typedef struct rnl_method {
  const char *name; /* "lm", for messages */
  void *context;
  /* Before the first epoch, and again whenever the plan is another: check what the method needs and allocate.
   * May be NULL. */
  rnl_status (*prepare)(void *context, const rnl_full_batch *batch, rnl_error *err);
  /* One epoch. *loss is the loss before the epoch's first change; where it is not finite nothing may have changed.
   * *converged: no further epoch will change anything. Called with denormals flushed. Where it
   * fails everything is as before the epoch; RNL_ERR_INTERRUPTED: by the stop flag, and it can be run again. */
  rnl_status (*epoch)(void *context, const rnl_full_batch *batch, double *loss, bool *converged, rnl_error *err);
  /* Everything beside the parameters that the next epoch depends on, as arrays of the method's own: out[0 .. n-1] are
   * filled, n <= RNL_METHOD_VALUES is returned. Names and sizes depend on the options and the parameters alone, and the
   * arrays are there from the method's making to its release. A checkpoint writes them by name after an epoch; a resume
   * writes the same numbers back into the same arrays before its first epoch, and goes on to the bit. NULL: none. */
  int (*state)(void *context, rnl_method_value *out);
  size_t (*bytes)(const void *context); /* that it holds; may be NULL */
  void (*release)(void *context); /* the trainer calls it when it ends; may be NULL */
} rnl_method;

#endif
