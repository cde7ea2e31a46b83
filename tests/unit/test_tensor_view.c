/* Storage, shapes, views and broadcasting of tensor/tensor.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tensor/tensor.h"

static rnl_error err;

#define SIZES(...) (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__}

/* 0, 1, 2, ... in row-major order */
static rnl_tensor counting(rnl_dtype dtype, int ndim, const int64_t *size) {
  rnl_tensor t;
  assert_int_equal(rnl_tensor_new(&t, dtype, ndim, size, &err), RNL_OK);
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++) rnl_tensor_put(&t, i, (double)i);
  return t;
}

static void assert_shape(const rnl_tensor *t, const char *expected) {
  char shape[RNL_SHAPE_TEXT];
  assert_string_equal(rnl_tensor_shape_text(shape, t), expected);
}

static void making(void **state) {
  (void)state;
  rnl_tensor t;
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(2, 3), &err), RNL_OK);
  assert_int_equal((uintptr_t)rnl_tensor_data(&t) % 64, 0);
  assert_int_equal(rnl_tensor_numel(&t), 6);
  assert_true(rnl_tensor_is_contiguous(&t));
  for (int64_t i = 0; i < 6; i++) assert_true(rnl_tensor_at(&t, i) == 0);
  rnl_tensor_set(&t, (int64_t[]){1, 2}, 7.5);
  assert_true(rnl_f32(&t)[5] == 7.5f);
  rnl_tensor other = rnl_tensor_ref(&t);
  rnl_tensor_release(&t);
  assert_null(t.storage);
  rnl_tensor_release(&t); /* idempotent */
  assert_true(rnl_tensor_get(&other, (int64_t[]){1, 2}) == 7.5);
  rnl_tensor_release(&other);

  assert_int_equal(rnl_tensor_new(&t, RNL_F64, 0, NULL, &err), RNL_OK);
  assert_int_equal(rnl_tensor_numel(&t), 1);
  assert_shape(&t, "()");
  rnl_tensor_release(&t);
  assert_int_equal(rnl_tensor_new(&t, RNL_F64, SIZES(3, 0, 2), &err), RNL_OK);
  assert_int_equal(rnl_tensor_numel(&t), 0);
  assert_true(rnl_tensor_is_contiguous(&t));
  rnl_tensor_release(&t);
}

static void absurd_sizes(void **state) {
  (void)state;
  rnl_tensor t;
  const int64_t big = INT64_C(1) << 40;
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(big, big), &err), RNL_ERR_MEMORY);
  assert_non_null(strstr(err.text, "(1099511627776, 1099511627776)"));
  assert_null(t.storage);
  assert_int_equal(rnl_tensor_new(&t, RNL_F64, SIZES(0, big, big), &err), RNL_ERR_MEMORY);
  assert_int_equal(rnl_tensor_new(&t, RNL_F64, SIZES(INT64_MAX), &err), RNL_ERR_MEMORY);
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(1000000, 1000000), &err), RNL_ERR_MEMORY);
  assert_non_null(strstr(err.text, "4.0 TB"));
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(2, -1), &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "(2, -1)"));
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(1, 1, 1, 1, 1, 1, 1, 1, 1), &err), RNL_ERR_ARG);
  for (int layout = RNL_LAYOUT_STRIDED; layout <= RNL_LAYOUT_TIME; layout++) {
    assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, layout, INT64_MAX, 2, 2, &err), RNL_ERR_MEMORY);
    assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, layout, 2, INT64_MAX, 2, &err), RNL_ERR_MEMORY);
    assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, layout, 2, 2, INT64_MAX, &err), RNL_ERR_MEMORY);
    assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, layout, 2, -2, 1, &err), RNL_ERR_ARG);
    assert_null(t.storage);
  }
  rnl_alloc_fail_after(1);
  assert_int_equal(rnl_tensor_new(&t, RNL_F32, SIZES(3), &err), RNL_ERR_MEMORY);
  rnl_alloc_fail_after(0);
}

static void layouts(void **state) {
  (void)state;
  rnl_tensor t;
  assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, RNL_LAYOUT_LANES, 8, 5, 3, &err), RNL_OK);
  assert_int_equal(rnl_tensor_lane_stride(&t), 8);
  assert_int_equal(t.storage->bytes, 8 * 3 * 5 * 4);
  rnl_tensor_release(&t);
  assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F32, RNL_LAYOUT_LANES, 9, 5, 3, &err), RNL_OK);
  assert_int_equal(rnl_tensor_lane_stride(&t), 16);
  assert_int_equal(t.storage->bytes, 16 * 3 * 5 * 4);
  rnl_tensor_set(&t, (int64_t[]){7, 4, 2}, 3);
  assert_true(rnl_f32(&t)[(4 * 3 + 2) * 16 + 7] == 3);
  assert_false(rnl_tensor_is_contiguous(&t));
  rnl_tensor part;
  assert_int_equal(rnl_tensor_select(&part, &t, 0, 7, &err), RNL_OK);
  assert_int_equal(part.layout, RNL_LAYOUT_STRIDED); /* a part has not the layout's promises */
  assert_true(rnl_tensor_at(&part, 14) == 3);
  rnl_tensor_release(&part);
  rnl_tensor_release(&t);

  assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F64, RNL_LAYOUT_TIME, 8, 5, 3, &err), RNL_OK);
  rnl_tensor_set(&t, (int64_t[]){7, 4, 2}, 3);
  assert_true(rnl_f64(&t)[(4 * 8 + 7) * 3 + 2] == 3);
  rnl_tensor_release(&t);
  assert_int_equal(rnl_tensor_new_sequence(&t, RNL_F64, RNL_LAYOUT_STRIDED, 8, 5, 3, &err), RNL_OK);
  assert_true(rnl_tensor_is_contiguous(&t));
  rnl_tensor_release(&t);
}

static void selecting(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F32, SIZES(2, 3, 4)), a, b;
  assert_int_equal(rnl_tensor_select(&a, &t, 1, 2, &err), RNL_OK);
  assert_shape(&a, "(2, 4)");
  assert_true(rnl_tensor_get(&a, (int64_t[]){1, 3}) == 23);
  assert_int_equal(rnl_tensor_narrow(&b, &a, 1, 1, 2, &err), RNL_OK);
  assert_shape(&b, "(2, 2)");
  assert_true(rnl_tensor_at(&b, 0) == 9 && rnl_tensor_at(&b, 3) == 22);
  rnl_tensor_put(&b, 0, -1); /* the storage is shared */
  assert_true(rnl_tensor_get(&t, (int64_t[]){0, 2, 1}) == -1);
  rnl_tensor_release(&a);
  rnl_tensor_release(&b);

  assert_int_equal(rnl_tensor_stepped(&a, &t, 2, 1, 2, 2, &err), RNL_OK);
  assert_true(rnl_tensor_at(&a, 0) == 1 && rnl_tensor_at(&a, 1) == 3 && rnl_tensor_at(&a, 2) == 5);
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_narrow(&a, &t, 0, 2, 0, &err), RNL_OK); /* an empty end */
  assert_shape(&a, "(0, 3, 4)");
  rnl_tensor_release(&a);

  assert_int_equal(rnl_tensor_select(&a, &t, 3, 0, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_select(&a, &t, 1, 3, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_select(&a, &t, 1, -1, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_stepped(&a, &t, 2, 1, 2, 3, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_stepped(&a, &t, 2, 0, 2, 0, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_stepped(&a, &t, 2, 1, INT64_MAX, INT64_MAX, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_narrow(&a, &t, 2, 1, INT64_MAX, &err), RNL_ERR_ARG);
  rnl_tensor_release(&t);
}

static void turning(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F64, SIZES(2, 3, 4)), a, b;
  assert_int_equal(rnl_tensor_transpose(&a, &t, 0, 2, &err), RNL_OK);
  assert_shape(&a, "(4, 3, 2)");
  assert_true(rnl_tensor_get(&a, (int64_t[]){3, 1, 1}) == 19);
  assert_false(rnl_tensor_is_contiguous(&a));
  assert_int_equal(rnl_tensor_permute(&b, &t, (int[]){2, 1, 0}, &err), RNL_OK);
  for (int64_t i = 0; i < 24; i++) assert_true(rnl_tensor_at(&a, i) == rnl_tensor_at(&b, i));
  rnl_tensor_release(&b);
  assert_int_equal(rnl_tensor_permute(&b, &t, (int[]){2, 2, 0}, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_transpose(&b, &t, 0, 3, &err), RNL_ERR_ARG);
  rnl_tensor_release(&a);
  rnl_tensor_release(&t);
}

static void viewing(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F32, SIZES(4, 6)), a, b;
  assert_int_equal(rnl_tensor_view(&a, &t, SIZES(2, -1, 3), &err), RNL_OK);
  assert_shape(&a, "(2, 4, 3)");
  for (int64_t i = 0; i < 24; i++) assert_true(rnl_tensor_at(&a, i) == (double)i);
  rnl_tensor_release(&a);

  /* columns 1..4 of each row: rows can be split, but not joined */
  assert_int_equal(rnl_tensor_narrow(&a, &t, 1, 1, 4, &err), RNL_OK);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(2, 2, 2, 2), &err), RNL_OK);
  for (int64_t i = 0; i < 16; i++) assert_true(rnl_tensor_at(&b, i) == rnl_tensor_at(&a, i));
  rnl_tensor_release(&b);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(16), &err), RNL_ERR_SHAPE);
  assert_non_null(strstr(err.text, "contiguous()"));
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(5, -1), &err), RNL_ERR_SHAPE);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(-1, -1), &err), RNL_ERR_SHAPE);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(0, -1), &err), RNL_ERR_SHAPE);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(INT64_MAX, INT64_MAX), &err), RNL_ERR_SHAPE);
  rnl_tensor_release(&a);

  assert_int_equal(rnl_tensor_narrow(&a, &t, 0, 0, 1, &err), RNL_OK);
  assert_int_equal(rnl_tensor_narrow(&b, &a, 1, 0, 1, &err), RNL_OK);
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_view(&a, &b, 0, NULL, &err), RNL_OK); /* one element, a scalar */
  assert_int_equal(a.ndim, 0);
  rnl_tensor_release(&b);
  assert_int_equal(rnl_tensor_view(&b, &a, SIZES(1, 1), &err), RNL_OK); /* and back */
  assert_shape(&b, "(1, 1)");
  rnl_tensor_release(&b);
  rnl_tensor_release(&a);
  rnl_tensor_release(&t);

  t = counting(RNL_F32, SIZES(0, 3));
  assert_int_equal(rnl_tensor_view(&a, &t, SIZES(7, 0), &err), RNL_OK);
  rnl_tensor_release(&a);
  rnl_tensor_release(&t);
}

static void ones_dropped_and_added(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F32, SIZES(1, 3, 1)), a;
  assert_int_equal(rnl_tensor_squeeze(&a, &t, -1, &err), RNL_OK);
  assert_shape(&a, "(3)");
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_squeeze(&a, &t, 2, &err), RNL_OK);
  assert_shape(&a, "(1, 3)");
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_squeeze(&a, &t, 1, &err), RNL_OK); /* not 1: stays */
  assert_shape(&a, "(1, 3, 1)");
  rnl_tensor_release(&a);
  for (int d = 0; d <= 3; d++) {
    assert_int_equal(rnl_tensor_unsqueeze(&a, &t, d, &err), RNL_OK);
    assert_int_equal(a.ndim, 4);
    assert_true(rnl_tensor_is_contiguous(&a));
    assert_true(rnl_tensor_at(&a, 2) == 2);
    rnl_tensor_release(&a);
  }
  assert_int_equal(rnl_tensor_unsqueeze(&a, &t, 4, &err), RNL_ERR_ARG);
  assert_int_equal(rnl_tensor_squeeze(&a, &t, 3, &err), RNL_ERR_ARG);
  rnl_tensor_release(&t);
  t = counting(RNL_F32, SIZES(1, 1, 1, 1, 1, 1, 1, 1));
  assert_int_equal(rnl_tensor_unsqueeze(&a, &t, 0, &err), RNL_ERR_ARG);
  rnl_tensor_release(&t);
}

static void broadcasting(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F32, SIZES(3, 1)), u = counting(RNL_F32, SIZES(4)), a;
  assert_int_equal(rnl_tensor_expand(&a, &t, SIZES(2, 3, 4), &err), RNL_OK);
  for (int64_t i = 0; i < 24; i++) assert_true(rnl_tensor_at(&a, i) == (double)(i / 4 % 3));
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_expand(&a, &t, SIZES(0, 3, 1), &err), RNL_OK);
  rnl_tensor_release(&a);
  assert_int_equal(rnl_tensor_expand(&a, &t, SIZES(4, 4), &err), RNL_ERR_SHAPE);
  assert_int_equal(rnl_tensor_expand(&a, &t, SIZES(3), &err), RNL_ERR_SHAPE);
  assert_int_equal(rnl_tensor_expand(&a, &t, SIZES(INT64_MAX, 3, INT64_MAX), &err), RNL_ERR_MEMORY);
  int ndim;
  int64_t size[RNL_MAX_DIMS];
  assert_int_equal(rnl_broadcast_shape("add", &t, &u, &ndim, size, &err), RNL_OK);
  assert_int_equal(ndim, 2);
  assert_true(size[0] == 3 && size[1] == 4);
  rnl_tensor_release(&t);
  t = counting(RNL_F32, SIZES(3, 5));
  assert_int_equal(rnl_broadcast_shape("add", &t, &u, &ndim, size, &err), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "add: (3, 5) and (4) do not broadcast");
  rnl_tensor_release(&t);
  rnl_tensor_release(&u);
}

static void nothing_left(void **state) {
  (void)state;
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(making),    cmocka_unit_test(absurd_sizes), cmocka_unit_test(layouts),
      cmocka_unit_test(selecting), cmocka_unit_test(turning),      cmocka_unit_test(viewing),
      cmocka_unit_test(ones_dropped_and_added), cmocka_unit_test(broadcasting),
      cmocka_unit_test(nothing_left)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
