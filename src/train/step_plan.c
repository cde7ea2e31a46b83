/* train/step_plan.c: recording a step and loading its data. */
#include "train/step_plan.h"

#include <string.h>

#include "base/alloc.h"
#include "train/parts.h"

/* ---- leaves --------------------------------------------------------------------------------- */

/* Steps of a field that a step of this kind holds, or -1 where it has no time. The target has those that count. */
static int64_t steps_of(const rnl_step_key *key, const rnl_field *field, int i) {
  if (!field->timed) return -1;
  return i == RNL_SET_Y ? key->length - key->loss_from : key->length;
}

static rnl_status make_leaf(rnl_var **out, const rnl_step_key *key, const rnl_field *field, int i, rnl_layout layout,
                            rnl_error *err) {
  const rnl_tensor *data = &field->value;
  int64_t size[RNL_MAX_DIMS];
  memcpy(size, data->size, sizeof size);
  size[0] = key->batch;
  if (field->timed) size[1] = steps_of(key, field, i);
  rnl_tensor value;
  if (layout != RNL_LAYOUT_STRIDED && data->ndim == 3)
    RNL_TRY(rnl_tensor_new_sequence(&value, data->dtype, layout, size[0], size[1], size[2], err));
  else
    RNL_TRY(rnl_tensor_new(&value, data->dtype, data->ndim, size, err));
  if (!(*out = rnl_var_new(&value, false))) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a batch");
  return rnl_var_set_name(*out, field->name, err);
}

/* A leaf like the field's, of all the chunk's steps. */
static rnl_status make_other(rnl_step_plan *step, const rnl_field *field, const char *name, rnl_var **out,
                             rnl_error *err) {
  RNL_TRY(make_leaf(&step->leaf[step->n], &step->key, field, -1, RNL_LAYOUT_STRIDED, err));
  *out = step->leaf[step->n++];
  return rnl_var_set_name(*out, name, err);
}

static rnl_status make_leaves(rnl_step_plan *step, const rnl_set *set, const rnl_layout *layout, rnl_error *err) {
  for (int i = 0; i < set->n; i++, step->n++)
    RNL_TRY(make_leaf(&step->leaf[i], &step->key, &set->field[i], i, layout[i], err));
  if (step->key.loss_from > 0 && set->lengths >= 0)
    RNL_TRY(make_other(step, &set->field[set->lengths], "loss_lengths", &step->loss_lengths, err));
  if (step->key.chunked && set->field[RNL_SET_Y].timed)
    RNL_TRY(make_other(step, &set->field[RNL_SET_Y], "y_before", &step->y_before, err));
  rnl_tensor clock;
  RNL_TRY(rnl_tensor_new(&clock, RNL_F64, 0, NULL, err));
  step->clock = rnl_var_new(&clock, false);
  return step->clock ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a batch");
}

/* Remember the shapes of a set without holding its values. */
static void remember(rnl_step_plan *step, const rnl_set *set) {
  step->n_like = set->n;
  for (int i = 0; i < set->n; i++) {
    step->like[i] = set->field[i];
    step->like[i].value.storage = NULL;
  }
}

/* ---- recording ------------------------------------------------------------------------------ */

static void release_carries(int n, rnl_carry *carry) {
  for (int i = 0; i < n; i++) {
    rnl_free(carry[i].name);
    rnl_var_release(carry[i].begin);
    rnl_var_release(carry[i].end);
  }
  rnl_free(carry);
}

void rnl_step_plan_release(rnl_step_plan *step) {
  rnl_parts_free(step->parts);
  rnl_plan_free(step->plan);
  rnl_var_release(step->loss);
  rnl_var_release(step->prediction);
  rnl_var_release(step->clock);
  for (int i = 0; i < RNL_SET_FIELDS + 2; i++) rnl_var_release(step->leaf[i]);
  release_carries(step->n_carries, step->carry);
  memset(step, 0, sizeof *step);
}

/* The plan, with all that is carried kept up to date by it. */
static rnl_status make_plan(rnl_step_plan *step, rnl_states *states, rnl_error *err) {
  rnl_var **outputs = rnl_alloc((size_t)step->n_carries + 2, sizeof *outputs);
  if (!outputs) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a plan");
  rnl_status status = RNL_OK;
  for (int i = 0; status == RNL_OK && i < step->n_carries; i++) {
    rnl_carry *carry = &step->carry[i];
    if (!carry->end)
      status = rnl_fail(err, RNL_ERR_ARG, "state '%s' was asked for but not handed on", carry->name);
    else if (rnl_value(carry->end)->size[0] != step->key.batch)
      status = rnl_fail(err, RNL_ERR_SHAPE, "state '%s' is of %lld sequences; the batch has %lld", carry->name,
                        (long long)rnl_value(carry->end)->size[0], (long long)step->key.batch);
    else if (step->key.gradients) /* in evaluation one plan hands its states to the next */
      status = rnl_states_place(states, carry->name, carry->width, rnl_value(carry->end)->dtype, &carry->place, err);
    outputs[i + 2] = carry->end;
  }
  outputs[0] = step->prediction;
  outputs[1] = step->loss;
  if (status == RNL_OK)
    status = rnl_plan_new(&step->plan, outputs, step->n_carries + 2, step->key.gradients ? step->loss : NULL, err);
  if (status == RNL_OK) rnl_plan_changed(step->plan);
  rnl_free(outputs);
  return status;
}

static rnl_status record_with(rnl_step_plan *step, const rnl_trainer_options *options, const rnl_set *set,
                              const rnl_step_part *part, const rnl_layout *layout, rnl_states *states,
                              rnl_error *err) {
  const rnl_step_key *key = &step->key;
  RNL_TRY(make_leaves(step, set, layout, err));
  RNL_TRY(rnl_step_plan_load(step, set, part, err));
  const char *names[RNL_SET_FIELDS + 2];
  for (int i = 0; i < step->n; i++) names[i] = step->leaf[i]->name;
  rnl_batch recording = {.training = key->gradients, .n = step->n, .names = names, .leaves = step->leaf,
                             .clock = step->clock, .loss_from = key->loss_from, .carries = key->carries,
                             .hand_on = key->hand_on, .steps = key->length, .beginning = key->beginning};
  rnl_record_begin();
  if (!key->gradients) rnl_no_grad_begin(); /* no buffers for a backward pass */
  rnl_status status = options->record(options->context, &recording, &step->prediction, &step->loss, err);
  if (!key->gradients) rnl_no_grad_end();
  rnl_record_end();
  step->own_used = recording.own_used;
  step->n_carries = recording.n_carries;
  step->carry = recording.carry;
  RNL_TRY(status);
  return make_plan(step, states, err);
}

rnl_status rnl_step_plan_record(rnl_step_plan *step, const rnl_trainer_options *options, const rnl_step_key *key,
                                const rnl_set *set, const rnl_step_part *part, rnl_states *states, rnl_error *err) {
  rnl_layout layout[RNL_SET_FIELDS] = {RNL_LAYOUT_STRIDED}, wanted[RNL_SET_FIELDS];
  memset(step, 0, sizeof *step);
  step->key = *key;
  rnl_status status = record_with(step, options, set, part, layout, states, err);
  if (status == RNL_OK) {
    /* Now it is known how the model takes its data; lay the leaves out so and record again. */
    bool same = true;
    for (int i = 0; i < set->n; i++) {
      wanted[i] = rnl_plan_wanted_layout(step->plan, step->leaf[i]);
      same = same && wanted[i] == layout[i];
    }
    if (!same) {
      rnl_step_plan_release(step);
      step->key = *key;
      status = record_with(step, options, set, part, wanted, states, err);
    }
  }
  if (status == RNL_OK) remember(step, set);
  else rnl_step_plan_release(step);
  return status;
}

void rnl_step_plan_divide(rnl_step_plan *step, const rnl_step_key *key, const rnl_set *set, rnl_parts *parts) {
  memset(step, 0, sizeof *step);
  step->key = *key;
  step->parts = parts;
  remember(step, set);
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool field_fits(const rnl_field *like, const rnl_field *field) {
  const rnl_tensor *a = &like->value, *b = &field->value;
  if (strcmp(like->name, field->name) != 0 || like->timed != field->timed || a->dtype != b->dtype || a->ndim != b->ndim)
    return false;
  for (int d = like->timed ? 2 : 1; d < a->ndim; d++) /* how many sequences and steps stands in the key */
    if (a->size[d] != b->size[d]) return false;
  return true;
}

bool rnl_step_plan_fits(const rnl_step_plan *step, const rnl_step_key *key, const rnl_set *set) {
  const rnl_step_key *own = &step->key;
  if ((!step->plan && !step->parts) || own->gradients != key->gradients || own->carries != key->carries ||
      own->batch != key->batch || own->length != key->length || own->loss_from != key->loss_from ||
      own->hand_on != key->hand_on || own->chunked != key->chunked || own->undivided != key->undivided ||
      (step->own_used && own->beginning != key->beginning))
    return false;
  if (step->known == set) return true;
  if (step->n_like != set->n) return false;
  for (int i = 0; i < set->n; i++)
    if (!field_fits(&step->like[i], &set->field[i])) return false;
  return true;
}

/* ---- loading -------------------------------------------------------------------------------- */

/* Entries start .. start + length - 1 along a dimension, as a view that holds no reference: sets are shared by trainers
 * that run on several threads, and counts of references are not. */
static rnl_tensor cut(const rnl_tensor *t, int dim, int64_t start, int64_t length) {
  rnl_tensor part = *t;
  part.offset += start * t->stride[dim];
  part.size[dim] = length;
  part.layout = RNL_LAYOUT_STRIDED;
  return part;
}

/* leaf[k] = data[order[k]], or a run of sequences at once; data has the steps wanted already */
static rnl_status load_rows(const rnl_tensor *leaf, const rnl_tensor *data, const rnl_step_part *part, rnl_error *err) {
  const int64_t batch = leaf->size[0];
  if (!part->order) {
    const rnl_tensor from = cut(data, 0, part->first, batch);
    return rnl_tensor_copy(leaf, &from, err);
  }
  for (int64_t k = 0; k < batch; k++) {
    const rnl_tensor from = cut(data, 0, part->order[k], 1), to = cut(leaf, 0, k, 1);
    RNL_TRY(rnl_tensor_copy(&to, &from, err));
  }
  return RNL_OK;
}

/* Lengths of sequences as lengths within the steps from .. from + length - 1. */
static void cut_lengths(const rnl_tensor *leaf, int64_t from, int64_t length) {
  for (int64_t k = 0; k < leaf->size[0]; k++) {
    const double left = rnl_tensor_get(leaf, &k) - (double)from;
    rnl_tensor_set(leaf, &k, left < 0 ? 0 : left > (double)length ? (double)length : left);
  }
}

static rnl_status load_field(const rnl_step_plan *step, const rnl_set *set, int i, const rnl_step_part *part,
                             rnl_error *err) {
  const rnl_field *field = &set->field[i];
  const rnl_tensor *leaf = rnl_value(step->leaf[i]);
  const int64_t steps = steps_of(&step->key, field, i);
  if (steps < 0 || steps == set->steps) return load_rows(leaf, &field->value, part, err);
  const rnl_tensor data = cut(&field->value, 1, part->from + step->key.length - steps, steps);
  return load_rows(leaf, &data, part, err);
}

/* The target of the step before each of the chunk's; zero before the first. */
static rnl_status load_before(const rnl_step_plan *step, const rnl_set *set, const rnl_step_part *part,
                              rnl_error *err) {
  const int64_t first = part->from == 0, length = step->key.length - first;
  if (length == 0) return RNL_OK; /* the first step alone: it stays zero */
  const rnl_tensor data = cut(&set->field[RNL_SET_Y].value, 1, part->from + first - 1, length);
  const rnl_tensor rest = cut(rnl_value(step->y_before), 1, first, length);
  if (first) rnl_tensor_fill(rnl_value(step->y_before), 0);
  return load_rows(&rest, &data, part, err);
}

rnl_status rnl_step_plan_fill(const rnl_step_plan *step, const rnl_set *set, const rnl_step_part *part,
                              rnl_error *err) {
  const rnl_step_key *key = &step->key;
  if (step->plan) rnl_plan_changed(step->plan);
  for (int i = 0; i < set->n; i++) RNL_TRY(load_field(step, set, i, part, err));
  if (step->loss_lengths) {
    RNL_TRY(load_rows(rnl_value(step->loss_lengths), &set->field[set->lengths].value, part, err));
    cut_lengths(rnl_value(step->loss_lengths), part->from + key->loss_from, key->length - key->loss_from);
  }
  if (step->y_before) RNL_TRY(load_before(step, set, part, err));
  if (set->lengths >= 0 && key->length < set->steps)
    cut_lengths(rnl_value(step->leaf[set->lengths]), part->from, key->length);
  return RNL_OK;
}

rnl_status rnl_step_plan_load(rnl_step_plan *step, const rnl_set *set, const rnl_step_part *part, rnl_error *err) {
  const rnl_step_key *key = &step->key;
  if (step->holds == set && !part->order && key->batch == set->sequences && key->length == set->steps) return RNL_OK;
  step->holds = NULL;
  if (step->parts) {
    rnl_parts_load(step->parts, set, part);
    step->weight = step->parts->total;
    return RNL_OK;
  }
  RNL_TRY(rnl_step_plan_fill(step, set, part, err));
  step->weight = rnl_set_weight(set, part->first, key->batch, part->order, part->from + key->loss_from,
                                key->length - key->loss_from);
  return RNL_OK;
}
