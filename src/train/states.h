/* train/states.h owns the states carried from chunk to chunk: for each name, those of the last few chunks. Private to
 * the room. */
#ifndef RNL_TRAIN_STATES_H
#define RNL_TRAIN_STATES_H

#include "train/batch.h"

typedef struct rnl_state {
  char *name;
  int64_t width;
  rnl_tensor *slot; /* [slots] of (batch, width) */
} rnl_state;

typedef struct rnl_states {
  int64_t batch, slots; /* set once, before the first use */
  int n;
  rnl_state *state;
} rnl_states;

/* The place of a state, made where it is new. ERR_SHAPE where it had another width. */
rnl_status rnl_states_place(rnl_states *states, const char *name, int64_t width, rnl_dtype dtype, int *place,
                            rnl_error *err);
/* Copy into the leaf what the chunk `number` before handed on, or out of the variable what this one hands on: for the
 * first rows, as many as there are. */
rnl_status rnl_states_read(const rnl_states *states, int place, int64_t number, const rnl_var *into, rnl_error *err);
rnl_status rnl_states_write(const rnl_states *states, int place, int64_t number, const rnl_var *from, rnl_error *err);
void rnl_states_zero(rnl_states *states);
size_t rnl_states_bytes(const rnl_states *states);
void rnl_states_release(rnl_states *states);

#endif
