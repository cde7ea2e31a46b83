/* rnn/program_op.h owns the op that runs a cell program over whole sequences, forward, backward and in forward
 * mode. */
#ifndef RNL_RNN_PROGRAM_OP_H
#define RNL_RNN_PROGRAM_OP_H

#include "grad/op.h"
#include "rnn/program.h"
#include "rnn/recurrent.h" /* rnl_regime, RNL_LAYER_NAME */

/* Inputs, in this order, of a program with S sequences, R rows, K states and W weights:
 *   S sequences (batch, time, width); R rows (batch, width); K initial states, each (batch, width), (width) for
 *   all sequences, or NULL: zero; W weights, (rows, width) or (width); lengths (batch), or NULL: every sequence is
 *   whole. Lengths are whole numbers 1 .. time in a tensor of x's dtype; past its length a sequence's outputs are
 *   zero, its data do not count, and its final states are those of its last step.
 * Outputs: the program's outputs (batch, time, width), then the K final states (batch, width). */
typedef struct rnl_program_attrs {
  rnl_program *program;  /* finished; the node holds a reference */
  rnl_regime regime;     /* after prepare: the one in use */
  int64_t checkpoint;    /* 0: keep everything; n: keep states every n steps, compute the rest again; -1: every
                            sqrt(time) */
  char name[RNL_LAYER_NAME];
} rnl_program_attrs;

extern const rnl_op rnl_op_program;

/* The regime AUTO takes: small up to RNL_SMALL_MAX features on every side. A function of the shapes alone, so that the
 * bits never depend on timing, and not of the batch, so that a sequence alone gives the bits it gives in a batch.
 * Measured on AVX-512 at hidden 64: the lanes take .49 of the products' time for 16 sequences or more, .87 for 8, and
 * 1.9 for one. */
enum { RNL_SMALL_MAX = 64 };
rnl_regime rnl_program_regime(const rnl_program *p);

/* Number of the first input of each group. */
static inline int rnl_program_first_row(const rnl_program *p) { return p->n_sequences; }
static inline int rnl_program_first_state(const rnl_program *p) { return p->n_sequences + p->n_rows; }
static inline int rnl_program_first_weight(const rnl_program *p) { return rnl_program_first_state(p) + p->n_states; }
static inline int rnl_program_lengths(const rnl_program *p) { return rnl_program_first_weight(p) + p->n_weights; }

#endif
