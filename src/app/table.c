/* app/table.c: see table.h. */
#include "app/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "store/json.h"

void rnl_table_begin(rnl_table *table, int columns, const char *align) {
  *table = (rnl_table){.columns = columns, .align = align, .flexible = -1};
}

void rnl_table_cell(rnl_table *table, rnl_tone tone, const char *format, ...) {
  rnl_buffer text = {0};
  va_list args;
  va_start(args, format);
  rnl_buffer_vprintf(&text, format, args);
  va_end(args);
  if (table->count == table->capacity) {
    size_t capacity = table->capacity ? 2 * table->capacity : 64;
    rnl_cell *cells = rnl_realloc(table->cells, table->count, capacity, sizeof *cells);
    if (cells) {
      table->cells = cells;
      table->capacity = capacity;
    }
  }
  char *copy = table->count < table->capacity ? rnl_strdup(rnl_buffer_string(&text)) : NULL;
  if (text.failed || !copy) table->failed = true;
  rnl_buffer_free(&text);
  if (!copy) return;
  for (char *c = copy; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
  table->cells[table->count++] = (rnl_cell){copy, tone};
}

/* Characters, not bytes: every byte that does not continue a UTF-8 sequence. */
static int text_width(const char *text) {
  int width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

/* Bytes of the first `width` characters. */
static size_t bytes_of(const char *text, int width) {
  size_t n = 0;
  while (text[n] && (width > 0 || ((unsigned char)text[n] & 0xC0) == 0x80)) {
    width -= ((unsigned char)text[n] & 0xC0) != 0x80;
    if (width < 0) break;
    n++;
  }
  return n;
}

void rnl_toned(rnl_buffer *out, bool color, rnl_tone tone, const char *text) {
  static const char *const codes[] = {"", "\033[32m", "\033[31m", "\033[2m", "\033[1m"};
  bool on = color && tone != RNL_PLAIN;
  rnl_buffer_text(out, on ? codes[tone] : "");
  rnl_buffer_text(out, text);
  rnl_buffer_text(out, on ? "\033[0m" : "");
}

static void write_cell(const rnl_table *table, rnl_buffer *out, const rnl_cell *cell, int column, int width,
                       bool last, bool color) {
  int used = text_width(cell->text), pad = used < width ? width - used : 0;
  char cut[512];
  const char *text = cell->text;
  if (used > width) { /* only in the flexible column */
    size_t keep = bytes_of(text, width - 2);
    if (keep > sizeof cut - 3) keep = sizeof cut - 3;
    snprintf(cut, sizeof cut, "%.*s..", (int)keep, text);
    text = cut;
  }
  bool right = table->align[column] == 'r';
  if (right) rnl_buffer_printf(out, "%*s", pad, "");
  rnl_toned(out, color, cell->tone, text);
  if (!right && !last) rnl_buffer_printf(out, "%*s", pad, "");
  if (!last) rnl_buffer_text(out, "  ");
}

void rnl_table_write(const rnl_table *table, rnl_buffer *out, bool color, int width) {
  int widths[RNL_TABLE_COLUMNS] = {0}, columns = table->columns;
  const char *indent = table->indent ? table->indent : "";
  int total = (int)strlen(indent) + 2 * (columns - 1);
  for (size_t i = 0; i < table->count; i++) {
    int w = text_width(table->cells[i].text), c = (int)(i % (size_t)columns);
    if (w > widths[c]) widths[c] = w;
  }
  for (int c = 0; c < columns; c++) total += widths[c];
  if (width > 0 && total > width && table->flexible >= 0) {
    int *flexible = &widths[table->flexible], least = *flexible < 10 ? *flexible : 10;
    *flexible -= total - width;
    if (*flexible < least) *flexible = least;
  }
  for (size_t i = 0; i < table->count; i++) {
    int c = (int)(i % (size_t)columns);
    if (c == 0) rnl_buffer_text(out, indent);
    write_cell(table, out, &table->cells[i], c, widths[c], c == columns - 1, color);
    if (c == columns - 1) rnl_buffer_char(out, '\n');
  }
  if (table->failed) out->failed = true;
}

void rnl_table_free(rnl_table *table) {
  for (size_t i = 0; i < table->count; i++) rnl_free(table->cells[i].text);
  rnl_free(table->cells);
  *table = (rnl_table){0};
}

/* ---- as a person reads them -------------------------------------------------------------------- */

const char *rnl_human_number(char buffer[RNL_HUMAN_TEXT], const json_t *value) {
  double number;
  if (!value || !rnl_json_number(value, &number)) return strcpy(buffer, "-");
  if (isnan(number)) return strcpy(buffer, "nan");
  if (json_is_integer(value)) snprintf(buffer, RNL_HUMAN_TEXT, "%lld", (long long)json_integer_value(value));
  else snprintf(buffer, RNL_HUMAN_TEXT, "%.4g", number);
  return buffer;
}

const char *rnl_human_seconds(char buffer[RNL_HUMAN_TEXT], const json_t *value) {
  double s;
  if (!value || !rnl_json_number(value, &s) || !(s >= 0) || s > 1e9) return strcpy(buffer, "-");
  if (s < 0.9995) snprintf(buffer, RNL_HUMAN_TEXT, "%.0f ms", s * 1000);
  else if (s < 9.995) snprintf(buffer, RNL_HUMAN_TEXT, "%.2f s", s);
  else if (s < 59.95) snprintf(buffer, RNL_HUMAN_TEXT, "%.1f s", s);
  else if (s < 3599.5)
    snprintf(buffer, RNL_HUMAN_TEXT, "%d min %02d s", (int)(s + .5) / 60, (int)(s + .5) % 60);
  else snprintf(buffer, RNL_HUMAN_TEXT, "%d h %02d min", (int)(s / 3600), (int)(s / 60) % 60);
  return buffer;
}

const char *rnl_human_time(char buffer[RNL_HUMAN_TEXT], const json_t *value) {
  struct tm utc = {0}, local;
  const char *text = json_string_value(value);
  if (!text || sscanf(text, "%d-%d-%dT%d:%d:%d", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour,
                      &utc.tm_min, &utc.tm_sec) != 6)
    return strcpy(buffer, "-");
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  time_t when = timegm(&utc);
  if (!localtime_r(&when, &local) || !strftime(buffer, RNL_HUMAN_TEXT, "%Y-%m-%d %H:%M", &local))
    return strcpy(buffer, "-");
  return buffer;
}

rnl_tone rnl_status_tone(const char *status) {
  if (strcmp(status, "finished") == 0) return RNL_GOOD;
  if (strcmp(status, "running") == 0) return RNL_BOLD;
  if (strcmp(status, "interrupted") == 0 || strcmp(status, "pruned") == 0) return RNL_FAINT;
  return RNL_BAD;
}
