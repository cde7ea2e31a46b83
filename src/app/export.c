/* app/export.c: rnnlab export, runs, their epochs, or a sweep's trials as one table for other programs. */
#include <string.h>

#include "app/command.h"
#include "app/frame.h"
#include "app/output.h"
#include "app/select.h"
#include "base/number.h"
#include "store/json.h"
#include "store/query.h"

static const rnl_option
  epochs = {"epochs", RNL_FLAG, NULL, "a row an epoch (metrics.csv) instead of a row a run", 0},
  format = {"format", RNL_TEXT, "csv|json|npz", "default: as --output ends, else csv", 0};

static rnl_status out_of_memory(rnl_error *err) { return rnl_fail(err, RNL_ERR_MEMORY, "out of memory"); }

/* ---- rows -------------------------------------------------------------------------------------------- */

static const char *const run_keys[] = {"status", "experiment", "script", "started", "ended", "epochs", "wall_s",
                                       "train_s", "network", "weights", "tags", "error", "dir", NULL};
static const char *const trial_keys[] = {"trial", "config", "seed", "status", "epochs", "wall_s", "started", "error",
                                         "run", NULL};

static bool is_any(const char *name, const char *const *list) {
  for (; *list; list++)
    if (strcmp(name, *list) == 0) return true;
  return false;
}

/* A parameter or metric under its own name, or as params.x, metrics.x where that name is another column's: a matter of
 * all rows, so that a column has one name. */
static bool put_own(json_t *row, const json_t *object, const char *prefix, const json_t *taken) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)object, name, value) {
    rnl_buffer full = {0};
    rnl_buffer_printf(&full, "%s%s", json_object_get(taken, name) ? prefix : "", name);
    bool good = !full.failed && !json_object_set(row, full.data, value);
    rnl_buffer_free(&full);
    if (!good) return false;
  }
  return true;
}

/* Names that may not stand alone: the fixed columns, and what is a parameter here and a metric there. */
static json_t *taken_names(const json_t *list, const char *const *keys) {
  json_t *taken = json_object(), *params = json_object();
  const char *name;
  json_t *unused;
  for (; *keys; keys++) json_object_set_new(taken, *keys, json_true());
  json_object_set_new(taken, "sweep", json_true());
  if (!is_any("trial", keys)) json_object_set_new(taken, "run", json_true());
  for (size_t i = 0; i < json_array_size(list); i++)
    json_object_update(params, json_object_get(json_array_get(list, i), "params"));
  for (size_t i = 0; i < json_array_size(list); i++)
    json_object_foreach(json_object_get(json_array_get(list, i), "metrics"), name, unused)
      if (json_object_get(params, name)) json_object_set_new(taken, name, json_true());
  json_decref(params);
  return taken;
}

static json_t *joined(const json_t *texts) {
  rnl_buffer text = {0};
  for (size_t i = 0; i < json_array_size(texts); i++)
    rnl_buffer_printf(&text, "%s%s", i ? " " : "", json_string_value(json_array_get(texts, i)));
  json_t *value = json_string(rnl_buffer_string(&text));
  rnl_buffer_free(&text);
  return value;
}

static bool put_fixed(json_t *row, const json_t *item, const char *const *keys) {
  for (; *keys; keys++) {
    json_t *value = json_object_get(item, *keys);
    if (!value || json_is_null(value)) continue;
    if (json_object_set_new(row, *keys, json_is_array(value) ? joined(value) : json_incref(value))) return false;
  }
  return true;
}

/* The order of the fixed columns, whichever row has them first: those that some row uses. */
static bool order_columns(rnl_frame *frame, const json_t *list, const char *const *keys) {
  for (; *keys; keys++)
    for (size_t i = 0; i < json_array_size(list); i++) {
      const json_t *value = json_object_get(json_array_get(list, i), *keys);
      if (!value || json_is_null(value)) continue;
      if (!rnl_frame_name(frame, *keys)) return false;
      break;
    }
  return true;
}

/* A row a run. */
static rnl_status run_rows(rnl_frame *frame, const json_t *list, rnl_error *err) {
  json_t *taken = taken_names(list, run_keys);
  bool good = taken && rnl_frame_name(frame, "run") && order_columns(frame, list, run_keys);
  for (size_t i = 0; good && i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    json_t *row = json_object();
    good = row && !json_object_set(row, "run", json_object_get(item, "run")) && put_fixed(row, item, run_keys) &&
           put_own(row, json_object_get(item, "params"), "params.", taken) &&
           put_own(row, json_object_get(item, "metrics"), "metrics.", taken) && rnl_frame_add(frame, row);
    json_decref(row);
  }
  json_decref(taken);
  return good ? RNL_OK : out_of_memory(err);
}

/* A row a trial, its objectives as value (and value2). */
static rnl_status trial_rows(rnl_frame *frame, const char *sweep, const json_t *trials, rnl_error *err) {
  json_t *taken = taken_names(trials, trial_keys);
  bool good = taken && rnl_frame_name(frame, "sweep") && order_columns(frame, trials, trial_keys);
  for (size_t i = 0; good && i < json_array_size(trials); i++) {
    const json_t *item = json_array_get(trials, i), *values = json_object_get(item, "values");
    json_t *row = json_object(), *first = json_array_get(values, 0), *second = json_array_get(values, 1);
    good = row && !json_object_set_new(row, "sweep", json_string(sweep)) && put_fixed(row, item, trial_keys) &&
           (!first || !json_object_set(row, "value", first)) && (!second || !json_object_set(row, "value2", second)) &&
           put_own(row, json_object_get(item, "params"), "params.", taken) &&
           put_own(row, json_object_get(item, "metrics"), "metrics.", taken) && rnl_frame_add(frame, row);
    json_decref(row);
  }
  json_decref(taken);
  return good ? RNL_OK : out_of_memory(err);
}

/* A row an epoch of each run. */
static rnl_status epoch_rows(rnl_frame *frame, const json_t *list, rnl_error *err) {
  bool good = rnl_frame_name(frame, "run") && rnl_frame_name(frame, "epoch");
  for (size_t i = 0; good && i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    rnl_metrics metrics;
    rnl_status status = rnl_metrics_read(&metrics, json_string_value(json_object_get(item, "dir")), err);
    if (status == RNL_ERR_NOT_FOUND) continue;
    if (status != RNL_OK) return status;
    for (int64_t r = 0; good && r < metrics.rows; r++) {
      json_t *row = json_object();
      good = row && !json_object_set(row, "run", json_object_get(item, "run")) &&
             !json_object_set_new(row, "epoch", json_integer(metrics.epochs[r]));
      for (int c = 0; good && c < metrics.columns; c++) {
        double value = metrics.values[r * metrics.columns + c];
        if (!rnl_is_missing(value)) good = !json_object_set_new(row, metrics.names[c], rnl_json_real(value));
      }
      good = good && rnl_frame_add(frame, row);
      json_decref(row);
    }
    rnl_metrics_free(&metrics);
  }
  return good ? RNL_OK : out_of_memory(err);
}

/* ---- what is meant -------------------------------------------------------------------------------------- */

/* The runs the words name. Where the one word is a sweep, *sweep is its name. */
static rnl_status named(json_t **out, char sweep[256], const rnl_args *args, rnl_error *err) {
  json_t *list = json_array();
  rnl_status status = RNL_OK;
  for (int i = 0; status == RNL_OK && i < args->word_count; i++) {
    rnl_run_record record;
    status = rnl_store_find(&record, args->results, args->words[i], RNL_FIND_ANY, err);
    if (status != RNL_OK) break;
    if (!record.is_sweep)
      status = json_array_append_new(list, rnl_run_summary(&record)) ? out_of_memory(err) : RNL_OK;
    else if (args->word_count > 1)
      status = rnl_fail(err, RNL_ERR_ARG, "%s is a sweep; its trials are a table of their own: export it alone",
                        record.name);
    else strncpy(sweep, record.name, 255);
    rnl_run_record_free(&record);
  }
  if (status == RNL_OK) *out = list;
  else json_decref(list);
  return status;
}

static rnl_status fill(rnl_frame *frame, const rnl_args *args, rnl_error *err) {
  json_t *list = NULL, *trials = NULL;
  char sweep[256] = "";
  bool each_epoch = rnl_args_has(args, &epochs);
  rnl_status status = RNL_OK;
  if (rnl_args_has(args, &rnl_option_all)) status = rnl_select(&list, args, false, NULL, err);
  else if (args->word_count == 0) status = rnl_fail(err, RNL_ERR_ARG, "which runs? name them, or give --all");
  else if (args->setting_count)
    status = rnl_fail(err, RNL_ERR_ARG, "'%s': filters go with --all", args->settings[0]);
  else status = named(&list, sweep, args, err);
  if (status == RNL_OK && sweep[0] && each_epoch)
    status = rnl_fail(err, RNL_ERR_ARG, "--epochs is of runs; %s is a sweep", sweep);
  if (status == RNL_OK && sweep[0]) {
    status = rnl_index_trials(&trials, args->results, sweep, rnl_journal_source(), err);
    if (status == RNL_OK) status = trial_rows(frame, sweep, trials, err);
  } else if (status == RNL_OK) {
    status = each_epoch ? epoch_rows(frame, list, err) : run_rows(frame, list, err);
  }
  json_decref(list);
  json_decref(trials);
  return status;
}

static rnl_status choose_format(rnl_frame_format *out, const rnl_args *args, const char *path, rnl_error *err) {
  static const char *const names[] = {"csv", "json", "npz", NULL};
  const rnl_given *given = rnl_args_given(args, &format);
  const char *dot = path ? strrchr(path, '.') : NULL;
  const char *name = given ? given->text : dot ? dot + 1 : rnl_args_has(args, &rnl_option_json) ? "json" : "csv";
  for (int i = 0; names[i]; i++)
    if (strcmp(name, names[i]) == 0) {
      *out = (rnl_frame_format)i;
      if (i == RNL_FRAME_NPZ && !path) return rnl_fail(err, RNL_ERR_ARG, "npz wants a file: --output FILE.npz");
      return RNL_OK;
    }
  if (!given) return rnl_fail(err, RNL_ERR_ARG, "%s: give --format csv, json or npz", path);
  const char *near = rnl_nearest(name, names);
  return rnl_fail(err, RNL_ERR_ARG, "no format '%s'; %s%s%s", name, near ? "did you mean '" : "there is csv, json, npz",
                  near ? near : "", near ? "'?" : "");
}

static int tell(const rnl_args *args, const rnl_frame *frame, const char *path) {
  if (rnl_args_has(args, &rnl_option_json)) {
    json_t *object = json_pack("{s:s, s:I, s:o}", "file", path, "rows", (json_int_t)rnl_frame_rows(frame), "columns",
                               rnl_frame_names(frame));
    int code = rnl_put_json(object);
    json_decref(object);
    return code;
  }
  if (rnl_args_has(args, &rnl_option_quiet)) return RNL_EXIT_OK;
  rnl_buffer text = {0};
  rnl_buffer_printf(&text, "%s: %zu row%s, %zu columns\n", path, rnl_frame_rows(frame),
                    rnl_frame_rows(frame) == 1 ? "" : "s", rnl_frame_columns(frame));
  rnl_put(&text);
  rnl_buffer_free(&text);
  return RNL_EXIT_OK;
}

static int call(const rnl_args *args) {
  const rnl_given *output = rnl_args_given(args, &rnl_option_output);
  const char *path = output && strcmp(output->text, "-") != 0 ? output->text : NULL;
  rnl_frame *frame = rnl_frame_new();
  rnl_frame_format how = RNL_FRAME_CSV;
  rnl_error err;
  rnl_status status = frame ? choose_format(&how, args, path, &err) : out_of_memory(&err);
  if (status == RNL_OK) status = fill(frame, args, &err);
  int code = RNL_EXIT_OK;
  if (status == RNL_OK && path) {
    status = rnl_frame_write_file(frame, how, path, &err);
    if (status == RNL_OK) code = tell(args, frame, path);
  } else if (status == RNL_OK) {
    rnl_buffer text = {0};
    status = rnl_frame_write(frame, how, &text, &err);
    if (status == RNL_OK) rnl_put(&text);
    rnl_buffer_free(&text);
  }
  rnl_frame_free(frame);
  return status == RNL_OK ? code : rnl_exit_for(&err);
}

const rnl_command rnl_command_export = {
  .name = "export",
  .usage = "RUN ... | SWEEP | --all [FILTER ...] [options]",
  .summary = "runs, epochs or a sweep's trials as CSV, JSON or npz",
  .about =
    "Writes one table: a row a run with its parameters and metrics; with --epochs a row an epoch of\n"
    "each run (run, epoch, loss, ...); of a sweep, a row a trial. Columns have the names of the\n"
    "parameters and metrics; a name that is two things is params.x and metrics.x. A missing value is an\n"
    "empty field in CSV, null in JSON, NaN in npz; a NaN is nan in CSV and null in JSON, which has\n"
    "none. In npz each column is an array, text as NumPy's unicode. --all takes the filters, --sort and\n"
    "--limit of `rnnlab ls`.",
  .examples =
    "  rnnlab export --all -o runs.csv                 pandas.read_csv(\"runs.csv\")\n"
    "  rnnlab export --all status=finished 'lr<0.01' --format json\n"
    "  rnnlab export a-1 a-2 --epochs -o curves.npz    numpy.load(\"curves.npz\")[\"loss\"]\n"
    "  rnnlab export tutorial8-q2-sweep-1 -o trials.csv",
  .options = (const rnl_option *const[]){&rnl_option_all, &epochs, &format, &rnl_option_output, RNL_SELECT_OPTIONS,
                                         &rnl_option_quiet, NULL},
  .settings = true,
  .max_words = -1,
  .call = call,
};
