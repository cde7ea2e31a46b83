/* rnn/program_arena.h: making a store. Private to program_op.c and program_store.c. */
#ifndef RNL_RNN_PROGRAM_ARENA_H
#define RNL_RNN_PROGRAM_ARENA_H

#include "rnn/program_store.h"

/* Allocate the arena of a store whose sizes, program and aliases are set, and place every value in it, but for those of
 * the backward pass: room for these is borrowed, as node->work[0]. */
rnl_status rnl_program_store_allocate(rnl_program_store *s, rnl_node *node, rnl_error *err);
/* Before a backward pass: place them in what was lent. */
rnl_status rnl_program_store_backward(rnl_program_store *s, const rnl_node *node, rnl_error *err);

#endif
