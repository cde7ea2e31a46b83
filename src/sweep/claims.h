/* sweep/claims.h owns who runs what where several slots of a cluster take work from one sweep by themselves: a claim is
 * a file FOLDER/NUMBER that holds its owner's slot. It is made by link(2), which of all hosts that try it at once lets
 * one succeed, also over a network file system, and never shows a half-written file. A claim is never taken back: a
 * slot that comes again finds its own and goes on with what has no result yet. What a slot had that will not come again
 * is claimed anew in the next generation, FOLDER/NUMBER.GENERATION; the highest one holds. */
#ifndef RNL_SWEEP_CLAIMS_H
#define RNL_SWEEP_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Claim `number` for `slot`; *mine: it is this slot's now. False for one this slot had before, too. */
rnl_status rnl_claim(const char *folder, int64_t number, int64_t generation, int64_t slot, bool *mine, rnl_error *err);

typedef struct rnl_claim_made {
  int64_t number, generation, slot;
} rnl_claim_made;

/* Give every claim to `each`, in no order; false from it ends the walk. No claims at all is no error. */
rnl_status rnl_claims(const char *folder, bool (*each)(void *context, const rnl_claim_made *claim), void *context,
                      rnl_error *err);

#endif
