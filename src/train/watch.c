/* train/watch.c: early stopping (Prechelt 1998), with the conventions of Keras' EarlyStopping. */
#include "train/watch.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

rnl_status rnl_watch_begin(rnl_watch *watch, const rnl_watch_options *options, int n, rnl_var *const *parameters,
                           rnl_error *err) {
  *watch = (rnl_watch){.options = *options, .n = n, .parameters = parameters};
  if (options->metric == RNL_WATCH_NONE) return RNL_OK;
  if (!(options->min_delta >= 0))
    return rnl_fail(err, RNL_ERR_ARG, "early stopping: min_delta is %g; expected a number of at least 0",
                    options->min_delta);
  if (!options->keep) return RNL_OK;
  if (!(watch->kept = rnl_alloc((size_t)n + 1, sizeof *watch->kept)))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the best weights");
  for (int i = 0; i < n; i++) {
    const rnl_tensor *value = rnl_value(parameters[i]);
    RNL_TRY(rnl_tensor_new(&watch->kept[i], value->dtype, value->ndim, value->size, err));
  }
  return RNL_OK;
}

void rnl_watch_end(rnl_watch *watch) {
  for (int i = 0; watch->kept && i < watch->n; i++) rnl_tensor_release(&watch->kept[i]);
  rnl_free(watch->kept);
  watch->kept = NULL;
}

bool rnl_watch_observe(rnl_watch *watch, int64_t epoch, double value) {
  const rnl_watch_options *o = &watch->options;
  const double gain = o->larger_is_better ? value - watch->best : watch->best - value;
  const bool better = isfinite(value) && (watch->best_epoch == 0 || gain > o->min_delta);
  if (better) {
    watch->best = value;
    watch->best_epoch = epoch;
    for (int i = 0; watch->kept && i < watch->n; i++) /* same shapes: it cannot fail */
      (void)rnl_tensor_copy(&watch->kept[i], rnl_value(watch->parameters[i]), NULL);
    return false;
  }
  return o->patience >= 0 && epoch - watch->best_epoch >= o->patience;
}

bool rnl_watch_restore(const rnl_watch *watch) {
  if (!watch->kept || watch->best_epoch == 0) return false;
  for (int i = 0; i < watch->n; i++) (void)rnl_tensor_copy(rnl_value(watch->parameters[i]), &watch->kept[i], NULL);
  return true;
}
