/* rnn/program_reference.c: plain loops. Every value has an array over all steps: STEP and SEQUENCE
 * [time][batch][width], STATE [time + 1][batch][width] (slot t: as step t-1 left it), ROW [batch][width], WEIGHT
 * and CONSTANT their own. */
#include "rnn/program_reference.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* ---- life ----------------------------------------------------------------------------------- */

static int64_t elements_of(const rnl_program_reference *r, int v) {
  const rnl_program_value *value = &r->p->value[v];
  switch (value->kind) {
    case RNL_VALUE_SEQUENCE:
    case RNL_VALUE_STEP: return r->time * r->batch * value->width;
    case RNL_VALUE_STATE: return (r->time + 1) * r->batch * value->width;
    case RNL_VALUE_ROW: return r->batch * value->width;
    case RNL_VALUE_WEIGHT: return (value->rows ? value->rows : 1) * value->width;
    case RNL_VALUE_CONSTANT: return 1;
    default: return 0;
  }
}

static rnl_status make_arrays(rnl_program_reference *r, double **arrays, rnl_error *err) {
  for (int v = 0; v < r->p->n_forward_values; v++) {
    const int64_t n = elements_of(r, v);
    if (n && !(arrays[v] = rnl_alloc((size_t)n, sizeof(double)))) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
    r->elements += n;
  }
  return RNL_OK;
}

static rnl_status new_for(rnl_program_reference **out, const rnl_node *node, bool gradients, rnl_error *err) {
  const rnl_program_attrs *attrs = node->attrs;
  const rnl_tensor *x = rnl_in(node, 0);
  rnl_program_reference *r = *out = rnl_alloc(1, sizeof *r);
  if (!r) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  r->p = attrs->program;
  r->batch = x->size[0];
  r->time = x->size[1];
  if (!(r->lengths = rnl_alloc((size_t)r->batch, sizeof *r->lengths)))
    return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  RNL_TRY(make_arrays(r, r->value, err));
  return gradients ? make_arrays(r, r->grad, err) : RNL_OK;
}

rnl_status rnl_program_reference_new(rnl_program_reference **out, rnl_node *node, rnl_error *err) {
  const rnl_program_attrs *attrs = node->attrs;
  const rnl_program *p = attrs->program;
  const rnl_tensor *x = rnl_in(node, 0);
  bool gradients = false;
  for (int i = 0; i < node->n_in; i++) gradients = gradients || node->needs_grad[i];
  for (int k = 0; k < p->n_outputs; k++)
    RNL_TRY(rnl_tensor_new(rnl_out(node, k), x->dtype, 3,
                           (int64_t[]){x->size[0], x->size[1], p->value[p->output[k]].width}, err));
  return new_for(out, node, gradients, err);
}

void rnl_program_reference_free(rnl_program_reference *r) {
  if (!r) return;
  for (int v = 0; v < RNL_PROGRAM_VALUES; v++) {
    rnl_free(r->value[v]);
    rnl_free(r->grad[v]);
    rnl_free(r->tangent[v]);
  }
  rnl_free(r->lengths);
  rnl_free(r);
}

size_t rnl_program_reference_bytes(const rnl_program_reference *r) { return (size_t)r->elements * sizeof(double); }

/* ---- elements ------------------------------------------------------------------------------- */

/* Feature j of value v for sequence b at step t in `arrays`; one feature stretches. */
static double *at(const rnl_program_reference *r, double *const *arrays, int v, int64_t t, int64_t b, int64_t j) {
  const rnl_program *p = r->p;
  const int base = rnl_program_base(p, v);
  const rnl_program_value *value = &p->value[base];
  if (p->value[v].width == 1) j = 0;
  j += p->value[v].start;
  switch (value->kind) {
    case RNL_VALUE_CONSTANT:
    case RNL_VALUE_WEIGHT: return arrays[base] + j;
    case RNL_VALUE_ROW: return arrays[base] + b * value->width + j;
    default: return arrays[base] + (t * r->batch + b) * value->width + j;
  }
}
double *rnl_program_reference_at(const rnl_program_reference *r, int v, int64_t t, int64_t b, int64_t j) {
  return at(r, r->value, v, t, b, j);
}
static double get(const rnl_program_reference *r, int v, int64_t t, int64_t b, int64_t j) {
  return *at(r, r->value, v, t, b, j);
}
static void pass(rnl_program_reference *r, int v, int64_t t, int64_t b, int64_t j, double g) {
  if (v >= 0 && !r->p->value[v].stop) *at(r, r->grad, v, t, b, j) += g;
}
static double moved(const rnl_program_reference *r, int v, int64_t t, int64_t b, int64_t j) {
  return v < 0 || r->p->value[v].stop ? 0 : *at(r, r->tangent, v, t, b, j);
}

/* Copy between a tensor, (batch, time, width), (batch, width), (width) or a weight, and an array as above. */
enum direction { FROM_TENSOR, TO_TENSOR, ADD_TO_TENSOR };
static void transfer(const rnl_program_reference *r, const rnl_tensor *t, double *array, rnl_value_kind kind,
                     enum direction direction) {
  const int64_t n = rnl_tensor_numel(t);
  for (int64_t i = 0; i < n; i++) {
    int64_t to = i;
    if (kind == RNL_VALUE_SEQUENCE) { /* i = (b time + s) width + j, to = (s batch + b) width + j */
      const int64_t width = t->size[2], b = i / width / r->time, s = i / width % r->time;
      to = (s * r->batch + b) * width + i % width;
    }
    if (direction == FROM_TENSOR) array[to] = rnl_tensor_at(t, i);
    else rnl_tensor_put(t, i, array[to] + (direction == ADD_TO_TENSOR ? rnl_tensor_at(t, i) : 0));
  }
}

/* ---- forward -------------------------------------------------------------------------------- */

static double sigmoid(double u) { return 1 / (1 + exp(-u)); }

static double unary(rnl_unary kind, double u) {
  switch (kind) {
    case RNL_UNARY_NEG: return -u;
    case RNL_UNARY_ABS: return fabs(u);
    case RNL_UNARY_SQUARE: return u * u;
    case RNL_UNARY_SQRT: return sqrt(u);
    case RNL_UNARY_EXP: return exp(u);
    case RNL_UNARY_LOG: return log(u);
    case RNL_UNARY_TANH: return tanh(u);
    case RNL_UNARY_SIGMOID: return sigmoid(u);
    case RNL_UNARY_RELU: return u > 0 || isnan(u) ? u : 0;
    case RNL_UNARY_SIN: return sin(u);
    case RNL_UNARY_COS: return cos(u);
    case RNL_UNARY_SIGN: return (u > 0) - (u < 0);
    default: return u;
  }
}
/* f'(x) where y = f(x) */
double rnl_program_unary_slope(rnl_unary kind, double x, double y) {
  switch (kind) {
    case RNL_UNARY_NEG: return -1;
    case RNL_UNARY_ABS: return (x > 0) - (x < 0);
    case RNL_UNARY_SQUARE: return 2 * x;
    case RNL_UNARY_SQRT: return .5 / y;
    case RNL_UNARY_EXP: return y;
    case RNL_UNARY_LOG: return 1 / x;
    case RNL_UNARY_TANH: return 1 - y * y;
    case RNL_UNARY_SIGMOID: return y * (1 - y);
    case RNL_UNARY_RELU: return y > 0;
    case RNL_UNARY_SIN: return cos(x);
    case RNL_UNARY_COS: return -sin(x);
    case RNL_UNARY_SIGN: return 0;
    default: return 1;
  }
}
static const rnl_unary unary_of[] = {RNL_UNARY_COPY, RNL_UNARY_TANH, RNL_UNARY_SIGMOID, RNL_UNARY_RELU};
_Static_assert(sizeof unary_of / sizeof *unary_of == RNL_ACT_COUNT, "a function each");
rnl_unary rnl_program_unary_of(rnl_activation act) { return unary_of[act]; }

static double binary(rnl_binary kind, double a, double b) {
  switch (kind) {
    case RNL_BINARY_ADD: return a + b;
    case RNL_BINARY_SUB: return a - b;
    case RNL_BINARY_MUL: return a * b;
    case RNL_BINARY_DIV: return a / b;
    case RNL_BINARY_MIN: return a < b || isnan(a) ? a : b;
    case RNL_BINARY_MAX: return a > b || isnan(a) ? a : b;
    default: return pow(a, b);
  }
}
/* df/da and df/db; where a and b are equal, MIN and MAX give half to each */
void rnl_program_binary_slopes(rnl_binary kind, double a, double b, double y, double *da, double *db) {
  *da = *db = 1;
  switch (kind) {
    case RNL_BINARY_ADD: break;
    case RNL_BINARY_SUB: *db = -1; break;
    case RNL_BINARY_MUL: *da = b, *db = a; break;
    case RNL_BINARY_DIV: *da = 1 / b, *db = -y / b; break;
    case RNL_BINARY_MIN: *da = a < b ? 1 : a == b ? .5 : 0, *db = 1 - *da; break;
    case RNL_BINARY_MAX: *da = a > b ? 1 : a == b ? .5 : 0, *db = 1 - *da; break;
    default: *da = b == 0 ? 0 : b * pow(a, b - 1), *db = a > 0 ? y * log(a) : 0; break;
  }
}

static void run_instruction(rnl_program_reference *r, const rnl_instruction *f, int64_t t, int64_t b) {
  const rnl_program *p = r->p;
  const int *in = f->in, *out = f->out;
  const int64_t width = p->value[out[0]].width;
  if (f->op == RNL_OP_LSTM) {
    const int64_t n = width / 4;
    for (int64_t j = 0; j < n; j++) {
      double gate[4]; /* i f g o */
      for (int k = 0; k < 4; k++) {
        const double z = get(r, in[0], t, b, k * n + j);
        *at(r, r->value, out[0], t, b, k * n + j) = gate[k] = k == 2 ? tanh(z) : sigmoid(z);
      }
      const double c = gate[1] * get(r, in[1], t, b, j) + gate[0] * gate[2];
      *at(r, r->value, out[1], t, b, j) = c;
      *at(r, r->value, out[2], t, b, j) = gate[3] * tanh(c);
    }
    return;
  }
  if (f->op == RNL_OP_GRU) {
    const int64_t n = width / 3;
    for (int64_t j = 0; j < n; j++) {
      const double reset = sigmoid(get(r, in[0], t, b, j) + get(r, in[1], t, b, j));
      const double z = sigmoid(get(r, in[0], t, b, n + j) + get(r, in[1], t, b, n + j));
      const double new = tanh(get(r, in[0], t, b, 2 * n + j) + reset * get(r, in[1], t, b, 2 * n + j));
      *at(r, r->value, out[0], t, b, j) = reset;
      *at(r, r->value, out[0], t, b, n + j) = z;
      *at(r, r->value, out[0], t, b, 2 * n + j) = new;
      *at(r, r->value, out[1], t, b, j) = (1 - z) * new + z * get(r, in[2], t, b, j);
    }
    return;
  }
  for (int64_t j = 0; j < width; j++) {
    double y = 0;
    if (f->op == RNL_OP_UNARY) {
      y = unary((rnl_unary)f->kind, get(r, in[0], t, b, j));
    } else if (f->op == RNL_OP_BINARY) {
      y = binary((rnl_binary)f->kind, get(r, in[0], t, b, j), get(r, in[1], t, b, j));
    } else if (f->op == RNL_OP_SUM) {
      for (int64_t i = 0; i < p->value[in[0]].width; i++) y += get(r, in[0], t, b, i);
    } else {
      y = in[0] >= 0 ? get(r, in[0], t, b, j) : 0;
      for (int k = 0; k < f->n_terms; k++)
        for (int64_t i = 0; i < p->value[f->term[k].source].width; i++)
          y += get(r, f->term[k].source, t, b, i) * r->value[f->term[k].weight][i * width + j];
      y = unary(unary_of[f->kind], y);
    }
    *at(r, r->value, out[0], t, b, j) = y;
  }
}

/* The states after step t, of values or tangents; zero past a sequence's length. */
static void pass_states(rnl_program_reference *r, double **arrays, int64_t t) {
  for (int k = 0; k < r->p->n_states; k++)
    for (int64_t b = 0; b < r->batch; b++)
      for (int64_t j = 0; j < r->p->value[r->p->state[k]].width; j++)
        *at(r, arrays, r->p->state[k], t + 1, b, j) = t < r->lengths[b] ? *at(r, arrays, r->p->next[k], t, b, j) : 0;
}

/* Initial states of values or tangents from (batch, width) or (width) tensors. */
static void take_state(rnl_program_reference *r, double *array, int64_t width, const rnl_tensor *state0) {
  for (int64_t b = 0; b < r->batch; b++)
    for (int64_t j = 0; j < width; j++)
      array[b * width + j] = !state0 ? 0 : rnl_tensor_at(state0, state0->ndim == 2 ? b * width + j : j);
}

static rnl_status run_forward(rnl_program_reference *r, const rnl_node *node, rnl_error *err) {
  const rnl_program *p = r->p;
  int64_t min = 0;
  RNL_TRY(rnl_program_read_lengths(node, r->batch, r->time, r->lengths, &min, err));
  for (int k = 0; k < p->n_sequences; k++)
    transfer(r, rnl_in(node, k), r->value[p->sequence[k]], RNL_VALUE_SEQUENCE, FROM_TENSOR);
  for (int k = 0; k < p->n_rows; k++)
    transfer(r, rnl_in(node, rnl_program_first_row(p) + k), r->value[p->row[k]], RNL_VALUE_ROW, FROM_TENSOR);
  for (int k = 0; k < p->n_weights; k++)
    transfer(r, rnl_in(node, rnl_program_first_weight(p) + k), r->value[p->weight[k]], RNL_VALUE_WEIGHT, FROM_TENSOR);
  for (int v = 0; v < p->n_forward_values; v++)
    if (p->value[v].kind == RNL_VALUE_CONSTANT) r->value[v][0] = p->value[v].number;
  for (int k = 0; k < p->n_states; k++)
    take_state(r, r->value[p->state[k]], p->value[p->state[k]].width, rnl_in(node, rnl_program_first_state(p) + k));
  for (int64_t t = 0; t < r->time; t++) {
    for (int i = 0; i < p->n_forward; i++)
      for (int64_t b = 0; b < r->batch; b++) run_instruction(r, &p->forward[i], t, b);
    pass_states(r, r->value, t);
  }
  return RNL_OK;
}

rnl_status rnl_program_reference_values(rnl_program_reference **out, const rnl_node *node, rnl_error *err) {
  RNL_TRY(new_for(out, node, false, err));
  return run_forward(*out, node, err);
}

/* Outputs and final states, of values or of tangents. */
static void put_results(const rnl_program_reference *r, double *const *arrays, const rnl_tensor *const *out) {
  const rnl_program *p = r->p;
  for (int k = 0; k < p->n_outputs; k++) {
    const int v = p->output[k];
    for (int64_t t = 0; t < r->time && out[k]->storage; t++)
      for (int64_t b = 0; b < r->batch; b++)
        for (int64_t j = 0; j < p->value[v].width; j++)
          rnl_tensor_set(out[k], (int64_t[]){b, t, j}, t < r->lengths[b] ? *at(r, arrays, v, t, b, j) : 0);
  }
  for (int k = 0; k < p->n_states; k++)
    for (int64_t b = 0; b < r->batch && out[p->n_outputs + k]->storage; b++)
      for (int64_t j = 0; j < p->value[p->state[k]].width; j++)
        rnl_tensor_set(out[p->n_outputs + k], (int64_t[]){b, j}, *at(r, arrays, p->state[k], r->lengths[b], b, j));
}

rnl_status rnl_program_reference_forward(rnl_program_reference *r, const rnl_node *node, rnl_error *err) {
  RNL_TRY(run_forward(r, node, err));
  const rnl_tensor *out[RNL_MAX_OUT];
  for (int k = 0; k < node->n_out; k++) out[k] = rnl_out(node, k);
  put_results(r, r->value, out);
  return RNL_OK;
}

/* ---- backward ------------------------------------------------------------------------------- */

static void reverse_instruction(rnl_program_reference *r, const rnl_instruction *f, int64_t t, int64_t b) {
  const rnl_program *p = r->p;
  const int *in = f->in, *out = f->out;
  const int64_t width = p->value[out[0]].width;
  if (f->op == RNL_OP_LSTM) {
    const int64_t n = width / 4;
    for (int64_t j = 0; j < n; j++) {
      double gate[4], d[4];
      for (int k = 0; k < 4; k++) {
        gate[k] = get(r, out[0], t, b, k * n + j);
        d[k] = *at(r, r->grad, out[0], t, b, k * n + j);
      }
      const double c = get(r, out[1], t, b, j), c_before = get(r, in[1], t, b, j), s = tanh(c);
      const double dh = *at(r, r->grad, out[2], t, b, j),
                   dc = *at(r, r->grad, out[1], t, b, j) + dh * gate[3] * (1 - s * s);
      d[0] += dc * gate[2], d[1] += dc * c_before, d[2] += dc * gate[0], d[3] += dh * s;
      for (int k = 0; k < 4; k++)
        pass(r, in[0], t, b, k * n + j, d[k] * (k == 2 ? 1 - gate[k] * gate[k] : gate[k] * (1 - gate[k])));
      pass(r, in[1], t, b, j, dc * gate[1]);
    }
    return;
  }
  if (f->op == RNL_OP_GRU) {
    const int64_t n = width / 3;
    for (int64_t j = 0; j < n; j++) {
      const double reset = get(r, out[0], t, b, j), z = get(r, out[0], t, b, n + j),
                   new = get(r, out[0], t, b, 2 * n + j);
      const double dh = *at(r, r->grad, out[1], t, b, j), before = get(r, in[2], t, b, j),
                   zh = get(r, in[1], t, b, 2 * n + j);
      const double dn = dh * (1 - z) * (1 - new * new), dz = dh * (before - new) * z * (1 - z);
      const double dr = dn * zh * reset * (1 - reset);
      pass(r, in[0], t, b, j, dr), pass(r, in[1], t, b, j, dr);
      pass(r, in[0], t, b, n + j, dz), pass(r, in[1], t, b, n + j, dz);
      pass(r, in[0], t, b, 2 * n + j, dn), pass(r, in[1], t, b, 2 * n + j, dn * reset);
      pass(r, in[2], t, b, j, dh * z);
    }
    return;
  }
  for (int64_t j = 0; j < width; j++) {
    const double g = *at(r, r->grad, out[0], t, b, j), y = get(r, out[0], t, b, j);
    if (f->op == RNL_OP_UNARY) {
      pass(r, in[0], t, b, j, g * rnl_program_unary_slope((rnl_unary)f->kind, get(r, in[0], t, b, j), y));
    } else if (f->op == RNL_OP_BINARY) {
      double da, db;
      rnl_program_binary_slopes((rnl_binary)f->kind, get(r, in[0], t, b, j), get(r, in[1], t, b, j), y, &da, &db);
      pass(r, in[0], t, b, j, g * da);
      pass(r, in[1], t, b, j, g * db);
    } else if (f->op == RNL_OP_SUM) {
      for (int64_t i = 0; i < p->value[in[0]].width; i++) pass(r, in[0], t, b, i, g);
    } else {
      const double dz = g * rnl_program_unary_slope(unary_of[f->kind], 0, y);
      pass(r, in[0], t, b, j, dz);
      for (int k = 0; k < f->n_terms; k++) {
        const int source = f->term[k].source, weight = f->term[k].weight;
        for (int64_t i = 0; i < p->value[source].width; i++) {
          pass(r, source, t, b, i, dz * r->value[weight][i * width + j]);
          r->grad[weight][i * width + j] += dz * get(r, source, t, b, i);
        }
      }
    }
  }
}

rnl_status rnl_program_reference_backward(rnl_program_reference *r, const rnl_node *node, rnl_error *err) {
  const rnl_program *p = r->p;
  for (int v = 0; v < p->n_forward_values; v++)
    if (r->grad[v]) memset(r->grad[v], 0, (size_t)elements_of(r, v) * sizeof(double));
  for (int k = 0; k < p->n_outputs; k++)
    if (rnl_out_grad(node, k) && p->look_only[k])
      return rnl_fail(err, RNL_ERR_ARG, "no gradient passes from %s, which is for looking at", p->output_name[k]);
  for (int k = 0; k < p->n_states; k++) {
    const rnl_tensor *final = rnl_out_grad(node, p->n_outputs + k);
    for (int64_t b = 0; b < r->batch && final; b++)
      for (int64_t j = 0; j < p->value[p->state[k]].width; j++)
        *at(r, r->grad, p->state[k], r->lengths[b], b, j) = rnl_tensor_get(final, (int64_t[]){b, j});
  }
  for (int64_t t = r->time - 1; t >= 0; t--) {
    for (int64_t b = 0; b < r->batch; b++) {
      if (t >= r->lengths[b]) continue;
      for (int k = 0; k < p->n_states; k++)
        for (int64_t j = 0; j < p->value[p->state[k]].width; j++)
          *at(r, r->grad, p->next[k], t, b, j) += *at(r, r->grad, p->state[k], t + 1, b, j);
      for (int k = 0; k < p->n_outputs; k++)
        for (int64_t j = 0; j < p->value[p->output[k]].width && rnl_out_grad(node, k); j++)
          *at(r, r->grad, p->output[k], t, b, j) += rnl_tensor_get(rnl_out_grad(node, k), (int64_t[]){b, t, j});
      for (int i = p->n_forward - 1; i >= 0; i--) reverse_instruction(r, &p->forward[i], t, b);
    }
  }
  for (int k = 0; k < p->n_sequences; k++)
    if (rnl_in_grad(node, k))
      transfer(r, rnl_in_grad(node, k), r->grad[p->sequence[k]], RNL_VALUE_SEQUENCE,
               node->accumulate[k] ? ADD_TO_TENSOR : TO_TENSOR);
  for (int k = 0; k < p->n_weights; k++) {
    const int input = rnl_program_first_weight(p) + k;
    if (rnl_in_grad(node, input))
      transfer(r, rnl_in_grad(node, input), r->grad[p->weight[k]], RNL_VALUE_WEIGHT,
               node->accumulate[input] ? ADD_TO_TENSOR : TO_TENSOR);
  }
  for (int k = 0; k < p->n_states; k++) {
    const int input = rnl_program_first_state(p) + k;
    const rnl_tensor *into = rnl_in_grad(node, input);
    const int64_t width = p->value[p->state[k]].width;
    if (!into) continue;
    if (!node->accumulate[input]) rnl_tensor_fill(into, 0);
    for (int64_t b = 0; b < r->batch; b++)
      for (int64_t j = 0; j < width; j++) {
        const int64_t i = into->ndim == 2 ? b * width + j : j;
        rnl_tensor_put(into, i, rnl_tensor_at(into, i) + *at(r, r->grad, p->state[k], 0, b, j));
      }
  }
  return RNL_OK;
}

/* ---- forward mode --------------------------------------------------------------------------- */

static void move_instruction(rnl_program_reference *r, const rnl_instruction *f, int64_t t, int64_t b) {
  const rnl_program *p = r->p;
  const int *in = f->in, *out = f->out;
  const int64_t width = p->value[out[0]].width;
  if (f->op == RNL_OP_LSTM) {
    const int64_t n = width / 4;
    for (int64_t j = 0; j < n; j++) {
      double gate[4], d[4];
      for (int k = 0; k < 4; k++) {
        gate[k] = get(r, out[0], t, b, k * n + j);
        d[k] = moved(r, in[0], t, b, k * n + j) * (k == 2 ? 1 - gate[k] * gate[k] : gate[k] * (1 - gate[k]));
        *at(r, r->tangent, out[0], t, b, k * n + j) = d[k];
      }
      const double s = tanh(get(r, out[1], t, b, j));
      const double dc =
          d[1] * get(r, in[1], t, b, j) + gate[1] * moved(r, in[1], t, b, j) + d[0] * gate[2] + gate[0] * d[2];
      *at(r, r->tangent, out[1], t, b, j) = dc;
      *at(r, r->tangent, out[2], t, b, j) = d[3] * s + gate[3] * (1 - s * s) * dc;
    }
    return;
  }
  if (f->op == RNL_OP_GRU) {
    const int64_t n = width / 3;
    for (int64_t j = 0; j < n; j++) {
      const double reset = get(r, out[0], t, b, j), z = get(r, out[0], t, b, n + j),
                   new = get(r, out[0], t, b, 2 * n + j);
      const double dr = (moved(r, in[0], t, b, j) + moved(r, in[1], t, b, j)) * reset * (1 - reset);
      const double dz = (moved(r, in[0], t, b, n + j) + moved(r, in[1], t, b, n + j)) * z * (1 - z);
      const double dn = (moved(r, in[0], t, b, 2 * n + j) + dr * get(r, in[1], t, b, 2 * n + j) +
                         reset * moved(r, in[1], t, b, 2 * n + j)) * (1 - new * new);
      *at(r, r->tangent, out[0], t, b, j) = dr;
      *at(r, r->tangent, out[0], t, b, n + j) = dz;
      *at(r, r->tangent, out[0], t, b, 2 * n + j) = dn;
      *at(r, r->tangent, out[1], t, b, j) =
          (1 - z) * dn + dz * (get(r, in[2], t, b, j) - new) + z * moved(r, in[2], t, b, j);
    }
    return;
  }
  for (int64_t j = 0; j < width; j++) {
    const double y = get(r, out[0], t, b, j);
    double dy = 0;
    if (f->op == RNL_OP_UNARY) {
      dy = moved(r, in[0], t, b, j) * rnl_program_unary_slope((rnl_unary)f->kind, get(r, in[0], t, b, j), y);
    } else if (f->op == RNL_OP_BINARY) {
      double da, db;
      rnl_program_binary_slopes((rnl_binary)f->kind, get(r, in[0], t, b, j), get(r, in[1], t, b, j), y, &da, &db);
      dy = da * moved(r, in[0], t, b, j) + db * moved(r, in[1], t, b, j);
    } else if (f->op == RNL_OP_SUM) {
      for (int64_t i = 0; i < p->value[in[0]].width; i++) dy += moved(r, in[0], t, b, i);
    } else {
      dy = moved(r, in[0], t, b, j);
      for (int k = 0; k < f->n_terms; k++) {
        const int source = f->term[k].source, weight = f->term[k].weight;
        for (int64_t i = 0; i < p->value[source].width; i++)
          dy += moved(r, source, t, b, i) * r->value[weight][i * width + j] +
                get(r, source, t, b, i) * r->tangent[weight][i * width + j];
      }
      dy *= rnl_program_unary_slope(unary_of[f->kind], 0, y);
    }
    *at(r, r->tangent, out[0], t, b, j) = dy;
  }
}

rnl_status rnl_program_reference_jvp(const rnl_node *node, const rnl_tensor *const *in_tangent,
                                     const rnl_tensor *out_tangent, rnl_error *err) {
  rnl_program_reference *r = NULL;
  rnl_status status = new_for(&r, node, false, err);
  if (status == RNL_OK) status = run_forward(r, node, err);
  if (status == RNL_OK) status = make_arrays(r, r->tangent, err);
  if (status == RNL_OK) {
    const rnl_program *p = r->p;
    for (int k = 0; k < p->n_sequences; k++)
      if (in_tangent[k]) transfer(r, in_tangent[k], r->tangent[p->sequence[k]], RNL_VALUE_SEQUENCE, FROM_TENSOR);
    for (int k = 0; k < p->n_states; k++)
      take_state(r, r->tangent[p->state[k]], p->value[p->state[k]].width, in_tangent[rnl_program_first_state(p) + k]);
    for (int k = 0; k < p->n_weights; k++)
      if (in_tangent[rnl_program_first_weight(p) + k])
        transfer(r, in_tangent[rnl_program_first_weight(p) + k], r->tangent[p->weight[k]], RNL_VALUE_WEIGHT,
                 FROM_TENSOR);
    for (int64_t t = 0; t < r->time; t++) {
      for (int i = 0; i < p->n_forward; i++)
        for (int64_t b = 0; b < r->batch; b++) move_instruction(r, &p->forward[i], t, b);
      pass_states(r, r->tangent, t);
    }
    const rnl_tensor *out[RNL_MAX_OUT];
    for (int k = 0; k < node->n_out; k++) out[k] = &out_tangent[k];
    put_results(r, r->tangent, out);
  }
  rnl_program_reference_free(r);
  return status;
}
