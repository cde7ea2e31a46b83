/* rnn/program.h owns cell programs: what a recurrent cell computes in one step, as a list of instructions
 * on values, the same list that its backpropagation through time is derived from.
 *
 * A value is a row of `width` features for each sequence of the batch (or a weight, the same for all). A
 * program is built once, instruction by instruction, by the cells in rnn/cells.c or by tracing a cell
 * written in Lua, and then finished: checked, fused, differentiated, and it is known which values must be
 * kept for the backward pass. It knows no batch size and no number of steps. rnn/program_op.h makes one op
 * over whole sequences of it; three executors run it: plain loops in double (the reference), batch in SIMD
 * lanes, and matrix products over rows.
 *
 * One step, forward:   next states, outputs = f(input sequences at t, states at t-1, weights)
 * One step, backward:  the list `backward`, run from the last step to the first:
 *   it reads    values that the forward pass kept, RNL_VALUE_ARRIVING (gradients at the outputs of this step) and
 *               RNL_VALUE_STATE_GRAD (d loss / d state as the step after left it; zero or the final state's
 *               gradient at first);
 *   it writes   RNL_VALUE_STATE_GRAD anew (now for the step before), RNL_VALUE_SEQUENCE_GRAD, the sums
 *               RNL_VALUE_WEIGHT_GRAD of vector weights, and gradients kept for the `products`:
 *   after it    d weight[k] = sum over steps and sequences of source(t)' gradient(t), for each of `products`.
 */
#ifndef RNL_RNN_PROGRAM_H
#define RNL_RNN_PROGRAM_H

#include "kernel/kernel.h"

enum {
  RNL_PROGRAM_VALUES = 320,      /* forward and backward together */
  RNL_PROGRAM_INSTRUCTIONS = 192, /* of each list */
  RNL_PROGRAM_SEQUENCES = 4,
  RNL_PROGRAM_ROWS = 4,
  RNL_PROGRAM_STATES = 6,
  RNL_PROGRAM_WEIGHTS = 22,
  RNL_PROGRAM_OUTPUTS = 6,
  RNL_PROGRAM_TERMS = 4,
  RNL_PROGRAM_NAME = 24
};

typedef enum rnl_value_kind {
  RNL_VALUE_SEQUENCE = 0,  /* input sequence `index` at this step */
  RNL_VALUE_ROW,           /* (batch, width), the same at every step: `index`; a dropout mask, say. No gradient */
  RNL_VALUE_STATE,         /* state `index` as the step before left it */
  RNL_VALUE_WEIGHT,        /* weight `index`: a matrix (rows, width), or rows = 0: a vector (width) */
  RNL_VALUE_CONSTANT,      /* `number`; width 1 */
  RNL_VALUE_STEP,          /* what an instruction computes */
  RNL_VALUE_SLICE,         /* features start .. start + width - 1 of value `of`; with `stop` no gradient passes */
  /* in the backward list only */
  RNL_VALUE_ARRIVING,      /* the gradient at output `index` at this step; may be absent (no such gradient): zero */
  RNL_VALUE_STATE_GRAD,    /* the gradient at state `index`, carried from step to step */
  RNL_VALUE_SEQUENCE_GRAD, /* the gradient at sequence `index` at this step; always added to (zeroed before) */
  RNL_VALUE_WEIGHT_GRAD    /* per sequence sums for a vector weight `index`; always added to (zeroed before) */
} rnl_value_kind;

typedef struct rnl_program_value {
  rnl_value_kind kind;
  int index;           /* of the sequence, row, state, weight or output */
  int of;              /* SLICE: a value that is no slice itself */
  int64_t start;       /* SLICE */
  int64_t rows, width; /* rows: WEIGHT matrices only, else 0 */
  double number;       /* CONSTANT */
  bool stop;           /* SLICE: no gradient passes */
  bool kept;           /* STEP: needed at every step (by the backward list, the products, an output or a state) */
  int state;           /* STEP: the state whose next value it is, or -1. SLICE and others: -1 */
  int output;          /* STEP: the output that it is, or -1 */
  int shares;          /* backward STEP: the kept forward STEP, dead by then, whose storage it takes over; or -1 */
} rnl_program_value;

/* Elementwise instructions stretch their operands to the width of out: an operand has that width, or width 1, or is
 * a vector weight, or a constant. With `add` the result is added to out (never in LSTM, GRU and their gradients).
 * In the gradients of LSTM and GRU an out may be the very storage of an in of its width (dz over gates, dc(t-1) over
 * dc): read a feature's operands before writing its results. Otherwise no operand overlaps out.
 * ARRIVING stands only as in[0] of a UNARY COPY: absent, that adds nothing, or without `add` fills with zero. An
 * instruction whose out is a SEQUENCE_GRAD or WEIGHT_GRAD that nobody wants (operand data NULL) is passed over. */
typedef enum rnl_opcode {
  RNL_OP_AFFINE = 0,  /* out = act(in[0] + sum_k source_k · weight_k), act = (rnl_activation)kind; in[0] a vector
                         weight or a value of out's width, or -1; `transposed`: source (width cols) · weight' */
  RNL_OP_UNARY,       /* out = f(in[0]), f = (rnl_unary)kind */
  RNL_OP_BINARY,      /* out = f(in[0], in[1]), f = (rnl_binary)kind */
  RNL_OP_SUM,         /* out (width 1) = sum over the features of in[0] */
  RNL_OP_LSTM,        /* in: z (4n: i|f|g|o before activation), c(t-1); out: gates (4n, activated), c, h:
                         c = f c(t-1) + i g,  h = o tanh(c) */
  RNL_OP_GRU,         /* in: zx (3n: r|z|n), zh (3n), h(t-1); out: gates (3n, activated), h:
                         r = sigmoid(zx_r + zh_r), z = sigmoid(zx_z + zh_z), n = tanh(zx_n + r zh_n),
                         h = (1 - z) n + z h(t-1) */
  /* in the backward list only */
  RNL_OP_UNARY_GRAD,  /* out = g f'(x): in: g, x or -1, y = f(x) or -1 (what is -1, f' does not need) */
  RNL_OP_BINARY_GRAD, /* out = g df/d(operand `side`): in: g, a, b, y; for DIV, MIN, MAX and POW */
  RNL_OP_LSTM_GRAD,   /* in: gates, c(t-1), c, dh or -1, dc or -1; out: dz (4n), dc(t-1) */
  RNL_OP_GRU_GRAD,    /* in: gates, zh, h(t-1), dh; out: dzx (3n), dzh (3n), dh(t-1) = dh z */
  RNL_OP_COUNT
} rnl_opcode;

typedef struct rnl_program_term {
  int source, weight;
  bool transposed;
} rnl_program_term;

typedef struct rnl_instruction {
  rnl_opcode op;
  int kind, side;
  bool add;
  int in[5], out[3]; /* values; -1 where there is none */
  int n_terms;
  rnl_program_term term[RNL_PROGRAM_TERMS];
} rnl_instruction;

/* d weight (+)= sum over steps and sequences of source' gradient: source a forward value (a SEQUENCE, ROW, STATE,
 * or kept STEP, or a SLICE of one), gradient a kept STEP of the backward list or a slice of one */
typedef struct rnl_program_product {
  int weight, source, gradient; /* weight: its index, not a value */
} rnl_program_product;

typedef struct rnl_program {
  int64_t references;
  char name[RNL_PROGRAM_NAME]; /* "lstm", or the Lua cell's */
  bool finished;
  rnl_status status;           /* of the building so far: the first failure stays */
  rnl_error error;

  int n_values, n_forward_values; /* values from n_forward_values on belong to the backward list */
  rnl_program_value value[RNL_PROGRAM_VALUES];
  int n_sequences, n_rows, n_states, n_weights, n_outputs;
  int sequence[RNL_PROGRAM_SEQUENCES], row[RNL_PROGRAM_ROWS], state[RNL_PROGRAM_STATES],
      weight[RNL_PROGRAM_WEIGHTS]; /* the value of each */
  char weight_name[RNL_PROGRAM_WEIGHTS][RNL_PROGRAM_NAME], state_name[RNL_PROGRAM_STATES][RNL_PROGRAM_NAME],
      output_name[RNL_PROGRAM_OUTPUTS][RNL_PROGRAM_NAME];
  int next[RNL_PROGRAM_STATES];     /* the value each state takes: a STEP of its own */
  int output[RNL_PROGRAM_OUTPUTS];  /* a STEP each */
  bool look_only[RNL_PROGRAM_OUTPUTS]; /* no gradient passes from it (the gates of the fused gru) */

  int n_forward, n_backward, n_products;
  rnl_instruction forward[RNL_PROGRAM_INSTRUCTIONS], backward[RNL_PROGRAM_INSTRUCTIONS];
  rnl_program_product product[RNL_PROGRAM_INSTRUCTIONS];
} rnl_program;

/* ---- building ------------------------------------------------------------------------------- */

/* Each gives the index of a new value, or -1 once something failed: finish tells what. Names are copied. */
rnl_program *rnl_program_new(const char *name); /* NULL: out of memory */
rnl_program *rnl_program_ref(rnl_program *program);
void rnl_program_release(rnl_program *program); /* NULL is allowed */

int rnl_program_sequence(rnl_program *p, int64_t width);
int rnl_program_row(rnl_program *p, int64_t width);
int rnl_program_state(rnl_program *p, const char *name, int64_t width);
int rnl_program_weight(rnl_program *p, const char *name, int64_t rows, int64_t width); /* rows 0: a vector */
int rnl_program_constant(rnl_program *p, double number);
int rnl_program_slice(rnl_program *p, int of, int64_t start, int64_t width);
int rnl_program_stop(rnl_program *p, int of); /* the value, through which no gradient passes */
int rnl_program_mm(rnl_program *p, int source, int weight);
/* act(bias + sum of n products); bias -1: none. terms: source, weight, source, weight, ... */
int rnl_program_affine(rnl_program *p, rnl_activation act, int bias, int n, const int *terms);
int rnl_program_unary(rnl_program *p, rnl_unary kind, int a);
int rnl_program_binary(rnl_program *p, rnl_binary kind, int a, int b);
int rnl_program_sum(rnl_program *p, int a);
/* h; *c is set to the new cell state, *gates (may be NULL) to the activated gates */
int rnl_program_lstm(rnl_program *p, int z, int c_before, int *c, int *gates);
int rnl_program_gru(rnl_program *p, int zx, int zh, int h_before, int *gates);
void rnl_program_next(rnl_program *p, int state, int value);           /* state: its value */
void rnl_program_emit(rnl_program *p, const char *name, int value);

/* Check, fuse, differentiate. ERR_ARG or ERR_SHAPE says what was wrong with the building. */
rnl_status rnl_program_finish(rnl_program *p, rnl_error *err);

/* ---- for executors -------------------------------------------------------------------------- */

/* The value whose storage v lies in: itself, or what it is a slice of. */
static inline int rnl_program_base(const rnl_program *p, int v) {
  return p->value[v].kind == RNL_VALUE_SLICE ? p->value[v].of : v;
}
/* Whether the forward value depends on a state of the step before: what does not may be computed for all
 * steps at once. */
bool rnl_program_recurrent(const rnl_program *p, int value);
/* Whether the backward value depends on a STATE_GRAD. */
bool rnl_program_carried(const rnl_program *p, int value);

#endif
