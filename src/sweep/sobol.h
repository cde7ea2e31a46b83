/* sweep/sobol.h owns Sobol's sequence (Sobol 1967) in the Gray-code order of Antonov & Saleev 1979, with the
 * direction numbers of S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional
 * projections", SIAM J. Sci. Comput. 30, 2635-2654 (2008): the first dimensions of their new-joe-kuo-6.21201. */
#ifndef RNL_SWEEP_SOBOL_H
#define RNL_SWEEP_SOBOL_H

#include <stdint.h>

enum { RNL_SOBOL_MAX_DIMS = 64 };

/* Coordinate `dim` (from 0) of point `index`: a multiple of 2^-32 in [0, 1). Point 0 is 0, point 1 is .5. */
double rnl_sobol(int dim, uint32_t index);

#endif
