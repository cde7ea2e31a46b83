/* metrics.csv: rows as text and back to the same bits, torn tails, wrong lines, the thinned curve. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/host.h"
#include "base/number.h"
#include "base/rng.h"
#include "store/private.h"
#include "test_folder.h"

static rnl_error err;

static void test_format(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  int64_t epochs[] = { 0, 1, 1000000007 };
  double values[] = { 0.5, NAN, rnl_missing(), 3, -INFINITY, 1e-9 };
  rnl_metrics_format(&b, 2, 3, epochs, values);
  assert_string_equal(b.data, "0,0.5,nan\n1,,3\n1000000007,-inf,1e-09\n");
  rnl_buffer_free(&b);
}

static void test_round_trip(void **state) {
  (void)state;
  enum { ROWS = 10000, COLUMNS = 3 };
  int64_t *epochs = malloc(ROWS * sizeof *epochs);
  double *values = malloc(ROWS * COLUMNS * sizeof *values);
  rnl_rng rng;
  rnl_rng_init(&rng, 1, RNL_RNG_USER, 0);
  for (int i = 0; i < ROWS; i++) epochs[i] = i + 1;
  for (int i = 0; i < ROWS * COLUMNS; i++)
    values[i] = i % 97 == 5 ? rnl_missing() : exp(8 * rnl_rng_normal(&rng));
  rnl_buffer b = { 0 };
  rnl_buffer_text(&b, "epoch,loss,a b,c\n");
  double start = rnl_time_monotonic();
  rnl_metrics_format(&b, COLUMNS, ROWS, epochs, values);
  double took = rnl_time_monotonic() - start;
  assert_true(took < 0.25); /* about 4 ms; the room is for sanitizers and busy machines */
  put_file(test_path("metrics.csv"), b.data, b.length);
  rnl_buffer_free(&b);
  rnl_metrics m;
  assert_int_equal(rnl_metrics_read(&m, test_folder, &err), RNL_OK);
  assert_int_equal(m.rows, ROWS);
  assert_int_equal(m.columns, COLUMNS);
  assert_memory_equal(m.epochs, epochs, ROWS * sizeof *epochs);
  assert_memory_equal(m.values, values, ROWS * COLUMNS * sizeof *values);
  assert_int_equal(rnl_metrics_column(&m, "a b"), 1);
  assert_int_equal(rnl_metrics_column(&m, "none"), -1);
  rnl_metrics_free(&m);
  rnl_metrics_free(&m);
  free(epochs);
  free(values);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void expect_rows(const char *text, size_t length, int64_t rows) {
  rnl_metrics m;
  put_file(test_path("metrics.csv"), text, length);
  assert_int_equal(rnl_metrics_read(&m, test_folder, &err), RNL_OK);
  assert_int_equal(m.rows, rows);
  rnl_metrics_free(&m);
}

static void test_torn_tails(void **state) {
  (void)state;
  static const char text[] = "epoch,loss\n1,0.5\n2,0.25\n";
  size_t length = sizeof text - 1;
  /* Cut anywhere: whole lines stay, and nothing else. */
  for (size_t n = 0; n <= length; n++) {
    int lines = 0;
    for (size_t i = 0; i < n; i++) lines += text[i] == '\n';
    expect_rows(text, n, lines > 0 ? lines - 1 : 0);
  }
  static const char zeros[] = "epoch,loss\n1,0.5\n2,0.\0\0\0\0\0\0\0\0\n";
  expect_rows(zeros, sizeof zeros - 1, 1);
}

static void expect_error(const char *text, const char *message) {
  rnl_metrics m;
  put_text(test_path("metrics.csv"), text);
  assert_int_equal(rnl_metrics_read(&m, test_folder, &err), RNL_ERR_FORMAT);
  if (!strstr(err.text, message)) fail_msg("\"%s\" does not say \"%s\"", err.text, message);
  assert_null(m.values);
}

static void test_wrong_lines(void **state) {
  (void)state;
  rnl_metrics m;
  assert_int_equal(rnl_metrics_read(&m, test_folder, &err), RNL_ERR_NOT_FOUND);
  expect_error("loss\n1\n", "metrics.csv:1: the header must begin");
  expect_error("epochs,loss\n1,2\n", "metrics.csv:1: the header");
  expect_error("epoch,loss\n1,2\n2\n", "metrics.csv:3: has 0 values; the header names 1");
  expect_error("epoch,loss\n1,2,3\n", "metrics.csv:2: text behind");
  expect_error("epoch,loss\n1,x\n", "metrics.csv:2: column loss is not a number");
  expect_error("epoch,loss\n1.5,2\n", "metrics.csv:2: the epoch");
  expect_error("epoch,loss\n1e300,2\n", "metrics.csv:2: the epoch");
  expect_error("epoch,loss\n\n1,2\n", "metrics.csv:2: the epoch");
  expect_rows("epoch\n1\n2\n", 10, 2); /* no columns at all */
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_curve(void **state) {
  (void)state;
  static const int lengths[] = { 0, 1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 10000, 100001 };
  rnl_curve *curve = malloc(sizeof *curve);
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
    int n = lengths[k];
    *curve = (rnl_curve){ 0 };
    for (int i = 0; i < n; i++) rnl_curve_add(curve, i + 1, 100.0 * i);
    int points = rnl_curve_finish(curve);
    assert_true(points <= RNL_INDEX_CURVE_POINTS + 1);
    assert_true(n == 0 ? points == 0 : points >= (n < 512 ? n : 512));
    for (int i = 0; i < points; i++) {
      double epoch = curve->points[i][0];
      assert_true(curve->points[i][1] == 100.0 * (epoch - 1));
      if (i + 1 < points) assert_true(epoch == 1 + (double)(i * curve->stride));
      else assert_true(epoch == n); /* the last row is always there */
    }
  }
  free(curve);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    cmocka_unit_test(test_format), IN_FOLDER(test_round_trip), IN_FOLDER(test_torn_tails),
    IN_FOLDER(test_wrong_lines), cmocka_unit_test(test_curve),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
