/* store/run_read.c: reading the folders of runs and sweeps, and what listings show of them. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "base/number.h"
#include "store/json.h"
#include "store/private.h"

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- one record ----------------------------------------------------------------------------- */

void rnl_run_record_free(rnl_run_record *record) {
  rnl_free(record->name);
  rnl_free(record->dir);
  json_decref(record->json);
  *record = (rnl_run_record){ 0 };
}

static bool says_running(const json_t *json) {
  const char *status = json_string_value(json_object_get(json, "status"));
  return status && strcmp(status, "running") == 0;
}

static bool process_is_dead(const json_t *json) {
  const json_t *object = json_object_get(json, "process");
  const char *boot = json_string_value(json_object_get(object, "boot_id"));
  const char *host = json_string_value(json_object_get(object, "host"));
  rnl_process process = { .pid = json_integer_value(json_object_get(object, "pid")),
                          .start = json_integer_value(json_object_get(object, "start")) };
  if (boot) strncpy(process.boot_id, boot, sizeof process.boot_id - 1);
  if (host) strncpy(process.host, host, sizeof process.host - 1);
  return rnl_process_life(&process) == RNL_DEAD;
}

/* How far a run got whose process is gone: the last row of metrics.csv, where run.json does not say. */
static rnl_status add_last_row(rnl_run_record *record, rnl_error *err) {
  rnl_metrics metrics;
  rnl_error unread;
  if (json_object_get(record->json, "epochs") || rnl_metrics_read(&metrics, record->dir, &unread) != RNL_OK)
    return RNL_OK; /* nothing there, or nothing readable: then nothing is said */
  int loss = rnl_metrics_column(&metrics, "loss");
  bool good = true;
  if (metrics.rows > 0) {
    good = !json_object_set_new(record->json, "epochs", json_integer(metrics.epochs[metrics.rows - 1]));
    double value = loss < 0 ? rnl_missing() : metrics.values[(metrics.rows - 1) * metrics.columns + loss];
    json_t *object = json_object_get(record->json, "metrics");
    if (good && !object) {
      object = json_object();
      good = !json_object_set_new(record->json, "metrics", object);
    }
    if (good && !rnl_is_missing(value) && json_is_object(object) && !json_object_get(object, "loss"))
      good = !json_object_set_new(object, "loss", rnl_json_real(value));
  }
  rnl_metrics_free(&metrics);
  return good ? RNL_OK : out_of_memory(err, record->dir);
}

static rnl_status read_file(rnl_run_record *out, rnl_error *err) {
  char *path = rnl_path_join(out->dir, out->is_sweep ? RNL_SWEEP_FILE : RNL_RUN_FILE);
  rnl_status status = path ? rnl_json_read_file(&out->json, path, err) : out_of_memory(err, out->dir);
  if (status == RNL_OK && says_running(out->json) &&
      (process_is_dead(out->json) || (out->is_sweep && rnl_batch_is_over(out->dir, out->json)))) {
    /* It may have closed its run between our reading and its end: what the file says now is final. */
    json_decref(out->json);
    out->json = NULL;
    status = rnl_json_read_file(&out->json, path, err);
    if (status == RNL_OK && says_running(out->json)) {
      out->died = true;
      if (json_object_set_new(out->json, "status", json_string("interrupted")))
        status = out_of_memory(err, out->dir);
      if (status == RNL_OK && !out->is_sweep) status = add_last_row(out, err);
    }
  }
  rnl_run_status known;
  if (status == RNL_OK &&
      !rnl_run_status_parse(json_string_value(json_object_get(out->json, "status")), &known))
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: \"status\" is missing or unknown", path);
  rnl_free(path);
  return status;
}

static rnl_status begin_record(rnl_run_record *out, const char *dir, bool is_sweep, rnl_error *err) {
  *out = (rnl_run_record){ .is_sweep = is_sweep };
  out->dir = rnl_strdup(dir);
  if (!out->dir) return out_of_memory(err, dir);
  for (size_t n = strlen(out->dir); n > 1 && out->dir[n - 1] == '/';) out->dir[--n] = '\0';
  out->name = rnl_strdup(rnl_path_base(out->dir));
  return out->name ? read_file(out, err) : out_of_memory(err, dir);
}

rnl_status rnl_record_read(rnl_run_record *out, const char *dir, bool is_sweep, rnl_error *err) {
  rnl_status status = begin_record(out, dir, is_sweep, err);
  if (status == RNL_OK) status = rnl_notes_merge(out->json, out->dir, err);
  if (status != RNL_OK) rnl_run_record_free(out);
  return status;
}

rnl_status rnl_run_read(rnl_run_record *out, const char *dir, rnl_error *err) {
  return rnl_record_read(out, dir, false, err);
}

/* ---- showing and changing ------------------------------------------------------------------- */

static json_t *figure_paths(const json_t *figures, const char *dir) {
  json_t *list = json_array();
  for (size_t i = 0; list && i < json_array_size(figures); i++) {
    const char *name = json_string_value(json_array_get(figures, i));
    char *path = name ? rnl_path_join(dir, name) : NULL;
    if (path) json_array_append_new(list, json_string(path));
    rnl_free(path);
  }
  return list;
}

/* A copy of the value under key, or `otherwise` (stolen). */
static json_t *value_or(const json_t *json, const char *key, json_t *otherwise) {
  json_t *value = json_object_get(json, key);
  if (!value) return otherwise;
  json_decref(otherwise);
  return json_deep_copy(value);
}

/* out[key] = json[key] for each key that is there; with `always`, null where it is not. */
static bool copy_keys(json_t *out, const json_t *json, const char *const *keys, bool always) {
  bool good = true;
  for (; good && *keys; keys++)
    if (always || json_object_get(json, *keys))
      good = !json_object_set_new(out, *keys, value_or(json, *keys, always ? json_null() : NULL));
  return good;
}

json_t *rnl_run_summary(const rnl_run_record *record) {
  static const char *const plain[] = { "epochs", "wall_s", "train_s", NULL };
  static const char *const extra[] = { "experiment", "script", "seed",    "started", "ended",
                                       "error",      "network", "weights", "tags",   "notes",   "converged", NULL };
  const json_t *json = record->json;
  json_t *out = json_object();
  if (out && !json_object_set_new(out, "run", json_string(record->name)) &&
      !json_object_set_new(out, "dir", json_string(record->dir)) &&
      !json_object_set_new(out, "status", value_or(json, "status", json_null())) &&
      !json_object_set_new(out, "params", value_or(json, "params", json_object())) &&
      !json_object_set_new(out, "metrics", value_or(json, "metrics", json_object())) &&
      copy_keys(out, json, plain, true) &&
      !json_object_set_new(out, "figures", figure_paths(json_object_get(json, "figures"), record->dir)) &&
      copy_keys(out, json, extra, false))
    return out;
  json_decref(out);
  return NULL;
}

json_t *rnl_sweep_summary(const rnl_run_record *record) {
  static const char *const plain[] = { "objective", "planned", "trials", "best", "wall_s", NULL };
  static const char *const extra[] = { "experiment", "script", "seed", "started", "ended",
                                       "error",      "tags",   "notes", NULL };
  json_t *out = json_object();
  if (out && !json_object_set_new(out, "sweep", json_string(record->name)) &&
      !json_object_set_new(out, "dir", json_string(record->dir)) &&
      !json_object_set_new(out, "status", value_or(record->json, "status", json_null())) &&
      copy_keys(out, record->json, plain, true) && copy_keys(out, record->json, extra, false))
    return out;
  json_decref(out);
  return NULL;
}

/* What was read besides the file itself (notes, the status of a dead process) is not written into it. */
static rnl_status change_file(const char *dir, const json_t *changes, rnl_error *err) {
  json_t *json = NULL;
  char *path = rnl_path_join(dir, RNL_RUN_FILE);
  rnl_status status = path ? rnl_json_read_file(&json, path, err) : out_of_memory(err, dir);
  if (status == RNL_OK && json_object_update(json, (json_t *)changes)) status = out_of_memory(err, dir);
  if (status == RNL_OK) status = rnl_run_write_json(dir, json, true, err);
  json_decref(json);
  rnl_free(path);
  return status;
}

rnl_status rnl_run_update(const char *dir, const json_t *changes, rnl_buffer *warnings,
                          rnl_error *err) {
  rnl_error problem = { 0 };
  RNL_TRY(change_file(dir, changes, err));
  char *plain = rnl_strdup(dir), *results = NULL;
  for (size_t n = plain ? strlen(plain) : 0; n > 1 && plain[n - 1] == '/';) plain[--n] = '\0';
  if (plain) results = rnl_path_folder(plain);
  rnl_status indexed = results ? rnl_index_add(results, rnl_path_base(plain), &problem)
                               : out_of_memory(&problem, dir);
  if (indexed != RNL_OK && warnings)
    rnl_buffer_printf(warnings, "the index was not updated (the next `rnnlab ls` does it): %s\n",
                      problem.text);
  rnl_free(results);
  rnl_free(plain);
  return RNL_OK;
}
