/* kernel/row_op.h owns the flat form in which an elementwise instruction of a cell program reaches the kernels of the
 * large regime: operands are [rows][width], one row a sequence. What the instructions compute is defined in
 * rnn/program.h; the codes are numbered alike (rnn/program_rows.c asserts it). */
#ifndef RNL_KERNEL_ROW_OP_H
#define RNL_KERNEL_ROW_OP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rnl_row_code {
  RNL_ROW_ACTIVATE = 0, /* out = act(out) where in[0] is absent, else act(out + in[0]); the end of an AFFINE */
  RNL_ROW_UNARY,
  RNL_ROW_BINARY,
  RNL_ROW_SUM,
  RNL_ROW_LSTM,
  RNL_ROW_GRU,
  RNL_ROW_UNARY_GRAD,
  RNL_ROW_BINARY_GRAD,
  RNL_ROW_LSTM_GRAD,
  RNL_ROW_GRU_GRAD
} rnl_row_code;

typedef enum rnl_row_form {
  RNL_ROW_EACH = 0, /* a row of its own for each sequence: element j at data + row * stride + j */
  RNL_ROW_ONE,      /* one element for each sequence: data + row * stride */
  RNL_ROW_SHARED,   /* one row for all: data + j */
  RNL_ROW_NUMBER    /* one element for all: data */
} rnl_row_form;

typedef struct rnl_row_operand {
  void *data; /* NULL: absent */
  int64_t stride;
  rnl_row_form form;
} rnl_row_operand;

typedef struct rnl_row_op {
  rnl_row_code code;
  int kind, side;
  bool add;
  int64_t rows, width; /* width of out[0]; SUM: of in[0]; LSTM, GRU and their gradients: units */
  rnl_row_operand out[3], in[5];
  int64_t fold;        /* > 0: rows of a block of `fold` are summed into the block's first row of out (with add) */
} rnl_row_op;

#endif
