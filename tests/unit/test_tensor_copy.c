/* Walking, copying, casting, filling and printing of tensor/tensor.h. */
#include <math.h>
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

static rnl_tensor counting(rnl_dtype dtype, int ndim, const int64_t *size) {
  rnl_tensor t;
  assert_int_equal(rnl_tensor_new(&t, dtype, ndim, size, &err), RNL_OK);
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++) rnl_tensor_put(&t, i, (double)i);
  return t;
}

static int64_t runs_of(const rnl_tensor *a, const rnl_tensor *b) {
  rnl_walk w;
  int64_t runs = 0, elements = 0;
  rnl_walk_begin(&w, 2, (const rnl_tensor *const[]){a, b});
  do {
    for (int64_t i = 0; i < w.length; i++, elements++) {
      double x = ((double *)w.data[0])[i * w.step[0]], y = ((double *)w.data[1])[i * w.step[1]];
      assert_true(x == rnl_tensor_at(a, elements)); /* row-major order */
      assert_true(y == rnl_tensor_at(b, elements));
    }
    runs++;
  } while (rnl_walk_next(&w));
  assert_int_equal(elements, rnl_tensor_numel(a));
  return runs;
}

static void walking(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F64, SIZES(2, 3, 4)), a, b;
  assert_int_equal(runs_of(&t, &t), 1); /* contiguous: a single run */
  rnl_tensor_narrow(&a, &t, 2, 1, 2, &err);
  assert_int_equal(runs_of(&a, &a), 6);
  rnl_tensor_release(&a);
  rnl_tensor_narrow(&a, &t, 1, 1, 2, &err);
  assert_int_equal(runs_of(&a, &a), 2);
  rnl_tensor_release(&a);
  rnl_tensor_transpose(&a, &t, 1, 2, &err);
  rnl_tensor_clone(&b, &a, &err);
  runs_of(&a, &b);
  rnl_tensor_release(&b);
  rnl_tensor_release(&a);
  rnl_tensor_select(&a, &t, 0, 0, &err);
  rnl_tensor_select(&b, &a, 0, 0, &err);
  rnl_tensor_release(&a);
  rnl_tensor_expand(&a, &b, SIZES(5, 4), &err);
  assert_int_equal(runs_of(&a, &a), 5);
  rnl_tensor_release(&a);
  rnl_tensor_narrow(&a, &b, 0, 0, 0, &err);
  assert_int_equal(runs_of(&a, &a), 1); /* no element: one run of length 0 */
  rnl_tensor_release(&a);
  rnl_tensor_select(&a, &b, 0, 2, &err);
  assert_int_equal(runs_of(&a, &a), 1); /* a scalar */
  rnl_tensor_release(&a);
  rnl_tensor_release(&b);
  rnl_tensor_release(&t);
}

static void copying(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F64, SIZES(3, 4)), turned, narrow, out;
  rnl_tensor_transpose(&turned, &t, 0, 1, &err);
  rnl_tensor_new(&out, RNL_F32, SIZES(4, 3), &err);
  assert_int_equal(rnl_tensor_copy(&out, &turned, &err), RNL_OK);
  for (int64_t i = 0; i < 12; i++) assert_true(rnl_tensor_at(&out, i) == (double)(i % 3 * 4 + i / 3));
  assert_int_equal(rnl_tensor_copy(&out, &t, &err), RNL_ERR_SHAPE);
  assert_string_equal(err.text, "copy: a (3, 4) tensor does not fit a (4, 3) one");
  rnl_tensor_fill(&turned, 2);
  assert_int_equal(rnl_tensor_copy(&turned, &out, &err), RNL_OK); /* float32 to strided float64 */
  for (int64_t i = 0; i < 12; i++) assert_true(rnl_f64(&t)[i] == (double)i);
  rnl_tensor_narrow(&narrow, &t, 1, 1, 2, &err);
  rnl_tensor_fill(&narrow, -1);
  for (int64_t i = 0; i < 12; i++)
    assert_true(rnl_f64(&t)[i] == (i % 4 == 1 || i % 4 == 2 ? -1 : (double)i));
  rnl_tensor_release(&out);
  assert_int_equal(rnl_tensor_cast(&out, &narrow, RNL_F32, &err), RNL_OK);
  assert_int_equal(out.dtype, RNL_F32);
  assert_true(rnl_tensor_is_contiguous(&out));
  rnl_tensor_release(&out);
  rnl_tensor_release(&narrow);
  rnl_tensor_release(&turned);
  rnl_tensor_release(&t);
}

static void overlapping(void **state) {
  (void)state;
  for (int shift = 0; shift < 2; shift++) {
    rnl_tensor t = counting(RNL_F32, SIZES(100)), to, from;
    rnl_tensor_narrow(&to, &t, 0, shift ? 1 : 0, 99, &err);
    rnl_tensor_narrow(&from, &t, 0, shift ? 0 : 1, 99, &err);
    assert_int_equal(rnl_tensor_copy(&to, &from, &err), RNL_OK);
    for (int64_t i = 0; i < 99; i++) assert_true(rnl_tensor_at(&to, i) == (double)(shift ? i : i + 1));
    rnl_tensor_release(&to);
    rnl_tensor_release(&from);
    rnl_tensor_release(&t);
  }
  rnl_tensor t = counting(RNL_F32, SIZES(3, 3)), turned;
  rnl_tensor_transpose(&turned, &t, 0, 1, &err);
  assert_int_equal(rnl_tensor_copy(&t, &turned, &err), RNL_OK);
  for (int64_t i = 0; i < 9; i++) assert_true(rnl_tensor_at(&t, i) == (double)(i % 3 * 3 + i / 3));
  rnl_tensor_release(&turned);
  rnl_tensor_release(&t);
}

static void layouts_convert(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F32, SIZES(5, 7, 3)), lanes, time;
  rnl_tensor_new_sequence(&lanes, RNL_F32, RNL_LAYOUT_LANES, 5, 7, 3, &err);
  rnl_tensor_new_sequence(&time, RNL_F64, RNL_LAYOUT_TIME, 5, 7, 3, &err);
  assert_int_equal(rnl_tensor_copy(&lanes, &t, &err), RNL_OK);
  assert_int_equal(rnl_tensor_copy(&time, &lanes, &err), RNL_OK);
  for (int64_t i = 0; i < 105; i++) assert_true(rnl_tensor_at(&time, i) == (double)i);
  for (int64_t row = 0; row < 21; row++) /* the padding stays zero */
    for (int64_t lane = 5; lane < 8; lane++) assert_true(rnl_f32(&lanes)[row * 8 + lane] == 0);
  rnl_tensor_fill(&lanes, 9);
  for (int64_t row = 0; row < 21; row++)
    for (int64_t lane = 0; lane < 8; lane++)
      assert_true(rnl_f32(&lanes)[row * 8 + lane] == (lane < 5 ? 9 : 0));
  rnl_tensor again; /* in one piece */
  rnl_tensor_new_sequence(&again, RNL_F32, RNL_LAYOUT_LANES, 5, 7, 3, &err);
  assert_int_equal(rnl_tensor_copy(&lanes, &t, &err), RNL_OK);
  assert_int_equal(rnl_tensor_copy(&again, &lanes, &err), RNL_OK);
  assert_memory_equal(rnl_f32(&again), rnl_f32(&lanes), 7 * 3 * 8 * sizeof(float));
  rnl_tensor_release(&again);
  rnl_tensor_release(&time);
  rnl_tensor_release(&lanes);
  rnl_tensor_release(&t);
}

static void assert_text(const rnl_tensor *t, int width, const char *expected) {
  char *text;
  assert_int_equal(rnl_tensor_format(&text, t, 0, width, &err), RNL_OK);
  assert_string_equal(text, expected);
  rnl_free(text);
}

static void fill_from(const rnl_tensor *t, const double *values) {
  for (int64_t i = 0; i < rnl_tensor_numel(t); i++) rnl_tensor_put(t, i, values[i]);
}

static void printing(void **state) {
  (void)state;
  rnl_tensor t, a;
  rnl_tensor_new(&t, RNL_F32, SIZES(3, 2), &err);
  fill_from(&t, (double[]){-1, .5, .5, .1, .2, -2});
  assert_text(&t, 0,
              " -1.000  0.500\n"
              "  0.500  0.100\n"
              "  0.200 -2.000\n"
              "[float32 tensor of 3x2]");
  fill_from(&t, (double[]){1, 20, -3, 0, -0., 100});
  assert_text(&t, 0,
              "   1  20\n"
              "  -3   0\n"
              "   0 100\n"
              "[float32 tensor of 3x2]");
  fill_from(&t, (double[]){1.5e7, 2e7, 3, -4e7, NAN, -INFINITY});
  assert_text(&t, 0, /* a common power of ten only where there are fractions */
              "  15000000  20000000\n"
              "         3 -40000000\n"
              "       nan      -inf\n"
              "[float32 tensor of 3x2]");
  fill_from(&t, (double[]){1.5e-7, 2e-7, 3e-8, -4e-7, NAN, INFINITY});
  assert_text(&t, 0,
              "1e-07 *\n"
              "  1.500  2.000\n"
              "  0.300 -4.000\n"
              "    nan    inf\n"
              "[float32 tensor of 3x2]");
  rnl_tensor_select(&a, &t, 0, 0, &err);
  assert_text(&a, 0, "1e-07 *\n 1.500\n 2.000\n[float32 tensor of 2]");
  rnl_tensor_release(&a);
  rnl_tensor_release(&t);

  t = counting(RNL_F64, SIZES(20, 30));
  assert_text(&t, 20,
              "   0   1 ...  29\n"
              "  30  31 ...  59\n"
              "  60  61 ...  89\n"
              "  90  91 ... 119\n"
              " 120 121 ... 149\n"
              " 150 151 ... 179\n"
              " 180 181 ... 209\n"
              " ...\n"
              " 480 481 ... 509\n"
              " 510 511 ... 539\n"
              " 540 541 ... 569\n"
              " 570 571 ... 599\n"
              "[float64 tensor of 20x30]");
  assert_text(&t, 1,
              "   0 ...\n  30 ...\n  60 ...\n  90 ...\n 120 ...\n 150 ...\n 180 ...\n ...\n"
              " 480 ...\n 510 ...\n 540 ...\n 570 ...\n[float64 tensor of 20x30]");
  rnl_tensor_release(&t);

  t = counting(RNL_F32, SIZES(2, 2, 2));
  assert_text(&t, 0,
              "(1,.,.) =\n 0 1\n 2 3\n\n(2,.,.) =\n 4 5\n 6 7\n\n[float32 tensor of 2x2x2]");
  rnl_tensor_release(&t);
  t = counting(RNL_F32, SIZES(30, 1, 1));
  assert_text(&t, 0,
              "(1,.,.) =\n  0\n\n(2,.,.) =\n  1\n\n(3,.,.) =\n  2\n\n(4,.,.) =\n  3\n\n...\n\n"
              "(30,.,.) =\n 29\n\n[float32 tensor of 30x1x1]");
  rnl_tensor_release(&t);
  rnl_tensor_new(&t, RNL_F32, SIZES(0, 3), &err);
  assert_text(&t, 0, "[float32 tensor of 0x3]");
  rnl_tensor_release(&t);
  rnl_tensor_new(&t, RNL_F64, 0, NULL, &err);
  rnl_tensor_put(&t, 0, 3.14159265);
  assert_text(&t, 0, "3.141593");
  rnl_tensor_put(&t, 0, 5e-324);
  assert_text(&t, 0, "4.940656e-324");
  rnl_tensor_release(&t);
  rnl_tensor_new(&t, RNL_F64, SIZES(2), &err); /* the ends of the range print without overflow */
  fill_from(&t, (double[]){5e-324, 1.7e308});
  char *text;
  assert_int_equal(rnl_tensor_format(&text, &t, 99, 0, &err), RNL_OK);
  rnl_free(text);
  rnl_tensor_release(&t);
}

static void out_of_memory(void **state) {
  (void)state;
  rnl_tensor t = counting(RNL_F64, SIZES(20, 30)), out;
  for (int n = 1; n <= 2; n++) {
    char *text = (char *)1;
    rnl_alloc_fail_after(n);
    rnl_status status = rnl_tensor_format(&text, &t, 0, 0, &err);
    rnl_alloc_fail_after(0);
    assert_int_equal(status, RNL_ERR_MEMORY);
    assert_null(text);
  }
  rnl_alloc_fail_after(1);
  rnl_status status = rnl_tensor_clone(&out, &t, &err);
  rnl_alloc_fail_after(0);
  assert_int_equal(status, RNL_ERR_MEMORY);
  rnl_tensor_release(&t);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(walking),     cmocka_unit_test(copying),
                                     cmocka_unit_test(overlapping), cmocka_unit_test(layouts_convert),
                                     cmocka_unit_test(printing),    cmocka_unit_test(out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
