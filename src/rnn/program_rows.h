/* rnn/program_rows.h: how a program is divided for the large regime, what program_rows.c runs. Private to the room.
 *
 * Time goes in chunks of a few steps. What depends on no state (forward), or on no gradient that comes from later steps
 * (backward), is computed for a whole chunk before its steps; products that nothing in the steps waits for, after
 * them. Only the rest is done step by step. */
#ifndef RNL_RNN_PROGRAM_ROWS_H
#define RNL_RNN_PROGRAM_ROWS_H

#include "kernel/threads.h"
#include "rnn/program_store.h"

typedef enum rows_phase {
  ROWS_STEP = 0, /* a step after another */
  ROWS_AHEAD,    /* for all steps of the chunk, before them */
  ROWS_LATE      /* for all steps of the chunk, after them */
} rows_phase;

typedef struct rows_instruction {
  const rnl_instruction *f;
  rows_phase phase;
  int pack[RNL_PROGRAM_TERMS];     /* of each term's weight */
  bool hoisted[RNL_PROGRAM_TERMS]; /* AFFINE in a STEP phase: this term is computed for the chunk before its steps */
  bool hoists;                     /* some are */
  char *ahead;                     /* where: [chunk][batch][width], or NULL: where out itself has its steps */
} rows_instruction;

typedef struct rows_list {
  int n;
  rows_instruction *step;
} rows_list;

typedef struct rows_pack {
  int weight; /* its index */
  bool transposed;
  bool sparse; /* in this pass: the weight was mostly zeros when it began */
  int64_t k, n;
  char *data;
} rows_pack;

typedef struct rows_own {
  rows_list forward, backward;
  int n_packs;
  rows_pack pack[2 * RNL_PROGRAM_WEIGHTS];
  int64_t chunk;                    /* steps */
  char *place[RNL_PROGRAM_VALUES];  /* transient values that lie in a chunk's buffer: [chunk][batch][width] */
  int n_fetched, fetched[RNL_PROGRAM_VALUES]; /* what a backward step's elementwise instructions find far away */
  const rows_instruction *fetching; /* the product of a backward step in which those of the next are fetched; or NULL */
  rnl_tensor buffers;
  rnl_barrier barrier;
} rows_own;

/* Divide both lists and allocate; *own is to be ended by rows_release even after a failure. */
rnl_status rows_plan(rows_own **own, const rnl_program_store *s, rnl_error *err);
void rows_release(void *own);

#endif
