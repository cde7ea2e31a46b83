/* rnn/program_rows_plan.c: dividing a program's lists into what is done ahead of a chunk's steps, in them and after. */
#include "base/alloc.h"
#include "kernel/packed.h"
#include "rnn/program_rows.h"

/* Bytes of the widest value in a chunk: it is to stay in the second-level cache beside the weights. Fewer rows than
 * CHUNK_ROWS would read the weights too often. */
enum { CHUNK_BYTES = 1 << 19, CHUNK_ROWS = 128 };

static size_t element_size(const rnl_program_store *s) { return s->f64 ? sizeof(double) : sizeof(float); }

/* Whether the value has its steps one after the other in memory, as one matrix (steps * batch, width). */
static bool regular(const rnl_program_store *s, int v) {
  const rnl_program *p = s->program;
  const int base = rnl_program_base(p, v);
  const rnl_program_value *value = &p->value[base];
  switch (value->kind) {
    case RNL_VALUE_SEQUENCE:
    case RNL_VALUE_SEQUENCE_GRAD:
    case RNL_VALUE_STATE: return true;
    case RNL_VALUE_STEP:
      return s->step_kept[base] || (base < p->n_forward_values &&
                                    (value->state >= 0 || (value->output >= 0 && s->output_aliased[value->output])));
    default: return false;
  }
}

/* What is known before the list runs: everything but states (forward) or STATE_GRADs and the list's own results. */
static void begin_known(const rnl_program *p, bool backward, bool *known) {
  for (int v = 0; v < p->n_values; v++) {
    const rnl_program_value *value = &p->value[v];
    known[v] =
        backward ? v < p->n_forward_values || value->kind == RNL_VALUE_ARRIVING || value->kind == RNL_VALUE_CONSTANT
                 : value->kind != RNL_VALUE_STATE && value->kind != RNL_VALUE_STEP;
  }
}

/* Whether an elementwise instruction can run for all steps of a chunk before them: all it reads is known, and its
 * results have a place for each step and come from it alone. */
static bool runs_ahead(const rnl_program_store *s, const rnl_instruction *f, const bool *known) {
  const rnl_program *p = s->program;
  if (f->op == RNL_OP_AFFINE || f->add) return false;
  for (int k = 0; k < 5; k++)
    if (f->in[k] >= 0 && !known[rnl_program_base(p, f->in[k])]) return false;
  for (int k = 0; k < 3; k++)
    if (f->out[k] >= 0 &&
        (p->value[f->out[k]].kind != RNL_VALUE_STEP || p->value[f->out[k]].state >= 0 || !regular(s, f->out[k])))
      return false;
  return true;
}

static bool writes(const rnl_program *p, const rnl_instruction *i, int base) {
  for (int k = 0; k < 3; k++)
    if (i->out[k] >= 0 && rnl_program_base(p, i->out[k]) == base) return true;
  return false;
}
static bool is_read(const rnl_program *p, const rnl_instruction *list, int n, int base) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < 5; k++)
      if (list[i].in[k] >= 0 && rnl_program_base(p, list[i].in[k]) == base) return true;
    for (int k = 0; k < list[i].n_terms; k++)
      if (rnl_program_base(p, list[i].term[k].source) == base) return true;
  }
  return false;
}
/* Whether another instruction also writes (adds to) what instruction `at` writes. */
static bool touched_by_others(const rnl_program *p, const rnl_instruction *list, int n, int at) {
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < n && list[at].out[k] >= 0; i++)
      if (i != at && writes(p, &list[i], rnl_program_base(p, list[at].out[k]))) return true;
  return false;
}

static int pack_for(rows_own *o, const rnl_program *p, const rnl_program_term *term) {
  const rnl_program_value *w = &p->value[term->weight];
  for (int k = 0; k < o->n_packs; k++)
    if (o->pack[k].weight == w->index && o->pack[k].transposed == term->transposed) return k;
  o->pack[o->n_packs] = (rows_pack){.weight = w->index,
                                    .transposed = term->transposed,
                                    .k = term->transposed ? w->width : w->rows,
                                    .n = term->transposed ? w->rows : w->width};
  return o->n_packs++;
}

static void divide(rows_own *o, const rnl_program_store *s, rows_list *list, bool backward) {
  const rnl_program *p = s->program;
  const rnl_instruction *from = backward ? p->backward : p->forward;
  bool known[RNL_PROGRAM_VALUES];
  begin_known(p, backward, known);
  for (int i = 0; i < list->n; i++) {
    rows_instruction *r = &list->step[i];
    r->f = &from[i];
    const int out = rnl_program_base(p, r->f->out[0]);
    const rnl_program_value *value = &p->value[out];
    if (runs_ahead(s, r->f, known)) {
      r->phase = ROWS_AHEAD;
      /* Known to those after it only if nothing adds to it later. */
      bool alone = !touched_by_others(p, from, list->n, i);
      for (int k = 0; k < 3; k++)
        if (r->f->out[k] >= 0) known[r->f->out[k]] = alone;
      continue;
    }
    if (r->f->op != RNL_OP_AFFINE) continue;
    bool sources_regular = true;
    for (int k = 0; k < r->f->n_terms; k++) {
      const int source = r->f->term[k].source;
      r->pack[k] = pack_for(o, p, &r->f->term[k]);
      r->hoisted[k] = known[rnl_program_base(p, source)] && regular(s, source);
      r->hoists = r->hoists || r->hoisted[k];
      sources_regular = sources_regular && regular(s, source);
    }
    const bool plain_start = r->f->in[0] < 0 || p->value[r->f->in[0]].kind == RNL_VALUE_WEIGHT;
    const bool unread = !is_read(p, from, list->n, out);
    if (sources_regular && plain_start && unread && value->state < 0 && regular(s, out) &&
        rnl_program_base(p, out) == r->f->out[0] && (value->kind == RNL_VALUE_SEQUENCE_GRAD || !backward)) {
      r->phase = ROWS_LATE; /* nobody in the steps waits for it */
      r->hoists = false;
    }
  }
}

/* What the forward pass kept has left the cache when a backward step reads it: the product of the step before fetches
 * it. But for a state's next value where the state is read too: the step before had that in hand. */
static void find_fetched(rows_own *o, const rnl_program_store *s) {
  const rnl_program *p = s->program;
  bool wanted[RNL_PROGRAM_VALUES] = {false};
  for (int i = 0; i < o->backward.n; i++) {
    const rows_instruction *r = &o->backward.step[i];
    if (r->phase != ROWS_STEP) continue;
    if (r->f->op == RNL_OP_AFFINE && !o->fetching && !(r->hoists && r->hoisted[0])) o->fetching = r;
    for (int k = 0; k < 5; k++) {
      const int v = r->f->in[k] < 0 ? -1 : rnl_program_base(p, r->f->in[k]);
      if (v >= 0) wanted[v] = p->value[v].kind == RNL_VALUE_ARRIVING || (v < p->n_forward_values && regular(s, v));
    }
  }
  for (int v = 0; v < p->n_values; v++) {
    const int state = p->value[v].kind == RNL_VALUE_STEP ? p->value[v].state : -1;
    if (wanted[v] && !(state >= 0 && wanted[p->state[state]])) o->fetched[o->n_fetched++] = v;
  }
}

/* Whether the chunk's part of a hoisting instruction can be computed where out has its steps. */
static bool in_place(const rnl_program_store *s, const rows_instruction *r) {
  const int out = r->f->out[0];
  return !r->f->add && regular(s, out) && rnl_program_base(s->program, out) == out &&
         s->program->value[out].kind == RNL_VALUE_STEP && s->program->value[out].shares < 0;
}

static int64_t lay_out(rows_own *o, const rnl_program_store *s, char *data) {
  const rnl_program *p = s->program;
  const size_t size = element_size(s);
  int64_t at = 0;
#define PIECE(place, elements)                                      \
  do {                                                              \
    if (data) (place) = data + (size_t)at * size;                   \
    at += ((elements) + 15) / 16 * 16;                              \
  } while (0)
  for (int k = 0; k < o->n_packs; k++) PIECE(o->pack[k].data, rnl_packed_size(s->f64, o->pack[k].k, o->pack[k].n));
  for (int list = 0; list < 2; list++) {
    rows_list *l = list ? &o->backward : &o->forward;
    for (int i = 0; i < l->n; i++) {
      rows_instruction *r = &l->step[i];
      if (!r->hoists || in_place(s, r)) continue;
      const int out = r->f->out[0];
      PIECE(r->ahead, o->chunk * s->batch * p->value[out].width);
      /* A value of one step only moves into the chunk's buffer altogether. */
      if (!r->f->add && rnl_program_base(p, out) == out && p->value[out].kind == RNL_VALUE_STEP && !regular(s, out))
        o->place[out] = r->ahead;
    }
  }
#undef PIECE
  return at;
}

rnl_status rows_plan(rows_own **own, const rnl_program_store *s, rnl_error *err) {
  const rnl_program *p = s->program;
  rows_own *o = *own = rnl_alloc(1, sizeof *o);
  if (!o) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a layer");
  o->forward.n = p->n_forward;
  o->backward.n = s->gradients ? p->n_backward : 0;
  o->forward.step = rnl_alloc((size_t)o->forward.n + 1, sizeof *o->forward.step);
  o->backward.step = rnl_alloc((size_t)o->backward.n + 1, sizeof *o->backward.step);
  if (!o->forward.step || !o->backward.step) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a layer");
  divide(o, s, &o->forward, false);
  divide(o, s, &o->backward, true);
  find_fetched(o, s);
  int64_t widest = 1;
  for (int v = 0; v < p->n_values; v++)
    if (p->value[v].kind == RNL_VALUE_STEP && p->value[v].width > widest) widest = p->value[v].width;
  o->chunk = CHUNK_BYTES / (int64_t)element_size(s) / s->batch / widest;
  if (o->chunk * s->batch < CHUNK_ROWS) o->chunk = (CHUNK_ROWS + s->batch - 1) / s->batch;
  if (o->chunk < 1) o->chunk = 1;
  if (o->chunk > s->segment) o->chunk = s->segment;
  const int64_t elements = lay_out(o, s, NULL);
  RNL_TRY(rnl_tensor_new(&o->buffers, s->f64 ? RNL_F64 : RNL_F32, 1, &elements, err));
  lay_out(o, s, rnl_tensor_data(&o->buffers));
  return RNL_OK;
}

void rows_release(void *own) {
  rows_own *o = own;
  rnl_free(o->forward.step);
  rnl_free(o->backward.step);
  rnl_tensor_release(&o->buffers);
  rnl_free(o);
}
