/* Run folders: names, the race for them, run.json from first to last, copies, finding, dead processes. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "store/index.h"
#include "store/json.h"
#include "store/run.h"
#include "test_folder.h"

static rnl_error err;

/* Status OK, or the test fails with the error's text. */
static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static void expect_error(rnl_status status, rnl_status expected, const char *message) {
  assert_int_equal(status, expected);
  if (!strstr(err.text, message)) fail_msg("\"%s\" does not say \"%s\"", err.text, message);
}

static const char *text_of(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text ? text : "(none)";
}

static void expect_status(const char *dir, const char *status) {
  rnl_run_record record;
  must(rnl_run_read(&record, dir, &err));
  assert_string_equal(text_of(record.json, "status"), status);
  rnl_run_record_free(&record);
}

static void test_experiment_names(void **state) {
  (void)state;
  static const char *const cases[][2] = {
    { "scripts/tutorial8_q2.lua", "tutorial8-q2" }, { "a b  c", "a-b-c" }, { "x.lua", "x" },
    { "/tmp/.hidden.lua", "hidden" }, { "", "run" }, { "../..", "run" }, { "v1.5", "v1.5" },
    { "Lern'rate `rm` $x\n", "Lern-rate-rm-x" }, { "\xc3\xa9t\xc3\xa9", "t" }, { "-a-", "a" },
  };
  char out[96];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_run_experiment_name(out, cases[i][0]);
    assert_string_equal(out, cases[i][1]);
  }
  char big[300];
  memset(big, 'x', 299);
  big[299] = '\0';
  rnl_run_experiment_name(out, big);
  assert_int_equal(strlen(out), 80);
}

static void test_statuses(void **state) {
  (void)state;
  for (int i = 0; i < RNL_RUN_STATUSES; i++) {
    rnl_run_status back;
    assert_true(rnl_run_status_parse(rnl_run_status_name((rnl_run_status)i), &back));
    assert_int_equal(back, i);
  }
  rnl_run_status back;
  assert_false(rnl_run_status_parse("done", &back));
  assert_false(rnl_run_status_parse(NULL, &back));
}

static void test_whole_life(void **state) {
  (void)state;
  char *results = test_path("deep/results");
  json_t *head = json_pack("{s:s, s:{s:f, s:i, s:s, s:b}, s:i, s:s}", "script", "scripts/a.lua", "params",
                           "lr", 0.1, "hidden", 5, "cell", "elman", "flag", 1, "seed", 3, "run", "not this");
  rnl_run *run;
  must(rnl_run_create(&run, results, "exp", head, &err));
  json_decref(head);
  assert_string_equal(rnl_run_name(run), "exp-1");
  assert_string_equal(rnl_run_dir(run), test_path("deep/results/exp-1"));

  rnl_run_record record;
  must(rnl_run_read(&record, rnl_run_dir(run), &err));
  assert_string_equal(text_of(record.json, "status"), "running");
  assert_string_equal(text_of(record.json, "run"), "exp-1");
  assert_string_equal(text_of(record.json, "script"), "scripts/a.lua");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(record.json, "process"), "pid")),
                   getpid());
  rnl_run_record_free(&record);

  put_text(test_path("a.lua"), "return 1 -- \"quoted\"\n");
  must(rnl_run_copy_file(run, test_path("a.lua"), "script.lua", &err));
  must(rnl_run_put_bytes(run, "modules/lib/tasks.lua", "x\0y", 3, &err));
  must(rnl_run_metrics_begin(run, 2, (const char *[]){ "loss", "val_loss" }, &err));
  must(rnl_run_metrics_append(run, 2, (int64_t[]){ 1, 2 }, (double[]){ 0.5, NAN, 0.25, 7 }, &err));
  must(rnl_run_metrics_append(run, 0, NULL, NULL, &err));
  must(rnl_run_metrics_append(run, 1, (int64_t[]){ 3 }, (double[]){ 0.1, rnl_missing() }, &err));
  json_t *git = json_pack("{s:{s:s}}", "git", "commit", "abc");
  must(rnl_run_note(run, git, &err));
  json_decref(git);

  json_t *tail = json_pack("{s:{s:o, s:o}, s:i, s:f, s:[s]}", "metrics", "loss", rnl_json_real(0.1),
                           "val_loss", rnl_json_real(NAN), "epochs", 3, "train_s", 0.001, "figures",
                           "figures/loss.svg");
  rnl_buffer warnings = { 0 };
  must(rnl_run_close(run, RNL_RUN_FINISHED, tail, &warnings, &err));
  assert_string_equal(rnl_buffer_string(&warnings), "");
  expect_error(rnl_run_close(run, RNL_RUN_FAILED, NULL, NULL, &err), RNL_ERR_ARG, "exp-1 is closed");
  expect_error(rnl_run_metrics_append(run, 0, NULL, NULL, &err), RNL_ERR_ARG, "closed");
  json_decref(tail);

  rnl_buffer text = { 0 };
  must(rnl_file_read(test_path("deep/results/exp-1/metrics.csv"), 1000, &text, &err));
  assert_string_equal(text.data, "epoch,loss,val_loss\n1,0.5,nan\n2,0.25,7\n3,0.1,\n");
  rnl_buffer_clear(&text);
  must(rnl_file_read(test_path("deep/results/exp-1/modules/lib/tasks.lua"), 1000, &text, &err));
  assert_int_equal(text.length, 3);
  rnl_buffer_clear(&text);
  must(rnl_file_read(test_path("deep/results/exp-1/run.json"), 10000, &text, &err));
  assert_non_null(strstr(text.data, "\"lr\": 0.1,")); /* as a person writes it */
  rnl_buffer_free(&text);

  must(rnl_run_read(&record, rnl_run_dir(run), &err));
  json_t *summary = rnl_run_summary(&record);
  assert_string_equal(text_of(summary, "run"), "exp-1");
  assert_string_equal(text_of(summary, "status"), "finished");
  assert_string_equal(text_of(summary, "dir"), rnl_run_dir(run));
  char expected[1100];
  snprintf(expected, sizeof expected, "%s/figures/loss.svg", rnl_run_dir(run));
  assert_string_equal(json_string_value(json_array_get(json_object_get(summary, "figures"), 0)), expected);
  double value;
  assert_true(rnl_json_number(json_object_get(json_object_get(summary, "metrics"), "val_loss"), &value));
  assert_true(isnan(value));
  assert_true(json_number_value(json_object_get(summary, "wall_s")) > 0);
  assert_int_equal(json_integer_value(json_object_get(summary, "epochs")), 3);
  json_decref(summary);
  rnl_run_record_free(&record);

  json_t *more = json_pack("{s:[s, s]}", "figures", "figures/loss.svg", "figures/y1.png");
  must(rnl_run_update(rnl_run_dir(run), more, &warnings, &err));
  json_decref(more);
  json_t *list;
  must(rnl_index_list(&list, results, NULL, &warnings, &err));
  assert_int_equal(json_array_size(json_object_get(json_array_get(list, 0), "figures")), 2);
  json_decref(list);
  assert_string_equal(rnl_buffer_string(&warnings), "");
  rnl_buffer_free(&warnings);
  rnl_run_free(run);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void make_run(const char *results, const char *experiment, rnl_run_status status) {
  rnl_run *run;
  must(rnl_run_create(&run, results, experiment, NULL, &err));
  must(rnl_run_close(run, status, NULL, NULL, &err));
  rnl_run_free(run);
}

static void test_numbers(void **state) {
  (void)state;
  static const char *const others[] = { "a-9", "a-b-50", "a-07x", "ab-70", "a-", "a--80" };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) mkdir(test_path("%s", others[i]), 0777);
  make_run(test_folder, "a", RNL_RUN_FINISHED);
  assert_true(rnl_path_exists(test_path("a-10/run.json")));
  make_run(test_folder, "a-b", RNL_RUN_FINISHED);
  assert_true(rnl_path_exists(test_path("a-b-51/run.json")));
}

static void test_bad_arguments(void **state) {
  (void)state;
  rnl_run *run;
  static const char *const names[] = { "../x", "a/b", "", ".a", "a b", "a\n" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    expect_error(rnl_run_create(&run, test_folder, names[i], NULL, &err), RNL_ERR_ARG,
                 "cannot name a folder");
  expect_error(rnl_run_create(&run, "", "a", NULL, &err), RNL_ERR_ARG, "results folder");
  put_text(test_path("file"), "");
  expect_error(rnl_run_create(&run, test_path("file"), "a", NULL, &err), RNL_ERR_IO, "file: cannot make");
  expect_error(rnl_run_create(&run, "/proc/none/results", "a", NULL, &err), RNL_ERR_IO, "/proc/none");

  must(rnl_run_create(&run, test_folder, "a", NULL, &err));
  static const char *const inside[] = { "/etc/x", "../x", "a/../../x", "", "a//b", ".", "run.json",
                                        "metrics.csv", "a/" };
  for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
    expect_error(rnl_run_put_bytes(run, inside[i], "x", 1, &err), RNL_ERR_ARG, "inside the run's folder");
  expect_error(rnl_run_copy_file(run, test_path("none"), "x", &err), RNL_ERR_NOT_FOUND, "none: cannot open");
  expect_error(rnl_run_metrics_append(run, 0, NULL, NULL, &err), RNL_ERR_ARG, "not begun");
  expect_error(rnl_run_metrics_begin(run, 1, (const char *[]){ "a,b" }, &err), RNL_ERR_ARG, "a,b");
  expect_error(rnl_run_metrics_begin(run, 1, (const char *[]){ "epoch" }, &err), RNL_ERR_ARG, "twice");
  expect_error(rnl_run_metrics_begin(run, 2, (const char *[]){ "a", "a" }, &err), RNL_ERR_ARG, "twice");
  must(rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, &err));
  expect_error(rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, &err), RNL_ERR_ARG, "already");
  rnl_run_free(run);
  rnl_run_free(NULL);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_find(void **state) {
  (void)state;
  rnl_run_record record;
  expect_error(rnl_run_find(&record, test_path("none"), "last", &err), RNL_ERR_NOT_FOUND, "no run in");
  expect_error(rnl_run_find(&record, test_folder, "x", &err), RNL_ERR_NOT_FOUND, "there is no run in");
  for (int i = 0; i < 11; i++) make_run(test_folder, "tut", RNL_RUN_FINISHED);
  make_run(test_folder, "other", RNL_RUN_DIVERGED);
  mkdir(test_path("tut-99"), 0777); /* no run.json: not a run */

  must(rnl_run_find(&record, test_folder, "tut-1", &err)); /* exact, though tut-10 and tut-11 exist */
  assert_string_equal(record.name, "tut-1");
  rnl_run_record_free(&record);
  must(rnl_run_find(&record, test_folder, "tut-11", &err));
  rnl_run_record_free(&record);
  must(rnl_run_find(&record, test_folder, "o", &err));
  assert_string_equal(record.name, "other-1");
  rnl_run_record_free(&record);
  must(rnl_run_find(&record, test_folder, "last", &err));
  assert_string_equal(record.name, "other-1");
  rnl_run_record_free(&record);
  must(rnl_run_find(&record, "elsewhere", test_path("tut-3//"), &err));
  assert_string_equal(record.name, "tut-3");
  assert_string_equal(record.dir, test_path("tut-3"));
  rnl_run_record_free(&record);

  expect_error(rnl_run_find(&record, test_folder, "tut", &err), RNL_ERR_NOT_FOUND,
               "\"tut\" may mean 11 runs: ..., tut-6, tut-7, tut-8, tut-9, tut-10, tut-11 (11 in all)");
  expect_error(rnl_run_find(&record, test_folder, "nix", &err), RNL_ERR_NOT_FOUND, "no run \"nix\" in");
  assert_non_null(strstr(err.text, "tut-11 (12 in all)"));
  expect_error(rnl_run_find(&record, test_folder, "no/such", &err), RNL_ERR_NOT_FOUND,
               "no/such: there is no run");
  expect_error(rnl_run_find(&record, test_folder, "..", &err), RNL_ERR_NOT_FOUND, "no run");
  expect_error(rnl_run_find(&record, test_folder, "", &err), RNL_ERR_ARG, "empty");
  assert_null(record.json);

  put_text(test_path("other-1/run.json"), "{\"run\": \"other-1\", ");
  expect_error(rnl_run_find(&record, test_folder, "other-1", &err), RNL_ERR_FORMAT, "run.json:1: not JSON");
  put_text(test_path("other-1/run.json"), "{\"status\": \"fine\"}");
  expect_error(rnl_run_find(&record, test_folder, "other-1", &err), RNL_ERR_FORMAT, "\"status\" is missing");
  put_text(test_path("other-1/run.json"), "[1]");
  expect_error(rnl_run_find(&record, test_folder, "other-1", &err), RNL_ERR_FORMAT, "no JSON object");
  assert_int_equal(rnl_alloc_live(), 0);
}

/* A killed process leaves a run that says running and is shown as interrupted; a live one is not. */
static void test_dead_process(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    rnl_run *run;
    char done = rnl_run_create(&run, test_folder, "a", NULL, NULL) == RNL_OK;
    if (write(ends[1], &done, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char done;
  assert_int_equal(read(ends[0], &done, 1), 1);
  assert_int_equal(done, 1);
  expect_status(test_path("a-1"), "running");
  json_t *list;
  must(rnl_index_list(&list, test_folder, NULL, NULL, &err));
  assert_string_equal(text_of(json_array_get(list, 0), "status"), "running");
  json_decref(list);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  expect_status(test_path("a-1"), "interrupted");
  must(rnl_index_list(&list, test_folder, NULL, NULL, &err));
  assert_string_equal(text_of(json_array_get(list, 0), "status"), "interrupted");
  json_decref(list);
  close(ends[0]);
  close(ends[1]);
}

/* 32 processes at the same instant: 32 runs, no error, all in the index. Several rounds, each in a new folder, for
 * the making of the index is where they could disturb each other. */
enum { CROWD = 32, ROUNDS = 4 };

static int one_of_the_crowd(int gate, int round, int number) {
  char byte;
  rnl_error problem;
  rnl_buffer warnings = { 0 };
  rnl_run *run;
  if (read(gate, &byte, 1) != 0) return 1; /* the gate's other end is closed: go */
  if (rnl_run_create(&run, test_path("r%d", round), "crowd", NULL, &problem) != RNL_OK) return 2;
  if (rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, &problem) != RNL_OK) return 3;
  double loss = number;
  if (rnl_run_metrics_append(run, 1, &(int64_t){ 1 }, &loss, &problem) != RNL_OK) return 4;
  if (rnl_run_close(run, RNL_RUN_FINISHED, NULL, &warnings, &problem) != RNL_OK) return 5;
  int result = warnings.length > 0 ? 6 : 0;
  if (result) fprintf(stderr, "%s", warnings.data);
  rnl_run_free(run);
  rnl_buffer_free(&warnings);
  return result;
}

static void crowd(int round) {
  int gate[2];
  pid_t children[CROWD];
  assert_int_equal(pipe(gate), 0);
  for (int i = 0; i < CROWD; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      close(gate[1]);
      _exit(one_of_the_crowd(gate[0], round, i));
    }
  }
  close(gate[0]);
  close(gate[1]);
  for (int i = 0; i < CROWD; i++) {
    int status;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_int_equal(status, 0);
  }
  for (int i = 1; i <= CROWD; i++) expect_status(test_path("r%d/crowd-%d", round, i), "finished");
  /* Every one is in the index by its own doing: the curves say so without a listing that mends. */
  for (int i = 1; i <= CROWD; i++) {
    char name[32];
    int64_t points;
    double *epochs, *values;
    snprintf(name, sizeof name, "crowd-%d", i);
    must(rnl_index_curve(test_path("r%d", round), name, &points, &epochs, &values, &err));
    assert_int_equal(points, 1);
    rnl_free(epochs);
    rnl_free(values);
  }
}

static void test_crowd(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) crowd(round);
}

/* A disk that fills while metrics are written, by a file-size limit in a child. */
static int run_into_limit(void) {
  struct rlimit limit = { 20000, 20000 };
  signal(SIGXFSZ, SIG_IGN);
  rnl_run *run;
  rnl_error problem;
  if (rnl_run_create(&run, test_folder, "full", NULL, &problem) != RNL_OK) return 1;
  if (rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, &problem) != RNL_OK) return 2;
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 3;
  rnl_status status = RNL_OK;
  for (int64_t epoch = 1; epoch < 10000 && status == RNL_OK; epoch++)
    status = rnl_run_metrics_append(run, 1, &epoch, &(double){ 1.0 / (double)epoch }, &problem);
  if (status != RNL_ERR_IO || !strstr(problem.text, "metrics.csv: cannot write: File too large")) return 4;
  /* The run can still be closed as failed, and says why. */
  json_t *tail = json_pack("{s:s}", "error", problem.text);
  if (rnl_run_close(run, RNL_RUN_FAILED, tail, NULL, &problem) != RNL_OK) return 5;
  json_decref(tail);
  rnl_run_free(run);
  return 0;
}

static void test_disk_full(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) _exit(run_into_limit());
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  rnl_metrics m;
  must(rnl_metrics_read(&m, test_path("full-1"), &err));
  assert_true(m.rows > 500);
  for (int64_t i = 0; i < m.rows; i++) assert_true(m.values[i] == 1.0 / (double)(i + 1));
  rnl_metrics_free(&m);
  expect_status(test_path("full-1"), "failed");
}

static void test_json_text(void **state) {
  (void)state;
  json_t *value = json_pack("{s:s, s:f, s:f, s:i, s:n, s:b, s:[f, i], s:[], s:{}, s:[s]}", "text",
                            "a\"b\\c\n\t\x01", "real", 0.1, "whole", 3.0, "int", 3, "none", "yes", 1, "list",
                            0.5, 2, "empty", "object", "names", "x");
  rnl_buffer b = { 0 };
  rnl_json_write(&b, value, 0);
  assert_string_equal(b.data, "{\"text\": \"a\\\"b\\\\c\\n\\t\\u0001\", "
                              "\"real\": 0.1, \"whole\": 3.0, \"int\": 3, "
                              "\"none\": null, \"yes\": true, \"list\": [0.5, 2], \"empty\": [], "
                              "\"object\": {}, \"names\": [\"x\"]}");
  for (int indent = 0; indent <= 2; indent += 2) {
    rnl_buffer_clear(&b);
    rnl_json_write(&b, value, indent);
    json_t *back = json_loads(b.data, 0, NULL);
    assert_true(json_equal(back, value));
    json_decref(back);
  }
  rnl_buffer_free(&b);
  json_decref(value);
  double x;
  json_t *inf = rnl_json_real(-INFINITY);
  assert_true(rnl_json_number(inf, &x) && x == -INFINITY);
  json_decref(inf);
  json_t *word = json_string("other");
  assert_false(rnl_json_number(word, &x));
  json_decref(word);
  assert_false(rnl_json_number(NULL, &x));
}

static void test_out_of_memory(void **state) {
  (void)state;
  rnl_status status = RNL_ERR_MEMORY;
  int tries = 0;
  for (; tries < 200 && status != RNL_OK; tries++) {
    rnl_run *run;
    rnl_alloc_fail_after(tries + 1);
    status = rnl_run_create(&run, test_folder, "m", NULL, &err);
    if (status == RNL_OK) status = rnl_run_metrics_begin(run, 1, (const char *[]){ "loss" }, &err);
    if (status == RNL_OK) status = rnl_run_close(run, RNL_RUN_FINISHED, NULL, NULL, &err);
    rnl_alloc_fail_after(0);
    if (status != RNL_OK) assert_int_equal(status, RNL_ERR_MEMORY);
    rnl_run_free(run);
    assert_int_equal(rnl_alloc_live(), 0);
  }
  assert_int_equal(status, RNL_OK);
  assert_true(tries > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    cmocka_unit_test(test_experiment_names), cmocka_unit_test(test_statuses),
    IN_FOLDER(test_whole_life), IN_FOLDER(test_numbers), IN_FOLDER(test_bad_arguments),
    IN_FOLDER(test_find), IN_FOLDER(test_dead_process), IN_FOLDER(test_crowd),
    IN_FOLDER(test_disk_full), cmocka_unit_test(test_json_text), IN_FOLDER(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
