/* train/set.h owns a set of sequences to train or evaluate on: named tensors with as many sequences each, the batch
 * dimension first. x is the input, (batch, time, ...); y the target. Others are handed to whoever records the step
 * under their names; three have a meaning of their own:
 *
 *   mask     (batch, time): 1 where a step is valid, 0 where it is not
 *   lengths  (batch): the valid steps of each sequence, 1 .. time; the steps after them are padding
 *   weights  (batch): how much each sequence counts, >= 0
 *
 * A field whose second size is x's time is cut along with x where a sequence is trained in chunks. */
#ifndef RNL_TRAIN_SET_H
#define RNL_TRAIN_SET_H

#include "tensor/tensor.h"

enum { RNL_SET_FIELDS = 16, RNL_FIELD_NAME = 32 };

typedef struct rnl_field {
  char name[RNL_FIELD_NAME];
  rnl_tensor value;
  bool timed; /* its second dimension is time */
} rnl_field;

typedef struct rnl_set {
  int n;
  rnl_field field[RNL_SET_FIELDS]; /* x, y, then the others */
  int mask, lengths;               /* positions in field; -1: there is none */
  int64_t sequences, steps;
} rnl_set;

enum { RNL_SET_X = 0, RNL_SET_Y = 1 };

/* Begin a set from x and y, of which it keeps references. ERR_SHAPE names both shapes. `what` begins every message:
 * "the training set". On failure *out holds nothing. */
rnl_status rnl_set_new(rnl_set *out, const char *what, const rnl_tensor *x, const rnl_tensor *y, rnl_error *err);
/* Add a field. ERR_SHAPE where it has not as many sequences or is not shaped as its name asks; ERR_ARG for a name
 * that is taken or too long, or one field too many. */
rnl_status rnl_set_add(rnl_set *set, const char *what, const char *name, const rnl_tensor *value, rnl_error *err);
/* Every number is finite, a mask holds 0 and 1, lengths are whole numbers from 1 to time, weights are not negative:
 * else ERR_ARG names field, sequence, step and feature, counted from 1. Reads all of it. */
rnl_status rnl_set_check(const rnl_set *set, const char *what, rnl_error *err);

rnl_set rnl_set_ref(const rnl_set *set);
void rnl_set_release(rnl_set *set); /* idempotent */
size_t rnl_set_bytes(const rnl_set *set);

/* A batch's weight in a mean over steps: the valid steps of `count` sequences (order[0..count-1], or NULL: from
 * `first` on) among the steps `from` .. `from + length - 1`. Without mask, lengths and a timed y, or where the whole
 * sequence is one chunk without padding, `count`. */
double rnl_set_weight(const rnl_set *set, int64_t first, int64_t count, const int64_t *order, int64_t from,
                      int64_t length);

#endif
