/* rnn/recurrent_regimes.h: what recurrent.c asks of the two arrangements of the recurrent layer.
 * Private to the room. */
#ifndef RNL_RNN_RECURRENT_REGIMES_H
#define RNL_RNN_RECURRENT_REGIMES_H

#include "rnn/recurrent.h"

/* The sizes of a layer, read from its node. */
typedef struct rnl_recurrent_sizes {
  int64_t batch, time, input, hidden, output; /* output 0: no read-out */
  int64_t feedback;                           /* hidden or output */
  bool jordan, f64;
} rnl_recurrent_sizes;
rnl_recurrent_sizes rnl_recurrent_sizes_of(const rnl_node *node);

/* Where the node has lengths, what its forward pass read of them; else NULL. */
typedef struct rnl_recurrent_lengths {
  int64_t least;
  int64_t of[]; /* [batch] */
} rnl_recurrent_lengths;
static inline rnl_recurrent_lengths *rnl_recurrent_lengths_of(const rnl_node *node) { return node->own; }

/* The steps that sequence b has. */
static inline int64_t rnl_recurrent_steps(const rnl_node *node, const rnl_recurrent_sizes *n, int64_t b) {
  const rnl_recurrent_lengths *lengths = rnl_recurrent_lengths_of(node);
  return lengths ? lengths->of[b] : n->time;
}

enum { RNL_RECURRENT_PACKED = 0 }; /* x in node->work, where it is packed */

typedef struct rnl_recurrent_arrangement {
  rnl_layout layout; /* of x, h and y */
  /* work buffers beyond the outputs, which exist already */
  rnl_status (*prepare)(rnl_node *node, const rnl_recurrent_sizes *n, bool gradients, rnl_error *err);
  rnl_status (*forward)(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err);
  rnl_status (*backward)(rnl_node *node, const rnl_recurrent_sizes *n, rnl_error *err);
} rnl_recurrent_arrangement;

/* Two layers of the small regime at once (rnl_op's pairs). */
bool rnl_recurrent_pairs(const rnl_node *a, const rnl_node *b, const rnl_recurrent_sizes *n);
rnl_status rnl_recurrent_forward_pair(rnl_node *const node[2], const rnl_recurrent_sizes *n, rnl_error *err);
rnl_status rnl_recurrent_backward_pair(rnl_node *const node[2], const rnl_recurrent_sizes *n, rnl_error *err);

extern const rnl_recurrent_arrangement rnl_recurrent_small, rnl_recurrent_reference;

rnl_status rnl_recurrent_jvp(rnl_node *node, const rnl_tensor *const *in_tangent,
                             const rnl_tensor *out_tangent, rnl_error *err);

rnl_status rnl_recurrent_jvp_many(rnl_node *node, int64_t lanes, const rnl_tangents *in, double *const *out,
                                  rnl_error *err);

/* state0 as (batch, n), a view; out->storage NULL where the node has none. */
rnl_status rnl_recurrent_state0(const rnl_node *node, const rnl_recurrent_sizes *n, rnl_tensor *out,
                                rnl_error *err);
/* Write (or add, as the node says) a gradient of state0, (batch, n): summed over the batch where state0 is (n). */
void rnl_recurrent_put_dstate0(const rnl_node *node, const rnl_recurrent_sizes *n, const rnl_tensor *gradient);

#endif
