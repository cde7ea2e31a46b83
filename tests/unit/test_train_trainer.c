/* The training loop: what it may not depend on, and how it ends. */
#include "tutorial_net.h"

#include "base/rng.h"
#include "rnn/init.h"

enum { SEQUENCES = 21, STEPS = 9, INPUTS = 3, HIDDEN = 5, OUTPUTS = 2 };

typedef struct setup {
  net n;
  rnl_tensor x, y, val_x, val_y;
  rnl_trainer_options options;
} setup;

static rnl_tensor random_tensor(uint32_t index, int ndim, const int64_t *size, double scale) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 7, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = -scale, .b = scale};
  OK(rnl_tensor_new(&t, RNL_F32, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return t;
}

static void begin(setup *s) {
  memset(s, 0, sizeof *s);
  s->n.attrs = (rnl_recurrent_attrs){.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .name = "rnn"};
  const int64_t sizes[NET_PARAMETERS][2] = {{INPUTS, HIDDEN}, {HIDDEN, HIDDEN}, {HIDDEN}, {HIDDEN, OUTPUTS}, {OUTPUTS}};
  const int ndims[NET_PARAMETERS] = {2, 2, 1, 2, 1};
  for (int i = 0; i < NET_PARAMETERS; i++) {
    rnl_tensor value = random_tensor(100u + (uint32_t)i, ndims[i], sizes[i], 0.5);
    s->n.parameters[i] = rnl_var_new(&value, true);
  }
  s->x = random_tensor(1, 3, (int64_t[]){SEQUENCES, STEPS, INPUTS}, 1);
  s->y = random_tensor(2, 3, (int64_t[]){SEQUENCES, STEPS, OUTPUTS}, 1);
  s->val_x = random_tensor(3, 3, (int64_t[]){4, STEPS, INPUTS}, 1);
  s->val_y = random_tensor(4, 3, (int64_t[]){4, STEPS, OUTPUTS}, 1);
  s->options = (rnl_trainer_options){.record = net_record, .context = &s->n, .n_parameters = NET_PARAMETERS,
                                     .parameters = s->n.parameters, .seed = 3};
  OK(rnl_optimizer_from_name("adam", &s->options.optimizer, err));
}

static void end(setup *s) {
  net_release(&s->n);
  rnl_tensor *all[] = {&s->x, &s->y, &s->val_x, &s->val_y};
  for (size_t i = 0; i < 4; i++) rnl_tensor_release(all[i]);
}

static rnl_trainer *trainer_of(setup *s) {
  rnl_trainer *t = NULL;
  OK(rnl_trainer_new(&t, &s->options, &s->x, &s->y, &s->val_x, &s->val_y, err));
  return t;
}

/* Every parameter's bits and every loss after 12 epochs, the calls cut at the given epochs. */
enum { EPOCHS = 12, RESULT = EPOCHS * 2 + INPUTS * HIDDEN + HIDDEN * HIDDEN + HIDDEN + HIDDEN * OUTPUTS + OUTPUTS };
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
  for (int p = 0; p < NET_PARAMETERS; p++)
    for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(s.n.parameters[p])); i++)
      result[at++] = rnl_tensor_at(rnl_value(s.n.parameters[p]), i);
  assert_int_equal(at, RESULT);
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
  assert_int_equal(rnl_trainer_new(&t, &s.options, &s.x, &s.val_y, NULL, NULL, &error), RNL_ERR_SHAPE);
  assert_non_null(strstr(error.text, "(21, 9, 3)"));
  assert_non_null(strstr(error.text, "(4, 9, 2)"));
  /* A target with other features is found when the loss is recorded. */
  OK(rnl_trainer_new(&t, &s.options, &s.x, &s.x, NULL, NULL, err));
  rnl_train_reason reason;
  assert_int_equal(rnl_trainer_run(t, 1, 0, &reason, &error), RNL_ERR_SHAPE);
  assert_non_null(strstr(error.text, "(21, 9, 2)"));
  rnl_trainer_free(t);
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
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_trainer_new(&t, &s.options, &s.x, &s.y, &s.val_x, &s.val_y, &error);
    if (status == RNL_OK) status = rnl_trainer_run(t, 2, 0, &reason, &error);
    rnl_alloc_fail_after(0);
    rnl_trainer_free(t);
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
