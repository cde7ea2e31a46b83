/* app/select.c: see select.h. */
#include "app/select.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/output.h"
#include "base/alloc.h"
#include "base/file.h"
#include "store/query.h"
#include "sweep/rows.h"

const rnl_option
  rnl_option_sort = {"sort", RNL_TEXT, "NAME", "order by a parameter, metric or column, the least first", 0},
  rnl_option_desc = {"desc", RNL_FLAG, NULL, "with --sort: the greatest first", 0},
  rnl_option_limit = {"limit", RNL_WHOLE, "N", "at most N: the first ones with --sort, else the latest", 0},
  rnl_option_tag = {"tag", RNL_TEXT, "TAG", "only what has the tag: the same as tag=TAG", 0},
  rnl_option_since = {"since", RNL_SECONDS, "TIME", "only what was started within the last 90s, 30m, 12h, 2d", 0};

const rnl_sweep_source *rnl_journal_source(void) { return &rnl_journals; }

/* ---- names --------------------------------------------------------------------------------------- */

enum { MOST_NAMES = 512 };

static int add_keys(const char **names, int n, const json_t *object) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)object, key, value) {
    bool there = false;
    for (int i = 0; i < n && !there; i++) there = strcmp(names[i], key) == 0;
    if (!there && n < MOST_NAMES) names[n++] = key;
  }
  return n;
}

rnl_status rnl_select_check_name(const json_t *list, const char *name, rnl_error *err) {
  static const char *const also[] = {"run", "sweep", "time", "tags", "notes", NULL};
  for (int i = 0; rnl_field_names[i]; i++)
    if (strcmp(name, rnl_field_names[i]) == 0) return RNL_OK;
  for (int i = 0; also[i]; i++)
    if (strcmp(name, also[i]) == 0) return RNL_OK;
  for (size_t i = 0; i < json_array_size(list); i++)
    if (rnl_field_is_own(json_array_get(list, i), name)) return RNL_OK;
  if (json_array_size(list) == 0) return RNL_OK;
  const char *names[MOST_NAMES + 32];
  int n = 0;
  for (size_t i = json_array_size(list); i > 0; i--) {
    n = add_keys(names, n, json_object_get(json_array_get(list, i - 1), "params"));
    n = add_keys(names, n, json_object_get(json_array_get(list, i - 1), "metrics"));
  }
  for (int i = 0; rnl_field_names[i]; i++) names[n++] = rnl_field_names[i];
  names[n] = NULL;
  const char *near = rnl_nearest(name, names);
  if (near)
    return rnl_fail(err, RNL_ERR_ARG, "no run has a parameter or metric '%.80s'; did you mean '%s'?", name, near);
  rnl_buffer known = {0};
  for (int i = 0; i < n && i < 12; i++) rnl_buffer_printf(&known, "%s%s", i ? ", " : "", names[i]);
  rnl_fail(err, RNL_ERR_ARG, "no run has a parameter or metric '%.80s' (there is %s, ...)", name,
           rnl_buffer_string(&known));
  rnl_buffer_free(&known);
  return RNL_ERR_ARG;
}

/* Each alternative of "status=finished,runing" must be a status. */
static rnl_status check_status(const char *value, rnl_error *err) {
  const char *names[RNL_RUN_STATUSES + 1] = {NULL};
  for (int i = 0; i < RNL_RUN_STATUSES; i++) names[i] = rnl_run_status_name((rnl_run_status)i);
  for (const char *p = value;;) {
    char word[64];
    size_t n = strcspn(p, ",");
    rnl_run_status status;
    snprintf(word, sizeof word, "%.*s", (int)n, p);
    if (!rnl_run_status_parse(word, &status)) {
      const char *near = rnl_nearest(word, names);
      return rnl_fail(err, RNL_ERR_ARG, "no status '%s'; %s%s%s", word, near ? "did you mean '" : "there is running, ",
                      near ? near : "finished, interrupted, diverged, failed, pruned, timeout, oom, killed",
                      near ? "'?" : "");
    }
    if (!p[n]) return RNL_OK;
    p += n + 1;
  }
}

/* ---- filters ------------------------------------------------------------------------------------- */

typedef struct filters {
  int count;
  rnl_filter *items;
} filters;

static void free_filters(filters *f) {
  for (int i = 0; i < f->count; i++) rnl_filter_free(&f->items[i]);
  rnl_free(f->items);
}

static rnl_status add_filter(filters *f, const char *text, const json_t *list, rnl_error *err) {
  rnl_filter *filter = &f->items[f->count];
  RNL_TRY(rnl_filter_parse(filter, text, err));
  f->count++;
  if ((filter->op == RNL_IS || filter->op == RNL_IS_NOT) && strcmp(filter->name, "status") == 0)
    RNL_TRY(check_status(filter->value, err));
  return rnl_select_check_name(list, filter->name, err);
}

/* "started>=2026-11-23T..." of --since. */
static rnl_status add_since(filters *f, double seconds, const json_t *list, rnl_error *err) {
  char text[64] = "started>=";
  struct tm utc;
  time_t then = time(NULL) - (time_t)seconds;
  if (seconds > 4e9 || !gmtime_r(&then, &utc)) return RNL_OK; /* since ever */
  strftime(text + strlen(text), sizeof text - strlen(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return add_filter(f, text, list, err);
}

static rnl_status read_filters(filters *f, const rnl_args *args, const json_t *list, rnl_error *err) {
  f->items = rnl_alloc((size_t)(args->word_count + args->setting_count + args->given_count) + 1, sizeof *f->items);
  if (!f->items) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  for (int i = 0; i < args->word_count; i++) RNL_TRY(add_filter(f, args->words[i], list, err));
  for (int i = 0; i < args->setting_count; i++) RNL_TRY(add_filter(f, args->settings[i], list, err));
  for (int i = 0; i < args->given_count; i++) {
    const rnl_given *given = &args->given[i];
    char text[128];
    if (given->option == &rnl_option_since) RNL_TRY(add_since(f, given->number, list, err));
    if (given->option != &rnl_option_tag) continue;
    snprintf(text, sizeof text, "tag=%.100s", given->text);
    RNL_TRY(add_filter(f, text, list, err));
  }
  return RNL_OK;
}

static json_t *filtered(const json_t *list, const filters *f) {
  json_t *out = json_array();
  for (size_t i = 0; out && i < json_array_size(list); i++) {
    json_t *item = json_array_get(list, i);
    bool matches = true;
    for (int k = 0; matches && k < f->count; k++) matches = rnl_filter_matches(&f->items[k], item);
    if (matches) json_array_append(out, item);
  }
  return out;
}

/* The first `limit` of a sorted list, the last of one by time. Takes the list over. */
static json_t *limited(json_t *list, size_t limit, bool from_the_end) {
  size_t n = json_array_size(list);
  if (n <= limit) return list;
  json_t *out = json_array();
  for (size_t i = from_the_end ? n - limit : 0; out && json_array_size(out) < limit; i++)
    json_array_append(out, json_array_get(list, i));
  json_decref(list);
  return out;
}

static rnl_status pick(json_t **out, const rnl_args *args, const json_t *list, rnl_error *err) {
  filters f = {0};
  const rnl_given *sort = rnl_args_given(args, &rnl_option_sort), *limit = rnl_args_given(args, &rnl_option_limit);
  rnl_status status = read_filters(&f, args, list, err);
  if (status == RNL_OK && sort) status = rnl_select_check_name(list, sort->text, err);
  if (status == RNL_OK && !sort && rnl_args_has(args, &rnl_option_desc))
    status = rnl_fail(err, RNL_ERR_ARG, "--desc goes with --sort NAME");
  if (status == RNL_OK) {
    json_t *found = filtered(list, &f), *sorted = found;
    if (found && sort) {
      sorted = rnl_sorted(found, sort->text, rnl_args_has(args, &rnl_option_desc));
      json_decref(found);
    }
    if (sorted && limit) sorted = limited(sorted, (size_t)limit->number, !sort);
    *out = sorted;
    if (!sorted) status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  }
  free_filters(&f);
  return status;
}

rnl_status rnl_select(json_t **out, const rnl_args *args, bool sweeps, size_t *all, rnl_error *err) {
  json_t *list = NULL;
  rnl_buffer warnings = {0};
  *out = NULL;
  if (rnl_path_exists(args->results) && !rnl_path_is_folder(args->results))
    return rnl_fail(err, RNL_ERR_ARG, "%s is not a folder", args->results);
  rnl_index_query query = {.sweeps = sweeps, .source = rnl_journal_source()};
  rnl_status status = rnl_index_list(&list, args->results, &query, &warnings, err);
  if (status == RNL_OK) {
    rnl_warn_lines(&warnings);
    if (all) *all = json_array_size(list);
    status = pick(out, args, list, err);
  }
  rnl_buffer_free(&warnings);
  json_decref(list);
  return status;
}
