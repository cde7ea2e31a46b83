/* kernel/kernel.h owns the table of loops over raw pointers, one table an ISA and a dtype.
 *
 * The kernels are compiled several times with different compiler flags (variant.c) and picked once
 * at start from cpuid, or by RNNLAB_ISA=generic|avx2|avx512. They allocate nothing, check nothing
 * and know no tensors. Sums run in RNL_KERNEL_LANES lanes, whatever the register width, with explicit
 * fused multiply-adds, so AVX2 and AVX-512 give the same bits.
 * `void *` is float * in the float32 table and double * in the float64 table.
 */
#ifndef RNL_KERNEL_KERNEL_H
#define RNL_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The virtual vector, 16 floats or 16 doubles; and how far apart rows of at most so many sequences are. */
enum { RNL_KERNEL_LANES = 16, RNL_KERNEL_SHORT = 8 };

typedef enum rnl_activation {
  RNL_ACT_LINEAR = 0,
  RNL_ACT_TANH,
  RNL_ACT_SIGMOID,
  RNL_ACT_RELU,
  RNL_ACT_COUNT
} rnl_activation;

typedef enum rnl_unary {
  RNL_UNARY_COPY = 0,
  RNL_UNARY_NEG,
  RNL_UNARY_ABS,
  RNL_UNARY_SQUARE,
  RNL_UNARY_SQRT,
  RNL_UNARY_EXP,
  RNL_UNARY_LOG,
  RNL_UNARY_TANH,
  RNL_UNARY_SIGMOID,
  RNL_UNARY_RELU,
  RNL_UNARY_SIN,
  RNL_UNARY_COS,
  RNL_UNARY_SIGN,
  RNL_UNARY_COUNT
} rnl_unary;

typedef enum rnl_binary {
  RNL_BINARY_ADD = 0,
  RNL_BINARY_SUB,
  RNL_BINARY_MUL,
  RNL_BINARY_DIV,
  RNL_BINARY_MIN,
  RNL_BINARY_MAX,
  RNL_BINARY_POW,
  RNL_BINARY_COUNT
} rnl_binary;

/* The arguments of a recurrent layer with read-out over one sequence, batch in lanes; see
 * rnn/recurrent.h for the equations. Rows are `lanes` apart. Weights are row-major, unpadded. Padding
 * lanes of x and of arriving gradients are zero. */
typedef struct rnl_lane_layer {
  int64_t batch, lanes; /* sequences, and lanes a row: RNL_KERNEL_SHORT or a multiple of RNL_KERNEL_LANES */
  int64_t time, input_size, hidden_size, output_size; /* output_size 0: no read-out */
  bool jordan;                  /* feed back y(t-1) instead of h(t-1) */
  rnl_activation phi, sigma;    /* hidden and output activation */
  const void *weight_ih;        /* [input][hidden] */
  const void *weight_fb;        /* weight_hh [hidden][hidden], or weight_oh [output][hidden] */
  const void *bias;             /* [hidden] */
  const void *weight_ho;        /* [hidden][output] */
  const void *bias_o;           /* [output] */
  const void *x;                /* [time][input][lanes] */
  const void *state0;           /* [hidden or output][lanes] */
  void *h;                      /* [time][hidden][lanes] */
  void *y;                      /* [time][output][lanes] */
} rnl_lane_layer;

/* What the backward pass adds. NULL where a gradient is absent or not wanted. */
typedef struct rnl_lane_layer_grad {
  const void *dh, *dy;          /* gradients that arrive at h and y; either may be NULL */
  void *da;                     /* work: [kept][hidden][lanes], gradient at the net input of phi */
  void *dr;                     /* work: [kept][output][lanes], gradient at the net input of sigma, unless that is dy */
  void *dx;                     /* [time][input][lanes] or NULL */
  void *dstate0;                /* [hidden or output][lanes] or NULL */
  void *dweight_ih, *dweight_fb, *dbias, *dweight_ho, *dbias_o; /* or NULL */
  bool add_x, add_weight_ih, add_weight_fb, add_bias, add_weight_ho, add_bias_o; /* += or = */
} rnl_lane_layer_grad;

/* A layer's backward pass goes from the last block of steps to the first. The gradients of few enough weights, sums
 * over time of outer products, are carried from block to block, so that a block's values are still in the first-level
 * cache when they are multiplied; those of more weights take one block of all steps. */
enum { RNL_BLOCK_WEIGHTS = 512, RNL_BLOCK_BYTES = 24 * 1024 };
static inline int64_t rnl_lane_layer_weights(const rnl_lane_layer *l) {
  const int64_t feedback = l->jordan ? l->output_size : l->hidden_size;
  return (l->input_size + feedback + 1) * l->hidden_size + (l->hidden_size + 1) * l->output_size;
}
/* Steps a block; element: bytes of a number. */
static inline int64_t rnl_lane_layer_block(const rnl_lane_layer *l, int64_t element) {
  const int64_t step = (l->input_size + 2 * l->hidden_size + 2 * l->output_size) * l->lanes * element;
  const int64_t block = rnl_lane_layer_weights(l) > RNL_BLOCK_WEIGHTS ? l->time : RNL_BLOCK_BYTES / step;
  return block < 1 ? 1 : block > l->time ? l->time : block;
}
/* Steps of da and dr that are kept: a block's and, of da, the first of the block after it. */
static inline int64_t rnl_lane_layer_kept(const rnl_lane_layer *l, int64_t element) {
  const int64_t block = rnl_lane_layer_block(l, element);
  return block < l->time ? block + 1 : block;
}
/* Whether the gradient at the net input of sigma is dy itself. */
static inline bool rnl_lane_layer_passes(const rnl_lane_layer *l) {
  return !l->jordan && l->sigma == RNL_ACT_LINEAR;
}

enum { RNL_PAIR_LANES = RNL_KERNEL_SHORT, RNL_PAIR_WEIGHTS = RNL_BLOCK_WEIGHTS }; /* of layers that go in pairs */

/* Cell programs: lane_program.h. */
struct rnl_lane_op;
struct rnl_lane_program;
struct rnl_row_op;
struct rnl_loss_rows;

/* Memory wanted after a product, which asks for it while it computes: addresses that are never read. */
enum { RNL_FETCH_PARTS = 8 };
typedef struct rnl_fetch {
  int count;
  struct {
    const char *from;
    int64_t bytes;
  } part[RNL_FETCH_PARTS];
} rnl_fetch;

/* C[m][n] = start + op(A)[m][k] op(B)[k][n]; see packed.h. */
typedef struct rnl_product {
  int64_t m, n, k;
  const void *a, *b;
  int64_t lda, ldb, ldc;
  bool trans_a, trans_b;
  bool packed;      /* b comes from pack: ldb and trans_b say nothing */
  bool sparse;      /* packed, by sparse_pack: op(A) is A, and nothing is fetched */
  bool add;         /* start is C; else the bias */
  const void *bias; /* [n]; NULL: 0 */
  void *c;
  const rnl_fetch *fetch; /* NULL: nothing */
  void *scratch;    /* RNL_PRODUCT_SCRATCH bytes, 64-byte aligned */
} rnl_product;
enum { RNL_PRODUCT_SCRATCH = 704 * 1024 };

/* A sparse factor has at most one element in RNL_SPARSE_SHARE that is not 0, and RNL_SPARSE_LEAST rows and columns: it
 * then takes no more memory than the dense one does, packed, and a product with it less time. */
enum { RNL_SPARSE_SHARE = 24, RNL_SPARSE_LEAST = 16 };

/* One step of an optimiser on n contiguous elements; the formulas stand in optim/. */
typedef struct rnl_adam_step {
  double beta1, beta2, step_size, root_scale, eps; /* p -= step_size * m / (root_scale*sqrt(v) + eps) */
} rnl_adam_step;

/* Loops over the batch in lanes, for rnl_lanes_of(batch) lanes a row. rnl_lane_kernels_of gives them. */
typedef struct rnl_lane_kernels {
  void (*lane_layer_forward)(const rnl_lane_layer *layer);
  void (*lane_layer_backward)(const rnl_lane_layer *layer, const rnl_lane_layer_grad *grad);

  /* sum over rows and the first `batch` lanes of (y - target)^2, [rows][lanes]; where dy is not NULL, also what
   * lane_squared_error_backward puts there (not: adds) */
  double (*lane_squared_error)(int64_t rows, int64_t lanes, int64_t batch, const void *y, const void *target,
                               double scale, void *dy);
  /* dy (+)= scale * (y - target) in the first `batch` lanes, 0 in the padding */
  void (*lane_squared_error_backward)(int64_t rows, int64_t lanes, int64_t batch, double scale,
                                      const void *y, const void *target, void *dy, bool add);
  double (*row_loss)(const struct rnl_loss_rows *rows); /* as below, in lanes */

  /* out[t][n][lane] = act(bias[n] + sum_m in[t][m][lane] * weight[m][n]) for `time` steps */
  void (*lane_affine)(int64_t batch, int64_t lanes, int64_t time, int64_t m, int64_t n, const void *in,
                      const void *weight, const void *bias, void *out);
  /* din[t][m][lane] (+)= sum_n dout[t][n][lane] * weight[m][n] */
  void (*lane_affine_backward)(int64_t batch, int64_t lanes, int64_t time, int64_t m, int64_t n,
                               const void *dout, const void *weight, void *din, bool add);
  /* dweight[m][n] (+)= sum_t,lane a[t][m][lane] * b[t][n][lane], in a fixed order */
  void (*lane_outer)(int64_t batch, int64_t lanes, int64_t time, int64_t m, int64_t n, const void *a,
                     const void *b, void *dweight, bool add);
  /* The same where a step is step_a or step_b elements after the one before it (0: one step serves all). */
  void (*lane_outer_steps)(int64_t batch, int64_t lanes, int64_t time, int64_t m, int64_t n, const void *a,
                           int64_t step_a, const void *b, int64_t step_b, void *dweight, bool add);
  /* dbias[n] (+)= sum_t,lane b[t][n][lane] */
  void (*lane_reduce)(int64_t batch, int64_t lanes, int64_t time, int64_t n, const void *b, void *dbias,
                      bool add);
  /* x[t][n][lane] = 0 for t >= lengths[lane], first <= t < time; no length is below `first` */
  void (*lane_clear)(int64_t batch, int64_t lanes, int64_t first, int64_t time, int64_t n, const int64_t *lengths,
                     void *x);

  /* Cell programs: choose the code of an instruction whose kinds and sizes are set (pointers may follow); run a
   * list over its steps; pack weight(i, j) = weight[i * row + j * column] of width outputs j in panels of `tile`. */
  void (*lane_bind)(struct rnl_lane_op *op);
  void (*lane_program)(const struct rnl_lane_program *program);
  void (*lane_pack)(int64_t count, int64_t width, int64_t tile, const void *weight, int64_t row, int64_t column,
                    void *packed);
} rnl_lane_kernels;

typedef struct rnl_kernels {
  const char *isa; /* "generic", "avx2", "avx512" */
  bool f64;

  /* elementwise, contiguous; y may equal x, a or b. step_a, step_b are 0 (one broadcast element) or 1. */
  void (*unary)(rnl_unary kind, int64_t n, const void *x, void *y);
  void (*binary)(rnl_binary kind, int64_t n, const void *a, int step_a, const void *b, int step_b,
                 void *y);
  /* dx (+)= g * f'(x), where y = f(x) was kept */
  void (*unary_backward)(rnl_unary kind, int64_t n, const void *x, const void *y, const void *g,
                         void *dx, bool add);
  /* y += alpha * x */
  void (*axpy)(int64_t n, double alpha, const void *x, void *y);
  /* Sum in the fixed order: RNL_KERNEL_LANES running sums, then a tree. In double for f64, and for f32
   * each block of 4096 is summed in float and the blocks in double. */
  double (*sum)(int64_t n, const void *x);
  double (*sum_squares)(int64_t n, const void *x);

  /* sums[n] (+)= the sum over rows of x[rows][ldx]: column by column, in blocks of rows */
  void (*sum_rows)(int64_t rows, int64_t n, const void *x, int64_t ldx, void *sums, bool add);

  /* Sum of weight * loss, and the slopes: row_loss.h. */
  double (*row_loss)(const struct rnl_loss_rows *rows);

  rnl_lane_kernels lanes; /* for rnl_lane_kernels_of */
  /* A layer's pass for two of one shape and batch, of at most RNL_PAIR_LANES sequences and RNL_PAIR_WEIGHTS weights,
   * in less time; each gets the bits it gets alone. The same gradients arrive and are wanted at both. NULL where the
   * ISA has nothing to gain. */
  void (*lane_pair_forward)(const rnl_lane_layer *a, const rnl_lane_layer *b);
  void (*lane_pair_backward)(const rnl_lane_layer *layer[2], const rnl_lane_layer_grad *grad[2]);
  /* Likewise lane_squared_error, with dy, and its gradient. */
  void (*lane_pair_error)(int64_t rows, int64_t batch, const void *const y[2], const void *const target[2],
                          const double scale[2], void *const dy[2], double error[2]);
  void (*lane_pair_error_backward)(int64_t rows, int64_t batch, const double scale[2], const void *const y[2],
                                   const void *const target[2], void *const dy[2], bool add);
  void (*row_op)(const struct rnl_row_op *op); /* row_op.h */

  /* Tangents in many directions, [row][lanes], lanes a multiple of RNL_KERNEL_LANES.
   * out[j] = slope[j] * (start[j] + sum_i in[i] * weight[i][j]), i < m, j < n; start NULL: 0, slope NULL: 1. out may
   * be start. */
  void (*tangent_affine)(int64_t lanes, int64_t m, int64_t n, const void *in, const void *weight, const void *start,
                         const void *slope, void *out);
  /* out = sum_k factor[k] * row[k], one row each */
  void (*tangent_sum)(int64_t lanes, int count, const void *factor, const void *const *row, void *out);

  /* Matrix products and packing (packed.inc); callers want gemm.h and packed.h. */
  int64_t packed_width;
  void (*pack)(bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed);
  void (*product)(const rnl_product *product);
  /* Of a factor that is mostly zeros (sparse.inc). */
  bool (*sparse_pays)(bool trans, int64_t k, int64_t n, const void *b, int64_t ldb);
  void (*sparse_pack)(bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed);

  void (*adam)(int64_t n, const rnl_adam_step *step, const void *grad, void *param, void *m, void *v);
} rnl_kernels;

/* The table in use. Never fails: the generic table is always there. Chosen once, thread-safe. */
const rnl_kernels *rnl_kernels_of(bool f64);

/* The loops over lanes whose registers suit so many sequences, with the same bits; those of rnl_kernels are for more
 * sequences than RNL_KERNEL_SHORT. */
const rnl_lane_kernels *rnl_lane_kernels_of(bool f64, int64_t batch);

/* Name of the ISA in use; and whether RNNLAB_ISA asked for one that this CPU or build has not
 * (then the best one is used and *refused is the name asked for, else NULL). */
const char *rnl_kernel_isa(const char **refused);

/* Set flush-to-zero for this thread (denormals slow sgemm 160-fold) and give back what was set;
 * every entry into the engine is bracketed by the two, so that a host's own setting survives. */
uint64_t rnl_fpu_enter(void);
void rnl_fpu_leave(uint64_t saved);

#endif
