/* train/parts.c: which steps can be done in parts, how large these are, and running them. */
#include "train/parts.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "grad/ops.h"
#include "rnn/loss.h"
#include "rnn/row_loss.h"

/* A step is first recorded for so few sequences and then for so many, to see what it is made of and what a sequence
 * takes. */
enum { FEW = RNL_SHORT_LANES, SOME = RNL_LANES };
/* Batches that are never cut. */
enum { SMALLEST = 2 * RNL_LANES };
/* What a part's plan should take, most of a second-level cache; what each op should have to do, that calling it may not
 * count; and the fewest sequences, where the batch lies in lanes, and where rows make matrix products and are divided
 * over threads, eight a thread. */
enum { PART_BYTES = 768 << 10, NODE_BYTES = 16 << 10, LEAST_LANES = RNL_LANES, LEAST_ROWS = 64 };

/* ---- what a plan is made of ----------------------------------------------------------------- */

/* What a value has to do with the batch. */
typedef enum reach {
  REACH_NONE, /* nothing */
  REACH_ROWS, /* row b comes from sequence b alone */
  REACH_MEAN, /* one number: a mean over the rows that count, plus what depends on parameters alone */
  REACH_OTHER
} reach;

static int position(rnl_node *const *nodes, int n, const rnl_node *node) {
  int low = 0, high = n - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (nodes[middle]->serial < node->serial) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int leaf_of(const rnl_step_plan *step, const rnl_var *var) {
  for (int i = 0; i < step->n; i++)
    if (step->leaf[i]->slot == var->slot) return i;
  return -1;
}

/* Whether the loss weighs the rows as rnl_set_weight does. */
static bool weighs_alike(const rnl_step_plan *step, const rnl_set *set, const rnl_node *node) {
  const bool timed = set->field[RNL_SET_Y].timed;
  const int mask = timed ? set->mask : -1, lengths = timed ? set->lengths : -1;
  const int ndim = rnl_in(node, 0)->ndim;
  if (node->op == &rnl_op_squared_error) return ndim >= 2 && mask < 0 && lengths < 0;
  const rnl_row_loss_attrs *attrs = node->attrs;
  const rnl_var *in[RNL_ROW_LOSS_INPUTS] = {NULL};
  for (int i = 0; i < node->n_in; i++) in[i] = node->in[i];
  if (in[RNL_ROW_LOSS_WEIGHTS] && attrs->kind == RNL_ROW_LOSS_CROSS_ENTROPY) return false;
  if ((mask >= 0 || lengths >= 0) && ndim != 3) return false;
  const rnl_var *const want[2] = {mask < 0 ? NULL : step->leaf[mask], lengths < 0 ? NULL : step->leaf[lengths]};
  for (int k = 0; k < 2; k++) {
    const rnl_var *given = in[RNL_ROW_LOSS_MASK + k];
    if (!given != !want[k] || (given && given->slot != want[k]->slot)) return false;
  }
  return true;
}

static reach reach_of(const rnl_step_plan *step, const rnl_set *set, const rnl_node *node, const reach *in) {
  bool none = true, rows = true, mean = true;
  for (int k = 0; k < node->n_in; k++) {
    if (!node->in[k]) continue;
    none = none && in[k] == REACH_NONE;
    rows = rows && (in[k] == REACH_NONE || (in[k] == REACH_ROWS && node->op->by_rows && node->op->by_rows(node, k)));
    mean = mean && (in[k] == REACH_NONE || in[k] == REACH_MEAN);
  }
  if (none) return REACH_NONE;
  if (rows) return REACH_ROWS;
  if (node->op == &rnl_op_squared_error || node->op == &rnl_op_row_loss) {
    const bool both = in[0] == REACH_ROWS && in[1] == REACH_ROWS;
    return both && weighs_alike(step, set, node) ? REACH_MEAN : REACH_OTHER;
  }
  const bool sum = node->op == &rnl_op_binary && *(const rnl_binary *)node->attrs == RNL_BINARY_ADD;
  return mean && sum ? REACH_MEAN : REACH_OTHER;
}

static reach reach_of_var(const rnl_step_plan *step, rnl_node *const *nodes, int n, const reach *of,
                          const rnl_var *var) {
  if (var->creator) return of[position(nodes, n, var->creator)];
  if (leaf_of(step, var) >= 0) return REACH_ROWS;
  return var->slot == step->clock->slot ? REACH_OTHER : REACH_NONE; /* draws go by the row's place in the batch */
}

/* Whether the loss is a mean over sequences that do not see one another; and in evaluation, where it is looked at, the
 * prediction one of each. */
static rnl_status is_mean(const rnl_step_plan *step, const rnl_set *set, bool *out, rnl_error *err) {
  int n;
  rnl_node *const *nodes = rnl_plan_nodes(step->plan, &n);
  reach *of = rnl_alloc((size_t)n + 1, sizeof *of);
  if (!of) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a plan");
  for (int i = 0; i < n; i++) {
    const rnl_node *node = nodes[i];
    reach in[RNL_MAX_IN] = {REACH_NONE};
    for (int k = 0; k < node->n_in; k++)
      if (node->in[k]) in[k] = reach_of_var(step, nodes, n, of, node->in[k]);
    of[i] = reach_of(step, set, node, in);
  }
  *out = reach_of_var(step, nodes, n, of, step->loss) == REACH_MEAN &&
         (step->key.gradients || reach_of_var(step, nodes, n, of, step->prediction) == REACH_ROWS);
  rnl_free(of);
  return RNL_OK;
}

static bool same_numbers(const rnl_tensor *a, const rnl_tensor *b) {
  if (a->dtype != b->dtype || !rnl_tensor_same_shape(a, b)) return false;
  for (int64_t i = 0; i < rnl_tensor_numel(a); i++) {
    const double x = rnl_tensor_at(a, i), y = rnl_tensor_at(b, i);
    if (memcmp(&x, &y, sizeof x) != 0) return false;
  }
  return true;
}

/* Whether two recordings differ in the number of sequences alone: the same ops on the same parameters and constants, so
 * that none of these was made from the batch. */
static bool same_steps(const rnl_step_plan *a, const rnl_step_plan *b) {
  int n, m;
  rnl_node *const *of_a = rnl_plan_nodes(a->plan, &n), *const *of_b = rnl_plan_nodes(b->plan, &m);
  if (n != m) return false;
  for (int i = 0; i < n; i++) {
    if (of_a[i]->op != of_b[i]->op || of_a[i]->n_in != of_b[i]->n_in) return false;
    for (int k = 0; k < of_a[i]->n_in; k++) {
      const rnl_var *x = of_a[i]->in[k], *y = of_b[i]->in[k];
      if (!x != !y) return false;
      if (!x || x->slot == y->slot) continue;
      if (!x->creator != !y->creator) return false;
      if (x->creator) {
        if (position(of_a, n, x->creator) != position(of_b, n, y->creator)) return false;
        continue;
      }
      const int leaf = leaf_of(a, x);
      if (leaf != leaf_of(b, y)) return false;
      if (leaf < 0 && x->slot != a->clock->slot && (x->requires_grad || !same_numbers(rnl_value(x), rnl_value(y))))
        return false;
    }
  }
  return true;
}

/* ---- how large ------------------------------------------------------------------------------ */

static bool in_rows(const rnl_step_plan *step) {
  int n;
  rnl_node *const *nodes = rnl_plan_nodes(step->plan, &n);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < nodes[i]->n_out; k++)
      if (rnl_out(nodes[i], k)->layout == RNL_LAYOUT_TIME) return true;
  return false;
}

static int64_t rounded_up(double sequences) { return (int64_t)ceil(sequences / RNL_LANES) * RNL_LANES; }

/* Sequences of a part of a batch: whole vectors of lanes, and all parts alike as far as can be. What does not grow with
 * the batch is left out: weights, and these packed as the instruction set likes it. */
static int64_t size_of(const rnl_step_plan *few, const rnl_step_plan *some, int64_t batch) {
  int nodes;
  rnl_plan_nodes(few->plan, &nodes);
  const double grown = (double)rnl_plan_bytes(some->plan) - (double)rnl_plan_bytes(few->plan);
  const double each = fmax(grown / (SOME - FEW), 1); /* bytes a sequence */
  double most = fmax(floor(PART_BYTES / each / RNL_LANES) * RNL_LANES, in_rows(few) ? LEAST_ROWS : LEAST_LANES);
  most = fmax(most, (double)rounded_up((double)NODE_BYTES * nodes / each));
  if (most >= (double)batch) return batch;
  return rounded_up((double)batch / ceil((double)batch / most));
}

/* ---- making --------------------------------------------------------------------------------- */

/* Where the step cannot even be recorded for that many sequences it is left to be recorded for all. */
static rnl_status try_record(rnl_step_plan *step, const rnl_trainer_options *options, const rnl_step_key *key,
                             int64_t batch, const rnl_set *set, const rnl_step_part *part, rnl_states *states,
                             bool *recorded, rnl_error *err) {
  rnl_step_key own = *key;
  rnl_error refused = {0};
  own.batch = batch;
  const rnl_status status = rnl_step_plan_record(step, options, &own, set, part, states, &refused);
  *recorded = status == RNL_OK;
  return status == RNL_ERR_MEMORY ? rnl_fail(err, status, "%s", refused.text) : RNL_OK;
}

/* probe: the step for FEW sequences and for SOME. */
static rnl_status choose_size(const rnl_trainer_options *options, const rnl_step_key *key, const rnl_set *set,
                              const rnl_step_part *part, rnl_states *states, rnl_step_plan probe[2], int64_t *size,
                              rnl_error *err) {
  bool good;
  *size = key->batch;
  RNL_TRY(try_record(&probe[0], options, key, FEW, set, part, states, &good, err));
  if (good) RNL_TRY(is_mean(&probe[0], set, &good, err));
  if (good) RNL_TRY(try_record(&probe[1], options, key, SOME, set, part, states, &good, err));
  if (good && same_steps(&probe[0], &probe[1])) *size = size_of(&probe[0], &probe[1], key->batch);
  return RNL_OK;
}

static const rnl_step_plan *step_of(const rnl_parts *p, int k) {
  return &p->step[k == p->n - 1 && p->step[1].plan ? 1 : 0];
}

/* Call `each` with every piece of memory that belongs to the data of part k: those of the leaves, then what the nodes
 * keep of them. */
static rnl_status each_piece(const rnl_parts *p, int k,
                             rnl_status (*each)(const rnl_kept *piece, rnl_tensor *held, rnl_error *err),
                             rnl_error *err) {
  const rnl_step_plan *step = step_of(p, k);
  rnl_tensor *held = p->held + (int64_t)k * p->pieces;
  int n;
  rnl_node *const *nodes = rnl_plan_nodes(step->plan, &n);
  for (int i = 0; i < step->n; i++) {
    rnl_storage *leaf = rnl_value(step->leaf[i])->storage;
    RNL_TRY(each(&(rnl_kept){&leaf->data, leaf->bytes}, held++, err));
  }
  for (int i = 0; i < n; i++) {
    rnl_kept kept[RNL_MAX_KEPT];
    const int count = nodes[i]->op->kept ? nodes[i]->op->kept(nodes[i], kept) : 0;
    for (int j = 0; j < count; j++) RNL_TRY(each(&kept[j], held++, err));
  }
  return RNL_OK;
}

static rnl_status make_piece(const rnl_kept *piece, rnl_tensor *held, rnl_error *err) {
  const int64_t doubles = (int64_t)((piece->bytes + sizeof(double) - 1) / sizeof(double));
  return rnl_tensor_new(held, RNL_F64, 1, &doubles, err);
}

static rnl_status exchange_piece(const rnl_kept *piece, rnl_tensor *held, rnl_error *err) {
  (void)err;
  void *data;
  memcpy(&data, piece->place, sizeof data);
  memcpy(piece->place, &held->storage->data, sizeof data);
  held->storage->data = data;
  return RNL_OK;
}

static int pieces_of(const rnl_step_plan *step) {
  int n, pieces = step->n;
  rnl_node *const *nodes = rnl_plan_nodes(step->plan, &n);
  for (int i = 0; i < n; i++) {
    rnl_kept kept[RNL_MAX_KEPT];
    if (nodes[i]->op->kept) pieces += nodes[i]->op->kept(nodes[i], kept);
  }
  return pieces;
}

static rnl_status make_held(rnl_parts *p, rnl_error *err) {
  p->pieces = pieces_of(&p->step[0]);
  p->held = rnl_alloc((size_t)p->n * (size_t)p->pieces, sizeof *p->held);
  p->settled = rnl_alloc((size_t)p->n, sizeof *p->settled);
  if (!p->held || !p->settled) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the parts of a batch");
  for (int k = 0; k < p->n; k++) RNL_TRY(each_piece(p, k, make_piece, err));
  return RNL_OK;
}

/* The plans of the parts; *good: they do what the probe does. */
static rnl_status make(rnl_parts *p, const rnl_trainer_options *options, const rnl_step_key *key, const rnl_set *set,
                       const rnl_step_part *part, rnl_states *states, const rnl_step_plan *probe, bool hold,
                       bool *good, rnl_error *err) {
  const int64_t size[2] = {p->size, p->batch - (p->n - 1) * p->size};
  p->weight = rnl_alloc((size_t)p->n, sizeof *p->weight);
  if (!p->weight) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the parts of a batch");
  *good = true;
  for (int i = 0; i < 2 && *good; i++) {
    if (i == 1 && size[1] == size[0]) continue;
    RNL_TRY(try_record(&p->step[i], options, key, size[i], set, part, states, good, err));
    *good = *good && same_steps(probe, &p->step[i]) && pieces_of(&p->step[i]) == pieces_of(&p->step[0]);
  }
  return *good && hold ? make_held(p, err) : RNL_OK;
}

rnl_status rnl_parts_new(rnl_parts **out, const rnl_trainer_options *options, const rnl_step_key *key,
                         const rnl_set *set, const rnl_step_part *part, rnl_states *states, bool hold,
                         rnl_error *err) {
  *out = NULL;
  if (key->carries || key->undivided || key->loss_from || key->batch <= SMALLEST) return RNL_OK;
  rnl_step_plan probe[2] = {{.plan = NULL}, {.plan = NULL}};
  rnl_parts *p = NULL;
  int64_t size;
  bool good = false;
  rnl_status status = choose_size(options, key, set, part, states, probe, &size, err);
  rnl_step_plan_release(&probe[1]);
  if (status == RNL_OK && size < key->batch) {
    p = rnl_alloc(1, sizeof *p);
    if (!p) status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the parts of a batch");
  }
  if (p) {
    p->batch = key->batch;
    p->size = size;
    p->n = (int)((key->batch + size - 1) / size);
    status = make(p, options, key, set, part, states, &probe[0], hold, &good, err);
  }
  rnl_step_plan_release(&probe[0]);
  if (status == RNL_OK && good) *out = p;
  else rnl_parts_free(p);
  return status;
}

void rnl_parts_free(rnl_parts *p) {
  if (!p) return;
  for (int64_t i = 0; p->held && i < (int64_t)p->n * p->pieces; i++) rnl_tensor_release(&p->held[i]);
  for (int i = 0; i < 2; i++) rnl_step_plan_release(&p->step[i]);
  rnl_free(p->held);
  rnl_free(p->settled);
  rnl_free(p->weight);
  rnl_free(p);
}

void rnl_parts_set_threads(rnl_parts *p, int threads) {
  for (int i = 0; i < 2; i++)
    if (p->step[i].plan) rnl_plan_set_threads(p->step[i].plan, threads);
}

size_t rnl_parts_bytes(const rnl_parts *p) {
  size_t bytes = 0;
  for (int64_t i = 0; p->held && i < (int64_t)p->n * p->pieces; i++) bytes += p->held[i].storage->bytes;
  return bytes;
}

/* ---- loading and running -------------------------------------------------------------------- */

static rnl_step_part part_of(const rnl_parts *p, int k) {
  const int64_t from = k * p->size;
  return (rnl_step_part){.first = p->on.first + from, .from = p->on.from,
                         .order = p->on.order ? p->on.order + from : NULL};
}

/* What part k holds goes into the leaves and the nodes, and what they held into its place; so again afterwards. The
 * storages change their memory, so that views of the leaves follow. */
static void exchange(rnl_parts *p, int k) { each_piece(p, k, exchange_piece, NULL); }

static rnl_status load(rnl_parts *p, int k, rnl_error *err) {
  const rnl_step_part on = part_of(p, k);
  return rnl_step_plan_fill(step_of(p, k), p->set, &on, err);
}

void rnl_parts_load(rnl_parts *p, const rnl_set *set, const rnl_step_part *part) {
  p->set = set;
  p->on = *part;
  p->holds = NULL;
  p->total = 0;
  for (int k = 0; k < p->n; k++) {
    const rnl_step_part on = part_of(p, k);
    p->weight[k] = rnl_set_weight(set, on.first, step_of(p, k)->key.batch, on.order, on.from, set->steps);
    p->total += p->weight[k];
  }
}

rnl_status rnl_parts_hold(rnl_parts *p, rnl_error *err) {
  if (!p->held || p->holds) return RNL_OK;
  for (int k = 0; k < p->n; k++) {
    exchange(p, k);
    const rnl_status status = load(p, k, err);
    exchange(p, k);
    p->settled[k] = false; /* the nodes have not seen it */
    RNL_TRY(status);
  }
  p->holds = p->set;
  return RNL_OK;
}

bool rnl_parts_all_count(const rnl_parts *p) {
  for (int k = 0; k < p->n; k++)
    if (p->weight[k] == 0) return false;
  return true;
}

/* One part's share of the loss and the gradients. */
static rnl_status run_part(rnl_parts *p, int k, const rnl_parts_pass *pass, bool add, double *loss, rnl_error *err) {
  const rnl_step_plan *step = step_of(p, k);
  const double share = p->weight[k] / p->total;
  *rnl_f64(rnl_value(step->clock)) = pass->clock;
  RNL_TRY(rnl_plan_forward(step->plan, err));
  *loss += share * rnl_tensor_at(rnl_value(step->loss), 0);
  if (pass->look)
    RNL_TRY(pass->look(pass->context, k * p->size, step->key.batch, rnl_value(step->prediction), err));
  return step->key.gradients && isfinite(*loss) ? rnl_plan_backward_share(step->plan, share, add, err) : RNL_OK;
}

rnl_status rnl_parts_run(rnl_parts *p, const rnl_parts_pass *pass, double *loss, rnl_error *err) {
  const bool gradients = p->step[0].key.gradients;
  bool add = false;
  *loss = 0;
  for (int k = 0; k < p->n && (!gradients || isfinite(*loss)); k++) {
    if (p->weight[k] == 0) continue; /* padding alone */
    if (p->holds) exchange(p, k);
    if (p->holds && !p->settled[k]) rnl_plan_changed(step_of(p, k)->plan);
    rnl_status status = p->holds ? RNL_OK : load(p, k, err);
    if (status == RNL_OK) status = run_part(p, k, pass, add, loss, err);
    if (p->holds) {
      exchange(p, k);
      p->settled[k] = status == RNL_OK;
    }
    if (status != RNL_OK && k > 0)
      rnl_error_prefix(err, "sequences %lld to %lld of the batch", (long long)(k * p->size + 1),
                       (long long)(k * p->size + step_of(p, k)->key.batch));
    RNL_TRY(status);
    add = true;
  }
  return RNL_OK;
}
