/* rnn/program_reference.h: a cell program as plain loops in double precision, forward, backward and forward mode. The
 * backward pass goes through the *forward* list with each instruction's derivative written out, and so checks
 * the derived backward list too. Private to the room. */
#ifndef RNL_RNN_PROGRAM_REFERENCE_H
#define RNL_RNN_PROGRAM_REFERENCE_H

#include "rnn/program_op.h"

/* Every value has an array over all steps: STEP and SEQUENCE [time][batch][width], STATE [time + 1][batch][width]
 * (slot t: as step t-1 left it), ROW [batch][width], WEIGHT and CONSTANT their own. */
typedef struct rnl_program_reference {
  const rnl_program *p;
  int64_t batch, time, elements;
  int64_t *lengths;
  double *value[RNL_PROGRAM_VALUES];
  double *grad[RNL_PROGRAM_VALUES];    /* NULL without gradients */
  double *tangent[RNL_PROGRAM_VALUES]; /* NULL but in jvp */
} rnl_program_reference;

/* Makes the outputs' tensors and room for every value at every step. */
rnl_status rnl_program_reference_new(rnl_program_reference **out, rnl_node *node, rnl_error *err);
void rnl_program_reference_free(rnl_program_reference *r); /* NULL is allowed */
size_t rnl_program_reference_bytes(const rnl_program_reference *r);

rnl_status rnl_program_reference_forward(rnl_program_reference *r, const rnl_node *node, rnl_error *err);
rnl_status rnl_program_reference_backward(rnl_program_reference *r, const rnl_node *node, rnl_error *err);
/* In any regime; allocates. */
rnl_status rnl_program_reference_jvp(const rnl_node *node, const rnl_tensor *const *in_tangent,
                                     const rnl_tensor *out_tangent, rnl_error *err);

/* In any regime, for many directions: see grad/op.h. */
rnl_status rnl_program_jvp_many(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out,
                                rnl_error *err);

/* The values alone, of the inputs as they are; *out is to be freed whatever the status. */
rnl_status rnl_program_reference_values(rnl_program_reference **out, const rnl_node *node, rnl_error *err);
/* Feature j of value v for sequence b at step t; one feature stretches, the others lie behind it. */
double *rnl_program_reference_at(const rnl_program_reference *r, int v, int64_t t, int64_t b, int64_t j);

rnl_unary rnl_program_unary_of(rnl_activation act);
double rnl_program_unary_slope(rnl_unary kind, double x, double y); /* f'(x) where y = f(x) */
/* df/da and df/db; where a and b are equal, MIN and MAX give half to each */
void rnl_program_binary_slopes(rnl_binary kind, double a, double b, double y, double *da, double *db);

/* The (1 .. time) lengths of a node's sequences, `time` each where none are given. ERR_ARG names the sequence. */
rnl_status rnl_program_read_lengths(const rnl_node *node, int64_t batch, int64_t time, int64_t *lengths, int64_t *min,
                                    rnl_error *err);

#endif
