/* train/step_plan.c: recording a step and loading its data. */
#include "train/step_plan.h"

#include <string.h>

/* A leaf for `batch` sequences of `data`, in the layout wanted. */
static rnl_status make_leaf(rnl_var **out, const rnl_tensor *data, int64_t batch, rnl_layout layout,
                            const char *name, rnl_error *err) {
  int64_t size[RNL_MAX_DIMS];
  memcpy(size, data->size, sizeof size);
  size[0] = batch;
  rnl_tensor value;
  if (layout != RNL_LAYOUT_STRIDED && data->ndim == 3)
    RNL_TRY(rnl_tensor_new_sequence(&value, data->dtype, layout, size[0], size[1], size[2], err));
  else
    RNL_TRY(rnl_tensor_new(&value, data->dtype, data->ndim, size, err));
  if (!(*out = rnl_var_new(&value, false))) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a batch");
  return rnl_var_set_name(*out, name, err);
}

void rnl_step_plan_release(rnl_step_plan *step) {
  rnl_plan_free(step->plan);
  rnl_var_release(step->loss);
  rnl_var_release(step->prediction);
  rnl_var_release(step->x);
  rnl_var_release(step->y);
  memset(step, 0, sizeof *step);
}

static rnl_status record_with(rnl_step_plan *step, const rnl_trainer_options *options, bool gradients,
                              const rnl_tensor *x, const rnl_tensor *y, int64_t batch,
                              const rnl_layout layout[2], rnl_error *err) {
  memset(step, 0, sizeof *step);
  step->gradients = gradients;
  RNL_TRY(make_leaf(&step->x, x, batch, layout[0], "x", err));
  RNL_TRY(make_leaf(&step->y, y, batch, layout[1], "y", err));
  RNL_TRY(rnl_step_plan_load(step, x, y, 0, batch, NULL, err));
  rnl_record_begin();
  if (!gradients) rnl_no_grad_begin(); /* no buffers for a backward pass */
  rnl_status status = options->record(options->context, step->x, step->y, &step->prediction, &step->loss, err);
  if (!gradients) rnl_no_grad_end();
  rnl_record_end();
  RNL_TRY(status);
  rnl_var *outputs[2] = {step->prediction, step->loss};
  return rnl_plan_new(&step->plan, outputs, 2, gradients ? step->loss : NULL, err);
}

rnl_status rnl_step_plan_record(rnl_step_plan *step, const rnl_trainer_options *options, bool gradients,
                                const rnl_tensor *x, const rnl_tensor *y, int64_t batch, rnl_error *err) {
  rnl_layout layout[2] = {RNL_LAYOUT_STRIDED, RNL_LAYOUT_STRIDED};
  rnl_status status = record_with(step, options, gradients, x, y, batch, layout, err);
  if (status == RNL_OK) {
    /* Now it is known how the model takes its data; lay the leaves out so and record again. */
    const rnl_layout wanted[2] = {rnl_plan_wanted_layout(step->plan, step->x),
                                  rnl_plan_wanted_layout(step->plan, step->y)};
    if (wanted[0] != layout[0] || wanted[1] != layout[1]) {
      rnl_step_plan_release(step);
      status = record_with(step, options, gradients, x, y, batch, wanted, err);
    }
  }
  if (status != RNL_OK) rnl_step_plan_release(step);
  return status;
}

static bool leaf_fits(const rnl_tensor *leaf, const rnl_tensor *data, int64_t batch) {
  if (leaf->dtype != data->dtype || leaf->ndim != data->ndim || leaf->size[0] != batch) return false;
  for (int i = 1; i < leaf->ndim; i++)
    if (leaf->size[i] != data->size[i]) return false;
  return true;
}

bool rnl_step_plan_fits(const rnl_step_plan *step, bool gradients, const rnl_tensor *x, const rnl_tensor *y,
                        int64_t batch) {
  return step->plan && step->gradients == gradients && leaf_fits(rnl_value(step->x), x, batch) &&
         leaf_fits(rnl_value(step->y), y, batch);
}

/* leaf[k] = data[order[k]], or a run of sequences at once */
static rnl_status load_leaf(const rnl_tensor *leaf, const rnl_tensor *data, int64_t start, int64_t batch,
                            const int64_t *order, rnl_error *err) {
  rnl_tensor from, to;
  if (!order) {
    RNL_TRY(rnl_tensor_narrow(&from, data, 0, start, batch, err));
    rnl_status status = rnl_tensor_copy(leaf, &from, err);
    rnl_tensor_release(&from);
    return status;
  }
  for (int64_t k = 0; k < batch; k++) {
    RNL_TRY(rnl_tensor_select(&from, data, 0, order[k], err));
    rnl_status status = rnl_tensor_select(&to, leaf, 0, k, err);
    if (status == RNL_OK) status = rnl_tensor_copy(&to, &from, err);
    rnl_tensor_release(&to);
    rnl_tensor_release(&from);
    RNL_TRY(status);
  }
  return RNL_OK;
}

rnl_status rnl_step_plan_load(rnl_step_plan *step, const rnl_tensor *x, const rnl_tensor *y, int64_t start,
                              int64_t batch, const int64_t *order, rnl_error *err) {
  const bool whole = !order && start == 0 && batch == x->size[0];
  if (whole && step->holds == x) return RNL_OK;
  RNL_TRY(load_leaf(rnl_value(step->x), x, start, batch, order, err));
  RNL_TRY(load_leaf(rnl_value(step->y), y, start, batch, order, err));
  step->holds = NULL;
  return RNL_OK;
}
