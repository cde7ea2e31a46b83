/* bind/lua_plot.c: core.plot, figure descriptions as Lua tables into files or the terminal. What a
 * description may hold is written in lua/rnnlab/meta/plot.lua. */
#include <lauxlib.h>
#include <string.h>

#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_figure.h"
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

/* An integer in [0, 10000]; 0 where there is none. */
static int get_size(lua_State *L, int table, const char *key, const char *what) {
  double value = rnl_lua_get_number(L, table, key, 0, what);
  if (!(value >= 0 && value <= 10000))
    rnl_lua_fail(L, "%s: %s is %f; 0 to 10000 is expected", what, key, value);
  return (int)value;
}

/* ---- write ------------------------------------------------------------------------------------- */

/* { "svg", "pdf" } or nil at arg, as format bits. */
static unsigned check_formats(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return RNL_FORMAT_ALL;
  luaL_checktype(L, arg, LUA_TTABLE);
  unsigned formats = 0;
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, arg); i <= n; i++) {
    unsigned bit = lua_rawgeti(L, arg, i) == LUA_TSTRING ? rnl_format_by_name(lua_tostring(L, -1)) : 0;
    if (!bit)
      rnl_lua_fail(L, "there is no figure format %s; svg, png, pdf and tex are known",
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
    rnl_lua_push_item(L, 1, (lua_Integer)i + 1, lua_pushfstring(L, "figure %d", (int)i + 1));
    list->count = i + 1; /* its slot is still NULL, which is fine to free */
    rnl_lua_read_figure(L, &list->figures[i], (int)i + 1);
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
  preview.title = rnl_lua_push_text(L, 1, "title", what);
  preview.xlabel = rnl_lua_push_text(L, 1, "xlabel", what);
  preview.width = get_size(L, 1, "width", what);
  preview.height = get_size(L, 1, "height", what);
  preview.log_y = rnl_lua_get_flag(L, 1, "log_y", what);
  preview.color = rnl_lua_get_flag(L, 1, "color", what);
  preview.ascii = rnl_lua_get_flag(L, 1, "ascii", what);
  if (rnl_lua_push_field(L, 1, "series", LUA_TTABLE, "an array of series", what)) {
    int list = lua_gettop(L);
    size_t n = lua_rawlen(L, list);
    if (n > PREVIEW_SERIES_MAX)
      return rnl_lua_fail(L, "preview: %d series; at most %d", (int)n, PREVIEW_SERIES_MAX);
    luaL_checkstack(L, (int)n * 12 + 20, NULL);
    for (; preview.series_count < n; preview.series_count++) { /* their values stay on the stack */
      int i = (int)preview.series_count + 1;
      const char *which = lua_pushfstring(L, "preview, series %d", i);
      rnl_lua_push_item(L, list, i, which);
      series[preview.series_count] = rnl_lua_read_series(L, i, which);
    }
  }
  rnl_error err;
  rnl_lua_check(L, rnl_preview_draw(&preview, out, &err), &err);
  lua_pushlstring(L, rnl_buffer_string(out), out->length);
  return 1;
}

/* preview_text(text, room, ascii) -> text fit for a terminal */
static int plot_preview_text(lua_State *L) {
  rnl_buffer *out = rnl_lua_box_buffer(L);
  rnl_preview_text(luaL_checkstring(L, 1), lua_toboolean(L, 3), (int)luaL_checkinteger(L, 2), out);
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
    {"write", plot_write}, {"preview", plot_preview}, {"preview_text", plot_preview_text},
    {"info", plot_info}, {NULL, NULL}};
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "plot");
  return 1;
}
