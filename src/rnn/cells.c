/* rnn/cells.c: the built-in cells. Equations and sources: cells.h. */
#include "rnn/cells.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"elman", "jordan", "lstm", "lstm_peephole", "lstm_layernorm",
                                    "lstm97", "gru", "gru_original", "ctrnn", "esn"};
_Static_assert(sizeof names / sizeof *names == RNL_KIND_COUNT, "a name each");

rnl_status rnl_cell_kind_from_name(const char *name, rnl_cell_kind *out, rnl_error *err) {
  char list[160] = "";
  size_t used = 0;
  for (int i = 0; i < RNL_KIND_COUNT; i++) {
    if (strcmp(names[i], name) == 0) {
      *out = (rnl_cell_kind)i;
      return RNL_OK;
    }
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
  }
  return rnl_fail(err, RNL_ERR_ARG, "no cell \"%s\"; there are %s", name, list);
}

/* What all cells have at hand while they are built. */
typedef struct builder {
  rnl_program *p;
  const rnl_cell_options *o;
  int x;                 /* the input as the products take it */
  int recurrent_row;     /* -1: none */
  int h, gates;          /* what is to be emitted: the hidden state, and the gates or -1 */
  int y;                 /* the read-out where the cell made it, or -1 */
} builder;

static int weight(builder *b, const char *name, int64_t rows, int64_t width) {
  return rnl_program_weight(b->p, name, rows, width);
}
static int plus(builder *b, int u, int v) { return rnl_program_binary(b->p, RNL_BINARY_ADD, u, v); }
static int times(builder *b, int u, int v) { return rnl_program_binary(b->p, RNL_BINARY_MUL, u, v); }
static int minus(builder *b, int u, int v) { return rnl_program_binary(b->p, RNL_BINARY_SUB, u, v); }
static int over(builder *b, int u, int v) { return rnl_program_binary(b->p, RNL_BINARY_DIV, u, v); }
static int sigmoid(builder *b, int u) { return rnl_program_unary(b->p, RNL_UNARY_SIGMOID, u); }
static int tangens(builder *b, int u) { return rnl_program_unary(b->p, RNL_UNARY_TANH, u); }
static int number(builder *b, double value) { return rnl_program_constant(b->p, value); }
static int part(builder *b, int v, int64_t start, int64_t width) { return rnl_program_slice(b->p, v, start, width); }
static int activate(builder *b, rnl_activation act, int v) {
  static const rnl_unary of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
  _Static_assert(sizeof of / sizeof *of == RNL_ACT_COUNT, "a function each");
  return act == RNL_ACT_LINEAR ? v : rnl_program_unary(b->p, of[act], v);
}

/* What is fed back, as the recurrent product takes it. */
static int fed_back(builder *b, int h) { return b->recurrent_row < 0 ? h : times(b, h, b->recurrent_row); }

static int read_out(builder *b, int h) {
  const rnl_cell_options *o = b->o;
  const int weight_ho = weight(b, "weight_ho", o->hidden_size, o->output_size);
  const int weight_io = o->direct ? weight(b, "weight_io", o->input_size, o->output_size) : -1;
  const int bias_o = weight(b, "bias_o", 0, o->output_size);
  return rnl_program_affine(b->p, o->output_activation, bias_o, o->direct ? 2 : 1,
                            (int[]){h, weight_ho, b->x, weight_io});
}

/* What a cell whose output y is fed back has as y of the step before, from this step on: y itself, what is forced in
 * its place, or m forced + (1-m) y. */
static void feed_back(builder *b, int state) {
  const rnl_cell_options *o = b->o;
  int next = b->y;
  if (o->forced || o->blended) next = rnl_program_sequence(b->p, o->output_size);
  if (o->blended) {
    const int m = rnl_program_sequence(b->p, 1);
    next = plus(b, times(b, m, next), times(b, minus(b, number(b, 1), m), b->y));
  }
  rnl_program_next(b->p, state, next);
}

/* ---- the simple ones ------------------------------------------------------------------------ */

static void elman(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n), weight_ih = weight(b, "weight_ih", o->input_size, n);
  const int weight_hh = weight(b, "weight_hh", n, n), bias = weight(b, "bias", 0, n);
  b->h = rnl_program_affine(b->p, o->activation, bias, 2, (int[]){b->x, weight_ih, fed_back(b, h), weight_hh});
  rnl_program_next(b->p, h, b->h);
}

static void jordan(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int y = rnl_program_state(b->p, "y", o->output_size), weight_ih = weight(b, "weight_ih", o->input_size, n);
  const int weight_oh = weight(b, "weight_oh", o->output_size, n), bias = weight(b, "bias", 0, n);
  b->h = rnl_program_affine(b->p, o->activation, bias, 2, (int[]){b->x, weight_ih, y, weight_oh});
  b->y = read_out(b, b->h);
  feed_back(b, y);
}

static void ctrnn(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int v = rnl_program_state(b->p, "v", n), weight_ih = weight(b, "weight_ih", o->input_size, n);
  const int weight_hh = weight(b, "weight_hh", n, n), bias = weight(b, "bias", 0, n);
  const int before = fed_back(b, activate(b, o->activation, v));
  const int drive = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias, 2, (int[]){b->x, weight_ih, before, weight_hh});
  int next = plus(b, times(b, number(b, 1 - o->alpha), v), times(b, number(b, o->alpha), drive));
  if (o->noise) next = plus(b, next, rnl_program_sequence(b->p, n));
  rnl_program_next(b->p, v, next);
  b->h = activate(b, o->activation, next);
}

static void esn(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n);
  const int y = o->feedback ? rnl_program_state(b->p, "y", o->output_size) : -1;
  const int weight_ih = weight(b, "weight_ih", o->input_size, n), weight_hh = weight(b, "weight_hh", n, n);
  const int weight_oh = o->feedback ? weight(b, "weight_oh", o->output_size, n) : -1, bias = weight(b, "bias", 0, n);
  const int terms[] = {b->x, weight_ih, fed_back(b, h), weight_hh, y, weight_oh};
  const int u = rnl_program_affine(b->p, o->activation, bias, o->feedback ? 3 : 2, terms);
  b->h = plus(b, times(b, number(b, 1 - o->alpha), h), times(b, number(b, o->alpha), u));
  if (o->noise) b->h = plus(b, b->h, rnl_program_sequence(b->p, n));
  rnl_program_next(b->p, h, b->h);
  if (!o->feedback) return;
  b->y = read_out(b, b->h);
  feed_back(b, y);
}

/* ---- lstm and its kin ----------------------------------------------------------------------- */

static void lstm(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n), c = rnl_program_state(b->p, "c", n);
  const int weight_ih = weight(b, "weight_ih", o->input_size, 4 * n), weight_hh = weight(b, "weight_hh", n, 4 * n);
  const int bias = weight(b, "bias", 0, 4 * n);
  const int a = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias, 2, (int[]){b->x, weight_ih, fed_back(b, h), weight_hh});
  int c_next = -1;
  b->h = rnl_program_lstm(b->p, a, c, &c_next, &b->gates);
  rnl_program_next(b->p, h, b->h);
  rnl_program_next(b->p, c, c_next);
}

static void lstm_peephole(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n), c = rnl_program_state(b->p, "c", n);
  const int weight_ih = weight(b, "weight_ih", o->input_size, 4 * n), weight_hh = weight(b, "weight_hh", n, 4 * n);
  const int bias = weight(b, "bias", 0, 4 * n), peephole_i = weight(b, "peephole_i", 0, n);
  const int peephole_f = weight(b, "peephole_f", 0, n), peephole_o = weight(b, "peephole_o", 0, n);
  const int a = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias, 2, (int[]){b->x, weight_ih, fed_back(b, h), weight_hh});
  const int i = sigmoid(b, plus(b, part(b, a, 0, n), times(b, c, peephole_i)));
  const int f = sigmoid(b, plus(b, part(b, a, n, n), times(b, c, peephole_f)));
  const int g = tangens(b, part(b, a, 2 * n, n));
  const int c_next = plus(b, times(b, f, c), times(b, i, g));
  const int out = sigmoid(b, plus(b, part(b, a, 3 * n, n), times(b, c_next, peephole_o)));
  b->h = times(b, out, tangens(b, c_next));
  rnl_program_next(b->p, h, b->h);
  rnl_program_next(b->p, c, c_next);
}

/* (u - mean) / sqrt(var + 1e-5) * gain, mean and biased variance over the features */
static int layer_norm(builder *b, int u, int64_t width, int gain) {
  const int inverse = number(b, 1 / (double)width);
  const int centred = minus(b, u, times(b, rnl_program_sum(b->p, u), inverse));
  const int variance = times(b, rnl_program_sum(b->p, rnl_program_unary(b->p, RNL_UNARY_SQUARE, centred)), inverse);
  const int deviation = rnl_program_unary(b->p, RNL_UNARY_SQRT, plus(b, variance, number(b, 1e-5)));
  return times(b, over(b, centred, deviation), gain);
}

static void lstm_layernorm(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n), c = rnl_program_state(b->p, "c", n);
  const int weight_ih = weight(b, "weight_ih", o->input_size, 4 * n), weight_hh = weight(b, "weight_hh", n, 4 * n);
  const int bias = weight(b, "bias", 0, 4 * n), gain_ih = weight(b, "gain_ih", 0, 4 * n);
  const int gain_hh = weight(b, "gain_hh", 0, 4 * n), gain_c = weight(b, "gain_c", 0, n),
            bias_c = weight(b, "bias_c", 0, n);
  const int below = layer_norm(b, rnl_program_mm(b->p, b->x, weight_ih), 4 * n, gain_ih);
  const int back = layer_norm(b, rnl_program_mm(b->p, fed_back(b, h), weight_hh), 4 * n, gain_hh);
  const int a = plus(b, plus(b, below, back), bias);
  const int i = sigmoid(b, part(b, a, 0, n)), f = sigmoid(b, part(b, a, n, n));
  const int g = tangens(b, part(b, a, 2 * n, n)), out = sigmoid(b, part(b, a, 3 * n, n));
  const int c_next = plus(b, times(b, f, c), times(b, i, g));
  b->h = times(b, out, tangens(b, plus(b, layer_norm(b, c_next, n, gain_c), bias_c)));
  rnl_program_next(b->p, h, b->h);
  rnl_program_next(b->p, c, c_next);
}

static void lstm97(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size, size = o->block_size ? o->block_size : 1, blocks = n / size,
                columns = n + 2 * blocks;
  rnl_program *p = b->p;
  const int h = rnl_program_state(p, "h", n), c = rnl_program_state(p, "c", n);
  const int in_before = o->gates_feed_gates ? rnl_program_state(p, "in", blocks) : -1;
  const int out_before = o->gates_feed_gates ? rnl_program_state(p, "out", blocks) : -1;
  const int weight_ih = weight(b, "weight_ih", o->input_size, columns), weight_hh = weight(b, "weight_hh", n, columns);
  const int weight_ig = o->gates_feed_gates ? weight(b, "weight_ig", blocks, columns) : -1;
  const int weight_og = o->gates_feed_gates ? weight(b, "weight_og", blocks, columns) : -1;
  const int bias = weight(b, "bias", 0, columns), expand = size > 1 ? weight(b, "expand", blocks, n) : -1;
#define BACK(v) (o->truncated ? rnl_program_stop(p, v) : (v))
  const int terms[] = {b->x,
                       weight_ih,
                       BACK(fed_back(b, h)),
                       weight_hh,
                       in_before < 0 ? -1 : BACK(in_before),
                       weight_ig,
                       out_before < 0 ? -1 : BACK(out_before),
                       weight_og};
#undef BACK
  const int a = rnl_program_affine(p, RNL_ACT_LINEAR, bias, o->gates_feed_gates ? 4 : 2, terms);
  const int in = sigmoid(b, part(b, a, 0, blocks)), out = sigmoid(b, part(b, a, blocks + n, blocks));
  const int four = number(b, 4), two = number(b, 2), one = number(b, 1);
  const int g = minus(b, times(b, four, sigmoid(b, part(b, a, blocks, n))), two);
  const int in_cell = expand < 0 ? in : rnl_program_mm(p, in, expand),
            out_cell = expand < 0 ? out : rnl_program_mm(p, out, expand);
  const int c_next = plus(b, c, times(b, in_cell, g));
  b->h = times(b, out_cell, minus(b, times(b, two, sigmoid(b, c_next)), one));
  rnl_program_next(p, h, b->h);
  rnl_program_next(p, c, c_next);
  if (o->gates_feed_gates) {
    rnl_program_next(p, in_before, in);
    rnl_program_next(p, out_before, out);
  }
}

/* ---- gru ------------------------------------------------------------------------------------ */

static void gru(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n);
  const int weight_ih = weight(b, "weight_ih", o->input_size, 3 * n), weight_hh = weight(b, "weight_hh", n, 3 * n);
  const int bias_ih = weight(b, "bias_ih", 0, 3 * n), bias_hh = weight(b, "bias_hh", 0, 3 * n);
  const int zx = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias_ih, 1, (int[]){b->x, weight_ih});
  const int zh = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias_hh, 1, (int[]){fed_back(b, h), weight_hh});
  b->h = rnl_program_gru(b->p, zx, zh, h, &b->gates);
  rnl_program_next(b->p, h, b->h);
}

static void gru_original(builder *b) {
  const rnl_cell_options *o = b->o;
  const int64_t n = o->hidden_size;
  const int h = rnl_program_state(b->p, "h", n);
  const int weight_ih = weight(b, "weight_ih", o->input_size, 3 * n), weight_hh = weight(b, "weight_hh", n, 2 * n);
  const int weight_hn = weight(b, "weight_hn", n, n), bias = weight(b, "bias", 0, 3 * n);
  const int a = rnl_program_affine(b->p, RNL_ACT_LINEAR, bias, 1, (int[]){b->x, weight_ih});
  const int rz = sigmoid(b, plus(b, part(b, a, 0, 2 * n), rnl_program_mm(b->p, fed_back(b, h), weight_hh)));
  const int r = part(b, rz, 0, n), z = part(b, rz, n, n);
  const int new =
      tangens(b, plus(b, part(b, a, 2 * n, n), rnl_program_mm(b->p, times(b, r, fed_back(b, h)), weight_hn)));
  b->h = plus(b, new, times(b, z, minus(b, h, new))); /* (1-z) n + z h */
  rnl_program_next(b->p, h, b->h);
}

/* ---- all ------------------------------------------------------------------------------------ */

static rnl_status check(const rnl_cell_options *o, rnl_error *err) {
  const char *name = names[o->kind];
  const int64_t largest = INT64_C(1) << 40;
  if (o->input_size < 1 || o->hidden_size < 1 || o->output_size < 0 || o->input_size > largest ||
      o->hidden_size > largest || o->output_size > largest)
    return rnl_fail(err, RNL_ERR_ARG, "cell %s: sizes %lld-%lld-%lld", name, (long long)o->input_size,
                    (long long)o->hidden_size, (long long)o->output_size);
  if (o->kind == RNL_KIND_JORDAN && !o->output_size)
    return rnl_fail(err, RNL_ERR_ARG, "cell jordan: output_size is missing; its output is fed back");
  const bool leaky = o->kind == RNL_KIND_CTRNN || o->kind == RNL_KIND_ESN;
  if ((o->feedback || o->direct) && o->kind != RNL_KIND_ESN)
    return rnl_fail(err, RNL_ERR_ARG, "cell %s: only esn has the options feedback and direct", name);
  if ((o->feedback || o->direct) && !o->output_size)
    return rnl_fail(err, RNL_ERR_ARG, "cell esn: output_size is missing; its output is %s",
                    o->feedback ? "fed back" : "what the inputs go to");
  if ((o->forced || o->blended) && o->kind != RNL_KIND_JORDAN && !o->feedback)
    return rnl_fail(err, RNL_ERR_ARG, "cell %s: only jordan, and esn with feedback, feed their output back", name);
  if (o->noise && !leaky) return rnl_fail(err, RNL_ERR_ARG, "cell %s: only ctrnn and esn take state noise", name);
  if (o->recurrent_dropout && o->kind == RNL_KIND_JORDAN)
    return rnl_fail(err, RNL_ERR_ARG, "cell jordan: no hidden state is fed back that could be dropped");
  if (leaky && !(o->alpha > 0 && o->alpha <= 1))
    return rnl_fail(err, RNL_ERR_ARG,
                    "cell %s: alpha is %g; expected 0 < alpha <= 1 (the step over the time constant)", name, o->alpha);
  if (o->kind == RNL_KIND_LSTM97 && (o->block_size < 0 || (o->block_size > 0 && o->hidden_size % o->block_size != 0)))
    return rnl_fail(err, RNL_ERR_ARG, "cell lstm97: %lld cells do not divide into blocks of %lld",
                    (long long)o->hidden_size, (long long)o->block_size);
  return RNL_OK;
}

static void emit(builder *b) {
  const rnl_cell_options *o = b->o;
  if (o->output_size) rnl_program_emit(b->p, "y", b->y >= 0 ? b->y : read_out(b, b->h));
  if (!o->output_size || !o->lean || o->inspected) rnl_program_emit(b->p, "h", b->h);
  for (int k = 0; k < b->p->n_states && (o->states || o->inspected); k++)
    if (strcmp(b->p->state_name[k], "h") != 0 && strcmp(b->p->state_name[k], "y") != 0)
      rnl_program_emit(b->p, b->p->state_name[k], b->p->next[k]);
  if (o->inspected && b->gates >= 0) rnl_program_emit(b->p, "gates", b->gates);
}

rnl_status rnl_cell_program(rnl_program **out, const rnl_cell_options *o, rnl_error *err) {
  static void (*const build[])(builder *) = {elman,  jordan, lstm,         lstm_peephole, lstm_layernorm,
                                             lstm97, gru,    gru_original, ctrnn,         esn};
  _Static_assert(sizeof build / sizeof *build == RNL_KIND_COUNT, "a builder each");
  *out = NULL;
  RNL_TRY(check(o, err));
  builder b = {.p = rnl_program_new(names[o->kind]), .o = o, .recurrent_row = -1, .h = -1, .gates = -1, .y = -1};
  if (!b.p) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a cell");
  b.x = rnl_program_sequence(b.p, o->input_size);
  if (o->dropout) b.x = times(&b, b.x, rnl_program_row(b.p, o->input_size));
  if (o->recurrent_dropout) b.recurrent_row = rnl_program_row(b.p, o->hidden_size);
  build[o->kind](&b);
  emit(&b);
  const rnl_status status = rnl_program_finish(b.p, err);
  if (status == RNL_OK) *out = b.p;
  else rnl_program_release(b.p);
  return status;
}
