/* bind/lua_json.c: Lua values to JSON and back; core.json. */
#include "bind/lua_json.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "store/json.h"

#define ARRAY_MARK "rnnlab.json.array"   /* metatable of tables that are arrays even when empty */
#define OBJECT_MARK "rnnlab.json.object" /* metatable of lists of { key, value } */

enum { MAX_DEPTH = 100 }; /* deeper than any record; a cycle in the tables ends here */

/* ---- JSON to Lua ------------------------------------------------------------------------------ */

void rnl_lua_json_push(lua_State *L, const json_t *value) {
  luaL_checkstack(L, 4, "JSON is nested too deeply");
  switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT: {
      lua_createtable(L, 0, (int)json_object_size(value));
      const char *key;
      json_t *item;
      json_object_foreach((json_t *)value, key, item) {
        rnl_lua_json_push(L, item);
        lua_setfield(L, -2, key);
      }
      break;
    }
    case JSON_ARRAY: {
      lua_createtable(L, (int)json_array_size(value), 0);
      for (size_t i = 0; i < json_array_size(value); i++) {
        rnl_lua_json_push(L, json_array_get(value, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
      }
      luaL_setmetatable(L, ARRAY_MARK);
      break;
    }
    case JSON_STRING: lua_pushlstring(L, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: lua_pushinteger(L, json_integer_value(value)); break;
    case JSON_REAL: lua_pushnumber(L, json_real_value(value)); break;
    case JSON_TRUE: lua_pushboolean(L, 1); break;
    case JSON_FALSE: lua_pushboolean(L, 0); break;
    case JSON_NULL: lua_pushlightuserdata(L, NULL); break;
  }
}

/* ---- Lua to JSON ------------------------------------------------------------------------------ */

/* Length of the UTF-8 sequence at s (n bytes left), 0 where there is none (Unicode, table 3-7). */
static size_t utf8_length(const unsigned char *s, size_t n) {
  if (s[0] < 0x80) return 1;
  size_t length = s[0] >= 0xC2 && s[0] <= 0xDF ? 2 : s[0] >= 0xE0 && s[0] <= 0xEF ? 3
                  : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : 0;
  if (length == 0 || length > n) return 0;
  unsigned char low = 0x80, high = 0xBF;
  if (s[0] == 0xE0) low = 0xA0;
  if (s[0] == 0xED) high = 0x9F; /* no surrogates */
  if (s[0] == 0xF0) low = 0x90;
  if (s[0] == 0xF4) high = 0x8F;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if (s[i] < 0x80 || s[i] > 0xBF) return 0;
  return length;
}

/* Push the string at `index` with every byte that is not UTF-8 as U+FFFD: a path or a title may hold
 * anything, and must not keep a run from being recorded. */
static const char *push_utf8(lua_State *L, int index, size_t *length) {
  size_t n;
  const unsigned char *s = (const unsigned char *)lua_tolstring(L, index, &n);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t i = 0; i < n;) {
    size_t step = utf8_length(s + i, n - i);
    if (step) luaL_addlstring(&buffer, (const char *)s + i, step);
    else luaL_addlstring(&buffer, "\xEF\xBF\xBD", 3);
    i += step ? step : 1;
  }
  luaL_pushresult(&buffer);
  return lua_tolstring(L, -1, length);
}

static bool has_mark(lua_State *L, int index, const char *mark) {
  if (!lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, mark);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

typedef struct writer {
  lua_State *L;
  const char *what;
  int depth;
} writer;

/* Hand a new value (NULL: memory is out) to its parent, which owns it from here on. */
static void attach(writer *w, json_t *parent, const char *key, json_t *value) {
  int failed = !value                  ? -1
               : json_is_array(parent) ? json_array_append_new(parent, value)
                                       : json_object_set_new(parent, key, value);
  if (failed) luaL_error(w->L, "out of memory while writing %s as JSON", w->what);
}

static void convert(writer *w, int index, json_t *parent, const char *key);

static void convert_array(writer *w, int index, json_t *array) {
  lua_Integer n = (lua_Integer)lua_rawlen(w->L, index);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(w->L, index, i);
    convert(w, lua_gettop(w->L), array, NULL);
    lua_pop(w->L, 1);
  }
}

static void convert_pairs(writer *w, int index, json_t *object) {
  lua_State *L = w->L;
  lua_Integer n = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= n; i++) {
    if (lua_rawgeti(L, index, i) != LUA_TTABLE || lua_rawgeti(L, -1, 1) != LUA_TSTRING)
      rnl_lua_fail(L, "%s: entry %d of json.object is not { key, value } with a string as key", w->what,
                   (int)i);
    if (lua_rawgeti(L, -2, 2) != LUA_TNIL) {
      size_t length;
      const char *key = push_utf8(L, -2, &length);
      convert(w, lua_gettop(L) - 1, object, key);
      lua_pop(L, 1);
    }
    lua_pop(L, 3);
  }
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void convert_table(writer *w, int index, json_t *object, size_t count) {
  lua_State *L = w->L;
  const char **keys = lua_newuserdatauv(L, (count ? count : 1) * sizeof *keys, 0);
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) keys[n++] = lua_tostring(L, -2);
  qsort(keys, n, sizeof *keys, compare_keys);
  for (size_t i = 0; i < n; i++) {
    size_t length;
    lua_pushstring(L, keys[i]);
    lua_pushvalue(L, -1);
    lua_rawget(L, index);
    const char *key = push_utf8(L, -2, &length);
    convert(w, lua_gettop(L) - 1, object, key);
    lua_pop(L, 3);
  }
  lua_pop(L, 1);
}

static void convert_any_table(writer *w, int index, json_t *parent, const char *key) {
  lua_State *L = w->L;
  if (++w->depth > MAX_DEPTH)
    rnl_lua_fail(L, "%s: tables nested more than %d deep (a cycle?) cannot be written as JSON", w->what,
                 MAX_DEPTH);
  luaL_checkstack(L, 10, "tables are nested too deeply");
  size_t strings = 0, others = 0, length = lua_rawlen(L, index);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    if (lua_type(L, -2) == LUA_TSTRING) strings++;
    else others++;
  bool array = has_mark(L, index, ARRAY_MARK);
  bool pairs = has_mark(L, index, OBJECT_MARK);
  if ((strings && others) || others != length || (array && strings))
    rnl_lua_fail(L, "%s: a table whose keys are neither 1..n nor all strings cannot be written as JSON",
                 w->what);
  array = !pairs && (array || length > 0);
  json_t *made = array ? json_array() : json_object();
  attach(w, parent, key, made);
  if (array) convert_array(w, index, made);
  else if (pairs) convert_pairs(w, index, made);
  else convert_table(w, index, made, strings);
  w->depth--;
}

static void convert(writer *w, int index, json_t *parent, const char *key) {
  lua_State *L = w->L;
  switch (lua_type(L, index)) {
    case LUA_TNIL: attach(w, parent, key, json_null()); return;
    case LUA_TBOOLEAN: attach(w, parent, key, json_boolean(lua_toboolean(L, index))); return;
    case LUA_TNUMBER:
      attach(w, parent, key, lua_isinteger(L, index) ? json_integer(lua_tointeger(L, index))
                                                     : rnl_json_real(lua_tonumber(L, index)));
      return;
    case LUA_TSTRING: {
      size_t length;
      const char *text = push_utf8(L, index, &length);
      attach(w, parent, key, json_stringn(text, length));
      lua_pop(L, 1);
      return;
    }
    case LUA_TTABLE: convert_any_table(w, index, parent, key); return;
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, index) == NULL) {
        attach(w, parent, key, json_null());
        return;
      }
  }
  rnl_lua_fail(L, "%s: a %s%s%s cannot be written as JSON", w->what, luaL_typename(L, index),
               key ? " at key " : "", key ? key : "");
}

json_t *rnl_lua_json_check(lua_State *L, int index, const char *what) {
  index = lua_absindex(L, index);
  luaL_checkstack(L, 10, NULL);
  json_t **root = rnl_lua_box_json(L);
  *root = json_array(); /* owns what is built below it, should an error jump out */
  if (!*root) luaL_error(L, "out of memory while writing %s as JSON", what);
  writer w = {L, what, 0};
  convert(&w, index, *root, NULL);
  return json_array_get(*root, 0);
}

/* ---- core.json -------------------------------------------------------------------------------- */

static int json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  int indent = 0;
  if (!lua_isnoneornil(L, 2)) {
    if (!lua_istable(L, 2)) return rnl_lua_fail_arg(L, 2, "a table such as { indent = 2 }");
    lua_getfield(L, 2, "indent");
    if (!lua_isnil(L, -1)) indent = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  json_t *value = rnl_lua_json_check(L, 1, "json.encode");
  rnl_buffer *text = rnl_lua_box_buffer(L);
  rnl_json_write(text, value, indent);
  rnl_error err;
  rnl_lua_check(L, rnl_buffer_check(text, "JSON", &err), &err);
  lua_pushlstring(L, rnl_buffer_string(text), text->length);
  rnl_lua_box_release(L, -2);
  return 1;
}

static int json_decode(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  json_t **value = rnl_lua_box_json(L);
  json_error_t problem;
  *value = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
  if (!*value)
    return rnl_lua_fail(L, "not JSON: line %d, column %d: %s", problem.line, problem.column, problem.text);
  rnl_lua_json_push(L, *value);
  return 1;
}

static int mark(lua_State *L, const char *name) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_setmetatable(L, name);
  return 1;
}

static int json_mark_array(lua_State *L) { return mark(L, ARRAY_MARK); }
static int json_mark_object(lua_State *L) { return mark(L, OBJECT_MARK); }

static int json_number(lua_State *L) {
  if (lua_type(L, 1) == LUA_TNUMBER) {
    lua_settop(L, 1);
    return 1;
  }
  const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
  if (strcmp(text, "nan") == 0) lua_pushnumber(L, (lua_Number)__builtin_nan(""));
  else if (strcmp(text, "inf") == 0) lua_pushnumber(L, (lua_Number)__builtin_inf());
  else if (strcmp(text, "-inf") == 0) lua_pushnumber(L, -(lua_Number)__builtin_inf());
  else lua_pushnil(L);
  return 1;
}

static const luaL_Reg functions[] = {
  {"encode", json_encode},
  {"decode", json_decode},
  {"array", json_mark_array},
  {"object", json_mark_object},
  {"number", json_number},
  {NULL, NULL},
};

int rnl_lua_open_json(lua_State *L) {
  luaL_newmetatable(L, ARRAY_MARK);
  luaL_newmetatable(L, OBJECT_MARK);
  lua_pop(L, 2);
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
  return 1;
}
