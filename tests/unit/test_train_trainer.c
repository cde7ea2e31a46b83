/* The training loop: what it may not depend on, and how it ends. */
#include "train_setup.h"

/* Every parameter's bits and every loss after 12 epochs, the calls cut at the given epochs. */
enum { EPOCHS = 12, RESULT = EPOCHS * 2 + WEIGHTS };
static void train(double result[RESULT], int64_t batch_size, bool shuffle, uint64_t seed, const int64_t *cuts,
                  int n_cuts) {
  setup s;
  begin(&s);
  s.options.batch_size = batch_size;
  s.options.shuffle = shuffle;
  s.options.seed = seed;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  for (int i = 0; i < n_cuts; i++) OK(rnl_trainer_run(t, cuts[i], 0, &reason, err));
  OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
  int at = 0;
  for (int i = 0; i < EPOCHS; i++) result[at++] = rnl_trainer_losses(t)[i];
  for (int i = 0; i < EPOCHS; i++) result[at++] = rnl_trainer_val_losses(t)[i];
  weights_of(&s, result + at);
  rnl_trainer_free(t);
  end(&s);
}

static void cutting_the_calls_changes_nothing(void **state) {
  (void)state;
  static double whole[RESULT], cut[RESULT];
  const int64_t cuts[] = {1, 2, 7};
  for (int batches = 0; batches < 2; batches++) {
    train(whole, batches ? 8 : 0, true, 3, NULL, 0);
    train(cut, batches ? 8 : 0, true, 3, cuts, 3);
    assert_memory_equal(whole, cut, sizeof whole);
  }
}

static void shuffling_follows_the_seed_alone(void **state) {
  (void)state;
  static double a[RESULT], b[RESULT], other[RESULT], ordered[RESULT];
  train(a, 8, true, 3, NULL, 0);
  train(b, 8, true, 3, NULL, 0);
  train(other, 8, true, 4, NULL, 0);
  train(ordered, 8, false, 3, NULL, 0);
  assert_memory_equal(a, b, sizeof a);
  assert_memory_not_equal(a, other, sizeof a);
  assert_memory_not_equal(a, ordered, sizeof a);
  /* One batch of all sequences has no order. */
  train(a, 0, true, 3, NULL, 0);
  train(b, 0, false, 4, NULL, 0);
  assert_memory_equal(a, b, sizeof a);
}

static void plans_are_recorded_once_a_shape(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.batch_size = 8; /* 8, 8 and a short one of 5, and the validation set of 4 */
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 1, 0, &reason, err));
  const int first = s.n.recordings;
  assert_int_equal(first, 6); /* three shapes, each recorded again in the layout it wanted */
  const int64_t blocks = rnl_alloc_live();
  OK(rnl_trainer_run(t, 50, 0, &reason, err));
  assert_int_equal(s.n.recordings, first);
  assert_int_equal(rnl_alloc_live(), blocks); /* 50 epochs fit the first block of losses: nothing was made */
  rnl_trainer_free(t);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void steps_allocate_nothing(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.batch_size = 8;
  s.options.clip_norm = 1;
  s.options.clip_value = 1;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 1, 0, &reason, err));
  rnl_alloc_fail_after(1); /* any allocation from here on fails, and with it the run */
  rnl_error error = {0};
  rnl_status status = rnl_trainer_run(t, 100, 0, &reason, &error);
  rnl_alloc_fail_after(0);
  if (status != RNL_OK) fail_msg("%s", error.text);
  rnl_trainer_free(t);
  end(&s);
}

static void a_stop_flag_ends_before_the_next_step(void **state) {
  (void)state;
  setup s;
  begin(&s);
  static volatile int stop;
  stop = 0;
  s.options.stop = &stop;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 2, 0, &reason, err));
  stop = 2;
  OK(rnl_trainer_run(t, 5, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_INTERRUPTED);
  assert_int_equal(rnl_trainer_epoch(t), 2);
  stop = 0;
  OK(rnl_trainer_run(t, 5, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_EPOCHS);
  OK(rnl_trainer_run(t, 1000000000, 1e-3, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_TIME);
  rnl_trainer_free(t);
  end(&s);
}

static void a_loss_that_is_not_finite_changes_no_weight(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.optimizer.kind = RNL_OPTIM_SGD;
  s.options.optimizer.lr = 1e30;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 100, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_DIVERGED);
  const int64_t done = rnl_trainer_epoch(t);
  assert_true(done < 100);
  for (int64_t i = 0; i < done; i++) assert_true(isfinite(rnl_trainer_losses(t)[i]));
  const double before = rnl_tensor_at(rnl_value(s.n.parameters[0]), 0);
  OK(rnl_trainer_run(t, 100, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_DIVERGED);
  const double after = rnl_tensor_at(rnl_value(s.n.parameters[0]), 0);
  assert_memory_equal(&before, &after, sizeof before);
  rnl_trainer_free(t);
  end(&s);
}

static void bad_sets_are_refused(void **state) {
  (void)state;
  setup s;
  begin(&s);
  rnl_trainer *t = NULL;
  rnl_error error = {0};
  rnl_set set;
  assert_int_equal(rnl_set_new(&set, "the training set", &s.x, &s.val_y, &error), RNL_ERR_SHAPE);
  assert_non_null(strstr(error.text, "(21, 9, 3)"));
  assert_non_null(strstr(error.text, "(4, 9, 2)"));
  /* A target with other features is found when the loss is recorded. */
  set = set_of(&s.x, &s.x);
  OK(rnl_trainer_new(&t, &s.options, &set, NULL, err));
  rnl_train_reason reason;
  assert_int_equal(rnl_trainer_run(t, 1, 0, &reason, &error), RNL_ERR_SHAPE);
  assert_non_null(strstr(error.text, "(21, 9, 2)"));
  rnl_trainer_free(t);
  rnl_set_release(&set);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Each allocation of a whole small run fails in turn: an error each time, never a crash or a leak. */
static void every_allocation_may_fail(void **state) {
  (void)state;
  for (int64_t n = 1;; n++) {
    setup s;
    begin(&s);
    rnl_trainer *t = NULL;
    rnl_error error = {0};
    rnl_train_reason reason;
    rnl_set set = set_of(&s.x, &s.y), val = set_of(&s.val_x, &s.val_y);
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_trainer_new(&t, &s.options, &set, &val, &error);
    if (status == RNL_OK) status = rnl_trainer_run(t, 2, 0, &reason, &error);
    rnl_alloc_fail_after(0);
    rnl_trainer_free(t);
    rnl_set_release(&set);
    rnl_set_release(&val);
    end(&s);
    assert_int_equal(rnl_alloc_live(), 0);
    if (status == RNL_OK) {
      assert_true(n > 20); /* there was something to fail */
      return;
    }
    assert_int_equal(status, RNL_ERR_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cutting_the_calls_changes_nothing), cmocka_unit_test(shuffling_follows_the_seed_alone),
      cmocka_unit_test(plans_are_recorded_once_a_shape),   cmocka_unit_test(steps_allocate_nothing),
      cmocka_unit_test(a_stop_flag_ends_before_the_next_step),
      cmocka_unit_test(a_loss_that_is_not_finite_changes_no_weight),
      cmocka_unit_test(bad_sets_are_refused),              cmocka_unit_test(every_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
