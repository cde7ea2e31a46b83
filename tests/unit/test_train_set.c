/* Sets of sequences: what they refuse, and how batches are weighed. */
#include "golden.h"

#include "train/set.h"

static rnl_tensor zeros(int ndim, const int64_t *size) {
  rnl_tensor t = {0};
  OK(rnl_tensor_new(&t, RNL_F32, ndim, size, err));
  return t;
}

#define ZEROS(...) zeros((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static rnl_set small_set(void) {
  rnl_tensor x = ZEROS(4, 20, 3), y = ZEROS(4, 20, 2);
  rnl_set set;
  OK(rnl_set_new(&set, "the training set", &x, &y, err));
  rnl_tensor_release(&x);
  rnl_tensor_release(&y);
  return set;
}

/* Add a field that is filled with ones. */
static rnl_status add(rnl_set *set, const char *name, rnl_tensor value, rnl_error *err) {
  rnl_tensor_fill(&value, 1);
  rnl_status status = rnl_set_add(set, "the training set", name, &value, err);
  rnl_tensor_release(&value);
  return status;
}

static void expect(rnl_status status, const rnl_error *error, const char *text) {
  assert_int_not_equal(status, RNL_OK);
  if (strcmp(error->text, text) != 0) fail_msg("'%s' is not '%s'", error->text, text);
}

static void a_bad_number_is_named_by_its_place(void **state) {
  (void)state;
  rnl_set set = small_set();
  rnl_error error = {0};
  OK(rnl_set_check(&set, "the training set", err));
  rnl_tensor_set(&set.field[RNL_SET_X].value, (int64_t[]){2, 16, 1}, NAN);
  expect(rnl_set_check(&set, "the training set", &error), &error,
         "the training set: x has a NaN at sequence 3, step 17, feature 2");
  rnl_tensor_set(&set.field[RNL_SET_X].value, (int64_t[]){2, 16, 1}, 0);
  rnl_tensor_set(&set.field[RNL_SET_Y].value, (int64_t[]){0, 1, 0}, -INFINITY);
  expect(rnl_set_check(&set, "the training set", &error), &error,
         "the training set: y has an infinite number at sequence 1, step 2, feature 1");
  rnl_tensor_set(&set.field[RNL_SET_Y].value, (int64_t[]){0, 1, 0}, 0);
  OK(add(&set, "mask", ZEROS(4, 20), err));
  OK(add(&set, "lengths", ZEROS(4), err));
  OK(add(&set, "weights", ZEROS(4), err));
  OK(rnl_set_check(&set, "the training set", err));
  rnl_tensor_set(&set.field[set.mask].value, (int64_t[]){3, 0}, 0.5);
  expect(rnl_set_check(&set, "the training set", &error), &error,
         "the training set: mask has 0.5 at sequence 4, step 1; a mask holds 0 and 1");
  rnl_tensor_fill(&set.field[set.mask].value, 0);
  expect(rnl_set_check(&set, "the training set", &error), &error, "the training set: the mask leaves no valid step");
  rnl_tensor_fill(&set.field[set.mask].value, 1);
  const double bad[] = {0, 21, 2.5, -1};
  for (int i = 0; i < 4; i++) {
    char text[200];
    rnl_tensor_set(&set.field[set.lengths].value, (int64_t[]){1}, bad[i]);
    snprintf(text, sizeof text, "the training set: lengths has %g at sequence 2; expected a whole number from 1 to 20",
             bad[i]);
    expect(rnl_set_check(&set, "the training set", &error), &error, text);
  }
  rnl_tensor_set(&set.field[set.lengths].value, (int64_t[]){1}, 20);
  rnl_tensor_set(&set.field[4].value, (int64_t[]){0}, -1);
  expect(rnl_set_check(&set, "the training set", &error), &error,
         "the training set: weights has -1 at sequence 1; expected a weight of at least 0");
  rnl_set_release(&set);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void bad_shapes_are_refused(void **state) {
  (void)state;
  rnl_set set = small_set();
  rnl_error error = {0};
  expect(add(&set, "mask", ZEROS(4, 19), &error), &error,
         "the training set: mask is (4, 19); expected (batch, time), here (4, 20)");
  expect(add(&set, "lengths", ZEROS(4, 1), &error), &error,
         "the training set: lengths is (4, 1); expected one number a sequence, here (4)");
  expect(add(&set, "other", ZEROS(3, 20), &error), &error,
         "the training set: other is (3, 20); its first size must be the 4 sequences of x");
  expect(add(&set, "x", ZEROS(4), &error), &error, "the training set: there are two fields 'x'");
  expect(add(&set, "a_name_much_too_long_for_a_field_of_a_set", ZEROS(4), &error), &error,
         "the training set: the field name 'a_name_much_too_long_for_a_field_of_a_set' is longer than 31 bytes");
  char name[8];
  for (int i = 2; i < RNL_SET_FIELDS; i++) {
    snprintf(name, sizeof name, "f%d", i);
    OK(add(&set, name, ZEROS(4), err));
  }
  expect(add(&set, "more", ZEROS(4), &error), &error, "the training set: there are more than 16 fields");
  rnl_set_release(&set);
  rnl_tensor x = ZEROS(4), y = ZEROS(4, 1);
  expect(rnl_set_new(&set, "the set", &x, &y, &error), &error,
         "the set: x is (4) and y is (4, 1); both need a batch dimension first, with as many sequences");
  rnl_tensor_release(&x);
  rnl_tensor_release(&y);
  assert_int_equal(rnl_alloc_live(), 0);
}

static void batches_weigh_their_valid_steps(void **state) {
  (void)state;
  rnl_set set = small_set();
  assert_true(rnl_set_weight(&set, 1, 2, NULL, 0, 20) == 2); /* whole sequences count alike */
  assert_true(rnl_set_weight(&set, 1, 2, NULL, 15, 5) == 10);
  OK(add(&set, "lengths", ZEROS(4), err));
  const double lengths[] = {20, 3, 7, 1};
  for (int64_t i = 0; i < 4; i++) rnl_tensor_set(&set.field[set.lengths].value, &i, lengths[i]);
  assert_true(rnl_set_weight(&set, 0, 4, NULL, 0, 20) == 31);
  assert_true(rnl_set_weight(&set, 0, 4, NULL, 5, 5) == 5 + 2);
  const int64_t order[] = {3, 1};
  assert_true(rnl_set_weight(&set, 0, 2, order, 0, 2) == 1 + 2);
  assert_true(rnl_set_weight(&set, 0, 2, order, 4, 2) == 0);
  OK(add(&set, "mask", ZEROS(4, 20), err));
  rnl_tensor_set(&set.field[set.mask].value, (int64_t[]){0, 1}, 0);
  assert_true(rnl_set_weight(&set, 0, 1, NULL, 0, 4) == 3);
  rnl_set_release(&set);
  /* A target a sequence: sequences count, however long. */
  rnl_tensor x = ZEROS(4, 20, 3), y = ZEROS(4, 2);
  OK(rnl_set_new(&set, "the set", &x, &y, err));
  rnl_tensor_release(&x);
  rnl_tensor_release(&y);
  OK(add(&set, "lengths", ZEROS(4), err));
  assert_true(rnl_set_weight(&set, 0, 3, NULL, 0, 20) == 3);
  rnl_set_release(&set);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_bad_number_is_named_by_its_place),
                                     cmocka_unit_test(bad_shapes_are_refused),
                                     cmocka_unit_test(batches_weigh_their_valid_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
