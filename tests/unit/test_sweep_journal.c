/* Journals: whole lines, torn tails, reading on from where one was; claims among slots; rows of the index. */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sweep/claims.h"
#include "sweep/journal.h"
#include "sweep/rows.h"
#include "test_folder.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_test_folder, remove_test_folder)

static char path[512];

static void put(const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void write_lines(const char *text) {
  rnl_journal journal;
  rnl_error err;
  assert_int_equal(rnl_journal_open(&journal, path, NULL, &err), RNL_OK);
  assert_int_equal(rnl_journal_write(&journal, text, strlen(text), &err), RNL_OK);
  assert_int_equal(rnl_journal_close(&journal, &err), RNL_OK);
}

static void expect(int64_t *offset, const char *wanted) {
  rnl_buffer text = {0};
  rnl_error err;
  assert_int_equal(rnl_journal_read(path, offset, &text, &err), RNL_OK);
  assert_string_equal(rnl_buffer_string(&text), wanted);
  rnl_buffer_free(&text);
}

static void test_torn_tail_is_cut_off(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/journal-1.jsonl", test_folder);
  write_lines("{\"a\": 1}\n{\"b\": 2}\n");
  put("{\"torn\": tr");
  int64_t offset = 0, dropped = -1;
  expect(&offset, "{\"a\": 1}\n{\"b\": 2}\n"); /* a reader passes it over */
  rnl_journal journal;
  rnl_error err;
  assert_int_equal(rnl_journal_open(&journal, path, &dropped, &err), RNL_OK);
  assert_int_equal(dropped, 11);
  assert_int_equal(rnl_journal_write(&journal, "{\"c\": 3}\n", 9, &err), RNL_OK);
  expect(&offset, "{\"c\": 3}\n"); /* and is not led astray by the cut */
  assert_int_equal(rnl_journal_close(&journal, &err), RNL_OK);
}

static void test_a_file_that_is_one_torn_line(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/journal-1.jsonl", test_folder);
  char long_line[10000];
  memset(long_line, 'x', sizeof long_line - 1);
  long_line[sizeof long_line - 1] = '\0';
  put(long_line);
  rnl_journal journal;
  rnl_error err;
  int64_t dropped, offset = 0;
  assert_int_equal(rnl_journal_open(&journal, path, &dropped, &err), RNL_OK);
  assert_int_equal(dropped, (int64_t)sizeof long_line - 1);
  assert_int_equal(rnl_journal_close(&journal, &err), RNL_OK);
  expect(&offset, "");
  assert_int_equal(offset, 0);
}

static void test_half_lines_are_refused(void **state) {
  (void)state;
  snprintf(path, sizeof path, "%s/journal-1.jsonl", test_folder);
  rnl_journal journal;
  rnl_error err;
  assert_int_equal(rnl_journal_open(&journal, path, NULL, &err), RNL_OK);
  assert_int_equal(rnl_journal_write(&journal, "{}", 2, &err), RNL_ERR_INTERNAL);
  assert_true(rnl_journal_due(&journal) < 0); /* nothing to sync */
  assert_int_equal(rnl_journal_write(&journal, "{}\n", 3, &err), RNL_OK);
  assert_true(rnl_journal_due(&journal) <= 1);
  assert_int_equal(rnl_journal_sync(&journal, &err), RNL_OK);
  assert_true(rnl_journal_due(&journal) < 0);
  assert_int_equal(rnl_journal_close(&journal, &err), RNL_OK);
  assert_int_equal(rnl_journal_close(&journal, &err), RNL_OK);
}

static void test_nowhere_to_write(void **state) {
  (void)state;
  rnl_journal journal;
  rnl_error err;
  assert_int_equal(rnl_journal_open(&journal, "/nowhere/journal-1.jsonl", NULL, &err), RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "/nowhere/journal-1.jsonl"));
  int64_t offset = 0;
  rnl_buffer text = {0};
  assert_int_equal(rnl_journal_read("/nowhere/journal-1.jsonl", &offset, &text, &err), RNL_OK); /* has no lines */
  assert_int_equal(text.length, 0);
  rnl_buffer_free(&text);
}

static bool count_slot(void *context, int64_t slot) {
  int64_t *sum = context;
  sum[0]++;
  sum[1] += slot;
  return true;
}

static void test_slots_of_a_folder(void **state) {
  (void)state;
  const char *names[] = {"journal-0.jsonl", "journal-17.jsonl", "journal-3.jsonl.bak", "journal-x.jsonl", "sweep.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(path, sizeof path, "%s/%s", test_folder, names[i]);
    put("{}\n");
  }
  int64_t sum[2] = {0, 0};
  rnl_error err;
  assert_int_equal(rnl_journal_slots(test_folder, count_slot, sum, &err), RNL_OK);
  assert_int_equal(sum[0], 2);
  assert_int_equal(sum[1], 17);
}

/* ---- claims ------------------------------------------------------------------------------------- */

static const char *claims_folder(void) {
  static char folder[600];
  snprintf(folder, sizeof folder, "%s/claims", test_folder);
  return folder;
}

typedef struct owners {
  int64_t slot[4], generation[4];
  int count;
} owners;

static bool is_of(void *context, const rnl_claim_made *claim) {
  owners *all = context;
  all->count++;
  assert_in_range(claim->number, 0, 3);
  if (claim->generation < all->generation[claim->number]) return true;
  all->slot[claim->number] = claim->slot;
  all->generation[claim->number] = claim->generation;
  return true;
}

static void claim_is(int64_t number, int64_t generation, int64_t slot, bool expected) {
  bool mine = !expected;
  rnl_error err;
  assert_int_equal(rnl_claim(claims_folder(), number, generation, slot, &mine, &err), RNL_OK);
  assert_int_equal(mine, expected);
}

static void test_one_slot_has_a_claim(void **state) {
  (void)state;
  rnl_error err;
  owners all = {{-1, -1, -1, -1}, {0}, 0};
  assert_int_equal(rnl_claims(claims_folder(), is_of, &all, &err), RNL_OK); /* none yet */
  claim_is(1, 0, 5, true);
  claim_is(1, 0, 6, false);
  claim_is(2, 0, 6, true);
  claim_is(1, 1, 7, true); /* slot 5 will not come again */
  claim_is(1, 1, 8, false);
  claim_is(1, 2, 8, true);
  char name[700];
  for (int i = 0; i < 3; i++) { /* names that are none */
    snprintf(name, sizeof name, "%s/%s", claims_folder(), (const char *[]){"3.", "3.0", "3x"}[i]);
    assert_int_equal(rnl_file_write(name, "9\n", 2, RNL_DURABLE, &err), RNL_OK);
  }
  assert_int_equal(rnl_claims(claims_folder(), is_of, &all, &err), RNL_OK);
  assert_int_equal(all.count, 4);
  assert_int_equal(all.slot[1], 8);
  assert_int_equal(all.slot[2], 6);
  assert_int_equal(all.slot[3], -1);
}

/* Eight processes want each of 50 numbers: every number goes to exactly one. */
static void test_claims_of_many_processes(void **state) {
  (void)state;
  enum { SLOTS = 8, NUMBERS = 50 };
  pid_t children[SLOTS];
  for (int slot = 0; slot < SLOTS; slot++) {
    children[slot] = fork();
    if (children[slot] == 0) {
      int got = 0;
      for (int n = 0; n < NUMBERS; n++) {
        bool mine = false;
        rnl_error err;
        if (rnl_claim(claims_folder(), n, 0, slot, &mine, &err) != RNL_OK) _exit(255);
        got += mine;
      }
      _exit(got);
    }
  }
  int sum = 0;
  for (int slot = 0; slot < SLOTS; slot++) {
    int status;
    waitpid(children[slot], &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 255);
    sum += WEXITSTATUS(status);
  }
  assert_int_equal(sum, NUMBERS);
}

static void test_a_row_of_a_result(void **state) {
  (void)state;
  json_t *line = json_loads("{\"event\": \"result\", \"trial\": 7, \"config\": 3, \"seed\": 2,"
                            "\"status\": \"finished\","
                            "\"values\": [0.5, \"nan\"], \"epochs\": 10, \"wall_s\": 0.25,"
                            "\"curve\": {\"steps\": [1, 10], \"values\": [2.0, 0.5]}}", 0, NULL);
  assert_int_equal(rnl_trial_row_points(line), 4);
  double points[4];
  rnl_trial_row row = rnl_trial_row_of(line, points);
  assert_int_equal(row.number, 7);
  assert_int_equal(row.config, 3);
  assert_int_equal(row.status, RNL_RUN_FINISHED);
  assert_true(row.values[0] == .5 && row.values[1] != row.values[1]);
  assert_int_equal(row.points, 2);
  assert_true(points[2] == 10 && points[3] == .5);
  assert_null(row.error);
  json_decref(line);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(test_torn_tail_is_cut_off),
    TEST(test_a_file_that_is_one_torn_line),
    TEST(test_half_lines_are_refused),
    TEST(test_nowhere_to_write),
    TEST(test_slots_of_a_folder),
    TEST(test_one_slot_has_a_claim),
    TEST(test_claims_of_many_processes),
    TEST(test_a_row_of_a_result),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
