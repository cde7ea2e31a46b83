/* kernel/vmath.h owns tanh, sigmoid and exp over virtual vectors. Included only by variant.c.
 *
 * float32: approximations of our own, within 5 ULP over all normal floats (tests/unit/
 * test_kernel_vmath.c measures them against libm in double). NaN stays NaN.
 * float64: libm, lane by lane; the small regime's speed is a float32 matter.
 */
#ifndef RNL_KERNEL_VMATH_H
#define RNL_KERNEL_VMATH_H

#include "kernel/simd.h"

#ifdef RNL_REAL_IS_DOUBLE

inline_always vec vec_map(vec x, double (*f)(double)) {
  real lane[VEC_LANES];
  memcpy(lane, &x, sizeof lane);
  for (int i = 0; i < VEC_LANES; i++) lane[i] = f(lane[i]);
  memcpy(&x, lane, sizeof lane);
  return x;
}
static double sigmoid_double(double x) { return 1.0 / (1.0 + exp(-x)); }

inline_always vec vec_tanh(vec x) { return vec_map(x, tanh); }
inline_always vec vec_exp(vec x) { return vec_map(x, exp); }
inline_always vec vec_sigmoid(vec x) { return vec_map(x, sigmoid_double); }

#else

inline_always vec vec_map(vec x, float (*f)(float)) {
  real lane[VEC_LANES];
  memcpy(lane, &x, sizeof lane);
  for (int i = 0; i < VEC_LANES; i++) lane[i] = f(lane[i]);
  memcpy(&x, lane, sizeof lane);
  return x;
}

/* tanh(x) = x P(z) / Q(z), z = x^2, P and Q of degree 4. The fit is minimax in the relative error on
 * [-9.02, 9.02] (iteratively reweighted least squares, 2.1e-8), its coefficients then moved among
 * neighbouring floats to lower the largest error of the whole evaluation: 4.91 ULP over all floats, and
 * no result past 1. Beyond the limit its own value serves. Both polynomials are evaluated by Estrin's
 * scheme, (1 + a z) + z^2 ((b + c z) + d z^2): the shortest chain, which is what a recurrence waits for.
 * Without fused multiply-adds the roundings add up past 5 ULP, and libm serves. */
inline_always vec vec_tanh(vec x) {
#if defined(__FMA__)
  const vec limit = vec_set1(0x1.03b1ccp+3f);
  x = vec_min(limit, vec_max(-limit, x));
  vec z = x * x, z2 = z * z;
  vec p = vec_fma(vec_set1(0x1.120444p-3f), z, vec_set1(1.0f));
  vec q = vec_fma(vec_set1(0x1.de577p-2f), z, vec_set1(1.0f));
  vec p_high = vec_fma(vec_set1(0x1.5955p-16f), z, vec_set1(0x1.c9f826p-9f));
  vec q_high = vec_fma(vec_set1(0x1.58419ep-12f), z, vec_set1(0x1.a7df14p-6f));
  p_high = vec_fma(vec_set1(0x1.c9a4aap-27f), z2, p_high);
  q_high = vec_fma(vec_set1(0x1.a0b7dap-21f), z2, q_high);
  return x * vec_fma(p_high, z2, p) / vec_fma(q_high, z2, q);
#else
  return vec_map(x, tanhf);
#endif
}

/* e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2 and e^r = 1 + r + r^2 q(r), q of degree 4
 * (minimax, 3e-9 relative). 2^n is applied in two halves so that the largest and smallest results
 * neither overflow nor vanish on the way. */
inline_always vec vec_exp(vec x) {
  x = vec_min(vec_set1(89.0f), vec_max(vec_set1(-104.0f), x));
  const vec magic = vec_set1(0x1.8p23f); /* adding it rounds to a whole number, kept in the low bits */
  vec shifted = vec_fma(x, vec_set1(0x1.715476p+0f), magic);
  vec n = shifted - magic;
  vec r = vec_fma(n, vec_set1(-0x1.62e400p-1f), x); /* ln 2, high part: exact times n */
  r = vec_fma(n, vec_set1(-0x1.7f7d1cp-20f), r);    /* ln 2, low part */
  vec q = vec_fma(r, vec_set1(0.0013814222f), vec_set1(0.008368899f));
  q = vec_fma(r, q, vec_set1(0.041668404f));
  q = vec_fma(r, q, vec_set1(0.1666652f));
  q = vec_fma(r, q, vec_set1(0.49999994f));
  vec y = vec_fma(r * r, q, r) + 1.0f;
#if RNL_NATIVE_BYTES == 64
  return (vec)_mm512_scalef_ps((__m512)y, (__m512)n); /* the same, rounded once where the halves are */
#elif defined(__AVX512VL__) && RNL_NATIVE_BYTES == 32
  return (vec)_mm256_scalef_ps((__m256)y, (__m256)n);
#else
  vec_bits whole = (vec_bits)shifted - (vec_bits)magic, half = whole >> 1;
  y *= (vec)((half + 127) << 23);
  y *= (vec)((whole - half + 127) << 23);
  return y;
#endif
}

/* 1 / (1 + e^-x): no cancellation on either side */
inline_always vec vec_sigmoid(vec x) { return 1.0f / (1.0f + vec_exp(-x)); }

#endif

inline_always vec vec_activate(rnl_activation act, vec x) {
  switch (act) {
    case RNL_ACT_TANH: return vec_tanh(x);
    case RNL_ACT_SIGMOID: return vec_sigmoid(x);
    case RNL_ACT_RELU: return vec_max(vec_zero(), x);
    default: return x;
  }
}

/* g * f'(x) from y = f(x): tanh' = 1 - y^2, sigmoid' = y (1 - y), relu' = [y > 0] */
inline_always vec vec_activate_backward(rnl_activation act, vec y, vec g) {
  switch (act) {
    case RNL_ACT_TANH: return g * vec_fma(-y, y, vec_set1(1));
    case RNL_ACT_SIGMOID: return g * (y * (1 - y));
    case RNL_ACT_RELU: return vec_where_positive(y, g);
    default: return g;
  }
}

#endif
