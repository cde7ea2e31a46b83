/* bind/lua_figure.c: see lua_figure.h. */
#include "bind/lua_figure.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/lua_error.h"
#include "bind/lua_tensor.h"

/* ---- fields ------------------------------------------------------------------------------------- */

bool rnl_lua_push_field(lua_State *L, int table, const char *key, int type, const char *expected, const char *what) {
  int found = lua_getfield(L, table, key);
  if (found == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (found != type)
    rnl_lua_fail(L, "%s: %s is %s; %s is expected", what, key, rnl_lua_kind_of(L, -1), expected);
  return true;
}

const char *rnl_lua_push_text(lua_State *L, int table, const char *key, const char *what) {
  return rnl_lua_push_field(L, table, key, LUA_TSTRING, "a string", what) ? lua_tostring(L, -1) : NULL;
}

double rnl_lua_get_number(lua_State *L, int table, const char *key, double otherwise, const char *what) {
  if (!rnl_lua_push_field(L, table, key, LUA_TNUMBER, "a number", what)) return otherwise;
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

bool rnl_lua_get_flag(lua_State *L, int table, const char *key, const char *what) {
  if (!rnl_lua_push_field(L, table, key, LUA_TBOOLEAN, "true or false", what)) return false;
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

void rnl_lua_push_item(lua_State *L, int table, lua_Integer i, const char *what) {
  if (lua_rawgeti(L, table, i) != LUA_TTABLE)
    rnl_lua_fail(L, "%s is %s; a table is expected", what, rnl_lua_kind_of(L, -1));
}

/* One word of a list (ended by NULL), as its number; `otherwise` where the field is not there. */
static int get_word(lua_State *L, int table, const char *key, const char *const *words, int otherwise,
                    const char *what) {
  const char *word = rnl_lua_push_text(L, table, key, what);
  if (!word) return otherwise;
  int i = 0;
  while (words[i] && strcmp(words[i], word) != 0) i++;
  if (!words[i]) {
    luaL_Buffer list;
    luaL_buffinit(L, &list);
    for (int k = 0; words[k]; k++) {
      if (k > 0) luaL_addstring(&list, words[k + 1] ? ", " : " or ");
      luaL_addstring(&list, words[k]);
    }
    luaL_pushresult(&list);
    rnl_lua_fail(L, "%s: %s is \"%s\"; %s is expected", what, key, word, lua_tostring(L, -1));
  }
  lua_pop(L, 1);
  return i;
}

/* A whole number in [0, most]; 0 where there is none. */
static size_t get_count(lua_State *L, int table, const char *key, double most, const char *what) {
  double value = rnl_lua_get_number(L, table, key, 0, what);
  if (!(value >= 0 && value <= most && value == floor(value)))
    rnl_lua_fail(L, "%s: %s is %f; a whole number from 0 to %f is expected", what, key, value, most);
  return (size_t)value;
}

/* key = { low, high }; either may be missing (false). */
static void get_range(lua_State *L, int table, const char *key, double *low, double *high, const char *what) {
  if (!rnl_lua_push_field(L, table, key, LUA_TTABLE, "a table { low, high }", what)) return;
  double *out[] = {low, high};
  for (int i = 0; i < 2; i++) {
    if (lua_rawgeti(L, -1, i + 1) == LUA_TNUMBER) *out[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* key = { numbers }, at most `most` of them. */
static void get_numbers(lua_State *L, int table, const char *key, double *out, int most, const char *what) {
  if (!rnl_lua_push_field(L, table, key, LUA_TTABLE, "an array of numbers", what)) return;
  for (int i = 0; i < most; i++) {
    if (lua_rawgeti(L, -1, i + 1) == LUA_TNUMBER) out[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* The tensor on top, which is replaced by its values in row-major order. */
static double *push_tensor(lua_State *L, rnl_var *var, size_t *n, const char *key) {
  rnl_lua_check_readable(L, var, key);
  const rnl_tensor *t = rnl_value(var);
  *n = (size_t)rnl_tensor_numel(t);
  double *values = lua_newuserdatauv(L, *n * sizeof *values + 1, 0);
  double *at = values;
  rnl_walk w;
  rnl_walk_begin(&w, 1, &t);
  do {
    for (int64_t i = 0; i < w.length; i++)
      *at++ = t->dtype == RNL_F32 ? (double)((const float *)w.data[0])[i * w.step[0]]
                                  : ((const double *)w.data[0])[i * w.step[0]];
  } while (rnl_walk_next(&w));
  lua_remove(L, -2);
  return values;
}

/* Push table[key]'s values as a block of doubles that the Lua stack owns; NULL (nothing pushed) where
 * there is no such field. */
static double *push_values(lua_State *L, int table, const char *key, size_t *n, const char *what) {
  int type = lua_getfield(L, table, key);
  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    return NULL;
  }
  if (type == LUA_TSTRING) { /* packed: native float64, as string.pack("d", ...) writes */
    size_t length;
    const char *bytes = lua_tolstring(L, -1, &length);
    if (length % sizeof(double))
      rnl_lua_fail(L, "%s: %s is a string of %d bytes; packed float64 values are 8 bytes each", what, key,
                   (int)length);
    *n = length / sizeof(double);
    double *values = lua_newuserdatauv(L, length + 1, 0);
    memcpy(values, bytes, length);
    lua_remove(L, -2);
    return values;
  }
  rnl_var *var = rnl_lua_test_var(L, -1);
  if (var) return push_tensor(L, var, n, key);
  if (type != LUA_TTABLE)
    rnl_lua_fail(L, "%s: %s is %s; an array of numbers, a tensor or a packed string is expected", what, key,
                 rnl_lua_kind_of(L, -1));
  *n = lua_rawlen(L, -1);
  double *values = lua_newuserdatauv(L, *n * sizeof *values + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    if (lua_rawgeti(L, -2, (lua_Integer)i + 1) != LUA_TNUMBER)
      rnl_lua_fail(L, "%s: %s[%d] is %s; a number is expected", what, key, (int)i + 1,
                   rnl_lua_kind_of(L, -1));
    values[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_remove(L, -2);
  return values;
}

/* ---- series -------------------------------------------------------------------------------------- */

static int get_role(lua_State *L, int table, int otherwise, const char *what) {
  int type = lua_getfield(L, table, "role"), role = otherwise;
  const char *word = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
  double number = type == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
  if (strcmp(word, "target") == 0) role = RNL_ROLE_TARGET;
  else if (strcmp(word, "predicted") == 0) role = RNL_ROLE_PREDICTED;
  else if (strcmp(word, "muted") == 0) role = RNL_ROLE_MUTED;
  else if (number >= 1 && number <= 1e6) role = RNL_ROLE_SERIES + (int)number - 1;
  else if (type != LUA_TNIL)
    rnl_lua_fail(L, "%s: role is %s; \"target\", \"predicted\", \"muted\" or a number from 1 is expected", what,
                 type == LUA_TSTRING ? word : rnl_lua_kind_of(L, -1));
  lua_pop(L, 1);
  return role;
}

static const char *const dashes[] = {"none", "dashed", "dotted", NULL};

rnl_series rnl_lua_read_series(lua_State *L, int number, const char *what) {
  static const char *const kinds[] = {"line", "points", "steps", "band", "bars", "boxes", "heat", NULL};
  int table = lua_gettop(L);
  luaL_checkstack(L, 20, NULL);
  rnl_series s = {.role = get_role(L, table, RNL_ROLE_SERIES + number - 1, what)};
  s.kind = (rnl_series_kind)get_word(L, table, "kind", kinds, RNL_SERIES_LINE, what);
  s.dash = get_word(L, table, "dash", dashes, RNL_DASH_NONE, what);
  s.label = rnl_lua_push_text(L, table, "label", what);
  s.marks = rnl_lua_get_flag(L, table, "marks", what);
  s.second = rnl_lua_get_flag(L, table, "second", what);
  s.sideways = rnl_lua_get_flag(L, table, "sideways", what);
  s.bare = rnl_lua_get_flag(L, table, "bare", what);
  s.outside = rnl_lua_get_flag(L, table, "outside", what);
  s.scale = rnl_lua_get_number(L, table, "scale", 0, what);
  s.wide = rnl_lua_get_number(L, table, "wide", 0, what);
  s.opacity = rnl_lua_get_number(L, table, "opacity", 0, what);
  s.rows = get_count(L, table, "rows", 1e6, what);
  s.columns = get_count(L, table, "columns", 1e6, what);
  get_numbers(L, table, "extent", s.extent, 4, what);
  s.y = push_values(L, table, "y", &s.n, what);
  if (!s.y) rnl_lua_fail(L, "%s: y is missing", what);
  const struct {
    const char *key;
    const double **slot;
  } others[] = {{"x", &s.x}, {"y2", &s.y2}, {"low", &s.low}, {"mid", &s.mid}, {"high", &s.high}, {"color", &s.color}};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    size_t n = 0;
    *others[i].slot = push_values(L, table, others[i].key, &n, what);
    if (*others[i].slot && n != s.n)
      rnl_lua_fail(L, "%s: %d %s values, but %d of y", what, (int)n, others[i].key, (int)s.n);
  }
  if (s.kind == RNL_SERIES_BAND && !s.y2) rnl_lua_fail(L, "%s: a band needs y2", what);
  return s;
}

/* ---- panels -------------------------------------------------------------------------------------- */

static void read_note(lua_State *L, rnl_panel *panel, const char *what) {
  static const char *const kinds[] = {"text", "arrow", "line", "across", "up", NULL};
  static const char *const aligns[] = {"left", "center", "right", NULL};
  static const char *const rises[] = {"below", "middle", "above", NULL};
  rnl_error err;
  int table = lua_gettop(L);
  luaL_checkstack(L, 10, NULL);
  rnl_note note = {.role = get_role(L, table, RNL_ROLE_TARGET, what)};
  note.kind = (rnl_note_kind)get_word(L, table, "kind", kinds, RNL_NOTE_TEXT, what);
  note.align = get_word(L, table, "align", aligns, 0, what) - 1;
  note.rise = get_word(L, table, "rise", rises, 1, what) - 1;
  note.dash = get_word(L, table, "dash", dashes, RNL_DASH_NONE, what);
  note.text = (char *)rnl_lua_push_text(L, table, "text", what);
  note.frame = rnl_lua_get_flag(L, table, "frame", what);
  note.small = rnl_lua_get_flag(L, table, "small", what);
  note.light = rnl_lua_get_flag(L, table, "light", what);
  note.boxed = rnl_lua_get_flag(L, table, "boxed", what);
  note.strong = rnl_lua_get_flag(L, table, "strong", what);
  const struct {
    const char *key;
    double *slot;
  } places[] = {{"x", &note.x}, {"y", &note.y}, {"x2", &note.x2}, {"y2", &note.y2}};
  for (size_t i = 0; i < 4; i++) {
    *places[i].slot = rnl_lua_get_number(L, table, places[i].key, 0, what);
    if (!isfinite(*places[i].slot)) rnl_lua_fail(L, "%s: %s is no finite number", what, places[i].key);
  }
  rnl_lua_check(L, rnl_panel_add_note(panel, &note, &err), &err);
}

/* tics = { at = {...}, labels = {...} } of axis `key`. */
static void read_tics(lua_State *L, int table, const char *key, rnl_axis_spec *axis, const char *what) {
  rnl_error err;
  if (!rnl_lua_push_field(L, table, key, LUA_TTABLE, "a table { at = {...}, labels = {...} }", what)) return;
  int tics = lua_gettop(L);
  size_t n = 0;
  const char *which = lua_pushfstring(L, "%s, %s", what, key);
  const double *at = push_values(L, tics, "at", &n, which);
  if (!at) rnl_lua_fail(L, "%s: at is missing", which);
  if (n > 10000) rnl_lua_fail(L, "%s: %d tics; at most 10000", which, (int)n);
  luaL_checkstack(L, (int)n + 10, NULL);
  const char **labels = lua_newuserdatauv(L, (n + 1) * sizeof *labels, 0);
  memset((void *)labels, 0, (n + 1) * sizeof *labels);
  bool has = rnl_lua_push_field(L, tics, "labels", LUA_TTABLE, "an array of strings", which);
  int list = lua_gettop(L);
  for (size_t i = 0; has && i < n; i++) /* they stay on the stack */
    labels[i] = lua_rawgeti(L, list, (lua_Integer)i + 1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  for (size_t i = 0; i < n; i++)
    if (!isfinite(at[i])) rnl_lua_fail(L, "%s: at[%d] is no finite number", which, (int)i + 1);
  rnl_lua_check(L, rnl_axis_set_tics(axis, n, at, labels, &err), &err);
  lua_settop(L, tics - 1);
}

/* Fields of the axis named "x", "y" or "y2" of the table: xlabel, log_x, x_range, x_tics, reverse_x, plain_x. */
static void read_axis(lua_State *L, int table, const char *name, rnl_axis_spec *axis, const char *what) {
  rnl_error err;
  const char *label = rnl_lua_push_text(L, table, lua_pushfstring(L, "%slabel", name), what);
  if (label) rnl_lua_check(L, rnl_figure_set_text(&axis->label, label, &err), &err);
  axis->log = rnl_lua_get_flag(L, table, lua_pushfstring(L, "log_%s", name), what) || axis->log;
  axis->reversed = rnl_lua_get_flag(L, table, lua_pushfstring(L, "reverse_%s", name), what);
  axis->plain = rnl_lua_get_flag(L, table, lua_pushfstring(L, "plain_%s", name), what);
  axis->snug = rnl_lua_get_flag(L, table, lua_pushfstring(L, "snug_%s", name), what);
  get_range(L, table, lua_pushfstring(L, "%s_range", name), &axis->low, &axis->high, what);
  read_tics(L, table, lua_pushfstring(L, "%s_tics", name), axis, what);
}

static void read_list(lua_State *L, int table, const char *key, rnl_panel *panel, bool notes, const char *what) {
  rnl_error err;
  if (!rnl_lua_push_field(L, table, key, LUA_TTABLE, notes ? "an array of notes" : "an array of series", what)) return;
  int list = lua_gettop(L);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, list); i <= n; i++) {
    const char *which = lua_pushfstring(L, "%s, %s %d", what, notes ? "note" : "series", (int)i);
    rnl_lua_push_item(L, list, i, which);
    if (notes) {
      read_note(L, panel, which);
    } else {
      rnl_series series = rnl_lua_read_series(L, (int)i, which);
      if (rnl_panel_add_series(panel, &series, &err) != RNL_OK) rnl_lua_fail(L, "%s: %s", which, err.text);
    }
    lua_settop(L, list);
  }
}

static void read_panel(lua_State *L, rnl_figure *figure, int whole, int number) {
  static const char *const maps[] = {"sequential", "diverging", "blues", NULL};
  rnl_error err;
  int table = lua_gettop(L);
  luaL_checkstack(L, 40, NULL);
  const char *what = lua_pushfstring(L, "figure %s, panel %d", figure->name, number);
  rnl_panel *panel;
  rnl_lua_check(L, rnl_figure_add_panel(figure, NULL, &panel, &err), &err);
  rnl_axis_spec *x = &panel->axis[RNL_AXIS_X];
  const char *of_figure = lua_pushfstring(L, "figure %s", figure->name); /* what it says of all panels' x axes */
  const char *xlabel = rnl_lua_push_text(L, whole, "xlabel", of_figure);
  if (xlabel) rnl_lua_check(L, rnl_figure_set_text(&x->label, xlabel, &err), &err);
  x->log = rnl_lua_get_flag(L, whole, "log_x", of_figure);
  get_range(L, whole, "x_range", &x->low, &x->high, of_figure);
  read_axis(L, table, "x", x, what);
  read_axis(L, table, "y", &panel->axis[RNL_AXIS_Y], what);
  read_axis(L, table, "y2", &panel->axis[RNL_AXIS_Y2], what);
  rnl_lua_check(L, rnl_figure_set_text(&panel->title, rnl_lua_push_text(L, table, "title", what), &err), &err);
  const char *color_label = rnl_lua_push_text(L, table, "color_label", what);
  rnl_lua_check(L, rnl_figure_set_text(&panel->color_label, color_label, &err), &err);
  panel->equal = rnl_lua_get_flag(L, table, "equal", what);
  panel->bare = rnl_lua_get_flag(L, table, "bare", what);
  panel->xgrid = rnl_lua_get_flag(L, table, "x_grid", what);
  panel->map = (rnl_color_map)get_word(L, table, "map", maps, RNL_MAP_SEQUENTIAL, what);
  panel->map_log = rnl_lua_get_flag(L, table, "log_color", what);
  panel->no_colorbar = rnl_lua_get_flag(L, table, "no_color_bar", what);
  get_range(L, table, "color_range", &panel->color_low, &panel->color_high, what);
  read_list(L, table, "series", panel, false, what);
  read_list(L, table, "notes", panel, true, what);
  lua_settop(L, table);
}

void rnl_lua_read_figure(lua_State *L, rnl_figure **slot, int number) {
  static const char *const sizes[] = {"page", "column", "slide", "screen", NULL};
  rnl_error err;
  int table = lua_gettop(L);
  const char *what = lua_pushfstring(L, "figure %d", number);
  rnl_lua_check(L, rnl_figure_new(slot, rnl_lua_push_text(L, table, "name", what), &err), &err);
  rnl_figure *figure = *slot;
  what = lua_pushfstring(L, "figure %s", figure->name);
  const char *title = rnl_lua_push_text(L, table, "title", what);
  rnl_lua_check(L, rnl_figure_set_text(&figure->title, title, &err), &err);
  const char *subtitle = rnl_lua_push_text(L, table, "subtitle", what);
  rnl_lua_check(L, rnl_figure_set_text(&figure->subtitle, subtitle, &err), &err);
  figure->size = (rnl_size)get_word(L, table, "size", sizes, RNL_SIZE_PAGE, what);
  figure->width_mm = rnl_lua_get_number(L, table, "width", 0, what);
  figure->height_mm = rnl_lua_get_number(L, table, "height", 0, what);
  figure->columns = get_count(L, table, "columns", RNL_GRID_MAX, what);
  figure->own_x = rnl_lua_get_flag(L, table, "own_x", what);
  figure->share_y = rnl_lua_get_flag(L, table, "share_y", what);
  get_numbers(L, table, "widths", figure->widths, RNL_GRID_MAX, what);
  get_numbers(L, table, "heights", figure->heights, RNL_GRID_MAX, what);
  if (rnl_lua_push_field(L, table, "panels", LUA_TTABLE, "an array of panels", what)) {
    int list = lua_gettop(L);
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, list); i <= n; i++) {
      rnl_lua_push_item(L, list, i, lua_pushfstring(L, "%s, panel %d", what, (int)i));
      read_panel(L, figure, table, (int)i);
      lua_settop(L, list);
    }
  }
  lua_settop(L, table);
}
