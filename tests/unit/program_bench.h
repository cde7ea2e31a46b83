/* program_bench.h: one instruction of kernel/lane_program.h run on random operands of any shape, and its results
 * compared with what a test expects. */
#ifndef RNL_TESTS_PROGRAM_BENCH_H
#define RNL_TESTS_PROGRAM_BENCH_H

#include "golden.h"

#include <math.h>
#include <stdlib.h>

#include "kernel/kernel.h"
#include "kernel/lane_program.h"

enum { STEPS = 3, FEATURES = 20, GATES = 4, MOST_LANES = 48, INS = RNL_LANE_INS, OUTS = RNL_LANE_OUTS };
typedef enum shape { ABSENT = 0, ROW, STRETCHED, VECTOR, NUMBER } shape;

/* An operand: its elements as the kernel has them, and where feature j of lane b at step s is. */
typedef struct operand {
  shape shape;
  int64_t features;
  double number[STEPS * GATES * FEATURES * MOST_LANES]; /* storage for either dtype */
} operand;

typedef struct bench {
  bool f64;
  int64_t batch, lanes, width;
  operand in[INS], out[OUTS], source[RNL_LANE_TERMS];
  double before[OUTS][STEPS * GATES * FEATURES * MOST_LANES]; /* what out held */
  double weight[RNL_LANE_TERMS][FEATURES * FEATURES];
} bench;

static double get(const bench *b, const void *data, int64_t i) {
  return b->f64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}
static void set(const bench *b, void *data, int64_t i, double value) {
  if (b->f64) ((double *)data)[i] = value;
  else ((float *)data)[i] = (float)value;
}

static uint32_t state;
static double random_between(double low, double high) {
  state = state * 1664525u + 1013904223u;
  return low + (high - low) * ((double)(state >> 8) / (double)(1u << 24));
}

static int64_t stride_of(const bench *b, const operand *o) {
  return o->shape == ROW ? b->lanes : o->shape == VECTOR ? 1 : 0;
}
static int64_t step_of(const bench *b, const operand *o) {
  return o->shape == ROW ? o->features * b->lanes : o->shape == STRETCHED ? b->lanes : 0;
}
static int64_t place(const bench *b, const operand *o, int64_t s, int64_t j, int64_t lane) {
  return s * step_of(b, o) + j * stride_of(b, o) + (o->shape == ROW || o->shape == STRETCHED ? lane : 0);
}
static double at(const bench *b, const operand *o, int64_t s, int64_t j, int64_t lane) {
  return get(b, o->number, place(b, o, s, j, lane));
}

/* Numbers in the sequences' lanes, zeros in the padding. */
static void fill(bench *b, operand *o, shape as, int64_t features, double low, double high) {
  o->shape = as;
  o->features = features;
  memset(o->number, 0, sizeof o->number);
  for (int64_t s = 0; s < STEPS; s++)
    for (int64_t j = 0; j < features; j++)
      for (int64_t lane = 0; lane < b->batch; lane++)
        if (as != ABSENT) set(b, o->number, place(b, o, s, j, lane), random_between(low, high));
}

static rnl_lane_place place_for(const bench *b, operand *o) {
  if (o->shape == ABSENT) return (rnl_lane_place){0};
  return (rnl_lane_place){.data = o->number, .step = step_of(b, o), .stride = stride_of(b, o)};
}

/* Run one instruction over STEPS steps; outs that are given get `gate` times the width's features. */
static void run(bench *b, const rnl_lane_kernels *kernels, rnl_lane_op op, bool backward, const int64_t *lengths) {
  static double live[MOST_LANES];
  int64_t min_length = STEPS;
  for (int64_t i = 0; i < b->batch && lengths; i++) min_length = lengths[i] < min_length ? lengths[i] : min_length;
  rnl_lane_program program = {.op = &op, .n = 1, .backward = backward, .batch = b->batch, .lanes = b->lanes,
                              .steps = STEPS, .lengths = lengths, .min_length = min_length, .live = live};
  op.program = &program;
  op.batch = b->batch, op.lanes = b->lanes, op.width = b->width;
  op.scalars = 0;
  for (int k = 0; k < INS; k++) {
    op.in[k] = place_for(b, &b->in[k]);
    if (b->in[k].shape == VECTOR || b->in[k].shape == NUMBER) op.scalars |= 1u << k;
  }
  for (int k = 0; k < OUTS; k++) op.out[k] = place_for(b, &b->out[k]);
  kernels->lane_bind(&op);
  kernels->lane_program(&program);
}

static bench *new_bench(bool f64, int64_t batch, int64_t width) {
  bench *b = calloc(1, sizeof *b);
  assert_non_null(b);
  b->f64 = f64;
  b->batch = batch;
  b->lanes = batch <= RNL_KERNEL_SHORT ? RNL_KERNEL_SHORT
                                       : (batch + RNL_KERNEL_LANES - 1) / RNL_KERNEL_LANES * RNL_KERNEL_LANES;
  b->width = width;
  return b;
}
static void make_out(bench *b, int k, int64_t features) {
  fill(b, &b->out[k], ROW, features, -1, 1);
  memcpy(b->before[k], b->out[k].number, sizeof b->before[k]);
}

static void check(const bench *b, int k, int64_t s, int64_t j, int64_t lane, double expected, const char *what,
                  int kind) {
  const double found = at(b, &b->out[k], s, j, lane), tolerance = (b->f64 ? 1e-13 : 4e-6) * (1 + fabs(expected));
  if (!(fabs(found - expected) <= tolerance))
    fail_msg("%s %d, f64 %d, batch %d, width %d: out %d at step %d, feature %d, lane %d is %.17g; expected %.17g", what,
             kind, b->f64, (int)b->batch, (int)b->width, k, (int)s, (int)j, (int)lane, found, expected);
}
static double before(const bench *b, int k, int64_t s, int64_t j, int64_t lane) {
  return get(b, b->before[k], place(b, &b->out[k], s, j, lane));
}

#define EACH(b, s, j, lane)                    \
  for (int64_t s = 0; s < STEPS; s++)          \
    for (int64_t j = 0; j < (b)->width; j++)   \
      for (int64_t lane = 0; lane < (b)->batch; lane++)

static const int64_t batches[] = {1, 5, 8, 9, 16, 33}, widths[] = {1, 2, 5, 7, 8, 9, 20};
static void each_size(void (*test)(bench *b, const rnl_lane_kernels *kernels)) {
  for (int f64 = 0; f64 < 2; f64++)
    for (size_t p = 0; p < sizeof batches / sizeof *batches; p++)
      for (size_t q = 0; q < sizeof widths / sizeof *widths; q++) {
        bench *b = new_bench(f64, batches[p], widths[q]);
        test(b, rnl_lane_kernels_of(f64, batches[p]));
        free(b);
      }
}

#endif
