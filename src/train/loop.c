/* train/loop.c: the loop. */
#include <math.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "train/parts.h"
#include "train/trainer_private.h"

double rnl_seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rnl_status append(rnl_numbers *list, double value, rnl_error *err) {
  if (list->count == list->capacity) {
    int64_t grown = list->capacity ? 2 * list->capacity : 1024;
    double *bigger = rnl_realloc(list->values, (size_t)list->count, (size_t)grown, sizeof *bigger);
    if (!bigger) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the losses");
    list->values = bigger;
    list->capacity = grown;
  }
  list->values[list->count++] = value;
  return RNL_OK;
}

/* The order of an epoch is a function of (seed, epoch) alone: Fisher & Yates from a stream of its own. */
void rnl_trainer_draw_order(rnl_trainer *t) {
  if (!t->order || t->order_epoch == t->epoch) return;
  rnl_rng rng;
  rnl_rng_init(&rng, t->options.seed, RNL_RNG_SHUFFLE, (uint32_t)t->epoch);
  for (int64_t i = 0; i < t->train.sequences; i++) t->order[i] = i;
  for (int64_t i = t->train.sequences - 1; i > 0; i--) {
    const int64_t k = (int64_t)rnl_rng_below(&rng, (uint64_t)i + 1), swap = t->order[i];
    t->order[i] = t->order[k];
    t->order[k] = swap;
  }
  t->order_epoch = t->epoch;
}

/* ---- one step ------------------------------------------------------------------------------- */

static double norm_of(const rnl_tensor *t) {
  if (!t->storage) return 0;
  return sqrt(rnl_kernels_of(t->dtype == RNL_F64)->sum_squares(rnl_tensor_numel(t), rnl_tensor_data(t)));
}

/* The last step of an epoch whose norms are wanted? */
static bool norms_due(const rnl_trainer *t) {
  const int64_t every = t->options.norms_every;
  return every > 0 && (t->epoch + 1) % every == 0 && t->chunk == t->chunks - 1 &&
         (t->batch + 1) * t->batch_size >= t->train.sequences;
}

static rnl_status update(rnl_trainer *t, bool with_norms, rnl_error *err) {
  const int n = t->options.n_parameters;
  if (with_norms)
    for (int i = 0; i < n; i++) RNL_TRY(append(&t->norms, norm_of(rnl_grad(t->parameters[i])), err));
  if (t->options.clip_value > 0) rnl_clip_value(n, t->parameters, t->options.clip_value);
  if (t->options.clip_norm > 0) rnl_clip_norm(n, t->parameters, t->options.clip_norm);
  if (rnl_trainer_scheduled(t))
    rnl_optimizer_set_lr(t->optimizer, rnl_schedule_lr(&t->options.schedule, t->options.optimizer.lr,
                                                       rnl_optimizer_steps(t->optimizer)));
  rnl_optimizer_step(t->optimizer);
  return RNL_OK;
}

static rnl_status begin_states(const rnl_trainer *t, const rnl_step_plan *step, int64_t slot, rnl_error *err) {
  for (int i = 0; i < step->n_carries; i++) {
    const rnl_carry *carry = &step->carry[i];
    if (!carry->begin) continue;
    if (slot < 0) rnl_tensor_fill(rnl_value(carry->begin), 0);
    else RNL_TRY(rnl_states_read(&t->states, carry->place, slot, carry->begin, err));
  }
  return RNL_OK;
}

static rnl_status keep_states(const rnl_trainer *t, const rnl_step_plan *step, int64_t slot, rnl_error *err) {
  for (int i = 0; slot >= 0 && i < step->n_carries; i++)
    RNL_TRY(rnl_states_write(&t->states, step->carry[i].place, slot, step->carry[i].end, err));
  return RNL_OK;
}

/* A step is these three, with the plan's forward pass after the first and its backward pass after the second. */

rnl_status rnl_step_begin(rnl_trainer *t, const rnl_step_on *on, rnl_step_plan **out, rnl_step_want *want,
                          rnl_error *err) {
  const rnl_set *set = on->set;
  rnl_step_plan *step;
  RNL_TRY(rnl_trainer_plan_for(t, &on->key, set, &on->part, &step, err));
  RNL_TRY(rnl_step_plan_load(step, set, &on->part, err));
  if (set == &t->train && on->key.batch == set->sequences && on->key.length == set->steps && !on->part.order)
    step->holds = set; /* the sets cannot change while it trains */
  if (step->parts && step->holds) RNL_TRY(rnl_parts_hold(step->parts, err));
  if (step->n_carries) RNL_TRY(begin_states(t, step, on->reads, err));
  if (step->clock) *rnl_f64(rnl_value(step->clock)) = (double)t->steps;
  /* Padding alone: nothing to learn, but the states go on. */
  *want = step->weight != 0 ? RNL_STEP_WHOLE : step->n_carries ? RNL_STEP_FORWARD : RNL_STEP_NOTHING;
  *out = step;
  return RNL_OK;
}

rnl_status rnl_step_judge(rnl_trainer *t, const rnl_step_on *on, const rnl_step_plan *step, rnl_step_want want,
                          bool *finite, rnl_error *err) {
  *finite = true;
  if (step->n_carries) RNL_TRY(keep_states(t, step, on->writes, err));
  if (want != RNL_STEP_WHOLE) return RNL_OK;
  if (!step->parts) t->last_loss = rnl_tensor_at(rnl_value(step->loss), 0);
  *finite = isfinite(t->last_loss);
  return RNL_OK;
}

rnl_status rnl_step_finish(rnl_trainer *t, const rnl_step_on *on, const rnl_step_plan *step, rnl_error *err) {
  RNL_TRY(update(t, on->with_norms, err));
  t->partial += t->last_loss * step->weight;
  t->partial_weight += step->weight;
  t->epoch_steps++;
  t->steps++;
  return RNL_OK;
}

/* One step. *finite is false where the loss is not; then no weight has changed. */
static rnl_status take_step(rnl_trainer *t, const rnl_step_on *on, bool *finite, rnl_error *err) {
  rnl_step_plan *step;
  rnl_step_want want;
  *finite = true;
  RNL_TRY(rnl_step_begin(t, on, &step, &want, err));
  if (want == RNL_STEP_NOTHING) return RNL_OK;
  const rnl_parts_pass pass = {.clock = (double)t->steps};
  if (step->parts) RNL_TRY(rnl_parts_run(step->parts, &pass, &t->last_loss, err));
  else RNL_TRY(rnl_plan_forward(step->plan, err));
  RNL_TRY(rnl_step_judge(t, on, step, want, finite, err));
  if (want != RNL_STEP_WHOLE || !*finite) return RNL_OK;
  if (!step->parts) RNL_TRY(rnl_plan_backward(step->plan, err));
  return rnl_step_finish(t, on, step, err);
}

void rnl_trainer_at_cursor(const rnl_trainer *t, rnl_step_on *on) {
  *on = (rnl_step_on){.set = &t->train, .with_norms = norms_due(t)};
  rnl_trainer_chunk(t, t->batch, t->chunk, t->at_beginning, &on->key, &on->part, &on->reads, &on->writes);
}

void rnl_trainer_advance(rnl_trainer *t) {
  if (++t->chunk < t->chunks) return;
  t->chunk = 0;
  t->batch++;
  t->at_beginning = !t->options.stateful;
}

/* The step at the cursor, which moves on. */
static rnl_status next_step(rnl_trainer *t, bool *finite, rnl_error *err) {
  rnl_step_on on;
  rnl_trainer_at_cursor(t, &on);
  RNL_TRY(take_step(t, &on, finite, err));
  if (*finite) rnl_trainer_advance(t);
  return RNL_OK;
}

/* ---- an epoch ------------------------------------------------------------------------------- */

/* What follows the steps of an epoch: norms, validation, early stopping. */
rnl_status rnl_trainer_close_epoch(rnl_trainer *t, rnl_error *err) {
  double val_loss = NAN;
  const int64_t every = t->options.validate_every > 0 ? t->options.validate_every : 1;
  const bool validate = t->val.n && (t->epoch + 1) % every == 0;
  const int n = t->options.n_parameters;
  if (n > 0 && t->options.norms_every > 0 && (t->epoch + 1) % t->options.norms_every == 0) {
    while (t->norms.count % (2 * n) < n) /* steps by hand, or a method: the gradients as they are */
      RNL_TRY(append(&t->norms, norm_of(rnl_grad(t->parameters[t->norms.count % (2 * n)])), err));
    for (int i = 0; i < n; i++) RNL_TRY(append(&t->norms, norm_of(rnl_value(t->parameters[i])), err));
  }
  if (validate) RNL_TRY(rnl_trainer_evaluate_set(t, &t->val, &val_loss, NULL, err));
  if (t->val.n) RNL_TRY(append(&t->val_losses, val_loss, err));
  const double loss = t->epoch_steps == 1 ? t->last_loss : t->partial / t->partial_weight;
  RNL_TRY(append(&t->losses, loss, err));
  t->epoch++;
  t->batch = 0;
  t->partial = t->partial_weight = 0;
  t->epoch_steps = 0;
  t->at_beginning = !(t->options.stateful && t->options.keep_states);
  if (t->options.watch.metric == RNL_WATCH_LOSS) rnl_trainer_observe(t, loss);
  if (t->options.watch.metric == RNL_WATCH_VAL_LOSS && validate) rnl_trainer_observe(t, val_loss);
  return RNL_OK;
}

/* An epoch of a method that owns it. */
static rnl_status method_epoch(rnl_trainer *t, bool *finite, rnl_error *err) {
  rnl_full_batch full;
  RNL_TRY(rnl_trainer_load_full(t, &t->train, &full, err));
  if (t->options.method.prepare) RNL_TRY(t->options.method.prepare(t->options.method.context, &full, err));
  bool converged = false;
  RNL_TRY(t->options.method.epoch(t->options.method.context, &full, &t->last_loss, &converged, err));
  *finite = isfinite(t->last_loss);
  if (!*finite) return RNL_OK;
  t->epoch_steps = 1;
  t->steps++;
  t->batch = (t->train.sequences + t->batch_size - 1) / t->batch_size;
  if (converged) t->enough = t->converged = true;
  return RNL_OK;
}

/* Steps until `epochs` are done, a deadline (0: none) is over, or `left` steps (< 0: any number) are. */
static rnl_status run(rnl_trainer *t, int64_t epochs, double deadline, int64_t left, rnl_train_reason *reason,
                      rnl_error *err) {
  while (t->epoch < epochs && !t->enough) {
    rnl_trainer_draw_order(t);
    while (t->batch * t->batch_size < t->train.sequences) {
      const bool stop = t->options.stop && *t->options.stop;
      if (stop || left-- == 0) {
        *reason = stop ? RNL_TRAIN_INTERRUPTED : RNL_TRAIN_TIME;
        return RNL_OK;
      }
      bool finite = true;
      const rnl_status status = t->options.method.epoch ? method_epoch(t, &finite, err) : next_step(t, &finite, err);
      if (status == RNL_ERR_INTERRUPTED) {
        *reason = RNL_TRAIN_INTERRUPTED;
        return RNL_OK;
      }
      RNL_TRY(status);
      if (!finite) {
        *reason = RNL_TRAIN_DIVERGED;
        return RNL_OK;
      }
      if (deadline > 0 && t->batch * t->batch_size < t->train.sequences && rnl_seconds_now() >= deadline) {
        *reason = RNL_TRAIN_TIME;
        return RNL_OK;
      }
    }
    RNL_TRY(rnl_trainer_close_epoch(t, err));
    if (deadline > 0 && t->epoch < epochs && rnl_seconds_now() >= deadline) {
      *reason = RNL_TRAIN_TIME;
      return RNL_OK;
    }
  }
  *reason = t->enough ? RNL_TRAIN_STOPPED : RNL_TRAIN_EPOCHS;
  return RNL_OK;
}

static rnl_status run_timed(rnl_trainer *t, int64_t epochs, double max_seconds, int64_t steps,
                            rnl_train_reason *reason, rnl_error *err) {
  const double begin = rnl_seconds_now();
  const uint64_t fpu = rnl_fpu_enter();
  rnl_status status = run(t, epochs, max_seconds > 0 ? begin + max_seconds : 0, steps, reason, err);
  rnl_fpu_leave(fpu);
  t->seconds += rnl_seconds_now() - begin;
  return status;
}

rnl_status rnl_trainer_run(rnl_trainer *t, int64_t epochs, double max_seconds, rnl_train_reason *reason,
                           rnl_error *err) {
  return run_timed(t, epochs, max_seconds, -1, reason, err);
}

rnl_status rnl_trainer_run_steps(rnl_trainer *t, int64_t epochs, int64_t steps, rnl_train_reason *reason,
                                 rnl_error *err) {
  return run_timed(t, epochs, 0, steps < 0 ? 0 : steps, reason, err);
}

/* ---- steps by hand -------------------------------------------------------------------------- */

rnl_status rnl_trainer_step(rnl_trainer *t, const rnl_set *batch, double *loss, rnl_error *err) {
  const bool stateful = t->options.stateful;
  if (t->options.method.epoch)
    return rnl_fail(err, RNL_ERR_ARG, "%s takes the whole training set as one batch and no steps of single batches",
                    t->options.method.name);
  if (stateful && batch->sequences > t->states.batch)
    return rnl_fail(err, RNL_ERR_SHAPE, "a batch of %lld sequences; states are carried for %lld",
                    (long long)batch->sequences, (long long)t->states.batch);
  RNL_TRY(rnl_set_check(batch, "the batch", err));
  const rnl_step_on on = {
      .set = batch,
      .key = {.gradients = true, .carries = stateful, .beginning = stateful && t->at_beginning,
              .batch = batch->sequences, .length = batch->steps, .hand_on = stateful ? batch->steps : 0},
      .reads = stateful && !t->at_beginning ? t->overlap : -1,
      .writes = stateful ? t->overlap : -1};
  const double begin = rnl_seconds_now();
  const uint64_t fpu = rnl_fpu_enter();
  bool finite = true;
  const int64_t before = t->steps;
  rnl_status status = take_step(t, &on, &finite, err);
  rnl_fpu_leave(fpu);
  t->seconds += rnl_seconds_now() - begin;
  RNL_TRY(status);
  if (finite) t->at_beginning = false;
  *loss = finite && t->steps == before ? NAN : t->last_loss; /* padding alone has no loss */
  return RNL_OK;
}

rnl_status rnl_trainer_end_epoch(rnl_trainer *t, rnl_train_reason *reason, rnl_error *err) {
  if (t->epoch_steps == 0) return rnl_fail(err, RNL_ERR_ARG, "an epoch has at least one step; there was none");
  const double begin = rnl_seconds_now();
  const uint64_t fpu = rnl_fpu_enter();
  rnl_status status = rnl_trainer_close_epoch(t, err);
  rnl_fpu_leave(fpu);
  t->seconds += rnl_seconds_now() - begin;
  *reason = t->enough ? RNL_TRAIN_STOPPED : RNL_TRAIN_EPOCHS;
  return status;
}
