/* app/show.c: rnnlab show RUN, what run.json says, for a person. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "app/table.h"
#include "base/number.h"
#include "store/json.h"
#include "store/run.h"

/* A scalar as it was typed; arrays and objects as JSON. Nothing for null and the empty string. */
static void value_text(rnl_buffer *out, const json_t *value) {
  char number[RNL_NUMBER_TEXT];
  if (json_is_string(value)) {
    rnl_buffer_text(out, json_string_value(value));
  } else if (json_is_real(value)) {
    rnl_number_format(number, json_real_value(value));
    rnl_buffer_text(out, number);
  } else {
    rnl_json_write(out, value, 0);
  }
}

static void row(rnl_table *table, const char *key, const json_t *value) {
  rnl_buffer text = {0};
  if (!json_is_null(value)) value_text(&text, value);
  if (text.length > 0) {
    rnl_table_cell(table, RNL_PLAIN, "%s", key);
    rnl_table_cell(table, RNL_PLAIN, "%s", rnl_buffer_string(&text));
  }
  rnl_buffer_free(&text);
}

static void text_row(rnl_table *table, const char *key, const char *text) {
  if (!text || !*text || strcmp(text, "-") == 0) return;
  rnl_table_cell(table, RNL_PLAIN, "%s", key);
  rnl_table_cell(table, RNL_PLAIN, "%s", text);
}

static void write_section(rnl_buffer *out, const char *head, rnl_table *table, bool color) {
  if (table->count > 0) {
    if (head) {
      rnl_buffer_char(out, '\n');
      rnl_toned(out, color, RNL_BOLD, head);
      rnl_buffer_char(out, '\n');
    }
    table->indent = "  ";
    rnl_table_write(table, out, color, 0);
  }
  rnl_table_free(table);
}

static void object_section(rnl_buffer *out, const char *head, const json_t *object, bool color) {
  rnl_table table;
  const char *key;
  json_t *value;
  rnl_table_begin(&table, 2, "ll");
  json_object_foreach((json_t *)object, key, value) {
    const char *inner;
    json_t *item;
    if (json_is_object(value)) {
      json_object_foreach(value, inner, item) {
        char both[128];
        snprintf(both, sizeof both, "%s.%s", key, inner);
        row(&table, both, item);
      }
    } else {
      row(&table, key, value);
    }
  }
  write_section(out, head, &table, color);
}

static void list_section(rnl_buffer *out, const char *head, const json_t *list, bool color) {
  rnl_table table;
  rnl_table_begin(&table, 1, "l");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    if (text) rnl_table_cell(&table, RNL_PLAIN, "%s", text);
  }
  write_section(out, head, &table, color);
}

/* Keys of run.json that the head, or a section of their own, has shown. */
static bool is_shown(const char *key) {
  static const char *const shown[] = {"run", "status", "script", "started", "ended", "wall_s", "train_s",
                                      "epochs", "error", "params", "metrics", "figures", "process",
                                      "experiment", "tags", "notes", "sweep", NULL};
  for (int i = 0; shown[i]; i++)
    if (strcmp(key, shown[i]) == 0) return true;
  return false;
}

/* A process that is there, or one that went without closing its run. */
static void process_row(rnl_table *table, const rnl_run_record *record) {
  const json_t *process = json_object_get(record->json, "process");
  const char *host = json_string_value(json_object_get(process, "host"));
  const char *status = json_string_value(json_object_get(record->json, "status"));
  if (!record->died && (!status || strcmp(status, "running") != 0)) return;
  rnl_table_cell(table, RNL_PLAIN, "process");
  rnl_table_cell(table, RNL_PLAIN, "%lld on %s%s", (long long)json_integer_value(json_object_get(process, "pid")),
                 host ? host : "?", record->died ? ": is gone and has not closed it (killed, or the machine stopped)"
                                                 : "");
}

static bool has_checkpoint(const char *dir) {
  DIR *folder = opendir(dir);
  bool found = false;
  for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
    found = strncmp(entry->d_name, "checkpoint", 10) == 0;
  if (folder) closedir(folder);
  return found;
}

static void tags_row(rnl_table *table, const json_t *tags) {
  rnl_buffer text = {0};
  for (size_t i = 0; i < json_array_size(tags); i++)
    rnl_buffer_printf(&text, "%s%s", i ? " " : "", json_string_value(json_array_get(tags, i)));
  text_row(table, "tags", rnl_buffer_string(&text));
  rnl_buffer_free(&text);
}

/* The time and the text; a line each where it has several. */
static void notes_section(rnl_buffer *out, const json_t *notes, bool color) {
  rnl_table table;
  char time[RNL_HUMAN_TEXT];
  rnl_table_begin(&table, 2, "ll");
  for (size_t i = 0; i < json_array_size(notes); i++) {
    const json_t *note = json_array_get(notes, i);
    const char *line = json_string_value(json_object_get(note, "text"));
    for (bool first = true; line; first = false) {
      size_t n = strcspn(line, "\n");
      rnl_table_cell(&table, RNL_FAINT, "%s", first ? rnl_human_time(time, json_object_get(note, "time")) : "");
      rnl_table_cell(&table, RNL_PLAIN, "%.*s", (int)n, line);
      line = line[n] ? line + n + 1 : NULL;
    }
  }
  write_section(out, "notes", &table, color);
}

static void write_run(rnl_buffer *out, const rnl_run_record *record, const json_t *summary, bool color) {
  const json_t *json = record->json, *params = json_object_get(json, "params");
  const char *status = json_string_value(json_object_get(json, "status"));
  char text[RNL_HUMAN_TEXT], more[RNL_HUMAN_TEXT];
  rnl_toned(out, color, RNL_BOLD, record->name);
  rnl_buffer_text(out, "  ");
  rnl_toned(out, color, rnl_status_tone(status ? status : ""), status ? status : "-");
  rnl_buffer_text(out, "\n");

  rnl_table table;
  rnl_table_begin(&table, 2, "ll");
  text_row(&table, "error", json_string_value(json_object_get(json, "error")));
  text_row(&table, "script", json_string_value(json_object_get(json, "script")));
  text_row(&table, "folder", record->dir);
  text_row(&table, "sweep", json_string_value(json_object_get(json, "sweep")));
  text_row(&table, "started", rnl_human_time(text, json_object_get(json, "started")));
  text_row(&table, "took", rnl_human_seconds(text, json_object_get(json, "wall_s")));
  text_row(&table, "training", rnl_human_seconds(more, json_object_get(json, "train_s")));
  text_row(&table, "epochs", rnl_human_number(text, json_object_get(json, "epochs")));
  process_row(&table, record);
  if (status && strcmp(status, "interrupted") == 0 && has_checkpoint(record->dir)) {
    rnl_table_cell(&table, RNL_PLAIN, "goes on by");
    rnl_table_cell(&table, RNL_PLAIN, "rnnlab resume %s", record->name);
  }
  tags_row(&table, json_object_get(json, "tags"));
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value)
    if (!is_shown(key) && !json_is_object(value) && !json_is_array(value) && !json_object_get(params, key))
      row(&table, key, value);
  write_section(out, NULL, &table, color);

  notes_section(out, json_object_get(json, "notes"), color);
  object_section(out, "parameters", params, color);
  object_section(out, "metrics", json_object_get(json, "metrics"), color);
  json_object_foreach((json_t *)json, key, value)
    if (!is_shown(key) && json_is_object(value)) object_section(out, key, value, color);
  list_section(out, "figures", json_object_get(summary, "figures"), color);
}

static int call(const rnl_args *args) {
  if (rnl_means_sweep(args)) return rnl_face_call("rnnlab.sweep.results", "show", args, NULL);
  rnl_run_record record = {0};
  rnl_error err;
  if (rnl_store_find(&record, args->results, args->words[0], RNL_FIND_ANY, &err) != RNL_OK)
    return rnl_exit_for(&err);
  int code;
  json_t *summary = record.is_sweep ? rnl_sweep_summary(&record) : rnl_run_summary(&record);
  if (!summary) {
    rnl_fail(&err, RNL_ERR_MEMORY, "out of memory");
    code = rnl_exit_for(&err);
  } else if (rnl_args_has(args, &rnl_option_json)) {
    code = rnl_put_json(record.json);
  } else {
    rnl_buffer text = {0};
    write_run(&text, &record, summary, rnl_color(1));
    code = rnl_buffer_check(&text, "the run", &err) == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
    if (code == RNL_EXIT_OK) rnl_put(&text);
    rnl_buffer_free(&text);
  }
  json_decref(summary);
  rnl_run_record_free(&record);
  return code;
}

const rnl_command rnl_command_show = {
  .name = "show",
  .usage = "RUN|SWEEP [options]",
  .summary = "everything known about one run or sweep",
  .about =
    "Prints a stored run: status, tags and notes, parameters and seeds, metrics, versions and machine,\n"
    "and the paths of its figures. RUN is its name, a prefix that only one has, `last`, or its folder.\n"
    "Of a sweep: how its trials ended, the space, the ranking (the whole front of two objectives), which\n"
    "parameters mattered, and what failed; of a rerun its metrics over the seeds, test data included.\n"
    "--json prints its run.json or sweep.json, with the tags and notes there are.",
  .examples = "  rnnlab show last\n  rnnlab show tutorial8-q2-7 --json",
  .min_words = 1,
  .max_words = 1,
  .call = call,
};
