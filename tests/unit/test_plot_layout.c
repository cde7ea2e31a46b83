/* What decides how a figure looks before gnuplot sees it: text cleaning, axes, thinning, the script. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "plot/axis.h"
#include "plot/script.h"
#include "plot/text.h"
#include "plot/thin.h"
#include "plot/write.h"

static rnl_error err;

static void expect_clean(const char *text, const char *wanted) {
  char *got = rnl_plot_clean_copy(text);
  assert_string_equal(got, wanted);
  rnl_free(got);
}

static void cleaning(void **state) {
  (void)state;
  expect_clean("", "");
  expect_clean("plain `x` $(y) \"z\" \\ @A {b}", "plain `x` $(y) \"z\" \\ @A {b}");
  expect_clean("it's", "it’s");
  expect_clean("two\nlines\r\nthree\ttab", "two lines three tab");
  expect_clean("a\x01\x1b[31m\x7f" "b", "a[31mb");
  expect_clean("y₁(t) · ü", "y₁(t) · ü");
  expect_clean("\xC2\x85" "c1", "c1");                       /* a C1 control character */
  expect_clean("\xE2\x80\xAE" "bidi\xE2\x80\xA8", "bidi");   /* right-to-left override, line separator */
  expect_clean("\xFF\xC3", "\xEF\xBF\xBD\xEF\xBF\xBD");      /* no UTF-8, cut short */
  expect_clean("\xC0\xA7", "\xEF\xBF\xBD\xEF\xBF\xBD");      /* an apostrophe in overlong form */
  expect_clean("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* a surrogate */
  expect_clean("\xEF\xBF\xBF", "\xEF\xBF\xBD");              /* U+FFFF, which XML cannot hold */
  assert_int_equal(rnl_plot_length("y₁ü"), 3);
  rnl_buffer out = {0};
  rnl_plot_fit(&out, "a text that is far too long", 10, 60);
  assert_true(rnl_plot_width(out.data, 10) <= 60);
  assert_non_null(strstr(out.data, "…"));
  rnl_buffer_free(&out);
}

static rnl_extent extent_of(double low, double high, bool whole) {
  rnl_extent e = rnl_extent_empty();
  rnl_extent_add(&e, low);
  rnl_extent_add(&e, high);
  rnl_extent_add(&e, NAN);
  rnl_extent_add(&e, INFINITY);
  e.whole = whole;
  return e;
}

static bool has_label(const rnl_axis *axis, double at, const char *label) {
  for (size_t i = 0; i < axis->count; i++)
    if (fabs(axis->tics[i].at - at) <= 1e-9 * fabs(at) && strcmp(axis->tics[i].label, label) == 0)
      return true;
  return false;
}

static void axes(void **state) {
  (void)state;
  rnl_axis a;
  rnl_axis_choose(&a, extent_of(1, 100, true), NAN, NAN, false, 6, true);
  assert_true(a.low == 0 && a.high == 100 && a.step == 20 && a.count == 6);
  assert_true(has_label(&a, 20, "20"));
  rnl_axis_choose(&a, extent_of(-0.4, 24.1, false), NAN, NAN, false, 5, false);
  assert_true(a.low > -2 && a.low < -0.4 && a.high == 25 && a.step == 5);
  rnl_axis_choose(&a, extent_of(-1.5, 1.4, false), NAN, NAN, false, 5, false);
  assert_true(has_label(&a, -1, "−1") && has_label(&a, 0, "0"));
  rnl_axis_choose(&a, extent_of(1, 4, true), NAN, NAN, false, 8, true);
  assert_true(a.step == 1);
  /* log: decades with minor tics; few decades as plain numbers; hardly any range as a linear axis */
  rnl_axis_choose(&a, extent_of(0.003, 61, false), NAN, NAN, true, 6, false);
  assert_true(a.log && a.low == 0.002 && a.high == 100);
  assert_true(has_label(&a, 0.01, "10^{−2}") && has_label(&a, 100, "10^{2}") && has_label(&a, 0.05, ""));
  assert_int_equal(rnl_axis_label_length(&a), 4);
  rnl_axis_choose(&a, extent_of(0.9, 8, false), NAN, NAN, true, 6, false);
  assert_true(has_label(&a, 2, "2") && has_label(&a, 5, "5") && has_label(&a, 3, ""));
  rnl_axis_choose(&a, extent_of(2e-4, 0.05, false), NAN, NAN, true, 3, true); /* no room for 1, 2, 5 */
  assert_true(has_label(&a, 0.001, "0.001") && has_label(&a, 0.01, "0.01") && has_label(&a, 0.002, ""));
  rnl_axis_choose(&a, extent_of(1.01, 1.09, false), NAN, NAN, true, 6, false);
  assert_true(a.count >= 3 && a.high < 1.2);
  rnl_axis_choose(&a, extent_of(1e-30, 1e30, false), NAN, NAN, true, 6, false);
  size_t labels = 0;
  for (size_t i = 0; i < a.count; i++) labels += a.tics[i].label[0] != '\0';
  assert_true(labels >= 3 && labels <= 8);
  rnl_axis_choose(&a, extent_of(-3, 0, false), NAN, NAN, true, 6, false);
  assert_false(a.log); /* nothing positive */
  rnl_axis_choose(&a, extent_of(-3, 5, false), NAN, NAN, true, 6, false);
  assert_true(a.log && a.low < 5 && a.high > 5);
  /* awkward data: none, one value, huge and tiny values, a given range, a range without extent */
  const rnl_extent odd[] = {rnl_extent_empty(), extent_of(7, 7, false), extent_of(0, 0, true),
                            extent_of(-1.7e308, 1.7e308, false), extent_of(1e-300, 2e-300, false),
                            extent_of(1e9, 1e9 + 1e-6, false), extent_of(4e-320, 4e-320, false)};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    for (int log = 0; log < 2; log++)
      for (int snug = 0; snug < 2; snug++) {
        rnl_axis_choose(&a, odd[i], NAN, NAN, log, 5, snug);
        if (!(a.low < a.high))
          print_error("case %zu, log %d, snug %d: %g to %g\n", i, log, snug, a.low, a.high);
        assert_true(isfinite(a.low) && isfinite(a.high) && a.low < a.high);
        for (size_t k = 0; k < a.count; k++) assert_true(isfinite(a.tics[k].at));
      }
  rnl_axis_choose(&a, extent_of(0, 1, false), 2, 3, false, 5, false);
  assert_true(a.low == 2 && a.high == 3);
  rnl_axis_choose(&a, extent_of(0, 1, false), 3, 3, false, 5, false);
  assert_true(a.low <= 0 && a.high >= 1);
}

static void thinning(void **state) {
  (void)state;
  enum { N = 50000 };
  double *x = rnl_alloc(N, sizeof *x), *y = rnl_alloc(N, sizeof *y);
  for (int i = 0; i < N; i++) x[i] = i + 1, y[i] = sin(i * 0.7);
  y[31234] = 50;
  y[777] = -50;
  for (int i = 20000; i < 21000; i++) y[i] = NAN;
  for (int log_x = 0; log_x < 2; log_x++) {
    size_t *points, count;
    rnl_series s = {.n = N, .x = x, .y = y};
    assert_int_equal(rnl_thin(&s, log_x, &points, &count, &err), RNL_OK);
    assert_true(count > RNL_THIN_BINS / 4 && count <= 4 * RNL_THIN_BINS + 8);
    bool peak = false, dip = false, gap = false;
    for (size_t i = 0; i < count; i++) {
      if (i > 0) assert_true(points[i] > points[i - 1]);
      peak = peak || points[i] == 31234;
      dip = dip || points[i] == 777;
      gap = gap || isnan(y[points[i]]);
    }
    assert_true(peak && dip && gap && points[0] == 0 && points[count - 1] == N - 1);
    rnl_free(points);
    s.n = RNL_THIN_LIMIT;
    assert_int_equal(rnl_thin(&s, log_x, &points, &count, &err), RNL_OK);
    assert_int_equal(count, RNL_THIN_LIMIT);
    rnl_free(points);
    s.n = 0;
    assert_int_equal(rnl_thin(&s, log_x, &points, &count, &err), RNL_OK);
    assert_int_equal(count, 0);
    rnl_free(points);
  }
  for (int i = 0; i < N; i++) x[i] = sin(i * 0.7), y[i] = cos(i * 1.1); /* a cloud: no two dots on one place */
  y[5] = NAN;
  size_t *cloud, left;
  rnl_series dots = {.kind = RNL_SERIES_POINTS, .n = N, .x = x, .y = y};
  assert_int_equal(rnl_thin(&dots, false, &cloud, &left, &err), RNL_OK);
  assert_true(left > 1000 && left < N);
  for (size_t i = 1; i < left; i++) assert_true(cloud[i] > cloud[i - 1] && cloud[i] != 5);
  rnl_free(cloud);
  for (int i = 0; i < N; i++) y[i] = NAN;
  size_t *points, count;
  assert_int_equal(rnl_thin(&(rnl_series){.n = N, .x = x, .y = y}, false, &points, &count, &err), RNL_OK);
  assert_int_equal(count, 0);
  rnl_free(points);
  rnl_free(x);
  rnl_free(y);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* A figure with one of everything; may fail for want of memory. */
static rnl_status describe(rnl_figure **figure) {
  static const double y[] = {1, 2, NAN, NAN, 4, 8}, y2[] = {2, 3, 4, 5, 6, 7};
  rnl_panel *panel;
  RNL_TRY(rnl_figure_new(figure, "all", &err));
  RNL_TRY(rnl_figure_set_text(&(*figure)->title, "it's", &err));
  RNL_TRY(rnl_figure_set_text(&(*figure)->subtitle, "under", &err));
  RNL_TRY(rnl_figure_add_panel(*figure, "a", &panel, &err));
  RNL_TRY(rnl_panel_add_series(panel, &(rnl_series){.label = "line", .n = 6, .y = y}, &err));
  rnl_series band = {.label = "band", .kind = RNL_SERIES_BAND, .role = 1, .n = 6, .y = y, .y2 = y2};
  RNL_TRY(rnl_panel_add_series(panel, &band, &err));
  RNL_TRY(rnl_figure_add_panel(*figure, NULL, &panel, &err));
  RNL_TRY(rnl_figure_set_text(&panel->axis[RNL_AXIS_X].label, "x", &err));
  panel->axis[RNL_AXIS_Y].log = true;
  return rnl_panel_add_series(panel, &(rnl_series){.label = "line", .role = 9, .n = 6, .y = y2}, &err);
}

static void script(void **state) {
  (void)state;
  rnl_figure *figure = NULL;
  assert_int_equal(describe(&figure), RNL_OK);
  rnl_buffer gp = {0}, dat = {0};
  assert_int_equal(rnl_script_write(figure, RNL_FORMAT_SVG | RNL_FORMAT_PDF, &gp, &dat, NULL, &err), RNL_OK);
  assert_non_null(strstr(gp.data, "FORMATS = 'svg pdf'"));
  assert_non_null(strstr(gp.data, "TITLE = 'it’s'"));
  assert_null(strstr(gp.data, "pngcairo"));
  assert_non_null(strstr(gp.data, "index 1 using 1:2:3 with filledcurves ls 2 fs transparent solid 0.15 "
                                  "noborder notitle, \\\n"
                                  "       'all.dat' index 0"));
  assert_non_null(strstr(gp.data, "title LEGEND2"));
  assert_null(strstr(gp.data, "LEGEND3")); /* one entry for both series called "line" */
  assert_non_null(strstr(dat.data, "# line, panel 1\n1 1\n2 2\n\n5 4\n6 8\n\n\n# band, panel 1\n1 1 2\n"));
  rnl_buffer_free(&gp);
  rnl_buffer_free(&dat);
  rnl_figure_free(figure);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Every allocation fails in turn: an error, no crash, nothing leaked. */
static void out_of_memory(void **state) {
  (void)state;
  int n = 0;
  rnl_status status = RNL_ERR_MEMORY;
  for (; status != RNL_OK && n < 1000; n++) {
    rnl_figure *figure = NULL;
    rnl_buffer gp = {0}, dat = {0};
    rnl_alloc_fail_after(n + 1);
    status = describe(&figure);
    if (status == RNL_OK) status = rnl_script_write(figure, RNL_FORMAT_ALL, &gp, &dat, NULL, &err);
    rnl_alloc_fail_after(0);
    if (status != RNL_OK) assert_int_equal(status, RNL_ERR_MEMORY);
    rnl_buffer_free(&gp);
    rnl_buffer_free(&dat);
    rnl_figure_free(figure);
    assert_int_equal(rnl_alloc_live(), 0);
  }
  assert_int_equal(status, RNL_OK);
  assert_true(n > 20);
}

static void wrong_descriptions(void **state) {
  (void)state;
  rnl_figure *figure;
  static const char *const names[] = {"", "-d", "../x", "a/b", ".hidden", "a b", "a'b", "ä", NULL};
  for (int i = 0; names[i]; i++) {
    assert_int_equal(rnl_figure_new(&figure, names[i], &err), RNL_ERR_ARG);
    assert_null(figure);
  }
  assert_int_equal(rnl_figure_new(&figure, NULL, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_figure_new(&figure, "fine-1.2_x", &err), RNL_OK);
  rnl_buffer gp = {0}, dat = {0};
  assert_int_equal(rnl_script_write(figure, RNL_FORMAT_ALL, &gp, &dat, NULL, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "has no panel"));
  rnl_panel *panel;
  for (int i = 0; i < RNL_FIGURE_PANELS_MAX; i++)
    assert_int_equal(rnl_figure_add_panel(figure, NULL, &panel, &err), RNL_OK);
  double y[] = {1};
  assert_int_equal(rnl_panel_add_series(panel, &(rnl_series){.n = 1}, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_panel_add_series(panel, &(rnl_series){.kind = RNL_SERIES_BAND, .n = 1, .y = y}, &err),
                   RNL_ERR_ARG);
  assert_int_equal(rnl_panel_add_series(panel, &(rnl_series){.role = -1, .n = 1, .y = y}, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_figure_add_panel(figure, NULL, &panel, &err), RNL_ERR_ARG);
  figure->width_mm = 5;
  assert_int_equal(rnl_script_write(figure, RNL_FORMAT_ALL, &gp, &dat, NULL, &err), RNL_ERR_ARG);
  rnl_buffer_free(&gp);
  rnl_buffer_free(&dat);
  rnl_figure_free(figure);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(cleaning),      cmocka_unit_test(axes),          cmocka_unit_test(thinning),
    cmocka_unit_test(script),        cmocka_unit_test(out_of_memory), cmocka_unit_test(wrong_descriptions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
