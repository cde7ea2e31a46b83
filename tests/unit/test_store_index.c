/* The index: what listings say, NaN, self-healing (missing, corrupt, old, foreign, vanished folders),
 * rebuild, newer schema, no permission to write, a locked database. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "base/number.h"
#include "store/index.h"
#include "store/index_db.h"
#include "store/json.h"
#include "store/run.h"
#include "test_folder.h"

static rnl_error err;

static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static const char *text_of(const json_t *json, const char *key) {
  const char *text = json_string_value(json_object_get(json, key));
  return text ? text : "(none)";
}

static void make_run(const char *experiment, rnl_run_status status, int rows, double loss) {
  rnl_run *run;
  rnl_buffer warnings = { 0 };
  json_t *head = json_pack("{s:s, s:i, s:{s:f, s:i, s:s, s:b, s:[i, i], s:n}}", "script", "s.lua", "seed", 7,
                           "params", "lr", 0.01, "hidden", 5, "cell", "elman", "flag", 0, "list", 1,
                           2, "none");
  must(rnl_run_create(&run, test_folder, experiment, head, &err));
  must(rnl_run_metrics_begin(run, 2, (const char *[]){ "val_loss", "loss" }, &err));
  for (int64_t i = 1; i <= rows; i++)
    must(rnl_run_metrics_append(run, 1, &i, (double[]){ rnl_missing(), loss / (double)i }, &err));
  json_t *tail = json_pack("{s:{s:o, s:o, s:f, s:i}, s:i, s:f, s:[s, s]}", "metrics", "loss",
                           rnl_json_real(loss), "worst", rnl_json_real(-INFINITY), "whole", 2.0, "count", 4,
                           "epochs", rows, "train_s", 0.25, "figures", "figures/a.svg", "figures/a.png");
  if (status == RNL_RUN_FAILED) json_object_set_new(tail, "error", json_string("script.lua:3: oh no"));
  must(rnl_run_close(run, status, tail, &warnings, &err));
  assert_string_equal(rnl_buffer_string(&warnings), "");
  json_decref(head);
  json_decref(tail);
  rnl_buffer_free(&warnings);
  rnl_run_free(run);
}

static json_t *list_runs(const rnl_index_query *query, const char *expected_warning) {
  json_t *list;
  rnl_buffer warnings = { 0 };
  must(rnl_index_list(&list, test_folder, query, &warnings, &err));
  const char *text = rnl_buffer_string(&warnings);
  if (expected_warning[0] ? !strstr(text, expected_warning) : text[0] != '\0')
    fail_msg("warnings are \"%s\", expected \"%s\"", text, expected_warning);
  rnl_buffer_free(&warnings);
  return list;
}

static void expect_names(json_t *list, const char *names) {
  rnl_buffer text = { 0 };
  for (size_t i = 0; i < json_array_size(list); i++)
    rnl_buffer_printf(&text, "%s%s", i ? " " : "", text_of(json_array_get(list, i), "run"));
  assert_string_equal(rnl_buffer_string(&text), names);
  rnl_buffer_free(&text);
  json_decref(list);
}

/* What is in the tables, as text, in an order of their own. */
static char *dump(void) {
  sqlite3 *db;
  rnl_buffer text = { 0 };
  assert_int_equal(sqlite3_open(test_path("rnnlab.db"), &db), SQLITE_OK);
  static const char *const queries[] = { "SELECT * FROM runs ORDER BY name",
                                         "SELECT * FROM params ORDER BY 1, 2",
                                         "SELECT * FROM metrics ORDER BY 1, 2",
                                         "SELECT run, points, hex(data) FROM curves ORDER BY run" };
  for (int q = 0; q < 4; q++) {
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, queries[q], -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
      for (int c = 0; c < sqlite3_column_count(s); c++) {
        const char *cell = (const char *)sqlite3_column_text(s, c);
        rnl_buffer_printf(&text, "%d:%s|", sqlite3_column_type(s, c), cell ? cell : "");
      }
      rnl_buffer_char(&text, '\n');
    }
    sqlite3_finalize(s);
  }
  sqlite3_close(db);
  return rnl_buffer_take(&text);
}

static void run_sql(const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(test_path("rnnlab.db"), &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void test_listing_equals_files(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 3, 0.5);
  make_run("b", RNL_RUN_DIVERGED, 2, NAN);
  make_run("a", RNL_RUN_FAILED, 0, INFINITY);
  json_t *list = list_runs(NULL, "");
  assert_int_equal(json_array_size(list), 3);
  for (size_t i = 0; i < 3; i++) {
    rnl_run_record record;
    json_t *row = json_array_get(list, i);
    must(rnl_run_read(&record, text_of(row, "dir"), &err));
    json_t *summary = rnl_run_summary(&record);
    rnl_buffer a = { 0 }, b = { 0 };
    rnl_json_write(&a, row, 0);
    rnl_json_write(&b, summary, 0);
    assert_string_equal(a.data, b.data); /* the same object, key for key */
    rnl_buffer_free(&a);
    rnl_buffer_free(&b);
    json_decref(summary);
    rnl_run_record_free(&record);
  }
  double x;
  const json_t *metrics = json_object_get(json_array_get(list, 1), "metrics");
  assert_true(rnl_json_number(json_object_get(metrics, "loss"), &x) && isnan(x));
  assert_true(rnl_json_number(json_object_get(metrics, "worst"), &x) && x == -INFINITY);
  assert_string_equal(text_of(json_array_get(list, 2), "error"), "script.lua:3: oh no");
  json_decref(list);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_queries(void **state) {
  (void)state;
  expect_names(list_runs(NULL, ""), "");
  assert_false(rnl_path_exists(test_path("rnnlab.db"))); /* looking leaves nothing behind */
  make_run("b", RNL_RUN_FINISHED, 1, 1);
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  make_run("a", RNL_RUN_DIVERGED, 1, 1);
  expect_names(list_runs(NULL, ""), "b-1 a-1 a-2");
  expect_names(list_runs(&(rnl_index_query){ .limit = 2 }, ""), "a-1 a-2");
  expect_names(list_runs(&(rnl_index_query){ .experiment = "a" }, ""), "a-1 a-2");
  expect_names(list_runs(&(rnl_index_query){ .status = "finished" }, ""), "b-1 a-1");
  expect_names(list_runs(&(rnl_index_query){ .experiment = "a", .status = "diverged" }, ""), "a-2");
  expect_names(list_runs(&(rnl_index_query){ .experiment = "' OR 1=1 --" }, ""), "");
  json_t *list;
  must(rnl_index_list(&list, test_path("no/such"), NULL, NULL, &err));
  assert_int_equal(json_array_size(list), 0);
  json_decref(list);
}

static void test_curve(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 5, 10);
  make_run("b", RNL_RUN_DIVERGED, 2, NAN);
  make_run("c", RNL_RUN_FINISHED, 0, 1);
  int64_t points;
  double *epochs, *values;
  must(rnl_index_curve(test_folder, "a-1", &points, &epochs, &values, &err));
  assert_int_equal(points, 5);
  assert_true(epochs[4] == 5 && values[4] == 2 && values[0] == 10);
  rnl_free(epochs);
  rnl_free(values);
  must(rnl_index_curve(test_folder, "b-1", &points, &epochs, &values, &err));
  assert_true(points == 2 && isnan(values[1]));
  rnl_free(epochs);
  rnl_free(values);
  must(rnl_index_curve(test_folder, "c-1", &points, &epochs, &values, &err));
  assert_int_equal(points, 0);
  rnl_free(epochs);
  rnl_free(values);
  assert_int_equal(rnl_index_curve(test_folder, "d-1", &points, &epochs, &values, &err), RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_index_curve(test_path("a-1"), "d", &points, &epochs, &values, &err),
                   RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_rebuild_gives_the_same_rows(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 3000, 0.5);
  make_run("a", RNL_RUN_DIVERGED, 7, NAN);
  make_run("b", RNL_RUN_FAILED, 0, 1);
  char *before = dump();
  int64_t runs;
  must(rnl_index_rebuild(test_folder, NULL, &runs, NULL, NULL, &err));
  assert_int_equal(runs, 3);
  char *after = dump();
  assert_string_equal(before, after);
  rnl_free(after);
  assert_int_equal(remove(test_path("rnnlab.db")), 0);
  expect_names(list_runs(NULL, ""), "a-1 a-2 b-1");
  after = dump();
  assert_string_equal(before, after);
  rnl_free(after);
  rnl_free(before);
  must(rnl_index_add(test_folder, "a-1", &err));
  assert_int_equal(rnl_index_add(test_folder, "a-99", &err), RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_index_rebuild(test_path("none"), NULL, &runs, NULL, NULL, &err), RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_heals(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  char *good = dump();
  static const char *const damage[] = {
    "DELETE FROM runs WHERE name = 'a-1'", "DROP TABLE params", "PRAGMA user_version = 0",
    "PRAGMA application_id = 5", "INSERT INTO runs (name, status) VALUES ('gone-1', 'finished')",
    "DROP TABLE runs; CREATE TABLE runs (x)",
  };
  for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
    run_sql(damage[i]);
    expect_names(list_runs(NULL, ""), "a-1 a-2");
    char *healed = dump();
    assert_string_equal(healed, good);
    rnl_free(healed);
  }
  rnl_free(good);
  static const char *const junk[] = {
    "this is no database at all, but long enough to be looked at......", ""
  };
  for (size_t i = 0; i < 2; i++) {
    put_text(test_path("rnnlab.db"), junk[i]);
    expect_names(list_runs(NULL, ""), "a-1 a-2");
  }
  assert_true(rnl_path_exists(test_path("rnnlab.db.aside")));
  /* A half of a database: the header is fine, the pages are not there. */
  assert_int_equal(truncate(test_path("rnnlab.db"), 5000), 0);
  expect_names(list_runs(NULL, ""), "a-1 a-2");
  put_text(test_path("rnnlab.db"), junk[0]);
  make_run("a", RNL_RUN_FINISHED, 1, 1); /* closing heals too */
  expect_names(list_runs(NULL, ""), "a-1 a-2 a-3");
}

static void test_folders_come_and_go(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  make_run("b", RNL_RUN_FINISHED, 1, 1);
  make_run("c", RNL_RUN_FINISHED, 1, 1);
  rename(test_path("a-1"), test_path(".a-1"));
  expect_names(list_runs(NULL, ""), "b-1 c-1");
  rename(test_path(".a-1"), test_path("a-1"));
  mkdir(test_path("notes"), 0777);
  expect_names(list_runs(NULL, ""), "a-1 b-1 c-1");
  /* A torn run hides none of the others; it is told. */
  mkdir(test_path("torn-1"), 0777);
  put_text(test_path("torn-1/run.json"), "{\"status\": \"fin");
  mkdir(test_path("torn-2"), 0777);
  put_text(test_path("torn-2/run.json"), "");
  expect_names(list_runs(NULL, "torn-1/run.json:1: not JSON"), "a-1 b-1 c-1");
  expect_names(list_runs(NULL, "torn-2/run.json"), "a-1 b-1 c-1");
}

static void test_newer_schema(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  run_sql("PRAGMA user_version = 99");
  json_t *list;
  assert_int_equal(rnl_index_list(&list, test_folder, NULL, NULL, &err), RNL_ERR_FORMAT);
  assert_non_null(strstr(err.text, "written by a newer rnnlab (schema 99, this one knows 3)"));
  /* A run is closed all the same, with a warning. */
  rnl_run *run;
  rnl_buffer warnings = { 0 };
  must(rnl_run_create(&run, test_folder, "a", NULL, &err));
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, &warnings, &err));
  assert_non_null(strstr(rnl_buffer_string(&warnings), "the index was not updated"));
  rnl_buffer_free(&warnings);
  rnl_run_free(run);
  must(rnl_index_rebuild(test_folder, NULL, NULL, NULL, NULL, &err));
  expect_names(list_runs(NULL, ""), "a-1 a-2");
}

static void test_index_that_cannot_be_made(void **state) {
  (void)state;
  mkdir(test_path("rnnlab.db"), 0777); /* also stops root */
  rnl_run *run;
  rnl_buffer warnings = { 0 };
  must(rnl_run_create(&run, test_folder, "a", NULL, &err));
  must(rnl_run_close(run, RNL_RUN_FINISHED, NULL, &warnings, &err));
  assert_non_null(strstr(rnl_buffer_string(&warnings), "the index was not updated"));
  rnl_buffer_free(&warnings);
  rnl_run_free(run);
  expect_names(list_runs(NULL, "the folders were read"), "a-1");
  expect_names(list_runs(&(rnl_index_query){ .limit = 1 }, "the folders were read"), "a-1");
  assert_int_equal(rnl_index_rebuild(test_folder, NULL, NULL, NULL, NULL, &err), RNL_ERR_IO);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Somebody holds the lock for a while: a close waits, and does not fail. */
static void test_waits_for_a_lock(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    sqlite3 *db;
    if (sqlite3_open(test_path("rnnlab.db"), &db) != SQLITE_OK) _exit(1);
    if (sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) _exit(2);
    if (write(ends[1], "x", 1) != 1) _exit(3);
    nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
    _exit(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? 0 : 4);
  }
  char byte;
  assert_int_equal(read(ends[0], &byte, 1), 1);
  double start = rnl_time_monotonic();
  make_run("a", RNL_RUN_FINISHED, 1, 1); /* checks that there is no warning */
  assert_true(rnl_time_monotonic() - start > 0.1);
  int status;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  expect_names(list_runs(NULL, ""), "a-1 a-2");
  close(ends[0]);
  close(ends[1]);
}

/* A writer killed in the middle leaves a journal; the next one rolls it back. */
static void test_killed_writer(void **state) {
  (void)state;
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  pid_t child = fork();
  if (child == 0) {
    sqlite3 *db;
    if (sqlite3_open(test_path("rnnlab.db"), &db) != SQLITE_OK) _exit(1);
    sqlite3_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int i = 0; i < 200; i++) /* spills pages into the file itself */
      sqlite3_exec(db, "INSERT INTO curves SELECT hex(randomblob(8)), 1, randomblob(4000);"
                       "DELETE FROM runs", NULL, NULL, NULL);
    kill(getpid(), SIGKILL);
  }
  int status;
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status));
  assert_true(rnl_path_exists(test_path("rnnlab.db-journal")));
  expect_names(list_runs(NULL, ""), "a-1");
  make_run("a", RNL_RUN_FINISHED, 1, 1);
  expect_names(list_runs(NULL, ""), "a-1 a-2");
  assert_false(rnl_path_exists(test_path("rnnlab.db.aside"))); /* nothing had to be thrown away */
}

/* Another process puts the index aside (from a disk that showed it broken, say) while it is open here: the change goes
 * into the one that stands there then, and that one is not put aside in its turn. */
static bool change_while_moved(sqlite3 *db, void *context) {
  int *calls = context;
  if ((*calls)++ == 0) assert_int_equal(rename(test_path("rnnlab.db"), test_path("moved")), 0);
  return rnl_db_run(db, "INSERT INTO meta VALUES ('seen', 'here')");
}

static bool fail_in_new_index(sqlite3 *db, void *context) {
  int *calls = context;
  ++*calls;
  return rnl_db_run(db, "INSERT INTO no_such_table VALUES (1)");
}

static void test_moved_while_open(void **state) {
  (void)state;
  int calls = 0;
  make_run("a", RNL_RUN_FINISHED, 3, 1.0);
  must(rnl_db_change(test_folder, change_while_moved, &calls, &err));
  assert_int_equal(calls, 2);
  assert_true(rnl_path_exists(test_path("rnnlab.db")));
  assert_false(rnl_path_exists(test_path("rnnlab.db.aside")));
  calls = 0; /* what no fresh index cures is tried a few times and then reported */
  assert_int_equal(rnl_db_change(test_folder, fail_in_new_index, &calls, &err), RNL_ERR_IO);
  assert_int_equal(calls, RNL_DB_ATTEMPTS);
  assert_non_null(strstr(err.text, "no_such_table"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    IN_FOLDER(test_listing_equals_files), IN_FOLDER(test_queries), IN_FOLDER(test_curve),
    IN_FOLDER(test_rebuild_gives_the_same_rows), IN_FOLDER(test_heals), IN_FOLDER(test_folders_come_and_go),
    IN_FOLDER(test_newer_schema), IN_FOLDER(test_index_that_cannot_be_made),
    IN_FOLDER(test_waits_for_a_lock), IN_FOLDER(test_killed_writer), IN_FOLDER(test_moved_while_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
