/* store/query.h owns picking and ordering among listed runs and sweeps: the summaries of store/index.h. */
#ifndef RNL_STORE_QUERY_H
#define RNL_STORE_QUERY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* Names every run or sweep has, whatever its script: name kind status experiment script seed started ended epochs
 * wall_s train_s network weights dir error tag note trials best objective. Ended by NULL. */
extern const char *const rnl_field_names[];

/* The value called `name`, as a new reference; NULL where there is none. One of rnl_field_names ("run", "sweep": name;
 * "time": wall_s; "tags" and "notes": arrays of text), else a parameter, else a metric; "params.x" and "metrics.x" say
 * which. Of a sweep: its best value under the name of its objective. */
json_t *rnl_field(const json_t *summary, const char *name);

/* Is it a parameter or a metric of this one? */
bool rnl_field_is_own(const json_t *summary, const char *name);

/* ---- filters: NAME OP VALUE -------------------------------------------------------------------------
 *
 * < <= > >= compare numbers (times and dates, "2026-11" < "2026-11-25", as text); a run without the value, or with a
 * NaN, is not among them. = and != take alternatives: "status=finished,running"; ~ and !~ look for text inside,
 * whatever the case. What is missing is != and !~ to everything. A word without an operator is the beginning of a
 * name. */
typedef enum rnl_filter_op { RNL_LESS, RNL_AT_MOST, RNL_MORE, RNL_AT_LEAST, RNL_IS, RNL_IS_NOT, RNL_HAS, RNL_HAS_NOT,
                             RNL_BEGINS } rnl_filter_op;

typedef struct rnl_filter {
  char *name, *value;
  rnl_filter_op op;
  double number; /* of the comparisons; NaN where value is no number */
} rnl_filter;

rnl_status rnl_filter_parse(rnl_filter *out, const char *text, rnl_error *err);
void rnl_filter_free(rnl_filter *filter); /* idempotent */
bool rnl_filter_matches(const rnl_filter *filter, const json_t *summary);

/* ---- ordering ----------------------------------------------------------------------------------------- */

/* A new array ordered by the field: numbers first, by size, then text; those without it, NaN and infinities last,
 * ascending or not. Equals stay as they were. NULL where memory is out. */
json_t *rnl_sorted(const json_t *list, const char *name, bool descending);

#endif
