/* A trainer's state as data: cut after every single step, carried to a new trainer, it goes on to the bit. */
#include "train_setup.h"

#include "base/rng.h"
#include "train/checkpoint.h"
#include "train/lbfgs.h"
#include "train/lm.h"

enum { EPOCHS = 4 };

typedef struct variant {
  const char *optimizer;
  int64_t batch_size, k1, k2;
  bool shuffle, stateful, keep_states;
  const char *schedule;
  int64_t patience, norms_every, validate_every;
  double clip_norm, weight_decay, momentum;
  bool centered;
} variant;

static const variant variants[] = {
    {.optimizer = "sgd", .batch_size = 8, .shuffle = true, .patience = -1},
    {.optimizer = "momentum", .batch_size = 8, .shuffle = true, .patience = -1, .weight_decay = 0.01},
    {.optimizer = "nesterov", .batch_size = 8, .patience = -1},
    {.optimizer = "adam", .patience = -1, .norms_every = 2, .validate_every = 3},
    {.optimizer = "adam", .batch_size = 8, .shuffle = true, .patience = 1, .norms_every = 1, .clip_norm = 0.1},
    {.optimizer = "adam", .batch_size = 8, .patience = -1, .schedule = "cosine"},
    {.optimizer = "adam", .k1 = 2, .k2 = 5, .batch_size = 8, .shuffle = true, .patience = -1, .schedule = "onecycle"},
    {.optimizer = "adam", .k1 = 2, .k2 = 6, .batch_size = 8, .stateful = true, .patience = -1},
    {.optimizer = "adam", .batch_size = 8, .stateful = true, .keep_states = true, .patience = -1},
    {.optimizer = "adam_tf", .batch_size = 8, .patience = -1},
    {.optimizer = "adamw", .batch_size = 8, .patience = -1},
    {.optimizer = "amsgrad", .batch_size = 8, .patience = -1},
    {.optimizer = "rmsprop", .batch_size = 8, .patience = -1, .momentum = 0.5, .centered = true},
    {.optimizer = "adagrad", .batch_size = 8, .patience = -1},
    {.optimizer = "adadelta", .batch_size = 8, .patience = -1},
    {.optimizer = "rprop", .patience = -1},
    {.optimizer = "lm", .patience = -1, .norms_every = 1},
    {.optimizer = "lbfgs", .patience = -1, .validate_every = 2}};

static void begin_variant(setup *s, const variant *v) {
  begin(s);
  rnl_trainer_options *o = &s->options;
  const rnl_lm_options lm = rnl_lm_defaults();
  const rnl_lbfgs_options lbfgs = rnl_lbfgs_defaults();
  const bool is_lm = strcmp(v->optimizer, "lm") == 0, is_lbfgs = strcmp(v->optimizer, "lbfgs") == 0;
  if (is_lm) OK(rnl_lm_new(&o->method, &lm, err));
  if (is_lbfgs) OK(rnl_lbfgs_new(&o->method, &lbfgs, o->n_parameters, o->parameters, err));
  OK(rnl_optimizer_from_name(is_lm || is_lbfgs ? "sgd" : v->optimizer, &o->optimizer, err));
  o->optimizer.lr = 0.05; /* large, so that early stopping has something to do */
  if (v->weight_decay > 0) o->optimizer.weight_decay = v->weight_decay;
  if (v->momentum > 0) o->optimizer.momentum = v->momentum;
  o->optimizer.centered = v->centered;
  if (v->schedule) {
    OK(rnl_schedule_from_name(v->schedule, &o->schedule, err));
    o->schedule.total = 30;
  }
  o->batch_size = v->batch_size;
  o->shuffle = v->shuffle;
  o->k1 = v->k1;
  o->k2 = v->k2;
  o->stateful = v->stateful;
  o->keep_states = v->keep_states;
  o->norms_every = v->norms_every;
  o->validate_every = v->validate_every;
  o->clip_norm = v->clip_norm;
  o->watch = (rnl_watch_options){.metric = RNL_WATCH_VAL_LOSS, .patience = v->patience, .keep = true};
}

/* All that a trainer has to show. */
typedef struct result {
  double weights[WEIGHTS], best[WEIGHTS], losses[EPOCHS], val_losses[EPOCHS], norms[EPOCHS * 2 * NET_PARAMETERS];
  double lr, last_loss, best_value;
  int64_t epoch, steps, rows, best_epoch;
} result;

static void finish(setup *s, rnl_trainer *t, result *out) {
  rnl_train_reason reason;
  memset(out, 0, sizeof *out);
  OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
  out->epoch = rnl_trainer_epoch(t);
  out->steps = rnl_trainer_steps(t);
  out->lr = rnl_trainer_lr(t);
  out->last_loss = rnl_trainer_last_loss(t);
  memcpy(out->losses, rnl_trainer_losses(t), (size_t)out->epoch * sizeof(double));
  memcpy(out->val_losses, rnl_trainer_val_losses(t), (size_t)out->epoch * sizeof(double));
  const double *norms = rnl_trainer_norms(t, &out->rows);
  if (out->rows) memcpy(out->norms, norms, (size_t)out->rows * 2 * NET_PARAMETERS * sizeof(double));
  weights_of(s, out->weights);
  assert_true(rnl_trainer_restore_best(t, &out->best_epoch, &out->best_value));
  weights_of(s, out->best);
}

/* What the state is once it was written and read: tensors of its own. */
static rnl_tensors copy_of(const rnl_tensors *list) {
  rnl_tensors copy = {0};
  for (int64_t i = 0; i < list->count; i++) {
    rnl_tensor own;
    OK(rnl_tensor_clone(&own, &list->items[i].tensor, err));
    OK(rnl_tensors_add(&copy, list->items[i].name, &own, err)); /* and no name is there twice */
    rnl_tensor_release(&own);
  }
  return copy;
}

/* The state after so many steps; false where training ends before. */
static bool state_after(const variant *v, int64_t steps, rnl_tensors *out) {
  setup s;
  rnl_train_reason reason;
  begin_variant(&s, v);
  rnl_trainer *t = trainer_of(&s);
  OK(rnl_trainer_run_steps(t, EPOCHS, steps, &reason, err));
  rnl_tensors list = {0};
  OK(rnl_trainer_save(t, &list, err));
  *out = copy_of(&list);
  rnl_tensors_free(&list);
  rnl_trainer_free(t);
  end(&s);
  return reason == RNL_TRAIN_TIME;
}

static void a_cut_after_any_step_changes_no_bit(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
    const variant *v = &variants[i];
    static result whole, cut;
    setup s;
    begin_variant(&s, v);
    rnl_trainer *t = trainer_of(&s);
    finish(&s, t, &whole);
    rnl_trainer_free(t);
    end(&s);
    int64_t steps = 0;
    for (bool more = true; more; steps++) {
      rnl_tensors saved;
      more = state_after(v, steps, &saved);
      begin_variant(&s, v);
      t = trainer_of(&s);
      if (steps % 2) OK(rnl_trainer_prepare(t, err)); /* its plans, and so its states, may be there already */
      OK(rnl_trainer_load(t, &saved, err));
      rnl_tensors_free(&saved);
      finish(&s, t, &cut);
      if (memcmp(&whole, &cut, sizeof whole) != 0)
        fail_msg("variant %d (%s): cut after %lld steps it ends otherwise", (int)i, v->optimizer, (long long)steps);
      rnl_trainer_free(t);
      end(&s);
    }
    assert_true(steps >= EPOCHS);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* The learning rate set by hand goes with it. */
static void the_rate_set_by_hand_is_kept(void **state) {
  (void)state;
  setup s;
  rnl_train_reason reason;
  begin(&s);
  rnl_trainer *t = trainer_of(&s);
  OK(rnl_trainer_set_lr(t, 0.125, err));
  OK(rnl_trainer_run(t, 2, 0, &reason, err));
  rnl_tensors list = {0};
  OK(rnl_trainer_save(t, &list, err));
  rnl_tensors saved = copy_of(&list);
  rnl_tensors_free(&list);
  rnl_trainer_free(t);
  t = trainer_of(&s);
  OK(rnl_trainer_load(t, &saved, err));
  assert_true(rnl_trainer_lr(t) == 0.125);
  assert_true(rnl_trainer_seconds(t) > 0);
  rnl_tensors_free(&saved);
  rnl_trainer_free(t);
  end(&s);
}

/* Entry i becomes another tensor, or is taken out. */
static void replace(rnl_tensors *list, const char *name, const rnl_tensor *value) {
  rnl_tensors changed = {0};
  for (int64_t i = 0; i < list->count; i++) {
    const bool it = strcmp(list->items[i].name, name) == 0;
    if (it && !value) continue;
    OK(rnl_tensors_append(&changed, list->items[i].name, it ? value : &list->items[i].tensor, err));
  }
  rnl_tensors_free(list);
  *list = changed;
}

static void refused(const variant *v, const rnl_tensors *list, const char *text) {
  setup s;
  rnl_error error = {0};
  double before[WEIGHTS], after[WEIGHTS];
  begin_variant(&s, v);
  rnl_trainer *t = trainer_of(&s);
  weights_of(&s, before);
  assert_int_equal(rnl_trainer_load(t, list, &error), RNL_ERR_FORMAT);
  if (!strstr(error.text, text)) fail_msg("\"%s\" does not say \"%s\"", error.text, text);
  weights_of(&s, after);
  assert_memory_equal(before, after, sizeof before);
  assert_int_equal(rnl_trainer_epoch(t), 0);
  rnl_trainer_free(t);
  end(&s);
}

static void what_does_not_fit_is_refused(void **state) {
  (void)state;
  const variant *v = &variants[7]; /* carried states */
  rnl_tensors good, bad;
  assert_true(state_after(v, 17, &good)); /* in the second epoch */
  variant other = *v;
  other.optimizer = "sgd";
  refused(&other, &good, "no state of the optimizer sgd");
  other = *v;
  other.batch_size = 7;
  refused(&other, &good, "its batch size is 8; here it is 7");
  other = *v;
  other.k2 = 2;
  refused(&other, &good, "overlap of chunks");
  static const char *const parts[] = {"trainer", "param.1", "losses", "val_losses", "best.0", "optim.t", "optim.2.1",
                                      "state.1.h"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    rnl_tensor odd;
    bad = copy_of(&good);
    replace(&bad, parts[i], NULL);
    refused(v, &bad, strcmp(parts[i], "trainer") == 0 ? "no checkpoint" : i == 5 ? "optimizer adam" : parts[i]);
    OK(rnl_tensor_new(&odd, RNL_F32, 2, (int64_t[]){1, 3}, err));
    rnl_tensors_free(&bad);
    bad = copy_of(&good);
    replace(&bad, parts[i], &odd);
    refused(v, &bad, "");
    rnl_tensor_release(&odd);
    rnl_tensors_free(&bad);
  }
  /* Every number of "trainer" as it must not be. */
  static const double odd_numbers[] = {NAN, INFINITY, -1, 0.5, 1e300};
  const int64_t counts = 19; /* the whole ones; behind them stand sums and losses */
  for (int64_t k = 0; k < counts; k++)
    for (size_t i = 0; i < sizeof odd_numbers / sizeof *odd_numbers; i++) {
      bad = copy_of(&good);
      rnl_tensor_put(rnl_tensors_find(&bad, "trainer"), k, odd_numbers[i]);
      refused(v, &bad, "");
      rnl_tensors_free(&bad);
    }
  rnl_tensors_free(&good);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Where memory is out a save fails and leaves nothing behind. */
static void saving_without_memory_fails_cleanly(void **state) {
  (void)state;
  setup s;
  rnl_train_reason reason;
  begin_variant(&s, &variants[7]);
  rnl_trainer *t = trainer_of(&s);
  OK(rnl_trainer_run_steps(t, EPOCHS, 5, &reason, err));
  const int64_t live = rnl_alloc_live();
  rnl_status status = RNL_ERR_MEMORY;
  int tries = 0;
  for (; status != RNL_OK && tries < 1000; tries++) {
    rnl_tensors list = {0};
    rnl_error error = {0};
    rnl_alloc_fail_after(tries + 1);
    status = rnl_trainer_save(t, &list, &error);
    rnl_alloc_fail_after(0);
    rnl_tensors_free(&list);
    assert_int_equal(rnl_alloc_live(), live);
  }
  assert_true(tries > 10 && status == RNL_OK);
  rnl_trainer_free(t);
  end(&s);
}

/* ---- methods -------------------------------------------------------------------------------- */

/* A method that takes shrinking steps down the gradient: what it keeps is the size of the step. */
typedef struct shrinking { double step; } shrinking;

static rnl_status shrinking_epoch(void *context, const rnl_full_batch *batch, double *loss, bool *converged,
                                  rnl_error *error) {
  shrinking *m = context;
  RNL_TRY(rnl_plan_forward(batch->plan, error));
  *loss = rnl_tensor_at(rnl_value(batch->loss), 0);
  RNL_TRY(rnl_plan_backward(batch->plan, error));
  for (int p = 0; p < batch->n_parameters; p++) {
    const rnl_tensor *value = rnl_value(batch->parameters[p]), *grad = rnl_grad(batch->parameters[p]);
    for (int64_t i = 0; i < rnl_tensor_numel(value); i++)
      rnl_tensor_put(value, i, rnl_tensor_at(value, i) - m->step * rnl_tensor_at(grad, i));
  }
  m->step *= 0.7;
  *converged = false;
  return RNL_OK;
}
static int shrinking_state(void *context, rnl_method_value *out) {
  out[0] = (rnl_method_value){.name = "step", .values = &((shrinking *)context)->step, .n = 1};
  return 1;
}

static void a_method_keeps_what_it_saves(void **state) {
  (void)state;
  static result whole, cut;
  for (int c = 0; c < 2; c++) {
    shrinking m = {0.2};
    setup s;
    rnl_train_reason reason;
    begin_variant(&s, &variants[3]);
    s.options.method = (rnl_method){.context = &m, .epoch = shrinking_epoch, .state = shrinking_state};
    rnl_trainer *t = trainer_of(&s);
    if (c) {
      OK(rnl_trainer_run(t, 2, 0, &reason, err));
      rnl_tensors list = {0};
      OK(rnl_trainer_save(t, &list, err));
      rnl_tensors saved = copy_of(&list);
      rnl_tensors_free(&list);
      rnl_trainer_free(t);
      end(&s);
      m.step = 99;
      begin_variant(&s, &variants[3]);
      s.options.method = (rnl_method){.context = &m, .epoch = shrinking_epoch, .state = shrinking_state};
      t = trainer_of(&s);
      OK(rnl_trainer_load(t, &saved, err));
      rnl_tensors_free(&saved);
    }
    finish(&s, t, c ? &cut : &whole);
    rnl_trainer_free(t);
    end(&s);
  }
  assert_memory_equal(&whole, &cut, sizeof whole);
}

/* ---- random streams ------------------------------------------------------------------------- */

static void a_stream_is_found_again_at_any_place(void **state) {
  (void)state;
  for (int drawn = 0; drawn < 11; drawn++)
    for (int normal = 0; normal < 2; normal++) {
      rnl_rng a, b;
      rnl_rng_init(&a, 5, RNL_RNG_USER, 9);
      for (int i = 0; i < drawn; i++) rnl_rng_u32(&a);
      if (normal) rnl_rng_normal(&a);
      rnl_rng_init(&b, 5, RNL_RNG_USER, 9);
      rnl_rng_seek(&b, rnl_rng_drawn(&a), a.has_spare, a.spare_normal);
      assert_int_equal(rnl_rng_drawn(&a), drawn + 4 * normal);
      for (int i = 0; i < 7; i++) assert_true(rnl_rng_normal(&a) == rnl_rng_normal(&b));
      for (int i = 0; i < 7; i++) assert_int_equal(rnl_rng_u32(&a), rnl_rng_u32(&b));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cut_after_any_step_changes_no_bit), cmocka_unit_test(the_rate_set_by_hand_is_kept),
      cmocka_unit_test(what_does_not_fit_is_refused),        cmocka_unit_test(saving_without_memory_fails_cleanly),
      cmocka_unit_test(a_method_keeps_what_it_saves),        cmocka_unit_test(a_stream_is_found_again_at_any_place)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
