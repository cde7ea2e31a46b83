/* bind/lua_host.c: core.host, the machine, the process, the terminal and plain files. */
#include <dirent.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/child.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/git.h"
#include "base/host.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"

/* ---- time and terminal ------------------------------------------------------------------------ */

static int host_now_iso(lua_State *L) {
  char text[RNL_TIME_TEXT];
  lua_pushstring(L, rnl_time_utc(text));
  return 1;
}

static int host_monotonic(lua_State *L) {
  lua_pushnumber(L, rnl_time_monotonic());
  return 1;
}

static int host_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int host_color(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1);
  const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
  lua_pushboolean(L, isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0);
  return 1;
}

static int host_columns(lua_State *L) {
  struct winsize size = {0};
  int columns = 0;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    columns = size.ws_col;
  const char *text = getenv("COLUMNS");
  if (columns <= 0 && text) columns = atoi(text);
  lua_pushinteger(L, columns > 0 && columns < 10000 ? columns : 80);
  return 1;
}

static int host_getenv(lua_State *L) {
  lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
  return 1;
}

static int host_cwd(lua_State *L) {
  char path[PATH_MAX];
  lua_pushstring(L, getcwd(path, sizeof path) ? path : ".");
  return 1;
}

/* ---- git and the machine ---------------------------------------------------------------------- */

typedef struct git_box {
  rnl_git *git; /* NULL once it was asked */
  bool asked;
} git_box;

#define GIT_KIND "rnnlab.git"

static int git_collect(lua_State *L) {
  git_box *box = lua_touserdata(L, 1);
  if (!box->asked) rnl_git_finish(box->git, 0, NULL);
  box->asked = true;
  box->git = NULL;
  return 0;
}

static int host_git_start(lua_State *L) {
  const char *folder = luaL_optstring(L, 1, ".");
  git_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (git_box){.asked = true};
  if (luaL_newmetatable(L, GIT_KIND)) {
    lua_pushcfunction(L, git_collect);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  box->git = rnl_git_start(folder);
  box->asked = false;
  return 1;
}

static int host_git_finish(lua_State *L) {
  git_box *box = luaL_checkudata(L, 1, GIT_KIND);
  double wait_s = luaL_optnumber(L, 2, 2.0);
  if (box->asked) return rnl_lua_fail(L, "git_finish: the state was asked for already");
  rnl_git_state state;
  box->asked = true;
  rnl_git_finish(box->git, wait_s, &state);
  box->git = NULL;
  if (!state.found) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 0, 3);
  lua_pushstring(L, state.commit);
  lua_setfield(L, -2, "commit");
  if (state.branch[0]) {
    lua_pushstring(L, state.branch);
    lua_setfield(L, -2, "branch");
  }
  if (state.dirty >= 0) {
    lua_pushboolean(L, state.dirty);
    lua_setfield(L, -2, "dirty");
  }
  return 1;
}

static int host_info(lua_State *L) {
  rnl_host host;
  rnl_host_describe(&host);
  lua_createtable(L, 0, 5);
  lua_pushstring(L, host.name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, host.cpu);
  lua_setfield(L, -2, "cpu");
  lua_pushstring(L, host.system);
  lua_setfield(L, -2, "system");
  lua_pushinteger(L, host.cores);
  lua_setfield(L, -2, "cores");
  lua_pushinteger(L, (lua_Integer)getpid());
  lua_setfield(L, -2, "pid");
  return 1;
}

/* ---- files ------------------------------------------------------------------------------------ */

enum { READ_CAP = 1 << 30 };

static int host_read_file(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_buffer *bytes = rnl_lua_box_buffer(L);
  rnl_error err;
  if (rnl_file_read(path, READ_CAP, bytes, &err) != RNL_OK) {
    lua_pushnil(L);
    lua_pushstring(L, err.text);
    return 2;
  }
  lua_pushlstring(L, rnl_buffer_string(bytes), bytes->length);
  rnl_lua_box_release(L, -2);
  return 1;
}

static int host_write_file(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  rnl_error err;
  rnl_lua_check(L, rnl_file_write(path, bytes, length, RNL_DURABLE, &err), &err);
  return 0;
}

static int host_exists(lua_State *L) {
  lua_pushboolean(L, rnl_path_exists(luaL_checkstring(L, 1)));
  return 1;
}

static int host_is_folder(lua_State *L) {
  lua_pushboolean(L, rnl_path_is_folder(luaL_checkstring(L, 1)));
  return 1;
}

static int host_is_writable(lua_State *L) {
  lua_pushboolean(L, rnl_path_is_writable(luaL_checkstring(L, 1)));
  return 1;
}

static int host_make_folder(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_folder_make(luaL_checkstring(L, 1), &err), &err);
  return 0;
}

static void release_text(void *value) { rnl_free(*(char **)value); }

static int host_temporary_folder(lua_State *L) {
  char **path = rnl_lua_box(L, sizeof *path, release_text);
  rnl_error err;
  rnl_lua_check(L, rnl_folder_temporary(path, &err), &err);
  lua_pushstring(L, *path);
  return 1;
}

/* list_folder(path) -> the names in it, in no order; empty where there is no such folder */
static int host_list_folder(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_newtable(L);
  DIR *folder = opendir(path);
  if (!folder) return 1;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushstring(L, entry->d_name); /* out of memory here leaves the folder open, in a process at its end */
    lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
  }
  closedir(folder);
  return 1;
}

static int host_remove_folder(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_folder_remove(luaL_checkstring(L, 1), &err), &err);
  return 0;
}

static int host_sha256_file(lua_State *L) {
  char hash[RNL_SHA256_TEXT];
  rnl_error err;
  rnl_lua_check(L, rnl_sha256_file(hash, luaL_checkstring(L, 1), &err), &err);
  lua_pushstring(L, hash);
  return 1;
}

static int host_sha256(lua_State *L) {
  char hash[RNL_SHA256_TEXT];
  size_t length;
  const char *bytes = luaL_checklstring(L, 1, &length);
  rnl_sha256_bytes(hash, bytes, length);
  lua_pushstring(L, hash);
  return 1;
}

/* ---- other programs ----------------------------------------------------------------------------- */

static double number_field(lua_State *L, int table, const char *name, double otherwise) {
  lua_getfield(L, table, name);
  double value = luaL_optnumber(L, -1, otherwise);
  lua_pop(L, 1);
  return value;
}

/* run({ program, argument ... }, { folder =, timeout =, variables = { "A=b" }, stopping = true }) -> code, what it
 * said; or nil, why. stopping: not ended by the stop flag, for what is to be done on the way out. */
static int host_run(lua_State *L) {
  enum { MOST = 64 };
  const char *words[2][MOST + 1] = {{NULL}, {NULL}};
  luaL_checktype(L, 1, LUA_TTABLE);
  if (lua_isnoneornil(L, 2)) {
    lua_settop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_getfield(L, 2, "folder");
  lua_getfield(L, 2, "variables"); /* 4 */
  luaL_checkstack(L, 2 * MOST + 8, "too many arguments");
  for (int list = 0; list < 2; list++) {
    int at = list ? 4 : 1;
    lua_Integer n = lua_istable(L, at) ? luaL_len(L, at) : 0;
    if (n > MOST || (list == 0 && n < 1)) return luaL_error(L, "run: 1 to %d words are expected", MOST);
    for (lua_Integer i = 0; i < n; i++) {
      size_t length;
      lua_geti(L, at, i + 1);
      words[list][i] = luaL_checklstring(L, -1, &length); /* stays on the stack */
      if (strlen(words[list][i]) != length) return luaL_error(L, "run: a word with a zero byte");
    }
  }
  lua_getfield(L, 2, "stopping");
  const bool stopping = lua_toboolean(L, -1);
  rnl_child child = {.arguments = words[0], .folder = lua_tostring(L, 3), .variables = words[1],
                     .timeout_s = number_field(L, 2, "timeout", 60), .stop = stopping ? NULL : rnl_lua_stop_flag(L)};
  rnl_buffer *said = rnl_lua_box_buffer(L);
  rnl_error err;
  int code = 0;
  rnl_status status = rnl_child_run(&child, said, &code, &err);
  if (status == RNL_ERR_INTERRUPTED) rnl_lua_check(L, status, &err);
  if (status != RNL_OK) {
    lua_pushnil(L);
    lua_pushstring(L, err.text);
    return 2;
  }
  lua_pushinteger(L, code);
  lua_pushlstring(L, rnl_buffer_string(said), said->length);
  return 2;
}

static const luaL_Reg functions[] = {
  {"now_iso", host_now_iso},
  {"monotonic", host_monotonic},
  {"isatty", host_isatty},
  {"color", host_color},
  {"columns", host_columns},
  {"getenv", host_getenv},
  {"cwd", host_cwd},
  {"git_start", host_git_start},
  {"git_finish", host_git_finish},
  {"info", host_info},
  {"read_file", host_read_file},
  {"write_file", host_write_file},
  {"exists", host_exists},
  {"is_folder", host_is_folder},
  {"is_writable", host_is_writable},
  {"make_folder", host_make_folder},
  {"temporary_folder", host_temporary_folder},
  {"list_folder", host_list_folder},
  {"remove_folder", host_remove_folder},
  {"sha256_file", host_sha256_file},
  {"sha256", host_sha256},
  {"run", host_run},
  {NULL, NULL},
};

int rnl_lua_open_host(lua_State *L) {
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "host");
  return 1;
}
