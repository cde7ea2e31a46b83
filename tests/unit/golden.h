/* golden.h: reading the JSON files of tests/golden/ and comparing tensors with them. */
#ifndef RNL_TEST_GOLDEN_H
#define RNL_TEST_GOLDEN_H

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "grad/plan.h"

#define OK(call)                                                       \
  do {                                                                 \
    rnl_error err_ = {0};                                              \
    rnl_error *err = &err_;                                            \
    if ((call) != RNL_OK) fail_msg("%s: %s", #call, err->text);        \
  } while (0)

/* What a plan lends holds anything at first, in its padding too: here NaN. Before a backward pass. */
static inline void spoil_borrowed(const rnl_plan *plan) {
  int n;
  rnl_node *const *nodes = rnl_plan_nodes(plan, &n);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < RNL_MAX_WORK; k++)
      if (nodes[i]->lent[k] && nodes[i]->work[k].storage)
        memset(rnl_tensor_data(&nodes[i]->work[k]), 0xff, nodes[i]->lent[k]);
}

typedef struct golden {
  json_t *root;
  char name[64];
} golden;

static inline golden golden_open(const char *name) {
  char path[1024];
  golden g = {0};
  json_error_t error;
  snprintf(g.name, sizeof g.name, "%s", name);
  snprintf(path, sizeof path, "%s/%s.json", RNL_GOLDEN_DIR, name);
  g.root = json_load_file(path, 0, &error);
  if (!g.root) fail_msg("%s: %s", path, error.text);
  return g;
}
static inline void golden_close(golden *g) { json_decref(g->root); }

static inline json_t *golden_entry(const golden *g, const char *group, const char *name) {
  return json_object_get(json_object_get(g->root, group), name);
}
static inline double golden_option(const golden *g, const char *name) {
  json_t *value = golden_entry(g, "options", name);
  if (!value) fail_msg("%s has no option %s", g->name, name);
  return json_number_value(value);
}
static inline const char *golden_text(const golden *g, const char *name, const char *fallback) {
  json_t *value = golden_entry(g, "options", name);
  return value ? json_string_value(value) : fallback;
}

/* The tensor group.name, in the dtype asked for. */
static inline rnl_tensor golden_tensor(const golden *g, const char *group, const char *name, rnl_dtype dtype) {
  json_t *entry = golden_entry(g, group, name);
  if (!entry) fail_msg("%s has no %s.%s", g->name, group, name);
  json_t *shape = json_object_get(entry, "shape"), *data = json_object_get(entry, "data");
  int64_t size[RNL_MAX_DIMS];
  int ndim = (int)json_array_size(shape);
  for (int i = 0; i < ndim; i++) size[i] = json_integer_value(json_array_get(shape, (size_t)i));
  rnl_tensor t = {0};
  OK(rnl_tensor_new(&t, dtype, ndim, size, err));
  for (int64_t i = 0; i < rnl_tensor_numel(&t); i++)
    rnl_tensor_put(&t, i, json_number_value(json_is_array(data) ? json_array_get(data, (size_t)i) : data));
  return t;
}
static inline rnl_var *golden_var(const golden *g, const char *group, const char *name, rnl_dtype dtype) {
  rnl_tensor t = golden_tensor(g, group, name, dtype);
  rnl_var *var = rnl_var_new(&t, true);
  assert_non_null(var);
  OK(rnl_var_set_name(var, name, err));
  return var;
}

static inline double golden_tolerance(rnl_dtype dtype) { return dtype == RNL_F64 ? 1e-10 : 2e-5; }

static inline double error_of(double a, double b) { return fabs(a - b) / (1 + fabs(b)); }

/* Fails unless every element of `got` is within the dtype's tolerance of group.name. */
static inline void golden_compare(const golden *g, const char *group, const char *name, const rnl_tensor *got,
                                  const char *context) {
  rnl_tensor want = golden_tensor(g, group, name, RNL_F64);
  if (!got->storage) fail_msg("%s %s: no %s.%s", g->name, context, group, name);
  assert_int_equal(rnl_tensor_numel(got), rnl_tensor_numel(&want));
  for (int64_t i = 0; i < rnl_tensor_numel(&want); i++) {
    double a = rnl_tensor_at(got, i), b = rnl_tensor_at(&want, i);
    if (!(error_of(a, b) <= golden_tolerance(got->dtype)))
      fail_msg("%s %s: %s.%s[%lld] is %.17g, expected %.17g", g->name, context, group, name, (long long)i, a, b);
  }
  rnl_tensor_release(&want);
}

#endif
