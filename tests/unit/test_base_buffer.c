/* The buffer, the error text and the allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buffer.h"

static void test_append(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  assert_string_equal(rnl_buffer_string(&b), "");
  for (int i = 0; i < 1000; i++) rnl_buffer_printf(&b, "%d,", i);
  assert_int_equal(b.length, 10 * 2 + 90 * 3 + 900 * 4);
  assert_memory_equal(b.data, "0,1,2,3,", 8);
  assert_string_equal(b.data + b.length - 4, "999,");
  rnl_buffer_clear(&b);
  rnl_buffer_append(&b, "a\0b", 3);
  rnl_buffer_char(&b, 'c');
  assert_int_equal(b.length, 4);
  assert_memory_equal(b.data, "a\0bc", 5);
  rnl_buffer_free(&b);
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_long_printf(void **state) {
  (void)state;
  char text[3001];
  memset(text, 'x', 3000);
  text[3000] = '\0';
  rnl_buffer b = { 0 };
  rnl_buffer_printf(&b, "<%s>", text);
  assert_int_equal(b.length, 3002);
  assert_int_equal(b.data[3001], '>');
  assert_int_equal(b.data[3002], '\0');
  char *taken = rnl_buffer_take(&b);
  assert_int_equal(strlen(taken), 3002);
  assert_null(b.data);
  rnl_free(taken);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_failure_is_sticky(void **state) {
  (void)state;
  rnl_error err = { 0 };
  rnl_buffer b = { 0 };
  rnl_buffer_text(&b, "kept");
  rnl_alloc_fail_after(1);
  char big[4096] = { 0 };
  rnl_buffer_append(&b, big, sizeof big);
  rnl_alloc_fail_after(0);
  rnl_buffer_text(&b, "lost");
  assert_int_equal(b.length, 4);
  assert_int_equal(rnl_buffer_check(&b, "the test", &err), RNL_ERR_MEMORY);
  assert_string_equal(err.text, "out of memory while writing the test");
  assert_null(rnl_buffer_take(&b));
  assert_false(rnl_buffer_reserve(&(rnl_buffer){ 0 }, SIZE_MAX));
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_alloc(void **state) {
  (void)state;
  assert_null(rnl_alloc(SIZE_MAX / 2, 3));
  assert_null(rnl_alloc(SIZE_MAX, 1));
  int *p = rnl_alloc(10, sizeof *p);
  assert_int_equal((uintptr_t)p % RNL_ALIGN, 0);
  p[9] = 7;
  p = rnl_realloc(p, 10, 1000, sizeof *p);
  assert_int_equal(p[9], 7);
  assert_int_equal(p[999], 0);
  rnl_free(p);
  /* Large ones, some of pages that are not whole. */
  for (size_t count = (4u << 20) - 1; count <= (6u << 20) + 1; count += (1u << 20) + 1) {
    char *large = rnl_alloc(count, 1);
    assert_non_null(large);
    assert_int_equal((uintptr_t)large % RNL_ALIGN, 0);
    for (size_t i = 0; i < count; i++) assert_true(large[i] == 0);
    memset(large, 1, count);
    large = rnl_realloc(large, count, count + 3, 1);
    assert_true(large && large[0] == 1 && large[count - 1] == 1 && large[count] == 0);
    rnl_free(large);
  }
  void *none = rnl_alloc(0, 8);
  assert_non_null(none);
  rnl_free(none);
  rnl_alloc_fail_after(2);
  p = rnl_alloc(1, 1);
  assert_non_null(p);
  assert_null(rnl_strdup("x"));
  assert_null(rnl_alloc(1, 1));
  rnl_alloc_fail_after(0);
  rnl_free(p);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_error_text(void **state) {
  (void)state;
  rnl_error err;
  assert_int_equal(rnl_fail(&err, RNL_ERR_SHAPE, "(%d, %d)", 3, 4), RNL_ERR_SHAPE);
  assert_int_equal(rnl_error_prefix(&err, "layer %s", "rnn"), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "layer rnn: (3, 4)");
  assert_int_equal(rnl_fail(NULL, RNL_ERR_IO, "x"), RNL_ERR_IO);
  char big[3000];
  memset(big, 'y', sizeof big - 1);
  big[sizeof big - 1] = '\0';
  rnl_fail(&err, RNL_ERR_IO, "%s", big);
  rnl_error_prefix(&err, "%s", big);
  assert_int_equal(strlen(err.text), RNL_ERROR_TEXT - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_append), cmocka_unit_test(test_long_printf),
    cmocka_unit_test(test_failure_is_sticky), cmocka_unit_test(test_alloc),
    cmocka_unit_test(test_error_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
