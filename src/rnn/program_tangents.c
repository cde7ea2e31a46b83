/* rnn/program_tangents.c: a cell program's forward-mode product in many directions at once, a direction a lane: real-
 * time recurrent learning for any cell. The values come from the reference's forward pass; each instruction's
 * derivative is written out as in program_reference.c, with rows of tangents in place of numbers. One sequence after
 * the other; of a value only the tangents at the step under way are kept. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "rnn/program_reference.h"

typedef struct tangents {
  rnl_program_reference *r;
  const rnl_program *p;
  const rnl_kernels *k;
  int64_t lanes;
  const rnl_tangents *in;
  bool moves[RNL_PROGRAM_VALUES];  /* values that are no slices */
  double *rows[RNL_PROGRAM_VALUES]; /* [width][lanes]; of sequences: at this step */
  double *slope;                   /* [widest] */
  double *memory;
} tangents;

/* ---- making --------------------------------------------------------------------------------- */

static bool value_moves(const tangents *m, int v) {
  return v >= 0 && !m->p->value[v].stop && m->moves[rnl_program_base(m->p, v)];
}

static bool instruction_moves(const tangents *m, const rnl_instruction *f) {
  for (int i = 0; i < 5; i++)
    if (value_moves(m, f->in[i])) return true;
  for (int i = 0; i < f->n_terms; i++)
    if (value_moves(m, f->term[i].source) || value_moves(m, f->term[i].weight)) return true;
  return false;
}

/* What moves, through as many steps as it takes. */
static void find_moving(tangents *m) {
  const rnl_program *p = m->p;
  for (int k = 0; k < p->n_sequences; k++) m->moves[p->sequence[k]] = m->in[k].kind != RNL_TANGENT_NONE;
  for (int k = 0; k < p->n_weights; k++)
    m->moves[p->weight[k]] = m->in[rnl_program_first_weight(p) + k].kind != RNL_TANGENT_NONE;
  for (int k = 0; k < p->n_states; k++)
    m->moves[p->state[k]] = m->in[rnl_program_first_state(p) + k].kind != RNL_TANGENT_NONE;
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < p->n_forward; i++) {
      if (!instruction_moves(m, &p->forward[i])) continue;
      for (int q = 0; q < 3; q++)
        if (p->forward[i].out[q] >= 0) m->moves[p->forward[i].out[q]] = true;
    }
    for (int k = 0; k < p->n_states; k++)
      if (m->moves[p->next[k]] && !m->moves[p->state[k]]) changed = m->moves[p->state[k]] = true;
  }
}

static rnl_status begin(tangents *m, const rnl_node *node, rnl_error *err) {
  RNL_TRY(rnl_program_reference_values(&m->r, node, err));
  const rnl_program *p = m->p = m->r->p;
  int64_t total = 0, widest = 1;
  m->k = rnl_kernels_of(true);
  find_moving(m);
  for (int pass = 0; pass < 2; pass++) {
    double *at = m->memory;
    for (int v = 0; v < p->n_forward_values; v++) {
      const rnl_program_value *value = &p->value[v];
      if (value->kind == RNL_VALUE_SLICE || !m->moves[v] || (value->kind == RNL_VALUE_WEIGHT && value->rows)) continue;
      if (pass == 0) total += value->width * m->lanes;
      else m->rows[v] = at, at += value->width * m->lanes;
      if (value->width > widest) widest = value->width;
    }
    if (pass == 0 && !(m->memory = rnl_alloc((size_t)(total + widest), sizeof *m->memory)))
      return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  }
  m->slope = m->memory + total;
  for (int k = 0; k < p->n_weights; k++) /* vector weights are operands like any other */
    for (int64_t j = 0; m->rows[p->weight[k]] && j < p->value[p->weight[k]].width; j++)
      rnl_tangents_row(&m->in[rnl_program_first_weight(p) + k], m->lanes, j, m->rows[p->weight[k]] + j * m->lanes);
  return RNL_OK;
}

/* ---- one instruction ------------------------------------------------------------------------ */

/* The row of feature j (one feature stretches), or NULL: it does not move. */
static const double *row_of(const tangents *m, int v, int64_t j) {
  if (!value_moves(m, v)) return NULL;
  if (m->p->value[v].width == 1) j = 0;
  return m->rows[rnl_program_base(m->p, v)] + (m->p->value[v].start + j) * m->lanes;
}

/* A sum of factors times rows, growing. */
typedef struct sum {
  int n;
  double factor[8];
  const void *row[8];
} sum;
static void add(sum *s, double factor, const double *row) {
  if (!row) return;
  s->factor[s->n] = factor;
  s->row[s->n++] = row;
}
static void put(const tangents *m, const sum *s, int out, int64_t j) {
  m->k->tangent_sum(m->lanes, s->n, s->factor, s->row, m->rows[out] + j * m->lanes);
}

static void move_affine(const tangents *m, const rnl_instruction *f, int64_t t, int64_t b) {
  const int64_t width = m->p->value[f->out[0]].width, lanes = m->lanes;
  double *out = m->rows[f->out[0]];
  for (int64_t j = 0; j < width; j++) {
    const double *row = row_of(m, f->in[0], j);
    if (row) memcpy(out + j * lanes, row, (size_t)lanes * sizeof *out);
    else memset(out + j * lanes, 0, (size_t)lanes * sizeof *out);
  }
  for (int i = 0; i < f->n_terms; i++) {
    const int source = f->term[i].source, weight = f->term[i].weight;
    const int64_t count = m->p->value[source].width;
    const double *rows = row_of(m, source, 0);
    rnl_tangents_add_weight(&m->in[rnl_program_first_weight(m->p) + m->p->value[weight].index], lanes, count, width,
                            rnl_program_reference_at(m->r, source, t, b, 0), out);
    if (rows) m->k->tangent_affine(lanes, count, width, rows, m->r->value[weight], out, NULL, out);
  }
  if (f->kind == RNL_ACT_LINEAR) return;
  const double *y = rnl_program_reference_at(m->r, f->out[0], t, b, 0);
  for (int64_t j = 0; j < width; j++)
    m->slope[j] = rnl_program_unary_slope(rnl_program_unary_of((rnl_activation)f->kind), 0, y[j]);
  m->k->tangent_affine(lanes, 0, width, NULL, NULL, out, m->slope, out);
}

static double get(const tangents *m, int v, int64_t t, int64_t b, int64_t j) {
  return *rnl_program_reference_at(m->r, v, t, b, j);
}

/* i f g o of z, c(t-1); out: gates, c, h */
static void move_lstm(const tangents *m, const rnl_instruction *f, int64_t t, int64_t b) {
  const int64_t n = m->p->value[f->out[0]].width / 4;
  for (int64_t j = 0; j < n; j++) {
    double gate[4], slope[4];
    for (int q = 0; q < 4; q++) {
      gate[q] = get(m, f->out[0], t, b, q * n + j);
      slope[q] = q == 2 ? 1 - gate[q] * gate[q] : gate[q] * (1 - gate[q]);
      sum s = {0};
      add(&s, slope[q], row_of(m, f->in[0], q * n + j));
      put(m, &s, f->out[0], q * n + j);
    }
    const double s = tanh(get(m, f->out[1], t, b, j));
    sum c = {0}, h = {0};
    add(&c, get(m, f->in[1], t, b, j), row_of(m, f->out[0], n + j));
    add(&c, gate[1], row_of(m, f->in[1], j));
    add(&c, gate[2], row_of(m, f->out[0], j));
    add(&c, gate[0], row_of(m, f->out[0], 2 * n + j));
    put(m, &c, f->out[1], j);
    add(&h, s, row_of(m, f->out[0], 3 * n + j));
    add(&h, gate[3] * (1 - s * s), row_of(m, f->out[1], j));
    put(m, &h, f->out[2], j);
  }
}

/* r z n of zx, zh, h(t-1); out: gates, h */
static void move_gru(const tangents *m, const rnl_instruction *f, int64_t t, int64_t b) {
  const int64_t n = m->p->value[f->out[0]].width / 3;
  for (int64_t j = 0; j < n; j++) {
    const double r = get(m, f->out[0], t, b, j), z = get(m, f->out[0], t, b, n + j),
                 new = get(m, f->out[0], t, b, 2 * n + j), zh = get(m, f->in[1], t, b, 2 * n + j);
    sum dr = {0}, dz = {0}, dn = {0}, dh = {0};
    for (int q = 0; q < 2; q++) {
      add(&dr, r * (1 - r), row_of(m, f->in[q], j));
      add(&dz, z * (1 - z), row_of(m, f->in[q], n + j));
    }
    put(m, &dr, f->out[0], j);
    put(m, &dz, f->out[0], n + j);
    add(&dn, 1 - new * new, row_of(m, f->in[0], 2 * n + j));
    add(&dn, (1 - new * new) * zh, row_of(m, f->out[0], j));
    add(&dn, (1 - new * new) * r, row_of(m, f->in[1], 2 * n + j));
    put(m, &dn, f->out[0], 2 * n + j);
    add(&dh, 1 - z, row_of(m, f->out[0], 2 * n + j));
    add(&dh, get(m, f->in[2], t, b, j) - new, row_of(m, f->out[0], n + j));
    add(&dh, z, row_of(m, f->in[2], j));
    put(m, &dh, f->out[1], j);
  }
}

static void move_sum(const tangents *m, const rnl_instruction *f) {
  double *out = m->rows[f->out[0]];
  memset(out, 0, (size_t)m->lanes * sizeof *out);
  for (int64_t i = 0; i < m->p->value[f->in[0]].width; i++) m->k->axpy(m->lanes, 1, row_of(m, f->in[0], i), out);
}

static void move_elementwise(const tangents *m, const rnl_instruction *f, int64_t t, int64_t b) {
  for (int64_t j = 0; j < m->p->value[f->out[0]].width; j++) {
    const double y = get(m, f->out[0], t, b, j), x = get(m, f->in[0], t, b, j);
    sum s = {0};
    if (f->op == RNL_OP_UNARY) {
      add(&s, rnl_program_unary_slope((rnl_unary)f->kind, x, y), row_of(m, f->in[0], j));
    } else {
      double da, db;
      rnl_program_binary_slopes((rnl_binary)f->kind, x, get(m, f->in[1], t, b, j), y, &da, &db);
      add(&s, da, row_of(m, f->in[0], j));
      add(&s, db, row_of(m, f->in[1], j));
    }
    put(m, &s, f->out[0], j);
  }
}

static void move_instruction(const tangents *m, const rnl_instruction *f, int64_t t, int64_t b) {
  switch (f->op) {
    case RNL_OP_AFFINE: move_affine(m, f, t, b); break;
    case RNL_OP_LSTM: move_lstm(m, f, t, b); break;
    case RNL_OP_GRU: move_gru(m, f, t, b); break;
    case RNL_OP_SUM: move_sum(m, f); break;
    default: move_elementwise(m, f, t, b); break;
  }
}

/* ---- a sequence ----------------------------------------------------------------------------- */

static void begin_states(const tangents *m, const rnl_node *node, int64_t b) {
  for (int k = 0; k < m->p->n_states; k++) {
    const int v = m->p->state[k], input = rnl_program_first_state(m->p) + k;
    const int64_t width = m->p->value[v].width;
    const bool own = input < node->n_in && rnl_in(node, input) && rnl_in(node, input)->ndim == 2; /* one a sequence */
    for (int64_t j = 0; m->rows[v] && j < width; j++)
      rnl_tangents_row(&m->in[input], m->lanes, own ? b * width + j : j, m->rows[v] + j * m->lanes);
  }
}

static void take_sequences(const tangents *m, int64_t b, int64_t t) {
  for (int k = 0; k < m->p->n_sequences; k++) {
    const int v = m->p->sequence[k];
    const int64_t width = m->p->value[v].width;
    for (int64_t j = 0; m->rows[v] && j < width; j++)
      rnl_tangents_row(&m->in[k], m->lanes, (b * m->r->time + t) * width + j, m->rows[v] + j * m->lanes);
  }
}

/* `count` rows of a value to their place in an output; zero where it does not move. */
static void give(const tangents *m, double *out, int64_t first, int v, int64_t count) {
  if (!out) return;
  const size_t size = (size_t)(count * m->lanes) * sizeof *out;
  if (m->rows[v]) memcpy(out + first * m->lanes, m->rows[v], size);
  else memset(out + first * m->lanes, 0, size);
}

static void run_sequence(const tangents *m, const rnl_node *node, int64_t b, double *const *out) {
  const rnl_program *p = m->p;
  const int64_t time = m->r->time, length = m->r->lengths[b];
  begin_states(m, node, b);
  for (int64_t t = 0; t < length; t++) {
    take_sequences(m, b, t);
    for (int i = 0; i < p->n_forward; i++)
      if (m->moves[p->forward[i].out[0]]) move_instruction(m, &p->forward[i], t, b);
    for (int k = 0; k < p->n_outputs; k++) {
      const int64_t width = p->value[p->output[k]].width;
      give(m, out[k], (b * time + t) * width, p->output[k], width);
    }
    for (int k = 0; k < p->n_states; k++)
      if (m->rows[p->state[k]]) give(m, m->rows[p->state[k]], 0, p->next[k], p->value[p->state[k]].width);
  }
  for (int k = 0; k < p->n_outputs; k++) { /* past its length a sequence's outputs are zero */
    const int64_t width = p->value[p->output[k]].width;
    if (out[k])
      memset(out[k] + (b * time + length) * width * m->lanes, 0,
             (size_t)((time - length) * width * m->lanes) * sizeof **out);
  }
  for (int k = 0; k < p->n_states; k++) {
    const int64_t width = p->value[p->state[k]].width;
    give(m, out[p->n_outputs + k], b * width, p->state[k], width);
  }
}

rnl_status rnl_program_jvp_many(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out,
                                rnl_error *err) {
  tangents *m = rnl_alloc(1, sizeof *m);
  if (!m) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a Jacobian");
  m->lanes = lanes;
  m->in = in;
  rnl_status status = begin(m, node, err);
  for (int64_t b = 0; status == RNL_OK && b < m->r->batch; b++) run_sequence(m, node, b, out);
  rnl_program_reference_free(m->r);
  rnl_free(m->memory);
  rnl_free(m);
  return status;
}
