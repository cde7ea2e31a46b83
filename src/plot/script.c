/* plot/script.c: see script.h. Lengths are in points (1/72 inch) until they are written as fractions of
 * the page ("screen" to gnuplot), so that the formats come out alike. */
#include "plot/script.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "plot/latex.h"
#include "plot/layout.h"
#include "plot/series.h"
#include "plot/style.h"
#include "plot/text.h"
#include "plot/write.h"

static const double PNG_DPI = 225; /* 1600 pixels at 180 mm */

typedef struct writer { /* what the functions below share */
  const rnl_sheet *sheet;
  unsigned formats;
  rnl_buffer *gp;
  bool latex; /* texts are written for LaTeX now */
} writer;

static double down(const writer *w, double y) { return 1 - y / w->sheet->height; } /* points from the top, to screen */
static double along(const writer *w, double x) { return x / w->sheet->width; }

/* ---- texts --------------------------------------------------------------------------------------- */

/* The text, cut to its room, between quotes. It was cleaned when it was set: it holds no quote and no control byte.
 * `percent`: gnuplot reads it as a format. `command` (may be NULL): what begins a LaTeX group around it. */
static void put_text(writer *w, const char *text, double size, double room, bool percent, const char *command) {
  rnl_buffer fitted = {0}, latex = {0};
  if (text) rnl_plot_fit(&fitted, text, size, room);
  if (w->latex) rnl_latex_text(&latex, rnl_buffer_string(&fitted));
  const char *ready = rnl_buffer_string(w->latex ? &latex : &fitted);
  rnl_buffer_char(w->gp, '\'');
  if (w->latex && command) rnl_buffer_text(w->gp, command);
  for (const char *at = ready; *at; at++) {
    if (percent && *at == '%') rnl_buffer_char(w->gp, '%');
    rnl_buffer_char(w->gp, *at);
  }
  rnl_buffer_text(w->gp, w->latex && command ? "}'" : "'");
  if (fitted.failed || latex.failed) w->gp->failed = true;
  rnl_buffer_free(&fitted);
  rnl_buffer_free(&latex);
}

/* NAME = 'text', where there is one. */
static void put_variable(writer *w, const char *name, size_t number, const char *text, double size, double room) {
  if (!text) return;
  rnl_buffer_printf(w->gp, "%s%s", w->latex ? "    " : "", name);
  if (number > 0) rnl_buffer_printf(w->gp, "%zu", number);
  rnl_buffer_text(w->gp, " = ");
  put_text(w, text, size, room, false, strcmp(name, "TITLE") == 0 ? "\\rnltitle{" : NULL);
  rnl_buffer_char(w->gp, '\n');
}

static void put_variables(writer *w) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_figure *figure = sheet->figure;
  double f = sheet->scale, room = sheet->width - 2 * sheet->edge;
  double title = room; /* a legend at its side needs its own */
  put_variable(w, "TITLE", 0, figure->title, RNL_TITLE_SIZE * f, title);
  put_variable(w, "SUBTITLE", 0, figure->subtitle, RNL_TEXT_SIZE * f, room);
  for (size_t p = 0; p < figure->panel_count; p++) {
    const rnl_panel *panel = figure->panels[p];
    const rnl_place *at = &sheet->places[p];
    put_variable(w, "PANEL", p + 1, panel->title, RNL_LABEL_SIZE * f, at->width + 10 * f);
    if (at->x_labels || panel->bare)
      put_variable(w, "XLABEL", p + 1, panel->axis[RNL_AXIS_X].label, RNL_LABEL_SIZE * f, at->width + 20 * f);
    if (at->y_labels) {
      double beside = fmin(at->height + 12 * f, sheet->height - 8);
      put_variable(w, "YLABEL", p + 1, panel->axis[RNL_AXIS_Y].label, RNL_LABEL_SIZE * f, beside);
    }
    if (at->second)
      put_variable(w, "Y2LABEL", p + 1, panel->axis[RNL_AXIS_Y2].label, RNL_LABEL_SIZE * f, at->height + 12 * f);
    if (at->colorbar)
      put_variable(w, "COLORLABEL", p + 1, panel->color_label, RNL_TEXT_SIZE * f, at->height + 6 * f);
  }
  for (size_t i = 0; i < sheet->legend_count; i++)
    put_variable(w, "LEGEND", i + 1, sheet->legend[i]->label, RNL_TEXT_SIZE * f, room - 40 * f);
}

/* ---- formats ------------------------------------------------------------------------------------- */

static void put_formats(writer *w) {
  const rnl_sheet *sheet = w->sheet;
  const char *name = sheet->figure->name;
  rnl_buffer *gp = w->gp;
  double inches_x = sheet->width / 72, inches_y = sheet->height / 72;
  double line = sheet->scale < 1 ? 0.9 : sqrt(sheet->scale); /* lines grow less than text */
  /* Sizes measured: at these scales 9 points are 9 points in each, and a line is as thick. */
  double text = RNL_TEXT_SIZE * sheet->scale; /* gnuplot's measure for the space around tics, too */
  double svg_scale = 96.0 / 72, png_scale = PNG_DPI / 96;
  if (fabs(sheet->width - 180 * 72 / 25.4) < 1e-9) png_scale = 1600 / sheet->width * 72 / 96;
  rnl_buffer_text(gp, "do for [FORMAT in FORMATS] {\n"
                      "  TERMINAL = FORMAT eq 'svg' ? 'svg' : FORMAT eq 'tex' ? 'cairolatex' : FORMAT.'cairo'\n");
  rnl_buffer_printf(gp,
                    "  if (strstrt(' '.GPVAL_TERMINALS.' ', ' '.TERMINAL.' ') == 0) {\n"
                    "    print '%s'.TERMINAL\n    continue\n  }\n",
                    RNL_SCRIPT_MISSING);
  if (w->formats & RNL_FORMAT_SVG)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'svg') {\n    set terminal svg size %.0f,%.0f dynamic enhanced "
                      "background rgb 'white' \\\n"
                      "      font 'Inter, DejaVu Sans, Helvetica, Arial, sans-serif,%.4g' "
                      "fontscale %.4f lw %.4g\n  }\n",
                      inches_x * 96, inches_y * 96, text, svg_scale, line);
  if (w->formats & RNL_FORMAT_PNG)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'png') {\n    set terminal pngcairo size %.0f,%.0f enhanced "
                      "background rgb 'white' \\\n      font 'Inter,%.4g' fontscale %.4f lw %.4f ps %.4f\n  }\n",
                      inches_x * 96 * png_scale, inches_y * 96 * png_scale, text, png_scale, png_scale * line,
                      png_scale);
  if (w->formats & RNL_FORMAT_PDF)
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'pdf') {\n    set terminal pdfcairo size %.4fin,%.4fin enhanced \\\n"
                      "      font 'Inter,%.4g' fontscale 0.75 lw %.4g ps 0.75\n  }\n",
                      inches_x, inches_y, text, 1.5 * line);
  if (w->formats & RNL_FORMAT_TEX) { /* the last in FORMATS: the texts stay LaTeX's */
    rnl_buffer_printf(gp,
                      "  if (FORMAT eq 'tex') {\n    set terminal cairolatex pdf input colortext size %.4fin,%.4fin "
                      "\\\n      fontscale 0.75 lw %.4g ps 0.75\n",
                      inches_x, inches_y, 1.5 * line);
    w->latex = true;
    put_variables(w);
    w->latex = false;
    rnl_buffer_text(gp, "  }\n");
  }
  rnl_buffer_printf(gp, "  if (FORMAT eq 'tex') { set output '%s-tex'.SUFFIX.'.tex' } else { "
                        "set output '%s.'.FORMAT.SUFFIX }\n", name, name);
}

/* ---- axes ---------------------------------------------------------------------------------------- */

static void put_tic_list(writer *w, const rnl_axis *axis, const char *letter, bool labels, double room) {
  rnl_buffer *gp = w->gp;
  bool own = false;
  rnl_buffer_printf(gp, "set %stics (", letter);
  for (size_t i = 0; i < axis->count; i++) {
    const rnl_tic *tic = &axis->tics[i];
    if (i > 0) rnl_buffer_text(gp, i % 8 ? ", " : ", \\\n    ");
    own = own || tic->own;
    if (labels && tic->own) {
      put_text(w, tic->own, RNL_TEXT_SIZE * w->sheet->scale, room, true, NULL);
    } else if (labels && w->latex && tic->label[0]) {
      rnl_buffer_char(gp, '\'');
      rnl_latex_tic(gp, tic->label);
      rnl_buffer_char(gp, '\'');
    } else {
      rnl_buffer_printf(gp, "'%s'", labels ? tic->label : "");
    }
    rnl_buffer_printf(gp, " %.12g%s", tic->at, tic->label[0] || tic->own ? "" : " 1");
  }
  rnl_buffer_printf(gp, ") nomirror out %senhanced", own ? "no" : "");
  if (w->latex && *letter == 'x') /* LaTeX's terminal measures in a type of its own, larger than small figures' */
    rnl_buffer_printf(gp, " offset 0,character %.3g", fmax(0.25 + 0.9 * (1 - w->sheet->scale), 0));
  rnl_buffer_char(gp, '\n');
}

/* The tics, once more for LaTeX where that is drawn too and they say something. */
static void put_tics(writer *w, const rnl_axis *axis, const char *letter, bool labels, double room) {
  bool twice = labels && axis->count > 0 && (w->formats & RNL_FORMAT_TEX);
  if (axis->count == 0) {
    rnl_buffer_printf(w->gp, "  unset %stics\n", letter);
    return;
  }
  rnl_buffer_text(w->gp, twice ? "  if (FORMAT eq 'tex') { " : "  ");
  w->latex = twice;
  put_tic_list(w, axis, letter, labels, room);
  w->latex = false;
  if (!twice) return;
  rnl_buffer_text(w->gp, "  } else { ");
  put_tic_list(w, axis, letter, labels, room);
  rnl_buffer_text(w->gp, "  }\n");
}

static void put_axis(writer *w, const rnl_axis_spec *spec, const rnl_axis *axis, const char *letter, bool labels,
                     double room) {
  rnl_buffer_printf(w->gp, "  %s logscale %s\n", axis->log ? "set" : "unset", letter);
  rnl_buffer_printf(w->gp, "  set %srange [%.12g:%.12g]\n", letter, spec->reversed ? axis->high : axis->low,
                    spec->reversed ? axis->low : axis->high);
  put_tics(w, axis, letter, labels, room);
}

static void put_color_axis(writer *w, size_t p) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  rnl_buffer *gp = w->gp;
  double f = sheet->scale;
  if (!at->colors) return;
  rnl_buffer_printf(gp, "  set palette maxcolors 0 %s\n", rnl_style_palette(panel->map));
  rnl_buffer_printf(gp, "  %s logscale cb\n  set cbrange [%.12g:%.12g]\n",
                    sheet->color_axes[p].log ? "set" : "unset", at->color_low, at->color_high);
  if (!at->colorbar) {
    rnl_buffer_text(gp, "  unset colorbox\n");
    return;
  }
  put_tics(w, &sheet->color_axes[p], "cb", true, 60 * f);
  rnl_buffer_printf(gp, "  set colorbox vertical user origin screen %.5f, screen %.5f size screen %.5f, screen %.5f "
                        "noborder\n",
                    along(w, at->color_bar_x), down(w, at->top + at->height), 9 * f / sheet->width,
                    at->height / sheet->height);
  if (panel->color_label)
    rnl_buffer_printf(gp, "  set label 8 COLORLABEL%zu at screen %.5f, screen %.5f center rotate noenhanced "
                          "font ',%.4g' textcolor rgb '" RNL_COLOR_LABEL "'\n",
                      p + 1, along(w, at->color_text_x), down(w, at->top + at->height / 2), RNL_TEXT_SIZE * f);
}

/* ---- a panel ------------------------------------------------------------------------------------- */

static void put_labels(writer *w, size_t p) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  double f = sheet->scale;
  rnl_buffer *gp = w->gp;
  static const char look[] = "noenhanced font ',%.4g' textcolor rgb '%s'\n";
  double middle = along(w, at->left + at->width / 2), half = down(w, at->top + at->height / 2);
#define LOOK(size, color)                               \
  do {                                                  \
    rnl_buffer_printf(gp, look, (size) * f, color);     \
  } while (0)
  if (at->y_labels && panel->axis[RNL_AXIS_Y].label) {
    rnl_buffer_printf(gp, "  set label 3 YLABEL%zu at screen %.5f, screen %.5f center rotate ", p + 1,
                      along(w, at->y_label_x), half);
    LOOK(RNL_LABEL_SIZE, RNL_COLOR_LABEL);
  }
  if ((at->x_labels || panel->bare) && panel->axis[RNL_AXIS_X].label) {
    double below = panel->bare ? 9 : 26;
    rnl_buffer_printf(gp, "  set label 4 XLABEL%zu at screen %.5f, screen %.5f center ", p + 1, middle,
                      down(w, at->top + at->height + below * f));
    LOOK(RNL_LABEL_SIZE, RNL_COLOR_LABEL);
  }
  if (at->second && panel->axis[RNL_AXIS_Y2].label) {
    rnl_buffer_printf(gp, "  set label 5 Y2LABEL%zu at screen %.5f, screen %.5f center rotate ", p + 1,
                      along(w, at->y2_label_x), half);
    LOOK(RNL_LABEL_SIZE, RNL_COLOR_LABEL);
  }
  if (panel->title) {
    rnl_buffer_printf(gp, "  set label 6 PANEL%zu at screen %.5f, screen %.5f left ", p + 1, along(w, at->left),
                      down(w, at->top - 8 * f));
    LOOK(RNL_LABEL_SIZE, RNL_COLOR_TITLE);
  }
#undef LOOK
}

static const char *const aligns[] = {"left", "center", "right"};

/* The text of a note as label `tag`, at "x, y" in gnuplot's words. */
static void put_note_text(writer *w, const rnl_note *note, size_t tag, const char *at, int align, int rise) {
  double f = w->sheet->scale, size = (note->small ? RNL_SMALL_SIZE : RNL_TEXT_SIZE) * f;
  bool tex = w->formats & RNL_FORMAT_TEX;
  const char *color = note->light ? "#FFFFFF"
                      : note->role == RNL_ROLE_TARGET ? (note->strong ? RNL_COLOR_TITLE : RNL_COLOR_TICS)
                      : note->role == RNL_ROLE_MUTED ? RNL_COLOR_QUIET : rnl_style_color(note->role);
  for (int latex = tex; latex >= 0; latex--) {
    w->latex = latex;
    rnl_buffer_printf(w->gp, "%sset label %zu ", latex ? "  if (FORMAT eq 'tex') { " : tex ? " else { " : "  ", tag);
    put_text(w, note->text, size, w->sheet->width * 0.7, false, note->boxed ? "\\rnlboxed{" : NULL);
    rnl_buffer_printf(w->gp, " at %s %s offset character %.3g,character %.3g noenhanced front%s font ',%.4g' textcolor "
                      "rgb '%s'%s%s",
                      at, aligns[align + 1], note->kind == RNL_NOTE_UP ? 0.6 : 0.0, rise * 0.7,
                      note->boxed && !latex ? " boxed" : "", size, color, tex ? " }" : "", latex ? "" : "\n");
  }
  w->latex = false;
}

static void put_note(writer *w, const rnl_note *note, size_t i) {
  rnl_buffer *gp = w->gp;
  const char *unit = note->frame ? "graph" : "first";
  char from[96], to[96];
  snprintf(from, sizeof from, "%s %.10g, %s %.10g", unit, note->x, unit, note->y);
  snprintf(to, sizeof to, "%s %.10g, %s %.10g", unit, note->x2, unit, note->y2);
  int align = note->align, rise = note->rise;
  const char *where = from;
  char text_at[96];
  bool line = note->kind != RNL_NOTE_TEXT;
  if (note->kind == RNL_NOTE_ACROSS) {
    snprintf(from, sizeof from, "graph 0, first %.10g", note->y);
    snprintf(to, sizeof to, "graph 1, first %.10g", note->y);
    snprintf(text_at, sizeof text_at, "graph 0.995, first %.10g", note->y);
    where = text_at, align = 1, rise = 1;
  } else if (note->kind == RNL_NOTE_UP) {
    snprintf(from, sizeof from, "first %.10g, graph 0", note->x);
    snprintf(to, sizeof to, "first %.10g, graph 1", note->x);
    snprintf(text_at, sizeof text_at, "first %.10g, graph 0.97", note->x);
    where = text_at, align = -1, rise = -1;
  }
  if (line) {
    const char *color = note->role == RNL_ROLE_TARGET ? RNL_COLOR_QUIET : rnl_style_color(note->role);
    rnl_buffer_printf(gp, "  set arrow %zu from %s to %s %s lc rgb '%s' lw %s%s\n", i + 1, from, to,
                      note->kind == RNL_NOTE_ARROW ? "head size graph 0.015,20 filled front" : "nohead front", color,
                      note->strong ? "1.4" : "0.9",
                      note->dash == RNL_DASH_DOTTED ? " dt (1,2.5)" : note->dash == RNL_DASH_DASHED ? " dt (5,3)" : "");
  }
  if (note->text) put_note_text(w, note, 10 + i, where, align, rise);
}

static void put_frame(writer *w, size_t p, bool heat) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  rnl_buffer *gp = w->gp;
  rnl_buffer_printf(gp, "\n  # panel %zu\n", p + 1);
  rnl_buffer_printf(gp,
                    "  set lmargin at screen %.5f\n  set rmargin at screen %.5f\n"
                    "  set tmargin at screen %.5f\n  set bmargin at screen %.5f\n",
                    along(w, at->left), along(w, at->left + at->width), down(w, at->top),
                    down(w, at->top + at->height));
  if (panel->bare)
    rnl_buffer_text(gp, "  unset border; unset grid\n");
  else
    rnl_buffer_printf(gp, "  set border %d\n  set grid %sytics lt 1 lc rgb '" RNL_COLOR_GRID "' lw 0.7\n"
                          "  set grid no%sx%stics back\n%s",
                      at->second ? 11 : 3, heat ? "no" : "", panel->xgrid && !heat ? "m" : "", "", "");
  if (!panel->bare && panel->xgrid && !heat) rnl_buffer_text(gp, "  set grid xtics back\n");
  double wide = fmax(at->width / fmax((double)rnl_sheet_axis(sheet, p, RNL_AXIS_X)->count, 1), 30 * sheet->scale);
  double room[RNL_AXES] = {wide, 24 * 5.4 * sheet->scale, 24 * 5.4 * sheet->scale};
  static const char *const letters[] = {"x", "y", "y2"};
  for (int i = 0; i < RNL_AXES; i++) {
    rnl_axis empty = *rnl_sheet_axis(sheet, p, i);
    if (panel->bare) empty.count = 0;
    if (i == RNL_AXIS_Y2 && !at->second) {
      rnl_buffer_text(gp, "  unset y2tics\n");
      continue;
    }
    bool labels = i == RNL_AXIS_X ? at->x_labels : i == RNL_AXIS_Y ? at->y_labels : true;
    put_axis(w, &panel->axis[i], &empty, letters[i], labels, room[i]);
  }
  put_color_axis(w, p);
  put_labels(w, p);
}

static void put_panel(writer *w, size_t p, const int *index) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_panel *panel = sheet->figure->panels[p];
  rnl_buffer *gp = w->gp;
  bool any = false, heat = false;
  for (size_t k = 0; k < panel->series_count; k++) {
    any = any || index[k] >= 0;
    heat = heat || panel->series[k].kind == RNL_SERIES_HEAT;
  }
  put_frame(w, p, heat);
  for (size_t i = 0; i < panel->note_count; i++) put_note(w, &panel->notes[i], i);
  if (!any && panel->note_count == 0)
    rnl_buffer_printf(gp, "  set label 7 'no data' at graph 0.5, graph 0.5 center font ',%.4g' "
                          "textcolor rgb '" RNL_COLOR_QUIET "'\n", RNL_TEXT_SIZE * sheet->scale);
  rnl_buffer_text(gp, "  set key off\n  plot");
  int drawn = rnl_series_plot(sheet, p, index, gp);
  if (!drawn) rnl_buffer_text(gp, " NaN notitle");
  rnl_buffer_text(gp, "\n  unset label\n  unset arrow\n");
}

/* The legend is a plot of its own without anything else, since gnuplot wraps it at the plot's width. */
static void put_legend(writer *w) {
  const rnl_sheet *sheet = w->sheet;
  rnl_buffer *gp = w->gp;
  if (sheet->legend_count == 0) return;
  rnl_buffer_printf(gp,
                    "\n  # legend\n  set lmargin at screen %.5f\n  set rmargin at screen %.5f\n"
                    "  set tmargin at screen 0.99\n  set bmargin at screen 0.01\n"
                    "  unset border; unset grid; unset xtics; unset ytics; unset y2tics; unset colorbox\n"
                    "  unset logscale\n  set xrange [0:1]\n  set yrange [0:1]\n",
                    along(w, sheet->edge), along(w, sheet->width - sheet->edge + 2));
  rnl_buffer_printf(gp, "  set key at screen %.5f, screen %.5f right top horizontal maxcols %d\n  plot",
                    along(w, sheet->width - sheet->edge + 2), down(w, sheet->legend_y - 6 * sheet->scale),
                    sheet->legend_columns);
  for (size_t i = 0; i < sheet->legend_count; i++) {
    rnl_buffer_text(gp, i ? RNL_SERIES_COMMA : " ");
    rnl_series_sample(sheet->legend[i], sheet->scale, gp);
    rnl_buffer_printf(gp, " title LEGEND%zu", i + 1);
  }
  rnl_buffer_char(gp, '\n');
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static void put_script(writer *w, const int *index) {
  const rnl_sheet *sheet = w->sheet;
  const rnl_figure *figure = sheet->figure;
  rnl_buffer *gp = w->gp;
  double f = sheet->scale;
  rnl_buffer_printf(gp,
                    "# %s.gp, written by rnnlab. To draw the figure again, in this folder: gnuplot %s.gp\n"
                    "# Edit what you like; %s.dat holds its points.\n"
                    "reset\nset encoding utf8\nFORMATS = '",
                    figure->name, figure->name, figure->name);
  for (unsigned bit = 1, first = 1; bit < RNL_FORMAT_SOURCES; bit <<= 1) {
    if (!(w->formats & bit)) continue;
    rnl_buffer_printf(gp, "%s%s", first ? "" : " ", rnl_format_name(bit));
    first = 0;
  }
  rnl_buffer_text(gp, "'\nif (!exists('SUFFIX')) SUFFIX = ''\n\n");
  put_variables(w);
  rnl_buffer_char(gp, '\n');
  put_formats(w);
  rnl_buffer_text(gp, "  DOT = FORMAT eq 'svg' ? 1.35 : 1 # measured: so a dot is as large in each\n\n");
  rnl_style_write(gp, f);
  rnl_buffer_text(gp, "\n  set multiplot\n");
  if (figure->title)
    rnl_buffer_printf(gp, "  set label 1 TITLE at screen %.5f, screen %.5f left noenhanced font ',%.4g' "
                          "textcolor rgb '" RNL_COLOR_TITLE "'\n",
                      along(w, sheet->edge), down(w, sheet->title_y), RNL_TITLE_SIZE * f);
  if (figure->subtitle)
    rnl_buffer_printf(gp, "  set label 2 SUBTITLE at screen %.5f, screen %.5f left noenhanced font ',%.4g' "
                          "textcolor rgb '" RNL_COLOR_QUIET "'\n",
                      along(w, sheet->edge), down(w, sheet->subtitle_y), RNL_TEXT_SIZE * f);
  for (size_t p = 0, slot = 0; p < figure->panel_count; slot += figure->panels[p++]->series_count)
    put_panel(w, p, index + slot);
  put_legend(w);
  rnl_buffer_printf(gp, "  unset multiplot\n  unset output\n}\nif (SUFFIX ne '') print '%s%s'\n", RNL_SCRIPT_DRAWN,
                    figure->name);
}

rnl_status rnl_script_write(const rnl_figure *figure, unsigned formats, rnl_buffer *gp, rnl_buffer *dat,
                            rnl_script_size *size, rnl_error *err) {
  rnl_sheet sheet;
  rnl_status status = rnl_sheet_make(&sheet, figure, err);
  if (status != RNL_OK) {
    rnl_sheet_free(&sheet);
    return status;
  }
  size_t slots = 1;
  for (size_t p = 0; p < figure->panel_count; p++) slots += figure->panels[p]->series_count;
  int *index = rnl_alloc(slots, sizeof *index);
  if (index) {
    status = rnl_series_data(&sheet, dat, index, err);
    if (status == RNL_OK) {
      put_script(&(writer){.sheet = &sheet, .formats = formats, .gp = gp}, index);
      status = rnl_buffer_check(gp, "a figure's script", err);
    }
  } else {
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory while laying out figure \"%s\"", figure->name);
  }
  if (size) *size = (rnl_script_size){sheet.width, sheet.height};
  rnl_free(index);
  rnl_sheet_free(&sheet);
  return status;
}
