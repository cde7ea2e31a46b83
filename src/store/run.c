/* store/run.c: writing a run's folder, from the claim of its name to the closed run.json.
 *
 * A handle goes open -> closed, once. run.json is on disk from the first moment and is always a whole
 * JSON object, since every change replaces it atomically. */
#include "store/run.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "base/number.h"
#include "store/json.h"
#include "store/private.h"

enum { MAX_EXPERIMENT = 80, MAX_COPY = 256 << 20, CLAIM_TRIES = 100000 };

static const char *const status_names[] = { "running", "finished", "interrupted", "diverged", "failed",
                                            "pruned",  "timeout",  "oom",         "killed" };
_Static_assert(sizeof status_names / sizeof *status_names == RNL_RUN_STATUSES, "a name a status");

const char *rnl_run_status_name(rnl_run_status status) {
  return (unsigned)status < RNL_RUN_STATUSES ? status_names[status] : "unknown";
}

bool rnl_run_status_parse(const char *name, rnl_run_status *out) {
  for (int i = 0; name && i < RNL_RUN_STATUSES; i++) {
    if (strcmp(name, status_names[i]) != 0) continue;
    *out = (rnl_run_status)i;
    return true;
  }
  return false;
}

/* ---- names ---------------------------------------------------------------------------------- */

void rnl_run_experiment_name(char out[96], const char *text) {
  const char *p = rnl_path_base(text);
  size_t length = strlen(p), n = 0;
  if (length > 4 && strcmp(p + length - 4, ".lua") == 0) length -= 4;
  for (size_t i = 0; i < length && n < MAX_EXPERIMENT; i++) {
    bool plain = isascii((unsigned char)p[i]) && (isalnum((unsigned char)p[i]) || p[i] == '.');
    if (plain && !(n == 0 && p[i] == '.')) out[n++] = p[i]; /* no hidden folders */
    else if (n > 0 && out[n - 1] != '-') out[n++] = '-';
  }
  while (n > 0 && out[n - 1] == '-') n--;
  out[n] = '\0';
  if (n == 0) strcpy(out, "run");
}

int64_t rnl_run_number(const char *name, const char *experiment) {
  size_t n = strlen(experiment);
  if (strncmp(name, experiment, n) != 0 || name[n] != '-') return -1;
  const char *digits = name + n + 1;
  size_t count = strspn(digits, "0123456789");
  if (count == 0 || count > 15 || digits[count] != '\0') return -1;
  return strtoll(digits, NULL, 10);
}

/* A name inside the folder: relative, no step up, not one of the files this room writes itself. */
static bool name_is_inside(const char *name) {
  if (!name[0] || name[0] == '/' || strcmp(name, RNL_RUN_FILE) == 0 ||
      strcmp(name, RNL_METRICS_FILE) == 0 || strcmp(name, RNL_NOTES_FILE) == 0)
    return false;
  for (const char *p = name;; p++) {
    size_t n = strcspn(p, "/");
    if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) return false;
    p += n;
    if (*p == '\0') return true;
  }
}

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- creating ------------------------------------------------------------------------------- */

/* One more than the highest number in use: a removed run's number is not given again while a later
 * one exists. */
static rnl_status next_number(int64_t *out, const char *results_dir, const char *experiment,
                              rnl_error *err) {
  *out = 1;
  DIR *folder = opendir(results_dir);
  if (!folder) {
    return rnl_fail(err, RNL_ERR_IO, "%s: cannot read the folder: %s", results_dir, strerror(errno));
  }
  for (struct dirent *entry; (entry = readdir(folder));) {
    int64_t number = rnl_run_number(entry->d_name, experiment);
    if (number >= *out) *out = number + 1;
  }
  closedir(folder);
  return RNL_OK;
}

/* mkdir is the lock: of all processes that try a name, one makes the folder. */
rnl_status rnl_claim_folder(char **name, char **dir, const char *results_dir, const char *experiment,
                            rnl_error *err) {
  int64_t number;
  *name = *dir = NULL;
  RNL_TRY(rnl_folder_make(results_dir, err));
  RNL_TRY(next_number(&number, results_dir, experiment, err));
  for (int i = 0; i < CLAIM_TRIES; i++, number++) {
    char text[128];
    bool made;
    snprintf(text, sizeof text, "%s-%lld", experiment, (long long)number);
    rnl_free(*name);
    rnl_free(*dir);
    *name = rnl_strdup(text);
    *dir = rnl_path_join(results_dir, text);
    if (!*name || !*dir) return out_of_memory(err, results_dir);
    RNL_TRY(rnl_folder_claim(*dir, &made, err));
    if (made) return RNL_OK;
  }
  return rnl_fail(err, RNL_ERR_IO, "%s: no free number for %s", results_dir, experiment);
}

rnl_status rnl_check_names(const char *results_dir, const char *experiment, rnl_error *err) {
  char proper[96];
  rnl_run_experiment_name(proper, experiment);
  if (strcmp(proper, experiment) != 0)
    return rnl_fail(err, RNL_ERR_ARG, "experiment name \"%.80s\" cannot name a folder; \"%s\" could",
                    experiment, proper);
  if (!results_dir || !results_dir[0]) return rnl_fail(err, RNL_ERR_ARG, "the results folder has no name");
  return RNL_OK;
}

json_t *rnl_process_json(void) {
  rnl_process self;
  rnl_process_self(&self);
  return json_pack("{s:I, s:I, s:s, s:s}", "pid", (json_int_t)self.pid, "start",
                   (json_int_t)self.start, "boot_id", self.boot_id, "host", self.host);
}

rnl_status rnl_run_write_json(const char *dir, const json_t *json, bool durable, rnl_error *err) {
  return rnl_record_write(dir, RNL_RUN_FILE, json, durable, err);
}

rnl_status rnl_record_write(const char *dir, const char *file, const json_t *json, bool durable, rnl_error *err) {
  rnl_buffer text = { 0 };
  rnl_json_write(&text, json, 2);
  rnl_buffer_char(&text, '\n');
  char *path = rnl_path_join(dir, file);
  rnl_status status = path ? rnl_buffer_check(&text, path, err) : out_of_memory(err, dir);
  if (status == RNL_OK)
    status = rnl_file_write(path, text.data, text.length, durable ? RNL_DURABLE : RNL_QUICK, err);
  rnl_free(path);
  rnl_buffer_free(&text);
  return status;
}

/* The folder that the caller chose. */
static rnl_status claim_at(rnl_run *run, const char *folder, rnl_error *err) {
  bool made;
  run->name = rnl_strdup(folder);
  run->dir = rnl_path_join(run->results, folder);
  if (!run->name || !run->dir) return out_of_memory(err, run->results);
  RNL_TRY(rnl_folder_claim(run->dir, &made, err));
  return made ? RNL_OK : rnl_fail(err, RNL_ERR_IO, "%s: exists already", run->dir);
}

rnl_status rnl_run_create(rnl_run **out, const char *results_dir, const char *experiment,
                          const json_t *head, rnl_error *err) {
  return rnl_run_create_at(out, results_dir, NULL, experiment, head, err);
}

rnl_status rnl_run_create_at(rnl_run **out, const char *results_dir, const char *folder, const char *experiment,
                             const json_t *head, rnl_error *err) {
  char now[RNL_TIME_TEXT];
  *out = NULL;
  RNL_TRY(rnl_check_names(results_dir, experiment, err));
  rnl_run *run = rnl_alloc(1, sizeof *run);
  if (!run) return out_of_memory(err, results_dir);
  run->metrics.fd = -1;
  run->loss_column = -1;
  run->began = rnl_time_monotonic();
  run->results = rnl_strdup(results_dir);
  rnl_status status = !run->results ? out_of_memory(err, results_dir)
                      : folder      ? claim_at(run, folder, err)
                                    : rnl_claim_folder(&run->name, &run->dir, results_dir, experiment, err);
  if (status == RNL_OK) {
    json_t *json = run->json = json_object();
    bool good = json && !json_object_set_new(json, "run", json_string(run->name)) &&
                !json_object_set_new(json, "experiment", json_string(experiment)) &&
                !json_object_set_new(json, "status", json_string("running")) &&
                !json_object_set_new(json, "started", json_string(rnl_time_utc(now))) &&
                !json_object_set_new(json, "process", rnl_process_json()) &&
                (!head || !json_object_update_missing(json, (json_t *)head));
    status = good ? rnl_run_write_json(run->dir, json, false, err) : out_of_memory(err, run->dir);
    if (status != RNL_OK) rmdir(run->dir); /* a disk full at the start leaves no empty folder */
  }
  if (status != RNL_OK) {
    rnl_run_free(run);
    return status;
  }
  *out = run;
  return RNL_OK;
}

const char *rnl_run_name(const rnl_run *run) { return run->name; }
const char *rnl_run_dir(const rnl_run *run) { return run->dir; }

void rnl_run_free(rnl_run *run) {
  if (!run) return;
  rnl_append_close(&run->metrics, NULL);
  if (run->lock > 0) close(run->lock);
  json_decref(run->json);
  rnl_names_free(&run->copies);
  rnl_free(run->results);
  rnl_free(run->name);
  rnl_free(run->dir);
  rnl_free(run);
}

/* ---- while it runs -------------------------------------------------------------------------- */

static rnl_status check_open(const rnl_run *run, rnl_error *err) {
  if (!run->closed) return RNL_OK;
  return rnl_fail(err, RNL_ERR_ARG, "run %s is closed", run->name);
}

static rnl_status remember_copy(rnl_run *run, char *path, rnl_error *err) {
  rnl_names *copies = &run->copies;
  if (copies->count == copies->capacity) {
    size_t capacity = copies->capacity ? 2 * copies->capacity : 8;
    char **grown = rnl_realloc(copies->items, copies->count, capacity, sizeof *grown);
    if (!grown) {
      rnl_free(path);
      return out_of_memory(err, run->dir);
    }
    copies->items = grown;
    copies->capacity = capacity;
  }
  copies->items[copies->count++] = path;
  return RNL_OK;
}

rnl_status rnl_run_put_bytes(rnl_run *run, const char *name, const void *bytes, size_t length,
                             rnl_error *err) {
  RNL_TRY(check_open(run, err));
  if (!name_is_inside(name))
    return rnl_fail(err, RNL_ERR_ARG, "\"%s\" cannot name a file inside the run's folder", name);
  char *path = rnl_path_join(run->dir, name);
  char *folder = path ? rnl_path_folder(path) : NULL;
  rnl_status status = folder ? RNL_OK : out_of_memory(err, run->dir);
  if (status == RNL_OK && strchr(name, '/')) status = rnl_folder_make(folder, err);
  if (status == RNL_OK) status = rnl_file_write(path, bytes, length, RNL_QUICK, err);
  rnl_free(folder);
  if (status != RNL_OK) {
    rnl_free(path);
    return status;
  }
  return remember_copy(run, path, err);
}

rnl_status rnl_run_copy_file(rnl_run *run, const char *source, const char *name, rnl_error *err) {
  rnl_buffer bytes = { 0 };
  rnl_status status = rnl_file_read(source, MAX_COPY, &bytes, err);
  if (status == RNL_OK) status = rnl_run_put_bytes(run, name, bytes.data, bytes.length, err);
  rnl_buffer_free(&bytes);
  return status;
}

rnl_status rnl_run_metrics_begin(rnl_run *run, int columns, const char *const *names,
                                 rnl_error *err) {
  RNL_TRY(check_open(run, err));
  if (run->metrics.path) return rnl_fail(err, RNL_ERR_ARG, "run %s has its metrics already", run->name);
  if (columns < 0) return rnl_fail(err, RNL_ERR_ARG, "%d columns of metrics", columns);
  rnl_buffer header = { 0 };
  rnl_buffer_text(&header, "epoch");
  for (int i = 0; i < columns; i++) {
    bool repeated = strcmp(names[i], "epoch") == 0;
    for (int j = 0; j < i; j++) repeated = repeated || strcmp(names[i], names[j]) == 0;
    if (repeated || !names[i][0] || strpbrk(names[i], ",\"\r\n")) {
      rnl_buffer_free(&header);
      return rnl_fail(err, RNL_ERR_ARG, "metric name \"%.80s\" %s", names[i],
                      repeated ? "is there twice"
                               : "must be without comma, quote and newline, and not empty");
    }
    rnl_buffer_printf(&header, ",%s", names[i]);
    if (strcmp(names[i], "loss") == 0) run->loss_column = i;
  }
  rnl_buffer_char(&header, '\n');
  char *path = rnl_path_join(run->dir, RNL_METRICS_FILE);
  rnl_status status = path ? rnl_buffer_check(&header, path, err) : out_of_memory(err, run->dir);
  if (status == RNL_OK) status = rnl_append_open(&run->metrics, path, err);
  if (status == RNL_OK) status = rnl_append_write(&run->metrics, header.data, header.length, err);
  run->columns = columns;
  rnl_free(path);
  rnl_buffer_free(&header);
  return status;
}

rnl_status rnl_run_metrics_append(rnl_run *run, int64_t rows, const int64_t *epochs,
                                  const double *values, rnl_error *err) {
  RNL_TRY(check_open(run, err));
  if (!run->metrics.path)
    return rnl_fail(err, RNL_ERR_ARG, "run %s: metrics were not begun", run->name);
  rnl_buffer text = { 0 };
  rnl_metrics_format(&text, run->columns, rows, epochs, values);
  rnl_status status = rnl_buffer_check(&text, run->metrics.path, err);
  if (status == RNL_OK && text.length > 0)
    status = rnl_append_write(&run->metrics, text.data, text.length, err);
  rnl_buffer_free(&text);
  for (int64_t row = 0; status == RNL_OK && run->loss_column >= 0 && row < rows; row++) {
    double value = values[row * run->columns + run->loss_column];
    if (!rnl_is_missing(value)) rnl_curve_add(&run->curve, (double)epochs[row], value);
  }
  return status;
}

rnl_status rnl_run_sync(rnl_run *run, rnl_error *err) {
  RNL_TRY(check_open(run, err));
  return run->metrics.path ? rnl_append_sync(&run->metrics, err) : RNL_OK;
}

rnl_status rnl_run_note(rnl_run *run, const json_t *changes, rnl_error *err) {
  RNL_TRY(check_open(run, err));
  if (json_object_update(run->json, (json_t *)changes)) return out_of_memory(err, run->dir);
  return rnl_run_write_json(run->dir, run->json, false, err);
}

/* ---- closing -------------------------------------------------------------------------------- */

/* fsync what rnl_run_put_bytes wrote, and the subfolders it is in. */
static rnl_status sync_copies(const rnl_run *run, rnl_error *err) {
  for (size_t i = 0; i < run->copies.count; i++) {
    const char *path = run->copies.items[i];
    rnl_append file; /* opening for appending changes nothing and gives a descriptor to sync */
    rnl_status status = rnl_append_open(&file, path, err);
    if (status == RNL_OK) status = rnl_append_sync(&file, err);
    rnl_status closed = rnl_append_close(&file, status == RNL_OK ? err : NULL);
    if (status == RNL_OK) status = closed;
    char *folder = rnl_path_folder(path);
    if (status == RNL_OK && folder && strcmp(folder, run->dir) != 0)
      status = rnl_folder_sync(folder, err);
    rnl_free(folder);
    if (status != RNL_OK) return status;
  }
  return RNL_OK;
}

static bool merge_tail(rnl_run *run, rnl_run_status status, const json_t *tail) {
  char now[RNL_TIME_TEXT];
  json_t *json = run->json;
  double wall = rnl_time_monotonic() - run->began;
  return (!tail || !json_object_update(json, (json_t *)tail)) &&
         (json_object_get(json, "wall_s") || !json_object_set_new(json, "wall_s", rnl_json_real(wall))) &&
         !json_object_set_new(json, "status", json_string(rnl_run_status_name(status))) &&
         !json_object_set_new(json, "ended", json_string(rnl_time_utc(now)));
}

rnl_status rnl_run_close(rnl_run *run, rnl_run_status status, const json_t *tail,
                         rnl_buffer *warnings, rnl_error *err) {
  RNL_TRY(check_open(run, err));
  run->closed = true;
  /* The data first, then the run.json that says it is whole; a failure on the way is told, but what can
   * still be saved is. */
  rnl_status result = RNL_OK;
  if (run->metrics.path) {
    result = rnl_append_sync(&run->metrics, err);
    rnl_status closed = rnl_append_close(&run->metrics, result == RNL_OK ? err : NULL);
    if (result == RNL_OK) result = closed;
  }
  rnl_status copies = sync_copies(run, result == RNL_OK ? err : NULL);
  if (result == RNL_OK) result = copies;
  rnl_status written = merge_tail(run, status, tail)
                           ? rnl_run_write_json(run->dir, run->json, true, result == RNL_OK ? err : NULL)
                           : out_of_memory(result == RNL_OK ? err : NULL, run->dir);
  if (written == RNL_OK) {
    written = rnl_folder_sync(run->results, result == RNL_OK ? err : NULL);
    rnl_error problem;
    rnl_run_record record = { .name = run->name, .dir = run->dir, .json = run->json };
    rnl_status indexed = rnl_notes_merge(run->json, run->dir, &problem); /* somebody may have tagged it meanwhile */
    if (indexed == RNL_OK && !strchr(run->name, '/'))
      indexed = rnl_index_put(run->results, &record, &run->curve, &problem);
    if (indexed != RNL_OK && warnings)
      rnl_buffer_printf(warnings, "the index was not updated (the next `rnnlab ls` does it): %s\n",
                        problem.text);
  }
  return result == RNL_OK ? written : result;
}
