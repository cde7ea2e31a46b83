/* npy and npz: bytes made here by hand, round trips, every kind of damage. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <zip.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "format/npy.h"
#include "test_folder.h"

static rnl_error err;

static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static void expect_error(rnl_status status, rnl_status expected, const char *message) {
  if (status != expected) fail_msg("status %d (%s), expected %d", status, err.text, expected);
  if (!strstr(err.text, message)) fail_msg("\"%s\" does not say \"%s\"", err.text, message);
}

/* A whole npy file of version 1 from its dict and data. */
static void make_npy(rnl_buffer *out, const char *dict, const void *data, size_t length) {
  rnl_buffer_clear(out);
  rnl_buffer_append(out, "\x93NUMPY\1\0", 8);
  rnl_buffer_char(out, (char)(strlen(dict) & 0xff));
  rnl_buffer_char(out, (char)(strlen(dict) >> 8));
  rnl_buffer_text(out, dict);
  rnl_buffer_append(out, data, length);
}

static void test_bytes_written(void **state) {
  (void)state;
  rnl_tensor t;
  must(rnl_tensor_new(&t, RNL_F32, 2, (int64_t[]){ 2, 3 }, &err));
  for (int i = 0; i < 6; i++) rnl_tensor_put(&t, i, i + 0.5);
  rnl_buffer b = { 0 }, expected = { 0 };
  must(rnl_npy_encode(&b, &t, &err));
  char dict[119];
  memset(dict, ' ', sizeof dict);
  memcpy(dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 59);
  dict[117] = '\n';
  dict[118] = '\0';
  make_npy(&expected, dict, (float[]){ 0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f }, 24);
  assert_int_equal(b.length, 128 + 24); /* the data are aligned to 64 bytes */
  assert_memory_equal(b.data, expected.data, b.length);
  /* A transposed view is written as it looks, not as it lies. */
  rnl_tensor flipped, back;
  must(rnl_tensor_transpose(&flipped, &t, 0, 1, &err));
  rnl_buffer_clear(&b);
  must(rnl_npy_encode(&b, &flipped, &err));
  must(rnl_npy_decode(&back, b.data, b.length, "x", &err));
  assert_true(back.size[0] == 3 && rnl_tensor_at(&back, 1) == 3.5 && rnl_tensor_is_contiguous(&back));
  rnl_tensor_release(&back);
  rnl_tensor_release(&flipped);
  rnl_tensor_release(&t);
  rnl_buffer_free(&b);
  rnl_buffer_free(&expected);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_kinds_read(void **state) {
  (void)state;
#define DICT(descr, fortran, shape) \
  "{'descr': '" descr "', 'fortran_order': " fortran ", 'shape': " shape "}"
  static const unsigned char big_f8[] = { 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18 };
  static const unsigned char big_i2[] = { 0xff, 0xfe };
  static const double grid[] = { 1, 2, 3, 4, 5, 6 };
  const struct {
    const char *dict;
    const void *data;
    size_t length;
    rnl_dtype dtype;
    int ndim, at;
    double value;
  } cases[] = {
    { DICT("<f8", "False", "(2, 3)"), grid, 48, RNL_F64, 2, 1, 2 },
    { DICT("<f8", "True", "(2, 3)"), grid, 48, RNL_F64, 2, 1, 3 },
    { DICT("<f8", "True", "(2, 3)"), grid, 48, RNL_F64, 2, 3, 2 },
    { DICT("<f8", "True", "(1, 2, 3)"), grid, 48, RNL_F64, 3, 4, 4 },
    { DICT(">f8", "False", "(1,)"), big_f8, 8, RNL_F64, 1, 0, 3.141592653589793 },
    { DICT(">i2", "False", "(1,)"), big_i2, 2, RNL_F64, 1, 0, -2 },
    { DICT("<f4", "False", "()"), &(const float){ 0.1f }, 4, RNL_F32, 0, 0, 0.1f },
    { DICT("=f4", "False", "()"), &(const float){ 0.1f }, 4, RNL_F32, 0, 0, 0.1f },
    { DICT("|u1", "False", "(2,)"), "\x07\xff", 2, RNL_F64, 1, 1, 255 },
    { DICT("|i1", "False", "(2,)"), "\x07\xff", 2, RNL_F64, 1, 1, -1 },
    { DICT("|b1", "False", "(2,)"), "\x00\x01", 2, RNL_F64, 1, 1, 1 },
    { DICT("<i4", "False", "(1,)"), &(const int32_t){ -70000 }, 4, RNL_F64, 1, 0, -70000 },
    { DICT("<u4", "False", "(1,)"), &(const uint32_t){ 4000000000u }, 4, RNL_F64, 1, 0, 4e9 },
    { DICT("<i8", "False", "(1L,)"), &(const int64_t){ -(1LL << 53) }, 8, RNL_F64, 1, 0, -0x1p53 },
    { DICT("<u8", "False", "(1,)"), &(const uint64_t){ 1ULL << 53 }, 8, RNL_F64, 1, 0, 0x1p53 },
    { "{\"shape\":(1,),\"descr\":\"<f8\",\"fortran_order\":False,}\n", grid, 8, RNL_F64, 1, 0, 1 },
  };
  rnl_buffer b = { 0 };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rnl_tensor t;
    make_npy(&b, cases[i].dict, cases[i].data, cases[i].length);
    must(rnl_npy_decode(&t, b.data, b.length, cases[i].dict, &err));
    assert_int_equal(t.dtype, cases[i].dtype);
    assert_int_equal(t.ndim, cases[i].ndim);
    if (rnl_tensor_at(&t, cases[i].at) != cases[i].value) fail_msg("%s", cases[i].dict);
    rnl_tensor_release(&t);
  }
  rnl_tensor t;
  make_npy(&b, DICT("<f8", "False", "(0, 3)"), "", 0);
  must(rnl_npy_decode(&t, b.data, b.length, "empty", &err));
  assert_true(t.size[0] == 0 && t.size[1] == 3);
  rnl_tensor_release(&t);
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_hostile_npy(void **state) {
  (void)state;
  static const struct {
    const char *dict, *message;
  } cases[] = {
    { DICT("|O", "False", "(1,)"), "Python objects" },
    { DICT("<c8", "False", "(1,)"), "type '<c8'" },
    { DICT("<f2", "False", "(4,)"), "type '<f2'" },
    { DICT("<U2", "False", "(1,)"), "type '<U2'" },
    { DICT("<f16", "False", "(1,)"), "type '<f16'" },
    { DICT("|f8", "False", "(1,)"), "type '|f8'" },
    { DICT("", "False", "(1,)"), "type ''" },
    { "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", "structured array" },
    { DICT("<f8", "False", "(2,)"), "shape (2) of 8-byte elements does not fit the 8 bytes" },
    { DICT("<f8", "False", "(2305843009213693952, 8)"), "does not fit" },
    { DICT("<f8", "False", "(4194305, 4194305, 211106198978564)"), "does not fit" },
    { DICT("<f8", "False", "(99999999999999999999,)"), "too large" },
    { DICT("<f8", "False", "(-1,)"), "other than sizes" },
    { DICT("<f8", "False", "(1,1,1,1,1,1,1,1,1)"), "more than 8 dimensions" },
    { DICT("<f8", "False", "(1"), "does not end" },
    { DICT("<f8", "False", "[1]"), "no tuple" },
    { DICT("<f8", "false", "(1,)"), "neither True nor False" },
    { "{'descr': '<f8', 'shape': (1,)}", "is missing" },
    { "{'descr': '<f8', 'descr': '<f8', 'shape': (1,)}", "there twice" },
    { "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", "unknown" },
    { DICT("<f8", "False", "(1,)") "; import os", "text behind" },
    { "", "no dict" }, { "{", "a key" }, { "{'", "a key" }, { "{'descr'", "a key" },
    { "{'descr':", "no short" },
    { "{'descr': '<f8", "no short" }, { "{'descr': '<f8'", "does not end" }, { "{'shape': ", "no tuple" },
  };
  rnl_buffer b = { 0 };
  rnl_tensor t;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    make_npy(&b, cases[i].dict, &(double){ 1 }, 8);
    char *exact = malloc(b.length); /* so that a sanitizer sees a read behind the end */
    memcpy(exact, b.data, b.length);
    expect_error(rnl_npy_decode(&t, exact, b.length, "t", &err), RNL_ERR_FORMAT, cases[i].message);
    assert_null(t.storage);
    free(exact);
  }
  make_npy(&b, DICT("<u8", "False", "(1,)"), &(uint64_t){ UINT64_MAX }, 8);
  expect_error(rnl_npy_decode(&t, b.data, b.length, "t", &err), RNL_ERR_FORMAT,
               "element 1 is an integer beyond");
  make_npy(&b, DICT("<i8", "False", "(1,)"), &(int64_t){ INT64_MIN }, 8);
  expect_error(rnl_npy_decode(&t, b.data, b.length, "t", &err), RNL_ERR_FORMAT,
               "element 1 is an integer beyond");
  /* Every cut of a good file is refused. */
  make_npy(&b, DICT("<f8", "False", "(1,)"), &(double){ 1 }, 8);
  for (size_t n = 0; n < b.length; n++) {
    char *exact = malloc(n ? n : 1);
    memcpy(exact, b.data, n);
    assert_int_equal(rnl_npy_decode(&t, exact, n, "t", &err), RNL_ERR_FORMAT);
    free(exact);
  }
  b.data[6] = 9;
  expect_error(rnl_npy_decode(&t, b.data, b.length, "t", &err), RNL_ERR_FORMAT, "npy version 9");
  b.data[6] = 2; /* the header's length is now four bytes of text */
  expect_error(rnl_npy_decode(&t, b.data, b.length, "t", &err), RNL_ERR_FORMAT, "npy header of");
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* Bytes changed at random: never a crash, and never a tensor larger than the file can hold. */
static void test_random_damage(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  rnl_rng rng;
  rnl_rng_init(&rng, 1, RNL_RNG_USER, 0);
  make_npy(&b, DICT("<f4", "False", "(2, 2)"), (float[]){ 1, 2, 3, 4 }, 16);
  int good = 0;
  for (int i = 0; i < 20000; i++) {
    char copy[256];
    rnl_tensor t;
    memcpy(copy, b.data, b.length);
    for (int k = 0; k < 1 + i % 3; k++)
      copy[6 + rnl_rng_below(&rng, b.length - 6)] = (char)rnl_rng_u32(&rng);
    if (rnl_npy_decode(&t, copy, b.length, "t", &err) == RNL_OK) {
      assert_true(rnl_tensor_numel(&t) <= 16);
      rnl_tensor_release(&t);
      good++;
    }
  }
  assert_true(good > 1000 && good < 19000);
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_npz_round_trip(void **state) {
  (void)state;
  rnl_tensors list = { 0 }, back = { 0 };
  rnl_tensor a, b;
  must(rnl_tensor_new(&a, RNL_F32, 3, (int64_t[]){ 2, 5, 3 }, &err));
  must(rnl_tensor_new_sequence(&b, RNL_F64, RNL_LAYOUT_LANES, 2, 4, 3, &err));
  for (int i = 0; i < 30; i++) rnl_tensor_put(&a, i, i * 0.1);
  for (int i = 0; i < 24; i++) rnl_tensor_put(&b, i, -i);
  must(rnl_tensors_add(&list, "y", &a, &err));
  must(rnl_tensors_add(&list, "prediction \xc3\xa9", &b, &err));
  expect_error(rnl_tensors_add(&list, "y", &b, &err), RNL_ERR_ARG, "two tensors are named \"y\"");
  must(rnl_npz_write(test_path("a.npz"), &list, &err));
  must(rnl_npz_write(test_path("b.npz"), &list, &err));
  must(rnl_npz_read(&back, test_path("a.npz"), &err));
  assert_int_equal(back.count, 2);
  const rnl_tensor *y = rnl_tensors_find(&back, "y"), *p = rnl_tensors_find(&back, "prediction \xc3\xa9");
  assert_true(y && p && y->dtype == RNL_F32 && p->dtype == RNL_F64 && p->layout == RNL_LAYOUT_STRIDED);
  assert_true(rnl_tensor_same_shape(y, &a) && rnl_tensor_same_shape(p, &b));
  for (int i = 0; i < 30; i++) assert_true(rnl_tensor_at(y, i) == rnl_tensor_at(&a, i));
  for (int i = 0; i < 24; i++) assert_true(rnl_tensor_at(p, i) == -i);
  rnl_buffer first = { 0 }, second = { 0 }; /* same tensors, same bytes */
  must(rnl_file_read(test_path("a.npz"), 1 << 20, &first, &err));
  must(rnl_file_read(test_path("b.npz"), 1 << 20, &second, &err));
  assert_int_equal(first.length, second.length);
  assert_memory_equal(first.data, second.data, first.length);
  rnl_buffer_free(&first);
  rnl_buffer_free(&second);
  rnl_tensors_free(&back);
  rnl_tensors_free(&list);
  rnl_tensors_free(&list);
  must(rnl_npz_write(test_path("none.npz"), &list, &err));
  must(rnl_npz_read(&back, test_path("none.npz"), &err));
  assert_int_equal(back.count, 0);
  must(rnl_tensors_add(&list, "../evil", &a, &err));
  expect_error(rnl_npz_write(test_path("c.npz"), &list, &err), RNL_ERR_ARG, "\"../evil\" cannot name");
  rnl_tensors_free(&list);
  must(rnl_npy_write(test_path("a.npy"), &a, &err));
  rnl_tensor read;
  must(rnl_npy_read(&read, test_path("a.npy"), &err));
  assert_true(rnl_tensor_same_shape(&read, &a) && rnl_tensor_at(&read, 29) == rnl_tensor_at(&a, 29));
  rnl_tensor_release(&read);
  expect_error(rnl_npy_read(&read, test_path("none.npy"), &err), RNL_ERR_NOT_FOUND, "none.npy: cannot open");
  rnl_tensor_release(&a);
  rnl_tensor_release(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

/* A zip of one entry by libzip itself: deflated, as numpy.savez_compressed writes. */
static void zip_entry(const char *path, const char *name, const void *data, size_t length) {
  int code;
  zip_t *z = zip_open(path, ZIP_CREATE, &code);
  assert_non_null(z);
  zip_source_t *source = zip_source_buffer(z, data, length, 0);
  assert_true(zip_file_add(z, name, source, ZIP_FL_ENC_UTF_8) >= 0);
  assert_int_equal(zip_close(z), 0);
}

static void test_npz_from_others(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  static double zeros[50000];
  zeros[49999] = 3;
  make_npy(&b, DICT("<f8", "False", "(50000,)"), zeros, sizeof zeros);
  zip_entry(test_path("z.npz"), "x.npy", b.data, b.length);
  zip_entry(test_path("z.npz"), "readme.txt", "not an array", 12);
  rnl_tensors list = { 0 };
  must(rnl_npz_read(&list, test_path("z.npz"), &err));
  assert_int_equal(list.count, 1);
  assert_true(rnl_tensor_at(rnl_tensors_find(&list, "x"), 49999) == 3);
  rnl_tensors_free(&list);
  zip_entry(test_path("bad.npz"), "x.npy", "PK nonsense", 11);
  expect_error(rnl_npz_read(&list, test_path("bad.npz"), &err), RNL_ERR_FORMAT, "bad.npz(x): is no npy file");
  put_text(test_path("text.npz"), "this is no archive");
  expect_error(rnl_npz_read(&list, test_path("text.npz"), &err), RNL_ERR_FORMAT, "text.npz: ");
  put_text(test_path("empty.npz"), "");
  expect_error(rnl_npz_read(&list, test_path("empty.npz"), &err), RNL_ERR_FORMAT, "empty.npz: ");

  /* Damage: a flipped bit in the data breaks the checksum; a made-up size is not believed; any random
   * change is survived. */
  rnl_tensor t;
  must(rnl_tensor_new(&t, RNL_F64, 1, (int64_t[]){ 4 }, &err));
  must(rnl_tensors_add(&list, "x", &t, &err));
  must(rnl_npz_write(test_path("good.npz"), &list, &err));
  rnl_tensors_free(&list);
  rnl_tensor_release(&t);
  rnl_buffer good = { 0 };
  must(rnl_file_read(test_path("good.npz"), 10000, &good, &err));
  rnl_rng rng;
  rnl_rng_init(&rng, 2, RNL_RNG_USER, 0);
  good.data[35 + 128 + 3] ^= 1; /* 30 bytes of local header and 5 of name, then the array */
  put_file(test_path("flip.npz"), good.data, good.length);
  expect_error(rnl_npz_read(&list, test_path("flip.npz"), &err), RNL_ERR_FORMAT, "is damaged");
  good.data[35 + 128 + 3] ^= 1;
  int read = 0;
  for (int i = 0; i < 1000; i++) {
    char *copy = malloc(good.length);
    memcpy(copy, good.data, good.length);
    for (int k = 0; k < 1 + i % 3; k++) copy[rnl_rng_below(&rng, good.length)] = (char)rnl_rng_u32(&rng);
    put_file(test_path("r.npz"), copy, good.length - (i % 5 == 0 ? rnl_rng_below(&rng, good.length) : 0));
    if (rnl_npz_read(&list, test_path("r.npz"), &err) == RNL_OK) read++;
    rnl_tensors_free(&list);
    free(copy);
  }
  assert_true(read < 750);
  rnl_buffer_free(&good);
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_out_of_memory(void **state) {
  (void)state;
  rnl_tensors list = { 0 };
  rnl_tensor t;
  must(rnl_tensor_new(&t, RNL_F64, 2, (int64_t[]){ 4, 4 }, &err));
  must(rnl_tensors_add(&list, "x", &t, &err));
  must(rnl_npz_write(test_path("m.npz"), &list, &err));
  int64_t live = rnl_alloc_live();
  rnl_status status = RNL_ERR_MEMORY;
  for (int i = 1; i < 100 && status != RNL_OK; i++) {
    rnl_tensors back = { 0 };
    rnl_alloc_fail_after(i);
    status = rnl_npz_read(&back, test_path("m.npz"), &err);
    rnl_alloc_fail_after(0);
    if (status != RNL_OK) assert_int_equal(status, RNL_ERR_MEMORY);
    rnl_tensors_free(&back);
    assert_int_equal(rnl_alloc_live(), live);
  }
  assert_int_equal(status, RNL_OK);
  status = RNL_ERR_MEMORY;
  for (int i = 1; i < 100 && status != RNL_OK; i++) {
    rnl_alloc_fail_after(i);
    status = rnl_npz_write(test_path("m.npz"), &list, &err);
    rnl_alloc_fail_after(0);
    if (status != RNL_OK) assert_int_equal(status, RNL_ERR_MEMORY);
    assert_int_equal(rnl_alloc_live(), live);
  }
  assert_int_equal(status, RNL_OK);
  rnl_tensors_free(&list);
  rnl_tensor_release(&t);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    cmocka_unit_test(test_bytes_written), cmocka_unit_test(test_kinds_read),
    cmocka_unit_test(test_hostile_npy), cmocka_unit_test(test_random_damage),
    IN_FOLDER(test_npz_round_trip), IN_FOLDER(test_npz_from_others), IN_FOLDER(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
