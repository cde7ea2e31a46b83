/* Processes: lines in and out, ends with code and signal, what cannot be started, the stop flag. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sweep/processes.h"

static rnl_processes *make(const volatile int *stop) {
  rnl_processes *p;
  rnl_error err;
  assert_int_equal(rnl_processes_new(&p, stop, &err), RNL_OK);
  return p;
}

static int start(rnl_processes *p, const char *shell, rnl_process_channel channel) {
  int id;
  rnl_error err;
  assert_int_equal(rnl_processes_start(p, (const char *const[]){"/bin/sh", "-c", shell, NULL}, channel, &id, &err),
                   RNL_OK);
  return id;
}

static rnl_process_event next(rnl_processes *p) {
  rnl_process_event event;
  rnl_error err;
  assert_int_equal(rnl_processes_wait(p, 20, &event, &err), RNL_OK);
  return event;
}

static void test_lines_come_whole_and_before_the_end(void **state) {
  (void)state;
  rnl_processes *p = make(NULL);
  int id = start(p, "printf 'one\\ntw'; sleep .05; printf 'o\\n\\nno newline'; exit 3", RNL_CHANNEL_OUTPUT);
  const char *wanted[] = {"one", "two", ""};
  for (int i = 0; i < 3; i++) {
    rnl_process_event e = next(p);
    assert_int_equal(e.kind, RNL_PROCESS_LINE);
    assert_int_equal(e.id, id);
    assert_string_equal(e.text, wanted[i]);
    assert_int_equal(e.length, strlen(wanted[i]));
  }
  rnl_process_event e = next(p);
  assert_int_equal(e.kind, RNL_PROCESS_END);
  assert_int_equal(e.code, 3);
  assert_int_equal(e.signal, 0);
  rnl_processes_free(p);
}

static void test_a_worker_is_fed(void **state) {
  (void)state;
  rnl_processes *p = make(NULL);
  rnl_error err;
  int a = start(p, "while read -r l <&3; do echo \"a:$l\" >&4; done", RNL_CHANNEL_WORKER);
  int b = start(p, "while read -r l <&3; do echo \"b:$l\" >&4; done", RNL_CHANNEL_WORKER);
  assert_int_equal(rnl_processes_send(p, a, "x y", 3, &err), RNL_OK);
  rnl_process_event e = next(p);
  assert_string_equal(e.text, "a:x y");
  assert_int_equal(rnl_processes_send(p, b, "z", 1, &err), RNL_OK);
  e = next(p);
  assert_int_equal(e.id, b);
  assert_string_equal(e.text, "b:z");
  rnl_processes_kill(p, a, SIGKILL);
  e = next(p);
  assert_int_equal(e.kind, RNL_PROCESS_END);
  assert_int_equal(e.id, a);
  assert_int_equal(e.signal, SIGKILL);
  assert_int_equal(rnl_processes_send(p, a, "x", 1, &err), RNL_OK); /* it is gone; nothing happens */
  assert_int_equal(rnl_processes_send(p, 4711, "x", 1, &err), RNL_OK);
  rnl_processes_free(p); /* b is ended here */
}

static void test_workers_end_when_nothing_more_comes(void **state) {
  (void)state;
  rnl_processes *p = make(NULL);
  int id = start(p, "while read -r l <&3; do :; done; echo last >&4; exit 5", RNL_CHANNEL_WORKER);
  rnl_processes_finish(p, 20);
  rnl_process_event e = next(p);
  assert_int_equal(e.kind, RNL_PROCESS_LINE);
  assert_string_equal(e.text, "last");
  e = next(p);
  assert_int_equal(e.kind, RNL_PROCESS_END);
  assert_int_equal(e.id, id);
  assert_int_equal(e.code, 5);
  rnl_processes_finish(p, 20); /* nobody is left to wait for */
  start(p, "exec sleep 20", RNL_CHANNEL_WORKER);
  rnl_processes_finish(p, .05); /* one that does not listen is not waited for longer */
  rnl_processes_free(p);
}

static void test_a_long_line(void **state) {
  (void)state;
  rnl_processes *p = make(NULL);
  start(p, "head -c 300000 /dev/zero | tr '\\0' x; echo", RNL_CHANNEL_OUTPUT);
  rnl_process_event e = next(p);
  assert_int_equal(e.kind, RNL_PROCESS_LINE);
  assert_int_equal(e.length, 300000);
  rnl_processes_free(p);
}

static void test_what_cannot_be_started(void **state) {
  (void)state;
  rnl_processes *p = make(NULL);
  int id;
  rnl_error err;
  const char *const argv[] = {"/no/such/program", NULL};
  assert_int_equal(rnl_processes_start(p, argv, RNL_CHANNEL_OUTPUT, &id, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "/no/such/program"));
  rnl_processes_free(p);
}

static void test_time_and_the_stop_flag(void **state) {
  (void)state;
  volatile int stop = 0;
  rnl_processes *p = make(&stop);
  rnl_process_event e;
  rnl_error err;
  assert_int_equal(rnl_processes_wait(p, .01, &e, &err), RNL_OK);
  assert_int_equal(e.kind, RNL_PROCESS_TIMEOUT);
  stop = SIGINT;
  assert_int_equal(rnl_processes_wait(p, 20, &e, &err), RNL_OK);
  assert_int_equal(e.kind, RNL_PROCESS_STOP);
  rnl_processes_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lines_come_whole_and_before_the_end),
    cmocka_unit_test(test_a_worker_is_fed),
    cmocka_unit_test(test_workers_end_when_nothing_more_comes),
    cmocka_unit_test(test_a_long_line),
    cmocka_unit_test(test_what_cannot_be_started),
    cmocka_unit_test(test_time_and_the_stop_flag),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
