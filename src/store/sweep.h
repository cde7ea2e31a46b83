/* store/sweep.h owns sweep folders as far as a listing sees them: results/SWEEP/sweep.json, a whole JSON object from
 * the first moment. What else stands in it, and in the journals beside it, is the sweep room's business.
 *
 *     rnl_run_record sweep;
 *     rnl_sweep_create(&sweep, "results", "tutorial8-q2", head, err);   results/tutorial8-q2-sweep-1/sweep.json
 *     rnl_sweep_write(&sweep, changes, err);                            any number of times
 *     rnl_sweep_write(&sweep, {"status": "finished", "ended": ..., "best": ...}, err);
 *     rnl_index_add_sweep("results", sweep.name, count, rows, err);
 *     rnl_run_record_free(&sweep);
 */
#ifndef RNL_STORE_SWEEP_H
#define RNL_STORE_SWEEP_H

#include "store/run.h"

#define RNL_SWEEP_FILE "sweep.json"

/* Claim the folder <experiment>-sweep-<n>, as rnl_run_create does, and write sweep.json with status "running",
 * durably. `head` (borrowed; may be NULL): what the caller knows. Added: "sweep", "experiment", "status", "started",
 * "process". `experiment` as rnl_run_experiment_name leaves it. Release *out with rnl_run_record_free. */
rnl_status rnl_sweep_create(rnl_run_record *out, const char *results_dir, const char *experiment, const json_t *head,
                            rnl_error *err);

/* Merge `changes` into sweep.json (and into sweep->json), durably. For the one process that owns the sweep: the
 * coordinator, or one that resumes it (which writes "process": rnl_process_json() and "status": "running" first). */
rnl_status rnl_sweep_write(rnl_run_record *sweep, const json_t *changes, rnl_error *err);

/* This process as run.json and sweep.json name it: {pid, start, boot_id, host}. New reference; NULL:
 * out of memory. */
json_t *rnl_process_json(void);

#endif
