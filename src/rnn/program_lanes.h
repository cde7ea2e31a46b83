/* rnn/program_lanes.h: what the two halves of the executor in lanes share: program_lanes_list.c rewrites instruction
 * lists for the kernel, program_lanes.c finds the pointers and runs them. Private to the room. */
#ifndef RNL_RNN_PROGRAM_LANES_H
#define RNL_RNN_PROGRAM_LANES_H

#include "kernel/lane_program.h"
#include "rnn/program_store.h"

/* Features start .. start + width - 1 of a value that is no slice. What is no value has numbers of its own. */
typedef struct rnl_lane_ref {
  int value; /* -1: absent */
  int64_t start, width;
} rnl_lane_ref;
static inline int rnl_lane_output(int k) { return -2 - k; }                          /* store->output[k] */
static inline int rnl_lane_final(int k) { return -2 - RNL_PROGRAM_OUTPUTS - k; }     /* store->final_grad[k] */

typedef struct rnl_lane_item {
  rnl_lane_code code;
  int kind, slope, side;
  bool add, masked;
  rnl_lane_ref in[RNL_LANE_INS], out[RNL_LANE_OUTS];
  int n_terms;
  struct {
    rnl_lane_ref source;
    int weight; /* its value */
    bool transposed;
  } term[RNL_LANE_TERMS];
} rnl_lane_item;

typedef struct rnl_lane_list {
  int n;
  rnl_lane_item *item;
} rnl_lane_list;

enum { /* room that a list takes beyond the program's own instructions */
  RNL_LANE_EXTRA = RNL_PROGRAM_STATES + 2 * RNL_PROGRAM_OUTPUTS
};

/* The forward list; of it the first *n_again when the segment is computed again and its outputs are there. */
void rnl_lanes_forward_list(const rnl_program_store *s, rnl_lane_list *list, int *n_again);

/* What the backward list is reduced to, given which gradients arrive and are wanted. Gradients that are known to be
 * zero are not computed, copies are read where they come from, sums of vector weights that can wait are in `totals`. */
typedef struct rnl_lane_backward {
  rnl_lane_list steps, totals;
  bool zero[RNL_PROGRAM_VALUES];         /* known to be zero at every step, and not stored */
  rnl_lane_ref instead[RNL_PROGRAM_VALUES]; /* value -1, or where a value is that has no place of its own */
} rnl_lane_backward;
void rnl_lanes_backward_list(const rnl_program_store *s, rnl_lane_backward *b);

#endif
