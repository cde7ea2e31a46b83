/* plot/layout.c: see layout.h. */
#include "plot/layout.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "plot/text.h"

static const double CHARACTER = 5.4; /* the width of a digit of 9 points, with its share of space */
enum { TIC_TEXT_MOST = 24 };         /* characters of a tic's own label that get their room */

static const struct {
  double width_mm, scale;
} sizes[RNL_SIZES] = {
  [RNL_SIZE_PAGE] = {180, 1}, [RNL_SIZE_COLUMN] = {85, 0.83}, [RNL_SIZE_SLIDE] = {254, 1.6},
  [RNL_SIZE_SCREEN] = {240, 1.15}};

/* ---- what the data cover -------------------------------------------------------------------------- */

typedef struct cover {
  rnl_extent axis[RNL_AXES];
  bool heat;
  rnl_extent color;
} cover;

static void cover_heat(cover *c, const rnl_series *s) {
  bool whole[2] = {c->axis[RNL_AXIS_X].whole, c->axis[RNL_AXIS_Y].whole};
  rnl_extent_add(&c->axis[RNL_AXIS_X], s->extent[0]);
  rnl_extent_add(&c->axis[RNL_AXIS_X], s->extent[1]);
  rnl_extent_add(&c->axis[RNL_AXIS_Y], s->extent[2]);
  rnl_extent_add(&c->axis[RNL_AXIS_Y], s->extent[3]);
  if (s->extent[1] - s->extent[0] == (double)s->columns) c->axis[RNL_AXIS_X].whole = whole[0]; /* cells are counted */
  if (s->extent[3] - s->extent[2] == (double)s->rows) c->axis[RNL_AXIS_Y].whole = whole[1];
  for (size_t i = 0; i < s->n; i++) rnl_extent_add(&c->color, s->y[i]);
  c->heat = true;
}

static void cover_series(cover *c, const rnl_series *s) {
  if (s->kind == RNL_SERIES_HEAT) {
    cover_heat(c, s);
    return;
  }
  bool bars = s->kind == RNL_SERIES_BARS, boxes = s->kind == RNL_SERIES_BOXES;
  double half = bars || boxes ? (s->wide > 0 ? s->wide : 0.8) / 2 : 0;
  bool lying = bars && s->sideways;
  rnl_extent *x = &c->axis[lying ? RNL_AXIS_Y : RNL_AXIS_X];
  rnl_extent *y = &c->axis[lying ? RNL_AXIS_X : s->second ? RNL_AXIS_Y2 : RNL_AXIS_Y];
  for (size_t i = 0; i < s->n; i++) {
    if (!rnl_series_drawable(s, i)) continue;
    if (s->color) rnl_extent_add(&c->color, s->color[i]);
    if (s->outside) continue;
    rnl_extent_add(x, s->x[i] - half);
    rnl_extent_add(x, s->x[i] + half);
    rnl_extent_add(y, s->y[i]);
    if (bars && !s->y2) rnl_extent_add(y, 0);
    const double *const more[] = {s->y2, s->low, s->high};
    for (size_t k = 0; k < 3; k++)
      if (more[k]) rnl_extent_add(y, more[k][i]);
  }
}

static cover cover_of(const rnl_panel *panel) {
  cover c = {.color = rnl_extent_empty()};
  for (int i = 0; i < RNL_AXES; i++) c.axis[i] = rnl_extent_empty();
  for (size_t k = 0; k < panel->series_count; k++) cover_series(&c, &panel->series[k]);
  for (size_t k = 0; k < panel->note_count; k++) {
    const rnl_note *note = &panel->notes[k];
    if (note->frame) continue;
    if (note->kind == RNL_NOTE_ACROSS) rnl_extent_add(&c.axis[RNL_AXIS_Y], note->y);
    if (note->kind == RNL_NOTE_UP) rnl_extent_add(&c.axis[RNL_AXIS_X], note->x);
  }
  return c;
}

static void merge(rnl_extent *into, const rnl_extent *other) {
  if (other->low < into->low) into->low = other->low;
  if (other->high > into->high) into->high = other->high;
  if (other->least_positive < into->least_positive) into->least_positive = other->least_positive;
  into->whole = into->whole && other->whole;
}

/* ---- axes ----------------------------------------------------------------------------------------- */

static void choose(const rnl_axis_spec *spec, rnl_extent data, double low, double high, int intervals, bool snug,
                   rnl_axis *out) {
  rnl_axis_choose(out, data, low, high, spec->log, intervals, snug);
  if (spec->plain) out->count = 0;
  if (spec->tic_count == 0) return;
  out->count = 0; /* the writer takes the texts from the description */
  for (size_t i = 0; i < spec->tic_count && i < RNL_TICS_MAX; i++) {
    double at = spec->tic_at[i], slack = 1e-9 * fabs(out->high - out->low);
    if (!(at >= out->low - slack && at <= out->high + slack)) continue;
    rnl_tic *tic = &out->tics[out->count++];
    tic->at = at;
    tic->label[0] = '\0';
    tic->own = spec->tic_labels[i];
  }
}

static void choose_panel(rnl_sheet *sheet, size_t p, const cover *c, const cover *shared_x, const cover *shared_y) {
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  for (int i = 0; i < RNL_AXES; i++) {
    const rnl_axis_spec *spec = &panel->axis[i];
    const cover *from = i == RNL_AXIS_X ? shared_x : i == RNL_AXIS_Y ? shared_y : c;
    rnl_extent data = from->axis[i];
    bool x = i == RNL_AXIS_X, tight = from->heat && i != RNL_AXIS_Y2;
    if (!x) data.whole = data.whole && from->heat;
    double low = isfinite(spec->low) || !tight ? spec->low : data.low;
    double high = isfinite(spec->high) || !tight ? spec->high : data.high;
    int intervals = (int)(x ? at->width / (75 * sheet->scale) : at->height / (28 * sheet->scale));
    if (x && intervals < 3) intervals = 3;
    if (!x && intervals < 2) intervals = 2;
    bool snug = spec->snug || (x && !panel->equal);
    choose(spec, data, low, high, intervals, snug, &sheet->axes[p * RNL_AXES + (size_t)i]);
  }
}

/* A map whose units are to be equal gets a smaller box. */
static void shrink_map(rnl_sheet *sheet, size_t p) {
  rnl_place *at = &sheet->places[p];
  const rnl_axis *x = rnl_sheet_axis(sheet, p, RNL_AXIS_X), *y = rnl_sheet_axis(sheet, p, RNL_AXIS_Y);
  double ux = (x->high - x->low) / at->width, uy = (y->high - y->low) / at->height;
  if (ux < uy) at->width *= ux / uy;
  else at->height *= uy / ux;
}

/* Stretch the shorter axis of a panel whose units are to be equal. */
static void make_equal(rnl_sheet *sheet, size_t p) {
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  rnl_axis *x = &sheet->axes[p * RNL_AXES + RNL_AXIS_X], *y = &sheet->axes[p * RNL_AXES + RNL_AXIS_Y];
  if (!panel->equal || x->log || y->log) return;
  double ux = (x->high - x->low) / at->width, uy = (y->high - y->low) / at->height;
  bool wider = ux < uy;
  rnl_axis *axis = wider ? x : y;
  double centre = (axis->low + axis->high) / 2, half = fmax(ux, uy) * (wider ? at->width : at->height) / 2;
  int intervals = (int)(wider ? at->width / (75 * sheet->scale) : at->height / (28 * sheet->scale));
  rnl_extent none = rnl_extent_empty();
  none.whole = false;
  choose(&panel->axis[wider ? RNL_AXIS_X : RNL_AXIS_Y], none, centre - half, centre + half,
         intervals < 2 ? 2 : intervals, true, axis);
}

static void choose_colors(rnl_sheet *sheet, size_t p, const cover *c) {
  const rnl_panel *panel = sheet->figure->panels[p];
  rnl_place *at = &sheet->places[p];
  at->colors = c->color.low <= c->color.high;
  at->colorbar = at->colors && !panel->no_colorbar;
  bool log = panel->map_log && isfinite(c->color.least_positive);
  double low = c->color.low, high = c->color.high;
  if (log) low = c->color.least_positive;
  if (panel->map == RNL_MAP_DIVERGING && at->colors && !log) {
    double most = fmax(fabs(low), fabs(high));
    low = -most, high = most;
  }
  if (isfinite(panel->color_low)) low = panel->color_low;
  if (isfinite(panel->color_high)) high = panel->color_high;
  if (!at->colors) low = 0, high = 1;
  if (!(high - low > 1e-12 * fmax(fabs(low), fabs(high)))) {
    double pad = fmax(fabs(low) * 0.1, 1e-12);
    if (log) low /= 1.1, high *= 1.1;
    else low -= pad, high += pad;
  }
  at->color_low = low;
  at->color_high = high;
  rnl_axis_choose(&sheet->color_axes[p], c->color, low, high, log, (int)(at->height / (28 * sheet->scale)), true);
}

/* All axes of all panels, from what the data cover and the places' sizes. */
static void choose_axes(rnl_sheet *sheet, const cover *covers) {
  const rnl_figure *figure = sheet->figure;
  for (size_t p = 0; p < figure->panel_count; p++) {
    cover x = covers[p], y = covers[p];
    for (size_t q = 0; q < figure->panel_count; q++) {
      if (!figure->own_x && q % sheet->columns == p % sheet->columns) {
        merge(&x.axis[RNL_AXIS_X], &covers[q].axis[RNL_AXIS_X]);
        x.heat = x.heat || covers[q].heat;
      }
      if (figure->share_y && q / sheet->columns == p / sheet->columns) {
        merge(&y.axis[RNL_AXIS_Y], &covers[q].axis[RNL_AXIS_Y]);
        y.heat = y.heat || covers[q].heat;
      }
    }
    sheet->places[p].second = covers[p].axis[RNL_AXIS_Y2].low <= covers[p].axis[RNL_AXIS_Y2].high;
    choose_panel(sheet, p, &covers[p], &x, &y);
    if (!covers[p].heat) make_equal(sheet, p);
    choose_colors(sheet, p, &covers[p]);
  }
}

/* ---- the legend ----------------------------------------------------------------------------------- */

/* The series the legend names: the first of each label. A single one needs no legend. */
static void collect_legend(rnl_sheet *sheet) {
  const rnl_figure *figure = sheet->figure;
  for (size_t p = 0; p < figure->panel_count; p++)
    for (size_t k = 0; k < figure->panels[p]->series_count; k++) {
      const rnl_series *s = &figure->panels[p]->series[k];
      bool known = !s->label || s->kind == RNL_SERIES_HEAT;
      for (size_t i = 0; i < sheet->legend_count && !known; i++)
        known = strcmp(sheet->legend[i]->label, s->label) == 0;
      if (!known && sheet->legend_count < RNL_LEGEND_MAX) sheet->legend[sheet->legend_count++] = s;
    }
  if (sheet->legend_count == 1) sheet->legend_count = 0;
}

/* Titles and legend from the top; returns where they end. The legend stands beside the title where there is room, else
 * in rows of its own. gnuplot gives all its columns the width of the widest. */
static double put_head(rnl_sheet *sheet) {
  const rnl_figure *figure = sheet->figure;
  double f = sheet->scale, column = 0;
  double title = figure->title ? rnl_plot_width(figure->title, RNL_TITLE_SIZE * f) : 0;
  for (size_t i = 0; i < sheet->legend_count; i++)
    column = fmax(column, 1.1 * rnl_plot_width(sheet->legend[i]->label, RNL_TEXT_SIZE * f) + 34 * f);
  double room = sheet->width - 2 * sheet->edge, legend = column * (double)sheet->legend_count;
  bool beside = sheet->legend_count > 0 && figure->title && sheet->edge + title + 20 * f + legend <
                sheet->width - sheet->edge;
  int columns = column > 0 ? (int)(room / column) : 1;
  sheet->legend_columns = columns < 1 ? 1 : columns > (int)sheet->legend_count ? (int)sheet->legend_count : columns;
  sheet->legend_width = room;
  int rows = sheet->legend_count ? ((int)sheet->legend_count + sheet->legend_columns - 1) / sheet->legend_columns : 0;
  double y = sheet->edge;
  if (figure->title) {
    sheet->title_y = y + 9 * f;
    y += 20 * f;
  }
  if (figure->subtitle) {
    sheet->subtitle_y = y + 7 * f;
    y += 15 * f;
  }
  if (beside) {
    sheet->legend_y = sheet->title_y;
  } else if (rows > 0) {
    sheet->legend_y = y + 7 * f;
    y += 4 * f + 11.5 * f * rows;
  }
  return y + 9 * f;
}

/* ---- the grid ------------------------------------------------------------------------------------- */

static double weight_of(const double *weights, size_t i) { return weights[i] > 0 ? weights[i] : 1; }

/* Room an axis' tic labels take, in points. */
static double tics_width(const rnl_sheet *sheet, const rnl_axis *axis) {
  size_t length = rnl_axis_label_length(axis);
  if (length > TIC_TEXT_MOST) length = TIC_TEXT_MOST;
  return CHARACTER * sheet->scale * (double)(length ? length : 1);
}

static double left_room(const rnl_sheet *sheet, size_t p) {
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  if (panel->bare) return panel->axis[RNL_AXIS_Y].label ? 16 * sheet->scale : 0;
  double room = 8 * sheet->scale;
  if (at->y_labels) room += tics_width(sheet, rnl_sheet_axis(sheet, p, RNL_AXIS_Y));
  if (at->y_labels && panel->axis[RNL_AXIS_Y].label) room += 17 * sheet->scale;
  return room;
}

static double right_room(const rnl_sheet *sheet, size_t p) {
  const rnl_panel *panel = sheet->figure->panels[p];
  const rnl_place *at = &sheet->places[p];
  double f = sheet->scale, room = 0;
  if (at->second) {
    room = 8 * f + tics_width(sheet, rnl_sheet_axis(sheet, p, RNL_AXIS_Y2));
    if (panel->axis[RNL_AXIS_Y2].label) room += 15 * f;
  } else if (!panel->bare) { /* the last label is centred on its tic */
    const rnl_axis *x = rnl_sheet_axis(sheet, p, RNL_AXIS_X);
    for (size_t i = 0; i < x->count && at->x_labels && !x->log; i++) {
      double rest = (x->high - x->tics[i].at) / (x->high - x->low) * at->width;
      const char *label = x->tics[i].own ? x->tics[i].own : x->tics[i].label;
      size_t length = rnl_plot_length(label);
      double half = CHARACTER / 2 * f * (double)(length < TIC_TEXT_MOST ? length : TIC_TEXT_MOST) - 4 * f;
      room = fmax(room, half - rest);
    }
  }
  if (at->colorbar) {
    room += (14 + 9 + 6) * f + tics_width(sheet, &sheet->color_axes[p]);
    if (panel->color_label) room += 18 * f;
  }
  return room;
}

/* Where the labels around a panel stand. */
static void place_texts(rnl_sheet *sheet, size_t p) {
  const rnl_panel *panel = sheet->figure->panels[p];
  rnl_place *at = &sheet->places[p];
  double f = sheet->scale;
  double tics = panel->bare ? 0 : tics_width(sheet, rnl_sheet_axis(sheet, p, RNL_AXIS_Y)) + 6 * f;
  at->y_label_x = at->left - tics - 10 * f;
  double right = at->left + at->width;
  if (at->second) {
    right += 8 * f + tics_width(sheet, rnl_sheet_axis(sheet, p, RNL_AXIS_Y2));
    at->y2_label_x = right + 6 * f;
    if (panel->axis[RNL_AXIS_Y2].label) right += 15 * f;
  }
  at->color_bar_x = right + 12 * f;
  at->color_text_x = at->color_bar_x + (9 + 8) * f + tics_width(sheet, &sheet->color_axes[p]) + 8 * f;
}

/* Widths of the columns and heights of the rows, and with them every place. */
static void put_panels(rnl_sheet *sheet, double top) {
  const rnl_figure *figure = sheet->figure;
  double f = sheet->scale, left[RNL_GRID_MAX] = {0}, right[RNL_GRID_MAX] = {0};
  double above[RNL_FIGURE_PANELS_MAX] = {0}, below[RNL_FIGURE_PANELS_MAX] = {0};
  for (size_t p = 0; p < figure->panel_count; p++) {
    size_t row = p / sheet->columns, column = p % sheet->columns;
    const rnl_panel *panel = figure->panels[p];
    left[column] = fmax(left[column], left_room(sheet, p));
    right[column] = fmax(right[column], right_room(sheet, p));
    if (panel->title) above[row] = 15 * f;
    bool named = panel->axis[RNL_AXIS_X].label != NULL;
    double under = panel->bare ? (named ? 16 * f : 0) : !sheet->places[p].x_labels ? 4 * f : named ? 34 * f : 17 * f;
    bool last = p + sheet->columns >= figure->panel_count;
    if (last && row + 1 < sheet->rows) under = 4 * f; /* the cell below is empty: there is room */
    below[row] = fmax(below[row], under);
  }
  double free_width = sheet->width - 2 * sheet->edge, weights = 0;
  for (size_t c = 0; c < sheet->columns; c++) {
    free_width -= left[c] + right[c] + (c > 0 ? 12 * f : 0);
    weights += weight_of(figure->widths, c);
  }
  if (free_width < 20 * f * (double)sheet->columns) free_width = 20 * f * (double)sheet->columns;
  double unit = free_width / weights;

  double around = 0, row_weights = 0;
  for (size_t r = 0; r < sheet->rows; r++) {
    around += above[r] + below[r] + (r > 0 ? 11 * f : 0);
    row_weights += weight_of(figure->heights, r);
  }
  double each = sheet->columns > 1 ? fmin(fmax(free_width / (double)sheet->columns * 0.75, 75 * f), 190 * f)
                                   : (sheet->rows <= 1 ? 170 : sheet->rows == 2 ? 122 : 92) * f;
  if (figure->size == RNL_SIZE_COLUMN && sheet->columns == 1) each *= sheet->rows <= 1 ? 0.8 : 0.72;
  double wanted = figure->height_mm * 72 / 25.4, bottom = sheet->edge + 1 * f;
  if (wanted <= 0 && figure->size == RNL_SIZE_SLIDE) wanted = sheet->width * 9 / 16;
  double inner = wanted > 0 ? fmax(wanted - top - bottom - around, 20 * f * (double)sheet->rows)
                            : each * (double)sheet->rows;
  double y = top;
  for (size_t r = 0; r < sheet->rows; r++) {
    double x = sheet->edge, height = inner * weight_of(figure->heights, r) / row_weights;
    y += above[r] + (r > 0 ? 11 * f : 0);
    for (size_t c = 0; c < sheet->columns; c++) {
      size_t p = r * sheet->columns + c;
      double width = unit * weight_of(figure->widths, c);
      x += left[c] + (c > 0 ? 12 * f : 0);
      if (p < figure->panel_count) {
        rnl_place *at = &sheet->places[p];
        at->left = x, at->top = y, at->width = width, at->height = height;
      }
      x += width + right[c];
    }
    y += height + below[r];
  }
  sheet->height = y + bottom;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static void lay_out(rnl_sheet *sheet, cover *covers) {
  const rnl_figure *figure = sheet->figure;
  size_t n = figure->panel_count;
  double f = sheet->scale;
  collect_legend(sheet);
  double top = put_head(sheet);
  for (size_t p = 0; p < n; p++) {
    rnl_place *at = &sheet->places[p];
    covers[p] = cover_of(figure->panels[p]);
    at->x_labels = figure->own_x || p + sheet->columns >= n;
    at->y_labels = !figure->share_y || p % sheet->columns == 0;
    at->width = (sheet->width - 60 * f) / (double)sheet->columns - (sheet->columns > 1 ? 30 * f : 0);
    at->height = 110 * f;
  }
  for (int turn = 0; turn < 3; turn++) { /* places need labels' widths, axes need places */
    choose_axes(sheet, covers);
    put_panels(sheet, top);
  }
  choose_axes(sheet, covers);
  for (size_t p = 0; p < n; p++) {
    const rnl_panel *panel = figure->panels[p];
    if (panel->equal && covers[p].heat && !panel->axis[0].log && !panel->axis[1].log) shrink_map(sheet, p);
    place_texts(sheet, p);
  }
}

rnl_status rnl_sheet_make(rnl_sheet *sheet, const rnl_figure *figure, rnl_error *err) {
  *sheet = (rnl_sheet){.figure = figure};
  size_t n = figure->panel_count;
  if (n == 0) return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" has no panel", figure->name);
  if (figure->width_mm > 1000 || figure->height_mm > 1000 || (figure->width_mm > 0 && figure->width_mm < 40))
    return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" is %g by %g mm; the width can be 40 to 1000, "
                    "the height up to 1000",
                    figure->name, figure->width_mm, figure->height_mm);
  sheet->columns = figure->columns ? figure->columns : 1;
  if (sheet->columns > n) sheet->columns = n;
  sheet->rows = (n + sheet->columns - 1) / sheet->columns;
  if (sheet->columns > RNL_GRID_MAX || sheet->rows > RNL_GRID_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" has a grid of %zu rows and %zu columns; at most %d of each",
                    figure->name, sheet->rows, sheet->columns, RNL_GRID_MAX);
  sheet->scale = sizes[figure->size].scale;
  sheet->width = (figure->width_mm > 0 ? figure->width_mm : sizes[figure->size].width_mm) * 72 / 25.4;
  sheet->edge = 9 * sheet->scale;
  sheet->places = rnl_alloc(n, sizeof *sheet->places);
  sheet->axes = rnl_alloc(n * RNL_AXES, sizeof *sheet->axes);
  sheet->color_axes = rnl_alloc(n, sizeof *sheet->color_axes);
  cover *covers = rnl_alloc(n, sizeof *covers);
  bool ok = sheet->places && sheet->axes && sheet->color_axes && covers;
  if (ok) lay_out(sheet, covers);
  rnl_free(covers);
  return ok ? RNL_OK
            : rnl_fail(err, RNL_ERR_MEMORY, "out of memory while laying out figure \"%s\"", figure->name);
}

void rnl_sheet_free(rnl_sheet *sheet) {
  rnl_free(sheet->places);
  rnl_free(sheet->axes);
  rnl_free(sheet->color_axes);
  *sheet = (rnl_sheet){0};
}
