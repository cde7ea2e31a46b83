/* store/find.c: from what a person types to the run or sweep that is meant. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/private.h"

enum { NAMES_SHOWN = 6 };

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

static bool has_file(const char *dir, const char *file) {
  char *path = rnl_path_join(dir, file);
  bool there = path && rnl_path_exists(path);
  rnl_free(path);
  return there;
}

/* RNL_FIND_RUN, RNL_FIND_SWEEP or 0: neither. */
static int kind_of(const char *dir) {
  if (has_file(dir, RNL_RUN_FILE)) return RNL_FIND_RUN;
  return has_file(dir, RNL_SWEEP_FILE) ? RNL_FIND_SWEEP : 0;
}

/* What the command wants, for a person. */
static const char *wanted(int kinds) {
  return kinds == RNL_FIND_RUN ? "run" : kinds == RNL_FIND_SWEEP ? "sweep" : "run or sweep";
}

static const char *wanted_many(int kinds) {
  return kinds == RNL_FIND_RUN ? "runs" : kinds == RNL_FIND_SWEEP ? "sweeps" : "runs and sweeps";
}

/* The record in dir, which is of kind `found`. */
static rnl_status take(rnl_run_record *out, const char *dir, int found, int kinds, rnl_error *err) {
  if (found & kinds) return rnl_record_read(out, dir, found == RNL_FIND_SWEEP, err);
  return rnl_fail(err, RNL_ERR_NOT_FOUND, "%.400s is a %s; a %s is wanted here", dir, wanted(found), wanted(kinds));
}

static rnl_status find_last(rnl_run_record *out, const char *results_dir, int kinds, rnl_error *err) {
  json_t *list;
  rnl_index_query query = { .limit = 1, .sweeps = kinds & RNL_FIND_SWEEP, .no_runs = !(kinds & RNL_FIND_RUN) };
  RNL_TRY(rnl_index_list(&list, results_dir, &query, NULL, err));
  const json_t *last = json_array_get(list, 0);
  const char *dir = json_string_value(json_object_get(last, "dir"));
  rnl_status status = dir ? rnl_record_read(out, dir, json_object_get(last, "sweep") != NULL, err)
                          : rnl_fail(err, RNL_ERR_NOT_FOUND, "there is no %s in %s yet", wanted(kinds), results_dir);
  json_decref(list);
  return status;
}

/* The runs and sweeps among the folders whose name begins with prefix. */
static rnl_status find_candidates(rnl_names *out, const char *results_dir, const char *prefix, int kinds,
                                  rnl_error *err) {
  rnl_names all;
  *out = (rnl_names){ 0 };
  RNL_TRY(rnl_names_of_folders(&all, results_dir, err));
  rnl_status status = RNL_OK;
  for (size_t i = 0; status == RNL_OK && i < all.count; i++) {
    if (strncmp(all.items[i], prefix, strlen(prefix)) != 0) continue;
    char *dir = rnl_path_join(results_dir, all.items[i]);
    if (!dir || ((kind_of(dir) & kinds) && !rnl_names_add(out, all.items[i])))
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

static rnl_status nothing_found(const char *results_dir, const char *query, int kinds, rnl_error *err) {
  rnl_names names;
  rnl_buffer text = { 0 };
  rnl_status status = find_candidates(&names, results_dir, "", kinds, err);
  if (status == RNL_OK && names.count == 0) {
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "no %s \"%.200s\": there is no %s in %s yet", wanted(kinds), query,
                      wanted(kinds), results_dir);
  } else if (status == RNL_OK) {
    list_names(&text, &names);
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "no %s \"%.200s\" in %s; there is %s", wanted(kinds), query,
                      results_dir, rnl_buffer_string(&text));
  }
  rnl_buffer_free(&text);
  rnl_names_free(&names);
  return status;
}

static rnl_status find_prefix(rnl_run_record *out, const char *results_dir, const char *query, int kinds,
                              rnl_error *err) {
  rnl_names names;
  rnl_buffer text = { 0 };
  RNL_TRY(find_candidates(&names, results_dir, query, kinds, err));
  rnl_status status;
  if (names.count == 1) {
    char *dir = rnl_path_join(results_dir, names.items[0]);
    status = dir ? take(out, dir, kind_of(dir), kinds, err) : out_of_memory(err, results_dir);
    rnl_free(dir);
  } else if (names.count > 1) {
    list_names(&text, &names);
    status = rnl_fail(err, RNL_ERR_NOT_FOUND, "\"%s\" may mean %zu %s: %s", query, names.count, wanted_many(kinds),
                      rnl_buffer_string(&text));
  } else {
    status = nothing_found(results_dir, query, kinds, err);
  }
  rnl_buffer_free(&text);
  rnl_names_free(&names);
  return status;
}

rnl_status rnl_store_find(rnl_run_record *out, const char *results_dir, const char *query, int kinds,
                          rnl_error *err) {
  *out = (rnl_run_record){ 0 };
  if (!query || !query[0]) return rnl_fail(err, RNL_ERR_ARG, "a run's name is empty");
  bool is_path = strchr(query, '/') != NULL;
  if (is_path) {
    int found = kind_of(query);
    if (found) return take(out, query, found, kinds, err);
  }
  char *dir = rnl_path_join(results_dir, query);
  if (!dir) return out_of_memory(err, results_dir);
  int found = query[0] == '.' ? 0 : kind_of(dir); /* a name, or a kept trial inside a sweep's folder */
  rnl_status status = found ? take(out, dir, found, kinds, err) : RNL_OK;
  rnl_free(dir);
  if (found) return status;
  if (is_path)
    return rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: there is no %s (no %s in it)", query, wanted(kinds),
                    kinds == RNL_FIND_SWEEP ? RNL_SWEEP_FILE : RNL_RUN_FILE);
  if (strcmp(query, "last") == 0) return find_last(out, results_dir, kinds, err);
  return find_prefix(out, results_dir, query, kinds, err);
}

rnl_status rnl_run_find(rnl_run_record *out, const char *results_dir, const char *query, rnl_error *err) {
  return rnl_store_find(out, results_dir, query, RNL_FIND_RUN, err);
}
