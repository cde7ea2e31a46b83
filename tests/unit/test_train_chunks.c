/* States carried from chunk to chunk and from batch to batch. */
#include "train_setup.h"

#include "train/batch.h"

/* Weights after `epochs` epochs, the calls cut after every `cut` steps (0: not at all). */
static void train(setup *s, int64_t epochs, int64_t cut, double out[WEIGHTS]) {
  rnl_trainer *t = trainer_with(s, true);
  rnl_train_reason reason = RNL_TRAIN_TIME;
  while (cut && reason == RNL_TRAIN_TIME) OK(rnl_trainer_run_steps(t, epochs, cut, &reason, err));
  OK(rnl_trainer_run(t, epochs, 0, &reason, err));
  assert_int_equal(reason, RNL_TRAIN_EPOCHS);
  assert_int_equal(rnl_trainer_epoch(t), epochs);
  weights_of(s, out);
  rnl_trainer_free(t);
}

static void cutting_between_chunks_changes_nothing(void **state) {
  (void)state;
  static const struct { int64_t k1, k2, batch_size; bool stateful, shuffle; } cases[] = {
      {2, 2, 0, false, false}, {2, 6, 8, false, true}, {4, 7, 8, false, true}, {3, 3, 8, true, false},
      {0, 0, 8, true, false},  {2, 5, 8, true, false}, {100, 100, 8, false, true}, {2, 100, 0, false, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double whole[WEIGHTS], cut[WEIGHTS];
    for (int c = 0; c < 2; c++) {
      setup s;
      begin(&s);
      s.options.k1 = cases[i].k1;
      s.options.k2 = cases[i].k2;
      s.options.batch_size = cases[i].batch_size;
      s.options.stateful = cases[i].stateful;
      s.options.shuffle = cases[i].shuffle;
      train(&s, 3, c, c ? cut : whole);
      end(&s);
    }
    assert_memory_equal(whole, cut, sizeof whole);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* One chunk as long as the sequence is no truncation. */
static void a_chunk_of_all_steps_is_the_whole(void **state) {
  (void)state;
  double whole[WEIGHTS], chunk[WEIGHTS];
  for (int c = 0; c < 2; c++) {
    setup s;
    begin(&s);
    s.options.k1 = c ? STEPS : 0;
    train(&s, 5, 0, c ? chunk : whole);
    end(&s);
  }
  assert_memory_equal(whole, chunk, sizeof whole);
}

/* A long sequence cut by hand into batches that follow each other, stateful, is truncated backpropagation. */
static void stateful_batches_are_chunks(void **state) {
  (void)state;
  enum { ROWS = 6, LONG = 24, K = 6, PARTS = LONG / K };
  double chunks[WEIGHTS], batches[WEIGHTS];
  setup s;
  begin_with(&s, ROWS, LONG);
  s.options.k1 = K;
  train(&s, 4, 0, chunks);
  end(&s);
  begin_with(&s, ROWS, LONG);
  rnl_tensor *const sets[] = {&s.x, &s.y};
  for (int i = 0; i < 2; i++) {
    rnl_tensor cut, from, to;
    OK(rnl_tensor_new(&cut, RNL_F32, 3, (int64_t[]){ROWS * PARTS, K, sets[i]->size[2]}, err));
    for (int64_t part = 0; part < PARTS; part++) {
      OK(rnl_tensor_narrow(&from, sets[i], 1, part * K, K, err));
      OK(rnl_tensor_narrow(&to, &cut, 0, part * ROWS, ROWS, err));
      OK(rnl_tensor_copy(&to, &from, err));
      rnl_tensor_release(&from);
      rnl_tensor_release(&to);
    }
    rnl_tensor_release(sets[i]);
    *sets[i] = cut;
  }
  s.options.batch_size = ROWS;
  s.options.stateful = true;
  train(&s, 4, 0, batches);
  assert_memory_equal(chunks, batches, sizeof chunks);
  end(&s);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void states_may_outlast_an_epoch(void **state) {
  (void)state;
  double anew[WEIGHTS], on[WEIGHTS], none[WEIGHTS];
  for (int c = 0; c < 3; c++) {
    setup s;
    begin(&s);
    s.options.batch_size = 7;
    s.options.stateful = c > 0;
    s.options.keep_states = c == 2;
    train(&s, 3, 0, c == 0 ? none : c == 1 ? anew : on);
    end(&s);
  }
  assert_memory_not_equal(anew, on, sizeof anew);
  assert_memory_not_equal(anew, none, sizeof anew);
}

static void chunks_allocate_nothing(void **state) {
  (void)state;
  setup s;
  begin(&s);
  s.options.k1 = 2;
  s.options.k2 = 5;
  s.options.batch_size = 8;
  s.options.shuffle = true;
  rnl_trainer *t = trainer_of(&s);
  rnl_train_reason reason;
  OK(rnl_trainer_prepare(t, err));
  const size_t bytes = rnl_trainer_bytes(t);
  OK(rnl_trainer_run(t, 1, 0, &reason, err)); /* the first block of losses */
  const int recordings = s.n.recordings;
  rnl_alloc_fail_after(1);
  rnl_error error = {0};
  rnl_status status = rnl_trainer_run(t, 50, 0, &reason, &error);
  rnl_alloc_fail_after(0);
  if (status != RNL_OK) fail_msg("%s", error.text);
  assert_int_equal(s.n.recordings, recordings);
  assert_int_equal(rnl_trainer_bytes(t), bytes); /* all was there after preparing */
  rnl_trainer_free(t);
  end(&s);
}

/* Sequences with lengths: padding may hold anything, and chunks beyond the longest are no steps. The net itself knows
 * no lengths; its loss weighs the valid steps by a mask made of them. */
static rnl_status record_masked(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  net *n = context;
  rnl_var *y, *part[3] = {NULL};
  n->recordings++;
  RNL_TRY(net_forward(n, batch, &y, err));
  const rnl_unary square = RNL_UNARY_SQUARE;
  const rnl_binary subtract = RNL_BINARY_SUB, multiply = RNL_BINARY_MUL;
  const rnl_view_attrs unsqueeze = {.kind = RNL_VIEW_UNSQUEEZE, .dim = 2};
  const rnl_reduce_attrs sum = {.dim = -1};
  rnl_var *mask = rnl_batch_leaf(batch, "mask");
  rnl_var *const pair[2] = {y, rnl_batch_leaf(batch, "y")};
  rnl_status status = rnl_apply(&rnl_op_binary, &subtract, 2, pair, &part[0], err);
  if (status == RNL_OK) status = rnl_apply(&rnl_op_unary, &square, 1, &part[0], &part[1], err);
  rnl_var_release(part[0]);
  part[0] = NULL;
  if (status == RNL_OK) status = rnl_apply(&rnl_op_view, &unsqueeze, 1, &mask, &part[0], err);
  if (status == RNL_OK) status = rnl_apply(&rnl_op_binary, &multiply, 2, part, &part[2], err);
  if (status == RNL_OK) status = rnl_apply(&rnl_op_reduce, &sum, 1, &part[2], loss, err);
  for (int i = 0; i < 3; i++) rnl_var_release(part[i]);
  if (status == RNL_OK) *prediction = y;
  else rnl_var_release(y);
  return status;
}

static void padding_alone_is_no_step(void **state) {
  (void)state;
  double weights[2][WEIGHTS];
  for (int c = 0; c < 2; c++) {
    setup s;
    begin_with(&s, 3, 8);
    s.options.record = record_masked;
    s.options.k1 = 2;
    rnl_tensor mask;
    OK(rnl_tensor_new(&mask, RNL_F32, 2, (int64_t[]){3, 8}, err));
    const int64_t lengths[3] = {3, 5, 4}; /* the last chunk, steps 7 and 8, is padding */
    for (int64_t i = 0; i < 3; i++)
      for (int64_t t = 0; t < lengths[i]; t++) rnl_tensor_set(&mask, (int64_t[]){i, t}, 1);
    if (c) /* other padding */
      for (int64_t i = 0; i < 3; i++)
        for (int64_t t = lengths[i]; t < 8; t++)
          for (int64_t k = 0; k < INPUTS; k++) rnl_tensor_set(&s.x, (int64_t[]){i, t, k}, 0.25);
    rnl_set set = set_of(&s.x, &s.y);
    OK(rnl_set_add(&set, "the set", "mask", &mask, err));
    rnl_trainer *t = NULL;
    OK(rnl_trainer_new(&t, &s.options, &set, NULL, err));
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 4, 0, &reason, err));
    assert_int_equal(rnl_trainer_steps(t), 4 * 3); /* three of four chunks have valid steps */
    weights_of(&s, weights[c]);
    rnl_trainer_free(t);
    rnl_set_release(&set);
    rnl_tensor_release(&mask);
    end(&s);
  }
  assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Long sequences are evaluated in pieces, to the same numbers. */
static void evaluation_in_chunks_is_evaluation(void **state) {
  (void)state;
  enum { LONG = 1300 };
  double loss[2];
  rnl_tensor prediction[2] = {{0}};
  for (int c = 0; c < 2; c++) {
    setup s;
    begin_with(&s, 5, LONG);
    rnl_tensor own = random_tensor(9, 1, (int64_t[]){HIDDEN}, 1);
    s.n.state0 = c ? rnl_var_new(&own, false) : NULL;
    s.options.k1 = 100;
    s.options.batch_size = 2;
    for (int chunked = 0; chunked < 2; chunked++) {
      s.options.k1 = chunked ? 100 : LONG;
      rnl_set set = set_of(&s.x, &s.y);
      rnl_trainer *t = NULL;
      OK(rnl_trainer_new(&t, &s.options, &set, NULL, err));
      OK(rnl_trainer_evaluate(t, &set, &loss[chunked], &prediction[chunked], err));
      if (!chunked) assert_int_equal(s.n.recordings, 4); /* two sequences and one; laid out, and laid out again */
      rnl_set_release(&set);
      rnl_trainer_free(t);
    }
    if (!c) { /* from the layer's own state an unchunked step does not begin: it has none to ask */
      assert_true(error_of(loss[1], loss[0]) < 1e-6);
      for (int64_t i = 0; i < rnl_tensor_numel(&prediction[0]); i++)
        assert_true(error_of(rnl_tensor_at(&prediction[1], i), rnl_tensor_at(&prediction[0], i)) < 1e-6);
    } else {
      assert_true(fabs(rnl_tensor_at(&prediction[1], 0) - rnl_tensor_at(&prediction[0], 0)) > 1e-4);
      const int64_t last = (LONG - 1) * OUTPUTS; /* and it is forgotten in the end */
      assert_true(error_of(rnl_tensor_at(&prediction[1], last), rnl_tensor_at(&prediction[0], last)) < 1e-4);
    }
    for (int k = 0; k < 2; k++) rnl_tensor_release(&prediction[k]);
    rnl_tensor_release(&own);
    end(&s);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- mistakes ------------------------------------------------------------------------------- */

static int mistake;
static rnl_status record_wrong(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  rnl_var *state = NULL, *again = NULL, *x = rnl_batch_leaf(batch, "x");
  const int64_t rows = rnl_value(x)->size[0];
  rnl_status status = RNL_OK;
  if (mistake == 0) status = rnl_batch_carried(batch, "h", x, err);
  const char *name = mistake == 4 ? "other" : "h";
  if (status == RNL_OK) status = rnl_batch_carry(batch, name, rows, 3, RNL_F32, NULL, &state, err);
  if (status == RNL_OK && mistake == 1) status = rnl_batch_carry(batch, "h", rows, 3, RNL_F32, NULL, &again, err);
  if (status == RNL_OK && mistake == 2) status = rnl_batch_carried(batch, "h", x, err);
  if (status == RNL_OK && mistake == 3) {
    status = rnl_batch_carried(batch, "h", state, err);
    if (status == RNL_OK) status = rnl_batch_carried(batch, "h", state, err);
  }
  rnl_var_release(state);
  RNL_TRY(status);
  return net_record(context, batch, prediction, loss, err); /* asks for h as well */
}

static void mistakes_of_layers_are_named(void **state) {
  (void)state;
  static const char *const expected[] = {
      "state 'h' is handed on but was not asked for", "state 'h' is asked for twice",
      "state 'h' is handed on as (21, 4, 3); expected (batch, 3)", "state 'h' is handed on twice",
      "state 'other' was asked for but not handed on"};
  for (mistake = 0; mistake < 5; mistake++) {
    setup s;
    begin(&s);
    s.options.record = record_wrong;
    s.options.k1 = 4;
    rnl_trainer *t = trainer_of(&s);
    rnl_train_reason reason;
    rnl_error error = {0};
    assert_int_not_equal(rnl_trainer_run(t, 1, 0, &reason, &error), RNL_OK);
    if (!strstr(error.text, expected[mistake])) fail_msg("'%s' is not '%s'", error.text, expected[mistake]);
    rnl_trainer_free(t);
    end(&s);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  for (int64_t n = 1;; n++) {
    setup s;
    begin_with(&s, 5, 5);
    s.options.k1 = 2;
    s.options.k2 = 3;
    s.options.batch_size = 3;
    s.options.norms_every = 1;
    s.options.watch = (rnl_watch_options){.metric = RNL_WATCH_VAL_LOSS, .keep = true, .patience = 5};
    rnl_trainer *t = NULL;
    rnl_error error = {0};
    rnl_train_reason reason;
    rnl_set set = set_of(&s.x, &s.y), val = set_of(&s.val_x, &s.val_y);
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_trainer_new(&t, &s.options, &set, &val, &error);
    if (status == RNL_OK) status = rnl_trainer_run(t, 1, 0, &reason, &error);
    rnl_alloc_fail_after(0);
    rnl_trainer_free(t);
    rnl_set_release(&set);
    rnl_set_release(&val);
    end(&s);
    assert_int_equal(rnl_alloc_live(), 0);
    if (status == RNL_OK) {
      assert_true(n > 50);
      return;
    }
    assert_int_equal(status, RNL_ERR_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cutting_between_chunks_changes_nothing), cmocka_unit_test(a_chunk_of_all_steps_is_the_whole),
      cmocka_unit_test(stateful_batches_are_chunks),            cmocka_unit_test(states_may_outlast_an_epoch),
      cmocka_unit_test(chunks_allocate_nothing),                cmocka_unit_test(padding_alone_is_no_step),
      cmocka_unit_test(evaluation_in_chunks_is_evaluation),
      cmocka_unit_test(mistakes_of_layers_are_named),           cmocka_unit_test(every_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
