/* rnn/program_store.c: laying out the values of a program, and where each is found. */
#include "rnn/program_store.h"

#include <string.h>

#include "rnn/program_arena.h"

static int64_t element_bytes(const rnl_program_store *s) { return s->f64 ? sizeof(double) : sizeof(float); }

/* ---- laying out ----------------------------------------------------------------------------- */

/* Which values some instruction writes; the others (fused away) take no room. */
static void find_written(const rnl_program *p, bool gradients, bool *written) {
  memset(written, 0, RNL_PROGRAM_VALUES * sizeof *written);
  for (int list = 0; list < (gradients ? 2 : 1); list++) {
    const rnl_instruction *i = list ? p->backward : p->forward;
    for (int m = 0; m < (list ? p->n_backward : p->n_forward); m++)
      for (int k = 0; k < 3; k++)
        if (i[m].out[k] >= 0) written[rnl_program_base(p, i[m].out[k])] = true;
  }
}

/* Give out two stretches of memory, one that lasts and one for what lives in a backward pass alone; of one that is NULL
 * only the bytes are counted. Each piece begins on a line of 64 bytes. */
enum { LASTING = 0, PASSING = 1 };

static rnl_status lay_out(rnl_program_store *s, char *const arena[2], size_t bytes[2], rnl_error *err) {
  const rnl_program *p = s->program;
  bool written[RNL_PROGRAM_VALUES];
  find_written(p, s->gradients, written);
  size_t at[2] = {0};
  bool overflow = false;
#define PIECE(which, place, elements)                                                \
  do {                                                                               \
    size_t size_ = 0, *at_ = &at[which];                                             \
    overflow = overflow || __builtin_mul_overflow((size_t)(elements), (size_t)element_bytes(s), &size_) || \
               size_ > SIZE_MAX / 2 || __builtin_add_overflow(*at_, (size_ + 63) & ~(size_t)63, &size_); \
    if (arena[which]) (place) = arena[which] + *at_;                                 \
    *at_ = overflow ? *at_ : size_;                                                  \
  } while (0)
  for (int v = 0; v < p->n_values; v++) {
    const rnl_program_value *value = &p->value[v];
    const int64_t unit = value->width * s->pitch;
    const bool backward = v >= p->n_forward_values;
    if (value->kind == RNL_VALUE_CONSTANT) {
      PIECE(LASTING, s->base[v], 1);
      continue;
    }
    if (value->kind == RNL_VALUE_STATE && !s->state_aliased[value->index])
      PIECE(LASTING, s->base[v], unit * (s->segment + 1));
    if (value->kind == RNL_VALUE_STATE_GRAD && s->gradients) PIECE(PASSING, s->base[v], unit);
    if (value->kind == RNL_VALUE_WEIGHT_GRAD && s->gradients) PIECE(PASSING, s->base[v], unit);
    if (value->kind != RNL_VALUE_STEP || !written[v] || value->state >= 0 || value->shares >= 0) continue;
    if (!backward && value->output >= 0 && s->output_aliased[value->output]) continue;
    /* Without a backward pass nothing needs its every step but an output that is copied, a step at a time. */
    const bool kept = value->kept && s->gradients;
    PIECE(backward ? PASSING : LASTING, s->base[v], kept ? unit * s->segment : unit);
    s->step_kept[v] = kept;
  }
  for (int k = 0; k < p->n_states; k++)
    if (s->n_segments > 1) PIECE(LASTING, s->checkpoint[k], s->n_segments * p->value[p->state[k]].width * s->pitch);
  for (int k = 0; k < p->n_states; k++)
    if (s->lengths && s->gradients) PIECE(PASSING, s->final_pack[k], p->value[p->state[k]].width * s->pitch);
  for (int k = 0; k < p->n_rows; k++) PIECE(LASTING, s->row_pack[k], p->value[p->row[k]].width * s->pitch);
#undef PIECE
  if (overflow)
    return rnl_fail(err, RNL_ERR_MEMORY,
                    "cell %s: its values over %lld steps take more memory than can be addressed", p->name,
                    (long long)s->time);
  bytes[LASTING] = at[LASTING];
  bytes[PASSING] = at[PASSING];
  return RNL_OK;
}

rnl_status rnl_program_store_allocate(rnl_program_store *s, rnl_node *node, rnl_error *err) {
  const rnl_dtype dtype = s->f64 ? RNL_F64 : RNL_F32;
  size_t bytes[2];
  RNL_TRY(lay_out(s, (char *[2]){NULL, NULL}, bytes, err));
  const int64_t lasting = (int64_t)bytes[LASTING] / element_bytes(s);
  const int64_t passing = (int64_t)bytes[PASSING] / element_bytes(s);
  RNL_TRY(rnl_tensor_new(&s->arena, dtype, 1, &lasting, err));
  if (passing > 0) RNL_TRY(rnl_node_borrow(node, 0, dtype, RNL_LAYOUT_STRIDED, 1, 1, passing, err));
  RNL_TRY(lay_out(s, (char *[2]){rnl_tensor_data(&s->arena), NULL}, bytes, err));
  const rnl_program *p = s->program;
  for (int v = 0; v < p->n_values; v++) {
    const rnl_program_value *value = &p->value[v];
    if (value->kind == RNL_VALUE_CONSTANT) {
      if (s->f64) *(double *)(void *)s->base[v] = value->number;
      else *(float *)(void *)s->base[v] = (float)value->number;
    }
    if (value->kind == RNL_VALUE_STEP && value->shares >= 0) {
      s->base[v] = s->base[value->shares];
      s->step_kept[v] = true;
    }
  }
  return RNL_OK;
}

rnl_status rnl_program_store_backward(rnl_program_store *s, const rnl_node *node, rnl_error *err) {
  char *passing = node->work[0].storage ? rnl_tensor_data(&node->work[0]) : NULL;
  if (passing == s->passing) return RNL_OK;
  size_t bytes[2];
  s->passing = passing;
  return lay_out(s, (char *[2]){NULL, passing}, bytes, err);
}

/* ---- finding -------------------------------------------------------------------------------- */

rnl_operand rnl_program_operand(const rnl_program_store *s, int v) {
  const rnl_program *p = s->program;
  const int base = rnl_program_base(p, v);
  const rnl_program_value *value = &p->value[base];
  const int64_t size = element_bytes(s), unit = value->width * s->pitch, done = s->first * unit * size;
  rnl_operand o = {.stride = s->lanes ? s->pitch : value->width, .width = p->value[v].width, .per_sequence = true};
  switch (value->kind) {
    case RNL_VALUE_SEQUENCE:
      o.data = (char *)rnl_tensor_data(&s->sequence[value->index]) + done;
      o.step = unit;
      break;
    case RNL_VALUE_SEQUENCE_GRAD:
      o.data = s->sequence_grad[value->index].storage
                   ? (char *)rnl_tensor_data(&s->sequence_grad[value->index]) + done
                   : NULL;
      o.step = unit;
      break;
    case RNL_VALUE_ARRIVING:
      o.data = s->arriving[value->index] ? s->arriving[value->index] + done : NULL;
      o.step = unit;
      break;
    case RNL_VALUE_ROW:
      o.data = s->row_pack[value->index];
      break;
    case RNL_VALUE_WEIGHT:
      o.data = (char *)s->weight_data[value->index];
      o.stride = value->rows ? value->width : 1;
      o.per_sequence = false;
      break;
    case RNL_VALUE_CONSTANT:
      o.data = s->base[base];
      o.stride = 0;
      o.per_sequence = false;
      break;
    case RNL_VALUE_STATE:
      o.data = s->base[base];
      o.step = unit;
      break;
    case RNL_VALUE_WEIGHT_GRAD:
      o.data = s->weight_wanted[value->index] ? s->base[base] : NULL;
      break;
    case RNL_VALUE_STATE_GRAD:
      o.data = s->base[base];
      break;
    case RNL_VALUE_STEP:
      if (value->state >= 0 && base < p->n_forward_values) {
        o.data = s->base[p->state[value->state]] + unit * size; /* the slot after the state's own */
        o.step = unit;
      } else if (base < p->n_forward_values && value->output >= 0 && s->output_aliased[value->output]) {
        o.data = s->output[value->output] + done;
        o.step = unit;
      } else {
        o.data = s->base[base];
        o.step = s->step_kept[base] ? unit : 0;
      }
      break;
    case RNL_VALUE_SLICE: break; /* its base is none */
  }
  if (base != v && o.data) o.data += p->value[v].start * (s->lanes ? s->pitch : 1) * size;
  return o;
}
