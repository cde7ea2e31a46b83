/* Numbers as text: what is written reads back to the same bits, in few digits, in any locale. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "base/rng.h"

static double parse(const char *text) {
  double value = -12345;
  const char *after;
  assert_true(rnl_number_parse(text, text + strlen(text), &value, &after));
  assert_ptr_equal(after, text + strlen(text));
  return value;
}

static void test_texts(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } cases[] = {
    { 0.1, "0.1" }, { 3, "3" }, { -2.5, "-2.5" }, { 0, "0" }, { -0.0, "-0" }, { 1e-7, "1e-07" },
    { 100, "100" }, { 1e16, "10000000000000000" }, { 1e17, "1e+17" }, { 123456.789, "123456.789" },
    { 0.001, "0.001" }, { 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { -2.5e300, "-2.5e+300" },
    { 5e-324, "5e-324" }, { 1.7976931348623157e308, "1.7976931348623157e+308" },
    { 1.0 / 3, "0.3333333333333333" }, { 0.1f, "0.10000000149011612" }, { NAN, "nan" },
    { INFINITY, "inf" }, { -INFINITY, "-inf" }, { 2.2250738585072014e-308, "2.2250738585072014e-308" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[RNL_NUMBER_TEXT];
    size_t n = rnl_number_format(text, cases[i].value);
    assert_string_equal(text, cases[i].text);
    assert_int_equal(n, strlen(text));
  }
}

static void test_round_trip(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_rng_init(&rng, 1, RNL_RNG_USER, 0);
  int longer = 0;
  enum { N = 100000 };
  for (int i = 0; i < N; i++) {
    uint64_t bits = (uint64_t)rnl_rng_u32(&rng) << 32;
    bits |= rnl_rng_u32(&rng);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (i % 3 == 1) value = rnl_rng_uniform(&rng);
    if (i % 3 == 2) value = (double)(float)rnl_rng_normal(&rng);
    if (!isfinite(value)) continue;
    char text[RNL_NUMBER_TEXT], shortest[40];
    rnl_number_format(text, value);
    double back = strtod(text, NULL), ours = parse(text);
    assert_memory_equal(&back, &value, sizeof value);
    assert_memory_equal(&ours, &value, sizeof value);
    /* Sixteen digits would have done, and seventeen were written? */
    snprintf(shortest, sizeof shortest, "%.15e", value);
    int digits = 0;
    for (const char *p = text; *p && *p != 'e'; p++)
      digits += *p >= '0' && *p <= '9' && (digits || *p != '0');
    longer += digits > 16 && strtod(shortest, NULL) == value;
  }
  assert_true(longer < N / 200);
}

static void test_parsing(void **state) {
  (void)state;
  assert_true(parse("1.5e3") == 1500);
  assert_true(parse("-.5") == -0.5);
  assert_true(parse("+7.") == 7);
  assert_true(parse("1e400") == INFINITY);
  assert_true(parse("1e-400") == 0);
  assert_true(isnan(parse("NaN")));
  assert_true(parse("-Infinity") == -INFINITY);
  assert_true(parse("123456789012345678901234567890") == 123456789012345678901234567890.0);
  assert_true(parse("0.000000000000000000000000000000000000012345678901234567891") ==
              0.000000000000000000000000000000000000012345678901234567891);
  static const char *const wrong[] = { "", "-", ".", "e5", "abc", "--1", "+", "-.e1" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    double value;
    const char *after;
    assert_false(rnl_number_parse(wrong[i], wrong[i] + strlen(wrong[i]), &value, &after));
  }
  /* It stops where the number does, and never looks behind the end. */
  const char *text = "12,5";
  double value;
  const char *after;
  assert_true(rnl_number_parse(text, text + 4, &value, &after) && value == 12 && *after == ',');
  assert_true(rnl_number_parse(text, text + 1, &value, &after) && value == 1 && after == text + 1);
  assert_true(rnl_number_parse("0x10", (const char *)"0x10" + 4, &value, &after) && value == 0);
  assert_true(rnl_number_parse("1e+", (const char *)"1e+" + 3, &value, &after) && value == 1);
  char *digits = malloc(100000);
  memset(digits, '7', 100000);
  assert_false(rnl_number_parse(digits, digits + 100000, &value, &after));
  free(digits);
}

static void test_locale_with_decimal_comma(void **state) {
  (void)state;
  static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8" };
  const char *found = NULL;
  for (size_t i = 0; i < 3 && !found; i++) found = setlocale(LC_NUMERIC, names[i]);
  char text[RNL_NUMBER_TEXT]; /* without such a locale this is the plain case once more */
  rnl_number_format(text, 0.30000000000000004);
  assert_string_equal(text, "0.30000000000000004");
  assert_true(parse(text) == 0.30000000000000004);
  setlocale(LC_NUMERIC, "C");
}

static void test_missing(void **state) {
  (void)state;
  double values[2] = { rnl_missing(), NAN }, copy[2];
  memcpy(copy, values, sizeof copy);
  assert_true(isnan(copy[0]) && rnl_is_missing(copy[0]));
  assert_false(rnl_is_missing(copy[1]));
  assert_false(rnl_is_missing(1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_texts),   cmocka_unit_test(test_round_trip),
    cmocka_unit_test(test_parsing), cmocka_unit_test(test_locale_with_decimal_comma),
    cmocka_unit_test(test_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
