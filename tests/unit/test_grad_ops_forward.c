/* Values of the ops against plain loops in double, their layouts, bits that do not depend on strides, and
 * the messages for inputs that do not fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "grad/elementwise.h"
#include "grad/ops.h"

static rnl_error err;
static rnl_var *pool[256];
static int pooled;

static rnl_var *keep(rnl_var *var) {
  assert_non_null(var);
  assert_true(pooled < 256);
  return pool[pooled++] = var;
}

static int release_all(void **state) {
  (void)state;
  while (pooled > 0) rnl_var_release(pool[--pooled]);
  return rnl_alloc_live() == 0 ? 0 : -1;
}

static rnl_var *apply(const rnl_op *op, const void *attrs, int n, rnl_var *const *in) {
  rnl_var *out = NULL;
  if (rnl_apply(op, attrs, n, in, &out, &err) != RNL_OK) fail_msg("%s: %s", op->name, err.text);
  return keep(out);
}

static rnl_status refused(const rnl_op *op, const void *attrs, int n, rnl_var *const *in) {
  rnl_var *out = NULL;
  rnl_status status = rnl_apply(op, attrs, n, in, &out, &err);
  assert_null(out);
  return status;
}

static rnl_rng rng;

static rnl_var *leaf(rnl_dtype dtype, rnl_layout layout, double low, double high, int ndim, const int64_t *size) {
  rnl_tensor t;
  rnl_status status = layout == RNL_LAYOUT_STRIDED
                          ? rnl_tensor_new(&t, dtype, ndim, size, &err)
                          : rnl_tensor_new_sequence(&t, dtype, layout, size[0], size[1], size[2], &err);
  assert_int_equal(status, RNL_OK);
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++)
    rnl_tensor_put(&t, i, low + (high - low) * rnl_rng_uniform(&rng));
  return keep(rnl_var_new(&t, false));
}

#define SIZES(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}
#define LEAF(dtype, ...) leaf(dtype, RNL_LAYOUT_STRIDED, -1, 1, SIZES(__VA_ARGS__))

static void same_bits(rnl_var *a, rnl_var *b) {
  assert_true(rnl_tensor_same_shape(rnl_value(a), rnl_value(b)));
  for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(a)); i++)
    assert_true(rnl_tensor_at(rnl_value(a), i) == rnl_tensor_at(rnl_value(b), i));
}

/* ---- values ----------------------------------------------------------------------------------- */

static double unary_in_double(rnl_unary kind, double x) {
  switch (kind) {
    case RNL_UNARY_COPY: return x;
    case RNL_UNARY_NEG: return -x;
    case RNL_UNARY_ABS: return fabs(x);
    case RNL_UNARY_SQUARE: return x * x;
    case RNL_UNARY_SQRT: return sqrt(x);
    case RNL_UNARY_EXP: return exp(x);
    case RNL_UNARY_LOG: return log(x);
    case RNL_UNARY_TANH: return tanh(x);
    case RNL_UNARY_SIGMOID: return 1 / (1 + exp(-x));
    case RNL_UNARY_RELU: return x > 0 ? x : 0;
    case RNL_UNARY_SIN: return sin(x);
    case RNL_UNARY_COS: return cos(x);
    case RNL_UNARY_SIGN: return x > 0 ? 1 : x < 0 ? -1 : 0;
    default: fail_msg("no function %d", (int)kind); return 0;
  }
}

static double binary_in_double(rnl_binary kind, double a, double b) {
  switch (kind) {
    case RNL_BINARY_ADD: return a + b;
    case RNL_BINARY_SUB: return a - b;
    case RNL_BINARY_MUL: return a * b;
    case RNL_BINARY_DIV: return a / b;
    case RNL_BINARY_MIN: return a < b ? a : b;
    case RNL_BINARY_MAX: return a > b ? a : b;
    case RNL_BINARY_POW: return pow(a, b);
    default: fail_msg("no operation %d", (int)kind); return 0;
  }
}

static void near(double got, double expected, rnl_dtype dtype) {
  double tolerance = dtype == RNL_F64 ? 1e-13 : 2e-6;
  if (!(fabs(got - expected) <= tolerance * (fabs(expected) > 1 ? fabs(expected) : 1)))
    fail_msg("%.17g, expected %.17g", got, expected);
}

static void elementwise_values(void **state) {
  (void)state;
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++) {
    for (int kind = 0; kind < RNL_UNARY_COUNT; kind++) {
      bool positive = kind == RNL_UNARY_SQRT || kind == RNL_UNARY_LOG;
      rnl_var *x = leaf(dtype, RNL_LAYOUT_STRIDED, positive ? .01 : -4, 4, SIZES(7, 43));
      rnl_var *y = apply(&rnl_op_unary, &kind, 1, &x);
      for (int64_t i = 0; i < 7 * 43; i++)
        near(rnl_tensor_at(rnl_value(y), i), unary_in_double(kind, rnl_tensor_at(rnl_value(x), i)), dtype);
    }
    for (int kind = 0; kind < RNL_BINARY_COUNT; kind++) {
      rnl_var *in[2] = {leaf(dtype, RNL_LAYOUT_STRIDED, .5, 2, SIZES(3, 5, 4)),
                        leaf(dtype, RNL_LAYOUT_STRIDED, .5, 2, SIZES(5, 1))};
      rnl_var *y = apply(&rnl_op_binary, &kind, 2, in);
      for (int64_t i = 0; i < 60; i++)
        near(rnl_tensor_at(rnl_value(y), i),
             binary_in_double(kind, rnl_tensor_at(rnl_value(in[0]), i), rnl_tensor_at(rnl_value(in[1]), i / 4 % 5)),
             dtype);
    }
  }
}

static void reduced_values(void **state) {
  (void)state;
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++) {
    rnl_var *x = LEAF(dtype, 3, 5, 700); /* 10500 elements: more than two blocks */
    for (int mean = 0; mean < 2; mean++) {
      double total = 0, row[3 * 700] = {0};
      for (int64_t i = 0; i < 10500; i++) {
        total += rnl_tensor_at(rnl_value(x), i);
        row[i / 3500 * 700 + i % 700] += rnl_tensor_at(rnl_value(x), i);
      }
      rnl_reduce_attrs all = {.dim = -1, .mean = mean}, middle = {.dim = 1, .mean = mean, .keepdim = true};
      rnl_var *y = apply(&rnl_op_reduce, &all, 1, &x), *z = apply(&rnl_op_reduce, &middle, 1, &x);
      assert_int_equal(rnl_value(y)->ndim, 0);
      near(rnl_tensor_at(rnl_value(y), 0), mean ? total / 10500 : total, dtype);
      assert_true(rnl_value(z)->ndim == 3 && rnl_value(z)->size[1] == 1);
      for (int64_t i = 0; i < 2100; i++) near(rnl_tensor_at(rnl_value(z), i), mean ? row[i] / 5 : row[i], dtype);
    }
  }
}

static void product_values(void **state) {
  (void)state;
  const int64_t shapes[][3] = {{3, 4, 2}, {1, 1, 1}, {17, 33, 9}, {40, 50, 60}, {2, 0, 3}, {0, 3, 2}};
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      int64_t m = shapes[s][0], k = shapes[s][1], n = shapes[s][2];
      rnl_var *in[2] = {LEAF(dtype, m, k), LEAF(dtype, k, n)};
      rnl_var *c = apply(&rnl_op_mm, NULL, 2, in);
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          double sum = 0;
          for (int64_t l = 0; l < k; l++)
            sum += rnl_tensor_at(rnl_value(in[0]), i * k + l) * rnl_tensor_at(rnl_value(in[1]), l * n + j);
          near(rnl_tensor_at(rnl_value(c), i * n + j), sum, dtype);
        }
    }
}

/* ---- bits that do not depend on strides --------------------------------------------------------- */

/* The same values seen through other strides: k = 0 as they are, 1 turned twice in memory, 2 every third
 * element of a wider tensor, 3 in lanes. */
static rnl_var *disguised(rnl_var *x, int k) {
  const rnl_tensor *t = rnl_value(x);
  rnl_tensor made, view;
  if (k == 0) return x;
  if (k == 1) {
    assert_int_equal(rnl_tensor_new(&made, t->dtype, 3, (int64_t[]){t->size[2], t->size[1], t->size[0]}, &err), 0);
    assert_int_equal(rnl_tensor_transpose(&view, &made, 0, 2, &err), RNL_OK);
  } else if (k == 2) {
    assert_int_equal(rnl_tensor_new(&made, t->dtype, 3, (int64_t[]){t->size[0], t->size[1], 3 * t->size[2]}, &err), 0);
    assert_int_equal(rnl_tensor_stepped(&view, &made, 2, 1, t->size[2], 3, &err), RNL_OK);
  } else {
    assert_int_equal(rnl_tensor_new_sequence(&made, t->dtype, RNL_LAYOUT_LANES, t->size[0], t->size[1], t->size[2],
                                             &err), 0);
    view = rnl_tensor_ref(&made);
  }
  rnl_tensor_release(&made);
  assert_int_equal(rnl_tensor_copy(&view, t, &err), RNL_OK);
  return keep(rnl_var_new(&view, false));
}

static void same_bits_for_all_strides(void **state) {
  (void)state;
  for (int dtype = RNL_F32; dtype <= RNL_F64; dtype++) {
    rnl_var *x = leaf(dtype, RNL_LAYOUT_STRIDED, .1, 3, SIZES(5, 61, 37));
    rnl_var *other = leaf(dtype, RNL_LAYOUT_STRIDED, .1, 3, SIZES(5, 61, 37)), *w = LEAF(dtype, 37, 40);
    for (int k = 1; k < 4; k++) {
      rnl_var *y = disguised(x, k);
      for (int kind = 0; kind < RNL_UNARY_COUNT; kind++)
        same_bits(apply(&rnl_op_unary, &kind, 1, &x), apply(&rnl_op_unary, &kind, 1, &y));
      for (int kind = 0; kind < RNL_BINARY_COUNT; kind++)
        same_bits(apply(&rnl_op_binary, &kind, 2, (rnl_var *[]){x, other}),
                  apply(&rnl_op_binary, &kind, 2, (rnl_var *[]){y, other}));
      for (int dim = -1; dim < 3; dim++) {
        rnl_reduce_attrs attrs = {.dim = dim};
        same_bits(apply(&rnl_op_reduce, &attrs, 1, &x), apply(&rnl_op_reduce, &attrs, 1, &y));
      }
      same_bits(apply(&rnl_op_mm, NULL, 2, (rnl_var *[]){x, w}), apply(&rnl_op_mm, NULL, 2, (rnl_var *[]){y, w}));
    }
    release_all(NULL);
  }
}

/* ---- layouts ------------------------------------------------------------------------------------ */

static void layouts_kept(void **state) {
  (void)state;
  rnl_unary expo = RNL_UNARY_EXP;
  rnl_binary times = RNL_BINARY_MUL, over = RNL_BINARY_DIV;
  for (int layout = RNL_LAYOUT_LANES; layout <= RNL_LAYOUT_TIME; layout++) {
    rnl_var *x = leaf(RNL_F32, layout, .5, 2, SIZES(5, 7, 3)), *u = leaf(RNL_F32, layout, .5, 2, SIZES(5, 7, 3));
    rnl_var *scalar = leaf(RNL_F64, RNL_LAYOUT_STRIDED, 2, 2, 0, NULL), *row = LEAF(RNL_F32, 3);
    assert_int_equal(rnl_value(apply(&rnl_op_unary, &expo, 1, &x))->layout, layout);
    assert_int_equal(rnl_value(apply(&rnl_op_binary, &times, 2, (rnl_var *[]){x, u}))->layout, layout);
    assert_int_equal(rnl_value(apply(&rnl_op_binary, &times, 2, (rnl_var *[]){scalar, x}))->layout, layout);
    assert_int_equal(rnl_value(apply(&rnl_op_binary, &times, 2, (rnl_var *[]){x, row}))->layout, RNL_LAYOUT_STRIDED);
    /* 1/x would be infinite in the padding if it were computed there */
    rnl_var *y = apply(&rnl_op_binary, &over, 2, (rnl_var *[]){scalar, x});
    const float *data = rnl_value(y)->storage->data;
    for (size_t i = 0; i < rnl_value(y)->storage->bytes / sizeof(float); i++) assert_true(isfinite(data[i]));
  }
}

/* ---- mistakes ----------------------------------------------------------------------------------- */

static void messages(void **state) {
  (void)state;
  rnl_var *a = LEAF(RNL_F32, 8, 3), *b = LEAF(RNL_F32, 4, 5), *c = LEAF(RNL_F64, 3, 2), *v = LEAF(RNL_F32, 3);
  rnl_binary add = RNL_BINARY_ADD;
  assert_int_equal(refused(&rnl_op_mm, NULL, 2, (rnl_var *[]){a, b}), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "mm: (8, 3) and (4, 5): 3 columns against 4 rows");
  assert_int_equal(refused(&rnl_op_mm, NULL, 2, (rnl_var *[]){a, v}), RNL_ERR_SHAPE);
  assert_int_equal(refused(&rnl_op_mm, NULL, 2, (rnl_var *[]){a, c}), RNL_ERR_DTYPE);
  assert_int_equal(refused(&rnl_op_binary, &add, 2, (rnl_var *[]){a, b}), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "add: (8, 3) and (4, 5) do not broadcast");
  assert_int_equal(refused(&rnl_op_binary, &add, 2, (rnl_var *[]){v, c}), RNL_ERR_DTYPE);
  assert_int_equal(refused(&rnl_op_cat, &(int){0}, 2, (rnl_var *[]){a, b}), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "cat: (8, 3) and (4, 5) do not join along dimension 1");
  assert_int_equal(refused(&rnl_op_cat, &(int){2}, 1, (rnl_var *[]){a}), RNL_ERR_SHAPE);
  assert_int_equal(refused(&rnl_op_reduce, &(rnl_reduce_attrs){.dim = 2}, 1, (rnl_var *[]){a}), RNL_ERR_SHAPE);
  rnl_view_attrs reshape = {.kind = RNL_VIEW_RESHAPE, .ndim = 2, .size = {5, -1}};
  assert_int_equal(refused(&rnl_op_view, &reshape, 1, &a), RNL_ERR_SHAPE);
  assert_int_equal(refused(&rnl_op_mm, NULL, 1, &a), RNL_ERR_ARG);
}

static void out_of_memory(void **state) {
  (void)state;
  rnl_var *x = leaf(RNL_F32, RNL_LAYOUT_LANES, .5, 2, SIZES(5, 4, 3)), *w = LEAF(RNL_F32, 3, 2),
          *row = LEAF(RNL_F32, 3);
  rnl_binary add = RNL_BINARY_ADD;
  const struct { const rnl_op *op; const void *attrs; rnl_var *other; } cases[] = {
      {&rnl_op_mm, NULL, w}, {&rnl_op_binary, &add, row}, {&rnl_op_cat, &(int){0}, x}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    int64_t live = rnl_alloc_live();
    for (int n = 1;; n++) {
      rnl_var *out = NULL;
      rnl_alloc_fail_after(n);
      rnl_status status = rnl_apply(cases[k].op, cases[k].attrs, 2, (rnl_var *[]){x, cases[k].other}, &out, &err);
      rnl_alloc_fail_after(0);
      if (status == RNL_OK) {
        rnl_var_release(out);
        break;
      }
      assert_int_equal(status, RNL_ERR_MEMORY);
      assert_int_equal(rnl_alloc_live(), live); /* nothing half-made is left */
      assert_true(n < 50);
    }
  }
}

int main(void) {
  rnl_rng_init(&rng, 11, RNL_RNG_USER, 0);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(elementwise_values, release_all),
      cmocka_unit_test_teardown(reduced_values, release_all),
      cmocka_unit_test_teardown(product_values, release_all),
      cmocka_unit_test_teardown(same_bits_for_all_strides, release_all),
      cmocka_unit_test_teardown(layouts_kept, release_all),
      cmocka_unit_test_teardown(messages, release_all),
      cmocka_unit_test_teardown(out_of_memory, release_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
