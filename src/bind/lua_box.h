/* bind/lua_box.h owns the small userdata that release C values when a Lua error jumps out of the middle
 * of a function: buffers, JSON values, lists of tensors. The box is made first and filled after.
 *
 *     rnl_buffer *text = rnl_lua_box(L, sizeof *text, release_buffer);   zeroed, on top of the stack
 *     ... fill it, raise if need be ...
 *
 * Its value is released once: by the collector, or at once by rnl_lua_box_release. */
#ifndef RNL_BIND_LUA_BOX_H
#define RNL_BIND_LUA_BOX_H

#include <jansson.h>
#include <lua.h>

#include "base/buffer.h"

/* `release` gets the value's address, may find it still all zeros, and is called once. */
void *rnl_lua_box(lua_State *L, size_t size, void (*release)(void *value));

/* Release the box at `index` now. */
void rnl_lua_box_release(lua_State *L, int index);

/* The two that are wanted everywhere. */
rnl_buffer *rnl_lua_box_buffer(lua_State *L);
json_t **rnl_lua_box_json(lua_State *L);

#endif
