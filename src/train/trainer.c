/* train/trainer.c: the loop. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "train/step_plan.h"

/* Shapes met: a full batch, the last short one, validation, and what is evaluated by hand. The oldest makes
 * room where there are more. */
enum { PLAN_CACHE = 8 };

typedef struct loss_list {
  double *values;
  int64_t count, capacity;
} loss_list;

struct rnl_trainer {
  rnl_trainer_options options;
  rnl_var **parameters;
  rnl_optimizer *optimizer;
  rnl_tensor x, y, val_x, val_y;
  int64_t sequences, batch_size;
  rnl_step_plan cache[PLAN_CACHE];
  int next_to_replace;

  /* the cursor */
  int64_t epoch, batch;   /* epochs done; batches done of the epoch under way */
  double partial;         /* sum over those batches of loss * sequences */
  int64_t *order;         /* of the sequences in this epoch; NULL: as they are */
  int64_t order_epoch;    /* the epoch `order` was drawn for; -1: none */

  loss_list losses, val_losses;
  double seconds;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- making --------------------------------------------------------------------------------- */

static rnl_status check_set(const char *what, const rnl_tensor *x, const rnl_tensor *y, rnl_error *err) {
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  if (x->ndim < 2 || y->ndim < 2 || x->size[0] < 1 || x->size[0] != y->size[0])
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "%s: x is %s and y is %s; both need a batch dimension first, with as many sequences", what,
                    rnl_tensor_shape_text(a, x), rnl_tensor_shape_text(b, y));
  return RNL_OK;
}

rnl_status rnl_trainer_new(rnl_trainer **out, const rnl_trainer_options *options, const rnl_tensor *x,
                           const rnl_tensor *y, const rnl_tensor *val_x, const rnl_tensor *val_y,
                           rnl_error *err) {
  *out = NULL;
  RNL_TRY(check_set("the training set", x, y, err));
  if (val_x) RNL_TRY(check_set("the validation set", val_x, val_y, err));
  if (options->batch_size < 0)
    return rnl_fail(err, RNL_ERR_ARG, "batch_size is %lld; it must be at least 1",
                    (long long)options->batch_size);
  if (!(options->clip_norm >= 0) || !(options->clip_value >= 0))
    return rnl_fail(err, RNL_ERR_ARG, "clip_norm and clip_value must be positive numbers");
  rnl_trainer *t = rnl_alloc(1, sizeof *t);
  if (!t) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a trainer");
  t->options = *options;
  t->x = rnl_tensor_ref(x);
  t->y = rnl_tensor_ref(y);
  if (val_x) t->val_x = rnl_tensor_ref(val_x), t->val_y = rnl_tensor_ref(val_y);
  t->sequences = x->size[0];
  t->batch_size = options->batch_size && options->batch_size < t->sequences ? options->batch_size : t->sequences;
  t->order_epoch = -1;
  rnl_status status = RNL_OK;
  t->parameters = rnl_alloc((size_t)options->n_parameters + 1, sizeof *t->parameters);
  /* In one batch the order of the sequences cannot matter. */
  const bool shuffled = options->shuffle && t->batch_size < t->sequences;
  if (shuffled) t->order = rnl_alloc((size_t)t->sequences, sizeof *t->order);
  if (!t->parameters || (shuffled && !t->order)) status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a trainer");
  for (int i = 0; status == RNL_OK && i < options->n_parameters; i++)
    t->parameters[i] = rnl_var_ref(options->parameters[i]);
  t->options.parameters = t->parameters;
  if (status == RNL_OK)
    status = rnl_optimizer_new(&t->optimizer, &options->optimizer, options->n_parameters, t->parameters, err);
  if (status == RNL_OK) *out = t;
  else rnl_trainer_free(t);
  return status;
}

void rnl_trainer_free(rnl_trainer *t) {
  if (!t) return;
  for (int i = 0; i < PLAN_CACHE; i++) rnl_step_plan_release(&t->cache[i]);
  for (int i = 0; t->parameters && i < t->options.n_parameters; i++) rnl_var_release(t->parameters[i]);
  rnl_optimizer_free(t->optimizer);
  rnl_tensor_release(&t->x);
  rnl_tensor_release(&t->y);
  rnl_tensor_release(&t->val_x);
  rnl_tensor_release(&t->val_y);
  rnl_free(t->parameters);
  rnl_free(t->order);
  rnl_free(t->losses.values);
  rnl_free(t->val_losses.values);
  rnl_free(t);
}

/* ---- plans by shape ------------------------------------------------------------------------- */

static rnl_status plan_for(rnl_trainer *t, bool gradients, const rnl_tensor *x, const rnl_tensor *y,
                           int64_t batch, rnl_step_plan **out, rnl_error *err) {
  int free_place = -1;
  for (int i = 0; i < PLAN_CACHE; i++) {
    if (rnl_step_plan_fits(&t->cache[i], gradients, x, y, batch)) {
      *out = &t->cache[i];
      return RNL_OK;
    }
    if (free_place < 0 && !t->cache[i].plan) free_place = i;
  }
  if (free_place < 0) {
    free_place = t->next_to_replace;
    t->next_to_replace = (t->next_to_replace + 1) % PLAN_CACHE;
    rnl_step_plan_release(&t->cache[free_place]);
  }
  *out = &t->cache[free_place];
  return rnl_step_plan_record(*out, &t->options, gradients, x, y, batch, err);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static rnl_status append(loss_list *list, double value, rnl_error *err) {
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
static void draw_order(rnl_trainer *t) {
  if (!t->order || t->order_epoch == t->epoch) return;
  rnl_rng rng;
  rnl_rng_init(&rng, t->options.seed, RNL_RNG_SHUFFLE, (uint32_t)t->epoch);
  for (int64_t i = 0; i < t->sequences; i++) t->order[i] = i;
  for (int64_t i = t->sequences - 1; i > 0; i--) {
    const int64_t k = (int64_t)rnl_rng_below(&rng, (uint64_t)i + 1), swap = t->order[i];
    t->order[i] = t->order[k];
    t->order[k] = swap;
  }
  t->order_epoch = t->epoch;
}

/* One step at the cursor. *finite is false where the loss is not; then no weight has changed. */
static rnl_status step(rnl_trainer *t, bool *finite, rnl_error *err) {
  const int64_t start = t->batch * t->batch_size;
  const int64_t left = t->sequences - start, batch = left < t->batch_size ? left : t->batch_size;
  rnl_step_plan *step_plan;
  RNL_TRY(plan_for(t, true, &t->x, &t->y, batch, &step_plan, err));
  RNL_TRY(rnl_step_plan_load(step_plan, &t->x, &t->y, start, batch, t->order ? t->order + start : NULL, err));
  if (batch == t->sequences) step_plan->holds = &t->x; /* the sets cannot change while it trains */
  RNL_TRY(rnl_plan_forward(step_plan->plan, err));
  const double loss = rnl_tensor_at(rnl_value(step_plan->loss), 0);
  *finite = isfinite(loss);
  if (!*finite) return RNL_OK;
  RNL_TRY(rnl_plan_backward(step_plan->plan, err));
  if (t->options.clip_value > 0) rnl_clip_value(t->options.n_parameters, t->parameters, t->options.clip_value);
  if (t->options.clip_norm > 0) rnl_clip_norm(t->options.n_parameters, t->parameters, t->options.clip_norm);
  rnl_optimizer_step(t->optimizer);
  t->partial += loss * (double)batch;
  t->batch++;
  return RNL_OK;
}

static rnl_status end_epoch(rnl_trainer *t, rnl_error *err) {
  double val_loss;
  if (t->val_x.storage) {
    RNL_TRY(rnl_trainer_evaluate(t, &t->val_x, &t->val_y, &val_loss, NULL, err));
    RNL_TRY(append(&t->val_losses, val_loss, err));
  }
  RNL_TRY(append(&t->losses, t->partial / (double)t->sequences, err));
  t->epoch++;
  t->batch = 0;
  t->partial = 0;
  return RNL_OK;
}

static rnl_status run(rnl_trainer *t, int64_t epochs, double deadline, rnl_train_reason *reason, rnl_error *err) {
  while (t->epoch < epochs) {
    draw_order(t);
    while (t->batch * t->batch_size < t->sequences) {
      if (t->options.stop && *t->options.stop) {
        *reason = RNL_TRAIN_INTERRUPTED;
        return RNL_OK;
      }
      bool finite;
      RNL_TRY(step(t, &finite, err));
      if (!finite) {
        *reason = RNL_TRAIN_DIVERGED;
        return RNL_OK;
      }
    }
    RNL_TRY(end_epoch(t, err));
    if (deadline > 0 && t->epoch < epochs && now() >= deadline) {
      *reason = RNL_TRAIN_TIME;
      return RNL_OK;
    }
  }
  *reason = RNL_TRAIN_EPOCHS;
  return RNL_OK;
}

rnl_status rnl_trainer_run(rnl_trainer *t, int64_t epochs, double max_seconds, rnl_train_reason *reason,
                           rnl_error *err) {
  const double begin = now();
  const uint64_t fpu = rnl_fpu_enter();
  rnl_status status = run(t, epochs, max_seconds > 0 ? begin + max_seconds : 0, reason, err);
  rnl_fpu_leave(fpu);
  t->seconds += now() - begin;
  return status;
}

int64_t rnl_trainer_epoch(const rnl_trainer *t) { return t->epoch; }
const double *rnl_trainer_losses(const rnl_trainer *t) { return t->losses.values; }
const double *rnl_trainer_val_losses(const rnl_trainer *t) { return t->val_losses.values; }
double rnl_trainer_seconds(const rnl_trainer *t) { return t->seconds; }

size_t rnl_trainer_bytes(const rnl_trainer *t) {
  size_t bytes = 0;
  for (int i = 0; i < PLAN_CACHE; i++)
    if (t->cache[i].plan) bytes += rnl_plan_bytes(t->cache[i].plan);
  return bytes;
}

rnl_status rnl_trainer_evaluate(rnl_trainer *t, const rnl_tensor *x, const rnl_tensor *y, double *loss,
                                rnl_tensor *prediction, rnl_error *err) {
  RNL_TRY(check_set("the set to evaluate", x, y, err));
  const uint64_t fpu = rnl_fpu_enter();
  rnl_step_plan *step_plan;
  rnl_status status = plan_for(t, false, x, y, x->size[0], &step_plan, err);
  if (status == RNL_OK) status = rnl_step_plan_load(step_plan, x, y, 0, x->size[0], NULL, err);
  if (status == RNL_OK && x == &t->val_x) step_plan->holds = x;
  if (status == RNL_OK) status = rnl_plan_forward(step_plan->plan, err);
  rnl_fpu_leave(fpu);
  RNL_TRY(status);
  *loss = rnl_tensor_at(rnl_value(step_plan->loss), 0);
  return prediction ? rnl_tensor_clone(prediction, rnl_value(step_plan->prediction), err) : RNL_OK;
}

rnl_status rnl_trainer_plan(rnl_trainer *t, const rnl_tensor *x, const rnl_tensor *y, rnl_plan **plan,
                            rnl_var **loss, rnl_error *err) {
  RNL_TRY(check_set("the set to check", x, y, err));
  rnl_step_plan *step_plan;
  RNL_TRY(plan_for(t, true, x, y, x->size[0], &step_plan, err));
  RNL_TRY(rnl_step_plan_load(step_plan, x, y, 0, x->size[0], NULL, err));
  *plan = step_plan->plan;
  *loss = step_plan->loss;
  return RNL_OK;
}
