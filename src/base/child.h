/* base/child.h owns running another program to its end: an argument list, never a shell. */
#ifndef RNL_BASE_CHILD_H
#define RNL_BASE_CHILD_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct rnl_child {
  const char *const *arguments; /* ended by NULL; the first is the program, looked for in PATH */
  const char *folder;           /* its current folder; NULL: ours */
  const char *const *variables; /* "NAME=value", ended by NULL, put before the environment's; NULL: none */
  double timeout_s;             /* it is killed after so long */
  const volatile int *stop;     /* it is killed once this is not 0; NULL: never */
} rnl_child;

enum { RNL_CHILD_SAID_MAX = 4 << 20 }; /* bytes kept of what it says; the rest is read and dropped */

/* Run it with standard input empty; `said` gets what it writes to standard output and error. *code is its exit
 * code, or 128 + n where signal n ended it. Fails where it cannot be started (ERR_NOT_FOUND: no such program), was
 * killed for its time (ERR_IO) or because of `stop` (ERR_INTERRUPTED). It runs in a process group of its own. */
rnl_status rnl_child_run(const rnl_child *child, rnl_buffer *said, int *code, rnl_error *err);

#endif
