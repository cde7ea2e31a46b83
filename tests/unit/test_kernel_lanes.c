/* Sums over lanes (kernel.h, lane_reduce): many features at a time give each the bits it has as the only one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kernel/kernel.h"
#include "tensor/tensor.h"

enum { TIME = 3, FEATURES = 19, MOST_LANES = 32 };

/* Of magnitudes so unlike that the order of the additions shows. */
static float value(int64_t i) {
  const uint32_t hash = (uint32_t)(i + 1) * 2654435761u;
  const float fraction = (float)(hash >> 8) / (float)(1 << 24) - .5f;
  return fraction * (float)(1 << (hash >> 4) % 12);
}

static void features_together_are_features_alone(void **state) {
  (void)state;
  for (int64_t batch = 1; batch <= MOST_LANES; batch++) {
    const int64_t lanes = rnl_lanes_of(batch);
    static _Alignas(64) float b[TIME * FEATURES * MOST_LANES], column[TIME * MOST_LANES];
    memset(b, 0, sizeof b);
    for (int64_t row = 0; row < TIME * FEATURES; row++)
      for (int64_t lane = 0; lane < batch; lane++) b[row * lanes + lane] = value(row * MOST_LANES + lane);
    const rnl_lane_kernels *k = rnl_lane_kernels_of(false, batch);
    float together[FEATURES], alone;
    k->lane_reduce(batch, lanes, TIME, FEATURES, b, together, false);
    for (int64_t j = 0; j < FEATURES; j++) {
      for (int64_t t = 0; t < TIME; t++)
        memcpy(column + t * lanes, b + (t * FEATURES + j) * lanes, (size_t)lanes * sizeof *b);
      k->lane_reduce(batch, lanes, TIME, 1, column, &alone, false);
      assert_memory_equal(&alone, &together[j], sizeof alone);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(features_together_are_features_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
