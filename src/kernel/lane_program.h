/* kernel/lane_program.h owns the flat form of a cell program for the batch in lanes: a list of instructions whose
 * operands are pointers, run over all steps of a segment by one kernel call (program.inc).
 *
 * Feature j of an operand at local step s lies at data + s * step + j * stride, in elements: a register of
 * lanes there, or (bit in `scalars`) one number for all lanes. Rows are `lanes` apart, of which the first
 * `batch` are sequences; registers of padding alone are passed over, and where a function is undefined at 0
 * the padding lanes of its result are set to zero, so that they stay finite and their gradients zero.
 * Lanes never meet, and nothing depends on the width of the registers.
 */
#ifndef RNL_KERNEL_LANE_PROGRAM_H
#define RNL_KERNEL_LANE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* Most instructions are those of rnn/program.h, with the same operands. `live` lanes are the sequences that have
 * not ended before this step. */
typedef enum rnl_lane_code {
  RNL_LANE_AFFINE = 0, /* out = (act(in[0] + sum of terms) + in[3]) slope'(in[1] = x, in[2] = y); absent: left out */
  RNL_LANE_UNARY,      /* out (+)= f(in[0]); COPY with in[0] absent: 0 */
  RNL_LANE_BINARY,     /* out (+)= f(in[0], in[1]) */
  RNL_LANE_SUM,        /* out (+)= sum of the `count` features of in[0] */
  RNL_LANE_LSTM,       /* in: z, c(t-1); out: gates, c, h; width: that of h */
  RNL_LANE_GRU,        /* in: zx, zh, h(t-1); out: gates, h */
  RNL_LANE_UNARY_GRAD, /* out (+)= in[0] f'(in[1] = x, in[2] = y) */
  RNL_LANE_BINARY_GRAD,/* out (+)= in[0] df(in[1], in[2]) / d operand `side`, in[3] = f */
  RNL_LANE_LSTM_GRAD,  /* in: gates, c(t-1), c, dh, dc; out: dz, dc(t-1) */
  RNL_LANE_GRU_GRAD,   /* in: gates, zh, h(t-1), dh; out: dzx, dzh, dh(t-1) */
  RNL_LANE_LIVE,       /* out = 0 in lanes that are not live */
  RNL_LANE_FINAL,      /* out = in[0] in lanes that end with this step, 0 in lanes that ended before */
  RNL_LANE_TOTAL,      /* not in a step list: out += sum over steps of in[0] */
  RNL_LANE_CODES
} rnl_lane_code;

typedef struct rnl_lane_place {
  void *data; /* NULL: absent */
  int64_t step, stride;
} rnl_lane_place;

/* source[i] * weight(i, j), i < count, where weight(i, j) of output j is
 * weight[j / tile * panel + i * row + j % tile * column] */
typedef struct rnl_lane_term {
  const void *source; /* rows `lanes` apart */
  int64_t step, count;
  const void *weight;
  int64_t row, column, panel;
} rnl_lane_term;

enum { RNL_LANE_TERMS = 4, RNL_LANE_INS = 5, RNL_LANE_OUTS = 3 };

typedef struct rnl_lane_program rnl_lane_program;
typedef struct rnl_lane_op rnl_lane_op;

struct rnl_lane_op {
  void (*run)(const rnl_lane_op *op, int64_t s); /* set by lane_bind */
  int64_t batch, lanes, width, tile; /* tile: set by lane_bind */
  rnl_lane_place in[RNL_LANE_INS], out[RNL_LANE_OUTS];
  int64_t count;                     /* SUM: features of in[0]; TOTAL: steps */
  const rnl_lane_program *program;   /* for the live lanes and lengths */
  rnl_lane_code code;
  int kind;                          /* rnl_activation, rnl_unary or rnl_binary */
  int slope;                         /* AFFINE: rnl_unary, -1: none */
  int side;
  unsigned scalars, shape;           /* shape: set by lane_bind */
  bool add, masked;                  /* masked: AFFINE's out, and the states of LSTM and GRU, are 0 in lanes not live */
  bool asks_live;                    /* set by lane_bind: reads program->live */
  int n_terms;
  rnl_lane_term term[RNL_LANE_TERMS];
};

struct rnl_lane_program {
  rnl_lane_op *op;
  int n;
  bool backward;      /* from the last step to the first */
  int64_t batch, lanes, steps;
  int64_t first;      /* number of local step 0 */
  const int64_t *lengths; /* [batch] or NULL: no sequence ends early */
  int64_t min_length;
  void *live;         /* [lanes] elements, aligned to 64 bytes: all bits set in live lanes */
};

#endif
