/* sweep/space.h owns what a sweep looks through: dimensions, the SPACE texts of the command line that make
 * them, conditions between them, and points.
 *
 * A point is `double values[space.n]`, in the order of the dimensions: a real, a whole number, or for a
 * categorical dimension the index of the choice (from 0). A dimension whose condition does not hold is inactive
 * and its value NaN. Everything here is pure: no files, no clock, no random numbers. */
#ifndef RNL_SWEEP_SPACE_H
#define RNL_SWEEP_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum rnl_dimension_kind { RNL_DIM_REAL, RNL_DIM_INT, RNL_DIM_CATEGORICAL } rnl_dimension_kind;

enum { RNL_SPACE_MAX_DIMS = 64, RNL_SPACE_MAX_CHOICES = 10000 };
static const int64_t RNL_SPACE_MAX_GRID = 10000000; /* more grid points than this are refused */

typedef struct rnl_dimension {
  char *name;
  rnl_dimension_kind kind;
  double low, high;  /* inclusive; high is the last value on a step; categorical: 0 and n_choices - 1 */
  double step;       /* values low, low + step, ...; 0: every real, 1 for every whole number */
  bool log;          /* uniform in log x; low > 0 */
  int64_t n_choices; /* categorical: how many */
  char **choices;    /* ... and their texts, as key=TEXT takes them */
  int64_t n_when;    /* 0: always looked at (and `when` -1) ... */
  int when;          /* ... or only where this dimension, an earlier one, */
  double *when_values; /* ... has one of these n_when values (choice indices where it is categorical) */
} rnl_dimension;

typedef struct rnl_space { /* all zeros is a valid empty space */
  int n;
  rnl_dimension *dims;
} rnl_space;

/* What the script declared of a parameter, as lua/rnnlab/params.lua knows it. */
typedef enum rnl_declared_kind {
  RNL_DECLARED_NUMBER, /* a plain number default: any number */
  RNL_DECLARED_REAL,
  RNL_DECLARED_INT,
  RNL_DECLARED_CHOICE, /* choices; r.bool is { "false", "true" } */
  RNL_DECLARED_TEXT
} rnl_declared_kind;

typedef struct rnl_declared {
  const char *name;
  rnl_declared_kind kind;
  bool has_low, has_high, log;
  double low, high;
  int64_t n_choices;
  const char *const *choices;
} rnl_declared;

/* Append the dimension that SPACE text makes of a declared parameter:
 *
 *     4,8,16           a choice of these values            4..64        a range, whole or real as declared, else
 *     log:1e-4..1e-1   a range, uniform in its logarithm                as its ends are written
 *     0..10/2          0, 2, 4, ..., 10 (0..9/2 ends at 8)  NULL        the declared range or choices
 *
 * A range that is declared with a log scale keeps it where the text gives neither a step nor `lin:` or `log:`.
 *
 * ERR_ARG, one line that begins "lr=SPACE: ", for everything else: an empty or reversed range, a log of zero or
 * less, a step of zero or less, a value twice, a value the declaration does not take, a name twice. */
rnl_status rnl_space_parse(rnl_space *space, const rnl_declared *declared, const char *text, rnl_error *err);

/* Append a copy of the dimension (its `when` is kept as it is), checked as above. */
rnl_status rnl_space_add(rnl_space *space, const rnl_dimension *dimension, rnl_error *err);

/* Dimension `name` is looked at only where dimension `parent` (an earlier one) has one of the values, given as
 * text ("2", "lstm"). `r.int(8, 4, 64):when("layers", 2)` */
rnl_status rnl_space_condition(rnl_space *space, const char *name, const char *parent, int64_t n,
                               const char *const *values, rnl_error *err);

rnl_status rnl_space_copy(const rnl_space *space, rnl_space *out, rnl_error *err);
void rnl_space_free(rnl_space *space); /* idempotent */

int rnl_space_find(const rnl_space *space, const char *name); /* -1: there is none */

/* Does the condition of dimension i hold at this point (its parents' too)? */
bool rnl_space_active(const rnl_space *space, const double *values, int i);

/* NaN where a dimension is inactive. */
void rnl_space_close(const rnl_space *space, double *values);

/* The same point? NaN equals NaN. */
bool rnl_space_same(const rnl_space *space, const double *a, const double *b);

/* Is it a point of the space: active ones within bounds and on their step, inactive ones NaN? One line if not. */
rnl_status rnl_space_check(const rnl_space *space, const double *values, rnl_error *err);

/* How many values a dimension has, 0 where it is continuous; the i-th of them (i from 0), the nearest one. */
int64_t rnl_dimension_count(const rnl_dimension *dimension);
double rnl_dimension_at(const rnl_dimension *dimension, int64_t i);
int64_t rnl_dimension_nearest(const rnl_dimension *dimension, double value);

/* How many different points the space has, conditions respected: 0 where it is continuous, INT64_MAX where
 * there are more than 2^62. */
int64_t rnl_space_count(const rnl_space *space);

/* The point with this index (0 .. count-1) of a finite space: row by row, the last dimension moving fastest. */
void rnl_space_point(const rnl_space *space, int64_t index, double *values);

/* The value as key=TEXT takes it ("lstm", "0.01", "8"), appended; and back. Nothing for an inactive one. */
void rnl_dimension_format(const rnl_dimension *dimension, double value, rnl_buffer *out);
rnl_status rnl_dimension_read(const rnl_dimension *dimension, const char *text, double *value, rnl_error *err);

/* "hidden: whole numbers from 4 to 64", for --dry-run and reports; appended. */
void rnl_dimension_describe(const rnl_space *space, int i, rnl_buffer *out);

#endif
