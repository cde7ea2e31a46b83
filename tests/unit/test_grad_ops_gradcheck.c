/* Every op of grad/ops.h in float64: the gradient against central differences, element by element, the
 * forward-mode product against the directional difference, and rnl_backward against the plan. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "grad/ops.h"
#include "grad/plan.h"

static rnl_error err;

/* ---- building: every variable made goes into a pool that is released at the end of a case ------- */

static rnl_var *pool[256];
static int pooled;

static rnl_var *keep(rnl_var *var) {
  assert_non_null(var);
  assert_true(pooled < 256);
  return pool[pooled++] = var;
}

static rnl_var *apply(const rnl_op *op, const void *attrs, int n, rnl_var *const *in) {
  rnl_var *out = NULL;
  if (rnl_apply(op, attrs, n, in, &out, &err) != RNL_OK) fail_msg("%s: %s", op->name, err.text);
  return keep(out);
}

static rnl_var *unary(rnl_unary kind, rnl_var *x) { return apply(&rnl_op_unary, &kind, 1, &x); }
static rnl_var *binary(rnl_binary kind, rnl_var *a, rnl_var *b) {
  return apply(&rnl_op_binary, &kind, 2, (rnl_var *[]){a, b});
}
static rnl_var *mm(rnl_var *a, rnl_var *b) { return apply(&rnl_op_mm, NULL, 2, (rnl_var *[]){a, b}); }
static rnl_var *reduce(rnl_var *x, int dim, bool keepdim, bool mean) {
  rnl_reduce_attrs attrs = {.dim = dim, .keepdim = keepdim, .mean = mean};
  return apply(&rnl_op_reduce, &attrs, 1, &x);
}
static rnl_var *view(rnl_var *x, rnl_view_attrs attrs) { return apply(&rnl_op_view, &attrs, 1, &x); }
static rnl_var *turn(rnl_var *x, int a, int b) {
  return view(x, (rnl_view_attrs){.kind = RNL_VIEW_TRANSPOSE, .dim = a, .dim2 = b});
}
static rnl_var *slice(rnl_var *x, int dim, int64_t start, int64_t length, int64_t step) {
  return view(x, (rnl_view_attrs){.kind = RNL_VIEW_SLICE, .dim = dim, .start = start, .length = length,
                                  .step = step});
}
static rnl_var *cat(int dim, int n, rnl_var *const *in) { return apply(&rnl_op_cat, &dim, n, in); }

/* ---- the check -------------------------------------------------------------------------------- */

typedef struct leaf_spec {
  int ndim;
  int64_t size[4];
  double low, high;
  rnl_layout layout;
} leaf_spec;

enum { MAX_LEAVES = 3 };

static rnl_rng rng;

static rnl_var *leaf_of(const leaf_spec *spec, bool requires_grad) {
  rnl_tensor t;
  rnl_status status =
      spec->layout == RNL_LAYOUT_STRIDED
          ? rnl_tensor_new(&t, RNL_F64, spec->ndim, spec->size, &err)
          : rnl_tensor_new_sequence(&t, RNL_F64, spec->layout, spec->size[0], spec->size[1], spec->size[2], &err);
  assert_int_equal(status, RNL_OK);
  double low = spec->low, high = spec->high;
  if (low == 0 && high == 0) low = -1, high = 1;
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++)
    rnl_tensor_put(&t, i, low + (high - low) * rnl_rng_uniform(&rng));
  return keep(rnl_var_new(&t, requires_grad));
}

static double loss_now(rnl_plan *plan, rnl_var *loss) {
  assert_int_equal(rnl_plan_forward(plan, &err), RNL_OK);
  return rnl_tensor_at(rnl_value(loss), 0);
}

static void padding_is_zero(const rnl_tensor *t) {
  if (t->layout != RNL_LAYOUT_LANES) return;
  int64_t lanes = rnl_tensor_lane_stride(t);
  for (int64_t row = 0; row < t->size[1] * t->size[2]; row++)
    for (int64_t lane = t->size[0]; lane < lanes; lane++)
      assert_true(((double *)t->storage->data)[row * lanes + lane] == 0);
}

typedef rnl_var *(*builder)(rnl_var **x);

static void close_to(double got, double expected, const char *what, int leaf, int64_t i) {
  double scale = fabs(expected) > 1 ? fabs(expected) : 1;
  if (!(fabs(got - expected) <= 1e-7 * scale))
    fail_msg("%s: leaf %d, element %d: %.12g, expected %.12g", what, leaf, (int)i, got, expected);
}

/* loss = sum of the output's elements, each with a weight of its own */
static void check(builder build, int n, const leaf_spec *specs) {
  const double h = 1e-5;
  rnl_var *leaves[MAX_LEAVES];
  rnl_rng_init(&rng, 7, RNL_RNG_USER, 0);
  for (int i = 0; i < n; i++) leaves[i] = leaf_of(&specs[i], true);
  rnl_record_begin();
  rnl_var *out = build(leaves);
  leaf_spec spec = {.ndim = rnl_value(out)->ndim, .low = .5, .high = 1.5};
  memcpy(spec.size, rnl_value(out)->size, sizeof spec.size);
  rnl_var *loss = reduce(binary(RNL_BINARY_MUL, out, leaf_of(&spec, false)), -1, false, false);
  rnl_record_end();
  rnl_plan *plan;
  if (rnl_plan_new(&plan, &loss, 1, loss, &err) != RNL_OK) fail_msg("%s", err.text);

  rnl_tensor grads[MAX_LEAVES], tangents[MAX_LEAVES];
  for (int pass = 0; pass < 2; pass++) { /* a second pass must overwrite, not add */
    loss_now(plan, loss);
    assert_int_equal(rnl_plan_backward(plan, &err), RNL_OK);
  }
  for (int i = 0; i < n; i++) {
    padding_is_zero(rnl_grad(leaves[i]));
    assert_int_equal(rnl_tensor_clone(&grads[i], rnl_grad(leaves[i]), &err), RNL_OK);
    leaf_spec direction = specs[i];
    direction.low = -1, direction.high = 1;
    tangents[i] = rnl_tensor_ref(rnl_value(leaf_of(&direction, false)));
  }
  for (int i = 0; i < n; i++) {
    const rnl_tensor *x = rnl_value(leaves[i]);
    for (int64_t k = 0; k < rnl_tensor_numel(x); k++) {
      double old = rnl_tensor_at(x, k);
      rnl_tensor_put(x, k, old + h);
      double above = loss_now(plan, loss);
      rnl_tensor_put(x, k, old - h);
      double below = loss_now(plan, loss);
      rnl_tensor_put(x, k, old);
      close_to(rnl_tensor_at(&grads[i], k), (above - below) / (2 * h), "gradient", i, k);
    }
  }

  double forward_mode, by_gradient = 0;
  loss_now(plan, loss);
  if (rnl_plan_jvp(plan, n, leaves, tangents, &forward_mode, &err) != RNL_OK) fail_msg("%s", err.text);
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < rnl_tensor_numel(&grads[i]); k++)
      by_gradient += rnl_tensor_at(&grads[i], k) * rnl_tensor_at(&tangents[i], k);
  close_to(forward_mode, by_gradient, "forward mode", -1, 0);
  rnl_plan_free(plan);

  assert_int_equal(rnl_backward(loss, &err), RNL_OK);
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < rnl_tensor_numel(&grads[i]); k++)
      assert_true(rnl_tensor_at(rnl_grad(leaves[i]), k) == rnl_tensor_at(&grads[i], k));
  for (int i = 0; i < n; i++) rnl_tensor_release(&grads[i]), rnl_tensor_release(&tangents[i]);
  while (pooled > 0) rnl_var_release(pool[--pooled]);
  assert_int_equal(rnl_alloc_live(), 0);
}

#define CHECK(build, ...)                                                       \
  check(build, (int)(sizeof((leaf_spec[]){__VA_ARGS__}) / sizeof(leaf_spec)), \
        (leaf_spec[]){__VA_ARGS__})
#define S(...) .ndim = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .size = {__VA_ARGS__}

/* ---- elementwise ------------------------------------------------------------------------------ */

static rnl_unary unary_kind;
static rnl_binary binary_kind;

static rnl_var *one_unary(rnl_var **x) { return unary(unary_kind, x[0]); }
static rnl_var *unary_of_turned_and_again(rnl_var **x) { /* strided input; x used twice: accumulate */
  return binary(RNL_BINARY_ADD, unary(unary_kind, turn(x[0], 0, 1)), unary(unary_kind, turn(x[0], 0, 1)));
}
static rnl_var *unary_of_stepped(rnl_var **x) { return unary(unary_kind, slice(x[0], 1, 1, 2, 2)); }

static void unaries(void **state) {
  (void)state;
  for (int kind = 0; kind < RNL_UNARY_COUNT; kind++) {
    unary_kind = (rnl_unary)kind;
    for (int side = 0; side < 2; side++) { /* away from 0, where abs, relu and sign have corners */
      bool positive = kind == RNL_UNARY_SQRT || kind == RNL_UNARY_LOG || side == 1;
      double low = positive ? .3 : -2, high = positive ? 2 : -.3;
      CHECK(one_unary, {S(3, 5), low, high});
      CHECK(one_unary, {S(), low, high});
      CHECK(unary_of_turned_and_again, {S(3, 4), low, high});
      CHECK(unary_of_stepped, {S(3, 5), low, high});
      CHECK(one_unary, {S(5, 3, 2), low, high, RNL_LAYOUT_LANES});
      CHECK(unary_of_turned_and_again, {S(5, 3, 2), low, high, RNL_LAYOUT_LANES});
      CHECK(one_unary, {S(5, 3, 2), low, high, RNL_LAYOUT_TIME});
      CHECK(one_unary, {S(700), low, high}); /* more than a chunk */
    }
  }
}

static rnl_var *one_binary(rnl_var **x) { return binary(binary_kind, x[0], x[1]); }
static rnl_var *with_itself(rnl_var **x) { return binary(binary_kind, x[0], x[0]); }
static rnl_var *turned_with(rnl_var **x) { return binary(binary_kind, turn(x[0], 0, 1), x[1]); }
static rnl_var *with_turned(rnl_var **x) { return binary(binary_kind, x[0], turn(x[1], 0, 1)); }
static rnl_var *twice(rnl_var **x) { return binary(binary_kind, binary(binary_kind, x[0], x[1]), x[1]); }

static void binaries(void **state) {
  (void)state;
  for (int kind = 0; kind < RNL_BINARY_COUNT; kind++) {
    binary_kind = (rnl_binary)kind;
    CHECK(one_binary, {S(3, 4), .5, 2}, {S(3, 4), .6, 1.9});
    CHECK(one_binary, {S(3, 4), .5, 2}, {S(4), .6, 1.9});
    CHECK(one_binary, {S(3, 1), .5, 2}, {S(1, 4), .6, 1.9});
    CHECK(one_binary, {S(3, 4), .5, 2}, {S(), .6, 1.9});
    CHECK(one_binary, {S(), .5, 2}, {S(3, 4), .6, 1.9});
    CHECK(one_binary, {S(), .5, 2}, {S(), .6, 1.9});
    CHECK(one_binary, {S(3, 1), .5, 2}, {S(2, 3, 4), .6, 1.9});
    CHECK(one_binary, {S(1, 300), .5, 2}, {S(3, 1), .6, 1.9});
    CHECK(turned_with, {S(4, 3), .5, 2}, {S(3, 4), .6, 1.9});
    CHECK(turned_with, {S(4, 3), .5, 2}, {S(4), .6, 1.9});
    CHECK(with_turned, {S(4), .5, 2}, {S(4, 3), .6, 1.9});
    CHECK(twice, {S(3, 4), .5, .9}, {S(3, 4), 1.1, 1.5});
    CHECK(twice, {S(3, 4), .5, .9}, {S(4), 1.1, 1.5});
    CHECK(one_binary, {S(5, 3, 2), .5, 2, RNL_LAYOUT_LANES}, {S(5, 3, 2), .6, 1.9, RNL_LAYOUT_LANES});
    CHECK(one_binary, {S(5, 3, 2), .5, 2, RNL_LAYOUT_LANES}, {S(), .6, 1.9});
    CHECK(one_binary, {S(5, 3, 2), .5, 2, RNL_LAYOUT_LANES}, {S(2), .6, 1.9});
    CHECK(one_binary, {S(5, 3, 2), .5, 2, RNL_LAYOUT_LANES}, {S(5, 3, 2), .6, 1.9, RNL_LAYOUT_TIME});
    if (kind != RNL_BINARY_MIN && kind != RNL_BINARY_MAX) CHECK(with_itself, {S(3, 4), .5, 2});
  }
}

static void power_of_negative_base(void **state) {
  (void)state;
  rnl_tensor two, base; /* x^2 by an exponent without gradient: the sign of x does not matter */
  rnl_tensor_new(&two, RNL_F64, 0, NULL, &err);
  rnl_tensor_put(&two, 0, 2);
  rnl_tensor_new(&base, RNL_F64, 1, (int64_t[]){3}, &err);
  for (int i = 0; i < 3; i++) rnl_tensor_put(&base, i, i - 1); /* -1, 0, 1 */
  rnl_var *x = keep(rnl_var_new(&base, true)), *e = keep(rnl_var_new(&two, false));
  rnl_var *loss = reduce(binary(RNL_BINARY_POW, x, e), -1, false, false);
  assert_int_equal(rnl_backward(loss, &err), RNL_OK);
  for (int i = 0; i < 3; i++) assert_true(rnl_tensor_at(rnl_grad(x), i) == 2 * (i - 1));
  while (pooled > 0) rnl_var_release(pool[--pooled]);
}

static void ties_of_min_and_max(void **state) {
  (void)state;
  for (int kind = RNL_BINARY_MIN; kind <= RNL_BINARY_MAX; kind++) {
    rnl_tensor t[2];
    for (int i = 0; i < 2; i++) rnl_tensor_new(&t[i], RNL_F64, 1, (int64_t[]){2}, &err);
    rnl_var *a = keep(rnl_var_new(&t[0], true)), *b = keep(rnl_var_new(&t[1], true));
    rnl_var *loss = reduce(binary((rnl_binary)kind, a, b), -1, false, false);
    assert_int_equal(rnl_backward(loss, &err), RNL_OK);
    assert_true(rnl_tensor_at(rnl_grad(a), 0) == .5 && rnl_tensor_at(rnl_grad(b), 1) == .5);
    while (pooled > 0) rnl_var_release(pool[--pooled]);
  }
}

/* A float32 scalar among float64 values keeps its own dtype in its gradient. */
static void scalar_of_other_dtype(void **state) {
  (void)state;
  rnl_tensor s, x;
  rnl_tensor_new(&s, RNL_F32, 0, NULL, &err);
  rnl_tensor_put(&s, 0, 1.5);
  rnl_tensor_new(&x, RNL_F64, 1, (int64_t[]){3}, &err);
  for (int i = 0; i < 3; i++) rnl_tensor_put(&x, i, i + 1);
  rnl_var *scalar = keep(rnl_var_new(&s, true)), *values = keep(rnl_var_new(&x, true));
  rnl_var *product = binary(RNL_BINARY_MUL, scalar, values);
  assert_int_equal(rnl_value(product)->dtype, RNL_F64);
  rnl_var *loss = reduce(product, -1, false, true);
  assert_int_equal(rnl_backward(loss, &err), RNL_OK);
  assert_int_equal(rnl_grad(scalar)->dtype, RNL_F32);
  assert_true(rnl_tensor_at(rnl_grad(scalar), 0) == 2);
  assert_true(fabs(rnl_tensor_at(rnl_grad(values), 2) - .5) < 1e-15);
  while (pooled > 0) rnl_var_release(pool[--pooled]);
}

/* ---- reduce, mm ------------------------------------------------------------------------------- */

static int reduce_dim;
static bool reduce_keep, reduce_mean;
static rnl_var *one_reduce(rnl_var **x) { return reduce(x[0], reduce_dim, reduce_keep, reduce_mean); }
static rnl_var *turned_reduce(rnl_var **x) {
  return reduce(turn(x[0], 0, 2), reduce_dim, reduce_keep, reduce_mean);
}
static rnl_var *centred(rnl_var **x) {
  return binary(RNL_BINARY_SUB, x[0], reduce(x[0], reduce_dim, true, true));
}

static void reductions(void **state) {
  (void)state;
  for (int k = 0; k < 16; k++) {
    reduce_dim = k / 4 - 1, reduce_keep = k & 1, reduce_mean = k & 2;
    CHECK(one_reduce, {S(2, 3, 4)});
    CHECK(turned_reduce, {S(2, 3, 4)});
    CHECK(centred, {S(2, 3, 4)});
    CHECK(one_reduce, {S(5, 3, 2), 0, 0, RNL_LAYOUT_LANES});
  }
}

static rnl_var *one_mm(rnl_var **x) { return mm(x[0], x[1]); }
static rnl_var *mm_turned_a(rnl_var **x) { return mm(turn(x[0], 0, 1), x[1]); }
static rnl_var *mm_turned_b(rnl_var **x) { return mm(x[0], turn(x[1], 0, 1)); }
static rnl_var *mm_slices(rnl_var **x) { return mm(slice(x[0], 1, 1, 3, 1), slice(x[1], 0, 0, 3, 2)); }
static rnl_var *mm_square(rnl_var **x) { return mm(x[0], x[0]); }
static rnl_var *mm_expanded(rnl_var **x) {
  return mm(view(x[0], (rnl_view_attrs){.kind = RNL_VIEW_EXPAND, .ndim = 2, .size = {3, 4}}), x[1]);
}

static void products(void **state) {
  (void)state;
  CHECK(one_mm, {S(3, 4)}, {S(4, 2)});
  CHECK(one_mm, {S(1, 4)}, {S(4, 1)});
  CHECK(one_mm, {S(3, 1)}, {S(1, 2)});
  CHECK(one_mm, {S(2, 5, 3)}, {S(3, 4)});
  CHECK(one_mm, {S(5, 3, 2), 0, 0, RNL_LAYOUT_LANES}, {S(2, 4)});
  CHECK(one_mm, {S(5, 3, 2), 0, 0, RNL_LAYOUT_TIME}, {S(2, 4)});
  CHECK(mm_turned_a, {S(4, 3)}, {S(4, 2)});
  CHECK(mm_turned_a, {S(5, 2, 3)}, {S(3, 4)});
  CHECK(mm_turned_b, {S(3, 4)}, {S(2, 4)});
  CHECK(mm_slices, {S(3, 5)}, {S(5, 2)});
  CHECK(mm_square, {S(3, 3)});
  CHECK(mm_expanded, {S(4)}, {S(4, 2)});
}

/* ---- views, clone, cat ------------------------------------------------------------------------ */

static rnl_view_attrs view_attrs;
static rnl_var *one_view(rnl_var **x) { return view(x[0], view_attrs); }
static rnl_var *turned_view(rnl_var **x) { return view(turn(x[0], 0, 1), view_attrs); }
static rnl_var *view_twice(rnl_var **x) {
  return binary(RNL_BINARY_MUL, view(x[0], view_attrs), unary(RNL_UNARY_TANH, view(x[0], view_attrs)));
}

static void views(void **state) {
  (void)state;
  const rnl_view_attrs kinds[] = {
      {.kind = RNL_VIEW_SELECT, .dim = 1, .start = 2},
      {.kind = RNL_VIEW_SLICE, .dim = 2, .start = 1, .length = 2, .step = 2},
      {.kind = RNL_VIEW_SLICE, .dim = 0, .start = 0, .length = 2, .step = 1},
      {.kind = RNL_VIEW_TRANSPOSE, .dim = 0, .dim2 = 2},
      {.kind = RNL_VIEW_RESHAPE, .ndim = 2, .size = {4, -1}},
      {.kind = RNL_VIEW_RESHAPE, .ndim = 1, .size = {24}},
      {.kind = RNL_VIEW_EXPAND, .ndim = 4, .size = {3, 2, 3, 4}},
      {.kind = RNL_VIEW_UNSQUEEZE, .dim = 1},
      {.kind = RNL_VIEW_SQUEEZE, .dim = -1},
  };
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    view_attrs = kinds[k];
    CHECK(one_view, {S(2, 3, 4)});
    CHECK(view_twice, {S(2, 3, 4)});
    CHECK(one_view, {S(2, 3, 4), 0, 0, RNL_LAYOUT_LANES});
    CHECK(view_twice, {S(2, 3, 4), 0, 0, RNL_LAYOUT_TIME});
    if (kinds[k].kind != RNL_VIEW_EXPAND) CHECK(turned_view, {S(3, 2, 4), 0, 0, RNL_LAYOUT_LANES});
    if (kinds[k].kind != RNL_VIEW_EXPAND) CHECK(turned_view, {S(3, 2, 4)});
  }
  view_attrs = (rnl_view_attrs){.kind = RNL_VIEW_EXPAND, .ndim = 3, .size = {2, 3, 4}};
  CHECK(one_view, {S(3, 1)});
  CHECK(one_view, {S()});
  CHECK(view_twice, {S(2, 1, 1)});
}

static rnl_var *shifted_products(rnl_var **x) { /* y(t) = x(t) x(t-1): overlapping slices */
  return binary(RNL_BINARY_MUL, slice(x[0], 1, 1, 3, 1), slice(x[0], 1, 0, 3, 1));
}
static rnl_var *one_clone(rnl_var **x) {
  rnl_var *t = turn(x[0], 0, 1);
  return binary(RNL_BINARY_MUL, apply(&rnl_op_clone, NULL, 1, &t), t);
}
static rnl_var *cat_rows(rnl_var **x) { return cat(0, 3, (rnl_var *[]){x[0], x[1], x[0]}); }
static rnl_var *cat_columns(rnl_var **x) { return cat(1, 2, (rnl_var *[]){turn(x[0], 0, 1), x[1]}); }
static rnl_var *cat_one(rnl_var **x) { return cat(0, 1, x); }

static void slices_clone_cat(void **state) {
  (void)state;
  CHECK(shifted_products, {S(2, 4)});
  CHECK(one_clone, {S(2, 4)});
  CHECK(cat_rows, {S(2, 3)}, {S(1, 3)});
  CHECK(cat_columns, {S(3, 2)}, {S(2, 4)});
  CHECK(cat_columns, {S(3, 2, 2)}, {S(2, 1, 2)});
  CHECK(cat_one, {S(2, 3)});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unaries),    cmocka_unit_test(binaries), cmocka_unit_test(power_of_negative_base),
      cmocka_unit_test(ties_of_min_and_max), cmocka_unit_test(scalar_of_other_dtype),
      cmocka_unit_test(reductions), cmocka_unit_test(products), cmocka_unit_test(views),
      cmocka_unit_test(slices_clone_cat)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
