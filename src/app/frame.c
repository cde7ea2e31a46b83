/* app/frame.c: see frame.h. */
#include "app/frame.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/number.h"
#include "format/npy.h"
#include "store/json.h"

struct rnl_frame {
  json_t *names; /* {name: its place}; Jansson keeps the order */
  json_t *rows;
};

rnl_frame *rnl_frame_new(void) {
  rnl_frame *frame = rnl_alloc(1, sizeof *frame);
  if (!frame) return NULL;
  frame->names = json_object();
  frame->rows = json_array();
  if (frame->names && frame->rows) return frame;
  rnl_frame_free(frame);
  return NULL;
}

void rnl_frame_free(rnl_frame *frame) {
  if (!frame) return;
  json_decref(frame->names);
  json_decref(frame->rows);
  rnl_free(frame);
}

bool rnl_frame_name(rnl_frame *frame, const char *name) {
  if (json_object_get(frame->names, name)) return true;
  return !json_object_set_new(frame->names, name, json_integer((json_int_t)json_object_size(frame->names)));
}

bool rnl_frame_add(rnl_frame *frame, json_t *row) {
  const char *name;
  json_t *unused;
  json_object_foreach(row, name, unused)
    if (!rnl_frame_name(frame, name)) return false;
  return !json_array_append(frame->rows, row);
}

size_t rnl_frame_rows(const rnl_frame *frame) { return json_array_size(frame->rows); }
size_t rnl_frame_columns(const rnl_frame *frame) { return json_object_size(frame->names); }

json_t *rnl_frame_names(const rnl_frame *frame) {
  json_t *names = json_array();
  const char *name;
  json_t *unused;
  json_object_foreach(frame->names, name, unused) json_array_append_new(names, json_string(name));
  return names;
}

/* ---- text -------------------------------------------------------------------------------------------- */

/* A value as text: numbers in the fewest digits, true and false, what is no scalar as JSON; nothing for null. */
static void scalar_text(rnl_buffer *out, const json_t *value) {
  char digits[RNL_NUMBER_TEXT];
  double number;
  if (!value || json_is_null(value)) return;
  if (json_is_integer(value)) rnl_buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  else if (rnl_json_number(value, &number)) {
    rnl_number_format(digits, number);
    rnl_buffer_text(out, digits);
  } else if (json_is_string(value)) rnl_buffer_text(out, json_string_value(value));
  else rnl_json_write(out, value, 0);
}

static void csv_field(rnl_buffer *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    rnl_buffer_text(out, text);
    return;
  }
  rnl_buffer_char(out, '"');
  for (; *text; text++) {
    if (*text == '"') rnl_buffer_char(out, '"');
    rnl_buffer_char(out, *text);
  }
  rnl_buffer_char(out, '"');
}

static void write_csv(const rnl_frame *frame, rnl_buffer *out) {
  const char *name;
  json_t *unused;
  size_t column = 0;
  json_object_foreach(frame->names, name, unused) {
    if (column++) rnl_buffer_char(out, ',');
    csv_field(out, name);
  }
  rnl_buffer_char(out, '\n');
  rnl_buffer text = {0};
  for (size_t i = 0; i < json_array_size(frame->rows); i++) {
    const json_t *row = json_array_get(frame->rows, i);
    column = 0;
    json_object_foreach(frame->names, name, unused) {
      if (column++) rnl_buffer_char(out, ',');
      rnl_buffer_clear(&text);
      scalar_text(&text, json_object_get(row, name));
      csv_field(out, rnl_buffer_string(&text));
    }
    rnl_buffer_char(out, '\n');
  }
  if (text.failed) out->failed = true;
  rnl_buffer_free(&text);
}

/* JSON has no NaN and no infinity: null. */
static void write_json(const rnl_frame *frame, rnl_buffer *out) {
  size_t rows = json_array_size(frame->rows);
  json_t *null = json_null();
  rnl_buffer_text(out, "[");
  for (size_t i = 0; i < rows; i++) {
    const json_t *row = json_array_get(frame->rows, i);
    json_t *full = json_object();
    const char *name;
    json_t *unused;
    double number;
    json_object_foreach(frame->names, name, unused) {
      json_t *value = json_object_get(row, name);
      bool none = !value || (json_is_string(value) && rnl_json_number(value, &number));
      json_object_set(full, name, none ? null : value);
    }
    rnl_buffer_text(out, i ? ",\n " : "");
    rnl_json_write(out, full, 0);
    json_decref(full);
  }
  rnl_buffer_text(out, "]\n");
}

rnl_status rnl_frame_write(const rnl_frame *frame, rnl_frame_format format, rnl_buffer *out, rnl_error *err) {
  if (format == RNL_FRAME_NPZ) return rnl_fail(err, RNL_ERR_ARG, "npz is written into a file");
  if (format == RNL_FRAME_CSV) write_csv(frame, out);
  else write_json(frame, out);
  return rnl_buffer_check(out, "the table", err);
}

/* ---- npz --------------------------------------------------------------------------------------------- */

/* A column is numbers where every value in it is one, or true or false, or missing; one of nothing is numbers too. */
static bool is_numeric(const rnl_frame *frame, const char *name) {
  double number;
  for (size_t i = 0; i < json_array_size(frame->rows); i++) {
    const json_t *value = json_object_get(json_array_get(frame->rows, i), name);
    if (value && !json_is_null(value) && !json_is_boolean(value) && !rnl_json_number(value, &number)) return false;
  }
  return true;
}

static rnl_status add_numbers(rnl_tensors *list, const rnl_frame *frame, const char *name, rnl_error *err) {
  rnl_tensor tensor = {0};
  int64_t size[] = {(int64_t)json_array_size(frame->rows)};
  RNL_TRY(rnl_tensor_new(&tensor, RNL_F64, 1, size, err));
  double *values = rnl_tensor_data(&tensor);
  for (int64_t i = 0; i < size[0]; i++) {
    const json_t *value = json_object_get(json_array_get(frame->rows, (size_t)i), name);
    if (json_is_boolean(value)) values[i] = json_is_true(value);
    else if (!value || !rnl_json_number(value, &values[i])) values[i] = NAN;
  }
  rnl_status status = rnl_tensors_add(list, name, &tensor, err);
  rnl_tensor_release(&tensor);
  return status;
}

typedef struct text_column {
  rnl_npz_text text;
  char **items;
} text_column;

static rnl_status make_texts(text_column *column, const rnl_frame *frame, const char *name, rnl_error *err) {
  size_t rows = json_array_size(frame->rows);
  column->items = rnl_alloc(rows + 1, sizeof *column->items);
  for (size_t i = 0; column->items && i < rows; i++) {
    rnl_buffer text = {0};
    scalar_text(&text, json_object_get(json_array_get(frame->rows, i), name));
    column->items[i] = rnl_strdup(rnl_buffer_string(&text));
    bool good = column->items[i] && !text.failed;
    rnl_buffer_free(&text);
    if (!good) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  }
  if (!column->items) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  column->text = (rnl_npz_text){name, (int64_t)rows, (const char *const *)column->items};
  return RNL_OK;
}

static rnl_status write_npz(const rnl_frame *frame, const char *path, rnl_error *err) {
  size_t columns = json_object_size(frame->names), count = 0;
  rnl_tensors numbers = {0};
  text_column *texts = rnl_alloc(columns + 1, sizeof *texts);
  rnl_npz_text *list = rnl_alloc(columns + 1, sizeof *list);
  rnl_status status = texts && list ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  const char *name;
  json_t *unused;
  json_object_foreach(frame->names, name, unused) {
    if (status != RNL_OK) break;
    if (is_numeric(frame, name)) {
      status = add_numbers(&numbers, frame, name, err);
    } else {
      status = make_texts(&texts[count], frame, name, err);
      count++;
    }
  }
  for (size_t i = 0; status == RNL_OK && i < count; i++) list[i] = texts[i].text;
  if (status == RNL_OK) status = rnl_npz_write_with(path, &numbers, (int64_t)count, list, err);
  for (size_t k = 0; texts && k < count; k++) {
    for (size_t i = 0; texts[k].items && i < json_array_size(frame->rows); i++) rnl_free(texts[k].items[i]);
    rnl_free(texts[k].items);
  }
  rnl_free(texts);
  rnl_free(list);
  rnl_tensors_free(&numbers);
  return status;
}

rnl_status rnl_frame_write_file(const rnl_frame *frame, rnl_frame_format format, const char *path, rnl_error *err) {
  if (format == RNL_FRAME_NPZ) return write_npz(frame, path, err);
  rnl_buffer text = {0};
  rnl_status status = rnl_frame_write(frame, format, &text, err);
  if (status == RNL_OK) status = rnl_file_write(path, text.data, text.length, RNL_DURABLE, err);
  rnl_buffer_free(&text);
  return status;
}
