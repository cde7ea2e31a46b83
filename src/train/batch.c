/* train/batch.c: leaves by name, and the carrying of states. */
#include "train/batch.h"

#include <string.h>

#include "base/alloc.h"

rnl_var *rnl_batch_leaf(const rnl_batch *batch, const char *name) {
  for (int i = 0; i < batch->n; i++)
    if (strcmp(batch->names[i], name) == 0) return batch->leaves[i];
  return NULL;
}

static rnl_carry *find(const rnl_batch *batch, const char *name) {
  for (int i = 0; i < batch->n_carries; i++)
    if (strcmp(batch->carry[i].name, name) == 0) return &batch->carry[i];
  return NULL;
}

static rnl_status add(rnl_batch *r, const char *name, int64_t width, rnl_carry **out, rnl_error *err) {
  if (r->n_carries == r->carries_capacity) {
    const int grown = r->carries_capacity ? 2 * r->carries_capacity : 4;
    rnl_carry *bigger = rnl_realloc(r->carry, (size_t)r->n_carries, (size_t)grown, sizeof *bigger);
    if (!bigger) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for carried states");
    r->carry = bigger;
    r->carries_capacity = grown;
  }
  rnl_carry *carry = &r->carry[r->n_carries];
  *carry = (rnl_carry){.width = width, .name = rnl_strdup(name), .place = -1};
  if (!carry->name) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for carried states");
  r->n_carries++;
  *out = carry;
  return RNL_OK;
}

rnl_status rnl_batch_carry(rnl_batch *batch, const char *name, int64_t sequences, int64_t width, rnl_dtype dtype,
                           rnl_var *own, rnl_var **state, rnl_error *err) {
  *state = NULL;
  if (!batch->carries) return rnl_fail(err, RNL_ERR_ARG, "state '%s': this step carries no states", name);
  if (find(batch, name)) return rnl_fail(err, RNL_ERR_ARG, "state '%s' is asked for twice; name them apart", name);
  if (sequences < 1 || width < 1)
    return rnl_fail(err, RNL_ERR_ARG, "state '%s' is (%lld, %lld); both must be at least 1", name, (long long)sequences,
                    (long long)width);
  rnl_carry *carry = NULL;
  RNL_TRY(add(batch, name, width, &carry, err));
  if (own) batch->own_used = true;
  if (own && batch->beginning) {
    *state = rnl_var_ref(own);
    return RNL_OK;
  }
  rnl_tensor value;
  RNL_TRY(rnl_tensor_new(&value, dtype, 2, (int64_t[]){sequences, width}, err));
  carry->begin = rnl_var_new(&value, false);
  if (!carry->begin) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for carried states");
  RNL_TRY(rnl_var_set_name(carry->begin, name, err));
  *state = rnl_var_ref(carry->begin);
  return RNL_OK;
}

rnl_status rnl_batch_carried(rnl_batch *batch, const char *name, rnl_var *state, rnl_error *err) {
  char shape[RNL_SHAPE_TEXT];
  rnl_carry *carry = find(batch, name);
  if (!carry) return rnl_fail(err, RNL_ERR_ARG, "state '%s' is handed on but was not asked for", name);
  if (carry->end) return rnl_fail(err, RNL_ERR_ARG, "state '%s' is handed on twice", name);
  const rnl_tensor *value = rnl_value(state);
  if (value->ndim != 2 || value->size[1] != carry->width)
    return rnl_fail(err, RNL_ERR_SHAPE, "state '%s' is handed on as %s; expected (batch, %lld)", name,
                    rnl_tensor_shape_text(shape, value), (long long)carry->width);
  carry->end = rnl_var_ref(state);
  return RNL_OK;
}
