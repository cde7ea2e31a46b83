/* optim/elementwise.h: loops of the optimisers without a kernel of their own, in either dtype. Private to the room. */
#ifndef RNL_OPTIM_ELEMENTWISE_H
#define RNL_OPTIM_ELEMENTWISE_H

/* Run `body` for i = 0 .. count-1 with g, p, s0, s1, s2 as arrays of the dtype (`real`). Square roots in its precision
 * come as ROOT(x). The body has no commas outside of parentheses. */
#define RNL_EACH_ELEMENT(body)                                          \
  do {                                                                  \
    if (f64) {                                                          \
      typedef double real;                                              \
      RNL_EACH_OF(body)                                                 \
    } else {                                                            \
      typedef float real;                                               \
      RNL_EACH_OF(body)                                                 \
    }                                                                   \
  } while (0)
#define RNL_EACH_OF(body)                                                                            \
  const real *g = grad;                                                                              \
  real *p = param, *s0 = state[0], *s1 = state[1], *s2 = state[2];                                   \
  (void)s0, (void)s1, (void)s2;                                                                      \
  for (int64_t i = 0; i < count; i++) { body }
#define RNL_ROOT(x) (sizeof(x) == sizeof(float) ? (real)sqrtf((float)(x)) : (real)sqrt((double)(x)))

#endif
