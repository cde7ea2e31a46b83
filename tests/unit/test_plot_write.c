/* plot/write.h and plot/gnuplot.h with the real gnuplot, and with programs that behave badly. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "plot/gnuplot.h"
#include "plot/write.h"
#include "test_folder.h"

static rnl_error err;

static int set_up(void **state) {
  unsetenv("RNNLAB_GNUPLOT");
  return make_test_folder(state);
}

static rnl_figure *figure(const char *name, const char *title) {
  rnl_figure *f;
  rnl_panel *panel;
  double y[300], y2[300];
  for (int i = 0; i < 300; i++) y[i] = 40 * exp(-i / 50.0) + 1, y2[i] = i > 100 && i < 120 ? NAN : y[i] * 1.2;
  assert_int_equal(rnl_figure_new(&f, name, &err), RNL_OK);
  assert_int_equal(rnl_figure_set_text(&f->title, title, &err), RNL_OK);
  assert_int_equal(rnl_figure_set_text(&f->subtitle, title, &err), RNL_OK);
  for (int p = 0; p < 2; p++) {
    assert_int_equal(rnl_figure_add_panel(f, title, &panel, &err), RNL_OK);
    assert_int_equal(rnl_figure_set_text(&panel->axis[RNL_AXIS_X].label, title, &err), RNL_OK);
    panel->axis[RNL_AXIS_Y].log = p == 1;
    rnl_series band = {.kind = RNL_SERIES_BAND, .role = 1, .n = 300, .y = y, .y2 = y2};
    rnl_series line = {.label = title, .n = 300, .y = y};
    rnl_series other = {.label = "other", .role = 3, .n = 300, .y = y2};
    assert_int_equal(rnl_panel_add_series(panel, &band, &err), RNL_OK);
    assert_int_equal(rnl_panel_add_series(panel, &line, &err), RNL_OK);
    assert_int_equal(rnl_panel_add_series(panel, &other, &err), RNL_OK);
  }
  return f;
}

static rnl_buffer contents(const char *path) {
  rnl_buffer out = {0};
  assert_int_equal(rnl_file_read(path, 1 << 24, &out, &err), RNL_OK);
  return out;
}

/* Make a program of a few lines of sh the gnuplot. */
static void fake_gnuplot(const char *body) {
  char text[1024];
  snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
  char *path = test_path("fake");
  put_text(path, text);
  chmod(path, 0755);
  setenv("RNNLAB_GNUPLOT", path, 1);
}

static void need_gnuplot(void) {
  rnl_gnuplot_info info;
  if (rnl_gnuplot_info_get(&info, &err) != RNL_OK) skip();
  assert_true(info.path[0] == '/' && info.version[0] >= '4' && info.svg);
  bool cairo = info.pngcairo && info.pdfcairo;
  rnl_gnuplot_info_free(&info);
  if (!cairo) skip();
}

static void three_formats_twice_the_same(void **state) {
  (void)state;
  need_gnuplot();
  rnl_figure *figures[] = {figure("y", "prediction"), figure("loss", "learning curve")};
  unsigned drawn[2];
  for (int turn = 0; turn < 2; turn++) {
    assert_int_equal(rnl_figures_write(figures, 2, test_path("run%d/figures", turn), NULL, drawn, &err),
                     RNL_OK);
    assert_int_equal(drawn[0], RNL_FORMAT_ALL | RNL_FORMAT_SOURCES);
    assert_int_equal(drawn[1], RNL_FORMAT_ALL | RNL_FORMAT_SOURCES);
  }
  static const char *const same[] = {"y.svg", "y.png", "y.gp", "y.dat", "loss.svg", "loss.png"};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    rnl_buffer a = contents(test_path("run0/figures/%s", same[i]));
    rnl_buffer b = contents(test_path("run1/figures/%s", same[i]));
    assert_true(a.length > 200 && a.length == b.length && memcmp(a.data, b.data, a.length) == 0);
    rnl_buffer_free(&a);
    rnl_buffer_free(&b);
  }
  rnl_buffer pdf = contents(test_path("run0/figures/y.pdf"));
  assert_memory_equal(pdf.data, "%PDF", 4);
  rnl_buffer_free(&pdf);
  assert_false(rnl_path_exists(test_path("run0/figures/y.svg.part")));
  /* A person redraws it by hand. */
  rnl_buffer before = contents(test_path("run0/figures/y.svg")), said = {0};
  remove(test_path("run0/figures/y.svg"));
  char *program;
  assert_int_equal(rnl_gnuplot_find(&program, &err), RNL_OK);
  const char *const arguments[] = {"y.gp", NULL};
  assert_int_equal(rnl_gnuplot_run(program, test_path("run0/figures"), arguments, 30, &said, &err), RNL_OK);
  assert_int_equal(said.length, 0); /* no warning either */
  rnl_buffer after = contents(test_path("run0/figures/y.svg"));
  assert_true(before.length == after.length && memcmp(before.data, after.data, after.length) == 0);
  rnl_buffer_free(&before);
  rnl_buffer_free(&after);
  rnl_buffer_free(&said);
  rnl_free(program);
  /* One format of one figure leaves the others as they are. */
  assert_int_equal(rnl_figures_write(figures, 1, test_path("one"),
                                     &(rnl_plot_options){.formats = RNL_FORMAT_PNG}, drawn, &err),
                   RNL_OK);
  assert_int_equal(drawn[0], RNL_FORMAT_PNG | RNL_FORMAT_SOURCES);
  assert_false(rnl_path_exists(test_path("one/y.svg")));
  rnl_figure_free(figures[0]);
  rnl_figure_free(figures[1]);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void hostile_texts(void **state) {
  (void)state;
  need_gnuplot();
  char *trap = test_path("trap");
  const char *const attacks[] = {
    "`touch %s`", "\"`touch %s`\"", "$(touch %s)", "x\nsystem(\"touch %s\")\n", "'; system(\"touch %s\"); '",
    "\\'; system('touch %s') #", "'\n!touch %s\n'", "} ; system('touch %s') ; {",
    "@T \" . system(\"touch %s\") . \"",
    "< touch %s", "| touch %s", "x \\\nsystem('touch %s')\n\\", "{ unbalanced { \\ # ` touch %s",
    "it's \"a\" <title> & üñ y₁ \xFF\x01\x1b[31m %%g %%d %%n %s", "%s\\"};
  enum { N = sizeof attacks / sizeof *attacks };
  rnl_figure *figures[N];
  for (int i = 0; i < N; i++) {
    char title[512], name[16];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(title, sizeof title, attacks[i], trap);
#pragma GCC diagnostic pop
    snprintf(name, sizeof name, "f%d", i);
    figures[i] = figure(name, title);
  }
  rnl_plot_options svg = {.formats = RNL_FORMAT_SVG};
  const char *folder = test_path("it's `touch trap` $(touch trap) \"q\"");
  rnl_status status = rnl_figures_write(figures, N, folder, &svg, NULL, &err);
  if (status != RNL_OK) print_error("%s\n", err.text);
  assert_int_equal(status, RNL_OK);
  assert_false(rnl_path_exists(trap));
  assert_false(rnl_path_exists("trap"));
  char path[1024];
  snprintf(path, sizeof path, "%s/f0.svg", folder);
  rnl_buffer drawing = contents(path);
  assert_non_null(strstr(drawing.data, "`touch ")); /* drawn as it is written */
  rnl_buffer_free(&drawing);
  snprintf(path, sizeof path, "%s/f13.svg", folder);
  drawing = contents(path);
  assert_non_null(strstr(drawing.data, "it’s \"a\" &lt;title> &amp; üñ y₁ \xEF\xBF\xBD[31m %g %d %n"));
  rnl_buffer_free(&drawing);
  for (int i = 0; i < N; i++) rnl_figure_free(figures[i]);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void awkward_data(void **state) {
  (void)state;
  need_gnuplot();
  static const double nans[] = {NAN, NAN}, one[] = {2}, negative[] = {-1, -2}, huge[] = {-1.7e308, 1.7e308},
                      same[] = {5, 5, 5}, tiny[] = {4e-320, 1e-310}, isolated[] = {1, NAN, 2, NAN, 3};
  const rnl_series series[] = {{.n = 0},
                               {.n = 2, .y = nans},
                               {.n = 1, .y = one},
                               {.n = 2, .y = negative},
                               {.n = 2, .y = huge},
                               {.n = 3, .y = same},
                               {.n = 2, .y = tiny},
                               {.n = 5, .y = isolated}};
  enum { N = sizeof series / sizeof *series };
  rnl_figure *figures[N];
  for (int i = 0; i < N; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    assert_int_equal(rnl_figure_new(&figures[i], name, &err), RNL_OK);
    for (int p = 0; p < 4; p++) {
      rnl_panel *panel;
      assert_int_equal(rnl_figure_add_panel(figures[i], "y", &panel, &err), RNL_OK);
      rnl_series s = series[i];
      s.kind = (rnl_series_kind)p;
      s.y2 = s.y;
      panel->axis[RNL_AXIS_Y].log = i % 2;
      panel->axis[RNL_AXIS_X].log = i % 3 == 0;
      assert_int_equal(rnl_panel_add_series(panel, &s, &err), RNL_OK);
    }
  }
  rnl_plot_options svg = {.formats = RNL_FORMAT_SVG};
  rnl_status status = rnl_figures_write(figures, N, test_path("odd"), &svg, NULL, &err);
  if (status != RNL_OK) print_error("%s\n", err.text);
  assert_int_equal(status, RNL_OK);
  for (int i = 0; i < N; i++) rnl_figure_free(figures[i]);
}

static void missing_program(void **state) {
  (void)state;
  rnl_figure *f = figure("loss", "t");
  unsigned drawn;
  setenv("RNNLAB_GNUPLOT", "/nowhere/gnuplot", 1);
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "/nowhere/gnuplot"));
  assert_int_equal(drawn, RNL_FORMAT_SOURCES);
  assert_true(rnl_path_exists(test_path("a/loss.gp")) && rnl_path_exists(test_path("a/loss.dat")));
  unsetenv("RNNLAB_GNUPLOT");
  char *path = rnl_strdup(getenv("PATH"));
  setenv("PATH", "/nowhere", 1);
  assert_int_equal(rnl_figures_write(&f, 1, test_path("b"), NULL, &drawn, &err), RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "install gnuplot-nox"));
  rnl_gnuplot_info info;
  assert_int_equal(rnl_gnuplot_info_get(&info, &err), RNL_ERR_NOT_FOUND);
  setenv("PATH", path, 1);
  rnl_free(path);
  rnl_figure_free(f);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void missing_terminal(void **state) {
  (void)state;
  need_gnuplot();
  char *gnuplot;
  assert_int_equal(rnl_gnuplot_find(&gnuplot, &err), RNL_OK);
  char body[512];
  snprintf(body, sizeof body, "sed -i \"s/FORMAT.'cairo'/FORMAT.'absent'/\" *.gp\nexec '%s' \"$@\"", gnuplot);
  rnl_free(gnuplot);
  fake_gnuplot(body);
  rnl_figure *f = figure("loss", "t");
  unsigned drawn;
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "lacks the terminal pngcairo, pdfcairo, so no png, pdf was drawn"));
  assert_int_equal(drawn, RNL_FORMAT_SOURCES | RNL_FORMAT_SVG);
  rnl_figure_free(f);
}

static void bad_programs(void **state) {
  (void)state;
  rnl_figure *f = figure("loss", "t");
  unsigned drawn;
  fake_gnuplot("echo '\"loss.gp\" line 3: undefined variable: X' >&2; echo >&2; exit 1");
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_IO);
  assert_string_equal(err.text,
                      "figure \"loss\": gnuplot failed (status 1): \"loss.gp\" line 3: undefined variable: X");
  assert_int_equal(drawn, RNL_FORMAT_SOURCES);

  fake_gnuplot("printf '<svg' >loss.svg.part; printf x >loss.png.part; exit 0"); /* as on a full disk */
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "disk full"));
  assert_false(rnl_path_exists(test_path("a/loss.svg")) || rnl_path_exists(test_path("a/loss.svg.part")));

  fake_gnuplot("kill -SEGV $$");
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "ended by signal 11"));

  rnl_plot_options impatient = {.timeout_s = 0.2};
  fake_gnuplot("exec sleep 100");
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), &impatient, &drawn, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "more than 0.2 s"));
  fake_gnuplot("exec 2>/dev/null; sleep 100 & sleep 100"); /* its stderr ends, a child of it lives on */
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), &impatient, &drawn, &err), RNL_ERR_IO);
  fake_gnuplot("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 3"); /* much more than a pipe holds */
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "status 3"));

  /* Its stdin is at its end, and GNUTERM is not handed on. */
  fake_gnuplot("cat; [ -z \"$GNUTERM\" ] || exit 1; printf 'no gnuplot' >&2; echo x");
  setenv("GNUTERM", "x11", 1);
  rnl_gnuplot_info info;
  assert_int_equal(rnl_gnuplot_info_get(&info, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "does not answer as gnuplot does"));
  unsetenv("GNUTERM");

  put_text(test_path("fake"), "no program at all");
  chmod(test_path("fake"), 0755);
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, &drawn, &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "cannot be started"));
  unsetenv("RNNLAB_GNUPLOT");
  rnl_figure_free(f);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void children_reaped_by_others(void **state) {
  (void)state;
  need_gnuplot();
  signal(SIGCHLD, SIG_IGN); /* the host program's choice: waitpid then knows no status */
  rnl_figure *f = figure("loss", "t");
  assert_int_equal(rnl_figures_write(&f, 1, test_path("a"), NULL, NULL, &err), RNL_OK);
  signal(SIGCHLD, SIG_DFL);
  rnl_figure_free(f);
}

static void wrong_calls(void **state) {
  (void)state;
  rnl_figure *twice[] = {figure("loss", "t"), figure("loss", "t")};
  assert_int_equal(rnl_figures_write(twice, 2, test_path("a"), NULL, NULL, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "two figures are called \"loss\""));
  assert_int_equal(rnl_figures_write(twice, 1, test_path("a"), &(rnl_plot_options){.formats = 32}, NULL,
                                     &err), RNL_ERR_ARG);
  assert_int_equal(rnl_figures_write(twice, 0, test_path("none"), NULL, NULL, &err), RNL_OK);
  put_text(test_path("file"), "x");
  unsigned drawn[1];
  assert_int_equal(rnl_figures_write(twice, 1, test_path("file"), NULL, drawn, &err), RNL_ERR_IO);
  assert_int_equal(drawn[0], 0);
  assert_string_equal(rnl_format_name(RNL_FORMAT_PNG), "png");
  assert_null(rnl_format_name(3));
  assert_int_equal(rnl_format_by_name("pdf"), RNL_FORMAT_PDF);
  assert_int_equal(rnl_format_by_name("gif"), 0);
  rnl_figure_free(twice[0]);
  rnl_figure_free(twice[1]);
  assert_int_equal(rnl_alloc_live(), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, remove_test_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(three_formats_twice_the_same), TEST(hostile_texts), TEST(awkward_data), TEST(missing_program),
    TEST(missing_terminal), TEST(bad_programs), TEST(children_reaped_by_others), TEST(wrong_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
