/* app/table.h owns tables in the terminal, and numbers, times and durations as a person reads them. */
#ifndef RNL_APP_TABLE_H
#define RNL_APP_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"

enum { RNL_TABLE_COLUMNS = 64 };

/* How a cell stands out where colours are allowed. */
typedef enum rnl_tone { RNL_PLAIN, RNL_GOOD, RNL_BAD, RNL_FAINT, RNL_BOLD } rnl_tone;

typedef struct rnl_cell {
  char *text;
  rnl_tone tone;
} rnl_cell;

typedef struct rnl_table {
  int columns;
  const char *align;    /* a letter a column: 'l' or 'r' */
  const char *indent;   /* before each row; NULL: nothing */
  int flexible;         /* the column cut short where the terminal is too narrow; -1: none */
  size_t count, capacity;
  rnl_cell *cells;      /* row by row */
  bool failed;          /* out of memory */
} rnl_table;

void rnl_table_begin(rnl_table *table, int columns, const char *align);
/* The next cell; the text is copied, control bytes become blanks. */
void rnl_table_cell(rnl_table *table, rnl_tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Append the rows to `out`. width 0: unlimited. */
void rnl_table_write(const rnl_table *table, rnl_buffer *out, bool color, int width);
void rnl_table_free(rnl_table *table);

/* Append text in a tone. */
void rnl_toned(rnl_buffer *out, bool color, rnl_tone tone, const char *text);

enum { RNL_HUMAN_TEXT = 64 };
/* About four significant digits: "0.01234", "12.3", "1.235e-07"; a whole number as it is. JSON values that
 * are no number give "-", "nan" and the infinities themselves. Returns buffer. */
const char *rnl_human_number(char buffer[RNL_HUMAN_TEXT], const json_t *value);
/* Seconds: "0.83 s", "12.4 s", "3 min 20 s", "2 h 05 min"; "-" for no number. */
const char *rnl_human_seconds(char buffer[RNL_HUMAN_TEXT], const json_t *value);
/* A UTC time stamp as "2026-11-23 09:51" in the machine's time zone; "-" for none. */
const char *rnl_human_time(char buffer[RNL_HUMAN_TEXT], const json_t *value);

/* The tone of a run's status. */
rnl_tone rnl_status_tone(const char *status);

#endif
