/* sweep_setup.h: spaces and histories for the tests of the sweep room. */
#ifndef RNL_TEST_SWEEP_SETUP_H
#define RNL_TEST_SWEEP_SETUP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "sweep/sampler.h"

#define OK(call)                                                \
  do {                                                          \
    rnl_error err_ = {0};                                       \
    rnl_error *err = &err_;                                     \
    if ((call) != RNL_OK) fail_msg("%s: %s", #call, err->text); \
  } while (0)

/* The call fails with this status and a text of one line that holds `part`. */
#define FAILS(call, wanted, part)                                                                       \
  do {                                                                                                  \
    rnl_error err_ = {0};                                                                               \
    rnl_error *err = &err_;                                                                             \
    if ((call) != (wanted) || !strstr(err->text, part) || strchr(err->text, '\n'))                      \
      fail_msg("%s: status %d, \"%s\"; \"%s\" was expected in it", #call, err->status, err->text, part); \
  } while (0)

static inline void parse(rnl_space *space, const char *name, rnl_declared_kind kind, const char *text) {
  const rnl_declared declared = {.name = name, .kind = kind};
  OK(rnl_space_parse(space, &declared, text, err));
}

static inline rnl_sampler *sampler_of(const rnl_space *space, rnl_sampler_kind kind, uint64_t seed) {
  rnl_sampler *sampler = NULL;
  OK(rnl_sampler_new(&sampler, space, &(rnl_sampler_options){.kind = kind}, seed, err));
  return sampler;
}

#endif
