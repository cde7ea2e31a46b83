/* What layers and losses make of data (x packed and cleared past the lengths, the weights of rows) is kept from pass to
 * pass where the plan's owner says when data change (rnl_plan_changed), and only there. */
#include "programs.h"

#include "rnn/recurrent.h"
#include "rnn/row_loss.h"

enum { BATCH = 5, TIME = 12, INPUT = 3, HIDDEN = 4, WEIGHTS = 8 };

typedef struct problem {
  rnl_program *program; /* NULL: an Elman layer */
  rnl_regime regime;
  rnl_var *x, *target, *mask, *lengths, *weight[WEIGHTS], *h, *loss;
  int n_weights;
  rnl_plan *plan;
} problem;

static rnl_var *random_leaf(uint32_t seed, int ndim, const int64_t *size, bool requires_grad) {
  return program_random(seed, RNL_F32, ndim, size, .7, requires_grad);
}

/* Laid out as the layer's outputs, which is how the loss's kernel takes it. */
static rnl_var *target_for(rnl_regime regime, int64_t features) {
  const rnl_layout layout = regime == RNL_REGIME_SMALL ? RNL_LAYOUT_LANES : RNL_LAYOUT_TIME;
  rnl_var *from = random_leaf(2, 3, (int64_t[]){BATCH, TIME, features}, false);
  rnl_tensor to;
  OK(rnl_tensor_new_sequence(&to, RNL_F32, layout, BATCH, TIME, features, err));
  OK(rnl_tensor_copy(&to, rnl_value(from), err));
  rnl_var_release(from);
  return rnl_var_new(&to, false);
}

static void set_lengths(problem *p, int shift) {
  for (int64_t b = 0; b < BATCH; b++) rnl_tensor_put(rnl_value(p->lengths), b, (double)(1 + (5 * b + shift) % TIME));
}

static void apply_layer(problem *p) {
  rnl_var *in[RNL_MAX_IN] = {p->x}, *out[RNL_MAX_OUT] = {NULL};
  if (p->program) {
    const rnl_program *g = p->program;
    const rnl_program_attrs attrs = {.program = p->program, .regime = p->regime, .name = "p"};
    for (int k = 0; k < g->n_weights; k++) in[rnl_program_first_weight(g) + k] = p->weight[k];
    in[rnl_program_lengths(g)] = p->lengths;
    OK(rnl_apply(&rnl_op_program, &attrs, rnl_program_lengths(g) + 1, in, out, err));
  } else {
    const rnl_recurrent_attrs attrs = {.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .regime = p->regime, .name = "p"};
    for (int k = 0; k < p->n_weights; k++) in[1 + k] = p->weight[k];
    in[RNL_RECURRENT_LENGTHS] = p->lengths;
    OK(rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, in, out, err));
  }
  p->h = out[0];
  for (int k = 1; k < RNL_MAX_OUT; k++) rnl_var_release(out[k]);
}

static problem problem_new(rnl_program *program, rnl_regime regime) {
  const int64_t features = program ? program->value[program->output[0]].width : HIDDEN;
  problem p = {.program = program, .regime = regime, .x = random_leaf(1, 3, (int64_t[]){BATCH, TIME, INPUT}, false),
               .target = target_for(regime, features),
               .mask = random_leaf(3, 2, (int64_t[]){BATCH, TIME}, false),
               .lengths = random_leaf(4, 1, (int64_t[]){BATCH}, false)};
  set_lengths(&p, 0);
  if (program) {
    p.n_weights = program->n_weights;
    for (int k = 0; k < p.n_weights; k++) {
      const rnl_program_value *w = &program->value[program->weight[k]];
      p.weight[k] = random_leaf(10 + (uint32_t)k, w->rows ? 2 : 1, w->rows ? (int64_t[]){w->rows, w->width} : &w->width,
                                true);
    }
  } else {
    p.n_weights = 3;
    p.weight[0] = random_leaf(10, 2, (int64_t[]){INPUT, HIDDEN}, true);
    p.weight[1] = random_leaf(11, 2, (int64_t[]){HIDDEN, HIDDEN}, true);
    p.weight[2] = random_leaf(12, 1, (int64_t[]){HIDDEN}, true);
  }
  rnl_row_loss_attrs loss;
  OK(rnl_row_loss_from_name("huber", &loss, err));
  rnl_record_begin();
  apply_layer(&p);
  OK(rnl_apply(&rnl_op_row_loss, &loss, 4, (rnl_var *[]){p.h, p.target, p.mask, p.lengths}, &p.loss, err));
  rnl_record_end();
  OK(rnl_plan_new(&p.plan, &p.loss, 1, p.loss, err));
  return p;
}

static void problem_free(problem *p) {
  rnl_plan_free(p->plan);
  for (int k = 0; k < p->n_weights; k++) rnl_var_release(p->weight[k]);
  rnl_var_release(p->x), rnl_var_release(p->target), rnl_var_release(p->mask), rnl_var_release(p->lengths);
  rnl_var_release(p->h), rnl_var_release(p->loss);
}

static void pass(problem *p) {
  OK(rnl_plan_forward(p->plan, err));
  OK(rnl_plan_backward(p->plan, err));
}

static void assert_same(const rnl_tensor *a, const rnl_tensor *b) {
  for (int64_t i = 0; i < rnl_tensor_numel(a); i++) {
    const float x = (float)rnl_tensor_at(a, i), y = (float)rnl_tensor_at(b, i);
    assert_memory_equal(&x, &y, sizeof x);
  }
}

static void assert_alike(const problem *a, const problem *b) {
  assert_same(rnl_value(a->loss), rnl_value(b->loss));
  assert_same(rnl_value(a->h), rnl_value(b->h));
  for (int k = 0; k < a->n_weights; k++) assert_same(rnl_grad(a->weight[k]), rnl_grad(b->weight[k]));
}

/* Other data in place, without a word to the plan. */
static void change(problem *p, int round) {
  set_lengths(p, round);
  for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(p->x)); i++)
    rnl_tensor_put(rnl_value(p->x), i, sin((double)(i * round)));
  for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(p->mask)); i++)
    rnl_tensor_put(rnl_value(p->mask), i, (double)((i + round) % 3));
}

static void check(rnl_program *program, rnl_regime regime) {
  problem told = problem_new(program, regime), plain = problem_new(program, regime);
  rnl_plan_changed(told.plan);
  for (int round = 1; round <= 3; round++) {
    for (int again = 0; again < 2; again++) { /* the second time `told` keeps what it made of the data */
      pass(&told), pass(&plain);
      assert_alike(&told, &plain);
    }
    change(&told, round), change(&plain, round);
    const double before = rnl_tensor_at(rnl_value(told.loss), 0);
    OK(rnl_plan_forward(told.plan, err)); /* it does keep them: it has not been told */
    assert_true(rnl_tensor_at(rnl_value(told.loss), 0) == before);
    rnl_plan_changed(told.plan);
  }
  pass(&told), pass(&plain);
  OK(rnl_plan_backward(told.plan, err)); /* which has used up the gradient that the loss left: forward again */
  assert_alike(&told, &plain);
  problem_free(&told), problem_free(&plain);
}

static void data_are_looked_at_when_they_change(void **state) {
  (void)state;
  check(NULL, RNL_REGIME_SMALL);
  for (int regime = RNL_REGIME_SMALL; regime <= RNL_REGIME_LARGE; regime++) {
    if (regime == RNL_REGIME_REFERENCE) continue; /* it keeps nothing */
    rnl_program *lstm = program_lstm((program_sizes){.input = INPUT, .hidden = HIDDEN, .output = 2});
    OK(rnl_program_finish(lstm, err));
    check(lstm, (rnl_regime)regime);
    rnl_program_release(lstm);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  rnl_fpu_enter();
  const struct CMUnitTest tests[] = {cmocka_unit_test(data_are_looked_at_when_they_change)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
