/* optim/private.h: the optimiser's insides, shared by optimizer.c and state.c. Private to the room. */
#ifndef RNL_OPTIM_PRIVATE_H
#define RNL_OPTIM_PRIVATE_H

#include "optim/family.h"

struct rnl_optimizer {
  rnl_optimizer_options options;
  int64_t t; /* steps done */
  int n;
  rnl_var **parameters;
  rnl_tensor *state; /* [parameter][RNL_OPTIM_STATES], shaped as the parameter */
};

const rnl_optimizer_family *rnl_optimizer_family_of(const rnl_optimizer *optimizer);

#endif
