/* app/ls.c: rnnlab ls, the runs in the results folder. */
#include <string.h>

#include "app/command.h"
#include "app/output.h"
#include "app/table.h"
#include "base/file.h"
#include "store/index.h"

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

static void add_row(rnl_table *table, const json_t *run) {
  char text[RNL_HUMAN_TEXT];
  const char *status = text_of(run, "status"), *script = text_of(run, "script");
  if (strcmp(script, "-") == 0) script = text_of(run, "experiment");
  rnl_table_cell(table, RNL_PLAIN, "%s", text_of(run, "run"));
  rnl_table_cell(table, rnl_status_tone(status), "%s", status);
  rnl_table_cell(table, RNL_PLAIN, "%s", script);
  rnl_table_cell(table, RNL_PLAIN, "%s", rnl_human_time(text, json_object_get(run, "started")));
  rnl_table_cell(table, RNL_PLAIN, "%s", rnl_human_number(text, json_object_get(run, "epochs")));
  const json_t *metrics = json_object_get(run, "metrics");
  rnl_table_cell(table, RNL_PLAIN, "%s", rnl_human_number(text, json_object_get(metrics, "loss")));
  rnl_table_cell(table, RNL_PLAIN, "%s", rnl_human_seconds(text, json_object_get(run, "wall_s")));
}

static int print_table(const json_t *runs) {
  static const char *const heads[] = {"RUN", "STATUS", "SCRIPT", "STARTED", "EPOCHS", "LOSS", "TIME"};
  rnl_table table;
  rnl_table_begin(&table, 7, "llllrrr");
  table.flexible = 2;
  for (int i = 0; i < 7; i++) rnl_table_cell(&table, RNL_FAINT, "%s", heads[i]);
  for (size_t i = 0; i < json_array_size(runs); i++) add_row(&table, json_array_get(runs, i));
  rnl_buffer text = {0};
  rnl_error err;
  rnl_table_write(&table, &text, rnl_color(1), rnl_terminal_width());
  rnl_table_free(&table);
  rnl_status status = rnl_buffer_check(&text, "the list", &err);
  if (status == RNL_OK) rnl_put(&text);
  rnl_buffer_free(&text);
  return status == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
}

static int call(const rnl_args *args) {
  json_t *runs = NULL;
  rnl_buffer warnings = {0};
  rnl_error err;
  if (rnl_path_exists(args->results) && !rnl_path_is_folder(args->results)) {
    rnl_complain("%s is not a folder", args->results);
    return RNL_EXIT_USAGE;
  }
  if (rnl_index_list(&runs, args->results, NULL, &warnings, &err) != RNL_OK) {
    rnl_buffer_free(&warnings);
    return rnl_exit_for(&err);
  }
  rnl_warn_lines(&warnings);
  rnl_buffer_free(&warnings);
  int code = RNL_EXIT_OK;
  if (args->given & RNL_OPT_JSON) {
    code = rnl_put_json(runs);
  } else if (json_array_size(runs) == 0) {
    rnl_buffer text = {0};
    rnl_buffer_printf(&text, "No runs in %s yet. To make one: rnnlab run SCRIPT.lua\n", args->results);
    rnl_put(&text);
    rnl_buffer_free(&text);
  } else {
    code = print_table(runs);
  }
  json_decref(runs);
  return code;
}

const rnl_command rnl_command_ls = {
  .name = "ls",
  .usage = "[options]",
  .summary = "list the runs in the results folder",
  .about =
    "Lists runs, the newest last: name, status, script, start, epochs, training loss after the last\n"
    "epoch, and the time the whole run took. --json prints an array with everything a run's own\n"
    "--json printed.",
  .examples = "  rnnlab ls\n  rnnlab ls --results /data/results\n  rnnlab ls --json",
  .call = call,
};
