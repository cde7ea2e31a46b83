/* format/csv.h owns reading numeric tables: comma, semicolon, tab or blanks between the fields, an
 * optional header line, '#' comment lines, empty lines skipped, \n or \r\n, an optional UTF-8 mark. */
#ifndef RNL_FORMAT_CSV_H
#define RNL_FORMAT_CSV_H

#include <stddef.h>

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct rnl_csv {
  rnl_tensor data; /* float64 (rows, columns); an empty field and "nan", "NA" are NaN */
  int columns;
  char **names;    /* NULL where there was no header line */
} rnl_csv;

/* delimiter 0: found from the first line. The first line is a header where one of its fields is not a
 * number. Errors name the line and the column: "data.csv:17: column 3 is "abc"; a number was expected". */
rnl_status rnl_csv_decode(rnl_csv *out, const char *text, size_t length, char delimiter,
                          const char *what, rnl_error *err);
rnl_status rnl_csv_read(rnl_csv *out, const char *path, char delimiter, rnl_error *err);
void rnl_csv_free(rnl_csv *csv); /* idempotent */

#endif
