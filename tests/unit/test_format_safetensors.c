/* safetensors: bytes made by hand, round trips, hostile headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include "test_folder.h"

static rnl_error err;

static void must(rnl_status status) {
  if (status != RNL_OK) fail_msg("%s", err.text);
}

static void make_file(rnl_buffer *out, const char *header, const void *data, size_t length) {
  rnl_buffer_clear(out);
  uint64_t n = strlen(header);
  for (int i = 0; i < 8; i++) rnl_buffer_char(out, (char)(n >> 8 * i & 0xff));
  rnl_buffer_text(out, header);
  rnl_buffer_append(out, data, length);
}

static void test_bytes_written(void **state) {
  (void)state;
  rnl_tensors list = { 0 };
  rnl_tensor w, b;
  must(rnl_tensor_new(&w, RNL_F32, 2, (int64_t[]){ 1, 2 }, &err));
  must(rnl_tensor_new(&b, RNL_F64, 1, (int64_t[]){ 1 }, &err));
  rnl_tensor_put(&w, 0, 1.5);
  rnl_tensor_put(&w, 1, -2);
  rnl_tensor_put(&b, 0, 0.25);
  must(rnl_tensors_add(&list, "W", &w, &err));
  must(rnl_tensors_add(&list, "b", &b, &err));
  json_t *metadata = json_pack("{s:s}", "cell", "elman");
  rnl_buffer out = { 0 }, expected = { 0 };
  must(rnl_safetensors_encode(&out, &list, metadata, &err));
  /* float64 first, so that it lies aligned; blanks up to a multiple of 8. */
  char data[16];
  memcpy(data, &(double){ 0.25 }, 8);
  memcpy(data + 8, (float[]){ 1.5f, -2 }, 8);
  make_file(&expected,
            "{\"__metadata__\":{\"cell\":\"elman\"},"
            "\"b\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
            "\"W\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}}  ", data, 16);
  assert_int_equal(out.length, expected.length);
  assert_memory_equal(out.data, expected.data, out.length);
  assert_int_equal((out.length - 16) % 8, 0);

  must(rnl_safetensors_write(test_path("m.safetensors"), &list, metadata, &err));
  rnl_tensors back = { 0 };
  json_t *read;
  must(rnl_safetensors_read(&back, &read, test_path("m.safetensors"), &err));
  assert_true(json_equal(read, metadata));
  assert_int_equal(back.count, 2);
  assert_true(rnl_tensor_at(rnl_tensors_find(&back, "W"), 1) == -2);
  assert_true(rnl_tensor_at(rnl_tensors_find(&back, "b"), 0) == 0.25);
  assert_int_equal((uintptr_t)rnl_tensor_data(rnl_tensors_find(&back, "W")) % 64, 0);
  json_decref(read);
  json_decref(metadata);
  rnl_tensors_free(&back);

  /* What cannot be written. */
  metadata = json_pack("{s:i}", "epochs", 3);
  assert_int_equal(rnl_safetensors_encode(&out, &list, metadata, &err), RNL_ERR_ARG);
  assert_string_equal(err.text, "safetensors metadata \"epochs\" must be text");
  json_decref(metadata);
  must(rnl_tensors_add(&list, "__metadata__", &b, &err));
  assert_int_equal(rnl_safetensors_encode(&out, &list, NULL, &err), RNL_ERR_ARG);
  rnl_tensors_free(&list);
  must(rnl_tensors_add(&list, "\xff\xfe", &b, &err));
  assert_int_equal(rnl_safetensors_write(test_path("x"), &list, NULL, &err), RNL_ERR_ARG);
  assert_non_null(strstr(err.text, "UTF-8"));
  rnl_tensors_free(&list);
  must(rnl_safetensors_write(test_path("none"), &list, NULL, &err));
  must(rnl_safetensors_read(&back, &read, test_path("none"), &err));
  assert_true(back.count == 0 && json_object_size(read) == 0);
  json_decref(read);
  rnl_tensor_release(&w);
  rnl_tensor_release(&b);
  rnl_buffer_free(&out);
  rnl_buffer_free(&expected);
  assert_int_equal(rnl_alloc_live(), 0);
}

#define T(dtype, shape, begin, end) \
  "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void test_hostile(void **state) {
  (void)state;
  static const struct {
    const char *header, *message; /* with 8 bytes of data */
  } cases[] = {
    { "{\"a\":" T("F32", "[4194305,4194305,211106198978564]", 0, 8) "}", "does not fit" },
    { "{\"a\":" T("F32", "[9223372036854775807,2]", 0, 8) "}", "does not fit" },
    { "{\"a\":" T("F32", "[3]", 0, 8) "}", "shape (3) does not fit bytes 0 to 8 of the 8" },
    { "{\"a\":" T("F32", "[2]", 8, 16) "}", "does not fit bytes 8 to 16" },
    { "{\"a\":" T("F32", "[2]", 8, 0) "}", "does not fit" },
    { "{\"a\":" T("F32", "[1]", 4, 8) "}", "begins at byte 4" },
    { "{\"a\":" T("F32", "[1]", 0, 4) "}", "8 bytes of data; its tensors take 4" },
    { "{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F32", "[1]", 4, 8) "}", "begins at byte 4, not where" },
    { "{\"a\":" T("F32", "[2]", 0, 8) ",\"a\":" T("F32", "[2]", 0, 8) "}",
      "bad safetensors header: duplicate" },
    { "{\"a\":" T("F32", "[-2]", 0, 8) "}", "no natural number" },
    { "{\"a\":" T("F32", "[2.0]", 0, 8) "}", "no natural number" },
    { "{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", "9 dimensions" },
    { "{\"a\":" T("BF16", "[4]", 0, 8) "}", "dtype BF16; F32 and F64" },
    { "{\"a\":" T("F32", "2", 0, 8) "}", "lacks a proper" },
    { "{\"a\":" T("F32", "[2]", -8, 0) "}", "lacks a proper" },
    { "{\"a\":{}}", "lacks a proper" }, { "{\"a\":3}", "lacks a proper" }, { "{}", "its tensors take 0" },
    { "{\"__metadata__\":{\"a\":1},\"a\":" T("F32", "[2]", 0, 8) "}", "must map text to text" },
    { "{\"__metadata__\":[],\"a\":" T("F32", "[2]", 0, 8) "}", "must map text to text" },
    { " {}", "does not begin with '{'" }, { "", "does not begin" }, { "[]", "does not begin" },
    { "{\"a\":", "bad safetensors header" },
    { "{\"a\":" T("F32", "[2]", 0, 8) "} x", "bad safetensors header" },
    { "{\"a\\u0000b\":" T("F32", "[2]", 0, 8) "}", "bad safetensors header" },
  };
  rnl_buffer b = { 0 };
  rnl_tensors list = { 0 };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *metadata;
    make_file(&b, cases[i].header, "12345678", 8);
    char *exact = malloc(b.length);
    memcpy(exact, b.data, b.length);
    assert_int_equal(rnl_safetensors_decode(&list, &metadata, exact, b.length, "t", &err), RNL_ERR_FORMAT);
    if (!strstr(err.text, cases[i].message)) fail_msg("\"%s\" for %s", err.text, cases[i].header);
    assert_true(list.count == 0 && metadata == NULL);
    free(exact);
  }
  make_file(&b, "{\"a\":" T("F32", "[2]", 0, 8) ",\"z\":" T("F64", "[0,7]", 0, 0) "}", "12345678", 8);
  must(rnl_safetensors_decode(&list, NULL, b.data, b.length, "t", &err));
  assert_int_equal(list.count, 2);
  rnl_tensors_free(&list);
  for (size_t n = 0; n < b.length; n++) {
    char *exact = malloc(n ? n : 1);
    memcpy(exact, b.data, n);
    assert_int_equal(rnl_safetensors_decode(&list, NULL, exact, n, "t", &err), RNL_ERR_FORMAT);
    free(exact);
  }
  memset(b.data, 0xff, 8);
  assert_int_equal(rnl_safetensors_decode(&list, NULL, b.data, b.length, "t", &err), RNL_ERR_FORMAT);
  assert_non_null(strstr(err.text, "header of 18446744073709551615 bytes"));
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_random_damage(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  rnl_rng rng;
  rnl_rng_init(&rng, 3, RNL_RNG_USER, 0);
  make_file(&b, "{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F64", "[1,1]", 8, 16) "}",
            "123456781234567", 16);
  for (int i = 0; i < 20000; i++) {
    char copy[512];
    rnl_tensors list = { 0 };
    json_t *metadata;
    memcpy(copy, b.data, b.length);
    for (int k = 0; k < 1 + i % 3; k++)
      copy[rnl_rng_below(&rng, b.length)] =
          i % 2 ? (char)rnl_rng_u32(&rng) : (char)('0' + rnl_rng_below(&rng, 10));
    if (rnl_safetensors_decode(&list, &metadata, copy, b.length, "t", &err) == RNL_OK) json_decref(metadata);
    rnl_tensors_free(&list);
  }
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_many_tensors(void **state) {
  (void)state;
  rnl_buffer header = { 0 }, b = { 0 };
  rnl_tensors list = { 0 };
  rnl_buffer_char(&header, '{');
  for (int i = 0; i < 200001; i++)
    rnl_buffer_printf(&header, "%s\"t%d\":" T("F32", "[0]", 0, 0), i ? "," : "", i);
  rnl_buffer_char(&header, '}');
  make_file(&b, header.data, "", 0);
  assert_int_equal(rnl_safetensors_decode(&list, NULL, b.data, b.length, "t", &err), RNL_ERR_FORMAT);
  assert_string_equal(err.text, "t: has 200001 tensors; at most 200000 are accepted");
  rnl_buffer_free(&header);
  rnl_buffer_free(&b);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_bytes_written, make_test_folder, remove_test_folder),
    cmocka_unit_test(test_hostile), cmocka_unit_test(test_random_damage), cmocka_unit_test(test_many_tensors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
