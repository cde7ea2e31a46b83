/* Spaces: what SPACE texts become and which are refused, conditions, counting, points one by one. */
#include "sweep_setup.h"

#include "base/rng.h"

static rnl_dimension only(rnl_space *space) {
  assert_int_equal(space->n, 1);
  return space->dims[0];
}

static void test_choices(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "hidden", RNL_DECLARED_INT, "4,8,16");
  const rnl_dimension d = only(&space);
  assert_int_equal(d.kind, RNL_DIM_CATEGORICAL);
  assert_int_equal(d.n_choices, 3);
  assert_string_equal(d.choices[2], "16");
  assert_int_equal(d.when, -1);
  assert_int_equal(rnl_space_count(&space), 3);
  rnl_space_free(&space);

  parse(&space, "lr", RNL_DECLARED_NUMBER, ".1,1e-2,+3"); /* as numbers are written, whatever was typed */
  assert_string_equal(space.dims[0].choices[0], "0.1");
  assert_string_equal(space.dims[0].choices[1], "0.01");
  assert_string_equal(space.dims[0].choices[2], "3");
  parse(&space, "file", RNL_DECLARED_TEXT, "../a..b.csv,x");
  assert_string_equal(space.dims[1].choices[0], "../a..b.csv");
  static const char *const truth[] = {"false", "true"};
  const rnl_declared flag = {.name = "flag", .kind = RNL_DECLARED_CHOICE, .n_choices = 2, .choices = truth};
  OK(rnl_space_parse(&space, &flag, "on,no", err));
  assert_string_equal(space.dims[2].choices[0], "true");
  assert_string_equal(space.dims[2].choices[1], "false");
  rnl_space_free(&space);
}

static void test_ranges(void **state) {
  (void)state;
  static const struct {
    const char *text;
    rnl_declared_kind declared;
    rnl_dimension_kind kind;
    double low, high, step;
    bool log;
    int64_t count;
  } cases[] = {
      {"4..64", RNL_DECLARED_NUMBER, RNL_DIM_INT, 4, 64, 1, false, 61},
      {"4..64", RNL_DECLARED_INT, RNL_DIM_INT, 4, 64, 1, false, 61},
      {"4..64", RNL_DECLARED_REAL, RNL_DIM_REAL, 4, 64, 0, false, 0},
      {"4..64.0", RNL_DECLARED_NUMBER, RNL_DIM_REAL, 4, 64, 0, false, 0},
      {"1e-4..1e-1", RNL_DECLARED_NUMBER, RNL_DIM_REAL, 1e-4, 1e-1, 0, false, 0},
      {"log:1e-4..1e-1", RNL_DECLARED_REAL, RNL_DIM_REAL, 1e-4, 1e-1, 0, true, 0},
      {"log:1..1000", RNL_DECLARED_INT, RNL_DIM_INT, 1, 1000, 1, true, 1000},
      {"0..10/2", RNL_DECLARED_NUMBER, RNL_DIM_INT, 0, 10, 2, false, 6},
      {"0..9/2", RNL_DECLARED_NUMBER, RNL_DIM_INT, 0, 8, 2, false, 5},
      {"0..1/.1", RNL_DECLARED_REAL, RNL_DIM_REAL, 0, 1, .1, false, 11},
      {"-1..1/0.3", RNL_DECLARED_NUMBER, RNL_DIM_REAL, -1, .8, .3, false, 7},
      {"-5..-2", RNL_DECLARED_NUMBER, RNL_DIM_INT, -5, -2, 1, false, 4},
      {"0..10/2.5", RNL_DECLARED_NUMBER, RNL_DIM_REAL, 0, 10, 2.5, false, 5},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_space space = {0};
    parse(&space, "x", cases[i].declared, cases[i].text);
    const rnl_dimension d = only(&space);
    if (d.kind != cases[i].kind || d.low != cases[i].low || d.high != cases[i].high || d.step != cases[i].step ||
        d.log != cases[i].log || rnl_dimension_count(&d) != cases[i].count)
      fail_msg("%s: %d %.17g..%.17g/%g log %d, %lld values", cases[i].text, d.kind, d.low, d.high, d.step, d.log,
               (long long)rnl_dimension_count(&d));
    rnl_space_free(&space);
  }
}

/* Steps of a tenth give .3, not .1 + .1 + .1. */
static void test_steps_are_decimal(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "x", RNL_DECLARED_REAL, "0..1/.1");
  parse(&space, "y", RNL_DECLARED_REAL, "0.05..3.05/0.15");
  static const double tenths[] = {0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1};
  for (int i = 0; i <= 10; i++) assert_true(rnl_dimension_at(&space.dims[0], i) == tenths[i]);
  assert_true(rnl_dimension_at(&space.dims[1], 2) == .35);
  assert_true(rnl_dimension_at(&space.dims[1], 20) == 3.05);
  for (int i = 0; i <= 10; i++) assert_int_equal(rnl_dimension_nearest(&space.dims[0], tenths[i] + .049), i);
  assert_int_equal(rnl_dimension_nearest(&space.dims[0], -7), 0);
  assert_int_equal(rnl_dimension_nearest(&space.dims[0], 1e300), 10);
  rnl_space_free(&space);
}

static void test_declared(void **state) {
  (void)state;
  static const char *const cells[] = {"elman", "jordan", "lstm"};
  const rnl_declared lr = {.name = "lr", .kind = RNL_DECLARED_REAL, .has_low = true, .has_high = true, .low = 1e-4,
                           .high = .1, .log = true};
  const rnl_declared cell = {.name = "cell", .kind = RNL_DECLARED_CHOICE, .n_choices = 3, .choices = cells};
  rnl_space space = {0};
  OK(rnl_space_parse(&space, &lr, NULL, err));
  assert_true(space.dims[0].log && space.dims[0].low == 1e-4 && space.dims[0].high == .1);
  OK(rnl_space_parse(&space, &cell, NULL, err));
  assert_int_equal(space.dims[1].n_choices, 3);
  rnl_space_free(&space);
  OK(rnl_space_parse(&space, &lr, "1e-3..1e-1", err)); /* the declared scale, unless another is written */
  assert_true(space.dims[0].log);
  rnl_space_free(&space);
  OK(rnl_space_parse(&space, &lr, "lin:1e-3..1e-1", err));
  assert_false(space.dims[0].log);
  rnl_space_free(&space);
  OK(rnl_space_parse(&space, &lr, "0.01..0.1/0.01", err));
  assert_false(space.dims[0].log);
  rnl_space_free(&space);
  FAILS(rnl_space_parse(&space, &lr, "1e-5..1e-2", err), RNL_ERR_ARG, "outside the declared range");
  FAILS(rnl_space_parse(&space, &lr, ".01,.2", err), RNL_ERR_ARG, "lr=.01,.2: 0.2 is outside");
  FAILS(rnl_space_parse(&space, &cell, "elman,gru", err), RNL_ERR_ARG, "gru is not among elman, jordan, lstm");
  FAILS(rnl_space_parse(&space, &cell, "1..3", err), RNL_ERR_ARG, "not among");
  assert_int_equal(space.n, 0);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    rnl_declared_kind kind;
    const char *text, *part;
  } cases[] = {
      {RNL_DECLARED_NUMBER, "", "there are no values"},
      {RNL_DECLARED_NUMBER, "5..1", "x=5..1: the range is reversed: 5 is above 1"},
      {RNL_DECLARED_NUMBER, "3..3", "the range is empty"},
      {RNL_DECLARED_NUMBER, "..", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "1..", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "..5", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "a..b", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "1..2..3", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "1..nan", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "-inf..1", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "1..1e999", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "-1.5e308..1.5e308", "wider"},
      {RNL_DECLARED_NUMBER, "log:0..1", "above 0"},
      {RNL_DECLARED_NUMBER, "log:-1..1", "above 0"},
      {RNL_DECLARED_NUMBER, "log:1,2,4", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "log:", "LOW..HIGH"},
      {RNL_DECLARED_NUMBER, "log:1..100/3", "no steps"},
      {RNL_DECLARED_NUMBER, "0..10/0", "a step must be above 0"},
      {RNL_DECLARED_NUMBER, "0..10/-2", "a step must be above 0"},
      {RNL_DECLARED_NUMBER, "0..10/", "not a step"},
      {RNL_DECLARED_NUMBER, "0..10/x", "not a step"},
      {RNL_DECLARED_NUMBER, "0..10/20", "leaves only 0"},
      {RNL_DECLARED_NUMBER, "0..1/1e-9", "too fine"},
      {RNL_DECLARED_INT, "0..10/2.5", "whole number"},
      {RNL_DECLARED_INT, "1.5..4", "whole number"},
      {RNL_DECLARED_INT, "4,8.5", "x=4,8.5: x must be a whole number, and 8.5 is not"},
      {RNL_DECLARED_INT, "0..1e300", "2^53"},
      {RNL_DECLARED_NUMBER, "4,8,4", "x=4,8,4: 4 stands there twice"},
      {RNL_DECLARED_NUMBER, ".1,0.10", "0.1 stands there twice"},
      {RNL_DECLARED_NUMBER, "0,-0", "0 stands there twice"},
      {RNL_DECLARED_NUMBER, "4,,8", "between two commas"},
      {RNL_DECLARED_NUMBER, "4,", "between two commas"},
      {RNL_DECLARED_NUMBER, "4,x", "'x' is not a number"},
      {RNL_DECLARED_NUMBER, "0x10", "not a number"},
      {RNL_DECLARED_NUMBER, "nan,1", "not a number"},
      {RNL_DECLARED_NUMBER, NULL, "declares no range"},
      {RNL_DECLARED_TEXT, NULL, "no range to sweep"},
      {RNL_DECLARED_TEXT, "a,b,a", "twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_space space = {0};
    const rnl_declared declared = {.name = "x", .kind = cases[i].kind};
    FAILS(rnl_space_parse(&space, &declared, cases[i].text, err), RNL_ERR_ARG, cases[i].part);
    assert_int_equal(space.n, 0);
    assert_int_equal(rnl_space_parse(&space, &declared, cases[i].text, NULL), RNL_ERR_ARG);
  }
  rnl_space space = {0};
  parse(&space, "x", RNL_DECLARED_NUMBER, "1,2");
  FAILS(rnl_space_parse(&space, &(rnl_declared){.name = "x"}, "1..2", err), RNL_ERR_ARG, "twice");
  rnl_space_free(&space);
}

/* layers 1..3; hidden2 where it is 2 or 3, hidden3 where it is 3, and drop where hidden3 is 8. */
static rnl_space layered(void) {
  rnl_space space = {0};
  parse(&space, "layers", RNL_DECLARED_INT, "1..3");
  parse(&space, "hidden2", RNL_DECLARED_INT, "4,8");
  parse(&space, "hidden3", RNL_DECLARED_INT, "4,8,16");
  parse(&space, "drop", RNL_DECLARED_REAL, "0..0.5/0.25");
  parse(&space, "cell", RNL_DECLARED_TEXT, "a,b");
  static const char *const two[] = {"2", "3"}, *const three[] = {"3"}, *const eight[] = {"8"};
  OK(rnl_space_condition(&space, "hidden2", "layers", 2, two, err));
  OK(rnl_space_condition(&space, "hidden3", "layers", 1, three, err));
  OK(rnl_space_condition(&space, "drop", "hidden3", 1, eight, err));
  return space;
}

static void test_conditions(void **state) {
  (void)state;
  rnl_space space = layered();
  /* layers 1: 1; 2: 2; 3: 2 * (1 + 3 + 1); each with two cells */
  assert_int_equal(rnl_space_count(&space), 2 * (1 + 2 + 10));
  double values[5] = {3, 1, 0, .25, 1};
  rnl_space_close(&space, values);
  assert_true(isnan(values[3]) && values[2] == 0);
  OK(rnl_space_check(&space, values, err));
  values[0] = 2;
  FAILS(rnl_space_check(&space, values, err), RNL_ERR_ARG, "hidden3");
  rnl_space_close(&space, values);
  OK(rnl_space_check(&space, values, err));
  assert_false(rnl_space_active(&space, values, 3)); /* its parent is closed */
  rnl_buffer text = {0};
  rnl_dimension_describe(&space, 1, &text);
  assert_string_equal(rnl_buffer_string(&text), "hidden2: 4, 8 (where layers is 2 or 3)");
  rnl_buffer_free(&text);

  static const char *const bad[] = {"7"}, *const twice[] = {"2", "2"};
  FAILS(rnl_space_condition(&space, "layers", "hidden2", 1, bad, err), RNL_ERR_ARG, "must stand before it");
  FAILS(rnl_space_condition(&space, "hidden2", "nothing", 1, bad, err), RNL_ERR_ARG, "nothing is not swept");
  FAILS(rnl_space_condition(&space, "hidden2", "layers", 1, bad, err), RNL_ERR_ARG, "layers=7");
  FAILS(rnl_space_condition(&space, "hidden2", "layers", 0, bad, err), RNL_ERR_ARG, "which value");
  FAILS(rnl_space_condition(&space, "hidden2", "layers", 2, twice, err), RNL_ERR_ARG, "twice");
  rnl_space copy = {0};
  OK(rnl_space_copy(&space, &copy, err));
  assert_int_equal(rnl_space_count(&copy), 26);
  rnl_space_free(&copy);
  rnl_space_free(&space);
  parse(&space, "x", RNL_DECLARED_REAL, "0..1");
  parse(&space, "y", RNL_DECLARED_REAL, "0..1");
  FAILS(rnl_space_condition(&space, "y", "x", 1, bad, err), RNL_ERR_ARG, "continuous");
  assert_int_equal(rnl_space_count(&space), 0);
  rnl_space_free(&space);
}

/* Every index is a different point of the space, row by row. */
static void test_points_in_order(void **state) {
  (void)state;
  rnl_space space = layered();
  double points[26][5];
  for (int i = 0; i < 26; i++) {
    rnl_space_point(&space, i, points[i]);
    OK(rnl_space_check(&space, points[i], err));
    for (int k = 0; k < i; k++) assert_false(rnl_space_same(&space, points[i], points[k]));
    if (i == 0) continue;
    bool rises = false; /* lexicographic: the first that differs is larger, or was closed */
    for (int d = 0; d < 5 && !rises; d++) {
      if (points[i][d] == points[i - 1][d] || (isnan(points[i][d]) && isnan(points[i - 1][d]))) continue;
      if (!(points[i][d] > points[i - 1][d])) fail_msg("point %d, dimension %d", i, d);
      rises = true;
    }
    assert_true(rises);
  }
  assert_true(points[0][0] == 1 && isnan(points[0][1]) && points[0][4] == 0 && points[1][4] == 1);
  rnl_space_free(&space);
}

static void test_large_counts(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "a", RNL_DECLARED_INT, "0..4000000000");
  parse(&space, "b", RNL_DECLARED_INT, "0..999");
  assert_int_equal(rnl_space_count(&space), 4000000001LL * 1000);
  parse(&space, "c", RNL_DECLARED_INT, "0..4000000000");
  assert_true(rnl_space_count(&space) == INT64_MAX);
  rnl_space_free(&space);
}

static void test_values_as_text(void **state) {
  (void)state;
  rnl_space space = {0};
  parse(&space, "n", RNL_DECLARED_INT, "log:1..1000000");
  parse(&space, "x", RNL_DECLARED_REAL, "0..1");
  parse(&space, "c", RNL_DECLARED_TEXT, "lstm,gru");
  static const struct { int dim; double value; const char *text; } cases[] = {
      {0, 1000000, "1000000"}, {1, .1, "0.1"}, {1, 1e-7, "1e-07"}, {2, 1, "gru"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_buffer text = {0};
    double back = -1;
    rnl_dimension_format(&space.dims[cases[i].dim], cases[i].value, &text);
    assert_string_equal(rnl_buffer_string(&text), cases[i].text);
    OK(rnl_dimension_read(&space.dims[cases[i].dim], rnl_buffer_string(&text), &back, err));
    assert_true(back == cases[i].value);
    rnl_buffer_free(&text);
  }
  double value;
  FAILS(rnl_dimension_read(&space.dims[0], "1.5", &value, err), RNL_ERR_ARG, "n=1.5 is not in");
  FAILS(rnl_dimension_read(&space.dims[1], "2", &value, err), RNL_ERR_ARG, "x=2 is not in");
  FAILS(rnl_dimension_read(&space.dims[1], "0.5z", &value, err), RNL_ERR_ARG, "x=0.5z is not in");
  FAILS(rnl_dimension_read(&space.dims[2], "GRU", &value, err), RNL_ERR_ARG, "c=GRU is not in");
  rnl_space_free(&space);
}

/* Texts put together at random from what SPACE is made of: refused in one line, or a sound dimension that reads its own
 * values back. */
static void test_any_text(void **state) {
  (void)state;
  static const char *const parts[] = {"..", ",", "log:", "lin:", "/", "-", "+", ".", "0", "1", "7", "64",
                                      "e", "e-3", "1e300", "nan", "inf", " ", "a", "%s", "\xc3",
                                      "999999999999999999999", "0.1", "="};
  static const char *const choices[] = {"a", "7", "1..7"};
  rnl_rng rng;
  rnl_rng_init(&rng, 3, RNL_RNG_SWEEP, 0);
  int taken = 0;
  for (int i = 0; i < 60000; i++) {
    char text[200] = "";
    for (int k = 1 + (int)rnl_rng_below(&rng, 6); k > 0; k--)
      strcat(text, parts[rnl_rng_below(&rng, sizeof parts / sizeof *parts)]);
    const rnl_declared declared = {.name = "x", .kind = (rnl_declared_kind)rnl_rng_below(&rng, 5), .n_choices = 3,
                                   .choices = choices, .has_low = i % 3 == 0, .low = -5, .has_high = i % 5 == 0,
                                   .high = 100, .log = i % 7 == 0};
    rnl_space space = {0};
    rnl_error refusal = {0};
    const rnl_status status = rnl_space_parse(&space, &declared, text, &refusal);
    if (status != RNL_OK) {
      if (status != RNL_ERR_ARG || space.n != 0 || strncmp(refusal.text, "x=", 2) != 0 || strchr(refusal.text, '\n'))
        fail_msg("'%s': status %d, %d dimensions, \"%s\"", text, status, space.n, refusal.text);
      continue;
    }
    taken++;
    const rnl_dimension *d = &space.dims[0];
    const int64_t count = rnl_dimension_count(d);
    assert_true(d->low <= d->high && count >= 0 && (!d->log || d->low > 0));
    const double ends[] = {d->low, d->high, count ? rnl_dimension_at(d, count / 2) : 0.5 * d->low + 0.5 * d->high};
    for (int k = 0; k < 3; k++) {
      rnl_buffer written = {0};
      double back = NAN;
      OK(rnl_space_check(&space, &ends[k], err));
      rnl_dimension_format(d, ends[k], &written);
      OK(rnl_dimension_read(d, rnl_buffer_string(&written), &back, err));
      if (back != ends[k]) fail_msg("'%s': %.17g reads back as %.17g", text, ends[k], back);
      rnl_buffer_free(&written);
    }
    rnl_space_free(&space);
  }
  assert_true(taken > 5000);
}

static void test_memory_runs_out(void **state) {
  (void)state;
  const int64_t before = rnl_alloc_live();
  for (int64_t n = 1;; n++) {
    rnl_space space = {0};
    rnl_error err = {0};
    const rnl_declared a = {.name = "a", .kind = RNL_DECLARED_INT}, b = {.name = "b", .kind = RNL_DECLARED_NUMBER};
    static const char *const two[] = {"2"};
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_space_parse(&space, &a, "1,2,3", &err);
    if (status == RNL_OK) status = rnl_space_parse(&space, &b, "0..1", &err);
    if (status == RNL_OK) status = rnl_space_condition(&space, "b", "a", 1, two, &err);
    rnl_alloc_fail_after(0);
    rnl_space_free(&space);
    assert_int_equal(rnl_alloc_live(), before);
    if (status == RNL_OK) break;
    assert_int_equal(status, RNL_ERR_MEMORY);
    assert_true(n < 100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_choices),         cmocka_unit_test(test_ranges),
      cmocka_unit_test(test_steps_are_decimal), cmocka_unit_test(test_declared),
      cmocka_unit_test(test_refused),         cmocka_unit_test(test_conditions),
      cmocka_unit_test(test_points_in_order), cmocka_unit_test(test_large_counts),
      cmocka_unit_test(test_values_as_text),  cmocka_unit_test(test_any_text),
      cmocka_unit_test(test_memory_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
