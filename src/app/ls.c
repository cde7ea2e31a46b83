/* app/ls.c: rnnlab ls, the runs and sweeps in the results folder. */
#include <stdio.h>
#include <string.h>

#include "app/columns.h"
#include "app/command.h"
#include "app/output.h"
#include "app/select.h"
#include "base/alloc.h"

static const rnl_option columns = {"columns", RNL_TEXT, "A,B,...",
  "show these behind name and status instead of what is chosen", 0};

/* The names the filters and --sort go by; the list and its texts are released by the caller. */
static char **names_asked(const rnl_args *args) {
  char **names = rnl_alloc((size_t)(args->word_count + args->setting_count) + 2, sizeof *names);
  const rnl_given *sort = rnl_args_given(args, &rnl_option_sort);
  int n = 0;
  for (int i = 0; names && i < args->word_count + args->setting_count; i++) {
    const char *text = i < args->word_count ? args->words[i] : args->settings[i - args->word_count];
    size_t length = strcspn(text, "<>=!~");
    if (!text[length]) continue; /* the beginning of a name */
    while (length > 0 && text[length - 1] == ' ') length--;
    char *name = rnl_alloc(length + 1, 1);
    if (name) names[n++] = memcpy(name, text, length);
  }
  if (names && sort && (names[n] = rnl_strdup(sort->text))) n++;
  return names;
}

static void free_names(char **names) {
  for (int i = 0; names && names[i]; i++) rnl_free(names[i]);
  rnl_free(names);
}

/* Names that say nothing new in a column of their own. */
static void drop_plain(char **names) {
  static const char *const plain[] = {"name", "run", "sweep", "status", "kind", "tag", "tags", "note", "notes", "time",
                                      NULL};
  int n = 0;
  for (int i = 0; names && names[i]; i++) {
    bool dropped = false;
    for (int k = 0; plain[k]; k++) dropped = dropped || strcmp(names[i], plain[k]) == 0;
    if (dropped) rnl_free(names[i]);
    else names[n++] = names[i];
  }
  if (names) names[n] = NULL;
}

static rnl_status check_columns(const json_t *list, const char *text, rnl_error *err) {
  for (const char *p = text; p;) {
    char name[128];
    size_t n = strcspn(p, ",");
    snprintf(name, sizeof name, "%.*s", (int)n, p);
    if (name[0]) RNL_TRY(rnl_select_check_name(list, name, err));
    p = p[n] ? p + n + 1 : NULL;
  }
  return RNL_OK;
}

static int print_table(const rnl_args *args, const json_t *list) {
  const rnl_given *given = rnl_args_given(args, &columns);
  rnl_buffer text = {0};
  rnl_error err;
  char **asked = names_asked(args);
  drop_plain(asked);
  rnl_columns_wanted wanted = {given ? given->text : NULL, (const char *const *)asked};
  rnl_status status = given ? check_columns(list, given->text, &err) : RNL_OK;
  if (status == RNL_OK)
    status = rnl_columns_write(&text, list, &wanted, rnl_color(1), rnl_terminal_width(), &err);
  if (status == RNL_OK) rnl_put(&text);
  rnl_buffer_free(&text);
  free_names(asked);
  return status == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
}

static int call(const rnl_args *args) {
  json_t *list;
  rnl_error err;
  size_t all;
  if (rnl_select(&list, args, true, &all, &err) != RNL_OK) return rnl_exit_for(&err);
  int code = RNL_EXIT_OK;
  if (rnl_args_has(args, &rnl_option_json)) {
    code = rnl_put_json(list);
  } else if (json_array_size(list) == 0) {
    rnl_buffer text = {0};
    if (all == 0)
      rnl_buffer_printf(&text, "No runs in %s yet. To make one: rnnlab run SCRIPT.lua\n", args->results);
    else
      rnl_buffer_printf(&text, "None of the %zu in %s is like that.\n", all, args->results);
    rnl_put(&text);
    rnl_buffer_free(&text);
  } else {
    code = print_table(args, list);
  }
  json_decref(list);
  return code;
}

const rnl_command rnl_command_ls = {
  .name = "ls",
  .usage = "[FILTER ...] [options]",
  .summary = "list runs and sweeps: filtered, sorted",
  .about =
    "Lists runs and sweeps, the newest last: name, status, the parameters that differ among runs of one\n"
    "experiment, start, epochs, losses and the time the whole run took. A FILTER is NAME OP VALUE with a\n"
    "parameter, a metric, or one of\n"
    "  name kind status experiment script seed started ended epochs wall_s train_s network weights error\n"
    "  tag note trials best\n"
    "and <, <=, >, >=, = (one of: status=failed,oom), !=, ~ (has the text) or !~; a word alone is the\n"
    "beginning of a name. Quote < and > from the shell. params.x and metrics.x tell the two apart. A run\n"
    "without a value, or with a NaN, is never among the small or the large ones, and is sorted last.\n"
    "--json prints an array with everything a run's own --json printed.",
  .examples =
    "  rnnlab ls\n"
    "  rnnlab ls 'lr<0.01' status=finished --sort val_loss --limit 10\n"
    "  rnnlab ls tutorial8 --tag paper --since 2d\n"
    "  rnnlab ls cell=lstm,gru --columns cell,hidden,val_loss,weights\n"
    "  rnnlab ls --json",
  .options = (const rnl_option *const[]){RNL_SELECT_OPTIONS, &columns, NULL},
  .settings = true,
  .max_words = -1,
  .call = call,
};
