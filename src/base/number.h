/* base/number.h owns the way from double to text and back, without the locale: what is written
 * reads back to the same bits, in (nearly always) the fewest digits. */
#ifndef RNL_BASE_NUMBER_H
#define RNL_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { RNL_NUMBER_TEXT = 32 };

/* "0.1", "3", "1e-07", "-2.5e+300", "nan", "inf", "-inf"; returns its length. Grisu2 (Loitsch 2010):
 * always reads back to the same double; in about one value of a thousand a digit longer than need be. */
size_t rnl_number_format(char out[RNL_NUMBER_TEXT], double value);

/* Read one decimal number ("-1.5e3", ".5", "nan", "inf", "infinity", any case; no hexadecimal, no
 * leading blanks) from [text, end); *after is set behind it. False: no number there. */
bool rnl_number_parse(const char *text, const char *end, double *value, const char **after);

/* A value that is absent, as against one that is not a number: a NaN with a mark of its own (as R's
 * NA). It survives copying and assignment, not arithmetic. metrics.csv leaves its field empty. */
double rnl_missing(void);
bool rnl_is_missing(double value);

#endif
