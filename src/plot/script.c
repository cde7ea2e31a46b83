/* plot/script.c: see script.h. Lengths are in points (1/72 inch) until they are written as fractions of
 * the page ("screen" to gnuplot), so that the three formats come out alike. */
#include "plot/script.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "plot/axis.h"
#include "plot/text.h"
#include "plot/thin.h"
#include "plot/write.h"

enum { TITLE_SIZE = 13, TEXT_SIZE = 9, LABEL_SIZE = 10 };
static const double PNG_PIXELS = 1600; /* width: about 225 dots per inch at 180 mm */
static const double EDGE = 9;          /* between the texts and the page's edge */

typedef struct layout {
  double width, height;                           /* the page */
  double left, right, top, bottom, gap;           /* margins of the panels, and between them */
  double title_y, subtitle_y, legend_y;           /* centre lines, from the top */
  int legend_columns;
  size_t legend_count; /* 0: no legend */
  const rnl_series *legend[RNL_PANEL_SERIES_MAX];
} layout;

typedef struct plot_sheet { /* what the writers below share */
  const rnl_figure *figure;
  layout at;
  rnl_axis x;
  rnl_axis *y; /* one a panel */
} plot_sheet;

/* ---- layout -------------------------------------------------------------------------------------- */

static bool drawable(const rnl_series *s, size_t i) {
  return isfinite(s->x[i]) && isfinite(s->y[i]) && (!s->y2 || isfinite(s->y2[i]));
}

static void choose_axes(plot_sheet *sheet, double panel_height, double panel_width) {
  const rnl_figure *figure = sheet->figure;
  rnl_extent x = rnl_extent_empty();
  for (size_t p = 0; p < figure->panel_count; p++) {
    const rnl_panel *panel = figure->panels[p];
    rnl_extent y = rnl_extent_empty();
    for (size_t k = 0; k < panel->series_count; k++) {
      const rnl_series *s = &panel->series[k];
      for (size_t i = 0; i < s->n; i++) {
        if (!drawable(s, i)) continue;
        rnl_extent_add(&x, s->x[i]);
        rnl_extent_add(&y, s->y[i]);
        if (s->y2) rnl_extent_add(&y, s->y2[i]);
      }
    }
    y.whole = false;
    rnl_axis_choose(&sheet->y[p], y, panel->y_low, panel->y_high, panel->log_y, (int)(panel_height / 28),
                    false);
  }
  rnl_axis_choose(&sheet->x, x, figure->x_low, figure->x_high, figure->log_x, (int)(panel_width / 75), true);
}

/* The series the legend names: the first of each label. A single one needs no legend. */
static void collect_legend(const rnl_figure *figure, layout *at) {
  for (size_t p = 0; p < figure->panel_count; p++)
    for (size_t k = 0; k < figure->panels[p]->series_count; k++) {
      const rnl_series *s = &figure->panels[p]->series[k];
      bool known = !s->label;
      for (size_t i = 0; i < at->legend_count && !known; i++)
        known = strcmp(at->legend[i]->label, s->label) == 0;
      if (!known && at->legend_count < RNL_PANEL_SERIES_MAX) at->legend[at->legend_count++] = s;
    }
  if (at->legend_count == 1) at->legend_count = 0;
}

static void lay_out(plot_sheet *sheet) {
  const rnl_figure *figure = sheet->figure;
  layout *at = &sheet->at;
  size_t n = figure->panel_count;
  at->width = (figure->width_mm > 0 ? figure->width_mm : 180) * 72 / 25.4;
  collect_legend(figure, at);

  /* The legend stands beside the title where there is room, else in rows of its own. gnuplot gives all
   * its columns the width of the widest, and wraps at the panels' width. */
  double column = 0, title = figure->title ? rnl_plot_width(figure->title, TITLE_SIZE) : 0;
  for (size_t i = 0; i < at->legend_count; i++)
    column = fmax(column, 1.1 * rnl_plot_width(at->legend[i]->label, TEXT_SIZE) + 34);
  double room = at->width - 75, legend = column * (double)at->legend_count;
  bool beside = at->legend_count > 0 && figure->title && legend < room &&
                EDGE + title + 20 + legend < at->width - EDGE;
  int columns = column > 0 ? (int)(room / column) : 1;
  at->legend_columns = columns < 1 ? 1 : columns > (int)at->legend_count ? (int)at->legend_count : columns;
  int rows = at->legend_count ? ((int)at->legend_count + at->legend_columns - 1) / at->legend_columns : 0;

  double y = EDGE;
  if (figure->title) {
    at->title_y = y + 9;
    y += 20;
  }
  if (figure->subtitle) {
    at->subtitle_y = y + 7;
    y += 15;
  }
  if (beside) {
    at->legend_y = at->title_y;
  } else if (rows > 0) {
    at->legend_y = y + 7;
    y += 4 + 11.0 * rows;
  }
  at->top = y + 9;
  at->bottom = figure->xlabel ? 38 : 24;
  at->gap = 15;
  double panel_height = n <= 1 ? 170 : n == 2 ? 122 : 92;
  double wanted = figure->height_mm * 72 / 25.4;
  double fixed = at->top + at->bottom + at->gap * (double)(n - 1);
  if (wanted > 0) panel_height = fmax((wanted - fixed) / (double)n, 20);
  at->height = fixed + panel_height * (double)n;

  choose_axes(sheet, panel_height, at->width - 60);
  size_t widest = 1;
  bool labelled = false;
  for (size_t p = 0; p < n; p++) {
    size_t length = rnl_axis_label_length(&sheet->y[p]);
    if (length > widest) widest = length;
    labelled = labelled || figure->panels[p]->ylabel;
  }
  at->left = EDGE + (labelled ? 15 : 0) + 5.4 * (double)widest + 8;
  at->right = 15;
  for (size_t i = 0; i < sheet->x.count; i++) { /* the last label is centred on its tic */
    double rest = (sheet->x.high - sheet->x.tics[i].at) / (sheet->x.high - sheet->x.low);
    double after = at->right + rest * at->width;
    double half = 2.8 * (double)rnl_plot_length(sheet->x.tics[i].label) + 4;
    if (!sheet->x.log && after < half) at->right += half - after;
  }
}

/* ---- the data ------------------------------------------------------------------------------------ */

/* One block a series that has a point to draw; index[] gets its number or -1. */
static rnl_status write_data(const plot_sheet *sheet, rnl_buffer *dat, int *index, rnl_error *err) {
  const rnl_figure *figure = sheet->figure;
  rnl_buffer_printf(dat, "# The points of %s.gp: blocks of x, y (bands: x, y, y2), gaps as empty lines.\n",
                    figure->name);
  int blocks = 0, slot = 0;
  for (size_t p = 0; p < figure->panel_count; p++) {
    const rnl_panel *panel = figure->panels[p];
    for (size_t k = 0; k < panel->series_count; k++, slot++) {
      const rnl_series *s = &panel->series[k];
      bool log_band = s->kind == RNL_SERIES_BAND && sheet->y[p].log;
      size_t *points, count;
      RNL_TRY(rnl_thin(s, sheet->x.log, &points, &count, err));
      bool any = false, gap = false;
      for (size_t j = 0; j < count; j++) {
        size_t i = points[j];
        bool out = !drawable(s, i) || (log_band && (s->y[i] <= 0 || s->y2[i] <= 0)) ||
                   (sheet->x.log && s->x[i] <= 0);
        if (out) {
          gap = any;
          continue;
        }
        if (!any)
          rnl_buffer_printf(dat, "%s# %s, panel %zu\n", blocks ? "\n\n" : "",
                            s->label ? s->label : "(no label)", p + 1);
        else if (gap)
          rnl_buffer_char(dat, '\n');
        any = true;
        gap = false;
        rnl_buffer_printf(dat, "%.10g %.10g", s->x[i], s->y[i]);
        if (s->y2) rnl_buffer_printf(dat, " %.10g", s->y2[i]);
        rnl_buffer_char(dat, '\n');
      }
      rnl_free(points);
      index[slot] = any ? blocks++ : -1;
    }
  }
  return rnl_buffer_check(dat, "a figure's data", err);
}

/* ---- the script ---------------------------------------------------------------------------------- */

/* The house style. Sizes are points at the figure's own size; the terminals scale them. */
static const char house_style[] =
    "set border 3 lc rgb '#8A8F98' lw 0.8\n"
    "set tics nomirror out scale 0.5,0.3 enhanced textcolor rgb '#4B5563' font ',9'\n"
    "set grid ytics lt 1 lc rgb '#E5E7EB' lw 0.7\n"
    "set grid noxtics back\n"
    "set key noenhanced noautotitle samplen 2 spacing 1.1 textcolor rgb '#374151' font ',9'\n"
    "set style line 1 lc rgb '#111827' lw 1.2 pt 7 ps 0.32   # target: near black\n"
    "set style line 2 lc rgb '#2563EB' lw 1.6 pt 7 ps 0.32   # prediction, and the first series: blue\n"
    "set style line 3 lc rgb '#DC2626' lw 1.6 pt 7 ps 0.32\n"
    "set style line 4 lc rgb '#059669' lw 1.6 pt 7 ps 0.32\n"
    "set style line 5 lc rgb '#D97706' lw 1.6 pt 7 ps 0.32\n"
    "set style line 6 lc rgb '#7C3AED' lw 1.6 pt 7 ps 0.32\n"
    "set style fill transparent solid 0.15 noborder\n";

/* NAME = 'text'. The text was cleaned when it was set: it holds no quote and no control byte. */
static void write_text(rnl_buffer *gp, const char *name, int number, const char *text, double size,
                       double room) {
  rnl_buffer_text(gp, name);
  if (number > 0) rnl_buffer_printf(gp, "%d", number);
  rnl_buffer_text(gp, " = '");
  if (text) rnl_plot_fit(gp, text, size, room);
  rnl_buffer_text(gp, "'\n");
}

static void write_texts(const plot_sheet *sheet, double panel_height, rnl_buffer *gp) {
  const rnl_figure *figure = sheet->figure;
  const layout *at = &sheet->at;
  double room = at->width - 2 * EDGE;
  write_text(gp, "TITLE", 0, figure->title, TITLE_SIZE, room);
  write_text(gp, "SUBTITLE", 0, figure->subtitle, TEXT_SIZE, room);
  write_text(gp, "XLABEL", 0, figure->xlabel, LABEL_SIZE, at->width - at->left - at->right);
  for (size_t p = 0; p < figure->panel_count; p++)
    write_text(gp, "YLABEL", (int)p + 1, figure->panels[p]->ylabel, LABEL_SIZE, panel_height + 12);
  for (size_t i = 0; i < at->legend_count; i++)
    write_text(gp, "LEGEND", (int)i + 1, at->legend[i]->label, TEXT_SIZE, room - 40);
}

static void write_formats(const layout *at, unsigned formats, const char *name, rnl_buffer *gp) {
  /* Sizes measured: at these scales 9 points are 9 points in each, and a line is as thick. */
  double svg_scale = 96.0 / 72, png_scale = PNG_PIXELS / at->width * 72 / 96;
  rnl_buffer_text(gp, "do for [FORMAT in FORMATS] {\n"
                      "  TERMINAL = FORMAT eq 'svg' ? 'svg' : FORMAT.'cairo'\n");
  rnl_buffer_printf(gp,
                    "  if (strstrt(' '.GPVAL_TERMINALS.' ', ' '.TERMINAL.' ') == 0) {\n"
                    "    print '%s'.TERMINAL\n    continue\n  }\n",
                    RNL_SCRIPT_MISSING);
  if (formats & RNL_FORMAT_SVG)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'svg') {\n    set terminal svg size %.0f,%.0f dynamic enhanced "
                      "background rgb 'white' \\\n"
                      "      font 'Inter, DejaVu Sans, Helvetica, Arial, sans-serif,9' "
                      "fontscale %.4f lw 1\n  }\n",
                      at->width * 96 / 72, at->height * 96 / 72, svg_scale);
  if (formats & RNL_FORMAT_PNG)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'png') {\n    set terminal pngcairo size %.0f,%.0f enhanced "
                      "background rgb 'white' \\\n      font 'Inter,9' fontscale %.4f lw %.4f ps %.4f\n  }\n",
                      PNG_PIXELS, PNG_PIXELS * at->height / at->width, png_scale, png_scale, png_scale);
  if (formats & RNL_FORMAT_PDF)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'pdf') {\n    set terminal pdfcairo size %.4fin,%.4fin enhanced \\\n"
                      "      font 'Inter,9' fontscale 0.75 lw 1.5 ps 0.75\n  }\n",
                      at->width / 72, at->height / 72);
  rnl_buffer_printf(gp, "  set output '%s.'.FORMAT.SUFFIX\n", name);
}

static void write_tics(const rnl_axis *axis, char letter, bool labels, rnl_buffer *gp) {
  rnl_buffer_printf(gp, "  %s logscale %c\n", axis->log ? "set" : "unset", letter);
  rnl_buffer_printf(gp, "  set %crange [%.12g:%.12g]\n", letter, axis->low, axis->high);
  rnl_buffer_printf(gp, "  set %ctics (", letter);
  for (size_t i = 0; i < axis->count; i++) {
    const rnl_tic *tic = &axis->tics[i];
    if (i > 0) rnl_buffer_text(gp, i % 8 ? ", " : ", \\\n    ");
    rnl_buffer_printf(gp, "'%s' %.12g%s", labels ? tic->label : "", tic->at, tic->label[0] ? "" : " 1");
  }
  rnl_buffer_text(gp, ")\n");
}

static void write_look(const rnl_series *s, rnl_buffer *gp) {
  static const char *const kinds[] = {"lines", "points", "steps", "filledcurves"};
  int k = s->role - RNL_ROLE_SERIES; /* the palette: styles 2 to 6, then dashed */
  int style = s->role < RNL_ROLE_SERIES ? s->role + 1 : 2 + k % 5;
  bool marks = s->marks && s->kind == RNL_SERIES_LINE;
  rnl_buffer_printf(gp, "with %s ls %d", marks ? "linespoints" : kinds[s->kind], style);
  if (k > 0 && k / 5 % 2 == 1 && s->kind != RNL_SERIES_POINTS) rnl_buffer_text(gp, " dt 2");
}

/* Points to draw; a line of one point needs a mark to be seen. */
static bool has_one_point(const rnl_series *s) {
  size_t n = 0;
  for (size_t i = 0; i < s->n && n < 2; i++) n += drawable(s, i);
  return n == 1;
}

static void write_panel(const plot_sheet *sheet, size_t p, const int *index, rnl_buffer *gp) {
  const rnl_figure *figure = sheet->figure;
  const layout *at = &sheet->at;
  const rnl_panel *panel = figure->panels[p];
  bool lowest = p + 1 == figure->panel_count, any = false;
  for (size_t k = 0; k < panel->series_count; k++) any = any || index[k] >= 0;

  rnl_buffer_printf(gp, "\n  # panel %zu\n", p + 1);
  write_tics(&sheet->y[p], 'y', true, gp);
  write_tics(&sheet->x, 'x', lowest, gp);
  rnl_buffer_printf(gp,
                    "  set label 3 YLABEL%zu at screen %.5f, graph 0.5 center rotate noenhanced "
                    "font ',10' textcolor rgb '#374151'\n",
                    p + 1, (EDGE + 5) / at->width);
  if (lowest)
    rnl_buffer_printf(gp,
                      "  set label 4 XLABEL at graph 0.5, screen %.5f center noenhanced font ',10' "
                      "textcolor rgb '#374151'\n",
                      11 / at->height);
  if (!any)
    rnl_buffer_text(gp, "  set label 5 'no data' at graph 0.5, graph 0.5 center font ',9' "
                        "textcolor rgb '#6B7280'\n");
  if (p == 0 && at->legend_count > 0)
    rnl_buffer_printf(gp, "  set key at screen %.5f, screen %.5f right top horizontal maxcols %d\n",
                      1 - (EDGE - 2) / at->width, 1 - (at->legend_y - 6) / at->height, at->legend_columns);
  else
    rnl_buffer_text(gp, "  set key off\n");

  rnl_buffer_text(gp, "  plot");
  const char *comma = " ";
  for (int pass = 0; pass < 2; pass++) /* bands lie under the lines */
    for (size_t k = 0; k < panel->series_count; k++) {
      rnl_series s = panel->series[k];
      if (index[k] < 0 || (s.kind == RNL_SERIES_BAND) != (pass == 0)) continue;
      if (has_one_point(&s)) s.marks = true;
      rnl_buffer_printf(gp, "%s'%s.dat' index %d using 1:2%s ", comma, figure->name, index[k],
                        s.y2 ? ":3" : "");
      write_look(&s, gp);
      rnl_buffer_text(gp, " notitle");
      comma = ", \\\n       ";
    }
  for (size_t i = 0; p == 0 && i < at->legend_count; i++) {
    rnl_buffer_printf(gp, "%sNaN ", comma);
    write_look(at->legend[i], gp);
    rnl_buffer_printf(gp, " title LEGEND%zu", i + 1);
    comma = ", \\\n       ";
  }
  if (!any) rnl_buffer_printf(gp, "%sNaN notitle", comma);
  rnl_buffer_text(gp, "\n  unset label\n");
}

static void write_script(const plot_sheet *sheet, unsigned formats, const int *index, rnl_buffer *gp) {
  const rnl_figure *figure = sheet->figure;
  const layout *at = &sheet->at;
  size_t n = figure->panel_count;
  rnl_buffer_printf(gp,
                    "# %s.gp, written by rnnlab. To draw the figure again, in this folder: gnuplot %s.gp\n"
                    "# Edit what you like; %s.dat holds its points.\n"
                    "reset\nset encoding utf8\nFORMATS = '",
                    figure->name, figure->name, figure->name);
  for (unsigned bit = 1, first = 1; bit <= RNL_FORMAT_PDF; bit <<= 1) {
    if (!(formats & bit)) continue;
    rnl_buffer_printf(gp, "%s%s", first ? "" : " ", rnl_format_name(bit));
    first = 0;
  }
  rnl_buffer_text(gp, "'\nif (!exists('SUFFIX')) SUFFIX = ''\n\n");
  double inner = at->height - at->top - at->bottom - at->gap * (double)(n - 1);
  write_texts(sheet, inner / (double)n, gp);
  rnl_buffer_printf(gp, "\n%s\n", house_style);
  write_formats(at, formats, figure->name, gp);
  rnl_buffer_printf(gp, "  set multiplot layout %zu,1 margins %.5f,%.5f,%.5f,%.5f spacing 0,%.5f\n", n,
                    at->left / at->width, 1 - at->right / at->width, at->bottom / at->height,
                    1 - at->top / at->height, at->gap / at->height);
  if (figure->title)
    rnl_buffer_printf(gp,
                      "  set label 1 TITLE at screen %.5f, screen %.5f left noenhanced font ',13' "
                      "textcolor rgb '#111827'\n",
                      EDGE / at->width, 1 - at->title_y / at->height);
  if (figure->subtitle)
    rnl_buffer_printf(gp,
                      "  set label 2 SUBTITLE at screen %.5f, screen %.5f left noenhanced font ',9' "
                      "textcolor rgb '#6B7280'\n",
                      EDGE / at->width, 1 - at->subtitle_y / at->height);
  for (size_t p = 0, slot = 0; p < n; slot += figure->panels[p++]->series_count)
    write_panel(sheet, p, index + slot, gp);
  rnl_buffer_text(gp, "  unset multiplot\n  unset output\n}\n");
}

rnl_status rnl_script_write(const rnl_figure *figure, unsigned formats, rnl_buffer *gp, rnl_buffer *dat,
                            rnl_error *err) {
  if (figure->panel_count == 0)
    return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" has no panel", figure->name);
  if (figure->width_mm > 1000 || figure->height_mm > 1000 || (figure->width_mm > 0 && figure->width_mm < 40))
    return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" is %g by %g mm; the width can be 40 to 1000, "
                    "the height up to 1000",
                    figure->name, figure->width_mm, figure->height_mm);
  size_t slots = 1;
  for (size_t p = 0; p < figure->panel_count; p++) slots += figure->panels[p]->series_count;
  plot_sheet sheet = {.figure = figure};
  sheet.y = rnl_alloc(figure->panel_count, sizeof *sheet.y);
  int *index = rnl_alloc(slots, sizeof *index);
  rnl_status status;
  if (sheet.y && index) {
    lay_out(&sheet);
    status = write_data(&sheet, dat, index, err);
    if (status == RNL_OK) {
      write_script(&sheet, formats, index, gp);
      status = rnl_buffer_check(gp, "a figure's script", err);
    }
  } else {
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory while laying out figure \"%s\"", figure->name);
  }
  rnl_free(sheet.y);
  rnl_free(index);
  return status;
}
