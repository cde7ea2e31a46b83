/* base/error.c: filling an rnl_error. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

rnl_status rnl_failv(rnl_error *err, rnl_status status, const char *format, va_list args) {
  if (err) {
    err->status = status;
    vsnprintf(err->text, sizeof err->text, format, args);
  }
  return status;
}

rnl_status rnl_fail(rnl_error *err, rnl_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  rnl_failv(err, status, format, args);
  va_end(args);
  return status;
}

rnl_status rnl_error_prefix(rnl_error *err, const char *format, ...) {
  if (!err) return RNL_ERR_INTERNAL;
  char tail[RNL_ERROR_TEXT];
  memcpy(tail, err->text, sizeof tail);
  va_list args;
  va_start(args, format);
  int used = vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  if (used < 0) used = 0;
  if ((size_t)used < sizeof err->text)
    snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", tail);
  return err->status;
}
