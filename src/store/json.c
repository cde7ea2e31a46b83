/* store/json.c: JSON text in and out. */
#include "store/json.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"

enum { MAX_JSON_FILE = 64 << 20 };

json_t *rnl_json_real(double value) {
  if (isfinite(value)) return json_real(value);
  return json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

bool rnl_json_number(const json_t *value, double *out) {
  if (json_is_number(value)) {
    *out = json_number_value(value);
    return true;
  }
  const char *text = json_string_value(value);
  if (!text) return false;
  if (strcmp(text, "nan") == 0) *out = NAN;
  else if (strcmp(text, "inf") == 0) *out = INFINITY;
  else if (strcmp(text, "-inf") == 0) *out = -INFINITY;
  else return false;
  return true;
}

static void write_string(rnl_buffer *out, const char *text, size_t length) {
  rnl_buffer_char(out, '"');
  size_t start = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    rnl_buffer_append(out, text + start, i - start);
    start = i + 1;
    switch (c) {
      case '"': rnl_buffer_text(out, "\\\""); break;
      case '\\': rnl_buffer_text(out, "\\\\"); break;
      case '\n': rnl_buffer_text(out, "\\n"); break;
      case '\t': rnl_buffer_text(out, "\\t"); break;
      default: rnl_buffer_printf(out, "\\u%04x", c);
    }
  }
  rnl_buffer_append(out, text + start, length - start);
  rnl_buffer_char(out, '"');
}

static void write_real(rnl_buffer *out, double value) {
  char text[RNL_NUMBER_TEXT];
  if (!isfinite(value)) { /* json_real refuses these, so only a broken caller comes here */
    rnl_buffer_text(out, "null");
    return;
  }
  rnl_number_format(text, value);
  rnl_buffer_text(out, text);
  if (!strpbrk(text, ".e")) rnl_buffer_text(out, ".0"); /* so that it reads back as a real */
}

static void new_line(rnl_buffer *out, int indent, int depth) {
  if (indent == 0) return;
  rnl_buffer_printf(out, "\n%*s", indent * depth, "");
}

static void write_value(rnl_buffer *out, const json_t *value, int indent, int depth) {
  switch (json_typeof(value)) {
    case JSON_OBJECT: {
      const char *key;
      json_t *item;
      bool first = true;
      rnl_buffer_char(out, '{');
      json_object_foreach((json_t *)value, key, item) {
        if (!first) rnl_buffer_text(out, indent ? "," : ", ");
        first = false;
        new_line(out, indent, depth + 1);
        write_string(out, key, strlen(key));
        rnl_buffer_text(out, ": ");
        write_value(out, item, indent, depth + 1);
      }
      if (!first) new_line(out, indent, depth);
      rnl_buffer_char(out, '}');
      break;
    }
    case JSON_ARRAY: {
      size_t count = json_array_size(value);
      bool flat = true;
      for (size_t i = 0; i < count && flat; i++) flat = json_is_number(json_array_get(value, i));
      rnl_buffer_char(out, '[');
      for (size_t i = 0; i < count; i++) {
        if (i > 0) rnl_buffer_text(out, indent && !flat ? "," : ", ");
        if (!flat) new_line(out, indent, depth + 1);
        write_value(out, json_array_get(value, i), indent, depth + 1);
      }
      if (!flat) new_line(out, indent, depth);
      rnl_buffer_char(out, ']');
      break;
    }
    case JSON_STRING: write_string(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: rnl_buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: write_real(out, json_real_value(value)); break;
    case JSON_TRUE: rnl_buffer_text(out, "true"); break;
    case JSON_FALSE: rnl_buffer_text(out, "false"); break;
    case JSON_NULL: rnl_buffer_text(out, "null"); break;
  }
}

void rnl_json_write(rnl_buffer *out, const json_t *value, int indent) {
  write_value(out, value, indent, 0);
}

rnl_status rnl_json_read_file(json_t **out, const char *path, rnl_error *err) {
  rnl_buffer text = { 0 };
  rnl_status status = rnl_file_read(path, MAX_JSON_FILE, &text, err);
  if (status == RNL_OK) {
    json_error_t problem;
    *out = json_loadb(rnl_buffer_string(&text), text.length, 0, &problem);
    if (!*out)
      status = rnl_fail(err, RNL_ERR_FORMAT, "%s:%d: not JSON: %s", path, problem.line, problem.text);
    else if (!json_is_object(*out)) {
      json_decref(*out);
      *out = NULL;
      status = rnl_fail(err, RNL_ERR_FORMAT, "%s: holds no JSON object", path);
    }
  }
  rnl_buffer_free(&text);
  return status;
}
