/* app/output.h owns what every command shares when it speaks: the error line, checked standard output,
 * whether colours may be used. */
#ifndef RNL_APP_OUTPUT_H
#define RNL_APP_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

enum { RNL_EXIT_OK = 0, RNL_EXIT_FAILED = 1, RNL_EXIT_USAGE = 2 };

/* "rnnlab: <text>" and a newline on stderr. */
void rnl_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for each line of a text, as "rnnlab: warning: <line>". */
void rnl_warn_lines(const rnl_buffer *lines);

/* Complain with err's text and give the exit code its status stands for. */
int rnl_exit_for(const rnl_error *err);

/* Put text, or a JSON value and a newline, on stdout. Failures are told by rnl_finish_output. */
void rnl_put(const rnl_buffer *text);
int rnl_put_json(const json_t *value);

/* Flush stdout; where anything could not be written (disk full) complain and return 1, else `code`.
 * A reader that went away (`| head`) is no failure. */
int rnl_finish_output(int code);

/* May colours go to descriptor fd? A terminal, TERM not "dumb", NO_COLOR not set. */
bool rnl_color(int fd);

/* Columns of the terminal at stdout; 0 where it is none. */
int rnl_terminal_width(void);

#endif
