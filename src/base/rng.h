/* base/rng.h owns the random numbers: counter-based streams (Philox4x32-10, Salmon et al. 2011,
 * from Random123). A stream is (seed, purpose, index), so that data, initial weights, shuffling
 * and dropout never disturb one another, and any position can be reached without history.
 *
 * key = seed (64 bits); counter = { position low, position high, purpose, index }.
 * Every draw is made in double precision and rounded by the caller, so that float32 and float64
 * runs see the same numbers. */
#ifndef RNL_BASE_RNG_H
#define RNL_BASE_RNG_H

#include <stdint.h>

typedef enum rnl_rng_purpose {
  RNL_RNG_DATA = 1,   /* the script's `data(p, rng)` */
  RNL_RNG_INIT = 2,   /* initial weights */
  RNL_RNG_SHUFFLE = 3,/* order of the mini-batches; index = epoch */
  RNL_RNG_DROPOUT = 4,
  RNL_RNG_SCRIPT = 5, /* math.random inside a script */
  RNL_RNG_USER = 6,   /* r.rng(seed) made by hand */
  RNL_RNG_SWEEP = 7   /* what a sweep tries; index = trial */
} rnl_rng_purpose;

typedef struct rnl_rng {
  uint64_t seed, position; /* position counts blocks of four 32-bit words */
  uint32_t purpose, index;
  uint32_t block[4];       /* the current block, and how many of its words are used */
  int used;
  double spare_normal;     /* Box-Muller makes two */
  int has_spare;
} rnl_rng;

void rnl_rng_init(rnl_rng *rng, uint64_t seed, rnl_rng_purpose purpose, uint32_t index);
/* The stream put where `drawn` words and, where has_spare, one number of a pair of normals were taken from it. */
void rnl_rng_seek(rnl_rng *rng, uint64_t drawn, int has_spare, double spare_normal);
uint64_t rnl_rng_drawn(const rnl_rng *rng); /* words taken so far */
uint32_t rnl_rng_u32(rnl_rng *rng);
double rnl_rng_uniform(rnl_rng *rng);             /* [0, 1), 53 bits */
double rnl_rng_normal(rnl_rng *rng);              /* N(0, 1), Box & Muller 1958 */
uint64_t rnl_rng_below(rnl_rng *rng, uint64_t n); /* 0 .. n-1, unbiased (Lemire 2019); n >= 1 */

#endif
