/* Steps in parts against the same steps as one, in float64; which steps are not cut; and that nothing else changes. */
#include "train_setup.h"

#include "rnn/cells.h"
#include "rnn/noise.h"
#include "rnn/program_op.h"
#include "rnn/row_loss.h"
#include "train/checkpoint.h"
#include "train/ensemble.h"
#include "train/parts.h"
#include "train/trainer_private.h"

enum { MANY = 990, LONG = 40 }; /* several parts, whatever an op keeps, and a smaller one */

/* What a step has that is not to be cut. TIMES_ONE: the same numbers, in a form that is not known to be a mean. */
typedef enum spoil {
  SPOIL_NOTHING,
  SPOIL_TIMES_ONE,
  SPOIL_NOISE,      /* drawn by the row's place in the batch */
  SPOIL_CONSTANT,   /* x times a number made from the batch's size */
  SPOIL_CENTRED,    /* x less its mean over the batch */
  SPOIL_OTHER_MASK, /* the loss weighs the rows in its own way */
  SPOIL_CARRIES
} spoil;

typedef struct model {
  net n;
  bool huber, penalty, cut; /* cut: the first step is left away by views of the leaves */
  bool lstm;                /* in place of the net's own layer */
  rnl_regime regime;
  spoil spoil;
} model;

static rnl_status unary(rnl_unary kind, rnl_var *x, rnl_var **out, rnl_error *err) {
  return rnl_apply(&rnl_op_unary, &kind, 1, &x, out, err);
}
static rnl_status binary(rnl_binary kind, rnl_var *a, rnl_var *b, rnl_var **out, rnl_error *err) {
  return rnl_apply(&rnl_op_binary, &kind, 2, (rnl_var *[]){a, b}, out, err);
}
static rnl_var *number(rnl_dtype dtype, double value) {
  rnl_tensor t;
  OK(rnl_tensor_new(&t, dtype, 0, NULL, err));
  rnl_tensor_put(&t, 0, value);
  return rnl_var_new(&t, false);
}
/* *x becomes f(*x, other) */
static void turn(rnl_var **x, rnl_binary kind, rnl_var *other) {
  rnl_var *out;
  OK(binary(kind, *x, other, &out, err));
  rnl_var_release(*x);
  *x = out;
}

static void leave_first(rnl_var **x, int64_t steps) {
  rnl_var *rest;
  OK(net_cut(*x, 1, steps - 1, &rest, err));
  rnl_var_release(*x);
  *x = rest;
}

static void spoil_x(const model *m, const rnl_batch *batch, rnl_var **x) {
  const rnl_dtype dtype = rnl_value(*x)->dtype;
  rnl_var *other = NULL;
  if (m->spoil == SPOIL_NOISE) {
    const int64_t *size = rnl_value(*x)->size;
    const rnl_noise_attrs noise = {.kind = RNL_NOISE_NORMAL, .scale = 0.1, .seed = 1, .dtype = dtype, .ndim = 3,
                                   .size = {size[0], size[1], size[2]}};
    OK(rnl_apply(&rnl_op_noise, &noise, 1, &batch->clock, &other, err));
    turn(x, RNL_BINARY_ADD, other);
  } else if (m->spoil == SPOIL_CONSTANT) {
    other = number(dtype, 1.0 / (double)rnl_value(*x)->size[0]);
    turn(x, RNL_BINARY_MUL, other);
  } else if (m->spoil == SPOIL_CENTRED) {
    const rnl_reduce_attrs mean = {.dim = 0, .keepdim = true, .mean = true};
    OK(rnl_apply(&rnl_op_reduce, &mean, 1, x, &other, err));
    turn(x, RNL_BINARY_SUB, other);
  }
  rnl_var_release(other);
}

/* The penalised weight is turned round, so that for a Jordan layer its gradient on the way is shaped as that of
 * another parameter, weight_ho. */
static void add_penalty(const model *m, rnl_var **loss) {
  const rnl_reduce_attrs sum = {.dim = -1};
  const rnl_view_attrs transpose = {.kind = RNL_VIEW_TRANSPOSE, .dim = 0, .dim2 = 1};
  rnl_var *turned, *square, *total, *weight = m->n.parameters[1], *scale = number(rnl_value(*loss)->dtype, 0.01);
  OK(rnl_apply(&rnl_op_view, &transpose, 1, &weight, &turned, err));
  OK(unary(RNL_UNARY_SQUARE, turned, &square, err));
  OK(rnl_apply(&rnl_op_reduce, &sum, 1, &square, &total, err));
  turn(&total, RNL_BINARY_MUL, scale);
  turn(loss, RNL_BINARY_ADD, total);
  rnl_var_release(turned);
  rnl_var_release(square);
  rnl_var_release(total);
  rnl_var_release(scale);
}

/* y of an LSTM, whose weights are as many as the net's. */
static rnl_status lstm_forward(const model *m, rnl_var *x, rnl_var *lengths, rnl_var **y, rnl_error *err) {
  const rnl_cell_options cell = {.kind = RNL_KIND_LSTM, .input_size = INPUTS, .hidden_size = HIDDEN,
                                 .output_size = OUTPUTS, .lean = true};
  rnl_program_attrs attrs = {.regime = m->regime, .name = "lstm"};
  RNL_TRY(rnl_cell_program(&attrs.program, &cell, err));
  rnl_var *in[RNL_MAX_IN] = {x}, *out[RNL_PROGRAM_OUTPUTS + RNL_PROGRAM_STATES];
  for (int i = 0; i < NET_PARAMETERS; i++) in[rnl_program_first_weight(attrs.program) + i] = m->n.parameters[i];
  in[rnl_program_lengths(attrs.program)] = lengths;
  const rnl_status status =
      rnl_apply(&rnl_op_program, &attrs, rnl_program_lengths(attrs.program) + 1, in, out, err);
  rnl_program_release(attrs.program);
  RNL_TRY(status);
  for (int i = 1; i < rnl_op_program.n_out; i++) rnl_var_release(out[i]);
  *y = out[0];
  return RNL_OK;
}

static rnl_status layer_forward(const model *m, rnl_var *x, rnl_var *lengths, rnl_var **y, rnl_error *err) {
  if (m->lstm) return lstm_forward(m, x, lengths, y, err);
  rnl_var *in[RNL_RECURRENT_INPUTS] = {x}, *out[RNL_RECURRENT_OUTPUTS];
  for (int i = 0; i < NET_PARAMETERS; i++) in[RNL_RECURRENT_WEIGHT_IH + i] = m->n.parameters[i];
  in[RNL_RECURRENT_LENGTHS] = lengths;
  RNL_TRY(rnl_apply(&rnl_op_recurrent, &m->n.attrs, RNL_RECURRENT_INPUTS, in, out, err));
  rnl_var_release(out[RNL_RECURRENT_H]);
  *y = out[RNL_RECURRENT_Y];
  return RNL_OK;
}

static rnl_status record(void *context, rnl_batch *batch, rnl_var **prediction, rnl_var **loss, rnl_error *err) {
  model *m = context;
  if (m->spoil == SPOIL_CARRIES) return net_record(&m->n, batch, prediction, loss, err);
  rnl_var *x = rnl_var_ref(rnl_batch_leaf(batch, "x")), *y = rnl_var_ref(rnl_batch_leaf(batch, "y"));
  rnl_var *lengths = rnl_batch_leaf(batch, "lengths"), *mask = rnl_batch_leaf(batch, "mask");
  if (m->cut) leave_first(&x, batch->steps);
  if (m->cut) leave_first(&y, batch->steps);
  spoil_x(m, batch, &x);
  rnl_var *made = NULL;
  rnl_status status = layer_forward(m, x, lengths, &made, err);
  rnl_var_release(x);
  if (status != RNL_OK) {
    rnl_var_release(y);
    return status;
  }
  if (m->huber) {
    const rnl_row_loss_attrs attrs = {.kind = RNL_ROW_LOSS_HUBER, .delta = 1};
    rnl_var *rows[RNL_ROW_LOSS_INPUTS] = {made, y, mask, lengths};
    if (m->spoil == SPOIL_OTHER_MASK) rows[RNL_ROW_LOSS_MASK] = rnl_batch_leaf(batch, "weights");
    status = rnl_apply(&rnl_op_row_loss, &attrs, RNL_ROW_LOSS_INPUTS, rows, loss, err);
  } else {
    const rnl_loss kind = RNL_LOSS_SSE;
    status = rnl_apply(&rnl_op_squared_error, &kind, 2, (rnl_var *[]){made, y}, loss, err);
  }
  if (status == RNL_OK && m->penalty) add_penalty(m, loss);
  if (status == RNL_OK && m->spoil == SPOIL_TIMES_ONE) {
    rnl_var *one = number(rnl_value(*loss)->dtype, 1);
    turn(loss, RNL_BINARY_MUL, one);
    rnl_var_release(one);
  }
  rnl_var_release(y);
  if (status == RNL_OK) *prediction = made;
  else rnl_var_release(made);
  return status;
}

/* ---- the data and the trainer --------------------------------------------------------------- */

typedef struct data {
  setup s;
  model m;
  rnl_set set;
} data;

static void as_f64(rnl_tensor *t) {
  rnl_tensor cast;
  OK(rnl_tensor_cast(&cast, t, RNL_F64, err));
  rnl_tensor_release(t);
  *t = cast;
}

/* Lengths 1 .. LONG; a mask with gaps, 0 throughout for the sequences of a part. */
static void add_fields(rnl_set *set, int64_t step, rnl_dtype dtype, bool lengths, bool mask, bool weights) {
  const int64_t sequences = set->sequences;
  rnl_tensor t;
  for (int k = 0; k < 3; k++) {
    if (!(k == 0 ? lengths : k == 1 ? mask : weights)) continue;
    OK(rnl_tensor_new(&t, dtype, k == 1 ? 2 : 1, (int64_t[]){sequences, LONG}, err));
    for (int64_t b = 0; b < sequences; b++)
      for (int64_t at = 0; at < (k == 1 ? LONG : 1); at++)
        rnl_tensor_put(&t, k == 1 ? b * LONG + at : b,
                       k == 0   ? 1 + (double)(b * step % LONG)
                       : k == 1 ? (b + at) % 3 != 0 && (b < 320 || b >= 700)
                                : 0.5);
    OK(rnl_set_add(set, "the set", k == 0 ? "lengths" : k == 1 ? "mask" : "weights", &t, err));
    rnl_tensor_release(&t);
  }
}

static void make(data *d, rnl_dtype dtype, int64_t sequences, bool lengths, bool mask, bool weights) {
  memset(d, 0, sizeof *d);
  begin_with(&d->s, sequences, LONG);
  if (dtype == RNL_F64) {
    as_f64(&d->s.x);
    as_f64(&d->s.y);
    for (int i = 0; i < NET_PARAMETERS; i++) as_f64(rnl_value(d->s.n.parameters[i]));
  }
  d->m.n = d->s.n;
  d->s.options.record = record;
  d->s.options.context = &d->m;
  d->set = set_of(&d->s.x, &d->s.y);
  add_fields(&d->set, 7, dtype, lengths, mask, weights);
}
static void unmake(data *d) {
  rnl_set_release(&d->set);
  end(&d->s);
}
static rnl_trainer *train_on(data *d) {
  rnl_trainer *t = NULL;
  OK(rnl_trainer_new(&t, &d->s.options, &d->set, NULL, err));
  return t;
}

static const rnl_parts *parts_for(const rnl_trainer *t, bool gradients) {
  for (int i = 0; i < t->cache_size; i++)
    if (t->cache[i].parts && t->cache[i].key.gradients == gradients) return t->cache[i].parts;
  return NULL;
}
static const rnl_parts *parts_in(const rnl_trainer *t) { return parts_for(t, true); }

static void assert_near(const double *a, const double *b, int64_t n, double tolerance) {
  double largest = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(b[i]));
  assert_true(largest > 0);
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(a[i] - b[i]) <= tolerance * largest)) fail_msg("%lld: %.17g and %.17g", (long long)i, a[i], b[i]);
}

/* ---- the numbers ---------------------------------------------------------------------------- */

typedef struct variant {
  bool jordan, lengths, mask, huber, penalty, cut, lstm;
  rnl_regime regime; /* of the LSTM */
} variant;
static const variant variants[] = {
    {0},
    {.jordan = true, .penalty = true},
    {.huber = true, .cut = true},
    {.huber = true, .lengths = true},
    {.huber = true, .mask = true, .penalty = true}, /* with a part that is padding alone */
    {.huber = true, .lengths = true, .mask = true},
    {.lstm = true, .regime = RNL_REGIME_SMALL},
    {.lstm = true, .regime = RNL_REGIME_SMALL, .huber = true, .lengths = true},
    {.lstm = true, .regime = RNL_REGIME_LARGE}};
enum { VARIANTS = sizeof variants / sizeof *variants };
enum { MOST = (INPUTS + HIDDEN + 1) * 4 * HIDDEN + (HIDDEN + 1) * OUTPUTS }; /* weights of any variant */

static void make_variant(data *d, const variant *v, rnl_dtype dtype) {
  make(d, dtype, MANY, v->lengths, v->mask, false);
  d->m.huber = v->huber;
  d->m.penalty = v->penalty;
  d->m.cut = v->cut;
  d->m.lstm = v->lstm;
  d->m.regime = v->regime;
  if (v->jordan) d->m.n.attrs.cell = RNL_CELL_JORDAN;
  const int64_t sizes[3][2] = {{INPUTS, 4 * HIDDEN}, {v->jordan ? OUTPUTS : HIDDEN, v->jordan ? HIDDEN : 4 * HIDDEN},
                               {4 * HIDDEN}};
  for (int i = v->jordan ? 1 : 0; v->jordan ? i < 2 : v->lstm && i < 3; i++) {
    rnl_tensor weight = random_tensor(20 + (uint32_t)i, i < 2 ? 2 : 1, sizes[i], 0.5);
    if (dtype == RNL_F64) as_f64(&weight);
    rnl_tensor_release(rnl_value(d->s.n.parameters[i]));
    *rnl_value(d->s.n.parameters[i]) = weight;
  }
}

static int64_t count_of(const data *d) {
  int64_t n = 0;
  for (int p = 0; p < NET_PARAMETERS; p++) n += rnl_tensor_numel(rnl_value(d->s.n.parameters[p]));
  return n;
}
static void all_of(const data *d, bool gradients, double *out) {
  for (int p = 0; p < NET_PARAMETERS; p++) {
    const rnl_var *var = d->s.n.parameters[p];
    const rnl_tensor *t = gradients ? rnl_grad(var) : rnl_value(var);
    for (int64_t i = 0; i < rnl_tensor_numel(t); i++) *out++ = rnl_tensor_at(t, i);
  }
}

/* One step that changes nothing: its loss and gradients are those of the plan of the whole batch. */
static void gradients_are_those_of_the_whole_batch(void **state) {
  (void)state;
  for (int v = 0; v < VARIANTS; v++) {
    data d;
    double parted[MOST], whole[MOST];
    make_variant(&d, &variants[v], RNL_F64);
    OK(rnl_optimizer_from_name("sgd", &d.s.options.optimizer, err));
    d.s.options.optimizer.lr = 0;
    rnl_trainer *t = train_on(&d);
    rnl_train_reason reason;
    rnl_full_batch full;
    OK(rnl_trainer_run(t, 2, 0, &reason, err)); /* the second with what the first left in the buffers */
    const rnl_parts *parts = parts_in(t);
    assert_non_null(parts);
    assert_int_equal(parts->size % RNL_LANES, 0);
    assert_true(parts->n >= 4 && parts->step[1].plan); /* the last is smaller */
    assert_int_equal((parts->n - 1) * parts->size + parts->step[1].key.batch, MANY);
    int empty = 0;
    for (int k = 0; k < parts->n; k++) empty += parts->weight[k] == 0;
    assert_int_equal(empty > 0, variants[v].mask);
    all_of(&d, true, parted);
    OK(rnl_trainer_full_batch(t, &d.set, &full, err));
    OK(rnl_plan_forward(full.plan, err));
    OK(rnl_plan_backward(full.plan, err));
    all_of(&d, true, whole);
    assert_near(parted, whole, count_of(&d), 1e-12);
    const double loss = rnl_tensor_at(rnl_value(full.loss), 0);
    for (int i = 0; i < 2; i++) assert_true(fabs(rnl_trainer_losses(t)[i] - loss) <= 1e-12 * loss);
    rnl_trainer_free(t);
    unmake(&d);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Epochs of shuffled batches and of a single one, with clipping and norms, against a twin that is not cut. */
static void training_goes_as_without_parts(void **state) {
  (void)state;
  enum { EPOCHS = 4 };
  for (int v = 0; v < VARIANTS; v++)
    for (int shuffled = 0; shuffled < 2; shuffled++) {
      double weights[2][MOST], losses[2][EPOCHS], norms[2][EPOCHS * 2 * NET_PARAMETERS];
      int64_t n = 0;
      for (int twin = 0; twin < 2; twin++) {
        data d;
        make_variant(&d, &variants[v], RNL_F64);
        if (twin) d.m.spoil = SPOIL_TIMES_ONE;
        d.s.options.batch_size = shuffled ? 400 : 0; /* the last one of 190 */
        d.s.options.shuffle = shuffled;
        d.s.options.norms_every = 1;
        d.s.options.clip_norm = 0.3;
        rnl_trainer *t = train_on(&d);
        rnl_train_reason reason;
        int64_t rows;
        OK(rnl_trainer_prepare(t, err));
        assert_int_equal(parts_in(t) != NULL, !twin);
        OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
        memcpy(losses[twin], rnl_trainer_losses(t), sizeof losses[0]);
        memcpy(norms[twin], rnl_trainer_norms(t, &rows), sizeof norms[0]);
        assert_int_equal(rows, EPOCHS);
        all_of(&d, false, weights[twin]);
        n = count_of(&d);
        rnl_trainer_free(t);
        unmake(&d);
      }
      assert_near(weights[0], weights[1], n, 1e-10);
      assert_near(losses[0], losses[1], EPOCHS, 1e-10);
      assert_near(norms[0], norms[1], EPOCHS * 2 * NET_PARAMETERS, 1e-10);
    }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Steps by hand on batches of different data, then the whole set again, which is held laid out. */
static void steps_by_hand_leave_what_is_held(void **state) {
  (void)state;
  double weights[2][WEIGHTS];
  for (int twin = 0; twin < 2; twin++) {
    data d;
    make(&d, RNL_F64, MANY, true, true, false);
    d.m.huber = true;
    if (twin) d.m.spoil = SPOIL_TIMES_ONE;
    rnl_trainer *t = train_on(&d);
    rnl_train_reason reason;
    double loss;
    rnl_tensor other;
    OK(rnl_tensor_clone(&other, &d.s.x, err));
    for (int64_t i = 0; i < rnl_tensor_numel(&other); i++) rnl_tensor_put(&other, i, -0.5 * rnl_tensor_at(&other, i));
    rnl_set set = set_of(&other, &d.s.y);
    add_fields(&set, 3, RNL_F64, true, true, false); /* other lengths */
    for (int epoch = 1; epoch < 6; epoch += 2) {
      OK(rnl_trainer_run(t, epoch, 0, &reason, err));
      OK(rnl_trainer_step(t, &set, &loss, err));
      OK(rnl_trainer_end_epoch(t, &reason, err));
    }
    weights_of(&d.s, weights[twin]);
    rnl_set_release(&set);
    rnl_tensor_release(&other);
    rnl_trainer_free(t);
    unmake(&d);
  }
  assert_near(weights[0], weights[1], WEIGHTS, 1e-10);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Validation while training, and what is evaluated afterwards: the predictions to the bit. */
static void evaluation_goes_as_without_parts(void **state) {
  (void)state;
  enum { EPOCHS = 3 };
  for (int v = 0; v < VARIANTS; v++) {
    double val_losses[2][EPOCHS], losses[2];
    rnl_tensor prediction[2] = {{0}};
    for (int twin = 0; twin < 2; twin++) {
      data d;
      rnl_trainer *t = NULL;
      rnl_train_reason reason;
      make_variant(&d, &variants[v], RNL_F64);
      if (twin) d.m.spoil = SPOIL_TIMES_ONE;
      OK(rnl_optimizer_from_name("sgd", &d.s.options.optimizer, err));
      d.s.options.optimizer.lr = 0; /* the same weights to the bit */
      OK(rnl_trainer_new(&t, &d.s.options, &d.set, &d.set, err));
      OK(rnl_trainer_prepare(t, err));
      assert_int_equal(parts_for(t, false) != NULL, !twin);
      OK(rnl_trainer_run(t, EPOCHS, 0, &reason, err));
      memcpy(val_losses[twin], rnl_trainer_val_losses(t), sizeof val_losses[0]);
      OK(rnl_trainer_evaluate(t, &d.set, &losses[twin], &prediction[twin], err));
      assert_true(losses[twin] == val_losses[twin][EPOCHS - 1]);
      rnl_trainer_free(t);
      unmake(&d);
    }
    assert_near(val_losses[0], val_losses[1], EPOCHS, 1e-12);
    assert_true(rnl_tensor_same_shape(&prediction[0], &prediction[1]));
    const size_t bytes = (size_t)rnl_tensor_numel(&prediction[0]) * sizeof(double);
    assert_true(rnl_tensor_is_contiguous(&prediction[0]) && rnl_tensor_is_contiguous(&prediction[1]));
    assert_memory_equal(rnl_tensor_data(&prediction[0]), rnl_tensor_data(&prediction[1]), bytes);
    for (int i = 0; i < 2; i++) rnl_tensor_release(&prediction[i]);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- what is not cut ------------------------------------------------------------------------ */

static bool is_cut(data *d) {
  rnl_trainer *t = train_on(d);
  OK(rnl_trainer_prepare(t, err));
  const bool cut = parts_in(t) != NULL;
  rnl_trainer_free(t);
  unmake(d);
  return cut;
}

static void only_means_over_sequences_are_cut(void **state) {
  (void)state;
  data d;
  for (spoil s = SPOIL_NOTHING; s <= SPOIL_CARRIES; s++) {
    make(&d, RNL_F32, 576, false, false, s == SPOIL_OTHER_MASK); /* parts of one size */
    d.m.huber = s == SPOIL_OTHER_MASK;
    d.m.spoil = s;
    d.s.options.stateful = s == SPOIL_CARRIES;
    assert_int_equal(is_cut(&d), s == SPOIL_NOTHING);
  }
  make(&d, RNL_F32, MANY, true, false, false); /* the squared error counts what lies past the lengths, too */
  assert_false(is_cut(&d));
  make(&d, RNL_F32, MANY, true, false, false);
  d.s.options.k1 = 10; /* chunks */
  d.m.spoil = SPOIL_CARRIES;
  assert_false(is_cut(&d));
  make(&d, RNL_F32, 2 * RNL_LANES, false, false, false); /* small */
  assert_false(is_cut(&d));
  make(&d, RNL_F32, 64, false, false, false); /* fits */
  assert_false(is_cut(&d));
  assert_int_equal(rnl_alloc_live(), 0);
}

/* ---- all else as it was --------------------------------------------------------------------- */

/* A loss that is not finite in a later part: no weight has changed. */
static void a_part_that_diverges_changes_nothing(void **state) {
  (void)state;
  data d;
  double before[WEIGHTS], after[WEIGHTS];
  make(&d, RNL_F32, MANY, false, false, false);
  rnl_tensor_put(&d.s.y, rnl_tensor_numel(&d.s.y) - 1, 1e30); /* its square is infinite */
  weights_of(&d.s, before);
  rnl_trainer *t = train_on(&d);
  rnl_train_reason reason;
  OK(rnl_trainer_run(t, 3, 0, &reason, err));
  assert_non_null(parts_in(t));
  assert_int_equal(reason, RNL_TRAIN_DIVERGED);
  assert_int_equal(rnl_trainer_epoch(t), 0);
  assert_true(isinf(rnl_trainer_last_loss(t)));
  weights_of(&d.s, after);
  assert_memory_equal(before, after, sizeof before);
  rnl_trainer_free(t);
  unmake(&d);
}

static void an_error_says_in_which_part(void **state) {
  (void)state;
  data d;
  make(&d, RNL_F32, MANY, false, false, false);
  rnl_tensor lengths;
  OK(rnl_tensor_new(&lengths, RNL_F32, 1, (int64_t[]){MANY}, err));
  rnl_tensor_fill(&lengths, LONG);
  OK(rnl_set_add(&d.set, "the set", "lengths", &lengths, err));
  d.m.huber = true;
  rnl_trainer *t = train_on(&d);
  OK(rnl_trainer_prepare(t, err));
  rnl_tensor_put(&lengths, parts_in(t)->size, 2.5); /* the trainer has checked its set before */
  rnl_error error = {0};
  rnl_train_reason reason;
  assert_int_equal(rnl_trainer_run(t, 1, 0, &reason, &error), RNL_ERR_ARG);
  char where[80];
  const long long size = parts_in(t)->size;
  snprintf(where, sizeof where, "sequences %lld to %lld of the batch: ", size + 1, size < MANY / 2 ? 2 * size : MANY);
  assert_non_null(strstr(error.text, where));
  rnl_trainer_free(t);
  rnl_tensor_release(&lengths);
  unmake(&d);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Trained in one go, cut and carried to a new trainer, on two threads, and within an ensemble. */
static void the_same_bits_however_it_is_run(void **state) {
  (void)state;
  enum { EPOCHS = 6, WAYS = 4, BOTH = 2 };
  double weights[WAYS][WEIGHTS];
  for (int way = 0; way < WAYS; way++) {
    static data d[BOTH];
    rnl_trainer *t[BOTH];
    rnl_train_reason reason;
    const int n = way == 3 ? BOTH : 1;
    for (int k = 0; k < n; k++) {
      make(&d[k], RNL_F32, MANY, false, true, false);
      d[k].m.huber = true;
      d[k].s.options.batch_size = 700;
      d[k].s.options.shuffle = true;
      d[k].s.options.threads = way == 2 ? 2 : 1;
      d[k].s.options.optimizer.lr = k ? 0.1 : 0.01;
      t[k] = train_on(&d[k]);
      OK(rnl_trainer_prepare(t[k], err));
      assert_non_null(parts_in(t[k]));
    }
    if (way == 1) {
      OK(rnl_trainer_run_steps(t[0], EPOCHS, 5, &reason, err)); /* in the midst of the third epoch */
      rnl_tensors saved = {0};
      OK(rnl_trainer_save(t[0], &saved, err));
      make(&d[1], RNL_F32, MANY, false, true, false);
      d[1].m.huber = true;
      d[1].s.options = d[0].s.options;
      d[1].s.options.parameters = d[1].s.n.parameters;
      d[1].s.options.context = &d[1].m;
      t[1] = train_on(&d[1]);
      OK(rnl_trainer_load(t[1], &saved, err));
      rnl_tensors_free(&saved);
      OK(rnl_trainer_run(t[1], EPOCHS, 0, &reason, err));
      weights_of(&d[1].s, weights[way]);
      rnl_trainer_free(t[1]);
      unmake(&d[1]);
    } else if (way == 3) {
      rnl_ensemble *e = NULL;
      OK(rnl_ensemble_new(&e, BOTH, t, 1, err));
      OK(rnl_ensemble_run(e, EPOCHS, 0, &reason, err));
      rnl_ensemble_free(e);
    } else {
      OK(rnl_trainer_run(t[0], EPOCHS, 0, &reason, err));
    }
    if (way != 1) weights_of(&d[0].s, weights[way]);
    for (int k = 0; k < n; k++) {
      rnl_trainer_free(t[k]);
      unmake(&d[k]);
    }
  }
  for (int way = 1; way < WAYS; way++) assert_memory_equal(weights[0], weights[way], sizeof weights[0]);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Where the parts are rows of matrix products, which go over threads. */
static void threads_change_no_bit(void **state) {
  (void)state;
  double weights[2][MOST];
  for (int k = 0; k < 2; k++) {
    data d;
    make_variant(&d, &(variant){.lstm = true, .regime = RNL_REGIME_LARGE}, RNL_F32);
    d.s.options.threads = 1 + k;
    rnl_trainer *t = train_on(&d);
    rnl_train_reason reason;
    OK(rnl_trainer_run(t, 3, 0, &reason, err));
    assert_non_null(parts_in(t));
    all_of(&d, false, weights[k]);
    rnl_trainer_free(t);
    unmake(&d);
  }
  assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* What it holds is the data, laid out, and the buffers of a part. */
static void parts_take_less_memory(void **state) {
  (void)state;
  size_t bytes[2];
  for (int twin = 0; twin < 2; twin++) {
    data d;
    make(&d, RNL_F32, 8000, false, false, false);
    if (twin) d.m.spoil = SPOIL_TIMES_ONE;
    rnl_trainer *t = train_on(&d);
    OK(rnl_trainer_prepare(t, err));
    bytes[twin] = rnl_trainer_bytes(t);
    rnl_trainer_free(t);
    unmake(&d);
  }
  const size_t held = (size_t)8000 * LONG * (INPUTS + OUTPUTS) * sizeof(float);
  assert_true(bytes[0] > held);
  assert_true(bytes[0] < held + (size_t)(2 << 20));
  assert_true(2 * bytes[0] < bytes[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_are_those_of_the_whole_batch),
                                     cmocka_unit_test(training_goes_as_without_parts),
                                     cmocka_unit_test(steps_by_hand_leave_what_is_held),
                                     cmocka_unit_test(evaluation_goes_as_without_parts),
                                     cmocka_unit_test(only_means_over_sequences_are_cut),
                                     cmocka_unit_test(a_part_that_diverges_changes_nothing),
                                     cmocka_unit_test(an_error_says_in_which_part),
                                     cmocka_unit_test(the_same_bits_however_it_is_run),
                                     cmocka_unit_test(threads_change_no_bit),
                                     cmocka_unit_test(parts_take_less_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
