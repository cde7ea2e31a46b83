/* sweep/study.c: see study.h. */
#include "sweep/study.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

typedef struct entry {
  int64_t number;
  double *values;
  rnl_trial_state state;
  double value;
  int64_t n_steps, room;
  rnl_trial_step *steps;
} entry;

struct rnl_study {
  rnl_space space;
  rnl_sampler *sampler;
  rnl_pruner pruner;
  int64_t n, capacity;
  entry *entries;         /* sorted by number */
  rnl_trial_view *views;  /* room for `capacity` */
};

static rnl_status no_memory(rnl_error *err) {
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a sweep's trials");
}

rnl_status rnl_study_new(rnl_study **out, const rnl_space *space, const rnl_sampler_options *sampler, uint64_t seed,
                         const rnl_pruner *pruner, rnl_error *err) {
  *out = NULL;
  rnl_study *s = rnl_alloc(1, sizeof *s);
  if (!s) return no_memory(err);
  s->pruner = *pruner;
  rnl_status status = rnl_space_copy(space, &s->space, err);
  if (status == RNL_OK) status = rnl_sampler_new(&s->sampler, &s->space, sampler, seed, err);
  if (status != RNL_OK) {
    rnl_study_free(s);
    return status;
  }
  *out = s;
  return RNL_OK;
}

void rnl_study_free(rnl_study *s) {
  if (!s) return;
  for (int64_t i = 0; i < s->n; i++) {
    rnl_free(s->entries[i].values);
    rnl_free(s->entries[i].steps);
  }
  rnl_free(s->entries);
  rnl_free(s->views);
  rnl_sampler_free(s->sampler);
  rnl_space_free(&s->space);
  rnl_free(s);
}

const rnl_space *rnl_study_space(const rnl_study *s) { return &s->space; }
const rnl_pruner *rnl_study_pruner(const rnl_study *s) { return &s->pruner; }
int64_t rnl_study_count(const rnl_study *s) { return rnl_sampler_count(s->sampler); }

/* The place of `number`, or where it would stand. */
static int64_t place(const rnl_study *s, int64_t number) {
  int64_t low = 0, high = s->n;
  if (s->n > 0 && s->entries[s->n - 1].number < number) return s->n; /* nearly always */
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (s->entries[middle].number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

static entry *find(rnl_study *s, int64_t number) {
  int64_t at = place(s, number);
  return at < s->n && s->entries[at].number == number ? &s->entries[at] : NULL;
}

static rnl_status make_room(rnl_study *s, rnl_error *err) {
  if (s->n < s->capacity) return RNL_OK;
  int64_t capacity = s->capacity ? 2 * s->capacity : 64;
  entry *entries = rnl_realloc(s->entries, (size_t)s->capacity, (size_t)capacity, sizeof *entries);
  if (!entries) return no_memory(err);
  s->entries = entries;
  rnl_trial_view *views = rnl_realloc(s->views, (size_t)s->capacity, (size_t)capacity, sizeof *views);
  if (!views) return no_memory(err);
  s->views = views;
  s->capacity = capacity;
  return RNL_OK;
}

rnl_status rnl_study_put(rnl_study *s, int64_t number, const double *values, rnl_trial_state state, double value,
                         rnl_error *err) {
  entry *e = find(s, number);
  const size_t bytes = (size_t)s->space.n * sizeof(double);
  if (!e) {
    if (!values) return rnl_fail(err, RNL_ERR_ARG, "configuration %lld is not in the study", (long long)number);
    RNL_TRY(rnl_space_check(&s->space, values, err));
    RNL_TRY(make_room(s, err));
    double *copy = rnl_alloc((size_t)s->space.n + 1, sizeof *copy);
    if (!copy) return no_memory(err);
    int64_t at = place(s, number);
    memmove(&s->entries[at + 1], &s->entries[at], (size_t)(s->n - at) * sizeof *s->entries);
    e = &s->entries[at];
    *e = (entry){.number = number, .values = copy};
    s->n++;
  } else if (values) {
    RNL_TRY(rnl_space_check(&s->space, values, err));
  }
  if (values) memcpy(e->values, values, bytes);
  if (values && state == RNL_TRIAL_RUNNING) e->n_steps = 0; /* it begins, or begins again */
  e->state = state;
  e->value = value;
  return RNL_OK;
}

rnl_status rnl_study_report(rnl_study *s, int64_t number, int64_t step, double value, rnl_error *err) {
  entry *e = find(s, number);
  if (!e) return rnl_fail(err, RNL_ERR_ARG, "configuration %lld is not in the study", (long long)number);
  if (e->n_steps > 0 && e->steps[e->n_steps - 1].step >= step) return RNL_OK; /* told before, by a run that was lost */
  if (e->n_steps == e->room) {
    int64_t room = e->room ? 2 * e->room : 8;
    rnl_trial_step *steps = rnl_realloc(e->steps, (size_t)e->room, (size_t)room, sizeof *steps);
    if (!steps) return no_memory(err);
    e->steps = steps;
    e->room = room;
  }
  e->steps[e->n_steps++] = (rnl_trial_step){.step = step, .value = value};
  return RNL_OK;
}

/* What `number` sees, by its limit. */
static rnl_history seen(rnl_study *s, int64_t number, int64_t limit) {
  rnl_history history = {.trials = s->views};
  for (int64_t i = 0; i < s->n; i++) {
    const entry *e = &s->entries[i];
    if (e->number >= limit && e->number >= number) break;
    rnl_trial_view *view = &s->views[history.n++];
    *view = (rnl_trial_view){.number = e->number, .values = e->values, .state = e->state, .value = e->value,
                             .n_steps = e->n_steps, .steps = e->steps};
    if (e->number >= limit)
      *view = (rnl_trial_view){.number = e->number, .values = e->values, .state = RNL_TRIAL_RUNNING, .value = NAN};
  }
  return history;
}

rnl_status rnl_study_propose(rnl_study *s, int64_t number, int64_t limit, double *values, rnl_error *err) {
  rnl_history history = seen(s, number, limit);
  return rnl_sampler_propose(s->sampler, number, &history, values, err);
}

rnl_status rnl_study_stops(rnl_study *s, int64_t number, int64_t limit, bool *out, rnl_error *err) {
  *out = false;
  const entry *e = find(s, number);
  if (!e) return rnl_fail(err, RNL_ERR_ARG, "configuration %lld is not in the study", (long long)number);
  if (s->pruner.kind == RNL_PRUNER_NONE || e->n_steps == 0) return RNL_OK;
  rnl_trial_view self = {.number = number, .values = e->values, .state = RNL_TRIAL_RUNNING, .value = NAN,
                         .n_steps = e->n_steps, .steps = e->steps};
  rnl_history history = seen(s, number, limit);
  *out = rnl_pruner_stops(&s->pruner, &history, &self);
  return RNL_OK;
}

int64_t rnl_study_next(const rnl_study *s, int64_t number, int64_t after) {
  return rnl_pruner_next(&s->pruner, number, after);
}

rnl_history rnl_study_history(rnl_study *s) { return seen(s, INT64_MAX, INT64_MAX); }
