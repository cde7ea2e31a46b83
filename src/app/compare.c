/* app/compare.c: rnnlab compare RUN RUN ..., what differs between runs, and their metrics side by side. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "app/table.h"
#include "base/alloc.h"
#include "base/number.h"
#include "store/json.h"
#include "store/run.h"

static const rnl_option all_rows = {"same", RNL_FLAG, NULL, "show what is the same too", 0};

enum { WIDEST = 32 };

typedef struct comparison {
  int count;
  rnl_run_record *runs;
  bool one_loss; /* they were trained by the same one: an sse is not held against an mse */
  json_t *params, *metrics, *rest; /* {name: [a value a run; null where it has none]} */
} comparison;

/* ---- what there is ---------------------------------------------------------------------------------- */

/* into[name][which] = value */
static void set_value(json_t *into, const char *name, int which, int count, json_t *value) {
  json_t *values = json_object_get(into, name);
  if (!values) {
    values = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(values, json_null());
    json_object_set_new(into, name, values);
  }
  json_array_set(values, (size_t)which, value);
}

static bool is_left_out(const char *key) {
  static const char *const keys[] = {"run", "params", "metrics", "figures", "process", "started", "ended", "wall_s",
                                     "train_s", "epochs", "seed", "data_seed", "dtype", "notes", "experiment", NULL};
  for (int i = 0; keys[i]; i++)
    if (strcmp(key, keys[i]) == 0) return true;
  return false;
}

/* Objects become "versions.lua", "training.optimizer.lr". */
static void collect_rest(comparison *c, int which, const json_t *json, const char *prefix) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) {
    rnl_buffer name = {0};
    if (!*prefix && is_left_out(key)) continue;
    rnl_buffer_printf(&name, "%s%s%s", prefix, *prefix ? "." : "", key);
    if (json_is_object(value) && strlen(prefix) < 200) collect_rest(c, which, value, rnl_buffer_string(&name));
    else set_value(c->rest, rnl_buffer_string(&name), which, c->count, value);
    rnl_buffer_free(&name);
  }
}

static void collect(comparison *c) {
  for (int i = 0; i < c->count; i++) {
    const json_t *json = c->runs[i].json;
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(json, "params"), key, value) set_value(c->params, key, i, c->count, value);
    json_object_foreach(json_object_get(json, "metrics"), key, value) set_value(c->metrics, key, i, c->count, value);
    static const char *const times[] = {"epochs", "train_s", "wall_s"};
    for (size_t k = 0; k < 3; k++)
      if ((value = json_object_get(json, times[k]))) set_value(c->metrics, times[k], i, c->count, value);
    collect_rest(c, i, json, "");
  }
}

static bool all_equal(const json_t *values) {
  for (size_t i = 1; i < json_array_size(values); i++)
    if (!json_equal(json_array_get(values, 0), json_array_get(values, i))) return false;
  return true;
}

/* ---- which is better ---------------------------------------------------------------------------------- */

static bool has_word(const char *name, const char *word) {
  size_t n = strlen(word);
  for (const char *at = name; (at = strstr(at, word)); at++) {
    bool before = at == name || at[-1] == '_' || at[-1] == '.';
    bool after = !at[n] || at[n] == '_' || at[n] == '.';
    if (before && after) return true;
  }
  return false;
}

/* 1: the greater is better, -1: the less is, 0: cannot be told from the name. */
static int direction_of(const char *name) {
  static const char *const less[] = {"loss", "sse", "mse", "rmse", "mae", "nll", "error", "perplexity", "huber", "bce",
                                     "cross_entropy", NULL};
  static const char *const more[] = {"accuracy", "r2", "f1", "auc", "precision", "recall", "correlation", NULL};
  for (int i = 0; more[i]; i++)
    if (has_word(name, more[i])) return 1;
  for (int i = 0; less[i]; i++)
    if (has_word(name, less[i])) return -1;
  return 0;
}

/* The place of the best value, -1 where there is none: what is no finite number and what a diverged or failed run left
 * is not ranked, and two that are equal are not better than one another. */
static int best_of(const comparison *c, const char *name, const json_t *values) {
  int direction = has_word(name, "loss") && !c->one_loss ? 0 : direction_of(name), best = -1, ranked = 0;
  double most = 0;
  bool tie = false;
  for (int i = 0; direction != 0 && i < c->count; i++) {
    const char *status = json_string_value(json_object_get(c->runs[i].json, "status"));
    double value;
    if (!rnl_json_number(json_array_get(values, (size_t)i), &value) || !isfinite(value)) continue;
    if (status && (strcmp(status, "diverged") == 0 || strcmp(status, "failed") == 0)) continue;
    ranked++;
    if (best >= 0 && value == most) tie = true;
    if (best < 0 || direction * value > direction * most) {
      best = i;
      most = value;
      tie = false;
    }
  }
  return ranked > 1 && !tie ? best : -1;
}

/* ---- for a person ------------------------------------------------------------------------------------- */

static void value_text(rnl_buffer *out, const char *name, const json_t *value, bool rounded) {
  char text[RNL_HUMAN_TEXT], digits[RNL_NUMBER_TEXT];
  double number;
  size_t n = strlen(name);
  if (json_is_null(value)) rnl_buffer_text(out, "-");
  else if (rounded && n > 2 && strcmp(name + n - 2, "_s") == 0) rnl_buffer_text(out, rnl_human_seconds(text, value));
  else if (rounded && rnl_json_number(value, &number)) rnl_buffer_text(out, rnl_human_number(text, value));
  else if (json_is_string(value) && strlen(json_string_value(value)) == 64 && strstr(name, "sha256"))
    rnl_buffer_printf(out, "%.12s", json_string_value(value)); /* the whole hash is in run.json */
  else if (json_is_string(value)) rnl_buffer_text(out, json_string_value(value));
  else if (json_is_real(value)) {
    rnl_number_format(digits, json_real_value(value));
    rnl_buffer_text(out, digits);
  } else rnl_json_write(out, value, 0);
}

/* Rows of what differs (of all with `same`); how many are the same otherwise. */
static int add_rows(rnl_table *table, const comparison *c, const json_t *object, bool metrics, bool same) {
  const char *name;
  json_t *values;
  int equal = 0;
  json_object_foreach((json_t *)object, name, values) {
    if (!metrics && !same && all_equal(values)) {
      equal++;
      continue;
    }
    int best = metrics ? best_of(c, name, values) : -1;
    rnl_table_cell(table, RNL_PLAIN, "  %s", name);
    for (int i = 0; i < c->count; i++) {
      rnl_buffer text = {0};
      value_text(&text, name, json_array_get(values, (size_t)i), metrics);
      bool cut = text.length > WIDEST; /* the whole value is in --json */
      rnl_table_cell(table, i == best ? RNL_GOOD : RNL_PLAIN, "%.*s%s", cut ? WIDEST - 2 : WIDEST,
                     rnl_buffer_string(&text), i == best ? " *" : cut ? ".." : "");
      rnl_buffer_free(&text);
    }
  }
  return equal;
}

static void head_row(rnl_table *table, const comparison *c, rnl_tone tone, const char *head, bool names) {
  rnl_table_cell(table, tone, "%s", head);
  for (int i = 0; i < c->count; i++)
    rnl_table_cell(table, names ? RNL_BOLD : RNL_PLAIN, "%s", names ? c->runs[i].name : "");
}

static void same_row(rnl_table *table, const comparison *c, int equal, const char *what) {
  if (equal == 0) return;
  rnl_table_cell(table, RNL_FAINT, "  %d more %s the same", equal, what);
  for (int i = 0; i < c->count; i++) rnl_table_cell(table, RNL_PLAIN, "%s", "");
}

static void write_text(rnl_buffer *out, const comparison *c, bool same, bool color, int width) {
  rnl_table table;
  char align[RNL_TABLE_COLUMNS + 1];
  memset(align, 'l', (size_t)c->count + 1);
  align[c->count + 1] = '\0';
  rnl_table_begin(&table, c->count + 1, align);
  head_row(&table, c, RNL_PLAIN, "", true);
  rnl_table_cell(&table, RNL_PLAIN, "  status");
  for (int i = 0; i < c->count; i++) {
    const char *status = json_string_value(json_object_get(c->runs[i].json, "status"));
    rnl_table_cell(&table, rnl_status_tone(status ? status : ""), "%s", status ? status : "-");
  }
  rnl_table_cell(&table, RNL_PLAIN, "  started");
  for (int i = 0; i < c->count; i++) {
    char text[RNL_HUMAN_TEXT];
    rnl_table_cell(&table, RNL_PLAIN, "%s", rnl_human_time(text, json_object_get(c->runs[i].json, "started")));
  }
  head_row(&table, c, RNL_BOLD, "parameters", false);
  same_row(&table, c, add_rows(&table, c, c->params, false, same), "are");
  head_row(&table, c, RNL_BOLD, "metrics", false);
  add_rows(&table, c, c->metrics, true, same);
  head_row(&table, c, RNL_BOLD, "script, machine", false);
  json_object_del(c->rest, "status"); /* stands above */
  same_row(&table, c, add_rows(&table, c, c->rest, false, same), "are");
  table.flexible = c->count; /* the last column, where the terminal is narrow */
  rnl_table_write(&table, out, color, width);
  rnl_table_free(&table);
}

/* ---- as JSON --------------------------------------------------------------------------------------------- */

static json_t *split(const comparison *c, const json_t *object, bool equal) {
  json_t *out = json_object();
  const char *name;
  json_t *values;
  json_object_foreach((json_t *)object, name, values)
    if (all_equal(values) == equal)
      json_object_set(out, name, equal ? json_array_get(values, 0) : values);
  (void)c;
  return out;
}

static json_t *as_json(const comparison *c) {
  json_t *names = json_array(), *metrics = json_object();
  const char *name;
  json_t *values;
  for (int i = 0; i < c->count; i++) json_array_append_new(names, json_string(c->runs[i].name));
  json_object_foreach(c->metrics, name, values) {
    int best = best_of(c, name, values);
    json_object_set_new(metrics, name, json_pack("{s:O, s:o}", "values", values, "best",
                                                 best < 0 ? json_null() : json_string(c->runs[best].name)));
  }
  return json_pack("{s:o, s:{s:o, s:o}, s:o, s:{s:o, s:o}}", "runs", names, "params", "differ",
                   split(c, c->params, false), "same", split(c, c->params, true), "metrics", metrics, "other", "differ",
                   split(c, c->rest, false), "same", split(c, c->rest, true));
}

static int print(const rnl_args *args, const comparison *c) {
  if (rnl_args_has(args, &rnl_option_json)) {
    json_t *object = as_json(c);
    int code = rnl_put_json(object);
    json_decref(object);
    return code;
  }
  rnl_buffer text = {0};
  rnl_error err;
  write_text(&text, c, rnl_args_has(args, &all_rows), rnl_color(1), rnl_terminal_width());
  int code = rnl_buffer_check(&text, "the comparison", &err) == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
  if (code == RNL_EXIT_OK) rnl_put(&text);
  rnl_buffer_free(&text);
  return code;
}

static const rnl_option paired = {"paired", RNL_FLAG, NULL,
  "two sweeps (their best, or SWEEP:CONFIG): the difference over shared seeds", 0};

static int call(const rnl_args *args) {
  if (rnl_args_has(args, &paired)) return rnl_face_call("rnnlab.sweep.results", "paired", args, NULL);
  if (rnl_means_sweep(args)) {
    rnl_complain("%s is a sweep; compare A B --paired compares two, or two configurations of one", args->words[0]);
    return RNL_EXIT_USAGE;
  }
  comparison c = {.params = json_object(), .metrics = json_object(), .rest = json_object()};
  rnl_error err;
  rnl_status status = RNL_OK;
  c.runs = rnl_alloc((size_t)args->word_count, sizeof *c.runs);
  if (!c.runs) status = rnl_fail(&err, RNL_ERR_MEMORY, "out of memory");
  for (int i = 0; status == RNL_OK && i < args->word_count; i++) {
    status = rnl_run_find(&c.runs[i], args->results, args->words[i], &err);
    if (status == RNL_OK) c.count++;
  }
  int code = status == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
  if (status == RNL_OK) {
    collect(&c);
    const json_t *losses = json_object_get(c.rest, "training.loss");
    c.one_loss = !losses || all_equal(losses);
    code = print(args, &c);
  }
  for (int i = 0; i < c.count; i++) rnl_run_record_free(&c.runs[i]);
  rnl_free(c.runs);
  json_decref(c.params);
  json_decref(c.metrics);
  json_decref(c.rest);
  return code;
}

const rnl_command rnl_command_compare = {
  .name = "compare",
  .usage = "RUN RUN [RUN ...] [options]",
  .summary = "what differs between runs, their metrics side by side",
  .about =
    "Prints the parameters that differ, all metrics with the better one marked (*) where its name tells\n"
    "which way is better, and what differs of script, versions and machine. What a diverged or failed run\n"
    "left is never marked, nor a loss held against one of another kind.\n"
    "\n"
    "--paired compares the best configurations of two sweeps with --repeats, or those named\n"
    "SWEEP:NUMBER, seed by seed: the mean difference with its 95 % interval, the t-test and\n"
    "Wilcoxon's signed-rank test.",
  .examples = "  rnnlab compare tutorial8-q2-1 last\n  rnnlab compare a-1 a-2 a-3 --same\n"
              "  rnnlab compare a-1 a-2 --json\n"
              "  rnnlab compare a-sweep-1:4 a-sweep-1:7 --paired",
  .options = (const rnl_option *const[]){&all_rows, &paired, NULL},
  .min_words = 2,
  .max_words = 12,
  .call = call,
};
