/* rnn/row_loss.c: the losses of row_loss.h. The forward pass also leaves d loss / d y, and a plan makes that the
 * gradient of y (rnl_node.grad_ready), so that the backward pass has little to do. Where everything lies as the
 * kernels want it they do it (kernel/row_loss.h); for the rest, and to test them, there are plain loops in double. */
#include "rnn/row_loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "grad/elementwise.h"
#include "kernel/row_loss.h"

enum { /* node->work */
  WORK_SLOPE = 0, /* d loss / d y, laid out as y */
  WORK_ROW,       /* a row of y, its slopes and its target, in double */
  WORK_WEIGHT,    /* of each row, in the order of y's; in lanes [time][lanes] */
  WORK_CLASS,     /* likewise the classes, from 0 */
  WORK_TOTAL      /* one double: the sum of the weights */
};

static const char *const names[] = {"sse", "mse", "mae", "huber", "bce", "cross_entropy", "gaussian_nll"};
_Static_assert(sizeof names / sizeof *names == RNL_ROW_LOSS_COUNT, "a name each");
_Static_assert((int)RNL_ROW_LOSS_BCE == (int)RNL_LOSS_KIND_BCE &&
                   (int)RNL_ROW_LOSS_GAUSSIAN_NLL == (int)RNL_LOSS_KIND_GAUSSIAN_NLL &&
                   RNL_ROW_LOSS_COUNT == RNL_LOSS_KIND_GAUSSIAN_NLL + 1,
               "the kinds are numbered alike");

rnl_status rnl_row_loss_from_name(const char *name, rnl_row_loss_attrs *out, rnl_error *err) {
  char list[128] = "";
  size_t used = 0;
  for (int i = 0; i < RNL_ROW_LOSS_COUNT; i++) {
    if (strcmp(names[i], name) == 0) {
      *out = (rnl_row_loss_attrs){.kind = (rnl_row_loss_kind)i, .delta = 1};
      return RNL_OK;
    }
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
  }
  return rnl_fail(err, RNL_ERR_ARG, "no loss \"%s\"; there are %s", name, list);
}

static const rnl_tensor *given(const rnl_node *node, int input) {
  return input < node->n_in ? rnl_in(node, input) : NULL;
}

/* ---- the shape rule ------------------------------------------------------------------------- */

/* Whether the target holds classes: y's shape without its features, or with one where y has several. */
static bool has_classes(const rnl_node *node) {
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET);
  if (((const rnl_row_loss_attrs *)node->attrs)->kind != RNL_ROW_LOSS_CROSS_ENTROPY) return false;
  return target->ndim == y->ndim - 1 || target->size[target->ndim - 1] != y->size[y->ndim - 1];
}

static rnl_status check_target(const rnl_node *node, const rnl_row_loss_attrs *a, rnl_error *err) {
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET);
  const int64_t features = y->size[y->ndim - 1];
  char got[RNL_SHAPE_TEXT], other[RNL_SHAPE_TEXT];
  bool fits = target->ndim == y->ndim;
  if (a->kind == RNL_ROW_LOSS_CROSS_ENTROPY && target->ndim == y->ndim - 1) fits = true;
  for (int i = 0; fits && i < y->ndim - 1; i++) fits = target->size[i] == y->size[i];
  if (fits && target->ndim == y->ndim) {
    const int64_t own = target->size[y->ndim - 1];
    if (a->kind == RNL_ROW_LOSS_GAUSSIAN_NLL) fits = 2 * own == features;
    else fits = own == features || (a->kind == RNL_ROW_LOSS_CROSS_ENTROPY && own == 1);
  }
  if (!fits)
    return rnl_fail(err, RNL_ERR_SHAPE, "loss %s: the prediction is %s but the target is %s%s", names[a->kind],
                    rnl_tensor_shape_text(got, y), rnl_tensor_shape_text(other, target),
                    a->kind == RNL_ROW_LOSS_CROSS_ENTROPY ? "; expected a class a row, or as many probabilities"
                    : a->kind == RNL_ROW_LOSS_GAUSSIAN_NLL
                        ? "; expected half as many features (means and log variances)"
                        : "");
  return RNL_OK;
}

/* Rows of y in memory one after the other: all of one step in lanes with the padding, else in the order of storage. */
static int64_t rows_of(const rnl_tensor *y) {
  if (y->layout == RNL_LAYOUT_LANES) return y->size[1] * rnl_tensor_lane_stride(y);
  return rnl_tensor_numel(y) / y->size[y->ndim - 1];
}

static bool is_rows(const rnl_tensor *t) { return t->layout == RNL_LAYOUT_TIME || rnl_tensor_is_contiguous(t); }

/* Whether the kernels can take y, the target and the weights as they lie. */
static bool quick(const rnl_node *node) {
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET),
                   *weights = given(node, RNL_ROW_LOSS_WEIGHTS);
  if (((const rnl_row_loss_attrs *)node->attrs)->plain) return false;
  if (weights && (weights->dtype != y->dtype || !rnl_tensor_is_contiguous(weights))) return false;
  if (y->layout != RNL_LAYOUT_LANES && !is_rows(y)) return false;
  if (has_classes(node)) return true;
  return target->dtype == y->dtype && target->layout == y->layout && (y->layout == RNL_LAYOUT_LANES || is_rows(target));
}

static rnl_status prepare(rnl_node *node, rnl_error *err) {
  const rnl_row_loss_attrs *a = node->attrs;
  const char *name = names[a->kind];
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET);
  char got[RNL_SHAPE_TEXT];
  if (y->ndim < 2 || y->ndim > 3 || rnl_tensor_numel(y) == 0)
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "loss %s: the prediction is %s; expected (batch, time, feature) or (batch, feature)", name,
                    rnl_tensor_shape_text(got, y));
  if (!target) return rnl_fail(err, RNL_ERR_ARG, "loss %s: the target is missing", name);
  RNL_TRY(check_target(node, a, err));
  if (a->kind == RNL_ROW_LOSS_HUBER && !(a->delta > 0))
    return rnl_fail(err, RNL_ERR_ARG, "loss huber: delta is %g; expected a number > 0", a->delta);
  const rnl_tensor *mask = given(node, RNL_ROW_LOSS_MASK), *lengths = given(node, RNL_ROW_LOSS_LENGTHS),
                   *weights = given(node, RNL_ROW_LOSS_WEIGHTS);
  const int64_t features = y->size[y->ndim - 1];
  if (mask && !(mask->size[0] == y->size[0] &&
                (mask->ndim == 1 || (mask->ndim == 2 && y->ndim == 3 && mask->size[1] == y->size[1]))))
    return rnl_fail(err, RNL_ERR_SHAPE, "loss %s: the mask is %s; expected (batch, time) or (batch)", name,
                    rnl_tensor_shape_text(got, mask));
  if (lengths && (y->ndim != 3 || lengths->ndim != 1 || lengths->size[0] != y->size[0]))
    return rnl_fail(err, RNL_ERR_SHAPE,
                    "loss %s: lengths is %s; expected (%lld), one a sequence of a prediction over time", name,
                    rnl_tensor_shape_text(got, lengths), (long long)y->size[0]);
  if (weights && a->kind != RNL_ROW_LOSS_CROSS_ENTROPY && a->kind != RNL_ROW_LOSS_BCE)
    return rnl_fail(err, RNL_ERR_ARG, "loss %s: only cross_entropy and bce take weights", name);
  if (weights && (weights->ndim != 1 || weights->size[0] != features))
    return rnl_fail(err, RNL_ERR_SHAPE, "loss %s: weights is %s; expected (%lld)", name,
                    rnl_tensor_shape_text(got, weights), (long long)features);
  for (int i = RNL_ROW_LOSS_TARGET; i < node->n_in; i++)
    if (node->needs_grad[i])
      return rnl_fail(err, RNL_ERR_ARG, "loss %s: a gradient passes to the prediction only", name);
  if (y->layout == RNL_LAYOUT_STRIDED)
    RNL_TRY(rnl_tensor_new(&node->work[WORK_SLOPE], y->dtype, y->ndim, y->size, err));
  else
    RNL_TRY(rnl_tensor_new_sequence(&node->work[WORK_SLOPE], y->dtype, y->layout, y->size[0], y->size[1],
                                    y->size[2], err));
  _Static_assert(RNL_ROW_LOSS_Y == 0 && WORK_SLOPE == 0, "as grad_ready wants it");
  node->grad_ready = true;
  RNL_TRY(rnl_tensor_new(&node->work[WORK_ROW], RNL_F64, 2, (int64_t[]){3, features}, err));
  RNL_TRY(rnl_tensor_new(&node->work[WORK_TOTAL], RNL_F64, 0, NULL, err));
  if (quick(node)) {
    const int64_t rows = rows_of(y);
    RNL_TRY(rnl_tensor_new(&node->work[WORK_WEIGHT], y->dtype, 1, &rows, err));
    if (has_classes(node)) RNL_TRY(rnl_tensor_new(&node->work[WORK_CLASS], y->dtype, 1, &rows, err));
  }
  return rnl_tensor_new(rnl_out(node, 0), y->dtype, 0, NULL, err);
}

/* ---- one row -------------------------------------------------------------------------------- */

/* Element j of row (b, t) of a tensor with or without time. */
static double element(const rnl_tensor *x, int64_t b, int64_t t, int64_t j, bool timed) {
  return timed ? rnl_tensor_get(x, (int64_t[]){b, t, j}) : rnl_tensor_get(x, (int64_t[]){b, j});
}

/* The loss of a row of n features y against d (the target's), with its slopes. */
static double row_of_errors(const rnl_row_loss_attrs *a, int64_t n, const double *y, const double *d,
                            const rnl_tensor *weights, double *slope) {
  double loss = 0;
  for (int64_t j = 0; j < n; j++) {
    const double e = y[j] - d[j];
    switch (a->kind) {
      case RNL_ROW_LOSS_MAE:
        loss += fabs(e);
        slope[j] = (e > 0) - (e < 0);
        break;
      case RNL_ROW_LOSS_HUBER:
        loss += fabs(e) <= a->delta ? e * e / 2 : a->delta * (fabs(e) - a->delta / 2);
        slope[j] = fabs(e) <= a->delta ? e : e > 0 ? a->delta : -a->delta;
        break;
      case RNL_ROW_LOSS_BCE: {
        /* with p the weight of target = 1:  (1 - d) z + (1 + (p - 1) d) log(1 + e^-z) */
        const double p = weights ? rnl_tensor_at(weights, j) : 1, scale = 1 + (p - 1) * d[j];
        const double log_term = log1p(exp(-fabs(y[j]))) + (y[j] < 0 ? -y[j] : 0);
        loss += (1 - d[j]) * y[j] + scale * log_term;
        slope[j] = 1 - d[j] - scale / (1 + exp(y[j]));
        break;
      }
      default:
        loss += e * e;
        slope[j] = 2 * e;
        break;
    }
  }
  return loss;
}

/* -sum_j p_j log softmax(y)_j, where p sums to `total`: slope total softmax(y) - p */
static double row_of_classes(int64_t n, const double *y, const double *p, double *slope) {
  double largest = y[0], sum = 0, total = 0, loss = 0;
  for (int64_t j = 1; j < n; j++) largest = y[j] > largest ? y[j] : largest;
  for (int64_t j = 0; j < n; j++) sum += slope[j] = exp(y[j] - largest);
  for (int64_t j = 0; j < n; j++) total += p[j];
  const double log_sum = log(sum);
  for (int64_t j = 0; j < n; j++) {
    if (p[j] != 0) loss -= p[j] * (y[j] - largest - log_sum);
    slope[j] = total * slope[j] / sum - p[j];
  }
  return loss;
}

static double row_of_gaussians(int64_t n, const double *y, const double *d, double *slope) {
  static const double log_two_pi = 1.837877066409345483560659472811;
  double loss = 0;
  for (int64_t j = 0; j < n; j++) {
    const double e = y[j] - d[j], log_variance = y[n + j], precision = exp(-log_variance);
    loss += (log_variance + e * e * precision + log_two_pi) / 2;
    slope[j] = e * precision;
    slope[n + j] = (1 - e * e * precision) / 2;
  }
  return loss;
}

/* The class of row (b, t). */
static rnl_status class_of(const rnl_node *node, int64_t b, int64_t t, bool timed, int64_t *out, rnl_error *err) {
  const rnl_row_loss_attrs *a = node->attrs;
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET);
  const int64_t classes = y->size[y->ndim - 1], index[3] = {b, timed ? t : 0, 0};
  const double value = rnl_tensor_get(target, index);
  if (!(value >= a->base && value < (double)(classes + a->base)) || value != floor(value))
    return rnl_fail(
        err, RNL_ERR_ARG,
        "loss cross_entropy: class %g at sequence %lld, step %lld; expected a whole number from %d to %lld", value,
        (long long)b + 1, (long long)t + 1, a->base, (long long)classes - 1 + a->base);
  *out = (int64_t)value - a->base;
  return RNL_OK;
}

/* ---- passes --------------------------------------------------------------------------------- */

static double mask_at(const rnl_node *node, int64_t b, int64_t t) {
  const rnl_tensor *mask = given(node, RNL_ROW_LOSS_MASK), *lengths = given(node, RNL_ROW_LOSS_LENGTHS);
  if (lengths && (double)t >= rnl_tensor_at(lengths, b)) return 0;
  return !mask ? 1 : mask->ndim == 1 ? rnl_tensor_at(mask, b) : rnl_tensor_get(mask, (int64_t[]){b, t});
}

static rnl_status one_row(const rnl_node *node, int64_t b, int64_t t, bool timed, double *loss, double *weight,
                          rnl_error *err) {
  const rnl_row_loss_attrs *a = node->attrs;
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET),
                   *weights = given(node, RNL_ROW_LOSS_WEIGHTS);
  const int64_t n = y->size[y->ndim - 1], outputs = a->kind == RNL_ROW_LOSS_GAUSSIAN_NLL ? n / 2 : n;
  double *row = rnl_f64(&node->work[WORK_ROW]), *slope = row + n, *d = row + 2 * n;
  for (int64_t j = 0; j < n; j++) row[j] = element(y, b, t, j, timed);
  if (a->kind == RNL_ROW_LOSS_CROSS_ENTROPY) {
    if (has_classes(node)) {
      int64_t class = 0;
      RNL_TRY(class_of(node, b, t, timed, &class, err));
      memset(d, 0, (size_t)n * sizeof *d);
      d[class] = 1;
      if (weights) *weight *= rnl_tensor_at(weights, class);
    } else {
      for (int64_t j = 0; j < n; j++)
        d[j] = element(target, b, t, j, timed) * (weights ? rnl_tensor_at(weights, j) : 1);
    }
    *loss = row_of_classes(n, row, d, slope);
    return RNL_OK;
  }
  for (int64_t j = 0; j < outputs; j++) d[j] = element(target, b, t, j, timed);
  *loss = a->kind == RNL_ROW_LOSS_GAUSSIAN_NLL
              ? row_of_gaussians(outputs, row, d, slope)
              : row_of_errors(a, n, row, d, weights, slope);
  if (a->kind != RNL_ROW_LOSS_SSE && !a->sum) {
    *loss /= (double)outputs;
    for (int64_t j = 0; j < n; j++) slope[j] /= (double)outputs;
  }
  return RNL_OK;
}

static rnl_status no_row_left(const rnl_node *node, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_ARG, "loss %s: the mask leaves no step of any sequence",
                  names[((const rnl_row_loss_attrs *)node->attrs)->kind]);
}

static rnl_status plain_forward(rnl_node *node, double *loss_sum, double *weight_sum, rnl_error *err) {
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *slopes = &node->work[WORK_SLOPE];
  const bool timed = y->ndim == 3;
  const int64_t time = timed ? y->size[1] : 1, n = y->size[y->ndim - 1];
  const double *slope = rnl_f64(&node->work[WORK_ROW]) + n;
  rnl_tensor_fill(slopes, 0);
  for (int64_t b = 0; b < y->size[0]; b++)
    for (int64_t t = 0; t < time; t++) {
      double weight = mask_at(node, b, t), loss = 0;
      if (weight == 0) continue;
      RNL_TRY(one_row(node, b, t, timed, &loss, &weight, err));
      *loss_sum += weight * loss;
      *weight_sum += weight;
      for (int64_t j = 0; j < n; j++)
        rnl_tensor_set(slopes, timed ? (int64_t[]){b, t, j} : (int64_t[]){b, j}, weight * slope[j]);
    }
  if (*weight_sum != 0) rnl_scale_into(slopes, 1 / *weight_sum, slopes, false);
  return RNL_OK;
}

static double read(const rnl_tensor *t, int64_t at) {
  return t->dtype == RNL_F64 ? rnl_f64(t)[at] : (double)rnl_f32(t)[at];
}
static void write(const rnl_tensor *t, int64_t at, double value) {
  if (t->dtype == RNL_F64) rnl_f64(t)[at] = value;
  else rnl_f32(t)[at] = (float)value;
}

/* to[at_to + i step_to] = from[at + i step], i < n; from NULL: 1. Both of one dtype go without conversions. */
static void put_weights(const rnl_tensor *to, int64_t at_to, int64_t step_to, const rnl_tensor *from, int64_t at,
                        int64_t step, int64_t n) {
  if (!from && to->dtype == RNL_F32) {
    float *weights = rnl_f32(to) + at_to;
    for (int64_t i = 0; i < n; i++) weights[i * step_to] = 1;
  } else if (from && from->dtype == RNL_F32 && to->dtype == RNL_F32) {
    const float *values = rnl_f32(from) + at;
    float *weights = rnl_f32(to) + at_to;
    for (int64_t i = 0; i < n; i++) weights[i * step_to] = values[i * step];
  } else {
    for (int64_t i = 0; i < n; i++) write(to, at_to + i * step_to, from ? read(from, at + i * step) : 1);
  }
}

/* WORK_WEIGHT and WORK_CLASS; the sum of the weights. */
static rnl_status weigh_rows(rnl_node *node, double *sum, rnl_error *err) {
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *mask = given(node, RNL_ROW_LOSS_MASK),
                   *lengths = given(node, RNL_ROW_LOSS_LENGTHS), *weights = given(node, RNL_ROW_LOSS_WEIGHTS),
                   *weight = &node->work[WORK_WEIGHT], *class = &node->work[WORK_CLASS];
  const bool timed = y->ndim == 3, by_step = y->layout != RNL_LAYOUT_STRIDED;
  const int64_t batch = y->size[0], time = timed ? y->size[1] : 1;
  const int64_t each = y->layout == RNL_LAYOUT_LANES ? rnl_tensor_lane_stride(y) : batch; /* rows a step */
  const int64_t step_b = by_step ? 1 : time, step_t = by_step ? each : 1;
  const int64_t mask_b = mask ? mask->stride[0] : 0, mask_t = mask && mask->ndim == 2 ? mask->stride[1] : 0;
  if (lengths) memset(rnl_tensor_data(weight), 0, weight->storage->bytes);
  for (int64_t b = 0; b < batch; b++) {
    const int64_t last = lengths ? (int64_t)fmin(ceil(read(lengths, b * lengths->stride[0])), (double)time) : time;
    put_weights(weight, b * step_b, step_t, mask, b * mask_b, mask_t, last);
    for (int64_t t = 0; class->storage && t < last; t++) {
      const int64_t at = b * step_b + t * step_t;
      int64_t c = 0;
      if (read(weight, at) == 0) continue; /* nor is its class looked at */
      RNL_TRY(class_of(node, b, t, timed, &c, err));
      write(class, at, (double)c);
      if (weights) write(weight, at, read(weight, at) * read(weights, c));
    }
  }
  *sum = rnl_kernels_of(y->dtype == RNL_F64)->sum(rows_of(y), rnl_tensor_data(weight));
  return RNL_OK;
}

/* What weigh_rows looks at is as it was. */
static bool rows_unchanged(const rnl_node *node) {
  return rnl_in_unchanged(node, RNL_ROW_LOSS_MASK) && rnl_in_unchanged(node, RNL_ROW_LOSS_LENGTHS) &&
         (!node->work[WORK_CLASS].storage ||
          (rnl_in_unchanged(node, RNL_ROW_LOSS_TARGET) && rnl_in_unchanged(node, RNL_ROW_LOSS_WEIGHTS)));
}

static rnl_status quick_forward(rnl_node *node, double *loss_sum, double *weight_sum, rnl_error *err) {
  const rnl_row_loss_attrs *a = node->attrs;
  const rnl_tensor *y = rnl_in(node, RNL_ROW_LOSS_Y), *target = rnl_in(node, RNL_ROW_LOSS_TARGET),
                   *weights = given(node, RNL_ROW_LOSS_WEIGHTS), *class = &node->work[WORK_CLASS];
  const bool given_rows = given(node, RNL_ROW_LOSS_MASK) || given(node, RNL_ROW_LOSS_LENGTHS) || class->storage;
  double *total = rnl_f64(&node->work[WORK_TOTAL]);
  /* Else all rows count as they did before: one each, or by data that are the same. */
  const bool as_before = *total != 0 && (!given_rows || rows_unchanged(node));
  if (!as_before) {
    *total = 0;
    RNL_TRY(weigh_rows(node, total, err));
  }
  *weight_sum = *total;
  if (*total == 0) return RNL_OK;
  const int64_t features = y->size[y->ndim - 1], n = a->kind == RNL_ROW_LOSS_GAUSSIAN_NLL ? features / 2 : features;
  const bool lanes = y->layout == RNL_LAYOUT_LANES;
  const bool summed = a->sum || a->kind == RNL_ROW_LOSS_SSE || a->kind == RNL_ROW_LOSS_CROSS_ENTROPY;
  const rnl_loss_rows rows = {
      .kind = (rnl_loss_kind)a->kind, .in_lanes = lanes, .delta = a->delta, .scale = summed ? 1 : 1 / (double)n,
      .slope_scale = 1 / *total,
      .rows = lanes ? y->size[1] : rows_of(y), .batch = y->size[0], .lanes = lanes ? rnl_tensor_lane_stride(y) : 0,
      .features = n, .y = rnl_tensor_data(y), .target = class->storage ? NULL : rnl_tensor_data(target),
      .weight = rnl_tensor_data(&node->work[WORK_WEIGHT]), .classes = class->storage ? rnl_tensor_data(class) : NULL,
      .feature_weight = weights && !class->storage ? rnl_tensor_data(weights) : NULL,
      .slope = rnl_tensor_data(&node->work[WORK_SLOPE])};
  const bool f64 = y->dtype == RNL_F64;
  *loss_sum = lanes ? rnl_lane_kernels_of(f64, y->size[0])->row_loss(&rows) : rnl_kernels_of(f64)->row_loss(&rows);
  return RNL_OK;
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  double loss = 0, weight = 0;
  if (node->work[WORK_WEIGHT].storage) RNL_TRY(quick_forward(node, &loss, &weight, err));
  else RNL_TRY(plain_forward(node, &loss, &weight, err));
  if (weight == 0) return no_row_left(node, err);
  *rnl_f64(&node->work[WORK_TOTAL]) = weight;
  rnl_tensor_put(rnl_out(node, 0), 0, loss / weight);
  return RNL_OK;
}

static rnl_status backward(rnl_node *node, rnl_error *err) {
  (void)err;
  const rnl_tensor *dy = rnl_in_grad(node, RNL_ROW_LOSS_Y), *slope = &node->work[WORK_SLOPE];
  if (!dy) return RNL_OK;
  const double scale = rnl_tensor_at(rnl_out_grad(node, 0), 0);
  if (rnl_tensor_data(dy) == rnl_tensor_data(slope) && scale == 1) return RNL_OK;
  const bool add = node->accumulate[RNL_ROW_LOSS_Y], f64 = dy->dtype == RNL_F64;
  if (dy->layout != slope->layout || (dy->layout == RNL_LAYOUT_STRIDED && !rnl_tensor_is_contiguous(dy))) {
    rnl_scale_into(dy, scale, slope, add);
    return RNL_OK;
  }
  const int64_t n = rows_of(dy) * dy->size[dy->ndim - 1]; /* straight through memory; padding has slope 0 */
  const float single = (float)scale;
  if (add) rnl_kernels_of(f64)->axpy(n, scale, rnl_tensor_data(slope), rnl_tensor_data(dy));
  else
    rnl_kernels_of(f64)->binary(RNL_BINARY_MUL, n, rnl_tensor_data(slope), 1,
                                f64 ? (const void *)&scale : (const void *)&single, 0, rnl_tensor_data(dy));
  return RNL_OK;
}

static rnl_status jvp(rnl_node *node, const rnl_tensor *const *in, const rnl_tensor *out, rnl_error *err) {
  (void)err;
  double sum = 0;
  for (int64_t i = 0; in[RNL_ROW_LOSS_Y] && i < rnl_tensor_numel(in[RNL_ROW_LOSS_Y]); i++)
    sum += rnl_tensor_at(&node->work[WORK_SLOPE], i) * rnl_tensor_at(in[RNL_ROW_LOSS_Y], i);
  rnl_tensor_put(&out[0], 0, sum);
  return RNL_OK;
}

/* The weights and classes of the rows, and the sum of the weights. */
static int kept(const rnl_node *node, rnl_kept *out) {
  const bool by_data = given(node, RNL_ROW_LOSS_MASK) || given(node, RNL_ROW_LOSS_LENGTHS) ||
                       node->work[WORK_CLASS].storage;
  int n = 0;
  if (!node->work[WORK_WEIGHT].storage || !by_data) return 0; /* else the same in any batch */
  for (int i = WORK_WEIGHT; i <= WORK_TOTAL; i++)
    if (node->work[i].storage) out[n++] = (rnl_kept){&node->work[i].storage->data, node->work[i].storage->bytes};
  return n;
}

/* A target laid out as the prediction needs no repacking; one of another shape stays as it is. */
static rnl_layout wants(const rnl_node *node, int input) {
  const rnl_tensor *target = rnl_in(node, RNL_ROW_LOSS_TARGET);
  return input == RNL_ROW_LOSS_TARGET && target->ndim == 3 ? rnl_in(node, RNL_ROW_LOSS_Y)->layout : RNL_LAYOUT_STRIDED;
}

const rnl_op rnl_op_row_loss = {.name = "loss", .min_in = 2, .max_in = RNL_ROW_LOSS_INPUTS, .n_out = 1,
                                .attrs_size = sizeof(rnl_row_loss_attrs), .prepare = prepare, .forward = forward,
                                .backward = backward, .jvp = jvp, .wants = wants, .kept = kept};
