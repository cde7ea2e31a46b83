/* app/repl.c: rnnlab repl, Lua lines read, run and their values printed, with rnnlab loaded as `r`. */
#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/output.h"
#include "app/signals.h"
#include "bind/lua_core.h"

/* ---- reading lines ----------------------------------------------------------------------------- */

/* Lines are read with read(2) so that a signal interrupts the waiting, which stdio hides. */
typedef struct reader {
  char bytes[4096];
  size_t at, count;
  bool terminal, ended;
} reader;

typedef enum line_end { LINE, LINE_STOPPED, LINE_NONE } line_end;

static line_end read_line(reader *in, const char *prompt, rnl_buffer *line) {
  if (in->terminal) fputs(prompt, stdout);
  fflush(stdout);
  for (;;) {
    while (in->at < in->count) {
      char c = in->bytes[in->at++];
      if (c == '\n') return LINE;
      rnl_buffer_char(line, c);
    }
    if (rnl_stop_flag) return LINE_STOPPED;
    ssize_t n = in->ended ? 0 : read(STDIN_FILENO, in->bytes, sizeof in->bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      in->ended = !in->terminal; /* a terminal may go on after Ctrl-D */
      return line->length > 0 ? LINE : LINE_NONE;
    }
    in->at = 0;
    in->count = (size_t)n;
  }
}

/* ---- compiling and running --------------------------------------------------------------------- */

typedef enum compiled { READY, INCOMPLETE, WRONG } compiled;

/* Is the error message on top that of code which stops in the middle? */
static bool is_cut(lua_State *L) {
  static const char mark[] = "<eof>";
  size_t size;
  const char *message = lua_tolstring(L, -1, &size);
  return message && size >= sizeof mark - 1 && strcmp(message + size - (sizeof mark - 1), mark) == 0;
}

/* Push the function of the text, as an expression where it is one, else as statements; or its error. */
static compiled compile(lua_State *L, const rnl_buffer *text) {
  const char *code = rnl_buffer_string(text);
  size_t length = text->length, blank = strspn(code, " \t"), whole;
  if (code[blank] == '=') { /* "=x", the old way to ask for a value */
    code += blank + 1;
    length -= blank + 1;
  }
  lua_pushliteral(L, "return ");
  lua_pushlstring(L, code, length);
  lua_concat(L, 2);
  const char *expression = lua_tolstring(L, -1, &whole);
  int status = luaL_loadbufferx(L, expression, whole, "=input", "t");
  lua_remove(L, -2);
  if (status == LUA_OK) return READY;
  bool cut = is_cut(L);
  lua_pop(L, 1);
  if (luaL_loadbufferx(L, code, length, "=input", "t") == LUA_OK) return READY;
  return cut || is_cut(L) ? INCOMPLETE : WRONG;
}

/* Run the function at stack index 1 and print its values: on one line, or below each other where one has
 * several lines (a matrix). Called protected. */
static int run_and_print(lua_State *L) {
  lua_call(L, 0, LUA_MULTRET);
  int n = lua_gettop(L);
  bool tall = false;
  luaL_checkstack(L, n + 2, "too many values to print");
  for (int i = 1; i <= n; i++) {
    luaL_tolstring(L, i, NULL);
    if (strchr(lua_tostring(L, -1), '\n')) tall = true;
  }
  for (int i = 1; i <= n; i++) {
    size_t length;
    const char *text = lua_tolstring(L, n + i, &length);
    fwrite(text, 1, length, stdout);
    if (i == n || tall) {
      if (length == 0 || text[length - 1] != '\n') putchar('\n');
    } else {
      putchar('\t');
    }
  }
  return 0;
}

static int load_face(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "rnnlab");
  lua_call(L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setglobal(L, "r");
  lua_setglobal(L, "rnnlab");
  return 0;
}

static void evaluate(lua_State *L) {
  rnl_error err;
  int code;
  lua_pushcfunction(L, run_and_print);
  lua_insert(L, -2);
  if (rnl_lua_call(L, 1, 0, &code, &err) == RNL_OK) return;
  rnl_complain("%s", rnl_stop_flag ? "interrupted" : err.text);
}

/* On a terminal Ctrl-C cancels what is typed or runs. Any other signal, or one to a pipe's reader, ends. */
static bool goes_on(lua_State *L, const reader *in) {
  if (rnl_stop_flag == 0) return true;
  if (rnl_stop_flag != SIGINT || !in->terminal) return false;
  rnl_signals_clear();
  rnl_lua_set_stop_flag(L, &rnl_stop_flag); /* a stopped call took the watch away */
  return true;
}

static int loop(lua_State *L, reader *in) {
  rnl_buffer chunk = {0}, line = {0};
  for (;;) {
    rnl_buffer_clear(&line);
    line_end end = read_line(in, chunk.length ? ">> " : "> ", &line);
    if (end == LINE_STOPPED) {
      rnl_buffer_clear(&chunk);
      if (in->terminal) putchar('\n');
      if (goes_on(L, in)) continue;
      break;
    }
    if (end == LINE_NONE && chunk.length == 0) break;
    if (chunk.length) rnl_buffer_char(&chunk, '\n');
    rnl_buffer_append(&chunk, rnl_buffer_string(&line), line.length);
    if (strspn(rnl_buffer_string(&chunk), " \t\r\n") == chunk.length) {
      rnl_buffer_clear(&chunk);
      continue;
    }
    compiled kind = compile(L, &chunk);
    if (kind == READY) evaluate(L);
    if (kind == INCOMPLETE && end == LINE) {
      lua_pop(L, 1);
      continue;
    }
    if (kind != READY) {
      rnl_complain("%s", lua_tostring(L, -1));
      lua_pop(L, 1);
    }
    rnl_buffer_clear(&chunk);
    if (!goes_on(L, in) || ferror(stdout)) break;
  }
  rnl_buffer_free(&chunk);
  rnl_buffer_free(&line);
  return rnl_stop_flag ? 128 + rnl_stop_flag : RNL_EXIT_OK;
}

static int call(const rnl_args *args) {
  rnl_error err;
  lua_State *L;
  int code;
  if (rnl_lua_new_state(&L, &rnl_stop_flag, &err) != RNL_OK) {
    rnl_complain("%s", err.text);
    return RNL_EXIT_FAILED;
  }
  lua_pushcfunction(L, load_face);
  if (rnl_lua_call(L, 0, 0, &code, &err) != RNL_OK) {
    rnl_complain("%s", err.text);
  } else {
    rnl_signals_interrupt_reads(); /* Ctrl-C shall interrupt the waiting for a line */
    reader in = {.terminal = isatty(STDIN_FILENO)};
    if (in.terminal && !rnl_args_has(args, &rnl_option_quiet))
      puts("rnnlab " RNNLAB_VERSION ", " LUA_VERSION ". rnnlab is loaded as r; Ctrl-D leaves.");
    code = loop(L, &in);
    if (in.terminal && code == RNL_EXIT_OK) putchar('\n');
  }
  lua_close(L);
  return code;
}

const rnl_command rnl_command_repl = {
  .name = "repl",
  .usage = "[options]",
  .summary = "try tensors and layers by hand, in Lua",
  .about =
    "Reads Lua, runs it and prints the values of expressions; tensors print as matrices. rnnlab is\n"
    "loaded as `r`. An open block goes on in the next line. Ctrl-C cancels the line or stops what\n"
    "runs, Ctrl-D leaves. Reads from a pipe too. Code typed here is trusted: all of Lua is open.",
  .examples =
    "  rnnlab repl\n"
    "  echo 'r.tensor{{1,2},{3,4}}:mm(r.eye(2))' | rnnlab repl",
  .options = (const rnl_option *const[]){&rnl_option_quiet, NULL},
  .call = call,
};
