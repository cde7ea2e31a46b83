/* plot/series.c: see series.h. */
#include "plot/series.h"

#include <math.h>

#include "base/alloc.h"
#include "plot/style.h"
#include "plot/thin.h"

static double wide_of(const rnl_series *s) { return s->wide > 0 ? s->wide : 0.8; }

/* ---- data ---------------------------------------------------------------------------------------- */

/* Can gnuplot draw the point on these axes? */
static bool fits(const rnl_series *s, size_t i, bool log_x, bool log_y) {
  if (!rnl_series_drawable(s, i) || (log_x && s->x[i] <= 0)) return false;
  bool area = s->kind == RNL_SERIES_BAND || s->kind == RNL_SERIES_BOXES || s->low;
  return !(log_y && area &&
           (s->y[i] <= 0 || (s->y2 && s->y2[i] <= 0) || (s->low && (s->low[i] <= 0 || s->high[i] <= 0))));
}

static void put_bar(const rnl_series *s, size_t i, double floor, rnl_buffer *dat) {
  double half = wide_of(s) / 2, low = s->y2 ? s->y2[i] : floor, high = s->y[i], swap = high;
  if (high < low) high = low, low = swap;
  if (s->sideways)
    rnl_buffer_printf(dat, "%.10g %.10g %.10g %.10g %.10g %.10g", s->y[i], s->x[i], low, high, s->x[i] - half,
                      s->x[i] + half);
  else
    rnl_buffer_printf(dat, "%.10g %.10g %.10g %.10g %.10g %.10g", s->x[i], s->y[i], s->x[i] - half, s->x[i] + half,
                      low, high);
}

/* The columns of one point, in the order rnl_series_plot's `using` wants them. */
static void put_point(const rnl_series *s, size_t i, double floor, rnl_buffer *dat) {
  if (s->kind == RNL_SERIES_BARS) {
    put_bar(s, i, floor, dat);
  } else if (s->kind == RNL_SERIES_BOXES) {
    rnl_buffer_printf(dat, "%.10g %.10g %.10g %.10g %.10g %.10g", s->x[i], s->y[i], s->low[i], s->high[i], s->y2[i],
                      s->mid[i]);
  } else {
    rnl_buffer_printf(dat, "%.10g %.10g", s->x[i], s->y[i]);
    if (s->kind == RNL_SERIES_BAND) rnl_buffer_printf(dat, " %.10g", s->y2[i]);
    else if (s->low) rnl_buffer_printf(dat, " %.10g %.10g", s->low[i], s->high[i]);
  }
  if (s->color) rnl_buffer_printf(dat, " %.10g", s->color[i]);
  rnl_buffer_char(dat, '\n');
}

/* gnuplot draws no image of one row or one column: it is written twice. */
static size_t doubled(size_t n) { return n == 1 ? 2 : n; }

static bool put_matrix(const rnl_series *s, bool log, rnl_buffer *dat) {
  bool any = false;
  for (size_t r = 0; r < doubled(s->rows); r++) {
    for (size_t c = 0; c < doubled(s->columns); c++) {
      double value = s->y[r % s->rows * s->columns + c % s->columns];
      bool ok = isfinite(value) && !(log && value <= 0);
      any = any || ok;
      if (ok) rnl_buffer_printf(dat, "%s%.7g", c ? " " : "", value);
      else rnl_buffer_text(dat, c ? " NaN" : "NaN");
    }
    rnl_buffer_char(dat, '\n');
  }
  return any;
}

/* The block of one series; false where it has no point. */
static rnl_status put_series(const rnl_sheet *sheet, size_t p, const rnl_series *s, rnl_buffer *dat, bool *any,
                             rnl_error *err) {
  const rnl_axis *x = rnl_sheet_axis(sheet, p, RNL_AXIS_X);
  const rnl_axis *y = rnl_sheet_axis(sheet, p, s->second ? RNL_AXIS_Y2 : RNL_AXIS_Y);
  if (s->kind == RNL_SERIES_HEAT) {
    *any = put_matrix(s, sheet->color_axes[p].log, dat);
    return RNL_OK;
  }
  bool bars = s->kind == RNL_SERIES_BARS, boxes = s->kind == RNL_SERIES_BOXES;
  const rnl_axis *rising = bars && s->sideways ? x : y;
  double floor = rising->log ? rising->low : 0;
  size_t *points, count;
  RNL_TRY(rnl_thin(s, x->log, &points, &count, err));
  bool gap = false;
  *any = false;
  for (size_t j = 0; j < count; j++) {
    size_t i = points[j];
    if (!fits(s, i, x->log && !(bars && s->sideways), y->log && !(bars && s->sideways))) {
      gap = *any && !bars && !boxes && s->kind != RNL_SERIES_POINTS;
      continue;
    }
    if (gap) rnl_buffer_char(dat, '\n');
    *any = true;
    gap = false;
    put_point(s, i, floor, dat);
  }
  rnl_free(points);
  return RNL_OK;
}

rnl_status rnl_series_data(const rnl_sheet *sheet, rnl_buffer *dat, int *index, rnl_error *err) {
  const rnl_figure *figure = sheet->figure;
  rnl_buffer_printf(dat,
                    "# The points of %s.gp: blocks of x, y and what more a series has; gaps as empty lines; heat maps "
                    "as matrices.\n",
                    figure->name);
  int blocks = 0, slot = 0;
  for (size_t p = 0; p < figure->panel_count; p++) {
    const rnl_panel *panel = figure->panels[p];
    for (size_t k = 0; k < panel->series_count; k++, slot++) {
      const rnl_series *s = &panel->series[k];
      size_t before = dat->length;
      rnl_buffer_printf(dat, "%s# %s, panel %zu\n", blocks ? "\n\n" : "", s->label ? s->label : "(no label)", p + 1);
      bool any;
      RNL_TRY(put_series(sheet, p, s, dat, &any, err));
      RNL_TRY(rnl_buffer_check(dat, "a figure's data", err));
      if (!any) {
        dat->length = before;
        dat->data[before] = '\0';
      }
      index[slot] = any ? blocks++ : -1;
    }
  }
  return rnl_buffer_check(dat, "a figure's data", err);
}

/* ---- the plot command ---------------------------------------------------------------------------- */

static double width_of(const rnl_series *s) {
  return (s->role == RNL_ROLE_TARGET ? 1.2 : s->role == RNL_ROLE_MUTED ? 0.7 : 1.6) * (s->scale > 0 ? s->scale : 1);
}

static void put_dash(const rnl_series *s, rnl_buffer *gp) {
  if (s->dash == RNL_DASH_DOTTED) rnl_buffer_text(gp, " dt (1,2.5)");
  else if (s->dash == RNL_DASH_DASHED || rnl_style_dashed(s->role)) rnl_buffer_text(gp, " dt (5,3)");
}

/* "ls 2", with what the series changes of it. */
static void put_style(const rnl_series *s, double mark, rnl_buffer *gp) {
  rnl_buffer_printf(gp, " ls %d", rnl_style_line(s->role));
  if (s->scale > 0 && s->scale != 1) {
    rnl_buffer_printf(gp, " lw %.4g", width_of(s));
    if (mark > 0) rnl_buffer_printf(gp, " ps %.4g*DOT", mark * s->scale);
  }
}

static void put_fill(const rnl_series *s, double house, bool bordered, rnl_buffer *gp) {
  rnl_buffer_printf(gp, " fs transparent solid %.3g", s->opacity > 0 ? s->opacity : house);
  if (bordered) rnl_buffer_printf(gp, " border lc rgb '%s'", rnl_style_color(s->role));
  else rnl_buffer_text(gp, " noborder");
}

/* " with lines ls 2 ..." */
static void put_look(const rnl_series *s, bool one_point, double mark, rnl_buffer *gp) {
  static const char *const kinds[] = {"lines", "points", "steps", "filledcurves", "boxxyerror", "candlesticks"};
  bool marks = (s->marks || one_point) && s->kind == RNL_SERIES_LINE;
  rnl_buffer_printf(gp, " with %s%s", marks ? "linespoints" : kinds[s->kind],
                    s->kind == RNL_SERIES_BOXES ? " whiskerbars 0.4" : "");
  put_style(s, s->kind == RNL_SERIES_POINTS || marks ? mark : 0, gp);
  if (s->kind == RNL_SERIES_POINTS && !(s->scale > 0 && s->scale != 1))
    rnl_buffer_printf(gp, " ps %.4g*DOT", 1.25 * mark);
  if (s->kind == RNL_SERIES_LINE || s->kind == RNL_SERIES_STEPS) put_dash(s, gp);
  if (s->color) rnl_buffer_text(gp, " lc palette");
  if (s->kind == RNL_SERIES_BARS) put_fill(s, 0.85, false, gp);
  if (s->kind == RNL_SERIES_BOXES) put_fill(s, 0.22, true, gp);
  if (s->kind == RNL_SERIES_BAND) put_fill(s, 0.15, false, gp);
}

/* Points to draw; a line of one point needs a mark to be seen. */
static bool has_one_point(const rnl_series *s) {
  size_t n = 0;
  for (size_t i = 0; i < s->n && n < 2; i++) n += rnl_series_drawable(s, i);
  return n == 1;
}

static void put_heat(const rnl_sheet *sheet, const rnl_series *s, int index, rnl_buffer *gp) {
  double dx = (s->extent[1] - s->extent[0]) / (double)doubled(s->columns);
  double dy = (s->extent[3] - s->extent[2]) / (double)doubled(s->rows);
  rnl_buffer_printf(gp, "'%s.dat' index %d matrix using (%.10g+%.10g*$1):(%.10g+%.10g*$2):3 with image notitle",
                    sheet->figure->name, index, s->extent[0] + dx / 2, dx, s->extent[2] + dy / 2, dy);
}

static void put_element(const rnl_sheet *sheet, const rnl_series *s, int index, rnl_buffer *gp) {
  double mark = 0.32 * sheet->scale;
  if (s->kind == RNL_SERIES_HEAT) {
    put_heat(sheet, s, index, gp);
    return;
  }
  static const char *const columns[] = {"1:2", "1:2", "1:2", "1:2:3", "1:2:3:4:5:6", ""};
  if (s->low && s->kind == RNL_SERIES_POINTS) { /* error bars without caps */
    rnl_buffer_printf(gp, "'%s.dat' index %d using 1:3:(0):($4-$3) with vectors nohead ls %d lw %.3g notitle",
                      sheet->figure->name, index, rnl_style_line(s->role), 0.7 * width_of(s));
    if (s->bare) return;
    rnl_buffer_text(gp, RNL_SERIES_COMMA);
  }
  rnl_buffer_printf(gp, "'%s.dat' index %d using ", sheet->figure->name, index);
  int n = s->kind == RNL_SERIES_BARS ? 7 : s->low ? 5 : 3; /* the colour's column */
  if (s->kind == RNL_SERIES_BOXES) rnl_buffer_printf(gp, "1:2:3:4:5:(%.6g)", wide_of(s));
  else rnl_buffer_text(gp, columns[s->kind]);
  if (s->color) rnl_buffer_printf(gp, ":%d", n);
  put_look(s, has_one_point(s), mark, gp);
  if (s->kind == RNL_SERIES_BOXES) {
    rnl_buffer_printf(gp, "%s notitle" RNL_SERIES_COMMA, s->second ? " axes x1y2" : "");
    rnl_buffer_printf(gp, "'%s.dat' index %d using ($1-%.6g):6:(%.6g):(0) with vectors nohead ls %d lw %.3g",
                      sheet->figure->name, index, wide_of(s) / 2, wide_of(s), rnl_style_line(s->role),
                      1.4 * width_of(s));
  }
  rnl_buffer_printf(gp, "%s notitle", s->second ? " axes x1y2" : "");
}

int rnl_series_plot(const rnl_sheet *sheet, size_t p, const int *first, rnl_buffer *gp) {
  const rnl_panel *panel = sheet->figure->panels[p];
  const char *comma = " ";
  int drawn = 0;
  for (int pass = 0; pass < 3; pass++) /* heat maps lie lowest, bands under the lines */
    for (size_t k = 0; k < panel->series_count; k++) {
      const rnl_series *s = &panel->series[k];
      int layer = s->kind == RNL_SERIES_HEAT ? 0 : s->kind == RNL_SERIES_BAND ? 1 : 2;
      if (first[k] < 0 || layer != pass) continue;
      rnl_buffer_text(gp, comma);
      put_element(sheet, s, first[k], gp);
      comma = RNL_SERIES_COMMA;
      drawn++;
    }
  return drawn;
}

void rnl_series_sample(const rnl_series *s, double scale, rnl_buffer *gp) {
  rnl_series sample = *s;
  sample.color = sample.low = sample.high = NULL;
  rnl_buffer_text(gp, "NaN");
  if (s->kind == RNL_SERIES_BARS || s->kind == RNL_SERIES_BOXES) {
    rnl_buffer_printf(gp, " with boxes ls %d", rnl_style_line(s->role));
    put_fill(s, s->kind == RNL_SERIES_BARS ? 0.85 : 0.22, s->kind == RNL_SERIES_BOXES, gp);
  } else {
    put_look(&sample, false, 0.32 * scale, gp);
  }
}
