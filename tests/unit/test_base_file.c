/* Files and folders: atomic writes, checked appends, a full disk, paths, SHA-256. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "test_folder.h"

static rnl_error err;

static void expect_content(const char *path, const char *text) {
  rnl_buffer b = { 0 };
  assert_int_equal(rnl_file_read(path, 1 << 20, &b, &err), RNL_OK);
  assert_string_equal(rnl_buffer_string(&b), text);
  rnl_buffer_free(&b);
}

static void test_write_and_read(void **state) {
  (void)state;
  char *path = test_path("a.txt");
  assert_int_equal(rnl_file_write(path, "first", 5, RNL_DURABLE, &err), RNL_OK);
  expect_content(path, "first");
  assert_int_equal(rnl_file_write(path, "second", 6, RNL_QUICK, &err), RNL_OK);
  expect_content(path, "second");
  /* Nothing else was left in the folder. */
  assert_int_equal(remove(path), 0);
  assert_int_equal(rmdir(test_folder), 0);
  assert_int_equal(mkdir(test_folder, 0777), 0);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_read_errors(void **state) {
  (void)state;
  rnl_buffer b = { 0 };
  assert_int_equal(rnl_file_read(test_path("none"), 100, &b, &err), RNL_ERR_NOT_FOUND);
  assert_non_null(strstr(err.text, "/none: cannot open: No such file"));
  assert_int_equal(rnl_file_read(test_folder, 100, &b, &err), RNL_ERR_IO);
  put_text(test_path("ten"), "0123456789");
  assert_int_equal(rnl_file_read(test_path("ten"), 9, &b, &err), RNL_ERR_FORMAT);
  assert_non_null(strstr(err.text, "has 10 bytes; at most 9"));
  assert_int_equal(b.length, 0);
  assert_int_equal(rnl_file_read(test_path("ten"), 10, &b, &err), RNL_OK);
  assert_int_equal(rnl_file_read(test_path("ten"), 10, &b, &err), RNL_OK); /* appends */
  assert_string_equal(b.data, "01234567890123456789");
  /* A file that claims no size and never ends. */
  assert_int_equal(rnl_file_read("/dev/zero", 1000000, &b, &err), RNL_ERR_FORMAT);
  assert_int_equal(b.length, 20);
  rnl_buffer_free(&b);
}

static void test_write_errors(void **state) {
  (void)state;
  assert_int_equal(rnl_file_write(test_path("no/such/folder"), "x", 1, RNL_QUICK, &err),
                   RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_file_write("/dev/full/x", "x", 1, RNL_QUICK, &err), RNL_ERR_IO);
  for (int i = 1; i <= 2; i++) {
    rnl_alloc_fail_after(i);
    assert_int_equal(rnl_file_write(test_path("m"), "x", 1, RNL_QUICK, &err), RNL_ERR_MEMORY);
    rnl_alloc_fail_after(0);
  }
  assert_false(rnl_path_exists(test_path("m")));
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_append(void **state) {
  (void)state;
  rnl_append file;
  char *path = test_path("rows");
  put_text(path, "old\n");
  assert_int_equal(rnl_append_open(&file, path, &err), RNL_OK);
  assert_int_equal(file.size, 4);
  assert_int_equal(rnl_append_write(&file, "new\n", 4, &err), RNL_OK);
  assert_int_equal(rnl_append_sync(&file, &err), RNL_OK);
  assert_int_equal(file.size, 8);
  assert_int_equal(rnl_append_close(&file, &err), RNL_OK);
  assert_int_equal(rnl_append_close(&file, &err), RNL_OK);
  assert_int_equal(rnl_append_write(&file, "x", 1, &err), RNL_ERR_ARG);
  expect_content(path, "old\nnew\n");
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_append_to_full_device(void **state) {
  (void)state;
  rnl_append file;
  if (!rnl_path_exists("/dev/full")) return;
  assert_int_equal(rnl_append_open(&file, "/dev/full", &err), RNL_OK);
  assert_int_equal(rnl_append_write(&file, "row\n", 4, &err), RNL_ERR_IO);
  assert_string_equal(err.text, "/dev/full: cannot write: No space left on device");
  rnl_append_close(&file, NULL);
}

/* A file-size limit stands for a disk that fills in the middle of a write: in a child, since it stays. */
static int fill_up(void) {
  struct rlimit limit = { 10000, 10000 };
  signal(SIGXFSZ, SIG_IGN);
  rnl_append file;
  char row[100];
  memset(row, 'r', sizeof row);
  row[99] = '\n';
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
  if (rnl_append_open(&file, test_path("limited"), NULL) != RNL_OK) return 2;
  if (rnl_append_write(&file, "head\n", 5, NULL) != RNL_OK) return 3;
  rnl_status status = RNL_OK;
  int rows = 0;
  for (; rows < 1000 && status == RNL_OK; rows++) status = rnl_append_write(&file, row, 100, NULL);
  rnl_append_close(&file, NULL);
  if (status != RNL_ERR_IO || rows != 100) return 4;
  char *big = calloc(1, 20000);
  if (rnl_file_write(test_path("whole"), big, 20000, RNL_DURABLE, NULL) != RNL_ERR_IO) return 5;
  free(big);
  return 0;
}

static void test_disk_full(void **state) {
  (void)state;
  put_text(test_path("whole"), "what was there before");
  pid_t child = fork();
  if (child == 0) _exit(fill_up());
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  struct stat info;
  assert_int_equal(stat(test_path("limited"), &info), 0);
  assert_int_equal(info.st_size, 5 + 99 * 100); /* cut back to whole rows */
  expect_content(test_path("whole"), "what was there before");
  remove(test_path("limited"));
  remove(test_path("whole"));
  assert_int_equal(rmdir(test_folder), 0); /* no temporary file is left */
  mkdir(test_folder, 0777);
}

static void test_folders(void **state) {
  (void)state;
  bool made;
  assert_int_equal(rnl_folder_make(test_path("a/b/c"), &err), RNL_OK);
  assert_int_equal(rnl_folder_make(test_path("a/b/c/"), &err), RNL_OK);
  assert_true(rnl_path_is_folder(test_path("a/b/c")));
  assert_int_equal(rnl_folder_claim(test_path("a/x"), &made, &err), RNL_OK);
  assert_true(made);
  assert_int_equal(rnl_folder_claim(test_path("a/x"), &made, &err), RNL_OK);
  assert_false(made);
  assert_int_equal(rnl_folder_claim(test_path("q/x"), &made, &err), RNL_ERR_IO);
  put_text(test_path("file"), "");
  assert_int_equal(rnl_folder_make(test_path("file"), &err), RNL_ERR_IO);
  assert_int_equal(rnl_folder_make(test_path("file/sub"), &err), RNL_ERR_IO);
  assert_non_null(strstr(err.text, "Not a directory"));
  assert_true(rnl_path_is_writable(test_path("a")));
  assert_true(rnl_path_is_writable(test_path("new/folder/to/be")));
  assert_false(rnl_path_is_writable(test_path("file/sub")));
  assert_int_equal(rnl_folder_sync(test_path("a"), &err), RNL_OK);
  assert_int_equal(rnl_folder_sync(test_path("none"), &err), RNL_ERR_NOT_FOUND);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void expect_owned(char *text, const char *expected) {
  assert_string_equal(text, expected);
  rnl_free(text);
}

static void test_paths(void **state) {
  (void)state;
  expect_owned(rnl_path_join("a", "b"), "a/b");
  expect_owned(rnl_path_join("a/", "b"), "a/b");
  expect_owned(rnl_path_join("", "b"), "b");
  expect_owned(rnl_path_join(NULL, "b"), "b");
  expect_owned(rnl_path_join("a", "/b"), "/b");
  expect_owned(rnl_path_folder("a/b.lua"), "a");
  expect_owned(rnl_path_folder("b.lua"), ".");
  expect_owned(rnl_path_folder("/b"), "/");
  expect_owned(rnl_path_folder("/"), "/");
  expect_owned(rnl_path_folder("a//b//"), "a");
  expect_owned(rnl_path_folder(""), ".");
  assert_string_equal(rnl_path_base("a/b.lua"), "b.lua");
  assert_string_equal(rnl_path_base("b.lua"), "b.lua");
  assert_int_equal(rnl_alloc_live(), 0);
}

static void test_sha256(void **state) {
  (void)state;
  char text[RNL_SHA256_TEXT], again[RNL_SHA256_TEXT];
  rnl_sha256_bytes(text, "abc", 3); /* FIPS 180-2, B.1 */
  assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  rnl_sha256_bytes(text, "", 0);
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  char *big = malloc(200000);
  memset(big, 'a', 200000);
  put_file(test_path("big"), big, 200000);
  rnl_sha256_bytes(text, big, 200000);
  assert_int_equal(rnl_sha256_file(again, test_path("big"), &err), RNL_OK);
  assert_string_equal(text, again);
  assert_int_equal(rnl_sha256_file(again, test_path("none"), &err), RNL_ERR_NOT_FOUND);
  free(big);
  assert_int_equal(rnl_alloc_live(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)
    IN_FOLDER(test_write_and_read), IN_FOLDER(test_read_errors), IN_FOLDER(test_write_errors),
    IN_FOLDER(test_append), IN_FOLDER(test_append_to_full_device), IN_FOLDER(test_disk_full),
    IN_FOLDER(test_folders), IN_FOLDER(test_paths), IN_FOLDER(test_sha256),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
