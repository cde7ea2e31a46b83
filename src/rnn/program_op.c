/* rnn/program_op.c: the op around a program's executor: its shape rule, inputs packed as the executor takes them,
 * initial and final states, checkpoints, and the gradients of all of these. */
#include "rnn/program_op.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "grad/elementwise.h"
#include "rnn/lengths.h"
#include "rnn/program_arena.h"
#include "rnn/program_reference.h"

typedef struct program_run {
  rnl_program *program;
  rnl_program_store store;
  const rnl_program_executor *executor; /* NULL: the reference */
  void *own;                            /* the executor's */
  rnl_program_reference *reference;
} program_run;

static program_run *run_of(const rnl_node *node) { return node->own; }
static const rnl_program_attrs *attrs_of(const rnl_node *node) { return node->attrs; }
static const rnl_program *program_of(const rnl_node *node) { return attrs_of(node)->program; }

static const rnl_tensor *given(const rnl_node *node, int input) {
  return input < node->n_in ? rnl_in(node, input) : NULL;
}
static size_t element_size(const rnl_program_store *s) { return s->f64 ? sizeof(double) : sizeof(float); }

/* ---- the shape rule ------------------------------------------------------------------------- */

/* Fails unless the tensor is (a, b), or (b) where `stretches`: "lstm layer rnn: weight_hh is (4, 12), expected (5,
 * 20)" */
static rnl_status want(const rnl_node *node, const char *layer, int input, const char *name, bool stretches, int ndim,
                       const int64_t *size, rnl_error *err) {
  const rnl_tensor *t = given(node, input), *x = rnl_in(node, 0);
  char got[RNL_SHAPE_TEXT], wanted[RNL_SHAPE_TEXT];
  if (!t) return rnl_fail(err, RNL_ERR_ARG, "%s: %s is missing", layer, name);
  bool same = t->ndim == ndim;
  for (int i = 0; same && i < ndim; i++) same = t->size[i] == size[i];
  if (stretches && t->ndim == ndim - 1) same = t->size[0] == size[ndim - 1];
  if (!same)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: %s is %s; expected %s", layer, name, rnl_tensor_shape_text(got, t),
                    rnl_shape_text(wanted, ndim, size));
  if (t->dtype != x->dtype)
    return rnl_fail(err, RNL_ERR_DTYPE, "%s: %s is %s but x is %s", layer, name, rnl_dtype_name(t->dtype),
                    rnl_dtype_name(x->dtype));
  return RNL_OK;
}

static rnl_status check_shapes(const rnl_node *node, const rnl_program *p, const char *layer, rnl_error *err) {
  const rnl_tensor *x = given(node, 0);
  char got[RNL_SHAPE_TEXT], name[48];
  if (!x) return rnl_fail(err, RNL_ERR_ARG, "%s: x is missing", layer);
  if (x->ndim != 3)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: x is %s; expected (batch, time, feature)", layer,
                    rnl_tensor_shape_text(got, x));
  if (x->size[0] < 1 || x->size[1] < 1)
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: x is %s; it needs at least one sequence of one step", layer,
                    rnl_tensor_shape_text(got, x));
  const int64_t batch = x->size[0], time = x->size[1];
  for (int k = 0; k < p->n_sequences; k++) {
    snprintf(name, sizeof name, k ? "input sequence %d" : "x", k + 1);
    RNL_TRY(want(node, layer, k, name, false, 3, (int64_t[]){batch, time, p->value[p->sequence[k]].width}, err));
  }
  for (int k = 0; k < p->n_rows; k++) {
    snprintf(name, sizeof name, "row %d", k + 1);
    RNL_TRY(want(node, layer, rnl_program_first_row(p) + k, name, false, 2,
                 (int64_t[]){batch, p->value[p->row[k]].width}, err));
  }
  for (int k = 0; k < p->n_states; k++) {
    snprintf(name, sizeof name, "the initial state %s", p->state_name[k]);
    if (given(node, rnl_program_first_state(p) + k))
      RNL_TRY(want(node, layer, rnl_program_first_state(p) + k, name, true, 2,
                   (int64_t[]){batch, p->value[p->state[k]].width}, err));
  }
  for (int k = 0; k < p->n_weights; k++) {
    const rnl_program_value *w = &p->value[p->weight[k]];
    const int64_t size[2] = {w->rows ? w->rows : w->width, w->width};
    RNL_TRY(want(node, layer, rnl_program_first_weight(p) + k, p->weight_name[k], false, w->rows ? 2 : 1, size, err));
    if (!rnl_tensor_is_contiguous(rnl_in(node, rnl_program_first_weight(p) + k)))
      return rnl_fail(err, RNL_ERR_ARG, "%s: %s is a view with gaps; give a contiguous tensor", layer,
                      p->weight_name[k]);
  }
  const rnl_tensor *lengths = given(node, rnl_program_lengths(p));
  if (lengths && (lengths->ndim != 1 || lengths->size[0] != batch))
    return rnl_fail(err, RNL_ERR_SHAPE, "%s: lengths is %s; expected (%lld), one a sequence", layer,
                    rnl_tensor_shape_text(got, lengths), (long long)batch);
  return RNL_OK;
}

rnl_status rnl_program_read_lengths(const rnl_node *node, int64_t batch, int64_t time, int64_t *lengths, int64_t *min,
                                    rnl_error *err) {
  const rnl_tensor *t = given(node, rnl_program_lengths(program_of(node)));
  return rnl_lengths_read(t, attrs_of(node)->name, batch, time, lengths, min, err);
}

/* ---- making --------------------------------------------------------------------------------- */

rnl_regime rnl_program_regime(const rnl_program *p) {
  int64_t widest = 1;
  for (int k = 0; k < p->n_sequences; k++)
    if (p->value[p->sequence[k]].width > widest) widest = p->value[p->sequence[k]].width;
  for (int k = 0; k < p->n_states; k++)
    if (p->value[p->state[k]].width > widest) widest = p->value[p->state[k]].width;
  for (int k = 0; k < p->n_outputs; k++) /* gates are wide, and say nothing of the layer's size */
    if (p->value[p->output[k]].width > widest && !p->look_only[k] && k == 0) widest = p->value[p->output[k]].width;
  for (int k = 0; k < p->n_weights; k++) /* what is multiplied by it: a Jordan cell's hidden units are no state */
    if (p->value[p->weight[k]].rows > widest) widest = p->value[p->weight[k]].rows;
  return widest <= RNL_SMALL_MAX ? RNL_REGIME_SMALL : RNL_REGIME_LARGE;
}

/* (batch, time, width) with room for one step before the first */
static rnl_status new_with_slot(rnl_tensor *out, rnl_dtype dtype, rnl_layout layout, int64_t batch, int64_t time,
                                int64_t width, rnl_error *err) {
  if (time == INT64_MAX) return rnl_fail(err, RNL_ERR_MEMORY, "too many steps");
  RNL_TRY(rnl_tensor_new_sequence(out, dtype, layout, batch, time + 1, width, err));
  out->size[1] = time;
  out->offset = out->stride[1];
  return RNL_OK;
}

static rnl_status prepare_store(rnl_node *node, rnl_program_store *s, const rnl_program_attrs *attrs, bool lanes,
                                rnl_error *err) {
  const rnl_program *p = attrs->program;
  const rnl_tensor *x = rnl_in(node, 0);
  const rnl_layout layout = lanes ? RNL_LAYOUT_LANES : RNL_LAYOUT_TIME;
  s->program = attrs->program;
  s->lanes = lanes;
  s->f64 = x->dtype == RNL_F64;
  s->batch = x->size[0];
  s->time = s->segment = x->size[1];
  s->pitch = lanes ? rnl_lanes_of(s->batch) : s->batch;
  for (int i = 0; i < node->n_in; i++) s->gradients = s->gradients || node->needs_grad[i];
  if (attrs->checkpoint != 0)
    s->segment = attrs->checkpoint > 0 ? attrs->checkpoint : (int64_t)ceil(sqrt((double)s->time));
  if (s->segment > s->time) s->segment = s->time;
  s->n_segments = (s->time + s->segment - 1) / s->segment;
  s->min_length = s->time;
  if (given(node, rnl_program_lengths(p)) &&
      !(s->lengths = rnl_alloc((size_t)s->batch + 1, sizeof *s->lengths)))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for lengths");

  for (int k = 0; k < p->n_outputs; k++) {
    const rnl_program_value *value = &p->value[p->output[k]];
    s->output_aliased[k] = s->n_segments == 1;
    if (value->state >= 0 && s->n_segments == 1) {
      RNL_TRY(new_with_slot(rnl_out(node, k), x->dtype, layout, s->batch, s->time, value->width, err));
      s->state_aliased[value->state] = true;
    } else {
      RNL_TRY(rnl_tensor_new_sequence(rnl_out(node, k), x->dtype, layout, s->batch, s->time, value->width, err));
    }
    s->output[k] = rnl_tensor_data(rnl_out(node, k));
  }
  RNL_TRY(rnl_program_store_allocate(s, node, err));
  for (int k = 0; k < p->n_outputs; k++) {
    const rnl_program_value *value = &p->value[p->output[k]];
    if (value->state >= 0 && s->n_segments == 1)
      s->base[p->state[value->state]] = s->output[k] - (size_t)(value->width * s->pitch) * element_size(s);
  }
  for (int k = 0; k < p->n_sequences; k++) {
    const rnl_tensor *in = rnl_in(node, k);
    const int64_t width = p->value[p->sequence[k]].width;
    /* With lengths always a copy: what lies past a sequence's end, a NaN perhaps, is not to be met in a product. */
    s->packed[k] = in->layout != layout || s->lengths;
    if (!s->packed[k]) s->sequence[k] = rnl_tensor_ref(in);
    else RNL_TRY(rnl_tensor_new_sequence(&s->sequence[k], x->dtype, layout, s->batch, s->time, width, err));
    s->grad_packed[k] = s->packed[k] && node->needs_grad[k];
    if (s->grad_packed[k])
      RNL_TRY(rnl_tensor_new_sequence(&s->sequence_grad[k], x->dtype, layout, s->batch, s->time, width, err));
  }
  return RNL_OK;
}

static rnl_status prepare(rnl_node *node, rnl_error *err) {
  rnl_program_attrs *attrs = node->attrs;
  char layer[RNL_LAYER_NAME + RNL_PROGRAM_NAME + 16];
  program_run *run = node->own = rnl_alloc(1, sizeof *run);
  if (!run) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a layer");
  const rnl_program *p = run->program = rnl_program_ref(attrs->program);
  snprintf(layer, sizeof layer, "%s layer %s", p->name, attrs->name);
  if (attrs->checkpoint < -1)
    return rnl_fail(err, RNL_ERR_ARG, "%s: a checkpoint every %lld steps", layer, (long long)attrs->checkpoint);
  RNL_TRY(check_shapes(node, p, layer, err));
  if (attrs->regime == RNL_REGIME_AUTO) attrs->regime = rnl_program_regime(p);
  const rnl_tensor *x = rnl_in(node, 0);
  for (int k = 0; k < p->n_states; k++)
    RNL_TRY(rnl_tensor_new(rnl_out(node, p->n_outputs + k), x->dtype, 2,
                           (int64_t[]){x->size[0], p->value[p->state[k]].width}, err));
  if (attrs->regime == RNL_REGIME_REFERENCE) return rnl_program_reference_new(&run->reference, node, err);
  run->executor = attrs->regime == RNL_REGIME_SMALL ? &rnl_program_lanes : &rnl_program_rows;
  RNL_TRY(prepare_store(node, &run->store, attrs, attrs->regime == RNL_REGIME_SMALL, err));
  return run->executor->prepare(&run->store, node, &run->own, err);
}

static void release(rnl_node *node) {
  program_run *run = node->own;
  if (!run) return;
  rnl_program_store *s = &run->store;
  if (run->own) run->executor->release(run->own);
  rnl_program_reference_free(run->reference);
  rnl_tensor_release(&s->arena);
  for (int k = 0; k < RNL_PROGRAM_SEQUENCES; k++) {
    rnl_tensor_release(&s->sequence[k]);
    rnl_tensor_release(&s->sequence_grad[k]);
  }
  rnl_free(s->lengths);
  rnl_program_release(run->program);
  rnl_free(run);
  node->own = NULL;
}

static size_t bytes(const rnl_node *node) {
  const program_run *run = run_of(node);
  if (run->reference) return rnl_program_reference_bytes(run->reference);
  const rnl_program_store *s = &run->store;
  size_t total = s->arena.storage ? s->arena.storage->bytes : 0;
  for (int k = 0; k < s->program->n_sequences; k++) {
    if (s->packed[k]) total += s->sequence[k].storage->bytes;
    if (s->grad_packed[k]) total += s->sequence_grad[k].storage->bytes;
  }
  return total + (run->own ? run->executor->bytes(run->own) : 0);
}

/* ---- rows (batch, width) in and out of the executor's layout -------------------------------- */

#define EACH_ELEMENT(real, body)                                                                       \
  do {                                                                                                 \
    real *own = (real *)(void *)data;                                                                  \
    const int64_t across = s->lanes ? 1 : width, along = s->lanes ? s->pitch : 1;                      \
    for (int64_t b = 0; b < s->batch; b++)                                                             \
      for (int64_t j = 0; j < width; j++) {                                                            \
        real *mine = own + b * across + j * along, *theirs = (real *)rnl_tensor_data(t) + b * step_b + j * step_j; \
        body;                                                                                          \
      }                                                                                                \
  } while (0)

/* data = t, (batch, width) or (width) for all; zero where t is NULL, and in padding */
static void pack_rows(const rnl_program_store *s, char *data, int64_t width, const rnl_tensor *t) {
  if (!t || s->pitch > s->batch) memset(data, 0, (size_t)(width * s->pitch) * element_size(s));
  if (!t) return;
  const int64_t step_b = t->ndim == 2 ? t->stride[0] : 0, step_j = t->stride[t->ndim - 1];
  if (s->f64) EACH_ELEMENT(double, *mine = *theirs);
  else EACH_ELEMENT(float, *mine = *theirs);
}

/* t = data or t += data, (batch, width); where t is (width), the sum over the batch, in double. */
static void unpack_rows(const rnl_program_store *s, char *data, int64_t width, const rnl_tensor *t, bool add) {
  const int64_t step_b = t->ndim == 2 ? t->stride[0] : 0, step_j = t->stride[t->ndim - 1];
  if (t->ndim == 2) {
    if (s->f64) EACH_ELEMENT(double, *theirs = add ? *theirs + *mine : *mine);
    else EACH_ELEMENT(float, *theirs = add ? *theirs + *mine : *mine);
    return;
  }
  const int64_t across = s->lanes ? 1 : width, along = s->lanes ? s->pitch : 1;
  for (int64_t j = 0; j < width; j++) {
    double sum = add ? rnl_tensor_at(t, j) : 0;
    for (int64_t b = 0; b < s->batch; b++) {
      const int64_t at = b * across + j * along;
      sum += s->f64 ? ((double *)(void *)data)[at] : (double)((float *)(void *)data)[at];
    }
    rnl_tensor_put(t, j, sum);
  }
}

/* ---- running -------------------------------------------------------------------------------- */

static void enter_segment(rnl_program_store *s, int64_t index) {
  s->first = index * s->segment;
  s->steps = s->time - s->first < s->segment ? s->time - s->first : s->segment;
}

/* Final states: of the last step, or of each sequence's own last step if that lies in this segment. */
static void put_final_states(const rnl_node *node, rnl_program_store *s) {
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_states; k++) {
    const rnl_tensor *out = rnl_out(node, p->n_outputs + k);
    const int64_t width = p->value[p->state[k]].width, unit = width * s->pitch;
    char *slots = s->base[p->state[k]];
    if (!s->lengths) {
      if (s->first + s->steps == s->time)
        unpack_rows(s, slots + (size_t)(s->steps * unit) * element_size(s), width, out, false);
      continue;
    }
    for (int64_t b = 0; b < s->batch; b++) {
      const int64_t local = s->lengths[b] - s->first; /* slot of the state after step lengths[b] - 1 */
      if (local < (s->first > 0) || local > s->steps) continue; /* slot 0 of the first segment: the initial state */
      for (int64_t j = 0; j < width; j++) {
        const int64_t at = local * unit + (s->lanes ? j * s->pitch + b : b * width + j);
        const double value = s->f64 ? ((double *)(void *)slots)[at] : (double)((float *)(void *)slots)[at];
        rnl_tensor_set(out, (int64_t[]){b, j}, value);
      }
    }
  }
}

static rnl_status take_inputs(const rnl_node *node, rnl_program_store *s, rnl_error *err) {
  const rnl_program *p = s->program;
  const bool same_lengths = rnl_in_unchanged(node, rnl_program_lengths(p));
  if (s->lengths && !same_lengths)
    RNL_TRY(rnl_program_read_lengths(node, s->batch, s->time, s->lengths, &s->lengths[s->batch], err));
  if (s->lengths) s->min_length = s->lengths[s->batch];
  for (int k = 0; k < p->n_sequences; k++) {
    if (same_lengths && rnl_in_unchanged(node, k)) continue; /* as copied and cleared before */
    if (s->packed[k]) RNL_TRY(rnl_tensor_copy(&s->sequence[k], rnl_in(node, k), err));
    if (s->lengths) rnl_lengths_clear(&s->sequence[k], s->lengths, s->min_length);
  }
  for (int k = 0; k < p->n_rows; k++)
    pack_rows(s, s->row_pack[k], p->value[p->row[k]].width, rnl_in(node, rnl_program_first_row(p) + k));
  for (int k = 0; k < p->n_weights; k++)
    s->weight_data[k] = rnl_tensor_data(rnl_in(node, rnl_program_first_weight(p) + k));
  return RNL_OK;
}

static rnl_status forward(rnl_node *node, rnl_error *err) {
  program_run *run = run_of(node);
  if (run->reference) return rnl_program_reference_forward(run->reference, node, err);
  rnl_program_store *s = &run->store;
  const rnl_program *p = s->program;
  RNL_TRY(take_inputs(node, s, err));
  enter_segment(s, 0);
  for (int k = 0; k < p->n_states; k++)
    pack_rows(s, s->base[p->state[k]], p->value[p->state[k]].width, given(node, rnl_program_first_state(p) + k));
  run->executor->begin(s, run->own);
  for (int64_t g = 0; g < s->n_segments; g++) {
    for (int k = 0; k < p->n_states && s->n_segments > 1; k++) {
      const size_t unit = (size_t)(p->value[p->state[k]].width * s->pitch) * element_size(s);
      char *slots = s->base[p->state[k]];
      if (g > 0) memcpy(slots, slots + (size_t)s->steps * unit, unit); /* the segment before ended here */
      memcpy(s->checkpoint[k] + (size_t)g * unit, slots, unit);
    }
    enter_segment(s, g);
    run->executor->forward(s, run->own, false);
    put_final_states(node, s);
  }
  for (int k = 0; k < p->n_outputs && s->lengths; k++)
    if (p->value[p->output[k]].state < 0) rnl_lengths_clear(rnl_out(node, k), s->lengths, s->min_length);
  return RNL_OK;
}

/* ---- backward ------------------------------------------------------------------------------- */

static rnl_status take_gradients(const rnl_node *node, rnl_program_store *s, rnl_error *err) {
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_outputs; k++) {
    const rnl_tensor *arriving = rnl_out_grad(node, k);
    if (arriving && p->look_only[k])
      return rnl_fail(err, RNL_ERR_ARG, "layer %s: no gradient passes from %s, which is for looking at",
                      attrs_of(node)->name, p->output_name[k]);
    s->arriving[k] = arriving ? rnl_tensor_data(arriving) : NULL;
    if (arriving && s->lengths) rnl_lengths_clear(arriving, s->lengths, s->min_length); /* nobody reads it after us */
  }
  for (int v = p->n_forward_values; v < p->n_values; v++) {
    const rnl_program_value *value = &p->value[v];
    const size_t unit = (size_t)(value->width * s->pitch) * element_size(s);
    if (value->kind == RNL_VALUE_WEIGHT_GRAD) {
      s->weight_grad[value->index] = s->base[v];
      memset(s->base[v], 0, unit);
    }
    if (value->kind != RNL_VALUE_STATE_GRAD) continue;
    const rnl_tensor *final = rnl_out_grad(node, p->n_outputs + value->index);
    pack_rows(s, s->base[v], value->width, s->lengths ? NULL : final);
    s->final_grad[value->index] = s->lengths && final ? s->final_pack[value->index] : NULL;
    if (s->final_grad[value->index]) pack_rows(s, s->final_grad[value->index], value->width, final);
  }
  for (int k = 0; k < p->n_weights; k++)
    s->weight_wanted[k] = rnl_in_grad(node, rnl_program_first_weight(p) + k) != NULL;
  for (int k = 0; k < p->n_sequences; k++) {
    const rnl_tensor *grad = rnl_in_grad(node, k);
    if (!grad) continue;
    if (!s->grad_packed[k]) {
      rnl_tensor_release(&s->sequence_grad[k]);
      s->sequence_grad[k] = rnl_tensor_ref(grad);
    }
    if (s->grad_packed[k] || !node->accumulate[k]) rnl_tensor_fill(&s->sequence_grad[k], 0);
  }
  return RNL_OK;
}

static void put_products(const rnl_node *node, program_run *run, bool *touched) {
  const rnl_program *p = run->store.program;
  for (int k = 0; k < p->n_products; k++) {
    const int weight = p->product[k].weight, input = rnl_program_first_weight(p) + weight;
    const rnl_tensor *into = rnl_in_grad(node, input);
    if (!into) continue;
    run->executor->product(&run->store, run->own, &p->product[k], rnl_tensor_data(into),
                           touched[weight] || node->accumulate[input]);
    touched[weight] = true;
  }
}

/* The sums over the batch of what each sequence gave to a vector weight. */
static void put_vector_weights(const rnl_node *node, const rnl_program_store *s, bool *touched) {
  const rnl_program *p = s->program;
  for (int k = 0; k < p->n_weights; k++) {
    const int input = rnl_program_first_weight(p) + k;
    const rnl_tensor *into = rnl_in_grad(node, input);
    const int64_t width = p->value[p->weight[k]].width;
    if (!into) continue;
    if (s->weight_grad[k] && s->lanes)
      rnl_lane_kernels_of(s->f64, s->batch)
          ->lane_reduce(s->batch, s->pitch, 1, width, s->weight_grad[k], rnl_tensor_data(into),
                        node->accumulate[input]);
    else if (s->weight_grad[k])
      unpack_rows(s, s->weight_grad[k], width, into, node->accumulate[input]);
    else if (!touched[k] && !node->accumulate[input])
      rnl_tensor_fill(into, 0); /* a weight that nothing depends on */
  }
}

static rnl_status backward(rnl_node *node, rnl_error *err) {
  program_run *run = run_of(node);
  if (run->reference) return rnl_program_reference_backward(run->reference, node, err);
  rnl_program_store *s = &run->store;
  const rnl_program *p = s->program;
  bool touched[RNL_PROGRAM_WEIGHTS] = {false};
  RNL_TRY(rnl_program_store_backward(s, node, err));
  RNL_TRY(take_gradients(node, s, err));
  for (int64_t g = s->n_segments - 1; g >= 0; g--) {
    enter_segment(s, g);
    for (int k = 0; k < p->n_states && s->n_segments > 1; k++) {
      const size_t unit = (size_t)(p->value[p->state[k]].width * s->pitch) * element_size(s);
      memcpy(s->base[p->state[k]], s->checkpoint[k] + (size_t)g * unit, unit);
    }
    if (g < s->n_segments - 1) run->executor->forward(s, run->own, true);
    run->executor->backward(s, run->own);
    put_products(node, run, touched);
  }
  put_vector_weights(node, s, touched);
  for (int k = 0; k < p->n_sequences; k++)
    if (s->grad_packed[k] && rnl_in_grad(node, k))
      rnl_add_into(rnl_in_grad(node, k), &s->sequence_grad[k], node->accumulate[k]);
  for (int v = p->n_forward_values; v < p->n_values; v++) {
    if (p->value[v].kind != RNL_VALUE_STATE_GRAD) continue;
    const int input = rnl_program_first_state(p) + p->value[v].index;
    const rnl_tensor *into = rnl_in_grad(node, input);
    if (into) unpack_rows(s, s->base[v], p->value[v].width, into, node->accumulate[input]);
  }
  return RNL_OK;
}

static rnl_status jvp(rnl_node *node, const rnl_tensor *const *in_tangent, const rnl_tensor *out_tangent,
                      rnl_error *err) {
  return rnl_program_reference_jvp(node, in_tangent, out_tangent, err);
}

static rnl_layout wants(const rnl_node *node, int input) {
  const rnl_program_attrs *attrs = attrs_of(node);
  if (input >= attrs->program->n_sequences || attrs->regime == RNL_REGIME_REFERENCE) return RNL_LAYOUT_STRIDED;
  return attrs->regime == RNL_REGIME_SMALL ? RNL_LAYOUT_LANES : RNL_LAYOUT_TIME;
}

/* Sequences as packed, and the lengths. */
static int kept(const rnl_node *node, rnl_kept *out) {
  program_run *run = run_of(node);
  rnl_program_store *s = &run->store;
  int n = 0;
  if (run->reference) return 0;
  for (int k = 0; k < s->program->n_sequences; k++)
    if (s->packed[k] && !node->in[k]->creator)
      out[n++] = (rnl_kept){&s->sequence[k].storage->data, s->sequence[k].storage->bytes};
  if (s->lengths) out[n++] = (rnl_kept){&s->lengths, (size_t)(s->batch + 1) * sizeof *s->lengths};
  return n;
}

/* Not the weights, nor a state that is one for all sequences. */
static bool by_rows(const rnl_node *node, int i) {
  const rnl_program *p = program_of(node);
  if (i >= rnl_program_first_state(p) && i < rnl_program_first_weight(p)) return rnl_in(node, i)->ndim == 2;
  return i < rnl_program_first_state(p) || i == rnl_program_lengths(p);
}

const rnl_op rnl_op_program = {
    .name = "recurrent cell",
    .min_in = 1,
    .max_in = RNL_MAX_IN,
    .n_out = RNL_PROGRAM_OUTPUTS + RNL_PROGRAM_STATES,
    .attrs_size = sizeof(rnl_program_attrs),
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .jvp = jvp,
    .jvp_many = rnl_program_jvp_many,
    .by_rows = by_rows,
    .kept = kept,
    .wants = wants,
    .release = release,
    .bytes = bytes,
};
