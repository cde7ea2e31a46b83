/* rnn/program_arena.h: making a store. Private to program_op.c and program_store.c. */
#ifndef RNL_RNN_PROGRAM_ARENA_H
#define RNL_RNN_PROGRAM_ARENA_H

#include "rnn/program_store.h"

/* Allocate the arena of a store whose sizes, program and aliases are set, and place every value in it. */
rnl_status rnl_program_store_allocate(rnl_program_store *s, rnl_error *err);

#endif
