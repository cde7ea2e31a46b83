/* plot/preview.h: the chart in the terminal. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "plot/preview.h"
#include "plot/text.h"

static rnl_error err;

/* Lines, none wider than the width; returns the text, to rnl_buffer_free. */
static rnl_buffer drawn(const rnl_preview *preview, int lines) {
  rnl_buffer out = {0};
  assert_int_equal(rnl_preview_draw(preview, &out, &err), RNL_OK);
  int seen = 0;
  for (char *line = out.data, *end; line && (end = strchr(line, '\n')); line = end + 1, seen++) {
    *end = '\0';
    if (!preview->color) assert_true(rnl_plot_length(line) <= (size_t)(preview->width ? preview->width : 72));
    *end = '\n';
  }
  assert_int_equal(seen, lines);
  return out;
}

static void ascii_diagonal(void **state) {
  (void)state;
  double y[41];
  for (int i = 0; i < 41; i++) y[i] = i;
  rnl_series s = {.n = 41, .y = y};
  rnl_buffer out = drawn(&(rnl_preview){.ascii = true, .width = 30, .height = 8, .series = &s,
                                        .series_count = 1, .xlabel = "epoch"}, 7);
  assert_string_equal(out.data,
                      "      40 |                ****\n"
                      "         |            ****\n"
                      "         |        ****\n"
                      "         |    ****\n"
                      "       0 |****\n"
                      "         +--------------------\n"
                      "          1      epoch      41\n");
  rnl_buffer_free(&out);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void braille_log_and_gaps(void **state) {
  (void)state;
  double y[200], y2[200];
  for (int i = 0; i < 200; i++) y[i] = pow(10, -i / 40.0), y2[i] = i % 3 ? y[i] * 2 : NAN;
  y[50] = -1;
  y[60] = INFINITY;
  rnl_series s[] = {{.label = "target", .n = 200, .y = y},
                    {.label = "predicted", .role = 1, .n = 200, .y = y2}};
  rnl_preview preview = {.log_y = true, .title = "it's\na title", .series = s, .series_count = 2};
  rnl_buffer out = drawn(&preview, 14);
  assert_non_null(strstr(out.data, "it’s a title"));
  assert_non_null(strstr(out.data, "─ target  × predicted"));
  assert_non_null(strstr(out.data, "×"));
  assert_null(strchr(out.data, '\033'));
  rnl_buffer_free(&out);
  preview.color = true;
  out = drawn(&preview, 14);
  assert_non_null(strstr(out.data, "\033[34m"));
  rnl_buffer_free(&out);
  preview.color = false;
  preview.ascii = true;
  out = drawn(&preview, 14);
  for (size_t i = 0; i < out.length; i++) assert_true((unsigned char)out.data[i] < 0x80);
  rnl_buffer_free(&out);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void awkward_data(void **state) {
  (void)state;
  double nothing[] = {NAN, INFINITY}, one[] = {3}, huge[] = {-1.7e308, 1.7e308}, constant[] = {0, 0, 0};
  rnl_buffer out = drawn(&(rnl_preview){.series = &(rnl_series){.n = 2, .y = nothing}, .series_count = 1}, 1);
  assert_non_null(strstr(out.data, "no data"));
  rnl_buffer_free(&out);
  out = drawn(&(rnl_preview){.series_count = 0}, 1);
  rnl_buffer_free(&out);
  out = drawn(&(rnl_preview){.series = &(rnl_series){.n = 1, .y = one}, .series_count = 1, .log_y = true},
              13);
  rnl_buffer_free(&out);
  out = drawn(&(rnl_preview){.series = &(rnl_series){.n = 3, .y = constant}, .series_count = 1,
                             .log_y = true}, 13);
  rnl_buffer_free(&out);
  out = drawn(&(rnl_preview){.series = &(rnl_series){.n = 2, .y = huge}, .series_count = 1}, 1);
  rnl_buffer_free(&out);
  const int sizes[][2] = {{10, 14}, {72, 2}, {100000, 14}, {-5, 14}};
  for (int i = 0; i < 4; i++) {
    rnl_preview preview = {.width = sizes[i][0], .height = sizes[i][1]};
    assert_int_equal(rnl_preview_draw(&preview, &out, &err), RNL_ERR_ARG);
  }
  assert_int_equal(rnl_preview_draw(&(rnl_preview){.series_count = 9}, &out, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ascii_diagonal),
    cmocka_unit_test(braille_log_and_gaps),
    cmocka_unit_test(awkward_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
