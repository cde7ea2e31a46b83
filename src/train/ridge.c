/* train/ridge.c: finding the read-out, its normal equations, its weights. */
#include "train/ridge.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernel/gemm.h"
#include "kernel/lapack.h"
#include "rnn/linear.h"
#include "rnn/program_op.h"
#include "train/residuals.h"

/* ---- the read-out ----------------------------------------------------------------------------- */

/* prediction = sum_k source_k weight_k + bias */
typedef struct read_out {
  int n_terms;
  const rnl_tensor *source[RNL_PROGRAM_TERMS]; /* of the prediction's sizes but the last */
  rnl_var *weight[RNL_PROGRAM_TERMS], *bias;   /* bias may be NULL */
} read_out;

static rnl_status refuse(const char *what, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_ARG, "ridge solves for a linear read-out, y = h V + c, at the network's end; here %s",
                  what);
}

/* A recurrent layer's program: the instruction that makes output `index`. */
static rnl_status of_program(read_out *r, const rnl_node *node, int index, rnl_error *err) {
  const rnl_program *p = ((const rnl_program_attrs *)node->attrs)->program;
  const rnl_instruction *made = NULL;
  for (int i = 0; i < p->n_forward; i++)
    if (p->forward[i].out[0] == p->output[index]) made = &p->forward[i];
  if (!made || made->op != RNL_OP_AFFINE) return refuse("the prediction is the cell's own output", err);
  if (made->kind != RNL_ACT_LINEAR) return refuse("the output has an activation", err);
  for (int k = 0; k < p->n_states; k++)
    if (p->next[k] == p->output[index])
      return refuse("the layer feeds its own output back while it is trained (feed = \"teacher\" would not)", err);
  const int bias = made->in[0];
  if (bias >= 0 && p->value[bias].kind != RNL_VALUE_WEIGHT)
    return refuse("the output has a part that is not linear", err);
  if (bias >= 0) r->bias = node->in[rnl_program_first_weight(p) + p->value[bias].index];
  for (int k = 0; k < made->n_terms; k++) {
    const rnl_program_value *source = &p->value[made->term[k].source];
    const int weight = p->value[made->term[k].weight].index;
    r->weight[k] = node->in[rnl_program_first_weight(p) + weight];
    if (source->kind == RNL_VALUE_SEQUENCE) r->source[k] = rnl_in(node, source->index);
    else if (source->output >= 0) r->source[k] = rnl_out(node, source->output);
    else return refuse("the layer does not keep what its read-out is given: checkpoint spares it, or it is dropped out",
                       err);
  }
  r->n_terms = made->n_terms;
  return RNL_OK;
}

static rnl_status of_recurrent(read_out *r, const rnl_node *node, rnl_error *err) {
  const rnl_recurrent_attrs *attrs = node->attrs;
  if (attrs->sigma != RNL_ACT_LINEAR) return refuse("the output has an activation", err);
  if (attrs->cell == RNL_CELL_JORDAN)
    return refuse("the layer feeds its own output back while it is trained (feed = \"teacher\" would not)", err);
  r->n_terms = 1;
  r->source[0] = rnl_out(node, RNL_RECURRENT_H);
  r->weight[0] = node->in[RNL_RECURRENT_WEIGHT_HO];
  r->bias = node->in[RNL_RECURRENT_BIAS_O];
  return RNL_OK;
}

static bool is_parameter(const rnl_var *var) { return !var->creator && var->requires_grad; }

static rnl_status find_read_out(read_out *r, const rnl_var *prediction, rnl_error *err) {
  const rnl_node *node = prediction->creator;
  *r = (read_out){0};
  int index = 0;
  while (node && index < node->n_out && node->out[index] != prediction->slot) index++;
  if (!node) return refuse("the prediction is no function of a layer", err);
  if (node->op == &rnl_op_linear) {
    r->n_terms = 1;
    r->source[0] = rnl_in(node, RNL_LINEAR_X);
    r->weight[0] = node->in[RNL_LINEAR_WEIGHT];
    r->bias = node->in[RNL_LINEAR_BIAS];
  } else if (node->op == &rnl_op_program) {
    RNL_TRY(of_program(r, node, index, err));
  } else if (node->op == &rnl_op_recurrent && index == RNL_RECURRENT_Y) {
    RNL_TRY(of_recurrent(r, node, err));
  } else if (strcmp(node->op->name, "last") == 0) {
    return refuse("the last step is taken after it: put r.nn.Last() before an r.nn.Linear", err);
  } else {
    return rnl_fail(err, RNL_ERR_ARG, "ridge solves for a linear read-out, y = h V + c, at the network's end; here the "
                    "prediction is made by %s", node->op->name);
  }
  for (int k = 0; k < r->n_terms; k++)
    if (!is_parameter(r->weight[k])) return refuse("its weight is tied, masked or fixed", err);
  if (r->bias && !is_parameter(r->bias)) return refuse("its bias is fixed", err);
  return RNL_OK;
}

/* ---- the equations ---------------------------------------------------------------------------- */

typedef struct equations {
  int64_t n, outputs, rows; /* n: columns of F, one for the bias where there is one */
  double *f, *t;            /* a block of F and T, or all of them */
  double *a, *b;            /* F'F (n, n), its lower triangle, and F'T (n, outputs); with lambda = 0, b alone */
} equations;

static void equations_free(equations *e) {
  rnl_free(e->f);
  rnl_free(e->t);
  rnl_free(e->a);
  rnl_free(e->b);
}

/* to[j] = scale * source[row][j], a row being a step of a sequence. Returns where to[width] is. */
static double *take_row(const rnl_tensor *source, int64_t row, double scale, double *to) {
  const int last = source->ndim - 1;
  const int64_t width = source->size[last], step = source->stride[last];
  int64_t at = 0;
  for (int d = last - 1; d >= 0; row /= source->size[d--]) at += row % source->size[d] * source->stride[d];
  if (source->dtype == RNL_F64)
    for (int64_t j = 0; j < width; j++) to[j] = scale * rnl_f64(source)[at + j * step];
  else
    for (int64_t j = 0; j < width; j++) to[j] = scale * (double)rnl_f32(source)[at + j * step];
  return to + width;
}

/* Rows from `row` on into f and t, at most `room`; *filled of them count. Returns the row after. */
static int64_t fill(equations *e, const read_out *r, const rnl_residuals *residuals, int64_t row, int64_t room,
                    int64_t *filled) {
  const double *target = rnl_f64(&residuals->t);
  for (*filled = 0; row < e->rows && *filled < room; row++) {
    const double root = residuals->root ? residuals->root[row * e->outputs] : 1;
    if (root == 0) continue;
    double *f = e->f + *filled * e->n, *t = e->t + *filled * e->outputs;
    for (int k = 0; k < r->n_terms; k++) f = take_row(r->source[k], row, root, f);
    if (r->bias) *f = root;
    for (int64_t j = 0; j < e->outputs; j++) t[j] = root * target[row * e->outputs + j];
    ++*filled;
  }
  return row;
}

enum { BLOCK = 512, STRIPE = 168 }; /* rows of F, and of F'F, at a time */

/* a (+)= F'F, b (+)= F'T of the rows filled. Of a the lower triangle in stripes, which is half of it. */
static void add_products(equations *e, int64_t filled, bool add, int threads) {
  const int64_t n = e->n;
  for (int64_t i = 0, rows; i < n; i += rows) {
    rows = n - i < STRIPE ? n - i : STRIPE;
    rnl_gemm_threads(threads, true, true, false, rows, i + rows, filled, e->f + i, n, e->f, n, add, NULL, e->a + i * n,
                     n);
  }
  rnl_gemm_threads(threads, true, true, false, n, e->outputs, filled, e->f, n, e->t, e->outputs, add, NULL, e->b,
                   e->outputs);
}

static rnl_status solve(equations *e, const read_out *r, const rnl_residuals *residuals, double lambda, int threads,
                        rnl_error *err) {
  const int64_t room = lambda > 0 ? BLOCK : e->rows;
  int64_t filled = 0, row = 0, total = 0;
  e->f = rnl_alloc_doubles(room, e->n);
  e->t = rnl_alloc_doubles(room, e->outputs);
  e->b = rnl_alloc_doubles(e->n, e->outputs);
  e->a = rnl_alloc_doubles(e->n, lambda > 0 ? e->n : 1);
  if (!e->f || !e->t || !e->a || !e->b)
    return rnl_fail(err, RNL_ERR_MEMORY, "ridge: out of memory for %lld weights from %lld steps%s", (long long)e->n,
                    (long long)e->rows, lambda > 0 ? "" : "; lambda above 0 takes less");
  while (row < e->rows) {
    row = fill(e, r, residuals, row, room, &filled);
    if (lambda > 0 && filled > 0) add_products(e, filled, total > 0, threads);
    total += filled;
  }
  if (lambda == 0) return rnl_least_squares(total, e->n, e->outputs, e->f, e->t, e->b, -1, NULL, err);
  for (int64_t i = 0; i < e->n - (r->bias != NULL); i++) e->a[i * e->n + i] += lambda;
  rnl_error why;
  const rnl_status status = rnl_solve_positive(e->n, e->outputs, e->a, e->b, &why);
  if (status == RNL_ERR_ARG)
    return rnl_fail(err, status, "ridge: lambda = %g is too small for these states (%s); raise it, or take 0", lambda,
                    why.text);
  return status == RNL_OK ? RNL_OK : rnl_fail(err, status, "%s", why.text);
}

static void put_weights(const equations *e, const read_out *r) {
  const double *b = e->b;
  for (int k = 0; k < r->n_terms; k++) {
    const rnl_tensor *weight = rnl_value(r->weight[k]);
    const int64_t count = rnl_tensor_numel(weight);
    for (int64_t i = 0; i < count; i++) rnl_tensor_put(weight, i, *b++);
  }
  for (int64_t j = 0; r->bias && j < e->outputs; j++) rnl_tensor_put(rnl_value(r->bias), j, *b++);
}

static rnl_status fit(const read_out *r, const rnl_residuals *residuals, double lambda, int threads, rnl_error *err) {
  equations e = {.n = r->bias != NULL, .outputs = residuals->t.size[residuals->t.ndim - 1]};
  e.rows = residuals->count / e.outputs;
  for (int k = 0; k < r->n_terms; k++) e.n += r->source[k]->size[r->source[k]->ndim - 1];
  const rnl_status status = solve(&e, r, residuals, lambda, threads, err);
  if (status == RNL_OK) put_weights(&e, r);
  equations_free(&e);
  return status;
}

/* ---- the method ------------------------------------------------------------------------------- */

static rnl_status prepare(void *context, const rnl_full_batch *batch, rnl_error *err) {
  (void)context;
  rnl_residuals residuals;
  read_out r;
  RNL_TRY(rnl_lapack_open(err));
  RNL_TRY(rnl_residuals_of(&residuals, "ridge", batch->loss, err));
  const rnl_status status = find_read_out(&r, residuals.prediction, err);
  rnl_residuals_release(&residuals);
  return status;
}

static rnl_status epoch(void *context, const rnl_full_batch *batch, double *loss, bool *converged, rnl_error *err) {
  const double lambda = *(const double *)context;
  rnl_residuals residuals;
  read_out r;
  RNL_TRY(rnl_plan_forward(batch->plan, err));
  *loss = rnl_tensor_at(rnl_value(batch->loss), 0);
  if (!isfinite(*loss)) return RNL_OK;
  RNL_TRY(rnl_residuals_of(&residuals, "ridge", batch->loss, err));
  rnl_status status = find_read_out(&r, residuals.prediction, err);
  if (status == RNL_OK) status = fit(&r, &residuals, lambda, batch->threads > 0 ? batch->threads : 1, err);
  rnl_residuals_release(&residuals);
  *converged = status == RNL_OK;
  return status;
}

rnl_status rnl_ridge_new(rnl_method *out, double lambda, rnl_error *err) {
  *out = (rnl_method){0};
  if (!(lambda >= 0) || isinf(lambda))
    return rnl_fail(err, RNL_ERR_ARG, "ridge: lambda is %g; it must be a number of at least 0", lambda);
  double *context = rnl_alloc(1, sizeof *context);
  if (!context) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for ridge");
  *context = lambda;
  *out = (rnl_method){.name = "ridge", .context = context, .prepare = prepare, .epoch = epoch, .release = rnl_free};
  return RNL_OK;
}
