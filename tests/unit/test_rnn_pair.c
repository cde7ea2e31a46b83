/* Two layers side by side (grad/plan.h) against one after the other: the same bits in outputs and every gradient, for
 * both cells, every activation, sizes about the tiles, up to eight sequences, times of several blocks. */
#include "golden.h"

#include "base/rng.h"
#include "grad/ops.h"
#include "grad/plan.h"
#include "kernel/kernel.h"
#include "rnn/init.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"

static rnl_var *random_var(uint32_t index, int ndim, const int64_t *size) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 9, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_NORMAL, .b = 0.5};
  OK(rnl_tensor_new(&t, RNL_F32, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, true);
}

/* A target as a trainer loads it: in lanes, as the prediction is. */
static rnl_var *random_target(uint32_t index, int64_t batch, int64_t time, int64_t feature) {
  rnl_tensor t = {0};
  rnl_var *from = random_var(index, 3, (int64_t[]){batch, time, feature});
  OK(rnl_tensor_new_sequence(&t, RNL_F32, RNL_LAYOUT_LANES, batch, time, feature, err));
  OK(rnl_tensor_copy(&t, rnl_value(from), err));
  rnl_var_release(from);
  return rnl_var_new(&t, false);
}

typedef struct problem {
  rnl_cell cell;
  rnl_activation phi, sigma;
  int64_t batch, time, input, hidden, output;
  bool h_alone; /* the loss is on h */
  bool lengths; /* of 1 .. time */
  bool scaled;  /* the squared error is not the loss but 3/8 of it is */
} problem;

/* A layer of its own numbers with state0, and its loss recorded. */
typedef struct model {
  rnl_var *in[RNL_RECURRENT_INPUTS], *target, *out[RNL_RECURRENT_OUTPUTS], *error, *scale, *loss;
  rnl_plan *plan;
} model;

static model model_new(const problem *p, uint32_t number) {
  const int64_t feedback = p->cell == RNL_CELL_JORDAN ? p->output : p->hidden;
  const uint32_t first = 100 * number;
  rnl_recurrent_attrs attrs = {
      .cell = p->cell, .phi = p->phi, .sigma = p->sigma, .regime = RNL_REGIME_SMALL, .name = "p"};
  rnl_loss kind = RNL_LOSS_SSE;
  model m = {.in = {random_var(first, 3, (int64_t[]){p->batch, p->time, p->input}),
                    random_var(first + 1, 2, (int64_t[]){p->input, p->hidden}),
                    random_var(first + 2, 2, (int64_t[]){feedback, p->hidden}),
                    random_var(first + 3, 1, (int64_t[]){p->hidden}),
                    random_var(first + 4, 2, (int64_t[]){p->hidden, p->output}),
                    random_var(first + 5, 1, (int64_t[]){p->output}),
                    random_var(first + 6, 2, (int64_t[]){p->batch, feedback})}};
  if (p->lengths) {
    m.in[RNL_RECURRENT_LENGTHS] = random_var(0, 1, &p->batch);
    m.in[RNL_RECURRENT_LENGTHS]->requires_grad = false;
    for (int64_t b = 0; b < p->batch; b++)
      rnl_tensor_put(rnl_value(m.in[RNL_RECURRENT_LENGTHS]), b, (double)(1 + (5 * b + number) % p->time));
  }
  m.target = random_target(first + 7, p->batch, p->time, p->h_alone ? p->hidden : p->output);
  rnl_record_begin();
  OK(rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, m.in, m.out, err));
  OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){m.out[p->h_alone ? 0 : 1], m.target}, &m.error, err));
  rnl_tensor scale = {0};
  OK(rnl_tensor_new(&scale, RNL_F32, 0, NULL, err));
  rnl_tensor_put(&scale, 0, p->scaled ? .375 : 1);
  m.scale = rnl_var_new(&scale, false);
  rnl_binary times = RNL_BINARY_MUL;
  if (p->scaled) OK(rnl_apply(&rnl_op_binary, &times, 2, (rnl_var *[]){m.error, m.scale}, &m.loss, err));
  else m.loss = rnl_var_ref(m.error);
  rnl_record_end();
  OK(rnl_plan_new(&m.plan, &m.loss, 1, m.loss, err));
  return m;
}

static void model_free(model *m) {
  rnl_plan_free(m->plan);
  for (int i = 0; i < RNL_RECURRENT_INPUTS; i++) rnl_var_release(m->in[i]);
  for (int i = 0; i < RNL_RECURRENT_OUTPUTS; i++) rnl_var_release(m->out[i]);
  rnl_var_release(m->target);
  rnl_var_release(m->error);
  rnl_var_release(m->scale);
  rnl_var_release(m->loss);
}

static void assert_same_bits(const rnl_tensor *a, const rnl_tensor *b) {
  for (int64_t i = 0; i < rnl_tensor_numel(a); i++) {
    const float x = (float)rnl_tensor_at(a, i), y = (float)rnl_tensor_at(b, i);
    assert_memory_equal(&x, &y, sizeof x);
  }
}

static void check(const problem *p) {
  model alone[2] = {model_new(p, 1), model_new(p, 2)}, both[2] = {model_new(p, 1), model_new(p, 2)};
  const bool can = rnl_kernels_of(false)->lane_pair_forward != NULL;
  assert_int_equal(rnl_plans_gain((rnl_plan *[]){both[0].plan, both[1].plan}), can);
  rnl_status status[2] = {RNL_OK, RNL_OK};
  rnl_error errors[2];
  for (int round = 0; round < 2; round++) { /* buffers used once more */
    for (int k = 0; k < 2; k++) {
      OK(rnl_plan_forward(alone[k].plan, err));
      OK(rnl_plan_backward(alone[k].plan, err));
    }
    rnl_plans_forward((rnl_plan *[]){both[0].plan, both[1].plan}, status, errors);
    rnl_plans_backward((rnl_plan *[]){both[0].plan, both[1].plan}, status, errors);
    assert_int_equal(status[0], RNL_OK);
    assert_int_equal(status[1], RNL_OK);
  }
  for (int k = 0; k < 2; k++) {
    assert_same_bits(rnl_value(alone[k].loss), rnl_value(both[k].loss));
    for (int i = 0; i < RNL_RECURRENT_OUTPUTS; i++)
      assert_same_bits(rnl_value(alone[k].out[i]), rnl_value(both[k].out[i]));
    for (int i = 0; i < RNL_RECURRENT_LENGTHS; i++) {
      assert_true(rnl_grad(alone[k].in[i])->storage != NULL);
      assert_same_bits(rnl_grad(alone[k].in[i]), rnl_grad(both[k].in[i]));
    }
  }
  for (int k = 0; k < 2; k++) model_free(&alone[k]), model_free(&both[k]);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void side_by_side_is_one_after_the_other(void **state) {
  (void)state;
  for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
    for (int phi = 0; phi < RNL_ACT_COUNT; phi++)
      for (int sigma = 0; sigma < RNL_ACT_COUNT; sigma++)
        check(&(problem){(rnl_cell)cell, (rnl_activation)phi, (rnl_activation)sigma, 8, 25, 3, 5, 2, false,
                         (phi + sigma) % 2 == 0, (phi + 2 * sigma) % 3 == 0});
  for (int64_t hidden = 1; hidden <= 14; hidden++)
    for (int64_t batch = 1; batch <= 8; batch += 7)
      for (int cell = RNL_CELL_ELMAN; cell <= RNL_CELL_JORDAN; cell++)
        check(&(problem){(rnl_cell)cell, RNL_ACT_TANH, RNL_ACT_LINEAR, batch, 96 + hidden * 4, hidden % 4 + 1, hidden,
                         hidden % 9 + 1, hidden % 2 == 0, hidden % 3 == 0, hidden % 5 < 2});
}

static void what_does_not_match_is_not_paired(void **state) {
  (void)state;
  problem p = {RNL_CELL_ELMAN, RNL_ACT_TANH, RNL_ACT_LINEAR, 8, 5, 3, 5, 2, false, false, false}, q = p;
  model a = model_new(&p, 1);
  for (int way = 0; way < 4; way++) {
    q = p;
    if (way == 0) q.hidden = 6;
    if (way == 1) q.batch = 7;
    if (way == 2) q.cell = RNL_CELL_JORDAN;
    if (way == 3) q.sigma = RNL_ACT_SIGMOID;
    model b = model_new(&q, 2);
    assert_false(rnl_plans_gain((rnl_plan *[]){a.plan, b.plan}));
    model_free(&b);
  }
  model like = model_new(&p, 2); /* what was said of others is not said of this one, and is said again */
  const bool can = rnl_kernels_of(false)->lane_pair_forward != NULL;
  for (int round = 0; round < 2; round++) assert_int_equal(rnl_plans_gain((rnl_plan *[]){a.plan, like.plan}), can);
  model_free(&like);
  problem wide = p;
  wide.batch = 9; /* no half of a register */
  model b = model_new(&wide, 1), c = model_new(&wide, 2);
  assert_false(rnl_plans_gain((rnl_plan *[]){b.plan, c.plan}));
  model_free(&a), model_free(&b), model_free(&c);
}

int main(void) {
  rnl_fpu_enter();
  const struct CMUnitTest tests[] = {cmocka_unit_test(side_by_side_is_one_after_the_other),
                                     cmocka_unit_test(what_does_not_match_is_not_paired)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
