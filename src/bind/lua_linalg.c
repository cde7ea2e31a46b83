/* bind/lua_linalg.c owns rnnlab.core.linalg: linear algebra in float64 on matrices of any dtype, by kernel/lapack.h;
 * and forward-mode products. Results are new tensors; nothing here is recorded or has a gradient. */
#include <lauxlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "grad/plan.h"
#include "kernel/kernel.h"
#include "kernel/lapack.h"
#include "rnn/spectral.h"

/* The matrix at arg as a new float64 tensor on top of the stack, row-major and our own to overwrite. */
static double *take_matrix(lua_State *L, int arg, const char *what, int64_t *rows, int64_t *columns) {
  rnl_error err;
  rnl_var *var = rnl_lua_check_var(L, arg);
  const rnl_tensor *t = rnl_value(var);
  char shape[RNL_SHAPE_TEXT];
  rnl_lua_check_readable(L, var, what);
  if (t->ndim != 2 || rnl_tensor_numel(t) == 0)
    rnl_lua_fail(L, "%s: a matrix is expected, not %s", what, rnl_tensor_shape_text(shape, t));
  rnl_tensor copy = {0};
  rnl_lua_check(L, rnl_tensor_new(&copy, RNL_F64, 2, t->size, &err), &err);
  for (int64_t i = 0; i < t->size[0]; i++)
    for (int64_t j = 0; j < t->size[1]; j++)
      rnl_f64(&copy)[i * t->size[1] + j] = rnl_tensor_get(t, (int64_t[]){i, j});
  *rows = t->size[0];
  *columns = t->size[1];
  double *data = rnl_f64(&copy);
  rnl_lua_push_tensor(L, &copy); /* the values stay where they are */
  return data;
}

static double *take_square(lua_State *L, int arg, const char *what, int64_t *n) {
  int64_t columns;
  double *data = take_matrix(L, arg, what, n, &columns);
  if (*n != columns)
    rnl_lua_fail(L, "%s: a square matrix is expected, not (%d, %d)", what, (int)*n, (int)columns);
  return data;
}

/* Push a new tensor of zeros; its data. */
static double *push_new(lua_State *L, int ndim, const int64_t *size) {
  rnl_error err;
  rnl_tensor t = {0};
  rnl_lua_check(L, rnl_tensor_new(&t, RNL_F64, ndim, size, &err), &err);
  double *data = rnl_f64(&t);
  rnl_lua_push_tensor(L, &t);
  return data;
}

/* eig(matrix) -> re, im: the eigenvalues, in LAPACK's order */
static int eig(lua_State *L) {
  rnl_error err;
  int64_t n;
  double *a = take_square(L, 1, "eig", &n);
  double *re = push_new(L, 1, &n), *im = push_new(L, 1, &n);
  rnl_lua_check(L, rnl_eigen(n, a, re, im, NULL, &err), &err);
  return 2;
}

/* eigh(matrix) -> values ascending, vectors (a row each): of a symmetric matrix, its lower triangle */
static int eigh(lua_State *L) {
  rnl_error err;
  int64_t n;
  double *a = take_square(L, 1, "eigh", &n);
  double *w = push_new(L, 1, &n);
  rnl_lua_check(L, rnl_eigen_symmetric(n, a, w, true, &err), &err);
  lua_insert(L, -2); /* the values before what was the matrix */
  return 2;
}

/* svd(matrix) -> u (m, k), s (k) descending, vt (k, n), k = min(m, n) */
static int svd(lua_State *L) {
  rnl_error err;
  int64_t m, n;
  double *a = take_matrix(L, 1, "svd", &m, &n);
  const int64_t k = m < n ? m : n;
  double *u = push_new(L, 2, (int64_t[]){m, k}), *s = push_new(L, 1, &k), *vt = push_new(L, 2, (int64_t[]){k, n});
  rnl_lua_check(L, rnl_svd(m, n, a, s, u, vt, &err), &err);
  return 3;
}

static double *take_right(lua_State *L, const char *what, int64_t rows, int64_t *k) {
  int64_t own;
  double *b = take_matrix(L, 2, what, &own, k);
  if (own != rows)
    rnl_lua_fail(L, "%s: the matrix has %d rows and the right-hand side %d", what, (int)rows, (int)own);
  return b;
}

/* solve(A, B) -> X with A X = B */
static int solve(lua_State *L) {
  rnl_error err;
  int64_t n, k;
  double *a = take_square(L, 1, "solve", &n), *b = take_right(L, "solve", n, &k);
  rnl_lua_check(L, rnl_solve(n, k, a, b, &err), &err);
  return 1;
}

/* lstsq(A, B) -> X of least norm that minimises |A X - B|, rank of A */
static int lstsq(lua_State *L) {
  rnl_error err;
  int64_t m, n, k, rank = 0;
  double *a = take_matrix(L, 1, "lstsq", &m, &n), *b = take_right(L, "lstsq", m, &k);
  double *x = push_new(L, 2, (int64_t[]){n, k});
  rnl_lua_check(L, rnl_least_squares(m, n, k, a, b, x, -1, &rank, &err), &err);
  lua_pushinteger(L, rank);
  return 2;
}

/* spectral_radius(matrix) -> number; without LAPACK (rnn/spectral.h) */
static int spectral_radius(lua_State *L) {
  rnl_error err;
  int64_t n;
  double radius, *a = take_square(L, 1, "spectral_radius", &n);
  rnl_lua_check(L, rnl_spectral_radius(n, a, &radius, &err), &err);
  lua_pushnumber(L, radius);
  return 1;
}

/* ---- forward mode --------------------------------------------------------------------------- */

enum { JVP_TENSORS = 16 };

/* Tensors of the list at arg, borrowed; how many. */
static int take_tensors(lua_State *L, int arg, const char *what, rnl_var **out) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, arg);
  if (n < 1 || n > JVP_TENSORS) rnl_lua_fail(L, "jvp: %d %s; from 1 to %d are taken", (int)n, what, JVP_TENSORS);
  for (int i = 0; i < (int)n; i++) {
    lua_geti(L, arg, i + 1);
    out[i] = rnl_lua_check_var(L, -1);
    lua_pop(L, 1);
  }
  return (int)n;
}

/* jvp(outputs, leaves, tangents) -> tangents of the outputs: what they change by for a small change of the leaves along
 * the tangents. The outputs were computed from the leaves, which require a gradient. */
static int jvp(lua_State *L) {
  rnl_error err;
  rnl_var *output[JVP_TENSORS], *leaf[JVP_TENSORS], *along[JVP_TENSORS], **box[JVP_TENSORS];
  rnl_tensor tangent[JVP_TENSORS], result[JVP_TENSORS] = {{0}};
  const int n_out = take_tensors(L, 1, "outputs", output), n = take_tensors(L, 2, "leaves", leaf);
  if (take_tensors(L, 3, "tangents", along) != n) return rnl_lua_fail(L, "jvp: as many tangents as leaves are wanted");
  for (int i = 0; i < n; i++) {
    if (leaf[i]->creator || !leaf[i]->requires_grad)
      return rnl_lua_fail(L, "jvp: leaf %d is no tensor that requires a gradient", i + 1);
    if (!rnl_tensor_same_shape(rnl_value(leaf[i]), rnl_value(along[i])) ||
        rnl_value(leaf[i])->dtype != rnl_value(along[i])->dtype)
      return rnl_lua_fail(L, "jvp: tangent %d is not shaped as its leaf, or of another dtype", i + 1);
    tangent[i] = *rnl_value(along[i]);
  }
  lua_createtable(L, n_out, 0);
  for (int i = 0; i < n_out; i++) { /* boxes first, each kept by the table */
    box[i] = rnl_lua_new_var(L);
    lua_rawseti(L, -2, i + 1);
  }
  rnl_plan *plan = NULL;
  rnl_status status = rnl_plan_new(&plan, output, n_out, NULL, &err);
  if (status == RNL_OK) {
    const uint64_t fpu = rnl_fpu_enter();
    status = rnl_plan_tangents(plan, n, leaf, tangent, n_out, output, result, &err);
    rnl_fpu_leave(fpu);
  }
  rnl_plan_free(plan);
  for (int i = 0; i < n_out; i++) {
    if (status == RNL_OK && !(*box[i] = rnl_var_new(&result[i], false)))
      status = rnl_fail(&err, RNL_ERR_MEMORY, "out of memory in jvp");
    rnl_tensor_release(&result[i]);
  }
  rnl_lua_check(L, status, &err);
  return 1;
}

/* jvp, and the table linalg. */
int rnl_lua_open_linalg(lua_State *L) {
  static const luaL_Reg own[] = {{"jvp", jvp}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"eig", eig}, {"eigh", eigh}, {"svd", svd}, {"solve", solve},
                                       {"lstsq", lstsq}, {"spectral_radius", spectral_radius}, {NULL, NULL}};
  luaL_newlib(L, own);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "linalg");
  return 1;
}
