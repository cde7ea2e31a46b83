/* Every instruction of kernel/lane_program.h, with every shape its operands may have, against plain loops in double;
 * and the same bits from narrow registers as from wide ones, whatever the number of sequences. */
#include "program_bench.h"

/* ---- elementwise ---------------------------------------------------------------------------- */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static double unary(int kind, double x) {
  switch (kind) {
    case RNL_UNARY_NEG: return -x;
    case RNL_UNARY_ABS: return fabs(x);
    case RNL_UNARY_SQUARE: return x * x;
    case RNL_UNARY_SQRT: return sqrt(x);
    case RNL_UNARY_EXP: return exp(x);
    case RNL_UNARY_LOG: return log(x);
    case RNL_UNARY_TANH: return tanh(x);
    case RNL_UNARY_SIGMOID: return sigmoid(x);
    case RNL_UNARY_RELU: return x > 0 ? x : 0;
    case RNL_UNARY_SIN: return sin(x);
    case RNL_UNARY_COS: return cos(x);
    case RNL_UNARY_SIGN: return (x > 0) - (x < 0);
    default: return x;
  }
}
static double slope(int kind, double x, double y) {
  switch (kind) {
    case RNL_UNARY_NEG: return -1;
    case RNL_UNARY_ABS: return (x > 0) - (x < 0);
    case RNL_UNARY_SQUARE: return 2 * x;
    case RNL_UNARY_SQRT: return .5 / y;
    case RNL_UNARY_EXP: return y;
    case RNL_UNARY_LOG: return 1 / x;
    case RNL_UNARY_TANH: return 1 - y * y;
    case RNL_UNARY_SIGMOID: return y * (1 - y);
    case RNL_UNARY_RELU: return y > 0;
    case RNL_UNARY_SIN: return cos(x);
    case RNL_UNARY_COS: return -sin(x);
    case RNL_UNARY_SIGN: return 0;
    default: return 1;
  }
}
static double binary(int kind, double a, double c) {
  switch (kind) {
    case RNL_BINARY_ADD: return a + c;
    case RNL_BINARY_SUB: return a - c;
    case RNL_BINARY_MUL: return a * c;
    case RNL_BINARY_DIV: return a / c;
    case RNL_BINARY_MIN: return a < c ? a : c;
    case RNL_BINARY_MAX: return a > c ? a : c;
    default: return pow(a, c);
  }
}
static double binary_slope(int kind, int side, double a, double c) {
  switch (kind) {
    case RNL_BINARY_ADD: return 1;
    case RNL_BINARY_SUB: return side ? -1 : 1;
    case RNL_BINARY_MUL: return side ? a : c;
    case RNL_BINARY_DIV: return side ? -a / (c * c) : 1 / c;
    case RNL_BINARY_MIN: return a == c ? .5 : (a < c) == !side;
    case RNL_BINARY_MAX: return a == c ? .5 : (a > c) == !side;
    default: return side ? pow(a, c) * log(a) : c * pow(a, c - 1);
  }
}

/* Nothing may appear in the padding that is no number or makes a gradient. */
static void check_padding(const bench *b, int k) {
  for (int64_t s = 0; s < STEPS; s++)
    for (int64_t j = 0; j < b->width; j++)
      for (int64_t lane = b->batch; lane < b->lanes; lane++) assert_true(isfinite(at(b, &b->out[k], s, j, lane)));
}

static void unary_cases(bench *b, const rnl_lane_kernels *kernels) {
  for (int option = 0; option < 8 * RNL_UNARY_COUNT; option++) {
    const int kind = option / 8, add = option & 1;
    const shape as = (shape)(ROW + option / 2 % 4);
    const bool positive = kind == RNL_UNARY_SQRT || kind == RNL_UNARY_LOG;
    fill(b, &b->in[0], as, b->width, positive ? .2 : -2, 2);
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_UNARY, .kind = kind, .add = add}, false, NULL);
    EACH(b, s, j, lane)
      check(b, 0, s, j, lane, (add ? before(b, 0, s, j, lane) : 0) + unary(kind, at(b, &b->in[0], s, j, lane)), "unary",
            kind);
    check_padding(b, 0);
  }
}
static void test_unary(void **unused) {
  (void)unused;
  each_size(unary_cases);
}

static void binary_cases(bench *b, const rnl_lane_kernels *kernels) {
  for (int option = 0; option < 32 * RNL_BINARY_COUNT; option++) {
    const int kind = option / 32, shapes = option / 2 % 16, add = option & 1;
    const bool positive = kind == RNL_BINARY_POW || kind == RNL_BINARY_DIV;
    fill(b, &b->in[0], (shape)(ROW + shapes % 4), b->width, positive ? .3 : -2, 2);
    fill(b, &b->in[1], (shape)(ROW + shapes / 4), b->width, positive ? .3 : -2, 2);
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_BINARY, .kind = kind, .add = add}, true, NULL);
    EACH(b, s, j, lane)
      check(b, 0, s, j, lane, (add ? before(b, 0, s, j, lane) : 0) + binary(kind, at(b, &b->in[0], s, j, lane),
                                                                          at(b, &b->in[1], s, j, lane)),
            "binary", kind);
    check_padding(b, 0);
  }
}
static void test_binary(void **unused) {
  (void)unused;
  each_size(binary_cases);
}

static void unary_grad(bench *b, const rnl_lane_kernels *kernels) {
  for (int option = 0; option < 4 * RNL_UNARY_COUNT; option++) {
    const int kind = option / 4, scalar = option >> 1 & 1, add = option & 1;
    const bool positive = kind == RNL_UNARY_SQRT || kind == RNL_UNARY_LOG;
    fill(b, &b->in[0], ROW, b->width, -1, 1);
    fill(b, &b->in[1], scalar ? VECTOR : ROW, b->width, positive ? .2 : -2, 2);
    fill(b, &b->in[2], ROW, b->width, .1, .9);
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_UNARY_GRAD, .kind = kind, .add = add}, true, NULL);
    EACH(b, s, j, lane)
      check(b, 0, s, j, lane, (add ? before(b, 0, s, j, lane) : 0) + at(b, &b->in[0], s, j, lane) *
            slope(kind, at(b, &b->in[1], s, j, lane), at(b, &b->in[2], s, j, lane)), "slope", kind);
    check_padding(b, 0);
  }
}
static void test_unary_grad(void **unused) {
  (void)unused;
  each_size(unary_grad);
}

static void binary_grad(bench *b, const rnl_lane_kernels *kernels) {
  for (int option = 0; option < 32 * RNL_BINARY_COUNT; option++) {
    const int kind = option / 32, shapes = option / 2 % 16, side = option & 1;
    const bool add = shapes % 3 == 0, equal = shapes == 0 && kind != RNL_BINARY_POW;
    fill(b, &b->in[0], ROW, b->width, -1, 1);
    fill(b, &b->in[1], (shape)(ROW + shapes % 4), b->width, .3, 2);
    fill(b, &b->in[2], (shape)(ROW + shapes / 4), b->width, .3, 2);
    if (equal) memcpy(&b->in[2], &b->in[1], sizeof b->in[1]); /* ties */
    fill(b, &b->in[3], ROW, b->width, 0, 0);
    EACH(b, s, j, lane)
      set(b, b->in[3].number, place(b, &b->in[3], s, j, lane),
          binary(kind, at(b, &b->in[1], s, j, lane), at(b, &b->in[2], s, j, lane)));
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_BINARY_GRAD, .kind = kind, .side = side, .add = add}, true, NULL);
    EACH(b, s, j, lane)
      check(b, 0, s, j, lane, (add ? before(b, 0, s, j, lane) : 0) + at(b, &b->in[0], s, j, lane) *
            binary_slope(kind, side, at(b, &b->in[1], s, j, lane), at(b, &b->in[2], s, j, lane)), "binary slope", kind);
    check_padding(b, 0);
  }
}
static void test_binary_grad(void **unused) {
  (void)unused;
  each_size(binary_grad);
}

static void sum(bench *b, const rnl_lane_kernels *kernels) {
  for (int add = 0; add < 2; add++) {
    const int64_t count = b->width;
    fill(b, &b->in[0], ROW, count, -1, 1);
    make_out(b, 0, 1);
    b->width = 1;
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_SUM, .count = count, .add = add}, false, NULL);
    EACH(b, s, j, lane) {
      double sum = add ? before(b, 0, s, 0, lane) : 0;
      for (int64_t i = 0; i < count; i++) sum += at(b, &b->in[0], s, i, lane);
      check(b, 0, s, j, lane, sum, "sum", add);
    }
    b->width = count;
  }
}
static void test_sum(void **unused) {
  (void)unused;
  each_size(sum);
}

/* ---- affine --------------------------------------------------------------------------------- */

enum { PLAIN, TRANSPOSED, PACKED };

static int64_t tile_of(const bench *b, const rnl_lane_kernels *kernels) {
  rnl_lane_op probe = {.code = RNL_LANE_AFFINE, .batch = b->batch, .lanes = b->lanes, .width = b->width, .slope = -1};
  kernels->lane_bind(&probe);
  return probe.tile;
}

/* Terms whose weights lie by rows, by columns, or packed; counts[k] features each. */
static void add_terms(bench *b, const rnl_lane_kernels *kernels, rnl_lane_op *op, int n, const int64_t *counts, int how,
                      void **packed) {
  const int64_t tile = tile_of(b, kernels);
  op->n_terms = n;
  for (int k = 0; k < n; k++) {
    fill(b, &b->source[k], ROW, counts[k], -1, 1);
    for (int64_t i = 0; i < counts[k] * b->width; i++) set(b, b->weight[k], i, random_between(-.5, .5));
    const int64_t row = how == TRANSPOSED ? 1 : b->width, column = how == TRANSPOSED ? counts[k] : 1;
    op->term[k] = (rnl_lane_term){.source = b->source[k].number, .step = step_of(b, &b->source[k]), .count = counts[k],
                                  .weight = b->weight[k], .row = row, .column = column, .panel = column * tile};
    packed[k] = NULL;
    if (how != PACKED) continue;
    const int64_t tiles = (b->width + tile - 1) / tile;
    packed[k] = calloc((size_t)(tiles * tile * counts[k]), sizeof(double));
    kernels->lane_pack(counts[k], b->width, tile, b->weight[k], row, column, packed[k]);
    op->term[k].weight = packed[k];
    op->term[k].row = tile, op->term[k].panel = tile * counts[k];
  }
}

static double sum_of_terms(const bench *b, int n, const int64_t *counts, int how, int64_t s, int64_t j, int64_t lane) {
  double sum = 0;
  for (int k = 0; k < n; k++)
    for (int64_t i = 0; i < counts[k]; i++)
      sum += at(b, &b->source[k], s, i, lane) *
             get(b, b->weight[k], how == TRANSPOSED ? j * counts[k] + i : i * b->width + j);
  return sum;
}

static void affine(bench *b, const rnl_lane_kernels *kernels) {
  static const int64_t counts[RNL_LANE_TERMS] = {3, 5, 1, 7};
  static const int unary_of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
  static const int slopes[] = {-1, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_SQUARE, RNL_UNARY_RELU};
  for (int number = 0; number < 60 * 3 * RNL_LANE_TERMS; number++) {
    const int how = number / 60 % 3, n = 1 + number / 180, option = number % 60;
    /* The start, the activation, what is added at the end and the slope behind it; slopes follow linear sums. */
    const shape start = option % 3 == 0 ? ABSENT : option % 3 == 1 ? VECTOR : ROW;
    const int act = option / 3 % 4, last = act == RNL_ACT_LINEAR ? option / 12 : 0;
    const bool add = option % 5 == 1, addend = option % 5 == 2;
    void *packed[RNL_LANE_TERMS];
    rnl_lane_op op = {.code = RNL_LANE_AFFINE, .kind = act, .slope = slopes[last], .add = add};
    add_terms(b, kernels, &op, n, counts, how, packed);
    fill(b, &b->in[0], start, b->width, -1, 1);
    fill(b, &b->in[1], ROW, b->width, -1, 1);
    fill(b, &b->in[2], ROW, b->width, .1, .9);
    fill(b, &b->in[3], addend ? ROW : ABSENT, b->width, -1, 1);
    make_out(b, 0, b->width);
    run(b, kernels, op, how == TRANSPOSED, NULL);
    EACH(b, s, j, lane) {
      double v = sum_of_terms(b, n, counts, how, s, j, lane) + (start ? at(b, &b->in[0], s, j, lane) : 0);
      v = unary(unary_of[act], v) + (add ? before(b, 0, s, j, lane) : addend ? at(b, &b->in[3], s, j, lane) : 0);
      if (last) v *= slope(slopes[last], at(b, &b->in[1], s, j, lane), at(b, &b->in[2], s, j, lane));
      check(b, 0, s, j, lane, v, "affine", option);
    }
    for (int k = 0; k < n; k++) free(packed[k]);
  }
}
static void test_affine(void **unused) {
  (void)unused;
  each_size(affine);
}

/* ---- gates ---------------------------------------------------------------------------------- */

static void lstm(bench *b, const rnl_lane_kernels *kernels) {
    const int64_t n = b->width;
    fill(b, &b->in[0], ROW, 4 * n, -2, 2);
    fill(b, &b->in[1], ROW, n, -1, 1);
    make_out(b, 0, 4 * n);
    make_out(b, 1, n);
    make_out(b, 2, n);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_LSTM}, false, NULL);
    EACH(b, s, j, lane) {
      double gate[4];
      for (int k = 0; k < 4; k++) {
        const double z = at(b, &b->in[0], s, k * n + j, lane);
        check(b, 0, s, k * n + j, lane, gate[k] = k == 2 ? tanh(z) : sigmoid(z), "lstm", k);
      }
      const double c = gate[1] * at(b, &b->in[1], s, j, lane) + gate[0] * gate[2];
      check(b, 1, s, j, lane, c, "lstm", 4);
      check(b, 2, s, j, lane, gate[3] * tanh(c), "lstm", 5);
    }

}
static void test_lstm(void **unused) {
  (void)unused;
  each_size(lstm);
}

static void lstm_grad(bench *b, const rnl_lane_kernels *kernels) {
  for (int given = 0; given < 4; given++) {
    const int64_t n = b->width;
    fill(b, &b->in[0], ROW, 4 * n, .1, .9);
    for (int k = 1; k < 5; k++) fill(b, &b->in[k], k < 3 || given >> (k - 3) & 1 ? ROW : ABSENT, n, -1, 1);
    make_out(b, 0, 4 * n);
    make_out(b, 1, n);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_LSTM_GRAD}, true, NULL);
    EACH(b, s, j, lane) {
      double gate[4];
      for (int k = 0; k < 4; k++) gate[k] = at(b, &b->in[0], s, k * n + j, lane);
      const double squashed = tanh(at(b, &b->in[2], s, j, lane)), dh = given & 1 ? at(b, &b->in[3], s, j, lane) : 0;
      const double dc = (given & 2 ? at(b, &b->in[4], s, j, lane) : 0) + dh * gate[3] * (1 - squashed * squashed);
      check(b, 0, s, j, lane, dc * gate[2] * gate[0] * (1 - gate[0]), "lstm gradient", 0);
      check(b, 0, s, n + j, lane, dc * at(b, &b->in[1], s, j, lane) * gate[1] * (1 - gate[1]), "lstm gradient", 1);
      check(b, 0, s, 2 * n + j, lane, dc * gate[0] * (1 - gate[2] * gate[2]), "lstm gradient", 2);
      check(b, 0, s, 3 * n + j, lane, dh * squashed * gate[3] * (1 - gate[3]), "lstm gradient", 3);
      check(b, 1, s, j, lane, dc * gate[1], "lstm gradient", 4);
    }
  }
}
static void test_lstm_grad(void **unused) {
  (void)unused;
  each_size(lstm_grad);
}

static void gru(bench *b, const rnl_lane_kernels *kernels) {
    const int64_t n = b->width;
    for (int k = 0; k < 2; k++) fill(b, &b->in[k], ROW, 3 * n, -2, 2);
    fill(b, &b->in[2], ROW, n, -1, 1);
    make_out(b, 0, 3 * n);
    make_out(b, 1, n);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_GRU}, false, NULL);
    EACH(b, s, j, lane) {
      const double r = sigmoid(at(b, &b->in[0], s, j, lane) + at(b, &b->in[1], s, j, lane));
      const double z = sigmoid(at(b, &b->in[0], s, n + j, lane) + at(b, &b->in[1], s, n + j, lane));
      const double c = tanh(at(b, &b->in[0], s, 2 * n + j, lane) + r * at(b, &b->in[1], s, 2 * n + j, lane));
      check(b, 0, s, j, lane, r, "gru", 0);
      check(b, 0, s, n + j, lane, z, "gru", 1);
      check(b, 0, s, 2 * n + j, lane, c, "gru", 2);
      check(b, 1, s, j, lane, (1 - z) * c + z * at(b, &b->in[2], s, j, lane), "gru", 3);
    }

}
static void test_gru(void **unused) {
  (void)unused;
  each_size(gru);
}

static void gru_grad(bench *b, const rnl_lane_kernels *kernels) {
    const int64_t n = b->width;
    fill(b, &b->in[0], ROW, 3 * n, .1, .9);
    fill(b, &b->in[1], ROW, 3 * n, -1, 1);
    fill(b, &b->in[2], ROW, n, -1, 1);
    fill(b, &b->in[3], ROW, n, -1, 1);
    make_out(b, 0, 3 * n);
    make_out(b, 1, 3 * n);
    make_out(b, 2, n);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_GRU_GRAD}, true, NULL);
    EACH(b, s, j, lane) {
      const double r = at(b, &b->in[0], s, j, lane), z = at(b, &b->in[0], s, n + j, lane);
      const double c = at(b, &b->in[0], s, 2 * n + j, lane);
      const double dh = at(b, &b->in[3], s, j, lane), dc = dh * (1 - z) * (1 - c * c);
      const double dz = dh * (at(b, &b->in[2], s, j, lane) - c) * z * (1 - z);
      const double dr = dc * at(b, &b->in[1], s, 2 * n + j, lane) * r * (1 - r);
      for (int k = 0; k < 2; k++) {
        check(b, k, s, j, lane, dr, "gru gradient", 0);
        check(b, k, s, n + j, lane, dz, "gru gradient", 1);
        check(b, k, s, 2 * n + j, lane, k ? dc * r : dc, "gru gradient", 2);
      }
      check(b, 2, s, j, lane, dh * z, "gru gradient", 3);
    }

}
static void test_gru_grad(void **unused) {
  (void)unused;
  each_size(gru_grad);
}

/* ---- lengths and totals --------------------------------------------------------------------- */

static void lengths(bench *b, const rnl_lane_kernels *kernels) {
    int64_t lengths[MOST_LANES];
    for (int64_t i = 0; i < b->batch; i++) lengths[i] = 1 + (i * 2 + b->width) % STEPS;
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_LIVE}, b->width % 2, lengths);
    EACH(b, s, j, lane) check(b, 0, s, j, lane, s < lengths[lane] ? before(b, 0, s, j, lane) : 0, "live", 0);

    /* What masks its own results. */
    fill(b, &b->in[0], ROW, b->width, -1, 1);
    for (int act = 0; act < RNL_ACT_COUNT; act++) {
      make_out(b, 0, b->width);
      run(b, kernels, (rnl_lane_op){.code = RNL_LANE_AFFINE, .kind = act, .slope = -1, .masked = true}, false, lengths);
      EACH(b, s, j, lane) {
        const double x = at(b, &b->in[0], s, j, lane);
        const double y = act == RNL_ACT_TANH ? tanh(x) : act == RNL_ACT_SIGMOID ? 1 / (1 + exp(-x))
                       : act == RNL_ACT_RELU ? fmax(x, 0) : x;
        check(b, 0, s, j, lane, s < lengths[lane] ? y : 0, "masked affine", act);
      }
    }
    const rnl_lane_code gates[] = {RNL_LANE_LSTM, RNL_LANE_GRU};
    for (int k = 0; k < 2; k++) {
      const int states = gates[k] == RNL_LANE_LSTM ? 2 : 1;
      fill(b, &b->in[0], ROW, 4 * b->width, -1, 1);
      fill(b, &b->in[1], ROW, k ? 3 * b->width : b->width, -1, 1);
      fill(b, &b->in[2], ROW, b->width, -1, 1);
      make_out(b, 0, 4 * b->width);
      make_out(b, 1, b->width);
      make_out(b, 2, b->width);
      run(b, kernels, (rnl_lane_op){.code = gates[k]}, false, lengths);
      for (int out = 1; out <= states; out++) memcpy(b->before[out], b->out[out].number, sizeof b->before[out]);
      run(b, kernels, (rnl_lane_op){.code = gates[k], .masked = true}, false, lengths);
      for (int out = 1; out <= states; out++)
        EACH(b, s, j, lane)
          check(b, out, s, j, lane, s < lengths[lane] ? before(b, out, s, j, lane) : 0, "masked gates", k);
    }

    /* A whole sequence at once. */
    make_out(b, 0, b->width);
    int64_t least = STEPS;
    for (int64_t i = 0; i < b->batch; i++) least = lengths[i] < least ? lengths[i] : least;
    kernels->lane_clear(b->batch, b->lanes, least, STEPS, b->width, lengths, b->out[0].number);
    EACH(b, s, j, lane) check(b, 0, s, j, lane, s < lengths[lane] ? before(b, 0, s, j, lane) : 0, "cleared", 0);

    fill(b, &b->in[0], ROW, b->width, -1, 1);
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_FINAL}, true, lengths);
    EACH(b, s, j, lane) {
      const double given = s + 1 == lengths[lane] ? at(b, &b->in[0], 0, j, lane) : 0;
      check(b, 0, s, j, lane, s + 1 < lengths[lane] ? before(b, 0, s, j, lane) : given, "final", 0);
    }

    b->in[0].shape = ABSENT;
    make_out(b, 0, b->width);
    run(b, kernels, (rnl_lane_op){.code = RNL_LANE_UNARY, .kind = RNL_UNARY_COPY}, false, NULL);
    EACH(b, s, j, lane) check(b, 0, s, j, lane, 0, "fill", 0);

}
static void test_lengths(void **unused) {
  (void)unused;
  each_size(lengths);
}

static void total(bench *b, const rnl_lane_kernels *kernels) {
    fill(b, &b->in[0], ROW, b->width, -1, 1);
    make_out(b, 0, b->width);
    rnl_lane_op op = {.code = RNL_LANE_TOTAL, .batch = b->batch, .lanes = b->lanes, .width = b->width, .count = STEPS};
    op.in[0] = place_for(b, &b->in[0]);
    op.out[0] = place_for(b, &b->out[0]);
    kernels->lane_bind(&op);
    op.run(&op, 0);
    for (int64_t j = 0; j < b->width; j++)
      for (int64_t lane = 0; lane < b->batch; lane++) {
        double sum = before(b, 0, 0, j, lane);
        for (int64_t s = 0; s < STEPS; s++) sum += at(b, &b->in[0], s, j, lane);
        check(b, 0, 0, j, lane, sum, "total", 0);
      }

}
static void test_total(void **unused) {
  (void)unused;
  each_size(total);
}

/* ---- bits ----------------------------------------------------------------------------------- */

/* A sequence alone, in narrow registers, gives the bits it gives among others in wide ones. */
static void test_bits(void **unused) {
  (void)unused;
  static const int64_t counts[] = {3, 5};
  for (int f64 = 0; f64 < 2; f64++)
    for (int act = 0; act < RNL_ACT_COUNT; act++) {
      bench *many = new_bench(f64, 33, 9), *one = new_bench(f64, 1, 9);
      void *packed[RNL_LANE_TERMS];
      rnl_lane_op op = {.code = RNL_LANE_AFFINE, .kind = act, .slope = -1}, alone = op;
      add_terms(many, rnl_lane_kernels_of(f64, 33), &op, 2, counts, PLAIN, packed);
      make_out(many, 0, 9);
      run(many, rnl_lane_kernels_of(f64, 33), op, false, NULL);
      for (int64_t lane = 0; lane < 33; lane++) {
        add_terms(one, rnl_lane_kernels_of(f64, 1), &alone, 2, counts, PLAIN, packed);
        memcpy(one->weight, many->weight, sizeof one->weight);
        for (int k = 0; k < 2; k++)
          for (int64_t s = 0; s < STEPS; s++)
            for (int64_t i = 0; i < counts[k]; i++)
              set(one, one->source[k].number, place(one, &one->source[k], s, i, 0),
                  at(many, &many->source[k], s, i, lane));
        make_out(one, 0, 9);
        run(one, rnl_lane_kernels_of(f64, 1), alone, false, NULL);
        EACH(one, s, j, first) assert_true(at(one, &one->out[0], s, j, first) == at(many, &many->out[0], s, j, lane));
      }
      free(many);
      free(one);
    }
}

#if defined(__x86_64__)
extern const rnl_kernels rnl_kernels_avx2_f32, rnl_kernels_avx2_f64, rnl_kernels_avx512_f32, rnl_kernels_avx512_f64;

static void same_bits(bench *b, rnl_lane_op op, const rnl_lane_kernels *one, const rnl_lane_kernels *other) {
  static operand found[OUTS];
  rnl_lane_op again = op;
  for (int k = 0; k < OUTS; k++) make_out(b, k, GATES * b->width);
  run(b, one, op, false, NULL);
  memcpy(found, b->out, sizeof found);
  for (int k = 0; k < OUTS; k++) memcpy(b->out[k].number, b->before[k], sizeof b->before[k]);
  for (int k = 0; k < op.n_terms; k++) again.term[k].panel = again.term[k].column * tile_of(b, other);
  run(b, other, again, false, NULL);
  for (int k = 0; k < OUTS; k++)
    for (int64_t s = 0; s < STEPS; s++)
      for (int64_t j = 0; j < GATES * b->width; j++)
        for (int64_t lane = 0; lane < b->batch; lane++) {
          const double x = at(b, &found[k], s, j, lane), y = at(b, &b->out[k], s, j, lane);
          if (memcmp(&x, &y, sizeof x) != 0)
            fail_msg("instruction %d, kind %d: %.17g and %.17g", (int)op.code, op.kind, x, y);
        }
}
#endif

/* AVX2 and AVX-512 give the same bits. */
static void test_isa(void **unused) {
  (void)unused;
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx2"))
    return;
  static const int64_t counts[] = {3, 5};
  for (int f64 = 0; f64 < 2; f64++)
    for (size_t q = 0; q < sizeof widths / sizeof *widths; q++) {
      const rnl_lane_kernels *avx2 = &(f64 ? &rnl_kernels_avx2_f64 : &rnl_kernels_avx2_f32)->lanes;
      const rnl_lane_kernels *avx512 = &(f64 ? &rnl_kernels_avx512_f64 : &rnl_kernels_avx512_f32)->lanes;
      bench *b = new_bench(f64, 19, widths[q]);
      for (int k = 0; k < INS; k++) fill(b, &b->in[k], ROW, GATES * b->width, .1, .9);
      for (int kind = 0; kind < RNL_UNARY_COUNT; kind++) {
        same_bits(b, (rnl_lane_op){.code = RNL_LANE_UNARY, .kind = kind}, avx2, avx512);
        same_bits(b, (rnl_lane_op){.code = RNL_LANE_UNARY_GRAD, .kind = kind, .add = true}, avx2, avx512);
      }
      for (int kind = 0; kind < RNL_BINARY_COUNT; kind++) {
        same_bits(b, (rnl_lane_op){.code = RNL_LANE_BINARY, .kind = kind, .add = kind % 2}, avx2, avx512);
        same_bits(b, (rnl_lane_op){.code = RNL_LANE_BINARY_GRAD, .kind = kind, .side = 1}, avx2, avx512);
      }
      for (rnl_lane_code code = RNL_LANE_LSTM; code <= RNL_LANE_GRU_GRAD; code++)
        if (code != RNL_LANE_UNARY_GRAD && code != RNL_LANE_BINARY_GRAD)
          same_bits(b, (rnl_lane_op){.code = code}, avx2, avx512);
      same_bits(b, (rnl_lane_op){.code = RNL_LANE_SUM, .count = b->width}, avx2, avx512);
      for (int k = 0; k < INS; k++) b->in[k].shape = ABSENT;
      for (int act = 0; act < RNL_ACT_COUNT; act++) {
        void *packed[RNL_LANE_TERMS];
        rnl_lane_op op = {.code = RNL_LANE_AFFINE, .kind = act, .slope = -1};
        add_terms(b, avx2, &op, 2, counts, PLAIN, packed);
        same_bits(b, op, avx2, avx512);
      }
      free(b);
    }
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unary),      cmocka_unit_test(test_binary), cmocka_unit_test(test_unary_grad),
      cmocka_unit_test(test_binary_grad), cmocka_unit_test(test_sum),    cmocka_unit_test(test_affine),
      cmocka_unit_test(test_lstm),       cmocka_unit_test(test_lstm_grad), cmocka_unit_test(test_gru),
      cmocka_unit_test(test_gru_grad),   cmocka_unit_test(test_lengths), cmocka_unit_test(test_total),
      cmocka_unit_test(test_bits),       cmocka_unit_test(test_isa)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
