/* rnn/trace.h owns turning a step written with ordinary tensors into a cell program: while a trace is open, every
 * op that is applied is translated into instructions, and refused at once where a program has none for it, so that
 * the error arises at the call that caused it.
 *
 * The step is run once on stand-ins of RNL_TRACE_BATCH sequences: x and states (RNL_TRACE_BATCH, width), weights of
 * their own sizes. A number (a leaf of one element) becomes a constant; a detached value one through which no
 * gradient passes. */
#ifndef RNL_RNN_TRACE_H
#define RNL_RNN_TRACE_H

#include "grad/op.h"
#include "rnn/program.h"

enum { RNL_TRACE_BATCH = 2, RNL_TRACE_VALUES = RNL_PROGRAM_VALUES };

typedef struct rnl_trace {
  rnl_program *program; /* under construction; the caller's */
  int n;
  struct {
    rnl_slot *slot; /* kept alive by `var` */
    rnl_var *var;
    int value;
  } known[RNL_TRACE_VALUES];
} rnl_trace;

/* Begin recording on this thread, one trace at a time; from rnl_trace_watch on ops are translated. */
void rnl_trace_begin(rnl_trace *trace, rnl_program *program);
void rnl_trace_watch(rnl_trace *trace);
void rnl_trace_end(rnl_trace *trace); /* idempotent */

/* Say that a stand-in is a value of the program. ERR_ARG: too many values. */
rnl_status rnl_trace_declare(rnl_trace *trace, rnl_var *var, int value, rnl_error *err);
/* The program's value that a variable stands for; ERR_ARG where it is none of this cell's. */
rnl_status rnl_trace_value(rnl_trace *trace, rnl_var *var, int *value, rnl_error *err);

#endif
