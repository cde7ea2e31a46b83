/* The recurrent layers against PyTorch's numbers: outputs, loss and every gradient, in each regime and
 * dtype. */
#include "golden.h"

#include "grad/plan.h"
#include "rnn/loss.h"
#include "rnn/recurrent.h"

static const char *const regime_names[] = {"auto", "small", "reference"};

/* The layer of a case as recorded: inputs, h, y and, where there is a target, the loss. */
typedef struct net {
  rnl_var *in[RNL_RECURRENT_INPUTS], *out[RNL_RECURRENT_OUTPUTS], *target, *loss;
  const char *names[RNL_RECURRENT_INPUTS];
} net;

static net build(const golden *g, rnl_dtype dtype, rnl_regime regime, bool with_loss) {
  rnl_recurrent_attrs attrs = {.regime = regime, .name = "test"};
  OK(rnl_cell_from_name(golden_text(g, "cell", "?"), &attrs.cell, err));
  OK(rnl_activation_from_name(golden_text(g, "activation", "tanh"), &attrs.phi, err));
  OK(rnl_activation_from_name(golden_text(g, "output_activation", "linear"), &attrs.sigma, err));
  const bool jordan = attrs.cell == RNL_CELL_JORDAN;
  net n = {.names = {"x", "weight_ih", jordan ? "weight_oh" : "weight_hh", "bias", "weight_ho", "bias_o",
                     jordan ? "y0" : "h0"}};
  for (int i = 0; i < RNL_RECURRENT_LENGTHS; i++)
    n.in[i] = golden_var(g, i == RNL_RECURRENT_X || i == RNL_RECURRENT_STATE0 ? "inputs" : "params", n.names[i], dtype);
  OK(rnl_apply(&rnl_op_recurrent, &attrs, RNL_RECURRENT_INPUTS, n.in, n.out, err));
  if (with_loss) {
    rnl_loss kind = RNL_LOSS_SSE;
    n.target = golden_var(g, "inputs", "target", dtype);
    rnl_var *in[2] = {n.out[RNL_RECURRENT_Y], n.target};
    OK(rnl_apply(&rnl_op_squared_error, &kind, 2, in, &n.loss, err));
  }
  return n;
}

static void release(net *n) {
  for (int i = 0; i < RNL_RECURRENT_INPUTS; i++) rnl_var_release(n->in[i]);
  for (int i = 0; i < RNL_RECURRENT_OUTPUTS; i++) rnl_var_release(n->out[i]);
  rnl_var_release(n->target);
  rnl_var_release(n->loss);
}

static void check_case(const char *name, bool with_loss) {
  golden g = golden_open(name);
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
    for (int regime = RNL_REGIME_AUTO; regime <= RNL_REGIME_REFERENCE; regime++) {
      char context[64];
      snprintf(context, sizeof context, "(%s, %s)", regime_names[regime], rnl_dtype_name((rnl_dtype)dtype));
      net n = build(&g, (rnl_dtype)dtype, (rnl_regime)regime, with_loss);
      golden_compare(&g, "expected", "h", rnl_value(n.out[RNL_RECURRENT_H]), context);
      golden_compare(&g, "expected", "y", rnl_value(n.out[RNL_RECURRENT_Y]), context);
      if (with_loss) {
        golden_compare(&g, "expected", "loss", rnl_value(n.loss), context);
        /* Twice through a plan, so that a replay that adds where it should overwrite is seen. */
        rnl_plan *plan = NULL;
        OK(rnl_plan_new(&plan, &n.loss, 1, n.loss, err));
        for (int pass = 0; pass < 2; pass++) {
          OK(rnl_plan_forward(plan, err));
          spoil_borrowed(plan);
          OK(rnl_plan_backward(plan, err));
        }
        for (int i = 0; i < RNL_RECURRENT_LENGTHS; i++)
          golden_compare(&g, "grads", n.names[i], rnl_grad(n.in[i]), context);
        rnl_plan_free(plan);
      }
      release(&n);
    }
  golden_close(&g);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void elman(void **state) {
  (void)state;
  check_case("elman_tanh", true);
  check_case("elman_relu", true);
  check_case("elman_sigmoid", true);
  check_case("elman_tanh_wide", true);
}
static void jordan(void **state) {
  (void)state;
  check_case("jordan", true);
  check_case("jordan_linear", true);
}

/* Question 1 of the tutorial: PyTorch's numbers, and the two decimals the tutorial prints. */
static void tutorial(void **state) {
  (void)state;
  check_case("tutorial_q1b_variant", false);
  check_case("tutorial_q1a_variant", false);
  const char *const names[] = {"tutorial_q1a", "tutorial_q1b"};
  for (int i = 0; i < 2; i++) {
    check_case(names[i], false);
    golden g = golden_open(names[i]);
    net n = build(&g, RNL_F32, RNL_REGIME_AUTO, false);
    rnl_tensor y = golden_tensor(&g, "expected", "y_printed", RNL_F64);
    rnl_tensor h = golden_tensor(&g, "expected", "h_printed", RNL_F64);
    for (int64_t k = 0; k < rnl_tensor_numel(&y); k++)
      assert_true(fabs(rnl_tensor_at(rnl_value(n.out[RNL_RECURRENT_Y]), k) - rnl_tensor_at(&y, k)) <= 0.00501);
    for (int64_t k = 0; k < rnl_tensor_numel(&h); k++)
      assert_true(fabs(rnl_tensor_at(rnl_value(n.out[RNL_RECURRENT_H]), k) - rnl_tensor_at(&h, k)) <= 0.00501);
    rnl_tensor_release(&y);
    rnl_tensor_release(&h);
    release(&n);
    golden_close(&g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(elman), cmocka_unit_test(jordan), cmocka_unit_test(tutorial)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
