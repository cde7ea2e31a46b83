/* RNNLAB_ISA is obeyed: without this the isa_* tests could all run the same kernels and never say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"

static void the_asked_for_isa_is_used(void **state) {
  (void)state;
  const char *asked = getenv("RNNLAB_ISA");
  const char *refused = NULL;
  const char *isa = rnl_kernel_isa(&refused);
  assert_non_null(isa);
  if (!asked || !*asked) {
    assert_null(refused);
  } else if (strcmp(asked, "generic") == 0) {
    assert_string_equal(isa, "generic");
    assert_null(refused);
  } else if (refused) {
    assert_string_equal(refused, asked); /* this machine has not got it, and says so */
    assert_string_not_equal(isa, asked);
  } else {
    assert_string_equal(isa, asked);
  }
}

static void both_types_come_from_one_isa(void **state) {
  (void)state;
  assert_string_equal(rnl_kernels_of(false)->isa, rnl_kernels_of(true)->isa);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_asked_for_isa_is_used),
      cmocka_unit_test(both_types_come_from_one_isa),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
