/* plot/figure.c: making and freeing figure descriptions. */
#include "plot/figure.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "plot/text.h"

static rnl_status out_of_memory(rnl_error *err) {
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while describing a figure");
}

/* A plain file name on every system, that gnuplot cannot take for an option. */
static bool is_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  size_t n = strlen(name);
  if (n == 0 || n > RNL_FIGURE_NAME_MAX || !strchr(letters, name[0])) return false;
  for (size_t i = 1; i < n; i++)
    if (!strchr(letters, name[i]) && !strchr("._-", name[i])) return false;
  return true;
}

rnl_status rnl_figure_new(rnl_figure **out, const char *name, rnl_error *err) {
  *out = NULL;
  if (!name || !is_name(name))
    return rnl_fail(err, RNL_ERR_ARG,
                    "a figure's name must be a letter or digit followed by letters, digits, \".\", \"_\" or "
                    "\"-\", at most %d in all; it is \"%.80s\"",
                    RNL_FIGURE_NAME_MAX, name ? name : "");
  rnl_figure *figure = rnl_alloc(1, sizeof *figure);
  if (!figure) return out_of_memory(err);
  figure->name = rnl_strdup(name);
  if (!figure->name) {
    rnl_free(figure);
    return out_of_memory(err);
  }
  *out = figure;
  return RNL_OK;
}

static void series_clear(rnl_series *series) {
  rnl_free((void *)series->label);
  const double *const values[] = {series->x,   series->y,    series->y2,   series->low,
                                  series->mid, series->high, series->color};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) rnl_free((void *)values[i]);
}

static void axis_clear(rnl_axis_spec *axis) {
  rnl_free(axis->label);
  for (size_t i = 0; i < axis->tic_count; i++) rnl_free(axis->tic_labels[i]);
  rnl_free(axis->tic_labels);
  rnl_free(axis->tic_at);
}

static void panel_free(rnl_panel *panel) {
  if (!panel) return;
  for (size_t i = 0; i < panel->series_count; i++) series_clear(&panel->series[i]);
  for (size_t i = 0; i < panel->note_count; i++) rnl_free(panel->notes[i].text);
  for (int i = 0; i < RNL_AXES; i++) axis_clear(&panel->axis[i]);
  rnl_free(panel->series);
  rnl_free(panel->notes);
  rnl_free(panel->title);
  rnl_free(panel->color_label);
  rnl_free(panel);
}

void rnl_figure_free(rnl_figure *figure) {
  if (!figure) return;
  for (size_t i = 0; i < figure->panel_count; i++) panel_free(figure->panels[i]);
  rnl_free(figure->panels);
  rnl_free(figure->name);
  rnl_free(figure->title);
  rnl_free(figure->subtitle);
  rnl_free(figure);
}

rnl_status rnl_figure_set_text(char **field, const char *text, rnl_error *err) {
  char *copy = NULL;
  if (text && *text) {
    copy = rnl_plot_clean_copy(text);
    if (!copy) return out_of_memory(err);
  }
  rnl_free(*field);
  *field = copy;
  return RNL_OK;
}

rnl_status rnl_figure_add_panel(rnl_figure *figure, const char *ylabel, rnl_panel **out, rnl_error *err) {
  *out = NULL;
  if (figure->panel_count >= RNL_FIGURE_PANELS_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "figure \"%s\" has %d panels already, the most there can be",
                    figure->name, RNL_FIGURE_PANELS_MAX);
  if (!figure->panels) {
    figure->panels = rnl_alloc(RNL_FIGURE_PANELS_MAX, sizeof *figure->panels);
    if (!figure->panels) return out_of_memory(err);
  }
  rnl_panel *panel = rnl_alloc(1, sizeof *panel);
  if (!panel) return out_of_memory(err);
  for (int i = 0; i < RNL_AXES; i++) panel->axis[i].low = panel->axis[i].high = NAN;
  panel->color_low = panel->color_high = NAN;
  rnl_status status = rnl_figure_set_text(&panel->axis[RNL_AXIS_Y].label, ylabel, err);
  if (status != RNL_OK) {
    panel_free(panel);
    return status;
  }
  figure->panels[figure->panel_count++] = panel;
  *out = panel;
  return RNL_OK;
}

/* ---- series -------------------------------------------------------------------------------------- */

/* Room for one more entry of `size` bytes in a growing block. */
static bool grow(void **block, size_t count, size_t *room, size_t size) {
  if (count < *room) return true;
  size_t more = *room ? *room * 2 : 4;
  void *bigger = rnl_alloc(more, size);
  if (!bigger) return false;
  if (count) memcpy(bigger, *block, count * size);
  rnl_free(*block);
  *block = bigger;
  *room = more;
  return true;
}

static bool copy_values(const double **slot, size_t n, bool *failed) {
  if (!*slot) return false;
  double *copy = rnl_alloc(n, sizeof *copy);
  if (!copy) *failed = true;
  else if (n > 0) memcpy(copy, *slot, n * sizeof *copy);
  *slot = copy;
  return copy != NULL;
}

static bool count_up(const double **slot, size_t n, bool *failed) {
  double *values = rnl_alloc(n, sizeof *values);
  if (!values) *failed = true;
  for (size_t i = 0; values && i < n; i++) values[i] = (double)(i + 1);
  *slot = values;
  return values != NULL;
}

/* What a kind needs, or NULL where all is there. */
static const char *lacking(const rnl_series *s) {
  if (s->n > 0 && !s->y) return "a series needs y";
  if (s->kind == RNL_SERIES_BAND && s->n > 0 && !s->y2) return "a band needs both y and y2";
  if (s->kind == RNL_SERIES_BOXES && s->n > 0 && !(s->y2 && s->low && s->high && s->mid))
    return "a box plot needs y, y2, low, mid and high";
  if (s->kind == RNL_SERIES_HEAT && (s->rows == 0 || s->columns == 0 || s->n / s->rows != s->columns ||
                                     s->n % s->rows != 0))
    return "a heat map needs rows and columns, and as many values";
  if (!s->low != !s->high) return "error bars need both low and high";
  return NULL;
}

rnl_status rnl_panel_add_series(rnl_panel *panel, const rnl_series *series, rnl_error *err) {
  if (panel->series_count >= RNL_PANEL_SERIES_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "a panel has %d series already, the most there can be",
                    RNL_PANEL_SERIES_MAX);
  if (series->kind >= RNL_SERIES_KINDS || series->role < 0)
    return rnl_fail(err, RNL_ERR_ARG, "a series has kind %d and role %d, which do not exist",
                    (int)series->kind, series->role);
  const char *lack = lacking(series);
  if (lack) return rnl_fail(err, RNL_ERR_ARG, "%s", lack);
  if (!grow((void **)&panel->series, panel->series_count, &panel->series_room, sizeof *panel->series))
    return out_of_memory(err);
  rnl_series own = *series;
  bool failed = false, heat = own.kind == RNL_SERIES_HEAT;
  if (heat) {
    own.x = own.y2 = own.color = NULL;
    const double *e = own.extent;
    if (e[0] == 0 && e[1] == 0 && e[2] == 0 && e[3] == 0) {
      own.extent[0] = own.extent[2] = 0.5;
      own.extent[1] = (double)own.columns + 0.5;
      own.extent[3] = (double)own.rows + 0.5;
    }
  } else if (own.x) {
    copy_values(&own.x, own.n, &failed);
  } else {
    count_up(&own.x, own.n, &failed);
  }
  const double **others[] = {&own.y, &own.y2, &own.low, &own.mid, &own.high, &own.color};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) copy_values(others[i], own.n, &failed);
  own.label = series->label && *series->label ? rnl_plot_clean_copy(series->label) : NULL;
  if (failed || (series->label && *series->label && !own.label)) {
    series_clear(&own);
    return out_of_memory(err);
  }
  panel->series[panel->series_count++] = own;
  return RNL_OK;
}

bool rnl_series_drawable(const rnl_series *s, size_t i) {
  const double *const values[] = {s->x, s->y, s->y2, s->low, s->mid, s->high, s->color};
  for (size_t k = 0; k < sizeof values / sizeof *values; k++)
    if (values[k] && !isfinite(values[k][i])) return false;
  return true;
}

/* ---- notes and tics ------------------------------------------------------------------------------ */

rnl_status rnl_panel_add_note(rnl_panel *panel, const rnl_note *note, rnl_error *err) {
  if (panel->note_count >= RNL_PANEL_NOTES_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "a panel has %d notes already, the most there can be",
                    RNL_PANEL_NOTES_MAX);
  if (!grow((void **)&panel->notes, panel->note_count, &panel->note_room, sizeof *panel->notes))
    return out_of_memory(err);
  rnl_note own = *note;
  own.text = NULL;
  RNL_TRY(rnl_figure_set_text(&own.text, note->text, err));
  panel->notes[panel->note_count++] = own;
  return RNL_OK;
}

rnl_status rnl_axis_set_tics(rnl_axis_spec *axis, size_t n, const double *at, const char *const *labels,
                             rnl_error *err) {
  rnl_axis_spec fresh = *axis;
  fresh.tic_count = 0;
  fresh.label = NULL;
  fresh.tic_at = rnl_alloc(n, sizeof *fresh.tic_at);
  fresh.tic_labels = rnl_alloc(n, sizeof *fresh.tic_labels);
  rnl_status status = fresh.tic_at && fresh.tic_labels ? RNL_OK : out_of_memory(err);
  for (size_t i = 0; i < n && status == RNL_OK; i++) {
    fresh.tic_at[i] = at[i];
    fresh.tic_count = i + 1;
    status = rnl_figure_set_text(&fresh.tic_labels[i], labels ? labels[i] : NULL, err);
  }
  if (status != RNL_OK) {
    axis_clear(&fresh);
    return status;
  }
  char *label = axis->label;
  axis->label = NULL;
  axis_clear(axis);
  *axis = fresh;
  axis->label = label;
  return RNL_OK;
}
