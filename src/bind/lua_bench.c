/* bind/lua_bench.c owns core.blas_seconds: how long OpenBLAS's own sgemm takes, what `rnnlab bench` compares with. */
#include <lauxlib.h>
#include <time.h>

#include "base/alloc.h"
#include "bind/lua_core.h"
#include "bind/lua_error.h"
#include "bind/lua_tensor.h"
#include "kernel/gemm.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void rest(double seconds) {
  const struct timespec t = {.tv_nsec = (long)(seconds * 1e9)};
  nanosleep(&t, NULL);
}

static int64_t entry(lua_State *L, int i, int64_t high) {
  lua_geti(L, 2, i);
  const int64_t value = rnl_lua_check_whole(L, -1, 1, high, "blas_seconds");
  lua_pop(L, 1);
  return value;
}
static bool flag(lua_State *L, int i) {
  lua_geti(L, 2, i);
  const bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

/* blas_seconds(threads, {m, n, k, trans_a, trans_b, times}) -> seconds of `times` products, or nil without OpenBLAS */
static int blas_seconds(lua_State *L) {
  const int threads = (int)rnl_lua_check_whole(L, 1, 1, 64, "blas_seconds: threads");
  luaL_checktype(L, 2, LUA_TTABLE);
  const int64_t most = INT64_C(1) << 14, m = entry(L, 1, most), n = entry(L, 2, most), k = entry(L, 3, most);
  const bool trans_a = flag(L, 4), trans_b = flag(L, 5);
  const int64_t times = entry(L, 6, most), elements = m * k + k * n + m * n;
  float *data = rnl_alloc((size_t)elements, sizeof *data);
  if (!data) return rnl_lua_fail(L, "blas_seconds: out of memory");
  for (int64_t i = 0; i < elements; i++) data[i] = (float)(i % 7) * 0.25F - 0.75F;
  float *a = data, *b = a + m * k, *c = b + k * n;
  const int64_t lda = trans_a ? m : k, ldb = trans_b ? k : n;
  rnl_blas_threads(threads);
  bool there = rnl_blas_gemm(false, trans_a, trans_b, m, n, k, a, lda, b, ldb, 0, c, n); /* warm */
  const double began = now();
  for (int64_t i = 0; there && i < times; i++)
    there = rnl_blas_gemm(false, trans_a, trans_b, m, n, k, a, lda, b, ldb, 0, c, n);
  const double seconds = now() - began;
  rnl_blas_threads(1);
  if (threads > 1) rest(0.06); /* its threads spin that long before they sleep, at the cost of whoever comes next */
  rnl_free(data);
  if (there) lua_pushnumber(L, seconds);
  else lua_pushnil(L);
  return 1;
}

int rnl_lua_open_bench(lua_State *L) {
  static const luaL_Reg functions[] = {{"blas_seconds", blas_seconds}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
