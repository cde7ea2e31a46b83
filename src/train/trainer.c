/* train/trainer.c: making and ending a trainer, its plans by shape, and what can be asked of it. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "train/parts.h"
#include "train/trainer_private.h"

/* Shapes met besides those of chunks: a full batch, the last short one, validation, and what is evaluated by hand. */
enum { PLAN_CACHE = 8 };

/* ---- making --------------------------------------------------------------------------------- */

static rnl_status check_options(const rnl_trainer_options *o, const rnl_set *train, bool val, rnl_error *err) {
  if (o->batch_size < 0)
    return rnl_fail(err, RNL_ERR_ARG, "batch_size is %lld; it must be at least 1", (long long)o->batch_size);
  if (!(o->clip_norm >= 0) || !(o->clip_value >= 0))
    return rnl_fail(err, RNL_ERR_ARG, "clip_norm and clip_value must be positive numbers");
  if (o->k1 < 0 || o->k2 < 0 || (o->k2 && o->k2 < o->k1) || (o->k2 && !o->k1))
    return rnl_fail(err, RNL_ERR_ARG, "truncated backpropagation: k1 is %lld and k2 %lld; expected 1 <= k1 <= k2",
                    (long long)o->k1, (long long)o->k2);
  if (o->k1 && !train->field[RNL_SET_Y].timed) {
    char shape[RNL_SHAPE_TEXT];
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "truncated backpropagation needs a target at every step; y is %s and x has %lld steps",
                    rnl_tensor_shape_text(shape, &train->field[RNL_SET_Y].value), (long long)train->steps);
  }
  if (o->stateful && o->shuffle)
    return rnl_fail(err, RNL_ERR_ARG, "a stateful network needs its batches in order; set shuffle to false");
  if (o->watch.metric == RNL_WATCH_VAL_LOSS && !val)
    return rnl_fail(err, RNL_ERR_ARG, "early stopping watches val_loss, but there is no validation set");
  if (o->method.epoch && (o->k1 || o->stateful || (o->batch_size && o->batch_size < train->sequences)))
    return rnl_fail(err, RNL_ERR_ARG, "%s takes the whole training set as one batch: it does not go with %s",
                    o->method.name, o->k1 ? "truncated backpropagation (k1)" : o->stateful ? "stateful" : "batch_size");
  if (o->method.epoch && (o->clip_norm || o->clip_value || o->schedule.kind != RNL_SCHEDULE_CONSTANT ||
                          o->schedule.warmup))
    return rnl_fail(err, RNL_ERR_ARG, "%s has no learning rate and clips no gradient: it does not go with %s",
                    o->method.name, o->clip_norm ? "clip_norm" : o->clip_value ? "clip_value" : "a schedule");
  return RNL_OK;
}

static rnl_status make(rnl_trainer *t, const rnl_trainer_options *options, rnl_error *err) {
  const int n = options->n_parameters;
  t->parameters = rnl_alloc((size_t)n + 1, sizeof *t->parameters);
  t->cache_size = PLAN_CACHE + 2 * (int)(t->overlap < 1000 ? t->overlap + 2 : 1000);
  t->cache = rnl_alloc((size_t)t->cache_size, sizeof *t->cache);
  /* In one batch the order of the sequences cannot matter. */
  const bool shuffled = options->shuffle && t->batch_size < t->train.sequences;
  if (shuffled) t->order = rnl_alloc((size_t)t->train.sequences, sizeof *t->order);
  if (!t->parameters || !t->cache || (shuffled && !t->order))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a trainer");
  for (int i = 0; i < n; i++) t->parameters[i] = rnl_var_ref(options->parameters[i]);
  t->options.parameters = t->parameters;
  RNL_TRY(rnl_watch_begin(&t->watch, &options->watch, n, t->parameters, err));
  if (rnl_trainer_scheduled(t)) RNL_TRY(rnl_schedule_check(&options->schedule, err));
  return rnl_optimizer_new(&t->optimizer, &options->optimizer, n, t->parameters, err);
}

rnl_status rnl_trainer_new(rnl_trainer **out, const rnl_trainer_options *options, const rnl_set *train,
                           const rnl_set *val, rnl_error *err) {
  *out = NULL;
  rnl_trainer *t = rnl_alloc(1, sizeof *t);
  if (!t) {
    if (options->method.release) options->method.release(options->method.context);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a trainer");
  }
  t->options = *options;
  t->options.n_parameters = 0; /* none is held yet */
  t->train = rnl_set_ref(train);
  if (val) t->val = rnl_set_ref(val);
  const int64_t all = train->sequences, k1 = options->k1, k2 = options->k2 ? options->k2 : k1;
  t->options.k2 = k2;
  t->batch_size = options->batch_size && options->batch_size < all ? options->batch_size : all;
  t->chunks = k1 > 0 ? (train->steps - 1) / k1 + 1 : 1;
  t->overlap = k1 > 0 ? k2 / k1 : 1;
  if (t->overlap > t->chunks) t->overlap = t->chunks; /* no chunk reaches back further */
  if (t->overlap < 1) t->overlap = 1;
  t->states.slots = t->overlap + 1;
  t->states.batch = t->batch_size;
  t->at_beginning = true;
  t->order_epoch = -1;
  rnl_status status = rnl_set_check(train, "the training set", err);
  if (status == RNL_OK && val) status = rnl_set_check(val, "the validation set", err);
  if (status == RNL_OK) status = check_options(options, train, val != NULL, err);
  if (status == RNL_OK) status = make(t, options, err);
  if (status == RNL_OK) t->options.n_parameters = options->n_parameters;
  if (status == RNL_OK) *out = t;
  else rnl_trainer_free(t);
  return status;
}

void rnl_trainer_free(rnl_trainer *t) {
  if (!t) return;
  for (int i = 0; t->cache && i < t->cache_size; i++) rnl_step_plan_release(&t->cache[i]);
  for (int i = 0; t->parameters && t->parameters[i]; i++) rnl_var_release(t->parameters[i]); /* one more is NULL */
  rnl_optimizer_free(t->optimizer);
  if (t->options.method.release) t->options.method.release(t->options.method.context);
  rnl_watch_end(&t->watch);
  rnl_states_release(&t->states);
  rnl_set_release(&t->train);
  rnl_set_release(&t->val);
  rnl_free(t->cache);
  rnl_free(t->parameters);
  rnl_free(t->order);
  rnl_free(t->losses.values);
  rnl_free(t->val_losses.values);
  rnl_free(t->norms.values);
  rnl_free(t);
}

/* ---- plans by shape ------------------------------------------------------------------------- */

rnl_status rnl_trainer_plan_for(rnl_trainer *t, const rnl_step_key *key, const rnl_set *set, const rnl_step_part *part,
                                rnl_step_plan **out, rnl_error *err) {
  if (rnl_step_plan_fits(&t->cache[t->last_used], key, set)) {
    *out = &t->cache[t->last_used];
    return RNL_OK;
  }
  int free_place = -1;
  const bool own = set == &t->train || set == &t->val;
  for (int i = 0; i < t->cache_size; i++) {
    if (rnl_step_plan_fits(&t->cache[i], key, set)) {
      *out = &t->cache[i];
      t->last_used = i;
      if (own) t->cache[i].known = set;
      return RNL_OK;
    }
    if (free_place < 0 && !t->cache[i].plan && !t->cache[i].parts) free_place = i;
  }
  if (t->sealed) return rnl_fail(err, RNL_ERR_INTERNAL, "a step of a shape that was not prepared");
  if (free_place < 0) {
    free_place = t->next_to_replace;
    t->next_to_replace = (t->next_to_replace + 1) % t->cache_size;
    rnl_step_plan_release(&t->cache[free_place]);
  }
  rnl_step_plan *made = &t->cache[free_place];
  rnl_parts *parts;
  const bool hold = set == (key->gradients ? &t->train : &t->val) && key->batch == set->sequences;
  RNL_TRY(rnl_parts_new(&parts, &t->options, key, set, part, &t->states, hold, err));
  if (parts) rnl_step_plan_divide(made, key, set, parts);
  else RNL_TRY(rnl_step_plan_record(made, &t->options, key, set, part, &t->states, err));
  if (own) made->known = set;
  const int threads = t->options.threads > 0 ? t->options.threads : 1;
  if (parts) rnl_parts_set_threads(parts, threads);
  else rnl_plan_set_threads(made->plan, threads);
  t->last_used = free_place;
  *out = made;
  return RNL_OK;
}

void rnl_trainer_chunk(const rnl_trainer *t, int64_t batch, int64_t chunk, bool at_beginning, rnl_step_key *key,
                       rnl_step_part *part, int64_t *reads, int64_t *writes) {
  const int64_t start = batch * t->batch_size, left = t->train.sequences - start;
  const int64_t k1 = t->options.k1, k2 = t->options.k2, steps = t->train.steps;
  const bool stateful = t->options.stateful, last = chunk == t->chunks - 1;
  *part = (rnl_step_part){.first = start, .order = t->order ? t->order + start : NULL};
  *key = (rnl_step_key){.gradients = true, .carries = k1 > 0 || stateful, .chunked = k1 > 0, .length = steps,
                        .batch = left < t->batch_size ? left : t->batch_size};
  *reads = *writes = -1;
  if (!key->carries) return;
  if (k1 > 0) {
    const int64_t end = (chunk + 1) * k1;
    part->from = end > k2 ? end - k2 : 0;
    key->length = (last ? steps : end) - part->from;
    key->loss_from = chunk * k1 - part->from;
  }
  /* The chunk `overlap` further on begins k2 before its end, which is k2 % k1 before the end of this one. At the
   * batch's end a stateful network hands on the state there. */
  key->hand_on = key->length - (k1 > 0 && !(last && stateful) ? k2 % k1 : 0);
  key->beginning = part->from == 0 && (!stateful || at_beginning);
  if (!key->beginning) *reads = part->from == 0 ? t->overlap : chunk % t->overlap;
  if (!last) *writes = chunk % t->overlap;
  else if (stateful) *writes = t->overlap;
}

rnl_status rnl_trainer_prepare(rnl_trainer *t, rnl_error *err) {
  rnl_step_plan *made;
  const int64_t batches = (t->train.sequences + t->batch_size - 1) / t->batch_size;
  if (t->options.method.epoch) {
    rnl_full_batch full;
    RNL_TRY(rnl_trainer_load_full(t, &t->train, &full, err));
    if (t->options.method.prepare) RNL_TRY(t->options.method.prepare(t->options.method.context, &full, err));
  }
  for (int64_t b = 0; b < batches && !t->options.method.epoch; b = b == 0 && batches > 2 ? batches - 1 : b + 1)
    for (int64_t c = 0; c < t->chunks; c++)
      for (int begins = t->options.stateful ? 0 : 1; begins < 2; begins++) {
        rnl_step_key key;
        rnl_step_part part;
        int64_t reads, writes;
        rnl_trainer_chunk(t, b, c, begins, &key, &part, &reads, &writes);
        part.order = NULL; /* it is not drawn yet; any will do */
        RNL_TRY(rnl_trainer_plan_for(t, &key, &t->train, &part, &made, err));
      }
  if (t->val.n) {
    double ignored;
    RNL_TRY(rnl_trainer_evaluate_set(t, &t->val, &ignored, NULL, err));
  }
  t->prepared = true;
  return RNL_OK;
}

/* ---- what can be asked ---------------------------------------------------------------------- */

rnl_status rnl_trainer_set_lr(rnl_trainer *t, double lr, rnl_error *err) {
  if (rnl_trainer_scheduled(t))
    return rnl_fail(err, RNL_ERR_ARG, "the learning rate has a schedule; it cannot be set by hand");
  if (!(lr >= 0) || isinf(lr)) return rnl_fail(err, RNL_ERR_ARG, "a learning rate of %g; expected a number >= 0", lr);
  rnl_optimizer_set_lr(t->optimizer, lr);
  return RNL_OK;
}

double rnl_trainer_lr(const rnl_trainer *t) {
  return rnl_optimizer_lr(t->optimizer);
}

int64_t rnl_trainer_epoch(const rnl_trainer *t) { return t->epoch; }
int64_t rnl_trainer_steps(const rnl_trainer *t) { return t->steps; }
const double *rnl_trainer_losses(const rnl_trainer *t) { return t->losses.values; }
const double *rnl_trainer_val_losses(const rnl_trainer *t) { return t->val_losses.values; }
double rnl_trainer_last_loss(const rnl_trainer *t) { return t->last_loss; }
double rnl_trainer_seconds(const rnl_trainer *t) { return t->seconds; }
bool rnl_trainer_converged(const rnl_trainer *t) { return t->converged; }
void rnl_trainer_reset_states(rnl_trainer *t) { t->at_beginning = true; }

const double *rnl_trainer_norms(const rnl_trainer *t, int64_t *rows) {
  const int64_t width = 2 * (int64_t)t->options.n_parameters;
  *rows = width ? t->norms.count / width : 0;
  return t->norms.values;
}

bool rnl_trainer_observe(rnl_trainer *t, double value) {
  if (t->options.watch.metric == RNL_WATCH_NONE) return false;
  if (rnl_watch_observe(&t->watch, t->epoch, value)) t->enough = true;
  return t->enough;
}

bool rnl_trainer_restore_best(rnl_trainer *t, int64_t *epoch, double *value) {
  if (epoch) *epoch = t->watch.best_epoch;
  if (value) *value = t->watch.best;
  return rnl_watch_restore(&t->watch);
}

size_t rnl_trainer_bytes(const rnl_trainer *t) {
  const rnl_plan *stack[64];
  const rnl_plan **plans = 2 * t->cache_size <= 64 ? stack : rnl_alloc(2 * (size_t)t->cache_size, sizeof *plans);
  size_t bytes = rnl_states_bytes(&t->states);
  int n = 0;
  for (int i = 0; plans && i < t->cache_size; i++) {
    const rnl_parts *parts = t->cache[i].parts;
    if (t->cache[i].plan) plans[n++] = t->cache[i].plan;
    for (int k = 0; parts && k < 2; k++)
      if (parts->step[k].plan) plans[n++] = parts->step[k].plan;
    if (parts) bytes += rnl_parts_bytes(parts);
  }
  if (plans) bytes += rnl_plans_bytes(plans, n);
  for (int i = 0; t->watch.kept && i < t->watch.n; i++) bytes += t->watch.kept[i].storage->bytes;
  if (plans != stack) rnl_free(plans);
  if (t->options.method.bytes) bytes += t->options.method.bytes(t->options.method.context);
  return bytes;
}
