/* train/evaluate.c: loss and prediction of a set, and the full batch that methods and checks work on. */
#include <math.h>

#include "kernel/kernel.h"
#include "train/parts.h"
#include "train/trainer_private.h"

/* Where sequences are trained in chunks they may be too long for one piece. So they are evaluated in chunks, too, of at
 * least so many steps. */
enum { LEAST_CHUNK = 512 };

/* The piece of a set under way: sequences first .. first + batch - 1, steps from .. from + length - 1. */
typedef struct piece {
  int64_t first, batch, from, length;
} piece;

/* Copy a piece's prediction to its place; the whole is made when its shape is known. */
static rnl_status collect(rnl_tensor *all, const rnl_set *set, const piece *p, const rnl_tensor *part, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  const bool cut = p->length < set->steps;
  if (part->ndim < 1 || part->size[0] != p->batch || (cut && (part->ndim < 2 || part->size[1] != p->length)))
    return rnl_fail(err, RNL_ERR_SHAPE, "the prediction is %s for %lld sequences of %lld steps; a set that is "
                    "evaluated in pieces needs one for each%s", rnl_tensor_shape_text(shape, part), (long long)p->batch,
                    (long long)p->length, cut ? " step" : "");
  if (!all->storage) {
    int64_t size[RNL_MAX_DIMS];
    for (int d = 0; d < part->ndim; d++) size[d] = part->size[d];
    size[0] = set->sequences;
    if (cut) size[1] = set->steps;
    RNL_TRY(rnl_tensor_new(all, part->dtype, part->ndim, size, err));
  }
  rnl_tensor rows, place;
  RNL_TRY(rnl_tensor_narrow(&rows, all, 0, p->first, p->batch, err));
  rnl_status status = cut ? rnl_tensor_narrow(&place, &rows, 1, p->from, p->length, err) : RNL_OK;
  if (!cut) place = rnl_tensor_ref(&rows);
  rnl_tensor_release(&rows);
  RNL_TRY(status);
  status = rnl_tensor_copy(&place, part, err);
  rnl_tensor_release(&place);
  return status;
}

/* Begin from the states that the chunk before ended with. Both plans were recorded from the same layers. */
static rnl_status hand_over(const rnl_step_plan *before, const rnl_step_plan *step, rnl_error *err) {
  for (int i = 0; i < step->n_carries; i++) {
    const rnl_carry *carry = &step->carry[i];
    if (!carry->begin) continue;
    if (!before) rnl_tensor_fill(rnl_value(carry->begin), 0);
    else if (before->n_carries != step->n_carries)
      return rnl_fail(err, RNL_ERR_ARG, "the model carries other states in one chunk than in the next");
    else RNL_TRY(rnl_tensor_copy(rnl_value(carry->begin), rnl_value(before->carry[i].end), err));
  }
  return RNL_OK;
}

static rnl_status forward_piece(rnl_trainer *t, const rnl_set *set, const piece *p, rnl_step_plan **step,
                                rnl_error *err) {
  const bool cut = p->length < set->steps;
  rnl_step_key key = {.batch = p->batch, .length = p->length, .carries = cut, .chunked = cut,
                      .beginning = cut && p->from == 0, .hand_on = cut ? p->length : 0};
  const rnl_step_part part = {.first = p->first, .from = p->from};
  const rnl_step_plan *before = p->from > 0 ? *step : NULL;
  RNL_TRY(rnl_trainer_plan_for(t, &key, set, &part, step, err));
  RNL_TRY(rnl_step_plan_load(*step, set, &part, err));
  if ((*step)->parts && !rnl_parts_all_count((*step)->parts)) {
    /* A part of padding alone has no loss, but predictions. */
    key.undivided = true;
    RNL_TRY(rnl_trainer_plan_for(t, &key, set, &part, step, err));
    RNL_TRY(rnl_step_plan_load(*step, set, &part, err));
  }
  if (cut) RNL_TRY(hand_over(before, *step, err));
  if (set == &t->val && p->batch == set->sequences && !cut)
    (*step)->holds = set; /* it cannot change while the trainer lives */
  if (!(*step)->parts) return rnl_plan_forward((*step)->plan, err);
  return (*step)->holds ? rnl_parts_hold((*step)->parts, err) : RNL_OK;
}

/* The predictions of a piece that is done in parts, to their places. */
typedef struct collecting {
  rnl_tensor *all;
  const rnl_set *set;
  const piece *p;
} collecting;

static rnl_status collect_part(void *context, int64_t first, int64_t batch, const rnl_tensor *prediction,
                               rnl_error *err) {
  const collecting *c = context;
  piece p = *c->p;
  p.first += first;
  p.batch = batch;
  return collect(c->all, c->set, &p, prediction, err);
}

/* In order, one piece after the other. */
static rnl_status evaluate(rnl_trainer *t, const rnl_set *set, double *loss, rnl_tensor *prediction, rnl_error *err) {
  const int64_t all = set->sequences, size = t->options.batch_size ? t->options.batch_size : all;
  const int64_t k1 = t->options.k1;
  int64_t chunk = set->steps;
  if (k1 > 0 && set->field[RNL_SET_Y].timed && chunk > k1 && chunk > LEAST_CHUNK)
    chunk = k1 > LEAST_CHUNK ? k1 : LEAST_CHUNK;
  double sum = 0, weight = 0;
  rnl_step_plan *step = NULL;
  for (piece p = {.first = 0}; p.first < all; p.first += size)
    for (p.batch = all - p.first < size ? all - p.first : size, p.from = 0; p.from < set->steps; p.from += chunk) {
      p.length = set->steps - p.from < chunk ? set->steps - p.from : chunk;
      RNL_TRY(forward_piece(t, set, &p, &step, err));
      double one;
      if (step->parts) {
        collecting c = {prediction, set, &p};
        const rnl_parts_pass pass = {.look = prediction ? collect_part : NULL, .context = &c};
        RNL_TRY(rnl_parts_run(step->parts, &pass, &one, err));
      } else {
        one = rnl_tensor_at(rnl_value(step->loss), 0);
      }
      if (p.batch == all && p.length == set->steps) {
        *loss = one;
        return prediction && !step->parts ? rnl_tensor_clone(prediction, rnl_value(step->prediction), err) : RNL_OK;
      }
      if (prediction && !step->parts) RNL_TRY(collect(prediction, set, &p, rnl_value(step->prediction), err));
      if (step->weight > 0) sum += one * step->weight; /* a piece without valid steps has no loss */
      weight += step->weight;
    }
  *loss = sum / weight;
  return RNL_OK;
}

rnl_status rnl_trainer_evaluate_set(rnl_trainer *t, const rnl_set *set, double *loss, rnl_tensor *prediction,
                                    rnl_error *err) {
  const uint64_t fpu = rnl_fpu_enter();
  *loss = NAN;
  rnl_status status = evaluate(t, set, loss, prediction, err);
  rnl_fpu_leave(fpu);
  if (status != RNL_OK && prediction) rnl_tensor_release(prediction);
  return status;
}

rnl_status rnl_trainer_evaluate(rnl_trainer *t, const rnl_set *set, double *loss, rnl_tensor *prediction,
                                rnl_error *err) {
  RNL_TRY(rnl_set_check(set, "the set to evaluate", err));
  return rnl_trainer_evaluate_set(t, set, loss, prediction, err);
}

rnl_status rnl_trainer_load_full(rnl_trainer *t, const rnl_set *set, rnl_full_batch *full, rnl_error *err) {
  const rnl_step_key key = {.gradients = true, .undivided = true, .batch = set->sequences, .length = set->steps};
  const rnl_step_part part = {0};
  rnl_step_plan *step;
  RNL_TRY(rnl_trainer_plan_for(t, &key, set, &part, &step, err));
  RNL_TRY(rnl_step_plan_load(step, set, &part, err));
  *full = (rnl_full_batch){.plan = step->plan, .prediction = step->prediction, .target = step->leaf[RNL_SET_Y],
                           .loss = step->loss, .set = set, .n_parameters = t->options.n_parameters,
                           .parameters = t->parameters, .stop = t->options.stop,
                           .threads = t->options.threads > 0 ? t->options.threads : 1};
  if (set == &t->train) step->holds = set;
  return RNL_OK;
}

rnl_status rnl_trainer_full_batch(rnl_trainer *t, const rnl_set *set, rnl_full_batch *full, rnl_error *err) {
  RNL_TRY(rnl_set_check(set, "the set to check", err));
  return rnl_trainer_load_full(t, set, full, err);
}
