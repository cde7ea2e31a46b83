/* kernel/simd.h owns the vector type of the kernels: one register of `real`s, VEC_LANES of them, as the
 * ISA has it. Included only by variant.c, which defines `real` and, by its compiler flags, the width, and by
 * narrow.c (RNL_NARROW: registers of 256 bits though the ISA has 512).
 *
 * The *virtual* vector of the small regime has LANES lanes whatever the ISA: PARTS registers. Work on
 * separate lanes never meets, so it goes register by register; only where lanes are summed do the parts
 * count, and vec_sum adds them by one fixed tree. vec_fma is one fused multiply-add where the ISA has it
 * and nothing else is ever fused (-ffp-contract=off): two ISAs that have it give the same bits.
 * vec_min and vec_max return their second argument where either is NaN, as the x86 instructions do.
 */
#ifndef RNL_KERNEL_SIMD_H
#define RNL_KERNEL_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && !defined(RNL_NARROW)
#define RNL_NATIVE_BYTES 64
#elif defined(__AVX2__)
#define RNL_NATIVE_BYTES 32
#else
#define RNL_NATIVE_BYTES 16
#endif
enum { NATIVE_BYTES = RNL_NATIVE_BYTES };

#ifdef RNL_REAL_IS_DOUBLE
typedef double real;
typedef int64_t real_bits;
#else
typedef float real;
typedef int32_t real_bits;
#endif

enum { LANES = RNL_KERNEL_LANES, VEC_LANES = NATIVE_BYTES / sizeof(real), PARTS = LANES / VEC_LANES };

/* Which rows of one block this code meets, so that it is worth having it once more for each, with distances that the
 * compiler knows: registers of more lanes than RNL_KERNEL_SHORT have narrow.c for the short ones. */
#ifdef RNL_NARROW
enum { SHORT = RNL_KERNEL_SHORT, MEETS_SHORT = 1, MEETS_BLOCKS = 0 };
#else
enum { SHORT = RNL_KERNEL_SHORT, MEETS_SHORT = VEC_LANES <= SHORT, MEETS_BLOCKS = 1 };
#endif

typedef real vec __attribute__((vector_size(NATIVE_BYTES)));
typedef real_bits vec_bits __attribute__((vector_size(NATIVE_BYTES)));

#define inline_always static inline __attribute__((always_inline))

inline_always vec vec_set1(real value) { return value - (vec){0}; } /* x - 0 keeps the sign of zero */
inline_always vec vec_zero(void) { return (vec){0}; }
inline_always vec vec_load(const real *from) {
  vec v;
  memcpy(&v, from, sizeof v);
  return v;
}
inline_always void vec_store(real *to, vec v) { memcpy(to, &v, sizeof v); }

/* v, in a register from here on: a compiler may otherwise load it anew for each of its uses. */
inline_always vec vec_held(vec v) {
#if defined(__AVX512F__)
  __asm__("" : "+v"(v));
#elif defined(__x86_64__)
  __asm__("" : "+x"(v));
#endif
  return v;
}

/* a * b + c */
inline_always vec vec_fma(vec a, vec b, vec c) {
#if RNL_NATIVE_BYTES == 64 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif RNL_NATIVE_BYTES == 64
  return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif RNL_NATIVE_BYTES == 32 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif RNL_NATIVE_BYTES == 32
  return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

inline_always vec vec_select(vec_bits mask, vec yes, vec no) {
  return (vec)(((vec_bits)yes & mask) | ((vec_bits)no & ~mask));
}
inline_always vec vec_max(vec a, vec b) {
#if RNL_NATIVE_BYTES == 64 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif RNL_NATIVE_BYTES == 64
  return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif RNL_NATIVE_BYTES == 32 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif RNL_NATIVE_BYTES == 32
  return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return vec_select(a > b, a, b);
#endif
}
inline_always vec vec_min(vec a, vec b) {
#if RNL_NATIVE_BYTES == 64 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif RNL_NATIVE_BYTES == 64
  return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif RNL_NATIVE_BYTES == 32 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm256_min_pd((__m256d)a, (__m256d)b);
#elif RNL_NATIVE_BYTES == 32
  return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return vec_select(a < b, a, b);
#endif
}

/* b where a > 0, else 0: relu's derivative times b */
inline_always vec vec_where_positive(vec a, vec b) { return (vec)((vec_bits)b & (a > (vec){0})); }

/* A mask of the first n lanes (n >= VEC_LANES: all), to be applied with vec_mask. */
inline_always vec_bits vec_first_lanes(int64_t n) {
  real_bits lane[VEC_LANES];
  for (int i = 0; i < VEC_LANES; i++) lane[i] = i < n ? -1 : 0;
  vec_bits mask;
  memcpy(&mask, lane, sizeof mask);
  return mask;
}
inline_always vec vec_mask(vec a, vec_bits mask) { return (vec)((vec_bits)a & mask); }

/* The first n elements of a vector, for rows that end there. */
inline_always vec load_part(const real *p, int64_t n) {
  if (n >= VEC_LANES) return vec_load(p);
#if RNL_NATIVE_BYTES == 64 && defined(RNL_REAL_IS_DOUBLE)
  return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif RNL_NATIVE_BYTES == 64
  return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
  real part[VEC_LANES] = {0};
  for (int64_t i = 0; i < n; i++) part[i] = p[i];
  return vec_load(part);
#endif
}
inline_always void store_part(real *p, vec v, int64_t n) {
  if (n >= VEC_LANES) {
    vec_store(p, v);
    return;
  }
#if RNL_NATIVE_BYTES == 64 && defined(RNL_REAL_IS_DOUBLE)
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif RNL_NATIVE_BYTES == 64
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
  real part[VEC_LANES];
  vec_store(part, v);
  for (int64_t i = 0; i < n; i++) p[i] = part[i];
#endif
}

/* The sum of a virtual vector, part after part, by the fixed tree l(i) + l(i+8), + l(i+4), + l(i+2), + l(1). */
static __attribute__((noinline)) real vec_sum(const vec parts[PARTS]) {
  typedef real eight __attribute__((vector_size(8 * sizeof(real))));
  typedef real four __attribute__((vector_size(4 * sizeof(real))));
  eight e[2];
  memcpy(e, parts, sizeof e);
  e[0] += e[1];
  four f[2];
  memcpy(f, &e[0], sizeof f);
  f[0] += f[1];
  return (f[0][0] + f[0][2]) + (f[0][1] + f[0][3]);
}

/* The same of eight at once, from the sums of their two halves (the tree's first step). */
#if defined(__AVX2__) && !defined(RNL_REAL_IS_DOUBLE)
#define RNL_SUMS_EIGHT 1
inline_always __m256 vec_halves_sum(const vec parts[PARTS]) {
  const real *half = (const real *)parts;
  return _mm256_load_ps(half) + _mm256_load_ps(half + 8);
}
inline_always __m256 sum_eight(const __m256 e[8]) {
  __m256 f[4], g[2];
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) /* [the fours of k | those of k + 4] */
    f[k] = _mm256_permute2f128_ps(e[k], e[k + 4], 0x20) + _mm256_permute2f128_ps(e[k], e[k + 4], 0x31);
#pragma GCC unroll 2
  for (int k = 0; k < 2; k++)
    g[k] = _mm256_shuffle_ps(f[2 * k], f[2 * k + 1], 0x44) + _mm256_shuffle_ps(f[2 * k], f[2 * k + 1], 0xee);
  return _mm256_shuffle_ps(g[0], g[1], 0x88) + _mm256_shuffle_ps(g[0], g[1], 0xdd);
}
#else
#define RNL_SUMS_EIGHT 0
#endif

#endif
