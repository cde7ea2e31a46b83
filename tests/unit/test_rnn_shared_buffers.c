/* A plan's gradient buffers serve one value after the other, and what ops borrow is lent to all in turn (grad/plan.c):
 * the gradients are those of an eager pass, where each value has its own, and a stack's memory grows by its states. */
#include "golden.h"

#include "base/rng.h"
#include "grad/plan.h"
#include "kernel/kernel.h"
#include "rnn/init.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"

enum { BATCH = 5, TIME = 60, WIDTH = 7, MOST = 12, WEIGHTS = 3 };

/* Elman layers WIDTH -> WIDTH one on the other, and the loss of the last one's states. */
typedef struct stack {
  int layers;
  rnl_var *x, *target, *weight[MOST][WEIGHTS], *top, *loss;
} stack;

static rnl_var *random_var(uint32_t index, int ndim, const int64_t *size, bool requires_grad) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 4, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_NORMAL, .b = 0.5};
  OK(rnl_tensor_new(&t, RNL_F32, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, requires_grad);
}

static stack stack_new(int layers, rnl_regime regime) {
  stack s = {.layers = layers, .x = random_var(0, 3, (int64_t[]){BATCH, TIME, WIDTH}, false),
             .target = random_var(1, 3, (int64_t[]){BATCH, TIME, WIDTH}, false)};
  rnl_recurrent_attrs attrs = {.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .regime = regime, .name = "s"};
  rnl_loss kind = RNL_LOSS_SSE;
  rnl_var *input = rnl_var_ref(s.x);
  for (int l = 0; l < layers; l++) {
    const uint32_t first = 10 + 10 * (uint32_t)l;
    s.weight[l][0] = random_var(first, 2, (int64_t[]){WIDTH, WIDTH}, true);
    s.weight[l][1] = random_var(first + 1, 2, (int64_t[]){WIDTH, WIDTH}, true);
    s.weight[l][2] = random_var(first + 2, 1, (int64_t[]){WIDTH}, true);
    rnl_var *in[RNL_RECURRENT_INPUTS] = {input, s.weight[l][0], s.weight[l][1], s.weight[l][2]};
    rnl_var *out[RNL_RECURRENT_OUTPUTS];
    OK(rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, in, out, err));
    rnl_var_release(input);
    input = out[0];
    for (int i = 1; i < RNL_RECURRENT_OUTPUTS; i++) rnl_var_release(out[i]);
  }
  s.top = input;
  OK(rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){s.top, s.target}, &s.loss, err));
  return s;
}

static void stack_free(stack *s) {
  for (int l = 0; l < s->layers; l++)
    for (int i = 0; i < WEIGHTS; i++) rnl_var_release(s->weight[l][i]);
  rnl_var_release(s->x);
  rnl_var_release(s->target);
  rnl_var_release(s->top);
  rnl_var_release(s->loss);
}

static void assert_same_bits(const rnl_tensor *a, const rnl_tensor *b) {
  assert_non_null(a->storage);
  assert_non_null(b->storage);
  for (int64_t i = 0; i < rnl_tensor_numel(a); i++) {
    const float x = (float)rnl_tensor_at(a, i), y = (float)rnl_tensor_at(b, i);
    assert_memory_equal(&x, &y, sizeof x);
  }
}

static void gradients_are_an_eager_pass(void **state) {
  (void)state;
  for (int regime = RNL_REGIME_SMALL; regime <= RNL_REGIME_REFERENCE; regime++) {
    stack eager = stack_new(6, (rnl_regime)regime), planned = stack_new(6, (rnl_regime)regime);
    OK(rnl_backward(eager.loss, err));
    rnl_plan *plan;
    OK(rnl_plan_new(&plan, (rnl_var *[]){planned.top, planned.loss}, 2, planned.loss, err));
    for (int round = 0; round < 2; round++) { /* buffers used once more */
      OK(rnl_plan_forward(plan, err));
      spoil_borrowed(plan);
      OK(rnl_plan_backward(plan, err));
    }
    for (int l = 0; l < 6; l++)
      for (int i = 0; i < WEIGHTS; i++)
        assert_same_bits(rnl_grad(eager.weight[l][i]), rnl_grad(planned.weight[l][i]));
    assert_same_bits(rnl_grad(eager.top), rnl_grad(planned.top)); /* an output of the plan keeps its own */
    rnl_plan_free(plan);
    stack_free(&eager), stack_free(&planned);
    assert_int_equal(rnl_alloc_live(), 0);
  }
}

static size_t bytes_of(int layers) {
  stack s = stack_new(layers, RNL_REGIME_SMALL);
  rnl_plan *plan;
  OK(rnl_plan_new(&plan, (rnl_var *[]){s.top, s.loss}, 2, s.loss, err));
  const size_t bytes = rnl_plan_bytes(plan);
  rnl_plan_free(plan);
  stack_free(&s);
  return bytes;
}

static void a_layer_costs_its_states(void **state) {
  (void)state;
  const size_t states = sizeof(float) * TIME * WIDTH * RNL_KERNEL_SHORT;
  const size_t weights = 2 * sizeof(float) * (2 * WIDTH * WIDTH + WIDTH);
  const size_t state0 = sizeof(float) * WIDTH * RNL_KERNEL_SHORT;
  assert_int_equal(bytes_of(12) - bytes_of(6), 6 * (states + weights + state0));
}

int main(void) {
  rnl_fpu_enter();
  const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_an_eager_pass),
                                     cmocka_unit_test(a_layer_costs_its_states)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
