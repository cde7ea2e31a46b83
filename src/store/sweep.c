/* store/sweep.c: see sweep.h. */
#include "store/sweep.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/host.h"
#include "store/private.h"

rnl_status rnl_sweep_write(rnl_run_record *sweep, const json_t *changes, rnl_error *err) {
  if (changes && json_object_update(sweep->json, (json_t *)changes))
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", sweep->dir);
  return rnl_record_write(sweep->dir, RNL_SWEEP_FILE, sweep->json, true, err);
}

static json_t *first_words(const char *name, const char *experiment, const json_t *head) {
  char now[RNL_TIME_TEXT];
  json_t *json = json_object();
  if (json && !json_object_set_new(json, "sweep", json_string(name)) &&
      !json_object_set_new(json, "experiment", json_string(experiment)) &&
      !json_object_set_new(json, "status", json_string("running")) &&
      !json_object_set_new(json, "started", json_string(rnl_time_utc(now))) &&
      !json_object_set_new(json, "process", rnl_process_json()) &&
      (!head || !json_object_update_missing(json, (json_t *)head)))
    return json;
  json_decref(json);
  return NULL;
}

rnl_status rnl_sweep_create(rnl_run_record *out, const char *results_dir, const char *experiment, const json_t *head,
                            rnl_error *err) {
  char series[128];
  *out = (rnl_run_record){ .is_sweep = true };
  RNL_TRY(rnl_check_names(results_dir, experiment, err));
  snprintf(series, sizeof series, "%s-sweep", experiment);
  rnl_status status = rnl_claim_folder(&out->name, &out->dir, results_dir, series, err);
  if (status == RNL_OK) {
    out->json = first_words(out->name, experiment, head);
    status = out->json ? rnl_sweep_write(out, NULL, err)
                       : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", out->dir);
    if (status != RNL_OK) rmdir(out->dir); /* a disk full at the start leaves no empty folder */
  }
  if (status != RNL_OK) rnl_run_record_free(out);
  return status;
}
