/* rnn/program_lanes_list.c: from a program's instruction lists to the kernel's: what needs no computing is left out,
 * and neighbours that one instruction of the kernel can do together are joined. */
#include <string.h>

#include "rnn/program_lanes.h"

static const rnl_lane_ref none = {.value = -1};

static rnl_lane_ref ref_of(const rnl_program *p, int v) {
  if (v < 0) return none;
  const rnl_program_value *value = &p->value[v];
  return (rnl_lane_ref){.value = rnl_program_base(p, v), .start = value->start, .width = value->width};
}
static rnl_lane_ref whole(const rnl_program *p, int v) {
  return (rnl_lane_ref){.value = v, .width = p->value[v].width};
}

static rnl_lane_item empty_item(rnl_lane_code code) {
  rnl_lane_item item = {.code = code, .slope = -1};
  for (int k = 0; k < RNL_LANE_INS; k++) item.in[k] = none;
  for (int k = 0; k < RNL_LANE_OUTS; k++) item.out[k] = none;
  return item;
}

static rnl_lane_item item_of(const rnl_program *p, const rnl_instruction *i) {
  static const rnl_lane_code code_of[] = {
      [RNL_OP_AFFINE] = RNL_LANE_AFFINE, [RNL_OP_UNARY] = RNL_LANE_UNARY, [RNL_OP_BINARY] = RNL_LANE_BINARY,
      [RNL_OP_SUM] = RNL_LANE_SUM, [RNL_OP_LSTM] = RNL_LANE_LSTM, [RNL_OP_GRU] = RNL_LANE_GRU,
      [RNL_OP_UNARY_GRAD] = RNL_LANE_UNARY_GRAD, [RNL_OP_BINARY_GRAD] = RNL_LANE_BINARY_GRAD,
      [RNL_OP_LSTM_GRAD] = RNL_LANE_LSTM_GRAD, [RNL_OP_GRU_GRAD] = RNL_LANE_GRU_GRAD};
  _Static_assert(sizeof code_of / sizeof *code_of == RNL_OP_COUNT, "a code each");
  rnl_lane_item item = empty_item(code_of[i->op]);
  item.kind = i->kind;
  item.side = i->side;
  item.add = i->add;
  for (int k = 0; k < RNL_LANE_INS; k++) item.in[k] = ref_of(p, i->in[k]);
  for (int k = 0; k < RNL_LANE_OUTS; k++) item.out[k] = ref_of(p, i->out[k]);
  item.n_terms = i->n_terms;
  for (int k = 0; k < i->n_terms; k++) {
    item.term[k].source = ref_of(p, i->term[k].source);
    item.term[k].weight = i->term[k].weight;
    item.term[k].transposed = i->term[k].transposed;
  }
  return item;
}

static void append(rnl_lane_list *list, const rnl_lane_item *item) { list->item[list->n++] = *item; }
static void drop(rnl_lane_list *list, int at) {
  memmove(&list->item[at], &list->item[at + 1], (size_t)(list->n - at - 1) * sizeof *list->item);
  list->n--;
}

/* ---- who touches what ----------------------------------------------------------------------- */

static bool overlap(rnl_lane_ref a, rnl_lane_ref b) {
  return a.value >= 0 && a.value == b.value && a.start < b.start + b.width && b.start < a.start + a.width;
}
static bool same(rnl_lane_ref a, rnl_lane_ref b) {
  return a.value == b.value && a.start == b.start && a.width == b.width;
}
static bool reads(const rnl_lane_item *item, rnl_lane_ref what) {
  for (int k = 0; k < RNL_LANE_INS; k++)
    if (overlap(item->in[k], what)) return true;
  for (int k = 0; k < item->n_terms; k++)
    if (overlap(item->term[k].source, what)) return true;
  return item->add && overlap(item->out[0], what);
}
static bool writes(const rnl_lane_item *item, rnl_lane_ref what) {
  for (int k = 0; k < RNL_LANE_OUTS; k++)
    if (overlap(item->out[k], what)) return true;
  return false;
}
static bool written_between(const rnl_lane_list *list, int after, int before, rnl_lane_ref what) {
  for (int m = after + 1; m < before; m++)
    if (writes(&list->item[m], what)) return true;
  return false;
}
static bool in_product(const rnl_program *p, int value) {
  for (int m = 0; m < p->n_products; m++)
    if (rnl_program_base(p, p->product[m].gradient) == value) return true;
  return false;
}

static bool is_elementwise(rnl_lane_code code) {
  return code == RNL_LANE_UNARY || code == RNL_LANE_BINARY || code == RNL_LANE_UNARY_GRAD ||
         code == RNL_LANE_BINARY_GRAD;
}
static bool per_sequence(const rnl_program *p, rnl_lane_ref r) {
  return r.value >= 0 && p->value[r.value].kind != RNL_VALUE_WEIGHT && p->value[r.value].kind != RNL_VALUE_CONSTANT;
}

/* ---- forward -------------------------------------------------------------------------------- */

/* Whether the kernel can write zeros into out[k] by itself; of an LSTM into both states or neither. */
static bool can_mask(const rnl_program *p, const rnl_lane_item *item, int k) {
  switch (item->code) {
    case RNL_LANE_AFFINE: return true;
    case RNL_LANE_GRU: return k == 1;
    case RNL_LANE_LSTM:
      return k > 0 && p->value[item->out[1].value].state >= 0 && p->value[item->out[2].value].state >= 0;
    default: return false;
  }
}

/* The next state is to be zero where a sequence has ended: what writes it does that if it can. */
static void mask_next(const rnl_program *p, rnl_lane_list *list, rnl_lane_ref next) {
  int last = list->n - 1;
  while (last > 0 && !writes(&list->item[last], next)) last--;
  rnl_lane_item *item = &list->item[last];
  for (int k = 0; k < RNL_LANE_OUTS; k++)
    if (same(item->out[k], next) && can_mask(p, item, k)) {
      item->masked = true;
      return;
    }
  rnl_lane_item live = empty_item(RNL_LANE_LIVE);
  live.out[0] = next;
  append(list, &live);
}

void rnl_lanes_forward_list(const rnl_program_store *s, rnl_lane_list *list, int *n_again) {
  const rnl_program *p = s->program;
  list->n = 0;
  for (int i = 0; i < p->n_forward; i++) {
    const rnl_lane_item item = item_of(p, &p->forward[i]);
    append(list, &item);
  }
  for (int k = 0; k < p->n_states && s->lengths; k++) mask_next(p, list, whole(p, p->next[k]));
  *n_again = list->n;
  for (int k = 0; k < p->n_outputs; k++) {
    if (s->output_aliased[k]) continue;
    rnl_lane_item copy = empty_item(RNL_LANE_UNARY);
    copy.kind = RNL_UNARY_COPY;
    copy.in[0] = copy.out[0] = whole(p, p->output[k]);
    copy.out[0].value = rnl_lane_output(k);
    append(list, &copy);
  }
}

/* ---- backward: leaving out zeros ------------------------------------------------------------ */

typedef struct builder {
  const rnl_program_store *s;
  const rnl_program *p;
  rnl_lane_list *list;
  bool *zero;
} builder;

static bool is_whole(const rnl_program *p, rnl_lane_ref r) {
  return r.start == 0 && r.width == p->value[r.value].width;
}

static bool is_zero(const builder *b, rnl_lane_ref r) {
  if (r.value < 0) return false;
  const rnl_program_value *value = &b->p->value[r.value];
  return b->zero[r.value] || (value->kind == RNL_VALUE_ARRIVING && !b->s->arriving[value->index]);
}

static void fill(builder *b, rnl_lane_ref out) {
  rnl_lane_item item = empty_item(RNL_LANE_UNARY);
  item.kind = RNL_UNARY_COPY;
  item.out[0] = out;
  append(b->list, &item);
}
/* Zeros of a value that is to be read or partly written after all. */
static void store_zeros(builder *b, rnl_lane_ref r) {
  if (r.value < 0 || !b->zero[r.value]) return;
  fill(b, whole(b->p, r.value));
  b->zero[r.value] = false;
}

static void write_zeros(builder *b, const rnl_lane_item *item) {
  const rnl_lane_ref out = item->out[0];
  if (item->add) return;
  if (is_whole(b->p, out) && b->p->value[out.value].kind == RNL_VALUE_STEP) b->zero[out.value] = true;
  else fill(b, out);
}

/* Whether the item's result is zero because of what it reads; terms that are zero are taken out. */
static bool comes_to_zero(const builder *b, rnl_lane_item *item) {
  switch (item->code) {
    case RNL_LANE_UNARY:
      return is_zero(b, item->in[0]) && (item->kind == RNL_UNARY_COPY || item->kind == RNL_UNARY_NEG);
    case RNL_LANE_BINARY:
      return (is_zero(b, item->in[0]) && (item->kind == RNL_BINARY_MUL || item->kind == RNL_BINARY_DIV)) ||
             (is_zero(b, item->in[1]) && item->kind == RNL_BINARY_MUL);
    case RNL_LANE_UNARY_GRAD:
    case RNL_LANE_BINARY_GRAD:
    case RNL_LANE_SUM: return is_zero(b, item->in[0]);
    case RNL_LANE_AFFINE:
      for (int k = item->n_terms - 1; k >= 0; k--)
        if (is_zero(b, item->term[k].source)) item->term[k] = item->term[--item->n_terms];
      if (is_zero(b, item->in[0])) item->in[0] = none;
      return item->n_terms == 0 && item->in[0].value == -1 && item->kind == RNL_ACT_LINEAR;
    case RNL_LANE_LSTM_GRAD:
      for (int k = 3; k <= 4; k++)
        if (is_zero(b, item->in[k])) item->in[k] = none;
      return false;
    default: return false;
  }
}

static bool unwanted(const rnl_program_store *s, rnl_lane_ref out) {
  const rnl_program_value *value = &s->program->value[out.value];
  return (value->kind == RNL_VALUE_SEQUENCE_GRAD && !s->sequence_grad[value->index].storage) ||
         (value->kind == RNL_VALUE_WEIGHT_GRAD && !s->weight_wanted[value->index]);
}

static void build(builder *b, const rnl_instruction *i) {
  rnl_lane_item item = item_of(b->p, i);
  if (unwanted(b->s, item.out[0])) return;
  if (comes_to_zero(b, &item)) {
    write_zeros(b, &item);
    return;
  }
  for (int k = 0; k < RNL_LANE_INS; k++) store_zeros(b, item.in[k]);
  for (int k = 0; k < item.n_terms; k++) store_zeros(b, item.term[k].source);
  for (int k = 0; k < RNL_LANE_OUTS; k++) {
    const rnl_lane_ref out = item.out[k];
    if (out.value < 0 || !b->zero[out.value]) continue;
    if (!is_whole(b->p, out)) store_zeros(b, out);
    else item.add = b->zero[out.value] = false;
  }
  append(b->list, &item);
}

/* ---- backward: joining ---------------------------------------------------------------------- */

/* Whether a value of each step is still there when the segment is done. */
static bool stays(const rnl_program_store *s, rnl_lane_ref r) {
  if (r.value < 0) return false;
  const rnl_value_kind kind = s->program->value[r.value].kind;
  return kind == RNL_VALUE_ARRIVING || (kind == RNL_VALUE_STEP && s->step_kept[r.value]);
}

/* A copy of a gradient need not be made if the original is unchanged whenever the copy is read. */
static bool needless_copy(const rnl_program_store *s, const rnl_lane_list *list, int at) {
  const rnl_program *p = s->program;
  const rnl_lane_item *copy = &list->item[at];
  const rnl_lane_ref in = copy->in[0], out = copy->out[0];
  if (copy->code != RNL_LANE_UNARY || copy->kind != RNL_UNARY_COPY || copy->add || in.value < 0 ||
      in.width != out.width || !is_whole(p, out) || p->value[out.value].kind != RNL_VALUE_STEP)
    return false;
  const rnl_value_kind kind = p->value[in.value].kind;
  const bool own = kind == RNL_VALUE_STEP && in.value >= p->n_forward_values;
  if (kind != RNL_VALUE_ARRIVING && kind != RNL_VALUE_STATE_GRAD && !own) return false;
  for (int m = 0; m < list->n; m++)
    if (m != at && writes(&list->item[m], out)) return false;
  if (in_product(p, out.value) && !(stays(s, in) && !written_between(list, at, list->n, in))) return false;
  for (int m = at + 1; m < list->n; m++) {
    const rnl_lane_item *reader = &list->item[m];
    if (!reads(reader, out)) continue;
    if (written_between(list, at, m, in)) return false;
    if (!writes(reader, in)) continue;
    if (!is_elementwise(reader->code)) return false; /* else a feature is read before it is written */
    for (int k = 0; k < RNL_LANE_INS; k++) {
      rnl_lane_ref moved = reader->in[k];
      if (!overlap(moved, out)) continue;
      moved.value = in.value;
      moved.start += in.start;
      if (!same(moved, reader->out[0])) return false;
    }
  }
  return true;
}

static void redirect(rnl_lane_ref *r, rnl_lane_ref from, rnl_lane_ref to) {
  if (r->value != from.value) return;
  r->value = to.value;
  r->start += to.start;
}
static void leave_out_copies(const rnl_program_store *s, rnl_lane_backward *b) {
  rnl_lane_list *list = &b->steps;
  for (int at = 0; at < list->n; at++) {
    if (!needless_copy(s, list, at)) continue;
    const rnl_lane_ref in = list->item[at].in[0], out = list->item[at].out[0];
    drop(list, at--);
    for (int m = 0; m < list->n; m++) {
      for (int k = 0; k < RNL_LANE_INS; k++) redirect(&list->item[m].in[k], out, in);
      for (int k = 0; k < list->item[m].n_terms; k++) redirect(&list->item[m].term[k].source, out, in);
    }
    for (int v = 0; v < s->program->n_values; v++) redirect(&b->instead[v], out, in);
    b->instead[out.value] = in;
  }
}

/* out (+)= g, then out += affine: one AFFINE that begins with g. */
static void join_addends(const rnl_program_store *s, rnl_lane_list *list) {
  for (int at = 0; at < list->n; at++) {
    const rnl_lane_item *copy = &list->item[at];
    const rnl_lane_ref out = copy->out[0];
    if (copy->code != RNL_LANE_UNARY || copy->kind != RNL_UNARY_COPY ||
        !per_sequence(s->program, copy->in[0]) || copy->in[0].width != out.width)
      continue;
    int m = at + 1;
    while (m < list->n && !reads(&list->item[m], out) && !writes(&list->item[m], out)) m++;
    rnl_lane_item *affine = &list->item[m];
    if (m == list->n || affine->code != RNL_LANE_AFFINE || !affine->add || affine->kind != RNL_ACT_LINEAR ||
        affine->in[0].value != -1 || !same(affine->out[0], out) || written_between(list, at, m, copy->in[0]))
      continue;
    affine->in[0] = copy->in[0];
    affine->add = copy->add;
    drop(list, at--);
  }
}

/* Whether what `r` holds after item `at` is never read. */
static bool dead_after(const rnl_program *p, const rnl_lane_list *list, int at, rnl_lane_ref r) {
  if (in_product(p, r.value)) return false;
  const rnl_lane_ref all = whole(p, r.value);
  for (int m = at + 1; m < list->n; m++) {
    if (reads(&list->item[m], all)) return false;
    for (int k = 0; k < RNL_LANE_OUTS; k++)
      if (same(list->item[m].out[k], all)) return true;
    if (writes(&list->item[m], all)) return false;
  }
  return p->value[r.value].kind == RNL_VALUE_STEP; /* a step begins without any */
}

/* G (+)= affine, dz = G f': one AFFINE with f' behind it, where nobody else reads G. */
static void join_slopes(const rnl_program_store *s, rnl_lane_list *list) {
  for (int at = 0; at + 1 < list->n; at++) {
    rnl_lane_item *affine = &list->item[at];
    const rnl_lane_item slope = list->item[at + 1];
    const rnl_lane_ref g = affine->out[0];
    if (affine->code != RNL_LANE_AFFINE || affine->kind != RNL_ACT_LINEAR || slope.code != RNL_LANE_UNARY_GRAD ||
        slope.add || !same(slope.in[0], g) || slope.out[0].width != g.width || !dead_after(s->program, list, at + 1, g))
      continue;
    bool fits = true;
    for (int k = 1; k <= 2; k++)
      if (slope.in[k].value >= 0) fits = fits && per_sequence(s->program, slope.in[k]) && slope.in[k].width == g.width;
    if (!fits) continue;
    if (affine->add) affine->in[3] = g;
    affine->add = false;
    affine->slope = slope.kind;
    affine->in[1] = slope.in[1];
    affine->in[2] = slope.in[2];
    affine->out[0] = slope.out[0];
    drop(list, at + 1);
  }
}

/* Sums over steps of gradients that are kept anyway are taken at the end, in registers. */
static void set_apart_totals(const rnl_program_store *s, rnl_lane_backward *b) {
  rnl_lane_list *list = &b->steps;
  for (int at = 0; at < list->n; at++) {
    const rnl_lane_item *item = &list->item[at];
    if (item->code != RNL_LANE_UNARY || item->kind != RNL_UNARY_COPY || !item->add ||
        s->program->value[item->out[0].value].kind != RNL_VALUE_WEIGHT_GRAD ||
        item->in[0].width != item->out[0].width || !stays(s, item->in[0]) ||
        written_between(list, at, list->n, item->in[0]))
      continue;
    append(&b->totals, item);
    b->totals.item[b->totals.n - 1].code = RNL_LANE_TOTAL;
    drop(list, at--);
  }
}

void rnl_lanes_backward_list(const rnl_program_store *s, rnl_lane_backward *b) {
  const rnl_program *p = s->program;
  builder into = {.s = s, .p = p, .list = &b->steps, .zero = b->zero};
  b->steps.n = b->totals.n = 0;
  memset(b->zero, 0, sizeof b->zero);
  for (int v = 0; v < RNL_PROGRAM_VALUES; v++) b->instead[v] = none;
  for (int v = p->n_forward_values; v < p->n_values && s->lengths; v++) {
    if (p->value[v].kind != RNL_VALUE_STATE_GRAD || !s->final_grad[p->value[v].index]) continue;
    rnl_lane_item item = empty_item(RNL_LANE_FINAL);
    item.out[0] = whole(p, v);
    item.in[0] = (rnl_lane_ref){.value = rnl_lane_final(p->value[v].index), .width = item.out[0].width};
    append(&b->steps, &item);
  }
  for (int i = 0; i < p->n_backward; i++) build(&into, &p->backward[i]);
  leave_out_copies(s, b);
  join_addends(s, &b->steps);
  join_slopes(s, &b->steps);
  set_apart_totals(s, b);
}
