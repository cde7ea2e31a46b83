/* rnn/recurrent.c: the op of the simple recurrent layers: its shape rule, and the choice of regime. */
#include "rnn/recurrent.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "rnn/lengths.h"
#include "rnn/recurrent_regimes.h"

/* ---- names ---------------------------------------------------------------------------------- */

static const char *const cell_names[] = {"elman", "jordan"};
static const char *const activation_names[] = {"linear", "tanh", "sigmoid", "relu"};
static const char *const regime_names[] = {"auto", "small", "reference", "large"};
_Static_assert(sizeof activation_names / sizeof *activation_names == RNL_ACT_COUNT, "a name each");

static rnl_status find_name(const char *what, const char *name, const char *const *names, int count,
                            int *out, rnl_error *err) {
  char list[160] = "";
  size_t used = 0;
  for (int i = 0; i < count; i++) {
    if (strcmp(names[i], name) == 0) {
      *out = i;
      return RNL_OK;
    }
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
  }
  return rnl_fail(err, RNL_ERR_ARG, "no %s \"%s\"; there are %s", what, name, list);
}

rnl_status rnl_cell_from_name(const char *name, rnl_cell *out, rnl_error *err) {
  int i = 0;
  RNL_TRY(find_name("cell", name, cell_names, 2, &i, err));
  *out = (rnl_cell)i;
  return RNL_OK;
}
rnl_status rnl_activation_from_name(const char *name, rnl_activation *out, rnl_error *err) {
  int i = 0;
  RNL_TRY(find_name("activation", name, activation_names, RNL_ACT_COUNT, &i, err));
  *out = (rnl_activation)i;
  return RNL_OK;
}
rnl_status rnl_regime_from_name(const char *name, rnl_regime *out, rnl_error *err) {
  int i = 0;
  RNL_TRY(find_name("regime", name, regime_names, 4, &i, err));
  *out = (rnl_regime)i;
  return RNL_OK;
}
const char *rnl_cell_name(rnl_cell cell) { return cell_names[cell]; }
const char *rnl_activation_name(rnl_activation act) { return activation_names[act]; }

static const rnl_recurrent_attrs *attrs_of(const rnl_node *node) { return node->attrs; }
static const rnl_tensor *optional(const rnl_node *node, int input) {
  return input < node->n_in ? rnl_in(node, input) : NULL;
}

/* ---- regime --------------------------------------------------------------------------------- */

static const rnl_recurrent_arrangement *arrangement_of(const rnl_node *node) {
  return attrs_of(node)->regime == RNL_REGIME_SMALL ? &rnl_recurrent_small : &rnl_recurrent_reference;
}

/* ---- what the regimes share ----------------------------------------------------------------- */

rnl_recurrent_sizes rnl_recurrent_sizes_of(const rnl_node *node) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X), *weight_ih = rnl_in(node, RNL_RECURRENT_WEIGHT_IH),
                   *weight_ho = rnl_in(node, RNL_RECURRENT_WEIGHT_HO);
  rnl_recurrent_sizes n = {.batch = x->size[0], .time = x->size[1], .input = x->size[2],
                           .hidden = weight_ih->size[1], .output = weight_ho ? weight_ho->size[1] : 0,
                           .jordan = attrs->cell == RNL_CELL_JORDAN, .f64 = x->dtype == RNL_F64};
  n.feedback = n.jordan ? n.output : n.hidden;
  return n;
}

rnl_status rnl_recurrent_state0(const rnl_node *node, const rnl_recurrent_sizes *n, rnl_tensor *out,
                                rnl_error *err) {
  const rnl_tensor *state0 = optional(node, RNL_RECURRENT_STATE0);
  memset(out, 0, sizeof *out);
  if (!state0) return RNL_OK;
  return rnl_tensor_expand(out, state0, 2, (int64_t[]){n->batch, n->feedback}, err);
}

void rnl_recurrent_put_dstate0(const rnl_node *node, const rnl_recurrent_sizes *n, const rnl_tensor *gradient) {
  const rnl_tensor *into = rnl_in_grad(node, RNL_RECURRENT_STATE0);
  if (!into) return;
  const bool add = node->accumulate[RNL_RECURRENT_STATE0];
  for (int64_t j = 0; j < n->feedback; j++) {
    double sum = 0;
    for (int64_t b = 0; b < n->batch; b++) {
      double value = rnl_tensor_get(gradient, (int64_t[]){b, j});
      sum += value;
      if (into->ndim == 2)
        rnl_tensor_set(into, (int64_t[]){b, j},
                       value + (add ? rnl_tensor_get(into, (int64_t[]){b, j}) : 0));
    }
    if (into->ndim == 1)
      rnl_tensor_set(into, (int64_t[]){j}, sum + (add ? rnl_tensor_get(into, (int64_t[]){j}) : 0));
  }
}

/* ---- the shape rule ------------------------------------------------------------------------- */

/* Fails unless the input has exactly this shape: "elman layer rnn: bias is (4), expected (5) ..." */
static rnl_status want_shape(const rnl_node *node, const char *layer, int input, const char *name,
                             int ndim, const int64_t *size, const char *why, rnl_error *err) {
  const rnl_tensor *t = rnl_in(node, input);
  bool same = t->ndim == ndim;
  for (int i = 0; same && i < ndim; i++) same = t->size[i] == size[i];
  char got[RNL_SHAPE_TEXT], wanted[RNL_SHAPE_TEXT];
  if (!same)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: %s is %s; expected %s (%s)", layer, name,
                    rnl_tensor_shape_text(got, t), rnl_shape_text(wanted, ndim, size), why);
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X);
  if (t->dtype != x->dtype)
    return rnl_fail(err, RNL_ERR_DTYPE, "%s: %s is %s but x is %s", layer, name, rnl_dtype_name(t->dtype),
                    rnl_dtype_name(x->dtype));
  if (input != RNL_RECURRENT_STATE0 && !rnl_tensor_is_contiguous(t))
    return rnl_fail(err, RNL_ERR_ARG, "%s: %s is a view with gaps; give a contiguous tensor", layer, name);
  return RNL_OK;
}

static rnl_status check_shapes(const rnl_node *node, rnl_error *err) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  const bool jordan = attrs->cell == RNL_CELL_JORDAN;
  char layer[RNL_LAYER_NAME + 24], got[RNL_SHAPE_TEXT], other[RNL_SHAPE_TEXT];
  snprintf(layer, sizeof layer, "%s layer %s", rnl_cell_name(attrs->cell), attrs->name);
  for (int i = 0; i <= RNL_RECURRENT_BIAS; i++)
    if (i >= node->n_in || !node->in[i])
      return rnl_fail(err, RNL_ERR_ARG, "%s: x, weight_ih, %s and bias are needed", layer,
                      jordan ? "weight_oh" : "weight_hh");
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X), *weight_ih = rnl_in(node, RNL_RECURRENT_WEIGHT_IH);
  const rnl_tensor *weight_ho = optional(node, RNL_RECURRENT_WEIGHT_HO);
  const rnl_tensor *bias_o = optional(node, RNL_RECURRENT_BIAS_O);
  if (x->ndim != 3)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: x is %s; expected (batch, time, feature)", layer,
                    rnl_tensor_shape_text(got, x));
  if (x->size[0] < 1 || x->size[1] < 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: x is %s; it needs at least one sequence of one step", layer,
                    rnl_tensor_shape_text(got, x));
  if (weight_ih->ndim != 2 || weight_ih->size[0] != x->size[2] || weight_ih->size[1] < 1)
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "%s: x is %s and weight_ih is %s; weight_ih must be (input, hidden) with as many rows "
                    "as x has features",
                    layer, rnl_tensor_shape_text(got, x), rnl_tensor_shape_text(other, weight_ih));
  if (!weight_ho != !bias_o || (jordan && !weight_ho))
    return rnl_fail(err, RNL_ERR_ARG, "%s: weight_ho and bias_o %s", layer,
                    jordan ? "are needed: its output is fed back" : "go together");
  const int64_t hidden = weight_ih->size[1];
  if (weight_ho && (weight_ho->ndim != 2 || weight_ho->size[0] != hidden || weight_ho->size[1] < 1))
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "%s: weight_ho is %s and weight_ih is %s; weight_ho must be (hidden, output) with "
                    "hidden = %lld",
                    layer, rnl_tensor_shape_text(got, weight_ho), rnl_tensor_shape_text(other, weight_ih),
                    (long long)hidden);
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(node);
  RNL_TRY(want_shape(node, layer, RNL_RECURRENT_WEIGHT_IH, "weight_ih", 2, (int64_t[]){n.input, hidden},
                     "input, hidden", err));
  RNL_TRY(want_shape(node, layer, RNL_RECURRENT_WEIGHT_FB, jordan ? "weight_oh" : "weight_hh", 2,
                     (int64_t[]){n.feedback, hidden}, jordan ? "output, hidden" : "hidden, hidden", err));
  RNL_TRY(want_shape(node, layer, RNL_RECURRENT_BIAS, "bias", 1, &hidden, "hidden", err));
  if (weight_ho) {
    RNL_TRY(want_shape(node, layer, RNL_RECURRENT_WEIGHT_HO, "weight_ho", 2, (int64_t[]){hidden, n.output},
                       "hidden, output", err));
    RNL_TRY(want_shape(node, layer, RNL_RECURRENT_BIAS_O, "bias_o", 1, &n.output, "output", err));
  }
  if (node->n_in > RNL_RECURRENT_STATE0 && node->in[RNL_RECURRENT_STATE0]) {
    const bool shared = rnl_in(node, RNL_RECURRENT_STATE0)->ndim == 1;
    RNL_TRY(want_shape(node, layer, RNL_RECURRENT_STATE0, "state0", shared ? 1 : 2,
                       shared ? &n.feedback : (int64_t[]){n.batch, n.feedback},
                       jordan ? "batch, output, or output for all sequences"
                              : "batch, hidden, or hidden for all sequences",
                       err));
  }
  return RNL_OK;
}

static rnl_status make_lengths(rnl_node *node, rnl_error *err) {
  const rnl_tensor *x = rnl_in(node, RNL_RECURRENT_X), *given = optional(node, RNL_RECURRENT_LENGTHS);
  char got[RNL_SHAPE_TEXT];
  if (!given) return RNL_OK;
  if (given->ndim != 1 || given->size[0] != x->size[0])
    return rnl_fail(err, RNL_ERR_SHAPE, "%s layer %s: lengths is %s; expected (%lld), one a sequence",
                    rnl_cell_name(attrs_of(node)->cell), attrs_of(node)->name, rnl_tensor_shape_text(got, given),
                    (long long)x->size[0]);
  node->own = rnl_alloc(1, sizeof(rnl_recurrent_lengths) + (size_t)x->size[0] * sizeof(int64_t));
  return node->own ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory for lengths");
}

static void release(rnl_node *node) {
  rnl_free(node->own);
  node->own = NULL;
}

static rnl_status prepare(rnl_node *node, rnl_error *err) {
  RNL_TRY(check_shapes(node, err));
  RNL_TRY(make_lengths(node, err));
  rnl_recurrent_attrs *attrs = node->attrs;
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(node);
  if (attrs->regime == RNL_REGIME_AUTO) attrs->regime = RNL_REGIME_SMALL;
  if (attrs->regime == RNL_REGIME_LARGE)
    return rnl_fail(err, RNL_ERR_ARG, "%s layer %s: the large regime is of its cell's program, not of this op",
                    rnl_cell_name(attrs->cell), attrs->name);
  const rnl_recurrent_arrangement *arrangement = arrangement_of(node);
  const rnl_dtype dtype = n.f64 ? RNL_F64 : RNL_F32;
  RNL_TRY(rnl_tensor_new_sequence(rnl_out(node, RNL_RECURRENT_H), dtype, arrangement->layout, n.batch,
                                  n.time, n.hidden, err));
  if (n.output)
    RNL_TRY(rnl_tensor_new_sequence(rnl_out(node, RNL_RECURRENT_Y), dtype, arrangement->layout, n.batch,
                                    n.time, n.output, err));
  bool gradients = false;
  for (int i = 0; i < node->n_in; i++) gradients = gradients || node->needs_grad[i];
  return arrangement->prepare(node, &n, gradients, err);
}

/* ---- passes --------------------------------------------------------------------------------- */

static rnl_status read_lengths(const rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err) {
  rnl_recurrent_lengths *lengths = rnl_recurrent_lengths_of(node);
  if (!lengths || rnl_in_unchanged(node, RNL_RECURRENT_LENGTHS)) return RNL_OK;
  return rnl_lengths_read(rnl_in(node, RNL_RECURRENT_LENGTHS), attrs_of(node)->name, n->batch, n->time, lengths->of,
                          &lengths->least, err);
}

/* The steps past a sequence's end were computed like any other; they count as zero. */
static void clear_outputs(const rnl_node *node) {
  const rnl_recurrent_lengths *lengths = rnl_recurrent_lengths_of(node);
  for (int k = 0; lengths && k < RNL_RECURRENT_OUTPUTS; k++)
    if (rnl_out(node, k)->storage) rnl_lengths_clear(rnl_out(node, k), lengths->of, lengths->least);
}

/* With no gradient from there on da is zero there, and nothing of these steps comes into a sum. */
static void clear_arriving(const rnl_node *node) {
  const rnl_recurrent_lengths *lengths = rnl_recurrent_lengths_of(node);
  for (int k = 0; lengths && k < RNL_RECURRENT_OUTPUTS; k++)
    if (rnl_out(node, k)->storage && rnl_out_grad(node, k))
      rnl_lengths_clear(rnl_out_grad(node, k), lengths->of, lengths->least);
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(node);
  RNL_TRY(read_lengths(node, &n, err));
  RNL_TRY(arrangement_of(node)->forward(node, &n, err));
  clear_outputs(node);
  return RNL_OK;
}

static rnl_status backward(rnl_node *node, rnl_error *err) {
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(node);
  clear_arriving(node);
  return arrangement_of(node)->backward(node, &n, err);
}

/* ---- two layers of one shape side by side --------------------------------------------------- */

static bool pairs(const rnl_node *a, const rnl_node *b) {
  const rnl_recurrent_attrs *one = a->attrs, *other = b->attrs;
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(a), m = rnl_recurrent_sizes_of(b);
  return one->cell == other->cell && one->phi == other->phi && one->sigma == other->sigma &&
         one->regime == RNL_REGIME_SMALL && other->regime == RNL_REGIME_SMALL && n.batch == m.batch &&
         n.time == m.time && n.input == m.input && n.hidden == m.hidden && n.output == m.output && n.f64 == m.f64 &&
         rnl_recurrent_pairs(a, b, &n);
}
static rnl_status forward_pair(rnl_node *a, rnl_node *b, rnl_error *err) {
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(a);
  RNL_TRY(read_lengths(a, &n, err));
  RNL_TRY(read_lengths(b, &n, err));
  RNL_TRY(rnl_recurrent_forward_pair((rnl_node *[]){a, b}, &n, err));
  clear_outputs(a);
  clear_outputs(b);
  return RNL_OK;
}
static rnl_status backward_pair(rnl_node *a, rnl_node *b, rnl_error *err) {
  const rnl_recurrent_sizes n = rnl_recurrent_sizes_of(a);
  clear_arriving(a);
  clear_arriving(b);
  return rnl_recurrent_backward_pair((rnl_node *[]){a, b}, &n, err);
}

/* x in the layer's layout, cleared past the lengths, and these. */
static int kept(const rnl_node *node, rnl_kept *out) {
  const rnl_tensor *packed = &node->work[RNL_RECURRENT_PACKED], *x = rnl_in(node, RNL_RECURRENT_X);
  int n = 0;
  if (packed->storage && !node->in[RNL_RECURRENT_X]->creator)
    out[n++] = (rnl_kept){&packed->storage->data, packed->storage->bytes};
  if (node->own)
    out[n++] = (rnl_kept){(void *)(uintptr_t)&node->own,
                          sizeof(rnl_recurrent_lengths) + (size_t)x->size[0] * sizeof(int64_t)};
  return n;
}

static rnl_layout wants(const rnl_node *node, int input) {
  return input == RNL_RECURRENT_X ? arrangement_of(node)->layout : RNL_LAYOUT_STRIDED;
}

static bool by_rows(const rnl_node *node, int i) {
  if (i == RNL_RECURRENT_STATE0) return rnl_in(node, i)->ndim == 2; /* else one for all sequences */
  return i == RNL_RECURRENT_X || i == RNL_RECURRENT_LENGTHS;
}

const rnl_op rnl_op_recurrent = {
    .name = "recurrent layer",
    .min_in = RNL_RECURRENT_BIAS + 1,
    .max_in = RNL_RECURRENT_INPUTS,
    .n_out = RNL_RECURRENT_OUTPUTS,
    .attrs_size = sizeof(rnl_recurrent_attrs),
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .jvp = rnl_recurrent_jvp,
    .jvp_many = rnl_recurrent_jvp_many,
    .pairs = pairs,
    .forward_pair = forward_pair,
    .backward_pair = backward_pair,
    .by_rows = by_rows,
    .kept = kept,
    .wants = wants,
    .release = release,
};
