/* Filters and ordering: every operator on numbers, text, what is missing, NaN and infinity. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "store/json.h"
#include "store/query.h"

static rnl_error err;

static const char *const lines =
    "[{\"run\": \"a-1\", \"status\": \"finished\", \"started\": \"2026-11-20T10:00:00.0Z\", \"epochs\": 10,"
    "  \"params\": {\"lr\": 0.01, \"cell\": \"elman\", \"flag\": true, \"status\": \"odd\"},"
    "  \"metrics\": {\"loss\": 0.5}, \"tags\": [\"good\", \"paper\"], \"notes\": [{\"text\": \"Try Again\"}]},"
    " {\"run\": \"a-2\", \"status\": \"diverged\", \"started\": \"2026-11-21T10:00:00.0Z\", \"epochs\": 3,"
    "  \"params\": {\"lr\": 0.1, \"cell\": \"lstm\", \"flag\": false}, \"metrics\": {\"loss\": \"nan\"}},"
    " {\"run\": \"a-10\", \"status\": \"finished\", \"started\": \"2026-11-22T10:00:00.0Z\", \"epochs\": null,"
    "  \"params\": {\"lr\": 0.001, \"hidden\": 8}, \"metrics\": {\"loss\": \"-inf\"}},"
    " {\"run\": \"b-1\", \"status\": \"finished\", \"started\": \"2026-11-23T10:00:00.0Z\","
    "  \"params\": {\"lr\": 1}, \"metrics\": {}},"
    " {\"sweep\": \"b-sweep-1\", \"status\": \"running\", \"started\": \"2026-11-24T10:00:00.0Z\","
    "  \"objective\": \"max:accuracy\", \"trials\": {\"total\": 12}, \"best\": {\"value\": 0.75}}]";

static json_t *list;

static int set_up(void **state) {
  (void)state;
  list = json_loads(lines, 0, NULL);
  return list ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  json_decref(list);
  return 0;
}

static const char *names_of(const json_t *from, const char *filter_text) {
  static char out[256];
  rnl_filter filter = { 0 };
  out[0] = '\0';
  if (filter_text && rnl_filter_parse(&filter, filter_text, &err) != RNL_OK) fail_msg("%s", err.text);
  for (size_t i = 0; i < json_array_size(from); i++) {
    const json_t *item = json_array_get(from, i);
    if (filter_text && !rnl_filter_matches(&filter, item)) continue;
    json_t *name = rnl_field(item, "name");
    if (out[0]) strcat(out, " ");
    strcat(out, json_string_value(name));
    json_decref(name);
  }
  rnl_filter_free(&filter);
  return out;
}

static void test_filters(void **state) {
  (void)state;
  static const char *const expected[][2] = {
    { "lr<0.1", "a-1 a-10" },
    { "lr<=0.1", "a-1 a-2 a-10" },
    { "lr>.05", "a-2 b-1" },
    { "lr >= 0.1", "a-2 b-1" },
    { "lr=1e-2", "a-1" },
    { "lr==1.0", "b-1" },
    { "lr=0.01,0.1", "a-1 a-2" },
    { "lr!=0.01", "a-2 a-10 b-1 b-sweep-1" },
    { "loss<1", "a-1 a-10" }, /* -inf is less than one; a NaN is nothing */
    { "loss>-1", "a-1" },
    { "loss=nan", "a-2" },
    { "loss=-inf", "a-10" },
    { "status=finished", "a-1 a-10 b-1" },
    { "status!=finished", "a-2 b-sweep-1" },
    { "status=running,diverged", "a-2 b-sweep-1" },
    { "params.status=odd", "a-1" },
    { "metrics.loss<1", "a-1 a-10" },
    { "cell~LS", "a-2" },
    { "cell!~ls", "a-1 a-10 b-1 b-sweep-1" },
    { "flag=true", "a-1" },
    { "tag=good", "a-1" },
    { "tag=paper", "a-1" },
    { "tag=pap", "" },
    { "tag!=good", "a-2 a-10 b-1 b-sweep-1" },
    { "note~again", "a-1" },
    { "started>=2026-11-22", "a-10 b-1 b-sweep-1" },
    { "started<2026-11-21", "a-1" },
    { "kind=sweep", "b-sweep-1" },
    { "kind!=sweep", "a-1 a-2 a-10 b-1" },
    { "trials>10", "b-sweep-1" },
    { "accuracy>.5", "b-sweep-1" },
    { "epochs>5", "a-1" },
    { "b", "b-1 b-sweep-1" },
    { "a-1", "a-1 a-10" },
    { "nothing=1", "" },
  };
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    const char *found = names_of(list, expected[i][0]);
    if (strcmp(found, expected[i][1]) != 0)
      fail_msg("%s gives \"%s\", not \"%s\"", expected[i][0], found, expected[i][1]);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_bad_filters(void **state) {
  (void)state;
  static const char *const bad[][2] = {
    { "=1", "is no filter" }, { "lr=", "is no filter" }, { "lr<abc", "'abc' is none" }, { "lr!1", "after '!'" },
    { "", "is no filter" }, { "lr>", "is no filter" }, { "<", "is no filter" },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    rnl_filter filter;
    assert_int_equal(rnl_filter_parse(&filter, bad[i][0], &err), RNL_ERR_ARG);
    if (!strstr(err.text, bad[i][1])) fail_msg("%s: \"%s\"", bad[i][0], err.text);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void expect_order(const char *name, bool descending, const char *expected) {
  json_t *sorted = rnl_sorted(list, name, descending);
  assert_string_equal(names_of(sorted, NULL), expected);
  json_decref(sorted);
}

static void test_order(void **state) {
  (void)state;
  expect_order("lr", false, "a-10 a-1 a-2 b-1 b-sweep-1");
  expect_order("lr", true, "b-1 a-2 a-1 a-10 b-sweep-1");
  /* Neither NaN, nor an infinity, nor nothing is ever first. */
  expect_order("loss", false, "a-1 a-2 a-10 b-1 b-sweep-1");
  expect_order("loss", true, "a-1 a-2 a-10 b-1 b-sweep-1");
  expect_order("name", false, "a-1 a-2 a-10 b-1 b-sweep-1");
  expect_order("name", true, "b-sweep-1 b-1 a-10 a-2 a-1");
  expect_order("accuracy", true, "b-sweep-1 a-1 a-2 a-10 b-1");
  expect_order("nothing", false, "a-1 a-2 a-10 b-1 b-sweep-1");
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define ON_LIST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    ON_LIST(test_filters), cmocka_unit_test(test_bad_filters), ON_LIST(test_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
