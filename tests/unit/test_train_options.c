/* Early stopping, norms, validation, steps by hand, evaluation in batches, methods that own an epoch, the clock. */
#include "train_setup.h"

#include "optim/optimizer.h"
#include "train/method.h"

/* ---- early stopping ------------------------------------------------------------------------- */

static void early_stopping_follows_its_rule(void **state) {
  (void)state;
  rnl_tensor value = random_tensor(1, 1, (int64_t[]){3}, 1);
  rnl_var *p = rnl_var_new(&value, true);
  rnl_watch w;
  rnl_watch_options options = {.metric = RNL_WATCH_GIVEN, .patience = 2, .min_delta = 0.1, .keep = true};
  OK(rnl_watch_begin(&w, &options, 1, &p, err));
  static const struct { double value; bool enough; } epochs[] = {
      {5, false}, {4, false}, {3.95, false} /* no more than min_delta better */, {3.8, false}, {NAN, false},
      {3.75, true}};
  for (int i = 0; i < 6; i++) {
    rnl_tensor_fill(rnl_value(p), i + 1);
    assert_int_equal(rnl_watch_observe(&w, i + 1, epochs[i].value), epochs[i].enough);
  }
  assert_int_equal(w.best_epoch, 4);
  assert_true(rnl_watch_restore(&w));
  assert_true(rnl_tensor_at(rnl_value(p), 2) == 4);
  rnl_watch_end(&w);
  options = (rnl_watch_options){.metric = RNL_WATCH_GIVEN, .patience = -1, .larger_is_better = true};
  OK(rnl_watch_begin(&w, &options, 1, &p, err));
  for (int i = 1; i < 50; i++) assert_false(rnl_watch_observe(&w, i, -i));
  assert_int_equal(w.best_epoch, 1);
  assert_false(rnl_watch_restore(&w)); /* nothing was kept */
  rnl_watch_end(&w);
  rnl_error error = {0};
  options.min_delta = NAN;
  assert_int_equal(rnl_watch_begin(&w, &options, 1, &p, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "min_delta is nan"));
  rnl_watch_end(&w);
  rnl_var_release(p);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void training_stops_early_with_the_best_weights(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.optimizer.lr = 0.1; /* random targets: the validation loss soon rises */
  s.options.watch = (rnl_watch_options){.metric = RNL_WATCH_VAL_LOSS, .patience = 4, .keep = true};
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 1000, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_STOPPED);
  const int64_t done = rnl_trainer_epoch(t);
  const double *val = rnl_trainer_val_losses(t);
  int64_t best = 0, epoch;
  for (int64_t i = 1; i < done; i++)
    if (val[i] < val[best]) best = i;
  assert_int_equal(best, done - 5); /* four epochs without a better one */
  OK(rnl_trainer_run(t, 1000, 0, &reason, err)); /* no more */
  assert_int_equal(reason, RNL_TRAIN_STOPPED);
  assert_int_equal(rnl_trainer_epoch(t), done);
  double value, loss;
  assert_true(rnl_trainer_restore_best(t, &epoch, &value));
  assert_int_equal(epoch, best + 1);
  assert_true(value == val[best]);
  rnl_set set = set_of(&s.val_x, &s.val_y);
  OK(rnl_trainer_evaluate(t, &set, &loss, NULL, err));
  assert_true(loss == val[best]);
  rnl_set_release(&set);
  rnl_trainer_free(t);
  end(&s);
}

/* ---- validation, norms ---------------------------------------------------------------------- */

static void validation_may_be_rarer(void **state) {
  (void)state;
  setup s;
  double each[9];
  for (int c = 0; c < 2; c++) {
    begin(&s);
    s.options.validate_every = c ? 3 : 0;
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 9, 0, &reason, err));
    for (int i = 0; i < 9; i++) {
      const double v = rnl_trainer_val_losses(t)[i];
      if (!c) each[i] = v;
      else if ((i + 1) % 3) assert_true(isnan(v));
      else assert_true(v == each[i]);
    }
    rnl_trainer_free(t);
    end(&s);
  }
}

static double norm(const rnl_tensor *t) {
  double sum = 0;
  for (int64_t i = 0; i < rnl_tensor_numel(t); i++) sum += rnl_tensor_at(t, i) * rnl_tensor_at(t, i);
  return sqrt(sum);
}

static void norms_are_those_of_the_last_step(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.norms_every = 2;
  s.options.batch_size = 8;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  int64_t rows;
  for (int epoch = 1; epoch <= 6; epoch++) {
    OK(rnl_trainer_run(t, epoch, 0, &reason, err));
    const double *norms = rnl_trainer_norms(t, &rows);
    assert_int_equal(rows, epoch / 2);
    if (epoch % 2) continue;
    for (int i = 0; i < NET_PARAMETERS; i++) {
      const double *row = norms + (rows - 1) * 2 * NET_PARAMETERS;
      assert_true(error_of(row[i], norm(rnl_grad(s.n.parameters[i]))) < 1e-6);
      assert_true(error_of(row[NET_PARAMETERS + i], norm(rnl_value(s.n.parameters[i]))) < 1e-6);
    }
  }
  rnl_trainer_free(t);
  /* Before clipping: a clipped gradient is smaller than its norm says. */
  s.options.clip_norm = 1e-6;
  t = trainer_of(&s);
  OK(rnl_trainer_run(t, 2, 0, &reason, err));
  assert_true(rnl_trainer_norms(t, &rows)[0] > 1e-4);
  assert_true(norm(rnl_grad(s.n.parameters[0])) < 2e-6);
  rnl_trainer_free(t);
  end(&s);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static rnl_set rows_of(const setup *s, int64_t first, int64_t count) {
  rnl_tensor x, y;
  OK(rnl_tensor_narrow(&x, &s->x, 0, first, count, err));
  OK(rnl_tensor_narrow(&y, &s->y, 0, first, count, err));
  rnl_set set = set_of(&x, &y);
  rnl_tensor_release(&x);
  rnl_tensor_release(&y);
  return set;
}

static void steps_by_hand_are_the_loop(void **state) {
  (void)state;
  double loop[WEIGHTS], hand[WEIGHTS], losses[3];
  for (int stateful = 0; stateful < 2; stateful++)
    for (int c = 0; c < 2; c++) {
      setup s;
      begin(&s);
      s.options.batch_size = 8;
      s.options.stateful = stateful;
      rnl_trainer *t = trainer_of(&s);
      rnl_train_reason reason;
      if (!c) OK(rnl_trainer_run(t, 3, 0, &reason, err));
      for (int epoch = 0; c && epoch < 3; epoch++) {
        for (int64_t first = 0; first < SEQUENCES; first += 8) {
          rnl_set batch = rows_of(&s, first, SEQUENCES - first < 8 ? SEQUENCES - first : 8);
          double loss;
          OK(rnl_trainer_step(t, &batch, &loss, err));
          assert_true(isfinite(loss));
          rnl_set_release(&batch);
        }
        OK(rnl_trainer_end_epoch(t, &reason, err));
      }
      assert_int_equal(rnl_trainer_epoch(t), 3);
      for (int i = 0; i < 3; i++) {
        if (!c) losses[i] = rnl_trainer_losses(t)[i];
        assert_true(losses[i] == rnl_trainer_losses(t)[i]);
      }
      weights_of(&s, c ? hand : loop);
      if (c) {
        assert_memory_equal(loop, hand, sizeof loop);
        rnl_error error = {0};
        assert_int_equal(rnl_trainer_end_epoch(t, &reason, &error), RNL_ERR_ARG); /* there was no step */
      }
      rnl_trainer_free(t);
      end(&s);
    }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

static void evaluation_in_batches_is_evaluation(void **state) {
  (void)state;
  setup s;
  begin(&s);
  rnl_set set = set_of(&s.x, &s.y);
  double loss[2];
  rnl_tensor prediction[2] = {{0}};
  for (int c = 0; c < 2; c++) {
    s.options.batch_size = c ? 8 : 0;
    rnl_trainer *t = trainer_of(&s);
    OK(rnl_trainer_evaluate(t, &set, &loss[c], &prediction[c], err));
    rnl_trainer_free(t);
  }
  assert_true(error_of(loss[1], loss[0]) < 1e-6);
  assert_true(rnl_tensor_same_shape(&prediction[0], &prediction[1]));
  for (int64_t i = 0; i < rnl_tensor_numel(&prediction[0]); i++)
    assert_true(rnl_tensor_at(&prediction[0], i) == rnl_tensor_at(&prediction[1], i));
  for (int c = 0; c < 2; c++) rnl_tensor_release(&prediction[c]);
  rnl_set_release(&set);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- a method ------------------------------------------------------------------------------- */

typedef struct descent {
  int epochs, released;
  double lr;
} descent;

/* Gradient descent as a method: one forward and backward pass of the full batch. */
static rnl_status descend(void *context, const rnl_full_batch *batch, double *loss, bool *converged, rnl_error *err) {
  descent *d = context;
  RNL_TRY(rnl_plan_forward(batch->plan, err));
  *loss = rnl_tensor_at(rnl_value(batch->loss), 0);
  RNL_TRY(rnl_plan_backward(batch->plan, err));
  for (int i = 0; i < batch->n_parameters; i++)
    for (int64_t k = 0; k < rnl_tensor_numel(rnl_value(batch->parameters[i])); k++) {
      const rnl_tensor *p = rnl_value(batch->parameters[i]);
      rnl_tensor_put(p, k, rnl_tensor_at(p, k) - d->lr * rnl_tensor_at(rnl_grad(batch->parameters[i]), k));
    }
  *converged = ++d->epochs == 7;
  assert_true(rnl_tensor_same_shape(rnl_value(batch->target), rnl_value(batch->prediction)));
  return RNL_OK;
}
static void release_descent(void *context) { ((descent *)context)->released++; }

static void a_method_owns_its_epochs(void **state) {
  (void)state;
  double sgd[WEIGHTS], method[WEIGHTS];
  setup s;
  descent d = {.lr = 0.01};
  for (int c = 0; c < 2; c++) {
    begin(&s);
    OK(rnl_optimizer_from_name("sgd", &s.options.optimizer, err));
    s.options.optimizer.lr = d.lr;
    if (c)
      s.options.method =
          (rnl_method){.name = "descent", .context = &d, .epoch = descend, .release = release_descent};
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, c ? 100 : 7, 0, &reason, err));
    assert_int_equal(rnl_trainer_epoch(t), 7);
    assert_int_equal(reason, c ? RNL_TRAIN_STOPPED : RNL_TRAIN_EPOCHS);
    weights_of(&s, c ? method : sgd);
    rnl_trainer_free(t);
    end(&s);
  }
  assert_int_equal(d.released, 1);
  for (int i = 0; i < WEIGHTS; i++) assert_true(error_of(method[i], sgd[i]) < 1e-6);
  begin(&s); /* it takes all sequences at once */
  s.options.method = (rnl_method){.name = "descent", .context = &d, .epoch = descend, .release = release_descent};
  s.options.batch_size = 8;
  rnl_trainer *t = NULL;
  rnl_set set = set_of(&s.x, &s.y);
  rnl_error error = {0};
  assert_int_equal(rnl_trainer_new(&t, &s.options, &set, NULL, &error), RNL_ERR_ARG);
  assert_int_equal(d.released, 2); /* also where no trainer came of it */
  rnl_set_release(&set);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- the clock ------------------------------------------------------------------------------ */

/* A loss that is the clock itself (plus nothing of the net). */
static rnl_status record_clock(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  rnl_var *unused = NULL;
  RNL_TRY(net_record(context, batch, prediction, &unused, err));
  const rnl_binary multiply = RNL_BINARY_MUL, add = RNL_BINARY_ADD;
  rnl_tensor zero;
  rnl_var *none = NULL, *nothing = NULL;
  rnl_status status = rnl_tensor_new(&zero, RNL_F32, 0, NULL, err);
  if (status == RNL_OK && !(none = rnl_var_new(&zero, false))) status = rnl_fail(err, RNL_ERR_MEMORY, "memory");
  if (status == RNL_OK) status = rnl_apply(&rnl_op_binary, &multiply, 2, (rnl_var *[]){unused, none}, &nothing, err);
  if (status == RNL_OK)
    status = rnl_apply(&rnl_op_binary, &add, 2, (rnl_var *[]){nothing, batch->clock}, loss, err);
  rnl_var_release(unused);
  rnl_var_release(none);
  rnl_var_release(nothing);
  if (status != RNL_OK) rnl_var_release(*prediction);
  return status;
}

static void the_clock_counts_steps(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.record = record_clock;
  s.options.batch_size = 8; /* three steps an epoch */
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason = RNL_TRAIN_TIME;
  for (int step = 0; step < 12; step++) {
    rnl_error error = {0};
    if (rnl_trainer_run_steps(t, 4, 1, &reason, &error) != RNL_OK) fail_msg("%s", error.text);
    assert_true(rnl_trainer_last_loss(t) == step);
  }
  assert_int_equal(rnl_trainer_epoch(t), 4);
  rnl_trainer_free(t);
  end(&s);
}

static void options_out_of_range_are_named(void **state) {
  (void)state;
  static const struct { rnl_trainer_options change; const char *text; } cases[] = {
      {{.batch_size = -1}, "batch_size is -1; it must be at least 1"},
      {{.clip_norm = -1}, "clip_norm"},
      {{.k1 = 5, .k2 = 3}, "k1 is 5 and k2 3; expected 1 <= k1 <= k2"},
      {{.k1 = -5}, "k1 is -5"},
      {{.k2 = 3}, "k1 is 0 and k2 3"},
      {{.stateful = true, .shuffle = true}, "set shuffle to false"},
      {{.watch = {.metric = RNL_WATCH_VAL_LOSS}}, "there is no validation set"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    setup s;
    begin(&s);
    rnl_trainer_options options = cases[i].change;
    options.record = s.options.record;
    options.context = s.options.context;
    options.n_parameters = s.options.n_parameters;
    options.parameters = s.options.parameters;
    options.optimizer = s.options.optimizer;
    rnl_set set = set_of(&s.x, &s.y);
    rnl_trainer *t = NULL;
    rnl_error error = {0};
    assert_int_equal(rnl_trainer_new(&t, &options, &set, NULL, &error), RNL_ERR_ARG);
    if (!strstr(error.text, cases[i].text)) fail_msg("'%s' is not '%s'", error.text, cases[i].text);
    assert_null(t);
    rnl_set_release(&set);
    end(&s);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(early_stopping_follows_its_rule), cmocka_unit_test(training_stops_early_with_the_best_weights),
      cmocka_unit_test(validation_may_be_rarer),         cmocka_unit_test(norms_are_those_of_the_last_step),
      cmocka_unit_test(steps_by_hand_are_the_loop),      cmocka_unit_test(evaluation_in_batches_is_evaluation),
      cmocka_unit_test(a_method_owns_its_epochs),        cmocka_unit_test(the_clock_counts_steps),
      cmocka_unit_test(options_out_of_range_are_named)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
