/* train/checkpoint.c: a trainer's state as named tensors, and back. */
#include "train/checkpoint.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "train/trainer_private.h"

/* The numbers of "trainer". The first ones say what it was made as and must agree. */
enum {
  FORMAT = 0, PARAMETERS, SEQUENCES, STEPS_OF_A_SEQUENCE, BATCH_SIZE, CHUNKS, OVERLAP, STATEFUL, SHUFFLED, VALIDATES,
  METHOD, FIXED, /* up to here */
  EPOCH = FIXED, BATCH, CHUNK, EPOCH_STEPS, STEPS, AT_BEGINNING, ENOUGH, BEST_EPOCH, COUNTS, /* whole, >= 0 */
  PARTIAL = COUNTS, PARTIAL_WEIGHT, LAST_LOSS, BEST, SECONDS, NUMBERS
};
enum { FORMAT_NUMBER = 1, NAME = 96 };

static const char *const fixed_names[FIXED] = {
    "format", "number of parameters", "number of sequences", "length of sequences", "batch size", "chunks a sequence",
    "overlap of chunks", "stateful", "shuffling", "validation set", "kind of optimizer"};

static void numbers_of(const rnl_trainer *t, double n[NUMBERS]) {
  const double values[NUMBERS] = {
      [FORMAT] = FORMAT_NUMBER, [PARAMETERS] = t->options.n_parameters, [SEQUENCES] = (double)t->train.sequences,
      [STEPS_OF_A_SEQUENCE] = (double)t->train.steps, [BATCH_SIZE] = (double)t->batch_size,
      [CHUNKS] = (double)t->chunks, [OVERLAP] = (double)t->overlap, [STATEFUL] = t->options.stateful,
      [SHUFFLED] = t->order != NULL, [VALIDATES] = t->val.n > 0, [METHOD] = t->options.method.epoch != NULL,
      [EPOCH] = (double)t->epoch, [BATCH] = (double)t->batch, [CHUNK] = (double)t->chunk,
      [EPOCH_STEPS] = (double)t->epoch_steps, [STEPS] = (double)t->steps, [AT_BEGINNING] = t->at_beginning,
      [ENOUGH] = t->converged ? 2 : t->enough, [BEST_EPOCH] = (double)t->watch.best_epoch, [PARTIAL] = t->partial,
      [PARTIAL_WEIGHT] = t->partial_weight, [LAST_LOSS] = t->last_loss, [BEST] = t->watch.best,
      [SECONDS] = t->seconds};
  memcpy(n, values, sizeof values);
}

/* ---- saving --------------------------------------------------------------------------------- */

/* A copy of a list of numbers. */
static rnl_status add_numbers(rnl_tensors *into, const char *name, const double *values, int64_t count,
                              rnl_error *err) {
  rnl_tensor copy;
  RNL_TRY(rnl_tensor_new(&copy, RNL_F64, 1, &count, err));
  if (count) memcpy(rnl_f64(&copy), values, (size_t)count * sizeof *values);
  rnl_status status = rnl_tensors_append(into, name, &copy, err);
  rnl_tensor_release(&copy);
  return status;
}

__attribute__((format(printf, 2, 3))) static const char *named(char name[NAME], const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(name, NAME, format, list);
  va_end(list);
  return name;
}

static rnl_status save_states(const rnl_states *states, rnl_tensors *into, rnl_error *err) {
  char name[NAME];
  for (int i = 0; i < states->n; i++) {
    const rnl_state *state = &states->state[i];
    if (strlen(state->name) > NAME - 32)
      return rnl_fail(err, RNL_ERR_ARG, "a checkpoint cannot name the state '%.40s...'", state->name);
    for (int64_t k = 0; k < states->slots; k++)
      RNL_TRY(rnl_tensors_append(into, named(name, "state.%lld.%s", (long long)k, state->name), &state->slot[k], err));
  }
  return RNL_OK;
}

/* The arrays of the method, at most so many; 0 where there are none. */
static int method_values(const rnl_trainer *t, rnl_method_value values[RNL_METHOD_VALUES]) {
  const rnl_method *method = &t->options.method;
  return method->epoch && method->state ? method->state(method->context, values) : 0;
}

rnl_status rnl_trainer_save(const rnl_trainer *t, rnl_tensors *into, rnl_error *err) {
  char name[NAME];
  double numbers[NUMBERS];
  rnl_method_value values[RNL_METHOD_VALUES];
  numbers_of(t, numbers);
  RNL_TRY(add_numbers(into, "trainer", numbers, NUMBERS, err));
  for (int i = 0; i < t->options.n_parameters; i++)
    RNL_TRY(rnl_tensors_append(into, named(name, "param.%d", i), rnl_value(t->parameters[i]), err));
  RNL_TRY(rnl_optimizer_save(t->optimizer, into, err));
  for (int i = 0, n = method_values(t, values); i < n; i++)
    RNL_TRY(add_numbers(into, named(name, "method.%s", values[i].name), values[i].values, values[i].n, err));
  RNL_TRY(add_numbers(into, "losses", t->losses.values, t->losses.count, err));
  if (t->val_losses.count) RNL_TRY(add_numbers(into, "val_losses", t->val_losses.values, t->val_losses.count, err));
  if (t->norms.count) RNL_TRY(add_numbers(into, "norms", t->norms.values, t->norms.count, err));
  for (int i = 0; t->watch.kept && i < t->watch.n; i++)
    RNL_TRY(rnl_tensors_append(into, named(name, "best.%d", i), &t->watch.kept[i], err));
  return save_states(&t->states, into, err);
}

/* ---- checking ------------------------------------------------------------------------------- */

static rnl_status check_numbers(const rnl_trainer *t, const rnl_tensors *from, double n[NUMBERS], rnl_error *err) {
  double own[NUMBERS];
  const rnl_tensor *saved = rnl_tensors_find(from, "trainer");
  numbers_of(t, own);
  if (!saved || saved->dtype != RNL_F64 || rnl_tensor_numel(saved) != NUMBERS ||
      rnl_tensor_at(saved, FORMAT) != FORMAT_NUMBER)
    return rnl_fail(err, RNL_ERR_FORMAT, "it is no checkpoint of this version of rnnlab");
  for (int i = 0; i < NUMBERS; i++) n[i] = rnl_tensor_at(saved, i);
  for (int i = 0; i < FIXED; i++)
    if (n[i] != own[i])
      return rnl_fail(err, RNL_ERR_FORMAT, "its %s is %g; here it is %g", fixed_names[i], n[i], own[i]);
  for (int i = FIXED; i < COUNTS; i++)
    if (!(n[i] >= 0 && n[i] <= 0x1p53) || n[i] != floor(n[i]))
      return rnl_fail(err, RNL_ERR_FORMAT, "a count in it is %g", n[i]);
  const double batches = (double)((t->train.sequences + t->batch_size - 1) / t->batch_size);
  if (n[BATCH] > batches || n[CHUNK] >= (double)t->chunks || n[BEST_EPOCH] > n[EPOCH])
    return rnl_fail(err, RNL_ERR_FORMAT, "its place (epoch %g, batch %g, chunk %g) does not exist", n[EPOCH], n[BATCH],
                    n[CHUNK]);
  return RNL_OK;
}

static rnl_status check_tensor(const rnl_tensors *from, const char *name, const rnl_tensor *own, rnl_error *err) {
  char a[RNL_SHAPE_TEXT], b[RNL_SHAPE_TEXT];
  const rnl_tensor *saved = rnl_tensors_find(from, name);
  if (!saved) return rnl_fail(err, RNL_ERR_FORMAT, "\"%s\" is missing", name);
  if (saved->dtype != own->dtype || !rnl_tensor_same_shape(saved, own))
    return rnl_fail(err, RNL_ERR_FORMAT, "\"%s\" is %s %s; here it is %s %s", name, rnl_dtype_name(saved->dtype),
                    rnl_tensor_shape_text(a, saved), rnl_dtype_name(own->dtype), rnl_tensor_shape_text(b, own));
  return RNL_OK;
}

/* A list of numbers with so many entries; where that is none it may be missing. */
static rnl_status check_list(const rnl_tensors *from, const char *name, double count, rnl_error *err) {
  const rnl_tensor *saved = rnl_tensors_find(from, name);
  const double there = saved ? (double)rnl_tensor_numel(saved) : 0;
  if (there != count || (saved && (saved->dtype != RNL_F64 || saved->ndim != 1 || !rnl_tensor_is_contiguous(saved))))
    return rnl_fail(err, RNL_ERR_FORMAT, "\"%s\" has %g numbers; expected %g", name, there, count);
  return RNL_OK;
}

/* "state.K.NAME": K and NAME, or false. */
static bool parse_state(const char *text, int64_t *slot, const char **name) {
  char *end;
  if (strncmp(text, "state.", 6) != 0 || text[6] < '0' || text[6] > '9') return false;
  *slot = strtoll(text + 6, &end, 10);
  *name = end + 1;
  return *end == '.' && end[1];
}

static rnl_status check_states(const rnl_trainer *t, const rnl_tensors *from, rnl_error *err) {
  int64_t slot;
  const char *name;
  char wanted[NAME];
  for (int64_t i = 0; i < from->count; i++) {
    const rnl_tensor *saved = &from->items[i].tensor;
    if (!parse_state(from->items[i].name, &slot, &name)) continue;
    if (strlen(name) > NAME - 32 || slot >= t->states.slots || saved->ndim != 2 || saved->size[0] != t->states.batch ||
        saved->size[1] < 1)
      return rnl_fail(err, RNL_ERR_FORMAT, "the state \"%.60s\" does not fit", from->items[i].name);
    for (int64_t k = 0; slot == 0 && k < t->states.slots; k++)
      RNL_TRY(check_tensor(from, named(wanted, "state.%lld.%s", (long long)k, name), saved, err));
    for (int k = 0; k < t->states.n; k++)
      if (strcmp(t->states.state[k].name, name) == 0)
        RNL_TRY(check_tensor(from, from->items[i].name, &t->states.state[k].slot[0], err));
  }
  return RNL_OK;
}

static rnl_status check(const rnl_trainer *t, const rnl_tensors *from, double n[NUMBERS], rnl_error *err) {
  char name[NAME];
  const int count = t->options.n_parameters;
  const int64_t every = t->options.norms_every;
  RNL_TRY(check_numbers(t, from, n, err));
  for (int i = 0; i < count; i++)
    RNL_TRY(check_tensor(from, named(name, "param.%d", i), rnl_value(t->parameters[i]), err));
  RNL_TRY(check_list(from, "losses", n[EPOCH], err));
  RNL_TRY(check_list(from, "val_losses", t->val.n ? n[EPOCH] : 0, err));
  RNL_TRY(check_list(from, "norms", every > 0 ? floor(n[EPOCH] / (double)every) * 2 * count : 0, err));
  rnl_method_value values[RNL_METHOD_VALUES];
  for (int i = 0, n_values = method_values(t, values); i < n_values; i++)
    RNL_TRY(check_list(from, named(name, "method.%s", values[i].name), (double)values[i].n, err));
  for (int i = 0; t->watch.kept && i < t->watch.n; i++)
    RNL_TRY(check_tensor(from, named(name, "best.%d", i), &t->watch.kept[i], err));
  return check_states(t, from, err);
}

/* ---- loading -------------------------------------------------------------------------------- */

static rnl_status load_list(rnl_numbers *list, const rnl_tensors *from, const char *name, rnl_error *err) {
  const rnl_tensor *saved = rnl_tensors_find(from, name);
  const int64_t count = saved ? rnl_tensor_numel(saved) : 0;
  if (count > list->capacity) {
    double *bigger = rnl_realloc(list->values, (size_t)list->count, (size_t)count, sizeof *bigger);
    if (!bigger) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the losses");
    list->values = bigger;
    list->capacity = count;
  }
  for (int64_t i = 0; i < count; i++) list->values[i] = rnl_f64(saved)[i];
  list->count = count;
  return RNL_OK;
}

static rnl_status load_states(rnl_trainer *t, const rnl_tensors *from, rnl_error *err) {
  int64_t slot;
  const char *name;
  int place;
  rnl_states_zero(&t->states);
  for (int64_t i = 0; i < from->count; i++) {
    const rnl_tensor *saved = &from->items[i].tensor;
    if (!parse_state(from->items[i].name, &slot, &name)) continue;
    RNL_TRY(rnl_states_place(&t->states, name, saved->size[1], saved->dtype, &place, err));
    RNL_TRY(rnl_tensor_copy(&t->states.state[place].slot[slot], saved, err));
  }
  return RNL_OK;
}

rnl_status rnl_trainer_load(rnl_trainer *t, const rnl_tensors *from, rnl_error *err) {
  char name[NAME];
  double n[NUMBERS];
  rnl_method_value values[RNL_METHOD_VALUES];
  RNL_TRY(check(t, from, n, err));
  RNL_TRY(rnl_optimizer_load(t->optimizer, from, err)); /* the last that may refuse */
  for (int i = 0, count = method_values(t, values); i < count; i++) {
    const rnl_tensor *saved = rnl_tensors_find(from, named(name, "method.%s", values[i].name));
    for (int64_t k = 0; k < values[i].n; k++) values[i].values[k] = rnl_f64(saved)[k];
  }
  for (int i = 0; i < t->options.n_parameters; i++)
    RNL_TRY(rnl_tensor_copy(rnl_value(t->parameters[i]), rnl_tensors_find(from, named(name, "param.%d", i)), err));
  for (int i = 0; t->watch.kept && i < t->watch.n; i++)
    RNL_TRY(rnl_tensor_copy(&t->watch.kept[i], rnl_tensors_find(from, named(name, "best.%d", i)), err));
  RNL_TRY(load_list(&t->losses, from, "losses", err));
  RNL_TRY(load_list(&t->val_losses, from, "val_losses", err));
  RNL_TRY(load_list(&t->norms, from, "norms", err));
  RNL_TRY(load_states(t, from, err));
  t->epoch = (int64_t)n[EPOCH];
  t->batch = (int64_t)n[BATCH];
  t->chunk = (int64_t)n[CHUNK];
  t->epoch_steps = (int64_t)n[EPOCH_STEPS];
  t->steps = (int64_t)n[STEPS];
  t->at_beginning = n[AT_BEGINNING] != 0;
  t->enough = n[ENOUGH] != 0;
  t->converged = n[ENOUGH] == 2;
  t->watch.best_epoch = (int64_t)n[BEST_EPOCH];
  t->partial = n[PARTIAL];
  t->partial_weight = n[PARTIAL_WEIGHT];
  t->last_loss = n[LAST_LOSS];
  t->watch.best = n[BEST];
  t->seconds = n[SECONDS];
  return RNL_OK;
}
