/* The Lua side carried inside the program (bind/lua_sources.h) is the Lua side in lua/rnnlab/, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind/lua_sources.h"

/* The file a module name stands for; tests/golden is two folders below the project's. */
static FILE *open_module(const char *name) {
  char path[4096], relative[512];
  snprintf(relative, sizeof relative, "%s", name);
  for (char *c = relative; *c; c++) {
    if (*c == '.') *c = '/';
  }
  snprintf(path, sizeof path, "%s/../../lua/%s.lua", RNL_GOLDEN_DIR, relative);
  FILE *file = fopen(path, "rb");
  if (!file) {
    snprintf(path, sizeof path, "%s/../../lua/%s/init.lua", RNL_GOLDEN_DIR, relative);
    file = fopen(path, "rb");
  }
  return file;
}

static void every_source_is_its_file(void **state) {
  (void)state;
  for (const struct rnl_lua_source *source = rnl_lua_sources; source->name; source++) {
    FILE *file = open_module(source->name);
    if (!file) fail_msg("no file for the embedded module %s", source->name);
    char *text = malloc(source->size + 2);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, source->size + 2, file), source->size);
    assert_memory_equal(text, source->text, source->size);
    assert_int_equal(source->text[source->size], 0);
    free(text);
    fclose(file);
  }
}

static void names_are_modules_in_order(void **state) {
  (void)state;
  const struct rnl_lua_source *source = rnl_lua_sources;
  assert_non_null(source->name);
  int faces = 0;
  for (; source->name; source++) {
    assert_true(strncmp(source->name, "rnnlab", 6) == 0);
    assert_null(strchr(source->name, '/'));
    assert_null(strstr(source->name, "meta"));
    faces += strcmp(source->name, "rnnlab") == 0;
    if (source[1].name) assert_true(strcmp(source->name, source[1].name) < 0);
  }
  assert_int_equal(faces, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_source_is_its_file),
      cmocka_unit_test(names_are_modules_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
