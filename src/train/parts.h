/* train/parts.h owns steps that are done in parts. Forward over all sequences and then backward over all, what
 * the forward pass kept has left the cache when the backward pass wants it. Where the loss is a mean over sequences
 * that do not see one another, the batch is cut into parts, and each goes forward and backward before the next, all
 * in the buffers of one recorded plan:
 *
 *   loss = sum_k (w_k / W) loss_k,   d loss / d theta = sum_k (w_k / W) d loss_k / d theta,   W = sum_k w_k
 *
 * with w_k the part's weight (rnl_set_weight). Terms of the loss that depend on parameters alone come out right, since
 * the shares add up to one. One update follows. How large the parts are is a function of the plan's shapes, so that
 * the bits depend neither on the machine nor on the threads. Evaluation goes in parts likewise, forward alone. Private
 * to the room. */
#ifndef RNL_TRAIN_PARTS_H
#define RNL_TRAIN_PARTS_H

#include "train/step_plan.h"

typedef struct rnl_parts {
  int64_t batch, size;   /* sequences in all, and of each part but the last, which has what is left */
  int n;
  rnl_step_plan step[2]; /* of `size` sequences; of the last part, recorded where that is smaller */
  double *weight;        /* [n] */
  double total;          /* of the weights */
  int pieces;
  rnl_tensor *held;      /* [n][pieces]: the memory of the parts of a set that does not change, as the leaves take them
                            and the nodes keep them; or NULL */
  bool *settled;         /* [n]: the nodes have made what they keep */
  const rnl_set *holds;  /* that set, once they are filled */
  const rnl_set *set;    /* what the step under way is on */
  rnl_step_part on;
} rnl_parts;

/* The parts of the step that the key says, recorded; *out stays NULL where it is to be done as one: it carries states,
 * is small, or its ops do not go sequence by sequence. hold: the whole set in order is one batch, loaded once. */
rnl_status rnl_parts_new(rnl_parts **out, const rnl_trainer_options *options, const rnl_step_key *key,
                         const rnl_set *set, const rnl_step_part *part, rnl_states *states, bool hold,
                         rnl_error *err);
void rnl_parts_free(rnl_parts *parts); /* NULL is allowed */

/* The step is to be on that part of the set: weighed now, loaded part by part in rnl_parts_run. */
void rnl_parts_load(rnl_parts *parts, const rnl_set *set, const rnl_step_part *part);
/* What was loaded is a whole set that does not change: lay it out once, where there is room for that (hold). */
rnl_status rnl_parts_hold(rnl_parts *parts, rnl_error *err);

/* Whether each part of what was loaded has some weight. */
bool rnl_parts_all_count(const rnl_parts *parts);

typedef struct rnl_parts_pass {
  double clock;
  /* Called with what is predicted for sequences first .. first + batch - 1 of the batch; may be NULL. */
  rnl_status (*look)(void *context, int64_t first, int64_t batch, const rnl_tensor *prediction, rnl_error *err);
  void *context;
} rnl_parts_pass;
/* The loss, and where the step trains the gradients, of what was loaded; parts without weight are passed over. Where a
 * part's loss is not finite that is *loss, and the gradients are of no use. */
rnl_status rnl_parts_run(rnl_parts *parts, const rnl_parts_pass *pass, double *loss, rnl_error *err);

void rnl_parts_set_threads(rnl_parts *parts, int threads);
/* Bytes held beside the plans. */
size_t rnl_parts_bytes(const rnl_parts *parts);

#endif
