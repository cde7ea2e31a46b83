/* bind/lua_plot.c: core.plot, figure descriptions as Lua tables into files or the terminal. What a
 * description may hold is written in lua/rnnlab/meta/plot.lua. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "plot/gnuplot.h"
#include "plot/preview.h"
#include "plot/write.h"

enum { FIGURES_MAX = 1000, PREVIEW_SERIES_MAX = 8 };

typedef struct figure_list {
  size_t count;
  rnl_figure *figures[];
} figure_list;

static void release_figures(void *value) {
  figure_list *list = value;
  for (size_t i = 0; i < list->count; i++) rnl_figure_free(list->figures[i]);
}

static void release_info(void *value) { rnl_gnuplot_info_free(value); }

/* ---- fields of a description; `what` names the table in messages -------------------------------- */

/* Push table[key]; true where it is there (else nothing is pushed). */
static bool push_field(lua_State *L, int table, const char *key, int type, const char *expected,
                       const char *what) {
  int found = lua_getfield(L, table, key);
  if (found == LUA_TNIL) {
    lua_pop(L, 1);
    return false;
  }
  if (found != type)
    rnl_lua_fail(L, "%s: %s is %s; %s is expected", what, key, rnl_lua_kind_of(L, -1), expected);
  return true;
}

/* The string stays on the stack, which keeps it alive; NULL (and nothing pushed) where there is none. */
static const char *push_text(lua_State *L, int table, const char *key, const char *what) {
  return push_field(L, table, key, LUA_TSTRING, "a string", what) ? lua_tostring(L, -1) : NULL;
}

static double get_number(lua_State *L, int table, const char *key, double otherwise, const char *what) {
  if (!push_field(L, table, key, LUA_TNUMBER, "a number", what)) return otherwise;
  double value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

static bool get_flag(lua_State *L, int table, const char *key, const char *what) {
  if (!push_field(L, table, key, LUA_TBOOLEAN, "true or false", what)) return false;
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* An integer in [0, 10000]; 0 where there is none. */
static int get_size(lua_State *L, int table, const char *key, const char *what) {
  double value = get_number(L, table, key, 0, what);
  if (!(value >= 0 && value <= 10000))
    rnl_lua_fail(L, "%s: %s is %f; 0 to 10000 is expected", what, key, value);
  return (int)value;
}

/* key = { low, high }; either may be missing (false). */
static void get_range(lua_State *L, int table, const char *key, double *low, double *high, const char *what) {
  if (!push_field(L, table, key, LUA_TTABLE, "a table { low, high }", what)) return;
  double *out[] = {low, high};
  for (int i = 0; i < 2; i++) {
    if (lua_rawgeti(L, -1, i + 1) == LUA_TNUMBER) *out[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
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
  if (type != LUA_TTABLE)
    rnl_lua_fail(L, "%s: %s is %s; an array of numbers or a packed string is expected", what, key,
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

/* Read the series at the top of the stack. Its values and label stay on the stack above it. */
static rnl_series read_series(lua_State *L, int number, const char *what) {
  int table = lua_gettop(L);
  luaL_checkstack(L, 10, NULL);
  rnl_series s = {.role = RNL_ROLE_SERIES + number - 1};
  static const char *const kinds[] = {"line", "points", "steps", "band"};
  const char *kind = push_text(L, table, "kind", what);
  if (kind) {
    int i = 0;
    while (i < RNL_SERIES_KINDS && strcmp(kind, kinds[i]) != 0) i++;
    if (i == RNL_SERIES_KINDS)
      rnl_lua_fail(L, "%s: kind is \"%s\"; line, points, steps or band is expected", what, kind);
    s.kind = (rnl_series_kind)i;
  }
  int type = lua_getfield(L, table, "role");
  const char *role = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
  if (strcmp(role, "target") == 0) s.role = RNL_ROLE_TARGET;
  else if (strcmp(role, "predicted") == 0) s.role = RNL_ROLE_PREDICTED;
  else if (type == LUA_TNUMBER && lua_tonumber(L, -1) >= 1 && lua_tonumber(L, -1) <= 1e6)
    s.role = RNL_ROLE_SERIES + (int)lua_tonumber(L, -1) - 1;
  else if (type != LUA_TNIL)
    rnl_lua_fail(L, "%s: role is %s; \"target\", \"predicted\" or a number from 1 is expected", what,
                 type == LUA_TSTRING ? role : rnl_lua_kind_of(L, -1));
  s.label = push_text(L, table, "label", what);
  s.marks = get_flag(L, table, "marks", what);
  size_t nx = 0, n2 = 0;
  s.y = push_values(L, table, "y", &s.n, what);
  if (!s.y) rnl_lua_fail(L, "%s: y is missing", what);
  s.x = push_values(L, table, "x", &nx, what);
  s.y2 = push_values(L, table, "y2", &n2, what);
  if (s.x && nx != s.n) rnl_lua_fail(L, "%s: %d x values, but %d of y", what, (int)nx, (int)s.n);
  if (s.y2 && n2 != s.n) rnl_lua_fail(L, "%s: %d y2 values, but %d of y", what, (int)n2, (int)s.n);
  if (s.kind == RNL_SERIES_BAND && !s.y2) rnl_lua_fail(L, "%s: a band needs y2", what);
  return s;
}

/* Push what[i] of the array at `table`, which must be a table. */
static void push_item(lua_State *L, int table, lua_Integer i, const char *what) {
  if (lua_rawgeti(L, table, i) != LUA_TTABLE)
    rnl_lua_fail(L, "%s is %s; a table is expected", what, rnl_lua_kind_of(L, -1));
}

/* ---- write ------------------------------------------------------------------------------------- */

static void read_panel(lua_State *L, rnl_figure *figure, int number) {
  rnl_error err;
  int table = lua_gettop(L);
  const char *what = lua_pushfstring(L, "figure %s, panel %d", figure->name, number);
  rnl_panel *panel;
  rnl_lua_check(L, rnl_figure_add_panel(figure, push_text(L, table, "ylabel", what), &panel, &err), &err);
  panel->log_y = get_flag(L, table, "log_y", what);
  get_range(L, table, "y_range", &panel->y_low, &panel->y_high, what);
  if (push_field(L, table, "series", LUA_TTABLE, "an array of series", what)) {
    int list = lua_gettop(L);
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, list); i <= n; i++) {
      const char *which = lua_pushfstring(L, "%s, series %d", what, (int)i);
      push_item(L, list, i, which);
      rnl_series series = read_series(L, (int)i, which);
      rnl_lua_check(L, rnl_panel_add_series(panel, &series, &err), &err);
      lua_settop(L, list);
    }
  }
  lua_settop(L, table);
}

/* Read the figure at the top of the stack into *slot, whose owner frees it. */
static void read_figure(lua_State *L, rnl_figure **slot, int number) {
  rnl_error err;
  int table = lua_gettop(L);
  const char *what = lua_pushfstring(L, "figure %d", number);
  rnl_lua_check(L, rnl_figure_new(slot, push_text(L, table, "name", what), &err), &err);
  rnl_figure *figure = *slot;
  what = lua_pushfstring(L, "figure %s", figure->name);
  static const char *const texts[] = {"title", "subtitle", "xlabel"};
  for (int i = 0; i < 3; i++) {
    const char *text = push_text(L, table, texts[i], what);
    rnl_lua_check(L, rnl_figure_set_text(figure, (rnl_figure_text)i, text, &err), &err);
  }
  figure->width_mm = get_number(L, table, "width", 0, what);
  figure->height_mm = get_number(L, table, "height", 0, what);
  figure->log_x = get_flag(L, table, "log_x", what);
  get_range(L, table, "x_range", &figure->x_low, &figure->x_high, what);
  if (push_field(L, table, "panels", LUA_TTABLE, "an array of panels", what)) {
    int list = lua_gettop(L);
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, list); i <= n; i++) {
      push_item(L, list, i, lua_pushfstring(L, "%s, panel %d", what, (int)i));
      read_panel(L, figure, (int)i);
      lua_settop(L, list);
    }
  }
  lua_settop(L, table);
}

/* { "svg", "pdf" } or nil at arg, as format bits. */
static unsigned check_formats(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return RNL_FORMAT_ALL;
  luaL_checktype(L, arg, LUA_TTABLE);
  unsigned formats = 0;
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, arg); i <= n; i++) {
    unsigned bit = lua_rawgeti(L, arg, i) == LUA_TSTRING ? rnl_format_by_name(lua_tostring(L, -1)) : 0;
    if (!bit)
      rnl_lua_fail(L, "there is no figure format %s; svg, png and pdf are known",
                   lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : rnl_lua_kind_of(L, -1));
    formats |= bit;
    lua_pop(L, 1);
  }
  return formats ? formats : RNL_FORMAT_ALL;
}

/* Push the pictures that were drawn: { "loss.svg", ... }. Returns their number. */
static lua_Integer push_drawn(lua_State *L, const figure_list *list, const unsigned *drawn) {
  lua_newtable(L);
  lua_Integer n = 0;
  for (size_t i = 0; i < list->count; i++)
    for (unsigned bit = 1; bit < RNL_FORMAT_SOURCES; bit <<= 1) {
      if (!(drawn[i] & bit)) continue;
      lua_pushfstring(L, "%s.%s", list->figures[i]->name, rnl_format_name(bit));
      lua_rawseti(L, -2, ++n);
    }
  return n;
}

/* write(figures, folder [, formats]) */
static int plot_write(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *folder = luaL_checkstring(L, 2);
  rnl_plot_options options = {.formats = check_formats(L, 3)};
  size_t n = lua_rawlen(L, 1);
  if (n > FIGURES_MAX) return rnl_lua_fail(L, "%d figures in one call; at most %d", (int)n, FIGURES_MAX);
  figure_list *list = rnl_lua_box(L, sizeof *list + n * sizeof *list->figures, release_figures);
  int box = lua_gettop(L);
  for (size_t i = 0; i < n; i++) {
    push_item(L, 1, (lua_Integer)i + 1, lua_pushfstring(L, "figure %d", (int)i + 1));
    list->count = i + 1; /* its slot is still NULL, which is fine to free */
    read_figure(L, &list->figures[i], (int)i + 1);
    lua_settop(L, box);
  }
  unsigned *drawn = lua_newuserdatauv(L, (n + 1) * sizeof *drawn, 0);
  rnl_error err;
  rnl_status status = rnl_figures_write(list->figures, n, folder, &options, drawn, &err);
  if (status != RNL_OK && status != RNL_ERR_NOT_FOUND && status != RNL_ERR_IO) rnl_lua_check(L, status, &err);
  lua_Integer pictures = push_drawn(L, list, drawn);
  rnl_lua_box_release(L, box);
  if (status == RNL_OK) return 1;
  if (pictures > 0) { /* some: the rest is told */
    lua_pushstring(L, err.text);
    return 2;
  }
  lua_pushnil(L);
  lua_pushstring(L, err.text);
  lua_pushstring(L, status == RNL_ERR_NOT_FOUND ? "not_found" : "io");
  return 3;
}

/* ---- preview and info --------------------------------------------------------------------------- */

/* preview(description) -> text */
static int plot_preview(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *what = "preview";
  rnl_buffer *out = rnl_lua_box_buffer(L);
  rnl_series series[PREVIEW_SERIES_MAX];
  rnl_preview preview = {.series = series};
  preview.title = push_text(L, 1, "title", what);
  preview.xlabel = push_text(L, 1, "xlabel", what);
  preview.width = get_size(L, 1, "width", what);
  preview.height = get_size(L, 1, "height", what);
  preview.log_y = get_flag(L, 1, "log_y", what);
  preview.color = get_flag(L, 1, "color", what);
  preview.ascii = get_flag(L, 1, "ascii", what);
  if (push_field(L, 1, "series", LUA_TTABLE, "an array of series", what)) {
    int list = lua_gettop(L);
    size_t n = lua_rawlen(L, list);
    if (n > PREVIEW_SERIES_MAX)
      return rnl_lua_fail(L, "preview: %d series; at most %d", (int)n, PREVIEW_SERIES_MAX);
    luaL_checkstack(L, (int)n * 10 + 10, NULL);
    for (; preview.series_count < n; preview.series_count++) { /* their values stay on the stack */
      int i = (int)preview.series_count + 1;
      const char *which = lua_pushfstring(L, "preview, series %d", i);
      push_item(L, list, i, which);
      series[preview.series_count] = read_series(L, i, which);
    }
  }
  rnl_error err;
  rnl_lua_check(L, rnl_preview_draw(&preview, out, &err), &err);
  lua_pushlstring(L, rnl_buffer_string(out), out->length);
  return 1;
}

/* info() -> table, or nil, message */
static int plot_info(lua_State *L) {
  rnl_gnuplot_info *info = rnl_lua_box(L, sizeof *info, release_info);
  rnl_error err;
  if (rnl_gnuplot_info_get(info, &err) != RNL_OK) {
    lua_pushnil(L);
    lua_pushstring(L, err.text);
    return 2;
  }
  lua_createtable(L, 0, 6);
  lua_pushstring(L, info->path);
  lua_setfield(L, -2, "path");
  lua_pushstring(L, info->version);
  lua_setfield(L, -2, "version");
  const struct {
    const char *name;
    bool there;
  } terminals[] = {{"svg", info->svg}, {"pngcairo", info->pngcairo}, {"pdfcairo", info->pdfcairo},
                   {"cairolatex", info->cairolatex}};
  for (size_t i = 0; i < sizeof terminals / sizeof *terminals; i++) {
    lua_pushboolean(L, terminals[i].there);
    lua_setfield(L, -2, terminals[i].name);
  }
  return 1;
}

int rnl_lua_open_plot(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"write", plot_write}, {"preview", plot_preview}, {"info", plot_info}, {NULL, NULL}};
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "plot");
  return 1;
}
