/* rnn/program_lanes.c: the executor with the batch in SIMD lanes: one kernel call a segment and direction. Lists and
 * pointers are found once and again only when something they depend on has changed. */
#include <string.h>

#include "base/alloc.h"
#include "kernel/gemm.h"
#include "rnn/program_lanes.h"

/* Weights of at least so many elements are packed in the kernel's order before a pass. */
enum { PACK_FROM = 512 };
/* The gradients of weights at least so large take matrix products, a rule of the weight's size alone. */
enum { GEMM_ROWS = 8, GEMM_WIDTH = 16, GEMM_FROM = 400 };

/* A list with its pointers, and what they were found for. */
typedef struct bound_list {
  rnl_lane_op *op;
  rnl_lane_program program;
  int64_t first, steps;
  const void *key[RNL_PROGRAM_SEQUENCES * 2 + RNL_PROGRAM_OUTPUTS * 2 + RNL_PROGRAM_WEIGHTS + RNL_PROGRAM_STATES + 1];
  bool bound;
} bound_list;

typedef struct lanes {
  const rnl_lane_kernels *kernels;
  rnl_lane_list forward;
  int n_again;
  rnl_lane_backward backward;
  uint64_t backward_for; /* which gradients arrive and are wanted, as bits */
  bool has_backward;
  bound_list forward_bound, backward_bound, totals_bound;
  char *live;
  char *packed[2][RNL_PROGRAM_WEIGHTS]; /* [transposed]; NULL: not packed */
  size_t bytes;
} lanes;

static size_t element_size(const rnl_program_store *s) { return s->f64 ? sizeof(double) : sizeof(float); }

/* ---- making --------------------------------------------------------------------------------- */

static void *take(lanes *l, size_t count, size_t size, bool *failed) {
  void *memory = *failed ? NULL : rnl_alloc(count, size);
  if (!memory) *failed = true;
  else l->bytes += count * size;
  return memory;
}

/* Outputs the kernel computes side by side in an AFFINE of this width. */
static int64_t tile_of(const rnl_program_store *s, const lanes *l, int64_t width) {
  rnl_lane_op op = {.code = RNL_LANE_AFFINE, .batch = s->batch, .lanes = s->pitch, .width = width, .slope = -1};
  l->kernels->lane_bind(&op);
  return op.tile;
}

static void release(void *own) {
  lanes *l = own;
  if (!l) return;
  rnl_free(l->forward.item);
  rnl_free(l->backward.steps.item);
  rnl_free(l->backward.totals.item);
  rnl_free(l->forward_bound.op);
  rnl_free(l->backward_bound.op);
  rnl_free(l->totals_bound.op);
  rnl_free(l->live);
  for (int t = 0; t < 2; t++)
    for (int k = 0; k < RNL_PROGRAM_WEIGHTS; k++) rnl_free(l->packed[t][k]);
  rnl_free(l);
}

static rnl_status prepare(const rnl_program_store *s, const rnl_node *node, void **own, rnl_error *err) {
  (void)node;
  const rnl_program *p = s->program;
  lanes *l = *own = rnl_alloc(1, sizeof *l);
  if (!l) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a layer");
  l->kernels = rnl_lane_kernels_of(s->f64, s->batch);
  l->bytes = sizeof *l;
  bool failed = false;
  const size_t n_forward = (size_t)p->n_forward + RNL_LANE_EXTRA, n_backward = (size_t)p->n_backward + RNL_LANE_EXTRA;
  l->forward.item = take(l, n_forward, sizeof *l->forward.item, &failed);
  l->forward_bound.op = take(l, n_forward, sizeof *l->forward_bound.op, &failed);
  l->live = take(l, (size_t)s->pitch, element_size(s), &failed);
  if (s->gradients) {
    /* A value known to be zero may have to be stored after all: a fill each. */
    const size_t n_fills = (size_t)(p->n_values - p->n_forward_values) + n_backward;
    l->backward.steps.item = take(l, n_backward + n_fills, sizeof *l->backward.steps.item, &failed);
    l->backward.totals.item = take(l, n_backward, sizeof *l->backward.totals.item, &failed);
    l->backward_bound.op = take(l, n_backward + n_fills, sizeof *l->backward_bound.op, &failed);
    l->totals_bound.op = take(l, n_backward, sizeof *l->totals_bound.op, &failed);
  }
  for (int k = 0; k < p->n_weights; k++) {
    const rnl_program_value *w = &p->value[p->weight[k]];
    if (w->rows * w->width < PACK_FROM) continue;
    for (int t = 0; t < (s->gradients ? 2 : 1); t++) {
      const int64_t count = t ? w->width : w->rows, width = t ? w->rows : w->width, tile = tile_of(s, l, width);
      l->packed[t][k] = take(l, (size_t)(count * ((width + tile - 1) / tile) * tile), element_size(s), &failed);
    }
  }
  if (failed) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for layer %s", p->name);
  rnl_lanes_forward_list(s, &l->forward, &l->n_again);
  return RNL_OK;
}

static size_t bytes(const void *own) { return ((const lanes *)own)->bytes; }

/* ---- finding pointers ----------------------------------------------------------------------- */

static rnl_lane_place place_of(const rnl_program_store *s, rnl_lane_ref r, int64_t width, bool *scalar) {
  *scalar = false;
  if (r.value == -1) return (rnl_lane_place){0};
  const int64_t unit = r.width * s->pitch;
  if (r.value <= rnl_lane_final(0))
    return (rnl_lane_place){.data = s->final_grad[rnl_lane_final(0) - r.value], .stride = s->pitch};
  if (r.value < -1) {
    char *data = s->output[rnl_lane_output(0) - r.value];
    data += (size_t)(s->first * unit) * element_size(s);
    return (rnl_lane_place){.data = data, .step = unit, .stride = s->pitch};
  }
  const rnl_operand o = rnl_program_operand(s, r.value);
  rnl_lane_place place = {.data = o.data, .step = o.step, .stride = r.width == 1 && width > 1 ? 0 : o.stride};
  *scalar = !o.per_sequence;
  if (o.data && o.per_sequence) place.data = o.data + (size_t)(r.start * s->pitch) * element_size(s);
  return place;
}

static void bind_term(const rnl_program_store *s, const lanes *l, const rnl_lane_item *item, int k, int64_t tile,
                      rnl_lane_term *term) {
  const rnl_program_value *w = &s->program->value[item->term[k].weight];
  const bool transposed = item->term[k].transposed;
  bool scalar;
  const rnl_lane_place source = place_of(s, item->term[k].source, item->term[k].source.width, &scalar);
  *term = (rnl_lane_term){.source = source.data, .step = source.step, .count = item->term[k].source.width};
  const char *packed = l->packed[transposed][w->index];
  if (packed) {
    term->weight = packed;
    term->row = tile;
    term->column = 1;
    term->panel = term->count * tile;
  } else {
    term->weight = s->weight_data[w->index];
    term->row = transposed ? 1 : w->width;
    term->column = transposed ? w->width : 1;
    term->panel = term->column * tile;
  }
}

static void bind_item(const rnl_program_store *s, const lanes *l, const rnl_lane_item *item, rnl_lane_op *op,
                      const rnl_lane_program *program) {
  int64_t width = item->out[0].width;
  if (item->code == RNL_LANE_LSTM || item->code == RNL_LANE_GRU) width = item->out[1].width;
  if (item->code == RNL_LANE_LSTM_GRAD) width = item->out[1].width;
  if (item->code == RNL_LANE_GRU_GRAD) width = item->out[2].width;
  *op = (rnl_lane_op){.batch = s->batch, .lanes = s->pitch, .width = width, .program = program, .code = item->code,
                      .kind = item->kind, .slope = item->slope, .side = item->side, .add = item->add,
                      .masked = item->masked, .n_terms = item->n_terms};
  for (int k = 0; k < RNL_LANE_INS; k++) {
    bool scalar;
    op->in[k] = place_of(s, item->in[k], width, &scalar);
    if (scalar) op->scalars |= 1u << k;
  }
  for (int k = 0; k < RNL_LANE_OUTS; k++) {
    bool scalar;
    op->out[k] = place_of(s, item->out[k], item->out[k].width, &scalar);
  }
  op->count = item->in[0].width;
  if (item->code == RNL_LANE_SUM) op->in[0].stride = s->pitch;
  if (item->code == RNL_LANE_TOTAL) op->count = s->steps;
  l->kernels->lane_bind(op); /* the tile */
  for (int k = 0; k < item->n_terms; k++) bind_term(s, l, item, k, op->tile, &op->term[k]);
  l->kernels->lane_bind(op);
}

/* Pointers anew if the segment or a tensor that is not the store's own has moved. */
static void bind_list(const rnl_program_store *s, const lanes *l, const rnl_lane_list *list, bound_list *bound,
                      bool backward) {
  const rnl_program *p = s->program;
  const void *key[sizeof bound->key / sizeof *bound->key] = {0};
  int n = 0;
  key[n++] = backward ? s->passing : NULL;
  for (int k = 0; k < p->n_sequences; k++) {
    key[n++] = rnl_tensor_data(&s->sequence[k]);
    key[n++] = backward && s->sequence_grad[k].storage ? rnl_tensor_data(&s->sequence_grad[k]) : NULL;
  }
  for (int k = 0; k < p->n_outputs; k++) {
    key[n++] = s->output[k];
    key[n++] = backward ? s->arriving[k] : NULL;
  }
  for (int k = 0; k < p->n_weights; k++) key[n++] = s->weight_data[k];
  for (int k = 0; k < p->n_states; k++) key[n++] = backward ? s->final_grad[k] : NULL;
  rnl_lane_program *program = &bound->program;
  program->min_length = s->min_length;
  program->lengths = s->lengths;
  if (bound->bound && bound->first == s->first && bound->steps == s->steps && memcmp(key, bound->key, sizeof key) == 0)
    return;
  memcpy(bound->key, key, sizeof key);
  bound->first = s->first;
  bound->steps = s->steps;
  bound->bound = true;
  *program = (rnl_lane_program){.op = bound->op, .n = list->n, .backward = backward, .batch = s->batch,
                                .lanes = s->pitch, .steps = s->steps, .first = s->first, .lengths = s->lengths,
                                .min_length = s->min_length, .live = l->live};
  for (int i = 0; i < list->n; i++) bind_item(s, l, &list->item[i], &bound->op[i], program);
}

/* ---- running -------------------------------------------------------------------------------- */

static void pack_weights(const rnl_program_store *s, lanes *l, bool transposed) {
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_weights; k++) {
    const rnl_program_value *w = &p->value[p->weight[k]];
    char *packed = l->packed[transposed][k];
    if (!packed) continue;
    const int64_t count = transposed ? w->width : w->rows, width = transposed ? w->rows : w->width;
    l->kernels->lane_pack(count, width, tile_of(s, l, width), s->weight_data[k], transposed ? 1 : w->width,
                          transposed ? w->width : 1, packed);
  }
}

static void begin(const rnl_program_store *s, void *own) {
  pack_weights(s, own, false);
}

static void forward(const rnl_program_store *s, void *own, bool recompute) {
  lanes *l = own;
  bind_list(s, l, &l->forward, &l->forward_bound, false);
  l->forward_bound.program.n = recompute ? l->n_again : l->forward.n;
  l->kernels->lane_program(&l->forward_bound.program);
}

static uint64_t gradients_there(const rnl_program_store *s) {
  const rnl_program *p = s->program;
  uint64_t bits = 0;
  for (int k = 0; k < p->n_outputs; k++) bits = bits << 1 | (s->arriving[k] != NULL);
  for (int k = 0; k < p->n_sequences; k++) bits = bits << 1 | (s->sequence_grad[k].storage != NULL);
  for (int k = 0; k < p->n_weights; k++) bits = bits << 1 | s->weight_wanted[k];
  for (int k = 0; k < p->n_states; k++) bits = bits << 1 | (s->final_grad[k] != NULL);
  _Static_assert(RNL_PROGRAM_OUTPUTS + RNL_PROGRAM_SEQUENCES + RNL_PROGRAM_WEIGHTS + RNL_PROGRAM_STATES <= 64,
                 "a bit each");
  return bits;
}

static void backward(const rnl_program_store *s, void *own) {
  lanes *l = own;
  const uint64_t there = gradients_there(s);
  if (!l->has_backward || there != l->backward_for) {
    rnl_lanes_backward_list(s, &l->backward);
    l->has_backward = true;
    l->backward_for = there;
    l->backward_bound.bound = l->totals_bound.bound = false;
  }
  if (s->first + s->steps == s->time) pack_weights(s, l, true);
  bind_list(s, l, &l->backward.steps, &l->backward_bound, true);
  l->kernels->lane_program(&l->backward_bound.program);
  bind_list(s, l, &l->backward.totals, &l->totals_bound, true);
  for (int k = 0; k < l->backward.totals.n; k++) l->totals_bound.op[k].run(&l->totals_bound.op[k], 0);
}

static rnl_operand operand_of(const rnl_program_store *s, const lanes *l, int value) {
  const rnl_program *p = s->program;
  const int base = rnl_program_base(p, value);
  const rnl_lane_ref instead = l->backward.instead[base];
  if (instead.value < 0) return rnl_program_operand(s, value);
  rnl_operand o = rnl_program_operand(s, instead.value);
  o.data += (size_t)((instead.start + p->value[value].start) * s->pitch) * element_size(s);
  o.width = p->value[value].width;
  return o;
}

/* Sums of outer products: of a small weight in lanes, else one matrix product a step, along the sequences. */
static void product(const rnl_program_store *s, void *own, const rnl_program_product *product, void *into, bool add) {
  const lanes *l = own;
  const rnl_operand a = rnl_program_operand(s, product->source), b = operand_of(s, l, product->gradient);
  const bool zero = l->backward.zero[rnl_program_base(s->program, product->gradient)];
  if (zero || a.width < GEMM_ROWS || b.width < GEMM_WIDTH || a.width * b.width < GEMM_FROM) {
    l->kernels->lane_outer_steps(s->batch, s->pitch, zero ? 0 : s->steps, a.width, b.width, a.data, a.step, b.data,
                                 b.step, into, add);
    return;
  }
  for (int64_t t = 0; t < s->steps; t++) {
    const size_t size = element_size(s);
    rnl_gemm(s->f64, false, true, a.width, b.width, s->batch, a.data + (size_t)(t * a.step) * size, s->pitch,
             b.data + (size_t)(t * b.step) * size, s->pitch, add || t > 0, into, b.width);
  }
}

const rnl_program_executor rnl_program_lanes = {
    .lanes = true, .prepare = prepare, .release = release, .bytes = bytes, .begin = begin,
    .forward = forward, .backward = backward, .product = product};
