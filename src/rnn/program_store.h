/* rnn/program_store.h owns where the values of a cell program lie while it runs over sequences, alike for
 * the executors in lanes and in rows. Private to the room.
 *
 * A step of a value is width * pitch elements:
 *   in lanes  [width][lanes]   pitch = lanes = rnl_lanes_of(batch); feature rows are `lanes` apart
 *   in rows   [batch][width]   pitch = batch; batch rows are the width of the base value apart
 * Time goes in segments of at most `segment` steps, [first, first + steps): all time in one, or with checkpoints
 * about sqrt(time) each, whose kept values are computed again before their backward pass. Kept values have a step
 * for each step of the segment, transient ones one in all, states one more: the state before the segment.
 */
#ifndef RNL_RNN_PROGRAM_STORE_H
#define RNL_RNN_PROGRAM_STORE_H

#include "rnn/program_op.h"

/* Where a value is at local step s (0 .. steps-1 of the segment): data + s * step elements. */
typedef struct rnl_operand {
  char *data;     /* NULL: absent (an arriving gradient that there is none of) */
  int64_t step;   /* elements from a step to the next; 0: the same at every step */
  int64_t stride; /* lanes: elements from a feature to the next; rows: from a batch row to the next.
                     Vector weights: 1 and 0. Constants: 0 (then data points at one element) */
  int64_t width;
  bool per_sequence; /* false: a weight or constant, the same for every sequence */
} rnl_operand;

typedef struct rnl_program_store {
  rnl_program *program;
  bool lanes, f64, gradients;
  int64_t batch, pitch, time, segment; /* segment: steps a segment at most; = time without checkpoints */
  int64_t n_segments;
  /* of the segment under way */
  int64_t first, steps;
  rnl_tensor arena;                          /* everything below that is ours and lasts */
  char *passing;                             /* where what lives in a backward pass alone lies: borrowed */
  char *base[RNL_PROGRAM_VALUES];            /* of STEPs, STATEs (slot 0 of the segment), gradients, constants */
  char *checkpoint[RNL_PROGRAM_STATES];      /* [n_segments][width * pitch]: states before each segment */
  bool step_kept[RNL_PROGRAM_VALUES];        /* STEP values that have a place for each step of the segment */
  rnl_tensor sequence[RNL_PROGRAM_SEQUENCES]; /* inputs in our layout: the input itself, or a packed copy */
  bool packed[RNL_PROGRAM_SEQUENCES];
  rnl_tensor sequence_grad[RNL_PROGRAM_SEQUENCES]; /* likewise */
  bool grad_packed[RNL_PROGRAM_SEQUENCES];
  char *row_pack[RNL_PROGRAM_ROWS];          /* [width * pitch] */
  const char *weight_data[RNL_PROGRAM_WEIGHTS];
  bool weight_wanted[RNL_PROGRAM_WEIGHTS];   /* its gradient is */
  char *arriving[RNL_PROGRAM_OUTPUTS];       /* [time][width * pitch] or NULL */
  char *output[RNL_PROGRAM_OUTPUTS];         /* [time][width * pitch] */
  bool output_aliased[RNL_PROGRAM_OUTPUTS];  /* the output's storage is where the value lies: nothing to copy */
  bool state_aliased[RNL_PROGRAM_STATES];    /* its steps lie in an output's storage, with one slot before it */
  char *weight_grad[RNL_PROGRAM_WEIGHTS];    /* vectors: per sequence sums [width * pitch] */
  int64_t *lengths;                          /* [batch] and the least of them, or NULL: all are `time` */
  int64_t min_length;
  char *final_pack[RNL_PROGRAM_STATES];      /* [width * pitch], where lengths are given */
  char *final_grad[RNL_PROGRAM_STATES];      /* final_pack, or NULL: no gradient arrives */
} rnl_program_store;

/* Operand of a value in the segment under way. */
rnl_operand rnl_program_operand(const rnl_program_store *s, int value);

/* An executor runs the step lists over the segment under way; everything around (packing inputs, initial
 * and final states, checkpoints, gradients of initial states) is program_op.c's. */
typedef struct rnl_program_executor {
  bool lanes;
  /* Work buffers of its own into *own (freed by release; its bytes counted by bytes). */
  rnl_status (*prepare)(const rnl_program_store *s, const rnl_node *node, void **own, rnl_error *err);
  void (*release)(void *own);
  size_t (*bytes)(const void *own);
  /* Before the first segment of a forward pass (weights may have changed since the last). */
  void (*begin)(const rnl_program_store *s, void *own);
  /* The forward list over steps 0 .. steps-1 of the segment: each step's next state at local step s+1 of its STATE.
   * Where lengths are given, states of sequence b are set to zero at steps first+s >= lengths[b], so that a cell that
   * grows without bounds does not; outputs there are cleared by program_op.c.
   * Outputs that are not aliased are copied to s->output. `recompute`: outputs are there already. */
  void (*forward)(const rnl_program_store *s, void *own, bool recompute);
  /* The backward list over steps steps-1 .. 0. Where lengths are given, ARRIVING is zero from there on, and STATE_GRAD
   * begins as zero and so remains. Before the step t = first + s with t == lengths[b]-1, STATE_GRAD of b is final_grad
   * where there is one, and before later steps zero. (Without lengths program_op.c has put it into STATE_GRAD.) */
  void (*backward)(const rnl_program_store *s, void *own);
  /* After the list of each segment, from the last to the first: the products, d weight += over the segment's steps
   * into `into` [rows][width] of the matrix weight; `add` false: overwrite. */
  void (*product)(const rnl_program_store *s, void *own, const rnl_program_product *product, void *into, bool add);
} rnl_program_executor;

extern const rnl_program_executor rnl_program_lanes, rnl_program_rows;

#endif
