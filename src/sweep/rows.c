/* sweep/rows.c: see rows.h. */
#include "sweep/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "store/json.h"
#include "sweep/journal.h"

static double number_of(const json_t *object, const char *key) {
  double value;
  const json_t *found = json_object_get(object, key);
  return found && rnl_json_number(found, &value) ? value : rnl_missing();
}

size_t rnl_trial_row_points(const json_t *result) {
  return 2 * json_array_size(json_object_get(json_object_get(result, "curve"), "steps"));
}

rnl_trial_row rnl_trial_row_of(const json_t *result, double *points) {
  rnl_trial_row row = {.number = json_integer_value(json_object_get(result, "trial")),
                       .config = json_integer_value(json_object_get(result, "config")),
                       .seed = json_integer_value(json_object_get(result, "seed")), .status = RNL_RUN_FAILED,
                       .params = json_object_get(result, "params"), .metrics = json_object_get(result, "metrics"),
                       .epochs = -1, .wall_s = number_of(result, "wall_s"),
                       .started = json_string_value(json_object_get(result, "started")),
                       .error = json_string_value(json_object_get(result, "error")),
                       .run = json_string_value(json_object_get(result, "run")), .curve = points};
  rnl_run_status_parse(json_string_value(json_object_get(result, "status")), &row.status);
  const json_t *epochs = json_object_get(result, "epochs"), *values = json_object_get(result, "values");
  if (json_is_integer(epochs)) row.epochs = json_integer_value(epochs);
  for (size_t k = 0; k < 2; k++) {
    const json_t *value = json_array_get(values, k);
    if (!value || !rnl_json_number(value, &row.values[k])) row.values[k] = rnl_missing();
  }
  const json_t *curve = json_object_get(result, "curve"), *steps = json_object_get(curve, "steps");
  const json_t *heights = json_object_get(curve, "values");
  for (size_t i = 0; i < json_array_size(steps) && i < json_array_size(heights); i++) {
    if (!rnl_json_number(json_array_get(steps, i), &points[2 * i])) break;
    if (!rnl_json_number(json_array_get(heights, i), &points[2 * i + 1])) break;
    row.points++;
  }
  return row;
}

/* ---- all journals of a folder ------------------------------------------------------------------- */

typedef struct walk {
  size_t count, capacity;
  int64_t *slots;
  bool failed;
} walk;

static bool add_slot(void *context, int64_t slot) {
  walk *w = context;
  if (w->count == w->capacity) {
    size_t capacity = w->capacity ? 2 * w->capacity : 16;
    int64_t *slots = rnl_realloc(w->slots, w->count, capacity, sizeof *slots);
    if (!slots) {
      w->failed = true;
      return false;
    }
    w->slots = slots;
    w->capacity = capacity;
  }
  w->slots[w->count++] = slot;
  return true;
}

static int by_slot(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* False where the index failed or memory is out. The folder that a trial's run was kept in may have been given up for a
 * better one since (keep.lua): what counts is whether it is there. */
static bool put_line(const char *dir, json_t *line, rnl_trial_sink *sink) {
  const char *event = json_string_value(json_object_get(line, "event"));
  const json_t *number = json_object_get(line, "trial");
  if (!event || strcmp(event, "result") != 0 || !json_is_integer(number)) return true;
  double *points = rnl_alloc(rnl_trial_row_points(line) + 1, sizeof *points);
  if (!points) return false;
  rnl_trial_row row = rnl_trial_row_of(line, points);
  char name[32], folder[4096];
  snprintf(name, sizeof name, "trial-%lld", (long long)row.number);
  snprintf(folder, sizeof folder, "%s/%s", dir, name);
  row.run = rnl_path_is_folder(folder) ? name : NULL;
  bool good = rnl_trial_sink_put(sink, &row);
  rnl_free(points);
  return good;
}

/* What identifies a journal beside its name, with its size; false: it is not there. */
static bool look_at(const char *path, json_int_t *inode, int64_t *size) {
  struct stat about;
  if (stat(path, &about) < 0) return false;
  *inode = (json_int_t)about.st_ino;
  *size = about.st_size;
  return true;
}

static void journal_path(char path[4096], const char *dir, const char *slot) {
  snprintf(path, 4096, "%s/journal-%s.jsonl", dir, slot);
}

/* `read` is { slot: [inode, bytes] }: how far each journal was read. Journals only grow, but for a torn last line. */
static bool goes_on(void *context, const char *dir, const json_t *read) {
  (void)context;
  const char *slot;
  json_t *place;
  json_object_foreach((json_t *)read, slot, place) {
    char path[4096];
    json_int_t inode;
    int64_t size;
    journal_path(path, dir, slot);
    if (!look_at(path, &inode, &size) || inode != json_integer_value(json_array_get(place, 0)) ||
        size < json_integer_value(json_array_get(place, 1)))
      return false;
  }
  return true;
}

static rnl_status load_journal(const char *dir, int64_t slot, json_t *read, rnl_trial_sink *sink, rnl_error *err) {
  char path[4096], key[24];
  snprintf(key, sizeof key, "%lld", (long long)slot);
  journal_path(path, dir, key);
  rnl_buffer text = {0};
  json_int_t inode;
  int64_t size, offset = json_integer_value(json_array_get(json_object_get(read, key), 1));
  if (!look_at(path, &inode, &size) || size == offset) return RNL_OK;
  rnl_status status = rnl_journal_read(path, &offset, &text, err);
  for (char *at = text.data; status == RNL_OK && at && *at;) {
    char *end = strchr(at, '\n');
    if (!end) break;
    json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
    if (line && !put_line(dir, line, sink)) status = rnl_fail(err, RNL_ERR_IO, "%s: its trials were not taken", path);
    json_decref(line);
    at = end + 1;
  }
  if (status == RNL_OK && json_object_set_new(read, key, json_pack("[I, I]", inode, (json_int_t)offset)))
    status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", path);
  rnl_buffer_free(&text);
  return status;
}

static rnl_status load(void *context, const char *dir, const json_t *head, json_t *read, rnl_trial_sink *sink,
                       rnl_error *err) {
  (void)context, (void)head;
  walk w = {0};
  rnl_status status = rnl_journal_slots(dir, add_slot, &w, err);
  if (status == RNL_OK && w.failed) status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", dir);
  if (status == RNL_OK && w.count > 0) qsort(w.slots, w.count, sizeof *w.slots, by_slot);
  for (size_t i = 0; i < w.count && status == RNL_OK; i++) status = load_journal(dir, w.slots[i], read, sink, err);
  rnl_free(w.slots);
  return status;
}

const rnl_sweep_source rnl_journals = {.load = load, .goes_on = goes_on};
