/* Numeric tables from text: delimiters, headers, missing values, and what is wrong where. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/rng.h"
#include "format/csv.h"
#include "test_folder.h"

static rnl_error err;

static void expect_table(const char *text, char delimiter, int64_t rows, int columns, const double *values) {
  rnl_csv csv;
  size_t n = strlen(text);
  char *exact = malloc(n ? n : 1); /* without a NUL, so that a sanitizer sees a read behind the end */
  memcpy(exact, text, n);
  rnl_status status = rnl_csv_decode(&csv, exact, n, delimiter, "t", &err);
  if (status != RNL_OK) fail_msg("%s: %s", text, err.text);
  assert_int_equal(csv.data.ndim, 2);
  assert_int_equal(csv.data.size[0], rows);
  assert_int_equal(csv.data.size[1], columns);
  assert_int_equal(csv.columns, columns);
  for (int64_t i = 0; i < rows * columns; i++) {
    double value = rnl_tensor_at(&csv.data, i);
    if (!(value == values[i] || (isnan(value) && isnan(values[i])))) fail_msg("%s: value %d", text, (int)i);
  }
  rnl_csv_free(&csv);
  free(exact);
}

static void test_tables(void **state) {
  (void)state;
  static const double v[] = { 1, 2.5, -3e4, 4 };
  expect_table("1,2.5\n-3e4,4\n", 0, 2, 2, v);
  expect_table("1,2.5\r\n-3e4,4", 0, 2, 2, v);
  expect_table("\xef\xbb\xbf# made by hand\n\n 1 ; 2.5 \n# more\n-3e4;4\n\n", 0, 2, 2, v);
  expect_table("1\t2.5\n-3e4\t4\n", 0, 2, 2, v);
  expect_table("  1   2.5 \n -3e4\t 4\n", ' ', 2, 2, v);
  expect_table("1 2.5\n-3e4 4\n", 0, 2, 2, v);
  expect_table("x,\"y, z\"\n1,\"2.5\"\n-3e4,4\n", 0, 2, 2, v);
  expect_table("1\n2.5\n-3e4\n4\n", 0, 4, 1, v);
  static const double gaps[] = { 1, NAN, NAN, NAN, NAN, INFINITY };
  expect_table("1,,NA\nnan,,inf\n", 0, 2, 3, gaps);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_header(void **state) {
  (void)state;
  rnl_csv csv;
  static const char text[] = "time, \"y, one\" ,x\n1,2,3\n";
  assert_int_equal(rnl_csv_decode(&csv, text, sizeof text - 1, 0, "t", &err), RNL_OK);
  assert_string_equal(csv.names[0], "time");
  assert_string_equal(csv.names[1], "y, one");
  assert_string_equal(csv.names[2], "x");
  rnl_csv_free(&csv);
  rnl_csv_free(&csv);
  assert_int_equal(rnl_csv_decode(&csv, "1,2\n", 4, 0, "t", &err), RNL_OK);
  assert_null(csv.names);
  rnl_csv_free(&csv);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_errors(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } cases[] = {
    { "1,2\n3,abc\n", "t:2: column 2 is \"abc\"; a number was expected" },
    { "1,2\n# note\n3,4,5\n", "t:3: has 3 fields; line 1 has 2" },
    { "1,2\n3\n", "t:2: has 1 fields; line 1 has 2" },
    { "a,b\n", "t: holds no row of numbers" }, { "", "t: holds no row" }, { "\n#\n", "t: holds no row" },
    { "1,0x10\n2,0x11\n", "t:2: column 2 is \"0x11\"" },
    { "1;2,5\n3;4,5\n", "t:2: column 2 is \"4,5\"" },
    { "1,2\n1 2,3\n", "t:2: column 1 is \"1 2\"" },
  };
  rnl_csv csv;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(rnl_csv_decode(&csv, cases[i].text, strlen(cases[i].text), 0, "t", &err),
                     RNL_ERR_FORMAT);
    if (!strstr(err.text, cases[i].message))
      fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].message);
    assert_null(csv.names);
  }
  assert_int_equal(rnl_csv_decode(&csv, "1,2\n3,\0\n", 8, 0, "t", &err), RNL_ERR_FORMAT);
  assert_non_null(strstr(err.text, "t:2: holds a zero byte"));
  char *wide = malloc(200001);
  memset(wide, ',', 200000);
  wide[200000] = '\n';
  assert_int_equal(rnl_csv_decode(&csv, wide, 200001, 0, "t", &err), RNL_ERR_FORMAT);
  assert_non_null(strstr(err.text, "more than 65536 columns"));
  free(wide);
  assert_int_equal(rnl_csv_read(&csv, "/no/such/file.csv", 0, &err), RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_random_text(void **state) {
  (void)state;
  static const char letters[] = "0123456789.,;\t \n\r\"#e-+naif\0x";
  rnl_rng rng;
  rnl_rng_init(&rng, 4, RNL_RNG_USER, 0);
  for (int i = 0; i < 20000; i++) {
    size_t n = rnl_rng_below(&rng, 40);
    char *text = malloc(n ? n : 1);
    for (size_t k = 0; k < n; k++) text[k] = letters[rnl_rng_below(&rng, sizeof letters - 1)];
    rnl_csv csv;
    if (rnl_csv_decode(&csv, text, n, 0, "t", &err) == RNL_OK) rnl_csv_free(&csv);
    free(text);
  }
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_large_and_out_of_memory(void **state) {
  (void)state;
  rnl_buffer text = { 0 };
  for (int i = 0; i < 5000; i++) rnl_buffer_printf(&text, "%d,%g,%g\n", i, i * 0.5, i * 0.25);
  put_file(test_path("big.csv"), text.data, text.length);
  rnl_buffer_free(&text);
  rnl_status status = RNL_ERR_MEMORY;
  for (int i = 1; i < 100 && status != RNL_OK; i++) {
    rnl_csv csv;
    rnl_alloc_fail_after(i);
    status = rnl_csv_read(&csv, test_path("big.csv"), 0, &err);
    rnl_alloc_fail_after(0);
    if (status == RNL_OK) {
      assert_int_equal(csv.data.size[0], 5000);
      assert_true(rnl_tensor_at(&csv.data, 4999 * 3 + 2) == 4999 * 0.25);
      rnl_csv_free(&csv);
    } else {
      assert_int_equal(status, RNL_ERR_MEMORY);
    }
    assert_int_equal(rnl_alloc_live(), 0);
  }
  assert_int_equal(status, RNL_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_tables), cmocka_unit_test(test_header), cmocka_unit_test(test_errors),
    cmocka_unit_test(test_random_text),
    cmocka_unit_test_setup_teardown(test_large_and_out_of_memory, make_test_folder, remove_test_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
