/* bind/lua_box.c: see lua_box.h. */
#include "bind/lua_box.h"

#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#define BOX "rnnlab.box"

typedef struct box {
  void (*release)(void *value); /* NULL once released */
  max_align_t value[];
} box;

static int box_collect(lua_State *L) {
  box *b = lua_touserdata(L, 1);
  if (b && b->release) {
    void (*release)(void *) = b->release;
    b->release = NULL;
    release(b->value);
  }
  return 0;
}

void *rnl_lua_box(lua_State *L, size_t size, void (*release)(void *value)) {
  box *b = lua_newuserdatauv(L, sizeof(box) + size, 0);
  memset(b, 0, sizeof(box) + size);
  if (luaL_newmetatable(L, BOX)) {
    lua_pushcfunction(L, box_collect);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  b->release = release;
  return b->value;
}

void rnl_lua_box_release(lua_State *L, int index) {
  box *b = lua_touserdata(L, index);
  if (!b || !b->release) return;
  void (*release)(void *) = b->release;
  b->release = NULL;
  release(b->value);
}

static void release_buffer(void *value) { rnl_buffer_free(value); }

rnl_buffer *rnl_lua_box_buffer(lua_State *L) {
  return rnl_lua_box(L, sizeof(rnl_buffer), release_buffer);
}

static void release_json(void *value) {
  json_t **json = value;
  json_decref(*json); /* NULL is fine */
}

json_t **rnl_lua_box_json(lua_State *L) { return rnl_lua_box(L, sizeof(json_t *), release_json); }
