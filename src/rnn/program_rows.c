/* rnn/program_rows.c: the executor of the large regime: matrix products over [batch][width] with weights packed once a
 * pass, elementwise instructions between them. The batch's rows are divided over threads in blocks of ROW_BLOCK, each
 * block through all steps; only the products for a whole chunk are divided otherwise, with a barrier before and after.
 * No number depends on the division. */
#include <string.h>

#include "grad/op.h"
#include "kernel/gemm.h"
#include "kernel/packed.h"
#include "kernel/row_op.h"
#include "rnn/program_rows.h"

_Static_assert((int)RNL_OP_GRU_GRAD == (int)RNL_ROW_GRU_GRAD && (int)RNL_OP_UNARY == (int)RNL_ROW_UNARY &&
                   (int)RNL_OP_UNARY_GRAD == (int)RNL_ROW_UNARY_GRAD && (int)RNL_OP_LSTM == (int)RNL_ROW_LSTM,
               "the codes are numbered alike");

enum { ROW_BLOCK = 8 }; /* rows whose share of a bias gradient is summed together */

/* A pass under way, on one thread: rows row .. row + rows - 1 of the batch, steps from .. from + steps - 1 (local
 * to the segment) of the chunk. */
typedef struct pass {
  const rnl_program_store *s;
  rows_own *o;
  bool backward, recompute;
  int index, count;
  int64_t row, rows, from, steps;
} pass;

static int64_t size_of(const pass *w) { return w->s->f64 ? (int64_t)sizeof(double) : (int64_t)sizeof(float); }

/* ---- operands ------------------------------------------------------------------------------- */

/* Value v at local step t, from batch row `row` on. */
static rnl_row_operand operand(const pass *w, int v, int64_t t, int64_t row) {
  if (v < 0) return (rnl_row_operand){0};
  const rnl_program *p = w->s->program;
  const int base = rnl_program_base(p, v);
  rnl_operand o = rnl_program_operand(w->s, v);
  if (w->o->place[base]) { /* in the chunk's buffer */
    o.data = w->o->place[base] + p->value[v].start * (base != v) * size_of(w);
    o.step = p->value[base].width * w->s->batch;
    t -= w->from;
  }
  if (!o.data) return (rnl_row_operand){0};
  if (!o.per_sequence)
    return (rnl_row_operand){.data = o.data, .form = o.width == 1 ? RNL_ROW_NUMBER : RNL_ROW_SHARED};
  return (rnl_row_operand){.data = o.data + (t * o.step + row * o.stride) * size_of(w), .stride = o.stride,
                           .form = o.width == 1 ? RNL_ROW_ONE : RNL_ROW_EACH};
}

static void clear_row(const pass *w, int v, int64_t t, int64_t row) {
  const rnl_row_operand o = operand(w, v, t, row);
  memset(o.data, 0, (size_t)(w->s->program->value[v].width * size_of(w)));
}

/* The number of sequences that go on at step `time` is not of rows in a row: a mask each. */
static bool ended(const rnl_program_store *s, int64_t row, int64_t time) {
  return s->lengths && time >= s->lengths[row];
}

static void run_row_op(const pass *w, const rnl_row_op *op) { rnl_kernels_of(w->s->f64)->row_op(op); }

static int64_t units_of(const rnl_program *p, const rnl_instruction *f) {
  const int64_t width = p->value[f->out[0]].width;
  switch (f->op) {
    case RNL_OP_SUM: return p->value[f->in[0]].width;
    case RNL_OP_LSTM:
    case RNL_OP_LSTM_GRAD: return width / 4;
    case RNL_OP_GRU:
    case RNL_OP_GRU_GRAD: return width / 3;
    default: return width;
  }
}

/* An elementwise instruction at local step t on rows row .. row + rows - 1. */
static void on_rows(const pass *w, const rnl_instruction *f, int64_t t, int64_t row, int64_t rows) {
  const rnl_program *p = w->s->program;
  rnl_row_op op = {.code = (rnl_row_code)f->op, .kind = f->kind, .side = f->side, .add = f->add, .rows = rows,
                   .width = units_of(p, f)};
  for (int k = 0; k < 3; k++) op.out[k] = operand(w, f->out[k], t, row);
  if (!op.out[0].data) return; /* a gradient that nobody wants */
  for (int k = 0; k < 5; k++) op.in[k] = operand(w, f->in[k], t, row);
  if (p->value[rnl_program_base(p, f->out[0])].kind == RNL_VALUE_WEIGHT_GRAD) op.fold = ROW_BLOCK;
  run_row_op(w, &op);
}

/* The same on the pass's rows. Sequences that have ended are left out, and what they would have written is zero: a cell
 * may divide zero by zero there, and a product sums over all rows. Sums over rows take all, of zeros. */
static void elementwise(const pass *w, const rnl_instruction *f, int64_t t) {
  const rnl_program *p = w->s->program;
  const int64_t time = w->s->first + t, last = w->row + w->rows;
  if (!w->s->lengths || time < w->s->min_length ||
      p->value[rnl_program_base(p, f->out[0])].kind == RNL_VALUE_WEIGHT_GRAD) {
    on_rows(w, f, t, w->row, w->rows);
    return;
  }
  for (int64_t r = w->row, end; r < last; r = end) {
    const bool over = ended(w->s, r, time);
    for (end = r + 1; end < last && ended(w->s, end, time) == over; end++) {}
    if (!over) on_rows(w, f, t, r, end - r);
    for (int k = 0; over && !f->add && k < 3; k++)
      for (int64_t i = r; f->out[k] >= 0 && operand(w, f->out[k], t, r).data && i < end; i++)
        clear_row(w, f->out[k], t, i);
  }
}

/* ---- products ------------------------------------------------------------------------------- */

/* What the step before local step t, the next of a backward pass, reads of these rows. */
static rnl_fetch wanted_next(const pass *w, int64_t t) {
  rnl_fetch fetch = {0};
  for (int k = 0; k < w->o->n_fetched && fetch.count < RNL_FETCH_PARTS && t > 0; k++) {
    const rnl_row_operand o = operand(w, w->o->fetched[k], t - 1, w->row);
    if (!o.data) continue;
    fetch.part[fetch.count].from = o.data;
    fetch.part[fetch.count++].bytes = w->rows * o.stride * size_of(w);
  }
  return fetch;
}

/* out (+)= bias + sum of the terms wanted, for rows of one step. `started`: out already holds what they are added
 * to. */
static void step_products(const pass *w, const rows_instruction *r, int64_t t, bool started) {
  const rnl_instruction *f = r->f;
  const rnl_program *p = w->s->program;
  const rnl_row_operand out = operand(w, f->out[0], t, w->row);
  const int64_t width = p->value[f->out[0]].width;
  const void *bias = NULL;
  if (!started && !f->add && f->in[0] >= 0) {
    const rnl_row_operand init = operand(w, f->in[0], t, w->row);
    if (init.form == RNL_ROW_SHARED) {
      bias = init.data;
    } else {
      const rnl_row_op copy = {.code = RNL_ROW_UNARY,
                               .kind = RNL_UNARY_COPY,
                               .rows = w->rows,
                               .width = width,
                               .out = {out},
                               .in = {init}};
      run_row_op(w, &copy);
      started = true;
    }
  }
  bool add = started || f->add;
  rnl_fetch fetch = {0};
  if (r == w->o->fetching) fetch = wanted_next(w, t);
  for (int k = 0; k < f->n_terms; k++) {
    if (r->hoists && r->hoisted[k]) continue;
    const rnl_row_operand source = operand(w, f->term[k].source, t, w->row);
    const rows_pack *pack = &w->o->pack[r->pack[k]];
    if (pack->sparse)
      rnl_sparse_gemm(w->s->f64, w->rows, width, pack->k, source.data, source.stride, pack->data, add,
                      add ? NULL : bias, out.data, out.stride);
    else
      rnl_packed_gemm_fetch(w->s->f64, w->rows, width, pack->k, source.data, source.stride, pack->data, add,
                            add ? NULL : bias, out.data, out.stride, &fetch);
    fetch.count = 0;
    add = true;
  }
}

static void run_affine(const pass *w, const rows_instruction *r, int64_t t) {
  const rnl_instruction *f = r->f;
  const rnl_program *p = w->s->program;
  const rnl_row_operand out = operand(w, f->out[0], t, w->row);
  if (!out.data) return;
  const int64_t width = p->value[f->out[0]].width;
  rnl_row_operand late_start = {0}; /* an initial value that could not be there ahead */
  if (r->hoists) {
    if (r->ahead && !w->o->place[f->out[0]]) { /* the chunk's part lies apart */
      const rnl_row_operand part = {.data = r->ahead + ((t - w->from) * w->s->batch + w->row) * width * size_of(w),
                                    .stride = width};
      const rnl_row_op copy = {.code = RNL_ROW_UNARY,
                               .kind = RNL_UNARY_COPY,
                               .add = f->add,
                               .rows = w->rows,
                               .width = width,
                               .out = {out},
                               .in = {part}};
      run_row_op(w, &copy);
    }
    if (f->in[0] >= 0 && p->value[f->in[0]].kind != RNL_VALUE_WEIGHT) late_start = operand(w, f->in[0], t, w->row);
  }
  step_products(w, r, t, r->hoists);
  if (f->kind == RNL_ACT_LINEAR && !late_start.data) return;
  const rnl_row_op act = {
      .code = RNL_ROW_ACTIVATE, .kind = f->kind, .rows = w->rows, .width = width, .out = {out}, .in = {late_start}};
  run_row_op(w, &act);
}

/* This thread's part of a product over all of the chunk's rows. */
static void chunk_product(const pass *w, const rows_pack *pack, int64_t width, rnl_row_operand source, bool add,
                          const void *bias, void *into, int64_t ldc) {
  (pack->sparse ? rnl_sparse_gemm_part : rnl_packed_gemm_part)(
      w->s->f64, w->index, w->count, w->steps * w->s->batch, width, pack->k, source.data, source.stride, pack->data,
      add, add ? NULL : bias, into, ldc);
}

/* This thread's part of the chunk's terms of an instruction that hoists some. */
static void products_ahead(const pass *w, const rows_instruction *r) {
  const rnl_instruction *f = r->f;
  const rnl_program *p = w->s->program;
  const int64_t width = p->value[f->out[0]].width;
  const rnl_row_operand out = operand(w, f->out[0], w->from, 0);
  if (!out.data) return;
  char *into = r->ahead ? r->ahead : out.data;
  const int64_t ldc = r->ahead ? width : out.stride;
  const bool bias_first = !f->add && f->in[0] >= 0 && p->value[f->in[0]].kind == RNL_VALUE_WEIGHT;
  const void *bias = bias_first ? operand(w, f->in[0], 0, 0).data : NULL;
  bool add = false;
  for (int k = 0; k < f->n_terms; k++) {
    if (!r->hoisted[k]) continue;
    const rnl_row_operand source = operand(w, f->term[k].source, w->from, 0);
    const rows_pack *pack = &w->o->pack[r->pack[k]];
    chunk_product(w, pack, width, source, add, bias, into, ldc);
    add = true;
  }
}

/* This thread's part of an AFFINE that nothing in the steps waits for, over the whole chunk. */
static void products_late(const pass *w, const rows_instruction *r) {
  const rnl_instruction *f = r->f;
  const rnl_program *p = w->s->program;
  const rnl_row_operand out = operand(w, f->out[0], w->from, 0);
  if (!out.data) return;
  const int64_t width = p->value[f->out[0]].width;
  const void *bias = f->in[0] >= 0 ? operand(w, f->in[0], 0, 0).data : NULL;
  bool add = f->add;
  for (int k = 0; k < f->n_terms; k++) {
    const rnl_row_operand source = operand(w, f->term[k].source, w->from, 0);
    const rows_pack *pack = &w->o->pack[r->pack[k]];
    chunk_product(w, pack, width, source, add, bias, out.data, out.stride);
    add = true;
  }
}

static void activate_late(const pass *w, const rows_instruction *r) {
  for (int64_t t = w->from; t < w->from + w->steps && r->f->kind != RNL_ACT_LINEAR; t++) {
    const rnl_row_operand out = operand(w, r->f->out[0], t, w->row);
    const rnl_row_op act = {.code = RNL_ROW_ACTIVATE, .kind = r->f->kind, .rows = w->rows,
                            .width = w->s->program->value[r->f->out[0]].width, .out = {out}};
    if (out.data) run_row_op(w, &act);
  }
}

/* ---- sequences that have ended, and outputs ------------------------------------------------- */

/* Next states are zero where a sequence has ended. */
static void mask_states(const pass *w, int64_t t) {
  const rnl_program *p = w->s->program;
  for (int64_t r = w->row; r < w->row + w->rows; r++)
    for (int k = 0; k < p->n_states && ended(w->s, r, w->s->first + t); k++) clear_row(w, p->next[k], t, r);
}

/* Outputs of the chunk, copied where they lie apart. */
static void finish_outputs(const pass *w) {
  const rnl_program_store *s = w->s;
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_outputs && !w->recompute; k++) {
    const int v = p->output[k];
    const int64_t width = p->value[v].width, unit = width * s->batch;
    for (int64_t t = w->from; t < w->from + w->steps && !s->output_aliased[k]; t++)
      memcpy(s->output[k] + ((s->first + t) * unit + w->row * width) * size_of(w), operand(w, v, t, w->row).data,
             (size_t)(w->rows * width * size_of(w)));
  }
}

/* A transient output that lies apart has one step only: it is copied as soon as it is there. */
static void copy_transient_outputs(const pass *w, int64_t t) {
  const rnl_program_store *s = w->s;
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_outputs; k++) {
    const int v = p->output[k];
    if (s->output_aliased[k] || s->step_kept[v] || p->value[v].state >= 0 || w->o->place[v]) continue;
    const int64_t width = p->value[v].width;
    for (int64_t r = w->row; r < w->row + w->rows; r++) {
      memcpy(s->output[k] + ((s->first + t) * s->batch + r) * width * size_of(w), operand(w, v, t, r).data,
             (size_t)(width * size_of(w)));
    }
  }
}

/* Before a backward step: where final states have gradients, STATE_GRADs of sequences that end with it are these, of
 * those that ended, zero. */
static void mask_state_grads(const pass *w, int64_t t) {
  const rnl_program_store *s = w->s;
  const rnl_program *p = s->program;
  for (int v = p->n_forward_values; v < p->n_values; v++) {
    if (p->value[v].kind != RNL_VALUE_STATE_GRAD) continue;
    const char *final = s->final_grad[p->value[v].index];
    if (!final) continue;
    for (int64_t r = w->row; r < w->row + w->rows; r++) {
      if (s->first + t < s->lengths[r] - 1) continue;
      const size_t bytes = (size_t)(p->value[v].width * size_of(w));
      char *data = operand(w, v, t, r).data;
      if (s->first + t == s->lengths[r] - 1) memcpy(data, final + (size_t)r * bytes, bytes);
      else memset(data, 0, bytes);
    }
  }
}

/* ---- a pass --------------------------------------------------------------------------------- */

static bool all_apart(const rnl_program_store *s) { /* outputs that finish_outputs may read after the steps */
  for (int k = 0; k < s->program->n_outputs; k++)
    if (!s->output_aliased[k] && !s->step_kept[s->program->output[k]] &&
        s->program->value[s->program->output[k]].state < 0)
      return false;
  return true;
}

static void run_step(const pass *w, const rows_list *list, int64_t t) {
  const rnl_program_store *s = w->s;
  const bool some_end = s->lengths && s->first + t >= s->min_length;
  if (w->backward && s->lengths && s->first + t + 1 >= s->min_length) mask_state_grads(w, t);
  for (int i = 0; i < list->n; i++) {
    const rows_instruction *r = &list->step[i];
    if (r->phase != ROWS_STEP) continue;
    if (r->f->op == RNL_OP_AFFINE) run_affine(w, r, t);
    else elementwise(w, r->f, t);
  }
  if (w->backward) return;
  if (some_end) mask_states(w, t);
  if (!w->recompute) copy_transient_outputs(w, t);
}

static void run_chunk(const pass *w, const rows_list *list) {
  bool ahead = false, late = false;
  for (int i = 0; i < list->n; i++) {
    const rows_instruction *r = &list->step[i];
    if (r->phase == ROWS_AHEAD)
      for (int64_t t = w->from; t < w->from + w->steps; t++) elementwise(w, r->f, t);
    ahead = ahead || r->hoists;
    late = late || r->phase == ROWS_LATE;
  }
  if (ahead) {
    rnl_barrier_wait(&w->o->barrier, w->count); /* the products below read all rows */
    for (int i = 0; i < list->n; i++)
      if (list->step[i].hoists) products_ahead(w, &list->step[i]);
    rnl_barrier_wait(&w->o->barrier, w->count);
  }
  for (int64_t k = 0; k < w->steps && w->rows > 0; k++)
    run_step(w, list, w->backward ? w->from + w->steps - 1 - k : w->from + k);
  if (late) {
    rnl_barrier_wait(&w->o->barrier, w->count);
    for (int i = 0; i < list->n; i++)
      if (list->step[i].phase == ROWS_LATE) products_late(w, &list->step[i]);
    rnl_barrier_wait(&w->o->barrier, w->count);
    for (int i = 0; i < list->n && w->rows > 0; i++)
      if (list->step[i].phase == ROWS_LATE) activate_late(w, &list->step[i]);
  }
  if (!w->backward && w->rows > 0 && all_apart(w->s)) finish_outputs(w);
}

typedef struct job {
  const rnl_program_store *s;
  rows_own *o;
  bool backward, recompute;
} job;

static void run_part(void *context, int index, int count) {
  const job *j = context;
  pass w = {.s = j->s, .o = j->o, .backward = j->backward, .recompute = j->recompute, .index = index, .count = count};
  int64_t end;
  rnl_share(j->s->batch, ROW_BLOCK, index, count, &w.row, &end);
  w.rows = end - w.row;
  const int64_t chunks = (j->s->steps + j->o->chunk - 1) / j->o->chunk;
  for (int64_t k = 0; k < chunks; k++) {
    w.from = (j->backward ? chunks - 1 - k : k) * j->o->chunk;
    w.steps = j->s->steps - w.from < j->o->chunk ? j->s->steps - w.from : j->o->chunk;
    run_chunk(&w, j->backward ? &j->o->backward : &j->o->forward);
    rnl_barrier_wait(&j->o->barrier, count); /* chunks share their buffers */
  }
}

static void run(const rnl_program_store *s, void *own, bool backward, bool recompute) {
  job j = {.s = s, .o = own, .backward = backward, .recompute = recompute};
  rnl_threads_run(rnl_threads_wanted(), run_part, &j);
}
static void forward(const rnl_program_store *s, void *own, bool recompute) { run(s, own, false, recompute); }
static void backward(const rnl_program_store *s, void *own) { run(s, own, true, false); }

static void pack_part(void *context, int index, int count) {
  const job *j = context;
  const rnl_program *p = j->s->program;
  for (int k = 0; k < j->o->n_packs; k++) {
    const rows_pack *pack = &j->o->pack[k];
    const void *data = j->s->weight_data[pack->weight];
    const int64_t row = p->value[p->weight[pack->weight]].width;
    if (!pack->sparse)
      rnl_pack_part(j->s->f64, index, count, pack->transposed, pack->k, pack->n, data, row, pack->data);
    else if (k % count == index)
      rnl_sparse_pack(j->s->f64, pack->transposed, pack->k, pack->n, data, row, pack->data);
  }
}
static void begin(const rnl_program_store *s, void *own) {
  job j = {.s = s, .o = own};
  for (int k = 0; k < j.o->n_packs; k++) {
    rows_pack *pack = &j.o->pack[k];
    pack->sparse = rnl_sparse_pays(s->f64, pack->transposed, pack->k, pack->n, s->weight_data[pack->weight],
                                   s->program->value[s->program->weight[pack->weight]].width);
  }
  rnl_threads_run(rnl_threads_wanted(), pack_part, &j);
}

/* dW (+)= source' gradient over the segment's rows: one product where both have their steps in a row. */
static void product(const rnl_program_store *s, void *own, const rnl_program_product *q, void *into, bool add) {
  (void)own;
  const rnl_program_value *weight = &s->program->value[s->program->weight[q->weight]];
  const rnl_operand a = rnl_program_operand(s, q->source), b = rnl_program_operand(s, q->gradient);
  const int64_t size = s->f64 ? 8 : 4;
  if (a.step == s->batch * a.stride && b.step == s->batch * b.stride) {
    rnl_gemm_threads(rnl_threads_wanted(), s->f64, true, false, weight->rows, weight->width, s->steps * s->batch,
                     a.data, a.stride, b.data, b.stride, add, NULL, into, weight->width);
    return;
  }
  for (int64_t t = 0; t < s->steps; t++)
    rnl_gemm(s->f64, true, false, weight->rows, weight->width, s->batch, a.data + t * a.step * size, a.stride,
             b.data + t * b.step * size, b.stride, add || t > 0, into, weight->width);
}

static rnl_status prepare(const rnl_program_store *s, const rnl_node *node, void **own, rnl_error *err) {
  (void)node;
  rows_own *o = NULL;
  const rnl_status status = rows_plan(&o, s, err);
  *own = o;
  return status;
}

static size_t bytes(const void *own) {
  const rows_own *o = own;
  return o->buffers.storage ? o->buffers.storage->bytes : 0;
}

const rnl_program_executor rnl_program_rows = {.lanes = false,
                                               .prepare = prepare,
                                               .release = rows_release,
                                               .bytes = bytes,
                                               .begin = begin,
                                               .forward = forward,
                                               .backward = backward,
                                               .product = product};
