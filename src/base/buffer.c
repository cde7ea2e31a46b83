/* base/buffer.c: the growing buffer with a sticky failure. */
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

bool rnl_buffer_reserve(rnl_buffer *buffer, size_t more) {
  if (buffer->failed) return false;
  size_t need;
  if (!rnl_add_size(buffer->length, more, &need) || !rnl_add_size(need, 1, &need)) {
    buffer->failed = true;
    return false;
  }
  if (need <= buffer->capacity) return true;
  size_t capacity = buffer->capacity + buffer->capacity / 2;
  if (capacity < need) capacity = need < 128 ? 128 : need;
  char *grown = rnl_realloc(buffer->data, buffer->length, capacity, 1);
  if (!grown) {
    buffer->failed = true;
    return false;
  }
  buffer->data = grown;
  buffer->capacity = capacity;
  return true;
}

void rnl_buffer_append(rnl_buffer *buffer, const void *bytes, size_t length) {
  if (!rnl_buffer_reserve(buffer, length)) return;
  if (length > 0) memcpy(buffer->data + buffer->length, bytes, length);
  buffer->length += length;
  buffer->data[buffer->length] = '\0';
}

void rnl_buffer_text(rnl_buffer *buffer, const char *text) {
  rnl_buffer_append(buffer, text, strlen(text));
}

void rnl_buffer_char(rnl_buffer *buffer, char c) { rnl_buffer_append(buffer, &c, 1); }

void rnl_buffer_vprintf(rnl_buffer *buffer, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  char small[256];
  int length = vsnprintf(small, sizeof small, format, args);
  if (length < 0) {
    buffer->failed = true;
  } else if ((size_t)length < sizeof small) {
    rnl_buffer_append(buffer, small, (size_t)length);
  } else if (rnl_buffer_reserve(buffer, (size_t)length)) {
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
    buffer->length += (size_t)length;
  }
  va_end(again);
}

void rnl_buffer_printf(rnl_buffer *buffer, const char *format, ...) {
  va_list args;
  va_start(args, format);
  rnl_buffer_vprintf(buffer, format, args);
  va_end(args);
}

const char *rnl_buffer_string(const rnl_buffer *buffer) { return buffer->data ? buffer->data : ""; }

rnl_status rnl_buffer_check(const rnl_buffer *buffer, const char *what, rnl_error *err) {
  if (!buffer->failed) return RNL_OK;
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while writing %s", what);
}

char *rnl_buffer_take(rnl_buffer *buffer) {
  char *text = NULL;
  if (!buffer->failed && rnl_buffer_reserve(buffer, 0)) {
    text = buffer->data;
    text[buffer->length] = '\0';
  } else {
    rnl_free(buffer->data);
  }
  *buffer = (rnl_buffer){ 0 };
  return text;
}

void rnl_buffer_clear(rnl_buffer *buffer) {
  buffer->length = 0;
  buffer->failed = false;
  if (buffer->data) buffer->data[0] = '\0';
}

void rnl_buffer_free(rnl_buffer *buffer) {
  rnl_free(buffer->data);
  *buffer = (rnl_buffer){ 0 };
}
