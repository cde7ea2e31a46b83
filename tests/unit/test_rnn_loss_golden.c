/* Losses that overflow a naive exp, against PyTorch, the Gaussian's against NumPy, and every kind by its gradient in
 * float64 with masks and weights. */
#include "golden.h"

#include "base/rng.h"
#include "grad/gradcheck.h"
#include "rnn/init.h"
#include "rnn/row_loss.h"

static rnl_var *loss_of(rnl_row_loss_attrs attrs, rnl_var *y, rnl_var *target, rnl_var *mask, rnl_var *lengths,
                        rnl_var *weights) {
  rnl_var *loss = NULL;
  OK(rnl_apply(&rnl_op_row_loss, &attrs, RNL_ROW_LOSS_INPUTS, (rnl_var *[]){y, target, mask, lengths, weights},
               &loss, err));
  return loss;
}

static void against(const char *file, rnl_row_loss_attrs attrs, const char *input) {
  for (int d = RNL_F32; d <= RNL_F64; d++) {
    golden g = golden_open(file);
    rnl_var *y = golden_var(&g, "inputs", input, (rnl_dtype)d),
            *target = golden_var(&g, "inputs", "target", (rnl_dtype)d);
    target->requires_grad = false;
    rnl_var *loss = loss_of(attrs, y, target, NULL, NULL, NULL);
    OK(rnl_backward(loss, err));
    golden_compare(&g, "expected", "loss", rnl_value(loss), file);
    golden_compare(&g, "grads", input, rnl_grad(y), file);
    rnl_var_release(loss);
    rnl_var_release(y);
    rnl_var_release(target);
    golden_close(&g);
  }
}
static void extremes(void **state) {
  (void)state;
  against("loss_bce_extreme", (rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_BCE, .sum = true}, "logits");
  against("loss_softmax_ce_extreme", (rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_CROSS_ENTROPY, .sum = true}, "logits");
}
static void gaussian(void **state) {
  (void)state;
  against("loss_gaussian_nll", (rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_GAUSSIAN_NLL}, "y");
}

static rnl_var *random_var(uint32_t index, int ndim, const int64_t *size, double low, double high, bool wants) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 5, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = low, .b = high};
  OK(rnl_tensor_new(&t, RNL_F64, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return rnl_var_new(&t, wants);
}

enum { BATCH = 3, TIME = 4, FEATURES = 4 };

/* What is masked must not be looked at: it is NaN. */
static void spoil(rnl_var *target, rnl_var *mask) {
  for (int64_t b = 0; b < BATCH; b++)
    for (int64_t t = 0; t < TIME; t++)
      if (rnl_tensor_get(rnl_value(mask), (int64_t[]){b, t}) == 0) {
        if (rnl_value(target)->ndim == 2) rnl_tensor_set(rnl_value(target), (int64_t[]){b, t}, NAN);
        else
          for (int64_t j = 0; j < rnl_value(target)->size[2]; j++)
            rnl_tensor_set(rnl_value(target), (int64_t[]){b, t, j}, NAN);
      }
}

static void check(rnl_row_loss_kind kind, bool sum, bool classes, bool masked, bool weighted) {
  const int64_t outputs = kind == RNL_ROW_LOSS_GAUSSIAN_NLL ? FEATURES / 2 : FEATURES, n = FEATURES;
  rnl_var *y = random_var(1, 3, (int64_t[]){BATCH, TIME, FEATURES}, -2, 2, true);
  rnl_var *target = random_var(2, classes ? 2 : 3, (int64_t[]){BATCH, TIME, outputs}, 0, 1, false);
  for (int64_t i = 0; classes && i < BATCH * TIME; i++)
    rnl_tensor_put(rnl_value(target), i, floor(rnl_tensor_at(rnl_value(target), i) * FEATURES));
  rnl_var *mask = masked ? random_var(3, 2, (int64_t[]){BATCH, TIME}, .5, 1.5, false) : NULL;
  if (masked) {
    rnl_tensor_set(rnl_value(mask), (int64_t[]){0, 3}, 0);
    rnl_tensor_set(rnl_value(mask), (int64_t[]){2, 0}, 0);
    spoil(target, mask);
  }
  rnl_var *weights = weighted ? random_var(4, 1, &n, .5, 2, false) : NULL;
  rnl_var *loss = loss_of((rnl_row_loss_attrs){.kind = kind, .sum = sum, .delta = .7}, y, target, mask, NULL, weights);
  rnl_plan *plan = NULL;
  rnl_gradcheck_entry entry;
  rnl_gradcheck_report report;
  OK(rnl_plan_new(&plan, &loss, 1, loss, err));
  OK(rnl_gradcheck(plan, loss, 1, &y, &(rnl_gradcheck_options){0}, &entry, &report, err));
  if (!report.ok || entry.checked + entry.skipped != entry.numel || entry.skipped * 4 > entry.numel)
    fail_msg("kind %d sum %d masked %d: [%d] is %.12g, numeric %.12g", kind, sum, masked, (int)entry.worst,
             entry.analytic, entry.numeric);
  assert_true(report.jvp_error <= 1e-9);
  rnl_plan_free(plan);
  rnl_var *all[] = {y, target, mask, weights, loss};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
}

static void gradients(void **state) {
  (void)state;
  for (int option = 0; option < 4; option++)
    for (int kind = 0; kind < RNL_ROW_LOSS_COUNT; kind++) {
      const bool sum = option & 1, masked = option & 2;
      check((rnl_row_loss_kind)kind, sum, false, masked, false);
      if (kind == RNL_ROW_LOSS_BCE || kind == RNL_ROW_LOSS_CROSS_ENTROPY)
        check((rnl_row_loss_kind)kind, sum, false, masked, true);
      if (kind == RNL_ROW_LOSS_CROSS_ENTROPY) {
        check(RNL_ROW_LOSS_CROSS_ENTROPY, sum, true, masked, false);
        check(RNL_ROW_LOSS_CROSS_ENTROPY, sum, true, masked, true);
      }
    }
}

/* Lengths say the same as the mask they mean; padding counts for nothing. */
static void lengths_are_masks(void **state) {
  (void)state;
  const int64_t batch = BATCH, length[BATCH] = {4, 1, 3};
  rnl_var *y = random_var(6, 3, (int64_t[]){BATCH, TIME, 2}, -1, 1, true),
          *target = random_var(7, 3, (int64_t[]){BATCH, TIME, 2}, -1, 1, false);
  rnl_var *lengths = random_var(8, 1, &batch, 0, 1, false),
          *mask = random_var(9, 2, (int64_t[]){BATCH, TIME}, 0, 1, false);
  for (int64_t b = 0; b < BATCH; b++) {
    rnl_tensor_put(rnl_value(lengths), b, (double)length[b]);
    for (int64_t t = 0; t < TIME; t++) rnl_tensor_set(rnl_value(mask), (int64_t[]){b, t}, t < length[b]);
  }
  spoil(target, mask);
  rnl_var *a = loss_of((rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_MAE}, y, target, NULL, lengths, NULL);
  rnl_var *b = loss_of((rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_MAE}, y, target, mask, NULL, NULL);
  assert_true(rnl_tensor_at(rnl_value(a), 0) == rnl_tensor_at(rnl_value(b), 0));
  rnl_tensor_fill(rnl_value(mask), 0);
  rnl_error error;
  rnl_var *none = NULL;
  assert_int_equal(rnl_apply(&rnl_op_row_loss, &(rnl_row_loss_attrs){.kind = RNL_ROW_LOSS_MAE}, 3,
                             (rnl_var *[]){y, target, mask}, &none, &error), RNL_ERR_ARG);
  assert_non_null(strstr(error.text, "mask"));
  rnl_var *all[] = {y, target, lengths, mask, a, b};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
}

/* The kernels against the plain loops in double: every kind, dtype, layout and form of weights, at sizes about whole
 * registers, with numbers that overflow a naive exp. What has no weight is NaN. */
typedef struct comparison {
  rnl_row_loss_kind kind;
  rnl_dtype dtype;
  rnl_layout layout;
  int64_t batch, time, features;
  bool classes, masked, lengths, weighted;
} comparison;

static rnl_var *shaped_var(const comparison *c, uint32_t index, bool laid_out, int ndim, const int64_t *size,
                           double low, double high, bool wants) {
  rnl_var *plain = random_var(index, ndim, size, low, high, wants);
  rnl_tensor t = {0};
  if (laid_out && c->layout != RNL_LAYOUT_STRIDED)
    OK(rnl_tensor_new_sequence(&t, c->dtype, c->layout, size[0], size[1], size[2], err));
  else OK(rnl_tensor_new(&t, c->dtype, ndim, size, err));
  OK(rnl_tensor_copy(&t, rnl_value(plain), err));
  rnl_var_release(plain);
  return rnl_var_new(&t, wants);
}

static void compare(const comparison *c) {
  const int64_t outputs = c->kind == RNL_ROW_LOSS_GAUSSIAN_NLL ? c->features / 2 : c->features;
  rnl_var *loss[2], *y[2];
  for (int plain = 0; plain < 2; plain++) {
    y[plain] = shaped_var(c, 1, true, 3, (int64_t[]){c->batch, c->time, c->features}, -40, 40, true);
    rnl_var *target = shaped_var(c, 2, !c->classes, c->classes ? 2 : 3, (int64_t[]){c->batch, c->time, outputs}, 0, 1,
                                 false);
    if (c->classes)
      for (int64_t i = 0; i < c->batch * c->time; i++)
        rnl_tensor_put(rnl_value(target), i, floor(rnl_tensor_at(rnl_value(target), i) * (double)c->features));
    rnl_var *mask = c->masked ? shaped_var(c, 3, false, 2, (int64_t[]){c->batch, c->time}, .5, 1.5, false) : NULL;
    rnl_var *lengths = c->lengths ? shaped_var(c, 4, false, 1, &c->batch, 1, (double)c->time, false) : NULL;
    rnl_var *weights = c->weighted ? shaped_var(c, 5, false, 1, &c->features, .5, 2, false) : NULL;
    for (int64_t b = 0; b < c->batch; b++) {
      if (lengths) rnl_tensor_put(rnl_value(lengths), b, floor(rnl_tensor_at(rnl_value(lengths), b)));
      for (int64_t t = 0; t < c->time; t++) {
        bool dropped = lengths && (double)t >= rnl_tensor_at(rnl_value(lengths), b);
        if (mask && t > 0 && (b + t) % 3 == 0) rnl_tensor_set(rnl_value(mask), (int64_t[]){b, t}, 0), dropped = true;
        for (int64_t j = 0; dropped && j < c->features; j++) {
          rnl_tensor_set(rnl_value(y[plain]), (int64_t[]){b, t, j}, NAN);
          if (j < (c->classes ? 1 : outputs)) rnl_tensor_set(rnl_value(target), (int64_t[]){b, t, j}, NAN);
        }
      }
    }
    loss[plain] = loss_of((rnl_row_loss_attrs){.kind = c->kind, .delta = .7, .plain = plain}, y[plain], target, mask,
                          lengths, weights);
    OK(rnl_backward(loss[plain], err));
    rnl_var *all[] = {target, mask, lengths, weights};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) rnl_var_release(all[i]);
  }
  const double limit = c->dtype == RNL_F64 ? 1e-12 : 1e-5;
  assert_true(error_of(rnl_tensor_at(rnl_value(loss[0]), 0), rnl_tensor_at(rnl_value(loss[1]), 0)) <= limit);
  for (int64_t i = 0; i < rnl_tensor_numel(rnl_grad(y[0])); i++) {
    const double got = rnl_tensor_at(rnl_grad(y[0]), i), want = rnl_tensor_at(rnl_grad(y[1]), i);
    if (!(fabs(got - want) <= limit * (1e-2 + fabs(want))))
      fail_msg("kind %d layout %d features %d: slope %d is %.9g, plain %.9g", c->kind, c->layout, (int)c->features,
               (int)i, got, want);
  }
  for (int k = 0; k < 2; k++) rnl_var_release(loss[k]), rnl_var_release(y[k]);
}

static void kernels_and_plain_loops_agree(void **state) {
  (void)state;
  static const int64_t widths[] = {2, 4, 16, 18, 34}, batches[] = {1, 8, 9, 21};
  for (int kind = 0; kind < RNL_ROW_LOSS_COUNT; kind++)
    for (int form = 0; form < 3 * 2 * 4 * 2; form++)
      for (int size = 0; size < 20; size++) {
        comparison c = {(rnl_row_loss_kind)kind, (rnl_dtype)(form / 3 % 2), (rnl_layout)(form % 3),
                        batches[size % 4], 5, widths[size / 4], false, form / 6 & 1, form / 12 & 1, false};
        const bool takes_weights = kind == RNL_ROW_LOSS_BCE || kind == RNL_ROW_LOSS_CROSS_ENTROPY;
        c.weighted = takes_weights && form / 24;
        compare(&c);
        if (kind != RNL_ROW_LOSS_CROSS_ENTROPY) continue;
        c.classes = true;
        compare(&c);
      }
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(extremes), cmocka_unit_test(gaussian),
                                     cmocka_unit_test(gradients),
                                     cmocka_unit_test(lengths_are_masks),
                                     cmocka_unit_test(kernels_and_plain_loops_agree)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
