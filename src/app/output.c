/* app/output.c: see output.h. */
#include "app/output.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "store/json.h"

void rnl_complain(const char *format, ...) {
  char line[2 * RNL_ERROR_TEXT];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  fflush(stdout); /* what was printed before stands before it where both go to one place */
  for (char *at = line; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7F) *at = ' '; /* one line, and nothing a terminal obeys */
  fprintf(stderr, "rnnlab: %s\n", line);
}

void rnl_warn_lines(const rnl_buffer *lines) {
  const char *at = rnl_buffer_string(lines);
  while (*at) {
    size_t length = strcspn(at, "\n");
    if (length) rnl_complain("warning: %.*s", (int)length, at);
    at += length + (at[length] == '\n');
  }
}

int rnl_exit_for(const rnl_error *err) {
  rnl_complain("%s", err->text);
  return err->status == RNL_ERR_ARG || err->status == RNL_ERR_NOT_FOUND ? RNL_EXIT_USAGE : RNL_EXIT_FAILED;
}

void rnl_put(const rnl_buffer *text) { fwrite(rnl_buffer_string(text), 1, text->length, stdout); }

int rnl_put_json(const json_t *value) {
  rnl_buffer text = {0};
  rnl_error err;
  rnl_json_write(&text, value, 0);
  rnl_buffer_char(&text, '\n');
  rnl_status status = rnl_buffer_check(&text, "JSON", &err);
  if (status == RNL_OK) rnl_put(&text);
  rnl_buffer_free(&text);
  return status == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
}

int rnl_finish_output(int code) {
  errno = 0;
  bool failed = fflush(stdout) != 0;
  int reason = errno;
  if (!failed && !ferror(stdout)) return code;
  struct pollfd reader = {.fd = STDOUT_FILENO, .events = POLLOUT};
  if (reason == EPIPE || (poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR))) return code;
  if (failed && reason) fprintf(stderr, "rnnlab: cannot write the output: %s\n", strerror(reason));
  else fprintf(stderr, "rnnlab: cannot write the output\n");
  return code == RNL_EXIT_OK ? RNL_EXIT_FAILED : code;
}

bool rnl_color(int fd) {
  const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
  return isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

int rnl_terminal_width(void) {
  struct winsize size = {0};
  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}
