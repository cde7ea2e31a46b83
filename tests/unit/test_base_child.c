/* Other programs run to their end: what they say, their codes, and the ways it can go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/host.h"

static int run(const char *const *arguments, const rnl_child *how, rnl_buffer *said, rnl_error *err) {
  rnl_child child = how ? *how : (rnl_child){.timeout_s = 30};
  child.arguments = arguments;
  int code = -1;
  return rnl_child_run(&child, said, &code, err) == RNL_OK ? code : -1;
}

static void test_says_and_ends(void **state) {
  (void)state;
  rnl_buffer said = {0};
  rnl_error err;
  const char *const both[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
  assert_int_equal(run(both, NULL, &said, &err), 3);
  assert_string_equal(rnl_buffer_string(&said), "out\nerr\n");
  rnl_buffer_clear(&said);
  assert_int_equal(run((const char *const[]){"printf", "%s|", "a b", "$(c)", "`d`", NULL}, NULL, &said, &err), 0);
  assert_string_equal(rnl_buffer_string(&said), "a b|$(c)|`d`|"); /* no shell has seen them */
  rnl_buffer_free(&said);
}

static void test_folder_and_variables(void **state) {
  (void)state;
  rnl_buffer said = {0};
  rnl_error err;
  rnl_child how = {.folder = "/usr", .timeout_s = 30, .variables = (const char *const[]){"HOME=/h=i", "RNL_X=", NULL}};
  assert_int_equal(run((const char *const[]){"sh", "-c", "echo `pwd` $HOME ${RNL_X-unset}.", NULL}, &how, &said, &err),
                   0);
  assert_string_equal(rnl_buffer_string(&said), "/usr /h=i .\n");
  rnl_buffer_free(&said);
}

static void test_goes_wrong(void **state) {
  (void)state;
  rnl_buffer said = {0};
  rnl_error err = {0};
  assert_int_equal(run((const char *const[]){"no-such-program-here", NULL}, NULL, &said, &err), -1);
  assert_int_equal(err.status, RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "no-such-program-here"));
  assert_int_equal(run((const char *const[]){"sh", "-c", "kill -9 $$", NULL}, NULL, &said, &err), 128 + SIGKILL);
  rnl_child how = {.timeout_s = 0.1};
  double began = rnl_time_monotonic();
  assert_int_equal(run((const char *const[]){"sh", "-c", "sleep 50; echo late", NULL}, &how, &said, &err), -1);
  assert_int_equal(err.status, RNL_ERR_IO);
  assert_true(rnl_time_monotonic() - began < 40); /* it was not waited for */
  volatile int stop = SIGTERM;
  how = (rnl_child){.timeout_s = 40, .stop = &stop};
  assert_int_equal(run((const char *const[]){"sleep", "50", NULL}, &how, &said, &err), -1);
  assert_int_equal(err.status, RNL_ERR_INTERRUPTED);
  rnl_buffer_free(&said);
}

static void test_says_a_lot(void **state) {
  (void)state;
  rnl_buffer said = {0};
  rnl_error err;
  assert_int_equal(run((const char *const[]){"head", "-c", "9000000", "/dev/zero", NULL}, NULL, &said, &err), 0);
  assert_true(said.length >= RNL_CHILD_SAID_MAX && said.length < RNL_CHILD_SAID_MAX + 65536);
  rnl_buffer_free(&said);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_says_and_ends),
    cmocka_unit_test(test_folder_and_variables),
    cmocka_unit_test(test_goes_wrong),
    cmocka_unit_test(test_says_a_lot),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
