/* The random numbers: Philox against Random123's known answers, streams, positions, distributions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

/* Lines "philox4x32 10" of Random123's kat_vectors: counter, key, result. */
static void test_known_answers(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], answer[4];
  } known[] = {
    { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
      { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    rnl_rng rng;
    rnl_rng_init(&rng, (uint64_t)known[i].key[1] << 32 | known[i].key[0], RNL_RNG_DATA,
                 known[i].counter[3]);
    rng.purpose = known[i].counter[2];
    rng.position = (uint64_t)known[i].counter[1] << 32 | known[i].counter[0];
    for (int k = 0; k < 4; k++) assert_int_equal(rnl_rng_u32(&rng), known[i].answer[k]);
  }
}

static void test_streams_differ(void **state) {
  (void)state;
  rnl_rng streams[4];
  rnl_rng_init(&streams[0], 1, RNL_RNG_DATA, 0);
  rnl_rng_init(&streams[1], 2, RNL_RNG_DATA, 0);
  rnl_rng_init(&streams[2], 1, RNL_RNG_INIT, 0);
  rnl_rng_init(&streams[3], 1, RNL_RNG_DATA, 1);
  uint32_t words[4][64];
  for (int s = 0; s < 4; s++)
    for (int i = 0; i < 64; i++) words[s][i] = rnl_rng_u32(&streams[s]);
  for (int a = 0; a < 4; a++)
    for (int b = 0; b < a; b++) {
      int same = 0;
      for (int i = 0; i < 64; i++) same += words[a][i] == words[b][i];
      assert_true(same < 2);
    }
}

static void test_same_stream_same_bits(void **state) {
  (void)state;
  rnl_rng a, b;
  rnl_rng_init(&a, 77, RNL_RNG_SHUFFLE, 5);
  rnl_rng_init(&b, 77, RNL_RNG_SHUFFLE, 5);
  for (int i = 0; i < 1000; i++) assert_int_equal(rnl_rng_u32(&a), rnl_rng_u32(&b));
}

static void test_position_is_reachable(void **state) {
  (void)state;
  rnl_rng a, b;
  rnl_rng_init(&a, 3, RNL_RNG_DROPOUT, 9);
  for (int i = 0; i < 4 * 1000; i++) rnl_rng_u32(&a);
  rnl_rng_init(&b, 3, RNL_RNG_DROPOUT, 9);
  b.position = 1000;
  for (int i = 0; i < 10; i++) assert_int_equal(rnl_rng_u32(&a), rnl_rng_u32(&b));
}

static void test_uniform(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_rng_init(&rng, 1, RNL_RNG_DATA, 0);
  enum { N = 200000 };
  double sum = 0, squares = 0, low = 1, high = 0;
  int fine = 0;
  for (int i = 0; i < N; i++) {
    double u = rnl_rng_uniform(&rng);
    assert_true(u >= 0 && u < 1);
    sum += u;
    squares += u * u;
    low = fmin(low, u);
    high = fmax(high, u);
    fine += fmod(u * 0x1p53, 2) == 1; /* the 53rd bit is used */
  }
  assert_true(fabs(sum / N - 0.5) < 0.003);
  assert_true(fabs(squares / N - 1.0 / 3) < 0.003);
  assert_true(low < 1e-4 && high > 1 - 1e-4);
  assert_true(abs(fine - N / 2) < 2000);
}

static void test_normal(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_rng_init(&rng, 4, RNL_RNG_INIT, 0);
  enum { N = 200000 };
  double moments[5] = { 0 }, pairs = 0, before = 0;
  int beyond = 0;
  for (int i = 0; i < N; i++) {
    double x = rnl_rng_normal(&rng);
    assert_true(isfinite(x));
    for (int k = 1; k <= 4; k++) moments[k] += pow(x, k) / N;
    pairs += x * before / N;
    before = x;
    beyond += fabs(x) > 1.959964;
  }
  assert_true(fabs(moments[1]) < 0.01);
  assert_true(fabs(moments[2] - 1) < 0.015);
  assert_true(fabs(moments[3]) < 0.03);
  assert_true(fabs(moments[4] - 3) < 0.08);
  assert_true(fabs(pairs) < 0.01);
  assert_true(fabs((double)beyond / N - 0.05) < 0.003);
}

static void test_below(void **state) {
  (void)state;
  rnl_rng rng;
  rnl_rng_init(&rng, 8, RNL_RNG_SHUFFLE, 0);
  int counts[7] = { 0 };
  for (int i = 0; i < 70000; i++) {
    uint64_t k = rnl_rng_below(&rng, 7);
    assert_true(k < 7);
    counts[k]++;
  }
  for (int k = 0; k < 7; k++) assert_true(abs(counts[k] - 10000) < 500);
  for (int i = 0; i < 100; i++) assert_int_equal(rnl_rng_below(&rng, 1), 0);
  /* With 3 * 2^62 a plain product would give the first third twice as often as it should. */
  uint64_t n = 3ULL << 62;
  int first = 0;
  for (int i = 0; i < 30000; i++) {
    uint64_t k = rnl_rng_below(&rng, n);
    assert_true(k < n);
    first += k < 1ULL << 62;
  }
  assert_true(abs(first - 10000) < 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_known_answers),     cmocka_unit_test(test_streams_differ),
    cmocka_unit_test(test_same_stream_same_bits), cmocka_unit_test(test_position_is_reachable),
    cmocka_unit_test(test_uniform),           cmocka_unit_test(test_normal),
    cmocka_unit_test(test_below),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
