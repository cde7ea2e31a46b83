/* From journals to the index: of a sweep under way only what was appended is read, and what there is at its end is what
 * is found by reading all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/index.h"
#include "store/sweep.h"
#include "sweep/rows.h"
#include "test_folder.h"

static rnl_error err;
static rnl_run_record sweep;

static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static const char *line_of(int trial, double value) {
  static char line[256];
  snprintf(line, sizeof line,
           "{\"event\": \"result\", \"trial\": %d, \"config\": %d, \"seed\": 1, \"status\": \"finished\","
           " \"params\": {\"lr\": 0.1}, \"metrics\": {\"loss\": %.3f}, \"values\": [%.3f], \"epochs\": 10}\n",
           trial, trial, value, value);
  return line;
}

static void write_at(const char *name, const char *mode, long at, const char *text) {
  FILE *file = fopen(test_path(name), mode);
  assert_non_null(file);
  if (at > 0) fseek(file, at, SEEK_SET);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void append(const char *name, const char *text) { write_at(name, "a", 0, text); }

/* "1:0.5 2:0.25*": the trials the index has after a listing, with * where a run folder is kept. */
static void expect(const char *wanted) {
  json_t *list, *trials;
  rnl_buffer text = { 0 };
  must(rnl_index_list(&list, test_folder, &(rnl_index_query){ .sweeps = true, .source = &rnl_journals }, NULL, &err));
  json_decref(list);
  must(rnl_index_trials(&trials, test_folder, "a-sweep-1", NULL, &err));
  for (size_t i = 0; i < json_array_size(trials); i++) {
    const json_t *trial = json_array_get(trials, i);
    rnl_buffer_printf(&text, "%s%d:%g%s", i ? " " : "", (int)json_integer_value(json_object_get(trial, "trial")),
                      json_real_value(json_array_get(json_object_get(trial, "values"), 0)),
                      json_object_get(trial, "run") ? "*" : "");
  }
  json_decref(trials);
  assert_string_equal(rnl_buffer_string(&text), wanted);
  rnl_buffer_free(&text);
}

#define J1 "a-sweep-1/journal-1.jsonl"
#define J2 "a-sweep-1/journal-2.jsonl"

static void begin(void) { must(rnl_sweep_create(&sweep, test_folder, "a", NULL, &err)); }

static void end(const char *status) {
  json_t *tail = json_pack("{s:s}", "status", status);
  must(rnl_sweep_write(&sweep, tail, &err));
  json_decref(tail);
}

static void test_only_what_was_appended(void **state) {
  (void)state;
  begin();
  append(J1, line_of(1, .5));
  expect("1:0.5");
  /* what stood there is not looked at again */
  write_at(J1, "r+", 0, "XXXXXXXXXXXX");
  expect("1:0.5");
  append(J1, line_of(2, .25));
  expect("1:0.5 2:0.25");
  /* half a line is no line, the other half makes it one */
  char line[256];
  strcpy(line, line_of(3, .125));
  line[20] = '\0';
  append(J1, line);
  expect("1:0.5 2:0.25");
  append(J1, line_of(3, .125) + 20);
  expect("1:0.5 2:0.25 3:0.125");
  /* a new journal is read from its beginning; of a trial that ran twice the first counts */
  append(J2, line_of(3, 9));
  append(J2, line_of(4, 4));
  expect("1:0.5 2:0.25 3:0.125 4:4");
  /* a torn line that whoever came next cut off */
  append(J2, "{\"event\": \"resu");
  expect("1:0.5 2:0.25 3:0.125 4:4");
  assert_int_equal(truncate(test_path(J2), (long)strlen(line_of(3, 9)) + (long)strlen(line_of(4, 4))), 0);
  append(J2, line_of(5, 5));
  expect("1:0.5 2:0.25 3:0.125 4:4 5:5");
  /* once it is over all of it is read, and the damage shows */
  end("finished");
  expect("2:0.25 3:0.125 4:4 5:5");
  write_at(J1, "r+", 0, "{\"event\": \"r");
  append(J1, line_of(6, 6));
  expect("1:0.5 2:0.25 3:0.125 4:4 5:5 6:6");
  rnl_run_record_free(&sweep);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_another_journal(void **state) {
  (void)state;
  begin();
  append(J1, line_of(1, .5));
  append(J2, line_of(2, .25));
  expect("1:0.5 2:0.25");
  /* a file that is not the one that was read: all is read again */
  append("other", line_of(7, 7));
  append("other", line_of(8, 8));
  assert_int_equal(rename(test_path("other"), test_path(J1)), 0);
  expect("2:0.25 7:7 8:8");
  assert_int_equal(truncate(test_path(J1), (long)strlen(line_of(7, 7))), 0); /* shorter than what was read */
  expect("2:0.25 7:7");
  assert_int_equal(remove(test_path(J2)), 0);
  expect("7:7");
  rnl_run_record_free(&sweep);
}

static void test_folders_that_are_given_up(void **state) {
  (void)state;
  begin();
  assert_int_equal(mkdir(test_path("a-sweep-1/trial-1"), 0777), 0);
  append(J1, line_of(1, .5));
  expect("1:0.5*");
  append(J1, line_of(2, .25));
  assert_int_equal(mkdir(test_path("a-sweep-1/trial-2"), 0777), 0);
  assert_int_equal(remove(test_path("a-sweep-1/trial-1")), 0);
  expect("1:0.5 2:0.25*");
  rnl_run_record_free(&sweep);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
  const struct CMUnitTest tests[] = {
    IN_FOLDER(test_only_what_was_appended), IN_FOLDER(test_another_journal), IN_FOLDER(test_folders_that_are_given_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
