/* plot/axis.c: see axis.h. */
#include "plot/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plot/text.h"

rnl_extent rnl_extent_empty(void) {
  return (rnl_extent){.low = INFINITY, .high = -INFINITY, .least_positive = INFINITY, .whole = true};
}

void rnl_extent_add(rnl_extent *extent, double value) {
  if (!isfinite(value)) return;
  if (value < extent->low) extent->low = value;
  if (value > extent->high) extent->high = value;
  if (value > 0 && value < extent->least_positive) extent->least_positive = value;
  if (value != floor(value)) extent->whole = false;
}

/* A step of 1, 2 or 5 times a power of ten that makes about `intervals` of the span, at most 1.4 times as
 * many. */
static double nice_step(double span, int intervals) {
  double raw = span / intervals / 1.4;
  double power = pow(10, floor(log10(raw)));
  static const double steps[] = {1, 2, 5, 10};
  for (size_t i = 0; i < 4; i++)
    if (steps[i] * power >= raw * (1 - 1e-9)) return steps[i] * power;
  return 10 * power;
}

static void add_tic(rnl_axis *axis, double at, const char *label) {
  if (axis->count >= RNL_TICS_MAX) return;
  rnl_tic *tic = &axis->tics[axis->count++];
  tic->at = at;
  tic->own = NULL;
  snprintf(tic->label, sizeof tic->label, "%s", label);
}

/* "−10 000" with thin spaces, from five digits on. */
static void write_grouped(char out[RNL_TIC_TEXT], const char *sign, const char *digits) {
  size_t whole = strcspn(digits, "."), n = (size_t)snprintf(out, RNL_TIC_TEXT, "%s", sign);
  for (size_t i = 0; digits[i] && n + 4 < RNL_TIC_TEXT; i++) {
    if (whole >= 5 && i > 0 && i < whole && (whole - i) % 3 == 0)
      n += (size_t)snprintf(out + n, RNL_TIC_TEXT - n, "\u2009");
    out[n++] = digits[i];
  }
  out[n] = '\0';
}

/* "−2×10^{6}" from what printf writes as "-2e+06". */
static void write_number(char out[RNL_TIC_TEXT], double value) {
  char plain[32];
  snprintf(plain, sizeof plain, "%.10g", value);
  char *e = strchr(plain, 'e');
  int exponent = 0;
  if (e) {
    *e = '\0';
    sscanf(e + 1, "%d", &exponent);
  }
  bool negative = plain[0] == '-';
  const char *digits = plain + negative, *sign = negative ? "−" : "";
  bool one = e && strcmp(digits, "1") == 0;
  if (e)
    snprintf(out, RNL_TIC_TEXT, "%s%s%s10^{%s%d}", sign, one ? "" : digits, one ? "" : "×",
             exponent < 0 ? "−" : "", exponent < 0 ? -exponent : exponent);
  else
    write_grouped(out, sign, digits);
}

static void label_number(rnl_axis *axis, double value) {
  char label[RNL_TIC_TEXT];
  write_number(label, value);
  add_tic(axis, value, label);
}

/* Labelled tics at the multiples of step in the range. */
static void linear_tics(rnl_axis *axis) {
  double slack = 1e-6 * axis->step;
  double first = ceil((axis->low - slack) / axis->step);
  for (int i = 0; i < RNL_TICS_MAX; i++) {
    double value = (first + i) * axis->step;
    if (value > axis->high + slack) break;
    if (fabs(value) < axis->step / 2) value = 0;
    label_number(axis, value);
  }
}

static void choose_linear(rnl_axis *axis, rnl_extent data, double low, double high, int intervals,
                          bool snug) {
  bool own_low = !isfinite(low), own_high = !isfinite(high);
  if (own_low) low = data.low <= data.high ? data.low : 0;
  if (own_high) high = data.low <= data.high ? data.high : 1;
  if (high - low <= 1e-12 * fmax(fabs(low), fabs(high)) || !isfinite(high - low)) {
    double pad = data.whole ? 1 : fmax(fabs(low) * 0.1, 1e-12);
    if (!isfinite(high - low)) {
      low = low < -1e300 ? -1e300 : low, high = high > 1e300 ? 1e300 : high, pad = 0;
    }
    if (own_low || !own_high) low -= pad;
    if (own_high || !own_low) high += pad;
    if (low == 0 && high == 0) high = 1;
  }
  double span = high - low;
  axis->step = nice_step(span, intervals);
  if (data.whole && axis->step < 1) axis->step = 1;
  double down = floor(low / axis->step + 1e-9) * axis->step, up = ceil(high / axis->step - 1e-9) * axis->step;
  /* To the tic beyond the data where it is near, else a little air. */
  double near = snug ? 0.025 * span : 0.45 * axis->step, air = snug ? 0 : 0.04 * span;
  if (own_low) low = low - down <= near ? down : low - air;
  if (own_high) high = up - high <= near ? up : high + air;
  axis->low = low;
  axis->high = high;
  linear_tics(axis);
}

static double power10(int exponent) {
  char text[16];
  double value = 0;
  snprintf(text, sizeof text, "1e%d", exponent);
  sscanf(text, "%lf", &value); /* pow(10, n) may be an ULP off, which a label would show */
  return value;
}

/* The greatest of 1, 2, 5 times a power of ten that is at most `value`. */
static double round_down_125(double value) {
  int exponent = (int)floor(log10(value) + 1e-12);
  double power = power10(exponent);
  return value >= 5 * power * (1 - 1e-9) ? 5 * power : value >= 2 * power * (1 - 1e-9) ? 2 * power : power;
}

static double round_up_125(double value) {
  double down = round_down_125(value);
  if (down >= value * (1 - 1e-9)) return down;
  double power = power10((int)floor(log10(down) + 1e-12));
  double lead = down / power;
  return lead < 1.5 ? 2 * power : lead < 3 ? 5 * power : 10 * power;
}

/* Decades labelled 10^k; the others (or 2..9 times each) as minor tics. */
static void decade_tics(rnl_axis *axis, int first, int last, int intervals) {
  int stride = 1;
  while ((last - first) / stride > intervals) stride++;
  for (int k = first - 1; k <= last; k++) {
    double power = power10(k);
    for (int m = 1; m <= (stride == 1 ? 9 : 1); m++) {
      double at = m * power;
      if (at < axis->low * (1 - 1e-9) || at > axis->high * (1 + 1e-9)) continue;
      char label[RNL_TIC_TEXT] = "";
      if (m == 1 && k % stride == 0)
        snprintf(label, sizeof label, "10^{%s%d}", k < 0 ? "−" : "", k < 0 ? -k : k);
      add_tic(axis, at, label);
    }
  }
}

/* Two decades or less: 1, 2, 5 are labelled as plain numbers, the others are minor tics. */
static void plain_log_tics(rnl_axis *axis, int first, int last) {
  for (int k = first - 1; k <= last; k++) {
    for (int m = 1; m <= 9; m++) {
      double at = m * power10(k);
      if (at < axis->low * (1 - 1e-9) || at > axis->high * (1 + 1e-9)) continue;
      if (m == 1 || m == 2 || m == 5) label_number(axis, at);
      else add_tic(axis, at, "");
    }
  }
}

static size_t count_labels(const rnl_axis *axis) {
  size_t labels = 0;
  for (size_t i = 0; i < axis->count; i++) labels += axis->tics[i].label[0] != '\0';
  return labels;
}

static void choose_log(rnl_axis *axis, rnl_extent data, double low, double high, int intervals, bool snug) {
  bool own_low = !(low > 0 && isfinite(low)), own_high = !(high > 0 && isfinite(high));
  if (own_low) low = data.least_positive;
  if (own_high) high = data.high;
  low = fmin(fmax(low, 1e-300), 1e300); /* so that the decades beyond are numbers too */
  high = fmin(fmax(high, low), 1e300);
  if (high < low * 1.0001) low *= 0.9, high *= 1.1; /* a constant */
  if (!snug) { /* to the round number beyond the data where it is near, else a little air */
    double span = log(high / low), down = round_down_125(low), up = round_up_125(high);
    if (own_low) low = log(low / down) <= 0.3 * span ? down : low * exp(-0.04 * span);
    if (own_high) high = log(up / high) <= 0.3 * span ? up : high * exp(0.04 * span);
  }
  axis->low = low;
  axis->high = high;
  int first = (int)ceil(log10(low) - 1e-9), last = (int)floor(log10(high) + 1e-9);
  if (last - first >= 2) {
    decade_tics(axis, first, last, intervals);
    return;
  }
  plain_log_tics(axis, first, last + 1);
  size_t labels = count_labels(axis);
  if (last > first && labels > (size_t)intervals + 1) { /* too many to stand beside each other: powers of ten */
    for (size_t i = 0; i < axis->count; i++)
      if (fabs(log10(axis->tics[i].at) - round(log10(axis->tics[i].at))) > 1e-9) axis->tics[i].label[0] = '\0';
    return;
  }
  if (labels >= 3) return;
  axis->count = 0; /* a small range: tics as on a linear axis stand well enough */
  axis->step = nice_step(high - low, intervals);
  linear_tics(axis);
  axis->step = 0;
}

void rnl_axis_choose(rnl_axis *axis, rnl_extent data, double low, double high, bool log, int intervals,
                     bool snug) {
  if (isfinite(low) && isfinite(high) && low >= high) low = high = NAN; /* no range: as if not given */
  axis->count = 0;
  axis->step = 0;
  axis->log = log && isfinite(data.least_positive);
  if (intervals < 2) intervals = 2;
  if (axis->log) choose_log(axis, data, low, high, intervals, snug);
  else choose_linear(axis, data, low, high, intervals, snug);
}

size_t rnl_axis_label_length(const rnl_axis *axis) {
  size_t widest = 0;
  for (size_t i = 0; i < axis->count; i++) {
    const char *own = axis->tics[i].own, *label = own ? own : axis->tics[i].label;
    size_t n = rnl_plot_length(label);
    if (!own && strchr(label, '^')) n -= 3; /* ^{} */
    if (n > widest) widest = n;
  }
  return widest;
}
