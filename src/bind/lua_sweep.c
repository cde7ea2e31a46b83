/* bind/lua_sweep.c: core.sweep, what the scheduler in lua/rnnlab/sweep/ stands on: processes, the worker's end of
 * them, journals, and (lua_study.c) the study. */
#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/host.h"
#include "bind/lua_box.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "sweep/claims.h"
#include "sweep/journal.h"
#include "sweep/processes.h"

#define PROCESSES "rnnlab.Processes"
#define JOURNAL "rnnlab.Journal"

/* ---- processes ---------------------------------------------------------------------------------- */

typedef struct processes_box {
  rnl_processes *processes;
} processes_box;

static int processes_gc(lua_State *L) {
  processes_box *box = luaL_checkudata(L, 1, PROCESSES);
  rnl_processes_free(box->processes);
  box->processes = NULL;
  return 0;
}

static rnl_processes *check_processes(lua_State *L) {
  processes_box *box = luaL_checkudata(L, 1, PROCESSES);
  if (!box->processes) rnl_lua_fail(L, "the processes are closed");
  return box->processes;
}

/* processes() -> Processes */
static int new_processes(lua_State *L) {
  processes_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (processes_box){0};
  luaL_setmetatable(L, PROCESSES);
  rnl_error err;
  rnl_lua_check(L, rnl_processes_new(&box->processes, rnl_lua_stop_flag(L), &err), &err);
  return 1;
}

/* start(words, "worker"|"output") -> id */
static int processes_start(lua_State *L) {
  static const char *const channels[] = {"worker", "output", NULL};
  rnl_processes *processes = check_processes(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  int channel = luaL_checkoption(L, 3, "worker", channels);
  lua_Integer n = luaL_len(L, 2);
  const char **argv = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *argv, 0);
  for (lua_Integer i = 0; i < n; i++) {
    lua_geti(L, 2, i + 1);
    argv[i] = luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  argv[n] = NULL;
  int id;
  rnl_error err;
  rnl_lua_check(L, rnl_processes_start(processes, argv, (rnl_process_channel)channel, &id, &err), &err);
  lua_pushinteger(L, id);
  return 1;
}

/* send(id, line) */
static int processes_send(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 3, &length);
  rnl_error err;
  rnl_lua_check(L, rnl_processes_send(check_processes(L), (int)luaL_checkinteger(L, 2), text, length, &err), &err);
  return 0;
}

/* finish(seconds) */
static int processes_finish(lua_State *L) {
  rnl_processes_finish(check_processes(L), luaL_checknumber(L, 2));
  return 0;
}

/* kill(id, signal) */
static int processes_kill(lua_State *L) {
  rnl_processes_kill(check_processes(L), (int)luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3));
  return 0;
}

/* wait(seconds) -> "timeout"; "stop"; "line", id, text; "end", id, exit code, signal (0: none) */
static int processes_wait(lua_State *L) {
  rnl_process_event event;
  rnl_error err;
  rnl_lua_check(L, rnl_processes_wait(check_processes(L), luaL_optnumber(L, 2, -1), &event, &err), &err);
  switch (event.kind) {
  case RNL_PROCESS_TIMEOUT: lua_pushliteral(L, "timeout"); return 1;
  case RNL_PROCESS_STOP: lua_pushliteral(L, "stop"); return 1;
  case RNL_PROCESS_LINE:
    lua_pushliteral(L, "line");
    lua_pushinteger(L, event.id);
    lua_pushlstring(L, event.text, event.length);
    return 3;
  case RNL_PROCESS_END: break;
  }
  lua_pushliteral(L, "end");
  lua_pushinteger(L, event.id);
  lua_pushinteger(L, event.code);
  lua_pushinteger(L, event.signal);
  return 4;
}

/* program() -> the path of this program */
static int sweep_program(lua_State *L) {
  char path[RNL_PROGRAM_TEXT];
  lua_pushstring(L, rnl_program_path(path));
  return 1;
}

/* ---- journals ----------------------------------------------------------------------------------- */

static rnl_journal *check_journal(lua_State *L) { return luaL_checkudata(L, 1, JOURNAL); }

static int journal_gc(lua_State *L) {
  rnl_journal_close(check_journal(L), NULL);
  return 0;
}

/* journal(path) -> Journal, bytes of a torn line that were cut off */
static int new_journal(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  rnl_journal *journal = lua_newuserdatauv(L, sizeof *journal, 0);
  *journal = (rnl_journal){0};
  luaL_setmetatable(L, JOURNAL);
  int64_t dropped;
  rnl_error err;
  rnl_lua_check(L, rnl_journal_open(journal, path, &dropped, &err), &err);
  lua_pushinteger(L, dropped);
  return 2;
}

/* write(lines): whole ones */
static int journal_write(lua_State *L) {
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  rnl_error err;
  rnl_lua_check(L, rnl_journal_write(check_journal(L), text, length, &err), &err);
  return 0;
}

static int journal_due(lua_State *L) {
  lua_pushnumber(L, rnl_journal_due(check_journal(L)));
  return 1;
}

static int journal_rest(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_journal_rest(check_journal(L), &err), &err);
  return 0;
}

static int journal_sync(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_journal_sync(check_journal(L), &err), &err);
  return 0;
}

static int journal_close(lua_State *L) {
  rnl_error err;
  rnl_lua_check(L, rnl_journal_close(check_journal(L), &err), &err);
  return 0;
}

/* journal_read(path, offset) -> text of whole lines, new offset */
static int journal_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  int64_t offset = luaL_optinteger(L, 2, 0);
  rnl_buffer *text = rnl_lua_box_buffer(L);
  rnl_error err;
  rnl_lua_check(L, rnl_journal_read(path, &offset, text, &err), &err);
  lua_pushlstring(L, rnl_buffer_string(text), text->length);
  lua_pushinteger(L, offset);
  return 2;
}

static bool add_slot(void *context, int64_t slot) {
  lua_State *L = context;
  lua_pushinteger(L, slot);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  return true;
}

/* journal_slots(dir) -> the slots that have a journal there, in no order */
static int journal_slots(lua_State *L) {
  rnl_error err;
  const char *dir = luaL_checkstring(L, 1);
  lua_createtable(L, 8, 0);
  rnl_lua_check(L, rnl_journal_slots(dir, add_slot, L, &err), &err);
  return 1;
}

/* ---- claims ------------------------------------------------------------------------------------- */

/* claim(folder, number, slot, generation?) -> is it this slot's now? */
static int sweep_claim(lua_State *L) {
  bool mine;
  rnl_error err;
  rnl_lua_check(L, rnl_claim(luaL_checkstring(L, 1), luaL_checkinteger(L, 2), luaL_optinteger(L, 4, 0),
                             luaL_checkinteger(L, 3), &mine, &err), &err);
  lua_pushboolean(L, mine);
  return 1;
}

/* Stack: ..., slots, generations */
static bool add_claim(void *context, const rnl_claim_made *claim) {
  lua_State *L = context;
  lua_rawgeti(L, -1, claim->number);
  bool newer = lua_isnil(L, -1) || lua_tointeger(L, -1) < claim->generation;
  lua_pop(L, 1);
  if (!newer) return true;
  lua_pushinteger(L, claim->generation);
  lua_rawseti(L, -2, claim->number);
  lua_pushinteger(L, claim->slot);
  lua_rawseti(L, -3, claim->number);
  return true;
}

/* claims(folder) -> { number = slot }, { number = generation }: of each the highest generation */
static int sweep_claims(lua_State *L) {
  rnl_error err;
  const char *folder = luaL_checkstring(L, 1);
  lua_createtable(L, 0, 8);
  lua_createtable(L, 0, 8);
  rnl_lua_check(L, rnl_claims(folder, add_claim, L, &err), &err);
  return 2;
}

/* process() -> this process as run.json names it: { pid =, start =, boot_id =, host = } */
static int sweep_process(lua_State *L) {
  rnl_process self;
  rnl_process_self(&self);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, self.pid);
  lua_setfield(L, -2, "pid");
  lua_pushinteger(L, self.start);
  lua_setfield(L, -2, "start");
  lua_pushstring(L, self.boot_id);
  lua_setfield(L, -2, "boot_id");
  lua_pushstring(L, self.host);
  lua_setfield(L, -2, "host");
  return 1;
}

static void text_field(lua_State *L, const char *name, char *out, size_t size) {
  lua_getfield(L, 1, name);
  const char *text = lua_tostring(L, -1);
  snprintf(out, size, "%s", text ? text : "");
  lua_pop(L, 1);
}

/* life(process) -> "alive", "dead" or "elsewhere" (of another machine: cannot be told from here) */
static int sweep_life(lua_State *L) {
  static const char *const names[] = {[RNL_ALIVE] = "alive", [RNL_DEAD] = "dead", [RNL_ELSEWHERE] = "elsewhere"};
  rnl_process process = {0};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "pid");
  process.pid = lua_tointeger(L, -1);
  lua_getfield(L, 1, "start");
  process.start = lua_tointeger(L, -1);
  lua_pop(L, 2);
  text_field(L, "boot_id", process.boot_id, sizeof process.boot_id);
  text_field(L, "host", process.host, sizeof process.host);
  lua_pushstring(L, names[rnl_process_life(&process)]);
  return 1;
}

/* ---- a worker's end ----------------------------------------------------------------------------- */

/* worker_begin(parent, memory?): end when the process `parent` does; memory: bytes this process may have beside what
 * it has now. Returns false where the parent is gone. */
static int worker_begin(lua_State *L) {
  int parent = (int)luaL_checkinteger(L, 1);
  double memory = luaL_optnumber(L, 2, 0);
  bool there = parent <= 0 || rnl_worker_bind_to_parent(parent);
  if (memory > 0) rnl_worker_limit_memory(memory);
  lua_pushboolean(L, there);
  return 1;
}

#define INBOX "rnnlab.worker.inbox"

/* worker_read(seconds) -> line; nil, "timeout" | "end" | "stop". One buffer, kept in the registry. */
static int worker_read(lua_State *L) {
  double seconds = luaL_optnumber(L, 1, -1);
  if (lua_getfield(L, LUA_REGISTRYINDEX, INBOX) != LUA_TLIGHTUSERDATA) {
    rnl_buffer *fresh = rnl_lua_box_buffer(L);
    lua_setfield(L, LUA_REGISTRYINDEX, INBOX "-box"); /* keeps it */
    lua_pushlightuserdata(L, fresh);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, INBOX);
  }
  rnl_buffer *inbox = lua_touserdata(L, -1);
  const volatile int *stop = rnl_lua_stop_flag(L);
  const double begin = rnl_time_monotonic();
  for (;;) {
    char *newline = inbox->length ? memchr(inbox->data, '\n', inbox->length) : NULL;
    if (newline) {
      size_t length = (size_t)(newline - inbox->data);
      lua_pushlstring(L, inbox->data, length);
      memmove(inbox->data, newline + 1, inbox->length - length - 1);
      inbox->length -= length + 1;
      return 1;
    }
    const char *why = NULL;
    double left = seconds < 0 ? 1 : seconds - (rnl_time_monotonic() - begin);
    struct pollfd in = {.fd = RNL_WORKER_IN, .events = POLLIN};
    if (stop && *stop) why = "stop";
    else if (left <= 0) why = "timeout";
    else if (poll(&in, 1, left < .2 ? (int)(left * 1000) + 1 : 200) > 0) {
      enum { ROOM = 65536 };
      if (inbox->length > RNL_LINE_MOST || !rnl_buffer_reserve(inbox, ROOM)) return rnl_lua_fail(L, "out of memory");
      ssize_t n = read(RNL_WORKER_IN, inbox->data + inbox->length, ROOM);
      if (n > 0) inbox->length += (size_t)n;
      else if (n == 0 || (errno != EINTR && errno != EAGAIN)) why = "end";
    }
    if (why) {
      lua_pushnil(L);
      lua_pushstring(L, why);
      return 2;
    }
  }
}

/* worker_write(line) -> false where nobody reads any more */
static int worker_write(lua_State *L) {
  size_t length, done = 0;
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_pushliteral(L, "\n");
  lua_concat(L, 2);
  const char *text = lua_tolstring(L, 1, &length);
  while (done < length) {
    ssize_t n = write(RNL_WORKER_OUT, text + done, length - done);
    if (n > 0) {
      done += (size_t)n;
    } else if (errno == EAGAIN) { /* libuv's end of it does not block, and ours may be the same */
      struct pollfd out = {.fd = RNL_WORKER_OUT, .events = POLLOUT};
      poll(&out, 1, 1000);
    } else if (errno != EINTR) {
      break;
    }
  }
  lua_pushboolean(L, done == length);
  return 1;
}

int rnl_lua_open_sweep(lua_State *L) {
  static const luaL_Reg process_methods[] = {
    {"start", processes_start}, {"send", processes_send}, {"kill", processes_kill},
    {"finish", processes_finish}, {"wait", processes_wait},
    {"close", processes_gc}, {NULL, NULL}};
  static const luaL_Reg journal_methods[] = {
    {"write", journal_write}, {"due", journal_due}, {"rest", journal_rest}, {"sync", journal_sync},
    {"close", journal_close}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
    {"processes", new_processes}, {"program", sweep_program}, {"journal", new_journal},
    {"journal_read", journal_read}, {"journal_slots", journal_slots},
    {"claim", sweep_claim}, {"claims", sweep_claims}, {"process", sweep_process}, {"life", sweep_life},
    {"worker_begin", worker_begin}, {"worker_read", worker_read}, {"worker_write", worker_write}, {NULL, NULL}};
  static const struct { const char *name; const luaL_Reg *methods; lua_CFunction gc; } kinds[] = {
    {PROCESSES, process_methods, processes_gc}, {JOURNAL, journal_methods, journal_gc}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (luaL_newmetatable(L, kinds[i].name)) {
      lua_createtable(L, 0, 8);
      luaL_setfuncs(L, kinds[i].methods, 0);
      lua_setfield(L, -2, "__index");
      lua_pushcfunction(L, kinds[i].gc);
      lua_setfield(L, -2, "__gc");
      lua_pushcfunction(L, kinds[i].gc);
      lua_setfield(L, -2, "__close");
      lua_pushboolean(L, false);
      lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
  }
  lua_createtable(L, 0, 1);
  luaL_newlib(L, functions);
  static const lua_CFunction more[] = {rnl_lua_open_study, rnl_lua_open_sweep_folder};
  for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
    more[i](L);
    for (lua_pushnil(L); lua_next(L, -2);) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_settable(L, -5);
    }
    lua_pop(L, 1);
  }
  lua_setfield(L, -2, "sweep");
  return 1;
}
