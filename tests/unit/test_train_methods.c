/* Levenberg-Marquardt and L-BFGS: what they promise, whatever the numbers, and what they refuse. */
#include "train_setup.h"

#include <stdlib.h>

#include "rnn/row_loss.h"
#include "train/checkpoint.h"
#include "train/lbfgs.h"
#include "train/lm.h"

enum { LM = 0, LBFGS, METHODS };

static void use(setup *s, int which) {
  const rnl_lm_options lm = rnl_lm_defaults();
  const rnl_lbfgs_options lbfgs = rnl_lbfgs_defaults();
  if (which == LM) OK(rnl_lm_new(&s->options.method, &lm, err));
  else OK(rnl_lbfgs_new(&s->options.method, &lbfgs, NET_PARAMETERS, s->n.parameters, err));
}

static void the_loss_never_rises(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++) {
    setup s;
    begin(&s);
    use(&s, which);
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 60, 0, &reason, err));
    const double *losses = rnl_trainer_losses(t);
    const int64_t n = rnl_trainer_epoch(t);
    assert_true(n > 20);
    for (int64_t i = 1; i < n; i++) assert_true(losses[i] <= losses[i - 1]);
    assert_true(losses[n - 1] < 0.9 * losses[0]); /* the target is noise: less cannot be had */
    rnl_trainer_free(t);
    end(&s);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Weights and losses after 12 epochs; the trainer is made anew after `cut` epochs, with what a checkpoint keeps. */
enum { EPOCHS = 12 };
static void train(double weights[WEIGHTS], double losses[EPOCHS], int which, int threads, int64_t cut) {
  setup s;
  begin(&s);
  s.options.threads = threads;
  rnl_train_reason reason;
  double *kept[RNL_METHOD_VALUES] = {NULL};
  int n_kept = 0;
  for (int64_t done = 0; done < EPOCHS;) {
    rnl_method_value values[RNL_METHOD_VALUES];
    use(&s, which);
    const rnl_method method = s.options.method;
    assert_int_equal(method.state(method.context, values), which == LM ? 1 : 3);
    for (int i = 0; i < n_kept; i++) {
      memcpy(values[i].values, kept[i], (size_t)values[i].n * sizeof(double));
      free(kept[i]);
    }
    rnl_trainer *t = trainer_of(&s);
    const int64_t until = cut && done == 0 ? cut : EPOCHS - done;
    OK(rnl_trainer_run(t, until, 0, &reason, err));
    for (int64_t i = 0; i < until; i++) losses[done + i] = rnl_trainer_losses(t)[i];
    done += until;
    n_kept = done < EPOCHS ? method.state(method.context, values) : 0;
    for (int i = 0; i < n_kept; i++) {
      assert_non_null(kept[i] = malloc((size_t)values[i].n * sizeof(double)));
      memcpy(kept[i], values[i].values, (size_t)values[i].n * sizeof(double));
    }
    rnl_trainer_free(t);
  }
  weights_of(&s, weights);
  end(&s);
}

static void the_state_is_all_there_is(void **state) {
  (void)state;
  double whole[WEIGHTS], other[WEIGHTS], losses[EPOCHS], again[EPOCHS];
  for (int which = 0; which < METHODS; which++) {
    train(whole, losses, which, 1, 0);
    train(other, again, which, 1, 5);
    assert_memory_equal(whole, other, sizeof whole);
    assert_memory_equal(losses, again, sizeof losses);
    train(other, again, which, 3, 0); /* nor do threads change a bit */
    assert_memory_equal(whole, other, sizeof whole);
  }
}

/* The flag is raised as the fourth epoch begins, and so seen in the middle of it. */
static volatile int stop;
static int looks;
static rnl_status (*own_epoch)(void *, const rnl_full_batch *, double *, bool *, rnl_error *);
static rnl_status stopping_epoch(void *context, const rnl_full_batch *batch, double *loss, bool *converged,
                                 rnl_error *err) {
  stop = ++looks == 4;
  return own_epoch(context, batch, loss, converged, err);
}

static void an_interrupted_epoch_can_be_run_again(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++) {
    double whole[WEIGHTS], weights[WEIGHTS], losses[EPOCHS];
    train(whole, losses, which, 1, 0);
    setup s;
    begin(&s);
    use(&s, which);
    s.options.stop = &stop;
    own_epoch = s.options.method.epoch;
    s.options.method.epoch = stopping_epoch;
    looks = stop = 0;
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
    assert_int_equal(reason, RNL_TRAIN_INTERRUPTED);
    assert_int_equal(rnl_trainer_epoch(t), 3);
    stop = 0;
    OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
    assert_int_equal(reason, RNL_TRAIN_EPOCHS);
    weights_of(&s, weights);
    assert_memory_equal(whole, weights, sizeof whole);
    rnl_trainer_free(t);
    end(&s);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* The target is what the network says already. */
static void nothing_left_to_learn_is_convergence(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++) {
    setup s;
    begin(&s);
    double loss;
    rnl_tensor prediction;
    rnl_trainer *t = trainer_with(&s, true);
    rnl_set set = set_of(&s.x, &s.y);
    OK(rnl_trainer_evaluate(t, &set, &loss, &prediction, err));
    rnl_set_release(&set);
    rnl_trainer_free(t);
    rnl_tensor_release(&s.y);
    s.y = prediction;
    use(&s, which);
    double before[WEIGHTS], after[WEIGHTS];
    weights_of(&s, before);
    t = trainer_with(&s, true);
    assert_false(rnl_trainer_converged(t));
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 100, 0, &reason, err));
    assert_int_equal(reason, RNL_TRAIN_STOPPED);
    assert_true(rnl_trainer_converged(t));
    assert_int_equal(rnl_trainer_epoch(t), 1);
    weights_of(&s, after);
    assert_memory_equal(before, after, sizeof before);
    rnl_tensors saved = {0}; /* which a checkpoint knows, too */
    OK(rnl_trainer_save(t, &saved, err));
    use(&s, which);
    rnl_trainer *other = trainer_with(&s, true);
    OK(rnl_trainer_load(other, &saved, err));
    assert_true(rnl_trainer_converged(other));
    OK(rnl_trainer_run(other, 100, 0, &reason, err));
    assert_int_equal(reason, RNL_TRAIN_STOPPED);
    assert_int_equal(rnl_trainer_epoch(other), 1);
    rnl_trainer_free(other);
    rnl_tensors_free(&saved);
    rnl_trainer_free(t);
    end(&s);
  }
}

/* An exploding network: steps overshoot to losses that are no numbers, and none of them is taken. */
static void what_is_not_finite_is_never_taken(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++) {
    setup s;
    begin_with(&s, 4, 60);
    s.n.attrs.phi = RNL_ACT_LINEAR;
    s.n.attrs.regime = RNL_REGIME_SMALL;
    rnl_tensor *hh = rnl_value(s.n.parameters[1]);
    for (int64_t i = 0; i < rnl_tensor_numel(hh); i++) rnl_tensor_put(hh, i, 2 * rnl_tensor_at(hh, i));
    rnl_lm_options lm = rnl_lm_defaults();
    lm.damping = 1e-12;
    if (which == LM) OK(rnl_lm_new(&s.options.method, &lm, err));
    else use(&s, which);
    rnl_trainer *t = trainer_with(&s, true);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 40, 0, &reason, err));
    assert_int_not_equal(reason, RNL_TRAIN_DIVERGED);
    const double *losses = rnl_trainer_losses(t);
    for (int64_t i = 1; i < rnl_trainer_epoch(t); i++) assert_true(losses[i] <= losses[i - 1]);
    double weights[WEIGHTS];
    weights_of(&s, weights);
    for (int i = 0; i < WEIGHTS; i++) assert_true(isfinite(weights[i]));
    rnl_trainer_free(t);
    end(&s);
  }
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void expect(rnl_status status, rnl_status wanted, const rnl_error *error, const char *text) {
  assert_int_equal(status, wanted);
  if (!strstr(error->text, text)) fail_msg("\"%s\" does not say \"%s\"", error->text, text);
}

static void options_out_of_range(void **state) {
  (void)state;
  rnl_error error;
  rnl_method m;
  const struct {
    double damping, up, down, limit;
    const char *says;
  } bad[] = {{0, 3, 5, 1e10, "damping is 0"}, {NAN, 3, 5, 1e10, "damping is nan"}, {1, 1, 5, 1e10, "up is 1"},
             {1, 3, 0.5, 1e10, "down 0.5"}, {10, 3, 5, 1, "limit is 1; expected a number of at least the damping, 10"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const rnl_lm_options o = {bad[i].damping, bad[i].up, bad[i].down, bad[i].limit};
    expect(rnl_lm_new(&m, &o, &error), RNL_ERR_ARG, &error, bad[i].says);
  }
  rnl_lbfgs_options o = rnl_lbfgs_defaults();
  o.history = 0;
  expect(rnl_lbfgs_new(&m, &o, 0, NULL, &error), RNL_ERR_ARG, &error, "history is 0");
  o = rnl_lbfgs_defaults();
  o.evaluations = 0;
  expect(rnl_lbfgs_new(&m, &o, 0, NULL, &error), RNL_ERR_ARG, &error, "evaluations is 0");
  o = rnl_lbfgs_defaults();
  o.tolerance = -1;
  expect(rnl_lbfgs_new(&m, &o, 0, NULL, &error), RNL_ERR_ARG, &error, "tolerance is -1");
}

static void what_does_not_go_with_a_method(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++)
    for (int k = 0; k < 5; k++) {
      static const char *const says[] = {"does not go with batch_size",
                                         "does not go with truncated backpropagation (k1)",
                                         "does not go with stateful", "does not go with clip_norm",
                                         "does not go with a schedule"};
      setup s;
      begin(&s);
      use(&s, which);
      if (k == 0) s.options.batch_size = 8;
      if (k == 1) s.options.k1 = 3;
      if (k == 2) s.options.stateful = true;
      if (k == 3) s.options.clip_norm = 1;
      if (k == 4) OK(rnl_schedule_from_name("exponential", &s.options.schedule, err));
      rnl_set set = set_of(&s.x, &s.y);
      rnl_trainer *t = NULL;
      rnl_error error;
      expect(rnl_trainer_new(&t, &s.options, &set, NULL, &error), RNL_ERR_ARG, &error, says[k]);
      assert_non_null(strstr(error.text, which == LM ? "lm" : "lbfgs"));
      rnl_set_release(&set);
      end(&s);
    }
  assert_int_equal(rnl_alloc_live(), 0);
}

static rnl_status record_huber(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  rnl_row_loss_attrs attrs;
  RNL_TRY(rnl_row_loss_from_name("huber", &attrs, err));
  RNL_TRY(net_forward(context, batch, prediction, err));
  return rnl_apply(&rnl_op_row_loss, &attrs, 2, (rnl_var *[]){*prediction, rnl_batch_leaf(batch, "y")}, loss, err);
}
static rnl_status record_root(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  rnl_var *squares;
  RNL_TRY(net_record(context, batch, prediction, &squares, err));
  const rnl_unary kind = RNL_UNARY_SQRT;
  rnl_status status = rnl_apply(&rnl_op_unary, &kind, 1, &squares, loss, err);
  rnl_var_release(squares);
  return status;
}

static void losses_that_are_no_sums_of_squares(void **state) {
  (void)state;
  const rnl_record_function records[] = {record_huber, record_root};
  static const char *const says[] = {"lm needs a loss that is a sum of squares, sse or mse; this one is huber",
                                     "this one is the script's own"};
  for (int k = 0; k < 2; k++) {
    setup s;
    begin(&s);
    s.options.record = records[k];
    use(&s, LM);
    rnl_trainer *t = trainer_with(&s, true);
    rnl_error error;
    rnl_train_reason reason;
    expect(rnl_trainer_prepare(t, &error), RNL_ERR_ARG, &error, says[k]);
    expect(rnl_trainer_run(t, 1, 0, &reason, &error), RNL_ERR_ARG, &error, says[k]);
    rnl_trainer_free(t);
    use(&s, LBFGS); /* takes any */
    t = trainer_with(&s, true);
    OK(rnl_trainer_run(t, 10, 0, &reason, err));
    assert_true(rnl_trainer_losses(t)[9] < rnl_trainer_losses(t)[0]);
    rnl_trainer_free(t);
    end(&s);
  }
}

static void too_many_weights(void **state) {
  (void)state;
  setup s;
  begin(&s);
  const int64_t wide = 120; /* 14,400 of them recurrent */
  const int64_t sizes[NET_PARAMETERS][2] = {{INPUTS, wide}, {wide, wide}, {wide}, {wide, OUTPUTS}, {OUTPUTS}};
  for (int i = 0; i < NET_PARAMETERS; i++) {
    rnl_var_release(s.n.parameters[i]);
    rnl_tensor value = random_tensor(200u + (uint32_t)i, i == 2 || i == 4 ? 1 : 2, sizes[i], 0.1);
    s.n.parameters[i] = rnl_var_new(&value, true);
  }
  use(&s, LM);
  rnl_trainer *t = trainer_with(&s, true);
  rnl_error error;
  expect(rnl_trainer_prepare(t, &error), RNL_ERR_MEMORY, &error, "lm is for small networks: 15122 weights and 378");
  rnl_trainer_free(t);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void out_of_memory(void **state) {
  (void)state;
  for (int which = 0; which < METHODS; which++)
    for (int n = 1;; n++) { /* every allocation of making, preparing and an epoch fails once */
      setup s;
      begin(&s);
      use(&s, which);
      rnl_trainer *t = trainer_with(&s, true);
      rnl_error error;
      rnl_train_reason reason;
      rnl_alloc_fail_after(n);
      rnl_status status = rnl_trainer_prepare(t, &error);
      if (status == RNL_OK) status = rnl_trainer_run(t, 2, 0, &reason, &error);
      rnl_alloc_fail_after(0);
      assert_true(status == RNL_OK || status == RNL_ERR_MEMORY);
      if (status != RNL_OK) OK(rnl_trainer_run(t, 2, 0, &reason, err)); /* it can go on */
      rnl_trainer_free(t);
      end(&s);
      assert_int_equal(rnl_alloc_live(), 0);
      if (status == RNL_OK) break;
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_loss_never_rises),
                                     cmocka_unit_test(the_state_is_all_there_is),
                                     cmocka_unit_test(an_interrupted_epoch_can_be_run_again),
                                     cmocka_unit_test(nothing_left_to_learn_is_convergence),
                                     cmocka_unit_test(what_is_not_finite_is_never_taken),
                                     cmocka_unit_test(options_out_of_range),
                                     cmocka_unit_test(what_does_not_go_with_a_method),
                                     cmocka_unit_test(losses_that_are_no_sums_of_squares),
                                     cmocka_unit_test(too_many_weights), cmocka_unit_test(out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
