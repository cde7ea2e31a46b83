/* base/error.h owns the status codes every room returns and the one error text
 * that travels with them.
 *
 * Contract: a function that can fail returns an rnl_status and takes an
 * `rnl_error *err` last. On RNL_OK `err` is untouched; otherwise it holds one
 * line, without a newline, that says what was wrong and what was expected.
 * Nothing in the core prints, exits or longjmps. `err` may be NULL.
 *
 *     if (n < 1) return rnl_fail(err, RNL_ERR_ARG, "hidden_size is %d; it must be at least 1", n);
 */
#ifndef RNL_BASE_ERROR_H
#define RNL_BASE_ERROR_H

#include <stdarg.h>

typedef enum rnl_status {
  RNL_OK = 0,
  RNL_ERR_ARG,         /* a value the caller gave is wrong */
  RNL_ERR_SHAPE,       /* shapes do not fit; the text names both */
  RNL_ERR_DTYPE,       /* dtypes do not fit */
  RNL_ERR_MEMORY,      /* an allocation failed or a size overflows */
  RNL_ERR_IO,          /* a file or folder; the text names it and errno's reason */
  RNL_ERR_FORMAT,      /* bytes from outside are not what they should be */
  RNL_ERR_NOT_FOUND,   /* no such run, file, program or key */
  RNL_ERR_DIVERGED,    /* a loss became NaN or Inf */
  RNL_ERR_INTERRUPTED, /* the stop flag was seen */
  RNL_ERR_SCRIPT,      /* the user's Lua raised an error; the text is its message */
  RNL_ERR_INTERNAL     /* a broken invariant: a bug in rnnlab */
} rnl_status;

enum { RNL_ERROR_TEXT = 1024 };

typedef struct rnl_error {
  rnl_status status;
  char text[RNL_ERROR_TEXT];
} rnl_error;

/* Fill `err` (if not NULL) and return `status`, so that callers can `return rnl_fail(...)`. */
rnl_status rnl_fail(rnl_error *err, rnl_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a va_list. */
rnl_status rnl_failv(rnl_error *err, rnl_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Put "prefix: " before the text already in `err`; returns err's status. */
rnl_status rnl_error_prefix(rnl_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Pass a failing status on: RNL_TRY(rnl_tensor_new(...)). */
#define RNL_TRY(expression)                       \
  do {                                            \
    rnl_status rnl_try_status_ = (expression);    \
    if (rnl_try_status_ != RNL_OK) return rnl_try_status_; \
  } while (0)

#endif
