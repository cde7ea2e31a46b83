/* kernel/simd.h owns the virtual vector: RNL_KERNEL_LANES values of type `real`, held in as many
 * registers as the ISA needs. Included only by variant.c, which defines `real` and, by its compiler
 * flags, the register width.
 *
 * vec_fma is one fused multiply-add where the ISA has it; nothing else is ever fused (the build sets
 * -ffp-contract=off), so two ISAs with fused multiply-add give the same bits lane by lane.
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

#if defined(__AVX512F__)
enum { NATIVE_BYTES = 64 };
#elif defined(__AVX2__)
enum { NATIVE_BYTES = 32 };
#else
enum { NATIVE_BYTES = 16 };
#endif

#ifdef RNL_REAL_IS_DOUBLE
typedef double real;
typedef int64_t real_bits;
#else
typedef float real;
typedef int32_t real_bits;
#endif

enum { LANES = RNL_KERNEL_LANES, PARTS = LANES * sizeof(real) / NATIVE_BYTES };

typedef real native __attribute__((vector_size(NATIVE_BYTES)));
typedef real_bits native_bits __attribute__((vector_size(NATIVE_BYTES)));
typedef struct { native part[PARTS]; } vec;

#define inline_always static inline __attribute__((always_inline))
#define each_part _Pragma("GCC unroll 8") for (int p_ = 0; p_ < PARTS; p_++)

inline_always vec vec_set1(real value) {
  vec r;
  each_part r.part[p_] = value - (native){0}; /* broadcast; x - 0 keeps the sign of zero */
  return r;
}
inline_always vec vec_zero(void) {
  vec r;
  each_part r.part[p_] = (native){0};
  return r;
}
inline_always vec vec_load(const real *from) {
  vec r;
  memcpy(&r, from, sizeof r);
  return r;
}
inline_always void vec_store(real *to, vec v) { memcpy(to, &v, sizeof v); }

inline_always vec vec_add(vec a, vec b) {
  each_part a.part[p_] += b.part[p_];
  return a;
}
inline_always vec vec_sub(vec a, vec b) {
  each_part a.part[p_] -= b.part[p_];
  return a;
}
inline_always vec vec_mul(vec a, vec b) {
  each_part a.part[p_] *= b.part[p_];
  return a;
}
inline_always vec vec_div(vec a, vec b) {
  each_part a.part[p_] /= b.part[p_];
  return a;
}

/* a * b + c */
inline_always native native_fma(native a, native b, native c) {
#if defined(__AVX512F__) && defined(RNL_REAL_IS_DOUBLE)
  return (native)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__AVX512F__)
  return (native)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(RNL_REAL_IS_DOUBLE)
  return (native)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__AVX2__)
  return (native)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}
inline_always vec vec_fma(vec a, vec b, vec c) {
  each_part c.part[p_] = native_fma(a.part[p_], b.part[p_], c.part[p_]);
  return c;
}

inline_always native native_select(native_bits mask, native yes, native no) {
  return (native)(((native_bits)yes & mask) | ((native_bits)no & ~mask));
}
inline_always vec vec_max(vec a, vec b) {
  each_part {
#if defined(__AVX512F__) && defined(RNL_REAL_IS_DOUBLE)
    a.part[p_] = (native)_mm512_max_pd((__m512d)a.part[p_], (__m512d)b.part[p_]);
#elif defined(__AVX512F__)
    a.part[p_] = (native)_mm512_max_ps((__m512)a.part[p_], (__m512)b.part[p_]);
#elif defined(__AVX2__) && defined(RNL_REAL_IS_DOUBLE)
    a.part[p_] = (native)_mm256_max_pd((__m256d)a.part[p_], (__m256d)b.part[p_]);
#elif defined(__AVX2__)
    a.part[p_] = (native)_mm256_max_ps((__m256)a.part[p_], (__m256)b.part[p_]);
#else
    a.part[p_] = native_select(a.part[p_] > b.part[p_], a.part[p_], b.part[p_]);
#endif
  }
  return a;
}
inline_always vec vec_min(vec a, vec b) {
  each_part {
#if defined(__AVX512F__) && defined(RNL_REAL_IS_DOUBLE)
    a.part[p_] = (native)_mm512_min_pd((__m512d)a.part[p_], (__m512d)b.part[p_]);
#elif defined(__AVX512F__)
    a.part[p_] = (native)_mm512_min_ps((__m512)a.part[p_], (__m512)b.part[p_]);
#elif defined(__AVX2__) && defined(RNL_REAL_IS_DOUBLE)
    a.part[p_] = (native)_mm256_min_pd((__m256d)a.part[p_], (__m256d)b.part[p_]);
#elif defined(__AVX2__)
    a.part[p_] = (native)_mm256_min_ps((__m256)a.part[p_], (__m256)b.part[p_]);
#else
    a.part[p_] = native_select(a.part[p_] < b.part[p_], a.part[p_], b.part[p_]);
#endif
  }
  return a;
}

/* b where a > 0, else 0: relu's derivative times b */
inline_always vec vec_where_positive(vec a, vec b) {
  each_part a.part[p_] = (native)((native_bits)b.part[p_] & (a.part[p_] > (native){0}));
  return a;
}

/* A mask of the first n lanes (n >= LANES: all), to be applied with vec_mask. */
inline_always vec vec_first_lanes(int64_t n) {
  real_bits lane[LANES];
  for (int i = 0; i < LANES; i++) lane[i] = i < n ? -1 : 0;
  vec r;
  memcpy(&r, lane, sizeof r);
  return r;
}
inline_always vec vec_mask(vec a, vec mask) {
  each_part a.part[p_] = (native)((native_bits)a.part[p_] & (native_bits)mask.part[p_]);
  return a;
}

/* The sum of all lanes by the fixed tree: l(i) + l(i+8), then + l(i+4), + l(i+2), + l(1). */
static __attribute__((noinline)) real vec_sum(vec v) {
  typedef real eight __attribute__((vector_size(8 * sizeof(real))));
  typedef real four __attribute__((vector_size(4 * sizeof(real))));
  eight e[2];
  memcpy(e, &v, sizeof e);
  e[0] += e[1];
  four f[2];
  memcpy(f, &e[0], sizeof f);
  f[0] += f[1];
  return (f[0][0] + f[0][2]) + (f[0][1] + f[0][3]);
}

#endif
