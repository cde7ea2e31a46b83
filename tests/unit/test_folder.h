/* test_folder.h: a temporary folder for tests that write files, and small files in it. */
#ifndef RNL_TEST_FOLDER_H
#define RNL_TEST_FOLDER_H

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char test_folder[256];

/* cmocka set-up and tear-down: test_folder is an empty folder, removed afterwards. */
static int make_test_folder(void **state) {
  (void)state;
  const char *base = getenv("TMPDIR");
  snprintf(test_folder, sizeof test_folder, "%s/rnnlab-test-XXXXXX", base && base[0] ? base : "/tmp");
  return mkdtemp(test_folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at) {
  (void)info;
  (void)type;
  (void)at;
  return remove(path);
}

static int remove_test_folder(void **state) {
  (void)state;
  return nftw(test_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* "<test_folder>/<name>" in one of a few static buffers. */
static inline char *test_path(const char *format, ...) {
  static char buffers[8][1024];
  static int next;
  char name[512];
  va_list args;
  va_start(args, format);
  vsnprintf(name, sizeof name, format, args);
  va_end(args);
  char *out = buffers[next++ % 8];
  snprintf(out, 1024, "%s/%s", test_folder, name);
  return out;
}

static inline void put_file(const char *path, const void *bytes, size_t length) {
  remove(path); /* ext4 waits for the disk when a file is cut and written anew */
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) abort();
}

static inline void put_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }

#endif
