/* tensor/list.c: the list of named tensors. */
#include "tensor/list.h"

#include <string.h>

#include "base/alloc.h"

rnl_status rnl_tensors_append(rnl_tensors *list, const char *name, const rnl_tensor *tensor,
                              rnl_error *err) {
  if (list->count == list->capacity) {
    int64_t capacity = list->capacity ? 2 * list->capacity : 8;
    rnl_named_tensor *grown =
        rnl_realloc(list->items, (size_t)list->count, (size_t)capacity, sizeof *grown);
    if (!grown) return rnl_fail(err, RNL_ERR_MEMORY, "tensor \"%.80s\": out of memory", name);
    list->items = grown;
    list->capacity = capacity;
  }
  char *copy = rnl_strdup(name);
  if (!copy) return rnl_fail(err, RNL_ERR_MEMORY, "tensor \"%.80s\": out of memory", name);
  list->items[list->count++] = (rnl_named_tensor){ copy, rnl_tensor_ref(tensor) };
  return RNL_OK;
}

rnl_status rnl_tensors_add(rnl_tensors *list, const char *name, const rnl_tensor *tensor,
                           rnl_error *err) {
  if (rnl_tensors_find(list, name))
    return rnl_fail(err, RNL_ERR_ARG, "two tensors are named \"%.80s\"", name);
  return rnl_tensors_append(list, name, tensor, err);
}

const rnl_tensor *rnl_tensors_find(const rnl_tensors *list, const char *name) {
  for (int64_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].name, name) == 0) return &list->items[i].tensor;
  return NULL;
}

void rnl_tensors_free(rnl_tensors *list) {
  for (int64_t i = 0; i < list->count; i++) {
    rnl_free(list->items[i].name);
    rnl_tensor_release(&list->items[i].tensor);
  }
  rnl_free(list->items);
  *list = (rnl_tensors){ 0 };
}
