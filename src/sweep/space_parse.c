/* sweep/space_parse.c: from the SPACE texts of the command line to dimensions. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "sweep/space.h"

/* What a text is being read for, carried so that every message can begin alike. */
typedef struct reading {
  const rnl_declared *declared;
  const char *text; /* NULL: the bare name */
  rnl_error *err;
} reading;

__attribute__((format(printf, 2, 3))) static rnl_status refuse(const reading *r, const char *format, ...) {
  va_list args;
  va_start(args, format);
  rnl_failv(r->err, RNL_ERR_ARG, format, args);
  va_end(args);
  if (r->text) rnl_error_prefix(r->err, "%s=%.80s", r->declared->name, r->text);
  else rnl_error_prefix(r->err, "%s", r->declared->name);
  return RNL_ERR_ARG;
}

static bool is_numeric(const rnl_declared *d) { return d->kind <= RNL_DECLARED_INT; }

/* The whole of [from, end) as a finite number; *whole: written as one (no point, no exponent). */
static bool number_of(const char *from, const char *end, double *value, bool *whole) {
  const char *after = NULL;
  if (from < end && *from == '+') from++;
  if (!rnl_number_parse(from, end, value, &after) || after != end || !isfinite(*value)) return false;
  *whole = true;
  for (const char *c = from; c < end; c++)
    if (!(*c == '-' || (*c >= '0' && *c <= '9'))) *whole = false;
  return true;
}

static rnl_status check_declared(const reading *r, double value) {
  const rnl_declared *d = r->declared;
  if (d->kind == RNL_DECLARED_INT && value != floor(value))
    return refuse(r, "%s must be a whole number, and %.17g is not", d->name, value);
  if ((d->has_low && value < d->low) || (d->has_high && value > d->high)) {
    if (d->has_low && d->has_high)
      return refuse(r, "%g is outside the declared range, %g to %g", value, d->low, d->high);
    return refuse(r, "%g is outside the declared range, at %s %g", value, d->has_low ? "least" : "most",
                  d->has_low ? d->low : d->high);
  }
  return RNL_OK;
}

/* ---- choices --------------------------------------------------------------------------------- */

static bool is_bool(const rnl_declared *d) {
  return d->kind == RNL_DECLARED_CHOICE && d->n_choices == 2 && strcmp(d->choices[0], "false") == 0 &&
         strcmp(d->choices[1], "true") == 0;
}

/* The other ways to write false and true. */
static const char *truth(const char *word, size_t length) {
  static const char *const words[][2] = {{"no", "yes"}, {"off", "on"}, {"0", "1"}};
  static const char *const names[] = {"false", "true"};
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 2; k++)
      if (strlen(words[i][k]) == length && strncmp(words[i][k], word, length) == 0) return names[k];
  return NULL;
}

static rnl_status refuse_choice(const reading *r, int length, const char *word) {
  rnl_buffer known = {0};
  for (int64_t i = 0; i < r->declared->n_choices && i < 20; i++)
    rnl_buffer_printf(&known, i ? ", %s" : "%s", r->declared->choices[i]);
  refuse(r, "%.*s is not among %s", length, word, rnl_buffer_string(&known));
  rnl_buffer_free(&known);
  return RNL_ERR_ARG;
}

/* One value of a list as its parameter writes it, to be freed. */
static rnl_status choice_text(const reading *r, const char *from, const char *end, char **out) {
  const rnl_declared *d = r->declared;
  rnl_buffer text = {0};
  if (from == end && d->kind != RNL_DECLARED_TEXT) return refuse(r, "there is nothing between two commas");
  if (is_numeric(d)) {
    double value;
    bool whole;
    char formatted[RNL_NUMBER_TEXT];
    if (!number_of(from, end, &value, &whole))
      return refuse(r, "'%.*s' is not a number", (int)(end - from < 40 ? end - from : 40), from);
    RNL_TRY(check_declared(r, value));
    rnl_buffer_append(&text, formatted, rnl_number_format(formatted, value == 0 ? 0 : value));
  } else {
    const char *other = is_bool(d) ? truth(from, (size_t)(end - from)) : NULL;
    if (other) rnl_buffer_text(&text, other);
    else rnl_buffer_append(&text, from, (size_t)(end - from));
    bool known = d->kind == RNL_DECLARED_TEXT;
    for (int64_t i = 0; !known && i < d->n_choices; i++)
      known = strcmp(d->choices[i], rnl_buffer_string(&text)) == 0;
    if (!known) {
      rnl_buffer_free(&text);
      return refuse_choice(r, (int)(end - from < 40 ? end - from : 40), from);
    }
  }
  if (!text.data && !text.failed) rnl_buffer_append(&text, "", 0);
  *out = text.failed ? NULL : rnl_strdup(rnl_buffer_string(&text));
  rnl_buffer_free(&text);
  return *out ? RNL_OK : rnl_fail(r->err, RNL_ERR_MEMORY, "out of memory for the values of %s", d->name);
}

static rnl_status parse_list(rnl_space *space, const reading *r) {
  int64_t n = 1;
  for (const char *c = r->text; *c; c++) n += *c == ',';
  if (n > RNL_SPACE_MAX_CHOICES)
    return refuse(r, "%lld values; at most %d are possible", (long long)n, RNL_SPACE_MAX_CHOICES);
  char **choices = rnl_alloc((size_t)n, sizeof *choices);
  if (!choices) return rnl_fail(r->err, RNL_ERR_MEMORY, "out of memory for the values of %s", r->declared->name);
  rnl_status status = RNL_OK;
  const char *from = r->text;
  for (int64_t i = 0; status == RNL_OK && i < n; i++) {
    const char *end = strchrnul(from, ',');
    status = choice_text(r, from, end, &choices[i]);
    for (int64_t k = 0; status == RNL_OK && k < i; k++)
      if (strcmp(choices[k], choices[i]) == 0) status = refuse(r, "%.40s stands there twice", choices[i]);
    from = end + 1;
  }
  if (status == RNL_OK) {
    const rnl_dimension d = {.name = (char *)r->declared->name, .kind = RNL_DIM_CATEGORICAL, .n_choices = n,
                             .choices = choices};
    status = rnl_space_add(space, &d, r->err);
  }
  for (int64_t i = 0; i < n; i++) rnl_free(choices[i]);
  rnl_free(choices);
  return status;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static rnl_status add_range(rnl_space *space, const reading *r, bool whole, double low, double high, double step,
                            bool log) {
  if (low > high) return refuse(r, "the range is reversed: %g is above %g", low, high);
  if (low == high)
    return refuse(r, "the range is empty: both ends are %g; write %s=%g", low, r->declared->name, low);
  if (log && low <= 0) return refuse(r, "a log scale needs a lower end above 0, not %g", low);
  RNL_TRY(check_declared(r, low));
  RNL_TRY(check_declared(r, high));
  if (whole && (fabs(low) > 0x1p53 || fabs(high) > 0x1p53)) return refuse(r, "whole numbers go up to 2^53");
  if (!isfinite(high - low)) return refuse(r, "the range is wider than a number can be");
  if (step > 0 && low + step > high)
    return refuse(r, "a step of %g leaves only %g in it", step, low);
  const rnl_dimension d = {.name = (char *)r->declared->name, .kind = whole ? RNL_DIM_INT : RNL_DIM_REAL, .low = low,
                           .high = high, .step = whole && step == 0 ? 1 : step, .log = log};
  if (step > 0 && rnl_dimension_count(&d) > RNL_SPACE_MAX_GRID)
    return refuse(r, "the step is too fine: more than 10^7 values");
  return rnl_space_add(space, &d, r->err);
}

static rnl_status parse_range(rnl_space *space, const reading *r, const char *from, bool log, bool linear) {
  const rnl_declared *d = r->declared;
  const char *dots = strstr(from, ".."), *slash = strchr(from, '/'), *end = slash ? slash : from + strlen(from);
  double low, high, step = 0;
  bool whole_low, whole_high, whole_step = true;
  /* "1...5" is 1. to .5 as well as 1 to ..5: whoever writes it should say which */
  if (!dots || dots > end || !number_of(from, dots, &low, &whole_low) ||
      !number_of(dots + 2, end, &high, &whole_high))
    return refuse(r, "a range is LOW..HIGH, both numbers");
  if (slash) {
    if (!number_of(slash + 1, slash + strlen(slash), &step, &whole_step))
      return refuse(r, "'%.40s' is not a step", slash + 1);
    if (step <= 0) return refuse(r, "a step must be above 0, not %g", step);
    if (log) return refuse(r, "a log scale has no steps; list the values: %s=A,B,C", d->name);
  }
  bool whole = d->kind == RNL_DECLARED_INT ||
               (d->kind == RNL_DECLARED_NUMBER && whole_low && whole_high && whole_step);
  if (d->kind == RNL_DECLARED_INT && step != floor(step))
    return refuse(r, "%s must be a whole number, and steps of %g leave them", d->name, step);
  return add_range(space, r, whole, low, high, step, log || (d->log && !linear && !slash && low > 0));
}

static rnl_status parse_declared(rnl_space *space, const reading *r) {
  const rnl_declared *d = r->declared;
  if (d->kind == RNL_DECLARED_CHOICE) {
    const rnl_dimension choice = {.name = (char *)d->name, .kind = RNL_DIM_CATEGORICAL, .n_choices = d->n_choices,
                                  .choices = (char **)d->choices};
    return rnl_space_add(space, &choice, r->err);
  }
  if (d->kind == RNL_DECLARED_TEXT)
    return refuse(r, "a text has no range to sweep; list the values: %s=A,B,C", d->name);
  if (!d->has_low || !d->has_high)
    return refuse(r, "the script declares no range for it; write %s=LOW..HIGH, %s=A,B,C, or declare r.real or r.int "
                  "with both ends", d->name, d->name);
  return add_range(space, r, d->kind == RNL_DECLARED_INT, d->low, d->high, 0, d->log);
}

rnl_status rnl_space_parse(rnl_space *space, const rnl_declared *declared, const char *text, rnl_error *err) {
  rnl_error own; /* refuse() puts a prefix before what it wrote */
  const reading r = {.declared = declared, .text = text, .err = err ? err : &own};
  if (rnl_space_find(space, declared->name) >= 0) return refuse(&r, "it is swept twice; name it once");
  if (!text) return parse_declared(space, &r);
  if (!text[0]) return refuse(&r, "there are no values; write %s=A,B,C or %s=LOW..HIGH", declared->name,
                               declared->name);
  const bool log = strncmp(text, "log:", 4) == 0, linear = strncmp(text, "lin:", 4) == 0;
  if (is_numeric(declared) && (log || linear || strstr(text, "..")))
    return parse_range(space, &r, text + (log || linear ? 4 : 0), log, linear);
  return parse_list(space, &r);
}
