/* store/run_read.c: finding and reading runs, and what listings show of them. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "store/json.h"
#include "store/private.h"

enum { NAMES_SHOWN = 6 };

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- folders -------------------------------------------------------------------------------- */

/* Natural order: runs of digits compare as numbers. */
static int compare_names(const void *left, const void *right) {
  const char *a = *(char *const *)left, *b = *(char *const *)right;
  while (*a && *b) {
    if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
      a += strspn(a, "0");
      b += strspn(b, "0");
      size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
      if (na != nb) return na < nb ? -1 : 1;
      int order = strncmp(a, b, na);
      if (order != 0) return order;
      a += na;
      b += nb;
    } else {
      if (*a != *b) return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
      a++;
      b++;
    }
  }
  if (*a || *b) return *a ? 1 : -1;
  return strcmp(*(char *const *)left, *(char *const *)right); /* "a-01" and "a-1" */
}

void rnl_names_free(rnl_names *names) {
  for (size_t i = 0; i < names->count; i++) rnl_free(names->items[i]);
  rnl_free(names->items);
  *names = (rnl_names){ 0 };
}

static bool is_folder(const char *results_dir, const struct dirent *entry) {
  if (entry->d_name[0] == '.') return false;
#ifdef DT_DIR
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
#endif
  char *path = rnl_path_join(results_dir, entry->d_name);
  bool folder = path && rnl_path_is_folder(path);
  rnl_free(path);
  return folder;
}

static bool names_add(rnl_names *names, const char *name) {
  if (names->count == names->capacity) {
    size_t capacity = names->capacity ? 2 * names->capacity : 64;
    char **grown = rnl_realloc(names->items, names->count, capacity, sizeof *grown);
    if (!grown) return false;
    names->items = grown;
    names->capacity = capacity;
  }
  char *copy = rnl_strdup(name);
  if (copy) names->items[names->count++] = copy;
  return copy != NULL;
}

rnl_status rnl_names_of_folders(rnl_names *out, const char *results_dir, rnl_error *err) {
  *out = (rnl_names){ 0 };
  DIR *folder = opendir(results_dir);
  if (!folder) {
    if (errno == ENOENT) return RNL_OK;
    return rnl_fail(err, RNL_ERR_IO, "%s: cannot read the folder: %s", results_dir, strerror(errno));
  }
  rnl_status status = RNL_OK;
  for (struct dirent *entry; status == RNL_OK && (entry = readdir(folder));) {
    if (is_folder(results_dir, entry) && !names_add(out, entry->d_name))
      status = out_of_memory(err, results_dir);
  }
  closedir(folder);
  if (status != RNL_OK) rnl_names_free(out);
  else if (out->count > 1) qsort(out->items, out->count, sizeof *out->items, compare_names);
  return status;
}

static bool has_run_file(const char *dir) {
  char *path = rnl_path_join(dir, RNL_RUN_FILE);
  bool there = path && rnl_path_exists(path);
  rnl_free(path);
  return there;
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

static rnl_status read_record(rnl_run_record *out, rnl_error *err) {
  char *path = rnl_path_join(out->dir, RNL_RUN_FILE);
  rnl_status status = path ? rnl_json_read_file(&out->json, path, err) : out_of_memory(err, out->dir);
  if (status == RNL_OK && says_running(out->json) && process_is_dead(out->json)) {
    /* It may have closed its run between our reading and its end: what the file says now is final. */
    json_decref(out->json);
    out->json = NULL;
    status = rnl_json_read_file(&out->json, path, err);
    if (status == RNL_OK && says_running(out->json) &&
        json_object_set_new(out->json, "status", json_string("interrupted")))
      status = out_of_memory(err, out->dir);
  }
  rnl_run_status known;
  if (status == RNL_OK &&
      !rnl_run_status_parse(json_string_value(json_object_get(out->json, "status")), &known))
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: \"status\" is missing or unknown", path);
  rnl_free(path);
  return status;
}

rnl_status rnl_run_read(rnl_run_record *out, const char *dir, rnl_error *err) {
  *out = (rnl_run_record){ 0 };
  out->dir = rnl_strdup(dir);
  if (!out->dir) return out_of_memory(err, dir);
  for (size_t n = strlen(out->dir); n > 1 && out->dir[n - 1] == '/';) out->dir[--n] = '\0';
  out->name = rnl_strdup(rnl_path_base(out->dir));
  rnl_status status = out->name ? read_record(out, err) : out_of_memory(err, dir);
  if (status != RNL_OK) rnl_run_record_free(out);
  return status;
}

/* ---- finding -------------------------------------------------------------------------------- */

static rnl_status find_last(rnl_run_record *out, const char *results_dir, rnl_error *err) {
  json_t *list;
  RNL_TRY(rnl_index_list(&list, results_dir, &(rnl_index_query){ .limit = 1 }, NULL, err));
  const char *dir = json_string_value(json_object_get(json_array_get(list, 0), "dir"));
  rnl_status status = dir ? rnl_run_read(out, dir, err)
                          : rnl_fail(err, RNL_ERR_NOT_FOUND, "there is no run in %s yet", results_dir);
  json_decref(list);
  return status;
}

/* The runs among the folders whose name begins with prefix. */
static rnl_status find_candidates(rnl_names *out, const char *results_dir, const char *prefix,
                                  rnl_error *err) {
  rnl_names all;
  *out = (rnl_names){ 0 };
  RNL_TRY(rnl_names_of_folders(&all, results_dir, err));
  rnl_status status = RNL_OK;
  for (size_t i = 0; status == RNL_OK && i < all.count; i++) {
    if (strncmp(all.items[i], prefix, strlen(prefix)) != 0) continue;
    char *dir = rnl_path_join(results_dir, all.items[i]);
    if (!dir || (has_run_file(dir) && !names_add(out, all.items[i])))
      status = out_of_memory(err, results_dir);
    rnl_free(dir);
  }
  rnl_names_free(&all);
  if (status != RNL_OK) rnl_names_free(out);
  return status;
}

/* "a-1, a-2, ... (12 in all)": the last few of the list. */
static void list_names(rnl_buffer *out, const rnl_names *names) {
  size_t first = names->count > NAMES_SHOWN ? names->count - NAMES_SHOWN : 0;
  if (first > 0) rnl_buffer_text(out, "..., ");
  for (size_t i = first; i < names->count; i++)
    rnl_buffer_printf(out, "%s%s", i > first ? ", " : "", names->items[i]);
  if (first > 0) rnl_buffer_printf(out, " (%zu in all)", names->count);
}

static rnl_status find_prefix(rnl_run_record *out, const char *results_dir, const char *query,
                              rnl_error *err) {
  rnl_names names;
  rnl_buffer text = { 0 };
  RNL_TRY(find_candidates(&names, results_dir, query, err));
  rnl_status status;
  if (names.count == 1) {
    char *dir = rnl_path_join(results_dir, names.items[0]);
    status = dir ? rnl_run_read(out, dir, err) : out_of_memory(err, results_dir);
    rnl_free(dir);
  } else if (names.count > 1) {
    list_names(&text, &names);
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "\"%s\" may mean %zu runs: %s", query, names.count,
                      rnl_buffer_string(&text));
  } else {
    status = find_candidates(&names, results_dir, "", err);
    if (status == RNL_OK && names.count == 0) {
      status = rnl_fail(err, RNL_ERR_NOT_FOUND, "no run \"%.200s\": there is no run in %s yet", query,
                        results_dir);
    } else if (status == RNL_OK) {
      list_names(&text, &names);
      status = rnl_fail(err, RNL_ERR_NOT_FOUND, "no run \"%.200s\" in %s; there is %s", query, results_dir,
                        rnl_buffer_string(&text));
    }
  }
  rnl_buffer_free(&text);
  rnl_names_free(&names);
  return status;
}

rnl_status rnl_run_find(rnl_run_record *out, const char *results_dir, const char *query,
                        rnl_error *err) {
  *out = (rnl_run_record){ 0 };
  if (!query || !query[0]) return rnl_fail(err, RNL_ERR_ARG, "a run's name is empty");
  if (strchr(query, '/')) {
    if (has_run_file(query)) return rnl_run_read(out, query, err);
    return rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no run (no %s in it)", query, RNL_RUN_FILE);
  }
  char *dir = rnl_path_join(results_dir, query);
  if (!dir) return out_of_memory(err, results_dir);
  bool exact = query[0] != '.' && has_run_file(dir);
  rnl_status status = exact ? rnl_run_read(out, dir, err) : RNL_OK;
  rnl_free(dir);
  if (exact) return status;
  if (strcmp(query, "last") == 0) return find_last(out, results_dir, err);
  return find_prefix(out, results_dir, query, err);
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

json_t *rnl_run_summary(const rnl_run_record *record) {
  static const char *const plain[] = { "epochs", "wall_s", "train_s" };
  static const char *const extra[] = { "experiment", "script", "seed", "started", "ended", "error" };
  const json_t *json = record->json;
  json_t *out = json_object();
  bool good = out && !json_object_set_new(out, "run", json_string(record->name)) &&
              !json_object_set_new(out, "dir", json_string(record->dir)) &&
              !json_object_set_new(out, "status", value_or(json, "status", json_null())) &&
              !json_object_set_new(out, "params", value_or(json, "params", json_object())) &&
              !json_object_set_new(out, "metrics", value_or(json, "metrics", json_object()));
  for (size_t i = 0; good && i < sizeof plain / sizeof *plain; i++)
    good = !json_object_set_new(out, plain[i], value_or(json, plain[i], json_null()));
  good = good && !json_object_set_new(out, "figures",
                                      figure_paths(json_object_get(json, "figures"), record->dir));
  for (size_t i = 0; good && i < sizeof extra / sizeof *extra; i++)
    if (json_object_get(json, extra[i]))
      good = !json_object_set_new(out, extra[i], value_or(json, extra[i], NULL));
  if (good) return out;
  json_decref(out);
  return NULL;
}

rnl_status rnl_run_update(const char *dir, const json_t *changes, rnl_buffer *warnings,
                          rnl_error *err) {
  rnl_run_record record;
  rnl_curve *curve = rnl_alloc(1, sizeof *curve);
  if (!curve) return out_of_memory(err, dir);
  rnl_status status = rnl_run_read(&record, dir, err);
  if (status == RNL_OK) {
    status = json_object_update(record.json, (json_t *)changes)
                 ? out_of_memory(err, dir)
                 : rnl_run_write_json(record.dir, record.json, true, err);
  }
  if (status == RNL_OK) {
    rnl_error problem;
    char *results = rnl_path_folder(record.dir);
    rnl_status indexed = results ? rnl_curve_read(curve, record.dir, &problem)
                                 : out_of_memory(&problem, dir);
    if (indexed == RNL_OK) indexed = rnl_index_put(results, &record, curve, &problem);
    if (indexed != RNL_OK && warnings)
      rnl_buffer_printf(warnings, "the index was not updated (the next `rnnlab ls` does it): %s\n",
                        problem.text);
    rnl_free(results);
  }
  rnl_run_record_free(&record);
  rnl_free(curve);
  return status;
}
