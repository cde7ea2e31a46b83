/* base/rng.c: Philox streams on Random123's generator. */
#include "base/rng.h"

#include <Random123/philox.h>
#include <math.h>

enum { BLOCK_WORDS = 4 };

void rnl_rng_init(rnl_rng *rng, uint64_t seed, rnl_rng_purpose purpose, uint32_t index) {
  *rng = (rnl_rng){ .seed = seed, .purpose = (uint32_t)purpose, .index = index, .used = BLOCK_WORDS };
}

static void next_block(rnl_rng *rng) {
  philox4x32_ctr_t counter = { { (uint32_t)rng->position, (uint32_t)(rng->position >> 32),
                                 rng->purpose, rng->index } };
  philox4x32_key_t key = { { (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32) } };
  philox4x32_ctr_t block = philox4x32_R(10, counter, key);
  for (int i = 0; i < BLOCK_WORDS; i++) rng->block[i] = block.v[i];
  rng->position++;
  rng->used = 0;
}

uint64_t rnl_rng_drawn(const rnl_rng *rng) {
  return rng->position * BLOCK_WORDS - (uint64_t)(BLOCK_WORDS - rng->used);
}

void rnl_rng_seek(rnl_rng *rng, uint64_t drawn, int has_spare, double spare_normal) {
  rng->position = drawn / BLOCK_WORDS;
  rng->used = BLOCK_WORDS;
  if (drawn % BLOCK_WORDS) {
    next_block(rng);
    rng->used = (int)(drawn % BLOCK_WORDS);
  }
  rng->has_spare = has_spare;
  rng->spare_normal = spare_normal;
}

uint32_t rnl_rng_u32(rnl_rng *rng) {
  if (rng->used >= BLOCK_WORDS) next_block(rng);
  return rng->block[rng->used++];
}

static uint64_t draw_u64(rnl_rng *rng) {
  uint64_t high = rnl_rng_u32(rng);
  return high << 32 | rnl_rng_u32(rng);
}

double rnl_rng_uniform(rnl_rng *rng) {
  return (double)(draw_u64(rng) >> 11) * 0x1p-53;
}

double rnl_rng_normal(rnl_rng *rng) {
  if (rng->has_spare) {
    rng->has_spare = 0;
    return rng->spare_normal;
  }
  /* 1 - u is in (0, 1], so the logarithm is finite. */
  double radius = sqrt(-2.0 * log(1.0 - rnl_rng_uniform(rng)));
  double angle = 6.283185307179586476925 * rnl_rng_uniform(rng);
  rng->spare_normal = radius * sin(angle);
  rng->has_spare = 1;
  return radius * cos(angle);
}

uint64_t rnl_rng_below(rnl_rng *rng, uint64_t n) {
  /* The high half of draw * n, where draws whose low half falls into the uneven rest are thrown away. */
  unsigned __int128 product = (unsigned __int128)draw_u64(rng) * n;
  if ((uint64_t)product < n) {
    uint64_t threshold = (0 - n) % n;
    while ((uint64_t)product < threshold) product = (unsigned __int128)draw_u64(rng) * n;
  }
  return (uint64_t)(product >> 64);
}
