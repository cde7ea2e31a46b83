/* train/ensemble.c: members to threads. */
#include "train/ensemble.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "kernel/threads.h"
#include "train/trainer_private.h"

typedef struct member {
  rnl_trainer *trainer;
  rnl_train_reason reason;
  rnl_status status;
  rnl_error error;
} member;

struct rnl_ensemble {
  int n, threads;
  member *members;
  double seconds;
};

rnl_status rnl_ensemble_new(rnl_ensemble **out, int n, rnl_trainer *const *trainers, int threads, rnl_error *err) {
  *out = NULL;
  if (n < 1) return rnl_fail(err, RNL_ERR_ARG, "an ensemble of %d models; expected at least 1", n);
  for (int i = 0; i < n; i++) {
    if (!trainers[i]->prepared)
      return rnl_fail(err, RNL_ERR_ARG, "model %d of the ensemble is not prepared: its steps are not recorded yet",
                      i + 1);
    for (int k = 0; k < i; k++)
      if (trainers[k] == trainers[i])
        return rnl_fail(err, RNL_ERR_ARG, "models %d and %d of the ensemble are the same trainer", k + 1, i + 1);
  }
  rnl_ensemble *e = rnl_alloc(1, sizeof *e);
  member *members = e ? rnl_alloc((size_t)n, sizeof *members) : NULL;
  if (!members) {
    rnl_free(e);
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for an ensemble");
  }
  *e = (rnl_ensemble){.n = n, .threads = threads > 1 ? threads : 1, .members = members};
  for (int i = 0; i < n; i++) members[i].trainer = trainers[i];
  *out = e;
  return RNL_OK;
}

void rnl_ensemble_free(rnl_ensemble *e) {
  if (!e) return;
  rnl_free(e->members);
  rnl_free(e);
}

/* ---- running -------------------------------------------------------------------------------- */

typedef struct work {
  rnl_ensemble *ensemble;
  int64_t epochs;
  double each;     /* seconds for a member, so that all go on alike; 0: as long as it takes */
  int group;       /* members taken at once: two where there are enough of them for all threads */
  atomic_int next; /* they are taken in order by whoever is free; it changes nothing in what they compute */
} work;

static bool has_ended(const member *m, int64_t epochs) {
  return m->reason == RNL_TRAIN_STOPPED || m->reason == RNL_TRAIN_DIVERGED || m->trainer->epoch >= epochs;
}

static bool goes_on(const work *w, const member *m) { return m->status == RNL_OK && !has_ended(m, w->epochs); }

static void run_one(const work *w, member *m) {
  if (goes_on(w, m)) /* one step at least */
    m->status = rnl_trainer_run(m->trainer, w->epochs, w->each, &m->reason, &m->error);
}

/* Two members step by step together as long as that gains time; what is left of either is done alone. */
static void run_two(const work *w, member *m[2]) {
  rnl_train_reason reason[2];
  rnl_status status[2] = {RNL_OK, RNL_OK};
  rnl_error error[2];
  bool done = false;
  if (goes_on(w, m[0]) && goes_on(w, m[1])) {
    rnl_trainer *const t[2] = {m[0]->trainer, m[1]->trainer};
    for (int k = 0; k < 2; k++) reason[k] = m[k]->reason;
    done = rnl_trainer_run_pair(t, w->epochs, 2 * w->each, reason, status, error);
    for (int k = 0; k < 2; k++) {
      m[k]->reason = reason[k];
      m[k]->status = status[k];
      if (status[k] != RNL_OK) m[k]->error = error[k];
    }
  }
  for (int k = 0; k < 2 && !done; k++) run_one(w, m[k]);
}

static void run_members(void *context, int index, int count) {
  (void)index, (void)count;
  work *w = context;
  rnl_ensemble *e = w->ensemble;
  for (int i; (i = atomic_fetch_add(&w->next, w->group)) < e->n;) {
    if (w->group == 2 && i + 1 < e->n) run_two(w, (member *[]){&e->members[i], &e->members[i + 1]});
    else run_one(w, &e->members[i]);
  }
}

rnl_status rnl_ensemble_run(rnl_ensemble *e, int64_t epochs, double max_seconds, rnl_train_reason *reason,
                            rnl_error *err) {
  const double begin = rnl_seconds_now();
  const int threads = e->threads < e->n ? e->threads : e->n;
  work w = {.ensemble = e, .epochs = epochs, .each = max_seconds > 0 ? max_seconds * threads / e->n : 0,
            .group = e->n >= 2 * threads ? 2 : 1};
  for (int i = 0; i < e->n; i++) e->members[i].trainer->sealed = true;
  rnl_threads_run(threads, run_members, &w);
  for (int i = 0; i < e->n; i++) e->members[i].trainer->sealed = false;
  e->seconds += rnl_seconds_now() - begin;
  *reason = RNL_TRAIN_EPOCHS;
  for (int i = 0; i < e->n; i++) {
    const member *m = &e->members[i];
    if (m->status != RNL_OK) {
      rnl_fail(err, m->status, "%s", m->error.text);
      return rnl_error_prefix(err, "model %d", i + 1);
    }
    if (m->reason == RNL_TRAIN_INTERRUPTED) *reason = RNL_TRAIN_INTERRUPTED;
    else if (*reason == RNL_TRAIN_EPOCHS && !has_ended(m, epochs)) *reason = RNL_TRAIN_TIME;
  }
  return RNL_OK;
}

rnl_train_reason rnl_ensemble_reason(const rnl_ensemble *e, int i) { return e->members[i].reason; }
double rnl_ensemble_seconds(const rnl_ensemble *e) { return e->seconds; }
void rnl_ensemble_set_reason(rnl_ensemble *e, int i, rnl_train_reason reason) { e->members[i].reason = reason; }
void rnl_ensemble_set_seconds(rnl_ensemble *e, double seconds) { e->seconds = seconds; }
