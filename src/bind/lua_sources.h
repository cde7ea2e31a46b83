/* lua_sources.h: the project's own Lua files (lua/rnnlab/), carried inside the program.
 *
 * The build turns each file into one entry of rnl_lua_sources (cmake/EmbedLua.cmake writes
 * generated/rnl_lua_sources.c), so that the installed binary works from any folder and starts
 * without searching a path. The module name is the one given to require: "rnnlab" for
 * lua/rnnlab/init.lua, "rnnlab.figures" for lua/rnnlab/figures.lua. Definition files under
 * lua/rnnlab/meta/ are for editors and are not embedded. */
#ifndef RNL_BIND_LUA_SOURCES_H
#define RNL_BIND_LUA_SOURCES_H

#include <stddef.h>

struct rnl_lua_source {
  const char *name; /* module name; NULL ends the array */
  const char *text; /* the file's bytes, followed by a zero that size does not count */
  size_t size;
};

/* Sorted by name, ended by an entry whose name is NULL. */
extern const struct rnl_lua_source rnl_lua_sources[];

#endif
