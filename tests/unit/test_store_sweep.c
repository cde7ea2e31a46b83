/* Sweeps in the index, finding them beside runs, tags and notes, removing, and the way from an older schema. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "store/index.h"
#include "store/json.h"
#include "store/notes.h"
#include "store/remove.h"
#include "store/sweep.h"
#include "test_folder.h"

static rnl_error err;

static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static void expect_error(rnl_status status, rnl_status expected, const char *text) {
  assert_int_equal(status, expected);
  if (!strstr(err.text, text)) fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

static const char *text_of(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text ? text : "(none)";
}

static void make_run(const char *experiment) {
  rnl_run *run;
  must(rnl_run_create(&run, test_folder, experiment, NULL, &err));
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, NULL, &err));
  rnl_run_free(run);
}

static void make_sweep(const char *experiment, const char *status, const char *objective) {
  rnl_run_record sweep;
  json_t *head = json_pack("{s:s, s:i, s:s}", "objective", objective, "planned", 4, "script", "s.lua");
  must(rnl_sweep_create(&sweep, test_folder, experiment, head, &err));
  json_t *tail = json_pack("{s:s, s:f}", "status", status, "wall_s", 1.5);
  must(rnl_sweep_write(&sweep, tail, &err));
  json_decref(head);
  json_decref(tail);
  rnl_run_record_free(&sweep);
}

static json_t *list_all(const rnl_sweep_source *source) {
  json_t *list;
  must(rnl_index_list(&list, test_folder, &(rnl_index_query){ .sweeps = true, .source = source }, NULL, &err));
  return list;
}

static void expect_names(json_t *list, const char *names) {
  rnl_buffer text = { 0 };
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *item = json_array_get(list, i);
    rnl_buffer_printf(&text, "%s%s", i ? " " : "", text_of(item, json_object_get(item, "run") ? "run" : "sweep"));
  }
  assert_string_equal(rnl_buffer_string(&text), names);
  rnl_buffer_free(&text);
  json_decref(list);
}

static json_t *params;

static rnl_trial_row row_of(int64_t number, int64_t config, rnl_run_status status, double value) {
  if (!params) params = json_pack("{s:f, s:i}", "lr", 0.01, "hidden", 5);
  return (rnl_trial_row){ .number = number, .config = config, .seed = 7, .status = status,
                          .values = { value, rnl_missing() }, .params = params, .epochs = 10, .wall_s = .25,
                          .started = "2026-11-25T10:00:00.000000Z" };
}

static json_t *trials_of(const char *sweep, const rnl_sweep_source *source) {
  json_t *trials;
  must(rnl_index_trials(&trials, test_folder, sweep, source, &err));
  return trials;
}

static void test_trials(void **state) {
  (void)state;
  make_sweep("a", "finished", "val_loss");
  double curve[2000][2];
  for (int i = 0; i < 2000; i++) curve[i][0] = i + 1, curve[i][1] = 1.0 / (i + 1);
  rnl_trial_row rows[] = {
    row_of(1, 1, RNL_RUN_FINISHED, 0.5), row_of(2, 1, RNL_RUN_FINISHED, 0.3), row_of(3, 2, RNL_RUN_FINISHED, 0.01),
    row_of(4, 2, RNL_RUN_DIVERGED, NAN), row_of(5, 3, RNL_RUN_FINISHED, -INFINITY),
    row_of(6, 4, RNL_RUN_FAILED, rnl_missing()),
  };
  rows[0].points = 2000;
  rows[0].curve = &curve[0][0];
  rows[1].values[1] = 9;
  rows[5].error = "s.lua:3: oh no";
  rows[5].run = "trial-6";
  must(rnl_index_add_sweep(test_folder, "a-sweep-1", 6, rows, &err));
  json_t *list = list_all(NULL), *sweep = json_array_get(list, 0), *best = json_object_get(sweep, "best");
  assert_string_equal(text_of(sweep, "sweep"), "a-sweep-1");
  assert_string_equal(text_of(sweep, "status"), "finished");
  json_t *counts = json_object_get(sweep, "trials");
  assert_int_equal(json_integer_value(json_object_get(counts, "total")), 6);
  assert_int_equal(json_integer_value(json_object_get(counts, "finished")), 4);
  assert_int_equal(json_integer_value(json_object_get(counts, "diverged")), 1);
  /* Configuration 2 has a diverged repeat and 3 an infinity: neither is best. */
  assert_int_equal(json_integer_value(json_object_get(best, "config")), 1);
  assert_true(fabs(json_real_value(json_object_get(best, "value")) - 0.4) < 1e-15);
  json_decref(list);

  json_t *trials = trials_of("a-sweep-1", NULL);
  assert_int_equal(json_array_size(trials), 6);
  rnl_buffer text = { 0 };
  rnl_json_write(&text, json_array_get(trials, 1), 0);
  assert_string_equal(text.data, "{\"trial\": 2, \"config\": 1, \"seed\": 7, \"status\": \"finished\", \"epochs\": 10, "
                                 "\"wall_s\": 0.25, \"started\": \"2026-11-25T10:00:00.000000Z\", "
                                 "\"values\": [0.3, 9.0], \"params\": {\"lr\": 0.01, \"hidden\": 5}, "
                                 "\"metrics\": {}}");
  rnl_buffer_free(&text);
  assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(trials, 3), "values"), 0)),
                      "nan");
  assert_int_equal(json_array_size(json_object_get(json_array_get(trials, 5), "values")), 0);
  assert_string_equal(text_of(json_array_get(trials, 5), "error"), "s.lua:3: oh no");
  json_decref(trials);

  int64_t points;
  double *epochs, *values;
  must(rnl_index_trial_curve(test_folder, "a-sweep-1", 1, &points, &epochs, &values, &err));
  assert_true(points <= RNL_TRIAL_CURVE_POINTS + 1 && points > RNL_TRIAL_CURVE_POINTS / 2);
  assert_true(epochs[0] == 1 && epochs[points - 1] == 2000 && values[points - 1] == 1.0 / 2000);
  rnl_free(epochs);
  rnl_free(values);
  expect_error(rnl_index_trial_curve(test_folder, "a-sweep-1", 99, &points, &epochs, &values, &err),
               RNL_ERR_NOT_FOUND, "trial 99 of a-sweep-1");
  json_t *none;
  expect_error(rnl_index_trials(&none, test_folder, "b-sweep-1", NULL, &err), RNL_ERR_NOT_FOUND, "no sweep b-sweep-1");
  json_decref(params);
  params = NULL;
  assert_int_equal(rnl_alloc_live(), 0);
}

/* A stand-in for the reader of journals: a trial a line of journal-1.jsonl. */
static int loads;

static rnl_status load(void *context, const char *dir, const json_t *head, json_t *read, rnl_trial_sink *sink,
                       rnl_error *problem) {
  (void)head, (void)read;
  loads++;
  if (context) return rnl_fail(problem, RNL_ERR_IO, "%s: journal eaten", dir);
  rnl_buffer text = { 0 };
  char *path = rnl_path_join(dir, "journal-1.jsonl");
  rnl_status status = rnl_file_read(path, 1 << 20, &text, problem);
  rnl_free(path);
  for (size_t i = 0; i < text.length; i++) {
    rnl_trial_row row = row_of((int64_t)i + 1, (int64_t)i + 1, RNL_RUN_FINISHED, text.data[i] - '0');
    if (!rnl_trial_sink_put(sink, &row)) break;
  }
  rnl_buffer_free(&text);
  return status;
}

static size_t count_trials(const rnl_sweep_source *source) {
  json_t *trials = trials_of("a-sweep-1", source);
  size_t count = json_array_size(trials);
  json_decref(trials);
  return count;
}

/* A sweep that goes on has the best of what it had then in its file; its trials know better. */
static void test_best_of_a_sweep_that_goes_on(void **state) {
  (void)state;
  static const struct { const char *status; int config; } cases[] = {{"finished", 7}, {"running", 3}};
  rnl_trial_row rows[] = {row_of(1, 1, RNL_RUN_FINISHED, .01), row_of(3, 2, RNL_RUN_FINISHED, .5),
                          row_of(4, 2, RNL_RUN_FINISHED, .4), row_of(5, 3, RNL_RUN_FINISHED, .3),
                          row_of(6, 3, RNL_RUN_FINISHED, .2)};
  for (size_t i = 0; i < 2; i++) {
    make_sweep("a", cases[i].status, "val_loss");
    rnl_run_record sweep;
    must(rnl_store_find(&sweep, test_folder, i ? "a-sweep-2" : "a-sweep-1", RNL_FIND_SWEEP, &err));
    json_t *head = json_pack("{s:{s:i}, s:{s:i, s:f}}", "plan", "repeats", 2, "best", "config", 7, "value", .9);
    must(rnl_sweep_write(&sweep, head, &err));
    must(rnl_index_add_sweep(test_folder, sweep.name, 5, rows, &err));
    json_t *list = list_all(NULL), *best = json_object_get(json_array_get(list, i), "best");
    /* Configuration 1 has one repeat of two. */
    assert_int_equal(json_integer_value(json_object_get(best, "config")), cases[i].config);
    json_decref(list);
    json_decref(head);
    rnl_run_record_free(&sweep);
  }
}

static void test_journals_are_read_when_they_changed(void **state) {
  (void)state;
  rnl_sweep_source source = { .load = load };
  make_sweep("a", "finished", "max:accuracy");
  put_text(test_path("a-sweep-1/journal-1.jsonl"), "123");
  assert_int_equal(count_trials(NULL), 0); /* a line without trials, until somebody can read them */
  loads = 0;
  assert_int_equal(count_trials(&source), 3);
  assert_int_equal(count_trials(&source), 3);
  json_t *list = list_all(&source);
  assert_int_equal(loads, 1);
  double best;
  assert_true(rnl_json_number(json_object_get(json_object_get(json_array_get(list, 0), "best"), "value"), &best));
  assert_true(best == 3);
  json_decref(list);
  put_text(test_path("a-sweep-1/journal-1.jsonl"), "12345");
  assert_int_equal(count_trials(NULL), 3); /* older ones are better than none */
  assert_int_equal(count_trials(&source), 5);
  put_text(test_path("a-sweep-1/journal-2.jsonl"), "x");
  loads = 0;
  assert_int_equal(count_trials(&source), 5);
  assert_int_equal(loads, 1);
  int64_t runs, sweeps;
  make_run("b");
  must(rnl_index_rebuild(test_folder, &source, &runs, &sweeps, NULL, &err));
  assert_int_equal(runs, 1);
  assert_int_equal(sweeps, 1);
  assert_int_equal(count_trials(NULL), 5);

  /* An error is told; the sweep stays in the list. */
  rnl_buffer warnings = { 0 };
  rnl_sweep_source broken = { .load = load, .context = &broken };
  must(rnl_index_rebuild(test_folder, &broken, NULL, &sweeps, &warnings, &err));
  assert_int_equal(sweeps, 1);
  assert_non_null(strstr(rnl_buffer_string(&warnings), "journal eaten; its trials are left out"));
  rnl_buffer_free(&warnings);

  put_text(test_path("a-sweep-1/sweep.json"), "{\"status\": ");
  must(rnl_index_list(&list, test_folder, &(rnl_index_query){ .sweeps = true }, &warnings, &err));
  assert_non_null(strstr(rnl_buffer_string(&warnings), "sweep.json:1: not JSON"));
  rnl_buffer_free(&warnings);
  expect_names(list, "b-1");
  json_decref(params);
  params = NULL;
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_a_thousand_trials(void **state) {
  (void)state;
  enum { MANY = 1000 };
  make_sweep("a", "finished", "val_loss");
  double curve[100][2] = { { 0 } };
  rnl_trial_row *rows = rnl_alloc(MANY, sizeof *rows);
  for (int i = 0; i < MANY; i++) {
    rows[i] = row_of(i + 1, i + 1, RNL_RUN_FINISHED, 1.0 / (i + 1));
    rows[i].points = 100;
    rows[i].curve = &curve[0][0];
  }
  must(rnl_index_add_sweep(test_folder, "a-sweep-1", MANY, rows, &err));
  rnl_free(rows);
  assert_int_equal(count_trials(NULL), MANY);
  json_decref(params);
  params = NULL;
}

static void expect_found(const char *query, int kinds, const char *name, bool is_sweep) {
  rnl_run_record record;
  must(rnl_store_find(&record, test_folder, query, kinds, &err));
  assert_string_equal(record.name, name);
  assert_true(record.is_sweep == is_sweep);
  rnl_run_record_free(&record);
}

static void test_find(void **state) {
  (void)state;
  rnl_run_record record;
  expect_error(rnl_store_find(&record, test_folder, "last", RNL_FIND_ANY, &err), RNL_ERR_NOT_FOUND,
               "there is no run or sweep in");
  make_run("a");
  make_sweep("a", "finished", "val_loss");
  make_sweep("b", "finished", "val_loss");
  make_run("c");
  expect_found("last", RNL_FIND_ANY, "c-1", false);
  expect_found("last", RNL_FIND_SWEEP, "b-sweep-1", true);
  expect_found("last", RNL_FIND_RUN, "c-1", false);
  expect_found("a-s", RNL_FIND_ANY, "a-sweep-1", true);
  expect_found("a", RNL_FIND_RUN, "a-1", false); /* only one that is a run */
  expect_found("a", RNL_FIND_SWEEP, "a-sweep-1", true);
  expect_found(test_path("b-sweep-1/"), RNL_FIND_ANY, "b-sweep-1", true);
  expect_error(rnl_store_find(&record, test_folder, "a", RNL_FIND_ANY, &err), RNL_ERR_NOT_FOUND,
               "may mean 2 runs and sweeps: a-1, a-sweep-1");
  expect_error(rnl_store_find(&record, test_folder, "a-sweep-1", RNL_FIND_RUN, &err), RNL_ERR_NOT_FOUND,
               "a-sweep-1 is a sweep; a run is wanted here");
  expect_error(rnl_store_find(&record, test_folder, "a-1", RNL_FIND_SWEEP, &err), RNL_ERR_NOT_FOUND,
               "a-1 is a run; a sweep is wanted here");
  expect_error(rnl_store_find(&record, test_folder, "nix", RNL_FIND_SWEEP, &err), RNL_ERR_NOT_FOUND,
               "no sweep \"nix\"");
  /* A kept trial is found inside its sweep, and makes no index there. */
  rnl_run *run;
  must(rnl_run_create(&run, test_path("b-sweep-1"), "trial", NULL, &err));
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, NULL, &err));
  rnl_run_free(run);
  expect_found("b-sweep-1/trial-1", RNL_FIND_RUN, "trial-1", false);
  json_t *inside;
  must(rnl_index_list(&inside, test_path("b-sweep-1"), NULL, NULL, &err));
  expect_names(inside, "trial-1");
  assert_false(rnl_path_exists(test_path("b-sweep-1/rnnlab.db")));
  expect_names(list_all(NULL), "a-1 a-sweep-1 b-sweep-1 c-1");
  assert_int_equal(rnl_alloc_live(), 0);
}

static void change(const char *name, const char *tag, const char *untag, const char *note, bool forget) {
  rnl_run_record record;
  rnl_buffer warnings = { 0 };
  json_t *add = tag ? json_pack("[s]", tag) : NULL, *drop = untag ? json_pack("[s]", untag) : NULL;
  must(rnl_store_find(&record, test_folder, name, RNL_FIND_ANY, &err));
  must(rnl_notes_write(&record, &(rnl_notes_change){ add, drop, note, forget }, &warnings, &err));
  assert_string_equal(rnl_buffer_string(&warnings), "");
  rnl_run_record_free(&record);
  json_decref(add);
  json_decref(drop);
}

static void expect_tags(size_t at, const char *expected) {
  json_t *list = list_all(NULL);
  rnl_buffer text = { 0 };
  const json_t *item = json_array_get(list, at), *tags = json_object_get(item, "tags");
  for (size_t i = 0; i < json_array_size(tags); i++)
    rnl_buffer_printf(&text, "%s ", json_string_value(json_array_get(tags, i)));
  const json_t *notes = json_object_get(item, "notes");
  for (size_t i = 0; i < json_array_size(notes); i++)
    rnl_buffer_printf(&text, "[%s]", text_of(json_array_get(notes, i), "text"));
  assert_string_equal(rnl_buffer_string(&text), expected);
  rnl_buffer_free(&text);
  json_decref(list);
}

static void test_notes(void **state) {
  (void)state;
  make_run("a");
  make_sweep("a", "finished", "val_loss");
  change("a-1", "good", NULL, NULL, false);
  change("a-1", "paper", NULL, "first\nthought", false);
  change("a-1", "good", NULL, "second", false);
  expect_tags(0, "good paper [first\nthought][second]");
  change("a-1", NULL, "good", NULL, false);
  change("a-1", NULL, "never", NULL, false);
  expect_tags(0, "paper [first\nthought][second]");
  change("a-1", NULL, NULL, "third", true);
  expect_tags(0, "paper [third]");
  change("a-sweep-1", "big", NULL, NULL, false);
  expect_tags(1, "big ");
  /* A torn line loses itself alone. */
  FILE *file = fopen(test_path("a-1/notes.jsonl"), "ab");
  fputs("{\"tag\": [\"to", file);
  fclose(file);
  change("a-1", "after", NULL, NULL, false);
  expect_tags(0, "paper after [third]");
  /* A run that is going on rewrites its run.json and loses nothing. */
  rnl_run *run;
  must(rnl_run_create(&run, test_folder, "b", NULL, &err));
  change("b-1", "live", NULL, NULL, false);
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, NULL, &err));
  rnl_run_free(run);
  expect_tags(2, "live ");
  must(rnl_index_rebuild(test_folder, NULL, NULL, NULL, NULL, &err));
  expect_tags(0, "paper after [third]");

  rnl_run_record record;
  must(rnl_store_find(&record, test_folder, "a-1", RNL_FIND_ANY, &err));
  static const char *const bad[] = { "", "a b", "a,b", "-x", "a=b", "x\n", "lr<1" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    json_t *tags = json_pack("[s]", bad[i]);
    expect_error(rnl_notes_write(&record, &(rnl_notes_change){ .tag = tags }, NULL, &err), RNL_ERR_ARG,
                 "cannot be a tag");
    json_decref(tags);
  }
  expect_error(rnl_notes_write(&record, &(rnl_notes_change){ .note = "" }, NULL, &err), RNL_ERR_ARG, "empty");
  expect_error(rnl_notes_write(&record, &(rnl_notes_change){ .note = "\xff" }, NULL, &err), RNL_ERR_ARG, "UTF-8");
  rnl_run_record_free(&record);
  assert_int_equal(rnl_alloc_live(), 0);
}

static rnl_status try_remove(const char *results, const char *query) {
  rnl_run_record record;
  rnl_buffer warnings = { 0 };
  must(rnl_store_find(&record, results, query, RNL_FIND_ANY, &err));
  rnl_status status = rnl_store_remove(&record, results, &warnings, &err);
  assert_string_equal(rnl_buffer_string(&warnings), "");
  rnl_run_record_free(&record);
  return status;
}

static void test_remove(void **state) {
  (void)state;
  make_run("a");
  make_run("a");
  make_sweep("a", "finished", "val_loss");
  mkdir(test_path("outside"), 0777);
  put_text(test_path("outside/treasure"), "x");
  assert_int_equal(symlink("../outside", test_path("a-1/link")), 0);
  assert_int_equal(symlink("outside/treasure", test_path("a-2/file")), 0);
  mkdir(test_path("a-1/figures"), 0777);
  put_text(test_path("a-1/figures/x.svg"), "x");
  mkdir(test_path(".removed-old"), 0777); /* a removal that was cut off */
  put_text(test_path(".removed-old/run.json"), "x");
  must(try_remove(test_folder, "a-1"));
  assert_true(rnl_path_exists(test_path("outside/treasure")));
  assert_false(rnl_path_exists(test_path("a-1")));
  assert_false(rnl_path_exists(test_path(".removed-old")));
  int64_t points;
  double *x;
  expect_error(rnl_index_curve(test_folder, "a-1", &points, &x, &x, &err), RNL_ERR_NOT_FOUND, "no run a-1");
  must(try_remove(test_folder, "a-sweep-1"));
  expect_names(list_all(NULL), "a-2");

  rnl_run *run;
  must(rnl_run_create(&run, test_folder, "live", NULL, &err));
  expect_error(try_remove(test_folder, "live-1"), RNL_ERR_ARG, "live-1 is running; stop it first");
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, NULL, &err));
  rnl_run_free(run);
  mkdir(test_path("other"), 0777);
  expect_error(try_remove(test_path("other"), test_path("a-2")), RNL_ERR_ARG, "is not directly inside");
  assert_int_equal(rename(test_path("a-2"), test_path("outside/a-2")), 0);
  assert_int_equal(symlink("outside/a-2", test_path("a-2")), 0);
  expect_error(try_remove(test_folder, "a-2"), RNL_ERR_ARG, "is a link to a folder elsewhere");
  assert_true(rnl_path_exists(test_path("outside/a-2/run.json")));
  assert_int_equal(rnl_alloc_live(), 0);
}

/* A process that was killed: how far it got. */
static void test_how_far_it_got(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    rnl_run *run;
    if (rnl_run_create(&run, test_folder, "a", NULL, NULL) != RNL_OK) _exit(1);
    if (rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, NULL) != RNL_OK) _exit(2);
    for (int64_t i = 1; i <= 5; i++) rnl_run_metrics_append(run, 1, &i, &(double){ 1.0 / (double)i }, NULL);
    kill(getpid(), SIGKILL);
  }
  int status;
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status));
  json_t *list = list_all(NULL), *run = json_array_get(list, 0);
  assert_string_equal(text_of(run, "status"), "interrupted");
  assert_int_equal(json_integer_value(json_object_get(run, "epochs")), 5);
  assert_true(json_real_value(json_object_get(json_object_get(run, "metrics"), "loss")) == 0.2);
  json_decref(list);
  /* What is written into it later does not make its file say so. */
  json_t *changes = json_pack("{s:[s]}", "figures", "figures/a.svg");
  must(rnl_run_update(test_path("a-1/"), changes, NULL, &err));
  json_decref(changes);
  must(rnl_json_read_file(&list, test_path("a-1/run.json"), &err));
  assert_string_equal(text_of(list, "status"), "running");
  assert_null(json_object_get(list, "epochs"));
  json_decref(list);
}

/* Schema 1 as it was released: tables without the new columns. */
static void test_older_schema(void **state) {
  (void)state;
  make_run("a");
  make_run("b");
  change("b-1", "kept", NULL, NULL, false);
  static const char old[] =
      "DROP TABLE sweeps; DROP TABLE trials; ALTER TABLE runs DROP COLUMN network;"
      "ALTER TABLE runs DROP COLUMN weights;"
      "ALTER TABLE runs DROP COLUMN tags; ALTER TABLE runs DROP COLUMN notes; ALTER TABLE runs DROP COLUMN stamp;"
      "PRAGMA user_version = 1";
  sqlite3 *db;
  assert_int_equal(sqlite3_open(test_path("rnnlab.db"), &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  make_sweep("a", "finished", "val_loss");
  expect_names(list_all(NULL), "a-1 b-1 a-sweep-1");
  expect_tags(1, "kept ");
  assert_false(rnl_path_exists(test_path("rnnlab.db.aside"))); /* it was led on, not thrown away */
}

/* Files that change behind the index's back are read again. */
static void test_changed_files(void **state) {
  (void)state;
  make_run("a");
  make_run("b");
  expect_names(list_all(NULL), "a-1 b-1");
  put_text(test_path("a-1/run.json"), "{\"status\": \"diverged\", \"started\": \"2026-01-01T00:00:00.000000Z\"}");
  json_t *list = list_all(NULL);
  assert_string_equal(text_of(json_array_get(list, 0), "status"), "diverged");
  json_decref(list);
  put_text(test_path("a-1/run.json"), "torn");
  expect_names(list_all(NULL), "b-1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    IN_FOLDER(test_trials), IN_FOLDER(test_best_of_a_sweep_that_goes_on),
    IN_FOLDER(test_journals_are_read_when_they_changed), IN_FOLDER(test_a_thousand_trials),
    IN_FOLDER(test_find), IN_FOLDER(test_notes), IN_FOLDER(test_remove), IN_FOLDER(test_how_far_it_got),
    IN_FOLDER(test_older_schema), IN_FOLDER(test_changed_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
