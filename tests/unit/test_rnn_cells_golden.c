/* The built-in cells against PyTorch's numbers: outputs, final states, loss and every gradient, in each regime and
 * dtype. */
#include "golden.h"

#include "grad/ops.h"
#include "grad/plan.h"
#include "rnn/cells.h"
#include "rnn/loss.h"
#include "rnn/program_op.h"
#include "rnn/row_loss.h"
#include "rnn/sequence.h"

typedef struct cell_case {
  const char *file;
  rnl_cell_kind kind;
  rnl_activation phi, sigma;
  bool truncated, forced;
} cell_case;

/* Where a weight of the program stands in the file: a parameter, or columns or a row of one. */
typedef struct origin {
  char name[RNL_PROGRAM_NAME];
  int64_t row;             /* -1: all */
  int64_t column, columns; /* columns 0: all */
} origin;

static origin origin_of(const rnl_program *p, int k) {
  origin o = {.row = -1};
  const char *name = p->weight_name[k];
  const rnl_program_value *w = &p->value[p->weight[k]];
  snprintf(o.name, sizeof o.name, "%s", name);
  if (strncmp(name, "peephole_", 9) == 0) {
    snprintf(o.name, sizeof o.name, "weight_peephole");
    o.row = name[9] == 'i' ? 0 : name[9] == 'f' ? 1 : 2;
  } else if (strcmp(p->name, "gru_original") == 0 && strcmp(name, "weight_hh") == 0) {
    o.columns = w->width;
  } else if (strcmp(name, "weight_hn") == 0) {
    snprintf(o.name, sizeof o.name, "weight_hh");
    o.column = 2 * w->width;
    o.columns = w->width;
  }
  return o;
}

/* The part of a (rows, columns) or vector tensor that an origin means; a copy. */
static rnl_tensor part_of(const rnl_tensor *t, origin o) {
  rnl_tensor part = {0};
  if (o.row < 0 && !o.columns) return rnl_tensor_ref(t);
  const int64_t columns = o.columns ? o.columns : t->size[1], rows = o.row < 0 ? t->size[0] : 1;
  OK(rnl_tensor_new(&part, t->dtype, o.row < 0 ? 2 : 1, o.row < 0 ? (int64_t[]){rows, columns} : &columns, err));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      rnl_tensor_put(&part, i * columns + j, rnl_tensor_get(t, (int64_t[]){o.row < 0 ? i : o.row, o.column + j}));
  return part;
}

static rnl_var *apply(const rnl_op *op, const void *attrs, int n, rnl_var *const *in) {
  rnl_var *out = NULL;
  OK(rnl_apply(op, attrs, n, in, &out, err));
  return out;
}

/* a + b, both given up; a may be NULL */
static rnl_var *add(rnl_var *a, rnl_var *b) {
  const rnl_binary kind = RNL_BINARY_ADD;
  if (!a) return b;
  rnl_var *sum = apply(&rnl_op_binary, &kind, 2, (rnl_var *[]){a, b});
  rnl_var_release(a);
  rnl_var_release(b);
  return sum;
}

/* The loss of the file, of the output and of the final states. */
static rnl_var *loss_of(const golden *g, const rnl_program *p, rnl_var **out, rnl_var *lengths, rnl_dtype dtype) {
  const char *name = golden_text(g, "loss", "");
  rnl_var *target = golden_var(g, "inputs", "target", dtype), *judged = rnl_var_ref(out[0]), *loss;
  target->requires_grad = false;
  rnl_row_loss_attrs attrs = {.sum = true, .delta = 1};
  attrs.kind = strcmp(name, "huber") == 0             ? RNL_ROW_LOSS_HUBER
               : strcmp(name, "mae") == 0             ? RNL_ROW_LOSS_MAE
               : strcmp(name, "bce_with_logits") == 0 ? RNL_ROW_LOSS_BCE
               : strcmp(name, "softmax_cross_entropy") == 0 ? RNL_ROW_LOSS_CROSS_ENTROPY : RNL_ROW_LOSS_SSE;
  if (golden_entry(g, "options", "delta")) attrs.delta = golden_option(g, "delta");
  if (strcmp(name, "softmax_cross_entropy") == 0 && rnl_value(target)->ndim == 1) {
    rnl_var *last = apply(&rnl_op_last, NULL, 2, (rnl_var *[]){judged, NULL});
    rnl_var_release(judged);
    judged = last;
  }
  loss = apply(&rnl_op_row_loss, &attrs, RNL_ROW_LOSS_INPUTS, (rnl_var *[]){judged, target, NULL, lengths, NULL});
  rnl_var_release(judged);
  rnl_var_release(target);
  for (int k = 0; k < p->n_states; k++) {
    char cotangent[32];
    snprintf(cotangent, sizeof cotangent, "cot_%s_n", p->state_name[k]);
    if (!golden_entry(g, "inputs", cotangent)) continue;
    rnl_var *weight = golden_var(g, "inputs", cotangent, dtype);
    weight->requires_grad = false;
    const rnl_binary times = RNL_BINARY_MUL;
    const rnl_reduce_attrs sum = {.dim = -1};
    rnl_var *product = apply(&rnl_op_binary, &times, 2, (rnl_var *[]){out[p->n_outputs + k], weight});
    loss = add(loss, apply(&rnl_op_reduce, &sum, 1, &product));
    rnl_var_release(product);
    rnl_var_release(weight);
  }
  return loss;
}

static void compare_gradient(const golden *g, const char *name, origin o, const rnl_tensor *got, const char *context) {
  rnl_tensor whole = golden_tensor(g, "grads", name, RNL_F64), want = part_of(&whole, o);
  if (!got->storage) fail_msg("%s %s: no gradient of %s", g->name, context, name);
  for (int64_t i = 0; i < rnl_tensor_numel(&want); i++) {
    const double a = rnl_tensor_at(got, i), b = rnl_tensor_at(&want, i);
    if (!(error_of(a, b) <= golden_tolerance(got->dtype)))
      fail_msg("%s %s: gradient of %s[%d] is %.17g, expected %.17g", g->name, context, name, (int)i, a, b);
  }
  rnl_tensor_release(&whole);
  rnl_tensor_release(&want);
}

static void run_case(const cell_case *c, rnl_regime regime, rnl_dtype dtype) {
  golden g = golden_open(c->file);
  char context[64];
  snprintf(context, sizeof context, "regime %d %s", regime, rnl_dtype_name(dtype));
  const bool reads_out = golden_entry(&g, "params", "weight_ho") != NULL;
  const rnl_tensor x_value = golden_tensor(&g, "inputs", "x", dtype);
  rnl_cell_options o = {.kind = c->kind,
                        .input_size = x_value.size[2],
                        .hidden_size = (int64_t)golden_option(&g, "hidden_size"),
                        .activation = c->phi,
                        .output_activation = c->sigma,
                        .truncated = c->truncated,
                        .forced = c->forced,
                        .states = true};
  rnl_tensor_release((rnl_tensor *)&x_value);
  if (reads_out) {
    const rnl_tensor weight_ho = golden_tensor(&g, "params", "weight_ho", dtype);
    o.output_size = weight_ho.size[1];
    rnl_tensor_release((rnl_tensor *)&weight_ho);
  }
  if (golden_entry(&g, "options", "cells_per_block")) o.block_size = (int64_t)golden_option(&g, "cells_per_block");
  rnl_program *p = NULL;
  OK(rnl_cell_program(&p, &o, err));

  rnl_var *in[RNL_MAX_IN] = {NULL}, *out[RNL_MAX_OUT] = {NULL};
  in[0] = golden_var(&g, "inputs", "x", dtype);
  if (c->forced) {
    in[1] = golden_var(&g, "inputs", "target", dtype);
    in[1]->requires_grad = false;
  }
  for (int k = 0; k < p->n_states; k++) {
    char name[32];
    snprintf(name, sizeof name, "%s0", p->state_name[k]);
    if (golden_entry(&g, "inputs", name)) in[rnl_program_first_state(p) + k] = golden_var(&g, "inputs", name, dtype);
  }
  for (int k = 0; k < p->n_weights; k++) {
    rnl_var **into = &in[rnl_program_first_weight(p) + k];
    const rnl_program_value *w = &p->value[p->weight[k]];
    rnl_tensor value = {0};
    if (strcmp(p->weight_name[k], "expand") == 0) {
      OK(rnl_tensor_new(&value, dtype, 2, (int64_t[]){w->rows, w->width}, err));
      for (int64_t j = 0; j < w->width; j++) rnl_tensor_put(&value, j / o.block_size * w->width + j, 1);
      *into = rnl_var_new(&value, false);
      continue;
    }
    const origin from = origin_of(p, k);
    rnl_tensor whole = golden_tensor(&g, "params", from.name, dtype);
    value = part_of(&whole, from);
    rnl_tensor_release(&whole);
    if (strcmp(p->weight_name[k], "bias") == 0 &&
        golden_entry(&g, "options", "forget_bias")) /* there a constant beside it */
      for (int64_t j = o.hidden_size; j < 2 * o.hidden_size; j++)
        rnl_tensor_put(&value, j, rnl_tensor_at(&value, j) + golden_option(&g, "forget_bias"));
    *into = rnl_var_new(&value, true);
  }
  rnl_var *lengths = golden_entry(&g, "inputs", "lengths") ? golden_var(&g, "inputs", "lengths", dtype) : NULL;
  if (lengths) lengths->requires_grad = false;
  in[rnl_program_lengths(p)] = lengths;
  rnl_program_attrs attrs = {.program = p, .regime = regime, .name = "golden"};
  OK(rnl_apply(&rnl_op_program, &attrs, rnl_program_lengths(p) + 1, in, out, err));
  rnl_var *loss = loss_of(&g, p, out, lengths, dtype);
  OK(rnl_backward(loss, err));

  for (int k = 0; k < p->n_outputs; k++) {
    const char *name = strcmp(p->output_name[k], "y") == 0 && golden_entry(&g, "expected", "logits")
                           ? "logits"
                           : p->output_name[k];
    if (!golden_entry(&g, "expected", name)) continue;
    rnl_tensor want = golden_tensor(&g, "expected", name, dtype);
    if (want.ndim == 3)
      golden_compare(&g, "expected", name, rnl_value(out[k]), context); /* not the last step's alone */
    rnl_tensor_release(&want);
  }
  for (int k = 0; k < p->n_states; k++) {
    char name[32];
    snprintf(name, sizeof name, "%s_n", p->state_name[k]);
    if (golden_entry(&g, "expected", name))
      golden_compare(&g, "expected", name, rnl_value(out[p->n_outputs + k]), context);
    snprintf(name, sizeof name, "%s0", p->state_name[k]);
    if (golden_entry(&g, "grads", name))
      compare_gradient(&g, name, (origin){.row = -1}, rnl_grad(in[rnl_program_first_state(p) + k]), context);
  }
  golden_compare(&g, "expected", "loss", rnl_value(loss), context);
  compare_gradient(&g, "x", (origin){.row = -1}, rnl_grad(in[0]), context);
  for (int k = 0; k < p->n_weights; k++)
    if (strcmp(p->weight_name[k], "expand") != 0)
      compare_gradient(&g, origin_of(p, k).name, origin_of(p, k), rnl_grad(in[rnl_program_first_weight(p) + k]),
                       context);

  rnl_var_release(loss);
  for (int k = 0; k < RNL_MAX_OUT; k++) rnl_var_release(out[k]);
  for (int k = 0; k < RNL_MAX_IN; k++) rnl_var_release(in[k]);
  rnl_program_release(p);
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

static const cell_case cases[] = {
    {"elman_tanh", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"elman_relu", RNL_KIND_ELMAN, RNL_ACT_RELU, RNL_ACT_LINEAR, false, false},
    {"elman_sigmoid", RNL_KIND_ELMAN, RNL_ACT_SIGMOID, RNL_ACT_LINEAR, false, false},
    {"elman_tanh_wide", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"elman_mae", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"elman_huber", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"elman_huber_delta", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"masked_elman", RNL_KIND_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"jordan", RNL_KIND_JORDAN, RNL_ACT_TANH, RNL_ACT_SIGMOID, false, false},
    {"jordan_linear", RNL_KIND_JORDAN, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"jordan_teacher_forced", RNL_KIND_JORDAN, RNL_ACT_TANH, RNL_ACT_SIGMOID, false, true},
    {"lstm", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_wide", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_forget_bias", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_last_step_ce", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_per_step_ce", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"masked_lstm", RNL_KIND_LSTM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_peephole", RNL_KIND_LSTM_PEEPHOLE, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm_layernorm", RNL_KIND_LSTM_LAYERNORM, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm97", RNL_KIND_LSTM97, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"lstm97_truncated", RNL_KIND_LSTM97, RNL_ACT_TANH, RNL_ACT_LINEAR, true, false},
    {"gru", RNL_KIND_GRU, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"gru_wide", RNL_KIND_GRU, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"gru_bce", RNL_KIND_GRU, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
    {"gru_original", RNL_KIND_GRU_ORIGINAL, RNL_ACT_TANH, RNL_ACT_LINEAR, false, false},
};

static void run_all(rnl_regime regime) {
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    run_case(&cases[i], regime, RNL_F64);
    run_case(&cases[i], regime, RNL_F32);
  }
}
static void reference(void **state) { (void)state; run_all(RNL_REGIME_REFERENCE); }
static void small(void **state) { (void)state; run_all(RNL_REGIME_SMALL); }
static void large(void **state) { (void)state; run_all(RNL_REGIME_LARGE); }

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reference), cmocka_unit_test(small), cmocka_unit_test(large)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
