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
  figure->x_low = figure->x_high = NAN;
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
  rnl_free((void *)series->x);
  rnl_free((void *)series->y);
  rnl_free((void *)series->y2);
}

static void panel_free(rnl_panel *panel) {
  if (!panel) return;
  for (size_t i = 0; i < panel->series_count; i++) series_clear(&panel->series[i]);
  rnl_free(panel->series);
  rnl_free(panel->ylabel);
  rnl_free(panel);
}

void rnl_figure_free(rnl_figure *figure) {
  if (!figure) return;
  for (size_t i = 0; i < figure->panel_count; i++) panel_free(figure->panels[i]);
  rnl_free(figure->panels);
  rnl_free(figure->name);
  rnl_free(figure->title);
  rnl_free(figure->subtitle);
  rnl_free(figure->xlabel);
  rnl_free(figure);
}

/* Put a cleaned copy in *slot. */
static rnl_status set_clean(char **slot, const char *text, rnl_error *err) {
  char *copy = NULL;
  if (text && *text) {
    copy = rnl_plot_clean_copy(text);
    if (!copy) return out_of_memory(err);
  }
  rnl_free(*slot);
  *slot = copy;
  return RNL_OK;
}

rnl_status rnl_figure_set_text(rnl_figure *figure, rnl_figure_text which, const char *text, rnl_error *err) {
  switch (which) {
    case RNL_TEXT_TITLE: return set_clean(&figure->title, text, err);
    case RNL_TEXT_SUBTITLE: return set_clean(&figure->subtitle, text, err);
    case RNL_TEXT_XLABEL: return set_clean(&figure->xlabel, text, err);
  }
  return rnl_fail(err, RNL_ERR_ARG, "a figure has no text number %d", (int)which);
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
  panel->y_low = panel->y_high = NAN;
  rnl_status status = set_clean(&panel->ylabel, ylabel, err);
  if (status != RNL_OK) {
    panel_free(panel);
    return status;
  }
  figure->panels[figure->panel_count++] = panel;
  *out = panel;
  return RNL_OK;
}

/* A copy of n values; 1..n where `values` is NULL. */
static double *copy_values(const double *values, size_t n) {
  double *copy = rnl_alloc(n, sizeof *copy);
  if (!copy) return NULL;
  if (values && n > 0) memcpy(copy, values, n * sizeof *copy);
  if (!values)
    for (size_t i = 0; i < n; i++) copy[i] = (double)(i + 1);
  return copy;
}

rnl_status rnl_panel_add_series(rnl_panel *panel, const rnl_series *series, rnl_error *err) {
  if (panel->series_count >= RNL_PANEL_SERIES_MAX)
    return rnl_fail(err, RNL_ERR_ARG, "a panel has %d series already, the most there can be",
                    RNL_PANEL_SERIES_MAX);
  if (series->kind >= RNL_SERIES_KINDS || series->role < 0)
    return rnl_fail(err, RNL_ERR_ARG, "a series has kind %d and role %d, which do not exist",
                    (int)series->kind, series->role);
  if ((series->n > 0 && !series->y) || (series->kind == RNL_SERIES_BAND && series->n > 0 && !series->y2))
    return rnl_fail(err, RNL_ERR_ARG, "a %s", series->y ? "band needs both y and y2" : "series needs y");
  if (!panel->series) {
    panel->series = rnl_alloc(RNL_PANEL_SERIES_MAX, sizeof *panel->series);
    if (!panel->series) return out_of_memory(err);
  }
  bool band = series->kind == RNL_SERIES_BAND;
  rnl_series own = *series;
  own.x = copy_values(series->x, series->n);
  own.y = copy_values(series->y, series->n);
  own.y2 = band ? copy_values(series->y2, series->n) : NULL;
  own.label = series->label && *series->label ? rnl_plot_clean_copy(series->label) : NULL;
  bool failed = !own.x || !own.y || (band && !own.y2) || (series->label && *series->label && !own.label);
  if (failed) {
    series_clear(&own);
    return out_of_memory(err);
  }
  panel->series[panel->series_count++] = own;
  return RNL_OK;
}
