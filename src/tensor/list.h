/* tensor/list.h owns the list of named tensors: what npz and safetensors files hold, and the state of a trainer. */
#ifndef RNL_TENSOR_LIST_H
#define RNL_TENSOR_LIST_H

#include <stdint.h>

#include "base/error.h"
#include "tensor/tensor.h"

typedef struct rnl_named_tensor {
  char *name;
  rnl_tensor tensor;
} rnl_named_tensor;

typedef struct rnl_tensors { /* all zeros is an empty list */
  int64_t count, capacity;
  rnl_named_tensor *items;
} rnl_tensors;

/* Add a copy of the name and a reference to the tensor. ERR_ARG where the name is there already. */
rnl_status rnl_tensors_add(rnl_tensors *list, const char *name, const rnl_tensor *tensor,
                           rnl_error *err);
/* The same without looking whether the name is there: the caller knows. */
rnl_status rnl_tensors_append(rnl_tensors *list, const char *name, const rnl_tensor *tensor,
                              rnl_error *err);
const rnl_tensor *rnl_tensors_find(const rnl_tensors *list, const char *name); /* NULL: not there */
void rnl_tensors_free(rnl_tensors *list);                                      /* idempotent */

#endif
