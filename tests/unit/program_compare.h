/* program_compare.h: an executor of cell programs against the reference: outputs, final states and every gradient. */
#ifndef RNL_TEST_PROGRAM_COMPARE_H
#define RNL_TEST_PROGRAM_COMPARE_H

#include "programs.h"

static inline double largest(const rnl_tensor *t) {
  double most = 0;
  for (int64_t i = 0; i < rnl_tensor_numel(t); i++) most = fmax(most, fabs(rnl_tensor_at(t, i)));
  return most;
}

static inline void compare(const char *name, program_case c, const char *what, int k, const rnl_tensor *found,
                    const rnl_tensor *expected) {
  const double tolerance = (c.dtype == RNL_F64 ? 1e-11 : 3e-5) * fmax(largest(expected), 1e-2);
  assert_int_equal(rnl_tensor_numel(found), rnl_tensor_numel(expected));
  for (int64_t i = 0; i < rnl_tensor_numel(found); i++) {
    const double x = rnl_tensor_at(found, i), y = rnl_tensor_at(expected, i);
    if (!(fabs(x - y) <= tolerance))
      fail_msg("%s, dtype %d, batch %d, states %d, lengths %d, checkpoint %d, final %d, unseen %x, frozen %x: "
               "%s %d[%d] is %.12g; expected %.12g", name, c.dtype, (int)c.batch, c.states, c.lengths,
               (int)c.checkpoint, c.final, c.unseen, c.frozen, what, k, (int)i, x, y);
  }
}

/* Past its length a sequence's data are no numbers at all. */
static inline void spoil_past_lengths(const applied *a, const rnl_program *p, program_case c) {
  const rnl_var *lengths = a->in[rnl_program_lengths(p)];
  for (int k = 0; k < p->n_sequences && lengths; k++) {
    const rnl_tensor *x = rnl_value(a->in[k]);
    for (int64_t b = 0; b < c.batch; b++)
      for (int64_t t = (int64_t)rnl_tensor_at(rnl_value(lengths), b); t < c.time; t++)
        for (int64_t j = 0; j < x->size[2]; j++) rnl_tensor_set(x, (int64_t[]){b, t, j}, NAN);
  }
}

static inline applied applied_run(rnl_program *p, program_case c, rnl_regime regime) {
  c.regime = regime;
  applied a = program_apply(p, c);
  spoil_past_lengths(&a, p, c);
  for (int pass = 0; pass < 2; pass++) { /* the second finds everything as the first left it */
    OK(rnl_plan_forward(a.plan, err));
    spoil_borrowed(a.plan);
    OK(rnl_plan_backward(a.plan, err));
  }
  return a;
}

/* The regime against the reference. Releases p. */
static inline void check_regime(rnl_regime regime, const char *name, rnl_program *p, program_case c) {
  applied own = applied_run(p, c, regime), reference = applied_run(p, c, RNL_REGIME_REFERENCE);
  for (int k = 0; k < p->n_outputs + p->n_states; k++)
    compare(name, c, "output", k, rnl_value(own.out[k]), rnl_value(reference.out[k]));
  for (int k = 0; k < own.n_in; k++)
    if (own.in[k] && own.in[k]->requires_grad)
      compare(name, c, "gradient of input", k, rnl_grad(own.in[k]), rnl_grad(reference.in[k]));
  applied_free(&own);
  applied_free(&reference);
  rnl_program_release(p);
}

#endif
