/* rnn/program_parts.h: what program.c and program_grad.c share. Private to the room. */
#ifndef RNL_RNN_PROGRAM_PARTS_H
#define RNL_RNN_PROGRAM_PARTS_H

#include "rnn/program.h"

/* The first failure of the building stays; gives -1. */
int rnl_program_fail(rnl_program *p, rnl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int rnl_program_value_new(rnl_program *p, rnl_value_kind kind, int index, int64_t rows, int64_t width);
/* An empty instruction at the end of a list; NULL once something failed. */
rnl_instruction *rnl_program_append(rnl_program *p, rnl_instruction *list, int *count, rnl_opcode op, int kind);

/* Make the backward list, the products, and settle which values are kept. */
void rnl_program_differentiate(rnl_program *p);

#endif
