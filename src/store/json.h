/* store/json.h owns what JSON text looks like here: Jansson reads; the writer is ours, since
 * Jansson's prints 0.1 as 0.10000000000000001 and has no NaN. */
#ifndef RNL_STORE_JSON_H
#define RNL_STORE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/* A number for a metric: a JSON real, or the string "nan", "inf", "-inf" (JSON has none of these and
 * json_real refuses them). New reference. */
json_t *rnl_json_real(double value);

/* Reads it back: real, integer, or one of those three strings. False: none of them. */
bool rnl_json_number(const json_t *value, double *out);

/* Append the value as text. indent 0: one line without a newline, as `--json` prints; 2: a readable
 * file, flat arrays of numbers on one line. Keys keep their order; reals keep a point or exponent. */
void rnl_json_write(rnl_buffer *out, const json_t *value, int indent);

/* A JSON object from a file; ERR_FORMAT names the line. New reference in *out. */
rnl_status rnl_json_read_file(json_t **out, const char *path, rnl_error *err);

#endif
