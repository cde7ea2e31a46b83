/* Models trained side by side: each is bitwise the one trained alone. */
#include "train_setup.h"

#include "train/ensemble.h"

enum { MODELS = 5, EPOCHS = 8 };

/* Member k: other weights, another order of batches, another learning rate. */
static void begin_member(setup *s, int k) {
  begin(s);
  s->options.seed = 3 + (uint64_t)k;
  s->options.batch_size = 8;
  s->options.shuffle = true;
  s->options.optimizer.lr = 0.01 * (k + 1);
  for (int64_t i = 0; i < HIDDEN; i++) rnl_tensor_put(rnl_value(s->n.parameters[2]), i, 0.1 * k);
}

static void train_ensemble(int threads, bool sliced, double out[MODELS][WEIGHTS]) {
  static setup s[MODELS];
  rnl_trainer *trainers[MODELS];
  rnl_set set = {0}, val = {0};
  for (int k = 0; k < MODELS; k++) {
    begin_member(&s[k], k);
    if (k == 0) set = set_of(&s[0].x, &s[0].y), val = set_of(&s[0].val_x, &s[0].val_y);
    OK(rnl_trainer_new(&trainers[k], &s[k].options, &set, &val, err)); /* all on one set */
    OK(rnl_trainer_prepare(trainers[k], err));
  }
  rnl_ensemble *e = NULL;
  OK(rnl_ensemble_new(&e, MODELS, trainers, threads, err));
  rnl_train_reason reason = RNL_TRAIN_TIME;
  for (int epoch = 1; sliced && epoch < EPOCHS; epoch++) OK(rnl_ensemble_run(e, epoch, 1e-9, &reason, err));
  OK(rnl_ensemble_run(e, EPOCHS, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_EPOCHS);
  for (int k = 0; k < MODELS; k++) {
    assert_int_equal(rnl_trainer_epoch(trainers[k]), EPOCHS);
    weights_of(&s[k], out[k]);
  }
  rnl_ensemble_free(e);
  for (int k = 0; k < MODELS; k++) {
    rnl_trainer_free(trainers[k]);
    end(&s[k]);
  }
  rnl_set_release(&set);
  rnl_set_release(&val);
}

static void members_are_bitwise_those_alone(void **state) {
  (void)state;
  static double alone[MODELS][WEIGHTS], together[MODELS][WEIGHTS];
  for (int k = 0; k < MODELS; k++) {
    setup s;
    begin_member(&s, k);
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
    weights_of(&s, alone[k]);
    rnl_trainer_free(t);
    end(&s);
  }
  for (int threads = 1; threads <= 4; threads++) {
    train_ensemble(threads, threads % 2, together);
    assert_memory_equal(alone, together, sizeof alone);
  }
}

static void one_that_diverges_leaves_the_others_alone(void **state) {
  (void)state;
  static setup s[2];
  rnl_trainer *trainers[2];
  for (int k = 0; k < 2; k++) {
    begin_member(&s[k], k);
    s[k].options.optimizer.kind = RNL_OPTIM_SGD;
    s[k].options.optimizer.lr = k ? 0.01 : 1e30;
    trainers[k] = trainer_of(&s[k]);
    OK(rnl_trainer_prepare(trainers[k], err));
  }
  rnl_ensemble *e = NULL;
  rnl_train_reason reason;
  OK(rnl_ensemble_new(&e, 2, trainers, 2, err));
  OK(rnl_ensemble_run(e, 20, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_EPOCHS);
  assert_int_equal(rnl_ensemble_reason(e, 0), RNL_TRAIN_DIVERGED);
  assert_int_equal(rnl_ensemble_reason(e, 1), RNL_TRAIN_EPOCHS);
  assert_int_equal(rnl_trainer_epoch(trainers[1]), 20);
  rnl_ensemble_free(e);
  for (int k = 0; k < 2; k++) {
    rnl_trainer_free(trainers[k]);
    end(&s[k]);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void wrong_members_are_refused(void **state) {
  (void)state;
  setup s;
  begin(&s);
  rnl_trainer *t = trainer_of(&s), *twice[2] = {t, t};
  rnl_ensemble *e = NULL;
  rnl_error error = {0};
  assert_int_equal(rnl_ensemble_new(&e, 0, NULL, 1, &error), RNL_ERR_ARG);
  assert_int_equal(rnl_ensemble_new(&e, 1, &t, 1, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "model 1 of the ensemble is not prepared"));
  OK(rnl_trainer_prepare(t, err));
  assert_int_equal(rnl_ensemble_new(&e, 2, twice, 1, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "models 1 and 2 of the ensemble are the same trainer"));
  rnl_trainer_free(t);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(members_are_bitwise_those_alone),
                                     cmocka_unit_test(one_that_diverges_leaves_the_others_alone),
                                     cmocka_unit_test(wrong_members_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
