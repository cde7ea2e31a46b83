/* train/states.c: the store of carried states. */
#include "train/states.h"

#include <string.h>

#include "base/alloc.h"

rnl_status rnl_states_place(rnl_states *states, const char *name, int64_t width, rnl_dtype dtype, int *place,
                            rnl_error *err) {
  for (int i = 0; i < states->n; i++) {
    if (strcmp(states->state[i].name, name) != 0) continue;
    if (states->state[i].width != width)
      return rnl_fail(err, RNL_ERR_SHAPE, "state '%s' has %lld units here and had %lld before", name, (long long)width,
                      (long long)states->state[i].width);
    *place = i;
    return RNL_OK;
  }
  rnl_state *bigger = rnl_realloc(states->state, (size_t)states->n, (size_t)states->n + 1, sizeof *bigger);
  if (!bigger) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for carried states");
  states->state = bigger;
  rnl_state *state = &bigger[states->n];
  *state = (rnl_state){.width = width, .name = rnl_strdup(name)};
  state->slot = state->name ? rnl_alloc((size_t)states->slots, sizeof *state->slot) : NULL;
  if (!state->slot) {
    rnl_free(state->name);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for carried states");
  }
  *place = states->n++;
  for (int64_t i = 0; i < states->slots; i++)
    RNL_TRY(rnl_tensor_new(&state->slot[i], dtype, 2, (int64_t[]){states->batch, width}, err));
  return RNL_OK;
}

static rnl_status rows(const rnl_states *states, int place, int64_t number, const rnl_var *var, rnl_tensor *out,
                       rnl_error *err) {
  const rnl_tensor *slot = &states->state[place].slot[number % states->slots];
  return rnl_tensor_narrow(out, slot, 0, 0, rnl_value(var)->size[0], err);
}

rnl_status rnl_states_read(const rnl_states *states, int place, int64_t number, const rnl_var *into, rnl_error *err) {
  rnl_tensor part;
  RNL_TRY(rows(states, place, number, into, &part, err));
  rnl_status status = rnl_tensor_copy(rnl_value(into), &part, err);
  rnl_tensor_release(&part);
  return status;
}

rnl_status rnl_states_write(const rnl_states *states, int place, int64_t number, const rnl_var *from, rnl_error *err) {
  rnl_tensor part;
  RNL_TRY(rows(states, place, number, from, &part, err));
  rnl_status status = rnl_tensor_copy(&part, rnl_value(from), err);
  rnl_tensor_release(&part);
  return status;
}

void rnl_states_zero(rnl_states *states) {
  for (int i = 0; i < states->n; i++)
    for (int64_t k = 0; k < states->slots; k++)
      if (states->state[i].slot[k].storage) rnl_tensor_fill(&states->state[i].slot[k], 0);
}

size_t rnl_states_bytes(const rnl_states *states) {
  size_t bytes = 0;
  for (int i = 0; i < states->n; i++)
    for (int64_t k = 0; k < states->slots; k++)
      if (states->state[i].slot[k].storage) bytes += states->state[i].slot[k].storage->bytes;
  return bytes;
}

void rnl_states_release(rnl_states *states) {
  for (int i = 0; i < states->n; i++) {
    for (int64_t k = 0; k < states->slots; k++) rnl_tensor_release(&states->state[i].slot[k]);
    rnl_free(states->state[i].slot);
    rnl_free(states->state[i].name);
  }
  rnl_free(states->state);
  states->state = NULL;
  states->n = 0;
}
