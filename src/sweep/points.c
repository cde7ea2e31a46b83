/* sweep/points.c: a hash table of points, linear probing, at most half full. */
#include "sweep/points.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static uint64_t hash_of(int n, const double *values) {
  uint64_t h = 0x9e3779b97f4a7c15ULL;
  for (int i = 0; i < n; i++) {
    uint64_t bits = 0x7ff8000000000000ULL; /* one NaN for all, one zero for both */
    const double x = values[i] == 0 ? 0 : values[i];
    if (!isnan(x)) memcpy(&bits, &x, sizeof bits);
    h = (h ^ bits) * 0xff51afd7ed558ccdULL; /* the mixer of MurmurHash3 */
    h ^= h >> 32;
  }
  return h;
}

/* The slot of this point, or the empty one where it would go. */
static int64_t slot_of(const rnl_points *set, const rnl_space *space, const double *values) {
  int64_t i = (int64_t)(hash_of(space->n, values) & (uint64_t)(set->n_slots - 1));
  while (set->slots[i] && !rnl_space_same(space, values, set->values + (set->slots[i] - 1) * space->n))
    i = (i + 1) & (set->n_slots - 1);
  return i;
}

bool rnl_points_has(const rnl_points *set, const rnl_space *space, const double *values) {
  return set->n > 0 && set->slots[slot_of(set, space, values)] != 0;
}

static rnl_status grow(rnl_points *set, const rnl_space *space, rnl_error *err) {
  if (set->n == set->capacity) {
    const int64_t more = set->capacity ? 2 * set->capacity : 64;
    double *values = rnl_realloc(set->values, (size_t)(set->capacity * space->n), (size_t)(more * space->n),
                                 sizeof *values);
    if (!values) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the points proposed");
    set->values = values;
    set->capacity = more;
  }
  if (2 * (set->n + 1) <= set->n_slots) return RNL_OK;
  const int64_t n_slots = set->n_slots ? 2 * set->n_slots : 128;
  int64_t *slots = rnl_alloc((size_t)n_slots, sizeof *slots);
  if (!slots) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the points proposed");
  rnl_free(set->slots);
  set->slots = slots;
  set->n_slots = n_slots;
  for (int64_t p = 0; p < set->n; p++) set->slots[slot_of(set, space, set->values + p * space->n)] = p + 1;
  return RNL_OK;
}

rnl_status rnl_points_add(rnl_points *set, const rnl_space *space, const double *values, rnl_error *err) {
  RNL_TRY(grow(set, space, err));
  const int64_t slot = slot_of(set, space, values);
  if (set->slots[slot]) return RNL_OK;
  memcpy(set->values + set->n * space->n, values, (size_t)space->n * sizeof *values);
  set->slots[slot] = ++set->n;
  return RNL_OK;
}

void rnl_points_clear(rnl_points *set) {
  if (set->slots) memset(set->slots, 0, (size_t)set->n_slots * sizeof *set->slots);
  set->n = 0;
}

void rnl_points_free(rnl_points *set) {
  rnl_free(set->values);
  rnl_free(set->slots);
  *set = (rnl_points){0};
}
