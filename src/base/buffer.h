/* base/buffer.h owns the growing byte buffer: files read whole, text built piece by piece.
 *
 * Running out of memory is sticky: after a failed append all later ones do nothing, so a writer
 * appends freely and asks once at the end:
 *
 *     rnl_buffer text = {0};
 *     rnl_buffer_printf(&text, "%d rows\n", rows);
 *     rnl_status status = rnl_buffer_check(&text, "the report", err);
 *     ... text.data (always ends in a NUL that length does not count) ...
 *     rnl_buffer_free(&text);
 */
#ifndef RNL_BASE_BUFFER_H
#define RNL_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct rnl_buffer { /* all zeros is a valid empty buffer */
  char *data;               /* NULL while nothing was ever appended */
  size_t length, capacity;
  bool failed;
} rnl_buffer;

/* Room for `more` further bytes and a NUL. False (and sticky) where memory is out. */
bool rnl_buffer_reserve(rnl_buffer *buffer, size_t more);

void rnl_buffer_append(rnl_buffer *buffer, const void *bytes, size_t length);
void rnl_buffer_text(rnl_buffer *buffer, const char *text);
void rnl_buffer_char(rnl_buffer *buffer, char c);
void rnl_buffer_printf(rnl_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rnl_buffer_vprintf(rnl_buffer *buffer, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* The text so far, "" for an empty buffer. Never NULL. */
const char *rnl_buffer_string(const rnl_buffer *buffer);

/* RNL_OK, or RNL_ERR_MEMORY "out of memory while writing <what>". */
rnl_status rnl_buffer_check(const rnl_buffer *buffer, const char *what, rnl_error *err);

/* The text as a block to release with rnl_free, and the buffer emptied; NULL where it failed. */
char *rnl_buffer_take(rnl_buffer *buffer);

void rnl_buffer_clear(rnl_buffer *buffer); /* length 0, memory kept, failure forgotten */
void rnl_buffer_free(rnl_buffer *buffer);  /* idempotent */

#endif
