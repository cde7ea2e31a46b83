/* sweep/study.h owns a sweep's trials as sampler and pruner see them: the point, state, value and curve of every
 * configuration so far. It knows no files and no processes: the coordinator, a worker of a cluster and whoever reads a
 * finished sweep fill it from what they know.
 *
 *     rnl_study_propose(study, n, limit, values, err);          the point of configuration n (from 0)
 *     rnl_study_put(study, n, values, RNL_TRIAL_RUNNING, NAN, err);
 *     rnl_study_report(study, n, step, value, err);             as it trains
 *     if (rnl_study_stops(study, n, limit)) ...
 *     rnl_study_put(study, n, NULL, RNL_TRIAL_FINISHED, value, err);
 *
 * `limit` makes what is decided independent of who was faster: configurations with a number below it are seen as they
 * stand, those from it to n as running, later ones not at all. INT64_MAX: all are seen as they stand. Values are to
 * be minimised. */
#ifndef RNL_SWEEP_STUDY_H
#define RNL_SWEEP_STUDY_H

#include "sweep/history.h"
#include "sweep/pruner.h"
#include "sweep/sampler.h"
#include "sweep/space.h"

typedef struct rnl_study rnl_study;

/* Copies the space. pruner: settled, or of kind none. */
rnl_status rnl_study_new(rnl_study **out, const rnl_space *space, const rnl_sampler_options *sampler, uint64_t seed,
                         const rnl_pruner *pruner, rnl_error *err);
void rnl_study_free(rnl_study *study); /* NULL is allowed */

const rnl_space *rnl_study_space(const rnl_study *study);
const rnl_pruner *rnl_study_pruner(const rnl_study *study);
int64_t rnl_study_count(const rnl_study *study); /* of different points; INT64_MAX: no end */

/* Add configuration `number`, or change its state and value; values NULL: its point stays. With values and running it
 * begins, or begins again: what it had reported is forgotten. */
rnl_status rnl_study_put(rnl_study *study, int64_t number, const double *values, rnl_trial_state state, double value,
                         rnl_error *err);
rnl_status rnl_study_report(rnl_study *study, int64_t number, int64_t step, double value, rnl_error *err);

rnl_status rnl_study_propose(rnl_study *study, int64_t number, int64_t limit, double *values, rnl_error *err);
/* Is it to be stopped at its last report? *out false where it has none. */
rnl_status rnl_study_stops(rnl_study *study, int64_t number, int64_t limit, bool *out, rnl_error *err);
int64_t rnl_study_next(const rnl_study *study, int64_t number, int64_t after); /* as rnl_pruner_next */

/* All of it, as it stands; lives until the next call of anything here. */
rnl_history rnl_study_history(rnl_study *study);

#endif
